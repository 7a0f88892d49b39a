# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Attention."""

import math

import numpy as np

from .. import lax
from .. import numpy as mnp
from .dropout import Dropout
from .linear import Linear
from .module import Module

__all__ = ["MultiHeadAttention", "attention"]


def attention(query, key, value, causal: bool = False, mask=None):
    """softmax(query key^T / sqrt(features)) value for each head: Vaswani et al.
    (arXiv 1706.03762, equation 1).

    query [batch, to, heads, features], key [batch, from, heads, features], value
    [batch, from, heads, outputs]; the result is [batch, to, heads, outputs]. `mask`, of
    booleans, broadcasts to [batch, heads, to, from] and is true where a position is
    attended; each row needs one that is. With `causal` position i attends those up to i,
    counted from the end if there are more keys than queries; fewer raise ValueError, as
    the first queries would attend none.
    """
    scores = mnp.einsum("bthd,bshd->bhts", query * (1 / math.sqrt(query.shape[-1])), key)
    if causal:
        to, past = scores.shape[-2:]
        if past < to:
            raise ValueError(f"attention expects at least as many keys as queries if it is "
                             f"causal, but got {past} keys and {to} queries")
        triangle = np.tri(to, past, past - to, dtype=bool)
        mask = triangle if mask is None else mnp.logical_and(mask, triangle)
    if mask is not None:
        scores = mnp.where(mask, scores, -math.inf)
    return mnp.einsum("bhts,bshd->bthd", lax.softmax(scores), value)


class MultiHeadAttention(Module):
    """Attention of several heads between linear maps (arXiv 1706.03762, section 3.2.2):
    [batch, to, features] and, if given, [batch, from, features] to attend, by default
    the first itself, to [batch, to, features].

    Submodules: `query`, `key`, `value` and `output`, all `Linear`. `dropout` is the rate
    at which results are dropped in training. Raises ValueError if `features` is no
    multiple of `heads`.
    """

    def __init__(self, features: int, heads: int, causal: bool = False, bias: bool = True,
                 dropout: float = 0.0, **linear):
        if features % heads:
            raise ValueError(f"MultiHeadAttention expects a multiple of {heads} features, but "
                             f"got {features}")
        self.heads, self.causal = heads, causal
        self.query = Linear(features, features, bias, **linear)
        self.key = Linear(features, features, bias, **linear)
        self.value = Linear(features, features, bias, **linear)
        self.output = Linear(features, features, bias, **linear)
        self.dropout = Dropout(dropout)

    def __call__(self, x, attended=None, mask=None):
        attended = x if attended is None else attended

        def split(y):
            return y.reshape(*y.shape[:-1], self.heads, y.shape[-1] // self.heads)

        y = attention(split(self.query(x)), split(self.key(attended)),
                      split(self.value(attended)), self.causal, mask)
        return self.dropout(self.output(y.reshape(x.shape)))
