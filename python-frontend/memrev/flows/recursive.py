# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Recursive couplings: HINT."""

from .. import numpy as mnp
from ..nn.reversible import couple
from .bijection import Bijection, check_channels, no_log_det
from .couplings import joined, make_net, parameters_of, soft_scale
from .linear import Householder

__all__ = ["ConditionalHINT", "HINT"]


class HINT(Bijection):
    """A coupling whose parts are coupled in themselves before and after: Kruse et al., HINT
    (arXiv 1905.10687), as in InvertibleNetworks.jl,

        f(x) = x                                            of one channel
        f(x) = (x1, c(x2; x1))                              of up to `leaf` channels
        f(x) = (f(x1), c(f(x2); x1))                        of more

    where x1, x2 are halves of the channels, of any number, and c is an affine coupling. Its
    Jacobian is a triangular matrix, densely filled. [batch, ..., channels].

    net: a factory `net(inputs, outputs)` of the networks.
    shared: whether couplings at the same depth between parts of the same channels share a
        network, whose gradients are then sums; otherwise each has its own.
    condition: as for `Coupling`, but not None.
    permute: "none", "full" (a `Householder` before), "both" (that before, and its inverse
        behind), "lower" (one of x2 alone, before).
    scale, clamp: see `AffineCoupling`.

    Submodules: `nets`, a list, and `permutation`. Raises ValueError for less than two
    channels.
    """

    def __init__(self, channels: int, net, leaf: int = 4, shared: bool = True,
                 condition: int = 0, permute: str = "none", scale: str = "tanh",
                 clamp: float = 2.0):
        if channels < 2 or leaf < 1:
            raise ValueError("HINT expects at least 2 channels and a leaf of at least 1, but got "
                             f"{channels} and {leaf}")
        if permute not in ("none", "full", "both", "lower"):
            raise ValueError("HINT expects a permute out of none, full, both, lower, but got "
                             f"{permute!r}")
        self.channels, self.leaf, self.shared, self.condition = channels, leaf, shared, condition
        self.kind, self.permute = soft_scale(scale, clamp), permute
        self.scale, self.clamp = scale, clamp
        self.factory = net
        self.nets = []
        #: What coupling has which network: by the place of its part, from the top.
        self.places = {}
        self._make(channels, (), {})
        if permute != "none":
            self.permutation = Householder(
                channels - channels // 2 if permute == "lower" else channels)

    def _make(self, channels, place, made):
        if channels < 2:
            return
        half = channels // 2
        key = (len(place), channels) if self.shared else place
        if key not in made:
            made[key] = len(self.nets)
            self.nets.append(make_net(self.factory, half + self.condition,
                                      2 * (channels - half)))
        self.places[place] = made[key]
        if channels > self.leaf:
            self._make(half, (*place, 0), made)
            self._make(channels - half, (*place, 1), made)

    def __call__(self, x, cond=None):
        check_channels(self, x, self.channels)
        y, log_det = self._forward(self._permuted(x, False, True), cond, ())
        return self._permuted(y, False, False), log_det

    def inverse(self, y, cond=None):
        check_channels(self, y, self.channels)
        x, log_det = self._backward(self._permuted(y, True, False), cond, ())
        return self._permuted(x, True, True), log_det

    def _permuted(self, x, inverse, before):
        if self.permute == "none" or (self.permute != "both" and not before):
            return x
        # Behind the recursion it is the inverse of what was before it.
        turn = (self.permutation.inverse if inverse == before else self.permutation.__call__)
        if self.permute != "lower":
            return turn(x)[0]
        x1, x2 = mnp.split(x, [self.channels // 2], axis=-1)
        return mnp.concatenate([x1, turn(x2)[0]], axis=-1)

    def _forward(self, x, cond, place):
        channels = x.shape[-1]
        if channels < 2:
            return x, no_log_det(x)
        x1, x2 = mnp.split(x, [channels // 2], axis=-1)
        if channels <= self.leaf:
            y2, total = self._couple(x2, x1, cond, place, inverse=False)
            return mnp.concatenate([x1, y2], axis=-1), total
        y2, total = self._forward(x2, cond, (*place, 1))
        y2, log_det = self._couple(y2, x1, cond, place, inverse=False)
        total = total + log_det
        # Last: what undoes it comes first, and gives x1 back for the coupling.
        y1, log_det = self._forward(x1, cond, (*place, 0))
        return mnp.concatenate([y1, y2], axis=-1), total + log_det

    def _backward(self, y, cond, place):
        channels = y.shape[-1]
        if channels < 2:
            return y, no_log_det(y)
        y1, y2 = mnp.split(y, [channels // 2], axis=-1)
        if channels <= self.leaf:
            x2, total = self._couple(y2, y1, cond, place, inverse=True)
            return mnp.concatenate([y1, x2], axis=-1), total
        x1, total = self._backward(y1, cond, (*place, 0))
        x2, log_det = self._couple(y2, x1, cond, place, inverse=True)
        total = total + log_det
        x2, log_det = self._backward(x2, cond, (*place, 1))
        return mnp.concatenate([x1, x2], axis=-1), total + log_det

    def _couple(self, x, given, cond, place, inverse):
        if self.condition:
            if cond is None or cond.shape[-1] != self.condition:
                got = "None" if cond is None else f"shape {list(cond.shape)}"
                raise ValueError(f"HINT expects a condition of {self.condition} channels, but got "
                                 f"{got}")
            given = joined(given, cond)
        net = parameters_of(self.nets[self.places[place]], self.scale, self.clamp)
        return couple(net, x, given, self.kind, log_det=True, inverse=inverse)


class ConditionalHINT(Bijection):
    """Two streams, data x and observations y, the first conditional on the second: Kruse et al.,
    HINT (arXiv 1905.10687, section 3.2), as in InvertibleNetworks.jl,

        (x, y) -> (c(f_x(Q_x x); Q_y y), f_y(Q_y y))

    with recursive couplings f, reflections Q and an affine coupling c. A tuple of arrays
    [batch, ..., channels] of the same space.

    channels, observed: those of x and of y, at least 2 each.
    net: a factory of the networks. permute: whether there are reflections.
    leaf, shared, scale, clamp: see `HINT`.

    `observations(y)` and its inverse are the second stream alone: y becomes a latent variable,
    and the latent variable of given observations is what `inverse` needs to sample x.

    Submodules: `data`, `observed`, both `HINT`s, and `net`.
    """

    def __init__(self, channels: int, observed: int, net, permute: bool = True, leaf: int = 4,
                 shared: bool = True, scale: str = "tanh", clamp: float = 2.0):
        options = dict(leaf=leaf, shared=shared, scale=scale, clamp=clamp)
        self.data = HINT(channels, net, **options)
        self.observed = HINT(observed, net, **options)
        self.net = make_net(net, observed, 2 * channels)
        self.kind, self.permute = soft_scale(scale, clamp), permute
        self.scale, self.clamp = scale, clamp
        if permute:
            self.turn_data, self.turn_observed = Householder(channels), Householder(observed)

    def __call__(self, x, cond=None):
        x, y = self._streams(x)
        if self.permute:
            x, y = self.turn_data(x)[0], self.turn_observed(y)[0]
        x, total = self.data(x)
        x, log_det = self._couple(x, y, inverse=False)
        y, more = self.observed(y)
        return (x, y), total + log_det + more

    def inverse(self, y, cond=None):
        x, y = self._streams(y)
        y, total = self.observed.inverse(y)
        x, log_det = self._couple(x, y, inverse=True)
        x, more = self.data.inverse(x)
        if self.permute:
            x, y = self.turn_data.inverse(x)[0], self.turn_observed.inverse(y)[0]
        return (x, y), total + log_det + more

    def observations(self, y):
        """(latent variable, log_det) of observations y."""
        return self.observed(self.turn_observed(y)[0] if self.permute else y)

    def inverse_observations(self, latent):
        """(observations, log_det) of their latent variable."""
        y, log_det = self.observed.inverse(latent)
        return (self.turn_observed.inverse(y)[0] if self.permute else y), log_det

    def _couple(self, x, y, inverse):
        net = parameters_of(self.net, self.scale, self.clamp)
        return couple(net, x, y, self.kind, log_det=True, inverse=inverse)

    def _streams(self, x):
        if not isinstance(x, (tuple, list)) or len(x) != 2:
            raise ValueError("ConditionalHINT expects a pair of arrays, data and observations, but "
                             f"got {len(x) if isinstance(x, (tuple, list)) else 'one array'}")
        return x
