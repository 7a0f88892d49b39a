# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tensor operations: slices, pads, concatenation, reshapes and elements."""

from harness import Arg, Case, gradient_of, main, tangent_of, tensor


def index(value):
    return Arg("index", value=str(value))


def pad_text(x, low, high, source, result, value):
    indices = ", ".join(f"%i{k}: index" for k in range(source.count("x")))
    return f"""%y = tensor.pad {x} low{low} high{high} {{
        ^bb0({indices}):
          tensor.yield {value} : f64
        }} : {source} to {result}"""


def slices():
    x, part = tensor(5, 7, 3), tensor(2, 3, 3)
    yield Case("extract_slice", [Arg(x, linear=True)], part, f"""
        %y = tensor.extract_slice %0[1, 0, 0] [2, 3, 3] [2, 3, 1] : {x} to {part}
        return %y : {part}""")
    yield Case("extract_slice_drops_dimensions", [Arg(x, linear=True)], tensor(7), f"""
        %y = tensor.extract_slice %0[3, 0, 1] [1, 7, 1] [1, 1, 1] : {x} to tensor<7xf64>
        return %y : tensor<7xf64>""")
    yield Case("extract_slice_dynamic", [Arg(x, linear=True), index(2), index(4)],
               tensor("?", 2, 3), f"""
        %y = tensor.extract_slice %0[0, %1, 0] [%2, 2, 3] [1, %1, 1]
          : {x} to tensor<?x2x3xf64>
        return %y : tensor<?x2x3xf64>""", static_results=[tensor(4, 2, 3)])
    # Overlapping slices, a slice of a slice and the tensor itself: whatever is
    # written to one of the parts has to be seen by the others.
    s, t, v = tensor(3, 4), tensor(2, 4), tensor(4)
    yield Case("extract_slice_overlapping", [Arg(tensor(5, 4))], [s, v, tensor(5, 4)],
               f"""
        %a = tensor.extract_slice %0[0, 0] [3, 4] [1, 1] : tensor<5x4xf64> to {s}
        %b = tensor.extract_slice %0[2, 0] [3, 4] [1, 1] : tensor<5x4xf64> to {s}
        %c = tensor.extract_slice %b[0, 0] [2, 4] [1, 1] : {s} to {t}
        %d = tensor.extract_slice %c[1, 0] [1, 4] [1, 1] : {t} to {v}
        %ab = arith.mulf %a, %b : {s}
        %sin = math.sin %0 : tensor<5x4xf64>
        %dd = arith.mulf %d, %d : {v}
        %bb = arith.mulf %b, %ab : {s}
        return %bb, %dd, %sin : {s}, {v}, tensor<5x4xf64>""")
    # A slice that is used before and after its source is.
    yield Case("extract_slice_interleaved", [Arg(tensor(4, 4))], [v, tensor(4, 4)], f"""
        %a = tensor.extract_slice %0[1, 0] [1, 4] [1, 1] : tensor<4x4xf64> to {v}
        %p = arith.mulf %a, %a : {v}
        %q = arith.mulf %0, %0 : tensor<4x4xf64>
        %r = arith.mulf %p, %a : {v}
        %row = tensor.extract_slice %q[1, 0] [1, 4] [1, 1] : tensor<4x4xf64> to {v}
        %u = arith.mulf %row, %r : {v}
        %w = arith.mulf %u, %a : {v}
        return %w, %q : {v}, tensor<4x4xf64>""")
    # Contractions accumulate into the slice, through reshapes too.
    m, n = tensor(4, 2), tensor(3, 2)
    yield Case("extract_slice_of_weights", [Arg(n), Arg(tensor(2, 1, 8))], n, f"""
        %z = arith.constant dense<0.0> : {n}
        %y0 = tensor.extract_slice %1[0, 0, 0] [1, 1, 8] [1, 1, 1]
          : tensor<2x1x8xf64> to tensor<1x8xf64>
        %f0 = tensor.collapse_shape %y0 [[0, 1]] : tensor<1x8xf64> into tensor<8xf64>
        %w0 = tensor.expand_shape %f0 [[0, 1]] output_shape [2, 4]
          : tensor<8xf64> into tensor<2x4xf64>
        %w1 = tensor.expand_shape %f0 [[0, 1]] output_shape [4, 2]
          : tensor<8xf64> into {m}
        %h0 = tensor.empty() : tensor<3x4xf64>
        %zero = arith.constant 0.0 : f64
        %h1 = linalg.fill ins(%zero : f64) outs(%h0 : tensor<3x4xf64>) -> tensor<3x4xf64>
        %h = linalg.matmul ins(%0, %w0 : {n}, tensor<2x4xf64>)
          outs(%h1 : tensor<3x4xf64>) -> tensor<3x4xf64>
        %y = linalg.matmul ins(%h, %w1 : tensor<3x4xf64>, {m}) outs(%z : {n}) -> {n}
        return %y : {n}""")

    x, s = tensor(4, 6), tensor(2, 3)
    yield Case("insert_slice", [Arg(s, linear=True), Arg(x, linear=True)], x, f"""
        %y = tensor.insert_slice %0 into %1[1, 0] [2, 3] [2, 2] : {s} into {x}
        return %y : {x}""")
    yield Case("insert_slice_adds_dimensions",
               [Arg(tensor(6), linear=True), Arg(x, linear=True), index(3)], x, f"""
        %y = tensor.insert_slice %0 into %1[%2, 0] [1, 6] [1, 1] : tensor<6xf64> into {x}
        return %y : {x}""")
    # The second covers a part of the first, and the source is used again.
    yield Case("insert_slice_overlapping", [Arg(s), Arg(x)], [x, s], f"""
        %a = tensor.insert_slice %0 into %1[0, 0] [2, 3] [1, 1] : {s} into {x}
        %p = arith.mulf %0, %0 : {s}
        %b = tensor.insert_slice %p into %a[1, 1] [2, 3] [1, 1] : {s} into {x}
        %c = arith.mulf %b, %a : {x}
        return %c, %p : {x}, {s}""")
    yield Case("insert_slice_into_itself", [Arg(tensor(3, 3))], tensor(3, 3), """
        %r = tensor.extract_slice %0[0, 0] [1, 3] [1, 1] : tensor<3x3xf64> to tensor<3xf64>
        %y = tensor.insert_slice %r into %0[2, 0] [1, 3] [1, 1]
          : tensor<3xf64> into tensor<3x3xf64>
        %q = arith.mulf %y, %0 : tensor<3x3xf64>
        return %q : tensor<3x3xf64>""")


def pads():
    x = tensor(3, 4)
    y = tensor(6, 5)
    yield Case("pad", [Arg(x, linear=True)], y,
               "%z = arith.constant 2.0 : f64\n" +
               pad_text("%0", [1, 0], [2, 1], x, y, "%z") + f"\nreturn %y : {y}")
    yield Case("pad_with_active_value", [Arg(x, linear=True), Arg("f64", linear=True)], y,
               pad_text("%0", [1, 0], [2, 1], x, y, "%1") + f"\nreturn %y : {y}")
    yield Case("pad_dynamic",
                   [Arg(tensor("?", 4), static=x, linear=True),
                    Arg("f64", linear=True), index(1), index(2)], tensor("?", "?"),
                   pad_text("%0", "[%2, 0]", "[%3, %2]", tensor("?", 4),
                            tensor("?", "?"), "%1") + "\nreturn %y : tensor<?x?xf64>",
               static_results=[y])
    # A negative amount cuts off, at last everything.
    for low, high, result in (([-1, 2], [1, -2], tensor(3, 4)),
                              ([-4, 0], [3, 0], tensor(2, 4))):
        nothing = low[0] == -4
        body = pad_text("%0", low, high, x, result, "%1") + f"\nreturn %y : {result}"
        yield Case(f"pad_negative_{-low[0]}",
                   [Arg(x, linear=True, zero=nothing), Arg("f64", linear=True)],
                   result, body)


    # Of a dynamic extent all can be cut off at run time.
    for rows, result in ((3, tensor(4, 4)), (1, tensor(2, 4))):
        yield Case(f"pad_negative_dynamic_{rows}",
                   [Arg(tensor("?", 4), static=tensor(rows, 4), linear=True, zero=rows == 1),
                    Arg("f64", linear=True)], tensor("?", 4),
                   pad_text("%0", [-2, 0], [3, 0], tensor("?", 4), tensor("?", 4), "%1") +
                   "\nreturn %y : tensor<?x4xf64>", static_results=[result])
    yield Case("pad_empty", [Arg(tensor(0, 4), linear=True, zero=True), Arg("f64", linear=True)],
               tensor(3, 4),
               pad_text("%0", [3, 0], [0, 0], tensor(0, 4), tensor(3, 4), "%1") +
               "\nreturn %y : tensor<3x4xf64>")
    # Padding that depends on where it is, with a kink outside of the margin: the
    # region is evaluated in the margin alone.
    for name, low, high, result in (("", [2, 1], [1, 0], tensor(6, 5)),
                                    ("_negative", [2, -1], [1, 1], tensor(6, 4)),
                                    ("_outside", [6, 0], [-4, 0], tensor(5, 4))):
        yield Case(f"pad_computed{name}",
                   [Arg(x, zero=low[0] == 6), Arg("f64"), Arg(tensor(6))], result,
                   f"""
        %y = tensor.pad %0 low{low} high{high} {{
        ^bb0(%i: index, %j: index):
          %a = tensor.extract %2[%i] : tensor<6xf64>
          %c2 = arith.constant 2 : index
          %d = arith.subi %i, %c2 : index
          %n = arith.index_cast %d : index to i64
          %f = arith.sitofp %n : i64 to f64
          %h = arith.constant 0.3 : f64
          %g = arith.addf %f, %h : f64
          %p = arith.divf %1, %g : f64
          %q = arith.mulf %p, %a : f64
          tensor.yield %q : f64
        }} : {x} to {result}
        return %y : {result}""")


def concats():
    a, b, c = tensor(2, 3), tensor(2, 1), tensor(2, 2)
    y = tensor(2, 9)
    yield Case("concat", [Arg(a, linear=True), Arg(b, linear=True), Arg(c, linear=True)],
               y, f"""
        %y = tensor.concat dim(1) %0, %1, %0, %2 : ({a}, {b}, {a}, {c}) -> {y}
        return %y : {y}""")
    yield Case("concat_rows", [Arg(a, linear=True)], tensor(4, 3), f"""
        %y = tensor.concat dim(0) %0, %0 : ({a}, {a}) -> tensor<4x3xf64>
        return %y : tensor<4x3xf64>""")
    yield Case("concat_empty", [Arg(a, linear=True), Arg(tensor(2, 0), linear=True, zero=True)],
               [a, tensor(2, 0)], f"""
        %y = tensor.concat dim(1) %1, %0, %1 : (tensor<2x0xf64>, {a}, tensor<2x0xf64>) -> {a}
        %z = tensor.concat dim(1) %1, %1 : (tensor<2x0xf64>, tensor<2x0xf64>) -> tensor<2x0xf64>
        return %y, %z : {a}, tensor<2x0xf64>""")
    d = tensor("?", 3)
    yield Case("concat_dynamic", [Arg(d, static=tensor(2, 3), linear=True),
                                      Arg(d, static=tensor(4, 3), linear=True)], d, f"""
        %y = tensor.concat dim(0) %0, %1, %0 : ({d}, {d}, {d}) -> {d}
        return %y : {d}""",
               static_results=[tensor(8, 3)])


def dynamic():
    """Extents that only the run knows, 0 among them."""
    d, x = tensor("?", "?"), tensor(3, 4)
    yield Case("extract_slice_of_dynamic", [Arg(d, static=x), index(2)], [d, d], f"""
        %y = tensor.extract_slice %0[1, 0] [%1, %1] [1, 2] : {d} to {d}
        %q = arith.mulf %y, %y : {d}
        %p = arith.mulf %0, %0 : {d}
        return %q, %p : {d}, {d}""", static_results=[tensor(2, 2), x])
    yield Case("insert_slice_of_dynamic",
               [Arg(d, static=tensor(2, 2)), Arg(d, static=x), index(2)], d, f"""
        %y = tensor.insert_slice %0 into %1[1, 0] [%2, %2] [1, 2] : {d} into {d}
        %q = arith.mulf %y, %1 : {d}
        return %q : {d}""", static_results=[x])
    yield Case("elements_of_dynamic", [Arg(d, static=x), Arg("f64"), index(1), index(2)],
               [d, "f64"], f"""
        %a = tensor.extract %0[%2, %3] : {d}
        %p = arith.mulf %a, %1 : f64
        %y = tensor.insert %p into %0[%3, %2] : {d}
        %s = tensor.splat %1[%3, %3] : {d}
        %b = tensor.extract %s[%2, %2] : {d}
        %c = arith.mulf %b, %p : f64
        return %y, %c : {d}, f64""", static_results=[x, "f64"])
    # No elements.
    empty = tensor(0, 4)
    yield Case("nothing_moved",
               [Arg(d, static=empty, zero=True), Arg(tensor(2, 4)), index(0)],
               [d, tensor(2, 4)], f"""
        %a = tensor.extract_slice %0[0, 0] [%2, 4] [1, 1] : {d} to tensor<?x4xf64>
        %y = tensor.insert_slice %a into %1[0, 0] [%2, 4] [1, 1]
          : tensor<?x4xf64> into tensor<2x4xf64>
        %f = tensor.collapse_shape %0 [[0, 1]] : {d} into tensor<?xf64>
        %e = tensor.expand_shape %f [[0, 1]] output_shape [%2, 4]
          : tensor<?xf64> into tensor<?x4xf64>
        %c = tensor.cast %e : tensor<?x4xf64> to {d}
        %q = arith.mulf %y, %1 : tensor<2x4xf64>
        return %c, %q : {d}, tensor<2x4xf64>""", static_results=[empty, tensor(2, 4)])


def reshapes():
    x = tensor(2, 3, 4)
    yield Case("collapse_shape", [Arg(x, linear=True)], tensor(2, 12), f"""
        %y = tensor.collapse_shape %0 [[0], [1, 2]] : {x} into tensor<2x12xf64>
        return %y : tensor<2x12xf64>""")
    yield Case("expand_shape", [Arg(tensor(6, 4), linear=True)], tensor(2, 3, 4, 1), """
        %y = tensor.expand_shape %0 [[0, 1], [2, 3]] output_shape [2, 3, 4, 1]
          : tensor<6x4xf64> into tensor<2x3x4x1xf64>
        return %y : tensor<2x3x4x1xf64>""")
    yield Case("reshape_used_twice", [Arg(x)], [tensor(24), x], f"""
        %y = tensor.collapse_shape %0 [[0, 1, 2]] : {x} into tensor<24xf64>
        %q = arith.mulf %y, %y : tensor<24xf64>
        %p = arith.mulf %0, %0 : {x}
        return %q, %p : tensor<24xf64>, {x}""")
    yield Case("collapse_shape_dynamic",
                    [Arg(tensor("?", 3, "?"), static=x, linear=True)], tensor("?", "?"),
                    """
        %y = tensor.collapse_shape %0 [[0, 1], [2]] : tensor<?x3x?xf64> into tensor<?x?xf64>
        return %y : tensor<?x?xf64>""",
               static_results=[tensor(6, 4)])
    yield Case("expand_shape_dynamic",
                  [Arg(tensor("?", 4), static=tensor(6, 4), linear=True), index(2)],
                  tensor("?", 3, 4), """
        %y = tensor.expand_shape %0 [[0, 1], [2]] output_shape [%1, 3, 4]
          : tensor<?x4xf64> into tensor<?x3x4xf64>
        return %y : tensor<?x3x4xf64>""",
               static_results=[x])
    yield Case("cast", [Arg(x, linear=True)], x, f"""
        %d = tensor.cast %0 : {x} to tensor<?x3x?xf64>
        %y = tensor.cast %d : tensor<?x3x?xf64> to {x}
        return %y : {x}""")


    # The sizes of the result are a tensor.
    yield Case("reshape", [Arg(x, linear=True)], tensor(4, 6), f"""
        %s = arith.constant dense<[4, 6]> : tensor<2xindex>
        %y = tensor.reshape %0(%s) : ({x}, tensor<2xindex>) -> tensor<4x6xf64>
        return %y : tensor<4x6xf64>""")
    d = tensor("?", "?")
    yield Case("reshape_dynamic",
               [Arg(d, static=tensor(6, 4)), Arg("tensor<3xi32>", value="dense<[2, 4, 3]>")],
               tensor("?", "?", "?"), f"""
        %q = arith.mulf %0, %0 : {d}
        %y = tensor.reshape %q(%1) : ({d}, tensor<3xi32>) -> tensor<?x?x?xf64>
        return %y : tensor<?x?x?xf64>""", static_results=[tensor(2, 4, 3)])
    yield Case("bitcast", [Arg(x)], x, f"""
        %d = tensor.bitcast %0 : {x} to tensor<?x3x?xf64>
        %q = arith.mulf %d, %d : tensor<?x3x?xf64>
        %y = tensor.bitcast %q : tensor<?x3x?xf64> to {x}
        return %y : {x}""")


def indexed():
    """Gather, scatter and generate."""
    x = tensor(4, 3, 5)
    # Coordinates that repeat, in one dimension, in all and in two of three.
    rows = Arg("tensor<2x3x1xindex>", value="dense<[[[1], [0], [1]], [[2], [1], [2]]]>")
    for name, result in (("", tensor(2, 3, 4, 1, 5)), ("_reduced", tensor(2, 3, 4, 5))):
        yield Case(f"gather{name}", [Arg(x, linear=True), rows], result, f"""
        %y = tensor.gather %0[%1] gather_dims([1]) : ({x}, tensor<2x3x1xindex>) -> {result}
        return %y : {result}""")
    points = Arg("tensor<4x3xi32>",
                 value="dense<[[1, 0, 2], [3, 2, 4], [1, 0, 2], [0, 0, 0]]>")
    for name, result in (("", tensor(4, 1, 1, 1)), ("_reduced", tensor(4))):
        yield Case(f"gather_elements{name}", [Arg(x), points], [result, x], f"""
        %y = tensor.gather %0[%1] gather_dims([0, 1, 2])
          : ({x}, tensor<4x3xi32>) -> {result}
        %q = arith.mulf %y, %y : {result}
        %p = arith.mulf %0, %0 : {x}
        return %q, %p : {result}, {x}""")
    pairs = Arg("tensor<3x2xi64>", value="dense<[[3, 4], [0, 1], [2, 2]]>")
    yield Case("gather_unique", [Arg(x, linear=True), pairs], tensor(3, 3), f"""
        %y = tensor.gather %0[%1] gather_dims([0, 2]) unique
          : ({x}, tensor<3x2xi64>) -> tensor<3x3xf64>
        return %y : tensor<3x3xf64>""")
    d = tensor("?", "?", "?")
    yield Case("gather_dynamic",
               [Arg(d, static=x, linear=True), Arg("tensor<2x1xindex>", value="dense<[[2], [2]]>")],
               tensor("?", "?", "?"), f"""
        %i = tensor.cast %1 : tensor<2x1xindex> to tensor<?x1xindex>
        %y = tensor.gather %0[%i] gather_dims([1]) : ({d}, tensor<?x1xindex>) -> {d}
        return %y : {d}""", static_results=[tensor(2, 4, 5)])
    # Kept dimensions of extent 1, which must not be taken for the selected one.
    unit, column = tensor(1, 3, 4), Arg("tensor<2x1xindex>", value="dense<[[3], [1]]>")
    yield Case("gather_unit", [Arg(unit, linear=True), column], tensor(2, 1, 3), f"""
        %y = tensor.gather %0[%1] gather_dims([2]) : ({unit}, tensor<2x1xindex>) -> tensor<2x1x3xf64>
        return %y : tensor<2x1x3xf64>""")
    yield Case("scatter_unit", [Arg(tensor(2, 1, 3), linear=True), Arg(unit, linear=True), column],
               unit, f"""
        %y = tensor.scatter %0 into %1[%2] scatter_dims([2]) unique
          : (tensor<2x1x3xf64>, {unit}, tensor<2x1xindex>) -> {unit}
        return %y : {unit}""")
    # One tuple of coordinates without a leading dimension, and none at all.
    yield Case("gather_once", [Arg(x), Arg("tensor<1xindex>", value="dense<3>")],
               tensor(3, 5), f"""
        %y = tensor.gather %0[%1] gather_dims([0])
          : ({x}, tensor<1xindex>) -> tensor<3x5xf64>
        %q = arith.mulf %y, %y : tensor<3x5xf64>
        return %q : tensor<3x5xf64>""")
    yield Case("gather_nothing", [Arg(x)], [tensor(4, 0, 5), x], f"""
        %i = tensor.empty() : tensor<0x1xindex>
        %y = tensor.gather %0[%i] gather_dims([1]) : ({x}, tensor<0x1xindex>) -> tensor<0x4x5xf64>
        %e = tensor.collapse_shape %y [[0, 1], [2]] : tensor<0x4x5xf64> into tensor<0x5xf64>
        %z = tensor.expand_shape %e [[0, 1], [2]] output_shape [4, 0, 5]
          : tensor<0x5xf64> into tensor<4x0x5xf64>
        %p = arith.mulf %0, %0 : {x}
        return %z, %p : tensor<4x0x5xf64>, {x}""")

    for name, source in (("", tensor(2, 4, 1, 5)), ("_reduced", tensor(2, 4, 5))):
        yield Case(f"scatter{name}",
                   [Arg(source), Arg(x), Arg("tensor<2x1xindex>", value="dense<[[2], [0]]>")],
                   [x, x], f"""
        %y = tensor.scatter %0 into %1[%2] scatter_dims([1]) unique
          : ({source}, {x}, tensor<2x1xindex>) -> {x}
        %q = arith.mulf %y, %1 : {x}
        return %y, %q : {x}, {x}""")
    yield Case("scatter_elements",
               [Arg(tensor(3), linear=True), Arg(tensor(4, 5), linear=True),
                Arg("tensor<3x2xi32>", value="dense<[[3, 4], [0, 1], [2, 2]]>")],
               tensor(4, 5), """
        %y = tensor.scatter %0 into %1[%2] scatter_dims([0, 1]) unique
          : (tensor<3xf64>, tensor<4x5xf64>, tensor<3x2xi32>) -> tensor<4x5xf64>
        return %y : tensor<4x5xf64>""")
    yield Case("scatter_dynamic",
               [Arg(d, static=tensor(2, 4, 5), linear=True), Arg(d, static=x, linear=True),
                Arg("tensor<2x1xindex>", value="dense<[[2], [0]]>")], d, f"""
        %i = tensor.cast %2 : tensor<2x1xindex> to tensor<?x1xindex>
        %y = tensor.scatter %0 into %1[%i] scatter_dims([1]) unique
          : ({d}, {d}, tensor<?x1xindex>) -> {d}
        return %y : {d}""", static_results=[x])

    # A region that captures scalars and tensors, read at places that repeat.
    yield Case("generate", [Arg(tensor(4)), Arg("f64"), Arg(tensor(3))], tensor(4, 3), """
        %y = tensor.generate {
        ^bb0(%i: index, %j: index):
          %a = tensor.extract %0[%i] : tensor<4xf64>
          %b = tensor.extract %2[%j] : tensor<3xf64>
          %c = tensor.extract %0[%j] : tensor<4xf64>
          %p = arith.mulf %a, %b : f64
          %q = math.sin %p : f64
          %r = arith.mulf %q, %1 : f64
          %s = arith.addf %r, %c : f64
          tensor.yield %s : f64
        } : tensor<4x3xf64>
        return %y : tensor<4x3xf64>""")
    yield Case("generate_dynamic", [Arg(tensor("?"), static=tensor(4)), Arg("f64"), index(5)],
               [tensor("?", 2), tensor(4)], """
        %y = tensor.generate %2 {
        ^bb0(%i: index, %j: index):
          %c4 = arith.constant 4 : index
          %k = arith.remui %i, %c4 : index
          %a = tensor.extract %0[%k] : tensor<?xf64>
          %p = arith.mulf %a, %1 : f64
          tensor.yield %p : f64
        } : tensor<?x2xf64>
        %q = arith.mulf %0, %0 : tensor<?xf64>
        %v = tensor.cast %q : tensor<?xf64> to tensor<4xf64>
        return %y, %v : tensor<?x2xf64>, tensor<4xf64>""",
               static_results=[tensor(5, 2), tensor(4)])
    yield Case("generate_yields_a_captured_value", [Arg("f64"), index(0)],
               [tensor(3), tensor()], """
        %p = arith.mulf %0, %0 : f64
        %y = tensor.generate {
        ^bb0(%i: index):
          tensor.yield %p : f64
        } : tensor<3xf64>
        %z = tensor.generate {
          %s = math.sin %0 : f64
          tensor.yield %s : f64
        } : tensor<f64>
        return %y, %z : tensor<3xf64>, tensor<f64>""")


def elements():
    x = tensor(3, 4)
    yield Case("extract", [Arg(x), index(1), index(2)], ["f64", x], f"""
        %y = tensor.extract %0[%1, %2] : {x}
        %q = arith.mulf %y, %y : f64
        %p = arith.mulf %0, %0 : {x}
        return %q, %p : f64, {x}""")
    yield Case("insert", [Arg("f64"), Arg(x), index(1)], [x, "f64"], f"""
        %y = tensor.insert %0 into %1[%2, %2] : {x}
        %p = arith.mulf %y, %1 : {x}
        %q = arith.mulf %0, %0 : f64
        return %p, %q : {x}, f64""")
    yield Case("from_elements", [Arg("f64", linear=True), Arg("f64", linear=True)],
               tensor(2, 3), """
        %c = arith.constant 3.0 : f64
        %y = tensor.from_elements %0, %1, %0, %c, %1, %0 : tensor<2x3xf64>
        return %y : tensor<2x3xf64>""")
    yield Case("from_elements_rank_0", [Arg("f64")], "f64", """
        %y = tensor.from_elements %0 : tensor<f64>
        %v = tensor.extract %y[] : tensor<f64>
        %q = arith.mulf %v, %0 : f64
        return %q : f64""")
    yield Case("splat", [Arg("f64", linear=True)], x, f"""
        %y = tensor.splat %0 : {x}
        return %y : {x}""")
    # Each trip reads and writes elements of a tensor that it carries.
    yield Case("elements_in_a_loop", [Arg(tensor(5))], tensor(5), """
        %c0 = arith.constant 0 : index
        %c1 = arith.constant 1 : index
        %c4 = arith.constant 4 : index
        %y = scf.for %i = %c0 to %c4 step %c1 iter_args(%t = %0) -> tensor<5xf64> {
          %j = arith.addi %i, %c1 : index
          %a = tensor.extract %t[%i] : tensor<5xf64>
          %b = tensor.extract %t[%j] : tensor<5xf64>
          %p = arith.mulf %a, %b : f64
          %u = tensor.insert %p into %t[%j] : tensor<5xf64>
          scf.yield %u : tensor<5xf64>
        }
        return %y : tensor<5xf64>""")
    # A captured tensor, read at places that repeat.
    yield Case("captured_elements_in_a_loop",
               [Arg(tensor(3), range=(0.7, 1.2)), Arg("f64")], ["f64", tensor(3)], """
        %c0 = arith.constant 0 : index
        %c1 = arith.constant 1 : index
        %c3 = arith.constant 3 : index
        %c4 = arith.constant 4 : index
        %y = scf.for %i = %c0 to %c4 step %c1 iter_args(%s = %1) -> f64 {
          %j = arith.remui %i, %c3 : index
          %a = tensor.extract %0[%j] : tensor<3xf64>
          %p = arith.mulf %a, %s : f64
          %t = math.sin %p : f64
          %u = arith.addf %t, %a : f64
          scf.yield %u : f64
        }
        %q = arith.mulf %0, %0 : tensor<3xf64>
        return %y, %q : f64, tensor<3xf64>""")
    # Stacked weights: one row a trip, and another use of them outside.
    w, x = tensor(3, 4), tensor(4)
    yield Case("slices_in_a_loop", [Arg(x), Arg(w)], [x, w], f"""
        %c0 = arith.constant 0 : index
        %c1 = arith.constant 1 : index
        %c3 = arith.constant 3 : index
        %y = scf.for %i = %c0 to %c3 step %c1 iter_args(%t = %0) -> {x} {{
          %r = tensor.extract_slice %1[%i, 0] [1, 4] [1, 1] : {w} to tensor<1x4xf64>
          %f = tensor.collapse_shape %r [[0, 1]] : tensor<1x4xf64> into {x}
          %a = arith.mulf %t, %f : {x}
          %s = math.tanh %a : {x}
          %u = arith.addf %s, %f : {x}
          scf.yield %u : {x}
        }}
        %q = arith.mulf %1, %1 : {w}
        return %y, %q : {x}, {w}""")


def second():
    """Derivatives of the derivatives that are loops."""
    for group in (pads, indexed, elements):
        for case in group():
            if not all(arg.linear or arg.value for arg in case.args):
                yield tangent_of(case)
                yield gradient_of(case)


def cases():
    for group in (slices, pads, concats, dynamic, reshapes, indexed, elements, second):
        yield from group()


if __name__ == "__main__":
    main(list(cases()))
