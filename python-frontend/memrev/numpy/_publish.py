# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""How functions get NumPy's names."""

import functools

import numpy as np

from .._array import Array

#: The names that `memrev.numpy` publishes.
names = {}


def _has_array(x):
    if isinstance(x, Array):
        return True
    return isinstance(x, (list, tuple)) and any(map(_has_array, x))


def publish(function):
    """Publishes `function` under NumPy's name. NumPy computes what is not traced."""
    dispatch = publish_in(np, function)
    names[function.__name__] = dispatch
    return dispatch


def publish_in(module, function):
    """`function` for what is traced, and that of the same name in NumPy's `module` for what
    is not."""
    name = function.__name__
    original = getattr(module, name)

    @functools.wraps(function)
    def dispatch(*args, **kwargs):
        if any(map(_has_array, (*args, *kwargs.values()))):
            return function(*args, **kwargs)
        return original(*args, **kwargs)

    if not dispatch.__doc__:
        dispatch.__doc__ = f"{module.__name__}.{name} for traced arrays."
    return dispatch
