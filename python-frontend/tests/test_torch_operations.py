# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""docs/PyTorch.md lists the operations that are imported. `python3 test_torch_operations.py`
writes the list."""

import collections
import pathlib

from memrev.torch import _fx
from memrev.torch._fx.table import RULES

DOCUMENT = pathlib.Path(__file__).resolve().parents[2] / "docs" / "PyTorch.md"
HEADING = "## Operations\n"


def listed():
    """The list, as Markdown."""
    families = collections.defaultdict(lambda: collections.defaultdict(set))
    for operation, rule in RULES.items():
        family = rule.emit.__module__.rsplit(".", 1)[1]
        namespace, _, name = operation.name().partition("::")
        name, _, overload = name.partition(".")
        name = name if namespace == "aten" else f"{namespace}::{name}"
        families[family][name].add(overload)
    lines = ["| module | operations |", "|---|---|"]
    for family in sorted(families):
        names = []
        for name, overloads in sorted(families[family].items()):
            overloads = sorted(overloads - {""})
            plain = "" in families[family][name]
            if not overloads:
                names.append(f"`{name}`")
            else:
                names.append(f"`{name}` ({', '.join(['default'] * plain + overloads)})")
        lines.append(f"| `{family}` | {', '.join(names)} |")
    return "\n".join(lines) + "\n"


def test_the_list_is_complete():
    assert _fx.trace is not None  # The rules are registered.
    text = DOCUMENT.read_text()
    found = text[text.index(HEADING):]
    assert found[found.index("| module"):] == listed(), "run test_torch_operations.py"


if __name__ == "__main__":
    text = DOCUMENT.read_text()
    end = text.find("| module", text.index(HEADING))
    DOCUMENT.write_text((text if end < 0 else text[:end]) + listed())
