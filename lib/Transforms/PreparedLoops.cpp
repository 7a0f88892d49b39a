//===- PreparedLoops.cpp - Loops in forms that have rules -----------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "PreparedLoops.h"
#include "LoopExtents.h"
#include "memrev/Analysis/Activity.h"
#include "memrev/Analysis/DisjointSlices.h"
#include "memrev/Analysis/MemoryPlan.h"
#include "memrev/Dialect/Rev/IR/Rev.h"
#include "memrev/Interfaces/CheckpointedLoop.h"
#include "memrev/Interfaces/TripCount.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Transforms/RegionUtils.h"

using namespace mlir;
using namespace mlir::memrev;

static Value constant(OpBuilder &b, Location loc, int64_t value) {
  return arith::ConstantIndexOp::create(b, loc, value);
}

/// What runs a loop again must not do anything but compute.
static LogicalResult verifyNoEffects(Operation *loop) {
  WalkResult result = loop->walk([&](Operation *op) {
    // Functions that are differentiated are made of values.
    if (isa<func::CallOp, tensor::ParallelInsertSliceOp>(op) ||
        op->hasTrait<OpTrait::HasRecursiveMemoryEffects>() ||
        isMemoryEffectFree(op))
      return WalkResult::advance();
    InFlightDiagnostic diag =
        op->emitError("expects no side effects in a loop that the derivative "
                      "runs again, but '")
        << op->getName() << "' has some";
    diag.attachNote(loop->getLoc()) << "the loop is here";
    return WalkResult::interrupt();
  });
  return success(!result.wasInterrupted());
}

//===----------------------------------------------------------------------===//
// scf.while
//===----------------------------------------------------------------------===//

namespace {

/// What the condition of a loop depends on.
class ConditionSlice {
public:
  explicit ConditionSlice(scf::WhileOp loop) : loop(loop) {
    add(loop.getConditionOp().getCondition());
  }

  /// The arguments that are needed, by number.
  llvm::SetVector<unsigned> before, after;
  bool contains(Operation *op) const { return ops.contains(op); }

private:
  void add(Value value);

  scf::WhileOp loop;
  llvm::DenseSet<Operation *> ops;
};

} // namespace

void ConditionSlice::add(Value value) {
  SmallVector<Value> pending{value};
  while (!pending.empty()) {
    Value v = pending.pop_back_val();
    if (auto argument = dyn_cast<BlockArgument>(v)) {
      unsigned i = argument.getArgNumber();
      if (argument.getOwner() == loop.getBeforeBody()) {
        if (before.insert(i))
          pending.push_back(loop.getYieldOp().getOperand(i));
      } else if (argument.getOwner() == loop.getAfterBody()) {
        if (after.insert(i))
          pending.push_back(loop.getConditionOp().getArgs()[i]);
      }
      continue;
    }
    Operation *op = v.getDefiningOp();
    if (op->getParentOp() != loop || !ops.insert(op).second)
      continue;
    llvm::append_range(pending, op->getOperands());
    visitUsedValuesDefinedAbove(op->getRegions(), [&](OpOperand *operand) {
      pending.push_back(operand->get());
    });
  }
}

template <typename Range>
static SmallVector<Value> select(const Range &values,
                                 const llvm::SetVector<unsigned> &numbers) {
  SmallVector<Value> selected;
  for (unsigned i : numbers)
    selected.push_back(values[i]);
  return selected;
}

/// Emits a loop that does what `loop`'s condition depends on, and counts how
/// often the condition holds.
static Value buildCountingLoop(OpBuilder &b, scf::WhileOp loop) {
  Location loc = loop.getLoc();
  ConditionSlice slice(loop);
  SmallVector<Value> inits = select(loop.getInits(), slice.before);
  inits.push_back(constant(b, loc, 0));
  SmallVector<Type> types = llvm::map_to_vector(slice.after, [&](unsigned i) {
    return loop.getAfterArguments()[i].getType();
  });
  types.push_back(b.getIndexType());

  auto cloneSlice = [&](OpBuilder &b, Block &block, ValueRange numbers,
                        const llvm::SetVector<unsigned> &arguments,
                        IRMapping &mapping) {
    for (auto [i, now] : llvm::zip_first(arguments, numbers))
      mapping.map(block.getArgument(i), now);
    for (Operation &op : block.without_terminator())
      if (slice.contains(&op))
        b.clone(op, mapping);
  };
  auto look = [](const IRMapping &mapping, ValueRange values) {
    return llvm::map_to_vector(
        values, [&](Value v) { return mapping.lookupOrDefault(v); });
  };
  auto counting = scf::WhileOp::create(
      b, loc, types, inits,
      [&](OpBuilder &b, Location loc, ValueRange args) {
        IRMapping mapping;
        cloneSlice(b, *loop.getBeforeBody(), args, slice.before, mapping);
        SmallVector<Value> passed =
            look(mapping, select(loop.getConditionOp().getArgs(), slice.after));
        passed.push_back(args.back());
        scf::ConditionOp::create(
            b, loc,
            mapping.lookupOrDefault(loop.getConditionOp().getCondition()),
            passed);
      },
      [&](OpBuilder &b, Location loc, ValueRange args) {
        IRMapping mapping;
        cloneSlice(b, *loop.getAfterBody(), args, slice.after, mapping);
        SmallVector<Value> carried = look(
            mapping, select(loop.getYieldOp().getOperands(), slice.before));
        carried.push_back(
            arith::AddIOp::create(b, loc, args.back(), constant(b, loc, 1)));
        scf::YieldOp::create(b, loc, carried);
      });
  return counting.getResults().back();
}

/// Adds the operations of `block` that `value` depends on to `ops`.
static void addSlice(Value value, Block *block,
                     llvm::DenseSet<Operation *> &ops) {
  SmallVector<Value> pending{value};
  while (!pending.empty()) {
    Operation *op = pending.pop_back_val().getDefiningOp();
    if (!op || op->getBlock() != block || !ops.insert(op).second)
      continue;
    llvm::append_range(pending, op->getOperands());
    visitUsedValuesDefinedAbove(op->getRegions(), [&](OpOperand *operand) {
      pending.push_back(operand->get());
    });
  }
}

/// Rewrites
///   %r = scf.while (%a = %x) { condition(c(%a)) p(%a) } do { yield f(p) }
/// to
///   %n = how often c holds
///   %s = scf.for %i = 0 to %n iter_args(%a = %x) { yield f(p(%a)) }
///   %r = p(%s)
/// The state is known to the derivative of an scf.for: a tape of %n iterations,
/// or no tape if the body is inverted.
static scf::ForOp rewriteWhile(IRRewriter &rewriter, scf::WhileOp loop) {
  Location loc = loop.getLoc();
  rewriter.setInsertionPoint(loop);
  Value count = buildCountingLoop(rewriter, loop);
  Value zero = constant(rewriter, loc, 0), one = constant(rewriter, loc, 1);
  auto now =
      scf::ForOp::create(rewriter, loc, zero, count, one, loop.getInits());
  now->setDiscardableAttrs(loop->getDiscardableAttrDictionary());

  // What the last, failing test passes on.
  llvm::DenseSet<Operation *> live;
  for (auto [value, result] :
       llvm::zip_equal(loop.getConditionOp().getArgs(), loop.getResults()))
    if (!result.use_empty())
      addSlice(value, loop.getBeforeBody(), live);
  IRMapping mapping;
  mapping.map(loop.getBeforeArguments(), now.getResults());
  for (Operation &op : loop.getBeforeBody()->without_terminator())
    if (live.contains(&op))
      rewriter.clone(op, mapping);
  SmallVector<Value> results;
  for (auto [value, result] :
       llvm::zip_equal(loop.getConditionOp().getArgs(), loop.getResults()))
    results.push_back(result.use_empty() ? Value()
                                         : mapping.lookupOrDefault(value));

  Block *body = now.getBody();
  if (!body->empty())
    body->clear();
  SmallVector<Value> passed(loop.getConditionOp().getArgs());
  rewriter.eraseOp(loop.getConditionOp());
  Block *before = loop.getBeforeBody(), *after = loop.getAfterBody();
  rewriter.mergeBlocks(after, before, passed);
  rewriter.mergeBlocks(before, body, now.getRegionIterArgs());
  for (auto [result, replacement] : llvm::zip_equal(loop.getResults(), results))
    if (replacement)
      rewriter.replaceAllUsesWith(result, replacement);
  rewriter.eraseOp(loop);
  return now;
}

//===----------------------------------------------------------------------===//
// scf.forall
//===----------------------------------------------------------------------===//

/// Rewrites a loop whose iterations write disjoint slices to a nest of scf.for,
/// whose iterations may be run in any order.
static void rewriteForall(IRRewriter &rewriter, scf::ForallOp loop) {
  Location loc = loop.getLoc();
  rewriter.setInsertionPoint(loop);
  SmallVector<Value> inductions;
  SmallVector<scf::ForOp> nest;
  SmallVector<Value> state(loop.getOutputs());
  for (auto [lower, upper, step] :
       llvm::zip_equal(loop.getMixedLowerBound(), loop.getMixedUpperBound(),
                       loop.getMixedStep())) {
    auto bound = [&](OpFoldResult value) {
      return getValueOrCreateConstantIndexOp(rewriter, loc, value);
    };
    Value from = bound(lower), to = bound(upper), by = bound(step);
    auto level = scf::ForOp::create(rewriter, loc, from, to, by, state);
    if (!level.getBody()->empty())
      level.getBody()->clear();
    nest.push_back(level);
    inductions.push_back(level.getInductionVar());
    state.assign(level.getRegionIterArgs().begin(),
                 level.getRegionIterArgs().end());
    rewriter.setInsertionPointToEnd(level.getBody());
  }
  SmallVector<tensor::ParallelInsertSliceOp> inserts;
  for (Operation &op : loop.getTerminator().getYieldingOps())
    inserts.push_back(cast<tensor::ParallelInsertSliceOp>(op));
  scf::InParallelOp terminator = loop.getTerminator();
  SmallVector<Value> arguments(inductions);
  llvm::append_range(arguments, state);
  Block *body = loop.getBody(), *innermost = nest.back().getBody();
  rewriter.mergeBlocks(body, innermost, arguments);
  rewriter.setInsertionPoint(terminator);
  SmallVector<Value> yields(state);
  for (tensor::ParallelInsertSliceOp insert : inserts) {
    auto *place = llvm::find(state, insert.getDest());
    Value &current = yields[place - state.begin()];
    current = tensor::InsertSliceOp::create(
        rewriter, insert.getLoc(), insert.getSource(), current,
        insert.getMixedOffsets(), insert.getMixedSizes(),
        insert.getMixedStrides());
  }
  scf::YieldOp::create(rewriter, loc, yields);
  rewriter.eraseOp(terminator);
  for (size_t i = 0; i + 1 < nest.size(); ++i) {
    rewriter.setInsertionPointToEnd(nest[i].getBody());
    scf::YieldOp::create(rewriter, loc, nest[i + 1].getResults());
  }
  rewriter.replaceOp(loop, nest.front().getResults());
}

//===----------------------------------------------------------------------===//
// Checkpoints
//===----------------------------------------------------------------------===//

/// Moves the body of `loop` to the end of `body`, for the iteration number
/// `position` with the state `state`. Returns what it yields.
static SmallVector<Value> moveBody(IRRewriter &rewriter, scf::ForOp loop,
                                   Block *body, Value position,
                                   ValueRange state) {
  rewriter.setInsertionPointToEnd(body);
  Value induction = buildInduction(rewriter, loop, loop.getLowerBound(),
                                   loop.getStep(), position);
  SmallVector<Value> arguments{induction};
  llvm::append_range(arguments, state);
  Operation *yield = loop.getBody()->getTerminator();
  rewriter.mergeBlocks(loop.getBody(), body, arguments);
  SmallVector<Value> yields(yield->getOperands());
  rewriter.eraseOp(yield);
  rewriter.setInsertionPointToEnd(body);
  return yields;
}

/// The number of iterations of `loop`, at least 0.
static Value buildNonnegativeCount(OpBuilder &b, scf::ForOp loop) {
  Value count = buildTripCount(b, loop, loop.getLowerBound(),
                               loop.getUpperBound(), loop.getStep());
  if (getConstantTripCount(loop))
    return count;
  return arith::MaxSIOp::create(b, loop.getLoc(), count,
                                constant(b, loop.getLoc(), 0));
}

scf::ForOp memrev::checkpointPeriodically(IRRewriter &rewriter, scf::ForOp loop,
                                          int64_t period) {
  Location loc = loop.getLoc();
  rewriter.setInsertionPoint(loop);
  Value zero = constant(rewriter, loc, 0), one = constant(rewriter, loc, 1);
  std::optional<int64_t> constantCount = getConstantTripCount(loop);
  Value length = constant(rewriter, loc, period);
  Value count, periods;
  if (constantCount) {
    count = constant(rewriter, loc, *constantCount);
    periods = constant(rewriter, loc, llvm::divideCeil(*constantCount, period));
  } else {
    count = buildNonnegativeCount(rewriter, loop);
    Value most = arith::AddIOp::create(rewriter, loc, count,
                                       constant(rewriter, loc, period - 1));
    periods = arith::DivUIOp::create(rewriter, loc, most, length);
  }
  auto outer =
      scf::ForOp::create(rewriter, loc, zero, periods, one, loop.getInitArgs());
  outer->setAttr(kStoredAttrName, rewriter.getUnitAttr());
  if (!outer.getBody()->empty())
    outer.getBody()->clear();
  rewriter.setInsertionPointToEnd(outer.getBody());
  Value first =
      arith::MulIOp::create(rewriter, loc, outer.getInductionVar(), length);
  if (!constantCount || *constantCount % period != 0) {
    Value rest = arith::SubIOp::create(rewriter, loc, count, first);
    length = arith::MinSIOp::create(rewriter, loc, length, rest);
  }
  auto inner = scf::ForOp::create(rewriter, loc, zero, length, one,
                                  outer.getRegionIterArgs());
  for (StringRef name : {kInvertAttrName, kLeftOutAttrName, kInverseGainAttrName})
    if (Attribute plan = loop->getAttr(name))
      inner->setAttr(name, plan);
  if (!inner.getBody()->empty())
    inner.getBody()->clear();
  scf::YieldOp::create(rewriter, loc, inner.getResults());
  rewriter.setInsertionPointToEnd(inner.getBody());
  Value position =
      arith::AddIOp::create(rewriter, loc, first, inner.getInductionVar());
  SmallVector<Value> yields = moveBody(rewriter, loop, inner.getBody(),
                                       position, inner.getRegionIterArgs());
  scf::YieldOp::create(rewriter, loc, yields);
  rewriter.replaceOp(loop, outer.getResults());
  return outer;
}

LogicalResult memrev::checkpointBinomially(IRRewriter &rewriter,
                                           scf::ForOp loop, int64_t slots) {
  Location loc = loop.getLoc();
  unsigned numStates = loop.getNumResults();
  // The extents that types do not say, by state.
  SmallVector<SmallVector<Value>> extents;
  LoopExtents known(loop);
  for (Value state : loop.getRegionIterArgs()) {
    std::optional<SmallVector<Value>> dynamic = known.getDynamic(state);
    if (!dynamic)
      return loop.emitError("expects a state whose shape no iteration changes "
                            "for binomial checkpoints, but got ")
             << state.getType();
    extents.push_back(*dynamic);
  }
  rewriter.setInsertionPoint(loop);
  Value zero = constant(rewriter, loc, 0), one = constant(rewriter, loc, 1);
  Value room = constant(rewriter, loc, slots);
  Value count = buildNonnegativeCount(rewriter, loop);
  Value last = arith::SubIOp::create(rewriter, loc, count, one);
  SmallVector<Value> inits(loop.getInitArgs());
  auto addStack = [&](Type type, ValueRange dynamic) {
    inits.push_back(tensor::EmptyOp::create(
        rewriter, loc, getStackType(type, slots + 1), dynamic));
  };
  for (auto [type, dynamic] : llvm::zip_equal(loop.getResultTypes(), extents))
    addStack(type, dynamic);
  addStack(rewriter.getIndexType(), {});
  // The first checkpoint is what the loop starts from.
  inits.append({zero, zero});
  auto now = scf::ForOp::create(rewriter, loc, zero, count, one, inits);
  now->setAttr(kSlotsAttrName, rewriter.getI64IntegerAttr(slots));
  CheckpointedLoop form = *CheckpointedLoop::get(now);
  if (!now.getBody()->empty())
    now.getBody()->clear();

  rewriter.setInsertionPointToEnd(now.getBody());
  Value position = now.getInductionVar();
  ArrayRef<BlockArgument> args = now.getRegionIterArgs();
  Value next = args[form.getNextIndex()], used = args[form.getUsedIndex()];
  Value isNext = arith::CmpIOp::create(rewriter, loc, arith::CmpIPredicate::eq,
                                       position, next);
  auto keep = scf::IfOp::create(
      rewriter, loc, isNext,
      [&](OpBuilder &b, Location loc) {
        SmallVector<Value> kept;
        for (unsigned i = 0; i < numStates; ++i)
          kept.push_back(buildWriteStack(b, loc, args[form.getStackIndex(i)],
                                         args[i], used));
        kept.push_back(buildWriteStack(b, loc, args[form.getPositionsIndex()],
                                       position, used));
        Value length = arith::SubIOp::create(b, loc, count, position);
        Value free = arith::SubIOp::create(b, loc, room, used);
        Value left = arith::MaxSIOp::create(b, loc, free, one);
        Value distance = buildCheckpointDistance(b, loc, length, left);
        Value following = arith::AddIOp::create(b, loc, position, distance);
        // With all slots in use, the state before the last iteration is still
        // kept: where the way back starts, it is at hand.
        Value isLast =
            arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, left, one);
        kept.push_back(
            arith::SelectOp::create(b, loc, isLast, last, following));
        kept.push_back(arith::AddIOp::create(b, loc, used, one));
        scf::YieldOp::create(b, loc, kept);
      },
      [&](OpBuilder &b, Location loc) {
        scf::YieldOp::create(b, loc, ValueRange(args.drop_front(numStates)));
      });
  SmallVector<Value> yields = moveBody(rewriter, loop, now.getBody(), position,
                                       ValueRange(args.take_front(numStates)));
  llvm::append_range(yields, keep.getResults());
  scf::YieldOp::create(rewriter, loc, yields);
  rewriter.replaceOp(loop, now.getResults().take_front(numStates));
  return success();
}

//===----------------------------------------------------------------------===//
// Functions
//===----------------------------------------------------------------------===//

/// The outermost loops in `function` that need another form.
static SmallVector<Operation *> findLoops(func::FuncOp function,
                                          ArrayRef<int64_t> wrt) {
  Activity activity;
  for (int64_t i : wrt)
    activity.addRoot(function.getArgument(i));
  activity.propagate(function.getBody().front());
  SmallVector<Operation *> loops;
  function.getBody().walk<WalkOrder::PreOrder>([&](Operation *op) {
    if (op->getNumRegions() == 0)
      return WalkResult::advance();
    // A gradient gets into an operation through its results. The body of a
    // linalg operation has no place for tapes.
    if (isa<linalg::LinalgOp>(op) ||
        llvm::none_of(op->getResults(), [&](Value result) {
          return !result.use_empty() && activity.isActive(result);
        }))
      return WalkResult::skip();
    auto forall = dyn_cast<scf::ForallOp>(op);
    if ((forall && forall.getRank() > 0 && writesOnlySlices(forall)) ||
        isa<scf::WhileOp>(op) ||
        (isa<scf::ForOp>(op) && op->hasAttr(rev::kCheckpointAttrName))) {
      loops.push_back(op);
      return WalkResult::skip();
    }
    return WalkResult::advance();
  });
  return loops;
}

static LogicalResult rewriteCheckpoints(IRRewriter &rewriter, scf::ForOp loop) {
  Attribute checkpoint = loop->removeAttr(rev::kCheckpointAttrName);
  if (!checkpoint)
    return success();
  if (auto periodic = dyn_cast<rev::PeriodicAttr>(checkpoint)) {
    checkpointPeriodically(rewriter, loop, periodic.getPeriod());
    return success();
  }
  return checkpointBinomially(rewriter, loop,
                              cast<rev::BinomialAttr>(checkpoint).getSlots());
}

static LogicalResult rewriteLoop(IRRewriter &rewriter, Operation *op) {
  if (failed(verifyNoEffects(op)))
    return failure();
  if (auto loop = dyn_cast<scf::ForallOp>(op)) {
    if (failed(verifyDisjointSlices(loop)))
      return failure();
    rewriteForall(rewriter, loop);
    return success();
  }
  auto loop = dyn_cast<scf::ForOp>(op);
  if (!loop)
    loop = rewriteWhile(rewriter, cast<scf::WhileOp>(op));
  return rewriteCheckpoints(rewriter, loop);
}

LogicalResult memrev::prepareLoops(func::FuncOp function, ArrayRef<int64_t> wrt,
                                   bool &changed) {
  IRRewriter rewriter(function.getContext());
  changed = false;
  // What a rewrite copies holds loops too, so those inside of others are looked
  // for when the outer ones have their form: once per level of nesting.
  while (true) {
    SmallVector<Operation *> loops = findLoops(function, wrt);
    if (loops.empty())
      return success();
    changed = true;
    for (Operation *op : loops)
      if (failed(rewriteLoop(rewriter, op)))
        return failure();
  }
}

void memrev::eraseLoopForms(func::FuncOp function) {
  function.walk([](scf::ForOp loop) {
    loop->removeAttr(kSlotsAttrName);
    loop->removeAttr(kStoredAttrName);
  });
}
