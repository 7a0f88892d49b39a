# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Reductions over dimensions, and softmax."""

import math

import numpy as np
import torch

from ... import _array, _dtypes, lax, numpy as mnp
from ..._transforms import stop_gradient
from .layout import Tensor, spread
from .table import accumulated, cast, dims_of, extent_of, full, rule

aten = torch.ops.aten


def reduced(x, dims, keepdim, function):
    """`function(array, axes, keepdims)` of some dimensions. What is left is stored in the
    order in which it was."""
    axes = tuple(x.place(d) for d in dims)
    result = function(x.stored, axes, keepdim) if axes else x.stored
    if keepdim or not axes:
        return Tensor(result, x.order)
    kept = [d for d in range(x.ndim) if d not in dims]
    return Tensor(result, [kept.index(d) for d in x.order if d in kept])


def _sum(x, dims, keepdim=False):
    return reduced(x, dims, keepdim, lambda a, axes, keep: mnp.sum(a, axes, keepdims=keep))


def mean(x, dims, keepdim=False):
    """The average over some dimensions, carried in the type of `x`."""
    return reduced(x, dims, keepdim, lambda a, axes, keep: mnp.mean(a, axes, keepdims=keep))


@rule(aten.sum.default, aten.sum.dim_IntList)
def _sum_rule(call, x, dim=None, keepdim=False, dtype=None):
    wide = accumulated(call.dtype)
    return cast(_sum(cast(x, wide), dims_of(dim, x.ndim), keepdim), call.dtype)


@rule(aten.mean.default, aten.mean.dim)
def _mean_rule(call, x, dim=None, keepdim=False, dtype=None):
    dims = dims_of(dim, x.ndim)
    if not extent_of(x.shape, dims):
        return full(call.shape, math.nan, call.dtype)
    return cast(mean(cast(x, accumulated(call.dtype)), dims, keepdim), call.dtype)


@rule(aten.prod.default, aten.prod.dim_int)
def _prod(call, x, dim=None, keepdim=False, dtype=None):
    x = cast(x, accumulated(call.dtype))
    result = reduced(x, dims_of(dim, x.ndim), keepdim,
                     lambda a, axes, keep: mnp.prod(a, axes, keepdims=keep))
    return cast(result, call.dtype)


@rule(aten.nansum.default)
def _nansum(call, x, dim=None, keepdim=False, dtype=None):
    x = x.like(mnp.where(mnp.isnan(x.stored), 0.0, x.stored)) if _dtypes.is_float(x.dtype) else x
    return _sum_rule(call, x, dim, keepdim)


@rule(aten.count_nonzero.default, aten.count_nonzero.dim_IntList)
def _count_nonzero(call, x, dim=None):
    return _sum_rule(call, x.like(mnp.not_equal(x.stored, 0)), dim)


@rule(aten.any.default, aten.any.dim, aten.any.dims)
def _any(call, x, dim=None, keepdim=False):
    return reduced(x, dims_of(dim, x.ndim), keepdim,
                   lambda a, axes, keep: mnp.any(a, axes, keepdims=keep))


@rule(aten.all.default, aten.all.dim, aten.all.dims)
def _all(call, x, dim=None, keepdim=False):
    return reduced(x, dims_of(dim, x.ndim), keepdim,
                   lambda a, axes, keep: mnp.all(a, axes, keepdims=keep))


# ------------------------------------------------------------------------------
# Extremes
# ------------------------------------------------------------------------------


def _shared_extreme(function):
    """The extreme of some dimensions; the elements that have it share its derivative."""

    def extreme(a, axes, keep):
        if not _dtypes.is_float(a.dtype):
            return function(a, axes, keepdims=keep)
        best = function(stop_gradient(a), axes, keepdims=True)
        ties = mnp.equal(a, best)
        share = 1 / mnp.sum(mnp.astype(ties, a.dtype), axes, keepdims=True)
        # Zero, with the derivative of the elements. Infinities have no difference: the
        # derivative of an infinite extreme is zero.
        zero = mnp.sum(mnp.where(mnp.logical_and(ties, mnp.isfinite(best)),
                                 (a - stop_gradient(a)) * share, 0.0), axes, keepdims=True)
        return best + zero if keep else mnp.squeeze(best + zero, axes)

    return extreme


for _name, _function in {"amax": mnp.max, "amin": mnp.min}.items():
    def _extreme_rule(call, x, dim=(), keepdim=False, _function=_function):
        return reduced(x, dims_of(dim, x.ndim), keepdim, _shared_extreme(_function))

    rule(getattr(aten, _name).default)(_extreme_rule)

for _name, _function in {"max": mnp.max, "min": mnp.min}.items():
    def _extreme_rule(call, x, _function=_function):
        return reduced(x, dims_of(None, x.ndim), False, _shared_extreme(_function))

    rule(getattr(aten, _name).default)(_extreme_rule)


@rule(aten.aminmax.default)
def _aminmax(call, x, *, dim=None, keepdim=False):
    dims = dims_of(dim, x.ndim)
    return [reduced(x, dims, keepdim, _shared_extreme(f)) for f in (mnp.min, mnp.max)]


def _place_of_extreme(x, dim, keepdim, function, dtype):
    """The places of the first extremes along a dimension."""
    places = reduced(x, [dim % x.ndim], keepdim,
                     lambda a, axes, keep: function(a, *axes, keepdims=keep))
    return cast(places, dtype)


def _is_zero_dimensional(node):
    return "a tensor without dimensions" if node.args[0].meta["val"].ndim == 0 else None


def _value_and_place(function):
    def emit(call, x, dim, keepdim=False):
        # The element at the place gets the derivative.
        places = _place_of_extreme(x, dim, True, function, np.dtype(np.int32))
        axis = x.place(dim)
        count = x.stored.shape[axis]
        numbers = np.arange(count, dtype=np.int32).reshape(
            [-1 if i == axis else 1 for i in range(x.ndim)])
        chosen = mnp.equal(_array.as_array(numbers), places.in_order(x.order))
        zero = 0.0 if _dtypes.is_float(x.dtype) else 0
        values = x.like(mnp.where(chosen, x.stored, zero))
        if _dtypes.is_bool(x.dtype):
            values = x.like(mnp.logical_and(chosen, x.stored))
            total = reduced(values, [dim % x.ndim], keepdim,
                            lambda a, axes, keep: mnp.any(a, axes, keepdims=keep))
        else:
            total = _sum(values, [dim % x.ndim], keepdim)
        _, dtype = call.result_type(1)
        if not keepdim:
            places = _place_of_extreme(x, dim, False, function, dtype)
        return total, cast(places, dtype)

    return emit


for _name, _function in {"max": mnp.argmax, "min": mnp.argmin}.items():
    rule(getattr(aten, _name).dim, refuse=_is_zero_dimensional)(_value_and_place(_function))


def _argument(function):
    def emit(call, x, dim=None, keepdim=False):
        if dim is None:
            places = Tensor(function(x.array))
            shape = (1,) * x.ndim if keepdim else ()
            return cast(places.reshaped(shape), call.dtype)
        return _place_of_extreme(x, dim, keepdim, function, call.dtype)

    return emit


rule(aten.argmax.default, refuse=_is_zero_dimensional)(_argument(mnp.argmax))
rule(aten.argmin.default, refuse=_is_zero_dimensional)(_argument(mnp.argmin))


# ------------------------------------------------------------------------------
# Moments and norms
# ------------------------------------------------------------------------------


def _moments(x, dims, correction, keepdim):
    """The variance and the mean over some dimensions."""
    correction = 1 if correction is None else correction
    count = extent_of(x.shape, dims)
    average = mean(x, dims)
    deviations = x.stored - spread(average, dims, x).stored
    squares = _sum(x.like(deviations * deviations), dims)
    variance = squares.like(squares.stored / float(max(count - correction, 0)))
    if not keepdim:
        return variance, average
    shape = [1 if d in dims else n for d, n in enumerate(x.shape)]
    return variance.reshaped(shape), average.reshaped(shape)


def _root(x):
    """The square root, with a derivative of 0 at 0."""
    zero = mnp.equal(x, 0.0)
    return mnp.where(zero, 0.0, mnp.sqrt(mnp.where(zero, 1.0, x)))


def _moment_rules(name, has_mean, is_root):
    def emit(call, x, dim=None, *, correction=None, keepdim=False):
        dtype = call.result_type(0 if has_mean else None)[1]
        variance, average = _moments(cast(x, accumulated(dtype)), dims_of(dim, x.ndim),
                                     correction, keepdim)
        if is_root:
            variance = variance.like(_root(variance.stored))
        variance = cast(variance, dtype)
        return (variance, cast(average, dtype)) if has_mean else variance

    def refuse(node):
        return "no elements" if node.args[0].meta["val"].numel() == 0 else None

    rule(getattr(aten, name).correction, refuse=refuse)(emit)


_moment_rules("var", False, False)
_moment_rules("std", False, True)
_moment_rules("var_mean", True, False)
_moment_rules("std_mean", True, True)


def _norm(x, ord, dims, keepdim):
    if ord == math.inf or ord == -math.inf:
        function = mnp.max if ord > 0 else mnp.min
        return reduced(x.like(mnp.abs(x.stored)), dims, keepdim, _shared_extreme(function))
    if ord == 0:
        return _sum(cast(x.like(mnp.not_equal(x.stored, 0.0)), x.dtype), dims, keepdim)
    if ord == 1:
        return _sum(x.like(mnp.abs(x.stored)), dims, keepdim)
    if ord == 2:
        total = _sum(x.like(x.stored * x.stored), dims, keepdim)
        return total.like(_root(total.stored))
    # Zeros have a derivative of 0, and so has a norm of 0.
    zero = mnp.equal(x.stored, 0.0)
    powers = mnp.power(mnp.where(zero, 1.0, mnp.abs(x.stored)), float(ord))
    nothing = 0.0 if ord > 0 else np.inf
    total = _sum(x.like(mnp.where(zero, nothing, powers)), dims, keepdim)
    none = mnp.equal(total.stored, 0.0)
    root = mnp.power(mnp.where(none, 1.0, total.stored), 1 / ord)
    return total.like(mnp.where(none, 0.0, root))


@rule(aten.linalg_vector_norm.default)
def _linalg_vector_norm(call, x, ord=2, dim=None, keepdim=False, *, dtype=None):
    return cast(_norm(cast(x, accumulated(call.dtype)), ord, dims_of(dim, x.ndim), keepdim),
                call.dtype)


@rule(aten.norm.Scalar, aten.norm.ScalarOpt_dim, aten.norm.ScalarOpt_dtype,
      aten.norm.ScalarOpt_dim_dtype)
def _norm_rule(call, x, p=None, dim=None, keepdim=False, *, dtype=None):
    return _linalg_vector_norm(call, x, 2 if p is None else p, dim, keepdim)


# ------------------------------------------------------------------------------
# Softmax
# ------------------------------------------------------------------------------


def _along(function, x, dim):
    """`function(array, axis)`, which keeps the shape."""
    if not x.ndim:
        return Tensor(_array.reshape(function(_array.reshape(x.stored, (1,)), 0), ()))
    return x.like(function(x.stored, x.place(dim)))


@rule(aten._softmax.default)
def _softmax(call, x, dim, half_to_float):
    return cast(_along(lax.softmax, cast(x, accumulated(call.dtype)), dim), call.dtype)


@rule(aten._log_softmax.default)
def _log_softmax(call, x, dim, half_to_float):
    return cast(_along(lax.log_softmax, cast(x, accumulated(call.dtype)), dim), call.dtype)


@rule(aten.logsumexp.default)
def _logsumexp(call, x, dim, keepdim=False):
    def logsumexp(a, axes, keep):
        top = stop_gradient(mnp.max(a, axes, keepdims=True))
        # exp(-inf - -inf) is no number.
        top = mnp.where(mnp.isfinite(top), top, 0.0)
        sums = mnp.log(mnp.sum(mnp.exp(a - top), axes, keepdims=True)) + top
        return sums if keep else mnp.squeeze(sums, axes)

    x = cast(x, accumulated(call.dtype))
    return cast(reduced(x, dims_of(dim, x.ndim), keepdim, logsumexp), call.dtype)


# ------------------------------------------------------------------------------
# Sums so far
# ------------------------------------------------------------------------------

@rule(aten.cumsum.default)
def _cumsum(call, x, dim, *, dtype=None):
    wide = accumulated(call.dtype)
    x = cast(x, wide)
    if not x.ndim:
        return cast(x, call.dtype)
    dim %= x.ndim
    order = [d for d in x.order if d != dim] + [dim]
    return cast(Tensor(mnp.cumsum(x.in_order(order), -1), order), call.dtype)
