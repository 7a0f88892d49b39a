# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The memory of a call: as the report says, and constant in the depth."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

import conftest

HERE = pathlib.Path(__file__).resolve().parent


@pytest.fixture(scope="module")
def counter(tmp_path_factory):
    """The library that counts what a process takes from malloc."""
    path = tmp_path_factory.mktemp("counter") / "malloc_counter.so"
    subprocess.run(["clang-22", "-O1", "-shared", "-fPIC",
                    conftest.ROOT / "utils" / "malloc_counter.c", "-o", path], check=True)
    return path


@pytest.fixture(scope="module")
def probe(counter):
    """Measures the gradients of the digits network in a process of its own."""
    known = {}

    def run(blocks, unrolled, policy):
        key = blocks, unrolled, policy
        if key not in known:
            paths = [HERE.parent, conftest.ROOT / "examples" / "digits"]
            environment = dict(os.environ, LD_PRELOAD=str(counter),
                               PYTHONPATH=os.pathsep.join(map(str, paths)))
            result = subprocess.run(
                [sys.executable, HERE / "memory_probe.py", *map(str, key)],
                env=environment, stdout=subprocess.PIPE, text=True)
            assert result.returncode == 0, f"exited with {result.returncode}"
            known[key] = json.loads(result.stdout)
        return known[key]

    return run


@pytest.mark.parametrize("unrolled", [False, True])
@pytest.mark.parametrize("policy", ["invert", "store"])
def test_report_is_right(probe, unrolled, policy):
    found = probe(8, unrolled, policy)
    assert found["argument_bytes"] == found["given_bytes"]
    assert found["result_bytes"] == found["returned_bytes"]
    assert found["peak_bytes"] == (found["argument_bytes"] + found["result_bytes"]
                                   + found["workspace_bytes"])
    # Beside results and workspace a call takes Python's objects.
    extra = (found["measured_bytes"] - found["result_bytes"]
             - found["workspace_bytes"])
    assert 0 <= extra < 128 << 10


@pytest.mark.parametrize("unrolled", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_depth_costs_parameters_only(probe, unrolled):
    """Beyond parameters and their gradients, 128 blocks take what 8 blocks take, by
    the report and by measurement, but for statistics of layers, which may be kept: they
    are a few numbers a channel."""

    def beyond(found, total):
        return total - 2 * found["parameter_bytes"]

    def reported(found):
        return beyond(found, found["peak_bytes"])

    def measured(found):
        return beyond(found, found["argument_bytes"] + found["measured_bytes"])

    shallow, deep = (probe(blocks, unrolled, "invert") for blocks in (8, 128))
    print(f"reported {reported(shallow)} and {reported(deep)} bytes, "
          f"measured {measured(shallow)} and {measured(deep)} bytes")
    statistics = deep["statistics_bytes"] - shallow["statistics_bytes"]
    assert 0 <= reported(deep) - reported(shallow) <= statistics
    # Up to 1440 more results are so many more of Python's objects, of 200 bytes.
    assert abs(measured(deep) - measured(shallow)) < statistics + 1440 * 200
    # What storing takes shows that the networks are deep enough for the
    # comparison to mean something.
    stored = [reported(probe(blocks, unrolled, "store")) for blocks in (8, 32)]
    assert stored[1] > 3 * stored[0] > 9 * reported(shallow)


@pytest.mark.parametrize("policy", ["invert", "store"])
def test_allocations(probe, policy):
    """A first call allocates its results and one arena, a second call its results
    only, whatever the trip count."""
    for blocks in (8, 128) if policy == "invert" else (8, 32):
        found = probe(blocks, False, policy)
        assert found["large_first"] <= found["large_results"] + 1
        assert found["large_second"] == found["large_results"]


SHARING = """
import ctypes
import gc
import numpy as np
import memrev
import memrev.numpy as mnp

live = ctypes.CDLL(None).malloc_counter_live
live.restype = ctypes.c_long

def function(number):
    return memrev.jit(lambda x: mnp.tanh(x @ x) @ x * number, threads=1)

x = np.ones((512, 512))
functions = [function(number) for number in range(1, 5)]
workspace = max(f.memory_report(x)["workspace_bytes"] for f in functions)
before = live()
for f in functions:
    f(x)
gc.collect()
after = live()
assert memrev.workspace_bytes() == workspace
del functions, f
gc.collect()
assert memrev.workspace_bytes() == 0
print(workspace, after - before, before - live())
"""


def test_programs_share_their_workspace(counter):
    """What one call has worked in, the next call of any program works in; when there are
    no programs any more it is given back."""
    environment = dict(os.environ, LD_PRELOAD=str(counter), PYTHONPATH=str(HERE.parent))
    result = subprocess.run([sys.executable, "-c", SHARING], env=environment,
                            stdout=subprocess.PIPE, text=True, check=True)
    workspace, kept, freed = map(int, result.stdout.split())
    assert workspace >= 512 * 512 * 8
    # Code is loaded at the first call.
    assert workspace <= kept < 1.5 * workspace
    assert freed > 0
