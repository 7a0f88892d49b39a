# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What rounding does to the gradients of flows, and what anchors and fixed point do about it."""

import importlib.util
import json
import pathlib
import statistics
import sys

import numpy as np
import pytest

import memrev
from flows_check import difference, largest
from memrev import flows, lax, nn, tree
from memrev import numpy as mnp

ACCURACY = pathlib.Path(__file__).resolve().parents[2] / "benchmarks" / "flows" / "accuracy.py"


@pytest.fixture(scope="module")
def accuracy():
    before = list(sys.path)
    spec = importlib.util.spec_from_file_location("flows_accuracy", ACCURACY)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.path[:] = before


@pytest.mark.slow
def test_anchors_give_the_gradients_of_stored_values(accuracy, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["accuracy.py", "--counts", "32", "--hidden", "16", "--batch",
                                      "2", "--seeds", "3", "--output", str(tmp_path)])
    accuracy.main()
    assert capsys.readouterr().out == (tmp_path / "flows-accuracy.md").read_text() + "\n"
    results = json.loads((tmp_path / "flows-accuracy.json").read_text())["results"]["32"]
    plain, anchors, stored = (results["glow"][way] for way in ("plain", "anchors", "stored"))
    for measure in ("dx", "dw"):
        wanted = statistics.median(stored[measure])
        assert statistics.median(anchors[measure]) <= 2 * wanted
        assert statistics.median(plain[measure]) > 10 * wanted
    assert (plain["workspace_bytes"] < anchors["workspace_bytes"]
            < 0.2 * stored["workspace_bytes"])
    # Exact mode: all bits of all gradients.
    assert results["additive"]["exact"]["differing"] == [0, 0, 0]
    assert min(results["additive"]["rounding"]["differing"]) > 0


@pytest.mark.parametrize("make", [flows.Householder, flows.FixedOrthogonal, flows.Orthogonal,
                                  flows.Permute])
def test_orthogonal_layers_need_no_anchors(make):
    """60 of them drift by 60 roundings or so, as they say by their gain."""
    model = flows.Repeat(flows.Sequential(make(6), flows.Reverse()), 60)
    variables = model.init(0)
    x = np.random.default_rng(0).standard_normal((4, 6)).astype(np.float32)

    def gradient(params, x):
        return memrev.grad(lambda params, x: (model.apply(
            params, variables["state"], x)[0][0] ** 3).sum(), (0, 1))(params, x)

    bounded = memrev.jit(gradient, drift_tolerance=3.5e-4)
    workspaces = {jitted.memory_report(variables["params"], x)["workspace_bytes"]
                  for jitted in (memrev.jit(gradient), bounded)}
    assert len(workspaces) == 1
    assert max(block.relative for block in bounded.drift_report(variables["params"], x)) < 1e-5


@pytest.mark.parametrize("two_sided", [False, True])
def test_fixed_point_layers_come_back_bit_for_bit(two_sided):
    model = flows.Repeat(flows.Sequential(flows.Reverse(), flows.AdditiveCoupling(
        5, flows.dense(7), two_sided=two_sided, fraction=14)), 200)
    variables, generator = model.init(0), np.random.default_rng(0)
    params = tree.map(lambda a: (0.1 * generator.standard_normal(a.shape)).astype(a.dtype),
                      variables["params"])
    x = generator.standard_normal((4, 5)).astype(np.float32)

    @memrev.jit
    def there_and_back(params, x):
        x = lax.fixed_point(x, 14)
        y = model.apply(params, {}, x)[0][0]
        return x, y, model.apply(params, {}, y, method="inverse")[0][0]

    x, y, back = there_and_back(params, x)
    assert np.isfinite(y).all() and np.abs(y - x).max() > 1
    np.testing.assert_array_equal(back, x)


# ------------------------------------------------------------------------------
# Streams of f32 with networks in fewer bits
# ------------------------------------------------------------------------------


class Narrow(nn.Module):
    """A network that computes in a narrower type, of arrays of a wider one."""

    def __init__(self, inputs, outputs, dtype):
        self.net = flows.DenseNet(inputs, outputs, (16, 16), np.tanh)
        self.dtype = dtype

    def __call__(self, x):
        if self.dtype is None:
            return self.net(x)
        for i, layer in enumerate(self.net.layers):
            x = (x.astype(self.dtype) @ layer.weight.astype(self.dtype)
                 + layer.bias.astype(self.dtype))
            x = mnp.tanh(x) if i + 1 < len(self.net.layers) else x
        return x.astype(np.float32)


def narrow_flow(dtype, count=16):
    return flows.Repeat(flows.Sequential(flows.Reverse(), flows.AffineCoupling(
        8, lambda inputs, outputs: Narrow(inputs, outputs, dtype), two_sided=True)), count)


def measured(dtype):
    """(error of the round trip, of the gradients by inversion, largest drift), relative."""
    model, generator = narrow_flow(dtype), np.random.default_rng(0)
    params = tree.map(lambda a: (0.2 * generator.standard_normal(a.shape)).astype(a.dtype),
                      model.init(0)["params"])
    x = generator.standard_normal((6, 8)).astype(np.float32)

    def loss(params, x):
        (z, log_det), _ = model.apply(params, {}, x)
        return (z * z).sum() - log_det.sum()

    @memrev.jit
    def round_trip(params, x):
        z = model.apply(params, {}, x)[0][0]
        return model.apply(params, {}, z, method="inverse")[0][0]

    stored, inverted = (memrev.jit(lambda params, x, policy=policy: memrev.grad(
        loss, (0, 1), policy=policy)(params, x)) for policy in ("store", "invert"))
    wanted = stored(params, x)
    return (difference(round_trip(params, x), x) / largest(x),
            difference(inverted(params, x), wanted) / largest(wanted),
            max(block.relative for block in inverted.drift_report(params, x)))


@pytest.mark.slow
def test_networks_in_fewer_bits_drift_as_those_in_f32():
    """The inverse evaluates the same rounded network: what was added is taken away again."""
    round_trip, _, drift = measured(None)
    for dtype, eps in (memrev.bfloat16, 2**-8), (np.float16, 2**-11):
        found = measured(dtype)
        assert found[0] <= 4 * round_trip and found[2] <= 4 * drift
        # What the network reads may be rounded the other way.
        assert found[1] <= eps
