# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Training on CUDA devices, on the emulator."""

import json

import numpy as np
import pytest
import torch
from emulator import on_emulator, runs_on_emulator

import cifar_files
import tiny_network  # noqa: F401  The network "tiny".
from memrev import aot, cuda, device_get, device_put, io, tree
from memrev.train import cifar, command, reduction, replicas
from memrev.train.programs import CompiledPrograms, make_optimizer
from memrev.train.settings import Settings

test_on_emulator = runs_on_emulator(__file__, slow=True, MEMREV_SIMT_DEVICES="2")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    cifar_files.write(folder, cifar.DATASETS["cifar10"], train=40, test=12)
    return folder


def run(data, results, capfd, *options, status=0):
    """(checkpoint after the last iteration, scalars, summary, output) of a run."""
    assert command.main(["tiny", "cifar10", f"--data-dir={data}", f"--results-dir={results}",
                         "--iterations=4", "--batch-size=4", "--log-every=1",
                         "--validate-every=2", "--checkpoint-every=2", *options]) == status
    out, err = capfd.readouterr()
    if status:
        return err
    folder = results / "tiny-cifar10"
    scalars = json.loads((folder / "log" / "scalars.json").read_text())
    return (io.load(folder / "checkpoints" / "00000004.npz")["arrays"],
            {name: [value for _, _, value in entries] for name, entries in scalars.items()},
            json.loads((folder / "summary.json").read_text()), out)


def assert_close(found, expected, rtol=1e-4):
    """Sums have another order on the device, and four steps amplify their rounding."""
    assert tree.structure(found) == tree.structure(expected)
    for x, y in zip(tree.leaves(found), tree.leaves(expected)):
        np.testing.assert_allclose(x, y, rtol=rtol, atol=1e-5)


@on_emulator
def test_run(data, tmp_path, capfd):
    """A run on the device is that on the processor, up to rounding, and goes on from its
    checkpoint on either."""
    expected = run(data, tmp_path / "cpu", capfd, "--no-cuda")
    found = run(data, tmp_path / "cuda", capfd)
    assert "1 process on sm_90a\n" in found[3] and "1 process\n" in expected[3]
    assert found[2]["device"] == "sm_90a" and expected[2]["device"] == "cpu"
    assert_close(found[0], expected[0])
    for name in ("train_loss", "test_loss", "test_acc"):
        np.testing.assert_allclose(found[1][name], expected[1][name], rtol=1e-4)
    assert found[2]["memory_planned_bytes"] == found[2]["memory_measured_bytes"]
    more = run(data, tmp_path / "cuda", capfd, "--iterations=4")
    assert "iteration 4 of 4" in more[3]
    assert more[2]["test_loss"] == pytest.approx(found[2]["test_loss"], rel=1e-6)


@on_emulator
def test_exported_library(data, tmp_path, capfd):
    """A library for the device that trained: its functions compute what Python's do there."""
    library = tmp_path / "model.so"
    run(data, tmp_path / "cuda", capfd, f"--export={library}")
    header = library.with_suffix(".h").read_text()
    assert "memrevCudaLastError" in header and "void step(" in header
    arrays = io.load(library.with_suffix(".npz"))
    network, opt_state = [arrays["params"], arrays["state"]], arrays["opt_state"]
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (4, 32, 32, 3)).astype(np.float32) - arrays["mean_image"]
    labels = rng.integers(0, 10, 4).astype(np.int32)
    programs = CompiledPrograms(tiny_network.tiny(), make_optimizer(Settings("tiny", "cifar10")),
                                device="cuda")
    exported = aot.Library(library)
    assert exported.target == "cuda" and exported.chip == "sm_90a"
    loss, logits = programs.evaluate(*network, images, labels)
    found_loss, found = exported["evaluate"](*tree.leaves(network), images, labels)
    np.testing.assert_array_equal(found, logits)
    assert found_loss == loss
    rate, draw = np.float32(0.01), np.int32(60)
    copies = tree.map(np.copy, (*network, opt_state))
    expected = device_get(programs.step(*device_put((*network, opt_state)), images, labels, 0.01,
                                        60))
    *_, loss, logits = exported["step"](*tree.leaves(copies), images, labels, np.array(rate),
                                        np.array(draw))
    for x, y in zip(tree.leaves((copies, loss, logits)),
                    tree.leaves((expected[:3], *expected[3:]))):
        np.testing.assert_array_equal(x, y)


@on_emulator
def test_accumulation(data, tmp_path, capfd):
    """Parts of a batch, whose gradients are averaged on the device."""
    found = run(data, tmp_path / "cuda", capfd, "--accumulate=2")
    expected = run(data, tmp_path / "cpu", capfd, "--accumulate=2", "--no-cuda")
    assert_close(found[0], expected[0])


@on_emulator
def test_variables_stay_on_the_device():
    settings = Settings("tiny", "cifar10")
    programs = CompiledPrograms(tiny_network.tiny(), make_optimizer(settings), device="cuda")
    at = programs.variables(0)
    rng = np.random.default_rng(0)
    batch = rng.normal(0, 60, (4, 32, 32, 3)).astype("f4"), np.arange(4, dtype="i4")
    places = []
    for i in range(3):
        at.params, at.state, at.opt_state, loss, logits = programs.step(
            at.params, at.state, at.opt_state, *batch, 0.1, i)
        assert loss.shape == () and isinstance(logits, np.ndarray)
        variables = tree.leaves((at.params, at.state, at.opt_state))
        places.append([leaf.address for leaf in variables])
    assert places[0] == places[1] == places[2]
    assert isinstance(at.as_dict()["params"], dict)
    assert all(isinstance(leaf, np.ndarray) for leaf in tree.leaves(at.as_dict()))


class Two:
    """Two processes, of which the other one has the same numbers."""

    size = 2

    def sum(self, array):
        array *= 2

    def sum_on_device(self, arrays):
        for array in arrays:
            double = cuda.to_device(2 * array.numpy())
            cuda.check(_copy(array, double))


def _copy(target, source):
    from memrev import _capi
    return _capi.lib.memrevDeviceCopy(target.address, source.address, target.nbytes, 0, 0)


@on_emulator
def test_mean():
    def value(x):
        return {"grads": device_put([np.full((3, 2), x, "f4"), np.full(5, x, "f8")]),
                "count": device_put(np.int32(7)), "numbers": np.array([x, 1.0])}

    mean = reduction.make_mean(value(1))
    assert type(mean) is reduction.DeviceMean
    for _ in range(2):
        for x in (1, 2, 6):
            mean.add(value(x))
        found = mean.take(Two())
        assert isinstance(found["grads"][0], cuda.DeviceArray)
        found = device_get(found)
        np.testing.assert_array_equal(found["grads"][0], np.full((3, 2), 3, "f4"))
        np.testing.assert_array_equal(found["grads"][1], np.full(5, 3, "f8"))
        np.testing.assert_array_equal(found["numbers"], [3, 1])
        assert found["count"] == 7
    mean.add(value(1))
    other = dict(value(1), count=device_put(np.int32(8)))
    with pytest.raises(ValueError, match="'.*' expects 7 as in the other parts"):
        mean.add(other)
    assert type(reduction.make_mean({"x": np.ones(2)})) is reduction.Mean


@on_emulator
def test_each_process_has_a_device(monkeypatch, data, tmp_path, capfd):
    """torch.distributed is given both backends, and arrays of the device as they lie there."""
    asked, summed = [], []

    class Group:
        @staticmethod
        def all_reduce(tensor):
            summed.append(tensor)
            tensor *= 2

        @staticmethod
        def destroy_process_group():
            pass

    monkeypatch.setattr(torch.distributed, "init_process_group",
                        lambda backend: asked.append(backend))
    monkeypatch.setattr(torch.cuda, "set_device", asked.append)
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("LOCAL_RANK", "1")
    found = replicas.Replicas(uses_cuda=True)
    assert asked == ["cuda:1", "cpu:gloo,cuda:nccl"]
    assert (found.device, found.chip, found.rank) == ("cuda:1", "sm_90a", 1)
    # Where PyTorch has no CUDA, tensors of the host stand for those of the device.
    found._group = Group
    arrays = [np.arange(6, dtype="f4").reshape(2, 3), np.ones(2), np.ones((), "f4")]
    found.sum_on_device(arrays)
    assert [tensor.shape for tensor in summed] == [(7,), (2,)]
    np.testing.assert_array_equal(arrays[0], 2 * np.arange(6).reshape(2, 3))
    np.testing.assert_array_equal(arrays[1], [2, 2])
    assert arrays[2] == 2
    monkeypatch.setenv("LOCAL_RANK", "5")
    err = run(data, tmp_path, capfd, status=1)
    assert "error: process 1 cannot use cuda:5, as LOCAL_RANK says: " in err


def test_without_a_device(monkeypatch):
    """Without a device training is on the processor."""
    asked = []
    monkeypatch.setattr(command, "Replicas", lambda uses_cuda: asked.append(uses_cuda) or 1 / 0)
    for available in (False, True):
        monkeypatch.setattr(cuda, "is_available", lambda: available)
        for options in ((), ("--no-cuda",)):
            with pytest.raises(ZeroDivisionError):
                command.main(["tiny", "cifar10", *options])
    assert asked == [False, False, True, False]
