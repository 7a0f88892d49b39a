# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The Glow that the benchmarks of flows measure, of layers of memrev.flows."""

import math

import numpy as np

import memrev
from memrev import flows, tree


def glow(levels, count, channels=3, hidden=64, mix=flows.FixedOrthogonal):
    """The multiscale Glow of Kingma and Dhariwal (arXiv 1807.03039, figure 2b): `levels` times
    a squeeze, `count` steps of flow and a split, after which one half of the channels goes on.

    A step is an ActNorm, a mixing `mix` of channels and a coupling of both halves whose networks
    are three convolutions, 3x3, 1x1 and 3x3, with `hidden` channels between.
    x [batch, height, width, channels]; the result is a nested tuple (half, (half, rest)).
    """
    channels *= 4
    step = flows.Sequential(
        flows.ActNorm(channels), mix(channels),
        flows.GlowCoupling(channels, flows.convolutional(hidden, hidden), two_sided=True,
                           scale="atan"))
    layers = [flows.Squeeze(), flows.Repeat(step, count)]
    if levels > 1:
        half = channels // 2
        layers += [flows.Split(half, channels - half),
                   flows.Parallel(None, glow(levels - 1, count, channels - half, hidden, mix))]
    return flows.Sequential(*layers)


def negative_log_likelihood(model, params, state, x):
    """The mean over the batch of -log p(x), for a standard normal prior, in nats."""
    (z, log_det), _ = model.apply(params, state, x)
    squares = sum((part * part).sum() for part in tree.leaves(z))
    elements = math.prod(x.shape[1:])
    return (0.5 * squares - log_det.sum()) / x.shape[0] + 0.5 * elements * math.log(2 * math.pi)


def variables(model, x, seed=0, spread=0.0005):
    """(params, state) with numbers where the initial values are zeros, of which derivatives
    would be zeros, too, and norms initialised by the batch `x`."""
    found = model.init(seed, x.dtype)
    generator = np.random.default_rng(seed)
    params = tree.map(
        lambda a: a + (spread * generator.standard_normal(a.shape)).astype(a.dtype),
        found["params"])
    state = found["state"]
    initialize = memrev.jit(lambda params, state, x: model.initialize(params, state, x))
    return initialize(params, state, x)["params"], state


def images(batch, size, channels=3, seed=1, dtype=np.float32):
    """Normal numbers [batch, size, size, channels]."""
    return np.random.default_rng(seed).standard_normal(
        (batch, size, size, channels)).astype(dtype)
