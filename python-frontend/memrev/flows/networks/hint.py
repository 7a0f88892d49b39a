# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Networks of recursive couplings."""

from ..bijection import Bijection, Parallel, Repeat, Sequential
from ..elementwise import ActNorm
from ..recursive import HINT, ConditionalHINT
from ..resampling import Haar
from .multiscale import Multiscale, channels_of_levels
from .steps import check_counts, network_factory

__all__ = ["ConditionalHINTNetwork", "HINTNetwork", "MultiscaleConditionalHINT",
           "MultiscaleHINT"]


class HINTNetwork(Repeat):
    """`steps` of an ActNorm and a recursive coupling, as one loop: Kruse et al., HINT (arXiv
    1905.10687). [batch, *space, channels].

    net: a factory of the networks, by default two hidden layers of 64. rank: the dimensions of
    space, 0 to 3.
    condition: the channels of a condition, of the space of x or [batch, condition].
    options: those of `HINT`; channels are mixed before each coupling ("full") by default.

    Submodule: `block`. Raises ValueError for less than one step.
    """

    def __init__(self, channels: int, steps: int = 4, net=None, rank: int = 0,
                 condition: int = 0, permute: str = "full", **options):
        check_counts("HINTNetwork", steps=steps)
        super().__init__(Sequential(
            ActNorm(channels),
            HINT(channels, network_factory(net, rank), condition=condition, permute=permute,
                 **options)), steps)


class MultiscaleHINT(Multiscale):
    """Levels of `HINTNetwork`s, each after a wavelet transform, as in InvertibleNetworks.jl: see
    `Multiscale`, which says what latent variables are. x: [batch, *space, channels].

    squeeze: `Haar()` by default. split: whether a part of the channels leaves behind each level.
    Other arguments are those of `HINTNetwork`.

    Submodules: `levels`. Raises ValueError for less than one step or level.
    """

    def __init__(self, channels: int, steps: int = 4, levels: int = 2, net=None, rank: int = 2,
                 squeeze=None, split: bool = True, **options):
        check_counts("MultiscaleHINT", steps=steps, levels=levels)
        super().__init__(
            [HINTNetwork(n, steps, net, rank, **options)
             for n in channels_of_levels(channels, levels, 2 ** rank, split)],
            (squeeze or Haar()) if rank else None, split)


class _ConditionalStep(Bijection):
    """Data and observations: an ActNorm of each, and a `ConditionalHINT`."""

    def __init__(self, channels, observed, net, options):
        self.norms = Parallel(ActNorm(channels), ActNorm(observed))
        self.coupling = ConditionalHINT(channels, observed, net, **options)

    def __call__(self, x, cond=None):
        x, log_det = self.norms(x)
        y, more = self.coupling(x)
        return y, log_det + more

    def inverse(self, y, cond=None):
        x, log_det = self.coupling.inverse(y)
        x, more = self.norms.inverse(x)
        return x, log_det + more

    def observations(self, y, cond=None):
        """(y, log_det) of observations alone."""
        y, log_det = self.norms.layers[1](y)
        y, more = self.coupling.observations(y)
        return y, log_det + more

    def inverse_observations(self, latent, cond=None):
        """The inverse of `observations`."""
        y, log_det = self.coupling.inverse_observations(latent)
        y, more = self.norms.layers[1].inverse(y)
        return y, log_det + more


class ConditionalHINTNetwork(Repeat):
    """`steps` of ActNorms and a `ConditionalHINT`, as one loop: the joint density of data x and
    observations y, with the latent variable of y a function of y alone: Kruse et al., HINT
    (arXiv 1905.10687, section 3.2). A tuple (x, y) of arrays [batch, *space, channels] and
    [batch, *space, observed] to a tuple of their latent variables.

    To sample x given y, call `observations(y)`, and `inverse` on its result beside a random
    latent variable of x.

    net: a factory of the networks, by default two hidden layers of 64. rank: the dimensions of
    space, 0 to 3. options: those of `ConditionalHINT`.

    Submodule: `block`. Raises ValueError for less than one step.
    """

    def __init__(self, channels: int, observed: int, steps: int = 4, net=None, rank: int = 0,
                 **options):
        check_counts("ConditionalHINTNetwork", steps=steps)
        super().__init__(
            _ConditionalStep(channels, observed, network_factory(net, rank), options), steps)

    def observations(self, y):
        """(latent variable, log_det) of observations [batch, *space, observed]."""
        return self._accumulate(self.block.observations, y, None)

    def inverse_observations(self, latent):
        """(observations, log_det) of their latent variable."""
        return self._accumulate(self.block.inverse_observations, latent, None, reverse=True)


class MultiscaleConditionalHINT(Multiscale):
    """Levels of `ConditionalHINTNetwork`s, each after a wavelet transform of data and
    observations, as in InvertibleNetworks.jl. A tuple (x, y) of arrays [batch, *space, channels]
    and [batch, *space, observed] of the same space to a tuple of their latent variables, which
    are tuples of an array for each level: see `Multiscale`.

    Arguments are those of `MultiscaleHINT` and `ConditionalHINTNetwork`.

    Submodules: `levels`. Raises ValueError for less than one step or level.
    """

    def __init__(self, channels: int, observed: int, steps: int = 4, levels: int = 2, net=None,
                 rank: int = 2, squeeze=None, split: bool = True, **options):
        check_counts("MultiscaleConditionalHINT", steps=steps, levels=levels)
        counts = [channels_of_levels(n, levels, 2 ** rank, split) for n in (channels, observed)]
        super().__init__(
            [ConditionalHINTNetwork(n, m, steps, net, rank, **options)
             for n, m in zip(*counts)],
            (squeeze or Haar()) if rank else None, split)

    def observations(self, y):
        """(latent variables, log_det) of observations [batch, *space, observed], those that they
        have beside any data."""
        return _Observations(self)(y)

    def inverse_observations(self, latent):
        """(observations, log_det) of their latent variables."""
        return _Observations(self).inverse(latent)


class _ObservedLevel(Bijection):
    """The second stream of a level."""

    def __init__(self, level):
        self.level = level

    def __call__(self, x, cond=None):
        return self.level.observations(x)

    def inverse(self, y, cond=None):
        return self.level.inverse_observations(y)


class _Observations(Multiscale):
    """The second stream of a network of two."""

    def __init__(self, network):
        super().__init__([_ObservedLevel(level) for level in network.levels], network.squeeze,
                         network.split)
