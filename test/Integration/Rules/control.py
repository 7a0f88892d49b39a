# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Control flow: loops and what they store; branches.py has what runs in part.

The names of cases that other implementations get wrong say so: `enzyme_` for
EnzymeAD/Enzyme, `lagrad_` for LAGrad.
"""

from harness import Arg, Case, main, tensor

X = tensor(3)


def index(value, type="index"):
    return Arg(type, value=str(value))


def step(state, out, scale="%0", type=X):
    """One nonlinear step of a loop: `out` = sin(`state` * `scale`)."""
    return f"""
          {out}_p = arith.mulf {state}, {scale} : {type}
          {out} = math.sin {out}_p : {type}"""


def counted(name, lower, upper, by, kind="index", unsigned=False, **options):
    """A loop over dynamic and over constant bounds, that reads its index."""
    compare = "unsigned " if unsigned else ""
    suffix = "" if kind == "index" else f" : {kind}"
    cast = "" if kind != "index" else "%ki = arith.index_cast %k : index to i64"
    wide = "%ki" if kind == "index" else "%k"
    wide_type = "i64" if kind == "index" else kind
    body = f"""
          {cast}
          %kf = arith.sitofp {wide} : {wide_type} to f64
          %small = arith.constant 0.02 : f64
          %ks = arith.mulf %kf, %small : f64
          %s = arith.mulf %ks, %1 : f64
          %f = tensor.splat %s : {X}
          %q = arith.mulf %p, %f : {X}
          %t = math.tanh %q : {X}
          %d = arith.addf %t, %p : {X}"""
    loop = f"""
        %r = scf.for {compare}%k = %l to %u step %b iter_args(%p = %0) -> {X}{suffix} {{{body}
          scf.yield %d : {X}
        }}
        return %r : {X}"""
    dynamic = loop.replace("%l to %u step %b", "%2 to %3 step %4")
    constants = "".join(f"\n        {v} = arith.constant {c} : {kind}"
                        for v, c in (("%l", lower), ("%u", upper), ("%b", by)))
    for policy in ("store", "invert"):
        yield Case(f"{name}_dynamic_{policy}",
                   [Arg(X), Arg("f64", **options), index(lower, kind),
                    index(upper, kind), index(by, kind)], X, dynamic, policy=policy)
        if by > 0:
            yield Case(f"{name}_static_{policy}", [Arg(X), Arg("f64", **options)], X,
                       constants + loop, policy=policy)


def trip_counts():
    yield from counted("enzyme_floor_trip_count", 0, 7, 3)
    yield from counted("steps_divide", -4, 8, 4)
    yield from counted("steps_do_not_divide", 1, 12, 4)
    yield from counted("one_trip", 5, 6, 3)
    yield from counted("no_trip", 5, 5, 3, zero=True)
    yield from counted("no_trip_backwards", 7, 2, 2, zero=True)
    # Forward, a loop whose lower bound is not below its upper one does not run,
    # whatever the step; a quotient of negative numbers is positive.
    yield from counted("no_trip_negative_step", 10, 0, -1, zero=True)
    yield from counted("no_trip_zero_step", 4, 4, 0, zero=True)
    yield from counted("step_of_i32", -3, 9, 5, "i32")
    yield from counted("step_of_i64", 2, 9, 2, "i64")
    # 100 - -128 does not fit.
    yield from counted("span_of_i8", -128, 100, 57, "i8")
    yield from counted("unsigned", 100, -56, 50, "i8", unsigned=True)
    yield from counted("unsigned_runs_not", -56, 100, 50, "i8", unsigned=True, zero=True)
    yield from counted("unsigned_index", 0, 4, 1, "index", unsigned=True)


def whiles():
    for trips, how in ((0, "no_trip"), (1, "one_trip"), (5, "trips")):
        for policy in ("store", "invert"):
            # The condition counts; the first region computes, and passes on what
            # it computes.
            yield Case(f"while_{how}_{policy}",
                       [Arg(X), Arg(X), index(trips)], [X, X], f"""
        %c0 = arith.constant 0 : index
        %c1 = arith.constant 1 : index
        %r:3 = scf.while (%p = %0, %i = %c0) : ({X}, index) -> ({X}, {X}, index) {{
          %more = arith.cmpi slt, %i, %2 : index{step("%p", "%s", "%1")}
          scf.condition(%more) %s, %p, %i : {X}, {X}, index
        }} do {{
        ^bb0(%s: {X}, %q: {X}, %i: index):
          %t = arith.mulf %s, %q : {X}
          %n = arith.addi %i, %c1 : index
          scf.yield %t, %n : {X}, index
        }}
        return %r#0, %r#1 : {X}, {X}""", policy=policy)
            # A body that can be inverted.
            yield Case(f"while_of_couplings_{how}_{policy}",
                       [Arg(X), Arg(X), index(trips, "i32")], [X, X], f"""
        %c0 = arith.constant 0 : i32
        %c1 = arith.constant 1 : i32
        %r:3 = scf.while (%p = %0, %q = %1, %i = %c0) : ({X}, {X}, i32) -> ({X}, {X}, i32) {{
          %more = arith.cmpi slt, %i, %2 : i32
          scf.condition(%more) %p, %q, %i : {X}, {X}, i32
        }} do {{
        ^bb0(%p: {X}, %q: {X}, %i: i32):
          %u = rev.coupling additive %p given(%q) {{
          ^bb0(%c: {X}):
            %t = math.tanh %c : {X}
            rev.yield %t : {X}
          }} : {X}, ({X})
          %v = rev.coupling additive %q given(%u) {{
          ^bb0(%c: {X}):
            %t = math.sin %c : {X}
            rev.yield %t : {X}
          }} : {X}, ({X})
          %n = arith.addi %i, %c1 : i32
          scf.yield %u, %v, %n : {X}, {X}, i32
        }}
        return %r#0, %r#1 : {X}, {X}""", policy=policy)
    # The counter is given back with the state, and says which weights to read.
    for policy in ("store", "invert"):
        yield Case(f"while_reads_its_counter_{policy}",
                   [Arg(X), Arg(X), Arg(tensor(7, 3)), index(1), index(6)], [X, X], f"""
        %c1 = arith.constant 1 : index
        %c9 = arith.constant 9 : index
        %r:4 = scf.while (%p = %0, %q = %1, %i = %3, %j = %c9)
            : ({X}, {X}, index, index) -> ({X}, {X}, index, index) {{
          %more = arith.cmpi slt, %i, %4 : index
          scf.condition(%more) %p, %q, %i, %j : {X}, {X}, index, index
        }} do {{
        ^bb0(%p: {X}, %q: {X}, %i: index, %j: index):
          %down = arith.subi %j, %c1 : index
          %row = arith.subi %down, %c1 : index
          %last = arith.subi %row, %c1 : index
          %w = tensor.extract_slice %2[%i, 0] [1, 3] [1, 1] : tensor<7x3xf64> to {X}
          %h = tensor.extract_slice %2[%last, 0] [1, 3] [1, 1] : tensor<7x3xf64> to {X}
          %u = rev.coupling additive %p given(%q) {{
          ^bb0(%c: {X}):{step("%c", "%s", "%w")}
            rev.yield %s : {X}
          }} : {X}, ({X})
          %v = rev.coupling additive %q given(%u) {{
          ^bb0(%c: {X}):{step("%c", "%s", "%h")}
            rev.yield %s : {X}
          }} : {X}, ({X})
          %n = arith.addi %i, %c1 : index
          scf.yield %u, %v, %n, %down : {X}, {X}, index, index
        }}
        return %r#0, %r#1 : {X}, {X}""", policy=policy)
    # The condition depends on the state; a loop in a loop.
    yield Case("while_of_state", [Arg(X, range=(1.0, 2.0)), Arg("f64", range=(0.4, 0.6))], X, f"""
        %c0 = arith.constant 0 : index
        %c1 = arith.constant 1 : index
        %low = arith.constant 0.05 : f64
        %r = scf.while (%p = %0) : ({X}) -> {X} {{
          %e = tensor.extract %p[%c0] : {X}
          %more = arith.cmpf ogt, %e, %low : f64
          scf.condition(%more) %p : {X}
        }} do {{
        ^bb0(%p: {X}):
          %sp = tensor.splat %1 : {X}
          %q = arith.mulf %p, %sp : {X}
          %limit = arith.constant 0.3 : f64
          %w = scf.while (%a = %q) : ({X}) -> {X} {{
            %e = tensor.extract %a[%c1] : {X}
            %more = arith.cmpf ogt, %e, %limit : f64
            scf.condition(%more) %a : {X}
          }} do {{
          ^bb0(%a: {X}):
            %b = math.sin %a : {X}
            %c = arith.mulf %b, %sp : {X}
            scf.yield %c : {X}
          }}
          scf.yield %w : {X}
        }}
        return %r : {X}""")


def parallel():
    x, y = tensor(5, 7), tensor(7)
    # Tiles whose last one is smaller, which read where they write.
    yield Case("forall_tiles", [Arg(x), Arg(x), Arg(y)], x, f"""
        %c0 = arith.constant 0 : index
        %r = scf.forall (%i, %j) = (0, 0) to (5, 7) step (2, 3) shared_outs(%o = %0) -> ({x}) {{
          %m = affine.min affine_map<(d0) -> (2, 5 - d0)>(%i)
          %n = affine.min affine_map<(d0) -> (3, 7 - d0)>(%j)
          %a = tensor.extract_slice %o[%i, %j] [%m, %n] [1, 1] : {x} to tensor<?x?xf64>
          %b = tensor.extract_slice %1[%i, %j] [%m, %n] [1, 1] : {x} to tensor<?x?xf64>
          %e = tensor.extract %1[%c0, %c0] : {x}
          %v = tensor.extract %2[%j] : {y}
          %ev = arith.mulf %e, %v : f64
          %f = linalg.fill ins(%ev : f64) outs(%b : tensor<?x?xf64>) -> tensor<?x?xf64>
          %p = linalg.mul ins(%a, %b : tensor<?x?xf64>, tensor<?x?xf64>)
            outs(%b : tensor<?x?xf64>) -> tensor<?x?xf64>
          %s = linalg.mul ins(%p, %f : tensor<?x?xf64>, tensor<?x?xf64>)
            outs(%b : tensor<?x?xf64>) -> tensor<?x?xf64>
          scf.forall.in_parallel {{
            tensor.parallel_insert_slice %s into %o[%i, %j] [%m, %n] [1, 1]
              : tensor<?x?xf64> into {x}
          }}
        }}
        return %r : {x}""")
    # Tiles of an extent that is an argument, by number and by offset.
    for bounds, offset in (("in (%2)", "arith.muli %i, %3 : index"),
                           ("= (0) to (6) step (%3)", "arith.addi %i, %zero : index")):
        yield Case(f"forall_symbolic_tiles_{bounds[:2].strip()}",
                   [Arg(tensor(6)), Arg(tensor(6)), index(3), index(2)], tensor(6), f"""
        %zero = arith.constant 0 : index
        %r = scf.forall (%i) {bounds} shared_outs(%o = %0) -> tensor<6xf64> {{
          %k = {offset}
          %a = tensor.extract_slice %o[%k] [%3] [1] : tensor<6xf64> to tensor<?xf64>
          %b = tensor.extract_slice %1[%k] [%3] [1] : tensor<6xf64> to tensor<?xf64>
          %p = arith.mulf %a, %b : tensor<?xf64>
          %s = math.sin %p : tensor<?xf64>
          scf.forall.in_parallel {{
            tensor.parallel_insert_slice %s into %o[%k] [%3] [1] : tensor<?xf64> into tensor<6xf64>
          }}
        }}
        return %r : tensor<6xf64>""")
    # Two outputs; one is written in part and strides.
    yield Case("forall_two_outputs", [Arg(x), Arg(tensor(16)), Arg(y)], [tensor(16), x], f"""
        %three = arith.constant 3 : index
        %r:2 = scf.forall (%i) in (5) shared_outs(%o = %1, %q = %0) -> (tensor<16xf64>, {x}) {{
          %k = arith.muli %i, %three : index
          %row = tensor.extract_slice %0[%i, 0] [1, 7] [1, 1] : {x} to {y}
          %p = arith.mulf %row, %2 : {y}
          %t = math.sin %p : {y}
          %h = tensor.extract_slice %t[0] [2] [1] : {y} to tensor<2xf64>
          scf.forall.in_parallel {{
            tensor.parallel_insert_slice %h into %o[%k] [2] [2] : tensor<2xf64> into tensor<16xf64>
            tensor.parallel_insert_slice %t into %q[%i, 0] [1, 7] [1, 1] : {y} into {x}
          }}
        }}
        return %r#0, %r#1 : tensor<16xf64>, {x}""")


def states():
    """States that are active in different ways, and results in different use."""
    # enzyme_: an active state that starts as a constant, before another one.
    yield Case("enzyme_constant_init_shifts_results", [Arg(X), Arg(X)], [X, X], f"""
        %c0 = arith.constant 0 : index
        %c1 = arith.constant 1 : index
        %c4 = arith.constant 4 : index
        %z = arith.constant dense<0.0> : {X}
        %r:3 = scf.for %k = %c0 to %c4 step %c1 iter_args(%s = %z, %p = %0, %u = %z) -> ({X}, {X}, {X}) {{
          %q = arith.mulf %p, %1 : {X}
          %t = math.sin %q : {X}
          %n = arith.addf %s, %t : {X}
          scf.yield %n, %t, %q : {X}, {X}, {X}
        }}
        return %r#0, %r#1 : {X}, {X}""")
    # A constant state that is active by way of another one, two iterations late.
    yield Case("active_through_constant_states", [Arg(X)], X, f"""
        %c0 = arith.constant 0 : index
        %c1 = arith.constant 1 : index
        %c4 = arith.constant 4 : index
        %z = arith.constant dense<0.0> : {X}
        %r:3 = scf.for %k = %c0 to %c4 step %c1 iter_args(%u = %z, %s = %z, %p = %0) -> ({X}, {X}, {X}) {{
          %v = math.sin %s : {X}
          %w = arith.addf %v, %u : {X}
          %t = math.cos %p : {X}
          %q = math.sin %t : {X}
          scf.yield %w, %q, %t : {X}, {X}, {X}
        }}
        return %r#0 : {X}""")
    # enzyme_: the induction variable of iterations that run again.
    for how in ("periodic<3>", "binomial<2>"):
        yield Case(f"enzyme_replayed_induction_variable_{how}", [Arg(X)], X, f"""
        %c0 = arith.constant 2 : index
        %c1 = arith.constant 3 : index
        %c4 = arith.constant 25 : index
        %w = arith.constant dense<0.02> : {X}
        %r = scf.for %k = %c0 to %c4 step %c1 iter_args(%p = %0) -> {X} {{
          %ki = arith.index_cast %k : index to i64
          %kf = arith.sitofp %ki : i64 to f64
          %sp = tensor.splat %kf : {X}
          %q = arith.mulf %p, %sp : {X}
          %v = arith.mulf %q, %w : {X}
          %t = math.sin %v : {X}
          %d = arith.addf %t, %p : {X}
          scf.yield %d : {X}
        }} {{rev.checkpoint = #rev.{how}}}
        return %r : {X}""")
    # lagrad_: only the first result of a loop had a cotangent; tapes took a step
    # of 1 for granted.
    yield Case("lagrad_second_result_of_loop_step_3", [Arg(X), Arg("f64"), index(8)], ["f64", X], f"""
        %c1 = arith.constant 1 : index
        %c3 = arith.constant 3 : index
        %r:3 = scf.for %k = %c1 to %2 step %c3 iter_args(%p = %0, %s = %1, %i = %c1) -> ({X}, f64, index) {{
          %ki = arith.index_cast %i : index to i64
          %kf = arith.sitofp %ki : i64 to f64
          %a = arith.mulf %s, %kf : f64
          %b = math.sin %a : f64
          %sp = tensor.splat %b : {X}
          %q = arith.mulf %p, %sp : {X}
          %n = arith.muli %i, %c3 : index
          scf.yield %q, %b, %n : {X}, f64, index
        }}
        return %r#1, %r#0 : f64, {X}""")
    # Nobody uses the result that the state's derivative comes from.
    yield Case("unused_result", [Arg(X), Arg(X, zero=True)], X, f"""
        %c0 = arith.constant 0 : index
        %c1 = arith.constant 1 : index
        %c4 = arith.constant 4 : index
        %r:2 = scf.for %k = %c0 to %c4 step %c1 iter_args(%p = %0, %u = %1) -> ({X}, {X}) {{
          %t = math.sin %p : {X}
          %v = arith.mulf %u, %p : {X}
          scf.yield %t, %v : {X}, {X}
        }}
        return %r#0 : {X}""")


def shapes():
    d, x = tensor("?", 3), tensor(4, 3)
    for how in ("", " {rev.checkpoint = #rev.periodic<2>}", " {rev.checkpoint = #rev.binomial<2>}"):
        kind = how.split(".")[-1].split("<")[0] if how else "tape"
        yield Case(f"dynamic_shape_{kind}", [Arg(d, static=x), Arg(d, static=x), index(5)], d, f"""
        %c0 = arith.constant 0 : index
        %c1 = arith.constant 1 : index
        %n = tensor.dim %0, %c0 : {d}
        %r = scf.for %k = %c0 to %2 step %c1 iter_args(%p = %0) -> {d} {{
          %m = tensor.dim %p, %c0 : {d}
          %e = tensor.empty(%m) : {d}
          %q = linalg.mul ins(%p, %1 : {d}, {d}) outs(%e : {d}) -> {d}
          %s = math.sin %q : {d}
          %h = tensor.extract_slice %s[0, 0] [%n, 2] [1, 1] : {d} to tensor<?x2xf64>
          %g = math.exp %h : tensor<?x2xf64>
          %i = tensor.insert_slice %g into %s[0, 0] [%n, 2] [1, 1] : tensor<?x2xf64> into {d}
          %t = math.tanh %i : {d}
          scf.yield %t : {d}
        }}{how}
        return %r : {d}""", static_results=[x])
    # Slices that grow with the index: evaluated again.
    yield Case("growing_slices", [Arg(tensor(6)), Arg(tensor(6))], tensor(6), """
        %c0 = arith.constant 0 : index
        %c1 = arith.constant 1 : index
        %c6 = arith.constant 6 : index
        %r = scf.for %k = %c1 to %c6 step %c1 iter_args(%p = %0) -> tensor<6xf64> {
          %a = tensor.extract_slice %p[0] [%k] [1] : tensor<6xf64> to tensor<?xf64>
          %b = tensor.extract_slice %1[0] [%k] [1] : tensor<6xf64> to tensor<?xf64>
          %s = math.sin %a : tensor<?xf64>
          %q = linalg.mul ins(%s, %b : tensor<?xf64>, tensor<?xf64>) outs(%a : tensor<?xf64>) -> tensor<?xf64>
          %t = math.exp %q : tensor<?xf64>
          %v = math.sin %t : tensor<?xf64>
          %n = tensor.insert_slice %v into %p[0] [%k] [1] : tensor<?xf64> into tensor<6xf64>
          scf.yield %n : tensor<6xf64>
        }
        return %r : tensor<6xf64>""")
    # Indices, booleans and integers of the state are stored too.
    yield Case("integer_state", [Arg(tensor(6)), index(5)], tensor(6), """
        %c0 = arith.constant 0 : index
        %c1 = arith.constant 1 : index
        %c2 = arith.constant 2 : index
        %c6 = arith.constant 6 : index
        %true = arith.constant true
        %seed = arith.constant dense<[3, 1, 4, 1, 5, 2]> : tensor<6xi32>
        %r:4 = scf.for %k = %c0 to %1 step %c1 iter_args(%p = %0, %j = %c1, %b = %true, %v = %seed)
            -> (tensor<6xf64>, index, i1, tensor<6xi32>) {
          %e = tensor.extract %p[%j] : tensor<6xf64>
          %s = math.sin %e : f64
          %c = math.exp %e : f64
          %x = arith.select %b, %s, %c : f64
          %w = tensor.extract %v[%j] : tensor<6xi32>
          %f = arith.sitofp %w : i32 to f64
          %y = arith.mulf %x, %f : f64
          %tenth = arith.constant 0.3 : f64
          %z = arith.mulf %y, %tenth : f64
          %n = tensor.insert %z into %p[%j] : tensor<6xf64>
          %a = arith.muli %j, %c2 : index
          %i = arith.remui %a, %c6 : index
          %not = arith.xori %b, %true : i1
          %two = arith.constant 2 : i32
          %w2 = arith.muli %w, %two : i32
          %v2 = tensor.insert %w2 into %v[%j] : tensor<6xi32>
          scf.yield %n, %i, %not, %v2 : tensor<6xf64>, index, i1, tensor<6xi32>
        }
        return %r#0 : tensor<6xf64>""")
    # A loop in a branch in a loop in a loop, whose trips depend on outer indices.
    yield Case("triangular_loops", [Arg(X), Arg(X), index(4)], X, f"""
        %c0 = arith.constant 0 : index
        %c1 = arith.constant 1 : index
        %r = scf.for %i = %c0 to %2 step %c1 iter_args(%p = %0) -> {X} {{
          %s = scf.for %j = %c0 to %i step %c1 iter_args(%q = %p) -> {X} {{
            %odd = arith.remui %j, %2 : index
            %b = arith.cmpi ule, %odd, %c1 : index
            %t = scf.if %b -> {X} {{
              %u = scf.for %l = %j to %i step %c1 iter_args(%v = %q) -> {X} {{{step("%v", "%w", "%1")}
                scf.yield %w : {X}
              }}
              %h = arith.mulf %u, %q : {X}
              scf.yield %h : {X}
            }} else {{
              %h = math.exp %q : {X}
              scf.yield %h : {X}
            }}
            %y = math.cos %t : {X}
            scf.yield %y : {X}
          }}
          scf.yield %s : {X}
        }}
        return %r : {X}""")


def checkpoints():
    for trips in (0, 1, 2, 7, 12, 25):
        for how in ("periodic<1>", "periodic<4>", "periodic<30>", "binomial<1>",
                    "binomial<3>", "binomial<8>"):
            body = f"""
        %c1 = arith.constant 1 : index
        %c2 = arith.constant 2 : index
        %z = arith.constant dense<0.0> : {X}
        %r:2 = scf.for %k = %c1 to %u step %c2 iter_args(%p = %0, %q = %z) -> ({X}, {X}) {{
          %ki = arith.index_cast %k : index to i64
          %kf = arith.sitofp %ki : i64 to f64
          %sp = tensor.splat %kf : {X}
          %a = arith.mulf %p, %1 : {X}
          %small = arith.constant dense<0.03> : {X}
          %as = arith.mulf %a, %small : {X}
          %b = arith.mulf %as, %sp : {X}
          %e = arith.addf %b, %p : {X}
          %c = math.sin %e : {X}
          %d = arith.addf %q, %c : {X}
          scf.yield %c, %d : {X}, {X}
        }} {{rev.checkpoint = #rev.{how}}}
        return %r#0, %r#1 : {X}, {X}"""
            zero = trips == 0
            yield Case(f"checkpoint_{how}_{trips}_dynamic",
                       [Arg(X, range=(0.5, 1.0)), Arg(X, zero=zero, range=(0.5, 1.0)),
                        index(2 * trips)], [X, X], body.replace("%u", "%2"))
            if trips in (7, 12):
                yield Case(f"checkpoint_{how}_{trips}",
                           [Arg(X, range=(0.5, 1.0)), Arg(X, range=(0.5, 1.0))], [X, X],
                           f"%u = arith.constant {2 * trips} : index" + body)


def cases(*groups):
    for group in groups:
        for case in group():
            for arg in case.args:
                # Iterations amplify what the step of a difference leaves. Where a
                # case is linear, differences are exact.
                if not arg.linear:
                    arg.tolerance = max(arg.tolerance, 1e-6)
            yield case


if __name__ == "__main__":
    main(list(cases(trip_counts, whiles, parallel, states, shapes, checkpoints)))
