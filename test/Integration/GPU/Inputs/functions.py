# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compares functions of the math dialect, compiled for the GPU and run by the
emulator, with references of more bits.

usage: functions.py REFERENCES DOCS [--off-by=UNITS] [--count=N] [--seed=S] [--report]

Errors are in units in the last place of the result's type, subnormals included.
What is infinite, NaN or zero has to be the same, with its sign. --report prints
the largest error of each function instead of failing.
"""

import argparse
import ctypes
import re
import sys

import numpy as np

import memrev

# The largest errors, in f64 and in f32. What docs/GPU.md says.
BOUNDS = {
    "acos": (1.2, 1.2), "acosh": (2.8, 2.6), "asin": (2.3, 2.4), "asinh": (1.8, 1.7),
    "atan": (2.3, 2.1), "atan2": (2.2, 2.0), "atanh": (2.0, 2.0), "cbrt": (0.6, 0.6),
    "cos": (0.9, 0.9), "cosh": (1.5, 1.5), "erf": (1.5, 1.6), "erfc": (3.4, 3.8),
    "exp": (1.1, 1.1), "exp2": (1.1, 1.1), "expm1": (1.9, 1.6), "fpowi": (1.2, 1.2),
    "log": (0.9, 0.9), "log10": (0.8, 0.8), "log1p": (1.0, 1.0), "log2": (0.9, 0.9),
    "powf": (1.2, 1.2), "rsqrt": (1.6, 1.6), "sin": (0.9, 0.9), "sinh": (2.5, 2.1),
    "tan": (2.3, 2.3), "tanh": (2.6, 2.4),
}
# Computed in f32, then rounded.
BOUND_F16 = 0.51
MLIR_TYPES = {"f64": np.float64, "f32": np.float32, "f16": np.float16}
BINARY = ("atan2", "powf", "copysign", "fpowi", "ipowi")
TERNARY = ("fma", "clampf")
INTEGER = ("absi", "ctlz", "ctpop", "cttz", "ipowi")
CLASSES = ("isfinite", "isinf", "isnan", "isnormal")
# Worst cases of the reduction of angles (J.-M. Muller, "Elementary functions", 2016), and others.
SPECIAL = [0.0, -0.0, np.inf, -np.inf, np.nan, 1, -1, 0.5, -0.5, 2, -2, 3, 5e-324, -5e-324, 1e-45,
           -1e-45, 1.2e-38, 1e-310, 1.7e308, -1.7e308, 3e38, 1e22, -1e22, 88.7, -103.9, 709.7,
           709.79, 710.4, -745.1, -746, -708.5, 1000, -1000, 9.0, 10.05, 27.2, 26.5, 0.75, 1024,
           -1074, -1075, 127.9, -149, np.pi / 2, np.pi, 1e5, 65536, 1e9, 2.0**30, 2.0**30 + 0.5,
           1e15, 1e300, 6381956970095103 * 2.0**797, 16367173 * 2.0**72, 8, 27, 1e3, 1e-3, 100,
           0.1, 20, 22, 11.5, 2.0**60, 2.0**-60]
PAIRS = [0.0, -0.0, np.inf, -np.inf, np.nan, 1, -1, 0.5, -0.5, 2, -2, 3, -3, 1e300, -1e300, 1e38,
         -1e38, 5e-324, 1e-45, -1e-45, 2.0**53 - 1, 1e17, 1.5, -7.5, 16777215, 16777217, 65504]


def make_function(name, type_, shape):
    """The text of a function that applies an operation to tensors."""
    tensor = f"tensor<{shape}x{type_}>"
    count = 3 if name in TERNARY else 2 if name in BINARY else 1
    types = [tensor] * count
    if name == "fpowi":
        types[1] = f"tensor<{shape}xi32>"
    arguments = ", ".join(f"%a{i}: {t}" for i, t in enumerate(types))
    operands = ", ".join(f"%a{i}" for i in range(count))
    operation = f"%r = math.{name} {operands} : {tensor}"
    values, results = "%r", tensor
    if name == "fpowi":
        operation += f", {types[1]}"
    elif name == "clampf":
        operation = f"%r = math.clampf %a0 to [%a1, %a2] : {tensor}"
    elif name == "sincos":
        operation = f"%r, %s = math.sincos %a0 : {tensor}"
        values, results = "%r, %s", f"{tensor}, {tensor}"
    elif name in CLASSES:
        results = f"tensor<{shape}xi1>"
    return (f"func.func @{name}_{type_}({arguments}) -> ({results}) {{\n  {operation}\n"
            f"  return {values} : {results}\n}}\n")


class Sweep:
    def __init__(self, options, type_, names):
        self.options, self.type_, self.dtype = options, type_, MLIR_TYPES[type_]
        self.count = options.count
        self.names = names
        self.rng = np.random.default_rng(options.seed)
        self.library = ctypes.CDLL(options.references)
        self.functions = self.compile(names)
        self.evaluations = 0
        self.largest = {}

    def compile(self, names):
        text = "".join(make_function(name, self.type_, self.count) for name in names)
        module = memrev.compile(text, "cuda", chip="sm_90", kernel_format="llvm")
        return {name: module[f"{name}_{self.type_}"] for name in names}

    # Points

    def uniform(self, low, high):
        return self.rng.uniform(low, high, self.count)

    def spread(self, low, high, signed=True):
        """Numbers of all magnitudes between two."""
        values = np.exp(self.rng.uniform(np.log(low), np.log(high), self.count))
        return values * self.rng.choice([-1, 1], self.count) if signed else values

    def points(self, name):
        """Yields operands of a function."""
        info = np.finfo(self.dtype)
        tiny, large = float(info.smallest_subnormal) * 4, float(info.max)
        log_max = np.log(large)
        if name in ("powf", "atan2", "fpowi"):
            x, y = np.meshgrid(PAIRS, PAIRS)
            yield np.resize(x, self.count), np.resize(y, self.count)
            yield self.uniform(-3, 3), self.uniform(-3, 3)
            yield self.spread(tiny, large), self.spread(tiny, large)
            if name == "atan2":
                return
            base = self.spread(tiny, large, signed=False)
            yield base, self.uniform(-1.05 * log_max, 1.01 * log_max) / np.log(base)
            near = 1 + self.spread(16 * float(info.eps), 0.5)
            yield near, self.uniform(-30, 30)
            yield near, self.spread(1, 1e6)
            yield self.uniform(-5, 5), np.round(self.uniform(-20, 20))
            return
        yield (np.resize(SPECIAL, self.count),)
        yield (self.spread(tiny, large),)
        yield (self.spread(1e-8, 1e3),)
        ranges = {
            "exp": [(-1.1 * log_max, log_max), (-2, 2)], "expm1": [(-2, 2), (-50, log_max)],
            "exp2": [(-1.1 * log_max / np.log(2), log_max / np.log(2)), (-2, 2)],
            "sinh": [(-3, 3), (-log_max - 1, log_max + 1)],
            "cosh": [(-3, 3), (-log_max - 1, log_max + 1)],
            "tanh": [(-3, 3), (-25, 25)], "erf": [(-1, 1), (-7, 7)],
            "erfc": [(-1, 1), (0, 1.05 * log_max**0.5), (-7, 2)], "log": [(0.5, 2), (0, 10)],
            "log2": [(0.5, 2)], "log10": [(0.5, 2)], "log1p": [(-1, 1), (-0.3, 0.45)],
            "asinh": [(-2, 2)], "acosh": [(1, 1.01), (1, 3)], "atanh": [(-1, 1), (-0.1, 0.1)],
            "sin": [(-10, 10), (-1e5, 1e5)], "cos": [(-10, 10), (-1e5, 1e5)],
            "tan": [(-10, 10), (-1e5, 1e5)], "atan": [(-3, 3)], "asin": [(-1, 1)],
            "acos": [(-1, 1), (0.9, 1)], "cbrt": [(-10, 10)], "rsqrt": [(0, 10)],
        }
        for low, high in ranges[name]:
            yield (self.uniform(low, high),)
        if name in ("sin", "cos", "tan"):
            # Next to multiples of pi / 2.
            yield (np.round(self.uniform(-6e5, 6e5)) * (np.pi / 2),)

    # Comparing

    def reference(self, name, operands):
        """The results as sums of two doubles."""
        operands = [np.ascontiguousarray(operand, np.float64) for operand in operands]
        high, low = np.empty_like(operands[0]), np.empty_like(operands[0])
        function = {"powf": "pow", "fpowi": "pow"}.get(name, name)
        getattr(self.library, "reference_" + function)(
            *(ctypes.c_void_p(array.ctypes.data) for array in [*operands, high, low]),
            ctypes.c_long(high.size))
        return high, low

    def fail(self, message):
        if not self.options.report:
            sys.exit(f"{self.type_}: {message}")
        print(f"{self.type_}: {message}")

    def check(self, name, operands):
        with np.errstate(all="ignore"):
            if name == "fpowi":
                exponents = np.nan_to_num(operands[1], posinf=2**31 - 1, neginf=-2**31)
                exponents = np.clip(exponents, -2**31, 2**31 - 1).astype(np.int32)
                operands = [operands[0].astype(self.dtype), exponents]
            else:
                operands = [operand.astype(self.dtype) for operand in operands]
            actual = np.asarray(self.functions[name](*operands))
            self.evaluations += actual.size
            high, low = self.reference(name, operands)
            expected = high.astype(self.dtype)
            finite = np.isfinite(expected) & np.isfinite(actual)
            unit = np.spacing(np.abs(np.where(finite, expected, 1))).astype(np.float64)
            distance = (actual.astype(np.float64) - high) - low
            error = np.where(finite, np.abs(distance) / unit + self.options.off_by, 0)
            same = finite | (actual == expected) | (np.isnan(actual) & np.isnan(expected))
            zero = (actual == 0) & (expected == 0)
            same &= ~zero | (np.signbit(actual) == np.signbit(expected))
        if not same.all():
            at = np.flatnonzero(~same)[0]
            self.fail(f"math.{name} of {[float(o[at]) for o in operands]} is {actual[at]}, "
                      f"but expects {expected[at]}")
        worst = int(np.argmax(error))
        bound = BOUND_F16 if self.type_ == "f16" else BOUNDS[name][self.type_ == "f32"]
        if error[worst] > bound and not self.options.report:
            self.fail(f"math.{name} is {error[worst]:.3f} units off, but expects {bound}, at "
                      f"{[float(o[worst]).hex() for o in operands]}")
        self.largest[name] = max(self.largest.get(name, 0), error[worst])

    def run(self):
        for name in self.names:
            if self.type_ == "f16" and name not in ("powf", "atan2", "fpowi"):
                # All numbers of 16 bits.
                for bits in np.arange(2**16, dtype=np.uint16).reshape(-1, self.count):
                    self.check(name, (bits.view(np.float16),))
                continue
            for operands in self.points(name):
                self.check(name, operands)
        if self.options.report:
            print(" ".join(f"{name} {error:.2f}" for name, error in self.largest.items()))
        self.check_sincos()
        print(f"{self.type_}: {len(self.names)} functions, {self.evaluations} evaluations")

    def check_sincos(self):
        function = self.compile(["sincos"])["sincos"]
        x = self.spread(1e-3, 1e6).astype(self.dtype)
        for result, name in zip(function(x), ("sin", "cos")):
            if not np.array_equal(result, self.functions[name](x), equal_nan=True):
                self.fail(f"math.sincos differs from math.{name}")


def check_integers():
    """Integer operations, and powers that overflow."""
    count = 512
    text = "".join(make_function(name, "i32", count) for name in INTEGER)
    module = memrev.compile(text, "cuda", chip="sm_90", kernel_format="llvm")
    rng = np.random.default_rng(0)
    x = rng.integers(-2**31, 2**31, count).astype(np.int32)
    x[:7] = [0, 1, -1, 2**31 - 1, -2**31, 2, 3]
    small = rng.integers(-9, 10, count).astype(np.int32)
    power = rng.integers(-3, 12, count).astype(np.int32)
    small[small == 0] = 2  # A negative power of 0 is not defined.

    def to_i32(values):
        return np.array([(value + 2**31) % 2**32 - 2**31 for value in values], np.int32)

    bits = [f"{int(value) % 2**32:032b}" for value in x]
    expected = {
        "absi": to_i32(abs(int(value)) for value in x),
        "ctlz": np.array([len(text) - len(text.lstrip("0")) for text in bits]),
        "ctpop": np.array([text.count("1") for text in bits]),
        "cttz": np.array([len(text) - len(text.rstrip("0")) for text in bits]),
        "ipowi": to_i32(int(b)**int(p) if p >= 0 else (int(b)**int(-p) if abs(b) == 1 else 0)
                        for b, p in zip(small, power)),
    }
    for name in INTEGER:
        operands = [small, power] if name == "ipowi" else [x]
        if not np.array_equal(module[f"{name}_i32"](*operands), expected[name]):
            sys.exit(f"math.{name} is wrong")
    print(f"integers: {len(INTEGER)} functions")


def check_compiled(docs):
    """Every operation of the math dialect that docs/Coverage.md lists has PTX."""
    with open(f"{docs}/Coverage.md") as file:
        names = re.findall(r"^\| `math\.(\w+)`", file.read(), re.MULTILINE)
    floats, integers = ("f16", "bf16", "f32", "f64"), ("i8", "i16", "i32", "i64")
    functions = [make_function(name, type_, 3) for name in names
                 for type_ in (integers if name in INTEGER else floats)]
    memrev.compile("".join(functions), "cuda", chip="sm_80", kernel_format="ptx")
    print(f"compiled: {len(functions)} functions of 8 types")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("references")
    parser.add_argument("docs")
    parser.add_argument("--off-by", type=float, default=0)
    parser.add_argument("--count", type=int, default=4096)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--report", action="store_true")
    options = parser.parse_args()
    for type_ in MLIR_TYPES:
        Sweep(options, type_, ["exp", *sorted(BOUNDS.keys() - {"exp"})]).run()
    check_integers()
    check_compiled(options.docs)


main()
