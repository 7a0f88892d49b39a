//===- CarriedTensors.cpp - What the regions of loops carry ---------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CarriedTensors.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mlir::memrev;

static void addCarried(ArrayRef<BlockArgument> arguments,
                       MutableArrayRef<OpOperand> operands,
                       SmallVectorImpl<CarriedTensors> &all) {
  CarriedTensors tensors;
  for (auto [argument, operand] : llvm::zip(arguments, operands)) {
    if (!isa<RankedTensorType>(argument.getType()) ||
        argument.getType() != operand.get().getType())
      continue;
    tensors.carried.push_back(argument);
    tensors.yielded.push_back(&operand);
  }
  if (!tensors.carried.empty())
    all.push_back(std::move(tensors));
}

SmallVector<CarriedTensors> memrev::getCarriedTensors(Operation *loop) {
  SmallVector<CarriedTensors> all;
  if (auto forOp = dyn_cast<scf::ForOp>(loop)) {
    addCarried(forOp.getRegionIterArgs(),
               forOp.getYieldedValuesMutable().value(), all);
  } else if (auto whileOp = dyn_cast<scf::WhileOp>(loop)) {
    addCarried(whileOp.getBeforeArguments(),
               whileOp.getConditionOp().getArgsMutable(), all);
    addCarried(whileOp.getAfterArguments(),
               whileOp.getYieldOp()->getOpOperands(), all);
  }
  return all;
}
