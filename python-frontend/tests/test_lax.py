# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""memrev.lax beside PyTorch: windows, layers, control flow, random numbers."""

import numpy as np
import pytest
import torch
from torch.nn import functional

import memrev
import memrev.numpy as mnp
from memrev import lax

RNG = np.random.default_rng(1)


def array(*shape):
    return RNG.standard_normal(shape)


def compare(ours, theirs, *arrays, rtol=1e-11):
    """Values and gradients of a function of (arrays) and of its form in PyTorch."""
    tensors = [torch.tensor(a, requires_grad=True) for a in arrays]
    expected = theirs(*tensors)
    weights = RNG.uniform(0.5, 1.5, tuple(expected.shape))
    (expected * torch.tensor(weights)).sum().backward()

    def loss(arrays):
        result = ours(*arrays)
        return mnp.sum(result * weights), result

    (_, found), gradients = memrev.value_and_grad(loss, has_aux=True)(list(arrays))
    np.testing.assert_allclose(found, expected.detach().numpy(), rtol=rtol, atol=1e-12)
    for gradient, tensor in zip(gradients, tensors):
        np.testing.assert_allclose(gradient, tensor.grad.numpy(), rtol=rtol, atol=1e-11)


def channels_first(x):
    return x.movedim(-1, 1)


def channels_last(x):
    return x.movedim(1, -1)


def filters(w):
    """(*window, C, F) as PyTorch's (F, C, *window)."""
    return w.movedim((-1, -2), (0, 1))


@pytest.mark.parametrize("space, window, channels, count, options", [
    ((7,), (3,), 2, 3, dict(strides=2, padding=1)),
    ((6,), (3,), 4, 4, dict(groups=2)),
    ((6,), (2,), 3, 6, dict(groups=3, dilation=2)),
    ((5, 6), (3, 3), 2, 4, dict(padding=1)),
    ((7, 6), (3, 2), 2, 3, dict(strides=(2, 1), padding=(1, 0), dilation=(1, 2))),
    ((4, 4), (1, 1), 3, 5, dict(strides=2)),
    ((5, 5), (3, 3), 4, 6, dict(groups=2, padding=1, strides=2)),
    ((5, 5), (3, 3), 3, 3, dict(groups=3, padding=1)),
    ((3, 4, 5), (2, 3, 2), 2, 3, dict(strides=(1, 2, 1), padding=1)),
    ((3, 4, 4), (2, 2, 2), 4, 4, dict(groups=2)),
    ((5, 4, 6), (3, 2, 3), 4, 6, dict(groups=2, padding=1, strides=2)),
    ((40,), (5,), 9, 9, dict(groups=9, padding=2, strides=2)),
    ((9, 20), (3, 3), 10, 10, dict(groups=10, padding=1)),
    ((9, 13), (5, 7), 17, 17, dict(groups=17, padding=(4, 6), dilation=2)),
    ((5, 6, 7), (3, 3, 3), 9, 9, dict(groups=9, padding=1)),
    ((5, 6, 7), (3, 2, 3), 8, 8, dict(groups=8, padding=1, strides=(2, 1, 2))),
    # Sums over the image that are cut into blocks and chunks.
    ((3, 700), (3, 3), 4, 4, dict(groups=4, padding=1)),
    ((5000,), (3,), 8, 8, dict(groups=8, padding=1)),
])
def test_conv(space, window, channels, count, options):
    torch_conv = [functional.conv1d, functional.conv2d, functional.conv3d][len(space) - 1]
    names = dict(strides="stride", padding="padding", dilation="dilation", groups="groups")
    torch_options = {names[k]: v for k, v in options.items()}
    groups = options.get("groups", 1)
    compare(lambda x, w: lax.conv(x, w, **options),
            lambda x, w: channels_last(torch_conv(channels_first(x), filters(w),
                                                  **torch_options)),
            array(2, *space, channels), array(*window, channels // groups, count))


def test_conv_same_padding():
    compare(lambda x, w: lax.conv(x, w, padding="same"),
            lambda x, w: channels_last(functional.conv2d(channels_first(x), filters(w),
                                                         padding="same")),
            array(2, 5, 6, 2), array(3, 4, 2, 3))
    found = memrev.jit(lambda x, w: lax.conv(x, w, strides=2, padding="same"))(
        array(1, 5, 6, 1), array(3, 3, 1, 1))
    assert found.shape == (1, 3, 3, 1)


def test_conv_asymmetric_padding():
    compare(lambda x, w: lax.conv(x, w, padding=[(0, 2), (1, 0)]),
            lambda x, w: channels_last(functional.conv2d(
                functional.pad(channels_first(x), (1, 0, 0, 2)), filters(w))),
            array(1, 4, 4, 2), array(3, 2, 2, 2))


@pytest.mark.parametrize("space, window, filters_in, channels, options", [
    ((4, 3), (3, 3), 3, 2, {}),
    ((4, 3), (3, 3), 3, 2, dict(strides=2, padding=1)),
    ((4, 3), (3, 3), 3, 2, dict(strides=3, dilation=2)),
    ((5,), (4,), 4, 6, dict(strides=2, padding=1, groups=2)),
    ((4, 3), (3, 3), 4, 4, dict(strides=2, padding=1, groups=4, output_padding=1)),
    ((4, 3), (2, 1), 2, 2, dict(strides=3, output_padding=(2, 0))),
    ((4, 3), (1, 2), 2, 3, dict(padding=(1, 0))),
    ((2, 3, 4), (2, 3, 4), 4, 2, dict(strides=2, padding=(0, 1, 2), groups=2)),
])
def test_conv_transpose(space, window, filters_in, channels, options):
    function = [functional.conv_transpose1d, functional.conv_transpose2d,
                functional.conv_transpose3d][len(space) - 1]
    names = dict(strides="stride")
    compare(lambda x, w: lax.conv_transpose(x, w, **options),
            lambda x, w: channels_last(function(
                channels_first(x), filters(w),
                **{names.get(k, k): v for k, v in options.items()})),
            array(2, *space, filters_in),
            array(*window, channels // options.get("groups", 1), filters_in))


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_pooling(rank):
    x = array(2, *(6, 5, 4)[:rank], 3)
    largest = [functional.max_pool1d, functional.max_pool2d, functional.max_pool3d][rank - 1]
    average = [functional.avg_pool1d, functional.avg_pool2d, functional.avg_pool3d][rank - 1]
    compare(lambda x: lax.max_pool(x, 3, 2, padding=1),
            lambda x: channels_last(largest(channels_first(x), 3, 2, 1)), x)
    compare(lambda x: lax.max_pool(x, 2),
            lambda x: channels_last(largest(channels_first(x), 2)), x)
    compare(lambda x: lax.min_pool(x, 2),
            lambda x: -channels_last(largest(-channels_first(x), 2)), x)
    compare(lambda x: lax.avg_pool(x, 3, 2, padding=1),
            lambda x: channels_last(average(channels_first(x), 3, 2, 1)), x)
    compare(lambda x: lax.avg_pool(x, 3, 2, padding=1, count_padding=False),
            lambda x: channels_last(average(channels_first(x), 3, 2, 1,
                                            count_include_pad=False)), x)
    compare(lambda x: lax.sum_pool(x, 2), lambda x: channels_last(
        average(channels_first(x), 2)) * 2 ** rank, x)


@pytest.mark.parametrize("ours, theirs", [
    (lax.relu, functional.relu), (lax.erf, torch.erf), (lax.sigmoid, torch.sigmoid),
    (lax.softplus, functional.softplus), (lax.gelu, functional.gelu),
    (lambda x: lax.gelu(x, True), lambda x: functional.gelu(x, approximate="tanh")),
    (lax.silu, functional.silu), (lax.leaky_relu, functional.leaky_relu),
    (lax.elu, functional.elu), (lax.softmax, lambda x: functional.softmax(x, -1)),
    (lambda x: lax.softmax(x, 0), lambda x: functional.softmax(x, 0)),
    (lax.log_softmax, lambda x: functional.log_softmax(x, -1)),
    (lax.logsumexp, lambda x: torch.logsumexp(x, -1)),
])
def test_activation(ours, theirs):
    x = array(3, 5)
    x[1, 1:3] = 0, -0.0
    compare(ours, theirs, x)


def test_activations_do_not_overflow():
    x = np.array([[-1e4, 0, 1e4]], np.float32)
    for f in (lax.sigmoid, lax.softplus, lax.gelu, lax.silu, lax.softmax, lax.log_softmax,
              lax.elu):
        value, gradient = memrev.value_and_grad(lambda x: mnp.sum(f(x)))(x)
        assert np.isfinite(value) and np.isfinite(gradient).all(), f.__name__


def test_softmax_cross_entropy():
    labels = np.array([2, 0, 1], np.int32)
    compare(lambda x: lax.softmax_cross_entropy(x, labels),
            lambda x: functional.cross_entropy(x, torch.tensor(labels).long(),
                                               reduction="none"), array(3, 4))


@pytest.mark.parametrize("axis", [-1, 1])
def test_batch_norm(axis):
    def theirs(x, scale, offset):
        x = channels_first(x) if axis == -1 else x
        y = functional.batch_norm(x, None, None, scale, offset, True, 0, 1e-3)
        return channels_last(y) if axis == -1 else y

    compare(lambda *a: lax.batch_norm(*a, epsilon=1e-3, channel_axis=axis)[0], theirs,
            array(4, 3, 3) if axis == 1 else array(4, 5, 3), array(3), array(3))
    x = array(4, 5, 3)
    _, mean, variance = memrev.jit(lambda x: lax.batch_norm(x, np.ones(3), np.zeros(3)))(x)
    np.testing.assert_allclose(mean, x.mean((0, 1)))
    np.testing.assert_allclose(variance, x.var((0, 1)))


def test_batch_norm_inference():
    compare(lambda *a: lax.batch_norm_inference(*a),
            lambda x, scale, offset, mean, variance: (
                scale * (x - mean) / torch.sqrt(variance + 1e-5) + offset),
            array(2, 4, 3), array(3), array(3), array(3), RNG.uniform(0.5, 2, 3))


def test_running_average_has_no_derivative():
    value, gradient = memrev.value_and_grad(lambda r, s: mnp.sum(
        lax.running_average(r, s, 0.1)), argnums=(0, 1))(np.ones(2), 3 * np.ones(2))
    np.testing.assert_allclose(value, 2.4)
    assert not np.any(gradient)


# ------------------------------------------------------------------------------
# Control flow
# ------------------------------------------------------------------------------


def test_for_loop():
    w = array(4, 3, 3) / 2
    compare(lambda x, w: lax.for_loop(4, lambda i, x: mnp.tanh(x @ w[i]) * (i + 1.0), x),
            lambda x, w: torch.stack([x := torch.tanh(x @ w[i]) * (i + 1) for i in range(4)])[-1],
            array(2, 3), w)


def test_for_loop_in_reverse():
    w, x = np.random.default_rng(0).standard_normal((5, 3, 3)), np.ones((2, 3))
    found = memrev.jit(lambda x, w: lax.for_loop(
        5, lambda i, x: mnp.tanh(x @ w[i]) * (i + 1.0), x, start=2, reverse=True))(x, w)
    for i in (4, 3, 2):
        x = np.tanh(x @ w[i]) * (i + 1.0)
    assert np.abs(found - x).max() < 1e-13
    f = memrev.jit(lambda n, x: lax.for_loop(n, lambda i, x: 2 * x + i, x, start=1, reverse=True))
    assert f(np.int32(4), np.int32(0)) == 17 and f(np.int32(1), np.int32(5)) == 5


def test_for_loop_of_a_traced_length():
    f = memrev.jit(lambda n, x: lax.for_loop(n, lambda i, x: x + i * n, x, start=1))
    for n in (0, 1, 5):
        assert f(n, np.int32(3)) == 3 + n * sum(range(1, n))


@pytest.mark.parametrize("checkpoint", ["periodic<3>", "binomial<2>"])
def test_checkpoints(checkpoint):
    compare(lambda x: lax.for_loop(7, lambda i, x: mnp.sin(x) * 1.5, x, checkpoint=checkpoint),
            lambda x: [x := torch.sin(x) * 1.5 for _ in range(7)][-1], array(3))


def test_scan():
    def ours(x, steps):
        def body(state, step):
            state = mnp.tanh(state + step)
            return state, {"square": state * state, "number": step.sum()}

        last, ys = lax.scan(body, x, steps)
        return mnp.concatenate([last, mnp.ravel(ys["square"]), ys["number"]])

    def theirs(x, steps):
        states = [x := torch.tanh(x + s) for s in steps]
        return torch.cat([states[-1], *(s * s for s in states), steps.sum(1)])

    compare(ours, theirs, array(3), array(4, 3))


def test_cond():
    f = memrev.value_and_grad(lambda x, flag: lax.cond(
        flag, lambda x: mnp.sum(x * x), lambda x: mnp.sum(3 * x), x))
    for flag, value, slope in ((True, 5.0, [2, 4]), (False, 9.0, [3, 3])):
        found = f(np.array([1.0, 2.0]), flag)
        assert found[0] == value
        np.testing.assert_array_equal(found[1], slope)


def test_while_loop():
    f = memrev.jit(lambda x: lax.while_loop(
        lambda c: c[1] < 100, lambda c: (c[0] + 1, c[1] * 2), (0, x)))
    count, value = f(3.0)
    assert (count, value) == (6, 192.0)


@pytest.mark.parametrize("kind, forward", [
    ("additive", lambda x, a, t: x + t),
    ("affine<exp>", lambda x, a, t: x * torch.exp(a) + t),
    ("affine<sigmoid>", lambda x, a, t: x * torch.sigmoid(a + 2) + t),
    ("affine<identity>", lambda x, a, t: x * a + t),
    ("affine<soft_tanh, alpha = 1.5>",
     lambda x, a, t: x * torch.exp(1.5 * torch.tanh(a / 1.5)) + t),
    ("affine<soft_atan, alpha = 1.5>",
     lambda x, a, t: x * torch.exp(0.636 * 1.5 * torch.atan(a)) + t),
])
def test_coupling(kind, forward):
    def ours(x, c, w):
        def parameters(c):
            t = mnp.tanh(c @ w)
            return t if kind == "additive" else (1.2 + mnp.sin(c), t)

        return lax.coupling(kind, x, [c], parameters)

    compare(ours, lambda x, c, w: forward(x, 1.2 + torch.sin(c), torch.tanh(c @ w)),
            array(2, 3), array(2, 3), array(3, 3))


LOG_SCALES = {
    "additive": lambda a: 0 * a,
    "affine<exp>": lambda a: a,
    "affine<sigmoid>": lambda a: torch.nn.functional.logsigmoid(a + 2),
    "affine<identity>": lambda a: torch.log(torch.abs(a)),
    "affine<soft_tanh, alpha = 1.5>": lambda a: 1.5 * torch.tanh(a / 1.5),
}


@pytest.mark.parametrize("axis", (0, 1, -1))
@pytest.mark.parametrize("kind", LOG_SCALES)
def test_log_determinant_of_a_coupling(kind, axis):
    def ours(x, c, w):
        def parameters(c):
            t = mnp.tanh(c @ w)
            return (t if kind == "additive" else (1.2 + mnp.sin(c), t)), {"mean": mnp.mean(t)}

        y, log_det, aux = lax.coupling(kind, x, [c], parameters, has_aux=True, log_det=True,
                                       batch_axis=axis)
        return log_det * mnp.exp(log_det / 9) + mnp.sum(y * y) + aux["mean"]

    def theirs(x, c, w):
        t, a = torch.tanh(c @ w), 1.2 + torch.sin(c)
        log_scale = LOG_SCALES[kind](a)
        log_det = log_scale.sum([i for i in range(3) if i != axis % 3])
        scale = torch.sign(a) if kind == "affine<identity>" else 1
        y = x * scale * torch.exp(log_scale) + t
        return log_det * torch.exp(log_det / 9) + (y * y).sum() + t.mean()

    compare(ours, theirs, array(2, 4, 3), array(2, 4, 3), array(3, 3))


def test_log_determinant_of_a_loop_is_the_dense_one():
    """A flow of affine couplings as one loop, in constant memory."""
    def flow(a, b, weights):
        def block(i, carry):
            a, b, total = carry
            a, first = lax.coupling("affine<exp>", a, [b], lambda c: (
                mnp.sin(c @ weights[i]) / 5, mnp.tanh(c @ weights[i])), log_det=True)
            b, second = lax.coupling("affine<sigmoid>", b, [a], lambda c: (
                mnp.tanh(c @ weights[i]), mnp.sin(c) / 2), log_det=True)
            return a, b, total + first + second
        return lax.for_loop(weights.shape[0], block, (a, b, mnp.zeros(a.shape[0], a.dtype)))

    def density(a, b, weights):
        a, b, total = flow(a, b, weights)
        return mnp.mean(total - (mnp.sum(a * a, axis=1) + mnp.sum(b * b, axis=1)) / 2)

    a, b = array(2, 3), array(2, 3)
    bytes_of, rng = [], np.random.default_rng(0)
    for depth in (4, 16):
        weights = rng.standard_normal((depth, 3, 3)) / 3
        inverted = memrev.jit(memrev.value_and_grad(density, argnums=(0, 1, 2)))
        stored = memrev.jit(memrev.value_and_grad(density, argnums=(0, 1, 2), policy="store"))
        got, expected = inverted(a, b, weights), stored(a, b, weights)
        for x, y in zip((got[0], *got[1]), (expected[0], *expected[1])):
            assert np.abs(x - y).max() <= 1e-12 * np.abs(y).max()
        bytes_of.append(memrev.compile(inverted.mlir(a, b, weights), until="bufferize")
                        .memory_report()[0]["workspace_bytes"])
    assert bytes_of[0] == bytes_of[1]

    total = np.asarray(memrev.jit(flow)(a, b, weights)[2])

    def alone(x, weights):
        y = flow(x[None, :3], x[None, 3:], weights)
        return mnp.concatenate((y[0][0], y[1][0]))

    @memrev.jit
    def column(x, weights, direction):
        return memrev.jvp(lambda x: alone(x, weights), (x,), (direction,))[1]

    for sample in range(2):
        x = np.concatenate((a[sample], b[sample]))
        given = x.copy()
        columns = [column(x, weights, direction) for direction in np.eye(6)]
        # The states of the loop start in it, and are the loop's to overwrite.
        np.testing.assert_array_equal(x, given)
        sign, expected = np.linalg.slogdet(np.stack(columns, axis=1))
        assert sign > 0 and abs(total[sample] - expected) <= 1e-10


# ------------------------------------------------------------------------------
# Random numbers
# ------------------------------------------------------------------------------


def test_random_numbers_follow_from_their_key():
    f = memrev.jit(lambda seed, layer, step: (
        lax.random_uniform((4, 5), seed, layer, step), lax.random_normal((1000,), seed, layer),
        lax.random_bits((3,), seed, step=step)))
    first, again, other = f(1, 2, 3), f(1, 2, 3), f(1, 2, 4)
    for a, b in zip(first, again):
        np.testing.assert_array_equal(a, b)
    assert (first[0] != other[0]).any() and (first[2] != other[2]).any()
    np.testing.assert_array_equal(first[1], other[1])
    assert ((0 <= first[0]) & (first[0] < 1)).all()
    assert abs(first[1].mean()) < 0.1 and abs(first[1].std() - 1) < 0.1


def test_dropout_and_its_gradient_drop_the_same():
    x = np.ones((100, 10), np.float32)
    f = memrev.jit(lambda x, step: memrev.value_and_grad(lambda x: (
        mnp.sum(y := lax.dropout(x, 0.25, 7, 0, step)), y), has_aux=True)(x))
    (_, y), gradient = f(x, 1)
    np.testing.assert_array_equal(y, gradient)
    assert set(np.unique(y)) == {0, np.float32(1 / 0.75)} and 0.2 < (y == 0).mean() < 0.3
    assert (f(x, 2)[0][1] != y).any()


def test_each_iteration_drops_others():
    def f(x):
        return lax.scan(lambda c, i: (c, lax.dropout(x, 0.5, 1, i, 0)), 0,
                        np.arange(3, dtype=np.int32))[1]

    y = memrev.jit(f)(np.ones((50,)))
    assert (y[0] != y[1]).any() and (y[1] != y[2]).any()


ERRORS = [
    (lambda x: lax.conv(x, np.ones((3, 3, 2, 4))), ValueError, "conv expects filters for 3"),
    (lambda x: lax.conv(x, np.ones((9, 3, 3, 4))), ValueError, "of at least 9 where the window"),
    (lambda x: lax.conv(x, np.ones((3, 3, 4))), ValueError, "conv expects arrays"),
    (lambda x: lax.conv(x, np.ones((3, 3, 3, 4)), strides=0), ValueError, "strides of at least 1"),
    (lambda x: lax.conv(x, np.ones((3, 3, 3, 4)), padding="full"), ValueError, "but got 'full'"),
    (lambda x: lax.conv(x, np.ones((3, 3, 3, 4)), padding=-1), ValueError, "of at least 0"),
    (lambda x: lax.conv(x, np.ones((3, 3, 3, 4)), groups=2), ValueError, "number of groups"),
    (lambda x: lax.conv_transpose(x, np.ones((3, 3, 2, 4))), ValueError, "conv_transpose expects"),
    (lambda x: lax.conv_transpose(x, np.ones((3, 3, 2, 3)), groups=2), ValueError, "that divides"),
    (lambda x: lax.conv_transpose(x, np.ones((3, 3, 2, 3)), 2, output_padding=2), ValueError,
     "output padding of at least 0 and less"),
    (lambda x: lax.conv_transpose(x, np.ones((3, 3, 2, 3)), padding=9), ValueError,
     "a padding that leaves something"),
    (lambda x: lax.conv_transpose(mnp.ones((1, 4, 4, 3), int), np.ones((3, 3, 2, 3), int)),
     TypeError, "conv_transpose expects floats"),
    (lambda x: lax.max_pool(x, 6), ValueError, "pooling expects an image"),
    (lambda x: lax.max_pool(x[0, 0], 2), ValueError, "pooling expects an array"),
    (lambda x: lax.relu("a"), TypeError, "expects an array, but got str"),
    (lambda x: lax.softmax(x.astype(int)), TypeError, "softmax expects floats, but got int64"),
    (lambda x: lax.batch_norm(x, np.ones(4), np.ones(3)), ValueError, r"expects float64\[3\]"),
    (lambda x: lax.softmax_cross_entropy(x, np.zeros(1, int)), ValueError, "expects logits"),
    (lambda x: lax.running_average(x, x[0], 0.1), ValueError, "arrays of one type"),
    (lambda x: lax.for_loop(2, lambda i, c: c[0], x), ValueError, "expects its function to return"),
    (lambda x: lax.for_loop(2, lambda i, c: (c, c), x), ValueError, "what it carries"),
    (lambda x: lax.for_loop(1.5, lambda i, c: c, x), TypeError, "integer"),
    (lambda x: lax.scan(lambda c, a: (c, a), x, (x, x[0])), ValueError,
     "arrays of one leading extent"),
    (lambda x: lax.scan(lambda c, a: c, x, x), TypeError, r"a pair \(carry, y\)"),
    (lambda x: lax.cond(x > 0, lambda: x, lambda: x), TypeError, "a boolean without dimensions"),
    (lambda x: lax.cond(x.sum() > 0, lambda: x, lambda: x[0]), ValueError, "the same types"),
    (lambda x: lax.cond(x.sum() > 0, lambda: x, lambda: (x,)), ValueError, "same structure"),
    (lambda x: lax.coupling("cubic", x, [x], lambda c: c), ValueError, "a kind out of additive"),
    (lambda x: lax.coupling("additive", x, [x + 1], lambda c: (c, c)), ValueError, "1 results"),
    (lambda x: lax.coupling("additive", x, [x + 1], lambda c: c, log_det=True, batch_axis=4),
     ValueError, "a batch_axis of an array of shape"),
    (lambda x: lax.coupling("additive", x, [x + 1], lambda c: c[0]), ValueError, "arrays like it"),
    (lambda x: lax.dropout(x, 1.5, 0, 0, 0), ValueError, r"a rate in \[0, 1\]"),
    (lambda x: lax.dropout(x, 0.5, 0.5, 0, 0), TypeError, "an integer as seed"),
    (lambda x: lax.dynamic_slice(x, (0,), (1,)), ValueError, "4 starts and sizes"),
]


@pytest.mark.parametrize("function, kind, message", ERRORS)
def test_error(function, kind, message):
    with pytest.raises(kind, match=message):
        memrev.jit(function)(np.ones((1, 5, 5, 3)))
