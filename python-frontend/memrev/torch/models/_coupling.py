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
from .._call import ModuleCall, gradients_of, is_activation
from .._evaluation import Evaluation

# Fm moves the first half, given the second one; Gm the second one, given the first.
_STEPS = (("Fm", 0), ("Gm", 1))


class Coupling(nn.Module):
    """Base of AdditiveCoupling and AffineCoupling, which say how a half is moved.

    `_move(half, parameters)` is the bijection, `_move_back` its inverse, and
    `_pull_back(before, after, parameters, gradient)`, `_pull_back_of_move_back` are
    the derivatives of the two: from argument, result and the gradient by the result
    to the gradients by the argument and by each parameter.
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

    def _choose_call(self, args, kwargs):
        """CouplingCall if this module is nothing but its coupling."""
        changed = (
            type(self).forward is not Coupling.forward
            or type(self).inverse is not Coupling.inverse
            or "forward" in vars(self)
            or "inverse" in vars(self)
            or any((self._forward_hooks, self._forward_pre_hooks))
            or any((self._backward_hooks, self._backward_pre_hooks))
        )
        fits = len(args) == 1 and is_activation(args[0]) and not kwargs
        return CouplingCall if fits and not changed else ModuleCall

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
        move = self._move_back if inverted else self._move
        layout = layout_of(x)
        halves = self._split(x)
        for name, moved in steps(inverted):
            given = halves[1 - moved].contiguous(memory_format=layout)
            parameters = self._branch(name, given, evaluate_branch)
            moved_half = move(halves[moved], parameters)
            if moved_half.shape != halves[moved].shape:
                raise ValueError(
                    f"{type(self).__name__} expects {name} to return tensors of the shape "
                    f"{list(halves[moved].shape)} of a half, but got "
                    + " and ".join(str(list(parameter.shape)) for parameter in parameters)
                )
            halves[moved] = moved_half
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


def describe(result):
    """What Fm or Gm returned, for messages."""
    if isinstance(result, torch.Tensor):
        return f"a tensor of shape {list(result.shape)}"
    if isinstance(result, (tuple, list)):
        return f"{len(result)} values"
    return type(result).__name__


def steps(inverted):
    return _STEPS[::-1] if inverted else _STEPS


def layout_of(x):
    """The memory format that halves are handed to Fm and Gm in: that of the whole."""
    if not x.is_contiguous():
        for rank, layout in ((4, torch.channels_last), (5, torch.channels_last_3d)):
            if x.dim() == rank and x.is_contiguous(memory_format=layout):
                return layout
    return torch.contiguous_format


class CouplingCall(ModuleCall):
    """A call of a coupling, which costs one evaluation of Fm and Gm forward and one
    backward: what is evaluated to undo a move is differentiated too."""

    def _make_evaluations(self):
        self._by_name = {name: Evaluation(getattr(self._module, name)) for name, _ in _STEPS}
        self._given_dtypes = {}
        return list(self._by_name.values())

    def run(self, inputs, named):
        (x,) = inputs
        self._module._is_plain(self._inverted)  # Raises as an unwrapped coupling does.
        return self._take_apart(self._module._run(self._inverted, x, self._evaluate_first))

    def _evaluate_first(self, name, given):
        self._given_dtypes[name] = given.dtype
        branch = getattr(self._module, name)
        return self._by_name[name].run(lambda: branch(given), [given])

    def _evaluate_again(self, name, given):
        with self._by_name[name].repeated():
            # Mixed precision may have widened a half where the halves were put together.
            return getattr(self._module, name)(given.to(self._given_dtypes[name]))

    def restore(self, outputs, named):
        (y,) = outputs
        x = self._module._run(not self._inverted, y, self._evaluate_again)
        return [x.to(self._dtypes[0])]

    def evaluate_again(self, inputs, named):
        (x,) = inputs
        return [self._module._run(self._inverted, x, self._evaluate_again)]

    def pull_back(self, outputs, named, gradients, wanted, restored):
        (y,), (gradient,) = outputs, gradients
        split_dim = self._module.split_dim
        layout = layout_of(y)
        halves, gradients = self._module._split(y), self._module._split(gradient)
        weights = {id(weight): None for weight in self.weights}
        first, _ = steps(self._inverted)[0]
        for name, moved in steps(not self._inverted):
            leaf = halves[1 - moved].contiguous(memory_format=layout).detach()
            # What the first step is given is an input, of which no weight is behind.
            leaf.requires_grad_(wanted[0] or name != first)
            self._pull_back_step(name, moved, leaf, halves, gradients, weights)
            del leaf
        inputs = None
        if restored:
            inputs = [torch.cat(halves, split_dim).to(self._dtypes[0])]
        del halves
        result = torch.cat(gradients, split_dim) if wanted[0] else None
        return inputs, [result, *weights.values()]

    def _pull_back_step(self, name, moved, leaf, halves, gradients, weights):
        """Undoes one step: replaces the moved half and both gradients, and adds to
        those of the weights. `leaf` is the other half."""
        coupling, evaluation = self._module, self._by_name[name]
        with torch.enable_grad():
            parameters = coupling._branch(name, leaf, self._evaluate_again)
        self.check_sources(parameters, [leaf])
        values = [parameter.detach() for parameter in parameters]
        after = halves[moved]
        if self._inverted:
            before = coupling._move(after, values)
            pull_back = coupling._pull_back_of_move_back
        else:
            before = coupling._move_back(after, values)
            pull_back = coupling._pull_back
        halves[moved] = before
        gradients[moved], cotangents = pull_back(before, after, values, gradients[moved])
        cotangents = [c.sum_to_size(p.shape).to(p.dtype) for c, p in zip(cotangents, parameters)]
        found = gradients_of(parameters, cotangents, [leaf, *evaluation.weights])
        if found[0] is not None:
            gradients[1 - moved] = gradients[1 - moved] + found[0]
        for weight, part in zip(evaluation.weights, found[1:]):
            if part is not None:
                total = weights[id(weight)]
                weights[id(weight)] = part if total is None else total + part
