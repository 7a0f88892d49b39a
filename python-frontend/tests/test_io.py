# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Files of trees: exact, complete or not there."""

import os

import numpy as np
import pytest

from memrev import io, tree


def example():
    generator = np.random.default_rng(0)
    return {
        "params": {0: {"weight": generator.standard_normal((2, 3, 4)).astype(np.float32)},
                   1: {"weight": np.asfortranarray(generator.standard_normal((3, 2)))}},
        "a.b": np.ones(1), "a": {"b": np.zeros(1)},
        "file": np.ones(2), "memrev.tree": np.ones(3),
        "odd": [np.array([np.nan, -0.0, np.inf, 5e-324]), np.array(3, np.int8),
                np.zeros((0, 2)), np.float32(0.1), np.bool_(True)],
        "rest": (None, True, 2**70, 0.1, float("inf"), "text", [], (), {}),
        "": np.arange(4)[::2],
    }


def assert_same(found, expected):
    assert tree.structure(found) == tree.structure(expected)
    for (path, a), b in zip(tree.flatten_with_paths(found)[0], tree.leaves(expected)):
        assert type(a) is type(b), path
        if isinstance(b, (np.ndarray, np.generic)):
            assert a.dtype == b.dtype and a.shape == b.shape, path
            assert a.tobytes() == np.ascontiguousarray(b).tobytes(), path
            assert not isinstance(a, np.ndarray) or a.flags.c_contiguous
        else:
            assert a == b, path


def test_round_trip(tmp_path):
    path = tmp_path / "file.npz"
    io.save(path, example())
    found = io.load(path)
    assert_same(found, example())
    assert list(found) == list(example())
    # NumPy reads the arrays by the names of their paths.
    with np.load(path) as archive:
        assert archive["params.0.weight"].shape == (2, 3, 4)


def test_leaf_as_tree(tmp_path):
    io.save(tmp_path / "x", np.arange(3))
    np.testing.assert_array_equal(io.load(tmp_path / "x"), np.arange(3))
    assert os.listdir(tmp_path) == ["x"]


def test_names_that_look_like_those_of_members(tmp_path):
    values = {name: np.full(2, i) for i, name in enumerate((
        "a", "a.npy", "a.npy.npy", "memrev.tree", "memrev.tree.npy", "b.npy", 1, "1"))}
    io.save(tmp_path / "x", values)
    assert_same(io.load(tmp_path / "x"), values)


def test_a_failure_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "file.npz"
    io.save(path, {"x": np.ones(3)})

    def fail(file, array, **options):
        file.write(b"half")
        raise OSError("no space left")

    monkeypatch.setattr(np.lib.format, "write_array", fail)
    with pytest.raises(OSError, match="no space left"):
        io.save(path, {"x": np.zeros(3)})
    assert os.listdir(tmp_path) == ["file.npz"]
    assert_same(io.load(path), {"x": np.ones(3)})


@pytest.mark.parametrize("value, message", [
    ({"a": [object()]}, "expects an array, a number, a string or a container at 'a.0', but got "
                        "object"),
    ({"a": {(1, 2): 3}}, r"expects strings and integers as keys at 'a', but got \(1, 2\)"),
    ({"a": np.array([None])}, "at 'a', but got ndarray"),
    ({"a": 1j}, "at 'a', but got complex"),
])
def test_what_is_not_saved(tmp_path, value, message):
    with pytest.raises(TypeError, match=message):
        io.save(tmp_path / "x", value)
    assert os.listdir(tmp_path) == []


def test_damaged_files(tmp_path):
    path = tmp_path / "x.npz"
    io.save(path, example())
    data = path.read_bytes()
    message = "expects a file that memrev.io.save wrote"
    for broken in (b"", data[: len(data) // 2], b"text", data[:200] + b"?" + data[201:]):
        path.write_bytes(broken)
        with pytest.raises(ValueError, match=message):
            io.load(path)
    np.savez(path, x=np.ones(3))
    with pytest.raises(ValueError, match=message):
        io.load(path)
    # Flags and the method of compression of the last member, whose text has the tree.
    entry = data.rindex(b"PK\1\2")
    for place, value in ((8, 1), (10, 8), (10, 99)):
        path.write_bytes(data[:entry + place] + bytes([value]) + data[entry + place + 1:])
        with pytest.raises(ValueError, match=message):
            io.load(path)
    np.savez(path, **{"memrev.tree": np.frombuffer(b'{"version": 9}', np.uint8)})
    with pytest.raises(ValueError, match="expects version 1 of the format .* but got 9"):
        io.load(path)
    with pytest.raises(FileNotFoundError):
        io.load(tmp_path / "none")
