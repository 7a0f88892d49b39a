# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Applies elementwise functions and then what `rev.inverse` makes of them."""

import numpy as np

import memrev

X = "tensor<64xf64>"
# Of f64, where an inverse makes errors 50 times larger at most.
TOLERANCE = 1e-14
# The function, and where it is inverted.
UNARY = {
    "math.sqrt": (0.1, 4), "math.rsqrt": (0.1, 4), "math.cbrt": (-4, 4),
    "math.exp": (-3, 3), "math.exp2": (-3, 3), "math.expm1": (-3, 3),
    "math.log": (0.1, 4), "math.log2": (0.1, 4), "math.log10": (0.1, 4), "math.log1p": (-0.9, 4),
    "math.sinh": (-3, 3), "math.asinh": (-3, 3), "math.acosh": (1.1, 4),
    "math.tanh": (-1.5, 1.5), "math.atanh": (-0.9, 0.9), "math.asin": (-0.9, 0.9), "math.acos": (-0.9, 0.9),
    "math.atan": (-3, 3), "arith.negf": (-3, 3),
}
# Both operands come back.
BINARY = ("arith.addf", "arith.subf")
# Expressions of %p that are never zero.
FACTORS = {
    "exponential": "%k = math.exp %p : T",
    "sigmoid": "%n = arith.negf %p : T\n%e = math.exp %n : T\n%d = arith.addf %one, %e : T\n"
               "%k = arith.divf %one, %d : T",
    "cut": "%k = arith.maximumf %p, %half : T",
    "square": "%s = arith.mulf %p, %p : T\n%k = arith.addf %s, %half : T",
    "near_one": "%t = math.tanh %p : T\n%s = arith.mulf %t, %half : T\n%k = arith.addf %one, %s : T",
    "selected": "%c = arith.cmpf ogt, %p, %half : T\n%m = arith.negf %half : T\n"
                "%k = arith.select %c, %one, %m : CT, T",
    "norm": "%a = math.absf %p : T\n%s = arith.addf %a, %half : T\n%k = math.sqrt %s : T",
}
# %y of %x and %p, with elements of both signs, in the form that has an inverse.
FORMS = {
    "fma_added": "%y = math.fma %p, %half, %x : T",
    "fma_left": "%y = math.fma %x, %half, %p : T",
    "fma_right": "%k = math.exp %p : T\n%y = math.fma %k, %x, %p : T",
    "leaky_select": "%m = arith.mulf %x, %half : T\n%c = arith.cmpf ogt, %x, %zero : T\n"
                    "%y = arith.select %c, %x, %m : CT, T",
    "leaky_swapped": "%m = arith.mulf %half, %x : T\n%c = arith.cmpf uge, %zero, %x : T\n"
                     "%y = arith.select %c, %m, %x : CT, T",
    "leaky_divided": "%k = math.exp %p : T\n%m = arith.divf %x, %k : T\n"
                     "%n = arith.mulf %x, %half : T\n%c = arith.cmpf olt, %x, %zero : T\n"
                     "%y = arith.select %c, %m, %n : CT, T",
    "leaky_maximum": "%m = arith.mulf %x, %half : T\n%y = arith.maximumf %x, %m : T",
    "steep_maximum": "%m = arith.divf %x, %half : T\n%y = arith.maximumf %m, %x : T",
    "leaky_minimum": "%m = arith.mulf %x, %half : T\n%y = arith.minnumf %x, %m : T",
    "two_slopes": "%m = arith.mulf %x, %half : T\n%n = arith.divf %x, %half : T\n"
                  "%y = arith.maxnumf %m, %n : T",
}


def function(name, body, inputs, in_linalg):
    """@`name` of tensors `inputs`, computed on tensors or element by element."""
    constants = "\n".join(f"%{n} = arith.constant " + (f"{c} : T" if in_linalg
                                                      else f"dense<{c}> : T")
                          for n, c in (("one", "1.0"), ("half", "0.5"), ("zero", "0.0")))
    text = f"{constants}\n{body}"
    arguments = ", ".join(f"%{i}: {X}" for i in inputs)
    if not in_linalg:
        text = text.replace("CT", "tensor<64xi1>").replace("T\n", X + "\n")
        text = text.replace(" T", " " + X)
        return f"func.func @{name}({arguments}) -> {X} {{\n{text}\nreturn %y : {X}\n}}\n"
    text = text.replace("CT, T", "f64").replace("T\n", "f64\n")
    text = text.replace(" T", " f64")
    elements = ", ".join(f"%{i}: f64" for i in inputs)
    names = ", ".join(f"%{i}_t" for i in inputs)
    return f"""func.func @{name}({arguments.replace(':', '_t:')}) -> {X} {{
  %out = tensor.empty() : {X}
  %r = linalg.map ins({names} : {', '.join([X] * len(inputs))}) outs(%out : {X}) ({elements}, %o: f64) {{
    {text}
    linalg.yield %y : f64
  }}
  return %r : {X}
}}
"""


def inverse(name, wrt, count):
    """@inverse_`name` of the result and the arguments that are not recovered."""
    others = count - 1
    arguments = ", ".join(f"%a{i}: {X}" for i in range(1 + others))
    values = ", ".join(f"%a{i}" for i in range(1 + others))
    return f"""func.func @inverse{wrt}_{name}({arguments}) -> {X} {{
  %x = rev.inverse @{name}({values}) wrt [{wrt}] : ({', '.join([X] * (1 + others))}) -> {X}
  return %x : {X}
}}
"""


def relative_error(actual, expected):
    return np.abs(actual - expected).max() / np.abs(expected).max()


def main():
    rng = np.random.default_rng(0)
    text, cases = "", []

    def add(name, body, wrt, values):
        nonlocal text
        inputs = "xp"[:len(values)]
        for in_linalg in (False, True):
            full = name + ("_element" if in_linalg else "")
            if f"@{full}(" not in text:
                text += function(full, body, inputs, in_linalg)
            text += inverse(full, wrt, len(values))
            cases.append((full, wrt, values))

    for op, bounds in UNARY.items():
        add(op.replace(".", "_"), f"%y = {op} %x : T", 0, [rng.uniform(*bounds, 64)])
    both = [rng.uniform(0.5, 2, 64), rng.uniform(0.5, 2, 64)]
    for op in BINARY:
        for wrt in (0, 1):
            add(op.replace(".", "_"), f"%y = {op} %x, %p : T", wrt, both)
    for name, factor in FACTORS.items():
        add("times_" + name, f"{factor}\n%y = arith.mulf %x, %k : T", 0, both)
        add("into_" + name, f"{factor}\n%y = arith.mulf %k, %x : T", 0, both)
        add("over_" + name, f"{factor}\n%y = arith.divf %x, %k : T", 0, both)
        add("under_" + name, f"{factor}\n%y = arith.divf %k, %x : T", 0, both)
    signed = [rng.uniform(-2, 2, 64), rng.uniform(-2, 2, 64)]
    for name, body in FORMS.items():
        add(name, body, 0, signed)
    module = memrev.compile(text)
    for name, wrt, values in cases:
        result = module[name](*values)
        others = [v for i, v in enumerate(values) if i != wrt]
        error = relative_error(module[f"inverse{wrt}_{name}"](result, *others), values[wrt])
        assert error < TOLERANCE, f"argument {wrt} of {name} is {error} off"


main()
