# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""memrev.numpy beside NumPy: values, types, gradients, errors."""

import numpy as np
import pytest

import memrev
import memrev.numpy as mnp
from memrev import lax

RNG = np.random.default_rng(0)


def array(*shape):
    return RNG.uniform(-2, 2, shape)


def positive(*shape):
    return RNG.uniform(0.5, 2, shape)


def unit(*shape):
    return RNG.uniform(-0.9, 0.9, shape)


# name, a function of (module, arrays...), the arrays.
DIFFERENTIABLE = [
    *((name, lambda m, x, name=name: getattr(m, name)(x), [array(2, 3)]) for name in (
        "exp", "exp2", "expm1", "sin", "cos", "tan", "arctan", "sinh", "cosh", "tanh", "arcsinh",
        "square", "negative", "positive", "abs", "cbrt")),
    *((name, lambda m, x, name=name: getattr(m, name)(x), [positive(2, 3)]) for name in (
        "log", "log2", "log10", "log1p", "sqrt", "reciprocal")),
    *((name, lambda m, x, name=name: getattr(m, name)(x), [unit(2, 3)]) for name in (
        "arcsin", "arccos", "arctanh")),
    ("arccosh", lambda m, x: m.arccosh(x + 1), [positive(3)]),
    *((name, lambda m, x, y, name=name: getattr(m, name)(x, y), [array(2, 3), array(3)])
      for name in ("add", "subtract", "multiply", "maximum", "minimum", "logaddexp", "arctan2",
                   "hypot", "copysign")),
    ("divide", lambda m, x, y: m.divide(x, y), [array(2, 1, 3), positive(4, 1)]),
    ("power", lambda m, x, y: m.power(x, y), [positive(2, 3), array(2, 3)]),
    ("power 2", lambda m, x: x ** 2 + x ** 3 + x ** 4 + x ** 7 + x ** 0, [array(3)]),
    ("power -1", lambda m, x: x ** -1 + x ** 0.5 + 2.0 ** x, [positive(3)]),
    ("remainder", lambda m, x, y: m.remainder(x, y), [array(5), positive(5)]),
    ("where", lambda m, x, y: m.where(x > 0.1, x, y * 2), [array(4, 3), array(3)]),
    ("clip", lambda m, x: m.clip(x, -1, 1), [array(7)]),
    ("operators", lambda m, x, y: -x + 2 * y - y / 3 + (1 - x) * +y, [array(2, 3), array(2, 3)]),
    ("cumsum", lambda m, x: m.cumsum(x, axis=0) * m.cumsum(x, axis=-1), [array(4, 3)]),
    ("cumsum of all", lambda m, x: m.cumsum(x), [array(5, 3, 7)]),
    ("long cumsum", lambda m, x: m.cumsum(x, axis=1), [array(2, 70)]),
    ("sum", lambda m, x: m.sum(x), [array(2, 3)]),
    ("sum axis", lambda m, x: m.sum(x, axis=1), [array(2, 3, 4)]),
    ("sum axes", lambda m, x: m.sum(x, axis=(0, -1), keepdims=True), [array(2, 3, 4)]),
    ("mean", lambda m, x: m.mean(x, axis=0), [array(2, 3)]),
    ("var", lambda m, x: m.var(x, axis=1), [array(2, 5)]),
    ("std", lambda m, x: m.std(x, axis=1, ddof=1, keepdims=True), [array(2, 5)]),
    ("prod", lambda m, x: m.prod(x, axis=1), [positive(2, 4)]),
    ("max", lambda m, x: m.max(x, axis=1), [array(2, 4)]),
    ("min", lambda m, x: m.min(x), [array(2, 4)]),
    ("matmul", lambda m, x, y: m.matmul(x, y), [array(2, 3), array(3, 4)]),
    ("matmul vector", lambda m, x, y: x @ y, [array(3), array(3, 4)]),
    ("matmul column", lambda m, x, y: x @ y, [array(2, 3), array(3)]),
    ("matmul vectors", lambda m, x, y: x @ y, [array(3), array(3)]),
    ("matmul rows", lambda m, x, y: x @ y, [array(2, 5, 3), array(3, 4)]),
    ("matmul batches", lambda m, x, y: x @ y, [array(2, 1, 3, 4), array(5, 4, 2)]),
    ("dot", lambda m, x, y: m.dot(x, y), [array(2, 3), array(3)]),
    ("dot 3", lambda m, x, y: m.dot(x, y), [array(2, 3), array(2, 3, 4)]),
    ("vdot", lambda m, x, y: m.vdot(x, y), [array(2, 3), array(2, 3)]),
    ("inner", lambda m, x, y: m.inner(x, y), [array(2, 3), array(4, 3)]),
    ("outer", lambda m, x, y: m.outer(x, y), [array(2), array(3)]),
    ("tensordot", lambda m, x, y: m.tensordot(x, y), [array(2, 3, 4), array(3, 4, 5)]),
    ("tensordot axes", lambda m, x, y: m.tensordot(x, y, axes=([0, 2], [1, 0])),
     [array(2, 3, 4), array(4, 2, 5)]),
    ("einsum", lambda m, x, y: m.einsum("bij,bkj->bki", x, y), [array(2, 3, 4), array(2, 5, 4)]),
    ("einsum implicit", lambda m, x, y: m.einsum("ij,jk", x, y), [array(2, 3), array(3, 4)]),
    ("einsum trace", lambda m, x: m.einsum("ii->", x), [array(3, 3)]),
    ("einsum diagonal", lambda m, x: m.einsum("iji->ji", x), [array(3, 2, 3)]),
    ("einsum lone", lambda m, x, y: m.einsum("ij,kl->k", x, y), [array(2, 3), array(3, 4)]),
    ("einsum three", lambda m, x, y, z: m.einsum("ij,jk,kl->il", x, y, z),
     [array(2, 3), array(3, 4), array(4, 2)]),
    ("einsum outer", lambda m, x, y: m.einsum("ij,kj->jki", x, y), [array(2, 3), array(4, 3)]),
    ("diagonal", lambda m, x: m.diagonal(x, 1), [array(3, 4)]),
    ("diagonal below", lambda m, x: m.diagonal(x, -1, 1, 2), [array(2, 4, 3)]),
    ("trace", lambda m, x: m.trace(x), [array(3, 4)]),
    ("reshape", lambda m, x: m.reshape(x, (4, -1)) * 2, [array(2, 3, 4)]),
    ("reshape mixed", lambda m, x: x.reshape(3, 1, 8), [array(2, 3, 4)]),
    ("reshape scalar", lambda m, x: x.reshape(()), [array(1, 1)]),
    ("reshape ones", lambda m, x: x.reshape(1, 3, 1, 1), [array(3, 1)]),
    ("ravel", lambda m, x: m.ravel(x), [array(2, 3)]),
    ("transpose", lambda m, x: m.transpose(x, (2, 0, 1)), [array(2, 3, 4)]),
    ("T", lambda m, x: x.T, [array(2, 3)]),
    ("swapaxes", lambda m, x: m.swapaxes(x, 0, -1), [array(2, 3, 4)]),
    ("moveaxis", lambda m, x: m.moveaxis(x, 0, -1), [array(2, 3, 4)]),
    ("expand_dims", lambda m, x: m.expand_dims(x, (0, 2)), [array(2, 3)]),
    ("squeeze", lambda m, x: m.squeeze(x, 1), [array(2, 1, 3, 1)]),
    ("broadcast_to", lambda m, x: m.broadcast_to(x, (4, 2, 3)), [array(2, 1)]),
    ("concatenate", lambda m, x, y: m.concatenate([x, y, x], axis=-1),
     [array(2, 3), array(2, 1)]),
    ("stack", lambda m, x, y: m.stack([x, y], axis=-1), [array(2, 3), array(2, 3)]),
    ("split", lambda m, x: m.split(x, 2, axis=1)[1], [array(2, 4)]),
    ("array_split", lambda m, x: m.array_split(x, 3)[1], [array(7)]),
    ("tile", lambda m, x: m.tile(x, (2, 1, 3)), [array(2, 3)]),
    ("repeat", lambda m, x: m.repeat(x, 3, axis=1), [array(2, 2)]),
    ("pad", lambda m, x: m.pad(x, ((1, 0), (2, 3)), constant_values=1.5), [array(2, 3)]),
    ("flip", lambda m, x: m.flip(x, 1), [array(2, 3)]),
    ("roll", lambda m, x: m.roll(x, 2, axis=1), [array(2, 5)]),
    ("roll all", lambda m, x: m.roll(x, -4), [array(2, 5)]),
    ("tril", lambda m, x: m.tril(x, -1), [array(3, 4)]),
    ("triu", lambda m, x: m.triu(x), [array(2, 3, 3)]),
    ("take", lambda m, x: m.take(x, [2, 0, 2], axis=0), [array(3, 4)]),
    ("take axis", lambda m, x: m.take(x, [[1], [-1]], axis=1), [array(3, 4)]),
    ("vstack", lambda m, x, y: m.vstack([x, y, x]), [array(3), array(2, 3)]),
    ("hstack", lambda m, x, y: m.hstack([x, y]), [array(3), array(2)]),
    ("hstack 2", lambda m, x, y: m.hstack([x, y]), [array(2, 3), array(2, 1)]),
    ("atleast_2d", lambda m, x: m.atleast_2d(x) * 2, [array(3)]),
    ("array", lambda m, x: m.array([[x[0], 1.0], [x[1], x[2]]]), [array(3)]),
    ("diag", lambda m, x: m.diag(x, 1), [array(3, 4)]),
    ("diag of a vector", lambda m, x: m.diag(x, -2) + m.diag(x, 2) + 0 * m.diag(x)[0, 0],
     [array(3)]),
    ("flipud", lambda m, x: m.flipud(x) + m.fliplr(x), [array(2, 3)]),
    ("average", lambda m, x, w: m.average(x, 1, m.broadcast_to(w, (2, 4))),
     [array(2, 4), positive(4)]),
    ("ptp", lambda m, x: m.ptp(x, axis=1), [array(2, 4)]),
    ("degrees", lambda m, x: m.rad2deg(x) + m.deg2rad(x), [array(3)]),
    ("fmod", lambda m, x, y: m.fmod(x, y), [array(5), positive(5)]),
    ("index", lambda m, x: x[1], [array(3, 4)]),
    ("index slices", lambda m, x: x[..., 1:3, None, ::-2], [array(2, 4, 5)]),
    ("index mixed", lambda m, x: x[-1, None, :, 2], [array(2, 4, 5)]),
    ("index list", lambda m, x: x[:, [0, 2, 2]], [array(2, 4)]),
]


@pytest.mark.parametrize("function, arrays", [case[1:] for case in DIFFERENTIABLE],
                         ids=[case[0] for case in DIFFERENTIABLE])
def test_value_and_gradient(function, arrays):
    expected = function(np, *arrays)
    weights = RNG.uniform(0.5, 1.5, np.shape(expected))

    def loss(arrays):
        result = function(mnp, *arrays)
        return mnp.sum(result * weights), result

    (_, found), gradients = memrev.value_and_grad(loss, has_aux=True)(list(arrays))
    assert found.dtype == expected.dtype and found.shape == np.shape(expected)
    np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-14)
    for i, (x, gradient) in enumerate(zip(arrays, gradients)):
        for place in np.ndindex(x.shape):
            h = 1e-6
            ends = []
            for sign in (1, -1):
                moved = [a.copy() for a in arrays]
                moved[i][place] += sign * h
                ends.append(float(np.sum(function(np, *moved) * weights)))
            np.testing.assert_allclose(gradient[place], (ends[0] - ends[1]) / (2 * h),
                                       rtol=1e-6, atol=1e-7)


WHOLE = RNG.integers(-9, 9, (3, 4)).astype(np.int32)
LEAST = np.array([0, -1, 4], np.int32)
FLAGS = RNG.integers(0, 2, (3, 4)).astype(bool)
SPECIAL = np.array([0.0, -0.0, 1.5, -2.5, np.inf, -np.inf, np.nan], np.float32)
VALUES = [
    ("floor", lambda m, x: m.floor(x), [SPECIAL]),
    ("ceil", lambda m, x: m.ceil(x), [SPECIAL]),
    ("trunc", lambda m, x: m.trunc(x), [SPECIAL]),
    ("rint", lambda m, x: m.rint(x), [SPECIAL]),
    ("sign", lambda m, x: m.sign(x), [SPECIAL]),
    ("isnan", lambda m, x: m.isnan(x), [SPECIAL]),
    ("isinf", lambda m, x: m.isinf(x), [SPECIAL]),
    ("isfinite", lambda m, x: m.isfinite(x), [SPECIAL]),
    ("maximum nan", lambda m, x: m.maximum(x, 1), [SPECIAL]),
    ("nan_to_num", lambda m, x: m.nan_to_num(m.where(m.isinf(x), np.float32(3), x)), [SPECIAL]),
    ("comparisons", lambda m, x: m.stack([x < 1.5, x <= 1.5, x > 1.5, x >= 1.5, x == 1.5,
                                          x != 1.5]), [SPECIAL]),
    ("argmax nan", lambda m, x: m.argmax(x).astype(np.int32), [SPECIAL]),
    ("floor_divide by any", lambda m, x: m.floor_divide(x, LEAST), [WHOLE[:, :3]]),
    ("remainder of any", lambda m, x: m.remainder(x, LEAST), [WHOLE[:, :3]]),
    ("least by -1", lambda m, x: m.stack([x // m.where(x > 0, x, -1), x % m.where(x > 0, x, -1)]),
     [np.array([-2 ** 31, 7, 0, -5], np.int32)]),
    ("power of integers", lambda m, x: x ** m.abs(x[::-1]), [np.arange(-3, 4).astype(np.int32)]),
    ("mask", lambda m, x: x[:, np.array([True, False, True, True])], [WHOLE]),
    ("mask list", lambda m, x: x[[False, True, True]], [WHOLE]),
    ("take wrap", lambda m, x: m.take(x, [-9, 5, 4], axis=1, mode="wrap"), [WHOLE]),
    ("take clip", lambda m, x: m.take(x, [-9, 5, 1], axis=1, mode="clip"), [WHOLE]),
    ("clip names", lambda m, x: m.clip(m.clip(x, a_min=-2, a_max=5), min=0), [WHOLE]),
    ("divmod", lambda m, x: m.stack(divmod(x, 4)), [WHOLE]),
    ("fmod int", lambda m, x: m.fmod(x, -4), [WHOLE]),
    ("round", lambda m, x: m.round(x), [SPECIAL]),
    ("round decimals", lambda m, x: m.around(x, 1), [np.array([0.25, -1.34, 2.06])]),
    ("count_nonzero", lambda m, x: m.asarray(m.count_nonzero(x, axis=0), np.int32), [WHOLE]),
    ("shapes", lambda m, x: x * (m.ndim(x) + m.size(x, 1) + m.shape(x)[0]), [WHOLE]),
    ("sum dtype", lambda m, x: m.sum(x, 0, np.float64), [WHOLE]),
    ("argmax", lambda m, x: m.argmax(x, axis=1).astype(np.int32), [WHOLE]),
    ("argmin", lambda m, x: m.argmin(x, axis=0, keepdims=True).astype(np.int32), [WHOLE]),
    ("floor_divide", lambda m, x: x // np.int32(4), [WHOLE]),
    ("remainder", lambda m, x: x % np.int32(-4), [WHOLE]),
    ("integers", lambda m, x: m.abs(x) * 3 - x + (-x), [WHOLE]),
    ("bits", lambda m, x: (x & 6) | (x ^ 3) | ~x, [WHOLE]),
    ("sum int", lambda m, x: m.sum(x, axis=0).astype(np.int32), [WHOLE]),
    ("max int", lambda m, x: m.max(x, axis=0), [WHOLE]),
    ("min int", lambda m, x: m.min(x, axis=1), [WHOLE]),
    ("power int", lambda m, x: m.abs(x) ** 2, [WHOLE]),
    ("logic", lambda m, x: m.logical_and(x, ~x) | m.logical_or(x, m.logical_not(x)), [FLAGS]),
    ("all any", lambda m, x: m.stack([m.all(x, axis=0), m.any(x, axis=0)]), [FLAGS]),
    ("count", lambda m, x: m.sum(x).astype(np.int32), [FLAGS]),
    ("likes", lambda m, x: m.zeros_like(x) + m.ones_like(x) * m.full_like(x, 3), [WHOLE]),
    ("cast", lambda m, x: x.astype(np.int8).astype(np.float64), [WHOLE]),
    ("cast float", lambda m, x: x.astype(np.float16).astype(np.float64),
     [np.array([1.0001, -3.3], np.float32)]),
    ("cast bool", lambda m, x: x.astype(bool).astype(np.int64), [WHOLE]),
]


@pytest.mark.parametrize("function, arrays", [case[1:] for case in VALUES],
                         ids=[case[0] for case in VALUES])
def test_value(function, arrays):
    with np.errstate(all="ignore"):
        expected = function(np, *arrays)
    found = memrev.jit(lambda *arrays: function(mnp, *arrays))(*arrays)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


def test_numpy_functions_take_traced_arrays():
    def f(x):
        return np.tanh(x) + np.concatenate([x, x])[:3] + np.sum(x, axis=0) + 2 * np.maximum(x, 0)

    x = array(3)
    np.testing.assert_allclose(memrev.jit(f)(x), f(x), rtol=1e-14)


def test_arrays_of_numpy_and_traced_ones_mix():
    constant = array(2, 3)
    x = array(3, 3)
    found = memrev.jit(lambda x: (constant @ x, constant + x[:2], x[0] * np.float64(2)))(x)
    for value, expected in zip(found, (constant @ x, constant + x[:2], x[0] * 2)):
        np.testing.assert_allclose(value, expected, rtol=1e-14)


def test_types_of_results():
    x = np.ones(2, np.float32)

    def f(x, k):
        return [x + 1, x * 1.5, x + np.float64(2), x + k, k + 1, k / 2, k * 1.5, k > 0,
                x.astype(memrev.bfloat16).astype(np.float32), x + x.astype(np.float64)]

    found = [a.dtype.name for a in memrev.jit(f)(x, np.arange(2, dtype=np.int32))]
    assert found == ["float32"] * 4 + ["int32"] + ["float32"] * 2 + ["bool", "float32", "float64"]


def test_bfloat16_is_not_numpys():
    with pytest.raises(TypeError, match="types that it has, but 'result' is bfloat16"):
        memrev.jit(lambda x: x.astype(memrev.bfloat16))(np.ones(2, np.float32))


def test_bfloat16_rounds_to_eight_bits():
    x = np.array([1 + 2.0 ** -8, 1 + 3 * 2.0 ** -8], np.float32)
    found = memrev.jit(lambda x: x.astype(memrev.bfloat16).astype(np.float32))(x)
    np.testing.assert_array_equal(found, np.float32([1.0, 1 + 2.0 ** -6]))


def test_sign_has_no_derivative():
    found = memrev.grad(lambda x: mnp.sum(mnp.sign(x) * 2.0))(np.array([-2.0, -0.0, 0.0, 3.0]))
    np.testing.assert_array_equal(found, np.zeros(4))


def test_assignment_is_an_error():
    def f(x):
        x[0] = 1

    with pytest.raises(TypeError, match=r"use x = x.at\[...\].set\(y\)"):
        memrev.jit(f)(np.ones(2))


def test_set_and_add_a_part():
    x, y = array(4, 5), array(2, 3)
    expected = x.copy()
    expected[1:3, ::2] = y
    expected[0, 1] += 2
    found = memrev.jit(lambda x, y: x.at[1:3, ::2].set(y).at[0, 1].add(2.0))(x, y)
    np.testing.assert_array_equal(found, expected)


def test_traced_index():
    x = array(4, 5)
    found = memrev.jit(lambda x, i: (x[i, 1:], x.at[i].set(0.0), mnp.take(x, i, axis=1)))(x, 2)
    replaced = x.copy()
    replaced[2] = 0
    np.testing.assert_array_equal(found[0], x[2, 1:])
    np.testing.assert_array_equal(found[1], replaced)
    np.testing.assert_array_equal(found[2], x[:, 2])


def test_traced_indices_read_nothing_outside():
    """As NumPy's where they are in range, the nearest element where they are not."""
    x = array(4, 5)
    f = memrev.jit(lambda x, i, k: (x[i], x[:, k], x.at[i, 0].set(7.0), mnp.take(x, k, axis=1),
                                    mnp.take(x, k, axis=1, mode="wrap"),
                                    lax.dynamic_slice(x, (i, 1), (2, 3))))
    for i in (-1, 2, 0, -4):
        k = np.array([-1, 4, -5, 0])
        row, columns, replaced, same, wrapped, part = f(x, i, k)
        expected = x.copy()
        expected[i, 0] = 7
        for a, b in ((row, x[i]), (columns, x[:, k]), (same, x[:, k]), (wrapped, x[:, k]),
                     (replaced, expected)):
            np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(part, x[min(max(i, 0), 2):][:2, 1:4])
    row, columns, _, _, wrapped, _ = f(x, 100, np.array([-100, 99, 7, -7]))
    np.testing.assert_array_equal(row, x[3])
    np.testing.assert_array_equal(columns, x[:, [0, 4, 4, 0]])
    np.testing.assert_array_equal(wrapped, x[:, [0, 4, 2, 3]])


def test_negative_powers_of_integers():
    bases, exponents = np.array([2, 1, -1, -1, 0]), np.array([-1, -3, -3, -2, -1])
    found = memrev.jit(lambda x, y: x ** y)(bases, exponents)
    assert found.tolist() == [0, 1, -1, 1, 0]


def test_add_at_indices():
    x, values = array(4, 3), array(5, 3)
    places = np.array([0, 2, 2, -1, 0])
    expected = x.copy()
    np.add.at(expected, places, values)
    for given in (lambda x, p, v: x.at[p].add(v), lambda x, p, v: x.at[places].add(v)):
        np.testing.assert_allclose(memrev.jit(given)(x, places, values), expected, rtol=1e-14)
    gradient = memrev.grad(lambda v: mnp.sum(x.astype(v.dtype) * _added(x, places, v)))(values)
    np.testing.assert_allclose(gradient, x[places], rtol=1e-14)


def _added(x, places, values):
    return mnp.multiply(values[0, 0], 0.0 * x).at[places].add(values)


def test_constants_of_all_sizes():
    parts = [np.arange(3.0), RNG.standard_normal((20, 30)), np.float32(2) * np.ones((70, 2)),
             np.zeros((0, 3)), np.array([np.nan, np.inf, -np.inf, 1e-300, -0.0]),
             np.array([True, False]), RNG.integers(0, 9, (9, 9))]
    for part, found in zip(parts, memrev.jit(lambda: [mnp.reshape(p, p.shape) for p in parts])()):
        assert found.dtype == part.dtype
        np.testing.assert_array_equal(found, part)


def test_sums_so_far():
    x = np.array([1.0, 2.0, np.inf, 1.0, -np.inf, 1.0])
    np.testing.assert_array_equal(memrev.jit(mnp.cumsum)(x), np.cumsum(x))
    flags = x > 1
    for dtype in (None, np.int64):
        found = memrev.jit(lambda f: mnp.cumsum(f, 0, dtype=dtype))(flags)
        np.testing.assert_array_equal(found, np.cumsum(flags))
        assert found.dtype == (dtype or np.int32)
    long = RNG.integers(-9, 9, (2, 2000), dtype=np.int32)
    np.testing.assert_array_equal(memrev.jit(lambda x: mnp.cumsum(x, 1))(long), long.cumsum(1))
    assert memrev.jit(lambda x: mnp.cumsum(x, 0))(np.zeros((0, 2))).shape == (0, 2)


def test_empty_arrays():
    x = np.zeros((0, 3))
    total, joined, product = memrev.jit(
        lambda x: (mnp.sum(x, axis=0), mnp.concatenate([x, x + 1]), x @ np.ones((3, 2))))(x)
    np.testing.assert_array_equal(total, np.zeros(3))
    assert joined.shape == (0, 3) and product.shape == (0, 2)
    spread, place = memrev.jit(lambda x: (mnp.var(x, axis=1), mnp.argmax(x, axis=1)))(x)
    assert spread.shape == place.shape == (0,)


@pytest.mark.parametrize("function", [
    lambda m, x: x[:, :2], lambda m, x: x[:, 1:1], lambda m, x: x[:, ::2] + 1,
    lambda m, x: m.concatenate([x, x], 1)[:, 3:5], lambda m, x: m.sum(x[:, 1:3], axis=1),
    lambda m, x: m.split(x, 2, 1)[1], lambda m, x: x[..., :2].T @ x[..., 0]])
def test_parts_of_empty_arrays(function):
    x = np.zeros((0, 4, 3))
    np.testing.assert_array_equal(memrev.jit(lambda x: function(mnp, x))(x), function(np, x))
    gradient = memrev.jit(memrev.grad(lambda x: mnp.sum(function(mnp, x))))(x)
    assert gradient.shape == x.shape


def test_replaced_empty_parts():
    x = RNG.standard_normal((3, 4))
    found = memrev.jit(lambda x: x.at[:, 2:2].set(1.0).at[1:1].add(2.0))(x)
    np.testing.assert_array_equal(found, x)
    assert memrev.jit(lambda x: lax.dynamic_slice(x, (1, 0), (0, 4)))(x).shape == (0, 4)


ERRORS = [
    (lambda x: x + np.ones(4), ValueError, r"broadcast together, but got \[2, 3\], \[4\]"),
    (lambda x: x @ np.ones((2, 3)), ValueError, r"matmul expects a second array with 3 rows"),
    (lambda x: x.reshape(4, 4), ValueError, r"6 elements, but got \[4, 4\]"),
    (lambda x: x[2], IndexError, r"an index in \[-2, 2\) for dimension 0, but got 2"),
    (lambda x: x[0, 0, 0], IndexError, "at most 2 indices"),
    (lambda x: x[0.5], TypeError, "expects an index out of integers"),
    (lambda x: x[..., ...], IndexError, r"at most one '\.\.\.'"),
    (lambda x: x[x.sum().astype(int):], TypeError, "known while tracing"),
    (lambda x: x.sum(axis=2), ValueError, r"an axis in \[-2, 2\), but got 2"),
    (lambda x: x.sum(axis=(0, 0)), ValueError, "axes that differ"),
    (lambda x: 1 if x.sum() > 0 else 0, TypeError, "known while tracing"),
    (lambda x: float(x.sum()), TypeError, r"in float\(\)"),
    (lambda x: np.asarray(x), TypeError, "conversion to a NumPy array"),
    (lambda x: np.linalg.norm(x), TypeError, "a NumPy function that traced arrays have"),
    (lambda x: mnp.sort(x), AttributeError, r"but got numpy\.sort"),
    (lambda x: mnp.no_such_name(x), AttributeError, "has no attribute 'no_such_name'"),
    (lambda x: mnp.diag(x[None]), ValueError, "diag expects one or two dimensions"),
    (lambda x: np.frexp(x), TypeError, "but got numpy.frexp"),
    (lambda x: np.add(x, x, where=True), TypeError, "numpy.add with where"),
    (lambda x: mnp.transpose(x, (0, 0)), ValueError, "a permutation of 2 dimensions"),
    (lambda x: mnp.concatenate([x, np.ones((2, 2, 2))]), ValueError, "concatenate expects shapes"),
    (lambda x: mnp.stack([x, np.ones(3)]), ValueError, "stack expects arrays of one shape"),
    (lambda x: mnp.split(x, 2, axis=1), ValueError, "a number of parts that divides 3"),
    (lambda x: mnp.squeeze(x, 0), ValueError, "extent 1 in dimension 0, but got 2"),
    (lambda x: mnp.pad(x, 1, mode="reflect"), ValueError, "the mode 'constant'"),
    (lambda x: mnp.pad(x, -1), ValueError, "widths of at least 0"),
    (lambda x: mnp.take(x, [2], axis=0), IndexError, r"indices in \[-2, 2\)"),
    (lambda x: mnp.take(x, [0.5], axis=0), TypeError, "take expects integers"),
    (lambda x: mnp.einsum("ij,jk->ik", x, x), ValueError, "one extent for 'j', but got 3 and 2"),
    (lambda x: mnp.einsum("ijk->i", x), ValueError, "3 dimensions for 'ijk'"),
    (lambda x: mnp.einsum("ij,ij", x), ValueError, "2 arrays for 'ij,ij', but got 1"),
    (lambda x: mnp.einsum("ij->ii", x), ValueError, "each label of the result once"),
    (lambda x: mnp.einsum("...j->j", x), ValueError, "subscripts of letters"),
    (lambda x: mnp.tensordot(x, x, 1), ValueError, "equal extents to contract"),
    (lambda x: x & 1, TypeError, "bitwise_and expects integers or booleans, but got float64"),
    (lambda x: mnp.max(x[:0]), ValueError, "at least one element"),
    (lambda x: mnp.broadcast_to(x, (2, 4)), ValueError, r"broadcasts to \[2, 4\]"),
    (lambda x: x[x > 0], TypeError, "a mask that is known while tracing"),
    (lambda x: x[[True, False, True]], IndexError, "a mask of 2 booleans for dimension 0"),
    (lambda x: x[True], TypeError, "expects an index out of integers"),
    (lambda x: mnp.moveaxis(x, 5, 0), ValueError, r"an axis in \[-2, 2\), but got 5"),
    (lambda x: mnp.swapaxes(x, 5, 0), ValueError, r"an axis in \[-2, 2\), but got 5"),
    (lambda x: mnp.expand_dims(x, 5), ValueError, r"an axis in \[-3, 3\), but got 5"),
    (lambda x: mnp.stack([x, x], 5), ValueError, r"an axis in \[-3, 3\), but got 5"),
    (lambda x: mnp.diagonal(x, 0, 0, 5), ValueError, r"an axis in \[-2, 2\), but got 5"),
    (lambda x: mnp.transpose(x, (0, 5)), ValueError, r"an axis in \[-2, 2\), but got 5"),
    (lambda x: mnp.moveaxis(x, (0, 1), (0, 0)), ValueError, "as many places as axes"),
    (lambda x: mnp.take(x, [0], mode="fill"), ValueError, "a mode out of raise, clip, wrap"),
    (lambda x: mnp.take(x, x > 0), TypeError, "take expects integers, but got bool"),
    (lambda x: mnp.take(x[:0], x.astype(int), axis=0), IndexError, "for an axis of extent 0"),
    (lambda x: x.astype(np.int8) + 300, OverflowError, "a number of int8, but got 300"),
    (lambda x: x.astype(int) ** -1, ValueError, "an exponent of at least 0 for int64, but got -1"),
    (lambda x: lax.for_loop(3, lambda i, y: y + x[i], x[0]), IndexError,
     r"numbers of a loop to be in \[0, 2\) as indices of dimension 0, but got 0 to 2"),
    (lambda x: lax.dynamic_slice(x, (1, 0), (2, 3)), IndexError, "2 elements from 1 on"),
    (lambda x: x + "a", TypeError, "unsupported operand"),
    (lambda x: mnp.add(x, object()), TypeError, "expects an array, but got object"),
    (lambda x: x.astype(complex), TypeError, "expects a dtype out of bool"),
    (lambda x: mnp.mean(x[:0]), ValueError, "mean expects at least one element"),
    (lambda x: mnp.var(x[:1], axis=0, ddof=1), ValueError, "var expects more than 1 elements"),
]


@pytest.mark.parametrize("function, kind, message", ERRORS)
def test_error(function, kind, message):
    with pytest.raises(kind, match=message):
        memrev.jit(function)(np.ones((2, 3)))


@pytest.mark.parametrize("shape, indices, axis", [
    ((3, 5), (3, 2), 1), ((3, 5), (1, 4), 1), ((4, 3, 2), (6, 3, 2), 0), ((7,), (4,), -1),
    ((1, 5), (3, 2), 1), ((3, 5), (4,), None)])
def test_take_along_axis(shape, indices, axis):
    rng = np.random.default_rng(4)
    x = rng.standard_normal(shape)
    extent = x.size if axis is None else shape[axis]
    at = rng.integers(-extent, extent, indices)
    expected = np.take_along_axis(x, at, axis)
    for given in (at, at.astype(np.int32), at.astype(np.int64)):
        np.testing.assert_array_equal(memrev.jit(
            lambda x, at: mnp.take_along_axis(x, at, axis=axis))(x, given), expected)
    np.testing.assert_array_equal(
        memrev.jit(lambda x: mnp.take_along_axis(x, at, axis=axis))(x), expected)
    weights = rng.standard_normal(expected.shape)
    gradient = memrev.grad(
        lambda x: mnp.sum(weights * mnp.take_along_axis(x, at, axis=axis)))(x)
    step = 1e-6 * rng.standard_normal(shape)
    moved = np.take_along_axis(x + step, at, axis) - expected
    assert (gradient * step).sum() == pytest.approx((weights * moved).sum(), rel=1e-7)


@pytest.mark.parametrize("side", ["left", "right"])
def test_searchsorted(side):
    a = np.array([-1.0, 0.0, 0.0, 2.5, np.inf, np.nan])
    v = np.array([[-2, -1, 0], [1, 2.5, 3], [np.inf, -np.inf, np.nan]])
    found = memrev.jit(lambda a, v: mnp.searchsorted(a, v, side=side))(a, v)
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, np.searchsorted(a, v, side=side))
    assert memrev.jit(lambda a: mnp.searchsorted(a, 3, side=side))(np.arange(9)) == (
        np.searchsorted(np.arange(9), 3, side=side))


@pytest.mark.parametrize("call, kind, message", [
    (lambda x: mnp.take_along_axis(x, np.array([[5]]), 1), IndexError,
     r"take_along_axis expects indices in \[-4, 4\), but got 5 to 5"),
    (lambda x: mnp.take_along_axis(x, np.array([1]), 1), ValueError,
     "take_along_axis expects indices of 2 dimensions, but got 1"),
    (lambda x: mnp.take_along_axis(x, x, 1), TypeError,
     "take_along_axis expects integers, but got float64"),
    (lambda x: mnp.searchsorted(x, 1), ValueError,
     r"searchsorted expects one dimension to search, but got shape \[3, 4\]"),
    (lambda x: mnp.searchsorted(x[0], 1, side="up"), ValueError,
     "out of left, right, but got 'up'"),
])
def test_errors_of_searches(call, kind, message):
    with pytest.raises(kind, match=message):
        memrev.jit(call)(np.ones((3, 4)))
