# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Random programs beside PyTorch: values and gradients in float64."""

import numpy as np
import pytest
import torch

import memrev
import memrev.numpy as mnp
from memrev import lax

OPERATIONS = 20
SHAPES = [(3, 4), (4, 3), (3, 3), (4,), (2, 3, 4), ()]


class Numbers:
    """Random choices that both programs of a seed make alike."""

    def __init__(self, seed):
        self._generator = np.random.default_rng(seed)

    def one_of(self, values):
        return values[self._generator.integers(len(values))]

    def below(self, n):
        return int(self._generator.integers(n))


# Each takes the backend's functions, an array, and choices; it returns an array. Numbers
# stay small, and away from where a function jumps.
def bounded(f, x, numbers):
    return numbers.one_of([f.tanh, f.sin, f.cos, f.sigmoid])(x)


def smooth(f, x, numbers):
    kind = numbers.below(7)
    return [lambda: f.exp(-x * x), lambda: f.sqrt(1.5 + f.tanh(x)), lambda: f.log(2.0 + x * x),
            lambda: x / (1.5 + f.sin(x)), lambda: f.tanh(x) ** 3, lambda: f.expm1(f.sin(x)),
            lambda: f.arctan(x)][kind]()


def piecewise(f, x, numbers):
    kind = numbers.below(5)
    return [lambda: f.relu(x), lambda: f.abs(x), lambda: f.maximum(x, 0.3 * x + 0.1),
            lambda: f.clip(x, -0.7, 0.9), lambda: f.where(x > 0.2, f.sin(x), x * 0.5)][kind]()


def reduced(f, x, numbers):
    if not len(x.shape):
        return x * 0.5
    axis, keepdims = numbers.below(len(x.shape)), bool(numbers.below(2))
    axis -= len(x.shape) * numbers.below(2)
    return numbers.one_of([f.sum, f.mean, f.max, f.min, f.logsumexp])(x, axis, keepdims)


def normalised(f, x, numbers):
    return f.softmax(x, numbers.below(len(x.shape)) - len(x.shape)) if len(x.shape) else f.tanh(x)


def moved(f, x, numbers):
    rank = len(x.shape)
    if not rank:
        return f.reshape(x, (1, 1))
    axis = numbers.below(rank)
    kind = numbers.below(6)
    return [lambda: f.transpose(x), lambda: f.flip(x, axis),
            lambda: f.concatenate([x, f.sin(x)], axis), lambda: f.reshape(x, (-1,)),
            lambda: f.roll(x, 1 + numbers.below(3), axis),
            lambda: f.stack([x, 0.5 * x], axis)][kind]()


def part(f, x, numbers):
    if not len(x.shape) or x.shape[0] < 2:
        return x - 0.25
    kind = numbers.below(5)
    return [lambda: x[1:], lambda: x[::2], lambda: x[-1], lambda: x[None, ..., 0],
            lambda: x[np.array([1, 0, 1])]][kind]()


def product(f, x, numbers):
    if len(x.shape) != 2:
        return x * f.cos(x)
    return f.tanh(x @ f.transpose(x)) if numbers.below(2) else f.einsum("ij,ij->j", x, f.sin(x))


UNARY = [bounded, smooth, piecewise, reduced, normalised, moved, part, product]
BINARY = [lambda f, x, y: x + y, lambda f, x, y: x - 0.5 * y, lambda f, x, y: f.tanh(x * y),
          lambda f, x, y: f.maximum(x, y + 0.05), lambda f, x, y: f.hypot(x, y + 2.0)]


class Memrev:
    tanh, sin, cos, exp, sqrt, log, expm1 = (
        mnp.tanh, mnp.sin, mnp.cos, mnp.exp, mnp.sqrt, mnp.log, mnp.expm1)
    arctan, abs, maximum, where, hypot, einsum = (
        mnp.arctan, mnp.abs, mnp.maximum, mnp.where, mnp.hypot, mnp.einsum)
    flip, roll, stack, reshape, concatenate, transpose, clip = (
        mnp.flip, mnp.roll, mnp.stack, mnp.reshape, mnp.concatenate, mnp.transpose, mnp.clip)
    relu, sigmoid, softmax, logsumexp = lax.relu, lax.sigmoid, lax.softmax, lax.logsumexp
    sum, mean, max, min = (
        staticmethod(lambda x, axis, keepdims, name=name: getattr(mnp, name)(
            x, axis, keepdims=keepdims)) for name in ("sum", "mean", "max", "min"))


class Torch:
    tanh, sin, cos, exp, sqrt, log, expm1 = (
        torch.tanh, torch.sin, torch.cos, torch.exp, torch.sqrt, torch.log, torch.expm1)
    arctan, abs, where, hypot, einsum = (
        torch.arctan, torch.abs, torch.where, torch.hypot, torch.einsum)
    stack, reshape, relu, sigmoid, softmax, logsumexp = (
        torch.stack, torch.reshape, torch.relu, torch.sigmoid, torch.softmax, torch.logsumexp)
    concatenate, roll, sum, mean, max, min, clip, maximum = (
        torch.concatenate, torch.roll, torch.sum, torch.mean, torch.amax, torch.amin, torch.clip,
        torch.maximum)
    flip = staticmethod(lambda x, axis: torch.flip(x, (axis,)))
    transpose = staticmethod(lambda x: x.permute(*reversed(range(x.ndim))))


def fits(x, y):
    return all(n == m or 1 in (n, m) for n, m in zip(x.shape[::-1], y.shape[::-1]))


def program(seed, f, inputs):
    """Applies random operations, and returns the sum of squares of all that is left over."""
    numbers, values, used = Numbers(seed), list(inputs), set()
    for _ in range(OPERATIONS):
        i = numbers.below(len(values))
        used.add(i)
        x = values[i]
        others = [k for k, y in enumerate(values) if fits(x, y)]
        if numbers.below(3) == 0:
            k = numbers.one_of(others)
            used.add(k)
            values.append(numbers.one_of(BINARY)(f, x, values[k]))
        else:
            values.append(numbers.one_of(UNARY)(f, x, numbers))
        assert np.prod(values[-1].shape, dtype=int) < 4000
    rest = [f.reshape(f.tanh(v) * f.tanh(v), (-1,)) for k, v in enumerate(values)
            if k not in used]
    return f.sum(f.concatenate(rest, 0), 0, False)


@pytest.mark.parametrize("seed", range(12))
def test_random_program(seed):
    generator = np.random.default_rng(1000 + seed)
    inputs = [generator.uniform(-1.5, 1.5, shape) for shape in SHAPES]
    tensors = [torch.tensor(x, requires_grad=True) for x in inputs]
    expected = program(seed, Torch, tensors)
    gradients = torch.autograd.grad(expected, tensors, allow_unused=True)

    def loss(inputs):
        return program(seed, Memrev, inputs)

    policy = ("invert", "store")[seed % 2]
    value, found = memrev.value_and_grad(loss, policy=policy)(inputs)
    np.testing.assert_allclose(value, expected.item(), rtol=1e-12)
    for x, a, b in zip(inputs, found, gradients):
        b = np.zeros_like(x) if b is None else b.numpy()
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11)
    # The two halves on their own are the same program.
    _, pullback = memrev.vjp(loss, inputs, policy=policy)
    for a, b in zip(pullback(2.0)[0], found):
        np.testing.assert_allclose(a, 2 * b, rtol=1e-9, atol=1e-11)
