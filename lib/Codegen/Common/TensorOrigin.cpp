//===- TensorOrigin.cpp - Where the buffer of a tensor comes from ---------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Codegen/Common/TensorOrigin.h"
#include "memrev/Codegen/Common/DeclaredKernel.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"
#include "mlir/Interfaces/LoopLikeInterface.h"

using namespace mlir;
using namespace mlir::memrev;

bool memrev::isTensorView(Operation *op) {
  return isa<tensor::CastOp, tensor::CollapseShapeOp, tensor::ExpandShapeOp,
             tensor::ExtractSliceOp>(op);
}

OpOperand *TensorOrigin::getTiedOperand(OpResult result) {
  Operation *op = result.getOwner();
  if (auto insert = dyn_cast<tensor::InsertSliceOp>(op))
    return &insert.getDestMutable();
  // Reshapes have the buffer of their source, whole.
  if (isa<tensor::CastOp, tensor::CollapseShapeOp, tensor::ExpandShapeOp>(op))
    return &op->getOpOperand(0);
  if (auto dps = dyn_cast<DestinationStyleOpInterface>(op))
    return dps.getTiedOpOperand(result);
  if (isa<scf::ForOp, scf::ForallOp>(op))
    return cast<LoopLikeOpInterface>(op).getTiedLoopInit(result);
  if (auto call = dyn_cast<func::CallOp>(op)) {
    auto callee = symbols.lookupNearestSymbolFrom<func::FuncOp>(
        call, call.getCalleeAttr());
    if (!callee)
      return nullptr;
    ArrayRef<int64_t> tied = getTiedArguments(callee);
    unsigned number = result.getResultNumber();
    if (number < tied.size() && tied[number] >= 0)
      return &call->getOpOperand(tied[number]);
  }
  return nullptr;
}

Value TensorOrigin::getBranchOrigin(OpResult result) {
  Value common;
  for (Region &region : result.getOwner()->getRegions()) {
    if (!region.hasOneBlock())
      return {};
    Value yielded =
        region.front().getTerminator()->getOperand(result.getResultNumber());
    Value origin = trace(yielded);
    if (common && origin != common)
      return {};
    common = origin;
  }
  // What a region makes has no place outside of it.
  bool isOutside = common && !result.getOwner()->isAncestor(
                                 common.getParentRegion()->getParentOp());
  return isOutside ? common : Value();
}

Value TensorOrigin::getWhileOrigin(scf::WhileOp loop, unsigned number) {
  auto passed =
      dyn_cast<BlockArgument>(loop.getConditionOp().getArgs()[number]);
  if (!passed || passed.getOwner() != loop.getBeforeBody())
    return {};
  unsigned carried = passed.getArgNumber();
  if (trace(loop.getYieldOp().getOperand(carried)) !=
      loop.getAfterArguments()[number])
    return {};
  return loop.getInits()[carried];
}

Value TensorOrigin::trace(Value value) {
  while (auto result = dyn_cast<OpResult>(value)) {
    Value origin;
    if (isa<scf::IfOp, scf::IndexSwitchOp>(result.getOwner()))
      origin = getBranchOrigin(result);
    else if (auto loop = dyn_cast<scf::WhileOp>(result.getOwner()))
      origin = getWhileOrigin(loop, result.getResultNumber());
    else if (OpOperand *tied = getTiedOperand(result))
      origin = tied->get();
    if (!origin)
      break;
    value = origin;
  }
  return value;
}

ArrayRef<int64_t> TensorOrigin::getTiedArguments(func::FuncOp func) {
  auto it = tiedArguments.find(func);
  if (it != tiedArguments.end())
    return it->second;
  // A recursive function finds this entry and ties nothing.
  tiedArguments[func] = {};
  SmallVector<int64_t> tied;
  if (isDeclaredKernel(func)) {
    for (unsigned result = 0; result < func.getNumResults(); ++result)
      tied.push_back(getDestinationArgument(func, result));
  } else if (!func.isExternal() && func.getBody().hasOneBlock()) {
    for (Value returned : func.front().getTerminator()->getOperands()) {
      auto argument = dyn_cast<BlockArgument>(trace(returned));
      bool isOfEntry = argument && argument.getOwner() == &func.front();
      tied.push_back(isOfEntry ? int64_t(argument.getArgNumber()) : -1);
    }
  }
  return tiedArguments[func] = std::move(tied);
}
