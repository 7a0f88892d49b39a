# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Programs that have to fit in a number of bytes."""

import re

import numpy as np
import pytest

import memrev
import slow
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


@pytest.mark.parametrize("factor", [1, 1.5, 100])
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


@pytest.mark.slow
def test_more_memory_is_used_to_store_more(inverted):
    fewest, _ = inverted
    peaks = []
    for factor in (1, 1.6, 3):
        gradient, arguments = make_gradient(memory_budget=int(factor * fewest))
        peaks.append(gradient.memory_report(*arguments)["peak_bytes"])
    assert peaks == sorted(peaks) and len(set(peaks)) == 3


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


def test_programs_without_derivatives_have_to_fit():
    text = """func.func @f(%x: tensor<4xf64>) -> tensor<4xf64> {
      %y = math.exp %x : tensor<4xf64>
      return %y : tensor<4xf64>
    }"""
    assert peaks(memrev.compile(text, memory_budget=64)) == {"f": 64}
    with pytest.raises(memrev.CompileError, match="at least 64 bytes for 'f', but got 63"):
        memrev.compile(text, memory_budget=63)


@pytest.mark.slow
def test_functions_with_a_derivative_in_common_fit_together():
    # The fewest bytes of any of them are what it stores, so that the plan of each depends on
    # those of the others.
    program = PROGRAM.replace("func.func private @inner", "func.func @inner")
    default = peaks(memrev.compile(program.replace("BUDGET", "")))
    for factor in (1.5, 3):
        budget = int(factor * default["first"])
        text = program.replace("BUDGET", f"attributes {{memrev.memory_budget = {budget} : i64}}")
        for common in (1.3, 2):
            most = int(common * default["second"])
            found = peaks(memrev.compile(text, memory_budget=most, until="bufferize"))
            assert found["first"] <= budget and max(found["inner"], found["second"]) <= most


def layers(count, first, name="h"):
    """`count` layers tanh(x w) on `first`, with the results %{name}0 and so on."""
    lines = []
    for i in range(count):
        operand = f"%{name}{i - 1}" if i else first
        lines.append(f"""
    %{name}e{i} = tensor.empty() : T
    %{name}z{i} = linalg.fill ins(%zero : f64) outs(%{name}e{i} : T) -> T
    %{name}m{i} = linalg.matmul ins({operand}, %w : T, T) outs(%{name}z{i} : T) -> T
    %{name}{i} = math.tanh %{name}m{i} : T""")
    return "".join(lines)


def for_loop(result, count, inits, body):
    """`body` in a loop of `count` iterations that carries %{result}a, %{result}b, ..."""
    arguments = ", ".join(f"%{result}{chr(97 + i)} = {init}" for i, init in enumerate(inits))
    types = ", ".join(["T"] * len(inits))
    return f"""
    %{result}begin = arith.constant 0 : index
    %{result}step = arith.constant 1 : index
    %{result}end = arith.constant {count} : index
    %{result}:{len(inits)} = scf.for %i = %{result}begin to %{result}end step %{result}step
        iter_args({arguments}) -> ({types}) {{{body}
    }}"""


def couplings(result, count, inits, depth):
    """A loop over couplings whose functions have `depth` layers."""
    return for_loop(result, count, inits, f"""
    %{result}s = rev.coupling additive %{result}a given(%{result}b) {{
    ^bb0(%c: T):{layers(depth, "%c", result + "f")}
      rev.yield %{result}f{depth - 1} : T
    }} : T, (T)
    scf.yield %{result}b, %{result}s : T, T""")


def layer_loop(result, count, init):
    """Layers in a loop that no inverse runs backwards."""
    return for_loop(result, count, [init], layers(1, f"%{result}a", result + "h") + f"""
    scf.yield %{result}h0 : T""")


BODIES = {
    "chain": (layers(12, "%x"), "%h11"),
    "loop": (layer_loop("y", 30, "%x"), "%y#0"),
    "deep": (couplings("y", 4, ["%x", "%x"], 8), "%y#1"),
    "mixed": (layers(4, "%x") + couplings("r", 6, ["%h3", "%h2"], 2)
              + layer_loop("y", 9, "%r#0"), "%y#0"),
}


def make_program(kind, policy="", attributes=""):
    body, result = BODIES[kind]
    return f"""
func.func private @f(%x: T, %w: T) -> T {attributes} {{
    %zero = arith.constant 0.0 : f64{body}
    return {result} : T
}}
func.func @gradient(%x: T, %w: T, %dy: T) -> (T, T) {{
  %dx, %dw = rev.vjp @f(%x, %w) cotangents(%dy) {policy} : (T, T, T) -> (T, T)
  return %dx, %dw : T, T
}}
""".replace(" T", " tensor<64x64xf64>").replace("(T", "(tensor<64x64xf64>")


@pytest.mark.slow
def test_room_that_is_of_no_use_does_not_hide_what_is():
    """One iteration more is stored or not; half of what that takes changes nothing."""
    default = peaks(memrev.compile(make_program("deep"), until="bufferize"))["gradient"]
    curve = memrev.compile(make_program("deep"), until="bufferize",
                           memory_curve=8).memory_report()[0]["curve"]
    first = min(point["peak_bytes"] for point in curve if point["peak_bytes"] > default)
    budget = int(1.1 * first)
    found = memrev.compile(make_program("deep"), memory_budget=budget, until="bufferize")
    assert default < peaks(found)["gradient"] <= budget


@pytest.mark.parametrize("kind", slow.but(("chain", "loop"), BODIES))
def test_what_does_not_fit_is_evaluated_again(kind):
    rng = np.random.default_rng(0)
    x, dy = rng.standard_normal((2, 64, 64))
    w = rng.standard_normal((64, 64)) / 8
    stored = memrev.compile(make_program(kind, "policy(store)"))
    expected = stored["gradient"](x, w, dy)
    most = peaks(stored)["gradient"]
    with pytest.raises(memrev.CompileError) as error:
        memrev.compile(make_program(kind), memory_budget=1000)
    fewest = int(re.search("at least ([0-9]+) bytes", str(error.value))[1])
    default = peaks(memrev.compile(make_program(kind)))["gradient"]
    assert fewest < default <= most
    for budget in (fewest, (fewest + default) // 2, (default + most) // 2):
        module = memrev.compile(make_program(kind), memory_budget=budget)
        assert peaks(module)["gradient"] <= budget
        for value, reference in zip(module["gradient"](x, w, dy), expected):
            assert np.abs(value - reference).max() <= 1e-12 * np.abs(reference).max()


def test_derivatives_of_derivatives_fit():
    body, result = BODIES["loop"]
    program = f"""
func.func private @f(%x: T, %w: T) -> T {{
    %zero = arith.constant 0.0 : f64{body}
    return {result} : T
}}
func.func private @g(%x: T, %w: T, %dy: T) -> T {{
  %dw = rev.vjp @f(%x, %w) cotangents(%dy) wrt [1] : (T, T, T) -> T
  return %dw : T
}}
func.func @hessian(%x: T, %w: T, %dy: T) -> T {{
  %product = rev.vjp @g(%x, %w, %dy) cotangents(%w) wrt [1] : (T, T, T, T) -> T
  return %product : T
}}
""".replace(" T", " tensor<64x64xf64>").replace("(T", "(tensor<64x64xf64>")
    rng = np.random.default_rng(0)
    x, w, dy = rng.standard_normal((3, 64, 64)) / 8
    plain = memrev.compile(program)
    expected, default = plain["hessian"](x, w, dy), peaks(plain)["hessian"]
    for factor in (0.9, 1.5):
        module = memrev.compile(program, memory_budget=int(factor * default))
        assert peaks(module)["hessian"] <= factor * default
        found = module["hessian"](x, w, dy)
        assert np.abs(found - expected).max() <= 1e-12 * np.abs(expected).max()


def make_function(kind, visibility="private"):
    program = make_program(kind)
    return program[:program.index("func.func @gradient")].replace("private", visibility)


def call_split(module, *arguments):
    """The gradients by the two functions of a split, whose cotangent comes last."""
    outputs = module["f_fwd"](*arguments[:-1])
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    values = {"argument": arguments, "result": outputs, "saved": outputs[1:]}
    backward = module["f_bwd"]
    residuals = [parameter.residual for parameter in backward.arguments]
    return backward(*(values[residual[0]][residual[1]] if residual else arguments[-1]
                      for residual in residuals))


@pytest.mark.parametrize("kind,mode", slow.but([("loop", "vjp")],
                                               [("loop", "vjp"), ("mixed", "split")]))
def test_functions_derived_by_options_fit(kind, mode):
    rng = np.random.default_rng(0)
    x, dy = rng.standard_normal((2, 64, 64))
    w = rng.standard_normal((64, 64)) / 8
    text, options = make_function(kind), f"function=f mode={mode}"

    def call(module):
        return call_split(module, x, w, dy) if mode == "split" else module["f_vjp"](x, w, dy)

    plain = memrev.compile(text, differentiate=options)
    expected, default = call(plain), max(peaks(plain).values())
    with pytest.raises(memrev.CompileError) as error:
        memrev.compile(text, differentiate=options, memory_budget=1000)
    names = {"vjp": "'f_vjp'", "split": "'f_fwd' and 'f_bwd'"}[mode]
    fewest = int(re.search(f"at least ([0-9]+) bytes for {names}, but got 1000",
                           str(error.value))[1])
    assert fewest < default
    seen = []
    for budget in (fewest, default - 1):
        module = memrev.compile(text, differentiate=options, memory_budget=budget)
        seen.append(max(peaks(module).values()))
        assert seen[-1] <= budget
        for value, reference in zip(call(module), expected):
            assert np.abs(value - reference).max() <= 1e-12 * np.abs(reference).max()
    assert seen[0] < seen[1]


@pytest.mark.slow
def test_each_derivative_by_options_has_a_plan_of_its_own():
    text = make_function("mixed", "")
    options = ["function=f", "function=f mode=split wrt=0"]

    def compile(options, **others):
        return memrev.compile(text, differentiate=options, until="bufferize", **others)

    plain = peaks(compile(options))
    found = peaks(compile(options, memory_budget=1450000))
    assert max(found.values()) <= 1450000 and found["f"] == plain["f"]
    assert found["f_vjp"] > plain["f_vjp"] and found["f_bwd"] > plain["f_bwd"]
    assert peaks(compile(options[0], memory_budget=1450000))["f_vjp"] == found["f_vjp"]
    curves = {report["function"]: report["curve"]
              for report in compile(options, memory_curve=3).memory_report()}
    assert len(curves["f"]) == 1
    assert curves["f_vjp"][0]["peak_bytes"] <= plain["f_vjp"] < curves["f_vjp"][-1]["peak_bytes"]


@pytest.mark.parametrize("options", [
    pytest.param(["function=f wrt=1", "function=f_vjp wrt=1"], marks=pytest.mark.slow),
    ["function=g wrt=1"]])
def test_what_options_differentiate_again_stores_as_by_default(options):
    text = make_function("loop") + """
func.func private @g(%x: T, %w: T, %dy: T) -> T {
  %dw = rev.vjp @f(%x, %w) cotangents(%dy) wrt [1] : (T, T, T) -> T
  return %dw : T
}""".replace(" T", " tensor<64x64xf64>").replace("(T", "(tensor<64x64xf64>")
    rng = np.random.default_rng(0)
    x, w, dy, dw = rng.standard_normal((4, 64, 64)) / 8
    plain = memrev.compile(text, differentiate=options)
    name = options[-1].split()[0].removeprefix("function=") + "_vjp"
    expected, default = plain[name](x, w, dy, dw), peaks(plain)
    module = memrev.compile(text, differentiate=options, memory_budget=default[name])
    assert peaks(module) == default
    found = module[name](x, w, dy, dw)
    assert np.abs(found - expected).max() <= 1e-12 * np.abs(expected).max()
    with pytest.raises(memrev.CompileError, match=f"for '{name}', but got"):
        memrev.compile(text, differentiate=options, memory_budget=default[name] // 4)
