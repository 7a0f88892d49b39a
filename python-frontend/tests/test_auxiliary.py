# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Auxiliary results of couplings: batch statistics inside of F, carried through a loop
of blocks as running averages, against PyTorch, and what they cost in memory."""

import numpy as np
import pytest
import torch

import memrev
import numeric
from writer import Writer, number

BATCH, WIDTH = 7, 5
EPSILON, MOMENTUM = 1e-5, 0.1
STATISTICS = ("f_mean", "f_var", "g_mean", "g_var")


def shapes(blocks):
    result = {"x1": (BATCH, WIDTH), "x2": (BATCH, WIDTH)}
    for branch in "fg":
        result[f"{branch}_w"] = (blocks, WIDTH, WIDTH)
        result[f"{branch}_scale"] = (blocks, WIDTH)
        result[f"{branch}_offset"] = (blocks, WIDTH)
    return {**result, **{name: (blocks, WIDTH) for name in STATISTICS}}


def make_arrays(blocks, seed):
    generator = np.random.default_rng(seed)
    arrays = {name: 0.5 * generator.standard_normal(shape)
              for name, shape in shapes(blocks).items()}
    for name in ("f_var", "g_var"):
        arrays[name] = 1 + arrays[name] ** 2
    return arrays


class ChainWriter(Writer):
    """blocks of x1 += F(x2), x2 += G(x1) with F(c) = batch_norm(tanh(c w)). The loss is
    mean(y^2) / 2 over both streams and, with `penalty`, the sum of the squares of all
    batch means, to which a gradient flows through auxiliary results."""

    def __init__(self, blocks, unrolled, penalty):
        super().__init__("f64")
        self.blocks, self.unrolled, self.penalty = blocks, unrolled, penalty
        self.stacks = {name: self.value(shape, f"%{name}")
                       for name, shape in shapes(blocks).items()}

    def couple(self, coupled, given, branch, position, state):
        weight, scale, offset = (self.slice(self.stacks[f"{branch}_{name}"], position)
                                 for name in ("w", "scale", "offset"))
        result, inner = self.value(coupled.shape), self.value(given.shape)
        mean, var = self.value((WIDTH,)), self.value((WIDTH,))
        self.line(f"{result.name}, {mean.name}, {var.name} = rev.coupling additive "
                  f"{coupled.name} given({given.name}) {{")
        self.line(f"^bb0({inner.name}: {inner.type}):")
        self.indent += 1
        zeros = self.zeros(given.shape)
        product = self.op(f"linalg.matmul ins({inner.name}, {weight.name} : {inner.type}, "
                          f"{weight.type}) outs({zeros.name} : {zeros.type}) -> "
                          f"{zeros.type}", given.shape)
        hidden = self.elementwise([product], ["%r = math.tanh %a0 : f64",
                                              "linalg.yield %r : f64"])
        normal = self.value(given.shape)
        inside = [self.value((WIDTH,)) for _ in range(2)]
        self.line(f"{normal.name}, {inside[0].name}, {inside[1].name} = rev.batch_norm "
                  f"{hidden.name}, {scale.name}, {offset.name} epsilon {number(EPSILON)} : "
                  f"({hidden.type}, {scale.type}, {scale.type}) -> "
                  f"({hidden.type}, {scale.type}, {scale.type})")
        # PyTorch averages the variance of a sample, not of a population.
        sample = self.scale(inside[1], BATCH / (BATCH - 1))
        self.line(f"rev.yield {normal.name}, {inside[0].name}, {sample.name} : "
                  f"{normal.type}, {mean.type}, {var.type}")
        self.indent -= 1
        self.line(f"}} : {coupled.type}, ({given.type}) -> ({mean.type}, {var.type})")
        for name, value in (("mean", mean), ("var", var)):
            name = f"{branch}_{name}"
            old = self.slice(state[name], position)
            new = self.op(f"rev.running_average {old.name}, {value.name} momentum "
                          f"{MOMENTUM} : {value.type}", (WIDTH,))
            state[name] = self.replace(state[name], position, new)
        if self.penalty:
            square = self.elementwise([mean], ["%r = arith.mulf %a0, %a0 : f64",
                                               "linalg.yield %r : f64"])
            state["penalty"] = self.add(state["penalty"], self.total(square, kept=()))
        return result

    def block(self, state, position):
        state = dict(state)
        state["x1"] = self.couple(state["x1"], state["x2"], "f", position, state)
        state["x2"] = self.couple(state["x2"], state["x1"], "g", position, state)
        return state

    def run(self, state):
        if self.unrolled:
            for block in range(self.blocks):
                state = self.block(state, str(block))
            return state
        zero, one, end = (self.index(i) for i in (0, 1, self.blocks))
        inside = {name: self.value(v.shape) for name, v in state.items()}
        results = {name: self.value(v.shape) for name, v in state.items()}
        carried = ", ".join(f"{inside[name].name} = {v.name}" for name, v in state.items())
        types = ", ".join(v.type for v in state.values())
        self.line(f"{', '.join(r.name for r in results.values())} = scf.for %i = {zero} "
                  f"to {end} step {one} iter_args({carried}) -> ({types}) {{")
        self.indent += 1
        yielded = self.block(inside, "%i")
        self.line(f"scf.yield {', '.join(yielded[name].name for name in state)} : {types}")
        self.indent -= 1
        self.line("}")
        return results

    def text(self, policy):
        """@step(arrays...) -> (loss, statistics..., gradients...)."""
        state = {name: self.stacks[name] for name in ("x1", "x2", *STATISTICS)}
        if self.penalty:
            state["penalty"] = self.zeros(())
        state = self.run(state)
        halves = []
        for name in ("x1", "x2"):
            square = self.elementwise([state[name]], ["%r = arith.mulf %a0, %a0 : f64",
                                                      "linalg.yield %r : f64"])
            halves.append(self.total(square, kept=()))
        loss = self.scale(self.add(*halves), 0.5 / (2 * BATCH * WIDTH))
        if self.penalty:
            loss = self.add(loss, state["penalty"])
        outputs = [loss, *(state[name] for name in STATISTICS)]
        self.line(f"return {', '.join(v.name for v in outputs)} : "
                  f"{', '.join(v.type for v in outputs)}")
        values = list(self.stacks.values())
        wrt = [i for i, name in enumerate(self.stacks) if name not in STATISTICS]
        arguments = ", ".join(f"{v.name}: {v.type}" for v in values)
        types = ", ".join(v.type for v in values)
        results = [v.type for v in outputs]
        every = ", ".join(results + [values[i].type for i in wrt])
        names = ", ".join(f"%r{i}" for i in range(len(results) + len(wrt)))
        return "\n".join([
            f"func.func private @loss({arguments}) -> ({', '.join(results)}) {{",
            *self.lines, "}",
            f"func.func @step({arguments}) -> ({every}) {{",
            f"  {names} = rev.value_and_grad @loss({', '.join(v.name for v in values)}) "
            f"wrt {wrt} policy({policy}) : ({types}) -> ({every})",
            f"  return {names} : {every}", "}", ""])


def step(arrays, blocks, unrolled=False, penalty=False, policy="invert"):
    """(loss, statistics by name, gradients by name)."""
    program = memrev.compile(ChainWriter(blocks, unrolled, penalty).text(policy))
    loss, *values = program["step"](*arrays.values())
    names = [name for name in arrays if name not in STATISTICS]
    return (float(loss), dict(zip(STATISTICS, values)),
            dict(zip(names, values[len(STATISTICS):])))


def torch_step(arrays, penalty):
    tensors = {name: torch.tensor(a, requires_grad=name not in STATISTICS)
               for name, a in arrays.items()}
    x, y = tensors["x1"], tensors["x2"]
    extra = 0
    for block in range(len(arrays["f_w"])):
        for branch in "fg":
            hidden = torch.tanh((y if branch == "f" else x) @ tensors[f"{branch}_w"][block])
            extra = extra + hidden.mean(0).square().sum()
            shift = torch.nn.functional.batch_norm(
                hidden, tensors[f"{branch}_mean"][block], tensors[f"{branch}_var"][block],
                tensors[f"{branch}_scale"][block], tensors[f"{branch}_offset"][block],
                training=True, momentum=MOMENTUM, eps=EPSILON)
            if branch == "f":
                x = x + shift
            else:
                y = y + shift
    loss = torch.cat([x, y]).square().mean() / 2
    if penalty:
        loss = loss + extra
    names = [name for name in tensors if name not in STATISTICS]
    gradients = torch.autograd.grad(loss, [tensors[name] for name in names])
    return (loss.item(), {name: tensors[name].numpy() for name in STATISTICS},
            {name: g.numpy() for name, g in zip(names, gradients)})


@pytest.mark.parametrize("penalty", [False, True])
@pytest.mark.parametrize("unrolled", [False, True])
def test_statistics_and_gradients(unrolled, penalty):
    blocks = 6
    arrays = make_arrays(blocks, seed=0)
    loss, statistics, inverted = step(arrays, blocks, unrolled, penalty)
    stored_loss, stored_statistics, stored = step(arrays, blocks, unrolled, penalty, "store")
    expected_loss, expected_statistics, expected = torch_step(arrays, penalty)
    assert loss == stored_loss == pytest.approx(expected_loss, rel=1e-12)
    for name in STATISTICS:
        np.testing.assert_array_equal(statistics[name], stored_statistics[name])
    assert numeric.error(statistics, expected_statistics) < 1e-13
    assert numeric.error(inverted, stored) < 1e-12
    assert numeric.error(inverted, expected) < 1e-11


@pytest.mark.parametrize("penalty", [False, True])
def test_depth_costs_parameters_and_statistics_only(penalty):
    """Beyond arguments and results, a loop that collects statistics and is inverted
    works in the same memory whatever its depth; a loop that stores does not."""

    def workspace(blocks, policy):
        program = memrev.compile(ChainWriter(blocks, False, penalty).text(policy))
        report, = program.memory_report()
        assert report["workspace_bytes"] == program["step"].workspace_bytes
        return report["workspace_bytes"]

    shallow, deep = (workspace(blocks, "invert") for blocks in (4, 64))
    print(f"{shallow} and {deep} bytes")
    assert shallow == deep
    assert workspace(64, "store") > 60 * 2 * 8 * BATCH * WIDTH > 2 * deep
