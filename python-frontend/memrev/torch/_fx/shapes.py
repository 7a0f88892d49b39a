# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Views, parts and sequences of tensors, and tensors that are made of numbers.

Views are values here: graphs are functional, nobody writes through one.
"""

import numpy as np
import torch

from ... import _array, numpy as mnp
from .layout import Tensor, common_order
from .table import cast, full, rule

aten = torch.ops.aten


@rule(aten.view.default, aten.reshape.default, aten._unsafe_view.default)
def _view(call, x, shape):
    return x.reshaped(call.shape)


@rule(aten.permute.default)
def _permute(call, x, dims):
    return x.permuted(dims)


@rule(aten.transpose.int)
def _transpose(call, x, first, second):
    dims = list(range(x.ndim))
    if dims:
        dims[first], dims[second] = dims[second], dims[first]
    return x.permuted(dims)


@rule(aten.t.default)
def _t(call, x):
    return x.permuted(range(x.ndim)[::-1])


@rule(aten.unsqueeze.default, aten.squeeze.default, aten.squeeze.dim, aten.squeeze.dims)
def _change_units(call, x, dim=None):
    """Dimensions of extent 1 come and go."""
    return x.reshaped(call.shape)


@rule(aten.expand.default)
def _expand(call, x, size, implicit=False):
    shape = call.shape
    x = x.extended(len(shape))
    return x.like(mnp.broadcast_to(x.stored, [shape[d] for d in x.order]))


@rule(aten.repeat.default)
def _repeat(call, x, repeats):
    x = x.extended(len(repeats))
    return x.like(mnp.tile(x.stored, [repeats[d] for d in x.order]))


@rule(aten.repeat_interleave.self_int)
def _repeat_interleave(call, x, repeats, dim=None, output_size=None):
    if dim is None:
        return Tensor(mnp.repeat(x.array, repeats))
    return x.like(mnp.repeat(x.stored, repeats, x.place(dim)))


# ------------------------------------------------------------------------------
# Parts
# ------------------------------------------------------------------------------


def _piece(x, dim, key):
    """The tensor that was put into a sequence of tensors where `key` takes it out: the
    halves of couplings are put together after one and taken apart before the next."""
    if x.pieces is None or x.pieces[0] != dim or not isinstance(key, slice):
        return None
    start, stop, step = key.indices(x.shape[dim])
    before = 0
    for piece in x.pieces[1]:
        after = before + piece.shape[dim]
        if (start, stop, step) == (before, after, 1):
            return piece
        before = after
    return None


def part(x, dim, key):
    """The part of a dimension that a slice or number selects."""
    piece = _piece(x, dim % x.ndim, key)
    if piece is not None:
        return piece
    place = x.place(dim)
    stored = x.stored[(slice(None),) * place + (key,)]
    if isinstance(key, slice):
        return x.like(stored)
    dim %= x.ndim
    order = [d - (d > dim) for d in x.order if d != dim]
    return Tensor(stored, order)


def _replaced(x, dim, key, values):
    """`x` with a part of a dimension replaced by `values`, which have its shape."""
    place = x.place(dim)
    dim %= x.ndim
    order = [d for d in x.order if isinstance(key, slice) or d != dim]
    if not isinstance(key, slice):
        order = [d - (d > dim) for d in order]
    whole = (slice(None),) * place + (key,)
    return x.like(x.stored.at[whole].set(values.in_order(order)))


def _bounds(start, end, step):
    return slice(start, None if end is not None and end >= 2**62 else end, step)


@rule(aten.slice.Tensor)
def _slice(call, x, dim=0, start=None, end=None, step=1):
    return part(x, dim, _bounds(start, end, step))


@rule(aten.slice_scatter.default)
def _slice_scatter(call, x, source, dim=0, start=None, end=None, step=1):
    return _replaced(x, dim, _bounds(start, end, step), cast(source, x.dtype))


@rule(aten.select.int)
def _select(call, x, dim, index):
    return part(x, dim, index)


@rule(aten.select_scatter.default)
def _select_scatter(call, x, source, dim, index):
    return _replaced(x, dim, index, cast(source, x.dtype))


@rule(aten.unbind.int)
def _unbind(call, x, dim=0):
    return [part(x, dim, i) for i in range(x.shape[dim])]


@rule(aten.split.Tensor, aten.unsafe_split.Tensor)
def _split(call, x, size, dim=0):
    extent = x.shape[dim]
    return [part(x, dim, slice(i, min(i + size, extent)))
            for i in (range(0, extent, size) if extent else [0])]


@rule(aten.split_with_sizes.default, aten.unsafe_split_with_sizes.default)
def _split_with_sizes(call, x, sizes, dim=0):
    ends = np.cumsum(sizes).tolist()
    return [part(x, dim, slice(end - size, end)) for size, end in zip(sizes, ends)]


@rule(aten.unfold.default)
def _unfold(call, x, dim, size, step):
    if not x.ndim:
        return x.reshaped((1,))
    place = x.place(dim)
    count = (x.shape[dim] - size) // step + 1
    starts = np.arange(count)[:, None] * step + np.arange(size)
    windows = mnp.take(x.stored, starts, axis=place)
    dim %= x.ndim
    order = list(x.order)
    order.insert(place + 1, x.ndim)
    return Tensor(windows, order)


@rule(aten.diagonal.default)
def _diagonal(call, x, offset=0, dim1=0, dim2=1):
    return Tensor(mnp.diagonal(x.array, offset, dim1, dim2))


@rule(aten.trace.default)
def _trace(call, x):
    return Tensor(mnp.trace(x.array))


@rule(aten.diag_embed.default)
def _diag_embed(call, x, offset=0, dim1=-2, dim2=-1):
    ndim = x.ndim + 1
    dims = [dim1 % ndim, dim2 % ndim]
    rows, columns = np.indices([x.shape[-1] + abs(offset)] * 2)
    # Element (i, j) is number i or j, the smaller one, where it is on the diagonal.
    size = rows.shape[0]
    line = x.in_order(range(x.ndim))
    before, after = max(-offset, 0), max(offset, 0)
    wide = mnp.pad(line, [(0, 0)] * (x.ndim - 1) + [(before, after)])
    repeated = _array.repeat_along(wide, (*wide.shape, size), [x.ndim])
    square = mnp.where(columns - rows == offset, repeated, 0)
    rest = [d for d in range(ndim) if d not in dims]
    return Tensor(square, [*rest, *dims])


@rule(aten.rot90.default)
def _rot90(call, x, k=1, dims=(0, 1)):
    first, second = (d % x.ndim for d in dims)
    swapped = list(range(x.ndim))
    swapped[first], swapped[second] = second, first
    k %= 4
    if k == 2:
        return _flip(call, x, [first, second])
    if k == 1:
        return _flip(call, x, [second]).permuted(swapped)
    return _flip(call, x.permuted(swapped), [second]) if k == 3 else x


def _stored_contiguously(node):
    """as_strided is a view of memory: it has a meaning for programs where it is one of the
    tensor's elements in their order."""
    value = node.meta["val"]
    source = node.args[0].meta["val"]
    offset = node.args[3] if len(node.args) > 3 else node.kwargs.get("storage_offset")
    if (source.is_contiguous() and value.is_contiguous() and source.numel() == value.numel()
            and offset in (None, source.storage_offset())):
        return None
    return "it reads memory in another order than its operand has"


@rule(aten.as_strided.default, refuse=_stored_contiguously)
def _as_strided(call, x, size, stride, storage_offset=None):
    return x.reshaped(call.shape)


# ------------------------------------------------------------------------------
# Sequences and rearrangements
# ------------------------------------------------------------------------------


@rule(aten.cat.default)
def _cat(call, tensors, dim=0):
    # A tensor of one dimension without elements goes with any shape.
    tensors = [cast(t, call.dtype) for t in tensors if t.shape != (0,) or call.shape == (0,)]
    if not tensors:
        return full(call.shape, 0, call.dtype)
    order = common_order(tensors)
    dim %= len(order)
    arrays = [t.in_order(order) for t in tensors]
    result = Tensor(mnp.concatenate(arrays, order.index(dim)), order)
    result.pieces = dim, [t if t.order == order else Tensor(array, order)
                          for t, array in zip(tensors, arrays)]
    return result


@rule(aten.stack.default)
def _stack(call, tensors, dim=0):
    shape = call.shape
    dim %= len(shape)
    single = tuple(1 if i == dim else n for i, n in enumerate(shape))
    tensors = [cast(t, call.dtype).reshaped(single) for t in tensors]
    order = common_order(tensors)
    return Tensor(mnp.concatenate([t.in_order(order) for t in tensors], order.index(dim)), order)


@rule(aten.flip.default)
def _flip(call, x, dims):
    return x.like(mnp.flip(x.stored, [x.place(d) for d in dims])) if dims else x


@rule(aten.roll.default)
def _roll(call, x, shifts, dims=()):
    if not dims:
        return Tensor(mnp.roll(x.array, shifts[0]))
    stored = x.stored
    for shift, dim in zip(shifts, dims):
        stored = mnp.roll(stored, shift, x.place(dim))
    return x.like(stored)


@rule(aten.tril.default)
def _tril(call, x, diagonal=0):
    return Tensor(mnp.tril(x.array, diagonal))


@rule(aten.triu.default)
def _triu(call, x, diagonal=0):
    return Tensor(mnp.triu(x.array, diagonal))


@rule(aten.constant_pad_nd.default)
def _constant_pad(call, x, pad, value=0):
    # Pairs (before, after) from the last dimension on; negative ones cut.
    widths = {x.ndim - 1 - i: (pad[2 * i], pad[2 * i + 1]) for i in range(len(pad) // 2)}
    for dim, (before, after) in widths.items():
        if before < 0 or after < 0:
            x = part(x, dim, slice(max(-before, 0), x.shape[dim] - max(-after, 0)))
    pairs = [tuple(max(n, 0) for n in widths.get(d, (0, 0))) for d in x.order]
    return x.like(mnp.pad(x.stored, pairs, constant_values=value))


def _runs(places):
    """Slices that list `places` one behind the other: steps are 1, -1, or 0 for one
    element that repeats."""
    first = 0
    while first < len(places):
        last = first + 1
        step = places[last] - places[first] if last < len(places) else 1
        while last < len(places) and step in (-1, 0, 1) and places[last] - places[last - 1] == step:
            last += 1
        yield int(places[first]), last - first, int(step) if last - first > 1 else 1
        first = last


def _gathered(x, dim, places):
    """The elements of a dimension at known places."""
    parts = []
    for start, count, step in _runs(places):
        low = start if step >= 0 else start - count + 1
        found = part(x, dim, slice(low, low + (count if step else 1)))
        place = x.place(dim)
        if step == 0:
            found = found.like(mnp.repeat(found.stored, count, place))
        elif step < 0:
            found = found.like(mnp.flip(found.stored, place))
        parts.append(found.stored)
    return x.like(mnp.concatenate(parts, x.place(dim)))


def _gathering_pad(source, *operations):
    """A pad whose border repeats elements: `source(places, extent)` says which."""
    def emit(call, x, pad):
        for i in range(len(pad) // 2):
            dim = x.ndim - 1 - i
            extent = x.shape[dim]
            x = _gathered(x, dim, source(np.arange(-pad[2 * i], extent + pad[2 * i + 1]), extent))
        return x

    rule(*operations)(emit)


_gathering_pad(lambda p, n: np.abs((n - 1) - np.abs((n - 1) - p)),
               aten.reflection_pad1d.default, aten.reflection_pad2d.default,
               aten.reflection_pad3d.default)
_gathering_pad(lambda p, n: np.clip(p, 0, n - 1),
               aten.replication_pad1d.default, aten.replication_pad2d.default,
               aten.replication_pad3d.default)


@rule(aten.pixel_shuffle.default)
def _pixel_shuffle(call, x, factor):
    *batch, channels, height, width = x.shape
    x = x.reshaped([*batch, channels // factor**2, factor, factor, height, width])
    n = len(batch)
    return x.permuted([*range(n), n, n + 3, n + 1, n + 4, n + 2]).reshaped(call.shape)


@rule(aten.pixel_unshuffle.default)
def _pixel_unshuffle(call, x, factor):
    *batch, channels, height, width = x.shape
    x = x.reshaped([*batch, channels, height // factor, factor, width // factor, factor])
    n = len(batch)
    return x.permuted([*range(n), n, n + 2, n + 4, n + 1, n + 3]).reshaped(call.shape)


@rule(aten.channel_shuffle.default)
def _channel_shuffle(call, x, groups):
    batch, channels, *space = x.shape
    x = x.reshaped([batch, groups, channels // groups, *space])
    return x.permuted([0, 2, 1, *range(3, x.ndim)]).reshaped(call.shape)


# ------------------------------------------------------------------------------
# Numbers
# ------------------------------------------------------------------------------


@rule(aten.full.default, aten.full_like.default)
def _full(call, like_or_size, value, **options):
    return full(call.shape, value, call.dtype)


@rule(aten.new_full.default)
def _new_full(call, x, size, value, **options):
    return full(call.shape, value, call.dtype)


@rule(aten.zeros.default, aten.zeros_like.default, aten.new_zeros.default,
      # What is in an empty tensor is not defined; zero is not worse than anything.
      aten.empty.memory_format, aten.empty_like.default, aten.new_empty.default)
def _zeros(call, *args, **options):
    return full(call.shape, 0, call.dtype)


@rule(aten.ones.default, aten.ones_like.default, aten.new_ones.default)
def _ones(call, *args, **options):
    return full(call.shape, 1, call.dtype)


@rule(aten.scalar_tensor.default)
def _scalar_tensor(call, value, **options):
    return full((), value, call.dtype)


def _evaluated(call, *args, **options):
    """A tensor that only depends on numbers."""
    options = {**options, "device": "cpu"}
    options.pop("pin_memory", None)
    value = call.node.target(*args, **options)
    return Tensor(_array.constant(np.array(value.to(torch.float64).tolist())
                                  if value.dtype == torch.bfloat16 else value.numpy(),
                                  call.dtype))


rule(aten.arange.default, aten.arange.start, aten.arange.start_step, aten.linspace.default,
     aten.eye.default, aten.eye.m, aten.tril_indices.default,
     aten.triu_indices.default)(_evaluated)
