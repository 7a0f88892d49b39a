# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Layers against PyTorch in f64 and f32: results and gradients of parameters and inputs."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import memrev
from memrev import nn, tree
from torch_check import assert_close, assert_trees_close, check, random

DTYPES = pytest.mark.parametrize("dtype", [np.float64, np.float32])


def channels_first(x):
    return x.movedim(-1, 1)


def channels_last(x):
    return x.movedim(1, -1)


# ------------------------------------------------------------------------------
# Linear maps
# ------------------------------------------------------------------------------


@DTYPES
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(3, 5), (2, 3, 5)])
def test_linear(shape, bias, dtype):
    check(nn.Linear(5, 4, bias=bias),
          lambda p, x: F.linear(x, p["weight"].T, p.get("bias")), random(1, *shape), dtype=dtype)


@DTYPES
def test_embedding(dtype):
    ids = np.array([[1, 0, 5], [5, 5, 2]], np.int32)
    check(nn.Embedding(6, 4), lambda p, x: F.embedding(x, p["weight"]), ids, dtype=dtype)


def test_embedding_as_last_layer():
    class Model(nn.Module):
        def __init__(self):
            self.table = nn.Embedding(6, 4)

        def __call__(self, ids):
            return self.table.attend(self.table(ids))

    check(Model(), lambda p, x: F.embedding(x, p["table"]["weight"]) @ p["table"]["weight"].T,
          np.array([[1, 0, 5], [5, 5, 2]], np.int64))


# ------------------------------------------------------------------------------
# Convolutions and pooling
# ------------------------------------------------------------------------------

CONVOLUTIONS = [
    (nn.Conv1d, (2, 9, 4), dict(window=3)),
    (nn.Conv1d, (2, 9, 4), dict(window=2, strides=2, padding=1, dilation=2, groups=4)),
    (nn.Conv2d, (2, 7, 6, 4), dict(window=3, padding=1)),
    (nn.Conv2d, (2, 7, 6, 4), dict(window=(1, 3), strides=(2, 1), padding=(0, 2), bias=False)),
    (nn.Conv2d, (2, 7, 6, 4), dict(window=3, strides=2, dilation=2, padding=2)),
    (nn.Conv2d, (2, 7, 6, 4), dict(window=3, groups=2, padding=1)),
    (nn.Conv2d, (2, 7, 6, 4), dict(window=3, groups=4, strides=2)),
    (nn.Conv3d, (2, 5, 4, 6, 4), dict(window=(2, 3, 1), padding=(1, 0, 0), strides=(1, 1, 2))),
    (nn.Conv3d, (2, 5, 4, 6, 4), dict(window=2, groups=4, dilation=(1, 2, 1))),
]


def torch_conv(options, rank, padding=None):
    function = getattr(F, f"conv{rank}d")

    def reference(p, x):
        weight = p["weight"].permute(-1, -2, *range(rank))
        return channels_last(function(
            channels_first(x), weight, p.get("bias"), options.get("strides", 1),
            options.get("padding", 0) if padding is None else padding,
            options.get("dilation", 1), options.get("groups", 1)))

    return reference


@DTYPES
@pytest.mark.parametrize("layer, shape, options", CONVOLUTIONS)
def test_convolution(layer, shape, options, dtype):
    check(layer(4, 8, **options), torch_conv(options, len(shape) - 2), random(1, *shape),
          dtype=dtype)


@pytest.mark.parametrize("layer, shape, options", [
    (nn.ConvTranspose1d, (2, 5, 4), dict(window=4, strides=2, padding=1)),
    (nn.ConvTranspose2d, (2, 3, 4, 4), dict(window=(3, 2), strides=(2, 1), bias=False)),
    (nn.ConvTranspose2d, (2, 3, 4, 4), dict(window=3, strides=2, groups=4, output_padding=1)),
    (nn.ConvTranspose3d, (1, 2, 3, 2, 4), dict(window=2, strides=2, groups=2)),
])
def test_transposed_convolution(layer, shape, options):
    rank = len(shape) - 2
    function = getattr(F, f"conv_transpose{rank}d")

    def reference(p, x):
        return channels_last(function(
            channels_first(x), p["weight"].permute(-1, -2, *range(rank)), p.get("bias"),
            options.get("strides", 1), options.get("padding", 0),
            options.get("output_padding", 0), options.get("groups", 1)))

    module = layer(4, 8, **options)
    check(module, reference, random(1, *shape))
    # Drawn as PyTorch does, which calls the channels that come out the fan-in.
    bound = 1 / math.sqrt(math.prod(module.window) * 8 // module.groups)
    weight = module.init(0)["params"]["weight"]
    assert 0.7 * bound < np.abs(weight).max() <= bound


@pytest.mark.parametrize("options", [
    dict(window=3), dict(window=(2, 4)), dict(window=3, dilation=2), dict(window=3, groups=4)])
def test_convolution_with_padding_same(options):
    check(nn.Conv2d(4, 4, padding="same", **options), torch_conv(options, 2, "same"),
          random(1, 2, 7, 6, 4))


def test_strided_convolution_with_padding_same():
    # TensorFlow's rule: ceil(n / stride) outputs, the odd zero behind.
    def reference(p, x):
        padded = F.pad(channels_first(x), (0, 1, 1, 1))
        return channels_last(F.conv2d(padded, p["weight"].permute(3, 2, 0, 1), p["bias"], 2))

    check(nn.Conv2d(4, 4, 3, strides=2, padding="same"), reference, random(1, 2, 7, 6, 4))


@DTYPES
@pytest.mark.parametrize("layer, shape, options", [
    (nn.MaxPool, (2, 9, 3), dict(window=3)),
    (nn.MaxPool, (2, 7, 6, 3), dict(window=3, strides=2, padding=1)),
    (nn.MaxPool, (2, 7, 6, 3), dict(window=(2, 3), dilation=(2, 1), strides=1)),
    (nn.MaxPool, (2, 5, 4, 6, 3), dict(window=2)),
    (nn.AvgPool, (2, 9, 3), dict(window=2)),
    (nn.AvgPool, (2, 7, 6, 3), dict(window=3, strides=2, padding=1)),
    (nn.AvgPool, (2, 7, 6, 3), dict(window=(3, 2), strides=2, padding=1, count_padding=False)),
    (nn.AvgPool, (2, 5, 4, 6, 3), dict(window=2, strides=1)),
])
def test_pooling(layer, shape, options, dtype):
    kind = "max_pool" if layer is nn.MaxPool else "avg_pool"
    options_torch = {{"window": "kernel_size", "strides": "stride",
                      "count_padding": "count_include_pad"}.get(k, k): v
                     for k, v in options.items()}
    function = getattr(F, f"{kind}{len(shape) - 2}d")
    check(layer(**options),
          lambda p, x: channels_last(function(channels_first(x), **options_torch)),
          random(1, *shape), dtype=dtype)


def test_global_pooling():
    check(nn.GlobalAvgPool(), lambda p, x: x.mean(dim=(1, 2)), random(1, 2, 4, 5, 3))
    check(nn.GlobalMaxPool(), lambda p, x: x.amax(dim=(1, 2)), random(1, 2, 4, 5, 3))


# ------------------------------------------------------------------------------
# Normalisation
# ------------------------------------------------------------------------------


@DTYPES
@pytest.mark.parametrize("shape", [(6, 4), (3, 5, 4), (2, 3, 4, 4), (2, 2, 3, 2, 4)])
@pytest.mark.parametrize("momentum, epsilon", [(0.1, 1e-5), (0.4, 1e-3)])
def test_batch_norm(shape, momentum, epsilon, dtype):
    model = nn.BatchNorm(4, momentum=momentum, epsilon=epsilon)
    statistics = {}

    def reference(training):
        def function(p, x):
            mean, variance = (torch.tensor(variables["state"][k]) for k in ("mean", "variance"))
            y = F.batch_norm(channels_first(x), mean, variance, p["scale"], p["offset"],
                             training, momentum, epsilon)
            statistics.update(mean=mean.numpy(), variance=variance.numpy())
            return channels_last(y)

        return function

    from torch_check import TOLERANCE, perturbed
    variables = perturbed(model.init(0, dtype), 0)
    x = random(1, *shape)
    state = check(model, reference(True), x, train=True, dtype=dtype)
    assert_trees_close(state, statistics, TOLERANCE[np.dtype(dtype)], "statistics")
    state = check(model, reference(False), x, train=False, dtype=dtype)
    assert_trees_close(state, variables["state"], 0, "statistics")


def test_batch_norm_with_biased_running_variance():
    model = nn.BatchNorm(4, momentum=0.25, unbiased=False)
    variables = model.init(0, np.float64)
    x = random(1, 5, 4)
    _, state = memrev.jit(lambda p, s, x: model.apply(p, s, x, train=True))(
        variables["params"], variables["state"], x)
    assert_close(state["variance"], 0.75 + 0.25 * x.var(axis=0), 1e-14)


@DTYPES
def test_layer_norm(dtype):
    check(nn.LayerNorm(5), lambda p, x: F.layer_norm(x, (5,), p["scale"], p["offset"]),
          random(1, 2, 3, 5), dtype=dtype)
    check(nn.LayerNorm((3, 5), epsilon=1e-2),
          lambda p, x: F.layer_norm(x, (3, 5), p["scale"], p["offset"], 1e-2),
          random(1, 2, 3, 5), dtype=dtype)


@DTYPES
def test_rms_norm(dtype):
    check(nn.RMSNorm(5), lambda p, x: F.rms_norm(x, (5,), p["scale"], 1e-6), random(1, 2, 3, 5),
          dtype=dtype)


@DTYPES
@pytest.mark.parametrize("groups", [1, 2, 6])
@pytest.mark.parametrize("shape", [(3, 6), (2, 4, 3, 6)])
def test_group_norm(groups, shape, dtype):
    if groups == 6 and len(shape) == 2:
        pytest.skip("a group of one number has no derivative")
    check(nn.GroupNorm(groups, 6), lambda p, x: channels_last(
        F.group_norm(channels_first(x), groups, p["scale"], p["offset"])), random(1, *shape),
        dtype=dtype)


# ------------------------------------------------------------------------------
# Activations
# ------------------------------------------------------------------------------


@DTYPES
@pytest.mark.parametrize("layer, function", [
    (nn.ReLU(), F.relu), (nn.LeakyReLU(0.2), lambda x: F.leaky_relu(x, 0.2)),
    (nn.ELU(1.5), lambda x: F.elu(x, 1.5)), (nn.GELU(), F.gelu),
    (nn.GELU(approximate=True), lambda x: F.gelu(x, approximate="tanh")), (nn.SiLU(), F.silu),
    (nn.Sigmoid(), torch.sigmoid), (nn.Tanh(), torch.tanh), (nn.Softplus(), F.softplus),
    (nn.Softmax(), lambda x: torch.softmax(x, -1)),
    (nn.Softmax(axis=1), lambda x: torch.softmax(x, 1)),
], ids=lambda value: type(value).__name__)
def test_activation(layer, function, dtype):
    # Zeros are where derivatives of such functions are often wrong.
    x = np.concatenate([4 * random(1, 3, 5), np.zeros((1, 5)), np.full((1, 5), 30.0)])
    check(layer, lambda p, x: function(x), x, dtype=dtype)


# ------------------------------------------------------------------------------
# Attention
# ------------------------------------------------------------------------------


def torch_attention(heads, **options):
    def reference(p, x, attended=None):
        attended = x if attended is None else attended

        def project(name, y):
            y = y @ p[name]["weight"] + p[name]["bias"]
            return y.reshape(*y.shape[:2], heads, -1).transpose(1, 2)

        y = F.scaled_dot_product_attention(
            project("query", x), project("key", attended), project("value", attended), **options)
        return y.transpose(1, 2).reshape(x.shape) @ p["output"]["weight"] + p["output"]["bias"]

    return reference


@DTYPES
@pytest.mark.parametrize("causal", [False, True])
def test_attention(causal, dtype):
    check(nn.MultiHeadAttention(6, 2, causal=causal), torch_attention(2, is_causal=causal),
          random(1, 2, 5, 6), dtype=dtype)


def test_attention_to_another_sequence():
    check(nn.MultiHeadAttention(6, 3), torch_attention(3), random(1, 2, 5, 6),
          random(2, 2, 4, 6))


@pytest.mark.parametrize("causal", [False, True])
def test_attention_with_mask(causal):
    mask = np.random.default_rng(0).random((2, 1, 5, 5)) < 0.6
    mask |= np.eye(5, dtype=bool)

    class Masked(nn.Module):
        def __init__(self):
            self.inner = nn.MultiHeadAttention(6, 2, causal=causal)

        def __call__(self, x):
            return self.inner(x, mask=mask)

    allowed = np.tril(mask) if causal else mask
    reference = torch_attention(2, attn_mask=torch.tensor(allowed))
    check(Masked(), lambda p, x: reference(p["inner"], x), random(1, 2, 5, 6))


def test_causal_attention_without_enough_keys():
    x = np.ones((1, 3, 1, 2))
    with pytest.raises(ValueError, match="at least as many keys as queries if it is causal, but "
                                         "got 2 keys and 3 queries"):
        memrev.jit(lambda q, k: nn.attention(q, k, k, causal=True))(x, x[:, :2])


def test_causal_attention_of_the_last_positions():
    """Two queries at the end of five positions see four and five of them."""
    q, k, v = (random(i, 1, 5, 2, 3) for i in range(3))
    attend = memrev.jit(lambda q, k, v: nn.attention(q, k, v, causal=True))
    assert_close(attend(q[:, 3:].copy(), k, v), attend(q, k, v)[:, 3:], 1e-14)


# ------------------------------------------------------------------------------
# Dropout
# ------------------------------------------------------------------------------


def apply_dropout(model, x, train, rng):
    run = memrev.jit(lambda x, seed, step: model.apply({}, {}, x, train=train,
                                                       rng=(seed, step))[0])
    return run(x, *map(np.int64, rng))


def test_dropout():
    x = np.ones((100, 100))
    one = nn.Dropout(0.25)
    y = apply_dropout(one, x, True, (1, 2))
    assert set(np.unique(y)) == {0, 1 / 0.75}
    assert abs((y == 0).mean() - 0.25) < 0.02
    assert (y == apply_dropout(one, x, True, (1, 2))).all()
    for other in ((2, 2), (1, 3)):
        assert 0.3 < (y != apply_dropout(one, x, True, other)).mean() < 0.45
    assert (x == apply_dropout(one, x, False, (1, 2))).all()
    assert (x == apply_dropout(nn.Dropout(0), x, True, (1, 2))).all()


def test_each_dropout_drops_other_elements():
    class Two(nn.Module):
        def __init__(self):
            self.drop = nn.Dropout(0.5)
            self.other = nn.Dropout(0.5)

        def __call__(self, x):
            return self.drop(x), self.drop(x), self.other(x)

    masks = [y == 0 for y in apply_dropout(Two(), np.ones((64, 64)), True, (1, 2))]
    for i in range(3):
        assert 0.45 < (masks[i] != masks[i - 1]).mean() < 0.55


# ------------------------------------------------------------------------------
# Containers
# ------------------------------------------------------------------------------


def test_sequential_and_flatten():
    model = nn.Sequential(nn.Conv2d(3, 2, 3), np.tanh, nn.Flatten(), nn.Linear(2 * 2 * 3, 4))

    def reference(p, x):
        layers = p["layers"]
        h = torch_conv({}, 2)(layers[0], x).tanh().flatten(1)
        return h @ layers[3]["weight"] + layers[3]["bias"]

    check(model, reference, random(1, 2, 4, 5, 3))


# ------------------------------------------------------------------------------
# Errors
# ------------------------------------------------------------------------------


@pytest.mark.parametrize("make, message", [
    (lambda: nn.Conv2d(4, 8, 3, groups=3),
     "Conv2d expects a number of groups that divides 4 and 8 channels, but got 3"),
    (lambda: nn.Conv2d(4, 8, (3, 3, 3)),
     r"Conv2d expects a window of 2 positive extents, but got \[3, 3, 3\]"),
    (lambda: nn.Conv1d(4, 8, 0), r"expects a window of 1 positive extents, but got \[0\]"),
    (lambda: nn.GroupNorm(4, 6), "GroupNorm expects a multiple of 4 features, but got 6"),
    (lambda: nn.MultiHeadAttention(6, 4),
     "MultiHeadAttention expects a multiple of 4 features, but got 6"),
    (lambda: nn.Dropout(1.5), r"Dropout expects a rate in \[0, 1\], but got 1.5"),
])
def test_errors_of_construction(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("model, shape, message", [
    (nn.Linear(5, 4), (3, 4), r"Linear expects 5 features in the last dimension, but got shape "
                              r"\[3, 4\]"),
    (nn.Conv2d(3, 4, 3), (2, 5, 5, 4),
     r"Conv2d expects an array of 4 dimensions with 3 channels in the last, but got shape "
     r"\[2, 5, 5, 4\]"),
    (nn.Conv1d(3, 4, 3), (2, 5, 5, 3), "Conv1d expects an array of 3 dimensions"),
    (nn.BatchNorm(4), (2, 3), r"BatchNorm expects \[4\] as last dimensions, but got shape "
                              r"\[2, 3\]"),
    (nn.BatchNorm(3), (1, 3), "BatchNorm expects more than one value of each channel in "
                              r"training, but got shape \[1, 3\]"),
    (nn.LayerNorm((4, 3)), (4, 4, 2), r"LayerNorm expects \[4, 3\] as last dimensions"),
    (nn.RMSNorm(3), (4, 2), r"RMSNorm expects \[3\] as last dimensions"),
    (nn.Dropout(0.5), (4, 2), r"Dropout expects apply\(..., rng=\(seed, step\)\), but got no "
                              "rng"),
])
def test_errors_of_shapes(model, shape, message):
    variables = model.init(0)

    def run(x):
        return model.apply(variables["params"], variables["state"], x, train=True)[0]

    with pytest.raises(ValueError, match=message):
        memrev.jit(run)(np.zeros(shape, np.float32))


def test_default_initialisation_is_torchs():
    """Bounds of the uniform distributions, from PyTorch's own layers."""
    for ours, theirs in [(nn.Linear(50, 80), torch.nn.Linear(50, 80)),
                         (nn.Conv2d(8, 30, 3, groups=2), torch.nn.Conv2d(8, 30, 3, groups=2))]:
        params = ours.init(0)["params"]
        for name in ("weight", "bias"):
            bound = 1 / math.sqrt(math.prod(theirs.weight.shape[1:]))
            for values in (params[name], getattr(theirs, name).detach().numpy()):
                assert 0.8 * bound < np.abs(values).max() <= bound * (1 + 1e-6)
    assert tree.leaves(nn.BatchNorm(2).init(0))[0].dtype == np.float32
