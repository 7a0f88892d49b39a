"""Derivatives in two functions, forward and backward, as frameworks call them."""

import numpy as np
import pytest
import torch

import memrev
import numeric

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
                                                  "arguments with a float element type, but got 3"):
        memrev.compile(PROGRAM, differentiate="function=f wrt=3")
