# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Arrays in the memory of CUDA devices, for programs compiled with target="cuda".

Functions of such a program take NumPy arrays, which they copy to device 0 and back, or
arrays in device memory, which they use in place: of PyTorch, CuPy or another library that
knows DLPack or CUDA's array interface, or a `DeviceArray`. Results are then
`DeviceArray`s, which those libraries take without a copy.

A stream is one of these libraries, the address of a CUDA stream, or None for the default
stream. All of these raise DeviceError if the device or the driver fails.
"""

import ctypes
import math
import operator
import threading

import numpy as np

from . import _capi, _dlpack, _dtypes

__all__ = ["DeviceArray", "DeviceError", "allocated_bytes", "chip", "free_idle",
           "is_available", "peak_bytes", "reset_peak_bytes", "stream", "synchronize",
           "to_device"]


class DeviceError(RuntimeError):
    """A device or a driver that fails, or is not there."""


def check(error):
    """Raises DeviceError if a function of the C API returned a message."""
    if error:
        raise DeviceError(_capi.take_string(error))


def stream_address(stream):
    """The address of a stream; 0 for the default stream."""
    if stream is None:
        return 0
    for name in ("cuda_stream", "ptr", "handle"):  # PyTorch, CuPy, numba
        if hasattr(stream, name):
            stream = getattr(stream, name)
            break
    stream = getattr(stream, "value", stream)
    if stream is None:
        return 0
    if not isinstance(stream, int):
        raise TypeError(f"expects a CUDA stream or its address, but got {type(stream).__name__}")
    return stream


class _Current(threading.local):
    stream = None


_current = _Current()


class stream:
    """`with stream(s):` jitted functions that this thread calls submit their work to `s`."""

    def __init__(self, stream):
        self.address = stream_address(stream)

    def __enter__(self):
        self._before, _current.stream = _current.stream, self.address
        return self

    def __exit__(self, *exception):
        _current.stream = self._before


def current_stream():
    """The address of the stream that `stream` has set for this thread, or None."""
    return _current.stream


def synchronize(device=0, stream=None):
    """Waits for the work that was submitted to a stream of a device."""
    check(_capi.lib.memrevDeviceCopy(None, None, 0, device, stream_address(stream)))


class DeviceArray:
    """An array in the memory of a device, contiguous in C order. What is submitted to its
    stream finds its elements there; work on other streams has to wait for that."""

    # What describes an array of another library, too (`_dlpack.View`).
    is_contiguous = is_aligned = is_writable = True

    def __init__(self, shape, dtype, device=0, stream=None):
        #: Where the elements are in device memory.
        self.address = None
        self.shape = tuple(map(operator.index, shape))
        if any(size < 0 for size in self.shape):
            raise ValueError(f"expects a shape without negative sizes, but got "
                             f"{list(self.shape)}")
        self.dtype = _dtypes.as_dtype(dtype)
        #: The number of elements, and their bytes.
        self.size = math.prod(self.shape)
        self.nbytes = self.dtype.itemsize * self.size
        #: The device's number.
        self.device_number = device = operator.index(device)
        self._stream = stream_address(stream)
        address = ctypes.c_void_p()
        check(_capi.lib.memrevDeviceAllocate(self.nbytes, device, self._stream,
                                             ctypes.byref(address)))
        self.address = address.value or 0

    @property
    def ndim(self):
        """The number of dimensions."""
        return len(self.shape)

    def numpy(self):
        """The elements in a new NumPy array, as the stream's work so far leaves them."""
        if self.dtype is _dtypes.bfloat16:
            raise TypeError("expects a dtype that NumPy has, but got bfloat16")
        array = np.empty(self.shape, self.dtype)
        check(_capi.lib.memrevDeviceCopy(array.ctypes.data, self.address, self.nbytes,
                                         self.device_number, self._stream))
        return array

    def __array__(self, dtype=None, copy=None):
        if copy is False:
            raise ValueError("expects a copy: the elements are in device memory")
        array = self.numpy()
        return array if dtype is None else array.astype(dtype)

    def __reduce__(self):
        """Copies and pickles are arrays of their own, with the same elements."""
        elements = np.empty(self.nbytes, np.uint8)
        check(_capi.lib.memrevDeviceCopy(elements.ctypes.data, self.address, self.nbytes,
                                         self.device_number, self._stream))
        return _from_bytes, (elements.tobytes(), self.shape, self.dtype.name,
                             self.device_number)

    def item(self):
        """The only element, as a number of Python."""
        return self.numpy().item()

    def __float__(self):
        return float(self.item())

    def __int__(self):
        return int(self.item())

    def __bool__(self):
        return bool(self.item())

    @property
    def __cuda_array_interface__(self):
        if self.dtype is _dtypes.bfloat16:
            raise AttributeError("CUDA's array interface has no bfloat16; DLPack has")
        # A stream of zero is disallowed: one is the default stream.
        return {"shape": self.shape, "typestr": self.dtype.str, "version": 3,
                "data": (self.address, False), "strides": None, "stream": self._stream or 1}

    def __dlpack_device__(self):
        return _dlpack.CUDA, self.device_number

    def __dlpack__(self, *, stream=None, max_version=None, dl_device=None, copy=None):
        if copy or dl_device not in (None, self.__dlpack_device__()):
            raise BufferError("a DeviceArray is exported where it is, without a copy")
        if stream not in (None, -1):
            self._move(0 if stream == 1 else stream)
        return _dlpack.export(self, self.address, self.shape, self.dtype, self.device_number)

    def _move(self, stream):
        """Lets work on another stream use the elements."""
        if stream == self._stream:
            return
        synchronize(self.device_number, self._stream)
        self._stream = stream

    def view(self, stream):
        """The array for work on the stream with the address `stream`."""
        self._move(stream)
        return self

    def __repr__(self):
        return f"<DeviceArray {self.dtype}{list(self.shape)} on device {self.device_number}>"

    def __del__(self):
        address, self.address = self.address, None
        if address and _capi is not None and _capi.lib is not None:
            error = _capi.lib.memrevDeviceFree(address, self.device_number, self._stream)
            if error:
                _capi.take_string(error)


def _from_bytes(elements, shape, dtype, device):
    """A `DeviceArray` that was copied or pickled."""
    result = DeviceArray(shape, dtype, device)
    check(_capi.lib.memrevDeviceCopy(result.address, elements, result.nbytes, device,
                                     result._stream))
    return result


def to_device(array, device=0, stream=None):
    """A `DeviceArray` with the elements of a NumPy array."""
    array = np.asarray(array, order="C")
    result = DeviceArray(array.shape, array.dtype, device, stream)
    check(_capi.lib.memrevDeviceCopy(result.address, array.ctypes.data, result.nbytes,
                                     device, result._stream))
    return result


def chip(device=0):
    """The chip of a device, "sm_90" for example, as `memrev.compile` takes it."""
    name = ctypes.c_void_p()
    check(_capi.lib.memrevGetDeviceChip(device, ctypes.byref(name)))
    return _capi.take_string(name)


def allocated_bytes():
    """The bytes that memrev holds on all devices, for later calls too."""
    return _capi.lib.memrevGetDeviceBytes()


def peak_bytes():
    """The largest number of bytes that memrev has held on all devices."""
    return _capi.lib.memrevGetPeakDeviceBytes()


def reset_peak_bytes():
    """Lets `peak_bytes` begin anew with what is held now."""
    _capi.lib.memrevResetPeakDeviceBytes()


def is_available(device=0):
    """Whether there is a driver and a device of that number."""
    name = ctypes.c_void_p()
    error = _capi.lib.memrevGetDeviceChip(device, ctypes.byref(name))
    _capi.take_string(error or name)
    return not error


def free_idle(device=0):
    """Gives memory that memrev keeps for later calls back to the driver."""
    check(_capi.lib.memrevDeviceFreeIdle(device))


def _are_whole(views):
    """Whether all arrays are different `DeviceArray`s, which share no memory."""
    arrays = [view for view in views if view is not None]
    return (all([type(array) is DeviceArray for array in arrays])
            and len(set(map(id, arrays))) == len(arrays))


class DeviceFunction:
    """How a `memrev.Function` is called with arrays in device memory."""

    def __init__(self, function):
        self._function = function

    def __call__(self, arguments, stream):
        address = stream_address(stream)
        views = [self._view(expected, value, address)
                 for expected, value in zip(self._function.arguments, arguments)]
        values = tuple(self.call(views, arguments, self._get_device(views), address))
        return values[0] if len(values) == 1 else values or None

    def call(self, views, arguments, device, stream):
        """A list of the results for arguments of the right types: `views` of those in
        device memory, None for scalars. A result that replaces a donated argument is that
        argument."""
        function = self._function
        if function.donates and not _are_whole(views):
            function.check_overlaps([
                (0, 0) if view is None else (view.address, view.nbytes) for view in views])
        pointers = [0] * function.num_parameters
        scalars = []
        for place, (view, value) in enumerate(zip(views, arguments)):
            if view is None:
                scalars.append(function.check(function.arguments[place], value))
                pointers[place] = scalars[-1].ctypes.data
            else:
                pointers[place] = view.address
        results = []
        for parameter in function.results:
            place = parameter.place
            if place < len(arguments):
                results.append(arguments[place])
                continue
            results.append(DeviceArray(parameter.shape, parameter.dtype, device, stream))
            pointers[place] = results[-1].address
        function.call_on_device(pointers, device, stream)
        return results

    def _view(self, expected, value, stream):
        """The array `value`, or None for a scalar, or raises what is wrong with it."""
        error = self._function.error
        if expected.is_scalar:
            if not isinstance(value, (bool, int, float, np.generic)) and not (
                    isinstance(value, np.ndarray) and value.shape == ()):
                raise error(expected, "a number, in host memory", type(value).__name__)
            return None
        if not _dlpack.is_on_device(value):
            raise error(expected, "an array in device memory, as others are",
                        type(value).__name__)
        view = (value.view(stream) if isinstance(value, DeviceArray)
                else _dlpack.view(value, stream))
        if view.dtype != expected.dtype:
            raise error(expected, f"dtype {expected.dtype}", view.dtype)
        if view.shape != expected.shape:
            raise error(expected, f"shape {list(expected.shape)}", list(view.shape), ValueError)
        if not view.is_contiguous:
            raise error(expected, "a contiguous array in C order", "another layout", ValueError)
        if expected.is_donated and not view.is_writable:
            raise error(expected, "a writable array", "a read-only one", ValueError)
        return view

    def _get_device(self, views):
        """The number of the device that all arrays are on."""
        device = None
        for expected, view in zip(self._function.arguments, views):
            if view is None or view.device_number is None:
                continue
            if device is not None and view.device_number != device:
                raise self._function.error(expected, f"an array on device {device}, as others "
                                            "are", f"one on device {view.device_number}",
                                            ValueError)
            device = view.device_number
        # CUDA's array interface does not say it: its arrays are on the current device.
        return 0 if device is None else device
