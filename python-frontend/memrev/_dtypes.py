# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Element types of traced arrays: NumPy's, and bfloat16, which NumPy lacks."""

import numpy as np


class _BFloat16:
    """The type of brain floats: 8 bits of exponent, 8 of precision."""

    name = "bfloat16"
    kind = "f"
    itemsize = 2

    def __repr__(self):
        return "bfloat16"

    __str__ = __repr__


#: Brain floating point, for values inside of a program: `x.astype(memrev.bfloat16)`.
bfloat16 = _BFloat16()

_MLIR_NAMES = {
    "bool": "i1",
    "int8": "i8",
    "int16": "i16",
    "int32": "i32",
    "int64": "i64",
    "float16": "f16",
    "bfloat16": "bf16",
    "float32": "f32",
    "float64": "f64",
}
_FROM_MLIR = {mlir: name for name, mlir in _MLIR_NAMES.items()}


def as_dtype(dtype):
    """Returns `dtype` as `np.dtype` or `bfloat16`.

    Raises TypeError for types that programs do not have.
    """
    if dtype is bfloat16 or dtype == "bfloat16":
        return bfloat16
    if getattr(dtype, "name", None) == "bfloat16":  # ml_dtypes' type
        return bfloat16
    result = np.dtype(dtype)
    if result.name not in _MLIR_NAMES:
        known = ", ".join(_MLIR_NAMES)
        raise TypeError(f"expects a dtype out of {known}, but got {result}")
    return result


def mlir_name(dtype):
    """The name of an element type in MLIR."""
    return _MLIR_NAMES[dtype.name]


def from_mlir(name):
    """The element type of that name in MLIR."""
    return as_dtype(_FROM_MLIR[name])


def is_float(dtype):
    return dtype.kind == "f"


def precision(dtype):
    """The bits of a float's significand, the leading one included."""
    return 8 if dtype is bfloat16 else np.finfo(dtype).nmant + 1


def is_bool(dtype):
    return dtype.kind == "b"


def promote(left, right):
    """The type of the result of an operation on `left` and `right`.

    Two floats give the wider one, where float16 and bfloat16 give float32; a
    float and an integer give the float; two integers the wider one.
    """
    if left == right:
        return left
    if is_float(left) != is_float(right):
        return left if is_float(left) else right
    if is_bool(left) != is_bool(right):
        return right if is_bool(left) else left
    if left.itemsize == right.itemsize:  # float16 and bfloat16
        return np.dtype(np.float32)
    return left if left.itemsize > right.itemsize else right
