# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What couplings have in common: two halves that change each other in turn.

A coupling moves one half of its input by a bijection whose parameters are computed
from the other half:

    y1 = move(x1, Fm(x2))        x2 = move_back(y2, Gm(y1))
    y2 = move(x2, Gm(y1))        x1 = move_back(y1, Fm(x2))

To undo it, Fm and Gm are evaluated on the same halves as before. The backward pass
evaluates each of them once: the result undoes the move, and its graph gives the
derivative (Gomez et al., The Reversible Residual Network, 2017, algorithm 1).
"""

import copy
import warnings

import torch
from torch import nn

from .._autograd import evaluate
from .._backend import find_binding
from .._call import ModuleCall, is_activation
from .._coupling_call import CompiledCouplingCall, CouplingCall, layout_of, steps
from .._operations import MOVES


class Coupling(nn.Module):
    """Base of AdditiveCoupling and AffineCoupling, which say how a half is moved.

    `kind` names the bijection and its inverse in `_operations.MOVES`;
    `_pull_back(before, after, parameters, gradient)`, `_pull_back_of_inverse` are the
    derivatives of the two: from argument, result and the gradient by the result to the
    gradients by the argument and by each parameter.
    """

    def __init__(self, Fm, Gm, implementation_fwd, implementation_bwd, split_dim):
        super().__init__()
        # MemCNN registers Gm first, and the state of an optimizer goes by the order.
        self.Gm = copy.deepcopy(Fm) if Gm is None else Gm
        self.Fm = Fm
        self.implementation_fwd = implementation_fwd
        self.implementation_bwd = implementation_bwd
        self.split_dim = split_dim
        if implementation_fwd != -1 or implementation_bwd != -1:
            warnings.warn(
                "the arguments implementation_fwd and implementation_bwd are deprecated: wrap "
                "the coupling in an InvertibleModuleWrapper to save memory",
                DeprecationWarning,
                stacklevel=3,
            )

    def kind_of_move(self, inverted):
        """The name of the formula that moves a half, in `_operations.MOVES`."""
        return self.kind + ("_inverse" if inverted else "")

    def move(self, inverted):
        """The function of a half and the parameters that moves it."""
        return MOVES[self.kind_of_move(inverted)]

    def forward(self, x):
        return self._run_implementation(False, x)

    def inverse(self, y):
        return self._run_implementation(True, y)

    def _run_implementation(self, inverted, x):
        def plain(x):
            return self._run(inverted, x, lambda name, given: getattr(self, name)(given))

        if self._is_plain(inverted):
            return plain(x)
        return evaluate(self, inverted, True, (x,), {}, plain=plain)

    def _is_plain(self, inverted):
        """Whether autograd sees the inside of the coupling where it is not wrapped."""
        implementation = self.implementation_bwd if inverted else self.implementation_fwd
        if implementation not in (-1, 0, 1):
            raise NotImplementedError(
                f"{type(self).__name__} expects implementation -1, 0 or 1, but got "
                f"{implementation}"
            )
        return implementation == -1

    def _make_call(self, inverted, args, kwargs):
        """A call that knows the formulas, if this module is nothing but its coupling."""
        changed = (
            type(self).forward is not Coupling.forward
            or type(self).inverse is not Coupling.inverse
            or "forward" in vars(self)
            or "inverse" in vars(self)
            or any((self._forward_hooks, self._forward_pre_hooks))
            or any((self._backward_hooks, self._backward_pre_hooks))
        )
        if changed or len(args) != 1 or not is_activation(args[0]) or kwargs:
            return ModuleCall(self, inverted, args, kwargs)
        binding = find_binding(self, inverted, args[0])
        program = binding and binding.program(args[0])
        if program is not None:
            call = CompiledCouplingCall(self, inverted, args, binding, program)
            if call.is_possible:
                return call
        return CouplingCall(self, inverted, args, binding)

    def _split(self, x):
        size = x.shape[self.split_dim]
        if size % 2:
            raise ValueError(
                f"{type(self).__name__} expects an even size along dimension {self.split_dim}, "
                f"but got {size} in shape {list(x.shape)}"
            )
        return list(torch.chunk(x, 2, self.split_dim))

    def _run(self, inverted, x, evaluate_branch):
        """Forward or inverse; `evaluate_branch(name, given)` calls Fm or Gm."""
        move = self.move(inverted)
        layout = layout_of(x)
        halves = self._split(x)
        for name, moved in steps(inverted):
            given = halves[1 - moved].contiguous(memory_format=layout)
            parameters = self._branch(name, given, evaluate_branch)
            halves[moved] = self._check_shape(
                name, halves[moved], parameters, move(halves[moved], parameters))
        return torch.cat(halves, self.split_dim)

    def _branch(self, name, given, evaluate_branch):
        """The parameters of the bijection of the other half."""
        version = None if given.is_inference() else given._version
        parameters = self._parameters_in(name, evaluate_branch(name, given))
        if version is not None and given._version != version:
            raise RuntimeError(
                f"{type(self).__name__} expects {name} to leave its input as it is, but got one "
                "that modifies it in place: use inplace=False in its first layer"
            )
        return parameters

    def run_marked(self, inverted, x):
        """Forward or inverse for a compiler, with operations that mark the coupling."""
        kind = self.kind_of_move(inverted)
        halves = self._split(x)
        for name, moved in steps(inverted):
            given = torch.ops.memrev.given(halves[1 - moved])
            parameters = self._parameters_in(name, getattr(self, name)(given))
            halves[moved] = self._check_shape(
                name, halves[moved], parameters,
                torch.ops.memrev.moved(halves[moved], given, parameters, kind))
        return torch.cat(halves, self.split_dim)

    def _check_shape(self, name, half, parameters, result):
        if result.shape != half.shape:
            raise ValueError(
                f"{type(self).__name__} expects {name} to return tensors of the shape "
                f"{list(half.shape)} of a half, but got "
                + " and ".join(str(list(parameter.shape)) for parameter in parameters)
            )
        return result


def describe(result):
    """What Fm or Gm returned, for messages."""
    if isinstance(result, torch.Tensor):
        return f"a tensor of shape {list(result.shape)}"
    if isinstance(result, (tuple, list)):
        return f"{len(result)} values"
    return type(result).__name__
