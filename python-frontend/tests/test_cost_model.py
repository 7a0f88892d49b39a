# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Estimated times: cost models in files, costs in reports, curves of time against memory."""

import json

import numpy as np
import pytest

import memrev
from memrev import models, nn

NUMBERS = [f"{type}_{what}_per_ns" for type in ("f64", "f32", "f16", "bf16")
           for what in ("contraction_multiply_adds", "depthwise_multiply_adds", "functions")
           ] + ["cached_bytes_per_ns", "memory_bytes_per_ns", "cache_bytes"]

# Two loops over couplings whose blocks store about as much; which of them saves more time when
# it is stored depends on the rates.
PROGRAM = """
func.func private @chain(%x: tensor<64x64xf32>, %w: tensor<64x64xf32>) -> tensor<64x64xf32> {
  %zero = arith.constant 0.0 : f32
  %begin = arith.constant 0 : index
  %one = arith.constant 1 : index
  %end = arith.constant 8 : index
  %y:2 = scf.for %i = %begin to %end step %one iter_args(%a = %x, %b = %x)
      -> (tensor<64x64xf32>, tensor<64x64xf32>) {
    %a1 = rev.coupling additive %a given(%b) {
    ^bb0(%c: tensor<64x64xf32>):
      %empty = tensor.empty() : tensor<64x64xf32>
      %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<64x64xf32>) -> tensor<64x64xf32>
      %t = linalg.matmul ins(%c, %w : tensor<64x64xf32>, tensor<64x64xf32>)
          outs(%init : tensor<64x64xf32>) -> tensor<64x64xf32>
      %s = math.absf %t : tensor<64x64xf32>
      rev.yield %s : tensor<64x64xf32>
    } : tensor<64x64xf32>, (tensor<64x64xf32>)
    scf.yield %b, %a1 : tensor<64x64xf32>, tensor<64x64xf32>
  } loc("products":1:1)
  %z:2 = scf.for %i = %begin to %end step %one iter_args(%a = %y#0, %b = %y#1)
      -> (tensor<64x64xf32>, tensor<64x64xf32>) {
    %a1 = rev.coupling additive %a given(%b) {
    ^bb0(%c: tensor<64x64xf32>):
      %s = math.sin %c : tensor<64x64xf32>
      %t = math.sin %s : tensor<64x64xf32>
      rev.yield %t : tensor<64x64xf32>
    } : tensor<64x64xf32>, (tensor<64x64xf32>)
    scf.yield %b, %a1 : tensor<64x64xf32>, tensor<64x64xf32>
  } loc("functions":1:1)
  return %z#0 : tensor<64x64xf32>
}
func.func @gradient(%x: tensor<64x64xf32>, %w: tensor<64x64xf32>, %dy: tensor<64x64xf32>)
    -> (tensor<64x64xf32>, tensor<64x64xf32>) {
  %dx, %dw = rev.vjp @chain(%x, %w) cotangents(%dy) wrt [0, 1]
      : (tensor<64x64xf32>, tensor<64x64xf32>, tensor<64x64xf32>)
      -> (tensor<64x64xf32>, tensor<64x64xf32>)
  return %dx, %dw : tensor<64x64xf32>, tensor<64x64xf32>
}
"""


def write_model(path, **numbers):
    path.write_text(json.dumps(
        {"version": 1, "processor": "test", **dict.fromkeys(NUMBERS, 1.0), **numbers}))
    return path


def test_times_follow_the_rates(tmp_path):
    times = []
    for rate in (1.0, 0.5):
        model = write_model(tmp_path / "rates.json", f32_contraction_multiply_adds_per_ns=rate,
                            cached_bytes_per_ns=1e9, memory_bytes_per_ns=1e9)
        report, = memrev.compile(PROGRAM, cost_model=model, until="bufferize").memory_report()
        times.append(report["time_ns"])
        costs = [value["cost_ns"] for value in report["values"]]
        assert any(abs(cost - 64**3 / rate) < 1 for cost in costs), costs
    # Each product forwards, again where it is undone, and two for its derivative.
    assert abs((times[1] - times[0]) - 4 * 8 * 64**3) < 1


@pytest.mark.parametrize("slow, loop", [("f32_contraction_multiply_adds_per_ns", "products"),
                                        ("f32_functions_per_ns", "functions")])
def test_what_saves_most_is_stored_first(slow, loop, tmp_path):
    fewest = memrev.compile(PROGRAM, until="bufferize").memory_report()[0]["peak_bytes"]
    model = write_model(tmp_path / "rates.json", **{**dict.fromkeys(NUMBERS, 1e6), slow: 1e-3})
    report, = memrev.compile(PROGRAM, cost_model=model, memory_budget=fewest + 200000,
                             until="bufferize").memory_report()
    assert fewest < report["peak_bytes"] <= fewest + 200000
    stored = {"products:1:1": 0, "functions:1:1": 0}
    for value in report["values"]:
        if value["reason"] == "there is memory to store its values":
            stored[value["location"]] += value["bytes"]
    # All eight blocks of 16 KiB, before what is left over goes to the other one.
    most = stored.pop(f"{loop}:1:1")
    assert most == 8 * 64 * 64 * 4 > sum(stored.values())


def test_a_file_that_changes_makes_another_program(tmp_path, monkeypatch):
    monkeypatch.setenv("MEMREV_CACHE_DIR", str(tmp_path / "cache"))
    times = []
    for rate in (1.0, 0.5):
        model = write_model(tmp_path / "rates.json", f32_functions_per_ns=rate,
                            cached_bytes_per_ns=1e6, memory_bytes_per_ns=1e6)
        function = memrev.jit(memrev.numpy.exp, cost_model=model)
        times.append(function.memory_report(np.ones(1 << 14, np.float32))["time_ns"])
        # And comes from the cache with its times.
        again = memrev.jit(memrev.numpy.exp, cost_model=model)
        assert again.memory_report(np.ones(1 << 14, np.float32))["time_ns"] == times[-1]
    assert times[0] < times[1]


def test_models_that_cannot_be_read(tmp_path):
    with pytest.raises(FileNotFoundError):
        memrev.compile(PROGRAM, cost_model=tmp_path / "none.json")
    path = write_model(tmp_path / "rates.json", cache_bytes=0)
    with pytest.raises(memrev.CompileError, match="expects member 'cache_bytes' of a cost model "
                                                  "to be a positive number, but got 0"):
        memrev.compile(PROGRAM, cost_model=path)
    with pytest.raises(memrev.CompileError, match="option 'memory-curve' expects a number from 2 "
                                                  "to 64, but got '65'"):
        memrev.compile(PROGRAM, memory_curve=65)


def test_curve_lies_between_inverting_and_storing_everything():
    def compile(**options):
        return memrev.compile(PROGRAM, until="bufferize", **options).memory_report()[0]

    curve = compile(memory_curve=6)["curve"]
    assert 3 <= len(curve) <= 6
    for report, end in ((compile(), curve[0]), (compile(memory_budget="1GiB"), curve[-1])):
        assert (report["peak_bytes"], report["time_ns"]) == (end["peak_bytes"], end["time_ns"])
    check(curve)


def check(curve):
    for before, after in zip(curve, curve[1:]):
        assert before["peak_bytes"] < after["peak_bytes"]
        assert before["time_ns"] > after["time_ns"]


def test_curve_of_a_function():
    model = models.RevNet(models.resnet.Basic, (2,), (8,), 5)
    variables = model.init(0)

    @memrev.jit
    def gradient(params, images, labels):
        def loss(params):
            logits, _ = model.apply(params, variables["state"], images, train=True)
            return nn.cross_entropy(logits, labels).mean()

        return memrev.grad(loss)(params)

    curve = gradient.memory_curve(variables["params"], np.zeros((8, 16, 16, 3), np.float32),
                                  np.zeros(8, np.int32))
    assert len(curve) > 1
    check(curve)
