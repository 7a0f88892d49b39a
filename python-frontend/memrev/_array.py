# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Traced arrays, and the operations that all others are made of."""

import math
import numbers
import operator

import numpy as np

from . import _dtypes, _graph


def tensor_type(shape, dtype):
    """The MLIR type of an array."""
    return f"tensor<{''.join(f'{n}x' for n in shape)}{_dtypes.mlir_name(dtype)}>"


class Array:
    """An array of the program that is being traced: it has a shape and an element
    type, and no numbers yet. Operators and NumPy's functions on it add operations
    to the program."""

    __slots__ = ("value", "shape", "dtype", "_index")
    __array_priority__ = 1000
    __hash__ = object.__hash__

    def __init__(self, value, shape, dtype, index=None):
        self.value = value
        #: The extents, a tuple of ints.
        self.shape = tuple(shape)
        #: The element type, an `np.dtype` or `memrev.bfloat16`.
        self.dtype = dtype
        self._index = index  # a value of type index with the same number

    @property
    def ndim(self):
        """The number of dimensions."""
        return len(self.shape)

    @property
    def size(self):
        """The number of elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self):
        """The bytes of the elements."""
        return self.size * self.dtype.itemsize

    @property
    def T(self):
        """The array with its dimensions in reverse order."""
        return transpose(self, tuple(reversed(range(self.ndim))))

    def __repr__(self):
        return f"<traced array {self.dtype}{list(self.shape)}>"

    def __len__(self):
        if not self.shape:
            raise TypeError("len() of a traced array without dimensions")
        return self.shape[0]

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def _unknown(self, what):
        raise TypeError(
            f"expects a number that is known while tracing, but got {self!r} in {what}; use "
            "memrev.numpy.where, memrev.lax.cond or memrev.lax.while_loop for what depends "
            "on values"
        )

    def __bool__(self):
        self._unknown("a condition")

    def __float__(self):
        self._unknown("float()")

    def __int__(self):
        self._unknown("int()")

    def __index__(self):
        self._unknown("an index of a Python sequence")

    def __array__(self, *args, **kwargs):
        self._unknown("a conversion to a NumPy array")

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        from . import numpy as mnp

        function = getattr(mnp, ufunc.__name__, None)
        if function is None or method != "__call__" or kwargs:
            raise TypeError(
                f"expects a NumPy function that traced arrays have, but got "
                f"numpy.{ufunc.__name__}" + ("" if method == "__call__" else f".{method}")
                + (f" with {', '.join(kwargs)}" if kwargs else "")
            )
        return function(*inputs)

    def __array_function__(self, func, types, args, kwargs):
        from . import numpy as mnp

        function = getattr(mnp, func.__name__, None)
        if function is None:
            raise TypeError(
                "expects a NumPy function that traced arrays have, but got "
                f"numpy.{func.__name__}"
            )
        return function(*args, **kwargs)

    def __getitem__(self, key):
        from . import _indexing

        return _indexing.get(self, key)

    def __setitem__(self, key, value):
        raise TypeError("expects arrays to stay as they are while tracing, but got x[...] = y; "
                        "use x = x.at[...].set(y)")

    @property
    def at(self):
        """`x.at[i].set(y)` and `x.at[i].add(y)` are `x` with a part replaced or added
        to; `x` itself does not change."""
        from . import _indexing

        return _indexing.At(self)

    def astype(self, dtype):
        """The elements converted to `dtype`. Floats are rounded towards zero on the
        way to integers, and to nearest even otherwise."""
        return cast(self, _dtypes.as_dtype(dtype))


# ------------------------------------------------------------------------------
# Making operations
# ------------------------------------------------------------------------------


def emit(text, operands, types, **options):
    """Adds an operation whose results are arrays of `types`, (shape, dtype) pairs."""
    block = _graph.current_block()
    if block is None:
        raise RuntimeError("expects to be traced by memrev.jit, but nothing is being traced")
    values = block.append(text, [_operand(x) for x in operands],
                          [tensor_type(shape, dtype) for shape, dtype in types], **options)
    return [Array(value, shape, dtype) for value, (shape, dtype) in zip(values, types)]


def emit1(text, operands, shape, dtype, **options):
    """Adds an operation with one result."""
    return emit(text, operands, [(shape, dtype)], **options)[0]


def emit_scalar(text, operands, type):
    """Adds an operation whose result is a scalar of that MLIR type. One constant does
    for a block and those inside of it."""
    block = _graph.current_block()
    if not operands:
        around = block
        while around is not None:
            if text in around.constants:
                return around.constants[text]
            around = around.parent
    result = block.append(text, [_operand(x) for x in operands], [type])[0]
    if not operands:
        block.constants[text] = result
    return result


def _operand(x):
    return x.value if isinstance(x, Array) else x


def number_text(value, dtype):
    """A number as MLIR reads it."""
    if _dtypes.is_bool(dtype):
        return "true" if value else "false"
    if not _dtypes.is_float(dtype):
        value, limits = int(value), np.iinfo(dtype)
        if not limits.min <= value <= limits.max:
            raise OverflowError(f"expects a number of {dtype}, but got {value}")
        return str(value)
    value = float(value)
    if math.isfinite(value):
        text = repr(value)
        return text if "." in text else text.replace("e", ".0e")
    infinity = {"float64": 0x7FF << 52, "float32": 0xFF << 23, "float16": 0x1F << 10,
                "bfloat16": 0xFF << 7}[dtype.name]
    bits = dtype.itemsize * 8
    quiet = {"float64": 1 << 51, "float32": 1 << 22, "float16": 1 << 9, "bfloat16": 1 << 6}
    pattern = infinity | quiet[dtype.name] if math.isnan(value) else infinity
    if value < 0:
        pattern |= 1 << (bits - 1)
    return f"0x{pattern:0{bits // 4}X}"


def full(shape, value, dtype):
    """A constant with the same number everywhere."""
    type = tensor_type(shape, dtype)
    text = number_text(value, dtype)
    return emit1(f"arith.constant dense<{text}> : {type}", [], shape, dtype)


def constant(array, dtype=None):
    """A NumPy array or Python number as a constant of the program."""
    array = np.asarray(array)
    if dtype is None:
        dtype = _dtypes.as_dtype(array.dtype)
    elif dtype is not _dtypes.bfloat16:
        array = array.astype(dtype)
    shape = array.shape
    flat = array.reshape(-1)
    if flat.size and (flat.size == 1 or bool((flat[:1] == flat).all())):
        return full(shape, flat[0], dtype)
    type = tensor_type(shape, dtype)
    if flat.size == 0:
        return emit1(f"tensor.empty() : {type}", [], shape, dtype)
    # Booleans have no bytes of their own in a hexadecimal constant.
    if flat.size <= 64 or _dtypes.is_bool(dtype):
        def nested(part):
            if part.ndim == 0:
                return number_text(part[()], dtype)
            return "[" + ", ".join(map(nested, part)) + "]"

        return emit1(f"arith.constant dense<{nested(array)}> : {type}", [], shape, dtype)
    if dtype is _dtypes.bfloat16:
        return cast(constant(array.astype(np.float32)), dtype)
    data = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes().hex().upper()
    return emit1(f'arith.constant dense<"0x{data}"> : {type}', [], shape, dtype)


def is_number(x):
    """Whether `x` takes the type of the array that it meets: Python's numbers and
    NumPy's scalars do."""
    return isinstance(x, (numbers.Number, np.generic))


def as_array(x, dtype=None):
    """`x` as a traced array. Python floats become float32, Python integers int32.

    Raises TypeError for what is no array, OverflowError for an integer that the type
    does not have.
    """
    if isinstance(x, Array):
        return x
    if isinstance(x, np.generic):
        return full((), x, dtype or _dtypes.as_dtype(x.dtype))
    if isinstance(x, bool):
        return full((), x, dtype or np.dtype(bool))
    if isinstance(x, (int, float)):
        return full((), x, dtype or np.dtype(np.int32 if isinstance(x, int) else np.float32))
    if isinstance(x, np.ndarray):
        return constant(x, dtype)
    if isinstance(x, (list, tuple)) and not any(isinstance(e, Array) for e in x):
        return constant(np.asarray(x), dtype)
    raise TypeError(f"expects an array, but got {type(x).__name__}")


def number_dtype(x, like):
    """The type that a number gets beside an array of type `like`."""
    if isinstance(x, (bool, np.bool_)):
        return like
    if _dtypes.is_bool(like):
        return np.dtype(np.int32 if isinstance(x, numbers.Integral) else np.float32)
    if _dtypes.is_float(like) or isinstance(x, numbers.Integral):
        return like
    return np.dtype(np.float32)


def unify(*operands):
    """The operands as arrays of one type and one shape, by NumPy's rules of
    broadcasting; numbers take the type of the arrays beside them."""
    arrays = [x if is_number(x) else as_array(x) for x in operands]
    dtype = None
    for x in arrays:
        if isinstance(x, Array):
            dtype = x.dtype if dtype is None else _dtypes.promote(dtype, x.dtype)
    if dtype is None:
        arrays = [as_array(x) for x in arrays]
        dtype = arrays[0].dtype
        for x in arrays[1:]:
            dtype = _dtypes.promote(dtype, x.dtype)
    for x in arrays:
        if not isinstance(x, Array):
            dtype = _dtypes.promote(dtype, number_dtype(x, dtype))
    shape = broadcast_shapes(*(x.shape for x in arrays if isinstance(x, Array)))
    return [
        broadcast_to(cast(x, dtype), shape) if isinstance(x, Array) else full(shape, x, dtype)
        for x in arrays
    ]


def broadcast_shapes(*shapes):
    """The shape to which all of them broadcast. Raises ValueError if there is none."""
    rank = max(map(len, shapes), default=0)
    result = []
    for axis in range(-rank, 0):
        extents = {shape[axis] for shape in shapes if -axis <= len(shape)} - {1}
        if len(extents) > 1:
            listed = ", ".join(str(list(shape)) for shape in shapes)
            raise ValueError(f"expects shapes that broadcast together, but got {listed}")
        result.append(extents.pop() if extents else 1)
    return tuple(result)


# ------------------------------------------------------------------------------
# Shapes
# ------------------------------------------------------------------------------


def empty(shape, dtype):
    """A destination whose elements are not read."""
    return emit1(f"tensor.empty() : {tensor_type(shape, dtype)}", [], shape, dtype)


def filled(shape, value, dtype):
    """A destination that starts with one number everywhere."""
    name = _dtypes.mlir_name(dtype)
    scalar = emit_scalar(f"arith.constant {number_text(value, dtype)}"
                         + ("" if _dtypes.is_bool(dtype) else f" : {name}"), [], name)
    return emit1("linalg.fill ins({0} : {t[0]}) outs({1} : {t[1]}) -> {r[0]}",
                 [scalar, empty(shape, dtype)], shape, dtype)


def broadcast_to(x, shape):
    """`x` repeated along new dimensions and those of extent 1.

    Raises ValueError if `x` does not broadcast to `shape`.
    """
    shape = tuple(shape)
    if x.shape == shape:
        return x
    added = len(shape) - x.ndim
    if added < 0 or any(n not in (1, m) for n, m in zip(x.shape, shape[added:])):
        raise ValueError(f"expects a shape that broadcasts to {list(shape)}, but got "
                         f"{list(x.shape)}")
    kept = [added + i for i, n in enumerate(x.shape) if n == shape[added + i]]
    missing = [i for i in range(len(shape)) if i not in kept]
    x = reshape(x, [shape[i] for i in kept])
    return repeat_along(x, shape, missing) if missing else x


def repeat_along(x, shape, dims):
    """`x`, of `shape` without the dimensions `dims`, repeated along those."""
    return emit1(f"linalg.broadcast ins({{0}} : {{t[0]}}) outs({{1}} : {{t[1]}}) "
                 f"dimensions = {dims}", [x, empty(shape, x.dtype)], shape, x.dtype)


def groups_of_equal_products(before, after):
    """Splits two shapes of as many elements into runs of equal products: a list of
    pairs of numbers of dimensions."""
    groups, i, j = [], 0, 0
    while i < len(before) and j < len(after):
        left, right = [i], [j]
        p, q = before[i], after[j]
        i, j = i + 1, j + 1
        while p != q:
            if p < q:
                p *= before[i]
                left.append(i)
                i += 1
            else:
                q *= after[j]
                right.append(j)
                j += 1
        groups.append((left, right))
    # What is left has extent 1.
    for rest, side, end in ((i, 0, len(before)), (j, 1, len(after))):
        groups[-1][side].extend(range(rest, end))
    return groups


def reshape(x, shape):
    """The elements of `x` in row-major order in another shape; one extent may be -1.

    Raises ValueError if the numbers of elements differ.
    """
    shape = [int(n) for n in shape]
    if shape.count(-1) == 1:
        rest = -math.prod(shape)
        if rest and x.size % rest == 0:
            shape[shape.index(-1)] = x.size // rest
    shape = tuple(shape)
    if math.prod(shape) != x.size or any(n < 0 for n in shape):
        raise ValueError(f"expects a shape with {x.size} elements, but got {list(shape)}")
    if shape == x.shape:
        return x
    if x.size == 0:
        return empty(shape, x.dtype)
    if not x.shape or not shape:
        groups = []
    else:
        groups = groups_of_equal_products(x.shape, shape)

    def collapse(x, groups, shape):
        return emit1(f"tensor.collapse_shape {{0}} {groups} : {{t[0]}} into {{r[0]}}",
                     [x], shape, x.dtype)

    def expand(x, groups, shape):
        return emit1(f"tensor.expand_shape {{0}} {groups} output_shape {list(shape)} : "
                     "{t[0]} into {r[0]}", [x], shape, x.dtype)

    if not shape or (groups and all(len(right) == 1 for _, right in groups)):
        return collapse(x, [left for left, _ in groups], shape)
    if not x.shape or all(len(left) == 1 for left, _ in groups):
        return expand(x, [right for _, right in groups], shape)
    middle = [math.prod(shape[i] for i in right) for _, right in groups]
    return expand(collapse(x, [left for left, _ in groups], middle),
                  [right for _, right in groups], shape)


def transpose(x, axes):
    """`x` with dimension `axes[i]` as dimension i."""
    axes = [axis_of(a, x.ndim) for a in axes]
    if sorted(axes) != list(range(x.ndim)):
        raise ValueError(f"expects a permutation of {x.ndim} dimensions, but got {axes}")
    if axes == list(range(x.ndim)):
        return x
    shape = [x.shape[a] for a in axes]
    return emit1("linalg.transpose ins({0} : {t[0]}) outs({1} : {t[1]}) "
                 f"permutation = {axes}", [x, empty(shape, x.dtype)], shape, x.dtype)


def axis_of(axis, rank):
    """A dimension out of `rank`, counted from the front. Raises ValueError if there is no
    such dimension, TypeError for a float."""
    axis = operator.index(axis)
    if not -rank <= axis < rank:
        raise ValueError(f"expects an axis in [-{rank}, {rank}), but got {axis}" if rank else
                         f"expects no axis of an array without dimensions, but got {axis}")
    return axis % rank


# ------------------------------------------------------------------------------
# Elements
# ------------------------------------------------------------------------------


def elementwise(name, *arrays, dtype=None):
    """An operation of arith or math on arrays of one type and shape."""
    first = arrays[0]
    if not first.size:
        return empty(first.shape, dtype or first.dtype)
    operands = ", ".join(f"{{{i}}}" for i in range(len(arrays)))
    return emit1(f"{name} {operands} : {{t[0]}}", arrays, first.shape, dtype or first.dtype)


def compare(predicates, x, y):
    """A comparison; `predicates` are those for floats, integers and booleans."""
    x, y = unify(x, y)
    if _dtypes.is_float(x.dtype):
        text = f"arith.cmpf {predicates[0]}"
    else:
        text = f"arith.cmpi {predicates[2 if _dtypes.is_bool(x.dtype) else 1]}"
    return emit1(f"{text}, {{0}}, {{1}} : {{t[0]}}", [x, y], x.shape, np.dtype(bool))


def cast(x, dtype):
    """The elements of `x` converted to `dtype`."""
    source = x.dtype
    if source == dtype:
        return x
    if _dtypes.is_bool(dtype):
        return compare(("une", "ne", "ne"), x, full(x.shape, 0, source))
    from_float, to_float = _dtypes.is_float(source), _dtypes.is_float(dtype)
    if from_float and to_float:
        if source.itemsize == dtype.itemsize:
            return cast(cast(x, np.dtype(np.float32)), dtype)
        name = "arith.extf" if source.itemsize < dtype.itemsize else "arith.truncf"
    elif from_float:
        name = "arith.fptosi"
    elif to_float:
        name = "arith.uitofp" if _dtypes.is_bool(source) else "arith.sitofp"
    elif _dtypes.is_bool(source):
        name = "arith.extui"
    else:
        name = "arith.extsi" if source.itemsize < dtype.itemsize else "arith.trunci"
    return emit1(f"{name} {{0}} : {{t[0]}} to {{r[0]}}", [x], x.shape, dtype)


def _operator(name, swap=False):
    def method(self, other):
        from . import numpy as mnp

        if not (isinstance(other, (Array, np.ndarray)) or is_number(other)):
            return NotImplemented
        return getattr(mnp, name)(*((other, self) if swap else (self, other)))

    return method


def _method(name):
    def method(self, *args, **kwargs):
        from . import numpy as mnp

        return getattr(mnp, name)(self, *args, **kwargs)

    method.__name__ = name
    method.__doc__ = f"memrev.numpy.{name} of the array."
    return method


for _symbol, _name in {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "divide",
    "floordiv": "floor_divide", "mod": "remainder", "divmod": "divmod", "pow": "power",
    "matmul": "matmul", "and": "bitwise_and", "or": "bitwise_or", "xor": "bitwise_xor",
}.items():
    setattr(Array, f"__{_symbol}__", _operator(_name))
    setattr(Array, f"__r{_symbol}__", _operator(_name, swap=True))
for _symbol, _name in {"lt": "less", "le": "less_equal", "gt": "greater",
                       "ge": "greater_equal", "eq": "equal", "ne": "not_equal"}.items():
    setattr(Array, f"__{_symbol}__", _operator(_name))
for _symbol, _name in {"neg": "negative", "abs": "abs", "invert": "invert",
                       "pos": "positive", "round": "round"}.items():
    setattr(Array, f"__{_symbol}__", _method(_name))
for _name in ("sum", "mean", "max", "min", "prod", "var", "std", "transpose", "squeeze",
              "ravel", "argmax", "argmin", "dot", "clip", "all", "any", "swapaxes", "round",
              "take", "repeat", "diagonal", "trace"):
    setattr(Array, _name, _method(_name))


def _reshape_method(self, *shape):
    """The elements in another shape, given as integers or one tuple."""
    if len(shape) == 1 and isinstance(shape[0], (tuple, list)):
        shape = shape[0]
    return reshape(self, shape)


Array.reshape = _reshape_method
Array.flatten = Array.ravel
