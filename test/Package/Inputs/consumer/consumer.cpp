//===- consumer.cpp - Uses the installed package --------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Prints the couplings of the file that is its argument.
//
//===----------------------------------------------------------------------===//

#include "memrev/Dialect/Rev/IR/Rev.h"
#include "mlir/Parser/Parser.h"

int main(int argc, char **argv) {
  mlir::MLIRContext context;
  context.loadDialect<mlir::memrev::rev::RevDialect>();
  auto module = mlir::parseSourceFile<mlir::ModuleOp>(argv[1], &context);
  if (!module)
    return 1;
  module->walk([](mlir::memrev::rev::CouplingOp op) { op->dump(); });
}
