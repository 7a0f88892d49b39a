# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Calls that cannot have their memory are errors and leave what they would overwrite as it
was: on the processor, and on the SIMT emulator with little memory."""

import pickle

import numpy as np
import pytest

import emulator
import memrev
from emulator import on_emulator
from memrev import aot

PROGRAM = """
func.func @f(%x: tensor<4xf64> {{rev.donated}}, %i: index) -> (tensor<4xf64>, f64) {{
  %one = arith.constant 1.0 : f64
  %y = linalg.square ins(%x : tensor<4xf64>) outs(%x : tensor<4xf64>) -> tensor<4xf64>
  %e = tensor.empty() : tensor<{size}xf64>
  %b = linalg.fill ins(%one : f64) outs(%e : tensor<{size}xf64>) -> tensor<{size}xf64>
  %s = tensor.insert_slice %y into %b[%i] [4] [1] : tensor<4xf64> into tensor<{size}xf64>
  %v = tensor.extract %s[%i] : tensor<{size}xf64>
  return %y, %v : tensor<4xf64>, f64
}}
"""
#: Just below 2^47 bytes, all that a process can address, so that no machine gives it.
TOO_MANY = 2**44 - 1
MIB = 2**17

if not emulator.INSIDE:

    test_on_emulator = emulator.runs_on_emulator(__file__, MEMREV_SIMT_MEMORY="2000000")


def program(size, target="cpu"):
    chip = {"chip": "native"} if target == "cuda" else {}
    return memrev.compile(PROGRAM.format(size=size), target, **chip)


def pointers(*arrays):
    return [array.ctypes.data for array in arrays]


@pytest.mark.parametrize("saved", [False, True])
def test_no_memory(saved):
    module = program(TOO_MANY)
    if saved:
        module = pickle.loads(pickle.dumps(module))
    x = np.arange(1.0, 5.0)
    for _ in range(2):
        with pytest.raises(RuntimeError, match=f"'f': out of memory: the call needs an arena of "
                                               f"{8 * TOO_MANY} bytes"):
            module["f"](x, 2)
    np.testing.assert_array_equal(x, np.arange(1, 5))
    # The failure leaves nothing behind: the next call works.
    _, value = program(MIB)["f"](x, 2)
    assert value == 1
    np.testing.assert_array_equal(x, np.arange(1, 5) ** 2)


def test_no_memory_in_a_library(tmp_path):
    program(TOO_MANY).write_library(tmp_path / "f.so")
    function = aot.Library(tmp_path / "f.so")["f"]
    x = np.arange(1.0, 5.0)
    with pytest.raises(MemoryError):
        function(x, 2)
    np.testing.assert_array_equal(x, np.arange(1, 5))


def test_wrong_workspace():
    function = program(MIB)["f"]
    size = function.workspace_bytes
    assert size == 8 * MIB
    x, i, value = np.arange(1.0, 5.0), np.array(2), np.zeros(())
    space = np.empty(size + 128, np.uint8)
    start = space.ctypes.data + -space.ctypes.data % 64

    def call(start, size):
        function.call_pointers(pointers(x, i, value), 0, start, size)

    with pytest.raises(RuntimeError, match=f"'f' expects an arena of {size} bytes, but got "
                                           f"{size - 1}"):
        call(start, size - 1)
    with pytest.raises(RuntimeError, match="'f' expects an arena aligned to 64 bytes, but got an "
                                           "address that is not"):
        call(start + 8, size)
    np.testing.assert_array_equal(x, np.arange(1, 5))
    assert value == 0
    call(start, size)
    np.testing.assert_array_equal(x, np.arange(1, 5) ** 2)
    assert value == 1


def test_workspace_for_another_target():
    module = memrev.compile(PROGRAM.format(size=4), "cuda", chip="sm_90", kernel_format="ptx")
    with pytest.raises(RuntimeError, match="expects a program for cpu, but got one for cuda"):
        module["f"].call_pointers([0, 0, 0], workspace=64, workspace_bytes=64)


@pytest.mark.parametrize("name", ["result", "argument"])
def test_sizes_that_wrap_around(name):
    """2^80 elements: their number is 0 in 64 bits."""
    shape = "tensor<1099511627776x1099511627776xf64>"
    text = {
        "result": f"""func.func @f() -> {shape} {{
          %e = tensor.empty() : {shape}
          return %e : {shape}
        }}""",
        "argument": f"""func.func @f(%x: {shape}) {{
          return
        }}"""}[name]
    for target in ({}, {"target": "cuda", "chip": "sm_90"}, {"memory_budget": "1MiB"}):
        with pytest.raises(memrev.CompileError, match="expects types of less than 2\\^48 bytes, "
                                                      f"but got '{shape}'"):
            memrev.compile(text, **target)


@on_emulator
def test_no_device_memory():
    """2,000,000 bytes, of which 8 * 131,072 are the most that one call works in."""
    x = np.arange(1.0, 5.0)
    function = program(2 * MIB, "cuda")["f"]
    with pytest.raises(RuntimeError, match="cannot allocate 2097152 bytes of device memory"):
        function(x, 2)
    np.testing.assert_array_equal(x, np.arange(1, 5))
    on_device = memrev.cuda.to_device(x)
    with pytest.raises(RuntimeError, match="cannot allocate 2097152 bytes of device memory"):
        function(on_device, np.array(2))
    np.testing.assert_array_equal(on_device.numpy(), np.arange(1, 5))
    # One failed call is not the end.
    _, value = program(MIB, "cuda")["f"](x, 2)
    assert value == 1
    np.testing.assert_array_equal(x, np.arange(1, 5) ** 2)


@on_emulator
def test_wrong_device_workspace():
    function = program(1024, "cuda")["f"]
    x, value = memrev.cuda.to_device(np.arange(1.0, 5.0)), memrev.cuda.DeviceArray((), "f8")
    i = np.array(2)
    space = memrev.cuda.DeviceArray((function.workspace_bytes + 64,), "i1")

    def call(start, size):
        function.call_on_device([x.address, i.ctypes.data, value.address], 0, 0, start, size)

    with pytest.raises(RuntimeError, match="'f' expects an arena of 8192 bytes, but got 8191"):
        call(space.address, function.workspace_bytes - 1)
    with pytest.raises(RuntimeError, match="'f' expects an arena aligned to 64 bytes"):
        call(space.address + 16, function.workspace_bytes)
    with pytest.raises(RuntimeError, match="parameter . of 'f' expects 8192 bytes of device "
                                           "memory, but got 8128"):
        call(space.address + 128, function.workspace_bytes)
    np.testing.assert_array_equal(x.numpy(), np.arange(1, 5))
    call(space.address, function.workspace_bytes)
    assert value.numpy() == 1
    np.testing.assert_array_equal(x.numpy(), np.arange(1, 5) ** 2)
