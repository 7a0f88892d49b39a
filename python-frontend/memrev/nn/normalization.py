# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Layers that normalise."""

import math
from typing import Sequence, Union

from .. import lax
from .. import numpy as mnp
from . import init
from .module import Module, Parameter, State

__all__ = ["BatchNorm", "GroupNorm", "LayerNorm", "RMSNorm"]


def _check_features(layer, x, features):
    shape = tuple(x.shape[x.ndim - len(features):])
    if shape != features:
        raise ValueError(f"{type(layer).__name__} expects {list(features)} as last dimensions, "
                         f"but got shape {list(x.shape)}")


class BatchNorm(Module):
    """Normalises each channel, the last dimension, over all others: Ioffe and Szegedy
    (arXiv 1502.03167).

    In training by the statistics of the batch, which the running ones approach,
    running + momentum (batch - running), once for each call; else by the running ones.
    As in PyTorch the batch is divided by its biased variance; the running variance is
    the unbiased one unless `unbiased` is False.

    Parameters: `scale` [features] of ones, `offset` [features] of zeros. States: `mean`
    [features] of zeros, `variance` [features] of ones. Raises ValueError in training if
    a channel has one value only.
    """

    def __init__(self, features: int, momentum: float = 0.1, epsilon: float = 1e-5,
                 unbiased: bool = True):
        self.features = features
        self.momentum, self.epsilon, self.unbiased = momentum, epsilon, unbiased
        self.scale = Parameter((features,), init.ones)
        self.offset = Parameter((features,), init.zeros)
        self.mean = State((features,), init.zeros)
        self.variance = State((features,), init.ones)

    def __call__(self, x):
        _check_features(self, x, (self.features,))
        if not self.training:
            return lax.batch_norm_inference(x, self.scale, self.offset, self.mean,
                                            self.variance, self.epsilon)
        count = math.prod(x.shape[:-1])
        if count < 2:
            raise ValueError("BatchNorm expects more than one value of each channel in "
                             f"training, but got shape {list(x.shape)}")
        y, mean, variance = lax.batch_norm(x, self.scale, self.offset, self.epsilon)
        factor = count / (count - 1) if self.unbiased else 1.0
        momentum = self.momentum

        def approach(running, statistic):
            return lax.running_average(running, statistic, momentum)

        self.update("mean", approach, mean)
        self.update("variance", lambda running, found: approach(running, found * factor),
                    variance)
        return y


def _normalize(x, axes, epsilon):
    """x minus its mean, divided by its standard deviation, over `axes`."""
    centered = x - mnp.mean(x, axis=axes, keepdims=True)
    variance = mnp.mean(centered * centered, axis=axes, keepdims=True)
    return centered / mnp.sqrt(variance + epsilon)


class LayerNorm(Module):
    """Normalises each sample over the last dimensions: Ba, Kiros, Hinton
    (arXiv 1607.06450).

    Parameters: `scale` of ones and `offset` of zeros, both of shape `features`, which is
    an integer or the extents of several dimensions.
    """

    def __init__(self, features: Union[int, Sequence[int]], epsilon: float = 1e-5):
        self.features = (features,) if isinstance(features, int) else tuple(features)
        self.epsilon = epsilon
        self.scale = Parameter(self.features, init.ones)
        self.offset = Parameter(self.features, init.zeros)

    def __call__(self, x):
        _check_features(self, x, self.features)
        axes = tuple(range(x.ndim - len(self.features), x.ndim))
        return _normalize(x, axes, self.epsilon) * self.scale + self.offset


class RMSNorm(Module):
    """Divides each sample by its root mean square over the last dimension: Zhang and
    Sennrich (arXiv 1910.07467).

    Parameter: `scale` [features] of ones.
    """

    def __init__(self, features: int, epsilon: float = 1e-6):
        self.features, self.epsilon = features, epsilon
        self.scale = Parameter((features,), init.ones)

    def __call__(self, x):
        _check_features(self, x, (self.features,))
        square = mnp.mean(x * x, axis=-1, keepdims=True)
        return x / mnp.sqrt(square + self.epsilon) * self.scale


class GroupNorm(Module):
    """Normalises each group of channels of each sample over all dimensions but the
    first: Wu and He (arXiv 1803.08494). [batch, ..., features], channels last.

    Parameters: `scale` [features] of ones, `offset` [features] of zeros. Raises
    ValueError if `features` is no multiple of `groups`.
    """

    def __init__(self, groups: int, features: int, epsilon: float = 1e-5):
        if features % groups:
            raise ValueError(f"GroupNorm expects a multiple of {groups} features, but got "
                             f"{features}")
        self.groups, self.features, self.epsilon = groups, features, epsilon
        self.scale = Parameter((features,), init.ones)
        self.offset = Parameter((features,), init.zeros)

    def __call__(self, x):
        _check_features(self, x, (self.features,))
        grouped = x.reshape(*x.shape[:-1], self.groups, self.features // self.groups)
        axes = (*range(1, x.ndim - 1), x.ndim)
        y = _normalize(grouped, axes, self.epsilon).reshape(x.shape)
        return y * self.scale + self.offset
