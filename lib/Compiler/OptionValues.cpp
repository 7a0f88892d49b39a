//===- OptionValues.cpp - Options of the compiler, from text --------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Compiler/Compiler.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/MathExtras.h"
#include <cmath>

using namespace mlir;
using namespace mlir::memrev;

static constexpr StringRef kStageNames[] = {"differentiate", "lower",
                                            "schedule", "bufferize", "binary"};

std::optional<Stage> mlir::memrev::parseStage(StringRef name) {
  const auto *it = llvm::find(kStageNames, name);
  if (it == std::end(kStageNames))
    return std::nullopt;
  return static_cast<Stage>(it - std::begin(kStageNames));
}

StringRef mlir::memrev::getName(Stage stage) {
  return kStageNames[static_cast<size_t>(stage)];
}

std::optional<std::string> mlir::memrev::parseKernelFormat(StringRef name) {
  return llvm::StringSwitch<std::optional<std::string>>(name)
      .Case("ptx", "isa")
      .Case("cubin", "bin")
      .Cases({"auto", "fatbin", "llvm"}, name.str())
      .Default(std::nullopt);
}

std::optional<double> mlir::memrev::parseTolerance(StringRef text) {
  double value = 0;
  if (text.getAsDouble(value) || !(value > 0) || std::isinf(value))
    return std::nullopt;
  return value;
}

std::optional<int64_t> mlir::memrev::parseBytes(StringRef text) {
  int64_t unit = 1;
  if (text.consume_back("KiB"))
    unit = int64_t(1) << 10;
  else if (text.consume_back("MiB"))
    unit = int64_t(1) << 20;
  else if (text.consume_back("GiB"))
    unit = int64_t(1) << 30;
  int64_t number = 0, bytes = 0;
  if (text.getAsInteger(10, number) || number <= 0 ||
      llvm::MulOverflow(number, unit, bytes))
    return std::nullopt;
  return bytes;
}

std::optional<int64_t> mlir::memrev::parseCurvePoints(StringRef text) {
  int64_t points = 0;
  if (text.getAsInteger(10, points) || points < 2 || points > 64)
    return std::nullopt;
  return points;
}
