# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Calls of couplings: in PyTorch, and by compiled programs."""

import contextlib
import functools
import time

import torch

from ._call import ModuleCall, gradients_of, is_batched
from ._evaluation import Evaluation
from ._program import are_apart

# Fm moves the first half, given the second one; Gm the second one, given the first.
_STEPS = (("Fm", 0), ("Gm", 1))


def steps(inverted):
    """Pairs of a branch's name and the number of the half that it moves, in order."""
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

    def __init__(self, module, inverted, args, binding):
        super().__init__(module, inverted, args, {})
        self._binding = binding
        self._given_dtypes = {}
        module._is_plain(inverted)  # Raises as an unwrapped coupling does.

    @functools.cached_property
    def _by_name(self):
        return {name: Evaluation(getattr(self._module, name)) for name, _ in _STEPS}

    @functools.cached_property
    def _evaluations(self):
        return list(self._by_name.values())

    def evaluate_without_record(self, function, args, kwargs):
        with self._timed():
            return function(*args, **kwargs)

    @contextlib.contextmanager
    def _timed(self):
        """Notes what PyTorch takes, for the decision to compile."""
        start = time.perf_counter()
        yield
        if self._binding is not None:
            self._binding.kind.seconds += time.perf_counter() - start

    def run(self, inputs, named):
        (x,) = inputs
        with self._timed():
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
        weights = dict.fromkeys(map(id, self.weights))
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
        pull_back = coupling._pull_back_of_inverse if self._inverted else coupling._pull_back
        before = coupling.move(not self._inverted)(after, values)
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


class CompiledCouplingCall(CouplingCall):
    """A call of a coupling that a compiled program evaluates (`_coupling_program`)."""

    def __init__(self, module, inverted, args, binding, program):
        super().__init__(module, inverted, args, binding)
        self._program = program
        self._sources = binding.sources()
        self._changed = program.changed

    @property
    def is_possible(self):
        """Whether Fm and Gm change different tensors, for the program reads all of them
        before it changes one."""
        return not self._changed or are_apart(self._sources, self._changed)

    def evaluate_without_record(self, function, args, kwargs):
        self._seeds = self._program.draw_seeds()
        return self._run_program(*args)

    def run(self, inputs, named):
        (x,) = inputs
        first, second = self._evaluations

        def run_both():
            return second.run(lambda: self._run_program(x), [x])

        self._given_dtypes = dict.fromkeys(self._by_name, x.dtype)
        self._seeds = self._program.draw_seeds()
        return self._take_apart(first.run(run_both, [x]))

    def _run_program(self, x):
        y, values = self._program.run(x, self._sources, self._seeds)
        with torch.no_grad():
            for i, value in zip(self._changed, values):
                changed = self._sources[i]
                self._sources[i] = changed.clone()  # The backward pass reads what was there.
                changed.copy_(value)
        return y

    def restore(self, outputs, named):
        return [self._program.restore(outputs[0], self._sources, self._seeds)]

    def pull_back(self, outputs, named, gradients, wanted, restored):
        if is_batched(gradients):
            self._check_repeatable("a batch of gradients")
            return super().pull_back(outputs, named, gradients, wanted, restored)
        # An input that is wanted back is the output of another coupling, of the same layout.
        x, of_x, of_weights = self._program.pull_back(
            outputs[0], gradients[0], self._sources, self._seeds, to_caller=not restored)
        return [x], self._gradients(of_x, of_weights)

    def pull_back_from(self, inputs, named, gradients, wanted):
        if is_batched(gradients):
            self._check_repeatable("a batch of gradients")
            return super().pull_back_from(inputs, named, gradients, wanted)
        of_x, of_weights = self._program.pull_back_kept(
            inputs[0], gradients[0], self._sources, self._seeds)
        return self._gradients(of_x, of_weights)

    def _check_repeatable(self, wish):
        """Raises RuntimeError if PyTorch cannot evaluate again what the program has."""
        if self._seeds:
            raise RuntimeError(
                "expects one backward pass for one gradient of a compiled coupling with random "
                f"numbers, of which PyTorch cannot draw the same, but got {wish}; use "
                "memrev.torch.set_backend('eager')"
            )

    def _gradients(self, of_x, of_weights):
        """In the order of the call's arguments; modules may share weights."""
        sums = dict.fromkeys(map(id, self.weights))
        for i, found in zip(self._program.wrt, of_weights):
            weight = id(self._sources[i])
            sums[weight] = found if sums[weight] is None else sums[weight] + found
        return [of_x, *sums.values()]

    def pull_back_differentiably(self, outputs, named, gradients, inputs=None):
        self._check_repeatable("create_graph=True")
        if inputs is None:
            # By PyTorch, which records it.
            inputs = super().restore(outputs, named)
        return super().pull_back_differentiably(outputs, named, gradients, inputs)
