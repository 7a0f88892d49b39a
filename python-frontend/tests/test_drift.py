# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Bounds for the drift of inverses."""

import numpy as np
import pytest

import memrev

LAYERS = 60


def make_program(element, policy="", tolerance=None):
    matrix = f"tensor<64x64x{element}>"
    attributes = f"attributes {{rev.drift_tolerance = {tolerance} : f64}}" if tolerance else ""
    return f"""
func.func private @f(%x: {matrix}, %w: {matrix}) -> {matrix} {attributes} {{
  %zero = arith.constant 0.0 : {element}
  %begin = arith.constant 0 : index
  %one = arith.constant 1 : index
  %end = arith.constant {LAYERS} : index
  %y:2 = scf.for %i = %begin to %end step %one iter_args(%a = %x, %b = %x)
      -> ({matrix}, {matrix}) {{
    %s = rev.coupling additive %a given(%b) {{
    ^bb0(%c: {matrix}):
      %e = tensor.empty() : {matrix}
      %init = linalg.fill ins(%zero : {element}) outs(%e : {matrix}) -> {matrix}
      %m = linalg.matmul ins(%c, %w : {matrix}, {matrix}) outs(%init : {matrix}) -> {matrix}
      %t = math.tanh %m : {matrix}
      rev.yield %t : {matrix}
    }} : {matrix}, ({matrix})
    scf.yield %b, %s : {matrix}, {matrix}
  }}
  return %y#1 : {matrix}
}}
func.func @gradient(%x: {matrix}, %w: {matrix}, %dy: {matrix}) -> ({matrix}, {matrix}) {{
  %dx, %dw = rev.vjp @f(%x, %w) cotangents(%dy) {policy}
      : ({matrix}, {matrix}, {matrix}) -> ({matrix}, {matrix})
  return %dx, %dw : {matrix}, {matrix}
}}
"""


@pytest.fixture(scope="module")
def problem():
    """Arguments in f64, and the gradients by stored values."""
    rng = np.random.default_rng(0)
    x, dy = rng.standard_normal((2, 64, 64))
    arguments = x, 0.5 * rng.standard_normal((64, 64)) / 8, dy
    return arguments, memrev.compile(make_program("f64", "policy(store)"))["gradient"](*arguments)


def run(problem, *options):
    """(the peak, the errors of the gradients) in f32."""
    arguments, expected = problem
    module = memrev.compile(make_program("f32", *options))
    found = module["gradient"](*(argument.astype(np.float32) for argument in arguments))
    [report] = module.memory_report()
    return report["peak_bytes"], np.array([
        np.linalg.norm(value - reference) / np.linalg.norm(reference)
        for value, reference in zip(found, expected)])


def test_a_tolerance_keeps_gradients_as_exact_as_stored_values(problem):
    most, stored = run(problem, "policy(store)")
    fewest, inverted = run(problem)
    assert (inverted > 2 * stored).all()
    peaks = []
    for tolerance in ("1.0e-3", "1.0e-4", "1.0e-5", "1.0e-6"):
        peak, errors = run(problem, "", tolerance)
        assert (errors <= 1.1 * stored).all()
        peaks.append(peak)
    assert fewest < peaks[0] and peaks == sorted(set(peaks)) and peaks[-1] < most


def test_a_wide_tolerance_changes_nothing(problem):
    peak, errors = run(problem)
    wide_peak, wide_errors = run(problem, "", "1.0e9")
    assert peak == wide_peak and (errors == wide_errors).all()
