# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Convolutions: layouts, strides, dilations, remainders and padded inputs."""

from harness import Arg, Case, main, tensor


def conv(layout, n, c, f, size, kernel, stride, dilation, pad=None, extra=None, groups=2,
         dynamic="", zero=False):
    """A convolution in one of the named layouts.

    `pad` holds (low, high) of zeros per dimension. `extra` rows of the input
    are not reached by any window. `dynamic` lists dimensions of the result
    (n, o) whose extents are not in the types. `zero` says that the windows see
    nothing but padding.
    """
    op, input_layout, filter_layout, output_layout = layout
    pad = pad or [(0, 0)] * len(size)
    extra = extra or [0] * len(size)
    padded = [s + low + high for s, (low, high) in zip(size, pad)]
    out = [(p - e - (k - 1) * d - 1) // s + 1
           for p, e, k, d, s in zip(padded, extra, kernel, dilation, stride)]
    assert all(o > 0 for o in out)
    extents = {"n": n, "c": c, "f": f, "g": groups, "m": f}

    def shape(letters, image, hide=""):
        result, k = [], 0
        for letter in letters:
            if letter == "*":
                result.append("?" if "o" in hide else image[k])
                k += 1
            else:
                result.append("?" if letter in hide else extents[letter])
        return result

    x = tensor(*shape(input_layout, size, dynamic))
    w = tensor(*shape(filter_layout, kernel))
    y = tensor(*shape(output_layout, out, dynamic))
    static = {"x": tensor(*shape(input_layout, size)),
              "y": tensor(*shape(output_layout, out))}
    lines, read, read_type = [], "%0", x
    if any(amount != (0, 0) for amount in pad):
        amounts = iter(pad)
        per_dim = [next(amounts) if l == "*" else (0, 0) for l in input_layout]
        read, read_type = "%p", tensor(*shape(input_layout, padded, dynamic))
        indices = ", ".join(f"%i{i}: index" for i in range(len(per_dim)))
        lines += ["%z = arith.constant 0.0 : f64",
                  f"%p = tensor.pad %0 low{[l for l, _ in per_dim]} "
                  f"high{[h for _, h in per_dim]} {{",
                  f"^bb0({indices}):", "tensor.yield %z : f64",
                  f"}} : {x} to {read_type}"]
    rank = len(size)
    attributes = ""
    if stride != [1] * rank or dilation != [1] * rank:
        attributes = (f"{{strides = dense<{stride}> : tensor<{rank}xi64>, "
                      f"dilations = dense<{dilation}> : tensor<{rank}xi64>}} ")
    lines += [f"%y = linalg.{op} {attributes}ins({read}, %1 : {read_type}, {w}) "
              f"outs(%2 : {y}) -> {y}", f"return %y : {y}"]
    name = "_".join([op] + [f"{what}{'x'.join(map(str, numbers))}" for what, numbers in
                            (("i", size), ("k", kernel), ("s", stride),
                             ("d", dilation), ("e", extra))] +
                    ["p" + "_".join(f"{l}{h}" for l, h in pad), dynamic])
    return Case(name, [Arg(x, static=static["x"], linear=True, zero=zero),
                       Arg(w, linear=True, zero=zero),
                       Arg(y, static=static["y"], linear=True)], y, "\n".join(lines),
                static_results=[static["y"]])


NHWC_HWCF = ("conv_2d_nhwc_hwcf", "n**c", "**cf", "n**f")
NHWC_FHWC = ("conv_2d_nhwc_fhwc", "n**c", "f**c", "n**f")
NCHW_FCHW = ("conv_2d_nchw_fchw", "nc**", "fc**", "nf**")
GROUPED = ("conv_2d_ngchw_fgchw", "ngc**", "fgc**", "ngf**")
GROUPED_NHWC = ("conv_2d_nhwgc_gfhwc", "n**gc", "gf**c", "n**gf")
NWC_WCF = ("conv_1d_nwc_wcf", "n*c", "*cf", "n*f")
NCW_FCW = ("conv_1d_ncw_fcw", "nc*", "fc*", "nf*")
PLAIN_1D = ("conv_1d", "*", "*", "*")
PLAIN_2D = ("conv_2d", "**", "**", "**")
NDHWC = ("conv_3d_ndhwc_dhwcf", "n***c", "***cf", "n***f")
DEPTHWISE = ("depthwise_conv_2d_nhwc_hwc", "n**c", "**c", "n**c")
DEPTHWISE_NCHW = ("depthwise_conv_2d_nchw_chw", "nc**", "c**", "nc**")
MULTIPLIER = ("depthwise_conv_2d_nhwc_hwcm", "n**c", "**cm", "n**cm")


def cases():
    same = [(1, 1), (1, 1)]
    # What networks are made of: 3x3 and 1x1, stride 1 and 2, even and odd sizes.
    for layout in (NHWC_HWCF, NHWC_FHWC, NCHW_FCHW):
        for size in ([6, 8], [7, 5]):
            for stride in ([1, 1], [2, 2]):
                yield conv(layout, 2, 3, 4, size, [3, 3], stride, [1, 1], same)
                yield conv(layout, 2, 3, 4, size, [1, 1], stride, [1, 1])
        yield conv(layout, 2, 3, 4, [9, 7], [3, 3], [1, 1], [1, 1])

    # One dimension: every stride, dilation and kernel, with a remainder where
    # there can be one, and with padding on one side, on both and on none.
    for kernel in (1, 2, 3, 5):
        for stride in (1, 2, 3, 4):
            for dilation in (1, 2, 3):
                reach = (kernel - 1) * dilation + 1
                for pad in ((0, 0), (1, 0), (2, 3)):
                    if (kernel + stride + dilation + pad[0]) % 2:
                        continue
                    size = reach + 2 * stride + (stride - 1)
                    yield conv(NWC_WCF, 1, 2, 3, [size], [kernel], [stride],
                               [dilation], [pad])

    # Strides and dilations that differ by dimension and share factors.
    for layout in (NHWC_HWCF, NCHW_FCHW):
        yield conv(layout, 1, 2, 3, [13, 11], [3, 2], [2, 3], [2, 1])
        yield conv(layout, 1, 2, 2, [17, 14], [3, 3], [4, 2], [2, 4], [(2, 1), (0, 3)])
        yield conv(layout, 1, 2, 2, [8, 9], [1, 2], [3, 2], [1, 3])
    # Padding wider than the kernel: parts of the cotangent meet zeros only.
    yield conv(NHWC_HWCF, 1, 2, 2, [4, 3], [2, 1], [1, 1], [1, 1], [(3, 4), (2, 0)])
    yield conv(NHWC_HWCF, 1, 2, 2, [4, 3], [2, 1], [2, 3], [1, 1], [(5, 4), (4, 3)])
    yield conv(NWC_WCF, 1, 2, 2, [1], [1], [1], [1], [(4, 0)], extra=[2],
               zero=True)
    # Rows that no window reaches, more than a stride leaves.
    yield conv(NHWC_HWCF, 1, 2, 2, [9, 8], [3, 3], [1, 1], [1, 1], extra=[3, 2])
    yield conv(NHWC_HWCF, 1, 2, 2, [9, 8], [2, 3], [2, 3], [1, 1], extra=[4, 1])

    # Other numbers of dimensions and other roles of the channels.
    for stride in (1, 2):
        yield conv(NCW_FCW, 2, 3, 2, [9], [3], [stride], [2])
        yield conv(NDHWC, 1, 2, 2, [5, 4, 6], [3, 2, 1], [stride] * 3, [1, 1, 1],
                   [(1, 1), (0, 1), (0, 0)])
        for layout in (GROUPED, GROUPED_NHWC, DEPTHWISE, DEPTHWISE_NCHW, MULTIPLIER):
            yield conv(layout, 2, 3, 2, [7, 6], [3, 2], [stride, 1], [1, 2], same)
    yield conv(PLAIN_1D, 1, 1, 1, [7], [3], [1], [1])
    yield conv(PLAIN_2D, 1, 1, 1, [7, 6], [3, 2], [1, 1], [1, 1])

    # Extents that the types do not give.
    for dynamic in ("n", "o", "no"):
        for stride in (1, 2):
            pad = same if dynamic == "n" else None
            for layout in (NHWC_HWCF, NCHW_FCHW):
                yield conv(layout, 2, 3, 2, [7, 6], [3, 2], [stride, stride], [1, 2],
                           pad, dynamic=dynamic)

    # The padded tensor has another use, which gives it a cotangent of its own, and
    # padding values that are no zeros, without and with a derivative.
    x, p = tensor(1, 5, 5, 2), tensor(1, 7, 7, 2)
    w, y = tensor(3, 3, 2, 2), tensor(1, 5, 5, 2)

    def padded_by(value):
        return f"""
        %z = arith.constant 1.5 : f64
        %p = tensor.pad %0 low[0, 1, 1, 0] high[0, 1, 1, 0] {{
        ^bb0(%a: index, %b: index, %c: index, %d: index):
          tensor.yield {value} : f64
        }} : {x} to {p}
        %e = tensor.empty() : {y}
        %i = linalg.fill ins(%z : f64) outs(%e : {y}) -> {y}
        %y = linalg.conv_2d_nhwc_hwcf ins(%p, %1 : {p}, {w}) outs(%i : {y}) -> {y}
        %q = arith.mulf %p, %p : {p}
        return %y"""

    args = [Arg(x), Arg(w, linear=True)]
    yield Case("two_uses_of_a_pad", args, [y, p], padded_by("%z") + f", %q : {y}, {p}")
    yield Case("pad_by_a_constant", args, y, padded_by("%z") + f" : {y}")
    yield Case("pad_by_an_argument", args + [Arg("f64", linear=True)], y,
               padded_by("%2") + f" : {y}")
    # A filter and an activation that are used twice: their gradients add up.
    yield Case("shared_filter", [Arg(x), Arg(w), Arg(y, linear=True)], [y, y], f"""
        %z = arith.constant 0.0 : f64
        %p = tensor.pad %0 low[0, 1, 1, 0] high[0, 1, 1, 0] {{
        ^bb0(%a: index, %b: index, %c: index, %d: index):
          tensor.yield %z : f64
        }} : {x} to {p}
        %y = linalg.conv_2d_nhwc_hwcf ins(%p, %1 : {p}, {w}) outs(%2 : {y}) -> {y}
        %q = tensor.pad %y low[0, 1, 1, 0] high[0, 1, 1, 0] {{
        ^bb0(%a: index, %b: index, %c: index, %d: index):
          tensor.yield %z : f64
        }} : {y} to {p}
        %r = linalg.conv_2d_nhwc_hwcf ins(%q, %1 : {p}, {w}) outs(%2 : {y}) -> {y}
        return %y, %r : {y}, {y}""")
    # One tensor is both the input and the filter, and starts the sum too.
    x, y = tensor(3, 3, 3, 3), tensor(3, 1, 1, 3)
    yield Case("input_is_filter", [Arg(x)], y, f"""
        %e = tensor.empty() : {y}
        %z = arith.constant 0.0 : f64
        %i = linalg.fill ins(%z : f64) outs(%e : {y}) -> {y}
        %y = linalg.conv_2d_nhwc_hwcf ins(%0, %0 : {x}, {x}) outs(%i : {y}) -> {y}
        return %y : {y}""")


if __name__ == "__main__":
    main(list(cases()))
