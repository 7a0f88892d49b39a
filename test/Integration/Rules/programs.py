# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Loops, couplings, layers and small networks, under both policies."""

from harness import Arg, Case, gradient_of, main, tangent_of, tensor


def both(name, args, results, body, **options):
    """The same program with its activations inverted and stored."""
    for policy in ("invert", "store"):
        yield Case(f"{name}_{policy}", args, results, body, policy=policy, **options)


def region(kind, scale):
    """A region of a coupling of `%c`, which captures `%1`."""
    lines = """
          %e = tensor.empty() : tensor<3x4xf64>
          %z = arith.constant 0.0 : f64
          %i = linalg.fill ins(%z : f64) outs(%e : tensor<3x4xf64>) -> tensor<3x4xf64>
          %h = linalg.matmul ins(%c, %1 : tensor<3x4xf64>, tensor<4x4xf64>)
            outs(%i : tensor<3x4xf64>) -> tensor<3x4xf64>
          %t = math.tanh %h : tensor<3x4xf64>"""
    if kind == "additive":
        return lines + "\n          rev.yield %t : tensor<3x4xf64>"
    return lines + f"""
          %half = arith.constant dense<{scale}> : tensor<3x4xf64>
          %a = math.sin %h : tensor<3x4xf64>
          %b = arith.addf %a, %half : tensor<3x4xf64>
          rev.yield %b, %t : tensor<3x4xf64>, tensor<3x4xf64>"""


def couplings():
    x, w = tensor(3, 4), tensor(4, 4)
    for kind in ("additive", "affine<exp>", "affine<sigmoid>",
                 "affine<soft_tanh, alpha = 1.9>", "affine<soft_atan, alpha = 2.0>",
                 "affine<identity>"):
        # A scale near zero cannot be inverted.
        text = region(kind, 2.0 if "identity" in kind else 0.5)
        name = kind.replace("<", "_").replace(">", "").split(",")[0]
        yield from both(name, [Arg(x), Arg(w), Arg(x)], [x, x], f"""
        %y = rev.coupling {kind} %0 given(%2) {{
        ^bb0(%c: {x}):{text}
        }} : {x}, ({x})
        %z = rev.coupling {kind} %2 given(%y) {{
        ^bb0(%c: {x}):{text}
        }} : {x}, ({x})
        return %y, %z : {x}, {x}""")
        if kind == "additive":
            continue
        yield from both(name + "_log_det", [Arg(x), Arg(w), Arg(x)], [x, tensor(3)], f"""
        %y, %ld = rev.coupling {kind} %0 given(%2) log_det {{
        ^bb0(%c: {x}):{text}
        }} : {x}, ({x}) -> tensor<3xf64>
        return %y, %ld : {x}, tensor<3xf64>""")
    # A coupling in the region of a coupling.
    yield from both("nested", [Arg(x), Arg(w), Arg(x)], x, f"""
        %y = rev.coupling additive %0 given(%2) {{
        ^bb0(%d: {x}):
          %u = math.sin %d : {x}
          %v = rev.coupling affine<exp> %u given(%d) {{
          ^bb0(%c: {x}):{region("affine", 0.5)}
          }} : {x}, ({x})
          rev.yield %v : {x}
        }} : {x}, ({x})
        return %y : {x}""")


def loops():
    x, w, ws = tensor(3, 4), tensor(4, 4), tensor(5, 4, 4)
    # Stacked weights, two couplings a trip.
    yield from both("loop_of_couplings", [Arg(x), Arg(ws), Arg(x)], [x, x], f"""
        %c0 = arith.constant 0 : index
        %c1 = arith.constant 1 : index
        %c5 = arith.constant 5 : index
        %r:2 = scf.for %k = %c0 to %c5 step %c1 iter_args(%p = %0, %q = %2) -> ({x}, {x}) {{
          %m = tensor.extract_slice %1[%k, 0, 0] [1, 4, 4] [1, 1, 1] : {ws} to {w}
          %y = rev.coupling additive %p given(%q) {{
          ^bb0(%c: {x}):{region("additive", 0).replace("%1", "%m")}
          }} : {x}, ({x})
          %z = rev.coupling affine<exp> %q given(%y) {{
          ^bb0(%c: {x}):{region("affine", 0.5).replace("%1", "%m")}
          }} : {x}, ({x})
          scf.yield %y, %z : {x}, {x}
        }}
        return %r#0, %r#1 : {x}, {x}""")
    # The layer of the random numbers is the trip, which the inverse has to get
    # right.
    yield from both("loop_of_dropouts", [Arg(x), Arg(tensor(3, 4, 4)), Arg(x)], [x, x], f"""
        %c0 = arith.constant 0 : index
        %c1 = arith.constant 1 : index
        %c3 = arith.constant 3 : index
        %rate = arith.constant 0.4 : f32
        %seed = arith.constant 7 : i64
        %r:2 = scf.for %k = %c0 to %c3 step %c1 iter_args(%p = %0, %q = %2) -> ({x}, {x}) {{
          %m = tensor.extract_slice %1[%k, 0, 0] [1, 4, 4] [1, 1, 1] : {tensor(3, 4, 4)} to {w}
          %y = rev.coupling additive %p given(%q) {{
          ^bb0(%c: {x}):
            %d = rev.dropout %c rate %rate seed %seed layer %k step %seed
              : ({x}, f32, i64, index, i64) -> {x}{region("additive", 0).replace("%1", "%m").replace("%c,", "%d,")}
          }} : {x}, ({x})
          %z = rev.coupling affine<exp> %q given(%y) {{
          ^bb0(%c: {x}):
            %noise = rev.random_normal seed %seed layer %k step %c1
              : (i64, index, index) -> {x}
            %d = arith.mulf %c, %noise : {x}{region("affine", 0.0).replace("%1", "%m").replace("%c,", "%d,")}
          }} : {x}, ({x})
          scf.yield %y, %z : {x}, {x}
        }}
        return %r#0, %r#1 : {x}, {x}""")
    yield Case("dropout", [Arg(x, linear=True)], x, f"""
        %rate = arith.constant 0.4 : f64
        %seed = arith.constant 7 : i64
        %y = rev.dropout %0 rate %rate seed %seed layer %seed step %seed offset %seed
          : ({x}, f64, i64, i64, i64, i64) -> {x}
        return %y : {x}""")
    # A loop that no inverse edge runs backwards, whose step does not divide,
    # which reads its index, around a loop.
    yield from both("loop_of_loops", [Arg(x), Arg("f64")], x, f"""
        %c1 = arith.constant 1 : index
        %c2 = arith.constant 2 : index
        %c3 = arith.constant 3 : index
        %c8 = arith.constant 8 : index
        %r = scf.for %k = %c1 to %c8 step %c3 iter_args(%p = %0) -> {x} {{
          %ki = arith.index_cast %k : index to i64
          %kf = arith.sitofp %ki : i64 to f64
          %s = arith.mulf %kf, %1 : f64
          %f = tensor.splat %s : {x}
          %q = arith.mulf %p, %f : {x}
          %t = scf.for %l = %c1 to %c3 step %c1 iter_args(%u = %q) -> {x} {{
            %v = math.sin %u : {x}
            %a = arith.mulf %v, %p : {x}
            scf.yield %a : {x}
          }}
          scf.yield %t : {x}
        }}
        return %r : {x}""")
    # No trip at all, and one whose result nobody uses.
    yield from both("loop_without_trips", [Arg(x)], x, f"""
        %c0 = arith.constant 0 : index
        %c1 = arith.constant 1 : index
        %r = scf.for %k = %c1 to %c0 step %c1 iter_args(%p = %0) -> {x} {{
          %q = math.exp %p : {x}
          scf.yield %q : {x}
        }}
        %d:2 = scf.for %k = %c0 to %c1 step %c1 iter_args(%p = %r, %u = %0) -> ({x}, {x}) {{
          %q = arith.mulf %p, %u : {x}
          scf.yield %q, %q : {x}, {x}
        }}
        return %d#0 : {x}""")


def layers():
    x, c = tensor(2, 4, 3, 5), tensor(5)
    positive = (0.5, 2.0)
    yield from both("batch_norm", [Arg(x), Arg(c, range=positive), Arg(c, linear=True)],
                    [x, c, c], f"""
        %y, %m, %v = rev.batch_norm %0, %1, %2 epsilon 1.0e-5
          : ({x}, {c}, {c}) -> ({x}, {c}, {c})
        return %y, %m, %v : {x}, {c}, {c}""")
    c = tensor(4)
    yield from both("batch_norm_channel_1",
                    [Arg(x), Arg(c, range=positive), Arg(c, linear=True)], [x, c], f"""
        %y, %m, %v = rev.batch_norm %0, %1, %2 epsilon 1.0e-3 channel_dim 1
          : ({x}, {c}, {c}) -> ({x}, {c}, {c})
        return %y, %v : {x}, {c}""")
    c = tensor(5)
    yield from both("batch_norm_inference",
                    [Arg(x), Arg(c, range=positive), Arg(c), Arg(c),
                     Arg(c, range=positive)], x, f"""
        %y = rev.batch_norm_inference %0, %1, %2, %3, %4 epsilon 1.0e-5
          : ({x}, {c}, {c}, {c}, {c}) -> {x}
        return %y : {x}""")
    # The last label is no class.
    logits, loss = tensor(4, 6), tensor(4)
    yield from both("softmax_cross_entropy",
                    [Arg(logits), Arg("tensor<4xi32>", value="dense<[0, 5, 2, 9]>")],
                    [loss, loss], f"""
        %l, %s = rev.softmax_cross_entropy %0, %1
          : ({logits}, tensor<4xi32>) -> ({loss}, {loss})
        return %l, %s : {loss}, {loss}""")
    # Extents that only the run knows, and the coupling of a dynamic state.
    d, e = tensor("?", 5), tensor(7, 5)
    yield Case("batch_norm_dynamic",
               [Arg(d, static=e), Arg(c, range=positive), Arg(c, linear=True)], [d, c], f"""
        %y, %m, %v = rev.batch_norm %0, %1, %2 epsilon 1.0e-5
          : ({d}, {c}, {c}) -> ({d}, {c}, {c})
        return %y, %v : {d}, {c}""", static_results=[e, c])
    yield Case("softmax_cross_entropy_dynamic",
               [Arg(d, static=tensor(4, 5)),
                Arg("tensor<4xi32>", value="dense<[0, 3, 2, 9]>")], tensor("?"), f"""
        %i = tensor.cast %1 : tensor<4xi32> to tensor<?xi32>
        %l, %s = rev.softmax_cross_entropy %0, %i
          : ({d}, tensor<?xi32>) -> (tensor<?xf64>, tensor<?xf64>)
        return %l : tensor<?xf64>""", static_results=[tensor(4)])
    yield from both("coupling_dynamic", [Arg(d, static=e), Arg(d, static=e)], [d, d], f"""
        %y = rev.coupling affine<exp> %0 given(%1) {{
        ^bb0(%a: {d}):
          %t = math.tanh %a : {d}
          rev.yield %t, %a : {d}, {d}
        }} : {d}, ({d})
        %z = rev.coupling additive %1 given(%y) {{
        ^bb0(%a: {d}):
          %t = math.sin %a : {d}
          rev.yield %t : {d}
        }} : {d}, ({d})
        return %y, %z : {d}, {d}""", static_results=[e, e])


def networks():
    # A block of a convolutional network: couplings of padded convolutions, a
    # downsampling to twice the channels, pooling and a linear head.
    h, d, k = tensor(2, 6, 6, 3), tensor(2, 3, 3, 4), tensor(3, 3, 3, 3)
    p = tensor(2, 8, 8, 3)

    def branch(given, weights):
        return f"""
        ^bb0(%c: {h}):
          %z = arith.constant 0.0 : f64
          %p = tensor.pad %c low[0, 1, 1, 0] high[0, 1, 1, 0] {{
          ^bb0(%a0: index, %a1: index, %a2: index, %a3: index):
            tensor.yield %z : f64
          }} : {h} to {p}
          %e = tensor.empty() : {h}
          %i = linalg.fill ins(%z : f64) outs(%e : {h}) -> {h}
          %y = linalg.conv_2d_nhwc_hwcf ins(%p, {weights} : {p}, {k}) outs(%i : {h}) -> {h}
          %t = math.tanh %y : {h}
          rev.yield %t : {h}"""

    yield from both("network",
                    [Arg(h), Arg(h), Arg(k), Arg(tensor(1, 1, 3, 4)),
                     Arg(tensor(4, 3))], tensor(2, 3), f"""
        %x1 = rev.coupling additive %0 given(%1) {{{branch("%1", "%2")}
        }} : {h}, ({h})
        %x2 = rev.coupling additive %1 given(%x1) {{{branch("%x1", "%2")}
        }} : {h}, ({h})
        %s = arith.addf %x1, %x2 : {h}
        %z = arith.constant 0.0 : f64
        %e = tensor.empty() : {d}
        %i = linalg.fill ins(%z : f64) outs(%e : {d}) -> {d}
        %down = linalg.conv_2d_nhwc_hwcf {{strides = dense<2> : tensor<2xi64>}}
          ins(%s, %3 : {h}, tensor<1x1x3x4xf64>) outs(%i : {d}) -> {d}
        %q = math.sin %down : {d}
        %pe = tensor.empty() : tensor<2x1x1x4xf64>
        %pi = linalg.fill ins(%z : f64) outs(%pe : tensor<2x1x1x4xf64>) -> tensor<2x1x1x4xf64>
        %w = tensor.empty() : tensor<3x3xf64>
        %pool = linalg.pooling_nhwc_sum ins(%q, %w : {d}, tensor<3x3xf64>)
          outs(%pi : tensor<2x1x1x4xf64>) -> tensor<2x1x1x4xf64>
        %flat = tensor.collapse_shape %pool [[0, 1, 2], [3]]
          : tensor<2x1x1x4xf64> into tensor<2x4xf64>
        %le = tensor.empty() : tensor<2x3xf64>
        %li = linalg.fill ins(%z : f64) outs(%le : tensor<2x3xf64>) -> tensor<2x3xf64>
        %l = linalg.matmul ins(%flat, %4 : tensor<2x4xf64>, tensor<4x3xf64>)
          outs(%li : tensor<2x3xf64>) -> tensor<2x3xf64>
        return %l : tensor<2x3xf64>""")
    # The state is permuted, split into halves, joined and reshaped between
    # couplings: all of it runs backwards.
    x, y, half = tensor(4, 6), tensor(6, 4), tensor(6, 2)
    yield from both("moved_state", [Arg(x), Arg(half)], y, f"""
        %c0 = arith.constant 0 : index
        %c1 = arith.constant 1 : index
        %c3 = arith.constant 3 : index
        %r = scf.for %k = %c0 to %c3 step %c1 iter_args(%s = %0) -> {x} {{
          %e = tensor.empty() : {y}
          %t = linalg.transpose ins(%s : {x}) outs(%e : {y}) permutation = [1, 0]
          %a = tensor.extract_slice %t[0, 0] [6, 2] [1, 1] : {y} to {half}
          %b = tensor.extract_slice %t[0, 2] [6, 2] [1, 1] : {y} to {half}
          %u = rev.coupling additive %a given(%b) {{
          ^bb0(%c: {half}):
            %m = arith.mulf %c, %1 : {half}
            %n = math.tanh %m : {half}
            rev.yield %n : {half}
          }} : {half}, ({half})
          %j = tensor.concat dim(1) %b, %u : ({half}, {half}) -> {y}
          %f = tensor.collapse_shape %j [[0, 1]] : {y} into tensor<24xf64>
          %v = tensor.expand_shape %f [[0, 1]] output_shape [4, 6] : tensor<24xf64> into {x}
          scf.yield %v : {x}
        }}
        %e = tensor.empty() : {y}
        %t = linalg.transpose ins(%r : {x}) outs(%e : {y}) permutation = [1, 0]
        return %t : {y}""")
    # The halves of one tensor, each updated in place.
    yield from both("halves_in_place", [Arg(y), Arg(half)], y, f"""
        %c0 = arith.constant 0 : index
        %c1 = arith.constant 1 : index
        %c3 = arith.constant 3 : index
        %r = scf.for %k = %c0 to %c3 step %c1 iter_args(%s = %0) -> {y} {{
          %a = tensor.extract_slice %s[0, 0] [6, 2] [1, 1] : {y} to {half}
          %b = tensor.extract_slice %s[0, 2] [6, 2] [1, 1] : {y} to {half}
          %u = rev.coupling additive %a given(%b) {{
          ^bb0(%c: {half}):
            %m = arith.mulf %c, %1 : {half}
            %n = math.tanh %m : {half}
            rev.yield %n : {half}
          }} : {half}, ({half})
          %t = tensor.insert_slice %u into %s[0, 0] [6, 2] [1, 1] : {half} into {y}
          %d = tensor.extract_slice %t[0, 0] [6, 2] [1, 1] : {y} to {half}
          %e = tensor.extract_slice %t[0, 2] [6, 2] [1, 1] : {y} to {half}
          %v = rev.coupling affine<exp> %e given(%d) {{
          ^bb0(%c: {half}):
            %m = arith.mulf %c, %1 : {half}
            %n = math.sin %m : {half}
            rev.yield %n, %m : {half}, {half}
          }} : {half}, ({half})
          %w = tensor.insert_slice %v into %t[0, 2] [6, 2] [1, 1] : {half} into {y}
          scf.yield %w : {y}
        }}
        return %r : {y}""")


def captures():
    """Values that inner regions read under another name than the program does."""
    x = tensor(4)
    update = f"""
          %t = math.tanh %c : {x}
          rev.yield %t : {x}"""
    bounds = """
        %c0 = arith.constant 0 : index
        %c1 = arith.constant 1 : index
        %c3 = arith.constant 3 : index"""
    # %2 is had back by the second loop before the first one is reversed.
    yield from both("captured_state", [Arg(x), Arg(x), Arg(x)], [x, x, x], f"""{bounds}
        %l:2 = scf.for %i = %c0 to %c3 step %c1 iter_args(%a = %0, %b = %1) -> ({x}, {x}) {{
          %u = rev.coupling additive %a given(%b) {{
          ^bb0(%c: {x}):
            %t = arith.mulf %c, %2 : {x}
            rev.yield %t : {x}
          }} : {x}, ({x})
          %v = rev.coupling additive %b given(%u) {{
          ^bb0(%c: {x}):
            %t = arith.mulf %c, %2 : {x}
            rev.yield %t : {x}
          }} : {x}, ({x})
          scf.yield %u, %v : {x}, {x}
        }}
        %m = scf.for %i = %c0 to %c3 step %c1 iter_args(%a = %2) -> {x} {{
          %w = rev.coupling additive %a given(%l#0) {{
          ^bb0(%c: {x}):{update}
          }} : {x}, ({x})
          scf.yield %w : {x}
        }}
        return %l#0, %l#1, %m : {x}, {x}, {x}""")
    # A loop that stores, inside one that is inverted, swapping its halves.
    yield from both("captured_in_stored_loop", [Arg(x), Arg(x), Arg(x)], [x, x, x], f"""{bounds}
        %l:2 = scf.for %i = %c0 to %c3 step %c1 iter_args(%a = %0, %b = %1) -> ({x}, {x}) {{
          %w = scf.for %j = %c0 to %c3 step %c1 iter_args(%k = %b) -> {x} {{
            %u = arith.mulf %k, %2 : {x}
            %t = math.tanh %u : {x}
            scf.yield %t : {x}
          }}
          %v = arith.addf %a, %w : {x}
          scf.yield %b, %v : {x}, {x}
        }}
        %z = rev.coupling additive %2 given(%l#0) {{
        ^bb0(%c: {x}):{update}
        }} : {x}, ({x})
        return %l#0, %l#1, %z : {x}, {x}, {x}""")
    # Slices of one tensor that overlap, all read by a region.
    v, part = tensor(6), tensor(3)
    slices = f"""{bounds}
        %s1 = tensor.extract_slice %0[0] [3] [1] : {v} to {part}
        %s2 = tensor.extract_slice %0[1] [3] [1] : {v} to {part}
        %s3 = tensor.extract_slice %0[0] [3] [1] : {v} to {part}"""
    mixed = f"""
          %p = arith.mulf %a, %s1 : {part}
          %q = math.sin %s2 : {part}
          %u = arith.addf %p, %q : {part}
          %k = arith.mulf %u, %s3 : {part}
          %h = tensor.extract_slice %0[2] [3] [1] : {v} to {part}
          %n = arith.mulf %k, %h : {part}"""
    yield Case("overlapping_slices_in_a_loop", [Arg(v), Arg(part)], part, f"""{slices}
        %r = scf.for %i = %c0 to %c3 step %c1 iter_args(%a = %1) -> {part} {{{mixed}
          scf.yield %n : {part}
        }}
        return %r : {part}""")
    yield Case("overlapping_slices_in_a_branch", [Arg(v), Arg(part)], part, f"""{slices}
        %first = tensor.extract %0[%c0] : {v}
        %limit = arith.constant -5.0 : f64
        %above = arith.cmpf ogt, %first, %limit : f64
        %r = scf.if %above -> {part} {{
          %a = math.sin %1 : {part}{mixed}
          scf.yield %n : {part}
        }} else {{
          scf.yield %s1 : {part}
        }}
        return %r : {part}""")
    yield Case("map_captures_a_scalar", [Arg(x), Arg("f64")], x, f"""
        %e = tensor.empty() : {x}
        %r = linalg.map ins(%0 : {x}) outs(%e : {x}) (%a: f64, %o: f64) {{
          %m = arith.mulf %a, %1 : f64
          linalg.yield %m : f64
        }}
        return %r : {x}""")


def calls():
    """Functions that are called more than once, so that their derivatives are
    functions too."""
    x, w, s = tensor(3, 4), tensor(4, 4), tensor(2, 4, 4)
    layer = f"""
func.func private @LAYER(%x: {x}, %w: {w}) -> {x} {{
  %z = arith.constant dense<0.0> : {x}
  %m = linalg.matmul ins(%x, %w : {x}, {w}) outs(%z : {x}) -> {x}
  %t = math.tanh %m : {x}
  return %t : {x}
}}"""
    twice = layer + f"""
func.func private @TWICE(%x: {x}, %v: {w}, %w: {w}) -> {x} {{
  %0 = call @LAYER(%x, %v) : ({x}, {w}) -> {x}
  %1 = call @LAYER(%0, %w) : ({x}, {w}) -> {x}
  return %1 : {x}
}}"""
    # One weight for both calls, then each call of a function that calls twice.
    for policy in ("invert", "store"):
        name = f"called_twice_{policy}"
        yield Case(name, [Arg(x), Arg(w)], x, f"""
            %2 = func.call @{name}_twice(%0, %1, %1) : ({x}, {w}, {w}) -> {x}
            %3 = func.call @{name}_twice(%2, %1, %1) : ({x}, {w}, {w}) -> {x}
            return %3 : {x}""", policy=policy,
            functions=twice.replace("LAYER", f"{name}_layer").replace("TWICE", f"{name}_twice"))
        # Slices of one stack, in a loop; the second result has no cotangent.
        name = f"called_in_a_loop_{policy}"
        yield Case(name, [Arg(x), Arg(s)], x, f"""
            %c0 = arith.constant 0 : index
            %c1 = arith.constant 1 : index
            %c2 = arith.constant 2 : index
            %r = scf.for %i = %c0 to %c2 step %c1 iter_args(%a = %0) -> {x} {{
              %j = arith.subi %c1, %i : index
              %v = tensor.extract_slice %1[%i, 0, 0] [1, 4, 4] [1, 1, 1] : {s} to {w}
              %w = tensor.extract_slice %1[%j, 0, 0] [1, 4, 4] [1, 1, 1] : {s} to {w}
              %b = func.call @{name}_twice(%a, %v, %w) : ({x}, {w}, {w}) -> {x}
              %d = func.call @{name}_twice(%b, %v, %v) : ({x}, {w}, {w}) -> {x}
              scf.yield %d : {x}
            }}
            return %r : {x}""", policy=policy,
            functions=twice.replace("LAYER", f"{name}_layer").replace("TWICE", f"{name}_twice"))
    # A rule in place of the derivative: softplus through the logistic function.
    yield Case("custom_rule", [Arg(x)], x, f"""
        %1 = func.call @softplus(%0) : ({x}) -> {x}
        %2 = arith.mulf %1, %0 : {x}
        %3 = func.call @softplus(%2) : ({x}) -> {x}
        return %3 : {x}""", functions=f"""
func.func private @softplus(%x: {x}) -> {x} attributes {{
    rev.custom_vjp = #rev.custom_vjp<forward = @softplus_fwd, backward = @softplus_bwd>,
    rev.custom_jvp = @softplus_jvp}} {{
  %e = math.exp %x : {x}
  %y = math.log1p %e : {x}
  return %y : {x}
}}
func.func private @logistic(%x: {x}) -> {x} {{
  %one = arith.constant dense<1.0> : {x}
  %n = arith.negf %x : {x}
  %e = math.exp %n : {x}
  %d = arith.addf %one, %e : {x}
  %y = arith.divf %one, %d : {x}
  return %y : {x}
}}
func.func private @softplus_fwd(%x: {x}) -> ({x}, {x}) {{
  %y = call @softplus(%x) : ({x}) -> {x}
  return %y, %x : {x}, {x}
}}
func.func private @softplus_bwd(%x: {x}, %c: {x}) -> {x} {{
  %s = call @logistic(%x) : ({x}) -> {x}
  %d = arith.mulf %c, %s : {x}
  return %d : {x}
}}
func.func private @softplus_jvp(%x: {x}, %t: {x}) -> ({x}, {x}) {{
  %y = call @softplus(%x) : ({x}) -> {x}
  %s = call @logistic(%x) : ({x}) -> {x}
  %d = arith.mulf %t, %s : {x}
  return %y, %d : {x}, {x}
}}""")


def same_tangents():
    """A coupling whose tangent is read by its region: it cannot be inverted."""
    x = tensor(3, 4)
    function = f"""
func.func private @coupling_of_same(%0: {x}, %2: {x}) -> {x} {{
  %1 = arith.constant dense<0.25> : tensor<4x4xf64>
  %y = rev.coupling affine<exp> %0 given(%2) {{
  ^bb0(%c: {x}):{region("affine", 0.5)}
  }} : {x}, ({x})
  return %y : {x}
}}"""
    for case in both("same_tangents", [Arg(x), Arg(x), Arg(x, linear=True)], x, f"""
        %r:2 = rev.jvp @coupling_of_same(%0, %1) tangents(%2, %2)
          : ({x}, {x}, {x}, {x}) -> ({x}, {x})
        return %r#1 : {x}"""):
        case.functions = function
        yield case


def second():
    """Derivatives of the derivatives of couplings and layers."""
    names = ("additive", "affine_exp", "affine_sigmoid", "nested", "batch_norm",
             "softmax_cross_entropy", "coupling_dynamic")
    for group in (couplings, layers):
        for case in group():
            if case.name in [name + "_invert" for name in names]:
                yield tangent_of(case)
                yield gradient_of(case)


def cases():
    for group in (couplings, loops, layers, networks, captures, calls, same_tangents,
                  second):
        yield from group()


if __name__ == "__main__":
    main(list(cases()))
