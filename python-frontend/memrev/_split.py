# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Reverse mode on arrays: functions compiled in two, forward and backward, and what is
kept between them."""

import numpy as np

from . import _dtypes, _graph, _jit, tree


class SplitProgram(_jit.Compiled):
    """The two functions for one signature."""

    def __init__(self, program, traced, arguments, policy):
        #: Numbers of the arguments and of the results that are floats.
        self.wrt = [i for i, (_, dtype) in enumerate(arguments) if _dtypes.is_float(dtype)]
        self.of = [i for i, (_, dtype) in enumerate(traced.result_types)
                   if _dtypes.is_float(dtype)]
        self.arguments, self.results = arguments, traced.result_types
        for path, (_, dtype) in zip(traced.result_structure.paths(), self.results):
            if dtype is _dtypes.bfloat16:
                raise TypeError("expects results of types that NumPy has, but got bfloat16 at "
                                f"'{tree.path_name(path)}': convert it in the program")
        self.is_split = bool(self.wrt and self.of)
        name = traced.function.name
        traced.function.public = not self.is_split
        wrt, of = (",".join(map(str, numbers)) for numbers in (self.wrt, self.of))
        super().__init__(
            program, name, traced.result_structure,
            (f"function={name} wrt={wrt} of={of} mode=split policy={policy}",)
            if self.is_split else ())

    def forward(self, arrays):
        """For arguments of the program's types: the results, and what `backward` reads."""
        if not self.is_split:
            return _run(self.module[self.name], arrays, self.results), []
        function, backward = self.module[self.name + "_fwd"], self.module[self.name + "_bwd"]
        types = [(p.shape, p.dtype) for p in function.results]
        outputs = _run(function, arrays, types)
        results, saved = outputs[:len(self.results)], outputs[len(self.results):]
        found = {"argument": lambda i: _unchanging(arrays[i]), "result": results.__getitem__,
                 "saved": saved.__getitem__}
        kept = [found[p.residual[0]](p.residual[1]) for p in backward.arguments if p.residual]
        for result in results:
            result.flags.writeable = False
        return results, kept

    def backward(self, kept, cotangents):
        """The cotangents of the arguments `wrt` for cotangents of the results `of`."""
        return _run(self.module[self.name + "_bwd"], [*kept, *cotangents],
                    [self.arguments[i] for i in self.wrt])


def _run(function, arrays, types):
    """The results of a compiled function, whose types are known to fit."""
    # What is bfloat16 stays between programs: NumPy sees its bits.
    results = [np.empty(shape, np.uint16 if dtype is _dtypes.bfloat16 else dtype)
               for shape, dtype in types]
    function.call_arrays(arrays, results)
    return results


def _unchanging(array):
    """The array, or a copy if somebody could change its elements."""
    base = array
    while isinstance(base, np.ndarray) and not base.flags.writeable:
        if base.flags.owndata:
            return array
        base = base.base
    return array if isinstance(base, bytes) else array.copy()


class Split(_jit.Jitted):
    """A function that is compiled in two for each signature of its arguments, which are
    positional."""

    def __init__(self, fn, policy):
        super().__init__(fn, programs=_jit.programs_of(fn, "split", policy))
        self._policy = policy

    def _trace(self, structure, leaves, static):
        program = _graph.Program()
        traced = self._trace_public(program, _jit.function_name(self._fn), structure, leaves,
                                    static)
        types = [(leaf.shape, _dtypes.as_dtype(leaf.dtype)) for leaf in leaves]
        return SplitProgram(program, traced, types, self._policy)

    def program(self, primals):
        """The compiled program for these arguments, and their leaves."""
        entry, leaves = self._entry(primals, {})
        if entry.chip is not None:
            raise TypeError(f"vjp expects arrays in host memory outside of a jitted function, but "
                            f"got one on {leaves.device}; use it inside of one")
        arrays = self._contiguous(leaves)
        if entry.module is None:
            self._compile(entry)
        return entry, arrays
