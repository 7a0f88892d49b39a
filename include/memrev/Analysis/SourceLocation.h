//===- SourceLocation.h - Places in source files --------------*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_ANALYSIS_SOURCELOCATION_H
#define MEMREV_ANALYSIS_SOURCELOCATION_H

#include "mlir/IR/Location.h"
#include <optional>
#include <string>

namespace mlir::memrev {

/// The first place in a file that `loc` holds, as `file:line:column`.
std::optional<std::string> printPlace(Location loc);

} // namespace mlir::memrev

#endif // MEMREV_ANALYSIS_SOURCELOCATION_H
