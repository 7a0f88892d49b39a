# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The threads of compiled functions: PyTorch's where it is loaded, at any time, from
several threads at once."""

import ctypes
import os
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest
import torch

import conftest
import memrev

# Extents that no number of threads divides: the rows are shared out.
ROWS, INNER, COLUMNS = 203, 70, 65
PROGRAM = f"""
func.func @f(%x: tensor<{ROWS}x{INNER}xf64>, %w: tensor<{INNER}x{COLUMNS}xf64>)
    -> tensor<{ROWS}x{COLUMNS}xf64> {{
  %zero = arith.constant dense<0.0> : tensor<{ROWS}x{COLUMNS}xf64>
  %h = linalg.matmul ins(%x, %w : tensor<{ROWS}x{INNER}xf64>, tensor<{INNER}x{COLUMNS}xf64>)
                     outs(%zero : tensor<{ROWS}x{COLUMNS}xf64>) -> tensor<{ROWS}x{COLUMNS}xf64>
  %t = math.tanh %h : tensor<{ROWS}x{COLUMNS}xf64>
  return %t : tensor<{ROWS}x{COLUMNS}xf64>
}}
"""


@pytest.fixture(scope="module")
def program():
    return memrev.compile(PROGRAM, threads=8)["f"]


@pytest.fixture(scope="module")
def arrays():
    generator = np.random.default_rng(0)
    x, w = generator.normal(size=(ROWS, INNER)), generator.normal(size=(INNER, COLUMNS))
    return x, w, np.tanh(x @ w)


def run(script, **environment):
    """What a process of its own prints."""
    preamble = f"""
        import os, numpy as np
        PROGRAM = {PROGRAM!r}
        x, w = np.ones(({ROWS}, {INNER})), np.full(({INNER}, {COLUMNS}), 0.01)

        def loaded(name):
            with open("/proc/self/maps") as maps:
                return any(name in line for line in maps)
    """
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(preamble) + textwrap.dedent(script)],
        env={**os.environ, "PYTHONPATH": str(conftest.ROOT / "python-frontend"),
             **environment},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout.split()


@pytest.mark.parametrize("threads", range(1, 9))
def test_iterations_are_shared_out(program, arrays, threads):
    x, w, expected = arrays
    np.testing.assert_allclose(program(x, w, threads=threads), expected, rtol=1e-12)


def test_threads_of_a_call_are_of_the_call(program, arrays):
    x, w, _ = arrays
    before = torch.get_num_threads()
    program(x, w, threads=before + 2)
    assert torch.get_num_threads() == before
    assert "libgomp" in memrev.openmp_library() or "libtorch" in memrev.openmp_library()


def test_pytorch_first():
    """libomp is never loaded."""
    assert run("""
        import torch, memrev
        torch.set_num_threads(2)
        f = memrev.compile(PROGRAM, threads=2)["f"]
        assert memrev.openmp_library() == ""
        assert np.allclose(f(x, w), np.tanh(x @ w))
        assert os.path.dirname(memrev.openmp_library()).startswith(
            os.path.dirname(torch.__file__))
        torch.relu(torch.ones(1 << 20))
        print(loaded("libomp"), loaded("libgomp"))
    """) == ["False", "True"]


def test_pytorch_later():
    """A program that ran on libomp's threads moves to PyTorch's."""
    first, second = run("""
        import memrev
        f = memrev.compile(PROGRAM, threads=2)["f"]
        f(x, w, threads=2)
        print(memrev.openmp_library())
        import torch
        assert np.allclose(f(x, w, threads=2), np.tanh(x @ w))
        print(memrev.openmp_library())
    """)
    assert "libomp" in first and "torch" in second


def test_library_can_be_named():
    assert run("""
        import torch, memrev
        f = memrev.compile(PROGRAM, threads=2)["f"]
        assert np.allclose(f(x, w, threads=2), np.tanh(x @ w))
        print(os.path.basename(memrev.openmp_library()).split(".")[0])
    """, MEMREV_OPENMP="libomp.so.5") == ["libomp"]
    assert run("""
        import memrev
        f = memrev.compile(PROGRAM, threads=2)["f"]
        try:
            f(x, w)
        except RuntimeError as error:
            print(str(error).replace(" ", "_"))
    """, MEMREV_OPENMP="libm.so.6") == [
        "expects_MEMREV_OPENMP_to_name_an_OpenMP_library,_but_got_'libm.so.6'"]


def test_calls_at_once(program, arrays):
    """Python threads that call compiled functions and PyTorch at once."""
    x, w, expected = arrays
    tensor = torch.tensor(x[:, :4])
    failures = []

    def work(number):
        try:
            for i in range(20):
                result = program(x, w, threads=1 + (i + number) % 3)
                np.testing.assert_allclose(result, expected, rtol=1e-12)
                assert torch.equal(torch.relu(tensor) - torch.relu(-tensor), tensor)
        except Exception as error:  # Reported by the test's own thread.
            failures.append(error)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_calls_inside_of_a_parallel_region(program, arrays):
    """Each thread of a region of PyTorch's library calls, and is a team of its own."""
    x, w, expected = arrays
    program(x, w)
    library = ctypes.CDLL(memrev.openmp_library())
    results = []

    @ctypes.CFUNCTYPE(None, ctypes.c_void_p)
    def body(_):
        results.append((library.omp_get_thread_num(), program(x, w)))

    library.GOMP_parallel(body, None, 3, 0)
    assert sorted(number for number, _ in results) == [0, 1, 2]
    for _, result in results:
        np.testing.assert_allclose(result, expected, rtol=1e-12)
