# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Orthogonal maps from space to channels: wavelets, and learned ones."""

import functools
import math
import numbers

import numpy as np

from .. import nn
from .. import numpy as mnp
from .._array import as_array
from ._undo import pair
from .bijection import Bijection, Inverse, no_log_det
from .linear import check_parametrization, orthogonal_matrices, reflections_of
from .reshaping import blocks_to_front, blocks_to_space, extents_of

__all__ = ["Downsample", "Haar", "Upsample", "Wavelet"]


@functools.lru_cache(maxsize=None)
def daubechies(order):
    """The low-pass filter of Daubechies' orthogonal wavelet with `order` vanishing moments, of
    2 order numbers: Daubechies, Orthonormal bases of compactly supported wavelets (Comm. Pure
    Appl. Math. 41, 1988), the factor of minimal phase of

        P(y) = sum of binomial(order - 1 + k, k) y^k for k < order, y = (2 - z - 1/z) / 4
    """
    inside = []
    for y in np.roots([math.comb(order - 1 + k, k) for k in reversed(range(order))]):
        # z + 1/z = 2 - 4 y; one root of the two is inside of the unit circle.
        roots = np.roots([1, 4 * y - 2, 1])
        inside.append(roots[np.argmin(np.abs(roots))])
    filter = np.real(np.poly([-1.0] * order + inside))
    return _orthonormal(filter * math.sqrt(2) / filter.sum())


def _orthonormal(filter):
    """The filter after steps of Newton's method for the equations that make it orthonormal to
    its shifts by even numbers, and keep its vanishing moments: roots are not exact enough."""
    n, order = len(filter), len(filter) // 2
    moments = np.array([[(-1) ** k * (k / n) ** m for k in range(n)] for m in range(order)])
    for _ in range(3):
        shifted = np.array([np.concatenate([filter[2 * j:], np.zeros(2 * j)])
                            for j in range(order)])
        behind = np.array([np.concatenate([np.zeros(2 * j), filter[:n - 2 * j]])
                           for j in range(order)])
        residual = np.concatenate([shifted @ filter - np.eye(order)[0], moments @ filter])
        filter = filter - np.linalg.lstsq(np.vstack([shifted + behind, moments]), residual,
                                          rcond=None)[0]
    return filter


def _along(x, axis, low):
    """The two halves of the periodic wavelet transform of one dimension."""
    high = [(-1) ** k * c for k, c in enumerate(reversed(low))]
    shape = (*x.shape[:axis], x.shape[axis] // 2, 2, *x.shape[axis + 1:])
    phases = [mnp.squeeze(part, axis + 1)
              for part in mnp.split(mnp.reshape(x, shape), 2, axis=axis + 1)]
    results = [0, 0]
    for k in range(len(low)):
        part = mnp.roll(phases[k % 2], -(k // 2), axis=axis)
        for i, filter in enumerate((low, high)):
            results[i] = results[i] + float(filter[k]) * part
    return results


def _back_along(halves, axis, low):
    """The transpose, which is the inverse, of `_along`."""
    high = [(-1) ** k * c for k, c in enumerate(reversed(low))]
    phases = [0, 0]
    for k in range(len(low)):
        part = float(low[k]) * halves[0] + float(high[k]) * halves[1]
        phases[k % 2] = phases[k % 2] + mnp.roll(part, k // 2, axis=axis)
    stacked = mnp.stack(phases, axis=axis + 1)
    return mnp.reshape(stacked, (*stacked.shape[:axis], -1, *stacked.shape[axis + 2:]))


@functools.lru_cache(maxsize=None)
def _wavelet_functions(order):
    low = tuple(daubechies(order))

    def transform(x):
        for axis in range(1, x.ndim - 1):
            x = mnp.concatenate(_along(x, axis, low), axis=-1)
        return x

    def back(y):
        for axis in reversed(range(1, y.ndim - 1)):
            y = _back_along(mnp.split(y, 2, axis=-1), axis, low)
        return y

    return pair(transform, back)


class Wavelet(Bijection):
    """One level of Daubechies' orthogonal wavelet transform, periodic, in each dimension of
    space: [batch, *space, channels] to [batch, *space / 2, 2^rank channels], low frequencies
    first: in 2-D the bands of (low, low), (high, low), (low, high), (high, high). log_det is 0.

    order: the number of vanishing moments, 1 (Haar's wavelet) to 10.

    Raises ValueError for another order, and for extents of space that are odd.
    """

    def __init__(self, order: int = 2):
        if not 1 <= order <= 10:
            raise ValueError(f"Wavelet expects an order in 1, ..., 10, but got {order}")
        self.order = order

    def __call__(self, x, cond=None):
        extents_of(type(self).__name__, x, 2)
        return _wavelet_functions(self.order)[0](x), no_log_det(x)

    def inverse(self, y, cond=None):
        count = 2 ** (y.ndim - 2)
        if y.ndim < 3 or y.shape[-1] % count:
            raise ValueError(f"{type(self).__name__} expects an array [batch, *space, channels] "
                             f"with channels that {count} divides, but got shape "
                             f"{list(y.shape)}")
        return _wavelet_functions(self.order)[1](y), no_log_det(y)


class Haar(Wavelet):
    """`Wavelet` of order 1: sums and differences of neighbours, divided by the root of 2 in
    each dimension.

    rebalance: a factor of all coefficients, FrEIA's: with 2^(-rank / 2) the low frequencies are
        means; log_det is log(rebalance) times the elements of a sample.

    Raises ValueError for a factor that is not positive.
    """

    def __init__(self, rebalance: float = 1.0):
        super().__init__(1)
        if not rebalance > 0:
            raise ValueError(f"Haar expects a positive rebalance, but got {rebalance}")
        self.rebalance = float(rebalance)

    def __call__(self, x, cond=None):
        y, log_det = super().__call__(x)
        return (y, log_det) if self.rebalance == 1 else self._rebalanced(y, 1)

    def inverse(self, y, cond=None):
        if self.rebalance != 1:
            y, log_det = self._rebalanced(y, -1)
            return super().inverse(y)[0], log_det
        return super().inverse(y)

    def _rebalanced(self, x, sign):
        total = sign * math.log(self.rebalance) * math.prod(x.shape[1:])
        return x * self.rebalance ** sign, np.full(x.shape[0], total, x.dtype)


# Blocks [..., block, channels] by a matrix [channels, block, block] for each channel.


def _mix_blocks(x, q):
    blocks = mnp.reshape(x, (-1, *x.shape[-2:]))
    mixed = mnp.matmul(mnp.transpose(blocks, (2, 0, 1)), q)
    return mnp.reshape(mnp.transpose(mixed, (1, 2, 0)), x.shape)


_block_mixed, _block_unmixed = pair(
    _mix_blocks, lambda y, q: _mix_blocks(y, mnp.swapaxes(q, -1, -2)), gain=1)


def _haar_weight(factors, parametrization):
    """The W of which `orthogonal_matrices` are Haar's wavelet, up to signs."""
    if parametrization == "householder":
        root, matrix = math.sqrt(0.5), np.ones((1, 1))
        for _ in factors:
            matrix = np.kron(matrix, np.array([[root, -root], [root, root]]))
        return reflections_of(matrix)
    turn = np.array([[0.0, -1.0], [1.0, 0.0]]) * math.pi / 4
    # The logarithm of a Kronecker product of rotations is the sum of theirs.
    skew, size = np.zeros((1, 1)), 1
    for _ in factors:
        skew = np.kron(skew, np.eye(2)) + np.kron(np.eye(size), turn)
        size *= 2
    if parametrization == "cayley":
        values, vectors = np.linalg.eigh(1j * skew)
        angles = -values  # Of the skew-symmetric matrix, times i.
        skew = np.real(vectors * (-1j * np.tan(angles / 2)) @ vectors.conj().T)
    return skew / 2


def _squeeze_weight(block, parametrization):
    """The W of which `orthogonal_matrices` are the identity."""
    if parametrization == "householder":
        return reflections_of(np.eye(block))
    return np.zeros((block, block))


class Downsample(Bijection):
    """Learned invertible downsampling: Etmann, Ke and Schoenlieb, iUNets (arXiv 2005.05220):
    blocks of `factor` neighbours in each dimension of space become channels by an orthogonal
    matrix for each channel: [batch, *space, channels] to [batch, *space / factor, factor^rank
    channels], those of one place of the block beside each other; log_det is 0.

    rank: how many dimensions space has. factor: an integer, or one for each of them.
    parametrization: of the orthogonal matrices: see `Orthogonal`.
    start: what `init` gives: "haar" (for factors of 2 and at most 3 dimensions), "squeeze", as
        `Squeeze`, or "random". An odd number of reflections, "householder" of a block with an odd
        number of elements, turns the sign of a squeeze's last element.

    Parameter: `weight` [channels, block, block], with factor^rank elements in a block. Raises
    ValueError for other names, and for extents of space that the factors do not divide.
    """

    def __init__(self, channels: int, rank: int = 2, factor=2, parametrization: str = "cayley",
                 start: str = "haar"):
        check_parametrization(type(self).__name__, parametrization)
        factors = (factor,) * rank if isinstance(factor, numbers.Integral) else tuple(factor)
        if len(factors) != rank or rank < 1 or any(f < 1 for f in factors):
            raise ValueError(f"Downsample expects a positive factor for each of {rank} dimensions, "
                             f"but got {factor}")
        self.channels, self.factors = channels, factors
        self.parametrization = parametrization
        block = math.prod(factors)
        if start == "haar" and (rank > 3 or any(f != 2 for f in factors)):
            raise ValueError("Downsample expects factors of 2 and at most 3 dimensions for the "
                             f"start 'haar', but got {list(factors)}")
        inits = {"haar": lambda: nn.init.constant(_haar_weight(factors, parametrization)),
                 "squeeze": lambda: nn.init.constant(_squeeze_weight(block, parametrization)),
                 "random": nn.init.normal}
        if start not in inits:
            raise ValueError(f"Downsample expects a start out of {', '.join(inits)}, but got "
                             f"{start!r}")
        self.weight = nn.Parameter((channels, block, block), inits[start]())

    def __call__(self, x, cond=None):
        if x.ndim != len(self.factors) + 2 or x.shape[-1] != self.channels:
            raise ValueError(f"Downsample expects an array of {len(self.factors) + 2} dimensions "
                             f"with {self.channels} channels, but got shape {list(x.shape)}")
        blocks = blocks_to_front(x, extents_of("Downsample", x, self.factors))
        y = _block_mixed(blocks, self._matrices())
        return mnp.reshape(y, (*y.shape[:-2], -1)), no_log_det(x)

    def inverse(self, y, cond=None):
        block = math.prod(self.factors)
        if y.ndim != len(self.factors) + 2 or y.shape[-1] != block * self.channels:
            raise ValueError(f"Downsample expects an array of {len(self.factors) + 2} dimensions "
                             f"with {block * self.channels} channels to undo, but got shape "
                             f"{list(y.shape)}")
        blocks = mnp.reshape(y, (*y.shape[:-1], block, self.channels))
        return (blocks_to_space(_block_unmixed(blocks, self._matrices()), self.factors),
                no_log_det(y))

    def _matrices(self):
        return orthogonal_matrices(as_array(self.weight), self.parametrization)


class Upsample(Inverse):
    """Learned invertible upsampling to `channels` channels: the inverse of `Downsample`, with a
    matrix of its own."""

    def __init__(self, channels: int, rank: int = 2, factor=2, parametrization: str = "cayley",
                 start: str = "haar"):
        super().__init__(Downsample(channels, rank, factor, parametrization, start))
