# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes operations on tensors as MLIR text."""

import dataclasses


def number(value):
    """A float as MLIR reads it: with a point before the exponent."""
    text = repr(float(value))
    return text if "." in text else text.replace("e", ".0e")


@dataclasses.dataclass(frozen=True)
class Value:
    name: str
    shape: tuple
    type: str


class Writer:
    """Writes operations on tensors of one element type."""

    def __init__(self, element):
        self.element = element
        self.lines = []
        self.indent = 1
        self.count = 0

    def tensor(self, shape, element=None):
        return f"tensor<{'x'.join(map(str, [*shape, element or self.element]))}>"

    def value(self, shape, name=None):
        """A new value, named by a number unless it is given a name."""
        if name is None:
            name = f"%{self.count}"
            self.count += 1
        return Value(name, tuple(shape), self.tensor(shape))

    def line(self, text):
        self.lines.append("  " * self.indent + text)

    def op(self, text, shape):
        result = self.value(shape)
        self.line(f"{result.name} = {text}")
        return result

    def scalar(self, value):
        result = f"%s{self.count}"
        self.count += 1
        self.line(f"{result} = arith.constant {number(value)} : {self.element}")
        return result

    def index(self, value):
        result = f"%i{self.count}"
        self.count += 1
        self.line(f"{result} = arith.constant {value} : index")
        return result

    def empty(self, shape):
        return self.op(f"tensor.empty() : {self.tensor(shape)}", shape)

    def zeros(self, shape):
        zero, empty = self.scalar(0), self.empty(shape)
        return self.op(f"linalg.fill ins({zero} : {self.element}) "
                       f"outs({empty.name} : {empty.type}) -> {empty.type}", shape)

    def generic(self, iterators, inputs, outputs, body):
        """A linalg.generic: inputs and outputs are (value, dimensions) pairs,
        the body lines name the arguments %a0, %a1, ... and end in linalg.yield."""
        dims = ", ".join(f"d{i}" for i in range(len(iterators)))
        maps = ", ".join(
            f"affine_map<({dims}) -> ({', '.join(f'd{i}' for i in used)})>"
            for _, used in inputs + outputs)
        kinds = ", ".join(f'"{kind}"' for kind in iterators)

        def operands(pairs):
            return (f"({', '.join(v.name for v, _ in pairs)} : "
                    f"{', '.join(v.type for v, _ in pairs)})")

        results = [self.value(v.shape) for v, _ in outputs]
        types = ", ".join(v.type for v, _ in outputs)
        self.line(f"{', '.join(r.name for r in results)} = linalg.generic "
                  f"{{indexing_maps = [{maps}], iterator_types = [{kinds}]}}")
        ins = f"ins{operands(inputs)} " if inputs else ""
        self.line(f"    {ins}outs{operands(outputs)} {{")
        arguments = ", ".join(f"%a{i}: {self.element}"
                              for i in range(len(inputs + outputs)))
        self.line(f"^bb0({arguments}):")
        for text in body:
            self.line("  " + text)
        arrow = f"({types})" if len(results) > 1 else types
        self.line(f"}} -> {arrow}")
        return results

    def elementwise(self, values, body):
        """One result of the shape of the first value, the same for the others."""
        shape = values[0].shape
        dims = range(len(shape))
        return self.generic(["parallel"] * len(shape), [(v, dims) for v in values],
                            [(self.empty(shape), dims)], body)[0]

    def add(self, x, y):
        """x + y, which takes the place of x."""
        dims = range(len(x.shape))
        return self.generic(
            ["parallel"] * len(x.shape), [(y, dims)], [(x, dims)],
            [f"%r = arith.addf %a1, %a0 : {self.element}",
             f"linalg.yield %r : {self.element}"])[0]

    def scale(self, x, factor):
        constant = self.scalar(factor)
        return self.elementwise(
            [x], [f"%r = arith.mulf %a0, {constant} : {self.element}",
                  f"linalg.yield %r : {self.element}"])

    def relu(self, x):
        zero = self.scalar(0)
        return self.elementwise(
            [x], [f"%r = arith.maximumf %a0, {zero} : {self.element}",
                  f"linalg.yield %r : {self.element}"])

    def total(self, x, kept):
        """The sum over all dimensions but `kept`."""
        iterators = ["parallel" if d in kept else "reduction"
                     for d in range(len(x.shape))]
        zeros = self.zeros([x.shape[d] for d in kept])
        return self.generic(
            iterators, [(x, range(len(x.shape)))], [(zeros, kept)],
            [f"%r = arith.addf %a0, %a1 : {self.element}",
             f"linalg.yield %r : {self.element}"])[0]

    def convolve(self, x, weights, stride=1):
        """A convolution that keeps the size but for the stride."""
        n, height, width, channels = x.shape
        size, filters = weights.shape[0], weights.shape[3]
        border = size // 2
        if border:
            zero = self.scalar(0)
            shape = (n, height + 2 * border, width + 2 * border, channels)
            padded = self.value(shape)
            self.line(f"{padded.name} = tensor.pad {x.name} low[0, {border}, "
                      f"{border}, 0] high[0, {border}, {border}, 0] {{")
            self.line("^bb0(%p0: index, %p1: index, %p2: index, %p3: index):")
            self.line(f"  tensor.yield {zero} : {self.element}")
            self.line(f"}} : {x.type} to {padded.type}")
            x = padded
        shape = (n, -(-height // stride), -(-width // stride), filters)
        zeros = self.zeros(shape)
        return self.op(
            "linalg.conv_2d_nhwc_hwcf "
            f"{{dilations = dense<1> : tensor<2xi64>, "
            f"strides = dense<{stride}> : tensor<2xi64>}} "
            f"ins({x.name}, {weights.name} : {x.type}, {weights.type}) "
            f"outs({zeros.name} : {zeros.type}) -> {zeros.type}", shape)

    def concatenate(self, x, y):
        shape = (*x.shape[:3], x.shape[3] + y.shape[3])
        return self.op(f"tensor.concat dim(3) {x.name}, {y.name} : "
                       f"({x.type}, {y.type}) -> {self.tensor(shape)}", shape)

    def slice(self, stack, position):
        """The entry of `stack` at `position`, an index value."""
        shape = stack.shape[1:]
        zeros = "".join(", 0" for _ in shape)
        sizes = "".join(f", {size}" for size in shape)
        ones = "".join(", 1" for _ in shape)
        return self.op(
            f"tensor.extract_slice {stack.name}[{position}{zeros}] [1{sizes}] "
            f"[1{ones}] : {stack.type} to {self.tensor(shape)}", shape)

    def replace(self, stack, position, entry):
        """`stack` with the entry at `position` replaced."""
        zeros = "".join(", 0" for _ in entry.shape)
        sizes = "".join(f", {size}" for size in entry.shape)
        ones = "".join(", 1" for _ in entry.shape)
        return self.op(
            f"tensor.insert_slice {entry.name} into {stack.name}"
            f"[{position}{zeros}] [1{sizes}] [1{ones}] : "
            f"{entry.type} into {stack.type}", stack.shape)
