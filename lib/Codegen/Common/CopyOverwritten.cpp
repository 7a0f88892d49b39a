//===- CopyOverwritten.cpp - Copy what is read behind its overwriting -----===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CarriedTensors.h"
#include "memrev/Codegen/Common/Passes.h"
#include "memrev/Codegen/Common/TensorOrigin.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/MapVector.h"

namespace mlir::memrev {
#define GEN_PASS_DEF_CODEGENCOPYOVERWRITTEN
#include "memrev/Codegen/Common/Passes.h.inc"
} // namespace mlir::memrev

using namespace mlir;
using namespace mlir::memrev;

static bool isBranch(Operation *op) {
  return isa<scf::IfOp, scf::IndexSwitchOp>(op);
}

/// Returns the first operation of `block` that, or something in whose regions,
/// updates `source` on the way to `value`; null if nothing does.
static Operation *getFirstUpdate(Block *block, Value value, Value source,
                                 TensorOrigin &origin) {
  Operation *first = nullptr;
  while (value != source) {
    auto result = dyn_cast<OpResult>(value);
    Operation *here =
        result ? block->findAncestorOpInBlock(*result.getOwner()) : nullptr;
    if (!here)
      return first;
    Operation *op = result.getOwner();
    if (isBranch(op)) {
      Operation *earliest = nullptr;
      for (Region &region : op->getRegions()) {
        Value yielded = region.front().getTerminator()->getOperand(
            result.getResultNumber());
        Operation *update = getFirstUpdate(block, yielded, source, origin);
        if (update && (!earliest || update->isBeforeInBlock(earliest)))
          earliest = update;
      }
      return earliest ? earliest : first;
    }
    OpOperand *tied = origin.getTiedOperand(result);
    if (!tied)
      return isa<scf::WhileOp>(op) ? here : nullptr;
    if (!isTensorView(op))
      first = here;
    value = tied->get();
  }
  return first;
}

/// Whether a result of the operation of `use` takes the place of the tensor.
static bool takesPlaceOf(OpOperand &use, TensorOrigin &origin) {
  Operation *op = use.getOwner();
  if (isa<scf::WhileOp>(op)) {
    unsigned number = use.getOperandNumber();
    return number < op->getNumResults() &&
           origin.trace(op->getResult(number)) == origin.trace(use.get());
  }
  return llvm::any_of(op->getResults(), [&](OpResult result) {
    return origin.getTiedOperand(result) == &use;
  });
}

/// Whether the operation of `use` needs what is in the tensor.
static bool isRead(OpOperand &use) {
  Operation *op = use.getOwner();
  if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op))
    return linalgOp.payloadUsesValueFromOperand(&use);
  if (auto materialize =
          dyn_cast<bufferization::MaterializeInDestinationOp>(op))
    return use != materialize.getDestMutable();
  return !isa<tensor::DimOp>(op);
}

/// Whether the operation of `use` reads the tensor, which it overwrites, only
/// where it writes.
static bool isReadInPlace(OpOperand &use) {
  auto op = dyn_cast<linalg::LinalgOp>(use.getOwner());
  return op && op.getNumParallelLoops() == op.getNumLoops() &&
         llvm::is_contained(op.getDpsInits(), use.get()) &&
         llvm::all_of(op.getIndexingMapsArray(),
                      [](AffineMap map) { return map.isIdentity(); });
}

/// Copies `source`, and views of it, for what reads them in `block` when the
/// operation `first` has overwritten them.
static void copyForReadersBehind(Operation *first, Block *block, Value source,
                                 TensorOrigin &origin) {
  llvm::MapVector<Value, SmallVector<OpOperand *>> late;
  SmallVector<Value> pending{source};
  llvm::SmallDenseSet<Value> visited;
  while (!pending.empty()) {
    Value tensor = pending.pop_back_val();
    if (!visited.insert(tensor).second)
      continue;
    for (OpOperand &use : tensor.getUses()) {
      Operation *user = use.getOwner();
      Operation *here = block->findAncestorOpInBlock(*user);
      if (here && here != first && first->isBeforeInBlock(here)) {
        if (isRead(use) && !here->hasTrait<OpTrait::IsTerminator>())
          late[tensor].push_back(&use);
      } else if (user == first) {
        if (!takesPlaceOf(use, origin) && isRead(use) && !isReadInPlace(use))
          late[tensor].push_back(&use);
      } else if (isTensorView(user)) {
        pending.push_back(user->getResult(0));
      } else if (isa<scf::YieldOp>(user) && isBranch(user->getParentOp()) &&
                 here != first) {
        pending.push_back(
            user->getParentOp()->getResult(use.getOperandNumber()));
      }
    }
  }
  for (auto &[tensor, uses] : late) {
    OpBuilder builder(block->getParentOp()->getContext());
    builder.setInsertionPointAfterValue(tensor);
    Value copy = bufferization::AllocTensorOp::create(
        builder, tensor.getLoc(), cast<RankedTensorType>(tensor.getType()),
        /*dynamicSizes=*/ValueRange(), /*copy=*/tensor);
    for (OpOperand *use : uses)
      use->set(copy);
  }
}

/// The same for each update on the way from `source` to `value`, but in
/// branches and in while loops: the first one there.
static void copyForLateReaders(Block *block, Value value, Value source,
                               TensorOrigin &origin) {
  Operation *first = getFirstUpdate(block, value, source, origin);
  if (!first)
    return;
  Operation *update = nullptr;
  for (Value now = value; now != source;) {
    auto result = dyn_cast<OpResult>(now);
    OpOperand *tied = result && result.getOwner()->getBlock() == block
                          ? origin.getTiedOperand(result)
                          : nullptr;
    if (!tied)
      break;
    if (update && !isTensorView(update) && update != first)
      copyForReadersBehind(update, block, now, origin);
    update = result.getOwner();
    now = tied->get();
  }
  copyForReadersBehind(first, block, source, origin);
  if (!isBranch(first))
    return;
  for (OpResult result : first->getResults())
    if (isa<RankedTensorType>(result.getType()) &&
        origin.trace(result) == source)
      for (Region &region : first->getRegions())
        copyForLateReaders(&region.front(),
                           region.front().getTerminator()->getOperand(
                               result.getResultNumber()),
                           source, origin);
}

namespace {
class CodegenCopyOverwrittenPass
    : public memrev::impl::CodegenCopyOverwrittenBase<
          CodegenCopyOverwrittenPass> {
public:
  void runOnOperation() override {
    SymbolTableCollection symbols;
    TensorOrigin origin(symbols);
    getOperation()->walk([&](Operation *op) {
      for (const CarriedTensors &tensors : getCarriedTensors(op))
        for (auto [carried, yielded] :
             llvm::zip_equal(tensors.carried, tensors.yielded))
          copyForLateReaders(carried.getOwner(), yielded->get(), carried,
                             origin);
    });
  }
};
} // namespace
