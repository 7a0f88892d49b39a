//===- MemoryOrder.h - An order of steps that takes less memory - C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_CODEGEN_COMMON_MEMORYORDER_H
#define MEMREV_CODEGEN_COMMON_MEMORYORDER_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include <cstdint>

namespace mlir::memrev {

/// Something that is done once.
struct OrderedStep {
  /// The steps that have to be done before, by number.
  llvm::SmallVector<unsigned> predecessors;
  /// Bytes that it takes while it is done, beyond those of buffers.
  int64_t bytes = 0;
};

/// A buffer that lives from the first of its users to the last one.
struct OrderedBuffer {
  int64_t bytes = 0;
  /// The steps that use it, by number, each once.
  llvm::SmallVector<unsigned> users;
};

/// Returns the most bytes that live at once if `steps` are done in `order`.
int64_t getPeak(llvm::ArrayRef<OrderedStep> steps,
                llvm::ArrayRef<OrderedBuffer> buffers,
                llvm::ArrayRef<unsigned> order);

/// An order of steps, and what is known of it.
struct MemoryOrder {
  llvm::SmallVector<unsigned> order;
  int64_t peak = 0;
  /// No order takes fewer bytes than this.
  int64_t lowerBound = 0;
};

/// Returns an order in which `steps`, whose numbers are an order that respects
/// their predecessors, take fewer bytes at once; that order if none is found.
///
/// While a step is done, those buffers live that join what was done before to
/// what comes after: a cut of the graph. The least of them over all orders is a
/// minimum cut. So at the step with the peak the order is cut where that is
/// least, steps that are on the wrong side of it change sides and keep their
/// order among themselves, and so on in both parts. Where the peak is such a
/// minimum, no order is better. The best orders of all steps are hard to find
/// (Sethi, Complete register allocation problems, 1975): where that leaves
/// doubt, up to 64 steps are searched as far as 2^14 sets of them go.
MemoryOrder orderForMemory(llvm::ArrayRef<OrderedStep> steps,
                           llvm::ArrayRef<OrderedBuffer> buffers);

} // namespace mlir::memrev

#endif // MEMREV_CODEGEN_COMMON_MEMORYORDER_H
