#!/usr/bin/env python3
# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Measures one training step of MemCNN's networks, the same network, weights, batch and
threads for all: memrev with policy(invert) and policy(store), PyTorch storing everything,
MemCNN and RevTorch.

Each contestant is a process of its own. They take turns, a few steps at a time, so that a
change of the machine's speed meets all of them. Memory and gradients are measured in runs of
their own: bytes that malloc has given out (utils/malloc_counter.c) besides parameters,
momenta and running statistics, those of gradients and the batch included; and the gradients
of the first step beside those of PyTorch in f64.
"""

import argparse
import datetime
import json
import os
import pathlib
import shlex
import statistics
import sys
import tempfile
import time

import numpy as np

import report

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT / "python-frontend"), str(HERE.parent / "common")]

from contestants import PAUSE, Contestant, build_counter, machine, versions  # noqa: E402

NETWORKS = ("resnet32", "resnet110", "resnet164", "revnet38", "revnet110", "revnet164")


def start(name, network, options, weights, preload=None):
    arguments = [name, network, options.batch, options.threads, weights]
    return Contestant(HERE / "contestant.py", arguments, options.threads, preload)


def contestants_of(network, options):
    """ResNets have no reversible blocks for MemCNN and RevTorch to run."""
    return [name for name in options.contestants
            if network.startswith("revnet") or name not in ("memcnn", "revtorch")]


def check(losses):
    """All contestants have to compute the same thing."""
    reference = next(iter(losses.values()))
    for name, values in losses.items():
        for found, wanted in zip(values[:2], reference):
            if abs(found - wanted) > 1e-3 * abs(wanted):
                raise RuntimeError(f"the first losses of {name} are {values}, "
                                   f"but others' are {reference}")


def measure_time(network, options, weights):
    running = {name: start(name, network, options, weights)
               for name in contestants_of(network, options)}
    losses = {name: c.ask({"do": "steps", "count": options.warm_up})["losses"]
              for name, c in running.items()}
    seconds = {name: [] for name in running}
    for _ in range(options.rounds):
        for name, contestant in running.items():
            time.sleep(PAUSE)
            # The first step of a turn meets cold caches and sleeping threads.
            reply = contestant.ask({"do": "steps", "count": options.steps + 1})
            seconds[name] += reply["seconds"][1:]
    for contestant in running.values():
        contestant.close()
    # The gradients of MemCNN's stem are wrong, and so is what it trains from the second
    # step on.
    check({name: values[:1] if name == "memcnn" else values
           for name, values in losses.items()})
    return {name: dict(running[name].facts, first_losses=losses[name],
                       median_seconds=statistics.median(values),
                       minimum_seconds=min(values), seconds=values)
            for name, values in seconds.items()}


def measure_memory(network, options, weights, folder, results):
    counter = build_counter(folder)
    for name in results:
        with start(name, network, options, weights, counter) as contestant:
            results[name].update(contestant.ask({"do": "memory"}))


def measure_accuracy(network, options, weights, folder, results):
    """The error of the gradient: its norm by that of the gradient in f64, over all
    parameters and over those in front of the first block."""
    found = {}
    for name in ["reference", *results]:
        with start(name, network, options, weights) as contestant:
            contestant.ask({"do": "gradients", "to": str(folder / f"{name}.npz")})
        with np.load(folder / f"{name}.npz") as arrays:
            found[name] = dict(arrays)
    wanted = found.pop("reference")

    def error(gradients, names):
        difference = sum(np.sum((gradients[n] - wanted[n]) ** 2) for n in names)
        return float(np.sqrt(difference / sum(np.sum(wanted[n] ** 2) for n in names)))

    for name, gradients in found.items():
        if gradients.keys() != wanted.keys():
            raise RuntimeError(f"{name} has other parameters than PyTorch")
        results[name]["gradient_error"] = error(gradients, wanted)
        results[name]["stem_gradient_error"] = error(
            gradients, [n for n in wanted if n.startswith("stem")])


def write_weights(network, path):
    from memrev import models, tree
    params = getattr(models, network)().init(0)["params"]
    leaves, structure = tree.flatten(params)
    np.savez(path, **{"/".join(map(str, place)): leaf
                      for place, leaf in zip(structure.paths(), leaves)})
    return sum(leaf.size for leaf in leaves)


def measure(network, options):
    before = machine()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        weights = str(folder / "weights.npz")
        parameters = write_weights(network, weights)
        results = measure_time(network, options, weights)
        measure_memory(network, options, weights, folder, results)
        measure_accuracy(network, options, weights, folder, results)
    return {
        "network": network, "parameters": parameters, "batch": options.batch,
        "threads": options.threads, "date": datetime.date.today().isoformat(),
        "machine": before, "versions": versions(),
        "command": shlex.join(["benchmarks/revnet/run.py", *sys.argv[1:]]),
        "results": results,
    }


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", choices=[[], *NETWORKS],
                        metavar="NETWORK", help=f"of {', '.join(NETWORKS)} (default: all)")
    names = list(report.TITLES)
    parser.add_argument("--contestants", nargs="+", choices=names, default=names)
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=3, help="in each round")
    parser.add_argument("--warm-up", type=int, default=2)
    parser.add_argument("--output", type=pathlib.Path,
                        default=ROOT / "benchmarks" / "results")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    for network in options.networks or NETWORKS:
        record = measure(network, options)
        path = options.output / f"revnet-{network}.json"
        path.write_text(json.dumps(record, indent=1) + "\n")
        print(report.table(record), flush=True)
    report.write(options.output, NETWORKS)


if __name__ == "__main__":
    main()
