# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Comparisons of gradients."""

import numpy as np


def largest(gradients):
    return max(float(np.abs(g).max()) for g in gradients.values())


def error(gradients, expected):
    """The largest difference, as a part of the largest expected gradient."""
    assert gradients.keys() == expected.keys()
    for name in expected:
        assert gradients[name].shape == expected[name].shape, name
        assert np.isfinite(gradients[name]).all(), name
    return max(float(np.abs(gradients[name] - expected[name]).max())
               for name in expected) / largest(expected)


def worst(gradients, expected):
    """The largest difference of a tensor as a part of that tensor's largest
    entry, and the tensor's name: a tensor of small gradients counts as much as
    one of large ones."""
    return max((float(np.abs(gradients[name] - expected[name]).max())
                / float(np.abs(expected[name]).max()), name)
               for name in expected)


def direction(arrays, seed):
    """A random direction: one normal array for each of `arrays`."""
    generator = np.random.default_rng(seed)
    return {name: generator.standard_normal(np.shape(array))
            for name, array in arrays.items()}


def moved(arrays, along, step):
    return {name: array + step * along[name] for name, array in arrays.items()}


def slope(gradients, along):
    """The derivative along a direction that `gradients` claim."""
    return sum(float((gradients[name] * along[name]).sum()) for name in along)


def central_difference(function, arrays, along, step):
    return (function(moved(arrays, along, step))
            - function(moved(arrays, along, -step))) / (2 * step)


def taylor_order(function, arrays, gradients, along, steps):
    """The order in which the remainder function(a + h d) - function(a) - h g.d
    falls with h: 2 for the gradient, 1 for anything else."""
    value, claimed = function(arrays), slope(gradients, along)
    remainders = [abs(function(moved(arrays, along, h)) - value - h * claimed)
                  for h in steps]
    return float(np.polyfit(np.log(steps), np.log(remainders), 1)[0])
