# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Networks of memrev.flows in both directions: inverses, log-determinants, gradients, their
memory, initialisation by data."""

import numpy as np
import pytest

import memrev
from flows_check import check, difference, largest
from memrev import flows, lax, tree

NET = flows.dense(5, activation=np.tanh)


def conv(rank=2):
    return flows.convolutional(3, windows=(3, 1), rank=rank, activation=np.tanh)


def random(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape)


def every_second(x):
    """A forward operator that sees every second row."""
    return x[:, ::2]


def masked(x, mask):
    """A forward operator with a parameter, whose adjoint it is, too."""
    return x * mask


class Summary(memrev.nn.Module):
    """Sequences of any length to vectors of two features."""

    def __init__(self):
        self.net = memrev.nn.Linear(3, 2)

    def __call__(self, y):
        return np.tanh(self.net(y)).mean(axis=1)


#: name: a function of the steps that makes a network, its input, its condition.
NETWORKS = {
    "Glow": lambda k: (flows.Glow(1, k, 2, conv()), random(1, 16, 4, 4, 1)),
    "Glow 1-D, no split": lambda k: (
        flows.Glow(1, k, 2, conv(1), rank=1, mix="linear", split=False), random(1, 4, 4, 1)),
    "Glow 3-D": lambda k: (
        flows.Glow(1, k, 1, conv(3), rank=3, mix="permute", coupling=flows.GlowCoupling),
        random(1, 8, 2, 2, 2, 1)),
    "Glow of vectors": lambda k: (flows.Glow(5, k, 2, NET, rank=0, mix="lu"), random(1, 5, 5)),
    "ConditionalGlow": lambda k: (
        flows.ConditionalGlow(1, 1, steps=k, levels=2, net=conv(1), rank=1),
        random(1, 4, 4, 1), random(2, 4, 4, 1)),
    "NICE": lambda k: (flows.NICE(5, k, NET), random(1, 5, 5)),
    "RealNVP": lambda k: (flows.RealNVP(1, k, 2, conv(1), rank=1, condition=2),
                          random(1, 4, 4, 1), random(2, 4, 2)),
    "RealNVP 2-D": lambda k: (flows.RealNVP(1, k, 1, conv()), random(1, 8, 4, 2, 1)),
    "RealNVP of vectors": lambda k: (flows.RealNVP(3, k, 1, NET, rank=0), random(1, 3, 3)),
    "NeuralSplineFlow": lambda k: (flows.NeuralSplineFlow(4, k, NET, bins=3, mix="cayley"),
                                   random(1, 4, 4)),
    "HINTNetwork": lambda k: (flows.HINTNetwork(5, k, NET, condition=2), random(1, 5, 5),
                              random(2, 5, 2)),
    "MultiscaleHINT": lambda k: (flows.MultiscaleHINT(2, k, 2, conv(1), rank=1),
                                 random(1, 8, 4, 2)),
    "ConditionalHINTNetwork": lambda k: (flows.ConditionalHINTNetwork(3, 2, k, NET),
                                         (random(1, 5, 3), random(2, 5, 2))),
    "MultiscaleConditionalHINT": lambda k: (
        flows.MultiscaleConditionalHINT(1, 1, k, 2, conv(1), rank=1),
        (random(1, 8, 4, 1), random(2, 8, 4, 1))),
    "HyperbolicNetwork": lambda k: (
        flows.HyperbolicNetwork(1, ((0, k), (1, k), (-1, k)), rank=1, step=0.5,
                                activation=np.tanh),
        (random(1, 8, 4, 1), random(2, 8, 4, 1))),
    "LoopUnrolled": lambda k: (
        flows.LoopUnrolled(1, 2, flows.least_squares(every_second), k, conv(1), rank=1),
        (random(1, 12, 4, 1), random(2, 12, 4, 2)), random(3, 12, 2, 1)),
    "IUNet": lambda k: (flows.IUNet(2, (k, k), net=conv(1), rank=1, mix=1),
                        random(1, 8, 4, 2)),
    "Summarized": lambda k: (
        flows.Summarized(flows.Repeat(flows.AffineCoupling(4, NET, condition=2), k), Summary()),
        random(1, 4, 4), random(2, 4, 6, 3)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_network(name):
    check(*NETWORKS[name](2), gain=1000, spread=0.2)
