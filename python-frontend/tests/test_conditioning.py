# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Estimates of condition numbers, against singular values of whole Jacobians."""

import numpy as np
import pytest

import memrev
from memrev import flows, lax
from memrev import numpy as mnp

product = memrev.custom_inverse(lambda x, w: w @ x,
                                inverse=lambda y, w: memrev.numpy.linalg.solve(w, y))


def test_a_matrix_has_its_singular_values():
    rng = np.random.default_rng(0)
    w, x = rng.standard_normal((5, 5)), rng.standard_normal(5)
    found = memrev.conditioning(product, x, w, iterations=300)
    singular = np.linalg.svd(w, compute_uv=False)
    np.testing.assert_allclose([found.forward, found.inverse],
                               [singular[0], 1 / singular[-1]], rtol=1e-6)
    np.testing.assert_allclose(found.number, np.linalg.cond(w), rtol=1e-6)


def test_a_coupling_has_those_of_its_jacobian():
    rng = np.random.default_rng(1)
    x, w = rng.standard_normal((2, 2, 3)), rng.standard_normal((3, 3))

    def block(halves, w):
        a, b = halves
        a = lax.coupling("affine<exp>", a, [b], lambda b: (0.5 * mnp.sin(b @ w), b @ w))
        return a, b

    found = memrev.conditioning(block, (x[0], x[1]), w, iterations=500)
    size = x.size

    def flat(v):
        return mnp.stack(block((v[0], v[1]), w))

    columns = [memrev.jit(lambda v, d: memrev.jvp(flat, (v,), (d,))[1])(x, e.reshape(x.shape))
               for e in np.eye(size)]
    singular = np.linalg.svd(np.reshape(columns, (size, size)), compute_uv=False)
    np.testing.assert_allclose([found.forward, found.inverse],
                               [singular[0], 1 / singular[-1]], rtol=1e-5)


def test_what_keeps_lengths_has_one():
    layer = flows.Householder(6, 4)
    variables = layer.init(seed=0)
    x = np.random.default_rng(2).standard_normal((3, 6))
    params = memrev.tree.map(lambda a: a.astype(np.float64), variables["params"])

    def apply(method):
        return lambda x, params: layer.apply(params, variables["state"], x, method=method)[0][0]

    found = memrev.conditioning(apply(None), x, params, inverse=apply("inverse"))
    np.testing.assert_allclose(found, [1, 1], rtol=1e-12)


def test_arguments_that_do_not_fit():
    with pytest.raises(ValueError, match="expects at least 1 iteration, but got 0"):
        memrev.conditioning(product, np.ones(2), np.eye(2), iterations=0)
    with pytest.raises(TypeError, match="expects an argument of floats, but got int32 at"):
        memrev.conditioning(product, np.ones(2, np.int32), np.eye(2))
    with pytest.raises(memrev.CompileError, match="inverse"):
        memrev.conditioning(lambda x: x * x, np.ones(2))
