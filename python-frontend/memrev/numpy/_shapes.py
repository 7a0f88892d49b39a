# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Shapes: parts, sequences and rearrangements of arrays."""

import math
import numbers
import operator

import numpy as np

from .. import _array, _dtypes
from .._array import Array, as_array, cast, emit1, emit_scalar, empty, filled, number_text
from .._dtypes import is_float
from ._elements import clip, remainder, where
from ._publish import publish
from ._reductions import axes_of


@publish
def reshape(x, shape):
    """The elements in row-major order in another shape; one extent may be -1."""
    return _array.reshape(x, [shape] if isinstance(shape, numbers.Integral) else shape)


@publish
def ravel(x):
    return _array.reshape(x, [x.size])


@publish
def transpose(x, axes=None, *more):
    """Dimension `axes[i]` as dimension i; all of them in reverse order by default."""
    if axes is None:
        return x.T
    return _array.transpose(x, (axes, *more) if isinstance(axes, numbers.Integral) else axes)



@publish
def swapaxes(x, axis1, axis2):
    axis1, axis2 = (_array.axis_of(a, x.ndim) for a in (axis1, axis2))
    axes = list(range(x.ndim))
    axes[axis1], axes[axis2] = axes[axis2], axes[axis1]
    return _array.transpose(x, axes)


@publish
def moveaxis(x, source, destination):
    source, destination = ([a] if isinstance(a, numbers.Integral) else list(a)
                           for a in (source, destination))
    source, destination = ([_array.axis_of(a, x.ndim) for a in axes]
                           for axes in (source, destination))
    if len(set(source)) != len(set(destination)) or len(source) != len(destination):
        raise ValueError("moveaxis expects as many places as axes, which differ, but got "
                         f"{source} and {destination}")
    order = [i for i in range(x.ndim) if i not in source]
    for to, axis in sorted(zip(destination, source)):
        order.insert(to, axis)
    return _array.transpose(x, order)


@publish
def expand_dims(x, axis):
    axes = [axis] if isinstance(axis, numbers.Integral) else list(axis)
    rank = x.ndim + len(axes)
    axes = [_array.axis_of(a, rank) for a in axes]
    extents = iter(x.shape)
    return _array.reshape(x, [1 if i in axes else next(extents) for i in range(rank)])


@publish
def squeeze(x, axis=None):
    axes = [i for i, n in enumerate(x.shape) if n == 1] if axis is None else axes_of(x, axis)
    for a in axes:
        if x.shape[a] != 1:
            raise ValueError(f"squeeze expects extent 1 in dimension {a}, but got {x.shape[a]}")
    return _array.reshape(x, [n for i, n in enumerate(x.shape) if i not in axes])


@publish
def broadcast_to(x, shape):
    return _array.broadcast_to(x, [shape] if isinstance(shape, numbers.Integral) else shape)


@publish
def atleast_1d(x):
    return x if x.ndim else _array.reshape(x, [1])


@publish
def atleast_2d(x):
    return _array.reshape(x, [1] * (2 - x.ndim) + list(x.shape)) if x.ndim < 2 else x


@publish
def shape(x):
    """The extents, a tuple of ints."""
    return as_array(x).shape


@publish
def ndim(x):
    """The number of dimensions, an int."""
    return as_array(x).ndim


@publish
def size(x, axis=None):
    """The number of elements, or the extent of `axis`, an int."""
    return as_array(x).size if axis is None else x.shape[_array.axis_of(axis, x.ndim)]


@publish
def asarray(x, dtype=None):
    """A number, or a tree of lists with traced arrays of one shape, as an array."""
    if isinstance(x, (list, tuple)):
        x = stack([asarray(e) for e in x])
    return x if dtype is None else x.astype(dtype)


@publish
def array(x, dtype=None):
    """As `asarray`: traced arrays do not change, and need no copy."""
    return asarray(x, dtype)


def _common(arrays):
    arrays = [as_array(x) for x in arrays]
    if not arrays:
        raise ValueError("expects at least one array, but got none")
    dtype = arrays[0].dtype
    for x in arrays[1:]:
        dtype = _dtypes.promote(dtype, x.dtype)
    return [cast(x, dtype) for x in arrays]


@publish
def concatenate(arrays, axis=0):
    """The arrays one behind the other along `axis`."""
    arrays = _common(arrays)
    if axis is None:
        arrays, axis = [ravel(x) for x in arrays], 0
    first = arrays[0]
    axis, = axes_of(first, axis)
    for x in arrays[1:]:
        if x.ndim != first.ndim or any(
                n != m for i, (n, m) in enumerate(zip(x.shape, first.shape)) if i != axis):
            raise ValueError(
                f"concatenate expects shapes that agree but for dimension {axis}, but got "
                + ", ".join(str(list(v.shape)) for v in arrays))
    if len(arrays) == 1:
        return first
    shape = list(first.shape)
    shape[axis] = sum(x.shape[axis] for x in arrays)
    names = ", ".join(f"{{{i}}}" for i in range(len(arrays)))
    types = ", ".join(f"{{t[{i}]}}" for i in range(len(arrays)))
    return emit1(f"tensor.concat dim({axis}) {names} : ({types}) -> {{r[0]}}", arrays, shape,
                 first.dtype)



@publish
def stack(arrays, axis=0):
    """The arrays along a new dimension `axis`."""
    arrays = _common(arrays)
    for x in arrays:
        if x.shape != arrays[0].shape:
            raise ValueError(f"stack expects arrays of one shape, but got "
                             f"{list(arrays[0].shape)} and {list(x.shape)}")
    return concatenate([expand_dims(x, axis) for x in arrays],
                       _array.axis_of(axis, arrays[0].ndim + 1))


@publish
def vstack(arrays):
    """The arrays one below the other; those of one dimension are rows."""
    return concatenate([atleast_2d(as_array(x)) for x in arrays])


@publish
def hstack(arrays):
    """The arrays side by side: along dimension 1, or 0 where there is one."""
    arrays = [atleast_1d(as_array(x)) for x in arrays]
    return concatenate(arrays, 0 if arrays and arrays[0].ndim == 1 else 1)


@publish
def split(x, sections, axis=0):
    """Parts along `axis`: as many as `sections`, which divides the extent, or cut at
    the places that it lists."""
    axis, = axes_of(x, axis)
    extent = x.shape[axis]
    if isinstance(sections, numbers.Integral):
        if sections <= 0 or extent % sections:
            raise ValueError(f"split expects a number of parts that divides {extent}, but got "
                             f"{sections}")
        sections = [extent // sections * i for i in range(1, sections)]
    places = [0, *map(operator.index, sections), extent]
    return [x[(slice(None),) * axis + (slice(a, b),)] for a, b in zip(places, places[1:])]


@publish
def array_split(x, sections, axis=0):
    if isinstance(sections, numbers.Integral):
        size, more = divmod(x.shape[axis], sections)
        sections = [size * i + min(i, more) for i in range(1, sections)]
    return split(x, sections, axis)


@publish
def tile(x, repeats):
    repeats = [repeats] if isinstance(repeats, numbers.Integral) else list(repeats)
    shape = [1] * (len(repeats) - x.ndim) + list(x.shape)
    repeats = [1] * (len(shape) - len(repeats)) + repeats
    wide = [n for pair in zip(repeats, shape) for n in pair]
    x = _array.reshape(x, [n for m in shape for n in (1, m)])
    return _array.reshape(_array.broadcast_to(x, wide),
                          [n * m for n, m in zip(repeats, shape)])


@publish
def repeat(x, repeats, axis=None):
    """Each element `repeats` times, an integer."""
    if axis is None:
        x, axis = ravel(x), 0
    axis, = axes_of(x, axis)
    repeats = operator.index(repeats)
    shape = [*x.shape[:axis + 1], repeats, *x.shape[axis + 1:]]
    wide = _array.broadcast_to(expand_dims(x, axis + 1), shape)
    return _array.reshape(wide, [n * repeats if i == axis else n for i, n in enumerate(x.shape)])


@publish
def pad(x, pad_width, mode="constant", constant_values=0):
    """`x` with a border of `constant_values`: `pad_width` is a number, a pair, or a pair
    for each dimension."""
    if mode != "constant":
        raise ValueError(f"pad expects the mode 'constant', but got '{mode}'")
    widths = np.broadcast_to(np.asarray(pad_width), (x.ndim, 2)).tolist()
    if any(n < 0 for pair in widths for n in pair):
        raise ValueError(f"pad expects widths of at least 0, but got {pad_width}")
    low, high = ([int(pair[side]) for pair in widths] for side in (0, 1))
    if not any(low) and not any(high):
        return x
    shape = [n + a + b for n, a, b in zip(x.shape, low, high)]
    name = _dtypes.mlir_name(x.dtype)
    if isinstance(constant_values, Array):
        value = emit_scalar("tensor.extract {0}[] : {t[0]}",
                            [cast(constant_values, x.dtype)], name)
    else:
        text = number_text(constant_values, x.dtype)
        value = emit_scalar(f"arith.constant {text}"
                            + ("" if text in ("true", "false") else f" : {name}"), [], name)
    indices = ", ".join(f"%.p{i}: index" for i in range(x.ndim))
    return emit1(
        f"tensor.pad {{0}} low{low} high{high} {{{{ ^bb0({indices}): "
        f"tensor.yield {{1}} : {name} }}}} : {{t[0]}} to {{r[0]}}", [x, value], shape, x.dtype)


def _rearrange(x, dims, source, shape):
    """The array whose element (dims) is the element (source) of `x`."""
    element = _dtypes.mlir_name(x.dtype)
    kinds = ", ".join(['"parallel"'] * len(shape))
    return emit1(
        f"linalg.generic {{{{indexing_maps = [affine_map<({dims}) -> ({source})>, "
        f"affine_map<({dims}) -> ({dims})>], iterator_types = [{kinds}]}}}} "
        "ins({0} : {t[0]}) outs({1} : {t[1]}) {{ "
        f"^bb0(%.in: {element}, %.out: {element}): linalg.yield %.in : {element} }}}} -> {{r[0]}}",
        [x, empty(shape, x.dtype)], shape, x.dtype)


@publish
def flip(x, axis=None):
    """The elements of `axis` (all dimensions by default) in reverse order."""
    axes = axes_of(x, axis)
    dims = [f"d{i}" for i in range(x.ndim)]
    source = [f"-{d} + {x.shape[i] - 1}" if i in axes else d for i, d in enumerate(dims)]
    return _rearrange(x, ", ".join(dims), ", ".join(source), x.shape) if axes else x


@publish
def flipud(x):
    return flip(x, 0)


@publish
def fliplr(x):
    return flip(x, 1)


@publish
def roll(x, shift, axis=None):
    """The elements moved by `shift` along `axis`, those that leave come in again."""
    if axis is None:
        return _array.reshape(roll(ravel(x), shift, 0), x.shape)
    axis, = axes_of(x, axis)
    extent = x.shape[axis]
    cut = -operator.index(shift) % extent if extent else 0
    if not cut:
        return x
    before = (slice(None),) * axis
    return concatenate([x[before + (slice(cut, None),)], x[before + (slice(0, cut),)]], axis)


@publish
def diagonal(x, offset=0, axis1=0, axis2=1):
    """The diagonal of two dimensions, as the last dimension."""
    axis1, axis2 = (_array.axis_of(a, x.ndim) for a in (axis1, axis2))
    rows, columns = x.shape[axis1], x.shape[axis2]
    size = max(0, min(rows + min(offset, 0), columns - max(offset, 0)))
    row, column = max(-offset, 0), max(offset, 0)
    part = [slice(None)] * x.ndim
    part[axis1], part[axis2] = slice(row, row + size), slice(column, column + size)
    x = x[tuple(part)]
    others = [i for i in range(x.ndim) if i not in (axis1, axis2)]
    shape = [x.shape[i] for i in others] + [size]
    count = len(shape)
    place = {axis: f"d{i}" for i, axis in enumerate(others)}
    place[axis1] = place[axis2] = f"d{count - 1}"
    dims = ", ".join(f"d{i}" for i in range(count))
    source = ", ".join(place[i] for i in range(x.ndim))
    return _rearrange(x, dims, source, shape)


@publish
def diag(x, k=0):
    """The diagonal of a matrix, or the matrix with that diagonal and zeros elsewhere."""
    if x.ndim == 2:
        return diagonal(x, k)
    if x.ndim != 1:
        raise ValueError(f"diag expects one or two dimensions, but got shape {list(x.shape)}")
    rows = x.shape[0] + abs(k)
    placed = pad(x, (max(k, 0), max(-k, 0)))
    return where(diagonals(rows, rows) == k, placed, 0)


def places(shape, axis):
    """The number of each element's place along `axis`, an int32."""
    dims = ", ".join(f"d{i}" for i in range(len(shape)))
    kinds = ", ".join(['"parallel"'] * len(shape))
    return emit1(
        f"linalg.generic {{{{indexing_maps = [affine_map<({dims}) -> ({dims})>], iterator_types = "
        f"[{kinds}]}}}} outs({{0}} : {{t[0]}}) {{{{ ^bb0(%.out: i32): %.i = linalg.index "
        f"{_array.axis_of(axis, len(shape))} : index %.n = arith.index_cast %.i : index to i32 "
        "linalg.yield %.n : i32 }} -> {r[0]}", [empty(shape, np.dtype(np.int32))], shape,
        np.dtype(np.int32))


def diagonals(rows, columns):
    """The number of the diagonal that each element of a matrix is on, 0 for the main one
    and positive above it."""
    return places([1, columns], 1) - places([rows, 1], 0)


def _triangle(name, keep):
    def function(x, k=0):
        return where(keep(diagonals(*x.shape[-2:]), k), x, 0)

    function.__name__ = function.__qualname__ = name
    return publish(function)


tril = _triangle("tril", lambda difference, k: difference <= k)
triu = _triangle("triu", lambda difference, k: difference >= k)


def _within(indices, extent, mode):
    """Traced indices as numbers of entries: a program must not read what is not there."""
    if indices.dtype.itemsize < 4:
        indices = cast(indices, np.dtype(np.int32))
    if mode == "wrap":
        return remainder(indices, max(extent, 1))
    if mode == "raise":
        indices = where(indices < 0, indices + extent, indices)
    return clip(indices, 0, max(extent - 1, 0))


@publish
def take(x, indices, axis=None, mode="raise"):
    """The entries of `axis` at `indices`, integers of any shape, which takes the place
    of the dimension.

    mode: "raise" raises IndexError for indices that are out of range and known; traced ones
        are as with "clip", but for negative ones, which count from the end. "clip" takes
        the nearest entry, "wrap" counts on from the other end.
    """
    if mode not in ("raise", "clip", "wrap"):
        raise ValueError(f"take expects a mode out of raise, clip, wrap, but got {mode!r}")
    if axis is None:
        x, axis = ravel(x), 0
    axis, = axes_of(x, axis)
    extent = x.shape[axis]
    if not isinstance(indices, Array):
        known = np.asarray(indices)
        if known.dtype.kind not in "iu" and known.size:
            raise TypeError(f"take expects integers, but got {known.dtype}")
        known = known.astype(np.int64)
        if mode == "clip":
            known = np.clip(known, 0, extent - 1)
        elif mode == "raise" and known.size and not (
                -extent <= known.min() and known.max() < extent):
            raise IndexError(f"take expects indices in [-{extent}, {extent}), but got "
                             f"{known.min()} to {known.max()}")
        indices = as_array((known % max(extent, 1)).astype(np.int32))
    elif indices.dtype.kind != "i":
        raise TypeError(f"take expects integers, but got {indices.dtype}")
    else:
        indices = _within(indices, extent, mode)
    if indices.size and not extent:
        raise IndexError(f"take expects no indices for an axis of extent 0, but got "
                         f"{indices.size}")
    moved = moveaxis(x, axis, 0)
    rows = _array.reshape(indices, [indices.size, 1])
    entries = emit1("tensor.gather {0}[{1}] gather_dims([0]) : ({t[0]}, {t[1]}) -> {r[0]}",
                    [moved, rows], [indices.size, *([1] + list(moved.shape[1:]))], x.dtype)
    entries = _array.reshape(entries, [*indices.shape, *moved.shape[1:]])
    count = indices.ndim
    return moveaxis(entries, list(range(count)), list(range(axis, axis + count)))
