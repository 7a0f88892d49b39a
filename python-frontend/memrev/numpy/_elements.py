# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Functions of elements: arithmetic, comparisons, functions of math."""

import functools
import numbers

import numpy as np

from .. import _dtypes
from .._array import (
    Array, as_array, broadcast_shapes, broadcast_to, cast, compare, elementwise, emit1,
    is_number, unify,
)
from .._dtypes import is_bool, is_float
from ._publish import publish


def _define(name, function):
    """Publishes an elementwise function of a table."""
    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"numpy.{name} for traced arrays, elementwise."
    globals()[name] = publish(function)


def to_float(x):
    x = as_array(x)
    return x if is_float(x.dtype) else cast(x, np.dtype(np.float32))


def _float_function(operation):
    return lambda x: elementwise(operation, to_float(x))


for _name, _operation in {
    "exp": "exp", "exp2": "exp2", "expm1": "expm1", "log": "log", "log2": "log2",
    "log10": "log10", "log1p": "log1p", "sqrt": "sqrt", "cbrt": "cbrt", "sin": "sin",
    "cos": "cos", "tan": "tan", "arcsin": "asin", "arccos": "acos", "arctan": "atan",
    "sinh": "sinh", "cosh": "cosh", "tanh": "tanh", "arcsinh": "asinh", "arccosh": "acosh",
    "arctanh": "atanh", "floor": "floor", "ceil": "ceil", "trunc": "trunc",
    "rint": "roundeven",
}.items():
    _define(_name, _float_function("math." + _operation))


def _binary(floats, integers, booleans=None):
    def function(x, y):
        x, y = unify(x, y)
        if is_bool(x.dtype) and booleans is None:
            x, y = (cast(v, np.dtype(np.int32)) for v in (x, y))
        if is_float(x.dtype):
            return elementwise(floats, x, y)
        return elementwise(booleans if is_bool(x.dtype) else integers, x, y)

    return function


for _name, _operations in {
    "add": ("arith.addf", "arith.addi", "arith.ori"),
    "subtract": ("arith.subf", "arith.subi"),
    "multiply": ("arith.mulf", "arith.muli", "arith.andi"),
    "maximum": ("arith.maximumf", "arith.maxsi", "arith.ori"),
    "minimum": ("arith.minimumf", "arith.minsi", "arith.andi"),
}.items():
    _define(_name, _binary(*_operations))


def _comparison(predicates):
    return lambda x, y: compare(predicates, x, y)


for _name, _predicates in {
    "equal": ("oeq", "eq", "eq"), "not_equal": ("une", "ne", "ne"),
    "less": ("olt", "slt", "ult"), "less_equal": ("ole", "sle", "ule"),
    "greater": ("ogt", "sgt", "ugt"), "greater_equal": ("oge", "sge", "uge"),
}.items():
    _define(_name, _comparison(_predicates))


def _bitwise(operation, name):
    def function(x, y):
        x, y = unify(x, y)
        if is_float(x.dtype):
            raise TypeError(f"{name} expects integers or booleans, but got {x.dtype}")
        return elementwise(operation, x, y)

    return function


for _name, _operation in {"bitwise_and": "arith.andi", "bitwise_or": "arith.ori",
                          "bitwise_xor": "arith.xori"}.items():
    _define(_name, _bitwise(_operation, _name))


def _logical(operation):
    return lambda x, y: elementwise(
        operation, *unify(*(cast(as_array(v), np.dtype(bool)) for v in (x, y))))


for _name, _operation in {"logical_and": "arith.andi", "logical_or": "arith.ori",
                          "logical_xor": "arith.xori"}.items():
    _define(_name, _logical(_operation))


@publish
def logical_not(x):
    x = cast(x, np.dtype(bool))
    return bitwise_xor(x, True)


@publish
def invert(x):
    if is_float(x.dtype):
        raise TypeError(f"invert expects integers or booleans, but got {x.dtype}")
    return bitwise_xor(x, True if is_bool(x.dtype) else -1)


@publish
def negative(x):
    if is_float(x.dtype):
        return elementwise("arith.negf", x)
    return subtract(0, x)


@publish
def positive(x):
    return x


@publish
def abs(x):
    if is_bool(x.dtype):
        return x
    return elementwise("math.absf" if is_float(x.dtype) else "math.absi", x)


@publish
def sign(x):
    if not is_float(x.dtype):
        return cast(x > 0, x.dtype) - cast(x < 0, x.dtype)
    # 0 and NaN are their own signs; nothing has a derivative.
    x = emit1("rev.stop_gradient {0} : {t[0]}", [x], x.shape, x.dtype)
    return where(x == 0, x, where(x != x, x, elementwise(
        "math.copysign", *unify(1.0, x))))


@publish
def square(x):
    return multiply(x, x)


@publish
def reciprocal(x):
    return divide(1.0, x)


@publish
def divide(x, y):
    x, y = unify(x, y)
    return elementwise("arith.divf", to_float(x), to_float(y))


def _integers(x, y):
    """Operands of a division: integers as they are, booleans as int32."""
    return tuple(cast(v, np.dtype(np.int32)) if is_bool(v.dtype) else v for v in unify(x, y))


def _divisor(y, values):
    """`values` with 1 for 0 and -1, by which processors do not divide all numbers."""
    if is_number(y) and y not in (0, -1):
        return values
    return where(logical_or(values == 0, values == -1), 1, values)


@publish
def floor_divide(x, y):
    """The quotient rounded down; of integers 0 where the divisor is 0."""
    divisor = y
    x, y = _integers(x, y)
    if is_float(x.dtype):
        return floor(elementwise("arith.divf", x, y))
    quotient = elementwise("arith.floordivsi", x, _divisor(divisor, y))
    return where(y == 0, 0, where(y == -1, negative(x), quotient))


@publish
def remainder(x, y):
    """The remainder with the sign of the divisor, as Python's %; of integers 0 where the
    divisor is 0."""
    divisor = y
    x, y = _integers(x, y)
    if is_float(x.dtype):
        rest = elementwise("arith.remf", x, y)
    else:
        rest = elementwise("arith.remsi", x, _divisor(divisor, y))
    return where(logical_and(rest != 0, (rest < 0) != (y < 0)), rest + y, rest)


@publish
def divmod(x, y):
    """The pair of `floor_divide` and `remainder`."""
    return floor_divide(x, y), remainder(x, y)


@publish
def fmod(x, y):
    """The remainder with the sign of x, as C's; of integers 0 where the divisor is 0."""
    rest = remainder(x, y)
    x, y = unify(x, y)
    return where(logical_and(rest != 0, (x < 0) != (y < 0)), rest - y, rest)


@publish
def round(x, decimals=0):
    """The nearest number with so many decimals, halves to the even one."""
    if not is_float(x.dtype) or not decimals:
        return rint(x) if is_float(x.dtype) else x
    scale = 10.0 ** decimals
    return rint(x * scale) / scale


@publish
def deg2rad(x):
    return to_float(x) * (np.pi / 180)


@publish
def rad2deg(x):
    return to_float(x) * (180 / np.pi)


@publish
def power(x, y):
    """x to the power y. Integers to negative powers are rounded towards zero; 0 gives 0."""
    if is_number(y) and not isinstance(y, (bool, np.bool_)) and float(y).is_integer():
        exponent = int(y)
        if 0 <= exponent <= 4:
            return _small_power(x, exponent)
        if exponent == -1 and is_float(x.dtype):
            return divide(1.0, x)
        if exponent < 0 and isinstance(y, numbers.Integral) and not is_float(x.dtype):
            raise ValueError(f"power expects an exponent of at least 0 for {x.dtype}, but got {y}")
    if is_number(y) and y == 0.5 and is_float(x.dtype):
        return sqrt(x)
    integer_exponent = isinstance(y, numbers.Integral) or (
        isinstance(y, Array) and y.dtype.kind == "i")
    x_float = isinstance(x, Array) and is_float(x.dtype)
    if integer_exponent and x_float:
        y = y if isinstance(y, Array) else as_array(int(y))
        shape = broadcast_shapes(x.shape, y.shape)
        x, y = broadcast_to(x, shape), broadcast_to(cast(y, np.dtype(np.int32)), shape)
        return emit1("math.fpowi {0}, {1} : {t[0]}, {t[1]}", [x, y], shape, x.dtype)
    x, y = unify(x, y)
    if is_float(x.dtype):
        return elementwise("math.powf", x, y)
    x, y = _integers(x, y)
    # What is not a power of 1 or -1 has an inverse that rounds to 0.
    inverse = where(x == 1, 1, where(x == -1, 1 - 2 * bitwise_and(y, 1), 0))
    return where(y < 0, inverse, elementwise("math.ipowi", x, maximum(y, 0)))


def _small_power(x, exponent):
    if exponent == 0:
        return ones_like(x)
    if exponent == 1:
        return x
    half = multiply(x, x)
    return {2: lambda: half, 3: lambda: multiply(half, x),
            4: lambda: multiply(half, half)}[exponent]()


@publish
def arctan2(y, x):
    return elementwise("math.atan2", *(to_float(v) for v in unify(y, x)))


@publish
def copysign(x, y):
    return elementwise("math.copysign", *(to_float(v) for v in unify(x, y)))


@publish
def hypot(x, y):
    x, y = (to_float(v) for v in unify(x, y))
    return sqrt(x * x + y * y)


@publish
def logaddexp(x, y):
    """log(exp(x) + exp(y)) without overflow."""
    x, y = (to_float(v) for v in unify(x, y))
    # One condition selects both parts: then derivatives are right where x equals y, too.
    first = x >= y
    return where(first, x, y) + log1p(exp(where(first, y - x, x - y)))


@publish
def isnan(x):
    return compare(("uno", "ne", "ne"), x, x)


@publish
def isinf(x):
    return abs(x) == np.inf if is_float(x.dtype) else x != x


@publish
def isfinite(x):
    return abs(x) < np.inf if is_float(x.dtype) else x == x


@publish
def where(condition, x, y):
    """`x` where `condition`, else `y`; all three broadcast."""
    if not any(isinstance(v, Array) for v in (x, y)) and is_number(x) and is_number(y):
        x, y = as_array(x), as_array(y)
    x, y = unify(x, y)
    condition = cast(as_array(condition), np.dtype(bool))
    shape = broadcast_shapes(condition.shape, x.shape)
    condition, x, y = (broadcast_to(v, shape) for v in (condition, x, y))
    return emit1("arith.select {0}, {1}, {2} : {t[0]}, {t[1]}", [condition, x, y], shape,
                 x.dtype)


@publish
def clip(x, a_min=None, a_max=None, *, min=None, max=None):
    """The nearest number in [min, max] (also called a_min, a_max); None is no bound. The
    derivative is 1 between the bounds and 0 elsewhere, also at numbers as bounds."""
    min, max = (a_min if min is None else min), (a_max if max is None else max)
    if min is not None:
        x = maximum(x, min)
    return x if max is None else minimum(x, max)


@publish
def nan_to_num(x, nan=0.0):
    return where(isnan(x), nan, x)


def _like(value):
    def function(x, dtype=None):
        return broadcast_to(as_array(value, _dtypes.as_dtype(dtype or x.dtype)), x.shape)

    return function


_define("zeros_like", _like(0))
_define("ones_like", _like(1))


@publish
def full_like(x, value, dtype=None):
    dtype = _dtypes.as_dtype(dtype or x.dtype)
    value = as_array(value, dtype) if is_number(value) else cast(as_array(value), dtype)
    return broadcast_to(value, x.shape)


@publish
def astype(x, dtype):
    return x.astype(dtype)
