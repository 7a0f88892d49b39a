# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The gradient of a loop of bijections takes the same memory whatever the count, in both
directions."""

import numpy as np
import pytest

import memrev
import slow
from memrev import flows, nn, tree

NET = flows.dense(5, activation=np.tanh)


def keeps(*layers):
    """A chain, and its inverse behind it where a layer changes shapes."""
    return flows.Sequential(*layers, *(flows.Inverse(layer) for layer in reversed(layers)))


# Chains of all kinds of layers: if one of them is stored, the memory grows.
BLOCKS = {
    "mixings of channels": (lambda: flows.Sequential(
        flows.ActNorm(6), flows.Householder(6), flows.InvertibleLinear(6), flows.LULinear(6),
        flows.FixedOrthogonal(6), flows.Permute(6), flows.Reverse()), (6,)),
    "learned orthogonal": (lambda: flows.Sequential(
        flows.Orthogonal(6), flows.Orthogonal(6, "exp"), flows.Affine(6),
        flows.LeakyReLU(0.5), flows.LearnedLeakyReLU(6)), (6,)),
    "couplings": (lambda: flows.Sequential(
        flows.AdditiveCoupling(6, NET), flows.AffineCoupling(6, NET, two_sided=True),
        flows.GINCoupling(6, NET), flows.IRIMCoupling(6, NET)), (6,)),
    "all in one": (lambda: flows.AllInOne(6, NET), (6,)),
    "hint": (lambda: flows.HINT(6, NET, leaf=2), (6,)),
    "splines": (lambda: flows.Sequential(
        flows.RationalQuadraticSplineCoupling(4, NET, bins=3), flows.LinearSplineCoupling(
            4, NET, bins=3)), (4,)),
    "splines of elements": (lambda: flows.Sequential(
        flows.RationalQuadraticSpline(4, bins=3), flows.LinearSpline(
            4, bins=3, learn_box=True)), (4,)),
    "resampling": (lambda: flows.Sequential(
        keeps(flows.Haar()), keeps(flows.Downsample(1)), keeps(flows.Squeeze("patch"))),
        (4, 4, 1)),
    "wavelet": (lambda: keeps(flows.Wavelet(3)), (8, 1)),
    "residual": (lambda: flows.IResNet(flows.LipschitzNet(4, (5,)), terms=3), (4,)),
    "momentum": (lambda: flows.Sequential(
        flows.Momentum(nn.Linear(4, 4)), flows.Leapfrog(nn.Linear(4, 4)),
        flows.Hyperbolic(4, rank=1)), ((2, 4), (2, 4))),
}


def workspace(make, shape, count, method, policy="invert", batch=16, repeats=True):
    model = (flows.Repeat(make(), count) if repeats
             else flows.Sequential(*(make() for _ in range(count))))
    variables = model.init(0)
    shapes = shape if isinstance(shape[0], tuple) else (shape,)
    x = tuple(memrev.ShapeDtype((batch, *s)) for s in shapes)

    def loss(params, x):
        x = x if isinstance(shape[0], tuple) else x[0]
        y, log_det = model.apply(params, variables["state"], x, rng=(0, 0), method=method)[0]
        return sum((leaf * leaf).sum() for leaf in tree.leaves(y)) + log_det.sum()

    text = memrev.jit(memrev.grad(loss, policy=policy)).mlir(variables["params"], x)
    # The workspace is known before there is machine code.
    report = memrev.compile(text, until="bufferize").memory_report()
    return next(f["workspace_bytes"] for f in report if f["function"] == "loss")


@pytest.mark.parametrize("method", [None, "inverse"])
@pytest.mark.parametrize("name", BLOCKS)
def test_memory_does_not_depend_on_the_count(name, method):
    few, many = (workspace(*BLOCKS[name], count, method) for count in (8, 32))
    assert many == few


#: name of a block: two counts of it. A few of the first layers are stored to save time.
CHAINS = {"couplings": (3, 9), "all in one": (3, 9), "hint": (3, 9), "learned orthogonal": (3, 9),
          "splines": (8, 14), "splines of elements": (8, 14)}


@pytest.mark.parametrize("name", slow.but(("couplings", "all in one", "splines"), CHAINS))
def test_chains_of_different_layers_keep_no_state(name):
    """What grows does not depend on the batch, or is a number a sample."""
    make, shape = BLOCKS[name]

    def grown(policy):
        few, many = (workspace(make, shape, count, None, policy, batch=2048, repeats=False)
                     for count in CHAINS[name])
        return (many - few) / 6

    state = 2048 * shape[0] * 4
    assert grown("invert") < 0.25 * state
    assert grown("store") > 4 * state


def test_storing_depends_on_the_count():
    few, many = (workspace(*BLOCKS["couplings"], count, None, "store") for count in (8, 32))
    assert many > 3 * few
