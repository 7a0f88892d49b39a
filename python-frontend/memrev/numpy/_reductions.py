# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Reductions over dimensions."""

import math

import numpy as np

from .. import _array, _dtypes
from .._array import cast, emit, emit1, filled, reshape, unify
from .._dtypes import is_bool, is_float
from ._elements import multiply, sqrt, to_float
from ._publish import publish


def axes_of(x, axis):
    """`axis` as a sorted list of dimensions."""
    if axis is None:
        return list(range(x.ndim))
    axes = axis if isinstance(axis, (tuple, list)) else [axis]
    result = []
    for a in axes:
        result.append(_array.axis_of(a, x.ndim))
    if len(set(result)) != len(result):
        raise ValueError(f"expects axes that differ, but got {axis}")
    return sorted(result)


def reduce(x, operation, start, axis, keepdims):
    """`x` reduced over `axis` by an operation of arith that starts with `start`."""
    axes = axes_of(x, axis)
    kept = [n for i, n in enumerate(x.shape) if i not in axes]
    result = x
    if axes:
        result = emit1(
            f"linalg.reduce {{{{ {operation} }}}} ins({{0}} : {{t[0]}}) "
            f"outs({{1}} : {{t[1]}}) dimensions = {axes}",
            [x, filled(kept, start, x.dtype)], kept, x.dtype)
    if keepdims:
        result = reshape(result, [1 if i in axes else n for i, n in enumerate(x.shape)])
    return result


def _count(x, axis):
    return math.prod(x.shape[a] for a in axes_of(x, axis))


@publish
def sum(x, axis=None, dtype=None, *, keepdims=False):
    """The sum over `axis` (an integer, a tuple, or None for all dimensions), of int32 for
    booleans."""
    if dtype is not None or is_bool(x.dtype):
        x = cast(x, _dtypes.as_dtype(dtype or np.int32))
    return reduce(x, "arith.addf" if is_float(x.dtype) else "arith.addi", 0, axis, keepdims)


@publish
def prod(x, axis=None, dtype=None, *, keepdims=False):
    """The product over `axis`, of int32 for booleans."""
    if dtype is not None or is_bool(x.dtype):
        x = cast(x, _dtypes.as_dtype(dtype or np.int32))
    return reduce(x, "arith.mulf" if is_float(x.dtype) else "arith.muli", 1, axis, keepdims)


@publish
def mean(x, axis=None, dtype=None, *, keepdims=False):
    """The average over `axis`, of float32 for integers."""
    x = to_float(x if dtype is None else cast(x, _dtypes.as_dtype(dtype)))
    count = _count(x, axis)
    if count == 0:
        raise ValueError(f"mean expects at least one element, but got shape {list(x.shape)}")
    return multiply(sum(x, axis, keepdims=keepdims), 1 / count)


@publish
def var(x, axis=None, *, ddof=0, keepdims=False):
    """The variance over `axis`: squares of deviations, divided by n - ddof."""
    x = to_float(x)
    deviations = x - mean(x, axis, keepdims=True)
    count = _count(x, axis) - ddof
    if count <= 0:
        raise ValueError(f"var expects more than {ddof} elements, but got {count + ddof}")
    return multiply(sum(deviations * deviations, axis, keepdims=keepdims), 1 / count)


@publish
def std(x, axis=None, *, ddof=0, keepdims=False):
    """The square root of the variance over `axis`."""
    return sqrt(var(x, axis, ddof=ddof, keepdims=keepdims))


def _extreme(x, axis, keepdims, floats, integers, sign):
    if _count(x, axis) == 0:
        raise ValueError("expects at least one element for a maximum or minimum, but got "
                         f"shape {list(x.shape)}")
    if is_float(x.dtype):
        return reduce(x, floats, -sign * np.inf, axis, keepdims)
    if is_bool(x.dtype):
        return reduce(x, "arith.ori" if sign > 0 else "arith.andi", sign < 0, axis, keepdims)
    limits = np.iinfo(x.dtype)
    return reduce(x, integers, limits.min if sign > 0 else limits.max, axis, keepdims)


@publish
def max(x, axis=None, *, keepdims=False):
    return _extreme(x, axis, keepdims, "arith.maximumf", "arith.maxsi", 1)


@publish
def min(x, axis=None, *, keepdims=False):
    return _extreme(x, axis, keepdims, "arith.minimumf", "arith.minsi", -1)


@publish
def all(x, axis=None, *, keepdims=False):
    return reduce(cast(x, np.dtype(bool)), "arith.andi", True, axis, keepdims)


@publish
def any(x, axis=None, *, keepdims=False):
    return reduce(cast(x, np.dtype(bool)), "arith.ori", False, axis, keepdims)


def _argument(x, axis, keepdims, better):
    if axis is None:
        x, axis = reshape(x, [x.size]), 0
    axis, = axes_of(x, axis)
    if x.shape[axis] == 0:
        raise ValueError("expects at least one element for the place of an extreme, but got "
                         f"shape {list(x.shape)}")
    kept = [n for i, n in enumerate(x.shape) if i != axis]
    if 0 in kept:
        shape = [1 if i == axis else n for i, n in enumerate(x.shape)] if keepdims else kept
        return filled(shape, 0, np.dtype(np.int32))
    dims = ", ".join(f"d{i}" for i in range(x.ndim))
    outer = ", ".join(f"d{i}" for i in range(x.ndim) if i != axis)
    maps = [f"affine_map<({dims}) -> ({m})>" for m in (dims, outer, outer)]
    kinds = ", ".join('"reduction"' if i == axis else '"parallel"' for i in range(x.ndim))
    element, index = _dtypes.mlir_name(x.dtype), np.dtype(np.int32)
    first = x[(slice(None),) * axis + (0,)]
    if is_float(x.dtype):
        # The first NaN wins, as in NumPy.
        compared = (f"%.b = arith.cmpf {better[0]}, %.x, %.best : {element} "
                    f"%.n = arith.cmpf uno, %.x, %.x : {element} "
                    f"%.m = arith.cmpf ord, %.best, %.best : {element} "
                    "%.nm = arith.andi %.n, %.m : i1 "
                    "%.p = arith.andi %.b, %.m : i1 "
                    "%.take = arith.ori %.p, %.nm : i1 ")
    else:
        compared = f"%.take = arith.cmpi {better[1]}, %.x, %.best : {element} "
    body = (f"^bb0(%.x: {element}, %.best: {element}, %.at: i32): "
            f"%.d = linalg.index {axis} : index %.i = arith.index_cast %.d : index to i32 "
            + compared
            + f"%.v = arith.select %.take, %.x, %.best : {element} "
            "%.j = arith.select %.take, %.i, %.at : i32 "
            f"linalg.yield %.v, %.j : {element}, i32")
    _, place = emit(
        f"linalg.generic {{{{indexing_maps = [{', '.join(maps)}], "
        f"iterator_types = [{kinds}]}}}} ins({{0}} : {{t[0]}}) "
        f"outs({{1}}, {{2}} : {{t[1]}}, {{t[2]}}) {{{{ {body} }}}} -> ({{r[0]}}, {{r[1]}})",
        [x, first, filled(kept, 0, index)], [(kept, x.dtype), (kept, index)])
    if keepdims:
        place = reshape(place, [1 if i == axis else n for i, n in enumerate(x.shape)])
    return place


@publish
def argmax(x, axis=None, *, keepdims=False):
    """The place of the first maximum, int32."""
    return _argument(x, axis, keepdims, ("ogt", "sgt"))


@publish
def argmin(x, axis=None, *, keepdims=False):
    """The place of the first minimum, int32."""
    return _argument(x, axis, keepdims, ("olt", "slt"))


@publish
def ptp(x, axis=None, *, keepdims=False):
    """The maximum less the minimum over `axis`."""
    return max(x, axis, keepdims=keepdims) - min(x, axis, keepdims=keepdims)


@publish
def count_nonzero(x, axis=None, *, keepdims=False):
    """How many elements over `axis` are not zero, int32."""
    return sum(cast(x, np.dtype(bool)), axis, keepdims=keepdims)


@publish
def average(x, axis=None, weights=None, *, keepdims=False):
    """The average over `axis`, weighted by `weights`, which broadcast to `x`."""
    if weights is None:
        return mean(x, axis, keepdims=keepdims)
    x, weights = (to_float(v) for v in unify(x, weights))
    return sum(x * weights, axis, keepdims=keepdims) / sum(weights, axis, keepdims=keepdims)
