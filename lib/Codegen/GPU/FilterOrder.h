//===- FilterOrder.h - Filters in the order of a library ------ -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_LIB_CODEGEN_GPU_FILTERORDER_H
#define MEMREV_LIB_CODEGEN_GPU_FILTERORDER_H

#include "ConvolutionCall.h"

namespace mlir::memrev::simt {

/// A kernel function that brings a filter into another order.
struct FilterKernel {
  func::FuncOp function;
  /// The arguments of the convolution's kernel that it has, by their numbers.
  SmallVector<int64_t> arguments;
};

/// Whether a kernel can read a filter with this access, or write its gradient
/// if not `isRead`.
bool canReorderFilter(const Access &access, const Problem &problem,
                      bool isRead);

/// The tensor of a filter in the library's order.
RankedTensorType getFilterType(const ConvolutionMatch &match,
                               const Problem &problem);

/// Makes a kernel function next to `kernel` that copies its filter. It has
/// `arguments`, then its destination.
FilterKernel createFilterCopy(func::FuncOp kernel, const Problem &problem,
                              const ConvolutionMatch &match);

/// Makes one that copies the filter's gradient, or adds it, to the destination
/// of `kernel`. It has the gradient, then `arguments`, of which that
/// destination is the last.
FilterKernel createGradientCopy(func::FuncOp kernel, const Problem &problem,
                                const ConvolutionMatch &match);

} // namespace mlir::memrev::simt

#endif // MEMREV_LIB_CODEGEN_GPU_FILTERORDER_H
