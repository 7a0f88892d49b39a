//===- FlattenEmptyBuffers.cpp - Buffers without elements in calls --------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Codegen/Common/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

namespace mlir::memrev {
#define GEN_PASS_DEF_CODEGENFLATTENEMPTYBUFFERS
#include "memrev/Codegen/Common/Passes.h.inc"
} // namespace mlir::memrev

using namespace mlir;

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
struct CodegenFlattenEmptyBuffersPass
    : memrev::impl::CodegenFlattenEmptyBuffersBase<
          CodegenFlattenEmptyBuffersPass> {
  void runOnOperation() override { flattenEmptyBuffers(getOperation()); }
};
} // namespace
