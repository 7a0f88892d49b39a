# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Processes that train one network together, each on its part of the batch.

torchrun starts them, and torch.distributed adds up their arrays: by gloo, and by NCCL
those in the memory of CUDA devices. Without torchrun there is one process, and PyTorch is
not needed.
"""

import os
from typing import Any, Sequence

import numpy as np

from .. import cuda


class ReplicasError(ValueError):
    """Processes that do not find each other."""


class Replicas:
    """The processes of a run; this one is number `rank` of `size`, and `device` is where
    it computes: "cpu", or a CUDA device "cuda:N" of its own. Raises ReplicasError if the
    variables that torchrun sets are missing or wrong, and ImportError if there are several
    processes and no PyTorch."""

    def __init__(self, uses_cuda: bool = False):
        self.size = self._variable("WORLD_SIZE", 1)
        self.rank = self._variable("RANK", 0)
        #: The device, and its chip, "sm_90" for example.
        self.device = self.chip = "cpu"
        if uses_cuda:
            number = self._variable("LOCAL_RANK", 0)
            self.device = f"cuda:{number}"
            try:
                self.chip = cuda.chip(number)
            except cuda.DeviceError as error:
                raise ReplicasError(f"process {self.rank} cannot use {self.device}, as LOCAL_RANK "
                                    f"says: {error}; --no-cuda trains on the processor") from error
        self._group = None
        if self.size > 1:
            try:
                import torch.distributed
            except ImportError as error:
                raise ImportError(
                    f"training with {self.size} processes needs PyTorch: {error}") from error
            try:
                if uses_cuda:
                    torch.cuda.set_device(self.device)  # Where NCCL's own memory is.
                torch.distributed.init_process_group(
                    "cpu:gloo,cuda:nccl" if uses_cuda else "gloo")
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

    def sum_on_device(self, arrays: Sequence[Any]):
        """Replaces arrays in the memory of the device by their sums over all processes, in
        one message for each element type."""
        if not self._group:
            return
        import torch
        by_type = {}
        for array in arrays:
            tensor = torch.from_dlpack(array)
            by_type.setdefault(tensor.dtype, []).append(tensor)
        for tensors in by_type.values():
            flat = torch.cat([tensor.flatten() for tensor in tensors])
            self._group.all_reduce(flat)
            for tensor, part in zip(tensors, flat.split([t.numel() for t in tensors])):
                tensor.copy_(part.view_as(tensor))

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
