# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Couplings as compiled programs.

Fm and Gm are captured as graphs of operations. Around them the formulas of
`models/_coupling.py` are traced into programs of a few functions:

    run          x -> y, new values of buffers
    restore      y -> x
    pull_back    y, dy -> x, dx, gradients of the weights; evaluates Fm and Gm once
    pull_back_kept    x, dy -> dx, gradients of the weights

A function takes the tensors that the graphs read, parameters and buffers, as they lie
in memory. Images are (batch, height, width, channels) inside of a program where it has
convolutions. `run` takes and gives activations in the order of the caller's; the
backward pass hands them from block to block in the order of the program.
"""

import functools
from typing import List, Sequence

import torch
from torch import nn

from .. import _graph, numpy as mnp
from .._transforms import stop_gradient, value_and_grad
from . import _fx, _place
from ._capture import capture
from ._coupling_call import steps
from ._fx.pointwise import apply
from ._fx.shapes import part
from ._fx.table import cast, from_torch, to_torch
from ._program import Layout, compiled

class Refusal(Exception):
    """Why a coupling cannot be compiled."""


class Branch:
    """Fm or Gm as a graph, captured with `given`, an example of what it is called with.

    The graph belongs to a structure, not to `module`: `bind` finds the tensors that it
    reads in another module of the same structure.
    """

    def __init__(self, module: nn.Module, given: torch.Tensor, num_parameters: int):
        captured = capture(module, (given,))
        paths = {id(child): path for path, child in module.named_modules()}
        self._graph = captured.graph_module
        self.is_random = captured.is_random
        self._is_given = [a is not None and a.kind == "input" for a in captured.arguments]
        #: For each tensor that the graph reads: (path of its owner, name, kind), or the
        #: tensor itself where it is a constant.
        self.sources = [
            a.place if a.owner is None else (paths[id(a.owner)], a.place, a.kind)
            for a in captured.arguments if a is not None and a.kind != "input"
        ]
        placeholders = [n for n in self._graph.graph.nodes if n.op == "placeholder"]
        numbers = [i for i, given in enumerate(self._is_given) if not given]
        tracked = [output for output, requires_grad in
                   zip(captured.outputs, captured.requires_grad) if requires_grad]
        of_results = {output.number for output in tracked if output.source == "result"}
        of_arguments = {output.number for output in tracked if output.source == "argument"}
        reached = iter(captured.influences())
        reached = [None if a is None else next(reached) for a in captured.arguments]
        #: For each source whether what the module returns depends on it differentiably.
        self._is_used = [i in of_arguments or bool(reached[i] & of_results) for i in numbers]
        if any(self._is_given[argument] for argument, _ in captured.mutations):
            raise Refusal(f"{type(module).__name__} modifies its input")
        #: Numbers of the sources that get another value.
        self.changed = [numbers.index(argument) for argument, _ in captured.mutations]
        values = self._output_node().args[0]
        self._outputs = list(values[len(values) - len(captured.outputs):])
        self._new_values = [captured.results[result] for _, result in captured.mutations]
        spec = captured.out_spec
        fits = spec.is_leaf() if num_parameters == 1 else spec.type in (tuple, list)
        if not fits or len(self._outputs) != num_parameters or any(
                output.source == "constant" for output in captured.outputs):
            raise Refusal(f"{type(module).__name__} returns something else than "
                          f"{num_parameters} tensors")

    def _output_node(self):
        return next(iter(reversed(self._graph.graph.nodes)))

    def bind(self, module: nn.Module):
        """Functions that return the tensors of the sources in `module`, of their current
        values."""
        found = []
        for source in self.sources:
            if isinstance(source, torch.Tensor):
                found.append(lambda source=source: source)
            else:
                path, name, _ = source
                found.append(functools.partial(getattr, module.get_submodule(path), name))
        return found

    def differentiable(self, tensors) -> List[int]:
        """Numbers of the sources that get a gradient, if their tensors are `tensors`."""
        found = []
        for i, (source, tensor) in enumerate(zip(self.sources, tensors)):
            if tensor.requires_grad and self._is_used[i]:
                if isinstance(source, torch.Tensor) or source[2] != "parameter":
                    raise Refusal(f"'{source_name(source)}' requires a gradient and is no "
                                  "parameter")
                found.append(i)
        return found

    def evaluate(self, given: _fx.Tensor, sources: Sequence[_fx.Tensor], seed, dtype):
        """(parameters of the bijection, new values of `changed`), traced."""
        rest = iter(sources)
        inputs = [given if is_given else next(rest) for is_given in self._is_given]
        effects = _fx.Effects(seed)
        nodes = self._outputs + self._new_values
        found = _fx.evaluate(self._graph, inputs, nodes, effects)
        if effects.faults:
            raise Refusal("it looks up indices that have to be checked")
        parameters = found[: len(self._outputs)]
        for parameter in parameters:
            promoted = torch.promote_types(to_torch(parameter.dtype), dtype)
            if promoted != dtype:
                raise Refusal(f"a branch of {dtype} returns {to_torch(parameter.dtype)}")
        return [cast(p, from_torch(dtype)) for p in parameters], found[len(self._outputs):]


class CouplingProgram:
    """The compiled functions of couplings of one structure, for tensors of one type.

    coupling: one of them, of which the formulas are taken.
    branches: {"Fm": Branch, "Gm": Branch}.
    x: the layout of the input.
    sources: {"Fm": layouts, "Gm": layouts} of the tensors that the graphs read.
    wrt: {"Fm": numbers, "Gm": numbers} of the sources that get a gradient.
    wants_input: whether the input gets one.
    """

    def __init__(self, coupling, inverted, branches, x: Layout, sources, wrt, wants_input):
        self._inverted, self._branches = inverted, branches
        self._x, self._sources, self._wrt, self._wants_input = x, sources, wrt, wants_input
        self._dim = coupling.split_dim % len(x.shape)
        kind = type(coupling)
        self._move, self._move_back = coupling.move(inverted), coupling.move(not inverted)
        self._pull_back = kind._pull_back_of_inverse if inverted else kind._pull_back
        self._steps = steps(inverted)
        #: Numbers of the sources, in one list, that get a gradient and that change.
        self.wrt, self.changed, before = [], [], 0
        for name, branch in branches.items():
            self.wrt += [before + i for i in wrt[name]]
            self.changed += [before + i for i in branch.changed]
            before += len(branch.sources)
        self._functions = {}
        #: The layout of activations inside of the program: that of what Fm returns.
        self.layout = None
        self._function("run")

    # -- Calls. `sources` and `seeds` are lists of tensors for Fm, then for Gm. ----------

    def draw_seeds(self) -> List[torch.Tensor]:
        """The keys of a call's random numbers."""
        return [_place.draw_seed(self._x.device) for branch in self._branches.values()
                if branch.is_random]

    def run(self, x, sources, seeds):
        """(y, new values of the buffers that Fm and Gm change)."""
        y, *values = self._call("run", [self._x.taken(x), *sources, *seeds])
        return y, values

    def restore(self, y, sources, seeds):
        """x, in the program's layout."""
        return self._call("restore", [self.layout.taken(y), *sources, *seeds])[0]

    def pull_back(self, y, gradient, sources, seeds, to_caller):
        """(x, its gradient or None, gradients of the weights in the order of `wrt`). The
        gradient is in the layout of x if it goes `to_caller`, else in the program's."""
        taken = map(self.layout.taken, (y, gradient))
        x, *found = self._call("pull_back", [*taken, *sources, *seeds])
        of_x = found.pop(0) if self._wants_input else None
        if of_x is not None and to_caller:
            of_x = self._x.taken(of_x)
        return x, of_x, found

    def pull_back_kept(self, x, gradient, sources, seeds):
        """(gradient of x or None, gradients of the weights in the order of `wrt`)."""
        taken = self._x.taken(x), self.layout.taken(gradient)
        found = self._call("pull_back_kept", [*taken, *sources, *seeds])
        return found.pop(0) if self._wants_input else None, found

    def _call(self, name, arguments):
        function, layouts = self._function(name)
        results = [layout.empty() for layout in layouts]
        _place.run(function, arguments, results, self._x.device)
        return results

    def compile(self, name) -> None:
        """Compiles a function now, and not when it is called first."""
        self._function(name)

    # -- Programs ------------------------------------------------------------------------

    def _function(self, name):
        found = self._functions.get(name)
        if found is None:
            found = self._functions[name] = self._compiled(name)
        return found

    def _compiled(self, name):
        """(compiled function, layouts of its results)."""
        program = _graph.Program()
        function = _graph.Function(program, name, public=True)
        block = function.block

        def argument(layout, hint):
            return _fx.Tensor(layout.add_argument(block, hint), layout.order)

        leading = [argument(layout, hint) for layout, hint in {
            "run": lambda: [(self._x, "x")],
            "restore": lambda: [(self.layout, "y")],
            "pull_back": lambda: [(self.layout, "y"), (self.layout, "dy")],
            "pull_back_kept": lambda: [(self._x, "x"), (self.layout, "dy")],
        }[name]()]
        sources = {
            key: [argument(layout, source_name(source))
                  for layout, source in zip(self._sources[key], branch.sources)]
            for key, branch in self._branches.items()
        }
        seed = Layout.of_seed(self._x.device)
        seeds = {key: seed.add_argument(block, "seed") if branch.is_random else None
                 for key, branch in self._branches.items()}
        trace = getattr(self, "_trace_" + name)
        with _graph.tracing(block):
            results = trace(*leading, sources, seeds)
            function.set_results([
                block.resolve(tensor.in_order(layout.order).value) for tensor, layout in results])
        module = compiled(program.print(), program.print(locations=True), self._x.device)
        return module[name], [layout for _, layout in results]

    def _split(self, x):
        half = x.shape[self._dim] // 2
        return [part(x, self._dim, slice(None, half)), part(x, self._dim, slice(half, None))]

    def _joined(self, halves):
        order = self.layout.order
        arrays = [half.in_order(order) for half in halves]
        return _fx.Tensor(mnp.concatenate(arrays, order.index(self._dim)), order)

    def _evaluate(self, x, inverted, sources, seeds):
        """(y, new values of buffers by branch)."""
        move = self._move_back if inverted != self._inverted else self._move
        halves, values = self._split(x), {}
        for name, moved in steps(inverted):
            parameters, values[name] = self._branches[name].evaluate(
                halves[1 - moved], sources[name], seeds[name], self._x.dtype)
            if self.layout is None:
                fits = parameters[0].ndim == x.ndim
                self.layout = Layout(x.shape, self._x.dtype,
                                     parameters[0].order if fits else x.order, self._x.device)
            after = applied(move, halves[moved], parameters)
            if after.shape != halves[moved].shape:
                raise Refusal(f"{name} returns tensors of another shape than a half")
            halves[moved] = after
        return self._joined(halves), values

    def _trace_run(self, x, sources, seeds):
        y, values = self._evaluate(x, self._inverted, sources, seeds)
        results = [(y, self._x)]
        for name, branch in self._branches.items():
            results += zip(values[name], (self._sources[name][i] for i in branch.changed))
        return results

    def _trace_restore(self, y, sources, seeds):
        x, _ = self._evaluate(y, not self._inverted, sources, seeds)
        return [(x, self.layout)]

    def _trace_pull_back(self, y, gradient, sources, seeds):
        halves, gradients, weights = self._split(y), self._split(gradient), {}
        for name, moved in reversed(self._steps):
            given = 1 - moved
            # What the first step is given is an input, of which no weight is behind.
            wants_given = self._wants_input or (name, moved) != self._steps[0]
            step = self._pull_back_step(name, halves[given], halves[moved], gradients[moved],
                                        sources[name], seeds[name], wants_given)
            halves[moved], gradients[moved], of_given, weights[name] = step
            if of_given is not None:
                gradients[given] = applied(lambda a, b: a + b[0], gradients[given], [of_given])
        results = [(self._joined(halves), self.layout)]
        if self._wants_input:
            results.append((self._joined(gradients), self.layout))
        return results + self._weight_results(weights)

    def _weight_results(self, weights):
        return [(weight, self._sources[name][i]) for name in self._branches
                for weight, i in zip(weights[name], self._wrt[name])]

    def _pull_back_step(self, name, given, after, gradient, sources, seed, wants_given):
        """(half before the move, its gradient, gradient of the other half or None,
        gradients of the weights).

        The derivative of the branch is that of <moved half, gradient>, in which the half
        before the move is a constant. It is restored from the same evaluation.
        """
        order, wrt = self.layout.order, self._wrt[name]

        def product(variables):
            values = list(sources)
            for i, value in zip(wrt, variables[wants_given:]):
                values[i] = values[i].like(value)
            read = _fx.Tensor(variables[0], order) if wants_given else given
            parameters, _ = self._branches[name].evaluate(read, values, seed, self._x.dtype)
            fixed = [p.like(stop_gradient(p.stored)) for p in parameters]
            before = applied(self._move_back, after, fixed)
            moved = applied(self._move, before, parameters)
            of_before = apply(
                lambda b, a, g, *p: self._pull_back(b, a, p, g)[0],
                before, after, gradient, *fixed)
            value = mnp.sum(moved.in_order(order) * gradient.in_order(order))
            return value, (before.in_order(order), of_before.in_order(order))

        variables = [given.in_order(order)] * wants_given + [sources[i].stored for i in wrt]
        if variables:
            (_, aux), found = value_and_grad(product, has_aux=True, policy="store")(variables)
        else:
            (_, aux), found = product(variables), []
        before, of_before = (_fx.Tensor(array, order) for array in aux)
        of_given = _fx.Tensor(found[0], order) if wants_given else None
        weights = [sources[i].like(array) for i, array in zip(wrt, found[wants_given:])]
        return before, of_before, of_given, weights

    def _trace_pull_back_kept(self, x, gradient, sources, seeds):
        def product(x_stored, weights):
            values = {name: list(tensors) for name, tensors in sources.items()}
            for name, arrays in weights.items():
                for i, array in zip(self._wrt[name], arrays):
                    values[name][i] = values[name][i].like(array)
            y, _ = self._evaluate(x.like(x_stored), self._inverted, values, seeds)
            return mnp.sum(y.stored * gradient.in_order(self.layout.order))

        weights = {name: [sources[name][i].stored for i in numbers]
                   for name, numbers in self._wrt.items()}
        if self._wants_input:
            of_x, found = value_and_grad(product, (0, 1), policy="store")(x.stored, weights)[1]
            results = [(x.like(of_x), self._x)]
        else:
            results = []
            found = value_and_grad(product, 1, policy="store")(x.stored, weights)[1]
        return results + self._weight_results({
            name: [sources[name][i].like(array) for i, array in zip(self._wrt[name], arrays)]
            for name, arrays in found.items()})


def applied(function, half, parameters):
    """A formula of couplings, `function(half, parameters)`, traced."""
    return apply(lambda half, *parameters: function(half, parameters), half, *parameters)


def source_name(source):
    """What an argument is called in the program's text."""
    return "constant" if isinstance(source, torch.Tensor) else source[1]
