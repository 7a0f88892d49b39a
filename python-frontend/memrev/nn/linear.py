# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Layers that are a matrix: Linear and Embedding."""

import math

from .. import numpy as mnp
from . import init
from .module import Module, Parameter

__all__ = ["Embedding", "Linear"]


class Linear(Module):
    """y = x weight + bias over the last dimension: [..., inputs] to [..., outputs].

    Parameters: `weight` [inputs, outputs], `bias` [outputs]. By default both are drawn
    from a uniform distribution in +- 1 / sqrt(inputs), as PyTorch does.
    """

    def __init__(self, inputs: int, outputs: int, bias: bool = True,
                 weight_init=init.he_uniform(gain=1 / 3), bias_init=None):
        self.inputs, self.outputs = inputs, outputs
        self.weight = Parameter((inputs, outputs), weight_init)
        self.has_bias = bias
        if bias:
            self.bias = Parameter((outputs,),
                                  bias_init or init.uniform(1 / math.sqrt(inputs)))

    def __call__(self, x):
        if x.shape[-1] != self.inputs:
            raise ValueError(f"Linear expects {self.inputs} features in the last dimension, "
                             f"but got shape {list(x.shape)}")
        y = mnp.matmul(x, self.weight)
        return y + self.bias if self.has_bias else y


class Embedding(Module):
    """Looks up rows of a table: integers [...] to [..., features].

    Parameter: `weight` [count, features], by default of normal distribution. Integers
    have to be in [0, count); outside of it the result is undefined.
    """

    def __init__(self, count: int, features: int, weight_init=init.normal()):
        self.weight = Parameter((count, features), weight_init)

    def __call__(self, x):
        return mnp.take(self.weight, x, axis=0)

    def attend(self, x):
        """x weight^T: features [..., features] to a score of each row, [..., count]; the
        last layer of a language model that shares its table (arXiv 1608.05859)."""
        return mnp.matmul(x, self.weight.T)
