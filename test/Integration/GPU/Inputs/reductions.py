# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Prints a program of reductions: types, combiners, and which dimensions are reduced.

usage: reductions.py exact|rounded

The results of the first program do not depend on the order of the reduction when
the floats in its arguments are multiples of an eighth.
"""

import itertools
import sys

FLOATS = ("f16", "bf16", "f32", "f64")
INTEGERS = ("i16", "i32", "i64", "index")
FLOAT_COMBINERS = ("maximumf", "minimumf", "maxnumf", "minnumf")
INTEGER_COMBINERS = ("addi", "muli", "andi", "ori", "xori", "maxsi", "minsi", "maxui", "minui")
# Sizes of the dimensions and which of them are reduced. What a thread, a warp, a
# block or several blocks reduce, along rows and columns, with sizes that nothing
# divides.
SHAPES = [
    ((1, 7), "pr"), ((5, 3), "pr"), ((9, 31), "pr"), ((3, 64), "pr"), ((70, 36), "pr"),
    ((2, 1030), "pr"), ((3, 6, 20), "rpr"), ((4, 5, 12), "prr"), ((17001,), "r"), ((20000,), "r"),
    ((7, 1), "rp"), ((31, 5), "rp"), ((40, 48), "rp"), ((13, 300), "rp"), ((1500, 3), "rp"),
    ((1100, 8), "rp"), ((6, 30, 4), "rrp"), ((3, 20, 8), "prp"), ((3, 1200, 8), "prp"),
]


class Program:
    def __init__(self):
        self.names = itertools.count()

    def function(self, shape, kinds, type_, combiner, init="fill", outer=None, fill=None):
        """A reduction of `shape` with the given start: a constant, another argument or an
        argument that is added to in place."""
        name = f"f{next(self.names)}"
        dims = [f"d{i}" for i in range(len(shape))]
        kept = [i for i, kind in enumerate(kinds) if kind == "p"]
        result = "x".join([str(shape[i]) for i in kept] + [type_])
        source = "x".join([*map(str, shape), type_])
        maps = [f"affine_map<({', '.join(dims)}) -> ({', '.join(d)})>"
                for d in (dims, [dims[i] for i in kept])]
        iterators = ", ".join('"parallel"' if k == "p" else '"reduction"' for k in kinds)
        donated = " {rev.donated}" if init == "in place" else ""
        more = "" if init == "fill" else f", %s: tensor<{result}>{donated}"
        print(f"// {init} {combiner}")
        print(f"func.func @{name}(%x: tensor<{source}>{more}) -> tensor<{result}> {{")
        if init == "fill":
            print(f"  %c = arith.constant {fill} : {type_}")
            print(f"  %e = tensor.empty() : tensor<{result}>")
            print(f"  %s = linalg.fill ins(%c : {type_}) outs(%e : tensor<{result}>) "
                  f"-> tensor<{result}>")
        print(f"  %r = linalg.generic {{indexing_maps = [{', '.join(maps)}], "
              f"iterator_types = [{iterators}]}}")
        print(f"      ins(%x : tensor<{source}>) outs(%s : tensor<{result}>) {{")
        print(f"  ^bb0(%a: {type_}, %o: {type_}):")
        print(f"    %0 = arith.{combiner} %o, %a : {type_}")
        print(f"    linalg.yield %0 : {type_}")
        print(f"  }} -> tensor<{result}>")
        print(f"  return %r : tensor<{result}>\n}}")


def main():
    program = Program()
    if sys.argv[1] == "rounded":
        for shape, kinds in SHAPES:
            program.function(shape, kinds, "f64", "addf", fill="1.0")
        program.function((3, 40), "pr", "f64", "mulf", fill="2.0")
        program.function((3, 40), "rp", "f32", "mulf", "read")
        return
    for number, (shape, kinds) in enumerate(SHAPES):
        init = ("fill", "read", "in place")[number % 3]
        program.function(shape, kinds, "f32", "addf", init, fill="1.0")
        program.function(shape, kinds, "f64", "maximumf", init, fill="-1.0")
    for type_ in FLOATS:
        for shape in ((5, 40), (40, 6)):
            for kinds in ("pr", "rp"):
                program.function(shape, kinds, type_, "maxnumf", fill="-2.0")
    for combiner in FLOAT_COMBINERS:
        program.function((3, 1030), "pr", "f32", combiner, "read")
    for type_ in INTEGERS:
        for number, combiner in enumerate(INTEGER_COMBINERS):
            shape, kinds = (((3, 70), "pr"), ((50, 5), "rp"))[number % 2]
            program.function(shape, kinds, type_, combiner, "read")
    program.function((40, 9), "pr", "i1", "andi", "read")
    program.function((9, 40), "rp", "i1", "ori", "read")
    program.function((70, 30), "rp", "i1", "xori", "read")


main()
