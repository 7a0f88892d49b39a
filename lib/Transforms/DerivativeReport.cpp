//===- DerivativeReport.cpp - What a derivative stores and has back -------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DerivedFunctions.h"
#include "ReverseContext.h"
#include "memrev/Analysis/MemoryPlan.h"
#include "memrev/Analysis/SourceLocation.h"
#include "memrev/Interfaces/DifferentiableOpInterface.h"
#include "memrev/Interfaces/InvertibleOpInterface.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;
using namespace mlir::memrev;

static int64_t getBytes(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor || !tensor.hasStaticShape() ||
      !tensor.getElementType().isIntOrIndexOrFloat())
    return 0;
  unsigned bits =
      tensor.getElementType().isIndex() ? 64 : tensor.getElementTypeBitWidth();
  return tensor.getNumElements() * ((bits + 7) / 8);
}

static std::string printLocation(Location loc) {
  if (std::optional<std::string> place = printPlace(loc))
    return *place;
  std::string text;
  llvm::raw_string_ostream os(text);
  os << loc;
  return text;
}

/// The operation whose planned inverse gives `value` back, or null.
static Operation *getInverter(Value value) {
  for (Operation *user : value.getUsers()) {
    std::optional<unsigned> edge = getPlannedEdge(user);
    auto invertible = dyn_cast<InvertibleOpInterface>(user);
    if (edge && invertible &&
        llvm::is_contained(invertible.getInverseEdges()[*edge].solved, value))
      return user;
  }
  return nullptr;
}

static Attribute makeEntry(Builder &builder, Location loc, int64_t bytes,
                           StringRef strategy, StringRef reason, int64_t cost) {
  auto string = [&](StringRef text) { return builder.getStringAttr(text); };
  return builder.getDictionaryAttr(
      {builder.getNamedAttr("bytes", builder.getI64IntegerAttr(bytes)),
       builder.getNamedAttr("cost", builder.getI64IntegerAttr(cost)),
       builder.getNamedAttr("location", string(printLocation(loc))),
       builder.getNamedAttr("reason", string(reason)),
       builder.getNamedAttr("strategy", string(strategy))});
}

SmallVector<Attribute> memrev::makeReport(func::FuncOp function,
                                          Operation *marker,
                                          const ReverseState &state,
                                          const CostModel &costs) {
  Builder builder(function.getContext());
  Block &body = function.getBody().front();
  // The cost is that of `source`, which makes the value again.
  auto describe = [&](Value value, StringRef strategy, StringRef reason,
                      Operation *source) -> Attribute {
    int64_t bytes = getBytes(value.getType());
    if (bytes == 0)
      return {};
    return makeEntry(builder, value.getLoc(), bytes, strategy, reason,
                     source ? costs.getTime(source) : 0);
  };
  SmallVector<std::pair<const void *, Attribute>> hadBack;
  for (Value value : state.inverted) {
    // The caller holds the arguments anyway.
    auto argument = dyn_cast<BlockArgument>(value);
    if (argument && argument.getOwner() == &body)
      continue;
    hadBack.push_back(
        {value.getAsOpaquePointer(),
         describe(value, "inverted", "given back by an inverse edge",
                  getInverter(value))});
  }
  for (Value value : state.recomputedValues)
    hadBack.push_back(
        {value.getAsOpaquePointer(),
         describe(value, "recomputed", "evaluated again in the backward part",
                  value.getDefiningOp())});
  eraseDeadOps(body, marker);

  SmallVector<Attribute> entries;
  llvm::DenseSet<const void *> stored;
  for (Operation &op : llvm::make_range(body.begin(), marker->getIterator())) {
    auto rule = dyn_cast<DifferentiableOpInterface>(&op);
    bool isView = op.hasTrait<OpTrait::ConstantLike>() ||
                  (rule && rule.isCheapToRecompute());
    for (Value result : op.getResults())
      for (Operation *user : result.getUsers()) {
        Operation *ancestor = body.findAncestorOpInBlock(*user);
        if (isView || !ancestor || !marker->isBeforeInBlock(ancestor))
          continue;
        stored.insert(result.getAsOpaquePointer());
        auto reason = op.getAttrOfType<StringAttr>(kReasonAttrName);
        if (Attribute entry = describe(
                result, "stored",
                reason ? reason.getValue() : "read by the backward part", &op))
          entries.push_back(entry);
        break;
      }
  }
  for (auto [value, entry] : hadBack)
    if (entry && !stored.contains(value))
      entries.push_back(entry);
  return entries;
}

/// The public functions that call `function`, directly or not.
static SmallVector<func::FuncOp> getEntries(func::FuncOp function,
                                            ModuleOp module) {
  llvm::SetVector<Operation *> reached;
  reached.insert(function);
  SmallVector<func::FuncOp> entries;
  for (size_t i = 0; i < reached.size(); ++i) {
    auto callee = cast<func::FuncOp>(reached[i]);
    if (callee.isPublic())
      entries.push_back(callee);
    auto uses = SymbolTable::getSymbolUses(callee, module);
    if (!uses)
      continue;
    for (const SymbolTable::SymbolUse &use : *uses)
      if (auto caller = use.getUser()->getParentOfType<func::FuncOp>())
        reached.insert(caller);
  }
  return entries;
}

void DerivedFunctions::addReport() {
  Builder builder(module.getContext());
  SmallVector<Attribute> all;
  // The pass may have run before, for other functions.
  if (auto known = module->getAttrOfType<ArrayAttr>("memrev.plan"))
    all.assign(known.begin(), known.end());
  for (auto &[function, entries] : reports)
    for (func::FuncOp entry : getEntries(function, module))
      for (Attribute value : entries) {
        NamedAttrList named(cast<DictionaryAttr>(value));
        named.set("function", builder.getStringAttr(entry.getName()));
        all.push_back(named.getDictionary(module.getContext()));
      }
  if (!all.empty())
    module->setAttr("memrev.plan", builder.getArrayAttr(all));
  if (drift)
    module->setAttr(rev::kDriftSitesAttrName,
                    builder.getArrayAttr(drift->sites));
}
