# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Function transforms of memrev: derivatives and inverses."""

import numpy as np
import pytest

import memrev
import memrev.numpy as mnp
from memrev import lax

RNG = np.random.default_rng(2)


def perceptron(params, x):
    for layer in params:
        x = mnp.tanh(x @ layer["w"] + layer["b"])
    return x


PARAMS = [{"w": RNG.standard_normal((4, 4)), "b": RNG.standard_normal(4)} for _ in range(2)]
X = RNG.standard_normal((3, 4))


def loss(params, x):
    return mnp.mean(perceptron(params, x) ** 2)


def difference(f, tree, direction, h=1e-6):
    """The central difference of f along `direction`."""
    def moved(sign):
        return memrev.tree.map(lambda a, d: a + sign * h * d, tree, direction)

    return (f(moved(1)) - f(moved(-1))) / (2 * h)


def inner(a, b):
    return sum(float((x * y).sum())
               for x, y in zip(memrev.tree.leaves(a), memrev.tree.leaves(b)))


def random_like(tree):
    return memrev.tree.map(lambda a: RNG.standard_normal(a.shape), tree)


@pytest.mark.parametrize("policy", ["invert", "store"])
def test_value_and_grad(policy):
    value, gradient = memrev.value_and_grad(loss, policy=policy)(PARAMS, X)
    f = memrev.jit(loss)
    assert value == pytest.approx(f(PARAMS, X))
    direction = random_like(PARAMS)
    assert inner(gradient, direction) == pytest.approx(
        difference(lambda p: f(p, X), PARAMS, direction), rel=1e-7)


def test_argnums_and_aux():
    def f(a, b, k):
        return mnp.sum(a * b) * k, {"a": a, "k": k, "n": 3}

    a, b = RNG.standard_normal((2, 5))
    (value, aux), (db, da) = memrev.value_and_grad(f, argnums=(1, 0), has_aux=True)(a, b, 2.0)
    np.testing.assert_allclose([da, db], [2 * b, 2 * a])
    assert aux["k"] == 2.0 and aux["n"] == 3 and value == pytest.approx(2 * a @ b)
    gradient, aux = memrev.grad(f, has_aux=True)(a, b, 2)
    np.testing.assert_allclose(gradient, 2 * b)
    np.testing.assert_allclose(memrev.grad(lambda a, b: mnp.sum(a * b), -1)(a, b), a)


def test_inside_of_jit_and_loops():
    @memrev.jit
    def descend(params, x):
        return lax.for_loop(10, lambda i, p: memrev.tree.map(
            lambda a, g: a - 0.1 * g, p, memrev.grad(loss)(p, x)), params)

    params = PARAMS
    for _ in range(10):
        params = memrev.tree.map(lambda a, g: a - 0.1 * g, params, memrev.grad(loss)(params, X))
    for a, b in zip(memrev.tree.leaves(descend(PARAMS, X)), memrev.tree.leaves(params)):
        np.testing.assert_allclose(a, b, rtol=1e-11)


def test_closures_are_constants_of_the_derivative():
    @memrev.jit
    def f(x, w):
        return memrev.grad(lambda x: mnp.sum(mnp.sin(x @ w)))(x)

    w = PARAMS[0]["w"]
    np.testing.assert_allclose(f(X, w), np.cos(X @ w) @ w.T)


def test_gradient_by_what_is_not_used():
    gradient = memrev.grad(lambda a, b: mnp.sum(a), argnums=1)(X, X)
    assert not gradient.any()


def test_vjp_and_jvp_agree():
    direction, weights = random_like((PARAMS, X)), RNG.standard_normal((3, 4))
    value, pullback = memrev.vjp(perceptron, PARAMS, X)
    same, tangent = memrev.jvp(perceptron, (PARAMS, X), direction)
    np.testing.assert_allclose(value, same)
    assert inner(pullback(weights), direction) == pytest.approx(inner(weights, tangent),
                                                                rel=1e-12)
    np.testing.assert_allclose(pullback(2 * weights)[1], 2 * pullback(weights)[1])


def test_none_is_zero():
    def f(x, n):
        return {"y": mnp.sin(x), "z": x * 2.0, "n": n + 1}

    x = np.ones(2)
    value, pullback = memrev.vjp(f, x, 3)
    np.testing.assert_allclose(pullback({"y": None, "z": x, "n": None})[0], 2 * x)
    assert pullback({"y": None, "z": None, "n": None})[0].tolist() == [0, 0]
    assert pullback(None)[0].tolist() == [0, 0] and pullback(None)[1] is None
    _, tangent = memrev.jvp(f, (x, 3), (x, None))
    np.testing.assert_allclose(tangent["y"], np.cos(1) * x)
    assert tangent["n"] is None


def test_second_derivatives():
    def f(x):
        return mnp.sum(mnp.sin(x) * x[::-1])

    x, v = RNG.standard_normal((2, 4))
    gradient = memrev.grad(f)
    forward_over_reverse = memrev.jvp(gradient, (x,), (v,))[1]
    reverse_over_reverse = memrev.grad(lambda x: mnp.sum(memrev.grad(f)(x) * v))(x)
    numeric = (gradient(x + 1e-6 * v) - gradient(x - 1e-6 * v)) / 2e-6
    np.testing.assert_allclose(forward_over_reverse, numeric, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(reverse_over_reverse, forward_over_reverse, rtol=1e-12)


def flow(x, w):
    a, b = x
    a = lax.coupling("affine<exp>", a, [b], lambda c: (mnp.sin(c), mnp.tanh(c @ w)))
    b = lax.coupling("additive", b, [a], lambda c: mnp.tanh(c @ w))
    return a, b


def test_inverse():
    x, w = tuple(RNG.standard_normal((2, 3, 4))), PARAMS[0]["w"]
    y = memrev.jit(flow)(x, w)
    found = memrev.inverse(flow)(y, w)
    for a, b in zip(found, x):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13)
    # An inverse is a program too: it can be differentiated.
    gradient = memrev.grad(lambda y: mnp.sum(memrev.inverse(flow)(y, w)[0]))(y)
    direction = random_like(y)
    f = memrev.jit(lambda y: mnp.sum(memrev.inverse(flow)(y, w)[0]))
    assert inner(gradient, direction) == pytest.approx(difference(f, y, direction), rel=1e-7)


def test_inverse_of_another_argument():
    def f(w, x):
        return lax.coupling("additive", x, [w], lambda c: c * 2.0)

    found = memrev.inverse(f, argnum=1)(np.array([7.0]), np.array([2.0]))
    assert found.tolist() == [3.0]


def test_what_has_no_inverse():
    with pytest.raises(memrev.CompileError):
        memrev.inverse(lambda x: mnp.maximum(x, 0))(X)


def test_stop_gradient():
    value, gradient = memrev.value_and_grad(
        lambda x: mnp.sum(x * memrev.stop_gradient(mnp.exp(x))))(X)
    np.testing.assert_allclose(gradient, np.exp(X))


ERRORS = [
    (lambda: memrev.grad(lambda x: x)(X), ValueError, r"without dimensions, but got shape \[3, 4\]"),
    (lambda: memrev.grad(lambda x: mnp.argmax(x))(X), TypeError, "to return a float, but got int32"),
    (lambda: memrev.grad(lambda x: mnp.sum(x))(np.arange(3)), TypeError,
     "floats to differentiate 'f' by, but got int64 at '0'"),
    (lambda: memrev.grad(lambda p: mnp.sum(p["x"]))({"x": X, "n": 3}), TypeError, "at '0.n'"),
    (lambda: memrev.grad(lambda x: x, argnums=2)(X), ValueError, "to have an argument 2"),
    (lambda: memrev.grad(lambda x: mnp.sum(x), has_aux=True)(X), TypeError, r"a pair \(value, aux\)"),
    (lambda: memrev.grad(lambda x: x, policy="magic"), ValueError, "a policy out of invert, store"),
    (lambda: memrev.vjp(mnp.sin, X)[1](X[0]), ValueError, "expects a cotangent of"),
    (lambda: memrev.vjp(lambda x: (x, x), X)[1](X), ValueError, "structure of the result"),
    (lambda: memrev.vjp(lambda x: mnp.argmax(x), X)[1](1), TypeError, "expects no cotangent"),
    (lambda: memrev.jvp(mnp.sin, (X,), (X[0],)), ValueError, "expects a tangent of"),
    (lambda: memrev.jvp(mnp.sin, (X,), (X, X)), ValueError, "expects 1 tangents, but got 2"),
    (lambda: memrev.jvp(mnp.sin, (3,), (1.0,)), TypeError, "no tangent for an argument of int32"),
    (lambda: memrev.inverse(flow)((X, X[0]), PARAMS[0]["w"]), ValueError, None),
]


@pytest.mark.parametrize("function, kind, message", ERRORS)
def test_error(function, kind, message):
    with pytest.raises(kind, match=message):
        function()


def test_vjp_inside_of_jit_evaluates_once():
    def f(w, x):
        return mnp.tanh(x @ w) @ w

    @memrev.jit
    def step(w, x, t):
        y, pullback = memrev.vjp(f, w, x)
        return y, pullback(y - t)

    w, x, t = RNG.standard_normal((3, 4, 4))
    text = step._entry((w, x, t), {})[0].program.print()
    ir = memrev.compile(text, until="differentiate", ir=True).ir
    body = ir[ir.index("@step("):]
    assert "call @f_fwd(" in body and "call @f_bwd(" in body and "call @f(" not in body
    assert ir[ir.index("@f_bwd("):ir.index("@step(")].count("math.tanh") == 0
    y, gradients = step(w, x, t)
    value, pullback = memrev.vjp(f, w, x)
    np.testing.assert_allclose(y, value, rtol=1e-12)
    for a, b in zip(gradients, pullback(value - t)):
        np.testing.assert_allclose(a, b, rtol=1e-12)
