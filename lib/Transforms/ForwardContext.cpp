//===- ForwardContext.cpp - Forward mode over a program -------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ForwardContext.h"
#include "Accumulation.h"
#include "memrev/Dialect/Rev/IR/Rev.h"
#include "memrev/Interfaces/DifferentiableOpInterface.h"
#include "memrev/Interfaces/ForwardDifferentiableOpInterface.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using namespace mlir::memrev;

void ForwardContext::addRoot(Value value, Value tangent) {
  activity.addRoot(value);
  tangents[value] = tangent;
}

Value ForwardContext::tangentOrZero(Value value) {
  if (Value known = tangent(value))
    return known;
  return zero(value.getType(), value, value.getLoc());
}

void ForwardContext::setTangent(Value value, Value tangent) {
  if (!tangent) {
    tangents.erase(value);
    activity.forget(value);
    return;
  }
  activity.addRoot(value);
  OpBuilder::InsertionGuard guard(builder);
  if (tangent.getType() != value.getType())
    builder.setInsertionPointAfterValue(tangent);
  tangents[value] = castToType(builder, tangent, value.getType());
}

void ForwardContext::addTangent(Value value, Value contribution) {
  Value sum = tangent(value);
  // A tangent may be read by anybody, so it is never overwritten.
  setTangent(value, sum ? createSum(builder, sum, contribution,
                                    /*inPlace=*/false)
                        : contribution);
}

Value ForwardContext::zero(Type type, Value like, Location loc) {
  return createZero(builder, loc, type, like);
}

LogicalResult ForwardContext::differentiate(Block &block) {
  OpBuilder::InsertionGuard guard(builder);
  SmallVector<Operation *> ops;
  for (Operation &op : block)
    ops.push_back(&op);
  for (Operation *op : ops)
    if (!op->hasTrait<OpTrait::IsTerminator>() && failed(differentiate(op)))
      return failure();
  return success();
}

LogicalResult ForwardContext::differentiate(Operation *op) {
  // An active value has no tangent if what it depends on turned out to have
  // none.
  auto hasTangent = [&](Value v) { return static_cast<bool>(tangent(v)); };
  bool needed = llvm::any_of(op->getOperands(), hasTangent);
  if (!needed)
    visitUsedValuesDefinedAbove(op->getRegions(), [&](OpOperand *operand) {
      needed |= hasTangent(operand->get());
    });
  if (!needed)
    return success();
  if (auto stop = dyn_cast<rev::StopGradientOp>(op); stop && isOfValues) {
    setTangent(stop.getResult(), tangent(stop.getInput()));
    return success();
  }
  if (auto rule = dyn_cast<DifferentiableOpInterface>(op))
    if (rule.isInactive())
      return success();
  // Nobody asks for the tangents of unused results.
  if (op->getNumResults() != 0 && op->use_empty())
    return success();
  // Predicates and sizes have no tangents.
  if (llvm::none_of(op->getResults(), [&](Value v) { return isActive(v); }) &&
      op->getNumRegions() == 0)
    return success();
  if (failed(verifyTypes(op, [&](Value v) { return isActive(v); }, "tangent")))
    return failure();
  auto rule = dyn_cast<ForwardDifferentiableOpInterface>(op);
  if (!rule)
    return op->emitError("expects operations with a forward-mode rule where a "
                         "tangent flows, but '")
           << op->getName() << "' has none";
  builder.setInsertionPointAfter(op);
  return rule.buildJVP(*this);
}

void ForwardContext::replace(Operation *op, ValueRange results) {
  for (auto [from, to] : llvm::zip_first(op->getResults(), results)) {
    if (isActive(from))
      activity.addRoot(to);
    from.replaceAllUsesWith(to);
  }
  op->remove();
  op->dropAllReferences();
  replaced.push_back(op);
}

ForwardContext::~ForwardContext() {
  for (Operation *op : replaced)
    op->destroy();
}
