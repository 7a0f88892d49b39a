# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The networks that the benchmarks of flows measure, of layers of memrev.flows."""

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


def splines(channels, steps, hidden):
    """The neural spline flow of Durkan et al. (arXiv 1906.04032) for vectors: `steps` of an
    ActNorm, a fixed orthogonal mixing of channels and a coupling of both halves by
    rational-quadratic splines of 10 bins, whose networks have two layers of `hidden` features
    between."""
    return flows.NeuralSplineFlow(channels, steps, flows.dense(hidden, hidden), mix="orthogonal")


def build(network, number, options, **others):
    """(model, batch, deviation of what is added to its parameters) of a row of the benchmark
    "glow", of `number` steps in each level, or "splines", of vectors of `number` channels."""
    if network == "splines":
        # Splines that are none would have gradients of zero.
        return (splines(number, options["flow_steps"], options["hidden"]),
                normal(options["batch"], number), 0.01)
    return (glow(options["levels"], number, hidden=options["hidden"], **others),
            normal(options["batch"], options["size"], options["size"], 3), 0.0005)


def negative_log_likelihood(model, params, state, x):
    """The mean over the batch of -log p(x), for a standard normal prior, in nats."""
    (z, log_det), _ = model.apply(params, state, x)
    squares = sum((part * part).sum() for part in tree.leaves(z))
    elements = math.prod(x.shape[1:])
    return (0.5 * squares - log_det.sum()) / x.shape[0] + 0.5 * elements * math.log(2 * math.pi)


def variables(model, x, spread, seed=0):
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


def normal(*shape, seed=1, dtype=np.float32):
    """Normal numbers."""
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)
