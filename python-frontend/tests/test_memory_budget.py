# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Programs that have to fit in a number of bytes."""

import re

import numpy as np
import pytest

import memrev
from memrev import models, nn, tree

IMAGES = np.random.default_rng(1).standard_normal((4, 16, 16, 3))
LABELS = np.array([0, 1, 2, 3], np.int32)


def make_gradient(**options):
    model = models.RevNet(models.resnet.Basic, (6, 6), (8, 16), 5)
    variables = model.init(0, np.float64)

    @memrev.jit(**options)
    def gradient(params, images, labels):
        def loss(params):
            logits, _ = model.apply(params, variables["state"], images, train=True)
            return nn.cross_entropy(logits, labels).mean()

        return memrev.grad(loss)(params)

    return gradient, (variables["params"], IMAGES, LABELS)


@pytest.fixture(scope="module")
def inverted():
    gradient, arguments = make_gradient()
    return gradient.memory_report(*arguments)["peak_bytes"], tree.flatten(gradient(*arguments))[0]


@pytest.mark.parametrize("factor", [1, 1.2, 1.6, 2.5, 100])
def test_gradients_are_the_same_in_any_budget_that_fits(inverted, factor):
    fewest, expected = inverted
    budget = int(factor * fewest)
    gradient, arguments = make_gradient(memory_budget=budget)
    report = gradient.memory_report(*arguments)
    assert report["peak_bytes"] <= budget
    stored = sum(v["bytes"] for v in report["values"] if v["strategy"] == "stored")
    inverted_bytes = sum(v["bytes"] for v in report["values"] if v["strategy"] == "inverted")
    if factor == 1:
        assert report["peak_bytes"] == fewest and inverted_bytes > 0
    if factor == 100:
        assert inverted_bytes == 0 and stored > 0
    for value, reference in zip(tree.flatten(gradient(*arguments))[0], expected):
        largest = max(np.abs(reference).max(), 1e-6)
        assert np.abs(value - reference).max() <= 1e-9 * largest


def test_more_memory_is_used_to_store_more(inverted):
    fewest, _ = inverted
    peaks = []
    for factor in (1, 1.3, 1.8, 3):
        gradient, arguments = make_gradient(memory_budget=int(factor * fewest))
        peaks.append(gradient.memory_report(*arguments)["peak_bytes"])
    assert peaks == sorted(peaks) and len(set(peaks)) >= 3


def test_too_small_a_budget_names_the_smallest(inverted):
    fewest, _ = inverted
    gradient, arguments = make_gradient(memory_budget=fewest - 1)
    with pytest.raises(memrev.CompileError) as error:
        gradient.memory_report(*arguments)
    message = str(error.value)
    assert re.search(rf"expects a memory budget of at least {fewest} bytes for '\w+', but got "
                     rf"{fewest - 1}", message), message


def test_budget_has_units():
    gradient, arguments = make_gradient(memory_budget="1GiB")
    assert gradient.memory_report(*arguments)["peak_bytes"] < 2**30
    for wrong in ("-1", "0", "1 MiB", "1MB", "99999999999GiB", ""):
        gradient, arguments = make_gradient(memory_budget=wrong)
        with pytest.raises(memrev.CompileError, match="expects a number of bytes"):
            gradient.memory_report(*arguments)


PROGRAM = """
func.func private @chain(%x: tensor<64x64xf64>, %w: tensor<64x64xf64>) -> tensor<f64> {
  %zero = arith.constant 0.0 : f64
  %begin = arith.constant 0 : index
  %one = arith.constant 1 : index
  %end = arith.constant 20 : index
  %y:2 = scf.for %i = %begin to %end step %one iter_args(%a = %x, %b = %x)
      -> (tensor<64x64xf64>, tensor<64x64xf64>) {
    %a1 = rev.coupling additive %a given(%b) {
    ^bb0(%c: tensor<64x64xf64>):
      %empty = tensor.empty() : tensor<64x64xf64>
      %init = linalg.fill ins(%zero : f64) outs(%empty : tensor<64x64xf64>) -> tensor<64x64xf64>
      %t = linalg.matmul ins(%c, %w : tensor<64x64xf64>, tensor<64x64xf64>)
          outs(%init : tensor<64x64xf64>) -> tensor<64x64xf64>
      %s = math.tanh %t : tensor<64x64xf64>
      rev.yield %s : tensor<64x64xf64>
    } : tensor<64x64xf64>, (tensor<64x64xf64>)
    scf.yield %b, %a1 : tensor<64x64xf64>, tensor<64x64xf64>
  }
  %scalar = tensor.empty() : tensor<f64>
  %start = linalg.fill ins(%zero : f64) outs(%scalar : tensor<f64>) -> tensor<f64>
  %loss = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> ()>],
      iterator_types = ["reduction", "reduction"]}
      ins(%y#0 : tensor<64x64xf64>) outs(%start : tensor<f64>) {
  ^bb0(%value: f64, %sum: f64):
    %square = arith.mulf %value, %value : f64
    %next = arith.addf %sum, %square : f64
    linalg.yield %next : f64
  } -> tensor<f64>
  return %loss : tensor<f64>
}
func.func @first(%x: tensor<64x64xf64>, %w: tensor<64x64xf64>)
    -> (tensor<f64>, tensor<64x64xf64>) BUDGET {
  %l, %dw = rev.value_and_grad @chain(%x, %w) wrt [1]
      : (tensor<64x64xf64>, tensor<64x64xf64>) -> (tensor<f64>, tensor<64x64xf64>)
  return %l, %dw : tensor<f64>, tensor<64x64xf64>
}
func.func private @inner(%x: tensor<64x64xf64>, %w: tensor<64x64xf64>) -> tensor<64x64xf64> {
  %c = arith.constant dense<1.0> : tensor<f64>
  %dw = rev.vjp @chain(%x, %w) cotangents(%c) wrt [1]
      : (tensor<64x64xf64>, tensor<64x64xf64>, tensor<f64>) -> tensor<64x64xf64>
  return %dw : tensor<64x64xf64>
}
func.func @second(%x: tensor<64x64xf64>, %w: tensor<64x64xf64>) -> tensor<64x64xf64> {
  %dw = func.call @inner(%x, %w)
      : (tensor<64x64xf64>, tensor<64x64xf64>) -> tensor<64x64xf64>
  return %dw : tensor<64x64xf64>
}
"""


def peaks(module):
    return {entry["function"]: entry["peak_bytes"] for entry in module.memory_report()}


def test_functions_have_budgets_of_their_own():
    plain = memrev.compile(PROGRAM.replace("BUDGET", ""))
    fewest = peaks(plain)
    text = PROGRAM.replace(
        "BUDGET", f"attributes {{memrev.memory_budget = {2 * fewest['first']} : i64}}")
    module = memrev.compile(text)
    # What both differentiate has the smaller storage, which is that of the first.
    assert fewest["first"] < peaks(module)["first"] <= 2 * fewest["first"]
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((64, 64)), 0.1 * rng.standard_normal((64, 64))
    loss, expected = plain["first"](x, w)
    for found in (module["first"](x, w)[1], module["second"](x, w), plain["second"](x, w)):
        assert np.abs(found - expected).max() <= 1e-12 * np.abs(expected).max()
    everything = memrev.compile(PROGRAM.replace("BUDGET", ""), memory_budget="1GiB")
    assert peaks(everything)["second"] > 2 * fewest["second"]


def test_budget_is_for_programs_with_transforms():
    text = """func.func @f(%x: tensor<4xf64>) -> tensor<4xf64> {
      %y = math.exp %x : tensor<4xf64>
      return %y : tensor<4xf64>
    }"""
    with pytest.raises(memrev.CompileError, match="expects a memory budget for programs with"):
        memrev.compile(text, memory_budget=1000, differentiate="function=f")
    # One without a derivative has to fit as it is.
    assert peaks(memrev.compile(text, memory_budget=64)) == {"f": 64}
    with pytest.raises(memrev.CompileError, match="at least 64 bytes for 'f', but got 63"):
        memrev.compile(text, memory_budget=63)
