#!/usr/bin/env python3
# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Measures a forward and a backward pass of networks of MemCNN, written with MemCNN's
names: with MemCNN itself, with memrev.torch in place of it, and with PyTorch storing all.

Each contestant is a process of its own. They take turns, a few steps at a time, so that a
change of the machine's speed meets all of them; the first steps, in which programs are
compiled, are not measured. Memory is the most that malloc has given out in a step
(utils/malloc_counter.c) beyond what was there before it, in a run of its own: activations,
the batch, gradients of parameters, not the parameters. Results go to
../results/torch-NETWORK.{json,md}.

  run.py {blocks,revnet38,revnet110,revnet164} [--batch 100] [--rounds 10] [--steps 3]
"""

import argparse
import os
import pathlib
import statistics
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "common"))

from contestants import (  # noqa: E402
    PAUSE, Contestant, build_counter, circumstances, footer, machine, write)

TITLES = {
    "torch": "PyTorch, stores everything",
    "torch-channels-last": "the same in channels_last",
    "memcnn": "MemCNN",
    "memrev-eager": "memrev.torch, couplings in PyTorch",
    "memrev-compiled": "memrev.torch, couplings compiled",
    "memrev-compiled-channels-last": "the same in channels_last",
    "memrev-whole": 'memrev.torch, torch.compile(backend="memrev")',
}


def start(name, options, preload=None):
    arguments = [name, options.network, options.batch, options.threads]
    return Contestant(HERE / "contestant.py", arguments, options.threads, preload)


def check(losses):
    """All contestants have to compute the same thing."""
    first, wanted = next(iter(losses.items()))
    for name, found in losses.items():
        if any(abs(f - w) > 1e-3 * abs(w) for f, w in zip(found, wanted)):
            raise RuntimeError(f"the losses of {name} are {found}, but those of {first} {wanted}")


def measure_time(options):
    contestants, warm_up, losses = {}, {}, {}
    for name in options.contestants:
        contestants[name] = start(name, options)
        reply = contestants[name].ask(2)
        warm_up[name], losses[name] = reply["seconds"][0], reply["losses"]
    check(losses)
    seconds = {name: [] for name in contestants}
    for _ in range(options.rounds):
        for name, contestant in contestants.items():
            time.sleep(PAUSE)
            # The first step of a turn meets cold caches and sleeping threads.
            seconds[name] += contestant.ask(options.steps + 1)["seconds"][1:]
    for contestant in contestants.values():
        contestant.close()
    return {name: {"median_seconds": statistics.median(values), "minimum_seconds": min(values),
                   "first_seconds": warm_up[name], "seconds": values}
            for name, values in seconds.items()}


def measure_memory(options, results):
    with tempfile.TemporaryDirectory() as folder:
        counter = build_counter(folder)
        for name in results:
            with start(name, options, counter) as contestant:
                contestant.ask(2)
                results[name]["peak_bytes"] = max(contestant.ask(2)["peak_bytes"])


def table(record):
    results = record["results"]
    base = "memcnn" if "memcnn" in results else next(iter(results))
    others, base = f"of {TITLES[base]}'s", results[base]
    lines = [
        f"# `{record['network']}` with MemCNN's names", "",
        f"A forward and a backward pass, batch {record['batch']} of 32x32 images, f32, "
        f"{record['threads']} threads.", "",
        f"| | median step | {others} | fastest | {others} | peak memory | {others} "
        "| first step |", "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name, r in results.items():
        lines.append(
            f"| {TITLES[name]} | {1e3 * r['median_seconds']:.1f} ms "
            f"| {r['median_seconds'] / base['median_seconds']:.2f} "
            f"| {1e3 * r['minimum_seconds']:.1f} ms "
            f"| {r['minimum_seconds'] / base['minimum_seconds']:.2f} "
            f"| {r['peak_bytes'] / 2**20:.1f} MiB "
            f"| {r['peak_bytes'] / base['peak_bytes']:.2f} | {r['first_seconds']:.1f} s |")
    lines += [
        "", "Memory is the most that malloc has given out in a step: activations, the batch and "
        "gradients of parameters. The first step includes compiling.", "", *footer(record)]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", choices=["blocks", "revnet38", "revnet110", "revnet164"])
    parser.add_argument("--contestants", nargs="+", choices=list(TITLES), default=list(TITLES))
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--steps", type=int, default=3, help="in each round")
    parser.add_argument("--output", type=pathlib.Path, default=HERE.parent / "results")
    options = parser.parse_args()
    before = machine()
    results = measure_time(options)
    measure_memory(options, results)
    record = {
        "network": options.network, "batch": options.batch, "threads": options.threads,
        **circumstances("benchmarks/torch/run.py", before), "results": results,
    }
    write(options.output, f"torch-{options.network}", record, table(record))


if __name__ == "__main__":
    main()
