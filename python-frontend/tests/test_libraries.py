# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Programs that call cuBLASLt and cuDNN: on the emulator, with stand-ins for the libraries that
check what they are asked for."""

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

CONVOLUTION = """
func.func @step(%x: tensor<2x8x8x4xf32>, %w: tensor<3x3x4x8xf32>) -> tensor<2x6x6x8xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x6x6x8xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<2x6x6x8xf32>) -> tensor<2x6x6x8xf32>
  %r = linalg.conv_2d_nhwc_hwcf ins(%x, %w : tensor<2x8x8x4xf32>, tensor<3x3x4x8xf32>)
      outs(%z : tensor<2x6x6x8xf32>) -> tensor<2x6x6x8xf32>
  return %r : tensor<2x6x6x8xf32>
}
"""

test_on_emulator = runs_on_emulator(
    __file__, slow=True, LD_LIBRARY_PATH=LIBRARIES, MEMREV_SIMT_CHIP="sm_90",
    MEMREV_VENDOR_TRACE="1")


def _compile(program=PROGRAM, **options):
    return memrev.compile(program, "cuda", chip="sm_90", kernel_format="llvm",
                          contractions="vendor", **options)


def _convolve(x, w):
    """What CONVOLUTION computes."""
    return sum(x[:, i:i + 6, j:j + 6] @ w[i, j] for i in range(3) for j in range(3))


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    return rng.random((8, 16), "f4"), rng.random((16, 4), "f4")


def test_workspace_is_planned():
    """32 times the sums, and what aligns it."""
    module, plain = _compile(), memrev.compile(PROGRAM, "cuda", chip="sm_90")
    assert module["step"].workspace_bytes >= 32 * 8 * 4 * 4 + 256
    assert plain["step"].workspace_bytes < 32 * 8 * 4 * 4


def test_workspace_of_a_convolution_is_planned():
    """4 MiB for small ones, and what aligns it; the filter in another order is planned, too."""
    planned = _compile(CONVOLUTION)["step"].workspace_bytes
    least = (4 << 20) + 256 + 4 * 3 * 3 * 4 * 8
    assert least <= planned < least + 1024


def test_option_is_checked():
    with pytest.raises(memrev.CompileError, match="expects contractions to be generated, or "
                       "vendor or auto for target cuda, but got 'blas' for target cuda"):
        memrev.compile(PROGRAM, "cuda", chip="sm_90", contractions="blas")
    with pytest.raises(memrev.CompileError, match="but got 'vendor' for target cpu"):
        memrev.compile(PROGRAM, contractions="vendor")


def _needs_a_machine_without(title, *names):
    """Leaves a test out where the runtime finds a library that the test does not give it. The
    loader goes before every folder that a test can make, and nothing hides what it finds: on a
    machine with the library, and inside of the process whose loader has the stand-ins."""
    def is_found(name):
        try:
            return bool(ctypes.CDLL(name))
        except OSError:
            return any(list(Path(folder).glob(f"nvidia/*/lib/{name}")) for folder in sys.path)

    return pytest.mark.skipif(INSIDE or any(map(is_found, names)),
                              reason=f"the loader finds {title} before what the test makes")


needs_no_cublaslt = _needs_a_machine_without("cuBLASLt", "libcublasLt.so.13", "libcublasLt.so.12")
needs_no_cudnn = _needs_a_machine_without("cuDNN", "libcudnn.so.9")


@needs_no_cublaslt
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


@needs_no_cudnn
@pytest.mark.parametrize("is_there", (False, True))
def test_cudnn_is_searched_for(tmp_path, is_there):
    """In NVIDIA's packages; a clear error without it."""
    folder = tmp_path / "lib/python3.11/site-packages/nvidia/cudnn/lib"
    folder.mkdir(parents=True)
    if is_there:
        (folder / "libcudnn.so.9").symlink_to(BUILD / "test" / "vendor" / "libcudnn.so.9")
    code = f"""
import numpy as np, memrev
module = memrev.compile({CONVOLUTION!r}, "cuda", chip="sm_90", kernel_format="llvm",
                        contractions="vendor")
try:
    print(module["step"](np.ones((2, 8, 8, 4), "f4"), np.ones((3, 3, 4, 8), "f4")).sum())
except RuntimeError as error:
    print(error)
"""
    result = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(MEMREV_SIMT_CHIP="sm_90", VIRTUAL_ENV=str(tmp_path),
                        CUDA_HOME="/nowhere"),
        stdout=subprocess.PIPE, text=True, check=True)
    assert (result.stdout == "20736.0\n" if is_there else
            "expects cuDNN for a program compiled to call it, but libcudnn.so.9 is neither found "
            "by the loader" in result.stdout)


@needs_no_cublaslt
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
    module, convolution = _compile(), _compile(CONVOLUTION)
    x, w = arrays
    rng = np.random.default_rng(1)
    images, kernel = rng.random((2, 8, 8, 4), "f4"), rng.random((3, 3, 4, 8), "f4")
    failures = []

    def call():
        try:
            for _ in range(5):
                np.testing.assert_allclose(convolution["step"](images, kernel),
                                           _convolve(images, kernel), rtol=1e-6)
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
    traced = capfd.readouterr().err
    assert "cublasLtMatmul 4 x 8 x 16, batch 1, NN, types 0 0 by 68" in traced
    assert "cudnnConvolutionForward 2 x 8 x 8 x 4 by 8 x 3 x 3 x 4," in traced


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


@on_emulator
def test_shared_library_with_a_convolution(tmp_path):
    _compile(CONVOLUTION).write_library(tmp_path / "convolution.so")
    library = aot.Library(tmp_path / "convolution.so")
    x, w = np.ones((2, 8, 8, 4), "f4"), np.ones((3, 3, 4, 8), "f4")
    for _ in range(3):
        np.testing.assert_array_equal(library["step"](x, w), 36)
    assert library.peak_device_bytes() == (
        4 * (2 * 8 * 8 * 4 + 3 * 3 * 4 * 8 + 2 * 6 * 6 * 8) + library["step"].workspace_bytes)


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


#: The members of MemrevCudaConvolution, and those of 3 x 3 taps over 6 x 6 pixels.
CONVOLUTION_MEMBERS = (
    "isFilterGradient type usesTensorCores accumulates images groups channels filters height "
    "width filterHeight filterWidth resultHeight resultWidth strideHeight strideWidth "
    "dilationHeight dilationWidth paddingHeight paddingWidth workspaceBytes").split()
PIXELS = {"images": 1, "groups": 1, "channels": 4, "filters": 4, "height": 6, "width": 6,
          "filterHeight": 3, "filterWidth": 3, "resultHeight": 4, "resultWidth": 4,
          "strideHeight": 1, "strideWidth": 1, "dilationHeight": 1, "dilationWidth": 1,
          "workspaceBytes": 1024}


@on_emulator
def test_errors_of_cudnn(capfd):
    """What it does not do is the thread's error; nothing is written, and it goes on after. Only
    deterministic algorithms with the precision that is asked for are taken."""
    runtime = ctypes.CDLL(str(BUILD / "lib" / "libMemRevCUDARuntime.so"))
    runtime.memrevCudaLastError.restype = ctypes.c_char_p
    counts = {"image": 144, "filter": 144, "result": 64, "workspace": 320}
    buffers = {name: ctypes.c_void_p() for name in counts}
    for name, buffer in buffers.items():
        nbytes = ctypes.c_size_t(4 * counts[name])
        assert runtime.memrevCudaAllocate(ctypes.byref(buffer), nbytes) == 0
        ones = np.ones(counts[name], "f4")
        assert runtime.memrevCudaCopyToDevice(buffer, ctypes.c_void_p(ones.ctypes.data),
                                              nbytes) == 0
    stream = ctypes.c_void_p()
    assert ctypes.CDLL("libcuda.so.1").cuStreamCreate(ctypes.byref(stream), 1) == 0

    def convolve(offset=0, skipped=0, **changed):
        values = {**PIXELS, **changed}
        description = (ctypes.c_int64 * len(CONVOLUTION_MEMBERS))(
            *(values.get(name, 0) for name in CONVOLUTION_MEMBERS))
        image, kernel, result, workspace = (buffer.value for buffer in buffers.values())
        runtime.memrevCudaConvolution(description, *map(
            ctypes.c_void_p, (image + offset, kernel, result, workspace + skipped)), stream)
        error = runtime.memrevCudaLastError()
        runtime.memrevCudaClearError()
        runtime.mgpuStreamSynchronize(stream)
        written = "filter" if values.get("isFilterGradient") else "result"
        result = np.zeros(counts[written], "f4")
        assert runtime.memrevCudaCopyToHost(ctypes.c_void_p(result.ctypes.data),
                                            buffers[written],
                                            ctypes.c_size_t(result.nbytes)) == 0
        found = set(result)
        result[:] = 1
        assert runtime.memrevCudaCopyToDevice(
            buffers[written], ctypes.c_void_p(result.ctypes.data),
            ctypes.c_size_t(result.nbytes)) == 0
        return error and error.decode(), found

    what = "cuDNN cannot convolve images of 1 x 6 x 6 x 4 elements with a filter of 3 x 3 x 4 x 4"

    def fails_with(status):
        return f"{what}: CUDNN_STATUS_{status}", {1}

    assert convolve(resultHeight=5) == fails_with("BAD_PARAM")
    assert convolve(type=1) == fails_with("NOT_SUPPORTED")
    assert convolve(offset=4) == fails_with("BAD_PARAM")
    assert convolve(workspaceBytes=8192)[0] is None  # It needs less.
    assert convolve() == (None, {36})
    # What it gets of a workspace is aligned.
    assert convolve(skipped=16, accumulates=1) == (None, {37})
    assert convolve(isFilterGradient=1) == (None, {16})
    traced = capfd.readouterr().err
    assert traced.count("math 3, algorithm 1, beta 0, workspace 1024") == 3
    # Without a workspace one algorithm is left, and for the gradient none.
    assert convolve(workspaceBytes=0) == (None, {36})
    assert "math 3, algorithm 0, beta 0, workspace 0" in capfd.readouterr().err
    assert convolve(workspaceBytes=512, isFilterGradient=1) == (
        "cuDNN cannot compute the gradient of a filter of 3 x 3 x 4 x 4 elements from images of "
        "1 x 6 x 6 x 4: it has no deterministic algorithm for this device that needs at most 512 "
        "bytes of workspace", {1})
    assert convolve(usesTensorCores=1) == (None, {36})
    assert "math 1, algorithm 1," in capfd.readouterr().err


@on_emulator
@pytest.mark.parametrize("name", ("revnet", "resnet"))
def test_step_in_single_precision(name, capfd):
    """Convolutions of the models and of their gradients, by cuDNN."""
    step, arguments = SMALL[name]()
    arguments = tree.map(
        lambda x: x.astype("f4") if getattr(x, "dtype", None) == np.float64 else x, arguments)
    expected = memrev.jit(step)(*arguments)
    found = memrev.jit(step, device="cuda", contractions="vendor")(*arguments)
    for a, b in zip(tree.leaves(found), tree.leaves(expected)):
        a, b = np.asarray(a.numpy(), np.float64), np.asarray(b, np.float64)
        # Sums of some hundred terms in another order, through ten layers.
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-4 * max(1, np.abs(b).max()))
    traced = capfd.readouterr().err
    assert traced.count("cudnnConvolutionForward") >= 6
    assert traced.count("cudnnConvolutionBackwardFilter") >= 3


def test_setting_of_torch():
    memcnn = pytest.importorskip("memrev.torch")
    assert memcnn.get_contractions() == "generated"
    with memcnn.set_contractions("auto"):
        assert memcnn.get_contractions() == "auto"
    assert memcnn.get_contractions() == "generated"
    with pytest.raises(ValueError, match="expects contractions to be one of generated, vendor, "
                       "auto, but got 'cudnn'"):
        memcnn.set_contractions("cudnn")


@on_emulator
def test_torch_calls_libraries(capfd):
    """As its setting says, whatever was compiled for another one before."""
    torch = pytest.importorskip("torch")
    import memrev.torch as memcnn
    from torch_emulated import move, on_emulated_device, put
    torch.manual_seed(0)
    net = move(torch.nn.Sequential(torch.nn.Conv2d(4, 8, 3, padding=1), torch.nn.ReLU(),
                                   torch.nn.Conv2d(8, 4, 3)))
    x = put(torch.randn(2, 4, 6, 6))
    expected = net(x)
    gradients = torch.autograd.grad(expected.square().sum(), list(net.parameters()))
    compiled = torch.compile(net, backend="memrev")
    for contractions in ("generated", "vendor"):
        torch._dynamo.reset()
        with memcnn.set_contractions(contractions), on_emulated_device():
            found = compiled(x)
            torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
            torch.testing.assert_close(
                torch.autograd.grad(found.square().sum(), list(net.parameters())), gradients,
                rtol=1e-4, atol=1e-4)
        traced = capfd.readouterr().err
        is_vendor = contractions == "vendor"
        assert ("cudnnConvolutionForward" in traced) == is_vendor
        assert ("cudnnConvolutionBackwardFilter" in traced) == is_vendor


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
