# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""RevNets as their authors have them, for CIFAR and ImageNet: Gomez, Ren, Urtasun,
Grosse: The reversible residual network (arXiv 1707.04585), and its code in TensorFlow.

All units have two streams, those that change the shape too: F has the stride, and each
stream a shortcut of its own. Compared with MemCNN's (`memrev.models.revnet`) the
networks have other parameter counts, batch norms with epsilon 1e-3, decay 0.99 and a
biased running variance, TensorFlow's padding, and the stride of a bottleneck in its first
convolution.
"""

from typing import Sequence

import numpy as np

from .. import lax, nn
from .. import numpy as mnp
from .revnet import _Join, _Split
from .resnet import repeated

__all__ = ["GomezRevNet", "gomez_revnet110", "gomez_revnet164", "gomez_revnet38",
           "revnet104", "revnet56"]


def _norm(features):
    return nn.BatchNorm(features, momentum=0.01, epsilon=1e-3, unbiased=False)


def _conv(inputs, outputs, window, strides=1):
    """A convolution without bias; the deviation of the truncated normal distribution is
    He's by the fan-out."""
    deviation = np.sqrt(2 / (window * window * outputs))
    return nn.Conv2d(inputs, outputs, window, strides, padding="same", bias=False,
                     weight_init=nn.init.truncated_normal(deviation))


class _Basic(nn.Module):
    """The residual function of two 3x3 convolutions."""

    def __init__(self, inputs, outputs, strides=1, activate=True):
        self.norm1 = _norm(inputs) if activate else None
        self.conv1 = _conv(inputs, outputs, 3, strides)
        self.norm2 = _norm(outputs)
        self.conv2 = _conv(outputs, outputs, 3)

    def __call__(self, x):
        if self.norm1 is not None:
            x = lax.relu(self.norm1(x))
        return self.conv2(lax.relu(self.norm2(self.conv1(x))))

    @staticmethod
    def shortcut(inputs, outputs, strides):
        return _Widen(inputs, outputs, strides)


class _Bottleneck(nn.Module):
    """The residual function of 1x1, 3x3 and 1x1 convolutions, a quarter as wide inside."""

    def __init__(self, inputs, outputs, strides=1, activate=True):
        self.norm1 = _norm(inputs) if activate else None
        self.conv1 = _conv(inputs, outputs // 4, 1, strides)
        self.norm2 = _norm(outputs // 4)
        self.conv2 = _conv(outputs // 4, outputs // 4, 3)
        self.norm3 = _norm(outputs // 4)
        self.conv3 = _conv(outputs // 4, outputs, 1)

    def __call__(self, x):
        if self.norm1 is not None:
            x = lax.relu(self.norm1(x))
        x = self.conv2(lax.relu(self.norm2(self.conv1(x))))
        return self.conv3(lax.relu(self.norm3(x)))

    @staticmethod
    def shortcut(inputs, outputs, strides):
        return _conv(inputs, outputs, 1, strides)


class _Widen(nn.Module):
    """Averages over windows of the stride, and zeros on both sides of the channels."""

    def __init__(self, inputs, outputs, strides):
        self.strides, self.zeros = strides, (outputs - inputs) // 2

    def __call__(self, x):
        if self.strides > 1:
            x = lax.avg_pool(x, self.strides)
        return mnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(self.zeros, self.zeros)])


class _Transition(nn.Module):
    """The unit that changes the shape: y1 = F(x2) + shortcut1(x1), y2 = G(y1) +
    shortcut2(x2). It is not undone in the backward pass; its argument is kept."""

    def __init__(self, function, inputs, outputs, strides, activate):
        self.f = function(inputs, outputs, strides, activate)
        self.g = function(outputs, outputs)
        self.shortcut1 = function.shortcut(inputs, outputs, strides)
        self.shortcut2 = function.shortcut(inputs, outputs, strides)

    def __call__(self, x):
        x1, x2 = x
        y1 = self.f(x2) + self.shortcut1(x1)
        return y1, self.g(y1) + self.shortcut2(x2)


class GomezRevNet(nn.Module):
    """A reversible residual network: [batch, height, width, 3] to logits
    [batch, classes].

    stem: a convolution, or for ImageNet one of 7x7 with stride 2 and a maximum over 3x3
    with stride 2, to `channels[0]`; stages of `units[i]` units with `channels[i + 1]`
    channels, the first with stride 1 in stage 0 and 2 in the others; norm, ReLU, average,
    linear layer. The first residual function of all has no norm and ReLU before.

    loops: runs of equal units are one loop each (`nn.Repeat`).
    """

    def __init__(self, bottleneck: bool, units: Sequence[int], channels: Sequence[int],
                 classes: int = 10, imagenet: bool = False, loops: bool = True):
        function = _Bottleneck if bottleneck else _Basic
        self.stem = _conv(3, channels[0], 7, 2) if imagenet else _conv(3, channels[0], 3)
        self.stem_norm = _norm(channels[0])
        self.stem_pool = nn.MaxPool(3, 2, padding="same") if imagenet else None
        self.stages = []
        for stage, count in enumerate(units):
            inputs, outputs = channels[stage] // 2, channels[stage + 1] // 2
            self.stages.append(
                self._stage(function, inputs, outputs, count, stage, loops))
        self.norm = _norm(channels[-1])
        self.head = nn.Linear(channels[-1], classes,
                              weight_init=nn.init.uniform(np.sqrt(3 / channels[-1])),
                              bias_init=nn.init.zeros)

    @staticmethod
    def _stage(function, inputs, outputs, count, stage, loops):
        strides = 1 if stage == 0 else 2

        def coupling(activate=True):
            return nn.Coupling(function(outputs, outputs, activate=activate),
                               function(outputs, outputs))

        first = (coupling(activate=stage > 0) if strides == 1 and inputs == outputs else
                 _Transition(function, inputs, outputs, strides, activate=stage > 0))
        return [first, *repeated((count - 1, coupling), loops)]

    def __call__(self, x):
        x = lax.relu(self.stem_norm(self.stem(x)))
        if self.stem_pool is not None:
            x = self.stem_pool(x)
        x = _Split()(x)
        for stage in self.stages:
            for unit in stage:
                x = unit(x)
        return self.head(nn.GlobalAvgPool()(lax.relu(self.norm(_Join()(x)))))


def gomez_revnet38(classes: int = 10, loops: bool = True) -> GomezRevNet:
    """RevNet-38: [batch, 32, 32, 3] to [batch, classes]; 464,890 parameters for 10 classes,
    475,060 for 100."""
    return GomezRevNet(False, (3, 3, 3), (32, 32, 64, 112), classes, loops=loops)


def gomez_revnet110(classes: int = 10, loops: bool = True) -> GomezRevNet:
    """RevNet-110: [batch, 32, 32, 3] to [batch, classes]; 1,729,194 parameters for 10
    classes, 1,740,804 for 100."""
    return GomezRevNet(False, (9, 9, 9), (32, 32, 64, 128), classes, loops=loops)


def gomez_revnet164(classes: int = 10, loops: bool = True) -> GomezRevNet:
    """RevNet-164, of bottlenecks: [batch, 32, 32, 3] to [batch, classes]; 1,748,778
    parameters for 10 classes, 1,794,948 for 100."""
    return GomezRevNet(True, (9, 9, 9), (32, 128, 256, 512), classes, loops=loops)


def revnet56(classes: int = 1000, loops: bool = True) -> GomezRevNet:
    """RevNet-56 for ImageNet, of bottlenecks: [batch, 224, 224, 3] to [batch, classes];
    27,553,128 parameters for 1000 classes."""
    return GomezRevNet(True, (2, 2, 3, 2), (128, 512, 1024, 2048, 3328), classes,
                       imagenet=True, loops=loops)


def revnet104(classes: int = 1000, loops: bool = True) -> GomezRevNet:
    """RevNet-104 for ImageNet, of bottlenecks: [batch, 224, 224, 3] to [batch, classes];
    45,428,072 parameters for 1000 classes."""
    return GomezRevNet(True, (2, 2, 11, 2), (128, 512, 1024, 2048, 3328), classes,
                       imagenet=True, loops=loops)
