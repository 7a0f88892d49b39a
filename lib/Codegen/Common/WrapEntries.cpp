//===- WrapEntries.cpp - Read-only wrappers of public functions -----------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Codegen/Common/AttributeNames.h"
#include "memrev/Codegen/Common/Passes.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mlir::memrev {
#define GEN_PASS_DEF_CODEGENWRAPENTRIES
#include "memrev/Codegen/Common/Passes.h.inc"
} // namespace mlir::memrev

using namespace mlir;
using namespace mlir::memrev;

/// Emits an error unless `type`, of the `index`th `what` of `func`, can cross
/// the border of a program.
static LogicalResult verifyEntryType(func::FuncOp func, Type type,
                                     StringRef what, unsigned index) {
  Type element = type;
  if (auto tensor = dyn_cast<RankedTensorType>(type)) {
    if (!tensor.hasStaticShape())
      return func.emitError() << "expects tensors of static shape at a public "
                                 "function, but got "
                              << what << " " << index << " of type " << type;
    element = tensor.getElementType();
  }
  if (!element.isIntOrIndexOrFloat())
    return func.emitError()
           << "expects scalars and ranked tensors of numbers at a public "
              "function, but got "
           << what << " " << index << " of type " << type;
  return success();
}

namespace {
class CodegenWrapEntriesPass
    : public memrev::impl::CodegenWrapEntriesBase<CodegenWrapEntriesPass> {
public:
  void runOnOperation() override {
    SmallVector<func::FuncOp> entries;
    for (auto func : getOperation().getOps<func::FuncOp>()) {
      if (func.isPublic() && !func.isExternal())
        entries.push_back(func);
    }
    SymbolTable symbols(getOperation());
    for (func::FuncOp func : entries) {
      if (failed(wrap(func, symbols)))
        return signalPassFailure();
    }
  }

private:
  LogicalResult wrap(func::FuncOp func, SymbolTable &symbols) {
    for (auto [index, type] : llvm::enumerate(func.getArgumentTypes())) {
      if (failed(verifyEntryType(func, type, "argument", index)))
        return failure();
    }
    for (auto [index, type] : llvm::enumerate(func.getResultTypes())) {
      if (failed(verifyEntryType(func, type, "result", index)))
        return failure();
    }
    OpBuilder builder(func);
    auto wrapper = cast<func::FuncOp>(builder.cloneWithoutRegions(*func));
    StringAttr name = func.getSymNameAttr();
    // Calls inside the program skip the wrapper, whose copies they do not need.
    if (failed(symbols.rename(func, (name.getValue() + ".inplace").str()))) {
      wrapper.erase();
      return func.emitError("expects a private name of the form '")
             << name.getValue() << ".inplace' to be free";
    }
    func.setPrivate();
    wrapper->setAttr(kEntryAttr, builder.getUnitAttr());

    Block *body = wrapper.addEntryBlock();
    builder.setInsertionPointToStart(body);
    auto call = func::CallOp::create(builder, func.getLoc(), func,
                                     body->getArguments());
    func::ReturnOp::create(builder, func.getLoc(), call.getResults());
    for (unsigned i = 0; i < func.getNumArguments(); ++i) {
      func.removeArgAttr(i, kDonatedAttr);
      if (!isa<TensorType>(func.getArgumentTypes()[i]))
        continue;
      bool donated = static_cast<bool>(wrapper.getArgAttr(i, kDonatedAttr));
      wrapper.setArgAttr(i,
                         bufferization::BufferizationDialect::kWritableAttrName,
                         builder.getBoolAttr(donated));
    }
    symbols.insert(wrapper);
    return success();
  }
};
} // namespace
