# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Sums of the elements so far."""

import numpy as np

from .. import _dtypes
from .._array import cast, emit1, filled, repeat_along, reshape, transpose
from .._dtypes import is_bool, is_float
from ._publish import publish
from ._reductions import axes_of
from ._shapes import pad

#: Elements whose sums so far are added up one by one for each of them.
_BLOCK = 32


def _sums_so_far(x):
    """Along the last axis: within blocks, plus the sums of the blocks before."""
    *outer, count = x.shape
    if count > _BLOCK:
        padded = pad(x, [(0, 0)] * len(outer) + [(0, -count % _BLOCK)])
        inside = _sums_so_far(reshape(padded, [*outer, padded.shape[-1] // _BLOCK, _BLOCK]))
        sums = _sums_so_far(inside[..., -1])
        before = pad(sums[..., :-1], [(0, 0)] * len(outer) + [(1, 0)])
        total = inside + repeat_along(before, inside.shape, [len(outer) + 1])
        return reshape(total, padded.shape)[..., :count]
    # A product with a triangle of ones would make NaN of an infinity that comes later.
    dims = [f"d{i}" for i in range(x.ndim + 1)]
    maps = [", ".join(dims[:-2] + dims[-1:]), ", ".join(dims[:-1])]
    maps = ", ".join(f"affine_map<({', '.join(dims)}) -> ({m})>" for m in maps)
    kinds = ", ".join(['"parallel"'] * x.ndim + ['"reduction"'])
    element = _dtypes.mlir_name(x.dtype)
    zero, add = ("0.0", "arith.addf") if is_float(x.dtype) else ("0", "arith.addi")
    body = (f"^bb0(%.x: {element}, %.sum: {element}): "
            f"%.i = linalg.index {x.ndim - 1} : index %.j = linalg.index {x.ndim} : index "
            f"%.c = arith.cmpi sle, %.j, %.i : index %.z = arith.constant {zero} : {element} "
            f"%.v = arith.select %.c, %.x, %.z : {element} "
            f"%.s = {add} %.sum, %.v : {element} linalg.yield %.s : {element}")
    return emit1(
        f"linalg.generic {{{{indexing_maps = [{maps}], iterator_types = [{kinds}]}}}} "
        f"ins({{0}} : {{t[0]}}) outs({{1}} : {{t[1]}}) {{{{ {body} }}}} -> {{r[0]}}",
        [x, filled(x.shape, 0, x.dtype)], x.shape, x.dtype)


@publish
def cumsum(x, axis=None, *, dtype=None):
    """The sums of the elements up to each one along `axis`, of all in order if it is None.
    Sums of blocks of 32 elements are added to those within blocks, for accuracy."""
    if dtype is not None or is_bool(x.dtype):
        x = cast(x, _dtypes.as_dtype(dtype or np.int32))
    if axis is None:
        return cumsum(reshape(x, [x.size]), 0)
    axis, = axes_of(x, axis)
    order = [i for i in range(x.ndim) if i != axis] + [axis]
    sums = _sums_so_far(transpose(x, order))
    return transpose(sums, [order.index(i) for i in range(x.ndim)])
