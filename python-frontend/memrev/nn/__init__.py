# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Networks: modules, layers, initialisers and losses.

Images are NHWC and filters HWCF: the last dimension counts channels or features.
"""

from . import init
from .activations import (
    ELU, GELU, LeakyReLU, ReLU, Sigmoid, SiLU, Softmax, Softplus, Tanh,
)
from .attention import MultiHeadAttention, attention
from .containers import Flatten, Sequential
from .convolution import (
    Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d)
from .dropout import Dropout
from .linear import Embedding, Linear
from .losses import binary_cross_entropy, cross_entropy, l1, mse, nll
from .module import Module, Parameter, State
from .normalization import BatchNorm, GroupNorm, LayerNorm, RMSNorm
from .pooling import AvgPool, GlobalAvgPool, GlobalMaxPool, MaxPool
from .reversible import Coupling, Repeat, couple

__all__ = sorted(name for name in globals() if not name.startswith("_"))
