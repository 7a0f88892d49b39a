# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Wrapped couplings inside of compiled modules become couplings of the program, which the
backward pass inverts."""

import pytest
import torch
from torch import nn

import memrev.torch as memcnn
from memrev.torch._compiled import CompiledModule
from torch_cases import KINDS, assert_close, chain, coupling, images, set_disabled, weighted_sum

# What is not compiled as a whole runs in PyTorch.
pytestmark = pytest.mark.usefixtures("in_pytorch")


def compare(module, function=None, num_couplings=None):
    """The module, compiled as a whole, against PyTorch that stores everything. Returns the
    program of `function`, a module."""
    function = function or module
    x = images().requires_grad_()
    state = {name: value.clone() for name, value in module.state_dict().items()}
    sources = [x, *(p for p in module.parameters() if p.requires_grad)]
    compiled = CompiledModule(function)
    found = torch.autograd.grad(weighted_sum(compiled(x)), sources)
    after = {name: value.clone() for name, value in module.state_dict().items()}
    program = compiled.evaluation((x,)).program
    module.load_state_dict(state)
    set_disabled(module, True)
    expected = torch.autograd.grad(weighted_sum(function(x)), sources)
    set_disabled(module, False)
    assert_close(found, expected)
    assert_close(list(after.values()), list(module.state_dict().values()), 1e-12)
    if num_couplings is not None:
        assert program.text.count("= rev.coupling ") == num_couplings
    return program


@pytest.mark.parametrize("kind", KINDS)
def test_gradients(kind):
    """The statistics of batch norm are auxiliary results, and updated once."""
    program = compare(chain(coupling(kind), coupling(kind)).double(), num_couplings=4)
    # Halves are taken apart before the first block only.
    assert program.text.count("tensor.extract_slice") == 2


class Inverse(nn.Module):
    def __init__(self, block):
        super().__init__()
        self.block = block

    def forward(self, y):
        return self.block.inverse(y)


@pytest.mark.parametrize("kind", ["additive", "naive"])
def test_inverse(kind):
    module = Inverse(*chain(coupling(kind))).double()
    compare(module, num_couplings=2)


@pytest.mark.slow
def test_memory_does_not_grow_with_depth():
    # The compiler keeps values of up to 16 KiB that it could evaluate again.
    x = images(batch=8, size=16).requires_grad_()

    def report(depth, block=lambda: coupling(norm=False), **options):
        net = chain(*(block() for _ in range(depth)), **options).double()
        return CompiledModule(net).evaluation((x,)).program.memory_report()

    def growth(*arguments, **options):
        """Of what a call takes with its arguments and results, which hold what is saved."""
        few, many = (max(entry["peak_bytes"] for entry in report(depth, *arguments, **options))
                     for depth in (2, 6))
        return many - few

    few, many = (max(entry["workspace_bytes"] for entry in report(depth)) for depth in (2, 6))
    assert few == many
    # The compiler sees how couplings are undone without being asked to, too; not so what has
    # no inverse.
    size = x.numel() * x.element_size()
    assert growth() < size and growth(disable=True) < size
    assert growth(lambda: nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.Tanh()),
                  disable=True) >= 4 * size


@pytest.mark.parametrize("options", [{"disable": True}, {"keep_input": True}])
def test_what_is_not_inverted(options):
    compare(chain(coupling(), **options).double(), num_couplings=0)


def test_coupling_inside_of_a_coupling():
    inner = memcnn.AdditiveCoupling(chain(coupling(width=1)), chain(coupling(width=1)))
    compare(chain(inner).double(), num_couplings=6)


def test_branches_with_parameters_of_their_own_shape():
    class Mean(nn.Module):
        def forward(self, x):
            return x.sin().mean((2, 3), keepdim=True)

    compare(chain(memcnn.AdditiveCoupling(Mean(), Mean())).double(), num_couplings=2)


def test_value_that_is_read_on_the_way():
    """What a branch leaves behind is no part of the inverse."""
    class Watching(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(2, 2, 3, padding=1)
            self.register_buffer("seen", torch.zeros(2))

        def forward(self, x):
            h = self.conv(x).tanh()
            with torch.no_grad():
                self.seen.copy_(0.5 * self.seen + h.mean((0, 2, 3)) + x.mean((0, 2, 3)))
            return h

    compare(chain(memcnn.AdditiveCoupling(Watching(), Watching())).double(), num_couplings=2)


def test_dropout():
    """The inverse draws the numbers of the forward pass."""
    net = chain(coupling(norm=False, dropout=0.5), coupling(norm=False, dropout=0.5)).double()
    compiled = CompiledModule(net)
    x, direction = images(), images(seed=7)

    def value(step):
        torch.manual_seed(5)
        return weighted_sum(compiled((x + step * direction).requires_grad_()))

    torch.manual_seed(5)
    moved = x.clone().requires_grad_()
    slope = (torch.autograd.grad(weighted_sum(compiled(moved)), moved)[0] * direction).sum()
    step = 1e-6
    with torch.no_grad():
        measured = (value(step) - value(-step)) / (2 * step)
    assert slope.item() == pytest.approx(measured.item(), rel=1e-6)


def test_indices_in_a_coupling():
    """Whether they are in range could not be told."""
    class Table(nn.Module):
        def __init__(self):
            super().__init__()
            self.table = nn.Embedding(3, 1)

        def forward(self, x):
            return self.table((x > 0).long())[..., 0]

    with pytest.raises(Exception, match="inside of a coupling cannot be checked"):
        compare(chain(memcnn.AdditiveCoupling(Table(), Table())).double())


def test_operations():
    """In PyTorch they are what they stand for."""
    x, s, t = images().requires_grad_(), images(seed=1), images(seed=2)
    assert torch.equal(torch.ops.memrev.given(x), x)
    for kind, parameters, expected in (
            ("additive", [t], x + t), ("additive_inverse", [t], x - t),
            ("affine", [s, t], x * s + t), ("affine_inverse", [s, t], (x - t) / s)):
        found = torch.ops.memrev.moved(x, torch.ops.memrev.given(t), parameters, kind)
        assert torch.equal(found, expected) and found.requires_grad


@pytest.mark.parametrize("backend", ["memrev", "aot_eager"])
def test_compilers(backend):
    """torch.compile sees couplings without a break in its graph; other backends take what
    marks them for what it is made of."""
    net = chain(coupling(), coupling("naive")).double()
    x = images().requires_grad_()
    sources = [x, *net.parameters()]
    state = {name: value.clone() for name, value in net.state_dict().items()}
    compiled = torch.compile(net, backend=backend, fullgraph=True)
    found = torch.autograd.grad(weighted_sum(compiled(x)), sources)
    net.load_state_dict(state)
    set_disabled(net, True)
    assert_close(found, torch.autograd.grad(weighted_sum(net(x)), sources))
