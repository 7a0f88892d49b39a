//===- Recomputation.cpp - Which values are evaluated again ---------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Analysis/Recomputation.h"
#include "BlockPlan.h"
#include "mlir/IR/BuiltinAttributes.h"

using namespace mlir;
using namespace mlir::memrev;

bool memrev::isRecomputed(Value value) {
  auto result = dyn_cast<OpResult>(value);
  if (!result)
    return false;
  auto numbers =
      result.getOwner()->getAttrOfType<DenseI64ArrayAttr>(kRecomputeAttrName);
  return numbers && llvm::is_contained(numbers.asArrayRef(),
                                       int64_t(result.getResultNumber()));
}

void memrev::setRecomputed(OpResult result) {
  if (isRecomputed(result))
    return;
  Operation *op = result.getOwner();
  SmallVector<int64_t> numbers{result.getResultNumber()};
  if (auto known = op->getAttrOfType<DenseI64ArrayAttr>(kRecomputeAttrName))
    llvm::append_range(numbers, known.asArrayRef());
  llvm::sort(numbers);
  op->setAttr(kRecomputeAttrName,
              DenseI64ArrayAttr::get(op->getContext(), numbers));
}

void memrev::planRecomputation(Block &block, const Activity &activity,
                               bool lowersPeak) {
  BlockPlan plan(block, activity, isTapedLoop(block.getParentOp()));
  plan.run(lowersPeak);
  plan.write();
}
