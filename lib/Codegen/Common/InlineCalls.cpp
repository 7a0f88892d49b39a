//===- InlineCalls.cpp - Inline functions that are called seldom ----------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Codegen/Common/InlineCalls.h"
#include "memrev/Codegen/Common/AttributeNames.h"
#include "memrev/Codegen/Common/CallOrder.h"
#include "memrev/Codegen/Common/Passes.h"
#include "mlir/IR/IRMapping.h"

namespace mlir::memrev {
#define GEN_PASS_DEF_CODEGENINLINECALLS
#include "memrev/Codegen/Common/Passes.h.inc"
} // namespace mlir::memrev

using namespace mlir;
using namespace mlir::memrev;

void memrev::inlineCall(func::CallOp call, func::FuncOp callee) {
  IRMapping mapping;
  mapping.map(callee.getArguments(), call.getOperands());
  OpBuilder builder(call);
  for (Operation &op : callee.front().without_terminator())
    builder.clone(op, mapping);
  for (auto [result, returned] : llvm::zip_equal(
           call.getResults(), callee.front().getTerminator()->getOperands()))
    result.replaceAllUsesWith(mapping.lookup(returned));
  call.erase();
}

namespace {
class CodegenInlineCallsPass
    : public memrev::impl::CodegenInlineCallsBase<CodegenInlineCallsPass> {
public:
  using CodegenInlineCallsBase::CodegenInlineCallsBase;

  void runOnOperation() override {
    FailureOr<CallOrder> order = CallOrder::compute(getOperation());
    if (failed(order))
      return signalPassFailure();
    // Callees come first, so a body that is inlined has nothing left to inline.
    for (func::FuncOp func : order->functions) {
      if (!func.isPrivate() || func.isExternal() ||
          func->hasAttr(kKernelAttr) || !func.getBody().hasOneBlock())
        continue;
      // The uses: calls that were inlined along with their function are new.
      SmallVector<func::CallOp> calls;
      auto uses = SymbolTable::getSymbolUses(func, getOperation());
      if (!uses)
        continue;
      bool isOnlyCalled = true;
      for (SymbolTable::SymbolUse use : *uses) {
        auto call = dyn_cast<func::CallOp>(use.getUser());
        isOnlyCalled &= static_cast<bool>(call);
        if (call)
          calls.push_back(call);
      }
      if (!isOnlyCalled || int64_t(calls.size()) > maxCalls)
        continue;
      for (func::CallOp call : calls)
        inlineCall(call, func);
      func.erase();
    }
  }
};
} // namespace
