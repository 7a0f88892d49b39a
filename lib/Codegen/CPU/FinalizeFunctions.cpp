//===- FinalizeFunctions.cpp - Linkage, inlining and aliasing -------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Codegen/CPU/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

namespace mlir::memrev {
#define GEN_PASS_DEF_CODEGENFINALIZEFUNCTIONS
#include "memrev/Codegen/CPU/Passes.h.inc"
} // namespace mlir::memrev

using namespace mlir;

namespace {
class CodegenFinalizeFunctionsPass
    : public memrev::impl::CodegenFinalizeFunctionsBase<
          CodegenFinalizeFunctionsPass> {
public:
  void runOnOperation() override {
    MLIRContext *context = &getContext();
    auto internal = LLVM::LinkageAttr::get(context, LLVM::Linkage::Internal);
    auto noInline =
        ArrayAttr::get(context, StringAttr::get(context, "noinline"));
    for (auto func : getOperation().getOps<func::FuncOp>()) {
      if (func.isExternal() || func.isPublic())
        continue;
      func->setAttr("llvm.linkage", internal);
      // The conversion to LLVM drops func.func's own flag.
      func->setAttr("passthrough", noInline);
      for (auto [index, type] : llvm::enumerate(func.getArgumentTypes())) {
        if (isa<MemRefType>(type))
          func.setArgAttr(index, LLVM::LLVMDialect::getNoAliasAttrName(),
                          UnitAttr::get(context));
      }
    }
  }
};
} // namespace
