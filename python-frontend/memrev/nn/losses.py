# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Losses: functions of predictions and targets, one number for each sample.

Average over a batch with `.mean()`.
"""

import math

from .. import _dtypes, lax
from .. import numpy as mnp

__all__ = ["binary_cross_entropy", "cross_entropy", "l1", "mse", "nll"]


def _check_same(name, prediction, target):
    if tuple(prediction.shape) != tuple(target.shape):
        raise ValueError(f"{name} expects a target of shape {list(prediction.shape)}, but got "
                         f"{list(target.shape)}")


def _check_labels(name, scores, labels):
    if tuple(labels.shape) != tuple(scores.shape[:-1]):
        raise ValueError(f"{name} expects labels of shape {list(scores.shape[:-1])}, but got "
                         f"{list(labels.shape)}")
    if labels.dtype.kind not in "iu":
        raise TypeError(f"{name} expects labels of integers, but got {labels.dtype}")


def cross_entropy(logits, targets, label_smoothing: float = 0.0):
    """-log softmax(logits)[label] of each sample, without overflow.

    logits [..., classes]; targets are labels, integers [...] in [0, classes), or
    probabilities, floats [..., classes]. With `label_smoothing` s the target is
    (1 - s) target + s / classes: Szegedy et al. (arXiv 1512.00567, section 7). Returns
    [...]. Raises ValueError for other shapes, TypeError for other types.
    """
    shape, classes = tuple(logits.shape[:-1]), logits.shape[-1]
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"cross_entropy expects a label_smoothing in [0, 1], but got "
                         f"{label_smoothing}")
    if _dtypes.is_float(targets.dtype):
        _check_same("cross_entropy", logits, targets)
        smoothed = targets * (1 - label_smoothing) + label_smoothing / classes
        return -(smoothed * lax.log_softmax(logits)).sum(axis=-1)
    _check_labels("cross_entropy", logits, targets)
    rows = logits.reshape(math.prod(shape), classes)
    losses = lax.softmax_cross_entropy(rows, targets.reshape(math.prod(shape)))
    if label_smoothing:
        uniform = -lax.log_softmax(rows).mean(axis=-1)
        losses = losses * (1 - label_smoothing) + uniform * label_smoothing
    return losses.reshape(shape)


def nll(log_probabilities, labels):
    """-log_probabilities[label] of each sample: [..., classes] and integers [...] in
    [0, classes) to [...]. Raises as `cross_entropy`."""
    _check_labels("nll", log_probabilities, labels)
    classes = mnp.arange(log_probabilities.shape[-1], dtype=mnp.int32)
    chosen = labels[..., None] == classes
    return -mnp.where(chosen, log_probabilities, 0.0).sum(axis=-1)


def binary_cross_entropy(logits, targets):
    """-t log s - (1 - t) log(1 - s) of each element, with s = sigmoid(logit) and t in
    [0, 1], without overflow. Raises ValueError if shapes differ."""
    _check_same("binary_cross_entropy", logits, targets)
    # Both parts select by one condition, so that the derivative at 0 is s - t, too.
    positive = logits >= 0
    return (mnp.where(positive, logits, 0.0) - logits * targets
            + mnp.log1p(mnp.exp(mnp.where(positive, -logits, logits))))


def mse(prediction, target):
    """(prediction - target)^2 of each element. Raises ValueError if shapes differ."""
    _check_same("mse", prediction, target)
    difference = prediction - target
    return difference * difference


def l1(prediction, target):
    """|prediction - target| of each element. Raises ValueError if shapes differ."""
    _check_same("l1", prediction, target)
    return mnp.abs(prediction - target)
