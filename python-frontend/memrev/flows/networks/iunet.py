# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Invertible U-Nets."""

import math
import numbers

from ... import numpy as mnp
from ..bijection import Bijection, Repeat, Sequential, no_log_det
from ..couplings import AdditiveCoupling
from ..resampling import Downsample
from .multiscale import channels_of_scales, condition_of_scale
from .steps import mixing, network_factory

__all__ = ["IUNet"]


class _Pyramid(Bijection):
    """An encoder: [batch, *space, channels] to a tuple of what each level keeps, and what
    reaches the last one."""

    def __init__(self, levels, downsamplings, down, factors):
        self.levels, self.downsamplings, self.down = levels, downsamplings, down
        #: By which the space of a condition shrinks; None: it is any tree.
        self.factors = factors

    def _condition(self, cond, i):
        if self.factors is None:
            return cond
        return condition_of_scale(cond, i, len(self.levels), self.factors)

    def __call__(self, x, cond=None):
        total, kept = no_log_det(x), []
        for i, level in enumerate(self.levels):
            x, log_det = level(x, self._condition(cond, i))
            total = total + log_det
            if i < len(self.down):
                x, left = mnp.split(x, [self.down[i]], axis=-1)
                kept.append(left)
                x, _ = self.downsamplings[i](x)
        return (*kept, x), total

    def inverse(self, y, cond=None):
        if not isinstance(y, (tuple, list)) or len(y) != len(self.levels):
            got = f"{len(y)}" if isinstance(y, (tuple, list)) else "one array"
            raise ValueError(f"IUNet expects a tuple of {len(self.levels)} arrays to decode, but "
                             f"got {got}")
        *kept, x = y
        total = no_log_det(x)
        for i, level in reversed(list(enumerate(self.levels))):
            if i < len(self.down):
                x, _ = self.downsamplings[i].inverse(x)
                x = mnp.concatenate([x, kept[i]], axis=-1)
            x, log_det = level.inverse(x, self._condition(cond, i))
            total = total + log_det
        return x, total


class IUNet(Bijection):
    """An invertible U-Net: Etmann, Ke and Schoenlieb (arXiv 2005.05220). [batch, *space, channels]
    to an array of that shape. On the way down each level has couplings, keeps a part of the
    channels for the way up, and passes the others on at half of the resolution by learned
    orthogonal downsampling; on the way up its channels are upsampled, put beside those that
    were kept, and coupled. The couplings of a level and direction are one loop; additive ones
    keep volumes.

    depths: how many steps the levels have, on each of the ways; a step is a coupling of both
        sides, and a mixing of channels if there is one.
    down: how many channels each level but the last passes on; by default half of them.
    net: a factory of the networks, by default two hidden layers of 64.
    mix: None, or as for `Glow`. coupling: as for `Glow`, by default an `AdditiveCoupling` of
        both sides.
    condition: the channels of a condition: [batch, condition], or [batch, *space, condition] of
        the space of x, of which level i sees every factor^i-th place, or a tuple of such for
        the levels, each of the space of its level; then a sequence where these have different
        numbers of channels. None: any tree of arrays, for every level the same.
    factor, parametrization, start: those of `Downsample`.

    `encode(x)` returns (a tuple of what each level keeps and the coarsest array, log_det),
    `decode` of such a tuple (an array, log_det): the network is one after the other. Both have
    inverses, `encoder.inverse` and `decoder`. Submodules: `encoder` and `decoder`, whose
    parameters are those of levels in the direction down.

    Raises ValueError if a level has no steps, or would pass on none or all of its channels, for
    channels of another number of conditions, for extents of space that do not divide, and, when
    called, for a tuple of another length.
    """

    def __init__(self, channels: int, depths=(2, 2, 2), down=None, net=None, rank: int = 2,
                 mix=None, coupling=None, condition=0, factor=2,
                 parametrization: str = "cayley", start: str = "haar"):
        depths = tuple(depths)
        if not depths or any(depth < 1 for depth in depths):
            raise ValueError("IUNet expects at least one level, and steps in each, but got depths "
                             f"{list(depths)}")
        if down is not None and len(down) != len(depths) - 1:
            raise ValueError(f"IUNet expects channels to pass on for {len(depths) - 1} levels, but "
                             f"got {list(down)}")
        if coupling is None:
            def coupling(channels, net, condition):
                return AdditiveCoupling(channels, net, two_sided=True, condition=condition)
        net = network_factory(net, rank)
        conditions = channels_of_scales("IUNet", condition, len(depths))
        factors = (factor,) * rank if isinstance(factor, numbers.Integral) else tuple(factor)

        def pyramid():
            levels, downsamplings, passed, n = [], [], [], channels
            for i, depth in enumerate(depths):
                parts = [coupling(n, net, condition=conditions[i])]
                if mix is not None:
                    parts.insert(0, mixing(mix, n))
                levels.append(Repeat(Sequential(*parts), depth))
                if i + 1 < len(depths):
                    on = n // 2 if down is None else down[i]
                    if not 0 < on < n:
                        raise ValueError(f"IUNet expects level {i} to pass on at least 1 of {n} "
                                         f"channels and to keep one, but got {on}")
                    downsamplings.append(
                        Downsample(on, rank, factor, parametrization, start))
                    passed.append(on)
                    n = on * math.prod(factors)
            return _Pyramid(levels, downsamplings, passed,
                            None if condition is None else factors)

        self.encoder, self.decoder = pyramid(), pyramid()

    def __call__(self, x, cond=None):
        latents, total = self.encode(x, cond)
        y, log_det = self.decode(latents, cond)
        return y, total + log_det

    def inverse(self, y, cond=None):
        latents, total = self.decoder(y, cond)
        x, log_det = self.encoder.inverse(latents, cond)
        return x, total + log_det

    def encode(self, x, cond=None):
        """(what each level keeps and the coarsest array, log_det) of x."""
        return self.encoder(x, cond)

    def decode(self, latents, cond=None):
        """(the array, log_det) of such a tuple."""
        return self.decoder.inverse(latents, cond)
