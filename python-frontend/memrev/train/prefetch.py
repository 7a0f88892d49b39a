# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Batches made by threads while the step before them runs."""

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import Callable, Iterator, TypeVar

T = TypeVar("T")


def prefetch(function: Callable[[int], T], start: int, stop: int, workers: int,
             ahead: int = 2) -> Iterator[T]:
    """Yields function(start), ..., function(stop - 1), in this order.

    `workers` threads call the function ahead of time, at most `ahead` calls for each of
    them; 0 workers call it when its result is asked for. An exception of a call is raised
    when its result is asked for. Closing the iterator ends the threads.
    """
    if workers < 0:
        raise ValueError(f"workers expects 0 or more, but got {workers}")
    if not workers:
        yield from map(function, range(start, stop))
        return
    pool = ThreadPoolExecutor(workers, thread_name_prefix="memrev-prefetch")
    waiting = deque()
    try:
        for i in range(start, stop):
            waiting.append(pool.submit(function, i))
            if len(waiting) > workers * ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
