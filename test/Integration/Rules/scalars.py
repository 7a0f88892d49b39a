"""Elementwise operations: as scalars, on tensors and in the body of a generic."""

from harness import Arg, Case, main, tensor

TYPE = tensor(3, 5)

# What an operation is differentiated at; away from where it has no derivative.
WIDE, POSITIVE, UNIT = (-2.0, 2.0), (0.3, 3.0), (-0.9, 0.9)

UNARY = {
    "arith.negf": WIDE, "math.absf": POSITIVE, "math.atan": WIDE,
    "math.cbrt": POSITIVE, "math.cos": WIDE, "math.cosh": WIDE, "math.erf": WIDE,
    "math.exp": WIDE, "math.exp2": WIDE, "math.expm1": WIDE, "math.log": POSITIVE,
    "math.log10": POSITIVE, "math.log1p": (-0.7, 2.0), "math.log2": POSITIVE,
    "math.rsqrt": POSITIVE, "math.sin": WIDE, "math.sinh": WIDE,
    "math.sqrt": POSITIVE, "math.tan": UNIT, "math.tanh": WIDE,
}
# Two random tensors tie nowhere.
BINARY = {
    "arith.addf": (WIDE, WIDE), "arith.subf": (WIDE, WIDE), "arith.mulf": (WIDE, WIDE),
    "arith.divf": (WIDE, POSITIVE), "arith.maximumf": (WIDE, WIDE),
    "arith.minimumf": (WIDE, WIDE), "arith.maxnumf": (WIDE, WIDE),
    "arith.minnumf": (WIDE, WIDE), "math.powf": (POSITIVE, WIDE),
}
EXTREMA = {"arith.maximumf", "arith.minimumf", "arith.maxnumf", "arith.minnumf"}
LINEAR = {"arith.negf", "arith.addf", "arith.subf", "arith.mulf"}


def in_three_places(op, ranges):
    """`op` on scalars, on tensors and in a generic, with a second use of the result."""
    name = op.replace(".", "_")
    linear = op in LINEAR
    operands = ", ".join(f"%{i}" for i in range(len(ranges)))
    for place, type in (("scalar", "f64"), ("tensor", TYPE)):
        if op in EXTREMA and place == "scalar":
            continue  # One of two scalars gets a gradient of zero: no check.
        yield Case(f"{name}_{place}", [Arg(type, range=r, linear=linear) for r in ranges],
                   type, f"%y = {op} {operands} : {type}\nreturn %y : {type}")
    maps = ", ".join(["affine_map<(d0, d1) -> (d0, d1)>"] * (len(ranges) + 1))
    block = ", ".join(f"%b{i}: f64" for i in range(len(ranges)))
    inner = ", ".join(f"%b{i}" for i in range(len(ranges)))
    yield Case(f"{name}_generic", [Arg(TYPE, range=r) for r in ranges], TYPE, f"""
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
        return %y : {TYPE}""")


def cases():
    for op, range in UNARY.items():
        yield from in_three_places(op, [range])
    for op, ranges in BINARY.items():
        yield from in_three_places(op, ranges)
    yield from in_three_places("math.fma", [WIDE, WIDE, WIDE])
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
    main(list(cases()), forward=False)
