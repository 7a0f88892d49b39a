# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Derivatives of derivatives: each case computes a gradient or a tangent by a
transform, and the harness differentiates that in reverse and in forward mode. So
vjp of vjp, jvp of vjp, vjp of jvp and jvp of jvp are compared with central
differences and with each other."""

from harness import Arg, Case, main, tensor

X, W = tensor(3, 4), tensor(4, 4)

# Functions of %0 (3 x 4) and %1 (4 x 4) with a result of the shape of %0.
BODIES = {
    "elementwise": f"""
        %w = tensor.extract_slice %1[0, 0] [3, 4] [1, 1] : {W} to {X}
        %a = math.sin %0 : {X}
        %b = arith.mulf %a, %w : {X}
        %c = math.exp %b : {X}
        %d = arith.divf %c, %b : {X}
        return %d : {X}""",
    "contraction": f"""
        %z = arith.constant dense<0.0> : {X}
        %m = linalg.matmul ins(%0, %1 : {X}, {W}) outs(%z : {X}) -> {X}
        %t = math.tanh %m : {X}
        %n = linalg.matmul ins(%t, %1 : {X}, {W}) outs(%0 : {X}) -> {X}
        return %n : {X}""",
    "softmax": f"""
        %z = arith.constant dense<0.0> : {X}
        %m = linalg.matmul ins(%0, %1 : {X}, {W}) outs(%z : {X}) -> {X}
        %s = linalg.softmax dimension(1) ins(%m : {X}) outs(%z : {X}) -> {X}
        return %s : {X}""",
    "loop": f"""
        %c0 = arith.constant 0 : index
        %c1 = arith.constant 1 : index
        %c3 = arith.constant 3 : index
        %r = scf.for %i = %c0 to %c3 step %c1 iter_args(%a = %0) -> {X} {{
          %z = arith.constant dense<0.0> : {X}
          %m = linalg.matmul ins(%a, %1 : {X}, {W}) outs(%z : {X}) -> {X}
          %t = math.tanh %m : {X}
          scf.yield %t : {X}
        }}
        return %r : {X}""",
    "branch": f"""
        %c0 = arith.constant 0 : index
        %x = tensor.extract %0[%c0, %c0] : {X}
        %limit = arith.constant -2.0 : f64
        %p = arith.cmpf ogt, %x, %limit : f64
        %r = scf.if %p -> {X} {{
          %z = arith.constant dense<0.0> : {X}
          %m = linalg.matmul ins(%0, %1 : {X}, {W}) outs(%z : {X}) -> {X}
          %t = math.sin %m : {X}
          scf.yield %t : {X}
        }} else {{
          scf.yield %0 : {X}
        }}
        return %r : {X}""",
    "branch_in_a_loop": f"""
        %c0 = arith.constant 0 : index
        %c1 = arith.constant 1 : index
        %c4 = arith.constant 4 : index
        %limit = arith.constant 0.5 : f64
        %w = tensor.extract_slice %1[0, 0] [3, 4] [1, 1] : {W} to {X}
        %r = scf.for %i = %c0 to %c4 step %c1 iter_args(%a = %0) -> {X} {{
          %x = tensor.extract %a[%c0, %c1] : {X}
          %p = arith.cmpf ogt, %x, %limit : f64
          %b = scf.if %p -> {X} {{
            %m = arith.mulf %a, %w : {X}
            %t = math.sin %m : {X}
            scf.yield %t : {X}
          }} else {{
            %t = math.cos %a : {X}
            scf.yield %t : {X}
          }}
          scf.yield %b : {X}
        }}
        return %r : {X}""",
    "while": f"""
        %c0 = arith.constant 0 : index
        %limit = arith.constant 0.2 : f64
        %w = tensor.extract_slice %1[0, 0] [3, 4] [1, 1] : {W} to {X}
        %r = scf.while (%a = %0) : ({X}) -> {X} {{
          %x = tensor.extract %a[%c0, %c0] : {X}
          %p = arith.cmpf ogt, %x, %limit : f64
          scf.condition(%p) %a : {X}
        }} do {{
        ^bb0(%a: {X}):
          %m = arith.mulf %a, %w : {X}
          %t = math.sin %m : {X}
          scf.yield %t : {X}
        }}
        %s = arith.mulf %r, %r : {X}
        return %s : {X}""",
    "forall": f"""
        %r = scf.forall (%i) in (3) shared_outs(%o = %0) -> {X} {{
          %a = tensor.extract_slice %o[%i, 0] [1, 4] [1, 1] : {X} to tensor<4xf64>
          %w = tensor.extract_slice %1[%i, 0] [1, 4] [1, 1] : {W} to tensor<4xf64>
          %m = arith.mulf %a, %w : tensor<4xf64>
          %t = math.sin %m : tensor<4xf64>
          scf.forall.in_parallel {{
            tensor.parallel_insert_slice %t into %o[%i, 0] [1, 4] [1, 1] : tensor<4xf64> into {X}
          }}
        }}
        return %r : {X}""",
    "checkpointed_loop": f"""
        %c0 = arith.constant 0 : index
        %c1 = arith.constant 1 : index
        %c5 = arith.constant 5 : index
        %w = tensor.extract_slice %1[0, 0] [3, 4] [1, 1] : {W} to {X}
        %r = scf.for %i = %c0 to %c5 step %c1 iter_args(%a = %0) -> {X} {{
          %m = arith.mulf %a, %w : {X}
          %t = math.sin %m : {X}
          %b = arith.addf %t, %w : {X}
          scf.yield %b : {X}
        }} {{rev.checkpoint = #rev.binomial<2>}}
        %s = scf.for %i = %c0 to %c5 step %c1 iter_args(%a = %r) -> {X} {{
          %m = arith.mulf %a, %w : {X}
          %t = math.sin %m : {X}
          %b = arith.addf %t, %a : {X}
          scf.yield %b : {X}
        }} {{rev.checkpoint = #rev.periodic<3>}}
        return %s : {X}""",
    "coupling": f"""
        %y = rev.coupling affine<exp> %0 given(%1) {{
        ^bb0(%c: {W}):
          %s = tensor.extract_slice %c[0, 0] [3, 4] [1, 1] : {W} to {X}
          %t = math.tanh %s : {X}
          %u = math.sin %s : {X}
          rev.yield %t, %u : {X}, {X}
        }} : {X}, ({W})
        %v = arith.mulf %y, %y : {X}
        return %v : {X}""",
    "coupling_loop": f"""
        %c0 = arith.constant 0 : index
        %c1 = arith.constant 1 : index
        %c3 = arith.constant 3 : index
        %h = math.sin %0 : {X}
        %r:2 = scf.for %i = %c0 to %c3 step %c1 iter_args(%a = %0, %b = %h) -> ({X}, {X}) {{
          %u = rev.coupling additive %a given(%b) {{
          ^bb0(%c: {X}):
            %z = arith.constant dense<0.0> : {X}
            %m = linalg.matmul ins(%c, %1 : {X}, {W}) outs(%z : {X}) -> {X}
            %t = math.tanh %m : {X}
            rev.yield %t : {X}
          }} : {X}, ({X})
          %v = rev.coupling additive %b given(%u) {{
          ^bb0(%c: {X}):
            %t = math.sin %c : {X}
            rev.yield %t : {X}
          }} : {X}, ({X})
          scf.yield %u, %v : {X}, {X}
        }}
        %s = arith.mulf %r#0, %r#1 : {X}
        return %s : {X}""",
    "call": f"""
        %a = func.call @layer(%0, %1) : ({X}, {W}) -> {X}
        %b = func.call @layer(%a, %1) : ({X}, {W}) -> {X}
        return %b : {X}""",
    "convolution": f"""
        %i = tensor.expand_shape %0 [[0, 1], [2, 3]] output_shape [1, 3, 4, 1] : {X} into tensor<1x3x4x1xf64>
        %k = tensor.extract_slice %1[0, 0] [2, 2] [1, 1] : {W} to tensor<2x2xf64>
        %f = tensor.expand_shape %k [[0], [1, 2, 3]] output_shape [2, 2, 1, 1] : tensor<2x2xf64> into tensor<2x2x1x1xf64>
        %z = arith.constant dense<0.0> : tensor<1x2x3x1xf64>
        %c = linalg.conv_2d_nhwc_hwcf {{strides = dense<1> : tensor<2xi64>, dilations = dense<1> : tensor<2xi64>}}
            ins(%i, %f : tensor<1x3x4x1xf64>, tensor<2x2x1x1xf64>) outs(%z : tensor<1x2x3x1xf64>) -> tensor<1x2x3x1xf64>
        %t = math.tanh %c : tensor<1x2x3x1xf64>
        %q = tensor.collapse_shape %t [[0, 1], [2, 3]] : tensor<1x2x3x1xf64> into tensor<2x3xf64>
        %p = tensor.insert_slice %q into %0[1, 1] [2, 3] [1, 1] : tensor<2x3xf64> into {X}
        %r = arith.mulf %p, %0 : {X}
        return %r : {X}""",
    "batch_norm": f"""
        %g = tensor.extract_slice %1[0, 0] [1, 4] [1, 1] : {W} to tensor<4xf64>
        %b = tensor.extract_slice %1[1, 0] [1, 4] [1, 1] : {W} to tensor<4xf64>
        %y, %mean, %variance = rev.batch_norm %0, %g, %b epsilon 1.0e-3 channel_dim 1
            : ({X}, tensor<4xf64>, tensor<4xf64>) -> ({X}, tensor<4xf64>, tensor<4xf64>)
        %t = math.tanh %y : {X}
        return %t : {X}""",
}

LAYER = f"""
func.func private @layer(%x: {X}, %w: {W}) -> {X} {{
  %z = arith.constant dense<0.0> : {X}
  %m = linalg.matmul ins(%x, %w : {X}, {W}) outs(%z : {X}) -> {X}
  %t = math.tanh %m : {X}
  return %t : {X}
}}"""


def cases():
    for name, body in BODIES.items():
        function = (LAYER if name == "call" else "") + f"""
func.func private @of_{name}(%0: {X}, %1: {W}) -> {X} {{{body}
}}"""
        args = [Arg(X, range=(0.2, 1.0)), Arg(W, range=(0.2, 1.0))]
        for policy in ("invert", "store"):
            yield Case(f"gradient_of_{name}_{policy}", args + [Arg(X, linear=True)], [X, W], f"""
                %g:2 = rev.vjp @of_{name}(%0, %1) cotangents(%2) policy({policy}) : ({X}, {W}, {X}) -> ({X}, {W})
                return %g#0, %g#1 : {X}, {W}""", functions=function, policy=policy)
        yield Case(f"tangent_of_{name}", args + [Arg(X, linear=True), Arg(W, linear=True)], [X], f"""
            %t:2 = rev.jvp @of_{name}(%0, %1) tangents(%2, %3) : ({X}, {W}, {X}, {W}) -> ({X}, {X})
            return %t#1 : {X}""", functions=function)


if __name__ == "__main__":
    main(list(cases()))
