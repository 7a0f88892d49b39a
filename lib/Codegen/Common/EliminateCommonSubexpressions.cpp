//===- EliminateCommonSubexpressions.cpp - Merge equal operations ---------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Codegen/Common/Passes.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Interfaces/CallInterfaces.h"
#include "mlir/Interfaces/LoopLikeInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/ScopedHashTable.h"

namespace mlir::memrev {
#define GEN_PASS_DEF_CODEGENELIMINATECOMMONSUBEXPRESSIONS
#include "memrev/Codegen/Common/Passes.h.inc"
} // namespace mlir::memrev

using namespace mlir;

/// True for what takes much longer than to read its operands: where it stands
/// between two uses of a tensor, keeping the tensor is worth a thought.
static bool isExpensive(Operation *op) {
  if (isa<LoopLikeOpInterface, CallOpInterface>(op))
    return true;
  auto structured = dyn_cast<linalg::LinalgOp>(op);
  return structured && (linalg::isaContractionOpInterface(structured) ||
                        linalg::isaConvolutionOpInterface(structured));
}

/// True if `op` computes a tensor of more than `bytes` bytes at about the cost
/// of reading it.
static bool isLargeAndQuick(Operation *op, int64_t bytes) {
  auto structured = dyn_cast<linalg::LinalgOp>(op);
  bool isQuick = structured ? structured.getNumReductionLoops() == 0
                            : isa<tensor::PadOp, tensor::ConcatOp>(op) ||
                                  op->hasTrait<OpTrait::Elementwise>();
  return isQuick && llvm::any_of(op->getResultTypes(), [&](Type type) {
           auto tensor = dyn_cast<RankedTensorType>(type);
           return tensor && tensor.hasStaticShape() &&
                  tensor.getElementType().isIntOrFloat() &&
                  tensor.getNumElements() > 0 &&
                  tensor.getNumElements() >
                      bytes * 8 / tensor.getElementTypeBitWidth();
         });
}

namespace {
struct EquivalenceInfo : llvm::DenseMapInfo<Operation *> {
  static unsigned getHashValue(const Operation *op) {
    return OperationEquivalence::computeHash(
        const_cast<Operation *>(op), OperationEquivalence::directHashValue,
        OperationEquivalence::ignoreHashValue,
        OperationEquivalence::IgnoreLocations);
  }
  static bool isEqual(const Operation *l, const Operation *r) {
    auto *lhs = const_cast<Operation *>(l), *rhs = const_cast<Operation *>(r);
    if (lhs == rhs)
      return true;
    if (lhs == getTombstoneKey() || lhs == getEmptyKey() ||
        rhs == getTombstoneKey() || rhs == getEmptyKey())
      return false;
    return OperationEquivalence::isEquivalentTo(
        lhs, rhs, OperationEquivalence::IgnoreLocations);
  }
};

class Eliminator {
public:
  explicit Eliminator(int64_t maxDistantBytes)
      : maxDistantBytes(maxDistantBytes) {}

  void run(Region &region);

private:
  using Table =
      llvm::ScopedHashTable<Operation *, Operation *, EquivalenceInfo>;

  void run(Block &block);
  bool mayMerge(Operation *known, Operation *op);

  int64_t maxDistantBytes;
  std::unique_ptr<Table> table = std::make_unique<Table>();
  /// In the blocks that are being visited: the number of each operation, and
  /// how many expensive ones come before it.
  DenseMap<Operation *, std::pair<int64_t, int64_t>> positions;
};

class CodegenEliminateCommonSubexpressions
    : public memrev::impl::CodegenEliminateCommonSubexpressionsBase<
          CodegenEliminateCommonSubexpressions> {
public:
  using CodegenEliminateCommonSubexpressionsBase::
      CodegenEliminateCommonSubexpressionsBase;

  void runOnOperation() override {
    for (Region &region : getOperation()->getRegions())
      Eliminator(maxDistantBytes).run(region);
  }
};
} // namespace

bool Eliminator::mayMerge(Operation *known, Operation *op) {
  if (!isLargeAndQuick(op, maxDistantBytes))
    return true;
  Block *block = known->getBlock();
  std::pair<int64_t, int64_t> last = positions.lookup(known);
  for (Operation *user : known->getUsers())
    if (Operation *ancestor = block->findAncestorOpInBlock(*user))
      last = std::max(last, positions.lookup(ancestor));
  Operation *here = block->findAncestorOpInBlock(*op);
  return positions.lookup(here).second <= last.second;
}

void Eliminator::run(Block &block) {
  Table::ScopeTy scope(*table);
  int64_t number = 0, expensive = 0;
  for (Operation &op : block) {
    positions[&op] = {number++, expensive};
    expensive += isExpensive(&op);
  }
  for (Operation &op : llvm::make_early_inc_range(block)) {
    if (isOpTriviallyDead(&op)) {
      positions.erase(&op);
      op.erase();
      continue;
    }
    for (Region &region : op.getRegions()) {
      if (op.hasTrait<OpTrait::IsIsolatedFromAbove>())
        Eliminator(maxDistantBytes).run(region);
      else
        run(region);
    }
    if (op.hasTrait<OpTrait::IsTerminator>() || op.getNumResults() == 0 ||
        !isMemoryEffectFree(&op))
      continue;
    Operation *known = table->lookup(&op);
    if (!known || !mayMerge(known, &op)) {
      table->insert(&op, &op);
      continue;
    }
    op.replaceAllUsesWith(known);
    positions.erase(&op);
    op.erase();
  }
}

void Eliminator::run(Region &region) {
  for (Block &block : region)
    run(block);
}
