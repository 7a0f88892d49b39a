# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Calls of invertible modules as nodes of autograd's graph."""

import weakref

import torch
from torch._subclasses import FakeTensor
from torch.autograd import forward_ad
from torch.autograd.graph import saved_tensors_hooks

from ._activation import Activation, Handle, Link, Owner
from ._call import ModuleCall
from ._evaluation import has_lazy_parameters


def evaluate(module, inverted, keep, args, kwargs, passes=1, plain=None):
    """Evaluates `module`, or its inverse if `inverted`, and returns what it returns.

    What the backward pass needs is restored from the outputs, or with `keep` is the
    inputs. It is there for `passes` backward passes, and for any number of them where
    the graph is retained. Where no gradient is asked for, nothing is recorded; forward
    mode, the transforms of torch.func, compilers, tracers and tensors without numbers see
    the module itself, or `plain`.
    """
    function = plain or (module.inverse if inverted else module)
    if torch.compiler.is_compiling():
        run_marked = None if keep else getattr(module, "run_marked", None)
        return run_marked(inverted, *args) if run_marked else function(*args, **kwargs)
    if (
        torch._C._are_functorch_transforms_active()
        or torch.jit.is_tracing()
        or forward_ad._current_level >= 0
        or any(isinstance(value, FakeTensor) for value in args)
        or has_lazy_parameters(module)
    ):
        return function(*args, **kwargs)
    # Couplings have cheaper calls for most arguments.
    make_call = getattr(module, "_make_call", None)
    if make_call is None:
        call = ModuleCall(module, inverted, args, kwargs)
    else:
        call = make_call(inverted, args, kwargs)
    inputs, named = call.arguments(args, kwargs)
    if not torch.is_grad_enabled() or not any(
            tensor.requires_grad for tensor in (*inputs, *named, *call.weights)):
        return call.evaluate_without_record(function, args, kwargs)
    weights = call.weights
    if keep:
        reserve = _Reserve(passes, [*inputs, *named]) if passes > 1 else None
        outputs = _Kept.apply(call, reserve, *inputs, *named, *weights)
    else:
        outputs = _apply_restored(call, passes, inputs, named, weights)
    return call.result(outputs)


def _apply_restored(call, passes, inputs, named, weights):
    link = Link(call, [tensor.detach() for tensor in named])
    owner = Owner(link)

    def pack(tensor):
        # The outputs are saved first, then the named tensors. Before them comes what
        # a module saves that itself differentiates.
        if not call.has_run or len(link.outputs) == call.num_outputs:
            return tensor
        activation = Activation(tensor)
        link.outputs.append(activation)
        return Handle(activation, owner)

    reserve = _Reserve(passes, named, owner) if passes > 1 else None
    with saved_tensors_hooks(pack, _unpack):
        outputs = _Restored.apply(
            call, reserve, weakref.ref(link), *inputs, *named, *weights
        )
    link.take([_activation_of(tensor) for tensor in inputs])
    return outputs


def _unpack(saved):
    return saved.activation.read() if isinstance(saved, Handle) else saved


def _activation_of(tensor):
    """The activation of an invertible module that `tensor` is, or None."""
    node = tensor.grad_fn
    link = node.link() if isinstance(node, _Restored._backward_cls) else None
    if link is None:
        return None
    activation = link.outputs[tensor.output_nr]
    return activation if activation.holds(tensor) else None


class _Reserve:
    """What the first `passes` backward passes need, should autograd free it earlier."""

    def __init__(self, passes, tensors, owner=None):
        self._passes = passes
        self._activations = [Activation(tensor) for tensor in tensors]
        self._owner = owner

    def read(self):
        outputs = self._owner.link.outputs if self._owner else []
        return [activation.read() for activation in (*outputs, *self._activations)]

    def use(self):
        """Counts a backward pass; returns what is left."""
        self._passes -= 1
        return self if self._passes else None


def _read_saved(ctx):
    # A tensor of the reserve has no history.
    use_reserve = ctx.reserve is not None and not torch.is_grad_enabled()
    return ctx.reserve.read() if use_reserve else ctx.saved_tensors


def _run(ctx, call, reserve, tensors):
    ctx.set_materialize_grads(False)
    ctx.call, ctx.reserve = call, reserve
    arguments = [tensor.detach() for tensor in tensors[:call.num_arguments]]
    # A tensor that comes out as it went in must be a tensor of its own.
    outputs = call.run(arguments[:call.num_inputs], arguments[call.num_inputs:])
    return tuple(output.detach() for output in outputs)


class _Restored(torch.autograd.Function):
    """A call whose inputs are restored from its outputs."""

    @staticmethod
    def forward(ctx, call, reserve, link, *tensors):
        ctx.link = link
        outputs = _run(ctx, call, reserve, tensors)
        ctx.save_for_backward(*outputs, *tensors[call.num_inputs:call.num_arguments])
        return outputs

    @staticmethod
    @torch.compiler.disable
    def backward(ctx, *gradients):
        call = ctx.call
        if all(gradient is None for gradient in gradients):
            return (None,) * len(ctx.needs_input_grad)
        saved, link = _read_saved(ctx), ctx.link()
        outputs, named = saved[:call.num_outputs], saved[call.num_outputs:]
        with call.flags_restored():
            if torch.is_grad_enabled():
                found = call.pull_back_differentiably(outputs, named, gradients)
            else:
                wanted = ctx.needs_input_grad[3:3 + call.num_arguments]
                inputs, found = call.pull_back(outputs, named, gradients, wanted, link.is_wanted)
                if inputs is not None:
                    link.lend(inputs)
        ctx.reserve = ctx.reserve and ctx.reserve.use()
        return (None, None, None, *found)


class _Kept(torch.autograd.Function):
    """A call whose inputs are kept."""

    @staticmethod
    def forward(ctx, call, reserve, *tensors):
        outputs = _run(ctx, call, reserve, tensors)
        ctx.save_for_backward(*tensors[:call.num_arguments])
        return outputs

    @staticmethod
    @torch.compiler.disable
    def backward(ctx, *gradients):
        call = ctx.call
        if all(gradient is None for gradient in gradients):
            return (None,) * len(ctx.needs_input_grad)
        saved = _read_saved(ctx)
        inputs, named = saved[:call.num_inputs], saved[call.num_inputs:]
        with call.flags_restored():
            if torch.is_grad_enabled():
                found = call.pull_back_differentiably(None, named, gradients, inputs)
            else:
                wanted = ctx.needs_input_grad[2:2 + call.num_arguments]
                found = call.pull_back_from(inputs, named, gradients, wanted)
        ctx.reserve = ctx.reserve and ctx.reserve.use()
        return (None, None, *found)
