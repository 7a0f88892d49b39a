# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""InvertibleModuleWrapper gives the gradients that autograd gives, in all the
situations in which MemCNN does not (or crashes)."""

import copy
import gc
import warnings
import weakref

import pytest
import torch
from torch import nn
from torch.nn import functional

import memrev.torch as memcnn
from torch_cases import (
    KINDS,
    Scale,
    assert_close,
    assert_like_disabled,
    blocks,
    branch,
    chain,
    coupling,
    gradients,
    images,
    set_disabled,
    weighted_sum,
)

pytestmark = pytest.mark.usefixtures("in_pytorch")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("keep", [False, True])
def test_gradients(kind, keep):
    net = blocks(kind=kind, keep_input=keep)
    assert_like_disabled(net, net, images().requires_grad_())
    assert_like_disabled(net, net, images())  # Only the parameters.


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("keep", [False, True])
def test_gradients_of_the_inverse(kind, keep):
    net = blocks(kind=kind, keep_input_inverse=keep)

    def inverse(y):
        for block in reversed(net):
            y = block.inverse(y)
        return y

    assert_like_disabled(net, inverse, images().requires_grad_())


def test_forward_and_inverse_in_one_graph():
    net = blocks(1)
    assert_like_disabled(
        net, lambda x: net[0].inverse(net[0](x) * 1.5) + net[0](x), images().requires_grad_()
    )


@pytest.mark.parametrize("keep", [False, True])
def test_other_modules(keep):
    net = chain(Scale(), coupling(), Scale(1.2), keep_input=keep).double()
    assert_like_disabled(net, net, images().requires_grad_())


def test_gradient_of_a_leaf_is_not_doubled():
    net = blocks(1)
    x = images().requires_grad_()
    weighted_sum(net(x)).backward()
    once = x.grad.clone()
    _, (expected, *_) = gradients(net, net, x, disable=True)
    assert_close([once], [expected])
    # A second backward pass accumulates.
    weighted_sum(net(x)).backward()
    assert_close([x.grad], [2 * expected])


@pytest.mark.parametrize("before", [torch.relu, torch.sigmoid, torch.tanh, torch.exp])
def test_operations_that_save_their_result(before):
    """A reconstruction rounds; a relu that read it would have another mask."""
    net = blocks(5)
    assert_like_disabled(net, lambda x: net(before(x)), images().requires_grad_())


def test_caller_keeps_the_input():
    net = blocks(2)
    x = images().requires_grad_()
    hidden = x * 1
    copy_of_hidden = hidden.detach().clone()
    net(hidden).sum().backward()
    assert torch.equal(hidden, copy_of_hidden)
    with torch.no_grad():
        net(hidden)
    net.eval()
    net(hidden)
    assert torch.equal(hidden, copy_of_hidden)


def test_skip_connections():
    net = blocks(3)

    def function(x):
        h = net[0](x * 2)
        return net[2](net[1](h) + h) + h * torch.sigmoid(h)

    assert_like_disabled(net, function, images().requires_grad_())


def test_two_consumers_of_one_output():
    net = blocks(3)

    def function(x):
        h = net[0](x)
        return net[1](h) * net[2](h)

    assert_like_disabled(net, function, images().requires_grad_())


def test_output_whose_consumer_is_not_in_the_loss():
    """Nobody passes the second block backward, so its input has to be restored
    when the first block asks for it."""
    net = blocks(4)

    def function(x):
        h = net[1](net[0](x))
        net[3](net[2](h))
        return torch.relu(h)

    assert_like_disabled(net, function, images().requires_grad_())

    def function_with_live_result(x):
        h = net[1](net[0](x))
        function.result = net[3](net[2](h))
        return torch.relu(h)

    assert_like_disabled(net, function_with_live_result, images().requires_grad_())


def test_one_block_many_times():
    net = blocks(1)
    assert_like_disabled(
        net, lambda x: net(net(net(x))) + net(x + 1), images().requires_grad_()
    )


@pytest.mark.parametrize("preserve", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_dropout(kind, preserve):
    modules = (coupling(kind, dropout=0.5) for _ in range(3))
    net = chain(*modules, preserve_rng_state=preserve).double()
    x = images().requires_grad_()
    assert_like_disabled(net, lambda x: net(x) * net(x), x)
    # The masks of different evaluations differ.
    assert not torch.equal(net(x), net(x))


def test_generator_after_a_step():
    """A step draws as many random numbers with inversion as without."""
    net = chain(coupling(dropout=0.5), coupling(dropout=0.5)).double()
    states = []
    for disable in (False, True):
        torch.manual_seed(3)
        gradients(net, net, images(), disable=disable)
        states.append(torch.get_rng_state())
    assert torch.equal(*states)


def test_statistics_are_updated_once():
    nets = [blocks(2)]
    nets.append(copy.deepcopy(nets[0]))
    set_disabled(nets[1], True)
    for net in nets:
        for step in range(3):
            weighted_sum(net(images(seed=step))).backward()
    for (name, found), expected in zip(nets[0].named_buffers(), nets[1].buffers()):
        assert torch.equal(found, expected), name
        if name.endswith("num_batches_tracked"):
            assert found == 3


def test_statistics_of_evaluation_mode():
    net = blocks(2)
    net(images(seed=1))
    net.eval()
    assert_like_disabled(net, net, images().requires_grad_())


def test_modules_with_a_state():
    """The power iteration of spectral norm changes a buffer that its result reads,
    so the second evaluation has to begin from the same vector."""
    def branch():
        conv = nn.Conv2d(2, 2, 3, padding=1)
        return nn.Sequential(nn.utils.parametrizations.spectral_norm(conv), nn.Tanh())

    net = chain(*(memcnn.AdditiveCoupling(branch(), branch()) for _ in range(2))).double()
    start = copy.deepcopy(net.state_dict())
    found = gradients(net, net, images().requires_grad_())
    end = copy.deepcopy(net.state_dict())
    net.load_state_dict(start)
    expected = gradients(net, net, images().requires_grad_(), disable=True)
    assert torch.equal(found[0], expected[0])
    assert_close(found[1], expected[1])
    for name, value in net.state_dict().items():
        assert torch.equal(value, end[name]), name
        if name.endswith("_u"):
            assert not torch.equal(value, start[name])


def test_shared_branches():
    f = branch(2)
    net = chain(memcnn.AdditiveCoupling(f, f), memcnn.AdditiveCoupling(f, f)).double()
    assert_like_disabled(net, net, images().requires_grad_())


class Counter(nn.Module):
    def __init__(self, module, log, name):
        super().__init__()
        self.module, self.log, self.name = module, log, name

    def forward(self, x):
        self.log.append((self.name, torch.is_grad_enabled()))
        return self.module(x)


def test_number_of_evaluations():
    """F and G are evaluated twice in a step: once forward, once backward."""
    log = []
    net = chain(memcnn.AdditiveCoupling(
        Counter(branch(2), log, "F"), Counter(branch(2), log, "G"))).double()
    y = net(images())
    assert log == [("F", False), ("G", False)]
    del log[:]
    y.sum().backward()
    assert log == [("G", True), ("F", True)]


def test_no_leak_without_backward():
    net = blocks(3)
    gc.collect()
    gc.disable()
    try:
        for keep in (False, True):
            for block in net:
                block.keep_input = keep
            y = net(images())
            references = [weakref.ref(y)]
            references += [weakref.ref(node) for node in _nodes(y.grad_fn)]
            del y
            assert all(reference() is None for reference in references)
            y = net(images())
            references = [weakref.ref(node) for node in _nodes(y.grad_fn)]
            y.sum().backward()
            del y
            assert all(reference() is None for reference in references)
    finally:
        gc.enable()


def _nodes(node):
    while node is not None and "Accumulate" not in type(node).__name__:
        yield node
        node = node.next_functions[0][0]


def test_double_backward():
    net = chain(coupling("sigmoid", norm=False), Scale(), coupling(norm=False)).double()
    for keep in (False, True):
        for block in net:
            block.keep_input = keep
        x = images(batch=1, size=3).requires_grad_()
        parameters = list(net.parameters())

        def second():
            first = torch.autograd.grad(weighted_sum(net(torch.tanh(x))), [x, *parameters],
                                        create_graph=True)
            return torch.autograd.grad(sum(map(weighted_sum, first)), [x, *parameters])

        found = second()
        set_disabled(net, True)
        assert_close(found, second(), 1e-9)
        set_disabled(net, False)


def test_third_derivative():
    net = chain(memcnn.AdditiveCoupling(nn.Tanh(), nn.Tanh())).double()
    x = images(batch=1, channels=2, size=2).requires_grad_()
    results = []
    for disable in (False, True):
        set_disabled(net, disable)
        value = weighted_sum(net(x))
        for _ in range(3):
            derivative, = torch.autograd.grad(value, x, create_graph=True)
            value = weighted_sum(derivative)
        results.append(derivative)
    assert_close(results[:1], results[1:], 1e-9)


@pytest.mark.parametrize("keep", [False, True])
def test_graph_that_is_retained(keep):
    net = blocks(3, keep_input=keep)
    x = images().requires_grad_()
    y = net(x)
    first = torch.autograd.grad(weighted_sum(y), x, retain_graph=True)
    second = torch.autograd.grad(weighted_sum(y), x, retain_graph=True)
    third = torch.autograd.grad(weighted_sum(y), x)
    assert_close(first, second)
    assert_close(first, third)
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        torch.autograd.grad(weighted_sum(y), x)


@pytest.mark.parametrize("keep", [False, True])
def test_num_bwd_passes(keep):
    net = blocks(3, keep_input=keep, num_bwd_passes=2)
    x = images().requires_grad_()
    y = net(x)
    first = torch.autograd.grad(weighted_sum(y), x)
    second = torch.autograd.grad(weighted_sum(y), x)
    assert_close(first, second)
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        torch.autograd.grad(weighted_sum(y), x)
    with pytest.raises(ValueError, match="num_bwd_passes expects a number from 1, but got 0"):
        memcnn.InvertibleModuleWrapper(coupling(), num_bwd_passes=0)


def test_frozen_parameters():
    net = blocks(2)
    net[0]._fn.Fm[1].weight.requires_grad_(False)
    net[1]._fn.Gm.requires_grad_(False)
    assert_like_disabled(net, net, images().requires_grad_())
    net.requires_grad_(False)
    assert_like_disabled(net, net, images().requires_grad_())
    assert net(images()).grad_fn is None


def test_parameters_frozen_in_between():
    """Which gradients there are is decided forward."""
    net = blocks(2)
    x = images().requires_grad_()
    _, expected = gradients(net, net, x, disable=True)
    y = net(x)
    parameters = list(net.parameters())
    net.requires_grad_(False)
    found = torch.autograd.grad(weighted_sum(y), [x])
    assert_close(found, expected[:1])
    assert not any(p.requires_grad for p in parameters)
    net.requires_grad_(True)
    net[0]._fn.Fm.requires_grad_(False)
    y = net(x)
    net.requires_grad_(True)
    weighted_sum(y).backward()
    assert all(p.grad is None for p in net[0]._fn.Fm.parameters())
    assert all(p.grad is not None for p in net[0]._fn.Gm.parameters())


def test_mode_changed_in_between():
    net = chain(coupling(dropout=0.5)).double()
    torch.manual_seed(1)
    _, expected = gradients(net, net, images(), disable=True)
    torch.manual_seed(1)
    y = net(images())
    net.eval()
    found = torch.autograd.grad(weighted_sum(y), list(net.parameters()))
    assert_close(found, expected)
    assert not any(module.training for module in net.modules())


class Unused(nn.Module):
    """A branch with a parameter that it does not use, and may ignore its input."""

    def __init__(self, constant=False):
        super().__init__()
        self.used, self.unused = (nn.Parameter(torch.ones(2, 1, 1)) for _ in range(2))
        self.constant = constant

    def forward(self, x):
        return (torch.zeros_like(x) if self.constant else x.sin()) + self.used


@pytest.mark.parametrize("constant", [False, True])
def test_unused_parameters(constant):
    net = chain(memcnn.AdditiveCoupling(Unused(constant), Unused()), coupling()).double()
    assert_like_disabled(net, net, images().requires_grad_())
    weighted_sum(net(images())).backward()
    assert net[0]._fn.Fm.unused.grad is None


def test_copies_and_files(tmp_path):
    net = blocks(2)
    again = copy.deepcopy(net)
    torch.save(net.state_dict(), tmp_path / "net.pt")
    again.load_state_dict(torch.load(tmp_path / "net.pt"))
    names = list(net.state_dict())
    assert names[0] == "0._fn.Gm.0.weight" and "1._fn.Fm.1.bias" in names
    assert torch.equal(net(images()), again(images()))


# What must not give numbers.

def test_output_modified_in_place():
    net = blocks(2)
    y = net(images().requires_grad_())
    functional.relu(y, inplace=True)
    with pytest.raises(RuntimeError, match="output of an invertible module to stay as it is"):
        y.sum().backward()

    # Modified behind autograd's back before the next block takes it.
    h = net[0](images().requires_grad_())
    h.detach().add_(1)
    with pytest.raises(RuntimeError, match="output of an invertible module to stay as it is"):
        net[1](h).sum().backward()

    # The next block has taken it before, and gives it back unmodified.
    first, second = net
    x = images().requires_grad_()
    _, (expected, *_) = gradients(net, net, x, disable=True)
    h = first(x)
    y = second(h)
    with torch.no_grad():
        h.zero_()
    found, = torch.autograd.grad(weighted_sum(y), x)
    assert_close([found], [expected])


def test_parameter_modified_in_between():
    net = blocks(1)
    y = net(images())
    with torch.no_grad():
        net[0]._fn.Fm[1].bias.add_(1)
    with pytest.raises(RuntimeError, match="expects parameters to stay as they are"):
        y.sum().backward()


def test_buffer_modified_in_between():
    net = blocks(1).eval()
    y = net(images())
    net[0]._fn.Fm[0].running_mean.add_(1)
    with pytest.raises(RuntimeError, match="expects buffers to stay.*got 'running_mean' of a Ba"):
        y.sum().backward()


class Captures(nn.Module):
    def __init__(self, tensor):
        super().__init__()
        self.tensor = [tensor]

    def forward(self, x):
        return x * self.tensor[0]


@pytest.mark.parametrize("leaf", [False, True])
def test_captured_tensor(leaf):
    tensor = torch.ones(1, dtype=torch.double, requires_grad=True)
    tensor = tensor if leaf else tensor * 2
    y = chain(memcnn.AdditiveCoupling(Captures(tensor), nn.Tanh()))(images().requires_grad_())
    with pytest.raises(RuntimeError, match="got a tensor of shape \\[1\\] from elsewhere"):
        y.sum().backward()


class InPlace(nn.Module):
    def forward(self, x):
        return x.mul_(2)

    def inverse(self, y):
        return y / 2


def test_module_that_modifies_its_input():
    net, x = chain(InPlace()), images().requires_grad_() * 1
    with pytest.raises(RuntimeError, match="InPlace expects its inputs to stay as they are"):
        net(x)


class Lossy(nn.Module):
    def forward(self, x, c):
        return x * c

    def inverse(self, y, *rest):
        return y


def test_inverse_that_gives_too_little():
    x = images().requires_grad_()
    y = chain(Lossy())[0](x, x)
    with pytest.raises(TypeError, match="Lossy.inverse expects to return as many.*takes, 2, but"):
        y.sum().backward()


def test_module_without_a_result():
    class Nothing(nn.Module):
        def forward(self, x):
            return 3

    with pytest.raises(TypeError, match="at least one tensor of floating point, but got int"):
        chain(Nothing())(images().requires_grad_())


def test_warnings_stay():
    """MemCNN silences all UserWarnings of the process at import."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.warn("still here", UserWarning)
    assert len(caught) == 1
