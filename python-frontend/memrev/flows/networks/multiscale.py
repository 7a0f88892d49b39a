# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Flows with latent variables at several scales."""

from ... import numpy as mnp
from ..bijection import Bijection, no_log_det
from ..reshaping import Squeeze

__all__ = ["Multiscale"]


class Multiscale(Bijection):
    """Levels at smaller and smaller scales, where a part of the channels leaves behind each
    level but the last one: Dinh et al., RealNVP (arXiv 1605.08803, section 3.6). The batch stays
    the first dimension of all that leaves.

    x: an array [batch, *space, channels], or a tuple of such for levels that take one.
    The latent variables are a tuple of an array for each level, the one that goes through all
    of them last; for a tuple, a tuple of such tuples, one for each of its arrays. With
    `split=False` nothing leaves, and they are like the result of the last level.

    levels: a bijection for each level, which keeps shapes, of the channels that reach it: see
        `channels_of_levels`.
    squeeze: what is before each level, for any number of channels: `Squeeze`, `Haar`,
        `Wavelet`; None: nothing, as for samples that are vectors.
    squeeze_condition: whether a condition is squeezed as x is, before each level; otherwise
        levels get it as it is.

    Of n channels n // 2 go on. Submodules: `levels`, `squeeze`. Raises ValueError if there is
    no level, and, when called, for an array of one channel that has to be split.
    """

    def __init__(self, levels, squeeze=Squeeze(), split: bool = True,
                 squeeze_condition: bool = False):
        self.levels = list(levels)
        if not self.levels:
            raise ValueError("Multiscale expects at least 1 level, but got none")
        self.squeeze, self.split, self.squeeze_condition = squeeze, split, squeeze_condition

    def __call__(self, x, cond=None):
        streams = isinstance(x, (tuple, list))
        total, latents = no_log_det(x), []
        for i, (level, cond) in enumerate(zip(self.levels, self._conditions(cond))):
            if self.squeeze is not None:
                x, log_det = self._each(self.squeeze, x)
                total = total + log_det
            x, log_det = level(x, cond)
            total = total + log_det
            if self.split and i + 1 < len(self.levels):
                parts = [self._halves(part) for part in (x if streams else (x,))]
                kept, left = zip(*parts)
                latents.append(left)
                x = kept if streams else kept[0]
        if not self.split:
            return x, total
        latents.append(tuple(x) if streams else (x,))
        found = tuple(zip(*latents))
        return (found if streams else found[0]), total

    def inverse(self, y, cond=None):
        latents, streams = self._latents(y)
        total = no_log_det(y)
        x = latents.pop() if self.split else y
        for i, (level, cond) in reversed(list(enumerate(zip(
                self.levels, self._conditions(cond))))):
            if self.split and i + 1 < len(self.levels):
                left = latents.pop()
                x = tuple(mnp.concatenate([a, b], axis=-1) for a, b in zip(x, left))
            arrays = x[0] if self.split and not streams else x
            arrays, log_det = level.inverse(arrays, cond)
            total = total + log_det
            if self.squeeze is not None:
                arrays, log_det = self._each(self.squeeze, arrays, inverse=True)
                total = total + log_det
            x = arrays if streams or not self.split else (arrays,)
        return (x[0] if self.split and not streams else x), total

    def _conditions(self, cond):
        """That of each level."""
        if cond is None or self.squeeze is None or not self.squeeze_condition:
            return [cond] * len(self.levels)
        conditions = []
        for _ in self.levels:
            cond, _ = self.squeeze(cond)
            conditions.append(cond)
        return conditions

    def _latents(self, y):
        """A list of what left by level, each a tuple of an array for each stream; and whether
        there are several streams."""
        several = isinstance(y, (tuple, list)) and isinstance(y[0], (tuple, list))
        if not self.split:
            return [], isinstance(y, (tuple, list))
        for part in (y if several else [y]):
            if not isinstance(part, (tuple, list)) or len(part) != len(self.levels):
                got = f"{len(part)}" if isinstance(part, (tuple, list)) else "one array"
                raise ValueError(f"{type(self).__name__} expects a tuple of {len(self.levels)} "
                                 f"latent variables, one for each level, but got {got}")
        return list(zip(*(y if several else [y]))), several

    def _halves(self, x):
        if x.shape[-1] < 2:
            raise ValueError(f"{type(self).__name__} expects at least 2 channels to split, but "
                             f"got shape {list(x.shape)}")
        return mnp.split(x, [x.shape[-1] // 2], axis=-1)

    @staticmethod
    def _each(layer, x, inverse=False):
        function = layer.inverse if inverse else layer
        if not isinstance(x, (tuple, list)):
            return function(x)
        results, log_dets = zip(*map(function, x))
        return tuple(results), sum(log_dets[1:], log_dets[0])


def channels_of_levels(channels, levels, factor, split=True):
    """How many channels reach each level, after a squeeze by which they become `factor` times
    as many. Raises ValueError if a level would have none to split."""
    found = []
    for i in range(levels):
        channels *= factor
        found.append(channels)
        if split and i + 1 < levels:
            if channels < 2:
                raise ValueError(f"expects at least 2 channels to split behind level {i}, but "
                                 f"got {channels}")
            channels //= 2
    return found
