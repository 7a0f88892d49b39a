# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""torch.compile(backend="memrev") beside eager PyTorch."""

import copy
import inspect
import os
import re
import subprocess
import sys
import warnings

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from conftest import ROOT
from memrev.torch import _capture, _dynamo
from test_torch_compiled import Attention, Block, assert_steps_equal, images, step


@pytest.fixture(autouse=True)
def clean():
    torch.manual_seed(0)
    torch._dynamo.reset()
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "PyTorch runs a graph")
        yield
    torch._dynamo.reset()


@pytest.fixture
def programs(monkeypatch):
    """The programs that the backend compiles."""
    found = []
    original = _dynamo._CompiledGraph._compile

    def compile(self, args):
        found.append(original(self, args))
        return found[-1]

    monkeypatch.setattr(_dynamo._CompiledGraph, "_compile", compile)
    return found


def check(module, *inputs):
    reference = copy.deepcopy(module)
    compiled = torch.compile(module, backend="memrev")
    found = step(compiled, module, *inputs)
    assert_steps_equal(found, step(reference, reference, *inputs))
    return compiled


def test_convolutional_network(programs):
    net = nn.Sequential(nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), Block(4, 6, 2),
                        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 3)).double()
    check(net, images())
    program, = programs
    assert program is not None and program.program.wrt


def test_perceptron(programs):
    check(nn.Sequential(nn.Linear(4, 8), nn.LayerNorm(8), nn.GELU(), nn.Linear(8, 3)).double(),
          images(2, 4))
    assert len(programs) == 1 and programs[0] is not None


def test_attention(programs):
    check(Attention(8, 2).double(), images(2, 5, 8))
    assert len(programs) == 1 and programs[0] is not None


def test_graph_breaks(programs):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 2)

        def forward(self, x):
            x = torch.tanh(self.first(x))
            torch._dynamo.graph_break()
            return self.second(x)

    check(Net().double(), images(3, 4))
    assert len(programs) == 2 and None not in programs


class Sorted(nn.Module):
    def forward(self, x):
        y = x.sin()
        return y.sort()[0] * y


def test_unsupported_operations_are_run_by_pytorch(programs):
    lines, first = inspect.getsourcelines(Sorted)
    number = first + next(i for i, line in enumerate(lines) if "sort()" in line)
    with pytest.warns(UserWarning, match=rf"test_torch_dynamo.py:{number}: .*aten.sort") as record:
        compiled = check(Sorted(), images(3, 4))
        compiled(images(3, 4).requires_grad_())
    assert sum("PyTorch runs a graph" in str(w.message) for w in record) == 1
    assert programs == [None]


def test_custom_derivatives_are_kept():
    class Double(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, gradient):
            return gradient * 2

    def run(x):
        return Double.apply(x.sin()).sum()

    x = images(3).requires_grad_()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.compile(run, backend="memrev")(x).backward()
    torch.testing.assert_close(x.grad, 2 * torch.cos(x.detach()))


def test_without_gradients(programs):
    net = nn.Linear(4, 2).double()
    compiled = torch.compile(net, backend="memrev")
    x = images(3, 4)
    with torch.no_grad():
        y = compiled(x)
    assert not y.requires_grad
    torch.testing.assert_close(y, net(x).detach())
    torch.testing.assert_close(compiled(x), net(x))
    assert compiled(x).requires_grad


def test_regions_without_gradients():
    def run(x):
        with torch.no_grad():
            y = x * 2
        return (x * y).sum()

    x = images(3).requires_grad_()
    torch.compile(run, backend="memrev")(x).backward()
    torch.testing.assert_close(x.grad, 2 * x.detach())


def test_other_shapes(programs):
    net = nn.Sequential(nn.Linear(4, 3), nn.ReLU()).double()
    compiled = torch.compile(net, backend="memrev")
    for batch in (2, 5, 7, 5):
        x = images(batch, 4)
        torch.testing.assert_close(compiled(x), net(x))
    assert None not in programs and len(programs) <= 3


def test_programs_are_bounded(monkeypatch):
    """Where Dynamo leaves sizes open, one graph meets all of them."""
    monkeypatch.setattr(_dynamo, "CACHE_SIZE", 3)
    graphs = []
    original = _dynamo._CompiledGraph.__init__
    monkeypatch.setattr(_dynamo._CompiledGraph, "__init__", lambda self, graph: (
        graphs.append(self), original(self, graph))[1])
    compiled = torch.compile(torch.sin, backend="memrev", dynamic=True)
    for size in (2, 3, 4, 5, 6, 2):
        x = images(size)
        torch.testing.assert_close(compiled(x), torch.sin(x))
    assert [len(graph._programs) for graph in graphs] == [3]


def test_arguments_that_share_memory():
    """A program reads all arguments before it changes one."""
    def run(x, y):
        x.add_(1)
        return y * 2

    compiled = torch.compile(run, backend="memrev", dynamic=False)
    for second in (lambda x: x[1:], lambda x: x[:-1].view(3, 1)[:, 0]):
        x = images(4)
        like = x.clone()
        with pytest.warns(UserWarning, match="that it changes shares memory with another one"):
            found = compiled(x[:3], second(x))
            torch._dynamo.reset()
        torch.testing.assert_close(found, run(like[:3], second(like)))
        torch.testing.assert_close(x, like)
    # Neighbours do not, and what is not changed may.
    x = images(6)
    like = x.clone()
    torch.testing.assert_close(compiled(x[:3], x[3:]), run(like[:3], like[3:]))
    product = torch.compile(torch.mul, backend="memrev")
    torch.testing.assert_close(product(x[1:], x[:5]), x[1:] * x[:5])


def test_graphs_that_fail_leave_no_trace():
    """A graph is traced until it fails: in a transform of torch.func, or under autocast."""
    def derivative(x):
        return torch.func.grad(lambda y: (y ** 3).sum())(x)

    def cast(x, step):
        with torch.autocast("cpu", torch.bfloat16):
            y = x @ x.t()
            return y * step.item()

    depth = _capture._autocast_depth()
    with torch._dynamo.config.patch(capture_scalar_outputs=True):
        for run, *args in ((derivative, images(3)), (cast, images(2, 2), torch.tensor(2.0))):
            with pytest.warns(UserWarning, match="PyTorch runs a graph"):
                found = torch.compile(run, backend="memrev")(*args)
            torch.testing.assert_close(found, run(*args))
            assert torch._C._functorch.get_dynamic_layer_stack_depth() == 0
            assert torch._C._autograd._saved_tensors_hooks_is_enabled()
            assert _capture._autocast_depth() == depth


def test_failures_of_any_kind(monkeypatch):
    def fail(*args):
        raise KeyError("something")

    monkeypatch.setattr(_dynamo, "Evaluation", fail)
    with pytest.warns(UserWarning, match="does not compile: KeyError: 'something'"):
        x = images(3)
        torch.testing.assert_close(torch.compile(torch.sin, backend="memrev")(x), torch.sin(x))


def test_batches_of_gradients():
    def run(x):
        return x.sin() * x[0]

    x = images(3)
    compiled = torch.compile(run, backend="memrev")
    found, expected = (torch.autograd.functional.jacobian(f, x, vectorize=True)
                       for f in (compiled, run))
    torch.testing.assert_close(found, expected)


def test_training_step():
    """The backward pass runs inside of the compiled function, and is no graph of its own."""
    results = []
    for compile in (lambda f: f, lambda f: torch.compile(f, backend="memrev")):
        torch.manual_seed(0)
        net = nn.Linear(3, 2).double()
        optimizer = torch.optim.SGD(net.parameters(), 0.1)

        def train(x):
            optimizer.zero_grad()
            loss = net(x).square().mean()
            loss.backward()
            optimizer.step()
            return loss.detach()

        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            run = compile(train)
            losses = [run(images(4, 3)) for _ in range(3)]
        assert not any("empty_strided" in str(w.message) for w in caught)
        results.append((losses, list(net.parameters())))
    torch.testing.assert_close(*results)


def test_changed_inputs_and_views(programs):
    def run(x, y):
        y.add_(x.detach())
        return y.view(-1), x.t()

    x, y = images(2, 3).requires_grad_(), images(2, 3)
    expected = y + x.detach()
    first, second = torch.compile(run, backend="memrev")(x, y)
    torch.testing.assert_close(y, expected)
    assert first.data_ptr() == y.data_ptr() and second.data_ptr() == x.data_ptr()
    assert second.requires_grad
    assert None not in programs


def test_functions_and_dropout(programs):
    def run(x, w):
        return F.dropout(torch.relu(x @ w), 0.5).sum(0)

    x, w = torch.ones(64, 8), torch.ones(8, 500, requires_grad=True)
    y = torch.compile(run, backend="memrev")(x, w)
    y.sum().backward()
    assert abs(y.mean() / 64 / 8 - 1) < 0.1 and (w.grad > 0).all()
    assert len(programs) == 1 and programs[0] is not None


NAMED = """
import torch
f = torch.compile(lambda x: x.sin() * 2, backend="memrev")
x = torch.linspace(0, 1, 5)
torch.testing.assert_close(f(x), x.sin() * 2)
import memrev.torch, sys
assert torch._dynamo.lookup_backend("memrev") is memrev.torch._dynamo.memrev
"""


def test_installed_packages_are_found_by_name(tmp_path):
    configuration = (ROOT / "python-frontend" / "pyproject.toml").read_text()
    section = re.search(r"\[project.entry-points.(\w+)\]\n(\w+) = \"(.*)\"", configuration)
    folder = tmp_path / "memrev-0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: memrev\nVersion: 0\n")
    (folder / "entry_points.txt").write_text("[{}]\n{} = {}\n".format(*section.groups()))
    path = os.pathsep.join([str(tmp_path), str(ROOT / "python-frontend")])
    subprocess.run([sys.executable, "-W", "ignore", "-c", NAMED], check=True,
                   env=dict(os.environ, PYTHONPATH=path))
