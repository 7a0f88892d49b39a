//===- VerifyStage.cpp - Contracts between stages -------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Codegen/Common/AttributeNames.h"
#include "memrev/Codegen/Common/ByteSize.h"
#include "memrev/Codegen/Common/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

namespace mlir::memrev {
#define GEN_PASS_DEF_CODEGENVERIFYSTAGE
#include "memrev/Codegen/Common/Passes.h.inc"
} // namespace mlir::memrev

using namespace mlir;
using namespace mlir::memrev;

/// Whether `op` belongs to the rev dialect, which this layer does not include.
static bool isRevOp(Operation *op) {
  return op->getName().getDialectNamespace() == "rev";
}

/// Extents are multiplied on the way; before anything wraps around, this is an
/// error.
static LogicalResult verifySizes(Operation *op) {
  auto verify = [&](Type type) -> LogicalResult {
    auto shaped = dyn_cast<ShapedType>(type);
    if (!shaped || !shaped.hasRank() ||
        getStaticBytes(shaped, getElementBytes(shaped.getElementType())))
      return success();
    return op->emitOpError("expects types of less than 2^48 bytes, but got ")
           << type;
  };
  for (Type type : op->getResultTypes())
    if (failed(verify(type)))
      return failure();
  for (Region &region : op->getRegions())
    for (Block &block : region)
      for (Type type : block.getArgumentTypes())
        if (failed(verify(type)))
          return failure();
  if (auto func = dyn_cast<func::FuncOp>(op))
    for (Type type : func.getFunctionType().getInputs())
      if (failed(verify(type)))
        return failure();
  return success();
}

static LogicalResult verifyDifferentiated(Operation *op) {
  if (failed(verifySizes(op)))
    return failure();
  if (!isRevOp(op))
    return success();
  StringRef name = op->getName().stripDialect();
  for (StringRef transform :
       {"vjp", "jvp", "value_and_grad", "inverse", "log_det"}) {
    if (name == transform)
      return op->emitOpError("expects to be expanded by the differentiate "
                             "stage, but is still there");
  }
  return success();
}

static LogicalResult verifyLowered(Operation *op) {
  if (failed(verifySizes(op)))
    return failure();
  if (isRevOp(op))
    return op->emitOpError(
        "expects to be lowered by the lower stage, but is still there");
  return success();
}

static LogicalResult verifyScheduled(Operation *op) {
  if (failed(verifyLowered(op)))
    return failure();
  auto func = dyn_cast<func::FuncOp>(op);
  if (func && func->hasAttr(kKernelAttr) && func.isPublic())
    return func.emitOpError("expects a kernel to be private");
  return success();
}

static LogicalResult verifyBufferized(Operation *op) {
  auto isTensor = [](Type type) { return isa<TensorType>(type); };
  for (Type type : op->getResultTypes()) {
    if (isTensor(type))
      return op->emitOpError("expects no tensor after the bufferize stage, but "
                             "got ")
             << type;
  }
  if (auto func = dyn_cast<func::FuncOp>(op)) {
    for (Type type : func.getArgumentTypes()) {
      if (isTensor(type))
        return op->emitOpError("expects no tensor after the bufferize stage, "
                               "but got ")
               << type;
    }
  }
  if (isa<memref::AllocOp, memref::ReallocOp, memref::DeallocOp>(op))
    return op->emitOpError("expects every buffer to have a place in the arena "
                           "after the bufferize stage");
  return success();
}

static LogicalResult verifyBinary(Operation *op) {
  auto function = dyn_cast<LLVM::LLVMFuncOp>(op);
  if (function && function.isExternal() &&
      llvm::is_contained({"malloc", "aligned_alloc", "free"},
                         function.getName()))
    return op->emitOpError("expects programs to work in their arena, but got "
                           "one that calls this");
  if (isa<ModuleOp, gpu::BinaryOp>(op) ||
      isa_and_nonnull<LLVM::LLVMDialect>(op->getDialect()))
    return success();
  // OpenMP's constructs are the one dialect that becomes LLVM only on
  // translation.
  if (op->getName().getDialectNamespace() == "omp")
    return success();
  return op->emitOpError("expects only LLVM and device binaries after the "
                         "binary stage");
}

namespace {
class CodegenVerifyStagePass
    : public memrev::impl::CodegenVerifyStageBase<CodegenVerifyStagePass> {
public:
  using CodegenVerifyStageBase::CodegenVerifyStageBase;

  void runOnOperation() override {
    using Check = LogicalResult (*)(Operation *);
    Check check = llvm::StringSwitch<Check>(stage.getValue())
                      .Case("input", verifySizes)
                      .Case("differentiate", verifyDifferentiated)
                      .Case("lower", verifyLowered)
                      .Case("schedule", verifyScheduled)
                      .Case("bufferize", verifyBufferized)
                      .Case("binary", verifyBinary)
                      .Default(nullptr);
    if (!check) {
      getOperation().emitError("expects a stage input, differentiate, lower, "
                               "schedule, bufferize or binary, but got '")
          << stage << "'";
      return signalPassFailure();
    }
    WalkResult result = getOperation().walk([&](Operation *op) {
      return failed(check(op)) ? WalkResult::interrupt()
                               : WalkResult::advance();
    });
    if (result.wasInterrupted())
      signalPassFailure();
    else
      markAllAnalysesPreserved();
  }
};
} // namespace
