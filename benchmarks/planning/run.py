#!/usr/bin/env python3
# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Measures how long it takes to plan unrolled networks for a memory budget.

Compiles gradients of chains of couplings, a matrix product and a tanh each, that
share their weights or have their own, up to their buffers: without a budget and
with budgets between what inversion takes and what storing everything takes.
Writes processor seconds of memrev-compile, the median of some rounds, to
../results/planning.{json,md}.

  run.py [--memrev-compile build/bin/memrev-compile] [--rounds 3] [--blocks 250 500 1000 2000]
"""

import argparse
import json
import os
import platform
import re
import resource
import statistics
import subprocess
import sys
import tempfile

T = "tensor<256x256xf32>"
# Parts of the way from the peak of inversion to that of storing everything.
PARTS = (0.05, 0.25, 0.5, 0.9, 1.1)


def network(blocks: int, shares: bool) -> str:
    weights = ["%w0"] if shares else [f"%w{i}" for i in range(blocks)]
    types = ", ".join([T] * len(weights))
    arguments = ", ".join(f"{weight}: {T}" for weight in weights)
    # The halves change places with every coupling.
    couplings = "\n".join(
        f"""  %v{i + 2} = rev.coupling additive %v{i} given(%v{i + 1}) {{
  ^bb0(%c: {T}):
    %e = tensor.empty() : {T}
    %z = linalg.fill ins(%zero : f32) outs(%e : {T}) -> {T}
    %m = linalg.matmul ins(%c, {weights[i % len(weights)]} : {T}, {T}) outs(%z : {T}) -> {T}
    %t = math.tanh %m : {T}
    rev.yield %t : {T}
  }} : {T}, ({T})""" for i in range(blocks))
    wrt = ", ".join(str(i + 1) for i in range(len(weights)))
    results = ", ".join(f"%dw#{i}" for i in range(len(weights)))
    return f"""func.func private @f(%v0: {T}, {arguments}) -> {T} {{
  %zero = arith.constant 0.0 : f32
  %v1 = math.sin %v0 : {T}
{couplings}
  return %v{blocks + 1} : {T}
}}
func.func @gradient(%x: {T}, {arguments}, %dy: {T}) -> ({types}) {{
  %dw:{len(weights)} = rev.vjp @f(%x, {", ".join(weights)}) cotangents(%dy) wrt [{wrt}]
      : ({T}, {types}, {T}) -> ({types})
  return {results} : {types}
}}
"""


def compile_once(command: list[str]) -> dict:
    """The peak of a compilation in bytes, and the seconds that it takes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = subprocess.run(command, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    peak = re.search(r"peak +([0-9]+) bytes", result.stdout)
    if result.returncode != 0 or not peak:
        sys.exit(f"error: {' '.join(command)} failed:\n{result.stderr[:2000]}")
    seconds = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return {"peak": int(peak.group(1)), "seconds": round(seconds, 3)}


def measure(command: list[str], rounds: int) -> dict:
    runs = [compile_once(command) for _ in range(rounds)]
    return {key: statistics.median(run[key] for run in runs) for key in runs[0]}


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--memrev-compile",
                        default=os.path.join(here, "../../build/bin/memrev-compile"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--blocks", type=int, nargs="*", default=[250, 500, 1000, 2000])
    options = parser.parse_args()

    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for weights in ("shared", "own"):
            for blocks in options.blocks:
                path = os.path.join(folder, "network.mlir")
                with open(path, "w") as file:
                    file.write(network(blocks, weights == "shared"))
                command = [options.memrev_compile, path, "--until=bufferize", "--report=memory"]
                least = measure(command, options.rounds)
                most = compile_once(command + [f"--memory-budget={1 << 20}MiB"])["peak"]
                for part in (None, *PARTS):
                    row = {"weights": weights, "blocks": blocks, "budget": None, **least}
                    if part is not None:
                        row["budget"] = int(least["peak"] + part * (most - least["peak"]))
                        row.update(measure(command + [f"--memory-budget={row['budget']}"],
                                           options.rounds))
                    rows.append(row)
                    print(row, flush=True)

    results = os.path.join(here, "../results")
    with open("/proc/cpuinfo") as file:
        model = re.search(r"model name\s*: (.*)", file.read())
    machine = model.group(1) if model else platform.machine()
    with open(os.path.join(results, "planning.json"), "w") as file:
        json.dump({"machine": machine, "rounds": options.rounds, "rows": rows}, file, indent=1)
        file.write("\n")
    with open(os.path.join(results, "planning.md"), "w") as file:
        file.write("# Time of planning\n\nProcessor seconds of `memrev-compile --until=bufferize` "
                   f"for unrolled chains of couplings; rounds: {options.rounds}, on {machine}.\n"
                   "Written by `benchmarks/planning/run.py`, which describes the "
                   "programs.\n\n"
                   "| weights | blocks | budget, MiB | peak, MiB | seconds |\n"
                   "|---|---:|---:|---:|---:|\n")
        for row in rows:
            budget = "none" if row["budget"] is None else f"{row['budget'] / 2**20:.1f}"
            file.write(f"| {row['weights']} | {row['blocks']} | {budget} | "
                       f"{row['peak'] / 2**20:.1f} | {row['seconds']:.2f} |\n")


if __name__ == "__main__":
    main()
