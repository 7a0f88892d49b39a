//===- Calibration.h - Measure the rates of a machine --------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_COMPILER_CALIBRATION_H
#define MEMREV_COMPILER_CALIBRATION_H

#include "memrev/Analysis/CostModel.h"

namespace mlir::memrev {

/// Measures one thread of this machine by compiling and running small programs,
/// which takes seconds. Other load on the machine makes it seem slower.
llvm::Expected<CostModel> calibrate();

} // namespace mlir::memrev

#endif // MEMREV_COMPILER_CALIBRATION_H
