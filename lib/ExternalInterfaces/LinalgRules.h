//===- LinalgRules.h - Rules that several linalg models share - -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_LIB_EXTERNALINTERFACES_LINALGRULES_H
#define MEMREV_LIB_EXTERNALINTERFACES_LINALGRULES_H

#include "memrev/Interfaces/DifferentiableOpInterface.h"
#include "memrev/Interfaces/TangentContext.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace mlir::memrev {

/// The rule of any structured operation whose body has scalar rules, whose
/// indexing maps are projected permutations and whose reductions add.
void getStructuredResiduals(linalg::LinalgOp op,
                            function_ref<bool(Value)> isActive,
                            SmallVectorImpl<Residual> &residuals);
LogicalResult buildStructuredVJP(linalg::LinalgOp op, DerivativeContext &ctx);

/// The forward-mode rule of any structured operation whose body has scalar
/// rules.
LogicalResult buildStructuredJVP(linalg::LinalgOp op, TangentContext &ctx);

} // namespace mlir::memrev

#endif // MEMREV_LIB_EXTERNALINTERFACES_LINALGRULES_H
