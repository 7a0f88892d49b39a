#!/usr/bin/env python3
# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Trains MemCNN's six networks on both data sets and fills the three tables that MemCNN
publishes, theirs beside ours. Runs that were interrupted go on, finished ones are not
repeated.

Options behind `--` go to `python -m memrev.train`, for example `-- --iterations 1000`.
Accuracy and time are those of the runs in --runs, memory that of benchmarks/revnet/run.py
in benchmarks/results. A cell says so if it was not run, not to the end, or with other
settings than MemCNN's.
"""

import argparse
import dataclasses
import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "python-frontend"))

from memrev import models, tree  # noqa: E402
from memrev.train.settings import Settings  # noqa: E402

RESULTS = ROOT / "benchmarks" / "results"
NETWORKS = ("resnet32", "resnet110", "resnet164", "revnet38", "revnet110", "revnet164")
DATASETS = ("cifar10", "cifar100")
# Settings that a cell does not name: the seed is chance, the last ones change rounding at most.
# Iterations are named by themselves.
FREE = ("model", "dataset", "iterations", "seed", "policy", "workers", "log_every",
        "validate_every", "checkpoint_every")
NOT_RUN, NOT_FINISHED = "not run", "not finished"

# What MemCNN's README publishes, of Gomez et al.'s code (TF) and of MemCNN (PyTorch), on one
# GPU of 2018: accuracy in percent, hours and minutes of training. Each row is TF and PyTorch
# on CIFAR-10, then on CIFAR-100.
ACCURACY = {
    "resnet32": (92.74, 92.86, 69.10, 69.81), "resnet110": (93.99, 93.55, 73.30, 72.40),
    "resnet164": (94.57, 94.80, 76.79, 76.47), "revnet38": (93.14, 92.80, 71.17, 69.90),
    "revnet110": (94.02, 94.10, 74.00, 73.30), "revnet164": (94.56, 94.90, 76.39, 76.90),
}
TIME = {
    "resnet32": ("2:04", "1:51", "1:58", "1:51"), "resnet110": ("4:11", "2:51", "6:44", "2:39"),
    "resnet164": ("11:05", "4:59", "10:59", "3:45"),
    "revnet38": ("2:17", "2:09", "2:20", "2:16"), "revnet110": ("6:59", "3:42", "7:03", "3:50"),
    "revnet164": ("13:09", "7:21", "13:12", "7:17"),
}
# Parameters, MiB of them and of running statistics, and MiB that are live after the forward
# pass, the batch included.
MEMORY = {
    "resnet32": (466906, 1.9, 238.6), "resnet110": (1730714, 6.8, 810.7),
    "resnet164": (1704154, 6.8, 2452.8), "revnet38": (573994, 2.3, 85.6),
    "revnet110": (1854890, 7.3, 85.7), "revnet164": (1983786, 7.9, 432.7),
}


def train(options):
    """Runs what is missing; returns the exit status of the first run that fails."""
    environment = dict(os.environ)
    paths = [str(ROOT / "python-frontend"), environment.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    for network in options.networks:
        for dataset in options.datasets:
            status = subprocess.run(
                [sys.executable, "-m", "memrev.train", network, dataset, "--results-dir",
                 options.runs, "--data-dir", options.data, *options.arguments],
                env=environment, check=False).returncode
            if status:
                return status
    return 0


def read(path):
    return json.loads(path.read_text()) if path.exists() else None


def cell(run, text):
    """`text` of the run in a folder, and in what it is not MemCNN's experiment."""
    summary = read(run / "summary.json")
    if summary is None:
        return NOT_FINISHED if run.exists() else NOT_RUN
    notes, settings = [], summary["settings"]
    shortened = settings["iterations"] != Settings.iterations
    if shortened:
        notes.append(f"{settings['iterations']} iterations")
    for field in dataclasses.fields(Settings):
        value = settings[field.name]
        value = tuple(value) if isinstance(value, list) else value
        # The drops of the rate follow the iterations.
        is_free = field.name in FREE or field.name == "lr_drops" and shortened
        if not is_free and value != field.default:
            notes.append(f"{field.name} {value}")
    return f"{text(summary)} ({', '.join(notes)})" if notes else text(summary)


def accuracy(summary):
    return f"{summary['test_accuracy_percent']:.2f}"


def duration(summary):
    minutes = round(summary["seconds"] / 60)
    return f"{minutes // 60}:{minutes % 60:02}"


def table(title, published, runs, text):
    lines = [f"## {title}", "",
             "| | " + " | ".join(f"CIFAR-{n}, {who}" for n in (10, 100)
                                 for who in ("TF", "MemCNN", "memrev")) + " |",
             "|---|" + "---:|" * 6]
    for network, values in published.items():
        cells = []
        for i, dataset in enumerate(DATASETS):
            theirs = [v if isinstance(v, str) else f"{v:.2f}" for v in values[2 * i:][:2]]
            cells += [*theirs, cell(pathlib.Path(runs) / f"{network}-{dataset}", text)]
        lines.append(f"| {network} | {' | '.join(cells)} |")
    return [*lines, ""]


def memory_table(results):
    lines = ["## Memory, batch 100, MiB", "",
             "| | parameters, MemCNN | memrev | MiB of them, MemCNN | memrev "
             "| live after forward, MemCNN | memrev | peak of a step, memrev |",
             "|---|" + "---:|" * 7]
    for network, (parameters, size, activations) in MEMORY.items():
        model = getattr(models, network)(10)
        ours = sum(leaf.nbytes for leaf in tree.leaves(model.init(0))) / 2**20
        record = read(results / f"revnet-{network}.json")
        live = peak = NOT_RUN
        if record and record["batch"] == 100 and "memrev-invert" in record["results"]:
            found = record["results"]["memrev-invert"]
            live, peak = (f"{found[name] / 2**20:.1f}" for name in ("live_bytes", "peak_bytes"))
        lines.append(f"| {network} | {parameters} | {model.num_parameters} | {size} | {ours:.1f} "
                     f"| {activations} | {live} | {peak} |")
    return [*lines, ""]


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=NETWORKS)
    parser.add_argument("--datasets", nargs="+", choices=DATASETS, default=DATASETS)
    parser.add_argument("--runs", default="results", help="where runs are (results)")
    parser.add_argument("--data", default="data", help="where data sets are (data)")
    parser.add_argument("--only-tables", action="store_true", help="train nothing")
    parser.add_argument("--output", type=pathlib.Path,
                        default=RESULTS / "memcnn-tables.md")
    parser.add_argument("arguments", nargs="*", metavar="-- ARGUMENT",
                        help="arguments for memrev.train")
    options = parser.parse_args()
    status = 0 if options.only_tables else train(options)
    lines = [
        "# MemCNN's tables", "",
        "Written by `benchmarks/revnet/tables.py`, which trains what the cells of memrev say. "
        "TF is the code of Gomez et al., both columns as MemCNN publishes them, on one GPU of "
        "2018 and a batch of 100 for 160 epochs. A published memory is that after the forward "
        "pass; the peak of a step is what has to fit. The size of parameters includes the "
        "running statistics; MemCNN's is rounded up to 512 bytes for each array.", "",
        *table("Accuracy, % top-1", ACCURACY, options.runs, accuracy),
        *table("Training time, hours:minutes", TIME, options.runs, duration),
        *memory_table(RESULTS),
    ]
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text("\n".join(lines))
    print("\n".join(lines))
    return status


if __name__ == "__main__":
    sys.exit(main())
