# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Couplings that are steps of differential equations, and those of iterative inversion."""

import math
from typing import Optional

import numpy as np

from .. import lax, nn
from .. import numpy as mnp
from ..nn.reversible import couple
from .bijection import Bijection, check_channels, no_log_det
from .couplings import make_net
from .linear import Householder

__all__ = ["IRIMCoupling", "Hyperbolic", "Leapfrog", "Momentum"]


def _pair(layer, x):
    if not isinstance(x, (tuple, list)) or len(x) != 2 or x[0].shape != x[1].shape:
        got = ([list(part.shape) for part in x] if isinstance(x, (tuple, list))
               else f"shape {list(x.shape)}")
        raise ValueError(f"{type(layer).__name__} expects a pair of arrays of one shape, but got "
                         f"{got}")
    return x


class Leapfrog(Bijection):
    """A step of the second-order equation x'' = f(x): (x0, x1) -> (x1, 2 x1 - x0 + step^2
    f(x1)), of a tuple of two arrays of one shape; log_det is 0.

    net: a module f that keeps the shape of an array.

    Submodule: `net`.
    """

    def __init__(self, net: nn.Module, step: float = 1.0):
        self.net, self.square = net, float(step) ** 2

    def __call__(self, x, cond=None):
        before, now = _pair(self, x)
        return (now, self._step(before, now)), no_log_det(x)

    def inverse(self, y, cond=None):
        now, after = _pair(self, y)
        return (self._step(after, now), now), no_log_det(y)

    def _step(self, x, now):
        # The step is its own inverse.
        return couple(lambda now: 2 * now + self.square * self.net(now), -x, now)


class _Kernel(nn.Module):
    """-K^T activation(K x + b): the negative gradient of a function of x, if the activation
    is the derivative of one."""

    def __init__(self, channels, hidden, window, rank, activation):
        self.weight = nn.Parameter((*(window,) * rank, channels, hidden), nn.init.he_normal())
        self.bias = nn.Parameter((hidden,), nn.init.zeros)
        self.padding, self.activation = window // 2, activation

    def __call__(self, x):
        weight = self.weight
        hidden = self.activation(lax.conv(x, weight, padding=self.padding) + self.bias)
        return -lax.conv_transpose(hidden, weight, padding=self.padding)


class Hyperbolic(Leapfrog):
    """A layer of a hyperbolic network: `Leapfrog` with f(x) = -K^T relu(K x + b) for a
    convolution K: Chang et al. (arXiv 1709.03698), Lensink, Peters and Haber (arXiv
    1905.10484). A tuple of two arrays [batch, *space, channels].

    hidden: channels of K x. window: the extent of its window, odd. rank: the dimensions of
        space, 1 to 3. step: the square root of InvertibleNetworks.jl's alpha.

    Submodule: `net`, with `weight` and `bias`. Raises ValueError for an even window.
    """

    def __init__(self, channels: int, hidden: Optional[int] = None, window: int = 3,
                 rank: int = 2, step: float = 1.0, activation=lax.relu):
        if window % 2 == 0 or not 1 <= rank <= 3:
            raise ValueError("Hyperbolic expects an odd window and 1, 2 or 3 dimensions of space, "
                             f"but got {window} and {rank}")
        super().__init__(_Kernel(channels, hidden or channels, window, rank, activation), step)


class Momentum(Bijection):
    """A residual layer with a velocity: (x, v) -> (x + v', v'), v' = gamma v + (1 - gamma)
    f(x), of a tuple of two arrays of one shape; log_det is log(gamma) times the elements of v.
    Sander et al., Momentum residual networks (arXiv 2102.07870). The inverse divides by gamma:
    each layer loses log2(1 / gamma) bits of v.

    net: a module f that keeps the shape of an array.

    Submodule: `net`. Raises ValueError unless 0 < gamma <= 1.
    """

    def __init__(self, net: nn.Module, gamma: float = 0.9):
        if not 0 < gamma <= 1:
            raise ValueError(f"Momentum expects a gamma in (0, 1], but got {gamma}")
        self.net, self.gamma = net, float(gamma)

    def __call__(self, x, cond=None):
        x, v = _pair(self, x)
        v, log_det = self._velocity(v, x, inverse=False)
        return (couple(lambda v: v, x, v), v), log_det

    def inverse(self, y, cond=None):
        y, v = _pair(self, y)
        x = couple(lambda v: v, y, v, inverse=True)
        v, log_det = self._velocity(v, x, inverse=True)
        return (x, v), log_det

    def _velocity(self, v, x, inverse):
        def parameters(x):
            return (np.full(v.shape, math.log(self.gamma), v.dtype),
                    (1 - self.gamma) * self.net(x))

        return couple(parameters, v, x, "affine<exp>", log_det=True, inverse=inverse)


class IRIMCoupling(Bijection):
    """Q^T c(Q x), an additive coupling between orthogonal mixings of channels that undo each
    other: Putzky and Welling, Invert to learn to invert (arXiv 1911.10914, section 3).
    [batch, ..., channels]; log_det is 0.

    net: a factory, or a module from the first `split` channels to the others.
    split: by default half of the channels, rounded down. reflections: those of Q.

    Submodules: `mix`, a `Householder`, and `net`. Raises ValueError if a part would have no
    channels.
    """

    def __init__(self, channels: int, net, split: Optional[int] = None, reflections: int = 3):
        split = channels // 2 if split is None else split
        if not 0 < split < channels:
            raise ValueError("IRIMCoupling expects a split of at least 1 that leaves channels of "
                             f"{channels}, but got {split}")
        self.channels, self.split = channels, split
        self.mix = Householder(channels, reflections)
        self.net = make_net(net, split, channels - split)

    def __call__(self, x, cond=None):
        return self._apply(x, inverse=False)

    def inverse(self, y, cond=None):
        return self._apply(y, inverse=True)

    def _apply(self, x, inverse):
        check_channels(self, x, self.channels)
        x1, x2 = mnp.split(self.mix(x)[0], [self.split], axis=-1)
        x2 = couple(self.net, x2, x1, inverse=inverse)
        return self.mix.inverse(mnp.concatenate([x1, x2], axis=-1))
