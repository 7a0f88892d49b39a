# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The command line of training, with compiled programs."""

import ctypes
import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import sys

import numpy as np
import pytest

import cifar_files
import tiny_network
from memrev import aot, io, tree
from memrev.train import cifar, command
from memrev.train.settings import Settings

HERE = pathlib.Path(__file__).resolve().parent
ENVIRONMENT = dict(os.environ, PYTHONPATH=os.pathsep.join(map(str, (HERE.parent, HERE))))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    for dataset in cifar.DATASETS.values():
        cifar_files.write(folder, dataset, train=300, test=130)
    return folder


def options_of(data, results, *others, dataset="cifar10"):
    """The arguments of a run whose results are in the folder `results`."""
    return ["tiny", dataset, f"--data-dir={data}", f"--results-dir={results}",
            "--iterations=60", "--batch-size=20", "--log-every=5", "--validate-every=20",
            "--checkpoint-every=25", *others]


@pytest.fixture
def arguments(data, tmp_path):
    """Makes the arguments of a run; by default its results are in the folder "results"."""
    def make(*others, results="results", dataset="cifar10"):
        return options_of(data, tmp_path / results, *others, dataset=dataset)
    return make


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory):
    """A run that nothing disturbs: (its results, the exported library, its output)."""
    folder = tmp_path_factory.mktemp("whole")
    library = folder / "model.so"
    process = start(*options_of(data, folder, f"--export={library}"))
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return folder / "tiny-cifar10", library, out.splitlines()


def outcome(folder):
    """What a run computed: its arrays, and its scalars without times and measurements."""
    newest = max((folder / "checkpoints").iterdir())
    scalars = json.loads((folder / "log" / "scalars.json").read_text())
    return (io.load(newest)["arrays"], io.load(folder / "best.npz")["arrays"],
            {name: [entry[1:] for entry in entries] for name, entries in scalars.items()
             if not name.startswith("memory")})


def assert_same(a, b):
    (*a_arrays, a_scalars), (*b_arrays, b_scalars) = a, b
    assert tree.structure(a_arrays) == tree.structure(b_arrays)
    for x, y in zip(tree.leaves(a_arrays), tree.leaves(b_arrays)):
        np.testing.assert_array_equal(x, y)
    assert a_scalars == b_scalars


def start(*arguments, launcher=()):
    return subprocess.Popen([sys.executable, *launcher, HERE / "tiny_network.py", *arguments],
                            env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            text=True)


def test_run(whole, data, tmp_path, capfd):
    folder, _, lines = whole
    assert lines[0] == ("tiny on cifar10: 640 parameters, 300 training images, iteration 0 of "
                        "60, 1 process")
    assert any("60/60: loss" in line for line in lines)
    summary = json.loads((folder / "summary.json").read_text())
    _, _, scalars = outcome(folder)
    assert summary["test_accuracy_percent"] == scalars["test_acc"][-1][1] > 50
    assert summary["parameters"] == 640 and summary["iterations"] == 60
    assert summary["settings"]["lr_drops"] == [30, 45]
    # The same command once more has nothing to do but to evaluate and to export.
    library = tmp_path / "again.so"
    assert command.main(options_of(data, folder.parent, f"--export={library}")) == 0
    assert library.is_file() and "iteration 60 of 60" in capfd.readouterr().out
    again = json.loads((folder / "summary.json").read_text())
    for name in ("finished", "seconds"):
        assert summary.pop(name) and again.pop(name)
    assert again == summary


def test_cifar100_and_fresh(arguments, tmp_path, capfd):
    for options in (), ("--fresh", "--seed=1"):
        assert command.main(arguments("--iterations=10", *options, dataset="cifar100")) == 0
        out = capfd.readouterr().out
        assert "tiny on cifar100: 1450 parameters" in out and "iteration 0 of 10" in out
    summary = json.loads((tmp_path / "results" / "tiny-cifar100" / "summary.json").read_text())
    assert summary["settings"]["seed"] == 1


def test_exported_library(whole, data):
    """Its functions compute what Python's do, called by pointers."""
    _, library, _ = whole
    header = library.with_suffix(".h").read_text()
    arrays = io.load(library.with_suffix(".npz"))
    train, _ = cifar.load(cifar.DATASETS["cifar10"], data)
    np.testing.assert_allclose(arrays["mean_image"], train.pixels.mean(0), rtol=1e-6)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (20, 32, 32, 3)).astype(np.float32) - arrays["mean_image"]
    labels = rng.integers(0, 10, 20).astype(np.int32)
    settings = Settings("tiny", "cifar10")
    programs = command.CompiledPrograms(tiny_network.tiny(), command.make_optimizer(settings))
    loss, logits = programs.evaluate(arrays["params"], arrays["state"], images, labels)

    def call(name, leaves, results):
        size = int(header.split(f"#define {name.upper()}_ARENA_BYTES ")[1].split()[0])
        arena = np.empty(size + 64, np.uint8)
        start = -arena.ctypes.data % 64
        pointers = [leaf.ctypes.data for leaf in (*leaves, *results)]
        getattr(ctypes.CDLL(str(library)), name)(
            *map(ctypes.c_void_p, pointers), ctypes.c_void_p(arena.ctypes.data + start))

    network = [*tree.leaves(arrays["params"]), *tree.leaves(arrays["state"])]
    found_loss, found, predicted = np.empty((), np.float32), np.empty_like(logits), logits * 0
    call("predict", [*network, images], [predicted])
    call("evaluate", [*network, images, labels], [found_loss, found])
    for values in (found, predicted):
        np.testing.assert_array_equal(values, logits)
    assert found_loss == loss
    # The step works in place; what it gives besides is the loss and the logits.
    copies = tree.map(np.copy, {name: arrays[name] for name in ("params", "state", "opt_state")})
    rate, draw = np.array(0.01, np.float32), np.array(60, np.int32)
    loss, logits = np.empty((), np.float32), np.empty_like(logits)
    call("step", [*tree.leaves((copies["params"], copies["state"], copies["opt_state"])), images,
                  labels, rate, draw], [loss, logits])
    expected = programs.step(*(arrays[n] for n in ("params", "state", "opt_state")), images,
                             labels, 0.01, 60)
    found = (*(copies[name] for name in ("params", "state", "opt_state")), loss, logits)
    for x, y in zip(tree.leaves(found), tree.leaves(expected)):
        np.testing.assert_array_equal(x, y)


def test_library_for_a_device(whole, data, tmp_path, capfd):
    """Which need not be there; what compilers do not know is said before the training."""
    def main(folder, chip):
        return command.main(options_of(data, folder, f"--export={library}",
                                       f"--export-chip={chip}"))

    library = tmp_path / "model.so"
    assert main(whole[0].parent, "sm_80") == 0
    assert "memrevCudaLastError" in library.with_suffix(".h").read_text()
    exported = aot.Library(library)
    assert (exported.target, exported.chip) == ("cuda", "sm_80")
    capfd.readouterr()
    assert main(tmp_path, "sm_1") == 1
    out, err = capfd.readouterr()
    assert "error: no library can be exported: " in err and "sm_1" in err and not out
    assert not (tmp_path / "tiny-cifar10").exists()


def test_interrupted_run(whole, arguments, tmp_path):
    """SIGINT leaves a checkpoint and says so; the same command goes on to the bit."""
    options = arguments(results="parts")
    process = start(*options)
    for line in process.stdout:
        if line.startswith("iteration 10/"):
            process.send_signal(signal.SIGINT)
            break
    out, err = process.communicate(timeout=120)
    assert process.returncode == 128 + signal.SIGINT, err
    assert out.splitlines()[-1] == "stopped; the same command goes on from here"
    folder = tmp_path / "parts" / "tiny-cifar10"
    newest, = (folder / "checkpoints").iterdir()
    assert 10 < int(newest.stem) < 60
    assert command.main(options) == 0
    assert_same(outcome(folder), outcome(whole[0]))


@pytest.mark.slow
def test_two_processes_are_one(arguments, tmp_path):
    """Two processes under torchrun compute what one does that has the halves of each batch
    one after the other, to the bit."""
    assert command.main(arguments("--accumulate=2", results="one")) == 0
    process = start(*arguments(results="two"),
                    launcher=("-m", "torch.distributed.run", "--nproc-per-node=2"))
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert out.count("60/60: loss") == 1 and "2 processes" in out
    one, two = (outcome(tmp_path / name / "tiny-cifar10") for name in ("one", "two"))
    assert_same(one, two)


def test_accumulation_without_batch_norm_changes_rounding_only(arguments, tmp_path, monkeypatch):
    """Without statistics of the batch, parts of it give the gradient of the whole."""
    def make(classes):
        nn = tiny_network.nn
        return nn.Sequential(nn.AvgPool(8), nn.Conv2d(3, 4, 3), nn.GlobalAvgPool(),
                             nn.Linear(4, classes))

    monkeypatch.setitem(command.NETWORKS, "tiny", command.Network(make, "all"))
    options = "--iterations=10", "--lr=0.001"
    assert command.main(arguments(*options, results="one")) == 0
    assert command.main(arguments(*options, "--accumulate=4", results="four")) == 0
    one, four = (outcome(tmp_path / name / "tiny-cifar10") for name in ("one", "four"))
    for x, y in zip(tree.leaves(one[0]["params"]), tree.leaves(four[0]["params"])):
        np.testing.assert_allclose(x, y, rtol=2e-4, atol=1e-6)
    # The test can see a difference: the parameters have moved by more.
    before = make(10).init(0)["params"]
    assert max(np.abs(x - y).max()
               for x, y in zip(tree.leaves(one[0]["params"]), tree.leaves(before))) > 1e-3


def test_validation_on_held_out_images(arguments, tmp_path, data):
    assert command.main(arguments("--validation=100", "--iterations=20")) == 0
    folder = tmp_path / "results" / "tiny-cifar10"
    _, _, scalars = outcome(folder)
    assert set(scalars) == {"train_loss", "train_acc", "rate", "validation_loss",
                            "validation_acc"}
    summary = json.loads((folder / "summary.json").read_text())
    # 100 held-out images have accuracies of whole percents, 130 test images others.
    assert summary["best_accuracy_percent"] == scalars["validation_acc"][0][1]
    assert summary["test_accuracy_percent"] * 1.3 == pytest.approx(
        round(summary["test_accuracy_percent"] * 1.3))
    settings = Settings("tiny", "cifar10", validation=100)
    train, held_out, name, test = command.load_data(settings, data, command.Replicas())
    whole, _ = cifar.load(cifar.DATASETS["cifar10"], data)
    assert name == "validation" and (len(train), len(held_out), len(test)) == (200, 100, 130)
    np.testing.assert_array_equal(held_out.pixels, whole.pixels[200:])


def test_weight_decay(arguments, tmp_path):
    """After one step from equal gradients the difference is what decays."""
    for decay in ("all", "weights"):
        assert command.main(arguments(f"--decay={decay}", "--weight-decay=0.5",
                                      "--iterations=1", results=decay)) == 0
    all_, weights = (outcome(tmp_path / name / "tiny-cifar10")[0]["params"]["layers"]
                     for name in ("all", "weights"))
    before = tiny_network.tiny().init(0)["params"]["layers"]
    difference = weights[1]["scale"] - all_[1]["scale"]
    np.testing.assert_allclose(difference, 0.1 * 0.5 * before[1]["scale"], rtol=1e-4)
    np.testing.assert_array_equal(weights[2]["weight"], all_[2]["weight"])
    assert not np.array_equal(weights[2]["bias"], all_[2]["bias"])


def test_defaults():
    options = command.make_parser().parse_args(["revnet38", "cifar10"])
    assert command.make_settings(options) == Settings("revnet38", "cifar10")
    options = command.make_parser().parse_args(
        ["gomez_revnet38", "cifar100", "--iterations=1000", "--no-cuda", "--fresh"])
    settings = command.make_settings(options)
    assert settings == Settings("gomez_revnet38", "cifar100", iterations=1000,
                                lr_drops=(500, 750), decay="weights")
    options = command.make_parser().parse_args(
        ["resnet32", "cifar10", "--lr-drops=10,30", "--decay=weights", "--no-augment"])
    settings = command.make_settings(options)
    assert settings.lr_drops == (10, 30) and settings.decay == "weights" and not settings.augment


# ------------------------------------------------------------------------------
# Errors
# ------------------------------------------------------------------------------


def error_of(capfd, *arguments):
    """The message of a run that fails."""
    assert command.main([*arguments]) == 1
    message = capfd.readouterr().err
    assert message.startswith("error: ") and message.count("\n") == 1
    return message[len("error: "):-1]


@pytest.mark.parametrize("arguments, message", [
    (("revnet39", "cifar10"), "argument MODEL: invalid choice: 'revnet39' (choose from "),
    (("revnet38", "mnist"), "argument DATASET: invalid choice: 'mnist' (choose from "),
    (("revnet38",), "the following arguments are required: DATASET"),
    (("revnet38", "cifar10", "--lr=fast"), "argument --lr: invalid float value: 'fast'"),
    (("revnet38", "cifar10", "--lr-drops=1,x"), "argument --lr-drops: invalid numbers value"),
])
def test_wrong_options(capfd, arguments, message):
    with pytest.raises(SystemExit) as caught:
        command.main(arguments)
    assert caught.value.code == 2
    assert message in capfd.readouterr().err


def test_settings_that_do_not_fit(arguments, capfd, tmp_path):
    for option, message in (
            ("--batch-size=0", "batch_size expects a positive number, but got 0"),
            ("--accumulate=3", "batch_size expects a multiple of 3"),
            ("--validation=300", "validation expects less than the 300 training images"),
            (f"--export={tmp_path}/none/x.so", "expects to be in a folder that exists"),
            (f"--export={tmp_path}/x.npz", "expects another suffix, that of a shared library")):
        assert message in error_of(capfd, *arguments(option))


def test_budget_that_is_too_small(arguments, capfd):
    assert "expects a memory budget of at least" in error_of(
        capfd, *arguments("--memory-budget=100KiB"))


def test_missing_data(arguments, capfd, tmp_path, monkeypatch):
    unreachable = dataclasses.replace(cifar.DATASETS["cifar10"], url="http://127.0.0.1:1/x")
    monkeypatch.setitem(cifar.DATASETS, "cifar10", unreachable)
    message = error_of(capfd, *arguments(f"--data-dir={tmp_path / 'none'}"))
    assert "'cifar10' is not in" in message and "put 'cifar-10-binary.tar.gz'" in message


def test_divergence(arguments, capfd, tmp_path):
    message = error_of(capfd, *arguments("--lr=1e30"))
    assert "the loss became " in message and "in iteration " in message
    assert not list((tmp_path / "results" / "tiny-cifar10" / "checkpoints").iterdir())


def test_results_that_cannot_be_written(arguments, capfd, tmp_path):
    (tmp_path / "results").write_text("a file")
    assert "the experiment's folder cannot be made" in error_of(capfd, *arguments())


def test_help():
    process = start("--help")
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0 and "revnet38" in out and "--fresh" in out
