# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Functions whose code is somewhere else: memrev.external, and symbols of programs."""

import ctypes
import pickle
import shutil
import subprocess
import tempfile

import numpy as np
import pytest

import memrev
import memrev.numpy as mnp
from memrev import lax

RNG = np.random.default_rng(17)
MATRIX = RNG.standard_normal((6, 4))
POINTER = ctypes.POINTER(ctypes.c_double)
VECTORS = {n: memrev.ShapeDtype((n,), np.float64) for n in (4, 6)}
calls = []


def product(matrix):
    rows, columns = matrix.shape

    @ctypes.CFUNCTYPE(None, POINTER, POINTER)
    def multiply(x, y):
        calls.append(rows)
        np.ctypeslib.as_array(y, (rows,))[:] = matrix @ np.ctypeslib.as_array(x, (columns,))

    return multiply


#: An operator that only its code knows, with its adjoint.
adjoint = memrev.external("adjoint", VECTORS[4], product(MATRIX.T),
                          vjp=(lambda y: (adjoint(y), None), lambda _, dx: (forward(dx),)),
                          jvp=lambda y, dy: (adjoint(*y), adjoint(*dy)))
forward = memrev.external("forward", VECTORS[6], product(MATRIX),
                          vjp=(lambda x: (forward(x), None), lambda _, dy: (adjoint(dy),)),
                          jvp=lambda x, dx: (forward(*x), forward(*dx)))
X, Y = RNG.standard_normal(4), RNG.standard_normal(6)


def test_calls_and_derivatives():
    np.testing.assert_allclose(forward(X), MATRIX @ X, rtol=1e-14)

    def loss(x):
        return mnp.sum(mnp.sin(forward(x) - Y) ** 2)

    gradient = memrev.grad(loss)(X)
    rest = MATRIX @ X - Y
    np.testing.assert_allclose(gradient, MATRIX.T @ np.sin(2 * rest), rtol=1e-12)
    product, = memrev.hvp(loss, (X,), (Y[:4],))
    np.testing.assert_allclose(
        product, MATRIX.T @ (2 * np.cos(2 * rest) * (MATRIX @ Y[:4])), rtol=1e-12)
    jacobian = memrev.Jacobian(forward, X)
    assert (jacobian @ X) @ Y == pytest.approx(X @ (jacobian.T @ Y), rel=1e-12)


def test_unrolled_network_with_a_users_operator():
    """Couplings whose functions call the operator, in a loop, in constant memory."""
    def loss(x, weights, operator):
        def block(i, halves):
            a, b = halves
            a = lax.coupling("additive", a, [b], lambda c: mnp.tanh(operator(c) * weights[i]))
            b = lax.coupling("additive", b, [a], lambda c: 0.1 * operator(c))
            return a, b

        a, b = lax.for_loop(len(weights), block, (x, x))
        return mnp.sum(a * b)

    def normal(x):
        return adjoint(forward(x) - Y)

    def dense(x):
        return (MATRIX @ x - Y) @ MATRIX

    weights = 0.1 * RNG.standard_normal((5, 4))
    compiled = memrev.jit(memrev.grad(lambda x, w: loss(x, w, normal), argnums=(0, 1)))
    expected = memrev.grad(lambda x, w: loss(x, w, dense), argnums=(0, 1))(X, weights)
    for found, wanted in zip(compiled(X, weights), expected):
        np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-11)
    bytes = [compiled.memory_report(X, memrev.ShapeDtype((n, 4), np.float64))["workspace_bytes"]
             for n in (5, 50)]
    assert bytes[0] == bytes[1]


TEXT = """
func.func private @mix(tensor<3xf32>, f64, tensor<2x2xi32>) -> (f32, tensor<2x2xi32>)
func.func @main(%x: tensor<3xf32>, %s: f64, %n: tensor<2x2xi32>)
    -> (f32, tensor<2x2xi32>, tensor<3xf32>) {
  %0:2 = func.call @mix(%x, %s, %n)
      : (tensor<3xf32>, f64, tensor<2x2xi32>) -> (f32, tensor<2x2xi32>)
  %1 = arith.addf %x, %x : tensor<3xf32>
  return %0#0, %0#1, %1 : f32, tensor<2x2xi32>, tensor<3xf32>
}
"""
SOURCE = """
#include <stdint.h>
void mix(const float *x, const double *s, const int32_t *n, float *y, int32_t *m) {
  *y = (x[0] + x[1] + x[2]) * *s;
  for (int i = 0; i < 4; ++i) m[i] = n[i] + i;
}
"""
ARGUMENTS = np.arange(3, dtype=np.float32), 0.5, np.arange(4, dtype=np.int32).reshape(2, 2)


def check_mix(results):
    y, m, twice = results
    assert y == 1.5 and m.tolist() == [[0, 2], [4, 6]] and twice.tolist() == [0, 2, 4]


def test_scalars_and_several_results():
    # The package needs none: only this test compiles what a user would bring. What built memrev is
    # there.
    compiler = shutil.which("cc") or shutil.which("clang-22")
    with tempfile.TemporaryDirectory() as folder:
        (source := f"{folder}/mix.c"), (library := f"{folder}/libmix.so")
        with open(source, "w") as file:
            file.write(SOURCE)
        subprocess.run([compiler, "-shared", "-fPIC", source, "-o", library], check=True)
        mix = ctypes.CDLL(library).mix
        module = memrev.compile(TEXT, symbols={"mix": mix})
        check_mix(module["main"](*ARGUMENTS))
        address = ctypes.cast(mix, ctypes.c_void_p).value
        check_mix(memrev.compile(TEXT, symbols={"mix": address})["main"](*ARGUMENTS))
        # A program that was saved is given symbols again.
        copy = pickle.loads(pickle.dumps(module))
        copy.set_symbols({"mix": mix})
        check_mix(copy["main"](*ARGUMENTS))
        # A library is linked with the code.
        ctypes.CDLL(library, ctypes.RTLD_GLOBAL)
        module.write_library(f"{folder}/libmain.so")
        assert "mix" in subprocess.run(["nm", "-D", "-u", f"{folder}/libmain.so"], check=True,
                                       capture_output=True, text=True).stdout.split()


def test_symbols_that_are_missing_or_wrong():
    module = memrev.compile(TEXT)
    with pytest.raises(RuntimeError, match="symbol for each function without a body, but got none "
                                           "for 'mix'"):
        module["main"](*ARGUMENTS)
    # Not even one that the process has: another function may have the name.
    with pytest.raises(RuntimeError, match="got none for 'strlen'"):
        memrev.compile(TEXT.replace("mix", "strlen"))["main"](*ARGUMENTS)
    with pytest.raises(TypeError, match="address or a function pointer of ctypes for 'mix', but "
                                        "got 'strlen'"):
        module.set_symbols({"mix": "strlen"})
    with pytest.raises(memrev.CompileError, match="functions with a body in a program for a "
                                                  "device, but got a declaration"):
        memrev.compile(TEXT, "cuda", chip="sm_90")
    with pytest.raises(memrev.CompileError, match="tensors of static shape as arguments"):
        memrev.compile(TEXT.replace("3xf32", "?xf32"))


def test_errors_of_external():
    with pytest.raises(ValueError, match="ASCII letters, digits and '_', but got 'a-b'"):
        memrev.external("a-b", VECTORS[4])
    with pytest.raises(TypeError, match="function pointer of ctypes for 'f', but got 0"):
        memrev.external("f", VECTORS[4], 0)
    with pytest.raises(ValueError, match="one external function 'forward' in a program"):
        memrev.jit(lambda x: mnp.sum(forward(x)) + mnp.sum(forward(x[:2])))(X)
    with pytest.raises(TypeError, match="results of 'f' as ShapeDtype, but got int"):
        memrev.external("f", 3)(X)

    @memrev.jit
    def forwards(x):
        return memrev.external("forwards", VECTORS[4])(x)

    with pytest.raises(ValueError, match="name of the external function 'forwards' for no other"):
        forwards(X)
    with pytest.raises(memrev.CompileError, match="bare"):
        memrev.grad(lambda x: mnp.sum(memrev.external("bare", VECTORS[4], 1)(x)))(X)
    late = memrev.external("late", VECTORS[4])
    with pytest.raises(RuntimeError, match="got none for 'late'"):
        late(X)
