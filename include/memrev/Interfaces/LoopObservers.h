//===- LoopObservers.h - State that a loop only updates ------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_INTERFACES_LOOPOBSERVERS_H
#define MEMREV_INTERFACES_LOOPOBSERVERS_H

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/ADT/SmallBitVector.h"

namespace mlir::memrev {

/// The iteration arguments of `loop` that observe it: nothing but their own
/// next value depends on them, and no derivative reads what does. Running
/// averages are such, and sums over the iterations: log-determinants. A loop
/// runs backwards without them, unless somebody asks for what they were.
llvm::SmallBitVector getObservers(scf::ForOp loop);

} // namespace mlir::memrev

#endif // MEMREV_INTERFACES_LOOPOBSERVERS_H
