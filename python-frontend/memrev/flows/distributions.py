# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Distributions of latent variables: densities per sample, and samples."""

import math

import numpy as np

from .. import lax, nn, tree
from .. import numpy as mnp
from .._array import as_array
from ..numpy import linalg
from .bijection import sum_per_sample

__all__ = ["DiagonalNormal", "Distribution", "GaussianMixture", "StandardNormal"]

_LOG_2PI = math.log(2 * math.pi)


class Distribution(nn.Module):
    """A distribution of samples. The first dimension of arrays is the batch."""

    def log_prob(self, z, cond=None):
        """The logarithm of the density of each sample of z: [batch]."""
        raise NotImplementedError(f"{type(self).__name__} expects a method log_prob")

    def sample(self, like, cond=None):
        """Samples of the structure, shapes and dtypes of `like`, of whose leaves, arrays or
        `memrev.ShapeDtype`s, nothing else is looked at. Random numbers are a function of what
        `apply(..., rng=(seed, step))` was given, without which it raises ValueError."""
        raise NotImplementedError(f"{type(self).__name__} expects a method sample")

    def __call__(self, z, cond=None):
        return self.log_prob(z, cond)

    def _normal(self, like):
        seed, step, layer = self.random_key()
        return lax.random_normal(like.shape, seed, layer, step, like.dtype)


class StandardNormal(Distribution):
    """Independent normal numbers of mean 0 and deviation 1: an array [batch, ...] or a tree of
    such arrays, whose densities are multiplied."""

    def log_prob(self, z, cond=None):
        total = 0
        for leaf in tree.leaves(z):
            count = math.prod(leaf.shape[1:])
            total = total - 0.5 * (sum_per_sample(leaf * leaf) + count * _LOG_2PI)
        return total

    def sample(self, like, cond=None):
        return tree.map(self._normal, like)


class DiagonalNormal(Distribution):
    """Independent normal numbers with a mean and a deviation for each element of a sample.

    shape: that of a sample.

    Parameters: `mean` and `log_scale`, the logarithm of the deviation, of that shape; zeros at
    first. Raises ValueError, when called, for samples of another shape.
    """

    def __init__(self, *shape: int):
        self.shape = shape
        self.mean = nn.Parameter(shape, nn.init.zeros)
        self.log_scale = nn.Parameter(shape, nn.init.zeros)

    def log_prob(self, z, cond=None):
        self._check(z)
        scaled = (z - self.mean) * mnp.exp(-self.log_scale)
        count = math.prod(self.shape)
        return (-0.5 * (sum_per_sample(scaled * scaled) + count * _LOG_2PI)
                - mnp.sum(self.log_scale))

    def sample(self, like, cond=None):
        self._check(like)
        return self.mean + mnp.exp(self.log_scale) * self._normal(like)

    def _check(self, z):
        if tuple(z.shape[1:]) != self.shape:
            raise ValueError(f"DiagonalNormal expects samples of shape {list(self.shape)}, but got "
                             f"shape {list(z.shape)}")


class GaussianMixture(Distribution):
    """A mixture of normal distributions of vectors [batch, features] with any covariances, as
    in FrEIA; Ardizzone et al., Conditional invertible neural networks (arXiv 1907.02392) use one
    component for each class. For a component of mean m whose inverse covariance is U^T U, U an
    upper triangle with exp(a) on the diagonal,

        log p(z | component) = sum a - features / 2 log(2 pi) - |U (z - m)|^2 / 2

    cond: None, or the component of each sample, integers [batch], whose density is then that
        of the component.

    Parameters: `logits` [components], whose softmax are the weights; `means` [components,
    features], of normal distribution at first; `factors` [components, features, features], a on
    the diagonal and U above, zeros at first. Raises ValueError for less than one component or
    feature, and, when called, for samples of another shape.
    """

    def __init__(self, components: int, features: int):
        if components < 1 or features < 1:
            raise ValueError("GaussianMixture expects at least 1 component and 1 feature, but got "
                             f"{components} and {features}")
        self.components, self.features = components, features
        self.logits = nn.Parameter((components,), nn.init.zeros)
        self.means = nn.Parameter((components, features), nn.init.normal())
        self.factors = nn.Parameter((components, features, features), nn.init.zeros)

    def log_prob(self, z, cond=None):
        self._check(z)
        upper, diagonal = self._upper()
        means = as_array(self.means)
        away = mnp.expand_dims(z, 0) - mnp.expand_dims(means, 1)  # [components, batch, features]
        turned = mnp.matmul(away, mnp.swapaxes(upper, -1, -2))
        each = (mnp.expand_dims(mnp.sum(diagonal, axis=-1), 1)
                - 0.5 * (mnp.sum(turned * turned, axis=-1) + self.features * _LOG_2PI))
        if cond is None:
            return lax.logsumexp(each + mnp.expand_dims(lax.log_softmax(self.logits), 1), axis=0)
        return mnp.sum(mnp.where(self._is(cond), each, 0), axis=0)

    def sample(self, like, cond=None):
        self._check(like)
        noise = self._normal(like)
        if cond is None:
            cond = self._components(like)
        upper, _ = self._upper()
        # U x = noise for all components; the others are not taken.
        found = mnp.swapaxes(linalg.solve_triangular(
            upper, mnp.broadcast_to(noise.T, (self.components, *noise.T.shape))), -1, -2)
        found = found + mnp.expand_dims(as_array(self.means), 1)
        return mnp.sum(mnp.where(mnp.expand_dims(self._is(cond), -1), found, 0), axis=0)

    def _components(self, like):
        """A random component for each sample: the one with the largest logit and Gumbel noise
        (Gumbel, Statistical theory of extreme values, 1954)."""
        seed, step, layer = self.random_key()
        uniform = lax.random_uniform((like.shape[0], self.components), seed, layer, step,
                                     like.dtype)
        tiny = np.finfo(like.dtype).tiny
        gumbel = -mnp.log(-mnp.log(mnp.maximum(uniform, tiny)))
        return mnp.argmax(gumbel + self.logits, axis=-1)

    def _is(self, cond):
        """Where [components, batch] a sample is of a component."""
        numbers = np.arange(self.components)[:, np.newaxis]
        return mnp.expand_dims(as_array(cond), 0) == numbers.astype(cond.dtype)

    def _upper(self):
        factors = as_array(self.factors)
        n, dtype = self.features, factors.dtype
        diagonal = mnp.sum(factors * np.eye(n, dtype=dtype), axis=-1)
        above = factors * np.tri(n, k=-1, dtype=dtype).T
        return above + mnp.expand_dims(mnp.exp(diagonal), -1) * np.eye(n, dtype=dtype), diagonal

    def _check(self, z):
        if len(z.shape) != 2 or z.shape[1] != self.features:
            raise ValueError(f"GaussianMixture expects an array [batch, {self.features}], but got "
                             f"shape {list(z.shape)}")
