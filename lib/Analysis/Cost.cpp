//===- Cost.cpp - What operations cost to evaluate ------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Analysis/Cost.h"
#include "memrev/Dialect/Rev/IR/Rev.h"
#include "memrev/Interfaces/DifferentiableOpInterface.h"
#include "memrev/Interfaces/TripCount.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Interfaces/CallInterfaces.h"
#include "mlir/Interfaces/LoopLikeInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;
using namespace mlir::memrev;

bool memrev::isCheap(Operation *op) {
  if (op->hasTrait<OpTrait::ConstantLike>())
    return true;
  if (auto rule = dyn_cast<DifferentiableOpInterface>(op))
    if (rule.isCheapToRecompute())
      return true;
  // Index arithmetic.
  return op->getNumRegions() == 0 && isPure(op) &&
         llvm::none_of(op->getResultTypes(), [](Type type) {
           return isa<ShapedType>(type) || rev::isDifferentiable(type);
         });
}

bool memrev::isElementwise(Operation *op) {
  if (isCheap(op))
    return true;
  if (auto structured = dyn_cast<linalg::LinalgOp>(op))
    return structured.hasPureTensorSemantics() &&
           structured.getNumReductionLoops() == 0;
  return isa<tensor::PadOp, tensor::ConcatOp>(op) ||
         (op->hasTrait<OpTrait::Elementwise>() && isPure(op));
}

bool memrev::isExpensive(Operation *op) {
  if (isa<LoopLikeOpInterface, CallOpInterface, rev::CouplingOp>(op))
    return true;
  auto structured = dyn_cast<linalg::LinalgOp>(op);
  return structured && (linalg::isaContractionOpInterface(structured) ||
                        linalg::isaConvolutionOpInterface(structured));
}

static int64_t multiply(int64_t x, int64_t y) {
  return std::min<uint64_t>(llvm::SaturatingMultiply<uint64_t>(x, y),
                            std::numeric_limits<int64_t>::max() / 4);
}

int64_t memrev::getApproximateBytes(Type type) {
  // Of dynamic extents nothing is known but that they are worth naming.
  constexpr int64_t dynamicExtent = 64;
  int64_t elements = 1;
  if (auto tensor = dyn_cast<RankedTensorType>(type))
    for (int64_t size : tensor.getShape())
      elements = multiply(elements,
                          ShapedType::isDynamic(size) ? dynamicExtent : size);
  Type element = getElementTypeOrSelf(type);
  if (auto complexType = dyn_cast<ComplexType>(element)) {
    elements = multiply(elements, 2);
    element = complexType.getElementType();
  }
  bool hasWidth = element.isIntOrFloat();
  return multiply(elements,
                  hasWidth ? (element.getIntOrFloatBitWidth() + 7) / 8 : 8);
}

int64_t memrev::getApproximateWork(Operation *op) {
  if (auto structured = dyn_cast<linalg::LinalgOp>(op)) {
    int64_t work = 1;
    for (int64_t extent : structured.getStaticLoopRanges())
      work = multiply(work, ShapedType::isDynamic(extent) ? 64 : extent);
    return work;
  }
  int64_t work = 0;
  for (Region &region : op->getRegions())
    for (Block &block : region)
      for (Operation &inner : block)
        work += getApproximateWork(&inner);
  if (auto loop = dyn_cast<scf::ForOp>(op))
    work = multiply(work, getConstantTripCount(loop).value_or(64));
  return work;
}

bool memrev::hasGrowingDerivative(Operation *op,
                                  function_ref<bool(Value)> isActive) {
  if (!isa<linalg::LinalgOp>(op) || !isExpensive(op))
    return false;
  int64_t taken = 0, made = 0;
  for (Type type : op->getResultTypes())
    taken += getApproximateBytes(type);
  for (Value operand : op->getOperands())
    if (operand.getDefiningOp() && isActive(operand))
      made += getApproximateBytes(operand.getType());
  return made > taken && made >= kMinPlannedBytes;
}
