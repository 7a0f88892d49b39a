# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The examples do their job: networks that are trained by inversion learn."""

import os
import re
import subprocess
import sys

import pytest

import conftest


@pytest.mark.slow
def test_digits(tmp_path):
    script = conftest.ROOT / "examples" / "digits" / "train.py"
    environment = dict(os.environ, PYTHONPATH=str(conftest.ROOT / "python-frontend"))
    result = subprocess.run(
        [sys.executable, script, "--seeds", "1", "--depths", "4", "8",
         "--output", tmp_path],
        env=environment, stdout=subprocess.PIPE, text=True, check=True)
    accuracy = re.search(r"seed 0: ([\d.]+) % of the 450 test digits", result.stdout)
    assert float(accuracy.group(1)) >= 97
    assert "| 8 | invert |" in (tmp_path / "depth.md").read_text()
    assert (tmp_path / "depth.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_language():
    """A small model learns that text is made of few bytes."""
    script = conftest.ROOT / "examples" / "language" / "train.py"
    environment = dict(os.environ, PYTHONPATH=str(conftest.ROOT / "python-frontend"))
    result = subprocess.run(
        [sys.executable, script, "--form", "hamiltonian", "--depth", "3", "--features", "24",
         "--heads", "3", "--context", "32", "--batch", "8", "--steps", "60", "--rate", "1e-2",
         "--sample", "0", "--depths"],
        env=environment, stdout=subprocess.PIPE, text=True, check=True)
    losses = [float(x) for x in re.findall(r"held-out loss ([\d.]+)", result.stdout)]
    # log(256) is 5.5; the entropy of single bytes of the text is 3.3.
    assert 5 < losses[0] < 6 and losses[-1] < 3.7


@pytest.mark.parametrize("data, most", [
    ("moons", 0.9), pytest.param("digits", 3.5, marks=pytest.mark.slow)])
def test_density(data, most, tmp_path):
    """After few steps flows are better than a normal distribution, and than no model: digits of
    17 levels are log2(17) = 4.09 bits."""
    script, picture = conftest.ROOT / "examples" / "flows" / "density.py", tmp_path / "p.png"
    environment = dict(os.environ, PYTHONPATH=str(conftest.ROOT / "python-frontend"))
    result = subprocess.run(
        [sys.executable, script, data, "--depth", "3", "--steps", "120", "--picture", picture],
        env=environment, stdout=subprocess.PIPE, text=True, check=True)
    bits = float(re.search(r"test ([-\d.]+) bits/dimension", result.stdout).group(1))
    assert 0 < bits < most
    assert "\n450 finite samples\n" in result.stdout
    assert picture.read_bytes().startswith(b"\x89PNG")
