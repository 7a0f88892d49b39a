# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""jit: Python functions of arrays as compiled programs."""

import collections
import dataclasses
import functools
import inspect
import threading
import weakref
from typing import Tuple

import numpy as np

from . import _array, _device, _drift, _dtypes, _graph, _program, cuda, tree
from ._device import as_contiguous, as_numpy

#: Compiled programs that one function keeps; those not used longest go first.
CACHE_SIZE = 64


@dataclasses.dataclass(frozen=True)
class ShapeDtype:
    """Stands for an array of which only the shape and element type are known, where
    `mlir`, `compile` and `memory_report` ask for arguments."""

    shape: Tuple[int, ...]
    dtype: object = np.dtype(np.float32)

    def __post_init__(self):
        object.__setattr__(self, "shape", tuple(self.shape))
        object.__setattr__(self, "dtype", _dtypes.as_dtype(self.dtype))


class Scalar(ShapeDtype):
    """Stands for a number that is a scalar of the program, not an array: on a device it
    comes with the call and not from memory."""


class TracedFunction:
    """What a trace of a Python function gives: a function of the program, the
    structure of its results, and which arguments were arrays."""

    def __init__(self, fn, program, name, args, kwargs, is_array, outer=None, public=False):
        leaves, structure = tree.flatten((args, kwargs))
        self.function = _graph.Function(program, name, outer, public)
        names = _argument_names(fn, structure)
        self.places = [i for i, leaf in enumerate(leaves) if is_array(i, leaf)]
        for i in self.places:
            leaf = leaves[i]
            dtype = _dtypes.as_dtype(leaf.dtype)
            value = self._add_argument(leaf, dtype, names[i])
            leaves[i] = _array.Array(value, leaf.shape, dtype)
        args, kwargs = tree.unflatten(structure, leaves)
        with _graph.tracing(self.function.block):
            self.output = fn(*args, **kwargs)
            found, self.result_structure = tree.flatten(self.output)
            self.results = []
            for path, leaf in zip(self.result_structure.paths(), found):
                try:
                    self.results.append(_array.as_array(leaf))
                except TypeError:
                    raise TypeError(
                        f"expects '{name}' to return arrays, but got {type(leaf).__name__} at "
                        f"'{tree.path_name(path)}'") from None
            self.function.set_results(
                [self.function.block.resolve(r.value) for r in self.results])

    def _add_argument(self, leaf, dtype, name):
        block, type = self.function.block, _array.tensor_type(leaf.shape, dtype)
        if not isinstance(leaf, Scalar):
            return block.add_argument(type, name)
        scalar = block.add_argument(_dtypes.mlir_name(dtype), name)
        return block.append("tensor.from_elements {0} : {r[0]}", [scalar], [type])[0]

    @property
    def result_types(self):
        return [(r.shape, r.dtype) for r in self.results]

    def operands(self, arrays):
        """The operands of a call with `arrays`: those and the captures."""
        return [*arrays, *self.function.captured_operands()]


def _argument_names(fn, structure, separator="_"):
    """A name for each leaf of (args, kwargs), from the function's parameters."""
    try:
        parameters = list(inspect.signature(fn).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    positional = [p.name for p in parameters
                  if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    rest = next((p.name for p in parameters if p.kind == p.VAR_POSITIONAL), "arg")
    names = []
    for path in structure.paths():
        if path[0] == 0:
            first = positional[path[1]] if path[1] < len(positional) else f"{rest}{path[1]}"
        else:
            first = str(path[1])
        names.append(separator.join([first, *map(str, path[2:])]))
    return names


def function_name(fn):
    name = getattr(fn, "__name__", type(fn).__name__)
    return "f" if name == "<lambda>" else name


class Compiled:
    """A program for one signature. `differentiate` is as for `memrev.compile`."""

    def __init__(self, program, name, structure, differentiate=()):
        self.program = program
        self.name = name
        self.structure = structure
        self.differentiate = differentiate
        #: What it is compiled for: the chip of a CUDA device, or None for the processor.
        self.chip = None
        self.module = None


class Programs:
    """The compiled programs of a function. It does not hold the function."""

    def __init__(self):
        self.by_signature = collections.OrderedDict()
        self.lock = threading.Lock()


class _ProgramsOfFunctions:
    """The programs of functions that callers hand over again and again, for as long as
    each function lives. Methods live as long as their objects."""

    def __init__(self):
        self._by_id = {}  # id of an object -> weak reference to it, its programs
        self._lock = threading.Lock()

    def get(self, fn, *key):
        """The programs of `fn` of the kind `key`."""
        owner = fn
        if inspect.ismethod(fn):
            owner, key = fn.__self__, (fn.__func__, *key)
        number = id(owner)
        with self._lock:
            found = self._by_id.get(number)
            if found is None:
                try:
                    reference = weakref.ref(owner, lambda _: self._by_id.pop(number, None))
                except TypeError:
                    return Programs()  # Nobody says when it is gone.
                found = self._by_id[number] = reference, {}
            return found[1].setdefault(key, Programs())


programs_of = _ProgramsOfFunctions().get


def _name_of(structure, number):
    """What messages call a leaf of (args, kwargs)."""
    return tree.path_name(structure.paths()[number][1:])


class Jitted:
    """A function that is traced and compiled for each signature of its arguments:
    their structure, shapes and element types."""

    def __init__(self, fn, donate=(), static_argnums=(), static_argnames=(), threads=0,
                 cpu="native", device=None, fp32_precision="ieee", contractions="generated",
                 memory_budget=None, drift_tolerance=None, cost_model=None, programs=None):
        functools.update_wrapper(self, fn)  # First: a jitted `fn` has attributes like these.
        self._fn = fn
        self._donate = frozenset(donate)
        self._static_argnums = frozenset(static_argnums)
        self._static_argnames = frozenset(static_argnames)
        self._threads, self._cpu = threads, cpu
        self._device = _device.as_device(device)
        self._fp32_precision, self._contractions = fp32_precision, contractions
        self._memory_budget, self._cost_model = memory_budget, cost_model
        self._drift_tolerance = drift_tolerance
        programs = programs or Programs()
        self._cache, self._lock = programs.by_signature, programs.lock

    def __get__(self, instance, owner=None):
        return self if instance is None else functools.partial(self, instance)

    # -- Arguments ----------------------------------------------------------

    def _split(self, args, kwargs):
        """Dynamic arguments, and static ones as a hashable key."""
        if self._static_argnums or self._static_argnames:
            static = tuple((i, args[i]) for i in sorted(self._static_argnums) if i < len(args))
            static += tuple((k, kwargs[k]) for k in sorted(self._static_argnames) if k in kwargs)
            args = tuple(None if i in self._static_argnums else a for i, a in enumerate(args))
            kwargs = {k: v for k, v in kwargs.items() if k not in self._static_argnames}
            for name, value in static:
                try:
                    hash(value)
                except TypeError:
                    raise TypeError(f"expects hashable static arguments, but got "
                                    f"{type(value).__name__} for {name!r}") from None
            return args, kwargs, static
        return args, kwargs, ()

    def _with_static(self, static):
        if not static:
            return self._fn
        by_number = {k: v for k, v in static if isinstance(k, int)}
        by_name = {k: v for k, v in static if not isinstance(k, int)}

        @functools.wraps(self._fn)
        def fn(*args, **kwargs):
            args = [by_number.get(i, a) for i, a in enumerate(args)]
            return self._fn(*args, **kwargs, **by_name)

        return fn

    @staticmethod
    def _as_array(leaf, structure, number):
        """The leaf of that number as an array in host memory, or what stands for one."""
        array = leaf if type(leaf) is ShapeDtype else as_numpy(leaf)
        if array is None:
            raise TypeError(
                f"expects arrays and numbers in arguments, but got {type(leaf).__name__} at "
                f"'{_name_of(structure, number)}'; name what is no array in static_argnums or "
                "static_argnames")
        return array

    def _as_arrays(self, leaves, structure):
        return [self._as_array(leaf, structure, i) for i, leaf in enumerate(leaves)]

    def _contiguous(self, leaves):
        """The leaves of a call, as a program for the processor reads them."""
        self._check_values(leaves)
        return list(map(as_contiguous, leaves))

    def _check_values(self, leaves):
        if ShapeDtype in map(type, leaves):
            raise TypeError(f"expects arrays to call '{function_name(self._fn)}' with, but got "
                            "ShapeDtype")

    def _donated(self, structure):
        """The numbers of the leaves that a call may overwrite."""
        positional, numbers, start = structure.children[0], set(), 0
        for key, child in zip(positional.keys, positional.children):
            if key in self._donate:
                numbers.update(range(start, start + child.num_leaves))
            start += child.num_leaves
        return numbers

    # -- Compiling ----------------------------------------------------------

    def _entry(self, args, kwargs):
        """The compiled program for these arguments, and their leaves: a list, or for a
        CUDA device its `Arguments`."""
        args, kwargs, static = self._split(args, kwargs)
        leaves, structure = tree.flatten((args, kwargs))
        device = self._device
        if device is None or device == _device.CPU:
            if not all(type(leaf) is np.ndarray and leaf.dtype.isnative for leaf in leaves):
                if device is None:
                    device = _device.find(leaves)
                if device in (None, _device.CPU):
                    leaves = self._as_arrays(leaves, structure)
        if device is not None and device != _device.CPU:
            return self._entry_on_device(device, leaves, structure, static)
        key = (structure, static, tuple([(leaf.dtype, leaf.shape) for leaf in leaves]))
        return self._find_entry(key, lambda: leaves), leaves

    def _entry_on_device(self, device, leaves, structure, static):
        arguments = _device.Arguments(
            device, leaves, self._donated(structure),
            lambda leaf, i: self._as_array(leaf, structure, i),
            lambda i: _name_of(structure, i))
        chip = _device.chip_of(device.number)
        key = (structure, static, tuple(arguments.types), chip)
        entry = self._find_entry(key, lambda: [
            (Scalar if is_scalar else ShapeDtype)(shape, dtype)
            for dtype, shape, is_scalar in arguments.types])
        entry.chip = chip
        return entry, arguments

    def _find_entry(self, key, make_leaves):
        """The program of a signature (structure, static arguments, ...)."""
        with self._lock:
            entry = self._cache.get(key)
            if entry is not None:
                self._cache.move_to_end(key)
                return entry
        entry = self._trace(key[0], make_leaves(), key[1])
        with self._lock:
            entry = self._cache.setdefault(key, entry)
            while len(self._cache) > CACHE_SIZE:
                self._cache.popitem(last=False)
        return entry

    def _trace(self, structure, leaves, static):
        program = _graph.Program()
        traced = self._trace_public(program, function_name(self._fn), structure, leaves, static)
        return Compiled(program, traced.function.name, traced.result_structure)

    def _trace_public(self, program, name, structure, leaves, static):
        """Traces into a public function of `program`."""
        args, kwargs = tree.unflatten(structure, leaves)
        fn = self._with_static(static)
        traced = TracedFunction(fn, program, name, args, kwargs, lambda i, leaf: True,
                                public=True)
        function = traced.function
        function.donated = self._donated(structure)
        function.argument_names = _argument_names(fn, structure, ".")
        function.result_names = [".".join(["result", *map(str, path)])
                                 for path in traced.result_structure.paths()]
        return traced

    def trace_into(self, program, name, args):
        """Traces the function for the arguments `args` into a public function `name` of
        a program that may have others."""
        args, kwargs, static = self._split(args, {})
        leaves, structure = tree.flatten((args, kwargs))
        leaves = [ShapeDtype(leaf.shape, leaf.dtype) if isinstance(leaf, cuda.DeviceArray)
                  else self._as_array(leaf, structure, i) for i, leaf in enumerate(leaves)]
        self._trace_public(program, name, structure, leaves, static)

    def _compile(self, entry):
        with self._lock:
            if entry.module is None:
                entry.module = self._compile_with(entry, memory_budget=self._memory_budget)
            return entry.module

    def _compile_with(self, entry, report_drift=None, **options):
        symbols = dict(entry.program.symbols)
        if report_drift is not None:
            symbols[_drift.REPORT] = report_drift
        target = "cpu" if entry.chip is None else "cuda"
        return _program.compile(
            entry.program.print(locations=True), target, chip=entry.chip,
            drift_tolerance=self._drift_tolerance, cost_model=self._cost_model, fp32_precision=self._fp32_precision,
            contractions=self._contractions, threads=self._threads, cpu=self._cpu,
            differentiate=entry.differentiate, file=f"<{entry.name}>",
            cache=report_drift is None, symbols=symbols, **options)

    def __call__(self, *args, **kwargs):
        """Calls the function: arrays in, arrays out, in the structure that the Python
        function returns."""
        if _graph.current_block() is not None:
            return self._call_traced(args, kwargs)
        entry, leaves = self._entry(args, kwargs)
        if entry.chip is not None:
            self._check_values(leaves.leaves)
        function = (entry.module or self._compile(entry))[entry.name]
        if entry.chip is not None:
            return tree.unflatten(entry.structure, leaves.call(function))
        results = function(*self._contiguous(leaves), threads=self._threads)
        count = len(function.results)
        results = () if count == 0 else (results,) if count == 1 else results
        return tree.unflatten(entry.structure, results)

    def _call_traced(self, args, kwargs):
        """A call from another trace: a function of that program, traced once for each
        signature, and a call of it."""
        args, kwargs, static = self._split(args, kwargs)
        leaves, structure = tree.flatten((args, kwargs))
        arrays = [_array.as_array(leaf) for leaf in leaves]
        block = _graph.current_block()
        program = block.function.program
        key = (self, structure, static, tuple((a.dtype.name, a.shape) for a in arrays))
        traced = program.memo.get(key)
        if traced is None:
            args, kwargs = tree.unflatten(structure, arrays)
            traced = TracedFunction(self._with_static(static), program,
                                    function_name(self._fn), args, kwargs,
                                    lambda i, leaf: True, outer=block)
            # What it captures is the caller's: another caller has other values.
            if not traced.function.captures:
                program.memo[key] = traced
        return call_traced(traced, arrays)

    # -- Looking inside -----------------------------------------------------

    def mlir(self, *args, **kwargs):
        """The program for these arguments as MLIR text, before differentiation.
        Arrays may be stood for by `ShapeDtype`."""
        return self._entry(args, kwargs)[0].program.print()

    def compile(self, *args, **kwargs):
        """Compiles the program for these arguments, without running it, and returns
        it as a `memrev.Module`."""
        return self._compile(self._entry(args, kwargs)[0])

    def memory_report(self, *args, **kwargs):
        """What the program for these arguments takes: a dict with the bytes of its
        arguments, results and workspace, the peak, and how each value that a backward
        pass needs is had (see `Module.memory_report`)."""
        entry = self._entry(args, kwargs)[0]
        report = self._compile(entry).memory_report()
        return next(f for f in report if f["function"] == entry.name)

    def memory_page(self, *args, **kwargs):
        """The same as an HTML page with pictures, which needs no other file."""
        return self.compile(*args, **kwargs).memory_page()

    def memory_curve(self, *args, **kwargs):
        """What storing more takes and saves: a list of plans of the program for these
        arguments from the fewest bytes to storing everything, dicts of `peak_bytes` and, by
        estimate, `time_ns`, those with the fewest bytes first. Each takes less time than those
        before it."""
        entry = self._entry(args, kwargs)[0]
        report = self._compile_with(entry, memory_curve=8, until="bufferize").memory_report()
        return next(f["curve"] for f in report if f["function"] == entry.name)

    def drift_report(self, *args, **kwargs):
        """Calls the function, and compares what inverses give back in its backward passes with
        what was there: a list of `memrev.BlockDrift`, in the order of these passes, with the
        largest difference of each block. The program stores these values for that, and
        computes what it always does. Arguments are arrays; on the CPU."""
        entry, leaves = self._entry(args, kwargs)
        recorder = _drift.Recorder()
        module = self._compile_with(entry, check_drift=True, report_drift=recorder.symbol)
        module[entry.name](*self._contiguous(leaves), threads=self._threads)
        return recorder.take(module.drift_sites)

    def cache_clear(self):
        """Forgets all compiled programs."""
        with self._lock:
            self._cache.clear()


def call_traced(traced, arrays):
    """Emits a call of a traced function and returns its output."""
    operands = traced.operands(arrays)
    names = ", ".join(f"{{{i}}}" for i in range(len(operands)))
    types = ", ".join(f"{{t[{i}]}}" for i in range(len(operands)))
    results = ", ".join(_array.tensor_type(*type) for type in traced.result_types)
    values = _array.emit(f"func.call @{traced.function.name}({names}) : ({types}) -> "
                         f"({results})", operands, traced.result_types)
    return tree.unflatten(traced.result_structure, values)


def jit(fn=None, *, donate=(), static_argnums=(), static_argnames=(), threads=0, cpu="native",
        device=None, fp32_precision="ieee", contractions="generated", memory_budget=None,
        drift_tolerance=None, cost_model=None):
    """Compiles `fn`, a function of arrays, when it is called.

    The function is run once for each signature (structure, shapes and element types
    of its arguments) on traced arrays; the operations that it applies become one
    program. Its arguments and results are trees of arrays (`memrev.tree`): NumPy
    arrays, Python numbers (float32, int32), and tensors that have `__dlpack__`, such as
    PyTorch's. Results are NumPy arrays. The program has to be the same for all arrays of
    a signature: conditions on values are `memrev.numpy.where` or `memrev.lax.cond`.

    A call with an array in the memory of a CUDA device, or with `device="cuda"`, runs
    there and does not wait: such arrays are used where they are, arrays of the host
    copied, and results are `memrev.cuda.DeviceArray`s, or PyTorch's tensors if an argument
    is one that is on the device. The work goes to the stream of `memrev.cuda.stream`, else
    to PyTorch's current stream if there are tensors of it, else to the default stream.

    donate: numbers of arguments whose arrays the call may overwrite; results of the
        same shape are written into them.
    static_argnums, static_argnames: arguments that are no arrays; hashable, and part
        of the signature.
    threads: 1 compiles for one thread; 0 uses all processors.
    cpu: the processor to compile for, as LLVM names it.
    device: where calls run: "cpu", "cuda", "cuda:1"; by default where arguments are.
    fp32_precision: how CUDA devices multiply matrices of float32: "ieee", "tf32x3" or
        "tf32" (see `memrev.compile`).
    contractions: who multiplies matrices and convolves on CUDA devices: "generated" kernels, or
        cuBLASLt and cuDNN where they can, "vendor", or where they are taken to be faster, "auto".
    memory_budget: the most bytes that a call may take with its arguments and results, a
        number or "200MiB"; gradients that are had by inversion store what fits, and
        evaluate again what does not.
    drift_tolerance: how far what inverses give back may be from the true values, relative to
        them; states are stored every now and then.
    cost_model: a file that `memrev-compile --calibrate` wrote, for what saves most time.

    Compiled programs are kept on disk for other processes (`memrev.cache`).
    May be used as a decorator, with or without arguments. Raises CompileError if the
    program has no compiled form; its text names the line that wrote the operation.

        @memrev.jit
        def f(x, w):
            return memrev.numpy.tanh(x @ w)
    """
    if fn is None:
        return functools.partial(jit, donate=donate, static_argnums=static_argnums,
                                 static_argnames=static_argnames, threads=threads, cpu=cpu,
                                 device=device, fp32_precision=fp32_precision,
                                 contractions=contractions, memory_budget=memory_budget,
                                 drift_tolerance=drift_tolerance, cost_model=cost_model)

    def as_tuple(x):
        return (x,) if isinstance(x, (int, str)) else tuple(x)

    return Jitted(fn, as_tuple(donate), as_tuple(static_argnums), as_tuple(static_argnames),
                  threads, cpu, device, fp32_precision, contractions, memory_budget, drift_tolerance,
                  cost_model)
