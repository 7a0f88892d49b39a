# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Monotonic splines: bijections of each element with many parameters.

Inside of the box [-bound, bound] an element goes through a spline from corner to corner,
outside of it it stays what it is. Or the box is learned, FrEIA's: then an element goes along
the line through the corners outside of it.
"""

import functools

import numpy as np

from .. import lax, nn
from .. import numpy as mnp
from .._array import as_array
from .._transforms import stop_gradient
from ._undo import pair
from .bijection import Bijection, sum_per_sample
from .couplings import Coupling

__all__ = ["LinearSpline", "LinearSplineCoupling", "RationalQuadraticSpline",
           "RationalQuadraticSplineCoupling", "linear_spline", "rational_quadratic_spline"]

#: The least extent of a bin, as a part of the box divided by the number of bins, and the
#: least slope at a knot, so that maps stay invertible in the precision of their elements.
_LEAST_BIN, _LEAST_SLOPE = 1e-2, 1e-3


def _weights(logits):
    """What the extents of bins [..., bins] are to each other, and its sum."""
    weights = mnp.exp(logits - stop_gradient(mnp.max(logits, axis=-1, keepdims=True)))
    return weights, mnp.sum(weights, axis=-1)


def _extent(bound, bins, count, weights, total):
    """That of `count` bins, out of `bins`, of such weights together: the box is 2 bound wide."""
    return 2 * bound * (_LEAST_BIN / bins * count + (1 - _LEAST_BIN) * weights / total)


def _number(bound, x, weights, total):
    """The number of the bin that x [...] is in, an int32: how many others end before."""
    bins = weights.shape[-1]
    sums = mnp.cumsum(weights, axis=-1)[..., :-1]
    ends = _extent(bound, bins, np.arange(1, bins, dtype=x.dtype), sums,
                   mnp.expand_dims(total, -1))
    return mnp.sum((mnp.expand_dims(x + bound, -1) >= ends).astype(np.int32), axis=-1)


def _entry(number, table):
    """The entry `number` [...] of table [..., bins], 0 for numbers that there are none of."""
    numbers = np.arange(table.shape[-1], dtype=np.int32)
    return mnp.sum(mnp.where(mnp.expand_dims(number, -1) == numbers, table, 0), axis=-1)


def _before(number, table):
    """The sum of the entries before `number`."""
    numbers = np.arange(table.shape[-1], dtype=np.int32)
    return mnp.sum(mnp.where(mnp.expand_dims(number, -1) > numbers, table, 0), axis=-1)


def _side(bound, number, weights, total):
    """Where the bin begins, as a coordinate or value, and its extent."""
    bins = weights.shape[-1]
    begin = _extent(bound, bins, number.astype(weights.dtype), _before(number, weights), total)
    return begin - bound, _extent(bound, bins, 1, _entry(number, weights), total)


# A map of elements is three functions:
#   forward(x, logits) and inverse(y, logits), which give the other one and aux: what both find
#       out about the bin, which is the same from both sides of the spline, so that derivatives
#       search for nothing again, and the weights of all bins. Outside of the box, where nothing
#       reads it, aux is that of the box's middle on either side;
#   slope(*aux), its logarithm.


#: The parameters of a learned box, behind those of the spline: the middle of its coordinates
#: and what its width is made of, and those of its values.
_BOX = 4


def _log_size(a):
    # Clamped as the scales of affine couplings, so that what a network says does not explode.
    return 2 * mnp.tanh(a / 4)


def _boxed(function, bound, inverse, x, logits, *box):
    """`function` inside of the box, the line through its corners outside of it; whether x is
    inside, and aux."""
    if box:
        (middle, size), (other, other_size) = ((box[2:], box[:2]) if inverse
                                               else (box[:2], box[2:]))
        x = (x - middle) * mnp.exp(-_log_size(size))
    is_inside = mnp.abs(x) < bound
    # Outside of the box the spline is computed at its middle, and not taken.
    found, *aux = function(bound, mnp.where(is_inside, x, 0), logits)
    y = mnp.where(is_inside, found, x)
    if box:
        y = y * mnp.exp(_log_size(other_size)) + other
    return y, (is_inside, *aux)


# Rational-quadratic splines. Parameters: bins widths, bins heights, bins - 1 slopes at the
# knots inside.

#: With it a parameter of zero is a slope of 1, as outside of the box.
_UNIT_SLOPE = float(np.log(np.expm1(1 - _LEAST_SLOPE)))


def _quadratic_bin(bound, coordinate, logits, inverse=False):
    """Of the bin that x, or with `inverse` y, is in: its number, where it begins, its extents
    and the slopes at its ends; and the weights of all bins."""
    bins = (logits.shape[-1] + 1) // 3
    weights = _weights(logits[..., :bins]), _weights(logits[..., bins:2 * bins])
    number = _number(bound, coordinate, *weights[1 if inverse else 0])
    (left, w), (low, h) = (_side(bound, number, *side) for side in weights)
    inner = logits[..., 2 * bins:]
    d0, d1 = (_LEAST_SLOPE + lax.softplus(_entry(knot, inner) + _UNIT_SLOPE)
              for knot in (number - 1, number))
    return number, left, low, w, h, d0, d1, weights


def _quadratic(bound, x, logits):
    """Gregory and Delbourgo; Durkan et al. (arXiv 1906.04032, equation 4)."""
    number, left, low, w, h, d0, d1, weights = _quadratic_bin(bound, x, logits)
    at = (x - left) / w
    s, rest = h / w, at * (1 - at)
    y = low + h * (s * at * at + d0 * rest) / (s + (d0 + d1 - 2 * s) * rest)
    return y, number, at, w, h, d0, d1, weights


def _inverse_quadratic(bound, y, logits):
    """The root of equations 6 to 8 that is in the bin. Its discriminant is positive but for
    rounding, which is cut off."""
    number, left, low, w, h, d0, d1, weights = _quadratic_bin(bound, y, logits, inverse=True)
    s, above = h / w, y - low
    bent = above * (d0 + d1 - 2 * s)
    a, b, c = h * (s - d0) + bent, h * d0 - bent, -s * above
    discriminant = mnp.maximum(b * b - 4 * a * c, np.finfo(y.dtype).tiny)
    at = mnp.clip(2 * c / (-b - mnp.sqrt(discriminant)), 0, 1)
    return left + at * w, number, at, w, h, d0, d1, weights


def _quadratic_slope(number, at, w, h, d0, d1, weights):
    """The logarithm of equation 5."""
    s, rest = h / w, 1 - at
    numerator = d1 * at * at + 2 * s * at * rest + d0 * rest * rest
    denominator = s + (d0 + d1 - 2 * s) * at * rest
    return 2 * mnp.log(s) + mnp.log(numerator) - 2 * mnp.log(denominator)


# Linear splines. Parameters: bins widths, bins heights.


def _linear(bound, coordinate, logits, inverse=False):
    """y of x, or with `inverse` x of y."""
    weights = [_weights(part) for part in mnp.split(logits, 2, axis=-1)]
    number = _number(bound, coordinate, *weights[1 if inverse else 0])
    (left, w), (low, h) = (_side(bound, number, *side) for side in weights)
    if inverse:
        return left + (coordinate - low) / h * w, number, w, h, weights
    return low + (coordinate - left) / w * h, number, w, h, weights


def _linear_slope(number, w, h, weights):
    return mnp.log(h) - mnp.log(w)


def _functions(bound, forward, inverse, slope):
    return (*pair(functools.partial(_boxed, forward, bound, False),
                  functools.partial(_boxed, inverse, bound, True), has_aux=True), slope)


@functools.lru_cache(maxsize=None)
def _quadratic_functions(bound):
    return _functions(bound, _quadratic, _inverse_quadratic, _quadratic_slope)


@functools.lru_cache(maxsize=None)
def _linear_functions(bound):
    return _functions(bound, _linear, functools.partial(_linear, inverse=True), _linear_slope)


def _evaluate(name, functions, count, x, parameters, inverse, learn_box):
    """`count`: that of the spline's own parameters for a number of all of them."""
    given = (parameters.shape or (0,))[-1] - (_BOX if learn_box else 0)
    expected = count(given) + (_BOX if learn_box else 0)
    outer, shape = tuple(parameters.shape[:-1]), tuple(x.shape)
    if outer != shape[len(shape) - len(outer):] or parameters.shape[-1:] != (expected,):
        raise ValueError(f"{name} expects parameters of shape {[*shape, expected]}, or without "
                         f"the first of these, but got {list(parameters.shape)}")
    # Cut before they are repeated: what is cut out of many would be stored for derivatives.
    logits = parameters[..., :given] if learn_box else parameters
    logits = mnp.broadcast_to(logits, (*shape, given))
    box = [mnp.broadcast_to(parameters[..., given + i], shape) for i in range(_BOX)
           if learn_box]
    forward, backward, slope = functions
    found, (is_inside, *aux) = (backward if inverse else forward)(x, logits, *box)
    log_slope = mnp.where(is_inside, slope(*aux), 0)
    if learn_box:
        log_slope = log_slope + _log_size(box[3]) - _log_size(box[1])
    return found, -log_slope if inverse else log_slope


def rational_quadratic_spline(x, parameters, bound: float = 3.0, inverse: bool = False,
                              learn_box: bool = False):
    """(y, log slope) of each element of x [...]: a monotonic rational-quadratic spline, Durkan
    et al., Neural spline flows (arXiv 1906.04032, section 3.1), with y = x outside of [-bound,
    bound]. parameters: [..., 3 bins - 1], zeros for y = x, where the first dimensions may be
    missing; with `inverse` x of y.

    learn_box: the box is [m - r, m + r] x [n - s, n + s] with r = bound h(a), s = bound h(b) and
        four more parameters m, a, n, b, where h(a) = exp(2 tanh(a / 4)). Outside of it y is on
        the line through its corners, as in FrEIA's splines, whose slope the spline has there.

    Raises ValueError for other shapes.
    """
    return _evaluate("rational_quadratic_spline", _quadratic_functions(float(bound)),
                     lambda given: 3 * max((given + 1) // 3, 1) - 1, x, parameters, inverse,
                     learn_box)


def linear_spline(x, parameters, bound: float = 3.0, inverse: bool = False,
                  learn_box: bool = False):
    """(y, log slope) of each element of x [...]: a monotonic piecewise linear spline, as Mueller
    et al., Neural importance sampling (arXiv 1808.03856, section 4.2) with bins of any width,
    and y = x outside of [-bound, bound]. parameters: [..., 2 bins], zeros for y = x, where the
    first dimensions may be missing; with `inverse` x of y. learn_box: the box of
    `rational_quadratic_spline`, and the line through its corners outside of it.

    Raises ValueError for other shapes.
    """
    return _evaluate("linear_spline", _linear_functions(float(bound)),
                     lambda given: 2 * max(given // 2, 1), x, parameters, inverse, learn_box)


class _SplineCoupling(Coupling):
    """What couplings by splines share."""

    _spline = staticmethod(rational_quadratic_spline)

    @staticmethod
    def _count(bins):
        return 3 * bins - 1

    def __init__(self, channels, net, split=None, two_sided=False, condition=0, bins: int = 10,
                 bound: float = 3.0, learn_box: bool = False):
        _check_box(self, bins, bound)
        self.bound, self.learn_box = float(bound), learn_box
        self.parameters_per_channel = self._count(bins) + (_BOX if learn_box else 0)
        super().__init__(channels, net, split, two_sided, condition)

    def _change(self, net, x, given, inverse):
        parameters = net(*given)
        parameters = mnp.reshape(parameters, (*x.shape, self.parameters_per_channel))
        y, slope = self._spline(x, parameters, self.bound, inverse, self.learn_box)
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
    learn_box: the network places the box, by 4 more parameters for each channel of x2.
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

    def __init__(self, *shape: int, bins: int = 10, bound: float = 3.0,
                 learn_box: bool = False):
        _check_box(self, bins, bound)
        self.shape, self.bound, self.learn_box = shape, float(bound), learn_box
        self.parameters = nn.Parameter((*shape, self._count(bins) + (_BOX if learn_box else 0)),
                                       nn.init.zeros)

    def __call__(self, x, cond=None):
        return self._apply(x, inverse=False)

    def inverse(self, y, cond=None):
        return self._apply(y, inverse=True)

    def _apply(self, x, inverse):
        if len(self.shape) >= x.ndim or tuple(x.shape[x.ndim - len(self.shape):]) != self.shape:
            raise ValueError(f"{type(self).__name__} expects an array [batch, ..., "
                             f"{str(list(self.shape))[1:-1]}], but got shape {list(x.shape)}")
        y, slope = self._spline(x, as_array(self.parameters), self.bound, inverse,
                                self.learn_box)
        return y, sum_per_sample(slope)


class RationalQuadraticSpline(_ElementwiseSpline):
    """A `rational_quadratic_spline` of each element, with parameters of its own for the last
    dimensions `shape` of x: (channels,), or the shape of a sample.

    Parameter: `parameters` [*shape, 3 bins - 1], 4 more with `learn_box`, zeros, the identity,
    at first.
    """


class LinearSpline(_ElementwiseSpline):
    """A `linear_spline` of each element. See `RationalQuadraticSpline`.

    Parameter: `parameters` [*shape, 2 bins], 4 more with `learn_box`, zeros, the identity, at
    first.
    """

    _spline = staticmethod(linear_spline)
    _count = staticmethod(LinearSplineCoupling._count)
