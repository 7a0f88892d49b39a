//===- InferredChains.cpp - Which inferred inverses are worth it ----------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Inference.h"
#include "memrev/Analysis/Cost.h"
#include "memrev/Analysis/Invertibility.h"
#include "memrev/Analysis/MemoryPlan.h"
#include "memrev/Analysis/Recomputation.h"
#include "memrev/Dialect/Rev/IR/Rev.h"
#include "mlir/Interfaces/LoopLikeInterface.h"
#include "llvm/ADT/IntEqClasses.h"
#include "llvm/ADT/MapVector.h"

using namespace mlir;
using namespace mlir::memrev;

/// Where something that takes long is evaluated again, a chain gives at least
/// this many times as many bytes back as it starts from.
static constexpr int64_t kLeastReturn = 2;

//===----------------------------------------------------------------------===//
// Chains
//===----------------------------------------------------------------------===//

void Inference::findUsed() {
  // Links read what links before them gave back.
  for (InverseLink &link : llvm::reverse(links)) {
    if (!link.isUsed)
      continue;
    for (Value leaf : link.leaves)
      if (auto it = known.find(leaf);
          it != known.end() && it->second != kNoLink)
        links[it->second].isUsed = true;
  }
}

static void setConeRecomputed(const InverseLink &link) {
  for (Operation *op : link.cone)
    if (!op->hasTrait<OpTrait::ConstantLike>())
      for (OpResult result : op->getResults())
        setRecomputed(result);
}

void Inference::write() {
  llvm::IntEqClasses chains(links.size());
  for (auto [id, link] : llvm::enumerate(links))
    for (Value leaf : link.leaves)
      if (auto it = known.find(leaf); link.isUsed && !link.isPlanned &&
                                      it != known.end() &&
                                      it->second != kNoLink)
        chains.join(id, it->second);
  struct Chain {
    int64_t givenBack = 0;
    llvm::SmallDenseSet<Value, 4> starts;
    bool takesLong = false;
  };
  DenseMap<unsigned, Chain> all;
  for (auto [id, link] : llvm::enumerate(links)) {
    if (!link.isUsed || link.isPlanned)
      continue;
    Chain &chain = all[chains.findLeader(id)];
    for (Value value : link.read)
      chain.givenBack += getApproximateBytes(value.getType());
    for (Value leaf : link.leaves)
      if (isLocal(leaf) && known.lookup(leaf) == kNoLink &&
          !planned.contains(leaf))
        chain.starts.insert(leaf);
    chain.takesLong |= llvm::any_of(link.cone, isExpensive);
  }
  SmallVector<Value> left;
  Builder builder(block.getParentOp()->getContext());
  for (auto [id, link] : llvm::enumerate(links)) {
    if (!link.isUsed) {
      llvm::append_range(left, link.readInside);
      continue;
    }
    if (link.isPlanned) {
      int64_t read = 0, more = 0;
      for (Value value : link.readInside)
        read += getApproximateBytes(value.getType());
      for (Value leaf : link.leaves)
        if (isLocal(leaf) && known.lookup(leaf) == kNoLink &&
            !planned.contains(leaf) && !stored.contains(leaf))
          more += getApproximateBytes(leaf.getType());
      if (read < kLeastReturn * more) {
        llvm::append_range(left, link.readInside);
        continue;
      }
      setConeRecomputed(link);
      continue;
    }
    const Chain &chain = all[chains.findLeader(id)];
    int64_t startBytes = 0, more = 0;
    for (Value value : chain.starts) {
      int64_t bytes = getApproximateBytes(value.getType());
      startBytes += bytes;
      more += stored.contains(value) ? 0 : bytes;
    }
    if (chain.takesLong ? chain.givenBack < kLeastReturn * startBytes
                        : chain.givenBack <= more) {
      for (Value value : link.read) {
        failures[value] = {link.op, LinkFailure::StartsFromMuch, {}, startBytes,
                           chain.givenBack};
        left.push_back(value);
      }
      llvm::append_range(left, link.readInside);
      continue;
    }
    link.op->setAttr(kInvertAttrName, builder.getI64IntegerAttr(link.edge));
    for (Value leaf : link.leaves)
      starts.try_emplace(leaf, link.op);
    setConeRecomputed(link);
  }
  stored.insert_range(left);
  // An operation says it of one result: of one that an inverse is about.
  llvm::MapVector<Operation *, Value> blamed;
  auto isKnownWhy = [&](Value value) {
    return starts.contains(value) || failures.contains(value);
  };
  for (Value value : stored) {
    Operation *op = value.getDefiningOp();
    if (isCheap(op) || op->hasAttr(kReasonAttrName))
      continue;
    Value &known = blamed.try_emplace(op, value).first->second;
    if (!isKnownWhy(known))
      known = value;
  }
  SmallVector<std::pair<Operation *, StringAttr>> reasons;
  for (auto [op, value] : blamed)
    reasons.push_back({op, builder.getStringAttr(explain(value))});
  for (auto [op, reason] : reasons)
    op->setAttr(kReasonAttrName, reason);
}

std::string Inference::explain(Value value) const {
  if (Operation *op = starts.lookup(value))
    return "the inverse of " + printName(op) + " starts from it";
  if (llvm::is_contained(block.getTerminator()->getOperands(), value))
    return "the function returns it";
  auto it = failures.find(value);
  if (it == failures.end()) {
    // Couplings and loops were planned before.
    for (Operation *user : value.getUsers())
      if (auto reason = user->getAttrOfType<StringAttr>(kReasonAttrName);
          reason && isa<rev::CouplingOp, LoopLikeOpInterface>(user))
        return printName(user) + " is not inverted: " + reason.str();
    return getMissingEdge(value, block).reason;
  }
  const LinkFailure &failure = it->second;
  std::string inverse = "the inverse of " + printName(failure.op);
  std::string start = failure.start ? printName(failure.start) : "";
  switch (failure.reason) {
  case LinkFailure::LosesDigits:
    return inverse + " may lose more than half of the digits";
  case LinkFailure::NeedsItself:
    return inverse + " needs " + start + ", and that needs " +
           printName(value) + " first";
  case LinkFailure::NeedsStored:
    return inverse + " needs " + start + ", which is not evaluated again";
  case LinkFailure::TakesLong:
    return inverse + " would evaluate " + start + " again for this alone";
  case LinkFailure::GivesAnother:
    return inverse + " gives another operand back";
  case LinkFailure::IsMadeAgain:
    return "it would be made of arguments again, but is at hand";
  case LinkFailure::IsReadBefore:
    if (Operation *op = keptFor.lookup(value))
      return "the inverse of " + printName(op) + " would start from it";
    return "what is behind " + printName(failure.op) +
           " reads it before that is undone";
  case LinkFailure::StartsFromMuch:
    return inverse + " is in a chain that starts from " +
           std::to_string(failure.starts) + " bytes and gives " +
           std::to_string(failure.givenBack) + " back";
  }
  llvm_unreachable("unknown reason");
}
