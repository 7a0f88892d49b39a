# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Couplings in the inverse direction, and gradients of the inverses of chains of couplings:
what is sampled is differentiated by inversion, too."""

import numpy as np
import pytest

import memrev
import numeric
from memrev import lax, numpy as mnp

KINDS = ["additive", "affine<exp>", "affine<sigmoid>", "affine<identity>",
         "affine<soft_tanh, alpha = 1.5>", "affine<soft_atan, alpha = 1.2>"]
SHAPE = (3, 5)


def parameters(kind, c, d, w):
    """Those of a bijection of `kind`, computed from what it is given."""
    h = mnp.tanh(mnp.matmul(c, w[0]) + d)
    t = mnp.matmul(h, w[1])
    if kind == "additive":
        return t
    a = mnp.sin(mnp.matmul(h, w[0]))
    return (a + 1.7 if kind == "affine<identity>" else a), t


class Chain:
    """Blocks of two couplings, conditioned on a third array `d`, in both directions."""

    def __init__(self, kind, blocks, loop, batch_axis=0):
        self.kind, self.blocks, self.loop, self.axis = kind, blocks, loop, batch_axis

    def arrays(self, seed):
        draw = np.random.default_rng(seed).standard_normal
        return {"a": draw(SHAPE), "b": draw(SHAPE), "d": draw(SHAPE),
                "w": 0.3 * draw((self.blocks, 4, SHAPE[1], SHAPE[1]))}

    def step(self, carry, d, w, inverse):
        a, b, total = carry

        def move(x, given, w):
            return lax.coupling(self.kind, x, [given, d],
                                lambda c, d: parameters(self.kind, c, d, w), log_det=True,
                                batch_axis=self.axis, inverse=inverse)
        if inverse:
            b, second = move(b, a, w[2:])
            a, first = move(a, b, w[:2])
        else:
            a, first = move(a, b, w[:2])
            b, second = move(b, a, w[2:])
        return a, b, total + first + second

    def run(self, a, b, d, w, inverse=False):
        """(a, b, log-determinant) behind the chain, or before it."""
        def body(i, carry):
            return self.step(carry, d, w[self.blocks - 1 - i if inverse else i], inverse)
        carry = (a, b, mnp.zeros(SHAPE[self.axis], dtype=a.dtype))
        if self.loop:
            return lax.for_loop(self.blocks, body, carry)
        for i in range(self.blocks):
            carry = body(i, carry)
        return carry

    def loss(self, arrays):
        """Of what the other direction gives, written as one."""
        a, b, total = self.run(**arrays, inverse=True)
        return mnp.sum(mnp.sin(a) * b + 0.1 * b * b) + mnp.sum(total * total)

    def loss_of_inverse(self, arrays):
        """The same by inverting the chain, and its density there."""
        a, b, d, w = (arrays[name] for name in "abdw")
        a, b = memrev.inverse(lambda x, d, w: self.run(*x, d, w)[:2], like=(a, b))((a, b), d, w)
        total = self.run(a, b, d, w)[2]
        return mnp.sum(mnp.sin(a) * b + 0.1 * b * b) + mnp.sum(total * total)


def gradients(loss, arrays, policy="invert"):
    found = memrev.jit(memrev.grad(loss, policy=policy))(arrays)
    return {name: np.asarray(value) for name, value in found.items()}


@pytest.mark.parametrize("loop", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_round_trip(kind, loop):
    chain = Chain(kind, 3, loop)
    arrays = chain.arrays(0)
    y1, y2, total = memrev.jit(chain.run)(**arrays)
    x1, x2, back = memrev.jit(lambda a, b, d, w: chain.run(a, b, d, w, inverse=True))(
        y1, y2, arrays["d"], arrays["w"])
    assert np.abs(x1 - arrays["a"]).max() < 1e-13
    assert np.abs(x2 - arrays["b"]).max() < 1e-13
    assert np.abs(total + back).max() < 1e-13


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("kind", KINDS)
def test_log_determinant(kind, axis):
    """Against the determinant of the dense Jacobian of each sample."""
    chain = Chain(kind, 2, False, axis)
    arrays = chain.arrays(1)
    rows, others = SHAPE[axis], SHAPE[1 - axis]
    function = memrev.jit(lambda x, d, w: chain.run(x[0], x[1], d, w, inverse=True))
    x = (arrays["a"], arrays["b"])
    rest = arrays["d"], arrays["w"]
    total = np.asarray(function(x, *rest)[2])
    assert total.shape == (rows,)
    if kind == "additive":
        assert (total == 0).all()
    pushed = memrev.jit(lambda x, t, d, w: memrev.jvp(
        lambda x: chain.run(x[0], x[1], d, w, inverse=True)[:2], (x,), (t,))[1])
    columns = []
    for half in range(2):
        for i in np.ndindex(SHAPE):
            tangents = [np.zeros(SHAPE), np.zeros(SHAPE)]
            tangents[half][i] = 1
            moved = pushed(x, tuple(tangents), *rest)
            columns.append(np.stack(moved).ravel())
    dense = np.moveaxis(np.stack(columns, 1).reshape(2, *SHAPE, 2, *SHAPE),
                        (1 + axis, 4 + axis), (0, 3)).reshape(rows, 2 * others, rows, 2 * others)
    # With the batch along the other axis the functions mix samples; the whole determinant is
    # the sum in any case.
    _, whole = np.linalg.slogdet(dense.reshape(rows * 2 * others, -1))
    assert total.sum() == pytest.approx(whole, abs=1e-8)
    if axis == 0:
        for i in range(rows):
            assert total[i] == pytest.approx(np.linalg.slogdet(dense[i, :, i])[1], abs=1e-8)


@pytest.mark.parametrize("loop", [False, True])
@pytest.mark.parametrize("through_inverse", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_gradients(kind, loop, through_inverse):
    """By inversion against stored ones, differences, a Taylor test and forward mode."""
    chain = Chain(kind, 2, loop)
    arrays = chain.arrays(2)
    loss = chain.loss_of_inverse if through_inverse else chain.loss
    found = gradients(loss, arrays)
    assert numeric.error(found, gradients(loss, arrays, "store")) < 1e-12

    compiled = memrev.jit(loss)
    along = numeric.direction(arrays, seed=3)
    claimed = numeric.slope(found, along)
    assert claimed == pytest.approx(
        numeric.central_difference(lambda v: float(compiled(v)), arrays, along, 1e-6), rel=1e-6)
    pushed = memrev.jit(lambda v, t: memrev.jvp(loss, (v,), (t,))[1])(arrays, along)
    assert float(pushed) == pytest.approx(claimed, rel=1e-10)

    steps = [2.0 ** -i for i in range(10, 16)]
    order = numeric.taylor_order(lambda v: float(compiled(v)), arrays, found, along, steps)
    assert order == pytest.approx(2, abs=0.1)
    found["w"] = np.zeros_like(found["w"])
    assert numeric.taylor_order(lambda v: float(compiled(v)), arrays, found, along, steps) < 1.3


@pytest.mark.parametrize("kind", ["additive", "affine<exp>"])
def test_second_derivatives(kind):
    """Hessian products, forward over reverse, whose tangents are couplings."""
    chain = Chain(kind, 2, True)
    arrays = chain.arrays(4)
    along = numeric.direction(arrays, seed=5)

    def product(policy):
        gradient = memrev.grad(chain.loss_of_inverse, policy=policy)
        return memrev.jit(lambda v, t: memrev.jvp(gradient, (v,), (t,))[1])(arrays, along)
    found = {name: np.asarray(v) for name, v in product("invert").items()}
    stored = {name: np.asarray(v) for name, v in product("store").items()}
    assert numeric.error(found, stored) < 1e-11
    step = 1e-5
    after, before = (gradients(chain.loss_of_inverse, numeric.moved(arrays, along, s), "store")
                     for s in (step, -step))
    differences = {name: (after[name] - before[name]) / (2 * step) for name in arrays}
    assert numeric.error(found, differences) < 1e-7


@pytest.mark.parametrize("loop", [False, True])
@pytest.mark.parametrize("through_inverse", [False, True])
@pytest.mark.parametrize("kind", ["additive", "affine<exp>"])
def test_depth_costs_parameters_only(kind, through_inverse, loop):
    """The gradient of what a sampler gives takes as many bytes in a deep chain as in a flat
    one, but for the gradients of the parameters themselves, which are results."""
    peaks = []
    for blocks in (8, 64) if loop else (4, 12):
        chain = Chain(kind, blocks, loop)
        arrays = {name: array.astype(np.float32) for name, array in chain.arrays(6).items()}

        def loss(arrays, chain=chain):
            a, b, d, w = (arrays[name] for name in "abdw")
            if through_inverse:
                a, b = memrev.inverse(lambda x, d, w: chain.run(*x, d, w)[:2],
                                      like=(a, b))((a, b), d, w)
            else:
                a, b, _ = chain.run(a, b, d, w, inverse=True)
            return mnp.sum(a * b)

        text = memrev.jit(memrev.grad(loss)).mlir(arrays)
        report, = memrev.compile(text, until="bufferize").memory_report()
        peaks.append(report["workspace_bytes"])
    print(kind, peaks)
    assert peaks[1] == peaks[0]


def test_kinds():
    def run(kind, **options):
        return memrev.jit(lambda x, c: lax.coupling(
            kind, x, [c], lambda c: (c, c) if kind != "additive" else c, **options))
    x, c = np.ones((2, 3)), np.full((2, 3), 0.5)
    spaced = run(" affine<exp>".strip().replace("<", " < "))(x, c)
    assert np.array_equal(spaced, run("affine<exp>")(x, c))
    with_type = run("affine<soft_tanh, alpha = 1.5 : f64>")(x, c)
    assert np.array_equal(with_type, run("affine<soft_tanh,alpha=1.5>")(x, c))
    assert np.allclose(with_type, np.exp(1.5 * np.tanh(c / 1.5)) + c)
    for wrong in ("multiplicative", "affine", "affine<cube>", "inverse_of<additive>", 3):
        with pytest.raises(ValueError, match="expects a kind out of additive, .*affine<exp>, .*"
                                             "affine<soft_atan, alpha = ...>, but got"):
            run(wrong)(x, c)
    with pytest.raises(ValueError, match="expects no alpha for the scale exp"):
        run("affine<exp, alpha = 1.0>")(x, c)
    for wrong in ("affine<soft_tanh>", "affine<soft_tanh, alpha = -1>",
                  "affine<soft_atan, alpha = two>", "affine<soft_atan, alpha = inf>"):
        with pytest.raises(ValueError, match="expects a positive number alpha for the scale soft"):
            run(wrong)(x, c)
