# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a captured graph keeps of a module, and what is refused before it is compiled."""

import inspect

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from memrev.torch import _fx
from memrev.torch._capture import CaptureError, ChangingModuleError, capture
from memrev.torch._compiled import CompiledModule
from memrev.torch._fx import UnsupportedOperation


class Function(nn.Module):
    def __init__(self, function):
        super().__init__()
        self._function = function

    def forward(self, *args):
        return self._function(self, *args)


def vector(size=4):
    return torch.linspace(-1, 1, size, dtype=torch.float64).requires_grad_()


def compare(module, *inputs):
    """Values and gradients of the inputs, compiled and eager."""
    found, expected = CompiledModule(module)(*inputs), module(*inputs)
    torch.testing.assert_close(found, expected)
    assert found.requires_grad == expected.requires_grad
    if expected.requires_grad:
        wrt = [x for x in inputs if x.requires_grad]
        for a, b in zip(*(torch.autograd.grad(y.sum(), wrt, allow_unused=True)
                          for y in (found, expected))):
            torch.testing.assert_close(torch.zeros(()) if a is None else a,
                                       torch.zeros(()) if b is None else b,
                                       check_dtype=False) if a is None else (
                torch.testing.assert_close(a, torch.zeros_like(a) if b is None else b))


def test_detached_values():
    compare(Function(lambda m, x: x.detach() * x + x.detach()), vector())


def test_regions_without_gradients():
    def region(m, x):
        y = torch.sin(x)
        with torch.no_grad():
            z = y * x
            w = z.exp()
        return y * z + w * x

    compare(Function(region), vector())


def test_gradients_inside_of_a_region():
    def region(m, x):
        with torch.no_grad():
            y = x * 2
            with torch.enable_grad():
                z = y * x
            w = z * x
        return z + w

    compare(Function(region), vector())


def test_a_result_without_gradients():
    def region(m, x):
        with torch.no_grad():
            return x * 2

    compare(Function(region), vector())


def test_buffers_that_change_without_gradients():
    def region(m, x):
        with torch.no_grad():
            m.state.mul_(0.5).add_(x)
            m.state[:1] = x[1:2]
        return m.state * x

    module = Function(region)
    module.register_buffer("state", torch.ones(4, dtype=torch.float64))
    compiled = CompiledModule(module)
    x = vector()
    found = compiled(x)
    state = module.state.clone()
    module.state.fill_(1)
    expected = module(x)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(state, module.state)
    gradient, = torch.autograd.grad(found.sum(), x)
    torch.testing.assert_close(gradient, state)


def test_inputs_that_change():
    module = Function(lambda m, x: x.add_(1) * 2)
    x = torch.zeros(3)
    found = CompiledModule(module)(x)
    assert x.tolist() == [1, 1, 1] and found.tolist() == [2, 2, 2]


def test_a_result_that_is_a_buffer():
    def run(m, x):
        m.count.add_(1)
        return m.count, m.count.view(1)

    module = Function(run)
    module.register_buffer("count", torch.zeros(()))
    count, view = CompiledModule(module)(torch.ones(1))
    assert count is module.count and view.data_ptr() == count.data_ptr() and count == 1


def test_autocast():
    net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.LayerNorm(16), nn.Linear(16, 4))
    compiled = CompiledModule(net)
    x = torch.linspace(-1, 1, 16).view(2, 8).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        found, expected = compiled(x), net(x)
    assert found.dtype == expected.dtype == torch.bfloat16
    torch.testing.assert_close(found, expected, rtol=0.02, atol=0.02)
    assert compiled(x).dtype == torch.float32


def test_autocast_inside():
    def run(m, x):
        with torch.autocast("cpu", torch.bfloat16):
            return m.linear(x).float() + x

    module = Function(run)
    module.linear = nn.Linear(4, 4)
    x = torch.linspace(-1, 1, 8).view(2, 4).requires_grad_()
    torch.testing.assert_close(CompiledModule(module)(x), module(x), rtol=0.02, atol=0.02)


class Cube(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x**3

    @staticmethod
    def backward(ctx, gradient):
        return gradient * 100


def custom_derivative(m, x):
    return Cube.apply(x) + x


def hooked(m, x):
    y = x * 2
    y.register_hook(lambda g: g * 3)
    return y


def changed_without_gradient(m, x):
    y = x * 2
    with torch.no_grad():
        y.mul_(3)
    return y * x


def changed_while_detached(m, x):
    y = x * 2
    y.detach().mul_(3)
    return y * x


def sorted_values(m, x):
    return x.sort()[0]


def complex_numbers(m, x):
    return torch.fft.fft(x).real


def mask(m, x):
    return x[x > 0]


def places_of_maxima(m, x):
    return F.max_pool1d(x[None], 2, return_indices=True)[1]


@pytest.mark.parametrize("function, message", [
    (custom_derivative, "CubeBackward.*an autograd function with a derivative of its own"),
    (hooked, "register_hook.*programs call nothing while they run"),
    (changed_without_gradient, "mul_.*in-place operation without a gradient"),
    (changed_while_detached, "mul_.*in-place operation on a detached tensor"),
    (lambda m, x: torch.linalg.inv(x.reshape(2, 2)), "linalg_inv"),
    (sorted_values, "aten.sort"),
    (complex_numbers, "complex"),
    (places_of_maxima, "the places of the maxima are read"),
])
def test_refused(function, message):
    with pytest.raises(UnsupportedOperation, match=message):
        CompiledModule(Function(function))(vector())


class Inverse(nn.Module):
    def forward(self, x):
        y = x + 1
        return torch.linalg.inv(y.reshape(2, 2))


def test_the_line_is_named():
    lines, first = inspect.getsourcelines(Inverse)
    number = first + next(i for i, line in enumerate(lines) if "linalg.inv" in line)
    with pytest.raises(UnsupportedOperation, match=rf"test_torch_capture.py:{number}: ") as error:
        CompiledModule(nn.Sequential(Inverse()))(vector())
    assert error.value.place.endswith(f":{number}")
    assert "linalg_inv" in error.value.operation


@pytest.mark.parametrize("function", [
    mask, lambda m, x: x * 2 if x.sum() > 0 else x, lambda m, x: x * x.sum().item()])
def test_what_depends_on_values(function):
    with pytest.raises((CaptureError, UnsupportedOperation)):
        CompiledModule(Function(function))(vector())


class Counting(nn.Module):
    calls = 0

    def forward(self, x):
        self.calls += 1
        return x * self.calls


def test_module_that_changes_itself():
    module = Counting()
    with pytest.raises(ChangingModuleError, match="Counting changes its attributes when it is"):
        capture(module, (torch.ones(2),))
    assert module.calls == 0


class Sorted(nn.Module):
    def forward(self, x):
        y = torch.cumprod(x, 0)
        z = torch.cumprod(y, 0) + torch.cumprod(y, 0)
        return torch.sort(z)[0]


def test_list_of_unsupported_operations():
    program = torch.export.export(Sorted(), (vector(),), strict=False)
    found = _fx.unsupported(program.run_decompositions({}).graph_module)
    assert [name for name, _ in found] == ["aten.cumprod.default", "aten.cumprod.default",
                                           "aten.sort.default"]
    assert all("test_torch_capture.py:" in place for _, place in found)


def test_other_devices_and_types():
    with pytest.raises(UnsupportedOperation, match="a tensor of torch.complex64"):
        CompiledModule(Function(lambda m, x: x * 2))(torch.zeros(2, dtype=torch.complex64))
    with pytest.raises(UnsupportedOperation, match="a tensor of torch.uint8"):
        CompiledModule(Function(lambda m, x: x * 2))(torch.zeros(2, dtype=torch.uint8))


def test_arguments_of_a_capture():
    module = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    found = capture(module, (torch.ones(4, 3),))
    kinds = [(a.kind, a.place) for a in found.arguments]
    assert kinds == [("parameter", "weight"), ("parameter", "bias"), ("parameter", "weight"),
                     ("parameter", "bias"), ("buffer", "running_mean"),
                     ("buffer", "running_var"), ("buffer", "num_batches_tracked"), ("input", 0)]
    assert [found.arguments[i].place for i, _ in found.mutations] == [
        "running_mean", "running_var", "num_batches_tracked"]
    assert found.requires_grad == [True]


def test_trace_in_a_trace():
    """A graph is a function of traced arrays, too."""
    import memrev

    module = nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU()).double()
    graph = capture(module, (torch.ones(1, 2, 5, 5, dtype=torch.float64),)).graph_module

    @memrev.jit
    def run(w, b, x):
        result, = _fx.trace(graph, w, b, x)
        return result.array

    x = torch.linspace(-1, 1, 50, dtype=torch.float64).view(1, 2, 5, 5)
    w, b = (p.detach().numpy() for p in module.parameters())
    torch.testing.assert_close(torch.from_numpy(run(w, b, x.numpy())), module(x).detach())
