# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiled programs: MLIR text in, functions of NumPy arrays out."""

import ctypes
import json
import os
import platform
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Tuple

import numpy as np

from . import _capi, _dlpack, _dtypes, cuda
from . import cache as _cache
from ._files import atomic_write


@dataclass(frozen=True)
class Diagnostic:
    """Something that the compiler has to say about a program."""

    severity: str
    file: str
    line: int
    column: int
    message: str

    def __str__(self):
        place = ""
        if self.file:
            place = f"{self.file}:{self.line}:{self.column}: " if self.line else f"{self.file}: "
        return f"{place}{self.severity}: {self.message}"


class CompileError(Exception):
    """A program that does not compile; `diagnostics` says why."""

    def __init__(self, diagnostics):
        super().__init__("\n".join(map(str, diagnostics)))
        self.diagnostics = diagnostics


@dataclass(frozen=True)
class Parameter:
    """An argument or a result of a function.

    shape: None stands for an extent that the program leaves open.
    is_scalar: the program has a scalar, not a tensor of rank 0.
    is_donated: calls overwrite the argument.
    place: the position of its pointer in `Function.call_pointers`. A result with the
        place of an argument is written over that argument, which is donated.
    residual: of an argument of the backward function of a split derivative, what it is
        of the forward function: ("argument", i), ("result", i), or ("saved", i) for the
        i-th of the results behind those of the function. Else None.
    """

    name: str
    dtype: np.dtype
    shape: Tuple[Optional[int], ...]
    is_scalar: bool
    is_donated: bool
    place: int
    residual: Optional[Tuple[str, int]] = None

    def __str__(self):
        shape = ", ".join("?" if extent is None else str(extent) for extent in self.shape)
        kind = "scalar" if self.is_scalar else f"[{shape}]"
        return f"{self.name}: {self.dtype}{kind}"


def _parameter(getter, handle, function, index):
    raw = _capi.Parameter()
    getter(handle, function, index, ctypes.byref(raw))
    residual = None
    if raw.residual:
        kind, number = raw.residual.decode().split()
        residual = kind, int(number)
    return Parameter(
        raw.name.decode(),
        _dtypes.as_dtype(raw.dtype.decode()),
        tuple(None if raw.shape[i] < 0 else raw.shape[i] for i in range(raw.rank)),
        raw.is_scalar,
        raw.is_donated,
        raw.parameter,
        residual,
    )


#: In an array's flags: contiguous in C order, aligned, writable.
_USUAL = 0x1 | 0x100 | 0x400


def _find_address_reader():
    """How to get the address of an array's elements: as NumPy says it, or, ten times as
    fast, from the first field of the array, as NumPy's C API has it."""
    def documented(array):
        return array.ctypes.data

    if platform.python_implementation() != "CPython":
        return documented
    header, at = object.__basicsize__, ctypes.c_void_p.from_address

    def direct(array):
        return at(id(array) + header).value

    sample = np.zeros(3)
    return direct if direct(sample[1:]) == documented(sample[1:]) else documented


_get_address = _find_address_reader()


def _fits(shape, expected):
    """Whether an array of `shape` is one of those that are expected."""
    return len(shape) == len(expected) and all(
        extent == wanted or wanted is None for extent, wanted in zip(shape, expected))


class Function:
    """A compiled function. Several threads may call it at once."""

    def __init__(self, module, index):
        self._module = module  # Keeps the code alive.
        self._index = index
        raw = _capi.Function()
        _capi.lib.memrevGetFunction(module._handle, index, ctypes.byref(raw))
        self.name = raw.name.decode()
        #: None if the arguments leave extents open: see `extents`.
        self.workspace_bytes = raw.workspace_bytes if raw.num_extents == 0 else None
        self.arguments = [
            _parameter(_capi.lib.memrevGetArgument, module._handle, index, i)
            for i in range(raw.num_arguments)
        ]
        self.results = [
            _parameter(_capi.lib.memrevGetResult, module._handle, index, i)
            for i in range(raw.num_results)
        ]
        #: The extents that arguments leave open: the argument's position and the axis.
        self._extents = [(i, axis) for i, p in enumerate(self.arguments)
                         for axis, extent in enumerate(p.shape) if extent is None]
        self.num_parameters = raw.num_parameters
        self._pointers = ctypes.c_void_p * raw.num_parameters
        # What a call reads of them, at hand.
        self._expected = [(p.dtype, p.shape, p) for p in self.arguments]
        self._made = [(p.place, p.shape, p.dtype) for p in self.results
                      if p.place >= len(self.arguments)]
        self._returned = [(p.place, p.is_scalar) for p in self.results]
        #: How it is called with arrays in device memory; None for the processor.
        self.on_device = cuda.DeviceFunction(self) if module.target == "cuda" else None
        self.donates = any(p.is_donated for p in self.arguments)
        self._without_numpy = next((p.name for p in (*self.arguments, *self.results)
                                    if p.dtype is _dtypes.bfloat16), None)

    def __reduce__(self):
        return _get_function, (self._module, self.name)

    def __repr__(self):
        arguments = ", ".join(map(str, self.arguments))
        results = ", ".join(map(str, self.results))
        return f"<memrev function {self.name}({arguments}) -> ({results})>"

    def check(self, expected, value):
        """Returns `value` as an array that the function can read in place, or raises
        what is wrong with it."""
        if not isinstance(value, np.ndarray):
            if expected.shape == () and isinstance(value, (bool, int, float, np.generic)):
                return self._scalar(expected, value)
            raise self.error(expected, "a NumPy array", type(value).__name__)
        if value.dtype != expected.dtype:
            raise self.error(expected, f"dtype {expected.dtype}", value.dtype)
        if value.shape != expected.shape and not _fits(value.shape, expected.shape):
            raise self.error(
                expected, f"shape {list(expected.shape)}", list(value.shape), ValueError
            )
        if not (value.flags.c_contiguous and value.flags.aligned):
            raise self.error(
                expected, "a contiguous array in C order", "another layout", ValueError
            )
        if expected.is_donated and not value.flags.writeable:
            raise self.error(expected, "a writable array", "a read-only one", ValueError)
        return value

    def check_overlaps(self, places):
        """Raises ValueError if a donated argument, which the call overwrites, shares memory
        with another argument. `places` are their addresses and bytes."""
        spans = sorted([
            (address, nbytes, expected.is_donated, expected)
            for (address, nbytes), expected in zip(places, self.arguments) if nbytes
        ], key=lambda span: span[:2])
        end = donated_end = 0
        for start, size, is_donated, expected in spans:
            if start < (end if is_donated else donated_end):
                raise self.error(expected, "memory that no donated argument shares",
                                  "an array that overlaps another argument's", ValueError)
            end = max(end, start + size)
            if is_donated:
                donated_end = max(donated_end, start + size)

    def _scalar(self, expected, value):
        if isinstance(value, np.generic) and value.dtype != expected.dtype:
            raise self.error(expected, f"dtype {expected.dtype}", value.dtype)
        if expected.dtype.kind in "ib" and isinstance(value, float):
            raise self.error(expected, f"a number of dtype {expected.dtype}", repr(value))
        try:
            return np.array(value, dtype=expected.dtype)
        except OverflowError:
            raise self.error(
                expected, f"a number of dtype {expected.dtype}", repr(value), ValueError
            ) from None

    def error(self, expected, wanted, got, kind=TypeError):
        """What to raise for an argument."""
        return kind(
            f"argument '{expected.name}' of '{self.name}' expects {wanted}, but got {got}"
        )

    def __call__(self, *arguments, threads=0, stream=None):
        """Calls the function and returns its result, or a tuple of several.

        A function of a program for cuda takes NumPy arrays, or arrays in device memory
        (`memrev.cuda`), and then submits its work to `stream` without waiting for it.

        A result that replaces a donated argument is that argument's array. Raises TypeError
        or ValueError for an argument of another type, shape or layout, and for a donated one
        that is read-only or shares memory with another argument.
        """
        if len(arguments) != len(self.arguments):
            raise TypeError(
                f"'{self.name}' expects {len(self.arguments)} arguments, "
                f"but got {len(arguments)}"
            )
        if self.on_device is not None and any(map(_dlpack.is_on_device, arguments)):
            return self.on_device(arguments, stream)
        if stream is not None:
            raise TypeError(
                f"'{self.name}' expects arrays in device memory with a stream, but got none")
        if self._without_numpy is not None:
            raise TypeError(
                f"'{self.name}' expects to be called by NumPy with types that it has, but "
                f"'{self._without_numpy}' is bfloat16: convert it in the program"
            )
        # Calls of small functions are many: what is right is seen at a glance.
        slots = [
            value if type(value) is np.ndarray and value.dtype is dtype
            and value.shape == shape and value.flags.num & _USUAL == _USUAL
            else self.check(expected, value)
            for (dtype, shape, expected), value in zip(self._expected, arguments)
        ]
        if self.donates:
            self.check_overlaps([(_get_address(array), array.nbytes) for array in slots])
        made = self._made
        if self._extents:
            extents = [slots[i].shape[axis] for i, axis in self._extents]
            _, made = self._instantiate(extents)
            slots += [np.array(extent, np.int64) for extent in extents]
        slots += [None] * (self._pointers._length_ - len(slots))
        for place, shape, dtype in made:
            slots[place] = np.empty(shape, dtype)
        self.call_pointers([_get_address(array) for array in slots], threads)
        values = tuple([slots[place][()] if is_scalar else slots[place]
                        for place, is_scalar in self._returned])
        if not values:
            return None
        return values[0] if len(values) == 1 else values

    def _instantiate(self, extents):
        """For the open extents of arguments the bytes that a call works in, and the place,
        shape and dtype of each result that is not an argument. Raises ValueError if the
        extents do not agree or sizes do not fit."""
        given = (ctypes.c_int64 * len(extents))(*extents)
        count = sum(extent is None for _, shape, _ in self._made for extent in shape)
        found, workspace = (ctypes.c_int64 * count)(), ctypes.c_int64()
        error = _capi.lib.memrevGetExtents(
            self._module._handle, self._index, given, len(extents), found, count,
            ctypes.byref(workspace))
        if error:
            raise ValueError(_capi.take_string(error))
        rest = iter(found)
        made = [(place, tuple(next(rest) if extent is None else extent for extent in shape),
                 dtype) for place, shape, dtype in self._made]
        return workspace.value, made

    def get_workspace_bytes(self, *shapes):
        """The bytes that a call works in with arguments of these shapes. Raises ValueError
        if they do not agree with each other or sizes do not fit 64 bits."""
        if not self._extents:
            return self.workspace_bytes
        return self._instantiate([shapes[i][axis] for i, axis in self._extents])[0]

    def call_arrays(self, arguments, results, threads=0):
        """Calls the function on arrays that the caller has for arguments and results.
        Nothing is checked."""
        arguments = [*arguments, *(np.array(arguments[i].shape[axis], np.int64)
                                   for i, axis in self._extents)]
        pointers = [_get_address(array) for array in arguments] + [0] * len(results)
        for parameter, array in zip(self.results, results):
            pointers[parameter.place] = _get_address(array)
        self.call_pointers(pointers, threads)

    def call_pointers(self, pointers, threads=0, workspace=0, workspace_bytes=0):
        """Calls the function on memory that the caller has: an address for each argument,
        then for each extent that they leave open, of an integer of 64 bits, then for each
        result, in the order of `Parameter.place`. `workspace` is memory that a
        program for the processor works in, of `Function.workspace_bytes` bytes and aligned
        to 64, which no other call uses meanwhile; without one memrev provides it. Nothing is
        checked but the workspace: RuntimeError says what is wrong with it, or that there is
        no memory for it, before anything is written."""
        handle, addresses = self._module._handle, self._pointers(*pointers)
        if workspace:
            error = _capi.lib.memrevCallInWorkspace(
                handle, self._index, addresses, len(pointers), workspace, workspace_bytes,
                threads)
        else:
            error = _capi.lib.memrevCall(
                handle, self._index, addresses, len(pointers), threads)
        if error:
            raise RuntimeError(_capi.take_string(error))

    def call_on_device(self, pointers, device=0, stream=0, workspace=0, workspace_bytes=0):
        """Submits a call to a CUDA stream, by its address, and does not wait for it: a
        program for cuda on device memory that the caller has, as `call_pointers` takes it;
        scalar arguments are in host memory. `workspace` is memory of the device, of
        `Function.workspace_bytes` bytes and aligned to 64; without one memrev provides it,
        which it cannot while the caller records the stream as a graph. Nothing is checked
        but that arrays are device memory and aligned to 16 bytes."""
        call = _capi.DeviceCall(device, stream, workspace, workspace_bytes)
        cuda.check(_capi.lib.memrevCallOnDevice(
            self._module._handle, self._index, self._pointers(*pointers), len(pointers),
            ctypes.byref(call)))


class Module:
    """A compiled program: a mapping from names to functions."""

    def __init__(self, handle, diagnostics):
        self._handle = handle
        self._symbols = {}  # Keeps what they point to.
        #: What it was compiled for, "cpu" or "cuda", and the chip of the latter.
        self.target = _capi.lib.memrevGetTarget(handle).decode()
        self.chip = _capi.lib.memrevGetChip(handle).decode()
        #: Warnings and remarks of the compilation.
        self.diagnostics = diagnostics
        names = (Function(self, i) for i in range(_capi.lib.memrevGetNumFunctions(handle)))
        self._functions = {function.name: function for function in names}

    def __reduce__(self):
        return from_bytes, (self.to_bytes(),)

    @property
    def drift_sites(self):
        """The operations whose inverses are compared (`check_drift`), "'name' at place"."""
        sites = []
        while (site := _capi.lib.memrevGetDriftSite(self._handle, len(sites))) is not None:
            sites.append(site.decode())
        return sites

    def set_symbols(self, symbols):
        """Says where the code of functions is that the program calls and has no body of:
        `symbols` has an address or a function pointer of ctypes for each name, which the
        module keeps. Raises ValueError after the first call, and TypeError for what is no
        address."""
        for name, symbol in symbols.items():
            error = _capi.lib.memrevSetSymbol(self._handle, name.encode(),
                                              symbol_address(name, symbol))
            if error:
                raise ValueError(_capi.take_string(error))
        self._symbols = {**self._symbols, **symbols}

    def __getitem__(self, name):
        try:
            return self._functions[name]
        except KeyError:
            known = ", ".join(f"'{name}'" for name in self._functions) or "none"
            raise KeyError(f"no public function '{name}'; there is {known}") from None

    def __iter__(self):
        return iter(self._functions)

    def __len__(self):
        return len(self._functions)

    def __contains__(self, name):
        return name in self._functions

    @property
    def ir(self):
        """The program's text after the last stage, if it was asked for."""
        return _capi.lib.memrevGetIR(self._handle).decode(errors="replace")

    def memory_report(self):
        """For each function the bytes of arguments, results and workspace, what lies in the
        workspace (`buffers`, with `begin` and `end` as parts of a call in the order of the
        program), what of it is in use at the peak, and how each value that the backward pass
        needs is had. By estimate, the time of a call (`time_ns`) and what each value costs
        (`cost_ns`), and the `curve` of time against memory if it was asked for."""
        return json.loads(self._report(b"json"))

    def memory_page(self):
        """The same as an HTML page with pictures, which needs no other file."""
        return self._report(b"html")

    def _report(self, format):
        return _capi.take_string(_capi.lib.memrevGetMemoryReport(self._handle, format))

    @property
    def header(self):
        """A C header that declares the functions of `write_library`."""
        return _capi.take_string(_capi.lib.memrevGetHeader(self._handle))

    def write_library(self, path):
        """Writes the program as a shared library, which C programs call by `header`
        without memrev. The system's C++ compiler links it. Raises RuntimeError if it
        fails, and OSError if `path` cannot be written."""
        with tempfile.TemporaryDirectory() as folder:
            linked = Path(folder) / "library.so"
            error = _capi.lib.memrevWriteLibrary(self._handle, os.fsencode(linked))
            if error:
                raise RuntimeError(_capi.take_string(error))
            with atomic_write(path) as file, open(linked, "rb") as source:
                shutil.copyfileobj(source, file)

    def to_bytes(self):
        """The compiled program as bytes: machine code, signatures, memory report. Modules
        and their functions are pickled as these."""
        size = ctypes.c_size_t()
        pointer = _capi.lib.memrevSave(self._handle, ctypes.byref(size))
        if not pointer:
            raise MemoryError("no memory for the bytes of a program")
        try:
            return ctypes.string_at(pointer, size.value)
        finally:
            _capi.lib.memrevFreeString(pointer)

    def save(self, path):
        """Writes the compiled program to the file `path`, which appears whole or not
        at all; `memrev.load` reads it. Raises OSError if it cannot be written."""
        with atomic_write(path) as file:
            file.write(self.to_bytes())

    def __del__(self):
        handle, self._handle = getattr(self, "_handle", None), None
        if handle and _capi is not None and _capi.lib is not None:
            _capi.lib.memrevDestroy(handle)


def symbol_address(name, symbol):
    """The address of a function pointer of ctypes, or `symbol` itself, a positive
    integer. Raises TypeError for anything else."""
    if isinstance(symbol, ctypes._CFuncPtr):
        return ctypes.cast(symbol, ctypes.c_void_p).value
    if not isinstance(symbol, int) or isinstance(symbol, bool) or symbol <= 0:
        raise TypeError(f"expects an address or a function pointer of ctypes for '{name}', but "
                        f"got {symbol!r}")
    return symbol


def _get_function(module, name):
    return module[name]


def from_bytes(data):
    """The `Module` whose `to_bytes` gave `data`. Raises ValueError if they are of
    something else, of another build of memrev, or damaged, or if this machine's
    processor cannot run the code."""
    handle = _capi.lib.memrevLoad(data, len(data))
    diagnostics = _diagnostics(handle)
    if not _capi.lib.memrevSucceeded(handle):
        _capi.lib.memrevDestroy(handle)
        raise ValueError(diagnostics[0].message)
    return Module(handle, diagnostics)


def load(path):
    """Reads a compiled program that `Module.save` wrote, without compiling.

    A file is read by the build of memrev that wrote it, on machines that can run its
    code. Raises OSError if there is no file, and ValueError that says why it cannot be
    used. Machine code is run when a function of it is called: load only files that you
    trust.
    """
    data = Path(path).read_bytes()
    try:
        return from_bytes(data)
    except ValueError as error:
        raise ValueError(f"'{path}': {error}") from None


def openmp_library():
    """The file of the OpenMP library whose threads compiled functions run on.

    PyTorch's if it is loaded, else one that is loaded, else libomp; chosen anew when
    the process has loaded libraries. The environment variable MEMREV_OPENMP names
    another one. Empty before the first call of a function with parallel loops.
    """
    return _capi.take_string(_capi.lib.memrevGetOpenMPLibrary())


def workspace_bytes():
    """The bytes of working memory that the process keeps between calls of programs. All
    programs share it, and it is given back with the last one."""
    return _capi.lib.memrevGetWorkspaceBytes()


def _diagnostics(handle):
    result = []
    for i in range(_capi.lib.memrevGetNumDiagnostics(handle)):
        raw = _capi.Diagnostic()
        _capi.lib.memrevGetDiagnostic(handle, i, ctypes.byref(raw))
        result.append(
            Diagnostic(
                raw.severity.decode(),
                raw.file.decode(errors="replace"),
                raw.line,
                raw.column,
                raw.message.decode(errors="replace"),
            )
        )
    return result


def compile(text, target="cpu", *, memory_budget=None, drift_tolerance=None, check_drift=False,
            cost_model=None, memory_curve=None, chip=None, fp32_precision="ieee", contractions="generated", kernel_format=None,
            cpu="native", until="binary", threads=0, differentiate=(), file="<input>", ir=False,
            cache=False, symbols=None):
    """Compiles an MLIR program and returns it as a `Module`.

    `memory_budget` is the most bytes that a call may take with its arguments and results, a
    number or "200MiB". Gradients under `policy(invert)` store what fits, to save time, and
    evaluate again what does not. It is an error if that takes more. A function's attribute
    `memrev.memory_budget` goes before it.
    `drift_tolerance` is how far what inverses give back may be from the true values, relative
    to them: states are stored every now and then. The attribute `rev.drift_tolerance` of a
    function that is differentiated goes before it.
    With `check_drift` the program calls a function `memrev.report_drift` of `symbols` with how
    far inverses are off (see `jit(f).drift_report`); `Module.drift_sites` names them. It is for
    the CPU, and has no memory budget.
    `cost_model` is a file that `memrev-compile --calibrate` wrote: the rates of a machine, by
    which it is estimated what saves most time. The default is a built-in model.
    `memory_curve` is how many plans, 2 to 64, to try for the curve of time against memory, which
    the memory report has then.

    A program for `target="cuda"` has a `chip`, "sm_90" for example; "native" is that of
    device 0. With `fp32_precision="tf32"` it multiplies matrices of float32 on tensor cores,
    which round the factors to 10 bits of mantissa (as `torch.backends.fp32_precision` does);
    "tf32x3" makes three such products of one, which loses a bit or two of 24.
    Products of matrices and convolutions are computed by kernels of its own with
    `contractions="generated"`, by cuBLASLt and cuDNN wherever these can with "vendor", and where
    they are taken to be faster with "auto"; they are loaded when the program first runs.
    It holds its kernels as "ptx", which the driver compiles when they are loaded,
    "cubin", "fatbin" (both) or "llvm" (bitcode); "auto" is "fatbin" where ptxas and fatbinary
    are found, and else "ptx". The default is what the environment variable
    MEMREV_KERNEL_FORMAT says, or "auto".

    `differentiate` asks for functions that the program has no transform for, with a
    text or several: "function=f wrt=0,1 mode=split policy=invert" adds `f_fwd`, which
    returns the results of `f` and values that are saved, and `f_bwd`, which takes what
    `Parameter.residual` says, then cotangents of the float results, and returns the
    cotangents of the arguments `wrt`. With "donate=saved,cotangents" or "results" calls
    of `f_bwd` overwrite these. Other modes and options are those of the compiler's pass
    `rev-differentiate`.
    `threads=1` compiles without threads; `until` names the last stage to run;
    with `ir` the module keeps the program's text after it. With `cache` the result
    is kept on disk (`memrev.cache`) and taken from there.
    `symbols` says where the code of functions without a body is (`Module.set_symbols`).
    Raises CompileError.
    """
    if isinstance(differentiate, str):
        differentiate = [differentiate]
    if chip == "native":
        chip = cuda.chip()  # A key of the cache names the chip.
    if kernel_format is None:
        kernel_format = os.environ.get("MEMREV_KERNEL_FORMAT", "auto")
    options = [
        f"target={target}",
        *([f"memory-budget={memory_budget}"] if memory_budget is not None else []),
        *([f"drift-tolerance={drift_tolerance}"] if drift_tolerance is not None else []),
        *(["check-drift=1"] if check_drift else []),
        *([f"cost-model={Path(cost_model).read_text()}"] if cost_model is not None else []),
        *([f"memory-curve={memory_curve}"] if memory_curve is not None else []),
        *([f"chip={chip}"] if chip is not None else []),
        *([f"kernel-format={kernel_format}"] if target == "cuda" else []),
        f"fp32-precision={fp32_precision}",
        f"contractions={contractions}",
        f"cpu={cpu}",
        *(f"differentiate={text}" for text in differentiate),
        f"until={until}",
        f"threads={threads}",
        f"file={file}",
        f"ir={int(ir)}",
    ]
    source = text.encode() if isinstance(text, str) else bytes(text)
    if cache:
        module = _cache.get(source, options, from_bytes, lambda: _compile(source, options))
    else:
        module = _compile(source, options)
    module.set_symbols(symbols or {})
    return module


def _compile(source, options):
    encoded = (ctypes.c_char_p * len(options))(*(o.encode() for o in options))
    handle = _capi.lib.memrevCompile(source, len(source), encoded, len(options))
    diagnostics = _diagnostics(handle)
    if not _capi.lib.memrevSucceeded(handle):
        _capi.lib.memrevDestroy(handle)
        raise CompileError(diagnostics)
    return Module(handle, diagnostics)
