# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""memrev.torch on CUDA devices: programs run on the emulator, on tensors in its memory. That
PyTorch's tensors say where they are is tested on tensors without numbers."""

import copy
import warnings

import pytest
import torch
from emulator import on_emulator, runs_on_emulator
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

import memrev
import memrev.torch as memcnn
from memrev.torch import _capture, _place
from memrev.torch._compiled import CompiledModule
from memrev.torch._fx import refusals
from memrev.torch._program import Layout, Program
from torch_cases import (
    KINDS, assert_close, assert_like_disabled, chain, coupling, images, weighted_sum,
)
from torch_emulated import empty, is_there, move, on_emulated_device, put

test_on_emulator = runs_on_emulator(__file__, slow=True)


@pytest.fixture(autouse=True)
def compiled():
    torch.manual_seed(0)
    with memcnn.set_backend("compiled"), warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # No coupling is left to PyTorch.
        yield


@on_emulator
@pytest.mark.parametrize("kind", KINDS)
def test_couplings(kind):
    """Forward and backward by programs on the device equal PyTorch without inversion."""
    net = move(chain(*(coupling(kind) for _ in range(2))).double())
    x = put(images(size=4)).requires_grad_()
    with on_emulated_device() as called:
        assert_like_disabled(net, net, x)
        assert {f.name for f in called} == {"run", "pull_back"}
        assert all(f._module.target == "cuda" for f in called)
        assert is_there(net(x)) and not is_there(x + 0)


@on_emulator
def test_training():
    """Steps of PyTorch's optimizer between the calls, statistics updated in place."""
    net = move(chain(*(coupling() for _ in range(2))).double())
    like = copy.deepcopy(net)
    x = put(images(size=4))
    for model in (net, like):
        optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9)
        for _ in range(3):
            optimizer.zero_grad()
            if model is net:
                with on_emulated_device():
                    weighted_sum(model(x)).backward()
            else:
                with memcnn.set_backend("eager"):
                    weighted_sum(model(x)).backward()
            optimizer.step()
    assert_close(list(net.state_dict().values()), list(like.state_dict().values()), 1e-9)


class Lookup(nn.Module):
    """Has checks of indices, dropout, and a tensor that is not aligned to 16 bytes."""

    def __init__(self):
        super().__init__()
        self.table = nn.Parameter(torch.randn(5, 3))
        self.shift = nn.Parameter(put(torch.arange(9.0))[1:])
        self.drop = nn.Dropout()

    def forward(self, i, x):
        return self.drop(self.table[i].sum() * x) + self.shift


@on_emulator
def test_modules():
    module = Lookup()
    assert module.shift.data_ptr() % 16
    compiled = CompiledModule(module)
    i, x = put(torch.tensor([0, 3])), put(torch.arange(8.0)).requires_grad_()
    with on_emulated_device() as called:
        torch.manual_seed(1)
        first = compiled(i, x)
        torch.manual_seed(1)
        assert torch.equal(first, compiled(i, x))
        assert not torch.equal(first, compiled(i, x))
        first.sum().backward()
        # What was dropped has no gradient; the others are scaled by two.
        kept = (first.detach() - module.shift.detach()) != 0
        factor = 2 * module.table.detach()[i].sum()
        torch.testing.assert_close(x.grad, torch.where(kept, factor, 0.0 * factor))
        torch.testing.assert_close(module.shift.grad, torch.ones(8))
        with pytest.raises(IndexError, match="out of (bounds|range)"):
            compiled(put(torch.tensor([5, 0])), x)
        assert called


@on_emulator
def test_torch_compile():
    net = move(nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(),
                             nn.Flatten(), nn.Linear(64, 5)))
    x = put(torch.randn(2, 3, 4, 4))
    expected = net(x)
    gradients = torch.autograd.grad(weighted_sum(expected), list(net.parameters()))
    with on_emulated_device() as called:
        found = torch.compile(net, backend="memrev")(x)
        assert_close([found], [expected], 1e-5)
        assert_close(torch.autograd.grad(weighted_sum(found), list(net.parameters())),
                     gradients, 1e-4)
    assert {f._module.target for f in called} == {"cuda"}


@on_emulator
def test_memory_is_pytorchs():
    """Results and what a call works in are of PyTorch's allocator: memrev has none."""
    net = move(chain(coupling()).double())
    x = put(images(size=4)).requires_grad_()
    with on_emulated_device() as called:
        weighted_sum(net(x)).backward()
        assert max(f.workspace_bytes for f in called) > 0
        memrev.cuda.free_idle()
        before = memrev.cuda.allocated_bytes()
        arguments = [put(torch.zeros(p.shape, dtype=torch.double)) for p in called[0].arguments]
        results = [empty(p.shape, torch.double) for p in called[0].results]
        _place.run(called[0], arguments, results, _place.CPU)
        del arguments, results
        memrev.cuda.free_idle()
        assert memrev.cuda.allocated_bytes() == before


class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(4, 4))
        self.scale = nn.Parameter(torch.tensor(2.0))

    def forward(self, x):
        return x @ self.weight * self.scale


def elsewhere(tensor, device="cuda:0"):
    """A tensor without numbers that is like another one and says that it is on a device."""
    with FakeTensorMode():
        return torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype,
                                   device=device)


def test_tensors_say_where_they_are(monkeypatch):
    """A program is for the device of the tensors; numbers may be on the CPU."""
    module, x = Scaled(), torch.empty(2, 4)
    captured = _capture.capture(module, (x,))
    nodes = list(captured.graph_module.graph.nodes)
    values = [node for node in nodes if "val" in node.meta and node.meta["val"].ndim]
    for node in values:
        node.meta["val"] = elsewhere(node.meta["val"])
    tensors = [elsewhere(x) if a.kind == "input" else a.read([x]) for a in captured.arguments]
    tensors = [t if t.ndim == 0 else elsewhere(t) for t in tensors]
    device = _place.device_of(tensors)
    assert device == torch.device("cuda", 0) and _place.device_of([x]) == _place.CPU
    asked = []
    monkeypatch.setattr(_place, "options_of", lambda device: asked.append(device) or {
        "target": "cuda", "chip": "sm_90"})
    program = Program(captured, [Layout.of(t, device) for t in tensors], [0], device)
    assert asked == [device]
    layouts = [*program.arguments, *program.results, *program._saved]
    assert {layout.device for layout in layouts} == {device}
    with FakeTensorMode():
        assert layouts[0].empty().device == device
    for node, reason in ((values[0], "a tensor on cpu beside one on cuda:0"),
                         (values[-1], "a result on cpu of a tensor on cuda:0")):
        found, node.meta["val"] = node.meta["val"], elsewhere(node.meta["val"], "cpu")
        assert reason in map(lambda refusal: refusal.reason, refusals(captured.graph_module))
        node.meta["val"] = found
    assert not refusals(captured.graph_module)


def test_devices_that_have_no_programs(monkeypatch):
    assert _place.why_not(torch.device("cuda", 1)) is None
    assert _place.why_not(torch.device("mps")) == "a tensor on mps"
    monkeypatch.setattr(torch.version, "hip", "6.0")
    assert _place.why_not(torch.device("cuda", 1)) == "a tensor on cuda:1"


def test_current_stream(monkeypatch):
    class Stream:
        cuda_stream = 1234

    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: Stream)
    assert _place.stream_of(torch.device("cuda", 0)) == 1234
