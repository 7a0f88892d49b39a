//===- MemoryReport.cpp - What a program's memory is for ------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Compiler/MemoryReport.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/JSON.h"

using namespace mlir;
using namespace mlir::memrev;

std::vector<ValueMemory> mlir::memrev::parsePlan(ArrayAttr entries) {
  std::vector<ValueMemory> plan;
  if (!entries)
    return plan;
  for (auto entry : entries.getAsRange<DictionaryAttr>()) {
    auto text = [&](StringRef name) {
      Attribute value = entry.get(name);
      if (auto string = dyn_cast_or_null<StringAttr>(value))
        return string.getValue().str();
      if (auto symbol = dyn_cast_or_null<FlatSymbolRefAttr>(value))
        return symbol.getValue().str();
      return std::string();
    };
    auto bytes = dyn_cast_or_null<IntegerAttr>(entry.get("bytes"));
    plan.push_back({text("function"), text("location"),
                    bytes ? bytes.getInt() : 0, text("strategy"),
                    text("reason")});
  }
  return plan;
}

FunctionMemory mlir::memrev::measureMemory(const FunctionSignature &function,
                                           llvm::ArrayRef<ValueMemory> plan) {
  FunctionMemory memory;
  memory.function = function.name;
  for (const ParameterSignature &argument : function.arguments)
    memory.argumentBytes += argument.type.getByteSize();
  for (auto [index, result] : llvm::enumerate(function.results)) {
    if (function.hasOwnParameter(index))
      memory.resultBytes += result.type.getByteSize();
  }
  memory.workspaceBytes = function.arenaBytes;
  for (const ValueMemory &value : plan) {
    if (value.function == function.name)
      memory.values.push_back(value);
  }
  return memory;
}

void mlir::memrev::printMemoryText(llvm::raw_ostream &os,
                                   llvm::ArrayRef<FunctionMemory> memory) {
  for (const FunctionMemory &function : memory) {
    os << "function " << function.function << '\n';
    auto line = [&](StringRef name, int64_t bytes) {
      os << "  " << llvm::left_justify(name, 10)
         << llvm::format_decimal(bytes, 16) << " bytes\n";
    };
    line("arguments", function.argumentBytes);
    line("results", function.resultBytes);
    line("workspace", function.workspaceBytes);
    line("peak", function.getPeakBytes());
    if (function.values.empty())
      continue;
    os << "  values that the backward pass needs:\n";
    for (const ValueMemory &value : function.values) {
      os << "    " << llvm::left_justify(value.strategy, 11)
         << llvm::format_decimal(value.bytes, 14) << " bytes  "
         << value.location;
      if (!value.reason.empty())
        os << "  (" << value.reason << ")";
      os << '\n';
    }
  }
}

void mlir::memrev::printMemoryJSON(llvm::raw_ostream &os,
                                   llvm::ArrayRef<FunctionMemory> memory) {
  llvm::json::OStream json(os, /*IndentSize=*/2);
  // Locations are file names, which need not be UTF-8.
  auto text = [](StringRef string) {
    return llvm::json::isUTF8(string) ? string.str()
                                      : llvm::json::fixUTF8(string);
  };
  json.array([&] {
    for (const FunctionMemory &function : memory) {
      json.object([&] {
        json.attribute("function", text(function.function));
        json.attribute("peak_bytes", function.getPeakBytes());
        json.attribute("argument_bytes", function.argumentBytes);
        json.attribute("result_bytes", function.resultBytes);
        json.attribute("workspace_bytes", function.workspaceBytes);
        json.attributeArray("values", [&] {
          for (const ValueMemory &value : function.values) {
            json.object([&] {
              json.attribute("location", text(value.location));
              json.attribute("bytes", value.bytes);
              json.attribute("strategy", text(value.strategy));
              json.attribute("reason", text(value.reason));
            });
          }
        });
      });
    }
  });
  os << '\n';
}
