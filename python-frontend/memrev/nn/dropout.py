# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Dropout."""

from .. import lax
from .module import Module

__all__ = ["Dropout"]


class Dropout(Module):
    """Sets elements to zero with probability `rate` in training, and divides the others
    by 1 - rate: Srivastava et al., Dropout (JMLR 15, 2014). Else it is the identity.

    Which elements is a function of apply's `rng`, a pair (seed, step), and of the place
    of the call: a backward pass computes it again, a loop's iterations differ. Raises
    ValueError if `rate` is not in [0, 1], or in training without `rng`.
    """

    def __init__(self, rate: float):
        if not 0 <= rate <= 1:
            raise ValueError(f"Dropout expects a rate in [0, 1], but got {rate}")
        self.rate = rate

    def __call__(self, x):
        if not self.training or self.rate == 0:
            return x
        seed, step, layer = self.random_key()
        return lax.dropout(x, self.rate, seed, layer, step)
