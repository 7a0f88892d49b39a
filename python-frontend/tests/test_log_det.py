# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Log-determinants of programs (`memrev.log_det`) against the determinants of dense Jacobians,
and their gradients, by inversion."""

import re

import numpy as np
import pytest

import memrev
import numeric
from memrev import lax, numpy as mnp, tree

DRAW = np.random.default_rng


def affine(x, given, w, **options):
    def parameters(*given):
        h = mnp.tanh(mnp.matmul(given[0], w))
        return mnp.sin(h) * 0.7, (h if len(given) == 1 else h + given[1])
    return lax.coupling("affine<exp>", x, given, parameters, **options)


def halves(x):
    return x[..., :x.shape[-1] // 2], x[..., x.shape[-1] // 2:]


def loop_of_couplings(x, d, w):
    """A flow conditioned on `d`, its halves scaled between blocks."""
    def block(i, carry):
        a, b = carry
        a = affine(a, [b, d], w[i])
        b = lax.coupling("affine<sigmoid>", b, [a],
                         lambda c: (mnp.matmul(c, w[i]), mnp.sin(c)), inverse=True)
        return a * -1.5, b
    return mnp.concatenate(lax.for_loop(w.shape[0], block, halves(x)), axis=-1)


def plain(x, d, w):
    """No coupling: sums, products with constants, elementary functions of one half."""
    a, b = halves(x)
    scales = np.linspace(0.5, 2.0, a.shape[-1])
    for i in range(w.shape[0]):
        a = (a + mnp.tanh(mnp.matmul(b, w[i])) * d) * scales
        b = mnp.exp(b * 0.3) - mnp.sin(a)
    return mnp.concatenate((b, mnp.arcsinh(a)), axis=-1)


def moved(x, d, w):
    """Reversed, reshaped and transposed features."""
    x = mnp.exp(x[:, ::-1] * 0.2)
    n, k = x.shape
    x = mnp.reshape(mnp.transpose(mnp.reshape(x, (n, 2, k // 2)), (2, 1, 0)), (k // 2, 2, n))
    a, b = x[:, 0, :], x[:, 1, :]
    a = lax.coupling("affine<soft_tanh, alpha = 1.2>", a, [b],
                     lambda c: (mnp.matmul(w[0], c), mnp.sin(c)))
    return mnp.transpose(mnp.concatenate((a, b * 3.0), axis=0), (1, 0))


def back(x, d, w):
    """The inverse of a function: its log-determinant is that of what it is built of."""
    return memrev.inverse(loop_of_couplings)(x, d, w)


def bent(x, d, w):
    """Leaky rectifiers and hyperbolic tangents, in a loop too."""
    def block(i, carry):
        a, b = carry
        a = lax.leaky_relu(a + mnp.matmul(b, w[i]) * d, 0.4)
        b = b - mnp.sin(a)
        return mnp.maximum(b, 0.5 * b), a
    a, b = lax.for_loop(w.shape[0], block, halves(x))
    return mnp.concatenate((mnp.tanh(a * 0.3), mnp.where(b < 0, b * 2.0, b)), axis=1)


def nested(x, d, w):
    """Loops in a loop, behind and in front of other operations."""
    def outer(i, carry):
        def inner(j, carry):
            a, b = carry
            a = affine(a, [b, d], w[j])
            return a, b * 0.75 + mnp.sin(a)
        a, b = lax.for_loop(w.shape[0], inner, carry)
        return mnp.exp(b * 0.1), a * 2.0
    a, b = halves(x)
    a, b = lax.for_loop(2, outer, (affine(a, [b], w[0]), b))
    return mnp.concatenate((b, affine(a, [b], w[1])), axis=1)


FUNCTIONS = [loop_of_couplings, plain, moved, back, bent, nested]


def arguments(seed, samples=3, features=6):
    draw = DRAW(seed).standard_normal
    half = features // 2
    return {"x": draw((samples, features)), "d": draw((samples, half)),
            "w": 0.4 * draw((2, half, half))}


def dense(function, args, argnum=0):
    """The Jacobian of the output by argument `argnum`, all samples."""
    leaves, structure = tree.flatten(args[argnum])
    sizes = [leaf.size for leaf in leaves]

    def along(flat, *args):
        tangents, place = [], 0
        for leaf, size in zip(leaves, sizes):
            tangents.append(mnp.reshape(flat[place:place + size], leaf.shape))
            place += size

        def of(x):
            changed = list(args)
            changed[argnum] = x
            return function(*changed)
        return memrev.jvp(of, (args[argnum],), (tree.unflatten(structure, tangents),))[1]

    pushed = memrev.jit(along)
    columns = [np.concatenate([np.asarray(y).ravel() for y in tree.leaves(pushed(unit, *args))])
               for unit in np.eye(sum(sizes))]
    return np.stack(columns, axis=1)


def per_sample(jacobian, samples):
    """log |det| of each sample's block of a Jacobian of arrays (samples, features)."""
    size = jacobian.shape[0] // samples
    blocks = jacobian.reshape(samples, size, samples, size)
    for i in range(samples):
        for j in range(samples):
            assert i == j or not blocks[i, :, j].any()
    return np.array([np.linalg.slogdet(blocks[i, :, i])[1] for i in range(samples)])


@pytest.mark.parametrize("function", FUNCTIONS)
def test_against_dense(function):
    args = tuple(arguments(0).values())
    output, found = memrev.log_det(function)(*args)
    assert np.abs(output - np.asarray(memrev.jit(function)(*args))).max() < 1e-14
    expected = per_sample(dense(function, args), len(args[0]))
    assert np.abs(found - expected).max() < 1e-8
    assert np.abs(expected).min() > 1e-3


def test_of_inverse_is_negative():
    x, d, w = arguments(1).values()
    y, forward = memrev.log_det(loop_of_couplings)(x, d, w)
    recovered, backward = memrev.log_det(back)(y, d, w)
    assert np.abs(recovered - x).max() < 1e-13
    assert np.abs(forward + backward).max() < 1e-13


def loss_of(function):
    def loss(arrays):
        output, found = memrev.log_det(function)(*arrays.values())
        weights = np.arange(1.0, found.shape[0] + 1)
        return mnp.sum(found * weights) + mnp.mean(mnp.sin(found)) - mnp.sum(output * output) / 9
    return loss


@pytest.mark.parametrize("function", FUNCTIONS)
def test_gradients(function):
    arrays = arguments(2)
    loss = loss_of(function)

    def gradients(policy):
        found = memrev.jit(memrev.grad(loss, policy=policy))(arrays)
        return {name: np.asarray(value) for name, value in found.items()}

    found = gradients("invert")
    assert numeric.error(found, gradients("store")) < 1e-12
    compiled = memrev.jit(loss)
    along = numeric.direction(arrays, seed=3)
    claimed = numeric.slope(found, along)
    measured = numeric.central_difference(lambda v: float(compiled(v)), arrays, along, 1e-6)
    assert claimed == pytest.approx(measured, rel=1e-6)
    pushed = memrev.jit(lambda v, t: memrev.jvp(loss, (v,), (t,))[1])(arrays, along)
    assert float(pushed) == pytest.approx(claimed, rel=1e-10)
    steps = [2.0 ** -i for i in range(10, 16)]
    order = numeric.taylor_order(lambda v: float(compiled(v)), arrays, found, along, steps)
    assert order == pytest.approx(2, abs=0.1)
    found["x"] = np.zeros_like(found["x"])
    assert numeric.taylor_order(lambda v: float(compiled(v)), arrays, found, along, steps) < 1.3


def test_samples_in_another_dimension():
    """And several arrays as the argument, and results that are not part of the map."""
    x, d, w = arguments(4).values()

    def function(w, x, d):
        a, b = x
        a = lax.coupling("affine<exp>", a, [b], lambda c: (mnp.matmul(w[0], c), d))
        b = b * 0.25 + mnp.sin(a)
        return {"b": b, "a": a}, mnp.sum(a * b)

    halved = tuple(np.ascontiguousarray(h.T) for h in np.split(x, 2, axis=1))
    both, found = memrev.log_det(function, argnum=1, batch_axis=-1, has_aux=True)(
        w, halved, d.T.copy())
    assert set(both[0]) == {"a", "b"} and both[1].shape == ()
    a, b = halved
    expected = np.sum(w[0] @ b, axis=0) + np.log(0.25) * len(b)
    assert np.abs(found - expected).max() < 1e-12


def test_images():
    """A convolutional flow with a split of channels and a squeeze to them."""
    x = DRAW(5).standard_normal((2, 4, 4, 2))
    w = 0.3 * DRAW(6).standard_normal((3, 3, 4, 8))

    def flow(x, w):
        n, h, v, c = x.shape
        x = mnp.reshape(x, (n, h // 2, 2, v // 2, 2, c))
        x = mnp.reshape(mnp.transpose(x, (0, 1, 3, 2, 4, 5)), (n, h // 2, v // 2, 4 * c))
        a, b = halves(x)

        def parameters(c):
            return halves(lax.conv(mnp.tanh(c), w, padding="same"))
        for _ in range(2):
            a = lax.coupling("affine<soft_atan, alpha = 1.5>", a, [b], parameters)
            b = lax.coupling("affine<exp>", b, [a], parameters)
        return mnp.concatenate((a, b), axis=-1)

    _, found = memrev.log_det(flow)(x, w)
    expected = per_sample(dense(flow, (x, w)), 2)
    assert np.abs(found - expected).max() < 1e-8


def test_constant_factors():
    """Powers of constants, counted with broadcasts; sums of nothing are zeros."""
    x = DRAW(7).standard_normal((4, 5))
    factors = np.array([2.0, -3.0, 0.5, 1.0, 4.0])
    _, found = memrev.log_det(lambda x: lax.for_loop(6, lambda i, x: -x * factors, x))(x)
    assert np.abs(found - 6 * np.log(12.0)).max() < 1e-12
    _, found = memrev.log_det(lambda x: x[:, ::-1] + 1.0)(x)
    assert np.array_equal(found, np.zeros(4))


def test_float32_and_depth():
    """The gradient of a density takes as many bytes at 32 blocks as at 4."""
    peaks = []
    for blocks in (4, 32):
        arrays = {name: a.astype(np.float32) for name, a in arguments(8).items()}
        arrays["w"] = (0.2 * DRAW(9).standard_normal((blocks, 3, 3))).astype(np.float32)
        loss = loss_of(loop_of_couplings)
        text = memrev.jit(memrev.grad(loss)).mlir(arrays)
        report, = memrev.compile(text, until="bufferize").memory_report()
        peaks.append(report["workspace_bytes"])
    assert peaks[0] == peaks[1]


# A scalar body with two factors, transposed on its way, between functions that name their
# log-determinants: a product with a triangular matrix, and one that is looked into.
PROGRAM = """
func.func private @product(%x: X, %l: M) -> X attributes {
    rev.inverse = @substitution, rev.log_det = @diagonal} {
  %zero = arith.constant 0.0 : f64
  %empty = tensor.empty() : X
  %init = linalg.fill ins(%zero : f64) outs(%empty : X) -> X
  %y = linalg.matmul ins(%x, %l : X, M) outs(%init : X) -> X
  return %y : X
}
func.func private @substitution(%y: X, %l: M) -> X
func.func private @diagonal(%x: X, %l: M) -> L {
  %zero = arith.constant dense<0.0> : L
  %y = linalg.generic {indexing_maps = [affine_map<(i, j) -> (j, j)>, affine_map<(i, j) -> (i)>],
      iterator_types = ["parallel", "reduction"]} ins(%l : M) outs(%zero : L) {
  ^bb0(%a: f64, %sum: f64):
    %m = math.absf %a : f64
    %g = math.log %m : f64
    %s = arith.addf %sum, %g : f64
    linalg.yield %s : f64
  } -> L
  return %y : L
}
func.func private @shrink(%x: X) -> X attributes {rev.inverse = @grow} {
  %half = arith.constant dense<0.5> : X
  %y = arith.mulf %x, %half : X
  return %y : X
}
func.func private @grow(%y: X) -> X
func.func private @flow(%x: X, %l: M) -> T {
  %third = arith.constant 0.3 : f64
  %p = func.call @product(%x, %l) : (X, M) -> X
  %q = func.call @shrink(%p) : (X) -> X
  %empty = tensor.empty() : T
  %y = linalg.generic {indexing_maps = [affine_map<(i, j) -> (j, i)>, affine_map<(i, j) -> (i, j)>],
      iterator_types = ["parallel", "parallel"]} ins(%q : X) outs(%empty : T) {
  ^bb0(%a: f64, %o: f64):
    %b = arith.mulf %a, %third : f64
    %c = math.exp %b : f64
    linalg.yield %c : f64
  } -> T
  return %y : T
}
func.func @log_det(%x: X, %l: M) -> (T, L) {
  %y, %ld = rev.log_det @flow(%x, %l) : (X, M) -> (T, L)
  return %y, %ld : T, L
}
func.func @named(%x: X, %l: M) -> L {
  %y, %ld = rev.log_det @product(%x, %l) : (X, M) -> (X, L)
  return %ld : L
}
func.func @gradient(%x: X, %l: M, %dl: L) -> (X, M) {
  %zero = arith.constant dense<0.0> : T
  %dx, %dm = rev.vjp @log_det(%x, %l) cotangents(%zero, %dl) : (X, M, T, L) -> (X, M)
  return %dx, %dm : X, M
}
"""
for letter, shape in (("X", "3x4"), ("T", "4x3"), ("M", "4x4"), ("L", "3")):
    PROGRAM = re.sub(rf"\b{letter}\b", f"tensor<{shape}xf64>", PROGRAM)


def test_named_log_determinants():
    module = memrev.compile(PROGRAM)
    rng = DRAW(11)
    x, matrix = rng.standard_normal((3, 4)), np.triu(rng.standard_normal((4, 4))) + 3 * np.eye(4)
    y, found = module["log_det"](x, matrix)
    assert np.abs(y - np.exp(0.15 * x @ matrix).T).max() < 1e-12
    blocks = [matrix.T * (0.15 * y[:, i])[:, None] for i in range(3)]
    expected = [np.linalg.slogdet(block)[1] for block in blocks]
    assert np.abs(found - expected).max() < 1e-8
    assert np.abs(module["named"](x, matrix) - np.linalg.slogdet(matrix)[1]).max() < 1e-12
    # The sum over features of 0.15 x M, and log |diagonal| of M.
    weights = rng.standard_normal(3)
    dx, dm = module["gradient"](x, matrix, weights)
    assert np.abs(dx - 0.15 * np.outer(weights, matrix.sum(axis=1))).max() < 1e-13
    expected = (0.15 * np.outer(weights @ x, np.ones(4))
                + np.diag(weights.sum() / np.diag(matrix)))
    assert np.abs(dm - expected).max() < 1e-13


def test_errors():
    x = DRAW(10).standard_normal((4, 6))
    with pytest.raises(memrev.CompileError, match="no inverse edge reaches its argument 0"):
        memrev.log_det(lambda x: mnp.sin(x))(x)
    with pytest.raises(memrev.CompileError, match="expects operations that keep samples apart"):
        memrev.log_det(lambda x: mnp.exp(x[::-1]))(x)
    with pytest.raises(memrev.CompileError, match="expects operations that keep samples apart"):
        memrev.log_det(lambda x: mnp.reshape(x, (2, 12)))(x)
    with pytest.raises(memrev.CompileError, match="expects operations that keep samples apart"):
        memrev.log_det(lambda x: (mnp.exp(x[:2]), x[2:]))(x)
    with pytest.raises(memrev.CompileError, match="as many elements as the arguments"):
        memrev.log_det(lambda x: (x, mnp.exp(x)))(x)
    with pytest.raises(ValueError, match="expects arrays with the dimension 2"):
        memrev.log_det(lambda x: x, batch_axis=2)(x)
    with pytest.raises(ValueError, match="expects arrays with samples in one dimension"):
        memrev.log_det(lambda x: x)((x, x[:2]))
    with pytest.raises(TypeError, match="expects arrays of one type"):
        memrev.log_det(lambda x: x)((x, x.astype(np.float32)))
    with pytest.raises(TypeError, match=r"a pair \(output, aux\)"):
        memrev.log_det(lambda x: x, has_aux=True)(x)


# -- Functions that name their log-determinant ----------------------------------------------

@memrev.custom_inverse(inverse=lambda y, w: mnp.matmul(y, mnp.linalg.inv(w)),
                       log_det=lambda x, w: mnp.broadcast_to(mnp.linalg.slogdet(w)[1],
                                                             (x.shape[0],)))
def mixed(x, w):
    """No operation of a product with a matrix says its determinant."""
    return mnp.matmul(x, w)


def mixing_flow(x, w):
    def block(i, x):
        x = mixed(x, w[i])
        a, b = halves(x)
        return mnp.concatenate((lax.coupling("affine<exp>", a, [b], lambda b: (
            mnp.sin(b), mnp.cos(b))), b), axis=-1)
    return lax.for_loop(w.shape[0], block, x)


def test_named_log_determinants_are_called():
    rng = DRAW(11)
    x, w = rng.standard_normal((3, 4)), rng.standard_normal((3, 4, 4))
    _, found = memrev.jit(memrev.log_det(mixing_flow))(x, w)
    along = memrev.jit(lambda x, w, d: memrev.jvp(mixing_flow, (x, w), (d, None))[1])
    for sample, value in zip(x, found):
        jacobian = [along(sample[None], w, row[None])[0] for row in np.eye(4)]
        np.testing.assert_allclose(value, np.linalg.slogdet(np.array(jacobian))[1], atol=1e-8)

    def density(policy):
        return memrev.jit(memrev.grad(lambda x, w: mnp.sum(memrev.log_det(mixing_flow)(x, w)[1]),
                                      (0, 1), policy=policy))(x, w)

    for stored, inverted in zip(density("store"), density("invert")):
        np.testing.assert_allclose(inverted, stored, rtol=0, atol=1e-10 * np.abs(stored).max())


def test_a_log_det_rule_of_another_shape_is_refused():
    wrong = memrev.custom_inverse(lambda x: 2 * x, inverse=lambda y: y / 2,
                                  log_det=lambda x: mnp.sum(x))
    with pytest.raises(ValueError, match=r"expects the log_det rule of '.*' to return one float "
                                         r"for each sample, but got float64\[\]"):
        memrev.jit(wrong)(np.ones((2, 3)))


def test_the_inverse_of_what_names_its_log_determinant():
    """Nothing leads through the inverse of `mixed`: its log-determinant is the negative one of
    `mixed` at its results."""
    rng = DRAW(12)
    x, w = rng.standard_normal((3, 4)), rng.standard_normal((3, 4, 4))
    y, forward = memrev.jit(memrev.log_det(mixing_flow))(x, w)
    sampler = memrev.inverse(mixing_flow, like=x)
    recovered, backward = memrev.jit(memrev.log_det(sampler))(y, w)
    assert np.abs(recovered - x).max() < 1e-10
    assert np.abs(forward + backward).max() < 1e-10
    assert np.abs(forward).min() > 1e-2

    arrays = {"y": np.asarray(y), "w": w}

    def loss(arrays):
        output, found = memrev.log_det(sampler)(*arrays.values())
        return mnp.sum(found * np.arange(1.0, 4.0)) + mnp.sum(mnp.sin(output))

    found, stored = (memrev.jit(memrev.grad(loss, policy=policy))(arrays)
                     for policy in ("invert", "store"))
    assert numeric.error(found, stored) < 1e-10
    compiled, along = memrev.jit(loss), numeric.direction(arrays, seed=4)
    measured = numeric.central_difference(lambda v: float(compiled(v)), arrays, along, 1e-6)
    assert numeric.slope(found, along) == pytest.approx(measured, rel=1e-6)


@memrev.custom_inverse(inverse=lambda y: y * mnp.exp(y))
def product_logarithm(x):
    """The y with y exp(y) = x > 0, by Newton's method; nothing is known of the iteration, nor,
    with two readers of y, of the way back."""
    def step(i, y):
        e = mnp.exp(y)
        return y - (y * e - x) / (e * (y + 1))
    return lax.for_loop(30, step, mnp.log1p(x))


@memrev.custom_inverse(inverse=lambda y: mnp.expm1(y) / 2)
def by_iteration(x):
    """log(1 + 2 x) by Newton's method: only its inverse has a way through."""
    def step(i, y):
        return y - 1 + (1 + 2 * x) * mnp.exp(-y)
    return lax.for_loop(30, step, x)


def test_what_only_the_inverse_has_a_way_through():
    x = DRAW(13).uniform(0.1, 2, (3, 4))
    y, found = memrev.jit(memrev.log_det(by_iteration))(x)
    assert np.abs(y - np.log1p(2 * x)).max() < 1e-14
    assert np.abs(found - np.log(2 / (1 + 2 * x)).sum(axis=1)).max() < 1e-13
    with pytest.raises(memrev.CompileError, match="no inverse edge reaches its argument 0"):
        memrev.jit(memrev.log_det(product_logarithm))(x)


def test_stopped_gradients_are_values():
    """The determinant is that of the values; its derivative stops."""
    x, w = DRAW(14).standard_normal((3, 4)), 0.4 * DRAW(15).standard_normal((2, 2))

    def flow(stop, x, w):
        a, b = halves(x)
        a = mnp.exp(affine(stop(a), [b], w) * 0.3)
        return lax.for_loop(3, lambda i, y: mnp.arcsinh(stop(y)) * 2.0,
                            mnp.concatenate((a, b), axis=1))

    def density(stop, x, w):
        return memrev.log_det(lambda x, w: flow(stop, x, w))(x, w)

    stop, values = memrev.stop_gradient, lambda x: x
    (y, found), (expected, wanted) = (density(stop, x, w), density(values, x, w))
    assert np.array_equal(y, expected) and np.array_equal(found, wanted)
    jacobian = dense(lambda x, w: flow(values, x, w), (x, w))
    assert np.abs(found - per_sample(jacobian, 3)).max() < 1e-8

    def gradient(stop, policy="invert"):
        return memrev.grad(lambda x, w: mnp.sum(density(stop, x, w)[1]), (0, 1),
                           policy=policy)(x, w)

    dx, dw = gradient(stop)
    # In the loop all stops; before it b moves and scales a, which has stopped.
    assert not np.any(dx[:, :2]) and np.abs(dx[:, 2:]).min() > 1e-3
    assert np.abs(gradient(values)[0][:, :2]).min() > 1e-3
    for inverted, stored in zip((dx, dw), gradient(stop, "store")):
        assert np.abs(inverted - stored).max() < 1e-12

    def before(x, w):
        a, b = x[:, :2], x[:, 2:]
        y = affine(a, [b], w) * 0.3
        return mnp.sum(mnp.sin(mnp.tanh(mnp.matmul(b, w))) * 0.7 + y)

    fixed, moved = memrev.grad(before, (0, 1))(x, w)
    assert np.abs(dw - moved).max() < 1e-12
    assert np.abs(dx[:, 2:] - fixed[:, 2:]).max() < 1e-12
