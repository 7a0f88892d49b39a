//===- SinkOverwrites.cpp - Overwrite a tensor after its last reader ------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Codegen/Common/AttributeNames.h"
#include "memrev/Codegen/Common/Passes.h"
#include "memrev/Codegen/Common/TensorOrigin.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Transforms/RegionUtils.h"

namespace mlir::memrev {
#define GEN_PASS_DEF_CODEGENSINKOVERWRITES
#include "memrev/Codegen/Common/Passes.h.inc"
} // namespace mlir::memrev

using namespace mlir;
using namespace mlir::memrev;

/// Adds the tensors whose place results of `op` take.
static void getOverwritten(Operation *op, TensorOrigin &origin,
                           SmallVectorImpl<Value> &overwritten) {
  if (isTensorView(op))
    return;
  for (OpResult result : op->getResults())
    if (isa<RankedTensorType>(result.getType()))
      if (OpOperand *tied = origin.getTiedOperand(result))
        overwritten.push_back(tied->get());
}

/// Returns the last operation in the block of `writer` that reads `value` or a
/// view of it, or null if none stands behind `writer`.
static Operation *findLastReader(Value value, Operation *writer) {
  Operation *last = nullptr;
  SmallVector<Value> pending{value};
  while (!pending.empty()) {
    for (Operation *user : pending.pop_back_val().getUsers()) {
      if (isTensorView(user) && user != writer)
        pending.push_back(user->getResult(0));
      Operation *here = writer->getBlock()->findAncestorOpInBlock(*user);
      if (!here || here == writer || !writer->isBeforeInBlock(here))
        continue;
      if (!last || last->isBeforeInBlock(here))
        last = here;
    }
  }
  return last;
}

/// Whether `op` can move behind `last`: nothing on the way needs its results or
/// takes the place of what it reads.
static bool canSink(Operation *op, Operation *last, TensorOrigin &origin) {
  Block *block = op->getBlock();
  if (last == block->getTerminator())
    return false;
  for (Operation *user : op->getUsers()) {
    Operation *here = block->findAncestorOpInBlock(*user);
    if (!here || !last->isBeforeInBlock(here))
      return false;
  }
  SmallVector<Value> overwritten;
  for (Operation *passed = op->getNextNode(); passed != last->getNextNode();
       passed = passed->getNextNode())
    getOverwritten(passed, origin, overwritten);
  SmallVector<Value> sources = llvm::map_to_vector(
      overwritten, [&](Value v) { return origin.trace(v); });
  llvm::SetVector<Value> read(op->operand_begin(), op->operand_end());
  getUsedValuesDefinedAbove(op->getRegions(), read);
  return llvm::none_of(read, [&](Value value) {
    return llvm::is_contained(sources, origin.trace(value));
  });
}

/// Whether `op` does nothing but compute its results.
static bool isPure(Operation *op, SymbolTableCollection &symbols) {
  if (op->hasTrait<OpTrait::HasRecursiveMemoryEffects>() &&
      op->getNumRegions() != 0)
    return llvm::all_of(op->getRegions(), [&](Region &region) {
      return llvm::all_of(region.getOps(), [&](Operation &inner) {
        return isPure(&inner, symbols);
      });
    });
  auto call = dyn_cast<func::CallOp>(op);
  if (!call)
    return isMemoryEffectFree(op);
  auto callee =
      symbols.lookupNearestSymbolFrom<func::FuncOp>(call, call.getCalleeAttr());
  return callee && callee->hasAttr(kKernelAttr);
}

/// Sinks the overwriting operations of `block`, the last one first, so that
/// each one meets the others at their final place.
static void sinkOverwrites(Block &block, TensorOrigin &origin,
                           SymbolTableCollection &symbols) {
  SmallVector<Operation *> writers;
  for (Operation &op : llvm::reverse(block.without_terminator()))
    if (isPure(&op, symbols))
      writers.push_back(&op);
  for (Operation *op : writers) {
    SmallVector<Value> overwritten;
    getOverwritten(op, origin, overwritten);
    Operation *last = nullptr;
    for (Value value : overwritten)
      if (Operation *reader = findLastReader(value, op))
        if (!last || last->isBeforeInBlock(reader))
          last = reader;
    if (last && canSink(op, last, origin))
      op->moveAfter(last);
  }
}

namespace {
class CodegenSinkOverwritesPass
    : public memrev::impl::CodegenSinkOverwritesBase<
          CodegenSinkOverwritesPass> {
public:
  void runOnOperation() override {
    SymbolTableCollection symbols;
    TensorOrigin origin(symbols);
    getOperation()->walk([&](Block *block) {
      if (block->mightHaveTerminator())
        sinkOverwrites(*block, origin, symbols);
    });
  }
};
} // namespace
