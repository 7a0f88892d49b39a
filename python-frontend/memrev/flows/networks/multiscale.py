# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Flows with latent variables at several scales."""

import numbers

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

    levels: a bijection for each level, of the channels that reach it.
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
        several, total, latents = isinstance(x, (tuple, list)), no_log_det(x), []
        # Whatever there is of arrays is a tuple here.
        arrays = tuple(x) if several else (x,)
        for i, (level, given) in enumerate(zip(self.levels, self._conditions(cond))):
            if self.squeeze is not None:
                arrays, log_det = self._each(self.squeeze, arrays)
                total = total + log_det
            arrays, log_det = self._call(level, arrays, several, given)
            total = total + log_det
            if self.split and i + 1 < len(self.levels):
                arrays, left = zip(*map(self._halves, arrays))
                latents.append(left)
        if self.split:
            arrays = tuple(zip(*latents, arrays))
        return (arrays if several else arrays[0]), total

    def inverse(self, y, cond=None):
        latents, arrays, several = self._latents(y)
        total = no_log_det(y)
        levels = list(zip(self.levels, self._conditions(cond)))
        for level, given in reversed(levels):
            arrays, log_det = self._call(level.inverse, arrays, several, given)
            total = total + log_det
            if self.squeeze is not None:
                arrays, log_det = self._each(self.squeeze.inverse, arrays)
                total = total + log_det
            if latents:
                arrays = tuple(mnp.concatenate([a, b], axis=-1)
                               for a, b in zip(arrays, latents.pop()))
        return (arrays if several else arrays[0]), total

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
        """What left behind each level but the last one, and what came out of that one, each a
        tuple of arrays, and whether x is one."""
        if not self.split:
            several = isinstance(y, (tuple, list))
            return [], (tuple(y) if several else (y,)), several
        several = bool(isinstance(y, (tuple, list)) and y and isinstance(y[0], (tuple, list)))
        for part in y if several else (y,):
            if not isinstance(part, (tuple, list)) or len(part) != len(self.levels):
                got = f"{len(part)}" if isinstance(part, (tuple, list)) else "one array"
                raise ValueError(f"{type(self).__name__} expects a tuple of {len(self.levels)} "
                                 f"latent variables, one for each level, but got {got}")
        *latents, last = zip(*(y if several else (y,)))
        return latents, last, several

    def _halves(self, x):
        if x.shape[-1] < 2:
            raise ValueError(f"{type(self).__name__} expects at least 2 channels to split, but "
                             f"got shape {list(x.shape)}")
        return mnp.split(x, [x.shape[-1] // 2], axis=-1)

    @staticmethod
    def _call(function, arrays, several, cond):
        """A level's, of a tuple or of the array that is in it."""
        found, log_det = function(arrays if several else arrays[0], cond)
        return (tuple(found) if several else (found,)), log_det

    @staticmethod
    def _each(function, arrays):
        results, log_dets = zip(*map(function, arrays))
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


class AtScale(Bijection):
    """A layer with the condition of a scale: see `condition_of_scale`.

    Submodule: `layer`.
    """

    def __init__(self, layer: Bijection, scale: int, scales: int):
        self.layer, self.scale, self.scales = layer, scale, scales

    def __call__(self, x, cond=None):
        return self.layer(x, self._condition(cond))

    def inverse(self, y, cond=None):
        return self.layer.inverse(y, self._condition(cond))

    def _condition(self, cond):
        return condition_of_scale(cond, self.scale, self.scales)


def condition_of_scale(cond, scale, scales, factor=2):
    """What a condition is at a scale, where space is `factor` ** `scale` times smaller than that
    of x in each dimension.

    cond: None or vectors [batch, channels], which are the same at all scales; an array [batch,
        *space, channels] of the space of x, of which every factor ** scale-th place is taken;
        or a tuple of `scales` of these, each of its own space. factor: an integer, or one for
        each dimension of space.

    Raises ValueError for a tuple of another length.
    """
    if isinstance(cond, (tuple, list)):
        if len(cond) != scales:
            raise ValueError(f"expects a tuple of {scales} conditions, one for each scale, but got "
                             f"{len(cond)}")
        return cond[scale]
    if cond is None or cond.ndim < 3 or scale == 0:
        return cond
    factors = (factor,) * (cond.ndim - 2) if isinstance(factor, numbers.Integral) else factor
    return cond[(slice(None), *(slice(None, None, f ** scale) for f in factors))]


def channels_of_scales(name, condition, scales):
    """The channels of the condition at each scale: one number for all, or a sequence. Raises
    ValueError for a sequence of another length."""
    if condition is None or isinstance(condition, numbers.Integral):
        return [condition] * scales
    if len(condition) != scales:
        raise ValueError(f"{name} expects the channels of a condition for {scales} scales, but got "
                         f"{list(condition)}")
    return list(condition)
