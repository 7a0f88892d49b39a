# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Programs without loops that are inverted by the edges of their operations."""

import numpy as np
import pytest

import memrev
import memrev.numpy as mnp
from memrev import lax

import numeric

ROWS, WIDTH = 16, 8
SHUFFLE = np.random.default_rng(5).permutation(2 * WIDTH)
# An orthogonal matrix.
MIX = np.linalg.qr(np.random.default_rng(6).standard_normal((2 * WIDTH, 2 * WIDTH)))[0]


def revnet(x, weights):
    a, b = x
    for w in weights:
        a = a + mnp.tanh(b @ w) @ w
        b = b - mnp.sin(a @ w)
    return a, b


def relu_revnet(x, weights):
    """Its derivative jumps: masks come from what is evaluated again."""
    a, b = x
    for w in weights:
        a = a + mnp.maximum(b @ w, 0) @ w
        b = b + mnp.maximum(a @ w, 0) @ w
    return a, b


def leapfrog(x, weights):
    before, now = x
    for w in weights:
        before, now = now, 2 * now - before + 0.01 * mnp.sin(now @ w)
    return before, now


def wave(x, weights):
    """A stencil, and a velocity that all steps share."""
    before, now = x
    for _ in weights:
        shifted = mnp.concatenate([now[1:], now[:1]]) - 2 * now
        before, now = now, 2 * now - before + 0.01 * weights[0][0] * mnp.sin(shifted)
    return before, now


def couplings_between(layer):
    """Couplings of the halves of one array, with a layer in between."""
    def run(x, weights):
        y = mnp.concatenate(x, axis=1)
        for w in weights:
            y = layer(y)
            a, b = y[:, :WIDTH], y[:, WIDTH:]
            a = lax.coupling("additive", a, [b], lambda c: mnp.tanh(c @ w))
            y = mnp.concatenate([a, b], axis=1)
        return y[:, :WIDTH], y[:, WIDTH:]
    return run


def transposed(y):
    pairs = mnp.transpose(mnp.reshape(y, (ROWS, 2, WIDTH)), (0, 2, 1))
    return mnp.reshape(pairs, (ROWS, 2 * WIDTH))


@memrev.custom_inverse(inverse=lambda y, scale, shift: (y - shift) / scale)
def actnorm(x, scale, shift):
    return x * scale + shift


@memrev.custom_inverse(inverse=lambda y: y @ MIX.T)
def mixed(x):
    return x @ MIX


@memrev.jit
def block(a, b, w):
    a = a + mnp.tanh(b @ w) @ w
    return a, b - mnp.sin(a @ w)


def called(x, weights):
    """A function that is called for each block."""
    for w in weights:
        x = block(*x, w)
    return x


def resnet(x, weights):
    a, b = x
    for w in weights:
        a = a + mnp.tanh(a @ w) @ w
    return a, b


INVERTED = {
    "revnet": revnet,
    "relu_revnet": relu_revnet,
    "called": called,
    "leapfrog": leapfrog,
    "wave": wave,
    "permutation": couplings_between(lambda y: y[:, SHUFFLE]),
    "transpose": couplings_between(transposed),
    "flip": couplings_between(lambda y: y[:, ::-1]),
    "actnorm": couplings_between(lambda y: actnorm(y, np.float64(1.25), np.float64(0.5))),
    "orthogonal": couplings_between(mixed),
}
NETWORKS = pytest.mark.parametrize("network", list(INVERTED))


def loss_of(network, depth):
    def loss(x, weights):
        a, b = network(x, [weights[i] for i in range(depth)])
        return mnp.sum(mnp.sin(a) * b)
    return loss


def gradient(network, depth, policy="invert"):
    return memrev.jit(memrev.grad(loss_of(network, depth), argnums=(0, 1), policy=policy))


def workspace(network, depth, policy="invert"):
    halves = (memrev.ShapeDtype((ROWS, WIDTH), np.float64),) * 2
    weights = memrev.ShapeDtype((depth, WIDTH, WIDTH), np.float64)
    return gradient(network, depth, policy).memory_report(halves, weights)


def numbers(depth):
    rng = np.random.default_rng(depth)
    return tuple(rng.standard_normal((2, ROWS, WIDTH))), 0.3 * rng.standard_normal(
        (depth, WIDTH, WIDTH))


def compare(found, expected, tolerance):
    for a, b in zip(memrev.tree.leaves(found), memrev.tree.leaves(expected)):
        assert np.abs(b).max() > 0
        assert np.abs(a - b).max() <= tolerance * np.abs(b).max()


@NETWORKS
def test_bytes_do_not_depend_on_depth(network):
    network = INVERTED[network]
    few, many = (workspace(network, depth)["workspace_bytes"] for depth in (8, 24))
    assert many <= few
    stored = workspace(network, 24, "store")["workspace_bytes"]
    assert stored >= many + 16 * ROWS * WIDTH * 8


@NETWORKS
def test_gradients_equal_stored_ones(network):
    depth = 8
    network = INVERTED[network]
    x, weights = numbers(depth)
    compare(gradient(network, depth)(x, weights), gradient(network, depth, "store")(x, weights),
            1e-12 * depth)


def test_states_that_are_zero_at_many_elements():
    """What a stem rectifies ties with zero, and the first blocks rectify it again: a mask of a
    state with rounding errors would differ at half of the ties. The gradients of biases, which
    are zeros at first, tell: those of the state are lost in the stem."""
    depth = 8

    def preactivated(x, weights):
        *halves, biases = x
        a, b = (mnp.maximum(half @ weights[0], 0) for half in halves)
        for i, w in enumerate(weights):
            a = a + mnp.maximum(b + biases[i], 0) @ w
            b = b + mnp.maximum(a + biases[i], 0) @ w
        return a, b

    halves, weights = numbers(depth)
    x = *halves, np.zeros((depth, WIDTH))
    inverting = gradient(preactivated, depth)
    compare(inverting(x, weights), gradient(preactivated, depth, "store")(x, weights),
            1e-12 * depth)
    values = inverting.memory_report(x, weights)["values"]
    assert len([v for v in values if v["strategy"] == "inverted"]) >= 14


@pytest.mark.parametrize("network", ["revnet", "wave", "permutation", "actnorm"])
def test_taylor(network):
    depth = 4
    x, weights = numbers(depth)
    loss = loss_of(INVERTED[network], depth)
    step, found = memrev.jit(loss), gradient(INVERTED[network], depth)(x, weights)
    arrays = {"a": x[0], "b": x[1], "w": weights}
    gradients = {"a": found[0][0], "b": found[0][1], "w": found[1]}
    order = numeric.taylor_order(lambda v: step((v["a"], v["b"]), v["w"]), arrays, gradients,
                                 numeric.direction(arrays, 1), [1e-3, 5e-4, 2e-4, 1e-4])
    assert order == pytest.approx(2, abs=0.1)


@pytest.mark.parametrize("network", ["revnet", "leapfrog", "permutation", "actnorm"])
def test_second_derivatives(network):
    depth = 5
    x, weights = numbers(depth)
    along = np.random.default_rng(0).standard_normal(weights.shape)

    def product(policy):
        first = memrev.grad(loss_of(INVERTED[network], depth), argnums=1, policy=policy)
        return memrev.jit(memrev.grad(lambda x, w: mnp.sum(along * first(x, w)),
                                      argnums=(0, 1), policy=policy))

    compare(product("invert")(x, weights), product("store")(x, weights), 1e-11)


def test_derivatives_of_derivatives_go_around_what_stops_gradients():
    """h could be had back from y, but not the derivatives by h."""
    def f(x):
        h = mnp.exp(x)
        cos = mnp.cos(h)
        y = memrev.stop_gradient(h)
        return mnp.sum(y * cos * mnp.sin(y))

    x = np.linspace(0.1, 1, 4)
    # Of y' = 0 and h' = h.
    h = np.exp(x)
    expected = h * np.sin(h) * (-np.cos(h) * h * h - np.sin(h) * h)
    for policy in ("store", "invert"):
        found = memrev.jit(lambda x, p=policy: memrev.hvp(
            f, (x,), (np.ones(4),), policy=p)[0])(x)
        assert np.abs(found - expected).max() < 1e-13


def test_report_says_what_is_inverted():
    report = workspace(revnet, 8)
    state = ROWS * WIDTH * 8
    inverted = [v for v in report["values"] if v["strategy"] == "inverted"]
    assert len(inverted) >= 14 and all(v["bytes"] == state for v in inverted)


def test_what_is_no_chain_is_left_alone():
    """A ResNet stores as before, and a block or two are not worth evaluating again."""
    report = workspace(resnet, 8)
    assert all(v["strategy"] != "inverted" for v in report["values"])
    expected = workspace(resnet, 8, "store")["workspace_bytes"]
    assert report["workspace_bytes"] <= expected
    assert all(v["strategy"] != "inverted" for v in workspace(revnet, 1)["values"])


# -- A wave equation in a loop --------------------------------------------------------------

def wave(velocity, source, steps):
    """The energy of a 2-D wave after leapfrog steps: seismic inversion differentiates it by the
    squared velocity."""
    def laplacian(u):
        p = mnp.pad(u, ((1, 1), (1, 1)))
        return p[2:, 1:-1] + p[:-2, 1:-1] + p[1:-1, 2:] + p[1:-1, :-2] - 4 * u

    def step(i, fields):
        before, now = fields
        return now, 2 * now - before + velocity * laplacian(now)

    return mnp.sum(mnp.square(lax.for_loop(steps, step, (source, source))[1]))


def test_2000_steps_of_a_wave():
    generator = np.random.default_rng(0)
    velocity = 0.2 + 0.02 * generator.standard_normal((24, 24))
    source = np.zeros((24, 24))
    source[11, 12] = 1

    def gradient(steps, policy="invert"):
        return memrev.jit(memrev.grad(lambda *fields: wave(*fields, steps), policy=policy))

    few, many = (gradient(steps).memory_report(velocity, source)["workspace_bytes"]
                 for steps in (20, 2000))
    assert few == many < 12 * velocity.nbytes
    stored = gradient(2000, "store")(velocity, source)
    found = gradient(2000)(velocity, source)
    assert np.abs(found - stored).max() < 1e-11 * np.abs(stored).max()
