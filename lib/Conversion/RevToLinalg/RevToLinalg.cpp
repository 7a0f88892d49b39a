//===- RevToLinalg.cpp - Lower rev to linalg ------------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Conversion/Passes.h"
#include "memrev/Dialect/Rev/IR/Rev.h"
#include "memrev/Interfaces/DecomposableOpInterface.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/PatternMatch.h"

namespace mlir::memrev {
#define GEN_PASS_DEF_CONVERTREVTOLINALG
#include "memrev/Conversion/Passes.h.inc"
} // namespace mlir::memrev

using namespace mlir;
using namespace mlir::memrev;

namespace {

struct ConvertRevToLinalg final
    : memrev::impl::ConvertRevToLinalgBase<ConvertRevToLinalg> {
  using Base::Base;

  /// Replaces the operations that there are. False if there is none.
  bool decomposeAll() {
    // Outer operations first: a coupling moves the contents of its region out.
    SmallVector<DecomposableOpInterface> ops;
    getOperation()->walk<WalkOrder::PreOrder>([&](DecomposableOpInterface op) {
      // What works on buffers has no value to replace.
      if (op->getNumResults() != 0)
        ops.push_back(op);
    });
    IRRewriter rewriter(&getContext());
    for (DecomposableOpInterface op : ops) {
      rewriter.setInsertionPoint(op);
      rewriter.replaceOp(op, op.decompose(rewriter));
    }
    return !ops.empty();
  }

  void runOnOperation() override {
    // A bijection may be made of such operations.
    while (decomposeAll())
      ;
    // Nobody differentiates what is lowered, and the functions that a rule
    // names need not be kept for it.
    getOperation()->walk([](FunctionOpInterface function) {
      function->removeAttr(rev::kCustomVjpAttrName);
      function->removeAttr(rev::kCustomJvpAttrName);
    });
  }
};

} // namespace
