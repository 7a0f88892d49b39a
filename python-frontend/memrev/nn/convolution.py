# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Convolutions."""

import math
from typing import Sequence, Union

from .. import lax
from . import init
from .module import Module, Parameter

__all__ = ["Conv1d", "Conv2d", "Conv3d"]

Extents = Union[int, Sequence[int]]


class _Conv(Module):
    """What convolutions of all ranks share.

    inputs, outputs: numbers of channels. window, strides, dilation: an integer, or one
    for each dimension of space. padding: "same", "valid", an integer, or an integer or
    a pair (before, after) for each dimension, of zeros. groups: into how many parts
    that do not mix channels are cut; `inputs` of them make a depthwise convolution.

    Parameters: `weight` [*window, inputs / groups, outputs], `bias` [outputs]. By default
    both are drawn from a uniform distribution in +- 1 / sqrt(fan-in), as PyTorch does.
    Raises ValueError if `groups` does not divide the channels.
    """

    rank = 0

    def __init__(self, inputs: int, outputs: int, window: Extents, strides: Extents = 1,
                 padding=0, dilation: Extents = 1, groups: int = 1, bias: bool = True,
                 weight_init=init.he_uniform(gain=1 / 3), bias_init=None):
        name = type(self).__name__
        window = (window,) * self.rank if isinstance(window, int) else tuple(window)
        if len(window) != self.rank or any(n < 1 for n in window):
            raise ValueError(f"{name} expects a window of {self.rank} positive extents, but got "
                             f"{list(window)}")
        if groups < 1 or inputs % groups or outputs % groups:
            raise ValueError(f"{name} expects a number of groups that divides {inputs} and "
                             f"{outputs} channels, but got {groups}")
        self.inputs, self.outputs, self.window = inputs, outputs, window
        self.strides, self.padding = strides, padding
        self.dilation, self.groups = dilation, groups
        self.weight = Parameter((*window, inputs // groups, outputs), weight_init)
        self.has_bias = bias
        if bias:
            fan_in = math.prod(window) * (inputs // groups)
            self.bias = Parameter((outputs,), bias_init or init.uniform(1 / math.sqrt(fan_in)))

    def __call__(self, x):
        if x.ndim != self.rank + 2 or x.shape[-1] != self.inputs:
            raise ValueError(
                f"{type(self).__name__} expects an array of {self.rank + 2} dimensions with "
                f"{self.inputs} channels in the last, but got shape {list(x.shape)}")
        y = lax.conv(x, self.weight, self.strides, self.padding, self.dilation, self.groups)
        return y + self.bias if self.has_bias else y


class Conv1d(_Conv):
    __doc__ = "Convolution: [batch, width, channels].\n" + _Conv.__doc__.partition("\n")[2]
    rank = 1


class Conv2d(_Conv):
    __doc__ = ("Convolution: [batch, height, width, channels].\n"
               + _Conv.__doc__.partition("\n")[2])
    rank = 2


class Conv3d(_Conv):
    __doc__ = ("Convolution: [batch, depth, height, width, channels].\n"
               + _Conv.__doc__.partition("\n")[2])
    rank = 3
