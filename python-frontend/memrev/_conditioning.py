# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""By how much an invertible function and its inverse enlarge errors."""

from typing import NamedTuple

from . import _dtypes, lax, tree
from . import numpy as mnp
from ._jit import Jitted, function_name, jit
from ._transforms import inverse as _inverse_of
from ._transforms import jvp, vjp


class Conditioning(NamedTuple):
    """The largest singular values of the derivatives of a function and of its inverse at one
    point, floats of at least 0, in the Euclidean norm of all elements together."""

    #: By how much an error of the argument is enlarged.
    forward: float
    #: By how much an error of the output is when it is undone: what `rev.gain`, and the `gain`
    #: of `custom_inverse`, are bounds of.
    inverse: float

    @property
    def number(self):
        """The condition number: the product of both, at least 1."""
        return self.forward * self.inverse


def conditioning(fn, x, *others, inverse=None, iterations=30, seed=0):
    """Estimates by how much `fn` and its inverse in the first argument enlarge errors at `x`.

    fn: a function that the compiler inverts, or that has an inverse by `custom_inverse`.
    x, others: its arguments, trees of arrays; x of floats.
    inverse: takes the output and the others, and returns x; by default `memrev.inverse(fn)`.
    iterations: steps of the power iteration on J^T J, from a random direction that `seed`
        says: an estimate from below, which each step improves (Golub and Van Loan, Matrix
        Computations, section 8.2).

    Returns a `Conditioning`. Raises TypeError for an x that is not of floats, ValueError for
    less than one iteration, and CompileError if `fn` has no inverse.
    """
    if iterations < 1:
        raise ValueError(f"expects at least 1 iteration, but got {iterations}")
    inner = fn._fn if isinstance(fn, Jitted) else fn
    undo = inverse if inverse is not None else _inverse_of(inner, like=x)

    def estimate(x, *others):
        for path, leaf in zip(tree.structure(x).paths(), tree.leaves(x)):
            if not _dtypes.is_float(leaf.dtype):
                raise TypeError(f"conditioning of '{function_name(inner)}' expects an argument "
                                f"of floats, but got {leaf.dtype} at '{tree.path_name(path)}'")
        y = inner(x, *others)
        return (_largest_singular_value(lambda x: inner(x, *others), x, iterations, seed),
                _largest_singular_value(lambda y: undo(y, *others), y, iterations, seed))

    return Conditioning(*map(float, jit(estimate)(x, *others)))


def _largest_singular_value(function, point, iterations, seed):
    """That of the derivative of `function` at a tree of traced floats."""
    leaves, structure = tree.flatten(point)
    directions = [lax.random_normal(leaf.shape, seed, layer=i, dtype=leaf.dtype)
                  for i, leaf in enumerate(leaves)]

    def step(i, carry):
        directions, _ = carry
        scale = 1 / _norm(directions)
        unit = tree.unflatten(structure, [scale.astype(d.dtype) * d for d in directions])
        image = jvp(function, (point,), (unit,))[1]
        back, = vjp(function, point)[1](image)
        return tree.leaves(back), _norm(tree.leaves(image))

    return lax.for_loop(iterations, step, (directions, _norm(directions)))[1]


def _norm(leaves):
    total = 0.0
    for leaf in leaves:
        total = mnp.sum(mnp.square(leaf).astype("float64")) + total
    return mnp.sqrt(total)
