# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A chain of invertible modules keeps one activation, whatever its length, and
what it keeps is freed at the right time."""

import gc

import pytest
import torch
from torch import nn

import memrev.torch as memcnn
from live_storages import LiveStorages
from torch_cases import Scale, chain, coupling, gradients, images, weighted_sum


@pytest.fixture(autouse=True)
def no_garbage_collector():
    torch.manual_seed(0)
    # PyTorch's imports on first use leave the frames of their callers in cycles.
    with LiveStorages():
        chain(coupling())(images().float()).sum().backward()
    gc.collect()
    gc.disable()
    with memcnn.set_backend("eager"):
        yield
    gc.enable()


def measure(net, backward, prepare=lambda x: x):
    """(live after the forward pass, peak of the backward pass, live at the end), in
    activations."""
    for parameter in net.parameters():
        parameter.grad = torch.zeros_like(parameter)
    x = prepare(images(batch=8, size=16))
    with LiveStorages() as storages:
        y = net(x)
        loss = y.sum()
        del y
        live = storages.live()
        storages.start()
        backward(loss)
        peak = storages.peak
        end = storages.live()
        del loss
        freed = storages.live()
    assert freed < 100
    return live / nbytes(x), peak / nbytes(x), end / nbytes(x)


def nbytes(x):
    return x.numel() * x.element_size()


def test_memory_does_not_grow_with_depth():
    figures = []
    for depth in (4, 8, 32):
        net = chain(*(coupling() for _ in range(depth))).double()
        figures.append(measure(net, lambda loss: loss.backward()))
    lives, peaks, ends = zip(*figures)
    assert all(live == pytest.approx(1, abs=0.01) for live in lives)
    assert max(peaks) - min(peaks) < 0.01
    # The output, its gradient, half of the input and of its gradient, and seven halves
    # in the derivative of a branch: four values that it computes, the half that is
    # restored, and two gradients.
    assert max(peaks) < 6.6
    # The gradient by the input is not asked for, and the weights' were there.
    assert all(end < 0.01 for end in ends)
    stored = chain(*(coupling() for _ in range(8)), disable=True).double()
    assert measure(stored, lambda loss: loss.backward())[0] > 8 * 3


def test_memory_of_other_modules():
    figures = []
    for depth in (4, 16):
        net = chain(*(Scale() for _ in range(depth))).double()
        figures.append(measure(net, lambda loss: loss.backward()))
    assert figures[0] == pytest.approx(figures[1], abs=0.01)
    assert figures[0][0] == pytest.approx(1, abs=0.01)


def test_memory_of_inverses():
    figures = []
    for depth in (4, 16):
        blocks = chain(*(coupling() for _ in range(depth))).double()

        class Inverse(nn.Module):
            def forward(self, y):
                for block in reversed(blocks):
                    y = block.inverse(y)
                return y

        net = Inverse()
        net.blocks = blocks
        figures.append(measure(net, lambda loss: loss.backward()))
    assert figures[0] == pytest.approx(figures[1], abs=0.01)


def test_memory_of_a_retained_graph():
    def twice(loss):
        loss.backward(retain_graph=True)
        loss.backward()

    def retained(loss):
        loss.backward(retain_graph=True)

    for backward in (twice, retained):
        figures = []
        for depth in (4, 16):
            net = chain(*(coupling() for _ in range(depth))).double()
            figures.append(measure(net, backward))
        assert figures[0] == pytest.approx(figures[1], abs=0.01)


def test_memory_of_several_passes():
    figures = []
    for depth in (4, 16):
        net = chain(*(coupling() for _ in range(depth)), num_bwd_passes=2).double()
        figures.append(measure(net, lambda loss: (loss.backward(), loss.backward())))
    assert figures[0] == pytest.approx(figures[1], abs=0.01)


def test_memory_without_gradients():
    net = chain(*(coupling() for _ in range(8))).double()
    x = images(batch=8, size=16)
    with LiveStorages() as storages, torch.no_grad():
        y = net(x)
        assert storages.live() == nbytes(y)


def test_input_is_freed_when_its_owner_lets_go():
    net = chain(coupling()).double()
    x = images(batch=8, size=16)
    with LiveStorages() as storages:
        hidden = x * 1
        y = net(hidden)
        assert storages.live() == pytest.approx(2 * nbytes(x), rel=0.01)
        del hidden
        assert storages.live() == pytest.approx(nbytes(x), rel=0.01)
        y.sum().backward()


def test_output_in_between_that_the_caller_keeps():
    net = chain(*(coupling() for _ in range(4))).double()
    with LiveStorages() as storages:
        middle = net[1](net[0](images(batch=8, size=16)))
        y = net[3](net[2](middle))
        assert storages.live() == pytest.approx(2 * nbytes(y), rel=0.01)
        y.sum().backward()


def test_gradient_of_a_part_of_a_chain():
    """Blocks that the backward pass does not reach keep what they need."""
    net = chain(*(coupling() for _ in range(4))).double()
    x = images().requires_grad_()
    _, (expected, *_) = gradients(net, net, x, disable=True)
    y = net(x)
    last, = torch.autograd.grad(weighted_sum(y), net[3]._fn.Fm[1].weight, retain_graph=True)
    assert last.abs().sum() > 0
    found, = torch.autograd.grad(weighted_sum(y), x)
    assert (found - expected).abs().max() < 1e-10
    middle = net[1](net[0](x))
    y = net[3](net[2](middle))
    torch.autograd.grad(weighted_sum(y), middle)
    # The graph behind the middle is not freed, and its activation is at hand.
    found, = torch.autograd.grad(weighted_sum(middle), x)
    _, (expected, *_) = gradients(net, lambda x: net[1](net[0](x)), x, disable=True)
    assert (found - expected).abs().max() < 1e-10


def test_chain_longer_than_the_stack():
    """Restoring through many blocks is a loop, and so is freeing them."""
    depth = 3000
    scale = Scale(1.0001)
    net = [memcnn.InvertibleModuleWrapper(scale) for _ in range(depth)]
    x = torch.ones(2, requires_grad=True)
    first = y = net[0](x)
    for block in net[1:]:
        y = block(y)
    found, = torch.autograd.grad(first.sum(), x)
    assert found == pytest.approx(1.0001)
    del first, y


def test_views_of_one_output():
    """An output that reaches the next block by a view is kept."""
    net = chain(coupling(), coupling()).double()
    x = images().requires_grad_()
    result, found = gradients(net, lambda x: net[1](net[0](x).flip(-1).contiguous()[:]), x)
    _, expected = gradients(
        net, lambda x: net[1](net[0](x).flip(-1).contiguous()[:]), x, disable=True
    )
    assert all((f - e).abs().max() < 1e-10 for f, e in zip(found, expected))
