# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a call adds to the memory of this process, as Linux counts it, and to that of CUDA
devices, as memrev does."""

import ctypes
import re
from typing import Callable, Optional, Tuple, TypeVar

from .. import cuda

T = TypeVar("T")


def _status(name):
    """A size of /proc/self/status in bytes."""
    with open("/proc/self/status") as file:
        return int(re.search(rf"^{name}:\s*(\d+) kB$", file.read(), re.MULTILINE)[1]) << 10


def resident_rise(call: Callable[[], T]) -> Tuple[T, Optional[int]]:
    """The result of `call()`, and how many bytes above the state before it the resident
    memory of the process has been meanwhile; None where the system does not tell.

    It counts pages of all threads, so that what runs beside the call is counted, too, and
    memory that the process had before and used again is not.
    """
    try:
        # What was freed goes back to the system, so that the call has to ask for it again.
        ctypes.CDLL(None).malloc_trim(0)
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")  # The high-water mark begins anew at what is resident now.
        before = _status("VmRSS")
    except (OSError, AttributeError):  # Another system, or another C library.
        return call(), None
    result = call()
    return result, max(_status("VmHWM") - before, 0)


def device_rise(call: Callable[[], T]) -> Tuple[T, int]:
    """The result of `call()`, and how many bytes above the state before it memrev has held
    on CUDA devices meanwhile."""
    cuda.free_idle()
    cuda.reset_peak_bytes()
    before = cuda.allocated_bytes()
    result = call()
    return result, cuda.peak_bytes() - before
