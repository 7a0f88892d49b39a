# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Steps of training of the models, compiled for GPUs."""

import shutil

import numpy as np
import pytest
from emulator import INSIDE, on_emulator, runs_on_emulator
from memrev.models.resnet import Basic, Bottleneck

import memrev
from memrev import models, nn, optim, tree

test_on_emulator = runs_on_emulator(__file__, slow=True, MEMREV_SIMT_CHIP="sm_80")


def image_step(model):
    optimizer = optim.SGD(0.1, momentum=0.9, weight_decay=2e-4)

    def step(params, state, opt_state, images, labels):
        def loss_of(params):
            logits, new_state = model.apply(params, state, images, train=True)
            return nn.cross_entropy(logits, labels).mean(), (logits, new_state)

        (loss, (logits, new_state)), grads = memrev.value_and_grad(
            loss_of, has_aux=True)(params)
        params, opt_state = optimizer.update(grads, opt_state, params)
        return params, new_state, opt_state, loss, logits

    return step, optimizer


def image_arguments(model, count, size, dtype):
    """What the step of a model of images takes, and its optimizer's state."""
    variables = model.init(0, dtype)
    step, optimizer = image_step(model)
    rng = np.random.default_rng(0)
    images = rng.standard_normal((count, size, size, 3)).astype(dtype)
    labels = rng.integers(0, 5, count).astype(np.int32)
    params, state = variables["params"], variables["state"]
    return step, (params, state, optimizer.init(params), images, labels)


def language_arguments(model, count, context, dtype):
    optimizer = optim.AdamW(1e-3)
    params = model.init(0, dtype)["params"]
    tokens = np.random.default_rng(0).integers(0, 11, (count, context + 1)).astype(np.int32)

    def step(params, opt_state, tokens):
        def loss_of(params):
            logits, _ = model.apply(params, {}, tokens[:, :-1], train=True)
            return nn.cross_entropy(logits, tokens[:, 1:]).mean()

        loss, grads = memrev.value_and_grad(loss_of)(params)
        params, opt_state = optimizer.update(grads, opt_state, params)
        return params, opt_state, loss

    return step, (params, optimizer.init(params), tokens)


SMALL = {
    "resnet": lambda: image_arguments(
        models.ResNet(Bottleneck, (2, 3), (4, 6), 5), 2, 8, np.float64),
    "revnet": lambda: image_arguments(
        models.RevNet(Basic, (3, 3), (8, 16), 5), 2, 8, np.float64),
    "gomez": lambda: image_arguments(
        models.GomezRevNet(True, (2, 3), (8, 8, 16), 5), 2, 8, np.float64),
    "language": lambda: language_arguments(
        models.DynamicsLM(11, 9, 12, 3, 3), 2, 8, np.float64),
}


@on_emulator
@pytest.mark.parametrize("name", SMALL)
def test_step_equals_that_of_the_processor(name):
    """In f64, where the order of sums is below 1e-10 of the largest number."""
    step, arguments = SMALL[name]()
    expected = memrev.jit(step)(*arguments)
    found = memrev.jit(step, device="cuda")(*arguments)
    for a, b in zip(tree.leaves(found), tree.leaves(expected)):
        a, b = np.asarray(a.numpy(), np.float64), np.asarray(b, np.float64)
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-10 * max(1, np.abs(b).max()))


# The networks of MemCNN and the language model, as they are trained.
WHOLE = {
    **{name: lambda name=name: image_arguments(getattr(models, name)(), 100, 32, np.float32)
       for name in ("revnet38", "revnet110", "revnet164", "resnet32", "resnet110", "resnet164")},
    "language": lambda: language_arguments(
        models.DynamicsLM(256, 256, 192, 8, 6), 16, 256, np.float32),
}


# The process on the emulator would only compile the same once more.
@pytest.mark.skipif(INSIDE, reason="needs no emulator")
@pytest.mark.slow
@pytest.mark.parametrize("chip", ["sm_80", "sm_90"])
@pytest.mark.parametrize("name", WHOLE)
def test_whole_models_compile(name, chip):
    """As machine code where ptxas is there; every computation has a kernel of its own kind,
    and nothing is read back."""
    step, arguments = WHOLE[name]()
    text = memrev.jit(step).mlir(*arguments)
    has_assembler = shutil.which("ptxas") is not None
    module = memrev.compile(text, "cuda", chip=chip, fp32_precision="tf32",
                            kernel_format="cubin" if has_assembler else "ptx")
    assert [str(d) for d in module.diagnostics] == []
