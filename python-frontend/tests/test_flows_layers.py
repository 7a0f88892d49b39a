# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Layers of memrev.flows beside couplings: each against its dense Jacobian, by inversion and
by storing; what peers get wrong."""

import numpy as np
import pytest

import memrev
from flows_check import check, elements
from memrev import flows, tree


def random(seed, *shape):
    """As many samples of that shape as a sample has elements."""
    return np.random.default_rng(seed).standard_normal((int(np.prod(shape)), *shape))


def apply(model, variables, *args, method=None):
    return memrev.jit(lambda variables, args: model.apply(
        variables["params"], variables["state"], *args, method=method)[0])(variables, args)


LAYERS = {
    "actnorm": (lambda: flows.ActNorm(3), (3,)),
    "actnorm, 1-D": (lambda: flows.ActNorm(2), (3, 2)),
    "actnorm, 3-D, softplus": (lambda: flows.ActNorm(2, scale="softplus"), (1, 2, 2, 2)),
    "actnorm, sigmoid": (lambda: flows.ActNorm(3, scale="sigmoid"), (2, 1, 3)),
    "affine": (lambda: flows.Affine(2, 3), (2, 3)),
    "sigmoid": (lambda: flows.Sigmoid(-1, 3), (4,)),
    "leaky relu": (lambda: flows.LeakyReLU(0.2), (2, 2, 2)),
    "exp clamp": (lambda: flows.ExpClamp(1.5), (4,)),
    "tanh": (lambda: flows.Tanh(), (2, 3)),
    "rational-quadratic": (lambda: flows.RationalQuadraticSpline(3, bins=5, bound=2), (2, 3)),
    "rational-quadratic, one bin": (lambda: flows.RationalQuadraticSpline(bins=1), (3,)),
    "linear spline": (lambda: flows.LinearSpline(2, 2, bins=4, bound=1), (2, 2)),
    "householder": (lambda: flows.Householder(4), (2, 4)),
    "householder, frozen": (lambda: flows.Householder(3, 1, freeze=True), (3,)),
    "linear": (lambda: flows.InvertibleLinear(3), (2, 2, 3)),
    "lu": (lambda: flows.LULinear(4), (2, 4)),
    "cayley": (lambda: flows.Orthogonal(4), (2, 4)),
    "exp": (lambda: flows.Orthogonal(3, "exp"), (3,)),
    "fixed orthogonal": (lambda: flows.FixedOrthogonal(3), (2, 3)),
    "permute": (lambda: flows.Permute(5), (5,)),
    "permute, given": (lambda: flows.Permute(3, [2, 0, 1]), (2, 3)),
    "reverse": (lambda: flows.Reverse(), (2, 3)),
    "flatten": (lambda: flows.Flatten(2, 3), (2, 3)),
    "split": (lambda: flows.Split(1, 3, 2), (6,)),
    **{f"squeeze, {pattern}": (lambda pattern=pattern: flows.Squeeze(pattern), (4, 2, 1))
       for pattern in ("checkerboard", "patch", "column")},
    "squeeze, 1-D, by 3": (lambda: flows.Squeeze(factor=3), (6, 2)),
    "squeeze, 3-D": (lambda: flows.Squeeze("patch", factor=(1, 2, 2)), (2, 2, 2, 1)),
    "unsqueeze": (lambda: flows.Unsqueeze(), (1, 2, 4)),
    "haar, 1-D": (lambda: flows.Haar(), (4, 2)),
    "haar, 2-D": (lambda: flows.Haar(), (4, 2, 1)),
    "haar, 3-D": (lambda: flows.Haar(), (2, 2, 2, 1)),
    "wavelet, 1-D": (lambda: flows.Wavelet(4), (6, 1)),
    "wavelet, 2-D": (lambda: flows.Wavelet(2), (4, 4, 1)),
    "downsample": (lambda: flows.Downsample(2), (2, 2, 2)),
    "downsample, 1-D, by 3": (lambda: flows.Downsample(
        1, 1, 3, parametrization="exp", start="random"), (6, 1)),
    "upsample": (lambda: flows.Upsample(2, 1, start="squeeze"), (3, 4)),
    "inverse": (lambda: flows.Inverse(flows.Sequential(flows.ActNorm(3), flows.Tanh())), (3,)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layer(name):
    make, shape = LAYERS[name]
    x = random(1, *shape)
    # The other way starts in the range of a map.
    check(make(), np.tanh(x) * 0.9 if name == "inverse" else x, gain=100)
