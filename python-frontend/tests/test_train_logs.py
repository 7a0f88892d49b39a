# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What training writes for people and for TensorBoard: scalars, averages, progress."""

import json
import math
import struct

import numpy as np
import pytest
import torch

from memrev.train import events, progress, scalars


# ------------------------------------------------------------------------------
# A reader of event files that shares nothing with the writer
# ------------------------------------------------------------------------------


def crc32c_bit_by_bit(data):
    """CRC-32C as a division of polynomials, most significant coefficient first."""
    def reverse(value, bits):
        return int(f"{value:0{bits}b}"[::-1], 2)

    bits = "".join(f"{reverse(byte, 8):08b}" for byte in data)
    remainder = int(bits + "0" * 32, 2) ^ (0xFFFFFFFF << len(bits))
    for place in range(len(bits) + 31, 31, -1):
        if remainder >> place & 1:
            remainder ^= 0x11EDC6F41 << place - 32
    return reverse(remainder, 32) ^ 0xFFFFFFFF


def records(data):
    """The records of a TFRecord file, whose checksums it checks."""
    while data:
        (length,) = struct.unpack_from("<Q", data)
        assert len(data) >= length + 16
        parts = (data[:8], data[8:12]), (data[12:12 + length], data[12 + length:16 + length])
        for part, checksum in parts:
            crc = crc32c_bit_by_bit(part)
            rotated = (crc >> 15) | (crc << 17) % 2**32
            assert struct.unpack("<I", checksum)[0] == (rotated + 0xA282EAD8) % 2**32
        yield data[12:12 + length]
        data = data[16 + length:]


def message(data):
    """The fields of a message of protocol buffers: {number: [value, ...]}."""
    fields, i = {}, 0

    def varint():
        nonlocal i
        value = shift = 0
        while True:
            byte = data[i]
            i += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while i < len(data):
        key = varint()
        kind = key % 8
        size = varint() if kind in (0, 2) else {1: 8, 5: 4}[kind]
        if kind == 0:
            value = size
        else:
            value, i = data[i:i + size], i + size
            assert len(value) == size
        fields.setdefault(key // 8, []).append(value)
    return fields


def read(path):
    """The events of a file as dicts."""
    result = []
    for record in records(path.read_bytes()):
        fields = message(record)
        event = {"time": struct.unpack("<d", fields[1][0])[0], "step": fields[2][0]}
        if 3 in fields:
            event["version"] = fields[3][0].decode()
        if 7 in fields:
            event["status"] = message(fields[7][0])[1][0]
        for summary in fields.get(5, []):
            values = (message(value) for value in message(summary)[1])
            event["scalars"] = {value[1][0].decode(): struct.unpack("<f", value[2][0])[0]
                                for value in values}
        result.append(event)
    return result


# ------------------------------------------------------------------------------
# Events
# ------------------------------------------------------------------------------


def test_crc32c():
    # RFC 3720, appendix B.4.
    assert events.crc32c(bytes(32)) == 0x8A9136AA
    assert events.crc32c(b"\xff" * 32) == 0x62A8AB43
    assert events.crc32c(bytes(range(32))) == 0x46DD794E
    assert events.crc32c(b"123456789") == 0xE3069283
    data = np.random.default_rng(0).bytes(77)
    assert events.crc32c(data) == crc32c_bit_by_bit(data)


def test_events(tmp_path):
    writer = events.EventWriter(tmp_path)
    writer.add(1, {"loss": 2.5, "Größe": -1e-3}, wall_time=1234.5)
    writer.add(2**40, {"big": 1e300, "small": 1e-50, "nan": math.nan}, wall_time=0.0)
    writer.close()
    assert writer.path.name.startswith("events.out.tfevents.")
    first, second, third = read(writer.path)
    assert first["version"] == "brain.Event:2" and first["step"] == 0
    assert second == {"time": 1234.5, "step": 1,
                      "scalars": {"loss": 2.5, "Größe": float(np.float32(-1e-3))}}
    assert third["step"] == 2**40
    assert third["scalars"]["big"] == math.inf and third["scalars"]["small"] == 0
    assert math.isnan(third["scalars"]["nan"])


def test_a_resumed_run_replaces_later_events(tmp_path):
    """A START of a session at a step makes TensorBoard drop what it has from there on."""
    files = [events.EventWriter(tmp_path), events.EventWriter(tmp_path, first_step=301)]
    for file in files:
        file.close()
    assert files[0].path.name < files[1].path.name
    assert [(e["step"], e.get("status")) for e in read(files[1].path)] == [(0, None), (301, 1)]
    assert len(read(files[0].path)) == 1


def test_events_are_on_the_disk_after_a_flush(tmp_path):
    writer = events.EventWriter(tmp_path)
    writer.add(3, {"loss": 1.0}, wall_time=1.0)
    writer.flush()
    assert read(writer.path)[1]["scalars"] == {"loss": 1.0}
    writer.close()


# ------------------------------------------------------------------------------
# Scalars
# ------------------------------------------------------------------------------


def event_scalars(folder):
    """What TensorBoard shows: {name: [(step, value), ...]}."""
    result = []
    for path in sorted(folder.glob("events.out.tfevents.*")):
        for event in read(path):
            if event.get("status") == 1:
                result = [entry for entry in result if entry[1] < event["step"]]
            result += [(name, event["step"], value)
                       for name, value in event.get("scalars", {}).items()]
    shown = {}
    for name, step, value in result:
        shown.setdefault(name, []).append((step, value))
    return shown


def test_scalar_log(tmp_path):
    log = scalars.ScalarLog(tmp_path / "log")
    log.add(100, {"train_loss": 2.5, "train_acc": 10})
    log.add(200, {"train_loss": 1.5})
    log.close()
    values = json.loads((tmp_path / "log" / "scalars.json").read_text())
    assert {name: [entry[1:] for entry in entries] for name, entries in values.items()} == {
        "train_loss": [[100, 2.5], [200, 1.5]], "train_acc": [[100, 10]]}
    assert 0 < values["train_loss"][0][0] <= values["train_loss"][1][0]
    assert event_scalars(tmp_path / "log") == {"train_loss": [(100, 2.5), (200, 1.5)],
                                               "train_acc": [(100, 10)]}


def test_scalar_log_goes_on(tmp_path):
    for start, entries in ((0, {100: 1, 200: 2, 300: 3}), (200, {300: 4}), (300, {400: 5})):
        log = scalars.ScalarLog(tmp_path, iteration=start)
        for iteration, value in entries.items():
            log.add(iteration, {"loss": value})
            if iteration == 300:
                log.add(iteration, {"only at 300": value})
        log.close()
    kept = {"loss": [(100, 1), (200, 2), (300, 4), (400, 5)], "only at 300": [(300, 4)]}
    assert event_scalars(tmp_path) == kept
    values = json.loads((tmp_path / "scalars.json").read_text())
    assert {name: [(i, value) for _, i, value in entries]
            for name, entries in values.items()} == kept


def test_scalar_log_of_a_run_that_begins_anew(tmp_path):
    """It ended before its first checkpoint."""
    for value in (1, 2):
        log = scalars.ScalarLog(tmp_path, iteration=0)
        log.add(1, {"loss": value})
        if value == 1:
            log.add(100, {"loss": value})
        log.close()
    assert event_scalars(tmp_path) == {"loss": [(1, 2)]}


def test_scalar_log_that_is_something_else(tmp_path):
    for text in ("{", "[1]", '{"loss": 3}', '{"loss": [[1, 2]]}'):
        (tmp_path / "scalars.json").write_text(text)
        with pytest.raises(ValueError, match="scalars.json' expects scalars by name"):
            scalars.ScalarLog(tmp_path)


def test_average():
    average = scalars.Average()
    assert math.isnan(average.mean)
    average.add(3.0)
    average.add(9.0, 3)
    assert average.mean == 3.0 and (average.total, average.count) == (12.0, 4)
    average.clear()
    assert math.isnan(average.mean)
    assert scalars.Average(6.0, 4).mean == 1.5


def test_count_correct():
    rng = np.random.default_rng(0)
    logits = rng.standard_normal((200, 10)).astype(np.float32)
    labels = rng.integers(0, 10, 200).astype(np.int32)
    for k in (1, 5, 10):
        top = torch.from_numpy(logits).topk(k).indices.numpy()
        assert scalars.count_correct(logits, labels, k) == (top == labels[:, None]).any(1).sum()
    # A network that says the same for all classes is right for one of them.
    assert scalars.count_correct(np.zeros((10, 10)), np.arange(10)) == 1
    assert scalars.count_correct(np.zeros((10, 10)), np.arange(10), k=5) == 5
    assert scalars.count_correct(np.full((3, 4), np.nan), np.zeros(3, int)) == 0


# ------------------------------------------------------------------------------
# Progress
# ------------------------------------------------------------------------------


def test_progress():
    now = [0.0]
    pace = progress.Progress(1000, 2000, clock=lambda: now[0])
    assert pace.left == "unknown" and math.isnan(pace.seconds_per_step)
    now[0] = 500.0  # The first step compiles.
    pace.step(1001)
    assert pace.left == "unknown" and pace.pace == "unknown s a step"
    now[0] = 520.0
    pace.step(1011)
    assert pace.seconds_per_step == 2.0 and pace.pace == "2.000 s a step"
    assert pace.left == "0:32:58"
    assert progress.duration(90061.4) == "25:01:01"
    assert progress.duration(59.6) == "0:01:00"
