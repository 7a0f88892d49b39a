//===- memrev-opt.cpp - The memrev-opt driver -----------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// memrev-opt is mlir-opt with memrev's dialect and passes: every upstream
// pass works too.
//
//===----------------------------------------------------------------------===//

#include "memrev/InitAll.h"
#include "mlir/IR/Dialect.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  mlir::memrev::registerAllDialects(registry);
  mlir::memrev::registerAllPasses();
  return mlir::asMainReturnCode(
      mlir::MlirOptMain(argc, argv, "memrev optimizer driver\n", registry));
}
