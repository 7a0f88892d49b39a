//===- FinalizeFunctions.cpp - Linkage, inlining and aliasing -------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Codegen/CPU/Passes.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Interfaces/LoopLikeInterface.h"

namespace mlir::memrev {
#define GEN_PASS_DEF_CODEGENFINALIZEFUNCTIONS
#include "memrev/Codegen/CPU/Passes.h.inc"
} // namespace mlir::memrev

using namespace mlir;

/// True if `func` is long and does nothing but call kernels: LLVM's optimiser
/// and scheduler, superlinear in the length of a block, would find nothing.
static bool isLongChainOfCalls(func::FuncOp func) {
  constexpr int64_t kLong = 1000;
  int64_t length = 0;
  bool computes = false;
  func.walk([&](Operation *op) {
    ++length;
    bool inLoop = op->getParentOfType<LoopLikeOpInterface>() != nullptr;
    computes |= inLoop && isa<memref::LoadOp, memref::StoreOp>(op);
    computes |= llvm::any_of(op->getResultTypes(), llvm::IsaPred<VectorType>);
  });
  return length >= kLong && !computes;
}

namespace {
class CodegenFinalizeFunctionsPass
    : public memrev::impl::CodegenFinalizeFunctionsBase<
          CodegenFinalizeFunctionsPass> {
public:
  void runOnOperation() override {
    MLIRContext *context = &getContext();
    auto internal = LLVM::LinkageAttr::get(context, LLVM::Linkage::Internal);
    auto noInline = StringAttr::get(context, "noinline");
    auto optNone = StringAttr::get(context, "optnone");
    for (auto func : getOperation().getOps<func::FuncOp>()) {
      // How buffers are used is said to bufferization; LLVM's translation warns
      // of what it does not know.
      for (unsigned i = 0; i < func.getNumArguments(); ++i)
        func.removeArgAttr(
            i, bufferization::BufferizationDialect::kBufferAccessAttrName);
      if (func.isExternal() || func.isPublic())
        continue;
      func->setAttr("llvm.linkage", internal);
      // The conversion to LLVM drops func.func's own flag.
      SmallVector<Attribute> attributes{noInline};
      if (isLongChainOfCalls(func))
        attributes.push_back(optNone);
      func->setAttr("passthrough", ArrayAttr::get(context, attributes));
      for (auto [index, type] : llvm::enumerate(func.getArgumentTypes())) {
        if (isa<MemRefType>(type))
          func.setArgAttr(index, LLVM::LLVMDialect::getNoAliasAttrName(),
                          UnitAttr::get(context));
      }
    }
  }
};
} // namespace
