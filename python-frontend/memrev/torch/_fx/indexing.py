# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Elements at places that other tensors hold.

PyTorch raises IndexError for a place outside of a tensor. A program cannot; it reads the
nearest element instead and reports a fault, for which the caller raises the error.
"""

import numpy as np
import torch

from ... import _array, numpy as mnp
from ..._transforms import stop_gradient
from .layout import Tensor, aligned
from .pointwise import apply
from .table import cast, extent_of, name_of, rule

aten = torch.ops.aten


def _checked(call, index, extent):
    """Places of a dimension as numbers from 0 on; those outside are a fault."""
    outside = mnp.logical_or(index < -extent, index >= extent)
    call.effects.faults.append((mnp.any(outside), IndexError(
        f"index out of range: {name_of(call.node)} expects indices in [-{extent}, {extent})")))
    index = mnp.where(index < 0, index + extent, index)
    return mnp.clip(index, 0, extent - 1)


@rule(aten.embedding.default)
def _embedding(call, weight, indices, padding_idx=-1, scale_grad_by_freq=False, sparse=False):
    places = _checked(call, indices.array, weight.shape[0])
    table = weight.array
    rows = mnp.take(table, places, axis=0)
    if padding_idx >= 0:
        # The row that pads has no derivative.
        padding = mnp.expand_dims(mnp.equal(places, padding_idx), -1)
        rows = mnp.where(padding, stop_gradient(rows), rows)
    return Tensor(rows)


@rule(aten.index_select.default)
def _index_select(call, x, dim, index):
    if not x.ndim:
        return x
    place = x.place(dim)
    places = _checked(call, index.reshaped((-1,)).array, x.stored.shape[place])
    return x.like(mnp.take(x.stored, places, axis=place))


def _flat_places(shape, places):
    """Places in an array's elements in order, from one array of places a dimension."""
    total = None
    for extent, place in zip(shape, places):
        total = place if total is None else total * extent + place
    return total


@rule(aten.gather.default)
def _gather(call, x, dim, index, sparse_grad=False):
    if not x.ndim:
        return x.reshaped(call.shape)
    dim %= x.ndim
    array, places = x.array, _checked(call, index.array, x.shape[dim])
    numbers = np.indices(index.shape)
    flat = _flat_places(array.shape, [
        places if d == dim else _array.as_array(numbers[d].astype(np.int64))
        for d in range(x.ndim)])
    return Tensor(mnp.take(mnp.ravel(array), flat))


def _only_integers(node):
    for index in node.args[1]:
        if index is not None and index.meta["val"].dtype in (torch.bool, torch.uint8):
            return "a mask selects a number of elements that is not known before"
    return None


@rule(aten.index.Tensor, aten._unsafe_index.Tensor, refuse=_only_integers)
def _index(call, x, indices):
    indices = [*indices, *[None] * (x.ndim - len(indices))]
    dims = [d for d, index in enumerate(indices) if index is not None]
    places, _ = aligned([Tensor(_checked(call, indices[d].array, x.shape[d])) for d in dims])
    shape = _array.broadcast_shapes(*(p.shape for p in places))
    places = [mnp.broadcast_to(p, shape) for p in places]
    rest = [d for d in range(x.ndim) if d not in dims]
    array = x.in_order(dims + rest)
    flat = _flat_places(array.shape[:len(dims)], places)
    count = extent_of(array.shape, range(len(dims)))
    merged = _array.reshape(array, (count, *array.shape[len(dims):]))
    found = mnp.take(merged, flat, axis=0)
    # Indices side by side stay where they are, others come first.
    first = dims[0] if dims[-1] - dims[0] == len(dims) - 1 else 0
    selected = list(range(first, first + len(shape)))
    order = selected + [d for d in range(found.ndim) if d not in selected]
    return Tensor(found, order)


def _one_mask(node):
    x, indices, values = (a.meta["val"] if isinstance(a, torch.fx.Node) else a
                          for a in node.args[:3])
    accumulate = node.args[3] if len(node.args) > 3 else node.kwargs.get("accumulate", False)
    if accumulate or len(indices) != 1 or indices[0] is None:
        return "other indices than one mask"
    if indices[0].meta["val"].dtype != torch.bool or values.numel() != 1:
        return "other indices than a mask, or other values than one"
    return None


@rule(aten.index_put.default, refuse=_one_mask)
def _index_put(call, x, indices, values, accumulate=False):
    mask = indices[0]
    mask = mask.reshaped(mask.shape + (1,) * (x.ndim - mask.ndim))
    value = cast(values, x.dtype).reshaped(())
    return apply(lambda x, mask, value: mnp.where(mask, value, x), x, mask, value)


def numbers(count, ndim, dim):
    """0, 1, 2 ... along a dimension, as a tensor of `ndim` dimensions."""
    shape = [-1 if d == dim else 1 for d in range(ndim)]
    return Tensor(_array.as_array(np.arange(count, dtype=np.int32).reshape(shape)))


@rule(aten.one_hot.default, refuse=lambda node: None if (
    len(node.args) > 1 and node.args[1] > 0) else "the number of classes follows from values")
def _one_hot(call, x, num_classes=-1):
    places = Tensor(_checked(call, x.array, num_classes)).reshaped((*x.shape, 1))
    places = cast(places, np.dtype(np.int32))
    return cast(apply(mnp.equal, places, numbers(num_classes, x.ndim + 1, x.ndim)), call.dtype)
