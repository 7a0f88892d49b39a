# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The data of training: CIFAR's files, the sampler, augmentation, prefetching."""

import dataclasses
import functools
import hashlib
import http.server
import socket
import tarfile
import threading
import time

import numpy as np
import pytest
import torch

import cifar_files
from memrev.train import batches, cifar, prefetch, sampling

CIFAR10, CIFAR100 = cifar.DATASETS["cifar10"], cifar.DATASETS["cifar100"]


# ------------------------------------------------------------------------------
# Files
# ------------------------------------------------------------------------------


@pytest.mark.parametrize("dataset", [CIFAR10, CIFAR100], ids=lambda d: d.name)
@pytest.mark.parametrize("archive", [False, True])
def test_reads_what_is_published(tmp_path, dataset, archive):
    pixels, labels = cifar_files.write(tmp_path, dataset, train=50, test=20, archive=archive)
    train, test = cifar.load(dataset, tmp_path)
    for images, name in ((train, "train"), (test, "test")):
        assert images.pixels.dtype == np.uint8 and images.labels.dtype == np.int32
        np.testing.assert_array_equal(images.pixels, pixels[name])
        np.testing.assert_array_equal(images.labels, labels[name])
    assert len(train) == 50 and len(train[10:]) == 40


def test_planes_are_red_green_blue(tmp_path):
    record = bytes([7]) + bytes([1]) * 1024 + bytes([2]) * 1023 + bytes([5]) + bytes([3]) * 1024
    images = cifar.parse(CIFAR10, record, "one")
    assert images.labels.tolist() == [7]
    assert images.pixels[0, 0, 0].tolist() == [1, 2, 3]
    assert images.pixels[0, 31, 31].tolist() == [1, 5, 3]
    # CIFAR-100: the second byte is the fine label.
    assert cifar.parse(CIFAR100, bytes([19, 99]) + bytes(3072), "one").labels.tolist() == [99]


def test_damaged_files(tmp_path):
    with pytest.raises(cifar.DatasetError, match="'x' expects records of 3073 bytes, but got 30"):
        cifar.parse(CIFAR10, bytes(3072), "x")
    with pytest.raises(cifar.DatasetError, match="expects records of 3074 bytes, but got 0"):
        cifar.parse(CIFAR100, b"", "x")
    with pytest.raises(cifar.DatasetError, match="labels below 10, but got 10 in record 1"):
        cifar.parse(CIFAR10, bytes(3073) + bytes([10]) + bytes(3072), "x")
    cifar_files.write(tmp_path, CIFAR10, train=10, test=2)
    (tmp_path / CIFAR10.folder / "data_batch_3.bin").unlink()
    with pytest.raises(cifar.DatasetError, match="expects a file 'data_batch_3.bin', but has"):
        cifar.load(CIFAR10, tmp_path)


def test_damaged_archives(tmp_path):
    cifar_files.write(tmp_path, CIFAR100, train=10, test=2, archive=True)
    archive = tmp_path / CIFAR100.archive
    whole = archive.read_bytes()
    archive.write_bytes(whole[:len(whole) // 2])
    with pytest.raises(cifar.DatasetError, match="cannot be read as an archive"):
        cifar.load(CIFAR100, tmp_path)
    archive.write_bytes(b"no archive")
    with pytest.raises(cifar.DatasetError, match="cannot be read as an archive"):
        cifar.load(CIFAR100, tmp_path)
    with tarfile.open(archive, "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("something else"))
    with pytest.raises(cifar.DatasetError, match="expects a file 'train.bin', but has none"):
        cifar.load(CIFAR100, tmp_path)


@pytest.fixture
def server(tmp_path):
    """A web server for the files of a folder: (the folder, its URL)."""
    folder = tmp_path / "server"
    folder.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), functools.partial(Handler, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_download(server, tmp_path):
    folder, url = server
    pixels, _ = cifar_files.write(folder, CIFAR10, train=10, test=4, archive=True)
    data = (folder / CIFAR10.archive).read_bytes()
    dataset = dataclasses.replace(CIFAR10, url=f"{url}/{CIFAR10.archive}",
                                  md5=hashlib.md5(data).hexdigest())
    target = tmp_path / "data" / "sets"
    train, _ = cifar.load(dataset, target)
    np.testing.assert_array_equal(train.pixels, pixels["train"])
    assert [path.name for path in target.iterdir()] == [CIFAR10.archive]
    # The second time nothing is asked for.
    (folder / CIFAR10.archive).unlink()
    cifar.load(dataset, target)


def test_download_that_fails(server, tmp_path):
    folder, url = server
    target = tmp_path / "data"
    missing = dataclasses.replace(CIFAR10, url=f"{url}/nothing")
    with pytest.raises(cifar.DatasetError, match="cannot be downloaded .*404.*--data-dir"):
        cifar.load(missing, target)
    unreachable = dataclasses.replace(CIFAR10, url="http://127.0.0.1:1/x")
    with pytest.raises(cifar.DatasetError, match="'cifar10' is not in .*refused.*--data-dir"):
        cifar.load(unreachable, target)
    (folder / "wrong").write_bytes(b"wrong")
    wrong = dataclasses.replace(CIFAR10, url=f"{url}/wrong")
    with pytest.raises(cifar.DatasetError, match="expects the MD5 checksum c32a1.*, but got"):
        cifar.load(wrong, target)
    assert not list(target.iterdir())


def test_answers_that_are_no_http(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def answer():
            connection, _ = listener.accept()
            with connection:
                connection.recv(1 << 16)
                connection.sendall(b"hello\r\n\r\n")

        threading.Thread(target=answer, daemon=True).start()
        dataset = dataclasses.replace(
            CIFAR10, url=f"http://127.0.0.1:{listener.getsockname()[1]}/x")
        with pytest.raises(cifar.DatasetError, match="cannot be downloaded .*hello.*--data-dir"):
            cifar.load(dataset, tmp_path)


# ------------------------------------------------------------------------------
# The sampler
# ------------------------------------------------------------------------------


def test_each_pass_has_all_images_once():
    sampler = sampling.PermutationSampler(10, seed=3)
    drawn = sampler.indices(0, 34)
    for start in (0, 10, 20):
        assert sorted(drawn[start:start + 10]) == list(range(10))
    assert len(set(drawn[30:])) == 4
    assert drawn[:10].tolist() != drawn[10:20].tolist()


def test_the_rest_of_a_pass_is_any_image():
    """MemCNN draws the last, incomplete pass from the first images only."""
    seen = set()
    for seed in range(200):
        seen.update(sampling.PermutationSampler(10, seed).indices(10, 4).tolist())
    assert seen == set(range(10))


def test_any_part_of_the_sequence():
    whole = sampling.PermutationSampler(7, seed=1).indices(0, 100)
    for start, count in ((0, 0), (0, 100), (3, 1), (6, 20), (50, 50), (np.int64(13), 14)):
        part = sampling.PermutationSampler(7, seed=1).indices(start, count)
        np.testing.assert_array_equal(part, whole[start:start + count])


def test_permutations_are_uniform():
    counts = np.zeros((5, 5))
    for epoch in range(5000):
        order = sampling.PermutationSampler(5, seed=0).permutation(epoch)
        counts[np.arange(5), order] += 1
    # The statistic of a chi-squared test with 16 degrees of freedom: 40 is one in a thousand.
    assert ((counts - 1000) ** 2 / 1000).sum() < 40


def test_draws_are_the_same_everywhere():
    """The numbers of a run must not depend on the version of NumPy."""
    sampler = sampling.PermutationSampler(8, seed=5)
    assert sampler.indices(0, 8).tolist() == [2, 4, 3, 1, 5, 0, 6, 7]
    bits = sampling.random_bits(5, sampling.CROP, 1, 6)
    assert sampling.random_below(5, bits).tolist() == [3, 2, 4, 2, 3, 2]


def test_random_below():
    bits = sampling.random_bits(0, sampling.CROP, 0, 50_000)
    counts = np.bincount(sampling.random_below(5, bits), minlength=5)
    assert len(counts) == 5 and ((counts - 10_000) ** 2 / 10_000).sum() < 20
    largest = np.array([2**64 - 1], np.uint64)
    assert sampling.random_below(5, largest) == 4 and sampling.random_below(5, largest * 0) == 0


def test_purposes_and_iterations_do_not_share_bits():
    streams = [sampling.random_bits(0, purpose, index, 1000)
               for purpose in (sampling.ORDER, sampling.CROP, sampling.FLIP)
               for index in (0, 1, 2**40)]
    assert len(np.unique(np.concatenate(streams))) == 9000


def test_sampler_errors():
    with pytest.raises(ValueError, match="length expects a positive number, but got 0"):
        sampling.PermutationSampler(0, 0)
    with pytest.raises(ValueError, match="seed expects a number of 64 bits, but got -1"):
        sampling.PermutationSampler(1, -1)


# ------------------------------------------------------------------------------
# Batches
# ------------------------------------------------------------------------------


def some_images(n=40, seed=0):
    rng = np.random.default_rng(seed)
    return cifar.Images(rng.integers(0, 256, (n, 32, 32, 3), np.uint8),
                        rng.integers(0, 10, n).astype(np.int32))


def test_mean_image():
    images = some_images()
    mean = batches.mean_image(images.pixels)
    assert mean.dtype == np.float32
    np.testing.assert_array_equal(mean, images.pixels.astype(np.float64).mean(0)
                                  .astype(np.float32))


@pytest.mark.parametrize("padding", [0, 2, 3])
def test_crop_and_flip(padding):
    """Against PyTorch's padding."""
    rng = np.random.default_rng(1)
    images = rng.standard_normal((60, 8, 6, 3)).astype(np.float32)
    top, left = rng.integers(0, 2 * padding + 1, (2, 60))
    flips = rng.integers(0, 2, 60) == 1
    found = batches.crop_and_flip(images, top, left, flips, padding)
    padded = torch.nn.functional.pad(torch.from_numpy(images), (0, 0, *[padding] * 4))
    for i in range(60):
        window = padded[i, top[i]:top[i] + 8, left[i]:left[i] + 6]
        np.testing.assert_array_equal(found[i], window.flip(1) if flips[i] else window)


def test_augmentation_takes_every_window():
    """MemCNN never takes the last of five offsets."""
    data = cifar.Images(np.zeros((1, 32, 32, 3), np.uint8), np.zeros(1, np.int32))
    data.pixels[0, 16, 16] = 1
    source = batches.TrainingBatches(data, np.zeros((32, 32, 3), np.float32), 500, seed=0)
    images, _ = source.batch(0)
    rows, columns = np.array([np.argwhere(i[:, :, 0])[0] for i in images]).T
    assert set(rows) == {14, 15, 16, 17, 18}
    # A flip takes column c to 31 - c.
    assert set(columns) == {13, 14, 15, 16, 17, 18}
    assert len(set(zip(rows, columns))) == 30


def test_batches_are_a_function_of_seed_and_iteration():
    data = some_images()
    mean = batches.mean_image(data.pixels)
    source = batches.TrainingBatches(data, mean, 12, seed=4)
    later, first = source.batch(7), source.batch(0)
    again = batches.TrainingBatches(data, mean, 12, seed=4)
    for expected, iteration in ((first, 0), (later, 7)):
        for a, b in zip(expected, again.batch(iteration)):
            np.testing.assert_array_equal(a, b)
    other = batches.TrainingBatches(data, mean, 12, seed=5).batch(0)
    assert not np.array_equal(first[0], other[0])
    assert not np.array_equal(first[0], later[0])


def test_parts_of_a_batch():
    data = some_images()
    source = batches.TrainingBatches(data, batches.mean_image(data.pixels), 12, seed=4)
    images, labels = source.batch(3)
    for rows in (slice(0, 6), slice(6, 12), slice(3, 4)):
        part_images, part_labels = source.batch(3, rows)
        np.testing.assert_array_equal(part_images, images[rows])
        np.testing.assert_array_equal(part_labels, labels[rows])
    assert images.dtype == np.float32 and images.flags.c_contiguous
    assert images.shape == (12, 32, 32, 3) and labels.shape == (12,)


def test_batches_without_augmentation():
    data = some_images()
    mean = batches.mean_image(data.pixels)
    images, labels = batches.TrainingBatches(data, mean, 5, seed=0, augment=False).batch(0)
    indices = sampling.PermutationSampler(len(data), 0).indices(0, 5)
    np.testing.assert_array_equal(images, data.pixels[indices].astype(np.float32) - mean)
    np.testing.assert_array_equal(labels, data.labels[indices])
    with pytest.raises(ValueError, match="batch_size expects a positive number, but got 0"):
        batches.TrainingBatches(data, mean, 0, seed=0)


def test_evaluation_is_not_augmented():
    """MemCNN crops and flips test images, too."""
    data = some_images(23)
    mean = batches.mean_image(data.pixels)
    found = list(batches.evaluation_batches(data, mean, 10))
    assert [(number, len(labels)) for number, _, labels in found] == [(0, 10), (1, 10), (2, 3)]
    np.testing.assert_array_equal(np.concatenate([images for _, images, _ in found]),
                                  data.pixels.astype(np.float32) - mean)
    np.testing.assert_array_equal(np.concatenate([labels for *_, labels in found]), data.labels)
    shards = [[number for number, *_ in batches.evaluation_batches(data, mean, 10, rank, 2)]
              for rank in range(2)]
    assert shards == [[0, 2], [1]]


# ------------------------------------------------------------------------------
# Prefetching
# ------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_prefetch_keeps_the_order(workers):
    def slow_if_even(i):
        time.sleep(0.002 * (i % 2 == 0))
        return i * i

    found = list(prefetch.prefetch(slow_if_even, 5, 40, workers))
    assert found == [i * i for i in range(5, 40)]


@pytest.mark.parametrize("workers", [0, 2])
def test_prefetch_hands_errors_on(workers):
    def fails(i):
        if i == 3:
            raise KeyError("three")
        return i

    iterator = prefetch.prefetch(fails, 0, 10, workers)
    assert [next(iterator) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(KeyError, match="three"):
        next(iterator)


def test_prefetch_is_bounded_and_ends_its_threads():
    before = threading.active_count()
    started = []

    def work(i):
        started.append(i)
        time.sleep(0.01)

    iterator = prefetch.prefetch(work, 0, 10**6, workers=2, ahead=2)
    for _ in range(3):
        next(iterator)
    time.sleep(0.1)
    assert len(started) <= 3 + 2 * 2
    next(iterator)
    iterator.close()
    assert threading.active_count() == before
    ended = len(started)
    time.sleep(0.1)
    assert len(started) == ended < 3 + 1 + 2 * 2 + 1
    with pytest.raises(ValueError, match="workers expects 0 or more, but got -1"):
        next(prefetch.prefetch(work, 0, 1, workers=-1))
