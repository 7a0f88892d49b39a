# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Elementwise operations: as scalars, on tensors and in the body of a generic."""

from harness import Arg, Case, main, tensor

TYPE = tensor(3, 5)

# What an operation is differentiated at; away from where it has no derivative.
WIDE, POSITIVE, UNIT = (-2.0, 2.0), (0.3, 3.0), (-0.9, 0.9)

UNARY = {
    "arith.negf": WIDE, "math.absf": POSITIVE, "math.acos": UNIT,
    "math.acosh": (1.2, 4.0), "math.asin": UNIT, "math.asinh": WIDE,
    "math.atan": WIDE, "math.atanh": UNIT, "math.cbrt": POSITIVE, "math.cos": WIDE,
    "math.cosh": WIDE, "math.erf": WIDE, "math.erfc": WIDE, "math.exp": WIDE,
    "math.exp2": WIDE, "math.expm1": WIDE, "math.log": POSITIVE,
    "math.log10": POSITIVE, "math.log1p": (-0.7, 2.0), "math.log2": POSITIVE,
    "math.rsqrt": POSITIVE, "math.sin": WIDE, "math.sinh": WIDE,
    "math.sqrt": POSITIVE, "math.tan": UNIT, "math.tanh": WIDE,
}
# Two random tensors tie nowhere.
BINARY = {
    "arith.addf": (WIDE, WIDE), "arith.subf": (WIDE, WIDE), "arith.mulf": (WIDE, WIDE),
    "arith.divf": (WIDE, POSITIVE), "arith.maximumf": (WIDE, WIDE),
    "arith.minimumf": (WIDE, WIDE), "arith.maxnumf": (WIDE, WIDE),
    "arith.minnumf": (WIDE, WIDE), "arith.remf": ((4.1, 4.9), (1.6, 1.9)),
    "math.atan2": (WIDE, WIDE), "math.powf": (POSITIVE, WIDE),
}
EXTREMA = {"arith.maximumf", "arith.minimumf", "arith.maxnumf", "arith.minnumf"}
LINEAR = {"arith.negf", "arith.addf", "arith.subf", "arith.mulf"}


def in_three_places(op, ranges, zero=()):
    """`op` on scalars, on tensors and in a generic, with a second use of the result.

    Nothing depends on the arguments `zero`.
    """
    name = op.replace(".", "_")
    linear = op in LINEAR
    operands = ", ".join(f"%{i}" for i in range(len(ranges)))
    for place, type in (("scalar", "f64"), ("tensor", TYPE)):
        if op in EXTREMA and place == "scalar":
            continue  # One of two scalars gets a gradient of zero: no check.
        yield Case(f"{name}_{place}", [
            Arg(type, range=r, linear=linear, zero=i in zero)
            for i, r in enumerate(ranges)],
                   type, f"%y = {op} {operands} : {type}\nreturn %y : {type}")
    maps = ", ".join(["affine_map<(d0, d1) -> (d0, d1)>"] * (len(ranges) + 1))
    block = ", ".join(f"%b{i}: f64" for i in range(len(ranges)))
    inner = ", ".join(f"%b{i}" for i in range(len(ranges)))
    yield Case(f"{name}_generic", [
        Arg(TYPE, range=r, zero=i in zero) for i, r in enumerate(ranges)], TYPE, f"""
        %e = tensor.empty() : {TYPE}
        %y = linalg.generic {{indexing_maps = [{maps}],
          iterator_types = ["parallel", "parallel"]}}
          ins({operands} : {", ".join([TYPE] * len(ranges))}) outs(%e : {TYPE}) {{
        ^bb0({block}, %out: f64):
          %v = {op} {inner} : f64
          %s = math.sin %v : f64
          %p = arith.mulf %s, %v : f64
          linalg.yield %p : f64
        }} -> {TYPE}
        return %y : {TYPE}""", forward=False)


def cases():
    for op, range in UNARY.items():
        yield from in_three_places(op, [range])
    for op, ranges in BINARY.items():
        yield from in_three_places(op, ranges)
    yield from in_three_places("math.fma", [WIDE, WIDE, WIDE])
    yield from in_three_places("math.copysign", [POSITIVE, POSITIVE], zero=[1])
    for x in (-0.9, -0.1, 0.7):
        for y in (-2.0, 3.0):
            yield Case(f"copysign_{x}_{y}", [Arg("f64", range=(x, x + 0.1))], "f64", f"""
                %c = arith.constant {y} : f64
                %y = math.copysign %0, %c : f64
                return %y : f64""")
    # One of the three gets all.
    for x, low, high in ((0.1, -1.0, 1.0), (-2.0, -1.0, 1.0), (2.0, -1.0, 1.0),
                         (0.1, 1.0, -1.0), (2.0, 1.0, -1.0), (-2.0, 1.0, -1.0)):
        wins = 1 if x < low <= high else 0 if low <= x <= high else 2
        yield Case(f"clampf_{x}_{low}", [
            Arg("f64", range=(v, v + 0.5), zero=i != wins)
            for i, v in enumerate((x, low, high))], "f64",
            "%y = math.clampf %0 to [%1, %2] : f64\nreturn %y : f64")
    # A negative base, the power zero, and widths of the power.
    for n in (-3, -1, 0, 1, 2, 5):
        for base in ((-2.0, -0.4), POSITIVE):
            for width in ("i8", "i32", "i64"):
                yield Case(f"fpowi_{n}_{base[0]}_{width}",
                           [Arg(TYPE, range=base)], TYPE, f"""
                    %n = arith.constant dense<{n}> : tensor<3x5x{width}>
                    %p = math.fpowi %0, %n : {TYPE}, tensor<3x5x{width}>
                    %y = arith.addf %p, %0 : {TYPE}
                    return %y : {TYPE}""")
    # The lowest i8 has no predecessor in its type.
    yield Case("fpowi_lowest", [Arg("f64", range=(0.9, 1.1))], "f64", """
        %n = arith.constant -128 : i8
        %y = math.fpowi %0, %n : f64, i8
        return %y : f64""")
    yield Case("sincos_both", [Arg(TYPE, range=WIDE)], [TYPE, TYPE], f"""
        %s, %c = math.sincos %0 : {TYPE}
        return %s, %c : {TYPE}, {TYPE}""")
    yield Case("sincos_one", [Arg("f64", range=WIDE)], "f64", """
        %s, %c = math.sincos %0 : f64
        return %c : f64""")
    # What rounds has no derivative.
    for op in ("ceil", "floor", "round", "roundeven", "trunc"):
        yield Case(f"rounding_{op}", [Arg(TYPE, range=(1.6, 1.9))], TYPE, f"""
            %r = math.{op} %0 : {TYPE}
            %y = arith.mulf %r, %0 : {TYPE}
            return %y : {TYPE}""")
    # All quadrants, both octants, and where squares overflow or vanish.
    for n, (y, x) in enumerate(((-2.0, 1.0), (1.0, -2.0), (-1.0, -2.0), (2.0, 0.3))):
        for k, scale in enumerate((1.0, 1e-200, 1e200)):
            yield Case(f"atan2_{n}_{k}", [Arg("f64"), Arg("f64")], "f64", f"""
                %y0 = arith.constant {y} : f64
                %x0 = arith.constant {x} : f64
                %c = arith.constant 0.1 : f64
                %s = arith.constant {scale:e} : f64
                %dy = arith.mulf %0, %c : f64
                %dx = arith.mulf %1, %c : f64
                %y1 = arith.addf %y0, %dy : f64
                %x1 = arith.addf %x0, %dx : f64
                %y2 = arith.mulf %y1, %s : f64
                %x2 = arith.mulf %x1, %s : f64
                %a = math.atan2 %y2, %x2 : f64
                return %a : f64""")
    yield Case("absf_negative", [Arg(TYPE, range=(-3.0, -0.3))], TYPE,
               f"%y = math.absf %0 : {TYPE}\nreturn %y : {TYPE}")
    # A negative base, whose exponent is a constant.
    yield Case("powf_negative", [Arg("f64", range=(-3.0, -0.3))], "f64", """
        %c = arith.constant 3.0 : f64
        %y = math.powf %0, %c : f64
        return %y : f64""")
    # One value in both places.
    for op in ("arith.mulf", "arith.subf", "arith.divf", "arith.addf", "math.powf"):
        yield Case(op.replace(".", "_") + "_same", [Arg("f64", range=POSITIVE)], "f64",
                   f"""
        %p = {op} %0, %0 : f64
        %y = arith.addf %p, %0 : f64
        return %y : f64""")
    # A branch that is not taken has no influence, whatever it holds.
    yield Case("select", [Arg("f64", range=POSITIVE), Arg("f64", range=(4.0, 5.0))],
               ["f64", "f64"], """
        %lt = arith.cmpf olt, %0, %1 : f64
        %a = math.log %0 : f64
        %b = arith.mulf %1, %0 : f64
        %y = arith.select %lt, %a, %b : f64
        %z = arith.select %lt, %b, %1 : f64
        return %y, %z : f64, f64""")
    yield Case("extf_truncf", [Arg(TYPE, linear=True, tolerance=1e-6)], TYPE, f"""
        %t = arith.truncf %0 : {TYPE} to tensor<3x5xf32>
        %y = arith.extf %t : tensor<3x5xf32> to {TYPE}
        return %y : {TYPE}""")


if __name__ == "__main__":
    main(list(cases()))
