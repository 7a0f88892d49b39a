# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The command line of training."""

import argparse
import dataclasses
import sys
import time
from pathlib import Path
from typing import Callable, Dict, Sequence

from .. import CompileError, cuda, models
from . import cifar
from .batches import TrainingBatches, mean_image
from .experiment import Experiment, ExperimentError
from .export import ExportError, check_chip, check_path, export
from .programs import CompiledPrograms, make_optimizer
from .progress import duration
from .replicas import Replicas, ReplicasError
from .settings import Settings, SettingsError
from .trainer import DivergenceError, Trainer


@dataclasses.dataclass(frozen=True)
class Network:
    """A network that can be trained on CIFAR, and what decays in it by default."""

    make: Callable
    decay: str


#: MemCNN decays all parameters, Gomez et al. those of convolutions and linear layers.
NETWORKS: Dict[str, Network] = {
    **{name: Network(getattr(models, name), "all")
       for name in ("resnet32", "resnet110", "resnet164", "revnet38", "revnet110", "revnet164")},
    **{name: Network(getattr(models, name), "weights")
       for name in ("gomez_revnet38", "gomez_revnet110", "gomez_revnet164")},
}


def numbers(text):
    """Numbers that are separated by commas."""
    return tuple(int(part) for part in text.split(",") if part)


def make_parser() -> argparse.ArgumentParser:
    """The options; their defaults are those of `Settings`."""
    default = {field.name: field.default for field in dataclasses.fields(Settings)}
    parser = argparse.ArgumentParser(
        prog="python -m memrev.train", formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Trains a network by inversion. It resumes where it was interrupted.",
        epilog="torchrun --nproc-per-node=N -m memrev.train ... divides each batch among N "
               "processes, each of which has a CUDA device of its own where there are some.")
    parser.add_argument("model", metavar="MODEL", choices=sorted(NETWORKS),
                        help=", ".join(sorted(NETWORKS)))
    parser.add_argument("dataset", metavar="DATASET", choices=sorted(cifar.DATASETS),
                        help=", ".join(sorted(cifar.DATASETS)))
    add = parser.add_argument
    add("--fresh", action="store_true", help="remove the results of earlier runs first")
    add("--no-cuda", action="store_true",
        help="train on the processor although there is a CUDA device")
    add("--data-dir", type=Path, default=Path("data"), metavar="DIR",
        help="where the data set is, or is downloaded to (%(default)s)")
    add("--results-dir", type=Path, default=Path("results"), metavar="DIR",
        help="where the folder MODEL-DATASET with checkpoints and logs is (%(default)s)")
    add("--export", type=Path, metavar="FILE.so",
        help="write the network and its training step as a shared library and a C header "
             "at the end")
    add("--export-chip", metavar="CHIP",
        help="the chip of CUDA devices that the library is for, sm_90 for example, or cpu "
             "(that of the device that trains)")
    add("--threads", type=int, default=0, metavar="N",
        help="threads of a step on the processor (all processors)")

    add("--fp32-precision", default="ieee", choices=("ieee", "tf32x3", "tf32"),
        metavar="ieee|tf32x3|tf32",
        help="how a CUDA device multiplies matrices (%(default)s)")
    add("--contractions", default="generated", choices=("generated", "vendor", "auto"),
        metavar="generated|vendor|auto",
        help="who multiplies them and convolves: vendor is cuBLASLt and cuDNN where these can "
             "(%(default)s)")

    def setting(name, kind, text, **options):
        options.setdefault("default", default[name])
        options.setdefault("metavar", "X" if kind is float else "N")
        add("--" + name.replace("_", "-"), type=kind, help=text, **options)

    setting("iterations", int, "steps of the optimizer (%(default)s)")
    setting("batch_size", int, "images of a step, over all processes (%(default)s)")
    setting("accumulate", int, "parts of the batch that are computed one after the other in "
            "each process, to save memory (%(default)s)")
    setting("lr", float, "the learning rate at the beginning (%(default)s)")
    setting("lr_drops", numbers, "iterations from which on the rate is a tenth of what it was "
            "(half and three quarters of all)", default=None, metavar="N,N,...")
    setting("momentum", float, "(%(default)s)")
    setting("weight_decay", float, "(%(default)s)")
    setting("decay", str, "which parameters decay: all, or the weights of convolutions and "
            "linear layers (all for MemCNN's networks, weights for those of Gomez et al.)",
            default=None, choices=("all", "weights"), metavar="all|weights")
    setting("seed", int, "of parameters, the order of images and augmentation (%(default)s)")
    setting("validation", int, "how many of the last training images are held out and "
            "evaluated in place of the test images (%(default)s)")
    add("--no-augment", dest="augment", action="store_false",
        help="neither crop nor flip training images")
    setting("policy", str, "how the backward pass gets values of the forward pass (%(default)s)",
            choices=("invert", "store"), metavar="invert|store")
    setting("memory_budget", str, "the most bytes that a step takes with its parameters and "
            "images, 200MiB for example: what fits is stored, what does not is evaluated "
            "again", metavar="BYTES")
    setting("log_every", int, "iterations from one line to the next (%(default)s)")
    setting("validate_every", int, "iterations from one evaluation to the next (%(default)s)")
    setting("checkpoint_every", int, "iterations from one checkpoint to the next (%(default)s)")
    setting("workers", int, "threads that read and augment images (%(default)s)")
    return parser


def make_settings(options: argparse.Namespace) -> Settings:
    """The settings that the options ask for. Raises SettingsError if one is out of range."""
    values = {field.name: getattr(options, field.name) for field in dataclasses.fields(Settings)}
    if values["lr_drops"] is None:
        values["lr_drops"] = (-(-options.iterations // 2), -(-options.iterations * 3 // 4))
    if values["decay"] is None:
        values["decay"] = NETWORKS[options.model].decay
    return Settings(**values)


def load_data(settings: Settings, data_dir: Path, replicas: Replicas):
    """(training images, held-out images, their name in logs, test images). Process 0 goes
    first, so that only one downloads. Raises DatasetError and SettingsError."""
    dataset = cifar.DATASETS[settings.dataset]
    if replicas.rank == 0:
        train, test = cifar.load(dataset, data_dir)
    replicas.broadcast(None)
    if replicas.rank != 0:
        train, test = cifar.load(dataset, data_dir)
    if not settings.validation:
        return train, test, "test", test
    if settings.validation >= len(train):
        raise SettingsError(f"validation expects less than the {len(train)} training images, "
                            f"but got {settings.validation}")
    count = len(train) - settings.validation
    return train[:count], train[count:], "validation", test


def train(options: argparse.Namespace, replicas: Replicas, report: Callable[[str], None]) -> int:
    """Trains as the options say. Returns 0, or the signal that stopped it."""
    settings = make_settings(options)
    settings.part_size(replicas.size)
    chip = options.export_chip or replicas.chip
    if options.export:
        check_path(options.export)
        check_chip(chip)
    images, held_out, name, test = load_data(settings, options.data_dir, replicas)
    model = NETWORKS[settings.model].make(cifar.DATASETS[settings.dataset].classes)
    programs = CompiledPrograms(model, make_optimizer(settings), settings.seed,
                                settings.policy, options.threads, replicas.device,
                                options.fp32_precision, options.contractions,
                                settings.memory_budget)
    experiment = None
    if replicas.rank == 0:
        experiment = Experiment(options.results_dir / f"{settings.model}-{settings.dataset}")
    try:
        if options.fresh and experiment:
            experiment.clear()
        batches = TrainingBatches(images, mean_image(images.pixels), settings.batch_size,
                                  settings.seed, augment=settings.augment)
        trainer = Trainer(settings, programs, programs.variables(settings.seed), batches,
                          held_out, name, experiment, replicas, report)
        trainer.resume()
        report(f"{settings.model} on {settings.dataset}: {model.num_parameters} parameters, "
               f"{len(images)} training images, iteration {trainer.iteration} of "
               f"{settings.iterations}, {replicas.size} process{'es' * (replicas.size > 1)}"
               + (f" on {replicas.chip}" if replicas.device != "cpu" else ""))
        stopped = trainer.run()
        if stopped:
            return stopped
        loss, accuracy = trainer.evaluate(test)
        report(f"test loss {loss:.4f}, accuracy {accuracy:.2f} %, after "
               f"{duration(trainer.seconds)} of training")
        if experiment:
            experiment.write_summary(summarize(trainer, model, loss, accuracy))
            if options.export:
                export(options.export, programs, trainer.variables, settings.batch_size,
                       batches.mean, chip, options.fp32_precision)
                report(f"wrote {options.export}")
        return 0
    finally:
        if experiment:
            experiment.close()


def summarize(trainer: Trainer, model, loss: float, accuracy: float) -> dict:
    """The results of a run, for summary.json."""
    planned, measured = trainer.memory
    return {
        "model": trainer.settings.model,
        "dataset": trainer.settings.dataset,
        "parameters": model.num_parameters,
        "iterations": trainer.iteration,
        "test_loss": loss,
        "test_accuracy_percent": accuracy,
        "best_accuracy_percent": trainer.best[0],
        "best_iteration": trainer.best[1],
        "seconds": trainer.seconds,
        "memory_planned_bytes": planned,
        "memory_measured_bytes": measured,
        "processes": trainer.replicas.size,
        "device": trainer.replicas.chip,
        "settings": dataclasses.asdict(trainer.settings),
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def main(arguments: Sequence[str]) -> int:
    """Runs the command line and returns its exit status: 0, 1 after an error, 2 for wrong
    options, 128 plus the signal's number if a signal stopped the run."""
    options = make_parser().parse_args(arguments)
    replicas = None
    try:
        replicas = Replicas(uses_cuda=not options.no_cuda and cuda.is_available())

        def report(line):
            if replicas.rank == 0:
                print(line, flush=True)

        stopped = train(options, replicas, report)
        if stopped:
            report("stopped; the same command goes on from here")
            return 128 + stopped
        return 0
    except (cifar.DatasetError, CompileError, DivergenceError, ExperimentError, ExportError,
            ReplicasError, SettingsError, cuda.DeviceError, ImportError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from the last checkpoint", file=sys.stderr)
        return 130
    finally:
        if replicas is not None:
            replicas.close()
