# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Random numbers: functions of a seed that PyTorch's generator gives once a call, so that
`torch.manual_seed` makes them repeatable; they are not the numbers that PyTorch draws."""

import numpy as np
import torch

from ... import _dtypes, lax, numpy as mnp
from .layout import Tensor
from .pointwise import apply
from .table import accumulated, cast, full, rule

aten = torch.ops.aten


def _mask_is_read(node):
    return "the mask is read" if any(user.args[1] == 1 for user in node.users) else None


@rule(aten.native_dropout.default, refuse=_mask_is_read)
def _dropout(call, x, rate, train):
    if not train or rate == 0:
        return x, None
    dropped = lax.dropout(cast(x, accumulated(x.dtype)).stored, rate, *call.effects.key())
    return cast(x.like(dropped), x.dtype), None


def _drawn(call, shape, dtype, draw):
    """Numbers that `draw` gives, which are of 32 or 64 bits."""
    return cast(Tensor(draw(shape, *call.effects.key(), dtype=accumulated(dtype))), dtype)


@rule(aten.rand.default, aten.rand_like.default)
def _rand(call, *args, **options):
    return _drawn(call, call.shape, call.dtype, lax.random_uniform)


@rule(aten.randn.default, aten.randn_like.default)
def _randn(call, *args, **options):
    return _drawn(call, call.shape, call.dtype, lax.random_normal)


@rule(aten.uniform.default)
def _uniform(call, x, low=0.0, high=1.0, *, generator=None):
    numbers = _rand(call)
    return apply(lambda u: u * (high - low) + low, numbers)


@rule(aten.normal_functional.default)
def _normal(call, x, mean=0.0, std=1.0, *, generator=None):
    return apply(lambda u: u * std + mean, _randn(call))


@rule(aten.exponential.default)
def _exponential(call, x, lambd=1.0, *, generator=None):
    return apply(lambda u: -mnp.log1p(-u) * (1 / lambd), _rand(call))


@rule(aten.randint.default, aten.randint.low)
def _randint(call, low, high, *rest, **options):
    if not rest:  # randint(high, size)
        low, high = 0, low
    bits = Tensor(lax.random_bits(call.shape, *call.effects.key(), dtype=np.int64))
    # The bias of the remainder is below 2^-31 for ranges below 2^32, as PyTorch's.
    drawn = apply(lambda b: mnp.remainder(b, high - low) + low, bits)
    return cast(drawn, call.dtype)


@rule(aten.bernoulli.default, aten.bernoulli.p)
def _bernoulli(call, x, p=None, *, generator=None):
    wide = accumulated(x.dtype) if _dtypes.is_float(x.dtype) else np.dtype(np.float32)
    drawn = _drawn(call, call.shape, wide, lax.random_uniform)
    rate = cast(x, wide) if p is None else full((), p, wide)
    return cast(apply(lambda u, r: u < r, drawn, rate), call.dtype)
