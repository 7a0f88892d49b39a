# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Prints a program of random linalg.generic operations: elementwise and reductions, with
slices, paddings, flips, permutations and broadcasts of inputs of several types.

usage: random_kernels.py SEED FUNCTIONS

Results are exact where floats in arguments are multiples of an eighth.
"""

import random
import sys

SIZES = (1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 20, 31, 33, 36, 40, 48, 64)
MOST_POINTS = 12000
WIDTHS = {"f16": 16, "bf16": 16, "f32": 32, "f64": 64, "i16": 16, "i32": 32, "i64": 64}
# What inputs have whose type is another one than that of the results.
OTHERS = {"f16": "f32", "bf16": "f32", "f32": "f64", "f64": "f32", "i16": "i32", "i32": "i64"}


def tensor(shape, type_):
    return f"tensor<{'x'.join([*map(str, shape), type_])}>"


class Function:
    def __init__(self, rng, name):
        self.rng, self.name = rng, name
        self.type = rng.choice(list(OTHERS))
        self.is_float = "f" in self.type
        self.shape = [rng.choice(SIZES) for _ in range(rng.randint(1, 4))]
        while self.points() > MOST_POINTS:
            self.shape[rng.randrange(len(self.shape))] = rng.choice(SIZES[:6])
        self.arguments, self.lines, self.maps = [], [], []

    def points(self):
        product = 1
        for size in self.shape:
            product *= size
        return product

    def add_map(self, results):
        dims = ", ".join(f"d{i}" for i in range(len(self.shape)))
        self.maps.append(f"affine_map<({dims}) -> ({', '.join(results)})>")

    def add_input(self, number):
        """Returns the value and its type."""
        rng, name, value = self.rng, f"%a{number}", f"%s{number}"
        dims = [i for i in range(len(self.shape)) if number == 0 or rng.random() < 0.7]
        if rng.random() < 0.5:
            rng.shuffle(dims)
        shape, results = [self.shape[i] for i in dims], [f"d{i}" for i in dims]
        type_ = OTHERS[self.type] if number == 1 and rng.random() < 0.3 else self.type
        kind = rng.choice(("whole", "whole", "slice", "pad", "flip", "row")) if dims else "whole"
        source = shape
        if kind == "slice":
            strides = [rng.choice((1, 1, 2)) for _ in shape]
            offsets = [rng.choice((0, 0, 1, 2, 4, 8)) for _ in shape]
            source = [o + (n - 1) * s + 1 + rng.choice((0, 0, 1, 4))
                      for n, s, o in zip(shape, strides, offsets)]
            self.lines.append(
                f"{value} = tensor.extract_slice {name}{offsets} {shape} {strides} : "
                f"{tensor(source, type_)} to {tensor(shape, type_)}")
        elif kind == "pad":
            low = [min(rng.choice((0, 0, 1, 2, 4)), n - 1) for n in shape]
            high = [min(rng.choice((0, 0, 1, 2, 4)), n - 1 - k) for n, k in zip(shape, low)]
            source = [n - k - m for n, k, m in zip(shape, low, high)]
            places = ", ".join(f"%p{i}: index" for i in range(len(shape)))
            self.lines += [
                f"%c{number} = arith.constant {0.5 if self.is_float else 3} : {type_}",
                f"{value} = tensor.pad {name} low{low} high{high} {{",
                f"^bb0({places}):", f"  tensor.yield %c{number} : {type_}",
                f"}} : {tensor(source, type_)} to {tensor(shape, type_)}"]
        elif kind == "row":
            # Integers in arguments are less than 5.
            source = [5, *shape]
            self.lines.append(
                f"{value} = tensor.extract_slice {name}[%i{number}{', 0' * len(shape)}] "
                f"{[1, *shape]} {[1] * len(source)} : {tensor(source, type_)} to "
                f"{tensor(shape, type_)}")
        else:
            value = name
            if kind == "flip" and number > 0:
                i = rng.randrange(len(shape))
                results[i] = f"-{results[i]} + {shape[i] - 1}"
        self.arguments.append(f"{name}: {tensor(source, type_)}")
        if kind == "row":
            self.arguments.append(f"%i{number}: index")
        self.add_map(results)
        return value, tensor(shape, type_), type_

    def print(self):
        rng, type_ = self.rng, self.type
        kinds = [rng.choice("pppr") for _ in self.shape]
        inputs = [self.add_input(number) for number in range(rng.randint(1, 3))]
        kept = [i for i, kind in enumerate(kinds) if kind == "p"]
        rng.shuffle(kept)
        result = tensor([self.shape[i] for i in kept], type_)
        outputs = rng.choice((1, 1, 2))
        for number in range(outputs):
            self.add_map([f"d{i}" for i in kept])
            if rng.random() < 0.5:
                self.arguments.append(f"%o{number}: {result}")
                continue
            self.lines += [
                f"%f{number} = arith.constant {1.0 if self.is_float else 2} : {type_}",
                f"%e{number} = tensor.empty() : {result}",
                f"%o{number} = linalg.fill ins(%f{number} : {type_}) outs(%e{number} : {result}) "
                f"-> {result}"]

        body, values = [], []
        for number, (_, _, of_input) in enumerate(inputs):
            values.append(f"%x{number}")
            if of_input != type_:
                wider = WIDTHS[type_] > WIDTHS[of_input]
                convert = (("extf" if wider else "truncf") if self.is_float else
                           ("extsi" if wider else "trunci"))
                body.append(f"%y{number} = arith.{convert} %x{number} : {of_input} to {type_}")
                values[-1] = f"%y{number}"
        value = values[0]
        for number, other in enumerate(values[1:]):
            name = rng.choice(("maximumf", "minimumf") if self.is_float else
                              ("addi", "subi", "maxsi", "xori"))
            body.append(f"%t{number} = arith.{name} {value}, {other} : {type_}")
            value = f"%t{number}"
        for number in range(outputs):
            name = rng.choice(("maximumf", "minimumf", "addf") if self.is_float else
                              ("addi", "maxsi", "xori", "andi", "subi"))
            # Sums of many numbers have more digits than these types.
            if type_ in ("f16", "bf16") and name == "addf":
                name = "maximumf"
            body.append(f"%r{number} = arith.{name} %b{number}, {value} : {type_}")

        def repeat(form):
            return ", ".join(form.format(number) for number in range(outputs))

        results = f"({repeat(result)})"
        iterators = ", ".join('"parallel"' if k == "p" else '"reduction"' for k in kinds)
        elements = [f"%x{number}: {t}" for number, (_, _, t) in enumerate(inputs)]
        print(f"func.func @{self.name}({', '.join(self.arguments)}) -> {results} {{")
        for line in self.lines:
            print(" ", line)
        print(f"  %r:{outputs} = linalg.generic {{indexing_maps = [{', '.join(self.maps)}],")
        print(f"      iterator_types = [{iterators}]}}")
        print(f"      ins({', '.join(v for v, _, _ in inputs)} : "
              f"{', '.join(t for _, t, _ in inputs)})")
        print(f"      outs({repeat('%o{}')} : {repeat(result)}) {{")
        print(f"  ^bb0({', '.join(elements)}, {repeat('%b{}: ' + type_)}):")
        for line in body:
            print("   ", line)
        print(f"    linalg.yield {repeat('%r{}')} : {repeat(type_)}\n  }} -> {results}")
        print(f"  return {repeat('%r#{}')} : {repeat(result)}\n}}")


def main():
    rng = random.Random(int(sys.argv[1]))
    for number in range(int(sys.argv[2])):
        Function(rng, f"f{number}").print()


main()
