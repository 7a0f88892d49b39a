# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The training loop, with a network that is written by hand."""

import dataclasses
import errno
import json
import os
import pathlib
import resource
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest

import cifar_files
import numpy_programs
from memrev import tree
from memrev.train import batches, cifar, experiment, memory, reduction, replicas, trainer
from memrev.train.settings import Settings, SettingsError

HERE = pathlib.Path(__file__).resolve().parent


def settings(**changes):
    base = Settings(model="regression", dataset="cifar10", iterations=40, batch_size=12, lr=0.5,
                    lr_drops=(20, 30), log_every=5, validate_every=10, checkpoint_every=15,
                    workers=0)
    return dataclasses.replace(base, **changes)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    cifar_files.write(folder, cifar.DATASETS["cifar10"], train=100, test=45)
    return cifar.load(cifar.DATASETS["cifar10"], folder)


@pytest.fixture
def make(data, tmp_path):
    """Makes a trainer; lines for people are in `lines`."""
    opened = []

    def make(folder="run", programs=None, changed=None, **changes):
        chosen = settings(**changes)
        while opened:
            opened.pop().close()
        train, test = data
        source = batches.TrainingBatches(train, batches.mean_image(train.pixels),
                                         chosen.batch_size, chosen.seed)
        files = experiment.Experiment(tmp_path / folder)
        opened.append(files)
        programs = programs or numpy_programs.NumPyPrograms()
        lines = []
        result = trainer.Trainer(chosen, programs, programs.variables(), source, test, "test",
                                 files, replicas.Replicas(), lines.append)
        result.lines = lines
        result.resume()
        return result

    yield make
    while opened:
        opened.pop().close()


def scalars(run):
    """The logged values by name, without times and measurements."""
    values = json.loads((run.experiment.log / "scalars.json").read_text())
    return {name: [entry[1:] for entry in entries] for name, entries in values.items()
            if not name.startswith("memory")}


def assert_same(a, b):
    """Two trainers are at the same place, to the bit."""
    left, right = a.variables.as_dict(), b.variables.as_dict()
    assert tree.structure(left) == tree.structure(right)
    for x, y in zip(tree.leaves(left), tree.leaves(right)):
        np.testing.assert_array_equal(x, y)
    assert (a.iteration, a.best, scalars(a)) == (b.iteration, b.best, scalars(b))


# ------------------------------------------------------------------------------
# A run
# ------------------------------------------------------------------------------


def test_learns(make):
    run = make(iterations=300, lr_drops=(200,), validate_every=100)
    assert run.run() == 0
    found = scalars(run)
    assert found["train_loss"][0][1] > 2 and found["test_loss"][-1][1] < 1
    assert found["test_acc"][-1][1] == run.best[0] > 75
    assert [i for i, _ in found["test_acc"]] == [100, 200, 300]
    assert [i for i, _ in found["train_acc"]] == list(range(5, 301, 5))


def test_logs_are_averages(make):
    """The scalars of iteration 10 are the means over iterations 6 to 10."""
    run = make(iterations=10)
    run.run()
    programs = numpy_programs.NumPyPrograms()
    at, losses, correct = programs.variables(), [], []
    for i in range(10):
        images, labels = run.data.batch(i)
        at.params, at.state, at.opt_state, loss, logits = programs.step(
            at.params, at.state, at.opt_state, images, labels, 0.5, i)
        losses.append(float(loss))
        correct.append((logits.argmax(1) == labels).sum())
    found = scalars(run)
    assert found["train_loss"][1] == [10, pytest.approx(np.mean(losses[5:]), rel=1e-12)]
    assert found["train_acc"][1] == [10, pytest.approx(100 * sum(correct[5:]) / 60, rel=1e-12)]
    images = run.held_out.pixels - run.data.mean
    total, logits = programs.evaluate(at.params, at.state, images, run.held_out.labels)
    assert found["test_loss"] == [[10, pytest.approx(total / 45, rel=1e-6)]]
    assert found["test_acc"] == [[10, pytest.approx(
        100 * (logits.argmax(1) == run.held_out.labels).mean())]]


def test_rates(make):
    programs = numpy_programs.NumPyPrograms()
    make(programs=programs).run()
    rates = [rate for name, _, rate in programs.calls if name == "step"]
    assert rates == pytest.approx([0.5] * 20 + [0.05] * 10 + [0.005] * 10)


def test_memcnns_schedule():
    """Batch 100, 80,000 iterations, a tenth of the rate from 40,000 and 60,000 on."""
    chosen = Settings("revnet38", "cifar10")
    assert (chosen.batch_size, chosen.iterations) == (100, 80_000)
    assert (chosen.momentum, chosen.weight_decay) == (0.9, 2e-4)
    rate = trainer.optim.steps(chosen.lr, chosen.lr_drops)
    places = (0, 39_999, 40_000, 59_999, 60_000, 79_999)
    assert [rate(i) for i in places] == pytest.approx([0.1, 0.1, 0.01, 0.01, 0.001, 0.001])


def test_files_of_a_run(make):
    run = make()
    run.run()
    # Every 15 iterations and at the end.
    assert sorted(p.name for p in run.experiment.checkpoints.iterdir()) == [
        "00000015.npz", "00000030.npz", "00000040.npz"]
    assert run.experiment.last_iteration() == 40
    _, best = run.experiment.load(run.experiment.best)
    assert tuple(best["best"]) == run.best and best["iteration"] == run.best[1]
    assert any("left" in line and "40/40" in line for line in run.lines)
    assert sum("MiB planned" in line for line in run.lines) == 1
    make(iterations=50, checkpoint_every=5).run()
    assert len(list(run.experiment.checkpoints.iterdir())) == experiment.KEPT


def test_memory_is_logged(make):
    run = make(iterations=2)
    run.run()
    values = json.loads((run.experiment.log / "scalars.json").read_text())
    batch = 12 * 32 * 32 * 3 * 4 + 12 * 4
    floats = 3 * 10 + 10
    given = batch + 2 * 4 * floats + 3 * 4 + 4
    assert values["memory_planned_bytes"][0][1:] == [1, given + 1000]
    assert values["memory_measured_bytes"][0][2] >= given


def test_resident_rise():
    result, rise = memory.resident_rise(lambda: np.ones(5 << 20).sum())
    assert result == 5 << 20
    assert rise is None or 38 << 20 < rise < 48 << 20


# ------------------------------------------------------------------------------
# Resuming
# ------------------------------------------------------------------------------


class Interrupting(numpy_programs.NumPyPrograms):
    """Gets a signal while step number `at` runs."""

    def __init__(self, at, number=signal.SIGINT):
        super().__init__()
        self.at, self.number = at, number

    def gradients(self, params, state, images, labels, draw):
        if draw == self.at:
            signal.raise_signal(self.number)
        return super().gradients(params, state, images, labels, draw)


@pytest.mark.parametrize("workers", [0, 3])
@pytest.mark.parametrize("at", [0, 7, 15, 19, 33])
def test_an_interrupted_run_goes_on_to_the_bit(make, at, workers):
    whole = make("whole")
    whole.run()
    first = make("parts", Interrupting(at), workers=workers)
    assert first.run() == signal.SIGINT
    # The signal is seen before the next step, which is still done.
    assert first.iteration == at + 2
    assert first.experiment.last_iteration() == at + 2
    second = make("parts", workers=workers)
    assert second.iteration == at + 2
    assert second.run() == 0
    assert second.seconds > first.seconds
    assert_same(whole, second)


def test_a_killed_run_goes_on_to_the_bit(make):
    """What it did after its last checkpoint is done again."""
    whole = make("whole")
    whole.run()

    class Killed(Exception):
        pass

    class Dying(numpy_programs.NumPyPrograms):
        def evaluate(self, *arguments):
            if sum(name == "step" for name, *_ in self.calls) == 20:
                raise Killed
            return super().evaluate(*arguments)

    first = make("parts", Dying())
    with pytest.raises(Killed):
        first.run()
    assert first.experiment.last_iteration() == 15
    second = make("parts")
    assert second.iteration == 15
    second.run()
    assert_same(whole, second)


def test_a_run_may_be_made_longer(make):
    whole = make("whole", iterations=60)
    whole.run()
    make("parts", iterations=30).run()
    second = make("parts", iterations=60, log_every=5, workers=1)
    second.run()
    assert_same(whole, second)


def test_a_finished_run_does_nothing(make):
    make().run()
    programs = numpy_programs.NumPyPrograms()
    again = make(programs=programs)
    assert again.run() == 0 and again.iteration == 40
    assert not programs.calls


def test_sigterm_stops_as_well(make):
    run = make(programs=Interrupting(3, signal.SIGTERM))
    assert run.run() == signal.SIGTERM and run.experiment.last_iteration() == 5


@pytest.fixture
def interruptible():
    """SIGINT as it is in a terminal: shells have jobs in the background ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_a_second_signal_stops_at_once(make, interruptible):
    class Twice(Interrupting):
        def gradients(self, *arguments):
            if arguments[-1] == self.at:
                signal.raise_signal(signal.SIGINT)
            return super().gradients(*arguments)

    run = make(programs=Twice(3))
    with pytest.raises(KeyboardInterrupt):
        run.run()
    assert run.experiment.last_iteration() == 0


def test_runs_in_another_thread(make):
    run, results = make(iterations=5), []
    thread = threading.Thread(target=lambda: results.append(run.run()))
    thread.start()
    thread.join()
    assert results == [0] and run.iteration == 5


def test_other_settings_do_not_resume(make):
    make(iterations=5).run()
    for change, message in (
            ({"lr": 0.25}, "lr expects 0.5 as in the checkpoint, but got 0.25; --fresh"),
            ({"lr_drops": (20,)}, r"lr_drops expects \[20, 30\] as in the checkpoint, but got"),
            ({"accumulate": 2}, "parts expects 1 as in the checkpoint, but got 2"),
            ({"seed": 1}, "seed expects 0"), ({"policy": "store"}, "policy expects 'invert'")):
        with pytest.raises(SettingsError, match=message):
            make(**change)
    assert make(iterations=9, log_every=1, validate_every=2, checkpoint_every=3,
                workers=2).iteration == 5


def test_a_run_is_not_made_shorter(make):
    make(iterations=12).run()
    with pytest.raises(SettingsError, match="iterations expects at least the 12 of the "
                                            "checkpoint, but got 11; --fresh starts anew"):
        make(iterations=11)


def test_another_networks_checkpoint(make):
    make(iterations=5).run()

    class Other(numpy_programs.NumPyPrograms):
        def variables(self):
            values = super().variables()
            del values.params["bias"]
            return values

    with pytest.raises(SettingsError, match="the checkpoint expects a dict of .*'params'"):
        make(programs=Other())

    class Wider(numpy_programs.NumPyPrograms):
        def variables(self):
            values = super().variables()
            values.params["bias"] = np.zeros(11, np.float32)
            return values

    with pytest.raises(SettingsError, match=r"checkpoint expects .*\[11\].*'params.bias'.*\[10\]"):
        make(programs=Wider())


# ------------------------------------------------------------------------------
# What goes wrong
# ------------------------------------------------------------------------------


class Diverging(numpy_programs.NumPyPrograms):
    def __init__(self, at, value):
        super().__init__()
        self.at, self.value = at, value

    def gradients(self, params, state, images, labels, draw):
        grads, state, loss, logits = super().gradients(params, state, images, labels, draw)
        return grads, state, self.value if draw == self.at else loss, logits


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_divergence(make, value):
    run = make(programs=Diverging(17, np.float32(value)))
    with pytest.raises(trainer.DivergenceError,
                       match=f"the loss became {value} in iteration 18"):
        run.run()
    assert run.experiment.last_iteration() == 15
    assert scalars(run)["train_loss"][-1][0] == 15


def test_divergence_of_an_evaluation(make):
    class Bad(numpy_programs.NumPyPrograms):
        def evaluate(self, *arguments):
            return np.float32(np.nan), super().evaluate(*arguments)[1]

    run = make(programs=Bad())
    with pytest.raises(trainer.DivergenceError, match="evaluation after iteration 10 is nan"):
        run.run()


def test_full_disk(make):
    """The run ends with an error that names the file; the checkpoint before is whole."""
    run = make()
    run.run()
    newest = run.experiment.checkpoint(40).read_bytes()
    run = make(iterations=45)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    # The logs are smaller.
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(newest) - 100, limits[1]))
    try:
        with pytest.raises(OSError) as caught:
            run.run()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.errno == errno.EFBIG
    assert caught.value.filename == str(run.experiment.checkpoint(45))
    assert run.experiment.checkpoint(40).read_bytes() == newest
    assert run.experiment.last_iteration() == 40


def test_damaged_checkpoint(make):
    run = make(iterations=20)
    run.run()
    path = run.experiment.checkpoint(20)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(experiment.ExperimentError, match="00000020.npz' cannot be read: .*"
                       "remove it to resume from the one before"):
        make()
    path.unlink()
    assert make().iteration == 15


def test_damaged_log(make):
    run = make(iterations=20)
    run.run()
    (run.experiment.log / "scalars.json").write_text("{")
    with pytest.raises(experiment.ExperimentError, match="scalars.json' expects scalars by name"
                                                         ".*--fresh starts anew"):
        make().run()


def test_one_process_at_a_time(make, tmp_path):
    make()
    with pytest.raises(experiment.ExperimentError, match="is in use by another run"):
        experiment.Experiment(tmp_path / "run")
    (tmp_path / "file").write_text("")
    with pytest.raises(experiment.ExperimentError, match="folder cannot be made"):
        experiment.Experiment(tmp_path / "file" / "run")


def test_a_folder_that_cannot_be_locked(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(experiment.fcntl, "flock", fail)
    with pytest.raises(experiment.ExperimentError, match="run' cannot be locked: .*No locks"):
        experiment.Experiment(tmp_path / "run")


def test_what_a_killed_run_was_writing_is_removed(make):
    run = make(iterations=5)
    run.run()
    parts = [run.experiment.folder / ".best.npz.0123abcd",
             run.experiment.checkpoints / ".00000007.npz.ffffffff",
             run.experiment.log / ".scalars.json.00000000"]
    others = [run.experiment.folder / ".mine.npz", run.experiment.log / ".best.npz.0123abcx"]
    for path in (*parts, *others):
        path.write_bytes(b"part")
    assert make().iteration == 5
    assert not any(path.exists() for path in parts) and all(path.exists() for path in others)


def test_fresh_removes_what_a_run_wrote(make):
    run = make(iterations=20)
    run.run()
    run.experiment.write_summary({"accuracy": 1.0})
    mine = run.experiment.folder / "notes.txt"
    mine.write_text("keep")
    run.experiment.clear()
    left = sorted(str(p.relative_to(run.experiment.folder))
                  for p in run.experiment.folder.rglob("*"))
    assert left == [".lock", "checkpoints", "notes.txt"]
    assert make().iteration == 0


def test_settings_out_of_range():
    for change, message in (
            ({"iterations": 0}, "iterations expects a positive number, but got 0"),
            ({"batch_size": -1}, "batch_size expects a positive number"),
            ({"lr": float("nan")}, "lr expects a number of at least 0, but got nan"),
            ({"momentum": 1.0}, r"momentum expects a number in \[0, 1\), but got 1.0"),
            ({"seed": -1}, "seed expects a number of 64 bits"),
            ({"decay": "some"}, "decay expects 'all' or 'weights', but got 'some'"),
            ({"policy": "guess"}, "policy expects 'invert' or 'store'"),
            ({"policy": "store", "memory_budget": "1GiB"},
             "memory_budget expects no value with policy 'store', but got '1GiB'"),
            ({"workers": -1}, "workers expects a number of at least 0"),
            ({"lr_drops": (-1,)}, "lr_drops expects numbers of at least 0")):
        with pytest.raises(SettingsError, match=message):
            settings(**change)
    with pytest.raises(SettingsError, match="batch_size expects a multiple of 8 .2 processes "
                       "times 4 parts., but got 12"):
        settings(accumulate=4).part_size(2)


# ------------------------------------------------------------------------------
# Parts of a batch
# ------------------------------------------------------------------------------


def test_mean():
    rng = np.random.default_rng(0)
    trees = [{"a": rng.standard_normal((3, 5)).astype(np.float32), "n": np.int32(7),
              "b": [rng.standard_normal(()), rng.standard_normal(70).astype(np.float32)]}
             for _ in range(3)]
    mean = reduction.Mean(trees[0])
    for _ in range(2):
        for values in trees:
            mean.add(values)
        found = mean.take(replicas.Replicas())
        for leaf, *all_leaves in zip(tree.leaves(found), *map(tree.leaves, trees)):
            assert leaf.dtype == all_leaves[0].dtype and leaf.shape == all_leaves[0].shape
            np.testing.assert_allclose(leaf, np.mean(all_leaves, 0), rtol=1e-6)
    with pytest.raises(ValueError, match="'n' expects 7 as in the other parts.*but got 8"):
        mean.add(trees[0])
        mean.add({**trees[1], "n": np.int32(8)})
    with pytest.raises(ValueError, match="expects a dict of"):
        mean.add({"a": trees[0]["a"]})


def test_accumulation_is_the_mean_of_the_parts(make):
    """One step by hand: each part has statistics of its own, from those before the step."""
    run = make(iterations=1, accumulate=3, log_every=1)
    run.run()
    programs = numpy_programs.NumPyPrograms()
    before = programs.variables()
    images, labels = run.data.batch(0)
    parts = [programs.gradients(before.params, before.state, images[rows], labels[rows], i)
             for i, rows in enumerate((slice(0, 4), slice(4, 8), slice(8, 12)))]
    grads = tree.map(lambda *g: np.mean(g, 0, dtype=np.float32), *(part[0] for part in parts))
    params, velocity = programs.update(before.params, before.opt_state, grads, 0.5)
    for name in params:
        np.testing.assert_allclose(run.variables.params[name], params[name], rtol=1e-5,
                                   atol=1e-7)
        np.testing.assert_allclose(run.variables.opt_state[name], velocity[name], rtol=1e-5,
                                   atol=1e-7)
    mean = np.mean([part[1]["mean"] for part in parts], 0)
    np.testing.assert_allclose(run.variables.state["mean"], mean, rtol=1e-5)
    assert run.variables.state["count"] == 1
    found, correct = scalars(run), sum((part[3].argmax(1) == labels[rows]).sum() for part, rows
                                       in zip(parts, (slice(0, 4), slice(4, 8), slice(8, 12))))
    assert found["train_acc"] == [[1, pytest.approx(100 * correct / 12)]] and correct > 0
    losses = [float(part[2]) for part in parts]
    assert found["train_loss"] == [[1, pytest.approx(np.mean(losses), rel=1e-7)]]
    calls = run.programs.calls
    assert [draw for name, draw, _ in calls if name == "gradients"] == [0, 1, 2]


def test_no_two_parts_draw_the_same_random_numbers(make, monkeypatch):
    """In any process, in any iteration."""
    class Group(replicas.Replicas):
        def __init__(self, rank):
            super().__init__()
            self.rank, self.size = rank, 2

    draws = []
    for rank in range(2):
        monkeypatch.setattr(replicas, "Replicas", lambda rank=rank: Group(rank))
        run = make(f"rank{rank}", iterations=3, accumulate=3)
        images, labels = run._batch(0)
        for run.iteration in range(3):
            run._step(images, labels, False)
        draws += [draw for name, draw, _ in run.programs.calls if name == "gradients"]
    assert sorted(draws) == list(range(18))


def test_accumulation_resumes(make):
    whole = make("whole", accumulate=4)
    whole.run()
    make("parts", Interrupting(40), accumulate=4).run()
    second = make("parts", accumulate=4)
    assert 0 < second.iteration < 40
    second.run()
    assert_same(whole, second)


def run_processes(folder, size, *arguments):
    """Runs train_process.py in `size` processes; their standard outputs."""
    with_port = dict(os.environ, PYTHONPATH=os.pathsep.join(map(str, (HERE.parent, HERE))),
                     MASTER_ADDR="127.0.0.1", MASTER_PORT=str(free_port()),
                     WORLD_SIZE=str(size))
    processes = [
        subprocess.Popen([sys.executable, HERE / "train_process.py", folder, *arguments],
                         env=dict(with_port, RANK=str(rank)), stdout=subprocess.PIPE, text=True)
        for rank in range(size)]
    outputs = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * size
    return outputs


def free_port():
    import socket
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@pytest.mark.slow
def test_two_processes_are_one(tmp_path):
    """Two processes with a half of the batch each do what one does that has the halves one
    after the other, to the bit; a signal to one of them stops both at one iteration, and
    one process goes on."""
    run_processes(tmp_path / "one", 1, "--accumulate=2")
    first = run_processes(tmp_path / "two", 2, "--signal-in=1", "--at=11")
    assert [json.loads(output)["iteration"] for output in first] == [13, 13]
    # No two calls draw the same random numbers.
    assert [json.loads(output)["draws"] for output in first] == [[0, 2, 4], [1, 3, 5]]
    second = run_processes(tmp_path / "two", 2)
    assert [json.loads(output)["resumed"] for output in second] == [13, 13]
    results = []
    for folder in ("one", "two"):
        files = experiment.Experiment(tmp_path / folder)
        arrays, metadata = files.load()
        values = json.loads((files.log / "scalars.json").read_text())
        results.append((tree.flatten(arrays), metadata["iteration"], metadata["best"],
                        {name: [entry[1:] for entry in entries]
                         for name, entries in values.items() if "memory" not in name}))
        files.close()
    (one, *one_log), (two, *two_log) = results
    assert one[1] == two[1] and one_log == two_log
    for a, b in zip(one[0], two[0]):
        np.testing.assert_array_equal(a, b)


def test_variables_of_torchrun(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "many")
    with pytest.raises(replicas.ReplicasError,
                       match="WORLD_SIZE expects a number, but got 'many'"):
        replicas.Replicas()
    monkeypatch.setenv("WORLD_SIZE", "2")
    for name in ("RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(replicas.ReplicasError, match="2 processes, as WORLD_SIZE says, cannot be "
                                                     "connected: .*; torchrun starts them"):
        replicas.Replicas()
