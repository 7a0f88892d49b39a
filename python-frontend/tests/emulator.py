# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tests on the SIMT emulator, which has the driver's name: a file of such tests runs itself
in a process that finds it.

    @on_emulator
    def test_something(): ...

    test_on_emulator = runs_on_emulator(__file__)
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

BUILD = Path(os.environ.get("MEMREV_BUILD_DIR", Path(__file__).parents[2] / "build"))
EMULATOR = BUILD / "test" / "simt"
_VARIABLE = "MEMREV_TEST_ON_EMULATOR"

#: Whether this is the process that has the emulator.
INSIDE = _VARIABLE in os.environ


def on_emulator(test):
    """Leaves a test to the process that has the emulator."""
    return test if INSIDE else None


def off_emulator(test):
    """Leaves a test that launches no kernel to the process without the emulator, where it would
    only be the same once more."""
    return None if INSIDE else test


def environment(**more):
    """That of a process on the emulator."""
    return {**os.environ, _VARIABLE: "1", "LD_LIBRARY_PATH": str(EMULATOR),
            "MEMREV_KERNEL_FORMAT": "llvm", **more}


def runs_on_emulator(file, options=(), slow=False, **more):
    """A test that runs the tests of a file in a process with the emulator, with `options` of
    pytest, and with `more` in its environment. It runs with `--slow` only if it is `slow`."""
    def test():
        """All other tests of this file, where the driver is the emulator."""
        assert (EMULATOR / "libcuda.so.1").is_file(), "expects the SIMT emulator in the build"
        result = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", "-p", "no:cacheprovider",
             *options, file], env=environment(**more), stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True)
        assert result.returncode == 0, result.stdout
        assert " passed" in result.stdout

    if INSIDE:
        return None
    return pytest.mark.slow(test) if slow else test
