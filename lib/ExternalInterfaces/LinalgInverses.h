//===- LinalgInverses.h - Inverses of structured operations --- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_LIB_EXTERNALINTERFACES_LINALGINVERSES_H
#define MEMREV_LIB_EXTERNALINTERFACES_LINALGINVERSES_H

#include "memrev/Interfaces/InvertibleOpInterface.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace mlir::memrev {

/// The inverse edges of any structured operation. Without reduction loops it
/// gives an operand back that each iteration reads one element of, if the edges
/// of the scalar operations of the body solve for that element; with them, the
/// start of a sum.
SmallVector<InverseEdge> getStructuredInverseEdges(linalg::LinalgOp op);
LogicalResult buildStructuredInverse(linalg::LinalgOp op,
                                     DerivativeContext &ctx, unsigned edge);

template <typename OpTy>
struct StructuredInverse
    : InvertibleOpInterface::ExternalModel<StructuredInverse<OpTy>, OpTy> {
  SmallVector<InverseEdge> getInverseEdges(Operation *op) const {
    return getStructuredInverseEdges(cast<linalg::LinalgOp>(op));
  }
  LogicalResult buildInverse(Operation *op, DerivativeContext &ctx,
                             unsigned edge) const {
    return buildStructuredInverse(cast<linalg::LinalgOp>(op), ctx, edge);
  }
};

} // namespace mlir::memrev

#endif // MEMREV_LIB_EXTERNALINTERFACES_LINALGINVERSES_H
