# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Functions of PyTorch beside their compiled form: values and gradients."""

import numpy as np
import torch
from torch import nn

from memrev.torch._compiled import CompiledModule


class Case:
    """A function of tensors. Each case of a program has tensors of its own, so that its
    gradients are its own."""

    def __init__(self, name, function, *tensors, rtol=1e-11, atol=1e-12):
        self.name, self.function, self.tensors = name, function, tensors
        self.rtol, self.atol = rtol, atol


class Functions(nn.Module):
    """Several functions as one module, so that one program is compiled for all."""

    def __init__(self, cases):
        super().__init__()
        self._cases = cases

    def forward(self, *tensors):
        tensors = iter(tensors)
        return [case.function(*(next(tensors) for _ in case.tensors)) for case in self._cases]


def leaves(value):
    return list(value) if isinstance(value, (tuple, list)) else [value]


def numpy(tensor):
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy(force=True)


def assert_same(found, expected, case, what):
    assert found.shape == expected.shape, (case.name, what, found.shape, expected.shape)
    assert found.dtype == expected.dtype, (case.name, what, found.dtype, expected.dtype)
    np.testing.assert_allclose(numpy(found), numpy(expected), rtol=case.rtol, atol=case.atol,
                               err_msg=f"{what} of {case.name}")


def _evaluate(function, cases, cotangents=None):
    """Results of each case, and gradients of its tensors."""
    copies = [t.detach().clone(memory_format=torch.preserve_format).requires_grad_(
        t.requires_grad) for case in cases for t in case.tensors]
    results = [leaves(r) for r in function(*copies)]
    tracked = [t for r in results for t in r if t.requires_grad]
    if cotangents is None:
        generator = torch.Generator().manual_seed(7)
        cotangents = [torch.empty_like(t).uniform_(0.5, 1.5, generator=generator)
                      for t in tracked]
    assert len(tracked) == len(cotangents), "other results require a gradient"
    torch.autograd.backward(tracked, cotangents)
    return results, [t.grad for t in copies], cotangents


def check(*cases, policy="invert"):
    """Compares values and gradients of functions with PyTorch's. Returns the compiled
    module, which is called for tensors of the cases only."""
    module = Functions(cases)
    expected, expected_gradients, cotangents = _evaluate(module, cases)
    compiled = CompiledModule(module, policy)
    found, gradients, _ = _evaluate(compiled, cases, cotangents)
    start = 0
    for case, ours, theirs in zip(cases, found, expected):
        for a, b in zip(ours, theirs):
            assert a.requires_grad == b.requires_grad, case.name
            assert_same(a, b, case, "the value")
        end = start + len(case.tensors)
        for a, b in zip(gradients[start:end], expected_gradients[start:end]):
            assert (a is None) == (b is None), case.name
            if b is not None:
                assert_same(a, b, case, "the gradient")
        start = end
    return compiled


def text_of(compiled):
    """The MLIR of the only program of a compiled module."""
    evaluation, = compiled._cache.values()
    return evaluation.program.text
