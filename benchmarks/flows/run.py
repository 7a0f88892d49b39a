#!/usr/bin/env python3
# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Measures a training step of Glow, or of a neural spline flow, the same network, weights, batch
and threads for all: memrev by inversion and with everything stored, and FrEIA's modules on
PyTorch, with the splines of nflows. Glow at several numbers of steps of flow in each level, the
spline flow for vectors of several lengths.

A step of training is the negative log-likelihood of a batch and its gradients by all
parameters, without an optimizer. Each contestant is a process of its own. They take turns, so
that a change of the machine's speed meets all of them; the first step is not measured. Memory
is the most that malloc has given out in a step (utils/malloc_counter.c) beyond what was there
before it, in a run of its own: the batch, activations, scratch and gradients, not the
parameters. All have to find the same loss and gradients. Results go to
../results/flows.{json,md} and ../results/flows-splines.{json,md}.

  run.py [--counts 4 8 16 32] [--rounds 3] [--steps 1] [--threads N]
  run.py --network splines [--counts 2 8] [--rounds 3] [--steps 20] [--threads N]
"""

import argparse
import json
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
    "memrev-invert": "memrev, policy(invert)",
    "memrev-invert-householder": "the same, 3 trained reflections",
    "memrev-store": "memrev, policy(store)",
    "freia": "FrEIA",
    "freia-channels-last": "FrEIA, the same in channels_last",
    "freia-nflows": "FrEIA, splines of nflows",
}
#: What computes something else than the others.
OTHERS = ("memrev-invert-householder",)
#: By network: the contestants, the rows, the batch, the settings that are its own, what a row
#: is called, the name of the results.
NETWORKS = {
    "glow": (["memrev-invert", "memrev-invert-householder", "memrev-store", "freia",
              "freia-channels-last"], [4, 8, 16, 32], 8, ("levels", "size"), "K", "flows"),
    "splines": (["memrev-invert", "memrev-store", "freia-nflows"], [2, 8], 1024,
                ("flow_steps",), "channels", "flows-splines"),
}


def start(name, count, options, preload=None):
    settings = {key: getattr(options, key) for key in (
        "levels", "size", "flow_steps", "batch", "hidden", "threads")}
    arguments = [name, options.network, count, json.dumps(settings)]
    return Contestant(HERE / "contestant.py", arguments, options.threads, preload)


def check(found, tolerance=1e-3):
    """All contestants have to find the same losses and norms of gradients."""
    first, wanted = next(iter(found.items()))
    for name, values in found.items():
        if any(abs(values[key] - wanted[key]) > tolerance * abs(wanted[key]) for key in wanted):
            raise RuntimeError(f"{name} found {values}, but {first} {wanted}")


def measure_time(count, options):
    running = {name: start(name, count, options) for name in options.contestants}
    found = {}
    for name, contestant in running.items():
        losses = contestant.ask(1)["losses"]
        if name not in OTHERS:
            found[name] = {"loss": losses[0], **contestant.ask("gradients")}
    check(found)
    seconds = {name: [] for name in running}
    for _ in range(options.rounds):
        for name, contestant in running.items():
            time.sleep(PAUSE)
            seconds[name] += contestant.ask(options.steps)["seconds"]
    for contestant in running.values():
        contestant.close()
    return {name: {**running[name].facts, **found.get(name, {}),
                   "median_seconds": statistics.median(values),
                   "minimum_seconds": min(values), "seconds": values}
            for name, values in seconds.items()}


def measure(count, options, counter):
    results = measure_time(count, options)
    for name, result in results.items():
        with start(name, count, options, counter) as contestant:
            contestant.ask(1)
            result["peak_bytes"] = max(contestant.ask(1)["peak_bytes"])
        result["gradient_bytes"] = 4 * result["parameters"]
    return results


def describe(record):
    """What the network is, as a heading and a clause."""
    if record["network"] == "splines":
        return "a neural spline flow", (
            f"{record['flow_steps']} steps (ActNorm, a fixed orthogonal mixing of channels, a "
            "coupling of both halves by rational-quadratic splines of 10 bins with a network of "
            f"three linear layers each, {record['hidden']} features between), vectors")
    return "Glow", (
        f"{record['levels']} levels of K steps (ActNorm, a fixed orthogonal mixing of channels, an "
        "affine coupling of both halves with a network of three convolutions each, 3x3, 1x1 and "
        f"3x3, {record['hidden']} channels between), {record['size']}x{record['size']}x3")


def time_of(seconds):
    return f"{seconds:.2f} s" if seconds >= 0.1 else f"{1e3 * seconds:.1f} ms"


def table(record):
    base = next((name for name in record["contestants"] if name.startswith("freia")),
                record["contestants"][0])
    others = f"of {TITLES[base]}'s"
    heading, network = describe(record)
    row = NETWORKS[record["network"]][4]
    but = ", but for the network with reflections" if any(
        name in OTHERS for name in record["contestants"]) else ""
    lines = [
        f"# One training step of {heading}", "",
        f"Written by `benchmarks/flows/run.py`, which says how it measures. {network}, batch "
        f"{record['batch']}, f32, {record['threads']} thread"
        f"{'s' if record['threads'] > 1 else ''}. All have the same parameters, and find the same "
        f"loss and gradients{but}. Memory is what malloc has given "
        "out in a step besides parameters; the last column is that less the gradients of the "
        "parameters, which are results.", "",
        f"| {row} | | parameters | median step | {others} | fastest | peak | {others} "
        "| peak without gradients |", "|---:|---|---:|---:|---:|---:|---:|---:|---:|"]
    for count, results in record["results"].items():
        for name, r in results.items():
            lines.append(
                f"| {count} | {TITLES[name]} | {r['parameters']} | {time_of(r['median_seconds'])} "
                f"| {r['median_seconds'] / results[base]['median_seconds']:.2f} "
                f"| {time_of(r['minimum_seconds'])} | {r['peak_bytes'] / 2**20:.1f} MiB "
                f"| {r['peak_bytes'] / results[base]['peak_bytes']:.3f} "
                f"| {(r['peak_bytes'] - r['gradient_bytes']) / 2**20:.1f} MiB |")
    compiled = "; ".join(
        f"{row} = {count}: " + ", ".join(f"{TITLES[name]} {r['compile_seconds']:.0f} s"
                                     for name, r in results.items() if "compile_seconds" in r)
        for count, results in record["results"].items())
    lines += ["", f"Compiled: {compiled}.", "", *footer(record)]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", choices=list(NETWORKS), default="glow")
    parser.add_argument("--counts", nargs="+", type=int,
                        help="steps of flow in each level of Glow; lengths of the vectors")
    parser.add_argument("--contestants", nargs="+", choices=list(TITLES))
    parser.add_argument("--levels", type=int, default=3)
    parser.add_argument("--size", type=int, default=64, help="of images, a multiple of 2^levels")
    parser.add_argument("--flow-steps", type=int, default=8, help="of the spline flow")
    parser.add_argument("--batch", type=int, help="by default 8 images or 1024 vectors")
    parser.add_argument("--hidden", type=int, default=64)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=1, help="in each round")
    parser.add_argument("--output", type=pathlib.Path, default=HERE.parent / "results")
    options = parser.parse_args()
    contestants, counts, batch, own, _, name = NETWORKS[options.network]
    options.contestants = options.contestants or contestants
    options.counts, options.batch = options.counts or counts, options.batch or batch
    before, results = machine(), {}
    with tempfile.TemporaryDirectory() as folder:
        counter = build_counter(folder)
        os.environ["MEMREV_CACHE_DIR"] = folder  # Programs of earlier runs are compiled, too.
        for count in options.counts:
            results[str(count)] = measure(count, options, counter)
    record = {
        **{key: getattr(options, key) for key in ("network", "contestants", *own, "batch",
                                                  "hidden", "threads")},
        **circumstances("benchmarks/flows/run.py", before), "results": results,
    }
    write(options.output, name, record, table(record))


if __name__ == "__main__":
    main()
