# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiled modules under PyTorch's autograd: what an eager module does, they do."""

import copy
import gc
import threading
import weakref

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from memrev.torch import _program
from memrev.torch._compiled import CompiledModule
from torch_import import text_of


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


class Block(nn.Module):
    """A residual block (He et al., arXiv 1512.03385)."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Sequential(
            nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = F.relu(self.norm1(self.conv1(x)), inplace=True)
        y = self.norm2(self.conv2(y))
        y += self.shortcut(x)
        return F.relu(y)


class Reversible(nn.Module):
    """Two additive couplings of the halves of the channels (arXiv 1707.04585)."""

    def __init__(self, channels):
        super().__init__()
        self.f, self.g = (self.branch(channels // 2) for _ in range(2))

    @staticmethod
    def branch(channels):
        return nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU(),
                             nn.Conv2d(channels, channels, 3, padding=1))

    def forward(self, x):
        a, b = x.chunk(2, 1)
        a = a + self.f(b)
        b = b + self.g(a)
        return torch.cat([a, b], 1)


class Attention(nn.Module):
    """A block of a transformer (arXiv 1706.03762)."""

    def __init__(self, features, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(features), nn.LayerNorm(features)
        self.inputs = nn.Linear(features, 3 * features)
        self.outputs = nn.Linear(features, features)
        self.layers = nn.Sequential(nn.Linear(features, 4 * features), nn.GELU(),
                                    nn.Linear(4 * features, features))

    def forward(self, x):
        batch, length, features = x.shape
        parts = self.inputs(self.norm1(x)).view(batch, length, 3, self.heads, -1)
        q, k, v = parts.permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.outputs(y.transpose(1, 2).reshape(x.shape))
        return x + self.layers(self.norm2(x))


def images(*shape):
    return torch.randn(*(shape or (2, 4, 6, 6)), dtype=torch.float64)


def step(function, module, *inputs):
    """Results, gradients of inputs and parameters, and buffers after a step."""
    module.zero_grad()
    inputs = [x.detach().clone(memory_format=torch.preserve_format).requires_grad_()
              if x.is_floating_point() else x for x in inputs]
    results = function(*inputs)
    results = results if isinstance(results, (tuple, list)) else [results]
    loss = sum((y * torch.linspace(0.5, 1.5, y.numel()).to(y).view(y.shape)).sum()
               for y in results if y.requires_grad)
    loss.backward()
    return ([y.detach() for y in results], [x.grad for x in inputs],
            [p.grad for p in module.parameters()], [b.clone() for b in module.buffers()])


def assert_steps_equal(found, expected, tolerance=1e-10):
    for ours, theirs in zip(found, expected):
        assert len(ours) == len(theirs)
        for a, b in zip(ours, theirs):
            assert (a is None) == (b is None)
            if a is not None:
                torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)


def check_step(module, *inputs, policy="invert", tolerance=1e-10):
    """Compares a training step of a module with a compiled one. Returns the latter."""
    reference = copy.deepcopy(module)
    compiled = CompiledModule(module, policy)
    found = step(compiled, module, *inputs)
    assert_steps_equal(found, step(reference, reference, *inputs), tolerance)
    return compiled


def transposes(compiled):
    return text_of(compiled).count("linalg.transpose")


@pytest.mark.parametrize("policy", ["invert", "store"])
@pytest.mark.parametrize("train", [True, False])
def test_residual_block(policy, train):
    compiled = check_step(Block(4, 6, 2).double().train(train), images(), policy=policy)
    # The image, three filters, the result.
    assert transposes(compiled) == 5


def test_reversible_block():
    compiled = check_step(Reversible(4).double(), images())
    # The halves of the image, two filters, the result.
    assert transposes(compiled) == 5


def test_attention():
    compiled = check_step(Attention(8, 2).double(), images(2, 5, 8))
    assert transposes(compiled) == 0


def test_several_layers():
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), Block(4, 6, 1),
        nn.GroupNorm(2, 6), nn.ELU(), nn.Conv2d(6, 8, 3, groups=2), nn.AdaptiveAvgPool2d(1),
        nn.Flatten(), nn.Linear(8, 5)).double()
    compiled = check_step(net, images(2, 3, 8, 8))
    # The image, five filters; what is left after pooling has one element a channel.
    assert transposes(compiled) == 6


def test_channels_last():
    module = Block(4, 6, 2).double().to(memory_format=torch.channels_last)
    x = images().to(memory_format=torch.channels_last)
    compiled = check_step(module, x)
    # The filters only: images are read and written as they are.
    assert transposes(compiled) == 3
    y = compiled(x)
    assert y.is_contiguous(memory_format=torch.channels_last) == module(x).is_contiguous(
        memory_format=torch.channels_last)


def test_single_precision():
    check_step(Block(4, 6, 2), images().float(), tolerance=1e-4)
    check_step(Attention(8, 2), images(2, 5, 8).float(), tolerance=1e-4)


def test_statistics_are_updated_once():
    module = nn.BatchNorm1d(3).double()
    reference = copy.deepcopy(module)
    compiled = CompiledModule(module)
    for _ in range(3):
        x = images(5, 3).requires_grad_()
        compiled(x).sum().backward()
        reference(x)
    assert module.num_batches_tracked == 3
    torch.testing.assert_close(module.running_var, reference.running_var)
    module.eval(), reference.eval()
    torch.testing.assert_close(compiled(x), reference(x))


def test_frozen_parameters_and_inputs():
    module = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 3)).double()
    module[0].weight.requires_grad_(False)
    compiled = CompiledModule(module)
    x = images(2, 4)
    compiled(x).sum().backward()
    assert x.grad is None and module[0].weight.grad is None
    found = [p.grad for p in module.parameters() if p.requires_grad]
    module.zero_grad()
    module(x).sum().backward()
    expected = [p.grad for p in module.parameters() if p.requires_grad]
    for a, b in zip(found, expected):
        torch.testing.assert_close(a, b)
    # What requires a gradient is a part of the program.
    module[0].weight.requires_grad_(True)
    compiled(x).sum().backward()
    assert module[0].weight.grad is not None
    assert len(compiled._cache) == 2


def test_without_gradients():
    module = nn.Linear(4, 3).double()
    compiled = CompiledModule(module)
    x = images(2, 4)
    with torch.no_grad():
        y = compiled(x)
    assert not y.requires_grad and y.grad_fn is None
    torch.testing.assert_close(y, module(x))
    assert compiled(x).requires_grad


class Several(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x, *, scale=1.0, extra=None):
        y = self.linear(x) * scale
        best = y.argmax(1)
        return {"y": y, "best": best, "pair": (y.detach(), x), "number": 3, "none": None,
                "view": x.view(-1), "parts": y.chunk(2, 1), "sum": y.sum() + extra["z"]}


def test_structures():
    module = Several().double()
    compiled = CompiledModule(module)
    x, extra = images(2, 4).requires_grad_(), {"z": images(3).requires_grad_()}
    found, expected = (f(x, scale=2.0, extra=extra) for f in (compiled, module))
    assert found.keys() == expected.keys()
    assert found["number"] == 3 and found["none"] is None
    assert found["pair"][1] is x
    for name in ("y", "best", "view", "sum"):
        assert found[name].requires_grad == expected[name].requires_grad
        torch.testing.assert_close(found[name], expected[name])
    # Views of arguments and results are views.
    assert found["view"]._base is x and found["view"].data_ptr() == x.data_ptr()
    assert found["parts"][1].data_ptr() == found["y"][:, 2:].data_ptr()
    gradients = [torch.autograd.grad(r["parts"][0].sum() + r["sum"].sum(), [x, extra["z"]])
                 for r in (found, expected)]
    for a, b in zip(*gradients):
        torch.testing.assert_close(a, b)


def test_unused_results():
    class Two(nn.Module):
        def forward(self, x):
            return torch.sin(x), torch.exp(x), x > 0

    x = images(3).requires_grad_()
    first, second, flag = CompiledModule(Two())(x)
    assert not flag.requires_grad
    gradient, = torch.autograd.grad(first.sum(), x)
    torch.testing.assert_close(gradient, torch.cos(x))
    first, second, _ = CompiledModule(Two())(x)
    torch.testing.assert_close(torch.autograd.grad(second.sum(), x)[0], torch.exp(x))


def test_unused_parameters():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second, self.unused = (nn.Linear(3, 2) for _ in range(3))

        def forward(self, x):
            return self.first(x), self.second(x) * self.unused.bias.detach()

    module = Net()
    first, _ = CompiledModule(module)(torch.ones(1, 3))
    first.sum().backward()
    assert [p.grad is not None for p in module.parameters()] == [True, True] + [False] * 4


def test_accumulated_and_repeated_gradients():
    module = nn.Linear(3, 2).double()
    compiled = CompiledModule(module)
    x = images(2, 3).requires_grad_()
    y = compiled(x).square().sum()
    y.backward(retain_graph=True)
    once = x.grad.clone()
    y.backward()
    torch.testing.assert_close(x.grad, 2 * once)
    (compiled(x) + compiled(x)).sum().backward()
    with pytest.raises(RuntimeError, match="second time|already been freed"):
        y.backward()


def test_modified_tensors_are_noticed():
    module = nn.Sequential(nn.Linear(3, 3), nn.Tanh()).double()
    compiled = CompiledModule(module)
    x = images(2, 3).requires_grad_()
    y = compiled(x)
    with torch.no_grad():
        module[0].weight.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def test_cotangents_of_any_layout():
    compiled = CompiledModule(nn.Conv2d(2, 3, 3).double())
    x = images(1, 2, 5, 5).requires_grad_()
    expected, = torch.autograd.grad(compiled.module(x).sum(), x)
    y = compiled(x)
    for cotangent in (torch.ones((), dtype=torch.float64).expand(y.shape),
                      torch.ones(y.shape[::-1], dtype=torch.float64).permute(3, 2, 1, 0)):
        found, = torch.autograd.grad(y, x, cotangent, retain_graph=True)
        torch.testing.assert_close(found, expected)
    found, = torch.autograd.grad(y, x, torch._efficientzerotensor(y.shape, dtype=y.dtype))
    assert not found.any()


def test_arguments_of_any_layout():
    module = nn.Linear(4, 3).double()
    compiled = CompiledModule(module)
    for x in (images(4, 2).t(), images(2, 8)[:, ::2], images(1, 4).expand(2, 4),
              images(2, 5)[:, 1:]):
        x = x.detach().requires_grad_()
        found, expected = compiled(x), module(x)
        torch.testing.assert_close(found, expected)
        for a, b in zip(torch.autograd.grad(found.sum(), [x, module.weight]),
                        torch.autograd.grad(expected.sum(), [x, module.weight])):
            torch.testing.assert_close(a, b)


def test_second_derivatives():
    module = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)).double()
    compiled = CompiledModule(module)
    x = images(2, 3).requires_grad_()

    def penalty(function):
        gradient, = torch.autograd.grad(function(x).sum(), x, create_graph=True)
        return torch.autograd.grad(gradient.square().sum(), [x, *module.parameters()],
                                   allow_unused=True)

    for a, b in zip(penalty(compiled), penalty(module)):
        assert (a is None) == (b is None)
        if a is not None:
            torch.testing.assert_close(a, b)


def test_nothing_is_kept_without_a_backward_pass():
    compiled = CompiledModule(nn.Sequential(nn.Linear(3, 3), nn.Tanh()).double())
    x = images(2, 3).requires_grad_()
    gc.disable()
    try:
        y = compiled(x)
        references = [weakref.ref(y), weakref.ref(y.grad_fn)]
        del y
        assert all(reference() is None for reference in references)
    finally:
        gc.enable()


def test_dropout():
    module = nn.Dropout(0.25)
    compiled = CompiledModule(module)
    x = torch.ones(4000, dtype=torch.float64, requires_grad=True)
    torch.manual_seed(1)
    y, other = compiled(x), compiled(x)
    assert 0.7 < (y != 0).double().mean() < 0.8
    torch.testing.assert_close(y[y != 0], torch.full_like(y[y != 0], 4 / 3))
    assert not torch.equal(y, other)
    y.sum().backward()
    torch.testing.assert_close(x.grad, y)
    torch.manual_seed(1)
    torch.testing.assert_close(compiled(x), y)
    module.eval()
    torch.testing.assert_close(compiled(x), x)


def test_random_numbers():
    class Noise(nn.Module):
        def forward(self, x):
            noise = torch.randn_like(x)
            return x + noise, noise, torch.rand(5), torch.bernoulli(torch.full((9,), 0.5))

    compiled = CompiledModule(Noise())
    x = torch.zeros(5000, requires_grad=True)
    y, noise, uniform, coins = compiled(x)
    torch.testing.assert_close(y, noise)
    assert abs(noise.mean()) < 0.05 and abs(noise.std() - 1) < 0.05
    assert 0 <= uniform.min() and uniform.max() < 1 and set(coins.tolist()) <= {0.0, 1.0}


def test_index_out_of_range():
    module = nn.Embedding(4, 3)
    compiled = CompiledModule(module)
    torch.testing.assert_close(compiled(torch.tensor([0, 3])), module(torch.tensor([0, 3])))
    for wrong in (4, -5):
        with pytest.raises(IndexError, match="out of range"):
            compiled(torch.tensor([0, wrong]))

    class Loss(nn.Module):
        def forward(self, x, y):
            return F.cross_entropy(x, y)

    with pytest.raises(IndexError, match="out of bounds"):
        CompiledModule(Loss())(torch.randn(2, 3), torch.tensor([0, 3]))

    class Quotient(nn.Module):
        def forward(self, x, y):
            return x // y

    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        CompiledModule(Quotient())(torch.tensor([3, 4]), torch.tensor([1, 0]))


def test_programs_are_kept_and_bounded():
    module = nn.Linear(3, 2)
    compiled = CompiledModule(module)
    first = compiled.evaluation((torch.ones(2, 3),))
    assert compiled.evaluation((torch.zeros(2, 3),)) is first
    assert compiled.evaluation((torch.ones(4, 3),)) is not first
    # Equal modules share the program.
    again = CompiledModule(nn.Linear(3, 2)).evaluation((torch.ones(2, 3),))
    assert again.program._forward is first.program._forward
    module.eval()
    assert compiled.evaluation((torch.ones(2, 3),)) is not first


def test_attributes_are_a_part_of_the_program():
    class Scale(nn.Module):
        def __init__(self):
            super().__init__()
            self.factor, self.table = 2.0, torch.arange(3.0)

        def forward(self, x):
            return self.factor * x + self.table

    module = Scale()
    compiled = CompiledModule(module)
    x = torch.ones(3)
    torch.testing.assert_close(compiled(x), 2 + torch.arange(3.0))
    module.factor = 3.0
    torch.testing.assert_close(compiled(x), 3 + torch.arange(3.0))
    module.table = torch.ones(3)
    torch.testing.assert_close(compiled(x), torch.full((3,), 4.0))


def test_buffers_that_modules_change():
    class Average(nn.Module):
        """Keeps an exponential average."""

        def __init__(self):
            super().__init__()
            self.register_buffer("average", torch.zeros(3, dtype=torch.float64))

        def forward(self, x):
            with torch.no_grad():
                self.average.mul_(0.9).add_(x.mean(0), alpha=0.1)
            return x * self.average

    check_step(Average(), images(4, 3))


def test_threads():
    """Several threads call one module at once, while the first of them compiles it."""
    module = Reversible(4).double()
    compiled = CompiledModule(module)
    xs = [images() for _ in range(4)]
    with torch.no_grad():
        module.eval()
        expected = [module(x) for x in xs]
        found = [None] * len(xs)

        def run(i):
            with torch.no_grad():
                for _ in range(5):
                    found[i] = compiled(xs[i])

        threads = [threading.Thread(target=run, args=(i,)) for i in range(len(xs))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for a, b in zip(found, expected):
        torch.testing.assert_close(a, b)


def test_modules_keep_their_tensors_while_they_are_captured():
    seen = []

    class Watched(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(3, 2)

        def forward(self, x):
            seen.append(type(watched.linear.weight))
            return self.linear(x)

    watched = Watched()
    CompiledModule(watched)(torch.ones(1, 3))
    assert len(seen) >= 2 and set(seen) == {nn.Parameter}
