# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiled modules of PyTorch, under its autograd."""

import collections
import threading
from typing import Optional

import torch
from torch.utils import _pytree

from ._call import is_batched
from ._capture import Capture, capture, lock, tensors_of
from ._place import device_of, fp32_precision, get_contractions
from ._program import Layout, Program, are_apart

#: Programs that one module keeps; those not used longest go first.
CACHE_SIZE = 16


class _Run(torch.autograd.Function):
    """A call of a program as a node of autograd's graph."""

    @staticmethod
    def forward(ctx, evaluation, *tensors):
        program = evaluation.program
        ctx.set_materialize_grads(False)
        ctx.evaluation = evaluation
        arguments = [*tensors, *program.draw_seed()]
        results, saved = program.forward(arguments)
        ctx.save_for_backward(*evaluation.kept(arguments, results, saved))
        ctx.others = evaluation.not_kept(tensors)
        ctx.mark_non_differentiable(*(result for i, result in enumerate(results)
                                      if i not in program.of))
        return tuple(results)

    @staticmethod
    @torch.compiler.disable
    def backward(ctx, *cotangents):
        evaluation = ctx.evaluation
        program = evaluation.program
        given = [cotangents[i] for i in program.of]
        count = len(program.arguments)
        if all(cotangent is None for cotangent in given):
            return (None,) * (count + 1)
        residuals = ctx.saved_tensors
        if torch.is_grad_enabled() or is_batched(cotangents):
            found = evaluation.pull_back_in_pytorch(residuals, ctx.others, given)
        else:
            layouts = [program.results[i] for i in program.of]
            given = [layout.empty().zero_() if cotangent is None else layout.taken(cotangent)
                     for layout, cotangent in zip(layouts, given)]
            found = program.backward(residuals, given)
        gradients = [None] * count
        for i, gradient in zip(program.wrt, found):
            # What no result in the loss depends on has no gradient, not one of zeros.
            if ctx.needs_input_grad[i + 1] and any(
                    cotangents[k] is not None for k in evaluation.influences[i]):
                gradients[i] = gradient
        return (None, *gradients)


class Evaluation:
    """A captured module, and its program for arguments like `leaves`, with or without a
    backward pass as gradients are enabled now."""

    def __init__(self, captured: Capture, leaves, policy: str = "invert"):
        self.captured = captured
        self.sources = [a for a in captured.arguments if a is not None]
        self._numbers = {i: k for k, i in enumerate(
            i for i, a in enumerate(captured.arguments) if a is not None)}
        self._changed = {self._numbers[i] for i, _ in captured.mutations}
        with lock:
            tensors = [source.read(leaves) for source in self.sources]
        tracked = {output.number for output, is_tracked in zip(
            captured.outputs, captured.requires_grad) if is_tracked and output.source == "result"}
        #: For each argument the numbers of the results by which it gets a gradient.
        self.influences = [found & tracked for found in captured.influences()]
        wrt = [i for i, t in enumerate(tensors) if t.requires_grad and self.influences[i]] if (
            torch.is_grad_enabled()) else []
        device = device_of(tensors)
        self.program = Program(captured, [Layout.of(t, device) for t in tensors], wrt, device,
                               policy)

    def kept(self, arguments, results, saved):
        """What the backward pass reads. An argument that the module changes has another
        value by then."""
        of = {"argument": lambda i: arguments[i].clone() if i in self._changed else arguments[i],
              "result": results.__getitem__, "saved": saved.__getitem__}
        return [of[kind](number) for kind, number in self.program.residuals]

    def not_kept(self, tensors):
        """Other tensors of the module, which are there anyway, and their versions by their
        numbers: second derivatives read them."""
        kept = {number for kind, number in self.program.residuals if kind == "argument"}
        return {i: (tensor, tensor._version) for i, tensor in enumerate(tensors)
                if i not in kept and i not in self._changed and self.sources[i].kind != "input"}

    def is_possible(self, leaves):
        """Whether no tensor that the module changes shares memory with another one: the
        program reads all of them before it changes one."""
        if not self._changed:
            return True
        with lock:
            tensors = [source.read(leaves) for source in self.sources]
        return are_apart(tensors, self._changed)

    def run(self, leaves):
        """What the module returns for arguments with those leaves."""
        with lock:
            tensors = [source.read(leaves) for source in self.sources]
        program = self.program
        laid = [layout.taken(t) for layout, t in zip(program.arguments, tensors)]
        if program.wrt:
            results = _Run.apply(self, *laid)
        else:
            results, _ = program.forward([*laid, *program.draw_seed()])
        with torch.no_grad():
            for argument, result in self.captured.mutations:
                tensors[self._numbers[argument]].copy_(results[result])
        outputs = [self._output(output, tensors, results) for output in self.captured.outputs]
        return _pytree.tree_unflatten(outputs, self.captured.out_spec)

    def _output(self, output, tensors, results):
        if output.source == "constant":
            return output.constant
        if output.source == "argument":
            value = tensors[self._numbers[output.number]]
        else:
            value = results[output.number]
        for view in output.views:
            value = view(value)
        return value

    def _arguments(self, residuals, others, wish):
        """The arguments of the forward pass, from what has been kept of it. `wish` is what
        they are for."""
        found = {number: tensor for (kind, number), tensor in
                 zip(self.program.residuals, residuals) if kind == "argument"}
        for number, (tensor, version) in others.items():
            if tensor._version != version:
                raise RuntimeError(
                    f"expects '{self.captured.names[number]}' to stay as it is until its second "
                    "derivative, but got one that was modified by an inplace operation")
            found[number] = tensor
        for number, name in enumerate(self.captured.names):
            if number not in found:
                raise RuntimeError(
                    f"expects to be differentiated once, for the program does not keep '{name}', "
                    f"but got {wish}")
        return [found[number] for number in range(len(self.sources))]

    def pull_back_in_pytorch(self, residuals, others, cotangents):
        """The gradients, with gradients enabled as functions that autograd can differentiate
        again: PyTorch evaluates the graph."""
        create_graph = torch.is_grad_enabled()
        wish = "create_graph=True" if create_graph else "a batch of gradients"
        if self.captured.is_random:
            raise RuntimeError("expects to be differentiated once, for the graph has random "
                               f"numbers, but got {wish}")
        tensors = self._arguments(residuals, others, wish)
        with torch.enable_grad():
            # An argument may be a function of another one; derivatives end at the aliases.
            aliases = [t.view_as(t) for t in tensors]
            given = iter(aliases)
            inputs = [None if a is None else next(given) for a in self.captured.arguments]
            values = _Interpreter(self.captured.graph_module).values(
                inputs, [self.captured.results[i] for i in self.program.of])
            pairs = [(v, c) for v, c in zip(values, cotangents) if c is not None]
            return torch.autograd.grad(
                [v for v, _ in pairs], [aliases[i] for i in self.program.wrt],
                [c for _, c in pairs], create_graph=create_graph, allow_unused=True)


class _Interpreter(torch.fx.Interpreter):
    """Evaluates a graph by PyTorch's own operations."""

    def values(self, inputs, nodes):
        """The values of `nodes`."""
        wanted = {}
        self._wanted, self._found = set(nodes), wanted
        self.run(*inputs)
        return [wanted[node] for node in nodes]

    def run_node(self, node):
        result = super().run_node(node)
        if node in self._wanted:
            self._found[node] = result
        return result


_CONSTANTS = (bool, int, float, str, type(None), torch.dtype)


def _frozen(value):
    """A constant that a module's forward pass may read from an attribute, hashable, or
    NotImplemented."""
    if isinstance(value, _CONSTANTS):
        return value
    if isinstance(value, (tuple, list)) and all(isinstance(v, _CONSTANTS) for v in value):
        return tuple(value)
    return NotImplemented


def fingerprint(module: torch.nn.Module):
    """What a captured graph depends on beside its arguments: the modules and their
    attributes, and the types of parameters and buffers. A hashable value."""
    found = []
    for child in module.modules():
        found.append(id(child))
        for name, value in child.__dict__.items():
            constant = _frozen(value)
            if constant is not NotImplemented:
                found.append((name, constant))
        for tensors in (child._parameters, child._buffers):
            found.extend((name, _type(t)) for name, t in tensors.items() if t is not None)
    return tuple(found)


def _type(tensor):
    return tensor.shape, tensor.dtype, tensor.stride(), tensor.requires_grad, tensor.device


class CompiledModule:
    """A module whose forward and backward passes are compiled, for each type of arguments
    anew.

    policy: "invert" gets values of the forward pass back by inversion where it can,
        "store" keeps them.

    Calls take and return what the module's do. Gradients reach parameters and inputs that
    require them, buffers are updated once a call. Raises UnsupportedOperation, which names
    the operation and the user's line, or CaptureError, before anything is compiled;
    memrev.CompileError if the program has no compiled form.
    """

    def __init__(self, module: torch.nn.Module, policy: str = "invert"):
        self.module, self._policy = module, policy
        self._cache = collections.OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, *args, **kwargs):
        leaves = _pytree.tree_leaves((args, kwargs))
        return self.evaluation(args, kwargs).run(leaves)

    def evaluation(self, args: tuple, kwargs: Optional[dict] = None):
        """The compiled form for arguments like these."""
        kwargs = kwargs or {}
        leaves, spec = _pytree.tree_flatten((args, kwargs))
        with lock:
            kind = device_of(tensors_of(self.module, leaves)).type
            key = (spec, fingerprint(self.module), torch.is_grad_enabled(),
                   torch.is_autocast_enabled(kind), torch.get_autocast_dtype(kind),
                   torch.get_default_dtype(), fp32_precision(), get_contractions(),
                   tuple(_type(x) if isinstance(x, torch.Tensor) else (type(x), x)
                         for x in leaves))
        with self._lock:
            found = self._cache.get(key)
            if found is not None:
                self._cache.move_to_end(key)
                return found
        found = Evaluation(capture(self.module, args, kwargs), leaves, self._policy)
        with self._lock:
            found = self._cache.setdefault(key, found)
            while len(self._cache) > CACHE_SIZE:
                self._cache.popitem(last=False)
        return found
