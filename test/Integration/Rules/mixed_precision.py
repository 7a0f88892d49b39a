# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Structured operations in less than double precision, and in two precisions at once.
Their derivatives agree with those of the same operations in double precision, up to
what rounding the arguments changes."""

from harness import Arg, Case, main, tensor
from structured import generic

# Two units in the last place of the narrowest type: the arguments are rounded to it
# and the gradient once more. A sum that was carried in it would leave more.
TOLERANCE = {"f16": 2.0 ** -9, "bf16": 2.0 ** -6, "f32": 2.0 ** -22}


def cast(value, name, type, element):
    """The text that gives `value`, of element type f64, another one as `name`."""
    if element == "f64":
        return f"{name} = tensor.cast {value} : {type} to {type}"
    return f"{name} = arith.truncf {value} : {type} to {type.replace('f64', element)}"


def mixed(name, inputs, result, op, narrow, wide):
    """`op` writes an operation on %a0, %a1, ... of element type `narrow` into %init, of
    element type `wide`, given both."""
    args = [Arg(type, linear=True, tolerance=TOLERANCE[narrow]) for type in inputs]
    init = len(inputs)
    args.append(Arg(result, linear=True, tolerance=TOLERANCE[wide]
                    if wide in TOLERANCE else None))

    def body(narrow, wide):
        lines = [cast(f"%{i}", f"%a{i}", type, narrow) for i, type in enumerate(inputs)]
        lines.append(cast(f"%{init}", "%init", result, wide))
        lines.append(op(narrow, wide))
        to = result.replace("f64", wide)
        if wide == "f64":
            lines.append(f"return %y : {result}")
        else:
            lines += [f"%z = arith.extf %y : {to} to {result}", f"return %z : {result}"]
        return "\n".join(lines)

    return Case(f"{name}_{narrow}_{wide}", args, result, body(narrow, wide),
                reference=body("f64", "f64"))


def cases():
    m, n, k = 5, 6, 7
    for narrow, wide in (("f16", "f16"), ("bf16", "bf16"), ("f16", "f32"), ("f32", "f64"),
                         ("bf16", "f32")):
        def named(op, a, b, y, attributes=""):
            def write(narrow, wide):
                types = [t.replace("f64", e) for t, e in ((a, narrow), (b, narrow), (y, wide))]
                return (f"%y = linalg.{op} {attributes}ins(%a0, %a1 : {types[0]}, {types[1]}) "
                        f"outs(%init : {types[2]}) -> {types[2]}")
            return mixed(op, [a, b], y, write, narrow, wide)

        yield named("matmul", tensor(m, k), tensor(k, n), tensor(m, n))
        yield named("batch_matmul", tensor(2, m, k), tensor(2, k, n), tensor(2, m, n))
        yield named("matvec", tensor(m, k), tensor(k), tensor(m))
        yield named("conv_2d_nhwc_hwcf", tensor(1, 6, 5, 2), tensor(3, 2, 2, 3),
                    tensor(1, 2, 4, 3), "{strides = dense<[2, 1]> : tensor<2xi64>, "
                    "dilations = dense<1> : tensor<2xi64>} ")
        yield named("conv_1d_nwc_wcf", tensor(1, 6, 2), tensor(3, 2, 3), tensor(1, 4, 3))

        def pooling(narrow, wide):
            x, y = (t.replace("f64", e) for t, e in ((tensor(1, 6, 5, 2), narrow),
                                                     (tensor(1, 4, 3, 2), wide)))
            window = f"tensor<3x3x{narrow}>"
            return (f"%k = tensor.empty() : {window}\n"
                    f"%y = linalg.pooling_nhwc_sum ins(%a0, %k : {x}, {window}) "
                    f"outs(%init : {y}) -> {y}")
        yield mixed("pooling", [tensor(1, 6, 5, 2)], tensor(1, 4, 3, 2), pooling, narrow, wide)

        def product(narrow, wide):
            x, y = (t.replace("f64", e) for t, e in ((tensor(4, 5), narrow),
                                                     (tensor(4), wide)))
            extend = f"%e = arith.extf %b0 : {narrow} to {wide}\n"
            value = "%b0" if narrow == wide else "%e"
            return "%y = " + generic(
                ["d0, d1", "d0"], "pr", [("%a0", x)], [("%init", y)],
                ("" if narrow == wide else extend) + f"%p = arith.mulf {value}, %b1 : {wide}\n"
                f"linalg.yield %p : {wide}", y).replace(
                    "^bb0(%b0: f64, %b1: f64)", f"^bb0(%b0: {narrow}, %b1: {wide})")
        case = mixed("product", [tensor(4, 5)], tensor(4), product, narrow, wide)
        case.args[0].range = (0.75, 1.25)
        case.args[0].linear = False
        # The other factors are rounded.
        case.args[1].tolerance = TOLERANCE[narrow]
        yield case

        def broadcast(narrow, wide):
            x, y = (t.replace("f64", narrow) for t in (tensor(4), tensor(9, 4)))
            return (f"%e = tensor.empty() : {y}\n"
                    f"%b = linalg.broadcast ins(%a0 : {x}) outs(%e : {y}) dimensions = [0]\n"
                    + ("%w = arith.extf %b : " + f"{y} to {y.replace(narrow, wide)}\n"
                       if narrow != wide else "")
                    + f"%y = arith.addf {'%b' if narrow == wide else '%w'}, %init : "
                    f"{y.replace(narrow, wide)}")
        yield mixed("broadcast", [tensor(4)], tensor(9, 4), broadcast, narrow, wide)

        def softmax(narrow, wide):
            x = tensor(3, 4, element=narrow)
            y = x.replace(narrow, wide)
            text = (f"%e = tensor.empty() : {x}\n%s = linalg.softmax dimension(1) "
                    f"ins(%a0 : {x}) outs(%e : {x}) -> {x}\n")
            if narrow != wide:
                text += f"%w = arith.extf %s : {x} to {y}\n"
            return text + f"%y = arith.addf {'%s' if narrow == wide else '%w'}, %init : {y}"
        case = mixed("softmax", [tensor(3, 4)], tensor(3, 4), softmax, narrow, wide)
        case.args[0].linear = False
        case.args[1].tolerance = TOLERANCE[narrow]
        yield case


LONG = 4096
# %x, a tensor of three, into %y: 4096 copies of each element, or of its product with 1.
LONG_SUMS = {
    "broadcast": """
        %y = linalg.broadcast ins(%x : tensor<3xE>) outs(%e : tensor<4096x3xE>) dimensions = [0]""",
    "generic": """
        %y = linalg.generic {indexing_maps = [affine_map<(i, j) -> (j)>, affine_map<(i, j) -> (i, j)>],
            iterator_types = ["parallel", "parallel"]} ins(%x : tensor<3xE>) outs(%e : tensor<4096x3xE>) {
        ^bb0(%a: E, %o: E):
          linalg.yield %a : E
        } -> tensor<4096x3xE>""",
    "matmul": """
        %ones = arith.constant dense<1.0> : tensor<4096x1xE>
        %z = arith.constant dense<0.0> : tensor<4096x3xE>
        %row = tensor.expand_shape %x [[0, 1]] output_shape [1, 3] : tensor<3xE> into tensor<1x3xE>
        %y = linalg.matmul ins(%ones, %row : tensor<4096x1xE>, tensor<1x3xE>) outs(%z : tensor<4096x3xE>)
            -> tensor<4096x3xE>""",
    "contract": """
        %ones = arith.constant dense<1.0> : tensor<4096x1xE>
        %z = arith.constant dense<0.0> : tensor<4096x3xE>
        %row = tensor.expand_shape %x [[0, 1]] output_shape [1, 3] : tensor<3xE> into tensor<1x3xE>
        %y = linalg.contract indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>,
            affine_map<(m, n, k) -> (m, n)>] ins(%ones, %row : tensor<4096x1xE>, tensor<1x3xE>)
            outs(%z : tensor<4096x3xE>) -> tensor<4096x3xE>""",
    "convolution": """
        %ones = arith.constant dense<1.0> : tensor<1x4096x1xE>
        %z = arith.constant dense<0.0> : tensor<1x4096x3xE>
        %row = tensor.expand_shape %x [[0, 1, 2]] output_shape [1, 1, 3] : tensor<3xE> into tensor<1x1x3xE>
        %c = linalg.conv_1d_nwc_wcf {strides = dense<1> : tensor<1xi64>, dilations = dense<1> : tensor<1xi64>}
            ins(%ones, %row : tensor<1x4096x1xE>, tensor<1x1x3xE>) outs(%z : tensor<1x4096x3xE>) -> tensor<1x4096x3xE>
        %y = tensor.collapse_shape %c [[0, 1], [2]] : tensor<1x4096x3xE> into tensor<4096x3xE>""",
    "gather": """
        %row = tensor.expand_shape %x [[0, 1]] output_shape [1, 3] : tensor<3xE> into tensor<1x3xE>
        %i = arith.constant dense<0> : tensor<4096x1xindex>
        %y = tensor.gather %row[%i] gather_dims([0]) : (tensor<1x3xE>, tensor<4096x1xindex>) -> tensor<4096x3xE>""",
}


def long_sums():
    """Gradients that are sums of 4096 equal terms: carried in bf16 they would stop at
    256, in f16 at 2048."""
    for narrow in ("f16", "bf16"):
        for name, text in LONG_SUMS.items():
            yield Case(f"long_{name}_{narrow}",
                       [Arg(tensor(3), linear=True, tolerance=TOLERANCE[narrow])], tensor(3), f"""
                %x = arith.truncf %0 : tensor<3xf64> to tensor<3xE>
                %e = tensor.empty() : tensor<{LONG}x3xE>
                {text}
                %w = arith.extf %y : tensor<{LONG}x3xE> to tensor<{LONG}x3xf64>
                %s = arith.constant dense<0.0> : tensor<3xf64>
                %r = linalg.reduce {{ arith.addf }} ins(%w : tensor<{LONG}x3xf64>) outs(%s : tensor<3xf64>) dimensions = [0]
                return %r : tensor<3xf64>""".replace("xE>", f"x{narrow}>").replace(": E", f": {narrow}"))


if __name__ == "__main__":
    main(list(cases()) + list(long_sums()))
