# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Generics with maps that are no projected permutations: constants, diagonals, reversed
dimensions, windows, and elements that the body looks up itself."""

from harness import Arg, Case, main, tensor
from structured import generic


def read(name, x, y, map, dynamic=False):
    """The squares of the elements of an operand that is read at `map`."""
    static = tensor(*x), tensor(*y)
    types = static
    empty = f"%e = tensor.empty() : {types[1]}"
    if dynamic:
        types = tensor(*["?"] * len(x)), tensor(*["?"] * len(y))
        sizes = "\n".join(f"%n{i} = arith.constant {n} : index" for i, n in enumerate(y))
        names = ", ".join(f"%n{i}" for i in range(len(y)))
        empty = f"{sizes}\n%e = tensor.empty({names}) : {types[1]}"
    out = ", ".join(f"d{i}" for i in range(len(y)))
    return Case(name, [Arg(types[0], static=static[0])], types[1], f"""
        {empty}
        %y = {generic([map, out], "p" * len(y), [("%0", types[0])], [("%e", types[1])],
                      '''%p = arith.mulf %b0, %b0 : f64
          linalg.yield %p : f64''', types[1])}
        return %y : {types[1]}""", static_results=[static[1]])


def maps():
    yield read("constant", (3, 4), (4,), "1, d0")
    yield read("constant_of_unit", (1, 4), (3, 4), "0, d1")
    yield read("offset", (5, 4), (3, 4), "d0 + 2, d1")
    yield read("stride", (7, 4), (3, 4), "d0 * 2 + 1, d1")
    yield read("reversed", (3, 4), (3, 4), "2 - d0, d1")
    yield read("reversed_stride", (8, 4), (3, 4), "7 - d0 * 3, d1")
    yield read("reversed_and_permuted", (4, 3), (3, 4), "3 - d1, d0")
    yield read("window", (6,), (4, 3), "d0 + d1")
    yield read("window_strided", (11,), (4, 3), "d0 * 2 + d1 + 1")
    yield read("window_dilated", (3, 15), (3, 4, 3), "d0, d1 + d2 * 5")
    yield read("window_reversed", (6,), (4, 3), "d0 - d1 + 2")
    yield read("window_of_three", (9,), (4, 3, 2), "d0 + d1 + 2 * d2 + 1")
    yield read("windows", (6, 7), (4, 3, 3, 5), "d0 + d1, d2 + d3")


def cases():
    yield from maps()
    x = tensor(6)
    # A window in a reduction: a convolution with a filter of ones.
    y = tensor(4)
    yield Case("window_summed", [Arg(x)], y, f"""
        %z = arith.constant dense<0.0> : {y}
        %k = tensor.empty() : tensor<3xf64>
        %y = {generic(["d0 + d1", "d1", "d0"], "pr", [("%0", x), ("%k", tensor(3))],
                      [("%z", y)], '''%p = arith.mulf %b0, %b0 : f64
          %s = arith.addf %b2, %p : f64
          linalg.yield %s : f64''', y)}
        return %y : {y}""")
    # Two operands of a window each, in a body that knows where it is. The longer loop
    # is the first or the last.
    for rows, columns, other in ((4, 3, "3 - d0"), (3, 4, "3 - d1")):
        y = tensor(rows, columns)
        yield Case(f"window_with_indices_{rows}x{columns}", [Arg(x), Arg(tensor(4))], y, f"""
        %e = tensor.empty() : {y}
        %y = {generic(["d0 + d1", other, "d0, d1"], "pp",
                      [("%0", x), ("%1", tensor(4))], [("%e", y)],
                      '''%i = linalg.index 0 : index
          %j = linalg.index 1 : index
          %t = arith.constant 3 : index
          %m = arith.muli %j, %t : index
          %k = arith.addi %i, %m : index
          %n = arith.index_cast %k : index to i64
          %f = arith.sitofp %n : i64 to f64
          %p = arith.mulf %b0, %b1 : f64
          %q = arith.mulf %p, %f : f64
          linalg.yield %q : f64''', y)}
        return %y : {y}""")
    yield read("diagonal", (4, 4), (4,), "d0, d0")
    yield read("diagonal_of_three", (3, 4, 3), (4, 3), "d1, d0, d1")
    yield Case("trace", [Arg(tensor(4, 4), linear=True), Arg("f64", linear=True)],
               "f64", f"""
        %t = tensor.from_elements %1 : tensor<f64>
        %y = {generic(["d0, d0", ""], "r", [("%0", tensor(4, 4))], [("%t", tensor())],
                      '''%s = arith.addf %b0, %b1 : f64
          linalg.yield %s : f64''', tensor())}
        %v = tensor.extract %y[] : tensor<f64>
        return %v : f64""")
    yield read("diagonal_dynamic", (4, 4), (4,), "d0, d0", dynamic=True)
    yield read("stride_dynamic", (7, 4), (3, 4), "d0 * 2 + 1, d1", dynamic=True)
    # No slice and no diagonal says these.
    yield read("off_diagonal", (4, 5), (4,), "d0, d0 + 1")
    yield read("quotient", (2,), (4,), "d0 floordiv 2")
    yield read("remainder", (3, 2), (3, 4), "d0, d1 mod 2")
    # A convolution whose window has no constant extent.
    x, k, y = tensor("?"), tensor("?"), tensor("?")
    yield Case("conv_with_a_window_of_dynamic_extent",
               [Arg(x, static=tensor(7), linear=True), Arg(k, static=tensor(3), linear=True),
                Arg(y, static=tensor(5), linear=True)], y, f"""
        %y = linalg.conv_1d ins(%0, %1 : {x}, {k}) outs(%2 : {y}) -> {y}
        return %y : {y}""", static_results=[tensor(5)])
    # A scalar operand.
    yield Case("scalar_operand", [Arg("f64"), Arg(tensor(4))], tensor(4), f"""
        %e = tensor.empty() : {tensor(4)}
        %y = {generic(["", "d0", "d0"], "p", [("%0", "f64"), ("%1", tensor(4))],
                      [("%e", tensor(4))], '''%p = arith.mulf %b0, %b1 : f64
          %q = math.sin %p : f64
          linalg.yield %q : f64''', tensor(4))}
        return %y : {tensor(4)}""")
    yield from lookups()


def lookups():
    table, y = tensor(5, 3), tensor(4, 3)
    yield Case("lookup", [Arg(table), Arg(tensor(3))], y, f"""
        %n = arith.constant dense<[3, 0, 3, 4]> : tensor<4xindex>
        %e = tensor.empty() : {y}
        %y = linalg.generic {{indexing_maps = [affine_map<(d0, d1) -> (d0)>,
            affine_map<(d0, d1) -> (d1)>, affine_map<(d0, d1) -> (d0, d1)>],
            iterator_types = ["parallel", "parallel"]}}
            ins(%n, %1 : tensor<4xindex>, {tensor(3)}) outs(%e : {y}) {{
        ^bb0(%i: index, %w: f64, %out: f64):
          %j = linalg.index 1 : index
          %v = tensor.extract %0[%i, %j] : {table}
          %p = arith.mulf %v, %w : f64
          %q = math.sin %p : f64
          linalg.yield %q : f64
        }} -> {y}
        return %y : {y}""")
    d = tensor("?")
    yield Case("lookup_dynamic", [Arg(d, static=tensor(5))], tensor(3), f"""
        %z = arith.constant dense<0.0> : {tensor(3)}
        %n = arith.constant dense<[[1, 2], [0, 1], [4, 4]]> : tensor<3x2xi32>
        %y = linalg.generic {{indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>,
            affine_map<(d0, d1) -> (d0)>], iterator_types = ["parallel", "reduction"]}}
            ins(%n : tensor<3x2xi32>) outs(%z : {tensor(3)}) {{
        ^bb0(%i: i32, %sum: f64):
          %j = arith.index_cast %i : i32 to index
          %v = tensor.extract %0[%j] : {d}
          %p = arith.mulf %v, %v : f64
          %s = arith.addf %sum, %p : f64
          linalg.yield %s : f64
        }} -> {tensor(3)}
        return %y : {tensor(3)}""")


if __name__ == "__main__":
    main(list(cases()))
