# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""ResNets and RevNets: parameter counts to the unit, a step of training and evaluation
beside PyTorch, memory."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import memrev
import slow
from memrev import models, nn, optim, tree
from memrev.models.resnet import Basic, Bottleneck
from torch_check import assert_trees_close, perturbed, random
from torch_resnets import Net

COUNTS = {
    "resnet32": (466_906, 472_756),
    "resnet110": (1_730_714, 1_736_564),
    "resnet164": (1_704_154, 1_727_284),
    "revnet38": (573_994, 584_164),
    "revnet110": (1_854_890, 1_866_500),
    "revnet164": (1_983_786, 2_029_956),
    "gomez_revnet38": (464_890, 475_060),
    "gomez_revnet110": (1_729_194, 1_740_804),
    "gomez_revnet164": (1_748_778, 1_794_948),
}


@pytest.mark.parametrize("loops", [True, False])
@pytest.mark.parametrize("name", COUNTS)
def test_counts(name, loops):
    for classes, count in zip((10, 100), COUNTS[name]):
        assert getattr(models, name)(classes, loops).num_parameters == count
    params = getattr(models, name)(10, loops).init(0)["params"]
    assert sum(leaf.size for leaf in tree.leaves(params)) == COUNTS[name][0]


def test_counts_for_imagenet():
    assert models.revnet56().num_parameters == 27_553_128
    assert models.revnet104().num_parameters == 45_428_072


def weights_of(params):
    """Pairs (path, array) of the weights of a network, those of loops taken apart."""
    for path, leaf in tree.flatten_with_paths(params)[0]:
        if path[-1] == "weight":
            stacked = leaf if "block" in path else leaf[None]
            yield from ((path, weight) for weight in stacked)


def deviations(name, truncated):
    """Compares the initial weights with He's deviation by the fan-out; the parameters."""
    params = getattr(models, name)().init(3, np.float64)["params"]
    for path, weight in weights_of(params):
        if path[0] == "head":
            continue
        height, width, _, outputs = weight.shape
        deviation = (2 / (height * width * outputs))**0.5
        # A normal distribution that is cut at two deviations has 0.88 of them.
        expected = deviation * (0.8796 if truncated else 1)
        assert abs(weight.std() / expected - 1) < 6 / (2 * weight.size)**0.5, path
        assert (np.abs(weight).max() <= 2 * deviation) == truncated, path
    return params


@pytest.mark.parametrize("name", ["resnet164", "revnet38"])
def test_initial_weights_of_memcnn(name):
    params = deviations(name, truncated=False)
    weight, bias = params["head"]["weight"], params["head"]["bias"]
    bound = weight.shape[0]**-0.5  # PyTorch's
    assert 0.99 * bound < np.abs(weight).max() <= bound
    assert 0 < np.abs(bias).max() <= bound


@pytest.mark.parametrize("name", ["gomez_revnet38", "gomez_revnet164"])
def test_initial_weights_of_gomez(name):
    params = deviations(name, truncated=True)
    weight = params["head"]["weight"]
    bound = (3 / weight.shape[0])**0.5
    assert 0.99 * bound < np.abs(weight).max() <= bound
    assert not params["head"]["bias"].any()


def training_step(model, optimizer, policy="invert", donate=()):
    @memrev.jit(donate=donate)
    def step(params, state, opt_state, images, labels):
        def loss_fn(params):
            logits, new_state = model.apply(params, state, images, train=True)
            return nn.cross_entropy(logits, labels).mean(), (logits, new_state)

        (loss, (logits, new_state)), grads = memrev.value_and_grad(
            loss_fn, has_aux=True, policy=policy)(params)
        params, opt_state = optimizer.update(grads, opt_state, params)
        return loss, logits, params, new_state, opt_state

    return step


def batch(count, size, classes, dtype=np.float64):
    labels = np.random.default_rng(1).integers(0, classes, count).astype(np.int32)
    return random(0, count, size, size, 3, dtype=dtype), labels


def compare_with_torch(model, memcnn, pool=False, size=32, classes=10):
    """A step of SGD in f64 and the evaluation after it: losses, logits, parameters and
    running statistics."""
    variables = perturbed(model.init(0, np.float64))
    params, state = variables["params"], variables["state"]
    images, labels = batch(2, size, classes)
    optimizer = optim.SGD(0.1, momentum=0.9, weight_decay=2e-4)
    loss, logits, new_params, new_state, _ = training_step(model, optimizer)(
        params, state, optimizer.init(params), images, labels)
    evaluated, same = memrev.jit(lambda p, s, x: model.apply(p, s, x))(
        new_params, new_state, images)
    assert_trees_close(same, new_state, 0)

    tensors = tree.map(lambda a: torch.tensor(a).requires_grad_(), params)
    statistics = tree.map(torch.tensor, state)
    sgd = torch.optim.SGD(tree.leaves(tensors), lr=0.1, momentum=0.9, weight_decay=2e-4)
    expected_logits = Net(memcnn)(tensors, statistics, torch.tensor(images), pool)
    expected = F.cross_entropy(expected_logits, torch.tensor(labels).long())
    expected.backward()
    sgd.step()
    with torch.no_grad():
        expected_evaluated = Net(memcnn, train=False)(tensors, statistics,
                                                      torch.tensor(images), pool)
    numpy = tree.map(lambda t: t.detach().numpy(),
                     (expected, expected_logits, tensors, statistics, expected_evaluated))
    for what, a, b in zip(("loss", "logits", "parameters", "state", "evaluation"),
                          (np.asarray(loss), logits, new_params, new_state, evaluated), numpy):
        assert_trees_close(a, b, 1e-10, what)


SMALL = {
    "resnet": lambda loops: models.ResNet(Basic, (2, 3), (4, 6), 5, loops),
    "resnet, bottlenecks": lambda loops: models.ResNet(Bottleneck, (2, 3), (2, 3), 5, loops),
    "revnet": lambda loops: models.RevNet(Basic, (3, 3), (4, 6), 5, loops),
    "revnet, bottlenecks": lambda loops: models.RevNet(Bottleneck, (2, 3), (4, 8), 5, loops),
    "gomez": lambda loops: models.GomezRevNet(False, (3, 3), (4, 4, 8), 5, loops=loops),
    "gomez, bottlenecks": lambda loops: models.GomezRevNet(
        True, (2, 3), (4, 8, 16), 5, loops=loops),
    "gomez, imagenet": lambda loops: models.GomezRevNet(
        True, (2, 2), (8, 16, 24), 5, imagenet=True, loops=loops),
}


@pytest.mark.parametrize("name, loops", slow.but(
    [(name, loops) for name in ("resnet", "revnet", "gomez") for loops in (True, False)],
    [(name, loops) for name in SMALL for loops in (True, False)
     if loops or name in ("resnet", "revnet", "gomez")]))
def test_step_of_a_small_network_equals_torch(name, loops):
    """All parts of the families. Stages of two units have a unit in no loop."""
    imagenet = name.endswith("imagenet")
    compare_with_torch(SMALL[name](loops), not name.startswith("gomez"), pool=imagenet,
                       size=17 if imagenet else 4, classes=5)


@pytest.mark.slow
@pytest.mark.parametrize("name", COUNTS)
def test_step_of_a_full_network_equals_torch(name):
    compare_with_torch(getattr(models, name)(), not name.startswith("gomez"))


DEEPER = {
    "revnet": lambda units: models.RevNet(Basic, (units, units), (4, 6)),
    "gomez": lambda units: models.GomezRevNet(False, (units, units), (4, 4, 8)),
}


@pytest.mark.parametrize("name", slow.but(("revnet",), DEEPER))
def test_memory_of_a_step_does_not_depend_on_depth(name):
    """Beyond the gradients of parameters the workspace of 20 units a stage is that of 4."""
    def workspace(units, policy="invert"):
        model, optimizer = DEEPER[name](units), optim.SGD(0.1, momentum=0.9)
        variables = model.init(0)
        params = variables["params"]
        report = training_step(model, optimizer, policy, donate=(0, 1, 2)).memory_report(
            params, variables["state"], optimizer.init(params),
            memrev.ShapeDtype((4, 16, 16, 3)), memrev.ShapeDtype((4,), np.int32))
        return report["workspace_bytes"] - sum(leaf.nbytes for leaf in tree.leaves(params))

    shallow, deep = workspace(4), workspace(20)
    assert deep <= shallow
    assert workspace(20, "store") > 10 * deep


@pytest.mark.slow
def test_step_for_imagenet():
    """RevNet-56 at 224x224: a step lowers the loss of its batch."""
    model, optimizer = models.revnet56(), optim.SGD(0.01)
    variables = model.init(0)
    params, state = variables["params"], variables["state"]
    opt_state = optimizer.init(params)
    step = training_step(model, optimizer, donate=(0, 1, 2))
    images, labels = batch(1, 224, 1000, np.float32)
    losses = []
    for _ in range(2):
        loss, _, params, state, opt_state = step(params, state, opt_state, images, labels)
        losses.append(float(loss))
    # Before the first step all classes are about as likely.
    assert 5 < losses[0] < 9 and losses[1] < losses[0] - 0.5


@pytest.mark.slow
@pytest.mark.parametrize("name", ["revnet56", "revnet104"])
def test_step_for_imagenet_equals_torch(name):
    compare_with_torch(getattr(models, name)(), memcnn=False, pool=True, size=64, classes=1000)
