//===- CopyConstants.cpp - Copy constants that control flow carries -------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

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

namespace {
struct GPUCopyConstants : memrev::impl::GPUCopyConstantsBase<GPUCopyConstants> {
  void runOnOperation() override {
    SmallVector<OpOperand *> carried;
    getOperation().walk([&](Operation *op) {
      if (!carriesOperands(op))
        return;
      for (OpOperand &operand : op->getOpOperands())
        if (isa<RankedTensorType>(operand.get().getType()) &&
            isOfConstant(operand.get()))
          carried.push_back(&operand);
    });
    for (OpOperand *operand : carried) {
      Operation *op = operand->getOwner();
      OpBuilder builder(op);
      Value source = operand->get();
      Value empty = tensor::EmptyOp::create(
          builder, op->getLoc(),
          tensor::getMixedSizes(builder, op->getLoc(), source),
          getElementTypeOrSelf(source));
      operand->set(linalg::CopyOp::create(builder, op->getLoc(), source, empty)
                       .getResult(0));
    }
  }
};
} // namespace
