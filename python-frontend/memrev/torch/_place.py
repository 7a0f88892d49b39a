# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Where programs run: on the device that their tensors are on.

On a CUDA device all memory is PyTorch's, results and what a call works in, and work goes to
PyTorch's current stream: its allocator, which hands out memory again in the order of the
stream, needs no word about it.
"""

from typing import Iterable, Optional

import torch

from .. import _device

CPU = torch.device("cpu")

_CONTRACTIONS = ("generated", "vendor", "auto")


class _Setting:
    contractions = "generated"


_setting = _Setting()


def why_not(device: torch.device) -> Optional[str]:
    """Why programs do not run on a device, or None."""
    if device.type == "cpu" or device.type == "cuda" and torch.version.hip is None:
        return None
    return f"a tensor on {device}"


def device_of(tensors: Iterable[torch.Tensor]) -> torch.device:
    """The device that operations on some tensors run on: PyTorch lets tensors without
    dimensions on the CPU stand beside those of another device."""
    return next((t.device for t in tensors if t.device.type != "cpu"), CPU)


def options_of(device: torch.device) -> dict:
    """What `memrev.compile` is told for programs on a device. Raises RuntimeError if there is
    none."""
    if device.type == "cpu":
        return {}
    return {"target": "cuda", "chip": _device.chip_of(device.index),
            "fp32_precision": fp32_precision(), "contractions": get_contractions()}


def fp32_precision() -> str:
    """How CUDA devices multiply matrices of float32, as torch.set_float32_matmul_precision
    says."""
    return "ieee" if torch.get_float32_matmul_precision() == "highest" else "tf32"


class set_contractions:
    """Sets who computes products of matrices and convolutions on CUDA devices; in a `with`
    statement until its end.

    name: "generated": kernels of memrev's own, as by default.
        "vendor": cuBLASLt and cuDNN wherever they can.
        "auto": these where they are taken to be faster.

    Raises ValueError for another name.
    """

    def __init__(self, name: str):
        if name not in _CONTRACTIONS:
            raise ValueError(f"expects contractions to be one of {', '.join(_CONTRACTIONS)}, "
                             f"but got {name!r}")
        self._previous = _setting.contractions
        _setting.contractions = name

    def __enter__(self):
        return self

    def __exit__(self, *error):
        _setting.contractions = self._previous


def get_contractions() -> str:
    """The name that `set_contractions` has set."""
    return _setting.contractions


def empty(shape, dtype, device: torch.device, strides=None) -> torch.Tensor:
    """A tensor of any numbers."""
    if strides is None:
        return torch.empty(shape, dtype=dtype, device=device)
    return torch.empty_strided(shape, strides, dtype=dtype, device=device)


def draw_seed(device: torch.device) -> torch.Tensor:
    """A key of random numbers, from PyTorch's generator of the device."""
    return torch.randint(-2**63, 2**63 - 1, (), device=device)


def stream_of(device: torch.device) -> int:
    """The address of PyTorch's current stream on a CUDA device."""
    return torch.cuda.current_stream(device).cuda_stream


def run(function, arguments, results, device: torch.device) -> None:
    """Calls a compiled function on the memory of tensors. On a CUDA device it does not
    wait."""
    if device.type == "cpu":
        function.call_pointers(_pointers(function, arguments, results),
                               threads=torch.get_num_threads())
        return
    # Programs read 16 bytes at a time, and a tensor may be a part of another one.
    arguments = [t if t.data_ptr() % 16 == 0
                 else empty(t.shape, t.dtype, device, t.stride()).copy_(t) for t in arguments]
    workspace = empty((function.workspace_bytes,), torch.uint8, device)
    function.call_on_device(_pointers(function, arguments, results), device.index,
                            stream_of(device), workspace.data_ptr(), function.workspace_bytes)


def _pointers(function, arguments, results):
    pointers = [tensor.data_ptr() for tensor in arguments] + [0] * len(results)
    for parameter, tensor in zip(function.results, results):
        pointers[parameter.place] = tensor.data_ptr()
    return pointers
