# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""One call of an invertible module: its outputs, its inputs from its outputs, and
its derivative. `_autograd` makes an autograd node of it."""

import contextlib
import functools

import torch

from ._evaluation import Evaluation


def is_activation(value) -> bool:
    """Whether `value` is one of the tensors that an invertible module maps."""
    return isinstance(value, torch.Tensor) and (
        value.is_floating_point() or value.is_complex()
    )


def is_batched(gradients) -> bool:
    """Whether torch.vmap runs the backward pass, for several gradients in one: such
    tensors have no memory of their own that a program could read."""
    functorch = torch._C._functorch
    return any(g is not None and (functorch.is_functorch_wrapped_tensor(g)
                                  or functorch.is_legacy_batchedtensor(g)) for g in gradients)


class ModuleCall:
    """A call of any module with `forward` and `inverse`.

    Positional tensors of floating point are the inputs, which `inverse` gives back
    from the outputs. Everything else is kept as it is, and passed to `inverse` too:
    positional arguments after the outputs in the same order, named ones by their
    names. Named tensors get a gradient like the inputs.

    Costs an evaluation of the module forward, and one of its inverse and one of
    itself backward.
    """

    def __init__(self, module, inverted, args, kwargs):
        self._module = module
        self._inverted = inverted
        self._places = [i for i, value in enumerate(args) if is_activation(value)]
        self._given = [None if i in self._places else value for i, value in enumerate(args)]
        self._names = [name for name, value in kwargs.items() if is_activation(value)]
        self._kwargs = {n: value for n, value in kwargs.items() if n not in self._names}
        self._structure = None  # How the module's result is made of the outputs.
        self._dtypes = [args[i].dtype for i in self._places]

    def evaluate_without_record(self, function, args, kwargs):
        """The result where no gradient is asked for; `function` gives it too."""
        return function(*args, **kwargs)

    @functools.cached_property
    def _evaluations(self):
        return [Evaluation(self._module)]

    def arguments(self, args, kwargs):
        """(inputs, named tensors) among the arguments given to the constructor."""
        return [args[i] for i in self._places], [kwargs[name] for name in self._names]

    @property
    def num_inputs(self):
        return len(self._places)

    @property
    def num_arguments(self):
        return len(self._places) + len(self._names)

    @property
    def has_run(self):
        return self._structure is not None

    @property
    def num_outputs(self):
        return len(self._structure[1])

    @property
    def weights(self):
        """The parameters that get a gradient."""
        return list({id(w): w for e in self._evaluations for w in e.weights}.values())

    @contextlib.contextmanager
    def flags_restored(self):
        with contextlib.ExitStack() as stack:
            for evaluation in self._evaluations:
                stack.enter_context(evaluation.flags_restored())
            yield

    # Forward.

    def run(self, inputs, named):
        """The outputs, evaluated for the first time."""
        (evaluation,) = self._evaluations
        tensors = [*inputs, *named]
        versions = [tensor._version for tensor in tensors]
        outputs = evaluation.run(lambda: self._evaluate(inputs, named), tensors)
        for tensor, version in zip(tensors, versions):
            if tensor._version != version:
                raise RuntimeError(
                    f"{type(self._module).__name__} expects its inputs to stay as they are, but "
                    f"modified one of shape {list(tensor.shape)} in place"
                )
        return outputs

    def _evaluate(self, inputs, named):
        args = list(self._given)
        for place, tensor in zip(self._places, inputs):
            args[place] = tensor
        function = self._module.inverse if self._inverted else self._module
        return self._take_apart(function(*args, **self._keywords(named)))

    def _keywords(self, named):
        return dict(self._kwargs, **dict(zip(self._names, named)))

    def _take_apart(self, result):
        """The outputs in a result; remembers what the result was beside them."""
        kind = type(result) if isinstance(result, (tuple, list)) else None
        values = [result] if kind is None else list(result)
        places = [i for i, value in enumerate(values) if is_activation(value)]
        if not places:
            raise TypeError(
                f"{type(self._module).__name__} expects to return at least one tensor of floating "
                "point, but got " + (", ".join(type(value).__name__ for value in values) or "none")
            )
        rest = [None if i in places else value for i, value in enumerate(values)]
        self._structure = kind, places, rest
        return [values[i] for i in places]

    def _values(self, outputs):
        _, places, values = self._structure
        values = list(values)
        for place, output in zip(places, outputs):
            values[place] = output
        return values

    def result(self, outputs):
        """What the module returns, with `outputs` in their places."""
        kind, values = self._structure[0], self._values(outputs)
        if kind is None:
            return values[0]
        return kind(*values) if hasattr(kind, "_fields") else kind(values)

    # Backward, where `flags_restored` is in force.

    def restore(self, outputs, named):
        """The inputs, from the outputs."""
        (evaluation,) = self._evaluations
        with evaluation.repeated():
            given = [v for i, v in enumerate(self._given) if i not in self._places]
            function = self._module if self._inverted else self._module.inverse
            result = function(*self._values(outputs), *given, **self._keywords(named))
        inputs = list(result) if isinstance(result, (tuple, list)) else [result]
        if len(inputs) != len(self._places) or not all(map(is_activation, inputs)):
            name = type(self._module).__name__ + (".forward" if self._inverted else ".inverse")
            raise TypeError(
                f"{name} expects to return as many tensors of floating point as its counterpart "
                f"takes, {len(self._places)}, but got "
                + (", ".join(type(value).__name__ for value in inputs) or "none")
            )
        return [tensor.to(dtype) for tensor, dtype in zip(inputs, self._dtypes)]

    def evaluate_again(self, inputs, named):
        """The outputs, as in `run`, differentiable by the arguments and the weights."""
        (evaluation,) = self._evaluations
        with evaluation.repeated():
            return self._evaluate(inputs, named)

    def pull_back(self, outputs, named, gradients, wanted, restored):
        """The inputs if they have to be `restored`, and the gradients that
        `pull_back_from` finds from them."""
        inputs = self.restore(outputs, named)
        return inputs, self.pull_back_from(inputs, named, gradients, wanted)

    def pull_back_from(self, inputs, named, gradients, wanted):
        """The gradients by `[*inputs, *named]` where `wanted`, then by the weights;
        None is no dependence. `gradients` are those by the outputs, or None."""
        leaves = [
            tensor.detach().requires_grad_(want)
            for tensor, want in zip([*inputs, *named], wanted)
        ]
        with torch.enable_grad():
            outputs = self.evaluate_again(leaves[: len(inputs)], leaves[len(inputs):])
        weights = self.weights
        self.check_sources(outputs, leaves)
        return gradients_of(outputs, gradients, leaves + weights)

    def pull_back_differentiably(self, outputs, named, gradients, inputs=None):
        """The gradients by the inputs, `named` and the weights, from tensors that have
        a history and by operations that are recorded, so that they can be
        differentiated again.

        The inputs are functions of the weights, for they are restored with them. The
        first derivative holds them fixed: arguments are cut off while it is taken, and
        connected again for the next one.
        """
        if inputs is None:
            inputs = self.restore(outputs, named)
        gate = _Gate()
        leaves = list(_Cut.apply(gate, *inputs, *named))
        again = self.evaluate_again(leaves[: len(inputs)], leaves[len(inputs):])
        result = gradients_of(again, gradients, leaves + self.weights, create_graph=True)
        gate.is_open = True
        return result

    def check_sources(self, outputs, leaves):
        """A second evaluation finds gradients by the inputs and by parameters. Raises
        RuntimeError if the module reads something else that requires a gradient."""
        known = {id(leaf) for leaf in leaves}
        for evaluation in self._evaluations:
            known.update(map(id, evaluation.parameters))
        nodes = [
            torch.autograd.graph.get_gradient_edge(output).node
            for output in outputs
            if output.requires_grad
        ]
        # What a parameter itself is computed from is behind it.
        seen = {*nodes, *(leaf.grad_fn for e in self._evaluations for leaf in e.parameters)}
        while nodes:
            node = nodes.pop()
            variable = getattr(node, "variable", None)
            if variable is not None and id(variable) not in known:
                raise RuntimeError(
                    f"{type(self._module).__name__} expects to depend on its inputs and its "
                    f"parameters only, but got a tensor of shape {list(variable.shape)} from "
                    "elsewhere that requires a gradient: register it as a parameter or pass it "
                    "by its name"
                )
            for following, _ in node.next_functions:
                if following is not None and following not in seen:
                    seen.add(following)
                    nodes.append(following)


def gradients_of(outputs, gradients, tensors, create_graph=False):
    """The gradients by those of `tensors` that require one, None for the others;
    `gradients` are those by `outputs`, or None."""
    pairs = [
        (output, gradient)
        for output, gradient in zip(outputs, gradients)
        if gradient is not None and output.requires_grad
    ]
    sources = [tensor for tensor in tensors if tensor.requires_grad]
    if not pairs or not sources:
        return [None] * len(tensors)
    roots, cotangents = zip(*pairs)
    found = iter(
        torch.autograd.grad(
            roots, sources, cotangents, allow_unused=True, create_graph=create_graph
        )
    )
    return [next(found) if tensor.requires_grad else None for tensor in tensors]


class _Gate:
    is_open = False


class _Cut(torch.autograd.Function):
    """The identity. No gradient passes it until `gate` is open."""

    @staticmethod
    def forward(ctx, gate, *tensors):
        ctx.gate = gate
        return tuple(tensor.view_as(tensor) for tensor in tensors)

    @staticmethod
    def backward(ctx, *gradients):
        return (None, *(gradients if ctx.gate.is_open else [None] * len(gradients)))
