# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Bijections that move elements: between space and channels, between arrays, to vectors."""

import math
import numbers

from .. import numpy as mnp
from .bijection import Bijection, Inverse, no_log_det

__all__ = ["Cat", "Flatten", "Reshape", "Split", "Squeeze", "Unsqueeze"]


def extents_of(name, x, factor):
    """The factor for each dimension of space of [batch, *space, channels], which are checked
    to divide the extents."""
    space = x.shape[1:-1]
    factors = ((factor,) * len(space) if isinstance(factor, numbers.Integral) else tuple(factor))
    if not space or len(factors) != len(space) or any(n % f for n, f in zip(space, factors)):
        raise ValueError(f"{name} expects an array [batch, *space, channels] with extents of space "
                         f"that {factor} divides, but got shape {list(x.shape)}")
    return factors


def blocks_to_front(x, factors, pattern="checkerboard"):
    """[batch, *space, channels] to [batch, *space / factors, prod(factors), channels]: see
    `Squeeze`."""
    batch, *space, channels = x.shape
    rank, outer = len(space), [n // f for n, f in zip(space, factors)]
    result = (batch, *outer, math.prod(factors), channels)
    if pattern == "column":
        return mnp.reshape(x, result)
    checkerboard = pattern == "checkerboard"
    cut = [n for pair in zip(outer, factors) for n in (pair if checkerboard else pair[::-1])]
    x = mnp.reshape(x, (batch, *cut, channels))
    first = 1 if checkerboard else 2  # The first dimension that stays in space.
    kept, moved = range(first, 2 * rank + 1, 2), range(3 - first, 2 * rank + 1, 2)
    return mnp.reshape(mnp.transpose(x, (0, *kept, *moved, 2 * rank + 1)), result)


def blocks_to_space(x, factors, pattern="checkerboard"):
    """What undoes `blocks_to_front`."""
    batch, *outer, _, channels = x.shape
    rank = len(outer)
    result = (batch, *(n * f for n, f in zip(outer, factors)), channels)
    if pattern == "column":
        return mnp.reshape(x, result)
    x = mnp.reshape(x, (batch, *outer, *factors, channels))
    places = [i for pair in zip(range(1, rank + 1), range(rank + 1, 2 * rank + 1))
              for i in (pair if pattern == "checkerboard" else pair[::-1])]
    return mnp.reshape(mnp.transpose(x, (0, *places, 2 * rank + 1)), result)


class Squeeze(Bijection):
    """Space to channels: [batch, *space, channels] to [batch, *space / factor, factor^rank
    channels], for any number of dimensions of space; log_det is 0. Channels of one part of
    space stay beside each other.

    pattern: which elements come to one place: "checkerboard", those of a block of `factor`
        neighbours in each dimension (Dinh et al., arXiv 1605.08803); "patch", those at the same
        place of the factor^rank parts that space is cut into; "column", neighbours in memory.
    factor: an integer, or one for each dimension of space.

    Raises ValueError for another pattern and for extents that the factors do not divide.
    """

    def __init__(self, pattern: str = "checkerboard", factor=2):
        if pattern not in ("checkerboard", "patch", "column"):
            raise ValueError("Squeeze expects a pattern out of checkerboard, patch, column, but "
                             f"got {pattern!r}")
        self.pattern, self.factor = pattern, factor

    def __call__(self, x, cond=None):
        blocks = blocks_to_front(x, extents_of("Squeeze", x, self.factor), self.pattern)
        return mnp.reshape(blocks, (*blocks.shape[:-2], -1)), no_log_det(x)

    def inverse(self, y, cond=None):
        rank = y.ndim - 2
        factors = ((self.factor,) * rank if isinstance(self.factor, numbers.Integral)
                   else tuple(self.factor))
        count = math.prod(factors)
        if not rank or len(factors) != rank or y.shape[-1] % count:
            raise ValueError(f"Squeeze expects channels that {count} divides to unsqueeze, but got "
                             f"shape {list(y.shape)}")
        blocks = mnp.reshape(y, (*y.shape[:-1], count, y.shape[-1] // count))
        return blocks_to_space(blocks, factors, self.pattern), no_log_det(y)


class Unsqueeze(Inverse):
    """Channels to space: the inverse of `Squeeze`."""

    def __init__(self, pattern: str = "checkerboard", factor=2):
        super().__init__(Squeeze(pattern, factor))


class Split(Bijection):
    """One array [batch, ..., channels] to a tuple of arrays of parts of the channels; log_det
    is 0.

    sizes: the channels of each part.
    """

    def __init__(self, *sizes: int):
        if len(sizes) < 2 or any(n < 1 for n in sizes):
            raise ValueError("Split expects at least 2 positive numbers of channels, but got "
                             f"{list(sizes)}")
        self.sizes = sizes

    def __call__(self, x, cond=None):
        if x.shape[-1] != sum(self.sizes):
            raise ValueError(f"Split expects {sum(self.sizes)} channels, but got shape "
                             f"{list(x.shape)}")
        places = [sum(self.sizes[:i]) for i in range(1, len(self.sizes))]
        return tuple(mnp.split(x, places, axis=-1)), no_log_det(x)

    def inverse(self, y, cond=None):
        got = tuple(part.shape[-1] for part in y) if isinstance(y, (tuple, list)) else "one array"
        if got != self.sizes:
            raise ValueError(f"Split expects parts of {list(self.sizes)} channels, but got "
                             f"{got if isinstance(got, str) else list(got)}")
        return mnp.concatenate(list(y), axis=-1), no_log_det(y)


class Cat(Inverse):
    """A tuple of arrays beside each other, in the last dimension: the inverse of `Split`."""

    def __init__(self, *sizes: int):
        super().__init__(Split(*sizes))


class Reshape(Bijection):
    """Samples of shape `shape` in the shape `to`; the batch stays the first dimension, and
    log_det is 0.

    Raises ValueError if the shapes have different numbers of elements, and for samples of
    another shape.
    """

    def __init__(self, shape, to):
        self.shape, self.to = tuple(shape), tuple(to)
        if math.prod(self.shape) != math.prod(self.to):
            raise ValueError("Reshape expects shapes of equally many elements, but got "
                             f"{list(shape)} and {list(to)}")

    def __call__(self, x, cond=None):
        return self._reshaped(x, self.shape, self.to), no_log_det(x)

    def inverse(self, y, cond=None):
        return self._reshaped(y, self.to, self.shape), no_log_det(y)

    @staticmethod
    def _reshaped(x, shape, to):
        if tuple(x.shape[1:]) != shape:
            raise ValueError(f"Reshape expects samples of shape {list(shape)}, but got shape "
                             f"{list(x.shape)}")
        return mnp.reshape(x, (x.shape[0], *to))


class Flatten(Reshape):
    """Samples of shape `shape` as vectors: [batch, elements]."""

    def __init__(self, *shape: int):
        super().__init__(shape, (math.prod(shape),))
