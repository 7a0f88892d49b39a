# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Bijections that mix channels by a matrix, at each place the same: 1x1 convolutions."""

import functools
from typing import Optional

import numpy as np

from .. import lax, nn
from .. import numpy as mnp
from .._array import as_array
from ..numpy import linalg
from ._undo import pair
from .bijection import Bijection, check_channels, no_log_det, per_sample, pixels

__all__ = ["ConditionalHouseholder", "FixedLinear", "FixedOrthogonal", "Householder",
           "InvertibleLinear", "LULinear", "Orthogonal", "Permute", "Reverse"]


# The matrices, w and its inverse v, are both arguments: neither has to be computed again.
_mixed, _unmixed = pair(lambda x, w, v: mnp.matmul(x, w), lambda y, w, v: mnp.matmul(y, v))

# What is orthogonal enlarges no error.
_turned, _turned_back = pair(lambda x, q: mnp.matmul(x, q), lambda y, q: mnp.matmul(y, q.T),
                             gain=1)


def _reflection(x, v):
    """x H for H = I - 2 v v^T / v^T v: two products of a matrix and a vector, and so are the
    derivatives, by `v` too, which may be one for each sample. Householder, Unitary
    triangularization of a nonsymmetric matrix (J. ACM 5, 1958)."""
    along = mnp.sum(x * v, axis=-1, keepdims=True)
    square = mnp.sum(v * v, axis=-1, keepdims=v.ndim > 1)
    # There is no reflection by a vector of zeros.
    scale = mnp.where(square > 0, 2 / mnp.where(square > 0, square, 1), 0)
    return x - along * scale * v


_reflected, _ = pair(_reflection, _reflection, gain=1)


class Householder(Bijection):
    """y = x H(v1) ... H(vn), an orthogonal mixing of channels by n reflections
    H(v) = I - 2 v v^T / v^T v: Tomczak and Welling (arXiv 1611.09630). [batch, ..., channels];
    log_det is 0. A reflection, and its derivatives, take time in proportion to the elements.

    reflections: their number n. freeze: whether the vectors do not train: then they are a
        state.

    Parameter, or state: `vectors` [reflections, channels], of normal distribution.
    Raises ValueError if there is less than one reflection.
    """

    def __init__(self, channels: int, reflections: int = 3, freeze: bool = False):
        if reflections < 1:
            raise ValueError("Householder expects at least 1 reflection, but got "
                             f"{reflections}")
        self.channels, self.reflections = channels, reflections
        self.vectors = (nn.State if freeze else nn.Parameter)((reflections, channels),
                                                              nn.init.normal())

    def __call__(self, x, cond=None):
        return self._reflect(x, reverse=False), no_log_det(x)

    def inverse(self, y, cond=None):
        return self._reflect(y, reverse=True), no_log_det(y)

    def _reflect(self, x, reverse):
        check_channels(self, x, self.channels)
        vectors = as_array(self.vectors)
        return lax.for_loop(self.reflections, lambda i, x: _reflected(x, vectors[i]), x,
                            reverse=reverse)


class ConditionalHouseholder(Bijection):
    """A `Householder` whose vectors are net(cond) [batch, reflections * channels]: a mixing of
    the channels of x [batch, ..., channels] for each sample; log_det is 0.

    net: a factory of networks (see `memrev.flows.dense`), or a module that gets the condition,
        whatever that is. Where it returns zeros, there is no reflection: start with others, as
        `dense(..., zero_init=False)` does.
    condition: the number of channels of the condition, for a factory.
    reflections: how many there are.

    Submodule: `net`. Raises ValueError if there is less than one reflection, for a factory
    without `condition`, and, when called, without a condition.
    """

    def __init__(self, channels: int, net, condition: Optional[int] = None,
                 reflections: int = 3):
        if reflections < 1:
            raise ValueError("ConditionalHouseholder expects at least 1 reflection, but got "
                             f"{reflections}")
        if condition is None and not isinstance(net, nn.Module):
            raise ValueError("ConditionalHouseholder expects the channels of its condition for a "
                             "factory, but got None")
        self.channels, self.reflections = channels, reflections
        self.net = net if isinstance(net, nn.Module) else net(condition, reflections * channels)

    def __call__(self, x, cond=None):
        return self._reflect(x, cond, range(self.reflections)), no_log_det(x)

    def inverse(self, y, cond=None):
        return self._reflect(y, cond, reversed(range(self.reflections))), no_log_det(y)

    def _reflect(self, x, cond, order):
        check_channels(self, x, self.channels)
        if cond is None:
            raise ValueError("ConditionalHouseholder expects a condition, but got None")
        space = (1,) * (x.ndim - 2)
        vectors = mnp.reshape(self.net(cond), (x.shape[0], self.reflections, *space,
                                               self.channels))
        for i in order:
            x = _reflected(x, vectors[:, i])
        return x


class _Linear(Bijection):
    """y = x W for the matrix, its inverse and log |det W| of a subclass."""

    channels = 0

    def _matrices(self):
        raise NotImplementedError

    def __call__(self, x, cond=None):
        check_channels(self, x, self.channels)
        w, v, log_det = self._matrices()
        return _mixed(x, w, v), per_sample(pixels(x) * log_det, x)

    def inverse(self, y, cond=None):
        check_channels(self, y, self.channels)
        w, v, log_det = self._matrices()
        return _unmixed(y, w, v), per_sample(-pixels(y) * log_det, y)


class InvertibleLinear(_Linear):
    """y = x W at each place, with log_det = places log |det W| by an LU factorisation: Kingma
    and Dhariwal, Glow (arXiv 1807.03039, section 3.2). [batch, ..., channels].

    Parameter: `weight` [channels, channels], a random rotation at first. A weight that becomes
    singular has no inverse; `LULinear` cannot become so.
    """

    def __init__(self, channels: int):
        self.channels = channels
        self.weight = nn.Parameter((channels, channels), _orthogonal)

    def _matrices(self):
        weight = as_array(self.weight)
        return weight, linalg.inv(weight), linalg.slogdet(weight)[1]


class LULinear(_Linear):
    """y = x W at each place, W = P L (U + diag(exp(a))) with a fixed permutation P, ones on
    the diagonal of the lower triangle L and zeros on that of the upper one U; log_det =
    places sum a: Kingma and Dhariwal, Glow (arXiv 1807.03039, equation 10). [batch, ...,
    channels]. Never singular.

    Parameters: `factors` [channels, channels], L below the diagonal, U above and a on it.
    State: `permutation` [channels, channels], a random P. W = P at first.
    """

    def __init__(self, channels: int):
        self.channels = channels
        self.factors = nn.Parameter((channels, channels), nn.init.zeros)
        self.permutation = nn.State((channels, channels), _permutation_matrix)

    def _matrices(self):
        factors, permutation = as_array(self.factors), as_array(self.permutation)
        n = self.channels
        one = np.eye(n, dtype=factors.dtype)
        a = mnp.diagonal(factors)
        lower = factors * np.tri(n, k=-1, dtype=factors.dtype) + one
        upper = factors * np.tri(n, k=-1, dtype=factors.dtype).T + one * mnp.exp(a)
        inverse = mnp.matmul(
            linalg.solve_triangular(upper, linalg.solve_triangular(
                lower, one, lower=True, unit_diagonal=True)), permutation.T)
        return mnp.matmul(permutation, mnp.matmul(lower, upper)), inverse, mnp.sum(a)


class Orthogonal(Bijection):
    """y = x Q at each place with an orthogonal Q made of a matrix W: of the skew-symmetric
    A = W - W^T "cayley" (I + A)^-1 (I - A), or "exp", the exponential of A; or "householder",
    the product of the reflections H(w1) ... H(wn) by the rows of W (see `Householder`). [batch,
    ..., channels]; log_det is 0. Lezcano-Casado and Martinez-Rubio (arXiv 1901.08428); Helfrich,
    Willmott and Ye (arXiv 1707.09520).

    Parameter: `weight` [channels, channels], of normal distribution with deviation `spread`.
    Raises ValueError for another `parametrization`.
    """

    def __init__(self, channels: int, parametrization: str = "cayley", spread: float = 1.0):
        check_parametrization("Orthogonal", parametrization)
        self.channels, self.parametrization = channels, parametrization
        self.weight = nn.Parameter((channels, channels), nn.init.normal(spread))

    def __call__(self, x, cond=None):
        check_channels(self, x, self.channels)
        return _turned(x, self._matrix()), no_log_det(x)

    def inverse(self, y, cond=None):
        check_channels(self, y, self.channels)
        return _turned_back(y, self._matrix()), no_log_det(y)

    def _matrix(self):
        return orthogonal_matrices(as_array(self.weight), self.parametrization)


def check_parametrization(name, parametrization):
    """Raises ValueError unless it is one of `orthogonal_matrices`."""
    if parametrization not in ("cayley", "exp", "householder"):
        raise ValueError(f"{name} expects a parametrization out of cayley, exp, householder, but "
                         f"got {parametrization!r}")


def orthogonal_matrices(weight, parametrization):
    """The orthogonal matrices of a stack of weights [..., n, n]: see `Orthogonal`."""
    n = weight.shape[-1]
    one = mnp.broadcast_to(np.eye(n, dtype=weight.dtype), weight.shape)
    if parametrization == "householder":
        vectors = mnp.expand_dims(mnp.moveaxis(weight, -2, 0), -2)
        return lax.for_loop(n, lambda i, q: _reflected(q, vectors[i]), one)
    skew = weight - mnp.swapaxes(weight, -1, -2)
    if parametrization == "exp":
        return linalg.expm(skew)
    return linalg.solve(one + skew, one - skew)


def reflections_of(q):
    """The rows W of which "householder" `orthogonal_matrices` are the orthogonal matrix `q`
    [n, n], a NumPy array, or, where its determinant is not (-1)^n, q with its last row times -1.
    None of them is zero, so that all train.

    Householder's triangularization, which of an orthogonal matrix leaves signs.
    """
    q, n = q.copy(), len(q)
    if np.linalg.det(q) * (-1) ** n < 0:
        q[-1] *= -1
    vectors = []
    for i in range(n):
        # H q has the column i of the identity; then its row i is, too.
        v = q[:, i] - np.eye(n)[i]
        if np.linalg.norm(v) > 1e-8:
            vectors.append(v)
            q -= 2 * np.outer(v, v @ q) / (v @ v)
    # What is left over are pairs, which undo each other.
    return np.array(vectors + [np.ones(n)] * (n - len(vectors)))


class FixedLinear(_Linear):
    """y = x W + offset at each place with a given matrix, FrEIA's FixedLinearTransform and
    Fixed1x1Conv: such as one that whitens data. [batch, ..., channels]; log_det = places
    log |det W|.

    matrix: W [channels, channels], anything that NumPy takes. offset: [channels]; zeros by
        default.

    States: `matrix`, its inverse `back`, the number `log_abs_det`, and `offset`. Raises
        ValueError for other shapes, and for a matrix that is singular.
    """

    def __init__(self, matrix, offset=None):
        matrix = np.asarray(matrix, np.float64)
        if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
            raise ValueError("FixedLinear expects a square matrix, but got shape "
                             f"{list(matrix.shape)}")
        self.channels = n = matrix.shape[0]
        offset = np.zeros(n) if offset is None else np.asarray(offset, np.float64)
        if offset.shape != (n,):
            raise ValueError(f"FixedLinear expects an offset of shape [{n}], but got "
                             f"{list(offset.shape)}")
        sign, log_abs_det = np.linalg.slogdet(matrix)
        if sign == 0:
            raise ValueError("FixedLinear expects a matrix that is not singular")
        self.matrix = nn.State((n, n), nn.init.constant(matrix))
        self.back = nn.State((n, n), nn.init.constant(np.linalg.inv(matrix)))
        self.log_abs_det = nn.State((), nn.init.constant(log_abs_det))
        self.offset = nn.State((n,), nn.init.constant(offset))

    def _matrices(self):
        return as_array(self.matrix), as_array(self.back), as_array(self.log_abs_det)

    def __call__(self, x, cond=None):
        y, log_det = super().__call__(x)
        return y + self.offset, log_det

    def inverse(self, y, cond=None):
        return super().inverse(y - self.offset)


def _orthogonal(generator, shape, dtype):
    """A random rotation or reflection, of uniform distribution: Stewart, The efficient
    generation of random orthogonal matrices (SIAM J. Numer. Anal. 17, 1980)."""
    q, r = np.linalg.qr(generator.standard_normal(shape))
    return (q * np.sign(np.diagonal(r))).astype(dtype)


def _permutation_matrix(generator, shape, dtype):
    return np.eye(shape[0], dtype=dtype)[generator.permutation(shape[0])]


class FixedOrthogonal(Bijection):
    """y = x Q at each place with a random orthogonal Q that does not train, FrEIA's soft
    permutation. [batch, ..., channels]; log_det is 0.

    State: `matrix` [channels, channels].
    """

    def __init__(self, channels: int):
        self.channels = channels
        self.matrix = nn.State((channels, channels), _orthogonal)

    def __call__(self, x, cond=None):
        check_channels(self, x, self.channels)
        return _turned(x, as_array(self.matrix)), no_log_det(x)

    def inverse(self, y, cond=None):
        check_channels(self, y, self.channels)
        return _turned_back(y, as_array(self.matrix)), no_log_det(y)


_taken, _put_back = pair(lambda x, order, back: mnp.take(x, order, axis=-1, mode="clip"),
                         lambda y, order, back: mnp.take(y, back, axis=-1, mode="clip"), gain=1)


class Permute(Bijection):
    """Channels in another order: channel i of the result is channel `order[i]` of x.
    [batch, ..., channels]; log_det is 0.

    order: a permutation, by default a random one, which `init` draws, in a `Repeat` for each
        call.

    State: `order` int32 [2, channels], the permutation and its inverse. Raises ValueError if
    `order` is no permutation of all channels.
    """

    def __init__(self, channels: int, order=None):
        if order is not None and sorted(order) != list(range(channels)):
            raise ValueError(f"Permute expects a permutation of {channels} channels, but got "
                             f"{list(order)}")
        self.channels = channels
        self.order = nn.State((2, channels), functools.partial(_order, order))

    def __call__(self, x, cond=None):
        check_channels(self, x, self.channels)
        return _taken(x, *self._orders()), no_log_det(x)

    def inverse(self, y, cond=None):
        check_channels(self, y, self.channels)
        return _put_back(y, *self._orders()), no_log_det(y)

    def _orders(self):
        orders = as_array(self.order)
        return orders[0], orders[1]


def _order(order, generator, shape, dtype):
    order = generator.permutation(shape[1]) if order is None else np.asarray(order)
    return np.stack([order, np.argsort(order)]).astype(np.int32)


class Reverse(Bijection):
    """Channels in reverse order: Dinh et al., NICE (arXiv 1410.8516). [batch, ..., channels];
    log_det is 0."""

    def __call__(self, x, cond=None):
        return mnp.flip(x, -1), no_log_det(x)

    def inverse(self, y, cond=None):
        return mnp.flip(y, -1), no_log_det(y)
