# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Densities, samples and losses of memrev.flows."""

import math

import numpy as np
import pytest

import memrev
import slow
from flows_check import check_slope, difference, largest, normal
from memrev import flows, tree

NET = flows.dense(6, activation=np.tanh)


def random(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape)


def perturbed(model, seed=0, spread=0.3):
    variables = model.init(seed, np.float64)
    generator = np.random.default_rng(seed)
    return (tree.map(lambda a: a + spread * generator.standard_normal(a.shape),
                     variables["params"]), variables["state"])


def call(model, params, state, *args, method=None, rng=None):
    """A method, compiled; arguments that are ShapeDtypes are no arrays."""
    fixed = [isinstance(tree.leaves(a)[0], memrev.ShapeDtype) for a in args]

    def function(params, arrays):
        arrays = iter(arrays)
        given = [a if is_type else next(arrays) for a, is_type in zip(args, fixed)]
        return model.apply(params, state, *given, method=method, rng=rng)[0]

    return memrev.jit(function)(params, [a for a, is_type in zip(args, fixed) if not is_type])


def log_normal(x, mean, covariance):
    """The log density of normal distributions, from its definition."""
    away = x - mean
    return -0.5 * (np.einsum("bi,ij,bj->b", away, np.linalg.inv(covariance), away)
                   + np.linalg.slogdet(2 * np.pi * covariance)[1])


# ------------------------------------------------------------------------------
# Distributions
# ------------------------------------------------------------------------------


def test_standard_normal_of_several_arrays():
    z = (random(0, 5, 2, 3), random(1, 5, 4))
    found = call(flows.StandardNormal(), {}, {}, z)
    rows = np.concatenate([z[0].reshape(5, 6), z[1]], axis=1)
    assert np.allclose(found, log_normal(rows, 0, np.eye(10)), rtol=1e-13)


def test_diagonal_normal():
    base = flows.DiagonalNormal(2, 2)
    params, _ = perturbed(base)
    z = random(0, 5, 2, 2)
    expected = log_normal(z.reshape(5, 4), params["mean"].reshape(4),
                          np.diag(np.exp(2 * params["log_scale"].reshape(4))))
    assert np.allclose(call(base, params, {}, z), expected, rtol=1e-13)


def upper(params, k):
    factor = np.triu(params["factors"][k], 1)
    return factor + np.diag(np.exp(np.diag(params["factors"][k])))


def test_mixture():
    base = flows.GaussianMixture(3, 2)
    params, _ = perturbed(base)
    z = random(0, 6, 2)
    each = np.stack([log_normal(z, params["means"][k], np.linalg.inv(
        upper(params, k).T @ upper(params, k))) for k in range(3)])
    weights = np.exp(params["logits"]) / np.exp(params["logits"]).sum()
    assert np.allclose(call(base, params, {}, z), np.log(weights @ np.exp(each)), rtol=1e-12)
    classes = np.array([0, 1, 2, 2, 1, 0], np.int32)
    assert np.allclose(call(base, params, {}, z, classes), each[classes, np.arange(6)],
                       rtol=1e-12)


@pytest.mark.parametrize("base, shape", [
    (flows.StandardNormal(), (3,)), (flows.DiagonalNormal(3), (3,)),
    (flows.GaussianMixture(2, 3), (3,))])
def test_samples_have_the_density(base, shape):
    """The means of x and x x^T are those of the density, integrated by importance sampling."""
    params, _ = perturbed(base, seed=3)
    count = 200000
    x = call(base, params, {}, memrev.ShapeDtype((count, *shape), np.float64), method="sample",
             rng=(1, 2))
    again = call(base, params, {}, memrev.ShapeDtype((count, *shape), np.float64),
                 method="sample", rng=(1, 2))
    assert difference(x, again) == 0
    wide = 2.5 * np.random.default_rng(0).standard_normal(x.shape)
    log_weights = call(base, params, {}, wide) - log_normal(wide, 0, 6.25 * np.eye(3))
    weights = np.exp(log_weights) / count
    assert abs(weights.sum() - 1) < 0.02
    assert np.abs(x.mean(axis=0) - weights @ wide).max() < 0.05
    assert np.abs(x.T @ x / count - (weights[:, None] * wide).T @ wide).max() < 0.1


def test_components_are_as_frequent_as_their_weights():
    base = flows.GaussianMixture(4, 1)
    logits = np.array([2.0, 1.0, 0.0, -1.0])
    params = {"logits": logits, "means": 20 * np.arange(4.0)[:, None],
              "factors": np.zeros((4, 1, 1))}
    x = call(base, params, {}, memrev.ShapeDtype((100000, 1), np.float64), method="sample",
             rng=(0, 0))
    found = np.bincount(np.round(x[:, 0] / 20).astype(int), minlength=4) / len(x)
    assert np.abs(found - np.exp(logits) / np.exp(logits).sum()).max() < 0.01


def test_samples_of_given_components():
    base = flows.GaussianMixture(2, 3)
    params, _ = perturbed(base, seed=3)
    classes = np.repeat(np.arange(2), 50000).astype(np.int32)
    x = call(base, params, {}, memrev.ShapeDtype((100000, 3), np.float64), classes,
             method="sample", rng=(0, 0))
    for k in range(2):
        chosen = x[classes == k]
        covariance = np.linalg.inv(upper(params, k).T @ upper(params, k))
        assert np.abs(chosen.mean(axis=0) - params["means"][k]).max() < 0.05
        assert np.abs(np.cov(chosen.T) - covariance).max() < 0.05 * covariance.max()


# ------------------------------------------------------------------------------
# Flows
# ------------------------------------------------------------------------------


def glow(base=None):
    return flows.Flow(flows.Glow(4, 2, 2, NET, rank=0), base)


def test_densities_are_those_of_each_sample():
    flow = glow()
    params, state = perturbed(flow)
    x = random(1, 5, 4)
    log_prob = call(flow, params, state, x)
    single = [call(flow, params, state, x[i:i + 1]) for i in range(2)]
    assert np.allclose(log_prob[:2], np.concatenate(single), rtol=1e-12)
    assert np.allclose(call(flow, params, state, x, method="negative_log_likelihood"),
                       -log_prob.mean(), rtol=1e-13)


def test_densities_integrate_to_one():
    flow = flows.Flow(flows.RealNVP(2, 2, 1, NET, rank=0, split=False))
    params, state = perturbed(flow)
    x = 4 * np.random.default_rng(0).standard_normal((400000, 2))
    weights = np.exp(call(flow, params, state, x) - log_normal(x, 0, 16 * np.eye(2)))
    assert abs(weights.mean() - 1) < 0.02


def test_samples_come_with_their_density():
    flow = glow()
    params, state = perturbed(flow)
    like = flows.latents_like(flow.network, memrev.ShapeDtype((7, 4), np.float64))
    assert [leaf.shape for leaf in like] == [(7, 2), (7, 2)]
    x, log_prob = call(flow, params, state, like, method="sample", rng=(3, 1))
    assert x.shape == (7, 4)
    assert np.allclose(call(flow, params, state, x), log_prob, rtol=1e-10)


def test_gradients_of_each_policy_and_hessian_products():
    flow = glow()
    params, state = perturbed(flow)
    generator = np.random.default_rng(1)
    x = random(1, 5, 4)
    tangents = normal(generator, params)

    def loss(params):
        return flow.apply(params, state, x, method="negative_log_likelihood")[0]

    gradient = {policy: memrev.jit(memrev.grad(loss, policy=policy))
                for policy in ("store", "invert")}
    stored = gradient["store"](params)
    assert difference(gradient["invert"](params), stored) <= 1e-12 * largest(stored)
    product, = memrev.hvp(loss, (params,), (tangents,))
    step = 1e-5
    ahead, behind = (gradient["store"](tree.map(lambda a, d: a + sign * step * d, params,
                                                tangents)) for sign in (1, -1))
    expected = tree.map(lambda a, b: (a - b) / (2 * step), ahead, behind)
    assert difference(product, expected) <= 1e-7 * largest(expected)


def along(loss):
    """The derivative of a loss of parameters in a direction."""
    return lambda params, tangents: memrev.jvp(loss, (params,), (tangents,))[1]


#: Blocks of loops: couplings with log-determinants of all kinds, in both directions; layers that
#: name their inverses, one with rules of its own for derivatives.
CHAINS = {
    "couplings": lambda: flows.Sequential(
        flows.AffineCoupling(4, NET, two_sided=True, scale="sigmoid"),
        flows.Inverse(flows.AffineCoupling(4, NET, scale="atan")),
        flows.AdditiveCoupling(4, NET)),
    "glow": lambda: flows.Sequential(
        flows.ActNorm(4), flows.Householder(4, 2), flows.LULinear(4), flows.Permute(4),
        flows.Orthogonal(4), flows.AffineCoupling(4, NET)),
    "splines": lambda: flows.Sequential(
        flows.ActNorm(4), flows.LinearSplineCoupling(4, NET, bins=3), flows.LeakyReLU(0.5)),
    "residual": lambda: flows.IResNet(flows.LipschitzNet(4, (5,), activation=np.tanh), "dense"),
}


@pytest.mark.parametrize("name", slow.but(("couplings", "splines"), CHAINS))
def test_gradients_of_directional_derivatives(name):
    """Reverse over forward mode is forward over reverse mode, and what storing gives."""
    flow = flows.Flow(flows.Repeat(CHAINS[name](), 3))
    params, state = perturbed(flow)
    x = random(1, 5, 4)
    tangents = normal(np.random.default_rng(1), params)

    def loss(params):
        return flow.apply(params, state, x, method="negative_log_likelihood")[0]

    stored, inverted = (memrev.jit(memrev.grad(along(loss), policy=policy))(params, tangents)
                        for policy in ("store", "invert"))
    # What is iterated is as exact as the iterations.
    most = 1e-9 if name == "residual" else 1e-11
    assert difference(inverted, stored) <= most * largest(stored)
    product, = memrev.hvp(loss, (params,), (tangents,))
    assert difference(product, stored) <= most * largest(stored)
    assert largest(stored) > 1e-2


@pytest.mark.parametrize("name", slow.but(("couplings", "splines"), CHAINS))
def test_gradients_of_directional_derivatives_store_nothing(name):
    def workspace(depth, policy):
        flow = flows.Flow(flows.Repeat(CHAINS[name](), depth))
        params, state = perturbed(flow)
        text = memrev.jit(memrev.grad(along(lambda params: flow.apply(
            params, state, random(1, 64, 4), method="negative_log_likelihood")[0]),
            policy=policy)).mlir(params, params)
        return memrev.compile(text, until="bufferize").memory_report()[0]["workspace_bytes"]

    assert workspace(16, "invert") == workspace(4, "invert")
    assert workspace(16, "store") > 2 * workspace(4, "store")


def test_hessian_products_through_loops_and_splines():
    flow = flows.Flow(flows.NeuralSplineFlow(2, 2, NET, bins=2, mix=1),
                      flows.GaussianMixture(2, 2))
    params, state = perturbed(flow)
    x = random(1, 4, 2)
    tangents = normal(np.random.default_rng(1), params)

    def loss(params):
        return flow.apply(params, state, x, method="negative_log_likelihood")[0]

    product, = memrev.hvp(loss, (params,), (tangents,))
    gradient, step = memrev.jit(memrev.grad(loss)), 1e-5
    ahead, behind = (gradient(tree.map(lambda a, d: a + sign * step * d, params, tangents))
                     for sign in (1, -1))
    expected = tree.map(lambda a, b: (a - b) / (2 * step), ahead, behind)
    assert difference(product, expected) <= 1e-6 * largest(expected)


class Loss:
    """A function of parameters alone as `check_slope` takes it."""

    def __init__(self, function):
        self.function = memrev.jit(lambda params: (function(params),))


def test_reverse_divergence():
    """Its gradient; and it is zero for the density itself."""
    flow = flows.Flow(flows.Repeat(flows.AffineCoupling(2, NET, two_sided=True), 2))
    params, state = perturbed(flow)
    like = memrev.ShapeDtype((6, 2), np.float64)

    def loss(params):
        return flow.apply(params, state, lambda x: -0.25 * (x ** 4).sum(axis=1), like,
                          method="reverse_kl", rng=(0, 0))[0]

    gradient = memrev.jit(memrev.grad(loss))(params)
    cotangents = (np.ones(()),)
    check_slope(Loss(loss), (params,), cotangents, (gradient,), np.random.default_rng(0))

    def itself(params):
        return flow.apply(params, state, flow.log_prob,
                          like, method="reverse_kl", rng=(0, 0))[0]

    assert abs(memrev.jit(itself)(params)) < 1e-12


def test_bits_per_dimension():
    """Of uniform noise, log2 of the values."""
    flow = flows.Flow(flows.Inverse(flows.Sigmoid()), Logistic())
    x = np.random.default_rng(0).integers(0, 16, (50, 2, 2, 3)).astype(np.int32)
    bits = memrev.jit(lambda x: flow.apply({}, {}, x, None, 16, method="bits_per_dimension",
                                           rng=(0, 0))[0])(x)
    assert bits.shape == (50,) and np.allclose(bits, 4, atol=1e-4)
    y = memrev.jit(lambda x: flows.dequantize(x, 16, 0))(x)
    assert y.dtype == np.float32 and (np.floor(16 * y) == x).all()
    assert np.allclose(flows.bits_per_dimension(np.array([-6 * math.log(2)]), 3, 1), 2)


class Logistic(flows.Distribution):
    """What the logit makes of uniform numbers."""

    def log_prob(self, z, cond=None):
        return (-memrev.lax.softplus(z) - memrev.lax.softplus(-z)).sum(axis=(1, 2, 3))


def test_errors():
    x = np.ones((4, 3), np.float32)
    for message, base in (
            (r"DiagonalNormal expects samples of shape \[2\], but got shape \[4, 3\]",
             flows.DiagonalNormal(2)),
            (r"GaussianMixture expects an array \[batch, 2\], but got shape \[4, 3\]",
             flows.GaussianMixture(1, 2))):
        with pytest.raises(ValueError, match=message):
            call(base, base.init(0)["params"], {}, x)
    with pytest.raises(ValueError, match="GaussianMixture expects at least 1 component and 1 "
                                         "feature, but got 0 and 2"):
        flows.GaussianMixture(0, 2)
    flow = flows.Flow(flows.Reverse())
    with pytest.raises(ValueError, match="StandardNormal expects apply"):
        call(flow, {}, {}, memrev.ShapeDtype((2, 2)), method="sample")
    with pytest.raises(ValueError, match="Flow expects apply"):
        memrev.jit(lambda x: flow.apply({}, {}, x, method="bits_per_dimension")[0])(x)
    for method in ("log_prob", "sample"):
        with pytest.raises(NotImplementedError, match=f"Distribution expects a method {method}"):
            call(flows.Distribution(), {}, {}, x, method=method)
