# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs the functions of permuted-loops.mlir and compares them with Python's loops.

usage: check_permuted_loops.py FILE
"""

import pathlib
import sys

import numpy as np

import memrev


def run_while(before, after):
    """The loop whose condition passes `before(x, y)` on, with the tensors `after` of that."""
    def run(a, b, n):
        x, y = a, b
        for i in range(n):
            x, y = after(*before(x, y), i, a, b)
        return before(x, y)
    return run


def run_for(body):
    def run(a, b, n):
        x, y = a, b
        for i in range(n):
            x, y = body(x, y, i, a)
        return x, y
    return run


def keep(x, y, *_):
    return x, y


def swap(x, y, *_):
    return y, x


def add_to_second(x, y, *_):
    return y, x + y


def choose(x, y, i, *_):
    return (y, x) if i % 2 else (x + y, y)


def inner_for(x, y, i, *_):
    p, q = y, x
    for _ in range(i + 1):
        p, q = q, p + q
    return p, q


def inner_while(x, y, i, *_):
    x, y = run_while(swap, add_to_second)(x, y, i)
    return y, x


def between(x, y, i):
    return y * y if i % 2 else x


def inserted(a, half, i):
    result = a.copy()
    result[i:i + 4] = half
    return result


def while_types(a, b, n):
    x, y = a, b
    for i in range(n):
        x, y = y.reshape(2, 4).T.reshape(8), inserted(a, x[2:6], i)
    return x[2:6], y


def while_reshapes(a, b, n):
    x, y = run_while(swap, lambda x, y, *_: (x + y, x))(a, b, n)
    return x, y.reshape(2, 4)


FUNCTIONS = {
    "while_yield": run_while(keep, swap),
    "while_condition": run_while(swap, keep),
    "while_both": run_while(add_to_second, add_to_second),
    "while_twice": run_while(lambda x, y: (y, y), lambda x, y, i, a, b: (x + b, x + b)),
    "while_outside": run_while(keep, lambda x, y, i, a, b: (y, a)),
    "while_constant": run_while(lambda x, y: (np.arange(1.0, 9), y), swap),
    "while_branch": run_while(keep, choose),
    "while_for": run_while(keep, inner_for),
    "for_branch": run_for(choose),
    "for_switch": run_for(lambda x, y, i, a: {0: (y, x), 1: (x + y, a)}.get(i, (y, y))),
    "for_while": run_for(inner_while),
    "for_branch_read": run_for(lambda x, y, i, a: (x + between(x, y, i), y)),
    "for_branch_later": run_for(lambda x, y, i, a: (-x, between(x, y, i) - x)),
    "for_branch_kernel": lambda a, b, n: (a if n == 0 else (max(n - 2, 0) + 3) * b, b),
    "for_others": run_for(lambda x, y, i, a: (x - x[0], y - y[::-1])),
    "while_types": while_types,
    "while_reshapes": while_reshapes,
}


def main():
    program = memrev.compile(pathlib.Path(sys.argv[1]).read_text())
    a, b = np.random.default_rng(0).integers(-9, 10, (2, 8)).astype(float)
    for name, function in FUNCTIONS.items():
        for trips in range(5):
            results = program[name](a, b, trips)
            for number, (result, expected) in enumerate(zip(results, function(a, b, trips))):
                if not np.array_equal(result, expected):
                    sys.exit(f"@{name}, {trips} trips, result {number}: expects\n{expected}, "
                             f"but got\n{result}")


main()
