# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Programs for CUDA devices, called from Python. They run on the SIMT emulator, which has
the driver's name: this file runs itself in a process that finds it."""

import copy
import ctypes
import gc
import pickle
import threading
import weakref

import numpy as np
import pytest

import emulator
import memrev
from device_arrays import Foreign, arrays  # noqa: F401
from emulator import on_emulator
from memrev import _dlpack

PROGRAM = """
func.func @step(%x: tensor<8x16xf32>, %w: tensor<16x4xf32>, %rate: f32)
    -> (tensor<8x4xf32>, f32) {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<8x4xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<8x4xf32>) -> tensor<8x4xf32>
  %m = linalg.matmul ins(%x, %w : tensor<8x16xf32>, tensor<16x4xf32>)
      outs(%z : tensor<8x4xf32>) -> tensor<8x4xf32>
  %s = tensor.splat %rate : tensor<8x4xf32>
  %t = arith.mulf %m, %s : tensor<8x4xf32>
  %r = tensor.empty() : tensor<f32>
  %f = linalg.fill ins(%zero : f32) outs(%r : tensor<f32>) -> tensor<f32>
  %sum = linalg.reduce { arith.addf } ins(%t : tensor<8x4xf32>) outs(%f : tensor<f32>)
      dimensions = [0, 1]
  %l = tensor.extract %sum[] : tensor<f32>
  return %t, %l : tensor<8x4xf32>, f32
}
func.func @update(%w: tensor<64xf32> {rev.donated}, %g: tensor<64xf32>) -> tensor<64xf32> {
  %0 = arith.subf %w, %g : tensor<64xf32>
  return %0 : tensor<64xf32>
}
func.func @brain(%x: tensor<32xbf16>) -> tensor<32xbf16> {
  %0 = arith.addf %x, %x : tensor<32xbf16>
  return %0 : tensor<32xbf16>
}
"""


if not emulator.INSIDE:

    test_on_emulator = emulator.runs_on_emulator(__file__, MEMREV_SIMT_TRACE="1")

    def test_no_driver():
        """Without one there is a message, and no crash."""
        mod = memrev.compile(PROGRAM, "cuda", chip="sm_90", kernel_format="ptx")
        # Nothing hides the driver of a machine that has one.
        if _has_driver():
            pytest.skip("there is a driver")
        with pytest.raises(RuntimeError, match="expects an NVIDIA driver"):
            mod["update"](np.zeros(64, "f4"), np.zeros(64, "f4"))
        with pytest.raises(RuntimeError, match="expects an NVIDIA driver"):
            memrev.compile(PROGRAM, "cuda", chip="native")
        with pytest.raises(RuntimeError, match="expects an NVIDIA driver"):
            memrev.cuda.to_device(np.zeros(3))

    def test_chip_is_asked_for():
        with pytest.raises(memrev.CompileError, match="expects a chip for target cuda"):
            memrev.compile(PROGRAM, "cuda")
        with pytest.raises(memrev.CompileError, match="expects auto, ptx, cubin, fatbin or"):
            memrev.compile(PROGRAM, "cuda", chip="sm_90", kernel_format="elf")


def _has_driver():
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    return True


@pytest.fixture(scope="module")
def mod():
    return memrev.compile(PROGRAM, "cuda", chip="native", kernel_format="llvm")


@on_emulator
def test_numpy_arrays(mod, arrays):
    x, w = arrays
    assert mod.target == "cuda" and mod.chip == "sm_90a"
    for rate in (2.0, 3.0, 3.0, 3.0):
        y, loss = mod["step"](x, w, rate)
        np.testing.assert_allclose(y, rate * (x @ w), rtol=1e-6)
        np.testing.assert_allclose(loss, rate * (x @ w).sum(), rtol=1e-6)
    donated, gradient = np.ones(64, "f4"), np.full(64, 0.25, "f4")
    assert mod["update"](donated, gradient) is donated
    np.testing.assert_array_equal(donated, 0.75)


@on_emulator
def test_device_arrays(mod, arrays):
    """In and out without a copy, also when calls follow each other without waiting, and are
    recorded as graphs."""
    x, w = map(memrev.cuda.to_device, arrays)
    for rate in (2.0, 3.0, 3.0, 3.0, 4.0):
        y, loss = mod["step"](x, w, rate)
        assert isinstance(y, memrev.cuda.DeviceArray)
        np.testing.assert_allclose(y.numpy(), rate * (arrays[0] @ arrays[1]), rtol=1e-6)
        np.testing.assert_allclose(loss, rate * (arrays[0] @ arrays[1]).sum(), rtol=1e-6)
    donated = memrev.cuda.to_device(np.ones(64, "f4"))
    gradient = memrev.cuda.to_device(np.full(64, 0.25, "f4"))
    for _ in range(4):
        assert mod["update"](donated, gradient) is donated
    np.testing.assert_array_equal(donated.numpy(), 0)


@on_emulator
def test_foreign_arrays(mod):
    w = memrev.cuda.to_device(np.ones(64, "f4"))
    g = memrev.cuda.to_device(np.full(64, 0.5, "f4"))
    assert mod["update"](Foreign(w), g).array is w
    np.testing.assert_array_equal(w.numpy(), 0.5)
    with pytest.raises(ValueError, match="expects a writable array, but got a read-only one"):
        mod["update"](Foreign(w, data=(w.address, True)), g)
    with pytest.raises(ValueError, match="contiguous array in C order"):
        mod["update"](w, Foreign(g, strides=(8,)))


@on_emulator
def test_streams(mod, arrays):
    driver = ctypes.CDLL("libcuda.so.1")
    streams = [ctypes.c_void_p(), ctypes.c_void_p()]
    x, w = map(memrev.cuda.to_device, arrays)
    for stream in streams:
        assert driver.cuStreamCreate(ctypes.byref(stream), 1) == 0

    class Stream:
        cuda_stream = streams[1].value

    for stream in (streams[0], streams[0].value, Stream()):
        y, _ = mod["step"](x, w, 2.0, stream=stream)
        np.testing.assert_allclose(y.numpy(), 2 * (arrays[0] @ arrays[1]), rtol=1e-6)
    with pytest.raises(TypeError, match="expects a CUDA stream or its address, but got str"):
        mod["step"](x, w, 2.0, stream="fast")
    with pytest.raises(TypeError, match="device memory with a stream"):
        mod["step"](*arrays, 2.0, stream=streams[0])


@on_emulator
def test_dlpack(mod):
    x = memrev.cuda.to_device(np.arange(6, dtype="i4").reshape(2, 3))
    view = _dlpack.view(x, 0)
    assert (view.address, view.shape, view.dtype) == (x.address, (2, 3), np.dtype("i4"))
    assert view.device_number == 0 and view.is_contiguous and view.nbytes == 24
    # An exported array lives as long as the capsule, or what its user made of it.
    del view
    gone = weakref.ref(x)
    capsule = x.__dlpack__()
    del x
    assert gone() is not None
    del capsule
    assert gone() is None
    x = memrev.cuda.to_device(np.zeros(4, "i4"))
    # Exceptions get past its end.
    with pytest.raises(ZeroDivisionError):
        print(x.__dlpack__(), 1 / 0)
    with pytest.raises((BufferError, RuntimeError), match="evice"):
        np.from_dlpack(x)
    with pytest.raises(BufferError):
        x.__dlpack__(copy=True)
    brain = memrev.cuda.DeviceArray((32,), memrev.bfloat16)
    result = mod["brain"](brain)
    assert result.dtype is memrev.bfloat16 and _dlpack.view(result, 0).dtype is memrev.bfloat16
    with pytest.raises(TypeError, match="expects a dtype that NumPy has"):
        result.numpy()


@on_emulator
def test_wrong_arguments(mod, arrays):
    x, w = map(memrev.cuda.to_device, arrays)
    step = mod["step"]
    with pytest.raises(TypeError, match="'arg1' of 'step' expects an array in device memory"):
        step(x, arrays[1], 1.0)
    with pytest.raises(TypeError, match="'arg2' of 'step' expects a number, in host memory"):
        step(x, w, x)
    with pytest.raises(TypeError, match="expects dtype float32, but got float64"):
        step(memrev.cuda.to_device(np.zeros((8, 16))), w, 1.0)
    with pytest.raises(ValueError, match=r"expects shape \[8, 16\], but got \[16, 4\]"):
        step(w, w, 1.0)
    with pytest.raises(TypeError, match="expects 3 arguments, but got 2"):
        step(x, w)
    both = memrev.cuda.to_device(np.zeros(64, "f4"))
    with pytest.raises(ValueError, match="memory that no donated argument shares"):
        mod["update"](both, both)
    beyond = Foreign(both, data=(both.address + 16, False))
    with pytest.raises(RuntimeError, match="parameter 1 of 'update' expects 256 bytes of device "
                                           "memory, but got 240"):
        mod["update"](memrev.cuda.to_device(np.zeros(64, "f4")), beyond)
    # One failed call is not the end.
    np.testing.assert_array_equal(mod["update"](both, w.__class__((64,), "f4")).shape, (64,))


@on_emulator
def test_own_workspace(mod, arrays):
    step = mod["step"]
    x, w = map(memrev.cuda.to_device, arrays)
    y, loss = memrev.cuda.DeviceArray((8, 4), "f4"), memrev.cuda.DeviceArray((), "f4")
    workspace = memrev.cuda.DeviceArray((max(step.workspace_bytes, 1),), "i1")
    rate = np.array(2, "f4")
    pointers = [x.address, w.address, rate.ctypes.data, y.address, loss.address]
    before = memrev.cuda.allocated_bytes()
    step.call_on_device(pointers, 0, 0, workspace.address, workspace.nbytes)
    np.testing.assert_allclose(y.numpy(), 2 * (arrays[0] @ arrays[1]), rtol=1e-6)
    assert memrev.cuda.allocated_bytes() == before
    with pytest.raises(RuntimeError, match="expects an arena of .* bytes, but got 0"):
        step.call_on_device(pointers, 0, 0, workspace.address, 0)


@on_emulator
def test_callers_graph(mod):
    """A stream that the caller records takes the work as part of the caller's graph."""
    driver = ctypes.CDLL("libcuda.so.1")
    update, handle = mod["update"], ctypes.c_void_p
    w = memrev.cuda.to_device(np.ones(64, "f4"))
    g = memrev.cuda.to_device(np.full(64, 0.25, "f4"))
    stream, graph, executable = handle(), handle(), handle()
    assert driver.cuStreamCreate(ctypes.byref(stream), 1) == 0
    assert driver.cuStreamBeginCapture_v2(stream, 0) == 0
    update.call_on_device([w.address, g.address], 0, stream.value)
    assert driver.cuStreamEndCapture(stream, ctypes.byref(graph)) == 0
    np.testing.assert_array_equal(w.numpy(), 1)
    assert driver.cuGraphInstantiateWithFlags(
        ctypes.byref(executable), graph, ctypes.c_ulonglong(0)) == 0
    for _ in range(3):
        assert driver.cuGraphLaunch(executable, stream) == 0
    assert driver.cuStreamSynchronize(stream) == 0
    np.testing.assert_array_equal(w.numpy(), 0.25)
    assert driver.cuGraphExecDestroy(executable) == driver.cuGraphDestroy(graph) == 0


@on_emulator
def test_graphs_of_many_sets_of_buffers(mod, capfd):
    """A function that is called in many places of a network, each with buffers of its own,
    runs once in each, is recorded, and launches graphs from then on."""
    update, places = mod["update"], 40
    pairs = [(memrev.cuda.to_device(np.full(64, place, "f4")),
              memrev.cuda.to_device(np.full(64, 0.25, "f4"))) for place in range(places)]
    launches = []
    for _ in range(4):
        for w, g in pairs:
            update(w, g)
        memrev.cuda.synchronize()
        launches.append(capfd.readouterr().err.count("memrev-simt: launch "))
    assert launches == [places, places, 0, 0]
    for place, (w, _) in enumerate(pairs):
        np.testing.assert_array_equal(w.numpy(), place - 1)


@on_emulator
def test_threads(mod):
    """Calls of several threads at once, each on a stream and with arrays of its own."""
    driver = ctypes.CDLL("libcuda.so.1")
    failures = []

    def work(seed):
        try:
            rng, stream = np.random.default_rng(seed), ctypes.c_void_p()
            assert driver.cuStreamCreate(ctypes.byref(stream), 1) == 0
            x, w = rng.random((8, 16), "f4"), rng.random((16, 4), "f4")
            on_device = [memrev.cuda.to_device(array, stream=stream) for array in (x, w)]
            for step in range(6):
                rate = seed + step // 3
                y, _ = mod["step"](*on_device, float(rate), stream=stream)
                np.testing.assert_allclose(y.numpy(), rate * (x @ w), rtol=1e-6)
                np.testing.assert_allclose(mod["step"](x, w, float(rate))[0], y.numpy())
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures


@on_emulator
def test_memory_is_kept_and_given_back(mod):
    gc.collect()
    memrev.cuda.free_idle()
    before = memrev.cuda.allocated_bytes()
    x = memrev.cuda.to_device(np.zeros(1000, "f4"))
    assert memrev.cuda.allocated_bytes() == before + 4000
    address = x.address
    del x
    gc.collect()
    assert memrev.cuda.allocated_bytes() == before + 4000
    assert memrev.cuda.to_device(np.zeros(1000, "f4")).address == address
    gc.collect()
    memrev.cuda.free_idle()
    assert memrev.cuda.allocated_bytes() == before
    assert memrev.cuda.peak_bytes() >= before + 4000


@on_emulator
def test_copies_and_pickles(mod, arrays):
    """They share nothing with the array that they are of."""
    x, w = map(memrev.cuda.to_device, arrays)
    brain = memrev.jit(lambda x: x.astype(memrev.bfloat16))(x)
    for again in (copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))):
        other = again(x)
        assert other.address != x.address
        np.testing.assert_array_equal(other.numpy(), arrays[0])
        assert again(brain).dtype is memrev.bfloat16 and again(brain).shape == brain.shape
        del other
        gc.collect()
        np.testing.assert_array_equal(x.numpy(), arrays[0])
        np.testing.assert_array_equal(again(mod["step"])(x, w, 2.0)[0].numpy(),
                                      mod["step"](x, w, 2.0)[0].numpy())


@on_emulator
def test_wrong_arrays():
    with pytest.raises(ValueError, match=r"without negative sizes, but got \[-1, 3\]"):
        memrev.cuda.DeviceArray((-1, 3), "f4")
    with pytest.raises(TypeError, match="integer"):
        memrev.cuda.to_device(np.ones(3), "cuda")


@on_emulator
def test_saved_programs(mod, arrays, tmp_path):
    mod.save(tmp_path / "program")
    loaded = memrev.load(tmp_path / "program")
    assert loaded.target == "cuda" and loaded.chip == "sm_90a"
    np.testing.assert_array_equal(loaded["step"](*arrays, 2.0)[0], mod["step"](*arrays, 2.0)[0])


@on_emulator
def test_shared_library(mod, tmp_path):
    mod.write_library(tmp_path / "program.so")
    library = ctypes.CDLL(str(tmp_path / "program.so"))
    pointers = [ctypes.c_void_p() for _ in range(2)]
    data = np.ones(64, "f4")
    for pointer in pointers:
        library.memrevCudaAllocate(ctypes.byref(pointer), ctypes.c_size_t(256))
        library.memrevCudaCopyToDevice(pointer, data.ctypes.data_as(ctypes.c_void_p),
                                       ctypes.c_size_t(256))
    assert mod["update"].workspace_bytes == 0
    library.update(*pointers, None)
    library.memrevCudaCopyToHost(data.ctypes.data_as(ctypes.c_void_p), pointers[0],
                                 ctypes.c_size_t(256))
    np.testing.assert_array_equal(data, 0)
