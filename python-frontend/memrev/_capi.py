# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Declarations of libMemRevC.so (include/memrev-c/MemRev.h) for ctypes."""

import ctypes
import os
from pathlib import Path


class Diagnostic(ctypes.Structure):
    _fields_ = [
        ("severity", ctypes.c_char_p),
        ("file", ctypes.c_char_p),
        ("line", ctypes.c_uint),
        ("column", ctypes.c_uint),
        ("message", ctypes.c_char_p),
    ]


class Function(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p),
        ("num_arguments", ctypes.c_size_t),
        ("num_results", ctypes.c_size_t),
        ("num_parameters", ctypes.c_size_t),
        ("workspace_bytes", ctypes.c_int64),
        ("num_extents", ctypes.c_size_t),
    ]


class Parameter(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p),
        ("dtype", ctypes.c_char_p),
        ("rank", ctypes.c_size_t),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("parameter", ctypes.c_size_t),
        ("is_scalar", ctypes.c_bool),
        ("is_donated", ctypes.c_bool),
        ("residual", ctypes.c_char_p),
    ]


class DeviceCall(ctypes.Structure):
    _fields_ = [
        ("device", ctypes.c_int),
        ("stream", ctypes.c_void_p),
        ("workspace", ctypes.c_void_p),
        ("workspace_bytes", ctypes.c_size_t),
    ]


class PythonFunctions(ctypes.Structure):
    _fields_ = [
        ("is_initialized", ctypes.c_void_p),
        ("ensure_gil", ctypes.c_void_p),
        ("release_gil", ctypes.c_void_p),
        ("drop_reference", ctypes.c_void_p),
        ("is_valid_capsule", ctypes.c_void_p),
        ("get_capsule_pointer", ctypes.c_void_p),
    ]


def _candidates():
    """Where the library may be: told, installed, or built in the source tree."""
    name = "libMemRevC.so"
    if "MEMREV_BUILD_DIR" in os.environ:
        yield Path(os.environ["MEMREV_BUILD_DIR"]) / "lib" / name
    package = Path(__file__).resolve().parent
    yield package / "_lib" / name
    yield package.parents[1] / "build" / "lib" / name


def _load():
    tried = []
    for path in _candidates():
        tried.append(str(path))
        if path.is_file():
            return _declare(ctypes.CDLL(str(path)))
    raise ImportError("libMemRevC.so was not found; tried " + ", ".join(tried))


def _declare(lib):
    compilation, size, flag = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_bool
    strings, pointer = ctypes.POINTER(ctypes.c_char_p), ctypes.c_void_p
    # Strings that the caller frees are declared as plain pointers: ctypes would
    # turn a char pointer into bytes and lose it.
    owned = ctypes.c_void_p
    signatures = {
        "memrevCompile": (compilation, [ctypes.c_char_p, size, strings, size]),
        "memrevDestroy": (None, [compilation]),
        "memrevSucceeded": (flag, [compilation]),
        "memrevGetNumDiagnostics": (size, [compilation]),
        "memrevGetDiagnostic": (flag, [compilation, size, ctypes.POINTER(Diagnostic)]),
        "memrevGetNumFunctions": (size, [compilation]),
        "memrevGetFunction": (flag, [compilation, size, ctypes.POINTER(Function)]),
        "memrevGetArgument": (flag, [compilation, size, size, ctypes.POINTER(Parameter)]),
        "memrevGetResult": (flag, [compilation, size, size, ctypes.POINTER(Parameter)]),
        "memrevGetIR": (ctypes.c_char_p, [compilation]),
        "memrevGetMemoryReport": (owned, [compilation, ctypes.c_char_p]),
        "memrevGetHeader": (owned, [compilation]),
        "memrevWriteLibrary": (owned, [compilation, ctypes.c_char_p]),
        "memrevGetExtents": (
            owned,
            [compilation, size, ctypes.POINTER(ctypes.c_int64), size,
             ctypes.POINTER(ctypes.c_int64), size, ctypes.POINTER(ctypes.c_int64)],
        ),
        "memrevSetSymbol": (owned, [compilation, ctypes.c_char_p, ctypes.c_void_p]),
        "memrevCall": (
            owned,
            [compilation, size, ctypes.POINTER(ctypes.c_void_p), size, ctypes.c_int],
        ),
        "memrevCallInWorkspace": (
            owned,
            [compilation, size, ctypes.POINTER(ctypes.c_void_p), size, pointer, size,
             ctypes.c_int],
        ),
        "memrevGetTarget": (ctypes.c_char_p, [compilation]),
        "memrevGetChip": (ctypes.c_char_p, [compilation]),
        "memrevGetDriftSite": (ctypes.c_char_p, [compilation, size]),
        "memrevCallOnDevice": (
            owned,
            [compilation, size, ctypes.POINTER(ctypes.c_void_p), size,
             ctypes.POINTER(DeviceCall)],
        ),
        "memrevDeviceAllocate": (
            owned, [size, ctypes.c_int, pointer, ctypes.POINTER(ctypes.c_void_p)]),
        "memrevDeviceFree": (owned, [pointer, ctypes.c_int, pointer]),
        "memrevDeviceFreeIdle": (owned, [ctypes.c_int]),
        "memrevDeviceCopy": (owned, [pointer, pointer, size, ctypes.c_int, pointer]),
        "memrevGetDeviceChip": (owned, [ctypes.c_int, ctypes.POINTER(ctypes.c_void_p)]),
        "memrevGetDeviceBytes": (size, []),
        "memrevGetPeakDeviceBytes": (size, []),
        "memrevResetPeakDeviceBytes": (None, []),
        "memrevSetPythonFunctions": (None, [ctypes.POINTER(PythonFunctions)]),
        "memrevSave": (owned, [compilation, ctypes.POINTER(size)]),
        "memrevLoad": (compilation, [ctypes.c_char_p, size]),
        "memrevGetIdentity": (ctypes.c_char_p, []),
        "memrevGetOpenMPLibrary": (owned, []),
        "memrevGetWorkspaceBytes": (size, []),
        "memrevFreeString": (None, [owned]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(lib, name)
        function.restype = result
        function.argtypes = arguments
    return lib


def take_string(pointer):
    """Returns the text of a string that the caller owns, and frees it."""
    text = ctypes.cast(pointer, ctypes.c_char_p).value.decode(errors="replace")
    lib.memrevFreeString(pointer)
    return text


lib = _load()
