#!/usr/bin/env python3
# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Measures how well times are estimated: the plans of the curve of time against memory of
gradients of networks, each compiled for a budget of its bytes and called in turn with the
others, on one thread.

Processor time is measured, for other programs take turns on the same processors; the fastest
call of a plan counts. Written to ../results/costs.{json,md}.

  run.py [--calls 15] [--cost-model FILE] [NETWORK...]
"""

import argparse
import json
import os
import pathlib
import platform
import re
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "python-frontend"))

import numpy as np  # noqa: E402

import memrev  # noqa: E402
from memrev import models, nn  # noqa: E402


def revnet38():
    return models.revnet38(), 32, "RevNet-38, 32 images"


def vit():
    return (models.RevViT(32, 4, 128, 6, 4, classes=10), 8,
            "reversible transformer, 6 blocks of 128 features, 8 x 64 tokens")


NETWORKS = {"revnet38": revnet38, "vit": vit}


def make_gradient(model, state, **options):
    @memrev.jit(threads=1, **options)
    def gradient(params, images, labels):
        def loss(params):
            logits, _ = model.apply(params, state, images, train=True)
            return nn.cross_entropy(logits, labels).mean()

        return memrev.grad(loss)(params)

    return gradient


def measure(network, calls, cost_model):
    """A dict of what the network is and its plans: bytes, estimated and measured times."""
    model, batch, description = NETWORKS[network]()
    variables = model.init(0)
    random = np.random.default_rng(0)
    arguments = (variables["params"], random.standard_normal((batch, 32, 32, 3), np.float32),
                 random.integers(0, 10, batch, np.int32))
    options = {"state": variables["state"], "cost_model": cost_model}
    plans = []
    for point in make_gradient(model, **options).memory_curve(*arguments):
        gradient = make_gradient(model, memory_budget=point["peak_bytes"], **options)
        report = gradient.memory_report(*arguments)
        plans.append((gradient, {"peak_bytes": report["peak_bytes"],
                                 "estimated_ms": report["time_ns"] / 1e6, "times_ms": []}))
        gradient(*arguments)
    for _ in range(calls):
        for gradient, plan in plans:
            start = time.thread_time()
            gradient(*arguments)
            plan["times_ms"].append(1e3 * (time.thread_time() - start))
    return {"network": description, "plans": [plan for _, plan in plans]}


def rank_correlation(a, b):
    """Spearman's; equal values share a rank."""
    def rank(values):
        values = np.asarray(values)
        return [np.mean([np.sum(values < v), np.sum(values <= v) - 1]) for v in values]

    return float(np.corrcoef(rank(a), rank(b))[0, 1])


def describe(report):
    """The report as a table in Markdown."""
    lines = [
        "# Estimated and measured time", "",
        f"Gradients in f32 on one thread of {report['machine']}, processor time, the fastest of "
        f"{report['calls']} calls; load of the machine at the end {report['load']:.1f}.",
        "Written by `benchmarks/costs/run.py`, which describes the calls."]
    for entry in report["networks"]:
        plans = entry["plans"]
        estimated = [plan["estimated_ms"] for plan in plans]
        measured = [min(plan["times_ms"]) for plan in plans]
        lines += ["", f"## {entry['network']}", "",
                  "| peak MiB | estimated ms | measured ms | estimated / measured |",
                  "|---:|---:|---:|---:|"]
        lines += [f"| {plan['peak_bytes'] / 2**20:.1f} | {e:.2f} | {m:.2f} | {e / m:.2f} |"
                  for plan, e, m in zip(plans, estimated, measured)]
        lines += ["", f"Rank correlation {rank_correlation(estimated, measured):.2f}; storing "
                  f"everything saves {estimated[0] - estimated[-1]:.2f} ms by estimate and "
                  f"{measured[0] - measured[-1]:.2f} ms."]
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", choices=[*NETWORKS, []])
    parser.add_argument("--calls", type=int, default=15)
    parser.add_argument("--cost-model", help="a file that memrev-compile --calibrate wrote")
    options = parser.parse_args()
    networks = [measure(network, options.calls, options.cost_model)
                for network in options.networks or NETWORKS]
    cpu = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    report = {"machine": cpu.group(1) if cpu else platform.machine(), "calls": options.calls,
              "load": os.getloadavg()[0], "networks": networks}
    results = HERE.parent / "results"
    (results / "costs.json").write_text(json.dumps(report, indent=1) + "\n")
    (results / "costs.md").write_text(describe(report))
    print(describe(report))


if __name__ == "__main__":
    main()
