# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tensors of PyTorch as arrays of a program, in any order of their dimensions.

PyTorch's images are (N, C, H, W), the compiler's convolutions are fast on
(N, H, W, C). A `Tensor` has PyTorch's shape, and an array that may be stored in another
order. Permutations only change what is known about the order; operations of elements,
reductions and windows work in the order in which their operand is stored. An array is
transposed where an operation needs a certain order and nothing else, so a program of
convolutions transposes its arguments and results, and nothing in between.
"""

import math

from ... import _array, _graph


def _is_visible(array):
    """Whether the block that is traced now can read `array`."""
    block = _graph.current_block()
    while block is not None:
        if block is array.value.block:
            return True
        block = block.parent
    return False


class Tensor:
    """A tensor of PyTorch in a program that is being traced.

    stored: the array; its dimension i is dimension `order[i]` of the tensor.
    pieces: (dimension, the tensors that lie along it one after the other), or None.
    """

    __slots__ = ("stored", "order", "pieces", "_transposed")

    def __init__(self, stored, order=None):
        self.stored = stored
        self.order = tuple(range(stored.ndim)) if order is None else tuple(order)
        self.pieces = None
        self._transposed = {}

    @property
    def dtype(self):
        """The element type, as memrev names it."""
        return self.stored.dtype

    @property
    def ndim(self):
        """The number of dimensions."""
        return len(self.order)

    @property
    def shape(self):
        """PyTorch's shape."""
        extents = dict(zip(self.order, self.stored.shape))
        return tuple(extents[i] for i in range(self.ndim))

    @property
    def size(self):
        """The number of elements."""
        return self.stored.size

    def __repr__(self):
        return f"<tensor {self.dtype}{list(self.shape)} in order {list(self.order)}>"

    def in_order(self, order):
        """The array whose dimension i is dimension `order[i]` of the tensor."""
        order = tuple(order)
        if order == self.order:
            return self.stored
        found = self._transposed.get(order)
        if found is None or not _is_visible(found):
            places = [self.order.index(i) for i in order]
            moving = [p for p in places if self.stored.shape[p] != 1]
            if moving == sorted(moving):  # Only dimensions of extent 1 move.
                found = _array.reshape(self.stored, [self.stored.shape[p] for p in places])
            else:
                found = _array.transpose(self.stored, places)
            self._transposed[order] = found
        return found

    @property
    def array(self):
        """The array in PyTorch's order."""
        return self.in_order(range(self.ndim))

    def place(self, dim):
        """The dimension of `stored` that is dimension `dim` of the tensor, which may be
        negative."""
        return self.order.index(dim % self.ndim)

    def like(self, stored):
        """A tensor of another array in the same order."""
        return Tensor(stored, self.order)

    def permuted(self, dims):
        """The tensor whose dimension i is dimension `dims[i]` of this one."""
        dims = [d % self.ndim for d in dims]
        return Tensor(self.stored, [dims.index(i) for i in self.order])

    def reshaped(self, shape):
        """The elements in PyTorch's order in another shape."""
        shape = list(shape)
        if -1 in shape:
            rest = -math.prod(shape)
            shape[shape.index(-1)] = self.size // rest if rest else 0
        shape = tuple(shape)
        before = self.shape
        if shape == before:
            return self
        if 0 in shape or not shape or not before:
            return Tensor(_array.reshape(self.array, shape))
        # Dimensions that merge or split together have to be stored side by side, in
        # order; the runs of such dimensions stay in the order in which they are stored.
        runs = _array.groups_of_equal_products(before, shape)

        def place(run):
            return min((self.order.index(i) for i in run[0] if before[i] != 1), default=-1)

        runs = sorted(runs, key=place)
        stored = self.in_order([i for left, _ in runs for i in left])
        order = [i for _, right in runs for i in right]
        return Tensor(_array.reshape(stored, [shape[i] for i in order]), order)

    def extended(self, ndim):
        """The tensor with dimensions of extent 1 in front."""
        more = ndim - self.ndim
        if not more:
            return self
        return Tensor(_array.reshape(self.stored, (1,) * more + self.stored.shape),
                      (*range(more), *(i + more for i in self.order)))


def spread(x, dims, like):
    """A tensor that was reduced over some dimensions of `like`, repeated along them. There
    is no form with extents of 1 between: programs are better without."""
    shape = like.stored.shape
    axes = sorted(like.place(d) for d in dims)
    if not axes:
        return x
    kept = [d for d in range(like.ndim) if d not in dims]
    array = x.in_order([kept.index(d) for d in like.order if d in kept])
    return like.like(_array.repeat_along(array, shape, axes))


def common_order(tensors):
    """The order in which an operation of elements works: that of the largest operand, as
    which others are repeated or transposed. Of several that of one that is not stored as
    PyTorch does, for an operation has asked for that order."""
    ndim = max(t.ndim for t in tensors)
    largest = max(tensors, key=lambda t: (t.size, t.ndim, t.order != tuple(range(t.ndim))))
    more = ndim - largest.ndim
    return (*range(more), *(i + more for i in largest.order))


def aligned(operands):
    """The arrays of `operands`, of which those that are no tensors stay as they are, in
    one order of as many dimensions; and the order."""
    order = common_order([t for t in operands if isinstance(t, Tensor)])
    return [t.extended(len(order)).in_order(order) if isinstance(t, Tensor) else t
            for t in operands], order


def channels_last(ndim):
    """The order (N, *space, C) of a tensor (N, C, *space)."""
    return (0, *range(2, ndim), 1)
