# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Programs that other differentiation systems for MLIR get wrong, by their code or
their issues: Enzyme (its MLIR part), Enzyme-JAX and LAGrad. A case's name says
what goes wrong there. What they refuse or cannot express is in
peer-bugs.mlir."""

from harness import Arg, Case, main, tensor

X = tensor(6)
INDICES = "\n".join(f"        %c{i} = arith.constant {i} : index" for i in (0, 1, 2, 3, 5, 11))


def enzyme():
    # (upper - lower) / step with floor division loses the last iteration.
    for policy in ("invert", "store"):
        yield Case(f"enzyme_trip_count_is_floored_{policy}", [Arg(X)], [X], f"""
{INDICES}
            %r = scf.for %i = %c0 to %c5 step %c2 iter_args(%a = %0) -> {X} {{
              %t = math.sin %a : {X}
              %u = arith.addf %t, %a : {X}
              scf.yield %u : {X}
            }}
            return %r : {X}""", policy=policy)
    # An active state that starts as a constant, before another one: the results'
    # cotangents are mixed up.
    yield Case("enzyme_constant_state_shifts_results", [Arg(X), Arg(X)], [X, X], f"""
{INDICES}
        %zero = arith.constant dense<0.0> : {X}
        %r:2 = scf.for %i = %c0 to %c3 step %c1 iter_args(%s = %zero, %a = %0) -> ({X}, {X}) {{
          %t = math.sin %a : {X}
          %u = arith.mulf %t, %1 : {X}
          %v = arith.addf %s, %u : {X}
          scf.yield %v, %u : {X}, {X}
        }}
        return %r#0, %r#1 : {X}, {X}""")
    # Stored constants are taken for equal without a look at their values.
    yield Case("enzyme_constants_are_taken_for_equal", [Arg(X)], [X], f"""
{INDICES}
        %r = scf.for %i = %c0 to %c3 step %c1 iter_args(%a = %0) -> {X} {{
          %two = arith.constant dense<2.0> : {X}
          %half = arith.constant dense<0.5> : {X}
          %p = arith.mulf %a, %two : {X}
          %q = arith.mulf %a, %half : {X}
          %s = math.sin %p : {X}
          %t = math.sin %q : {X}
          %u = arith.mulf %s, %t : {X}
          scf.yield %u : {X}
        }}
        return %r : {X}""")
    # A body that is run again reads an induction variable that is off; no body of
    # theirs read it.
    for bounds in ("%c2 to %c11 step %c3", "%c1 to %c11 step %c2"):
        name = bounds.replace("%c", "").replace(" ", "_")
        yield Case(f"enzyme_replayed_induction_variable_{name}", [Arg(X)], [X], f"""
{INDICES}
            %r = scf.for %i = {bounds} iter_args(%a = %0) -> {X} {{
              %n = arith.index_cast %i : index to i64
              %f = arith.sitofp %n : i64 to f64
              %tenth = arith.constant 0.1 : f64
              %g = arith.mulf %f, %tenth : f64
              %s = tensor.splat %g : {X}
              %b = arith.mulf %a, %s : {X}
              %t = math.sin %b : {X}
              scf.yield %t : {X}
            }}
            return %r : {X}""")
    # A branch inside a loop whose condition changes with the iteration.
    yield Case("enzyme_branch_in_a_loop", [Arg(X), Arg("f64")], [X], f"""
{INDICES}
        %r = scf.for %i = %c0 to %c5 step %c1 iter_args(%a = %0) -> {X} {{
          %m = arith.remui %i, %c2 : index
          %p = arith.cmpi eq, %m, %c0 : index
          %b = scf.if %p -> {X} {{
            %t = math.sin %a : {X}
            scf.yield %t : {X}
          }} else {{
            %s = tensor.splat %1 : {X}
            %u = arith.mulf %a, %s : {X}
            scf.yield %u : {X}
          }}
          scf.yield %b : {X}
        }}
        return %r : {X}""")


def enzyme_jax():
    # Every element that ties gets the whole cotangent: twice too much here.
    for name, op, start in (("maximum", "arith.maximumf", "-1.0e+300"),
                            ("minimum", "arith.minimumf", "1.0e+300")):
        yield Case(f"enzyme_jax_ties_of_a_{name}", [Arg(X)], ["tensor<f64>"], f"""
            %both = tensor.concat dim(0) %0, %0 : ({X}, {X}) -> tensor<12xf64>
            %z = arith.constant dense<{start}> : tensor<f64>
            %r = linalg.reduce ins(%both : tensor<12xf64>) outs(%z : tensor<f64>) dimensions = [0]
              (%a: f64, %b: f64) {{
                %m = {op} %a, %b : f64
                linalg.yield %m : f64
              }}
            return %r : tensor<f64>""")
    # The derivative of a product as product / factor: NaN where a factor is 0.
    yield Case("enzyme_jax_product_with_a_zero",
               [Arg(X, zero=True), Arg("tensor<1xf64>", range=(0.0, 0.0), linear=True)],
               ["tensor<f64>"], f"""
        %all = tensor.concat dim(0) %0, %1 : ({X}, tensor<1xf64>) -> tensor<7xf64>
        %one = arith.constant dense<1.0> : tensor<f64>
        %r = linalg.reduce ins(%all : tensor<7xf64>) outs(%one : tensor<f64>) dimensions = [0]
          (%a: f64, %b: f64) {{
            %m = arith.mulf %a, %b : f64
            linalg.yield %m : f64
          }}
        return %r : tensor<f64>""")


def lagrad():
    # Only one result of a function, a loop, a branch gets a cotangent.
    yield Case("lagrad_several_results", [Arg(X)], [X, X, "f64"], f"""
{INDICES}
        %s = math.sin %0 : {X}
        %c = math.cos %0 : {X}
        %e = tensor.extract %0[%c2] : {X}
        return %s, %c, %e : {X}, {X}, f64""")
    yield Case("lagrad_several_loop_results", [Arg(X), Arg("f64")], [X, "f64"], f"""
{INDICES}
        %r:2 = scf.for %i = %c0 to %c3 step %c1 iter_args(%a = %1, %b = %0) -> (f64, {X}) {{
          %t = math.sin %a : f64
          %s = tensor.splat %t : {X}
          %u = arith.mulf %b, %s : {X}
          scf.yield %t, %u : f64, {X}
        }}
        return %r#1, %r#0 : {X}, f64""")
    yield Case("lagrad_several_branch_results", [Arg(X), Arg("f64")], [X, "f64"], f"""
        %limit = arith.constant -5.0 : f64
        %p = arith.cmpf ogt, %1, %limit : f64
        %r:2 = scf.if %p -> (f64, {X}) {{
          %t = math.sin %1 : f64
          %s = tensor.splat %t : {X}
          %u = arith.mulf %0, %s : {X}
          scf.yield %t, %u : f64, {X}
        }} else {{
          scf.yield %1, %0 : f64, {X}
        }}
        return %r#1, %r#0 : {X}, f64""")
    # powf loses the incoming cotangent and the derivative of the exponent.
    yield Case("lagrad_power", [Arg("f64", range=(0.5, 1.5)), Arg("f64")], ["f64"], """
        %p = math.powf %0, %1 : f64
        %s = math.sin %p : f64
        return %s : f64""")
    # The value that fills a tensor is ignored.
    yield Case("lagrad_fill", [Arg("f64"), Arg(X)], [X], f"""
        %e = tensor.empty() : {X}
        %f = linalg.fill ins(%0 : f64) outs(%e : {X}) -> {X}
        %m = arith.mulf %f, %1 : {X}
        return %m : {X}""")
    # A reduction that does not add reads the gradient for its running value.
    for name, op, start in (("maximum", "arith.maximumf", "-1.0e+300"),
                            ("product", "arith.mulf", "1.0")):
        yield Case(f"lagrad_{name}_reduction", [Arg(tensor(4, 5))], [tensor(4)], f"""
            %z = arith.constant dense<{start}> : tensor<4xf64>
            %r = linalg.generic {{indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>],
                iterator_types = ["parallel", "reduction"]}} ins(%0 : tensor<4x5xf64>) outs(%z : tensor<4xf64>) {{
            ^bb0(%a: f64, %b: f64):
              %m = {op} %a, %b : f64
              linalg.yield %m : f64
            }} -> tensor<4xf64>
            return %r : tensor<4xf64>""")
    # A convolution as a generic: the gradient's loops collide.
    yield Case("lagrad_convolution_like_generic", [Arg(tensor(8)), Arg(tensor(3))], [X], f"""
        %z = arith.constant dense<0.0> : {X}
        %r = linalg.generic {{indexing_maps = [affine_map<(d0, d1) -> (d0 + d1)>, affine_map<(d0, d1) -> (d1)>,
            affine_map<(d0, d1) -> (d0)>], iterator_types = ["parallel", "reduction"]}}
            ins(%0, %1 : tensor<8xf64>, tensor<3xf64>) outs(%z : {X}) {{
        ^bb0(%a: f64, %b: f64, %o: f64):
          %m = arith.mulf %a, %b : f64
          %s = arith.addf %o, %m : f64
          linalg.yield %s : f64
        }} -> {X}
        return %r : {X}""")
    # Tapes are indexed as if each step were 1.
    yield Case("lagrad_tape_of_a_loop_with_a_step", [Arg(X)], [X], f"""
{INDICES}
        %r = scf.for %i = %c1 to %c11 step %c3 iter_args(%a = %0) -> {X} {{
          %t = math.sin %a : {X}
          scf.yield %t : {X}
        }}
        return %r : {X}""", policy="store")


def cases():
    for group in (enzyme, enzyme_jax, lagrad):
        yield from group()


if __name__ == "__main__":
    main(list(cases()))
