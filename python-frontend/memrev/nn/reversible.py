# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Couplings, and loops over equal blocks."""

from .. import lax, tree
from .. import numpy as mnp
from .._array import as_array
from .module import Module, _active, _copy, _scope, _Scope

__all__ = ["Coupling", "Repeat", "couple"]


def couple(function, x, given, kind: str = "additive", log_det: bool = False,
           inverse: bool = False):
    """The coupling x + function(given), or x s(a) + t for an affine kind: a bijection of
    `x` that is undone in the backward pass instead of stored.

    function: a module or a function of `given`, an array, or of its arrays if it is a list,
        that returns t, an array like `x`; for an affine kind the pair (a, t), or one array
        that has both, a first, in its last dimension. States of modules in it, such as
        running statistics, are updated once.
    kind, log_det, inverse: see `memrev.lax.coupling`.

    Returns the array, or with `log_det` the pair (array, log_det).
    """
    outer = _active.scope
    scope = _Scope(outer=outer, deferred=True)

    def region(*inner):
        with scope:
            result = function(*inner)
        if not kind.startswith("additive") and not isinstance(result, tuple):
            result = tuple(mnp.split(result, 2, axis=-1))
        return result, [values for *_, values in scope.pending]

    given = given if isinstance(given, list) else [given]
    *results, values = lax.coupling(kind, x, given, region, has_aux=True, log_det=log_det,
                                    inverse=inverse)
    for (binding, what, name, update, _), found in zip(scope.pending, values):
        outer.update(binding, what, name, update, found)
    return tuple(results) if log_det else results[0]


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
        return self._loop(lambda x: self.block(x, *rest), x)

    def _loop(self, function, x, reverse=False):
        """The loop x = function(x), in which the block has the arrays of one call after the
        other, with `reverse` from the last to the first."""
        scope = _scope(self)
        binding = scope.binding(self)
        node = binding.node.children.get("block")
        if node is None:
            raise RuntimeError("expects a block that is in no module before the Repeat, but got "
                               f"{type(self.block).__name__}, which has parameters elsewhere")
        if scope.pending is not None and any(
                entry[0] is binding and entry[2] == "block" for entry in scope.pending):
            raise RuntimeError("expects a Repeat with states to be called once in a coupling, "
                               "but got a second call")
        stacks = {"params": tree.map(as_array, binding.params.get("block", {})),
                  "state": binding.state.get("block", {})}
        # The loop carries what may change: parameters while data initialises them.
        carried = {kind: stacks.pop(kind)
                   for kind in (("params", "state") if scope.initializing else ("state",))}
        changed = set()

        def body(i, carry):
            x, carried = carry
            inner = _Scope(outer=scope, loops=(*scope.loops, (i, self.copies)))
            before = {kind: tree.map_with_path(lambda path, a: _entry(a, i, path), arrays)
                      for kind, arrays in {**stacks, **carried}.items()}
            after = {kind: _copy(arrays) for kind, arrays in before.items()}
            inner.bind(node, after["params"], after["state"])
            with inner:
                y = function(x)

            def stored(kind):
                def store(array, old, new):
                    if new is old:
                        return array
                    changed.add(kind)
                    return array.at[i].set(new)

                return tree.map(store, carried[kind], before[kind], after[kind])

            return y, {kind: stored(kind) for kind in carried}

        y, found = lax.for_loop(self.copies, body, (x, carried), reverse=reverse)
        for kind in changed:
            scope.update(binding, kind, "block", lambda old, new: new, [found[kind]])
        return y


def _entry(stacked, i, path):
    """Entry `i` of a stack, which the program's text calls by its path."""
    entry = stacked[i]
    entry.value.hint = "_".join(map(str, path))
    return entry
