//===- FinalizeFunctions.cpp - Linkage, inlining and aliasing -------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Codegen/CPU/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
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

/// Casts `buffer`, which has no elements, to `type`.
static Value castEmpty(OpBuilder &builder, Location loc, Value buffer,
                       MemRefType type) {
  SmallVector<int64_t> strides;
  int64_t offset = 0;
  // Buffers at the borders of functions are contiguous. What MLIR knows of
  // their strides has a hole where an extent is 0.
  (void)type.getStridesAndOffset(strides, offset);
  SmallVector<OpFoldResult> mixed;
  for (int64_t stride : strides) {
    if (ShapedType::isDynamic(stride))
      mixed.push_back(
          arith::ConstantIndexOp::create(builder, loc, 0).getResult());
    else
      mixed.push_back(builder.getIndexAttr(stride));
  }
  return memref::ReinterpretCastOp::create(
      builder, loc, type, buffer, builder.getIndexAttr(0),
      getAsIndexOpFoldResult(builder.getContext(), type.getShape()), mixed);
}

/// The conversion of functions to LLVM passes over those with a buffer whose
/// strides are not known, as those of some without elements are not, and leaves
/// their callers with another calling convention. Such a buffer is handed over
/// as one dimension.
static void flattenEmptyBuffers(ModuleOp module) {
  auto isEmpty = [](Type type) {
    auto memref = dyn_cast<MemRefType>(type);
    return memref && memref.hasStaticShape() && memref.getRank() > 1 &&
           memref.getNumElements() == 0;
  };
  auto flatten = [](Type type) {
    auto memref = cast<MemRefType>(type);
    return MemRefType::get({0}, memref.getElementType(), AffineMap(),
                           memref.getMemorySpace());
  };
  for (auto func : module.getOps<func::FuncOp>()) {
    SmallVector<Type> inputs(func.getArgumentTypes());
    for (auto [i, type] : llvm::enumerate(inputs)) {
      if (!isEmpty(type))
        continue;
      auto from = cast<MemRefType>(type);
      type = flatten(from);
      if (func.isExternal())
        continue;
      BlockArgument argument = func.getArgument(i);
      argument.setType(type);
      OpBuilder builder = OpBuilder::atBlockBegin(&func.getBody().front());
      Value now = castEmpty(builder, func.getLoc(), argument, from);
      argument.replaceAllUsesExcept(now, now.getDefiningOp());
    }
    func.setFunctionType(
        FunctionType::get(module.getContext(), inputs, func.getResultTypes()));
  }
  module.walk([&](func::CallOp call) {
    OpBuilder builder(call);
    for (OpOperand &operand : call->getOpOperands())
      if (isEmpty(operand.get().getType()))
        operand.set(castEmpty(builder, call.getLoc(), operand.get(),
                              flatten(operand.get().getType())));
  });
}

namespace {
class CodegenFinalizeFunctionsPass
    : public memrev::impl::CodegenFinalizeFunctionsBase<
          CodegenFinalizeFunctionsPass> {
public:
  void runOnOperation() override {
    flattenEmptyBuffers(getOperation());
    MLIRContext *context = &getContext();
    auto internal = LLVM::LinkageAttr::get(context, LLVM::Linkage::Internal);
    auto noInline = StringAttr::get(context, "noinline");
    auto optNone = StringAttr::get(context, "optnone");
    for (auto func : getOperation().getOps<func::FuncOp>()) {
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
