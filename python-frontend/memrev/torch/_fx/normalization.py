# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Normalisation over batches, layers and groups."""

import torch

from ... import _array, lax, numpy as mnp
from .layout import Tensor, channels_last, spread
from .pointwise import apply
from .reductions import mean, reduced
from .table import accumulated, cast, full, rule

aten = torch.ops.aten


def _affine(weight, bias, channels, dtype):
    """Scale and offset of each channel, as arrays."""
    scale = full((channels,), 1, dtype) if weight is None else cast(weight, dtype)
    offset = full((channels,), 0, dtype) if bias is None else cast(bias, dtype)
    return scale.array, offset.array


def _of_images(x):
    """`x` with its channels last: where images are normalised a convolution follows. One
    image is what torch.nn.functional.instance_norm makes of all."""
    if x.ndim < 4 or x.shape[0] == 1:
        return x
    order = channels_last(x.ndim)
    return Tensor(x.in_order(order), order)


def _batch_norm(x, weight, bias, epsilon):
    """(y, mean, variance) of each channel, in the type in which sums are carried."""
    wide, x = accumulated(x.dtype), _of_images(x)
    scale, offset = _affine(weight, bias, x.shape[1], wide)
    y, average, variance = lax.batch_norm(cast(x, wide).stored, scale, offset, epsilon,
                                          x.place(1))
    return cast(x.like(y), x.dtype), average, variance


def _statistics(call, average, variance, epsilon):
    """What PyTorch keeps for its own derivative: the means and 1 / sqrt(variance + epsilon)."""
    if not (call.reads(1) or call.reads(2)):
        return None, None
    dtype = call.result_type(1)[1]
    inverse = 1 / mnp.sqrt(variance + epsilon)
    return Tensor(_array.cast(average, dtype)), Tensor(_array.cast(inverse, dtype))


@rule(aten._native_batch_norm_legit_functional.default)
def _batch_norm_functional(call, x, weight, bias, running_mean, running_var, training, momentum,
                           epsilon):
    if not training:
        y, *_ = _batch_norm_inference(call, x, weight, bias, running_mean, running_var, momentum,
                                      epsilon)
        nothing = full((0,), 0, call.result_type(1)[1])
        return y, nothing, nothing, running_mean, running_var
    y, average, variance = _batch_norm(x, weight, bias, epsilon)
    count = x.size // x.shape[1]
    # The running variance is that of a sample, n / (n - 1) of the batch's.
    running = []
    for state, statistic, factor in ((running_mean, average, 1),
                                     (running_var, variance, count / (count - 1))):
        state = state.array
        statistic = statistic if factor == 1 else statistic * factor
        running.append(Tensor(lax.running_average(state, _array.cast(statistic, state.dtype),
                                                  momentum)))
    return (y, *_statistics(call, average, variance, epsilon), *running)


@rule(aten._native_batch_norm_legit.no_stats)
def _batch_norm_without_state(call, x, weight, bias, training, momentum, epsilon):
    y, average, variance = _batch_norm(x, weight, bias, epsilon)
    return (y, *_statistics(call, average, variance, epsilon))


@rule(aten._native_batch_norm_legit_no_training.default)
def _batch_norm_inference(call, x, weight, bias, running_mean, running_var, momentum, epsilon):
    wide, x = accumulated(x.dtype), _of_images(x)
    scale, offset = _affine(weight, bias, x.shape[1], wide)
    y = lax.batch_norm_inference(
        cast(x, wide).stored, scale, offset, cast(running_mean, wide).array,
        cast(running_var, wide).array, epsilon, x.place(1))
    nothing = full((0,), 0, call.result_type(1)[1])
    return cast(x.like(y), x.dtype), nothing, nothing


def _normalized(x, dims, epsilon):
    """(x - mean) / sqrt(variance + epsilon), the mean, and that factor, without `dims`."""
    average = mean(x, dims)
    centered = x.like(x.stored - spread(average, dims, x).stored)
    variance = mean(x.like(centered.stored * centered.stored), dims)
    factor = variance.like(1 / mnp.sqrt(variance.stored + epsilon))
    return x.like(centered.stored * spread(factor, dims, x).stored), average, factor


@rule(aten.native_layer_norm.default)
def _layer_norm(call, x, shape, weight, bias, epsilon):
    wide = accumulated(x.dtype)
    dims = list(range(x.ndim - len(shape), x.ndim))
    y, *statistics = _normalized(cast(x, wide), dims, epsilon)
    for parameter, combine in ((weight, mnp.multiply), (bias, mnp.add)):
        if parameter is not None:
            y = apply(combine, y, cast(parameter, wide))
    return cast(y, call.result_type(0)[1]), *_shaped(call, statistics)


def _shaped(call, statistics):
    """Statistics that somebody reads, as results 1 and 2 of the call."""
    return [cast(s.reshaped(call.result_type(i)[0]), call.result_type(i)[1])
            if call.reads(i) else None for i, s in enumerate(statistics, 1)]


@rule(aten.native_group_norm.default)
def _group_norm(call, x, weight, bias, batch, channels, space, groups, epsilon):
    wide = accumulated(x.dtype)
    grouped = cast(x, wide).reshaped((batch, groups, channels // groups, *x.shape[2:]))
    y, *statistics = _normalized(grouped, list(range(2, grouped.ndim)), epsilon)
    y = y.reshaped(x.shape)
    for parameter, combine in ((weight, mnp.multiply), (bias, mnp.add)):
        if parameter is not None:
            y = apply(combine, y,
                      cast(parameter, wide).reshaped((channels,) + (1,) * (x.ndim - 2)))
    return cast(y, x.dtype), *_shaped(call, statistics)


@rule(aten._weight_norm_interface.default)
def _weight_norm(call, direction, length, dim=0):
    """length * direction / norm(direction), with a norm for each part of `dim` (Salimans,
    Kingma: arXiv 1602.07868); and the norms."""
    dims = [d for d in range(direction.ndim) if d != dim % direction.ndim]
    squares = direction.like(direction.stored * direction.stored)
    norms = reduced(squares, dims, True, lambda a, axes, keep: mnp.sum(a, axes, keepdims=keep))
    norms = norms.like(mnp.sqrt(norms.stored))
    return apply(lambda v, g, n: v * (g / n), direction, length, norms), norms
