//===- Invertibility.cpp - Which values inverse edges give back -----------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Analysis/Invertibility.h"
#include "memrev/Analysis/SourceLocation.h"
#include "mlir/Interfaces/CallInterfaces.h"
#include "mlir/Interfaces/LoopLikeInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace mlir::memrev;

/// Of the operations that do not give a value back, this many are named.
static constexpr size_t kMaxNamedReaders = 3;

//===----------------------------------------------------------------------===//
// What is known
//===----------------------------------------------------------------------===//

void Invertibility::addStep(Operation *op, std::optional<unsigned> number,
                            ValueRange solved, ValueRange from) {
  unsigned id = steps.size();
  // Each value once, to be counted down once.
  llvm::SetVector<Value> unique(from.begin(), from.end());
  Step step{op, number, SmallVector<Value>(solved), unique.takeVector(), 0};
  for (Value value : step.from) {
    if (isKnown(value))
      continue;
    ++step.numUnknown;
    readers[value].push_back(id);
  }
  for (Value value : solved)
    solvers[value].push_back(id);
  if (number)
    edgeSteps[op].push_back(id);
  steps.push_back(std::move(step));
}

/// True if `op` can be evaluated again. Functions have no side effects: a call
/// that is left here is one of a function with rules of its own.
static bool canEvaluate(Operation *op) {
  if (isPure(op) || isa<CallOpInterface>(op))
    return true;
  auto speculatable = dyn_cast<ConditionallySpeculatable>(op);
  return op->hasTrait<OpTrait::HasRecursiveMemoryEffects>() && speculatable &&
         speculatable.getSpeculatability() != Speculation::NotSpeculatable &&
         llvm::all_of(op->getRegions(), [](Region &region) {
           return llvm::all_of(region.getOps(), [](Operation &inner) {
             return canEvaluate(&inner);
           });
         });
}

void Invertibility::addSteps(Operation *op, bool mayLoseDigits) {
  if (op->getNumResults() != 0 && canEvaluate(op)) {
    llvm::SetVector<Value> used(op->operand_begin(), op->operand_end());
    getUsedValuesDefinedAbove(op->getRegions(), used);
    addStep(op, std::nullopt, op->getResults(), used.getArrayRef());
  }
  if (auto invertible = dyn_cast<InvertibleOpInterface>(op))
    for (auto [number, edge] : llvm::enumerate(invertible.getInverseEdges())) {
      if (mayLoseDigits || edge.kind != InverseKind::Conditioned)
        addStep(op, number, edge.solved, edge.from);
      else
        for (Value value : edge.solved)
          lossy.try_emplace(value, op);
    }
}

void Invertibility::reach(SmallVector<Value> pending) {
  while (!pending.empty()) {
    Value value = pending.pop_back_val();
    if (isOutside(value) || !known.insert(value).second)
      continue;
    auto it = readers.find(value);
    if (it == readers.end())
      continue;
    for (unsigned id : it->second) {
      Step &step = steps[id];
      if (--step.numUnknown != 0)
        continue;
      if (step.number)
        ready.insert(positions.lookup(step.op));
      else
        llvm::append_range(pending, step.solved);
    }
  }
}

void Invertibility::follow(Operation *op) {
  if (edges.contains(op))
    return;
  for (unsigned id : edgeSteps.lookup(op)) {
    const Step &step = steps[id];
    if (step.numUnknown != 0 ||
        llvm::all_of(step.solved, [&](Value v) { return isKnown(v); }))
      continue;
    edges[op] = *step.number;
    reach(step.solved);
    return;
  }
}

const llvm::DenseMap<Operation *, unsigned> &
Invertibility::solve(bool mayLoseDigits) {
  for (Operation &op : block) {
    positions[&op] = ops.size();
    ops.push_back(&op);
    addSteps(&op, mayLoseDigits);
  }
  SmallVector<Value> evaluated;
  for (const Step &step : steps) {
    if (step.numUnknown != 0)
      continue;
    if (step.number)
      ready.insert(positions.lookup(step.op));
    else
      llvm::append_range(evaluated, step.solved);
  }
  reach(std::move(evaluated));
  // Last operation first, again and again.
  unsigned position = ops.size();
  while (!ready.empty()) {
    auto next = ready.lower_bound(position);
    if (next == ready.begin())
      next = ready.end();
    position = *--next;
    ready.erase(next);
    follow(ops[position]);
  }
  return edges;
}

//===----------------------------------------------------------------------===//
// What is not
//===----------------------------------------------------------------------===//

std::string memrev::printName(Operation *op) {
  std::string text = ("'" + op->getName().getStringRef() + "'").str();
  if (std::optional<std::string> place = printPlace(op->getLoc()))
    text += " at " + *place;
  return text;
}

std::string memrev::printName(Value value) {
  std::string text;
  llvm::raw_string_ostream os(text);
  if (auto result = dyn_cast<OpResult>(value))
    os << "result " << result.getResultNumber() << " of "
       << printName(result.getOwner());
  else if (auto loop = dyn_cast<LoopLikeOpInterface>(
               cast<BlockArgument>(value).getOwner()->getParentOp()))
    os << "iteration argument "
       << llvm::find(loop.getRegionIterArgs(), value) -
              loop.getRegionIterArgs().begin();
  else
    os << "argument " << cast<BlockArgument>(value).getArgNumber();
  return text;
}

Obstacle memrev::getMissingEdge(Value value, Block &block) {
  SmallVector<Operation *> readers;
  for (Operation *user : value.getUsers()) {
    Operation *op = block.findAncestorOpInBlock(*user);
    if (op && op != block.getTerminator() && !llvm::is_contained(readers, op))
      readers.push_back(op);
  }
  if (readers.empty())
    return {value.getLoc(),
            "nothing that could be undone reads " + printName(value)};
  llvm::sort(readers,
             [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); });
  std::string text = printName(readers.front());
  size_t numNamed = std::min(readers.size(), kMaxNamedReaders);
  for (size_t i = 1; i < numNamed; ++i)
    text += (i + 1 == readers.size() ? " and " : ", ") + printName(readers[i]);
  if (numNamed < readers.size())
    text += " and " + std::to_string(readers.size() - numNamed) + " more";
  text += readers.size() == 1 ? " has" : " have";
  return {readers.front()->getLoc(),
          text + " no inverse edge for " + printName(value)};
}

const Invertibility::Step *
Invertibility::getFurthest(ArrayRef<unsigned> numbers) const {
  const Step *furthest = nullptr;
  for (unsigned id : numbers) {
    const Step &step = steps[id];
    // Those that are done lost their turn to another edge of the operation.
    if (step.numUnknown != 0 &&
        (!furthest || step.numUnknown < furthest->numUnknown))
      furthest = &step;
  }
  return furthest;
}

Obstacle Invertibility::explain(Value value) const {
  llvm::DenseSet<Value> visited;
  llvm::DenseSet<Operation *> inverted;
  Operation *last = nullptr;
  Value missing;
  while (visited.insert(value).second) {
    // Where no edge solves for a value, what computes it is looked at.
    SmallVector<unsigned> candidates, evaluations;
    auto it = solvers.find(value);
    if (it != solvers.end())
      for (unsigned id : it->second) {
        if (!steps[id].number)
          evaluations.push_back(id);
        else if (!inverted.contains(steps[id].op))
          candidates.push_back(id);
      }
    const Step *step = getFurthest(candidates);
    // What an inverse starts from is not evaluated: that is what it undoes.
    if (!step && !inverted.contains(value.getDefiningOp()))
      step = getFurthest(evaluations);
    if (!step)
      if (Operation *op = lossy.lookup(value))
        return {op->getLoc(), "the inverse of " + printName(op) +
                                  " may lose digits that " + printName(value) +
                                  " has"};
    if (!step)
      return getMissingEdge(value, block);
    value = *llvm::find_if(step->from, [&](Value v) { return !isKnown(v); });
    if (step->number) {
      last = step->op;
      inverted.insert(last);
      missing = value;
    }
  }
  // Values are computed from values before them: an edge is in every circle.
  return {last->getLoc(), "the inverse of " + printName(last) + " needs " +
                              printName(missing) + ", and that needs " +
                              printName(value) + " first"};
}
