#!/usr/bin/env python3
# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Measures how the time of differentiation grows with the program.

Differentiates programs of growing length with memrev-opt and writes the time of
the pass alone, the median of some rounds, to ../results/differentiate.{json,md}.

  run.py [--memrev-opt build/bin/memrev-opt] [--rounds 5] [--largest 100000]

Programs:
  scalars    a straight line of scalar operations
  tensors    a straight line of elementwise operations on tensors
  fan        a tensor that every operation reads: one cotangent with as many sums
  network    matmul, addition, tanh with a weight for each layer
  couplings  couplings with a matmul each, inverted
  calls      calls of one function
"""

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile

T = "tensor<8xf64>"
M = "tensor<8x8xf64>"


def scalars(n, type="f64"):
    ops = ["arith.mulf %v{0}, %w", "math.sin %v{0}", "arith.addf %v{0}, %w", "math.tanh %v{0}"]
    lines = [f"  %v{i + 1} = {ops[i % 4].format(i)} : {type}" for i in range(n)]
    return (f"func.func @f(%v0: {type}, %w: {type}) -> {type} {{\n" + "\n".join(lines)
            + f"\n  return %v{n} : {type}\n}}\n")


def tensors(n):
    return scalars(n, T)


def fan(n):
    lines = [f"  %v1 = math.sin %v0 : {T}"]
    lines += [f"  %v{i + 1} = arith.mulf %v{i}, %v0 : {T}" for i in range(1, n)]
    return (f"func.func @f(%v0: {T}) -> {T} {{\n" + "\n".join(lines)
            + f"\n  return %v{n} : {T}\n}}\n")


def network(n):
    layers = max(1, n // 3)
    weights = ", ".join(f"%w{i}: {M}" for i in range(layers))
    lines = []
    for i in range(layers):
        lines += [f"  %m{i} = linalg.matmul ins(%v{i}, %w{i} : {M}, {M}) outs(%z : {M}) -> {M}",
                  f"  %a{i} = arith.addf %m{i}, %v{i} : {M}",
                  f"  %v{i + 1} = math.tanh %a{i} : {M}"]
    return (f"func.func @f(%v0: {M}, {weights}) -> {M} {{\n  %z = arith.constant dense<0.0> : {M}\n"
            + "\n".join(lines) + f"\n  return %v{layers} : {M}\n}}\n")


def couplings(n):
    layers = max(1, n // 3)
    weights = ", ".join(f"%w{i}: {M}" for i in range(layers))
    lines = []
    for i in range(layers):
        # The halves change places with every coupling.
        lines.append(f"""  %v{i + 2} = rev.coupling additive %v{i} given(%v{i + 1}) {{
  ^bb0(%c: {M}):
    %m = linalg.matmul ins(%c, %w{i} : {M}, {M}) outs(%z : {M}) -> {M}
    %t = math.tanh %m : {M}
    rev.yield %t : {M}
  }} : {M}, ({M})""")
    return (f"func.func @f(%v0: {M}, %v1: {M}, {weights}) -> ({M}, {M}) {{\n"
            f"  %z = arith.constant dense<0.0> : {M}\n" + "\n".join(lines)
            + f"\n  return %v{layers}, %v{layers + 1} : {M}, {M}\n}}\n")


def calls(n):
    lines = [f"  %v{i + 1} = call @layer(%v{i}, %w) : ({M}, {M}) -> {M}" for i in range(n)]
    return f"""func.func private @layer(%x: {M}, %w: {M}) -> {M} {{
  %z = arith.constant dense<0.0> : {M}
  %m = linalg.matmul ins(%x, %w : {M}, {M}) outs(%z : {M}) -> {M}
  %t = math.tanh %m : {M}
  return %t : {M}
}}
func.func @f(%v0: {M}, %w: {M}) -> {M} {{
""" + "\n".join(lines) + f"\n  return %v{n} : {M}\n}}\n"


PROGRAMS = {f.__name__: f for f in (scalars, tensors, fan, network, couplings, calls)}


def measure(memrev_opt, path, mode):
    """Seconds that rev-differentiate alone takes."""
    result = subprocess.run(
        [memrev_opt, path, f"--pass-pipeline=builtin.module(rev-differentiate{{function=f mode={mode}}})",
         "--mlir-timing", "--mlir-timing-display=list", "-o", os.devnull],
        capture_output=True, text=True)
    match = re.search(r"([0-9.]+) \( *[0-9.]+%\)\s+RevDifferentiate", result.stderr)
    if result.returncode != 0 or not match:
        sys.exit(f"error: memrev-opt failed on {path}:\n{result.stderr[:2000]}")
    return float(match.group(1))


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--memrev-opt", default=os.path.join(here, "../../build/bin/memrev-opt"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--largest", type=int, default=100000)
    parser.add_argument("--programs", nargs="*", default=list(PROGRAMS))
    options = parser.parse_args()

    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name in options.programs:
            n = 1000
            while n <= options.largest:
                path = os.path.join(folder, f"{name}.mlir")
                with open(path, "w") as file:
                    file.write(PROGRAMS[name](n))
                row = {"program": name, "operations": n}
                for mode in ("vjp", "jvp"):
                    row[mode] = statistics.median(
                        measure(options.memrev_opt, path, mode) for _ in range(options.rounds))
                rows.append(row)
                print(f"{name:10} {n:7}  vjp {row['vjp']:.3f} s  jvp {row['jvp']:.3f} s", flush=True)
                n *= 10

    results = os.path.join(here, "../results")
    with open("/proc/cpuinfo") as file:
        model = re.search(r"model name\s*: (.*)", file.read())
    machine = model.group(1) if model else platform.machine()
    with open(os.path.join(results, "differentiate.json"), "w") as file:
        json.dump({"machine": machine, "rounds": options.rounds, "seconds": rows}, file, indent=1)
        file.write("\n")
    with open(os.path.join(results, "differentiate.md"), "w") as file:
        file.write(f"# Time of differentiation\n\nSeconds of `rev-differentiate` alone, median of "
                   f"{options.rounds} rounds, one thread of {machine}.\nWritten by "
                   "`benchmarks/differentiate/run.py`, which describes the programs.\n\n"
                   "| program | operations | vjp, s | jvp, s | vjp, µs an operation |\n"
                   "|---|---|---|---|---|\n")
        for row in rows:
            file.write(f"| {row['program']} | {row['operations']} | {row['vjp']:.4f} | "
                       f"{row['jvp']:.4f} | {1e6 * row['vjp'] / row['operations']:.1f} |\n")


if __name__ == "__main__":
    main()
