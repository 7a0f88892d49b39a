# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Counts the bytes of the tensors that are alive between two points of a program,
by the storages that operations return: exact and independent of the allocator."""

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter


class LiveStorages(TorchDispatchMode):
    """Inside of `with`, `live()` is the number of bytes in storages that were made
    since and are still referred to, and `peak` the largest such number after an
    operation."""

    def __init__(self):
        super().__init__()
        self._storages = {}
        self.peak = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        old = {t.untyped_storage()._cdata for t in tree_iter((args, kwargs))
               if isinstance(t, torch.Tensor)}
        for value in tree_iter(result):
            if isinstance(value, torch.Tensor):
                storage = value.untyped_storage()
                if storage._cdata not in old:
                    self._storages[storage._cdata] = (StorageWeakRef(storage), storage.nbytes())
        self.peak = max(self.peak, self.live())
        return result

    def live(self):
        self._storages = {key: entry for key, entry in self._storages.items()
                          if not entry[0].expired()}
        return sum(size for _, size in self._storages.values())

    def start(self):
        """Forgets the peak so far."""
        self.peak = self.live()
