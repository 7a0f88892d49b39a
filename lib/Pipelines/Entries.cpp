//===- Entries.cpp - What a bufferized module says of its callers ---------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Pipelines/Entries.h"
#include "memrev/Codegen/Common/AttributeNames.h"
#include "memrev/Codegen/Common/ByteSize.h"
#include "memrev/Codegen/Common/DeclaredKernel.h"
#include "memrev/Codegen/Common/Polynomial.h"
#include "mlir/IR/BuiltinOps.h"

using namespace mlir;
using namespace mlir::memrev;

ParameterNames ParameterNames::take(ModuleOp module) {
  auto nameAttr = StringAttr::get(module.getContext(), kNameAttr);
  auto residualAttr = StringAttr::get(module.getContext(), kResidualAttr);
  auto getValue = [](Attribute name) {
    auto text = dyn_cast_or_null<StringAttr>(name);
    return text ? text.str() : std::string();
  };
  ParameterNames names;
  for (auto func : module.getOps<func::FuncOp>()) {
    SmallVector<std::string> &arguments = names.arguments[func.getSymName()];
    SmallVector<std::string> &residuals = names.residuals[func.getSymName()];
    for (unsigned i = 0; i < func.getNumArguments(); ++i) {
      arguments.push_back(getValue(func.removeArgAttr(i, nameAttr)));
      residuals.push_back(getValue(func.removeArgAttr(i, residualAttr)));
    }
    SmallVector<std::string> &results = names.results[func.getSymName()];
    for (unsigned i = 0; i < func.getNumResults(); ++i)
      results.push_back(getValue(func.removeResultAttr(i, nameAttr)));
  }
  return names;
}

/// Looks a name up; `kind` and the number is what stands for none.
static std::string
getName(const llvm::StringMap<SmallVector<std::string>> &names, StringRef func,
        StringRef kind, size_t index) {
  auto found = names.find(func);
  if (found != names.end() && index < found->second.size() &&
      !found->second[index].empty())
    return found->second[index];
  return (kind + Twine(index)).str();
}

std::string ParameterNames::getArgument(StringRef func, size_t index) const {
  return getName(arguments, func, "arg", index);
}

std::string ParameterNames::getResult(StringRef func, size_t index) const {
  return getName(results, func, "result", index);
}

/// Reads one entry. Attributes that another tool wrote may be missing or name
/// parameters that are not there: such results are left out.
std::string ParameterNames::getResidual(StringRef func, size_t index) const {
  auto found = residuals.find(func);
  if (found == residuals.end() || index >= found->second.size())
    return {};
  return found->second[index];
}

/// The buffer that the parameter `index` of `func` is, or its scalar.
static Type getParameterType(func::FuncOp func, unsigned index) {
  auto buffer = func.getArgAttrOfType<TypeAttr>(index, kBufferTypeAttr);
  return buffer ? buffer.getValue() : func.getArgumentTypes()[index];
}

static AffineMap getOpenExtents(func::FuncOp func, unsigned index) {
  auto map = func.getArgAttrOfType<AffineMapAttr>(index, kExtentsAttr);
  return map ? map.getValue() : AffineMap();
}

static EntryParameter readParameter(func::FuncOp func, unsigned index) {
  EntryParameter parameter;
  parameter.type = getParameterType(func, index);
  if (AffineMap map = getOpenExtents(func, index)) {
    for (AffineExpr extent : map.getResults())
      parameter.extents.push_back(printFormula(extent));
  }
  return parameter;
}

/// The bytes of the parameter `index` by the extents of the arguments.
static AffineExpr getBytes(func::FuncOp func, unsigned index) {
  MLIRContext *context = func.getContext();
  Type type = getParameterType(func, index);
  auto buffer = dyn_cast<MemRefType>(type);
  AffineExpr bytes = getAffineConstantExpr(
      getElementBytes(buffer ? buffer.getElementType() : type), context);
  if (!buffer)
    return bytes;
  for (int64_t extent : buffer.getShape()) {
    if (!ShapedType::isDynamic(extent))
      bytes = bytes * extent;
  }
  if (AffineMap map = getOpenExtents(func, index)) {
    for (AffineExpr extent : map.getResults())
      bytes = bytes * extent;
  }
  return bytes;
}

static EntryFormulas getFormulas(func::FuncOp func, AffineMap arena) {
  MLIRContext *context = func.getContext();
  AffineExpr arguments = getAffineConstantExpr(0, context), results = arguments;
  for (unsigned i = 0; i < func.getNumArguments(); ++i) {
    auto role = func.getArgAttrOfType<StringAttr>(i, kRoleAttr);
    if (role && role.getValue() == kArgumentRole)
      arguments = arguments + getBytes(func, i);
    else if (role && role.getValue() == kResultRole)
      results = results + getBytes(func, i);
  }
  auto print = [&](ArrayRef<AffineExpr> terms) {
    Maximum most;
    for (AffineExpr term : terms) {
      auto polynomial = Polynomial::get(term);
      // As it is written, if that is too much to be simplified.
      if (!polynomial)
        return printFormula(AffineMap::get(0, 0, terms, context));
      most.add(std::move(*polynomial));
    }
    return printFormula(most.toMap(0, context));
  };
  SmallVector<AffineExpr> peaks;
  for (AffineExpr term : arena.getResults())
    peaks.push_back(term + arguments + results);
  return {print(arguments), print(results), print(arena.getResults()),
          print(peaks)};
}

static Entry readEntry(func::FuncOp func) {
  Entry entry;
  entry.func = func;
  if (auto bytes = func->getAttrOfType<IntegerAttr>(kArenaBytesAttr))
    entry.arenaBytes = bytes.getInt();
  if (auto bytes = func->getAttrOfType<AffineMapAttr>(kArenaBytesAttr))
    entry.formulas = getFormulas(func, bytes.getValue());
  entry.arenaBuffers = func->getAttrOfType<ArrayAttr>(kArenaBuffersAttr);
  for (unsigned i = 0; i < func.getNumArguments(); ++i) {
    auto role = func.getArgAttrOfType<StringAttr>(i, kRoleAttr);
    if (!role || role.getValue() != kArgumentRole)
      continue;
    EntryParameter parameter = readParameter(func, i);
    parameter.isScalar = !isa<MemRefType>(parameter.type);
    parameter.isDonated =
        static_cast<bool>(func.getArgAttr(i, kOverwrittenAttr));
    if (auto buffer = dyn_cast<MemRefType>(parameter.type)) {
      for (int64_t axis = 0; axis < buffer.getRank(); ++axis) {
        if (buffer.isDynamicDim(axis))
          entry.extents.push_back({int64_t(entry.arguments.size()), axis});
      }
    }
    entry.arguments.push_back(std::move(parameter));
  }
  auto parameters =
      func->getAttrOfType<DenseI64ArrayAttr>(kResultParametersAttr);
  if (!parameters)
    return entry;
  for (int64_t parameter : parameters.asArrayRef()) {
    if (parameter < 0 || parameter >= int64_t(func.getNumArguments()))
      continue;
    entry.results.push_back(readParameter(func, parameter));
    entry.results.back().isScalar =
        static_cast<bool>(func.getArgAttr(parameter, kScalarAttr));
    entry.resultParameters.push_back(parameter);
  }
  return entry;
}

std::vector<Entry> mlir::memrev::readEntries(ModuleOp module) {
  std::vector<Entry> entries;
  for (auto func : module.getOps<func::FuncOp>()) {
    if (func->hasAttr(kEntryAttr))
      entries.push_back(readEntry(func));
  }
  return entries;
}

std::optional<int64_t> mlir::memrev::getMemoryBudget(func::FuncOp func) {
  auto budget = func->getAttrOfType<IntegerAttr>(kMemoryBudgetAttr);
  return budget ? std::optional(budget.getInt()) : std::nullopt;
}

std::vector<std::string> mlir::memrev::readExternals(ModuleOp module) {
  std::vector<std::string> names;
  for (auto func : module.getOps<func::FuncOp>()) {
    if (isDeclaredKernel(func))
      names.push_back(func.getSymName().str());
  }
  return names;
}

ArrayAttr mlir::memrev::readPlan(ModuleOp module) {
  return module->getAttrOfType<ArrayAttr>(kPlanAttr);
}
