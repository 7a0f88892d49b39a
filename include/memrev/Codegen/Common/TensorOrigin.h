//===- TensorOrigin.h - Where buffers come from --------------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_CODEGEN_COMMON_TENSORORIGIN_H
#define MEMREV_CODEGEN_COMMON_TENSORORIGIN_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/SymbolTable.h"
#include "llvm/ADT/DenseMap.h"

namespace mlir::memrev {

/// True if the result of `op` is another view of its operand's buffer.
bool isTensorView(Operation *op);

/// Follows results back to the operands that they are tied to: the inits of
/// destination-style ops and loops, the destination of a `tensor.insert_slice`,
/// the source of a reshape, and the argument that a called function updates and
/// returns; and results of branches back to what all their regions update.
///
/// Answers are cached for functions; make a new one after changing a callee.
class TensorOrigin {
public:
  /// `symbols` must outlive this object and serve all threads that use it.
  explicit TensorOrigin(SymbolTableCollection &symbols) : symbols(symbols) {}

  /// Returns the value at the start of the chain of tied operands that ends in
  /// `value`: a block argument, or a result that is tied to no operand. The
  /// buffer of `value` can be that of the returned one.
  Value trace(Value value);

  /// Returns the operand of its operation that `result` is tied to, or null.
  OpOperand *getTiedOperand(OpResult result);

private:
  /// What all regions of a branch yield as the result `result`, or null.
  Value getBranchOrigin(OpResult result);
  /// The initial value of what `loop` carries and returns as result `number`,
  /// or null if that changes places.
  Value getWhileOrigin(scf::WhileOp loop, unsigned number);
  /// For each result of `func`, the argument that it is tied to, or -1.
  ArrayRef<int64_t> getTiedArguments(func::FuncOp func);

  SymbolTableCollection &symbols;
  DenseMap<Operation *, SmallVector<int64_t>> tiedArguments;
};

} // namespace mlir::memrev

#endif // MEMREV_CODEGEN_COMMON_TENSORORIGIN_H
