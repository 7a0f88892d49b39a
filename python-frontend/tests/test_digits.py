# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The digits network against PyTorch: gradients, steps, predictions; and how its
functions may be called."""

import concurrent.futures
import dataclasses

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

import memrev
import model
import numeric
import slow
import torch_revnet

ARCH = model.DIGITS
BATCH = 16
POPULATION = {"mean": 0.0, "variance": 1.0}


def data(dtype):
    digits = load_digits()
    images = (digits.images[:BATCH] / 16).astype(dtype)[..., np.newaxis]
    return images, digits.target[:BATCH].astype(np.int32)


def parameters(dtype, arch=ARCH, seed=0):
    """Parameters of the loop form in which no scale is 1 and no offset 0."""
    generator = np.random.default_rng(seed)
    return {name: (value + 0.1 * generator.standard_normal(value.shape)).astype(dtype)
            for name, value in model.initialize(arch, seed, np.float64).items()}


def in_form(arrays, unrolled, arch=ARCH):
    return torch_revnet.unstack(arrays, arch) if unrolled else arrays


class Gradients:
    """The compiled gradients of the network."""

    def __init__(self, dtype, unrolled, policy, arch=ARCH):
        element = {np.float32: "f32", np.float64: "f64"}[dtype]
        module = model.Module(arch, BATCH, element, unrolled, policy)
        self.program = memrev.compile(module.text("gradients"))
        self.names = [p.name for p in module.parameters]
        self.dtype, self.unrolled, self.arch = dtype, unrolled, arch

    def __call__(self, arrays):
        """(loss, logits, gradients by name of the loop or unrolled form)."""
        arrays = in_form(arrays, self.unrolled, self.arch)
        loss, logits, *values = self.program["gradients"](
            *data(self.dtype),
            *(np.ascontiguousarray(arrays[name]) for name in self.names))
        return float(loss), logits, dict(zip(self.names, values))


def expected(unrolled, arch=ARCH, seed=0):
    loss, logits, values = torch_revnet.loss_and_gradients(
        arch, *data(np.float64), parameters(np.float64, arch, seed))
    return loss, logits, in_form(values, unrolled, arch)


@pytest.mark.parametrize("unrolled", slow.but([False], [False, True]))
def test_float64(unrolled):
    arrays = parameters(np.float64)
    loss, logits, inverted = Gradients(np.float64, unrolled, "invert")(arrays)
    _, _, stored = Gradients(np.float64, unrolled, "store")(arrays)
    expected_loss, expected_logits, reference = expected(unrolled)
    assert loss == pytest.approx(expected_loss, rel=1e-12)
    np.testing.assert_allclose(logits, expected_logits, rtol=1e-10, atol=1e-12)
    print(f"invert - store {numeric.error(inverted, stored):.3g}, "
          f"invert - torch {numeric.error(inverted, reference):.3g}")
    assert numeric.error(inverted, stored) < 1e-12
    assert numeric.error(inverted, reference) < 1e-10
    assert numeric.worst(inverted, reference)[0] < 1e-10


def median_error(function):
    """The median error over seeds of f32 gradients against f64 ones.

    A ReLU whose input is within rounding of 0 may open in one precision and not
    in the other, which costs about 1e-2 in that gradient; PyTorch's f32 has that
    too. It happens for one seed of ten.
    """
    return float(np.median([
        numeric.error(function(parameters(np.float32, seed=seed)),
                      expected(False, seed=seed)[2]) for seed in range(5)]))


@pytest.mark.parametrize("policy", ["invert", "store"])
def test_float32(policy):
    function = Gradients(np.float32, False, policy)
    error = median_error(lambda arrays: function(arrays)[2])
    oracle = median_error(lambda arrays: torch_revnet.loss_and_gradients(
        ARCH, *data(np.float32), arrays)[2])
    print(f"memrev {error:.3g}, torch {oracle:.3g}")
    assert oracle < 2e-6
    # Inversion adds rounding errors of the 8 blocks on the way back.
    assert error < (2e-5 if policy == "invert" else 4e-6)


def test_differences():
    gradients = Gradients(np.float64, False, "invert")
    arrays = parameters(np.float64)
    found = gradients(arrays)[2]
    for seed in range(3):
        along = numeric.direction(arrays, seed)
        # So small a step crosses none of the kinks of 300,000 ReLUs, and leaves
        # the quotient 7 digits.
        measured = numeric.central_difference(
            lambda moved: gradients(moved)[0], arrays, along, step=1e-8)
        assert numeric.slope(found, along) == pytest.approx(measured, rel=1e-6)


def test_calls_are_pure():
    """Calls leave the arguments alone, share nothing between results, may run at
    once, and give the same bits whatever the number of threads."""
    module = model.Module(ARCH, BATCH)
    function = memrev.compile(module.text("gradients"))["gradients"]
    arrays = parameters(np.float32)
    arguments = [*data(np.float32), *(arrays[p.name] for p in module.parameters)]
    before = [a.copy() for a in arguments]
    expected = function(*arguments, threads=1)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        calls = [pool.submit(function, *arguments, threads=1 + i % 2)
                 for i in range(8)]
        results = [call.result() for call in calls]
    for a, b in zip(arguments, before):
        np.testing.assert_array_equal(a, b)
    for values in results:
        for value, wanted in zip(values, expected):
            np.testing.assert_array_equal(value, wanted)
    arrays = [np.asarray(v) for v in (*arguments, *expected)]
    for i, a in enumerate(arrays):
        assert not any(np.shares_memory(a, b) for b in arrays[:i])


def test_step():
    """Two steps of the optimizer against torch.optim.SGD."""
    optimizer = model.Optimizer(momentum=0.8, weight_decay=1e-2)
    module = model.Module(ARCH, BATCH, "f64", optimizer=optimizer)
    program = memrev.compile(module.text("step"))
    images, labels = data(np.float64)
    start = parameters(np.float64)
    values = [start[p.name].copy() for p in module.parameters]
    momenta = [np.zeros_like(v) for v in values]
    rates = (0.1, 0.05)

    tensors = torch_revnet.to_torch(start, requires_grad=True)
    decays = lambda p: p.kind in ("filter", "linear")
    sgd = torch.optim.SGD(
        [{"params": [tensors[p.name] for p in module.parameters if decays(p) == d],
          "weight_decay": optimizer.weight_decay if d else 0.0}
         for d in (True, False)], lr=1.0, momentum=optimizer.momentum)
    losses = []
    for rate in rates:
        loss, _, *news = program["step"](images, labels, np.float64(rate), *values,
                                         *momenta)
        values, momenta = news[:len(values)], news[len(values):]
        for group in sgd.param_groups:
            # torch folds the rate in after the momentum, as we do.
            group["lr"] = rate
        sgd.zero_grad()
        expected_loss = torch.nn.functional.cross_entropy(
            torch_revnet.RevNet(ARCH, tensors).forward(torch.tensor(images)),
            torch.tensor(labels).long())
        expected_loss.backward()
        sgd.step()
        losses.append((float(loss), expected_loss.item()))
    for found, wanted in losses:
        assert found == pytest.approx(wanted, rel=1e-10)
    for p, value in zip(module.parameters, values):
        np.testing.assert_allclose(value, tensors[p.name].detach().numpy(),
                                   rtol=1e-9, atol=1e-11, err_msg=p.name)


def test_observe_and_predict():
    module = model.Module(ARCH, BATCH, "f64")
    program = memrev.compile(module.text("observe", "predict"))
    images, _ = data(np.float64)
    arrays = parameters(np.float64)
    values = [arrays[p.name] for p in module.parameters]
    start = [np.full(s.shape, POPULATION[s.kind]) for s in module.statistics]
    found = program["observe"](images, np.float64(0.25), *values,
                               *(s.copy() for s in start))
    net = torch_revnet.RevNet(ARCH, torch_revnet.to_torch(arrays))
    net.forward(torch.tensor(images))
    population = {}
    for s, before, value in zip(module.statistics, start, found):
        seen = torch.stack(net.seen[s.name]).numpy().reshape(s.shape)
        np.testing.assert_allclose(value, before + 0.25 * (seen - before),
                                   rtol=1e-10, atol=1e-12, err_msg=s.name)
        population[s.name] = value
    logits = program["predict"](images, *values, *found)
    wanted = torch_revnet.RevNet(
        ARCH, torch_revnet.to_torch(arrays),
        torch_revnet.to_torch(population)).forward(torch.tensor(images))
    np.testing.assert_allclose(logits, wanted.numpy(), rtol=1e-10, atol=1e-12)


def test_another_architecture():
    """Nothing depends on the example's sizes."""
    arch = dataclasses.replace(ARCH, channels=(6, 10, 4), blocks=(1, 2, 3),
                               convolutions=1)
    _, _, found = Gradients(np.float64, False, "invert", arch)(
        parameters(np.float64, arch))
    assert numeric.error(found, expected(False, arch)[2]) < 1e-10
