# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Differentiates the loops of plain-streams.mlir by inversion and by storing.

usage: check_plain_streams.py FILE
"""

import pathlib
import re
import sys

import numpy as np

import memrev

X = "tensor<8x8xf64>"
# Of the largest gradient, after 32 iterations in double precision.
TOLERANCE = 1e-12


def gradient(name, policy):
    """A function that differentiates @`name` in all arguments."""
    return f"""
func.func @{name}_{policy}(%x: {X}, %y: {X}, %w: {X}, %dx: {X}, %dy: {X}) -> ({X}, {X}, {X}) {{
  %g:3 = rev.vjp @{name}(%x, %y, %w) cotangents(%dx, %dy) policy({policy}) : ({X}, {X}, {X}, {X}, {X}) -> ({X}, {X}, {X})
  return %g#0, %g#1, %g#2 : {X}, {X}, {X}
}}"""


def compile_loops(text, number):
    names = re.findall(r"func\.func @(\w+)", text)
    functions = [gradient(name, policy) for name in names for policy in ("invert", "store")]
    source = text.replace("NUMBER", str(number)) + "".join(functions)
    return names, memrev.compile(source)


def main():
    text = pathlib.Path(sys.argv[1]).read_text()
    names, module = compile_loops(text, 32)
    _, short = compile_loops(text, 8)
    rng = np.random.default_rng(0)
    arguments = [0.1 * rng.standard_normal((8, 8)) for _ in range(5)]
    for name in names:
        inverted = module[f"{name}_invert"](*arguments)
        stored = module[f"{name}_store"](*arguments)
        for i, (actual, expected) in enumerate(zip(inverted, stored)):
            error = np.abs(actual - expected).max() / np.abs(expected).max()
            assert error < TOLERANCE, f"gradient {i} of {name} is {error} off"
        sizes = [m[f"{name}_invert"].workspace_bytes for m in (short, module)]
        assert sizes[0] == sizes[1], f"the workspace of {name} grows: {sizes}"
        assert sizes[1] < module[f"{name}_store"].workspace_bytes, name


main()
