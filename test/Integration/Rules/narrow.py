# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Evaluates every scalar rule in f32, f16 and bf16 next to the same rule in f64.

Both are evaluated at numbers that the narrow type holds, in reverse and in forward
mode. They differ by what rounding makes of a formula of a few operations.
"""

import subprocess
import sys

from harness import LOWERING
from sweep import ENTRIES, ERROR, POINTS, TYPE, SweepWriter

# Half a unit in the last place.
ROUNDOFF = {"f32": 2.0 ** -24, "f16": 2.0 ** -11, "bf16": 2.0 ** -8}
# Of a difference relative to the sum of both sides.
ROUNDINGS = 6
# What converts between floats is checked by its emitted form.
LEFT_OUT = {"arith.extf", "arith.truncf"}


class NarrowWriter(SweepWriter):
    def narrow(self, value, element):
        """`value` rounded, by way of f32, for which there are instructions."""
        for to in ["f32"] + [element] * (element != "f32"):
            target = TYPE.replace("f64", to)
            source = TYPE if to == "f32" else TYPE.replace("f64", "f32")
            value = self.emit(f"arith.truncf {value} : {source} to {target}", target)
        return value

    def widen(self, value, element):
        return self.emit(f"arith.extf {value} : {TYPE.replace('f64', element)} to {TYPE}",
                         TYPE)

    def define(self, entry, name, element):
        type = TYPE.replace("f64", element)
        args = ", ".join(f"%{i}: {type}" for i in range(len(entry.ranges)))
        outputs = ", ".join(["%y", "%z"][:entry.results])
        results = ", ".join([type] * entry.results)
        self.text.append(
            f"func.func private @{name}_{element}({args}) -> ({results}) {{\n"
            f"{entry.body.replace('f64', element)}\nreturn {outputs} : {results}\n}}")

    def derive(self, entry, name, element, mode, values, direction, i, k):
        type = TYPE.replace("f64", element)
        types = ", ".join([type] * (len(values) + 1))
        values = ", ".join(values)
        if mode == "vjp":
            return self.emit(f"rev.vjp @{name}_{element}({values}) cotangents({direction}) "
                             f"wrt [{i}] of [{k}] : ({types}) -> {type}", type)
        results = self.fresh()
        self.text.append(
            f"  {results}:{entry.results + 1} = rev.jvp @{name}_{element}({values}) "
            f"tangents({direction}) wrt [{i}] of [{k}] : ({types}) -> "
            f"({', '.join([type] * (entry.results + 1))})")
        return f"{results}#{entry.results}"

    def write_entry(self, entry, seed):
        labels = []
        name = "op_" + entry.op.replace(".", "_")
        self.define(entry, name, "f64")
        args = ", ".join(f"%{i}: {TYPE}" for i in range(len(entry.ranges)))
        margin = entry.margin or f"%m = arith.constant dense<1.0> : {TYPE}"
        self.text.append(f"func.func private @{name}_margin({args}) -> {TYPE} {{\n{margin}\n"
                         f"return %m : {TYPE}\n}}")
        for element in ROUNDOFF:
            self.define(entry, name, element)
        self.text.append(f"func.func @check_{name}() {{")
        exact = [self.random(TYPE, seed + i, *r) for i, r in enumerate(entry.ranges)]
        w = self.random(TYPE, seed + 50, 0.5, 1.5)
        for element, roundoff in ROUNDOFF.items():
            narrow = [self.narrow(value, element) for value in exact]
            direction = self.narrow(w, element)
            wide = [self.widen(value, element) for value in narrow]
            wide_direction = self.widen(direction, element)
            m = self.emit(f"func.call @{name}_margin({', '.join(wide)}) : "
                          f"({', '.join([TYPE] * len(wide))}) -> {TYPE}", TYPE)
            for i in entry.wrt:
                for k in range(entry.results):
                    for mode in ("vjp", "jvp"):
                        wanted = self.derive(entry, name, "f64", mode, wide, wide_direction,
                                             i, k)
                        found = self.widen(self.derive(entry, name, element, mode, narrow,
                                                       direction, i, k), element)
                        self.compare(wanted, found, wide_direction, m)
                        labels.append((f"{entry.op} operand {i} result {k} {mode} in {element}",
                                       ROUNDINGS * roundoff))
        self.text += ["  return", "}"]
        return labels


def run(memrev_opt, mlir_runner, libraries):
    writer, labels = NarrowWriter(), []
    entries = [entry for entry in ENTRIES if entry.op not in LEFT_OUT]
    for n, entry in enumerate(entries):
        labels += writer.write_entry(entry, 1000 + 100 * n)
    calls = [f"  call @check_op_{e.op.replace('.', '_')}() : () -> ()" for e in entries]
    text = "\n".join([ERROR] + list(writer.helpers.values()) + writer.text
                     + ["func.func @main() {"] + calls + ["  return", "}"])
    # A tenth of the points.
    text = text.replace(f"tensor<{POINTS}x", f"tensor<{POINTS // 10}x")
    lowered = subprocess.run([memrev_opt, f"--pass-pipeline={LOWERING}"], input=text,
                             capture_output=True, text=True)
    if lowered.returncode != 0:
        sys.exit(lowered.stderr)
    ran = subprocess.run(
        [mlir_runner, "-O0", "-e", "main", "--entry-point-result=void",
         f"--shared-libs={libraries}/libmlir_c_runner_utils.so",
         f"--shared-libs={libraries}/libmlir_float16_utils.so"],
        input=lowered.stdout, capture_output=True, text=True)
    numbers = [float(line) for line in ran.stdout.split()]
    if ran.returncode != 0 or len(numbers) != 2 * len(labels):
        sys.exit(ran.stderr or f"expects {2 * len(labels)} numbers, but got {len(numbers)}")
    failed = 0
    for (label, tolerance), error, count in zip(labels, numbers[::2], numbers[1::2]):
        ok = error <= tolerance and count > 0
        failed += not ok
        print(f"{'ok  ' if ok else 'FAIL'} {label}: {error:.1e} at {int(count)} points")
    print(f"{len(labels) - failed} of {len(labels)} checks agree")
    return failed


if __name__ == "__main__":
    sys.exit(1 if run(*sys.argv[1:]) else 0)
