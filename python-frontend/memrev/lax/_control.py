# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Control flow of programs: loops, scans, branches, and couplings."""

import math
import operator
import re

import numpy as np

from .. import _array, _dtypes, _graph, _indexing, tree
from .._array import Array, as_array, emit, emit_scalar, empty, tensor_type


class LoopIndex(Array):
    """The number of a loop's iteration: an int32 without dimensions. Indexing with it
    takes the loop's own counter; other uses convert it once, where the loop begins."""

    __slots__ = ("_region", "_place", "_value", "limits")

    def __init__(self, region, index, limits):
        self._region, self._value = region, None
        #: Where in the region the number is known.
        self._place = len(region.ops)
        #: (first, one behind the last), or None if they are traced.
        self.limits = limits
        self.shape, self.dtype, self._index = (), np.dtype(np.int32), index

    @property
    def value(self):
        if self._value is None:
            place = self._place
            rest, self._region.ops = self._region.ops[place:], self._region.ops[:place]
            number, = self._region.append("arith.index_cast {0} : index to i32", [self._index],
                                          ["i32"])
            self._value, = self._region.append("tensor.from_elements {0} : {r[0]}", [number],
                                               ["tensor<i32>"])
            self._region.ops += rest
        return self._value


def _index(n):
    """An extent or place, known or traced, as a value of type index."""
    if isinstance(n, Array):
        if n.shape or n.dtype.kind != "i":
            raise TypeError(f"expects an integer without dimensions, but got {n!r}")
        return _indexing.index_value(n)
    return emit_scalar(f"arith.constant {operator.index(n)} : index", [], "index")


def _carried(carry):
    leaves, structure = tree.flatten(carry)
    return [as_array(leaf) for leaf in leaves], structure


def _check_carry(what, structure, arrays, output):
    """The leaves of what an iteration returns, which are of the types of `arrays`."""
    found, found_structure = tree.flatten(output)
    if found_structure != structure:
        raise ValueError(f"{what} expects its function to return what it carries, but "
                         + tree.difference(structure, found_structure))
    result = []
    for path, array, leaf in zip(structure.paths(), arrays, found):
        leaf = as_array(leaf, array.dtype if _array.is_number(leaf) else None)
        if (leaf.shape, leaf.dtype) != (array.shape, array.dtype):
            raise ValueError(
                f"{what} expects its function to return {array.dtype}{list(array.shape)} at "
                f"'{tree.path_name(path)}', but got {leaf.dtype}{list(leaf.shape)}")
        result.append(leaf)
    return result


def _arguments(region, arrays):
    return [Array(region.add_argument(tensor_type(a.shape, a.dtype)), a.shape, a.dtype)
            for a in arrays]


def _yield(region, values, name="scf.yield"):
    names = ", ".join(f"{{{i}}}" for i in range(len(values)))
    types = ", ".join(tensor_type(v.shape, v.dtype) for v in values)
    region.append(f"{name} {names} : {types}" if values else name, [v.value for v in values], [])


def _emit_for(bounds, arrays, region, checkpoint):
    """The scf.for with that region, whose arguments are the counter and the carry."""
    carried = ", ".join(f"{{a[{i + 1}]}} = {{{i + 3}}}" for i in range(len(arrays)))
    types = ", ".join(tensor_type(a.shape, a.dtype) for a in arrays)
    text = "scf.for {a[0]} = {0} to {1} step {2}"
    if arrays:
        text += f" iter_args({carried}) -> ({types})"
    tail = f"{{{{rev.checkpoint = #rev.{checkpoint}}}}}" if checkpoint else ""
    return emit(text, [*bounds, *arrays], [(a.shape, a.dtype) for a in arrays],
                regions=[region], tail=tail)


def for_loop(n, body, carry, start=0, checkpoint=None, reverse=False):
    """Runs `carry = body(i, carry)` for i from `start` to `n` - 1 as one loop of the
    program, with `reverse` from `n` - 1 down to `start`, and returns the last carry, a tree
    of arrays whose types stay the same.

    A loop of couplings is differentiated by running it backwards, in memory that does
    not depend on `n`. checkpoint: "periodic<k>" keeps every k-th state for a loop that
    is not invertible, "binomial<s>" s states (Griewank and Walther, Revolve, ACM TOMS
    2000). `n` and `start` may be traced integers; then i has to be in range where it is
    an index, otherwise an index that is out of range raises IndexError.
    """
    arrays, structure = _carried(carry)
    bounds = [_index(start), _index(n), _index(1)]
    region = _graph.Block(parent=_graph.current_block())
    limits = None if isinstance(start, Array) or isinstance(n, Array) or start >= n else (start, n)
    if reverse:
        # Of the first and the last number, which the counter is as far from as i.
        ends = _index(start + n - 1)
    counter = region.add_argument("index", "i")
    inner = _arguments(region, arrays)
    with _graph.tracing(region):
        if reverse:
            counter = emit_scalar("arith.subi {0}, {1} : index", [ends, counter], "index")
        output = body(LoopIndex(region, counter, limits), tree.unflatten(structure, inner))
        _yield(region, _check_carry("for_loop", structure, arrays, output))
    return tree.unflatten(structure, _emit_for(bounds, arrays, region, checkpoint))


def scan(body, carry, xs=None, length=None, checkpoint=None):
    """Runs `carry, y = body(carry, x)` for each entry x of the leading dimension of the
    trees of arrays `xs`, as one loop; returns the last carry and the ys, stacked.

    length: the number of iterations, where xs is None. See `for_loop`.
    """
    stacks, xs_structure = _carried(xs)
    lengths = {a.shape[0] if a.shape else None for a in stacks} | (
        set() if length is None else {length})
    if len(lengths) != 1 or None in lengths:
        raise ValueError(f"scan expects arrays of one leading extent, but got {lengths or 'none'}")
    count = lengths.pop()
    arrays, structure = _carried(carry)
    bounds = [_index(0), _index(count), _index(1)]
    region = _graph.Block(parent=_graph.current_block())
    counter = LoopIndex(region, region.add_argument("index", "i"), (0, count))
    inner = _arguments(region, arrays)
    with _graph.tracing(region):
        entries = [stack[counter] for stack in stacks]
        result = body(tree.unflatten(structure, inner), tree.unflatten(xs_structure, entries))
        if not (isinstance(result, tuple) and len(result) == 2):
            raise TypeError("scan expects its function to return a pair (carry, y), but got "
                            f"{type(result).__name__}")
        yielded = _check_carry("scan", structure, arrays, result[0])
        ys, ys_structure = _carried(result[1])
    outputs = [empty((count, *y.shape), y.dtype) for y in ys]
    inner_outputs = _arguments(region, outputs)
    with _graph.tracing(region):
        yielded += [stack.at[counter].set(y) for stack, y in zip(inner_outputs, ys)]
        _yield(region, yielded)
    values = _emit_for(bounds, [*arrays, *outputs], region, checkpoint)
    return (tree.unflatten(structure, values[:len(arrays)]),
            tree.unflatten(ys_structure, values[len(arrays):]))


def _condition(value, what):
    value = as_array(value)
    if value.shape or not _dtypes.is_bool(value.dtype):
        raise TypeError(f"{what} expects a boolean without dimensions, but got {value!r}")
    return emit_scalar("tensor.extract {0}[] : {t[0]}", [value], "i1")


def cond(condition, true_fn, false_fn, *operands):
    """`true_fn(*operands)` if the traced boolean `condition` holds, else
    `false_fn(*operands)`; only that one is evaluated. Both return trees of the same
    structure and types."""
    flag = _condition(condition, "cond")
    regions, results = [], []
    for fn in (true_fn, false_fn):
        region = _graph.Block(parent=_graph.current_block())
        with _graph.tracing(region):
            results.append(_carried(fn(*operands)))
        regions.append(region)
    (arrays, structure), (others, other_structure) = results
    if structure != other_structure:
        raise ValueError("cond expects functions that return the same structure, but "
                         + tree.difference(structure, other_structure))
    for path, a, b in zip(structure.paths(), arrays, others):
        if (a.shape, a.dtype) != (b.shape, b.dtype):
            raise ValueError(
                f"cond expects functions that return the same types, but got {a.dtype}"
                f"{list(a.shape)} and {b.dtype}{list(b.shape)} at '{tree.path_name(path)}'")
    for region, values in zip(regions, (arrays, others)):
        _yield(region, values)
    types = ", ".join(tensor_type(a.shape, a.dtype) for a in arrays)
    values = emit(f"scf.if {{0}} -> ({types})" if arrays else "scf.if {0}", [flag],
                  [(a.shape, a.dtype) for a in arrays], regions=regions)
    return tree.unflatten(structure, values)


def while_loop(condition, body, carry):
    """Runs `carry = body(carry)` while `condition(carry)`, a boolean, holds."""
    arrays, structure = _carried(carry)
    types = ", ".join(tensor_type(a.shape, a.dtype) for a in arrays)
    before, after = (_graph.Block(parent=_graph.current_block()) for _ in range(2))
    inner = _arguments(before, arrays)
    with _graph.tracing(before):
        flag = _condition(condition(tree.unflatten(structure, inner)), "while_loop")
        names = ", ".join(f"{{{i + 1}}}" for i in range(len(inner)))
        before.append(f"scf.condition({{0}}) {names} : {types}",
                      [flag, *(a.value for a in inner)], [])
    inner = _arguments(after, arrays)
    with _graph.tracing(after):
        output = body(tree.unflatten(structure, inner))
        _yield(after, _check_carry("while_loop", structure, arrays, output))
    carried = ", ".join(f"{{a[{i}]}} = {{{i}}}" for i in range(len(arrays)))
    values = emit(f"scf.while ({carried}) : ({types}) -> ({types})", arrays,
                  [(a.shape, a.dtype) for a in arrays], regions=[before, after])
    return tree.unflatten(structure, values)


#: The scales of affine couplings, and whether they have a parameter alpha.
_SCALES = {"exp": False, "sigmoid": False, "identity": False, "soft_tanh": True,
           "soft_atan": True}

_AFFINE = re.compile(r"affine\s*<\s*(\w+)\s*"
                     r"(?:,\s*alpha\s*=\s*([^\s:>]+)\s*(?::\s*f64\s*)?)?>")


_FIXED_POINT = re.compile(r"additive\s*<\s*fraction\s*=\s*(\d+)\s*>")


def _parse_kind(kind):
    """(the kind as the compiler reads it, the number of its parameters)."""
    if kind == "additive":
        return kind, 1
    if match := isinstance(kind, str) and _FIXED_POINT.fullmatch(kind):
        return f"additive<fraction = {match[1]}>", 1
    match = _AFFINE.fullmatch(kind) if isinstance(kind, str) else None
    if not match or match[1] not in _SCALES:
        kinds = ", ".join(f"affine<{scale}{', alpha = ...' if has_alpha else ''}>"
                          for scale, has_alpha in _SCALES.items())
        raise ValueError(f"expects a kind out of additive, additive<fraction = ...>, {kinds}, "
                         f"but got '{kind}'")
    scale, text = match.groups()
    if not _SCALES[scale]:
        if text is not None:
            raise ValueError(f"expects no alpha for the scale {scale}, but got '{kind}'")
        return f"affine<{scale}>", 2
    try:
        alpha = float(text) if text is not None else math.nan
    except ValueError:
        alpha = math.nan
    if not 0 < alpha < math.inf:
        raise ValueError(f"expects a positive number alpha for the scale {scale}, but got "
                         f"'{kind}'")
    return f"affine<{scale}, alpha = {alpha:.17e} : f64>", 2


def coupling(kind, x, given, fn, has_aux=False, log_det=False, batch_axis=0, inverse=False):
    """The coupling `x` -> f(x; fn(*given)), undone in the backward pass instead of
    stored (`rev.coupling`).

    kind: "additive" (y = x + t), or "affine<scale>" (y = x * s(a) + t) with a scale out
        of exp, sigmoid (of a + 2), identity, "soft_tanh, alpha = ..." and "soft_atan,
        alpha = ...": Dinh et al., arXiv 1410.8516 and 1605.08803. "additive<fraction = n>"
        rounds t to multiples of 2**-n, as `fixed_point`, which x has to consist of: it is
        undone bit for bit, at any depth, and NaN beyond the bound of `fixed_point`.
    given: the arrays that condition it, a list; none may be `x` or computed from it by
        `fn`.
    fn: takes the arrays of `given` and returns t, or the pair (a, t): arrays like `x`.
        It may capture other arrays, such as parameters. With `has_aux` it returns a pair
        of that and a tree of other results, such as statistics, which are computed once,
        in the forward pass.

    log_det: whether the logarithm of the absolute value of the Jacobian determinant is a
        result, too: one number for each sample along `batch_axis`, the sum of log s over
        the others; zeros for an additive coupling. It has a derivative.
    inverse: whether to go the other way, from y, given as `x`, to x = f^-1(y;
        fn(*given)), with the log-determinant of that direction, -log s. It is as good a
        coupling as the other direction: undone in the backward pass with one evaluation
        of `fn`.

    Returns the array y, of the type of x; with `log_det` the pair (y, log_det), with
    `has_aux` (y, aux), with both (y, log_det, aux). Raises ValueError if the results of
    `fn` are not as `kind` needs them, if there is no such kind, or if `x` has no dimension
    `batch_axis`.
    """
    x = as_array(x)
    if log_det and not -x.ndim <= batch_axis < x.ndim:
        raise ValueError(f"expects a batch_axis of an array of shape {list(x.shape)}, but got "
                         f"{batch_axis}")
    given = [as_array(g) for g in given]
    kind, count = _parse_kind(kind)
    region = _graph.Block(parent=_graph.current_block())
    inner = _arguments(region, given)
    with _graph.tracing(region):
        result = fn(*inner)
        aux, aux_structure = [], None
        if has_aux:
            if not (isinstance(result, tuple) and len(result) == 2):
                raise TypeError("a coupling with aux expects a function that returns a pair "
                                f"(parameters, aux), but got {type(result).__name__}")
            result, rest = result
            aux, aux_structure = _carried(rest)
        parameters = [as_array(p) for p in (result if isinstance(result, tuple) else (result,))]
        if len(parameters) != count:
            raise ValueError(f"an {kind} coupling expects a function with {count} results, but "
                             f"got {len(parameters)}")
        for p in parameters:
            if (p.shape, p.dtype) != (x.shape, x.dtype):
                raise ValueError(f"a coupling of {x.dtype}{list(x.shape)} expects a function "
                                 f"that returns arrays like it, but got {p.dtype}"
                                 f"{list(p.shape)}")
        _yield(region, parameters + aux, "rev.yield")
    names = ", ".join(f"{{{i + 1}}}" for i in range(len(given)))
    types = ", ".join(f"{{t[{i + 1}]}}" for i in range(len(given)))
    further = [(a.shape, a.dtype) for a in aux]
    if inverse:
        kind = f"inverse_of<{kind}>"
    head = f"rev.coupling {kind} {{0}} given({names})"
    if log_det:
        batch_axis %= x.ndim
        further.insert(0, ((x.shape[batch_axis],), x.dtype))
        head += " log_det"
        if batch_axis:
            head += f" attributes {{{{batch_dim = {batch_axis} : i64}}}}"
    arrow = f" -> ({', '.join(tensor_type(*type) for type in further)})" if further else ""
    results = emit(head, [x, *given], [(x.shape, x.dtype), *further], regions=[region],
                   tail=f": {{t[0]}}, ({types}){arrow}")
    values = tuple(results[:2 if log_det else 1])
    if has_aux:
        values += (tree.unflatten(aux_structure, results[len(values):]),)
    return values if len(values) > 1 else values[0]
