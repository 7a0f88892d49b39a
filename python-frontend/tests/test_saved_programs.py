# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiled programs as bytes and files."""

import struct

import numpy as np
import pytest

import memrev
from memrev import _program

PROGRAM = """
func.func private @loss(%x: tensor<4x3xf32>, %w: tensor<3x3xf32>) -> tensor<4x3xf32> {
  %zero = arith.constant dense<0.0> : tensor<4x3xf32>
  %h = linalg.matmul ins(%x, %w : tensor<4x3xf32>, tensor<3x3xf32>)
                     outs(%zero : tensor<4x3xf32>) -> tensor<4x3xf32>
  %t = math.tanh %h : tensor<4x3xf32>
  return %t : tensor<4x3xf32>
}
func.func @gradient(%x: tensor<4x3xf32>, %w: tensor<3x3xf32>, %d: tensor<4x3xf32>)
    -> tensor<3x3xf32> {
  %r = rev.vjp @loss(%x, %w) cotangents(%d) wrt [1]
      : (tensor<4x3xf32>, tensor<3x3xf32>, tensor<4x3xf32>) -> tensor<3x3xf32>
  return %r : tensor<3x3xf32>
}
func.func @update(%w: tensor<3x3xf32> {rev.donated}, %n: i1) -> (tensor<3x3xf32>, i1) {
  %r = arith.addf %w, %w : tensor<3x3xf32>
  return %r, %n : tensor<3x3xf32>, i1
}
"""
# What one processor has the other has not.
PROCESSORS = ("sapphirerapids", "znver4")


@pytest.fixture(scope="module")
def module():
    return memrev.compile(PROGRAM, ir=True)


def test_is_the_same_program(module, tmp_path):
    path = tmp_path / "program"
    module.save(path)
    loaded = memrev.load(path)
    assert list(loaded) == list(module) == ["gradient", "update"]
    for name in module:
        assert loaded[name].arguments == module[name].arguments
        assert loaded[name].results == module[name].results
        assert loaded[name].workspace_bytes == module[name].workspace_bytes
    report = loaded.memory_report()
    assert report == module.memory_report() and report[0]["values"]
    assert loaded.ir == module.ir != ""
    assert loaded.header == module.header
    assert loaded.to_bytes() == module.to_bytes() == path.read_bytes()

    generator = np.random.default_rng(0)
    x, w, d = (generator.normal(size=s).astype(np.float32) for s in ((4, 3), (3, 3), (4, 3)))
    np.testing.assert_array_equal(loaded["gradient"](x, w, d), module["gradient"](x, w, d))
    weights = w.copy()
    result, flag = loaded["update"](weights, True)
    assert result is weights and flag
    np.testing.assert_array_equal(result, 2 * w)


def test_warnings_are_kept():
    """So are programs that were compiled in part."""
    module = memrev.compile("func.func @f(%x: f32) -> f32 {\n  return %x : f32\n}\n",
                            until="lower", ir=True)
    loaded = _program.from_bytes(module.to_bytes())
    assert loaded.ir == module.ir and "@f" in loaded.ir
    assert loaded.diagnostics == module.diagnostics and len(loaded) == 0


def test_every_damage_is_noticed(module):
    data = module.to_bytes()
    generator = np.random.default_rng(1)
    for position in {0, 7, 8, 16, len(data) - 1, *generator.integers(len(data), size=50)}:
        damaged = bytearray(data)
        damaged[position] ^= 1 << int(generator.integers(8))
        with pytest.raises(ValueError, match="expects a program"):
            _program.from_bytes(bytes(damaged))
    for size in (0, 1, 8, 15, 16, len(data) // 2, len(data) - 1):
        with pytest.raises(ValueError, match="expects a program"):
            _program.from_bytes(data[:size])
    with pytest.raises(ValueError, match="damaged"):
        _program.from_bytes(data + b"\0")


def test_other_builds_are_refused(module, tmp_path):
    """The name of the build follows the magic and its length."""
    data = module.to_bytes()
    length, = struct.unpack_from("<Q", data, 8)
    identity = data[16:16 + length]
    other = identity + b"-other"
    path = tmp_path / "program"
    path.write_bytes(data[:8] + struct.pack("<Q", len(other)) + other + data[16 + length:])
    with pytest.raises(ValueError) as error:
        memrev.load(path)
    assert str(error.value) == (
        f"'{path}': expects a program of memrev {identity.decode()}, but got one of memrev "
        f"{other.decode()}")


def test_other_processors_are_refused():
    """When the program is loaded, and when one that was just compiled is called."""
    refused = 0
    for cpu in PROCESSORS:
        try:
            module = memrev.compile(PROGRAM, cpu=cpu)
        except memrev.CompileError:
            pytest.skip("not an x86 machine")
        x = np.zeros((4, 3), np.float32)
        try:
            module["gradient"](x, x[:3], x)
        except RuntimeError as error:
            refused += 1
            assert str(error).startswith("expects a processor with ")
            with pytest.raises(ValueError) as again:
                _program.from_bytes(module.to_bytes())
            assert str(again.value) == str(error)
    assert refused >= 1


def test_no_file(tmp_path):
    with pytest.raises(OSError):
        memrev.load(tmp_path / "none")
    path = tmp_path / "text"
    path.write_text(PROGRAM)
    with pytest.raises(ValueError, match="text': expects a program that memrev saved"):
        memrev.load(path)
