//===- Absorption.cpp - What kernels repeat inside themselves -------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelGroup.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/Utils/Utils.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace mlir::memrev;

bool memrev::hasStaticTensors(Operation *op) {
  auto isStatic = [](Type type) {
    auto shaped = dyn_cast<ShapedType>(type);
    return !shaped || (isa<RankedTensorType>(type) && shaped.hasStaticShape());
  };
  return llvm::all_of(op->getOperandTypes(), isStatic) &&
         llvm::all_of(op->getResultTypes(), isStatic);
}

bool memrev::isKernelRoot(Operation *op) {
  if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op))
    return linalgOp.hasPureTensorSemantics() && hasStaticTensors(op);
  return isa<tensor::PadOp>(op) && hasStaticTensors(op);
}

bool memrev::isMultiplyAccumulate(linalg::LinalgOp op) {
  if (op.getNumDpsInputs() != 2 || op.getNumDpsInits() != 1 ||
      op.getNumReductionLoops() == 0 || op.hasIndexSemantics())
    return false;
  Block *body = op.getBlock();
  if (body->getOperations().size() != 3)
    return false;
  Operation *mul = &body->front();
  Operation *add = mul->getNextNode();
  return isa<arith::MulFOp, arith::MulIOp>(mul) &&
         isa<arith::AddFOp, arith::AddIOp>(add) &&
         llvm::is_contained(add->getOperands(), mul->getResult(0)) &&
         llvm::is_contained(add->getOperands(), body->getArgument(2)) &&
         body->getTerminator()->getOperand(0) == add->getResult(0) &&
         mul->getOperand(0) != mul->getOperand(1);
}

bool memrev::isDataMovement(Operation *op) {
  auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
  if (!linalgOp || isa<linalg::FillOp>(op) || !hasStaticTensors(op) ||
      linalgOp.getNumDpsInputs() != 1 || linalgOp.getNumDpsInits() != 1 ||
      linalgOp.getNumReductionLoops() != 0 ||
      !linalgOp.getMatchingIndexingMap(linalgOp.getDpsInitOperand(0))
           .isPermutation())
    return false;
  Block *body = linalgOp.getBlock();
  return body->getOperations().size() == 1 &&
         body->getTerminator()->getOperand(0) == body->getArgument(0);
}

static bool isConstantPad(tensor::PadOp pad) {
  Value value = pad.getConstantPaddingValue();
  Attribute constant;
  return value && matchPattern(value, m_Constant(&constant)) &&
         hasStaticTensors(pad) &&
         llvm::none_of(pad.getStaticLow(), ShapedType::isDynamic) &&
         llvm::none_of(pad.getStaticHigh(), ShapedType::isDynamic);
}

bool memrev::absorbs(Operation *consumer, OpOperand &operand) {
  Operation *producer = operand.get().getDefiningOp();
  if (!producer || isa<tensor::InsertSliceOp>(consumer))
    return false;
  // Scalars and splats cost nothing, and let equal kernels differ in no
  // argument.
  if (auto constant = dyn_cast<arith::ConstantOp>(producer))
    return !isa<ShapedType>(constant.getType()) ||
           isa<SplatElementsAttr>(constant.getValue());
  if (auto linalgOp = dyn_cast<linalg::LinalgOp>(consumer))
    if (linalgOp.isDpsInit(&operand))
      return isa<linalg::FillOp>(producer) && hasStaticTensors(producer);
  if (!hasStaticTensors(producer))
    return false;
  if (auto slice = dyn_cast<tensor::ExtractSliceOp>(producer))
    return llvm::none_of(slice.getStaticStrides(), ShapedType::isDynamic);
  if (auto pad = dyn_cast<tensor::PadOp>(producer))
    return isa<linalg::LinalgOp>(consumer) && isConstantPad(pad);
  // Views stay outside unless they would be views of a slice: a slice that
  // crosses a function boundary is copied.
  if (isa<tensor::CollapseShapeOp, tensor::ExpandShapeOp>(producer)) {
    Value source = producer->getOperand(0);
    while (auto *view = source.getDefiningOp()) {
      if (!isa<tensor::CollapseShapeOp, tensor::ExpandShapeOp>(view))
        break;
      source = view->getOperand(0);
    }
    return isa_and_present<tensor::ExtractSliceOp>(source.getDefiningOp());
  }
  if (isDataMovement(producer)) {
    auto linalgOp = dyn_cast<linalg::LinalgOp>(consumer);
    if (!linalgOp)
      return isa<tensor::ExtractSliceOp>(consumer);
    if (isDataMovement(consumer))
      return true;
    // The filter of a convolution is repacked anyway; a transposed image
    // would be walked against its layout once for every tap.
    return linalg::isaContractionOpInterface(linalgOp) ||
           (isMultiplyAccumulate(linalgOp) && operand.getOperandNumber() == 1);
  }
  return false;
}

/// Whether every kernel that this use ends up in repeats the producer. Chains
/// of views and movements are followed a few steps; longer ones become kernels.
static bool vanishes(OpOperand &use, int depth) {
  Operation *user = use.getOwner();
  if (!absorbs(user, use))
    return false;
  if (isa<linalg::LinalgOp, tensor::PadOp>(user) && !isKernelRoot(user))
    return false;
  bool passesOn = isDataMovement(user) ||
                  isa<tensor::ExtractSliceOp, tensor::CollapseShapeOp,
                      tensor::ExpandShapeOp, tensor::PadOp>(user);
  if (!passesOn)
    return isKernelRoot(user);
  return depth < 4 &&
         llvm::all_of(
             user->getUses(),
             [&](OpOperand &next) { return vanishes(next, depth + 1); });
}

bool memrev::isAlwaysAbsorbed(Operation *op) {
  if (!isa<linalg::FillOp, tensor::PadOp>(op) && !isDataMovement(op))
    return false;
  if (op->use_empty())
    return true;
  return llvm::all_of(op->getUses(),
                      [](OpOperand &use) { return vanishes(use, 0); });
}
