# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The scalars of a run, as JSON and for TensorBoard; averages of them."""

import json
import time
from pathlib import Path
from typing import Mapping

import numpy as np

from .._files import atomic_write
from .events import EventWriter


class ScalarLog:
    """Scalars by name and iteration, in `folder`: scalars.json, which holds
    {name: [[seconds since 1970, iteration, value], ...]}, and a TensorBoard event file.

    A run that resumes after `iteration` iterations loses what was logged later than
    that, as it will be logged again. Raises OSError if a file cannot be written and
    ValueError if scalars.json is not what this class writes.
    """

    def __init__(self, folder, iteration: int = 0):
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "scalars.json"
        self.values = {}
        if self.path.exists():
            self.values = {
                name: kept for name, entries in self._read().items()
                if (kept := [entry for entry in entries if entry[1] <= iteration])}
        is_first = not any(folder.glob("events.out.tfevents.*"))
        self._events = EventWriter(folder, first_step=0 if is_first else iteration + 1)

    def _read(self):
        try:
            values = json.loads(self.path.read_text())
            return {name: [[float(seconds), int(iteration), float(value)]
                           for seconds, iteration, value in entries]
                    for name, entries in values.items()}
        except (ValueError, TypeError, AttributeError) as error:
            raise ValueError(
                f"'{self.path}' expects scalars by name, but got something else: "
                f"{error}") from error

    def add(self, iteration: int, scalars: Mapping[str, float]):
        """Adds finite scalars, seen after `iteration` iterations."""
        now = time.time()
        for name, value in scalars.items():
            self.values.setdefault(name, []).append([now, iteration, float(value)])
        self._events.add(iteration, scalars, now)

    def flush(self):
        """Brings both files up to date."""
        self._events.flush()
        with atomic_write(self.path) as file:
            file.write(json.dumps(self.values, allow_nan=False).encode())

    def close(self):
        """Flushes and closes the files."""
        self.flush()
        self._events.close()


class Average:
    """The mean of values, each of which may stand for several samples."""

    def __init__(self, total: float = 0.0, count: int = 0):
        self.total, self.count = total, count

    def add(self, total: float, count: int = 1):
        """Adds `count` values whose sum is `total`."""
        self.total += float(total)
        self.count += int(count)

    @property
    def mean(self) -> float:
        """The mean; NaN if there is no value."""
        return self.total / self.count if self.count else float("nan")

    def clear(self):
        """Forgets all values."""
        self.total, self.count = 0.0, 0


def count_correct(logits: np.ndarray, labels: np.ndarray, k: int = 1) -> int:
    """How many labels (n,) are among the k largest of their row of logits (n, classes).

    A class counts as larger than the label's if its logit is, or if it is equal and
    comes first, so that a network that says nothing is right once in `classes` times.
    """
    rows = np.arange(len(labels))
    mine = logits[rows, labels][:, np.newaxis]
    earlier = np.arange(logits.shape[1]) < labels[:, np.newaxis]
    rank = np.count_nonzero((logits > mine) | (logits == mine) & earlier, axis=1)
    # A NaN is larger than nothing, but a row of NaN is no prediction.
    return int(np.count_nonzero((rank < k) & ~np.isnan(mine[:, 0])))
