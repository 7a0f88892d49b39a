# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""NumPy's functions for traced arrays.

Names and meanings are NumPy's (https://numpy.org/doc/stable/reference); what is
different: Python's numbers and NumPy's scalars take the type of the arrays beside
them, integers divide to float32, and random numbers are in `memrev.lax`. Programs raise
no errors while they run: traced indices that are out of range take the nearest entry,
and integers divided by zero give 0. Arguments behind `axis` and `dtype` have names;
`out`, `where` and `initial` are not there. Without a traced array among their
arguments these functions are NumPy's own.

    import memrev.numpy as mnp
    y = mnp.tanh(mnp.matmul(x, w))
"""

import numpy as _np

from .._dtypes import bfloat16
from . import _elements, _products, _reductions, _scans, _shapes, linalg
from ._publish import names as _names

globals().update(_names)
# Other names of the same functions.
true_divide, mod, float_power, pow = (
    _names["divide"], _names["remainder"], _names["power"], _names["power"])
absolute, fabs = _names["abs"], _names["abs"]
around = _names["round"]
amax, amin = _names["max"], _names["min"]
concat, permute_dims = _names["concatenate"], _names["transpose"]
acos, asin, atan, atan2 = (_names[n] for n in ("arccos", "arcsin", "arctan", "arctan2"))
acosh, asinh, atanh = (_names[n] for n in ("arccosh", "arcsinh", "arctanh"))

# Types, constants, and functions whose arguments are never traced.
float16, float32, float64 = _np.float16, _np.float32, _np.float64
int8, int16, int32, int64, bool_ = _np.int8, _np.int16, _np.int32, _np.int64, _np.bool_
pi, e, inf, nan, newaxis = _np.pi, _np.e, _np.inf, _np.nan, None
zeros, ones, full, arange, linspace, eye, identity, meshgrid, tri = (
    _np.zeros, _np.ones, _np.full, _np.arange, _np.linspace, _np.eye, _np.identity,
    _np.meshgrid, _np.tri)


def __getattr__(name):
    if hasattr(_np, name):
        raise AttributeError(f"expects a NumPy function that traced arrays have, but got "
                             f"numpy.{name}")
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")


__all__ = sorted(name for name in globals() if not name.startswith("_"))
