# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiles and runs the gradient of network.mlir and compares it with central
differences of the same network in NumPy, in double precision."""

import pathlib
import subprocess
import sys

import numpy as np

SHAPES = [(1, 8, 8, 1), (4, 3, 3, 1), (4,), (1, 36, 10), (1, 1, 10)]
STEP = 1e-6
# What f32 leaves.
TOLERANCE = 1e-6


def network(x, w, b, v, dy):
    c = np.zeros((6, 6, 4))
    for i in range(6):
        for j in range(6):
            c[i, j] = np.einsum("hw,ohw->o", x[0, i:i + 3, j:j + 3, 0], w[..., 0]) + b
    pooled = np.clip(c, 0, 6).reshape(3, 2, 3, 2, 4).max((1, 3))
    return (pooled.reshape(36) @ v[0]) @ dy[0, 0]


def main(compiler, program, folder):
    folder = pathlib.Path(folder)
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(shape).astype(np.float32) for shape in SHAPES]
    files = []
    for i, array in enumerate(arrays):
        files.append(str(folder / f"arg{i}.npy"))
        np.save(files[-1], array)
    subprocess.run([compiler, program, "--run", "--entry=gradient",
                    f"--args={','.join(files)}", f"--results={folder / 'out.npz'}"], check=True)
    results = np.load(folder / "out.npz")
    values = [array.astype(float) for array in arrays]
    for k, name in enumerate(results.files):
        argument = values[k + 1]
        expected = np.zeros_like(argument)
        for i in np.ndindex(argument.shape):
            sides = []
            for sign in (STEP, -STEP):
                moved = [value.copy() for value in values]
                moved[k + 1][i] += sign
                sides.append(network(*moved))
            expected[i] = (sides[0] - sides[1]) / (2 * STEP)
        error = abs(results[name] - expected).max() / abs(expected).max()
        print(f"{name}: {error:.1e}")
        if not error < TOLERANCE:
            sys.exit(f"{name} expects an error below {TOLERANCE}, but got {error}")


if __name__ == "__main__":
    main(*sys.argv[1:])
