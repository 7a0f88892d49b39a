# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Small files in the published format of CIFAR, for tests."""

import io
import tarfile

import numpy as np


def write(folder, dataset, train, test, archive=False, seed=0):
    """Writes `train` and `test` images, as a folder or as an archive. Returns their pixels
    (n, 32, 32, 3) and labels, each as a dict {"train": ..., "test": ...}.

    An image's class shows in its mean color, so that a network can learn it.
    """
    rng = np.random.default_rng(seed)
    pixels, labels, files = {}, {}, {}
    for name, count, members in (("train", train, dataset.train_files),
                                 ("test", test, dataset.test_files)):
        labels[name] = rng.integers(0, dataset.classes, count).astype(np.int32)
        colors = np.random.default_rng(0).integers(0, 192, (dataset.classes, 3))
        noise = rng.integers(0, 64, (count, 32, 32, 3))
        pixels[name] = (colors[labels[name]][:, None, None] + noise).astype(np.uint8)
        records = np.zeros((count, dataset.label_bytes + 3072), np.uint8)
        records[:, 0] = rng.integers(0, 20, count)  # CIFAR-100's coarse label.
        records[:, dataset.label_bytes - 1] = labels[name]
        records[:, dataset.label_bytes:] = pixels[name].transpose(0, 3, 1, 2).reshape(count, -1)
        for member, part in zip(members, np.array_split(records, len(members))):
            files[member] = part.tobytes()
    folder.mkdir(parents=True, exist_ok=True)
    if archive:
        with tarfile.open(folder / dataset.archive, "w:gz") as tar:
            for member, data in files.items():
                info = tarfile.TarInfo(f"{dataset.folder}/{member}")
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    else:
        (folder / dataset.folder).mkdir()
        for member, data in files.items():
            (folder / dataset.folder / member).write_bytes(data)
    return pixels, labels
