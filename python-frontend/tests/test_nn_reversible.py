# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Couplings and loops over blocks: against PyTorch, against separate blocks, by inversion
and by storing; running statistics, random numbers, memory."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import memrev
import slow
from memrev import lax, nn, tree
from torch_check import assert_trees_close, check, evaluate, perturbed, random


class Branch(nn.Module):
    """Normalisation, tanh, convolution."""

    def __init__(self, features, outputs=None, norm=nn.BatchNorm, dropout=0.0):
        self.norm = norm(features)
        self.conv = nn.Conv2d(features, outputs or features, 3, padding=1)
        self.dropout = nn.Dropout(dropout)

    def __call__(self, x):
        return self.dropout(self.conv(np.tanh(self.norm(x))))


def torch_branch(p, x):
    x = x.movedim(-1, 1)
    x = F.batch_norm(x, None, None, p["norm"]["scale"], p["norm"]["offset"], True).tanh()
    x = F.conv2d(x, p["conv"]["weight"].permute(3, 2, 0, 1), p["conv"]["bias"], padding=1)
    return x.movedim(1, -1)


SCALES = {
    "affine<exp>": torch.exp,
    "affine<sigmoid>": lambda a: torch.sigmoid(a + 2),
    "affine<identity>": lambda a: a,
    "affine<soft_tanh, alpha = 1.9 : f64>": lambda a: torch.exp(1.9 * torch.tanh(a / 1.9)),
}


def torch_couple(kind, x, function, p, given):
    parameters = function(p, given)
    if kind == "additive":
        return x + parameters
    a, t = parameters.chunk(2, -1)
    return x * SCALES[kind](a) + t


def torch_coupling(kind="additive", function=torch_branch):
    def reference(p, x):
        x1, x2 = x.chunk(2, -1)
        y1 = torch_couple(kind, x1, function, p["f"], x2)
        return torch.cat([y1, torch_couple(kind, x2, function, p["g"], y1)], -1)

    return reference


@pytest.mark.parametrize("kind", ["additive", *SCALES])
def test_coupling_of_an_array(kind):
    outputs = 3 if kind == "additive" else 6
    model = nn.Coupling(Branch(3, outputs), Branch(3, outputs), kind=kind)
    check(model, torch_coupling(kind), random(1, 2, 4, 5, 6), train=True, tolerance=1e-11)


def test_coupling_of_a_tuple_and_of_another_axis():
    class Halves(nn.Module):
        def __init__(self):
            self.inner = nn.Coupling(Branch(3), Branch(3))

        def __call__(self, x1, x2):
            return self.inner((x1, x2))

    def reference(p, x1, x2):
        return torch_coupling()(p["inner"], torch.cat([x1, x2], -1)).chunk(2, -1)

    check(Halves(), reference, random(1, 2, 4, 5, 3), random(2, 2, 4, 5, 3), train=True)

    def rows(p, x):
        x1, x2 = x.chunk(2, 1)
        y1 = x1 + torch_branch(p["f"], x2)
        return torch.cat([y1, x2 + torch_branch(p["g"], y1)], 1)

    check(nn.Coupling(Branch(3), Branch(3), axis=1), rows, random(1, 2, 4, 5, 3), train=True)


def test_coupling_of_one_half_and_with_two_results():
    class Pair(nn.Module):
        def __init__(self):
            self.shift = Branch(3)

        def __call__(self, x):
            return 0.5 * x, self.shift(x)

    def reference(p, x):
        x1, x2 = x.chunk(2, -1)
        return torch.cat([x1 * torch.exp(0.5 * x2) + torch_branch(p["f"]["shift"], x2), x2], -1)

    check(nn.Coupling(Pair(), kind="affine<exp>"), reference, random(1, 2, 4, 5, 6), train=True)


# ------------------------------------------------------------------------------
# Running statistics
# ------------------------------------------------------------------------------


def coupled_statistics(params, state, x):
    """Running statistics of a coupling after one forward pass in PyTorch."""
    running = tree.map(torch.tensor, state)

    def branch(name, x):
        p, s = tree.map(torch.tensor, params[name]), running[name]["norm"]
        F.batch_norm(x.movedim(-1, 1), s["mean"], s["variance"], None, None, True)
        return torch_branch(p, x)

    x1, x2 = torch.tensor(x).chunk(2, -1)
    y1 = x1 + branch("f", x2)
    y2 = x2 + branch("g", y1)
    return tree.map(lambda t: t.numpy(), running), torch.cat([y1, y2], -1).numpy()


@pytest.mark.parametrize("policy", ["invert", "store"])
def test_running_statistics_are_updated_once(policy):
    model = nn.Coupling(Branch(3), Branch(3))
    variables = perturbed(model.init(0, np.float64))
    params, state = variables["params"], variables["state"]
    x = random(1, 2, 4, 5, 6)
    _, _, _, found = evaluate(lambda p, x: model.apply(p, state, x, train=True), params, [x],
                              np.ones_like(x), policy)
    assert_trees_close(found, coupled_statistics(params, state, x)[0], 1e-13)


def test_running_statistics_of_loops():
    model = nn.Repeat(nn.Coupling(Branch(3), Branch(3)), 4)
    variables = perturbed(model.init(0, np.float64))
    params, state = variables["params"], variables["state"]
    x = random(1, 2, 4, 5, 6)
    _, _, _, found = evaluate(lambda p, x: model.apply(p, state, x, train=True), params, [x],
                              np.ones_like(x))
    expected = []
    for i in range(4):
        one, x = coupled_statistics(*(tree.map(lambda a: a[i], t["block"])
                                      for t in (params, state)), x)
        expected.append(one)
    assert_trees_close(found, {"block": tree.map(lambda *a: np.stack(a), *expected)}, 1e-12)


def test_a_norm_that_is_called_twice_is_updated_twice():
    class Twice(nn.Module):
        def __init__(self):
            self.norm = nn.BatchNorm(3)
            self.inner = nn.Coupling(self.norm, self.norm)

        def __call__(self, x):
            return self.inner(x)

    model = Twice()
    variables = model.init(0, np.float64)
    x = random(1, 8, 6)
    y, state = memrev.jit(lambda x: model.apply(variables["params"], variables["state"], x,
                                                train=True))(x)
    running = np.zeros(3)
    for half in (x[:, 3:], y[:, :3]):
        running = 0.9 * running + 0.1 * half.mean(axis=0)
    assert_trees_close(state["norm"]["mean"], running, 1e-14)


# ------------------------------------------------------------------------------
# Loops
# ------------------------------------------------------------------------------


class Swap(nn.Module):
    """(x1, x2) to (x2, x1 + F(x2)): halves change places in each iteration."""

    def __init__(self, f):
        self.f = f

    def __call__(self, x):
        return x[1], nn.couple(self.f, x[0], x[1])


class Residual(nn.Module):
    def __init__(self, f):
        self.f = f

    def __call__(self, x):
        return x + self.f(x)


BLOCKS = {
    "reversible": lambda: nn.Coupling(Branch(3), Branch(3)),
    "affine": lambda: nn.Coupling(Branch(3, 6), Branch(3, 6), kind="affine<sigmoid>"),
    "permuted": lambda: Swap(Branch(3)),
    "residual": lambda: Residual(Branch(3)),
    "nested": lambda: nn.Sequential(nn.Repeat(nn.Coupling(Branch(3), Branch(3)), 2),
                                    nn.Coupling(Branch(3), Branch(3))),
    "inside": lambda: nn.Coupling(nn.Repeat(Branch(3), 2), Branch(3)),
    "dropout": lambda: nn.Coupling(Branch(3, dropout=0.4), Branch(3, dropout=0.4)),
}


def both_forms(name, count, x, train=True, policy="invert"):
    """Results, gradients and states of a loop of `count` blocks, and of the blocks one
    after the other."""
    looped = nn.Repeat(BLOCKS[name](), count)
    separate = nn.Sequential(*[BLOCKS[name]() for _ in range(count)])
    cotangents = tree.map(lambda a: random(9, *a.shape), x)
    results = []
    for model in (looped, separate):
        variables = perturbed(model.init(3, np.float64))
        if model is looped:
            stacked = variables
        else:
            variables = tree.map(lambda a: a, {
                kind: {"layers": {i: tree.map(lambda a: a[i], stacked[kind]["block"])
                                  for i in range(count)}} if stacked[kind] else {}
                for kind in stacked})
        leaves, structure = tree.flatten(x)
        y, by_params, by_inputs, state = evaluate(
            lambda p, *leaves: model.apply(
                p, variables["state"], tree.unflatten(structure, leaves), train=train,
                rng=(5, 7)),
            variables["params"], leaves, cotangents, policy)
        if model is separate:
            by_params, state = ({"block": tree.map(lambda *a: np.stack(a), *t["layers"].values())}
                                for t in (by_params, state))
        results.append({"results": y, "parameters": by_params, "inputs": by_inputs,
                        "state": state})
    return results


@pytest.mark.parametrize("count", slow.but([1, 4], [1, 3, 4]))
@pytest.mark.parametrize("name", [name for name in BLOCKS if name != "dropout"])
def test_loop_equals_separate_blocks(name, count):
    x = random(1, 2, 4, 5, 3), random(2, 2, 4, 5, 3)
    looped, separate = both_forms(name, count, x[0] if name == "residual" else x)
    for what in looped:
        assert_trees_close(looped[what], separate[what], 1e-11, what)


def test_loop_in_evaluation():
    x = random(1, 2, 4, 5, 3), random(2, 2, 4, 5, 3)
    looped, separate = both_forms("nested", 3, x, train=False)
    for what in looped:
        assert_trees_close(looped[what], separate[what], 1e-11, what)


def test_init_of_a_loop_is_that_of_separate_blocks():
    looped = nn.Repeat(BLOCKS["nested"](), 3).init(7)
    separate = nn.Sequential(*[BLOCKS["nested"]() for _ in range(3)]).init(7)
    for kind in ("params", "state"):
        stacked = tree.map(lambda *a: np.stack(a), *separate[kind]["layers"].values())
        assert_trees_close(looped[kind], {"block": stacked}, 0)
    weight = looped["params"]["block"]["layers"][1]["f"]["conv"]["weight"]
    assert weight.shape == (3, 3, 3, 3, 3) and (weight[0] != weight[1]).all()


def test_text_names_parameters():
    model = nn.Repeat(nn.Coupling(Branch(3), Branch(3)), 4)
    variables = model.init(0)
    text = memrev.jit(lambda params, state, x: model.apply(params, state, x, train=True)).mlir(
        variables["params"], variables["state"], np.zeros((2, 4, 4, 6), np.float32))
    assert "%params_block_f_conv_weight: tensor<4x3x3x3x3xf32>" in text
    assert ("%f_conv_weight = tensor.extract_slice %params_block_f_conv_weight[%i, 0, 0, 0, 0]"
            in text)
    assert text.count("scf.for") == 1 and text.count("rev.coupling") == 2


@pytest.mark.parametrize("name", BLOCKS)
def test_inversion_equals_storing(name):
    """Dropout's masks are the same in the forward pass, its inverse and its derivative."""
    x = random(1, 2, 4, 5, 3), random(2, 2, 4, 5, 3)
    x = x[0] if name == "residual" else x
    inverted, stored = (both_forms(name, 4, x, policy=p)[0] for p in ("invert", "store"))
    # The rounding error of an affine chain grows with its gain.
    for what in inverted:
        assert_trees_close(inverted[what], stored[what], 1e-10 if name == "affine" else 1e-12,
                           what)


def test_iterations_drop_other_elements():
    class Record(nn.Module):
        def __init__(self):
            self.drop = nn.Dropout(0.5)
            self.seen = nn.State((2, 4096), nn.init.zeros)

        def __call__(self, x):
            ones = 0 * x + 1
            self.update("seen", lambda old, a, b: np.stack([a, b]), self.drop(ones),
                        self.drop(ones))
            return x

    class Model(nn.Module):
        def __init__(self):
            self.before = Record()
            self.loop = nn.Repeat(nn.Sequential(Record(), nn.Repeat(Record(), 3)), 2)
            self.after = Record()

        def __call__(self, x):
            return self.after(self.loop(self.before(x)))

    model = Model()
    variables = model.init(0)

    @memrev.jit
    def run(state, x, seed, step):
        return model.apply(variables["params"], state, x, train=True, rng=(seed, step))[1]

    state = run(variables["state"], np.ones(4096, np.float32), np.int64(3), np.int64(4))
    masks = np.concatenate([leaf.reshape(-1, 4096) for leaf in tree.leaves(state)]) == 0
    assert len(masks) == 2 * (1 + 2 * (1 + 3) + 1)
    for i in range(len(masks)):
        for j in range(i):
            # Of 4096 elements half are equal, within five standard deviations.
            assert abs((masks[i] != masks[j]).mean() - 0.5) < 5 * 0.5 / 64, (i, j)


def report(block, count, policy="invert"):
    model = nn.Repeat(block, count)
    variables = model.init(0)

    def loss(params, x):
        y, state = model.apply(params, variables["state"], x, train=True, rng=(1, 2))
        return sum((leaf * leaf).sum() for leaf in tree.leaves(y)), state

    step = memrev.jit(memrev.value_and_grad(loss, has_aux=True, policy=policy))
    x = memrev.ShapeDtype((2, 8, 8, 3))
    found = step.memory_report(variables["params"], (x, x))
    return found["workspace_bytes"]


@pytest.mark.parametrize("name", ["reversible", "affine", "permuted", "nested", "dropout"])
def test_memory_does_not_depend_on_the_count(name):
    block = BLOCKS[name]()
    shallow, deep = report(block, 4), report(block, 40)
    states = 36 * sum(leaf.nbytes for leaf in tree.leaves(block.init(0)["state"]))
    # Running statistics are carried by the loop.
    assert shallow <= deep <= shallow + 2 * states
    assert report(block, 40, "store") > 4 * deep


# ------------------------------------------------------------------------------
# Errors
# ------------------------------------------------------------------------------


class Outer(nn.Module):
    """Calls `first`, then a Repeat of a module that calls it again."""

    def __init__(self, first, calls_inside=True, calls_outside=True):
        class Inner(nn.Module):
            def __init__(self):
                self.own = nn.Linear(3, 3)
                self.shared = first

            def __call__(self, x):
                return self.shared(self.own(x)) if calls_inside else self.own(x)

        self.calls_outside = calls_outside
        if calls_outside != "first inside":
            self.first = first
        self.loop = nn.Repeat(Inner(), 2)
        self.last = first

    def __call__(self, x):
        x = self.loop(x)
        return self.last(x) if self.calls_outside else x


def run(model, *xs, train=True):
    variables = model.init(0)
    return memrev.jit(lambda *xs: model.apply(variables["params"], variables["state"], *xs,
                                              train=train))(*xs)


X = np.ones((4, 3), np.float32)


def test_a_layer_shared_by_iterations_and_the_outside():
    model = Outer(nn.Linear(3, 3))
    params = model.init(0)["params"]
    assert params["first"]["weight"].shape == (3, 3)
    assert list(params["loop"]["block"]) == ["own"]
    expected = X
    for i in range(2):
        own = params["loop"]["block"]["own"]
        expected = expected @ own["weight"][i] + own["bias"][i]
        expected = expected @ params["first"]["weight"] + params["first"]["bias"]
    expected = expected @ params["first"]["weight"] + params["first"]["bias"]
    assert_trees_close(run(model, X)[0], expected, 1e-5)


def test_errors_of_loops():
    with pytest.raises(ValueError, match="Repeat expects a count of at least 1, but got 0"):
        nn.Repeat(nn.Linear(3, 3), 0)
    with pytest.raises(RuntimeError, match="expects Linear to be an attribute.* in the loop"):
        run(Outer(nn.Linear(3, 3), calls_outside="first inside"), X)
    with pytest.raises(RuntimeError, match="expects the state 'mean' of BatchNorm, which changes "
                                           "in each iteration"):
        run(Outer(nn.BatchNorm(3)), X)
    block = nn.Linear(3, 3)
    with pytest.raises(RuntimeError, match="expects a block that is in no module before the "
                                           "Repeat, but got Linear"):
        run(nn.Sequential(block, nn.Repeat(block, 2)), X)
    with pytest.raises(ValueError, match=r"expects its function to return float32\[4, 3\] at "
                                         r"'0', but got float32\[4, 2\]"):
        run(nn.Repeat(nn.Linear(3, 2), 2), X)
    norms = nn.Repeat(nn.BatchNorm(3), 2)

    class Twice(nn.Module):
        def __init__(self):
            self.norms = norms

        def __call__(self, x):
            return self.norms(self.norms(x))

    with pytest.raises(RuntimeError, match="expects a Repeat with states to be called once in a "
                                           "coupling"):
        run(nn.Coupling(Twice()), np.ones((4, 6), np.float32))


def test_errors_of_couplings():
    with pytest.raises(ValueError, match=r"Coupling expects an even extent of dimension -1, but "
                                         r"got shape \[4, 3\]"):
        run(nn.Coupling(np.tanh), X)
    with pytest.raises(ValueError, match="Coupling expects two halves, but got 3"):
        run(nn.Coupling(np.tanh), (X, X, X))
    with pytest.raises(ValueError, match="a coupling of .* expects a function that returns arrays "
                                         "like it"):
        run(nn.Coupling(nn.Linear(3, 2)), (X, X + 1))


def test_couple_outside_of_modules():
    x, w = random(0, 4, 3), random(1, 3, 3)
    y = memrev.jit(lambda x, z, w: nn.couple(lambda c: lax.relu(c @ w), x, z))(x, x + 1, w)
    assert_trees_close(y, x + np.maximum((x + 1) @ w, 0), 1e-14)
