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
}


@pytest.mark.parametrize("name", COUPLINGS)
def test_vectors(name):
    model = COUPLINGS[name]()
    check(model, random(1, model.channels, model.channels))
