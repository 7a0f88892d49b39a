# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Stopping between two steps."""

import signal
import threading


class StopRequest:
    """Within the block, the first SIGINT or SIGTERM sets `requested` to its number; a
    second one acts as it does outside of the block. In a thread other than the main one,
    which gets no signals, it never happens."""

    def __init__(self):
        self.requested = 0
        self._before = {}

    def __enter__(self):
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._request)
        return self

    def __exit__(self, *_):
        self._restore()

    def _request(self, number, _frame):
        self.requested = number
        self._restore()

    def _restore(self):
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}
