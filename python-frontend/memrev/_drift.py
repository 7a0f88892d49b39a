# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""How far what inverses give back is off."""

import ctypes
from typing import NamedTuple

#: The function that a program tells (see include/memrev/Dialect/Rev/IR/Rev.h), and how many
#: loops it names at most.
REPORT = "memrev.report_drift"
_LOOPS = 4

_Callback = ctypes.CFUNCTYPE(
    None, ctypes.POINTER(ctypes.c_int64), ctypes.POINTER(ctypes.c_int64),
    ctypes.POINTER(ctypes.c_double), ctypes.POINTER(ctypes.c_double))


class BlockDrift(NamedTuple):
    """What the inverse of one operation gave back in one iteration of the loops around it,
    against what was there."""

    #: The operation and its place in the program or its source, "'rev.coupling' at ...".
    operation: str
    #: The iterations of the loops around it, that of the outermost first, of at most four.
    iterations: tuple
    #: The largest absolute difference, and the largest absolute element of what was there.
    difference: float
    largest: float

    @property
    def relative(self):
        """The difference as a part of the largest element."""
        return self.difference / self.largest if self.difference else 0.0


class Recorder:
    """Collects what a program that was compiled with `check_drift` tells."""

    def __init__(self):
        self._told = []
        #: The function that it calls, for `Module.set_symbols`.
        self.symbol = _Callback(lambda site, iterations, difference, largest: self._told.append((
            site[0], tuple(i for i in iterations[:_LOOPS] if i >= 0), difference[0], largest[0])))

    def take(self, sites):
        """A list of `BlockDrift`, in the order of the backward pass; forgets them."""
        told, self._told = self._told, []
        return [BlockDrift(sites[site], *rest) for site, *rest in told]
