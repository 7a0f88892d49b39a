# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""benchmarks/revnet on a GPU: memrev's part on the emulator, and what is said where something
is missing."""

import importlib
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from emulator import on_emulator, runs_on_emulator

import tiny_network
from memrev import models, tree

test_on_emulator = runs_on_emulator(__file__, slow=True)

REVNET = pathlib.Path(__file__).resolve().parents[2] / "benchmarks" / "revnet"


@pytest.fixture
def benchmark(monkeypatch):
    monkeypatch.syspath_prepend(REVNET.parent / "common")
    monkeypatch.syspath_prepend(REVNET)
    return importlib.import_module


@pytest.fixture
def step(benchmark, monkeypatch):
    """memrev's step of a network that the emulator runs in no time."""
    monkeypatch.setattr(models, "tiny", tiny_network.tiny, raising=False)
    leaves, structure = tree.flatten(tiny_network.tiny().init(0)["params"])
    arrays = {"/".join(map(str, path)): leaf for path, leaf in zip(structure.paths(), leaves)}
    contestant = benchmark("contestant")

    def make(device):
        made = contestant.build("memrev-invert", "tiny", arrays, 1, device, "ieee")
        made.prepare(*contestant.data(2))
        return made

    return make


@on_emulator
def test_step(benchmark, step):
    contestant = benchmark("contestant")
    there, here = step("cuda"), step("cpu")
    for found, expected in zip(there.gradients().items(), here.gradients().items()):
        assert found[0] == expected[0]
        np.testing.assert_allclose(found[1], expected[1], rtol=1e-4, atol=1e-6)
    found, expected = (contestant.run_steps(s, 3) for s in (there, here))
    np.testing.assert_allclose(found["losses"], expected["losses"], rtol=1e-5)
    assert len(found["seconds"]) == 1 and len(expected["seconds"]) == 3
    assert json.dumps(found)
    memory = contestant.measure_memory(there, None)
    assert memory == {"peak_bytes": there.facts()["planned_bytes"]}


def test_tables(benchmark):
    report = benchmark("report")
    record = {
        "network": "revnet38", "parameters": 573994, "batch": 100, "threads": 2,
        "device": "cuda", "precision": "tf32", "date": "2026-01-01", "command": "run.py",
        "not_run": {"memcnn": "PyTorch 2 has no CUDA"},
        "machine": {"cpu": "a CPU", "cores": 2, "vectors": "avx2", "load": 0.0,
                    "gpu": {"name": "a GPU", "driver_version": "580.1", "clocks.sm": "1980"}},
        "versions": {"python": "3.11", "torch": None},
        "results": {"memrev-invert": {
            "median_seconds": 0.01234, "minimum_seconds": 0.012, "peak_bytes": 50 << 20,
            "planned_bytes": 50 << 20, "compile_seconds": 12.3}},
    }
    text = report.table(record)
    assert "| memrev, policy(invert) | 12.34 ms | 1.00 | 12.00 ms | – | 50.0 MiB | 1.00" in text
    assert "| MemCNN | not run: PyTorch 2 has no CUDA |" in text
    assert "Planned peaks: memrev, policy(invert) 50.0 MiB." in text
    assert "f32 (tf32 products), a GPU, driver_version 580.1, clocks.sm 1980." in text
    assert report.prefix_of("cuda") == "revnet-cuda"


def test_who_can_run(benchmark, monkeypatch):
    torch = pytest.importorskip("torch")
    run = benchmark("run")
    options = type("Options", (), {"device": "cuda"})
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    names, not_run = run.split_by_device(["memrev-invert", "torch", "memcnn"], options)
    assert names == ["memrev-invert"]
    assert not_run == dict.fromkeys(["torch", "memcnn"],
                                    f"PyTorch {torch.__version__} has no CUDA")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert run.split_by_device(["torch"], options) == (["torch"], {})
    options.device = "cpu"
    assert run.split_by_device(["torch"], options) == (["torch"], {})


GPU = REVNET.parent / "gpu"
SMALL = ["odd_gemm", "odd_softmax", "odd_elements", "odd_rows", "odd_columns",
         *(f"{size}_3x3_{of}" for size in ("odd", "even")
           for of in ("forward", "image", "filter"))]


@pytest.mark.parametrize("name", SMALL)
def test_peers_of_kernels(benchmark, monkeypatch, name):
    """What PyTorch is timed at is what memrev computes."""
    torch = pytest.importorskip("torch")
    monkeypatch.syspath_prepend(GPU)
    program = benchmark("programs").families()["tails_f32"]().programs[name]
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(a.shape, np.float32) for a in program.arguments]
    expected = program.function(*arrays)
    function = benchmark("pytorch")._KINDS[program.peer["kind"]](torch, program.peer)
    tensors = [torch.from_numpy(array) for array in arrays]
    found = function(*getattr(function, "prepare", lambda tensors: tensors)(tensors))
    if program.peer["kind"] == "convolution":
        of = program.peer["of"]
        found = found if of == "forward" else found[("image", "filter").index(of)]
        found = found.permute(2, 3, 1, 0) if of == "filter" else found.permute(0, 2, 3, 1)
    found, expected = (x if isinstance(x, tuple) else (x,) for x in (found, expected))
    for f, e in zip(found, expected):
        np.testing.assert_allclose(f.numpy(), e, rtol=1e-4, atol=1e-4)


def test_peer_of_the_transformer(benchmark, monkeypatch):
    """Two steps have the losses and the norms of gradients of memrev's."""
    pytest.importorskip("torch")
    monkeypatch.syspath_prepend(GPU)
    program = benchmark("programs").language_step(2, 6, 8, 2, 2)
    params, opt_state, tokens, rate = program.arguments
    leaves, structure = tree.flatten({"params": params, "tokens": tokens, "rate": rate})
    leaves = [np.array(leaf) for leaf in leaves]
    names = [{"name": ".".join(map(str, path))} for path in structure.paths()]
    step = benchmark("pytorch")._language(program.peer, names, leaves, "cpu")
    params, opt_state = tree.map(np.array, (params, opt_state))
    for _ in range(2):
        params, opt_state, *expected = program.function(params, opt_state, tokens, rate)
        np.testing.assert_allclose([float(x) for x in step()], expected, rtol=1e-3)


def test_no_driver(tmp_path):
    """Nothing runs without a GPU, and one line says why."""
    environment = dict(os.environ, LD_LIBRARY_PATH="", CUDA_VISIBLE_DEVICES="")
    result = subprocess.run(
        [sys.executable, REVNET / "run.py", "revnet38", "--device=cuda", f"--output={tmp_path}"],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert result.returncode == 1 and result.stderr.startswith("error: "), result.stderr
    assert result.stderr.count("\n") == 1 and not list(tmp_path.iterdir())
