# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""memrev: differentiate programs by inversion, and run them.

Programs are written in Python and traced,

    import memrev
    import memrev.numpy as mnp

    @memrev.jit
    def f(x, w):
        return mnp.tanh(x @ w)

or given as MLIR text:

    mod = memrev.compile(open("model.mlir").read())
    loss, dw = mod["step"](x, w)

Arrays go in and out without a copy. Functions are pure unless an argument is
donated (`jit(donate=...)`, `rev.donated` in text).
"""

from . import cache, cuda, flows, io, lax, models, nn, numpy, optim, tree
from ._array import Array
from ._conditioning import Conditioning, conditioning
from ._custom import check_inverse, custom_inverse, custom_jvp, custom_vjp
from ._device import device_get, device_put
from ._dtypes import bfloat16
from ._drift import BlockDrift
from ._export import export
from ._external import external
from ._jit import ShapeDtype, jit
from ._program import (CompileError, Diagnostic, Function, Module, Parameter, compile,
                       load, openmp_library, workspace_bytes)
from ._transforms import (Jacobian, grad, hvp, inverse, jvp, log_det, stop_gradient,
                          value_and_grad, vjp)

__all__ = [
    "Array", "BlockDrift", "CompileError", "Conditioning", "Diagnostic", "Function",
    "Jacobian", "Module", "Parameter", "ShapeDtype", "bfloat16", "cache", "check_inverse",
    "compile", "conditioning", "cuda", "custom_inverse", "custom_jvp", "custom_vjp",
    "device_get", "device_put", "export", "external", "flows", "grad", "hvp", "inverse", "io",
    "jit", "jvp", "lax", "load", "log_det", "models", "nn", "numpy", "openmp_library", "optim",
    "stop_gradient", "tree", "value_and_grad", "vjp", "workspace_bytes",
]
