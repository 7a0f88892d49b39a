# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Activations as modules. The functions are `memrev.lax`'s and `memrev.numpy`'s."""

from .. import lax
from .. import numpy as mnp
from .module import Module

__all__ = ["ELU", "GELU", "LeakyReLU", "ReLU", "Sigmoid", "SiLU", "Softmax", "Softplus", "Tanh"]


class ReLU(Module):
    """max(x, 0)."""

    def __call__(self, x):
        return lax.relu(x)


class LeakyReLU(Module):
    """x where it is positive, else slope x."""

    def __init__(self, slope: float = 0.01):
        self.slope = slope

    def __call__(self, x):
        return lax.leaky_relu(x, self.slope)


class ELU(Module):
    """x where it is positive, else alpha (exp(x) - 1) (arXiv 1511.07289)."""

    def __init__(self, alpha: float = 1.0):
        self.alpha = alpha

    def __call__(self, x):
        return lax.elu(x, self.alpha)


class GELU(Module):
    """x times the distribution function of the normal distribution (arXiv 1606.08415), or
    with `approximate` its formula with tanh."""

    def __init__(self, approximate: bool = False):
        self.approximate = approximate

    def __call__(self, x):
        return lax.gelu(x, self.approximate)


class SiLU(Module):
    """x sigmoid(x) (arXiv 1710.05941)."""

    def __call__(self, x):
        return lax.silu(x)


class Sigmoid(Module):
    """1 / (1 + exp(-x))."""

    def __call__(self, x):
        return lax.sigmoid(x)


class Tanh(Module):
    """tanh(x)."""

    def __call__(self, x):
        return mnp.tanh(x)


class Softplus(Module):
    """log(1 + exp(x))."""

    def __call__(self, x):
        return lax.softplus(x)


class Softmax(Module):
    """exp(x) / sum of exp(x) along `axis`."""

    def __init__(self, axis: int = -1):
        self.axis = axis

    def __call__(self, x):
        return lax.softmax(x, self.axis)
