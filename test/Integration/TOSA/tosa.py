# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""TOSA: each family of operations, lowered by upstream and differentiated."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "Rules"))

from harness import Arg, Case, main, tensor

POSITIVE = (0.2, 1.0)
X = tensor(2, 3, 4)
ROW = tensor(1, 3, 1)


def op(name, types, result, attributes="", operands=None, regions=""):
    """A TOSA operation on %0, %1, ... or the operands that are named."""
    operands = operands or [f"%{i}" for i in range(len(types))]
    return (f"%y = tosa.{name} {', '.join(operands)} {attributes} : "
            f"({', '.join(types)}) -> {result}")


def simple(name, arg_types, result, attributes="", *, range=(-1.0, 1.0), linear=False,
           label=None):
    return Case(label or f"tosa_{name}",
                [Arg(t, range=range, linear=linear) for t in arg_types], result,
                op(name, arg_types, result, attributes) + f"\nreturn %y : {result}")


def elementwise():
    for name in ("abs", "cos", "erf", "exp", "sigmoid", "sin", "tanh"):
        yield simple(name, [X], X)
    for name in ("log", "reciprocal", "rsqrt"):
        yield simple(name, [X], X, range=POSITIVE)
    for name in ("ceil", "floor"):
        yield Case(f"tosa_{name}", [Arg(X)], X, f"""
            %r = tosa.{name} %0 : ({X}) -> {X}
            %s = tosa.sub %0, %r : ({X}, {X}) -> {X}
            %y = tosa.tanh %s : ({X}) -> {X}
            return %y : {X}""")
    yield Case("tosa_negate", [Arg(X, linear=True)], X, f"""
        %z = "tosa.const"() <{{values = dense<0.0> : tensor<1xf64>}}> : () -> tensor<1xf64>
        %y = tosa.negate %0, %z, %z : ({X}, tensor<1xf64>, tensor<1xf64>) -> {X}
        return %y : {X}""")
    yield simple("clamp", [X], X, "{min_val = -0.3 : f64, max_val = 0.4 : f64}")
    yield simple("identity", [X], X, linear=True)
    # Broadcasts in each operand.
    for name in ("add", "sub", "maximum", "minimum"):
        yield simple(name, [X, ROW], X)
        yield simple(name, [ROW, X], X, label=f"tosa_{name}_broadcast")
    yield simple("pow", [X, X], X, range=POSITIVE)
    for types in ([X, X], [X, ROW]):
        yield Case(f"tosa_mul_{'broadcast' if ROW in types else 'same'}",
                   [Arg(t) for t in types], X, f"""
            %s = "tosa.const"() <{{values = dense<0> : tensor<1xi8>}}> : () -> tensor<1xi8>
            %y = tosa.mul %0, %1, %s : ({", ".join(types)}, tensor<1xi8>) -> {X}
            return %y : {X}""")
    for compare in ("greater", "greater_equal", "equal"):
        yield Case(f"tosa_select_{compare}", [Arg(X), Arg(X, zero=compare == "equal")], X, f"""
            %p = tosa.{compare} %0, %1 : ({X}, {X}) -> tensor<2x3x4xi1>
            %q = tosa.logical_not %p : (tensor<2x3x4xi1>) -> tensor<2x3x4xi1>
            %a = tosa.sin %0 : ({X}) -> {X}
            %y = tosa.select %q, %a, %1 : (tensor<2x3x4xi1>, {X}, {X}) -> {X}
            return %y : {X}""")
    yield Case("tosa_cast", [Arg(X, linear=True, tolerance=1e-6)], X, f"""
        %a = tosa.cast %0 : ({X}) -> tensor<2x3x4xf32>
        %y = tosa.cast %a : (tensor<2x3x4xf32>) -> {X}
        return %y : {X}""")


def reductions():
    for name in ("sum", "max", "min", "product"):
        for axis in (0, 1, 2):
            result = tensor(*[1 if i == axis else n for i, n in enumerate((2, 3, 4))])
            yield simple(f"reduce_{name}", [X], result, f"{{axis = {axis} : i32}}",
                         range=POSITIVE, linear=name == "sum",
                         label=f"tosa_reduce_{name}_{axis}")
    # An index has no derivative; what else comes from the operand has.
    yield Case("tosa_argmax", [Arg(X)], X, f"""
        %i = tosa.argmax %0 {{axis = 1 : i32}} : ({X}) -> tensor<2x4xi32>
        %f = tosa.cast %i : (tensor<2x4xi32>) -> tensor<2x4xf32>
        %g = tosa.cast %f : (tensor<2x4xf32>) -> tensor<2x4xf64>
        %s = tosa.const_shape {{values = dense<[2, 1, 4]> : tensor<3xindex>}} : () -> !tosa.shape<3>
        %h = tosa.reshape %g, %s : (tensor<2x4xf64>, !tosa.shape<3>) -> tensor<2x1x4xf64>
        %t = tosa.sin %0 : ({X}) -> {X}
        %y = tosa.add %t, %h : ({X}, tensor<2x1x4xf64>) -> {X}
        return %y : {X}""")


ZERO = """%z = "tosa.const"() <{values = dense<0.0> : tensor<1xf32>}> : () -> tensor<1xf32>"""
ONE = "tensor<1xf32>"
# What computing in f32 leaves of two equal sums.
SINGLE = 3e-6


def single(type):
    return type.replace("f64", "f32")


def in_single(name, types, result, body, linear=True, tolerance=SINGLE):
    """Windows accumulate in f32: the harness' f64 is truncated and extended."""
    before = "\n".join(f"%x{i} = arith.truncf %{i} : {t} to {single(t)}"
                       for i, t in enumerate(types))
    return Case(name, [Arg(t, linear=linear, tolerance=tolerance) for t in types], result, f"""
        {before}
        {ZERO}
        {body}
        %e = arith.extf %y : {single(result)} to {result}
        return %e : {result}""")


def convolution(name, x, w, b, y, attributes, label=None):
    return in_single(label or f"tosa_{name}", [x, w, b], y, f"""
        %y = tosa.{name} %x0, %x1, %x2, %z, %z {{{attributes}, acc_type = f32}}
          : ({single(x)}, {single(w)}, {single(b)}, {ONE}, {ONE}) -> {single(y)}""")


def windows():
    yield convolution("conv2d", tensor(2, 6, 5, 3), tensor(4, 3, 2, 3), tensor(4),
                      tensor(2, 3, 4, 4),
                      "pad = array<i64: 1, 0, 0, 0>, stride = array<i64: 2, 1>, "
                      "dilation = array<i64: 1, 1>")
    yield convolution("conv2d", tensor(1, 7, 7, 2), tensor(3, 3, 3, 2), tensor(1),
                      tensor(1, 5, 5, 3),
                      "pad = array<i64: 1, 1, 1, 1>, stride = array<i64: 1, 1>, "
                      "dilation = array<i64: 2, 2>", "tosa_conv2d_dilated")
    yield convolution("conv3d", tensor(1, 4, 4, 3, 2), tensor(3, 2, 2, 2, 2), tensor(3),
                      tensor(1, 3, 3, 2, 3),
                      "pad = array<i64: 0, 0, 0, 0, 0, 0>, stride = array<i64: 1, 1, 1>, "
                      "dilation = array<i64: 1, 1, 1>")
    yield convolution("depthwise_conv2d", tensor(1, 5, 5, 3), tensor(2, 2, 3, 2), tensor(6),
                      tensor(1, 4, 4, 6),
                      "pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>, "
                      "dilation = array<i64: 1, 1>")
    yield convolution("transpose_conv2d", tensor(1, 3, 3, 2), tensor(3, 2, 2, 2), tensor(3),
                      tensor(1, 6, 6, 3),
                      "out_pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 2, 2>")
    yield convolution("transpose_conv2d", tensor(1, 3, 3, 2), tensor(3, 3, 3, 2), tensor(3),
                      tensor(1, 5, 5, 3),
                      "out_pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>",
                      "tosa_transpose_conv2d_stride_1")
    for label, pad, y in (("", "0, 0, 0, 0", tensor(1, 3, 3, 2)),
                          ("_padded", "1, 1, 1, 1", tensor(1, 4, 4, 2))):
        x = tensor(1, 6, 6, 2)
        yield in_single(f"tosa_avg_pool2d{label}", [x], y, f"""
            %y = tosa.avg_pool2d %x0, %z, %z {{kernel = array<i64: 2, 2>,
              stride = array<i64: 2, 2>, pad = array<i64: {pad}>, acc_type = f32}}
              : ({single(x)}, {ONE}, {ONE}) -> {single(y)}""")
        # The differences are those of the same pooling in f64, which upstream has
        # no lowering of TOSA for.
        low, size = (0, 6) if pad[0] == "0" else (1, 8)
        padded = tensor(1, size, size, 2)
        pool = in_single(f"tosa_max_pool2d{label}", [x], y, f"""
            %y = tosa.max_pool2d %x0 {{kernel = array<i64: 2, 2>,
              stride = array<i64: 2, 2>, pad = array<i64: {pad}>}}
              : ({single(x)}) -> {single(y)}""", linear=False)
        pool.forward_tolerance = SINGLE
        pool.reference = f"""
            %m = arith.constant -1.0e30 : f64
            %p = tensor.pad %0 low[0, {low}, {low}, 0] high[0, {low}, {low}, 0] {{
            ^bb0(%a: index, %b: index, %c: index, %d: index):
              tensor.yield %m : f64
            }} : {x} to {padded}
            %k = tensor.empty() : tensor<2x2xf64>
            %e = tensor.empty() : {y}
            %f = linalg.fill ins(%m : f64) outs(%e : {y}) -> {y}
            %y = linalg.pooling_nhwc_max {{strides = dense<2> : tensor<2xi64>}}
              ins(%p, %k : {padded}, tensor<2x2xf64>) outs(%f : {y}) -> {y}
            return %y : {y}"""
        yield pool
    yield Case("tosa_matmul", [Arg(tensor(2, 3, 4), linear=True),
                               Arg(tensor(2, 4, 5), linear=True)], tensor(2, 3, 5), """
        %z = "tosa.const"() <{values = dense<0.0> : tensor<1xf64>}> : () -> tensor<1xf64>
        %y = tosa.matmul %0, %1, %z, %z
          : (tensor<2x3x4xf64>, tensor<2x4x5xf64>, tensor<1xf64>, tensor<1xf64>)
          -> tensor<2x3x5xf64>
        return %y : tensor<2x3x5xf64>""")


def shape(*values):
    return (f"tosa.const_shape {{values = dense<[{', '.join(map(str, values))}]> : "
            f"tensor<{len(values)}xindex>}} : () -> !tosa.shape<{len(values)}>")


def movement():
    yield Case("tosa_reshape", [Arg(X, linear=True)], tensor(6, 4), f"""
        %s = {shape(6, 4)}
        %y = tosa.reshape %0, %s : ({X}, !tosa.shape<2>) -> tensor<6x4xf64>
        return %y : tensor<6x4xf64>""")
    yield Case("tosa_transpose", [Arg(X, linear=True)], tensor(4, 2, 3), f"""
        %y = tosa.transpose %0 {{perms = array<i32: 2, 0, 1>}} : ({X}) -> tensor<4x2x3xf64>
        return %y : tensor<4x2x3xf64>""")
    yield Case("tosa_concat", [Arg(X, linear=True), Arg(tensor(2, 1, 4), linear=True)],
               tensor(2, 4, 4), f"""
        %y = tosa.concat %0, %1 {{axis = 1 : i32}} : ({X}, tensor<2x1x4xf64>) -> tensor<2x4x4xf64>
        return %y : tensor<2x4x4xf64>""")
    yield Case("tosa_pad", [Arg(X, linear=True)], tensor(2, 6, 5), f"""
        %p = {shape(0, 0, 1, 2, 1, 0)}
        %c = "tosa.const"() <{{values = dense<0.5> : tensor<1xf64>}}> : () -> tensor<1xf64>
        %y = tosa.pad %0, %p, %c : ({X}, !tosa.shape<6>, tensor<1xf64>) -> tensor<2x6x5xf64>
        return %y : tensor<2x6x5xf64>""")
    yield Case("tosa_slice", [Arg(X, linear=True)], tensor(2, 2, 2), f"""
        %a = {shape(0, 1, 2)}
        %n = {shape(2, 2, 2)}
        %y = tosa.slice %0, %a, %n : ({X}, !tosa.shape<3>, !tosa.shape<3>) -> tensor<2x2x2xf64>
        return %y : tensor<2x2x2xf64>""")
    yield Case("tosa_tile", [Arg(X, linear=True)], tensor(4, 3, 12), f"""
        %m = {shape(2, 1, 3)}
        %y = tosa.tile %0, %m : ({X}, !tosa.shape<3>) -> tensor<4x3x12xf64>
        return %y : tensor<4x3x12xf64>""")
    yield Case("tosa_reverse", [Arg(X, linear=True)], X, f"""
        %y = tosa.reverse %0 {{axis = 1 : i32}} : ({X}) -> {X}
        return %y : {X}""")
    yield Case("tosa_gather", [Arg(X, linear=True)], tensor(2, 5, 4), f"""
        %i = "tosa.const"() <{{values = dense<[[0, 2, 0, 1, 0], [2, 2, 1, 0, 2]]> : tensor<2x5xi32>}}>
          : () -> tensor<2x5xi32>
        %y = tosa.gather %0, %i : ({X}, tensor<2x5xi32>) -> tensor<2x5x4xf64>
        return %y : tensor<2x5x4xf64>""")
    yield Case("tosa_scatter", [Arg(X, linear=True), Arg(tensor(2, 2, 4), linear=True)], X, f"""
        %i = "tosa.const"() <{{values = dense<[[0, 2], [2, 1]]> : tensor<2x2xi32>}}>
          : () -> tensor<2x2xi32>
        %y = tosa.scatter %0, %i, %1 : ({X}, tensor<2x2xi32>, tensor<2x2x4xf64>) -> {X}
        return %y : {X}""")
    image, larger = tensor(1, 3, 3, 2), tensor(1, 5, 5, 2)
    for mode in ("NEAREST_NEIGHBOR", "BILINEAR"):
        yield Case(f"tosa_resize_{mode.lower()}", [Arg(image, linear=True)],
                   larger, f"""
        %a = {shape(4, 2, 4, 2)}
        %b = {shape(0, 0)}
        %c = {shape(0, 0)}
        %y = tosa.resize %0, %a, %b, %c {{mode = {mode}}}
          : ({image}, !tosa.shape<4>, !tosa.shape<2>, !tosa.shape<2>) -> {larger}
        return %y : {larger}""")


def control():
    for value in ("true", "false"):
        yield Case(f"tosa_cond_if_{value}", [Arg(X), Arg(X, zero=value == "true")], X, f"""
            %p = "tosa.const"() <{{values = dense<{value}> : tensor<i1>}}> : () -> tensor<i1>
            %y = tosa.cond_if %p : tensor<i1> -> {X} {{
              %a = tosa.sin %0 : ({X}) -> {X}
              tosa.yield %a : {X}
            }} else {{
              %b = tosa.sub %0, %1 : ({X}, {X}) -> {X}
              tosa.yield %b : {X}
            }}
            return %y : {X}""")
    yield Case("tosa_while_loop", [Arg(X), Arg(X)], X, f"""
        %i = "tosa.const"() <{{values = dense<0> : tensor<i32>}}> : () -> tensor<i32>
        %n = "tosa.const"() <{{values = dense<3> : tensor<i32>}}> : () -> tensor<i32>
        %one = "tosa.const"() <{{values = dense<1> : tensor<i32>}}> : () -> tensor<i32>
        %s = "tosa.const"() <{{values = dense<0> : tensor<1xi8>}}> : () -> tensor<1xi8>
        %r:2 = tosa.while_loop (%j = %i, %a = %0) : (tensor<i32>, {X}) -> (tensor<i32>, {X}) {{
          %p = tosa.greater %n, %j : (tensor<i32>, tensor<i32>) -> tensor<i1>
          tosa.yield %p : tensor<i1>
        }} do {{
        ^bb0(%j: tensor<i32>, %a: {X}):
          %k = tosa.add %j, %one : (tensor<i32>, tensor<i32>) -> tensor<i32>
          %b = tosa.tanh %a : ({X}) -> {X}
          %c = tosa.mul %b, %1, %s : ({X}, {X}, tensor<1xi8>) -> {X}
          tosa.yield %k, %c : tensor<i32>, {X}
        }}
        return %r#1 : {X}""")


def transforms():
    """Fourier transforms are linear; upstream lowers them to sums."""
    x = tensor(1, 4, 8)
    yield Case("tosa_fft2d", [Arg(x, linear=True), Arg(x, linear=True)], [x, x], f"""
        %r, %i = tosa.fft2d %0, %1 {{inverse = false}} : ({x}, {x}) -> ({x}, {x})
        return %r, %i : {x}, {x}""")
    half = tensor(1, 4, 5)
    yield Case("tosa_rfft2d", [Arg(x, linear=True)], [half, half], f"""
        %r, %i = tosa.rfft2d %0 : ({x}) -> ({half}, {half})
        return %r, %i : {half}, {half}""")


def cases():
    for group in (elementwise, reductions, windows, movement, control, transforms):
        yield from group()


if __name__ == "__main__":
    main(list(cases()))
