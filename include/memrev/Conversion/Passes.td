//===- Passes.td - Conversion passes --------------------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_CONVERSION_PASSES_TD
#define MEMREV_CONVERSION_PASSES_TD

include "mlir/Pass/PassBase.td"

def ConvertRevToLinalg : Pass<"convert-rev-to-linalg"> {
  let summary = "Lower rev operations to linalg, tensor, arith and math";
  let description = [{
    Replaces every `rev` operation that computes by operations of upstream
    dialects: a coupling by its region and one elementwise operation that takes
    the place of the coupled value, a layer by the passes over memory it needs.
    So are operations of linalg that are no loop nest: `linalg.softmax`,
    `linalg.pack` and `linalg.unpack`, which nothing bufferizes.
    Function transforms are left alone; `rev-differentiate` expands them.
    `rev.custom_vjp` and `rev.custom_jvp` are removed from functions: what they
    name need not be kept any longer.

    Example:

    ```mlir
    %y = rev.coupling additive %x given(%c) {
    ^bb0(%a: tensor<4xf32>):
      %t = math.tanh %a : tensor<4xf32>
      rev.yield %t : tensor<4xf32>
    } : tensor<4xf32>, (tensor<4xf32>)
    ```

    becomes

    ```mlir
    %t = math.tanh %c : tensor<4xf32>
    %y = linalg.generic {...} ins(%t : tensor<4xf32>) outs(%x : tensor<4xf32>) {
    ^bb0(%in: f32, %out: f32):
      %0 = arith.addf %out, %in : f32
      linalg.yield %0 : f32
    } -> tensor<4xf32>
    ```
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
    "::mlir::math::MathDialect", "::mlir::tensor::TensorDialect"
  ];
}

#endif // MEMREV_CONVERSION_PASSES_TD
