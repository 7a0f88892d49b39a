# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Complex values: as scalars in the bodies of operations and in tensors. The
harness counts in reals, so each case makes complex values of two real tensors and
returns the parts of its results."""

from harness import Arg, Case, gradient_of, main, tangent_of, tensor

X = tensor(2, 3)
Z = tensor(2, 3, element="complex<f64>")
ELEMENT = {X: "f64", Z: "complex<f64>"}
MAP = "affine_map<(d0, d1) -> (d0, d1)>"


def generic(inputs, outputs, body, name):
    """A linalg.generic over elements: `inputs` are (value, type) pairs."""
    empties = "\n".join(f"%e_{name}_{i} = tensor.empty() : {t}" for i, t in enumerate(outputs))
    args = [f"%b{i}: {ELEMENT[t]}" for i, (_, t) in enumerate(inputs)]
    args += [f"%o{i}: {ELEMENT[t]}" for i, t in enumerate(outputs)]
    maps = ", ".join([MAP] * (len(inputs) + len(outputs)))
    count = f":{len(outputs)}" if len(outputs) > 1 else ""
    return f"""{empties}
        %{name}{count} = linalg.generic {{indexing_maps = [{maps}],
            iterator_types = ["parallel", "parallel"]}}
            ins({", ".join(v for v, _ in inputs)} : {", ".join(t for _, t in inputs)})
            outs({", ".join(f"%e_{name}_{i}" for i in range(len(outputs)))} : {", ".join(outputs)}) {{
        ^bb0({", ".join(args)}):
          {body}
        }} -> {", ".join(outputs) if len(outputs) == 1 else "(" + ", ".join(outputs) + ")"}"""


def elementwise(op, count, limits, form):
    """`op` of `count` complex operands in a body, or on tensors of them."""
    args = [Arg(X, range=limits) for _ in range(2 * count)]
    real = form == "real"
    result = "f64" if real else "complex<f64>"
    operands = ", ".join(f"%z{i}" for i in range(count))
    types = "complex<f64>"
    make = "\n".join(f"%z{i} = complex.create %b{2 * i}, %b{2 * i + 1} : complex<f64>"
                     for i in range(count))
    if real:
        body = f"""{make}
          %y = complex.{op} {operands} : {types}
          linalg.yield %y : f64"""
        text = generic([(f"%{i}", X) for i in range(2 * count)], [X], body, "r")
        return Case(f"complex_{op}", args, X, f"{text}\nreturn %r : {X}")
    body = f"""{make}
          %y = complex.{op} {operands} : {types}
          %re = complex.re %y : complex<f64>
          %im = complex.im %y : complex<f64>
          linalg.yield %re, %im : f64, f64"""
    text = generic([(f"%{i}", X) for i in range(2 * count)], [X, X], body, "r")
    return Case(f"complex_{op}", args, [X, X], f"{text}\nreturn %r#0, %r#1 : {X}, {X}")


def functions():
    near = (0.3, 1.0)
    for op in ("add", "sub", "mul", "div"):
        yield elementwise(op, 2, near, "complex")
    for op in ("neg", "conj", "exp", "expm1", "log", "log1p", "sqrt", "rsqrt", "sin", "cos",
               "tan", "tanh"):
        yield elementwise(op, 1, near, "complex")
    for op in ("abs", "angle", "re", "im"):
        case = elementwise(op, 1, near, "real")
        if op in ("re", "im"):
            case.args[op == "re"].zero = True
            case.args[op == "re"].linear = True
        yield case


def tensors():
    make = """%z = complex.create %b0, %b1 : complex<f64>
          linalg.yield %z : complex<f64>"""
    parts = """%re = complex.re %b0 : complex<f64>
          %im = complex.im %b0 : complex<f64>
          linalg.yield %re, %im : f64, f64"""
    # A tensor of complex values used twice, so that their cotangents add up.
    square = """%s = complex.mul %b0, %b1 : complex<f64>
          %t = complex.exp %b0 : complex<f64>
          %u = complex.add %s, %t : complex<f64>
          linalg.yield %u : complex<f64>"""
    yield Case("complex_tensor", [Arg(X), Arg(X)], [X, X, X, X], f"""
        {generic([("%0", X), ("%1", X)], [Z], make, "z")}
        {generic([("%z", Z), ("%z", Z)], [Z], square, "w")}
        {generic([("%w", Z)], [X, X], parts, "p")}
        {generic([("%z", Z)], [X, X], parts, "q")}
        return %p#0, %p#1, %q#0, %q#1 : {X}, {X}, {X}, {X}""")
    # Moved, selected, and in a function of complex arguments.
    function = f"""
func.func private @complex_square(%z: {Z}) -> {Z} {{
  {generic([("%z", Z), ("%z", Z)], [Z], square, "w")}
  return %w : {Z}
}}"""
    pick = """%n = complex.re %b0 : complex<f64>
          %c = arith.constant 0.2 : f64
          %k = arith.cmpf ogt, %n, %c : f64
          %a = complex.conj %b1 : complex<f64>
          %s = arith.select %k, %a, %b0 : complex<f64>
          linalg.yield %s : complex<f64>"""
    yield Case("complex_tensor_moved", [Arg(X), Arg(X)], [X, X, "f64"], f"""
        {generic([("%0", X), ("%1", X)], [Z], make, "z")}
        %f = func.call @complex_square(%z) : ({Z}) -> {Z}
        %row = tensor.extract_slice %f[0, 0] [1, 3] [1, 1] : {Z} to tensor<1x3xcomplex<f64>>
        %g = tensor.insert_slice %row into %z[1, 0] [1, 3] [1, 1]
          : tensor<1x3xcomplex<f64>> into {Z}
        {generic([("%g", Z), ("%f", Z)], [Z], pick, "h")}
        %c0 = arith.constant 0 : index
        %e = tensor.extract %f[%c0, %c0] : {Z}
        %i = tensor.insert %e into %h[%c0, %c0] : {Z}
        {generic([("%i", Z)], [X, X], parts, "p")}
        %abs = complex.abs %e : complex<f64>
        return %p#0, %p#1, %abs : {X}, {X}, f64""", functions=function)
    # Carried by a loop.
    yield Case("complex_loop", [Arg("f64"), Arg("f64")], ["f64", "f64"], """
        %c0 = arith.constant 0 : index
        %c1 = arith.constant 1 : index
        %c3 = arith.constant 3 : index
        %z = complex.create %0, %1 : complex<f64>
        %t = tensor.from_elements %z : tensor<1xcomplex<f64>>
        %r = scf.for %i = %c0 to %c3 step %c1 iter_args(%a = %t) -> tensor<1xcomplex<f64>> {
          %e = tensor.extract %a[%c0] : tensor<1xcomplex<f64>>
          %s = complex.sin %e : complex<f64>
          %m = complex.mul %s, %z : complex<f64>
          %u = tensor.insert %m into %a[%c0] : tensor<1xcomplex<f64>>
          scf.yield %u : tensor<1xcomplex<f64>>
        }
        %y = tensor.extract %r[%c0] : tensor<1xcomplex<f64>>
        %re = complex.re %y : complex<f64>
        %im = complex.im %y : complex<f64>
        return %re, %im : f64, f64""")


def second():
    for case in list(functions()) + list(tensors())[:2]:
        if not any(arg.zero for arg in case.args):
            yield tangent_of(case)
            yield gradient_of(case)


def cases():
    for group in (functions, tensors, second):
        yield from group()


if __name__ == "__main__":
    main(list(cases()))
