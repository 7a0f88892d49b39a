# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Bounds for the drift of inverses."""

import ctypes

import numpy as np
import pytest

import memrev
from memrev import lax
from memrev import numpy as mnp

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


def test_option_for_all_functions(problem):
    arguments, _ = problem
    single = [argument.astype(np.float32) for argument in arguments]
    by_attribute = memrev.compile(make_program("f32", "", "1.0e-4"))
    by_option = memrev.compile(make_program("f32"), drift_tolerance=1e-4)
    assert by_option.memory_report() == by_attribute.memory_report()
    for one, other in zip(by_option["gradient"](*single), by_attribute["gradient"](*single)):
        assert (one == other).all()
    # A function's own tolerance goes first.
    own = memrev.compile(make_program("f32", "", "1.0e-4"), drift_tolerance=1e-6)
    assert own.memory_report() == by_attribute.memory_report()


def test_jit():
    def loss(x, w):
        def pair(_, halves):
            a, b = halves
            return b, lax.coupling("additive", a, [b], lambda b: mnp.tanh(b @ w))

        a, b = lax.for_loop(40, pair, (x, x))
        return (a * b).sum()

    x = np.ones((64, 64), np.float32)
    plain, bounded = (
        memrev.jit(memrev.grad(loss), **options).memory_report(x, x)["peak_bytes"]
        for options in ({}, {"drift_tolerance": 1e-5}))
    assert plain < bounded


@pytest.mark.parametrize("wrong", ["0", "-1", "nan", "inf", "small"])
def test_wrong_tolerance(wrong):
    with pytest.raises(memrev.CompileError, match="expects a number above 0, 1e-5 for example, "
                       f"but got '{wrong}'"):
        memrev.compile(make_program("f32"), drift_tolerance=wrong)


def test_states_are_differentiated(problem):
    # The last part of a loop between states is shorter: its length is not in the program.
    (x, w, dy), _ = problem

    def product(policy, tolerance=None):
        matrix = "tensor<64x64xf64>"
        program = make_program("f64", policy, tolerance).replace("@gradient", "private @gradient")
        module = memrev.compile(program + f"""
func.func @second(%x: {matrix}, %w: {matrix}, %dy: {matrix}) -> {matrix} {{
  %p = rev.vjp @gradient(%x, %w, %dy) cotangents(%x, %w) wrt [1] {policy}
      : ({matrix}, {matrix}, {matrix}, {matrix}, {matrix}) -> {matrix}
  return %p : {matrix}
}}""")
        return module["second"](x, w, dy)

    expected, found = product("policy(store)"), product("", "1.0e-14")
    # Two derivatives of 60 layers round some hundred times.
    assert np.abs(found - expected).max() <= 1e-12 * np.abs(expected).max()


# -- What is measured -----------------------------------------------------------------------


def block(i, halves, w):
    a, b = halves
    a = lax.coupling("additive", a, [b], lambda b: mnp.tanh(b @ w[i]))
    b = lax.coupling("affine<exp>", b, [a], lambda a: (0.1 * mnp.tanh(a @ w[i]), a))
    return a, b


def looped(x, w):
    a, b = lax.for_loop(w.shape[0], lambda i, halves: block(i, halves, w), (x, 0.5 * x))
    return mnp.sum(a * b)


def unrolled(x, w):
    a, b = x, 0.5 * x
    for i in range(w.shape[0]):
        a, b = block(i, (a, b), w)
    return mnp.sum(a * b)


def forward_and_back(x, w):
    """The drift of `block` in NumPy, in the order of the backward pass."""
    states = [(x, np.float32(0.5) * x)]
    for wi in w:
        a, b = states[-1]
        a = a + np.tanh(b @ wi)
        states.append((a, b))
        states.append((a, b * np.exp(np.float32(0.1) * np.tanh(a @ wi)) + a))
    (a, b), found = states[-1], []
    for wi, (before, after) in zip(w[::-1], zip(states[-3::-2], states[-2::-2])):
        b = (b - a) / np.exp(np.float32(0.1) * np.tanh(a @ wi))
        found.append(np.abs(b - after[1]).max())
        a = a - np.tanh(b @ wi)
        found.append(np.abs(a - before[0]).max())
    return found


@pytest.mark.parametrize("fn", [looped, unrolled])
def test_measured_drift_is_that_of_the_algorithm(fn):
    rng = np.random.default_rng(1)
    x = rng.standard_normal((4, 16)).astype(np.float32)
    w = 0.2 * rng.standard_normal((40, 16, 16)).astype(np.float32)
    gradient = memrev.jit(memrev.grad(fn, (0, 1)))
    blocks = [b for b in gradient.drift_report(x, w) if "rev.coupling" in b.operation]
    expected = forward_and_back(x, w)
    assert len(blocks) == len(expected) == 80
    if fn is looped:
        assert [b.iterations for b in blocks] == [(i,) for i in range(39, -1, -1) for _ in "ab"]
    else:
        assert {b.iterations for b in blocks} == {()}
    # Roundings differ; their growth is that of the network.
    for found, numpy in zip(blocks[20:], expected[20:]):
        assert numpy / 8 < found.difference < 8 * numpy
        assert found.relative == found.difference / found.largest
    # Roundings grow on the way back.
    assert max(b.relative for b in blocks[-8:]) > 10 * max(b.relative for b in blocks[:8])


def test_measuring_changes_no_gradient():
    rng = np.random.default_rng(2)
    x = rng.standard_normal((4, 16)).astype(np.float32)
    w = 0.2 * rng.standard_normal((5, 16, 16)).astype(np.float32)
    text = memrev.jit(memrev.grad(looped, (0, 1))).mlir(x, w)
    told = []
    report = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 4)(lambda *pointers: told.append(1))
    checked = memrev.compile(text, check_drift=True, symbols={"memrev.report_drift": report})
    plain = memrev.compile(text)
    (name,) = plain
    for found, expected in zip(checked[name](x, w), plain[name](x, w)):
        np.testing.assert_array_equal(found, expected)
    assert len(told) == 12  # Ten couplings, and the two states that the loop starts from.
    assert plain.drift_sites == []


def test_anchors_stop_drift():
    rng = np.random.default_rng(3)
    x = rng.standard_normal((4, 16)).astype(np.float32)
    w = 0.2 * rng.standard_normal((60, 16, 16)).astype(np.float32)

    def worst(**options):
        gradient = memrev.jit(memrev.grad(looped, (0, 1)), **options)
        return max(b.relative for b in gradient.drift_report(x, w))

    assert worst(drift_tolerance=1e-5) < 1e-5 < worst()


def test_nested_loops_name_both_iterations():
    rng = np.random.default_rng(4)
    x = rng.standard_normal((2, 8)).astype(np.float32)
    w = 0.2 * rng.standard_normal((2, 3, 8, 8)).astype(np.float32)

    def loss(x, w):
        def level(i, halves):
            return lax.for_loop(3, lambda j, inner: block(j, inner, w[i]), halves)
        a, b = lax.for_loop(2, level, (x, x))
        return mnp.sum(a * b)

    blocks = memrev.jit(memrev.grad(loss, 1)).drift_report(x, w)
    inner = [b.iterations for b in blocks if "rev.coupling" in b.operation]
    assert inner == [(i, j) for i in (1, 0) for j in (2, 1, 0) for _ in "ab"]
    assert all(0 <= b.relative < 1e-5 for b in blocks)


def test_what_is_stored_does_not_drift():
    gradient = memrev.jit(memrev.grad(looped, (0, 1), policy="store"))
    assert gradient.drift_report(np.ones((2, 8), "f4"), np.zeros((3, 8, 8), "f4")) == []


def test_drift_check_refuses_a_budget_and_a_device():
    text = make_program("f32")
    for options in {"memory_budget": "1MiB"}, {"target": "cuda", "chip": "sm_90"}:
        with pytest.raises(memrev.CompileError, match="expects check-drift for target cpu, "
                                                      "without a memory budget or curve"):
            memrev.compile(text, check_drift=True, **options)
