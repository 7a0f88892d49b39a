//===- SCFCheckpoint.h - Loops that keep a few of their states  -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_LIB_EXTERNALINTERFACES_SCFCHECKPOINT_H
#define MEMREV_LIB_EXTERNALINTERFACES_SCFCHECKPOINT_H

#include "memrev/Interfaces/CheckpointedLoop.h"
#include "memrev/Interfaces/DerivativeContext.h"

namespace mlir::memrev {

/// Emits the vector-Jacobian product of a loop that places checkpoints.
LogicalResult buildCheckpointedVJP(CheckpointedLoop form,
                                   DerivativeContext &ctx);

} // namespace mlir::memrev

#endif // MEMREV_LIB_EXTERNALINTERFACES_SCFCHECKPOINT_H
