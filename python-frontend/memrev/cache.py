# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiled programs on disk, so that a program is compiled once for all processes.

A program is found again by its text, the options of its compilation, the build of the
compiler and the processor. It lies in a file of the folder `directory()`; the files take
`limit()` bytes at most, and those used last stay. Processes may use a folder at once. A
file that is damaged or of no use is compiled anew.

    MEMREV_CACHE_DIR     the folder; "" for no cache; default: memrev in the user's
                         folder for caches, XDG_CACHE_HOME or ~/.cache
    MEMREV_CACHE_BYTES   the limit; default 1 GiB
"""

import contextlib
import hashlib
import os
import time
import warnings
from pathlib import Path

from . import _capi
from ._files import atomic_write

__all__ = ["clear", "directory", "limit"]

_SUFFIX = ".memrev"
#: After so many seconds a file that is being written is one that nobody finishes.
_ABANDONED = 3600


def directory():
    """The folder of the cache as a `pathlib.Path`, or None if there is no cache."""
    folder = os.environ.get("MEMREV_CACHE_DIR")
    if folder is not None:
        return Path(folder) if folder else None
    caches = os.environ.get("XDG_CACHE_HOME")
    return (Path(caches) if caches else Path.home() / ".cache") / "memrev"


def limit():
    """How many bytes the files of the cache may take. Raises ValueError if
    MEMREV_CACHE_BYTES is no number."""
    text = os.environ.get("MEMREV_CACHE_BYTES", str(1 << 30))
    try:
        return int(text)
    except ValueError:
        raise ValueError(
            f"expects MEMREV_CACHE_BYTES to be a number of bytes, but got '{text}'") from None


def clear():
    """Removes all files of the cache. Raises OSError if that fails."""
    folder = directory()
    if folder is not None and folder.is_dir():
        for _, _, path in _files(folder):
            path.unlink(missing_ok=True)


def get(source, options, load, compile):
    """The program of the bytes `source` and the texts `options`: what `load` makes of
    the bytes in the cache, or what `compile()` returns, whose bytes are kept."""
    folder = directory()
    if folder is None:
        return compile()
    path = folder / (_key(source, options) + _SUFFIX)
    module = _read(path, load)
    if module is None:
        module = compile()
        _write(path, module.to_bytes())
    return module


def _key(source, options):
    key = hashlib.sha256()
    for part in (_capi.lib.memrevGetIdentity(), *(o.encode() for o in options), source):
        # Lengths keep parts apart.
        key.update(len(part).to_bytes(8, "little"))
        key.update(part)
    return key.hexdigest()


def _read(path, load):
    """The program in a file; None if there is none that can be used."""
    try:
        module = load(path.read_bytes())
    except (OSError, ValueError):
        return None
    with contextlib.suppress(OSError):
        os.utime(path)  # Files that were used last are kept.
    return module


def _write(path, data):
    size = limit()
    if len(data) > size:
        return
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with atomic_write(path, durable=False) as file:
            file.write(data)
        _shrink(path.parent, size)
    except OSError as error:
        warnings.warn(f"cannot keep compiled programs in '{path.parent}': {error}",
                      RuntimeWarning, stacklevel=2)


def _files(folder):
    """(time of last use, bytes, path) of each file of the cache in `folder`, those that
    are being written included."""
    result = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if _SUFFIX not in entry.name:
                continue
            try:
                status = entry.stat()
            except FileNotFoundError:
                continue  # Removed by another process.
            result.append((status.st_mtime, status.st_size, Path(entry.path)))
    return result


def _shrink(folder, size):
    """Removes the files used longest ago, until `size` bytes hold the others."""
    files = sorted(_files(folder))
    total = sum(length for _, length, _ in files)
    for used, length, path in files:
        # A dot starts the name of a file that is being written.
        if path.name.startswith("."):
            removed = time.time() - used > _ABANDONED
        else:
            removed = total > size
        if removed:
            path.unlink(missing_ok=True)
            total -= length
