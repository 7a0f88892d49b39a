# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""How far a run is, and how long it will take."""

import time


class Progress:
    """The pace of iterations `start` to `stop`, and the time that is left.

    The first step also compiles, so that the clock starts after it.
    """

    def __init__(self, start: int, stop: int, clock=time.monotonic):
        self.start, self.stop, self.clock = start, stop, clock
        self._first = self._last = None

    def step(self, iteration: int):
        """Says that `iteration` iterations are done."""
        self._last = (iteration, self.clock())
        if self._first is None:
            self._first = self._last

    @property
    def seconds_per_step(self) -> float:
        """The mean since the first step, evaluations included; NaN before the second."""
        if self._first is None or self._last[0] == self._first[0]:
            return float("nan")
        return (self._last[1] - self._first[1]) / (self._last[0] - self._first[0])

    @property
    def pace(self) -> str:
        """The mean time of a step as "0.123 s a step"."""
        seconds = self.seconds_per_step
        return "unknown s a step" if seconds != seconds else f"{seconds:.3f} s a step"

    @property
    def left(self) -> str:
        """The time until the last iteration as "h:mm:ss"; "unknown" before the second."""
        seconds = self.seconds_per_step
        if seconds != seconds:
            return "unknown"
        return duration(seconds * (self.stop - self._last[0]))


def duration(seconds: float) -> str:
    """Seconds as "h:mm:ss"."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}"
