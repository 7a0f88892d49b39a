# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""memrev.Jacobian and memrev.hvp."""

import numpy as np
import pytest
import torch

import memrev
import memrev.numpy as mnp
from memrev import lax, tree

RNG = np.random.default_rng(13)
PARAMS = {"w": 0.3 * RNG.standard_normal((3, 4, 4)), "b": RNG.standard_normal((3, 4))}
X = RNG.standard_normal((5, 8))


def network(params, x, n):
    def block(i, halves):
        a, b = halves
        a = lax.coupling("additive", a, [b], lambda c: mnp.tanh(c @ params["w"][i]))
        b = lax.coupling("affine<sigmoid>", b, [a], lambda c: (
            mnp.sin(c @ params["w"][i]), c * params["b"][i]))
        return a, b

    a, b = lax.for_loop(3, block, (x[:, :4], x[:, 4:]))
    return {"y": mnp.concatenate([a, b], 1) * n, "count": n + 1}


def like(x):
    return tree.map(lambda a: RNG.standard_normal(np.shape(a)), x)


def inner(a, b):
    return sum(float((x * y).sum()) for x, y in zip(tree.leaves(a), tree.leaves(b)))


@pytest.mark.parametrize("argnums, chosen", [
    (0, PARAMS), (1, X), (-2, X), ((0, 1), (PARAMS, X)), ((1, 0), (X, PARAMS))])
def test_products_are_adjoint(argnums, chosen):
    jacobian = memrev.Jacobian(network, PARAMS, X, 2, argnums=argnums)
    v, w = like(chosen), {"y": RNG.standard_normal(X.shape), "count": None}
    along, back = jacobian @ v, jacobian.T @ w
    assert along["count"] is None and tree.structure(back) == tree.structure(chosen)
    assert inner(along["y"], w["y"]) == pytest.approx(inner(back, v), rel=1e-10)
    assert jacobian.T.T is jacobian
    np.testing.assert_array_equal(memrev.jit(
        lambda p, x, v: (memrev.Jacobian(network, p, x, 2, argnums=argnums) @ v)["y"])(
            PARAMS, X, v), along["y"])
    # Against differences, in the data or the parameters or both.
    h, numbers = 1e-6, argnums if isinstance(argnums, tuple) else (argnums,)
    parts = v if isinstance(argnums, tuple) else (v,)

    def moved(sign):
        args = [PARAMS, X, 2]
        for n, part in zip(numbers, parts):
            args[n] = tree.map(lambda a, d: a + sign * h * d, args[n], part)
        return memrev.jit(network)(*args)["y"]

    np.testing.assert_allclose(along["y"], (moved(1) - moved(-1)) / (2 * h), rtol=1e-6,
                               atol=1e-6)


def test_none_is_zero():
    jacobian = memrev.Jacobian(network, PARAMS, X, 2, argnums=(0, 1))
    v = like(PARAMS)
    np.testing.assert_allclose(
        (jacobian @ (v, None))["y"], (memrev.Jacobian(network, PARAMS, X, 2) @ v)["y"])


def loss(params, x, n):
    return mnp.sum(mnp.sin(network(params, x, n)["y"]))


@pytest.mark.parametrize("policy", ["invert", "store"])
def test_hessian_products(policy):
    v, w = (like((PARAMS, X)) for _ in range(2))
    left = memrev.hvp(loss, (PARAMS, X, 2), (*v, None), policy=policy)
    right = memrev.hvp(loss, (PARAMS, X, 2), (*w, None), policy=policy)
    assert left[2] is None
    assert inner(left[:2], w) == pytest.approx(inner(right[:2], v), rel=1e-10)
    h = 1e-5
    gradients = [memrev.grad(loss, argnums=(0, 1))(
        *tree.map(lambda a, d: a + s * h * d, (PARAMS, X), v), 2) for s in (1, -1)]
    for found, up, down in zip(tree.leaves(left[:2]), *map(tree.leaves, gradients)):
        np.testing.assert_allclose(found, (up - down) / (2 * h), rtol=1e-5, atol=1e-5)
    inside = memrev.jit(lambda p, x, v: memrev.hvp(loss, (p, x, 2), (v, None, None)))(
        PARAMS, X, v[0])
    outside = memrev.hvp(loss, (PARAMS, X, 2), (v[0], None, None))
    np.testing.assert_array_equal(inside[0]["w"], outside[0]["w"])


def test_hessian_product_against_pytorch():
    v = RNG.standard_normal(X.shape)
    found, = memrev.hvp(lambda x: mnp.sum(mnp.tanh(x) ** 3), (X,), (v,))
    expected = torch.autograd.functional.hvp(
        lambda x: (torch.tanh(x) ** 3).sum(), torch.tensor(X), torch.tensor(v))[1]
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("argnums, v, message", [
    (3, X, "expects 'network' to have an argument 3, but got 3 arguments"),
    ((0, -3), X, "expects argnums that differ"),
    ((0, 1), (PARAMS,), "expects a tuple of 2 directions, but got 1"),
    ((0, 1), X, "expects a tuple of 2 directions, but got ndarray"),
    (1, X[:2], r"expects a tangent of float64\[5, 8\]"),
])
def test_errors(argnums, v, message):
    with pytest.raises(ValueError, match=message):
        memrev.Jacobian(network, PARAMS, X, 2, argnums=argnums) @ v
