# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Networks inside of couplings, which need no inverse, and factories of them: functions
`factory(inputs, outputs)` of numbers of channels that make a module."""

import functools

from .. import lax, nn
from .. import numpy as mnp

__all__ = ["ConvNet", "DenseNet", "ResidualBlock", "convolutional", "dense", "residual"]

_CONVS = {1: (nn.Conv1d, nn.ConvTranspose1d), 2: (nn.Conv2d, nn.ConvTranspose2d),
          3: (nn.Conv3d, nn.ConvTranspose3d)}


def _convs(name, rank):
    if rank not in _CONVS:
        raise ValueError(f"{name} expects 1, 2 or 3 dimensions of space, but got {rank}")
    return _CONVS[rank]


def _last(zero_init):
    """What initialises a last layer: to zeros, with which a coupling is the identity."""
    return {"weight_init": nn.init.zeros, "bias_init": nn.init.zeros} if zero_init else {}


class DenseNet(nn.Module):
    """Linear layers with an activation between: [..., inputs] to [..., outputs].

    hidden: the features of the layers between, an integer for each.
    activation: a function of an array. zero_init: whether the last layer is of zeros at first.

    Submodule: `layers`.
    """

    def __init__(self, inputs: int, outputs: int, hidden=(64, 64), activation=lax.relu,
                 zero_init: bool = True):
        sizes = [inputs, *hidden]
        self.layers = [nn.Linear(a, b, weight_init=nn.init.he_normal())
                       for a, b in zip(sizes, sizes[1:])]
        self.layers.append(nn.Linear(sizes[-1], outputs, **_last(zero_init)))
        self.activation = activation

    def __call__(self, x):
        for layer in self.layers[:-1]:
            x = self.activation(layer(x))
        return self.layers[-1](x)


class ConvNet(nn.Module):
    """Convolutions with an activation between: [batch, *space, inputs] to [batch, *space,
    outputs], of the same space.

    hidden: the channels between, an integer for each layer. windows: the extent of each
        layer's window, one more than `hidden`.
    rank: how many dimensions space has, 1 to 3.

    Submodule: `layers`. Raises ValueError for windows that are too few or too many.
    """

    def __init__(self, inputs: int, outputs: int, hidden=(64, 64), windows=(3, 1, 3),
                 rank: int = 2, activation=lax.relu, zero_init: bool = True):
        conv, _ = _convs("ConvNet", rank)
        if len(windows) != len(hidden) + 1:
            raise ValueError(f"ConvNet expects {len(hidden) + 1} windows for {len(hidden)} hidden "
                             f"layers, but got {len(windows)}")
        sizes = [inputs, *hidden]
        self.layers = [conv(a, b, k, padding="same", weight_init=nn.init.he_normal())
                       for a, b, k in zip(sizes, sizes[1:], windows)]
        self.layers.append(conv(sizes[-1], outputs, windows[-1], padding="same",
                                **_last(zero_init)))
        self.activation = activation

    def __call__(self, x):
        for layer in self.layers[:-1]:
            x = self.activation(layer(x))
        return self.layers[-1](x)


class ResidualBlock(nn.Module):
    """The block of InvertibleNetworks.jl: three convolutions, the second one residual and the
    third transposed,

        h = a(conv1(x)), h = a(h + conv2(h)), y = conv3^T(h)

    [batch, *space, inputs] to [batch, *space, outputs].

    hidden: channels between. windows: the extents of the windows of conv1 and conv3, and of
        conv2. strides: those of conv1 and conv3, which divide the extents of space; the window
        is at least as large.
    rank: how many dimensions space has, 1 to 3.
    gated: whether the last convolution has twice the outputs, and y = y1 sigmoid(y2), a gated
        linear unit (Dauphin et al., arXiv 1612.08083).

    Submodules: `conv1`, `conv2`, `conv3`, the last without a bias.
    """

    def __init__(self, inputs: int, outputs: int, hidden: int = 64, windows=(3, 3),
                 strides: int = 1, rank: int = 2, activation=lax.relu, gated: bool = False,
                 zero_init: bool = True):
        conv, transposed = _convs("ResidualBlock", rank)
        outer, inner = windows
        if outer < strides or (outer - strides) % 2:
            raise ValueError("ResidualBlock expects an outer window that is larger than its "
                             f"strides by an even number, but got {outer} and {strides}")
        border = (outer - strides) // 2
        self.conv1 = conv(inputs, hidden, outer, strides=strides, padding=border,
                          weight_init=nn.init.he_normal())
        self.conv2 = conv(hidden, hidden, inner, padding="same",
                          weight_init=nn.init.he_normal())
        last = {"weight_init": nn.init.zeros} if zero_init else {}
        self.conv3 = transposed(hidden, 2 * outputs if gated else outputs, outer,
                                strides=strides, padding=border, bias=False, **last)
        self.activation, self.gated = activation, gated

    def __call__(self, x):
        hidden = self.activation(self.conv1(x))
        hidden = self.activation(hidden + self.conv2(hidden))
        y = self.conv3(hidden)
        if not self.gated:
            return y
        y1, y2 = mnp.split(y, 2, axis=-1)
        return y1 * lax.sigmoid(y2)


def dense(*hidden: int, **options):
    """A factory of `DenseNet`s with those hidden layers, by default two of 64."""
    return functools.partial(DenseNet, hidden=hidden or (64, 64), **options)


def convolutional(*hidden: int, **options):
    """A factory of `ConvNet`s with those hidden layers, by default two of 64; with others
    than two `windows` has to be given."""
    return functools.partial(ConvNet, hidden=hidden or (64, 64), **options)


def residual(hidden: int = 64, **options):
    """A factory of `ResidualBlock`s."""
    return functools.partial(ResidualBlock, hidden=hidden, **options)
