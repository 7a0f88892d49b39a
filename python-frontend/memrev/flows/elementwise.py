# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Bijections of each element: scales and offsets, activations."""

import math

import numpy as np

from .. import lax, nn
from .. import numpy as mnp
from .._array import as_array
from ._undo import pair
from .bijection import (
    Bijection, Inverse, check_channels, per_sample, pixels, sum_per_sample)

__all__ = ["ActNorm", "Affine", "ExpClamp", "LeakyReLU", "LearnedLeakyReLU", "Logit", "Sigmoid",
           "Tanh"]


_scaled, _unscaled = pair(lambda x, scale, offset: x * scale + offset,
                          lambda y, scale, offset: (y - offset) / scale)


def _softplus_scale(a):
    # 0.1 softplus of sharpness 1/2.
    return 0.2 * lax.softplus(0.5 * a)


#: name: (scale of a parameter, parameter of a scale). The last two are those of FrEIA's
#: AllInOneBlock.
SCALES = {
    "exp": (mnp.exp, mnp.log),
    "softplus": (_softplus_scale, lambda s: 2 * (5 * s + mnp.log(-mnp.expm1(-5 * s)))),
    "sigmoid": (lambda a: 10 * lax.sigmoid(a - 2), lambda s: mnp.log(s / (10 - s)) + 2),
}


class ActNorm(Bijection):
    """y = s x + offset, with a scale and an offset for each channel: Kingma and Dhariwal,
    Glow (arXiv 1807.03039, section 3.1). x: [batch, ..., channels].

    scale: how s is made of the parameter a: "exp"(a), "softplus" 0.2 log(1 + exp(a / 2)),
        "sigmoid" 10 / (1 + exp(2 - a)), which are positive.
    start: the s that `init` gives.

    Parameters: `scale` [channels], the a, and `offset` [channels]; `init` gives s = `start` and
    zeros, `initialize` what makes a batch have mean 0 and variance 1 in each channel, in the
    direction of the call. A channel that is constant keeps s = 1; a "sigmoid" has no scales
    above 10, and takes 9.99.
    """

    def __init__(self, channels: int, scale: str = "exp", start: float = 1.0):
        if scale not in SCALES:
            raise ValueError(f"ActNorm expects a scale out of {', '.join(SCALES)}, but got "
                             f"{scale!r}")
        most = 10 if scale == "sigmoid" else math.inf
        if not 0 < start < most:
            raise ValueError(f"ActNorm expects a start above 0 and below {most}, but got {start}")
        self.channels, self.kind = channels, scale
        first = np.asarray(_parameter_of(scale, start))
        self.scale = nn.Parameter((channels,), nn.init.constant(first))
        self.offset = nn.Parameter((channels,), nn.init.zeros)

    def __call__(self, x, cond=None):
        scale, offset, log_det = self._values(x, inverse=False)
        return _scaled(x, scale, offset), log_det

    def inverse(self, y, cond=None):
        scale, offset, log_det = self._values(y, inverse=True)
        return _unscaled(y, scale, offset), -log_det

    def _values(self, x, inverse):
        check_channels(self, x, self.channels)
        a, offset = self.scale, self.offset
        if self.initializing:
            a, offset = self._of_batch(x, inverse)
            self.update("scale", lambda old, new: new, a)
            self.update("offset", lambda old, new: new, offset)
        scale = SCALES[self.kind][0](a)
        return scale, offset, per_sample(pixels(x) * mnp.sum(mnp.log(scale)), x)

    def _of_batch(self, x, inverse):
        axes = tuple(range(x.ndim - 1))
        mean, deviation = mnp.mean(x, axis=axes), mnp.std(x, axis=axes)
        # Below it a deviation is the rounding error of the mean.
        least = 100 * np.finfo(x.dtype).eps * mnp.abs(mean)
        deviation = mnp.where(deviation > least, deviation, 1)
        scale, offset = ((deviation, mean) if inverse
                         else (1 / deviation, -mean / deviation))
        if self.kind == "sigmoid":
            limited = mnp.minimum(scale, 9.99)
            offset = offset if inverse else offset * limited / scale
            scale = limited
        return SCALES[self.kind][1](scale), offset


def _parameter_of(kind, s):
    """The parameter of which the scale is the number `s`."""
    if kind == "softplus":
        return 2 * (5 * s + math.log(-math.expm1(-5 * s)))
    return math.log(s) if kind == "exp" else math.log(s / (10 - s)) + 2


class Affine(Bijection):
    """y = exp(a) x + offset, with a scale and an offset for each element of a sample.

    shape: that of a sample, [*space, channels].

    Parameters: `scale`, the a, and `offset`, zeros of that shape.
    """

    def __init__(self, *shape: int):
        self.shape = shape
        self.scale = nn.Parameter(shape, nn.init.zeros)
        self.offset = nn.Parameter(shape, nn.init.zeros)

    def __call__(self, x, cond=None):
        self._check(x)
        return (_scaled(x, mnp.exp(self.scale), self.offset),
                per_sample(mnp.sum(self.scale), x))

    def inverse(self, y, cond=None):
        self._check(y)
        return (_unscaled(y, mnp.exp(self.scale), self.offset),
                per_sample(-mnp.sum(self.scale), y))

    def _check(self, x):
        if tuple(x.shape[1:]) != self.shape:
            raise ValueError(f"Affine expects samples of shape {list(self.shape)}, but got shape "
                             f"{list(x.shape)}")


# ------------------------------------------------------------------------------
# Activations
# ------------------------------------------------------------------------------


class Sigmoid(Bijection):
    """y = low + (high - low) / (1 + exp(-x)), from all numbers to (low, high).

    Raises ValueError unless low < high.
    """

    def __init__(self, low: float = 0.0, high: float = 1.0):
        if not low < high:
            raise ValueError(f"Sigmoid expects low < high, but got {low} and {high}")
        self.low, self.high = float(low), float(high)

    def __call__(self, x, cond=None):
        # The sum that has no cancellation near either end.
        y = self.low * lax.sigmoid(-x) + self.high * lax.sigmoid(x)
        return y, self._log_det(x)

    def inverse(self, y, cond=None):
        x = mnp.log(y - self.low) - mnp.log(self.high - y)
        return x, -self._log_det(x)

    def _log_det(self, x):
        slope = math.log(self.high - self.low) - lax.softplus(x) - lax.softplus(-x)
        return sum_per_sample(slope)


class Logit(Inverse):
    """The inverse of `Sigmoid`: from (low, high) to all numbers. For data that has the limits
    in it, such as images in [0, 1], take limits a little further out."""

    def __init__(self, low: float = 0.0, high: float = 1.0):
        super().__init__(Sigmoid(low, high))


_leaky, _unleaky = pair(lambda x, slope: mnp.where(x < 0, x * slope, x),
                        lambda y, slope: mnp.where(y < 0, y / slope, y))


class LeakyReLU(Bijection):
    """y = x where it is positive, else slope x.

    Raises ValueError unless the slope is positive.
    """

    def __init__(self, slope: float = 0.01):
        if not slope > 0:
            raise ValueError(f"LeakyReLU expects a positive slope, but got {slope}")
        self.slope = float(slope)

    def __call__(self, x, cond=None):
        y = _leaky(x, np.asarray(self.slope, x.dtype))
        return y, self._log_det(y)

    def inverse(self, y, cond=None):
        x = _unleaky(y, np.asarray(self.slope, y.dtype))
        return x, -self._log_det(x)

    def _log_det(self, result):
        # The result has the sign of the argument, unless it underflows to zero, and is at hand
        # when the derivative of this is computed; the argument is had back only after that.
        return sum_per_sample(mnp.where(result < 0, np.asarray(math.log(self.slope), result.dtype),
                                        0))


_sloped, _unsloped = pair(
    lambda x, up, down: x * mnp.exp(mnp.where(x < 0, down, up)),
    lambda y, up, down: y / mnp.exp(mnp.where(y < 0, down, up)))


class LearnedLeakyReLU(Bijection):
    """y = exp(a) x where x is positive, exp(-a) x elsewhere, with an a for each channel: FrEIA's
    InvAutoAct; Teng et al., Invertible autoencoder for domain adaptation (arXiv 1802.06869).
    x: [batch, ..., channels].

    two_sided: exp(b) x where x is negative, with a b for each channel.
    start: the a that `init` gives; b is -a at first.
    freeze: whether they do not train: then they are a state.

    Parameter, or state: `slopes`, the a [channels]; [2, channels], a and b, with `two_sided`.
    """

    def __init__(self, channels: int, two_sided: bool = False, start: float = 0.7,
                 freeze: bool = False):
        self.channels, self.two_sided = channels, two_sided
        shape = (2, channels) if two_sided else (channels,)
        first = np.full(shape, float(start))
        if two_sided:
            first[1] = -start
        self.slopes = (nn.State if freeze else nn.Parameter)(shape, nn.init.constant(first))

    def __call__(self, x, cond=None):
        up, down = self._slopes(x)
        y = _sloped(x, up, down)
        return y, self._log_det(y, up, down)

    def inverse(self, y, cond=None):
        up, down = self._slopes(y)
        x = _unsloped(y, up, down)
        return x, -self._log_det(x, up, down)

    def _slopes(self, x):
        check_channels(self, x, self.channels)
        slopes = as_array(self.slopes)
        return (slopes[0], slopes[1]) if self.two_sided else (slopes, -slopes)

    @staticmethod
    def _log_det(result, up, down):
        # Of the result, as that of `LeakyReLU`.
        return sum_per_sample(mnp.where(result < 0, down, up))


class ExpClamp(Bijection):
    """y = exp(clamp 0.636 atan(x)), from all numbers to those within a factor of about
    exp(clamp) of 1: the scale of FrEIA's couplings.

    Raises ValueError unless `clamp` is positive.
    """

    def __init__(self, clamp: float = 2.0):
        if not clamp > 0:
            raise ValueError(f"ExpClamp expects a positive clamp, but got {clamp}")
        self.factor = 0.636 * clamp

    def __call__(self, x, cond=None):
        return mnp.exp(self.factor * mnp.arctan(x)), self._log_det(x)

    def inverse(self, y, cond=None):
        x = mnp.tan(mnp.log(y) / self.factor)
        return x, -self._log_det(x)

    def _log_det(self, x):
        slope = self.factor * mnp.arctan(x) + math.log(self.factor) - mnp.log1p(x * x)
        return sum_per_sample(slope)


class Tanh(Bijection):
    """y = tanh(x), from all numbers to (-1, 1)."""

    def __call__(self, x, cond=None):
        return mnp.tanh(x), self._log_det(x)

    def inverse(self, y, cond=None):
        # Half the logarithm of (1 + y) / (1 - y), exact near 0 and near the ends.
        x = 0.5 * (mnp.log1p(y) - mnp.log1p(-y))
        return x, -self._log_det(x)

    @staticmethod
    def _log_det(x):
        # log(1 - tanh^2) without cancellation.
        return sum_per_sample(2 * (math.log(2) - lax.softplus(2 * x) + x))
