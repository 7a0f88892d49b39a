#!/usr/bin/env python3
# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Samples of a posterior by a conditional flow with a summary network.

Quantities x of normal distribution are observed often, y = B x + noise, so that the
posterior of x is a normal distribution that is known: the flow, which only sees pairs of x
and y, is compared with it. Radev et al., BayesFlow (arXiv 2003.06281).
"""

import argparse

import numpy as np

import memrev
import training
from memrev import flows, nn

UNKNOWNS, OBSERVED, TIMES, NOISE = 2, 3, 5, 0.7
OPERATOR = np.random.default_rng(1).standard_normal((OBSERVED, UNKNOWNS))


class Summary(nn.Module):
    """Observations [batch, times, observed] to features [batch, features]: their order does not
    matter, as the observations' does not."""

    def __init__(self, features, hidden=32):
        self.each = flows.DenseNet(OBSERVED, hidden, (hidden,))
        self.all = flows.DenseNet(hidden, features, (hidden,), zero_init=False)

    def __call__(self, y):
        return self.all(self.each(y).mean(axis=1))


def simulate(generator, batch):
    """(x [batch, unknowns], y [batch, times, observed])."""
    x = generator.standard_normal((batch, UNKNOWNS))
    y = (x @ OPERATOR.T)[:, np.newaxis] + NOISE * generator.standard_normal(
        (batch, TIMES, OBSERVED))
    return x.astype(np.float32), y.astype(np.float32)


def exact(y):
    """The mean and the covariance of the posterior, given y [times, observed]."""
    covariance = np.linalg.inv(np.eye(UNKNOWNS) + TIMES / NOISE ** 2 * OPERATOR.T @ OPERATOR)
    return covariance @ OPERATOR.T @ y.sum(axis=0) / NOISE ** 2, covariance


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--samples", type=int, default=4000)
    arguments = parser.parse_args()
    generator = np.random.default_rng(0)
    features = 4
    flow = flows.Flow(flows.Summarized(
        flows.Glow(UNKNOWNS, 4, 1, flows.dense(32, 32), rank=0, condition=features, split=False,
                   squeeze_condition=False), Summary(features)))
    variables = flow.init(0)
    state = variables["state"]

    def loss_of(params, x, y):
        return flow.apply(params, state, x, y, method="negative_log_likelihood")[0]

    params = memrev.jit(lambda params, x, y: flow.initialize(params, state, x, y))(
        variables["params"], *simulate(generator, 256))["params"]
    params = training.train(loss_of, params, lambda: simulate(generator, 256),
                            arguments.steps, 2e-3, every=500)

    @memrev.jit
    def sample(params, y):
        like = memrev.ShapeDtype((arguments.samples, UNKNOWNS))
        return flow.apply(params, state, like, y, rng=(0, 0), method="sample")[0][0]

    for _ in range(2):
        _, y = simulate(generator, 1)
        found = sample(params, np.repeat(y, arguments.samples, axis=0))
        mean, covariance = exact(y[0])
        print(f"mean {found.mean(axis=0).round(2)}, exactly {mean.round(2)}; deviations "
              f"{found.std(axis=0).round(2)}, exactly {np.sqrt(np.diag(covariance)).round(2)}")


if __name__ == "__main__":
    main()
