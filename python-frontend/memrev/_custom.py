# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Functions with derivatives or inverses of their own."""

import functools

import numpy as np

from . import _array, _dtypes, _graph, tree
from ._jit import ShapeDtype, TracedFunction, call_traced, function_name, jit
from ._transforms import inverse as _inverse_of
from ._transforms import leaves_or_none


def custom_vjp(fn=None, *, forward, backward):
    """Gives `fn` a reverse derivative of its own, which every transform takes instead of
    differentiating `fn`.

    fn: a function of trees of arrays, given by position, that returns a tree of arrays. It
        reads no other traced arrays than these.
    forward: takes the arguments of `fn` and returns a pair (output, residuals): what `fn`
        returns, and a tree of arrays that `backward` needs.
    backward: takes the residuals and a tree like the output, of its cotangents with None
        where the output is no float, and returns a tuple of the cotangents of the
        arguments, trees like these in which None stands for zero.

    Wherever a derivative is taken the rules are parts of the program, so that they can be
    differentiated themselves, and may call `fn`. Forward mode needs `custom_jvp`, too; the
    two may be stacked. Works as a decorator. Calls raise TypeError or ValueError if the
    rules do not return what they have to.

        @memrev.custom_vjp(forward=lambda x: (mnp.exp(x), mnp.exp(x)),
                           backward=lambda y, dy: (dy * y,))
        def f(x):
            return mnp.exp(x)
    """
    if fn is None:
        return functools.partial(custom_vjp, forward=forward, backward=backward)
    return FunctionWithRules.extend(fn, vjp=(forward, backward))


def custom_jvp(fn=None, *, tangent):
    """Gives `fn` a forward derivative of its own.

    fn: as for `custom_vjp`.
    tangent: takes the tuple of the arguments and the tuple of their tangents, trees like
        them with None for what is no float, and returns a pair (output, tangents of the
        output), where None stands for zero.

    Reverse mode needs `custom_vjp`, too. Works as a decorator, and raises what that does.
    """
    if fn is None:
        return functools.partial(custom_jvp, tangent=tangent)
    return FunctionWithRules.extend(fn, jvp=tangent)


def custom_inverse(fn=None, *, inverse, gain=None, log_det=None, has_aux=False):
    """Gives `fn` an inverse of its own in its first argument.

    fn: takes a tree of arrays x, and others, by position, and returns a tree of arrays. It
        reads no other traced arrays than these.
    inverse: takes the output of `fn` and the other arguments, and returns a tree like x.
    gain: how many times an error of the output the error of what `inverse` returns is at
        most, a number of at least 1. Without it the inverse is trusted to round, and no
        more, like that of a coupling.
    log_det: takes the arguments of `fn` and returns log |det| of the derivative of the output
        by x, an array with one float for each sample, what `memrev.log_det` calls for what
        calls `fn`.
    has_aux: whether `fn` returns a pair (output, aux) of trees of which `inverse` takes the
        output alone: it returns a pair (x, aux) then. Derivatives take aux from where it was
        last evaluated, and evaluate neither `fn` nor `inverse` again for it: what both find
        out on their ways, such as the bin that an element is in, belongs there.

    `memrev.inverse(fn)` calls the inverse, and so does the inverse of what calls `fn`. A
    reverse derivative of a chain of such calls, or of a loop over one, keeps nothing of
    them: it gets each x back by the inverse, and evaluates `fn` once more there. `inverse`
    has `fn` as its inverse in turn. May be stacked with `custom_vjp` and `custom_jvp`, and
    works as a decorator. Raises ValueError for another gain; calls raise TypeError or
    ValueError if `inverse` does not return what it has to. Whether it is the inverse is up
    to the caller, and to `check_inverse`.

        @memrev.custom_inverse(inverse=lambda y, w: mnp.linalg.solve(w, y))
        def product(x, w):
            return w @ x
    """
    if fn is None:
        return functools.partial(custom_inverse, inverse=inverse, gain=gain, log_det=log_det,
                                 has_aux=has_aux)
    if gain is not None and not 1 <= gain < float("inf"):
        raise ValueError(f"expects a gain of at least 1, but got {gain}")
    return FunctionWithRules.extend(fn, inverse=(inverse, gain, log_det, has_aux))


def check_inverse(fn, *args, tolerance=None):
    """Applies `fn` and its inverse in the first argument, one after the other.

    fn: a function that has an inverse by `custom_inverse`, or one that the compiler
        derives.
    args: its arguments, trees of arrays; the first one is what has to come back.
    tolerance: how far each of its arrays may be from what comes back, at most, as a part
        of its largest absolute value; by default so far that half of the digits of its
        dtype are right, and zero for integers, as for `memrev-compile --check-inverse`.

    Returns the largest such difference, a float. Raises ValueError with it and the place in
    the tree if it is above the tolerance, and CompileError if `fn` has no inverse.
    """
    x, *others = args

    def round_trip(x, *others):
        return _inverse_of(fn, like=x)(fn(x, *others), *others)

    found = tree.leaves(jit(round_trip)(x, *others))
    leaves, structure = tree.flatten(x)
    worst = 0.0
    for path, exact, back in zip(structure.paths(), leaves, found):
        dtype = _dtypes.as_dtype(back.dtype)
        allowed = _round_trip_tolerance(dtype) if tolerance is None else tolerance
        difference = _relative_difference(*(np.asarray(v, np.float64) for v in (exact, back)))
        if not difference <= allowed:
            raise ValueError(
                f"expects the inverse of '{function_name(fn)}' to give its argument back within "
                f"{allowed:.1e}, but got a difference of {difference:.1e} at "
                f"'{tree.path_name(path)}'")
        worst = max(worst, difference)
    return worst


def _relative_difference(exact, found):
    if exact.size == 0:
        return 0.0
    difference, scale = np.abs(exact - found).max(), np.abs(exact).max()
    return float(difference if difference == 0 or scale == 0 else difference / scale)


def _round_trip_tolerance(dtype):
    return 2 ** ((1 - _dtypes.precision(dtype)) / 2) if _dtypes.is_float(dtype) else 0.0


class FunctionWithRules:
    """A function whose derivatives or inverse are functions that somebody wrote. A call from
    a trace is a call in the program, which has the function once for each signature."""

    @classmethod
    def extend(cls, fn, **rules):
        """`fn`, which may have others, with those rules."""
        if isinstance(fn, cls):
            return cls(fn.fn, **{**fn.rules, **rules})
        return cls(fn, **rules)

    def __init__(self, fn, **rules):
        functools.update_wrapper(self, fn)
        self.fn, self.rules = fn, rules

        @functools.wraps(fn)
        def call(*args):
            return self._call(*args)

        self._compiled = jit(call)

    def __call__(self, *args):
        return (self._compiled if _graph.current_block() is None else self._call)(*args)

    def _call(self, *args):
        leaves, structure = tree.flatten(args)
        arrays = [_array.as_array(leaf) for leaf in leaves]
        memo = _graph.current_block().function.program.memo
        key = (self, structure, tuple((a.dtype.name, a.shape) for a in arrays))
        if key not in memo:
            signature = _Signature(function_name(self), structure, arrays)
            memo[key] = signature.trace(self.fn, "", _templates(structure, arrays))
            try:  # The rules may call the function.
                signature.set_rules(memo[key], **self.rules)
            except BaseException:
                del memo[key]
                raise
        return call_traced(memo[key], arrays)


def _templates(structure, arrays):
    """A tree that stands for one of arrays of these types."""
    return tree.unflatten(structure, [ShapeDtype(a.shape, a.dtype) for a in arrays])


class _Signature:
    """The arguments of a function, and the rules traced for them."""

    def __init__(self, name, structure, arrays):
        self.name, self.structure, self.arrays = name, structure, arrays
        self.floats = [i for i, a in enumerate(arrays) if _dtypes.is_float(a.dtype)]

    def trace(self, fn, suffix, args):
        block = _graph.current_block()
        traced = TracedFunction(fn, block.function.program, self.name + suffix, args, {},
                                lambda i, leaf: True, outer=block)
        if traced.function.captures:
            raise TypeError(
                f"expects '{self.name}', which has rules of its own, and its rules to "
                "read no traced arrays but their arguments, but got "
                f"{len(traced.function.captures)} of the functions around; pass them as "
                "arguments")
        return traced

    def set_rules(self, traced, vjp=None, jvp=None, inverse=None):
        """Traces the rules and names them in the function's attributes."""
        self.output, self.types = traced.result_structure, traced.result_types
        self.float_results = [i for i, (_, dtype) in enumerate(self.types)
                              if _dtypes.is_float(dtype)]
        args = _templates(self.structure, self.arrays)
        attributes = []
        if vjp is not None:
            forward = self.trace(functools.partial(self._forward, vjp[0]), "_forward", args)
            _, residuals = forward.output
            structure = tree.structure(residuals)
            stored = forward.results[len(self.types):]
            backward = self.trace(
                functools.partial(self._backward, vjp[1]), "_backward",
                (_templates(structure, stored),
                 [ShapeDtype(*self.types[i]) for i in self.float_results]))
            attributes.append(
                f"rev.custom_vjp = #rev.custom_vjp<forward = @{forward.function.name}, "
                f"backward = @{backward.function.name}>")
        if jvp is not None:
            tangent = self.trace(
                functools.partial(self._tangent, jvp), "_tangent",
                (args, [ShapeDtype(self.arrays[i].shape, self.arrays[i].dtype)
                        for i in self.floats]))
            attributes.append(f"rev.custom_jvp = @{tangent.function.name}")
        if inverse is not None:
            rule, gain, log_det, has_aux = inverse
            output = tree.unflatten(self.output, [ShapeDtype(*type) for type in self.types])
            if has_aux:
                if not isinstance(output, tuple) or len(output) != 2:
                    raise TypeError(f"expects '{self.name}' to return a pair (output, aux), but "
                                    f"got {type(output).__name__}")
                output, aux = output
            inverted = self.trace(functools.partial(self._inverse, rule, has_aux), "_inverse",
                                  (output, *args[1:]))
            attributes.append(f"rev.inverse = @{inverted.function.name}")
            if has_aux:
                attributes.append(f"rev.side_results = {len(tree.leaves(aux))} : i64")
            if gain is not None:
                attributes.append(f"rev.gain = {float(gain)!r} : f64")
            if log_det is not None:
                samples = self.trace(functools.partial(self._log_det, log_det), "_log_det", args)
                attributes.append(f"rev.log_det = @{samples.function.name}")
        if attributes:
            traced.function.attributes = "{" + ", ".join(attributes) + "}"

    # What the program's functions compute, by the rules: trees of arrays in, lists out.

    def _forward(self, rule, *args):
        output, residuals = self._pair("forward", rule(*args), "(output, residuals)")
        return self._checked_output("forward", output), residuals

    def _backward(self, rule, residuals, cotangents):
        given = rule(residuals, _spread(self.output, self.float_results, cotangents))
        count = len(self.structure.children)
        if not isinstance(given, (tuple, list)) or len(given) != count:
            got = f"{len(given)}" if isinstance(given, (tuple, list)) else type(given).__name__
            raise TypeError(f"expects the backward rule of '{self.name}' to return a tuple of "
                            f"{count} cotangents, but got {got}")
        types = [(a.shape, a.dtype) for a in self.arrays]
        return self._derivatives("backward", "cotangent", "argument", self.structure, types,
                                 tuple(given))

    def _tangent(self, rule, args, tangents):
        output, found = self._pair(
            "tangent", rule(args, _spread(self.structure, self.floats, tangents)),
            "(output, tangents)")
        return (self._checked_output("tangent", output),
                self._derivatives("tangent", "tangent", "result", self.output, self.types, found))

    def _inverse(self, rule, has_aux, output, *others):
        found, aux = rule(output, *others), []
        if has_aux:
            found, aux = self._pair("inverse", found, "(argument, aux)")
            aux = self._like("inverse", "its aux", self.output.children[1],
                             self.types[self.output.children[0].num_leaves:], aux)
        first = self.structure.children[0]
        types = [(a.shape, a.dtype) for a in self.arrays[:first.num_leaves]]
        return [*self._like("inverse", "its first argument", first, types, found), *aux]

    def _log_det(self, rule, *args):
        found = _array.as_array(rule(*args))
        if found.ndim != 1 or not _dtypes.is_float(found.dtype):
            raise ValueError(f"expects the log_det rule of '{self.name}' to return one float for "
                             f"each sample, but got {found.dtype}{list(found.shape)}")
        return found

    def _pair(self, rule, given, what):
        if not isinstance(given, tuple) or len(given) != 2:
            raise TypeError(f"expects the {rule} rule of '{self.name}' to return a pair {what}, "
                            f"but got {type(given).__name__}")
        return given

    def _checked_output(self, rule, output):
        return self._like(rule, "its output", self.output, self.types, output, "a result")

    def _like(self, rule, what, expected, types, given, leaf_name="an array"):
        """The leaves of `given`, which has to be of the structure `expected` and `types`."""
        leaves, structure = tree.flatten(given)
        if structure != expected:
            raise ValueError(f"expects the {rule} rule of '{self.name}' to return {what}, but "
                             + tree.difference(expected, structure))
        return [self._checked(rule, leaf_name, path, leaf, *type)
                for path, leaf, type in zip(structure.paths(), leaves, types)]

    def _checked(self, rule, what, path, leaf, shape, dtype):
        array = _array.as_array(leaf, dtype if _array.is_number(leaf) else None)
        if (array.shape, array.dtype) != (shape, dtype):
            raise ValueError(
                f"expects the {rule} rule of '{self.name}' to return {what} of {dtype}"
                f"{list(shape)} at '{tree.path_name(path)}', but got {array.dtype}"
                f"{list(array.shape)}")
        return array

    def _derivatives(self, rule, what, of, structure, types, given):
        """Those of the floats of `structure`, whose leaves are of `types`."""
        leaves = leaves_or_none(structure, given, what, f"the {of}s of '{self.name}'")
        found = []
        for path, leaf, (shape, dtype) in zip(structure.paths(), leaves, types):
            if not _dtypes.is_float(dtype):
                if leaf is not None:
                    raise TypeError(
                        f"expects the {rule} rule of '{self.name}' to return None for an {of} of "
                        f"{dtype}, but got a {what} at '{tree.path_name(path)}'".replace(
                            "an result", "a result"))
            elif leaf is None:
                found.append(_array.full(shape, 0, dtype))
            else:
                found.append(self._checked(rule, f"a {what}", path, leaf, shape, dtype))
        return found


def _spread(structure, places, values):
    """A tree with `values` at the leaves `places`, and None at the others."""
    leaves = [None] * structure.num_leaves
    for i, value in zip(places, values):
        leaves[i] = value
    return tree.unflatten(structure, leaves)
