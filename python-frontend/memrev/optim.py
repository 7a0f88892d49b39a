# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Optimizers: pure functions on trees of parameters.

    opt = memrev.optim.SGD(rate=0.1, momentum=0.9)
    opt_state = opt.init(params)
    params, opt_state = opt.update(grads, opt_state, params)

`update` works on NumPy arrays and on traced ones. The arithmetic is PyTorch's:
from the same numbers it computes the same numbers, but for rounding. `grads` has
the structure of `params`, and results have the shapes and dtypes of what they
replace, so that a compiled step may donate parameters and state.

A learning rate that changes is an argument, `update(..., rate=rate)`: as a traced
scalar it does not compile anew. The schedules of this module compute such rates
in plain Python.
"""

import bisect
import math
from typing import Callable, Optional, Sequence

import numpy as np

from . import tree

__all__ = ["SGD", "Adam", "AdamW", "clip_by_global_norm", "constant", "cosine", "steps",
           "weights_only"]


def weights_only(path, parameter) -> bool:
    """A `mask` for weight decay: filters and matrices, which layers call "weight",
    but no biases, scales and offsets."""
    return path[-1] == "weight"


def _cast(scalar, like):
    """`scalar` in the dtype of `like`, which it then does not promote."""
    return scalar.astype(like.dtype) if hasattr(scalar, "astype") else scalar


def _zeros_like(params):
    return tree.map(lambda p: np.zeros(p.shape, p.dtype), params)


def _check_range(name, value, below=math.inf):
    if not 0 <= value < below:
        wanted = "of at least 0" if below == math.inf else f"in [0, {below:g})"
        raise ValueError(f"{name} expects a number {wanted}, but got {value}")


class _Optimizer:
    """What the optimizers share: the learning rate, and which parameters decay."""

    def __init__(self, rate, weight_decay, mask):
        _check_range("rate", rate)
        _check_range("weight_decay", weight_decay)
        self.rate = rate
        self.weight_decay = weight_decay
        self.mask = mask

    def _decays(self, path, parameter):
        return bool(self.weight_decay) and (self.mask is None or self.mask(path, parameter))

    @staticmethod
    def _step(params, function, *trees):
        """Maps `function`, which returns a tuple, over the parameters and returns a
        tuple of trees."""
        rows = tree.map_with_path(lambda *row: _Row(function(*row)), params, *trees)
        count = len(next(iter(tree.leaves(rows)), ()))
        return tuple(tree.map(lambda row, i=i: row[i], rows) for i in range(count))


class _Row:
    """Several values as one leaf."""

    __slots__ = ("values",)

    def __init__(self, values):
        self.values = values

    def __len__(self):
        return len(self.values)

    def __getitem__(self, index):
        return self.values[index]


class SGD(_Optimizer):
    """Stochastic gradient descent:

        g = grad + weight_decay p        where `mask(path, p)` is true or None
        v = momentum v + (1 - dampening) g,  v = g at the first step
        p = p - rate v                   nesterov: p - rate (g + momentum v)

    Sutskever, Martens, Dahl, Hinton: On the importance of initialization and
    momentum in deep learning (ICML 2013), in PyTorch's form, where the rate
    multiplies the velocity after momentum.

    The state holds `velocity`, a tree like the parameters, if there is momentum,
    and `count`, an int32 scalar, if there is dampening.

    Raises ValueError for numbers out of range, and for Nesterov's momentum without
    momentum or with dampening.
    """

    def __init__(self, rate: float, momentum: float = 0.0, dampening: float = 0.0,
                 nesterov: bool = False, weight_decay: float = 0.0,
                 mask: Optional[Callable] = None):
        super().__init__(rate, weight_decay, mask)
        _check_range("momentum", momentum)
        if nesterov and (momentum == 0 or dampening != 0):
            raise ValueError("nesterov expects momentum and no dampening, but got momentum "
                             f"{momentum} and dampening {dampening}")
        self.momentum = momentum
        self.dampening = dampening
        self.nesterov = nesterov

    def init(self, params):
        """The state before the first step: zeros."""
        state = {}
        if self.momentum:
            state["velocity"] = _zeros_like(params)
            if self.dampening:
                state["count"] = np.zeros((), np.int32)
        return state

    def update(self, grads, state, params, rate=None):
        """Returns the parameters and the state after a step.

        `rate`, a number or a scalar array, takes the place of the optimizer's.
        Raises ValueError that names the place where trees differ in structure.
        """
        rate = self.rate if rate is None else rate

        def decayed(path, p, g):
            return g + self.weight_decay * p if self._decays(path, p) else g

        if not self.momentum:
            new = tree.map_with_path(
                lambda path, p, g: p - _cast(rate, p) * decayed(path, p, g), params, grads)
            return new, state

        weight = 1 - self.dampening
        if self.dampening:
            weight = np.where(state["count"] == 0, 1.0, weight)

        def step(path, p, g, v):
            g = decayed(path, p, g)
            v = self.momentum * v + (_cast(weight, p) * g if self.dampening else g)
            return p - _cast(rate, p) * (g + self.momentum * v if self.nesterov else v), v

        params, velocity = self._step(params, step, grads, state["velocity"])
        state = dict(state, velocity=velocity)
        if self.dampening:
            state["count"] = state["count"] + np.int32(1)
        return params, state


class Adam(_Optimizer):
    """Adam, Kingma and Ba (arXiv 1412.6980, algorithm 1):

        g = grad + weight_decay p        where `mask(path, p)` is true or None
        m = b1 m + (1 - b1) g,  v = b2 v + (1 - b2) g^2
        p = p - rate m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + epsilon)

    The state holds the moments `first` and `second`, trees like the parameters,
    and the number of steps `count`, an int32 scalar. The corrections 1 - b^t are
    computed in float64.

    Raises ValueError for numbers out of range.
    """

    #: Whether the decay is a part of the gradient or acts on its own.
    _decoupled = False

    def __init__(self, rate: float = 1e-3, betas: Sequence[float] = (0.9, 0.999),
                 epsilon: float = 1e-8, weight_decay: float = 0.0,
                 mask: Optional[Callable] = None):
        super().__init__(rate, weight_decay, mask)
        for beta in betas:
            _check_range("betas", beta, below=1)
        _check_range("epsilon", epsilon)
        self.betas = tuple(betas)
        self.epsilon = epsilon

    def init(self, params):
        """The state before the first step: zeros."""
        return {"count": np.zeros((), np.int32), "first": _zeros_like(params),
                "second": _zeros_like(params)}

    def update(self, grads, state, params, rate=None):
        """Returns the parameters and the state after a step.

        `rate`, a number or a scalar array, takes the place of the optimizer's.
        Raises ValueError that names the place where trees differ in structure.
        """
        rate = self.rate if rate is None else rate
        b1, b2 = self.betas
        count = state["count"] + np.int32(1)
        t = count.astype(np.float64)
        size = (rate.astype(np.float64) if hasattr(rate, "astype") else rate) / (1 - b1**t)
        spread = np.sqrt(1 - b2**t)

        def step(path, p, g, m, v):
            if self._decays(path, p):
                if self._decoupled:
                    p = p * (1 - _cast(rate, p) * self.weight_decay)
                else:
                    g = g + self.weight_decay * p
            m = b1 * m + (1 - b1) * g
            v = b2 * v + (1 - b2) * (g * g)
            deviation = np.sqrt(v) / _cast(spread, p) + self.epsilon
            return p - _cast(size, p) * (m / deviation), m, v

        params, first, second = self._step(params, step, grads, state["first"],
                                           state["second"])
        return params, {"count": count, "first": first, "second": second}


class AdamW(Adam):
    """Adam with decoupled weight decay, Loshchilov and Hutter (arXiv 1711.05101):
    as `Adam`, but the decay is p = p (1 - rate weight_decay) before the step, and no
    part of the gradient."""

    _decoupled = True

    def __init__(self, rate: float = 1e-3, betas: Sequence[float] = (0.9, 0.999),
                 epsilon: float = 1e-8, weight_decay: float = 1e-2,
                 mask: Optional[Callable] = None):
        super().__init__(rate, betas, epsilon, weight_decay, mask)


def clip_by_global_norm(grads, largest: float):
    """Scales gradients whose norm over all parameters is above `largest` down to it.

    Returns the gradients and the norm before, a scalar. As PyTorch's
    clip_grad_norm_, the factor is min(1, largest / (norm + 1e-6)).
    """
    norm = np.sqrt(sum((g * g).sum() for g in tree.leaves(grads)))
    factor = np.minimum(largest / (norm + 1e-6), 1.0)
    return tree.map(lambda g: g * _cast(factor, g), grads), norm


# ------------------------------------------------------------------------------
# Schedules: functions of the number of steps done, a plain int, to the rate.
# ------------------------------------------------------------------------------


def constant(rate: float) -> Callable[[int], float]:
    """The same rate at each step."""
    return lambda iteration: rate


def steps(rate: float, boundaries: Sequence[int], factor: float = 0.1):
    """`rate`, multiplied by `factor` at each of `boundaries`."""
    boundaries = sorted(boundaries)
    return lambda iteration: rate * factor ** bisect.bisect_right(boundaries, iteration)


def cosine(rate: float, iterations: int, warmup: int = 0, final: float = 0.0):
    """A linear rise to `rate` over `warmup` steps, then half a cosine down to
    `final` at step `iterations`: Loshchilov and Hutter (arXiv 1608.03983, equation 5)
    without restarts."""
    if not 0 <= warmup < iterations:
        raise ValueError(f"warmup expects less than {iterations} steps, but got {warmup}")

    def schedule(iteration):
        if iteration < warmup:
            return rate * (iteration + 1) / warmup
        part = min((iteration - warmup) / (iterations - warmup), 1.0)
        return final + (rate - final) * (1 + math.cos(math.pi * part)) / 2

    return schedule
