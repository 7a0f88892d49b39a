# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Calls the functions of compiled shared libraries (`memrev-compile --emit=so`,
`memrev.export`, `Module.write_library`) from Python.

A library says how its functions are called, so that this file needs nothing else of
memrev: it can be copied to where the compiler is not installed. It needs NumPy, and
PyTorch for tensors.

    library = Library("model.so")
    loss, dw = library["step"](x, w)

Arguments are NumPy arrays, which a library for cuda copies to the device and back, or
PyTorch tensors: on the CPU, or for a library for cuda on a device, where they are used in
place, on PyTorch's current stream. Results are of the same kind. A result that replaces a
donated argument is that argument.
"""

import ctypes
import json
import os

import numpy as np

__all__ = ["Function", "Library"]

_PACKED = "_memrev_packed_"
#: The alignment of working memory.
_ALIGNMENT = 64


@ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_void_p)
def _ignore(message, context):
    """What is told of errors, which are raised instead of printed."""


class Library:
    """A shared library: a mapping from names to functions. Raises OSError if it cannot be
    loaded, and ValueError if it is none of memrev's."""

    def __init__(self, path):
        path = os.path.abspath(os.fspath(path))
        #: The library itself, for the functions of memrev/Runtime/CUDA/CUDARuntime.h.
        self.handle = ctypes.CDLL(path)
        try:
            text = ctypes.c_char.in_dll(self.handle, "_memrev_signatures")
        except ValueError:
            raise ValueError(f"expects a library that memrev compiled, but got '{path}'") from None
        description = json.loads(ctypes.string_at(ctypes.addressof(text)))
        #: What it was compiled for, "cpu" or "cuda", and the chip of the latter.
        self.target = description["target"]
        self.chip = description["chip"]
        functions = (Function(self, signature) for signature in description["functions"])
        self._functions = {function.name: function for function in functions}
        if self.target == "cuda":
            self.handle.memrevCudaLastError.restype = ctypes.c_char_p
            self.handle.memrevCudaSetErrorCallback(_ignore, None)

    def __getitem__(self, name):
        try:
            return self._functions[name]
        except KeyError:
            known = ", ".join(f"'{name}'" for name in self._functions) or "none"
            raise KeyError(f"no function '{name}'; there is {known}") from None

    def __iter__(self):
        return iter(self._functions)

    def __len__(self):
        return len(self._functions)

    def peak_device_bytes(self):
        """The largest number of bytes that the library itself has held on devices. Memory
        of PyTorch's is not among them."""
        function = self.handle.memrevCudaGetPeakBytes
        function.restype = ctypes.c_size_t
        return function()

    def check(self):
        """Raises RuntimeError if something has failed on the device."""
        message = self.handle.memrevCudaLastError()
        if message is not None:
            self.handle.memrevCudaClearError()
            raise RuntimeError(message.decode(errors="replace"))


def _fits(shape, expected):
    """Whether an array of `shape` is one of those that are expected; None is any extent."""
    return len(shape) == len(expected) and all(
        extent == wanted or wanted is None for extent, wanted in zip(shape, expected))


class Function:
    """A function of a library. Several threads may call it at once."""

    def __init__(self, library, signature):
        self._library = library
        self.name = signature["name"]
        #: Dictionaries with `name`, `dtype`, `shape`, `place`, `scalar` and `donated`.
        self.arguments = signature["arguments"]
        self.results = signature["results"]
        #: None if the arguments leave extents open (None in their shapes).
        self.workspace_bytes = signature["workspace_bytes"]
        self._packed = self._find("")
        #: The argument and the axis of each open extent.
        self._extents = signature["extents"]
        places = [parameter["place"] for parameter in self.results]
        self._num_parameters = max([len(self.arguments) + len(self._extents),
                                    *(place + 1 for place in places)])

    def __call__(self, *arguments):
        """Calls the function and returns its result, or a tuple of several. Raises TypeError
        or ValueError for wrong arguments, and RuntimeError if the device fails."""
        if len(arguments) != len(self.arguments):
            raise TypeError(f"'{self.name}' expects {len(self.arguments)} arguments, "
                            f"but got {len(arguments)}")
        memory = self._choose_memory(arguments)
        values = [memory.take(self, expected, value)
                  for expected, value in zip(self.arguments, arguments)]
        extents = [np.array(values[i].shape[axis], np.int64) for i, axis in self._extents]
        workspace_bytes, shapes = self._instantiate(extents)
        values += extents
        values += [None] * (self._num_parameters - len(values))
        for parameter, shape in zip(self.results, shapes):
            if parameter["place"] >= len(arguments):
                values[parameter["place"]] = memory.make({**parameter, "shape": shape})
        self._check_overlaps(memory, values)
        memory.call(self, values, workspace_bytes)
        results = tuple(
            arguments[place] if (place := parameter["place"]) < len(arguments)
            else memory.give(values[place], parameter) for parameter in self.results)
        return results[0] if len(results) == 1 else results or None

    def _find(self, suffix):
        packed = getattr(self._library.handle, _PACKED + self.name + suffix)
        packed.restype = None
        return packed

    def _instantiate(self, extents):
        """The bytes that a call works in, and the shapes of the results, for arguments with
        the open extents `extents`."""
        shapes = [parameter["shape"] for parameter in self.results]
        if not extents:
            return self.workspace_bytes, shapes
        addresses = [extent.ctypes.data for extent in extents]
        workspace = ctypes.c_int64()
        self._find("_arena_bytes")((ctypes.c_void_p * (len(extents) + 1))(
            *addresses, ctypes.addressof(workspace)))
        if workspace.value < 0:
            what = ("extents agree with each other" if workspace.value == -2 else
                    "sizes are not negative and fit 64 bits")
            raise ValueError(f"'{self.name}' expects arguments whose {what}, but got the extents "
                             f"{', '.join(map(str, extents))}")
        count = sum(extent is None for parameter, shape in zip(self.results, shapes)
                    if parameter["place"] >= len(self.arguments) for extent in shape)
        found = (ctypes.c_int64 * count)()
        if count:
            self._find("_result_extents")((ctypes.c_void_p * (len(extents) + 1))(
                *addresses, ctypes.addressof(found)))
        rest = iter(found)
        return workspace.value, [
            [next(rest) if extent is None else extent for extent in shape]
            if parameter["place"] >= len(self.arguments) else shape
            for parameter, shape in zip(self.results, shapes)]

    def _choose_memory(self, arguments):
        """What handles the arrays among `arguments`."""
        tensor = next((a for a in arguments if hasattr(a, "data_ptr") and a.dim() > 0), None)
        if tensor is None:
            tensor = next((a for a in arguments if getattr(a, "is_cuda", False)), None)
        if self._library.target == "cpu":
            return _NumPyMemory() if tensor is None else _TorchMemory(tensor.device)
        return _CopiedMemory(self._library) if tensor is None else _TorchMemory(tensor.device)

    def _check_overlaps(self, memory, values):
        """Raises ValueError if what the call overwrites shares memory with an argument."""
        spans = sorted(
            (memory.address(value), value.nbytes, expected["donated"], expected)
            for expected, value in zip(self.arguments, values)
            if not expected["scalar"] and value.nbytes)
        end = donated_end = 0
        for start, size, donated, expected in spans:
            if start < (end if donated else donated_end):
                raise self._error(expected, "memory that no donated argument shares",
                                  "an array that overlaps another argument's", ValueError)
            end = max(end, start + size)
            if donated:
                donated_end = max(donated_end, start + size)

    def _error(self, expected, wanted, got, kind=TypeError):
        return kind(f"argument '{expected['name']}' of '{self.name}' expects {wanted}, "
                    f"but got {got}")

    def _scalar(self, expected, value):
        """A number as an array of one element, or raises what is wrong with it."""
        if isinstance(value, np.generic) or isinstance(value, np.ndarray) and value.ndim == 0:
            if str(value.dtype) != expected["dtype"]:
                raise self._error(expected, f"dtype {expected['dtype']}", value.dtype)
        elif not isinstance(value, (bool, int, float)):
            raise self._error(expected, "a number", type(value).__name__)
        if expected["dtype"] == "bfloat16":
            raise self._error(expected, "a dtype that NumPy has", "bfloat16")
        return np.array(value, expected["dtype"])

    def call_addresses(self, pointers):
        """Calls the function with the address of each parameter in the order of places, and
        of its working memory: in device memory for a library for cuda, but for scalars.
        Nothing is checked."""
        self._packed((ctypes.c_void_p * len(pointers))(*pointers))


class _NumPyMemory:
    """Arrays of NumPy, in host memory."""

    def take(self, function, expected, value):
        """`value` as an array that the function can use, or raises what is wrong."""
        if expected["scalar"]:
            return function._scalar(expected, value)
        if not isinstance(value, np.ndarray):
            if expected["shape"] == [] and isinstance(value, (bool, int, float, np.generic)):
                return function._scalar(expected, value)
            raise function._error(expected, "a NumPy array, as others are", type(value).__name__)
        if str(value.dtype) != expected["dtype"]:
            raise function._error(expected, f"dtype {expected['dtype']}", value.dtype)
        if not _fits(value.shape, expected["shape"]):
            raise function._error(expected, f"shape {expected['shape']}", list(value.shape),
                                  ValueError)
        if not (value.flags.c_contiguous and value.flags.aligned):
            raise function._error(expected, "a contiguous array in C order", "another layout",
                                  ValueError)
        if expected["donated"] and not value.flags.writeable:
            raise function._error(expected, "a writable array", "a read-only one", ValueError)
        return value

    def make(self, parameter):
        if parameter["dtype"] == "bfloat16":
            raise TypeError("expects results that NumPy has a dtype for, but got bfloat16")
        return np.empty(parameter["shape"], parameter["dtype"])

    def give(self, value, parameter):
        """What the caller gets of a result."""
        return value[()] if parameter["scalar"] else value

    def address(self, value):
        return value.ctypes.data

    def call(self, function, values, workspace_bytes):
        workspace = np.empty(workspace_bytes + _ALIGNMENT, np.uint8)
        start = -(-workspace.ctypes.data // _ALIGNMENT) * _ALIGNMENT
        function.call_addresses([*(value.ctypes.data for value in values), start])


class _CopiedMemory(_NumPyMemory):
    """Arrays of NumPy, which are copied to a device and back."""

    def __init__(self, library):
        self._owner, self._library = library, library.handle
        self._allocated = []

    def call(self, function, values, workspace_bytes):
        scalars = {i for i, argument in enumerate(function.arguments) if argument["scalar"]}
        written = {parameter["place"] for parameter in function.results}
        try:
            pointers = []
            for place, value in enumerate(values):
                if place in scalars:
                    pointers.append(value.ctypes.data)
                    continue
                pointers.append(self._allocate(value.nbytes))
                if place < len(function.arguments):
                    self._library.memrevCudaCopyToDevice(
                        ctypes.c_void_p(pointers[-1]), ctypes.c_void_p(value.ctypes.data),
                        ctypes.c_size_t(value.nbytes))
            pointers.append(self._allocate(workspace_bytes))
            self._owner.check()
            function.call_addresses(pointers)
            for place in written:
                self._library.memrevCudaCopyToHost(
                    ctypes.c_void_p(values[place].ctypes.data),
                    ctypes.c_void_p(pointers[place]), ctypes.c_size_t(values[place].nbytes))
            self._owner.check()
        finally:
            for pointer in self._allocated:
                self._library.memrevCudaFreeOnStream(ctypes.c_void_p(pointer))

    def _allocate(self, size):
        """Memory that the runtime keeps afterwards, so that the next call has the same
        addresses and can be replayed."""
        pointer = ctypes.c_void_p()
        self._library.memrevCudaAllocateOnStream(ctypes.byref(pointer), ctypes.c_size_t(size))
        if pointer.value:
            self._allocated.append(pointer.value)
        return pointer.value or 0


class _TorchMemory:
    """Tensors of PyTorch, on the CPU or on a device."""

    def __init__(self, device):
        import torch

        self._torch, self._device = torch, device

    def take(self, function, expected, value):
        """`value` as a tensor that the function can use, or raises what is wrong."""
        if expected["scalar"]:
            return function._scalar(expected, value)
        if not isinstance(value, self._torch.Tensor):
            raise function._error(expected, "a tensor, as others are", type(value).__name__)
        if value.device != self._device:
            raise function._error(expected, f"a tensor on {self._device}, as others are",
                                  f"one on {value.device}", ValueError)
        if self._dtype(expected) != value.dtype:
            raise function._error(expected, f"dtype {expected['dtype']}", value.dtype)
        if not _fits(value.shape, expected["shape"]):
            raise function._error(expected, f"shape {expected['shape']}", list(value.shape),
                                  ValueError)
        if not value.is_contiguous():
            raise function._error(expected, "a contiguous tensor", "another layout", ValueError)
        return value

    def make(self, parameter):
        return self._torch.empty(parameter["shape"], dtype=self._dtype(parameter),
                                 device=self._device)

    def give(self, value, parameter):
        return value

    def _dtype(self, parameter):
        return getattr(self._torch, parameter["dtype"])

    def address(self, value):
        return value.data_ptr()

    def call(self, function, values, workspace_bytes):
        library = function._library
        if library.target != ("cuda" if self._device.type == "cuda" else "cpu"):
            raise TypeError(f"'{function.name}' is compiled for {library.target}, "
                            f"but got tensors on {self._device}")
        scalars = {i for i, argument in enumerate(function.arguments) if argument["scalar"]}
        # PyTorch's allocator aligns more than enough on devices, and to 64 on the CPU.
        workspace = self._torch.empty(workspace_bytes, dtype=self._torch.uint8,
                                      device=self._device)
        pointers = [value.ctypes.data if place in scalars or isinstance(value, np.ndarray)
                    else value.data_ptr() for place, value in enumerate(values)]
        pointers.append(workspace.data_ptr())
        if library.target == "cpu":
            function.call_addresses(pointers)
            return
        with self._torch.cuda.device(self._device):
            stream = self._torch.cuda.current_stream(self._device).cuda_stream
            library.handle.memrevCudaUseStream(ctypes.c_void_p(stream))
            try:
                function.call_addresses(pointers)
            finally:
                library.handle.memrevCudaUseOwnStreams()
        library.check()
