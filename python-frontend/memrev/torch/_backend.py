# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Which couplings run as compiled programs, and which in PyTorch."""

import collections
import random
import threading
import warnings
import weakref
from typing import List, Optional

import numpy as np
import torch

from .. import CompileError
from . import _place
from ._capture import CaptureError, ChangingModuleError
from ._coupling_program import Branch, CouplingProgram, Refusal
from ._fx import UnsupportedOperation
from ._program import Layout, stored_order
from ._structure import Structure

#: Kinds of couplings (structures and types of tensors) that are known at a time, types of
#: tensors that one coupling has met, and modes in which it has met one type; those not used
#: longest go first.
CACHE_SIZE = 256
TYPES_OF_ONE = 64
MODES_OF_ONE = 8
#: A coupling whose attributes are others at each of so many calls is not compiled.
MOST_BINDINGS = 64

_BACKENDS = ("auto", "eager", "compiled")


class _Setting:
    def __init__(self):
        self.name = "auto"
        self.compile_after = 1.0


_setting = _Setting()


class set_backend:
    """Sets how wrapped couplings run; in a `with` statement until its end.

    name: "eager": in PyTorch.
        "compiled": as compiled programs, from the first call on.
        "auto": compiled once PyTorch has spent `compile_after` seconds in forward passes of
        couplings of one kind: the same modules, modes, shapes and dtypes. Compiling takes a
        few seconds for each kind, whatever the number of blocks.
    compile_after: seconds, for "auto".

    What cannot be compiled runs in PyTorch, with one UserWarning that says why: operations
    that a program does not have, tensors on other devices than the CPU and CUDA's, complex
    numbers, hooks.
    Both ways give the same results up to rounding, but dropout draws other masks.

    Raises ValueError for another name.
    """

    def __init__(self, name: str, compile_after: float = 1.0):
        if name not in _BACKENDS:
            raise ValueError(f"expects a backend out of {', '.join(_BACKENDS)}, but got {name!r}")
        self._before = _setting.name, _setting.compile_after
        _setting.name, _setting.compile_after = name, compile_after

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        _setting.name, _setting.compile_after = self._before


def get_backend() -> str:
    """The name that `set_backend` has set."""
    return _setting.name


def reason_of(error: Exception) -> str:
    """Why something is not compiled, in one line."""
    if isinstance(error, CompileError):
        lines = [str(d) for d in error.diagnostics if d.severity == "error"]
    else:
        lines = str(error).splitlines()
    line = lines[0] if lines else ""
    expected = (Refusal, UnsupportedOperation, CaptureError, CompileError)
    return line if isinstance(error, expected) else f"{type(error).__name__}: {line}"


class Kind:
    """Couplings of one structure, with tensors of one type: their program, once there is
    one."""

    def __init__(self):
        #: What PyTorch spent in their forward passes.
        self.seconds = 0.0
        self.program = None
        self.branches = None
        self.is_refused = False
        self._lock = threading.Lock()

    def is_due(self) -> bool:
        """Whether a program should be made."""
        return _setting.name == "compiled" or self.seconds >= _setting.compile_after

    def make(self, binding, x) -> None:
        """Makes the program, or says once why there is none."""
        with self._lock:
            if self.program is not None or self.is_refused:
                return
            try:
                self.branches, self.program = binding.compile(x)
            except Exception as error:  # Tracing runs code of others, on tensors without numbers.
                self.refuse(binding, reason_of(error))

    def refuse(self, binding, reason) -> None:
        """Leaves these couplings to PyTorch."""
        self.is_refused = True
        warnings.warn(
            f"{binding.name} runs in PyTorch and is not compiled: {reason}", UserWarning,
            stacklevel=2)


_kinds = collections.OrderedDict()
_kinds_lock = threading.Lock()


def _kind_of(key):
    with _kinds_lock:
        kind = _kinds.get(key)
        if kind is None:
            kind = _kinds[key] = Kind()
            while len(_kinds) > CACHE_SIZE:
                _kinds.popitem(last=False)
        _kinds.move_to_end(key)
        return kind


def _type_of(tensor):
    return tensor.shape, tensor.dtype, tensor.stride(), tensor.requires_grad, tensor.device


def _type_of_activation(x):
    # One with gaps in memory is copied, so that its strides are no type of their own.
    order = 0 if x.is_contiguous() else stored_order(x)
    return x.shape, x.dtype, order, x.requires_grad, x.device


class Binding:
    """A coupling in one mode and for tensors of one type: the kind that it is of, and where
    its own tensors are."""

    def __init__(self, coupling, inverted, given):
        self.name = type(coupling).__name__
        self._coupling = weakref.ref(coupling)
        self._inverted = inverted
        branches = self._branches()
        self._structures = {name: Structure(branch) for name, branch in branches.items()}
        self._tables = [
            (table, key)
            for branch in branches.values() for child in branch.modules()
            for table in (child._parameters, child._buffers)
            for key, tensor in table.items() if tensor is not None
        ]
        self._types = self._current_types()
        self.kind = _kind_of((
            given, tuple(self._types),
            *(structure.key for structure in self._structures.values())))
        self._readers = None
        #: Whether a call makes it another kind, which no program is for.
        self.changes_itself = False

    def _branches(self):
        coupling = self._coupling()
        return {"Fm": coupling.Fm, "Gm": coupling.Gm}

    def _current_types(self):
        return [_type_of(table[key]) for table, key in self._tables]

    def fits(self, coupling) -> bool:
        """Whether this is the coupling as it is now."""
        try:
            return (
                all(structure.is_of(getattr(coupling, name)) and structure.holds()
                    for name, structure in self._structures.items())
                and self._types == self._current_types()
            )
        except (KeyError, AttributeError):
            return False  # A parameter has gone.

    def program(self, x):
        """The program to call, or None."""
        kind = self.kind
        if kind.program is None:
            if kind.is_refused or not kind.is_due():
                return None
            kind.make(self, x)
            if kind.program is None:
                return None
        if any(structure.is_hooked() for structure in self._structures.values()):
            return None
        return kind.program

    def compile(self, x):
        """(branches, program) of the kind. Raises what says why there is none."""
        branches = self._branches()
        coupling = self._coupling()
        reason = _place.why_not(x.device)
        if reason:
            raise Refusal(reason)
        if any(structure.is_hooked() for structure in self._structures.values()):
            raise Refusal("it has hooks")
        half = x.narrow(coupling.split_dim, 0, x.shape[coupling.split_dim] // 2)
        given = torch.empty_like(half, requires_grad=x.requires_grad)
        states = random.getstate(), np.random.get_state()
        captured = {}
        for name, branch in branches.items():
            try:
                captured[name] = Branch(branch, given, coupling.num_parameters)
            except ChangingModuleError as error:
                self.changes_itself = True
                raise Refusal(f"{name} changes its attributes when it is called") from error
        if states[0] != random.getstate() or not all(
                map(np.array_equal, states[1], np.random.get_state())):
            raise Refusal("it draws random numbers that are not PyTorch's")
        layouts, wrt = {}, {}
        for name, branch in captured.items():
            tensors = [read() for read in branch.bind(branches[name])]
            if any(stored_order(tensor) is None for tensor in tensors):
                raise Refusal(f"{name} has tensors with gaps in memory")
            for tensor in tensors:
                if tensor.device != x.device:
                    raise Refusal(f"{name} has a tensor on {tensor.device} for one on {x.device}")
            layouts[name] = [Layout.of(tensor) for tensor in tensors]
            wrt[name] = branch.differentiable(tensors)
        program = CouplingProgram(
            coupling, self._inverted, captured, Layout.of(x), layouts, wrt, x.requires_grad)
        return captured, program

    def sources(self) -> List[torch.Tensor]:
        """The tensors that the program reads beside the activations."""
        if self._readers is None:
            branches = self._branches()
            self._readers = [read for name, branch in self.kind.branches.items()
                             for read in branch.bind(branches[name])]
        return [read() for read in self._readers]


def _type_of_call(coupling, inverted, x):
    return (type(coupling), coupling.split_dim, inverted, _type_of_activation(x),
            torch.is_autocast_enabled(x.device.type), torch.get_autocast_dtype(x.device.type),
            torch.get_default_dtype(), _place.fp32_precision(), _place.get_contractions())


class _Modes:
    """The bindings of one coupling for one type of call, the last used one first."""

    def __init__(self):
        self._found: List[Binding] = []
        self._made = 0

    def find(self, coupling, inverted, given) -> Binding:
        for i, binding in enumerate(self._found):
            if binding.fits(coupling):
                if i:
                    self._found.insert(0, self._found.pop(i))
                return binding
        self._made += 1
        binding = Binding(coupling, inverted, given)
        self._found.insert(0, binding)
        del self._found[MODES_OF_ONE:]
        if self._made == MOST_BINDINGS:
            binding.changes_itself = True
            binding.kind.refuse(binding, f"its attributes were others in {MOST_BINDINGS} calls")
        return binding


class _Bindings:
    """Those of one coupling, by the types of calls."""

    def __init__(self):
        self._of_types = collections.OrderedDict()
        self._last: Optional[Binding] = None
        self._lock = threading.Lock()

    def find(self, coupling, inverted, x) -> Optional[Binding]:
        given = _type_of_call(coupling, inverted, x)
        with self._lock:
            if self._last is not None and self._last.changes_itself:
                return None
            modes = self._of_types.get(given)
            if modes is None:
                modes = self._of_types[given] = _Modes()
                if len(self._of_types) > TYPES_OF_ONE:
                    self._of_types.popitem(last=False)
            self._of_types.move_to_end(given)
            self._last = modes.find(coupling, inverted, given)
            return self._last


_bindings = weakref.WeakKeyDictionary()


def find_binding(coupling, inverted, x) -> Optional[Binding]:
    """How `coupling` is called with `x`, or None if it is left to PyTorch."""
    # Subclasses of tensors and modes see the operations of PyTorch.
    is_plain = type(x) in (torch.Tensor, torch.nn.Parameter)
    if _setting.name == "eager" or not is_plain or torch._C._len_torch_dispatch_stack():
        return None
    found = _bindings.get(coupling)
    if found is None:
        found = _bindings.setdefault(coupling, _Bindings())
    return found.find(coupling, inverted, x)
