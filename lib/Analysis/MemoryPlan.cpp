//===- MemoryPlan.cpp - How each primal value is had back -----------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Analysis/MemoryPlan.h"
#include "memrev/Analysis/Drift.h"
#include "memrev/Analysis/Recomputation.h"
#include "memrev/Analysis/SourceLocation.h"
#include "memrev/Interfaces/CallDerivative.h"
#include "memrev/Interfaces/CheckpointedLoop.h"
#include "memrev/Interfaces/LoopObservers.h"
#include "memrev/Interfaces/TripCount.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Interfaces/CallInterfaces.h"
#include "mlir/Interfaces/LoopLikeInterface.h"
#include "mlir/Transforms/RegionUtils.h"
#include <cmath>
#include <limits>

using namespace mlir;
using namespace mlir::memrev;

std::optional<unsigned> memrev::getPlannedEdge(Operation *op) {
  auto edge = op->getAttrOfType<IntegerAttr>(kInvertAttrName);
  if (!edge)
    return std::nullopt;
  return static_cast<unsigned>(edge.getInt());
}

static void eraseEdge(Operation *op) {
  op->removeAttr(kInvertAttrName);
  op->removeAttr(kLeftOutAttrName);
  op->removeAttr(kInverseGainAttrName);
}

void memrev::erasePlan(Operation *root) {
  root->walk([](Operation *op) {
    eraseEdge(op);
    op->removeAttr(kReasonAttrName);
    op->removeAttr(kPlannedAttrName);
    op->removeAttr(kRecomputeAttrName);
    op->removeAttr(kKeepsStateAttrName);
  });
}

static void setEdge(Operation *op, unsigned edge) {
  op->setAttr(kInvertAttrName,
              IntegerAttr::get(IntegerType::get(op->getContext(), 64), edge));
}

static void setReason(Operation *op, const Twine &reason) {
  op->setAttr(kReasonAttrName, StringAttr::get(op->getContext(), reason));
}

/// The values that the inverse of `op` gives back if it is a coupling or a call
/// with an inverse: states of a chain.
static SmallVector<Value, 1> getSolvedStates(Operation *op) {
  // The rest of what a coupling's edge gives is no state.
  if (auto coupling = dyn_cast<rev::CouplingOp>(op))
    return {coupling.getCoupled()};
  if (!isa<CallOpInterface>(op))
    return {};
  SmallVector<Value, 1> states;
  SmallVector<InverseEdge> edges =
      cast<InvertibleOpInterface>(op).getInverseEdges();
  if (!edges.empty())
    llvm::copy_if(edges.front().solved, std::back_inserter(states),
                  [&](Value value) { return value.getDefiningOp() != op; });
  return states;
}

/// True if an operation behind `op` gives `state` back when it is undone.
static bool isGivenBack(Value state, Operation *op) {
  return llvm::any_of(state.getUsers(), [&](Operation *user) {
    return user->getBlock() == op->getBlock() && op->isBeforeInBlock(user) &&
           llvm::is_contained(getSolvedStates(user), state);
  });
}

/// True if what the inverse of `op` reads is computed from a value that it
/// solves for: then it would need that first. The states of couplings, calls
/// with inverses and loops count as independent, for they are had back by
/// themselves; one that an operation behind `op` gives back depends on what the
/// inverse of that reads.
///
/// The search starts from what is solved for: in a chain, nothing behind `op`
/// reads it, and the time for all operations of a block is linear.
static bool isDependent(Operation *op) {
  Block *block = op->getBlock();
  SmallVector<Value> pending(getSolvedStates(op));
  llvm::DenseSet<Value> visited;
  while (!pending.empty()) {
    Value v = pending.pop_back_val();
    if (!visited.insert(v).second)
      continue;
    for (OpOperand &use : v.getUses()) {
      Operation *user = block->findAncestorOpInBlock(*use.getOwner());
      if (!user || isa<LoopLikeOpInterface>(user))
        continue;
      SmallVector<Value, 1> states = getSolvedStates(user);
      if (states.empty()) {
        llvm::copy_if(user->getResults(), std::back_inserter(pending),
                      [&](Value result) { return !isGivenBack(result, op); });
        continue;
      }
      // That it is given back by itself is no reading.
      if (use.getOwner() == user && llvm::is_contained(states, v))
        continue;
      if (user == op)
        return true;
      if (op->isBeforeInBlock(user))
        llvm::append_range(pending, states);
      // What a coupling's region computes is no state.
      if (auto coupling = dyn_cast<rev::CouplingOp>(user))
        llvm::append_range(pending, coupling.getAuxiliary());
    }
  }
  return false;
}

//===----------------------------------------------------------------------===//
// Loops
//===----------------------------------------------------------------------===//

namespace {
/// What the inverse of a loop does with state that only observes it.
enum class Observers {
  /// Nobody asks for it: it is left out.
  LeaveOut,
  /// It is given back where that is possible.
  GiveBack
};

/// How inverses may be had.
struct InverseOptions {
  Observers observers;
  /// By how much the error of what a loop gives back may grow in edges that
  /// lose digits. If there is no value, half of the digits may be lost.
  std::optional<double> mostGain;
};
} // namespace

/// Of inverses that are results themselves.
static constexpr double kAnyGain = std::numeric_limits<double>::infinity();

/// Lets everything in the body of `loop` be stored: its values are on tapes.
static void storeBody(scf::ForOp loop) { loop.getBody()->walk(eraseEdge); }

static void planLoop(scf::ForOp loop, InverseOptions options);

/// Plans the loops in `block`, those in the regions of couplings too: their
/// clones are differentiated where the region is evaluated again.
static void planLoops(Block &block, InverseOptions options) {
  for (Operation &op : block) {
    if (auto loop = dyn_cast<scf::ForOp>(&op))
      planLoop(loop, options);
    else if (isa<rev::CouplingOp>(&op))
      planLoops(op.getRegion(0).front(), {Observers::LeaveOut, {}});
  }
}

static bool leavesOut(Operation &op) { return op.hasAttr(kLeftOutAttrName); }

/// The iteration arguments of `loop` that are not `given` back, as an
/// attribute, or none.
static DenseI64ArrayAttr getLeftOut(scf::ForOp loop,
                                    const llvm::SmallBitVector &given) {
  SmallVector<int64_t> numbers;
  for (unsigned i = 0, e = given.size(); i < e; ++i)
    if (!given[i])
      numbers.push_back(i);
  return numbers.empty() ? DenseI64ArrayAttr()
                         : DenseI64ArrayAttr::get(loop.getContext(), numbers);
}

/// True if the plan inverts `loop` and gives nothing back.
static bool isStateless(scf::ForOp loop) {
  auto leftOut = loop->getAttrOfType<DenseI64ArrayAttr>(kLeftOutAttrName);
  return loop->hasAttr(kInvertAttrName) &&
         (leftOut ? leftOut.size() : 0) == loop.getNumRegionIterArgs();
}

/// Finds which inverse edges give the iteration arguments `given` of `loop`
/// back, and takes those that are `optional` and are not out of `given`. Fails
/// with the reason.
static std::optional<std::string>
solveBody(scf::ForOp loop, llvm::SmallBitVector &given,
          const llvm::SmallBitVector &optional, bool mayLoseDigits,
          std::optional<Invertibility> &invertibility,
          const llvm::DenseMap<Operation *, unsigned> *&edges,
          llvm::function_ref<bool(Value)> isOutside) {
  // What is not reached is not known at the end of the iteration before either.
  for (bool changed = true; changed;) {
    changed = false;
    invertibility.emplace(*loop.getBody(), isOutside);
    for (unsigned i : given.set_bits())
      invertibility->addKnown(loop.getYieldedValues()[i]);
    edges = &invertibility->solve(mayLoseDigits);
    for (unsigned i : given.set_bits()) {
      Value argument = loop.getRegionIterArgs()[i];
      if (invertibility->isKnown(argument))
        continue;
      if (!optional[i])
        return "no inverse edge gives iteration argument " + std::to_string(i) +
               " back: " + invertibility->explain(argument).reason;
      given.reset(i);
      changed = true;
    }
  }
  return std::nullopt;
}

/// By how much the errors of `edges` that lose digits grow in all iterations of
/// `loop`, and the edge that has no bound, if there is one.
static std::pair<double, Operation *>
getInverseGain(scf::ForOp loop,
               const llvm::DenseMap<Operation *, unsigned> &edges) {
  double gain = 1;
  Operation *unbounded = nullptr;
  for (Operation &op : *loop.getBody()) {
    auto it = edges.find(&op);
    if (it == edges.end())
      continue;
    InverseEdge edge =
        cast<InvertibleOpInterface>(op).getInverseEdges()[it->second];
    if (edge.kind != InverseKind::Conditioned)
      continue;
    // That of a loop is for each of its iterations.
    auto known = op.getAttrOfType<FloatAttr>(rev::kGainAttrName);
    if (known && !isa<LoopLikeOpInterface>(op))
      edge.gain = known.getValueAsDouble();
    if (edge.gain == 0) {
      gain = std::numeric_limits<double>::infinity();
      unbounded = &op;
    }
    gain *= std::max(1.0, edge.gain);
  }
  std::optional<int64_t> trips = getMostTripCount(loop);
  return {gain == 1
              ? 1
              : std::pow(gain, trips ? double(*trips)
                                     : std::numeric_limits<double>::infinity()),
          unbounded};
}

/// Writes into `loop`, the loops in which are planned, which inverse edges give
/// its iteration arguments `given` back, of which those that are `optional` may
/// stay away. Fails with the reason.
static std::optional<std::string> planBody(scf::ForOp loop,
                                           const llvm::SmallBitVector &wanted,
                                           const llvm::SmallBitVector &optional,
                                           std::optional<double> mostGain) {
  Block &body = *loop.getBody();
  auto isOutside = [&](Value v) {
    return !loop.getRegion().isAncestor(v.getParentRegion()) ||
           v == loop.getInductionVar();
  };
  std::optional<Invertibility> invertibility;
  const llvm::DenseMap<Operation *, unsigned> *edges = nullptr;
  llvm::SmallBitVector given = wanted;
  std::optional<double> gain;
  bool isSolved = !solveBody(loop, given, optional, /*mayLoseDigits=*/false,
                             invertibility, edges, isOutside);
  // Who asks for the inverse would rather have everything with fewer digits.
  if (!isSolved || (given != wanted && mostGain == kAnyGain)) {
    given = wanted;
    if (auto reason = solveBody(loop, given, optional, /*mayLoseDigits=*/true,
                                invertibility, edges, isOutside))
      return reason;
    auto [total, unbounded] = getInverseGain(loop, *edges);
    if (total > mostGain.value_or(
                    getGainOfHalfTheDigits(loop.getRegionIterArgs()))) {
      if (!unbounded)
        return "in all iterations together its inverse may lose more than half "
               "of the digits";
      std::string reason =
          ("the inverse of '" + unbounded->getName().getStringRef() + "'")
              .str();
      if (std::optional<std::string> place = printPlace(unbounded->getLoc()))
        reason += " at " + *place;
      return reason + " may lose any number of digits";
    }
    gain = total;
  }
  // A loop inside that has no part in reaching the arguments runs backwards too
  // if it has no state to be given back. Otherwise it is differentiated where
  // its values are evaluated again, and stores: it starts from what this loop
  // gives back.
  llvm::SmallDenseSet<Operation *> stateless;
  SmallVector<scf::ForOp> stored;
  for (Operation &op : body) {
    auto inner = dyn_cast<scf::ForOp>(op);
    if (!inner || edges->contains(&op))
      continue;
    llvm::SetVector<Value> used(op.operand_begin(), op.operand_end());
    getUsedValuesDefinedAbove(op.getRegions(), used);
    for (Value init : inner.getInitArgs())
      used.remove(init);
    auto isKnown = [&](Value v) { return invertibility->isKnown(v); };
    if (op.hasAttr(kInvertAttrName) && getObservers(inner).all() &&
        llvm::all_of(used, isKnown)) {
      if (!isStateless(inner))
        planLoop(inner, {Observers::LeaveOut, mostGain});
      if (isStateless(inner)) {
        stateless.insert(&op);
        continue;
      }
    }
    if (!llvm::all_of(inner.getInitArgs(), isKnown)) {
      std::string reason = "a loop in it";
      if (std::optional<std::string> place = printPlace(inner.getLoc()))
        reason += ", at " + *place + ",";
      return reason + " stores, and starts from what this loop only updates";
    }
    stored.push_back(inner);
  }
  for (Operation &op : body)
    if (!edges->contains(&op) && !stateless.contains(&op))
      eraseEdge(&op);
  for (scf::ForOp inner : stored)
    storeBody(inner);
  for (auto [op, edge] : *edges)
    setEdge(op, edge);
  setEdge(loop, 0);
  if (gain)
    loop->setAttr(kInverseGainAttrName,
                  Builder(loop.getContext()).getF64FloatAttr(*gain));
  if (DenseI64ArrayAttr leftOut = getLeftOut(loop, given))
    loop->setAttr(kLeftOutAttrName, leftOut);
  return std::nullopt;
}

/// Plans `loop` and the loops inside of it.
static void planLoop(scf::ForOp loop, InverseOptions options) {
  auto [use, mostGain] = options;
  Block &body = *loop.getBody();
  eraseEdge(loop);
  loop->removeAttr(kReasonAttrName);
  planLoops(body, options);
  if (loop->hasAttr(kStoredAttrName) || loop->hasAttr(kSlotsAttrName)) {
    setReason(loop, "the program asks for checkpoints");
    storeBody(loop);
    return;
  }
  llvm::SmallBitVector observers = getObservers(loop);
  llvm::SmallBitVector all(observers.size(), true), state = observers;
  state.flip();
  std::optional<std::string> reason = planBody(
      loop, use == Observers::GiveBack ? all : state, observers, mostGain);
  // The way back may lead over what observers were.
  if (reason && use == Observers::LeaveOut &&
      (observers.any() || llvm::any_of(body, leavesOut))) {
    planLoops(body, {Observers::GiveBack, mostGain});
    if (!planBody(loop, all, observers, mostGain))
      return;
  }
  if (!reason)
    return;
  setReason(loop, *reason);
  storeBody(loop);
}

//===----------------------------------------------------------------------===//
// Functions
//===----------------------------------------------------------------------===//

void memrev::planFunction(func::FuncOp function, rev::Policy policy) {
  erasePlan(function);
  function->setAttr(
      kPlannedAttrName,
      StringAttr::get(function.getContext(), rev::stringifyPolicy(policy)));
  if (policy == rev::Policy::Store || function.isExternal())
    return;

  Block &body = function.getBody().front();
  planLoops(body, {Observers::LeaveOut, {}});
  // By how much errors grow from the last state that is kept.
  double gain = 1;
  for (Operation &op : llvm::reverse(body)) {
    SmallVector<Value, 1> states = getSolvedStates(&op);
    if (states.empty())
      continue;
    if (isDependent(&op)) {
      if (isa<rev::CouplingOp>(op))
        setReason(&op, "the region depends on the coupled value");
      continue;
    }
    setEdge(&op, 0);
    if (!isa<CallOpInterface>(op))
      continue;
    if (auto known = op.getAttrOfType<FloatAttr>(kCallGainAttrName))
      gain *= known.getValueAsDouble();
    bool losesDigits = gain > getGainOfHalfTheDigits(states);
    // The caller holds the arguments.
    if (losesDigits || llvm::all_of(states, [&](Value v) {
          return !v.getDefiningOp() && v.getParentBlock() == &body;
        }))
      op.setAttr(kKeepsStateAttrName, UnitAttr::get(op.getContext()));
    if (losesDigits)
      gain = 1;
  }
}

/// Writes which inverse edges give arguments back, where the loops of the
/// function are planned.
static std::optional<UnreachedArgument>
planEdges(func::FuncOp function, ArrayRef<int64_t> wrt, ArrayRef<int64_t> of,
          bool mayLoseDigits) {
  Block &body = function.getBody().front();
  auto isOutside = [&](Value v) {
    return !function.getBody().isAncestor(v.getParentRegion());
  };
  Invertibility invertibility(body, isOutside);
  for (auto [i, argument] : llvm::enumerate(body.getArguments()))
    if (!llvm::is_contained(wrt, static_cast<int64_t>(i)))
      invertibility.addKnown(argument);
  for (int64_t i : of)
    invertibility.addKnown(body.getTerminator()->getOperand(i));
  const llvm::DenseMap<Operation *, unsigned> &edges =
      invertibility.solve(mayLoseDigits);
  for (int64_t i : wrt)
    if (Value argument = body.getArgument(i); !invertibility.isKnown(argument))
      return UnreachedArgument{i, invertibility.explain(argument)};
  for (Operation &op : body)
    if (!edges.contains(&op))
      eraseEdge(&op);
  for (auto [op, edge] : edges)
    setEdge(op, edge);
  return std::nullopt;
}

std::optional<UnreachedArgument> memrev::planInverse(func::FuncOp function,
                                                     ArrayRef<int64_t> wrt,
                                                     ArrayRef<int64_t> of) {
  erasePlan(function);
  Block &body = function.getBody().front();
  // The program asks for the inverse: it is given with the digits that it has.
  std::optional<UnreachedArgument> unreached;
  for (Observers use : {Observers::LeaveOut, Observers::GiveBack}) {
    planLoops(body, {use, kAnyGain});
    for (bool mayLoseDigits : {false, true})
      if (unreached = planEdges(function, wrt, of, mayLoseDigits); !unreached)
        return std::nullopt;
    if (llvm::none_of(body, leavesOut))
      break;
  }
  return unreached;
}
