# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Function transforms: derivatives and inverses of functions of arrays."""

import functools

import numpy as np

from . import _array, _dtypes, _graph, _split, tree
from ._device import as_contiguous, as_numpy
from ._jit import Jitted, TracedFunction, call_traced, function_name, jit, programs_of

_POLICIES = ("invert", "store")


def _check_policy(policy):
    if policy not in _POLICIES:
        raise ValueError(f"expects a policy out of {', '.join(_POLICIES)}, but got {policy!r}")


def _is_arrayish(leaf):
    return isinstance(leaf, (_array.Array, np.ndarray, np.generic)) or hasattr(leaf, "__dlpack__")


class _Callee:
    """A function that is traced as a function of its own in the current program,
    with the operands of a call and the numbers of those to differentiate by."""

    def __init__(self, fn, args, kwargs, argnums):
        block = _graph.current_block()
        for n in argnums:
            if not -len(args) <= n < len(args):
                raise ValueError(f"expects '{function_name(fn)}' to have an argument {n}, but "
                                 f"got {len(args)} arguments")
        argnums = [n % len(args) for n in argnums]
        leaves, structure = tree.flatten((args, kwargs))
        paths = structure.paths()
        chosen = [path[0] == 0 and path[1] in argnums for path in paths]
        self.arrays, is_array = [], []
        for i, leaf in enumerate(leaves):
            is_array.append(_is_arrayish(leaf) or chosen[i])
            if is_array[i]:
                leaves[i] = _array.as_array(leaf)
                self.arrays.append(leaves[i])
            if chosen[i] and not _dtypes.is_float(leaves[i].dtype):
                raise TypeError(
                    f"expects arrays of floats to differentiate '{function_name(fn)}' by, but "
                    f"got {leaves[i].dtype} at '{tree.path_name(paths[i][1:])}'")
        args, kwargs = tree.unflatten(structure, leaves)
        self.traced = TracedFunction(
            fn, block.function.program, function_name(fn), args, kwargs,
            lambda i, leaf: is_array[i], outer=block)
        numbers = [i for i, array in enumerate(is_array) if array]
        self.wrt = [k for k, i in enumerate(numbers) if chosen[i]]
        self.wrt_types = [(self.arrays[k].shape, self.arrays[k].dtype) for k in self.wrt]
        self.operands = self.traced.operands(self.arrays)
        self.name = self.traced.function.name


def _emit_transform(head, tail, callee, operands, others, types):
    """`head`(operands) with `others` between `tail`'s parts; results of `types`."""
    first = ", ".join(f"{{{i}}}" for i in range(len(operands)))
    second = ", ".join(f"{{{i + len(operands)}}}" for i in range(len(others)))
    all_types = ", ".join(f"{{t[{i}]}}" for i in range(len(operands) + len(others)))
    results = ", ".join(_array.tensor_type(*type) for type in types)
    middle = tail.replace("$others", second)
    return _array.emit(f"{head} @{callee.name}({first}) {middle} : ({all_types}) -> ({results})",
                       [*operands, *others], types)


def _compiles_itself(transform):
    """Lets a transformed function be called outside of a trace: it is jitted then."""

    @functools.wraps(transform)
    def wrapper(fn, *options, **keywords):
        inner = transform(fn, *options, **keywords)
        functools.update_wrapper(inner, _unwrapped(fn))
        compiled = jit(inner)

        @functools.wraps(inner)
        def call(*args, **kwargs):
            return (compiled if _graph.current_block() is None else inner)(*args, **kwargs)

        return call

    return wrapper


def _unwrapped(fn):
    return fn._fn if isinstance(fn, Jitted) else fn


def _as_tuple(argnums):
    return (argnums,) if isinstance(argnums, int) else tuple(argnums)


@_compiles_itself
def value_and_grad(fn, argnums=0, has_aux=False, policy="invert"):
    """Returns a function that evaluates `fn` and its gradient.

    fn: returns a float array without dimensions, or with `has_aux` a pair of that
        and a tree of other results.
    argnums: the arguments to differentiate by, a number or a tuple: trees of float
        arrays.
    policy: "invert" gets values of the forward pass back by inversion where it can,
        "store" keeps them all.

    The result is (value, gradient), or ((value, aux), gradient); the gradient is a
    tree like the argument, a tuple of such for a tuple of argnums. Raises TypeError if
    the value or an argument is no float, ValueError if the value has dimensions.
    """
    _check_policy(policy)
    inner = _unwrapped(fn)

    def value_and_gradient(*args, **kwargs):
        def loss(*args, **kwargs):
            result = inner(*args, **kwargs)
            if has_aux and not (isinstance(result, tuple) and len(result) == 2):
                raise TypeError(f"expects '{function_name(inner)}' to return a pair (value, "
                                f"aux), but got {type(result).__name__}")
            value = _array.as_array(result[0] if has_aux else result)
            if not _dtypes.is_float(value.dtype):
                raise TypeError(f"expects '{function_name(inner)}' to return a float, but got "
                                f"{value.dtype}")
            if value.shape:
                raise ValueError(f"expects '{function_name(inner)}' to return an array without "
                                 f"dimensions, but got shape {list(value.shape)}")
            return (value, result[1]) if has_aux else (value, None)

        functools.update_wrapper(loss, inner)
        numbers = _as_tuple(argnums)
        callee = _Callee(loss, args, kwargs, numbers)
        types = callee.traced.result_types
        values = _emit_transform(
            "rev.value_and_grad", f"wrt {callee.wrt} policy({policy})", callee,
            callee.operands, [], types + callee.wrt_types)
        value, aux = tree.unflatten(callee.traced.result_structure, values[:len(types)])
        gradients = _unflatten_arguments(args, numbers, values[len(types):])
        gradients = gradients[0] if isinstance(argnums, int) else gradients
        return ((value, aux) if has_aux else value), gradients

    return value_and_gradient


def _unflatten_arguments(args, numbers, values):
    """Trees like the arguments `numbers`; `values` are in the order of arguments."""
    numbers = [n % len(args) for n in numbers]
    values = iter(values)
    by_number = {}
    for n in sorted(numbers):
        structure = tree.structure(args[n])
        by_number[n] = tree.unflatten(
            structure, [next(values) for _ in range(structure.num_leaves)])
    return tuple(by_number[n] for n in numbers)


def grad(fn, argnums=0, has_aux=False, policy="invert"):
    """Returns a function that evaluates the gradient of `fn`, or with `has_aux` a pair
    (gradient, aux). Arguments and errors are those of `value_and_grad`."""
    both = value_and_grad(fn, argnums, has_aux, policy)

    @functools.wraps(_unwrapped(fn))
    def gradient(*args, **kwargs):
        value, gradients = both(*args, **kwargs)
        return (gradients, value[1]) if has_aux else gradients

    return gradient


def vjp(fn, *primals, policy="invert"):
    """Evaluates `fn` at `primals` and returns (output, pullback).

    fn: a function of trees of arrays that returns a tree of arrays.
    primals: its arguments, positional.
    policy: "invert" gets values of the forward pass back by inversion where it can,
        "store" keeps them all.

    `pullback(cotangent)` takes a tree like the output, in which None stands for zero,
    and returns a tuple of the cotangents of `primals`: of their float arrays, and None
    for what is no float. It may be called more than once, by several threads. Raises
    ValueError if a cotangent has another shape or type than its result, TypeError for one
    of a result that is no float.

    Outside of a trace `fn` is compiled as by `jit`, in two: `vjp` evaluates it, and
    `pullback` keeps what the backward pass reads until it is dropped. These are results,
    which is why they cannot be written, and arguments, which are copied if they can be
    written.
    """
    _check_policy(policy)
    if _graph.current_block() is None:
        return _concrete_vjp(_unwrapped(fn), primals, policy)
    leaves, structure = tree.flatten(primals)
    arrays = [_array.as_array(leaf) for leaf in leaves]
    active = [i for i, array in enumerate(arrays) if _dtypes.is_float(array.dtype)]
    callee = _Callee(_unwrapped(fn), tree.unflatten(structure, arrays), {}, ())
    output = call_traced(callee.traced, callee.arrays)

    def pullback(cotangent):
        of, cotangents = _matching_cotangents(
            callee.traced.result_structure, callee.traced.result_types, cotangent,
            _array.as_array)
        types = [(arrays[i].shape, arrays[i].dtype) for i in active]
        gradients = [None] * len(arrays)
        if active and of:
            values = _emit_transform(
                "rev.vjp", f"cotangents($others) wrt {active} of {of} policy({policy})", callee,
                callee.operands, cotangents, types)
            for i, value in zip(active, values):
                gradients[i] = value
        elif active:
            for i, (shape, dtype) in zip(active, types):
                gradients[i] = _array.full(shape, 0, dtype)
        return tree.unflatten(structure, gradients)

    return output, pullback


def _concrete_vjp(fn, primals, policy):
    """vjp outside of a trace: forward now, backward when it is asked for."""
    program, arrays = _split.Split(fn, policy).program(primals)
    structure = tree.structure(primals)
    results, kept = program.forward(arrays)

    def pullback(cotangent):
        of, given = _matching_cotangents(program.structure, program.results, cotangent,
                                         _cotangent_array)
        given = dict(zip(of, given))
        gradients = [None] * len(program.arguments)
        if not of:
            found = [np.zeros(*program.arguments[i]) for i in program.wrt]
        else:
            found = program.backward(kept, [
                given[i] if i in given else np.zeros(*program.results[i]) for i in program.of])
        for i, gradient in zip(program.wrt, found):
            gradients[i] = gradient
        return tree.unflatten(structure, gradients)

    return tree.unflatten(program.structure, results), pullback


def _cotangent_array(x, dtype):
    array = as_numpy(x) if dtype is None else np.asarray(x, dtype)
    if array is None:
        raise TypeError(f"expects arrays and numbers as cotangents of arrays, but got "
                        f"{type(x).__name__}")
    return as_contiguous(array)


def _matching_cotangents(structure, types, given, as_array):
    """The numbers of float results that `given` has cotangents for, and these as arrays."""
    leaves = leaves_or_none(structure, given, "cotangent")
    numbers, values = [], []
    for i, (leaf, (shape, dtype)) in enumerate(zip(leaves, types)):
        if leaf is None:
            continue
        path = tree.path_name(structure.paths()[i])
        if not _dtypes.is_float(dtype):
            raise TypeError(f"expects no cotangent for a result of {dtype}, but got one at "
                            f"'{path}'; give None")
        value = as_array(leaf, dtype if _array.is_number(leaf) else None)
        if value.shape != shape or value.dtype != dtype:
            raise ValueError(f"expects a cotangent of {dtype}{list(shape)} at '{path}', but got "
                             f"{value.dtype}{list(value.shape)}")
        numbers.append(i)
        values.append(value)
    return numbers, values


def leaves_or_none(structure, given, what, of="the result"):
    """The leaves of `given` in the places of `structure`, None where there is none."""
    if structure.type is None:
        return [given]
    if given is None:
        return [None] * structure.num_leaves
    kind, children = tree.children(given)
    # A list may stand for a tuple.
    if (kind is not structure.type and {kind, structure.type} != {list, tuple}
            or set(children) != set(structure.keys)):
        raise ValueError(f"expects a {what} with the structure of {of}, but got "
                         f"{tree.structure(given)}")
    return [leaf for key, child in zip(structure.keys, structure.children)
            for leaf in leaves_or_none(child, children[key], what, of)]


def jvp(fn, primals, tangents):
    """Evaluates `fn` and its derivative in the direction `tangents`, forward mode.

    primals: the arguments, a tuple; tangents: a tuple of trees like them, in which None
    stands for zero. Returns (output, tangents of the output), where a result that is no
    float has the tangent None. Raises ValueError if a tangent has another shape or type
    than its argument.
    """
    if _graph.current_block() is None:
        inner = _unwrapped(fn)

        def along(primals, tangents):
            return jvp(inner, primals, tangents)

        functools.update_wrapper(along, inner)
        compiled = Jitted(along, programs=programs_of(inner, "jvp"))
        return compiled(tuple(primals), tuple(tangents))
    if len(primals) != len(tangents):
        raise ValueError(f"expects {len(primals)} tangents, but got {len(tangents)}")
    leaves, structure = tree.flatten(tuple(primals))
    arrays = [_array.as_array(leaf) for leaf in leaves]
    given = leaves_or_none(structure, tuple(tangents), "tangent", "the arguments")
    wrt, directions = [], []
    for i, (array, tangent) in enumerate(zip(arrays, given)):
        if tangent is None:
            continue
        path = tree.path_name(structure.paths()[i])
        if not _dtypes.is_float(array.dtype):
            raise TypeError(f"expects no tangent for an argument of {array.dtype}, but got one "
                            f"at '{path}'; give None")
        tangent = _array.as_array(tangent, array.dtype if _array.is_number(tangent) else None)
        if tangent.shape != array.shape or tangent.dtype != array.dtype:
            raise ValueError(f"expects a tangent of {array.dtype}{list(array.shape)} at "
                             f"'{path}', but got {tangent.dtype}{list(tangent.shape)}")
        wrt.append(i)
        directions.append(tangent)
    callee = _Callee(_unwrapped(fn), tree.unflatten(structure, arrays), {}, ())
    types = callee.traced.result_types
    of = [i for i, (_, dtype) in enumerate(types) if _dtypes.is_float(dtype)]
    values = _emit_transform(
        "rev.jvp", f"tangents($others) wrt {wrt} of {of}", callee, callee.operands, directions,
        types + [types[i] for i in of])
    found = [None] * len(types)
    for i, value in zip(of, values[len(types):]):
        found[i] = value
    structure = callee.traced.result_structure
    return (tree.unflatten(structure, values[:len(types)]), tree.unflatten(structure, found))


@_compiles_itself
def inverse(fn, argnum=0, like=None):
    """Returns the inverse of `fn` in its argument `argnum`.

    The inverse is called with the output of `fn`, then the other arguments in order,
    and returns the argument. `like` is a tree of arrays or `ShapeDtype`s that says
    what it looks like; by default like the output. The compiler derives the inverse
    from the operations of `fn`; raises CompileError if one of them has none.
    """
    inner = _unwrapped(fn)

    def inverted(output, *others):
        outputs = [_array.as_array(leaf) for leaf in tree.leaves(output)]
        template = output if like is None else like
        args = list(others)
        args.insert(argnum, tree.map(_Placeholder, template))
        block = _graph.current_block()
        leaves, structure = tree.flatten(tuple(args))
        is_array = [isinstance(leaf, _Placeholder) or _is_arrayish(leaf) for leaf in leaves]
        leaves = [_array.as_array(leaf) if array and not isinstance(leaf, _Placeholder) else leaf
                  for leaf, array in zip(leaves, is_array)]
        traced = TracedFunction(inner, block.function.program, function_name(inner),
                                tree.unflatten(structure, leaves), {},
                                lambda i, leaf: is_array[i], outer=block)
        expected, found = traced.result_types, [(x.shape, x.dtype) for x in outputs]
        if expected != found:
            raise ValueError(
                f"expects an output of '{function_name(inner)}', "
                f"{', '.join(f'{d}{list(s)}' for s, d in expected)}, but got "
                f"{', '.join(f'{d}{list(s)}' for s, d in found)}")
        arrays = [leaf for leaf, array in zip(leaves, is_array) if array]
        wrt = [k for k, leaf in enumerate(arrays) if isinstance(leaf, _Placeholder)]
        rest = [leaf for leaf in arrays if not isinstance(leaf, _Placeholder)]
        operands = [*outputs, *traced.operands(rest)]
        names = ", ".join(f"{{{i}}}" for i in range(len(operands)))
        types = ", ".join(f"{{t[{i}]}}" for i in range(len(operands)))
        recovered = [(arrays[k].shape, arrays[k].dtype) for k in wrt]
        results = ", ".join(_array.tensor_type(*type) for type in recovered)
        values = _array.emit(f"rev.inverse @{traced.function.name}({names}) wrt {wrt} : "
                             f"({types}) -> ({results})", operands, recovered)
        return tree.unflatten(tree.structure(template), values)

    return inverted


@_compiles_itself
def log_det(fn, argnum=0, batch_axis=0, has_aux=False):
    """Returns a function that evaluates `fn` and its log-determinant.

    fn: an invertible function, as `inverse` takes, that returns as many floats as its
        argument `argnum` has, in a tree of arrays; with `has_aux` a pair of that and a tree
        of other results.
    argnum: the argument, a tree of arrays of one float type; the others are held fixed.
    batch_axis: the dimension of its arrays that numbers samples. Samples are not mixed.

    The result is (output, log_det), or ((output, aux), log_det): for each sample the
    logarithm of the absolute value of the determinant of the derivative of its part of the
    output by its part of the argument, an array of shape (samples,) (the change of variables
    of Rezende and Mohamed, arXiv 1505.05770, equation 5). It has derivatives, with one
    evaluation of what couplings compute. Raises ValueError if the arrays have no such
    dimension in one extent, TypeError if they are no floats of one type, CompileError if an
    operation has no inverse or no log-determinant, or mixes samples.
    """
    inner = _unwrapped(fn)

    def with_log_det(*args, **kwargs):
        callee = _Callee(inner, args, kwargs, (argnum,))
        samples = set()
        for shape, dtype in callee.wrt_types:
            if not -len(shape) <= batch_axis < len(shape):
                raise ValueError(f"expects arrays with the dimension {batch_axis}, but got shape "
                                 f"{list(shape)}")
            samples.add((batch_axis % len(shape), shape[batch_axis]))
        dtypes = {dtype for _, dtype in callee.wrt_types}
        if len(samples) != 1:
            raise ValueError("expects arrays with samples in one dimension of one extent, but "
                             f"got {', '.join(f'{n} in {i}' for i, n in sorted(samples)) or 0}")
        if len(dtypes) != 1:
            raise TypeError("expects arrays of one type, but got "
                            f"{', '.join(sorted(map(str, dtypes)))}")
        axis, count = samples.pop()
        types, structure = callee.traced.result_types, callee.traced.result_structure
        paths = structure.paths()
        if has_aux and not (structure.type is tuple and len(structure.keys) == 2):
            raise TypeError(f"expects '{function_name(inner)}' to return a pair (output, aux), "
                            f"but got {structure}")
        of = [i for i, (_, dtype) in enumerate(types)
              if _dtypes.is_float(dtype) and not (has_aux and paths[i][0] == 1)]
        values = _emit_transform(
            "rev.log_det", f"wrt {callee.wrt} of {of} batch_dim({axis})", callee,
            callee.operands, [], types + [((count,), dtypes.pop())])
        return tree.unflatten(structure, values[:-1]), values[-1]

    return with_log_det


class _Placeholder:
    """The type of an argument that an inverse recovers."""

    def __init__(self, like):
        self.shape, self.dtype = tuple(like.shape), _dtypes.as_dtype(like.dtype)


def stop_gradient(x):
    """`x`, a tree of arrays, with a derivative of zero."""
    def stop(leaf):
        if not isinstance(leaf, _array.Array) or not _dtypes.is_float(leaf.dtype):
            return leaf
        return _array.emit1("rev.stop_gradient {0} : {t[0]}", [leaf], leaf.shape, leaf.dtype)

    return tree.map(stop, x)


class Jacobian:
    """The derivative of a function at a point as a linear operator that is never an array:
    `J @ v` is the derivative in a direction, by forward mode, `J.T @ w` the cotangents of
    the arguments, by reverse mode.

    fn: a function of trees of arrays that returns a tree of arrays, of which the floats
        count.
    primals: its arguments, positional.
    argnums: the arguments to differentiate by, a number or a tuple: data, parameters or
        both.

    `v`, and what `J.T @ w` gives, is a tree like the argument, or a tuple of such for a
    tuple of `argnums`; `w`, and what `J @ v` gives, is a tree like the output, with None
    where that is no float. None stands for zero. Works inside of a trace and outside.
    """

    #: `array @ J` is not a product of arrays.
    __array_ufunc__ = None

    def __init__(self, fn, *primals, argnums=0, policy="invert"):
        _check_policy(policy)
        name = function_name(_unwrapped(fn))
        for n in _as_tuple(argnums):
            if not -len(primals) <= n < len(primals):
                raise ValueError(f"expects '{name}' to have an argument {n}, but got "
                                 f"{len(primals)} arguments")
        numbers = [n % len(primals) for n in _as_tuple(argnums)]
        if len(set(numbers)) != len(numbers):
            raise ValueError(f"expects argnums that differ, but got {argnums}")
        self._fn, self._primals, self._policy = fn, primals, policy
        self._numbers, self._is_one = numbers, isinstance(argnums, int)
        self._pullback = None

    def __matmul__(self, direction):
        directions = (direction,) if self._is_one else direction
        if not isinstance(directions, (tuple, list)) or len(directions) != len(self._numbers):
            got = type(directions).__name__
            if isinstance(directions, (tuple, list)):
                got = f"{len(directions)}"
            raise ValueError(f"expects a tuple of {len(self._numbers)} directions, but got {got}")
        tangents = [None] * len(self._primals)
        for n, value in zip(self._numbers, directions):
            tangents[n] = value
        return jvp(self._fn, self._primals, tuple(tangents))[1]

    @property
    def T(self):
        """The transpose, an operator too."""
        return _Transposed(self)

    def _apply_transposed(self, cotangent):
        if self._pullback is None:
            self._pullback = vjp(self._fn, *self._primals, policy=self._policy)[1]
        cotangents = self._pullback(cotangent)
        found = tuple(cotangents[n] for n in self._numbers)
        return found[0] if self._is_one else found


class _Transposed:
    __array_ufunc__ = None

    def __init__(self, jacobian):
        self.T = jacobian

    def __matmul__(self, cotangent):
        return self.T._apply_transposed(cotangent)


def hvp(fn, primals, tangents, policy="invert"):
    """The product of the Hessian of `fn`, which returns a float without dimensions, at the
    arguments `primals`, a tuple, with the direction `tangents`, a tuple of trees like them
    in which None stands for zero: forward mode of the gradient by all arguments that are
    trees of floats. A tuple with None for the others.
    """
    inner = _unwrapped(fn)
    if _graph.current_block() is None:
        def product(primals, tangents):
            return hvp(inner, primals, tangents, policy)

        functools.update_wrapper(product, inner)
        compiled = Jitted(product, programs=programs_of(inner, "hvp", policy))
        return compiled(tuple(primals), tuple(tangents))
    numbers = [n for n, primal in enumerate(primals) if all(
        _dtypes.is_float(_array.as_array(leaf).dtype) for leaf in tree.leaves(primal))]
    gradient = grad(inner, argnums=tuple(numbers), policy=policy)
    values = jvp(gradient, tuple(primals), tuple(tangents))[1]
    result = [None] * len(primals)
    for n, value in zip(numbers, values):
        result[n] = value
    return tuple(result)
