# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""How large the arena of a training step of Glow is, and what benchmarks/flows measures."""

import functools
import importlib.util
import json
import pathlib
import sys

import pytest

import memrev
import slow
from memrev import ShapeDtype, flows, tree

BENCHMARKS = pathlib.Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def load():
    """A function that loads a module of benchmarks/flows."""
    before = list(sys.path)
    sys.path.insert(0, str(BENCHMARKS / "flows"))

    def module(name):
        spec = importlib.util.spec_from_file_location(f"flows_{name}",
                                                      BENCHMARKS / "flows" / f"{name}.py")
        found = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(found)
        return found

    yield functools.cache(module)
    sys.path[:] = before


def bytes_of(arrays):
    return sum(leaf.nbytes for leaf in tree.leaves(arrays))


def report(networks, count, mix=flows.FixedOrthogonal, levels=3, size=64, batch=8, hidden=64):
    """(the memory report of the step, the bytes of its parameters)."""
    model = networks.glow(levels, count, hidden=hidden, mix=mix)
    variables = model.init(0)
    shapes = tree.map(lambda a: ShapeDtype(a.shape, a.dtype), variables)

    def step(params, state, x):
        return memrev.value_and_grad(
            lambda params: networks.negative_log_likelihood(model, params, state, x))(params)

    text = memrev.jit(step).mlir(shapes["params"], shapes["state"],
                                 ShapeDtype((batch, size, size, 3)))
    [found] = memrev.compile(text, until="bufferize").memory_report()
    return found, bytes_of(variables["params"])


@pytest.mark.slow
def test_the_arena_is_what_lives_at_once_at_any_depth(load):
    """The Glow of the benchmark: 3 levels, 64x64x3, batch 8, 64 hidden channels."""
    networks, workspaces = load("networks"), set()
    for count in (4, 32):
        found, parameters = report(networks, count)
        alive = sum(buffer["bytes"] for buffer in found["at_peak"])
        assert alive <= found["workspace_bytes"] <= 1.05 * alive
        # What grows with the depth are the gradients, which are results, with the loss.
        assert found["result_bytes"] == parameters + 4
        workspaces.add(found["workspace_bytes"])
    assert len(workspaces) == 1
    # The hidden channels of one network, three times, are 6 MiB.
    assert workspaces.pop() <= 8.6 * 2**20


@pytest.mark.parametrize("mix", slow.but([flows.Householder],
                                         [flows.Householder, flows.LULinear]))
def test_trained_mixings_are_flat_in_depth(load, mix):
    workspaces = {report(load("networks"), count, mix, 2, 16, 2, 8)[0]["workspace_bytes"]
                  for count in (3, 24)}
    assert len(workspaces) == 1


def measure(load, monkeypatch, tmp_path, *arguments):
    """The module run, of which it ran `main`."""
    run = load("run")
    monkeypatch.setattr(run, "PAUSE", 0)
    monkeypatch.setattr(sys, "argv", ["run.py", *arguments, "--hidden", "8", "--threads", "1",
                                      "--rounds", "1", "--output", str(tmp_path)])
    run.main()  # Raises unless all find the same loss and gradients.
    return run


def test_peers_are_measured(load, tmp_path, monkeypatch, capsys):
    pytest.importorskip("FrEIA")
    run = measure(load, monkeypatch, tmp_path, "--counts", "2", "5", "--contestants",
                  "memrev-invert", "freia", "--levels", "1", "--size", "16", "--batch", "2")
    results = json.loads((tmp_path / "flows.json").read_text())["results"]
    assert results["5"]["freia"]["parameters"] == results["5"]["memrev-invert"]["parameters"]
    activations = [r["memrev-invert"]["peak_bytes"] - r["memrev-invert"]["gradient_bytes"]
                   for r in results.values()]
    # Arrays are objects, too.
    assert abs(activations[1] - activations[0]) < 16384
    assert results["5"]["memrev-invert"]["peak_bytes"] < results["5"]["freia"]["peak_bytes"]
    assert capsys.readouterr().out == (tmp_path / "flows.md").read_text() + "\n"
    with pytest.raises(RuntimeError, match="b found {'loss': 2}, but a {'loss': 1}"):
        run.check({"a": {"loss": 1}, "b": {"loss": 2}})


def test_peers_with_splines_are_measured(load, tmp_path, monkeypatch, capsys):
    pytest.importorskip("FrEIA")
    pytest.importorskip("nflows")
    measure(load, monkeypatch, tmp_path, "--network", "splines", "--counts", "3", "--flow-steps",
            "4", "--batch", "64")
    record = json.loads((tmp_path / "flows-splines.json").read_text())
    found = {name: result["peak_bytes"] for name, result in record["results"]["3"].items()}
    assert 0 < found["memrev-invert"] < found["memrev-store"] < found["freia-nflows"]
    assert capsys.readouterr().out == (tmp_path / "flows-splines.md").read_text() + "\n"


def test_a_spline_flow_is_flat_in_depth(load):
    """And takes less than the parameters of its splines, 29 for each element, five times."""
    networks = load("networks")

    def workspace(steps):
        model = networks.splines(8, steps, 64)
        variables = model.init(0)
        text = memrev.jit(lambda params, x: memrev.value_and_grad(
            lambda params: networks.negative_log_likelihood(
                model, params, variables["state"], x))(params)).mlir(
                    variables["params"], ShapeDtype((1024, 8)))
        return memrev.compile(text, until="bufferize").memory_report()[0]["workspace_bytes"]

    few, many = workspace(2), workspace(16)
    assert few == many < 5 * 4 * 1024 * 4 * 29
