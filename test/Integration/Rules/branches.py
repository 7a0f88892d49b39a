# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Control flow: branches, in loops and around them.

The names of cases that other implementations get wrong say so: `lagrad_` for LAGrad.
"""

from control import X, cases, index, step
from harness import Arg, Case, main, tensor


def branches():
    # Both sides of each branch are taken by some case.
    for taken in (0, 1):
        flag = Arg("i1", value=str(taken))
        # lagrad_: only the first result of an scf.if had a cotangent. %1 is
        # captured by one branch alone, %0 by both.
        yield Case(f"lagrad_second_result_of_if_{taken}", [Arg(X), Arg(X, zero=not taken), flag], [X, X], f"""
        %r:2 = scf.if %2 -> ({X}, {X}) {{
          %s = math.sin %0 : {X}
          %m = arith.mulf %s, %1 : {X}
          %e = math.exp %m : {X}
          scf.yield %e, %m : {X}, {X}
        }} else {{
          %t = math.tanh %0 : {X}
          scf.yield %0, %t : {X}, {X}
        }}
        %q = arith.mulf %r#0, %r#1 : {X}
        return %q, %r#1 : {X}, {X}""")
        # Without else nothing leaves it; a value is yielded as it is captured.
        yield Case(f"if_nested_{taken}", [Arg(X), Arg("f64"), flag], [X, "f64"], f"""
        %true = arith.constant true
        %r:2 = scf.if %2 -> ({X}, f64) {{
          %v = math.exp %1 : f64
          %i = scf.if %true -> {X} {{
            %sp = tensor.splat %v : {X}
            %m = arith.mulf %sp, %0 : {X}
            %m2 = arith.mulf %m, %m : {X}
            scf.yield %m2 : {X}
          }} else {{
            scf.yield %0 : {X}
          }}
          %j = math.sin %i : {X}
          scf.yield %j, %v : {X}, f64
        }} else {{
          scf.yield %0, %1 : {X}, f64
        }}
        return %r#0, %r#1 : {X}, f64""")
    # In a loop: a condition on the index, one on the state, which a tape has to
    # hold, and a loop in a branch.
    for policy in ("store", "invert"):
        yield Case(f"if_in_loop_{policy}", [Arg(X), Arg(X), index(5)], X, f"""
        %c0 = arith.constant 0 : index
        %c1 = arith.constant 1 : index
        %c2 = arith.constant 2 : index
        %z = arith.constant 0.3 : f64
        %r = scf.for %k = %c0 to %2 step %c1 iter_args(%p = %0) -> {X} {{
          %e = tensor.extract %p[%c1] : {X}
          %above = arith.cmpf ogt, %e, %z : f64
          %odd = arith.remui %k, %c2 : index
          %isodd = arith.cmpi eq, %odd, %c1 : index
          %a = scf.if %above -> {X} {{
            %n = scf.for %l = %c0 to %c2 step %c1 iter_args(%q = %p) -> {X} {{{step("%q", "%s", "%1")}
              scf.yield %s : {X}
            }}
            %h = arith.mulf %n, %p : {X}
            scf.yield %h : {X}
          }} else {{
            %i = scf.if %isodd -> {X} {{
              %x = math.cos %p : {X}
              scf.yield %x : {X}
            }} else {{
              %x = arith.mulf %p, %1 : {X}
              scf.yield %x : {X}
            }}
            %y = math.cos %i : {X}
            scf.yield %y : {X}
          }}
          scf.yield %a : {X}
        }}
        return %r : {X}""", policy=policy)
        # In the region of a coupling, that a loop of couplings runs.
        yield Case(f"if_in_coupling_{policy}", [Arg(X), Arg(X), Arg(X), index(4)], [X, X], f"""
        %c0 = arith.constant 0 : index
        %c1 = arith.constant 1 : index
        %z = arith.constant 0.1 : f64
        %r:2 = scf.for %k = %c0 to %3 step %c1 iter_args(%p = %0, %q = %1) -> ({X}, {X}) {{
          %u = rev.coupling additive %p given(%q) {{
          ^bb0(%c: {X}):
            %e = tensor.extract %c[%c1] : {X}
            %above = arith.cmpf ogt, %e, %z : f64
            %t = scf.if %above -> {X} {{{step("%c", "%s", "%2")}
              scf.yield %s : {X}
            }} else {{
              %s = arith.mulf %2, %2 : {X}
              scf.yield %s : {X}
            }}
            %y = math.tanh %t : {X}
            rev.yield %y : {X}
          }} : {X}, ({X})
          %v = arith.addf %q, %u : {X}
          scf.yield %u, %v : {X}, {X}
        }}
        return %r#0, %r#1 : {X}, {X}""", policy=policy)
        # A loop of couplings in a branch, which a loop runs.
        yield Case(f"couplings_in_if_{policy}", [Arg(X), Arg(X), Arg(X), index(4)], [X, X], f"""
        %c0 = arith.constant 0 : index
        %c1 = arith.constant 1 : index
        %c2 = arith.constant 2 : index
        %r:2 = scf.for %k = %c0 to %3 step %c1 iter_args(%p = %0, %q = %1) -> ({X}, {X}) {{
          %odd = arith.remui %k, %c2 : index
          %isodd = arith.cmpi eq, %odd, %c1 : index
          %t:2 = scf.if %isodd -> ({X}, {X}) {{
            %s:2 = scf.for %l = %c0 to %k step %c1 iter_args(%a = %p, %b = %q) -> ({X}, {X}) {{
              %u = rev.coupling additive %a given(%b) {{
              ^bb0(%c: {X}):{step("%c", "%s", "%2")}
                rev.yield %s : {X}
              }} : {X}, ({X})
              %v = rev.coupling additive %b given(%u) {{
              ^bb0(%c: {X}):
                %s = math.tanh %c : {X}
                rev.yield %s : {X}
              }} : {X}, ({X})
              scf.yield %u, %v : {X}, {X}
            }}
            scf.yield %s#0, %s#1 : {X}, {X}
          }} else {{
            %s = math.sin %p : {X}
            scf.yield %q, %s : {X}, {X}
          }}
          scf.yield %t#0, %t#1 : {X}, {X}
        }}
        return %r#0, %r#1 : {X}, {X}""", policy=policy)
    # In the body of a generic, with a result that reads what it captures.
    m = "affine_map<(d0) -> (d0)>"
    yield Case("if_in_generic", [Arg(tensor(7)), Arg(tensor(7)), Arg("f64")], tensor(7), f"""
        %z = arith.constant 0.1 : f64
        %e = tensor.empty() : tensor<7xf64>
        %r = linalg.generic {{indexing_maps = [{m}, {m}, {m}], iterator_types = ["parallel"]}}
            ins(%0, %1 : tensor<7xf64>, tensor<7xf64>) outs(%e : tensor<7xf64>) {{
        ^bb0(%a: f64, %b: f64, %o: f64):
          %g = arith.cmpf ogt, %a, %z : f64
          %s = math.exp %b : f64
          %q:2 = scf.if %g -> (f64, f64) {{
            %u = arith.mulf %s, %a : f64
            %w = math.sin %u : f64
            scf.yield %w, %2 : f64, f64
          }} else {{
            %u = math.cos %a : f64
            scf.yield %a, %u : f64, f64
          }}
          %v = arith.mulf %q#0, %q#1 : f64
          linalg.yield %v : f64
        }} -> tensor<7xf64>
        return %r : tensor<7xf64>""")
    for case in (0, 3, 8):
        yield Case(f"index_switch_{case}", [Arg(X, zero=case == 8), Arg(X, zero=case == 0), index(case)], X, f"""
        %r = scf.index_switch %2 -> {X}
        case 0 {{
          %s = math.exp %0 : {X}
          scf.yield %s : {X}
        }}
        case 3 {{{step("%0", "%s", "%1")}
          %t = arith.mulf %s, %s : {X}
          scf.yield %t : {X}
        }}
        default {{
          scf.yield %1 : {X}
        }}
        return %r : {X}""")
    yield Case("execute_region", [Arg(X), Arg(X)], X, f"""
        %r = scf.execute_region -> {X} {{{step("%0", "%s", "%1")}
          %t = arith.mulf %s, %0 : {X}
          scf.yield %t : {X}
        }}
        return %r : {X}""")


if __name__ == "__main__":
    main(list(cases(branches)))
