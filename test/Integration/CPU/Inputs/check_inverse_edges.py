# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Applies functions and then what `rev.inverse` makes of them; compares gradients of loops by
`policy(invert)`, whose bytes do not depend on the number of iterations, with `policy(store)`,
and log-determinants of elementwise functions with sums of logarithms of their derivatives."""

import numpy as np

import memrev

V, Z = "tensor<12xf64>", "tensor<12xcomplex<f64>>"
# Where an inverse makes errors 50 times larger at most.
TOLERANCE = 1e-14
FEW, MANY = 6, 24
INTEGERS = {"i16": np.int16, "i32": np.int32, "i64": np.int64, "i1": np.bool_}

# Of %x and %p, elementwise and complex. %k is 0.8 + 0.6i times 1.25.
COMPLEX = {
    "add": "%y = complex.add %p, %x : C", "sub": "%y = complex.sub %x, %p : C",
    "rsub": "%y = complex.sub %p, %x : C", "neg": "%y = complex.neg %x : C",
    "conj": "%y = complex.conj %x : C", "mul": "%y = complex.mul %x, %k : C",
    "div": "%y = complex.div %x, %k : C", "under": "%y = complex.div %k, %x : C",
    "log": "%y = complex.log %x : C", "log1p": "%y = complex.log1p %x : C",
    "sqrt": "%y = complex.sqrt %x : C", "rsqrt": "%y = complex.rsqrt %x : C",
    "turn": "%r = complex.im %p : C\n%n = arith.constant 0.1 : f64\n"
            "%e = complex.create %n, %r : C\n%t = complex.exp %e : C\n"
            "%y = complex.mul %t, %x : C",
}

# Name: arguments, numbers of those that come back, results, body. %y... are returned.
FUNCTIONS = {
    "parts": (["f64", "f64"], [0, 1], ["f64", "f64"], """
  %k = complex.constant [0.8, -0.6] : complex<f64>
  %z = complex.create %x0, %x1 : complex<f64>
  %w = complex.mul %z, %k : complex<f64>
  %y0 = complex.im %w : complex<f64>
  %y1 = complex.re %w : complex<f64>"""),
    "extf": (["f32"], [0], ["f64"], "%y0 = arith.extf %x0 : f32 to f64"),
    "bits": (["tensor<4xf64>"], [0], ["tensor<4xi64>"], """
  %k = arith.constant dense<81985529216486895> : tensor<4xi64>
  %a = arith.bitcast %x0 : tensor<4xf64> to tensor<4xi64>
  %y0 = arith.xori %k, %a : tensor<4xi64>"""),
    "float_bits": (["tensor<4xi64>"], [0], ["tensor<4xf64>"],
                   "%y0 = tensor.bitcast %x0 : tensor<4xi64> to tensor<4xf64>"),
    "integers": (["tensor<5xi16>", "tensor<5xi16>"], [0, 1], ["tensor<5xi64>", "tensor<5xi64>"], """
  %a = arith.extsi %x0 : tensor<5xi16> to tensor<5xi64>
  %b = arith.extui %x1 : tensor<5xi16> to tensor<5xi64>
  %y0 = arith.xori %a, %b : tensor<5xi64>
  %y1 = arith.subi %y0, %b : tensor<5xi64>"""),
    "broadcast": (["tensor<4xf64>"], [0], ["tensor<3x4x2xf64>"], """
  %e = tensor.empty() : tensor<3x4x2xf64>
  %y0 = linalg.broadcast ins(%x0 : tensor<4xf64>) outs(%e : tensor<3x4x2xf64>) dimensions = [0, 2]"""),
    "broadcast_open": (["tensor<?xf64>"], [0], ["tensor<?x3xf64>"], """
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x0, %c0 : tensor<?xf64>
  %e = tensor.empty(%n) : tensor<?x3xf64>
  %y0 = linalg.broadcast ins(%x0 : tensor<?xf64>) outs(%e : tensor<?x3xf64>) dimensions = [1]"""),
    "pack": (["tensor<5x6xf64>"], [0], ["tensor<3x3x2x2xf64>"], """
  %z = arith.constant 7.0 : f64
  %e = tensor.empty() : tensor<3x3x2x2xf64>
  %y0 = linalg.pack %x0 padding_value(%z : f64) outer_dims_perm = [1, 0] inner_dims_pos = [1, 0]
      inner_tiles = [2, 2] into %e : tensor<5x6xf64> -> tensor<3x3x2x2xf64>"""),
    "unpack": (["tensor<3x2x2x2xf64>"], [0], ["tensor<4x6xf64>"], """
  %e = tensor.empty() : tensor<4x6xf64>
  %y0 = linalg.unpack %x0 outer_dims_perm = [1, 0] inner_dims_pos = [0, 1]
      inner_tiles = [2, 2] into %e : tensor<3x2x2x2xf64> -> tensor<4x6xf64>"""),
    "reshape": (["tensor<4x6xf64>"], [0], ["tensor<2x3x4xf64>"], """
  %s = arith.constant dense<[2, 3, 4]> : tensor<3xindex>
  %y0 = tensor.reshape %x0(%s) : (tensor<4x6xf64>, tensor<3xindex>) -> tensor<2x3x4xf64>"""),
    "tanh": (["tensor<4xf64>"], [0], ["tensor<4xf64>"], """
  %e = tensor.empty() : tensor<4xf64>
  %y0 = linalg.tanh ins(%x0 : tensor<4xf64>) outs(%e : tensor<4xf64>) -> tensor<4xf64>"""),
    # All elements apart, and together again in another order.
    "elements": (["tensor<2x2xf64>"], [0], ["tensor<4xf64>"], """
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %a = tensor.extract %x0[%c0, %c0] : tensor<2x2xf64>
  %b = tensor.extract %x0[%c0, %c1] : tensor<2x2xf64>
  %c = tensor.extract %x0[%c1, %c0] : tensor<2x2xf64>
  %d = tensor.extract %x0[%c1, %c1] : tensor<2x2xf64>
  %s = arith.addf %a, %d : f64
  %y0 = tensor.from_elements %d, %s, %c, %b : tensor<4xf64>"""),
    # An element updated by another, and then the other by what comes in.
    "updates": (["tensor<3xf64>", "f64", "index"], [0], ["tensor<3xf64>"], """
  %c1 = arith.constant 1 : index
  %a = tensor.extract %x0[%x2] : tensor<3xf64>
  %s = arith.addf %a, %x1 : f64
  %t = tensor.insert %s into %x0[%x2] : tensor<3xf64>
  %b = tensor.extract %t[%c1] : tensor<3xf64>
  %u = arith.subf %x1, %b : f64
  %y0 = tensor.insert %u into %t[%c1] : tensor<3xf64>"""),
    "inserted": (["f64", "f64", "tensor<2xf64>"], [0, 1], ["tensor<2xf64>"], """
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %a = tensor.insert %x0 into %x2[%c0] : tensor<2xf64>
  %y0 = tensor.insert %x1 into %a[%c1] : tensor<2xf64>"""),
}

# Bodies of loops over streams %a, %b of type V: %u takes the place of %a, then both are
# swapped. The first argument of rev.vjp after the streams is %w, and %i counts to 11.
LEAKY = """
  %k = arith.constant dense<0.7> : V
  %zero = arith.constant dense<0.0> : V
  %h = math.sin %b : V
  %s = arith.mulf %h, %w : V
  %v = arith.addf %a, %s : V
  %m = arith.mulf %v, %k : V
"""
MAP = "affine_map<(i) -> (i)>"
LOOPS = {
    "fma_added": "%s = math.sin %b : V\n%u = math.fma %s, %w, %a : V",
    "fma_factor": "%k = arith.constant dense<0.8> : V\n%s = math.sin %b : V\n"
                  "%t = arith.mulf %s, %w : V\n%u = math.fma %a, %k, %t : V",
    "leaky_select": LEAKY + "%c = arith.cmpf ogt, %v, %zero : V\n"
                            "%u = arith.select %c, %v, %m : tensor<12xi1>, V",
    "leaky_maximum": LEAKY + "%u = arith.maximumf %v, %m : V",
    "leaky_minimum": LEAKY + "%u = arith.minimumf %m, %v : V",
    "leaky_element": f"""
  %e = tensor.empty() : V
  %u = linalg.map ins(%a, %b, %w : V, V, V) outs(%e : V) (%p: f64, %q: f64, %r: f64, %o: f64) {{
    %k = arith.constant 0.7 : f64
    %zero = arith.constant 0.0 : f64
    %h = math.sin %q : f64
    %s = arith.mulf %h, %r : f64
    %v = arith.addf %p, %s : f64
    %m = arith.mulf %v, %k : f64
    %c = arith.cmpf ogt, %v, %zero : f64
    %y = arith.select %c, %v, %m : f64
    linalg.yield %y : f64
  }}""",
    "packed": """
  %e = tensor.empty() : tensor<3x4xf64>
  %o = tensor.empty() : V
  %s = math.sin %b : V
  %t = arith.mulf %s, %w : V
  %pt = linalg.pack %t inner_dims_pos = [0] inner_tiles = [4] into %e : V -> tensor<3x4xf64>
  %pa = linalg.pack %a inner_dims_pos = [0] inner_tiles = [4] into %e : V -> tensor<3x4xf64>
  %pu = arith.addf %pa, %pt : tensor<3x4xf64>
  %u = linalg.unpack %pu inner_dims_pos = [0] inner_tiles = [4] into %o : tensor<3x4xf64> -> V""",
    "element": """
  %c3 = arith.constant 3 : index
  %f = tensor.extract %b[%c3] : V
  %g = tensor.extract %w[%c3] : V
  %x = tensor.extract %a[%i] : V
  %s = math.sin %f : f64
  %t = arith.mulf %s, %g : f64
  %y = arith.addf %x, %t : f64
  %u = tensor.insert %y into %a[%i] : V""",
    # The streams are the parts of a number that is turned and shifted.
    "turned": f"""
  %e = tensor.empty() : {Z}
  %o = tensor.empty() : V
  %z = linalg.map ins(%w, %b : V, V) outs(%e : {Z}) (%p: f64, %q: f64, %n: complex<f64>) {{
    %r = arith.constant 0.05 : f64
    %h = math.sin %q : f64
    %t = complex.create %p, %h : complex<f64>
    %y = complex.create %r, %h : complex<f64>
    %x = complex.exp %y : complex<f64>
    %m = complex.mul %x, %t : complex<f64>
    linalg.yield %m : complex<f64>
  }}
  %d = linalg.map ins(%z : {Z}) outs(%o : V) (%p: complex<f64>, %n: f64) {{
    %y = complex.re %p : complex<f64>
    linalg.yield %y : f64
  }}
  %u = arith.addf %a, %d : V""",
}
# Bodies that make %y of %x, of type S, and the derivatives.
S = "tensor<3x4xf64>"
DIAGONALS = {
    "fma": ("%k = arith.constant dense<-0.8> : S\n%y = math.fma %k, %x, %x0 : S",
            lambda x: np.full_like(x, -0.8)),
    "tanh": ("%y = math.tanh %x : S", lambda x: 1 - np.tanh(x) ** 2),
    "leaky": ("%k = arith.constant dense<0.7> : S\n%z = arith.constant dense<0.0> : S\n"
              "%m = arith.mulf %x, %k : S\n%c = arith.cmpf olt, %x, %z : S\n"
              "%y = arith.select %c, %m, %x : tensor<3x4xi1>, S",
              lambda x: np.where(x > 0, 1, 0.7)),
    "maximum": ("%k = arith.constant dense<0.25> : S\n%m = arith.mulf %k, %x : S\n"
                "%n = arith.divf %x, %k : S\n%y = arith.maximumf %m, %n : S",
                lambda x: np.where(x > 0, 4, 0.25)),
    "element": ("""%e = tensor.empty() : S
  %y = linalg.map ins(%x : S) outs(%e : S) (%p: f64, %o: f64) {
    %k = arith.constant 0.25 : f64
    %q = math.tanh %p : f64
    %m = arith.mulf %k, %q : f64
    %n = arith.minimumf %m, %q : f64
    linalg.yield %n : f64
  }""", lambda x: (1 - np.tanh(x) ** 2) * np.where(x > 0, 0.25, 1)),
}
# Loops of one complex stream, in bodies of linalg.
COMPLEX_LOOP = """
  %k = complex.constant [0.9, 0.5] : complex<f64>
  %zero = arith.constant 0.0 : f64
  %h = complex.re %q : complex<f64>
  %i = complex.create %zero, %h : complex<f64>
  %s = complex.exp %i : complex<f64>
  %t = complex.mul %s, %r : complex<f64>
  %v = complex.mul %p, %k : complex<f64>
  %y = complex.add %v, %t : complex<f64>"""


def make_function(name, arguments, wrt, results, body):
    """@name and @name_inverse, which takes what `rev.inverse` does."""
    given = ", ".join(f"%x{i}: {t}" for i, t in enumerate(arguments))
    numbers = range(len(results))
    others = [i for i in range(len(arguments)) if i not in wrt]
    operands = [f"%y{i}" for i in numbers] + [f"%x{i}" for i in others]
    types = results + [arguments[i] for i in others]
    back = ", ".join(arguments[i] for i in wrt)
    count = f":{len(wrt)}" if len(wrt) > 1 else ""
    returned = ", ".join(f"%r#{i}" for i in range(len(wrt))) if count else "%r"
    return f"""
func.func @{name}({given}) -> ({", ".join(results)}) {{
  {body}
  return {", ".join(f"%y{i}" for i in numbers)} : {", ".join(results)}
}}
func.func @{name}_inverse({", ".join(f"{o}: {t}" for o, t in zip(operands, types))}) -> ({back}) {{
  %r{count} = rev.inverse @{name}({", ".join(operands)}) wrt {wrt} : ({", ".join(types)}) -> ({back})
  return {returned} : {back}
}}"""


# Between two real tensors and a complex one.
JOIN = f"""
func.func private @join(%re: {V}, %im: {V}) -> {Z} {{
  %e = tensor.empty() : {Z}
  %z = linalg.map ins(%re, %im : {V}, {V}) outs(%e : {Z}) (%a: f64, %b: f64, %o: complex<f64>) {{
    %c = complex.create %a, %b : complex<f64>
    linalg.yield %c : complex<f64>
  }}
  return %z : {Z}
}}
func.func private @part(%z: {Z}) -> ({V}, {V}) {{
  %e = tensor.empty() : {V}
  %y:2 = linalg.generic {{indexing_maps = [{MAP}, {MAP}, {MAP}], iterator_types = ["parallel"]}}
      ins(%z : {Z}) outs(%e, %e : {V}, {V}) {{
  ^bb0(%a: complex<f64>, %o: f64, %p: f64):
    %re = complex.re %a : complex<f64>
    %im = complex.im %a : complex<f64>
    linalg.yield %re, %im : f64, f64
  }} -> ({V}, {V})
  return %y#0, %y#1 : {V}, {V}
}}"""


def make_complex(name, body):
    text = body.replace(" C", " complex<f64>")
    functions = f"""
func.func private @{name}_z(%a: {Z}, %b: {Z}) -> {Z} {{
  %o = tensor.empty() : {Z}
  %r = linalg.map ins(%a, %b : {Z}, {Z}) outs(%o : {Z}) (%x: complex<f64>, %p: complex<f64>, %u: complex<f64>) {{
    %k = complex.constant [1.0, 0.75] : complex<f64>
    {text}
    linalg.yield %y : complex<f64>
  }}
  return %r : {Z}
}}"""
    calls = (("", "func.call @{name}_z(%z, %w) : "),
             ("_inverse", "rev.inverse @{name}_z(%z, %w) wrt [0] : "))
    for suffix, call in calls:
        functions += f"""
func.func @{name}{suffix}(%a: {V}, %b: {V}, %c: {V}, %d: {V}) -> ({V}, {V}) {{
  %z = func.call @join(%a, %b) : ({V}, {V}) -> {Z}
  %w = func.call @join(%c, %d) : ({V}, {V}) -> {Z}
  %y = {call.format(name=name)}({Z}, {Z}) -> {Z}
  %r:2 = func.call @part(%y) : ({Z}) -> ({V}, {V})
  return %r#0, %r#1 : {V}, {V}
}}"""
    return functions


def make_loop(name, body, trips, policy):
    full = f"{name}_{trips}_{policy}"
    function = f"""
func.func private @{full}_f(%first: V, %second: V, %w: V) -> (V, V) {{
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %trips = arith.constant {trips} : index
  %two = arith.constant 2 : index
  %r:2 = scf.for %j = %c0 to %trips step %c1 iter_args(%a = %first, %b = %second) -> (V, V) {{
    %i = arith.divui %j, %two : index
    {body}
    scf.yield %b, %u : V, V
  }}
  return %r#0, %r#1 : V, V
}}
func.func @{full}(%x: V, %y: V, %w: V, %d: V, %e: V) -> (V, V, V) {{
  %g:3 = rev.vjp @{full}_f(%x, %y, %w) cotangents(%d, %e) policy({policy})
      : (V, V, V, V, V) -> (V, V, V)
  return %g#0, %g#1, %g#2 : V, V, V
}}"""
    return function.replace(" V", " " + V).replace("(V", "(" + V)


def make_complex_loop(trips, policy):
    full = f"complex_{trips}_{policy}"
    return f"""
func.func private @{full}_f(%first: V, %second: V, %w: V) -> (V, V) {{
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %trips = arith.constant {trips} : index
  %z = func.call @join(%first, %second) : (V, V) -> Z
  %c = func.call @join(%w, %w) : (V, V) -> Z
  %o = tensor.empty() : Z
  %r:2 = scf.for %j = %c0 to %trips step %c1 iter_args(%a = %z, %b = %c) -> (Z, Z) {{
    %u = linalg.map ins(%a, %b, %c : Z, Z, Z) outs(%o : Z) (%p: complex<f64>, %q: complex<f64>, %r: complex<f64>, %g: complex<f64>) {{
      {COMPLEX_LOOP}
      linalg.yield %y : complex<f64>
    }}
    scf.yield %b, %u : Z, Z
  }}
  %s:2 = func.call @part(%r#1) : (Z) -> (V, V)
  return %s#0, %s#1 : V, V
}}
func.func @{full}(%x: V, %y: V, %w: V, %d: V, %e: V) -> (V, V, V) {{
  %g:3 = rev.vjp @{full}_f(%x, %y, %w) cotangents(%d, %e) policy({policy})
      : (V, V, V, V, V) -> (V, V, V)
  return %g#0, %g#1, %g#2 : V, V, V
}}""".replace(" V", " " + V).replace("(V", "(" + V).replace(
        " Z", " " + Z).replace("(Z", "(" + Z)


def make_diagonal(name, body):
    return f"""
func.func private @{name}_f(%x: S, %x0: S) -> S {{
  {body}
  return %y : S
}}
func.func @{name}(%x: S, %x0: S) -> tensor<3xf64> {{
  %y:2 = rev.log_det @{name}_f(%x, %x0) wrt [0] : (S, S) -> (S, tensor<3xf64>)
  return %y#1 : tensor<3xf64>
}}""".replace(" S", " " + S).replace("(S", "(" + S)


def draw(rng, kind):
    """An array, or a number, of an argument's type."""
    if kind in ("f64", "f32"):
        return rng.uniform(-1, 1) if kind == "f64" else np.float32(rng.uniform(-1, 1))
    if kind == "index":
        return 2
    extents, _, element = kind[len("tensor<"):-1].rpartition("x")
    shape = [5 if n == "?" else int(n) for n in extents.split("x")]
    if element in INTEGERS:
        limits = np.iinfo(INTEGERS[element])
        return rng.integers(limits.min, limits.max, shape, INTEGERS[element])
    return rng.uniform(-1, 1, shape)


def as_tuple(values):
    return values if isinstance(values, tuple) else (values,)


def check_functions(module, rng):
    for name, (arguments, wrt, results, _) in FUNCTIONS.items():
        values = [draw(rng, kind) for kind in arguments]
        outputs = as_tuple(module[name](*values))
        others = [v for i, v in enumerate(values) if i not in wrt]
        found = as_tuple(module[name + "_inverse"](*outputs, *others))
        for i, back in zip(wrt, found):
            error = np.abs(np.asarray(back, np.float64) - np.asarray(values[i], np.float64)).max()
            assert error < TOLERANCE, f"argument {i} of {name} is {error} off"
    for name in COMPLEX:
        re, im, p, q = rng.uniform(0.2, 1, (4, 12))
        y = module["z_" + name](re, im, p, q)
        found = module["z_" + name + "_inverse"](*y, p, q)
        error = max(np.abs(found[0] - re).max(), np.abs(found[1] - im).max())
        assert error < TOLERANCE, f"complex.{name} is {error} off"


def check_loops(module, rng, names):
    for name in names:
        values = rng.uniform(-1, 1, (5, 12))
        stored = module[f"{name}_{MANY}_store"](*values)
        found = module[f"{name}_{MANY}_invert"](*values)
        largest = max(np.abs(g).max() for g in stored)
        for a, b in zip(found, stored):
            assert np.abs(a - b).max() < 1e-12 * largest, \
                f"{name}: {np.abs(a - b).max() / largest} apart"
            assert np.abs(b).max() > 0
        few, many = (module[f"{name}_{n}_invert"].workspace_bytes for n in (FEW, MANY))
        assert many == few, f"{name} takes {few} bytes of {FEW} iterations, {many} of {MANY}"
        tape = module[f"{name}_{MANY}_store"].workspace_bytes
        assert tape >= many + (MANY - FEW) * 8, f"{name}: {tape} bytes stored, {many} not"


def check_log_dets(module, rng):
    for name, (_, derivative) in DIAGONALS.items():
        x, y = rng.uniform(-1, 1, (2, 3, 4))
        error = np.abs(module["log_det_" + name](x, y)
                       - np.log(np.abs(derivative(x))).sum(axis=1)).max()
        assert error < 1e-13, f"the log-determinant of {name} is {error} off"


def main():
    rng = np.random.default_rng(0)
    text = JOIN
    for name, parts in FUNCTIONS.items():
        text += make_function(name, *parts)
    for name, body in COMPLEX.items():
        text += make_complex("z_" + name, body)
    for trips, policy in ((FEW, "invert"), (MANY, "invert"), (MANY, "store")):
        for name, body in LOOPS.items():
            text += make_loop(name, body, trips, policy)
        text += make_complex_loop(trips, policy)
    for name, (body, _) in DIAGONALS.items():
        text += make_diagonal("log_det_" + name, body)
    module = memrev.compile(text)
    check_functions(module, rng)
    check_loops(module, rng, [*LOOPS, "complex"])
    check_log_dets(module, rng)


if __name__ == "__main__":
    main()
