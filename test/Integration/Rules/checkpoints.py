# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Checkpoints of loops: how often iterations run, and that gradients are the same.

The loop's body has an arith.subf that no derivative reads. In the derived program
each of them is followed by a call that counts. With s slots a loop of n iterations
runs n times forward and advances p(n, s) - (n - 1) times on the way back, where
p(n, s) is the least number of advances (Griewank and Walther 2000).
"""

import re
import subprocess
import sys
from math import comb

from harness import LOWERING

MOST_TRIPS, MOST_SLOTS = 64, 8
PERIODS = (1, 3, 8, 100)


def least_advances(n, slots):
    repetitions = 1
    while comb(slots + repetitions, slots) < n:
        repetitions += 1
    return repetitions * n - comb(slots + repetitions, repetitions - 1)


def function(name, attribute, body):
    return f"""
func.func private @{name}(%x: f64, %w: f64, %n: index) -> f64 {{
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r = scf.for %k = %c0 to %n step %c1 iter_args(%a = %x) -> f64 {{{body}
    scf.yield %y : f64
  }}{attribute}
  return %r : f64
}}"""


def derive(name, result):
    return f"""
    {result}:2 = rev.vjp @{name}(%x, %w, %n) cotangents(%x) : (f64, f64, index, f64) -> (f64, f64)"""


def lower_and_run(text, memrev_opt, mlir_runner, libraries, edit=lambda text: text):
    """Derives the functions, edits the text of the result, and runs it."""
    def run(command, text):
        done = subprocess.run(command, input=text, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(done.stderr)
        return done.stdout
    derived = edit(run([memrev_opt, "--rev-differentiate", "--symbol-dce"], text))
    lowered = run([memrev_opt, f"--pass-pipeline={LOWERING}"], derived)
    printed = run([mlir_runner, "-O0", "-e", "main", "--entry-point-result=void",
                   f"--shared-libs={libraries}/libmlir_c_runner_utils.so",
                   f"--shared-libs={libraries}/libmlir_runner_utils.so"], lowered)
    return [int(line) for line in printed.split()]


def count(*tools):
    """The number of iterations run, by slots and then by trips."""
    body = """
    %s = math.sin %a : f64
    %y = arith.subf %s, %w : f64"""
    text, calls = "", ""
    for slots in range(1, MOST_SLOTS + 1):
        text += function(f"f{slots}", f" {{rev.checkpoint = #rev.binomial<{slots}>}}", body)
        calls += f"""
  scf.for %n = %c1 to %end step %c1 {{
    memref.store %zero, %count[] : memref<i64>{derive(f"f{slots}", f"%g{slots}")}
    %sum{slots} = arith.addf %g{slots}#0, %g{slots}#1 : f64
    memref.store %sum{slots}, %sink[] : memref<f64>
    %total{slots} = memref.load %count[] : memref<i64>
    vector.print %total{slots} : i64
  }}"""
    text += f"""
memref.global @count : memref<i64> = dense<0>
memref.global @sink : memref<f64> = dense<0.0>
func.func private @tick() {{
  %one = arith.constant 1 : i64
  %count = memref.get_global @count : memref<i64>
  %old = memref.load %count[] : memref<i64>
  %new = arith.addi %old, %one : i64
  memref.store %new, %count[] : memref<i64>
  return
}}
func.func @main() {{
  %c1 = arith.constant 1 : index
  %end = arith.constant {MOST_TRIPS + 1} : index
  %zero = arith.constant 0 : i64
  %x = arith.constant 1.0 : f64
  %w = arith.constant 2.0 : f64
  %count = memref.get_global @count : memref<i64>
  %sink = memref.get_global @sink : memref<f64>{calls}
  func.call @tick() : () -> ()
  return
}}"""

    def add_ticks(text):
        return re.sub(r"( = arith.subf .*)", r"\1\nfunc.call @tick() : () -> ()", text)
    return lower_and_run(text, *tools, edit=add_ticks)


def compare(*tools):
    """The bits of gradients, of loops without checkpoints and of others."""
    body = """
    %k0 = arith.index_cast %k : index to i64
    %k1 = arith.sitofp %k0 : i64 to f64
    %p = arith.mulf %a, %w : f64
    %q = arith.addf %p, %k1 : f64
    %y = math.sin %q : f64"""
    kinds = {"store": ""}
    kinds |= {f"periodic{k}": f" {{rev.checkpoint = #rev.periodic<{k}>}}" for k in PERIODS}
    kinds |= {f"binomial{s}": f" {{rev.checkpoint = #rev.binomial<{s}>}}"
              for s in range(1, MOST_SLOTS + 1)}
    text, calls = "", ""
    for name, attribute in kinds.items():
        text += function(name, attribute, body)
        calls += derive(name, f"%{name}")
        for i in (0, 1):
            calls += f"""
    %{name}_{i} = arith.bitcast %{name}#{i} : f64 to i64
    vector.print %{name}_{i} : i64"""
    text += f"""
func.func @main() {{
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %end = arith.constant {MOST_TRIPS} : index
  %x = arith.constant 0.7 : f64
  %w = arith.constant 1.3 : f64
  scf.for %n = %c0 to %end step %c1 {{{calls}
  }}
  return
}}"""
    return list(kinds), lower_and_run(text, *tools)


def main(tools):
    failed = 0
    numbers = iter(count(*tools))
    for slots in range(1, MOST_SLOTS + 1):
        for n in range(1, MOST_TRIPS + 1):
            expected, got = least_advances(n, slots) + 1, next(numbers)
            if got != expected:
                failed += 1
                print(f"FAIL {n} trips, {slots} slots: expects {expected} runs, but got {got}")
    names, bits = compare(*tools)
    width = 2 * len(names)
    for n in range(MOST_TRIPS):
        row = bits[n * width:(n + 1) * width]
        for i, name in enumerate(names):
            if row[2 * i:2 * i + 2] != row[:2]:
                failed += 1
                print(f"FAIL {n} trips, {name}: the gradient differs")
    # A gradient that is the same for all trips would be no test.
    if len(set(bits)) < MOST_TRIPS:
        sys.exit("the gradients do not depend on the number of trips")
    print(f"{MOST_SLOTS * MOST_TRIPS} counts and {len(bits)} gradients, {failed} wrong")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main(sys.argv[1:])
