# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Couplings of memrev.flows: each against its dense Jacobian, by inversion and by storing."""

import numpy as np
import pytest

from flows_check import check
from memrev import flows


def random(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape)


NET = flows.dense(5, activation=np.tanh)

COUPLINGS = {
    "additive": lambda: flows.AdditiveCoupling(5, NET),
    "additive, split": lambda: flows.AdditiveCoupling(5, NET, split=4),
    "nice": lambda: flows.NICECoupling(4, NET),
    "affine tanh": lambda: flows.AffineCoupling(5, NET),
    "affine exp, two-sided": lambda: flows.AffineCoupling(3, NET, two_sided=True, scale="exp"),
    "affine atan": lambda: flows.AffineCoupling(4, NET, scale="atan", clamp=1.5, split=1),
    "glow": lambda: flows.GlowCoupling(4, NET),
    "rnvp": lambda: flows.RNVPCoupling(5, NET),
    "gin": lambda: flows.GINCoupling(5, NET),
    "all in one": lambda: flows.AllInOne(5, NET),
    "all in one, gin, orthogonal": lambda: flows.AllInOne(
        4, NET, gin=True, mix="orthogonal", scale="softplus"),
    "all in one, reflections": lambda: flows.AllInOne(3, NET, mix=2, scale="sigmoid"),
    "rational-quadratic": lambda: flows.RationalQuadraticSplineCoupling(4, NET, bins=3),
    "rational-quadratic, two-sided": lambda: flows.RationalQuadraticSplineCoupling(
        3, NET, two_sided=True, bins=4, bound=1.5),
    "linear spline": lambda: flows.LinearSplineCoupling(4, NET, bins=3, split=3),
    "irim": lambda: flows.IRIMCoupling(5, NET),
    "hint": lambda: flows.HINT(7, NET, leaf=2),
    "hint, shared": lambda: flows.HINT(8, NET, leaf=2),
    "hint, own": lambda: flows.HINT(8, NET, leaf=3, shared=False, scale="atan"),
    **{f"hint, {permute}": (lambda permute=permute: flows.HINT(5, NET, leaf=3, permute=permute))
       for permute in ("full", "both", "lower")},
}


@pytest.mark.parametrize("name", COUPLINGS)
def test_vectors(name):
    model = COUPLINGS[name]()
    check(model, random(1, model.channels, model.channels))


def test_hint_of_one_channel_parts_and_a_condition():
    model = flows.HINT(3, NET, leaf=1, condition=2)
    check(model, random(1, 3, 3), random(2, 3, 2), gain=100)


@pytest.mark.parametrize("permute", [False, True])
def test_conditional_hint(permute):
    model = flows.ConditionalHINT(3, 2, NET, permute, leaf=2)
    check(model, (random(1, 5, 3), random(2, 5, 2)), gain=100)


PAIRS = {
    "leapfrog": lambda: flows.Leapfrog(flows.DenseNet(3, 3, (4,), np.tanh), 0.5),
    "hyperbolic": lambda: flows.Hyperbolic(3, 2, rank=1, step=0.7, activation=np.tanh),
    "momentum": lambda: flows.Momentum(flows.DenseNet(3, 3, (4,), np.tanh), 0.8),
}


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("repeated", [False, True])
def test_pairs(name, repeated):
    shape = (2, 3) if name == "hyperbolic" else (3,)
    count = 2 * int(np.prod(shape))
    model = flows.Repeat(PAIRS[name](), 3) if repeated else PAIRS[name]()
    check(model, (random(1, count, *shape), random(2, count, *shape)), gain=1000, spread=0.2)
