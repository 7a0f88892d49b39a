# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Evaluating a module a second time exactly as the first time.

The backward pass of an invertible module evaluates it again. What it computes
must be what the forward pass computed, so an `Evaluation` records all that a
module's result depends on beside its arguments: the state of the random number
generators, buffers that the module itself changes, training modes, autocast; and
a second evaluation leaves no trace: running statistics are updated once.
"""

import contextlib
import weakref
from typing import Iterator, List, Tuple

import torch
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.parameter import is_lazy


def _accelerators(tensors) -> List[torch.device]:
    """Those that have random numbers: not "meta"."""
    return sorted({t.device for t in tensors if t.device.type not in ("cpu", "meta")}, key=str)


def get_device_states(*args) -> Tuple[List[torch.device], List[torch.Tensor]]:
    """The devices other than the CPU that hold a tensor of `args`, and the states
    of their random number generators."""
    devices = _accelerators([arg for arg in args if isinstance(arg, torch.Tensor)])
    return devices, [torch.get_device_module(d).get_rng_state(d) for d in devices]


def set_device_states(devices, states) -> None:
    """Sets the random number generators of `devices` to `states`."""
    for device, state in zip(devices, states):
        torch.get_device_module(device).set_rng_state(state, device)


class _Random:
    """The states of the CPU's generator and of those of `devices`."""

    __slots__ = ("_cpu", "devices", "_states")

    def __init__(self, devices):
        self.devices = devices
        self._cpu = torch.get_rng_state()
        self._states = [torch.get_device_module(d).get_rng_state(d) for d in devices]

    def equals(self, other: "_Random") -> bool:
        return torch.equal(self._cpu, other._cpu) and all(
            map(torch.equal, self._states, other._states)
        )

    def restore(self) -> None:
        torch.set_rng_state(self._cpu)
        set_device_states(self.devices, self._states)


class _Autocast:
    """The mixed precision in force, for the devices of some tensors."""

    __slots__ = ("settings",)

    def __init__(self, tensors):
        kinds = filter(torch.amp.is_autocast_available,
                       {"cpu", *(tensor.device.type for tensor in tensors)})
        self.settings = [
            (kind, torch.is_autocast_enabled(kind), torch.get_autocast_dtype(kind))
            for kind in sorted(kinds)
        ]

    @contextlib.contextmanager
    def restored(self) -> Iterator[None]:
        """Autocast keeps the casts of weights until it ends. A cast made while
        gradients are off has no gradient, so an evaluation keeps none."""
        with contextlib.ExitStack() as stack:
            for kind, enabled, dtype in self.settings:
                if enabled or torch.is_autocast_enabled(kind):
                    stack.enter_context(
                        torch.autocast(kind, dtype, enabled, cache_enabled=False)
                    )
            yield


def _entry(table, name):
    """An entry of a module's parameters or buffers, which are no dictionary in scripted
    modules, or None."""
    return table[name] if name in table else None


def _put(stack, table, name, value):
    """Sets an entry of a dictionary until `stack` ends."""
    if name in table:
        stack.callback(table.__setitem__, name, table[name])
    else:
        stack.callback(table.pop, name, None)
    table[name] = value


class Evaluation:
    """One evaluation of a module, which can be repeated.

    `weights` are the module's parameters that require a gradient at the time of
    the evaluation, which torch.func.functional_call may have put there for its time.
    """

    __slots__ = ("_modes", "_parameters", "_places", "_fixed", "_changed", "_random", "_autocast")

    def __init__(self, module: torch.nn.Module):
        self._modes, self._parameters, self._places, self._fixed = [], [], [], []
        self._changed = []
        stack, seen = [module], set()
        while stack:
            child = stack.pop()
            if id(child) in seen:
                continue
            seen.add(id(child))
            self._modes.append((child, child.training))
            for name, parameter in child._parameters.items():
                if parameter is None:
                    continue
                self._places.append((child._parameters, name, parameter))
                if id(parameter) not in seen:
                    seen.add(id(parameter))
                    self._parameters.append(
                        (parameter, parameter.requires_grad, parameter._version)
                    )
            # A norm in training reads no statistics, so any will do when it is evaluated again.
            ignored = isinstance(child, _NormBase) and child.training
            for name, buffer in child._buffers.items():
                if buffer is not None:
                    (self._changed if ignored else self._fixed).append((child, name, buffer))
            stack.extend(filter(None, child._modules.values()))

    @property
    def weights(self) -> List[torch.nn.Parameter]:
        return [parameter for parameter, requires_grad, _ in self._parameters if requires_grad]

    @property
    def parameters(self) -> List[torch.nn.Parameter]:
        return [parameter for parameter, _, _ in self._parameters]

    def run(self, function, tensors):
        """Calls `function()`, which evaluates the module on `tensors`, and records
        what it depends on."""
        buffers = [(m, name, b, b._version, b.clone()) for m, name, b in self._fixed]
        devices = _accelerators(tensors)
        self._autocast = _Autocast(tensors)
        self._random = _Random(devices)
        with self._autocast.restored():
            result = function()
        if self._random.equals(_Random(devices)):
            self._random = None
        self._changed = [(module, name, None) for module, name, _ in self._changed]
        self._fixed = []
        for module, name, buffer, version, copy in buffers:
            if _entry(module._buffers, name) is buffer and buffer._version == version:
                self._fixed.append((module, name, buffer, version))
            else:
                self._changed.append((module, name, copy))
        return result

    @contextlib.contextmanager
    def repeated(self) -> Iterator[None]:
        """Inside, the module computes what it computed in `run`, and changes no
        buffer and no generator. `flags_restored` has to be in force."""
        with contextlib.ExitStack() as stack:
            stack.enter_context(self._autocast.restored())
            if self._random is not None:
                stack.callback(_Random(self._random.devices).restore)
                self._random.restore()
            for module, name, copy in self._changed:
                value = module._buffers[name] if copy is None else copy
                _put(stack, module._buffers, name, value.clone())
            for module, name, buffer, _ in self._fixed:
                if _entry(module._buffers, name) is not buffer:
                    _put(stack, module._buffers, name, buffer)
            yield

    @contextlib.contextmanager
    def flags_restored(self) -> Iterator[None]:
        """Inside, modules are in the mode (training or not) and have the parameters of
        the time of `run`, which require gradients as they did then and have no hooks: those
        run when the gradient that was found here reaches them.

        Raises RuntimeError if a parameter or a buffer has been changed since.
        """
        self._check()
        with contextlib.ExitStack() as stack:
            for module, training in self._modes:
                if module.training != training:
                    stack.callback(setattr, module, "training", module.training)
                    module.training = training
            for table, name, parameter in self._places:
                if _entry(table, name) is not parameter:
                    _put(stack, table, name, parameter)
            for parameter, requires_grad, _ in self._parameters:
                if parameter.requires_grad != requires_grad:
                    stack.callback(parameter.requires_grad_, parameter.requires_grad)
                    parameter.requires_grad_(requires_grad)
                if parameter._backward_hooks:
                    stack.callback(parameter._backward_hooks.update, dict(parameter._backward_hooks))
                    parameter._backward_hooks.clear()
            yield

    def _check(self):
        for parameter, _, version in self._parameters:
            if parameter._version != version:
                raise RuntimeError(
                    "expects parameters to stay as they are between the forward and the backward "
                    f"pass, but got one of shape {list(parameter.shape)} that was modified by an "
                    f"inplace operation: it is at version {parameter._version}; expected version "
                    f"{version}"
                )
        for module, name, buffer, version in self._fixed:
            if buffer._version != version:
                raise RuntimeError(
                    "expects buffers to stay as they are between the forward and the backward "
                    f"pass, but got '{name}' of a {type(module).__name__} that was modified"
                )


_without_lazy_parameters = weakref.WeakSet()


def has_lazy_parameters(module: torch.nn.Module) -> bool:
    """Whether the first evaluation will make some of the module's parameters."""
    if module in _without_lazy_parameters:
        return False
    if any(map(is_lazy, module.parameters())):
        return True
    _without_lazy_parameters.add(module)
    return False


@contextlib.contextmanager
def without_trace(module: torch.nn.Module) -> Iterator[None]:
    """Inside, evaluating `module` changes none of its buffers."""
    kept = [(m, name, b) for m in module.modules() for name, b in m._buffers.items()]
    try:
        for owner, name, buffer in kept:
            owner._buffers[name] = None if buffer is None else buffer.clone()
        yield
    finally:
        for owner, name, buffer in kept:
            owner._buffers[name] = buffer
