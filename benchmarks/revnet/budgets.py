#!/usr/bin/env python3
# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Measures a training step of one of MemCNN's RevNets within budgets of memory, beside what
PyTorch offers: storing everything, checkpoints of each block or of segments, and RevTorch.

A budget is for what a step takes besides parameters, momenta and running statistics: the
batch, activations, gradients, scratch. The peers take what they take; in a budget each is
compared with the fastest of them that fits, and with RevTorch where none does. Contestants
are measured as by run.py: in turns, in processes of their own.
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

import run

PEERS = {
    "torch": "PyTorch, stores everything",
    "torch-checkpoint": "PyTorch, checkpoints each block",
    "torch-checkpoint-segments": "PyTorch, checkpoints segments",
    "revtorch": "RevTorch",
}


def name_of(budget):
    return f"memrev-invert-{budget}MiB"


def ratio(results, name, other):
    """The median of the ratios of steps that were measured one after the other."""
    pairs = zip(results[name]["seconds"], results[other]["seconds"])
    return statistics.median(a / b for a, b in pairs)


def compare(record):
    """Each budget beside the one before, and beside the fastest peer that fits."""
    results, budgets = record["results"], record["budgets"]
    for before, budget in zip([None, *budgets], budgets):
        found = results[name_of(budget)]
        fitting = [name for name in PEERS if results[name]["peak_bytes"] <= budget * 2**20]
        peer = min(fitting or ["revtorch"], key=lambda name: results[name]["median_seconds"])
        found["peer"], found["fits"] = peer, bool(fitting)
        found["of_peer"] = ratio(results, name_of(budget), peer)
        found["of_previous"] = before and ratio(results, name_of(budget), name_of(before))


def table(record):
    results = record["results"]
    lines = [f"## {record['network']}", "",
             "| | peak of the step | median step | of the budget before | of the fastest peer "
             "that fits |", "|---|---:|---:|---:|---|"]

    def start(title, result):
        return (f"| {title} | {result['peak_bytes'] / 2**20:.1f} MiB "
                f"| {1e3 * result['median_seconds']:.0f} ms |")

    for budget in record["budgets"]:
        found = results[name_of(budget)]
        before = f"{found['of_previous']:.3f}" if found["of_previous"] else "–"
        peer = PEERS[found["peer"]] + ("" if found["fits"] else " (none fits)")
        lines.append(start(f"memrev, {budget} MiB", found)
                     + f" {before} | {found['of_peer']:.2f}, {peer} |")
    lines += [start(title, results[name]) + " – | – |" for name, title in PEERS.items()]
    compiled = ", ".join(f"{results[name_of(budget)]['compile_seconds']:.0f} s"
                         for budget in record["budgets"])
    machine = record["machine"]
    used = ", ".join(f"{name} {version}"
                     for name, version in record["versions"].items() if version)
    lines += ["", f"Batch {record['batch']}, f32, threads: {record['threads']}. Planned and "
              f"compiled in {compiled}. {record['date']}, {machine['cpu']}, "
              f"{machine['cores']} cores, {machine['vectors']}, load {machine['load']} at the "
              f"start; {used}.", "", f"    {record['command']}", ""]
    return "\n".join(lines)


def measure(options):
    before = run.machine()
    names = [name_of(budget) for budget in options.budgets] + list(PEERS)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        weights = str(folder / "weights.npz")
        run.write_weights(options.network, weights)
        results = run.measure_time(names, options.network, options, weights)
        run.measure_memory(options.network, options, weights, folder, results)
    record = {
        "network": options.network, "batch": options.batch, "threads": options.threads,
        "budgets": options.budgets, "date": datetime.date.today().isoformat(),
        "machine": before, "versions": run.versions(),
        "command": shlex.join(["benchmarks/revnet/budgets.py", *sys.argv[1:]]),
        "results": results,
    }
    compare(record)
    return record


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", nargs="?", default="revnet110",
                        choices=[name for name in run.NETWORKS if name.startswith("revnet")])
    parser.add_argument("--budgets", nargs="+", type=int, default=[65, 100, 200, 400, 850],
                        metavar="MIB")
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=1)
    parser.add_argument("--warm-up", type=int, default=2)
    parser.add_argument("--output", type=pathlib.Path,
                        default=run.ROOT / "benchmarks" / "results")
    options = parser.parse_args()
    options.device, options.precision = "cpu", "ieee"
    options.output.mkdir(parents=True, exist_ok=True)
    record = measure(options)
    path = options.output / f"budgets-{options.network}"
    path.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n")
    path.with_suffix(".md").write_text(table(record))
    print(table(record))


if __name__ == "__main__":
    main()
