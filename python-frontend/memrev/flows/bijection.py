# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Invertible modules, and what is made of several."""

import math

import numpy as np

from .. import nn, tree
from .. import numpy as mnp

__all__ = ["Bijection", "Inverse", "Parallel", "Repeat", "Sequential"]


class Bijection(nn.Module):
    """An invertible map of each sample, with the logarithm of its volume change.

    x: an array [batch, ..., channels], or a tuple of such where a layer says so. cond: what
    the map is conditional on, an array or a tree of arrays that layers without a condition
    do not look at, or None.

    `layer(x, cond)` returns (y, log_det), where log_det [batch] is log |det dy/dx| of each
    sample; `layer.inverse(y, cond)` returns (x, log_det) with log |det dx/dy|. Both are
    programs like any other: they have derivatives by x, cond and parameters, and are
    differentiated by running the other one. `layer.apply(params, state, y, cond,
    method="inverse")` calls the inverse from outside.
    """

    def __call__(self, x, cond=None):
        """(y, log_det) of x."""
        raise NotImplementedError(f"{type(self).__name__} expects a method __call__")

    def inverse(self, y, cond=None):
        """(x, log_det) of y."""
        raise NotImplementedError(f"{type(self).__name__} expects a method inverse")


class Sequential(Bijection):
    """One bijection after the other, each with the same condition. Its parts may be such
    chains themselves. The parameters of part i are `params["layers"][i]`."""

    def __init__(self, *layers: Bijection):
        self.layers = list(layers)

    def __call__(self, x, cond=None):
        total = no_log_det(x)
        for layer in self.layers:
            x, log_det = layer(x, cond)
            total = total + log_det
        return x, total

    def inverse(self, y, cond=None):
        total = no_log_det(y)
        for layer in reversed(self.layers):
            y, log_det = layer.inverse(y, cond)
            total = total + log_det
        return y, total


class Inverse(Bijection):
    """The bijection in the other direction. Parameters are those of `layer`, which initialises
    by data in the direction it is called in.

    Submodule: `layer`.
    """

    def __init__(self, layer: Bijection):
        self.layer = layer

    def __call__(self, x, cond=None):
        return self.layer.inverse(x, cond)

    def inverse(self, y, cond=None):
        return self.layer(y, cond)


class Repeat(Bijection, nn.Repeat):
    """A bijection `count` times, each time with parameters of its own, as one loop of the
    program in both directions: code, compile time and, as far as the block is undone by its
    inverse, memory do not depend on `count`.

    block: a bijection whose result is of the structure, shapes and dtypes of its argument.

    Submodule: `block`, with stacked parameters, as `memrev.nn.Repeat` says. Raises ValueError
    if `count` is less than 1.
    """

    def __call__(self, x, cond=None):
        return self._accumulate(self.block, x, cond)

    def inverse(self, y, cond=None):
        return self._accumulate(self.block.inverse, y, cond, reverse=True)

    def _accumulate(self, function, x, cond, reverse=False):
        def step(carry):
            x, total = carry
            y, log_det = function(x, cond)
            return y, total + log_det

        return self._loop(step, (x, no_log_det(x)), reverse=reverse)


class Parallel(Bijection):
    """Bijections side by side: of a tuple of arrays, each by one of its own; None leaves an
    array as it is.

    Raises ValueError if there are not as many arrays as bijections.
    """

    def __init__(self, *layers):
        self.layers = list(layers)

    def __call__(self, x, cond=None):
        return self._each(x, lambda layer, part: layer(part, cond))

    def inverse(self, y, cond=None):
        return self._each(y, lambda layer, part: layer.inverse(part, cond))

    def _each(self, parts, function):
        if not isinstance(parts, (tuple, list)) or len(parts) != len(self.layers):
            got = f"{len(parts)}" if isinstance(parts, (tuple, list)) else "one array"
            raise ValueError(f"Parallel expects a tuple of {len(self.layers)} arrays, but got "
                             f"{got}")
        total, results = no_log_det(parts), []
        for layer, part in zip(self.layers, parts):
            if layer is not None:
                part, log_det = function(layer, part)
                total = total + log_det
            results.append(part)
        return tuple(results), total


# ------------------------------------------------------------------------------
# What layers share
# ------------------------------------------------------------------------------


def no_log_det(x):
    """The log_det of what keeps volumes: zeros, one for each sample of a tree of arrays."""
    leaf = tree.leaves(x)[0]
    return np.zeros(leaf.shape[0], leaf.dtype)


def sum_per_sample(x):
    """[batch, ...] to [batch]."""
    return mnp.sum(x, axis=tuple(range(1, x.ndim))) if x.ndim > 1 else x


def per_sample(number, x):
    """One traced number as that of each sample of `x`."""
    return mnp.broadcast_to(number, (x.shape[0],))


def pixels(x):
    """The number of places of [batch, *space, channels]."""
    return math.prod(x.shape[1:-1])


def check_channels(layer, x, channels):
    """Raises ValueError unless the last dimension of `x` has that extent."""
    if x.ndim < 2 or x.shape[-1] != channels:
        raise ValueError(f"{type(layer).__name__} expects an array [batch, ..., {channels}], but "
                         f"got shape {list(x.shape)}")
