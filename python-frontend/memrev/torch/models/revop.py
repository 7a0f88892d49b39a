# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Wrapping invertible modules so that autograd keeps no input of them."""

import warnings
from typing import Optional

import torch
from torch import nn

from .._autograd import evaluate
from .._evaluation import get_device_states, set_device_states, without_trace
from .additive import AdditiveCoupling
from .affine import AffineCoupling

__all__ = [
    "InvertibleModuleWrapper",
    "ReversibleBlock",
    "create_coupling",
    "is_invertible_module",
    "get_device_states",
    "set_device_states",
]


class InvertibleModuleWrapper(nn.Module):
    """An invertible module whose inputs are not kept for the backward pass, but
    restored from its outputs by its inverse.

    `fn` is a module with `forward(*inputs)` and `inverse(*outputs)`, each of which
    undoes the other: a coupling, or any other one, with any numbers of inputs and
    outputs. Those are tensors of any floating dtype and shape; other arguments
    (integer tensors, numbers, named arguments) are kept, and passed to `inverse` too,
    after the outputs or by their names.

    A chain of wrapped modules keeps one activation, whatever its length: a module
    hands its input back to the one before it. No tensor of the caller is changed or
    emptied; what nobody refers to any more is freed.

    Under autocast, inputs of 16 bits are made float32 unless they are kept, and so are the
    outputs: a result of 16 bits has lost digits of what it is the sum of. What `fn` calls
    is cast as autocast says. A module with parameters of 16 bits gets its inputs as they are.

    A step evaluates a coupling's Fm and Gm once forward and once backward; another
    module once forward, and its inverse and itself once backward. The second
    evaluation meets the random numbers, buffers, training modes and autocast of the
    first, and leaves no trace: running statistics are updated once.

    Args:
        fn: the invertible module. `is_invertible_module` checks it.
        keep_input: keep the inputs of `forward`, and do not use the inverse in its
            backward pass, for modules that are hard to invert numerically.
        keep_input_inverse: the same for `inverse`, which is differentiable as well.
        num_bwd_passes: how often the module can be passed backward although the graph
            is not retained (retain_graph=False). What that needs is kept until then. A
            graph that is retained can be passed backward any number of times.
        disable: call `fn` directly, so that autograd keeps all it needs. May be
            changed between calls.
        preserve_rng_state: accepted for MemCNN's sake. Whenever `fn` draws random
            numbers, its second evaluation draws the same ones.

    Raises:
        TypeError: `fn` has no inverse, or returns no tensor of floating point.
        RuntimeError, in the backward pass: a parameter, or the output, was modified
            in place in between; or `fn` depends on a tensor that requires a gradient
            and is neither an argument nor a parameter.
    """

    def __init__(
        self,
        fn: nn.Module,
        keep_input: bool = False,
        keep_input_inverse: bool = False,
        num_bwd_passes: int = 1,
        disable: bool = False,
        preserve_rng_state: bool = False,
    ):
        super().__init__()
        if num_bwd_passes < 1:
            raise ValueError(f"num_bwd_passes expects a number from 1, but got {num_bwd_passes}")
        self.disable = disable
        self.keep_input = keep_input
        self.keep_input_inverse = keep_input_inverse
        self.num_bwd_passes = num_bwd_passes
        self.preserve_rng_state = preserve_rng_state
        self._fn = fn

    def forward(self, *inputs, **kwargs):
        """The outputs of `fn.forward`; a tuple of one is unpacked."""
        if not self.keep_input:
            inputs = _widened(self._fn, inputs)
        if self.disable:
            return _unpack(self._fn(*inputs, **kwargs))
        passes = self.num_bwd_passes
        return _unpack(evaluate(self._fn, False, self.keep_input, inputs, kwargs, passes))

    def inverse(self, *outputs, **kwargs):
        """The outputs of `fn.inverse`; a tuple of one is unpacked."""
        if not self.keep_input_inverse:
            outputs = _widened(self._fn, outputs)
        if self.disable:
            return _unpack(self._fn.inverse(*outputs, **kwargs))
        passes = self.num_bwd_passes
        return _unpack(evaluate(self._fn, True, self.keep_input_inverse, outputs, kwargs, passes))


_SIXTEEN_BITS = (torch.float16, torch.bfloat16)


def _widened(module, values):
    """The arguments of a call that restores them: float32 for 16 bits under autocast. What
    is restored in 16 bits differs by their rounding, which grows from module to module."""
    def is_cast(value):
        return (isinstance(value, torch.Tensor) and value.dtype in _SIXTEEN_BITS
                and torch.amp.is_autocast_available(value.device.type)
                and torch.is_autocast_enabled(value.device.type))

    if not any(map(is_cast, values)) or any(
            parameter.dtype in _SIXTEEN_BITS for parameter in module.parameters()):
        return values
    return tuple(value.float() if is_cast(value) else value for value in values)


def _unpack(result):
    return result[0] if isinstance(result, tuple) and len(result) == 1 else result


class ReversibleBlock(InvertibleModuleWrapper):
    """Deprecated: use InvertibleModuleWrapper(create_coupling(...))."""

    def __init__(
        self,
        Fm: nn.Module,
        Gm: Optional[nn.Module] = None,
        coupling: str = "additive",
        keep_input: bool = False,
        keep_input_inverse: bool = False,
        implementation_fwd: int = -1,
        implementation_bwd: int = -1,
        adapter=None,
    ):
        warnings.warn(
            "ReversibleBlock is deprecated: use InvertibleModuleWrapper(create_coupling(...))",
            DeprecationWarning,
            stacklevel=2,
        )
        super().__init__(
            create_coupling(Fm, Gm, coupling, implementation_fwd, implementation_bwd, adapter),
            keep_input=keep_input,
            keep_input_inverse=keep_input_inverse,
        )


def create_coupling(
    Fm: nn.Module,
    Gm: Optional[nn.Module] = None,
    coupling: str = "additive",
    implementation_fwd: int = -1,
    implementation_bwd: int = -1,
    adapter=None,
):
    """An AdditiveCoupling or AffineCoupling, by its name "additive" or "affine".

    Raises NotImplementedError for another name.
    """
    if coupling == "additive":
        return AdditiveCoupling(Fm, Gm, implementation_fwd, implementation_bwd)
    if coupling == "affine":
        return AffineCoupling(Fm, Gm, adapter, implementation_fwd, implementation_bwd)
    raise NotImplementedError(
        f"create_coupling expects coupling 'additive' or 'affine', but got {coupling!r}"
    )


def is_invertible_module(
    module_in: nn.Module,
    test_input_shape,
    test_input_dtype: torch.dtype = torch.float32,
    atol: float = 1e-6,
    random_seed: int = 42,
) -> bool:
    """Whether a module's `inverse` undoes its `forward`, and the other way round, at
    one random point, up to `atol` and a relative error of 1e-5.

    Args:
        module_in: the module, or an InvertibleModuleWrapper of it. Its parameters
            decide on the device.
        test_input_shape: a tuple or list of sizes, or for several inputs a tuple or
            list of such.
        test_input_dtype: a floating dtype.
        random_seed: of the inputs, uniform in [0, 1). The global generator and the
            module's buffers stay as they are.

    Warns (UserWarning) about what deserves a look: inputs or outputs that are all
    zero, or that share memory among each other.

    Raises ValueError for other shapes.
    """
    if isinstance(module_in, InvertibleModuleWrapper):
        module_in = module_in._fn
    if not hasattr(module_in, "inverse"):
        return False
    shapes = _shapes(test_input_shape)
    device = next((p.device for p in module_in.parameters()), torch.device("cpu"))
    generator = torch.Generator().manual_seed(random_seed)
    inputs = tuple(
        torch.rand(shape, generator=generator, dtype=test_input_dtype).to(device)
        for shape in shapes
    )
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices), torch.no_grad(), without_trace(module_in):
        torch.manual_seed(random_seed)
        outputs = _as_tuple(module_in(*inputs))
        _warn_about("forward", inputs, outputs)
        restored = _as_tuple(module_in.inverse(*outputs))
        _warn_about("inverse", outputs, restored)
        if not _all_close(inputs, restored, atol):
            return False
        return _all_close(outputs, _as_tuple(module_in(*restored)), atol)


def _as_tuple(value):
    return tuple(value) if isinstance(value, (tuple, list)) else (value,)


def _shapes(given):
    def is_shape(value):
        return isinstance(value, (tuple, list)) and value and all(
            isinstance(size, int) and not isinstance(size, bool) for size in value
        )

    if is_shape(given):
        return [tuple(given)]
    if isinstance(given, (tuple, list)) and given and all(map(is_shape, given)):
        return [tuple(shape) for shape in given]
    raise ValueError(
        f"test_input_shape expects a tuple or list of ints, or of such tuples or lists, but got "
        f"{given!r}"
    )


def _all_close(expected, found, atol):
    return len(expected) == len(found) and all(
        e.shape == f.shape and torch.allclose(e, f, atol=atol) for e, f in zip(expected, found)
    )


def _warn_about(direction, inputs, outputs):
    def warn(message):
        warnings.warn(f"{direction}: {message}", UserWarning, stacklevel=3)

    for name, tensors in (("inputs", inputs), ("outputs", outputs)):
        if not all(map(torch.any, tensors)):
            warn(f"some of the {name} are zero everywhere, which hides errors")
        if len(set(map(_place, tensors))) < len(tensors):
            warn(f"some of the {name} share memory")
    if set(map(_place, inputs)) & set(map(_place, outputs)):
        warn("inputs and outputs share memory, as those of an identity function do")


def _place(tensor):
    return tensor.device, tensor.data_ptr()
