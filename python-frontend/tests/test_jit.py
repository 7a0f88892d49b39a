# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""memrev.jit: signatures, structures, donation, errors, threads."""

import concurrent.futures
import gc
import inspect
import threading
import time
import weakref

import numpy as np
import pytest
import torch

import memrev
import memrev.numpy as mnp
from memrev import lax


def test_trees_in_and_out():
    @memrev.jit
    def f(tree, *, scale):
        return {"sum": tree["a"] + tree["b"][0] * scale, "pair": (tree["a"], None, 2.5)}

    a, b = np.arange(3.0), np.ones(3)
    found = f({"a": a, "b": [b]}, scale=np.float64(2))
    np.testing.assert_array_equal(found["sum"], a + 2)
    np.testing.assert_array_equal(found["pair"][0], a)
    assert found["pair"][0] is not a and found["pair"][1] is None and found["pair"][2] == 2.5


def test_same_array_returned_twice():
    x, y, z = memrev.jit(lambda x: (x, x, x + 0))(np.ones(3))
    x[0] = 7
    assert y[0] == 1 and z[0] == 1


def test_no_results_and_no_arguments():
    assert memrev.jit(lambda: None)() is None
    assert memrev.jit(lambda x: {})(np.ones(2)) == {}
    assert memrev.jit(lambda: mnp.full((2,), 3.0))().tolist() == [3.0, 3.0]


def test_traces_once_for_a_signature():
    traces = []

    @memrev.jit
    def f(x, k=1):
        traces.append(x.shape)
        return x * k

    for shape in ((2,), (3,), (2,), (2,)):
        f(np.ones(shape))
    assert traces == [(2,), (3,)]
    f(np.ones(2), k=2)
    f(np.ones(2), k=3)
    assert len(traces) == 3
    f(np.ones(2, np.float32))
    assert len(traces) == 4
    f.cache_clear()
    f(np.ones(2))
    assert len(traces) == 5


def test_cache_is_bounded(monkeypatch):
    monkeypatch.setattr("memrev._jit.CACHE_SIZE", 2)
    f = memrev.jit(lambda x: x + 1)
    for n in (1, 2, 3, 1):
        f(np.ones(n))
    assert len(f._cache) == 2


def test_static_arguments():
    traces = []

    @memrev.jit(static_argnums=1, static_argnames="mode")
    def f(x, n, mode="sum"):
        traces.append((n, mode))
        y = x
        for _ in range(n):
            y = y * x
        return y.sum() if mode == "sum" else y

    x = np.array([2.0, 3.0])
    assert f(x, 1) == 13.0 and f(x, 2, mode="sum") == 35.0
    assert f(x, 1, mode="all").tolist() == [4.0, 9.0]
    assert f(x, 1) == 13.0
    assert traces == [(1, "sum"), (2, "sum"), (1, "all")]
    with pytest.raises(TypeError, match="hashable static arguments, but got list"):
        f(x, [1])


def test_methods():
    class Model:
        @memrev.jit
        def apply(self, x):
            return x + 1

    memrev.tree.register(Model, lambda m: ({}, None), lambda children, static: Model())
    assert Model().apply(np.ones(1)).tolist() == [2.0]


def test_donated_arguments_are_overwritten():
    @memrev.jit(donate=0)
    def update(state, gradient):
        return {"w": state["w"] - 0.5 * gradient}

    w, gradient = np.ones((100, 100)), np.ones((100, 100))
    found = update({"w": w}, gradient)
    assert found["w"] is w and w[0, 0] == 0.5 and gradient[0, 0] == 1
    assert update.memory_report({"w": w}, gradient)["workspace_bytes"] == 0
    frozen = np.ones((100, 100))
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match="a writable array"):
        update({"w": frozen}, gradient)


def test_donated_arguments_share_no_memory():
    f = memrev.jit(lambda x, y: (x * 2 + y, x + 1), donate=0)
    w = np.ones(6)
    for x, y in ((w, w), (w[:4], w[2:]), (w[2:], w[:4])):
        with pytest.raises(ValueError, match="expects memory that no donated argument shares"):
            f(x, y)
    assert w.tolist() == [1] * 6
    assert f(w[:3], w[3:])[0].tolist() == [3, 3, 3]
    same = memrev.jit(lambda x, y, z: (x * 2 + y, z), donate=2)
    assert same(w[3:], w[3:], w[:3])[0].tolist() == [3, 3, 3]


def test_arrays_that_are_not_contiguous():
    x = np.arange(12.0).reshape(3, 4)
    np.testing.assert_array_equal(memrev.jit(lambda x: x + 1)(x.T), x.T + 1)
    np.testing.assert_array_equal(memrev.jit(lambda x: x + 1)(x[:, ::2]), x[:, ::2] + 1)


def test_any_order_of_bytes():
    for dtype in (">f4", ">i8", "<f8"):
        found = memrev.jit(lambda x: x + 1)(np.arange(3, dtype=dtype))
        assert found.tolist() == [1, 2, 3] and found.dtype.isnative


def test_tensors_of_pytorch_without_a_copy():
    x = torch.arange(6, dtype=torch.float32).reshape(2, 3)
    found = memrev.jit(lambda x, y: x * y)(x, x.clone().requires_grad_())
    np.testing.assert_array_equal(found, (x * x).numpy())
    seen = memrev.jit(lambda x: x + 1, donate=0)
    y = seen(x)
    assert y[0, 0] == 1 and x[0, 0] == 1  # The result is in the tensor's memory.


def test_tensors_that_numpy_has_no_type_for():
    with pytest.raises(TypeError, match="type that NumPy has, but got one of torch.bfloat16"):
        memrev.jit(lambda x: x + 1)(torch.ones(2, dtype=torch.bfloat16))


def test_arguments_that_are_no_arrays():
    f = memrev.jit(lambda options, x: x)
    with pytest.raises(TypeError, match=r"but got str at '0.mode'; name what is no array"):
        f({"mode": "train"}, np.ones(2))
    with pytest.raises(TypeError, match="expects a dtype out of"):
        memrev.jit(lambda x: x)(np.ones(2, complex))
    with pytest.raises(TypeError, match="expects 'g' to return arrays, but got str at 'x'"):
        def g():
            return {"x": "text"}

        memrev.jit(g)()


def test_shapes_cannot_be_called_with():
    with pytest.raises(TypeError, match="expects arrays to call 'f' with, but got ShapeDtype"):
        memrev.jit(lambda x: x)(memrev.ShapeDtype((2,)))


def test_an_array_that_escapes():
    kept = []
    memrev.jit(lambda x: kept.append(x) or x)(np.ones(2))
    with pytest.raises(RuntimeError, match="outside of the function that traced it"):
        memrev.jit(lambda x: x + kept[0])(np.ones(2))
    with pytest.raises(RuntimeError, match="nothing is being traced"):
        kept[0] + 1


def test_errors_of_the_compiler_name_the_line():
    def f(x):
        return mnp.sum(lax.for_loop(
            x[0].astype(int), lambda i, x: mnp.sin(x), x))  # stores a state per iteration

    with pytest.raises(memrev.CompileError) as info:
        memrev.grad(f)(np.ones(3))
    line = inspect.getsourcelines(f)[1] + 1
    places = [(d.file, d.line) for d in info.value.diagnostics]
    assert (__file__, line) in places, places


def test_operations_know_their_line():
    program = memrev.jit(lambda x: mnp.tanh(x))
    entry, _ = program._entry((np.ones(2),), {})
    line = inspect.currentframe().f_lineno - 2
    assert f'loc("{__file__}":{line}:' in entry.program.print(locations=True)


def test_mlir_is_readable():
    @memrev.jit
    def layer(x, params):
        return mnp.tanh(x @ params["w"] + params["b"])

    text = layer.mlir(memrev.ShapeDtype((2, 3)), {"w": memrev.ShapeDtype((3, 4)),
                                                  "b": memrev.ShapeDtype((4,))})
    assert "func.func @layer(%x: tensor<2x3xf32>, %params_b: tensor<4xf32>" in text
    assert "math.tanh" in text and "loc(" not in text
    memrev.compile(text)


def test_nested_functions_are_called():
    @memrev.jit
    def inner(x, k):
        return mnp.tanh(x) * k

    @memrev.jit
    def outer(x):
        return inner(x, 2.0) + inner(inner(x, 3.0), 2.0)

    x = np.linspace(-1, 1, 5)
    text = outer.mlir(x)
    assert text.count("func.func private @inner") == 1 and text.count("call @inner") == 3
    np.testing.assert_allclose(
        outer(x), np.tanh(x) * 2 + np.tanh(np.tanh(x) * 3) * 2, rtol=1e-6)
    np.testing.assert_allclose(memrev.grad(lambda x: mnp.sum(outer(x)))(x)[2],
                               2 + 3 * 2, rtol=1e-6)


def test_nested_functions_capture_arrays():
    @memrev.jit
    def outer(x, w):
        inner = memrev.jit(lambda y: y @ w + x.sum())
        return inner(x) + inner(2 * x)

    x, w = np.ones((2, 3)), np.eye(3)
    np.testing.assert_array_equal(outer(x, w), x + 2 * x + 12)


def test_memory_does_not_grow_with_depth():
    def loss(params, x):
        def block(i, state):
            a, b = state
            a = lax.coupling("additive", a, [b], lambda c: mnp.tanh(c @ params[i]))
            return a, lax.coupling("additive", b, [a], lambda c: mnp.tanh(c @ params[i]))

        a, b = lax.for_loop(params.shape[0], block, (x, x))
        return mnp.sum(a * b)

    x = np.ones((64, 32), np.float32)
    peaks = []
    for policy in ("invert", "store"):
        f = memrev.jit(memrev.value_and_grad(loss, policy=policy))
        peaks.append([f.memory_report(memrev.ShapeDtype((n, 32, 32)), x)["workspace_bytes"]
                      for n in (10, 100)])
    assert peaks[0][0] == peaks[0][1] and peaks[1][1] > 5 * peaks[1][0]


def test_concurrent_calls():
    f = memrev.jit(lambda x, w: lax.for_loop(20, lambda i, x: mnp.tanh(x @ w), x))
    w = np.random.default_rng(0).standard_normal((48, 48)) / 7
    xs = [np.full((32, 48), 0.1 * i) for i in range(16)]

    def expected(x):
        for _ in range(20):
            x = np.tanh(x @ w)
        return x

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for x, found in zip(xs, pool.map(lambda x: f(x, w), xs)):
            np.testing.assert_allclose(found, expected(x), rtol=1e-10, atol=1e-13)


def test_other_threads_run_during_a_call():
    f = memrev.jit(lambda x: lax.for_loop(400, lambda i, x: mnp.sin(x @ x) * 0.1, x),
                   threads=1)
    x = np.full((200, 200), 0.01)
    f.compile(x)
    ticks, done = [], threading.Event()

    def tick():
        while not done.is_set():
            ticks.append(time.perf_counter())
            time.sleep(0.001)

    thread = threading.Thread(target=tick)
    thread.start()
    start = time.perf_counter()
    f(x)
    end = time.perf_counter()
    done.set()
    thread.join()
    inside = sum(start < t < end for t in ticks)
    # Without the interpreter's lock a tick comes every few milliseconds at the worst.
    assert inside > (end - start) / 0.05, (inside, end - start)


def test_compiled_programs_are_released():
    def make():
        f = memrev.jit(lambda x: x + 1)
        f(np.ones(2))
        return weakref.ref(f.compile(np.ones(2)))

    reference = make()
    gc.collect()
    assert reference() is None


def test_one_thread():
    f = memrev.jit(lambda x: mnp.tanh(x), threads=1)
    np.testing.assert_allclose(f(np.ones((100, 100))), np.tanh(1), rtol=1e-14)


def test_programs_are_kept_on_disk(tmp_path, monkeypatch):
    def run():
        f = memrev.jit(lambda x: mnp.tanh(x) * 3)
        return f(np.ones(3))

    monkeypatch.setenv("MEMREV_CACHE_DIR", str(tmp_path / "cache"))
    first = run()
    files = list((tmp_path / "cache").iterdir())
    assert len(files) == 1
    monkeypatch.setattr(memrev._program, "_compile", None)  # Nobody compiles again.
    np.testing.assert_array_equal(run(), first)
