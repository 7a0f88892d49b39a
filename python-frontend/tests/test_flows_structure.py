# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Chains, loops, inverses and conditions of memrev.flows; initialisation by data."""

import numpy as np
import pytest

import memrev
from flows_check import check, difference
from memrev import flows, tree

NET = flows.dense(5, activation=np.tanh)


def random(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape)


def block(channels=4):
    return flows.Sequential(flows.ActNorm(channels), flows.Householder(channels, 2),
                            flows.AffineCoupling(channels, NET))


def run(model, variables, *args, method=None):
    return memrev.jit(lambda variables, args: model.apply(
        variables["params"], variables["state"], *args, method=method)[0])(variables, args)


# ------------------------------------------------------------------------------
# Structure
# ------------------------------------------------------------------------------


STRUCTURES = {
    "sequential": lambda: block(),
    "nested": lambda: flows.Sequential(block(), flows.Inverse(block()), flows.Reverse()),
    "inverse": lambda: flows.Inverse(block()),
    "repeat": lambda: flows.Repeat(block(), 3),
    "repeat of repeat": lambda: flows.Sequential(
        flows.Repeat(flows.Sequential(flows.ActNorm(4), flows.Repeat(
            flows.GINCoupling(4, NET), 2)), 2)),
    "parallel": lambda: flows.Sequential(
        flows.Split(3, 1), flows.Parallel(flows.AllInOne(3, NET), None), flows.Cat(3, 1)),
}


@pytest.mark.parametrize("name", STRUCTURES)
def test_structure(name):
    check(STRUCTURES[name](), random(1, 4, 4), spread=0.2)


@pytest.mark.parametrize("order", ["forward", "both ways"])
def test_a_layer_that_is_used_twice(order):
    shared = block()
    # One set of parameters, whose gradients are sums.
    model = flows.Sequential(shared, flows.Reverse(),
                             shared if order == "forward" else flows.Inverse(shared))
    params = model.init(0)["params"]
    assert list(params["layers"]) == [0]
    check(model, random(1, 4, 4), spread=0.2)


def test_a_loop_is_its_blocks():
    model = flows.Repeat(block(), 3)
    variables = model.init(0, np.float64)
    variables["params"] = tree.map(lambda a: a + 0.1, variables["params"])
    x = random(1, 4, 4)
    y, log_det = run(model, variables, x)
    single, expected, total = block(), x, 0
    for i in range(3):
        one = tree.map(lambda a: a[i], variables)
        expected, more = run(single, {kind: one[kind].get("block", {}) for kind in one}, expected)
        total = total + more
    assert difference(y, expected) < 1e-13 and difference(log_det, total) < 1e-13
    back, _ = run(model, variables, y, method="inverse")
    assert difference(back, x) < 1e-12


# ------------------------------------------------------------------------------
# Conditions
# ------------------------------------------------------------------------------


class Features(memrev.nn.Module):
    """A network of a part and a dict of conditions."""

    def __init__(self, outputs):
        self.part, self.cond = memrev.nn.Linear(2, outputs), memrev.nn.Linear(3, outputs)

    def __call__(self, part, cond):
        return np.tanh(self.part(part)) * self.cond(cond["features"])


CONDITIONAL = {
    "vectors": lambda: (flows.AffineCoupling(4, NET, condition=3), (4,), (3,)),
    "two-sided, odd": lambda: (flows.GINCoupling(3, NET, condition=2), (3,), (2,)),
    "images": lambda: (flows.AdditiveCoupling(
        2, flows.convolutional(3, windows=(3, 1), activation=np.tanh), condition=1),
        (2, 2, 2), (2, 2, 1)),
    "vector of an image": lambda: (flows.AllInOne(
        3, flows.convolutional(3, windows=(3, 1), rank=1, activation=np.tanh), condition=2),
        (2, 3), (2,)),
    "affine": lambda: (flows.ConditionalAffine(4, NET, 3), (4,), (3,)),
    "affine by a function": lambda: (
        flows.ConditionalAffine(3, NET, 2, scale=np.sin, clamp=0.5), (3,), (2,)),
    "reflections": lambda: (flows.ConditionalHouseholder(4, flows.dense(
        5, activation=np.tanh, zero_init=False), 2), (4,), (2,)),
    "reflections of all places": lambda: (flows.ConditionalHouseholder(2, flows.dense(
        5, activation=np.tanh, zero_init=False), 3, reflections=1), (2, 1, 2), (3,)),
    "affine, of all places": lambda: (flows.ConditionalAffine(2, NET, 3), (2, 1, 2), (3,)),
    "chain": lambda: (flows.Repeat(flows.Sequential(
        flows.ActNorm(4), flows.GlowCoupling(4, NET, condition=3)), 2), (4,), (3,)),
}


@pytest.mark.parametrize("name", CONDITIONAL)
def test_conditions(name):
    model, shape, cond = CONDITIONAL[name]()
    count = int(np.prod(shape))
    check(model, random(1, count, *shape), random(2, count, *cond), spread=0.2)


def test_a_condition_that_is_an_argument_of_the_network():
    model = flows.AdditiveCoupling(4, Features(2), condition=None)
    check(model, random(1, 4, 4), {"features": random(2, 4, 3)})


# ------------------------------------------------------------------------------
# Initialisation by data
# ------------------------------------------------------------------------------


def initialized(model, *args, method=None):
    variables = model.init(0, np.float64)
    before = tree.map(np.copy, variables)
    found = memrev.jit(lambda variables, args: model.initialize(
        variables["params"], variables["state"], *args, method=method))(variables, args)
    assert not tree.difference(tree.structure(before), tree.structure(found))
    assert difference(variables, before) == 0
    return found


def assert_normalized(y):
    axes = tuple(range(y.ndim - 1))
    assert np.abs(y.mean(axis=axes)).max() < 1e-12
    assert np.abs(y.std(axis=axes) - 1).max() < 1e-12


@pytest.mark.parametrize("scale", ["exp", "softplus", "sigmoid"])
@pytest.mark.parametrize("method", [None, "inverse"])
def test_actnorm_normalizes_its_first_batch(scale, method):
    x = 2 + 0.7 * random(0, 6, 4, 5, 3) * np.array([1.0, 2.0, 0.5])
    model = flows.ActNorm(3, scale)
    y, log_det = run(model, initialized(model, x, method=method), x, method=method)
    assert_normalized(y)
    assert np.allclose(log_det, -20 * np.log(x.std(axis=(0, 1, 2))).sum(), rtol=1e-12)


def test_a_constant_channel_keeps_its_scale():
    model = flows.ActNorm(2)
    x = np.stack([np.full(7, 1e3), random(0, 7)], axis=1)
    y, _ = run(model, initialized(model, x), x)
    assert np.abs(y[:, 0]).max() < 1e-9 and np.isfinite(y).all()


def test_data_initializes_every_layer_of_a_loop():
    model = flows.Sequential(flows.Repeat(flows.Sequential(
        flows.ActNorm(4), flows.FixedOrthogonal(4), flows.Affine(4)), 3), flows.ActNorm(4))
    x = 3 + 2 * random(0, 50, 4)
    variables = initialized(model, x)
    assert_normalized(run(model, variables, x)[0])
    # Each of the loop's is initialised by what reaches it.
    scales = variables["params"]["layers"][0]["block"]["layers"][0]["scale"]
    assert scales.shape == (3, 4) and np.abs(scales[0]).min() > 0.3
    assert np.abs(scales[1:]).max() < 0.3
    assert difference(variables["params"]["layers"][0]["block"]["layers"][2]["offset"],
                      np.zeros((3, 4))) == 0


def test_a_network_in_a_coupling_is_initialized_once():
    class Norm(memrev.nn.Module):
        def __init__(self, inputs, outputs):
            self.norm, self.out = flows.ActNorm(inputs), memrev.nn.Linear(inputs, outputs)

        def __call__(self, x):
            return self.out(self.norm(x)[0])

    model = flows.AffineCoupling(4, Norm)
    x = 5 + random(0, 20, 4)
    variables = initialized(model, x)
    found = variables["params"]["nets"][0]["norm"]
    assert np.allclose(np.exp(found["scale"]), 1 / x[:, :2].std(axis=0))
    assert np.allclose(found["offset"], -x[:, :2].mean(axis=0) / x[:, :2].std(axis=0))


# ------------------------------------------------------------------------------
# Errors
# ------------------------------------------------------------------------------


def expects(message, model, *args, method=None):
    with pytest.raises((ValueError, TypeError), match=message):
        run(model, model.init(0), *args, method=method)


X = np.ones((4, 3), np.float32)


def test_errors():
    expects(r"ActNorm expects an array \[batch, ..., 2\], but got shape \[4, 3\]",
            flows.ActNorm(2), X)
    expects(r"Affine expects samples of shape \[2\], but got shape \[4, 3\]", flows.Affine(2), X)
    expects("AffineCoupling expects a condition, but got None",
            flows.AffineCoupling(3, NET, condition=2), X)
    expects(r"AffineCoupling expects a condition of 2 channels, but got shape \[4, 3\]",
            flows.AffineCoupling(3, NET, condition=2), X, X)
    expects(r"expects a condition of shape .*, but got \[5, 2\]",
            flows.AffineCoupling(3, NET, condition=2), X, np.ones((5, 2), np.float32))
    expects("ConditionalAffine expects a condition, but got None",
            flows.ConditionalAffine(3, NET, 2), X)
    expects("ConditionalHouseholder expects a condition, but got None",
            flows.ConditionalHouseholder(3, NET, 2), X)
    expects(r"Squeeze expects an array \[batch, \*space, channels\] with extents of space that 2 "
            r"divides, but got shape \[4, 3\]", flows.Squeeze(), X)
    expects("Squeeze expects channels that 4 divides to unsqueeze",
            flows.Squeeze(), np.ones((2, 2, 2, 3), np.float32), method="inverse")
    expects("Split expects 4 channels, but got shape", flows.Split(2, 2), X)
    expects(r"Split expects parts of \[2, 2\] channels, but got one array", flows.Split(2, 2), X,
            method="inverse")
    expects(r"Reshape expects samples of shape \[4\]", flows.Reshape((4,), (2, 2)), X)
    expects(r"Haar expects an array \[batch, \*space, channels\] with extents of space that 2 "
            r"divides, but got shape \[2, 3, 1\]", flows.Haar(), np.ones((2, 3, 1), np.float32))
    expects(r"Wavelet expects an array .* with channels that 2 divides, but got shape \[2, 3, 1\]",
            flows.Wavelet(), np.ones((2, 3, 1), np.float32), method="inverse")
    expects("Downsample expects an array of 4 dimensions with 2 channels", flows.Downsample(2), X)
    expects("Downsample expects an array of 4 dimensions with 8 channels to undo",
            flows.Downsample(2), X, method="inverse")
    expects(r"RationalQuadraticSpline expects an array \[batch, ..., 2\]",
            flows.RationalQuadraticSpline(2), X)
    expects(r"LearnedLeakyReLU expects an array \[batch, ..., 2\]", flows.LearnedLeakyReLU(2), X)
    expects("HINT expects a condition of 2 channels, but got None",
            flows.HINT(3, NET, condition=2), X)
    expects("ConditionalHINT expects a pair of arrays, data and observations, but got one array",
            flows.ConditionalHINT(3, 3, NET), X)
    expects(r"Leapfrog expects a pair of arrays of one shape, but got \[\[4, 3\], \[4, 2\]\]",
            flows.Leapfrog(memrev.nn.Linear(3, 3)), (X, X[:, :2]))
    for spline, parameters in (flows.rational_quadratic_spline, 5), (flows.linear_spline, 4):
        with pytest.raises(ValueError, match=fr"{spline.__name__} expects parameters of shape "
                                             fr"\[4, 3, {parameters}\], or without the first of "
                                             r"these, but got \[4, 2, "):
            memrev.jit(spline)(X, np.ones((4, 2, parameters), np.float32))
    expects("Parallel expects a tuple of 2 arrays, but got one array",
            flows.Parallel(None, None), X)


@pytest.mark.parametrize("message, make", [
    ("AffineCoupling expects a split of at least 1 that leaves channels of 3, but got 3",
     lambda: flows.AffineCoupling(3, NET, split=3)),
    ("AdditiveCoupling expects a split of at least 1 that leaves channels of 1, but got 0",
     lambda: flows.AdditiveCoupling(1, NET)),
    ("NICECoupling expects a factory or 2 modules, but got 1",
     lambda: flows.NICECoupling(4, flows.DenseNet(2, 2))),
    ("expects a scale out of exp, sigmoid, tanh, atan, but got 'cosh'",
     lambda: flows.AffineCoupling(4, NET, scale="cosh")),
    ("expects a positive clamp, but got 0", lambda: flows.AffineCoupling(4, NET, clamp=0)),
    ("GINCoupling expects a scale out of tanh, atan, exp",
     lambda: flows.GINCoupling(4, NET, scale="sigmoid")),
    ("AllInOne expects as mix", lambda: flows.AllInOne(4, NET, mix="hard")),
    ("ConditionalAffine expects the channels of its condition",
     lambda: flows.ConditionalAffine(4, NET)),
    ("ConditionalHouseholder expects the channels of its condition",
     lambda: flows.ConditionalHouseholder(4, NET)),
    ("ConditionalHouseholder expects at least 1 reflection, but got 0",
     lambda: flows.ConditionalHouseholder(4, NET, 2, 0)),
    (r"FixedLinear expects a square matrix, but got shape \[2, 3\]",
     lambda: flows.FixedLinear(np.ones((2, 3)))),
    (r"FixedLinear expects an offset of shape \[2\], but got \[3\]",
     lambda: flows.FixedLinear(np.eye(2), np.ones(3))),
    ("FixedLinear expects a matrix that is not singular",
     lambda: flows.FixedLinear(np.ones((2, 2)))),
    ("ActNorm expects a start above 0 and below 10, but got 10",
     lambda: flows.ActNorm(2, "sigmoid", 10)),
    ("Haar expects a positive rebalance, but got 0", lambda: flows.Haar(0)),
    ("ActNorm expects a scale out of exp, softplus, sigmoid",
     lambda: flows.ActNorm(2, "identity")),
    ("Sigmoid expects low < high, but got 1 and 0", lambda: flows.Sigmoid(1, 0)),
    ("LeakyReLU expects a positive slope", lambda: flows.LeakyReLU(0)),
    ("ExpClamp expects a positive clamp", lambda: flows.ExpClamp(0)),
    ("Householder expects at least 1 reflection", lambda: flows.Householder(3, 0)),
    ("Orthogonal expects a parametrization out of cayley, exp, householder, but got 'qr'",
     lambda: flows.Orthogonal(3, "qr")),
    ("Permute expects a permutation of 3 channels", lambda: flows.Permute(3, [0, 1, 1])),
    ("Wavelet expects an order in 1, ..., 10, but got 11", lambda: flows.Wavelet(11)),
    ("Downsample expects a positive factor for each of 2", lambda: flows.Downsample(1, 2, (2,))),
    ("Downsample expects factors of 2 and at most 3 dimensions for the start 'haar'",
     lambda: flows.Downsample(1, 2, 3)),
    ("Downsample expects a start out of", lambda: flows.Downsample(1, start="identity")),
    ("HINT expects at least 2 channels", lambda: flows.HINT(1, NET)),
    ("HINT expects a permute out of", lambda: flows.HINT(2, NET, permute="all")),
    ("RationalQuadraticSplineCoupling expects at least 1 bin and a positive bound",
     lambda: flows.RationalQuadraticSplineCoupling(2, NET, bins=0)),
    ("LinearSpline expects at least 1 bin", lambda: flows.LinearSpline(2, bound=0)),
    ("IRIMCoupling expects a split of at least 1", lambda: flows.IRIMCoupling(1, NET)),
    ("Hyperbolic expects an odd window", lambda: flows.Hyperbolic(2, window=2)),
    (r"Momentum expects a gamma in \(0, 1\], but got 0",
     lambda: flows.Momentum(memrev.nn.Linear(2, 2), 0)),
    ("Squeeze expects a pattern out of", lambda: flows.Squeeze("rows")),
    ("Split expects at least 2 positive numbers", lambda: flows.Split(3)),
    ("Reshape expects shapes of equally many elements", lambda: flows.Reshape((3,), (2,))),
    ("ConvNet expects 1, 2 or 3 dimensions of space", lambda: flows.ConvNet(1, 1, rank=4)),
    ("ConvNet expects 2 windows for 1 hidden", lambda: flows.ConvNet(1, 1, hidden=(3,))),
    ("ResidualBlock expects an outer window", lambda: flows.ResidualBlock(1, 1, windows=(3, 3),
                                                                         strides=2)),
    ("Repeat expects a count of at least 1", lambda: flows.Repeat(flows.Reverse(), 0)),
])
def test_errors_of_constructors(message, make):
    with pytest.raises(ValueError, match=message):
        make()
