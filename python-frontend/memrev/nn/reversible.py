# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Couplings, and loops over equal blocks."""

from .. import lax, tree
from .. import numpy as mnp
from .._array import as_array
from .module import Module, _active, _copy, _scope, _Scope

__all__ = ["Coupling", "Repeat", "couple"]


def couple(function, x, given, kind: str = "additive"):
    """The coupling x + function(given), or x s(a) + t for an affine kind: a bijection of
    `x` that is undone in the backward pass instead of stored.

    function: a module or a function of `given`, an array, that returns t, an array like
        `x`; for an affine kind the pair (a, t), or one array that has both, a first, in
        its last dimension. States of modules in it, such as running statistics, are
        updated once.
    kind: see `memrev.lax.coupling`.
    """
    outer = _active.scope
    scope = _Scope(outer=outer, deferred=True)

    def region(inner):
        with scope:
            result = function(inner)
        if kind != "additive" and not isinstance(result, tuple):
            result = tuple(mnp.split(result, 2, axis=-1))
        return result, [values for *_, values in scope.pending]

    y, values = lax.coupling(kind, x, [given], region, has_aux=True)
    for (binding, name, update, _), found in zip(scope.pending, values):
        outer.update(binding, name, update, found)
    return y


class Coupling(Module):
    """Two couplings, the block of a reversible network: Gomez et al. (arXiv 1707.04585,
    equation 6), Dinh et al. (arXiv 1410.8516) for affine ones,

        y1 = x1 + F(x2),  y2 = x2 + G(y1)

    The halves x1, x2 are a tuple, or one array that is split along `axis`, by default the
    channels; the result is what the argument was. A tuple needs no copy: keep halves as
    tuples from block to block, as `Sequential` and `Repeat` do.

    f, g: modules that keep the shape of a half; for an affine kind as `couple` says.
        Without `g` the second half passes unchanged.
    kind: "additive", "affine<exp>", ...: see `memrev.lax.coupling`.

    Submodules: `f` and `g`.
    """

    def __init__(self, f, g=None, kind: str = "additive", axis: int = -1):
        self.f, self.g = f, g
        self.kind, self.axis = kind, axis

    def __call__(self, x):
        if not isinstance(x, (tuple, list)):
            if x.shape[self.axis] % 2:
                raise ValueError(f"Coupling expects an even extent of dimension {self.axis}, "
                                 f"but got shape {list(x.shape)}")
            halves = mnp.split(x, 2, axis=self.axis)
            return mnp.concatenate(self(tuple(halves)), axis=self.axis)
        if len(x) != 2:
            raise ValueError(f"Coupling expects two halves, but got {len(x)}")
        x1, x2 = x
        y1 = couple(self.f, x1, x2, self.kind)
        y2 = x2 if self.g is None else couple(self.g, x2, y1, self.kind)
        return y1, y2


class Repeat(Module):
    """Calls a block `count` times, each time with parameters of its own, as one loop of
    the program: its code, its compile time and, if the block is reversible, its memory
    do not depend on `count`.

    block: a module whose result has the structure, shapes and dtypes of its argument,
        a tree of arrays; further arguments are the same for each call.

    Submodule: `block`, with the parameters and states of the calls stacked along a new
    first dimension; `init` draws them as it would for `count` separate blocks. Raises
    ValueError if `count` is less than 1.
    """

    def __init__(self, block: Module, count: int):
        if count < 1:
            raise ValueError(f"Repeat expects a count of at least 1, but got {count}")
        self.block, self.copies = block, count

    def __call__(self, x, *rest):
        scope = _scope(self)
        binding = scope.binding(self)
        node = binding.node.children.get("block")
        if node is None:
            raise RuntimeError("expects a block that is in no module before the Repeat, but got "
                               f"{type(self.block).__name__}, which has parameters elsewhere")
        if scope.pending is not None and any(
                entry[:2] == (binding, "block") for entry in scope.pending):
            raise RuntimeError("expects a Repeat with states to be called once in a coupling, "
                               "but got a second call")
        params = tree.map(as_array, binding.params.get("block", {}))
        changed = False

        def body(i, carry):
            nonlocal changed
            x, stacked = carry
            inner = _Scope(outer=scope, loops=(*scope.loops, (i, self.copies)))
            before = tree.map_with_path(lambda path, a: _entry(a, i, path), stacked)
            after = _copy(before)
            inner.bind(node, tree.map_with_path(lambda path, a: _entry(a, i, path), params),
                       after)
            with inner:
                y = self.block(x, *rest)

            def store(array, old, new):
                nonlocal changed
                if new is old:
                    return array
                changed = True
                return array.at[i].set(new)

            return y, tree.map(store, stacked, before, after)

        y, state = lax.for_loop(self.copies, body, (x, binding.state.get("block", {})))
        if changed:
            scope.update(binding, "block", lambda old, new: new, [state])
        return y


def _entry(stacked, i, path):
    """Entry `i` of a stack, which the program's text calls by its path."""
    entry = stacked[i]
    entry.value.hint = "_".join(map(str, path))
    return entry
