# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a module computes, apart from the numbers in its tensors.

A network has many modules of one structure: the blocks of a stage have the same
classes and the same attributes. One program does for all of them. What is traced
from a module is right as long as nobody changes what its Python code reads, so a
structure also knows how to find out, cheaply, whether somebody did.
"""

import dataclasses
import types
from typing import List

import torch
from torch import nn
from torch.nn.modules import module as _module

_CONSTANTS = (bool, int, float, complex, str, bytes, type(None), torch.dtype, torch.device)
#: Attributes of nn.Module that are looked at in another way.
_OWN = frozenset(vars(nn.Module()))
_HOOKS = tuple(name for name in _OWN if name.endswith("_hooks") and "state_dict" not in name)
_GLOBAL_HOOKS = [getattr(_module, "_global" + name) for name in _HOOKS]
#: How deep attributes of attributes are compared by value; deeper ones by identity.
_DEPTH = 4


class Structure:
    """The structure of a module when this was made.

    key: equal for modules that compute the same function of their inputs, parameters
        and buffers. Hashable.
    """

    def __init__(self, module: nn.Module):
        self._guards = []  # pairs of a container and a copy of what was in it
        self._kept = []  # what the key knows by its id, which must not be used again
        self._modules: List[nn.Module] = []
        self.key = self._visit(module)

    def _visit(self, module):
        for number, other in enumerate(self._modules):
            if other is module:
                return "again", number
        self._modules.append(module)
        attributes = vars(module)
        self._guards.append((attributes, dict(attributes)))
        self._guards.append((module._modules, dict(module._modules)))
        own = tuple((name, self._frozen(value, 0)) for name, value in attributes.items()
                    if name not in _OWN or name == "training")
        names = tuple(
            tuple((name, tensor is None) for name, tensor in table.items())
            for table in (module._parameters, module._buffers)
        )
        children = tuple((name, None if child is None else self._visit(child))
                         for name, child in module._modules.items())
        return type(module), own, names, children

    def _frozen(self, value, depth):
        """A hashable stand-in for the value of an attribute."""
        kind = type(value)
        if isinstance(value, _CONSTANTS):
            # True, 1 and 1.0 are equal, and not the same.
            return kind, value
        if depth < _DEPTH:
            if kind in (tuple, torch.Size):
                return kind, tuple(self._frozen(v, depth + 1) for v in value)
            if kind is list:
                self._guards.append((value, list(value)))
                return kind, tuple(self._frozen(v, depth + 1) for v in value)
            if kind in (set, frozenset) and all(isinstance(v, _CONSTANTS) for v in value):
                self._guards.append((value, kind(value)))
                return kind, frozenset(value)
            if kind is dict:
                self._guards.append((value, dict(value)))
                return kind, tuple((self._frozen(k, depth + 1), self._frozen(v, depth + 1))
                                   for k, v in value.items())
            if kind is types.SimpleNamespace or (
                    dataclasses.is_dataclass(kind) and hasattr(value, "__dict__")):
                return kind, self._frozen(vars(value), depth + 1)
        self._kept.append(value)
        return kind, id(value)

    def holds(self) -> bool:
        """Whether the module is still as it was."""
        try:
            return all(container == copy for container, copy in self._guards)
        except (RuntimeError, ValueError, TypeError):
            return False  # A tensor or an array took the place of another one.

    def is_hooked(self) -> bool:
        """Whether something else runs where the module or one inside of it is called."""
        return any(_GLOBAL_HOOKS) or any(
            getattr(module, name) for module in self._modules for name in _HOOKS)
