# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Couplings as compiled programs give what PyTorch gives, and what cannot be compiled
runs in PyTorch and says so."""

import copy
import dataclasses
import gc
import random
import re
import threading
import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torch.multiprocessing.reductions import StorageWeakRef

import memrev.torch as memcnn
from memrev.torch import _backend
from torch_cases import (
    KINDS,
    assert_close,
    assert_like_disabled,
    chain,
    check_batches_of_gradients,
    check_parameters_for_one_call,
    coupling,
    images,
    set_disabled,
    weighted_sum,
)


@pytest.fixture(autouse=True)
def compiled():
    torch.manual_seed(0)
    with memcnn.set_backend("compiled"), warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # No coupling is left to PyTorch.
        yield


def kind_of(wrapper, x, inverted=False):
    return _backend.find_binding(wrapper._fn, inverted, x).kind


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return chain(*(coupling() for _ in range(3))).double()


@pytest.mark.parametrize("kind", KINDS)
def test_gradients(kind):
    net = chain(*(coupling(kind) for _ in range(2))).double()
    x = images().requires_grad_()
    assert_like_disabled(net, net, x)
    program = kind_of(net[0], x).program
    # Blocks of one structure share a program; the second one gets an image that the
    # program before it has made.
    assert program is not None and kind_of(net[1], x).program is program
    assert_like_disabled(net, net, images())  # Only the parameters.
    state = {name: value.clone() for name, value in net.state_dict().items()}
    net(x)
    once = {name: value.clone() for name, value in net.state_dict().items()}
    net.load_state_dict(state)
    set_disabled(net, True)
    net(x)
    assert_close(list(once.values()), list(net.state_dict().values()), 1e-12)


@pytest.mark.parametrize("kind", ["additive", "naive"])
def test_inverse(kind):
    net = chain(coupling(kind)).double()
    x = images().requires_grad_()
    assert_like_disabled(net, net[0].inverse, x)
    assert kind_of(net[0], x, True).program is not None
    net.eval()
    assert_close([net[0].inverse(net[0](x))], [x], 1e-10)


def test_kept_input():
    net = chain(coupling("naive"), coupling("naive"), keep_input=True).double()
    assert_like_disabled(net, net, images().requires_grad_())
    assert_like_disabled(net, net, images())


def test_evaluation_mode_and_no_grad(net):
    with torch.no_grad():
        found = net(images())
    assert not found.requires_grad
    net.eval()
    assert_like_disabled(net, net, images().requires_grad_())
    net.train()


def test_output_without_its_consumer(net):
    """The first block's output is restored by the program of the second."""
    def function(x):
        h = net[0](x)
        net[1](h)
        return torch.relu(h)

    assert_like_disabled(net, function, images().requires_grad_())


def test_layouts(net):
    """channels_last goes through without a copy, other layouts are copied."""
    x = images()
    expected = net(x)
    assert expected.is_contiguous()
    last = net(x.contiguous(memory_format=torch.channels_last))
    assert last.is_contiguous(memory_format=torch.channels_last)
    strided = net(torch.cat([x, x], 1)[:, :4])
    for found in (last, strided):
        assert_close([found], [expected], 1e-12)
    expanded = images(batch=1).expand(3, -1, -1, -1)
    assert_like_disabled(net, net, expanded.detach().requires_grad_())


def test_batches_of_several_sizes(net):
    """The last batch of an epoch is smaller."""
    for batch in (3, 2, 3):
        assert_like_disabled(net, net, images(batch=batch).requires_grad_())


def test_frozen_and_shared_parameters():
    branch = coupling().Fm
    net = chain(memcnn.AdditiveCoupling(branch.eval(), branch)).double()
    assert_like_disabled(net, net, images().requires_grad_())
    branch[1].weight.requires_grad_(False)
    assert_like_disabled(net, net, images().requires_grad_())


def test_shared_statistics():
    """The program would update them from the same old value twice."""
    branch = coupling().Fm
    net = chain(memcnn.AdditiveCoupling(branch, branch)).double()
    assert_like_disabled(net, net, images().requires_grad_())
    assert branch[0].num_batches_tracked == 4


def test_statistics_that_share_memory():
    """As parts of one tensor."""
    net = chain(coupling()).double()
    means, found = torch.zeros(3).double(), []
    net[0]._fn.Fm[0].running_mean, net[0]._fn.Gm[0].running_mean = means[:2], means[1:]
    for disable in (False, True):
        set_disabled(net, disable)
        means.zero_()
        net(images())
        found.append(means.clone())
    assert_close(found[:1], found[1:])


def test_dropout():
    """The derivative has the masks of the forward pass: by differences along a line."""
    net = chain(coupling(norm=False, dropout=0.5), coupling(norm=False, dropout=0.5)).double()
    x, direction = images(), images(seed=7)

    def value(step):
        torch.manual_seed(5)
        return weighted_sum(net((x + step * direction).requires_grad_()))

    torch.manual_seed(5)
    moved = x.clone().requires_grad_()
    slope = (torch.autograd.grad(weighted_sum(net(moved)), moved)[0] * direction).sum()
    step = 1e-6
    with torch.no_grad():
        measured = (value(step) - value(-step)) / (2 * step)
    assert slope.item() == pytest.approx(measured.item(), rel=1e-6)
    assert not torch.equal(net(x), net(x))
    # Couplings of one call have other masks than each other, and PyTorch's seed decides.
    assert value(0).item() == value(0).item()
    with pytest.raises(RuntimeError, match="but got create_graph=True"):
        torch.autograd.grad(value(0), list(net.parameters()), create_graph=True)


def test_double_backward():
    net = chain(coupling("sigmoid", norm=False)).double()
    x = images().requires_grad_()
    results = []
    for disable in (False, True):
        set_disabled(net, disable)
        first, = torch.autograd.grad(weighted_sum(net(x)), x, create_graph=True)
        results.append(torch.autograd.grad(weighted_sum(first), [x, *net.parameters()]))
    assert_close(*results, 1e-9)


def test_memory(net):
    """The same few activations, however long the chain is."""
    peaks = []
    for depth in (3, 12):
        deep = chain(*(copy.deepcopy(net[0]._fn) for _ in range(depth)))
        x = images(batch=8, size=16)
        for parameter in deep.parameters():
            parameter.grad = torch.zeros_like(parameter)
        deep(x).sum().backward()
        peaks.append(peak_of(deep, x) / (x.numel() * x.element_size()))
    assert peaks[0] == pytest.approx(peaks[1], abs=0.05)


def peak_of(net, x):
    """The most bytes of tensors that a step makes and holds at a time. Programs call no
    operations, so what they return is seen where it is made: by torch.empty_strided."""
    made, peak = [], [0]
    empty = torch.empty_strided

    def counted(*args, **kwargs):
        tensor = empty(*args, **kwargs)
        made.append((StorageWeakRef(tensor.untyped_storage()), tensor.untyped_storage().nbytes()))
        peak[0] = max(peak[0], sum(size for storage, size in made if not storage.expired()))
        return tensor

    torch.empty_strided = counted
    try:
        net(x).sum().backward()
    finally:
        torch.empty_strided = empty
    return peak[0]


def test_threads(net):
    """Several threads call one network at a time."""
    net.eval()
    expected = [net(images(seed=seed)) for seed in range(4)]
    found = [None] * 4

    def work(seed):
        for _ in range(5):
            found[seed] = net(images(seed=seed))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    net.train()
    assert all(map(torch.equal, found, expected))


class Scaled(nn.Module):
    """A branch whose attributes say what it computes."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2, 1, 1))
        self.factor, self.options = 2.0, {"power": [1]}

    def forward(self, x):
        return self.weight * x.sin() ** self.options["power"][0] * self.factor


def test_attributes_that_change():
    net = chain(memcnn.AdditiveCoupling(Scaled(), Scaled())).double()
    fm = net[0]._fn.Fm
    x, kinds = images().requires_grad_(), []
    for change in (lambda: None, lambda: setattr(fm, "factor", 3.0),
                   lambda: fm.options["power"].__setitem__(0, 2),
                   lambda: (setattr(fm, "factor", 2.0), fm.options.update(power=[1]))):
        change()
        assert_like_disabled(net, net, x)
        kinds.append(kind_of(net[0], x))
    # What was compiled before is found again.
    assert kinds[-1] is kinds[0] and len(set(kinds)) == 3


class Applied(nn.Module):
    """A branch that is the function in its attribute."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def test_functions_as_attributes():
    """A function that is gone is none that came to lie at its address."""
    for factor in range(1, 5):
        def scaled(x, factor=factor):
            return x * factor

        net = chain(memcnn.AdditiveCoupling(Applied(scaled), Applied(scaled)))
        assert_like_disabled(net, net, images(size=2).requires_grad_())
        del net, scaled
        gc.collect()


@dataclasses.dataclass
class Slotted:
    __slots__ = ("factor",)
    factor: float

    def __call__(self, x):
        return x * self.factor


def test_attributes_of_any_kind():
    slotted = Slotted(2.0)
    net = chain(memcnn.AdditiveCoupling(Applied(slotted), Applied(slotted)))
    assert_like_disabled(net, net, images(size=2).requires_grad_())


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.LSTM(2, 2, batch_first=True)

    def forward(self, x):
        return self.layer(x)[0]


def test_recurrent_branches():
    """They have their parameters in lists, too, which are no attributes."""
    net = chain(*(memcnn.AdditiveCoupling(Recurrent(), Recurrent(), split_dim=-1)
                  for _ in range(2))).double()
    x = torch.randn(2, 3, 4).double().requires_grad_()
    assert_like_disabled(net, net, x)
    assert kind_of(net[0], x) is kind_of(net[1], x)


class Gated(nn.Module):
    """A branch with a layer that gets no gradient."""

    def __init__(self):
        super().__init__()
        self.layer, self.gate = nn.Conv2d(2, 2, 1), nn.Conv2d(2, 2, 1)

    def forward(self, x):
        with torch.no_grad():
            gate = torch.sigmoid(self.gate(x))
        return self.layer(x) * gate


def test_parameters_without_a_gradient():
    """None, not zeros, which an optimizer would decay."""
    net = chain(memcnn.AdditiveCoupling(Gated(), Gated())).double()
    x = images().requires_grad_()
    assert_like_disabled(net, net, x)
    assert kind_of(net[0], x).program is not None


class Weighted(nn.Module):
    def __init__(self):
        super().__init__()
        self.weights = np.array([2.0, 3.0])

    def forward(self, x):
        return x * torch.from_numpy(self.weights).reshape(2, 1, 1)


def test_arrays_as_attributes():
    net = chain(memcnn.AdditiveCoupling(Weighted(), Weighted()))
    assert_like_disabled(net, net, images(size=2).requires_grad_())
    net[0]._fn.Fm.weights[0] = 5
    assert_like_disabled(net, net, images(size=2).requires_grad_())


def test_parameters_for_one_call():
    torch.manual_seed(0)
    net = chain(coupling(norm=False)).double()
    check_parameters_for_one_call(net)
    assert kind_of(net[0], images()).program is not None


def test_batches_of_gradients():
    check_batches_of_gradients(norm=False)
    net = chain(coupling(norm=False, dropout=0.5)).double()
    with pytest.raises(RuntimeError, match="cannot draw the same, but got a batch of gradients"):
        torch.autograd.functional.jacobian(net, images(batch=1), vectorize=True)


class Counting(Scaled):
    calls = 0

    def forward(self, x):
        self.calls += 1
        return super().forward(x)


class Drawing(Scaled):
    def forward(self, x):
        return super().forward(x) * random.random()


class Unknown(Scaled):
    def forward(self, x):
        return super().forward(x) + torch.special.i0e(x)


class Deciding(Scaled):
    def forward(self, x):
        return super().forward(x) if x.sum() > 0 else x


class Hooked(Scaled):
    def __init__(self):
        super().__init__()
        self.register_forward_hook(lambda module, args, result: 2 * result)


@pytest.mark.parametrize("branch, reason", [
    (Counting, "Fm changes its attributes"),
    (Drawing, "it draws random numbers that are not PyTorch's"),
    (Unknown, r"got aten\.special_i0e"),
    (Deciding, "torch.export does not trace Deciding"),
    (Hooked, "it has hooks"),
])
def test_what_is_left_to_pytorch(branch, reason):
    net = chain(*(memcnn.AdditiveCoupling(branch(), branch()) for _ in range(2))).double()
    x = images().requires_grad_()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        net(x)
        if branch is not Drawing:
            assert_like_disabled(net, net, x)
    messages = [str(w.message) for w in caught if "is not compiled" in str(w.message)]
    # Once for both blocks, or for each if it is about what they have become.
    assert len(messages) == (2 if branch is Counting else 1)
    assert messages[0].startswith("AdditiveCoupling runs in PyTorch and is not compiled: ")
    assert re.search(reason, messages[0])


def test_hooks_that_come_later(net):
    net = copy.deepcopy(net)
    net(images())
    calls = []
    handle = net[0]._fn.Fm[0].register_forward_hook(lambda *_: calls.append(1))
    assert_like_disabled(net, net, images().requires_grad_())
    assert len(calls) == 3
    handle.remove()
    net(images())
    assert len(calls) == 3


def test_complex_numbers():
    net = chain(memcnn.AdditiveCoupling(nn.Identity(), nn.Identity()))
    x = torch.randn(2, 4, dtype=torch.cfloat, requires_grad=True)
    with pytest.warns(UserWarning, match="is not compiled"):
        assert_close([net[0].inverse(net(x))], [x], 1e-6)


def test_parameters_that_are_replaced(net):
    net = copy.deepcopy(net)
    conv = net[0]._fn.Fm[1]
    conv.weight = nn.Parameter(torch.randn_like(conv.weight))
    assert_like_disabled(net, net, images().requires_grad_())
    net[0]._fn.Fm[1] = nn.Conv2d(2, 2, 1).double()
    assert_like_disabled(net, net, images().requires_grad_())
    net[0]._fn.Fm = copy.deepcopy(net[1]._fn.Fm)
    assert_like_disabled(net, net, images().requires_grad_())


def test_setting():
    assert memcnn.get_backend() == "compiled"
    with memcnn.set_backend("eager"):
        assert memcnn.get_backend() == "eager"
        assert _backend.find_binding(coupling(), False, images()) is None
    assert memcnn.get_backend() == "compiled"
    with pytest.raises(ValueError, match="a backend out of auto, eager, compiled, but got 'gpu'"):
        memcnn.set_backend("gpu")


def test_auto_compiles_what_takes_time():
    net = chain(memcnn.AdditiveCoupling(nn.Tanh(), nn.Tanh())).double()
    x = images(size=3)
    with memcnn.set_backend("auto"):
        for _ in range(5):
            net(x)
        kind = kind_of(net[0], x)
        assert kind.program is None and 0 < kind.seconds < 1
    with memcnn.set_backend("auto", compile_after=kind.seconds):
        net(x)
        assert kind.program is not None


def test_calls_of_many_shapes():
    """They are no reason to leave a coupling to PyTorch, whose knowledge of them is bounded."""
    net = chain(coupling(norm=False)).double()
    with memcnn.set_backend("auto", compile_after=1e9):
        for size in range(2 * _backend.TYPES_OF_ONE):
            net(images(batch=size + 1, size=2))
    assert len(_backend._bindings[net[0]._fn]._of_types) == _backend.TYPES_OF_ONE
    assert len(_backend._kinds) <= _backend.CACHE_SIZE
    assert_like_disabled(net, net, images().requires_grad_())
    assert kind_of(net[0], images().requires_grad_()).program is not None


def test_coupling_that_is_other_at_each_call():
    net = chain(memcnn.AdditiveCoupling(Scaled(), Scaled())).double()
    with memcnn.set_backend("auto", compile_after=1e9):
        with pytest.warns(UserWarning, match="were others in 64 calls"):
            for i in range(_backend.MOST_BINDINGS + 1):
                net[0]._fn.Fm.factor = float(i)
                net(images())
