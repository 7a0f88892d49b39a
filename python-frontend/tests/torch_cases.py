# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Networks of invertible modules for the tests of memrev.torch, and their gradients.

The oracle of most tests is the same network with `disable=True`, where autograd
stores everything and nothing of memrev runs but the formulas of the couplings.
"""

import torch
from torch import nn

import memrev.torch as memcnn


def branch(width, norm=True, dropout=0.0):
    """A residual function of (batch, width, height, width) images."""
    layers = [nn.BatchNorm2d(width)] if norm else []
    layers += [nn.Conv2d(width, width, 3, padding=1), nn.ReLU(inplace=True)]
    layers += [nn.Dropout(dropout)] if dropout else []
    return nn.Sequential(*layers, nn.Conv2d(width, width, 3, padding=1))


def coupling(kind="additive", width=2, **options):
    """A coupling of two different branches, `width` channels a half."""
    f, g = branch(width, **options), branch(width, **options)
    if kind == "additive":
        return memcnn.AdditiveCoupling(f, g)
    adapter = {"naive": memcnn.AffineAdapterNaive, "sigmoid": DoubleSigmoid}[kind]
    return memcnn.AffineCoupling(f, g, adapter=adapter)


class DoubleSigmoid(memcnn.AffineAdapterSigmoid):
    """The sigmoid adapter of a branch that keeps the number of channels."""

    def forward(self, x):
        h = self.f(x)
        return torch.sigmoid(h.flip(1) + 2), h


KINDS = ["additive", "naive", "sigmoid"]


class Scale(nn.Module):
    """y = factor x, a module that is invertible and no coupling."""

    def __init__(self, factor=0.9):
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))

    def forward(self, x):
        return x * self.factor

    def inverse(self, y):
        return y / self.factor


def chain(*modules, **options):
    return nn.Sequential(
        *(memcnn.InvertibleModuleWrapper(module, **options) for module in modules)
    )


def blocks(count=3, kind="additive", **options):
    """A chain of couplings in double precision."""
    return chain(*(coupling(kind) for _ in range(count)), **options).double()


def images(batch=3, channels=4, size=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    shape = (batch, channels, size, size)
    return torch.randn(shape, dtype=torch.double, generator=generator)


def set_disabled(module, value):
    for child in module.modules():
        if isinstance(child, memcnn.InvertibleModuleWrapper):
            child.disable = value


def weighted_sum(value):
    """A loss whose gradient differs from element to element."""
    weights = torch.linspace(-1, 1, value.numel(), dtype=value.dtype).reshape(value.shape)
    return (value * weights).sum() + (value * value).mean()


def gradients(module, function, *inputs, disable=False):
    """(result, gradients by inputs that require one and by trainable parameters)
    of weighted_sum(function(*inputs))."""
    set_disabled(module, disable)
    try:
        result = function(*inputs)
        sources = [x for x in inputs if x.requires_grad]
        sources += [p for p in module.parameters() if p.requires_grad]
        found = torch.autograd.grad(weighted_sum(result), sources, allow_unused=True)
    finally:
        set_disabled(module, False)
    return result.detach(), found


def assert_close(found, expected, tolerance=1e-10):
    assert len(found) == len(expected)
    for f, e in zip(found, expected):
        assert (f is None) == (e is None)
        if f is not None:
            scale = max(1.0, e.abs().max().item())
            assert f.dtype == e.dtype
            assert (f - e).abs().max().item() <= tolerance * scale


def assert_like_disabled(module, function, *inputs, tolerance=1e-10):
    """Results and gradients with inversion equal those without, from the same state
    of the random number generator. In PyTorch results are equal bit by bit."""
    state = torch.get_rng_state()
    found = gradients(module, function, *inputs)
    torch.set_rng_state(state)
    expected = gradients(module, function, *inputs, disable=True)
    in_pytorch = memcnn.get_backend() == "eager"
    assert_close([found[0]], [expected[0]], 0 if in_pytorch else tolerance)
    assert_close(found[1], expected[1], tolerance)


def blocks_without_statistics():
    """A chain whose result for a batch is that of its samples one by one."""
    return chain(*(coupling(kind, norm=False) for kind in KINDS)).double()


def check_parameters_for_one_call(net):
    """torch.func.functional_call evaluates a module with other parameters; these are gone
    when the backward pass begins."""
    factor = torch.tensor(1.1, dtype=torch.double, requires_grad=True)
    found = []
    for disable in (False, True):
        set_disabled(net, disable)
        others = {name: p * factor for name, p in net.named_parameters()}
        result = torch.func.functional_call(net, others, images())
        found.append(torch.autograd.grad(weighted_sum(result), [factor, *net.parameters()]))
    set_disabled(net, False)
    assert_close(*found)


def check_batches_of_gradients(**options):
    """Several gradients by one backward pass under vmap."""
    net = chain(coupling(**options), coupling(**options)).double()
    x, found = images(batch=1, size=2), []
    for disable in (False, True):
        set_disabled(net, disable)
        found.append(torch.autograd.functional.jacobian(net, x, vectorize=True))
    assert_close(found[:1], found[1:])
