# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Convolutions and pooling. Layout: batch, space, channels; filters space, channels in,
channels out."""

import math
import numbers

import numpy as np

from .. import numpy as mnp
from .._array import as_array, cast, emit1, empty, filled, reshape
from .._dtypes import is_float, mlir_name, promote
from .._transforms import vjp

_CONVOLUTIONS = {1: "conv_1d_nwc_wcf", 2: "conv_2d_nhwc_hwcf", 3: "conv_3d_ndhwc_dhwcf"}
_DEPTHWISE = {1: "depthwise_conv_1d_nwc_wc", 2: "depthwise_conv_2d_nhwc_hwc",
              3: "depthwise_conv_3d_ndhwc_dhwc"}
_POOLINGS = {1: "pooling_nwc", 2: "pooling_nhwc", 3: "pooling_ndhwc"}


def _each(value, count, what):
    """A number, or one for each dimension of space."""
    values = [value] * count if isinstance(value, numbers.Integral) else list(value)
    if len(values) != count or any(v < 1 for v in values):
        raise ValueError(f"expects {what} of at least 1, one for each of {count} dimensions, but "
                         f"got {value}")
    return [int(v) for v in values]


def _borders(padding, shape, window, strides, dilation):
    """Pairs (before, after) of what `padding` adds to each dimension."""
    count = len(shape)
    reach = [(k - 1) * d + 1 for k, d in zip(window, dilation)]
    if isinstance(padding, str):
        if padding.lower() == "valid":
            return [(0, 0)] * count
        if padding.lower() != "same":
            raise ValueError(f"expects the padding 'same', 'valid' or numbers, but got "
                             f"'{padding}'")
        # As many outputs as inputs, divided by the stride.
        totals = [max((-(-n // s) - 1) * s + r - n, 0)
                  for n, r, s in zip(shape, reach, strides)]
        return [(t // 2, t - t // 2) for t in totals]
    if isinstance(padding, numbers.Integral):
        padding = [padding] * count
    pairs = [(p, p) if isinstance(p, numbers.Integral) else tuple(p) for p in padding]
    if len(pairs) != count or any(a < 0 or b < 0 for a, b in pairs):
        raise ValueError(f"expects paddings of at least 0 for {count} dimensions, but got "
                         f"{padding}")
    return pairs


def _extents(shape, window, strides, dilation, what):
    result = []
    for n, k, s, d in zip(shape, window, strides, dilation):
        if n < (k - 1) * d + 1:
            raise ValueError(f"{what} expects an image, with its padding, of at least "
                             f"{(k - 1) * d + 1} where the window has {k}, but got {n}")
        result.append((n - (k - 1) * d - 1) // s + 1)
    return result


def _pad(x, pairs, value=0):
    return mnp.pad(x, [(0, 0), *pairs, (0, 0)], constant_values=value)


def _windowed(name, x, w, shape, strides, dilation, init):
    attributes = (f"{{{{dilations = dense<{dilation}> : tensor<{len(dilation)}xi64>, "
                  f"strides = dense<{strides}> : tensor<{len(strides)}xi64>}}}}")
    return emit1(f"linalg.{name} {attributes} ins({{0}}, {{1}} : {{t[0]}}, {{t[1]}}) "
                 "outs({2} : {t[2]}) -> {r[0]}", [x, w, filled(shape, init, x.dtype)], shape,
                 x.dtype)


def conv(x, w, strides=1, padding="valid", dilation=1, groups=1):
    """Cross-correlation of images with filters, as deep learning calls convolution.

    x: (N, *space, C), one to three dimensions of space; w: (*window, C / groups, F).
    strides, dilation: a number or one for each dimension; padding: "same", "valid", a
    number, or a number or pair (before, after) for each dimension. With `groups` the
    channels and the filters are cut into as many parts, which do not mix. Returns
    (N, *space, F). Raises ValueError if the shapes do not fit.
    """
    x, w = as_array(x), as_array(w)
    count = x.ndim - 2
    if count not in _CONVOLUTIONS or w.ndim != x.ndim:
        raise ValueError("conv expects arrays (N, *space, C) and (*window, C, F) with one to "
                         f"three dimensions of space, but got {list(x.shape)} and "
                         f"{list(w.shape)}")
    dtype = promote(x.dtype, w.dtype)
    x, w = cast(x, dtype), cast(w, dtype)
    channels, filters = x.shape[-1], w.shape[-1]
    if groups < 1 or channels % groups or filters % groups:
        raise ValueError(f"conv expects a number of groups that divides {channels} channels and "
                         f"{filters} filters, but got {groups}")
    if w.shape[-2] * groups != channels:
        raise ValueError(f"conv expects filters for {channels // groups} channels, but got "
                         f"{w.shape[-2]}")
    strides, dilation = _each(strides, count, "strides"), _each(dilation, count, "dilations")
    window = w.shape[:count]
    x = _pad(x, _borders(padding, x.shape[1:-1], window, strides, dilation))
    space = _extents(x.shape[1:-1], window, strides, dilation, "conv")
    if groups == 1:
        return _windowed(_CONVOLUTIONS[count], x, w, (x.shape[0], *space, filters), strides,
                         dilation, 0)
    each = filters // groups
    if groups == channels and each == 1:
        w = reshape(w, (*window, channels))
        return _windowed(_DEPTHWISE[count], x, w, (x.shape[0], *space, channels), strides,
                         dilation, 0)
    y = _grouped(reshape(x, (*x.shape[:-1], groups, channels // groups)),
                 reshape(w, (*w.shape[:-1], groups, each)),
                 (x.shape[0], *space, groups, each), strides, dilation)
    return reshape(y, (x.shape[0], *space, filters))


def _grouped(x, w, shape, strides, dilation):
    """A convolution of x (N, *space, groups, C) with w (*window, C, groups, F)."""
    images = [f"i{d}" for d in range(len(strides))]
    taps = [f"k{d}" for d in range(len(strides))]
    read = [f"{i} * {s} + {k} * {d}" for i, s, k, d in zip(images, strides, taps, dilation)]
    loops = ", ".join(["n", *images, "g", "f", *taps, "c"])
    maps = ", ".join(f"affine_map<({loops}) -> ({', '.join(results)})>" for results in (
        ["n", *read, "g", "c"], [*taps, "c", "g", "f"], ["n", *images, "g", "f"]))
    kinds = ", ".join(['"parallel"'] * len(shape) + ['"reduction"'] * (len(taps) + 1))
    element = mlir_name(x.dtype)
    add, multiply = ("addf", "mulf") if is_float(x.dtype) else ("addi", "muli")
    return emit1(
        f"linalg.generic {{{{indexing_maps = [{maps}], iterator_types = [{kinds}]}}}} "
        "ins({0}, {1} : {t[0]}, {t[1]}) outs({2} : {t[2]}) {{ "
        f"^bb0(%.x: {element}, %.w: {element}, %.sum: {element}): "
        f"%.product = arith.{multiply} %.x, %.w : {element} "
        f"%.next = arith.{add} %.sum, %.product : {element} "
        f"linalg.yield %.next : {element} }}}} -> {{r[0]}}",
        [x, w, filled(shape, 0, x.dtype)], shape, x.dtype)


def conv_transpose(x, w, strides=1, padding=0, dilation=1, groups=1, output_padding=0):
    """The transpose of `conv` with the same filters, strides, padding (numbers) and groups:
    the linear map that its gradient in x is.

    x: (N, *space, F); w: (*window, C / groups, F). Returns (N, *space, C) with extents
    (n - 1) stride - before - after + (window - 1) dilation + 1 + output_padding, where
    output_padding is a number, or one for each dimension, less than the stride: of the
    extents that `conv` takes to the same, which one is meant. Raises ValueError if the
    shapes do not fit.
    """
    x, w = as_array(x), as_array(w)
    count = x.ndim - 2
    if count not in _CONVOLUTIONS or w.ndim != x.ndim or x.shape[-1] != w.shape[-1]:
        raise ValueError("conv_transpose expects arrays (N, *space, F) and (*window, C, F), but "
                         f"got {list(x.shape)} and {list(w.shape)}")
    dtype = promote(x.dtype, w.dtype)
    if not is_float(dtype):
        raise TypeError(f"conv_transpose expects floats, but got {x.dtype} and {w.dtype}")
    x, w = cast(x, dtype), cast(w, dtype)
    if groups < 1 or x.shape[-1] % groups:
        raise ValueError(f"conv_transpose expects a number of groups that divides "
                         f"{x.shape[-1]} filters, but got {groups}")
    strides, dilation = _each(strides, count, "strides"), _each(dilation, count, "dilations")
    borders = _borders(padding, x.shape[1:-1], w.shape[:count], strides, dilation)
    extra = ([output_padding] * count if isinstance(output_padding, numbers.Integral)
             else list(output_padding))
    if len(extra) != count or any(not 0 <= e < s for e, s in zip(extra, strides)):
        raise ValueError("conv_transpose expects an output padding of at least 0 and less than "
                         f"the strides {strides}, but got {output_padding}")
    space = [(n - 1) * s - sum(pair) + (k - 1) * d + 1 + e for n, s, pair, k, d, e in zip(
        x.shape[1:-1], strides, borders, w.shape, dilation, extra)]
    if any(n < 1 for n in space):
        raise ValueError(f"conv_transpose expects a padding that leaves something, but {padding} "
                         f"leaves extents {space}")
    # The derivative takes an image apart into the phases of the strides.
    images = filled((x.shape[0], *space, w.shape[-2] * groups), 0, dtype)
    _, pullback = vjp(lambda y: conv(y, w, strides, borders, dilation, groups), images)
    return pullback(x)[0]


def _pool(kind, x, window, strides, padding, dilation, init, value):
    x = as_array(x)
    count = x.ndim - 2
    if count not in _POOLINGS:
        raise ValueError("pooling expects an array (N, *space, C) with one to three dimensions "
                         f"of space, but got shape {list(x.shape)}")
    window = _each(window, count, "a window")
    strides = window if strides is None else _each(strides, count, "strides")
    dilation = _each(dilation, count, "dilations")
    borders = _borders(padding, x.shape[1:-1], window, strides, dilation)
    x = _pad(x, borders, value)
    space = _extents(x.shape[1:-1], window, strides, dilation, "pooling")
    y = _windowed(f"{_POOLINGS[count]}_{kind}", x, empty(window, x.dtype),
                  (x.shape[0], *space, x.shape[-1]), strides, dilation, init)
    return y, window, borders


def max_pool(x, window, strides=None, padding="valid", dilation=1):
    """The maximum over windows of (N, *space, C); strides default to the window. Padding
    adds -inf, or the least integer."""
    x = as_array(x)
    least = -np.inf if is_float(x.dtype) else np.iinfo(x.dtype).min
    return _pool("max", x, window, strides, padding, dilation, least, least)[0]


def min_pool(x, window, strides=None, padding="valid", dilation=1):
    """The minimum over windows of (N, *space, C), see `max_pool`."""
    x = as_array(x)
    most = np.inf if is_float(x.dtype) else np.iinfo(x.dtype).max
    return _pool("min", x, window, strides, padding, dilation, most, most)[0]


def sum_pool(x, window, strides=None, padding="valid", dilation=1):
    """The sum over windows of (N, *space, C), see `max_pool`. Padding adds zeros."""
    return _pool("sum", as_array(x), window, strides, padding, dilation, 0, 0)[0]


def avg_pool(x, window, strides=None, padding="valid", count_padding=True):
    """The average over windows of (N, *space, C), see `max_pool`. What padding adds
    counts as zeros, or with `count_padding=False` does not count."""
    x = as_array(x)
    y, window, borders = _pool("sum", x, window, strides, padding, 1, 0, 0)
    if count_padding or not any(a or b for a, b in borders):
        return y * (1 / math.prod(window))
    counts = None
    for axis, ((before, after), k) in enumerate(zip(borders, window)):
        extent = x.shape[1 + axis]
        step = (window if strides is None else _each(strides, len(window), "strides"))[axis]
        starts = np.arange(y.shape[1 + axis]) * step - before
        inside = np.minimum(starts + k, extent) - np.maximum(starts, 0)
        inside = inside.reshape([-1 if i == axis else 1 for i in range(len(window))])
        counts = inside if counts is None else counts * inside
    factors = (1 / counts)[..., None].astype(np.float64)
    return y * as_array(factors, y.dtype)
