# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Residual functions and ResNets for CIFAR as MemCNN has them: pre-activation networks
(He, Zhang, Ren, Sun: Identity mappings in deep residual networks, arXiv 1603.05027)
whose shortcuts have a batch norm.

van de Leemput, Teuwen, van Ginneken, Manniesing: MemCNN, a Python/PyTorch package for
creating memory-efficient invertible neural networks (JOSS 4(39), 2019).
"""

from typing import Optional, Sequence

from .. import lax, nn

__all__ = ["Basic", "Bottleneck", "ResNet", "resnet110", "resnet164", "resnet32"]


def conv(inputs, outputs, window, strides=1, padding=None):
    """A convolution without bias, of He's initialisation by the fan-out."""
    return nn.Conv2d(inputs, outputs, window, strides,
                     padding=window // 2 if padding is None else padding, bias=False,
                     weight_init=nn.init.he_normal("out"))


class Basic(nn.Module):
    """The residual function of two 3x3 convolutions: norm1, ReLU, conv1, norm2, ReLU,
    conv2; [batch, height, width, inputs] to `width` channels, height and width divided by
    `strides`. Without `activate` norm1 and its ReLU are left out."""

    expansion = 1

    def __init__(self, inputs: int, width: int, strides: int = 1, activate: bool = True):
        self.norm1 = nn.BatchNorm(inputs) if activate else None
        self.conv1 = conv(inputs, width, 3, strides)
        self.norm2 = nn.BatchNorm(width)
        self.conv2 = conv(width, width, 3)

    def __call__(self, x):
        if self.norm1 is not None:
            x = lax.relu(self.norm1(x))
        return self.conv2(lax.relu(self.norm2(self.conv1(x))))


class Bottleneck(nn.Module):
    """The residual function of 1x1, 3x3 and 1x1 convolutions: norm1, ReLU, conv1, norm2,
    ReLU, conv2, norm3, ReLU, conv3; [batch, height, width, inputs] to 4 `width` channels,
    the stride in the 3x3 convolution. Without `activate` norm1 and its ReLU are left out."""

    expansion = 4

    def __init__(self, inputs: int, width: int, strides: int = 1, activate: bool = True):
        self.norm1 = nn.BatchNorm(inputs) if activate else None
        self.conv1 = conv(inputs, width, 1)
        self.norm2 = nn.BatchNorm(width)
        self.conv2 = conv(width, width, 3, strides)
        self.norm3 = nn.BatchNorm(width)
        self.conv3 = conv(width, self.expansion * width, 1)

    def __call__(self, x):
        if self.norm1 is not None:
            x = lax.relu(self.norm1(x))
        x = self.conv2(lax.relu(self.norm2(self.conv1(x))))
        return self.conv3(lax.relu(self.norm3(x)))


class Residual(nn.Module):
    """function(x) + x, or with a convolution and a batch norm of x, `shortcut` and
    `shortcut_norm`, where the function changes its shape."""

    def __init__(self, function: nn.Module, inputs: int, outputs: int, strides: int = 1):
        self.function = function
        self.shortcut = self.shortcut_norm = None
        if strides != 1 or inputs != outputs:
            self.shortcut = conv(inputs, outputs, 1, strides)
            self.shortcut_norm = nn.BatchNorm(outputs)

    def __call__(self, x):
        y = self.function(x)
        return y + (x if self.shortcut is None else self.shortcut_norm(self.shortcut(x)))


def repeated(blocks, loops):
    """A run of equal blocks, made by `blocks(count)`: a loop if there are several."""
    count, make = blocks
    if loops and count > 1:
        return [nn.Repeat(make(), count)]
    return [make() for _ in range(count)]


class ResNet(nn.Module):
    """A residual network: [batch, height, width, 3] to logits [batch, classes].

    A 3x3 convolution to `channels[0]` channels, `stem`; stages of `blocks[i]` residual
    functions `block` of width `channels[i]`, whose first has stride 1 in stage 0 and 2 in
    the others; `norm`, ReLU, the average over the image, and `head`, a linear layer.

    loops: runs of equal blocks are one loop each (`nn.Repeat`).
    """

    def __init__(self, block, blocks: Sequence[int], channels: Sequence[int],
                 classes: int = 10, loops: bool = True):
        self.stem = conv(3, channels[0], 3)
        self.stem_norm = nn.BatchNorm(channels[0])
        self.stages = []
        inputs = channels[0]
        for stage, (count, width) in enumerate(zip(blocks, channels)):
            self.stages.append(self._stage(block, inputs, width, count, stage, loops))
            inputs = width * block.expansion
        self.norm = nn.BatchNorm(inputs)
        self.head = nn.Linear(inputs, classes)

    def _stage(self, block, inputs, width, count, stage, loops):
        strides = 1 if stage == 0 else 2
        outputs = width * block.expansion
        first = Residual(block(inputs, width, strides, activate=stage > 0), inputs, outputs,
                         strides)
        return [first, *repeated(
            (count - 1, lambda: Residual(block(outputs, width), outputs, outputs)), loops)]

    def __call__(self, x):
        x = lax.relu(self.stem_norm(self.stem(x)))
        for stage in self.stages:
            for block in stage:
                x = block(x)
        return self.head(nn.GlobalAvgPool()(lax.relu(self.norm(x))))


def resnet32(classes: int = 10, loops: bool = True) -> ResNet:
    """MemCNN's ResNet-32: [batch, 32, 32, 3] to [batch, classes]; 466,906 parameters for
    10 classes, 472,756 for 100."""
    return ResNet(Basic, (5, 5, 5), (16, 32, 64), classes, loops)


def resnet110(classes: int = 10, loops: bool = True) -> ResNet:
    """MemCNN's ResNet-110: [batch, 32, 32, 3] to [batch, classes]; 1,730,714 parameters for
    10 classes, 1,736,564 for 100."""
    return ResNet(Basic, (18, 18, 18), (16, 32, 64), classes, loops)


def resnet164(classes: int = 10, loops: bool = True) -> ResNet:
    """MemCNN's ResNet-164, of bottlenecks: [batch, 32, 32, 3] to [batch, classes]; 1,704,154
    parameters for 10 classes, 1,727,284 for 100."""
    return ResNet(Bottleneck, (18, 18, 18), (16, 32, 64), classes, loops)
