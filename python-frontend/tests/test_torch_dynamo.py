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
from memrev.torch import _dynamo
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
