//===- PreparedLoops.h - Loops in forms that have rules ------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_LIB_TRANSFORMS_PREPAREDLOOPS_H
#define MEMREV_LIB_TRANSFORMS_PREPAREDLOOPS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/PatternMatch.h"

namespace mlir::memrev {

/// Rewrites the loops of `function` that a gradient of its arguments `wrt`
/// flows through and that have no rule in reverse mode: scf.while becomes a
/// loop that counts and an scf.for of that many iterations, scf.forall becomes
/// scf.for, and loops with `rev.checkpoint` keep the states it asks for.
/// `changed` receives whether there were any. Fails after an error.
LogicalResult prepareLoops(func::FuncOp function, ArrayRef<int64_t> wrt,
                           bool &changed);

/// Splits `loop` into a loop over periods of `period` iterations and one over
/// the iterations of each. The outer one, which is returned, stores its state;
/// the inner one is inverted if `loop` is, and else run again when it is run
/// backwards, as loops in loops are.
scf::ForOp checkpointPeriodically(IRRewriter &rewriter, scf::ForOp loop,
                                  int64_t period);

/// Lets `loop` keep `slots` checkpoints (`CheckpointedLoop`). Fails after an
/// error if iterations change the shape of its state.
LogicalResult checkpointBinomially(IRRewriter &rewriter, scf::ForOp loop,
                                   int64_t slots);

/// Removes what `prepareLoops` left on loops for the rules.
void eraseLoopForms(func::FuncOp function);

} // namespace mlir::memrev

#endif // MEMREV_LIB_TRANSFORMS_PREPAREDLOOPS_H
