# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Means of trees of arrays over the parts of a batch, in one process and over several."""

from typing import Any

import numpy as np

from .. import cuda, device_get, jit, tree
from .replicas import Replicas

#: Arrays begin at multiples of this many bytes, a cache line.
ALIGNMENT = 64


class Mean:
    """Adds up trees of arrays of equal structure, and divides by how many there were.

    Arrays of floats are averaged. Others, as counters of steps are, have to be equal in all
    trees. Floats of one type lie behind each other, so that processes exchange one message.
    """

    def __init__(self, example: Any):
        leaves, self._structure = tree.flatten(example)
        self._names = [tree.path_name(path) for path in self._structure.paths()]
        places, lengths = [], {}
        for leaf in leaves:
            place = None
            if np.issubdtype(leaf.dtype, np.floating):
                step = max(ALIGNMENT // leaf.dtype.itemsize, 1)
                start = lengths.get(leaf.dtype, 0)
                place = leaf.dtype, slice(start, start + leaf.size)
                lengths[leaf.dtype] = -(-(start + leaf.size) // step) * step
            places.append(place)
        self._buffers = {dtype: np.zeros(length, dtype) for dtype, length in lengths.items()}
        # Floats are views of the buffers; others are the arrays of the first tree.
        self._leaves = [
            self._buffers[place[0]][place[1]].reshape(leaf.shape) if place else None
            for leaf, place in zip(leaves, places)]
        self._is_float = [place is not None for place in places]
        self._count = 0

    def add(self, value: Any):
        """Adds a tree. Raises ValueError if it differs in structure or in what is no float."""
        leaves, structure = tree.flatten(value)
        if structure != self._structure:
            raise ValueError(tree.difference(self._structure, structure))
        if not self._count:
            for buffer in self._buffers.values():
                buffer.fill(0)
        for i, leaf in enumerate(leaves):
            if self._is_float[i]:
                self._leaves[i] += leaf
            elif not self._count:
                self._leaves[i] = leaf
            elif not np.array_equal(self._leaves[i], leaf):
                raise ValueError(f"'{self._names[i]}' expects {self._leaves[i]} as in the "
                                 f"other parts of the batch, but got {leaf}")
        self._count += 1

    def take(self, replicas: Replicas) -> Any:
        """The mean over all that was added here and, as many times, in other processes. Its
        arrays are valid until the next `add`, which starts anew."""
        for buffer in self._buffers.values():
            replicas.sum(buffer)
            buffer /= self._count * replicas.size
        self._count = 0
        return tree.unflatten(self._structure, self._leaves)


class DeviceMean:
    """As `Mean`, for trees with floats in the memory of a CUDA device, whose mean is computed
    there. What is given to `add` first is overwritten."""

    def __init__(self, example: Any):
        leaves, self._structure = tree.flatten(example)
        self._floats = [i for i, leaf in enumerate(leaves)
                        if isinstance(leaf, cuda.DeviceArray) and leaf.dtype.kind == "f"]
        self._others = [i for i in range(len(leaves)) if i not in set(self._floats)]
        self._mean = Mean(device_get([leaves[i] for i in self._others]))
        self._count = 0
        self._add = jit(lambda total, part: [t + p for t, p in zip(total, part)], donate=0)
        self._divide = jit(lambda total, count: [t / count.astype(t.dtype) for t in total],
                           donate=0)

    def add(self, value: Any):
        """Adds a tree. Raises ValueError if it differs in structure or in what is no float."""
        leaves, structure = tree.flatten(value)
        if structure != self._structure:
            raise ValueError(tree.difference(self._structure, structure))
        self._mean.add(device_get([leaves[i] for i in self._others]))
        floats = [leaves[i] for i in self._floats]
        self._total = self._add(self._total, floats) if self._count else floats
        self._count += 1

    def take(self, replicas: Replicas) -> Any:
        """The mean over all that was added here and, as many times, in other processes."""
        replicas.sum_on_device(self._total)
        count = self._count * replicas.size
        floats = self._divide(self._total, count) if count > 1 else self._total
        leaves = dict(zip(self._floats, floats))
        leaves.update(zip(self._others, self._mean.take(replicas)))
        self._total, self._count = None, 0
        return tree.unflatten(self._structure, [leaves[i] for i in range(len(leaves))])


def make_mean(example: Any):
    """A `Mean` for trees like `example`, or a `DeviceMean`."""
    is_there = any(isinstance(leaf, cuda.DeviceArray) for leaf in tree.leaves(example))
    return (DeviceMean if is_there else Mean)(example)
