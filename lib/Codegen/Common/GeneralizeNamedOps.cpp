//===- GeneralizeNamedOps.cpp - Named elementwise ops to generic ----------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Codegen/Common/Passes.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Pass/Pass.h"

namespace mlir::memrev {
#define GEN_PASS_DEF_CODEGENGENERALIZENAMEDOPS
#include "memrev/Codegen/Common/Passes.h.inc"
} // namespace mlir::memrev

using namespace mlir;

/// Pooling satisfies the convolution interface, so these are all the ops whose
/// names later stages use.
static bool keepsName(linalg::LinalgOp op) {
  return isa<linalg::GenericOp, linalg::FillOp>(op) ||
         linalg::isaContractionOpInterface(op) ||
         linalg::isaConvolutionOpInterface(op);
}

namespace {
struct CodegenGeneralizeNamedOpsPass
    : memrev::impl::CodegenGeneralizeNamedOpsBase<
          CodegenGeneralizeNamedOpsPass> {
  void runOnOperation() override {
    SmallVector<linalg::LinalgOp> named;
    getOperation()->walk([&](linalg::LinalgOp op) {
      if (!keepsName(op))
        named.push_back(op);
    });
    IRRewriter rewriter(&getContext());
    for (linalg::LinalgOp op : named) {
      rewriter.setInsertionPoint(op);
      // Failure means the op has no generic form; it stays as it is.
      (void)linalg::generalizeNamedOp(rewriter, op);
    }
  }
};
} // namespace
