# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Layers of memrev.flows beside couplings: each against its dense Jacobian, by inversion and
by storing; what peers get wrong."""

import numpy as np
import pytest

import memrev
from flows_check import check, difference, largest, normal
from memrev import flows, tree


def random(seed, *shape):
    """As many samples of that shape as a sample has elements."""
    return np.random.default_rng(seed).standard_normal((int(np.prod(shape)), *shape))


def apply(model, variables, *args, method=None):
    return memrev.jit(lambda variables, args: model.apply(
        variables["params"], variables["state"], *args, method=method)[0])(variables, args)


LAYERS = {
    "actnorm": (lambda: flows.ActNorm(3), (3,)),
    "actnorm, 1-D": (lambda: flows.ActNorm(2), (3, 2)),
    "actnorm, 3-D, softplus": (lambda: flows.ActNorm(2, scale="softplus"), (1, 2, 2, 2)),
    "actnorm, sigmoid": (lambda: flows.ActNorm(3, scale="sigmoid"), (2, 1, 3)),
    "affine": (lambda: flows.Affine(2, 3), (2, 3)),
    "sigmoid": (lambda: flows.Sigmoid(-1, 3), (4,)),
    "sigmoid of images": (lambda: flows.Sigmoid(), (2, 2, 1)),
    "leaky relu": (lambda: flows.LeakyReLU(0.2), (2, 2, 2)),
    "learned leaky relu": (lambda: flows.LearnedLeakyReLU(3), (2, 3)),
    "learned leaky relu, two-sided": (lambda: flows.LearnedLeakyReLU(2, two_sided=True), (2, 2)),
    "learned leaky relu, frozen": (lambda: flows.LearnedLeakyReLU(2, freeze=True), (2, 1, 2)),
    "exp clamp": (lambda: flows.ExpClamp(1.5), (4,)),
    "tanh": (lambda: flows.Tanh(), (2, 3)),
    "rational-quadratic": (lambda: flows.RationalQuadraticSpline(3, bins=5, bound=2), (2, 3)),
    "rational-quadratic, one bin": (lambda: flows.RationalQuadraticSpline(bins=1), (3,)),
    "rational-quadratic, learned box": (lambda: flows.RationalQuadraticSpline(
        3, bins=4, bound=1, learn_box=True), (2, 3)),
    "linear spline": (lambda: flows.LinearSpline(2, 2, bins=4, bound=1), (2, 2)),
    "linear spline, learned box": (lambda: flows.LinearSpline(
        bins=4, bound=1, learn_box=True), (2, 2)),
    "householder": (lambda: flows.Householder(4), (2, 4)),
    "householder, frozen": (lambda: flows.Householder(3, 1, freeze=True), (3,)),
    "linear": (lambda: flows.InvertibleLinear(3), (2, 2, 3)),
    "lu": (lambda: flows.LULinear(4), (2, 4)),
    "cayley": (lambda: flows.Orthogonal(4), (2, 4)),
    "exp": (lambda: flows.Orthogonal(3, "exp"), (3,)),
    "product of reflections": (lambda: flows.Orthogonal(3, "householder"), (2, 3)),
    "fixed orthogonal": (lambda: flows.FixedOrthogonal(3), (2, 3)),
    "fixed": (lambda: flows.FixedLinear(
        [[2, 1, 0], [0, 1, 0.5], [0, 0, -1.5]], [1, 2, 3]), (2, 3)),
    "permute": (lambda: flows.Permute(5), (5,)),
    "permute, given": (lambda: flows.Permute(3, [2, 0, 1]), (2, 3)),
    "reverse": (lambda: flows.Reverse(), (2, 3)),
    "flatten": (lambda: flows.Flatten(2, 3), (2, 3)),
    "split": (lambda: flows.Split(1, 3, 2), (6,)),
    **{f"squeeze, {pattern}": (lambda pattern=pattern: flows.Squeeze(pattern), (4, 2, 1))
       for pattern in ("checkerboard", "patch", "column")},
    "squeeze, 1-D, by 3": (lambda: flows.Squeeze(factor=3), (6, 2)),
    "squeeze, 3-D": (lambda: flows.Squeeze("patch", factor=(1, 2, 2)), (2, 2, 2, 1)),
    "unsqueeze": (lambda: flows.Unsqueeze(), (1, 2, 4)),
    "haar, 1-D": (lambda: flows.Haar(), (4, 2)),
    "haar, 2-D": (lambda: flows.Haar(), (4, 2, 1)),
    "haar, 3-D": (lambda: flows.Haar(), (2, 2, 2, 1)),
    "haar, rebalanced": (lambda: flows.Haar(0.5), (4, 2, 1)),
    "wavelet, 1-D": (lambda: flows.Wavelet(4), (6, 1)),
    "wavelet, 2-D": (lambda: flows.Wavelet(2), (4, 4, 1)),
    "downsample": (lambda: flows.Downsample(2), (2, 2, 2)),
    "downsample, 1-D, by 3": (lambda: flows.Downsample(
        1, 1, 3, parametrization="exp", start="random"), (6, 1)),
    "downsample, by reflections": (lambda: flows.Downsample(
        2, parametrization="householder"), (2, 2, 2)),
    "upsample": (lambda: flows.Upsample(2, 1, start="squeeze"), (3, 4)),
    "inverse": (lambda: flows.Inverse(flows.Sequential(flows.ActNorm(3), flows.Tanh())), (3,)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layer(name):
    make, shape = LAYERS[name]
    x = random(1, *shape)
    # The other way starts in the range of a map.
    check(make(), np.tanh(x) * 0.9 if name == "inverse" else x)


# ------------------------------------------------------------------------------
# What peers get wrong
# ------------------------------------------------------------------------------


def test_activations_near_their_ends():
    """Where the function is finite, it is right, and so is its inverse."""
    x = np.linspace(-30, 30, 61).reshape(-1, 1)
    cases = [(flows.Sigmoid(), x), (flows.Sigmoid(-1, 0), x), (flows.Tanh(), x / 2),
             (flows.ExpClamp(), x), (flows.LeakyReLU(), x), (flows.LearnedLeakyReLU(1), x)]
    for model, x in cases:
        y, log_det = apply(model, model.init(0), x)
        back, inverse_log_det = apply(model, model.init(0), y, method="inverse")
        # An error of half a unit of y, seen through the inverse.
        unit = np.spacing(np.abs(y)) * np.exp(-log_det)[:, None]
        assert (np.abs(back - x) <= 4 * unit + 1e-13 * np.abs(x)).all(), type(model)
        assert np.isfinite(log_det).all()
    y, log_det = apply(flows.Tanh(), {"params": {}, "state": {}}, np.full((1, 1), 400.0))
    assert y == 1 and np.allclose(log_det, 2 * (np.log(2) - 400))


def test_a_sigmoid_far_out_has_derivatives():
    model = flows.Sigmoid()
    x = np.array([[-700.0], [-40.0], [40.0], [700.0]])

    def loss(x):
        y, log_det = model.apply({}, {}, x)[0]
        return (y.sum() + log_det.sum())

    assert np.allclose(memrev.grad(loss)(x).ravel(), [1, 1, -1, -1], atol=1e-12)


def test_activations_that_are_flat_have_derivatives_in_a_chain():
    """Their arguments are not had back by inversion where that would lose all digits."""
    model = flows.Sequential(*(part for layer in (flows.Tanh(), flows.Sigmoid(), flows.ExpClamp())
                               for part in (flows.Affine(1), layer)), flows.Affine(1))
    params = tree.map(lambda a: a + 0.3, model.init(0, np.float64)["params"])
    x = np.array([[-20.0], [-3.0], [15.0], [22.0]])
    found = []
    for policy in ("store", "invert"):
        def loss(params, x, policy=policy):
            return memrev.vjp(lambda p, x: model.apply(p, {}, x)[0], params, x, policy=policy)[1](
                (np.ones((4, 1)), np.ones(4)))

        found.append(memrev.jit(loss)(params, x))
    assert difference(*found) < 1e-12 * largest(found)


@pytest.mark.parametrize("parametrization, spread", [
    ("cayley", 1e-3), ("cayley", 0.5), ("cayley", 4.0), ("exp", 1e-3), ("exp", 0.5), ("exp", 4.0),
    # A reflection is the same for a vector of any length, its derivative is not.
    ("householder", 0.5), ("householder", 4.0)])
def test_learned_orthogonal_matrices_at_all_scales(parametrization, spread):
    """iUNets' gradients have cosines of -1 to 0.94 with the true ones."""
    model = flows.Orthogonal(5, parametrization, spread)
    start = model.init(0, np.float64)["params"]
    x = random(1, 5)
    check(model, x, start=start, both=False)
    # And in float32.
    generator = np.random.default_rng(0)
    cotangent = generator.standard_normal(x.shape)

    def gradient(dtype):
        return memrev.grad(lambda p: (model.apply(p, {}, x.astype(dtype))[0][0]
                                      * cotangent.astype(dtype)).sum())(
            tree.map(lambda a: a.astype(dtype), start))["weight"]

    exact, found = gradient(np.float64), gradient(np.float32)
    assert np.abs(found - exact).max() < 1e-4 * np.abs(exact).max()


@pytest.mark.parametrize("parametrization", ["cayley", "exp", "householder"])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_downsampling_starts_as_haar(parametrization, rank):
    model = flows.Downsample(2, rank, parametrization=parametrization)
    x = np.random.default_rng(0).standard_normal((3, *(4,) * rank, 2))
    y, _ = apply(model, model.init(0, np.float64), x)
    expected, _ = apply(flows.Haar(), {"params": {}, "state": {}}, x)
    block = 2 ** rank
    # The same bands, in another order and with other signs.
    bands, wanted = (a.reshape(-1, block, 2) for a in (y, expected))
    products = np.einsum("pic,pjc->ijc", bands, wanted) / np.einsum("pjc,pjc->jc", wanted, wanted)
    for c in range(2):
        assert np.allclose(np.sort(np.abs(products[..., c]).max(axis=0)), 1, atol=0.6)
    matches = [max(np.abs(bands[:, i] - s * wanted[:, j]).max() < 1e-12
                   for j in range(block) for s in (1, -1)) for i in range(block)]
    assert all(matches)


def test_downsampling_without_weights_is_a_squeeze():
    model = flows.Downsample(3, 2, (2, 3), start="squeeze")
    x = np.random.default_rng(0).standard_normal((2, 4, 6, 3))
    y, _ = apply(model, model.init(0, np.float64), x)
    expected, _ = apply(flows.Squeeze(factor=(2, 3)), {"params": {}, "state": {}}, x)
    assert difference(y, expected) == 0


def test_reflections_that_start_as_a_squeeze_all_train():
    """iUNets' layer of reflections stops with an error."""
    x = np.random.default_rng(0).standard_normal((2, 4, 6, 3))
    for factor, last in ((2, 3), 1), ((1, 3), -1):
        model = flows.Downsample(3, 2, factor, parametrization="householder", start="squeeze")
        variables = model.init(0, np.float64)
        y, _ = apply(model, variables, x)
        expected, _ = apply(flows.Squeeze(factor=factor), {"params": {}, "state": {}}, x)
        # Elements of a block are beside each other, channels of each innermost.
        expected[..., -3:] *= last
        assert difference(y, expected) < 1e-14
        gradient = memrev.grad(lambda params, model=model: (
            model.apply(params, {}, x)[0][0] ** 3).sum())(variables["params"])["weight"]
        assert (np.abs(gradient).max(axis=-1) > 1e-3).all()


def test_slopes_of_learned_leaky_relus():
    x = np.array([[-2.0, 3.0], [4.0, -5.0]])
    a, b = np.array([0.5, -0.2]), np.array([0.1, 0.3])
    y, log_det = apply(flows.LearnedLeakyReLU(2), {"params": {"slopes": a}, "state": {}}, x)
    factors = np.exp([[-a[0], a[1]], [a[0], -a[1]]])
    assert difference(y, x * factors) < 1e-15
    assert difference(log_det, np.log(factors).sum(axis=1)) < 1e-15
    both = {"params": {"slopes": np.stack([a, b])}, "state": {}}
    y, _ = apply(flows.LearnedLeakyReLU(2, two_sided=True), both, x)
    assert difference(y, x * np.exp([[b[0], a[1]], [a[0], b[1]]])) < 1e-15
    first = flows.LearnedLeakyReLU(2, two_sided=True, start=0.3).init(0)["params"]["slopes"]
    assert np.allclose(first, [[0.3, 0.3], [-0.3, -0.3]])


def test_wavelets_against_matrices():
    """A signal of degree order - 1 has no high frequencies, away from the border."""
    for order in range(1, 11):
        n = 8 * order
        x = (np.linspace(-1, 1, n) ** (order - 1)).reshape(1, n, 1)
        y, _ = apply(flows.Wavelet(order), {"params": {}, "state": {}}, x)
        assert np.abs(y[0, :n // 2 - order, 1]).max() < 1e-11
        assert np.abs((y ** 2).sum() - (x ** 2).sum()) < 1e-11


def test_squeezed_elements():
    x = np.arange(16).reshape(1, 4, 4, 1).astype(np.float32)
    first = {p: apply(flows.Squeeze(p), {"params": {}, "state": {}}, x)[0][0, 0, 0]
             for p in ("checkerboard", "patch", "column")}
    assert first["checkerboard"].tolist() == [0, 1, 4, 5]
    assert first["patch"].tolist() == [0, 2, 8, 10]
    assert first["column"].tolist() == [0, 1, 2, 3]


def test_householder_makes_no_matrix():
    """Its gradient takes time and memory in proportion to the elements."""
    model = flows.Householder(512, 2)
    variables = model.init(0)
    grad = memrev.jit(memrev.grad(lambda p, x: (model.apply(p, {}, x)[0][0] ** 3).sum()))
    report = grad.memory_report(variables["params"], memrev.ShapeDtype((4, 512)))
    assert report["workspace_bytes"] < 512 * 512 * 4 / 4


def test_vectors_of_zeros_reflect_nothing():
    model = flows.ConditionalHouseholder(3, flows.dense(4), 2)  # Starts with zeros.
    variables = model.init(0, np.float64)
    x, cond = np.arange(15.0).reshape(5, 3), np.ones((5, 2))

    def loss(params):
        (y, _), _ = model.apply(params, variables["state"], x, cond)
        return ((y - 1) ** 2).sum(), y

    (_, y), gradient = memrev.jit(memrev.value_and_grad(loss, has_aux=True))(variables["params"])
    np.testing.assert_array_equal(y, x)
    assert all(np.isfinite(leaf).all() for leaf in tree.leaves(gradient))


def test_a_fixed_matrix_follows_its_states():
    model, other = flows.FixedLinear(2 * np.eye(2)), flows.FixedLinear(4 * np.eye(2))
    state = other.init(0, np.float64)["state"]
    (y, log_det), _ = memrev.jit(lambda state, x: model.apply({}, state, x))(
        state, np.ones((3, 2)))
    np.testing.assert_allclose(y, 4 * np.ones((3, 2)))
    np.testing.assert_allclose(log_det, 2 * np.log(4) * np.ones(3))


def test_second_derivatives():
    model = flows.Sequential(flows.ActNorm(3), flows.InvertibleLinear(3), flows.AffineCoupling(
        3, flows.dense(4, activation=np.tanh)))
    generator = np.random.default_rng(0)
    params = tree.map(lambda a: a + 0.3 * generator.standard_normal(a.shape),
                      model.init(0, np.float64)["params"])
    x = generator.standard_normal((5, 2, 3))  # 1-D data.

    def loss(params):
        y, log_det = model.apply(params, {}, x)[0]
        return (y * y).sum() - log_det.sum()

    direction = normal(generator, params)
    product, = memrev.hvp(loss, (params,), (direction,))
    gradient = memrev.jit(memrev.grad(loss))
    step = 1e-5
    ahead, behind = (gradient(tree.map(lambda p, d: p + s * d, params, direction))
                     for s in (step, -step))
    expected = tree.map(lambda a, b: (a - b) / (2 * step), ahead, behind)
    assert difference(product, expected) < 1e-7 * largest(expected)
