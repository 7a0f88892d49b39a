//===- Extents.h - Extents that follow from arguments --------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_CODEGEN_COMMON_EXTENTS_H
#define MEMREV_CODEGEN_COMMON_EXTENTS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/AffineExpr.h"
#include "mlir/IR/AffineMap.h"
#include "mlir/IR/Builders.h"

namespace mlir::memrev {

/// What the extents of a function's buffers are in terms of those of its
/// arguments. Each extent of an argument that its type leaves open is a symbol,
/// in the order of the arguments; so is an argument with the role of an extent.
/// Extents of arguments that hold results (`kExtentsAttr`) are expressions of
/// the symbols before them.
class Extents {
public:
  /// An argument, and its axis; none of an argument that is an extent itself.
  struct Symbol {
    BlockArgument argument;
    std::optional<int64_t> axis;
  };

  explicit Extents(func::FuncOp func);

  ArrayRef<Symbol> getSymbols() const { return symbols; }

  /// The extent of `buffer` along `axis`, or null if it does not follow from
  /// the symbols.
  AffineExpr getExtent(Value buffer, int64_t axis);
  /// The same for a number of the program.
  AffineExpr getNumber(Value number);

  /// Pairs of expressions that are not the same, but have to be equal for the
  /// operations of the function to stay inside of their buffers.
  SmallVector<std::pair<AffineExpr, AffineExpr>> getConditions();

  /// The values of the symbols, made by `builder` inside of the function.
  SmallVector<Value> createSymbols(OpBuilder &builder, Location loc) const;

private:
  AffineExpr findExtent(Value buffer, int64_t axis);
  AffineExpr findNumber(Value number);
  AffineExpr getSize(OpFoldResult size);

  func::FuncOp func;
  MLIRContext *context;
  SmallVector<Symbol> symbols;
  DenseMap<std::pair<Value, int64_t>, AffineExpr> extents;
  DenseMap<Value, AffineExpr> numbers;
};

/// The extents that the type of `buffer`, an operand of a call or an argument,
/// leaves open, made by `builder`.
void appendOpenExtents(OpBuilder &builder, Location loc, Value buffer,
                       SmallVectorImpl<Value> &extents);

/// The value of `expression` of `symbols`.
Value createNumber(OpBuilder &builder, Location loc, AffineExpr expression,
                   ValueRange symbols);

} // namespace mlir::memrev

#endif // MEMREV_CODEGEN_COMMON_EXTENTS_H
