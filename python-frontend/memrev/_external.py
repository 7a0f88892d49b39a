# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Functions whose code is somewhere else."""

from . import _array, _graph, tree
from ._custom import FunctionWithRules
from ._jit import ShapeDtype
from ._program import symbol_address


def external(name, result_types, symbol=None, vjp=None, jvp=None):
    """A function of traced arrays whose code a program for the processor calls and does not
    have: a user's operator, compiled by somebody else or a callback of ctypes or cffi.

    name: its name in the program, and what a library of `export` is linked with.
    result_types: a `ShapeDtype` for its result, or a tree of them; or a function of the
        arguments that returns that.
    symbol: where the code is: an address, or a function pointer of ctypes, which is kept.
        Calls need it; a library that is linked does not.
    vjp, jvp: its derivatives, the pair (forward, backward) of `custom_vjp` and the tangent
        of `custom_jvp`: functions of traced arrays, which may call external functions.

    The code gets a pointer for each array of the arguments, which it only reads, then for
    each one of the result, which it writes: in the order of `memrev.tree.leaves`, contiguous,
    in row-major order. A callback must not raise: ctypes prints that and goes on, with what
    was in the memory of the result before. It may be called from several threads if the
    program is, and more or fewer times than the program says, as any function. Calls raise
    ValueError if a program has it with other shapes or types, or has another function of
    the name.

        double = ctypes.CFUNCTYPE(None, *[ctypes.POINTER(ctypes.c_double)] * 2)(callback)
        f = memrev.external("double", memrev.ShapeDtype((4,), float), double)
    """
    if _graph.sanitize(name) != name:
        raise ValueError(f"expects the name of an external function in ASCII letters, digits and "
                         f"'_', but got '{name}'")
    if symbol is not None:
        symbol_address(name, symbol)

    def call(*args):
        wanted = result_types(*args) if callable(result_types) else result_types
        arrays = [_array.as_array(leaf) for leaf in tree.leaves(args)]
        leaves, structure = tree.flatten(wanted)
        for leaf in leaves:
            if not isinstance(leaf, ShapeDtype):
                raise TypeError(f"expects the results of '{name}' as ShapeDtype, but got "
                                f"{type(leaf).__name__}")
        program = _graph.current_block().function.program
        program.declare(name, [_array.tensor_type(a.shape, a.dtype) for a in arrays],
                        [_array.tensor_type(leaf.shape, leaf.dtype) for leaf in leaves], symbol)
        names = ", ".join(f"{{{i}}}" for i in range(len(arrays)))
        types = ", ".join(f"{{t[{i}]}}" for i in range(len(arrays)))
        results = ", ".join(_array.tensor_type(leaf.shape, leaf.dtype) for leaf in leaves)
        return tree.unflatten(structure, _array.emit(
            f"func.call @{name}({names}) : ({types}) -> ({results})", arrays,
            [(leaf.shape, leaf.dtype) for leaf in leaves]))

    call.__name__ = call.__qualname__ = f"call_{name}"
    return FunctionWithRules(call, vjp=vjp, jvp=jvp)
