# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Products of matrices and tensors."""

import functools
import math
import numbers

from .. import _dtypes
from .._array import (
    as_array, broadcast_shapes, broadcast_to, cast, emit1, filled, reshape, transpose,
)
from ._elements import multiply
from ._publish import publish
from ._reductions import sum
from ._shapes import diagonal, ravel


def _contract(subscripts, x, y):
    """einsum of two operands whose labels each occur once in an operand."""
    left, right, out = subscripts
    labels = list(dict.fromkeys(left + right))
    if len(labels) == len(out):
        return multiply(_aligned(left, x, out), _aligned(right, y, out))
    dims = ", ".join(f"d{i}" for i in range(len(labels)))

    def map_of(used):
        return (f"affine_map<({dims}) -> "
                f"({', '.join(f'd{labels.index(c)}' for c in used)})>")

    extents = dict(zip(left + right, x.shape + y.shape))
    shape = [extents[c] for c in out]
    maps = ", ".join(map(map_of, (left, right, out)))
    return emit1(f"linalg.contract indexing_maps = [{maps}] "
                 "ins({0}, {1} : {t[0]}, {t[1]}) outs({2} : {t[2]}) -> {r[0]}",
                 [x, y, filled(shape, 0, x.dtype)], shape, x.dtype)


def _aligned(labels, x, out):
    """`x` with a dimension for each label of `out`, of extent 1 where it has none."""
    present = [c for c in out if c in labels]
    x = transpose(x, [labels.index(c) for c in present])
    extents = iter(x.shape)
    return reshape(x, [next(extents) if c in labels else 1 for c in out])


def _product(name, x, y, shape):
    return emit1(f"{name} ins({{0}}, {{1}} : {{t[0]}}, {{t[1]}}) outs({{2}} : {{t[2]}}) "
                 "-> {r[0]}", [x, y, filled(shape, 0, x.dtype)], shape, x.dtype)


def _same_type(x, y):
    x, y = as_array(x), as_array(y)
    dtype = _dtypes.promote(x.dtype, y.dtype)
    return cast(x, dtype), cast(y, dtype)


@publish
def matmul(x, y):
    """The matrix product over the last two dimensions; those before broadcast. An
    operand of one dimension is a row on the left and a column on the right."""
    x, y = _same_type(x, y)
    if not x.ndim or not y.ndim:
        raise ValueError("matmul expects at least one dimension, but got shapes "
                         f"{list(x.shape)} and {list(y.shape)}")
    inner = y.shape[0] if y.ndim == 1 else y.shape[-2]
    if x.shape[-1] != inner:
        raise ValueError(
            f"matmul expects a second array with {x.shape[-1]} rows for a first of shape "
            f"{list(x.shape)}, but got shape {list(y.shape)}")
    if x.ndim == 1 or y.ndim == 1:
        rows = reshape(x, [1, *x.shape]) if x.ndim == 1 else x
        columns = reshape(y, [*y.shape, 1]) if y.ndim == 1 else y
        result = matmul(rows, columns)
        shape = list(result.shape)
        if y.ndim == 1:
            shape.pop()
        if x.ndim == 1:
            shape.pop(-1 if y.ndim == 1 else -2)
        return reshape(result, shape)
    m, k, n = x.shape[-2], x.shape[-1], y.shape[-1]
    if x.ndim == 2 and y.ndim == 2:
        return _product("linalg.matmul", x, y, (m, n))
    if y.ndim == 2:
        flat = _product("linalg.matmul", reshape(x, [-1, k]) if x.size else reshape(
            x, [math.prod(x.shape[:-1]), k]), y, (math.prod(x.shape[:-1]), n))
        return reshape(flat, [*x.shape[:-1], n])
    batch = broadcast_shapes(x.shape[:-2], y.shape[:-2])
    count = math.prod(batch)
    x = reshape(broadcast_to(x, (*batch, m, k)), [count, m, k])
    y = reshape(broadcast_to(y, (*batch, k, n)), [count, k, n])
    return reshape(_product("linalg.batch_matmul", x, y, (count, m, n)), [*batch, m, n])


@publish
def dot(x, y):
    x, y = _same_type(x, y)
    if not x.ndim or not y.ndim:
        return multiply(x, y)
    if y.ndim <= 2:
        return matmul(x, y)
    return tensordot(x, y, axes=([-1], [-2]))


@publish
def vdot(x, y):
    return matmul(ravel(as_array(x)), ravel(as_array(y)))


@publish
def inner(x, y):
    x, y = _same_type(x, y)
    return multiply(x, y) if not (x.ndim and y.ndim) else tensordot(x, y, axes=([-1], [-1]))


@publish
def outer(x, y):
    return multiply(reshape(as_array(x), [-1, 1]), reshape(as_array(y), [1, -1]))


@publish
def tensordot(x, y, axes=2):
    x, y = _same_type(x, y)
    if isinstance(axes, numbers.Integral):
        axes = (list(range(x.ndim - axes, x.ndim)), list(range(axes)))
    left, right = ([a] if isinstance(a, numbers.Integral) else list(a) for a in axes)
    letters = iter("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
    first = [next(letters) for _ in range(x.ndim)]
    second = [next(letters) for _ in range(y.ndim)]
    if len(left) != len(right):
        raise ValueError(f"tensordot expects as many axes of both arrays, but got {axes}")
    for a, b in zip(left, right):
        if x.shape[a] != y.shape[b]:
            raise ValueError("tensordot expects equal extents to contract, but got "
                             f"{x.shape[a]} and {y.shape[b]}")
        second[b] = first[a]
    out = [c for c in first if c not in second] + [c for c in second if c not in first]
    return einsum(f"{''.join(first)},{''.join(second)}->{''.join(out)}", x, y)


@publish
def einsum(subscripts, *operands):
    """Einstein's summation. Three and more operands are contracted from left to right.

    Raises ValueError if the subscripts do not fit the shapes. "..." is not there.
    """
    text = subscripts.replace(" ", "")
    if "." in text:
        raise ValueError(f"einsum expects subscripts of letters, but got '{subscripts}'")
    inputs, arrow, out = text.partition("->")
    inputs = inputs.split(",")
    if not arrow:
        joined = "".join(inputs)
        out = "".join(sorted(c for c in set(joined) if joined.count(c) == 1))
    if len(inputs) != len(operands):
        raise ValueError(f"einsum expects {len(inputs)} arrays for '{subscripts}', but got "
                         f"{len(operands)}")
    dtype = functools.reduce(_dtypes.promote, (as_array(x).dtype for x in operands))
    arrays = [cast(as_array(x), dtype) for x in operands]
    extents = {}
    for labels, x in zip(inputs, arrays):
        if len(labels) != x.ndim:
            raise ValueError(f"einsum expects {len(labels)} dimensions for '{labels}', but got "
                             f"shape {list(x.shape)}")
        for c, n in zip(labels, x.shape):
            if extents.setdefault(c, n) != n:
                raise ValueError(f"einsum expects one extent for '{c}', but got {extents[c]} "
                                 f"and {n}")
    unknown = [c for c in out if c not in extents]
    if unknown or len(set(out)) != len(out):
        raise ValueError(f"einsum expects each label of the result once and in an operand, but "
                         f"got '{subscripts}'")
    labels, x = _prepare(inputs[0], arrays[0], set("".join(inputs[1:]) + out))
    for i in range(1, len(arrays)):
        rest = set("".join(inputs[i + 1:]) + out)
        right, y = _prepare(inputs[i], arrays[i], rest | set(labels))
        labels, x = _prepare(labels, x, rest | set(right))
        kept = [c for c in dict.fromkeys(labels + right) if c in rest]
        if i == len(arrays) - 1:
            kept = list(out)
        x = _contract((labels, right, "".join(kept)), x, y)
        labels = "".join(kept)
    return transpose(x, [labels.index(c) for c in out])


def _prepare(labels, x, needed):
    """Takes diagonals of labels that repeat, and sums over those that nobody needs."""
    for c in dict.fromkeys(labels):
        while labels.count(c) > 1:
            i, j = [k for k, label in enumerate(labels) if label == c][:2]
            x = diagonal(x, axis1=i, axis2=j)
            labels = "".join(d for k, d in enumerate(labels) if k not in (i, j)) + c
    lone = [i for i, c in enumerate(labels) if c not in needed]
    if lone:
        x = sum(x, axis=tuple(lone))
        labels = "".join(c for c in labels if c in needed)
    return labels, x


@publish
def trace(x, offset=0, axis1=0, axis2=1):
    return sum(diagonal(x, offset, axis1, axis2), axis=-1)
