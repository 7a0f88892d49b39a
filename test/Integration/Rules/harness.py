# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Checks derivative rules by numbers, in double precision.

A case is a function of one operation or a few. For each argument x that is
differentiated and random x, direction v and cotangent w, the program that this
module writes compares

    <w, (f(x + h v) - f(x - h v)) / 2h>   with   <vjp_f(w), v>.

v is dense, so that one wrong or missing element of the gradient shows. Where f
is linear in x, h is 1 and both sides are equal up to rounding. Elsewhere h is
small and they agree up to h^2. Forward mode has to satisfy the dot-product
identity <w, jvp_f(v)> = <vjp_f(w), v> with the directions of all arguments at
once.

memrev-opt derives the functions and lowers them, mlir-runner runs them; the
program prints the two sides' difference relative to their size.
"""

import argparse
import re
import subprocess
import sys

LOWERING = (
    "builtin.module("
    "convert-tosa-to-memrev,rev-differentiate,symbol-dce,convert-rev-to-linalg,codegen-expand-tensor-ops,"
    "codegen-reshape-slices,"
    "func.func(convert-elementwise-to-linalg),"
    "one-shot-bufferize{bufferize-function-boundaries allow-return-allocs-from-loops},"
    "convert-bufferization-to-memref,"
    "func.func(convert-linalg-to-loops),lower-affine,"
    "expand-strided-metadata,lower-affine,convert-scf-to-cf,"
    "codegen-expand-math,codegen-math-to-libm{vector-bits=0},convert-math-to-funcs,"
    "convert-complex-to-standard,convert-math-to-llvm,convert-math-to-libm,convert-vector-to-llvm,"
    "convert-to-llvm,"
    "reconcile-unrealized-casts)"
)

# What rounding leaves of two equal sums, and what a step of 1e-5 does.
LINEAR_TOLERANCE = 1e-12
SMOOTH_TOLERANCE = 1e-7
STEP = 1e-5


def tensor(*shape, element="f64"):
    """The type of a tensor; a string as an extent is taken as it is."""
    return "tensor<" + "".join(f"{n}x" for n in shape) + element + ">"


class Arg:
    """An argument of a case.

    `static` is the type at run time where `type` has dynamic extents. `value`
    makes it a constant that is not differentiated. `linear` says that the case
    is linear in it, `zero` that nothing depends on it, `maybe_zero` that this can
    be so. Random values are in `range`. `tolerance` is for cases that compute in less than double precision.
    """

    def __init__(self, type, *, static=None, value=None, linear=False, zero=False,
                 maybe_zero=False, active=True, range=(-1.0, 1.0), tolerance=None):
        self.type = type
        self.static = static or type
        self.value = value
        self.linear = linear
        self.zero = zero
        self.maybe_zero = maybe_zero
        self.active = active and value is None
        self.range = range
        self.tolerance = tolerance or (LINEAR_TOLERANCE if linear else SMOOTH_TOLERANCE)


class Case:
    """A function `body` of arguments %0, %1, ... that returns `result`.

    `results` are the types of what the body returns, `static_results` those at
    run time where they have dynamic extents. `reference` is the body of a
    function with the same values to take differences of, where `body` itself
    can be derived but not run. `forward` is false where there is no forward mode.
    `functions` is the text of functions that the body calls, `inner` a case whose
    function it derives. `forward_tolerance` is for forward mode of cases that
    compute in less than double precision and are not linear.
    """

    def __init__(self, name, args, results, body, *, static_results=None,
                 reference=None, policy=None, forward=True, functions="",
                 inner=None, forward_tolerance=None):
        self.name = re.sub(r"\W+", "_", name)
        self.args = args
        self.results = results if isinstance(results, list) else [results]
        self.static_results = static_results or self.results
        self.body = body
        self.reference = reference
        self.policy = policy
        self.forward = forward
        self.functions = functions
        self.inner = inner
        self.forward_tolerance = forward_tolerance


def again(arg):
    """An argument as one of a derivative, which may not depend on it any more."""
    return Arg(arg.type, static=arg.static, value=arg.value, linear=arg.linear,
               zero=arg.zero, maybe_zero=True, active=arg.active, range=arg.range,
               tolerance=arg.tolerance)


def tangent_of(case):
    """The tangents of a case's results as a case of its own."""
    wrt = [i for i, arg in enumerate(case.args) if arg.active]
    args = [again(arg) for arg in case.args]
    args += [Arg(case.args[i].type, static=case.args[i].static, linear=True,
                 zero=case.args[i].zero) for i in wrt]
    count = len(case.results)
    operands = ", ".join(f"%{i}" for i in range(len(case.args)))
    tangents = ", ".join(f"%{len(case.args) + k}" for k in range(len(wrt)))
    body = f"""
        %r:{2 * count} = rev.jvp @{case.name}({operands}) tangents({tangents}) wrt {wrt} :
          ({", ".join(arg.type for arg in args)}) -> ({", ".join(case.results * 2)})
        return {", ".join(f"%r#{count + j}" for j in range(count))} :
          {", ".join(case.results)}"""
    return Case(f"{case.name}_tangent", args, case.results, body,
                static_results=case.static_results, policy=case.policy, inner=case)


def gradient_of(case):
    """The gradients of a case as a case of its own."""
    wrt = [i for i, arg in enumerate(case.args) if arg.active]
    nothing = all(case.args[i].zero for i in wrt)
    args = [again(arg) for arg in case.args]
    args += [Arg(type, static=static, linear=True, zero=nothing,
                 maybe_zero=is_tensor(static) and 0 in shape_of(static))
             for type, static in zip(case.results, case.static_results)]
    operands = ", ".join(f"%{i}" for i in range(len(case.args)))
    cotangents = ", ".join(f"%{len(case.args) + j}" for j in range(len(case.results)))
    policy = f" policy({case.policy})" if case.policy else ""
    types = ", ".join(case.args[i].type for i in wrt)
    body = f"""
        %r:{len(wrt)} = rev.vjp @{case.name}({operands}) cotangents({cotangents})
          wrt {wrt}{policy} : ({", ".join(arg.type for arg in args)}) -> ({types})
        return {", ".join(f"%r#{k}" for k in range(len(wrt)))} : {types}"""
    return Case(f"{case.name}_gradient", args, [case.args[i].type for i in wrt], body,
                static_results=[case.args[i].static for i in wrt], policy=case.policy,
                inner=case)


def is_tensor(type):
    return type.startswith("tensor")


def shape_of(type):
    return [int(n) for n in re.findall(r"(\d+)x", type[len("tensor<"):])]


class Writer:
    """Writes the program that checks a list of cases."""

    def __init__(self):
        self.helpers = {}
        self.functions = set()
        self.text = []
        self.count = 0

    def fresh(self):
        self.count += 1
        return f"%v{self.count}"

    def emit(self, op, type=None):
        if type is None:
            self.text.append(f"  {op}")
            return None
        name = self.fresh()
        self.text.append(f"  {name} = {op}")
        return name

    def constant(self, value):
        return self.emit(f"arith.constant {value:.17e} : f64", "f64")

    def helper(self, kind, type):
        """The name of a function of one type that does `kind`."""
        name = f"{kind}_{re.sub('[^0-9a-z]', '_', type)}"
        if name not in self.helpers:
            self.helpers[name] = HELPERS[kind](name, type)
        return name

    def random(self, type, seed, low, high):
        if not is_tensor(type):
            one = self.random("tensor<1xf64>", seed, low, high)
            zero = self.emit("arith.constant 0 : index", "index")
            return self.emit(f"tensor.extract {one}[{zero}] : tensor<1xf64>", "f64")
        seed = self.emit(f"arith.constant {seed} : i64", "i64")
        low, high = self.constant(low), self.constant(high)
        return self.emit(
            f"func.call @{self.helper('random', type)}({seed}, {low}, {high}) "
            f": (i64, f64, f64) -> {type}", type)

    def step(self, x, v, h, type):
        h = self.constant(h)
        if not is_tensor(type):
            hv = self.emit(f"arith.mulf {h}, {v} : f64", "f64")
            return self.emit(f"arith.addf {x}, {hv} : f64", "f64")
        return self.emit(f"func.call @{self.helper('step', type)}({x}, {v}, {h}) "
                         f": ({type}, {type}, f64) -> {type}", type)

    def dot(self, a, b, type, kind="dot"):
        if not is_tensor(type):
            product = self.emit(f"arith.mulf {a}, {b} : f64", "f64")
            return product if kind == "dot" else self.emit(
                f"math.absf {product} : f64", "f64")
        return self.emit(f"func.call @{self.helper(kind, type)}({a}, {b}) "
                         f": ({type}, {type}) -> f64", "f64")

    def sum(self, total, term):
        if total is None:
            return term
        return self.emit(f"arith.addf {total}, {term} : f64", "f64")

    def divide(self, error, scale, maybe_zero):
        """A difference that is zero relative to anything if nothing is there."""
        if maybe_zero:
            tiny = self.constant(1e-300)
            scale = self.emit(f"arith.addf {scale}, {tiny} : f64", "f64")
        return self.emit(f"arith.divf {error}, {scale} : f64", "f64")

    def cast(self, x, source, target):
        if source == target:
            return x
        return self.emit(f"tensor.cast {x} : {source} to {target}", target)

    def function(self, case, name, body):
        if name in self.functions:
            return
        self.functions.add(name)
        if case.functions and case.functions not in self.functions:
            self.functions.add(case.functions)
            self.text.append(case.functions)
        args = ", ".join(f"%{i}: {a.type}" for i, a in enumerate(case.args))
        results = ", ".join(case.results)
        self.text.append(f"func.func private @{name}({args}) -> ({results}) {{")
        self.text += ["  " + line.strip() for line in body.strip().split("\n")]
        self.text.append("}")

    def write_case(self, case, seed):
        """The functions of `case`, and what they have to agree in."""
        if case.inner:
            self.function(case.inner, case.inner.name, case.inner.body)
        self.function(case, case.name, case.body)
        reference = case.name
        if case.reference:
            reference = case.name + "_reference"
            self.function(case, reference, case.reference)

        labels = []
        self.text.append(f"func.func private @check_{case.name}() {{")
        values = []
        for i, arg in enumerate(case.args):
            if arg.value is not None:
                values.append(self.emit(f"arith.constant {arg.value} : {arg.type}",
                                        arg.type))
                continue
            values.append(self.random(arg.static, seed + 10 * i, *arg.range))
        cotangents = []
        for i, type in enumerate(case.static_results):
            cotangents.append(self.random(type, seed + 500 + i, -1.0, 1.0))
        wrt = [i for i, arg in enumerate(case.args) if arg.active]
        operands = [self.cast(v, a.static, a.type) for v, a in zip(values, case.args)]
        arg_types = [a.type for a in case.args]
        result_types = list(zip(case.static_results, case.results))
        weights = [self.cast(w, *types) for w, types in zip(cotangents, result_types)]
        policy = f" policy({case.policy})" if case.policy else ""
        gradients = self.fresh()
        self.text.append(
            f"  {gradients}:{len(wrt)} = rev.vjp @{case.name}({', '.join(operands)}) "
            f"cotangents({', '.join(weights)}) wrt {wrt}{policy} : "
            f"({', '.join(arg_types + case.results)}) -> "
            f"({', '.join(arg_types[i] for i in wrt)})")
        directions = {i: self.random(case.args[i].static, seed + 900 + i, -1.0, 1.0)
                      for i in wrt}
        total_product, total_size = None, None
        for k, i in enumerate(wrt):
            arg = case.args[i]
            gradient = f"{gradients}#{k}"
            direction = directions[i]
            h = 1.0 if arg.linear else STEP
            sides = []
            for sign in (h, -h):
                moved = list(operands)
                moved[i] = self.cast(
                    self.step(values[i], direction, sign, arg.static), arg.static,
                    arg.type)
                results = self.fresh()
                self.text.append(
                    f"  {results}:{len(case.results)} = func.call @{reference}"
                    f"({', '.join(moved)}) : ({', '.join(arg_types)}) -> "
                    f"({', '.join(case.results)})")
                total = None
                for j, (static, type) in enumerate(result_types):
                    value = self.cast(f"{results}#{j}", type, static)
                    total = self.sum(total, self.dot(value, cotangents[j], static))
                sides.append(total)
            difference = self.emit(f"arith.subf {sides[0]}, {sides[1]} : f64", "f64")
            width = self.constant(2 * h)
            numeric = self.emit(f"arith.divf {difference}, {width} : f64", "f64")
            gradient = self.cast(gradient, arg.type, arg.static)
            analytic = self.dot(gradient, direction, arg.static)
            size = self.dot(gradient, direction, arg.static, "absdot")
            magnitude = self.emit(f"math.absf {numeric} : f64", "f64")
            scale = self.emit(f"arith.addf {size}, {magnitude} : f64", "f64")
            error = self.emit(f"arith.subf {numeric}, {analytic} : f64", "f64")
            relative = scale if arg.zero else self.divide(error, scale, arg.maybe_zero)
            self.emit(f"vector.print {relative} : f64")
            labels.append((f"{case.name} argument {i}",
                           0.0 if arg.zero else arg.tolerance))
            total_product = self.sum(total_product, analytic)
            total_size = self.sum(total_size, size)
        if case.forward:
            labels.append(self.write_forward(case, wrt, operands, directions, cotangents,
                                             total_product, total_size))
        self.text += ["  return", "}"]
        return labels

    def write_forward(self, case, wrt, operands, directions, cotangents, product, size):
        """Compares <w, jvp(v)> with `product`, whose terms add up to `size`."""
        arg_types = [arg.type for arg in case.args]
        tangents = [self.cast(directions[i], case.args[i].static, case.args[i].type)
                    for i in wrt]
        results = self.fresh()
        count = len(case.results)
        self.text.append(
            f"  {results}:{2 * count} = rev.jvp @{case.name}({', '.join(operands)}) "
            f"tangents({', '.join(tangents)}) wrt {wrt} : "
            f"({', '.join(arg_types + [arg_types[i] for i in wrt])}) -> "
            f"({', '.join(case.results * 2)})")
        total = None
        for j, (static, type) in enumerate(zip(case.static_results, case.results)):
            tangent = self.cast(f"{results}#{count + j}", type, static)
            total = self.sum(total, self.dot(tangent, cotangents[j], static))
        error = self.emit(f"arith.subf {total}, {product} : f64", "f64")
        # Both sides are exactly zero where nothing depends on the arguments.
        if all(case.args[i].zero for i in wrt):
            relative = error
        else:
            relative = self.divide(error, size,
                                   all(case.args[i].maybe_zero for i in wrt))
        self.emit(f"vector.print {relative} : f64")
        # Less than double precision shows only where the arguments are linear.
        tolerance = max([LINEAR_TOLERANCE, case.forward_tolerance or 0.0] +
                        [case.args[i].tolerance for i in wrt if case.args[i].linear])
        return f"{case.name} forward", tolerance

    def write(self, cases, first=0):
        labels = []
        for n, case in enumerate(cases, first):
            labels += self.write_case(case, 1000 * (n + 1))
        self.text.append("func.func @main() {")
        self.text += [f"  call @check_{case.name}() : () -> ()" for case in cases]
        self.text += ["  return", "}"]
        return "\n".join(list(self.helpers.values()) + self.text) + "\n", labels


def maps(rank, *shapes):
    dims = ", ".join(f"d{i}" for i in range(rank))
    return "[" + ", ".join(
        f"affine_map<({dims}) -> ({dims if full else ''})>" for full in shapes) + "]"


def iterators(rank, kind):
    return "[" + ", ".join([f'"{kind}"'] * rank) + "]"


def random_helper(name, type):
    """Random numbers: a hash of the element's number, so that no two are equal."""
    shape = shape_of(type)
    lines = ["%n0 = arith.constant 0 : i64"]
    for i, extent in enumerate(shape):
        lines += [
            f"%i{i} = linalg.index {i} : index",
            f"%c{i} = arith.index_cast %i{i} : index to i64",
            f"%e{i} = arith.constant {extent} : i64",
            f"%m{i} = arith.muli %n{i}, %e{i} : i64",
            f"%n{i + 1} = arith.addi %m{i}, %c{i} : i64",
        ]
    body = "\n    ".join(lines)
    return f"""func.func private @{name}(%seed: i64, %low: f64, %high: f64) -> {type} {{
  %empty = tensor.empty() : {type}
  %r = linalg.generic {{indexing_maps = {maps(len(shape), True)},
      iterator_types = {iterators(len(shape), "parallel")}}} outs(%empty : {type}) {{
  ^bb0(%out: f64):
    {body}
    %k = arith.constant 1000003 : i64
    %s = arith.muli %seed, %k : i64
    %x0 = arith.addi %n{len(shape)}, %s : i64
    %a = arith.constant -7046029254386353131 : i64
    %x1 = arith.muli %x0, %a : i64
    %s29 = arith.constant 29 : i64
    %h1 = arith.shrui %x1, %s29 : i64
    %x2 = arith.xori %x1, %h1 : i64
    %b = arith.constant -4658895280553007687 : i64
    %x3 = arith.muli %x2, %b : i64
    %s32 = arith.constant 32 : i64
    %h3 = arith.shrui %x3, %s32 : i64
    %x4 = arith.xori %x3, %h3 : i64
    %s11 = arith.constant 11 : i64
    %x5 = arith.shrui %x4, %s11 : i64
    %f = arith.uitofp %x5 : i64 to f64
    %scale = arith.constant 1.1102230246251565e-16 : f64
    %u = arith.mulf %f, %scale : f64
    %width = arith.subf %high, %low : f64
    %uw = arith.mulf %u, %width : f64
    %v = arith.addf %low, %uw : f64
    linalg.yield %v : f64
  }} -> {type}
  return %r : {type}
}}"""


def step_helper(name, type):
    rank = len(shape_of(type))
    return f"""func.func private @{name}(%x: {type}, %v: {type}, %h: f64) -> {type} {{
  %empty = tensor.empty() : {type}
  %r = linalg.generic {{indexing_maps = {maps(rank, True, True, True)},
      iterator_types = {iterators(rank, "parallel")}}}
      ins(%x, %v : {type}, {type}) outs(%empty : {type}) {{
  ^bb0(%a: f64, %b: f64, %out: f64):
    %hb = arith.mulf %b, %h : f64
    %s = arith.addf %a, %hb : f64
    linalg.yield %s : f64
  }} -> {type}
  return %r : {type}
}}"""


def dot_helper(name, type):
    rank = len(shape_of(type))
    absolute = "\n    %q = math.absf %p : f64" if name.startswith("abs") else ""
    term = "%q" if absolute else "%p"
    return f"""func.func private @{name}(%x: {type}, %y: {type}) -> f64 {{
  %zero = arith.constant dense<0.0> : tensor<f64>
  %r = linalg.generic {{indexing_maps = {maps(rank, True, True, False)},
      iterator_types = {iterators(rank, "reduction")}}}
      ins(%x, %y : {type}, {type}) outs(%zero : tensor<f64>) {{
  ^bb0(%a: f64, %b: f64, %out: f64):
    %p = arith.mulf %a, %b : f64{absolute}
    %s = arith.addf %out, {term} : f64
    linalg.yield %s : f64
  }} -> tensor<f64>
  %v = tensor.extract %r[] : tensor<f64>
  return %v : f64
}}"""


HELPERS = {"random": random_helper, "step": step_helper, "dot": dot_helper,
           "absdot": dot_helper}


# Compiling a program takes more than linear time in its length.
CASES_PER_PROGRAM = 16


def run(cases, *tools):
    """Checks `cases`. Returns a list of (label, error, tolerance)."""
    checked = []
    for first in range(0, len(cases), CASES_PER_PROGRAM):
        checked += run_program(cases[first:first + CASES_PER_PROGRAM], first, *tools)
    return checked


def run_program(cases, first, memrev_opt, mlir_runner, libraries):
    """Checks `cases`, which are numbered from `first`."""
    text, labels = Writer().write(cases, first)
    lowered = subprocess.run([memrev_opt, f"--pass-pipeline={LOWERING}"], input=text,
                             capture_output=True, text=True)
    if lowered.returncode != 0:
        sys.exit(lowered.stderr)
    ran = subprocess.run(
        [mlir_runner, "-O0", "-e", "main", "--entry-point-result=void",
         f"--shared-libs={libraries}/libmlir_c_runner_utils.so",
         f"--shared-libs={libraries}/libmlir_runner_utils.so"],
        input=lowered.stdout, capture_output=True, text=True)
    if ran.returncode != 0:
        sys.exit(ran.stderr)
    errors = [float(line) for line in ran.stdout.split()]
    if len(errors) != len(labels):
        sys.exit(f"expects {len(labels)} numbers, but got {len(errors)}")
    return [(label, error, tolerance)
            for (label, tolerance), error in zip(labels, errors)]


def main(cases, forward=True):
    parser = argparse.ArgumentParser()
    parser.add_argument("memrev_opt")
    parser.add_argument("mlir_runner")
    parser.add_argument("libraries")
    parser.add_argument("--only", default="", help="run the cases with this in the name")
    parser.add_argument("--dump", action="store_true", help="print the program")
    options = parser.parse_args()
    cases = [case for case in cases if options.only in case.name]
    for case in cases:
        case.forward = case.forward and forward
    if options.dump:
        print(Writer().write(cases)[0])
        return
    failed = 0
    checked = run(cases, options.memrev_opt, options.mlir_runner, options.libraries)
    for label, error, tolerance in checked:
        # A comparison with a NaN is false.
        ok = abs(error) <= tolerance
        failed += not ok
        print(f"{'ok  ' if ok else 'FAIL'} {label}: {error:.1e}")
    print(f"{len(checked) - failed} of {len(checked)} numbers agree")
    sys.exit(1 if failed else 0)
