# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The folder of an experiment: its checkpoints, logs and summary."""

import fcntl
import json
import re
import shutil
from pathlib import Path
from typing import Any, Optional

import numpy as np

from .. import io
from .._files import atomic_write, remove_parts

#: Checkpoints of a run that are kept, beside the best one.
KEPT = 3


class ExperimentError(Exception):
    """A folder or a file of an experiment that cannot be used."""


class Experiment:
    """Files of one training run:

        checkpoints/ITERATION.npz   the state after so many iterations; the newest few
        best.npz                    that of the best evaluation
        log/                        scalars.json and TensorBoard's event files
        summary.json                the results

    Only one process may use a folder at a time: raises ExperimentError if another one
    does. Files are written whole or not at all.
    """

    def __init__(self, folder):
        self.folder = Path(folder)
        self.checkpoints = self.folder / "checkpoints"
        self.log = self.folder / "log"
        self.best = self.folder / "best.npz"
        self.summary = self.folder / "summary.json"
        try:
            self.checkpoints.mkdir(parents=True, exist_ok=True)
            self._lock = open(self.folder / ".lock", "w")
        except OSError as error:
            raise ExperimentError(
                f"the experiment's folder cannot be made: {error}") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            raise ExperimentError(f"'{self.folder}' is in use by another run") from None
        except OSError as error:
            self._lock.close()
            raise ExperimentError(f"'{self.folder}' cannot be locked: {error}") from error
        for folder in (self.folder, self.checkpoints, self.log):
            if folder.is_dir():
                remove_parts(folder, r".*\.(?:npz|json)")

    def close(self):
        """Lets others use the folder."""
        self._lock.close()

    def clear(self):
        """Removes all that runs have written, and nothing else."""
        for folder in (self.checkpoints, self.log):
            shutil.rmtree(folder, ignore_errors=True)
        for file in (self.best, self.summary):
            file.unlink(missing_ok=True)
        self.checkpoints.mkdir()

    def last_iteration(self) -> int:
        """The number of iterations of the newest checkpoint, 0 if there is none."""
        return max(self._iterations(), default=0)

    def _iterations(self):
        names = (re.fullmatch(r"(\d+)\.npz", path.name) for path in self.checkpoints.iterdir())
        return [int(name[1]) for name in names if name]

    def checkpoint(self, iteration: int) -> Path:
        """The path of the checkpoint after `iteration` iterations."""
        return self.checkpoints / f"{iteration:08d}.npz"

    def save(self, iteration: int, arrays: Any, metadata: dict):
        """Writes a checkpoint and removes the oldest ones. `arrays` is a tree of NumPy
        arrays; `metadata` anything that JSON can hold. Raises OSError if it fails."""
        self._save(self.checkpoint(iteration), arrays, metadata)
        for old in sorted(self._iterations())[:-KEPT]:
            self.checkpoint(old).unlink()

    def save_best(self, arrays: Any, metadata: dict):
        """Writes the best checkpoint. Raises OSError if it fails."""
        self._save(self.best, arrays, metadata)

    def _save(self, path, arrays, metadata):
        text = np.frombuffer(json.dumps(metadata).encode(), np.uint8)
        io.save(path, {"arrays": arrays, "metadata": text})

    def load(self, path: Optional[Path] = None):
        """The arrays and metadata of a checkpoint, the newest by default. Raises
        ExperimentError if it cannot be read."""
        if path is None:
            path = self.checkpoint(self.last_iteration())
        try:
            tree = io.load(path)
            return tree["arrays"], json.loads(tree["metadata"].tobytes())
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ExperimentError(
                f"the checkpoint '{path}' cannot be read: {error}; remove it to resume from "
                "the one before, or start anew with --fresh") from error

    def write_summary(self, summary: dict):
        """Writes summary.json. Raises OSError if it fails."""
        with atomic_write(self.summary) as file:
            file.write(json.dumps(summary, indent=2, sort_keys=True).encode() + b"\n")
