# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Densities of data by networks: likelihoods, samples, losses."""

import math

from .. import _graph, lax, nn, tree
from .. import numpy as mnp
from .._array import as_array
from .._jit import ShapeDtype, TracedFunction
from .bijection import Bijection
from .distributions import Distribution, StandardNormal

__all__ = ["Flow", "bits_per_dimension", "dequantize", "latents_like"]


class Flow(nn.Module):
    """The distribution of x = network.inverse(z) for a random z, by the change of variables

        log p(x) = log p_base(z) + log |det dz/dx|,  (z, log_det) = network(x)

    network: a bijection from data to latent variables, any number of them.
    base: the distribution of latent variables; a standard normal one by default.

    Methods are called by `apply(params, state, ..., method=name)`; the call itself is
    `log_prob`. All are programs: gradients and Hessian products by parameters, data and
    conditions are those of `memrev.grad` and `memrev.hvp`. Submodules: `network`, `base`.
    """

    def __init__(self, network: Bijection, base: Distribution = None):
        self.network, self.base = network, StandardNormal() if base is None else base

    def __call__(self, x, cond=None):
        return self.log_prob(x, cond)

    def log_prob(self, x, cond=None, base_cond=None):
        """log p(x | cond) of each sample, [batch]. base_cond: what the base is conditional on,
        such as the components of a `GaussianMixture`."""
        z, log_det = self.network(x, cond)
        return self.base.log_prob(z, base_cond) + log_det

    def negative_log_likelihood(self, x, cond=None, base_cond=None):
        """The mean of -log p(x | cond) over the batch: the loss of maximum likelihood."""
        return -mnp.mean(self.log_prob(x, cond, base_cond))

    def sample(self, like, cond=None, base_cond=None):
        """(x, log p(x | cond)) of random samples, of one evaluation of the inverse. like: the
        latent variables' structure, shapes and dtypes: see `latents_like`. Raises ValueError
        without `apply(..., rng=(seed, step))`, of which samples are a function."""
        z = self.base.sample(like, base_cond)
        x, log_det = self.network.inverse(z, cond)
        return x, self.base.log_prob(z, base_cond) - log_det

    def reverse_kl(self, log_target, like, cond=None):
        """An estimate of the divergence KL(p || target) + constant, the mean of log p(x) -
        log_target(x) over random samples x: variational inference, Rezende and Mohamed (arXiv
        1505.05770).

        log_target: the logarithm of a density that need not be normalised, a function of a
            batch to [batch]. like: as for `sample`.
        """
        x, log_prob = self.sample(like, cond)
        return mnp.mean(log_prob - log_target(x))

    def bits_per_dimension(self, x, cond=None, bins: int = 256):
        """-log2 p of each sample of integers 0, ..., bins - 1, divided by its elements: the
        bound by uniform dequantization, of Theis et al. (arXiv 1511.01844, section 3.1). Raises
        ValueError without `apply(..., rng=(seed, step))`."""
        seed, step, layer = self.random_key()
        log_prob = self.log_prob(dequantize(x, bins, seed, layer, step), cond)
        return bits_per_dimension(log_prob, math.prod(x.shape[1:]), bins)


def dequantize(x, bins: int, seed, layer=0, step=0):
    """(x + u) / bins for numbers u of uniform distribution in [0, 1): integers 0, ..., bins - 1,
    as floats or as int32, to numbers in [0, 1), whose density is a bound of the probability of
    the integers: Theis et al. (arXiv 1511.01844, section 3.1)."""
    x = as_array(x)
    if x.dtype.kind in "iu":
        x = x.astype(mnp.float32)
    return (x + lax.random_uniform(x.shape, seed, layer, step, x.dtype)) / bins


def bits_per_dimension(log_prob, dimensions: int, bins: int = 256):
    """The bits that a sample takes, for each of its `dimensions`: log_prob [batch] is the density
    of data that were scaled from 0, ..., bins to 0, ..., 1. bins = 1: of data that were not."""
    return (math.log(bins) - log_prob / dimensions) / math.log(2)


def latents_like(network: Bijection, x, cond=None):
    """The latent variables of x as `memrev.ShapeDtype`s, whose batch may be changed by
    `memrev.tree.map`: for `Flow.sample`.

    x, cond: trees of arrays or ShapeDtypes. Nothing is computed.
    """
    def as_types(values):
        return tree.map(lambda a: ShapeDtype(a.shape, a.dtype), values)

    arguments = as_types((network.init(0, tree.leaves(x)[0].dtype), x, cond))

    def latents(variables, x, cond):
        (z, _), _ = network.apply(variables["params"], variables["state"], x, cond)
        return z

    traced = TracedFunction(latents, _graph.Program(), "latents", arguments, {},
                            lambda i, leaf: True)
    return as_types(traced.output)
