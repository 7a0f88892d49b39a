# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Traced functions as shared libraries for programs without Python."""

from pathlib import Path
from typing import Optional

from . import _graph, _program
from ._files import atomic_write
from ._jit import Jitted


def export(path, /, cpu: str = "native", target: str = "cpu", chip: Optional[str] = None,
           threads: int = 0, fp32_precision: str = "ieee", contractions: str = "generated",
           **functions):
    """Writes jitted functions as one shared library, and a C header next to it.

        memrev.export("model.so", predict=(predict, params, x), step=(step, params, x, y))

    path: of the library; the header has its name with the suffix ".h".
    cpu: the processor to compile for, as LLVM names it.
    target, chip: what to compile for, as `memrev.compile` has it; a library for "cuda" holds
        its kernels and needs nothing but the driver, and libraries with other `contractions`.
    threads: 1 compiles for one thread, without OpenMP; 0 uses all processors.
    fp32_precision, contractions: how matrices are multiplied for cuda, as `memrev.compile` has
        it.
    functions: the name of each function in the library, and a tuple of what `jit`
        returned and the arguments of a call; arrays may be stood for by `ShapeDtype`.

    The header names each argument and result by its place in the Python function's
    arguments and results. A library for the CPU needs OpenMP's runtime (libomp) and nothing else
    of memrev. Raises CompileError as `jit` does, TypeError for what is no jitted function,
    RuntimeError if there is no C++ compiler to link with, and OSError if a file cannot be
    written.
    """
    program = _graph.Program(public=functions)
    for name, (function, *args) in functions.items():
        if not isinstance(function, Jitted):
            raise TypeError(f"export expects what jit returned for '{name}', but got "
                            f"{type(function).__name__}")
        if _graph.sanitize(name) != name:
            raise ValueError(f"export expects names in ASCII, but got '{name}'")
        function.trace_into(program, name, args)
    module = _program.compile(program.print(locations=True), target, chip=chip, cpu=cpu,
                              threads=threads, fp32_precision=fp32_precision,
                              contractions=contractions, file="<export>")
    module.write_library(path)
    with atomic_write(Path(path).with_suffix(".h")) as file:
        file.write(module.header.encode())
