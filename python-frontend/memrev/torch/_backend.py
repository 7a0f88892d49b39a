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
from ._capture import CaptureError, ChangingModuleError
from ._coupling_program import Branch, CouplingProgram, Refusal
from ._fx import UnsupportedOperation
from ._program import Layout, stored_order
from ._structure import Structure

#: Kinds of couplings (structures and types of tensors) that are known at a time, and types
#: of tensors and modes that one coupling has met; those not used longest go first.
CACHE_SIZE = 256
BINDINGS_OF_ONE = 16
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
    that a program does not have, tensors that are not on the CPU, complex numbers, hooks.
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
            except (Refusal, UnsupportedOperation, CaptureError, CompileError) as reason:
                self.refuse(binding, reason)
            except Exception as error:  # Tracing runs code of others, on tensors without numbers.
                self.refuse(binding, f"{type(error).__name__}: {error}")

    def refuse(self, binding, reason) -> None:
        """Leaves these couplings to PyTorch."""
        self.is_refused = True
        warnings.warn(
            f"{binding.name} runs in PyTorch and is not compiled: {reason}", UserWarning)


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

    def __init__(self, coupling, inverted, x):
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
        self._given = self._type_of_call(coupling, inverted, x)
        self.kind = _kind_of((
            self._given, tuple(self._types),
            *(structure.key for structure in self._structures.values())))
        self._readers = None
        #: Whether a call makes it another kind, which no program is for.
        self.changes_itself = False

    def _branches(self):
        coupling = self._coupling()
        return {"Fm": coupling.Fm, "Gm": coupling.Gm}

    def _current_types(self):
        return [_type_of(table[key]) for table, key in self._tables]

    @staticmethod
    def _type_of_call(coupling, inverted, x):
        return (type(coupling), coupling.split_dim, inverted, _type_of_activation(x),
                torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu"),
                torch.get_default_dtype())

    def fits(self, coupling, inverted, x) -> bool:
        """Whether this is the coupling as it is now, for a call with `x`."""
        try:
            return (
                self._given == self._type_of_call(coupling, inverted, x)
                and all(structure.holds() for structure in self._structures.values())
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
        if x.device.type != "cpu":
            raise Refusal(f"a tensor on {x.device}")
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


class _Bindings:
    """Those of one coupling, the last used one first."""

    def __init__(self):
        self._found: List[Binding] = []
        self._made = 0
        self._lock = threading.Lock()

    def find(self, coupling, inverted, x) -> Optional[Binding]:
        with self._lock:
            return self._find(coupling, inverted, x)

    def _find(self, coupling, inverted, x):
        if self._found and self._found[0].changes_itself:
            return None
        for i, binding in enumerate(self._found):
            if binding.fits(coupling, inverted, x):
                if i:
                    self._found.insert(0, self._found.pop(i))
                return binding
        self._made += 1
        binding = Binding(coupling, inverted, x)
        self._found.insert(0, binding)
        del self._found[BINDINGS_OF_ONE:]
        if self._made == MOST_BINDINGS:
            binding.changes_itself = True
            binding.kind.refuse(binding, "its attributes or the types of its arguments were "
                                         f"others in {MOST_BINDINGS} calls")
        return binding


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
