# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""CIFAR-10 and CIFAR-100 (Krizhevsky 2009) in their published binary format.

A file is a sequence of records: one byte with the label (CIFAR-100: one with the
coarse and one with the fine label), then 3072 bytes with a 32x32 image, the red
plane before the green and the blue one, each row by row.
https://www.cs.toronto.edu/~kriz/cifar.html
"""

import hashlib
import http.client
import tarfile
import urllib.request
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Tuple

import numpy as np

from .._files import atomic_write

SIZE = 32
COLORS = 3
IMAGE_BYTES = COLORS * SIZE * SIZE
#: Seconds without a byte after which a download has failed.
TIMEOUT = 30


class DatasetError(Exception):
    """A data set that is not there, cannot be had, or is not what it should be."""


@dataclass(frozen=True)
class Images:
    """Labelled images: `pixels` uint8 (n, 32, 32, 3), NHWC; `labels` int32 (n,)."""

    pixels: np.ndarray
    labels: np.ndarray

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, rows: slice) -> "Images":
        return Images(self.pixels[rows], self.labels[rows])


@dataclass(frozen=True)
class Dataset:
    """Where a data set is published, and how its files are laid out."""

    name: str
    classes: int
    folder: str
    archive: str
    train_files: Tuple[str, ...]
    test_files: Tuple[str, ...]
    #: Bytes before each image; the last one is the label.
    label_bytes: int
    url: str
    #: The published checksum of the archive.
    md5: str


DATASETS = {
    dataset.name: dataset
    for dataset in (
        Dataset(
            name="cifar10",
            classes=10,
            folder="cifar-10-batches-bin",
            archive="cifar-10-binary.tar.gz",
            train_files=tuple(f"data_batch_{i}.bin" for i in range(1, 6)),
            test_files=("test_batch.bin",),
            label_bytes=1,
            url="https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
            md5="c32a1d4ab5d03f1284b67883e8d87530",
        ),
        Dataset(
            name="cifar100",
            classes=100,
            folder="cifar-100-binary",
            archive="cifar-100-binary.tar.gz",
            train_files=("train.bin",),
            test_files=("test.bin",),
            label_bytes=2,
            url="https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
            md5="03b5dce01913d631647c71ecec9e9cb8",
        ),
    )
}


def parse(dataset: Dataset, data: bytes, file: str) -> Images:
    """Reads the records of one file. Raises DatasetError if it is not of the format."""
    record = dataset.label_bytes + IMAGE_BYTES
    if not data or len(data) % record:
        raise DatasetError(
            f"'{file}' expects records of {record} bytes, but got {len(data)} bytes")
    records = np.frombuffer(data, np.uint8).reshape(-1, record)
    labels = records[:, dataset.label_bytes - 1].astype(np.int32)
    if labels.max() >= dataset.classes:
        raise DatasetError(
            f"'{file}' expects labels below {dataset.classes}, but got {labels.max()} in "
            f"record {labels.argmax()}")
    planes = records[:, dataset.label_bytes:].reshape(-1, COLORS, SIZE, SIZE)
    return Images(np.ascontiguousarray(planes.transpose(0, 2, 3, 1)), labels)


def load(dataset: Dataset, data_dir) -> Tuple[Images, Images]:
    """The training and the test images, from the folder `dataset.folder` in `data_dir`,
    else from the archive there, else downloaded to there.

    Raises DatasetError if a file is missing or damaged, or the download fails.
    """
    data_dir = Path(data_dir)
    folder, archive = data_dir / dataset.folder, data_dir / dataset.archive
    if folder.is_dir():
        def read(file):
            return (folder / file).read_bytes()
        return _load(dataset, read, folder)
    if not archive.is_file():
        download(dataset, data_dir)
    try:
        with tarfile.open(archive) as tar:
            def read(file):
                member = tar.getmember(f"{dataset.folder}/{file}")
                if not member.isfile():
                    raise KeyError(file)
                return tar.extractfile(member).read()
            return _load(dataset, read, archive)
    except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
        raise DatasetError(f"'{archive}' cannot be read as an archive: {error}") from error


def _load(dataset, read, place):
    sets = []
    for files in (dataset.train_files, dataset.test_files):
        parts = []
        for file in files:
            try:
                data = read(file)
            except (FileNotFoundError, KeyError):
                raise DatasetError(f"'{place}' expects a file '{file}', but has none") from None
            parts.append(parse(dataset, data, f"{place}/{file}"))
        sets.append(Images(np.concatenate([part.pixels for part in parts]),
                           np.concatenate([part.labels for part in parts])))
    return tuple(sets)


def download(dataset: Dataset, data_dir) -> Path:
    """Downloads the archive and returns its path. The file appears under its name only
    when it is whole and has the published checksum; raises DatasetError otherwise."""
    data_dir = Path(data_dir)
    target = data_dir / dataset.archive
    advice = (f"put '{dataset.archive}' or the folder '{dataset.folder}' into '{data_dir}', "
              "or name the folder that has it with --data-dir")
    checksum = hashlib.md5()
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        with urllib.request.urlopen(dataset.url, timeout=TIMEOUT) as response, \
                atomic_write(target) as file:
            while chunk := response.read(1 << 20):
                checksum.update(chunk)
                file.write(chunk)
            if checksum.hexdigest() != dataset.md5:
                raise DatasetError(
                    f"'{dataset.url}' expects the MD5 checksum {dataset.md5}, but got "
                    f"{checksum.hexdigest()}; {advice}")
    except (OSError, http.client.HTTPException) as error:
        raise DatasetError(
            f"'{dataset.name}' is not in '{data_dir}' and cannot be downloaded from "
            f"{dataset.url}: {str(error).strip()}; {advice}") from error
    return target
