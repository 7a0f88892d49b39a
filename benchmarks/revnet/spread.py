#!/usr/bin/env python3
# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Trains revnet38 in f32 on synthetic images in CIFAR's format, from the same weights and
on the same batches, with memrev by inversion and five times with PyTorch storing
everything. PyTorch's runs begin with weights that are moved by a rounding error each, so
that their spread is that of rounding. Is memrev's run one of them?

For each run, 20 steps are one mean of the loss. A run's distance is that of its mean
from the mean of PyTorch's other runs, divided by their standard deviation.
"""

import argparse
import datetime
import json
import os
import pathlib
import shlex
import sys
import tempfile

import numpy as np
import torch
import torch.nn.functional as functional

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "python-frontend"), str(ROOT / "python-frontend" / "tests")]

import cifar_files  # noqa: E402
import memrev  # noqa: E402
from memrev import models, nn, optim, tree  # noqa: E402
from memrev.train import batches, cifar  # noqa: E402
from torch_resnets import Net  # noqa: E402

WINDOW = 20
RUNS = 5
OPTIONS = dict(momentum=0.9, weight_decay=2e-4)


def memrev_run(variables, data, steps, rate):
    model, optimizer = models.revnet38(10), optim.SGD(rate, **OPTIONS)

    @memrev.jit(donate=(0, 1, 2))
    def step(params, state, opt_state, images, labels):
        def loss_fn(params):
            logits, new_state = model.apply(params, state, images, train=True)
            return nn.cross_entropy(logits, labels).mean(), new_state

        (loss, new_state), grads = memrev.value_and_grad(loss_fn, has_aux=True)(params)
        params, opt_state = optimizer.update(grads, opt_state, params)
        return params, new_state, opt_state, loss

    params, state = tree.map(np.copy, (variables["params"], variables["state"]))
    opt_state, losses = optimizer.init(params), []
    for i in range(steps):
        params, state, opt_state, loss = step(params, state, opt_state, *data.batch(i))
        losses.append(float(loss))
    return losses


def torch_run(variables, data, steps, rate, seed):
    rng = np.random.default_rng(seed)

    def moved(array):
        noise = rng.choice([-1, 1], array.shape).astype(np.float32)
        return torch.tensor(array * (1 + np.float32(2.0 ** -23) * noise)).requires_grad_()

    params, state = tree.map(moved, variables["params"]), tree.map(torch.tensor,
                                                                   variables["state"])
    sgd = torch.optim.SGD(tree.leaves(params), lr=rate, **OPTIONS)
    losses = []
    for i in range(steps):
        images, labels = data.batch(i)
        sgd.zero_grad()
        loss = functional.cross_entropy(Net()(params, state, torch.tensor(images)),
                                        torch.tensor(labels).long())
        loss.backward()
        sgd.step()
        losses.append(loss.item())
    return losses


def means(losses):
    return np.reshape(losses[:len(losses) // WINDOW * WINDOW], (-1, WINDOW)).mean(1)


def distances(own, others):
    return np.abs(own - others.mean(0)) / others.std(0, ddof=1)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=0.1)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "benchmarks" / "results")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        dataset = cifar.DATASETS["cifar10"]
        cifar_files.write(pathlib.Path(folder), dataset, train=2000, test=10)
        train, _ = cifar.load(dataset, folder)
    data = batches.TrainingBatches(train, batches.mean_image(train.pixels), options.batch, seed=0)
    variables = models.revnet38(10).init(0)
    arguments = (variables, data, options.steps, options.rate)
    ours = means(memrev_run(*arguments))
    theirs = np.stack([means(torch_run(*arguments, seed)) for seed in range(RUNS)])
    own = distances(ours, theirs)
    peers = np.stack([distances(theirs[i], np.delete(theirs, i, 0)) for i in range(RUNS)])
    command = shlex.join(["benchmarks/revnet/spread.py", *sys.argv[1:]])
    record = {"command": command, "date": datetime.date.today().isoformat(),
              "batch": options.batch, "rate": options.rate, "memrev": ours.tolist(),
              "torch": theirs.tolist(), "distance": own.tolist(),
              "distances_of_torch": peers.tolist()}
    lines = [
        "# 200 steps of training from the same weights", "",
        f"revnet38, f32, batch {options.batch}, rate {options.rate}, synthetic images in CIFAR-10's "
        "format. Means of the loss over 20 steps.", "",
        "| steps | memrev, by inversion | PyTorch, least of 5 | PyTorch, most of 5 | memrev's "
        "distance | largest of PyTorch's |", "|---|---:|---:|---:|---:|---:|"]
    for i, value in enumerate(ours):
        lines.append(f"| {i * WINDOW + 1}-{(i + 1) * WINDOW} | {value:.5f} | {theirs[:, i].min():.5f} "
                     f"| {theirs[:, i].max():.5f} | {own[i]:.2f} | {peers[:, i].max():.2f} |")
    lines += ["", "A distance is that of a run from the mean of PyTorch's (other) runs, in their "
              "standard deviations.", "", f"{record['date']}, PyTorch {torch.__version__}.", "",
              f"    {command}", ""]
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "revnet-spread.json").write_text(json.dumps(record, indent=1) + "\n")
    (options.output / "revnet-spread.md").write_text("\n".join(lines))
    print("\n".join(lines))


if __name__ == "__main__":
    main()
