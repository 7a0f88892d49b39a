# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Run by test_train_trainer.py in several processes at once: trains the network of
numpy_programs.py in a folder.

usage: train_process.py FOLDER [--accumulate=N] [--signal-in=RANK --at=ITERATION]
"""

import argparse
import json
import pathlib
import signal

import cifar_files
import numpy_programs
from memrev.train import batches, cifar, experiment, replicas, trainer
from memrev.train.settings import Settings


class Programs(numpy_programs.NumPyPrograms):
    """Sends itself a signal in step `at`."""

    at = None

    def update(self, params, opt_state, grads, rate):
        if sum(name == "update" for name, *_ in self.calls) == self.at:
            signal.raise_signal(signal.SIGINT)
        return super().update(params, opt_state, grads, rate)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--accumulate", type=int, default=1)
    parser.add_argument("--signal-in", type=int)
    parser.add_argument("--at", type=int)
    chosen = parser.parse_args()
    group = replicas.Replicas()
    settings = Settings("regression", "cifar10", iterations=25, batch_size=12, lr=0.5,
                        lr_drops=(20,), log_every=5, validate_every=10, checkpoint_every=20,
                        accumulate=chosen.accumulate, workers=1)
    dataset = cifar.DATASETS["cifar10"]
    data = chosen.folder / f"data{group.rank}"
    if not data.exists():
        cifar_files.write(data, dataset, train=100, test=45)
    train, test = cifar.load(dataset, data)
    source = batches.TrainingBatches(train, batches.mean_image(train.pixels), 12, seed=0)
    programs = Programs()
    if group.rank == chosen.signal_in:
        programs.at = chosen.at
    files = None if group.rank else experiment.Experiment(chosen.folder)
    # A process of its own begins elsewhere: the first one's parameters are those that count.
    run = trainer.Trainer(settings, programs, programs.variables(seed=group.rank), source, test,
                          "test", files, group, lambda line: None)
    run.resume()
    resumed = run.iteration
    run.run()
    draws = [draw for name, draw, _ in programs.calls if name == "gradients"]
    print(json.dumps({"resumed": resumed, "iteration": run.iteration, "draws": draws[:3]}))
    group.close()


if __name__ == "__main__":
    main()
