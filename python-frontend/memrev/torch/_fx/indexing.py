# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Elements at places that other tensors hold.

PyTorch raises IndexError for a place outside of a tensor. A program cannot; it reads the
nearest element instead and reports a fault, for which the caller raises the error.
"""

import math

import numpy as np
import torch

from ... import _array, numpy as mnp
from ..._transforms import stop_gradient, vjp
from .layout import Tensor, aligned
from .pointwise import apply
from .table import cast, name_of, rule

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


def _rows(x, dim, places):
    """The parts of a dimension at places."""
    return x.like(mnp.take(x.stored, places, axis=x.place(dim)))


@rule(aten.index_select.default)
def _index_select(call, x, dim, index):
    if not x.ndim:
        return x
    return _rows(x, dim, _checked(call, index.reshaped((-1,)).array, x.shape[dim]))


@rule(aten.take.default)
def _take(call, x, index):
    x = x.reshaped((-1,))
    return Tensor(mnp.take(x.array, _checked(call, index.array, x.size)))


def _flat_places(shape, places):
    """Places in an array's elements in order, from one array of places a dimension."""
    total = None
    for extent, place in zip(shape, places):
        total = place if total is None else total * extent + place
    return total


def _elements(x, dim, places):
    """For each place its element of a dimension, where it is in the others."""
    array, numbers = x.array, np.indices(places.shape)
    flat = _flat_places(array.shape, [
        places if d == dim % x.ndim else _array.as_array(numbers[d].astype(np.int64))
        for d in range(x.ndim)])
    return Tensor(mnp.take(mnp.ravel(array), flat))


@rule(aten.gather.default)
def _gather(call, x, dim, index, sparse_grad=False):
    if not x.ndim:
        return x.reshaped(call.shape)
    return _elements(x, dim, _checked(call, index.array, x.shape[dim]))


def _has_mask(indices):
    return any(i is not None and i.meta["val"].dtype in (torch.bool, torch.uint8)
               for i in indices)


def _points(x, dims, places):
    """The elements at places of several dimensions, an array for each."""
    count = places[0].ndim
    array = x.in_order(dims + [d for d in range(x.ndim) if d not in dims])
    extents = array.shape[:len(dims)]
    merged = _array.reshape(array, (math.prod(extents), *array.shape[len(dims):]))
    found = mnp.take(merged, _flat_places(extents, places), axis=0)
    # Indices side by side stay where they are, others come first.
    first = dims[0] if dims[-1] - dims[0] == len(dims) - 1 else 0
    selected = list(range(first, first + count))
    return Tensor(found, selected + [d for d in range(found.ndim) if d not in selected])


def _checked_points(call, x, indices):
    """The dimensions that have indices, and their places, of one shape."""
    dims = [d for d, index in enumerate(indices) if index is not None]
    places, _ = aligned([Tensor(_checked(call, indices[d].array, x.shape[d])) for d in dims])
    shape = _array.broadcast_shapes(*(p.shape for p in places))
    return dims, [mnp.broadcast_to(p, shape) for p in places]


@rule(aten.index.Tensor, aten._unsafe_index.Tensor, refuse=lambda node: (
    "a mask selects a number of elements that is not known before"
    if _has_mask(node.args[1]) else None))
def _index(call, x, indices):
    return _points(x, *_checked_points(call, x, indices))


# ------------------------------------------------------------------------------
# Elements that change
# ------------------------------------------------------------------------------


def _added(x, source, read):
    """`x` with the elements of `source` added where `read(x)` would read them."""
    start = _array.full(x.shape, 0, x.dtype)
    result, pullback = vjp(lambda array: read(Tensor(array)).array, start)
    shaped = mnp.broadcast_to(source.extended(result.ndim).array, result.shape)
    return apply(mnp.add, x, Tensor(pullback(shaped)[0]))


def _is_float(node):
    return None if node.meta["val"].is_floating_point() else "sums of integers"


def _takes_all(node):
    index, source = (node.args[i].meta["val"] for i in (2, 3))
    if index.shape != source.shape:
        return "a source that is larger than the indices"
    return _is_float(node)


@rule(aten.scatter_add.default, refuse=_takes_all)
def _scatter_add(call, x, dim, index, source):
    places = _checked(call, index.array, x.shape[dim])
    return _added(x, source, lambda t: _elements(t, dim, places))


@rule(aten.index_add.default, refuse=_is_float)
def _index_add(call, x, dim, index, source, *, alpha=1):
    source = source if alpha == 1 else source.like(source.stored * alpha)
    places = _checked(call, index.reshaped((-1,)).array, x.shape[dim])
    return _added(x, source, lambda t: _rows(t, dim, places))


def _index_put_refusal(node):
    indices, values = node.args[1], node.args[2].meta["val"]
    accumulate = node.args[3] if len(node.args) > 3 else node.kwargs.get("accumulate", False)
    if _has_mask(indices):
        return None if len(indices) == 1 and values.numel() == 1 and not accumulate else (
            "a mask and other values than one number")
    return _is_float(node) if accumulate else "elements that may be set twice"


@rule(aten.index_put.default, refuse=_index_put_refusal)
def _index_put(call, x, indices, values, accumulate=False):
    values = cast(values, x.dtype)
    if accumulate:
        dims, places = _checked_points(call, x, indices)
        return _added(x, values, lambda t: _points(t, dims, places))
    mask = indices[0]
    mask = mask.reshaped(mask.shape + (1,) * (x.ndim - mask.ndim))
    return apply(lambda x, mask, value: mnp.where(mask, value, x), x, mask, values.reshaped(()))


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
