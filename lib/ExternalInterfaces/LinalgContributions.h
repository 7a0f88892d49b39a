//===- LinalgContributions.h - Sums of a body's derivatives --- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// This file declares how what the derivative of a body computes for each
// iteration is added to the cotangents of operands.
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_LIB_EXTERNALINTERFACES_LINALGCONTRIBUTIONS_H
#define MEMREV_LIB_EXTERNALINTERFACES_LINALGCONTRIBUTIONS_H

#include "memrev/Interfaces/DerivativeContext.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "llvm/ADT/SetVector.h"

namespace mlir::memrev {

/// What each iteration adds to an element of the cotangent of a tensor or a
/// scalar.
struct Contribution {
  Value operand;
  /// The element, by the loops, unless `indices` give it.
  AffineMap map;
  /// Values in scratch that give the element: the operand is captured by the
  /// body, which computes where it reads.
  SmallVector<Value> indices;
  bool isIndexed = false;
  /// The value in scratch that is added.
  Value scalar;
};

/// The derivative of the body of a linalg operation before it has loops:
/// operations in a block whose arguments are read off tensors.
struct ScratchBody {
  Region region;
  /// What each argument of the block is read off, and where.
  SmallVector<Value> tensors;
  SmallVector<AffineMap> maps;

  Block &getBlock() { return region.front(); }
  /// Adds an argument that is read off `tensor` at `map`.
  void add(Value tensor, AffineMap map) {
    tensors.push_back(tensor);
    maps.push_back(map);
  }
  /// The operations that `values` depend on, in program order, and the
  /// arguments.
  void getSlice(ValueRange values, llvm::SetVector<Operation *> &ops,
                llvm::SetVector<Value> &arguments);
};

/// Adds what `contributions` say to the cotangents, over the loops of `op`. No
/// two parallel iterations ever write one element. Fails after an error was
/// reported.
LogicalResult emitContributions(linalg::LinalgOp op, DerivativeContext &ctx,
                                ScratchBody &scratch,
                                ArrayRef<Contribution> contributions);

} // namespace mlir::memrev

#endif // MEMREV_LIB_EXTERNALINTERFACES_LINALGCONTRIBUTIONS_H
