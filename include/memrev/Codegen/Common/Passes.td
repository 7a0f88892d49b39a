//===- Passes.td - Code generation passes (Common) ------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_CODEGEN_COMMON_PASSES_TD
#define MEMREV_CODEGEN_COMMON_PASSES_TD

include "mlir/Pass/PassBase.td"

def CodegenGeneralizeNamedOps : Pass<"codegen-generalize-named-ops"> {
  let summary = "Turn named elementwise and reduction ops into linalg.generic";
  let description = [{
    Rewrites every linalg named op that is neither a contraction, a
    convolution, a pooling nor a fill to `linalg.generic`, so that upstream's
    elementwise fusion and kernel outlining see one form. Contractions and
    convolutions keep their names because fusion must leave them alone.

    Example: `linalg.add`, `linalg.map`, `linalg.broadcast`, `linalg.reduce`
    and `linalg.transpose` become generics; `linalg.matmul` stays.
  }];
  let dependentDialects = ["linalg::LinalgDialect"];
}

def CodegenOutlineKernels : Pass<"codegen-outline-kernels", "ModuleOp"> {
  let summary = "Move every linalg computation into a private kernel function";
  let description = [{
    Each linalg op on tensors of static shape, with what is worth computing
    together with it, becomes a private `func.func` with the unit attribute
    `memrev.kernel`, and a call:

    - a contraction or convolution takes its `linalg.fill` init, the
      `tensor.pad` of its operands (cloned into each consumer, so that the
      padded tensor never exists), transposes and flips of its filter, and an
      elementwise consumer when it is the only one;
    - an operand that is a `tensor.extract_slice` is sliced inside the kernel,
      which gets the whole buffer and the offsets. Likewise a result whose only
      use is `tensor.insert_slice` is written in place into the whole buffer;
    - destinations are the last arguments, tied in order to the results, so
      that one-shot bufferization updates them in place through the call. A
      destination that does not exist yet is one `tensor.empty` per call; an
      elementwise kernel writes over an operand that dies in it instead.

    Equal kernels are made once: groups are compared before any function is
    created, so the cost is linear in the number of ops. Run no CSE on callers
    after this pass: merging two `tensor.empty` destinations costs a copy.

    Example:

    ```mlir
    %f = linalg.fill ins(%zero : f32) outs(%e : tensor<4x8xf32>) -> tensor<4x8xf32>
    %r = linalg.matmul ins(%a, %b : ...) outs(%f : tensor<4x8xf32>) -> tensor<4x8xf32>
    ```

    becomes

    ```mlir
    %e = tensor.empty() : tensor<4x8xf32>
    %r = call @matmul_0(%a, %b, %e) : (...) -> tensor<4x8xf32>
    ```

    Ops with dynamic shapes stay where they are; a `missed` remark of category
    `codegen-outline-kernels` names each.
  }];
  let dependentDialects = [
    "arith::ArithDialect", "func::FuncDialect", "linalg::LinalgDialect",
    "tensor::TensorDialect"
  ];
}

#endif // MEMREV_CODEGEN_COMMON_PASSES_TD
