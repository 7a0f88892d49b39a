# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Arrays for tests on devices."""

import numpy as np
import pytest

import memrev


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    return rng.random((8, 16), "f4"), rng.random((16, 4), "f4")


class Foreign:
    """An array of a library that knows CUDA's array interface only."""

    def __init__(self, array, **changes):
        self.__cuda_array_interface__ = {**array.__cuda_array_interface__, **changes}
        self.array = array
        self.copies = 0

    def copy(self):
        self.copies += 1
        interface = self.__cuda_array_interface__
        if interface["strides"]:
            elements = np.lib.stride_tricks.as_strided(
                self.array.numpy(), interface["shape"], interface["strides"])
        else:
            start = (interface["data"][0] - self.array.address) // 4
            count = int(np.prod(interface["shape"]))
            elements = self.array.numpy().ravel()[start:start + count]
        return memrev.device_put(elements.reshape(interface["shape"]))
