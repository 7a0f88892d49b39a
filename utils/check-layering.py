#!/usr/bin/env python3
# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Checks that memrev's layers include each other in one direction only.

usage: check-layering.py ROOT

Prints each include that the table below does not allow, with file and line, and
exits with 1 if there is one.
"""

import pathlib
import re
import sys

# The folders under include/memrev and lib (and the tools), lowest first. A
# folder may include its own headers and those of the folders named here, which
# stand above it in the table: so there can be no cycle.
MAY_INCLUDE = {
    "Interfaces": [],
    "Runtime": [],
    "Codegen": [],
    "Dialect": ["Interfaces"],
    "ExternalInterfaces": ["Interfaces"],
    "Analysis": ["Interfaces", "Dialect"],
    "Transforms": ["Interfaces", "Dialect", "Analysis"],
    "Conversion": ["Interfaces", "Dialect"],
    "Pipelines": ["Codegen", "Transforms", "Conversion"],
    "ExecutionEngine": ["Runtime"],
    "InitAll": [
        "Interfaces", "Codegen", "Dialect", "ExternalInterfaces", "Transforms",
        "Conversion", "Pipelines",
    ],
    "Compiler": ["Analysis", "Pipelines", "ExecutionEngine", "InitAll"],
    "CAPI": ["Compiler"],
    # Beside the compiler, memrev-opt registers everything by itself.
    "tools": ["InitAll", "Compiler"],
}

# Runtime is linked into the user's programs, which need no compiler.
WITHOUT_LLVM = ["Runtime"]

SOURCES = [".h", ".td", ".cpp", ".c", ".inc"]
INCLUDE = re.compile(r'\s*#?\s*include\s+["<]([\w.-]+)/([^">]+)[">]')


def layer_of(path):
    """The layer of a path below include/memrev or lib, or None."""
    name = pathlib.PurePosixPath(path).parts[0].removesuffix(".h")
    return name if name in MAY_INCLUDE else None


def sources(root):
    """Yields each source file with its layer."""
    for base in ("include/memrev", "lib"):
        for file in sorted((root / base).rglob("*")):
            if file.suffix in SOURCES and file.is_file():
                path = file.relative_to(root / base)
                # The precompiled header of upstream's headers is no layer.
                if path.stem != "PrecompiledHeader":
                    yield file, layer_of(path.as_posix())
    for base, layer in (("include/memrev-c", "CAPI"), ("tools", "tools")):
        for file in sorted((root / base).rglob("*")):
            if file.suffix in SOURCES and file.is_file():
                yield file, layer


def check(file, layer):
    """Yields a message for each include of `file` that breaks the rules."""
    for number, line in enumerate(file.read_text().splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        project, header = match.groups()
        if project in ("mlir", "mlir-c", "llvm", "llvm-c"):
            if layer in WITHOUT_LLVM:
                yield f"{number}: {layer} may not include {project}/{header}"
            continue
        if project not in ("memrev", "memrev-c"):
            continue
        used = "CAPI" if project == "memrev-c" else layer_of(header)
        if used is None:
            yield f"{number}: {project}/{header} belongs to no layer"
        elif used != layer and used not in MAY_INCLUDE[layer]:
            yield f"{number}: {layer} may not include {project}/{header}"


def main(root):
    known = []
    for layer, below in MAY_INCLUDE.items():
        upward = [other for other in below if other not in known]
        if upward:
            sys.exit(f"{__file__}: {layer} may not include {upward}, below it")
        known.append(layer)

    errors = 0
    for file, layer in sources(root):
        messages = (
            check(file, layer) if layer else ["1: the file belongs to no layer"]
        )
        for message in messages:
            print(f"{file.relative_to(root)}:{message}")
            errors += 1
    return 1 if errors else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(pathlib.Path(sys.argv[1])))
