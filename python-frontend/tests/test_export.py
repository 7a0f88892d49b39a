# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Names of parameters, and programs as shared libraries with a C header."""

import ctypes
import subprocess

import numpy as np
import pytest

import memrev
import memrev.numpy as mnp

PROGRAM = """
func.func @scale(%x: tensor<4xf32> {rev.name = "image"}, %s: f32 {rev.name = "a/*b\\0A*/"},
                 %y: tensor<2xf64> {rev.donated})
    -> (tensor<4xf32> {rev.name = "brighter"}, tensor<2xf64>) {
  %e = tensor.empty() : tensor<4xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>],
                       iterator_types = ["parallel"]}
      ins(%x : tensor<4xf32>) outs(%e : tensor<4xf32>) {
  ^bb0(%a: f32, %b: f32):
    %p = arith.mulf %a, %s : f32
    linalg.yield %p : f32
  } -> tensor<4xf32>
  return %r, %y : tensor<4xf32>, tensor<2xf64>
}
"""


def test_names_of_parameters():
    function = memrev.compile(PROGRAM)["scale"]
    assert [p.name for p in function.arguments] == ["image", "a/*b\n*/", "arg2"]
    assert [p.name for p in function.results] == ["brighter", "result1"]
    with pytest.raises(TypeError, match="'image' of 'scale' expects dtype float32"):
        function(np.zeros(4), 1.0, np.zeros(2))


def test_header_names_parameters():
    header = memrev.compile(PROGRAM).header
    assert "     arg0 image float32[4]\n" in header
    # Neither the end of a comment nor of a line gets out of a name.
    assert "     arg1 a_*b_*_ float32[]\n" in header
    assert "     result0 brighter float32[4]\n" in header
    assert "     result1 float64[2] in arg2 */\n" in header
    assert ("void scale(const float *arg0, float arg1, double *arg2, float *result0, "
            "void *arena);") in header


@memrev.jit
def predict(params, x):
    return {"scores": mnp.tanh(x @ params["weight"])}


@memrev.jit(donate=(0,))
def step(params, x, rate):
    def loss(params):
        return (predict(params, x)["scores"] ** 2).sum()

    value, gradient = memrev.value_and_grad(loss)(params)
    return {"weight": params["weight"] - rate * gradient["weight"]}, value


def test_jit_names_parameters():
    params, x = {"weight": np.ones((3, 2))}, np.ones((4, 3))
    function = step.compile(params, x, np.float64(0.1))["step"]
    assert [p.name for p in function.arguments] == ["params.weight", "x", "rate"]
    assert [p.name for p in function.results] == ["result.0.weight", "result.1"]
    assert "rev.name" not in step.mlir(params, x, np.float64(0.1))


MAIN = r"""
#include "model.h"
#include <stdio.h>
#include <stdlib.h>

int main(void) {
  double weight[6] = {0.1, 0.2, 0.3, 0.4, 0.5, 0.6}, x[12], scores[8], loss,
         rate = 0.25;
  for (int i = 0; i < 12; ++i)
    x[i] = i / 12.0;
  void *arena = aligned_alloc(64, STEP_ARENA_BYTES + PREDICT_ARENA_BYTES + 64 & ~63);
  step(weight, x, &rate, &loss, arena);
  predict(weight, x, scores, arena);
  printf("%.17g %.17g %.17g\n", loss, weight[5], scores[7]);
  return 0;
}
"""


def test_export(tmp_path):
    """A C program trains and predicts by the library, as Python does."""
    params = {"weight": np.array([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]])}
    x = np.arange(12.0).reshape(4, 3) / 12
    rate = np.float64(0.25)
    shapes = {"weight": memrev.ShapeDtype((3, 2), np.float64)}
    memrev.export(tmp_path / "model.so", predict=(predict, shapes, x),
                  step=(step, shapes, x, rate))
    header = (tmp_path / "model.h").read_text()
    assert "     arg0 params.weight float64[3, 2]\n" in header
    assert "     result0 result.0.weight float64[3, 2] in arg0\n" in header
    (tmp_path / "main.c").write_text(MAIN)
    subprocess.run(["clang-22", "main.c", "./model.so", "-o", "main"], cwd=tmp_path, check=True)
    out = subprocess.run(["./main"], cwd=tmp_path, stdout=subprocess.PIPE, text=True, check=True)
    loss, weight, score = map(float, out.stdout.split())
    after, expected = step(params, x, rate)
    assert loss == pytest.approx(float(expected), rel=1e-14)
    assert weight == pytest.approx(after["weight"][2, 1], rel=1e-14)
    assert score == pytest.approx(predict(after, x)["scores"][3, 1], rel=1e-14)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["main", "main.c", "model.h", "model.so"]


def test_names_of_functions_are_kept(tmp_path):
    """Also if another function of the program has the name of a public one."""
    @memrev.jit
    def first(x):
        def second(x):
            return (x * 3.0).sum()
        return memrev.grad(second)(x)

    @memrev.jit
    def other(x):
        return x * 2.0

    x = np.arange(4.0)
    memrev.export(tmp_path / "two.so", first=(first, x), second=(other, x))
    library = ctypes.CDLL(str(tmp_path / "two.so"))
    for name, expected in (("first", [3, 3, 3, 3]), ("second", [0, 2, 4, 6])):
        result, arena = np.zeros(4), np.zeros(4096)
        library[name](x.ctypes.data_as(ctypes.c_void_p),
                      result.ctypes.data_as(ctypes.c_void_p),
                      arena.ctypes.data_as(ctypes.c_void_p))
        np.testing.assert_array_equal(result, expected)


def test_export_errors(tmp_path, monkeypatch):
    with pytest.raises(TypeError, match="what jit returned for 'f', but got function"):
        memrev.export(tmp_path / "x.so", f=(lambda x: x, 1.0))
    with pytest.raises(ValueError, match="export expects names in ASCII, but got 'größe'"):
        memrev.export(tmp_path / "x.so", größe=(predict, {}, np.ones((1, 3))))
    with pytest.raises(RuntimeError, match="not compiled up to the binary stage"):
        memrev.compile(PROGRAM, until="bufferize").write_library(tmp_path / "x.so")
    module = memrev.compile(PROGRAM)
    with pytest.raises(OSError, match="No such file.*none/x.so"):
        module.write_library(tmp_path / "none" / "x.so")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RuntimeError, match="expects a C\\+\\+ compiler to link with"):
        module.write_library(tmp_path / "x.so")
    assert not list(tmp_path.iterdir())
