# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Hyperbolic networks."""

from ..bijection import Inverse, Parallel, Repeat, Sequential
from ..dynamics import Hyperbolic
from ..resampling import Haar

__all__ = ["HyperbolicNetwork"]


class HyperbolicNetwork(Sequential):
    """Stages of layers of a hyperbolic equation, each after a change of resolution by Haar's
    wavelet: Lensink, Peters and Haber, Fully hyperbolic convolutional neural networks (arXiv
    1905.10484). A tuple of two arrays [batch, *space, channels], the states at two times, to
    those at the last ones; log_det is 0. The layers of a stage are one loop.

    stages: a tuple (resampling, layers) for each stage, with resampling 1 for half of the
        extents of space and 2^rank times the channels, -1 for the opposite, 0 for none.
    hidden: how many times the channels of a stage its convolutions have.
    options: those of `Hyperbolic`.

    Submodules: `layers`. Raises ValueError for another resampling, for channels that 2^rank does
    not divide, and for less than one layer in a stage.
    """

    def __init__(self, channels: int, stages=((0, 4), (1, 4), (-1, 4)), hidden: int = 1,
                 rank: int = 2, **options):
        made = []
        for i, (resampling, layers) in enumerate(stages):
            if resampling not in (-1, 0, 1):
                raise ValueError("HyperbolicNetwork expects a resampling out of -1, 0, 1 in each "
                                 f"stage, but got {resampling} in stage {i}")
            if resampling < 0 and channels % 2 ** rank:
                raise ValueError(f"HyperbolicNetwork expects channels that {2 ** rank} divides "
                                 f"before stage {i}, but got {channels}")
            if resampling:
                haar = Haar() if resampling > 0 else Inverse(Haar())
                made.append(Parallel(haar, haar))
                channels = (channels * 2 ** rank if resampling > 0 else
                            channels // 2 ** rank)
            made.append(Repeat(Hyperbolic(channels, hidden * channels, rank=rank, **options),
                               layers))
        super().__init__(*made)
        #: The channels of the result.
        self.channels = channels
