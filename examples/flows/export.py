#!/usr/bin/env python3
# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes networks of memrev.flows as programs in text, for memrev-compile and memrev-opt:
glow.mlir, hint.mlir and hyperbolic.mlir, each of which has a public function `gradient` of a
network's parameters and a batch to the loss and its gradients.
"""

import argparse
import pathlib

import numpy as np

import memrev
from memrev import flows, tree


def glow():
    """Two levels of four steps, of images of 8 x 8."""
    return (flows.Glow(3, 4, 2, flows.convolutional(8, 8)), memrev.ShapeDtype((4, 8, 8, 3)))


def hint():
    """Four steps of recursive couplings, of vectors."""
    return flows.HINTNetwork(8, 4, flows.dense(16)), memrev.ShapeDtype((16, 8))


def hyperbolic():
    """Steps at two resolutions, of images of 8 x 8."""
    image = memrev.ShapeDtype((4, 8, 8, 4))
    return flows.HyperbolicNetwork(4, ((0, 4), (1, 4), (-1, 4)), step=0.3), (image, image)


NETWORKS = {"glow": glow, "hint": hint, "hyperbolic": hyperbolic}


def program(make):
    """The function `gradient` of a network, types of its arguments, and parameters."""
    network, x = make()
    flow = flows.Flow(network)
    variables = flow.init(0)

    def gradient(params, x):
        return memrev.value_and_grad(lambda params: flow.apply(
            params, variables["state"], x, method="negative_log_likelihood")[0])(params)

    return gradient, tree.map(lambda a: memrev.ShapeDtype(a.shape, a.dtype),
                              (variables["params"], x)), variables["params"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--folder", type=pathlib.Path,
                        default=pathlib.Path(__file__).resolve().parent)
    parser.add_argument("--arguments", action="store_true",
                        help="write arguments NAME-NUMBER.npy, and results of the package as "
                             "NAME-results.npz, too")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    for name, make in NETWORKS.items():
        gradient, types, params = program(make)
        text = memrev.jit(gradient).mlir(*types)
        header = (f"// {make.__doc__}\n// The loss, the mean of -log p, and its gradients by all "
                  "parameters. Written by\n// examples/flows/export.py.\n\n")
        (options.folder / f"{name}.mlir").write_text(header + text)
        if options.arguments:
            generator = np.random.default_rng(0)
            x = tree.map(lambda a: generator.standard_normal(a.shape).astype(a.dtype), types[1])
            for i, leaf in enumerate(tree.leaves((params, x))):
                np.save(options.folder / f"{name}-{i:02}.npy", leaf)
            loss, grads = memrev.jit(gradient)(params, x)
            np.savez(options.folder / f"{name}-results.npz", *tree.leaves((loss, grads)))


if __name__ == "__main__":
    main()
