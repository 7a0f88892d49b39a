# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Products of matrices, and attention.

A dimension has a letter, as in einsum, and operands are read in the order in which they
are stored, so that a product does not transpose them.
"""

import math

import numpy as np
import torch

from ... import _array, _dtypes, lax, numpy as mnp
from ..._transforms import stop_gradient
from .layout import Tensor
from .pointwise import apply
from .table import accumulated, cast, rule

aten = torch.ops.aten

_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def contracted(inputs, tensors, result, order=None):
    """The sum of products of tensors. `inputs` and `result` have a letter for each
    dimension; the result is stored in `order`, PyTorch's by default."""
    order = tuple(range(len(result))) if order is None else tuple(order)
    dtype = tensors[0].dtype
    wide = accumulated(dtype)
    stored = ["".join(names[d] for d in t.order) for names, t in zip(inputs, tensors)]
    array = mnp.einsum(f"{','.join(stored)}->{''.join(result[d] for d in order)}",
                       *(cast(t, wide).stored for t in tensors))
    return cast(Tensor(array, order), dtype)


@rule(aten.mm.default, aten.bmm.default, aten.mv.default, aten.dot.default, aten.vdot.default,
      aten.matmul.default)
def matmul(call, x, y):
    """The product over the last dimension of x and the last but one of y, or its only
    one; those before them broadcast."""
    if x.ndim == 1 or y.ndim == 1:
        left = _LETTERS[2:x.ndim + 1] + "a"
        right = "a" if y.ndim == 1 else _LETTERS[2:y.ndim] + "ab"
        return contracted((left, right), (x, y), left[:-1] + right.replace("a", ""))
    count = max(x.ndim, y.ndim) - 2
    batch = _LETTERS[3:3 + count]
    labels, operands = [], []
    for t, other, rest in ((x, y, "ab"), (y, x, "bc")):
        # What a dimension of extent 1 is repeated for is a free dimension of the other one.
        extents, others = ((1,) * (count + 2 - u.ndim) + u.shape for u in (t, other))
        kept = [d for d in range(count) if extents[d] != 1 or others[d] == 1]
        labels.append("".join(batch[d] for d in kept) + rest)
        operands.append(t.reshaped([extents[d] for d in kept] + list(t.shape[-2:])))
    shared = labels[0][:-2]
    order = None
    if shared == batch:
        order = operands[0].order
    return contracted(labels, operands, batch + "ac", order)


@rule(aten.linear.default)
def _linear(call, x, w, bias=None):
    if w.ndim == 1:
        y = matmul(call, x, w)
    else:
        names = _LETTERS[2:x.ndim + 1]
        y = contracted((names + "a", "ba"), (x, w), names + "b", x.order)
    return y if bias is None else apply(mnp.add, y, bias)


def _plus_product(start, product, beta, alpha):
    if alpha != 1:
        product = product.like(product.stored * alpha)
    # PyTorch does not read what it multiplies by zero.
    if beta == 0:
        return product
    start = start if beta == 1 else start.like(start.stored * beta)
    return apply(mnp.add, product, start)


@rule(aten.addmm.default, aten.addmv.default, aten.baddbmm.default)
def _addmm(call, start, x, y, *, beta=1, alpha=1):
    return _plus_product(start, matmul(call, x, y), beta, alpha)


@rule(aten.addbmm.default)
def _addbmm(call, start, x, y, *, beta=1, alpha=1):
    return _plus_product(start, contracted(("zab", "zbc"), (x, y), "ac"), beta, alpha)


@rule(aten.addr.default)
def _addr(call, start, x, y, *, beta=1, alpha=1):
    return _plus_product(start, contracted("ab", (x, y), "ab"), beta, alpha)


@rule(aten.linalg_cross.default)
def _cross(call, x, y, *, dim=-1):
    ndim = len(call.shape)
    x, y = (t.extended(ndim) for t in (x, y))

    def rolled(t, shift):
        return t.like(mnp.roll(t.stored, shift, t.place(dim)))

    return apply(lambda a, b, c, d: a * b - c * d, rolled(x, -1), rolled(y, 1), rolled(x, 1),
                 rolled(y, -1))


@rule(aten._trilinear.default)
def _trilinear(call, x, y, z, expand_x, expand_y, expand_z, sums, unroll=1):
    """The sum over some dimensions of the product of three tensors, in which others are
    repeated along dimensions that they lack."""
    names = _LETTERS[:x.ndim + len(expand_x)]
    inputs = ["".join(c for d, c in enumerate(names) if d not in lacking)
              for lacking in (expand_x, expand_y, expand_z)]
    return contracted(inputs, (x, y, z), "".join(c for d, c in enumerate(names) if d not in sums))


@rule(aten.einsum.default)
def _einsum(call, equation, operands, *, path=None):
    inputs, arrow, result = equation.replace(" ", "").partition("->")
    inputs = inputs.split(",")
    free = [c for c in _LETTERS if c not in equation]
    count = max((x.ndim - len(names) + 3 for names, x in zip(inputs, operands) if "." in names),
                default=0)
    dots = "".join(free[:count])

    def spelled(names, number):
        return names.replace("...", dots[count - number:])

    inputs = [spelled(names, x.ndim - len(names) + 3) for names, x in zip(inputs, operands)]
    if arrow:
        result = spelled(result, count)
    else:
        joined = "".join(inputs).translate(dict.fromkeys(map(ord, dots)))
        result = dots + "".join(sorted(c for c in set(joined) if joined.count(c) == 1))
    extents = {}
    for names, x in zip(inputs, operands):
        for c, n in zip(names, x.shape):
            extents[c] = max(extents.get(c, 1), n)
    # A dimension of extent 1 is repeated where another operand has more.
    kept = [[i for i, c in enumerate(names) if x.shape[i] == extents[c]]
            for names, x in zip(inputs, operands)]
    operands = [cast(x, call.dtype).reshaped([x.shape[i] for i in places])
                for x, places in zip(operands, kept)]
    inputs = ["".join(names[i] for i in places) for names, places in zip(inputs, kept)]
    return contracted(inputs, operands, result)


# ------------------------------------------------------------------------------
# Attention
# ------------------------------------------------------------------------------


def _softmax_of_some(scores):
    """Softmax over the last dimension, zero for a row in which all scores are -inf."""
    top = mnp.max(stop_gradient(scores), -1, keepdims=True)
    powers = mnp.exp(scores - mnp.where(top == -np.inf, 0.0, top))
    total = mnp.sum(powers, -1, keepdims=True)
    return powers / mnp.where(total == 0, 1.0, total)


@rule(aten.scaled_dot_product_attention.default)
def _attention(call, query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, *,
               scale=None, enable_gqa=False):
    """softmax(query key^T scale + mask) value over the last two dimensions: Vaswani et al.
    (arXiv 1706.03762, equation 1)."""
    wide = accumulated(call.dtype)
    query, key, value = (cast(t, wide) for t in (query, key, value))
    if enable_gqa:
        # A head of keys and values serves several heads of queries.
        heads = query.shape[-3]
        key, value = (t.like(mnp.repeat(t.stored, heads // t.shape[-3], t.place(-3)))
                      for t in (key, value))
    factor = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    names = _LETTERS[4:query.ndim + 2]
    query = query.like(query.stored * factor)
    scores = contracted((names + "ac", names + "bc"), (query, key), names + "ab").stored
    if is_causal:
        rows, columns = scores.shape[-2:]
        scores = mnp.where(np.tri(rows, columns, dtype=bool), scores, -np.inf)
    if attn_mask is None:
        weights = lax.softmax(scores)
    else:
        mask = attn_mask.array
        if _dtypes.is_bool(mask.dtype):
            scores = mnp.where(mask, scores, -np.inf)
        else:
            scores = scores + _array.cast(mask, wide)
        weights = _softmax_of_some(scores)
    if dropout_p > 0:
        weights = lax.dropout(weights, dropout_p, *call.effects.key())
    result = contracted((names + "ab", names + "bd"), (Tensor(weights), value), names + "ad",
                        query.order)
    return cast(result, call.dtype)
