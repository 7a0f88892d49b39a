# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The table of PyTorch's operations, and what its entries know of a call."""

import dataclasses
import functools
import math
import numbers
import re
from typing import Callable, Optional

import numpy as np
import torch

from ... import _array, _dtypes
from .layout import Tensor

_DTYPES = {
    torch.bool: np.dtype(bool),
    torch.int8: np.dtype(np.int8),
    torch.int16: np.dtype(np.int16),
    torch.int32: np.dtype(np.int32),
    torch.int64: np.dtype(np.int64),
    torch.float16: np.dtype(np.float16),
    torch.bfloat16: _dtypes.bfloat16,
    torch.float32: np.dtype(np.float32),
    torch.float64: np.dtype(np.float64),
}


def has_dtype(dtype):
    """Whether programs have PyTorch's element type `dtype`."""
    return dtype in _DTYPES


def from_torch(dtype):
    """PyTorch's element type as memrev names it."""
    return _DTYPES[dtype]


def to_torch(dtype):
    """memrev's element type as PyTorch names it."""
    return next(theirs for theirs, ours in _DTYPES.items() if ours == dtype)


class UnsupportedOperation(Exception):
    """An operation that cannot be a part of a program. `operation` is its name, `place`
    the user's line, `reason` what is wrong with it, if that is not that it is unknown."""

    def __init__(self, operation: str, place: str, reason: Optional[str] = None):
        self.operation, self.place, self.reason = operation, place, reason
        super().__init__(f"{place}: expects operations that a program has, but got {operation}"
                         + (f": {reason}" if reason else ""))


@dataclasses.dataclass(frozen=True)
class Rule:
    """How an operation is written as part of a program."""

    emit: Callable
    #: Takes a call's node and returns why this call is not supported, or None.
    refuse: Optional[Callable]


#: An operation (torch._ops.OpOverload) -> Rule.
RULES = {}


def rule(*operations, refuse=None):
    """Registers a function `emit(call, *args, **kwargs)` for operations. Tensors are
    `Tensor`s; what it returns has the shapes and element types of PyTorch's results."""

    def register(emit):
        for operation in operations:
            RULES[operation] = Rule(emit, refuse)
        return emit

    return register


class Effects:
    """What a traced graph does beside computing its results.

    seed: a traced integer without dimensions, the key of all random numbers; None if
        there is none.
    """

    def __init__(self, seed=None):
        self._seed = seed
        self._layer = 0
        #: Pairs of a traced boolean without dimensions and the exception to raise if it
        #: is true.
        self.faults = []

    def key(self):
        """(seed, layer, step) for one operation with random numbers."""
        if self._seed is None:
            raise ValueError("expects a seed for a graph with random numbers, but got none")
        self._layer += 1
        return self._seed, self._layer - 1, 0


class Call:
    """A call of an operation: a node of the graph."""

    def __init__(self, node, effects):
        self.node = node
        self.effects = effects

    def result_type(self, index=None):
        """(shape, dtype) of the result, or of one of several."""
        value = self.node.meta["val"]
        value = value if index is None else value[index]
        return tuple(map(int, value.shape)), from_torch(value.dtype)

    def reads(self, index):
        """Whether somebody reads one of several results."""
        return any(user.args[1] == index for user in self.node.users)

    @property
    def shape(self):
        """The shape of the only result."""
        return self.result_type()[0]

    @property
    def dtype(self):
        """The element type of the only result."""
        return self.result_type()[1]

    def promoted(self, *numbers_of_arguments):
        """The type in which PyTorch compares those arguments: tensors with dimensions
        come before those without, and these before numbers."""
        values = [self.node.args[i] for i in numbers_of_arguments]
        values = [v.meta["val"] if isinstance(v, torch.fx.Node) else v for v in values]
        return from_torch(functools.reduce(
            lambda a, b: a if a == b else torch.promote_types(a, b),
            [torch.result_type(a, b) for a, b in zip(values, values[1:])]))

    def refuse(self, reason):
        """Raises UnsupportedOperation for this call."""
        raise UnsupportedOperation(name_of(self.node), place_of(self.node), reason)


def name_of(node):
    """The name of the operation that a node calls."""
    target = node.target
    if isinstance(target, torch._ops.OpOverload):
        return str(target)
    return getattr(target, "__name__", None) or str(target)


_FRAME = re.compile(r'File "([^"]+)", line (\d+)')
_TORCH = torch.__file__.rsplit("/", 1)[0] + "/"


def location_of(node):
    """(file, line, column) of the user's line that called the operation, or None."""
    frames = _FRAME.findall(node.meta.get("stack_trace") or "")
    if not frames:
        return None
    own = [frame for frame in frames if not frame[0].startswith(_TORCH)]
    file, line = (own or frames)[-1]
    return file, int(line), 1


def place_of(node):
    """The user's line as text."""
    location = location_of(node)
    return f"{location[0]}:{location[1]}" if location else "unknown place"


# ------------------------------------------------------------------------------
# What the families share
# ------------------------------------------------------------------------------


def cast(x, dtype):
    """A tensor or array in another element type; numbers stay as they are."""
    if isinstance(x, Tensor):
        return x if x.dtype == dtype else x.like(_array.cast(x.stored, dtype))
    if isinstance(x, _array.Array):
        return _array.cast(x, dtype)
    return x


def accumulated(dtype):
    """The type in which sums of `dtype` are carried: PyTorch does not sum in 16 bits."""
    return np.dtype(np.float32) if _dtypes.is_float(dtype) and dtype.itemsize == 2 else dtype


def is_number(x):
    """Whether an argument is one of Python's numbers."""
    return isinstance(x, numbers.Number)


def full(shape, value, dtype):
    """A tensor with one number everywhere."""
    return Tensor(_array.full(tuple(shape), value, dtype))


def dims_of(dims, ndim):
    """Dimensions as a sorted list; None and none at all are all of them."""
    if dims is None or (not isinstance(dims, int) and len(dims) == 0):
        return list(range(ndim))
    dims = [dims] if isinstance(dims, int) else dims
    return sorted(d % max(ndim, 1) for d in dims) if ndim else []


def extent_of(shape, dims):
    """The number of elements in some dimensions."""
    return math.prod(shape[d] for d in dims)
