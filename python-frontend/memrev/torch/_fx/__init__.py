# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Imports programs of PyTorch: graphs of ATen operations become traced programs.

`trace` runs a graph, as torch.export makes it, on traced arrays; `unsupported` says
beforehand what keeps a graph from that.
"""

from . import (
    couplings, indexing, losses, normalization, pointwise, products, random, reductions, shapes, windows,
)
from .interpreter import evaluate, refusals, trace, unsupported
from .layout import Tensor, channels_last
from .table import Effects, UnsupportedOperation

__all__ = ["Effects", "Tensor", "UnsupportedOperation", "channels_last", "evaluate",
           "refusals", "trace",
           "unsupported"]
