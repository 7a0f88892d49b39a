# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Losses."""

import numpy as np
import torch

from ... import lax, numpy as mnp
from .indexing import numbers
from .layout import Tensor
from .pointwise import apply
from .reductions import reduced
from .table import accumulated, cast, full, rule

aten = torch.ops.aten


@rule(aten.nll_loss_forward.default, aten.nll_loss2d_forward.default)
def _nll_loss(call, x, target, weight, reduction, ignore_index):
    """(minus the entries of x at the classes, the sum of their weights). x: (C), (N, C) or
    (N, C, ...), target without C."""
    dim = 0 if x.ndim == 1 else 1
    count = x.shape[dim]
    classes = target.array
    ignored = mnp.equal(classes, ignore_index)
    outside = mnp.logical_or(classes < 0, classes >= count)
    call.effects.faults.append((
        mnp.any(mnp.logical_and(outside, mnp.logical_not(ignored))),
        IndexError(f"target is out of bounds: expects classes in [0, {count})")))
    shape = [1 if d == dim else n for d, n in enumerate(x.shape)]
    places = cast(Tensor(mnp.where(ignored, -1, classes)), np.dtype(np.int32)).reshaped(shape)
    chosen = apply(mnp.equal, places, numbers(count, x.ndim, dim))

    def selected(values):
        return reduced(apply(lambda c, v: mnp.where(c, v, 0.0), chosen, values), [dim], False,
                       lambda a, axes, keep: mnp.sum(a, axes, keepdims=keep))

    if weight is None:
        weight = full((count,), 1, x.dtype)
    each = weight.reshaped([-1 if d == dim else 1 for d in range(x.ndim)])
    weights = selected(each)
    losses = apply(lambda v, w: -v * w, selected(x), weights)
    total = Tensor(mnp.sum(weights.stored))
    if reduction == 0:
        return losses, full((), 0, x.dtype)
    result = Tensor(mnp.sum(losses.stored))
    if reduction == 1:
        result = Tensor(result.stored / total.stored)
    return result, total


def _summary(losses, reduction, dtype):
    """The losses of elements (reduction 0), their average (1) or their sum (2)."""
    if reduction:
        total = mnp.sum(losses.stored)
        losses = Tensor(total * (1 / losses.size) if reduction == 1 else total)
    return cast(losses, dtype)


def _loss(name, function):
    """A loss of the difference of elements."""
    def emit(call, x, target, reduction=1, *options):
        wide = accumulated(call.dtype)
        losses = apply(lambda a, b: function(a, b, *options), cast(x, wide), cast(target, wide))
        return _summary(losses, reduction, call.dtype)

    rule(getattr(aten, name).default)(emit)


def _smooth_l1(x, y, beta=1.0):
    distance = mnp.abs(x - y)
    if beta == 0:
        return distance
    return mnp.where(distance < beta, distance * distance * (0.5 / beta), distance - 0.5 * beta)


def _huber(x, y, delta=1.0):
    distance = mnp.abs(x - y)
    return mnp.where(distance <= delta, distance * distance * 0.5,
                     delta * (distance - 0.5 * delta))


_loss("mse_loss", lambda x, y: mnp.square(x - y))
_loss("smooth_l1_loss", _smooth_l1)
_loss("huber_loss", _huber)
_loss("soft_margin_loss", lambda x, y: lax.softplus(-y * x))


@rule(aten.binary_cross_entropy.default)
def _binary_cross_entropy(call, x, target, weight=None, reduction=1):
    def log(v):
        # PyTorch bounds logarithms from below. A bounded one has a derivative of zero here,
        # in PyTorch a large one.
        zero = v <= np.exp(-100.0)
        return mnp.where(zero, -100.0, mnp.log(mnp.where(zero, 1.0, v)))

    def loss(x, target, weight=1.0):
        return -weight * (target * log(x) + (1 - target) * log(1 - x))

    return _summary(_of_given(loss, call, x, target, weight), reduction, call.dtype)


@rule(aten.binary_cross_entropy_with_logits.default)
def _binary_cross_entropy_with_logits(call, x, target, weight=None, pos_weight=None,
                                      reduction=1):
    def loss(x, target, positive=1.0):
        # log(1 + exp(-x)) is the loss of the positive class, and x more that of the other.
        return (1 - target) * x + ((positive - 1) * target + 1) * lax.softplus(-x)

    losses = _of_given(loss, call, x, target, pos_weight)
    if weight is not None:
        losses = apply(mnp.multiply, losses, cast(weight, losses.dtype))
    return _summary(losses, reduction, call.dtype)


def _of_given(function, call, *operands):
    """`function` of the operands but a last one that is None, in the type of sums."""
    operands = [cast(x, accumulated(call.dtype)) for x in operands if x is not None]
    return apply(function, *operands)
