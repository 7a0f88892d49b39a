# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Files that are either whole or not there."""

import errno
import os
import resource
import stat

import pytest

from memrev._files import atomic_write, remove_parts


def test_appears_when_it_is_whole(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"before")
    with atomic_write(path) as file:
        file.write(b"after")
        file.flush()
        assert path.read_bytes() == b"before"
    assert path.read_bytes() == b"after"
    assert list(tmp_path.iterdir()) == [path]


def test_obeys_the_mask_of_the_user(tmp_path):
    mask = os.umask(0o027)
    try:
        with atomic_write(tmp_path / "file") as file:
            file.write(b"x")
    finally:
        os.umask(mask)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640


def test_the_mask_is_left_alone(tmp_path, monkeypatch):
    """It is the whole process's: two threads that put it back at once would lose it."""
    def fail(mask):
        raise AssertionError("umask was called")

    monkeypatch.setattr(os, "umask", fail)
    with atomic_write(tmp_path / "file") as file:
        file.write(b"x")
    assert (tmp_path / "file").read_bytes() == b"x"


def test_removes_what_a_killed_process_left(tmp_path):
    with atomic_write(tmp_path / "a.npz"):
        left, = (path.name for path in tmp_path.iterdir())
    for name in (left, left.replace("a.npz", "b.txt"), "a.npz"):
        (tmp_path / name).write_bytes(b"part")
    remove_parts(tmp_path, r".*\.npz")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        left.replace("a.npz", "b.txt"), "a.npz"]
    remove_parts(tmp_path, r"b\.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def test_leaves_nothing_after_an_error(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"before")
    for error in (KeyError("x"), KeyboardInterrupt(), TimeoutError("slow"),
                  FileNotFoundError(errno.ENOENT, "none", "other")):
        with pytest.raises(type(error)) as caught:
            with atomic_write(path) as file:
                file.write(b"after")
                raise error
        assert caught.value is error
        assert path.read_bytes() == b"before" and list(tmp_path.iterdir()) == [path]


def test_full_disk(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"before")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(OSError) as caught:
            with atomic_write(path) as file:
                file.write(bytes(10**6))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.filename == str(path) and caught.value.errno == errno.EFBIG
    assert path.read_bytes() == b"before" and list(tmp_path.iterdir()) == [path]


def test_missing_folder(tmp_path):
    with pytest.raises(OSError) as caught:
        with atomic_write(tmp_path / "none" / "file"):
            pass
    assert caught.value.errno == errno.ENOENT
    assert caught.value.filename == str(tmp_path / "none" / "file")
