#!/usr/bin/env python3
# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Measures PyTorch and a compiled program in turn, on one pool of threads and on two.

Calls, many times: a convolution by PyTorch; a matrix product with tanh by memrev; both
in turn. Each round is a process of its own for each library that memrev's threads come
from: PyTorch's, as is the default, and libomp (MEMREV_OPENMP). With two pools, threads
of the one that waits for work take processor time from the one that works. Of the calls
of a round the time of the fastest tenth counts, for other programs slow the rest down;
the median of the rounds is written to ../results/threads.{json,md}.

  run.py [--rounds 7] [--calls 300] [--threads N]
"""

import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SIZE = 384
PROGRAM = f"""
!t = tensor<{SIZE}x{SIZE}xf32>
func.func @f(%x: !t, %w: !t) -> !t {{
  %zero = arith.constant dense<0.0> : !t
  %h = linalg.matmul ins(%x, %w : !t, !t) outs(%zero : !t) -> !t
  %t = math.tanh %h : !t
  return %t : !t
}}
"""
POOLS = {"one": "", "two": "libomp.so.5"}


def contest(calls, threads):
    """Prints milliseconds a call of each kind as JSON."""
    import numpy as np
    import torch

    import memrev
    torch.set_num_threads(threads)
    image, filters = torch.randn(8, 16, 32, 32), torch.randn(16, 16, 3, 3)
    f = memrev.compile(PROGRAM)["f"]
    x = np.random.default_rng(0).normal(size=(SIZE, SIZE)).astype(np.float32)

    def convolve():
        torch.conv2d(image, filters, padding=1)

    def compiled():
        f(x, x, threads=threads)

    def measure(work):
        times = []
        for _ in range(calls):
            start = time.perf_counter()
            work()
            times.append(time.perf_counter() - start)
        return 1e3 * statistics.quantiles(times, n=10)[0]

    def both():
        convolve()
        compiled()

    both()
    result = {"pytorch": measure(convolve), "memrev": measure(compiled), "both": measure(both)}
    result["library"] = os.path.basename(memrev.openmp_library())
    print(json.dumps(result))


def run_contest(pool, calls, threads):
    result = subprocess.run(
        [sys.executable, __file__, "--contest", "--calls", str(calls), "--threads", str(threads)],
        env={**os.environ, "MEMREV_OPENMP": POOLS[pool],
             "PYTHONPATH": str(ROOT / "python-frontend")},
        stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(result.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--calls", type=int, default=300)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--contest", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.contest:
        contest(options.calls, options.threads)
        return
    rounds = {pool: [] for pool in POOLS}
    for _ in range(options.rounds):
        # Side by side, so that what else the machine does meets both.
        for pool, found in rounds.items():
            found.append(run_contest(pool, options.calls, options.threads))
            print(pool, found[-1], flush=True)

    model = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    machine = model.group(1) if model else "an unknown machine"
    report = {"machine": machine, "threads": options.threads, "calls": options.calls,
              "load": os.getloadavg()[0], "rounds": rounds}
    results = HERE.parent / "results"
    (results / "threads.json").write_text(json.dumps(report, indent=1) + "\n")
    lines = [
        "# One pool of threads beside PyTorch", "",
        f"Milliseconds a call, fastest tenth of {options.calls} calls, median of "
        f"{options.rounds} rounds, "
        f"{options.threads} threads of {machine}; load of the machine at the end "
        f"{report['load']:.1f}.",
        "Written by `benchmarks/threads/run.py`, which describes the calls.", "",
        "| pools | library of memrev's threads | PyTorch alone | memrev alone | in turn "
        "| in turn / sum |", "|---|---|---|---|---|---|"]
    for pool, found in rounds.items():
        torch, memrev, both = (statistics.median(r[key] for r in found)
                               for key in ("pytorch", "memrev", "both"))
        lines.append(f"| {pool} | {found[0]['library']} | {torch:.2f} | {memrev:.2f} | "
                     f"{both:.2f} | {both / (torch + memrev):.2f} |")
    (results / "threads.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
