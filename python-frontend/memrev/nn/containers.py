# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Modules made of modules."""

from .module import Module

__all__ = ["Flatten", "Sequential"]


class Sequential(Module):
    """Calls its parts one after the other. Parts are modules or functions; the
    parameters of part i are `params["layers"][i]`."""

    def __init__(self, *layers):
        self.layers = list(layers)

    def __call__(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


class Flatten(Module):
    """[batch, ...] to [batch, features]."""

    def __call__(self, x):
        return x.reshape(x.shape[0], -1)
