# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Residual flows: y = x + g(x) with a contraction g."""

import math
from typing import Optional

import numpy as np

from .. import _transforms, lax, nn
from .. import numpy as mnp
from .._array import as_array
from .._custom import custom_jvp, custom_vjp
from ..nn.module import detached
from ..numpy import linalg
from ._undo import pair
from .bijection import Bijection, sum_per_sample

__all__ = ["IResNet", "LipschitzNet"]

#: How many directions the gradient of a series keeps; the others are evaluated again from
#: these (Griewank and Walther, Revolve, ACM TOMS 2000).
_KEPT_DIRECTIONS = 4


class LipschitzNet(nn.Module):
    """A network with a Lipschitz constant of at most `bound` to the power of its layers: linear
    layers, or convolutions, each divided by its spectral norm if that is above `bound`, with
    activations that enlarge nothing between. [batch, channels] or [batch, *space, channels],
    which it keeps. Behrmann et al., Invertible residual networks (arXiv 1811.00995, section
    2.1); Gouk et al. (arXiv 1804.04368) for convolutions.

    Norms are those of `iterations` steps of the power method from fixed random numbers, at most
    the true ones and mostly a few percent below; derivatives go through the steps.

    hidden: the channels between, an integer for each layer. rank: how many dimensions space
    has; 0: linear layers. window: the extent of the windows of convolutions, odd.
    activation: a function whose derivative is in [-1, 1]; a log-determinant trains if it is
    smooth.

    Parameters: `weights` and `biases`, by layer. Raises ValueError for a bound outside of
    (0, 1).
    """

    def __init__(self, channels: int, hidden=(64, 64), rank: int = 0, window: int = 3,
                 bound: float = 0.9, activation=lax.elu, iterations: int = 10):
        if not 0 < bound < 1:
            raise ValueError(f"LipschitzNet expects a bound in (0, 1), but got {bound}")
        if not 0 <= rank <= 3 or window % 2 == 0:
            raise ValueError("LipschitzNet expects 0 to 3 dimensions of space and an odd window, "
                             f"but got {rank} and {window}")
        sizes = [channels, *hidden, channels]
        self.layers = [_Contraction(a, b, (window,) * rank, bound, iterations)
                       for a, b in zip(sizes, sizes[1:])]
        self.activation = activation

    def __call__(self, x):
        for layer in self.layers[:-1]:
            x = self.activation(layer(x))
        return self.layers[-1](x)


class _Contraction(nn.Module):
    """A linear layer or convolution of a spectral norm of at most `bound`."""

    def __init__(self, inputs, outputs, window, bound, iterations):
        self.weight = nn.Parameter((*window, inputs, outputs), nn.init.he_normal(gain=1.0))
        self.bias = nn.Parameter((outputs,), nn.init.zeros)
        self.window, self.bound, self.iterations = window, bound, iterations

    def __call__(self, x):
        if x.ndim != len(self.window) + 2 or x.shape[-1] != self.weight.shape[-2]:
            raise ValueError(f"LipschitzNet expects an array of {len(self.window) + 2} dimensions "
                             f"with {self.weight.shape[-2]} channels, but got shape "
                             f"{list(x.shape)}")
        weight = self.weight
        scale = self.bound / mnp.maximum(self._norm(weight, x), self.bound)
        return self._map(x, weight * scale) + self.bias

    def _map(self, x, weight):
        if not self.window:
            return mnp.matmul(x, weight)
        return lax.conv(x, weight, padding=self.window[0] // 2)

    def _transposed(self, y, weight):
        if not self.window:
            return mnp.matmul(y, weight.T)
        return lax.conv_transpose(y, weight, padding=self.window[0] // 2)

    def _norm(self, weight, x):
        """The spectral norm for arrays of the space of x."""
        def unit(u):
            return u / linalg.norm(u)

        # Reproducible, and not orthogonal to the largest singular vector.
        start = lax.random_normal((1, *x.shape[1:]), 0, dtype=x.dtype)
        u = lax.for_loop(self.iterations, lambda i, u: unit(
            self._transposed(self._map(u, weight), weight)), unit(start))
        return linalg.norm(self._map(u, weight))


class IResNet(Bijection):
    """y = x + g(x) with a network g of a Lipschitz constant below 1: Behrmann et al., Invertible
    residual networks (arXiv 1811.00995). Arrays of any shape that g keeps.

    The inverse is the fixed point of x = y - g(x), iterated until a step is below `tolerance`
    times the largest number, or `iterations` times; its derivatives are those of the implicit
    equation.

    net: a module g, such as a `LipschitzNet`, without states.
    log_det: how log |det (I + g')| is computed: "dense" by the matrix, of elements^2 numbers a
        sample, or "series", log(I + g') = g' - g'^2 / 2 + ..., `terms` of it, each estimated
        by `probes` random directions (Hutchinson), which needs `apply(..., rng=(seed, step))`.
        For a Lipschitz constant c the error of the rest is below elements c^(terms + 1) /
        ((terms + 1) (1 - c)). Both have derivatives, for which the series takes the same
        memory whatever `terms` is.
    tolerance: by default 10 times the precision of the elements.

    Submodule: `net`. Raises ValueError for another `log_det`.
    """

    def __init__(self, net: nn.Module, log_det: str = "series", terms: int = 10,
                 probes: int = 1, tolerance: Optional[float] = None, iterations: int = 200):
        if log_det not in ("dense", "series"):
            raise ValueError(f"IResNet expects a log_det out of dense, series, but got "
                             f"{log_det!r}")
        if terms < 1 or probes < 1:
            raise ValueError(f"IResNet expects at least 1 of terms and probes, but got {terms} and "
                             f"{probes}")
        self.net, self.method, self.terms, self.probes = net, log_det, terms, probes
        self.tolerance, self.iterations = tolerance, iterations

    def __call__(self, x, cond=None):
        params, net = detached(self.net)
        forward, _ = self._functions(net)
        return forward(x, params), self._log_det(lambda x: net(params, x), x)

    def inverse(self, y, cond=None):
        params, net = detached(self.net)
        _, backward = self._functions(net)
        x = backward(y, params)
        return x, -self._log_det(lambda x: net(params, x), x)

    def _functions(self, net):
        """Both directions as functions of an array and the network's parameters."""
        return pair(lambda x, params: x + net(params, x), self._solution(net))

    def _fixed_point(self, function, start):
        """The x = function(x) that iterations from `start` come to."""
        tolerance = self.tolerance or 10 * np.finfo(start.dtype).eps

        def goes_on(carry):
            x, step, i = carry
            return (step > tolerance * mnp.maximum(mnp.max(mnp.abs(x)), 1)) & (
                i < self.iterations)

        def improve(carry):
            x, _, i = carry
            better = function(x)
            return better, mnp.max(mnp.abs(better - x)), i + 1

        infinite = np.asarray(np.inf, start.dtype)
        return lax.while_loop(goes_on, improve, (start, infinite, np.int32(0)))[0]

    def _solution(self, net):
        """The function (y, params) -> x with x + net(params, x) = y, and its derivatives: for
        the Jacobian J of the network, dx = (I + J)^-1 (dy - what the parameters add)."""
        def solve(y, params):
            return self._fixed_point(lambda x: y - net(params, x), y)

        def forward(y, params):
            x = solve(y, params)
            return x, (x, params)

        def backward(residuals, dx):
            x, params = residuals

            def transposed(w):
                return _transforms.vjp(lambda x: net(params, x), x)[1](w)[0]

            dy = self._fixed_point(lambda w: dx - transposed(w), dx)
            by_params, = _transforms.vjp(lambda params: net(params, x), params)[1](-dy)
            return dy, by_params

        def tangent(primals, tangents):
            (y, params), (dy, dparams) = primals, tangents
            x = solve(y, params)
            _, moved = _transforms.jvp(lambda params: net(params, x), (params,), (dparams,))

            def along(dx):
                return _transforms.jvp(lambda x: net(params, x), (x,), (dx,))[1]

            right = dy - moved
            return x, self._fixed_point(lambda dx: right - along(dx), right)

        return custom_jvp(custom_vjp(solve, forward=forward, backward=backward),
                          tangent=tangent)

    # ------------------------------------------------------------------------

    def _log_det(self, g, x):
        return (self._dense if self.method == "dense" else self._series)(g, x)

    @staticmethod
    def _dense(g, x):
        batch, count = x.shape[0], math.prod(x.shape[1:])
        rows, directions = _copies(x, count), np.repeat(np.eye(count, dtype=x.dtype), batch, 0)
        _, moved = _transforms.jvp(g, (rows,), (mnp.reshape(as_array(directions), rows.shape),))
        jacobians = mnp.transpose(mnp.reshape(moved, (count, batch, count)), (1, 0, 2))
        return linalg.slogdet(jacobians + np.eye(count, dtype=x.dtype))[1]

    def _series(self, g, x):
        seed, step, layer = self.random_key()
        rows = _copies(x, self.probes)
        probe = lax.random_normal(rows.shape, seed, layer, step, x.dtype)
        factors = as_array(np.array([(-1) ** k / (k + 1) for k in range(self.terms)], x.dtype))

        def add(k, carry):
            direction, total = carry
            _, direction = _transforms.jvp(g, (rows,), (direction,))
            return direction, total + factors[k] * sum_per_sample(direction * probe)

        start = mnp.zeros(rows.shape[0], x.dtype)
        # J^k probe has no inverse to get it back by: J may be singular.
        _, total = lax.for_loop(self.terms, add, (probe, start),
                                checkpoint=f"binomial<{_KEPT_DIRECTIONS}>")
        return mnp.mean(mnp.reshape(total, (self.probes, x.shape[0])), axis=0)


def _copies(x, count):
    """[batch, ...] to [count * batch, ...], one after the other."""
    return mnp.reshape(mnp.broadcast_to(x, (count, *x.shape)), (count * x.shape[0], *x.shape[1:]))
