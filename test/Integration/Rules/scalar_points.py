# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Derivatives of scalar operations where they have no limit, or only one that a
formula misses: ties, zeros, infinities and NaN, in both modes."""

import math
import subprocess
import sys

from harness import LOWERING

NAN, INF = math.nan, math.inf


def op(name, *operands):
    return f"%y = {name} {', '.join(operands)} : f64"


def of_constant(name, value):
    return f"%c = arith.constant {literal(value)} : f64\n" + op(name, "%0", "%c")


def literal(value):
    """A double as MLIR reads it."""
    if math.isnan(value):
        return "0x7FF8000000000000"
    if math.isinf(value):
        return "0x7FF0000000000000" if value > 0 else "0xFFF0000000000000"
    return f"{value:.17e}"


# A body of arguments %0, %1, ..., where it is evaluated, the factor that partial
# derivatives are multiplied by, and what comes out for each argument.
POINTS = [
    # A relu has no derivative at zero, where it ties with its constant.
    (of_constant("arith.maximumf", 0.0), [0.0], 1.0, [0.0]),
    (of_constant("arith.maxnumf", 0.0), [0.0], 1.0, [0.0]),
    (of_constant("arith.minimumf", 0.0), [0.0], 1.0, [0.0]),
    (of_constant("arith.minnumf", 0.0), [0.0], 1.0, [0.0]),
    # Two differentiated operands share.
    *((op(f"arith.{name}", "%0", "%1"), [2.0, 2.0], 1.0, [0.5, 0.5])
      for name in ("maximumf", "minimumf", "maxnumf", "minnumf")),
    (op("arith.maximumf", "%0", "%0"), [2.0], 3.0, [3.0]),
    # maxnumf and minnumf ignore a NaN.
    *((op(f"arith.{name}", "%0", "%1"), [1.0, NAN], 1.0, [1.0, 0.0])
      for name in ("maxnumf", "minnumf")),
    *((op(f"arith.{name}", "%0", "%1"), [NAN, 1.0], 1.0, [0.0, 1.0])
      for name in ("maxnumf", "minnumf")),
    (of_constant("arith.maxnumf", NAN), [3.0], 1.0, [1.0]),
    (op("math.absf", "%0"), [0.0], 1.0, [0.0]),
    (op("math.absf", "%0"), [-0.0], 1.0, [0.0]),
    (op("math.absf", "%0"), [-INF], 1.0, [-1.0]),
    # The sign of a zero counts.
    (op("math.copysign", "%0", "%1"), [2.0, -0.0], 1.0, [-1.0, 0.0]),
    (op("math.copysign", "%0", "%1"), [0.0, 1.0], 1.0, [0.0, 0.0]),
    # On its borders a clamp passes on.
    ("%y = math.clampf %0 to [%1, %2] : f64", [1.0, 1.0, 2.0], 1.0, [1.0, 0.0, 0.0]),
    ("%y = math.clampf %0 to [%1, %2] : f64", [2.0, 1.0, 2.0], 1.0, [1.0, 0.0, 0.0]),
    # Powers.
    (op("math.powf", "%0", "%1"), [0.0, 2.0], 1.0, [0.0, 0.0]),
    (op("math.powf", "%0", "%1"), [0.0, 1.0], 1.0, [1.0, 0.0]),
    (op("math.powf", "%0", "%1"), [0.0, 0.0], 1.0, [0.0, 0.0]),
    (op("math.powf", "%0", "%1"), [3.0, 0.0], 1.0, [0.0, math.log(3.0)]),
    (op("math.powf", "%0", "%1"), [-2.0, 3.0], 1.0, [12.0, 0.0]),
    ("%n = arith.constant 0 : i32\n%y = math.fpowi %0, %n : f64, i32", [0.0], 1.0, [0.0]),
    ("%n = arith.constant 1 : i32\n%y = math.fpowi %0, %n : f64, i32", [0.0], 1.0, [1.0]),
    ("%n = arith.constant 0 : i32\n%y = math.fpowi %0, %n : f64, i32", [INF], 1.0, [0.0]),
    ("%n = arith.constant -2147483648 : i32\n%y = math.fpowi %0, %n : f64, i32", [1.0],
     1.0, [-2147483648.0]),
    # Formulas whose squares would overflow or vanish.
    (op("arith.divf", "%0", "%1"), [1e300, 1e200], 1.0, [1e-200, -1e-100]),
    (op("math.asinh", "%0"), [1e200], 1.0, [1e-200]),
    (op("math.acosh", "%0"), [1e200], 1.0, [1e-200]),
    (op("math.atan2", "%0", "%1"), [3e-200, 4e-200], 1.0, [4e200 / 25, -3e200 / 25]),
    (op("math.atan2", "%0", "%1"), [3e200, 4e200], 1.0, [4e-200 / 25, -3e-200 / 25]),
    (op("math.atan2", "%0", "%1"), [0.0, -2.0], 1.0, [-0.5, 0.0]),
    (op("math.atan2", "%0", "%1"), [2.0, 0.0], 1.0, [0.0, -0.5]),
    # The derivative is infinite.
    (op("math.sqrt", "%0"), [0.0], 1.0, [INF]),
    (op("math.log", "%0"), [0.0], 1.0, [INF]),
    # A zero times that is not zero, unless zeros are strong.
    (op("math.sqrt", "%0"), [0.0], 0.0, [NAN]),
    # A branch that is not taken does not matter, whatever it holds.
    ("""%zero = arith.constant 0.0 : f64
        %c = arith.cmpf ogt, %0, %zero : f64
        %l = arith.mulf %0, %0 : f64
        %y = arith.select %c, %l, %1 : f64""", [1e200, NAN], 1.0, [2e200, 0.0]),
]

STRONG_POINTS = [
    (op(name, "%0"), [0.0], 0.0, [0.0])
    for name in ("math.sqrt", "math.rsqrt", "math.cbrt", "math.log", "math.log2",
                 "math.log10")
] + [
    (op("math.sqrt", "%0"), [4.0], 2.0, [0.5]),
    (op("math.log1p", "%0"), [-1.0], 0.0, [0.0]),
    (op("math.asin", "%0"), [1.0], 0.0, [0.0]),
    (op("math.acos", "%0"), [1.0], 0.0, [0.0]),
    (op("math.acosh", "%0"), [1.0], 0.0, [0.0]),
    (op("math.atanh", "%0"), [1.0], 0.0, [0.0]),
    (op("math.exp", "%0"), [INF], 0.0, [0.0]),
    (op("math.exp2", "%0"), [INF], 0.0, [0.0]),
    (op("math.expm1", "%0"), [INF], 0.0, [0.0]),
    (op("math.sinh", "%0"), [INF], 0.0, [0.0]),
    (op("math.cosh", "%0"), [INF], 0.0, [0.0]),
    (op("math.sin", "%0"), [INF], 0.0, [0.0]),
    (op("math.tan", "%0"), [INF], 0.0, [0.0]),
    (op("math.tanh", "%0"), [NAN], 0.0, [0.0]),
    (op("arith.mulf", "%0", "%1"), [NAN, INF], 0.0, [0.0, 0.0]),
    (op("arith.divf", "%0", "%1"), [1.0, 0.0], 0.0, [0.0, 0.0]),
    (op("math.atan2", "%0", "%1"), [0.0, 0.0], 0.0, [0.0, 0.0]),
    (op("math.powf", "%0", "%1"), [0.0, -1.0], 0.0, [0.0, 0.0]),
    ("%y = math.fma %0, %1, %0 : f64", [NAN, INF], 0.0, [0.0, 0.0]),
    # A zero of the other factor stays what it is.
    (op("arith.mulf", "%0", "%1"), [0.0, INF], 1.0, [INF, 0.0]),
]

# The derivative of the derivative, at points where a branch that is not taken
# has none.
SECOND_POINTS = [
    (of_constant("math.powf", 2.0), [0.0], 2.0),
    (of_constant("math.powf", 3.0), [0.0], 0.0),
    ("%n = arith.constant 2 : i32\n%y = math.fpowi %0, %n : f64, i32", [0.0], 2.0),
    ("%n = arith.constant 3 : i32\n%y = math.fpowi %0, %n : f64, i32", [0.0], 0.0),
    ("%n = arith.constant 1 : i32\n%y = math.fpowi %0, %n : f64, i32", [0.0], 0.0),
    ("%c = arith.constant 3.0 : f64\n%y = arith.remf %c, %0 : f64", [2.0], 0.0),
    # d/db d/da a^b = a^(b - 1) (1 + b log a), here at b = 0.
    ("%c = arith.constant 2.0 : f64\n%p = math.powf %c, %0 : f64\n"
     "%y = arith.mulf %p, %0 : f64", [0.0], 2 * math.log(2.0)),
    (of_constant("math.atan2", 2.0), [1.0], -2 * 1.0 * 2.0 / 25),
    (of_constant("math.atan2", 1.0), [2.0], -2 * 1.0 * 2.0 / 25),
]


def program():
    """The program, and the numbers that it should print."""
    functions, main, expected = [], [], []
    groups = [(POINTS, ""), (STRONG_POINTS, "strong_zero ")]
    number = 0

    def constants(values):
        names = []
        for value in values:
            names.append(f"%v{len(main)}")
            main.append(f"{names[-1]} = arith.constant {literal(value)} : f64")
        return names

    def define(name, body, count):
        args = ", ".join(f"%{i}: f64" for i in range(count))
        functions.append(f"func.func private @{name}({args}) -> f64 {{\n{body}\n"
                         "return %y : f64\n}")

    for points, option in groups:
        for body, values, factor, wanted in points:
            number += 1
            name, count = f"point_{number}", len(values)
            define(name, body, count)
            types = ["f64"] * (count + 1)
            args = constants(values)
            dy, = constants([factor])
            # In reverse mode with respect to all arguments, which decides how
            # ties are shared; in forward mode one at a time, with zeros for the
            # others, which are active all the same.
            main.append(
                f"%g{number}:{count} = rev.vjp @{name}({', '.join(args)}) "
                f"cotangents({dy}) {option}: ({', '.join(types)}) -> "
                f"({', '.join(types[1:])})")
            for i in range(count):
                main.append(f"vector.print %g{number}#{i} : f64")
                expected.append((f"{body.splitlines()[-1].strip()} at {values}, argument "
                                 f"{i} {option}", wanted[i]))
            if count > 1:
                continue
            main.append(
                f"%t{number}:2 = rev.jvp @{name}({args[0]}) tangents({dy}) {option}: "
                "(f64, f64) -> (f64, f64)")
            main.append(f"vector.print %t{number}#1 : f64")
            expected.append((f"{body.splitlines()[-1].strip()} at {values}, forward "
                             f"{option}", wanted[0]))

    for body, values, wanted in SECOND_POINTS:
        number += 1
        define(f"second_{number}", body, 1)
        functions.append(f"""func.func private @first_{number}(%x: f64) -> f64 {{
            %one = arith.constant 1.0 : f64
            %d = rev.vjp @second_{number}(%x) cotangents(%one) : (f64, f64) -> f64
            return %d : f64
        }}""")
        x, one = constants(values + [1.0])
        main.append(f"%s{number} = rev.vjp @first_{number}({x}) cotangents({one}) "
                    ": (f64, f64) -> f64")
        main.append(f"%f{number}:2 = rev.jvp @first_{number}({x}) tangents({one}) "
                    ": (f64, f64) -> (f64, f64)")
        for value in (f"%s{number}", f"%f{number}#1"):
            main.append(f"vector.print {value} : f64")
            expected.append((f"second derivative of {body.splitlines()[-1].strip()} at "
                             f"{values}", wanted))
    return "\n".join(functions + ["func.func @main() {"] + main + ["return\n}"]), expected


def agree(value, wanted):
    if math.isnan(wanted) or math.isinf(wanted):
        return str(value) == str(wanted)
    # Printed with six digits.
    return abs(value - wanted) <= 1e-5 * abs(wanted)


def run(memrev_opt, mlir_runner, libraries):
    text, expected = program()
    lowered = subprocess.run([memrev_opt, f"--pass-pipeline={LOWERING}"], input=text,
                             capture_output=True, text=True)
    if lowered.returncode != 0:
        sys.exit(lowered.stderr)
    ran = subprocess.run(
        [mlir_runner, "-O0", "-e", "main", "--entry-point-result=void",
         f"--shared-libs={libraries}/libmlir_c_runner_utils.so"],
        input=lowered.stdout, capture_output=True, text=True)
    values = [float(line) for line in ran.stdout.split()]
    if ran.returncode != 0 or len(values) != len(expected):
        sys.exit(ran.stderr or f"expects {len(expected)} numbers, but got {len(values)}")
    failed = 0
    for value, (label, wanted) in zip(values, expected):
        if not agree(value, wanted):
            failed += 1
            print(f"FAIL {label}: expects {wanted}, but got {value}")
    print(f"{len(values) - failed} of {len(values)} numbers agree")
    return failed


if __name__ == "__main__":
    sys.exit(1 if run(*sys.argv[1:]) else 0)
