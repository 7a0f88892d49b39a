# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the steps of networks are made of."""

from ..couplings import AffineCoupling
from ..linear import (
    FixedOrthogonal, Householder, InvertibleLinear, LULinear, Orthogonal, Permute)
from ..subnets import convolutional, dense

MIXES = {"linear": InvertibleLinear, "lu": LULinear, "cayley": Orthogonal,
         "orthogonal": FixedOrthogonal, "permute": Permute}


def mixing(mix, channels):
    """The bijection that mixes channels: an integer is the reflections of a `Householder`, a
    name one of `MIXES`, a function makes one of the channels. Raises ValueError for another
    one."""
    if isinstance(mix, str) and mix in MIXES:
        return MIXES[mix](channels)
    if isinstance(mix, int) and mix > 0:
        return Householder(channels, mix)
    if callable(mix):
        return mix(channels)
    raise ValueError(f"expects as mix one of {', '.join(MIXES)}, a positive number of "
                     f"reflections or a function of the channels, but got {mix!r}")


def network_factory(net, rank):
    """`net`, or by default the networks for so many dimensions of space."""
    if not 0 <= rank <= 3:
        raise ValueError(f"expects 0, 1, 2 or 3 dimensions of space, but got {rank}")
    if net is not None:
        return net
    return convolutional(rank=rank) if rank else dense()


def check_counts(name, **counts):
    """Raises ValueError unless all are positive."""
    if any(count < 1 for count in counts.values()):
        raise ValueError(f"{name} expects at least 1 of {' and '.join(counts)}, but got "
                         f"{' and '.join(map(str, counts.values()))}")


def make_coupling(coupling, channels, net, condition):
    """A coupling by a class, or a function, of couplings; an `AffineCoupling` by default."""
    return (coupling or AffineCoupling)(channels, net, condition=condition)
