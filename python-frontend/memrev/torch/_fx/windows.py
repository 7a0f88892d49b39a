# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Convolutions, pooling and resampling of images, stored (N, *space, C)."""

import math

import numpy as np
import torch

from ... import _array, lax, numpy as mnp
from ..._transforms import vjp
from .layout import Tensor, channels_last
from .table import accumulated, cast, rule

aten = torch.ops.aten


def _each(value, count):
    """One number for each dimension of space."""
    value = list(value) if isinstance(value, (list, tuple)) else [value]
    return value * count if len(value) == 1 else value


def _images(x, count):
    """The array (N, *space, C) of a tensor (N, C, *space), or (C, *space)."""
    if x.ndim == count + 1:
        x = x.reshaped((1, *x.shape))
    return x.in_order(channels_last(count + 2))


def _from_images(array, call, index=None):
    """The tensor of the result's shape whose images are `array`."""
    shape = call.result_type(index)[0]
    return Tensor(array, channels_last(array.ndim)).reshaped(shape)


# ------------------------------------------------------------------------------
# Convolutions
# ------------------------------------------------------------------------------


def _filters(w):
    """(*window, C, F) of PyTorch's (F, C, *window)."""
    return w.in_order((*range(2, w.ndim), 1, 0))


@rule(aten.convolution.default)
def _convolution(call, x, w, bias, stride, padding, dilation, transposed, output_padding, groups):
    count = w.ndim - 2
    stride, padding, dilation = (_each(v, count) for v in (stride, padding, dilation))
    wide = accumulated(call.dtype)
    x, w = cast(x, wide), cast(w, wide)
    if transposed:
        y = lax.conv_transpose(_images(x, count), _filters(w), stride, padding, dilation, groups,
                               _each(output_padding, count))
    else:
        y = lax.conv(_images(x, count), _filters(w), stride, padding, dilation, groups)
    if bias is not None:
        y = y + cast(bias, wide).array
    return cast(_from_images(y, call), call.dtype)


# ------------------------------------------------------------------------------
# Pooling
# ------------------------------------------------------------------------------


def _pairs(extents, results, window, stride, padding, dilation):
    """(before, after) for each dimension, such that there are `results` windows: with
    PyTorch's ceil_mode the last one may reach past the padding."""
    pairs = []
    for n, m, k, s, p, d in zip(extents, results, window, stride, padding, dilation):
        reach = (m - 1) * s + (k - 1) * d + 1
        pairs.append((p, max(reach - n - p, 0)))
    return pairs


def _places_are_read(node):
    return ("the places of the maxima are read"
            if any(user.args[1] == 1 for user in node.users) else None)


@rule(aten.max_pool2d_with_indices.default, aten.max_pool3d_with_indices.default,
      refuse=_places_are_read)
def _max_pool(call, x, window, stride=(), padding=0, dilation=1, ceil_mode=False):
    count = 3 if call.node.target is aten.max_pool3d_with_indices.default else 2
    window = _each(window, count)
    stride = _each(stride, count) if stride else window
    padding, dilation = _each(padding, count), _each(dilation, count)
    images = _images(x, count)
    results = call.result_type(0)[0][-count:]
    pairs = _pairs(images.shape[1:-1], results, window, stride, padding, dilation)
    return _from_images(lax.max_pool(images, window, stride, pairs, dilation), call, 0), None


def _window_sizes(extent, results, k, s, p, count_padding):
    """By how many elements PyTorch divides the sum of each window of a dimension."""
    starts = np.arange(results) * s - p
    ends = np.minimum(starts + k, extent + p)
    if count_padding:
        return ends - starts
    return np.minimum(ends, extent) - np.maximum(starts, 0)


@rule(aten.avg_pool1d.default, aten.avg_pool2d.default, aten.avg_pool3d.default)
def _avg_pool(call, x, window, stride=(), padding=0, ceil_mode=False, count_include_pad=True,
              divisor_override=None):
    count = {aten.avg_pool1d.default: 1, aten.avg_pool2d.default: 2,
             aten.avg_pool3d.default: 3}[call.node.target]
    window = _each(window, count)
    stride = _each(stride, count) if stride else window
    padding = _each(padding, count)
    images = _images(cast(x, accumulated(call.dtype)), count)
    results = call.shape[-count:]
    space = images.shape[1:-1]
    pairs = _pairs(space, results, window, stride, padding, [1] * count)
    sums = lax.sum_pool(images, window, stride, pairs)
    if divisor_override is not None:
        return cast(_from_images(sums * (1 / divisor_override), call), call.dtype)
    sizes = np.ones((1,) * (count + 1))
    for axis, arguments in enumerate(zip(space, results, window, stride, padding)):
        size = _window_sizes(*arguments, count_include_pad)
        sizes = sizes * size.reshape([-1 if i == axis else 1 for i in range(count + 1)])
    return cast(_from_images(sums * _factors(1 / sizes, images.dtype), call), call.dtype)


def _factors(array, dtype):
    """Known factors: a number, where they are all the same."""
    first = float(array.flat[0])
    return first if (array == first).all() else _array.as_array(array, dtype)


@rule(aten._adaptive_avg_pool2d.default, aten._adaptive_avg_pool3d.default,
      aten.adaptive_avg_pool1d.default)
def _adaptive_avg_pool(call, x, size):
    count = len(size)
    images = _images(cast(x, accumulated(call.dtype)), count)
    space = images.shape[1:-1]
    if all(n % m == 0 for n, m in zip(space, size)):
        window = [n // m for n, m in zip(space, size)]
        if all(m == 1 for m in size):
            y = mnp.mean(images, tuple(range(1, count + 1)), keepdims=True)
        else:
            y = lax.avg_pool(images, window)
    else:
        y = images
        for axis, (n, m) in enumerate(zip(space, size)):
            places = np.arange(n)
            starts = np.arange(m) * n // m
            ends = -(-(np.arange(m) + 1) * n // m)
            inside = (places >= starts[:, None]) & (places < ends[:, None])
            y = _resampled(y, axis + 1, inside / inside.sum(1, keepdims=True))
    return cast(_from_images(y, call), call.dtype)


def _divides(node):
    x, size = node.args[0].meta["val"], node.args[1]
    if any(n % m for n, m in zip(x.shape[-len(size):], size)):
        return "windows of several extents"
    return _places_are_read(node)


@rule(aten.adaptive_max_pool2d.default, aten.adaptive_max_pool3d.default, refuse=_divides)
def _adaptive_max_pool(call, x, size):
    images = _images(x, len(size))
    window = [n // m for n, m in zip(images.shape[1:-1], size)]
    return _from_images(lax.max_pool(images, window), call, 0), None


def _patches(images, window, dilation, padding, stride):
    """The elements that each window sees: an array (N, *window, *results, C)."""
    images = mnp.pad(images, [(0, 0), *((p, p) for p in padding), (0, 0)])
    results = [(n - (k - 1) * d - 1) // s + 1
               for n, k, d, s in zip(images.shape[1:-1], window, dilation, stride)]
    taps = [images[(slice(None), *(slice(i * d, i * d + (m - 1) * s + 1, s) for i, d, m, s in
                                   zip(place, dilation, results, stride)))]
            for place in np.ndindex(*window)]
    stacked = mnp.stack(taps, 1)
    return _array.reshape(stacked, (images.shape[0], *window, *results, images.shape[-1]))


def _columns(patches):
    """(N, C times window, places) of patches of two dimensions of space."""
    batch, height, width, rows, columns, channels = patches.shape
    patches = Tensor(patches).permuted([0, 5, 1, 2, 3, 4])
    return patches.reshaped((batch, channels * height * width, rows * columns))


@rule(aten.im2col.default)
def _im2col(call, x, kernel_size, dilation, padding, stride):
    patches = _patches(_images(x, 2), kernel_size, dilation, padding, stride)
    return _columns(patches).reshaped(call.shape)


@rule(aten.col2im.default)
def _col2im(call, x, output_size, kernel_size, dilation, padding, stride):
    # The derivative of im2col, which is linear.
    shape = call.shape if len(call.shape) == 4 else (1, *call.shape)
    start = _array.full((shape[0], *shape[2:], shape[1]), 0, x.dtype)
    result, pullback = vjp(
        lambda images: _columns(_patches(images, kernel_size, dilation, padding, stride)).array,
        start)
    return _from_images(pullback(x.reshaped(result.shape).array)[0], call)


# ------------------------------------------------------------------------------
# Resampling
# ------------------------------------------------------------------------------


def _resampled(array, axis, weights):
    """Each line along `axis` multiplied by a matrix of known weights."""
    if np.array_equal(weights, np.eye(*weights.shape)):
        return array
    letters = "abcdefgh"[:array.ndim]
    result = letters.replace(letters[axis], "z")
    return mnp.einsum(f"z{letters[axis]},{letters}->{result}",
                      _array.as_array(weights, array.dtype), array)


def _resampling(method, count, name):
    """An interpolation that treats one dimension of space after the other."""
    operation = getattr(aten, name).default
    line = {"nearest": aten.upsample_nearest1d.default,
            "nearest-exact": aten._upsample_nearest_exact1d.default,
            "linear": aten.upsample_linear1d.default}.get(method)

    def emit(call, x, size, *options):
        images = _images(cast(x, accumulated(call.dtype)), count)
        corners, scales = (options[:1], options[1:]) if method in ("linear", "cubic") else (
            (), options)
        scales = [*scales, *[None] * (count - len(scales))]
        for axis, (n, m, scale) in enumerate(zip(images.shape[1:-1], size, scales), 1):
            # PyTorch's own weights of a line of n elements.
            basis = torch.eye(n, dtype=torch.float64)[:, None]
            if line is None:
                square = basis[:, :, None, :]
                weights = aten.upsample_bicubic2d(square, [1, m], *corners, None, scale)[:, 0, 0]
            else:
                weights = line(basis, [m], *corners, scale)[:, 0]
            weights = weights.numpy().T
            if method.startswith("nearest"):
                images = _nearest(images, axis, weights.argmax(1))
            else:
                images = _resampled(images, axis, weights)
        return cast(_from_images(images, call), call.dtype)

    rule(operation)(emit)
    if count == 2:
        # The form in which torch.nn.functional calls these: sizes follow from the result.
        @rule(getattr(aten, name).vec)
        def emit_vec(call, x, size, *options):
            *corners, scales = options
            return emit(call, x, call.shape[2:], *corners, *(scales or ()))


def _nearest(array, axis, places):
    """The elements of `axis` at known places, in ascending order."""
    counts = np.bincount(places, minlength=array.shape[axis])
    if (counts == counts[0]).all():
        return mnp.repeat(array, int(counts[0]), axis)
    return mnp.take(array, places, axis=axis)


for _count in (1, 2, 3):
    _resampling("nearest", _count, f"upsample_nearest{_count}d")
    _resampling("nearest-exact", _count, f"_upsample_nearest_exact{_count}d")
for _count, _name in enumerate(("linear1d", "bilinear2d", "trilinear3d"), 1):
    _resampling("linear", _count, f"upsample_{_name}")
_resampling("cubic", 2, "upsample_bicubic2d")
