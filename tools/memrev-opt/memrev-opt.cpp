//===- memrev-opt.cpp - The memrev-opt driver -----------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// memrev-opt is mlir-opt with memrev's dialect and passes: every upstream
// pass works too. It also says which rules are registered.
//
//===----------------------------------------------------------------------===//

#include "memrev/InitAll.h"
#include "mlir/IR/Dialect.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/raw_ostream.h"

static llvm::cl::opt<bool> showDerivativeRules(
    "show-derivative-rules",
    llvm::cl::desc("Print which operations have derivative and inverse rules"));

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  mlir::memrev::registerAllDialects(registry);
  mlir::memrev::registerAllPasses();
  auto [input, output] = mlir::registerAndParseCLIOptions(
      argc, argv, "memrev optimizer driver\n", registry);
  if (showDerivativeRules) {
    mlir::memrev::printDerivativeRules(registry, llvm::outs());
    return 0;
  }
  return mlir::asMainReturnCode(
      mlir::MlirOptMain(argc, argv, input, output, registry));
}
