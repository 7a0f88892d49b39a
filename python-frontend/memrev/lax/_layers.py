# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Layers, activations and random numbers that programs have operations for."""

import numbers
import operator

import numpy as np

from .. import _dtypes, _indexing, numpy as mnp
from .._array import (
    Array, as_array, cast, elementwise, emit, emit1, emit_scalar, full, number_text,
)
from .._dtypes import is_float


def _float(x, what):
    x = as_array(x)
    if not is_float(x.dtype):
        raise TypeError(f"{what} expects floats, but got {x.dtype}")
    return x


def relu(x):
    """max(x, 0); the derivative at 0 is 0."""
    return mnp.maximum(as_array(x), 0)


def erf(x):
    """The error function, elementwise."""
    return elementwise("math.erf", _float(x, "erf"))


def sigmoid(x):
    """1 / (1 + exp(-x)) without overflow, elementwise."""
    x = _float(x, "sigmoid")
    # Not abs(x): its derivative at 0 is 0, that of either side is not.
    small = mnp.exp(mnp.where(x >= 0, -x, x))
    return mnp.where(x >= 0, 1.0, small) / (1 + small)


def softplus(x):
    """log(1 + exp(x)) without overflow, elementwise."""
    return mnp.logaddexp(_float(x, "softplus"), 0.0)


def gelu(x, approximate=False):
    """x times the distribution function of the normal distribution (Hendrycks, Gimpel:
    arXiv 1606.08415); `approximate` takes its formula with tanh."""
    x = _float(x, "gelu")
    if approximate:
        return 0.5 * x * (1 + mnp.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x * x * x)))
    return 0.5 * x * (1 + erf(x * (1 / np.sqrt(2))))


def silu(x):
    """x sigmoid(x) (swish: Ramachandran et al., arXiv 1710.05941)."""
    x = _float(x, "silu")
    return x * sigmoid(x)


def leaky_relu(x, slope=0.01):
    """x where it is positive, else slope * x."""
    x = _float(x, "leaky_relu")
    return mnp.where(x > 0, x, x * slope)


def elu(x, alpha=1.0):
    """x where it is positive, else alpha (exp(x) - 1) (arXiv 1511.07289)."""
    x = _float(x, "elu")
    # What is not selected must not overflow, and a minimum has another derivative at 0.
    positive = x > 0
    return mnp.where(positive, x, alpha * mnp.expm1(mnp.where(positive, 0.0, x)))


def softmax(x, axis=-1):
    """exp(x) / sum of exp(x) along `axis`, without overflow."""
    x = _float(x, "softmax")
    powers = mnp.exp(x - _stopped(mnp.max(x, axis, keepdims=True)))
    return powers / mnp.sum(powers, axis, keepdims=True)


def _stopped(x):
    # Softmax does not depend on what it subtracts first.
    return emit1("rev.stop_gradient {0} : {t[0]}", [x], x.shape, x.dtype)


def logsumexp(x, axis=-1, keepdims=False):
    """log of the sum of exp(x) along `axis`, without overflow."""
    x = _float(x, "logsumexp")
    top = _stopped(mnp.max(x, axis, keepdims=True))
    sums = mnp.log(mnp.sum(mnp.exp(x - top), axis, keepdims=True)) + top
    return sums if keepdims else mnp.squeeze(sums, axis)


def log_softmax(x, axis=-1):
    """log(softmax(x))."""
    x = _float(x, "log_softmax")
    return x - logsumexp(x, axis, keepdims=True)


def softmax_cross_entropy(logits, labels):
    """-log(softmax(logits)[label]) for each sample.

    logits: (N, K) floats; labels: (N,) integers. Returns (N,). A label outside of
    [0, K) matches no class: its loss is the logarithm of the sum of exponentials.
    """
    logits, labels = _float(logits, "softmax_cross_entropy"), as_array(labels)
    if logits.ndim != 2 or labels.shape != logits.shape[:1] or labels.dtype.kind != "i":
        raise ValueError("softmax_cross_entropy expects logits (N, K) and N integers, but got "
                         f"{list(logits.shape)} and {labels.dtype}{list(labels.shape)}")
    rows = (labels.shape, logits.dtype)
    return emit("rev.softmax_cross_entropy {0}, {1} : ({t[0]}, {t[1]}) -> ({r[0]}, {r[1]})",
                [logits, labels], [rows, rows])[0]


def batch_norm(x, scale, offset, epsilon=1e-5, channel_axis=-1):
    """Normalises each channel by its mean and (biased) variance over all other
    dimensions (Ioffe, Szegedy: arXiv 1502.03167).

    x: floats of any rank; scale, offset: (C,). Returns (y, mean, variance).
    """
    x, scale, offset = (as_array(v) for v in (x, scale, offset))
    axis = _channel(x, (scale, offset), channel_axis, "batch_norm")
    statistic = (scale.shape, x.dtype)
    return tuple(emit(
        f"rev.batch_norm {{0}}, {{1}}, {{2}} epsilon {_f64(epsilon)}{axis} : "
        "({t[0]}, {t[1]}, {t[2]}) -> ({r[0]}, {r[1]}, {r[2]})", [x, scale, offset],
        [(x.shape, x.dtype), statistic, statistic]))


def batch_norm_inference(x, scale, offset, mean, variance, epsilon=1e-5, channel_axis=-1):
    """scale (x - mean) / sqrt(variance + epsilon) + offset for each channel.

    x: floats of any rank; the others: (C,).
    """
    x, *channels = (as_array(v) for v in (x, scale, offset, mean, variance))
    axis = _channel(x, channels, channel_axis, "batch_norm_inference")
    return emit1(
        f"rev.batch_norm_inference {{0}}, {{1}}, {{2}}, {{3}}, {{4}} epsilon {_f64(epsilon)}"
        f"{axis} : ({{t[0]}}, {{t[1]}}, {{t[2]}}, {{t[3]}}, {{t[4]}}) -> {{r[0]}}",
        [x, *channels], x.shape, x.dtype)


def _f64(number):
    return number_text(number, np.dtype(np.float64))


def _channel(x, channels, axis, what):
    """The text of the channel dimension; checks the shapes."""
    _float(x, what)
    place = axis % max(x.ndim, 1)
    for c in channels:
        if not x.ndim or c.shape != (x.shape[place],) or c.dtype != x.dtype:
            raise ValueError(f"{what} expects {x.dtype}[{x.shape[place] if x.ndim else 1}] for "
                             f"the channels of an array of shape {list(x.shape)}, but got "
                             f"{c.dtype}{list(c.shape)}")
    return "" if place == x.ndim - 1 else f" channel_dim {place}"


def fixed_point(x, fraction, checked=False):
    """`x`, rounded to multiples of 2**-fraction, ties to even, or NaN where that is beyond
    2**(p - fraction), with the precision p of the dtype: 24 bits for float32, 53 for float64, 11
    for float16, 8 for bfloat16. Sums and differences within that bound are exact: states of
    `coupling("additive<fraction = ...>", ...)` start as such numbers. The derivative is taken
    to be the identity (the straight-through estimator, arXiv 1308.3432).

    x: an array of floats.
    fraction: bits behind the point, from 0 to p - 1; raises ValueError for others.
    checked: whether elements that are no such numbers become NaN instead of being rounded.
    """
    x = _float(x, "fixed_point")
    fraction = operator.index(fraction)
    precision = _dtypes.precision(x.dtype)
    if not 0 <= fraction < precision:
        raise ValueError(f"fixed_point expects a fraction of 0 to {precision - 1} bits for "
                         f"{x.dtype}, but got {fraction}")
    flag = " checked" if checked else ""
    return emit1(f"rev.fixed_point {{0}} fraction = {fraction}{flag} : {{t[0]}}", [x], x.shape,
                 x.dtype)


def running_average(running, statistic, momentum):
    """(1 - momentum) running + momentum statistic, without a derivative: the state that
    a normalisation keeps for inference."""
    running, statistic = as_array(running), as_array(statistic)
    if (running.shape, running.dtype) != (statistic.shape, statistic.dtype):
        raise ValueError(f"running_average expects arrays of one type, but got {running.dtype}"
                         f"{list(running.shape)} and {statistic.dtype}{list(statistic.shape)}")
    return emit1(f"rev.running_average {{0}}, {{1}} momentum {_f64(momentum)} : {{t[0]}}",
                 [running, statistic], running.shape, running.dtype)


# ------------------------------------------------------------------------------
# Random numbers
# ------------------------------------------------------------------------------


def _counter(x, what):
    """A part of a generator's key: an integer, known or traced, as a scalar."""
    if isinstance(x, Array):
        if x.shape or x.dtype.kind != "i":
            raise TypeError(f"expects an integer without dimensions as {what}, but got {x!r}")
        if x._index is not None:
            return x._index
        if x.dtype.itemsize < 4:
            return _counter(cast(x, np.dtype(np.int32)), what)
        return emit_scalar("tensor.extract {0}[] : {t[0]}", [x], _dtypes.mlir_name(x.dtype))
    if isinstance(x, np.ndarray):
        return _counter(as_array(x), what)
    if not isinstance(x, numbers.Integral):
        raise TypeError(f"expects an integer as {what}, but got {type(x).__name__}")
    return emit_scalar(f"arith.constant {int(x)} : i64", [], "i64")


def _key(seed, layer, step):
    return [_counter(x, name) for x, name in ((seed, "seed"), (layer, "layer"), (step, "step"))]


def dropout(x, rate, seed, layer, step):
    """Elements of `x` set to zero with probability `rate`, the others divided by
    1 - rate (Srivastava et al., JMLR 15, 2014).

    What is dropped follows from (seed, layer, step), integers known or traced, and the
    place in `x` (Philox 4x32-10), so that a derivative evaluates it again and stores no
    mask. Each dropout of a program has a `layer` of its own, each call a `step`.
    """
    x = _float(x, "dropout")
    if isinstance(rate, Array):
        element = _dtypes.mlir_name(rate.dtype)
        rate = emit_scalar("tensor.extract {0}[] : {t[0]}", [rate], element)
    else:
        if not 0 <= rate <= 1:
            raise ValueError(f"dropout expects a rate in [0, 1], but got {rate}")
        rate = emit_scalar(f"arith.constant {_f64(rate)} : f32", [], "f32")
    return emit1("rev.dropout {0} rate {1} seed {2} layer {3} step {4} : "
                 "({t[0]}, {t[1]}, {t[2]}, {t[3]}, {t[4]}) -> {r[0]}",
                 [x, rate, *_key(seed, layer, step)], x.shape, x.dtype)


def _random(name, shape, dtype, seed, layer, step):
    dtype = _dtypes.as_dtype(dtype)
    return emit1(f"rev.{name} seed {{0}} layer {{1}} step {{2}} : "
                 "({t[0]}, {t[1]}, {t[2]}) -> {r[0]}", _key(seed, layer, step), shape, dtype)


def random_uniform(shape, seed, layer=0, step=0, dtype=np.float32):
    """Numbers of uniform distribution in [0, 1), a function of (seed, layer, step):
    Philox 4x32-10 (Salmon et al., SC 2011)."""
    return _random("random_uniform", shape, dtype, seed, layer, step)


def random_normal(shape, seed, layer=0, step=0, dtype=np.float32):
    """Numbers of standard normal distribution, a function of (seed, layer, step)."""
    return _random("random_normal", shape, dtype, seed, layer, step)


def random_bits(shape, seed, layer=0, step=0, dtype=np.int32):
    """Random integers, int32 or int64, a function of (seed, layer, step)."""
    return _random("random_bits", shape, dtype, seed, layer, step)


def dynamic_slice(x, starts, sizes):
    """The part of `x` that begins at `starts`, one integer, known or traced, for each
    dimension, and has the extents `sizes`. Where it would not lie inside of `x`, traced
    starts are moved until it does, and others raise IndexError."""
    x = as_array(x)
    if len(starts) != x.ndim or len(sizes) != x.ndim:
        raise ValueError(f"dynamic_slice expects {x.ndim} starts and sizes, but got "
                         f"{len(starts)} and {len(sizes)}")
    values, texts = [], []
    sizes = [int(n) for n in sizes]
    for axis, (start, size, extent) in enumerate(zip(starts, sizes, x.shape)):
        known = 0 if isinstance(start, Array) else int(start)
        if not 0 <= known <= known + size <= extent:
            raise IndexError(f"dynamic_slice expects a part inside of [0, {extent}) in dimension "
                             f"{axis}, but got {size} elements from {start!r} on")
        if isinstance(start, Array):
            texts.append(f"{{{len(values) + 1}}}")
            values.append(_indexing.within(_indexing.index_value(start), 0, extent - size))
        else:
            texts.append(str(known))
    if 0 in sizes:
        return full(sizes, 0, x.dtype)
    return emit1(f"tensor.extract_slice {{0}}[{', '.join(texts)}] {sizes} {[1] * x.ndim} : "
                 "{t[0]} to {r[0]}", [x, *values], sizes, x.dtype)
