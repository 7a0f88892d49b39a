# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Optimizers against torch.optim, step by step from the same gradients."""

import numpy as np
import pytest
import torch

from memrev import optim, tree

RATES = [0.1, 0.1, 0.03, 0.2, 0.2]


def trees(dtype):
    """Parameters, and gradients for each step."""
    generator = np.random.default_rng(0)

    def draw(*shape):
        return np.asarray(generator.standard_normal(shape), dtype)

    def one():
        return {"conv": {"weight": draw(3, 4), "bias": draw(4)}, "scales": [draw(5), draw()]}

    return one(), [one() for _ in RATES]


CASES = [
    (optim.SGD, torch.optim.SGD, {}),
    (optim.SGD, torch.optim.SGD, {"weight_decay": 0.1}),
    (optim.SGD, torch.optim.SGD, {"momentum": 0.9, "weight_decay": 0.1}),
    (optim.SGD, torch.optim.SGD, {"momentum": 0.9, "dampening": 0.4}),
    (optim.SGD, torch.optim.SGD, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    (optim.Adam, torch.optim.Adam, {}),
    (optim.Adam, torch.optim.Adam, {"weight_decay": 0.1, "betas": (0.8, 0.95)}),
    (optim.AdamW, torch.optim.AdamW, {}),
    (optim.AdamW, torch.optim.AdamW, {"weight_decay": 0.3, "epsilon": 1e-3}),
]


def run_torch(cls, options, params, grads, decays=lambda path: True):
    options = dict(options)
    if "epsilon" in options:
        options["eps"] = options.pop("epsilon")
    pairs, structure = tree.flatten_with_paths(params)
    tensors = [torch.tensor(value) for _, value in pairs]
    groups = [dict(params=[t], **({} if decays(path) else {"weight_decay": 0.0}))
              for t, (path, _) in zip(tensors, pairs)]
    optimizer = cls(groups, lr=RATES[0], **options)
    for rate, step in zip(RATES, grads):
        for group in optimizer.param_groups:
            group["lr"] = rate
        for tensor, grad in zip(tensors, tree.leaves(step)):
            tensor.grad = torch.tensor(grad)
        optimizer.step()
    return tree.unflatten(structure, [t.numpy() for t in tensors])


def run(optimizer, params, grads, rates=RATES):
    state = optimizer.init(params)
    before = tree.structure(state)
    for rate, step in zip(rates, grads):
        params, state = optimizer.update(step, state, params, rate=rate)
    assert tree.structure(state) == before
    return params


def assert_close(found, expected, tolerance):
    for (path, a), b in zip(tree.flatten_with_paths(found)[0], tree.leaves(expected)):
        assert a.dtype == b.dtype and a.shape == b.shape, path
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance, err_msg=str(path))


@pytest.mark.parametrize("dtype, tolerance", [(np.float64, 1e-14), (np.float32, 1e-6)])
@pytest.mark.parametrize("ours, theirs, options", CASES)
def test_equals_torch(ours, theirs, options, dtype, tolerance):
    params, grads = trees(dtype)
    assert_close(run(ours(rate=1.0, **options), params, grads),
                 run_torch(theirs, options, params, grads), tolerance)


@pytest.mark.parametrize("ours, theirs", [(optim.SGD, torch.optim.SGD),
                                          (optim.Adam, torch.optim.Adam),
                                          (optim.AdamW, torch.optim.AdamW)])
def test_mask_of_weight_decay(ours, theirs):
    params, grads = trees(np.float64)
    found = run(ours(rate=1.0, weight_decay=0.2, mask=optim.weights_only), params, grads)
    expected = run_torch(theirs, {"weight_decay": 0.2}, params, grads,
                         lambda path: path == ("conv", "weight"))
    assert_close(found, expected, 1e-14)


@pytest.mark.parametrize("rate_type", [np.float64, np.float32, np.asarray])
def test_rate_does_not_promote(rate_type):
    params, grads = trees(np.float32)
    for optimizer in (optim.SGD(0.1, momentum=0.9, dampening=0.1), optim.Adam(), optim.AdamW()):
        new, state = optimizer.update(grads[0], optimizer.init(params), params,
                                      rate=rate_type(0.1))
        for found, old in zip(tree.leaves(new), tree.leaves(params)):
            assert found.dtype == old.dtype
        for found, old in zip(tree.leaves(state), tree.leaves(optimizer.init(params))):
            assert found.dtype == old.dtype and found.shape == old.shape


def test_rate_of_the_optimizer():
    params, grads = trees(np.float64)
    for optimizer in (optim.SGD(0.3), optim.Adam(0.3)):
        state = optimizer.init(params)
        assert_close(optimizer.update(grads[0], state, params)[0],
                     optimizer.update(grads[0], state, params, rate=0.3)[0], 0)


@pytest.mark.parametrize("largest", [0.5, 100.0])
def test_clipping(largest):
    _, grads = trees(np.float64)
    tensors = [torch.zeros(g.shape, dtype=torch.float64) for g in tree.leaves(grads[0])]
    for tensor, grad in zip(tensors, tree.leaves(grads[0])):
        tensor.grad = torch.tensor(grad)
    expected = torch.nn.utils.clip_grad_norm_(tensors, largest)
    found, norm = optim.clip_by_global_norm(grads[0], largest)
    np.testing.assert_allclose(norm, expected.numpy(), rtol=1e-14)
    for a, b in zip(tree.leaves(found), tensors):
        np.testing.assert_allclose(a, b.grad.numpy(), rtol=1e-13)


def test_schedules():
    assert optim.constant(0.1)(7) == 0.1
    drop = optim.steps(0.1, [40_000, 60_000])
    np.testing.assert_allclose([drop(i) for i in (0, 39_999, 40_000, 59_999, 60_000)],
                               [0.1, 0.1, 0.01, 0.01, 0.001])
    wave = optim.cosine(1.0, 110, warmup=10, final=0.2)
    np.testing.assert_allclose([wave(i) for i in (0, 9, 10, 60, 110, 200)],
                               [0.1, 1.0, 1.0, 0.6, 0.2, 0.2])


@pytest.mark.parametrize("make, message", [
    (lambda: optim.SGD(-1), "rate expects a number of at least 0, but got -1"),
    (lambda: optim.SGD(1, momentum=-1), "momentum expects a number of at least 0, but got -1"),
    (lambda: optim.SGD(1, nesterov=True), "nesterov expects momentum and no dampening"),
    (lambda: optim.SGD(1, 0.9, 0.1, True), "nesterov expects momentum and no dampening"),
    (lambda: optim.Adam(betas=(0.9, 1.0)), r"betas expects a number in \[0, 1\), but got 1.0"),
    (lambda: optim.AdamW(weight_decay=-1), "weight_decay expects a number of at least 0"),
    (lambda: optim.cosine(1, 10, 10), "warmup expects less than 10 steps, but got 10"),
])
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_gradients_of_another_structure():
    params, grads = trees(np.float64)
    del grads[0]["conv"]["bias"]
    for optimizer in (optim.SGD(0.1), optim.SGD(0.1, momentum=0.9), optim.Adam()):
        with pytest.raises(ValueError, match="at 'conv', but got a dict of .weight."):
            optimizer.update(grads[0], optimizer.init(params), params)
