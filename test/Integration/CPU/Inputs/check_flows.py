# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs the programs of a folder, with the arguments beside them, and compares with the results
that the Python package gave.

usage: check_flows.py TOOLS FOLDER
"""

import pathlib
import subprocess
import sys

import numpy as np


def main(tools, folder):
    programs = sorted(folder.glob("*.mlir"))
    for program in programs:
        arguments = sorted(folder.glob(f"{program.stem}-[0-9]*.npy"))
        found = folder / "found.npz"
        subprocess.run([f"{tools}/memrev-compile", program, "--run", "--entry=gradient",
                        f"--args={','.join(map(str, arguments))}", f"--results={found}"],
                       check=True)
        with np.load(found) as archive, np.load(folder / f"{program.stem}-results.npz") as right:
            assert len(archive.files) == len(right.files) > 5
            for name, other in zip(archive.files, right.files):
                scale = np.abs(right[other]).max()
                assert np.isfinite(scale), (program, name)
                np.testing.assert_allclose(archive[name], right[other], atol=1e-5 * scale,
                                           rtol=0, err_msg=f"{program}: {name}")
            # The gradient is that of a loss.
            assert max(np.abs(right[name]).max() for name in right.files[1:]) > 1e-3, program
        print(f"{program.stem}: {len(arguments)} arguments")
    assert programs


if __name__ == "__main__":
    main(sys.argv[1], pathlib.Path(sys.argv[2]))
