# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Networks beside functions of PyTorch: results, states and gradients."""

import numpy as np
import torch

import memrev
from memrev import tree

#: Largest difference, as a part of the largest number, by element type. Sums of some
#: hundred products of random numbers have a relative error of about a hundred units.
TOLERANCE = {np.dtype(np.float64): 1e-12, np.dtype(np.float32): 1e-5}


def assert_close(found, expected, tolerance, what="", least=1e-300):
    """The largest difference is within `tolerance` of the largest number, or of `least`."""
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.shape == expected.shape, (what, found.shape, expected.shape)
    assert found.dtype == expected.dtype, (what, found.dtype, expected.dtype)
    assert np.isfinite(found).all(), what
    largest = max(float(np.abs(expected).max(initial=0)), least)
    error = float(np.abs(found - expected).max(initial=0)) / largest
    assert error <= tolerance, f"{what}: error {error:.2e} of {largest:.2e}"


def assert_trees_close(found, expected, tolerance, what=""):
    text = tree.difference(tree.structure(expected), tree.structure(found))
    assert not text, f"{what}: {text}"
    # Some gradients are zero but for rounding, such as that of a bias before a softmax.
    least = 0.1 * max((float(np.abs(b).max(initial=0)) for b in tree.leaves(expected)),
                       default=0)
    for (path, a), b in zip(tree.flatten_with_paths(found)[0], tree.leaves(expected)):
        assert_close(a, b, tolerance, f"{what} {tree.path_name(path)}", max(least, 1e-300))


def random(seed, *shape, dtype=np.float64):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def perturbed(variables, seed=0):
    """The arrays of `init` with noise on them, so that no scale is 1 and no offset 0."""
    generator = np.random.default_rng(seed)

    def perturb(array):
        noise = generator.uniform(0.1, 0.4, array.shape).astype(array.dtype)
        return np.asarray(array + noise, array.dtype)

    return tree.map(perturb, variables)


def _loss(y, cotangents):
    """The sum of the products of results and cotangents, from which gradients start."""
    return sum((a * b).sum() for a, b in zip(tree.leaves(y), tree.leaves(cotangents)))


def evaluate(function, params, inputs, cotangents, policy="invert", threads=1):
    """(results, gradients of params, gradients of float inputs, aux) of
    `function(params, *inputs) -> (results, aux)`, compiled."""
    wrt = tuple(i for i, x in enumerate(inputs) if x.dtype.kind == "f")

    def loss(params, *inputs):
        y, aux = function(params, *inputs)
        return _loss(y, cotangents), (y, aux)

    compiled = memrev.jit(
        memrev.value_and_grad(loss, argnums=(0, *(i + 1 for i in wrt)), has_aux=True,
                              policy=policy), threads=threads)
    (_, (y, aux)), (by_params, *by_inputs) = compiled(params, *inputs)
    return y, by_params, by_inputs, aux


def evaluate_torch(function, params, inputs, cotangents):
    """The same of `function(params, *inputs) -> results` on tensors."""
    def tensor(array):
        made = torch.tensor(np.asarray(array))
        return made.requires_grad_() if made.is_floating_point() else made

    params, inputs = tree.map(tensor, params), [tensor(x) for x in inputs]
    y = function(params, *inputs)
    _loss(y, tree.map(torch.tensor, cotangents)).backward()

    def gradient(leaf):
        return np.zeros(leaf.shape, leaf.detach().numpy().dtype) if leaf.grad is None else (
            leaf.grad.numpy())

    return (tree.map(lambda t: t.detach().numpy(), y), tree.map(gradient, params),
            [gradient(x) for x in inputs if x.requires_grad])


def check(model, reference, *inputs, train=False, rng=None, dtype=np.float64, seed=0,
          tolerance=None, policy="invert"):
    """Compares a module with `reference(params, *inputs)`, results and all gradients.

    Inputs are float64 or integers; floats are rounded to `dtype`. Returns the new state.
    """
    tolerance = TOLERANCE[np.dtype(dtype)] if tolerance is None else tolerance
    variables = perturbed(model.init(seed, dtype), seed)
    inputs = [x.astype(dtype) if x.dtype.kind == "f" else x for x in inputs]
    with torch.no_grad():
        like = reference(tree.map(torch.tensor, variables["params"]),
                         *map(torch.tensor, inputs))
    generator = np.random.default_rng(seed + 1000)
    cotangents = tree.map(lambda y: generator.standard_normal(y.shape).astype(dtype), like)
    y, by_params, by_inputs, state = evaluate(
        lambda params, *xs: model.apply(params, variables["state"], *xs, train=train, rng=rng),
        variables["params"], inputs, cotangents, policy)
    expected = evaluate_torch(reference, variables["params"], inputs, cotangents)
    for what, a, b in zip(("results", "parameters", "inputs"), (y, by_params, by_inputs),
                          expected):
        assert_trees_close(a, b, tolerance, what)
    return state
