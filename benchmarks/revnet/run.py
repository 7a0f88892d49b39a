#!/usr/bin/env python3
# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Measures one training step of MemCNN's networks, the same network, weights, batch and
threads for all: memrev with policy(invert) and policy(store), PyTorch storing everything,
MemCNN and RevTorch; on the processor, or with --device=cuda on a GPU, where torch.compile
takes part too.

Each contestant is a process of its own. They take turns, a few steps at a time, so that a
change of the machine's speed meets all of them. Memory and gradients are measured in runs of
their own: bytes that malloc has given out (utils/malloc_counter.c) besides parameters,
momenta and running statistics, those of gradients and the batch included; and the gradients
of the first step beside those of PyTorch in f64. On a GPU a time is the mean of --steps steps
that nothing waits for, and memory is what PyTorch's allocator and memrev's runtime have given
out. A contestant that cannot run there is "not run".
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

from contestants import (  # noqa: E402
    PAUSE, Contestant, build_counter, gpu, machine, versions,
)

NETWORKS = ("resnet32", "resnet110", "resnet164", "revnet38", "revnet110", "revnet164")


def start(name, network, options, weights, preload=None):
    arguments = [name, network, options.batch, options.threads, weights, options.device,
                 options.precision]
    return Contestant(HERE / "contestant.py", arguments, options.threads, preload)


def contestants_of(network, options):
    """ResNets have no reversible blocks for MemCNN and RevTorch to run."""
    return [name for name in options.contestants
            if network.startswith("revnet") or name not in ("memcnn", "revtorch")]


def split_by_device(names, options):
    """(contestants that can run on the device, why each of the others cannot)."""
    if options.device == "cpu":
        return names, {}
    try:
        import torch
        reason = None if torch.cuda.is_available() else f"PyTorch {torch.__version__} has no CUDA"
    except ImportError as error:
        reason = str(error)
    peers = [name for name in names if not name.startswith("memrev-")]
    if reason is None or not peers:
        return names, {}
    return [name for name in names if name not in peers], dict.fromkeys(peers, reason)


def check(losses, tolerance=1e-3):
    """All contestants have to compute the same thing."""
    reference = next(iter(losses.values()))
    for name, values in losses.items():
        for found, wanted in zip(values[:2], reference):
            if abs(found - wanted) > tolerance * abs(wanted):
                raise RuntimeError(f"the first losses of {name} are {values}, "
                                   f"but others' are {reference}")


def take_turn(contestant, options):
    """The seconds of some steps; a first one meets cold caches and sleeping threads."""
    if options.device == "cpu":
        return contestant.ask({"do": "steps", "count": options.steps + 1})["seconds"][1:]
    contestant.ask({"do": "steps", "count": 1})
    return contestant.ask({"do": "steps", "count": options.steps})["seconds"]


def measure_time(names, network, options, weights):
    running = {name: start(name, network, options, weights) for name in names}
    losses = {name: c.ask({"do": "steps", "count": options.warm_up})["losses"]
              for name, c in running.items()}
    seconds = {name: [] for name in running}
    for _ in range(options.rounds):
        for name, contestant in running.items():
            time.sleep(PAUSE)
            seconds[name] += take_turn(contestant, options)
    for contestant in running.values():
        contestant.close()
    # The gradients of MemCNN's stem are wrong, and so is what it trains from the second
    # step on.
    check({name: values[:1] if name == "memcnn" else values
           for name, values in losses.items()}, 1e-2 if options.precision == "tf32" else 1e-3)
    return {name: dict(running[name].facts, first_losses=losses[name],
                       median_seconds=statistics.median(values),
                       minimum_seconds=min(values), seconds=values)
            for name, values in seconds.items()}


def measure_memory(network, options, weights, folder, results):
    counter = build_counter(folder) if options.device == "cpu" else None
    for name in results:
        with start(name, network, options, weights, counter) as contestant:
            results[name].update(contestant.ask({"do": "memory"}))


def measure_accuracy(network, options, weights, folder, results):
    """The error of the gradient: its norm by that of the gradient in f64, over all
    parameters and over those in front of the first block."""
    found = {}
    if all(name.startswith("memrev-") for name in results) and options.device != "cpu":
        return  # There is no PyTorch to say what is right.
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
    names, not_run = split_by_device(contestants_of(network, options), options)
    if options.device != "cpu":
        before["gpu"] = gpu()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        weights = str(folder / "weights.npz")
        parameters = write_weights(network, weights)
        if not names:
            raise RuntimeError(f"expects a contestant that can run, but got {not_run}")
        results = measure_time(names, network, options, weights)
        measure_memory(network, options, weights, folder, results)
        measure_accuracy(network, options, weights, folder, results)
    return {
        "network": network, "parameters": parameters, "batch": options.batch,
        "threads": options.threads, "device": options.device, "precision": options.precision,
        "not_run": not_run, "date": datetime.date.today().isoformat(),
        "machine": before, "versions": versions(),
        "command": shlex.join(["benchmarks/revnet/run.py", *sys.argv[1:]]),
        "results": results,
    }


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", choices=[[], *NETWORKS],
                        metavar="NETWORK", help=f"of {', '.join(NETWORKS)} (default: all)")
    parser.add_argument("--contestants", nargs="+", choices=list(report.TITLES),
                        help="(default: all, of which torch-compile is for GPUs)")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--precision", choices=("ieee", "tf32"), default="ieee",
                        help="of products of f32 on a GPU")
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, help="in each round (3; on a GPU 20)")
    parser.add_argument("--warm-up", type=int, default=2)
    parser.add_argument("--output", type=pathlib.Path,
                        default=ROOT / "benchmarks" / "results")
    options = parser.parse_args()
    if options.steps is None:
        options.steps = 3 if options.device == "cpu" else 20
    if options.contestants is None:
        options.contestants = [name for name in report.TITLES
                               if name != "torch-compile" or options.device != "cpu"]
    if options.device != "cpu":
        from memrev import cuda
        try:
            cuda.chip()
        except cuda.DeviceError as error:
            parser.exit(1, f"error: {error}\n")
    prefix = report.prefix_of(options.device)
    options.output.mkdir(parents=True, exist_ok=True)
    for network in options.networks or NETWORKS:
        record = measure(network, options)
        path = options.output / f"{prefix}-{network}.json"
        path.write_text(json.dumps(record, indent=1) + "\n")
        print(report.table(record), flush=True)
    report.write(options.output, NETWORKS, options.device)


if __name__ == "__main__":
    main()
