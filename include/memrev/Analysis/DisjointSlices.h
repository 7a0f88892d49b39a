//===- DisjointSlices.h - What parallel iterations write ------ -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_ANALYSIS_DISJOINTSLICES_H
#define MEMREV_ANALYSIS_DISJOINTSLICES_H

#include "mlir/Dialect/SCF/IR/SCF.h"

namespace mlir::memrev {

/// Reports an error unless it can be proved that no two iterations of `loop`
/// touch the same element of an output: each induction variable moves some
/// offset by at least the slice's extent, and an iteration reads what it
/// writes. The iterations hand over nothing but slices (`writesOnlySlices`).
LogicalResult verifyDisjointSlices(scf::ForallOp loop);

} // namespace mlir::memrev

#endif // MEMREV_ANALYSIS_DISJOINTSLICES_H
