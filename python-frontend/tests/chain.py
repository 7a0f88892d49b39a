# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Chains of couplings as MLIR text, and the same in PyTorch.

A block is two couplings of `kind`, each conditioned by the other stream through
a perceptron with one hidden layer:

    h = tanh(c W + b),  parameter i of the bijection = h W_i + b_i

The loss is mean(y^2) / 2 over both streams, less the mean log-determinant if the
chain has one. The two halves of this file share the names of the arrays only.
"""

import dataclasses

import numpy as np
import torch

from writer import Value, Writer

# The scales of affine couplings, as the dialect's table of them has it.
SCALES = {
    "affine<exp>": torch.exp,
    "affine<sigmoid>": lambda a: torch.sigmoid(a + 2),
    "affine<soft_tanh, alpha = 1.9>": lambda a: torch.exp(1.9 * torch.tanh(a / 1.9)),
    "affine<soft_atan, alpha = 2.0>": lambda a: torch.exp(0.636 * 2 * torch.atan(a)),
    "affine<identity>": lambda a: a,
}


@dataclasses.dataclass(frozen=True)
class Chain:
    kind: str
    blocks: int
    batch: int = 5
    width: int = 6
    hidden: int = 7
    log_det: bool = False

    @property
    def outputs(self):
        """How many parameters the bijection has."""
        return 1 if self.kind == "additive" else 2

    def shapes(self):
        result = {"x1": (self.batch, self.width), "x2": (self.batch, self.width)}
        for branch in "fg":
            result[f"{branch}_w"] = (self.blocks, self.width, self.hidden)
            result[f"{branch}_b"] = (self.blocks, self.hidden)
            for i in range(self.outputs):
                result[f"{branch}_w{i}"] = (self.blocks, self.hidden, self.width)
                result[f"{branch}_b{i}"] = (self.blocks, self.width)
        return result

    def arrays(self, seed, spread=0.5, dtype=np.float64):
        generator = np.random.default_rng(seed)
        result = {name: spread * generator.standard_normal(shape)
                  for name, shape in self.shapes().items()}
        if self.kind == "affine<identity>":
            # A scale of 0 has no inverse, so it starts near 1.
            for branch in "fg":
                result[f"{branch}_w0"] *= 0.1
                result[f"{branch}_b0"] = 1 + 0.1 * result[f"{branch}_b0"]
        return {name: array.astype(dtype) for name, array in result.items()}


# ------------------------------------------------------------------------------
# MLIR
# ------------------------------------------------------------------------------


class ChainWriter(Writer):
    def __init__(self, chain, element, unrolled):
        super().__init__(element)
        self.chain, self.unrolled = chain, unrolled
        self.stacks = {name: self.value(shape, f"%{name}")
                       for name, shape in chain.shapes().items()}

    def linear(self, x, weight, bias):
        shape = (x.shape[0], weight.shape[1])
        empty = self.empty(shape)
        rows = self.op(f"linalg.broadcast ins({bias.name} : {bias.type}) "
                       f"outs({empty.name} : {empty.type}) dimensions = [0]", shape)
        return self.op(f"linalg.matmul ins({x.name}, {weight.name} : {x.type}, "
                       f"{weight.type}) outs({rows.name} : {rows.type}) -> "
                       f"{rows.type}", shape)

    def couple(self, coupled, given, branch, position):
        """The coupling's result and its log-determinant or None."""
        weights = {name: self.slice(stack, position)
                   for name, stack in self.stacks.items()
                   if name.startswith(branch + "_")}
        result, inner = self.value(coupled.shape), self.value(given.shape)
        log_det = self.value(coupled.shape[:1]) if self.chain.log_det else None
        names = result.name + (f", {log_det.name}" if log_det else "")
        self.line(f"{names} = rev.coupling {self.chain.kind} {coupled.name} "
                  f"given({given.name}) {'log_det ' if log_det else ''}{{")
        self.line(f"^bb0({inner.name}: {inner.type}):")
        self.indent += 1
        hidden = self.linear(inner, weights[f"{branch}_w"], weights[f"{branch}_b"])
        hidden = self.elementwise(
            [hidden], [f"%r = math.tanh %a0 : {self.element}",
                       f"linalg.yield %r : {self.element}"])
        outputs = [self.linear(hidden, weights[f"{branch}_w{i}"],
                               weights[f"{branch}_b{i}"])
                   for i in range(self.chain.outputs)]
        self.line(f"rev.yield {', '.join(v.name for v in outputs)} : "
                  f"{', '.join(v.type for v in outputs)}")
        self.indent -= 1
        arrow = f" -> {log_det.type}" if log_det else ""
        self.line(f"}} : {coupled.type}, ({given.type}){arrow}")
        return result, log_det

    def block(self, state, position):
        x1, x2, *total = state
        x1, first = self.couple(x1, x2, "f", position)
        x2, second = self.couple(x2, x1, "g", position)
        if self.chain.log_det:
            total = [self.add(self.add(total[0], first), second)]
        return [x1, x2, *total]

    def run(self, state):
        if self.unrolled:
            for block in range(self.chain.blocks):
                state = self.block(state, str(block))
            return state
        zero, one, end = (self.index(i) for i in (0, 1, self.chain.blocks))
        inside = [self.value(v.shape) for v in state]
        results = [self.value(v.shape) for v in state]
        carried = ", ".join(f"{i.name} = {v.name}" for i, v in zip(inside, state))
        types = ", ".join(v.type for v in state)
        self.line(f"{', '.join(r.name for r in results)} = scf.for %i = {zero} to "
                  f"{end} step {one} iter_args({carried}) -> ({types}) {{")
        self.indent += 1
        yielded = self.block(inside, "%i")
        self.line(f"scf.yield {', '.join(v.name for v in yielded)} : {types}")
        self.indent -= 1
        self.line("}")
        return results

    def loss(self):
        """The body of @loss."""
        state = [self.stacks["x1"], self.stacks["x2"]]
        if self.chain.log_det:
            state.append(self.zeros((self.chain.batch,)))
        y1, y2, *total = self.run(state)
        halves = []
        for y in (y1, y2):
            square = self.elementwise(
                [y], [f"%r = arith.mulf %a0, %a0 : {self.element}",
                      f"linalg.yield %r : {self.element}"])
            halves.append(self.total(square, kept=()))
        count = 2 * self.chain.batch * self.chain.width
        loss = self.scale(self.add(*halves), 0.5 / count)
        if total:
            mean = self.scale(self.total(total[0], kept=()), -1 / self.chain.batch)
            loss = self.add(loss, mean)
        self.line(f"return {loss.name}, {y1.name}, {y2.name} : "
                  f"{loss.type}, {y1.type}, {y2.type}")
        return self.lines


def text(chain, element="f64", unrolled=False, policy="invert"):
    """@gradients(arrays...) -> (loss, y1, y2, gradients...)."""
    writer = ChainWriter(chain, element, unrolled)
    values = list(writer.stacks.values())
    stream = values[0].type
    results = [writer.tensor(()), stream, stream]
    types = ", ".join(v.type for v in values)
    arguments = ", ".join(f"{v.name}: {v.type}" for v in values)
    every = ", ".join([*results, types])
    names = [f"%r{i}" for i in range(len(values) + 3)]
    return "\n".join([
        f"func.func private @loss({arguments}) -> ({', '.join(results)}) {{",
        *writer.loss(), "}",
        f"func.func @gradients({arguments}) -> ({every}) {{",
        f"  {', '.join(names)} = rev.value_and_grad "
        f"@loss({', '.join(v.name for v in values)}) policy({policy})",
        f"      : ({types}) -> ({every})",
        f"  return {', '.join(names)} : {every}", "}", ""])


# ------------------------------------------------------------------------------
# PyTorch
# ------------------------------------------------------------------------------


def torch_parameters(arrays, branch, block, given):
    """The parameters of the bijection of a coupling."""
    get = lambda name: arrays[f"{branch}_{name}"][block]
    hidden = torch.tanh(given @ get("w") + get("b"))
    count = 2 if f"{branch}_w1" in arrays else 1
    return [hidden @ get(f"w{i}") + get(f"b{i}") for i in range(count)]


def torch_couple(chain, arrays, branch, block, coupled, given):
    parameters = torch_parameters(arrays, branch, block, given)
    if chain.kind == "additive":
        return coupled + parameters[0], torch.zeros(chain.batch, dtype=coupled.dtype)
    scale = SCALES[chain.kind](parameters[0])
    return coupled * scale + parameters[1], scale.abs().log().sum(1)


def torch_chain(chain, arrays):
    """(loss, y1, y2) of tensors by name."""
    x1, x2 = arrays["x1"], arrays["x2"]
    total = torch.zeros(chain.batch, dtype=x1.dtype)
    for block in range(chain.blocks):
        x1, first = torch_couple(chain, arrays, "f", block, x1, x2)
        x2, second = torch_couple(chain, arrays, "g", block, x2, x1)
        total = total + first + second
    loss = torch.cat([x1, x2]).square().mean() / 2
    return loss - total.mean() if chain.log_det else loss, x1, x2


def torch_gradients(chain, arrays):
    """(loss, gradients by name) as NumPy values."""
    tensors = {name: torch.tensor(a, requires_grad=True)
               for name, a in arrays.items()}
    loss, _, _ = torch_chain(chain, tensors)
    gradients = torch.autograd.grad(loss, list(tensors.values()))
    return loss.item(), {name: g.numpy() for name, g in zip(tensors, gradients)}


def torch_inverse(chain, arrays, y1, y2):
    for block in reversed(range(chain.blocks)):
        for branch in "gf":
            coupled, given = (y2, y1) if branch == "g" else (y1, y2)
            parameters = torch_parameters(arrays, branch, block, given)
            if chain.kind == "additive":
                coupled = coupled - parameters[0]
            else:
                coupled = (coupled - parameters[1]) / SCALES[chain.kind](parameters[0])
            y1, y2 = (y1, coupled) if branch == "g" else (coupled, y2)
    return y1, y2


def gain(chain, arrays, directions=8):
    """How much the inverse enlarges an error in the result: the largest growth,
    in the maximum norm, of random directions."""
    tensors = {name: torch.tensor(array) for name, array in arrays.items()}
    _, y1, y2 = torch_chain(chain, tensors)
    generator = torch.Generator().manual_seed(0)
    largest = 1.0
    for _ in range(directions):
        tangents = tuple(torch.rand(y.shape, generator=generator, dtype=y.dtype) * 2
                         - 1 for y in (y1, y2))
        _, grown = torch.func.jvp(
            lambda a, b: torch_inverse(chain, tensors, a, b), (y1, y2), tangents)
        largest = max(largest, max(g.abs().max().item() for g in grown))
    return largest
