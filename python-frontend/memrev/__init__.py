# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""memrev: differentiate programs by inversion, and run them.

    import memrev
    mod = memrev.compile(open("model.mlir").read())
    loss, dw = mod["step"](x, w)

Arrays go in and out without a copy. Functions are pure unless an argument is
marked `rev.donated` in the program.
"""

from ._program import CompileError, Diagnostic, Function, Module, Parameter, compile

__all__ = ["compile", "CompileError", "Diagnostic", "Function", "Module", "Parameter"]
