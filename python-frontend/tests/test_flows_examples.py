# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The examples of flows do their job, in a few steps."""

import os
import re
import subprocess
import sys

import conftest
import pytest


def output(name, *arguments):
    """What an example prints, as a string."""
    result = subprocess.run(
        [sys.executable, conftest.ROOT / "examples" / "flows" / name, *map(str, arguments)],
        # A step is over before threads would have helped.
        env=dict(os.environ, PYTHONPATH=str(conftest.ROOT / "python-frontend"),
                 OMP_NUM_THREADS="1"), stdout=subprocess.PIPE, text=True, check=True)
    return result.stdout


def numbers(pattern, text):
    return [float(found) for found in re.findall(pattern, text)]


@pytest.mark.slow
def test_imaging():
    text = output("imaging.py", "--steps", 80, "--iterations", 4)
    by_formula, = numbers(r"least squares: error (\d+) %", text)
    by_network, = numbers(r"network: error (\d+) %", text)
    assert by_network < by_formula
    few, many = numbers(r"(\d+) bytes", text)
    assert few == many


@pytest.mark.slow
def test_posterior():
    text = output("posterior.py", "--steps", 800)
    for mean, exact, deviations, expected in re.findall(
            r"mean \[(.*)\], exactly \[(.*)\]; deviations \[(.*)\], exactly \[(.*)\]", text):
        for a, b, deviation, d in zip(*map(str.split, (mean, exact, deviations, expected))):
            assert abs(float(a) - float(b)) < float(d)
            assert 0.6 < float(deviation) / float(d) < 1.5
    assert text.count("deviations") == 2


@pytest.mark.slow
def test_segmentation():
    text = output("segmentation.py", "--steps", 300)
    nothing, discs, squares = numbers(r"(0\.\d+)", text.split("overlap")[1])
    assert nothing > 0.95 and min(discs, squares) > 0.5
    few, many = numbers(r"(\d+) bytes", text)
    assert few == many


@pytest.mark.slow
def test_gan():
    text = output("gan.py", "--steps", 500)
    for before, after in re.findall(r"distance (\S+) before, (\S+) after", text):
        assert float(after) < 0.6 * float(before)
    assert text.count("distance") == 2
    assert numbers(r"there and back: (\S+)", text)[0] < 1e-4
