# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Structured operations: generics, named elementwise operations, contractions, and
operations that only move elements."""

from harness import Arg, Case, main, tensor

POSITIVE = (0.3, 3.0)


def generic(maps, iterators, ins, outs, body, result):
    """The text of a generic; `maps` are pairs of dimensions and results."""
    dims = ", ".join(f"d{i}" for i in range(len(iterators)))
    maps = ", ".join(f"affine_map<({dims}) -> ({m})>" for m in maps)
    kinds = ", ".join({"p": '"parallel"', "r": '"reduction"'}[i] for i in iterators)
    inputs = ""
    if ins:
        inputs = (f"ins({', '.join(v for v, _ in ins)} : "
                  f"{', '.join(t for _, t in ins)}) ")
    count = len(ins) + len(outs)
    block = ", ".join(f"%b{i}: f64" for i in range(count))
    return f"""linalg.generic {{indexing_maps = [{maps}], iterator_types = [{kinds}]}}
          {inputs}outs({', '.join(v for v, _ in outs)} : {', '.join(t for _, t in outs)}) {{
        ^bb0({block}):
          {body}
        }} -> {result}"""


def generics():
    x, row, y = tensor(3, 4), tensor(4), tensor(3, 4)
    # A row that is broadcast, one operand in two places, a permuted one.
    yield Case("generic_broadcast", [Arg(x), Arg(row), Arg(tensor(4, 3))], y, f"""
        %e = tensor.empty() : {y}
        %y = {generic(["d0, d1", "d1", "d1, d0", "d0, d1", "d0, d1"], "pp",
                      [("%0", x), ("%1", row), ("%2", tensor(4, 3)), ("%0", x)],
                      [("%e", y)], '''%p = arith.mulf %b0, %b1 : f64
          %q = arith.mulf %p, %b2 : f64
          %s = math.sin %b3 : f64
          %r = arith.addf %q, %s : f64
          linalg.yield %r : f64''', y)}
        return %y : {y}""")
    # Both results are used, one of them is summed over.
    yield Case("generic_two_results", [Arg(x), Arg(x)], [y, y], f"""
        %e = tensor.empty() : {y}
        %y:2 = {generic(["d0, d1"] * 4, "pp", [("%0", x), ("%1", x)],
                        [("%e", y), ("%e", y)], '''%p = arith.mulf %b0, %b1 : f64
          %q = math.tanh %p : f64
          linalg.yield %p, %q : f64, f64''', f"({y}, {y})")}
        return %y#0, %y#1 : {y}, {y}""")
    yield Case("generic_sum", [Arg(x), Arg(tensor(3), linear=True)], tensor(3), f"""
        %y = {generic(["d0, d1", "d0"], "pr", [("%0", x)], [("%1", tensor(3))],
                      '''%p = math.exp %b0 : f64
          %s = arith.addf %p, %b1 : f64
          linalg.yield %s : f64''', tensor(3))}
        return %y : {tensor(3)}""")
    # A reduction over a loop that the operand does not have.
    yield Case("generic_counts", [Arg(row)], tensor(4), f"""
        %z = arith.constant dense<0.0> : {row}
        %k = tensor.empty() : tensor<3xf64>
        %y = {generic(["d1", "d0", "d1"], "rp", [("%0", row), ("%k", tensor(3))],
                      [("%z", row)], '''%p = arith.mulf %b0, %b0 : f64
          %s = arith.addf %b2, %p : f64
          linalg.yield %s : f64''', row)}
        return %y : {row}""")
    # The out operand is read elementwise.
    yield Case("generic_in_place", [Arg(x), Arg(y)], y, f"""
        %y = {generic(["d0, d1", "d0, d1"], "pp", [("%0", x)], [("%1", y)],
                      '''%p = arith.mulf %b0, %b1 : f64
          %s = math.tanh %p : f64
          linalg.yield %s : f64''', y)}
        return %y : {y}""")
    yield Case("generic_captures_a_scalar", [Arg(x), Arg("f64")], y, f"""
        %e = tensor.empty() : {y}
        %y = {generic(["d0, d1", "d0, d1"], "pp", [("%0", x)], [("%e", y)],
                      '''%p = arith.mulf %b0, %1 : f64
          %s = math.sin %p : f64
          linalg.yield %s : f64''', y)}
        return %y : {y}""")
    d = tensor("?", "?")
    yield Case("generic_dynamic", [Arg(d, static=x), Arg(tensor("?"), static=row)], d,
               f"""
        %c0 = arith.constant 0 : index
        %c1 = arith.constant 1 : index
        %n = tensor.dim %0, %c0 : {d}
        %m = tensor.dim %0, %c1 : {d}
        %e = tensor.empty(%n, %m) : {d}
        %y = {generic(["d0, d1", "d1", "d0, d1"], "pp",
                      [("%0", d), ("%1", tensor("?"))], [("%e", d)],
                      '''%p = arith.mulf %b0, %b1 : f64
          %s = math.sin %p : f64
          linalg.yield %s : f64''', d)}
        return %y : {d}""", static_results=[y])


def named_elementwise():
    x = tensor(3, 4)
    for op in ("negf", "exp", "log", "sqrt", "rsqrt", "square", "reciprocal", "tanh",
               "erf", "abs"):
        yield Case(f"linalg_{op}", [Arg(x, range=POSITIVE)], x, f"""
        %e = tensor.empty() : {x}
        %y = linalg.{op} ins(%0 : {x}) outs(%e : {x}) -> {x}
        return %y : {x}""")
    for op in ("add", "sub", "mul", "div", "max", "min", "powf"):
        yield Case(f"linalg_{op}", [Arg(x, range=POSITIVE), Arg(x, range=POSITIVE)], x,
                   f"""
        %e = tensor.empty() : {x}
        %y = linalg.{op} ins(%0, %1 : {x}, {x}) outs(%e : {x}) -> {x}
        return %y : {x}""")
    yield Case("linalg_select", [Arg(x), Arg(x)], x, f"""
        %e = tensor.empty() : {x}
        %c = arith.cmpf ogt, %0, %1 : {x}
        %s = arith.mulf %0, %1 : {x}
        %y = linalg.select ins(%c, %s, %1 : tensor<3x4xi1>, {x}, {x}) outs(%e : {x}) -> {x}
        return %y : {x}""")
    for op in ("ceil", "floor", "round"):
        yield Case(f"linalg_{op}", [Arg(x, range=(0.1, 0.4))], x, f"""
        %e = tensor.empty() : {x}
        %s = linalg.{op} ins(%0 : {x}) outs(%e : {x}) -> {x}
        %y = linalg.mul ins(%0, %s : {x}, {x}) outs(%e : {x}) -> {x}
        %z = linalg.add ins(%0, %y : {x}, {x}) outs(%e : {x}) -> {x}
        return %z : {x}""")
    yield Case("linalg_map", [Arg(x), Arg(x)], x, f"""
        %e = tensor.empty() : {x}
        %y = linalg.map ins(%0, %1 : {x}, {x}) outs(%e : {x})
          (%a: f64, %b: f64, %out: f64) {{
            %p = arith.mulf %a, %b : f64
            %s = math.sin %p : f64
            linalg.yield %s : f64
          }}
        return %y : {x}""")
    yield Case("linalg_elementwise", [Arg(tensor(4)), Arg(x)], x, f"""
        %e = tensor.empty() : {x}
        %y = linalg.elementwise kind=#linalg.elementwise_kind<mul>
          indexing_maps = [affine_map<(d0, d1) -> (d1)>, affine_map<(d0, d1) -> (d0, d1)>,
                           affine_map<(d0, d1) -> (d0, d1)>]
          ins(%0, %1 : tensor<4xf64>, {x}) outs(%e : {x}) -> {x}
        return %y : {x}""")


def contraction(op, lhs, rhs, out, maps=None, name=None):
    dims = {2: "m", 3: "m, n, k", 4: "b, m, n, k"}
    attribute = ""
    if maps:
        rank = maps[0]
        attribute = "indexing_maps = [" + ", ".join(
            f"affine_map<({dims[rank]}) -> ({m})>" for m in maps[1:]) + "] "
    return Case(name or f"linalg_{op}",
                [Arg(lhs, linear=True), Arg(rhs, linear=True), Arg(out, linear=True)], out,
                f"""
        %y = linalg.{op} {attribute}ins(%0, %1 : {lhs}, {rhs}) outs(%2 : {out}) -> {out}
        return %y : {out}""")


def contractions():
    m, n, k = 3, 4, 5
    out = tensor(m, n)
    yield contraction("matmul", tensor(m, k), tensor(k, n), out)
    yield contraction("batch_matmul", tensor(2, m, k), tensor(2, k, n), tensor(2, m, n))
    # Every way to transpose, for square matrices too, where a wrong map shows in
    # nothing but the numbers.
    for size in ((3, 4, 5), (4, 4, 4)):
        m, n, k = size

        def shape(dims):
            return tensor(*[dict(m=m, n=n, k=k, b=2)[d] for d in dims.split(", ")])

        for a in ("m, k", "k, m"):
            for b in ("k, n", "n, k"):
                tag = f"{a}_{b}_{m}x{n}x{k}".replace(", ", "")
                yield contraction("matmul", shape(a), shape(b), shape("m, n"),
                                  (3, a, b, "m, n"), f"matmul_{tag}")
                yield contraction("batch_matmul", shape("b, " + a), shape("b, " + b),
                                  shape("b, m, n"),
                                  (4, "b, " + a, "b, " + b, "b, m, n"),
                                  f"batch_matmul_{tag}")
    m, n, k = 3, 4, 5
    yield contraction("matmul", tensor(k), tensor(k, n), out, (3, "k", "k, n", "m, n"),
                      "matmul_broadcast")
    yield contraction("batch_matmul", tensor(m, k), tensor(2, k, n), tensor(2, m, n),
                      (4, "m, k", "b, k, n", "b, m, n"), "batch_matmul_broadcast")
    yield contraction("contract", tensor(m, k), tensor(n, k), tensor(n, m),
                      (3, "m, k", "n, k", "n, m"), "contract_transposed")
    yield Case(
        "linalg_dot", [Arg(tensor(k), linear=True), Arg(tensor(k), linear=True)], "f64",
        f"""
        %z = arith.constant dense<0.5> : tensor<f64>
        %y = linalg.dot ins(%0, %1 : {tensor(k)}, {tensor(k)}) outs(%z : tensor<f64>)
          -> tensor<f64>
        %v = tensor.extract %y[] : tensor<f64>
        return %v : f64""")
    yield contraction("matvec", tensor(m, k), tensor(k), tensor(m))
    yield contraction("vecmat", tensor(k), tensor(k, n), tensor(n))
    yield contraction("batch_matvec", tensor(2, m, k), tensor(2, k), tensor(2, m))
    yield contraction("batch_vecmat", tensor(2, k), tensor(2, k, n), tensor(2, n))
    yield contraction("batch_reduce_matmul", tensor(2, m, k), tensor(2, k, n), out)
    yield contraction("mmt4d", tensor(2, 3, 4, 2), tensor(3, 3, 5, 2), tensor(2, 3, 4, 5))
    yield contraction("batch_mmt4d", tensor(2, 2, 3, 4, 2), tensor(2, 3, 3, 5, 2),
                      tensor(2, 2, 3, 4, 5))
    # A batch in another place, two loops that are summed over.
    yield contraction("contract", tensor(k, 2, m), tensor(n, m, k, 2), tensor(2, n),
                      (4, "k, b, m", "n, m, k, b", "b, n"), "contract_batched")
    square = tensor(4, 4)
    yield Case("matmul_of_itself", [Arg(square)], square, f"""
        %y = linalg.matmul ins(%0, %0 : {square}, {square}) outs(%0 : {square}) -> {square}
        return %y : {square}""")
    d = tensor("?", "?")
    yield Case("matmul_dynamic",
               [Arg(d, static=tensor(m, k), linear=True),
                Arg(d, static=tensor(k, n), linear=True),
                Arg(d, static=out, linear=True)], d, f"""
        %y = linalg.matmul ins(%0, %1 : {d}, {d}) outs(%2 : {d}) -> {d}
        return %y : {d}""", static_results=[out])


def movement():
    x, y = tensor(3, 4), tensor(4, 2, 3)
    yield Case("fill", [Arg("f64", linear=True)], x, f"""
        %e = tensor.empty() : {x}
        %y = linalg.fill ins(%0 : f64) outs(%e : {x}) -> {x}
        return %y : {x}""")
    yield Case("copy", [Arg(x, linear=True)], x, f"""
        %e = tensor.empty() : {x}
        %y = linalg.copy ins(%0 : {x}) outs(%e : {x}) -> {x}
        return %y : {x}""")
    yield Case("copy_with_cast", [Arg(x, linear=True, tolerance=1e-6)], x, f"""
        %f = tensor.empty() : tensor<3x4xf32>
        %e = tensor.empty() : {x}
        %s = linalg.copy ins(%0 : {x}) outs(%f : tensor<3x4xf32>) -> tensor<3x4xf32>
        %y = linalg.copy ins(%s : tensor<3x4xf32>) outs(%e : {x}) -> {x}
        return %y : {x}""")
    yield Case("broadcast", [Arg(x)], [tensor(3, 2, 4), x], f"""
        %e = tensor.empty() : tensor<3x2x4xf64>
        %y = linalg.broadcast ins(%0 : {x}) outs(%e : tensor<3x2x4xf64>) dimensions = [1]
        %q = arith.mulf %0, %0 : {x}
        return %y, %q : tensor<3x2x4xf64>, {x}""")
    yield Case("broadcast_scalar", [Arg("f64", linear=True)], x, f"""
        %t = tensor.from_elements %0 : tensor<f64>
        %e = tensor.empty() : {x}
        %y = linalg.broadcast ins(%t : tensor<f64>) outs(%e : {x}) dimensions = [0, 1]
        return %y : {x}""")
    # A permutation that is not its own inverse.
    yield Case("transpose", [Arg(tensor(2, 3, 4), linear=True)], y, f"""
        %e = tensor.empty() : {y}
        %y = linalg.transpose ins(%0 : tensor<2x3x4xf64>) outs(%e : {y})
          permutation = [2, 0, 1]
        return %y : {y}""")
    d = tensor("?", "?", "?")
    yield Case("transpose_dynamic", [Arg(d, static=tensor(2, 3, 4), linear=True)], d,
               f"""
        %c0 = arith.constant 0 : index
        %c1 = arith.constant 1 : index
        %c2 = arith.constant 2 : index
        %n = tensor.dim %0, %c0 : {d}
        %m = tensor.dim %0, %c1 : {d}
        %k = tensor.dim %0, %c2 : {d}
        %e = tensor.empty(%k, %n, %m) : {d}
        %y = linalg.transpose ins(%0 : {d}) outs(%e : {d}) permutation = [2, 0, 1]
        return %y : {d}""", static_results=[y])
    for dims, out in (([1], tensor(2, 4)), ([0, 2], tensor(3))):
        yield Case(f"reduce_{len(dims)}",
                   [Arg(tensor(2, 3, 4), linear=True), Arg(out, linear=True)], out, f"""
        %y = linalg.reduce ins(%0 : tensor<2x3x4xf64>) outs(%1 : {out}) dimensions = {dims}
          (%in: f64, %sum: f64) {{
            %s = arith.addf %sum, %in : f64
            linalg.yield %s : f64
          }}
        return %y : {out}""")
    yield Case("reduce_dynamic",
               [Arg(tensor("?", 3), static=tensor(2, 3), linear=True)], tensor(3), f"""
        %z = arith.constant dense<0.0> : tensor<3xf64>
        %y = linalg.reduce {{arith.addf}} ins(%0 : tensor<?x3xf64>) outs(%z : tensor<3xf64>)
          dimensions = [0]
        return %y : tensor<3xf64>""")
    # Sums of something else than the elements, two at once.
    yield Case("reduce_products", [Arg(x), Arg(x)], [tensor(3), tensor(3)], f"""
        %z = arith.constant dense<0.0> : tensor<3xf64>
        %y:2 = linalg.reduce ins(%0, %1 : {x}, {x}) outs(%z, %z : tensor<3xf64>, tensor<3xf64>)
          dimensions = [1]
          (%a: f64, %b: f64, %s: f64, %t: f64) {{
            %p = arith.mulf %a, %b : f64
            %u = arith.addf %s, %p : f64
            %v = arith.addf %t, %b : f64
            linalg.yield %u, %v : f64, f64
          }}
        return %y#0, %y#1 : tensor<3xf64>, tensor<3xf64>""")


def extents():
    """Extents of 0 and 1, in types and at run time."""
    d = tensor("?", "?")
    for m, n, k in ((3, 4, 0), (0, 4, 2), (1, 1, 1), (1, 4, 3)):
        def zero(*shape):
            return 0 in shape or 0 in (m, n, k)
        for types in (None, d):
            a, b, y = (types or tensor(*s) for s in ((m, k), (k, n), (m, n)))
            name = f"{m}x{n}x{k}" + ("_dynamic" if types else "")
            yield Case(f"matmul_{name}",
                       [Arg(a, static=tensor(m, k), linear=True, zero=zero(m, k)),
                        Arg(b, static=tensor(k, n), linear=True, zero=zero(k, n)),
                        Arg(y, static=tensor(m, n), linear=True, zero=0 in (m, n))], y, f"""
        %y = linalg.matmul ins(%0, %1 : {a}, {b}) outs(%2 : {y}) -> {y}
        return %y : {y}""", static_results=[tensor(m, n)], forward=0 not in (m, n))
            x, r = types or tensor(m, k), "tensor<?xf64>" if types else tensor(m)
            yield Case(f"generic_{name}",
                       [Arg(x, static=tensor(m, k), zero=0 in (m, k)),
                        Arg(r, static=tensor(m), linear=True, zero=m == 0)], r, f"""
        %y = {generic(["d0, d1", "d0"], "pr", [("%0", x)], [("%1", r)],
                      '''%p = math.exp %b0 : f64
          %s = arith.addf %p, %b1 : f64
          linalg.yield %s : f64''', r)}
        return %y : {r}""", static_results=[tensor(m)], forward=m != 0)


def cases():
    for group in (generics, named_elementwise, contractions, movement, extents):
        yield from group()


if __name__ == "__main__":
    main(list(cases()))
