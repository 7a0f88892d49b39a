//===- ForwardDifferentiableOpInterface.h --------------------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_INTERFACES_FORWARDDIFFERENTIABLEOPINTERFACE_H
#define MEMREV_INTERFACES_FORWARDDIFFERENTIABLEOPINTERFACE_H

#include "memrev/Interfaces/TangentContext.h"
#include "mlir/IR/OpDefinition.h"

#include "memrev/Interfaces/ForwardDifferentiableOpInterface.h.inc"

#endif // MEMREV_INTERFACES_FORWARDDIFFERENTIABLEOPINTERFACE_H
