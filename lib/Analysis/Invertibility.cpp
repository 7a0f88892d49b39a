//===- Invertibility.cpp - Which values inverse edges give back -----------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Analysis/Invertibility.h"
#include "memrev/Interfaces/InvertibleOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace mlir::memrev;

bool Invertibility::isKnown(Value value) {
  // Follows definitions with a stack of its own: a chain of operations can be
  // longer than the call stack.
  SmallVector<Value> pending{value};
  llvm::DenseSet<Value> visited, evaluated;
  while (!pending.empty()) {
    Value v = pending.pop_back_val();
    if (known.contains(v) || isOutside(v) || !visited.insert(v).second)
      continue;
    Operation *op = v.getDefiningOp();
    if (!op || op->getBlock() != &block || !isPure(op))
      return false;
    evaluated.insert(v);
    llvm::SetVector<Value> used(op->operand_begin(), op->operand_end());
    getUsedValuesDefinedAbove(op->getRegions(), used);
    llvm::append_range(pending, used);
  }
  known.insert(evaluated.begin(), evaluated.end());
  return true;
}

const llvm::DenseMap<Operation *, unsigned> &Invertibility::solve() {
  for (bool changed = true; changed;) {
    changed = false;
    for (Operation &op : llvm::reverse(block)) {
      auto invertible = dyn_cast<InvertibleOpInterface>(&op);
      if (!invertible || edges.contains(&op))
        continue;
      SmallVector<InverseEdge> candidates = invertible.getInverseEdges();
      for (auto [number, edge] : llvm::enumerate(candidates)) {
        if (llvm::all_of(edge.solved, [&](Value v) { return isKnown(v); }) ||
            !llvm::all_of(edge.from, [&](Value v) { return isKnown(v); }))
          continue;
        edges[&op] = number;
        known.insert(edge.solved.begin(), edge.solved.end());
        changed = true;
        break;
      }
    }
  }
  return edges;
}
