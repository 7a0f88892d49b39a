//===- ScalarUses.h - Who needs the scalars of a program -------- -*- C++
//-*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A scalar that is computed from elements of tensors is known to the device. It
// is for kernels if they read it and nothing that the host does depends on it.
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_LIB_CODEGEN_GPU_SCALARUSES_H
#define MEMREV_LIB_CODEGEN_GPU_SCALARUSES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/SetVector.h"

namespace mlir::memrev {

/// True for operations of scalars alone.
bool isScalarArithmetic(Operation *op);

class ScalarUses {
public:
  explicit ScalarUses(func::FuncOp func);

  /// Whether `scalar` is computed from elements of tensors and read by kernels,
  /// and neither a trip count nor a condition nor another scalar that the host
  /// needs depends on it.
  bool isForKernels(Value scalar) const {
    return neededByKernels.contains(scalar) && !neededByHost.contains(scalar);
  }

  /// The operations that become kernels and read such scalars.
  ArrayRef<Operation *> getReaders() const { return readers.getArrayRef(); }

private:
  void findScalars(func::FuncOp func);
  void classify(OpOperand &use);
  /// Adds `scalar` to `set`, and all that it is computed from.
  void mark(Value scalar, DenseSet<Value> &set);

  llvm::SetVector<Value> scalars;
  DenseSet<Value> neededByHost, neededByKernels;
  llvm::SetVector<Operation *> readers;
};

} // namespace mlir::memrev

#endif // MEMREV_LIB_CODEGEN_GPU_SCALARUSES_H
