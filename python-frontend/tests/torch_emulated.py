# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tensors in the memory of the emulated device, for a PyTorch that knows no CUDA.

That memory is the host's, so a tensor of PyTorch's on the CPU can lie in it and PyTorch's own
operations work on it. `on_emulated_device` lets memrev.torch take the CPU for a CUDA device:
programs are compiled for its chip and run by the driver on addresses that the driver has to
know. What PyTorch itself makes lies elsewhere, and is copied there for each call.
"""

import contextlib
import ctypes

import torch

import memrev
from memrev.torch import _place
from memrev.torch._program import stored_order

_there = {}


def empty(shape, dtype, device=None, strides=None):
    """A tensor in the device's memory."""
    made = torch.empty(shape, dtype=dtype, device="meta")
    if not made.numel():
        return torch.empty(shape, dtype=dtype)
    array = memrev.cuda.DeviceArray((made.nbytes,), "int8")
    memory = (ctypes.c_char * array.nbytes).from_address(array.address)
    memory.owner = array  # PyTorch keeps the memory, and this the array.
    tensor = torch.frombuffer(memory, dtype=dtype)
    _there[array.address] = array.nbytes
    return tensor.as_strided(shape, strides or made.stride())


def put(tensor):
    """A copy of a tensor in the device's memory, in the same layout."""
    strides = tensor.stride() if stored_order(tensor) is not None else None
    return empty(tensor.shape, tensor.dtype, strides=strides).copy_(tensor)


def is_there(tensor):
    """Whether a tensor lies in the device's memory."""
    start = tensor.data_ptr()
    return any(place <= start < place + nbytes for place, nbytes in _there.items())


def move(module):
    """Moves a module's parameters and buffers into the device's memory."""
    for tensor in (*module.parameters(), *module.buffers()):
        tensor.data = put(tensor.data)
    return module


class _Device:
    type, index = "cuda", 0


@contextlib.contextmanager
def on_emulated_device():
    """Inside, programs for tensors on the CPU run on the emulator. Yields a list of the
    functions that were called there."""
    run, called = _place.run, []

    def run_there(function, arguments, results, device):
        arguments = [t if is_there(t) else put(t) for t in arguments]
        assert all(map(is_there, (r for r in results if r.numel())))
        run(function, arguments, results, _Device)
        called.append(function)
        memrev.cuda.synchronize()  # PyTorch's operations are not in the stream.

    changes = {
        "run": run_there, "empty": empty, "stream_of": lambda device: 0,
        "options_of": lambda device: {"target": "cuda", "chip": memrev.cuda.chip(),
                                      "contractions": _place.get_contractions()},
        "draw_seed": lambda device: put(torch.randint(-2**63, 2**63 - 1, ())),
    }
    before = {name: getattr(_place, name) for name in changes}
    for name, value in changes.items():
        setattr(_place, name, value)
    try:
        yield called
    finally:
        for name, value in before.items():
            setattr(_place, name, value)
