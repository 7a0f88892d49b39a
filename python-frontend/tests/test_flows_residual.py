# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Residual flows: fixed points, their derivatives, log-determinants that train."""

import numpy as np
import pytest

import memrev
from flows_check import check, difference, largest
from memrev import flows, tree


def random(seed, *shape):
    return np.random.default_rng(seed).standard_normal((int(np.prod(shape)), *shape))


NETS = {
    "dense": (lambda: flows.LipschitzNet(3, (4,), activation=np.tanh), (3,)),
    "convolution": (lambda: flows.LipschitzNet(1, (2,), rank=2, activation=np.tanh), (2, 2, 1)),
}


@pytest.mark.parametrize("name", NETS)
def test_dense(name):
    make, shape = NETS[name]
    check(flows.IResNet(make(), "dense"), random(1, *shape), gain=1000)
