# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Streams in fixed point: couplings that are undone bit for bit."""

import numpy as np
import pytest

import memrev
from memrev import lax
from memrev import numpy as mnp

BITS = 14
KIND = f"additive<fraction = {BITS}>"


def start(rng, *shape, bits=BITS, dtype=np.float32):
    """Random numbers on the grid."""
    return (np.round(rng.standard_normal(shape) * 2**bits) / 2**bits).astype(dtype)


def dense(x, w):
    return mnp.sin(x @ w)


def convolution(x, w):
    return 0.3 * mnp.sin(lax.conv(x, w, padding="same"))


#: The function of a coupling, the shape of a stream and that of the weights of a block.
FUNCTIONS = {"dense": (dense, (4, 8), (8, 8)),
             "convolution": (convolution, (2, 6, 6, 4), (3, 3, 4, 4))}


def chain(function, blocks, kind=KIND):
    def run(x1, x2, w):
        def block(i, halves):
            a, b = halves
            weight = w[i % w.shape[0]]
            a = lax.coupling(kind, a, [b], lambda b: function(b, weight))
            b = lax.coupling(kind, b, [a], lambda a: function(a, weight))
            return a, b
        return lax.for_loop(blocks, block, (x1, x2))
    return run


@pytest.mark.parametrize("name", FUNCTIONS)
def test_ten_thousand_blocks_come_back_bit_for_bit(name):
    function, shape, weights = FUNCTIONS[name]
    blocks = 10_000 if name == "dense" else 1_000
    rng = np.random.default_rng(0)
    x1, x2 = start(rng, 2, *shape)
    w = (rng.standard_normal((7, *weights)) / np.sqrt(np.prod(weights[:-1]))).astype(np.float32)
    forward = chain(function, blocks)
    inverse = memrev.inverse(lambda halves, w: forward(*halves, w))

    @memrev.jit
    def both(x1, x2, w):
        y = forward(x1, x2, w)
        return y, inverse(y, w)

    y, back = both(x1, x2, w)
    assert np.isfinite(y).all() and np.abs(y[0] - x1).max() > 1
    np.testing.assert_array_equal(back, (x1, x2))
    # Plain couplings drift.
    rounding = chain(function, blocks, "additive")
    undo = memrev.inverse(lambda halves, w: rounding(*halves, w))
    assert not np.array_equal(memrev.jit(lambda *a: undo(rounding(*a), a[2]))(x1, x2, w), back)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradients_are_those_of_stored_states_bit_for_bit(name):
    function, shape, weights = FUNCTIONS[name]
    blocks, size = (10_000, 1e-4) if name == "dense" else (300, 0.02)
    rng = np.random.default_rng(1)
    x1, x2 = start(rng, 2, *shape)
    w = (size * rng.standard_normal((7, *weights))).astype(np.float32)
    run = chain(function, blocks)

    def loss(x1, x2, w):
        a, b = run(x1, x2, w)
        return mnp.sum(mnp.sin(a)) + mnp.sum(b * b)

    stored = memrev.jit(memrev.value_and_grad(loss, (0, 1, 2), policy="store"))(x1, x2, w)
    gradient = memrev.jit(memrev.value_and_grad(loss, (0, 1, 2)))
    for found, expected in zip(*map(memrev.tree.leaves, (gradient(x1, x2, w), stored))):
        assert np.isfinite(expected).all() and np.any(expected)
        np.testing.assert_array_equal(found, expected)
    drift = [b.difference for b in gradient.drift_report(x1, x2, w)]
    assert len(drift) == 2 * blocks + 2 and not any(drift)


def test_memory_does_not_depend_on_depth():
    def peak(blocks):
        run = chain(dense, blocks)
        gradient = memrev.grad(lambda *a: mnp.sum(run(*a)[0]), 2)
        x = memrev.ShapeDtype((4, 8))
        return memrev.jit(gradient, drift_tolerance=1e-7).memory_report(
            x, x, memrev.ShapeDtype((7, 8, 8)))["workspace_bytes"]

    # Nothing drifts, so that a tolerance asks for no stored states.
    assert peak(10) == peak(1000)


def test_the_kind_is_the_additive_one_but_for_rounding():
    rng = np.random.default_rng(2)
    x1, x2 = start(rng, 2, 4, 8, bits=40, dtype=np.float64)
    w = rng.standard_normal((3, 8, 8)) / 3

    def loss(kind):
        run = chain(dense, 3, kind)
        return lambda x1, x2, w: mnp.sum(mnp.stack(run(x1, x2, w)) ** 3)

    fine, plain = loss("additive<fraction=40>"), loss("additive")
    arguments = x1, x2, w
    for found, expected in zip(memrev.jit(memrev.grad(fine, (0, 1, 2)))(*arguments),
                               memrev.jit(memrev.grad(plain, (0, 1, 2)))(*arguments)):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9 * np.abs(expected).max())
    tangents = rng.standard_normal((2, 4, 8)), w
    along = [memrev.jit(lambda *a: memrev.jvp(f, a, (*tangents[0], tangents[1])))(*arguments)
             for f in (fine, plain)]
    np.testing.assert_allclose(along[0], along[1], rtol=1e-9)
    # A second derivative.
    products = [memrev.jit(lambda *a: memrev.hvp(f, a, (*tangents[0], tangents[1])))(*arguments)
                for f in (fine, plain)]
    for found, expected in zip(*map(memrev.tree.leaves, products)):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-8 * np.abs(expected).max())


@pytest.mark.parametrize("dtype, precision", [(np.float16, 11), (np.float32, 24),
                                              (np.float64, 53)])
def test_fixed_point_rounds_to_even_within_its_bound(dtype, precision):
    bits = 5
    bound = 2.0**(precision - bits)
    step = 2.0**-bits
    x = np.array([0.3, -0.3, 0.5 * step, 1.5 * step, -2.5 * step, bound, -bound, 1.01 * bound,
                  np.inf, np.nan], dtype)
    rounded = np.round(x[:7].astype(np.float64) / step) * step
    expected = np.concatenate([rounded, [np.nan] * 3]).astype(dtype)
    np.testing.assert_array_equal(memrev.jit(lambda x: lax.fixed_point(x, bits))(x), expected)
    checked = memrev.jit(lambda x: lax.fixed_point(x, bits, checked=True))
    np.testing.assert_array_equal(checked(expected), expected)
    assert np.isnan(checked(x)[[0, 1, 2, 3, 4, 7, 8, 9]]).all()


def test_the_derivative_goes_straight_through():
    x = np.array([0.3, -0.7], np.float32)
    for checked in False, True:
        f = memrev.jit(memrev.value_and_grad(
            lambda x: mnp.sum(3 * lax.fixed_point(x, 0, checked)), 0))
        np.testing.assert_array_equal(f(x)[1], [3, 3])
    _, tangent = memrev.jit(lambda x: memrev.jvp(lambda x: lax.fixed_point(x, 2), (x,), (x,)))(x)
    np.testing.assert_array_equal(tangent, x)


def test_what_is_beyond_the_bound_or_off_the_grid_is_not_a_number():
    run = memrev.jit(lambda x, t: lax.coupling(KIND, x, [t], lambda t: t))
    bound = np.float32(2.0**(24 - BITS))
    x = np.array([bound, bound, 0.1, 1], np.float32)
    t = np.array([1, 0, 1, 1e30], np.float32)
    np.testing.assert_array_equal(run(x, t), [np.nan, bound, np.nan, np.nan])


def test_fractions_that_a_type_has_no_room_for():
    x = np.zeros(3, np.float32)
    with pytest.raises(ValueError, match="expects a fraction of 0 to 23 bits for float32, but "
                                         "got 24"):
        memrev.jit(lambda x: lax.fixed_point(x, 24))(x)
    with pytest.raises(memrev.CompileError, match="expects a fraction of 0 to 23 bits for 'f32', "
                                                  "but got 24"):
        memrev.jit(lambda x: lax.coupling("additive<fraction = 24>", x, [x + 1], lambda t: t))(x)
    with pytest.raises(TypeError, match="fixed_point expects floats, but got int32"):
        memrev.jit(lambda x: lax.fixed_point(x, 2))(np.zeros(3, np.int32))


def test_compiles_for_a_gpu():
    gradient = memrev.grad(lambda *a: mnp.sum(chain(dense, 5)(*a)[0]), 2)
    x = memrev.ShapeDtype((4, 8))
    text = memrev.jit(gradient).mlir(x, x, memrev.ShapeDtype((7, 8, 8)))
    module = memrev.compile(text, "cuda", chip="sm_90", until="binary")
    assert module.chip == "sm_90"
