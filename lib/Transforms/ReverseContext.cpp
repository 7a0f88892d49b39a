//===- ReverseContext.cpp - Reverse mode over a program -------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ReverseContext.h"
#include "Accumulation.h"
#include "memrev/Analysis/Cost.h"
#include "memrev/Analysis/MemoryPlan.h"
#include "memrev/Analysis/Recomputation.h"
#include "memrev/Dialect/Rev/IR/Rev.h"
#include "memrev/Interfaces/CallDerivative.h"
#include "memrev/Interfaces/DecomposableOpInterface.h"
#include "memrev/Interfaces/DifferentiableOpInterface.h"
#include "memrev/Interfaces/ForwardDifferentiableOpInterface.h"
#include "memrev/Interfaces/InvertibleOpInterface.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Interfaces/LoopLikeInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/Support/ErrorHandling.h"

using namespace mlir;
using namespace mlir::memrev;

//===----------------------------------------------------------------------===//
// Names
//===----------------------------------------------------------------------===//

Value ReverseContext::canonical(Value value) const {
  // What a clone in this context reads can stand for a value of an outer one.
  for (bool found = true; found;) {
    found = false;
    for (const ReverseContext *context = this; context && !found;
         context = context->parent) {
      auto it = context->standsFor.find(value);
      if (it == context->standsFor.end())
        continue;
      value = it->second;
      found = true;
    }
  }
  return value;
}

bool memrev::isAncestor(Region &ancestor, Region *region) {
  while (region) {
    if (region == &ancestor)
      return true;
    Operation *op = region->getParentOp();
    region = op ? op->getParentRegion() : nullptr;
  }
  return false;
}

/// True if `region` is not in a program but belongs to a rule: scalar code
/// before it is cloned into an operation.
static bool isScratch(Region *region) {
  while (region) {
    Operation *op = region->getParentOp();
    if (!op)
      return true;
    region = op->getParentRegion();
  }
  return false;
}

ReverseContext::~ReverseContext() {
  if (!isScratch(&emitted))
    return;
  // Scratch dies with its rule.
  for (Block &block : emitted)
    for (Value argument : block.getArguments())
      state.activity.forget(argument);
  emitted.walk([&](Operation *op) {
    for (Value result : op->getResults())
      state.activity.forget(result);
  });
}

bool ReverseContext::isInScope(Value value) const {
  Region *region = value.getParentRegion();
  return !parent || isAncestor(scope, region) || isAncestor(emitted, region);
}

bool ReverseContext::isVisible(Value value) const {
  return isAncestor(*value.getParentRegion(),
                    builder.getInsertionBlock()->getParent());
}

//===----------------------------------------------------------------------===//
// Primal values
//===----------------------------------------------------------------------===//

/// True if `value` has no ties on a set of positive measure that rounding would
/// break: it is the state of a coupling, of a call with an inverse, of a loop
/// or of another operation that is inverted, or a view of such. What others
/// compute (a relu) can be exactly zero everywhere.
static bool isFreeOfTies(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (auto coupling = dyn_cast<rev::CouplingOp>(op))
      return value == coupling.getResult();
    if (isa<LoopLikeOpInterface>(op) || op->hasAttr(kCallInverseAttrName) ||
        getPlannedEdge(op))
      return true;
    if (!isa<tensor::ExtractSliceOp, tensor::CollapseShapeOp,
             tensor::ExpandShapeOp, tensor::CastOp>(op))
      return false;
    value = op->getOperand(0);
  }
  return true;
}

bool ReverseContext::isSideResultOfNext(Value value) {
  auto call = value.getDefiningOp<func::CallOp>();
  if (!call || !call->hasAttr(kCallSideResultsAttrName) ||
      call->hasAttr(kKeepsStateAttrName) || !state.inverters.contains(value))
    return false;
  InverseEdge edge =
      cast<InvertibleOpInterface>(*call).getInverseEdges().front();
  return llvm::all_of(edge.from, [&](Value v) {
    return v.getDefiningOp() != call || isAvailable(v);
  });
}

Value ReverseContext::primal(Value value, Precision precision) {
  value = canonical(value);
  auto it = available.find(value);
  bool exact = precision == Precision::Exact && !isFreeOfTies(value);
  if (it != available.end() && !(exact && rounded.contains(value)))
    return it->second;
  if (!isInScope(value))
    return parent->primal(value, precision);
  bool isInverted = !isVisible(value) || isSideResultOfNext(value);
  if (!isInverted && !isRecomputed(value))
    return value;

  if (it == available.end() && isInverted) {
    // Only in a rebuilt region: elsewhere the forward value itself is at hand,
    // and keeping one value costs less than inverting a whole chain early.
    auto inverter = state.inverters.find(value);
    if (inverter != state.inverters.end() &&
        state.inverting.insert(inverter->second).second) {
      Operation *op = inverter->second;
      llvm::scope_exit done([&] { state.inverting.erase(op); });
      if (failed(cast<InvertibleOpInterface>(op).buildInverse(
              *this, *getPlannedEdge(op))))
        return {};
      // An inverse may have met the value on its way and made no name for it.
      if (Value now = available.lookup(value))
        return now;
    }
  }

  if (isRecomputed(value))
    return evaluateAgain(cast<OpResult>(value), precision);
  Operation *op = value.getDefiningOp();
  if (fallback == Fallback::Tape) {
    if (op && !isCheap(op))
      if (Value now = evaluateOutside(value))
        return now;
    if (op && isWorthEvaluating(value))
      return clone(op, precision) ? available.lookup(value) : Value();
    if (Value now = readTape(value))
      return now;
  }
  // What no tape has room for is evaluated again from what has one.
  if (op)
    return clone(op, precision) ? available.lookup(value) : Value();
  emitError(value.getLoc(), "expects a value whose shape is known before the "
                            "loop where a derivative reads it, but got ")
      << value.getType();
  return {};
}

bool ReverseContext::isAvailable(Value value) {
  value = canonical(value);
  if (available.contains(value))
    return true;
  if (!isInScope(value))
    return parent->isAvailable(value);
  return isVisible(value) && !isRecomputed(value) &&
         !state.inverters.contains(value);
}

bool ReverseContext::isRounded(Value value) {
  value = canonical(value);
  if (!available.contains(value) && !isInScope(value))
    return parent->isRounded(value);
  return rounded.contains(value);
}

void ReverseContext::provide(Value value, Value now, Precision precision) {
  value = canonical(value);
  available[value] = now;
  if (precision == Precision::Rounded) {
    rounded.insert(value);
    if (!isScratch(&emitted)) {
      state.inverted.insert(value);
      if (state.drift)
        checkDrift(value, now);
    }
  } else {
    rounded.erase(value);
  }
  if (now == value)
    return;
  standsFor.try_emplace(now, value);
  if (state.activity.isActive(value))
    state.activity.addRoot(now);
}

Value ReverseContext::evaluateAgain(OpResult result, Precision precision) {
  Operation *op = result.getOwner();
  SmallVector<Value> operands;
  auto rule = dyn_cast<DifferentiableOpInterface>(op);
  if (!rule || failed(rule.getRecomputationOperands(result, operands))) {
    Operation *copy = clone(op, precision);
    if (!copy)
      return {};
    // Nothing may merge what is evaluated twice on purpose.
    if (isExpensive(op))
      copy->setAttr("memrev.recomputed", builder.getUnitAttr());
    return available.lookup(result);
  }
  Value now = rule.recomputeResult(*this, result);
  if (!now)
    return {};
  provide(result, now, Precision::Exact);
  state.recomputedValues.insert(result);
  return now;
}

Operation *ReverseContext::clone(Operation *op, Precision precision) {
  llvm::SetVector<Value> used(op->operand_begin(), op->operand_end());
  getUsedValuesDefinedAbove(op->getRegions(), used);
  IRMapping mapping;
  // What is made of ties that rounding has broken has none either, but for sums
  // of many.
  Precision found = Precision::Exact;
  for (Value v : used) {
    Value now = primal(v, precision);
    if (!now)
      return nullptr;
    mapping.map(v, now);
    if (!isExpensive(op) && isRounded(v) && !isFreeOfTies(canonical(v)))
      found = Precision::Rounded;
  }
  Operation *copy = builder.clone(*op, mapping);
  for (auto [result, now] :
       llvm::zip_equal(op->getResults(), copy->getResults()))
    provide(result, now, found);
  if (!isCheap(op))
    state.recomputedValues.insert(op->result_begin(), op->result_end());
  return copy;
}

LogicalResult ReverseContext::recompute(Block &block, ValueRange arguments,
                                        SmallVectorImpl<Operation *> &clones,
                                        SmallVectorImpl<Value> &yields) {
  IRMapping mapping;
  auto map = [&](Value from, Value outer) {
    Value now = primal(outer, Precision::Rounded);
    if (now)
      mapping.map(from, now);
    return success(static_cast<bool>(now));
  };
  for (auto [argument, outer] :
       llvm::zip_equal(block.getArguments(), arguments))
    if (failed(map(argument, outer)))
      return failure();
  llvm::SetVector<Value> captured;
  getUsedValuesDefinedAbove(*block.getParent(), captured);
  for (Value v : captured)
    if (failed(map(v, v)))
      return failure();

  // Expanding the clones replaces values, so the yields are kept as operands.
  Operation *last = nullptr;
  Block *here = builder.getInsertionBlock();
  if (builder.getInsertionPoint() != here->begin())
    last = &*std::prev(builder.getInsertionPoint());
  SmallVector<Operation *> copies;
  for (Operation &op : block.without_terminator()) {
    copies.push_back(builder.clone(op, mapping));
    if (!isCheap(&op))
      state.recomputedValues.insert(op.result_begin(), op.result_end());
  }
  SmallVector<Value> results;
  for (Value v : block.getTerminator()->getOperands())
    results.push_back(mapping.lookupOrDefault(v));
  auto holder = UnrealizedConversionCastOp::create(
      builder, block.getTerminator()->getLoc(), TypeRange(), results);
  for (Operation *copy : copies)
    expandForDifferentiation(copy, DerivativeMode::Reverse);
  yields.assign(holder->operand_begin(), holder->operand_end());

  Block::iterator first = last ? std::next(last->getIterator()) : here->begin();
  for (Operation &op : llvm::make_range(first, holder->getIterator())) {
    clones.push_back(&op);
    state.activity.propagate(&op);
    op.walk([&](Operation *inner) { addInverters(inner); });
  }
  holder->erase();
  ReverseState::Recomputed &remembered = state.recomputed[&block];
  remembered.clones.assign(clones.begin(), clones.end());
  remembered.yields.assign(yields.begin(), yields.end());
  return success();
}

void ReverseContext::adopt(ArrayRef<Operation *> ops, ValueRange active) {
  for (Value value : active)
    state.activity.addRoot(value);
  for (Operation *op : ops)
    state.activity.propagate(op);
}

void ReverseContext::addInverters(Operation *op) {
  std::optional<unsigned> edge = getPlannedEdge(op);
  auto invertible = dyn_cast<InvertibleOpInterface>(op);
  if (!edge || !invertible)
    return;
  SmallVector<InverseEdge> edges = invertible.getInverseEdges();
  for (Value solved : edges[*edge].solved)
    state.inverters[solved] = op;
}

bool ReverseContext::getRecomputed(Block &block,
                                   SmallVectorImpl<Operation *> &clones,
                                   SmallVectorImpl<Value> &yields) {
  auto it = state.recomputed.find(&block);
  if (it == state.recomputed.end())
    return false;
  clones.assign(it->second.clones.begin(), it->second.clones.end());
  yields.assign(it->second.yields.begin(), it->second.yields.end());
  return true;
}

//===----------------------------------------------------------------------===//
// Cotangents
//===----------------------------------------------------------------------===//

bool ReverseContext::isActive(Value value) {
  return state.activity.isActive(value) ||
         state.activity.isActive(canonical(value));
}

Value ReverseContext::cotangent(Value value) {
  settle(value);
  return cotangents.lookup(canonical(value));
}

void ReverseContext::settle(Value value) {
  auto it = loans.find(canonical(value));
  if (it == loans.end())
    return;
  Value borrower = it->second;
  loans.erase(it);
  borrowed.erase(borrower);
  auto rule = cast<DifferentiableOpInterface>(borrower.getDefiningOp());
  if (failed(rule.buildVJP(*this)))
    failedRule = true;
  // Further contributions start from what was written back.
  replaceCotangent(borrower, {});
}

void ReverseContext::lend(Value owner, Value borrower) {
  loans[canonical(owner)] = canonical(borrower);
  borrowed[canonical(borrower)] = canonical(owner);
}

Value ReverseContext::seed(Value value) {
  auto result = dyn_cast<OpResult>(value);
  if (!result || !isInScope(value))
    return {};
  auto rule = dyn_cast<DifferentiableOpInterface>(result.getOwner());
  if (!rule)
    return {};
  Value part = rule.seedCotangent(*this, result);
  parts[value] = part;
  return part;
}

void ReverseContext::accumulate(Value value, Value contribution) {
  value = canonical(value);
  if (!isActive(value))
    return;
  contribution = castToType(builder, contribution, value.getType());
  settle(value);
  Value sum = cotangents.lookup(value);
  if (!sum)
    sum = seed(value);
  if (!sum) {
    // A cotangent kept here would never reach the value: better no program than
    // a wrong one.
    if (!isInScope(value))
      llvm::report_fatal_error("a captured value has no accumulator");
    replaceCotangent(value, contribution);
    return;
  }
  setCotangent(value, add(sum, contribution));
}

Value ReverseContext::add(Value sum, Value contribution) {
  // Adding in place would change the cotangent of another value that happens to
  // be the same so far, as those of both operands of an addition are.
  return createSum(builder, sum, contribution,
                   /*inPlace=*/holders.lookup(sum) <= 1);
}

Value ReverseContext::accumulator(Value value) {
  value = canonical(value);
  if (Value sum = cotangent(value))
    return sum;
  if (Value start = seed(value))
    return start;
  return zeroStarts[value] = zero(value.getType(), value, value.getLoc());
}

bool ReverseContext::isViewInScope(Value value) const {
  return isView(value) && isInScope(value);
}

LogicalResult ReverseContext::takeSums(ValueRange values,
                                       SmallVectorImpl<Value> &sums) {
  for (Value value : values) {
    value = canonical(value);
    sums.push_back(isViewInScope(value)
                       ? zero(value.getType(), value, value.getLoc())
                       : accumulator(value));
    if (!sums.back())
      return failure();
  }
  return success();
}

void ReverseContext::returnSums(ValueRange values, ValueRange sums) {
  // Parts are added to the sums that they are parts of.
  for (auto [value, sum] : llvm::zip_equal(values, sums))
    if (!isViewInScope(canonical(value)))
      setCotangent(value, sum);
  for (auto [value, sum] : llvm::zip_equal(values, sums))
    if (isViewInScope(canonical(value)))
      accumulate(value, sum);
}

void ReverseContext::setCotangent(Value value, Value cotangent) {
  value = canonical(value);
  if (cotangent)
    cotangent = castToType(builder, cotangent, value.getType());
  replaceCotangent(value, cotangent);
  // Written back at once, each contribution is an update of the owner in place;
  // a part that is kept while several are added would be copied out and back.
  auto owner = borrowed.find(value);
  if (owner != borrowed.end() && parts.lookup(value) != cotangent)
    settle(owner->second);
}

void ReverseContext::replaceCotangent(Value value, Value cotangent) {
  auto it = cotangents.find(value);
  if (it != cotangents.end()) {
    --holders[it->second];
    cotangents.erase(it);
  }
  if (!cotangent)
    return;
  cotangents[value] = cotangent;
  ++holders[cotangent];
}

Value ReverseContext::zero(Type type, Value like, Location loc) {
  auto tensorType = dyn_cast<RankedTensorType>(type);
  if (tensorType && !tensorType.hasStaticShape()) {
    like = primal(like, Precision::Rounded);
    if (!like)
      return {};
  }
  return createZero(builder, loc, type, like);
}

//===----------------------------------------------------------------------===//
// Walk
//===----------------------------------------------------------------------===//

bool ReverseContext::isDeferred(Operation *op) {
  return hasGrowingDerivative(op, [&](Value v) {
    return isInScope(v) && isActive(v) && !cotangent(v);
  });
}

LogicalResult ReverseContext::differentiate(ArrayRef<Operation *> ops) {
  // An operation whose operands' cotangents are larger than those of its
  // results waits until one of them is needed: a projection on the way around
  // a block, until the block is done.
  SmallVector<Operation *> deferred;
  auto differentiateUsers = [&](Operation *op) {
    for (Operation *&user : deferred) {
      if (!user || (op && llvm::none_of(user->getOperands(), [&](Value v) {
                      return v.getDefiningOp() == op && isActive(v);
                    })))
        continue;
      if (failed(differentiate(std::exchange(user, nullptr))))
        return failure();
    }
    llvm::erase_if(deferred, [](Operation *user) { return !user; });
    return success();
  };
  for (Operation *op : llvm::reverse(ops)) {
    if (failed(differentiateUsers(op)))
      return failure();
    if (isDeferred(op))
      deferred.push_back(op);
    else if (failed(differentiate(op)))
      return failure();
  }
  if (failed(differentiateUsers(nullptr)))
    return failure();
  return success(!failedRule);
}

LogicalResult ReverseContext::differentiate(Operation *op) {
  bool needed = llvm::any_of(op->getResults(), [&](Value result) {
    return static_cast<bool>(cotangent(result));
  });
  if (needed) {
    llvm::SetVector<Value> used(op->operand_begin(), op->operand_end());
    getUsedValuesDefinedAbove(op->getRegions(), used);
    needed = llvm::any_of(used, [&](Value v) { return isActive(v); });
  }

  std::optional<unsigned> edge = getPlannedEdge(op);
  if (edge && !op->hasAttr(kKeepsStateAttrName)) {
    auto invertible = cast<InvertibleOpInterface>(op);
    return needed ? invertible.buildInverseAndVJP(*this, *edge)
                  : invertible.buildInverse(*this, *edge);
  }
  if (!needed)
    return success();
  if (failed(verifyTypes(op, [&](Value v) { return isActive(v); }, "gradient")))
    return failure();

  auto rule = dyn_cast<DifferentiableOpInterface>(op);
  if (!rule)
    return op->emitError("expects operations with a derivative rule where a "
                         "gradient flows, but '")
           << op->getName() << "' has none";
  // A loop that stores writes its tapes in the forward part. In a rebuilt
  // region that is a copy of the loop, run there.
  if (isa<LoopLikeOpInterface>(op) &&
      !isAncestor(*op->getParentRegion(),
                  builder.getInsertionBlock()->getParent())) {
    op = clone(op, Precision::Rounded);
    if (!op)
      return failure();
    state.activity.propagate(op);
    op->walk([&](Operation *inner) { addInverters(inner); });
    rule = cast<DifferentiableOpInterface>(op);
  }
  for (Value result : op->getResults()) {
    auto it = borrowed.find(canonical(result));
    if (it == borrowed.end())
      continue;
    loans.erase(it->second);
    borrowed.erase(it);
  }
  return rule.buildVJP(*this);
}

std::unique_ptr<DerivativeContext>
ReverseContext::nest(OpBuilder &nestedBuilder, Region &region,
                     Fallback nestedFallback, Value index) {
  auto nested = std::make_unique<ReverseContext>(nestedBuilder, region, state,
                                                 nestedFallback);
  nested->parent = this;
  nested->tapeIndex = index;
  return nested;
}

//===----------------------------------------------------------------------===//
// Expansion
//===----------------------------------------------------------------------===//

void memrev::expandForDifferentiation(Operation *root, DerivativeMode mode) {
  bool isCoupling = isa<rev::CouplingOp>(root), hasLogDet = false;
  if (isCoupling && getPlannedEdge(root))
    return;
  if (isCoupling && mode == DerivativeMode::Forward) {
    // A log-determinant has a tangent that is a coupling's result where the
    // region computes it alone.
    IRRewriter rewriter(root);
    if (auto yielding = cast<rev::CouplingOp>(root).yieldLogDet(rewriter))
      root = yielding;
    hasLogDet = cast<rev::CouplingOp>(root).getLogDet() != nullptr;
  }
  bool hasRule = mode == DerivativeMode::Forward
                     ? isa<ForwardDifferentiableOpInterface>(root) && !hasLogDet
                     : isa<DifferentiableOpInterface>(root) && !isCoupling;
  SmallVector<Operation *> contents;
  auto decomposable = dyn_cast<DecomposableOpInterface>(root);
  // What works on buffers has no value to replace.
  if (!decomposable || hasRule || root->getNumResults() == 0) {
    for (Region &region : root->getRegions())
      for (Block &block : region)
        for (Operation &op : block)
          contents.push_back(&op);
  } else {
    Block *block = root->getBlock();
    bool isFirst = root == &block->front();
    Operation *previous = isFirst ? nullptr : root->getPrevNode();
    IRRewriter rewriter(root->getContext());
    rewriter.setInsertionPoint(root);
    rewriter.replaceAllUsesWith(root->getResults(),
                                decomposable.decompose(rewriter));
    Block::iterator first =
        previous ? std::next(previous->getIterator()) : block->begin();
    for (Operation &op : llvm::make_range(first, root->getIterator()))
      contents.push_back(&op);
    rewriter.eraseOp(root);
  }
  for (Operation *op : contents)
    expandForDifferentiation(op, mode);
}
