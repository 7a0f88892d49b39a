# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Additive couplings (Dinh et al., NICE, 2014; Gomez et al., 2017)."""

import warnings
from typing import Optional

import torch
from torch import nn

from ._coupling import Coupling, describe


class AdditiveCoupling(Coupling):
    """Adds a function of one half to the other half, twice.

        y1 = x1 + Fm(x2)        x2 = y2 - Gm(y1)
        y2 = x2 + Gm(y1)        x1 = y1 - Fm(x2)

    `x` and `y` are tensors of one shape and any floating dtype, x1 and x2 the first
    and the second half of x along `split_dim`.

    Args:
        Fm, Gm: modules from a half to a tensor of its shape (or one that broadcasts
            to it). They may be any functions, the same module too. Without Gm it is
            a copy of Fm.
        implementation_fwd, implementation_bwd: deprecated. -1 is plain autograd; 0
            and 1 keep the input and evaluate Fm and Gm again in the backward pass of
            `forward` (fwd) and `inverse` (bwd).
        split_dim: the dimension that is split.

    Raises:
        ValueError: the size along split_dim is odd, or Fm or Gm return another shape.
        TypeError: Fm or Gm do not return a tensor.
        RuntimeError: Fm or Gm modify their input in place.
        NotImplementedError: when called with another implementation.
    """

    kind = "additive"
    #: How many tensors Fm and Gm return.
    num_parameters = 1

    def __init__(
        self,
        Fm: nn.Module,
        Gm: Optional[nn.Module] = None,
        implementation_fwd: int = -1,
        implementation_bwd: int = -1,
        split_dim: int = 1,
    ):
        super().__init__(Fm, Gm, implementation_fwd, implementation_bwd, split_dim)

    def _parameters_in(self, name, result):
        if not isinstance(result, torch.Tensor):
            raise TypeError(
                f"AdditiveCoupling expects {name} to return a tensor, but got {describe(result)}"
            )
        return [result]

    @staticmethod
    def _pull_back(before, after, parameters, gradient):
        return gradient, [gradient]

    @staticmethod
    def _pull_back_of_inverse(before, after, parameters, gradient):
        return gradient, [-gradient]


class AdditiveBlock(AdditiveCoupling):
    """Deprecated: use AdditiveCoupling in an InvertibleModuleWrapper."""

    def __init__(self, Fm, Gm=None, implementation_fwd=1, implementation_bwd=1):
        warnings.warn(
            "AdditiveBlock is deprecated: use AdditiveCoupling", DeprecationWarning, stacklevel=2
        )
        super().__init__(Fm, Gm, implementation_fwd, implementation_bwd)
