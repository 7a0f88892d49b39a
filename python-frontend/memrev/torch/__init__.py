# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""memrev.torch: a drop-in for MemCNN in PyTorch.

    import memrev.torch as memcnn

Invertible modules train in memory that does not grow with depth: the backward pass
restores activations by inversion instead of keeping them. docs/MemCNN.md says how it
differs from MemCNN. `torch.compile(backend="memrev")` compiles modules and functions of
PyTorch as programs of memrev.
"""

from . import _dynamo  # Registers the backend of torch.compile.
from . import models
from ._backend import get_backend, set_backend
from ._place import get_contractions, set_contractions
from .models.additive import AdditiveCoupling
from .models.affine import AffineAdapterNaive, AffineAdapterSigmoid, AffineCoupling
from .models.revop import (
    InvertibleModuleWrapper,
    ReversibleBlock,
    create_coupling,
    is_invertible_module,
)

__all__ = [
    "AdditiveCoupling",
    "AffineAdapterNaive",
    "AffineAdapterSigmoid",
    "AffineCoupling",
    "InvertibleModuleWrapper",
    "ReversibleBlock",
    "create_coupling",
    "get_backend",
    "get_contractions",
    "is_invertible_module",
    "models",
    "set_backend",
    "set_contractions",
]
