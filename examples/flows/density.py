#!/usr/bin/env python3
# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Estimates densities with normalising flows, and draws from them.

  moons   points on two half circles with noise: a neural spline flow (Durkan et al., arXiv
          1906.04032)
  digits  scikit-learn's handwritten digits, 8x8 pixels of 17 levels: a Glow of two levels
          (Kingma and Dhariwal, arXiv 1807.03039)

Trains by maximum likelihood, prints bits per dimension of the test split, and writes a picture
of samples.
"""

import argparse
import math
import pathlib
import time

import numpy as np

import memrev
from memrev import flows, optim, tree

LEVELS = 17  # Of a pixel of a digit.


class Moons:
    """Two interleaved half circles."""

    steps, batch, rate = 2000, 256, 2e-3
    dimensions = 2
    bits = 0  # By how much the unit of the data adds to a dimension.

    def __init__(self, generator):
        self.train, self.test = (self._points(generator, count) for count in (20_000, 5_000))

    @staticmethod
    def _points(generator, count):
        angle = math.pi * generator.random(count)
        upper = generator.random(count) < 0.5
        points = np.where(upper, (np.cos(angle), np.sin(angle)),
                          (1 - np.cos(angle), 0.5 - np.sin(angle))).T
        return (points + 0.08 * generator.standard_normal((count, 2))).astype(np.float32)

    @staticmethod
    def model(depth):
        return flows.Sequential(flows.ActNorm(2), flows.Repeat(flows.Sequential(
            flows.RationalQuadraticSplineCoupling(2, flows.dense(48, 48), bins=8, bound=4.0),
            flows.Reverse()), depth or 6))

    @staticmethod
    def dequantized(data, generator):
        """They are continuous."""
        return data

    def draw(self, axes, samples, density):
        """The density of a grid, and samples."""
        x, y = np.meshgrid(np.linspace(-1.5, 2.5, 160), np.linspace(-1, 1.5, 100))
        points = np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float32)
        axes[0].pcolormesh(x, y, np.exp(density(points)).reshape(x.shape), cmap="magma")
        axes[0].set_title("density")
        axes[1].plot(*samples[:2000].T, ".", markersize=1)
        axes[1].set_title("samples")
        axes[1].set_xlim(-1.5, 2.5)
        axes[1].set_ylim(-1, 1.5)


class Digits:
    """Three quarters of the images train; noise makes numbers of the levels of pixels."""

    steps, batch, rate = 600, 64, 2e-3
    dimensions = 64
    bits = math.log2(LEVELS)  # Levels are 1 / 17 wide.

    def __init__(self, generator):
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split
        digits = load_digits()
        self.train, self.test = train_test_split(
            digits.images[..., np.newaxis].astype(np.float32), test_size=0.25,
            stratify=digits.target, random_state=0)

    @staticmethod
    def model(depth):
        def level(channels, *rest):
            step = flows.Sequential(
                flows.ActNorm(channels), flows.LULinear(channels),
                flows.GlowCoupling(channels, flows.convolutional(48, 48), scale="tanh"))
            return flows.Sequential(flows.Squeeze(), flows.Repeat(step, depth or 8), *rest)

        return flows.Sequential(
            flows.Logit(-0.03, 1.03),
            level(4, flows.Split(2, 2), flows.Parallel(None, level(8))))

    @staticmethod
    def dequantized(data, generator):
        """Numbers in [0, 1) of which the levels of pixels are intervals."""
        noise = generator.random(data.shape, dtype=np.float32)
        return ((data + noise) / LEVELS).astype(np.float32)

    def draw(self, axes, samples, density):
        """Images of the test split, and samples."""
        for axis, images, title in zip(axes, (self.test / (LEVELS - 1), samples),
                                       ("data", "samples")):
            axis.imshow(self._tiles(images), cmap="gray")
            axis.set_title(title)
            axis.axis("off")

    @staticmethod
    def _tiles(images, across=10):
        tiles = np.clip(images[:across * across, ..., 0], 0, 1).reshape(across, across, 8, 8)
        tiles = np.pad(tiles, ((0, 0), (0, 0), (1, 1), (1, 1)))
        return tiles.transpose(0, 2, 1, 3).reshape(10 * across, 10 * across)


def log_density(model, params, state, x):
    """log p of each sample, for a standard normal prior."""
    (z, log_det), _ = model.apply(params, state, x)
    parts = [part.reshape(part.shape[0], -1) for part in tree.leaves(z)]
    squares = sum((part * part).sum(axis=1) for part in parts)
    count = sum(part.shape[1] for part in parts)
    return log_det - 0.5 * squares - 0.5 * count * math.log(2 * math.pi)


def make_step(model, optimizer):
    """A step of training as one program, which writes over its first two arguments."""

    @memrev.jit(donate=(0, 1))
    def step(params, opt_state, state, x, rate):
        loss, grads = memrev.value_and_grad(
            lambda params: -log_density(model, params, state, x).mean())(params)
        grads, _ = optim.clip_by_global_norm(grads, 50.0)
        params, opt_state = optimizer.update(grads, opt_state, params, rate=rate)
        return params, opt_state, loss

    return step


def train(model, data, steps, batch, seed):
    """(params, state) after `steps` steps from norms that the first batch initialises."""
    generator = np.random.default_rng(seed)
    variables = model.init(seed)
    state = variables["state"]

    def draw(count):
        chosen = generator.integers(0, len(data.train), count)
        return data.dequantized(data.train[chosen], generator)

    initialize = memrev.jit(lambda params, x: model.initialize(params, state, x)["params"])
    params = initialize(variables["params"], draw(1024))
    optimizer = optim.Adam(data.rate)
    schedule = optim.cosine(data.rate, steps, warmup=steps // 20)
    opt_state, step = optimizer.init(params), make_step(model, optimizer)
    start, recent = time.perf_counter(), []
    for i in range(steps):
        params, opt_state, loss = step(params, opt_state, state, draw(batch),
                                       np.float32(schedule(i)))
        recent.append(float(loss))
        if 10 * (i + 1) // steps > 10 * i // steps:
            print(f"step {i + 1}: training {per_dimension(np.mean(recent), data):.3f} "
                  f"bits/dimension, {time.perf_counter() - start:.0f} s", flush=True)
            recent.clear()
    return params, state


def per_dimension(nats, data):
    """Bits per dimension in units of the data."""
    return nats / data.dimensions / math.log(2) + data.bits


def draw_samples(model, params, state, data, count, temperature, seed):
    """Samples [count, ...] of a normal prior of deviation `temperature`."""
    x = data.dequantized(data.test[:count], np.random.default_rng(seed))
    z = memrev.jit(lambda params, x: model.apply(params, state, x)[0][0])(params, x)
    generator = np.random.default_rng(seed)
    z = tree.map(lambda part: (temperature * generator.standard_normal(part.shape)).astype(
        np.float32), z)
    inverse = memrev.jit(
        lambda params, z: model.apply(params, state, z, method="inverse")[0][0])
    return inverse(params, z)


def write_picture(path, data, samples, density):
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot
    figure, axes = pyplot.subplots(1, 2, figsize=(7, 3))
    data.draw(axes, samples, density)
    figure.tight_layout()
    figure.savefig(path, dpi=60, metadata={"Software": None})
    pyplot.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", choices=("moons", "digits"))
    parser.add_argument("--depth", type=int, help="steps of flow, of each level")
    parser.add_argument("--steps", type=int, help="of training")
    parser.add_argument("--temperature", type=float, default=1.0, help="of samples")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--picture", type=pathlib.Path, help="a PNG file for samples")
    args = parser.parse_args()

    generator = np.random.default_rng(args.seed)
    data = (Moons if args.data == "moons" else Digits)(generator)
    model = data.model(args.depth)
    params, state = train(model, data, args.steps or data.steps, data.batch, args.seed)
    evaluate = memrev.jit(lambda params, x: log_density(model, params, state, x))

    def density(x):
        return evaluate(params, x)

    # Of noise that dequantises, the mean of several draws.
    found = np.concatenate([density(data.dequantized(data.test, generator)) for _ in range(5)])
    print(f"{model.num_parameters} parameters, test {per_dimension(-found.mean(), data):.3f} "
          "bits/dimension")
    samples = draw_samples(model, params, state, data, 450, args.temperature, args.seed)
    print(f"{np.isfinite(samples).all(axis=tuple(range(1, samples.ndim))).sum()} finite samples")
    if args.picture:
        write_picture(args.picture, data, samples, density)


if __name__ == "__main__":
    main()
