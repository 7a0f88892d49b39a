# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Pooling over windows and over images, [batch, *space, channels]."""

from .. import lax
from .. import numpy as mnp
from .module import Module

__all__ = ["AvgPool", "GlobalAvgPool", "GlobalMaxPool", "MaxPool"]


class MaxPool(Module):
    """The maximum over windows, by default next to each other. `window`, `strides` and
    `padding` as in `Conv2d`; padding is smaller than any element."""

    def __init__(self, window, strides=None, padding=0, dilation=1):
        self.window, self.strides = window, strides
        self.padding, self.dilation = padding, dilation

    def __call__(self, x):
        return lax.max_pool(x, self.window, self.strides, self.padding, self.dilation)


class AvgPool(Module):
    """The average over windows, by default next to each other. `window`, `strides` and
    `padding` as in `Conv2d`. Padding counts as zeros, or not at all without
    `count_padding`."""

    def __init__(self, window, strides=None, padding=0, count_padding: bool = True):
        self.window, self.strides = window, strides
        self.padding, self.count_padding = padding, count_padding

    def __call__(self, x):
        return lax.avg_pool(x, self.window, self.strides, self.padding, self.count_padding)


class GlobalAvgPool(Module):
    """The average of each channel over space: [batch, *space, channels] to
    [batch, channels]."""

    def __call__(self, x):
        return mnp.mean(x, axis=tuple(range(1, x.ndim - 1)))


class GlobalMaxPool(Module):
    """The maximum of each channel over space: [batch, *space, channels] to
    [batch, channels]."""

    def __call__(self, x):
        return mnp.max(x, axis=tuple(range(1, x.ndim - 1)))
