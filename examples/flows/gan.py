#!/usr/bin/env python3
# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A reversible GAN: one generator translates points of one kind to another kind, and its
inverse translates back, as exactly as numbers are; so no cycle has to be learned.

Two discriminators tell translated points from others, one of each kind; the losses are
those of least squares (Mao et al., arXiv 1611.04076). Van der Ouderaa and Worrall,
Reversible GANs for memory-efficient image-to-image translation (arXiv 1902.02729).
"""

import argparse

import numpy as np

import memrev
from memrev import flows, nn, optim


class Translation(nn.Module):
    """The generator, and a discriminator for each kind."""

    def __init__(self, steps):
        self.generator = flows.Repeat(flows.Sequential(
            flows.ActNorm(2), flows.Householder(2), flows.AffineCoupling(
                2, flows.dense(32, 32), two_sided=True, clamp=1.0)), steps)
        self.judges = [flows.DenseNet(2, 1, (64, 64), activation=_leaky, zero_init=False)
                       for _ in range(2)]

    def translate(self, first, second):
        """Both kinds, as points of the other one."""
        return self.generator(first)[0], self.generator.inverse(second)[0]

    def generator_loss(self, first, second):
        """How far the judges are from taking translated points for true ones."""
        to_second, to_first = self.translate(first, second)
        return sum(((judge(x) - 1) ** 2).mean()
                   for judge, x in zip(self.judges, (to_first, to_second)))

    def judges_loss(self, first, second):
        """How far they are from telling true points from translated ones."""
        to_second, to_first = self.translate(first, second)
        return sum(((judge(true) - 1) ** 2).mean() + (judge(made) ** 2).mean()
                   for judge, true, made in zip(self.judges, (first, second),
                                                (to_first, to_second)))


def _leaky(x):
    return memrev.lax.leaky_relu(x, 0.2)


def draw(generator, count):
    """Points of a ring, and of two moons, [count, 2] each."""
    angle = generator.uniform(0, 2 * np.pi, count)
    ring = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    moon, lower = np.pi * generator.uniform(size=count), generator.uniform(size=count) < 0.5
    moons = np.where(lower[:, np.newaxis],
                     np.stack([1 - np.cos(moon), 0.5 - np.sin(moon)], axis=1),
                     np.stack([np.cos(moon), np.sin(moon)], axis=1)) - [0.5, 0.25]
    return tuple((points + 0.1 * generator.standard_normal(points.shape)).astype(np.float32)
                 for points in (ring, moons))


def distance(a, b):
    """The energy distance of two sets of points (Szekely and Rizzo, 2013)."""
    def mean(a, b):
        return np.linalg.norm(a[:, np.newaxis] - b, axis=-1).mean()

    return 2 * mean(a, b) - mean(a, a) - mean(b, b)


def make_step(model, state, rate):
    """(params, optimizer states, ring, moons) to the new ones and both losses: a step of the
    judges, then one of the generator."""
    optimizer = optim.Adam(rate, betas=(0.5, 0.99))

    def updated(params, opt_state, part, method, batch):
        def loss_of(chosen):
            return model.apply({**params, part: chosen}, state, *batch, method=method)[0]

        loss, grads = memrev.value_and_grad(loss_of)(params[part])
        chosen, opt_state = optimizer.update(grads, opt_state, params[part])
        return {**params, part: chosen}, opt_state, loss

    @memrev.jit(donate=(0, 1))
    def step(params, opt_states, first, second):
        batch, new, losses = (first, second), {}, []
        for part, method in (("judges", "judges_loss"), ("generator", "generator_loss")):
            params, new[part], loss = updated(params, opt_states[part], part, method, batch)
            losses.append(loss)
        return params, new, losses

    return step, lambda params: {part: optimizer.init(params[part])
                                 for part in ("judges", "generator")}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--batch", type=int, default=256)
    arguments = parser.parse_args()
    generator = np.random.default_rng(0)
    model = Translation(4)
    variables = model.init(0)
    params, state = variables["params"], variables["state"]
    step, start = make_step(model, state, 1e-3)
    translate = memrev.jit(lambda params, *points: model.apply(
        params, state, *points, method="translate")[0])
    ring, moons = draw(generator, 1000)
    distances = [[distance(made, true) for made, true in zip(
        translate(params, ring, moons), (moons, ring))]]
    opt_states = start(params)
    for number in range(arguments.steps):
        params, opt_states, losses = step(params, opt_states, *draw(generator, arguments.batch))
        if (number + 1) % 500 == 0:
            print(f"step {number + 1}: judges {losses[0]:.3f}, generator {losses[1]:.3f}",
                  flush=True)
    made = translate(params, ring, moons)
    distances.append([distance(made, true) for made, true in zip(made, (moons, ring))])
    for name, (before, after) in zip(("ring to moons", "moons to ring"), zip(*distances)):
        print(f"{name}: distance {before:.3f} before, {after:.3f} after")
    _, back = translate(params, ring, made[0])
    print(f"there and back: {np.abs(back - ring).max():.0e}")


if __name__ == "__main__":
    main()
