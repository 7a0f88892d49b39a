# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""memrev.numpy.linalg: values against NumPy's and PyTorch's, derivatives against
PyTorch's, differences and each other."""

import numpy as np
import pytest
import torch

import memrev
import memrev.numpy as mnp
from memrev import lax, tree
from memrev.numpy import linalg

import numeric

RNG = np.random.default_rng(11)
A = 0.5 * RNG.standard_normal((2, 3, 4, 4)) + 2 * np.eye(4)
#: Matrices whose pivots are not on the diagonal.
P = A[..., ::-1, :].copy()
B = RNG.standard_normal((2, 3, 4, 2))
ANTISYMMETRIC = A[0] - A[0].swapaxes(1, 2)


def torch_triangular(a, b, upper, unit):
    return torch.linalg.solve_triangular(a, b, upper=upper, unitriangular=unit)


def torch_lu(a):
    p, lower, upper = torch.linalg.lu(a)
    return lower, upper


#: name: (function, PyTorch's, arguments)
CASES = {
    "solve": (linalg.solve, torch.linalg.solve, (P, B)),
    "solve one column": (linalg.solve, torch.linalg.solve, (P[0, 0], B[0, 0, :, 0])),
    "solve with broadcast": (linalg.solve, torch.linalg.solve, (P[0, 0], B)),
    "solve lower": (lambda a, b: linalg.solve_triangular(a, b, lower=True),
                    lambda a, b: torch_triangular(a, b, False, False), (A, B)),
    "solve upper": (linalg.solve_triangular,
                    lambda a, b: torch_triangular(a, b, True, False), (A, B)),
    "solve unit lower": (
        lambda a, b: linalg.solve_triangular(a, b, lower=True, unit_diagonal=True),
        lambda a, b: torch_triangular(a, b, False, True), (A, B)),
    "solve unit upper": (
        lambda a, b: linalg.solve_triangular(a, b, unit_diagonal=True),
        lambda a, b: torch_triangular(a, b, True, True), (A, B)),
    "solve lower transposed": (
        lambda a, b: linalg.solve_triangular(a, b, trans="T", lower=True),
        lambda a, b: torch_triangular(a.mT, b, True, False), (A, B)),
    "inv": (linalg.inv, torch.linalg.inv, (P,)),
    "det": (linalg.det, torch.linalg.det, (P,)),
    "slogdet": (lambda a: linalg.slogdet(a)[1], lambda a: torch.linalg.slogdet(a)[1], (P,)),
    "lu": (lambda a: linalg.lu(a)[:2], torch_lu, (P,)),
    "cholesky": (linalg.cholesky, torch.linalg.cholesky,
                 (A @ A.swapaxes(2, 3) + np.eye(4),)),
    "expm": (linalg.expm, torch.linalg.matrix_exp, (A,)),
    "expm of large and small": (linalg.expm, torch.linalg.matrix_exp,
                                (ANTISYMMETRIC * np.reshape([1e-9, 1, 30], (3, 1, 1)),)),
    "matrix_power": (lambda a: linalg.matrix_power(a, 5),
                     lambda a: torch.linalg.matrix_power(a, 5), (A,)),
    "matrix_power of the inverse": (lambda a: linalg.matrix_power(a, -3),
                                    lambda a: torch.linalg.matrix_power(a, -3), (A,)),
    "multi_dot": (lambda a, b, c: linalg.multi_dot([b, a, c]),
                  lambda a, b, c: torch.linalg.multi_dot([b, a, c]),
                  (RNG.standard_normal((3, 5)), RNG.standard_normal((7, 3)),
                   RNG.standard_normal(5))),
}
for _name, _ord, _axis in [
        ("norm", None, None), ("norm 3", 3, -1), ("norm 1", 1, 0), ("norm inf", np.inf, -1),
        ("norm fro", "fro", (0, 1)), ("norm of rows", 1, (2, 3)), ("norm of columns", -np.inf,
                                                                   (1, 3)), ("norm 0.5", 0.5, 2)]:
    CASES[_name] = (lambda x, o=_ord, a=_axis: linalg.norm(x, o, axis=a),
                    lambda x, o=_ord, a=_axis: torch.linalg.norm(x, o, dim=a)
                    if not isinstance(a, int) else torch.linalg.vector_norm(x, o, dim=a), (A,))


def oracle(function, args, cotangents):
    leaves = [torch.tensor(a, requires_grad=True) for a in args]
    output = function(*leaves)
    outputs = output if isinstance(output, tuple) else (output,)
    torch.autograd.backward(outputs, [torch.tensor(c) for c in cotangents])
    return [o.detach().numpy() for o in outputs], [leaf.grad.numpy() for leaf in leaves]


def close(found, expected, tolerance):
    np.testing.assert_allclose(found, expected, rtol=0,
                               atol=tolerance * max(1e-300, np.abs(expected).max()))


@pytest.mark.parametrize("name", CASES)
def test_values_and_derivatives(name):
    function, reference, args = CASES[name]
    # The round-off of a squaring grows with the norm.
    tolerance = 1e-11 if name.startswith("expm") else 1e-12
    value, pullback = memrev.vjp(function, *args)
    values = tree.leaves(value)
    cotangents = [RNG.standard_normal(v.shape) for v in values]
    expected, gradients = oracle(reference, args, cotangents)
    for found, wanted in zip(values, expected):
        close(found, wanted, tolerance)
    found = pullback(tree.unflatten(tree.structure(value), cotangents))
    for gradient, wanted in zip(found, gradients):
        close(gradient, wanted, tolerance)
    # Forward mode: <w, J v> = <J^T w, v>.
    directions = tuple(RNG.standard_normal(a.shape) for a in args)
    tangents = tree.leaves(memrev.jvp(function, args, directions)[1])
    left = sum(float((c * t).sum()) for c, t in zip(cotangents, tangents))
    right = [float((g * d).sum()) for g, d in zip(found, directions)]
    scale = sum(float(np.abs(g * d).sum()) for g, d in zip(found, directions))
    assert abs(left - sum(right)) <= tolerance * scale


@pytest.mark.parametrize("name", ["solve", "solve upper", "inv", "slogdet", "lu", "cholesky",
                                  "expm"])
def test_second_derivatives_and_taylor(name):
    function, _, args = CASES[name]
    rng = np.random.default_rng(5)

    def loss(*args):
        return sum(mnp.sum(mnp.sin(y)) for y in tree.leaves(function(*args)))

    def hvp(args, directions):
        return memrev.jvp(memrev.grad(loss, argnums=tuple(range(len(args)))), args, directions)[1]

    directions = tuple(rng.standard_normal(a.shape) for a in args)
    compiled = memrev.jit(hvp)
    others = tuple(rng.standard_normal(a.shape) for a in args)
    left = sum(float((h * o).sum()) for h, o in zip(compiled(args, directions), others))
    right = sum(float((h * o).sum()) for h, o in zip(compiled(args, others), directions))
    assert left == pytest.approx(right, rel=1e-9)  # The Hessian is symmetric.
    gradient = memrev.jit(memrev.grad(loss, argnums=tuple(range(len(args)))))
    h = 1e-5
    moved = [gradient(*(a + s * h * d for a, d in zip(args, directions))) for s in (1, -1)]
    for found, up, down in zip(compiled(args, directions), *moved):
        close(found, (up - down) / (2 * h), 1e-6)
    names = [str(i) for i in range(len(args))]
    arrays, value = dict(zip(names, args)), memrev.jit(loss)
    order = numeric.taylor_order(
        lambda arrays: float(value(*arrays.values())), arrays,
        dict(zip(names, gradient(*args))), dict(zip(names, directions)),
        [2e-4, 1e-4, 5e-5, 2e-5])
    assert order == pytest.approx(2, abs=0.05)


def test_reverse_mode_of_reverse_mode():
    def second(f, a):
        return memrev.grad(lambda a: mnp.sum(memrev.grad(lambda a: mnp.sum(mnp.sin(f(a))))(a)
                                             ** 2))(a)

    for function, reference in ((linalg.inv, torch.linalg.inv),
                                (linalg.expm, torch.linalg.matrix_exp)):
        leaf = torch.tensor(A[0], requires_grad=True)
        gradient, = torch.autograd.grad(torch.sin(reference(leaf)).sum(), leaf,
                                        create_graph=True)
        (gradient ** 2).sum().backward()
        close(memrev.jit(lambda a, f=function: second(f, a))(A[0]), leaf.grad.numpy(), 1e-11)


def test_signs_order_and_what_has_no_result():
    sign, values = memrev.jit(linalg.slogdet)(A[0])
    np.testing.assert_array_equal(sign, np.linalg.slogdet(A[0])[0])
    swapped = A[0, 0][[1, 0, 2, 3]]
    assert memrev.jit(linalg.slogdet)(swapped)[0] == -sign[0]
    singular = np.ones((3, 3))
    assert memrev.jit(linalg.slogdet)(singular) == (0, -np.inf)
    assert memrev.jit(linalg.det)(singular) == 0
    assert not np.isfinite(memrev.jit(linalg.inv)(singular)).any()
    lower, upper, order = memrev.jit(linalg.lu)(A)
    assert order.dtype == np.int32 and (np.abs(lower) <= 1).all()
    np.testing.assert_allclose(lower @ upper, np.take_along_axis(A, order[..., None], 2),
                               atol=1e-14)
    # The first pivot is zero.
    exchanged = np.array([[0.0, 2.0], [1.0, 0.0]])
    np.testing.assert_allclose(memrev.jit(linalg.inv)(exchanged), [[0, 1], [0.5, 0]])
    huge = np.array([[0, 1e30], [-1e30, 0]])
    assert np.isnan(memrev.jit(linalg.expm)(huge)).all()
    assert memrev.grad(lambda x: linalg.norm(x))(np.zeros(3)).tolist() == [0, 0, 0]


def test_the_other_triangle_is_not_read():
    a = np.tril(A[0, 0]) + np.triu(np.full((4, 4), np.nan), 1)
    b = B[0, 0]
    def f(a, b):
        return linalg.solve_triangular(a, b, lower=True)

    value, pullback = memrev.vjp(f, a, b)
    np.testing.assert_allclose(value, np.linalg.solve(np.tril(a), b), rtol=1e-12)
    gradient = pullback(np.ones_like(b))[0]
    assert np.isfinite(gradient).all() and not np.triu(gradient, 1).any()


@pytest.mark.parametrize("name", ["solve", "inv", "slogdet", "cholesky", "expm"])
def test_float32(name):
    function, reference, args = CASES[name]
    args = [a.astype(np.float32) for a in args]
    value, pullback = memrev.vjp(function, *args)
    assert value.dtype == np.float32
    cotangent = RNG.standard_normal(value.shape).astype(np.float32)
    expected, gradients = oracle(reference, [a.astype(np.float64) for a in args],
                                 [cotangent.astype(np.float64)])
    condition = max(np.linalg.cond(a).max() for a in args[:1])
    close(value, expected[0], 2e-7 * condition)
    for found, wanted in zip(pullback(cotangent), gradients):
        assert found.dtype == np.float32
        close(found, wanted, 2e-7 * condition ** 2)


def test_in_loops_and_couplings():
    """An orthogonal mixing of channels in each of the blocks, by the exponential and by the
    Cayley transform, in constant memory."""
    def orthogonal(w):
        skew = w - w.T
        one = mnp.eye(w.shape[0])
        return linalg.expm(skew), linalg.solve(one + skew, one - skew)

    def loss(x, weights):
        def block(i, halves):
            a, b = halves
            p, q = orthogonal(weights[i])
            a = lax.coupling("additive", a, [b], lambda c: mnp.tanh(c @ p))
            b = lax.coupling("additive", b, [a], lambda c: mnp.tanh(c @ q))
            return a, b

        a, b = lax.for_loop(len(weights), block, (x, x))
        return mnp.sum(a * b)

    x, weights = RNG.standard_normal((5, 4)), RNG.standard_normal((3, 4, 4))
    inverted, stored = (memrev.jit(memrev.grad(loss, argnums=(0, 1), policy=policy))
                        for policy in ("invert", "store"))
    for a, b in zip(inverted(x, weights), stored(x, weights)):
        close(a, b, 1e-12)
    bytes = [inverted.memory_report(
        x, memrev.ShapeDtype((n, 4, 4), np.float64))["workspace_bytes"] for n in (3, 30)]
    assert bytes[0] == bytes[1]


def test_programs_do_not_grow_with_the_matrices():
    def f(a, b):
        return linalg.expm(a), linalg.slogdet(a), linalg.solve(a, b), linalg.cholesky(a)

    lengths = [len(memrev.jit(f).mlir(memrev.ShapeDtype((k, k), np.float64),
                                      memrev.ShapeDtype((k, 3), np.float64)))
               for k in (128, 512)]
    # The loops have lists of the rows, 8 letters each.
    assert lengths[1] - lengths[0] < 12 * 8 * (512 - 128)


@pytest.mark.parametrize("function, args, message", [
    (linalg.inv, (A[0, 0, :3],), r"inv expects square matrices, but got shape \[3, 4\]"),
    (linalg.det, (A[0, 0, 0],), r"det|slogdet expects square matrices, but got shape \[4\]"),
    (linalg.solve, (A, B[:, :, :3]), r"solve expects a right-hand side of 4 rows for matrices "
     r"of shape \[2, 3, 4, 4\], but got shape \[2, 3, 3, 2\]"),
    (linalg.solve, (A[0], B[0, :2]), "expects shapes that broadcast together"),
    (lambda a: linalg.solve_triangular(a, a, trans=2), (A,), "trans out of 0, 1, 'N', 'T'"),
    (lambda a: linalg.norm(a, "nuc", axis=(0, 1)), (A,), "ord of matrices out of None, 'fro'"),
    (lambda a: linalg.norm(a, "fro", axis=0), (A,), "number as the ord of vectors, but got 'fro'"),
    (lambda a: linalg.norm(a, 1), (A,), r"one axis or two that differ for ord=1"),
    (lambda a: linalg.multi_dot([a]), (A,), "multi_dot expects at least two arrays, but got 1"),
    (lambda a: linalg.multi_dot([a, a]), (A,), "multi_dot expects matrices"),
])
def test_errors(function, args, message):
    with pytest.raises(ValueError, match=message):
        memrev.jit(function)(*args)


def test_types_without_factors():
    with pytest.raises(TypeError, match="matrices of float32 or float64, but got float16"):
        memrev.jit(linalg.inv)(A.astype(np.float16))
