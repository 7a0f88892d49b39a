#!/usr/bin/env python3
# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Prints the polynomials of lib/Codegen/GPU/MathPolynomials.h.

usage: minimax.py > lib/Codegen/GPU/MathPolynomials.h
       minimax.py --check=lib/Codegen/GPU/MathPolynomials.h [--only=NAME,...]

Each polynomial has the smallest largest error, weighted as the function needs
it, that its degree allows: E. Remez, "Sur le calcul effectif des polynomes
d'approximation de Tchebichef", 1934. Its degree is the smallest that leaves the
error below the bound for its type. Coefficients are rounded to the type at the
end. With --check, computes polynomials again and fails if the file has others.
Needs mpmath.
"""

import argparse
import sys
import textwrap

import mpmath
from mpmath import mp, mpf

mp.dps = 50
GRID = 400


class Approximation:
    """A function to approximate on an interval, and the weight of the error."""

    def __init__(self, name, what, function, low, high, weight, bits64, bits32, high32=None):
        self.name, self.what = name, what
        self.function, self.weight = function, weight
        self.low = mpf(low)
        self.high = {"f64": mpf(high), "f32": mpf(high32 or high)}
        # The error is below 2^-bits.
        self.bits = {"f64": bits64, "f32": bits32}

    def sample(self, type_):
        """Points that are dense at the ends, with what the function and the
        weight are there."""
        middle, radius = (self.low + self.high[type_]) / 2, (self.high[type_] - self.low) / 2
        points = [middle - radius * mpmath.cos(mpmath.pi * (i + mpf(1) / 2) / GRID)
                  for i in range(GRID)]
        return [(x, self.function(x), self.weight(x)) for x in points]


def evaluate(coefficients, x):
    return mpmath.polyval(coefficients[::-1], x)


def remez(samples, degree):
    """Returns coefficients, the constant one first, and the largest error."""
    count = degree + 2
    chosen = [round((1 - mpmath.cos(mpmath.pi * i / (count - 1))) / 2 * (len(samples) - 1))
              for i in range(count)]
    for _ in range(30):
        matrix, right = mpmath.matrix(count, count), mpmath.matrix(count, 1)
        for row, index in enumerate(chosen):
            x, value, weight = samples[index]
            for column in range(degree + 1):
                matrix[row, column] = x**column
            matrix[row, degree + 1] = (-1) ** row / weight
            right[row] = value
        solution = mpmath.lu_solve(matrix, right)
        coefficients = [solution[i] for i in range(degree + 1)]
        errors = [(evaluate(coefficients, x) - value) * weight for x, value, weight in samples]
        # The largest error of each run of one sign.
        extrema = []
        for index, error in enumerate(errors):
            if extrema and (errors[extrema[-1]] > 0) == (error > 0):
                if abs(error) > abs(errors[extrema[-1]]):
                    extrema[-1] = index
            else:
                extrema.append(index)
        while len(extrema) > count:
            extrema.pop(0 if abs(errors[extrema[0]]) < abs(errors[extrema[-1]]) else -1)
        if len(extrema) < count or extrema == chosen:
            break
        chosen = extrema
    return coefficients, max(abs(error) for error in errors)


def from_square(function):
    """A function of x as one of z = x^2."""
    return lambda z: function(mpmath.sqrt(z))


def scaled_erfc(t):
    x = ERFC_CENTER * (1 + t) / (1 - t)
    return (1 + 2 * x) * mpmath.exp(x * x) * mpmath.erfc(x)


ERFC_CENTER = 4
HALF_LN2 = mpmath.log(2) / 2 * mpf("1.0001")
# Functions of a square start above 0, where the formula would divide by 0.
TINY = mpf("1e-14")

APPROXIMATIONS = [
    Approximation(
        "Exp", "(exp(r) - 1 - r) / r^2 for |r| <= ln(2) / 2",
        lambda r: (mpmath.exp(r) - 1 - r) / (r * r), -HALF_LN2, HALF_LN2, abs, 57, 27),
    Approximation(
        "Log", "(2 atanh(s) - 2 s) / s^3 in s^2, for |s| <= 3 - sqrt(8)",
        from_square(lambda s: (2 * mpmath.atanh(s) - 2 * s) / s**3), TINY, "0.02944",
        lambda z: z / 2, 58, 28),
    Approximation(
        "LogTail", "((atanh(s) / s - 1) / s^2 - 1/3) / s^2 in s^2, for |s| <= 3 - sqrt(8)",
        from_square(lambda s: ((mpmath.atanh(s) / s - 1) / s**2 - mpf(1) / 3) / s**2),
        TINY, "0.02944", lambda z: z * z, 67, 36),
    Approximation(
        "Sin", "(sin(r) / r - 1) / r^2 in r^2, for |r| <= pi / 4",
        from_square(lambda r: (mpmath.sin(r) / r - 1) / r**2), TINY, "0.6175",
        lambda z: z, 58, 28),
    Approximation(
        "Cos", "(cos(r) - 1 + r^2 / 2) / r^4 in r^2, for |r| <= pi / 4",
        from_square(lambda r: (mpmath.cos(r) - 1 + r**2 / 2) / r**4), TINY, "0.6175",
        lambda z: z * z, 58, 28),
    Approximation(
        "Atan", "(atan(q) / q - 1) / q^2 in q^2, for |q| <= tan(pi / 8)",
        from_square(lambda q: (mpmath.atan(q) / q - 1) / q**2), TINY, "0.17158",
        lambda z: z, 58, 28),
    Approximation(
        "Asin", "(asin(x) / x - 1) / x^2 in x^2, for |x| <= 1/2",
        from_square(lambda x: (mpmath.asin(x) / x - 1) / x**2), TINY, "0.25",
        lambda z: z, 58, 28),
    Approximation(
        "Erf", "erf(x) / x - 1 in x^2, for |x| <= 3/4",
        from_square(lambda x: mpmath.erf(x) / x - 1), TINY, "0.5625", lambda z: mpf(1), 57, 27),
    # M. Shepherd, J. Laframboise, "Chebyshev approximation of
    # (1 + 2x) exp(x^2) erfc x in 0 <= x < inf", Mathematics of Computation 36, 1981.
    Approximation(
        "Erfc",
        f"(1 + 2 x) exp(x^2) erfc(x) in t = (x - {ERFC_CENTER}) / (x + {ERFC_CENTER}), "
        "for 1/2 <= x <= 28 in f64 and 21/2 in f32",
        scaled_erfc, "-0.7778", "0.7501", lambda t: mpf(1), 57, 28, high32="0.4483"),
]


def round_to(value, type_):
    """The hexadecimal literal of a number rounded to the nearest of the type."""
    bits = 53 if type_ == "f64" else 24
    with mp.workprec(bits):
        return float(+value).hex()


HEADER = """\
//===- MathPolynomials.h - Polynomials of functions -------------*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// Printed by utils/minimax.py. The constant coefficient comes first.
// clang-format off

#ifndef MEMREV_LIB_CODEGEN_GPU_MATHPOLYNOMIALS_H
#define MEMREV_LIB_CODEGEN_GPU_MATHPOLYNOMIALS_H

namespace mlir::memrev {
"""

FOOTER = """\
} // namespace mlir::memrev

#endif // MEMREV_LIB_CODEGEN_GPU_MATHPOLYNOMIALS_H"""


def define(approximation, type_, bits):
    """The text that defines the coefficients for a type."""
    samples = approximation.sample(type_)
    degree = 1
    while True:
        coefficients, error = remez(samples, degree)
        if error < mpf(2) ** -bits:
            break
        degree += 1
    comment = textwrap.wrap(
        f"{approximation.what}, to 2^{float(mpmath.log(error, 2)):.1f}.", 76)
    return "\n".join([
        *(f"// {line}" for line in comment),
        f"inline constexpr double k{approximation.name}{type_.upper()}[] = {{",
        ",\n".join(f"    {round_to(c, type_)}" for c in coefficients) + "};\n"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", metavar="FILE")
    parser.add_argument("--only", type=lambda text: text.split(","))
    options = parser.parse_args()
    definitions = [f"constexpr double kErfcCenter = {ERFC_CENTER};\n"]
    for approximation in APPROXIMATIONS:
        if not options.only or approximation.name in options.only:
            definitions += [define(approximation, type_, bits)
                            for type_, bits in approximation.bits.items()]
    if not options.check:
        print("\n".join([HEADER, *definitions, FOOTER]))
        return
    with open(options.check) as file:
        text = file.read()
    for definition in definitions:
        if definition not in text:
            sys.exit(f"expects in {options.check}:\n{definition}")
    print(f"{len(definitions) - 1} polynomials are the ones of {options.check}")


main()
