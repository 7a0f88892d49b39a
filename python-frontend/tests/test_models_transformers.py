# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Reversible transformers and language models: counts, results and gradients against
PyTorch, dropout by inversion and by storing, memory, learning."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import memrev
import slow
from memrev import models, nn, optim, tree
from torch_check import assert_trees_close, check, evaluate, perturbed, random

HEADS = 3


def norm(p, x):
    return F.layer_norm(x, x.shape[-1:], p["scale"], p["offset"])


def linear(p, x):
    return x @ p["weight"] + p["bias"]


def attention(p, x, causal):
    def split(y):
        return y.reshape(*y.shape[:2], HEADS, -1).transpose(1, 2)

    h, p = norm(p["norm"], x), p["attention"]
    y = F.scaled_dot_product_attention(*(split(linear(p[n], h)) for n in
                                         ("query", "key", "value")), is_causal=causal)
    return linear(p["output"], y.transpose(1, 2).reshape(x.shape))


def mlp(p, x):
    return linear(p["down"], F.gelu(linear(p["up"], norm(p["norm"], x))))


def layers(stacked):
    """The parameters of a loop's iterations, one after the other."""
    count = len(tree.leaves(stacked)[0])
    return [tree.map(lambda a, i=i: a[i], stacked["block"]) for i in range(count)]


def rev_vit(p, images):
    x = F.conv2d(images.permute(0, 3, 1, 2), p["embed"]["weight"].permute(3, 2, 0, 1),
                 p["embed"]["bias"], stride=p["embed"]["weight"].shape[0])
    x1 = x2 = x.flatten(2).transpose(1, 2) + p["position"]
    for block in layers(p["blocks"]):
        x1 = x1 + attention(block["f"], x2, False)
        x2 = x2 + mlp(block["g"], x1)
    return linear(p["head"], norm(p["norm"], torch.cat([x1, x2], -1)).mean(1))


def embedded(p, tokens):
    return F.embedding(tokens, p["embed"]["weight"]) + p["position"][:tokens.shape[1]]


def reformer(p, tokens):
    x1 = x2 = embedded(p, tokens)
    for block in layers(p["blocks"]):
        x1 = x1 + attention(block["f"], x2, True)
        x2 = x2 + mlp(block["g"], x1)
    return norm(p["norm"], (x1 + x2) / 2) @ p["embed"]["weight"].T


def layer(p, x):
    change = attention(p["attention"], x, True)
    return change + mlp(p["mlp"], x + change)


def dynamics(form, h):
    def reference(p, tokens):
        x = embedded(p, tokens)
        steps = layers(p["steps"])
        if form == "hamiltonian":
            momentum, now = torch.zeros_like(x), x
            for block in steps:
                momentum = momentum + h * attention(block["f"]["function"], now, True)
                now = now + h * mlp(block["g"]["function"], momentum)
        elif form == "midpoint":
            before, now = x, x + h * layer(p["first"], x)
            for block in steps:
                before, now = now, before + 2 * h * layer(block["layer"], now)
        else:
            before, now = x, x + h**2 / 2 * layer(p["first"], x)
            for block in steps:
                before, now = now, 2 * now - before + h**2 * layer(block["layer"], now)
        return norm(p["norm"], now) @ p["embed"]["weight"].T

    return reference


TOKENS = np.random.default_rng(0).integers(0, 11, (2, 7)).astype(np.int32)
FORMS = ("midpoint", "leapfrog", "hamiltonian")


def test_counts():
    """From the paper's architecture; RevViT-B's published size is 87.3 million."""
    def rev_vit_count(d, depth, tokens, classes):
        block = 2 * 2 * d + 4 * (d * d + d) + 2 * 4 * d * d + 5 * d
        embed = 16 * 16 * 3 * d + d + tokens * d
        return embed + depth * block + 4 * d + 2 * d * classes + classes

    assert models.rev_vit_base().num_parameters == rev_vit_count(768, 12, 196, 1000) == 87_335_656
    assert models.rev_vit_small().num_parameters == rev_vit_count(384, 12, 196, 1000) == 22_434_664


def test_initial_weights():
    """Linear layers and positions of vision: normal distribution of deviation 0.02, cut at
    two of them; embeddings of text: uncut; biases zero."""
    sizes = 60, 2, HEADS
    for model in (models.RevViT(32, 4, *sizes, classes=60), models.Reformer(64, 64, *sizes),
                  models.DynamicsLM(64, 64, *sizes)):
        for path, leaf in tree.flatten_with_paths(model.init(0)["params"])[0]:
            if path[-1] == "bias":
                assert not leaf.any(), path
            elif path[-1] in ("weight", "position"):
                is_cut = isinstance(model, models.RevViT) or path[0] not in ("embed", "position")
                assert abs(leaf.std() / (0.0176 if is_cut else 0.02) - 1) < 0.1, path
                assert (np.abs(leaf).max() <= 0.04) == is_cut, path


@pytest.mark.parametrize("depth", [1, 3])
def test_rev_vit(depth):
    check(models.RevViT(12, 4, 12, depth, HEADS, 5, expansion=2), rev_vit,
          random(1, 2, 12, 12, 3), train=True)


def test_reformer():
    check(models.Reformer(11, 9, 12, 3, HEADS, expansion=2), reformer, TOKENS, train=True)


@pytest.mark.parametrize("form, depth", [
    ("midpoint", 2), ("midpoint", 5), ("midpoint", 6), ("leapfrog", 2), ("leapfrog", 5),
    ("hamiltonian", 3)])
def test_dynamics(form, depth):
    """Loops whose states swap run twice as far in an iteration, with a rest or without. The
    first step of two has no loop left.
    """
    # The recurrences of two states double the rounding error in each step.
    check(models.DynamicsLM(11, 9, 12, depth, HEADS, form, 0.5, expansion=2),
          dynamics(form, 0.5), TOKENS, train=True, tolerance=1e-11)


@pytest.mark.parametrize("make", [
    lambda rate: models.RevViT(12, 4, 12, 2, HEADS, 5, dropout=rate),
    lambda rate: models.Reformer(11, 9, 12, 2, HEADS, dropout=rate)])
def test_both_branches_drop(make):
    """Blocks whose branches drop all are the identity, in training."""
    x = np.stack([random(1, 2, 9, 12), random(2, 2, 9, 12)])

    def blocks(model, train, rng=(0, 0)):
        params = perturbed(model.init(0, np.float64))["params"]
        run = memrev.jit(lambda params, x: np.stack(model.apply(
            params, {}, (x[0], x[1]), train=train, rng=rng)[0]))
        return run(params, x)

    dropping = make(1.0).blocks
    np.testing.assert_array_equal(blocks(dropping, train=True), x)
    kept, expected = blocks(dropping, train=False), blocks(make(0.0).blocks, train=True)
    np.testing.assert_array_equal(kept, expected)
    assert (np.abs(kept - x).max((1, 2, 3)) > 0.1).all()


@pytest.mark.slow
def test_dropout_by_inversion_and_by_storing():
    model = models.RevViT(12, 4, 12, 3, HEADS, 5, expansion=2, dropout=0.3)
    params = perturbed(model.init(0, np.float64))["params"]
    x = random(1, 2, 12, 12, 3)

    def run(policy):
        return evaluate(lambda p, x: model.apply(p, {}, x, train=True, rng=(1, 2)), params, [x],
                        random(9, 2, 5), policy)

    inverted = run("invert")
    assert_trees_close(inverted, run("store"), 1e-12)
    evaluated = memrev.jit(lambda p, x: model.apply(p, {}, x)[0])(params, x)
    assert np.abs(inverted[0] - evaluated).max() > 0.01


def workspace(model, x, policy="invert"):
    params = model.init(0)["params"]
    step = memrev.jit(memrev.grad(lambda p, x: (model.apply(p, {}, x, train=True)[0]**2).sum(),
                                  policy=policy))
    return step.memory_report(params, x)["workspace_bytes"]


@pytest.mark.parametrize("make", [
    lambda depth: models.RevViT(12, 4, 12, depth, HEADS, 5),
    pytest.param(lambda depth: models.DynamicsLM(11, 9, 12, depth, HEADS),
                 marks=pytest.mark.slow),
], ids=("rev_vit", "midpoint"))
def test_memory_does_not_depend_on_depth(make):
    model = make(5)
    x = memrev.ShapeDtype((2, 12, 12, 3)) if isinstance(model, models.RevViT) else (
        memrev.ShapeDtype((2, 7), np.int32))
    shallow = workspace(model, x)
    assert workspace(make(25), x) == shallow
    assert workspace(make(25), x, "store") > 3 * shallow


@pytest.mark.parametrize("form", slow.but(("midpoint",), FORMS))
def test_a_language_model_learns(form):
    """Sentences that repeat: the loss falls from that of guessing to almost none."""
    model = models.DynamicsLM(11, 8, 24, 3, HEADS, form, 0.5, expansion=2)
    text = np.array([[1, 4, 2, 8, 5, 7, 0, 3, 9], [3, 3, 7, 9, 1, 0, 0, 8, 2]], np.int32)
    optimizer = optim.Adam(1e-2)

    @memrev.jit(donate=(0, 1))
    def step(params, opt_state, tokens):
        loss, grads = memrev.value_and_grad(lambda params: nn.cross_entropy(
            model.apply(params, {}, tokens[:, :-1], train=True)[0], tokens[:, 1:]).mean())(params)
        return (*optimizer.update(grads, opt_state, params), loss)

    params = model.init(0)["params"]
    opt_state, losses = optimizer.init(params), []
    for _ in range(60):
        params, opt_state, loss = step(params, opt_state, text)
        losses.append(float(loss))
    assert abs(losses[0] - math.log(11)) < 0.3 and losses[-1] < 0.1


@pytest.mark.parametrize("make, message", [
    (lambda: models.RevViT(30, 4, 12, 2, 3), "RevViT expects images of a multiple of 4 pixels, "
                                             "but got 30"),
    (lambda: models.DynamicsLM(9, 9, 12, 1, 3), "DynamicsLM expects at least two layers, but "
                                                "got 1"),
    (lambda: models.DynamicsLM(9, 9, 12, 2, 3, "euler"), "expects the form 'midpoint', "
                                                         "'leapfrog' or 'hamiltonian', but got "
                                                         "'euler'"),
])
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()
