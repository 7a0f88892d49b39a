# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes folders with stand-ins for ptxas and fatbinary, which say where they are.

  toolkits.py FOLDER
"""

import pathlib
import sys

root = pathlib.Path(sys.argv[1])
PACKAGES = "lib/python3.12/site-packages/nvidia"
PLACES = {
    "root/bin": "CUDA_ROOT",
    "path": "PATH",
    f"venv/{PACKAGES}/cu13/bin": "package cu13",
    f"old/{PACKAGES}/cuda_nvcc/bin": "package cuda_nvcc",
}


def write(path, script):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


for folder, name in PLACES.items():
    write(root / folder / "ptxas", f'echo "cubin by {name} for $1" > "$4"')
    # Its third argument names the cubin.
    write(root / folder / "fatbinary",
          f'read line < "${{3##*file=}}"; echo "fatbin by {name}: $line" > "${{1#--create=}}"')
for prefix in ("venv", "old"):
    write(root / prefix / "bin/python3", "exit 1")
write(root / "broken/bin/ptxas", 'echo "ptxas fatal: no such chip" >&2; exit 3')
write(root / "silent/bin/ptxas", "exit 3")
