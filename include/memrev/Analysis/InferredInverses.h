//===- InferredInverses.h - Inverses of programs without couplings -*- C++ -*-//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_ANALYSIS_INFERREDINVERSES_H
#define MEMREV_ANALYSIS_INFERREDINVERSES_H

#include "memrev/Analysis/Activity.h"
#include "mlir/IR/Block.h"

namespace mlir::memrev {

/// Writes into the function with the body `block` which inverse edges of
/// operations beside couplings, calls and loops give values back that its
/// derivative reads (kInvertAttrName), and what is evaluated again on the way
/// (kRecomputeAttrName): an addition `y = x + F(z)` gives x back from y, with F
/// evaluated at z, which the addition behind it gave back. What such a chain
/// starts from is stored. A chain is inverted if that is less than half of what
/// it gives back, or if nothing that takes long is evaluated again.
///
/// The plan of couplings, calls and loops has been made, and what has no
/// derivative of its own is expanded. Takes time linear in the operations, but
/// for a logarithm.
void planInferredInverses(Block &block, const Activity &activity);

} // namespace mlir::memrev

#endif // MEMREV_ANALYSIS_INFERREDINVERSES_H
