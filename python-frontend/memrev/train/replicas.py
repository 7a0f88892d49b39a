# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Processes that train one network together, each on its part of the batch.

torchrun starts them and torch.distributed's gloo adds up their arrays; without
torchrun there is one process, and PyTorch is not needed.
"""

import os
from typing import Any

import numpy as np


class ReplicasError(ValueError):
    """Processes that do not find each other."""


class Replicas:
    """The processes of a run; this one is number `rank` of `size`. Raises ReplicasError
    if the variables that torchrun sets are missing or wrong, and ImportError if there are
    several processes and no PyTorch."""

    def __init__(self):
        self.size = self._variable("WORLD_SIZE", 1)
        self.rank = self._variable("RANK", 0)
        self._group = None
        if self.size > 1:
            try:
                import torch.distributed
            except ImportError as error:
                raise ImportError(
                    f"training with {self.size} processes needs PyTorch: {error}") from error
            try:
                torch.distributed.init_process_group("gloo")
            except (ValueError, RuntimeError) as error:
                raise ReplicasError(f"{self.size} processes, as WORLD_SIZE says, cannot be "
                                    f"connected: {error}; torchrun starts them") from error
            self._group = torch.distributed

    @staticmethod
    def _variable(name, default):
        text = os.environ.get(name, str(default))
        if not text.isdecimal():
            raise ReplicasError(f"the variable {name} expects a number, but got '{text}'")
        return int(text)

    def sum(self, array: np.ndarray):
        """Replaces a contiguous array by the sum of the arrays of all processes."""
        if self._group:
            import torch
            self._group.all_reduce(torch.from_numpy(array))

    def broadcast(self, value: Any) -> Any:
        """The value that process 0 has. It may be anything that can be pickled."""
        if not self._group:
            return value
        box = [value]
        self._group.broadcast_object_list(box, src=0)
        return box[0]

    def close(self):
        """Ends the communication."""
        if self._group:
            self._group.destroy_process_group()
