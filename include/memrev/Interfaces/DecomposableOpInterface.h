//===- DecomposableOpInterface.h - DecomposableOpInterface ---- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_INTERFACES_DECOMPOSABLEOPINTERFACE_H
#define MEMREV_INTERFACES_DECOMPOSABLEOPINTERFACE_H

#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/PatternMatch.h"

#include "memrev/Interfaces/DecomposableOpInterface.h.inc"

#endif // MEMREV_INTERFACES_DECOMPOSABLEOPINTERFACE_H
