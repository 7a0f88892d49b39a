# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Indices of traced arrays: x[i, 1:3, ..., None], and x.at[...] to replace parts."""

import operator

import numpy as np

from . import _dtypes
from ._array import Array, as_array, broadcast_to, cast, emit1, emit_scalar, full, reshape


def index_value(i):
    """A traced number as a value of MLIR's type index."""
    if i._index is not None:
        return i._index
    scalar = emit_scalar("tensor.extract {0}[] : {t[0]}", [i], _dtypes.mlir_name(i.dtype))
    return emit_scalar("arith.index_cast {0} : {t[0]} to index", [scalar], "index")


def within(index, least, most, wrap=0):
    """A value of type index as one in [least, most]: a program cannot raise IndexError, and
    must not read what is not there. `wrap` is added to what is negative."""
    def constant(n):
        return emit_scalar(f"arith.constant {n} : index", [], "index")

    if wrap:
        is_negative = emit_scalar("arith.cmpi slt, {0}, {1} : index", [index, constant(0)], "i1")
        wrapped = emit_scalar("arith.addi {0}, {1} : index", [index, constant(wrap)], "index")
        index = emit_scalar("arith.select {0}, {1}, {2} : index",
                            [is_negative, wrapped, index], "index")
    index = emit_scalar("arith.maxsi {0}, {1} : index", [index, constant(least)], "index")
    return emit_scalar("arith.minsi {0}, {1} : index", [index, constant(most)], "index")


def _is_dynamic(key):
    return isinstance(key, Array) and key.ndim == 0 and key.dtype.kind == "i"


def _is_list(key):
    if isinstance(key, (list, np.ndarray)):
        return np.asarray(key).ndim > 0
    return isinstance(key, Array) and key.ndim > 0


def _places(key, extent, axis):
    """The integers of a list in an index; those where a mask that is known holds."""
    if isinstance(key, Array):
        if _dtypes.is_bool(key.dtype):
            raise TypeError("expects a mask that is known while tracing, for it says how many "
                            f"elements there are, but got {key!r}; use memrev.numpy.where")
        return key
    known = np.asarray(key)
    if known.dtype.kind != "b":
        return known
    if known.shape != (extent,):
        raise IndexError(f"expects a mask of {extent} booleans for dimension {axis}, but got "
                         f"shape {list(known.shape)}")
    return np.flatnonzero(known)


class _Part:
    """A part of an array: offsets, sizes and strides, where offsets may be values of
    the program; which dimensions go away, which are flipped, and the final shape."""

    def __init__(self, x, key):
        key = key if isinstance(key, tuple) else (key,)
        used = sum(1 for k in key if k is not None and k is not Ellipsis)
        if sum(1 for k in key if k is Ellipsis) > 1:
            raise IndexError("expects at most one '...' in an index, but got more")
        if used > x.ndim:
            raise IndexError(f"expects at most {x.ndim} indices for an array of shape "
                             f"{list(x.shape)}, but got {used}")
        if Ellipsis not in [k for k in key if not isinstance(k, (Array, np.ndarray))]:
            key = (*key, Ellipsis)
        self.offsets, self.sizes, self.strides = [], [], []
        self.dropped, self.flipped, self.shape = [], [], []
        self.lists = []  # (dimension, integers)
        for k in key:
            if k is None:
                self.shape.append(1)
            elif k is Ellipsis:
                for _ in range(x.ndim - used):
                    self._add_slice(x, slice(None))
            elif isinstance(k, slice):
                self._add_slice(x, k)
            elif _is_list(k):
                axis = len(self.offsets)
                self.lists.append((axis, _places(k, x.shape[axis], axis)))
                self._add_slice(x, slice(None))
            else:
                self._add_number(x, k)

    def _add_slice(self, x, key):
        axis = len(self.offsets)
        for bound in (key.start, key.stop, key.step):
            if isinstance(bound, Array):
                raise TypeError("expects bounds of a slice that are known while tracing, but "
                                f"got {bound!r}; use memrev.lax.dynamic_slice")
        start, stop, step = key.indices(x.shape[axis])
        size = len(range(start, stop, step))
        if step < 0:
            # The same elements from the other end, then flipped.
            self.flipped.append(len(self.shape))
            start, step = start + (size - 1) * step if size else 0, -step
        self.offsets.append(start if size else 0)
        self.sizes.append(size)
        self.strides.append(step if size else 1)
        self.shape.append(size)

    def _add_number(self, x, key):
        axis = len(self.offsets)
        extent = x.shape[axis]
        if _is_dynamic(key):
            self.offsets.append(self._dynamic_offset(key, axis, extent))
        else:
            try:
                if isinstance(key, (bool, np.bool_)):
                    raise TypeError
                number = operator.index(key)
            except TypeError:
                raise TypeError("expects an index out of integers, slices, None, '...' and "
                                f"arrays of integers, but got {type(key).__name__}") from None
            if not -extent <= number < extent:
                raise IndexError(f"expects an index in [-{extent}, {extent}) for dimension "
                                 f"{axis}, but got {number}")
            self.offsets.append(number % extent)
        self.sizes.append(1)
        self.strides.append(1)
        self.dropped.append(axis)

    @staticmethod
    def _dynamic_offset(key, axis, extent):
        if not extent:
            raise IndexError(f"expects no index for dimension {axis} of extent 0, but got {key!r}")
        if key._index is None:
            return within(index_value(key), 0, extent - 1, wrap=extent)
        # The counter of a loop is what inversion and updates in place know offsets by.
        if key.limits is not None and not (0 <= key.limits[0] and key.limits[1] <= extent):
            raise IndexError(f"expects the numbers of a loop to be in [0, {extent}) as indices of "
                             f"dimension {axis}, but got {key.limits[0]} to {key.limits[1] - 1}")
        return key._index

    def is_whole(self, x):
        return (not self.dropped and tuple(self.sizes) == x.shape
                and all(o == 0 for o in self.offsets if isinstance(o, int))
                and all(isinstance(o, int) for o in self.offsets))

    def texts(self, first):
        """[offsets] [sizes] [strides], and the operands that it names from {first} on."""
        values = [o for o in self.offsets if not isinstance(o, int)]
        numbers = iter(range(first, first + len(values)))
        offsets = [str(o) if isinstance(o, int) else f"{{{next(numbers)}}}"
                   for o in self.offsets]
        return f"[{', '.join(offsets)}] {self.sizes} {self.strides}", values

    @property
    def inner_shape(self):
        """The shape of the slice without its dropped dimensions."""
        return [n for i, n in enumerate(self.sizes) if i not in self.dropped]


def get(x, key):
    """x[key]."""
    part = _Part(x, key)
    if part.lists:
        from . import numpy as mnp

        if len(part.lists) > 1 or part.dropped or part.flipped:
            raise TypeError("expects at most one array of integers in an index, beside "
                            "slices of positive step only, but got more")
        axis, indices = part.lists[0]
        plain = list(key) if isinstance(key, tuple) else [key]
        plain[[_is_list(k) for k in plain].index(True)] = slice(None)
        if None in [k for k in plain if not isinstance(k, Array)]:
            raise TypeError("expects no None beside an array of integers in an index")
        return mnp.take(get(x, tuple(plain)), indices, axis=axis)
    result = x
    if 0 in part.inner_shape:
        # MLIR has no slices of what is empty.
        result = full(part.inner_shape, 0, x.dtype)
    elif not part.is_whole(x):
        text, values = part.texts(1)
        result = emit1(f"tensor.extract_slice {{0}}{text} : {{t[0]}} to {{r[0]}}",
                       [x, *values], part.inner_shape, x.dtype)
    result = reshape(result, part.shape)
    if part.flipped:
        from . import numpy as mnp

        result = mnp.flip(result, part.flipped)
    return result


class At:
    """What `x.at` gives."""

    def __init__(self, array):
        self._array = array

    def __getitem__(self, key):
        return _AtPart(self._array, key)


class _AtPart:
    def __init__(self, array, key):
        self._array, self._key = array, key

    def set(self, values):
        """The array with the part replaced by `values`, which broadcast to its shape."""
        x = self._array
        part = _Part(x, self._key)
        if part.lists:
            raise TypeError("expects an index of integers and slices in x.at[...], but got an "
                            "array of integers")
        values = broadcast_to(cast(as_array(values, x.dtype), x.dtype), part.shape)
        if part.flipped:
            from . import numpy as mnp

            values = mnp.flip(values, part.flipped)
        values = reshape(values, part.inner_shape)
        if values.size == 0:
            return x
        text, offsets = part.texts(2)
        return emit1(f"tensor.insert_slice {{0}} into {{1}}{text} : {{t[0]}} into {{t[1]}}",
                     [values, x, *offsets], x.shape, x.dtype)

    def get(self):
        """The part."""
        return get(self._array, self._key)

    def add(self, values):
        """The array with `values`, which broadcast to its shape, added to the part. What an
        array of integers lists twice is added to twice."""
        x = self._array
        if not _Part(x, self._key).lists:
            return self.set(self.get() + values)
        from ._transforms import vjp

        if not _dtypes.is_float(x.dtype):
            raise TypeError("expects floats to add to at an array of integers, but got "
                            f"{x.dtype}")
        part, pullback = vjp(lambda zeros: get(zeros, self._key), full(x.shape, 0, x.dtype))
        values = broadcast_to(cast(as_array(values, x.dtype), x.dtype), part.shape)
        return x + pullback(values)[0]

    def multiply(self, values):
        """The array with the part multiplied by `values`."""
        return self.set(self.get() * values)
