# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Graphs of bijections: orders of evaluation in both directions, and what is no such graph."""

import numpy as np
import pytest

import memrev
from flows_check import check, difference
from memrev import flows, nn, tree

NET = flows.dense(4, activation=np.tanh)


def random(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape)


def run(model, variables, *args, method=None):
    return memrev.jit(lambda variables, args: model.apply(
        variables["params"], variables["state"], *args, method=method)[0])(variables, args)


def chain():
    x = flows.InputNode("x")
    first = flows.Node(x, flows.AffineCoupling(4, NET))
    second = flows.Node(first, flows.Householder(4, 1))
    third = flows.Node(second, flows.AffineCoupling(4, NET))
    return flows.Graph(x, third)


def split_and_merge():
    """One part goes around a node; a condition, and a feature of it, come in."""
    x, y = flows.InputNode("x"), flows.ConditionNode("y")
    feature = flows.FeedForwardNode(y, nn.Linear(3, 2))
    parts = flows.Node(x, flows.Split(2, 2))
    changed = flows.Node(parts[0], flows.AffineCoupling(2, NET, condition=2), cond=feature)
    both = flows.Node((parts[1], changed), flows.Cat(2, 2))
    last = flows.Node(both, flows.AdditiveCoupling(4, NET, condition=3), cond=y)
    return flows.Graph(x, last, y)


def several():
    """Two inputs and three outputs, where one stream is conditional on the other one, as it
    is before its last node."""
    a, b = flows.InputNode("a"), flows.InputNode("b")
    first = flows.Node(a, flows.AffineCoupling(2, NET), name="first")
    second = flows.Node(b, flows.AffineCoupling(3, NET, condition=2), cond=first)
    parts = flows.Node(second, flows.Split(1, 2))
    moved = flows.Node((parts[1], flows.Node(first, flows.ActNorm(2))), flows.Parallel(
        None, flows.Reverse()))
    return flows.Graph((a, b), (moved[1], parts[0], moved[0]))


GRAPHS = {
    "chain": lambda: (chain(), random(1, 4, 4)),
    "split and merge": lambda: (split_and_merge(), random(1, 4, 4), random(2, 4, 3)),
    "several": lambda: (several(), (random(1, 5, 2), random(2, 5, 3))),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_graph(name):
    check(*GRAPHS[name](), spread=0.2)


def test_orders_follow_from_connections():
    """The stream that the other one is conditional on has to be undone in part before it."""
    graph = several()
    order = [graph.names[id(node)] for node in graph.inverse_order]
    assert order.index("ActNorm") < order.index("AffineCoupling") and len(order) == 5
    order = [graph.names[id(node)] for node in graph.forward_order]
    assert order.index("first") < order.index("AffineCoupling") and len(order) == 5


def test_parameters_are_named_by_nodes():
    params = chain().init(0)["params"]
    assert list(params["layers"]) == ["AffineCoupling", "Householder", "AffineCoupling_2"]


def test_a_graph_is_the_chain_of_its_nodes():
    graph = chain()
    variables = graph.init(0, np.float64)
    variables["params"] = tree.map(lambda a: a + 0.1, variables["params"])
    single = flows.Sequential(*graph.layers.values())
    params = {"layers": dict(enumerate(variables["params"]["layers"].values()))}
    x = random(1, 4, 4)
    expected = run(single, {"params": params, "state": {}}, x)
    assert difference(run(graph, variables, x), expected) == 0


def test_graphs_nest_in_loops():
    model = flows.Repeat(split_and_merge(), 2)
    check(model, random(1, 4, 4), random(2, 4, 3), spread=0.2)


def test_several_conditions_are_a_tuple():
    class Both(nn.Module):
        def __init__(self):
            self.net = nn.Linear(4, 2)

        def __call__(self, part, cond):
            return np.tanh(self.net(part)) * cond[0] + cond[1]

    x, c, d = flows.InputNode(), flows.ConditionNode("c"), flows.ConditionNode("d")
    node = flows.Node(x, flows.AdditiveCoupling(6, Both(), 4, condition=None), cond=(d, c))
    check(flows.Graph(x, node, (c, d)), random(1, 6, 6), (random(2, 6, 2), random(3, 6, 2)))


# ------------------------------------------------------------------------------
# What is no such graph
# ------------------------------------------------------------------------------


def used_twice():
    x = flows.InputNode("x")
    parts = flows.Node(x, flows.Split(1, 1), name="parts")
    both = flows.Node((parts[0], parts[0]), flows.Cat(1, 1), name="both")
    return flows.Graph(x, (both, parts[1]))


def left_over():
    x = flows.InputNode("x")
    parts = flows.Node(x, flows.Split(1, 1), name="parts")
    return flows.Graph(x, parts[0])


def without_an_inverse():
    """Each stream is conditional on what the other one is before."""
    a, b = flows.InputNode("a"), flows.InputNode("b")
    first = flows.Node(a, flows.AffineCoupling(2, NET, condition=2), cond=b, name="first")
    second = flows.Node(b, flows.AffineCoupling(2, NET, condition=2), cond=a, name="second")
    return flows.Graph((a, b), (first, second))


def cyclic():
    x = flows.InputNode("x")
    first = flows.Node(x, flows.ActNorm(2), name="first")
    second = flows.Node(first, flows.ActNorm(2), name="second")
    first.conditions.append(second[0])
    return flows.Graph(x, second)


def stranger():
    x, y = flows.InputNode("x"), flows.InputNode("y")
    both = flows.Node((x, y), flows.Cat(1, 1))
    return flows.Graph(x, both)


def unknown_condition():
    x, y = flows.InputNode("x"), flows.ConditionNode("y")
    return flows.Graph(x, flows.Node(x, flows.AffineCoupling(2, NET, condition=1), cond=y))


def condition_as_input():
    x, y = flows.InputNode("x"), flows.ConditionNode("y")
    both = flows.Node((x, y), flows.Cat(1, 1), name="both")
    return flows.Graph(x, both, y)


@pytest.mark.parametrize("make, message", [
    (used_twice, r"Graph expects 'parts'\[0\] to be the input of one node, or an output, but got "
                 "'both' and 'both'"),
    (left_over, r"Graph expects 'parts'\[1\] to be the input of one node, or an output, but got "
                "none"),
    (without_an_inverse, "Graph expects conditions that are known before they are needed in both "
                         "directions, but got '(first|second)', which needs '[ab]' in the "
                         "inverse direction"),
    (cyclic, "Graph expects connections without a cycle, but got 'second' -> 'first' -> "
             "'second'"),
    (stranger, "Graph expects all its inputs, but got a connection to 'y', which is none"),
    (unknown_condition, "Graph expects all its conditions, but got a connection to 'y'"),
    (condition_as_input, "Graph expects bijections of inputs and of results of bijections, but "
                         "got 'y', a ConditionNode, as an input of 'both'"),
    (lambda: flows.Graph(flows.ConditionNode("y"), flows.InputNode("x")),
     "Graph expects as inputs InputNodes, but got 'y', a ConditionNode"),
    (lambda: flows.Node(flows.Node(flows.InputNode("x"), flows.Split(1, 1)), flows.Reverse()),
     r"'Reverse' expects one of the 2 results of 'Split', such as node\[0\], but got the node"),
])
def test_errors_of_construction(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_node_of_something_else():
    with pytest.raises(TypeError, match="'Reverse' expects nodes or results of them, but got int"):
        flows.Node(3, flows.Reverse())


def test_errors_of_calls():
    x = np.ones((2, 4))
    graph = split_and_merge()
    with pytest.raises(ValueError, match="Graph expects conditions, but got None"):
        run(graph, graph.init(0, np.float64), x)
    graph = several()
    with pytest.raises(ValueError, match="Graph expects a tuple of 2 inputs, but got Array"):
        run(graph, graph.init(0, np.float64), x)
    with pytest.raises(ValueError, match="Graph expects a tuple of 3 outputs, but got 2"):
        run(graph, graph.init(0, np.float64), (x, x), method="inverse")
    source = flows.InputNode()
    graph = flows.Graph(source, flows.Node(source, flows.Split(2, 2), outputs=None))
    with pytest.raises(ValueError, match="Graph expects one array from the node 'Split', but got "
                                         "2"):
        run(graph, graph.init(0, np.float64), x)
