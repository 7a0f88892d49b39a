# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Saving and loading trees of arrays: parameters, states of training, results.

    memrev.io.save("model.npz", {"params": params, "state": state})
    variables = memrev.io.load("model.npz")

A file is one of NumPy's .npz archives, with an array for each leaf under the name
of its path, and the entry `memrev.tree` that says how they are nested. What is
loaded equals what was saved to the bit, dtypes and the order of keys included.
Nothing in a file is executed when it is loaded.
"""

import json
import zipfile
import zlib

import numpy as np

from . import tree
from ._files import atomic_write

__all__ = ["load", "save"]

_ENTRY = "memrev.tree"
_VERSION = 1


def save(path, values) -> None:
    """Writes a tree to the file `path`, which appears complete or not at all.

    A tree is made of dicts (with keys that are strings or integers), lists, tuples
    and None; leaves are NumPy arrays and scalars, and Python's numbers and strings.
    Raises TypeError that names the place of anything else, and OSError if the file
    cannot be written.
    """
    arrays = {}
    text = json.dumps({"version": _VERSION, "tree": _encode(values, (), arrays)})
    arrays[_ENTRY] = np.frombuffer(text.encode(), np.uint8)
    # Not numpy.savez, which has parameters that a name may not equal.
    with atomic_write(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            with archive.open(name + ".npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


def load(path):
    """Reads a tree that `save` wrote.

    Raises ValueError for a file that is damaged or was not written by `save`, and
    OSError for one that cannot be read.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            description = json.loads(archive[_ENTRY + ".npy"].tobytes().decode())
            version = description["version"]
            if version == _VERSION:
                return _decode(description["tree"], archive)
    except (ValueError, KeyError, EOFError, TypeError, RuntimeError, zipfile.BadZipFile,
            zlib.error) as error:
        raise ValueError(f"expects a file that memrev.io.save wrote, but got '{path}', "
                         f"which is another or damaged ({error})") from error
    raise ValueError(f"expects version {_VERSION} of the format in '{path}', but got {version}")


def _encode(value, path, arrays):
    """Describes `value` for JSON and collects its arrays."""
    place = tree.path_name(path)
    if value is None or type(value) in (bool, int, float, str):
        return {"value": value}
    if type(value) is dict:
        for key in value:
            if type(key) not in (str, int):
                raise TypeError(f"expects strings and integers as keys at '{place}', but got "
                                f"{key!r}")
        return {"dict": [[key, _encode(v, (*path, key), arrays)] for key, v in value.items()]}
    if type(value) in (list, tuple):
        return {type(value).__name__: [_encode(v, (*path, i), arrays)
                                       for i, v in enumerate(value)]}
    if isinstance(value, (np.ndarray, np.generic)) and not np.asarray(value).dtype.hasobject:
        name = place
        while name in arrays or name == _ENTRY:
            name += "'"
        arrays[name] = np.asarray(value)
        return {"scalar" if isinstance(value, np.generic) else "array": name}
    raise TypeError(f"expects an array, a number, a string or a container at '{place}', but got "
                    f"{type(value).__name__}")


def _decode(node, archive):
    (kind, content), = node.items()
    if kind == "value":
        return content
    if kind == "dict":
        return {key: _decode(child, archive) for key, child in content}
    if kind == "list":
        return [_decode(child, archive) for child in content]
    if kind == "tuple":
        return tuple(_decode(child, archive) for child in content)
    # By the member's whole name: "x.npy" would be the array x, if there is one.
    array = archive[content + ".npy"]
    return array[()] if kind == "scalar" else np.ascontiguousarray(array).reshape(array.shape)
