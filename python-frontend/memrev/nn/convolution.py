# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Convolutions."""

import math
from typing import Sequence, Union

from .. import lax
from . import init
from .module import Module, Parameter

__all__ = ["Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d",
           "ConvTranspose3d"]

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
        shape = self._weight_shape(window)
        self.weight = Parameter(shape, weight_init)
        self.has_bias = bias
        if bias:
            fan_in, _ = init.fans(shape)
            self.bias = Parameter((outputs,), bias_init or init.uniform(1 / math.sqrt(fan_in)))

    def _weight_shape(self, window):
        return (*window, self.inputs // self.groups, self.outputs)

    def _apply(self, x):
        return lax.conv(x, self.weight, self.strides, self.padding, self.dilation, self.groups)

    def __call__(self, x):
        if x.ndim != self.rank + 2 or x.shape[-1] != self.inputs:
            raise ValueError(
                f"{type(self).__name__} expects an array of {self.rank + 2} dimensions with "
                f"{self.inputs} channels in the last, but got shape {list(x.shape)}")
        y = self._apply(x)
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


class _ConvTranspose(_Conv):
    """What transposed convolutions of all ranks share.

    The transpose of a convolution from `outputs` to `inputs` channels with the same
    window, strides, padding (integers or pairs), dilation and groups, see
    `lax.conv_transpose`. output_padding: an integer, or one for each dimension, less
    than the stride, by which the result is longer.

    Parameters: `weight` [*window, outputs / groups, inputs], `bias` [outputs], drawn as
    PyTorch does. Raises ValueError if `groups` does not divide the channels.
    """

    def __init__(self, inputs: int, outputs: int, window: Extents, strides: Extents = 1,
                 padding=0, dilation: Extents = 1, groups: int = 1, bias: bool = True,
                 output_padding: Extents = 0, **options):
        super().__init__(inputs, outputs, window, strides, padding, dilation, groups, bias,
                         **options)
        self.output_padding = output_padding

    def _weight_shape(self, window):
        return (*window, self.outputs // self.groups, self.inputs)

    def _apply(self, x):
        return lax.conv_transpose(x, self.weight, self.strides, self.padding, self.dilation,
                                  self.groups, self.output_padding)


class ConvTranspose1d(_ConvTranspose):
    __doc__ = ("Transposed convolution: [batch, width, channels].\n"
               + _ConvTranspose.__doc__.partition("\n")[2])
    rank = 1


class ConvTranspose2d(_ConvTranspose):
    __doc__ = ("Transposed convolution: [batch, height, width, channels].\n"
               + _ConvTranspose.__doc__.partition("\n")[2])
    rank = 2


class ConvTranspose3d(_ConvTranspose):
    __doc__ = ("Transposed convolution: [batch, depth, height, width, channels].\n"
               + _ConvTranspose.__doc__.partition("\n")[2])
    rank = 3
