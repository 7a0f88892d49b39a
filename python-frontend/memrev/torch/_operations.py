# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Operations that mark couplings in graphs.

A graph of ATen operations has additions where there was a coupling, and no sign that
they can be undone. Wrapped couplings write

    given = memrev::given(x2)
    y1 = memrev::moved(x1, given, parameters, kind)

where `parameters` are computed from `given`. To PyTorch both are what they are made of;
memrev's import makes a coupling of them, so that the backward pass inverts it.
"""

import torch

#: The formulas that move a half, (half, parameters) -> half, by their names.
MOVES = {
    "additive": lambda x, p: x + p[0],
    "additive_inverse": lambda x, p: x - p[0],
    "affine": lambda x, p: x * p[0] + p[1],
    "affine_inverse": lambda x, p: (x - p[1]) / p[0],
}

_library = torch.library.Library("memrev", "DEF")
_library.define("given(Tensor x) -> Tensor")
_library.define("moved(Tensor x, Tensor given, Tensor[] parameters, str kind) -> Tensor")
# As composites they have no derivative of their own.
_library.impl("given", lambda x: x.view_as(x), "CompositeImplicitAutograd")
_library.impl("moved", lambda x, given, parameters, kind: MOVES[kind](x, parameters),
              "CompositeImplicitAutograd")

given = torch.ops.memrev.given.default
moved = torch.ops.memrev.moved.default
