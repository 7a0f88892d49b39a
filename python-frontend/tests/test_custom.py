# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""memrev.custom_vjp and memrev.custom_jvp."""

import numpy as np
import pytest
import torch

import memrev
import memrev.numpy as mnp
from memrev import lax

import numeric

RNG = np.random.default_rng(7)


def softplus_forward(x):
    return softplus(x), mnp.exp(-x)


def softplus_backward(decay, cotangent):
    return (cotangent / (1 + decay),)


@memrev.custom_jvp(tangent=lambda x, dx: (softplus(*x), dx[0] / (1 + mnp.exp(-x[0]))))
@memrev.custom_vjp(forward=softplus_forward, backward=softplus_backward)
def softplus(x):
    return mnp.log1p(mnp.exp(x))


def exact(x):
    return mnp.log1p(mnp.exp(x))


X = RNG.uniform(0.1, 2, (3, 4))


def test_value_and_rules_of_both_modes():
    np.testing.assert_allclose(softplus(X), np.log1p(np.exp(X)), rtol=1e-14)
    weights, direction = RNG.standard_normal((2, 3, 4))
    for rule, derivative in (softplus, 1 / (1 + np.exp(-X))), (exact, 1 / (1 + np.exp(-X))):
        value, pullback = memrev.vjp(rule, X)
        np.testing.assert_allclose(pullback(weights)[0], weights * derivative, rtol=1e-13)
        np.testing.assert_allclose(memrev.jvp(rule, (X,), (direction,))[1],
                                   direction * derivative, rtol=1e-13)
    leaf = torch.tensor(X, requires_grad=True)
    torch.nn.functional.softplus(leaf).backward(torch.tensor(weights))
    np.testing.assert_allclose(memrev.vjp(softplus, X)[1](weights)[0], leaf.grad, rtol=1e-13)


def test_rule_is_what_is_used():
    @memrev.custom_jvp(tangent=lambda x, dx: (x[0] * 2, 7 * dx[0]))
    @memrev.custom_vjp(forward=lambda x: (x * 2, None), backward=lambda _, dy: (5 * dy,))
    def double(x):
        return x * 2

    assert memrev.vjp(double, X)[1](X)[0] == pytest.approx(5 * X)
    assert memrev.jvp(double, (X,), (X,))[1] == pytest.approx(7 * X)
    # Outside and inside of other transforms, and in a function that is called.
    assert memrev.grad(lambda x: mnp.sum(memrev.jit(double)(x)))(X) == pytest.approx(5 + 0 * X)


def test_taylor():
    def loss(arrays):
        return memrev.jit(lambda x: mnp.sum(mnp.sin(softplus(x)) ** 2))(arrays["x"])

    gradients = {"x": memrev.grad(lambda x: mnp.sum(mnp.sin(softplus(x)) ** 2))(X)}
    along = numeric.direction({"x": X}, 1)
    order = numeric.taylor_order(loss, {"x": X}, gradients, along, [1e-2, 5e-3, 2e-3, 1e-3])
    assert order == pytest.approx(2, abs=0.02)


def test_derivatives_of_rules():
    def hessian_product(f):
        return memrev.jit(lambda x, d: memrev.grad(lambda x: mnp.sum(
            d * memrev.grad(lambda x: mnp.sum(f(x) ** 2))(x)))(x))

    d = RNG.standard_normal(X.shape)
    np.testing.assert_allclose(hessian_product(softplus)(X, d), hessian_product(exact)(X, d),
                               rtol=1e-12)
    twice = memrev.jvp(lambda x: memrev.jvp(softplus, (x,), (d,))[1], (X,), (d,))[1]
    s = 1 / (1 + np.exp(-X))
    np.testing.assert_allclose(twice, d * d * s * (1 - s), rtol=1e-12)


def test_trees_integers_and_residuals():
    def forward(params, n, scale):
        return f(params, n, scale), {"w": params["w"], "n": n, "s": scale}

    def backward(kept, cotangent):
        assert cotangent["count"] is None
        return ({"w": cotangent["y"] * kept["s"] * kept["n"], "b": [None]}, None,
                mnp.sum(cotangent["y"] * kept["w"]) * kept["n"])

    @memrev.custom_vjp(forward=forward, backward=backward)
    def f(params, n, scale):
        return {"y": params["w"] * scale * n, "count": n + 1}

    params = {"w": X, "b": [np.ones(2)]}
    value, pullback = memrev.vjp(f, params, 3, np.float64(0.5))
    assert value["count"] == 4
    gradient, none, scale = pullback({"y": X, "count": None})
    np.testing.assert_allclose(gradient["w"], 1.5 * X)
    assert gradient["b"][0].tolist() == [0, 0] and none is None
    assert scale == pytest.approx(3 * (X * X).sum())


def chain(activation, x, weights):
    def block(i, halves):
        a, b = halves
        a = lax.coupling("additive", a, [b], lambda c: activation(c @ weights[i] + 3) * 0.1)
        b = lax.coupling("affine<exp>", b, [a], lambda c: (
            activation(c @ weights[i] + 3) * 0.1, activation(c + 3)))
        return a, b

    a, b = lax.for_loop(len(weights), block, (x, x))
    return mnp.mean((a - b) ** 2)


def test_in_loops_and_couplings():
    """In constant memory, and what differentiating the body gives."""
    weights = 0.1 * RNG.standard_normal((6, 4, 4))
    inverted, stored, traced = (
        memrev.jit(memrev.grad(lambda x, w, f=f: chain(f, x, w), argnums=(0, 1), policy=policy))
        for f, policy in ((softplus, "invert"), (softplus, "store"), (exact, "store")))
    for a, b, c in zip(*(g(X, weights) for g in (inverted, stored, traced))):
        np.testing.assert_allclose(a, b, atol=1e-12 * np.abs(b).max())
        np.testing.assert_allclose(a, c, atol=1e-12 * np.abs(c).max())
    bytes = [inverted.memory_report(X, memrev.ShapeDtype((n, 4, 4), np.float64))["workspace_bytes"]
             for n in (6, 60)]
    assert bytes[0] == bytes[1]


def test_inside_of_branches_and_stored_loops():
    def f(rule, x):
        def body(i, x):
            return lax.cond(mnp.sum(x) > 0, lambda x: rule(x), lambda x: x * 2, x)
        return mnp.sum(lax.for_loop(5, body, x))

    np.testing.assert_allclose(memrev.grad(lambda x: f(softplus, x))(X),
                               memrev.grad(lambda x: f(exact, x))(X), rtol=1e-12)


def test_one_function_for_each_signature():
    text = memrev.jit(lambda x: softplus(softplus(x)) + softplus(x[0])).mlir(X)
    assert text.count("func.func private @softplus(") == 1
    assert text.count("#rev.custom_vjp<") == 2 and text.count("rev.custom_jvp") == 2


def rules(forward=lambda x, n: (x * 2, x), backward=lambda r, g: (g, None),
          tangent=lambda x, dx: (x[0] * 2, dx[0])):
    @memrev.custom_jvp(tangent=tangent)
    @memrev.custom_vjp(forward=forward, backward=backward)
    def f(x, n):
        return x * 2

    return f


@pytest.mark.parametrize("wrong, kind, message", [
    (dict(forward=lambda x, n: x), TypeError,
     r"forward rule of 'f' to return a pair \(output, residuals\), but got Array"),
    (dict(forward=lambda x, n: ((x, x), x)), ValueError,
     r"forward rule of 'f' to return its output, but"),
    (dict(forward=lambda x, n: (x[0], x)), ValueError,
     r"forward rule of 'f' to return a result of float64\[3, 4\] at 'the root', but got float64\[4\]"),
    (dict(backward=lambda r, g: g), TypeError,
     "backward rule of 'f' to return a tuple of 2 cotangents, but got Array"),
    (dict(backward=lambda r, g: (g,)), TypeError,
     "backward rule of 'f' to return a tuple of 2 cotangents, but got 1"),
    (dict(backward=lambda r, g: (g[0], None)), ValueError,
     r"backward rule of 'f' to return a cotangent of float64\[3, 4\] at '0', but got "
     r"float64\[4\]"),
    (dict(backward=lambda r, g: (g.astype(np.float32), None)), ValueError,
     r"float64\[3, 4\] at '0', but got float32\[3, 4\]"),
    (dict(backward=lambda r, g: (g, g)), TypeError,
     "backward rule of 'f' to return None for an argument of int32, but got a cotangent at '1'"),
    (dict(backward=lambda r, g: ({"a": g}, None)), TypeError, "expects an array"),
    (dict(tangent=lambda x, dx: dx[0]), TypeError,
     r"tangent rule of 'f' to return a pair \(output, tangents\), but got Array"),
    (dict(tangent=lambda x, dx: (x[0], dx[0][0])), ValueError,
     r"tangent rule of 'f' to return a tangent of float64\[3, 4\] at 'the root', but got float64\[4\]"),
])
def test_rules_that_do_not_fit(wrong, kind, message):
    with pytest.raises(kind, match=message):
        rules(**wrong)(X, 3)


def test_a_mode_without_a_rule():
    only_vjp = memrev.custom_vjp(lambda x: x * 2, forward=lambda x: (x * 2, None),
                                 backward=lambda _, g: (2 * g,))
    with pytest.raises(memrev.CompileError, match="has 'rev.custom_vjp' alone"):
        memrev.jvp(only_vjp, (X,), (X,))
    only_jvp = memrev.custom_jvp(lambda x: x * 2, tangent=lambda x, dx: (x[0] * 2, 2 * dx[0]))
    np.testing.assert_allclose(memrev.jvp(only_jvp, (X,), (X,))[1], 2 * X)
    with pytest.raises(memrev.CompileError, match="has 'rev.custom_jvp' alone"):
        memrev.grad(lambda x: mnp.sum(only_jvp(x)))(X)


def test_what_rules_may_not_read():
    def outer(w):
        f = memrev.custom_vjp(lambda x: x * w, forward=lambda x: (x * w, None),
                              backward=lambda _, g: (g * w,))
        return f(w)

    with pytest.raises(TypeError, match="read no traced arrays but their arguments, but got 1"):
        memrev.jit(outer)(X)
