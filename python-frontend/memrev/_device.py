# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Where jitted functions run: on the processor, or on a CUDA device; and the arrays that
they are called with there."""

import dataclasses
import functools
import re
import sys

import numpy as np

from . import _dlpack, cuda, tree


@dataclasses.dataclass(frozen=True)
class Device:
    """The processor, "cpu", or the CUDA device of a number, as the driver counts."""

    kind: str
    number: int = 0

    def __str__(self):
        return self.kind if self.kind == "cpu" else f"{self.kind}:{self.number}"


CPU = Device("cpu")


def as_numpy(x):
    """A number, an array or a tensor on the CPU as a NumPy array with elements in the
    machine's order of bytes. None for anything else."""
    kind = type(x)
    if kind is np.ndarray:
        return x if x.dtype.isnative else x.astype(x.dtype.newbyteorder("="))
    if kind is bool or isinstance(x, np.generic):
        return np.asarray(x)
    if kind is int:
        return np.asarray(x, np.int32)
    if kind is float:
        return np.asarray(x, np.float32)
    if isinstance(x, np.ndarray):
        return as_numpy(np.asarray(x))
    if _dlpack.is_on_device(x):
        raise TypeError(f"expects arrays in host memory, but got one on a device; "
                        "memrev.device_get copies it")
    if hasattr(x, "__dlpack__"):
        try:
            return np.from_dlpack(x.detach() if hasattr(x, "detach") else x)
        except (RuntimeError, BufferError) as error:
            raise TypeError("expects tensors on the CPU with a type that NumPy has, but got one "
                            f"of {getattr(x, 'dtype', kind.__name__)}: {error}") from None
    return None


def as_contiguous(array):
    """The array, or a copy of it in C order."""
    return np.ascontiguousarray(array) if array.ndim else array


def as_device(device):
    """The `Device` that "cpu", "cuda", "cuda:1" or a torch.device names; None stays None."""
    if device is None or isinstance(device, Device):
        return device
    found = re.fullmatch(r"cpu|cuda(?::(\d+))?", str(device))
    if not found:
        raise ValueError(f"expects a device 'cpu', 'cuda' or 'cuda:N', but got '{device}'")
    return CPU if str(device) == "cpu" else Device("cuda", int(found[1] or 0))


@functools.lru_cache(maxsize=None)
def chip_of(number):
    """The chip of a device, which does not change."""
    return cuda.chip(number)


def _is_torch(leaf):
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(leaf, torch.Tensor)


def _number_of(leaf):
    """The number of the device that an array in device memory is on. None: CUDA's array
    interface does not say."""
    return int(leaf.__dlpack_device__()[1]) if hasattr(leaf, "__dlpack_device__") else None


def find(leaves):
    """The device of the first array that is in device memory; the processor if none is."""
    for leaf in leaves:
        if _dlpack.is_on_device(leaf):
            return Device("cuda", _number_of(leaf) or 0)
    return CPU


class Arguments:
    """The leaves of a call on a CUDA device.

    leaves: arrays in device memory stay where they are; arrays of the host are copied
        when `call` is called, but those without dimensions, and numbers, are scalars of
        the program, except for the `donated` ones, by their numbers.
    as_array: makes an array in host memory of a leaf and its number, or raises TypeError.
    name_of: what a leaf is called in messages, by its number.
    """

    def __init__(self, device, leaves, donated, as_array, name_of):
        self.device = device
        self.leaves, self._name_of = list(leaves), name_of
        self.scalars = set()
        # Almost all leaves of a training step are DeviceArrays: what is done for each of
        # them is what a call costs on the host.
        others = [i for i, leaf in enumerate(leaves) if type(leaf) is not cuda.DeviceArray]
        there = {i for i in others if _dlpack.is_on_device(leaves[i])}
        self._is_torch = any(_is_torch(leaves[i]) for i in there)
        self._stream = cuda.current_stream()
        if self._stream is None:
            self._stream = _torch_stream(device) if self._is_torch else 0
        views = self._views = self.leaves.copy()
        for i in others:
            views[i] = None
            if i in there:
                self._check(i)
                views[i] = self._view(i)
                continue
            leaf = self.leaves[i] = as_array(leaves[i], i)
            if leaf.shape == () and i not in donated:
                self.scalars.add(i)
        for i, view in enumerate(views):
            if type(view) is cuda.DeviceArray:
                if view.device_number != device.number:
                    self._check(i)
                view.view(self._stream)
        #: Whether the work of the call has to be done when it returns.
        self._waits = False
        #: (dtype, shape, whether it is a scalar) of each leaf.
        self.types = [(leaf.dtype, leaf.shape, False) for leaf in map(
            lambda view, leaf: leaf if view is None else view, views, self.leaves)]
        for i in self.scalars:
            self.types[i] = self.types[i][:2] + (True,)

    def _check(self, i):
        number = _number_of(self.leaves[i])
        if number not in (None, self.device.number):
            raise ValueError(f"expects arrays on {self.device}, but got one on cuda:{number} at "
                             f"'{self._name_of(i)}'")

    def _view(self, i):
        leaf = self.leaves[i]
        if type(leaf) is cuda.DeviceArray:
            return leaf.view(self._stream)
        if hasattr(leaf, "detach"):
            leaf = self.leaves[i] = leaf.detach()  # PyTorch exports nothing that has a history.
        return _dlpack.view(leaf, self._stream)

    def _usable(self, i):
        """The view of an argument that the program can read: a copy, where the array has
        another layout or alignment."""
        view = self._views[i]
        if view.is_contiguous and view.is_aligned:
            return view
        # Its library may use the memory of the copy again after this call, in the order of
        # the stream that it was made on, which need not be that of the program.
        leaf = self.leaves[i]
        if _is_torch(leaf):
            torch = sys.modules["torch"]
            leaf = leaf.clone(memory_format=torch.contiguous_format)
            if self._stream != _torch_stream(self.device):
                leaf.record_stream(torch.cuda.ExternalStream(self._stream, self.device.number))
        elif hasattr(leaf, "copy"):  # CuPy's are in C order.
            leaf = leaf.copy()
            self._waits = True
        self.leaves[i] = leaf
        view = self._view(i)
        if not (view.is_contiguous and view.is_aligned):
            raise ValueError("expects a contiguous array in C order that is aligned to 16 bytes, "
                             f"but got another one at '{self._name_of(i)}'")
        return view

    def call(self, function):
        """The results of a compiled function, as a list."""
        views, number = [], self.device.number
        for i, view in enumerate(self._views):
            if view is not None:
                view = self._usable(i)
            elif i not in self.scalars:
                self.leaves[i] = cuda.to_device(self.leaves[i], number, self._stream)
                view = self.leaves[i].view(self._stream)
            views.append(view)
        results = function.on_device.call(views, self.leaves, number, self._stream)
        if self._waits:
            cuda.synchronize(number, self._stream)
        if not self._is_torch:
            return results
        from_dlpack = sys.modules["torch"].from_dlpack
        given = set(map(id, self.leaves))
        return [result if id(result) in given else from_dlpack(result) for result in results]


def _torch_stream(device):
    """The stream that PyTorch submits the work of this thread to."""
    return sys.modules["torch"].cuda.current_stream(device.number).cuda_stream


def device_put(values, device="cuda"):
    """A tree with its arrays on a device: "cuda", "cuda:1", or "cpu", as `device_get`.

    Arrays of the host, and numbers, become `memrev.cuda.DeviceArray`s. What is on the
    device already stays as it is. Raises ValueError for arrays on another device.
    """
    device = as_device(device)
    if device == CPU:
        return device_get(values)

    def put(leaf):
        if _dlpack.is_on_device(leaf):
            number = _number_of(leaf)
            if number not in (None, device.number):
                raise ValueError(f"expects arrays on {device}, but got one on cuda:{number}")
            return leaf
        array = as_numpy(leaf)
        if array is None:
            raise TypeError(f"expects arrays and numbers, but got {type(leaf).__name__}")
        return cuda.to_device(array, device.number, cuda.current_stream())

    return tree.map(put, values)


def device_get(values):
    """A tree with its arrays in host memory, as NumPy arrays."""
    def get(leaf):
        if isinstance(leaf, cuda.DeviceArray):
            return leaf.numpy()
        if _is_torch(leaf):
            return as_numpy(leaf.detach().cpu())
        return leaf.get() if _dlpack.is_on_device(leaf) else leaf  # CuPy's name for it.

    return tree.map(get, values)
