//===- MatmulCall.h - A product that cuBLASLt computes -------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A declared kernel that a library runs has a description of the call where
// others have how they are launched. It is read from the problem: loops and
// accesses, whatever operation they come from.
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_LIB_CODEGEN_GPU_MATMULCALL_H
#define MEMREV_LIB_CODEGEN_GPU_MATMULCALL_H

#include "LibraryOperand.h"

namespace mlir::memrev::simt {

/// A matrix, or a batch of them for each call, in column-major order.
struct MatrixOperand : LibraryOperand {
  /// The elements from one column to the next, from one matrix of a batch to
  /// the next, and from the matrices of one call to those of the next.
  int64_t leading = 0, stride = 0, step = 0;
  /// The matrix is in memory as its transpose.
  bool transposed = false;
  /// The address is a multiple of this, in bytes.
  int64_t alignment = 1;
};

/// d = a * b, or d = a * b + c, for each of a batch.
struct MatmulCall {
  /// How factors are multiplied; sums are in f64 for that, else in f32.
  enum class Compute { F32, TF32, F64 };

  int64_t rows = 1, columns = 1, depth = 1, batch = 1;
  /// How often the library is called: it knows one dimension of batches.
  int64_t calls = 1;
  Type factorType, resultType;
  Compute compute = Compute::F32;
  bool accumulates = false;
  /// `c` is `d` if nothing is accumulated, and may be if something is.
  MatrixOperand a, b, c, d;
  /// The number of the argument that is the call's workspace, and the bytes
  /// that the library may use of it. They start at a multiple of
  /// kWorkspaceAlignment, so that the argument is longer by that.
  int64_t workspace = -1;
  int64_t workspaceBytes = 0;

  /// The call for `problem` of `kernel`, without a workspace's argument. Fails
  /// with a reason for a user to read.
  static FailureOr<MatmulCall> get(const Problem &problem, func::FuncOp kernel,
                                   const Chip &chip, FP32Precision precision,
                                   std::string &reason);

  DictionaryAttr toAttribute(MLIRContext *context) const;
  /// Fails if `attribute` is not one that toAttribute writes, or does not
  /// describe a call on the arguments of `kernel`.
  static FailureOr<MatmulCall> fromAttribute(DictionaryAttr attribute,
                                             func::FuncOp kernel);

  /// Whether the call writes every element of the argument of `kernel` that `d`
  /// is in and reads none of it.
  bool overwritesAll(func::FuncOp kernel) const;

  /// Multiply-adds.
  double getWork() const {
    return double(rows) * columns * depth * batch * calls;
  }

private:
  bool fits(func::FuncOp kernel) const;
};

} // namespace mlir::memrev::simt

#endif // MEMREV_LIB_CODEGEN_GPU_MATMULCALL_H
