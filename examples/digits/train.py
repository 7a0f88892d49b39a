#!/usr/bin/env python3
# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Trains a convolutional RevNet on scikit-learn's handwritten digits with memrev.

A training step (loss, gradients by inversion, update of the parameters) is one
compiled function. Afterwards a table and a plot compare the peak memory and the
time of a step for policy(invert) and policy(store) at several depths.
"""

import argparse
import dataclasses
import pathlib
import statistics
import sys
import time

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import memrev
import model


def load():
    """Training and test images (NHWC, in [0, 1]) and labels: a fixed stratified
    split of three quarters and one quarter."""
    digits = load_digits()
    images = (digits.images / 16).astype(np.float32)[..., np.newaxis]
    labels = digits.target.astype(np.int32)
    return train_test_split(images, labels, test_size=0.25, stratify=labels,
                            random_state=0)


class Progress:
    """A bar on a terminal, otherwise a line whenever another tenth is done."""

    def __init__(self, label, total):
        self.label, self.total = label, total
        self.start, self.tenth = time.perf_counter(), 0

    def update(self, done, text):
        seconds = time.perf_counter() - self.start
        tenth = 10 * done // self.total
        if sys.stdout.isatty():
            bar = "#" * (30 * done // self.total)
            end = "\n" if done == self.total else ""
            print(f"\r{self.label} [{bar:<30}] {text}  {seconds:.0f} s ",
                  end=end, flush=True)
        elif tenth > self.tenth:
            self.tenth = tenth
            print(f"{self.label} {10 * tenth:3} %  {text}  {seconds:.0f} s",
                  flush=True)


def learning_rate(step, steps, warm_up, peak):
    """Rises over the first steps, then falls along a cosine."""
    if step < warm_up:
        return peak * (step + 1) / warm_up
    return peak * (1 + np.cos(np.pi * (step - warm_up) / (steps - warm_up))) / 2


class Training:
    """The compiled functions of the network, and what one run does with them."""

    def __init__(self, batch):
        self.batch = batch
        self.module = model.Module(model.DIGITS, batch)
        self.program = memrev.compile(
            self.module.text("step", "observe", "predict"))

    def run(self, seed, images, labels, epochs, peak_rate):
        """Trains from scratch; returns what `accuracy` takes."""
        generator = np.random.default_rng(seed)
        initial = model.initialize(model.DIGITS, seed)
        parameters = [initial[p.name] for p in self.module.parameters]
        momenta = [np.zeros_like(p) for p in parameters]
        count, step = len(parameters), self.program["step"]
        per_epoch = len(images) // self.batch
        steps = per_epoch * epochs
        progress = Progress(f"seed {seed}", steps)
        done = 0
        for _ in range(epochs):
            losses = []
            for chosen in self.batches(generator, len(images)):
                rate = learning_rate(done, steps, per_epoch, peak_rate)
                loss, _, *news = step(images[chosen], labels[chosen],
                                      np.float32(rate), *parameters, *momenta)
                parameters, momenta = news[:count], news[count:]
                losses.append(float(loss))
                done += 1
            progress.update(done, f"loss {np.mean(losses):.4f}")
        return parameters, self.population(generator, images, parameters)

    def batches(self, generator, count):
        order = generator.permutation(count)
        for start in range(0, count - self.batch + 1, self.batch):
            yield order[start:start + self.batch]

    def population(self, generator, images, parameters):
        """The statistics of each batch norm, averaged over the training part."""
        values = [np.zeros(s.shape, np.float32) for s in self.module.statistics]
        for i, chosen in enumerate(self.batches(generator, len(images))):
            values = self.program["observe"](
                images[chosen], np.float32(1 / (i + 1)), *parameters, *values)
        return values

    def accuracy(self, trained, images, labels):
        parameters, population = trained
        predicted = []
        for start in range(0, len(images), self.batch):
            chosen = images[start:start + self.batch]
            rest = self.batch - len(chosen)
            padded = np.pad(chosen, ((0, rest), (0, 0), (0, 0), (0, 0)))
            logits = self.program["predict"](padded, *parameters, *population)
            predicted.append(logits.argmax(1)[:len(chosen)])
        return float(np.mean(np.concatenate(predicted) == labels))


@dataclasses.dataclass(frozen=True)
class Measurement:
    policy: str
    depth: int
    peak_bytes: int
    workspace_bytes: int
    seconds: float
    compile_seconds: float


def measure(policy, depth, batch, images, labels, repetitions=7):
    """The memory and the time of a step of a network with `depth` blocks."""
    arch = dataclasses.replace(model.DIGITS, blocks=(depth - depth // 2, depth // 2))
    module = model.Module(arch, batch, policy=policy)
    start = time.perf_counter()
    program = memrev.compile(module.text("step"))
    compile_seconds = time.perf_counter() - start
    initial = model.initialize(arch, 0)
    parameters = [initial[p.name] for p in module.parameters]
    momenta = [np.zeros_like(p) for p in parameters]
    seconds = []
    for _ in range(repetitions + 1):
        start = time.perf_counter()
        program["step"](images[:batch], labels[:batch], np.float32(0),
                        *parameters, *momenta)
        seconds.append(time.perf_counter() - start)
    report = next(entry for entry in program.memory_report()
                  if entry["function"] == "step")
    return Measurement(policy, depth, report["peak_bytes"],
                       report["workspace_bytes"], statistics.median(seconds[1:]),
                       compile_seconds)


def table(measurements, batch):
    """The measurements as Markdown."""
    lines = [
        f"One training step, batch {batch}, f32. The workspace is the peak less the "
        "arguments and results", "(images, parameters, momenta).", "",
        "| blocks | policy | peak memory | of it workspace | step | compile |",
        "|-------:|--------|------------:|----------------:|-----:|--------:|",
    ]
    for m in measurements:
        lines.append(f"| {m.depth} | {m.policy} | {m.peak_bytes / 2**20:.2f} MiB "
                     f"| {m.workspace_bytes / 2**20:.2f} MiB "
                     f"| {1e3 * m.seconds:.1f} ms | {m.compile_seconds:.1f} s |")
    return "\n".join(lines)


def plot(measurements, path):
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(9, 3.6))
    for policy, style in (("store", "o--"), ("invert", "o-")):
        rows = [m for m in measurements if m.policy == policy]
        depths = [m.depth for m in rows]
        axes[0].plot(depths, [m.peak_bytes / 2**20 for m in rows], style,
                     label=f"policy({policy})")
        axes[1].plot(depths, [1e3 * m.seconds for m in rows], style,
                     label=f"policy({policy})")
    for axis, label in zip(axes, ("peak memory in MiB", "time of a step in ms")):
        axis.set(xlabel="reversible blocks", ylabel=label, xscale="log",
                 yscale="log")
        axis.set_xticks(sorted({m.depth for m in measurements}))
        axis.xaxis.set_major_formatter("{x:g}")
        axis.minorticks_off()
        axis.legend()
        axis.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(path, dpi=150)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rate", type=float, default=0.1, help="peak learning rate")
    parser.add_argument("--depths", type=int, nargs="*", default=[8, 32, 128],
                        help="blocks to measure memory and time at")
    parser.add_argument("--output", type=pathlib.Path,
                        default=pathlib.Path("build/digits"),
                        help="folder for depth.md and depth.png")
    options = parser.parse_args()

    images, test_images, labels, test_labels = load()
    start = time.perf_counter()
    training = Training(options.batch)
    print(f"Compiled the training step in {time.perf_counter() - start:.1f} s: "
          f"{sum(model.DIGITS.blocks)} reversible blocks, "
          f"{sum(int(np.prod(p.shape)) for p in training.module.parameters)} "
          "parameters")
    accuracies = []
    for seed in range(options.seeds):
        trained = training.run(seed, images, labels, options.epochs, options.rate)
        # The test part is seen here only, after the last step.
        accuracies.append(training.accuracy(trained, test_images, test_labels))
        print(f"seed {seed}: {100 * accuracies[-1]:.2f} % of the "
              f"{len(test_labels)} test digits are right")
    if accuracies:
        print(f"median test accuracy of {len(accuracies)} seeds: "
              f"{100 * statistics.median(accuracies):.2f} %, after "
              f"{time.perf_counter() - start:.0f} s in all")

    if options.depths:
        measurements = [measure(policy, depth, options.batch, images, labels)
                        for depth in options.depths
                        for policy in ("invert", "store")]
        text = table(measurements, options.batch)
        options.output.mkdir(parents=True, exist_ok=True)
        (options.output / "depth.md").write_text(text + "\n")
        plot(measurements, options.output / "depth.png")
        print(f"\n{text}\n\nPlot: {options.output / 'depth.png'}")


if __name__ == "__main__":
    main()
