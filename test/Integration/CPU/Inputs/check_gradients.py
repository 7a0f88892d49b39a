# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compares gradients of the functions of a program with NumPy, through memrev-compile.

usage: check_gradients.py <memrev-compile> <program>

Each function f(a, b) of two 8 x 8 matrices gets an entry of its own that returns the
gradients of sum(w * f(a, b)) in both.
"""

import pathlib
import subprocess
import sys
import tempfile

import numpy as np

M = "tensor<8x8xf64>"


def softmax(a, b, w):
    y = np.exp(a - a.max(1, keepdims=True))
    y /= y.sum(1, keepdims=True)
    return y * (w * b - (y * w * b).sum(1, keepdims=True)), w * y


def folded(a, b, w):
    da, db = np.zeros_like(a), np.zeros_like(b)
    da[np.arange(8), a.argmax(1)] = w.sum(1)
    for i in range(8):
        db[i] = w.sum(0) * np.delete(b, i, 0).prod(0)
    return da, db


def looked_up(a, b, w):
    da, db = np.zeros_like(a), np.zeros_like(b)
    for i in range(8):
        for j in range(8):
            da[i, i] += w[i, j] * b[7 - i, j]
            da[0, (i + j) // 2] += w[i, j]
            db[7 - i, j] += w[i, j] * a[i, i]
    return da, db


def packed(a, b, w):
    flipped = w.reshape(2, 4, 8)[:, ::-1].reshape(8, 8)
    return flipped * b, flipped * a


def column(a, b, w):
    y = b.copy()
    y[:, 5] = a[:, 3]
    da, db = w * y, w * a
    da[:, 3] += db[:, 5]
    db[:, 5] = 0
    return da, db


EXPECTED = {
    "product": lambda a, b, w: (w @ b.T, a.T @ w),
    "product_transposed": lambda a, b, w: (b.T @ w.T, w.T @ a.T),
    "product_generic": lambda a, b, w: (b @ w.T, a @ w),
    "softmax": softmax,
    "folded": folded,
    "looked_up": looked_up,
    "packed": packed,
    "column": column,
    "column_open": column,
}


def main(compiler, program):
    random = np.random.default_rng(3)
    a, b, w = (random.normal(size=(8, 8)) for _ in range(3))
    # Products with one zero and with two.
    b[3, 2] = b[4, 5] = b[6, 5] = 0
    calls, results = [], []
    for name in EXPECTED:
        calls.append(f"  %{name}:2 = rev.vjp @{name}(%a, %b) cotangents(%w) : "
                     f"({M}, {M}, {M}) -> ({M}, {M})")
        results += [f"%{name}#0", f"%{name}#1"]
    entry = (f"func.func @main(%a: {M}, %b: {M}, %w: {M}) -> "
             f"({', '.join([M] * len(results))}) {{\n" + "\n".join(calls) +
             f"\n  return {', '.join(results)} : {', '.join([M] * len(results))}\n}}\n")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        text = pathlib.Path(program).read_text() + entry
        (folder / "program.mlir").write_text(text)
        for argument, value in (("a", a), ("b", b), ("w", w)):
            np.save(folder / f"{argument}.npy", value)
        files = ",".join(str(folder / f"{n}.npy") for n in "abw")
        subprocess.run([compiler, str(folder / "program.mlir"), "--run", "--entry=main",
                        f"--args={files}", f"--results={folder / 'results.npz'}"],
                       check=True)
        with np.load(folder / "results.npz") as archive:
            values = [archive[f"result{i}"] for i in range(len(archive.files))]
    failed = 0
    for number, (name, gradients) in enumerate(EXPECTED.items()):
        for k, expected in enumerate(gradients(a, b, w)):
            error = np.abs(values[2 * number + k] - expected).max()
            ok = error <= 1e-12
            failed += not ok
            print(f"{'ok  ' if ok else 'FAIL'} {name} {'ab'[k]}: {error:.1e}")
    sys.exit(failed != 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
