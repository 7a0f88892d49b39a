#!/usr/bin/env python3
# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Imaging by loop unrolling: an invertible recurrent inference machine learns to invert a
forward operator that only its own code knows.

The operator sums images along rays, as a scanner does, in functions that the program calls
and that know nothing of derivatives: `memrev.external`, where each of the operator and its
adjoint is the other one's derivative. Putzky and Welling (arXiv 1911.10914). The memory of
a gradient does not depend on the number of iterations.
"""

import argparse
import ctypes
import functools

import numpy as np

import memrev
import memrev.numpy as mnp
import training
from memrev import flows

SIZE = 16
POINTER = ctypes.POINTER(ctypes.c_float)


def rays():
    """A matrix [rays, pixels]: sums along rows, columns and both kinds of diagonals."""
    row, column = np.divmod(np.arange(SIZE * SIZE), SIZE)
    lines = [coordinate == value for coordinate in (row, column, row + column, row - column)
             for value in np.unique(coordinate)]
    matrix = np.array(lines, np.float32)
    return matrix[matrix.sum(axis=1) > 3] / SIZE


MATRIX = rays()


def by_matrix(name, matrix, batch, shape):
    """An external function x @ matrix of a batch of vectors, or of what is like them."""
    def multiply(x, y):
        x = np.ctypeslib.as_array(x, (batch, matrix.shape[0]))
        np.ctypeslib.as_array(y, (batch, matrix.shape[1]))[:] = x @ matrix

    callback = ctypes.CFUNCTYPE(None, POINTER, POINTER)(multiply)
    return lambda vjp: memrev.external(name, memrev.ShapeDtype((batch, *shape)), callback, vjp)


@functools.lru_cache(maxsize=None)
def scanner(batch):
    """The operator, of images [batch, SIZE, SIZE, 1] to sums [batch, rays], and its adjoint."""
    project = by_matrix("project", MATRIX.T, batch, MATRIX.shape[:1])(
        (lambda x: (project(x), None), lambda _, dy: (back_project(dy),)))
    back_project = by_matrix("back_project", MATRIX, batch, (SIZE, SIZE, 1))(
        (lambda y: (back_project(y), None), lambda _, dx: (project(dx),)))
    return project, back_project


def phantoms(generator, count):
    """Images of ellipses [count, SIZE, SIZE, 1]."""
    places = (np.arange(SIZE) + 0.5) / SIZE * 2 - 1
    images = np.zeros((count, SIZE, SIZE), np.float32)
    for image in images:
        for _ in range(3):
            x, y = generator.uniform(-0.5, 0.5, 2)
            a, b = generator.uniform(0.2, 0.6, 2)
            turn = generator.uniform(0, np.pi)
            u, v = np.meshgrid(places - x, places - y)
            along, across = (u * np.cos(turn) + v * np.sin(turn),
                             v * np.cos(turn) - u * np.sin(turn))
            image[(along / a) ** 2 + (across / b) ** 2 < 1] += generator.uniform(0.3, 1)
    return images[..., np.newaxis]


def network(batch, iterations, hidden=16, memory=7):
    """The machine for batches of that size."""
    net = flows.convolutional(hidden, hidden)
    return flows.LoopUnrolled(1, memory, flows.least_squares(*scanner(batch)), iterations, net)


def start(data, memory=7):
    """The first estimate, and the memory, of data: traced."""
    batch = data.shape[0]
    estimate = scanner(batch)[1](data)
    return estimate, mnp.zeros((batch, SIZE, SIZE, memory), estimate.dtype)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--iterations", type=int, default=6)
    arguments = parser.parse_args()
    generator = np.random.default_rng(0)
    model = network(arguments.batch, arguments.iterations)

    def estimate(params, data):
        (image, _), _ = model.apply(params, {}, start(data), data)[0]
        return image

    def loss_of(params, data, images):
        return mnp.mean((estimate(params, data) - images) ** 2)

    def batch():
        images = phantoms(generator, arguments.batch)
        data = images.reshape(len(images), -1) @ MATRIX.T
        noise = generator.standard_normal(data.shape)
        return (data + 0.01 * noise).astype(np.float32), images

    data, images = batch()
    params = model.init(0)["params"]
    params = memrev.jit(lambda params, data: model.initialize(
        params, {}, start(data), data))(params, data)["params"]
    params = training.train(loss_of, params, batch, arguments.steps, 3e-3, every=50)

    data, images = batch()
    exact = np.linalg.lstsq(MATRIX, data.T, rcond=1e-2)[0].T.reshape(images.shape)
    for name, found in (("least squares", exact),
                        ("network", memrev.jit(estimate)(params, data))):
        error = np.linalg.norm(found - images) / np.linalg.norm(images)
        print(f"{name}: error {100 * error:.0f} %")
    for count in arguments.iterations, 4 * arguments.iterations:
        deep = network(arguments.batch, count)

        def loss(params, data, images, deep=deep):
            (image, _), _ = deep.apply(params, {}, start(data), data)[0]
            return mnp.mean((image - images) ** 2)

        report = memrev.jit(memrev.grad(loss)).memory_report(deep.init(0)["params"], data, images)
        print(f"{count} iterations: {report['workspace_bytes']} bytes for a gradient")


if __name__ == "__main__":
    main()
