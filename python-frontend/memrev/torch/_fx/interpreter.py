# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs a graph of PyTorch's operations on traced arrays."""

import operator
from typing import List, Optional, Tuple

import torch
from torch.fx.node import map_arg
from torch.utils import _pytree

from ... import _array, _graph
from .. import _place
from . import couplings
from .layout import Tensor
from .table import (
    RULES, Call, Effects, UnsupportedOperation, from_torch, has_dtype, location_of, name_of,
    place_of,
)

#: Checks that PyTorch's tracing leaves in graphs; shapes are known, so they hold.
_CHECKS = {torch.ops.aten._assert_tensor_metadata.default}


def _tensors(nodes):
    return [value for node in nodes for value in _pytree.tree_leaves(node.meta.get("val"))
            if isinstance(value, torch.Tensor)]


def _refusal(node, device) -> Optional[UnsupportedOperation]:
    """Why a node cannot be a part of a program for tensors on a device, or None."""
    operation, place = name_of(node), place_of(node)
    if node.op == "get_attr":
        return UnsupportedOperation(operation, place, "graphs read tensors as arguments only")
    if node.op in ("placeholder", "call_function"):
        for value in _tensors([node]):
            if not has_dtype(value.dtype):
                return UnsupportedOperation(operation, place, f"a tensor of {value.dtype}")
            reason = _place.why_not(value.device)
            if reason:
                return UnsupportedOperation(operation, place, reason)
            if value.device != device and (value.ndim or value.device != _place.CPU):
                return UnsupportedOperation(
                    operation, place, f"a tensor on {value.device} beside one on {device}")
            if value.layout != torch.strided:
                return UnsupportedOperation(operation, place, f"a tensor in {value.layout}")
    if node.op == "output":
        away = [t for t in _tensors(node.all_input_nodes) if t.device != device]
        return UnsupportedOperation(
            operation, place, f"a result on {away[0].device} of a tensor on {device}"
        ) if away else None
    if node.op == "placeholder" or node.target is operator.getitem:
        return None
    if node.target in _CHECKS:
        return None
    rule = RULES.get(node.target)
    if node.op != "call_function" or rule is None:
        return UnsupportedOperation(operation, place)
    reason = rule.refuse and rule.refuse(node)
    return UnsupportedOperation(operation, place, reason) if reason else None


def refusals(graph_module: torch.fx.GraphModule) -> List[UnsupportedOperation]:
    """The nodes that cannot be a part of a program, as exceptions to raise."""
    nodes = graph_module.graph.nodes
    device = _place.device_of(_tensors(nodes))
    found = (_refusal(node, device) for node in nodes)
    return [refusal for refusal in found if refusal is not None]


def unsupported(graph_module: torch.fx.GraphModule) -> List[Tuple[str, str]]:
    """Pairs (name, user's line) of the operations of a graph that a program does not
    have, each once."""
    return list(dict.fromkeys((r.operation, r.place) for r in refusals(graph_module)))


def evaluate(graph_module: torch.fx.GraphModule, inputs, nodes, effects: Effects):
    """Applies a graph to traced arrays and returns the values of `nodes`.

    inputs: a `Tensor` for each placeholder that is a tensor, None for the others. See
    `trace`.
    """
    for refusal in refusals(graph_module):
        raise refusal
    inputs, values = iter(inputs), {}
    for node in graph_module.graph.nodes:
        if node.op == "placeholder":
            values[node] = next(inputs)
            _check(node, values[node], node.meta.get("val"))
    _run([node for node in graph_module.graph.nodes
          if node.op == "call_function" and node.target not in _CHECKS], values, effects)
    return map_arg(nodes, values.__getitem__)


def _run(nodes, values, effects):
    """Sets the values of `nodes`, which are in order."""
    found = {coupling.moved: coupling for coupling in couplings.find_couplings(nodes)}
    hidden = {node for coupling in found.values() for node in coupling.body}
    waiting = [node for node in nodes if node not in hidden]
    while waiting:
        later = []
        for node in waiting:
            coupling = found.get(node)
            sources = coupling.read if coupling else node.all_input_nodes
            if not all(source in values for source in sources):
                later.append(node)  # It reads an auxiliary result of a coupling to come.
                continue
            with _graph.located(location_of(node)):
                if coupling:
                    couplings.emit(coupling, values,
                                   lambda body, inner: _run(body, inner, effects), effects)
                else:
                    values[node] = _apply(node, values, effects)
        if len(later) == len(waiting):
            raise ValueError(f"expects a graph in order, but got {later[0]} before its operands")
        waiting = later


def trace(graph_module: torch.fx.GraphModule, *inputs, effects: Optional[Effects] = None):
    """Applies a graph of functional ATen operations to traced arrays, and returns the
    results as `Tensor`s in the structure of the graph's output.

    inputs: a `Tensor`, or an array in PyTorch's order, for each placeholder that is a
        tensor; None for the others.
    effects: where random numbers come from, and where it is noted that an index is out
        of range; needed for graphs with such operations.

    The graph's nodes have "val" in their `meta`, as those of torch.export have. Raises
    UnsupportedOperation, which names the operation and the user's line.
    """
    wrapped = [Tensor(x) if isinstance(x, _array.Array) else x for x in inputs]
    found = Effects() if effects is None else effects
    output = next(iter(reversed(graph_module.graph.nodes)))
    results = evaluate(graph_module, wrapped, output.args[0], found)
    if effects is None and found.faults:
        raise ValueError("expects `effects` for a graph that may index out of range")
    return results


def _apply(node, values, effects):
    args = map_arg(node.args, values.__getitem__)
    if node.target is operator.getitem:
        return args[0][args[1]]
    kwargs = map_arg(node.kwargs, values.__getitem__)
    result = RULES[node.target].emit(Call(node, effects), *args, **kwargs)
    expected = node.meta["val"]
    if isinstance(expected, (tuple, list)):
        # What nobody reads is not computed.
        read = {user.args[1] for user in node.users}
        for index, (found, like) in enumerate(zip(result, expected)):
            if index in read:
                _check(node, found, like)
    else:
        _check(node, result, expected)
    return result


def _check(node, found, expected):
    """A rule that gives another type than PyTorch does is wrong."""
    if not isinstance(expected, torch.Tensor):
        return
    wanted = tuple(map(int, expected.shape)), from_torch(expected.dtype)
    got = (found.shape, found.dtype) if isinstance(found, Tensor) else found
    if got != wanted:
        raise UnsupportedOperation(
            name_of(node), place_of(node),
            f"a result of {wanted[1]}{list(wanted[0])} is imported as {found!r}")
