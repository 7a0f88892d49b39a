# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Operations that are differentiated whole and lowered to several: softmax, pack and
unpack."""

from harness import Arg, Case, main, tensor


def softmax():
    for shape, dimension in (((3, 4), 1), ((3, 4), 0), ((2, 3, 4), 1), ((5,), 0),
                             ((3, 1), 1)):
        x = tensor(*shape)
        yield Case(f"softmax_{'x'.join(map(str, shape))}_{dimension}",
                   [Arg(x, range=(-3.0, 3.0), zero=shape[dimension] == 1)], x, f"""
        %e = tensor.empty() : {x}
        %y = linalg.softmax dimension({dimension}) ins(%0 : {x}) outs(%e : {x}) -> {x}
        return %y : {x}""")
    x, d = tensor(3, 4), tensor("?", "?")
    yield Case("softmax_dynamic", [Arg(d, static=x)], d, f"""
        %y = linalg.softmax dimension(0) ins(%0 : {d}) outs(%0 : {d}) -> {d}
        return %y : {d}""", static_results=[x])
    # Where exp(x) alone is infinite.
    yield Case("softmax_of_large_numbers", [Arg(x, range=(800.0, 802.0))], x, f"""
        %e = tensor.empty() : {x}
        %y = linalg.softmax dimension(1) ins(%0 : {x}) outs(%e : {x}) -> {x}
        return %y : {x}""")


def packing():
    def case(op, name, source, dest, attributes, padding="", args=(), linear=True,
             static=None):
        static = static or (source, dest)
        return Case(f"{op}_{name}", [Arg(source, static=static[0], linear=True), *args],
                    dest, f"""
        {"%e = tensor.empty() : " + dest if "?" not in dest else ""}
        %y = linalg.{op} %0 {padding} {attributes} into %e : {source} -> {dest}
        return %y : {dest}""", static_results=[static[1]])

    full = "inner_dims_pos = [0, 1] inner_tiles = [2, 4]"
    yield case("pack", "full", tensor(6, 8), tensor(3, 2, 2, 4), full)
    yield case("unpack", "full", tensor(3, 2, 2, 4), tensor(6, 8), full)
    # The tiles in another order than the dimensions, outside and inside.
    permuted = ("outer_dims_perm = [1, 2, 0] inner_dims_pos = [2, 0] "
                "inner_tiles = [2, 3]")
    yield case("pack", "permuted", tensor(6, 5, 4), tensor(5, 2, 2, 2, 3), permuted)
    yield case("unpack", "permuted", tensor(5, 2, 2, 2, 3), tensor(6, 5, 4), permuted)
    # The last tiles are not full.
    part = "inner_dims_pos = [1, 0] inner_tiles = [4, 2]"
    zero = "padding_value(%z : f64)"
    yield Case("pack_padded", [Arg(tensor(5, 7), linear=True)], tensor(3, 2, 4, 2), f"""
        %z = arith.constant 0.5 : f64
        %e = tensor.empty() : tensor<3x2x4x2xf64>
        %y = linalg.pack %0 {zero} {part} into %e : tensor<5x7xf64> -> tensor<3x2x4x2xf64>
        return %y : tensor<3x2x4x2xf64>""")
    yield case("pack", "padded_by_an_argument", tensor(5, 7), tensor(3, 2, 4, 2), part,
               "padding_value(%1 : f64)", [Arg("f64", linear=True)])
    yield case("unpack", "padded", tensor(3, 2, 4, 2), tensor(5, 7), part)
    d, p = tensor("?", "?"), tensor("?", "?", 4, 2)
    yield Case("pack_dynamic",
               [Arg(d, static=tensor(5, 7), linear=True), Arg("f64", linear=True)], p,
               f"""
        %n = arith.constant 3 : index
        %m = arith.constant 2 : index
        %e = tensor.empty(%n, %m) : {p}
        %y = linalg.pack %0 padding_value(%1 : f64) {part} into %e : {d} -> {p}
        return %y : {p}""", static_results=[tensor(3, 2, 4, 2)])
    yield Case("unpack_dynamic", [Arg(p, static=tensor(3, 2, 4, 2), linear=True)], d, f"""
        %n = arith.constant 5 : index
        %m = arith.constant 7 : index
        %e = tensor.empty(%n, %m) : {d}
        %y = linalg.unpack %0 {part} into %e : {p} -> {d}
        return %y : {d}""", static_results=[tensor(5, 7)])
    t = tensor("?", "?", "?", "?")
    tiles = "inner_dims_pos = [1, 0] inner_tiles = [%a, %b]"
    yield Case("pack_by_tiles_of_dynamic_extent",
               [Arg(d, static=tensor(5, 7), linear=True), Arg("f64", linear=True)], t,
               f"""
        %n = arith.constant 3 : index
        %m = arith.constant 2 : index
        %a = arith.constant 4 : index
        %b = arith.constant 2 : index
        %e = tensor.empty(%n, %m, %a, %b) : {t}
        %y = linalg.pack %0 padding_value(%1 : f64) {tiles} into %e : {d} -> {t}
        return %y : {t}""", static_results=[tensor(3, 2, 4, 2)])
    yield Case("unpack_from_tiles_of_dynamic_extent",
               [Arg(t, static=tensor(3, 2, 4, 2), linear=True)], d, f"""
        %n = arith.constant 5 : index
        %m = arith.constant 7 : index
        %a = arith.constant 4 : index
        %b = arith.constant 2 : index
        %e = tensor.empty(%n, %m) : {d}
        %y = linalg.unpack %0 {tiles} into %e : {t} -> {d}
        return %y : {d}""", static_results=[tensor(5, 7)])


def cases():
    yield from softmax()
    yield from packing()


if __name__ == "__main__":
    main(list(cases()))
