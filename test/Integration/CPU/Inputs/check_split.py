# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Calls the two functions of a split derivative and compares with one function.

usage: check_split.py TOOLS PROGRAM
"""

import pathlib
import re
import subprocess
import sys
import tempfile

import numpy as np


def run(tools, program, entry, arguments, folder):
    """The results of `entry` of the file `program`."""
    files = []
    for i, argument in enumerate(arguments):
        files.append(str(folder / f"{i}.npy"))
        np.save(files[-1], argument)
    results = folder / "results.npz"
    subprocess.run([f"{tools}/memrev-compile", program, "--run", f"--entry={entry}",
                    f"--args={','.join(files)}", f"--results={results}"], check=True)
    with np.load(results) as archive:
        return [archive[f"result{i}"] for i in range(len(archive.files))]


def derive(tools, program, options, target):
    subprocess.run([f"{tools}/memrev-opt", program, "-o", target,
                    f"--rev-differentiate=function=f {options}"], check=True)
    return target


def residuals(text):
    """Where each residual of @f_bwd comes from, in order."""
    signature = next(line for line in text.splitlines() if "@f_bwd(" in line)
    return re.findall(r'rev\.residual = "([^"]*)"', signature)


def main(tools, program):
    generator = np.random.default_rng(0)
    arguments = [generator.normal(size=s) / 2 for s in ((3, 4), (3, 4), (4, 4))]
    cotangents = [generator.normal(size=(3, 4)) for _ in range(2)]
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        combined = derive(tools, program, "mode=vjp policy=store", folder / "vjp.mlir")
        expected = run(tools, combined, "f_vjp", arguments + cotangents, folder)
        saved = {}
        for policy in ("invert", "store"):
            split = derive(tools, program, f"mode=split policy={policy}",
                           folder / f"{policy}.mlir")
            outputs = run(tools, split, "f_fwd", arguments, folder)
            results, extra = outputs[:2], outputs[2:]
            given = []
            origins = residuals(split.read_text())
            for origin in origins:
                kind, number = origin.split()
                given.append({"argument": lambda: arguments[int(number)],
                              "result": lambda: results[int(number)],
                              "saved": lambda: extra[int(number)]}[kind]())
            gradients = run(tools, split, "f_bwd", given + cotangents, folder)
            for i, (gradient, reference) in enumerate(zip(gradients, expected)):
                error = np.abs(gradient - reference).max() / np.abs(reference).max()
                if len(gradients) != len(expected) or not error < 1e-12:
                    sys.exit(f"{policy}: gradient {i} is off by {error}")
            saved[policy] = sum(origin.startswith("saved") for origin in origins)
    if saved["invert"] != 0 or saved["store"] == 0:
        sys.exit(f"expects inversion to save nothing, but it saves {saved}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
