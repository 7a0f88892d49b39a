# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Reductions: by maxima, minima and products, of more than one dimension, of bodies, with
zeros in the data, and sums that are written in other ways."""

from harness import Arg, Case, main, tensor
from structured import generic


def reduce(op, shape, dims, out, name, *, arg=None, init=None, dynamic=False):
    x, y = tensor(*shape), tensor(*out)
    static = x, y
    if dynamic:
        x, y = tensor(*["?"] * len(shape)), tensor(*["?"] * len(out))
    arg, init = dict(arg or {}), dict(init or {})
    return Case(f"reduce_{op}_{name}",
                [Arg(x, static=static[0], **arg), Arg(y, static=static[1], **init)], y, f"""
        %y = linalg.reduce ins(%0 : {x}) outs(%1 : {y}) dimensions = {dims}
          (%in: f64, %acc: f64) {{
            %s = arith.{op} %in, %acc : f64
            linalg.yield %s : f64
          }}
        return %y : {y}""", static_results=[static[1]])


def extrema():
    for op in ("maximumf", "maxnumf", "minimumf", "minnumf"):
        largest = op.startswith("max")
        low = (-3.0, -2.0) if largest else (2.0, 3.0)
        # The starting value wins some, and never.
        yield reduce(op, (9, 4), [1], (9,), "rows",
                     init=dict(range=(0.2, 1.0) if largest else (-1.0, -0.2)))
        yield reduce(op, (3, 4), [0], (4,), "columns", init=dict(zero=True, range=low))
    yield reduce("maximumf", (2, 3, 4), [0, 2], (3,), "outer_and_inner",
                 init=dict(range=(0.8, 1.0)))
    yield reduce("minimumf", (2, 3), [0, 1], (), "all", init=dict(zero=True, range=(2.0, 3.0)))
    yield reduce("maximumf", (2, 3, 4), [1, 2], (2,), "dynamic", dynamic=True,
                 init=dict(zero=True, range=(-3.0, -2.0)))
    x, y = tensor(3, 4), tensor(3)
    # The largest of a function of two operands, one of which is broadcast, and a sum
    # next to it.
    yield Case("maximum_of_products", [Arg(x), Arg(tensor(4)), Arg(y)], [y, y], f"""
        %z = arith.constant dense<0.25> : {y}
        %y:2 = {generic(["d0, d1", "d1", "d0", "d0"], "pr",
                        [("%0", x), ("%1", tensor(4))], [("%2", y), ("%z", y)],
                        '''%p = arith.mulf %b0, %b1 : f64
          %m = arith.maximumf %b2, %p : f64
          %s = arith.addf %p, %b3 : f64
          linalg.yield %m, %s : f64, f64''', f"({y}, {y})")}
        return %y#0, %y#1 : {y}, {y}""")
    # The largest in windows, and the place of the window is a factor.
    y = tensor(5)
    yield Case("maximum_in_windows", [Arg(tensor(12)), Arg(y)], y, f"""
        %k = tensor.empty() : tensor<3xf64>
        %y = {generic(["d0 * 2 + d1", "d1", "d0"], "pr",
                      [("%0", tensor(12)), ("%k", tensor(3))], [("%1", y)],
                      '''%i = linalg.index 1 : index
          %j = arith.index_cast %i : index to i64
          %f = arith.sitofp %j : i64 to f64
          %p = arith.mulf %b0, %f : f64
          %m = arith.maximumf %p, %b2 : f64
          linalg.yield %m : f64''', y)}
        return %y : {y}""")
    x, y = tensor(3, 4), tensor(3)
    # A starting value that is no number.
    yield Case("maximum_from_nan", [Arg(x)], y, f"""
        %n = arith.constant dense<0x7FF8000000000000> : {y}
        %y = linalg.reduce {{arith.maxnumf}} ins(%0 : {x}) outs(%n : {y}) dimensions = [1]
        return %y : {y}""")


def products():
    away = dict(range=(0.5, 1.5))
    yield reduce("mulf", (3, 4), [1], (3,), "rows", arg=away, init=dict(linear=True))
    yield reduce("mulf", (2, 3, 2), [0, 2], (3,), "outer_and_inner", arg=away,
                 init=dict(linear=True))
    yield reduce("mulf", (2, 3), [0, 1], (), "all", arg=away, init=dict(linear=True))
    yield reduce("mulf", (2, 3, 2), [0, 1], (2,), "dynamic", arg=away,
                 init=dict(linear=True), dynamic=True)
    # Rows without, with one, two and only zeros, to which an argument is added that is
    # as good as zero.
    x, y = tensor(4, 3), tensor(4)
    yield Case("product_of_zeros", [Arg(x, range=(0.0, 1e-300)), Arg("f64", linear=True)],
               y, f"""
        %c = arith.constant dense<[[2.0, 3.0, 0.5], [0.0, 2.0, 3.0], [0.0, 2.0, 0.0],
                                   [0.0, 0.0, 0.0]]> : {x}
        %e = tensor.empty() : {y}
        %i = linalg.fill ins(%1 : f64) outs(%e : {y}) -> {y}
        %f = arith.addf %c, %0 : {x}
        %y = linalg.reduce {{arith.mulf}} ins(%f : {x}) outs(%i : {y}) dimensions = [1]
        return %y : {y}""")
    # The result is permuted, and the factor a function of two operands.
    yield Case("product_of_sums",
               [Arg(tensor(2, 3, 4), **away), Arg(tensor(3), **away)], tensor(4, 2), f"""
        %o = arith.constant dense<1.5> : {tensor(4, 2)}
        %y = {generic(["d0, d1, d2", "d1", "d2, d0"], "prp",
                      [("%0", tensor(2, 3, 4)), ("%1", tensor(3))],
                      [("%o", tensor(4, 2))], '''%s = arith.addf %b0, %b1 : f64
          %p = arith.mulf %s, %b2 : f64
          linalg.yield %p : f64''', tensor(4, 2))}
        return %y : {tensor(4, 2)}""")


def sums():
    x, y = tensor(3, 4), tensor(3)
    # Subtracted from the running value, masked, and several terms one by one.
    yield Case("sum_by_subtraction", [Arg(x), Arg(y, linear=True)], y, f"""
        %y = {generic(["d0, d1", "d0"], "pr", [("%0", x)], [("%1", y)],
                      '''%p = math.exp %b0 : f64
          %s = arith.subf %b1, %p : f64
          %t = arith.addf %b0, %s : f64
          linalg.yield %t : f64''', y)}
        return %y : {y}""")
    yield Case("masked_sum", [Arg(x), Arg(y, linear=True)], y, f"""
        %z = arith.constant 0.0 : f64
        %y = {generic(["d0, d1", "d0"], "pr", [("%0", x)], [("%1", y)],
                      '''%p = math.exp %b0 : f64
          %c = arith.cmpf ogt, %b0, %z : f64
          %s = arith.addf %b1, %p : f64
          %t = arith.select %c, %s, %b1 : f64
          linalg.yield %t : f64''', y)}
        return %y : {y}""")
    # In one operand linear, in the other one linear but for a term without it.
    yield Case("sum_of_a_product_and_a_factor",
               [Arg(x, linear=True), Arg(tensor(4), linear=True), Arg(y, linear=True)], y,
               f"""
        %y = {generic(["d0, d1", "d1", "d0"], "pr", [("%0", x), ("%1", tensor(4))],
                      [("%2", y)], '''%p = arith.mulf %b0, %b1 : f64
          %q = arith.addf %p, %b0 : f64
          %s = arith.addf %b2, %q : f64
          linalg.yield %s : f64''', y)}
        return %y : {y}""")
    # Masked so often that there are more paths to the running value than can be walked.
    masks = "\n".join(f"""%s{i + 1} = arith.addf %t{i}, %b0 : f64
          %t{i + 1} = arith.select %c, %s{i + 1}, %t{i} : f64""" for i in range(40))
    yield Case("sum_with_many_masks", [Arg(x, linear=True)], y, f"""
        %z = arith.constant dense<0.0> : {y}
        %m = arith.constant 2 : index
        %y = {generic(["d0, d1", "d0"], "pr", [("%0", x)], [("%z", y)],
                      f'''%i = linalg.index 1 : index
          %c = arith.cmpi slt, %i, %m : index
          %t0 = arith.addf %b1, %b0 : f64
          {masks}
          linalg.yield %t40 : f64''', y)}
        return %y : {y}""")
    # Polynomials: many iterations add to one element of the result.
    yield Case("sum_at_a_sum_of_loops",
               [Arg(tensor(4), linear=True), Arg(tensor(3), linear=True),
                Arg(tensor(6), linear=True)], tensor(6), f"""
        %y = {generic(["d0", "d1", "d0 + d1"], "rr",
                      [("%0", tensor(4)), ("%1", tensor(3))], [("%2", tensor(6))],
                      '''%p = arith.mulf %b0, %b1 : f64
          %s = arith.addf %b2, %p : f64
          linalg.yield %s : f64''', tensor(6))}
        return %y : {tensor(6)}""")
    # The number of the iteration is a factor.
    yield Case("sum_with_indices", [Arg(x, linear=True)], y, f"""
        %z = arith.constant dense<0.0> : {y}
        %y = {generic(["d0, d1", "d0"], "pr", [("%0", x)], [("%z", y)],
                      '''%i = linalg.index 1 : index
          %j = arith.index_cast %i : index to i64
          %f = arith.sitofp %j : i64 to f64
          %p = arith.mulf %f, %b0 : f64
          %s = arith.addf %b1, %p : f64
          linalg.yield %s : f64''', y)}
        return %y : {y}""")
    # Without iterations the starting value is the result.
    for op in ("addf", "mulf", "maximumf"):
        empty = tensor(3, 0)
        yield Case(f"reduce_{op}_of_nothing", [Arg(y, linear=True)], y, f"""
        %e = tensor.empty() : {empty}
        %q = arith.mulf %e, %e : {empty}
        %y = linalg.reduce {{arith.{op}}} ins(%q : {empty}) outs(%0 : {y}) dimensions = [1]
        return %y : {y}""")


def cases():
    for group in (extrema, products, sums):
        yield from group()


if __name__ == "__main__":
    main(list(cases()))
