# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Residual flows: fixed points, their derivatives, log-determinants that train."""

import numpy as np
import pytest

import memrev
import slow
from flows_check import check, difference, largest
from memrev import flows, tree


def random(seed, *shape):
    return np.random.default_rng(seed).standard_normal((int(np.prod(shape)), *shape))


NETS = {
    "dense": (lambda: flows.LipschitzNet(3, (4,), activation=np.tanh), (3,)),
    "convolution": (lambda: flows.LipschitzNet(1, (), rank=2, activation=np.tanh), (2, 2, 1)),
}


def variables_of(model, seed=0):
    variables = model.init(seed, np.float64)
    generator = np.random.default_rng(seed)
    params = tree.map(lambda a: a + 0.3 * generator.standard_normal(a.shape),
                      variables["params"])
    return params, variables["state"]


@pytest.mark.parametrize("name", slow.but(("dense",), NETS))
def test_dense(name):
    make, shape = NETS[name]
    check(flows.IResNet(make(), "dense"), random(1, *shape))


@pytest.mark.parametrize("terms", slow.but([1], [1, 11]))
def test_series(terms):
    """Of few terms, and of more than the gradient keeps."""
    make, shape = NETS["dense"]
    check(flows.IResNet(make(), "series", terms=terms, probes=2), random(1, *shape),
          rng=(0, 0), dense_log_det=False, round_trip=False)


def test_a_series_trains_as_the_determinant_does():
    """FrEIA's log-determinant does not train the network. The estimate and its gradient, of many
    probes and terms, are those of the matrix within the error of the mean."""
    net = flows.LipschitzNet(2, (8,), activation=np.tanh, bound=0.7)
    x = np.random.default_rng(0).standard_normal((4, 2))
    params, _ = variables_of(flows.IResNet(net))
    found = []
    for options in (dict(log_det="dense"), dict(log_det="series", terms=25, probes=4000)):
        model = flows.IResNet(net, **options)
        value, gradient = memrev.jit(memrev.value_and_grad(
            lambda p: model.apply(p, {}, x, rng=(3, 1))[0][1].sum()))(params)
        found.append((value, gradient))
    (exact, exact_gradient), (value, gradient) = found
    assert largest(exact_gradient) > 0.1
    assert abs(value - exact) < 0.05 * abs(exact)
    assert difference(gradient, exact_gradient) < 0.1 * largest(exact_gradient)


@pytest.mark.parametrize("count, method", slow.but(
    [(1, "inverse")], [(1, None), (1, "inverse"), (3, None), (3, "inverse")]))
def test_the_memory_of_a_series_does_not_depend_on_its_terms(count, method):
    """That of the gradient, in bytes, of one block and of a loop of blocks."""
    x = np.ones((64, 4), np.float32)

    def workspace(terms):
        model = flows.Repeat(flows.IResNet(flows.LipschitzNet(4, (8,)), terms=terms), count)
        params = model.init(0)["params"]

        def loss(params):
            y, log_det = model.apply(params, {}, x, rng=(0, 0), method=method)[0]
            return (y * y).sum() - log_det.sum()

        return memrev.jit(memrev.grad(loss)).memory_report(params)["workspace_bytes"]

    assert workspace(40) == workspace(4)


def test_the_inverse_is_as_exact_as_asked_for():
    model = flows.IResNet(flows.LipschitzNet(6, (16,), bound=0.9), "series")
    params, state = variables_of(model)
    x = np.random.default_rng(0).standard_normal((5, 6))
    errors = []
    for tolerance in (1e-3, 1e-9):
        model = flows.IResNet(model.net, tolerance=tolerance)

        def round_trip(params, x):
            y, _ = model.apply(params, state, x, rng=(0, 0))[0]
            return model.apply(params, state, y, rng=(0, 0), method="inverse")[0][0]

        errors.append(difference(memrev.jit(round_trip)(params, x), x))
    assert errors[1] < 1e-7 < errors[0] < 1e-1


@pytest.mark.parametrize("rank", [0, 1, 2])
def test_spectral_norms(rank):
    """Within 5 percent of the bound, for weights that are larger."""
    net = flows.LipschitzNet(3, (), rank=rank, bound=0.8, iterations=20)
    params = tree.map(lambda a: 5 * a, net.init(0, np.float64)["params"])
    shape = (4,) * rank + (3,)
    count = int(np.prod(shape))
    matrix = memrev.jit(lambda p, x: net.apply(p, {}, x)[0])(
        params, np.eye(count).reshape(count, *shape)).reshape(count, count)
    assert 0.8 * (1 - 1e-9) <= np.linalg.norm(matrix, 2) < 0.84
    # Smaller weights stay what they are.
    params = tree.map(lambda a: 1e-3 * a, params)
    matrix = memrev.jit(lambda p, x: net.apply(p, {}, x)[0])(
        params, np.eye(count).reshape(count, *shape)).reshape(count, count)
    assert np.linalg.norm(matrix, 2) < 0.1


def test_errors():
    net = flows.LipschitzNet(3)
    with pytest.raises(ValueError, match=r"LipschitzNet expects a bound in \(0, 1\), but got 1"):
        flows.LipschitzNet(3, bound=1)
    with pytest.raises(ValueError, match="LipschitzNet expects 0 to 3 dimensions of space and an "
                                         "odd window, but got 2 and 4"):
        flows.LipschitzNet(3, rank=2, window=4)
    with pytest.raises(ValueError, match="IResNet expects a log_det out of dense, series"):
        flows.IResNet(net, "exact")
    with pytest.raises(ValueError, match="IResNet expects at least 1 of terms and probes"):
        flows.IResNet(net, terms=0)
    x, params = np.ones((2, 3)), flows.IResNet(net).init(0, np.float64)["params"]
    with pytest.raises(ValueError, match=r"IResNet expects apply\(..., rng="):
        memrev.jit(lambda p: flows.IResNet(net).apply(p, {}, x)[0])(params)
    with pytest.raises(ValueError, match="LipschitzNet expects an array of 2 dimensions"):
        memrev.jit(lambda p: flows.IResNet(net).apply(p, {}, x[None], rng=(0, 0))[0])(params)
