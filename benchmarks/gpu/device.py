# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A CUDA device by its driver alone: what it is, streams, events; and libraries that memrev
compiled, called on arrays that stay where they are."""

import contextlib
import ctypes

import numpy as np

#: Attributes of a device: cuda.h's CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR.
_MAJOR, _MINOR = 75, 76
_ALIGNMENT = 64


class DeviceError(RuntimeError):
    """A driver or a device that fails, or is not there."""


class Device:
    """The first device."""

    def __init__(self):
        try:
            self._driver = ctypes.CDLL("libcuda.so.1")
        except OSError as error:
            raise DeviceError(f"expects an NVIDIA driver, but got: {error}") from None
        self.check("cuInit", 0)
        context = ctypes.c_void_p()
        self.check("cuDevicePrimaryCtxRetain", ctypes.byref(context), 0)
        self.check("cuCtxSetCurrent", context)
        self.stream = ctypes.c_void_p()
        self.check("cuStreamCreate", ctypes.byref(self.stream), 1)  # Waits for no other one.

    def check(self, name, *arguments):
        """Calls a function of the driver."""
        status = getattr(self._driver, name)(*arguments)
        if status:
            text = ctypes.c_char_p()
            self._driver.cuGetErrorString(status, ctypes.byref(text))
            raise DeviceError(f"{name}: {(text.value or b'error').decode()} ({status})")

    @property
    def capability(self):
        """(major, minor) of its compute capability."""
        found = []
        for attribute in (_MAJOR, _MINOR):
            value = ctypes.c_int()
            self.check("cuDeviceGetAttribute", ctypes.byref(value), attribute, 0)
            found.append(value.value)
        return tuple(found)

    def chips(self):
        """The chips whose libraries it runs, the fastest first: machine code is for one major
        version, PTX for it and later ones, except for that of sm_90a."""
        major, _ = self.capability
        if major < 8:
            return []
        return ["sm_80"] if major == 8 else ["sm_90a", "sm_90"] if major == 9 else ["sm_90"]

    def synchronize(self):
        """Waits for the stream."""
        self.check("cuStreamSynchronize", self.stream)

    def time(self, function, count):
        """The seconds of a call of `function`, as the mean of `count` ones."""
        events = [ctypes.c_void_p(), ctypes.c_void_p()]
        for event in events:
            self.check("cuEventCreate", ctypes.byref(event), 0)
        self.check("cuEventRecord", events[0], self.stream)
        for _ in range(count):
            function()
        self.check("cuEventRecord", events[1], self.stream)
        self.check("cuEventSynchronize", events[1])
        milliseconds = ctypes.c_float()
        self.check("cuEventElapsedTime", ctypes.byref(milliseconds), *events)
        for event in events:
            self.check("cuEventDestroy_v2", event)
        return milliseconds.value / 1e3 / count


def dtype_of(parameter):
    """NumPy's type for a parameter; the bits of a bfloat16."""
    return np.dtype(np.uint16 if parameter["dtype"] == "bfloat16" else parameter["dtype"])


def nbytes_of(parameter):
    return int(np.prod(parameter["shape"])) * dtype_of(parameter).itemsize


def call_on_host(function, arrays):
    """The results of a function of a library for the processor, as arrays. Donated arguments
    are copied first."""
    arrays = [array.copy() if p["donated"] else array
              for p, array in zip(function.arguments, arrays)]
    slots = list(arrays)
    for result in sorted(function.results, key=lambda r: r["place"]):
        if result["place"] >= len(slots):
            slots.append(np.empty(result["shape"], dtype_of(result)))
    workspace = np.empty(function.workspace_bytes + _ALIGNMENT, np.uint8)
    start = -(-workspace.ctypes.data // _ALIGNMENT) * _ALIGNMENT
    function.call_addresses([*(slot.ctypes.data for slot in slots), start])
    return [slots[result["place"]] for result in function.results]


class DeviceCall:
    """A call of a function of a library for cuda, whose arrays are in device memory until
    `close`."""

    def __init__(self, device, library, function, arrays):
        self._device, self._library, self._function = device, library, function
        self._allocated, self._pointers, self._host = [], [], []
        library.handle.memrevCudaResetPeakBytes()
        for parameter, array in zip(function.arguments, arrays):
            if parameter["scalar"]:
                self._host.append(array)  # It has to live as long as its address.
                self._pointers.append(array.ctypes.data)
                continue
            self._pointers.append(self._allocate(array.nbytes))
            self._copy("memrevCudaCopyToDevice", self._pointers[-1], array.ctypes.data,
                       array.nbytes)
        for result in sorted(function.results, key=lambda r: r["place"]):
            if result["place"] >= len(self._pointers):
                self._pointers.append(self._allocate(nbytes_of(result)))
        self._pointers.append(self._allocate(function.workspace_bytes))
        library.check()

    def _allocate(self, nbytes):
        pointer = ctypes.c_void_p()
        self._library.handle.memrevCudaAllocate(ctypes.byref(pointer), ctypes.c_size_t(nbytes))
        if pointer.value:
            self._allocated.append(pointer)
        return pointer.value or 0

    def _copy(self, name, target, source, nbytes):
        getattr(self._library.handle, name)(
            ctypes.c_void_p(target), ctypes.c_void_p(source), ctypes.c_size_t(nbytes))

    def submit(self):
        """Submits the call to the device's stream."""
        self._function.call_addresses(self._pointers)

    @contextlib.contextmanager
    def on_stream(self):
        """Inside, `submit` does not wait."""
        self._library.handle.memrevCudaUseStream(self._device.stream)
        try:
            yield
            self._device.synchronize()
        finally:
            self._library.handle.memrevCudaUseOwnStreams()
        self._library.check()

    def results(self):
        """The results of the last call, as arrays."""
        found = []
        for result in self._function.results:
            array = np.empty(result["shape"], dtype_of(result))
            self._copy("memrevCudaCopyToHost", array.ctypes.data,
                       self._pointers[result["place"]], array.nbytes)
            found.append(array)
        self._library.check()
        return found

    def nbytes(self):
        """(bytes that were planned for the calls so far, the most that the runtime has held)."""
        parameters = [p for p in self._function.arguments if not p["scalar"]] + [
            r for r in self._function.results if r["place"] >= len(self._function.arguments)]
        planned = sum(map(nbytes_of, parameters)) + self._function.workspace_bytes
        peak = self._library.handle.memrevCudaGetPeakBytes
        peak.restype = ctypes.c_size_t
        return planned, peak()

    def close(self):
        for pointer in self._allocated:
            self._library.handle.memrevCudaFree(pointer)
        self._allocated = []
