//===- SourceLocation.cpp - Places in source files ------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Analysis/SourceLocation.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace mlir::memrev;

std::optional<std::string> memrev::printPlace(Location loc) {
  auto file = loc->findInstanceOf<FileLineColLoc>();
  if (!file)
    return std::nullopt;
  std::string text;
  llvm::raw_string_ostream os(text);
  os << file.getFilename().getValue() << ':' << file.getLine() << ':'
     << file.getColumn();
  return text;
}
