//===- CopyConstants.cpp - Copy constants that control flow carries -------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CopyConstants.h"
#include "memrev/Codegen/GPU/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace mlir::memrev {
#define GEN_PASS_DEF_GPUCOPYCONSTANTS
#include "memrev/Codegen/GPU/Passes.h.inc"
} // namespace mlir::memrev

using namespace mlir;

/// Returns true if `value` is a constant or a part of one.
static bool isOfConstant(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (isa<arith::ConstantOp>(op))
      return true;
    if (!isa<tensor::CastOp, tensor::CollapseShapeOp, tensor::ExpandShapeOp,
             tensor::ExtractSliceOp>(op))
      return false;
    value = op->getOperand(0);
  }
  return false;
}

/// Returns true if operands of `op` become other values, whose users do not see
/// where they are from.
static bool carriesOperands(Operation *op) {
  return isa<scf::SCFDialect>(op->getDialect()) || isa<arith::SelectOp>(op);
}

void memrev::copyIfConstant(OpOperand &operand) {
  Value source = operand.get();
  if (!isa<RankedTensorType>(source.getType()) || !isOfConstant(source))
    return;
  OpBuilder builder(operand.getOwner());
  Location loc = operand.getOwner()->getLoc();
  Value empty = tensor::EmptyOp::create(
      builder, loc, tensor::getMixedSizes(builder, loc, source),
      getElementTypeOrSelf(source));
  operand.set(linalg::CopyOp::create(builder, loc, source, empty).getResult(0));
}

namespace {
struct GPUCopyConstants : memrev::impl::GPUCopyConstantsBase<GPUCopyConstants> {
  void runOnOperation() override {
    SmallVector<Operation *> carriers;
    getOperation().walk([&](Operation *op) {
      if (carriesOperands(op))
        carriers.push_back(op);
    });
    for (Operation *op : carriers)
      for (OpOperand &operand : op->getOpOperands())
        memrev::copyIfConstant(operand);
  }
};
} // namespace
