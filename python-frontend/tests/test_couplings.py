# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Gradients of chains of couplings: perceptrons with affine couplings, and a loop
of 64 additive blocks."""

import itertools

import numpy as np
import pytest

import chain as chains
import memrev
import numeric
import slow
from chain import Chain

EPS = np.finfo(np.float64).eps


def gradients(chain, arrays, element="f64", unrolled=False, policy="invert"):
    """(loss, gradients by name) by memrev."""
    program = memrev.compile(chains.text(chain, element, unrolled, policy))
    loss, _, _, *values = program["gradients"](*arrays.values())
    return float(loss), dict(zip(arrays, values))


def loss_function(chain, unrolled=False):
    program = memrev.compile(chains.text(chain, "f64", unrolled))
    return lambda arrays: float(program["gradients"](*arrays.values())[0])


@pytest.mark.parametrize("unrolled, log_det", slow.but(
    [(False, True), (True, True)], itertools.product([False, True], repeat=2)))
@pytest.mark.parametrize("kind", chains.SCALES)
def test_affine_mlp(kind, unrolled, log_det):
    chain = Chain(kind, blocks=3, log_det=log_det)
    arrays = chain.arrays(seed=0)
    loss, inverted = gradients(chain, arrays, unrolled=unrolled)
    _, stored = gradients(chain, arrays, unrolled=unrolled, policy="store")
    expected_loss, expected = chains.torch_gradients(chain, arrays)

    gain = chains.gain(chain, arrays)
    print(f"gain {gain:.3g}, invert - store {numeric.error(inverted, stored):.3g}, "
          f"store - torch {numeric.error(stored, expected):.3g}")
    assert loss == pytest.approx(expected_loss, rel=1e-12)
    assert numeric.error(stored, expected) < 1e-10
    # Inversion may lose what its gain enlarges, and no more.
    assert numeric.error(inverted, stored) < 10 * EPS * gain
    assert numeric.error(inverted, expected) < 1e-10


@pytest.mark.parametrize("unrolled", [False, True])
def test_64_blocks(unrolled):
    chain = Chain("additive", blocks=64)
    arrays = chain.arrays(seed=1, spread=0.3)
    loss, inverted = gradients(chain, arrays, unrolled=unrolled)
    _, stored = gradients(chain, arrays, unrolled=unrolled, policy="store")
    expected_loss, expected = chains.torch_gradients(chain, arrays)
    assert loss == pytest.approx(expected_loss, rel=1e-12)
    assert numeric.error(inverted, stored) < 1e-12
    assert numeric.error(inverted, expected) < 1e-10


@pytest.mark.parametrize("kind", ["additive", "affine<exp>"])
def test_float32(kind):
    """In f32 against the f64 gradients: the chain's rounding errors, enlarged by
    its gain, stay below 100 units in the last place."""
    chain = Chain(kind, blocks=8 if kind == "additive" else 3)
    arrays = chain.arrays(seed=2)
    _, expected = chains.torch_gradients(chain, arrays)
    singles = {name: array.astype(np.float32) for name, array in arrays.items()}
    gain = chains.gain(chain, arrays)
    for policy in ("invert", "store"):
        _, found = gradients(chain, singles, element="f32", policy=policy)
        assert numeric.error(found, expected) < 100 * np.finfo(np.float32).eps * gain


@pytest.mark.parametrize("kind", ["additive", *chains.SCALES])
def test_differences(kind):
    chain = Chain(kind, blocks=2, log_det=kind != "additive")
    arrays = chain.arrays(seed=3)
    _, found = gradients(chain, arrays)
    function = loss_function(chain)
    along = numeric.direction(arrays, seed=4)
    claimed = numeric.slope(found, along)
    measured = numeric.central_difference(function, arrays, along, step=1e-6)
    assert claimed == pytest.approx(measured, rel=1e-7)

    steps = [2.0 ** -i for i in range(8, 14)]
    order = numeric.taylor_order(function, arrays, found, along, steps)
    assert order == pytest.approx(2, abs=0.05)
    # The test sees a gradient that is missing a tensor.
    found["f_w"] = np.zeros_like(found["f_w"])
    order = numeric.taylor_order(function, arrays, found, along, steps)
    assert order < 1.3


# A loop of affine couplings that carries what only observes it: the sum of
# log-determinants, or a mean of them.
OBSERVED = """
func.func private @flow(%x1: tensor<4x8xf64>, %x2: tensor<4x8xf64>, %w: tensor<8x8xf64>,
                        %l: tensor<4xf64>)
    -> (tensor<4x8xf64>, tensor<4x8xf64>, tensor<4xf64>)
    attributes {ATTRIBUTES} {
  %zero = arith.constant 0.0 : f64
  %old = arith.constant dense<0.9> : tensor<4xf64>
  %new = arith.constant dense<0.1> : tensor<4xf64>
  %tenth = arith.constant dense<0.1> : tensor<4x8xf64>
  %begin = arith.constant 0 : index
  %step = arith.constant 1 : index
  %end = arith.constant BLOCKS : index
  %y:3 = scf.for %i = %begin to %end step %step iter_args(%a = %x1, %b = %x2, %sum = %l)
      -> (tensor<4x8xf64>, tensor<4x8xf64>, tensor<4xf64>) {
    %a1, %d = rev.coupling affine<soft_tanh, alpha = 1.0> %a given(%b) log_det {
    ^bb0(%c: tensor<4x8xf64>):
      %e = tensor.empty() : tensor<4x8xf64>
      %f = linalg.fill ins(%zero : f64) outs(%e : tensor<4x8xf64>) -> tensor<4x8xf64>
      %t = linalg.matmul ins(%c, %w : tensor<4x8xf64>, tensor<8x8xf64>)
          outs(%f : tensor<4x8xf64>) -> tensor<4x8xf64>
      %s = math.tanh %t : tensor<4x8xf64>
      rev.yield %s, %t : tensor<4x8xf64>, tensor<4x8xf64>
    } : tensor<4x8xf64>, (tensor<4x8xf64>) -> tensor<4xf64>
    %b1 = rev.coupling additive %b given(%a1) {
    ^bb0(%c: tensor<4x8xf64>):
      %s = math.sin %c : tensor<4x8xf64>
      %t = arith.mulf %s, %tenth : tensor<4x8xf64>
      rev.yield %t : tensor<4x8xf64>
    } : tensor<4x8xf64>, (tensor<4x8xf64>)
    UPDATE
    scf.yield %a1, %b1, %sum1 : tensor<4x8xf64>, tensor<4x8xf64>, tensor<4xf64>
  }
  return %y#0, %y#1, %y#2 : tensor<4x8xf64>, tensor<4x8xf64>, tensor<4xf64>
}
func.func @gradients(%x1: tensor<4x8xf64>, %x2: tensor<4x8xf64>, %w: tensor<8x8xf64>,
                     %l: tensor<4xf64>)
    -> (tensor<4x8xf64>, tensor<4x8xf64>, tensor<8x8xf64>, tensor<4xf64>) {
  %0:4 = rev.vjp @flow(%x1, %x2, %w, %l) cotangents(%x2, %x1, %l) policy(POLICY)
      : (tensor<4x8xf64>, tensor<4x8xf64>, tensor<8x8xf64>, tensor<4xf64>, tensor<4x8xf64>,
         tensor<4x8xf64>, tensor<4xf64>)
      -> (tensor<4x8xf64>, tensor<4x8xf64>, tensor<8x8xf64>, tensor<4xf64>)
  return %0#0, %0#1, %0#2, %0#3 : tensor<4x8xf64>, tensor<4x8xf64>, tensor<8x8xf64>, tensor<4xf64>
}
"""

UPDATES = {
    "sum": "%sum1 = arith.addf %sum, %d : tensor<4xf64>",
    "difference": "%sum1 = arith.subf %d, %sum : tensor<4xf64>",
    "mean": """%kept = arith.mulf %old, %sum : tensor<4xf64>
    %share = arith.mulf %new, %d : tensor<4xf64>
    %sum1 = arith.addf %kept, %share : tensor<4xf64>""",
}


def observed(update, blocks, policy="invert", attributes="", more=""):
    return memrev.compile(OBSERVED.replace("UPDATE", UPDATES[update])
                          .replace("BLOCKS", str(blocks))
                          .replace("ATTRIBUTES", attributes)
                          .replace("POLICY", policy) + more)


def observed_arrays():
    generator = np.random.default_rng(4)
    return [scale * generator.standard_normal(shape) for scale, shape in
            ((1, (4, 8)), (1, (4, 8)), (0.02, (8, 8)), (1, (4,)))]


@pytest.mark.parametrize("update", UPDATES)
def test_observers(update):
    programs = {(blocks, policy): observed(update, blocks, policy)
                for blocks in (6, 24) for policy in ("invert", "store")}
    bytes_ = {key: program["gradients"].workspace_bytes for key, program in programs.items()}
    assert bytes_[6, "invert"] == bytes_[24, "invert"] < bytes_[6, "store"]
    # A store of the streams at least.
    assert bytes_[24, "store"] - bytes_[6, "store"] >= 18 * 2 * 8 * 4 * 8
    arrays = observed_arrays()
    inverted, stored = (programs[24, policy]["gradients"](*arrays)
                        for policy in ("invert", "store"))
    for name, a, b in zip(("x1", "x2", "w", "l"), inverted, stored):
        assert np.abs(a - b).max() <= 1e-12 * np.abs(b).max(), name


def test_observers_between_anchors():
    """States stored to bound the drift; the loops between them leave the sum out too."""
    arrays = observed_arrays()
    inverted, anchored, stored = (
        observed("sum", 24, policy, attributes)["gradients"]
        for policy, attributes in (("invert", ""),
                                   ("invert", "rev.drift_tolerance = 1.0e-14 : f64"),
                                   ("store", "")))
    assert inverted.workspace_bytes < anchored.workspace_bytes < stored.workspace_bytes
    for a, b in zip(anchored(*arrays), stored(*arrays)):
        assert np.abs(a - b).max() <= 1e-12 * np.abs(b).max()


@pytest.mark.parametrize("update", ("sum", "difference"))
def test_inverse_gives_observers_back(update):
    stream, sums = "tensor<4x8xf64>", "tensor<4xf64>"
    program = observed(update, 6, more=f"""
func.func @round_trip(%x1: {stream}, %x2: {stream}, %w: tensor<8x8xf64>, %l: {sums})
    -> ({stream}, {stream}, {sums}) {{
  %y:3 = func.call @flow(%x1, %x2, %w, %l)
      : ({stream}, {stream}, tensor<8x8xf64>, {sums}) -> ({stream}, {stream}, {sums})
  %x:3 = rev.inverse @flow(%y#0, %y#1, %y#2, %w) wrt [0, 1, 3]
      : ({stream}, {stream}, {sums}, tensor<8x8xf64>) -> ({stream}, {stream}, {sums})
  return %x#0, %x#1, %x#2 : {stream}, {stream}, {sums}
}}""")
    x1, x2, w, l = observed_arrays()
    for value, expected in zip(program["round_trip"](x1, x2, w, l), (x1, x2, l)):
        assert np.abs(value - expected).max() <= 1e-12 * np.abs(expected).max()
