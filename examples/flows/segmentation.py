#!/usr/bin/env python3
# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Segmentation by an invertible U-Net: discs and squares in noise.

One convolution lifts an image to the channels of the network, another makes classes of its
result; between them the network is invertible, and stores no activations. Etmann, Ke and
Schoenlieb (arXiv 2005.05220).
"""

import argparse

import numpy as np

import memrev
import training
from memrev import flows, lax, nn

SIZE, CLASSES = 16, 3


class Segmentation(nn.Module):
    """Images [batch, SIZE, SIZE, 1] to scores [batch, SIZE, SIZE, CLASSES]."""

    def __init__(self, depth, channels=8, hidden=16):
        net = flows.convolutional(hidden, windows=(3, 3))
        self.lift = nn.Conv2d(1, channels, 3, padding="same")
        self.unet = flows.IUNet(channels, (depth, depth), net=net)
        self.head = nn.Conv2d(channels, CLASSES, 1)

    def __call__(self, images):
        return self.head(lax.relu(self.unet(self.lift(images))[0]))


def draw(generator, count):
    """(images in noise [count, SIZE, SIZE, 1], labels: 0 nothing, 1 disc, 2 square)."""
    labels = np.zeros((count, SIZE, SIZE), np.int32)
    places = np.arange(SIZE)
    for label in labels:
        for kind in generator.permutation([1, 2]):
            radius = generator.uniform(2, 4)
            x, y = generator.uniform(radius, SIZE - radius, 2)
            u, v = np.abs(places - x), np.abs(places - y)[:, np.newaxis]
            inside = np.hypot(u, v) < radius if kind == 1 else np.maximum(u, v) < radius * 0.88
            label[inside] = kind
    images = (labels > 0) + 0.3 * generator.standard_normal(labels.shape)
    return images[..., np.newaxis].astype(np.float32), labels


def overlap(found, labels, kind):
    """Intersection over union of one class."""
    return ((found == kind) & (labels == kind)).sum() / ((found == kind) | (labels == kind)).sum()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--depth", type=int, default=2)
    arguments = parser.parse_args()
    generator = np.random.default_rng(0)
    model = Segmentation(arguments.depth)

    def loss_of(params, images, labels):
        scores, _ = model.apply(params, {}, images)
        return nn.cross_entropy(scores, labels).mean()

    params = training.train(loss_of, model.init(0)["params"],
                            lambda: draw(generator, arguments.batch), arguments.steps, 5e-3,
                            every=50)
    images, labels = draw(generator, 64)
    found = memrev.jit(lambda params, images: model.apply(params, {}, images)[0])(
        params, images).argmax(axis=-1)
    print("overlap: " + ", ".join(f"{name} {overlap(found, labels, kind):.2f}" for kind, name
                                  in enumerate(("nothing", "discs", "squares"))))
    for depth in arguments.depth, 4 * arguments.depth:
        deep = Segmentation(depth)

        def loss(params, images, labels, deep=deep):
            return nn.cross_entropy(deep.apply(params, {}, images)[0], labels).mean()

        report = memrev.jit(memrev.grad(loss)).memory_report(
            deep.init(0)["params"], *draw(generator, arguments.batch))
        print(f"{depth} steps a level: {report['workspace_bytes']} bytes for a gradient")


if __name__ == "__main__":
    main()
