# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Functions that name their inverses (`rev.inverse = @g`), in numbers."""

import numpy as np

import memrev

# A triangular product, whose inverse is a substitution that no edge gives. What is not known
# yet counts as zero.
PROGRAM = """
func.func private @product(%x: V, %l: M) -> V attributes {rev.inverse = @substitution} {
  %zero = arith.constant 0.0 : f64
  %empty = tensor.empty() : V
  %init = linalg.fill ins(%zero : f64) outs(%empty : V) -> V
  %y = linalg.matvec ins(%l, %x : M, V) outs(%init : V) -> V
  return %y : V
}
func.func private @substitution(%y: V, %l: M) -> V {
  %zero = arith.constant 0.0 : f64
  %begin = arith.constant 0 : index
  %one = arith.constant 1 : index
  %end = arith.constant 6 : index
  %empty = tensor.empty() : V
  %init = linalg.fill ins(%zero : f64) outs(%empty : V) -> V
  %x = scf.for %i = %begin to %end step %one iter_args(%known = %init) -> (V) {
    %products = scf.for %j = %begin to %end step %one iter_args(%sum = %zero) -> (f64) {
      %a = tensor.extract %l[%i, %j] : M
      %b = tensor.extract %known[%j] : V
      %c = arith.mulf %a, %b : f64
      %d = arith.addf %sum, %c : f64
      scf.yield %d : f64
    }
    %right = tensor.extract %y[%i] : V
    %rest = arith.subf %right, %products : f64
    %pivot = tensor.extract %l[%i, %i] : M
    %quotient = arith.divf %rest, %pivot : f64
    %next = tensor.insert %quotient into %known[%i] : V
    scf.yield %next : V
  }
  return %x : V
}
func.func @flow(%x: V, %l: M) -> V {
  %begin = arith.constant 0 : index
  %one = arith.constant 1 : index
  %end = arith.constant 3 : index
  %y = scf.for %i = %begin to %end step %one iter_args(%v = %x) -> (V) {
    %p = func.call @product(%v, %l) : (V, M) -> V
    %n = arith.negf %p : V
    scf.yield %n : V
  }
  return %y : V
}
func.func @sample(%y: V, %l: M) -> V {
  %x = rev.inverse @flow(%y, %l) : (V, M) -> V
  return %x : V
}
func.func @gradient(%y: V, %l: M, %dx: V) -> (V, M) {
  %dy, %dl = rev.vjp @sample(%y, %l) cotangents(%dx) : (V, M, V) -> (V, M)
  return %dy, %dl : V, M
}
""".replace(" V", " tensor<6xf64>").replace("(V", "(tensor<6xf64>").replace(
    " M", " tensor<6x6xf64>").replace("(M", "(tensor<6x6xf64>")


def test_inverse_and_its_gradient():
    module = memrev.compile(PROGRAM)
    rng = np.random.default_rng(0)
    x, dx = rng.standard_normal((2, 6))
    lower = np.tril(rng.standard_normal((6, 6)), -1) / 4 + 2 * np.eye(6)
    y = module["flow"](x, lower)
    found = module["sample"](y, lower)
    assert np.abs(found - x).max() <= 1e-12 * np.abs(x).max()
    # x = (-1)^3 l^-3 y
    inverse = np.linalg.inv(lower)
    dy, dl = module["gradient"](y, lower, dx)
    expected = -np.linalg.matrix_power(inverse, 3).T @ dx
    assert np.abs(dy - expected).max() <= 1e-12 * np.abs(expected).max()
    # Differences in a direction that keeps the matrix triangular.
    direction = np.tril(rng.standard_normal((6, 6)))
    step = 1e-5
    ahead, behind = (module["sample"](y, lower + sign * step * direction) for sign in (1, -1))
    assert abs(np.vdot(dl, direction) - np.vdot(dx, ahead - behind) / (2 * step)) <= 1e-8
