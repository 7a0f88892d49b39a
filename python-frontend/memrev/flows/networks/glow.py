# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Chains of couplings: NICE, RealNVP, Glow, neural spline flows."""

from ... import nn
from ... import numpy as mnp
from ..bijection import Bijection, Inverse, Repeat, Sequential
from ..couplings import AdditiveCoupling, AffineCoupling, joined
from ..elementwise import ActNorm, Affine
from ..linear import Permute
from ..reshaping import Squeeze
from ..splines import RationalQuadraticSplineCoupling
from .multiscale import AtScale, Multiscale, channels_of_levels, channels_of_scales
from .steps import check_counts, make_coupling, mixing, network_factory

__all__ = ["ConditionalGlow", "Glow", "NICE", "NeuralSplineFlow", "RealNVP"]


class Glow(Multiscale):
    """Kingma and Dhariwal, Glow (arXiv 1807.03039): levels of a squeeze and `steps` of

        ActNorm, an invertible mixing of channels, a coupling

    x: [batch, *space, channels] with 1 to 3 dimensions of space that 2^levels divides, or with
    `rank=0` vectors [batch, channels], which are not squeezed. The latent variables are a tuple
    of arrays, one for each level: see `Multiscale`. The steps of a level are one loop.

    net: a factory of the networks in couplings, by default two hidden layers of 64.
    mix: an integer, the reflections of a `Householder`; "linear" or "lu", a matrix with a
        determinant; "cayley", a rotation; "orthogonal" or "permute", which do not train.
    coupling: a class of couplings, or a function (channels, net, condition=) that makes one; by
        default an `AffineCoupling`, which starts as the identity. `GlowCoupling`, whose sigmoid
        contracts, is the paper's.
    condition: the number of channels of a condition, an array [batch, *space, condition], which
        is squeezed alongside, or, with `squeeze_condition=False`, [batch, condition].
    squeeze: see `Multiscale`; blocks have 2 elements in each dimension.
    split: whether a part of the channels leaves behind each level but the last.

    Submodules: `levels`, each a `Repeat`. Raises ValueError for less than one step or level.
    """

    def __init__(self, channels: int, steps: int = 8, levels: int = 3, net=None, rank: int = 2,
                 mix=3, coupling=None, condition: int = 0, squeeze=None, split: bool = True,
                 squeeze_condition: bool = True):
        check_counts(type(self).__name__, steps=steps, levels=levels)
        net, factor = network_factory(net, rank), 2 ** rank
        squeeze = (squeeze or Squeeze()) if rank else None
        counts = channels_of_levels(channels, levels, factor, split)
        conditions = channels_of_levels(condition, levels,
                                        factor if squeeze_condition else 1, split=False)
        super().__init__(
            [Repeat(Sequential(ActNorm(n), mixing(mix, n), make_coupling(coupling, n, net, c)),
                    steps) for n, c in zip(counts, conditions)],
            squeeze, split, squeeze_condition)


class ConditionalGlow(Bijection):
    """A `Glow` that is conditional on an array [batch, *space, condition], as in
    InvertibleNetworks.jl: an `ActNorm` normalises the condition, which is squeezed alongside x
    and read by all couplings. Other arguments are those of `Glow`; there is no summary of
    observations of another shape here: see `Summarized`.

    Submodules: `glow`, `norm_condition`. Raises ValueError without a condition.
    """

    def __init__(self, channels: int, condition: int, **options):
        if condition < 1:
            raise ValueError("ConditionalGlow expects a condition of at least 1 channel, but got "
                             f"{condition}")
        self.glow = Glow(channels, condition=condition, **options)
        self.norm_condition = ActNorm(condition)

    def __call__(self, x, cond=None):
        return self.glow(x, self._normalized(cond))

    def inverse(self, y, cond=None):
        return self.glow.inverse(y, self._normalized(cond))

    def _normalized(self, cond):
        if cond is None:
            raise ValueError("ConditionalGlow expects a condition, but got None")
        return self.norm_condition(cond)[0]


class NICE(Sequential):
    """Dinh et al., NICE (arXiv 1410.8516, section 5): additive couplings of the even and the odd
    elements of vectors [batch, channels], each changed `steps` times in one loop, and a scale, and
    here an offset, of each element in the end.

    net: a factory of the networks, by default two hidden layers of 64.

    Submodules: `layers`. Raises ValueError for less than one step or two channels.
    """

    def __init__(self, channels: int, steps: int = 2, net=None, condition: int = 0):
        check_counts("NICE", steps=steps)
        order = [*range(0, channels, 2), *range(1, channels, 2)]
        super().__init__(
            Permute(channels, order),
            Repeat(AdditiveCoupling(channels, network_factory(net, 0), (channels + 1) // 2,
                                    two_sided=True, condition=condition), steps),
            Affine(channels))


class NeuralSplineFlow(Repeat):
    """Durkan et al., Neural spline flows (arXiv 1906.04032, section 4): `steps` of an ActNorm, a
    mixing of channels and a coupling by rational-quadratic splines of both sides, as one loop.
    Vectors [batch, channels] by default. For images at several scales give a `Glow` the coupling
    `RationalQuadraticSplineCoupling`.

    net, mix: see `Glow`. rank: dimensions of space. condition: the channels of a condition, of
    the space of x or [batch, condition]. bins, bound, learn_box: see
    `RationalQuadraticSplineCoupling`.

    Submodule: `block`. Raises ValueError for less than one step.
    """

    def __init__(self, channels: int, steps: int = 5, net=None, rank: int = 0, mix="lu",
                 condition: int = 0, bins: int = 10, bound: float = 3.0,
                 learn_box: bool = False):
        check_counts("NeuralSplineFlow", steps=steps)
        super().__init__(Sequential(
            ActNorm(channels), mixing(mix, channels),
            RationalQuadraticSplineCoupling(
                channels, network_factory(net, rank), two_sided=True, condition=condition,
                bins=bins, bound=bound, learn_box=learn_box)), steps)


class RealNVP(Multiscale):
    """Dinh et al., RealNVP (arXiv 1605.08803, section 3): each level has couplings of the even
    and the odd places of a checkerboard, a squeeze, and couplings of the halves of the
    channels; the last level has the first of these only. ActNorms stand for batch norm. The
    latent variables are a tuple of arrays, one for each level.

    x: [batch, *space, channels] with 1 to 3 dimensions of space that 2^levels divides, or with
    `rank=0` vectors [batch, channels], which have couplings of the channels only.
    steps: how often each place, or channel, is changed in its loop.
    net: a factory of the networks, by default two hidden layers of 64.
    condition: the channels of a condition: [batch, condition], or [batch, *space, condition] of
        the space of x, of which every 2^i-th place is seen at scale i, or a tuple of such for
        the scales 0, ..., levels - 1, each of the space of its scale; then a sequence where
        these have different numbers of channels. Of vectors there is one scale.
    scale, clamp: see `AffineCoupling`.

    Submodules: `levels`. Raises ValueError for less than one step or level, for channels of
    another number of scales, and, when called, for a tuple of another length.
    """

    def __init__(self, channels: int, steps: int = 2, levels: int = 2, net=None, rank: int = 2,
                 condition=0, split: bool = True, scale: str = "tanh", clamp: float = 2.0):
        check_counts("RealNVP", steps=steps, levels=levels)
        net, made = network_factory(net, rank), []
        scales = levels if rank else 1
        conditions = channels_of_scales("RealNVP", condition, scales)

        def loop(n, coupling, i):
            steps_of_level = Repeat(Sequential(ActNorm(n), coupling), steps)
            return AtScale(steps_of_level, i, scales) if conditions[i] else steps_of_level

        def by_channels(n, i):
            return loop(n, AffineCoupling(n, net, two_sided=True, condition=conditions[i],
                                          scale=scale, clamp=clamp), i)

        for i, n in enumerate(channels_of_levels(channels, levels, 2 ** rank, split)):
            if not rank:
                made.append(by_channels(n, 0))
                continue
            level = [loop(n // 2 ** rank, _checkerboard(n // 2 ** rank, net, rank, conditions[i],
                                                        scale, clamp), i)]
            if i + 1 < levels:
                level += [Squeeze(), by_channels(n, i + 1)]
            made.append(Sequential(*level))
        super().__init__(made, squeeze=None, split=split)


def _checkerboard(channels, net, rank, condition, scale, clamp):
    """A coupling of the places of a checkerboard, in both directions."""
    count = 2 ** rank
    even = [i for i in range(count) if bin(i).count("1") % 2 == 0]
    odd = [i for i in range(count) if i not in even]
    order = Permute(count * channels, [place * channels + c for place in even + odd
                                       for c in range(channels)])
    nets = [_FullResolution(net(channels + condition, 2 * channels), *places)
            for places in ((odd, even), (even, odd))]
    coupling = AffineCoupling(count * channels, nets, two_sided=True,
                              condition=None if condition else 0, scale=scale, clamp=clamp)
    squeeze = Squeeze()
    return Sequential(squeeze, order, coupling, Inverse(order), Inverse(squeeze))


class _FullResolution(nn.Module):
    """A network of images for a part of the places of blocks of 2^rank neighbours, which are
    beside each other in the last dimension: it sees the image with zeros at the others, and
    returns what it computes there.

    net: [batch, *space, channels + condition] to [batch, *space, 2 channels].
    places, others: what is seen and what is computed.

    Submodule: `net`.
    """

    def __init__(self, net, places, others):
        self.net, self.places, self.others = net, places, others
        self.squeeze = Squeeze()

    def __call__(self, part, *cond):
        count = len(self.places)
        blocks = mnp.reshape(part, (*part.shape[:-1], count, part.shape[-1] // count))
        nothing = mnp.zeros_like(blocks[..., 0, :])
        rows = [blocks[..., self.places.index(i), :] if i in self.places else nothing
                for i in range(2 * count)]
        image, _ = self.squeeze.inverse(mnp.concatenate(rows, axis=-1))
        found, _ = self.squeeze(self.net(joined(image, cond[0]) if cond else image))
        found = mnp.reshape(found, (*part.shape[:-1], 2 * count, 2, part.shape[-1] // count))
        chosen = mnp.stack([found[..., i, :, :] for i in self.others], axis=-3)
        return tuple(mnp.reshape(chosen[..., i, :], part.shape) for i in range(2))
