# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Losses against PyTorch: values and gradients, extreme numbers included."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import memrev
from memrev import nn
from torch_check import TOLERANCE, assert_close, evaluate, evaluate_torch, random

DTYPES = pytest.mark.parametrize("dtype", [np.float64, np.float32])


def check_loss(function, reference, prediction, target, dtype):
    prediction = prediction.astype(dtype)
    target = target.astype(dtype) if target.dtype.kind == "f" else target
    like = reference(torch.tensor(prediction), torch.tensor(target))
    cotangent = random(9, *like.shape, dtype=dtype)
    y, _, gradients, _ = evaluate(lambda p, x, t: (function(x, t), ()), {},
                                  [prediction, target], cotangent)
    expected, _, expected_gradients = evaluate_torch(
        lambda p, x, t: reference(x, t), {}, [prediction, target], cotangent)
    assert_close(y, expected, TOLERANCE[np.dtype(dtype)], "loss")
    assert len(gradients) == len(expected_gradients)
    for found, wanted in zip(gradients, expected_gradients):
        assert_close(found, wanted, TOLERANCE[np.dtype(dtype)], "gradient")


LOGITS = np.concatenate([3 * random(0, 4, 5), np.zeros((1, 5)), [[0, 120, 5, -300, 0]]])
LABELS = np.array([0, 4, 2, 2, 3, 1], np.int32)


@DTYPES
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("label_dtype", [np.int32, np.int64])
def test_cross_entropy(smoothing, label_dtype, dtype):
    check_loss(lambda x, t: nn.cross_entropy(x, t, smoothing),
               lambda x, t: F.cross_entropy(x, t.long(), reduction="none",
                                            label_smoothing=smoothing),
               LOGITS, LABELS.astype(label_dtype), dtype)


def test_cross_entropy_of_sequences():
    check_loss(nn.cross_entropy,
               lambda x, t: F.cross_entropy(x.movedim(-1, 1), t.long(), reduction="none"),
               random(0, 2, 3, 5), np.array([[0, 1, 2], [4, 4, 0]], np.int32), np.float64)


@DTYPES
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_cross_entropy_with_probabilities(smoothing, dtype):
    targets = np.random.default_rng(1).dirichlet(np.ones(5), 4)
    check_loss(lambda x, t: nn.cross_entropy(x, t, smoothing),
               lambda x, t: F.cross_entropy(x, t, reduction="none", label_smoothing=smoothing),
               LOGITS[:4], targets, dtype)


@DTYPES
def test_nll(dtype):
    check_loss(nn.nll, lambda x, t: F.nll_loss(x, t.long(), reduction="none"), LOGITS, LABELS,
               dtype)


@DTYPES
def test_binary_cross_entropy(dtype):
    logits = np.concatenate([3 * random(0, 20), [0, 0, 0, 200, -200, 200, -200]])
    targets = np.concatenate([np.random.default_rng(0).random(20), [0, 0.3, 1, 1, 1, 0, 0]])
    check_loss(nn.binary_cross_entropy,
               lambda x, t: F.binary_cross_entropy_with_logits(x, t, reduction="none"), logits,
               targets, dtype)


@DTYPES
def test_differences(dtype):
    x, t = random(0, 3, 4), random(1, 3, 4)
    x[0, 0] = t[0, 0]
    check_loss(nn.mse, lambda x, t: F.mse_loss(x, t, reduction="none"), x, t, dtype)
    check_loss(nn.l1, lambda x, t: F.l1_loss(x, t, reduction="none"), x, t, dtype)


@pytest.mark.parametrize("function, shapes, dtype, error, message", [
    (nn.cross_entropy, ((4, 5), (4, 1)), np.int32, ValueError,
     r"cross_entropy expects labels of shape \[4\], but got \[4, 1\]"),
    (nn.cross_entropy, ((4, 5), (4,)), np.float32, ValueError,
     r"cross_entropy expects a target of shape \[4, 5\], but got \[4\]"),
    (nn.cross_entropy, ((4, 5), (4,)), np.bool_, TypeError,
     "cross_entropy expects labels of integers, but got bool"),
    (nn.nll, ((4, 5), (4,)), np.float32, TypeError, "nll expects labels of integers"),
    (nn.mse, ((4, 5), (4, 1)), np.float32, ValueError,
     r"mse expects a target of shape \[4, 5\], but got \[4, 1\]"),
    (nn.l1, ((4,), (5,)), np.float32, ValueError, r"l1 expects a target of shape \[4\]"),
    (nn.binary_cross_entropy, ((4,), (5,)), np.float32, ValueError,
     "binary_cross_entropy expects a target"),
    (lambda x, t: nn.cross_entropy(x, t, 2), ((4, 5), (4,)), np.int32, ValueError,
     r"label_smoothing in \[0, 1\], but got 2"),
])
def test_errors(function, shapes, dtype, error, message):
    with pytest.raises(error, match=message):
        memrev.jit(function)(np.zeros(shapes[0], np.float32), np.zeros(shapes[1], dtype))
