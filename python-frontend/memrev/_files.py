# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Files that are either whole or not there."""

import contextlib
import os
import re
import secrets
from pathlib import Path


_TOKEN_BYTES = 4


def remove_parts(folder, pattern):
    """Removes what writers of files whose names match the regular expression `pattern` left in
    `folder` when they were killed. Nobody may be writing such a file."""
    part = re.compile(rf"\.(?:{pattern})\.[0-9a-f]{{{2 * _TOKEN_BYTES}}}")
    for path in Path(folder).iterdir():
        if part.fullmatch(path.name):
            path.unlink()


def _create(path):
    """A new file in the folder of `path`: (its descriptor, its name)."""
    while True:
        name = path.parent / f".{path.name}.{secrets.token_hex(_TOKEN_BYTES)}"
        # Not by tempfile, whose files nobody else may read: the mask of the user, which these
        # obey, could only be asked for by changing it for all threads.
        with contextlib.suppress(FileExistsError):
            return os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666), str(name)


@contextlib.contextmanager
def atomic_write(path, durable=True):
    """Opens a binary file that becomes `path` when the block ends, and is on the disk then
    if it is `durable`.

    If the block or the writing fails, `path` stays as it was and nothing else is left. The
    folder has to exist. Raises OSError; that of a full disk has `path` as its file name.
    """
    path = Path(path)
    temporary = None
    try:
        descriptor, temporary = _create(path)
        with open(descriptor, "wb") as file:
            yield file
            file.flush()
            if durable:
                os.fsync(file.fileno())
        os.replace(temporary, path)
        temporary = None
        if durable:
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)  # The new name, too, survives a crash of the machine.
            finally:
                os.close(folder)
    except OSError as error:
        if error.errno is None or temporary and error.filename not in (None, temporary):
            raise
        # A failed write names no file, and the temporary one's name says nothing.
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        if temporary is not None:
            os.unlink(temporary)
