#!/usr/bin/env python3
# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Checks that each diagnostic of the compiler is expected by a test.

usage: check-diagnostics.py ROOT

The literal text of each message that C++ code below ROOT/lib emits has to occur,
in order, in one `expected-error` (or -warning, -remark) or in one `CHECK` line
with "error:" below ROOT/test. Prints the messages that do not, and exits with 1
if there is one.
"""

import pathlib
import re
import sys

EMIT = re.compile(
    r"\b(?:emitError|emitOpError|emitWarning|emitRemark|emitOptionalError)\s*\(")
LITERAL = re.compile(r'"((?:[^"\\]|\\.)*)"')
EXPECTED = re.compile(
    r"expected-(?:error|warning|remark)(?:-re)?[^{\n]*\{\{(.*)\}\}")
CHECKED = re.compile(r"[A-Z-]*CHECK[A-Z-]*:.*?((?:error|warning|remark): .*)|"
                     r"[A-Z]+(?:-[A-Z]+)*:.*?((?:error|warning|remark): .*)")


def statement(text, start):
    """The text from `start` up to the semicolon that ends its statement."""
    i, depth = start, 0
    while i < len(text):
        literal = LITERAL.match(text, i)
        if literal:
            i = literal.end()
            continue
        if text.startswith("//", i):
            i = text.index("\n", i)
        elif text[i] in "([{":
            depth += 1
        elif text[i] in ")]}":
            depth -= 1
        elif text[i] == ";" and depth <= 0:
            break
        # A diagnostic that is an argument or a braced block ends there.
        if depth < 0:
            break
        i += 1
    return text[start:i]


def fragments(call):
    """The literals that `call` always writes, adjacent ones joined."""
    result, end, skip = [], None, False
    for literal in LITERAL.finditer(call):
        before = call[:literal.start()].rstrip()
        joined = end is not None and not call[end:literal.start()].strip()
        end = literal.end()
        if not joined:
            # One side of a condition is not always written.
            skip = before.endswith("?") or (
                before.endswith(":") and not before.endswith("::"))
        if skip:
            continue
        text = literal.group(1).replace('\\"', '"').replace("\\\\", "\\")
        if joined and result:
            result[-1] += text
        else:
            result.append(text)
    return [text.strip() for text in result if text.strip()]


def messages(root):
    """Yields (place, fragments) of each diagnostic in the code."""
    for file in sorted((root / "lib").rglob("*.cpp")):
        text = file.read_text()
        for match in EMIT.finditer(text):
            parts = fragments(statement(text, match.end() - 1))
            if parts:
                line = text.count("\n", 0, match.start()) + 1
                yield f"{file.relative_to(root)}:{line}", parts


def expectations(root):
    """All texts that tests expect of diagnostics."""
    result = []
    for file in sorted((root / "test").rglob("*")):
        if file.suffix in (".mlir", ".test") and file.is_file():
            for line in file.read_text().splitlines():
                match = EXPECTED.search(line) or CHECKED.search(line)
                if match:
                    result.append(next(g for g in match.groups() if g))
    return result


def expects(text, parts):
    """Whether `text` holds all `parts` in order."""
    start = 0
    for part in parts:
        start = text.find(part, start)
        if start < 0:
            return False
        start += len(part)
    return True


def main(root):
    texts = expectations(root)
    untested = [(place, parts) for place, parts in messages(root)
                if not any(expects(text, parts) for text in texts)]
    for place, parts in untested:
        print(f"{place}: no test expects: {' ... '.join(parts)}")
    return 1 if untested else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(pathlib.Path(sys.argv[1])))
