# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Batches of images for training and for evaluation.

The augmentation is that of Gomez et al. 2017 (arXiv 1707.04585): the mean image is
subtracted, values are not scaled, zeros are padded around the image, of which a random
part of the image's size is taken, and flipped left to right in half of the cases.
"""

from typing import Iterator, Tuple

import numpy as np

from .cifar import Images
from .sampling import CROP, FLIP, PermutationSampler, random_below, random_bits


def mean_image(pixels: np.ndarray) -> np.ndarray:
    """The mean of uint8 images (n, h, w, c) at each pixel: float32 (h, w, c)."""
    # Sums of uint8 are exact in the 64 bits that they are taken in.
    return (pixels.sum(axis=0, dtype=np.int64) / len(pixels)).astype(np.float32)


def crop_and_flip(images: np.ndarray, rows: np.ndarray, columns: np.ndarray,
                  flips: np.ndarray, padding: int) -> np.ndarray:
    """Takes a window of the images' own size out of each padded image.

    images (n, h, w, c); rows, columns: int (n,) in [0, 2 padding], where the window
    begins; flips: bool (n,). Returns (n, h, w, c) of the images' dtype.
    """
    n, height, width, colors = images.shape
    padded = np.zeros((n, height + 2 * padding, width + 2 * padding, colors), images.dtype)
    padded[:, padding:padding + height, padding:padding + width] = images
    result = np.empty_like(images)
    for image, out, row, column, flip in zip(padded, result, rows.tolist(),
                                             columns.tolist(), flips.tolist()):
        window = image[row:row + height, column:column + width]
        out[...] = window[:, ::-1] if flip else window
    return result


class TrainingBatches:
    """Batch i of a training run, for any i: a function of (data, seed, i) alone.

    padding is in pixels; with augment=False images are neither cropped nor flipped.
    """

    def __init__(self, data: Images, mean: np.ndarray, batch_size: int, seed: int,
                 padding: int = 2, augment: bool = True):
        if batch_size < 1:
            raise ValueError(f"batch_size expects a positive number, but got {batch_size}")
        self.data, self.mean, self.batch_size = data, mean, batch_size
        self.seed, self.padding, self.augment = seed, padding, augment
        self.sampler = PermutationSampler(len(data), seed)

    def batch(self, iteration: int, rows: slice = slice(None)) -> Tuple[np.ndarray, np.ndarray]:
        """The rows `rows` of batch number `iteration`: images float32 (n, h, w, c) and
        labels int32 (n,). A row is the same image whichever other rows are taken."""
        size = self.batch_size
        indices = self.sampler.indices(iteration * size, size)[rows]
        images = self.data.pixels[indices] - self.mean
        labels = self.data.labels[indices]
        if self.augment:
            places = random_below(2 * self.padding + 1,
                                  random_bits(self.seed, CROP, iteration, 2 * size))
            flips = random_below(2, random_bits(self.seed, FLIP, iteration, size)) == 1
            top, left = places.reshape(2, size)
            images = crop_and_flip(images, top[rows], left[rows], flips[rows], self.padding)
        return images, labels


def evaluation_batches(data: Images, mean: np.ndarray, batch_size: int, first: int = 0,
                       step: int = 1) -> Iterator[Tuple[int, np.ndarray, np.ndarray]]:
    """Yields (number, images, labels) of batches first, first + step, ... of all images
    in order, as they are but for the mean image. The last batch may be smaller."""
    for number in range(first, -(-len(data) // batch_size), step):
        part = data[number * batch_size:(number + 1) * batch_size]
        yield number, part.pixels - mean, part.labels
