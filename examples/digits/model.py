# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A convolutional RevNet and its training step as the text of an MLIR module.

The network: a 3x3 convolution to two streams, stages of reversible blocks

    x1 = x1 + F(x2),  x2 = x2 + G(x1),  F and G: (batch norm, ReLU, conv 3x3)^n

with a strided residual block from one stage to the next, batch norm, ReLU,
average over the image, and a linear layer. Tensors are NHWC, filters HWCF.

In the loop form the blocks of a stage are one `scf.for` over stacked weights; in
the unrolled form each block has weights of its own.
"""

import dataclasses

import numpy as np

from writer import Value, Writer, number

EPSILON = 1e-5


@dataclasses.dataclass(frozen=True)
class Architecture:
    """What the network is; nothing about how it is computed."""

    height: int
    width: int
    colors: int
    classes: int
    channels: tuple  # of each stage, both streams together
    blocks: tuple  # of each stage
    convolutions: int = 2  # in each of F and G

    def __post_init__(self):
        if len(self.channels) != len(self.blocks):
            raise ValueError("expects as many channels as blocks, but got "
                             f"{self.channels} and {self.blocks}")
        if any(channels % 2 for channels in self.channels):
            raise ValueError("expects even numbers of channels for two "
                             f"streams, but got {self.channels}")


DIGITS = Architecture(height=8, width=8, colors=1, classes=10,
                      channels=(16, 32), blocks=(4, 4))


@dataclasses.dataclass(frozen=True)
class Parameter:
    """A tensor that training changes, or a statistic of the data."""

    name: str
    shape: tuple
    kind: str  # filter, linear, scale, offset, mean or variance

    @property
    def value(self):
        """The SSA name of the function argument."""
        return "%" + self.name.replace(".", "_")


def parameters(arch, unrolled=False):
    """The parameters of the network, in the order of function arguments."""
    result = []

    def norm(name, channels, stack=()):
        result.append(Parameter(f"{name}.scale", (*stack, channels), "scale"))
        result.append(Parameter(f"{name}.offset", (*stack, channels), "offset"))

    def conv(name, size, inputs, outputs, stack=()):
        shape = (*stack, size, size, inputs, outputs)
        result.append(Parameter(name, shape, "filter"))

    def branches(name, half, stack=()):
        for branch in "fg":
            for i in range(arch.convolutions):
                norm(f"{name}.{branch}.norm{i}", half, stack)
                conv(f"{name}.{branch}.conv{i}", 3, half, half, stack)

    half = arch.channels[0] // 2
    for stream in (1, 2):
        conv(f"stem.conv{stream}", 3, arch.colors, half)
    for stage, (channels, blocks) in enumerate(zip(arch.channels, arch.blocks)):
        if stage:
            before = arch.channels[stage - 1]
            norm(f"transition{stage}.norm0", before)
            conv(f"transition{stage}.conv0", 3, before, channels)
            norm(f"transition{stage}.norm1", channels)
            for stream in (1, 2):
                conv(f"transition{stage}.conv1.{stream}", 3, channels,
                     channels // 2)
            for stream in (1, 2):
                conv(f"transition{stage}.shortcut{stream}", 1, before,
                     channels // 2)
        if unrolled:
            for block in range(blocks):
                branches(f"stage{stage}.block{block}", channels // 2)
        else:
            branches(f"stage{stage}", channels // 2, (blocks,))
    norm("head.norm", arch.channels[-1])
    result.append(Parameter("head.weight", (arch.channels[-1], arch.classes),
                            "linear"))
    result.append(Parameter("head.bias", (arch.classes,), "offset"))
    return result


def statistics(arch, unrolled=False):
    """The mean and variance of each batch norm, in the order of arguments."""
    result = []
    for parameter in parameters(arch, unrolled):
        if parameter.kind == "scale":
            name = parameter.name.removesuffix(".scale")
            for kind in ("mean", "variance"):
                result.append(Parameter(f"{name}.{kind}", parameter.shape, kind))
    return result


def initialize(arch, seed, dtype=np.float32, unrolled=False):
    """Random parameters, He et al. (arXiv 1502.01852), by name."""
    generator = np.random.default_rng(seed)
    result = {}
    for parameter in parameters(arch, unrolled):
        shape = parameter.shape
        if parameter.kind == "filter":
            deviation = np.sqrt(2 / (shape[-4] * shape[-3] * shape[-1]))
            value = generator.normal(0, deviation, shape)
        elif parameter.kind == "linear":
            value = generator.uniform(-1, 1, shape) / np.sqrt(shape[0])
        else:
            value = np.full(shape, float(parameter.kind == "scale"))
        result[parameter.name] = np.ascontiguousarray(value, dtype)
    return result


# ------------------------------------------------------------------------------
# The network
# ------------------------------------------------------------------------------


class Network(Writer):
    """Writes the network for one function.

    values: the parameters (and statistics) by name.
    norm: how batch norm is computed, one of
        "batch"       by the statistics of the batch,
        "population"  by given statistics,
        "observe"     by those of the batch, which the given statistics approach:
                      s + weight * (batch - s).
    """

    def __init__(self, arch, element, values, norm, unrolled, weight=None):
        super().__init__(element)
        self.arch, self.values, self.norm = arch, values, norm
        self.unrolled, self.weight = unrolled, weight

    def normalize(self, x, name, at):
        """Batch norm with the parameters `name`; `at` picks those of a block."""
        scale, offset = at(name + ".scale"), at(name + ".offset")
        channel = scale.type
        if self.norm == "population":
            mean, variance = at(name + ".mean"), at(name + ".variance")
            return self.op(
                f"rev.batch_norm_inference {x.name}, {scale.name}, {offset.name}, "
                f"{mean.name}, {variance.name} epsilon {number(EPSILON)} : ({x.type}, "
                f"{channel}, {channel}, {channel}, {channel}) -> {x.type}", x.shape)
        result = self.value(x.shape)
        mean, variance = self.value(scale.shape), self.value(scale.shape)
        self.line(f"{result.name}, {mean.name}, {variance.name} = rev.batch_norm "
                  f"{x.name}, {scale.name}, {offset.name} epsilon {number(EPSILON)} : "
                  f"({x.type}, {channel}, {channel}) -> "
                  f"({x.type}, {channel}, {channel})")
        if self.norm == "observe":
            count = x.shape[0] * x.shape[1] * x.shape[2]
            # A running variance is unbiased by custom.
            variance = self.scale(variance, count / max(count - 1, 1))
            for kind, value in (("mean", mean), ("variance", variance)):
                self.observe(f"{name}.{kind}", at, value)
        return result

    def observe(self, name, at, value):
        element = self.element
        moved = self.elementwise(
            [at(name), value],
            [f"%d = arith.subf %a1, %a0 : {element}",
             f"%m = arith.mulf %d, {self.weight} : {element}",
             f"%r = arith.addf %a0, %m : {element}",
             f"linalg.yield %r : {element}"])
        at(name, moved)

    def at(self, name, value=None):
        """Reads the parameter `name`, or sets the statistic `name`."""
        if value is not None:
            self.values[name] = value
        return self.values[name]

    def branch(self, x, name, at):
        for i in range(self.arch.convolutions):
            x = self.relu(self.normalize(x, f"{name}.norm{i}", at))
            x = self.convolve(x, at(f"{name}.conv{i}"))
        return x

    def couple(self, coupled, given, name, at):
        """coupled + branch(given)."""
        if self.norm != "batch":
            # Without a derivative there is nothing to invert.
            return self.add(coupled, self.branch(given, name, at))
        result = self.value(coupled.shape)
        inner = self.value(given.shape)
        # The region captures weights, so their slices are taken before it.
        captured = {key: at(key) for key in self.branch_parameters(name)}
        self.line(f"{result.name} = rev.coupling additive {coupled.name} "
                  f"given({given.name}) {{")
        self.line(f"^bb0({inner.name}: {inner.type}):")
        self.indent += 1
        shift = self.branch(inner, name, lambda key: captured[key])
        self.line(f"rev.yield {shift.name} : {shift.type}")
        self.indent -= 1
        self.line(f"}} : {coupled.type}, ({given.type})")
        return result

    def branch_parameters(self, name):
        for i in range(self.arch.convolutions):
            yield from (f"{name}.norm{i}.scale", f"{name}.norm{i}.offset",
                        f"{name}.conv{i}")

    def block(self, x1, x2, name, at):
        x1 = self.couple(x1, x2, f"{name}.f", at)
        x2 = self.couple(x2, x1, f"{name}.g", at)
        return x1, x2

    def loop(self, x1, x2, stage, blocks):
        """The blocks of a stage as one loop over stacked parameters."""
        name = f"stage{stage}"
        observed = [p.name for p in statistics(self.arch)
                    if self.norm == "observe" and p.name.startswith(name + ".")]
        before = [x1, x2, *(self.values[key] for key in observed)]
        inside = [self.value(v.shape) for v in before]
        results = [self.value(v.shape) for v in before]
        zero, one, end = self.index(0), self.index(1), self.index(blocks)
        position = f"%block{stage}"
        carried = ", ".join(f"{i.name} = {b.name}" for i, b in zip(inside, before))
        types = ", ".join(v.type for v in before)
        self.line(f"{', '.join(r.name for r in results)} = scf.for {position} = "
                  f"{zero} to {end} step {one}")
        self.line(f"    iter_args({carried}) -> ({types}) {{")
        self.indent += 1
        stacks = dict(self.values)
        stacks.update(zip(observed, inside[2:]))

        def at(key, value=None):
            if value is not None:
                stacks[key] = self.replace(stacks[key], position, value)
                return None
            return self.slice(stacks[key], position)

        y1, y2 = self.block(*inside[:2], name, at)
        yielded = [y1, y2, *(stacks[key] for key in observed)]
        self.line(f"scf.yield {', '.join(v.name for v in yielded)} : {types}")
        self.indent -= 1
        self.line("}")
        self.values.update(zip(observed, results[2:]))
        return results[0], results[1]

    def transition(self, x1, x2, stage):
        """A residual block that halves the image."""
        name = f"transition{stage}"
        x = self.concatenate(x1, x2)
        h = self.relu(self.normalize(x, f"{name}.norm0", self.at))
        h = self.convolve(h, self.at(f"{name}.conv0"), stride=2)
        h = self.relu(self.normalize(h, f"{name}.norm1", self.at))
        return [
            self.add(self.convolve(h, self.at(f"{name}.conv1.{stream}")),
                     self.convolve(x, self.at(f"{name}.shortcut{stream}"),
                                   stride=2))
            for stream in (1, 2)
        ]

    def logits(self, x):
        x1, x2 = (self.convolve(x, self.at(f"stem.conv{i}")) for i in (1, 2))
        for stage, blocks in enumerate(self.arch.blocks):
            if stage:
                x1, x2 = self.transition(x1, x2, stage)
            if self.unrolled:
                for block in range(blocks):
                    x1, x2 = self.block(x1, x2, f"stage{stage}.block{block}",
                                        self.at)
            elif blocks:
                x1, x2 = self.loop(x1, x2, stage, blocks)
        h = self.concatenate(x1, x2)
        h = self.relu(self.normalize(h, "head.norm", self.at))
        pooled = self.scale(self.total(h, kept=(0, 3)),
                            1 / (h.shape[1] * h.shape[2]))
        weight, bias = self.at("head.weight"), self.at("head.bias")
        shape = (x.shape[0], self.arch.classes)
        empty = self.empty(shape)
        rows = self.op(f"linalg.broadcast ins({bias.name} : {bias.type}) "
                       f"outs({empty.name} : {empty.type}) dimensions = [0]", shape)
        return self.op(
            f"linalg.matmul ins({pooled.name}, {weight.name} : {pooled.type}, "
            f"{weight.type}) outs({rows.name} : {rows.type}) -> {rows.type}", shape)

    def loss(self, logits, labels, label_type):
        """The mean cross-entropy."""
        rows = (logits.shape[0],)
        losses, sums = self.value(rows), self.value(rows)
        self.line(f"{losses.name}, {sums.name} = rev.softmax_cross_entropy "
                  f"{logits.name}, {labels} : ({logits.type}, {label_type}) -> "
                  f"({losses.type}, {sums.type})")
        return self.scale(self.total(losses, kept=()), 1 / rows[0])


# ------------------------------------------------------------------------------
# The module
# ------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Optimizer:
    """Stochastic gradient descent with momentum; filters and linear weights decay."""

    momentum: float = 0.9
    weight_decay: float = 5e-4


class Module:
    """Writes the functions of the network as one module."""

    def __init__(self, arch, batch, element="f32", unrolled=False, policy="invert",
                 optimizer=Optimizer()):
        self.arch, self.batch, self.element = arch, batch, element
        self.unrolled, self.policy, self.optimizer = unrolled, policy, optimizer
        self.parameters = parameters(arch, unrolled)
        self.statistics = statistics(arch, unrolled)
        writer = Writer(element)
        self.tensor = writer.tensor
        self.image = self.tensor((batch, arch.height, arch.width, arch.colors))
        self.labels = self.tensor((batch,), "i32")
        self.scalar = self.tensor(())
        self.logits = self.tensor((batch, arch.classes))

    def types(self, values):
        return [self.tensor(p.shape) for p in values]

    def network(self, values, norm, weight=None):
        named = {p.name: Value(p.value, p.shape, self.tensor(p.shape))
                 for p in values}
        return Network(self.arch, self.element, named, norm, self.unrolled, weight)

    def input(self):
        arch = self.arch
        return Value("%x", (self.batch, arch.height, arch.width, arch.colors),
                     self.image)

    def function(self, name, arguments, results, lines, private=False):
        """The text of a function; arguments are "%name: type" texts."""
        visibility = "private " if private else ""
        types = results[0] if len(results) == 1 else f"({', '.join(results)})"
        return "\n".join([
            f"func.func {visibility}@{name}(",
            ",\n".join("    " + argument for argument in arguments),
            f") -> {types} {{", *lines, "}", ""])

    def arguments(self, values, attributes="", prefix="%"):
        return [f"{prefix}{p.value[1:]}: {self.tensor(p.shape)}{attributes}"
                for p in values]

    def loss(self):
        """@loss(x, labels, parameters) -> (mean loss, logits)."""
        net = self.network(self.parameters, "batch")
        logits = net.logits(self.input())
        loss = net.loss(logits, "%labels", self.labels)
        net.line(f"return {loss.name}, {logits.name} : {loss.type}, {logits.type}")
        return self.function(
            "loss", [f"%x: {self.image}", f"%labels: {self.labels}",
                     *self.arguments(self.parameters)],
            [self.scalar, self.logits], net.lines, private=True)

    def gradient_lines(self):
        """Calls @loss and its derivative; the gradients are named %d_..."""
        types = self.types(self.parameters)
        results = ["%loss", "%logits",
                   *("%d_" + p.value[1:] for p in self.parameters)]
        operands = ["%x", "%labels", *(p.value for p in self.parameters)]
        numbers = ", ".join(str(2 + i) for i in range(len(types)))
        return [
            f"  {', '.join(results)} = rev.value_and_grad "
            f"@loss({', '.join(operands)}) wrt [{numbers}] policy({self.policy})",
            f"      : ({', '.join([self.image, self.labels, *types])})",
            f"     -> ({', '.join([self.scalar, self.logits, *types])})",
        ]

    def gradients(self):
        """@gradients(x, labels, parameters) -> (loss, logits, gradients)."""
        types = [self.scalar, self.logits, *self.types(self.parameters)]
        results = ["%loss", "%logits",
                   *("%d_" + p.value[1:] for p in self.parameters)]
        return self.function(
            "gradients", [f"%x: {self.image}", f"%labels: {self.labels}",
                          *self.arguments(self.parameters)], types,
            [*self.gradient_lines(),
             f"  return {', '.join(results)} : {', '.join(types)}"])

    def step(self):
        """@step(x, labels, rate, parameters, momenta)
               -> (loss, logits, new parameters, new momenta)."""
        writer = Writer(self.element)
        writer.lines = self.gradient_lines()
        element = self.element
        momentum = writer.scalar(self.optimizer.momentum)
        decay = writer.scalar(self.optimizer.weight_decay)
        updated = []
        for p in self.parameters:
            gradient = writer.value(p.shape, "%d_" + p.value[1:])
            parameter = writer.value(p.shape, p.value)
            velocity = writer.value(p.shape, "%v_" + p.value[1:])
            dims = range(len(p.shape))
            body, total = [], "%a0"
            if p.kind in ("filter", "linear"):
                body += [f"%w = arith.mulf %a1, {decay} : {element}",
                         f"%g = arith.addf %a0, %w : {element}"]
                total = "%g"
            body += [f"%u = arith.mulf %a2, {momentum} : {element}",
                     f"%v = arith.addf %u, {total} : {element}",
                     f"%s = arith.mulf %v, %rate : {element}",
                     f"%p = arith.subf %a1, %s : {element}",
                     f"linalg.yield %p, %v : {element}, {element}"]
            updated.append(writer.generic(
                ["parallel"] * len(p.shape), [(gradient, dims)],
                [(parameter, dims), (velocity, dims)], body))
        news = [pair[0].name for pair in updated] + [pair[1].name for pair in updated]
        types = [self.scalar, self.logits, *self.types(self.parameters * 2)]
        writer.line(f"return {', '.join(['%loss', '%logits', *news])} : "
                    f"{', '.join(types)}")
        return self.function(
            "step", [f"%x: {self.image}", f"%labels: {self.labels}",
                     f"%rate: {element}",
                     *self.arguments(self.parameters, " {rev.donated}"),
                     *self.arguments(self.parameters, " {rev.donated}", "%v_")],
            types, writer.lines)

    def observe(self):
        """@observe(x, weight, parameters, statistics) -> statistics, moved by
        `weight` towards those of the batch."""
        net = self.network(self.parameters + self.statistics, "observe", "%weight")
        net.logits(self.input())
        types = self.types(self.statistics)
        values = [net.values[p.name].name for p in self.statistics]
        net.line(f"return {', '.join(values)} : {', '.join(types)}")
        return self.function(
            "observe", [f"%x: {self.image}", f"%weight: {self.element}",
                        *self.arguments(self.parameters),
                        *self.arguments(self.statistics, " {rev.donated}")],
            types, net.lines)

    def predict(self):
        """@predict(x, parameters, statistics) -> logits."""
        net = self.network(self.parameters + self.statistics, "population")
        logits = net.logits(self.input())
        net.line(f"return {logits.name} : {logits.type}")
        return self.function(
            "predict", [f"%x: {self.image}",
                        *self.arguments(self.parameters + self.statistics)],
            [self.logits], net.lines)

    def text(self, *functions):
        """The module with the named public functions: gradients, step, observe
        and predict."""
        needed = [getattr(self, name)() for name in functions]
        if {"gradients", "step"} & set(functions):
            needed.insert(0, self.loss())
        return "\n".join(needed)
