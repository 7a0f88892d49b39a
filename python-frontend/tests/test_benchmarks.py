# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The peers that benchmarks/revnet measures compute what memrev's networks do, and its tables
say what was run. benchmarks/torch measures its contestants."""

import dataclasses
import importlib.util
import json
import pathlib
import sys

import numpy as np
import pytest

from memrev import models, tree
from memrev.train.settings import Settings

BENCHMARKS = pathlib.Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def benchmark():
    folder = str(BENCHMARKS / "revnet")
    sys.path.insert(0, folder)
    yield lambda name: importlib.import_module(name)
    sys.path.remove(folder)


def weights(network):
    leaves, structure = tree.flatten(getattr(models, network)().init(0)["params"])
    return {"/".join(map(str, path)): leaf for path, leaf in zip(structure.paths(), leaves)}


@pytest.mark.parametrize("network", ["resnet32", "resnet110", "resnet164", "revnet38",
                                     "revnet110", "revnet164"])
def test_peers_have_the_parameters_of_memrev(benchmark, network):
    peers = pytest.importorskip("torch") and benchmark("peers")
    arrays, found = weights(network), {}
    for path, parameter, index in peers.Network(network, peers.stored).located:
        found.setdefault("/".join(map(str, path)), []).append(
            (index, peers.from_torch(parameter.detach().numpy()).shape))
    assert found.keys() == arrays.keys()
    for name, places in found.items():
        shape = arrays[name].shape
        if places[0][0] is None:
            assert places == [(None, shape)], name
        else:
            assert places == [(i, shape[1:]) for i in range(shape[0])], name


def test_peers_compute_one_gradient(benchmark):
    torch = pytest.importorskip("torch")
    pytest.importorskip("memcnn")
    pytest.importorskip("revtorch")
    peers = benchmark("peers")
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    images, labels = rng.standard_normal((4, 32, 32, 3)), rng.integers(0, 10, 4)
    arrays, gradients = weights("revnet38"), {}
    for name in ("torch", "memcnn", "revtorch"):
        step = peers.Step("revnet38", name, arrays, 0.1, torch.float64)
        step.prepare(images, labels)
        gradients[name] = step.gradients()
    for name, wanted in gradients["torch"].items():
        # The gradient of an offset in front of a batch norm is zero.
        scale = max(np.abs(wanted).max(), 1e-6)
        assert np.abs(gradients["revtorch"][name] - wanted).max() < 1e-9 * scale, name
        error = np.abs(gradients["memcnn"][name] - wanted).max() / scale
        # What MemCNN gets wrong: a ReLU's result does not come back by inversion.
        assert error > 0.1 if name.startswith("stem") else error < 1e-9, (name, error)


def test_tables_say_what_was_run(benchmark, tmp_path, monkeypatch, capsys):
    tables = benchmark("tables")

    def summary_of(**settings):
        chosen = dataclasses.asdict(Settings("a network", "cifar10", **settings))
        return {"test_accuracy_percent": 93.456, "seconds": 7384.0, "settings": chosen}

    for name, summary in {
            "revnet38-cifar10": summary_of(seed=3, log_every=7, policy="store"),
            "revnet38-cifar100": None,
            "resnet32-cifar10": summary_of(iterations=10, lr_drops=(5, 8)),
            "resnet32-cifar100": summary_of(batch_size=50, lr_drops=(5, 8))}.items():
        (tmp_path / name).mkdir()
        if summary:
            (tmp_path / name / "summary.json").write_text(json.dumps(summary))
    monkeypatch.setattr(tables, "RESULTS", tmp_path)
    monkeypatch.setattr(sys, "argv", ["tables.py", "--only-tables", "--runs", str(tmp_path),
                                      "--output", str(tmp_path / "tables.md")])
    assert tables.main() == 0
    text = (tmp_path / "tables.md").read_text()
    assert capsys.readouterr().out == text + "\n"
    assert "| revnet38 | 93.14 | 92.80 | 93.46 | 71.17 | 69.90 | not finished |" in text
    assert "| revnet38 | 2:17 | 2:09 | 2:03 | 2:20 | 2:16 | not finished |" in text
    assert ("| resnet32 | 92.74 | 92.86 | 93.46 (10 iterations) | 69.10 | 69.81 | 93.46 "
            "(batch_size 50, lr_drops (5, 8)) |") in text
    assert "| resnet110 | 93.99 | 93.55 | not run | 73.30 | 72.40 | not run |" in text
    assert "| revnet164 | 1983786 | 1983786 | 7.9 | 7.7 | 432.7 | not run | not run |" in text
    record = {"batch": 100, "results": {"memrev-invert": {"live_bytes": 30 << 20,
                                                          "peak_bytes": 50 << 20}}}
    (tmp_path / "revnet-revnet38.json").write_text(json.dumps(record))
    assert tables.main() == 0
    assert "| revnet38 | 573994 | 573994 | 2.3 | 2.2 | 85.6 | 30.0 | 50.0 |" in (
        tmp_path / "tables.md").read_text()


@pytest.mark.slow
def test_memcnns_networks_are_measured(tmp_path, monkeypatch, capsys):
    pytest.importorskip("torch")
    spec = importlib.util.spec_from_file_location("torch_run", BENCHMARKS / "torch" / "run.py")
    run = importlib.util.module_from_spec(spec)
    monkeypatch.setattr(sys, "path", list(sys.path))
    spec.loader.exec_module(run)
    monkeypatch.setattr(run, "PAUSE", 0)
    monkeypatch.setattr(sys, "argv", [
        "run.py", "blocks", "--contestants", "torch", "memrev-eager", "--batch", "2",
        "--threads", "1", "--rounds", "2", "--steps", "1", "--output", str(tmp_path)])
    run.main()
    record = json.loads((tmp_path / "torch-blocks.json").read_text())
    stored, restored = record["results"]["torch"], record["results"]["memrev-eager"]
    assert len(stored["seconds"]) == len(restored["seconds"]) == 2
    assert 0 < stored["minimum_seconds"] <= stored["median_seconds"] <= max(stored["seconds"])
    # Eight blocks keep the work of one: four tensors of half of the channels and more.
    assert 2e6 < 3 * restored["peak_bytes"] < stored["peak_bytes"]
    table = (tmp_path / "torch-blocks.md").read_text()
    assert capsys.readouterr().out == table + "\n"
    share = restored["peak_bytes"] / stored["peak_bytes"]
    assert f"| {restored['peak_bytes'] / 2**20:.1f} MiB | {share:.2f} |" in table
    with pytest.raises(RuntimeError, match=r"losses of b are \[1, 3\], but those of a \[1, 2\]"):
        run.check({"a": [1, 2], "b": [1, 3]})


def test_contestants_that_end_are_named(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS / "common")
    contestants = importlib.import_module("contestants")
    (tmp_path / "ends.py").write_text("import sys; sys.exit(3)")
    with pytest.raises(RuntimeError, match="the first exited with 3"):
        contestants.Contestant(tmp_path / "ends.py", ["the first"], 1)
