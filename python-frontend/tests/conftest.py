# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Makes the example's generator importable and the numbers repeatable."""

import os
import pathlib
import sys
import tempfile

import pytest

# Tests run side by side: threads that wait shall not keep the cores from the others'.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import torch  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "examples" / "digits"))

torch.set_num_threads(1)


def pytest_addoption(parser):
    parser.addoption("--slow", action="store_true", help="run tests marked as slow, too")


#: The tests' own cache of compiled programs, of the processes that they start too.
CACHE = tempfile.TemporaryDirectory()
os.environ["MEMREV_CACHE_DIR"] = CACHE.name


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes longer; runs with --slow only")


def pytest_collection_modifyitems(config, items):
    if not config.getoption("--slow"):
        for item in items:
            if "slow" in item.keywords:
                item.add_marker(pytest.mark.skip(reason="runs with --slow"))


@pytest.fixture
def in_pytorch():
    """Couplings of memrev.torch run in PyTorch, from the same random numbers in each test."""
    from memrev.torch import set_backend

    torch.manual_seed(0)
    with set_backend("eager"):
        yield
