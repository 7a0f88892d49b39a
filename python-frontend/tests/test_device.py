# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Jitted functions on CUDA devices."""

import ctypes

import numpy as np
import pytest
import torch
from device_arrays import Foreign, arrays  # noqa: F401
from emulator import on_emulator, runs_on_emulator

import memrev
import memrev.numpy as mnp

test_on_emulator = runs_on_emulator(__file__, MEMREV_SIMT_DEVICES="2")


@memrev.jit
def layer(x, w, rate):
    return {"y": mnp.tanh(x @ w) * rate, "sum": mnp.sum(x)}


def step(params, x, rate, count):
    """A step of gradient descent."""
    loss, grads = memrev.value_and_grad(lambda p: mnp.sum(mnp.tanh(x @ p["w"]) ** 2))(params)
    return {"w": params["w"] - rate * grads["w"]}, loss, count + 1


def check(found, x, w, rate):
    np.testing.assert_allclose(found["y"].numpy(), rate * np.tanh(x @ w), rtol=2e-6)
    np.testing.assert_allclose(float(found["sum"]), x.sum(), rtol=2e-6)


@on_emulator
def test_calls_follow_the_arguments(arrays):
    x, w = arrays
    assert isinstance(layer(x, w, 2.0)["y"], np.ndarray)
    for rate in (2.0, 3.0, 3.0, 3.0, 4.0):
        found = layer(memrev.device_put(x), w, rate)
        assert isinstance(found["y"], memrev.cuda.DeviceArray)
        check(found, x, w, rate)
    assert np.asarray(found["sum"]).shape == () and bool(found["sum"])
    # What is a number on the host is a scalar of the program, which no copy precedes.
    assert "%rate: f32" in layer.mlir(memrev.device_put(x), w, 2.0)
    assert "%rate: tensor<f32>" in layer.mlir(memrev.device_put(x), w, found["sum"])
    check(layer(memrev.device_put(x), w, memrev.device_put(2.0)), x, w, 2)


@on_emulator
def test_state_stays_on_the_device(arrays):
    """Donated arrays are written in place, numbers and arrays of the host too after the
    first call; the steps are those of the processor."""
    x, w = arrays
    on_device = memrev.jit(step, donate=(0, 3), device="cuda")
    on_host = memrev.jit(step)
    params, count = {"w": w}, np.int32(0)
    expected, expected_count = {"w": w}, np.int32(0)
    x_there = memrev.device_put(x)
    places = []
    for _ in range(5):
        params, loss, count = on_device(params, x_there, np.float32(1e-2), count)
        places.append((params["w"].address, count.address))
        expected, expected_loss, expected_count = on_host(
            expected, x, np.float32(1e-2), expected_count)
        np.testing.assert_allclose(float(loss), expected_loss, rtol=1e-5)
    np.testing.assert_allclose(params["w"].numpy(), expected["w"], rtol=1e-5)
    assert int(count) == 5 and len(set(places)) == 1
    np.testing.assert_array_equal(w, arrays[1])
    found = memrev.device_get({"w": params["w"], "other": (1, x)})
    assert isinstance(found["w"], np.ndarray) and found["other"][1] is x


@on_emulator
def test_memory_report_is_of_the_same_program(arrays):
    """Neither shapes instead of arrays nor numbers instead of NumPy's make another one."""
    on_device = memrev.jit(step, device="cuda")
    x, w = (memrev.ShapeDtype(a.shape) for a in arrays)
    scalar = memrev.ShapeDtype((), np.float32)
    report = on_device.memory_report({"w": w}, x, scalar, memrev.ShapeDtype((), np.int32))
    on_device({"w": arrays[1]}, arrays[0], 0.5, 0)
    assert len(on_device._cache) == 1
    assert report["argument_bytes"] == arrays[0].nbytes + arrays[1].nbytes + 8
    module = on_device.compile({"w": w}, x, scalar, memrev.ShapeDtype((), np.int32))
    assert (module.target, module.chip) == ("cuda", "sm_90a")
    with pytest.raises(TypeError, match="expects arrays to call 'step' with, but got ShapeDtype"):
        on_device({"w": w}, x, 0.5, 0)


@on_emulator
def test_foreign_arrays(arrays, monkeypatch):
    x, w = arrays
    there = memrev.device_put(x)
    given = Foreign(there)
    check(layer(given, w, 2.0), x, w, 2)
    assert given.copies == 0
    # What programs cannot read as it is, is copied by the library that it is of.
    turned = Foreign(memrev.device_put(x.T.copy()), shape=(8, 16), strides=(4, 32))
    check(layer(turned, w, 2.0), x, w, 2)
    assert turned.copies == 1
    shifted = memrev.device_put(np.concatenate([np.zeros(1, "f4"), x.ravel()]))
    shifted = Foreign(shifted, shape=(8, 16), data=(shifted.address + 4, False))
    check(layer(shifted, w, 2.0), x, w, 2)
    assert shifted.copies == 1
    monkeypatch.delattr(Foreign, "copy")
    with pytest.raises(ValueError, match="aligned to 16 bytes, but got another one at '0'"):
        layer(shifted, w, 2.0)


class Tensor(torch.Tensor):
    """PyTorch's, as if it lay on the device."""

    streams = ()

    def __dlpack_device__(self):
        return 2, 0

    def __dlpack__(self, stream):
        self.asked.append(stream)
        return memrev._dlpack.export(self, self.address, self.shape, np.dtype("f4"), 0)

    def detach(self):
        return self

    def clone(self, memory_format):
        assert memory_format is torch.contiguous_format
        made = tensor_of(memrev.device_put(self.there.numpy().ravel()[1:].reshape(self.shape)))
        self.copies.append(made)
        return made

    def record_stream(self, stream):
        self.streams += (stream,)


def tensor_of(array, shape=None, skipped=0):
    made = torch.empty(shape or array.shape).as_subclass(Tensor)
    made.there, made.address = array, array.address + 4 * skipped
    made.asked, made.copies = [], []
    return made


@on_emulator
def test_copies_of_tensors(arrays, monkeypatch):
    """The memory of a copy is not used again before the program on another stream has read
    it."""
    x, w = arrays
    driver, handle = ctypes.CDLL("libcuda.so.1"), ctypes.c_void_p()
    assert driver.cuStreamCreate(ctypes.byref(handle), 1) == 0
    monkeypatch.setattr(memrev._device, "_torch_stream", lambda device: 0)
    monkeypatch.setattr(torch.cuda, "ExternalStream", lambda *arguments: arguments)
    monkeypatch.setattr(torch, "from_dlpack", lambda array: array)
    there = memrev.device_put(np.concatenate([np.zeros(1, "f4"), x.ravel()]))
    given = tensor_of(there, x.shape, skipped=1)
    check(layer(given, w, 2.0), x, w, 2)
    assert len(given.copies) == 1 and given.copies[0].streams == ()
    with memrev.cuda.stream(handle):
        found = layer(given, w, 2.0)
    memrev.cuda.synchronize(0, handle)
    check(found, x, w, 2)
    copy = given.copies[1]
    assert copy.streams == ((handle.value, 0),) and copy.asked == [handle.value]


@on_emulator
def test_streams(arrays):
    x, w = arrays
    driver, stream = ctypes.CDLL("libcuda.so.1"), ctypes.c_void_p()
    there = memrev.device_put(x)
    assert driver.cuStreamCreate(ctypes.byref(stream), 1) == 0
    with memrev.cuda.stream(stream):
        found = layer(there, w, 2.0)
        with memrev.cuda.stream(None):
            assert memrev.cuda.current_stream() == 0
        assert memrev.cuda.current_stream() == stream.value
        # PyTorch and others ask for the elements on their stream.
        assert found["y"].__cuda_array_interface__["stream"] == stream.value
    assert memrev.cuda.current_stream() is None
    check(found, x, w, 2)
    memrev.cuda.synchronize(0, stream)
    # An array of another library says which stream its elements come from.
    plus = memrev.jit(lambda y: y + 1)
    plus(found["y"])  # Loads the kernels, for which devices wait.
    w_there = memrev.device_put(w)
    with memrev.cuda.stream(stream):
        y = layer(there, w_there, 2.0)["y"]
    z = plus(Foreign(y))
    np.testing.assert_array_equal(z.numpy(), y.numpy() + 1)


@on_emulator
def test_devices(arrays):
    x, w = arrays
    first, second = (memrev.device_put(w, f"cuda:{i}") for i in range(2))
    assert second.device_number == 1
    check(layer(x, second, 2.0), x, w, 2)
    check(memrev.jit(layer, device=torch.device("cuda", 1))(x, w, 2.0), x, w, 2)
    there = memrev.device_put(x, "cuda:1")
    with pytest.raises(ValueError, match="arrays on cuda:1, but got one on cuda:0 at '1'"):
        layer(there, first, 2.0)
    with pytest.raises(ValueError, match="expects arrays on cuda:0, but got one on cuda:1"):
        memrev.device_put(there)
    assert memrev.device_put(first) is first
    with pytest.raises(TypeError, match="arrays in host memory, but got one on a device"):
        memrev.jit(step, device="cpu")({"w": first}, x, 1.0, 0)
    # CUDA's array interface says no device, and what it says is believed.
    check(memrev.jit(layer, device="cuda:1")(Foreign(there), w, 2.0), x, w, 2)
    with pytest.raises(TypeError, match="vjp expects arrays in host memory outside of a jitted"):
        memrev.vjp(mnp.tanh, first)
    with pytest.raises(RuntimeError, match="device"):
        memrev.device_put(x, "cuda:7")


def test_names_of_devices():
    for name in ("gpu", "cuda:x", "cuda:-1", 0):
        with pytest.raises(ValueError, match="expects a device 'cpu', 'cuda' or 'cuda:N'"):
            memrev.jit(step, device=name)
    assert memrev.device_put({"x": np.ones(2)}, "cpu")["x"].shape == (2,)


@on_emulator
def test_transforms(arrays):
    x, w = map(memrev.device_put, arrays)
    loss = lambda w, x: mnp.sum(mnp.tanh(x @ w))  # noqa: E731
    value, gradient = memrev.value_and_grad(loss)(w, x)
    expected = memrev.value_and_grad(loss)(arrays[1], arrays[0])
    np.testing.assert_allclose(float(value), expected[0], rtol=1e-6)
    np.testing.assert_allclose(gradient.numpy(), expected[1], rtol=1e-5, atol=1e-6)


@on_emulator
def test_brain_floats():
    """NumPy has none; a device's arrays may be."""
    found = memrev.jit(lambda x: x.astype(memrev.bfloat16))(memrev.device_put(np.ones(3, "f4")))
    assert found.dtype is memrev.bfloat16 and found.nbytes == 6
    np.testing.assert_array_equal(
        memrev.jit(lambda x: x.astype("f4") + 1)(found).numpy(), [2, 2, 2])


def extremes(rng, rows, columns):
    """Factors with one number in each row and column that is not like others."""
    most = np.finfo("f4").max
    x, w = rng.standard_normal((rows, 40), "f4"), rng.standard_normal((40, columns), "f4")
    numbers = [np.inf, -np.inf, np.nan, most, -most, 3.4025e38, 1e30, -1e30, 1e-30, 0]
    for i in range(0, rows, 2):  # The others meet what is extreme in the other factor only.
        x[i, i % 7] = numbers[i // 2 % len(numbers)]
    for j in range(0, columns, 3):
        w[j % 5, j] = [0, np.inf, 1e-30, 1.000001e30, -np.inf, np.nan, most, 1][j // 3 % 8]
    return x, w


@on_emulator
@pytest.mark.parametrize("layout", ("nn", "tn", "nt", "tt"))
def test_products_that_are_not_finite(layout):
    """Each factor a sum of two numbers: infinities, NaNs, numbers that round to infinity and
    products that overflow give what f32 gives; the rest of their tile has 19 bits."""
    x, w = extremes(np.random.default_rng(0), 72, 48)
    product = memrev.jit(lambda x, w: (x.T if layout[0] == "t" else x)
                         @ (w.T if layout[1] == "t" else w), fp32_precision="tf32x3")
    found = product(memrev.device_put(x.T.copy() if layout[0] == "t" else x),
                    memrev.device_put(w.T.copy() if layout[1] == "t" else w)).numpy()
    with np.errstate(invalid="ignore", over="ignore"):
        terms = x.astype("f8")[:, :, None] * w
        overflows = np.abs(terms) > np.finfo("f4").max
        terms[overflows] = np.sign(terms[overflows]) * np.inf
        expected, size = terms.sum(1), np.abs(terms).sum(1)
        rounded = expected.astype("f4")
    is_finite = np.isfinite(rounded)
    assert 0.2 < is_finite.mean() < 0.8
    assert np.isinf(rounded).sum() > 100 and np.isnan(rounded).sum() > 100
    np.testing.assert_array_equal(found[~is_finite], rounded[~is_finite])
    error = np.abs(found[is_finite] - expected[is_finite])
    assert (error <= 2**-19 * size[is_finite]).all()
