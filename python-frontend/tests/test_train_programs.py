# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The compiled programs of training: the step, its parts, the evaluation."""

import numpy as np
import pytest

import tiny_network
from memrev import models, nn, optim, tree
from memrev.train.programs import CompiledPrograms, make_optimizer
from memrev.train.settings import Settings

RATE = 0.01


@pytest.fixture(scope="module")
def programs():
    settings = Settings("tiny", "cifar10", momentum=0.8, weight_decay=0.05)
    return CompiledPrograms(tiny_network.tiny(), make_optimizer(settings))


@pytest.fixture(scope="module")
def batch():
    rng = np.random.default_rng(0)
    return rng.normal(0, 60, (12, 32, 32, 3)), rng.integers(0, 10, 12).astype(np.int32)


def copies(*trees):
    return tree.map(np.copy, trees)


def assert_close(found, expected):
    assert tree.structure(found) == tree.structure(expected)
    for x, y in zip(tree.leaves(found), tree.leaves(expected)):
        np.testing.assert_allclose(x, y, rtol=1e-10, atol=1e-12)


def cross_entropy(logits, labels):
    shifted = logits - logits.max(1, keepdims=True)
    return np.log(np.exp(shifted).sum(1)) - shifted[np.arange(len(labels)), labels]


def test_steps(programs, batch):
    """Two steps are those of SGD with momentum and decay, by the gradients program."""
    at = programs.variables(0, np.float64)
    params, state = copies(at.params, at.state)
    velocity = tree.map(np.zeros_like, params)
    for i in range(2):
        grads, state, expected_loss, expected_logits = programs.gradients(params, state, *batch, i)
        velocity = tree.map(lambda v, g, p: 0.8 * v + g + 0.05 * p, velocity, grads, params)
        params = tree.map(lambda p, v: p - RATE * v, params, velocity)
        at.params, at.state, at.opt_state, loss, logits = programs.step(
            at.params, at.state, at.opt_state, *batch, RATE, i)
        assert_close((loss, logits), (expected_loss, expected_logits))
        assert loss == pytest.approx(cross_entropy(logits, batch[1]).mean(), rel=1e-12)
    assert_close((at.params, at.state, at.opt_state["velocity"]), (params, state, velocity))


def test_update(programs):
    at = programs.variables(0, np.float64)
    rng = np.random.default_rng(1)
    grads = tree.map(lambda p: rng.standard_normal(p.shape), at.params)
    before, = copies(at.params)
    params, opt_state = programs.update(at.params, at.opt_state, grads, RATE)
    expected = tree.map(lambda p, g: p - RATE * (g + 0.05 * p), before, grads)
    assert_close(params, expected)
    assert_close(opt_state["velocity"], tree.map(lambda p, g: g + 0.05 * p, before, grads))


def test_gradients_by_differences(programs, batch):
    at = programs.variables(0, np.float64)
    grads, *_ = programs.gradients(at.params, at.state, *batch, 0)
    rng = np.random.default_rng(2)
    direction = tree.map(lambda p: rng.standard_normal(p.shape), at.params)

    def loss(size):
        moved = tree.map(lambda p, d: p + size * d, at.params, direction)
        return programs.gradients(moved, at.state, *batch, 0)[2]

    slope = sum((g * d).sum() for g, d in zip(tree.leaves(grads), tree.leaves(direction)))
    # A ReLU whose argument changes its sign on the way is an error in proportion to it.
    assert (loss(1e-7) - loss(-1e-7)) / 2e-7 == pytest.approx(slope, rel=1e-5)


def test_evaluation_uses_running_statistics(programs, batch):
    """The result for an image does not depend on the others; the loss is a sum."""
    at = programs.variables(0, np.float64)
    state = tree.map(lambda s: s + 0.5, at.state)
    images, labels = batch
    loss, logits = programs.evaluate(at.params, state, images, labels)
    assert loss == pytest.approx(cross_entropy(logits, labels).sum(), rel=1e-12)
    one, first = programs.evaluate(at.params, state, images[:1], labels[:1])
    np.testing.assert_allclose(first, logits[:1], rtol=1e-10)
    assert one == pytest.approx(cross_entropy(first, labels[:1])[0], rel=1e-12)


def test_random_layers_are_a_function_of_seed_and_draw(batch):
    settings = Settings("tiny", "cifar10")

    def loss(seed, draw, name="gradients"):
        model = nn.Sequential(nn.AvgPool(16), nn.Flatten(), nn.Dropout(0.5), nn.Linear(12, 10))
        programs = CompiledPrograms(model, make_optimizer(settings), seed)
        at = programs.variables(0, np.float64)
        if name == "step":
            return programs.step(at.params, at.state, at.opt_state, *batch, RATE, draw)[3]
        return programs.gradients(at.params, at.state, *batch, draw)[2]

    largest = 2**64 - 1
    cases = [(0, 0), (0, 1), (1, 0), (1, 1), (largest, 0)]
    losses = [float(loss(*case)) for case in cases]
    assert len(set(losses)) == len(cases)
    assert losses == [loss(*case, "step") for case in cases]


def test_planned_bytes(programs, batch):
    """A step works in place: beside its arguments it takes less than all that it gives."""
    at = programs.variables(0, np.float32)
    images = batch[0].astype(np.float32)
    report = programs.jitted["step"].memory_report(
        *programs.arguments("step", at, images, batch[1]))
    assert report["result_bytes"] == 4 + 12 * 10 * 4
    assert (programs.added_bytes("step", at, (images, batch[1]))
            == report["workspace_bytes"] + report["result_bytes"])
    parameters = sum(p.nbytes for p in tree.leaves(at.params))
    report = programs.jitted["gradients"].memory_report(
        *programs.arguments("gradients", at, images, batch[1]))
    assert report["result_bytes"] > parameters


@pytest.mark.parametrize("factor", [1.7, 3])
def test_budget(factor):
    """A step stores what fits, and trains as without a budget."""
    model = models.RevNet(models.resnet.Basic, (6,), (8,), 10)
    optimizer = make_optimizer(Settings("tiny", "tiny", momentum=0.8, weight_decay=0.05))
    rng = np.random.default_rng(0)
    batch = rng.standard_normal((4, 16, 16, 3)), np.arange(4, dtype=np.int32)
    plain = CompiledPrograms(model, optimizer)
    at = plain.variables(0, np.float64)
    arguments = plain.arguments("step", at, *batch)
    fewest = plain.jitted["step"].memory_report(*arguments)["peak_bytes"]
    budget = int(factor * fewest)
    larger = CompiledPrograms(model, optimizer, memory_budget=budget)
    report = larger.jitted["step"].memory_report(*arguments)
    assert fewest < report["peak_bytes"] <= budget
    params, state, opt_state = copies(at.params, at.state, at.opt_state)
    expected = plain.step(params, state, opt_state, *batch, RATE, 0)
    assert_close(larger.step(at.params, at.state, at.opt_state, *batch, RATE, 0), expected)
