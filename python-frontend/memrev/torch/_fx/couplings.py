# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Couplings in graphs, which `memrev::given` and `memrev::moved` mark.

What lies between the two, the function F of the coupling, becomes the region of a
`rev.coupling`. Values of it that others read, such as statistics of batch norm, are
auxiliary results of the coupling.
"""

import dataclasses
import operator
from typing import List

import torch

from ... import lax, numpy as mnp
from .. import _operations
from .layout import Tensor
from .pointwise import apply
from .table import UnsupportedOperation, cast, name_of, place_of, rule

# As rev.coupling knows the formulas: its kind, and whether that is undone.
_KINDS = {
    "additive": ("additive", False),
    "additive_inverse": ("additive", True),
    "affine": ("affine<identity>", False),
    "affine_inverse": ("affine<identity>", True),
}


@rule(_operations.given)
def _given(call, x):
    return x


@rule(_operations.moved)
def _moved(call, x, given, parameters, kind):
    """One whose function is not apart from the rest of the graph."""
    formula = _operations.MOVES[kind]
    operands = [cast(t, call.dtype) for t in (x, *parameters)]
    return apply(lambda x, *p: formula(x, p), *operands)


@dataclasses.dataclass
class Coupling:
    """A coupling in a graph."""

    moved: torch.fx.Node
    #: What is computed from `given` for `moved`, in order.
    body: List[torch.fx.Node]
    #: Nodes of the body that are read outside of it.
    auxiliary: List[torch.fx.Node]

    @property
    def read(self):
        """The nodes outside of the body that it reads, and the moved half."""
        inside = set(self.body)
        return [self.moved.args[0], self.moved.args[1]] + [
            source for node in self.body for source in node.all_input_nodes
            if source not in inside]


def find_couplings(nodes) -> List[Coupling]:
    """The couplings in a list of nodes in order, those inside of others left out."""
    found, hidden = [], set()
    # A coupling inside of another one ends before it.
    for node in reversed(nodes):
        if node.target is _operations.moved and node not in hidden:
            coupling = _coupling(node, nodes)
            if coupling is not None:
                found.append(coupling)
                hidden.update(coupling.body)
    return found[::-1]


def _coupling(moved, nodes):
    x, given, parameters, _ = moved.args
    if given.target is not _operations.given:
        return None
    needed, stack = set(), list(parameters)
    while stack:
        node = stack.pop()
        if node not in needed and node is not given:
            needed.add(node)
            stack += node.all_input_nodes
    following = {given}
    for node in nodes:
        if any(source in following for source in node.all_input_nodes):
            following.add(node)
    body = [n for n in nodes if n in following and n in needed]
    inside = set(body)
    for node in nodes:
        # Single results of what computes several.
        if node.target is operator.getitem and node.args[0] in inside and node not in inside:
            inside.add(node)
            body.append(node)
    types = {moved.meta["val"].dtype, x.meta["val"].dtype}
    if x in following or len(types) > 1 or not inside.issuperset(parameters):
        return None
    position = {node: i for i, node in enumerate(nodes)}
    body.sort(key=position.__getitem__)
    auxiliary = [n for n in body if any(u not in inside and u is not moved for u in n.users)]
    if any(not isinstance(n.meta["val"], torch.Tensor) for n in auxiliary):
        return None
    return Coupling(moved, body, auxiliary)


def emit(coupling: Coupling, values, run, effects):
    """Emits a coupling: sets the values of its `moved` and `auxiliary` nodes.

    values: those of the nodes before it. run(nodes, values): evaluates nodes.
    """
    x, given, parameters, kind = coupling.moved.args
    name, inverse = _KINDS[kind]
    moving, source = values[x], values[given]
    orders = {}

    def function(array):
        inner = dict(values)
        inner[given] = Tensor(array, source.order)
        faults = len(effects.faults)
        run(coupling.body, inner)
        if len(effects.faults) > faults:
            raise UnsupportedOperation(
                name_of(coupling.moved), place_of(coupling.moved),
                "indices and divisions inside of a coupling cannot be checked")
        found = [_spread(cast(inner[p], moving.dtype), moving) for p in parameters]
        for node in coupling.auxiliary:
            orders[node] = inner[node].order
        return tuple(found), [inner[node].stored for node in coupling.auxiliary]

    y, arrays = lax.coupling(name, moving.stored, [source.stored], function, has_aux=True,
                             inverse=inverse)
    values[coupling.moved] = Tensor(y, moving.order)
    for node, array in zip(coupling.auxiliary, arrays):
        values[node] = Tensor(array, orders[node])


def _spread(parameter, like):
    """The array of a parameter, as `like` is stored."""
    array = parameter.extended(like.ndim).in_order(like.order)
    return mnp.broadcast_to(array, like.stored.shape)
