# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""NumPy's linear algebra for traced arrays: `numpy.linalg`, with what SciPy's adds.

Matrices are the last two dimensions; those before are stacks of them. Programs raise no
errors while they run: what has no result, such as the inverse of a singular matrix, has
infinities or NaN. Derivatives are formulas in matrices, of any order; where a result has
no derivative they are infinite or NaN, too.
"""

import functools
import math
import numbers
import operator

import numpy as np

from .. import _dtypes, lax
from .._array import (
    as_array, axis_of, broadcast_shapes, broadcast_to, cast, reshape,
)
from .._transforms import stop_gradient
from . import _factors
from ._elements import abs, ceil, clip, exp, log2, power, sqrt, square, to_float, where
from ._products import matmul
from ._publish import publish_in
from ._reductions import max, min, prod, sum
from ._shapes import diagonal

__all__ = [
    "cholesky", "det", "expm", "inv", "lu", "matrix_power", "multi_dot", "norm", "slogdet",
    "solve", "solve_triangular",
]

_publish = functools.partial(publish_in, np.linalg)


def _floats(*arrays):
    """The arrays as floats of one type that factors are computed in."""
    arrays = [to_float(x) for x in arrays]
    dtype = functools.reduce(_dtypes.promote, (x.dtype for x in arrays))
    if dtype.itemsize < 4:
        raise TypeError(f"linalg expects matrices of float32 or float64, but got {dtype}")
    return [cast(x, dtype) for x in arrays]


def _matrices(name, a, square=True):
    if a.ndim < 2 or square and a.shape[-1] != a.shape[-2]:
        raise ValueError(f"{name} expects {'square ' if square else ''}matrices, but got shape "
                         f"{list(a.shape)}")
    return a


def _stacked(a):
    """The matrices as an array of rank 3."""
    return reshape(a, [math.prod(a.shape[:-2]), *a.shape[-2:]])


def _square_stack(name, a):
    a, = _floats(a)
    return a, _stacked(_matrices(name, a))


def _solve(name, a, b, solution):
    """`solution` of stacks of matrices; b are columns if it has one dimension."""
    a, b = _floats(a, b)
    _matrices(name, a)
    columns = reshape(b, [-1, 1]) if b.ndim == 1 else b
    if not b.ndim or columns.shape[-2] != a.shape[-1]:
        raise ValueError(f"{name} expects a right-hand side of {a.shape[-1]} rows for matrices of "
                         f"shape {list(a.shape)}, but got shape {list(b.shape)}")
    outer = broadcast_shapes(a.shape[:-2], columns.shape[:-2])
    x = solution(_stacked(broadcast_to(a, (*outer, *a.shape[-2:]))),
                 _stacked(broadcast_to(columns, (*outer, *columns.shape[-2:]))))
    return reshape(x, [*outer, *(b.shape if b.ndim == 1 else b.shape[-2:])])


@_publish
def solve(a, b):
    """The X with a X = b, by LU factors with partial pivoting. `b` is one column if it has
    one dimension, as in NumPy 2."""
    return _solve("solve", a, b, _factors.solution)


def solve_triangular(a, b, trans=0, lower=False, unit_diagonal=False):
    """The X with T X = b, where T is the lower or upper triangle of `a`, transposed if
    `trans` is 1 or "T". With `unit_diagonal` its diagonal is taken to be of ones and not
    read. As `scipy.linalg.solve_triangular`; the other triangle is not read, and has a
    derivative of zero."""
    if trans not in (0, 1, "N", "T"):
        raise ValueError(f"solve_triangular expects a trans out of 0, 1, 'N', 'T', but got "
                         f"{trans!r}")
    turned = trans in (1, "T")

    def solution(a, b):
        found = _factors.triangular(bool(lower) != turned, bool(unit_diagonal))
        return found(_factors.transposed(a) if turned else a, b)

    return _solve("solve_triangular", a, b, solution)


@_publish
def inv(a):
    """The inverses, by LU factors with partial pivoting."""
    a, stack = _square_stack("inv", a)
    return reshape(_factors.inverse(stack), a.shape)


@_publish
def slogdet(a):
    """(sign, logabsdet): the signs of the determinants, and the logarithms of their absolute
    values."""
    a, stack = _square_stack("slogdet", a)
    factors, order, sign = _factors.factors_of(stack)
    pivots = diagonal(factors, axis1=1, axis2=2)
    sign = sign * prod(where(pivots < 0, -1, where(pivots > 0, 1, pivots)), axis=1)
    values = _factors.log_determinant(stack, factors, order)
    return reshape(sign, a.shape[:-2]), reshape(values, a.shape[:-2])


@_publish
def det(a):
    """The determinants. One that is too large or small for the type of the elements is
    infinite or zero: see `slogdet`. The derivative by a singular matrix is NaN."""
    sign, values = slogdet(a)
    return sign * exp(values)


def lu(a):
    """(L, U, order) of square matrices: L with ones on its diagonal, U, and the int32 numbers
    of the rows of `a` that L U has, which are the largest elements of their columns first."""
    a, stack = _square_stack("lu", a)
    lower, upper, order = _factors.lu_factors(stack)
    return reshape(lower, a.shape), reshape(upper, a.shape), reshape(order, a.shape[:-1])


@_publish
def cholesky(a):
    """The lower triangular L with L L^T = (a + a^T) / 2, which is `a` if that is symmetric."""
    a, stack = _square_stack("cholesky", a)
    stack = (stack + _factors.transposed(stack)) * 0.5
    return reshape(_factors.cholesky_factor(stack), a.shape)


# The Padé approximants of the exponential, by the type of the elements: the coefficients of
# the numerator, the largest 1-norm for which the error is below half a unit in the last place
# (Higham, The scaling and squaring method for the matrix exponential revisited, SIAM J. Matrix
# Anal. Appl. 26, 2005, tables 2.3 and 2.4), and how often a matrix may be halved.
_PADE = {
    "float32": (
        (17297280.0, 8648640.0, 1995840.0, 277200.0, 25200.0, 1512.0, 56.0, 1.0),
        3.925724783138660, 24),
    "float64": (
        (64764752532480000.0, 32382376266240000.0, 7771770303897600.0, 1187353796428800.0,
         129060195264000.0, 10559470521600.0, 670442572800.0, 33522128640.0, 1323241920.0,
         40840800.0, 960960.0, 16380.0, 182.0, 1.0),
        5.371920351148152, 53),
}


def expm(a):
    """The exponentials of matrices, by scaling and squaring of a Padé approximant of order
    13, 7 for float32. The relative error of one whose elements are large is about the 1-norm
    times the precision of the type; where that is above 1 there is no result, but NaN."""
    a, stack = _square_stack("expm", a)
    coefficients, radius, most = _PADE[stack.dtype.name]
    largest = max(sum(abs(stop_gradient(stack)), axis=1), axis=1)
    halvings = clip(ceil(log2(largest / radius)), 0, most + 1)
    scale = where(halvings > most, np.nan, power(2.0, -halvings)).astype(stack.dtype)
    scaled = stack * reshape(scale, [-1, 1, 1])
    result = _approximant(scaled, coefficients)
    needed = max(where(halvings > 0, halvings, 0)).astype(np.int32)  # Of NaN: none.

    def squared(i, x):
        def square_some(x):
            wanted = reshape(halvings, [-1, 1, 1]) > i
            return where(wanted, matmul(x, x), x)

        return lax.cond(needed > i, square_some, lambda x: x, x)

    return reshape(lax.for_loop(most, squared, result), a.shape)


def _approximant(a, coefficients):
    """p(a) / p(-a) for the polynomial p of the coefficients, in powers of a^2."""
    one = _factors.identity(a)
    squares = matmul(a, a)
    powers = [one, squares]
    while 2 * len(powers) < len(coefficients) and len(powers) < 4:
        powers.append(matmul(powers[-1], squares))

    def polynomial(coefficients):
        low = functools.reduce(operator.add, (
            c * x for c, x in zip(coefficients, powers)))
        rest = coefficients[len(powers):]
        if not rest:
            return low
        # The powers behind are the last one times those from a^2 on.
        high = functools.reduce(operator.add, (c * x for c, x in zip(rest, powers[1:])))
        return low + matmul(powers[-1], high)

    even, odd = polynomial(coefficients[::2]), matmul(a, polynomial(coefficients[1::2]))
    return _factors.solution(even - odd, even + odd)


@_publish
def matrix_power(a, n):
    """The n-th power of square matrices, of their inverses if `n`, an integer, is
    negative."""
    a, = _floats(a)
    n = operator.index(n)
    _matrices("matrix_power", a)
    if n < 0:
        return matrix_power(inv(a), -n)
    if n == 0:
        return reshape(_factors.identity(_stacked(a)), a.shape)
    result = None
    while n:
        if n % 2:
            result = a if result is None else matmul(result, a)
        n //= 2
        if n:
            a = matmul(a, a)
    return result


@_publish
def multi_dot(arrays):
    """The product of matrices in the order that takes the fewest multiplications; the first
    and the last may have one dimension."""
    arrays = [as_array(x) for x in arrays]
    if len(arrays) < 2:
        raise ValueError(f"multi_dot expects at least two arrays, but got {len(arrays)}")
    for i, x in enumerate(arrays):
        if x.ndim != 2 and not (x.ndim == 1 and i in (0, len(arrays) - 1)):
            raise ValueError("multi_dot expects matrices, and rows or columns at the ends, but "
                             f"got shape {list(x.shape)}")
    extents = [1 if arrays[0].ndim == 1 else arrays[0].shape[0],
               *(x.shape[0] for x in arrays[1:]),
               1 if arrays[-1].ndim == 1 else arrays[-1].shape[1]]

    @functools.lru_cache(maxsize=None)
    def best(i, j):
        """The multiplications for the product of the arrays i to j, and where to cut it."""
        if i == j:
            return 0, None
        return _least((best(i, k)[0] + best(k + 1, j)[0]
                       + extents[i] * extents[k + 1] * extents[j + 1], k) for k in range(i, j))

    def product(i, j):
        cut = best(i, j)[1]
        return arrays[i] if cut is None else matmul(product(i, cut), product(cut + 1, j))

    return product(0, len(arrays) - 1)


def _least(pairs):
    return sorted(pairs)[0]


@_publish
def norm(x, ord=None, axis=None, *, keepdims=False):
    """The norm of all elements, of vectors along an axis, or of matrices along a pair of
    axes. Vectors have any order, matrices None, "fro", 1, -1, inf and -inf. The derivative of
    a 2-norm of zero is zero."""
    x = to_float(x)
    axes = list(range(x.ndim)) if axis is None else [
        axis_of(a, x.ndim) for a in ([axis] if isinstance(axis, numbers.Integral) else axis)]
    if ord is None:
        return _euclidean(x, tuple(axes), keepdims)
    if len(axes) not in (1, 2) or len(set(axes)) != len(axes):
        raise ValueError(f"norm expects one axis or two that differ for ord={ord!r}, but got "
                         f"{axes}")
    if len(axes) == 1:
        return _vector_norm(x, ord, axes[0], keepdims)
    if ord == "fro":
        return _euclidean(x, tuple(axes), keepdims)
    if ord not in (1, -1, np.inf, -np.inf):
        raise ValueError("norm expects an ord of matrices out of None, 'fro', 1, -1, inf, -inf, "
                         f"but got {ord!r}")
    inner, outer = axes if ord in (1, -1) else axes[::-1]
    sums = sum(abs(x), axis=inner, keepdims=True)
    result = (max if ord > 0 else min)(sums, axis=outer, keepdims=True)
    return result if keepdims else reshape(
        result, [n for i, n in enumerate(x.shape) if i not in axes])


def _euclidean(x, axes, keepdims):
    squares = sum(square(x), axis=axes, keepdims=keepdims)
    # The root of zero has no derivative; its argument there is a constant.
    return where(squares == 0, 0, sqrt(where(squares == 0, 1, squares)))


def _vector_norm(x, ord, axis, keepdims):
    if ord == 2:
        return _euclidean(x, (axis,), keepdims)
    if ord == np.inf:
        return max(abs(x), axis=axis, keepdims=keepdims)
    if ord == -np.inf:
        return min(abs(x), axis=axis, keepdims=keepdims)
    if ord == 0:
        return sum((x != 0).astype(x.dtype), axis=axis, keepdims=keepdims)
    if isinstance(ord, str):
        raise ValueError(f"norm expects a number as the ord of vectors, but got {ord!r}")
    if ord == 1:
        return sum(abs(x), axis=axis, keepdims=keepdims)
    return power(sum(power(abs(x), float(ord)), axis=axis, keepdims=keepdims), 1 / ord)
