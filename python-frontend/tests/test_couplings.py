# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Gradients of chains of couplings: perceptrons with affine couplings, and a loop
of 64 additive blocks."""

import numpy as np
import pytest

import chain as chains
import memrev
import numeric
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


@pytest.mark.parametrize("log_det", [False, True])
@pytest.mark.parametrize("unrolled", [False, True])
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
