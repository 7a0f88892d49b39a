# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Operations of elements.

Where a function has a corner, its formula is chosen such that the compiler's
derivative there is the one that PyTorch's autograd takes. What `where` does not
select must not overflow: its derivative is multiplied by zero, not skipped.
"""

import math

import numpy as np
import torch

from ... import _array, _dtypes, lax, numpy as mnp
from ..._transforms import stop_gradient
from .layout import Tensor, aligned
from .table import cast, from_torch, is_number, name_of, rule

aten = torch.ops.aten


def apply(function, *operands):
    """`function` of the operands' elements; numbers stay numbers."""
    arrays, order = aligned(operands)
    return Tensor(function(*arrays), order)


def _define(function, *operations):
    """Registers a function of arrays whose operands and result are of one type."""

    def emit(call, *operands, **options):
        operands = [cast(x, call.dtype) for x in operands]
        return apply(lambda *arrays: function(*arrays, **options), *operands)

    rule(*operations)(emit)


for _operation, _function in {
    aten.exp: mnp.exp, aten.exp2: mnp.exp2, aten.expm1: mnp.expm1, aten.log: mnp.log,
    aten.log2: mnp.log2, aten.log10: mnp.log10, aten.log1p: mnp.log1p, aten.sqrt: mnp.sqrt,
    aten.sin: mnp.sin, aten.cos: mnp.cos, aten.tan: mnp.tan, aten.asin: mnp.arcsin,
    aten.acos: mnp.arccos, aten.atan: mnp.arctan, aten.sinh: mnp.sinh, aten.cosh: mnp.cosh,
    aten.tanh: mnp.tanh, aten.asinh: mnp.arcsinh, aten.acosh: mnp.arccosh,
    aten.atanh: mnp.arctanh, aten.erf: lax.erf, aten.erfc: lambda x: 1 - lax.erf(x),
    aten.sigmoid: lax.sigmoid, aten.reciprocal: mnp.reciprocal, aten.neg: mnp.negative,
    aten.abs: mnp.abs, aten.sign: mnp.sign, aten.sgn: mnp.sign, aten.relu: lax.relu,
    aten.silu: lax.silu, aten.mish: lambda x: x * mnp.tanh(lax.softplus(x)),
    aten.rsqrt: lambda x: 1 / mnp.sqrt(x), aten.frac: lambda x: x - mnp.trunc(x),
}.items():
    _define(_function, _operation.default)


def _of_floats(function):
    return lambda x: function(x) if _dtypes.is_float(x.dtype) else x


for _operation, _function in {aten.floor: mnp.floor, aten.ceil: mnp.ceil,
                              aten.trunc: mnp.trunc, aten.round: mnp.rint}.items():
    _define(_of_floats(_function), _operation.default)


@rule(aten.round.decimals)
def _round_decimals(call, x, decimals):
    scale = 10.0 ** abs(decimals)
    if decimals >= 0:
        return apply(lambda x: mnp.rint(x * scale) / scale, x)
    return apply(lambda x: mnp.rint(x / scale) * scale, x)


# ------------------------------------------------------------------------------
# Arithmetic
# ------------------------------------------------------------------------------


def _scaled(x, alpha):
    return x if alpha == 1 else x * alpha


_define(lambda x, y, alpha=1: x + _scaled(y, alpha), aten.add.Tensor, aten.add.Scalar)
_define(lambda x, y, alpha=1: x - _scaled(y, alpha), aten.sub.Tensor, aten.sub.Scalar)
_define(lambda x, y, alpha=1: y - _scaled(x, alpha), aten.rsub.Tensor, aten.rsub.Scalar)
_define(mnp.multiply, aten.mul.Tensor, aten.mul.Scalar)
_define(mnp.divide, aten.div.Tensor, aten.div.Scalar)
_define(mnp.maximum, aten.maximum.default)
_define(mnp.minimum, aten.minimum.default)
_define(mnp.arctan2, aten.atan2.default)
_define(mnp.copysign, aten.copysign.Tensor, aten.copysign.Scalar)
_define(mnp.hypot, aten.hypot.default)
_define(mnp.logaddexp, aten.logaddexp.default)
_define(lambda x, y: mnp.logaddexp(x * math.log(2), y * math.log(2)) * (1 / math.log(2)),
        aten.logaddexp2.default)
_define(lambda x, a, b, value=1: x + _scaled(a * b, value), aten.addcmul.default)
_define(lambda x, a, b, value=1: x + _scaled(a / b, value), aten.addcdiv.default)
_define(lambda x, y, weight: x + weight * (y - x), aten.lerp.Tensor, aten.lerp.Scalar)


def _fmod(x, y):
    """The remainder with the sign of x."""
    x, y = _array.unify(x, y)
    return _array.elementwise("arith.remf" if _dtypes.is_float(x.dtype) else "arith.remsi", x, y)


def _floor_quotient(x, y):
    x, y = _array.unify(x, y)
    if not _dtypes.is_float(x.dtype):
        return mnp.floor_divide(x, y)
    # What is left without the remainder is a multiple of y, but for rounding.
    return mnp.where(y == 0, x / y, mnp.rint((x - mnp.remainder(x, y)) / y))


def _truncated_quotient(x, y):
    x, y = _array.unify(x, y)
    if not _dtypes.is_float(x.dtype):
        return _array.elementwise("arith.divsi", x, y)
    return mnp.trunc(x / y)


def _divide(call, function, x, y):
    """A quotient or remainder. Integers cannot be divided by zero: it is a fault."""
    x, y = cast(x, call.dtype), cast(y, call.dtype)
    if not _dtypes.is_float(call.dtype):
        if is_number(y):
            if y == 0:
                call.refuse("a division by zero")
        else:
            zero = mnp.equal(y.stored, 0)
            call.effects.faults.append((mnp.any(zero), RuntimeError(
                f"ZeroDivisionError: {name_of(call.node)} expects a divisor other than 0")))
            y = y.like(mnp.where(zero, 1, y.stored))
    return apply(function, x, y)


@rule(aten.fmod.Tensor, aten.fmod.Scalar)
def _fmod_rule(call, x, y):
    return _divide(call, _fmod, x, y)


@rule(aten.remainder.Tensor, aten.remainder.Scalar, aten.remainder.Scalar_Tensor)
def _remainder(call, x, y):
    return _divide(call, mnp.remainder, x, y)


@rule(aten.div.Tensor_mode, aten.div.Scalar_mode)
def _div_mode(call, x, y, rounding_mode=None):
    if rounding_mode is None:
        return apply(mnp.divide, cast(x, call.dtype), cast(y, call.dtype))
    function = _floor_quotient if rounding_mode == "floor" else _truncated_quotient
    # A rounded quotient is constant between jumps.
    result = _divide(call, function, x, y)
    return result.like(stop_gradient(result.stored))


@rule(aten.floor_divide.default, aten.floor_divide.Scalar)
def _floor_divide(call, x, y):
    return _div_mode(call, x, y, rounding_mode="floor")


@rule(aten.pow.Tensor_Scalar, aten.pow.Tensor_Tensor, aten.pow.Scalar)
def _pow(call, x, y):
    def power(x, y):
        if is_number(y):
            return mnp.power(x, y)
        x, y = _array.unify(x, y)
        if not _dtypes.is_float(x.dtype):
            return mnp.power(x, y)
        # y x^(y - 1) is no number for x = y = 0.
        return mnp.power(mnp.where(mnp.logical_and(x == 0, y == 0), 1.0, x), y)

    return apply(power, cast(x, call.dtype), cast(y, call.dtype))


@rule(aten.xlogy.Tensor, aten.xlogy.Scalar_Other, aten.xlogy.Scalar_Self)
def _xlogy(call, x, y):
    def xlogy(x, y):
        x, y = _array.unify(x, y)
        ignored = mnp.logical_and(x == 0, mnp.logical_or(y <= 0, y == np.inf))
        return x * mnp.log(mnp.where(ignored, 1.0, y))

    return apply(xlogy, cast(x, call.dtype), cast(y, call.dtype))


def _extreme_number(better, name):
    """fmax and fmin: a number beats NaN. Of equal operands PyTorch's derivative goes to
    the first."""
    def emit(call, x, y):
        def choose(x, y):
            return mnp.where(mnp.logical_or(better(x, y), mnp.isnan(y)), x, y)

        return apply(choose, cast(x, call.dtype), cast(y, call.dtype))

    rule(getattr(aten, name).default)(emit)


_extreme_number(mnp.greater_equal, "fmax")
_extreme_number(mnp.less_equal, "fmin")
_define(lambda x, value: mnp.where(x < 0, 0, mnp.where(x == 0, value, mnp.where(x > 0, 1, x))),
        aten.heaviside.default)


# ------------------------------------------------------------------------------
# Bounds
# ------------------------------------------------------------------------------


def _clamp(x, low, high):
    # On a bound the value gets the derivative.
    if low is not None:
        x = mnp.where(x < low, low, x)
    return x if high is None else mnp.where(x > high, high, x)


@rule(aten.clamp.default, aten.clamp.Tensor)
def _clamp_rule(call, x, min=None, max=None):
    bounds = {"low": min, "high": max}
    names = [name for name, bound in bounds.items() if bound is not None]
    operands = [cast(v, call.dtype) for v in (x, *(bounds[name] for name in names))]

    def clamp(x, *given):
        return _clamp(x, **{**dict.fromkeys(bounds), **dict(zip(names, given))})

    return apply(clamp, *operands)


_define(lambda x, low: _clamp(x, low, None), aten.clamp_min.default, aten.clamp_min.Tensor)
_define(lambda x, high: _clamp(x, None, high), aten.clamp_max.default, aten.clamp_max.Tensor)


def _inside(x, low, high, below, above, value):
    """`value` strictly between two bounds."""
    return mnp.where(x <= low, below, mnp.where(x >= high, above, value))


_define(lambda x, low=-1, high=1: _inside(x, low, high, low, high, x), aten.hardtanh.default)
_define(lambda x: _inside(x, -3, 3, 0.0, 1.0, (x + 3) * (1 / 6)), aten.hardsigmoid.default)
_define(lambda x: _inside(x, -3, 3, 0.0, x, x * ((x + 3) * (1 / 6))), aten.hardswish.default)
_define(lambda x, threshold, value: mnp.where(x <= threshold, value, x), aten.threshold.default)
_define(lambda x, bound=0.5: mnp.where(mnp.abs(x) <= bound, 0.0, x), aten.hardshrink.default)
_define(lambda x, bound=0.5: mnp.where(
    x > bound, x - bound, mnp.where(x < -bound, x + bound, x * 0.0)), aten.softshrink.default)


# ------------------------------------------------------------------------------
# Activations
# ------------------------------------------------------------------------------


_define(lax.leaky_relu, aten.leaky_relu.default)
_define(lambda x, slope: mnp.where(x > 0, x, x * slope), aten._prelu_kernel.default)
_define(lambda x, approximate="none": lax.gelu(x, approximate == "tanh"), aten.gelu.default)
_define(lambda x, alpha=1.0, scale=1.0, input_scale=1.0: mnp.where(
    x > 0, x * scale,
    alpha * scale * mnp.expm1(mnp.where(x > 0, 0.0, x) * input_scale)), aten.elu.default)
_define(lambda x, alpha=1.0: mnp.where(
    x > 0, x, alpha * mnp.expm1(mnp.where(x > 0, 0.0, x) * (1 / alpha))), aten.celu.default)


def _softplus(x, beta=1, threshold=20):
    steep = x * beta > threshold
    return mnp.where(steep, x, mnp.log1p(mnp.exp(mnp.where(steep, 0.0, x) * beta)) * (1 / beta))


_define(_softplus, aten.softplus.default)


@rule(aten.log_sigmoid_forward.default)
def _log_sigmoid(call, x):
    # The second result is a buffer of PyTorch's own derivative.
    return apply(lambda x: -lax.softplus(-x), x), None


@rule(aten.glu.default)
def _glu(call, x, dim=-1):
    place, half = x.place(dim), x.shape[dim] // 2
    first, second = mnp.split(x.stored, [half], place)
    return x.like(first * lax.sigmoid(second))


@rule(aten.logit.default)
def _logit(call, x, eps=None):
    def logit(x):
        if eps is not None:
            x = _clamp(x, eps, 1 - eps)
        return mnp.log(x / (1 - x))

    return apply(logit, cast(x, call.dtype))


# ------------------------------------------------------------------------------
# Comparisons and booleans
# ------------------------------------------------------------------------------


def _compare(function, *operations):
    def emit(call, x, y):
        dtype = call.promoted(0, 1)
        return apply(function, cast(x, dtype), cast(y, dtype))

    rule(*operations)(emit)


for _name, _function in {"eq": mnp.equal, "ne": mnp.not_equal, "lt": mnp.less,
                         "le": mnp.less_equal, "gt": mnp.greater,
                         "ge": mnp.greater_equal}.items():
    _compare(_function, getattr(aten, _name).Tensor, getattr(aten, _name).Scalar)


def _predicate(function, operation):
    rule(operation)(lambda call, *operands: apply(function, *operands))


_predicate(mnp.isnan, aten.isnan.default)
_predicate(mnp.isinf, aten.isinf.default)
_predicate(mnp.logical_not, aten.logical_not.default)
_predicate(mnp.logical_and, aten.logical_and.default)
_predicate(mnp.logical_or, aten.logical_or.default)
_predicate(mnp.logical_xor, aten.logical_xor.default)
_define(mnp.invert, aten.bitwise_not.default)
for _name, _function in {"bitwise_and": mnp.bitwise_and, "bitwise_or": mnp.bitwise_or,
                         "bitwise_xor": mnp.bitwise_xor}.items():
    _define(_function, *(getattr(getattr(aten, _name), overload)
                         for overload in ("Tensor", "Scalar", "Scalar_Tensor")))


# ------------------------------------------------------------------------------
# Choices, copies and types
# ------------------------------------------------------------------------------


@rule(aten.where.self)
def _where(call, condition, x, y):
    return apply(mnp.where, condition, cast(x, call.dtype), cast(y, call.dtype))


@rule(aten.masked_fill.Scalar, aten.masked_fill.Tensor)
def _masked_fill(call, x, mask, value):
    return apply(lambda mask, x, value: mnp.where(mask, value, x), mask, x,
                 cast(value, call.dtype))


@rule(aten.nan_to_num.default)
def _nan_to_num(call, x, nan=None, posinf=None, neginf=None):
    limits = torch.finfo(call.node.meta["val"].dtype) if _dtypes.is_float(call.dtype) else None
    if limits is None:
        return x
    largest = limits.max if posinf is None else posinf
    least = limits.min if neginf is None else neginf

    def replace(x):
        finite = mnp.where(x == -np.inf, least, mnp.where(x == np.inf, largest, x))
        return mnp.where(mnp.isnan(x), 0.0 if nan is None else nan, finite)

    return apply(replace, x)


@rule(aten.clone.default, aten.alias.default, aten.lift_fresh_copy.default,
      aten.lift_fresh.default, aten._conj.default)
def _copy(call, x, **options):
    return x


@rule(aten.detach.default)
def _detach(call, x):
    return x.like(stop_gradient(x.stored))


@rule(aten._to_copy.default)
def _to_copy(call, x, **options):
    return cast(x, call.dtype)


@rule(aten.view.dtype, refuse=lambda node: None if (
    node.args[0].meta["val"].dtype == node.args[1]) else "it reinterprets bytes")
def _view_dtype(call, x, dtype):
    return x


@rule(aten.fill.Scalar, aten.fill.Tensor, aten.copy.default)
def _overwrite(call, x, value, non_blocking=False):
    if is_number(value):
        return x.like(_array.full(x.stored.shape, value, call.dtype))
    arrays, order = aligned([x, cast(value, call.dtype)])
    return Tensor(mnp.broadcast_to(arrays[1], arrays[0].shape), order)


@rule(torch.ops.prims.convert_element_type.default)
def _convert_element_type(call, x, dtype):
    return cast(x, from_torch(dtype))
