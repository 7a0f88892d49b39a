//===- Entries.cpp - What a bufferized module says of its callers ---------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Pipelines/Entries.h"
#include "memrev/Codegen/Common/AttributeNames.h"
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

static Entry readEntry(func::FuncOp func) {
  Entry entry;
  entry.func = func;
  if (auto bytes = func->getAttrOfType<IntegerAttr>(kArenaBytesAttr))
    entry.arenaBytes = bytes.getInt();
  entry.arenaBuffers = func->getAttrOfType<ArrayAttr>(kArenaBuffersAttr);
  for (unsigned i = 0; i < func.getNumArguments(); ++i) {
    auto role = func.getArgAttrOfType<StringAttr>(i, kRoleAttr);
    if (!role || role.getValue() != kArgumentRole)
      continue;
    Type type = func.getArgumentTypes()[i];
    entry.arguments.push_back(
        {type, !isa<MemRefType>(type),
         static_cast<bool>(func.getArgAttr(i, kOverwrittenAttr))});
  }
  auto parameters =
      func->getAttrOfType<DenseI64ArrayAttr>(kResultParametersAttr);
  if (!parameters)
    return entry;
  for (int64_t parameter : parameters.asArrayRef()) {
    if (parameter < 0 || parameter >= int64_t(func.getNumArguments()))
      continue;
    entry.results.push_back(
        {func.getArgumentTypes()[parameter],
         static_cast<bool>(func.getArgAttr(parameter, kScalarAttr)),
         /*isDonated=*/false});
    entry.resultParameters.push_back(parameter);
  }
  return entry;
}

SmallVector<Entry> mlir::memrev::readEntries(ModuleOp module) {
  SmallVector<Entry> entries;
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

ArrayAttr mlir::memrev::readPlan(ModuleOp module) {
  return module->getAttrOfType<ArrayAttr>(kPlanAttr);
}
