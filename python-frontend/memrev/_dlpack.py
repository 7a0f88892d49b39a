# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Arrays in device memory as other libraries describe them: DLPack and CUDA's array
interface (https://dmlc.github.io/dlpack, numba's __cuda_array_interface__)."""

import ctypes
from dataclasses import dataclass
from typing import Any, Optional, Tuple

import numpy as np

from . import _capi, _dtypes


class _Device(ctypes.Structure):
    _fields_ = [("kind", ctypes.c_int32), ("number", ctypes.c_int32)]


class _DataType(ctypes.Structure):
    _fields_ = [("code", ctypes.c_uint8), ("bits", ctypes.c_uint8), ("lanes", ctypes.c_uint16)]


class _Tensor(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_void_p),
        ("device", _Device),
        ("rank", ctypes.c_int32),
        ("dtype", _DataType),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    ]


class _ManagedTensor(ctypes.Structure):
    _fields_ = [("tensor", _Tensor), ("context", ctypes.c_void_p), ("deleter", ctypes.c_void_p)]


#: DLPack's kinds of devices: CUDA's own memory, and memory that it manages.
CUDA, _CUDA_MANAGED = 2, 13
_CODES = {"i": 0, "f": 2, "b": 6}
_BFLOAT = 4
_NAME = b"dltensor"

_get_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_get_pointer.restype = ctypes.c_void_p
_get_pointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
_new_capsule = ctypes.pythonapi.PyCapsule_New
_new_capsule.restype = ctypes.py_object
_new_capsule.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]


@dataclass(frozen=True)
class View:
    """An array in device memory, as long as `owner` lives."""

    address: int
    shape: Tuple[int, ...]
    dtype: Any
    device_number: Optional[int]
    is_contiguous: bool
    is_writable: bool
    owner: Any

    @property
    def nbytes(self):
        return self.dtype.itemsize * int(np.prod(self.shape, dtype=np.int64))

    def view(self, stream):
        """The array itself, which is for work on the stream already."""
        return self

    @property
    def is_aligned(self):
        """Whether a program can use it: buffers of 16 bytes and more are aligned to 16."""
        return self.address % 16 == 0 or self.nbytes < 16


def is_on_device(value):
    """Whether `value` is an array in the memory of a CUDA device."""
    if isinstance(value, (np.ndarray, np.generic, bool, int, float)):
        return False
    if hasattr(value, "__dlpack_device__"):
        return int(value.__dlpack_device__()[0]) in (CUDA, _CUDA_MANAGED)
    return hasattr(value, "__cuda_array_interface__")


def view(value, stream):
    """The array `value`, for work on the stream with the address `stream`, 0 for the
    default stream. Raises TypeError for element types that programs do not have."""
    if hasattr(value, "__dlpack__"):
        # Zero would be ambiguous, says the protocol: one is the default stream.
        return _from_capsule(value.__dlpack__(stream=stream or 1))
    return _from_interface(value, stream)


def _is_contiguous(shape, strides, itemsize=1):
    """Whether the array is in C order without gaps, and so one that can be used."""
    expected = itemsize
    for size, stride in zip(reversed(shape), reversed(strides)):
        if size == 0:
            return True
        if size != 1 and stride != expected:
            return False
        expected *= size
    return True


def _from_capsule(capsule):
    tensor = _ManagedTensor.from_address(_get_pointer(capsule, _NAME)).tensor
    shape = tuple(tensor.shape[i] for i in range(tensor.rank))
    strides = tensor.strides and tuple(tensor.strides[i] for i in range(tensor.rank))
    kind = tensor.dtype
    names = {(code, np.dtype(name).itemsize * 8): np.dtype(name)
             for code, name in ((6, "bool"), (0, "int8"), (0, "int16"), (0, "int32"),
                                (0, "int64"), (2, "float16"), (2, "float32"), (2, "float64"))}
    names[_BFLOAT, 16] = _dtypes.bfloat16
    dtype = names.get((kind.code, kind.bits))
    if dtype is None or kind.lanes != 1:
        raise TypeError("expects an element type that programs have, but got DLPack's "
                        f"code {kind.code} with {kind.bits} bits and {kind.lanes} lanes")
    return View((tensor.data or 0) + tensor.byte_offset, shape, dtype, tensor.device.number,
                not strides or _is_contiguous(shape, strides), True, capsule)


def _from_interface(value, stream):
    interface = value.__cuda_array_interface__
    theirs = interface.get("stream")  # None: there is nothing to wait for. One: the default.
    if theirs is not None and (0 if theirs == 1 else theirs) != stream:
        error = _capi.lib.memrevDeviceCopy(None, None, 0, 0, 0 if theirs == 1 else theirs)
        if error:
            raise RuntimeError(_capi.take_string(error))
    dtype = _dtypes.as_dtype(interface["typestr"])
    address, is_read_only = interface["data"]
    shape, strides = tuple(interface["shape"]), interface.get("strides")
    return View(address, shape, dtype, getattr(value, "device_number", None),
                not strides or _is_contiguous(shape, strides, dtype.itemsize),
                not is_read_only, value)


def _address_of(function):
    return ctypes.cast(function, ctypes.c_void_p).value


_api = ctypes.pythonapi
_capi.lib.memrevSetPythonFunctions(ctypes.byref(_capi.PythonFunctions(*map(_address_of, (
    _api.Py_IsInitialized, _api.PyGILState_Ensure, _api.PyGILState_Release, _api.Py_DecRef,
    _api.PyCapsule_IsValid, _api.PyCapsule_GetPointer)))))
# In C: they may run while an exception is on its way, which Python's functions would lose.
_delete = _address_of(_capi.lib.memrevDeleteDLPackTensor)
_destroy = _address_of(_capi.lib.memrevDestroyDLPackCapsule)


def export(array, address, shape, dtype, device):
    """A capsule of device memory that keeps `array` alive."""
    code = _BFLOAT if dtype is _dtypes.bfloat16 else _CODES[dtype.kind]
    sizes = (ctypes.c_int64 * max(len(shape), 1))(*shape)
    managed = _ManagedTensor()
    managed.tensor = _Tensor(address, _Device(CUDA, device), len(shape),
                             _DataType(code, dtype.itemsize * 8, 1), sizes, None, 0)
    exported = managed, sizes, array
    # A reference to all of it, which the deleter drops.
    managed.context, managed.deleter = id(exported), _delete
    capsule = _new_capsule(ctypes.addressof(managed), _NAME, _destroy)
    _api.Py_IncRef(ctypes.py_object(exported))
    return capsule
