# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Evaluates every scalar rule at many random points, in both modes.

For each operation of arith and math that has a rule and each operand x, over a
tensor of points, with random w and t and a 4-point central difference D:

    vjp(w) = w D,    jvp(t) = t D,    vjp(w) t = jvp(t) w.

Points next to a kink are left out: where the margin that is measured at the point
is less than the difference's step reaches. The program prints, for each operand
and mode, the largest error and how many points were used.
"""

import re
import subprocess
import sys

from harness import LOWERING, Writer

POINTS = 24000
TYPE = f"tensor<{POINTS}xf64>"
STEP = 2.0 ** -10
# The step reaches 2 h; h^4 times a fifth derivative is what is left.
MARGIN = 4 * STEP
NUMERIC_TOLERANCE = 1e-8
MODES_TOLERANCE = 1e-14
SINGLE_TOLERANCE = 1e-6

WIDE, POSITIVE, UNIT = (-2.0, 2.0), (0.3, 3.0), (-0.9, 0.9)


class Entry:
    """An operation at points in `ranges`; `body` defaults to the operation alone.

    `wrt` are the operands that are differentiated; `margin` computes %m, how far
    the point is from the next kink. `step` and `tolerance` are for operations
    that round.
    """

    def __init__(self, op, ranges, body=None, wrt=None, margin=None, step=STEP,
                 tolerance=NUMERIC_TOLERANCE, results=1):
        self.op = op
        self.ranges = ranges
        operands = ", ".join(f"%{i}" for i in range(len(ranges)))
        self.body = body or f"%y = {op} {operands} : {TYPE}"
        self.wrt = wrt or list(range(len(ranges)))
        self.margin = margin
        self.step = step
        self.tolerance = tolerance
        self.results = results


def apart(*pairs):
    """The smallest distance of the values of each pair."""
    lines, names = [], []
    for i, (a, b) in enumerate(pairs):
        lines += [f"%d{i} = arith.subf {a}, {b} : {TYPE}",
                  f"%a{i} = math.absf %d{i} : {TYPE}"]
        names.append(f"%a{i}")
    least = names[0]
    for i, name in enumerate(names[1:]):
        lines.append(f"%l{i} = arith.minimumf {least}, {name} : {TYPE}")
        least = f"%l{i}"
    zero = f"%zero = arith.constant dense<0.0> : {TYPE}"
    return "\n".join([zero] + lines + [f"%m = arith.addf {least}, %zero : {TYPE}"])


FLOATS = TYPE.replace("f64", "f32")
BITS = TYPE.replace("f64", "i1")
INTEGERS = TYPE.replace("f64", "i32")

ENTRIES = [
    *(Entry(op, [WIDE]) for op in (
        "arith.negf", "math.asinh", "math.atan", "math.cos", "math.cosh", "math.erf",
        "math.erfc", "math.exp", "math.exp2", "math.expm1", "math.sin", "math.sinh",
        "math.tanh")),
    *(Entry(op, [POSITIVE]) for op in (
        "math.cbrt", "math.log", "math.log10", "math.log2", "math.rsqrt", "math.sqrt")),
    *(Entry(op, [UNIT]) for op in ("math.acos", "math.asin", "math.atanh", "math.tan")),
    Entry("math.acosh", [(1.3, 4.0)]),
    Entry("math.log1p", [(-0.7, 2.0)]),
    Entry("math.absf", [WIDE], margin=apart(("%0", "%zero"))),
    *(Entry(op, [WIDE, WIDE]) for op in ("arith.addf", "arith.subf", "arith.mulf")),
    Entry("arith.divf", [WIDE, POSITIVE]),
    *(Entry(op, [WIDE, WIDE], margin=apart(("%0", "%1"))) for op in (
        "arith.maximumf", "arith.maxnumf", "arith.minimumf", "arith.minnumf")),
    # The remainder next to 0 or to the divisor is next to a jump.
    Entry("arith.remf", [(-9.0, 9.0), (1.0, 2.0)], margin=f"""
        %r = arith.remf %0, %1 : {TYPE}
        %ar = math.absf %r : {TYPE}
        %rest = arith.subf %1, %ar : {TYPE}
        %least = arith.minimumf %ar, %rest : {TYPE}
        %tenth = arith.constant dense<0.1> : {TYPE}
        %m = arith.mulf %least, %tenth : {TYPE}"""),
    Entry("arith.select", [WIDE, WIDE, WIDE], wrt=[0, 1], body=f"""
        %zero = arith.constant dense<0.0> : {TYPE}
        %c = arith.cmpf olt, %2, %zero : {TYPE}
        %y = arith.select %c, %0, %1 : {BITS}, {TYPE}"""),
    Entry("arith.extf", [WIDE], step=1.0, tolerance=SINGLE_TOLERANCE, body=f"""
        %f = arith.truncf %0 : {TYPE} to {FLOATS}
        %y = arith.extf %f : {FLOATS} to {TYPE}"""),
    Entry("arith.truncf", [WIDE], step=1.0, tolerance=SINGLE_TOLERANCE, body=f"""
        %f = arith.truncf %0 : {TYPE} to {FLOATS}
        %y = arith.extf %f : {FLOATS} to {TYPE}"""),
    Entry("math.atan2", [WIDE, WIDE], margin=f"""
        %a = math.absf %0 : {TYPE}
        %b = arith.maximumf %a, %1 : {TYPE}
        %tenth = arith.constant dense<0.015> : {TYPE}
        %m = arith.mulf %b, %tenth : {TYPE}"""),
    Entry("math.copysign", [WIDE, WIDE], wrt=[0],
          margin=apart(("%0", "%zero"), ("%1", "%zero"))),
    Entry("math.clampf", [WIDE, WIDE, WIDE], body=f"%y = math.clampf %0 to [%1, %2] : {TYPE}",
          margin=apart(("%0", "%1"), ("%1", "%2"), ("%0", "%2"))),
    Entry("math.fma", [WIDE, WIDE, WIDE]),
    Entry("math.powf", [POSITIVE, WIDE]),
    Entry("math.fpowi", [WIDE, (-3.99, 4.99)], wrt=[0], margin=f"""
        %a = math.absf %0 : {TYPE}
        %tenth = arith.constant dense<0.02> : {TYPE}
        %m = arith.mulf %a, %tenth : {TYPE}""", body=f"""
        %n = arith.fptosi %1 : {TYPE} to {INTEGERS}
        %y = math.fpowi %0, %n : {TYPE}, {INTEGERS}"""),
    Entry("math.sincos", [WIDE], results=2, body=f"%y, %z = math.sincos %0 : {TYPE}"),
]

ERROR = f"""
// The largest |wanted - found| / (|wanted| + |found| + |size|) of the points with a
// margin, and the number of these.
func.func private @error(%wanted: {TYPE}, %found: {TYPE}, %size: {TYPE}, %margin: {TYPE},
                         %border: f64) {{
  %zero = arith.constant dense<0.0> : tensor<f64>
  %r:2 = linalg.generic {{indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>,
      affine_map<(i) -> (i)>, affine_map<(i) -> (i)>, affine_map<(i) -> ()>,
      affine_map<(i) -> ()>], iterator_types = ["reduction"]}}
      ins(%wanted, %found, %size, %margin : {TYPE}, {TYPE}, {TYPE}, {TYPE})
      outs(%zero, %zero : tensor<f64>, tensor<f64>) {{
  ^bb0(%a: f64, %b: f64, %s: f64, %m: f64, %most: f64, %count: f64):
    %0 = arith.constant 0.0 : f64
    %1 = arith.constant 1.0 : f64
    %d = arith.subf %a, %b : f64
    %ad = math.absf %d : f64
    %aa = math.absf %a : f64
    %ab = math.absf %b : f64
    %as = math.absf %s : f64
    %t = arith.addf %aa, %ab : f64
    %u = arith.addf %t, %as : f64
    %e = arith.divf %ad, %u : f64
    %far = arith.cmpf ogt, %m, %border : f64
    %used = arith.select %far, %e, %0 : f64
    %one = arith.select %far, %1, %0 : f64
    %n = arith.maximumf %most, %used : f64
    %c = arith.addf %count, %one : f64
    linalg.yield %n, %c : f64, f64
  }} -> (tensor<f64>, tensor<f64>)
  %x = tensor.extract %r#0[] : tensor<f64>
  %y = tensor.extract %r#1[] : tensor<f64>
  vector.print %x : f64
  vector.print %y : f64
  return
}}
// (8 (b - c) - (a - d)) / 12 h
func.func private @difference(%a: {TYPE}, %b: {TYPE}, %c: {TYPE}, %d: {TYPE}, %h: f64)
    -> {TYPE} {{
  %eight = arith.constant dense<8.0> : {TYPE}
  %twelve = arith.constant 12.0 : f64
  %h12 = arith.mulf %h, %twelve : f64
  %width = tensor.splat %h12 : {TYPE}
  %near = arith.subf %b, %c : {TYPE}
  %far = arith.subf %a, %d : {TYPE}
  %near8 = arith.mulf %near, %eight : {TYPE}
  %all = arith.subf %near8, %far : {TYPE}
  %r = arith.divf %all, %width : {TYPE}
  return %r : {TYPE}
}}
"""


class SweepWriter(Writer):
    def product(self, a, b):
        return self.emit(f"arith.mulf {a}, {b} : {TYPE}", TYPE)

    def compare(self, wanted, found, size, margin):
        border = self.constant(MARGIN)
        self.emit(f"func.call @error({wanted}, {found}, {size}, {margin}, {border}) : "
                  f"({TYPE}, {TYPE}, {TYPE}, {TYPE}, f64) -> ()")

    def write_entry(self, entry, seed):
        """Writes the check of `entry`; returns what is printed about."""
        labels = []
        name = "op_" + entry.op.replace(".", "_")
        count = len(entry.ranges)
        args = ", ".join(f"%{i}: {TYPE}" for i in range(count))
        types = [TYPE] * count
        outputs = ["%y", "%z"][:entry.results]
        result_types = ", ".join([TYPE] * entry.results)
        self.text.append(f"func.func private @{name}({args}) -> ({result_types}) {{\n"
                         f"{entry.body}\nreturn {', '.join(outputs)} : {result_types}\n}}")
        margin = entry.margin or f"%m = arith.constant dense<1.0> : {TYPE}"
        self.text.append(f"func.func private @{name}_margin({args}) -> {TYPE} {{\n{margin}\n"
                         f"return %m : {TYPE}\n}}")
        self.text.append(f"func.func @check_{name}() {{")
        values = [self.random(TYPE, seed + i, *r) for i, r in enumerate(entry.ranges)]
        signature = f"({', '.join(types)})"
        m = self.emit(f"func.call @{name}_margin({', '.join(values)}) : "
                      f"{signature} -> {TYPE}", TYPE)
        t = self.random(TYPE, seed + 50, 0.5, 1.5)
        for k in range(entry.results):
            w = self.random(TYPE, seed + 60 + k, 0.5, 1.5)
            for i in entry.wrt:
                gradient = self.emit(
                    f"rev.vjp @{name}({', '.join(values)}) cotangents({w}) wrt [{i}] "
                    f"of [{k}] : ({', '.join(types + [TYPE])}) -> {TYPE}", TYPE)
                sides = []
                for factor in (2, 1, -1, -2):
                    h = self.emit(f"arith.constant dense<{factor * entry.step:.17e}> : {TYPE}",
                                  TYPE)
                    moved = list(values)
                    moved[i] = self.emit(f"arith.addf {values[i]}, {h} : {TYPE}", TYPE)
                    results = self.fresh()
                    self.text.append(f"  {results}:{entry.results} = func.call @{name}"
                                     f"({', '.join(moved)}) : {signature} -> ({result_types})")
                    sides.append(f"{results}#{k}")
                h = self.constant(entry.step)
                d = self.emit(f"func.call @difference({', '.join(sides)}, {h}) : "
                              f"({', '.join([TYPE] * 4)}, f64) -> {TYPE}", TYPE)
                jvp = self.fresh()
                self.text.append(
                    f"  {jvp}:{entry.results + 1} = rev.jvp @{name}({', '.join(values)}) "
                    f"tangents({t}) wrt [{i}] of [{k}] : ({', '.join(types + [TYPE])}) -> "
                    f"({result_types}, {TYPE})")
                tangent = f"{jvp}#{entry.results}"
                size = sides[1]
                self.compare(self.product(w, d), gradient, size, m)
                self.compare(self.product(t, d), tangent, size, m)
                zero = self.emit(f"arith.constant dense<1.0e-300> : {TYPE}", TYPE)
                self.compare(self.product(gradient, t), self.product(tangent, w), zero, m)
                label = f"{entry.op} operand {i} result {k}"
                labels += [(label + " vjp", entry.tolerance),
                           (label + " jvp", entry.tolerance),
                           (label + " vjp against jvp", SINGLE_TOLERANCE
                            if entry.tolerance == SINGLE_TOLERANCE else MODES_TOLERANCE)]
        self.text += ["  return", "}"]
        return labels


# Has a rule that is an error.
WITHOUT_DERIVATIVE = {"arith.bitcast"}


def check_complete(memrev_opt):
    """Every operation with a rule has an entry."""
    table = subprocess.run([memrev_opt, "--show-derivative-rules"], capture_output=True,
                           text=True, check=True).stdout
    ruled = set(re.findall(r"^\| `((?:arith|math)\.\w+)` \| rule", table, re.MULTILINE))
    swept = {entry.op for entry in ENTRIES} | WITHOUT_DERIVATIVE
    if ruled != swept:
        sys.exit(f"expects an entry for each rule, but got no match for {ruled ^ swept}")


def run(memrev_opt, mlir_runner, libraries):
    check_complete(memrev_opt)
    writer = SweepWriter()
    labels = []
    for n, entry in enumerate(ENTRIES):
        labels += writer.write_entry(entry, 1000 + 100 * n)
    calls = [f"  call @check_op_{e.op.replace('.', '_')}() : () -> ()" for e in ENTRIES]
    text = "\n".join([ERROR] + list(writer.helpers.values()) + writer.text
                     + ["func.func @main() {"] + calls + ["  return", "}"])
    lowered = subprocess.run([memrev_opt, f"--pass-pipeline={LOWERING}"], input=text,
                             capture_output=True, text=True)
    if lowered.returncode != 0:
        sys.exit(lowered.stderr)
    ran = subprocess.run(
        [mlir_runner, "-O0", "-e", "main", "--entry-point-result=void",
         f"--shared-libs={libraries}/libmlir_c_runner_utils.so"],
        input=lowered.stdout, capture_output=True, text=True)
    numbers = [float(line) for line in ran.stdout.split()]
    if ran.returncode != 0 or len(numbers) != 2 * len(labels):
        sys.exit(ran.stderr or f"expects {2 * len(labels)} numbers, but got {len(numbers)}")
    failed, total = 0, 0
    for (label, tolerance), error, count in zip(labels, numbers[::2], numbers[1::2]):
        ok = error <= tolerance and count >= 20000
        failed += not ok
        if "against" not in label:
            total += int(count)
        print(f"{'ok  ' if ok else 'FAIL'} {label}: {error:.1e} at {int(count)} points")
    # The differences are checked from both sides; each evaluation counts once.
    print(f"{total} evaluations of {len(ENTRIES)} operations, {failed} checks failed")
    return failed or total < 1000000


if __name__ == "__main__":
    sys.exit(1 if run(*sys.argv[1:]) else 0)
