# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tests on the SIMT emulator, which has the CUDA driver's name: a file with such tests runs
itself in a process that finds it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

_VARIABLE = "MEMREV_TEST_ON_EMULATOR"
_BUILD = Path(os.environ.get("MEMREV_BUILD_DIR", Path(__file__).parents[2] / "build"))
_FOLDER = _BUILD / "test" / "simt"

#: Whether this is the process that has the emulator.
INSIDE = _VARIABLE in os.environ


def on_emulator(test):
    """Leaves a test to the process that has the emulator."""
    return test if INSIDE else None


def run(file):
    """Runs the tests of a file that are for the emulator."""
    if not (_FOLDER / "libcuda.so.1").is_file():
        pytest.skip("the SIMT emulator is not built")
    environment = {**os.environ, _VARIABLE: "1", "LD_LIBRARY_PATH": str(_FOLDER)}
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", "-p", "no:cacheprovider", file],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert result.returncode == 0, result.stdout
    assert " passed" in result.stdout
