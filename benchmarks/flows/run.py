#!/usr/bin/env python3
# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Measures a training step of Glow, the same network, weights, batch and threads for all:
memrev by inversion and with everything stored, and FrEIA's modules on PyTorch, at several
numbers of steps of flow in each level.

A step of training is the negative log-likelihood of a batch and its gradients by all
parameters, without an optimizer. Each contestant is a process of its own. They take turns, so
that a change of the machine's speed meets all of them; the first step is not measured. Memory
is the most that malloc has given out in a step (utils/malloc_counter.c) beyond what was there
before it, in a run of its own: the batch, activations, scratch and gradients, not the
parameters. All have to find the same loss and gradients. Results go to ../results/flows.{json,md}.

  run.py [--counts 4 8 16 32] [--rounds 3] [--steps 1] [--threads N]
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

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "common"))

from contestants import PAUSE, Contestant, build_counter, machine, versions  # noqa: E402

TITLES = {
    "memrev-invert": "memrev, policy(invert)",
    "memrev-invert-householder": "the same, 3 trained reflections",
    "memrev-store": "memrev, policy(store)",
    "freia": "FrEIA",
    "freia-channels-last": "FrEIA, the same in channels_last",
}
#: What computes something else than the others.
OTHERS = ("memrev-invert-householder",)


def start(name, count, options, preload=None):
    arguments = [name, count, options.levels, options.size, options.batch, options.hidden,
                 options.threads]
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


def table(record):
    base = "freia" if "freia" in record["contestants"] else record["contestants"][0]
    others = f"of {TITLES[base]}'s"
    lines = [
        "# One training step of Glow", "",
        "Written by `benchmarks/flows/run.py`, which says how it measures. "
        f"{record['levels']} levels of K steps (ActNorm, a fixed orthogonal mixing of channels, an "
        "affine coupling of both halves with a network of three convolutions each, 3x3, 1x1 and "
        f"3x3, {record['hidden']} channels between), {record['size']}x{record['size']}x3, batch "
        f"{record['batch']}, f32, {record['threads']} thread"
        f"{'s' if record['threads'] > 1 else ''}. All have the same parameters, and find the same "
        "loss and gradients, but for the network with reflections. Memory is what malloc has given "
        "out in a step besides parameters; the last column is that less the gradients of the "
        "parameters, which are results.", "",
        f"| K | | parameters | median step | {others} | fastest | peak | {others} "
        "| peak without gradients |", "|---:|---|---:|---:|---:|---:|---:|---:|---:|"]
    for count, results in record["results"].items():
        for name, r in results.items():
            lines.append(
                f"| {count} | {TITLES[name]} | {r['parameters']} | {r['median_seconds']:.2f} s "
                f"| {r['median_seconds'] / results[base]['median_seconds']:.2f} "
                f"| {r['minimum_seconds']:.2f} s | {r['peak_bytes'] / 2**20:.1f} MiB "
                f"| {r['peak_bytes'] / results[base]['peak_bytes']:.3f} "
                f"| {(r['peak_bytes'] - r['gradient_bytes']) / 2**20:.1f} MiB |")
    used = ", ".join(f"{name} {version}"
                     for name, version in record["versions"].items() if version)
    compiled = "; ".join(
        f"K = {count}: " + ", ".join(f"{TITLES[name]} {r['compile_seconds']:.0f} s"
                                     for name, r in results.items() if "compile_seconds" in r)
        for count, results in record["results"].items())
    measured_on = record["machine"]
    lines += [
        "", f"Compiled: {compiled}.", "",
        f"{record['date']}, {measured_on['cpu']}, {measured_on['cores']} cores, "
        f"{measured_on['vectors']}, load {measured_on['load']} at the start; {used}.", "",
        f"    {record['command']}", ""]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", nargs="+", type=int, default=[4, 8, 16, 32])
    parser.add_argument("--contestants", nargs="+", choices=list(TITLES), default=list(TITLES))
    parser.add_argument("--levels", type=int, default=3)
    parser.add_argument("--size", type=int, default=64, help="of images, a multiple of 2^levels")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--hidden", type=int, default=64)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=1, help="in each round")
    parser.add_argument("--output", type=pathlib.Path, default=HERE.parent / "results")
    options = parser.parse_args()
    before, results = machine(), {}
    with tempfile.TemporaryDirectory() as folder:
        counter = build_counter(folder)
        os.environ["MEMREV_CACHE_DIR"] = folder  # Programs of earlier runs are compiled, too.
        for count in options.counts:
            results[str(count)] = measure(count, options, counter)
    record = {
        **{key: getattr(options, key) for key in ("contestants", "levels", "size", "batch",
                                                  "hidden", "threads")},
        "date": datetime.date.today().isoformat(), "machine": before, "versions": versions(),
        "command": shlex.join(["benchmarks/flows/run.py", *sys.argv[1:]]), "results": results,
    }
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "flows.json").write_text(json.dumps(record, indent=1) + "\n")
    (options.output / "flows.md").write_text(table(record))
    print(table(record))


if __name__ == "__main__":
    main()
