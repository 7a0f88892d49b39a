# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The settings of a training run; the defaults are those of MemCNN's experiments, which
are those of Gomez et al. 2017 (arXiv 1707.04585)."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, Dict, Optional, Tuple


class SettingsError(ValueError):
    """A setting that is out of range, or that does not fit to others or to a checkpoint."""


@dataclass(frozen=True)
class Settings:
    """Raises SettingsError if a setting is out of range."""

    model: str
    dataset: str
    #: Steps of the optimizer.
    iterations: int = 80_000
    #: Images of a step, over all processes.
    batch_size: int = 100
    #: Equal parts of the batch whose gradients are had one after another and averaged, in
    #: each process.
    accumulate: int = 1
    #: The learning rate at the beginning.
    lr: float = 0.1
    #: Iterations from which on the rate is a tenth of what it was before.
    lr_drops: Tuple[int, ...] = (40_000, 60_000)
    momentum: float = 0.9
    weight_decay: float = 2e-4
    #: What decays: "all" parameters or "weights" of convolutions and linear layers only.
    decay: str = "all"
    seed: int = 0
    #: Training images held out for evaluation; with 0 the test images are used.
    validation: int = 0
    augment: bool = True
    #: How the backward pass gets its values: "invert" or "store".
    policy: str = "invert"
    #: The most bytes that a step takes, a number or one with a unit: "200MiB".
    memory_budget: Optional[str] = None
    log_every: int = 100
    validate_every: int = 1000
    checkpoint_every: int = 10_000
    #: Threads that make batches.
    workers: int = 2

    def __post_init__(self):
        for name in ("iterations", "batch_size", "accumulate", "log_every", "validate_every",
                     "checkpoint_every"):
            self._expect(name, getattr(self, name) >= 1, "a positive number")
        for name in ("lr", "weight_decay"):
            value = getattr(self, name)
            self._expect(name, math.isfinite(value) and value >= 0, "a number of at least 0")
        self._expect("momentum", 0 <= self.momentum < 1, "a number in [0, 1)")
        self._expect("lr_drops", all(drop >= 0 for drop in self.lr_drops), "numbers of at least 0")
        self._expect("seed", 0 <= self.seed < 2**64, "a number of 64 bits")
        for name in ("validation", "workers"):
            self._expect(name, getattr(self, name) >= 0, "a number of at least 0")
        self._expect("decay", self.decay in ("all", "weights"), "'all' or 'weights'")
        self._expect("memory_budget", self.memory_budget is None or self.policy == "invert",
                     "no value with policy 'store'")
        self._expect("policy", self.policy in ("invert", "store"), "'invert' or 'store'")

    def _expect(self, name, holds, wanted):
        if not holds:
            raise SettingsError(f"{name} expects {wanted}, but got {getattr(self, name)!r}")

    def part_size(self, processes: int) -> int:
        """The images whose gradient one call computes. Raises SettingsError if the batch
        cannot be divided."""
        parts = self.accumulate * processes
        if self.batch_size % parts:
            raise SettingsError(
                f"batch_size expects a multiple of {parts} ({processes} processes times "
                f"{self.accumulate} parts), but got {self.batch_size}")
        return self.batch_size // parts

    def numeric(self, processes: int) -> Dict[str, Any]:
        """The settings that the numbers of a run depend on, as JSON holds them. How many
        iterations there are matters by the drops only; and it is one whether a batch is
        divided among processes or in time."""
        values = dataclasses.asdict(self)
        for name in ("iterations", "accumulate", "workers", "log_every", "validate_every",
                     "checkpoint_every"):
            del values[name]
        values["lr_drops"] = sorted(self.lr_drops)
        values["parts"] = self.accumulate * processes
        return values

    def check_resumes(self, earlier: Dict[str, Any], processes: int):
        """Raises SettingsError if a checkpoint made with the settings `earlier`, as
        `numeric` gave them, would not go on with these ones as it has begun."""
        mine = self.numeric(processes)
        for name in sorted(mine.keys() | earlier.keys()):
            if mine.get(name) != earlier.get(name):
                raise SettingsError(
                    f"{name} expects {earlier.get(name)!r} as in the checkpoint, but got "
                    f"{mine.get(name)!r}; --fresh starts anew")
