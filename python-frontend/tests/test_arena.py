# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""How large the arenas of whole training steps are."""

import numpy as np
import pytest

import memrev
from memrev import ShapeDtype, models, optim
from memrev.models.resnet import Basic
from memrev.train.programs import CompiledPrograms
from test_models_cuda import language_arguments

RATE = optim.SGD(0.01, momentum=0.9, weight_decay=2e-4)


def image_report(model, batch, size=32):
    programs = CompiledPrograms(model, RATE)
    step, variables = programs.jitted["step"], programs.variables(0)
    text = step.mlir(*programs.arguments("step", variables, ShapeDtype((batch, size, size, 3)),
                                         ShapeDtype((batch,), np.int32)))
    return memrev.compile(text, until="bufferize").memory_report()[0]


def language_report(model, batch, length):
    step, arguments = language_arguments(model, batch, length, np.float32)
    text = memrev.jit(step).mlir(*arguments)
    return memrev.compile(text, until="bufferize").memory_report()[0]


STEPS = {
    "revnet38": lambda: image_report(models.revnet38(10), 100),
    "rev_vit": lambda: image_report(models.RevViT(32, 4, 192, 6, 3, 10), 32),
    "reformer": lambda: language_report(models.Reformer(256, 128, 256, 6, 4), 8, 128),
}


# In the order of differentiation the last two take 33.6 and 21.0 MiB.
MOST_MIB = {"revnet38": 60, "rev_vit": 26.1, "reformer": 17.1}


@pytest.mark.parametrize("name", STEPS)
def test_arenas_are_as_large_as_what_lives_at_once(name):
    report = STEPS[name]()
    alive = sum(buffer["bytes"] for buffer in report["at_peak"])
    assert alive <= report["workspace_bytes"] <= 1.05 * alive
    assert report["workspace_bytes"] <= MOST_MIB[name] * 2**20


def test_depth_costs_parameters_only():
    workspaces = {image_report(models.RevNet(Basic, (depth + 1,), (16,), 10), 8)["workspace_bytes"]
                  for depth in (10, 1000)}
    assert len(workspaces) == 1
