# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Iterative inversion of a user's forward operator by a network."""

from ... import _transforms
from ... import numpy as mnp
from ...nn.reversible import couple
from ..bijection import Bijection, Repeat
from ..dynamics import IRIMCoupling
from ..elementwise import ActNorm
from .steps import check_counts, network_factory

__all__ = ["LoopUnrolled", "least_squares"]


def least_squares(operator, adjoint=None, link=None):
    """The gradient by x of |A(link(x)) - d|^2 / 2, for `LoopUnrolled`: a function (x, cond) where
    cond is the data d, or a tuple (d, *parameters) of them and what A depends on.

    operator: A, a function (image, *parameters) of traced arrays, such as one with
        `memrev.external`, to an array like d. adjoint: the function (residual, *parameters) to an
        array like the image that its derivative has as its transpose; by default the compiler
        makes it.
    link: a function of images that the estimate goes through, Putzky and Welling's psi; None:
        the identity.
    """
    def gradient(x, cond):
        data, *parameters = cond if isinstance(cond, (tuple, list)) else (cond,)

        def image_of(x):
            return x if link is None else link(x)

        if adjoint is None:
            predicted, pullback = _transforms.vjp(
                lambda x: operator(image_of(x), *parameters), x)
            return pullback(predicted - data)[0]
        if link is None:
            return adjoint(operator(x, *parameters) - data, *parameters)
        image, pullback = _transforms.vjp(image_of, x)
        return pullback(adjoint(operator(image, *parameters) - data, *parameters))[0]

    return gradient


class _Iteration(Bijection):
    """A step of `LoopUnrolled`."""

    def __init__(self, channels, gradient, layer):
        self.channels, self.gradient = channels, gradient
        self.norm, self.layer = ActNorm(channels), layer

    def __call__(self, x, cond=None):
        estimate, memory = x
        memory = self._informed(memory, estimate, cond, inverse=False)
        both, log_det = self.layer(mnp.concatenate([estimate, memory], axis=-1))
        return tuple(mnp.split(both, [self.channels], axis=-1)), log_det

    def inverse(self, y, cond=None):
        both, log_det = self.layer.inverse(mnp.concatenate(list(y), axis=-1))
        estimate, memory = mnp.split(both, [self.channels], axis=-1)
        return (estimate, self._informed(memory, estimate, cond, inverse=True)), log_det

    def _informed(self, memory, estimate, cond, inverse):
        """The memory with the gradient added to its first channels, or without it."""
        def normalized(estimate):
            return self.norm(self.gradient(estimate, cond))[0]

        first, rest = mnp.split(memory, [self.channels], axis=-1)
        first = couple(normalized, first, estimate, inverse=inverse)
        return mnp.concatenate([first, rest], axis=-1)


class LoopUnrolled(Repeat):
    """`steps` of an invertible recurrent inference machine with parameters of their own, as one
    loop: Putzky and Welling, Invert to learn to invert (arXiv 1911.10914), as in
    InvertibleNetworks.jl. A tuple of an estimate [batch, *space, channels] and a memory [batch,
    *space, memory] to the next ones:

        memory[first channels] += ActNorm(gradient(estimate, cond))
        (estimate, memory) = layer(estimate, memory beside each other)

    gradient: a function (estimate, cond) to an array like the estimate: how data, which are in
        cond, a tree of arrays, contradict it. Any traced function, of a user's forward operator
        and its adjoint: see `least_squares`.
    net: a factory of the networks of the `IRIMCoupling` that is the layer, by default two hidden
        layers of 64. layer: another bijection of channels + memory channels, in its place.

    Submodule: `block`. Raises ValueError for less than one step and a memory of less channels than
    the estimate, and, when called, for anything but such a pair.
    """

    def __init__(self, channels: int, memory: int, gradient, steps: int = 4, net=None,
                 rank: int = 2, layer=None):
        check_counts("LoopUnrolled", steps=steps)
        if memory < channels:
            raise ValueError(f"LoopUnrolled expects a memory of at least {channels} channels, as "
                             f"many as the estimate has, but got {memory}")
        if layer is None:
            layer = IRIMCoupling(channels + memory, network_factory(net, rank))
        super().__init__(_Iteration(channels, gradient, layer), steps)
        self.sizes = channels, memory

    def _accumulate(self, function, x, cond, reverse=False):
        if not isinstance(x, (tuple, list)) or tuple(a.shape[-1] for a in x) != self.sizes:
            got = [list(a.shape) for a in x] if isinstance(x, (tuple, list)) else "one array"
            raise ValueError(f"LoopUnrolled expects an estimate of {self.sizes[0]} channels and a "
                             f"memory of {self.sizes[1]}, but got {got}")
        return super()._accumulate(function, tuple(x), cond, reverse)
