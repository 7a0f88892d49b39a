# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiled libraries, called from Python without the compiler."""

import contextlib
import ctypes
import shutil
import subprocess
import sys
import types

import numpy as np
import pytest

import conftest
import emulator
import memrev
from emulator import on_emulator
from memrev import aot

PROGRAM = """
func.func @step(%x: tensor<8x16xf32> {rev.name = "x"}, %rate: f32,
                %w: tensor<16x4xf32> {rev.donated}) -> (tensor<8x4xf32>, f32, tensor<16x4xf32>) {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<8x4xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<8x4xf32>) -> tensor<8x4xf32>
  %m = linalg.matmul ins(%x, %w : tensor<8x16xf32>, tensor<16x4xf32>)
      outs(%z : tensor<8x4xf32>) -> tensor<8x4xf32>
  %r = tensor.empty() : tensor<f32>
  %f = linalg.fill ins(%zero : f32) outs(%r : tensor<f32>) -> tensor<f32>
  %sum = linalg.reduce { arith.addf } ins(%m : tensor<8x4xf32>) outs(%f : tensor<f32>)
      dimensions = [0, 1]
  %l = tensor.extract %sum[] : tensor<f32>
  %s = tensor.splat %rate : tensor<16x4xf32>
  %v = arith.mulf %w, %s : tensor<16x4xf32>
  return %m, %l, %v : tensor<8x4xf32>, f32, tensor<16x4xf32>
}
func.func @half(%x: tensor<4xbf16>) -> tensor<4xbf16> {
  return %x : tensor<4xbf16>
}
"""


def make(target, path):
    options = {"chip": "native", "kernel_format": "llvm"} if target == "cuda" else {}
    memrev.compile(PROGRAM, target, **options).write_library(path)
    return aot.Library(path)


@pytest.fixture(scope="module")
def cpu(tmp_path_factory):
    return make("cpu", tmp_path_factory.mktemp("aot") / "cpu.so")


@pytest.fixture(scope="module")
def cuda(tmp_path_factory):
    return make("cuda", tmp_path_factory.mktemp("aot") / "cuda.so")


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    return rng.random((8, 16), "f4"), rng.random((16, 4), "f4")


def check_numpy(library, arrays, calls=1):
    for _ in range(calls):
        x, w = arrays[0].copy(), arrays[1].copy()
        y, loss, v = library["step"](x, 3.0, w)
        np.testing.assert_allclose(y, x @ arrays[1], rtol=1e-6)
        np.testing.assert_allclose(loss, (x @ arrays[1]).sum(), rtol=1e-6)
        assert v is w and isinstance(loss, np.float32)
        np.testing.assert_allclose(w, 3 * arrays[1], rtol=1e-6)


if not emulator.INSIDE:

    test_on_emulator = emulator.runs_on_emulator(__file__)

    def test_numpy(cpu, arrays):
        assert cpu.target == "cpu" and cpu.chip == "" and set(cpu) == {"step", "half"}
        assert [p["name"] for p in cpu["step"].arguments] == ["x", "arg1", "arg2"]
        check_numpy(cpu, arrays)

    def test_torch_on_the_cpu(cpu, arrays):
        torch = pytest.importorskip("torch")
        x, w = map(torch.tensor, arrays)
        y, loss, v = cpu["step"](x, 3.0, w)
        torch.testing.assert_close(y, x @ torch.tensor(arrays[1]))
        torch.testing.assert_close(loss, y.sum())
        assert v is w
        torch.testing.assert_close(w, 3 * torch.tensor(arrays[1]))
        brain = torch.arange(4, dtype=torch.bfloat16)
        assert torch.equal(cpu["half"](brain), brain)
        with pytest.raises(ValueError, match="expects a contiguous tensor"):
            cpu["step"](x.T.contiguous().T, 3.0, w)
        with pytest.raises(TypeError, match="expects dtype float32, but got torch.float64"):
            cpu["step"](x.double(), 3.0, w)
        with pytest.raises(TypeError, match="expects a tensor, as others are, but got ndarray"):
            cpu["step"](x, 3.0, arrays[1])

    def test_wrong_arguments(cpu, arrays):
        x, w = arrays
        step = cpu["step"]
        with pytest.raises(TypeError, match="'step' expects 3 arguments, but got 2"):
            step(x, w)
        with pytest.raises(TypeError, match="'x' of 'step' expects dtype float32, but got float"):
            step(x.astype("f8"), 1.0, w)
        with pytest.raises(ValueError, match=r"expects shape \[8, 16\], but got \[16, 8\]"):
            step(x.T, 1.0, w)
        with pytest.raises(ValueError, match="contiguous array in C order"):
            step(np.asfortranarray(x), 1.0, w)
        with pytest.raises(TypeError, match="'arg1' of 'step' expects a number, but got ndarray"):
            step(x, x, w)
        with pytest.raises(TypeError, match="expects dtype float32, but got int64"):
            step(x, np.int64(1), w)
        with pytest.raises(ValueError, match="memory that no donated argument shares"):
            step(x, 1.0, x.reshape(-1)[:64].reshape(16, 4))
        w.flags.writeable = False
        with pytest.raises(ValueError, match="expects a writable array, but got a read-only"):
            step(x, 1.0, w)
        with pytest.raises(TypeError, match="dtype bfloat16, but got float32"):
            cpu["half"](np.zeros(4, "f4"))
        with pytest.raises(KeyError, match="no function 'stop'; there is 'step', 'half'"):
            cpu["stop"]

    def test_foreign_library():
        with pytest.raises(ValueError, match="expects a library that memrev compiled"):
            aot.Library(memrev._capi.lib._name)

    def test_without_the_compiler(cpu, tmp_path):
        """The file alone is enough."""
        shutil.copy(aot.__file__, tmp_path)
        shutil.copy(cpu.handle._name, tmp_path / "cpu.so")
        code = ("import aot, sys, numpy as np\n"
                "y, loss, w = aot.Library('cpu.so')['step'](np.ones((8, 16), 'f4'), 2.0,"
                " np.ones((16, 4), 'f4'))\n"
                "assert not any(name.startswith('memrev') for name in sys.modules)\n"
                "print(float(loss), w.sum())")
        output = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, text=True,
                                stdout=subprocess.PIPE, check=True, env={"PATH": ""}).stdout
        assert output == "512.0 128.0\n"


@on_emulator
def test_numpy_on_the_device(cuda, arrays):
    """As often as it takes to run, to record and to replay a call."""
    assert cuda.target == "cuda" and cuda.chip == "sm_90a"
    check_numpy(cuda, arrays, calls=4)
    # Arrays, results and workspace, and nothing else.
    step = cuda["step"]
    assert cuda.peak_device_bytes() == 4 * (8 * 16 + 16 * 4 + 8 * 4 + 1) + step.workspace_bytes


class Tensor:
    """What the loader uses of a tensor of PyTorch on a device."""

    def __init__(self, array):
        self.array, self.shape, self.dtype = array, array.shape, array.dtype.name
        self.device, self.is_cuda, self.nbytes = Device(), True, array.nbytes

    def data_ptr(self):
        return self.array.address

    def dim(self):
        return len(self.shape)

    def is_contiguous(self):
        return True


class Device:
    type = "cuda"

    def __eq__(self, other):
        return isinstance(other, Device)


@on_emulator
def test_torch_on_the_device(cuda, arrays, monkeypatch):
    """PyTorch for CUDA is not at hand: a stand-in has what the loader uses of it."""
    driver, stream = ctypes.CDLL("libcuda.so.1"), ctypes.c_void_p()
    assert driver.cuStreamCreate(ctypes.byref(stream), 1) == 0
    torch = types.ModuleType("torch")
    torch.Tensor, torch.float32, torch.uint8 = Tensor, "float32", "int8"
    torch.empty = lambda shape, dtype, device: Tensor(memrev.cuda.DeviceArray(
        np.atleast_1d(shape) if isinstance(shape, int) else shape, dtype, stream=stream))
    torch.cuda = types.SimpleNamespace(
        device=lambda device: contextlib.nullcontext(),
        current_stream=lambda device: types.SimpleNamespace(cuda_stream=stream.value))
    monkeypatch.setitem(sys.modules, "torch", torch)
    # The thread has a context, as PyTorch's do.
    x, w = (Tensor(memrev.cuda.to_device(array, stream=stream)) for array in arrays)
    context = ctypes.c_void_p()
    assert driver.cuDevicePrimaryCtxRetain(ctypes.byref(context), 0) == 0
    assert driver.cuCtxSetCurrent(context) == 0
    for call in range(4):
        y, loss, v = cuda["step"](x, 3.0, w)
        assert v is w
        expected = arrays[0] @ arrays[1] * 3.0 ** call
        np.testing.assert_allclose(y.array.numpy(), expected, rtol=1e-5)
        np.testing.assert_allclose(loss.array.numpy(), expected.sum(), rtol=1e-5)
    with pytest.raises(TypeError, match="expects a tensor, as others are, but got ndarray"):
        cuda["step"](x, 3.0, arrays[1])


@on_emulator
def test_errors_of_the_device(cuda, arrays, monkeypatch, capfd):
    x, w = arrays
    function = cuda["step"]
    monkeypatch.setattr(function, "workspace_bytes", 0)
    # The arena that the call gets is none.
    with pytest.raises(RuntimeError, match="parameter 4 of 'step' expects device memory"):
        function(x, 1.0, w.copy())
    monkeypatch.undo()
    check_numpy(cuda, arrays)
    assert capfd.readouterr().err == ""
