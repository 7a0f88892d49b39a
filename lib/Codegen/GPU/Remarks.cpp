//===- Remarks.cpp - What was not done, and why ---------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Remarks.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/Remarks.h"

using namespace mlir;

void mlir::memrev::simt::reportMissed(Operation *op, StringRef name,
                                      StringRef category, const Twine &line) {
  if (!op->getContext()->getRemarkEngine()) {
    op->emitRemark() << line;
    return;
  }
  remark::missed(op->getLoc(),
                 remark::RemarkOpts::name(name).category(category))
      << line.str();
}
