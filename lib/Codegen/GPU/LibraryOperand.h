//===- LibraryOperand.h - Tensors that libraries are called with - C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the descriptions of all libraries' calls have in common.
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_LIB_CODEGEN_GPU_LIBRARYOPERAND_H
#define MEMREV_LIB_CODEGEN_GPU_LIBRARYOPERAND_H

#include "KernelStrategy.h"

namespace mlir::memrev::simt {

/// Where a tensor starts that a library reads or writes.
struct LibraryOperand {
  /// The number of the kernel's argument that it is in.
  int64_t argument = 0;
  /// Where it starts there, in elements: at `offset` and, for each of `terms`,
  /// the argument of that number times a factor.
  int64_t offset = 0;
  SmallVector<std::pair<int64_t, int64_t>> terms;

  /// The members of a dictionary that describes it.
  SmallVector<NamedAttribute> toAttributes(Builder builder) const;
  /// Reads them. Returns false if one is missing or of another type.
  bool read(DictionaryAttr attribute);

  /// Whether the operand is in a buffer of `kernel` of static shape and this
  /// element type, where `last` is its last element's distance from the first.
  bool fits(func::FuncOp kernel, Type elementType, uint64_t last) const;
  /// The largest power of two, up to the width of a vector access, that its
  /// address is a multiple of for all values of the terms. In bytes, as is
  /// `total`, the size of the buffer.
  int64_t getAlignment(int64_t total, int64_t elementBytes) const;
};

/// Fills in where `access` is, whose elements `offset` places. Fails with a
/// reason for a user to read.
LogicalResult placeOperand(const Access &access, const Linear &offset,
                           LibraryOperand &operand, std::string &reason);

/// Whether the epilogue of `problem` only rounds the sum to a narrower type.
bool onlyRounds(const Problem &problem);

/// Whether the sums of `problem` start from zero or what is there. Fails with a
/// reason otherwise.
LogicalResult checkStart(const Problem &problem, std::string &reason);

/// What libraries want of the address of a workspace, in bytes.
inline constexpr int64_t kWorkspaceAlignment = 256;

/// Whether argument `number` of `kernel` has room for a workspace of `bytes`.
bool isWorkspace(func::FuncOp kernel, int64_t number, int64_t bytes);

} // namespace mlir::memrev::simt

#endif // MEMREV_LIB_CODEGEN_GPU_LIBRARYOPERAND_H
