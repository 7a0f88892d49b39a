# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""memrev.custom_inverse and memrev.check_inverse."""

import numpy as np
import pytest

import memrev
import memrev.numpy as mnp
from memrev import lax

import numeric

RNG = np.random.default_rng(3)
ROWS, WIDTH = 16, 6


def unmix(halves, w):
    a, b = halves
    return b, a - mnp.tanh(b @ w)


@memrev.custom_inverse(inverse=unmix)
def mix(halves, w):
    """Adds a function of one half to the other and swaps them."""
    a, b = halves
    return b + mnp.tanh(a @ w), a


def mix_in_order(halves, w):
    """The inverse of `unmix`, and of nothing that is declared."""
    a, b = halves
    return b + mnp.tanh(a @ w), a


# (b, a - f(b)) is undone by (x, y) -> (y + f(x), x).
def fixed(halves, w):
    a, b = halves
    return b, a - mnp.tanh(b @ w)


def in_loop(layer, depth=None):
    def run(x, weights):
        return lax.for_loop(len(weights), lambda i, v: layer(v, weights[i]), x)
    return run


def in_line(layer, depth):
    def run(x, weights):
        for i in range(depth):
            x = layer(x, weights[i])
        return x
    return run


def loss_of(chain):
    def loss(x, weights):
        a, b = chain(x, weights)
        return mnp.sum(mnp.sin(a) * b)
    return loss


def numbers(depth):
    x = tuple(RNG.standard_normal((2, ROWS, WIDTH)))
    return x, 0.4 * RNG.standard_normal((depth, WIDTH, WIDTH))


def compare(found, expected, tolerance=1e-12):
    for a, b in zip(memrev.tree.leaves(found), memrev.tree.leaves(expected)):
        assert np.abs(b).max() > 0
        assert np.abs(a - b).max() <= tolerance * np.abs(b).max()


FORMS = pytest.mark.parametrize("form", [in_loop, in_line])


def report(step, depth, *more):
    halves = (memrev.ShapeDtype((ROWS, WIDTH), np.float64),) * 2
    weights = memrev.ShapeDtype((depth, WIDTH, WIDTH), np.float64)
    return step.memory_report(halves, weights, *more)


def gradient(form, layer, depth, policy):
    return memrev.jit(memrev.grad(loss_of(form(layer, depth)), argnums=(0, 1), policy=policy))


@FORMS
def test_gradients(form):
    depth = 8
    x, weights = numbers(depth)
    found = gradient(form, mix, depth, "invert")(x, weights)
    compare(found, gradient(form, mix, depth, "store")(x, weights), 1e-12 * depth)
    compare(found, gradient(form, mix_in_order, depth, "store")(x, weights), 1e-12 * depth)


@FORMS
def test_bytes_do_not_depend_on_depth(form):
    few, many = (report(gradient(form, mix, depth, "invert"), depth) for depth in (8, 24))
    assert many["workspace_bytes"] <= few["workspace_bytes"]
    few, many = (report(gradient(form, mix, depth, "store"), depth) for depth in (8, 24))
    assert many["workspace_bytes"] >= few["workspace_bytes"] + 16 * ROWS * WIDTH * 8


@FORMS
def test_taylor(form):
    depth = 5
    x, weights = numbers(depth)
    step = memrev.jit(loss_of(form(mix, depth)))
    found = gradient(form, mix, depth, "invert")(x, weights)
    arrays = {"a": x[0], "b": x[1], "w": weights}
    gradients = {"a": found[0][0], "b": found[0][1], "w": found[1]}
    order = numeric.taylor_order(lambda v: step((v["a"], v["b"]), v["w"]), arrays, gradients,
                                 numeric.direction(arrays, 1), [1e-2, 5e-3, 2e-3, 1e-3])
    assert order == pytest.approx(2, abs=0.05)


@FORMS
def test_dot_product_of_modes(form):
    depth = 4
    x, weights = numbers(depth)
    direction = (tuple(RNG.standard_normal((2, ROWS, WIDTH))),
                 RNG.standard_normal(weights.shape))
    cotangent = tuple(RNG.standard_normal((2, ROWS, WIDTH)))
    chain = form(mix, depth)
    _, tangent = memrev.jvp(chain, (x, weights), direction)
    _, pullback = memrev.vjp(chain, x, weights)
    dot = [sum(np.vdot(a, b) for a, b in zip(memrev.tree.leaves(p), memrev.tree.leaves(q)))
           for p, q in ((tangent, cotangent), (direction, pullback(cotangent)))]
    assert abs(dot[0] - dot[1]) <= 1e-10 * abs(dot[0])


@FORMS
def test_second_derivatives(form):
    depth = 4
    x, weights = numbers(depth)
    d = RNG.standard_normal(weights.shape)

    def product(layer, policy):
        def along(x, w, d):
            return mnp.sum(d * memrev.grad(loss_of(form(layer, depth)), argnums=1,
                                           policy=policy)(x, w))
        return memrev.jit(memrev.grad(along, argnums=(0, 1), policy=policy))

    found = product(mix, "invert")(x, weights, d)
    compare(found, product(mix_in_order, "store")(x, weights, d), 1e-11)
    forward = memrev.jvp(memrev.grad(loss_of(form(mix, depth)), argnums=(0, 1)), (x, weights),
                         (tuple(np.zeros((2, ROWS, WIDTH))), d))[1]
    compare(forward, found, 1e-11)


@FORMS
def test_gradient_of_the_inverse(form):
    """The inverse of the inverse is the function."""
    depth = 6
    x, weights = numbers(depth)

    def back(layer):
        inverted = memrev.inverse(form(layer, depth))
        return lambda y, w: inverted(y, w)

    expected = gradient(lambda f, n: lambda y, w: in_line(f, n)(y, w[::-1]), fixed, depth,
                        "store")
    step = memrev.jit(memrev.grad(loss_of(back(mix)), argnums=(0, 1)))
    compare(step(x, weights), expected(x, weights), 1e-11)
    many, few = (report(memrev.jit(memrev.grad(
        loss_of(memrev.inverse(form(mix, n))), argnums=(0, 1))), n) for n in (24, 8))
    assert many["workspace_bytes"] <= few["workspace_bytes"]


def test_rules_of_both_kinds():
    """The reverse rule is what is called at what the inverse gives back."""
    def forward(x, s):
        return scale(x, s), (x, s)

    def backward(kept, dy):
        x, s = kept
        return dy * s, 3 * mnp.sum(dy * x)

    @memrev.custom_inverse(inverse=lambda y, s: y / s)
    @memrev.custom_vjp(forward=forward, backward=backward)
    def scale(x, s):
        return x * s

    def loss(x, s):
        for _ in range(3):
            x = scale(x, s)
        return mnp.sum(x)

    x = RNG.standard_normal((4, 5))
    for policy in "invert", "store":
        dx, ds = memrev.grad(loss, argnums=(0, 1), policy=policy)(x, np.float64(1.5))
        np.testing.assert_allclose(dx, np.full((4, 5), 1.5 ** 3), rtol=1e-13)
        assert ds == pytest.approx(3 * 3 * 1.5 ** 2 * x.sum(), rel=1e-12)


def test_shared_operands_and_integers():
    @memrev.custom_inverse(inverse=lambda y, s, n: {"v": (y["v"] - s) / n})
    def f(x, s, n):
        return {"v": x["v"] * n + s}

    def loss(x, s):
        for n in (2, 3, 2):
            x = f(x, s, n)
        return mnp.sum(x["v"] ** 2)

    v, s = RNG.standard_normal((2, 7))
    y = 12 * v + 9 * s
    found = memrev.grad(loss, argnums=(0, 1))({"v": v}, s)
    compare(found, ({"v": 24 * y}, 18 * y))


def test_gain_bounds_what_is_inverted():
    """Half of 53 digits may be lost: 1.01^400 is 53, 1.1^400 is 4e16."""
    def bytes_of(gain, depth):
        layer = memrev.custom_inverse(lambda x, w: x * mnp.exp(w[0, 0]), gain=gain,
                                      inverse=lambda y, w: y * mnp.exp(-w[0, 0]))
        chain = in_loop(layer)

        def loss(x, weights):
            return mnp.sum(mnp.sin(chain(x[0], weights)) * x[1])
        step = memrev.jit(memrev.grad(loss, argnums=1))
        return report(step, depth)["workspace_bytes"]

    for gain in None, 1, 1.01:
        assert bytes_of(gain, 400) == bytes_of(gain, 40)
    assert bytes_of(1.1, 400) >= bytes_of(1.1, 40) + 300 * ROWS * WIDTH * 8
    with pytest.raises(ValueError, match="expects a gain of at least 1, but got 0.5"):
        memrev.custom_inverse(lambda x: x, inverse=lambda y: y, gain=0.5)


@FORMS
def test_drift_tolerance_and_memory_budget(form):
    """States are stored for either, and what comes back is the same."""
    depth = 16
    x, weights = numbers(depth)
    loss = loss_of(form(mix, depth))
    plain = memrev.jit(memrev.grad(loss, argnums=(0, 1)))
    expected, least = plain(x, weights), report(plain, depth)["workspace_bytes"]
    for options in {"drift_tolerance": 1e-14}, {"memory_budget": 1 << 20}:
        step = memrev.jit(memrev.grad(loss, argnums=(0, 1)), **options)
        assert report(step, depth)["workspace_bytes"] > least
        compare(step(x, weights), expected, 1e-11)


def softened(x, w):
    """y = x + tanh(x w) / 2, and aux: a number of the interval that x is in, and tanh."""
    aux = mnp.tanh(x * w)
    return x + 0.5 * aux, ((x > 0).astype(np.int32), aux)


def sharpened(y, w):
    """The fixed point of x = y - tanh(x w) / 2."""
    x = lax.for_loop(60, lambda i, x: y - 0.5 * mnp.tanh(x * w), y)
    return x, softened(x, w)[1]


soften = memrev.custom_inverse(softened, inverse=sharpened, has_aux=True)
sharpen = memrev.custom_inverse(sharpened, inverse=softened, has_aux=True)


def steps_with_aux(function, in_loop, count=8):
    """Steps of whose aux a sum is returned, too, as of log-determinants."""
    def step(i, carry):
        x, total = carry
        x, (number, aux) = function(x, W_AUX)
        return x, total + (aux * aux * mnp.where(number == 1, 1.0, 2.0)).sum()

    def run(x):
        carry = x, np.float64(0)
        if in_loop:
            return lax.for_loop(count, step, carry)
        for i in range(count):
            carry = step(i, carry)
        return carry

    return run


W_AUX = np.linspace(0.3, 0.9, WIDTH)


@pytest.mark.parametrize("in_loop", [True, False])
@pytest.mark.parametrize("function", [soften, sharpen], ids=["fn", "inverse"])
def test_aux(function, in_loop):
    """Derivatives take what the inverse has found on its way."""
    run = steps_with_aux(function, in_loop)
    x = RNG.standard_normal((ROWS, WIDTH))

    def loss(x):
        y, total = run(x)
        return (y * y).sum() + total

    plain = steps_with_aux(function.fn, in_loop)
    value, inverted = memrev.jit(memrev.value_and_grad(loss))(x)
    _, stored = memrev.jit(memrev.value_and_grad(loss, policy="store"))(x)
    expected = memrev.jit(memrev.grad(lambda x: (plain(x)[0] ** 2).sum() + plain(x)[1],
                                      policy="store"))(x)
    for found in (inverted, stored):
        assert np.abs(found - expected).max() <= 1e-12 * np.abs(expected).max()
    direction = RNG.standard_normal(x.shape)
    _, along = memrev.jit(lambda x, d: memrev.jvp(loss, (x,), (d,)))(x, direction)
    assert abs(along - (inverted * direction).sum()) <= 1e-10 * abs(along)
    steps = 1e-3 * 2.0 ** -np.arange(4)
    moved = np.array([memrev.jit(loss)(x + h * direction) for h in steps])
    order = np.polyfit(np.log(steps), np.log(np.abs(moved - value - steps * along)), 1)[0]
    assert 1.9 < order < 2.1


@pytest.mark.parametrize("in_loop", [True, False])
def test_bytes_with_aux_do_not_depend_on_depth(in_loop):
    def workspace(count):
        run = steps_with_aux(soften, in_loop, count)
        gradient = memrev.jit(memrev.grad(lambda x: (run(x)[0] ** 2).sum() + run(x)[1]))
        return gradient.memory_report(np.ones((ROWS, WIDTH)))["workspace_bytes"]

    assert workspace(24) <= workspace(8)


def test_aux_is_not_evaluated_again():
    text = memrev.jit(memrev.grad(lambda x: steps_with_aux(soften, True)(x)[1])).mlir(
        np.ones((ROWS, WIDTH)))
    ir = memrev.compile(text, until="differentiate", ir=True).ir
    again = ir[ir.index("@softened_again("):]
    again = again[:again.index("func.func")]
    assert "math.tanh" not in again and "arith.mulf" in again


def test_the_inverse_of_a_function_with_aux():
    x = RNG.standard_normal((ROWS, WIDTH))
    back = memrev.inverse(soften, like=x)
    assert np.abs(back(soften(x, W_AUX), W_AUX) - x).max() < 1e-12
    assert memrev.check_inverse(soften, x, W_AUX) < 1e-12
    found = memrev.jit(lambda y: memrev.inverse(
        lambda x: soften(soften(x, W_AUX)[0], W_AUX)[0])(y))(x)
    again = soften(soften(found, W_AUX)[0], W_AUX)[0]
    assert np.abs(again - x).max() < 1e-12


def test_errors_of_aux():
    x = np.ones(3)
    with pytest.raises(TypeError, match="expects 'f' to return a pair .output, aux."):
        @memrev.custom_inverse(inverse=lambda y: y, has_aux=True)
        def f(x):
            return x
        f(x)
    with pytest.raises(TypeError, match="inverse rule of 'g' to return a pair .argument, aux."):
        @memrev.custom_inverse(inverse=lambda y: y, has_aux=True)
        def g(x):
            return x, x
        g(x)
    with pytest.raises(ValueError, match="inverse rule of 'h' to return its aux"):
        @memrev.custom_inverse(inverse=lambda y: (y, (y, y)), has_aux=True)
        def h(x):
            return x, x
        h(x)


def test_check_inverse():
    x, weights = numbers(5)
    assert memrev.check_inverse(mix, x, weights[0]) <= 1e-14
    assert memrev.check_inverse(in_loop(mix), x, weights) <= 1e-13
    assert memrev.check_inverse(lambda x: mnp.reshape(x, (-1,))[::-1], x[0]) == 0

    wrong = memrev.custom_inverse(lambda x: {"a": x["a"], "b": x["b"] * 2},
                                  inverse=lambda y: {"a": y["a"], "b": y["b"] * 0.5001})
    ones = {"a": np.ones(3), "b": np.ones(2)}
    with pytest.raises(ValueError, match=r"expects the inverse of '.*' to give its argument back "
                                         r"within 1.5e-08, but got a difference of 2.0e-04 at "):
        memrev.check_inverse(wrong, ones)
    assert memrev.check_inverse(wrong, ones, tolerance=1e-3) == pytest.approx(2e-4)
    broken = memrev.custom_inverse(lambda x: x + 1, inverse=lambda y: mnp.log(-y))
    with pytest.raises(ValueError, match="but got a difference of nan"):
        memrev.check_inverse(broken, np.ones(2))


def test_errors():
    x = np.ones((2, 3))
    with pytest.raises(ValueError, match="inverse rule of 'f' to return an array of float64"):
        @memrev.custom_inverse(inverse=lambda y: mnp.sum(y))
        def f(x):
            return x * 2
        f(x)
    with pytest.raises(ValueError, match="inverse rule of 'g' to return its first argument"):
        @memrev.custom_inverse(inverse=lambda y: (y, y))
        def g(x):
            return x * 2
        g(x)


def test_networks_in_front_of_calls_keep_nothing():
    """A chain of calls whose parameters networks compute from the half that the call before it
    gives back: they are evaluated again, and what they compute is not stored."""
    layer = memrev.custom_inverse(lambda x, p: x * mnp.exp(p), gain=1,
                                  inverse=lambda y, p: y * mnp.exp(-p))
    rows, width = 64, 8

    def gradient(depth, policy):
        def loss(a, b, w):
            for i in range(depth):
                a, b = b, layer(a, 0.1 * mnp.tanh(b @ w[i, 0]) @ w[i, 1])
            return mnp.sum(mnp.sin(a) * b)

        return memrev.jit(memrev.grad(loss, argnums=(0, 1, 2), policy=policy))

    def workspace(depth, policy="invert"):
        half = memrev.ShapeDtype((rows, width), np.float64)
        weights = memrev.ShapeDtype((depth, 2, width, width), np.float64)
        return gradient(depth, policy).memory_report(half, half, weights)["workspace_bytes"]

    assert workspace(32) == workspace(8)
    assert workspace(16, "store") > workspace(6, "store") + 10 * 2 * rows * width * 8
    rng = np.random.default_rng(0)
    a, b, w = (rng.standard_normal(s) for s in ((rows, width),) * 2 + ((8, 2, width, width),))
    for found, expected in zip(gradient(8, "invert")(a, b, w), gradient(8, "store")(a, b, w)):
        assert np.abs(found - expected).max() <= 1e-12 * np.abs(expected).max()
