//===- InlineOpenCalls.cpp - Inline functions of open extents -------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Codegen/Common/CallOrder.h"
#include "memrev/Codegen/Common/InlineCalls.h"
#include "memrev/Codegen/Common/Passes.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

namespace mlir::memrev {
#define GEN_PASS_DEF_CODEGENINLINEOPENCALLS
#include "memrev/Codegen/Common/Passes.h.inc"
} // namespace mlir::memrev

using namespace mlir;
using namespace mlir::memrev;

static bool isOpen(Type type) {
  auto buffer = dyn_cast<MemRefType>(type);
  return buffer && !buffer.hasStaticShape();
}

namespace {
class CodegenInlineOpenCallsPass
    : public memrev::impl::CodegenInlineOpenCallsBase<
          CodegenInlineOpenCallsPass> {
public:
  void runOnOperation() override {
    FailureOr<CallOrder> order = CallOrder::compute(getOperation());
    if (failed(order))
      return signalPassFailure();
    SymbolTable symbols(getOperation());
    // Callees come first, so a body that is inlined has nothing left to inline.
    for (func::FuncOp func : order->functions) {
      SmallVector<func::CallOp> calls;
      func.walk([&](func::CallOp call) { calls.push_back(call); });
      for (func::CallOp call : calls) {
        auto callee = symbols.lookup<func::FuncOp>(call.getCallee());
        if (callee && !callee.isExternal() && callee.getBody().hasOneBlock() &&
            llvm::any_of(callee.getArgumentTypes(), isOpen))
          inlineCall(call, callee);
      }
    }
    for (func::FuncOp func : order->functions) {
      if (func.isPrivate() && !func.isExternal() &&
          llvm::any_of(func.getArgumentTypes(), isOpen) &&
          SymbolTable::symbolKnownUseEmpty(func, getOperation()))
        func.erase();
    }
  }
};
} // namespace
