# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The training loop: steps, evaluations, logs and checkpoints."""

import contextlib
import math
import signal
import time
from dataclasses import dataclass
from typing import Any, Callable, Optional, Protocol, Tuple

import numpy as np

from .. import device_get, optim, tree
from .batches import TrainingBatches, evaluation_batches
from .cifar import Images
from .experiment import Experiment, ExperimentError
from .memory import device_rise, resident_rise
from .prefetch import prefetch
from .progress import Progress
from .reduction import make_mean
from .replicas import Replicas
from .scalars import Average, ScalarLog, count_correct
from .settings import Settings, SettingsError
from .signals import StopRequest


class DivergenceError(ValueError):
    """A loss that is not finite."""


class Programs(Protocol):
    """What the loop calls; `memrev.train.programs` compiles it.

    images: float32 (n, h, w, c); labels: int32 (n,); loss: the mean over the images;
    logits: (n, classes), these two NumPy's; draw: a number that no other call of a run has, of
    which random layers are a function. `step` and `update` may overwrite the parameters and states that
    they get.
    """

    def step(self, params, state, opt_state, images, labels, rate, draw) -> Tuple:
        """(params, state, opt_state, loss, logits) after a step of the optimizer."""

    def gradients(self, params, state, images, labels, draw) -> Tuple:
        """(gradients of the loss, state, loss, logits)."""

    def update(self, params, opt_state, grads, rate) -> Tuple:
        """(params, opt_state) after a step of the optimizer."""

    def evaluate(self, params, state, images, labels) -> Tuple:
        """(sum of the losses, logits) by the running statistics."""

    def added_bytes(self, name, variables, batch) -> int:
        """The bytes that a call of the method `name` for such a batch takes beside its
        arguments, as planned: work and results that do not replace an argument."""


@dataclass
class Variables:
    """What training changes: trees of arrays, which may be in the memory of a device."""

    params: Any
    state: Any
    opt_state: Any

    def as_dict(self):
        """The variables as one dict of NumPy arrays, for a checkpoint."""
        return device_get(
            {"params": self.params, "state": self.state, "opt_state": self.opt_state})


class Trainer:
    """Trains a network. `data` are the training images, `held_out` those of evaluations,
    which logs call `held_out_name`; `report` is called with lines for people.

    Raises SettingsError where settings do not fit together or to the checkpoint.
    """

    def __init__(self, settings: Settings, programs: Programs, variables: Variables,
                 data: TrainingBatches, held_out: Images, held_out_name: str,
                 experiment: Optional[Experiment], replicas: Replicas,
                 report: Callable[[str], None] = print):
        self.settings, self.programs, self.variables = settings, programs, variables
        self.data, self.held_out, self.held_out_name = data, held_out, held_out_name
        #: Process 0 has it; the others write nothing.
        self.experiment = experiment
        self.replicas, self.report = replicas, report
        self.rate = optim.steps(settings.lr, settings.lr_drops)
        self.iteration = 0
        #: Seconds of training, those before a resume included.
        self.seconds = 0.0
        self.loss, self.accuracy = Average(), Average()
        #: (accuracy, iteration) of the best evaluation.
        self.best: Optional[Tuple[float, int]] = None
        #: Bytes of a step: as planned, and as measured or None.
        self.memory: Tuple[int, Optional[int]] = (0, None)
        self._part = settings.part_size(replicas.size)
        self._saved = None
        self._log = None
        self._mean = None

    # ------------------------------------------------------------------- checkpoints

    def resume(self):
        """Goes on where the newest checkpoint ends, if there is one. All processes have the
        variables of process 0 afterwards."""
        found = None
        if self.experiment and self.experiment.last_iteration():
            found = self.experiment.load()
        found, self.variables = self.replicas.broadcast((found, self.variables))
        if found is None:
            return
        arrays, metadata = found
        self.settings.check_resumes(metadata["settings"], self.replicas.size)
        if metadata["iteration"] > self.settings.iterations:
            raise SettingsError(
                f"iterations expects at least the {metadata['iteration']} of the checkpoint, but "
                f"got {self.settings.iterations}; --fresh starts anew")
        expected, got = (tree.flatten(t) for t in (self.variables.as_dict(), arrays))
        if expected[1] != got[1]:
            raise SettingsError(f"the checkpoint {tree.difference(expected[1], got[1])}")
        for path, mine, other in zip(expected[1].paths(), expected[0], got[0]):
            if (mine.shape, mine.dtype) != (other.shape, other.dtype):
                raise SettingsError(
                    f"the checkpoint expects {mine.dtype}{list(mine.shape)} at "
                    f"'{tree.path_name(path)}', but got {other.dtype}{list(other.shape)}")
        self.variables = Variables(**arrays)
        self.iteration = self._saved = metadata["iteration"]
        self.seconds = metadata["seconds"]
        self.loss = Average(*metadata["loss"])
        self.accuracy = Average(*metadata["accuracy"])
        self.best = tuple(metadata["best"]) if metadata["best"] else None
        self.memory = tuple(metadata["memory"])

    def _metadata(self):
        return {
            "settings": self.settings.numeric(self.replicas.size),
            "iteration": self.iteration,
            "seconds": self.seconds,
            "loss": [self.loss.total, self.loss.count],
            "accuracy": [self.accuracy.total, self.accuracy.count],
            "best": self.best,
            "memory": self.memory,
        }

    def _save(self):
        if self._saved == self.iteration:
            return
        if self.experiment:
            self.experiment.save(self.iteration, self.variables.as_dict(), self._metadata())
        self._saved = self.iteration

    # ------------------------------------------------------------------------ steps

    @property
    def _is_divided(self):
        """Whether the gradient of a step comes in parts."""
        return self.settings.accumulate * self.replicas.size > 1

    def _step(self, images, labels, stop) -> Tuple[float, int, bool]:
        """Trains on this process's part of a batch. Returns the loss and the number of
        right predictions in the whole batch, and whether any process wants to stop."""
        mine, rate = self.variables, self.rate(self.iteration)
        if not self._is_divided:
            mine.params, mine.state, mine.opt_state, loss, logits = self.programs.step(
                mine.params, mine.state, mine.opt_state, images, labels, rate, self.iteration)
            return float(loss), count_correct(logits, labels), stop
        # Each part sees the statistics from before the step, so that it does not matter
        # which process it is in; the mean of what they become is what is kept.
        parts = self.settings.accumulate * self.replicas.size
        draw = self.iteration * parts + self.replicas.rank * self.settings.accumulate
        for number in range(self.settings.accumulate):
            rows = slice(number * self._part, (number + 1) * self._part)
            grads, state, loss, logits = self.programs.gradients(
                mine.params, mine.state, images[rows], labels[rows], draw + number)
            numbers = np.array([loss, count_correct(logits, labels[rows]), stop], np.float64)
            part = {"grads": grads, "state": state, "numbers": numbers}
            if self._mean is None:
                self._mean = make_mean(part)
            self._mean.add(part)
        mean = self._mean.take(self.replicas)
        # The next step uses arrays of the host that the mean has again.
        mine.state = tree.map(
            lambda leaf: leaf.copy() if isinstance(leaf, np.ndarray) else leaf, mean["state"])
        mine.params, mine.opt_state = self.programs.update(
            mine.params, mine.opt_state, mean["grads"], rate)
        loss, correct, stop = mean["numbers"].tolist()
        return loss, round(correct * parts), stop > 0

    def _first_step(self, images, labels, stop):
        """A step, and how much memory it takes."""
        names = ("gradients", "update") if self._is_divided else ("step",)
        batch = (images[:self._part], labels[:self._part])
        added = max(self.programs.added_bytes(name, self.variables, batch) for name in names)
        given = tree_bytes(self.variables.as_dict()) + images.nbytes + labels.nbytes
        if self._is_divided:
            added += tree_bytes((self.variables.params, self.variables.state))
        if self.replicas.device != "cpu":
            # The variables go to the device in this step.
            result, measured = device_rise(lambda: self._step(images, labels, stop))
            self.memory = given + added, measured
            return result
        result, rise = resident_rise(lambda: self._step(images, labels, stop))
        self.memory = given + added, None if rise is None else given + rise
        return result

    def _batch(self, iteration):
        size = self.settings.batch_size // self.replicas.size
        first = self.replicas.rank * size
        return self.data.batch(iteration, slice(first, first + size))

    def run(self) -> int:
        """Trains up to the last iteration. Returns 0, or the signal after which the run
        stopped; what was done is in a checkpoint then. Raises DivergenceError,
        ExperimentError if an earlier run's log cannot be continued, and OSError if a file
        cannot be written."""
        if self.experiment:
            try:
                self._log = ScalarLog(self.experiment.log, self.iteration)
            except ValueError as error:
                raise ExperimentError(f"{error}; --fresh starts anew") from error
        try:
            with StopRequest() as request, contextlib.closing(prefetch(
                    self._batch, self.iteration, self.settings.iterations,
                    self.settings.workers)) as batches:
                return self._run(request, batches)
        finally:
            if self._log:
                self._log.close()

    def _run(self, request, batches):
        settings = self.settings
        progress = Progress(self.iteration, settings.iterations)
        started, before = time.monotonic(), self.seconds
        take = self._first_step
        for images, labels in batches:
            loss, correct, stop = take(images, labels, bool(request.requested))
            self.iteration += 1
            if not math.isfinite(loss):
                raise DivergenceError(f"the loss became {loss} in iteration {self.iteration}")
            self.loss.add(loss)
            self.accuracy.add(100 * correct, settings.batch_size)
            progress.step(self.iteration)
            if take == self._first_step:
                take = self._step
                self._log_memory()
            is_last = self.iteration == settings.iterations
            if self.iteration % settings.log_every == 0:
                self._log_training(progress)
            if is_last or self.iteration % settings.validate_every == 0:
                self._validate()
            self.seconds = before + time.monotonic() - started
            if is_last or stop or self.iteration % settings.checkpoint_every == 0:
                self._save()
            if stop and not is_last:
                return request.requested or signal.SIGINT
        return 0

    # ------------------------------------------------------------------- evaluation

    def evaluate(self, data: Images) -> Tuple[float, float]:
        """The mean loss and the accuracy in percent. Raises DivergenceError if the loss is
        not finite."""
        size = self.settings.batch_size
        # Sums are taken in the order of the batches, however many processes there are.
        sums = np.zeros((-(-len(data) // size), 2))
        for number, images, labels in evaluation_batches(
                data, self.data.mean, size, self.replicas.rank, self.replicas.size):
            loss, logits = self.programs.evaluate(
                self.variables.params, self.variables.state, images, labels)
            sums[number] = loss, count_correct(logits, labels)
        self.replicas.sum(sums)
        loss, correct = (sums.sum(axis=0) / len(data)).tolist()
        if not math.isfinite(loss):
            raise DivergenceError(
                f"the loss of the evaluation after iteration {self.iteration} is {loss}")
        return loss, 100 * correct

    def _validate(self):
        loss, accuracy = self.evaluate(self.held_out)
        name = self.held_out_name
        self._add({f"{name}_loss": loss, f"{name}_acc": accuracy})
        is_best = self.best is None or accuracy > self.best[0]
        if is_best:
            self.best = accuracy, self.iteration
            if self.experiment:
                self.experiment.save_best(self.variables.as_dict(), self._metadata())
        self.report(f"iteration {self.iteration}: {name} loss {loss:.4f}, accuracy "
                    f"{accuracy:.2f} %{', the best so far' if is_best else ''}")

    # ------------------------------------------------------------------------- logs

    def _add(self, scalars):
        if self._log:
            self._log.add(self.iteration, scalars)
            self._log.flush()

    def _log_training(self, progress):
        rate = self.rate(self.iteration - 1)
        self._add({"train_loss": self.loss.mean, "train_acc": self.accuracy.mean,
                   "rate": rate})
        self.report(f"iteration {self.iteration}/{progress.stop}: loss {self.loss.mean:.4f}, "
                    f"accuracy {self.accuracy.mean:.2f} %, rate {rate:g}, "
                    f"{progress.pace}, {progress.left} left")
        self.loss.clear()
        self.accuracy.clear()

    def _log_memory(self):
        planned, measured = self.memory
        scalars = {"memory_planned_bytes": planned}
        if measured is not None:
            scalars["memory_measured_bytes"] = measured
        self._add(scalars)
        known = "not measured" if measured is None else f"{measured / 2**20:.1f} MiB measured"
        self.report(f"memory of a step: {planned / 2**20:.1f} MiB planned, {known}")


def tree_bytes(arrays: Any) -> int:
    """The bytes of all arrays of a tree."""
    return sum(leaf.nbytes for leaf in tree.leaves(arrays))
