//===- CallExternals.cpp - Calls of functions without a body --------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Codegen/Common/AttributeNames.h"
#include "memrev/Codegen/Common/DeclaredKernel.h"
#include "memrev/Codegen/Common/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace mlir::memrev {
#define GEN_PASS_DEF_CODEGENCALLEXTERNALS
#include "memrev/Codegen/Common/Passes.h.inc"
} // namespace mlir::memrev

using namespace mlir;
using namespace mlir::memrev;

/// The tensor by whose buffer a value of `type` is handed over, or null.
static RankedTensorType getTensorType(Type type) {
  if (auto tensor = dyn_cast<RankedTensorType>(type))
    return tensor.hasStaticShape() ? tensor : RankedTensorType();
  if (type.isIntOrFloat())
    return RankedTensorType::get({}, type);
  return {};
}

static LogicalResult getTensorTypes(func::FuncOp function, StringRef what,
                                    TypeRange types,
                                    SmallVectorImpl<Type> &found) {
  for (auto [number, type] : llvm::enumerate(types)) {
    RankedTensorType tensor = getTensorType(type);
    if (!tensor)
      return function.emitError()
             << "expects scalars and tensors of static shape as " << what
             << "s of a function without a body, but got " << what << ' '
             << number << " of type " << type;
    found.push_back(tensor);
  }
  return success();
}

/// Replaces `call` by one of `function`, which takes and returns tensors only,
/// the last of them as destinations.
static void rewriteCall(func::CallOp call, func::FuncOp function) {
  OpBuilder builder(call);
  Location loc = call.getLoc();
  SmallVector<Value> operands;
  for (Value operand : call.getOperands())
    operands.push_back(
        isa<RankedTensorType>(operand.getType())
            ? operand
            : tensor::FromElementsOp::create(
                  builder, loc, getTensorType(operand.getType()), operand));
  for (Type type : function.getResultTypes())
    operands.push_back(tensor::EmptyOp::create(
        builder, loc, cast<RankedTensorType>(type).getShape(),
        cast<RankedTensorType>(type).getElementType()));
  auto newCall = func::CallOp::create(builder, loc, function, operands);
  for (auto [old, now] :
       llvm::zip_equal(call.getResults(), newCall.getResults())) {
    Value value = now;
    if (!isa<RankedTensorType>(old.getType()))
      value = tensor::ExtractOp::create(builder, loc, now, ValueRange());
    old.replaceAllUsesWith(value);
  }
  call.erase();
}

namespace {
class CodegenCallExternalsPass
    : public memrev::impl::CodegenCallExternalsBase<CodegenCallExternalsPass> {
public:
  using CodegenCallExternalsBase::CodegenCallExternalsBase;

  void runOnOperation() override {
    llvm::MapVector<func::FuncOp, SmallVector<func::CallOp>> callers;
    SymbolTableCollection symbols;
    getOperation().walk([&](func::CallOp call) {
      auto callee = symbols.lookupNearestSymbolFrom<func::FuncOp>(
          call, call.getCalleeAttr());
      if (callee.isExternal() && !isDeclaredKernel(callee))
        callers[callee].push_back(call);
    });
    for (auto &[function, calls] : callers) {
      if (!isAllowed) {
        function.emitError("expects functions with a body in a program for a "
                           "device, but got a declaration");
        return signalPassFailure();
      }
      if (failed(rewrite(function, calls)))
        return signalPassFailure();
    }
  }

private:
  static LogicalResult rewrite(func::FuncOp function,
                               ArrayRef<func::CallOp> calls) {
    SmallVector<Type> arguments, results;
    if (failed(getTensorTypes(function, "argument", function.getArgumentTypes(),
                              arguments)) ||
        failed(getTensorTypes(function, "result", function.getResultTypes(),
                              results)))
      return failure();
    unsigned numRead = arguments.size();
    llvm::append_range(arguments, results);
    Builder builder(function.getContext());
    function.setType(builder.getFunctionType(arguments, results));
    // What was said of the arguments does not hold for the destinations.
    function.setAllArgAttrs(SmallVector<DictionaryAttr>(
        arguments.size(), builder.getDictionaryAttr({})));
    for (unsigned i = 0; i < arguments.size(); ++i)
      setArgumentAccess(function, i,
                        i < numRead ? ArgumentAccess::Read
                                    : ArgumentAccess::Write);
    function->setAttr(kKernelAttr, builder.getUnitAttr());
    for (func::CallOp call : calls)
      rewriteCall(call, function);
    return success();
  }
};
} // namespace
