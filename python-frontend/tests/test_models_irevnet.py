# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""i-RevNet: counts, results and gradients against PyTorch, its inverse, memory."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import memrev
from memrev import models, tree
from torch_check import assert_close, assert_trees_close, check, evaluate, random

INJECTIVE = dict(blocks=(3, 2), strides=(1, 2), channels=(4, 16), classes=5)
BIJECTIVE = dict(blocks=(2, 3), strides=(2, 2), channels=(24, 96), classes=5, initial=2)


def squeeze(x, factor):
    """Space to channels, which count fastest: NCHW."""
    n, c, h, w = x.shape
    x = x.reshape(n, c, h // factor, factor, w // factor, factor)
    return x.permute(0, 3, 5, 1, 2, 4).reshape(n, factor * factor * c, h // factor, w // factor)


def function(p, x, stride):
    for i in (1, 2, 3):
        if f"norm{i}" in p:
            x = F.batch_norm(x, None, None, p[f"norm{i}"]["scale"], p[f"norm{i}"]["offset"], True)
            x = F.relu(x)
        x = F.conv2d(x, p[f"conv{i}"]["weight"].permute(3, 2, 0, 1).contiguous(), padding=1,
                     stride=stride if i == 1 else 1)
    return x


def irevnet(options):
    def reference(p, images):
        x = squeeze(images.permute(0, 3, 1, 2), options.get("initial", 1))
        for number, stride, width in zip(p["stages"], options["strides"], options["channels"]):
            missing = 2 * width - x.shape[1] * stride * stride
            x = F.pad(x, (0, 0, 0, 0, 0, missing))
            x1, x2 = x.chunk(2, 1)
            for part in p["stages"][number].values():
                looped = "block" in part
                count = len(tree.leaves(part)[0]) if looped else 1
                for i in range(count):
                    block = tree.map(lambda a: a[i], part["block"]) if looped else part
                    s = 1 if looped else stride
                    x1, x2 = (squeeze(x2, s), squeeze(x1, s) + function(block["function"], x2, s))
            x = torch.cat([x1, x2], 1)
        x = F.batch_norm(x, None, None, p["norm"]["scale"], p["norm"]["offset"], True)
        return F.relu(x).mean((2, 3)) @ p["head"]["weight"] + p["head"]["bias"]

    return reference


def test_residual_functions_drop():
    """With dropout of all, nothing but offsets reaches the last convolution."""
    model = models.IRevNet(**INJECTIVE, dropout=1.0)
    variables = model.init(0, np.float64)
    x = random(1, 2, 4, 4, 3)
    def features(x, train):
        return model.apply(variables["params"], variables["state"], x, train=train, rng=(0, 0),
                           method="features")[0]

    dropped, kept = (memrev.jit(lambda x, train=train: np.concatenate(features(x, train), -1))(x)
                     for train in (True, False))
    # What is left is a permutation of the image and of zeros.
    assert_close(np.sort(dropped.reshape(2, -1)),
                 np.sort(np.concatenate([x, np.zeros((2, 4, 4, 5))], -1).reshape(2, -1)), 0)
    assert np.abs(kept - dropped).max() > 0.1


@pytest.mark.parametrize("options, policy, tolerance", [
    # The gradient of the image is small beside what it is the sum of.
    (BIJECTIVE, "invert", 1e-9),
    (INJECTIVE, "store", 1e-11),
    # Zeros come back as rounding errors, and three norms of channels that have no variance
    # multiply them by 1 / sqrt(epsilon) each, 3e7 in all: 1e-8 to 6e-6 for eight images.
    (INJECTIVE, "invert", 1e-5),
])
def test_results_and_gradients(options, policy, tolerance):
    check(models.IRevNet(**options), irevnet(options), random(1, 2, 8, 8, 3), train=True,
          tolerance=tolerance, policy=policy)


def count(blocks, strides, channels, classes, inputs):
    """Parameters from the paper's table: three 3x3 convolutions and norms a block."""
    total, arriving, first = 0, inputs, True
    for n, stride, width in zip(blocks, strides, channels):
        for i in range(n):
            half = arriving // 2 if stride == 2 and i == 0 else width
            inner = width // 4
            total += 9 * (half * inner + inner * inner + inner * width) + 4 * inner
            total += 0 if first else 2 * half
            arriving, first = 2 * width, False
    return total + 2 * arriving + arriving * classes + classes


def test_counts():
    assert models.irevnet_cifar().num_parameters == 6_274_826 == count(
        (18, 18, 18), (1, 2, 2), (16, 64, 256), 10, 3)
    assert models.irevnet_imagenet().num_parameters == 125_120_356 == count(
        (6, 16, 72, 6), (2, 2, 2, 2), (24, 96, 384, 1536), 1000, 12)


@pytest.mark.parametrize("options, train", [(INJECTIVE, False), (BIJECTIVE, False),
                                            (BIJECTIVE, True)])
def test_inverse_of_the_features(options, train):
    """The compiler derives it: images come back from the last features."""
    model = models.IRevNet(**options)
    variables = model.init(0, np.float64)
    x = random(1, 2, 8, 8, 3)

    def features(x, params):
        return model.apply(params, variables["state"], x, train=train, method="features")[0]

    y = memrev.jit(features)(x, variables["params"])
    assert sum(half.size for half in y) >= x.size
    found = memrev.inverse(features, like=x)(y, variables["params"])
    assert_close(found, x, 1e-12)


@pytest.mark.slow
def test_dropout_by_inversion_and_by_storing():
    model = models.IRevNet(**BIJECTIVE, dropout=0.3)
    variables = model.init(0, np.float64)

    def run(policy):
        return evaluate(
            lambda p, x: model.apply(p, variables["state"], x, train=True, rng=(1, 2)),
            variables["params"], [random(1, 2, 8, 8, 3)], random(9, 2, 5), policy)

    assert_trees_close(run("invert"), run("store"), 1e-10)


def test_memory_does_not_depend_on_depth():
    def workspace(count, policy="invert"):
        model = models.IRevNet((count, count), (1, 2), (4, 16), 5)
        variables = model.init(0)
        step = memrev.jit(memrev.grad(
            lambda p, x: (model.apply(p, variables["state"], x, train=True)[0]**2).sum(),
            policy=policy))
        return step.memory_report(variables["params"],
                                  memrev.ShapeDtype((2, 16, 16, 3)))["workspace_bytes"]

    shallow = workspace(5)
    assert workspace(25) <= shallow
    assert workspace(25, "store") > 4 * shallow


@pytest.mark.parametrize("options, message", [
    (dict(blocks=(2,), strides=(2,), channels=(8,)),
     "IRevNet expects 6 channels in each half of stage 0, or more with stride 1, but got 8"),
    (dict(blocks=(2, 2), strides=(1, 1), channels=(8, 4)),
     "IRevNet expects 8 channels in each half of stage 1, or more with stride 1, but got 4"),
])
def test_errors(options, message):
    with pytest.raises(ValueError, match=message):
        models.IRevNet(**options)


def test_errors_of_images():
    model = models.IRevNet(**BIJECTIVE)
    variables = model.init(0)
    with pytest.raises(ValueError, match=r"squeeze expects an image of a multiple of 2 pixels, "
                                         r"but got shape \[1, 7, 8, 3\]"):
        memrev.jit(lambda x: model.apply(variables["params"], variables["state"], x)[0])(
            np.zeros((1, 7, 8, 3), np.float32))
