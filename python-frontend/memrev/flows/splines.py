# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Monotonic splines: bijections of each element with many parameters.

Inside of the box [-bound, bound] an element goes through a spline from corner to corner,
outside of it it stays what it is.
"""

import functools

import numpy as np

from .. import lax, nn
from .. import numpy as mnp
from ._undo import pair
from .bijection import Bijection, sum_per_sample
from .couplings import Coupling

__all__ = ["LinearSpline", "LinearSplineCoupling", "RationalQuadraticSpline",
           "RationalQuadraticSplineCoupling", "linear_spline", "rational_quadratic_spline"]

#: The least extent of a bin, as a part of the box divided by the number of bins, and the
#: least slope at a knot, so that maps stay invertible in the precision of their elements.
_LEAST_BIN, _LEAST_SLOPE = 1e-2, 1e-3


def _extents(logits, bound):
    """The extents of bins [..., bins], whose sum is that of the box."""
    bins = logits.shape[-1]
    return 2 * bound * (_LEAST_BIN / bins + (1 - _LEAST_BIN) * lax.softmax(logits))


def _corners(extents, bound):
    """Where bins begin, [..., bins]: the first at -bound."""
    return mnp.cumsum(extents, axis=-1) - extents - bound


def _in_bins(x, begins):
    """Ones [..., bins] at the bin that x [...] is in, of those that begin there; elements before
    the first bin are in it."""
    after = (mnp.expand_dims(x, -1) >= begins).astype(x.dtype)
    first = mnp.ones((*x.shape, 1), x.dtype)
    later = mnp.concatenate([after[..., 1:], 0 * first], axis=-1)
    return mnp.concatenate([first, after[..., 1:]], axis=-1) - later


def _boxed(function, bound, outside, x, logits):
    """`function` inside of the box; outside of it the number, or x where that is None."""
    is_inside = mnp.abs(x) < bound
    # Outside of the box the spline is computed at its middle, and not taken.
    found = function(mnp.where(is_inside, x, 0), logits)
    return mnp.where(is_inside, found, x if outside is None else outside)


# Rational-quadratic splines. Parameters: bins widths, bins heights, bins - 1 slopes at the
# knots inside.

#: With it a parameter of zero is a slope of 1.
_UNIT_SLOPE = float(np.log(np.expm1(1 - _LEAST_SLOPE)))


def _quadratic_bin(bound, bins, x, logits, inverse=False):
    """Of the bin that x, or with `inverse` y, is in: where it begins, its extents, its slope and
    the slopes at its ends."""
    widths, heights = (_extents(part, bound)
                       for part in (logits[..., :bins], logits[..., bins:2 * bins]))
    slopes = _LEAST_SLOPE + lax.softplus(logits[..., 2 * bins:] + _UNIT_SLOPE)
    one = mnp.ones((*slopes.shape[:-1], 1), logits.dtype)  # As outside of the box.
    corners = _corners(widths, bound), _corners(heights, bound)
    place = _in_bins(x, corners[1 if inverse else 0])
    left, low, w, h, d0, d1 = (mnp.sum(place * value, axis=-1) for value in (
        *corners, widths, heights, mnp.concatenate([one, slopes], axis=-1),
        mnp.concatenate([slopes, one], axis=-1)))
    return left, low, w, h, h / w, d0, d1


def _quadratic(bound, bins, x, logits):
    """Gregory and Delbourgo; Durkan et al. (arXiv 1906.04032, equation 4)."""
    left, low, w, h, s, d0, d1 = _quadratic_bin(bound, bins, x, logits)
    at = (x - left) / w
    rest = at * (1 - at)
    return low + h * (s * at * at + d0 * rest) / (s + (d0 + d1 - 2 * s) * rest)


def _quadratic_slope(bound, bins, x, logits):
    """The logarithm of equation 5."""
    left, _, w, _, s, d0, d1 = _quadratic_bin(bound, bins, x, logits)
    at = (x - left) / w
    rest = 1 - at
    numerator = d1 * at * at + 2 * s * at * rest + d0 * rest * rest
    denominator = s + (d0 + d1 - 2 * s) * at * rest
    return 2 * mnp.log(s) + mnp.log(numerator) - 2 * mnp.log(denominator)


def _inverse_quadratic(bound, bins, y, logits):
    """The root of equations 6 to 8 that is in the bin. Its discriminant is positive but for
    rounding, which is cut off."""
    left, low, w, h, s, d0, d1 = _quadratic_bin(bound, bins, y, logits, inverse=True)
    above = y - low
    bent = above * (d0 + d1 - 2 * s)
    a, b, c = h * (s - d0) + bent, h * d0 - bent, -s * above
    discriminant = mnp.maximum(b * b - 4 * a * c, np.finfo(y.dtype).tiny)
    at = mnp.clip(2 * c / (-b - mnp.sqrt(discriminant)), 0, 1)
    return left + at * w


# Linear splines. Parameters: bins widths, bins heights.


def _linear_bin(bound, x, logits, inverse):
    parts = [_extents(part, bound) for part in mnp.split(logits, 2, axis=-1)]
    widths, heights = reversed(parts) if inverse else parts
    begins = _corners(widths, bound)
    place = _in_bins(x, begins)
    return (mnp.sum(place * value, axis=-1)
            for value in (begins, _corners(heights, bound), widths, heights))


def _linear(bound, x, logits, inverse=False):
    left, low, w, h = _linear_bin(bound, x, logits, inverse)
    return low + (x - left) * (h / w)


def _linear_slope(bound, x, logits):
    _, _, w, h = _linear_bin(bound, x, logits, inverse=False)
    return mnp.log(h) - mnp.log(w)


# Functions of (x, logits): both directions, which undo each other, and the logarithm of the
# slope at x. It is no result of the first, for the inverse would have to be given it.


def _functions(forward, inverse, slope, bound):
    partial = functools.partial
    return (*pair(partial(_boxed, forward, bound, None), partial(_boxed, inverse, bound, None)),
            partial(_boxed, slope, bound, 0))


@functools.lru_cache(maxsize=None)
def _quadratic_functions(bins, bound):
    return _functions(*(functools.partial(function, bound, bins) for function in (
        _quadratic, _inverse_quadratic, _quadratic_slope)), bound)


@functools.lru_cache(maxsize=None)
def _linear_functions(bins, bound):
    return _functions(functools.partial(_linear, bound),
                      functools.partial(_linear, bound, inverse=True),
                      functools.partial(_linear_slope, bound), bound)


def _evaluate(name, functions, parameters, x, logits, inverse):
    if tuple(logits.shape[:-1]) != tuple(x.shape) or logits.shape[-1] != parameters:
        raise ValueError(f"{name} expects parameters of shape {[*x.shape, parameters]}, but got "
                         f"{list(logits.shape)}")
    forward, backward, slope = functions
    if inverse:
        found = backward(x, logits)
        return found, -slope(found, logits)
    return forward(x, logits), slope(x, logits)


def rational_quadratic_spline(x, parameters, bound: float = 3.0, inverse: bool = False):
    """(y, log slope) of each element of x [...]: a monotonic rational-quadratic spline, Durkan
    et al., Neural spline flows (arXiv 1906.04032, section 3.1), with y = x outside of [-bound,
    bound]. parameters: [..., 3 bins - 1], zeros for y = x; with `inverse` x of y.

    Raises ValueError for other shapes.
    """
    bins = max((parameters.shape[-1] + 1) // 3, 1)
    return _evaluate("rational_quadratic_spline", _quadratic_functions(bins, float(bound)),
                     3 * bins - 1, x, parameters, inverse)


def linear_spline(x, parameters, bound: float = 3.0, inverse: bool = False):
    """(y, log slope) of each element of x [...]: a monotonic piecewise linear spline, as Mueller
    et al., Neural importance sampling (arXiv 1808.03856, section 4.2) with bins of any width,
    and y = x outside of [-bound, bound]. parameters: [..., 2 bins], zeros for y = x; with
    `inverse` x of y.

    Raises ValueError for other shapes.
    """
    bins = max(parameters.shape[-1] // 2, 1)
    return _evaluate("linear_spline", _linear_functions(bins, float(bound)), 2 * bins, x,
                     parameters, inverse)


class _SplineCoupling(Coupling):
    """What couplings by splines share."""

    _spline = staticmethod(rational_quadratic_spline)

    @staticmethod
    def _count(bins):
        return 3 * bins - 1

    def __init__(self, channels, net, split=None, two_sided=False, condition=0, bins: int = 10,
                 bound: float = 3.0):
        _check_box(self, bins, bound)
        self.bound, self.parameters_per_channel = float(bound), self._count(bins)
        super().__init__(channels, net, split, two_sided, condition)

    def _change(self, net, x, given, inverse):
        parameters = net(*given)
        parameters = mnp.reshape(parameters, (*x.shape, self.parameters_per_channel))
        y, slope = self._spline(x, parameters, self.bound, inverse)
        return y, sum_per_sample(slope)


def _check_box(layer, bins, bound):
    if bins < 1 or not bound > 0:
        raise ValueError(f"{type(layer).__name__} expects at least 1 bin and a positive bound, but "
                         f"got {bins} and {bound}")


class RationalQuadraticSplineCoupling(_SplineCoupling):
    """Each channel of x2 goes through a `rational_quadratic_spline` whose parameters are
    net(x1), [..., channels of x2 * (3 bins - 1)]: Durkan et al. (arXiv 1906.04032). See
    `Coupling`.

    bins, bound: the bins, and the half of the side, of the box outside of which x2 stays as
        it is.
    """


class LinearSplineCoupling(_SplineCoupling):
    """Each channel of x2 goes through a `linear_spline` whose parameters are net(x1), [...,
    channels of x2 * 2 bins]. See `RationalQuadraticSplineCoupling`."""

    _spline = staticmethod(linear_spline)

    @staticmethod
    def _count(bins):
        return 2 * bins


class _ElementwiseSpline(Bijection):
    _spline = staticmethod(rational_quadratic_spline)
    _count = staticmethod(_SplineCoupling._count)

    def __init__(self, *shape: int, bins: int = 10, bound: float = 3.0):
        _check_box(self, bins, bound)
        self.shape, self.bound = shape, float(bound)
        self.parameters = nn.Parameter((*shape, self._count(bins)), nn.init.zeros)

    def __call__(self, x, cond=None):
        return self._apply(x, inverse=False)

    def inverse(self, y, cond=None):
        return self._apply(y, inverse=True)

    def _apply(self, x, inverse):
        if len(self.shape) >= x.ndim or tuple(x.shape[x.ndim - len(self.shape):]) != self.shape:
            raise ValueError(f"{type(self).__name__} expects an array [batch, ..., "
                             f"{str(list(self.shape))[1:-1]}], but got shape {list(x.shape)}")
        parameters = mnp.broadcast_to(self.parameters, (*x.shape, self.parameters.shape[-1]))
        y, slope = self._spline(x, parameters, self.bound, inverse)
        return y, sum_per_sample(slope)


class RationalQuadraticSpline(_ElementwiseSpline):
    """A `rational_quadratic_spline` of each element, with parameters of its own for the last
    dimensions `shape` of x: (channels,), or the shape of a sample.

    Parameter: `parameters` [*shape, 3 bins - 1], zeros, the identity, at first.
    """


class LinearSpline(_ElementwiseSpline):
    """A `linear_spline` of each element. See `RationalQuadraticSpline`.

    Parameter: `parameters` [*shape, 2 bins], zeros, the identity, at first.
    """

    _spline = staticmethod(linear_spline)
    _count = staticmethod(LinearSplineCoupling._count)
