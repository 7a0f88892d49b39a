# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The program that a trace writes: functions of operations, printed as MLIR.

Tracing runs the user's Python code once. What it computes with arrays is
recorded here, each operation with the place of the user's line, and printed as a
module that a person can read and the compiler compiles.
"""

import functools
import os
import sys
import threading

_PACKAGE = os.path.dirname(os.path.abspath(__file__)) + os.sep


class Value:
    """An SSA value: a result of an operation, or an argument of a block."""

    __slots__ = ("type", "block", "hint")

    def __init__(self, type, block, hint=None):
        self.type = type  # as text
        self.block = block
        self.hint = hint  # a name to print, if it is free


class Op:
    """An operation. `text` is a format string that names the operands {0}, {1}...,
    and knows the types of operands {t[0]} and results {r[0]}. Regions follow it;
    `tail` comes behind them."""

    __slots__ = ("text", "operands", "results", "regions", "tail", "location")

    def __init__(self, text, operands, results, regions, tail, location):
        self.text = text
        self.operands = operands
        self.results = results
        self.regions = regions
        self.tail = tail
        self.location = location


class Block:
    """Operations in order. A block of a region may read the values of the blocks
    around it (`parent`); the block of a function may not."""

    def __init__(self, parent=None, function=None):
        self.parent = parent
        self.function = parent.function if parent else function
        self.arguments = []
        self.ops = []
        self.constants = {}  # text -> scalar constant

    def add_argument(self, type, hint=None):
        value = Value(type, self, hint)
        self.arguments.append(value)
        return value

    def append(self, text, operands, result_types, regions=(), tail="", location=None,
               hints=()):
        """Adds an operation and returns its results. `operands` are values that
        may belong to other functions of the trace: then they become captures."""
        operands = [self.resolve(value) for value in operands]
        results = [Value(type, self) for type in result_types]
        for value, hint in zip(results, hints):
            value.hint = hint
        self.ops.append(Op(text, operands, results, tuple(regions), tail,
                           location or user_location()))
        return results

    def resolve(self, value):
        """The value by which this block reads `value`."""
        block = self
        while block is not None:
            if value.block is block:
                return value
            block = block.parent
        return self.function.capture(value)


class Function:
    """A function of the program. `outer` is the block that traces it, whose values
    the function may mention: they become arguments behind its own."""

    def __init__(self, program, name, outer=None, public=False):
        self.program = program
        self.name = program.public_name(name) if public else program.unique_name(name)
        self.outer = outer
        self.public = public
        self.block = Block(function=self)
        self.captures = {}  # outer value -> argument of this function
        self.donated = set()  # numbers of arguments
        #: What callers from outside of the program see as names.
        self.argument_names, self.result_names = [], []
        self.attributes = ""
        program.functions.append(self)

    def capture(self, value):
        found = self.captures.get(value)
        if found is not None:
            return found
        if self.outer is None:
            raise RuntimeError(
                "a traced array was used outside of the function that traced it; return "
                "it from the function instead of keeping it"
            )
        self.outer.resolve(value)
        found = self.block.add_argument(value.type, value.hint)
        self.captures[value] = found
        return found

    def captured_operands(self):
        """The outer values of the captures, in the order of their arguments."""
        return list(self.captures)

    def set_results(self, values):
        """Ends the function with a return of `values`."""
        types = ", ".join(value.type for value in values)
        names = ", ".join(f"{{{i}}}" for i in range(len(values)))
        self.result_types = [value.type for value in values]
        self.block.append(f"return {names} : {types}" if values else "return", values, [])


class Program:
    """A module under construction. `public` are the names of its public functions, if
    there will be several."""

    def __init__(self, public=()):
        self.functions = []
        self._names = set(public)
        #: What a trace remembers for itself, such as functions that it can call again.
        self.memo = {}
        #: Functions without a body: the types of arguments and results, and where their
        #: code is or None, by name.
        self.declared = {}

    def unique_name(self, name):
        name = sanitize(name) or "f"
        result, count = name, 0
        while result in self._names:
            count += 1
            result = f"{name}_{count}"
        self._names.add(result)
        return result

    def declare(self, name, arguments, results, symbol):
        """Declares a function whose code is somewhere else."""
        found = self.declared.setdefault(name, (arguments, results, symbol))
        if found != (arguments, results, symbol):
            raise ValueError(
                f"expects one external function '{name}' in a program, from "
                f"({', '.join(found[0])}) to ({', '.join(found[1])}), but got another from "
                f"({', '.join(arguments)}) to ({', '.join(results)})")
        self._names.add(name)

    @property
    def symbols(self):
        """Where the code of functions without a body is, as far as that is known."""
        return {name: symbol for name, (*_, symbol) in self.declared.items()
                if symbol is not None}

    def public_name(self, name):
        """The name of a public function, which nothing else in the program gets."""
        name = sanitize(name) or "f"
        self._names.add(name)
        return name

    def print(self, locations=False):
        """The program as MLIR text; with `locations` each operation says which line
        of the user's code it is from, and public functions what callers call their
        arguments and results."""
        for function in self.functions:
            if function.name in self.declared:
                raise ValueError(f"expects the name of the external function '{function.name}' "
                                 "for no other function of the program, but got one")
        declarations = [
            f"func.func private @{name}({', '.join(arguments)}) -> ({', '.join(results)})\n"
            for name, (arguments, results, _) in self.declared.items()]
        # A function is traced before its caller is complete: print callees first.
        return "\n".join([*declarations, *(
            _Printer(locations).function(function) for function in reversed(self.functions))])


def sanitize(name):
    """`name` with what an identifier of MLIR may not have replaced. There is no point
    in it: names inside of an operation's text have one, so the two never meet."""
    text = "".join(c if c.isascii() and (c.isalnum() or c == "_") else "_" for c in name)
    return "f" + text if text[:1].isdigit() else text


def quote(text):
    """`text` as a string of MLIR."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


class _Printer:
    """Prints one function."""

    def __init__(self, locations):
        self.locations = locations
        self.names = {}
        self.used = set()
        self.numbers = 0
        self.lines = []

    def name(self, value):
        """Names a value that is defined here."""
        hint = sanitize(value.hint) if value.hint else None
        if hint:
            name, count = hint, 0
            while name in self.used:
                count += 1
                name = f"{hint}_{count}"
        else:
            name = str(self.numbers)
            self.numbers += 1
        self.used.add(name)
        self.names[value] = "%" + name
        return "%" + name

    def suffix(self, location):
        if not self.locations or location is None:
            return ""
        file, line, column = location
        return f" loc({quote(file)}:{line}:{column})"

    def argument(self, function, number, value):
        attributes = ["rev.donated"] if number in function.donated else []
        return f"{self.name(value)}: " + self.parameter(
            value.type, function.argument_names[number:number + 1], attributes)

    def parameter(self, type, name, attributes=()):
        """A type with attributes; `name` is a list with a name, or empty."""
        if self.locations and name:
            attributes = [*attributes, f"rev.name = {quote(name[0])}"]
        return f"{type} {{{', '.join(attributes)}}}" if attributes else type

    def function(self, function):
        block = function.block
        arguments = [self.argument(function, i, v) for i, v in enumerate(block.arguments)]
        results = [self.parameter(type, function.result_names[i:i + 1])
                   for i, type in enumerate(function.result_types)]
        text = "func.func " + ("" if function.public else "private ") + f"@{function.name}("
        joined = ", ".join(arguments)
        if len(text) + len(joined) > 90:
            joined = (",\n" + " " * 4).join(arguments)
            joined = "\n    " + joined
        text += joined + ")"
        if len(results) == 1 and not results[0].startswith("(") and results[0][-1] != "}":
            text += f" -> {results[0]}"
        elif results:
            text += f" -> ({', '.join(results)})"
        if function.attributes:
            text += f" attributes {function.attributes}"
        self.lines.append(text + " {")
        self.body(block, 1)
        self.lines.append("}\n")
        return "\n".join(self.lines)

    def body(self, block, depth):
        for op in block.ops:
            self.op(op, depth)

    def op(self, op, depth):
        indent = "  " * depth
        operands = [self.names[value] for value in op.operands]
        types = [value.type for value in op.operands]
        if len(op.results) > 3 and not any(value.hint for value in op.results):
            group = str(self.numbers)
            self.numbers += 1
            self.used.add(group)
            for i, value in enumerate(op.results):
                self.names[value] = f"%{group}#{i}"
            names = [f"%{group}:{len(op.results)}"]
        else:
            names = None
        # Arguments of regions may be named in the text of the operation.
        inner = [[self.name(argument) for argument in region.arguments]
                 for region in op.regions]
        text = op.text.format(*operands, t=types, r=[value.type for value in op.results],
                              a=inner[0] if inner else [])
        if names is None:
            names = [self.name(value) for value in op.results]
        start = f"{', '.join(names)} = " if names else ""
        if not op.regions:
            self.lines.append(indent + start + text + self.suffix(op.location))
            return
        self.lines.append(indent + start + text + " {")
        for number, region in enumerate(op.regions):
            if number:
                self.lines.append(indent + "} " + self.separators(op)[number - 1] + " {")
            # scf.for names its block arguments in the text, others in a header.
            if region.arguments and (number or "{a[" not in op.text):
                header = ", ".join(f"{name}: {argument.type}"
                                   for name, argument in zip(inner[number], region.arguments))
                self.lines.append(f"{indent}^bb0({header}):")
            self.body(region, depth + 1)
        tail = op.tail.format(*operands, t=types, r=[value.type for value in op.results])
        self.lines.append(indent + "}" + (" " + tail if tail else "")
                          + self.suffix(op.location))

    @staticmethod
    def separators(op):
        return ["do"] if op.text.startswith("scf.while") else ["else"]


# ------------------------------------------------------------------------------
# The block that is being traced
# ------------------------------------------------------------------------------


class _Current(threading.local):
    def __init__(self):
        self.blocks = []
        self.location = None


_current = _Current()


def current_block():
    """The block that this thread traces into, or None."""
    return _current.blocks[-1] if _current.blocks else None


class tracing:
    """`with tracing(block):` records the operations of this thread in `block`."""

    def __init__(self, block):
        self.block = block

    def __enter__(self):
        _current.blocks.append(self.block)
        return self.block

    def __exit__(self, *exception):
        _current.blocks.pop()


class located:
    """`with located(location):` operations of this thread are from that (file, line,
    column): what is imported was written somewhere else than where it is traced. None
    leaves it as it is."""

    def __init__(self, location):
        self.location = location

    def __enter__(self):
        self.outer = _current.location
        if self.location is not None:
            _current.location = self.location

    def __exit__(self, *exception):
        _current.location = self.outer


def user_location():
    """(file, line, column) of what `located` says, else of the nearest line that is not
    memrev's own."""
    if _current.location is not None:
        return _current.location
    frame = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    if frame is None:
        return None
    return (frame.f_code.co_filename, frame.f_lineno,
            _column(frame.f_code, frame.f_lasti))


@functools.lru_cache(maxsize=4096)
def _column(code, instruction):
    if not hasattr(code, "co_positions"):
        return 1
    column = list(code.co_positions())[instruction // 2][2]
    return 1 if column is None else column + 1
