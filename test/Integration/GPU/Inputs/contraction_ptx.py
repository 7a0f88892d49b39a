# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Checks what contractions of large sizes are assembled to.

The loop over the depth must hold exactly the multiplications that the chosen
tile implies, and with --ptxas the assembler must keep everything in registers.

  contraction_ptx.py --chip sm_80 [--ptxas PTXAS]
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile

# Rows, columns and depth of what one instruction multiplies, and its name.
UNITS = {
    "half": (16, 8, 16, "mma.sync"),
    "tf32": (16, 8, 8, "mma.sync"),
    "tf32x3": (16, 8, 8, "mma.sync"),
    "double": (8, 8, 4, "mma.sync"),
    "scalar": (1, 1, 1, "fma.rn.f32"),
    "warpgroup": (64, None, 16, "wgmma.mma_async"),
}


def product(rows, columns, depth, left, right, factor, sum_):
    """A matrix product; `left` and `right` are the indices of the factors."""
    sizes = {"m": rows, "n": columns, "k": depth}

    def tensor(indices, type_):
        return "tensor<" + "".join(f"{sizes[i]}x" for i in indices) + type_ + ">"

    a, b, c = tensor(left, factor), tensor(right, factor), tensor("mn", sum_)
    maps = ", ".join(f"affine_map<(m, n, k) -> ({', '.join(i)})>" for i in (left, right, "mn"))
    return f"""func.func @f(%a: {a}, %b: {b}, %c: {c}) -> {c} {{
  %r = linalg.matmul indexing_maps = [{maps}] ins(%a, %b : {a}, {b}) outs(%c : {c}) -> {c}
  return %r : {c}
}}"""


def convolution(images, size, channels, filters, factor, sum_):
    x = f"tensor<{images}x{size}x{size}x{channels}x{factor}>"
    w = f"tensor<3x3x{channels}x{filters}x{factor}>"
    y = f"tensor<{images}x{size - 2}x{size - 2}x{filters}x{sum_}>"
    return f"""func.func @f(%a: {x}, %b: {w}, %c: {y}) -> {y} {{
  %r = linalg.conv_2d_nhwc_hwcf ins(%a, %b : {x}, {w}) outs(%c : {y}) -> {y}
  return %r : {y}
}}"""


def get_programs():
    for factor, sum_ in (("f16", "f32"), ("bf16", "f32"), ("f32", "f32"), ("f64", "f64")):
        for left, right in (("mk", "kn"), ("km", "kn"), ("mk", "nk"), ("km", "nk")):
            name = f"{left}*{right} of {factor}"
            yield name, product(4096, 4096, 4096, left, right, factor, sum_)
        yield f"convolution of {factor}", convolution(32, 58, 128, 256, factor, sum_)


def check(name, program, options, precision, folder):
    with open(f"{folder}/program.mlir", "w") as file:
        file.write(program)
    result = subprocess.run(
        ["memrev-opt", f"{folder}/program.mlir",
         f"--memrev-gpu-schedule=chip={options.chip} fp32-precision={precision}",
         "--mlir-print-ir-after=gpu-select-strategy", "-o", f"{folder}/scheduled.mlir"],
        stderr=subprocess.PIPE, text=True, check=True)
    strategy = re.search(r'memrev.strategy = \{engine = "contraction"(.*?)\}', result.stderr)[1]
    rows, columns, depth = map(int, re.search(r"tile = array<i64: (.*?)>", strategy)[1].split(","))
    row_warps, column_warps = map(
        int, re.search(r"warps = array<i64: (.*?)>", strategy)[1].split(","))
    unit = re.search(r'unit = "(\w+)"', strategy)[1]
    unit_rows, unit_columns, unit_depth, instruction = UNITS[unit]
    if unit == "warpgroup":
        # A group of four warps multiplies all its columns at once.
        implied = rows // (row_warps // 4) // unit_rows * (depth // unit_depth)
    else:
        implied = rows * columns * depth // (row_warps * column_warps)
        implied //= unit_rows * unit_columns * unit_depth
        if unit == "scalar":
            implied //= 32
        elif unit == "tf32x3":
            # Three products for one, in either of two loops.
            implied *= 2 * 3

    bufferized = subprocess.run(
        ["memrev-opt", f"{folder}/scheduled.mlir", "--memrev-bufferize"],
        stdout=subprocess.PIPE, check=True).stdout
    binary = subprocess.run(
        ["memrev-opt", "-", f"--memrev-gpu-binary=chip={options.chip} format=isa"],
        input=bufferized, stdout=subprocess.PIPE, check=True).stdout.decode("latin-1")
    text = re.search(r'assembly = "((?:[^"\\]|\\.)*)"', binary)[1]
    ptx = re.sub(r"\\([0-9A-Fa-f]{2}|.)",
                 lambda m: chr(int(m[1], 16)) if len(m[1]) == 2 else m[1], text).rstrip("\0")
    # What one block of the kernel with the products does once is not among
    # them.
    found = len(re.findall(rf"^\s*{re.escape(instruction)}", ptx, flags=re.M))
    wrong = found != implied
    print(f"{name} by {unit}: {found} {instruction}")
    if wrong:
        print(f"expects {implied} for the tile {rows}x{columns}x{depth}")
    if options.ptxas:
        with open(f"{folder}/kernels.ptx", "w") as file:
            file.write(ptx)
        report = subprocess.run(
            [options.ptxas, "-v", f"-arch={options.chip}", f"{folder}/kernels.ptx", "-o",
             os.devnull], stderr=subprocess.STDOUT, stdout=subprocess.PIPE, text=True, check=True)
        spills = re.findall(r"(\d+) bytes spill", report.stdout)
        if not spills or any(int(spill) for spill in spills) or "C7510" in report.stdout:
            print(report.stdout)
            wrong = True
    return not wrong


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--chip", required=True)
    parser.add_argument("--ptxas")
    options = parser.parse_args()
    right = True
    with tempfile.TemporaryDirectory() as folder:
        for name, program in get_programs():
            for precision in ("ieee", "tf32", "tf32x3") if "f32" in name else ("ieee",):
                right &= check(name, program, options, precision, folder)
    sys.exit(0 if right else "the kernels are not what their tiles say")


main()
