# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Initialisers: fans and moments against PyTorch's."""

import numpy as np
import pytest
import torch

from memrev import nn


def draw(init, shape, dtype=np.float64):
    return init(np.random.default_rng(0), shape, dtype)


@pytest.mark.parametrize("shape, transposed", [
    ((3, 5, 6, 8), (3, 2, 0, 1)), ((4, 6, 8), (2, 1, 0)), ((6, 8), (1, 0)),
    ((2, 3, 4, 1, 8), (4, 3, 0, 1, 2))])
def test_fans(shape, transposed):
    expected = torch.nn.init._calculate_fan_in_and_fan_out(
        torch.empty(shape).permute(transposed))
    assert nn.init.fans(shape) == expected


SHAPE = (3, 3, 100, 200)
FAN_IN, FAN_OUT = 900, 1800


@pytest.mark.parametrize("init, deviation, bounded", [
    (nn.init.normal(0.5), 0.5, False),
    (nn.init.uniform(0.6), 0.6 / 3**0.5, True),
    (nn.init.he_normal(), (2 / FAN_IN)**0.5, False),
    (nn.init.he_normal("out"), (2 / FAN_OUT)**0.5, False),
    (nn.init.he_normal("out", gain=1.0), (1 / FAN_OUT)**0.5, False),
    (nn.init.he_uniform(), (2 / FAN_IN)**0.5, True),
    (nn.init.he_uniform(gain=1 / 3), (1 / (3 * FAN_IN))**0.5, True),
    (nn.init.glorot_normal, (2 / (FAN_IN + FAN_OUT))**0.5, False),
    (nn.init.glorot_uniform, (2 / (FAN_IN + FAN_OUT))**0.5, True),
])
def test_moments(init, deviation, bounded):
    x = draw(init, SHAPE)
    # The standard deviation of n numbers has a relative error of about 1 / sqrt(2 n).
    assert abs(x.std() / deviation - 1) < 6 / (2 * x.size)**0.5
    assert abs(x.mean()) < 6 * deviation / x.size**0.5
    bound = deviation * 3**0.5
    assert (np.abs(x).max() <= bound) == bounded
    if bounded:
        assert np.abs(x).max() > 0.999 * bound


def test_truncated_normal():
    x = draw(nn.init.truncated_normal(0.5), (200_000,))
    assert 0.999 < np.abs(x).max() <= 1
    expected = torch.nn.init.trunc_normal_(torch.empty(200_000), std=0.5, a=-1, b=1).numpy()
    assert abs(x.std() / expected.std() - 1) < 0.01


def test_torch_default_bound():
    linear = torch.nn.Linear(50, 400)
    weight = draw(nn.init.he_uniform(gain=1 / 3), (50, 400))
    bound = 1 / 50**0.5
    assert linear.weight.detach().abs().max() <= bound * (1 + 1e-6)
    assert 0.999 * bound < np.abs(weight).max() <= bound


def test_dtype_does_not_change_the_numbers():
    for init in (nn.init.normal(), nn.init.truncated_normal(), nn.init.he_uniform(),
                 nn.init.ones, nn.init.zeros, nn.init.constant(3)):
        wide, narrow = draw(init, (4, 5)), draw(init, (4, 5), np.float32)
        assert narrow.dtype == np.float32 and wide.dtype == np.float64
        np.testing.assert_array_equal(narrow, wide.astype(np.float32))


def test_errors():
    with pytest.raises(ValueError, match=r"expects the shape of a weight, but got \[3\]"):
        nn.init.fans((3,))
    with pytest.raises(ValueError, match="'in', 'out' or 'average' as fan, but got 'both'"):
        draw(nn.init.he_normal("both"), (3, 3))
