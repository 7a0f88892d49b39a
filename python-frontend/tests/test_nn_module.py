# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Modules with NumPy's arrays: names, sharing, states, errors."""

import copy
import threading

import numpy as np
import pytest

from memrev import nn, tree


class Scale(nn.Module):
    def __init__(self, features):
        self.factor = nn.Parameter((features,), nn.init.normal())

    def __call__(self, x):
        return x * self.factor


class Counter(nn.Module):
    """Counts its calls in training, and adds up what it sees."""

    def __init__(self, features):
        self.count = nn.State((), nn.init.zeros)
        self.total = nn.State((features,), nn.init.zeros)

    def __call__(self, x):
        if self.training:
            self.update("count", lambda count: count + 1)
            self.update("total", lambda total, value: total + value, x)
        return x


class Net(nn.Module):
    def __init__(self):
        self.first = Scale(3)
        self.layers = [Scale(3), [Counter(3), Scale(3)], "no module"]
        self.offset = nn.Parameter((3,), nn.init.constant(2.0))
        self.named = {"a": Scale(3), "b": np.tanh}
        self.empty = nn.Module()

    def __call__(self, x, power=1):
        x = self.layers[1][0](self.first(x))
        return self.named["a"](self.layers[1][1](self.layers[0](x)))**power + self.offset

    def halve(self, x):
        return self.first(x) / 2


X = np.arange(3.0)


def test_init_and_apply():
    net = Net()
    variables = net.init(1)
    params, state = variables["params"], variables["state"]
    assert {tree.path_name(path): leaf.shape for path, leaf in
            tree.flatten_with_paths(params)[0]} == {
        "first.factor": (3,), "layers.0.factor": (3,), "layers.1.1.factor": (3,),
        "named.a.factor": (3,), "offset": (3,)}
    assert tree.map(np.shape, state) == {"layers": {1: {0: {"count": (), "total": (3,)}}}}
    assert net.num_parameters == 15
    assert all(leaf.dtype == np.float32 for leaf in tree.leaves(variables))

    y, new = net.apply(params, state, X)
    product = (params["first"]["factor"] * params["layers"][0]["factor"]
               * params["layers"][1][1]["factor"] * params["named"]["a"]["factor"])
    np.testing.assert_allclose(y, X * product + 2, rtol=1e-6)
    assert tree.structure(new) == tree.structure(state)
    assert new["layers"][1][0]["count"] == 0
    np.testing.assert_allclose(net.apply(params, state, X, power=2)[0],
                               (X * product)**2 + 2, rtol=1e-6)
    np.testing.assert_allclose(net.apply(params, state, X, method="halve")[0],
                               X * params["first"]["factor"] / 2)


def test_state_changes_in_training_only_and_in_a_copy():
    net = Net()
    variables = net.init(1, np.float64)
    params, state = variables["params"], variables["state"]
    before = copy.deepcopy(state)
    _, once = net.apply(params, state, X, train=True)
    _, twice = net.apply(params, once, X, train=True)
    counters = [s["layers"][1][0] for s in (once, twice)]
    assert [c["count"] for c in counters] == [1, 2]
    np.testing.assert_array_equal(counters[1]["total"], 2 * X * params["first"]["factor"])
    tree.map(np.testing.assert_array_equal, state, before)


def test_seeds():
    one, two, other = (Net().init(seed)["params"] for seed in (1, 1, 2))
    tree.map(np.testing.assert_array_equal, one, two)
    assert (one["first"]["factor"] != other["first"]["factor"]).all()
    assert (one["first"]["factor"] != one["layers"][0]["factor"]).all()
    wide = Net().init(1, np.float64)["params"]
    tree.map(lambda a, b: np.testing.assert_array_equal(a, b.astype(np.float32)), one, wide)


def test_shared_modules_have_one_set_of_parameters():
    class Twice(nn.Module):
        def __init__(self):
            self.a = Scale(3)
            self.b = [self.a, self.a]
            self.counter = Counter(3)

        def __call__(self, x):
            return self.counter(self.b[0](self.counter(self.a(x))))

    net = Twice()
    variables = net.init(0, np.float64)
    assert list(variables["params"]) == ["a"]
    assert net.num_parameters == 3
    y, state = net.apply(variables["params"], variables["state"], X, train=True)
    factor = variables["params"]["a"]["factor"]
    np.testing.assert_array_equal(y, X * factor * factor)
    assert state["counter"]["count"] == 2
    np.testing.assert_array_equal(state["counter"]["total"], X * factor + X * factor * factor)


def test_module_without_parameters():
    class Square(nn.Module):
        def __call__(self, x):
            return x * x

    assert Square().init(0) == {"params": {}, "state": {}}
    assert Square().apply({}, {}, 3) == (9, {})


def test_concurrent_calls_do_not_mix():
    net = Net()
    variables = [net.init(seed, np.float64) for seed in range(4)]
    expected = [net.apply(v["params"], v["state"], X)[0] for v in variables]
    wrong = []

    def work(i):
        for _ in range(200):
            y, _ = net.apply(variables[i]["params"], variables[i]["state"], X)
            if not (y == expected[i]).all():
                wrong.append(i)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_apply_within_apply():
    outer, inner = Net(), Net()
    variables = outer.init(0, np.float64)
    expected = inner.apply(variables["params"], variables["state"], X)[0]

    class Nested(nn.Module):
        def __init__(self):
            self.scale = Scale(3)

        def __call__(self, x):
            y, _ = inner.apply(variables["params"], variables["state"], x)
            return y + 0 * self.scale(x)

    nested = Nested()
    np.testing.assert_array_equal(nested.apply(nested.init(0)["params"], {}, X)[0], expected)


def test_copies_are_independent():
    net = Net()
    other = copy.deepcopy(net)
    other.first = Scale(4)
    assert (net.num_parameters, other.num_parameters) == (15, 16)


def damaged(path, value=None):
    variables = Net().init(0)
    node = variables
    for key in path[:-1]:
        node = node[key]
    if value is None:
        del node[path[-1]]
    else:
        node[path[-1]] = value
    return variables


@pytest.mark.parametrize("variables, message", [
    (damaged(["params", "offset"]), r"expects 'offset' in 'params', but got \(first, layers"),
    (damaged(["params", "layers", 1]), r"expects '1' in 'params.layers', but got \(0\)"),
    (damaged(["params", "extra"], X), r"expects \(offset, first, layers, named\) in 'params', "
                                      "but got 'extra'"),
    (damaged(["params", "named", "b"], {}), r"expects \(a\) in 'params.named', but got 'b'"),
    (damaged(["params", "first", "factor"], np.ones(4)),
     r"expects an array of shape \[3\] at 'params.first.factor', but got shape \[4\]"),
    (damaged(["params", "first", "factor"], 1.0),
     r"expects an array of shape \[3\] at 'params.first.factor', but got float"),
    (damaged(["params", "first"], X), "expects a dict at 'params.first', but got ndarray"),
    (damaged(["state", "layers", 1, 0, "count"]),
     r"expects 'count' in 'state.layers.1.0', but got \(total\)"),
])
def test_errors_name_the_path(variables, message):
    with pytest.raises(ValueError, match=message):
        Net().apply(variables["params"], variables["state"], X)


def test_errors_of_use():
    scale = Scale(3)
    with pytest.raises(RuntimeError, match="expects Scale to be called by apply"):
        scale(X)
    with pytest.raises(RuntimeError, match="expects Scale to be called by apply"):
        scale.training

    class Hidden(nn.Module):
        def __call__(self, x):
            return Scale(3)(x)

    with pytest.raises(RuntimeError, match="expects Scale to be an attribute"):
        Hidden().apply({}, {}, X)
    with pytest.raises(RuntimeError, match="expects Scale to be called by apply"):
        scale(X)  # An error ends the call of apply.

    class Assigns(Scale):
        def __call__(self, x):
            self.factor = x

    net = Assigns(3)
    with pytest.raises(AttributeError, match="'factor' of Assigns was declared"):
        net.apply(net.init(0)["params"], {}, X)

    class Updates(Scale):
        def __call__(self, x):
            self.update("factor", lambda old: old)

    net = Updates(3)
    with pytest.raises(AttributeError, match="Updates expects a declared state, but got 'factor'"):
        net.apply(net.init(0)["params"], {}, X)
    with pytest.raises(AttributeError, match="Scale has no attribute 'other'"):
        scale.other
    with pytest.raises(NotImplementedError, match="Module expects a method __call__"):
        nn.Module().apply({}, {})
