# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Event files for TensorBoard, written without it.

A file is a sequence of TFRecords: the length of the data as uint64, its checksum, the
data, its checksum; little endian. The data is an `Event` message in the encoding of
protocol buffers (tensorflow/core/util/event.proto), of which these fields are written:

    Event: double wall_time = 1; int64 step = 2; string file_version = 3;
           Summary summary = 5; SessionLog session_log = 7;
    Summary: repeated Value value = 1;   Value: string tag = 1; float simple_value = 2;
    SessionLog: SessionStatus status = 1;  START = 1

The checksum is CRC-32C (Castagnoli, polynomial 0x1EDC6F41), masked as TFRecords want it.
"""

import itertools
import os
import socket
import struct
import time
from pathlib import Path
from typing import Mapping

import numpy as np

_WIRE_VARINT, _WIRE_64_BIT, _WIRE_BYTES, _WIRE_32_BIT = 0, 1, 2, 5


def _crc_table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)  # The polynomial, reflected.
        table.append(byte)
    return table


_CRC_TABLE = _crc_table()


def crc32c(data: bytes) -> int:
    """The CRC-32C of `data`."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = (crc >> 8) ^ _CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def masked_crc32c(data: bytes) -> int:
    """The CRC-32C in the form that TFRecords hold: a checksum of data that has checksums
    in it would be weak."""
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _varint(value: int) -> bytes:
    value &= 2**64 - 1  # Negative numbers are ten bytes in two's complement.
    result = bytearray()
    while value >= 0x80:
        result.append(value & 0x7F | 0x80)
        value >>= 7
    result.append(value)
    return bytes(result)


def _field(number: int, wire: int, payload: bytes) -> bytes:
    length = _varint(len(payload)) if wire == _WIRE_BYTES else b""
    return _varint(number << 3 | wire) + length + payload


def _float32(value: float) -> bytes:
    with np.errstate(over="ignore"):  # What is too large becomes infinite.
        return np.float64(value).astype("<f4").tobytes()


def _event(wall_time: float, step: int, *fields: bytes) -> bytes:
    return (_field(1, _WIRE_64_BIT, struct.pack("<d", wall_time))
            + _field(2, _WIRE_VARINT, _varint(step)) + b"".join(fields))


class EventWriter:
    """Appends scalars to a new event file in `folder`.

    With first_step a reader is told to forget what older files of the folder have from
    this step on: a run that resumes at a checkpoint writes those steps again.
    Raises OSError if the file cannot be written.
    """

    _numbers = itertools.count()

    def __init__(self, folder, first_step: int = 0):
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        now = time.time()
        # TensorBoard reads files in the order of their names: the time in a fixed width.
        self.path = folder / (f"events.out.tfevents.{now:020.6f}.{socket.gethostname()}."
                              f"{os.getpid()}.{next(self._numbers)}")
        self._file = open(self.path, "xb")
        self._write(_event(now, 0, _field(3, _WIRE_BYTES, b"brain.Event:2")))
        if first_step:
            start = _field(1, _WIRE_VARINT, _varint(1))
            self._write(_event(now, first_step, _field(7, _WIRE_BYTES, start)))
        self.flush()

    def add(self, step: int, scalars: Mapping[str, float], wall_time: float):
        """Adds scalars of a step; wall_time is in seconds since 1970."""
        values = b"".join(
            _field(1, _WIRE_BYTES,
                   _field(1, _WIRE_BYTES, tag.encode())
                   + _field(2, _WIRE_32_BIT, _float32(value)))
            for tag, value in scalars.items())
        self._write(_event(wall_time, step, _field(5, _WIRE_BYTES, values)))

    def flush(self):
        """Hands all that was added to the operating system."""
        self._file.flush()

    def close(self):
        """Flushes and closes the file; nothing can be added afterwards."""
        self._file.close()

    def _write(self, data: bytes):
        length = struct.pack("<Q", len(data))
        self._file.write(length + struct.pack("<I", masked_crc32c(length))
                         + data + struct.pack("<I", masked_crc32c(data)))
