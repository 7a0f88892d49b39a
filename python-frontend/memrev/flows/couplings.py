# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Couplings: a part of the channels is changed by a bijection whose parameters a network
makes of the other part."""

from typing import Optional

from .. import numpy as mnp
from ..nn import Module
from ..nn.reversible import couple
from .bijection import Bijection, check_channels, no_log_det
from .elementwise import ActNorm
from .linear import FixedOrthogonal, Householder, Permute

__all__ = ["AdditiveCoupling", "AffineCoupling", "AllInOne", "ConditionalAffine", "Coupling",
           "GINCoupling", "GlowCoupling", "NICECoupling", "RNVPCoupling"]


def soft_scale(scale, clamp):
    """The kind of `memrev.lax.coupling` that a scale's name means.

    "exp" exp(a), "sigmoid" 1 / (1 + exp(-a - 2)), "tanh" exp(clamp tanh(a / clamp)),
    "atan" exp(0.636 clamp atan(a)), and exp(a) for a function: see `parameters_of`. Raises
    ValueError for another one, and for a clamp that is not positive.
    """
    if not clamp > 0:
        raise ValueError(f"expects a positive clamp, but got {clamp}")
    if callable(scale):
        return "affine<exp>"
    kinds = {"exp": "affine<exp>", "sigmoid": "affine<sigmoid>",
             "tanh": f"affine<soft_tanh, alpha = {float(clamp)} : f64>",
             "atan": f"affine<soft_atan, alpha = {float(clamp)} : f64>"}
    if scale not in kinds:
        raise ValueError(f"expects a scale out of {', '.join(kinds)}, but got {scale!r}")
    return kinds[scale]


def parameters_of(net, scale, clamp):
    """What a coupling of the kind `soft_scale(scale, clamp)` is given: the network, behind which
    a scale that is a function computes log s = clamp scale(a)."""
    if not callable(scale):
        return net

    def parameters(*given):
        a, t = both(net(*given))
        return clamp * scale(a), t

    return parameters


def log_scale(a, scale, clamp):
    """log s of a soft or plain exponential scale: see `soft_scale`."""
    if callable(scale):
        return clamp * scale(a)
    if scale == "tanh":
        return clamp * mnp.tanh(a / clamp)
    return 0.636 * clamp * mnp.arctan(a) if scale == "atan" else a


def make_net(net, inputs, outputs):
    """The network of a coupling: a module, or what a factory makes for those channels."""
    return net if isinstance(net, Module) else net(inputs, outputs)


def joined(given, cond):
    """[batch, *space, channels] beside a condition, which has the same space or none:
    [batch, channels]. Raises ValueError for other shapes."""
    space = given.shape[1:-1]
    if cond.ndim == 2 and space:
        cond = mnp.reshape(cond, (cond.shape[0], *(1,) * len(space), cond.shape[-1]))
        cond = mnp.broadcast_to(cond, (cond.shape[0], *space, cond.shape[-1]))
    if cond.shape[:-1] != given.shape[:-1]:
        raise ValueError(f"expects a condition of shape {[*given.shape[:-1], 'channels']} or "
                         f"{[given.shape[0], 'channels']}, but got {list(cond.shape)}")
    return mnp.concatenate([given, cond], axis=-1)


class Coupling(Bijection):
    """What couplings share: x2 is changed by a bijection whose parameters are a network's of
    x1, and with `two_sided` x1 before that by one of x2,

        y1 = f(x1; net1(x2)), y2 = f(x2; net2(y1))

    where x1, x2 are the first `split` channels of x [batch, ..., channels] and the others.

    net: a factory `net(inputs, outputs)` of modules (see `memrev.flows.dense`), or a module;
        with `two_sided` a factory, or a pair of modules. What it returns a subclass says.
    split: by default half of the channels, rounded down.
    condition: the number of channels of `cond`, an array [batch, ..., condition] of the space
        of x or [batch, condition], beside which the networks read the part they are given; 0:
        there is none. None: `cond` is any tree of arrays, and the second argument of the
        networks.

    Submodules: `nets`, a list. Raises ValueError if a part would have no channels.
    """

    #: How many outputs a network has for each channel that it changes.
    parameters_per_channel = 1

    def __init__(self, channels: int, net, split: Optional[int] = None,
                 two_sided: bool = False, condition: Optional[int] = 0):
        name = type(self).__name__
        split = channels // 2 if split is None else split
        if not 0 < split < channels:
            raise ValueError(f"{name} expects a split of at least 1 that leaves channels of "
                             f"{channels}, but got {split}")
        self.channels, self.split, self.condition = channels, split, condition
        sizes = (channels - split, split) if two_sided else (split,)
        nets = list(net) if isinstance(net, (tuple, list)) else [net] * len(sizes)
        if len(nets) != len(sizes) or (two_sided and isinstance(net, Module)):
            wanted = "a factory or 2 modules" if two_sided else "one network"
            got = 1 if isinstance(net, Module) else len(nets)
            raise ValueError(f"{name} expects {wanted}, but got {got}")
        self.two_sided = two_sided
        self.nets = [self._make(net, given, channels - given)
                     for net, given in zip(nets, sizes)]

    def _make(self, net, given, changed):
        """The network that gets `given` channels for `changed` others."""
        return make_net(net, given + (self.condition or 0), changed * self.parameters_per_channel)

    def _change(self, net, x, given, inverse):
        """(f(x; net(*given)), log_det), or that of the inverse of f."""
        raise NotImplementedError

    def __call__(self, x, cond=None):
        x1, x2 = self._parts(x)
        total = no_log_det(x)
        if self.two_sided:
            x1, total = self._change(self.nets[0], x1, self._given(x2, cond), False)
        x2, log_det = self._change(self.nets[-1], x2, self._given(x1, cond), False)
        return mnp.concatenate([x1, x2], axis=-1), total + log_det

    def inverse(self, y, cond=None):
        y1, y2 = self._parts(y)
        y2, total = self._change(self.nets[-1], y2, self._given(y1, cond), True)
        if self.two_sided:
            y1, log_det = self._change(self.nets[0], y1, self._given(y2, cond), True)
            total = total + log_det
        return mnp.concatenate([y1, y2], axis=-1), total

    def _parts(self, x):
        check_channels(self, x, self.channels)
        return mnp.split(x, [self.split], axis=-1)

    def _given(self, part, cond):
        """What the network of the other part gets."""
        if self.condition == 0:
            return [part]
        if cond is None:
            raise ValueError(f"{type(self).__name__} expects a condition, but got None")
        if self.condition is None:
            return [part, cond]
        if cond.shape[-1] != self.condition:
            raise ValueError(f"{type(self).__name__} expects a condition of {self.condition} "
                             f"channels, but got shape {list(cond.shape)}")
        return [joined(part, cond)]


def _couple(kind, function, x, given, inverse, log_det):
    """`couple` of a function of an array and perhaps a tree, as (result, log_det)."""
    found = couple(lambda part: function(part, *given[1:]), x, given[0], kind, log_det, inverse)
    return found if log_det else (found, no_log_det(x))


class AdditiveCoupling(Coupling):
    """y2 = x2 + net(x1): Dinh et al., NICE (arXiv 1410.8516); log_det is 0. The network
    returns an array like x2. See `Coupling`.

    fraction: the bits behind the point of a stream in fixed point, which x has to be
        (`memrev.lax.fixed_point`): what is added is rounded, and undone bit for bit. None: x
        is any array.
    """

    def __init__(self, channels, net, split=None, two_sided=False, condition=0,
                 fraction: Optional[int] = None):
        super().__init__(channels, net, split, two_sided, condition)
        self.kind = "additive" if fraction is None else f"additive<fraction = {fraction}>"

    def _change(self, net, x, given, inverse):
        return _couple(self.kind, net, x, given, inverse, log_det=False)


class NICECoupling(AdditiveCoupling):
    """`AdditiveCoupling`, of both sides by default."""

    def __init__(self, channels, net, split=None, two_sided=True, condition=0,
                 fraction: Optional[int] = None):
        super().__init__(channels, net, split, two_sided, condition, fraction)


class AffineCoupling(Coupling):
    """y2 = s(a) x2 + t, (a, t) = net(x1): Dinh et al., RealNVP (arXiv 1605.08803). The network
    returns a and t beside each other in its last dimension, or as a pair. See `Coupling`.

    scale: what s is. "tanh" exp(clamp tanh(a / clamp)), "atan" exp(0.636 clamp atan(a)), "exp"
        exp(a), "sigmoid" 1 / (1 + exp(-a - 2)), which contracts, as in Glow; a function f of
        arrays exp(clamp f(a)).
    """

    parameters_per_channel = 2

    def __init__(self, channels, net, split=None, two_sided=False, condition=0,
                 scale: str = "tanh", clamp: float = 2.0):
        self.kind, self.scale, self.clamp = soft_scale(scale, clamp), scale, clamp
        super().__init__(channels, net, split, two_sided, condition)

    def _change(self, net, x, given, inverse):
        net = parameters_of(net, self.scale, self.clamp)
        return _couple(self.kind, net, x, given, inverse, log_det=True)


class GlowCoupling(AffineCoupling):
    """`AffineCoupling` with a sigmoid as its scale by default: Kingma and Dhariwal, Glow
    (arXiv 1807.03039)."""

    def __init__(self, channels, net, split=None, two_sided=False, condition=0,
                 scale: str = "sigmoid", clamp: float = 2.0):
        super().__init__(channels, net, split, two_sided, condition, scale, clamp)


class _Pair(Module):
    """Two networks of one input, for a and t."""

    def __init__(self, scale, shift):
        self.scale, self.shift = scale, shift

    def __call__(self, *given):
        return self.scale(*given), self.shift(*given)


class RNVPCoupling(AffineCoupling):
    """`AffineCoupling` of both sides by default, where a and t are of a network each: `net` is
    a factory, or a pair of modules, with `two_sided` a pair of pairs.

    Submodules: `nets`, of `scale` and `shift` each.
    """

    def __init__(self, channels, net, split=None, two_sided=True, condition=0,
                 scale: str = "tanh", clamp: float = 2.0):
        if isinstance(net, (tuple, list)) and not two_sided:
            net = [tuple(net)]
        super().__init__(channels, net, split, two_sided, condition, scale, clamp)

    def _make(self, net, given, changed):
        scale, shift = net if isinstance(net, (tuple, list)) else (net, net)
        inputs = given + (self.condition or 0)
        return _Pair(make_net(scale, inputs, changed), make_net(shift, inputs, changed))


class GINCoupling(Coupling):
    """`AffineCoupling` that keeps volumes: at each place the mean of log s over the channels is
    subtracted; log_det is 0. Of both sides by default. Sorrenson et al., GIN (arXiv
    2001.04872, section 4.2).

    scale: "tanh", "atan", "exp" or a function: see `AffineCoupling`.
    """

    parameters_per_channel = 2

    def __init__(self, channels, net, split=None, two_sided=True, condition=0,
                 scale: str = "tanh", clamp: float = 2.0):
        if scale == "sigmoid":
            raise ValueError("GINCoupling expects a scale out of tanh, atan, exp, but got "
                             "'sigmoid'")
        soft_scale(scale, clamp)
        self.scale, self.clamp = scale, clamp
        super().__init__(channels, net, split, two_sided, condition)

    def _change(self, net, x, given, inverse):
        def parameters(*given):
            a, t = both(net(*given))
            a = log_scale(a, self.scale, self.clamp)
            return a - mnp.mean(a, axis=-1, keepdims=True), t

        return _couple("affine<exp>", parameters, x, given, inverse, log_det=False)


def both(found):
    """The pair (a, t) that a network returns as one, or beside each other."""
    return found if isinstance(found, tuple) else tuple(mnp.split(found, 2, axis=-1))


class AllInOne(Coupling):
    """The block of FrEIA: a coupling y2 = exp(clamp tanh(a / clamp)) x2 + t with (a, t) = 0.1
    net(x1), which is near to the identity at first, an `ActNorm`, and a mixing of channels:
    y = mix(actnorm(x1, y2)).

    mix: "permute" (a random permutation), "orthogonal" (a fixed rotation) or an integer, the
        reflections of a `Householder`.
    gin: whether the coupling keeps volumes: see `GINCoupling`.
    scale: that of the ActNorm. start: its s at first.
    undo: whether channels are mixed back, by the inverse of `mix`, before the coupling.

    Submodules: `nets`, `norm` and `mix`. See `Coupling`.
    """

    parameters_per_channel = 2

    def __init__(self, channels, net, split=None, two_sided=False, condition=0,
                 clamp: float = 2.0, mix="permute", gin: bool = False, scale: str = "exp",
                 start: float = 1.0, undo: bool = False):
        self.kind = soft_scale("tanh", clamp)
        self.clamp, self.gin, self.undo = clamp, gin, undo
        super().__init__(channels, net, split, two_sided, condition)
        self.norm = ActNorm(channels, scale, start)
        if mix not in ("permute", "orthogonal") and (isinstance(mix, str) or mix < 1):
            raise ValueError("AllInOne expects as mix 'permute', 'orthogonal' or a number of "
                             f"reflections, but got {mix!r}")
        self.mix = (Permute(channels) if mix == "permute" else
                    FixedOrthogonal(channels) if mix == "orthogonal" else
                    Householder(channels, mix))

    def _change(self, net, x, given, inverse):
        def parameters(*given):
            a, t = both(net(*given))
            a, t = 0.1 * a, 0.1 * t
            if self.gin:
                a = log_scale(a, "tanh", self.clamp)
                a = a - mnp.mean(a, axis=-1, keepdims=True)
            return a, t

        kind = "affine<exp>" if self.gin else self.kind
        return _couple(kind, parameters, x, given, inverse, log_det=not self.gin)

    def __call__(self, x, cond=None):
        if self.undo:
            x, _ = self.mix.inverse(x)
        y, total = super().__call__(x, cond)
        y, log_det = self.norm(y)
        return self.mix(y)[0], total + log_det

    def inverse(self, y, cond=None):
        y, total = self.norm.inverse(self.mix.inverse(y)[0])
        x, log_det = super().inverse(y, cond)
        if self.undo:
            x, _ = self.mix(x)
        return x, total + log_det


class ConditionalAffine(Bijection):
    """y = s(a) x + t of the whole x [batch, ..., channels], where (a, t) = net(cond).

    net: a factory, or a module that gets the condition, whatever that is, and returns a and t
        beside each other in the last dimension, or as a pair; arrays like x, or [batch,
        channels] for all of its places.
    condition: the number of channels of the condition, for a factory.
    scale, clamp: see `AffineCoupling`.

    Submodule: `net`.
    """

    def __init__(self, channels: int, net, condition: Optional[int] = None,
                 scale: str = "tanh", clamp: float = 2.0):
        if condition is None and not isinstance(net, Module):
            raise ValueError("ConditionalAffine expects the channels of its condition for a "
                             "factory, but got None")
        self.channels, self.kind = channels, soft_scale(scale, clamp)
        self.scale, self.clamp = scale, clamp
        self.net = make_net(net, condition, 2 * channels)

    def __call__(self, x, cond=None):
        return self._change(x, cond, inverse=False)

    def inverse(self, y, cond=None):
        return self._change(y, cond, inverse=True)

    def _change(self, x, cond, inverse):
        check_channels(self, x, self.channels)
        if cond is None:
            raise ValueError("ConditionalAffine expects a condition, but got None")

        def spread(p):
            space = (1,) * (x.ndim - p.ndim)
            return mnp.broadcast_to(mnp.reshape(p, (p.shape[0], *space, *p.shape[1:])), x.shape)

        def parameters(cond):
            a, t = both(parameters_of(self.net, self.scale, self.clamp)(cond))
            return spread(a), spread(t)

        return couple(parameters, x, cond, self.kind, log_det=True, inverse=inverse)
