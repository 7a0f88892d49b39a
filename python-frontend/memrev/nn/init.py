# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Initialisers: functions `init(generator, shape, dtype)` that make NumPy arrays.

`generator` is a `numpy.random.Generator`. Of a weight's shape the last dimension
counts outputs, the one before it inputs, and all others the window of a
convolution; the fan-in of a filter HWCF is H W C, its fan-out H W F. Numbers are
drawn in float64 and rounded, so that a seed gives the same model in each dtype.
"""

import math

import numpy as np

__all__ = ["constant", "fans", "glorot_normal", "glorot_uniform", "he_normal", "he_uniform",
           "normal", "ones", "truncated_normal", "uniform", "zeros"]


def fans(shape):
    """The pair (fan-in, fan-out) of a weight.

    Raises ValueError for shapes of less than two dimensions.
    """
    if len(shape) < 2:
        raise ValueError(f"expects the shape of a weight, but got {list(shape)}")
    window = math.prod(shape[:-2])
    return window * shape[-2], window * shape[-1]


def _fan(shape, mode):
    fan_in, fan_out = fans(shape)
    try:
        return {"in": fan_in, "out": fan_out, "average": (fan_in + fan_out) / 2}[mode]
    except KeyError:
        raise ValueError(f"expects 'in', 'out' or 'average' as fan, but got '{mode}'") from None


def constant(value):
    """The same number everywhere."""
    return lambda generator, shape, dtype: np.full(shape, value, dtype)


def zeros(generator, shape, dtype):
    """Zeros."""
    return np.zeros(shape, dtype)


def ones(generator, shape, dtype):
    """Ones."""
    return np.ones(shape, dtype)


def normal(deviation=1.0):
    """Numbers of normal distribution with mean 0 and that standard deviation."""
    return lambda generator, shape, dtype: (
        deviation * generator.standard_normal(shape)).astype(dtype)


def uniform(bound):
    """Numbers of uniform distribution in [-bound, bound)."""
    return lambda generator, shape, dtype: generator.uniform(-bound, bound, shape).astype(dtype)


def truncated_normal(deviation=1.0):
    """Numbers of normal distribution with that standard deviation, drawn again if
    they are off by more than two of them. That of the result is 0.88 `deviation`."""

    def init(generator, shape, dtype):
        result = generator.standard_normal(shape)
        while True:
            outside = np.abs(result) > 2
            count = int(outside.sum())
            if not count:
                return (deviation * result).astype(dtype)
            result[outside] = generator.standard_normal(count)

    return init


def he_normal(fan="in", gain=2.0):
    """Normal distribution of variance `gain` / fan: He, Zhang, Ren, Sun
    (arXiv 1502.01852, equations 10 and 14); gain 1 is for layers without ReLU."""
    return lambda generator, shape, dtype: normal(
        math.sqrt(gain / _fan(shape, fan)))(generator, shape, dtype)


def he_uniform(fan="in", gain=2.0):
    """Uniform distribution of variance `gain` / fan; gain 1/3 is PyTorch's default
    for Linear and Conv layers, a bound of 1 / sqrt(fan-in)."""
    return lambda generator, shape, dtype: uniform(
        math.sqrt(3 * gain / _fan(shape, fan)))(generator, shape, dtype)


def glorot_normal(generator, shape, dtype):
    """Normal distribution of variance 2 / (fan-in + fan-out): Glorot and Bengio,
    Understanding the difficulty of training deep feedforward neural networks
    (AISTATS 2010, equation 12)."""
    return he_normal("average", 1.0)(generator, shape, dtype)


def glorot_uniform(generator, shape, dtype):
    """Uniform distribution of variance 2 / (fan-in + fan-out): Glorot and Bengio
    (AISTATS 2010, equation 16)."""
    return he_uniform("average", 1.0)(generator, shape, dtype)
