# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Affine couplings (Dinh et al., Density estimation using Real NVP, 2017)."""

import copy
import warnings
from typing import Callable, Optional

import torch
from torch import nn

from ._coupling import Coupling, describe


class AffineAdapterNaive(nn.Module):
    """Makes (scale, shift) of what `module` returns: scale = exp(t), shift = t.

    The scale is not bounded: chains of such couplings are hard to invert numerically.
    """

    def __init__(self, module: nn.Module):
        super().__init__()
        self.f = module

    def forward(self, x):
        t = self.f(x)
        return torch.exp(t), t


class AffineAdapterSigmoid(nn.Module):
    """Makes (scale, shift) of what `module` returns, which has twice the channels.

    Along dimension 1, scale = sigmoid(odd channels + 2), shift = even channels
    (Kingma and Dhariwal, Glow, 2018). The scale is between 0 and 1.

    Raises ValueError if the number of channels is odd.
    """

    def __init__(self, module: nn.Module):
        super().__init__()
        self.f = module

    def forward(self, x):
        h = self.f(x)
        if h.shape[1] % 2:
            raise ValueError(
                f"AffineAdapterSigmoid expects an even number of channels, but got {h.shape[1]}"
            )
        return torch.sigmoid(h[:, 1::2] + 2.0), h[:, 0::2]


class AffineCoupling(Coupling):
    """Scales and shifts each half by a function of the other half.

        s1, t1 = Fm(x2);  y1 = x1 * s1 + t1        s2, t2 = Gm(y1);  x2 = (y2 - t2) / s2
        s2, t2 = Gm(y1);  y2 = x2 * s2 + t2        s1, t1 = Fm(x2);  x1 = (y1 - t1) / s1

    `x` and `y` are tensors of one shape and any floating dtype, x1 and x2 the first
    and the second half of x along `split_dim`. Nothing keeps a scale away from zero:
    choose an adapter that does.

    Args:
        Fm, Gm: modules from a half to a pair (scale, shift) of tensors of its shape
            (or ones that broadcast to it), or with an `adapter` to what the adapter
            takes. Without Gm it is a copy of Fm.
        adapter: a class or function that makes of a module one that returns such
            pairs: AffineAdapterNaive, AffineAdapterSigmoid or your own.
        implementation_fwd, implementation_bwd, split_dim: as in AdditiveCoupling.

    Raises: what AdditiveCoupling does, and TypeError if no pair is returned.
    """

    kind = "affine"
    #: How many tensors Fm and Gm return.
    num_parameters = 2

    def __init__(
        self,
        Fm: nn.Module,
        Gm: Optional[nn.Module] = None,
        adapter: Optional[Callable[[nn.Module], nn.Module]] = None,
        implementation_fwd: int = -1,
        implementation_bwd: int = -1,
        split_dim: int = 1,
    ):
        if adapter is not None:
            Gm = adapter(copy.deepcopy(Fm) if Gm is None else Gm)
            Fm = adapter(Fm)
        super().__init__(Fm, Gm, implementation_fwd, implementation_bwd, split_dim)

    def _parameters_in(self, name, result):
        # A tensor of batch size 2 would unpack too.
        if (
            not isinstance(result, (tuple, list))
            or len(result) != 2
            or not all(isinstance(value, torch.Tensor) for value in result)
        ):
            raise TypeError(
                f"AffineCoupling expects {name} to return a pair (scale, shift) of tensors, but "
                f"got {describe(result)}; an adapter makes a pair of one tensor"
            )
        return list(result)

    @staticmethod
    def _pull_back(before, after, parameters, gradient):
        scale, _ = parameters
        return gradient * scale, [gradient * before, gradient]

    @staticmethod
    def _pull_back_of_inverse(before, after, parameters, gradient):
        scale, _ = parameters
        shifted = gradient / scale
        return shifted, [-shifted * after, -shifted]


class AffineBlock(AffineCoupling):
    """Deprecated: use AffineCoupling in an InvertibleModuleWrapper."""

    def __init__(self, Fm, Gm=None, implementation_fwd=1, implementation_bwd=1):
        warnings.warn(
            "AffineBlock is deprecated: use AffineCoupling", DeprecationWarning, stacklevel=2
        )
        super().__init__(Fm, Gm, None, implementation_fwd, implementation_bwd)
