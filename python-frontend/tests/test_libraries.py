# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Programs that call cuBLASLt: on the emulator, with a stand-in for the library that checks
what it is asked for."""

import ctypes
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from emulator import BUILD, EMULATOR, INSIDE, environment, on_emulator, runs_on_emulator
from test_models_cuda import SMALL

import memrev
from memrev import aot, tree

LIBRARIES = f"{EMULATOR}:{BUILD / 'test' / 'vendor'}"
PROGRAM = """
func.func @step(%x: tensor<8x16xf32>, %w: tensor<16x4xf32>) -> tensor<8x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<8x4xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<8x4xf32>) -> tensor<8x4xf32>
  %m = linalg.matmul ins(%x, %w : tensor<8x16xf32>, tensor<16x4xf32>)
      outs(%z : tensor<8x4xf32>) -> tensor<8x4xf32>
  return %m : tensor<8x4xf32>
}
// Adds to its first argument, by a kernel and then by the library.
func.func @update(%c: tensor<8x4xf32> {rev.donated}, %x: tensor<8x16xf32>,
                  %w: tensor<16x4xf32>) -> tensor<8x4xf32> {
  %twice = arith.addf %c, %c : tensor<8x4xf32>
  %m = linalg.matmul ins(%x, %w : tensor<8x16xf32>, tensor<16x4xf32>)
      outs(%twice : tensor<8x4xf32>) -> tensor<8x4xf32>
  return %m : tensor<8x4xf32>
}
"""

test_on_emulator = runs_on_emulator(
    __file__, LD_LIBRARY_PATH=LIBRARIES, MEMREV_SIMT_CHIP="sm_90", MEMREV_VENDOR_TRACE="1")


def _compile(**options):
    return memrev.compile(PROGRAM, "cuda", chip="sm_90", kernel_format="llvm",
                          contractions="vendor", **options)


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    return rng.random((8, 16), "f4"), rng.random((16, 4), "f4")


def test_workspace_is_planned():
    """32 times the sums, and what aligns it."""
    module, plain = _compile(), memrev.compile(PROGRAM, "cuda", chip="sm_90")
    assert module["step"].workspace_bytes >= 32 * 8 * 4 * 4 + 256
    assert plain["step"].workspace_bytes < 32 * 8 * 4 * 4


def test_option_is_checked():
    with pytest.raises(memrev.CompileError, match="expects contractions to be generated, or "
                       "vendor or auto for target cuda, but got 'blas' for target cuda"):
        memrev.compile(PROGRAM, "cuda", chip="sm_90", contractions="blas")
    with pytest.raises(memrev.CompileError, match="but got 'vendor' for target cpu"):
        memrev.compile(PROGRAM, contractions="vendor")


def _has_library():
    """Whether the runtime would find one here, which nothing hides."""
    for name in ("libcublasLt.so.13", "libcublasLt.so.12"):
        try:
            return bool(ctypes.CDLL(name))
        except OSError:
            pass
    return any(list(Path(folder).glob("nvidia/*/lib/libcublasLt.so.*")) for folder in sys.path)


@pytest.mark.skipif(INSIDE or _has_library(), reason="needs a machine without cuBLASLt")
def test_missing_library():
    """A clear error, before anything is written."""
    code = f"""
import numpy as np, memrev
module = memrev.compile({PROGRAM!r}, "cuda", chip="sm_90", kernel_format="llvm",
                        contractions="vendor")
c, x, w = (memrev.cuda.to_device(np.ones(shape, "f4")) for shape in ((8, 4), (8, 16), (16, 4)))
try:
    module["update"](c, x, w)
except RuntimeError as error:
    print(error)
print((c.numpy() == 1).all())
"""
    result = subprocess.run([sys.executable, "-c", code],
                            env=environment(MEMREV_SIMT_CHIP="sm_90", CUDA_HOME="/nowhere"),
                            stdout=subprocess.PIPE, text=True)
    assert ("expects cuBLASLt for a program compiled to call it, but libcublasLt.so.13 and "
            "libcublasLt.so.12 are neither found by the loader, nor in the toolkit that "
            "CUDA_ROOT, CUDA_HOME or CUDA_PATH names, nor in NVIDIA's packages of Python"
            ) in result.stdout
    assert result.stdout.endswith("True\n")


@pytest.mark.skipif(INSIDE or _has_library(), reason="needs a machine without cuBLASLt")
@pytest.mark.parametrize("variable, folder", [
    ("CUDA_HOME", "lib64"),
    ("VIRTUAL_ENV", "lib/python3.11/site-packages/nvidia/cublas/lib"),
    ("HOME", ".local/lib/python3.12/site-packages/nvidia/cu13/lib")])
def test_library_is_searched_for(tmp_path, variable, folder):
    """In toolkits and in NVIDIA's packages."""
    (tmp_path / folder).mkdir(parents=True)
    (tmp_path / folder / "libcublasLt.so.12").symlink_to(
        BUILD / "test" / "vendor" / "libcublasLt.so.13")
    code = f"""
import numpy as np, memrev
module = memrev.compile({PROGRAM!r}, "cuda", chip="sm_90", kernel_format="llvm",
                        contractions="vendor")
print(module["step"](np.ones((8, 16), "f4"), np.ones((16, 4), "f4")).sum())
"""
    result = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(MEMREV_SIMT_CHIP="sm_90", **{variable: str(tmp_path)}),
        stdout=subprocess.PIPE, text=True, check=True)
    assert result.stdout == "512.0\n"


@on_emulator
def test_calls_and_threads(arrays, capfd):
    """As they are, recorded, and launched as graphs, in several threads at once."""
    module = _compile()
    x, w = arrays
    failures = []

    def call():
        try:
            for _ in range(5):
                np.testing.assert_allclose(module["step"](x, w), x @ w, rtol=1e-6)
                c = np.ones((8, 4), "f4")
                np.testing.assert_allclose(module["update"](c, x, w), 2 + x @ w, rtol=1e-6)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures[0]
    assert "cublasLtMatmul 4 x 8 x 16, batch 1, NN, types 0 0 by 68" in capfd.readouterr().err


@on_emulator
def test_callers_graph(arrays):
    """A library that is first needed while the caller records a graph."""
    code = f"""
import ctypes
import numpy as np, memrev
from memrev import cuda
driver, stream = ctypes.CDLL("libcuda.so.1"), ctypes.c_void_p()
module = memrev.compile({PROGRAM!r}, "cuda", chip="sm_90", kernel_format="llvm",
                        contractions="vendor")
function = module["step"]
rng = np.random.default_rng(0)
arrays = rng.random((8, 16), "f4"), rng.random((16, 4), "f4")
x, w = (cuda.to_device(array) for array in arrays)
y = cuda.to_device(np.zeros((8, 4), "f4"))
space = cuda.DeviceArray((function.workspace_bytes,), "i1")
assert driver.cuStreamCreate(ctypes.byref(stream), 1) == 0
assert driver.cuStreamBeginCapture_v2(stream, 0) == 0
function.call_on_device([a.address for a in (x, w, y)], 0, stream.value, space.address,
                        space.nbytes)
graph, executable = ctypes.c_void_p(), ctypes.c_void_p()
assert driver.cuStreamEndCapture(stream, ctypes.byref(graph)) == 0
assert (y.numpy() == 0).all()
assert driver.cuGraphInstantiateWithFlags(ctypes.byref(executable), graph, 0) == 0
for _ in range(2):
    assert driver.cuGraphLaunch(executable, stream) == 0
    assert driver.cuStreamSynchronize(stream) == 0
    np.testing.assert_allclose(y.numpy(), arrays[0] @ arrays[1], rtol=1e-6)
"""
    subprocess.run([sys.executable, "-c", code], check=True, env=dict(os.environ))


@on_emulator
def test_shared_library(arrays, tmp_path):
    """What is planned is all that a call takes of the device."""
    module = _compile()
    module.write_library(tmp_path / "step.so")
    library = aot.Library(tmp_path / "step.so")
    x, w = arrays
    for _ in range(3):
        np.testing.assert_allclose(library["step"](x, w), x @ w, rtol=1e-6)
    step = library["step"]
    assert library.peak_device_bytes() == 4 * (8 * 16 + 16 * 4 + 8 * 4) + step.workspace_bytes


#: The members of MemrevCudaMatmul, and those of a product of 4 x 8 by 8 x 4 elements.
MEMBERS = ("factorType resultType computeType rows columns depth batch calls accumulates "
           "transposeA transposeB leadingA leadingB leadingC leadingD strideA strideB strideC "
           "strideD stepA stepB stepC stepD alignmentA alignmentB alignmentC alignmentD "
           "workspaceBytes").split()
SQUARE = {"computeType": 68, "rows": 4, "columns": 4, "depth": 8, "batch": 1, "calls": 1,
          "leadingA": 4, "leadingB": 8, "leadingC": 4, "leadingD": 4, "alignmentA": 16,
          "alignmentB": 16, "alignmentC": 16, "alignmentD": 16, "workspaceBytes": 256}


@on_emulator
def test_errors_of_the_library():
    """What it does not do is the thread's error; nothing is written, and it goes on after."""
    runtime = ctypes.CDLL(str(BUILD / "lib" / "libMemRevCUDARuntime.so"))
    runtime.memrevCudaLastError.restype = ctypes.c_char_p
    buffers = [ctypes.c_void_p() for _ in range(4)]
    for buffer, count in zip(buffers, (32, 32, 16, 128)):
        assert runtime.memrevCudaAllocate(ctypes.byref(buffer), ctypes.c_size_t(4 * count)) == 0
    ones = np.ones(32, "f4")
    for buffer in buffers[:3]:
        assert runtime.memrevCudaCopyToDevice(
            buffer, ctypes.c_void_p(ones.ctypes.data),
            ctypes.c_size_t(64 if buffer is buffers[2] else 128)) == 0
    stream = ctypes.c_void_p()
    assert ctypes.CDLL("libcuda.so.1").cuStreamCreate(ctypes.byref(stream), 1) == 0

    def multiply(offset=0, skipped=0, **changed):
        values = {**SQUARE, **changed}
        product = (ctypes.c_int64 * len(MEMBERS))(*(values.get(name, 0) for name in MEMBERS))
        a, b, d, workspace = (buffer.value for buffer in buffers)
        runtime.memrevCudaMatmul(product, ctypes.c_void_p(a + offset), *map(
            ctypes.c_void_p, (b, d, d, workspace + skipped)), stream)
        error = runtime.memrevCudaLastError()
        runtime.memrevCudaClearError()
        runtime.mgpuStreamSynchronize(stream)
        result = np.zeros(16, "f4")
        assert runtime.memrevCudaCopyToHost(
            ctypes.c_void_p(result.ctypes.data), buffers[2], ctypes.c_size_t(64)) == 0
        return error and error.decode(), set(result)

    def fails_with(status):
        return f"cuBLASLt cannot multiply 4 x 8 by 8 x 4 elements: CUBLAS_STATUS_{status}", {1}

    assert multiply(leadingA=3) == fails_with("INVALID_VALUE")
    assert multiply(transposeA=1) == fails_with("INVALID_VALUE")
    assert multiply(offset=4) == fails_with("INVALID_VALUE")
    assert multiply(computeType=70) == fails_with("NOT_SUPPORTED")
    assert multiply(factorType=2, resultType=1) == fails_with("NOT_SUPPORTED")
    assert multiply(workspaceBytes=1024)[0] == fails_with("INVALID_VALUE")[0]
    assert multiply(leadingD=5) == fails_with("INVALID_VALUE")
    # What it gets of a workspace is aligned.
    assert multiply(skipped=16, accumulates=1) == (None, {9})
    assert multiply() == (None, {8})


@on_emulator
@pytest.mark.parametrize("name", ("revnet", "resnet", "language"))
def test_step_equals_that_of_the_processor(name, capfd):
    """Products of the models and of their gradients, in f64."""
    step, arguments = SMALL[name]()
    expected = memrev.jit(step)(*arguments)
    found = memrev.jit(step, device="cuda", contractions="vendor")(*arguments)
    for a, b in zip(tree.leaves(found), tree.leaves(expected)):
        a, b = np.asarray(a.numpy(), np.float64), np.asarray(b, np.float64)
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-10 * max(1, np.abs(b).max()))
    assert capfd.readouterr().err.count("cublasLtMatmul") >= 3
