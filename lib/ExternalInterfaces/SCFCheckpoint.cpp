//===- SCFCheckpoint.cpp - Reverse mode from checkpoints ------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "SCFCheckpoint.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace mlir::memrev;

namespace {

/// The reverse of a loop that keeps a few of its states: for each iteration,
/// last first,
///   1. advance from the last checkpoint to it. While slots are free, every
///      stretch of the way ends with a checkpoint;
///   2. run it backwards, evaluating again what its rules read;
///   3. free the last slot if it held the state of this iteration.
class CheckpointReversal {
public:
  CheckpointReversal(CheckpointedLoop form, DerivativeContext &ctx)
      : form(form), loop(form.loop), ctx(ctx), loc(loop.getLoc()) {}

  LogicalResult emit();

private:
  /// The stacks, the iterations they belong to, and the number of slots in use.
  struct Store {
    SmallVector<Value> stacks;
    Value positions, used;
  };

  LogicalResult collect();
  void findBody();
  LogicalResult buildBody(scf::ForOp reversed);
  /// Emits the iterations from `from` to `to` on `state`.
  SmallVector<Value> advance(OpBuilder &b, Value from, Value to,
                             ValueRange state);
  /// Emits step 1. Returns the state before `iteration`; updates `store`.
  SmallVector<Value> approach(OpBuilder &b, Value iteration, Store &store);

  SmallVector<Value> getValues(const Store &store) const {
    SmallVector<Value> values(store.stacks);
    values.append({store.positions, store.used});
    return values;
  }
  Store getStore(ValueRange values) const {
    return {SmallVector<Value>(values.take_front(form.numStates)),
            values[form.numStates], values[form.numStates + 1]};
  }
  unsigned getStoreSize() const { return form.numStates + 2; }

  Value constant(OpBuilder &b, int64_t value) {
    return arith::ConstantIndexOp::create(b, loc, value);
  }

  CheckpointedLoop form;
  scf::ForOp loop;
  DerivativeContext &ctx;
  Location loc;

  Value count;
  Store initial;
  /// The operations of the body that compute the next state.
  SmallVector<Operation *> body;
  /// What the body captures, here.
  IRMapping captures;
  SmallVector<unsigned> active;
  SmallVector<Value> captured;
  SmallVector<Value> sums;
};

} // namespace

void CheckpointReversal::findBody() {
  llvm::DenseSet<Operation *> live;
  SmallVector<Value> pending(
      loop.getYieldedValues().take_front(form.numStates));
  Block *block = loop.getBody();
  while (!pending.empty()) {
    Operation *op = pending.pop_back_val().getDefiningOp();
    if (!op || op->getBlock() != block || !live.insert(op).second)
      continue;
    llvm::append_range(pending, op->getOperands());
    visitUsedValuesDefinedAbove(op->getRegions(), [&](OpOperand *operand) {
      pending.push_back(operand->get());
    });
  }
  for (Operation &op : block->without_terminator())
    if (live.contains(&op))
      body.push_back(&op);
}

LogicalResult CheckpointReversal::collect() {
  findBody();
  count = ctx.primal(loop.getUpperBound());
  if (!count)
    return failure();
  SmallVector<Value> kept;
  for (unsigned i = form.numStates; i < loop.getNumResults(); ++i) {
    if (i == form.getNextIndex())
      continue;
    kept.push_back(ctx.primal(loop.getResult(i), Precision::Exact));
    if (!kept.back())
      return failure();
  }
  initial = getStore(kept);

  llvm::SetVector<Value> used;
  for (Operation *op : body) {
    used.insert(op->operand_begin(), op->operand_end());
    getUsedValuesDefinedAbove(op->getRegions(), used);
  }
  for (Value yielded : loop.getYieldedValues().take_front(form.numStates))
    used.insert(yielded);
  for (Value value : used) {
    if (loop.getRegion().isAncestor(value.getParentRegion()))
      continue;
    Value now = ctx.primal(value);
    if (!now)
      return failure();
    captures.map(value, now);
    if (ctx.isActive(value))
      captured.push_back(value);
  }
  auto add = [&](Value value) {
    sums.push_back(ctx.accumulator(value));
    return success(static_cast<bool>(sums.back()));
  };
  for (unsigned i = 0; i < form.numStates; ++i)
    if (ctx.isActive(loop.getResult(i))) {
      active.push_back(i);
      if (failed(add(loop.getResult(i))))
        return failure();
    }
  return ctx.takeSums(captured, sums);
}

SmallVector<Value> CheckpointReversal::advance(OpBuilder &b, Value from,
                                               Value to, ValueRange state) {
  auto run = scf::ForOp::create(
      b, loc, from, to, constant(b, 1), state,
      [&](OpBuilder &b, Location loc, Value position, ValueRange args) {
        IRMapping mapping = captures;
        mapping.map(loop.getInductionVar(), position);
        for (auto [now, argument] :
             llvm::zip_first(args, loop.getRegionIterArgs()))
          mapping.map(argument, now);
        for (Operation *op : body)
          b.clone(*op, mapping);
        SmallVector<Value> yields;
        for (Value value : loop.getYieldedValues().take_front(form.numStates))
          yields.push_back(mapping.lookupOrDefault(value));
        scf::YieldOp::create(b, loc, yields);
      });
  return run.getResults();
}

SmallVector<Value> CheckpointReversal::approach(OpBuilder &b, Value iteration,
                                                Store &store) {
  Value one = constant(b, 1), room = constant(b, form.slots);
  Value last = arith::SubIOp::create(b, loc, store.used, one);
  SmallVector<Value> carried(getValues(store));
  carried.push_back(
      buildReadStack(b, loc, store.positions, b.getIndexType(), last));
  for (unsigned i = 0; i < form.numStates; ++i)
    carried.push_back(buildReadStack(b, loc, store.stacks[i],
                                     loop.getResultTypes()[i], last));
  unsigned size = getStoreSize();
  auto place = scf::WhileOp::create(
      b, loc, ValueRange(carried).getTypes(), carried,
      [&](OpBuilder &b, Location loc, ValueRange args) {
        Value isBefore = arith::CmpIOp::create(
            b, loc, arith::CmpIPredicate::slt, args[size], iteration);
        Value isFree = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt,
                                             getStore(args).used, room);
        Value both = arith::AndIOp::create(b, loc, isBefore, isFree);
        scf::ConditionOp::create(b, loc, both, args);
      },
      [&](OpBuilder &b, Location loc, ValueRange args) {
        Store kept = getStore(args);
        Value position = args[size];
        ValueRange state = args.drop_front(size + 1);
        Value way = arith::SubIOp::create(b, loc, iteration, position);
        Value length = arith::AddIOp::create(b, loc, way, one);
        Value free = arith::SubIOp::create(b, loc, room, kept.used);
        Value slots = arith::AddIOp::create(b, loc, free, one);
        Value distance = buildCheckpointDistance(b, loc, length, slots);
        Value next = arith::AddIOp::create(b, loc, position, distance);
        SmallVector<Value> states = advance(b, position, next, state);
        for (unsigned i = 0; i < form.numStates; ++i)
          kept.stacks[i] =
              buildWriteStack(b, loc, kept.stacks[i], states[i], kept.used);
        kept.positions =
            buildWriteStack(b, loc, kept.positions, next, kept.used);
        kept.used = arith::AddIOp::create(b, loc, kept.used, one);
        SmallVector<Value> yields(getValues(kept));
        yields.push_back(next);
        llvm::append_range(yields, states);
        scf::YieldOp::create(b, loc, yields);
      });
  store = getStore(place.getResults());
  return advance(b, place.getResult(size), iteration,
                 place.getResults().drop_front(size + 1));
}

LogicalResult CheckpointReversal::buildBody(scf::ForOp reversed) {
  Block *block = reversed.getBody();
  if (!block->empty())
    block->clear();
  OpBuilder b = OpBuilder::atBlockEnd(block);
  Value one = constant(b, 1);
  Value last = arith::SubIOp::create(b, loc, count, one);
  Value iteration =
      arith::SubIOp::create(b, loc, last, reversed.getInductionVar());
  ValueRange args(reversed.getRegionIterArgs());
  Store store = getStore(args);
  SmallVector<Value> state = approach(b, iteration, store);

  std::unique_ptr<DerivativeContext> nested = ctx.nest(
      b, loop.getRegion(), DerivativeContext::Fallback::Recompute, iteration);
  nested->provide(loop.getInductionVar(), iteration);
  for (auto [now, argument] : llvm::zip_first(state, loop.getRegionIterArgs()))
    nested->provide(argument, now);
  ValueRange cotangents = args.drop_front(getStoreSize());
  // Accumulators first: a cotangent that starts as a part of one must find it.
  for (auto [i, value] : llvm::enumerate(captured))
    nested->setCotangent(value, cotangents[active.size() + i]);
  for (auto [i, number] : llvm::enumerate(active))
    nested->accumulate(loop.getYieldedValues()[number], cotangents[i]);
  if (failed(nested->differentiate(body)))
    return failure();

  Value top = arith::SubIOp::create(b, loc, store.used, one);
  Value position =
      buildReadStack(b, loc, store.positions, b.getIndexType(), top);
  Value isDone = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq,
                                       position, iteration);
  store.used = arith::SelectOp::create(b, loc, isDone, top, store.used);
  SmallVector<Value> yields(getValues(store));
  for (unsigned number : active)
    yields.push_back(nested->accumulator(loop.getRegionIterArgs()[number]));
  for (Value value : captured)
    yields.push_back(nested->accumulator(value));
  if (llvm::is_contained(yields, Value()))
    return failure();
  scf::YieldOp::create(b, loc, yields);
  return success();
}

LogicalResult CheckpointReversal::emit() {
  if (failed(collect()))
    return failure();
  OpBuilder &b = ctx.getBuilder();
  SmallVector<Value> inits(getValues(initial));
  llvm::append_range(inits, sums);
  auto reversed =
      scf::ForOp::create(b, loc, constant(b, 0), count, constant(b, 1), inits);
  {
    // What the body needs from outside is emitted before the loop.
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(reversed);
    if (failed(buildBody(reversed)))
      return failure();
  }
  ValueRange results = reversed.getResults().drop_front(getStoreSize());
  ctx.returnSums(captured, results.drop_front(active.size()));
  for (auto [number, sum] : llvm::zip_first(active, results))
    ctx.accumulate(loop.getInitArgs()[number], sum);
  return success();
}

LogicalResult memrev::buildCheckpointedVJP(CheckpointedLoop form,
                                           DerivativeContext &ctx) {
  return CheckpointReversal(form, ctx).emit();
}
