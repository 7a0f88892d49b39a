//===- Activity.cpp - Which values have derivatives -----------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Analysis/Activity.h"
#include "memrev/Dialect/Rev/IR/Rev.h"
#include "memrev/Interfaces/DifferentiableOpInterface.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/BuiltinDialect.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Transforms/RegionUtils.h"

using namespace mlir;
using namespace mlir::memrev;

void Activity::addRoot(Value value) { mark(value); }

/// True if values of `type` hold floats, whether or not any rule can follow
/// their gradient.
static bool holdsFloats(Type type) {
  if (isa<FloatType>(type))
    return true;
  if (auto shaped = dyn_cast<ShapedType>(type))
    return holdsFloats(shaped.getElementType());
  if (auto complex = dyn_cast<ComplexType>(type))
    return holdsFloats(complex.getElementType());
  auto tuple = dyn_cast<TupleType>(type);
  return tuple && llvm::any_of(tuple.getTypes(), holdsFloats);
}

bool Activity::mark(Value value) {
  // Nothing depends on a tensor without elements, and slices of it are invalid.
  auto tensor = dyn_cast<RankedTensorType>(value.getType());
  if (tensor && llvm::is_contained(tensor.getShape(), 0))
    return false;
  // A vector or an unranked tensor is active too, though no rule takes it: a
  // gradient through it has to be an error, not a zero.
  return holdsFloats(value.getType()) && active.insert(value).second;
}

bool Activity::isAnyActive(ValueRange values) const {
  return llvm::any_of(values, [&](Value v) { return active.contains(v); });
}

bool Activity::readsActive(Operation *op) const {
  if (isAnyActive(op->getOperands()))
    return true;
  bool found = false;
  for (Region &region : op->getRegions())
    visitUsedValuesDefinedAbove(region, [&](OpOperand *operand) {
      found |= active.contains(operand->get());
    });
  return found;
}

bool memrev::writesOnlySlices(scf::ForallOp loop) {
  return llvm::all_of(loop.getTerminator().getYieldingOps(), [](Operation &op) {
    return isa<tensor::ParallelInsertSliceOp>(op);
  });
}

/// True if all floats that regions of `op` and its results get are operands of
/// `op` and of terminators, unlike what an scf.reduce combines.
static bool handsOverOperands(RegionBranchOpInterface op) {
  llvm::SmallDenseSet<Value> received;
  auto receive = [&](OperandRange from, const RegionSuccessor &successor) {
    for (auto [operand, input] :
         llvm::zip(from, successor.getSuccessorInputs()))
      received.insert(input);
  };
  SmallVector<RegionSuccessor> successors;
  op.getSuccessorRegions(RegionBranchPoint::parent(), successors);
  for (const RegionSuccessor &successor : successors)
    receive(op.getEntrySuccessorOperands(successor), successor);
  SmallVector<Value> values(op->getResults());
  for (Region &region : op->getRegions())
    for (Block &block : region) {
      if (block.isEntryBlock())
        llvm::append_range(values, block.getArguments());
      if (block.empty())
        continue;
      auto terminator =
          dyn_cast<RegionBranchTerminatorOpInterface>(block.back());
      if (!terminator)
        continue;
      successors.clear();
      op.getSuccessorRegions(RegionBranchPoint(terminator), successors);
      for (const RegionSuccessor &successor : successors)
        receive(terminator.getSuccessorOperands(successor), successor);
    }
  return llvm::all_of(values, [&](Value value) {
    return received.contains(value) || !holdsFloats(value.getType());
  });
}

LogicalResult Activity::verifyNoWrites(Operation *root) const {
  WalkResult result = root->walk([&](Operation *op) {
    // What prints or logs a value has no memory among its operands.
    bool hasMemory = llvm::any_of(op->getOperandTypes(), [](Type type) {
      return isa<BaseMemRefType>(type) ||
             !isa<BuiltinDialect>(type.getDialect());
    });
    if (!hasMemory || !isAnyActive(op->getOperands()) || isMemoryEffectFree(op))
      return WalkResult::advance();
    op->emitError("expects programs of values where a derivative flows, but '")
        << op->getName() << "' writes to memory";
    return WalkResult::interrupt();
  });
  return failure(result.wasInterrupted());
}

void Activity::propagate(Block &block) {
  for (Operation &op : block)
    propagate(&op);
}

void Activity::propagate(Operation *op) {
  if (auto rule = dyn_cast<DifferentiableOpInterface>(op))
    if (rule.isInactive() && !(isOfValues && isa<rev::StopGradientOp>(op)))
      return;
  if (op->getNumRegions() == 0) {
    if (isAnyActive(op->getOperands()))
      for (Value result : op->getResults())
        mark(result);
    return;
  }

  if (isa<linalg::LinalgOp>(op)) {
    Block &body = op->getRegion(0).front();
    for (auto [operand, arg] :
         llvm::zip_first(op->getOperands(), body.getArguments()))
      if (active.contains(operand))
        mark(arg);
    // What a reduction folds into its running value makes that active, whatever
    // it started from.
    auto linalgOp = cast<linalg::LinalgOp>(op);
    for (bool changed = true; changed;) {
      changed = false;
      propagate(body);
      if (linalgOp.getNumReductionLoops() == 0)
        break;
      for (auto [arg, yielded] :
           llvm::zip_equal(linalgOp.getRegionOutputArgs(),
                           body.getTerminator()->getOperands()))
        if (active.contains(yielded))
          changed |= mark(arg);
    }
    if (readsActive(op))
      for (Value result : op->getResults())
        mark(result);
    return;
  }

  if (auto coupling = dyn_cast<rev::CouplingOp>(op)) {
    Block &body = coupling.getBody().front();
    for (auto [given, arg] :
         llvm::zip_equal(coupling.getGiven(), body.getArguments()))
      if (active.contains(given))
        mark(arg);
    propagate(body);
    if (active.contains(coupling.getCoupled()) ||
        isAnyActive(coupling.getParameters())) {
      mark(coupling.getResult());
      if (coupling.getLogDet())
        mark(coupling.getLogDet());
    }
    for (auto [yielded, result] : llvm::zip_equal(
             coupling.getYieldedAuxiliary(), coupling.getAuxiliary()))
      if (active.contains(yielded))
        mark(result);
    return;
  }

  if (auto loop = dyn_cast<scf::ForallOp>(op))
    if (writesOnlySlices(loop))
      return propagate(loop);
  if (auto branch = dyn_cast<RegionBranchOpInterface>(op))
    if (handsOverOperands(branch))
      return propagate(branch);

  // An operation of whose regions nothing is known.
  if (!readsActive(op))
    return;
  for (Region &region : op->getRegions())
    for (Block &block : region) {
      for (Value arg : block.getArguments())
        mark(arg);
      propagate(block);
    }
  for (Value result : op->getResults())
    mark(result);
}

void Activity::propagate(RegionBranchOpInterface op) {
  // A state that starts as a constant becomes active in the first iteration
  // that mixes something active into it, so what regions hand to each other is
  // followed until nothing changes.
  for (bool changed = true; changed;) {
    changed = false;
    auto follow = [&](OperandRange from, const RegionSuccessor &successor) {
      for (auto [operand, input] :
           llvm::zip(from, successor.getSuccessorInputs()))
        if (active.contains(operand))
          changed |= mark(input);
    };
    SmallVector<RegionSuccessor> successors;
    op.getSuccessorRegions(RegionBranchPoint::parent(), successors);
    for (const RegionSuccessor &successor : successors)
      follow(op.getEntrySuccessorOperands(successor), successor);
    for (Region &region : op->getRegions())
      for (Block &block : region) {
        // Branches between blocks have no rule: all that they could hand over
        // counts, so that a gradient through them is an error.
        if (!block.isEntryBlock() && readsActive(op))
          for (Value arg : block.getArguments())
            changed |= mark(arg);
        propagate(block);
        if (block.empty())
          continue;
        auto terminator =
            dyn_cast<RegionBranchTerminatorOpInterface>(block.back());
        if (!terminator)
          continue;
        successors.clear();
        op.getSuccessorRegions(RegionBranchPoint(terminator), successors);
        for (const RegionSuccessor &successor : successors)
          follow(terminator.getSuccessorOperands(successor), successor);
      }
  }
}

void Activity::propagate(scf::ForallOp loop) {
  for (bool changed = true; changed;) {
    changed = false;
    auto share = [&](OpOperand &output) {
      changed |= mark(loop.getTiedBlockArgument(&output));
      mark(loop.getTiedOpResult(&output));
    };
    for (OpOperand &output : loop.getOutputsMutable())
      if (active.contains(output.get()))
        share(output);
    propagate(*loop.getBody());
    for (Operation &yielding : loop.getTerminator().getYieldingOps()) {
      auto insert = dyn_cast<tensor::ParallelInsertSliceOp>(yielding);
      if (insert && active.contains(insert.getSource()))
        share(*loop.getTiedOpOperand(cast<BlockArgument>(insert.getDest())));
    }
  }
}
