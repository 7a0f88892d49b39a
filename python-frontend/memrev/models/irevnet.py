# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""i-RevNet: Jacobsen, Smeulders, Oyallon: i-RevNet, deep invertible networks (ICLR 2018,
arXiv 1802.07088), invertible from the image to the last features."""

from typing import Sequence

from .. import lax, nn
from .. import numpy as mnp
from .resnet import conv
from .revnet import _Join, _Split

__all__ = ["IRevNet", "irevnet_cifar", "irevnet_imagenet"]


def squeeze(x, factor: int = 2):
    """Windows of `factor` x `factor` pixels become channels: [batch, height, width,
    channels] to [batch, height / factor, width / factor, factor^2 channels], a
    permutation."""
    if factor == 1:
        return x
    n, height, width, channels = x.shape
    if height % factor or width % factor:
        raise ValueError(f"squeeze expects an image of a multiple of {factor} pixels, but got "
                         f"shape {list(x.shape)}")
    x = x.reshape(n, height // factor, factor, width // factor, factor, channels)
    x = mnp.transpose(x, (0, 1, 3, 2, 4, 5))
    return x.reshape(n, height // factor, width // factor, factor * factor * channels)


class _Function(nn.Module):
    """The residual function of three 3x3 convolutions, `outputs` / `narrowing` wide inside."""

    def __init__(self, inputs, outputs, strides, activate, narrowing, dropout):
        width = outputs // narrowing
        self.norm1 = nn.BatchNorm(inputs) if activate else None
        self.conv1 = conv(inputs, width, 3, strides)
        self.norm2 = nn.BatchNorm(width)
        self.conv2 = conv(width, width, 3)
        self.dropout = nn.Dropout(dropout)
        self.norm3 = nn.BatchNorm(width)
        self.conv3 = conv(width, outputs, 3)

    def __call__(self, x):
        if self.norm1 is not None:
            x = lax.relu(self.norm1(x))
        x = self.dropout(self.conv2(lax.relu(self.norm2(self.conv1(x)))))
        return self.conv3(lax.relu(self.norm3(x)))


class _Block(nn.Module):
    """(x1, x2) to (S x2, S x1 + F(x2)), where S is the identity, or for stride 2 makes
    windows of 2x2 pixels channels."""

    def __init__(self, function, strides):
        self.function, self.strides = function, strides

    def __call__(self, x):
        x1, x2 = x
        y = nn.couple(self.function, squeeze(x1, self.strides), x2)
        return squeeze(x2, self.strides), y


class _Pad(nn.Module):
    """Zeros behind the channels, which an inverse cuts off."""

    def __init__(self, zeros):
        self.zeros = zeros

    def __call__(self, x):
        return mnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, self.zeros)])


class IRevNet(nn.Module):
    """A classifier on invertible features: [batch, height, width, inputs] to logits
    [batch, classes].

    The image is squeezed by `initial`; stages of `blocks[i]` blocks
    (x1, x2) -> (x2, x1 + F(x2)), whose first has stride `strides[i]`, with
    `channels[i]` channels in each half. A stage with stride 1 that has more channels than
    arrive begins by zeros behind them: then the network is injective, else bijective.
    `features` is that map; norm, ReLU, average and a linear layer make logits of it.

    Runs of equal blocks are one loop, undone in the backward pass, and so is all of
    `features`: what is kept does not depend on the number of blocks and stages. Raises
    ValueError if the channels do not fit.
    """

    def __init__(self, blocks: Sequence[int], strides: Sequence[int], channels: Sequence[int],
                 classes: int = 10, initial: int = 1, inputs: int = 3, narrowing: int = 4,
                 dropout: float = 0.0):
        self.initial = initial
        self.stages = []
        arriving = inputs * initial * initial
        activate = False
        for stage, (count, stride, width) in enumerate(zip(blocks, strides, channels)):
            parts = []
            after = arriving * stride * stride
            if after != 2 * width:
                if stride != 1 or after > 2 * width:
                    raise ValueError(f"IRevNet expects {after // 2} channels in each half of "
                                     f"stage {stage}, or more with stride 1, but got {width}")
                parts = [*([_Join()] if stage else []), _Pad(2 * width - after), _Split()]
                arriving = after = 2 * width
            elif stage == 0:
                parts = [_Split()]

            def block(inputs, strides, activate, width=width):
                return _Block(_Function(inputs, width, strides, activate, narrowing, dropout),
                              strides)

            parts.append(block(arriving // 2, stride, activate))
            if count > 1:
                parts.append(nn.Repeat(block(width, 1, True), count - 1))
            self.stages.append(parts)
            arriving, activate = 2 * width, True
        self.norm = nn.BatchNorm(arriving)
        self.head = nn.Linear(arriving, classes)

    def features(self, x):
        """The invertible part: [batch, height, width, inputs] to the two halves of the last
        features."""
        x = squeeze(x, self.initial)
        for stage in self.stages:
            for part in stage:
                x = part(x)
        return x

    def __call__(self, x):
        x = mnp.concatenate(self.features(x), axis=-1)
        return self.head(nn.GlobalAvgPool()(lax.relu(self.norm(x))))


def irevnet_cifar(classes: int = 10, dropout: float = 0.1) -> IRevNet:
    """The injective i-RevNet of the paper's code for CIFAR: [batch, 32, 32, 3] to
    [batch, classes]; 6,274,826 parameters for 10 classes."""
    return IRevNet((18, 18, 18), (1, 2, 2), (16, 64, 256), classes, dropout=dropout)


def irevnet_imagenet(classes: int = 1000, dropout: float = 0.0) -> IRevNet:
    """The bijective i-RevNet of the paper's code for ImageNet, of 301 layers:
    [batch, 224, 224, 3] to [batch, classes]; 125,120,356 parameters for 1000 classes."""
    return IRevNet((6, 16, 72, 6), (2, 2, 2, 2), (24, 96, 384, 1536), classes, initial=2,
                   dropout=dropout)
