//===- InferredInverses.cpp - Inverses of programs without couplings ------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Analysis/InferredInverses.h"
#include "memrev/Analysis/Cost.h"
#include "memrev/Analysis/Drift.h"
#include "memrev/Analysis/MemoryPlan.h"
#include "memrev/Analysis/Recomputation.h"
#include "memrev/Interfaces/DifferentiableOpInterface.h"
#include "memrev/Interfaces/InvertibleOpInterface.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Interfaces/CallInterfaces.h"
#include "mlir/Interfaces/LoopLikeInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/IntEqClasses.h"
#include "llvm/ADT/SetVector.h"
#include <limits>
#include <queue>

using namespace mlir;
using namespace mlir::memrev;

/// What takes more operations to evaluate again is not looked through.
static constexpr size_t kMaxConeOps = 512;

/// As many operations on arguments alone, none of which takes long.
static constexpr size_t kMaxQuickOps = 8;

/// Where something that takes long is evaluated again, a chain gives at least
/// this many times as many bytes back as it starts from.
static constexpr int64_t kLeastReturn = 2;

namespace {

/// An inverse edge that may be followed.
struct Link {
  Operation *op;
  unsigned edge;
  SmallVector<Value, 1> solved;
  /// What is evaluated again for it, from values that others read, too.
  SmallVector<Operation *> cone;
  SmallVector<Value> leaves;
  /// What it gives back for derivatives, and for edges that the plan has, and
  /// what of the cone they read.
  llvm::SmallDenseSet<Value, 2> read, readInside;
  bool isUsed = false;
  /// The plan has the edge, of a call. The cone is what the call is given.
  bool isPlanned = false;
};

/// Why an inverse edge was not followed to a value.
struct Failure {
  enum Reason {
    /// It may lose too many digits.
    LosesDigits,
    /// What it starts from is computed from the value.
    NeedsItself,
    /// What it starts from is not evaluated again.
    NeedsStored,
    /// What it starts from takes long to evaluate, from arguments alone.
    TakesLong,
    /// The operation gives another of its operands back.
    GivesAnother,
    /// What is behind the operation reads the value before that is undone.
    IsReadBefore,
    /// The chain of edges starts from too many bytes.
    StartsFromMuch
  };
  Operation *op;
  Reason reason;
  /// What the edge starts from, beside the results of the operation.
  Value start;
  /// Of the chain.
  int64_t starts = 0, givenBack = 0;
};

/// Walks a block from its end, as its derivative does.
class Inference {
public:
  Inference(Block &block, const Activity &activity);

  void run();

private:
  /// Values that all of the rest of the program starts from have no number.
  static constexpr unsigned kNoLink = ~0u;

  bool isLocal(Value value) const {
    return value.getDefiningOp() && value.getParentBlock() == &block;
  }
  void collectReads(Operation *op);
  /// Declares that the backward part reads `value` at the current operation.
  void read(Value value);
  /// Has what the planned inverse of a call is given beside results evaluated
  /// again, a network's parameters for example. False if that is not possible.
  bool tryPlanned(Operation *op, unsigned number, const InverseEdge &edge);
  void tryLinks(Operation *op);
  /// With `mayStart` the link may start from values that are not at hand yet.
  bool tryLink(Operation *op, unsigned number, const InverseEdge &edge,
               bool mayStart);
  /// True if `value`, which an inverse of its own operation would start from,
  /// is not there anyway and made of nothing but `solved`, which is smaller: a
  /// broadcast, or numbers of a wider type, are made again rather than kept.
  bool isEnlarged(Value value, ArrayRef<Value> solved) const;
  /// Finds what has to be evaluated for `link`, and from what. Fails if that
  /// depends on what it solves for or is not evaluated again.
  std::optional<Failure::Reason> findCone(Link &link,
                                          ArrayRef<Value> from) const;
  /// True if `op`, whose users have been decided on, belongs to a cone.
  static bool isInside(Operation *op, Operation *end,
                       const llvm::SmallPtrSetImpl<Operation *> &cone,
                       Block &block);
  /// Drops links that nobody reads.
  void findUsed();
  void write();
  /// Says why `value`, which the derivative reads, is not given back.
  std::string explain(Value value) const;

  Block &block;
  const Activity &activity;
  DenseMap<Operation *, unsigned> positions;
  SmallVector<Link> links;
  /// The values at hand, and the link that gives each of them back. Those
  /// without one are stored, or were given back by the plan's edges.
  DenseMap<Value, unsigned> known;
  /// The link that each value is evaluated again for.
  DenseMap<Value, unsigned> inside;
  /// Values that edges of the plan give back.
  llvm::DenseSet<Value> planned;
  /// What the derivative reads of what is stored.
  llvm::SetVector<Value> stored;
  /// Whose inverse starts from what is stored, and whose would: nobody may
  /// read what that gives back, or its chain starts from too much.
  DenseMap<Value, Operation *> starts, keptFor;
  /// The first edge for each value that was not followed.
  DenseMap<Value, Failure> failures;
  /// By how much the errors of edges that lose digits grow, all together.
  double gain = 1;
};

} // namespace

Inference::Inference(Block &block, const Activity &activity)
    : block(block), activity(activity) {
  unsigned position = 0;
  for (Operation &op : block)
    positions[&op] = position++;
}

//===----------------------------------------------------------------------===//
// What is read
//===----------------------------------------------------------------------===//

void Inference::read(Value value) {
  if (!isLocal(value))
    return;
  auto use = [&](Value value) {
    auto it = known.find(value);
    if (it == known.end() || it->second == kNoLink)
      return false;
    links[it->second].isUsed = true;
    links[it->second].read.insert(value);
    return true;
  };
  // What is evaluated again for a link is there when what it is evaluated from
  // is.
  if (auto inner = inside.find(value); inner != inside.end()) {
    Link &link = links[inner->second];
    link.readInside.insert(value);
    llvm::for_each(link.leaves, use);
  } else if (!use(value)) {
    known.try_emplace(value, kNoLink);
    stored.insert(value);
  }
}

void Inference::collectReads(Operation *op) {
  auto isActive = [&](Value v) { return activity.isActive(v); };
  if (std::optional<unsigned> edge = getPlannedEdge(op)) {
    InverseEdge inverse =
        cast<InvertibleOpInterface>(op).getInverseEdges()[*edge];
    bool isEvaluated =
        isa<CallOpInterface>(op) && tryPlanned(op, *edge, inverse);
    for (Value value : inverse.from) {
      if (isEvaluated && value.getDefiningOp() != op)
        continue;
      read(value);
      starts.try_emplace(value, op);
    }
    for (Value value : inverse.solved) {
      known.try_emplace(value, kNoLink);
      planned.insert(value);
    }
  }
  auto rule = dyn_cast<DifferentiableOpInterface>(op);
  if (!rule || llvm::none_of(op->getResults(), isActive))
    return;
  if (isa<LoopLikeOpInterface>(op)) {
    llvm::SetVector<Value> used;
    getUsedValuesDefinedAbove(op->getRegions(), used);
    for (Value value : used)
      read(value);
    return;
  }
  SmallVector<Residual> residuals;
  rule.getResiduals(isActive, residuals);
  for (const Residual &residual : residuals)
    read(residual.alternatives.front());
}

//===----------------------------------------------------------------------===//
// Links
//===----------------------------------------------------------------------===//

/// True if `op` can be evaluated again in the backward part.
static bool canEvaluate(Operation *op) {
  return isPure(op) && !getPlannedEdge(op) &&
         !isa<LoopLikeOpInterface, CallOpInterface>(op);
}

bool Inference::isInside(Operation *op, Operation *end,
                         const llvm::SmallPtrSetImpl<Operation *> &cone,
                         Block &block) {
  // Views and constants are never kept for their own sake.
  if (isCheap(op))
    return true;
  return llvm::all_of(op->getUsers(), [&](Operation *user) {
    Operation *ancestor = block.findAncestorOpInBlock(*user);
    return ancestor == end || cone.contains(ancestor);
  });
}

std::optional<Failure::Reason>
Inference::findCone(Link &link, ArrayRef<Value> from) const {
  // Later operations first, so that all users of one have been decided on.
  std::priority_queue<std::pair<unsigned, Operation *>> pending;
  llvm::SmallPtrSet<Operation *, 16> seen, cone;
  llvm::SmallSetVector<Value, 4> leaves;
  llvm::SmallDenseMap<Operation *, SmallVector<Value, 1>> wanted;
  auto want = [&](Value value) {
    if (!isLocal(value)) {
      leaves.insert(value);
      return;
    }
    Operation *def = value.getDefiningOp();
    wanted[def].push_back(value);
    if (seen.insert(def).second)
      pending.push({positions.lookup(def), def});
  };
  auto isGivenBack = [&](Value value) {
    auto it = known.find(value);
    return planned.contains(value) ||
           (it != known.end() && it->second != kNoLink);
  };
  for (Value value : from)
    want(value);
  while (!pending.empty()) {
    Operation *op = pending.top().second;
    pending.pop();
    if (llvm::any_of(wanted[op], [&](Value value) {
          return llvm::is_contained(link.solved, value);
        }))
      return Failure::NeedsItself;
    // What the operation itself computes is what its inverse starts from.
    if (op == link.op || llvm::all_of(wanted[op], isGivenBack) ||
        !isInside(op, link.op, cone, block)) {
      leaves.insert_range(wanted[op]);
      continue;
    }
    if (!canEvaluate(op) || cone.size() == kMaxConeOps)
      return Failure::NeedsStored;
    cone.insert(op);
    link.cone.push_back(op);
    llvm::SetVector<Value> used(op->operand_begin(), op->operand_end());
    getUsedValuesDefinedAbove(op->getRegions(), used);
    for (Value value : used)
      want(value);
  }
  link.leaves = leaves.takeVector();
  // A chain goes on from what is given back. Of arguments alone no more than a
  // few quick operations are evaluated again.
  if ((link.cone.size() <= kMaxQuickOps &&
       llvm::none_of(link.cone, isExpensive)) ||
      llvm::any_of(link.leaves, [&](Value leaf) {
        return isLocal(leaf) && leaf.getDefiningOp() != link.op;
      }))
    return std::nullopt;
  return Failure::TakesLong;
}

/// True if `op` makes a tensor out of nothing that has to be given back.
static bool isFilled(Operation *op) {
  return op->hasTrait<OpTrait::ConstantLike>() ||
         isa<tensor::EmptyOp, linalg::FillOp>(op);
}

/// The bytes of all of `values`.
static int64_t getApproximateBytes(ValueRange values) {
  int64_t bytes = 0;
  for (Value value : values)
    bytes += memrev::getApproximateBytes(value.getType());
  return bytes;
}

bool Inference::isEnlarged(Value value, ArrayRef<Value> solved) const {
  Operation *op = value.getDefiningOp();
  auto it = known.find(value);
  if (planned.contains(value) ||
      (it != known.end() && it->second != kNoLink) ||
      llvm::is_contained(block.getTerminator()->getOperands(), value) ||
      getApproximateBytes(value) <= getApproximateBytes(solved))
    return false;
  return llvm::all_of(op->getOperands(), [&](Value operand) {
    return llvm::is_contained(solved, operand) || !isLocal(operand) ||
           isFilled(operand.getDefiningOp());
  });
}

bool Inference::tryLink(Operation *op, unsigned number, const InverseEdge &edge,
                        bool mayStart) {
  auto isUnknown = [&](Value value) {
    return isLocal(value) && !known.contains(value);
  };
  if (llvm::none_of(edge.solved, [&](Value value) {
        return isUnknown(value) && !isFilled(value.getDefiningOp());
      })) {
    for (Value value : edge.solved)
      failures.try_emplace(value, Failure{op, Failure::IsReadBefore, {}});
    return false;
  }
  auto fail = [&](Failure::Reason reason, Value start = {}) {
    for (Value value : edge.solved)
      failures.try_emplace(value, Failure{op, reason, start});
    return false;
  };
  double growth = 1;
  if (edge.kind != InverseKind::Exact) {
    growth = edge.gain == 0 ? std::numeric_limits<double>::infinity()
                            : std::max(1.0, edge.gain);
    if (gain * growth > getGainOfHalfTheDigits(edge.solved))
      return fail(Failure::LosesDigits);
  }
  Link link{op, number, edge.solved, {}, {}, {}, {}};
  if (std::optional<Failure::Reason> reason = findCone(link, edge.from)) {
    const auto *start = llvm::find_if(edge.from, [&](Value value) {
      Link single{op, number, edge.solved, {}, {}, {}, {}};
      return findCone(single, value) == reason;
    });
    // A cone may be too large only as a whole.
    return fail(*reason, start == edge.from.end() ? edge.from.back() : *start);
  }
  if (!mayStart && llvm::any_of(link.leaves, isUnknown))
    return false;
  for (Value leaf : link.leaves)
    if (leaf.getDefiningOp() == op && isEnlarged(leaf, edge.solved)) {
      for (Value value : edge.solved)
        failures.try_emplace(value, Failure{op,
                                            Failure::StartsFromMuch,
                                            {},
                                            getApproximateBytes(leaf),
                                            getApproximateBytes(edge.solved)});
      return false;
    }
  gain *= growth;
  unsigned id = links.size();
  for (Value leaf : link.leaves)
    if (isLocal(leaf) && known.try_emplace(leaf, kNoLink).second)
      keptFor[leaf] = op;
  for (Value value : link.solved)
    if (isLocal(value))
      known.try_emplace(value, id);
  for (Operation *inner : link.cone)
    if (!isCheap(inner))
      for (Value result : inner->getResults())
        inside.try_emplace(result, id);
  links.push_back(std::move(link));
  return true;
}

bool Inference::tryPlanned(Operation *op, unsigned number,
                           const InverseEdge &edge) {
  SmallVector<Value> given;
  llvm::copy_if(edge.from, std::back_inserter(given),
                [&](Value value) { return value.getDefiningOp() != op; });
  Link link{op, number, edge.solved, {}, {}, {}, {}};
  if (findCone(link, given) || llvm::all_of(link.cone, isCheap))
    return false;
  link.isUsed = link.isPlanned = true;
  unsigned id = links.size();
  for (Operation *inner : link.cone)
    if (!isCheap(inner))
      for (Value result : inner->getResults())
        inside.try_emplace(result, id);
  links.push_back(link);
  for (Value leaf : link.leaves) {
    auto it = known.find(leaf);
    if (it != known.end() && it->second != kNoLink) {
      links[it->second].isUsed = true;
      links[it->second].read.insert(leaf);
    } else if (isLocal(leaf) && known.try_emplace(leaf, kNoLink).second) {
      keptFor[leaf] = op;
    }
  }
  // Views are no values of their own.
  for (Value value : given) {
    while (value.getDefiningOp() && isCheap(value.getDefiningOp()) &&
           value.getDefiningOp()->getNumOperands() != 0)
      value = value.getDefiningOp()->getOperand(0);
    if (inside.contains(value))
      links[id].readInside.insert(value);
  }
  return true;
}

void Inference::tryLinks(Operation *op) {
  auto invertible = dyn_cast<InvertibleOpInterface>(op);
  if (!invertible || getPlannedEdge(op) ||
      isa<LoopLikeOpInterface, CallOpInterface>(op) || !isPure(op))
    return;
  SmallVector<InverseEdge> edges = invertible.getInverseEdges();
  auto giveUp = [&] {
    for (const InverseEdge &edge : edges)
      for (Value value : edge.solved)
        failures.try_emplace(value, Failure{op, Failure::GivesAnother, {}});
  };
  // An operation has one link. The best one starts from what is at hand, loses
  // no digits, and gives a value back that others read, too: a state.
  for (bool mayStart : {false, true})
    for (bool isExact : {true, false})
      for (bool isShared : {true, false})
        for (auto [number, edge] : llvm::enumerate(edges))
          if ((edge.kind == InverseKind::Exact) == isExact &&
              llvm::any_of(edge.solved, [](Value v) {
                return !v.hasOneUse();
              }) == isShared &&
              tryLink(op, number, edge, mayStart))
            return giveUp();
}

//===----------------------------------------------------------------------===//
// Chains
//===----------------------------------------------------------------------===//

void Inference::findUsed() {
  // Links read what links before them gave back.
  for (Link &link : llvm::reverse(links)) {
    if (!link.isUsed)
      continue;
    for (Value leaf : link.leaves)
      if (auto it = known.find(leaf);
          it != known.end() && it->second != kNoLink)
        links[it->second].isUsed = true;
  }
}

static void setConeRecomputed(const Link &link) {
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
        failures[value] = {link.op, Failure::StartsFromMuch, {}, startBytes,
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
  const Failure &failure = it->second;
  std::string inverse = "the inverse of " + printName(failure.op);
  std::string start = failure.start ? printName(failure.start) : "";
  switch (failure.reason) {
  case Failure::LosesDigits:
    return inverse + " may lose more than half of the digits";
  case Failure::NeedsItself:
    return inverse + " needs " + start + ", and that needs " + printName(value) +
           " first";
  case Failure::NeedsStored:
    return inverse + " needs " + start + ", which is not evaluated again";
  case Failure::TakesLong:
    return inverse + " would evaluate " + start + " again for this alone";
  case Failure::GivesAnother:
    return inverse + " gives another operand back";
  case Failure::IsReadBefore:
    if (Operation *op = keptFor.lookup(value))
      return "the inverse of " + printName(op) + " would start from it";
    return "what is behind " + printName(failure.op) +
           " reads it before that is undone";
  case Failure::StartsFromMuch:
    return inverse + " is in a chain that starts from " +
           std::to_string(failure.starts) + " bytes and gives " +
           std::to_string(failure.givenBack) + " back";
  }
  llvm_unreachable("unknown reason");
}

void Inference::run() {
  for (Value result : block.getTerminator()->getOperands())
    if (isLocal(result))
      known.try_emplace(result, kNoLink);
  for (Operation &op : llvm::reverse(block.without_terminator())) {
    tryLinks(&op);
    collectReads(&op);
  }
  findUsed();
  write();
}

void memrev::planInferredInverses(Block &block, const Activity &activity) {
  Inference(block, activity).run();
}
