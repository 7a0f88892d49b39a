# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Couplings of memrev.flows: each against its dense Jacobian, by inversion and by storing."""

import re

import numpy as np
import pytest

import memrev
from flows_check import check, difference, largest
from memrev import flows, tree


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
    "affine by a function": lambda: flows.AffineCoupling(4, NET, scale=np.sin, clamp=0.5),
    "glow": lambda: flows.GlowCoupling(4, NET),
    "rnvp": lambda: flows.RNVPCoupling(5, NET),
    "gin": lambda: flows.GINCoupling(5, NET),
    "gin by a function": lambda: flows.GINCoupling(3, NET, scale=np.sin, clamp=0.5),
    "all in one": lambda: flows.AllInOne(5, NET),
    "all in one, gin, orthogonal": lambda: flows.AllInOne(
        4, NET, gin=True, mix="orthogonal", scale="softplus"),
    "all in one, reflections": lambda: flows.AllInOne(3, NET, mix=2, scale="sigmoid"),
    "all in one, mixed back": lambda: flows.AllInOne(4, NET, mix=1, start=0.7, undo=True),
    "rational-quadratic": lambda: flows.RationalQuadraticSplineCoupling(4, NET, bins=3),
    "rational-quadratic, two-sided": lambda: flows.RationalQuadraticSplineCoupling(
        3, NET, two_sided=True, bins=2, bound=1.5),
    "rational-quadratic, learned box": lambda: flows.RationalQuadraticSplineCoupling(
        3, NET, bins=2, bound=1, learn_box=True),
    "linear spline": lambda: flows.LinearSplineCoupling(4, NET, bins=3, split=3),
    "irim": lambda: flows.IRIMCoupling(5, NET),
    "hint": lambda: flows.HINT(7, NET, leaf=2),
    "hint by a function": lambda: flows.HINT(4, NET, leaf=2, scale=np.sin, clamp=0.5),
    "hint, own": lambda: flows.HINT(5, NET, leaf=3, shared=False, scale="atan"),
    **{f"hint, {permute}": (lambda permute=permute: flows.HINT(5, NET, leaf=3, permute=permute))
       for permute in ("both", "lower")},
}


@pytest.mark.parametrize("name", COUPLINGS)
def test_vectors(name):
    model = COUPLINGS[name]()
    check(model, random(1, model.channels, model.channels))


def test_hint_of_one_channel_parts_and_a_condition():
    model = flows.HINT(3, NET, leaf=1, condition=2)
    check(model, random(1, 3, 3), random(2, 3, 2))


def test_conditional_hint():
    model = flows.ConditionalHINT(3, 2, NET, leaf=2)
    check(model, (random(1, 5, 3), random(2, 5, 2)))


PAIRS = {
    "leapfrog": lambda: flows.Leapfrog(flows.DenseNet(3, 3, (4,), np.tanh), 0.5),
    "hyperbolic": lambda: flows.Hyperbolic(3, 2, rank=1, step=0.7, activation=np.tanh),
    "hyperbolic, 3-D": lambda: flows.Hyperbolic(1, 2, rank=3, activation=np.tanh),
    "momentum": lambda: flows.Momentum(flows.DenseNet(3, 3, (4,), np.tanh), 0.8),
}


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("repeated", [False, True])
def test_pairs(name, repeated):
    shape = {"hyperbolic": (2, 3), "hyperbolic, 3-D": (1, 2, 2, 1)}.get(name, (3,))
    count = 2 * int(np.prod(shape))
    model = flows.Repeat(PAIRS[name](), 3) if repeated else PAIRS[name]()
    check(model, (random(1, count, *shape), random(2, count, *shape)), spread=0.2)


# ------------------------------------------------------------------------------
# Networks in couplings
# ------------------------------------------------------------------------------


def net_of(kind):
    return {
        "residual": flows.residual(3, rank=1, activation=np.tanh),
        "residual, gated, strided": flows.residual(3, windows=(4, 3), strides=2, rank=1,
                                                   gated=True, activation=np.tanh),
        "residual, 2-D": flows.residual(2, activation=np.tanh),
        "convolutional": flows.convolutional(3, windows=(3, 1), rank=1, activation=np.tanh),
    }[kind]


@pytest.mark.parametrize("kind, shape", [
    ("residual", (2, 3)), ("residual, gated, strided", (4, 2)), ("residual, 2-D", (2, 2, 2)),
    ("convolutional", (3, 2))])
def test_networks(kind, shape):
    model = flows.AffineCoupling(shape[-1], net_of(kind), scale="sigmoid")
    check(model, random(1, int(np.prod(shape)), *shape), spread=0.2)


@pytest.mark.parametrize("factory", [
    flows.dense(), flows.dense(4, 5, 6), flows.convolutional(rank=1),
    flows.residual(rank=1)])
def test_flows_start_at_the_identity(factory):
    model = flows.AffineCoupling(3, factory)
    variables = model.init(0, np.float64)
    x = random(1, 2, 4, 3)
    y, log_det = memrev.jit(lambda p, x: model.apply(p, {}, x)[0])(variables["params"], x)
    assert difference(y, x) == 0 and largest(log_det) == 0


# ------------------------------------------------------------------------------
# What peers get wrong
# ------------------------------------------------------------------------------


def gradients(model, params, x, cotangents):
    return memrev.jit(lambda params: memrev.vjp(
        lambda params: model.apply(params, {}, x)[0], params)[1](cotangents)[0])(params)


def test_gradients_of_shared_networks_are_sums():
    """InvertibleNetworks.jl overwrites them: an error of 80 to 90 percent at each scale."""
    shared, own = (flows.HINT(8, NET, leaf=2, shared=s) for s in (True, False))
    generator = np.random.default_rng(0)
    params = tree.map(lambda a: a + 0.3 * generator.standard_normal(a.shape),
                      shared.init(0, np.float64)["params"])
    nets = [None] * len(own.nets)
    for place, n in own.places.items():
        nets[n] = params["nets"][shared.places[place]]
    x, cotangents = random(1, 6, 8), (random(2, 6, 8), random(3, 6))
    found = gradients(shared, params, x, cotangents)["nets"]
    each = gradients(own, {"nets": dict(enumerate(nets))}, x, cotangents)["nets"]
    assert len(found) == 3 and len(each) == 7
    for n in range(len(found)):
        parts = [each[own.places[place]] for place, m in shared.places.items() if m == n]
        total = tree.map(lambda *arrays: sum(arrays), *parts)
        assert difference(found[n], total) < 1e-12 * largest(total)
        assert len(parts) == 2 ** n


def test_hint_of_sequences():
    """InvertibleNetworks.jl recurs in one direction only for 1-D data."""
    check(flows.HINT(4, NET, leaf=2), random(1, 8, 2, 4))


@pytest.mark.parametrize("scale", [30.0, 300.0])
def test_splines_of_extreme_parameters(scale):
    """In float32, at knots too: FrEIA and nflows stop at a negative discriminant."""
    generator = np.random.default_rng(0)
    x = np.concatenate([generator.uniform(-4, 4, 2000), np.linspace(-3, 3, 49)]).astype(np.float32)
    for spline, count in (flows.rational_quadratic_spline, 23), (flows.linear_spline, 16):
        logits = (scale * generator.standard_normal((x.size, count))).astype(np.float32)
        y, slope = memrev.jit(spline)(x, logits)
        back, inverse_slope = memrev.jit(lambda y, p: spline(y, p, inverse=True))(y, logits)
        for found in (y, slope, back, inverse_slope):
            assert np.isfinite(found).all()
        assert np.abs(y).max() <= 4
        # What a step of y is wide, x can be told by.
        assert (np.abs(back - x) <= 1e-4 + 1e-5 * np.exp(-slope)).mean() > 0.999


@pytest.mark.parametrize("coupling", [flows.RationalQuadraticSplineCoupling,
                                      flows.LinearSplineCoupling])
@pytest.mark.parametrize("method", [None, "inverse"])
def test_a_bin_is_searched_once_in_the_backward_pass(coupling, method):
    """And the network is evaluated once: by the inverse, which tells the derivatives what it
    has found."""
    model = flows.Repeat(coupling(4, flows.dense(5, activation=np.tanh), bins=3), 6)
    params = model.init(0, np.float64)["params"]

    def loss(params, x):
        y, log_det = model.apply(params, {}, x, method=method)[0]
        return (y * y).sum() - log_det.sum()

    text = memrev.jit(memrev.grad(loss)).mlir(params, random(0, 7, 4))
    functions = memrev.compile(text, until="differentiate", ir=True).ir.split("func.func ")
    searches = {f.split("(")[0].split("@")[1]: len(re.findall(
        r"cmpf oge, .* : tensor<7x2x2xf64>", f)) for f in functions[1:]}
    weights = {f.split("(")[0].split("@")[1]: len(re.findall(
        r"math.exp .* : tensor<7x2x3xf64>", f)) for f in functions[1:]}
    gradient = next(f for f in functions if "_value_and_grad(" in f.splitlines()[0])
    assert "scf.for" in gradient
    called = re.findall(r"call @([\w.]+)\(", gradient)
    # One direction forward, the other one and the derivative backward.
    assert len(called) == 3
    assert sorted(searches[name] for name in called) == [0, 1, 1]
    assert sorted(weights[name] for name in called) == [0, 2, 2]
    # Two layers: forward, again, and two products for the derivative of each.
    assert gradient.count("linalg.matmul") == 2 + 2 + 4


def test_splines_are_the_identity_at_first_and_outside():
    x = np.linspace(-5, 5, 41)
    for spline, count in (flows.rational_quadratic_spline, 11), (flows.linear_spline, 8):
        y, slope = memrev.jit(spline)(x, np.zeros((41, count)))
        assert difference(y, x) < 1e-14 and largest(slope) < 1e-14
        outside = np.abs(x) > 3
        y, slope = memrev.jit(spline)(x, np.repeat(random(0, 1, count), 41, axis=0))
        assert (y[outside] == x[outside]).all() and (slope[outside] == 0).all()
        assert (np.diff(y) > 0).all() and largest(slope) > 0.1


@pytest.mark.parametrize("spline, count", [(flows.rational_quadratic_spline, 11),
                                           (flows.linear_spline, 8)])
def test_a_learned_box_is_a_spline_between_affine_maps(spline, count):
    x = np.linspace(-4, 6, 41)
    logits, (m, a, n, b) = random(0, 1, count), (1.5, -0.5, -0.7, 0.4)
    r, s = np.exp(2 * np.tanh(np.array([a, b]) / 4))
    both = np.concatenate([logits, [[m, a, n, b]]], axis=1)
    y, slope = memrev.jit(lambda x, p: spline(x, p, 2.0, learn_box=True))(
        x, np.repeat(both, 41, axis=0))
    inner, inner_slope = memrev.jit(lambda x, p: spline(x, p, 2.0))(
        (x - m) / r, np.repeat(logits, 41, axis=0))
    assert difference(y, n + s * inner) < 1e-13
    assert difference(slope, inner_slope + np.log(s / r)) < 1e-13
    outside = np.abs(x - m) > 2 * r
    assert 10 < outside.sum() < 40
    assert difference(y[outside], n + (x[outside] - m) * s / r) < 1e-13
    back, inverse_slope = memrev.jit(
        lambda y, p: spline(y, p, 2.0, inverse=True, learn_box=True))(
            y, np.repeat(both, 41, axis=0))
    assert difference(back, x) < 1e-12 and difference(inverse_slope, -slope) < 1e-12


@pytest.mark.slow
def test_learned_boxes_train():
    """Their sizes are clamped: gradients by inversion stay those of stored values in float32,
    where parameters have moved."""
    model = flows.NeuralSplineFlow(3, 2, flows.dense(16, activation=np.tanh), bins=3,
                                   learn_box=True)
    variables = model.init(0)
    generator = np.random.default_rng(0)
    x = (2 * generator.standard_normal((64, 3)) + 1).astype(np.float32)

    def loss(params):
        z, log_det = model.apply(params, variables["state"], x)[0]
        return (0.5 * (z * z).sum(axis=1) - log_det).mean()

    steps = {policy: memrev.jit(memrev.value_and_grad(loss, policy=policy))
             for policy in ("invert", "store")}
    params, values = variables["params"], []
    for _ in range(25):
        value, gradient = steps["invert"](params)
        stored = steps["store"](params)[1]
        assert difference(gradient, stored) < 1e-4 * largest(stored)
        values.append(value)
        params = tree.map(lambda p, g: (p - 0.02 * g).astype(np.float32), params, gradient)
    assert values[-1] < values[0] - 1


def test_64_blocks_near_the_identity_invert():
    model = flows.Repeat(flows.AllInOne(8, flows.dense(32, zero_init=False)), 64)
    variables = model.init(0)
    x = random(1, 16, 8).astype(np.float32)

    @memrev.jit
    def round_trip(params, x):
        (y, _), _ = model.apply(params, variables["state"], x)
        return y, model.apply(params, variables["state"], y, method="inverse")[0][0]

    y, back = round_trip(variables["params"], x)
    assert np.abs(y - x).max() > 0.1 and np.abs(back - x).max() < 3e-6
