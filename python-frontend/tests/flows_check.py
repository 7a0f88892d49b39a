# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What every bijection of memrev.flows has to fulfil, in both directions, in float64."""

import functools

import numpy as np

import memrev
from memrev import tree

EPS = np.finfo(np.float64).eps


def normal(generator, like):
    """A tree of normal numbers in the shapes of the floats of `like`."""
    return tree.map(lambda a: generator.standard_normal(np.shape(a)), like)


def dot(a, b):
    return sum(float((x * y).sum()) for x, y in zip(tree.leaves(a), tree.leaves(b)))


def largest(values):
    return max((float(np.abs(a).max(initial=0)) for a in tree.leaves(values)), default=0.0)


def difference(a, b):
    return largest(tree.map(lambda x, y: x - y, a, b))


def rows(value):
    """A tree of [batch, ...] as one array [batch, elements]."""
    return np.concatenate([leaf.reshape(leaf.shape[0], -1) for leaf in tree.leaves(value)], axis=1)


def elements(value):
    """The elements of a sample of a tree."""
    return rows(value).shape[1]


class Direction:
    """A layer in one direction as functions (params, x, cond) -> (y, log_det), and what
    derivatives by all three there are."""

    def __init__(self, model, state, rng, inverse):
        def run(method, params, x, cond):
            return model.apply(params, state, x, cond, rng=rng, method=method)[0]

        methods = ("inverse", None) if inverse else (None, "inverse")
        function = functools.partial(run, methods[0])

        def gain(params, x, cond):
            return memrev.conditioning(
                lambda x, params, cond: run(methods[0], params, x, cond)[0], x, params, cond,
                inverse=lambda y, params, cond: run(methods[1], params, y, cond)[0]).inverse

        def derivatives(primals, tangents, cotangents):
            along = memrev.jvp(function, primals, tangents)[1]
            pulled = {policy: memrev.vjp(function, *primals, policy=policy)[1](cotangents)
                      for policy in ("store", "invert")}
            return along, pulled

        self.function = memrev.jit(function)
        self.derivatives = memrev.jit(derivatives)
        #: By how much errors of the output are enlarged when it is undone, as reported.
        self.gain = gain

    def check_lost(self, error, primals, what, per_layer=1e-12):
        """Checks that a layer loses no more than its tolerance, or 10 eps times the gain that
        memrev reports."""
        if error > per_layer:
            gain = self.gain(*primals)
            print(f"{what}: {error:.2g}, gain {gain:.3g}")
            assert error <= 10 * EPS * gain, f"{what}: {error:.2g}, gain {gain:.3g}"


def perturbed(variables, generator, spread):
    """Parameters off their first values, which are often zeros."""
    return tree.map(lambda a: a + spread * generator.standard_normal(a.shape),
                    variables["params"])


def identity_tangents(x, cond, params):
    """Samples that are all the first one, moved along an element each: their derivatives are
    the rows of the Jacobian's transpose."""
    count = elements(x)
    same = tree.map(lambda a: np.repeat(a[:1], count, axis=0), (x, cond))
    flat, place = np.eye(count), 0
    leaves, structure = tree.flatten(x)
    tangents = []
    for leaf in leaves:
        size = leaf[0].size
        tangents.append(flat[:, place:place + size].reshape(count, *leaf.shape[1:]))
        place += size
    zeros = tree.map(lambda a: np.zeros(np.shape(a)), (params, same[1]))
    return same, (zeros[0], tree.unflatten(structure, tangents), zeros[1])


def check(model, x, cond=None, *, seed=0, spread=0.3, rng=None, tolerance=1e-12, start=None,
          both=True, dense_log_det=True, round_trip=True):
    """Checks a bijection at random parameters; `x` and `cond` are trees of float64 arrays with
    as many samples as a sample has elements, so that the dense Jacobian is one derivative in
    as many directions.

    spread: the deviation of what is added to initial parameters. start: parameters to take
    instead. both: both directions. dense_log_det, round_trip: False where log_det is an
    estimate.
    """
    generator = np.random.default_rng(seed)
    variables = model.init(seed, np.float64)
    params = perturbed(variables, generator, spread) if start is None else start
    state = variables["state"]
    assert all(leaf.shape[0] == elements(x) for leaf in tree.leaves((x, cond)))
    forward = Direction(model, state, rng, False)
    y = check_direction(forward, (params, x, cond), generator, tolerance, dense_log_det)
    if both:
        backward = Direction(model, state, rng, True)
        check_direction(backward, (params, y[0], cond), generator, tolerance, dense_log_det)
        found, log_det = backward.function(params, y[0], cond)
        scale = max(largest(x), largest(y[0]), 1.0)
        forward.check_lost(difference(found, x) / scale, (params, x, cond), "round trip")
        if round_trip:
            scale = max(largest(y[1]), 1.0)
            forward.check_lost(difference(log_det, -y[1]) / scale, (params, x, cond),
                               "log_det of the round trip")


def check_direction(direction, primals, generator, tolerance, dense_log_det=True):
    before = tree.map(np.copy, primals)
    result = direction.function(*primals)
    assert all(np.isfinite(leaf).all() for leaf in tree.leaves(result))
    batch = tree.leaves(primals[1])[0].shape[0]
    assert result[1].shape == (batch,) and result[1].dtype == np.float64
    tangents, cotangents = normal(generator, primals), normal(generator, result)
    along, pulled = direction.derivatives(primals, tangents, cotangents)
    assert difference(primals, before) == 0  # What is given stays as it is.
    largest_gradient = largest(pulled["store"])
    # Inversion gives what storing does.
    direction.check_lost(difference(pulled["invert"], pulled["store"]) / largest_gradient,
                         primals, "invert - store", tolerance)
    # Forward and reverse mode are transposes.
    forward, reverse = dot(along, cotangents), dot(tangents, pulled["store"])
    terms = np.sqrt(dot(tangents, tangents) * dot(pulled["store"], pulled["store"]))
    assert abs(forward - reverse) <= 1e-10 * max(terms, 1e-300), (forward, reverse)
    check_slope(direction, primals, cotangents, pulled["store"], generator)
    if dense_log_det:
        check_log_det(direction, primals, cotangents)
    return result


def remainders(direction, primals, cotangents, tangents, claimed, steps):
    def value(step):
        moved = tree.map(lambda a, d: a + step * d, primals, tangents)
        return dot(direction.function(*moved), cotangents)

    first = value(0.0)
    return np.abs([value(h) - first - h * claimed for h in steps]), abs(first)


def check_slope(direction, primals, cotangents, gradients, generator):
    """The Taylor remainder is of second order, and of first order for a zeroed gradient."""
    tangents = normal(generator, primals)
    steps = 1e-3 * 2.0 ** -np.arange(4)
    claimed = dot(gradients, tangents)
    found, value = remainders(direction, primals, cotangents, tangents, claimed, steps)
    noise = 1e4 * EPS * max(value, dot(tree.map(np.abs, gradients), tree.map(np.abs, tangents)))
    if (found > noise).all():
        order = np.polyfit(np.log(steps), np.log(found), 1)[0]
        assert 1.8 < order, f"order {order:.3f}, remainders {found}"
    else:  # A map that is linear in everything.
        assert found.max() <= 10 * noise, found
    zeroed, _ = remainders(direction, primals, cotangents, tangents, 0.0, steps)
    order = np.polyfit(np.log(steps), np.log(zeroed), 1)[0]
    assert order < 1.5, f"a zeroed gradient has order {order:.3f}"


def check_log_det(direction, primals, cotangents):
    """log_det against the determinant of the dense Jacobian."""
    params, x, cond = primals
    (same, same_cond), tangents = identity_tangents(x, cond, params)
    primals = params, same, same_cond
    along, _ = direction.derivatives(primals, tangents, cotangents)
    _, log_det = direction.function(*primals)
    _, expected = np.linalg.slogdet(rows(along[0]))
    assert np.ptp(log_det) <= 1e-10 * max(largest(log_det), 1)
    assert abs(log_det[0] - expected) <= 1e-8, (log_det[0], expected)
