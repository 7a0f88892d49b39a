# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Derivatives in two functions, forward and backward, as frameworks call them, and as
memrev.vjp does outside of a trace."""

import concurrent.futures
import gc
import tracemalloc
import weakref
from typing import NamedTuple

import numpy as np
import pytest
import torch

import memrev
import memrev.numpy as mnp
import numeric
from memrev import lax

ROWS, WIDTH, BLOCKS = 16, 8, 12
T, W = f"tensor<{ROWS}x{WIDTH}xf64>", f"tensor<{BLOCKS}x{WIDTH}x{WIDTH}xf64>"
SLICE = f"tensor<{WIDTH}x{WIDTH}xf64>"
CALL = (f"func.call @layer(%c, %s) : ({T}, {SLICE}) -> {T}")
#: A loop of couplings, then the sine of a product, which is saved.
PROGRAM = f"""
func.func private @layer(%c: {T}, %w: {SLICE}) -> {T} {{
  %zero = arith.constant dense<0.0> : {T}
  %h = linalg.matmul ins(%c, %w : {T}, {SLICE}) outs(%zero : {T}) -> {T}
  %t = math.sin %h : {T}
  return %t : {T}
}}
func.func private @f(%x1: {T} {{rev.name = "x1"}}, %x2: {T} {{rev.name = "x2"}},
                     %w: {W} {{rev.name = "w"}}, %n: i32)
    -> ({T} {{rev.name = "y1"}}, {T} {{rev.name = "y2"}}, i32, {T}) {{
  %begin = arith.constant 0 : index
  %one = arith.constant 1 : index
  %end = arith.constant {BLOCKS} : index
  %y:2 = scf.for %i = %begin to %end step %one iter_args(%a = %x1, %b = %x2) -> ({T}, {T}) {{
    %s = tensor.extract_slice %w[%i, 0, 0] [1, {WIDTH}, {WIDTH}] [1, 1, 1] : {W} to {SLICE}
    %a1 = rev.coupling additive %a given(%b) {{
    ^bb0(%c: {T}):
      %t = {CALL}
      rev.yield %t : {T}
    }} : {T}, ({T})
    %b1 = rev.coupling additive %b given(%a1) {{
    ^bb0(%c: {T}):
      %t = {CALL}
      rev.yield %t : {T}
    }} : {T}, ({T})
    scf.yield %a1, %b1 : {T}, {T}
  }}
  %u = arith.mulf %y#0, %y#1 : {T}
  %z = math.sin %u : {T}
  return %y#0, %y#1, %n, %z : {T}, {T}, i32, {T}
}}
"""


def make_arrays():
    generator = np.random.default_rng(0)
    x1, x2 = (generator.normal(size=(ROWS, WIDTH)) for _ in range(2))
    return x1, x2, 0.3 * generator.normal(size=(BLOCKS, WIDTH, WIDTH)), 7


def torch_gradients(x1, x2, w, cotangents):
    inputs = [torch.tensor(a, requires_grad=True) for a in (x1, x2, w)]
    x, y, weights = inputs
    for i in range(BLOCKS):
        x = x + torch.sin(y @ weights[i])
        y = y + torch.sin(x @ weights[i])
    outputs = [x, y, torch.sin(x * y)]
    found = torch.autograd.grad(outputs, inputs, [torch.tensor(c) for c in cotangents])
    return dict(zip("012", (g.numpy() for g in found)))


def given(backward, arguments, outputs, num_results):
    """What the residuals of `backward` are."""
    values = []
    for parameter in backward.arguments:
        if parameter.residual is not None:
            kind, number = parameter.residual
            values.append({"argument": lambda: arguments[number],
                           "result": lambda: outputs[number],
                           "saved": lambda: outputs[num_results + number]}[kind]())
    return values


def run(donate="", policy="invert"):
    options = f"function=f wrt=0,1,2 mode=split policy={policy}{donate}"
    module = memrev.compile(PROGRAM, differentiate=options)
    assert list(module) == ["f_fwd", "f_bwd"]
    arguments = make_arrays()
    outputs = module["f_fwd"](*arguments)
    generator = np.random.default_rng(1)
    cotangents = [generator.normal(size=(ROWS, WIDTH)) for _ in range(3)]
    residuals = given(module["f_bwd"], arguments, outputs, 4)
    expected = torch_gradients(*arguments[:3], cotangents)
    gradients = module["f_bwd"](*residuals, *cotangents)
    assert numeric.error(dict(zip("012", gradients)), expected) < 1e-11
    return module, residuals, gradients


@pytest.mark.parametrize("policy", ["invert", "store"])
def test_gradients(policy):
    module, residuals, _ = run(policy=policy)
    forward, backward = module["f_fwd"], module["f_bwd"]
    kinds = [p.residual[0] for p in backward.arguments if p.residual]
    # All else of the couplings is had back from the results and the weights.
    if policy == "invert":
        assert sorted(kinds) == ["argument", "result", "result", "saved"]
    else:
        assert kinds.count("saved") >= 2
    assert len(forward.results) == 4 + kinds.count("saved")
    assert not any(p.is_donated for p in backward.arguments)
    assert all(p.residual is None for p in (*forward.arguments, *backward.results))
    again = module["f_bwd"](*residuals, *(np.ones((ROWS, WIDTH)) for _ in range(3)))
    assert np.isfinite(again[0]).all()


def test_names():
    module, _, _ = run()
    assert [p.name for p in module["f_fwd"].arguments] == ["x1", "x2", "w", "arg3"]
    assert [p.name for p in module["f_fwd"].results] == [
        "y1", "y2", "result2", "result3", "result4"]
    names = {p.residual or p.name for p in module["f_bwd"].arguments}
    assert names == {("result", 0), ("result", 1), ("argument", 2), ("saved", 0),
                     "d.y1", "d.y2", "arg6"}
    assert [p.name for p in module["f_bwd"].results] == ["d.x1", "d.x2", "d.w"]


def test_donated():
    """What is donated is overwritten, by gradients where it can be; the backward
    function needs the less memory."""
    plain, _, _ = run()
    donated, residuals, gradients = run(donate=" donate=saved,results,cotangents")
    before, after = plain["f_bwd"], donated["f_bwd"]
    overwritten = [p.residual[0] if p.residual else "cotangent"
                   for p in after.arguments if p.is_donated]
    assert sorted(overwritten) == ["cotangent"] * 3 + ["result"] * 2 + ["saved"]
    # The results are inverted in place: no copy of them.
    assert before.workspace_bytes - after.workspace_bytes >= 2 * 8 * ROWS * WIDTH
    places = [p.place for p in after.results]
    shared = [place for place in places if place < len(after.arguments)]
    assert len(shared) == 2 and all(after.arguments[p].is_donated for p in shared)
    assert all(p.place >= len(before.arguments) for p in before.results)


def test_saved_values_can_be_donated():
    module, _, _ = run(donate=" donate=saved", policy="store")
    donated = [p for p in module["f_bwd"].arguments if p.is_donated]
    assert donated and all(p.residual[0] == "saved" for p in donated)


def test_memory_is_that_of_results_and_weights():
    """Forward and backward work in memory that does not grow with the depth."""
    def peak(blocks):
        text = PROGRAM.replace(f"constant {BLOCKS} :", f"constant {blocks} :").replace(
            W, W.replace(str(BLOCKS), str(blocks), 1))
        module = memrev.compile(text, differentiate="function=f wrt=0,1,2 mode=split")
        return [module[name].workspace_bytes for name in module]

    assert peak(4) == peak(64)


def test_several_functions_and_a_saved_program(tmp_path):
    text = PROGRAM.replace("private @f(", "@f(")
    module = memrev.compile(text, differentiate=[
        "function=f wrt=2 mode=split", "function=layer wrt=1 mode=vjp"])
    assert sorted(module) == ["f", "f_bwd", "f_fwd", "layer_vjp"]
    assert {entry["function"] for entry in module.memory_report() if entry["values"]} == {
        "f_bwd", "layer_vjp"}
    module.save(tmp_path / "program")
    loaded = memrev.load(tmp_path / "program")
    assert loaded["f_bwd"].arguments == module["f_bwd"].arguments


def test_wrong_options():
    with pytest.raises(memrev.CompileError, match="no such option speed"):
        memrev.compile(PROGRAM, differentiate="function=f speed=1")
    with pytest.raises(memrev.CompileError, match="expects option 'wrt' to hold numbers of "
                                                  "arguments with a float element type, but "
                                                  "got 3"):
        memrev.compile(PROGRAM, differentiate="function=f wrt=3")


# ------------------------------------------------------------------------------
# memrev.vjp of arrays
# ------------------------------------------------------------------------------


def network(weights, x):
    def block(i, halves):
        a, b = halves
        a = lax.coupling("additive", a, [b], lambda c: mnp.sin(c @ weights[i]))
        return a, lax.coupling("additive", b, [a], lambda c: mnp.sin(c @ weights[i]))

    return lax.for_loop(weights.shape[0], block, (x, x[::-1]))


def expected_gradients(weights, x, cotangents):
    inputs = [torch.tensor(v, requires_grad=True) for v in (weights, x)]
    a, b = inputs[1], inputs[1].flip(0)
    for w in inputs[0]:
        a = a + torch.sin(b @ w)
        b = b + torch.sin(a @ w)
    cotangents = [torch.tensor(c) for c in cotangents]
    return [g.numpy() for g in torch.autograd.grad([a, b], inputs, cotangents)]


def make_network(rows=ROWS):
    generator = np.random.default_rng(3)
    return (0.3 * generator.normal(size=(BLOCKS, WIDTH, WIDTH)),
            generator.normal(size=(rows, WIDTH)), generator.normal(size=(2, rows, WIDTH)))


def count_calls(monkeypatch):
    """A list of the names of the compiled functions that are called from now on."""
    called, original = [], memrev.Function.call_pointers

    def call(function, *arguments):
        called.append(function.name)
        return original(function, *arguments)

    monkeypatch.setattr(memrev.Function, "call_pointers", call)
    return called


@pytest.mark.parametrize("policy", ["invert", "store"])
def test_vjp_runs_forward_once(policy, monkeypatch):
    weights, x, cotangents = make_network()
    called = count_calls(monkeypatch)
    _, pullback = memrev.vjp(network, weights, x, policy=policy)
    memrev.vjp(network, 2 * weights, -x, policy=policy)  # Another call changes nothing.
    for scale in (1, -2):
        found = pullback(tuple(scale * cotangents))
        for a, b in zip(found, expected_gradients(weights, x, scale * cotangents)):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)
    assert called == ["network_fwd"] * 2 + ["network_bwd"] * 2


def test_vjp_traces_and_compiles_once(monkeypatch):
    traces = []

    def f(x):
        traces.append(x.shape)
        return mnp.sin(x)

    memrev.vjp(f, np.ones(3))
    monkeypatch.setattr(memrev._program, "compile", None)
    assert memrev.vjp(f, np.zeros(3))[1](np.ones(3))[0].tolist() == [1, 1, 1]
    assert traces == [(3,)]


def test_pullback_in_threads():
    weights, x, cotangents = make_network()
    _, pullback = memrev.vjp(network, weights, x)
    expected = expected_gradients(weights, x, cotangents)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        scales = [1.0, -3.0, 0.5, 2.0] * 4
        for scale, found in zip(scales, pool.map(
                lambda scale: pullback(tuple(scale * cotangents)), scales)):
            for a, b in zip(found, expected):
                np.testing.assert_allclose(a, scale * b, rtol=1e-9, atol=1e-9)


def test_vjp_keeps_what_the_backward_pass_reads():
    """By inversion that is the weights and the results, by storing the states, too; all of
    it goes with the pullback."""
    weights, x, cotangents = make_network(rows=2048)
    half = x.nbytes
    kept = {}
    for policy in ("invert", "store"):
        memrev.vjp(network, weights, x, policy=policy)
        gc.collect()
        tracemalloc.start()
        output, pullback = memrev.vjp(network, weights, x, policy=policy)
        pullback(tuple(cotangents))
        del output
        kept[policy] = tracemalloc.get_traced_memory()[0]
        del pullback
        left = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        assert left < half / 20, left
    assert 2 * half <= kept["invert"] < 2 * half + weights.nbytes + half / 20
    assert kept["store"] > BLOCKS * half


def test_arguments_may_change_before_the_pullback():
    weights, x, cotangents = make_network()
    expected = expected_gradients(weights, x, cotangents)
    given = weights.copy(), x.copy()
    output, pullback = memrev.vjp(network, *given)
    given[0][:], given[1][:] = 0, 0
    for a, b in zip(pullback(tuple(cotangents)), expected):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)
    with pytest.raises(ValueError, match="read-only"):
        output[0][0] = 1


def test_frozen_arguments_are_not_copied():
    weights, x, cotangents = make_network(rows=1)
    weights = np.tile(weights, (50, 1, 1)) / 50
    memrev.vjp(network, weights, x)

    def bytes_of(weights):
        tracemalloc.start()
        kept = memrev.vjp(network, weights, x)
        size = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        assert kept
        return size

    frozen = weights.copy()
    frozen.flags.writeable = False
    seen = weights.view()
    seen.flags.writeable = False  # Others can still write it.
    assert bytes_of(frozen) < weights.nbytes / 2
    assert min(bytes_of(weights), bytes_of(seen)) > weights.nbytes


class Pair(NamedTuple):
    first: object
    second: object


def test_structures_and_what_is_no_float():
    def f(x, n, rest):
        return Pair({"a": mnp.sin(x) * rest[0]}, [n + 1, mnp.sum(x)])

    x = np.arange(4, dtype=np.float32)
    output, pullback = memrev.vjp(f, x, 3, (2.0, np.arange(2)))
    assert output.second[0] == 4 and output.second[1] == 6
    dx, dn, (dscale, dk) = pullback(Pair({"a": x}, [None, 1.0]))
    np.testing.assert_allclose(dx, 2 * np.cos(x) * x + 1, rtol=1e-6)
    np.testing.assert_allclose(dscale, (np.sin(x) * x).sum(), rtol=1e-6)
    assert dn is None and dk is None and dx.dtype == np.float32
    only = pullback(Pair(None, [None, torch.tensor(2.0)]))
    assert only[0].tolist() == [2, 2, 2, 2] and only[2][0] == 0
    with pytest.raises(ValueError, match="structure of the result"):
        pullback(({"a": x}, [None, 1.0]))
    with pytest.raises(TypeError, match="arrays and numbers as cotangents of arrays, but got str"):
        pullback(Pair({"a": "x"}, None))


def test_without_floats():
    value, pullback = memrev.vjp(lambda n: n + 1, np.arange(3))
    assert value.tolist() == [1, 2, 3] and pullback(None) == (None,)
    _, pullback = memrev.vjp(lambda x: mnp.argmax(x), np.ones(3))
    assert pullback(None)[0].tolist() == [0, 0, 0]
    assert memrev.vjp(lambda x: (), np.ones(2))[1](())[0].tolist() == [0, 0]


def test_vjp_of_a_gradient():
    def f(x):
        return mnp.sum(mnp.sin(x) * x[::-1])

    x, v = np.random.default_rng(1).normal(size=(2, 4))
    gradient, pullback = memrev.vjp(memrev.grad(f), x)
    np.testing.assert_allclose(gradient, memrev.grad(f)(x))
    np.testing.assert_allclose(pullback(v)[0], memrev.jvp(memrev.grad(f), (x,), (v,))[1])


def test_saved_bfloat16():
    def f(x):
        return mnp.sin(mnp.sin(x.astype(memrev.bfloat16))).astype(np.float32)

    x = np.linspace(-1, 1, 9, dtype=np.float32)
    for policy in ("invert", "store"):
        found, = memrev.vjp(f, x, policy=policy)[1](np.ones_like(x))
        np.testing.assert_allclose(found, np.cos(np.sin(x)) * np.cos(x), rtol=0.03)
    with pytest.raises(TypeError, match="expects results of types that NumPy has, but got "
                                        "bfloat16 at '0'"):
        memrev.vjp(lambda x: [x.astype(memrev.bfloat16)], x)


def test_layouts():
    x = np.arange(12.0).reshape(3, 4)
    for given in (x.T, x[:, ::-2], x.astype(">f8"), np.asfortranarray(x)):
        value, pullback = memrev.vjp(mnp.square, given)
        np.testing.assert_array_equal(value, given ** 2)
        np.testing.assert_array_equal(pullback(given)[0], 2 * given ** 2)


def test_programs_go_with_their_function():
    class Model:
        def __init__(self, scale):
            self.scale = scale

        def apply(self, x):
            return x * self.scale

    models = [Model(2.0), Model(3.0)]
    for model in models:
        assert memrev.vjp(model.apply, np.ones(2))[1](np.ones(2))[0].tolist() == [model.scale] * 2
    traces = []

    def f(x):
        traces.append(x)
        return mnp.sin(x)

    memrev.vjp(f, np.ones(2))
    memrev.jvp(f, (np.ones(2),), (np.ones(2),))
    gone = [weakref.ref(f), weakref.ref(models[0])]
    del f, model, models
    traces.clear()
    gc.collect()
    assert [reference() for reference in gone] == [None, None]


def test_vjp_of_shapes():
    with pytest.raises(TypeError, match="expects arrays to call 'f' with, but got ShapeDtype"):
        memrev.vjp(lambda x: x, memrev.ShapeDtype((2,)))
