# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Which of a test's parameters run with `--slow` only."""

import pytest


def but(quick, values):
    """The values for `parametrize`, of which those that are not among `quick` are slow. Raises
    ValueError if one of those is no value."""
    values = list(values)
    if not set(quick) <= set(values):
        raise ValueError(f"expects values out of {values}, but got {list(quick)}")
    return [value if value in quick else
            pytest.param(*(value if isinstance(value, tuple) else (value,)),
                         marks=pytest.mark.slow) for value in values]
