# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Pooling: sum, max and min, overlapping windows, gaps, remainders and dilations."""

from harness import Arg, Case, main, tensor


# So that the starting value wins some windows, and not all.
INIT_RANGE = {"sum": (-1.0, 1.0), "max": (0.0, 1.2), "min": (-1.2, 0.0)}


def pooling(op, layout, size, window, stride, dilation, extra=None, dynamic=False,
            init_range=None, dynamic_window=False):
    kind = op.split("_")[2]
    init_range = init_range or INIT_RANGE[kind]
    extra = extra or [0] * len(size)
    out = [(n - e - (k - 1) * d - 1) // s + 1
           for n, e, k, d, s in zip(size, extra, window, dilation, stride)]

    def shape(image):
        image = iter(image)
        return [next(image) if letter == "*" else {"n": 2, "c": 3}[letter]
                for letter in layout]

    x, y = tensor(*shape(size)), tensor(*shape(out))
    static = x, y
    if dynamic:
        x, y = (tensor(*["?"] * len(layout)) for _ in range(2))
    k = tensor(*["?"] * len(window)) if dynamic_window else tensor(*window)
    extents = ""
    if dynamic_window:
        extents = "\n".join(f"%k{i} = arith.constant {n} : index"
                            for i, n in enumerate(window))
    names = ", ".join(f"%k{i}" for i in range(len(window))) if dynamic_window else ""
    rank = len(size)
    name = "_".join([op] + ["x".join(map(str, numbers)) for numbers in
                            (size, window, stride, dilation, extra)] +
                    (["dynamic"] if dynamic else []) +
                    (["by_dynamic_windows"] if dynamic_window else []))
    linear = kind == "sum"
    return Case(name, [Arg(x, static=static[0], linear=linear),
                       Arg(y, static=static[1], linear=linear, range=init_range)], y,
                f"""
        {extents}
        %k = tensor.empty({names}) : {k}
        %y = linalg.{op} {{strides = dense<{stride}> : tensor<{rank}xi64>,
          dilations = dense<{dilation}> : tensor<{rank}xi64>}}
          ins(%0, %k : {x}, {k}) outs(%1 : {y}) -> {y}
        return %y : {y}""", static_results=[static[1]])


def cases():
    for kind in ("sum", "max", "min"):
        yield pooling(f"pooling_nhwc_{kind}", "n**c", [6, 8], [2, 2], [2, 2], [1, 1])
        yield pooling(f"pooling_nhwc_{kind}", "n**c", [7, 10], [2, 3], [2, 3], [1, 1])
        yield pooling(f"pooling_nhwc_{kind}", "n**c", [5, 4], [3, 4], [4, 1], [1, 1],
                      extra=[1, 0])
        yield pooling(f"pooling_nhwc_{kind}", "n**c", [8, 6], [2, 3], [2, 3], [3, 2])
        yield pooling(f"pooling_nhwc_{kind}", "n**c", [7, 9], [3, 3], [2, 2], [1, 1])
        yield pooling(f"pooling_nhwc_{kind}", "n**c", [7, 6], [3, 2], [1, 1], [2, 3],
                      extra=[1, 0])
        yield pooling(f"pooling_nhwc_{kind}", "n**c", [8, 9], [2, 1], [3, 4], [1, 1])
        yield pooling(f"pooling_nhwc_{kind}", "n**c", [5, 7], [3, 3], [2, 2], [1, 1],
                      dynamic=True)
        yield pooling(f"pooling_nwc_{kind}", "n*c", [9], [3], [2], [1])
        yield pooling(f"pooling_ndhwc_{kind}", "n***c", [4, 5, 3], [2, 3, 1], [2, 1, 1],
                      [1, 1, 1])
    for kind in ("sum", "max"):
        yield pooling(f"pooling_nchw_{kind}", "nc**", [7, 6], [3, 2], [2, 2], [1, 2])
        yield pooling(f"pooling_nchw_{kind}", "nc**", [6, 7], [3, 2], [3, 2], [1, 1])
        yield pooling(f"pooling_ncw_{kind}", "nc*", [9], [3], [2], [2])
    for kind in ("sum", "max", "min"):
        yield pooling(f"pooling_nhwc_{kind}", "n**c", [6, 7], [3, 2], [2, 1], [1, 2],
                      dynamic_window=True)
    # More positions than are written out one by one.
    yield pooling("pooling_nwc_max", "n*c", [1101], [1030], [13], [1])
    # Over a window of its own size, with a starting value that never wins.
    never = pooling("pooling_nhwc_max", "n**c", [3, 4], [3, 4], [1, 1], [1, 1],
                    init_range=(-3.0, -2.0))
    never.args[1].zero = True
    yield never


if __name__ == "__main__":
    main(list(cases()))
