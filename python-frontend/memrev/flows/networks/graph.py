# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Bijections with any number of inputs and outputs, made of bijections as a graph."""

from typing import Optional

from ... import nn
from ..bijection import Bijection, Inverse, Parallel, no_log_det
from ..reshaping import Split

__all__ = ["ConditionNode", "FeedForwardNode", "Graph", "InputNode", "Node"]


class _Value:
    """One of the arrays that a node makes."""

    def __init__(self, node, number):
        self.node, self.number = node, number

    def __str__(self):
        several = len(self.node.values) > 1
        return f"{self.node}" + (f"[{self.number}]" if several else "")


class _Node:
    """What nodes share: `node[i]` is its result i; a node with one result stands for it."""

    def __init__(self, name, outputs=1):
        self.name, self.values = name, [_Value(self, i) for i in range(outputs)]

    def __getitem__(self, i):
        return self.values[i]

    def __str__(self):
        return f"'{self.name}'"


class InputNode(_Node):
    """An input of a `Graph`, an array."""

    def __init__(self, name: str = "input"):
        super().__init__(name)


class ConditionNode(_Node):
    """A condition of a `Graph`, an array or a tree of arrays, known in both directions."""

    def __init__(self, name: str = "condition"):
        super().__init__(name)


class FeedForwardNode(_Node):
    """A function that needs no inverse: of values that others read too, to a condition.

    inputs: a value or node, or a tuple of them, in the order of the arguments of `module`.

    Raises TypeError if something else is among the inputs.
    """

    def __init__(self, inputs, module: nn.Module, name: Optional[str] = None):
        super().__init__(name or type(module).__name__)
        self.module, self.inputs = module, _values(self, inputs)


class Node(_Node):
    """A bijection of values, in a `Graph`.

    inputs: a value or node for a layer of one array, a tuple of them for one of a tuple.
    cond: a value or node, or a tuple of them, that the layer is conditional on.
    outputs: how many arrays the layer returns; None: one array that is no tuple. By default as
        many as a `Split` or `Parallel` makes, None for other layers of one array, as many as
        there are inputs for other ones.
    name: names the node in errors and its parameters; by default the layer's class. Nodes of
        one name are numbered.

    `node[i]` is result i. Raises TypeError if something else is among the inputs.
    """

    def __init__(self, inputs, layer: Bijection, cond=None, outputs="by layer",
                 name: Optional[str] = None):
        self.several = isinstance(inputs, (tuple, list))
        if outputs == "by layer":
            outputs = _count_of_results(layer, inputs)
        self.tuple = outputs is not None
        super().__init__(name or type(layer).__name__, outputs or 1)
        self.layer, self.inputs = layer, _values(self, inputs)
        self.several_conditions = isinstance(cond, (tuple, list))
        self.conditions = [] if cond is None else _values(self, cond)


def _count_of_results(layer, inputs):
    if isinstance(layer, Split):
        return len(layer.sizes)
    if isinstance(layer, Parallel):
        return len(layer.layers)
    if isinstance(layer, Inverse) and isinstance(layer.layer, Split):
        return None
    return len(inputs) if isinstance(inputs, (tuple, list)) else None


def _values(node, inputs):
    found = []
    for value in inputs if isinstance(inputs, (tuple, list)) else (inputs,):
        if isinstance(value, _Node):
            if len(value.values) != 1:
                raise ValueError(f"{node} expects one of the {len(value.values)} results of "
                                 f"{value}, such as node[0], but got the node")
            value = value[0]
        if not isinstance(value, _Value):
            raise TypeError(f"{node} expects nodes or results of them, but got "
                            f"{type(value).__name__}")
        found.append(value)
    return found


class Graph(Bijection):
    """Bijections that are connected by their inputs and outputs: Ardizzone et al., FrEIA's
    GraphINN. The order of evaluation follows from the connections, in both directions.

        x, y = flows.InputNode("x"), flows.ConditionNode("y")
        parts = flows.Node(x, flows.Split(2, 2))
        first = flows.Node(parts[0], flows.AffineCoupling(2, net, condition=3), cond=y)
        both = flows.Node((first, parts[1]), flows.Cat(2, 2))
        network = flows.Graph(x, both, y)

    inputs, outputs: an `InputNode` or a tuple of them; a value, a node with one result, or a
        tuple of them. Arguments and results of the network are an array, or tuples in that
        order.
    conditions: a `ConditionNode` or a tuple of them, in the order of the tuple `cond`.

    Each value is the input of one node, or an output: otherwise there is no inverse. Besides,
    nodes may be conditional on any values, of nodes of the graph too, as far as these are known
    before them in both directions.

    Submodules: `layers`, a dict by names of nodes. Raises ValueError for graphs that break these
    rules, with the names of the nodes involved.
    """

    def __init__(self, inputs, outputs, conditions=()):
        self.one_input = not isinstance(inputs, (tuple, list))
        self.one_output = not isinstance(outputs, (tuple, list))
        self.one_condition = not isinstance(conditions, (tuple, list))
        whole = _Node("the graph")
        #: The values that come in and out, and the nodes between.
        self.sources = _values(whole, inputs)
        self.sinks = _values(whole, outputs)
        self.given = _values(whole, conditions)
        for kind, what, values in ((InputNode, "inputs", self.sources),
                                   (ConditionNode, "conditions", self.given)):
            for value in values:
                if not isinstance(value.node, kind):
                    raise ValueError(f"Graph expects as {what} {kind.__name__}s, but got "
                                     f"{value}, a {type(value.node).__name__}")
        nodes = self._reachable()
        self._check_uses(nodes)
        self.names = _unique_names(nodes)
        self.layers = {self.names[id(node)]: getattr(node, "layer", None) or node.module
                       for node in nodes}
        self.forward_order = self._order(nodes, forward=True)
        self.inverse_order = self._order(nodes, forward=False)

    def _reachable(self):
        """The nodes that outputs depend on, first ones first."""
        found, seen, path = [], set(), []

        def visit(value):
            node = value.node
            if node in path:
                cycle = " -> ".join(map(str, [*path[path.index(node):], node]))
                raise ValueError(f"Graph expects connections without a cycle, but got {cycle}")
            if id(node) in seen:
                return
            seen.add(id(node))
            if isinstance(node, (InputNode, ConditionNode)):
                known = self.sources if isinstance(node, InputNode) else self.given
                if value not in known:
                    what = "inputs" if isinstance(node, InputNode) else "conditions"
                    raise ValueError(f"Graph expects all its {what}, but got a connection to "
                                     f"{node}, which is none of them")
                return
            path.append(node)
            for other in [*node.inputs, *getattr(node, "conditions", ())]:
                visit(other)
            path.pop()
            found.append(node)

        for value in self.sinks:
            visit(value)
        return found

    def _check_uses(self, nodes):
        """Each value is consumed once."""
        users = {}
        for node in nodes:
            if isinstance(node, Node):
                for value in node.inputs:
                    users.setdefault(value, []).append(str(node))
        for value in self.sinks:
            users.setdefault(value, []).append("the outputs")
        made = [*self.sources, *(value for node in nodes if isinstance(node, Node)
                                 for value in node.values)]
        for value in made:
            found = users.get(value, [])
            if len(found) != 1:
                raise ValueError(f"Graph expects {value} to be the input of one node, or an "
                                 f"output, but got {' and '.join(found) or 'none'}")
        for value in users:
            if value not in made:
                raise ValueError(f"Graph expects bijections of inputs and of results of "
                                 f"bijections, but got {value}, a {type(value.node).__name__}, as "
                                 f"an input of {' and '.join(users[value])}")

    def _order(self, nodes, forward):
        """The nodes in an order of evaluation: each of them where all that it needs is known."""
        known = set(self.sources if forward else self.sinks) | set(self.given)
        order, waiting = [], list(nodes)

        def needs(node):
            if isinstance(node, FeedForwardNode):
                return node.inputs
            return [*(node.inputs if forward else node.values), *node.conditions]

        while waiting:
            ready = [node for node in waiting if all(v in known for v in needs(node))]
            if not ready:
                node = waiting[0] if forward else waiting[-1]
                missing = [str(v) for v in needs(node) if v not in known]
                raise ValueError(
                    f"Graph expects conditions that are known before they are needed in both "
                    f"directions, but got {node}, which needs {' and '.join(missing)} in the "
                    f"{'forward' if forward else 'inverse'} direction")
            for node in ready:
                known.update(node.values if forward or isinstance(node, FeedForwardNode)
                             else node.inputs)
            order += ready
            waiting = [node for node in waiting if node not in ready]
        return order

    def __call__(self, x, cond=None):
        return self._run(x, cond, True)

    def inverse(self, y, cond=None):
        return self._run(y, cond, False)

    def _run(self, x, cond, forward):
        first, last = (self.sources, self.sinks) if forward else (self.sinks, self.sources)
        one, one_result = ((self.one_input, self.one_output) if forward else
                           (self.one_output, self.one_input))
        known = self._matched("inputs" if forward else "outputs", first, one, x)
        known.update(self._matched("conditions", self.given, self.one_condition, cond))
        total = no_log_det(x)
        for node in self.forward_order if forward else self.inverse_order:
            if isinstance(node, FeedForwardNode):
                known[node[0]] = node.module(*(known[value] for value in node.inputs))
                continue
            given, made = ((node.inputs, node.values) if forward else
                           (node.values, node.inputs))
            several, several_made = ((node.several, node.tuple) if forward else
                                     (node.tuple, node.several))
            arrays = tuple(known[value] for value in given)
            found, log_det = (node.layer if forward else node.layer.inverse)(
                arrays if several else arrays[0], self._condition(node, known))
            got = len(found) if isinstance(found, (tuple, list)) else None
            if got != (len(made) if several_made else None):
                raise ValueError(
                    f"Graph expects {len(made) if several_made else 'one array'} from the "
                    f"{'node' if forward else 'inverse of node'} '{self.names[id(node)]}', but "
                    f"got {'one array' if got is None else got}")
            known.update(zip(made, found if several_made else (found,)))
            total = total + log_det
        results = tuple(known[value] for value in last)
        return (results[0] if one_result else results), total

    @staticmethod
    def _condition(node, known):
        if not node.conditions:
            return None
        values = tuple(known[value] for value in node.conditions)
        return values if node.several_conditions else values[0]

    @staticmethod
    def _matched(what, values, one, arrays):
        """The arrays of these values, by value."""
        if not values:
            return {}
        if one:
            if arrays is None:
                raise ValueError(f"Graph expects {what}, but got None")
            return {values[0]: arrays}
        if not isinstance(arrays, (tuple, list)) or len(arrays) != len(values):
            got = (f"{len(arrays)}" if isinstance(arrays, (tuple, list)) else
                   type(arrays).__name__)
            raise ValueError(f"Graph expects a tuple of {len(values)} {what}, but got {got}")
        return dict(zip(values, arrays))


def _unique_names(nodes):
    """A name for each node, by its id: those of several are numbered."""
    count, found = {}, {}
    for node in nodes:
        number = count[node.name] = count.get(node.name, 0) + 1
        found[id(node)] = node.name if number == 1 else f"{node.name}_{number}"
    return found
