# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""MemCNN's ResNets and RevNets for images: pre-activation networks (He et al.,
Identity Mappings in Deep Residual Networks, 2016; Gomez et al., 2017).

Tensors are (batch, channels, height, width). Names of parameters and buffers are
those of MemCNN, so that its checkpoints load.
"""

import math
from typing import Optional, Sequence

import torch
from torch import nn

from .additive import AdditiveCoupling
from .revop import InvertibleModuleWrapper


def conv3x3(in_planes: int, out_planes: int, stride: int = 1) -> nn.Conv2d:
    """A 3x3 convolution with padding and without bias."""
    return nn.Conv2d(in_planes, out_planes, 3, stride, 1, bias=False)


def conv1x1(in_planes: int, out_planes: int, stride: int = 1) -> nn.Conv2d:
    """A 1x1 convolution without bias."""
    return nn.Conv2d(in_planes, out_planes, 1, stride, bias=False)


class BasicBlockSub(nn.Module):
    """The residual function BN ReLU conv3x3 BN ReLU conv3x3, `inplanes` to `planes`
    channels; without the first BN and ReLU if `noactivation`."""

    def __init__(self, inplanes, planes, stride=1, noactivation=False):
        super().__init__()
        self.noactivation = noactivation
        if not noactivation:
            self.bn1 = nn.BatchNorm2d(inplanes)
        self.conv1 = conv3x3(inplanes, planes, stride)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv2 = conv3x3(planes, planes)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        if not self.noactivation:
            x = self.relu(self.bn1(x))
        x = self.conv1(x)
        return self.conv2(self.relu(self.bn2(x)))


class BottleneckSub(nn.Module):
    """The residual function BN ReLU conv1x1 BN ReLU conv3x3 BN ReLU conv1x1, from
    `inplanes` channels through `planes` to 4 * `planes`; without the first BN and
    ReLU if `noactivation`."""

    def __init__(self, inplanes, planes, stride=1, noactivation=False):
        super().__init__()
        self.noactivation = noactivation
        if not noactivation:
            self.bn1 = nn.BatchNorm2d(inplanes)
        self.conv1 = conv1x1(inplanes, planes)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv2 = conv3x3(planes, planes, stride)
        self.bn3 = nn.BatchNorm2d(planes)
        self.conv3 = conv1x1(planes, 4 * planes)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        if not self.noactivation:
            x = self.relu(self.bn1(x))
        x = self.conv1(x)
        x = self.conv2(self.relu(self.bn2(x)))
        return self.conv3(self.relu(self.bn3(x)))


class _Residual(nn.Module):
    """y = f(x) + shortcut(x)."""

    def __init__(self, residual, downsample):
        super().__init__()
        setattr(self, self.name_of_residual, residual)
        self.downsample = downsample

    def forward(self, x):
        shortcut = x if self.downsample is None else self.downsample(x)
        return getattr(self, self.name_of_residual)(x) + shortcut


class BasicBlock(_Residual):
    """y = f(x) + shortcut(x) with a BasicBlockSub f; the shortcut is the module
    `downsample`, or the identity."""

    expansion = 1
    name_of_residual = "basicblock_sub"

    def __init__(self, inplanes, planes, stride=1, downsample=None, noactivation=False):
        super().__init__(BasicBlockSub(inplanes, planes, stride, noactivation), downsample)


class Bottleneck(_Residual):
    """y = f(x) + shortcut(x) with a BottleneckSub f."""

    expansion = 4
    name_of_residual = "bottleneck_sub"

    def __init__(self, inplanes, planes, stride=1, downsample=None, noactivation=False):
        super().__init__(BottleneckSub(inplanes, planes, stride, noactivation), downsample)


class _Reversible(_Residual):
    """An additive coupling of two functions of half the width; the residual block
    where width or size change."""

    def __init__(self, make, inplanes, planes, stride, downsample, noactivation):
        if downsample is None and stride == 1:
            nn.Module.__init__(self)
            self.downsample = None
            # G first: the order in which weights are drawn is MemCNN's.
            gm = make(inplanes // 2, planes // 2, 1, noactivation)
            fm = make(inplanes // 2, planes // 2, 1, noactivation)
            self.revblock = InvertibleModuleWrapper(AdditiveCoupling(fm, gm))
        else:
            super().__init__(make(inplanes, planes, stride, noactivation), downsample)

    def forward(self, x):
        return self.revblock(x) if hasattr(self, "revblock") else super().forward(x)


class RevBasicBlock(_Reversible):
    """The reversible BasicBlock."""

    expansion = 1
    name_of_residual = "basicblock_sub"

    def __init__(self, inplanes, planes, stride=1, downsample=None, noactivation=False):
        super().__init__(BasicBlockSub, inplanes, planes, stride, downsample, noactivation)


class RevBottleneck(_Reversible):
    """The reversible Bottleneck."""

    expansion = 4
    name_of_residual = "bottleneck_sub"

    def __init__(self, inplanes, planes, stride=1, downsample=None, noactivation=False):
        super().__init__(BottleneckSub, inplanes, planes, stride, downsample, noactivation)


class ResNet(nn.Module):
    """Stem, 3 or 4 stages of blocks, batch norm, ReLU, mean over the image, linear
    classifier.

    Args:
        block: BasicBlock, Bottleneck, RevBasicBlock or RevBottleneck.
        layers: the number of blocks of each stage.
        num_classes: the number of logits.
        channels_per_layer: channels of the stem, then of each stage (of the inside of
            a bottleneck, whose outside has 4 times as many). By default 64, and 64,
            128, 256, ...
        strides: of the stem, then of each stage's first block. By default 2.
        init_max_pool: a 3x3 max pooling of stride 2 after the stem.
        init_kernel_size: of the stem's convolution.
        batch_norm_fix: eps = 0.001 and momentum = 0.99 in each batch norm, as MemCNN
            sets them; PyTorch's defaults otherwise.
        implementation: accepted for MemCNN's sake, which does not read it either.

    Raises ValueError if the lengths of the lists do not fit.
    """

    def __init__(
        self,
        block,
        layers: Sequence[int],
        num_classes: int = 1000,
        channels_per_layer: Optional[Sequence[int]] = None,
        strides: Optional[Sequence[int]] = None,
        init_max_pool: bool = False,
        init_kernel_size: int = 7,
        batch_norm_fix: bool = True,
        implementation: int = 0,
    ):
        super().__init__()
        if len(layers) not in (3, 4):
            raise ValueError(f"layers expects 3 or 4 stages, but got {len(layers)}")
        if channels_per_layer is None:
            channels_per_layer = [64, *(64 << i for i in range(len(layers)))]
        if strides is None:
            strides = [2] * (len(layers) + 1)
        for name, values in (("channels_per_layer", channels_per_layer), ("strides", strides)):
            if len(values) != len(layers) + 1:
                raise ValueError(
                    f"{name} expects {len(layers) + 1} values, one for the stem and one for each "
                    f"stage, but got {len(values)}"
                )
        self.implementation = implementation
        self.inplanes = channels_per_layer[0]
        self.conv1 = nn.Conv2d(
            3, self.inplanes, init_kernel_size, strides[0], init_kernel_size // 2, bias=False
        )
        self.bn1 = nn.BatchNorm2d(self.inplanes)
        self.relu = nn.ReLU()
        if init_max_pool:
            self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.has_4_layers = len(layers) == 4
        self._stages = [f"layer{i + 1}" for i in range(len(layers))]
        for i, name in enumerate(self._stages):
            stage = self._make_layer(block, channels_per_layer[i + 1], layers[i], strides[i + 1], not i)
            setattr(self, name, stage)
        self.bn_final = nn.BatchNorm2d(self.inplanes)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(self.inplanes, num_classes)
        self.init_max_pool = init_max_pool
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                fan_out = math.prod(module.kernel_size) * module.out_channels
                nn.init.normal_(module.weight, 0, math.sqrt(2 / fan_out))
            elif isinstance(module, nn.BatchNorm2d) and batch_norm_fix:
                module.momentum, module.eps = 0.99, 0.001

    def _make_layer(self, block, planes, blocks, stride, is_first):
        width = planes * block.expansion
        downsample = None
        if stride != 1 or self.inplanes != width:
            downsample = nn.Sequential(
                conv1x1(self.inplanes, width, stride), nn.BatchNorm2d(width)
            )
        # The stem ends in an activation, so the first block begins without one.
        layers = [block(self.inplanes, planes, stride, downsample, is_first)]
        layers += [block(width, planes) for _ in range(1, blocks)]
        self.inplanes = width
        return nn.Sequential(*layers)

    def forward(self, x):
        """Logits (batch, num_classes) of images (batch, 3, height, width)."""
        x = self.relu(self.bn1(self.conv1(x)))
        if self.init_max_pool:
            x = self.maxpool(x)
        for name in self._stages:
            x = getattr(self, name)(x)
        x = self.relu(self.bn_final(x))
        return self.fc(torch.flatten(self.avgpool(x), 1))
