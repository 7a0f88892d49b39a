# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The digits network in PyTorch: an oracle that shares the description of the
architecture and the names of the parameters with memrev, and no code.

Works on the parameters of the loop form: those of the blocks of a stage are
stacked along the first dimension.
"""

import torch
from torch.nn import functional

EPSILON = 1e-5


def unstack(arrays, arch):
    """The arrays of the unrolled form, from those of the loop form, by name."""
    result = {}
    for name, array in arrays.items():
        stage, _, rest = name.partition(".")
        if not stage.startswith("stage"):
            result[name] = array
            continue
        for block in range(arch.blocks[int(stage.removeprefix("stage"))]):
            result[f"{stage}.block{block}.{rest}"] = array[block]
    return result


class RevNet:
    """forward(x) with the tensors `values` by name; x is NHWC."""

    def __init__(self, arch, values, population=None):
        self.arch, self.values = arch, values
        self.population = population  # means and variances by name, or None
        self.seen = {}  # means and unbiased variances of the batch, by name

    def get(self, table, name, block):
        return table[name] if block is None else table[name][block]

    def norm(self, x, name, block=None):
        scale = self.get(self.values, name + ".scale", block)
        offset = self.get(self.values, name + ".offset", block)
        if self.population is not None:
            mean = self.get(self.population, name + ".mean", block)
            variance = self.get(self.population, name + ".variance", block)
            return functional.batch_norm(x, mean, variance, scale, offset, False,
                                         0.0, EPSILON)
        dims = (0, 2, 3)
        for kind, value in (("mean", x.mean(dims)), ("variance", x.var(dims))):
            table = self.seen.setdefault(f"{name}.{kind}", [])
            table.append(value.detach())
        return functional.batch_norm(x, None, None, scale, offset, True, 0.0,
                                     EPSILON)

    def conv(self, x, name, block=None, stride=1):
        weight = self.get(self.values, name, block).permute(3, 2, 0, 1)
        return functional.conv2d(x, weight, stride=stride,
                                 padding=weight.shape[2] // 2)

    def branch(self, x, name, block):
        for i in range(self.arch.convolutions):
            x = functional.relu(self.norm(x, f"{name}.norm{i}", block))
            x = self.conv(x, f"{name}.conv{i}", block)
        return x

    def transition(self, x, name):
        h = functional.relu(self.norm(x, f"{name}.norm0"))
        h = self.conv(h, f"{name}.conv0", stride=2)
        h = functional.relu(self.norm(h, f"{name}.norm1"))
        return [self.conv(h, f"{name}.conv1.{i}")
                + self.conv(x, f"{name}.shortcut{i}", stride=2) for i in (1, 2)]

    def block(self, x1, x2, stage, block):
        x1 = x1 + self.branch(x2, f"stage{stage}.f", block)
        x2 = x2 + self.branch(x1, f"stage{stage}.g", block)
        return x1, x2

    def forward(self, x):
        x = x.permute(0, 3, 1, 2)
        x1, x2 = self.conv(x, "stem.conv1"), self.conv(x, "stem.conv2")
        for stage, blocks in enumerate(self.arch.blocks):
            if stage:
                x1, x2 = self.transition(torch.cat([x1, x2], 1),
                                         f"transition{stage}")
            for block in range(blocks):
                x1, x2 = self.block(x1, x2, stage, block)
        h = functional.relu(self.norm(torch.cat([x1, x2], 1), "head.norm"))
        return h.mean((2, 3)) @ self.values["head.weight"] + self.values["head.bias"]


def to_torch(arrays, requires_grad=False):
    return {name: torch.tensor(array, requires_grad=requires_grad)
            for name, array in arrays.items()}


def loss_and_gradients(arch, x, labels, arrays):
    """(loss, logits, gradients by name) as NumPy values."""
    values = to_torch(arrays, requires_grad=True)
    logits = RevNet(arch, values).forward(torch.tensor(x))
    loss = functional.cross_entropy(logits, torch.tensor(labels).long())
    gradients = torch.autograd.grad(loss, list(values.values()))
    return (loss.item(), logits.detach().numpy(),
            {name: g.numpy() for name, g in zip(values, gradients)})
