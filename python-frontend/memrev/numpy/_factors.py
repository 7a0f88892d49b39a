# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Factors of matrices, and solutions by them, for stacks of matrices: arrays of rank 3.

Each is one loop over columns or rows, whose size does not depend on the extent of the
matrices. Derivatives are those of Giles, "Collected matrix derivative results for forward
and reverse mode algorithmic differentiation", 2008, and for the Cholesky factor Murray,
arXiv 1602.07527.
"""

import functools

import numpy as np

from .. import lax
from .._array import as_array, full, reshape, transpose
from .._custom import custom_jvp, custom_vjp
from .._transforms import stop_gradient
from ._elements import abs, log, sqrt, where
from ._products import matmul
from ._reductions import argmax, sum
from ._shapes import broadcast_to, diagonal, diagonals, flip, places, take, tril, triu


def transposed(a):
    """The matrices with rows and columns exchanged."""
    return transpose(a, [0, 2, 1])


def identity(like):
    """The identities of the shape of the matrices `like`."""
    ones = where(diagonals(*like.shape[1:]) == 0, 1, 0).astype(like.dtype)
    return broadcast_to(ones, like.shape)


def _numbers(k):
    """0 to k - 1 as a row. Loops read it faster than they compute it."""
    return as_array(np.arange(k, dtype=np.int32)[None])


# ------------------------------------------------------------------------------
# Triangular systems
# ------------------------------------------------------------------------------


def _substituted(a, b, unit):
    """The X with tril(a) X = b, by forward substitution."""
    k = a.shape[-1]
    # What stands above the diagonal is not read, not even to multiply it by zero.
    rows = tril(a, -1)
    scale = None if unit else diagonal(a, axis1=1, axis2=2)

    def body(i, x):
        rest = b[:, i, :] - matmul(reshape(rows[:, i, :], [-1, 1, k]), x)[:, 0]
        return x.at[:, i, :].set(rest if unit else rest / reshape(scale[:, i], [-1, 1]))

    return lax.for_loop(k, body, full(b.shape, 0, b.dtype))


@functools.lru_cache(maxsize=None)
def triangular(lower, unit):
    """The function (a, b) -> X with T X = b, where T is the lower or upper triangle of the
    matrices a, whose diagonal is taken to be of ones if `unit`."""
    triangle = functools.partial(tril, k=-1 if unit else 0) if lower else functools.partial(
        triu, k=1 if unit else 0)

    def adjoint(a, x):
        return triangular(not lower, unit)(transposed(a), x)

    def backward(kept, cotangent):
        a, x = kept
        along_b = adjoint(a, cotangent)
        return -triangle(matmul(along_b, transposed(x))), along_b

    def tangent(primals, tangents):
        (a, b), (da, db) = primals, tangents
        x = solve(a, b)
        return x, solve(a, db - matmul(triangle(da), x))

    def forward(a, b):
        x = solve(a, b)
        return x, (a, x)

    @custom_jvp(tangent=tangent)
    @custom_vjp(forward=forward, backward=backward)
    def solve(a, b):
        if lower:
            return _substituted(a, b, unit)
        return flip(_substituted(flip(a, (1, 2)), flip(b, 1), unit), 1)

    solve.__name__ = "solve_lower" if lower else "solve_upper"
    return solve


# ------------------------------------------------------------------------------
# LU
# ------------------------------------------------------------------------------


def eliminate(a):
    """(LU, order, sign): the factors of each matrix with its rows in the order `order`, L
    below the diagonal, whose own is of ones, and U from it on; `sign` is that of the order.

    Gaussian elimination with the largest element of the column as pivot (Golub and Van
    Loan, Matrix Computations, 4th edition, algorithm 3.4.1), each step of which updates
    the matrices as a whole. It has no derivative of its own.
    """
    count, k, _ = a.shape
    numbers = _numbers(k)
    rows, columns = reshape(numbers, [1, k, 1]), reshape(numbers, [1, 1, k])

    def body(j, carry):
        a, order, sign = carry
        column = a[:, :, j]
        pivot = argmax(where(numbers >= j, abs(column), -1), axis=1)
        pivot = reshape(pivot, [count, 1])
        # The order of rows j and pivot is exchanged: what rows j had goes to the pivot's.
        at_pivot = reshape(pivot, [count, 1, 1])
        upper = a[:, j, :]
        row = sum(where(rows == at_pivot, a, 0), axis=1)
        a = where(rows == j, reshape(row, [count, 1, k]),
                  where(rows == at_pivot, reshape(upper, [count, 1, k]), a))
        place = sum(where(numbers == pivot, order, 0), axis=1)
        before = order[:, j]
        order = where(numbers == j, reshape(place, [count, 1]),
                      where(numbers == pivot, reshape(before, [count, 1]), order))
        sign = where(pivot[:, 0] == j, sign, -sign)
        # A column without a pivot is eliminated already.
        element = reshape(row[:, j], [count, 1])
        factors = where(element == 0, 0, a[:, :, j] / element)
        factors = where(numbers > j, factors, 0)
        factors = reshape(factors, [count, k, 1])
        eliminated = a - factors * reshape(row, [count, 1, k])
        below = rows > j
        return (where(below & (columns > j), eliminated,
                      where(below & (columns == j), broadcast_to(factors, a.shape), a)),
                order, sign)

    order = broadcast_to(numbers, (count, k))
    return lax.for_loop(k, body, (a, order, full([count], 1, a.dtype)))


def permuted(order, b):
    """The rows of the matrices `b` in the order that `order` lists."""
    count, k, m = b.shape
    first = places([count, 1], 0) * k
    rows = take(reshape(b, [count * k, m]), reshape(order + first, [-1]), axis=0)
    return reshape(rows, [count, k, m])


def _put_back(order, b):
    """The rows of the matrices `b` from the order that `order` lists in their own."""
    k = order.shape[1]
    found = reshape(order, [-1, 1, k]) == places([1, k, 1], 1)
    return permuted(sum(where(found, places([1, 1, k], 2), 0), axis=2), b)


@functools.lru_cache(maxsize=None)
def by_factors(adjoint):
    """The function (a, LU, order, b) -> X with a X = b, or with the transposes of a if
    `adjoint`, where (LU, order) are those of `eliminate(a)`.

    It has the derivatives of the solution by a and b, and none by the factors, which have
    no derivative themselves; they serve all derivatives.
    """
    def forward(a, factors, order, b):
        x = solve(a, factors, order, b)
        return x, (a, factors, order, x)

    def backward(kept, cotangent):
        a, factors, order, x = kept
        along_b = by_factors(not adjoint)(a, factors, order, cotangent)
        product = matmul(x, transposed(along_b)) if adjoint else matmul(along_b, transposed(x))
        return -product, None, None, along_b

    def tangent(primals, tangents):
        a, factors, order, b = primals
        x = solve(a, factors, order, b)
        da = transposed(tangents[0]) if adjoint else tangents[0]
        return x, solve(a, factors, order, tangents[3] - matmul(da, x))

    @custom_jvp(tangent=tangent)
    @custom_vjp(forward=forward, backward=backward)
    def solve(a, factors, order, b):
        if not adjoint:
            return triangular(False, False)(
                factors, triangular(True, True)(factors, permuted(order, b)))
        swapped = transposed(factors)
        return _put_back(order, triangular(False, True)(
            swapped, triangular(True, False)(swapped, b)))

    solve.__name__ = "solve_adjoint_by_factors" if adjoint else "solve_by_factors"
    return solve


def factors_of(a):
    """(LU, order, sign) of `eliminate`, without derivatives."""
    return stop_gradient(eliminate(stop_gradient(a)))


def solution(a, b):
    """The X with a X = b."""
    factors, order, _ = factors_of(a)
    return by_factors(False)(a, factors, order, b)


def _inverse_transposed(a, factors, order):
    return by_factors(True)(a, factors, order, identity(a))


def _log_forward(a, factors, order):
    return log_determinant(a, factors, order), (a, factors, order)


def _log_backward(kept, cotangent):
    a, factors, order = kept
    return reshape(cotangent, [-1, 1, 1]) * _inverse_transposed(a, factors, order), None, None


def _log_tangent(primals, tangents):
    a, factors, order = primals
    return log_determinant(*primals), sum(
        _inverse_transposed(a, factors, order) * tangents[0], axis=(1, 2))


@custom_jvp(tangent=_log_tangent)
@custom_vjp(forward=_log_forward, backward=_log_backward)
def log_determinant(a, factors, order):
    """log |det a| by the factors of `eliminate`, and its derivatives by a."""
    return sum(log(abs(diagonal(factors, axis1=1, axis2=2))), axis=1)


def _inverse_forward(a):
    x = inverse(a)
    return x, x


def _inverse_backward(x, cotangent):
    swapped = transposed(x)
    return (-matmul(swapped, matmul(cotangent, swapped)),)


def _inverse_tangent(primals, tangents):
    x = inverse(*primals)
    return x, -matmul(x, matmul(tangents[0], x))


@custom_jvp(tangent=_inverse_tangent)
@custom_vjp(forward=_inverse_forward, backward=_inverse_backward)
def inverse(a):
    """The inverses of the matrices."""
    return solution(a, identity(a))


def _lu_forward(a):
    lower, upper, order = lu_factors(a)
    return (lower, upper, order), (lower, upper, order)


def _lu_backward(kept, cotangents):
    lower, upper, order = kept
    along_lower, along_upper, _ = cotangents
    inner = (tril(matmul(transposed(lower), along_lower), -1)
             + triu(matmul(along_upper, transposed(upper))))
    # L^-T inner U^-T, by a solution from the left and one from the right.
    right = transposed(triangular(False, False)(upper, transposed(inner)))
    return (_put_back(order, triangular(False, True)(transposed(lower), right)),)


def _lu_tangent(primals, tangents):
    lower, upper, order = lu_factors(*primals)
    left = triangular(True, True)(lower, permuted(order, tangents[0]))
    inner = transposed(triangular(True, False)(transposed(upper), transposed(left)))
    return ((lower, upper, order),
            (matmul(lower, tril(inner, -1)), matmul(triu(inner), upper), None))


@custom_jvp(tangent=_lu_tangent)
@custom_vjp(forward=_lu_forward, backward=_lu_backward)
def lu_factors(a):
    """(L, U, order): L with ones on its diagonal, and the numbers of the rows of a that
    L U has."""
    factors, order, _ = eliminate(a)
    return tril(factors, -1) + identity(a), triu(factors), order


# ------------------------------------------------------------------------------
# Cholesky
# ------------------------------------------------------------------------------


def _half(a):
    """The lower triangle with half of the diagonal."""
    return tril(a) - identity(a) * a * 0.5


def _cholesky_forward(a):
    factor = cholesky_factor(a)
    return factor, factor


def _cholesky_backward(factor, cotangent):
    inner = _half(matmul(transposed(factor), cotangent))
    adjoint = transposed(factor)
    left = triangular(False, False)(adjoint, inner)
    full = transposed(triangular(False, False)(adjoint, transposed(left)))
    return ((full + transposed(full)) * 0.5,)


def _cholesky_tangent(primals, tangents):
    factor = cholesky_factor(*primals)
    left = triangular(True, False)(factor, tangents[0])
    inner = transposed(triangular(True, False)(factor, transposed(left)))
    return factor, matmul(factor, _half(inner))


@custom_jvp(tangent=_cholesky_tangent)
@custom_vjp(forward=_cholesky_forward, backward=_cholesky_backward)
def cholesky_factor(a):
    """The lower triangular L with L L^T = a for symmetric matrices (Golub and Van Loan,
    algorithm 4.2.1)."""
    k = a.shape[-1]
    numbers = _numbers(k)

    def body(j, factor):
        row = reshape(factor[:, j, :], [-1, k, 1])
        rest = a[:, :, j] - matmul(factor, row)[:, :, 0]
        column = rest / reshape(sqrt(rest[:, j]), [-1, 1])
        return factor.at[:, :, j].set(where(numbers >= j, column, 0))

    return lax.for_loop(k, body, full(a.shape, 0, a.dtype))
