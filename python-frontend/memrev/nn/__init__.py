# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Networks: modules, layers, initialisers and losses.

Images are NHWC and filters HWCF: the last dimension counts channels or features.
"""

from . import init
from .module import Module, Parameter, State

__all__ = ["Module", "Parameter", "State", "init"]
