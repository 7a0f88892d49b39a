# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Operations of programs that NumPy has no name for: convolutions and pooling,
normalisation, activations, loops and branches, couplings, random numbers.

They work on traced arrays, inside of `memrev.jit`.
"""

from ._control import cond, coupling, for_loop, scan, while_loop
from ._layers import (
    batch_norm, batch_norm_inference, dropout, dynamic_slice, elu, erf, fixed_point, gelu,
    leaky_relu, log_softmax, logsumexp, random_bits, random_normal, random_uniform, relu, running_average,
    sigmoid, silu, softmax, softmax_cross_entropy, softplus,
)
from ._windows import avg_pool, conv, conv_transpose, max_pool, min_pool, sum_pool

__all__ = sorted(name for name in globals() if not name.startswith("_"))
