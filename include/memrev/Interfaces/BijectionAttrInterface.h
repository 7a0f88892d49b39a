//===- BijectionAttrInterface.h - BijectionAttrInterface ------ -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_INTERFACES_BIJECTIONATTRINTERFACE_H
#define MEMREV_INTERFACES_BIJECTIONATTRINTERFACE_H

#include "mlir/IR/Attributes.h"
#include "mlir/IR/Builders.h"

#include "memrev/Interfaces/BijectionAttrInterface.h.inc"

#endif // MEMREV_INTERFACES_BIJECTIONATTRINTERFACE_H
