//===- LogDetEmitter.h - Log-determinants of operations ------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The inverse edges that lead from a function's results back to its arguments
// solve the equations of its operations one after the other, each for other
// values: the matrix of the derivatives of these equations is triangular, with
// a block on its diagonal for each edge. Operations that are evaluated instead
// have blocks of one. As many equations as unknowns make the determinant of the
// function's derivative the product of these blocks, but for its sign.
//
// What the logarithms of the blocks are computed from is at hand where the
// operation stands, so they are emitted there, and added up per sample.
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_LIB_TRANSFORMS_LOGDETEMITTER_H
#define MEMREV_LIB_TRANSFORMS_LOGDETEMITTER_H

#include "memrev/Analysis/SampleDimensions.h"
#include "memrev/Dialect/Rev/IR/Rev.h"
#include "memrev/Interfaces/InvertibleOpInterface.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

namespace mlir::memrev {

/// An operation on the planned way through `block` that has no log-determinant,
/// or null. Those of calls are taken to be known.
Operation *findWithoutLogDet(Block &block);

/// Calls `visit` for the calls on the planned way through `block`, until it
/// returns false.
bool visitPlannedCalls(Block &block,
                       llvm::function_ref<bool(func::CallOp)> visit);

/// Reports that an operation called `name` has no log-determinant.
InFlightDiagnostic reportWithoutLogDet(Location loc, OperationName name);

/// The function of `call` with its log-determinant.
using CalleeLogDet =
    llvm::function_ref<FailureOr<func::FuncOp>(func::CallOp, int64_t batchDim)>;

/// Emits the log-determinants of the planned edges of a function.
class LogDetEmitter {
public:
  LogDetEmitter(Value first, int64_t batchDim, CalleeLogDet getCallee)
      : builder(first.getContext()), first(first), batchDim(batchDim),
        getCallee(getCallee) {
    auto type = cast<RankedTensorType>(first.getType());
    samples = RankedTensorType::get({type.getDimSize(batchDim)},
                                    type.getElementType());
  }

  RankedTensorType getType() const { return samples; }
  SampleDimensions &getDimensions() { return dimensions; }

  /// Adds those of the operations in `block` to `sum`, which may be null.
  LogicalResult emit(Block &block, Value &sum);

  /// A zero for each sample.
  Value buildZero(Location loc);

  OpBuilder builder;

private:
  LogicalResult emit(Operation *op, Value &sum);
  LogicalResult emitLoop(scf::ForOp loop, Value &sum);
  LogicalResult emitCoupling(rev::CouplingOp coupling, Value &sum);
  LogicalResult emitCall(func::CallOp call, ValueRange solved, Value &sum);
  LogicalResult emitDiagonal(Operation *op, const InverseEdge &edge,
                             Value &sum);

  /// Sums log |values| over all dimensions but that of the samples.
  Value buildLogSum(Location loc, Value values, int64_t dimension);
  void add(Location loc, Value contribution, Value &sum);
  /// The dimension of `value`, a result of `op`, that numbers samples; nothing
  /// after an error.
  FailureOr<int64_t> getDimension(Operation *op, Value value);
  /// Lets results take the place of those of an operation.
  void replace(ValueRange from, ValueRange to);

  /// An argument that the samples come from, and their dimension there.
  Value first;
  int64_t batchDim;
  CalleeLogDet getCallee;
  RankedTensorType samples;
  SampleDimensions dimensions;
};

} // namespace mlir::memrev

#endif // MEMREV_LIB_TRANSFORMS_LOGDETEMITTER_H
