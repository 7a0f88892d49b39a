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

def ConvertTosaToMemRev : Pass<"convert-tosa-to-memrev", "::mlir::ModuleOp"> {
  let summary = "Lower TOSA to what memrev differentiates and compiles";
  let description = [{
    Runs upstream's conversions of TOSA: to linalg, tensor, arith and scf on
    tensors. No TOSA operation is left: one that upstream has no lowering for is
    an error. A module without TOSA is left alone.

    Validation against a TOSA profile is not part of it, so programs may use f64
    and need no target.

    Example:

    ```mlir
    %y = tosa.tanh %x : (tensor<4xf32>) -> tensor<4xf32>
    ```

    becomes

    ```mlir
    %y = linalg.generic {...} ins(%x : tensor<4xf32>) outs(%e : tensor<4xf32>) {
    ^bb0(%in: f32, %out: f32):
      %0 = math.tanh %in : f32
      linalg.yield %0 : f32
    } -> tensor<4xf32>
    ```
  }];
  let dependentDialects = [
    "::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect",
    "::mlir::cf::ControlFlowDialect", "::mlir::func::FuncDialect",
    "::mlir::index::IndexDialect", "::mlir::linalg::LinalgDialect",
    "::mlir::math::MathDialect", "::mlir::scf::SCFDialect",
    "::mlir::tensor::TensorDialect", "::mlir::tosa::TosaDialect"
  ];
}

#endif // MEMREV_CONVERSION_PASSES_TD
