# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Programs that leave extents of their arguments open: numbers, workspaces as formulas of the
extents, and what is wrong with extents before anything is written."""

import pickle
import subprocess

import numpy as np
import pytest

import memrev
from memrev import aot

PROGRAM = """
func.func private @layer(%x: tensor<?x?xf64>, %w: tensor<?x?xf64>) -> tensor<?x?xf64> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %z = arith.constant 0.0 : f64
  %n = tensor.dim %x, %c0 : tensor<?x?xf64>
  %k = tensor.dim %w, %c1 : tensor<?x?xf64>
  %e = tensor.empty(%n, %k) : tensor<?x?xf64>
  %i = linalg.fill ins(%z : f64) outs(%e : tensor<?x?xf64>) -> tensor<?x?xf64>
  %m = linalg.matmul ins(%x, %w : tensor<?x?xf64>, tensor<?x?xf64>) outs(%i
      : tensor<?x?xf64>) -> tensor<?x?xf64>
  %t = math.tanh %m : tensor<?x?xf64>
  return %t : tensor<?x?xf64>
}
func.func private @net(%x: tensor<?x?xf64>, %w1: tensor<?x?xf64>, %w2: tensor<?x?xf64>)
      -> tensor<?x?xf64> {
  %a = call @layer(%x, %w1) : (tensor<?x?xf64>, tensor<?x?xf64>) -> tensor<?x?xf64>
  %b = call @layer(%a, %w2) : (tensor<?x?xf64>, tensor<?x?xf64>) -> tensor<?x?xf64>
  return %b : tensor<?x?xf64>
}
func.func @f(%x: tensor<?x?xf64>, %w1: tensor<?x?xf64>, %w2: tensor<?x?xf64>) -> tensor<?x?xf64> {
  %a = call @net(%x, %w1, %w2) : (tensor<?x?xf64>, tensor<?x?xf64>, tensor<?x?xf64>)
      -> tensor<?x?xf64>
  return %a : tensor<?x?xf64>
}
func.func @g(%x: tensor<?x?xf64>, %w1: tensor<?x?xf64>, %w2: tensor<?x?xf64>,
      %dy: tensor<?x?xf64>) -> (tensor<?x?xf64>, tensor<?x?xf64>, tensor<?x?xf64>) {
  %dx, %d1, %d2 = rev.vjp @net(%x, %w1, %w2) cotangents(%dy) : (tensor<?x?xf64>,
      tensor<?x?xf64>, tensor<?x?xf64>, tensor<?x?xf64>) -> (tensor<?x?xf64>, tensor<?x?xf64>,
      tensor<?x?xf64>)
  return %dx, %d1, %d2 : tensor<?x?xf64>, tensor<?x?xf64>, tensor<?x?xf64>
}
func.func @update(%w: tensor<?x4xf64> {rev.donated}, %g: tensor<?x4xf64>) -> tensor<?x4xf64> {
  %0 = arith.subf %w, %g : tensor<?x4xf64>
  return %0 : tensor<?x4xf64>
}
func.func @shrink(%x: tensor<?xf32>) -> tensor<?xf32> {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %n = tensor.dim %x, %c0 : tensor<?xf32>
  %m = arith.subi %n, %c2 : index
  %s = tensor.extract_slice %x[1] [%m] [1] : tensor<?xf32> to tensor<?xf32>
  %r = math.exp %s : tensor<?xf32>
  return %r : tensor<?xf32>
}
func.func @outer(%x: tensor<?xf64>, %y: tensor<?xf64>) -> tensor<f64> {
  %c0 = arith.constant 0 : index
  %z = arith.constant 0.0 : f64
  %n = tensor.dim %x, %c0 : tensor<?xf64>
  %m = tensor.dim %y, %c0 : tensor<?xf64>
  %e = tensor.empty(%n, %m) : tensor<?x?xf64>
  %o = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (j)>,
      affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]} ins(%x, %y
      : tensor<?xf64>, tensor<?xf64>) outs(%e : tensor<?x?xf64>) {
  ^bb0(%a: f64, %b: f64, %c: f64):
    %p = arith.mulf %a, %b : f64
    linalg.yield %p : f64
  } -> tensor<?x?xf64>
  %l = tensor.empty() : tensor<f64>
  %i = linalg.fill ins(%z : f64) outs(%l : tensor<f64>) -> tensor<f64>
  %e2 = tensor.empty(%m, %n) : tensor<?x?xf64>
  %t = linalg.transpose ins(%o : tensor<?x?xf64>) outs(%e2 : tensor<?x?xf64>) permutation = [1, 0]
  %s = linalg.reduce {arith.addf} ins(%t : tensor<?x?xf64>) outs(%i
      : tensor<f64>) dimensions = [0, 1]
  return %s : tensor<f64>
}
"""


@pytest.fixture(scope="module")
def module():
    return memrev.compile(PROGRAM, threads=1)


@pytest.fixture(scope="module")
def library(module, tmp_path_factory):
    path = tmp_path_factory.mktemp("open") / "open.so"
    module.write_library(path)
    return path


def draw(*shape):
    return np.random.default_rng(shape).standard_normal(shape)


def network(n, k, m, p):
    return draw(n, k), draw(k, m), draw(m, p)


def expected(x, w1, w2):
    a = np.tanh(x @ w1)
    return a, np.tanh(a @ w2)


SIZES = [(3, 4, 5, 2), (1, 1, 1, 1), (17, 33, 9, 64), (0, 4, 5, 2), (3, 0, 5, 2)]


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("how", ["compiled", "saved", "library"])
def test_numbers(module, library, how, sizes):
    module = {"compiled": lambda: module, "saved": lambda: pickle.loads(pickle.dumps(module)),
              "library": lambda: aot.Library(library)}[how]()
    x, w1, w2 = network(*sizes)
    a, b = expected(x, w1, w2)
    np.testing.assert_allclose(module["f"](x, w1, w2), b, rtol=0, atol=1e-13)
    dy = draw(*b.shape)
    u = dy * (1 - b * b)
    v = (u @ w2.T) * (1 - a * a)
    for found, wanted in zip(module["g"](x, w1, w2, dy), (v @ w1.T, x.T @ v, a.T @ u)):
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-12)


def test_extents_of_results(module):
    x = np.arange(5, dtype=np.float32)
    np.testing.assert_allclose(module["shrink"](x), np.exp(x[1:-1]), rtol=1e-6)
    assert module["shrink"](x[:2]).shape == (0,)
    assert module["outer"](np.ones(3), np.ones(5)) == 15


def test_donated(module):
    w, g = draw(3, 4), draw(3, 4)
    wanted = w - g
    np.testing.assert_array_equal(module["update"](w, g), wanted)


@pytest.mark.parametrize("name, arguments, wanted", [
    ("f", [(3, 4), (5, 4), (5, 2)], "extents agree with each other, but got 3 along axis 0"),
    ("g", [(3, 4), (4, 5), (5, 2), (3, 3)], "extents agree with each other"),
    ("update", [(3, 4), (4, 4)], "extents agree with each other, but got 3 along axis 0 of "
                                 "'arg0', 4 along axis 0 of 'arg1'"),
    ("shrink", [(1,)], "are not negative and fit 64 bits, but got 1 along axis 0 of 'arg0'"),
])
def test_wrong_extents(module, library, name, arguments, wanted):
    dtype = np.float32 if name == "shrink" else np.float64
    arrays = [np.ones(shape, dtype) for shape in arguments]
    with pytest.raises(ValueError, match=f"'{name}' expects arguments whose .*{wanted}"):
        module[name](*arrays)
    with pytest.raises(ValueError, match=f"'{name}' expects arguments whose "):
        aot.Library(library)[name](*arrays)
    assert all((array == 1).all() for array in arrays)
    with pytest.raises(ValueError, match="expects shape"):
        module[name](np.ones((2, 2, 2), dtype), *arrays[1:])


def test_overflow(module):
    """Sizes of 2^64 bytes and more, by products of extents that fit."""
    workspace = module["f"].get_workspace_bytes
    n = 2**31
    assert workspace((n, 1), (1, 1), (1, 1)) == 16 * n
    for large in (n, 2**33, 2**62, 2**63 - 1):
        with pytest.raises(ValueError, match="are not negative and fit 64 bits"):
            workspace((large, 1), (1, large), (large, 1))


@pytest.mark.parametrize("sizes", SIZES[:3])
def test_workspace_is_what_a_call_takes(module, sizes):
    """The formula of the report gives the bytes, which hold all that a call writes."""
    function = module["f"]
    x, w1, w2 = network(*sizes)
    n, k, m, p = sizes
    size = function.get_workspace_bytes(x.shape, w1.shape, w2.shape)
    report = next(f for f in module.memory_report() if f["function"] == "f")
    names = dict(zip(("d0", "d1", "d2", "d3", "d4", "d5"), (n, k, k, m, m, p)))
    ceildiv = {"ceildiv": lambda a, b: -(-a // b), "max": max}
    evaluate = {key: eval(value, {**names, **ceildiv}) for key, value in report.items()
                if key.endswith("_bytes")}
    assert evaluate == {
        "argument_bytes": x.nbytes + w1.nbytes + w2.nbytes, "result_bytes": 8 * n * p,
        "workspace_bytes": size, "peak_bytes": x.nbytes + w1.nbytes + w2.nbytes + 8 * n * p + size}
    # Two matrices of n x m at once, or one and one of n x p.
    assert size < 8 * n * m + 8 * n * max(m, p) + 128

    y = np.zeros((n, p))
    extents = [np.array(extent, np.int64) for extent in names.values()]
    space = np.empty(size + 256, np.uint8)
    space = space[-space.ctypes.data % 64:]
    end = 0
    for pattern in (0x5a, 0xa7):
        space[:] = pattern
        function.call_pointers([a.ctypes.data for a in (x, w1, w2, *extents, y)], 1,
                               space.ctypes.data, size)
        end = max(end, np.flatnonzero(space != pattern)[-1] + 1)
    assert size - 64 < end <= size
    np.testing.assert_allclose(y, expected(x, w1, w2)[1], rtol=0, atol=1e-13)
    with pytest.raises(RuntimeError, match=f"an arena of {size} bytes, but got {size - 1}"):
        function.call_pointers([a.ctypes.data for a in (x, w1, w2, *extents, y)], 1,
                               space.ctypes.data, size - 1)


def test_no_memory(module):
    """An argument of no elements and a workspace of 2^47 bytes."""
    text = """func.func @f(%x: tensor<?x0xf64>, %i: index) -> f64 {
      %c0 = arith.constant 0 : index
      %one = arith.constant 1.0 : f64
      %n = tensor.dim %x, %c0 : tensor<?x0xf64>
      %e = tensor.empty(%n) : tensor<?xf64>
      %b = linalg.fill ins(%one : f64) outs(%e : tensor<?xf64>) -> tensor<?xf64>
      %s = tensor.insert %one into %b[%i] : tensor<?xf64>
      %v = tensor.extract %s[%i] : tensor<?xf64>
      return %v : f64
    }"""
    function = memrev.compile(text)["f"]
    assert function(np.ones((8, 0)), 3) == 1
    with pytest.raises(RuntimeError, match=f"out of memory: the call needs an arena of {2**47}"):
        function(np.ones((2**44, 0)), 3)


C = """
#include <stdio.h>
#include <stdlib.h>
int main() {
  const float x[5] = {0, 1, 2, 3, 4};
  int64_t n = 0, bytes = shrink_arena_bytes(5);
  shrink_result_extents(5, &n);
  float *y = malloc(n * sizeof(float));
  void *arena = aligned_alloc(64, (bytes + 63) / 64 * 64);
  shrink(x, 5, y, arena);
  printf("%d %.3f %.3f %.3f %d\\n", (int)n, y[0], y[1], y[2], (int)shrink_arena_bytes(1));
  printf("%d\\n", (int)update_arena_bytes(3, 4));
}
"""


def test_header(module, library, tmp_path):
    (tmp_path / "open.h").write_text(module.header)
    (tmp_path / "main.c").write_text('#include "open.h"\n' + C)
    assert "result0 float32[d0 - 2]" in module.header
    subprocess.run(["cc", "-o", tmp_path / "main", tmp_path / "main.c", library, "-lm"],
                   check=True)
    found = subprocess.run([tmp_path / "main"], stdout=subprocess.PIPE, text=True, check=True)
    assert found.stdout == "3 2.718 7.389 20.086 -1\n-2\n"


def test_refused(module):
    program = """func.func @f(%x: tensor<?xf32>) -> tensor<?xf32> {
      %0 = math.exp %x : tensor<?xf32>
      return %0 : tensor<?xf32>
    }"""
    with pytest.raises(memrev.CompileError, match="tensors of static shape at a public function"):
        memrev.compile(program, "cuda", chip="sm_90")
    with pytest.raises(memrev.CompileError, match="expects static shapes with a memory budget"):
        memrev.compile(program, memory_budget="1MiB")
    with pytest.raises(memrev.CompileError, match="expects static shapes for a curve"):
        memrev.compile(program, memory_curve=3)
    page = module.memory_page()
    assert "d0" in page
