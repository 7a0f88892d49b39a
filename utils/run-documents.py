#!/usr/bin/env python3
# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs the commands that a Markdown document shows.

usage: run-documents.py ROOT BUILD DOCUMENT...

The fenced blocks of a document are one story, in order, in a scratch folder in
which the entries of ROOT are found and `build` is the folder BUILD:

    ```mlir block.mlir    the block is written to the file block.mlir
    ```sh                 the block is run and has to succeed
    ```text               right after a run: what it has to print, where a line
                          "..." stands for any number of lines, and "..." in a
                          line for any part of it
    ```sh no-run          the block is left out

Prints what does not hold, and exits with 1 if there is something.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

FENCE = re.compile(r"^```([^\n`]*)\n(.*?)^```\s*$", re.MULTILINE | re.DOTALL)


def pattern(expected):
    """A regular expression for `expected`, in which "..." stands for lines, or
    for a part of a line."""
    lines = []
    for line in expected.strip("\n").split("\n"):
        any_lines = line.strip() == "..."
        lines.append(r"(?:.*\n)*?" if any_lines else
                     re.escape(line.rstrip()).replace(r"\.\.\.", ".*") + r"[ \t]*\n")
    return re.compile("".join(lines))


def run(document, folder, environment):
    """Yields a message for each thing in `document` that does not hold."""
    text = document.read_text()
    output, end = None, 0
    for match in FENCE.finditer(text):
        info, body = match.groups()
        words = info.split()
        line = text.count("\n", 0, match.start()) + 1
        adjacent = not text[end:match.start()].strip()
        end = match.end()
        if words == ["sh"]:
            result = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", body], cwd=folder,
                env=environment, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, text=True)
            output = result.stdout
            if result.returncode:
                yield f"{line}: exited with {result.returncode}:\n{output}"
                return
            continue
        if words == ["text"] and output is not None and adjacent:
            if not pattern(body).fullmatch(output.rstrip("\n") + "\n"):
                yield f"{line}: expects\n{body}but got\n{output}"
        elif len(words) == 2 and words[0] != "sh":
            (folder / words[1]).write_text(body)
        elif words and words[0] == "sh" and words != ["sh", "no-run"]:
            yield f"{line}: expects 'sh' or 'sh no-run', but got '{info}'"
        output = None


def main(root, build, documents):
    environment = dict(os.environ)
    errors = 0
    for document in documents:
        with tempfile.TemporaryDirectory() as scratch:
            folder = pathlib.Path(scratch)
            for entry in root.iterdir():
                if not entry.name.startswith((".", "build")):
                    (folder / entry.name).symlink_to(entry)
            (folder / "build").symlink_to(build)
            for message in run(document, folder, environment):
                print(f"{document}:{message}")
                errors += 1
    return 1 if errors else 0


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    paths = [pathlib.Path(argument).resolve() for argument in sys.argv[1:]]
    sys.exit(main(paths[0], paths[1], paths[2:]))
