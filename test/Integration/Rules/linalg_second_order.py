# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Second derivatives of structured operations: the gradients of cases of the other
files, each of a function that takes the exponentials of its arguments first, are
differentiated in both modes."""

import aggregates
import convolution
import maps
import pooling
import reductions
import structured
from harness import Arg, Case, main


def gradient(case):
    """The gradients of `case` as a function of its arguments and of cotangents."""
    wrt = [i for i, arg in enumerate(case.args) if arg.active]
    args = [Arg(a.type, static=a.static, value=a.value, range=a.range) for a in case.args]
    types = [a.type for a in args]
    results = case.results
    for result, static in zip(results, case.static_results):
        args.append(Arg(result, static=static, linear=True))
    inner = case.body
    lines = []
    for i in wrt:
        lines.append(f"%exp{i} = math.exp %{i} : {types[i]}")
    names = [f"%exp{i}" if i in wrt else f"%{i}" for i in range(len(types))]
    lines.append(f"%y:{len(results)} = func.call @{case.name}_inner({', '.join(names)}) : "
                 f"({', '.join(types)}) -> ({', '.join(results)})")
    outputs = ", ".join(f"%y#{k}" for k in range(len(results)))
    lines.append(f"return {outputs} : {', '.join(results)}")
    declared = ", ".join(f"%{i}: {t}" for i, t in enumerate(types))
    functions = "\n".join(
        f"func.func private @{case.name}_{name}({declared}) -> ({', '.join(results)}) {{\n"
        f"{body}\n}}" for name, body in (("inner", inner), ("outer", "\n".join(lines))))
    operands = ", ".join(f"%{i}" for i in range(len(types)))
    cotangents = ", ".join(f"%{len(types) + k}" for k in range(len(results)))
    gradients = [types[i] for i in wrt]
    body = f"""
        %g:{len(wrt)} = rev.vjp @{case.name}_outer({operands}) cotangents({cotangents})
          wrt {wrt} : ({', '.join(types + results)}) -> ({', '.join(gradients)})
        return {', '.join(f'%g#{k}' for k in range(len(wrt)))} : {', '.join(gradients)}"""
    return Case(f"{case.name}_twice", args, gradients, body, functions=functions,
                static_results=[case.args[i].static for i in wrt])


# Starting values that lose everywhere have no derivative, so that their cases divide
# zero by zero.
CHOSEN = {
    aggregates: ["softmax_3x4_1", "softmax_dynamic", "pack_permuted", "pack_padded_by",
                 "unpack_padded"],
    convolution: ["conv_1d_nwc_wcf_i8_k3_s2_d1", "conv_2d_nchw_fchw_i13x11_k3x2_s2x3_d2x1",
                  "depthwise_conv_2d_nhwc_hwcm_i7x6", "conv_2d_ngchw_fgchw_i7x6_k3x2_s2x1",
                  "input_is_filter"],
    maps: ["reversed_stride", "window_dilated", "window_reversed", "windows",
           "window_with_indices", "diagonal_of_three", "trace", "off_diagonal", "remainder",
           "conv_with_a_window", "scalar_operand", "lookup"],
    pooling: ["pooling_nhwc_sum_7x9", "pooling_nwc_max", "pooling_nhwc_sum_6x8"],
    reductions: ["reduce_mulf_rows", "reduce_mulf_outer", "product_of_sums",
                 "reduce_maximumf_rows", "masked_sum", "sum_with_indices"],
    structured: ["generic_broadcast", "generic_sum", "generic_captures", "contract_transposed",
                 "batch_matmul_bkm_bnk_4x4x4", "batch_matvec", "matmul_of_itself",
                 "reduce_products", "broadcast_scalar"],
}


def cases():
    for module, names in CHOSEN.items():
        for case in module.cases():
            if any(case.name.startswith(name) for name in names):
                yield gradient(case)


if __name__ == "__main__":
    main(list(cases()))
