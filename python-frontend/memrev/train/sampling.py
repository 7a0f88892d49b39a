# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Which images a training step sees, as a function of the seed and the iteration.

Nothing here has a state that a checkpoint would have to hold: any batch can be had
at any time, in any order and by any thread. Random bits come from NumPy's Philox
generator (Salmon et al. 2011), whose stream NumPy keeps between its versions.
"""

import threading

import numpy as np

#: What random bits are for; different purposes draw from different streams.
ORDER, CROP, FLIP = range(3)


def random_bits(seed: int, purpose: int, index: int, count: int) -> np.ndarray:
    """`count` random uint64, a function of (seed, purpose, index) alone."""
    # Draws count up the first word of the counter; 2**64 of them reach no other
    # index.
    return np.random.Philox(key=[seed, purpose], counter=[0, 0, 0, index]).random_raw(count)


def random_below(bound: int, bits: np.ndarray) -> np.ndarray:
    """Integers in [0, bound) as int64, by multiplication (Lemire 2019) of 32 of the bits;
    a number's probability is off by at most bound / 2**32 of itself."""
    return ((bits >> np.uint64(32)) * np.uint64(bound) >> np.uint64(32)).astype(np.int64)


class PermutationSampler:
    """An endless sequence of indices below `length`: one permutation after another, each
    drawn anew from (seed, its number). Several threads may use it at once."""

    def __init__(self, length: int, seed: int):
        if length < 1:
            raise ValueError(f"length expects a positive number, but got {length}")
        if not 0 <= seed < 2**64:
            raise ValueError(f"seed expects a number of 64 bits, but got {seed}")
        self.length, self.seed = int(length), int(seed)
        # A batch reads one or two permutations, so the last two are worth keeping.
        self._known = {}
        self._lock = threading.Lock()

    def permutation(self, epoch: int) -> np.ndarray:
        """The permutation number `epoch`: int64 (length,)."""
        with self._lock:
            if epoch not in self._known:
                bits = random_bits(self.seed, ORDER, epoch, self.length)
                order = np.argsort(bits, kind="stable")
                order.flags.writeable = False
                self._known = {e: o for e, o in self._known.items() if abs(e - epoch) == 1}
                self._known[epoch] = order
            return self._known[epoch]

    def indices(self, start: int, count: int) -> np.ndarray:
        """Elements start to start + count - 1 of the sequence: int64 (count,)."""
        epoch, offset = divmod(int(start), self.length)
        parts = []
        while count > 0:
            part = self.permutation(epoch)[offset:offset + count]
            parts.append(part)
            count -= len(part)
            epoch, offset = epoch + 1, 0
        return np.concatenate(parts) if parts else np.empty(0, np.int64)
