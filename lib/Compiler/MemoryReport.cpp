//===- MemoryReport.cpp - What a program's memory is for ------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Compiler/MemoryReport.h"
#include "memrev/Analysis/CostModel.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Location.h"
#include "llvm/ADT/StringSwitch.h"
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
    auto cost = dyn_cast_or_null<IntegerAttr>(entry.get("cost"));
    plan.push_back({text("function"), text("location"),
                    bytes ? bytes.getInt() : 0, text("strategy"),
                    text("reason"),
                    cost ? std::optional(cost.getInt()) : std::nullopt});
  }
  return plan;
}

/// The first place in a file that `location` holds.
static std::string printPlace(LocationAttr location) {
  std::string text;
  location.walk([&](Location inner) {
    auto place = dyn_cast<FileLineColLoc>(inner);
    if (!place)
      return WalkResult::advance();
    llvm::raw_string_ostream(text)
        << place.getFilename().getValue() << ':' << place.getLine() << ':'
        << place.getColumn();
    return WalkResult::interrupt();
  });
  return text;
}

std::vector<BufferMemory> mlir::memrev::parseBuffers(ArrayAttr entries) {
  std::vector<BufferMemory> buffers;
  if (!entries)
    return buffers;
  for (auto entry : entries.getAsRange<DictionaryAttr>()) {
    BufferMemory &buffer = buffers.emplace_back();
    if (auto location = entry.getAs<LocationAttr>("location"))
      buffer.location = printPlace(location);
    if (auto bytes = entry.getAs<IntegerAttr>("bytes"))
      buffer.bytes = bytes.getInt();
    if (auto type = entry.getAs<TypeAttr>("type"))
      llvm::raw_string_ostream(buffer.type) << type.getValue();
    if (auto offset = entry.getAs<IntegerAttr>("offset"))
      buffer.offset = offset.getInt();
    auto time = [&](StringRef name) {
      auto value = entry.getAs<FloatAttr>(name);
      return value ? value.getValueAsDouble() : 0.0;
    };
    buffer.isAtPeak = entry.get("at_peak") != nullptr;
    buffer.begin = time("begin");
    buffer.end = time("end");
  }
  return buffers;
}

std::vector<BufferMemory> FunctionMemory::getBuffersAtPeak() const {
  std::vector<BufferMemory> atPeak;
  for (const BufferMemory &buffer : buffers)
    if (buffer.isAtPeak)
      atPeak.push_back(buffer);
  llvm::sort(atPeak, [](const BufferMemory &a, const BufferMemory &b) {
    return std::tie(b.bytes, a.location, a.type) <
           std::tie(a.bytes, b.location, b.type);
  });
  return atPeak;
}

FunctionMemory mlir::memrev::measureMemory(const FunctionSignature &function,
                                           llvm::ArrayRef<ValueMemory> plan,
                                           std::vector<BufferMemory> buffers) {
  FunctionMemory memory;
  memory.function = function.name;
  if (function.extents.empty()) {
    for (const ParameterSignature &argument : function.arguments)
      memory.argumentBytes += argument.type.getByteSize();
    for (auto [index, result] : llvm::enumerate(function.results)) {
      if (function.hasOwnParameter(index))
        memory.resultBytes += result.type.getByteSize();
    }
    memory.workspaceBytes = function.arenaBytes;
  }
  memory.buffers = std::move(buffers);
  for (const ValueMemory &value : plan) {
    if (value.function == function.name)
      memory.values.push_back(value);
  }
  return memory;
}

//===----------------------------------------------------------------------===//
// Formats
//===----------------------------------------------------------------------===//

static double getMilliseconds(int64_t time) {
  return time * CostModel::kNanosecondsPerTick * 1e-6;
}

static void printText(llvm::raw_ostream &os,
                      llvm::ArrayRef<FunctionMemory> memory) {
  for (const FunctionMemory &function : memory) {
    os << "function " << function.function << '\n';
    auto line = [&](StringRef name, int64_t bytes, StringRef formula = {}) {
      os << "  " << llvm::left_justify(name, 10);
      if (formula.empty())
        os << llvm::format_decimal(bytes, 16) << " bytes\n";
      else
        os << ' ' << formula << " bytes\n";
    };
    line("arguments", function.argumentBytes, function.argumentFormula);
    line("results", function.resultBytes, function.resultFormula);
    line("workspace", function.workspaceBytes, function.workspaceFormula);
    line("peak", function.getPeakBytes(), function.peakFormula);
    if (function.time)
      os << "  time      "
         << llvm::format("%16.4f", getMilliseconds(*function.time))
         << " ms, by estimate\n";
    if (function.measuredBytes)
      line("measured", *function.measuredBytes);
    std::vector<BufferMemory> atPeak = function.getBuffersAtPeak();
    if (!atPeak.empty())
      os << "  buffers when the workspace is fullest:\n";
    // The rest is in the JSON.
    constexpr size_t numListed = 8;
    for (const BufferMemory &buffer :
         llvm::ArrayRef(atPeak).take_front(numListed))
      os << "    " << llvm::format_decimal(buffer.bytes, 25) << " bytes  "
         << buffer.location << "  (" << buffer.type << ")\n";
    if (atPeak.size() > numListed)
      os << "    and " << atPeak.size() - numListed << " smaller\n";
    if (function.curve.size() > 1) {
      os << "  time against memory, by estimate:\n";
      for (const MemoryPoint &point : function.curve)
        os << "    " << llvm::format_decimal(point.peakBytes, 25) << " bytes  "
           << llvm::format("%12.4f", getMilliseconds(point.time)) << " ms\n";
    } else if (!function.curve.empty()) {
      os << "  no other plan takes fewer bytes or less time\n";
    }
    if (function.values.empty())
      continue;
    os << "  values that the backward pass needs:\n";
    for (const ValueMemory &value : function.values) {
      os << "    " << llvm::left_justify(value.strategy, 11)
         << llvm::format_decimal(value.bytes, 14) << " bytes  ";
      if (value.cost)
        os << llvm::format("%10.4f", getMilliseconds(*value.cost)) << " ms  ";
      os << value.location;
      if (!value.reason.empty())
        os << "  (" << value.reason << ")";
      os << '\n';
    }
  }
}

static void printJSON(llvm::raw_ostream &os,
                      llvm::ArrayRef<FunctionMemory> memory, unsigned indent) {
  llvm::json::OStream json(os, indent);
  // Locations are file names, which need not be UTF-8.
  auto text = [](StringRef string) {
    return llvm::json::isUTF8(string) ? string.str()
                                      : llvm::json::fixUTF8(string);
  };
  json.array([&] {
    for (const FunctionMemory &function : memory) {
      json.object([&] {
        json.attribute("function", text(function.function));
        // Of open extents a text says it.
        auto bytes = [&](StringRef name, int64_t number, StringRef formula) {
          if (formula.empty())
            json.attribute(name, number);
          else
            json.attribute(name, formula);
        };
        bytes("peak_bytes", function.getPeakBytes(), function.peakFormula);
        bytes("argument_bytes", function.argumentBytes,
              function.argumentFormula);
        bytes("result_bytes", function.resultBytes, function.resultFormula);
        bytes("workspace_bytes", function.workspaceBytes,
              function.workspaceFormula);
        auto time = [&](StringRef name, std::optional<int64_t> ticks) {
          if (ticks)
            json.attribute(name, *ticks * CostModel::kNanosecondsPerTick);
        };
        time("time_ns", function.time);
        if (!function.curve.empty())
          json.attributeArray("curve", [&] {
            for (const MemoryPoint &point : function.curve) {
              json.object([&] {
                json.attribute("peak_bytes", point.peakBytes);
                time("time_ns", point.time);
              });
            }
          });
        if (function.measuredBytes)
          json.attribute("measured_bytes", *function.measuredBytes);
        auto list = [&](StringRef name, llvm::ArrayRef<BufferMemory> buffers) {
          json.attributeArray(name, [&] {
            for (const BufferMemory &buffer : buffers) {
              json.object([&] {
                json.attribute("location", text(buffer.location));
                json.attribute("type", text(buffer.type));
                json.attribute("bytes", buffer.bytes);
                json.attribute("offset", buffer.offset);
                json.attribute("begin", buffer.begin);
                json.attribute("end", buffer.end);
              });
            }
          });
        };
        list("buffers", function.buffers);
        list("at_peak", function.getBuffersAtPeak());
        json.attributeArray("values", [&] {
          for (const ValueMemory &value : function.values) {
            json.object([&] {
              json.attribute("location", text(value.location));
              json.attribute("bytes", value.bytes);
              time("cost_ns", value.cost);
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

/// The page, with a mark where the data goes.
static constexpr StringRef kPage =
#include "MemoryReport.html.inc"
    ;

static void printHTML(llvm::raw_ostream &os,
                      llvm::ArrayRef<FunctionMemory> memory) {
  std::string data;
  llvm::raw_string_ostream stream(data);
  printJSON(stream, memory, /*indent=*/0);
  auto [before, after] = kPage.split("/*MEMORY*/[]");
  os << before;
  // Nothing in the data may end the script that it is in.
  for (char c : data) {
    if (c == '<')
      os << "\\u003c";
    else
      os << c;
  }
  os << after;
}

std::optional<ReportFormat> mlir::memrev::parseReportFormat(StringRef name) {
  return llvm::StringSwitch<std::optional<ReportFormat>>(name)
      .Case("text", ReportFormat::Text)
      .Case("json", ReportFormat::JSON)
      .Case("html", ReportFormat::HTML)
      .Default(std::nullopt);
}

void mlir::memrev::printMemory(llvm::raw_ostream &os,
                               llvm::ArrayRef<FunctionMemory> memory,
                               ReportFormat format) {
  switch (format) {
  case ReportFormat::Text:
    return printText(os, memory);
  case ReportFormat::JSON:
    return printJSON(os, memory, /*indent=*/2);
  case ReportFormat::HTML:
    return printHTML(os, memory);
  }
}
