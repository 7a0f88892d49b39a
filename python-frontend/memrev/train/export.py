# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A trained network and its training step as files for programs without Python."""

from pathlib import Path

import numpy as np

from .. import CompileError, ShapeDtype, compile, device_get, io
from .._export import export as write_library
from .programs import CompiledPrograms
from .trainer import Variables


class ExportError(Exception):
    """A library that cannot be made."""


def check_path(path: Path):
    """Raises ExportError if `export` cannot write to `path`; it runs after the training."""
    if path.suffix in (".h", ".npz"):
        raise ExportError(f"'{path}' expects another suffix, that of a shared library: the "
                          "header and the arrays have '.h' and '.npz'")
    if not path.absolute().parent.is_dir():
        raise ExportError(f"'{path}' expects to be in a folder that exists")


def check_chip(chip: str):
    """Raises ExportError if `export` has no chip of that name."""
    if chip == "cpu":
        return
    try:
        compile("", "cuda", chip=chip, kernel_format="ptx")
    except CompileError as error:
        raise ExportError(f"no library can be exported: {error.diagnostics[0].message}") from None


def export(path: Path, programs: CompiledPrograms, variables: Variables, batch_size: int,
           mean: np.ndarray, chip: str = "cpu", fp32_precision: str = "ieee"):
    """Writes three files: the shared library `path` with the functions `predict`, `evaluate`
    and `step` for batches of `batch_size` images, the C header that declares them, with the
    suffix ".h", and the arrays that they take, with the suffix ".npz": parameters, states
    and the mean image, which is subtracted from images before anything else. The library is
    for the processor, or for CUDA devices with a chip, which multiply matrices as
    `fp32_precision` says.

    Raises ExportError if there is no C++ compiler to link with, and OSError if a file cannot
    be written.
    """
    path = Path(path)
    target = {} if chip == "cpu" else {"target": "cuda", "chip": chip,
                                       "fp32_precision": fp32_precision}
    images = ShapeDtype((batch_size, *mean.shape), np.float32)
    labels = ShapeDtype((batch_size,), np.int32)
    try:
        write_library(path, **target, **{
            name: (programs.jitted[name], *programs.arguments(name, variables, images, labels))
            for name in ("predict", "evaluate", "step")})
    except RuntimeError as error:
        raise ExportError(f"'{path}' cannot be exported: {error}") from error
    io.save(path.with_suffix(".npz"), {**device_get(variables.as_dict()), "mean_image": mean})
