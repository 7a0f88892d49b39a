//===- DeclaredKernel.cpp - Kernels whose code is elsewhere ---------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Codegen/Common/DeclaredKernel.h"
#include "memrev/Codegen/Common/AttributeNames.h"
#include "mlir/Dialect/Bufferization/IR/BufferizableOpInterface.h"

using namespace mlir;
using namespace mlir::memrev;

static constexpr llvm::StringLiteral kAccessAttr =
    bufferization::BufferizationDialect::kBufferAccessAttrName;

bool memrev::isDeclaredKernel(func::FuncOp func) {
  return func.isExternal() && func->hasAttr(kKernelAttr);
}

unsigned memrev::getDestinationArgument(func::FuncOp kernel, unsigned result) {
  return kernel.getNumArguments() - kernel.getNumResults() + result;
}

ArgumentAccess memrev::getArgumentAccess(func::FuncOp kernel, unsigned number) {
  auto access = kernel.getArgAttrOfType<StringAttr>(number, kAccessAttr);
  return llvm::StringSwitch<ArgumentAccess>(access ? access.getValue() : "")
      .Case("none", ArgumentAccess::None)
      .Case("read", ArgumentAccess::Read)
      .Case("write", ArgumentAccess::Write)
      .Default(ArgumentAccess::ReadWrite);
}

void memrev::setArgumentAccess(func::FuncOp kernel, unsigned number,
                               ArgumentAccess access) {
  StringRef name;
  switch (access) {
  case ArgumentAccess::None:
    name = "none";
    break;
  case ArgumentAccess::Read:
    name = "read";
    break;
  case ArgumentAccess::Write:
    name = "write";
    break;
  case ArgumentAccess::ReadWrite:
    name = "read-write";
    break;
  }
  kernel.setArgAttr(number, kAccessAttr,
                    StringAttr::get(kernel.getContext(), name));
}

bool memrev::readsArgument(func::FuncOp kernel, unsigned number) {
  ArgumentAccess access = getArgumentAccess(kernel, number);
  return access == ArgumentAccess::Read || access == ArgumentAccess::ReadWrite;
}

bool memrev::writesArgument(func::FuncOp kernel, unsigned number) {
  ArgumentAccess access = getArgumentAccess(kernel, number);
  return access == ArgumentAccess::Write || access == ArgumentAccess::ReadWrite;
}
