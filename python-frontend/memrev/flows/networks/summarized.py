# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Networks that are conditional on what another network says of observations."""

from ... import nn
from ..bijection import Bijection

__all__ = ["Summarized"]


class Summarized(Bijection):
    """A conditional network with a summary of the observations for its condition, both trained
    together: Radev et al., BayesFlow (arXiv 2003.06281).

    network: a bijection with a condition. summary: a module of what the caller gives as the
    condition, of any shape, to what `network` expects; it is called once.

    Submodules: `network` and `summary`. Raises ValueError, when called, without a condition.
    """

    def __init__(self, network: Bijection, summary: nn.Module):
        self.network, self.summary = network, summary

    def __call__(self, x, cond=None):
        return self.network(x, self._summarized(cond))

    def inverse(self, y, cond=None):
        return self.network.inverse(y, self._summarized(cond))

    def _summarized(self, cond):
        if cond is None:
            raise ValueError("Summarized expects a condition, but got None")
        return self.summary(cond)
