# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Captured graphs as compiled programs that read and write tensors in place."""

import collections
import threading
from typing import List, Optional, Sequence, Tuple

import torch

from .. import _array, _graph, _program, numpy as mnp
from . import _fx, _place
from ._capture import Capture
from ._fx.table import from_torch, to_torch

#: Compiled programs that are kept; those not used longest go first.
CACHE_SIZE = 256


def stored_order(tensor: torch.Tensor) -> Optional[Tuple[int, ...]]:
    """The dimensions of a tensor from the outermost in memory to the innermost, or None
    if its elements are not one behind the other."""
    shape, strides = tensor.shape, tensor.stride()
    if tensor.is_contiguous():
        return tuple(range(len(shape)))
    # Dimensions of extent 1 have no place in memory; they stay where they are.
    moving = iter(sorted((d for d, n in enumerate(shape) if n != 1), key=lambda d: -strides[d]))
    order = tuple(d if n == 1 else next(moving) for d, n in enumerate(shape))
    expected = 1
    for d in reversed(order):
        if shape[d] != 1:
            if strides[d] != expected:
                return None
            expected *= shape[d]
    return order


class Layout:
    """The type of a tensor, the order in which it lies in memory, and the device."""

    __slots__ = ("shape", "dtype", "order", "device", "stored_shape", "_strides")

    def __init__(self, shape, dtype, order, device=_place.CPU):
        self.shape, self.dtype, self.order = tuple(map(int, shape)), dtype, tuple(order)
        self.device = device
        self.stored_shape = tuple(self.shape[d] for d in self.order)
        strides, step = {}, 1
        for d in reversed(self.order):
            strides[d] = step
            step *= max(self.shape[d], 1)
        self._strides = tuple(strides[d] for d in range(len(self.order)))

    @classmethod
    def of(cls, tensor, device=None):
        """The layout of a tensor, or PyTorch's own where its memory has gaps; on another
        device if one is named."""
        order = stored_order(tensor)
        return cls(tensor.shape, tensor.dtype, range(tensor.ndim) if order is None else order,
                   device or tensor.device)

    @classmethod
    def of_seed(cls, device):
        """That of the key of random numbers."""
        return cls((), torch.int64, (), device)

    def empty(self):
        """A tensor of this layout."""
        return _place.empty(self.shape, self.dtype, self.device, self._strides)

    def taken(self, tensor):
        """The tensor, or a copy of it in this layout. Tensors of zeros and negatives that
        PyTorch has not computed yet have no memory to read."""
        is_there = (not (tensor._is_zerotensor() or tensor.is_neg())
                    and tensor.device == self.device)
        if is_there and stored_order(tensor) == self.order:
            return tensor
        return self.empty().copy_(tensor)

    def add_argument(self, block, hint):
        """An argument of a function, as an array in the stored order."""
        dtype = from_torch(self.dtype)
        value = block.add_argument(_array.tensor_type(self.stored_shape, dtype), hint)
        return _array.Array(value, self.stored_shape, dtype)


def are_apart(tensors: Sequence[torch.Tensor], changed) -> bool:
    """Whether none of the tensors with the numbers `changed` shares memory with another one."""
    if len({t.untyped_storage()._cdata for t in tensors}) == len(tensors):
        return True
    return not any(_overlap(tensors[i], other) for i in changed
                   for k, other in enumerate(tensors) if k != i)


def _overlap(a, b):
    if a.untyped_storage()._cdata != b.untyped_storage()._cdata or not a.numel() or not b.numel():
        return False

    def extent(t):
        last = sum((n - 1) * s for n, s in zip(t.shape, t.stride()))
        return t.data_ptr(), t.data_ptr() + (last + 1) * t.element_size()

    (a_start, a_end), (b_start, b_end) = extent(a), extent(b)
    return a_start < b_end and b_start < a_end


class Program:
    """A captured graph, compiled for the layouts of its arguments.

    arguments: the layouts of the tensors, in the order of the capture.
    wrt: numbers of the arguments to differentiate by; none: only the forward pass.
    device: that of the layouts.
    policy: "invert" gets values of the forward pass back by inversion where it can,
        "store" keeps them.
    """

    def __init__(self, capture: Capture, arguments: Sequence[Layout], wrt: Sequence[int],
                 device: torch.device, policy: str = "invert"):
        self.arguments = list(arguments)
        #: Where it runs; all tensors but those without dimensions are there.
        self.device = device
        self.results = [Layout.of(node.meta["val"], device) for node in capture.results]
        #: Numbers of the results that have a derivative, and of the arguments that get one.
        self.of = sorted({output.number for output, tracked in
                          zip(capture.outputs, capture.requires_grad)
                          if tracked and output.source == "result"}) if wrt else []
        self.wrt = list(wrt) if self.of else []
        #: What to raise if an element of the last result is true.
        self.faults: List[Exception] = []
        self._is_random = capture.is_random
        #: The program as MLIR, without its derivative.
        self.text, located = self._trace(capture)
        split = (f"function=forward wrt={_numbers(self.wrt)} of={_numbers(self.of)} mode=split "
                 f"policy={policy}" if self.wrt else "")
        self._module = compiled(self.text, located, device, split)
        #: What the backward pass reads of the forward pass: ("argument", i), where the seed
        #: is behind the arguments, ("result", i), or ("saved", i).
        self.residuals: List[Tuple[str, int]] = []
        self._saved = []
        if not self.wrt:
            self._forward = self._module["forward"]
            return
        self._forward, self._backward = (self._module[f"forward_{s}"] for s in ("fwd", "bwd"))
        self.residuals = [p.residual for p in self._backward.arguments if p.residual]
        shown = len(self.results) + bool(self.faults)
        self._saved = [Layout(p.shape, to_torch(p.dtype), range(len(p.shape)), device)
                       for p in self._forward.results[shown:]]

    def _trace(self, capture):
        program = _graph.Program()
        function = _graph.Function(program, "forward", public=not self.wrt)
        block = function.block
        values = [layout.add_argument(block, name) for layout, name in
                  zip(self.arguments, capture.names)]
        seed = Layout.of_seed(self.device)
        effects = _fx.Effects(seed.add_argument(block, "seed") if self._is_random else None)
        with _graph.tracing(block):
            results = self._evaluate(capture, values, effects)
            if effects.faults:
                self.faults = [error for _, error in effects.faults]
                results.append(mnp.stack([fault for fault, _ in effects.faults]))
            function.set_results([block.resolve(r.value) for r in results])
        return program.print(), program.print(locations=True)

    def _evaluate(self, capture, values, effects):
        tensors = iter([_fx.Tensor(value, layout.order)
                        for value, layout in zip(values, self.arguments)])
        inputs = [None if a is None else next(tensors) for a in capture.arguments]
        found = _fx.evaluate(capture.graph_module, inputs, capture.results, effects)
        return [tensor.in_order(layout.order) for tensor, layout in zip(found, self.results)]

    def memory_report(self):
        """What the functions take (see `memrev.Module.memory_report`)."""
        return self._module.memory_report()

    # -- Calls --------------------------------------------------------------

    def draw_seed(self):
        """The key of a call's random numbers: a list of one tensor, or of none."""
        return [_place.draw_seed(self.device)] if self._is_random else []

    def forward(self, tensors):
        """For arguments of the program's layouts, and the seed: the results, and what is
        saved for the backward pass. Raises IndexError for an index that is out of range,
        RuntimeError for a division of integers by zero."""
        results = [layout.empty() for layout in self.results]
        count = len(self.faults)
        flags = [_place.empty((count,), torch.bool, self.device)] if count else []
        saved = [layout.empty() for layout in self._saved]
        _place.run(self._forward, tensors, results + flags + saved, self.device)
        for error, is_raised in zip(self.faults, flags[0].tolist() if flags else ()):
            if is_raised:
                raise type(error)(*error.args)
        return results, saved

    def backward(self, residuals, cotangents):
        """The cotangents of the arguments `wrt`, from `residuals` and the cotangents of the
        results `of`, in their layouts."""
        found = [self.arguments[i].empty() for i in self.wrt]
        _place.run(self._backward, [*residuals, *cotangents], found, self.device)
        return found


def _numbers(numbers):
    return ",".join(map(str, numbers))


_modules = collections.OrderedDict()
_lock = threading.Lock()


def compiled(text, located, device, differentiate=""):
    """The compiled module of a program for tensors on a device, which is `located` with the
    users' lines. `differentiate` is as for `memrev.compile`. Equal programs, such as those of
    a network's blocks, are one."""
    options = _place.options_of(device)
    key = text, differentiate, *options.values()
    with _lock:
        module = _modules.get(key)
        if module is not None:
            _modules.move_to_end(key)
            return module
    module = _program.compile(located, differentiate=[differentiate] if differentiate else (),
                              file="<torch>", cache=True, **options)
    with _lock:
        module = _modules.setdefault(key, module)
        while len(_modules) > CACHE_SIZE:
            _modules.popitem(last=False)
    return module
