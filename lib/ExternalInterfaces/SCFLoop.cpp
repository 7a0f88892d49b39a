//===- SCFLoop.cpp - Reverse mode of scf.for ------------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Models.h"
#include "SCFCheckpoint.h"
#include "memrev/Interfaces/DifferentiableOpInterface.h"
#include "memrev/Interfaces/InvertibleOpInterface.h"
#include "memrev/Interfaces/TripCount.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/DialectRegistry.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/Support/ErrorHandling.h"
#include <cmath>

using namespace mlir;
using namespace mlir::memrev;

namespace {

/// Emits the reverse of a loop: a loop over the same iterations, last first. It
/// carries, as asked for,
///   - the state: what the body yields, turned back into what it was given,
///     without what the plan leaves out;
///   - the cotangents of the state's active values;
///   - the cotangents of active values that the body captures.
class LoopReversal {
public:
  LoopReversal(scf::ForOp loop, DerivativeContext &ctx, bool inverts,
               bool differentiates)
      : loop(loop), ctx(ctx), loc(loop.getLoc()), inverts(inverts),
        differentiates(differentiates) {
    if (inverts)
      state = getState(loop);
  }

  /// The numbers of the iteration arguments that an inverse gives back.
  static SmallVector<unsigned> getState(scf::ForOp loop) {
    llvm::SmallBitVector isState(loop.getNumRegionIterArgs(), true);
    if (auto leftOut = loop->getAttrOfType<DenseI64ArrayAttr>("rev.left_out"))
      for (int64_t number : leftOut.asArrayRef())
        isState.reset(number);
    return SmallVector<unsigned>(isState.set_bits());
  }

  LogicalResult emit();

private:
  LogicalResult collect();
  LogicalResult buildBounds();
  LogicalResult buildBody(scf::ForOp reversed);

  Value constant(OpBuilder &b, int64_t value) {
    return arith::ConstantIndexOp::create(b, loc, value);
  }

  scf::ForOp loop;
  DerivativeContext &ctx;
  Location loc;
  bool inverts, differentiates;

  Value lower, step, count;
  SmallVector<Value> inits;
  /// The numbers of the iteration arguments that are carried.
  SmallVector<unsigned> state;
  /// The numbers of the loop's results whose cotangents are carried.
  SmallVector<unsigned> active;
  SmallVector<Value> captured;
};

} // namespace

/// Integers are given back as they were.
static Precision getPrecision(Type type) {
  return isa<FloatType>(getElementTypeOrSelf(type)) ? Precision::Rounded
                                                    : Precision::Exact;
}

/// The iteration arguments of `loop` that a cotangent can reach from those of
/// the results `seeds`: what the yields depend on, iteration after iteration.
static llvm::SmallBitVector getReached(scf::ForOp loop,
                                       llvm::SmallBitVector seeds) {
  Block *body = loop.getBody();
  llvm::SmallBitVector reached = seeds;
  SmallVector<Value> pending;
  for (unsigned i : seeds.set_bits())
    pending.push_back(loop.getYieldedValues()[i]);
  llvm::SmallPtrSet<Operation *, 16> visited;
  while (!pending.empty()) {
    Value value = pending.pop_back_val();
    auto argument = dyn_cast<BlockArgument>(value);
    if (argument && argument.getOwner() == body) {
      unsigned number = argument.getArgNumber() - 1;
      if (argument == loop.getInductionVar() || reached[number])
        continue;
      reached.set(number);
      pending.push_back(loop.getYieldedValues()[number]);
      continue;
    }
    Operation *op = value.getDefiningOp();
    op = op ? body->findAncestorOpInBlock(*op) : nullptr;
    if (!op || !visited.insert(op).second)
      continue;
    llvm::append_range(pending, op->getOperands());
    visitUsedValuesDefinedAbove(op->getRegions(), [&](OpOperand *operand) {
      pending.push_back(operand->get());
    });
  }
  return reached;
}

LogicalResult LoopReversal::buildBounds() {
  OpBuilder &b = ctx.getBuilder();
  lower = ctx.primal(loop.getLowerBound());
  step = ctx.primal(loop.getStep());
  Value upper = ctx.primal(loop.getUpperBound());
  if (!lower || !upper || !step)
    return failure();
  count = buildTripCount(b, loop, lower, upper, step);
  return success();
}

LogicalResult LoopReversal::collect() {
  for (unsigned number : state) {
    Value now = ctx.primal(loop.getResult(number));
    if (!now)
      return failure();
    inits.push_back(now);
  }
  if (!differentiates)
    return success();
  llvm::SetVector<Value> used;
  getUsedValuesDefinedAbove(loop.getRegion(), used);
  for (Value value : used)
    if (ctx.isActive(value))
      captured.push_back(value);
  auto add = [&](Value value) {
    Value sum = ctx.accumulator(value);
    inits.push_back(sum);
    return success(static_cast<bool>(sum));
  };
  llvm::SmallBitVector seeds(loop.getNumResults());
  for (auto [i, result] : llvm::enumerate(loop.getResults()))
    seeds[i] = static_cast<bool>(ctx.cotangent(result));
  llvm::SmallBitVector reached = getReached(loop, seeds);
  for (auto [i, result] : llvm::enumerate(loop.getResults()))
    if (reached[i] && ctx.isActive(result)) {
      active.push_back(i);
      if (failed(add(result)))
        return failure();
    }
  return ctx.takeSums(captured, inits);
}

LogicalResult LoopReversal::buildBody(scf::ForOp reversed) {
  Block *body = reversed.getBody();
  if (!body->empty())
    body->clear();
  OpBuilder b = OpBuilder::atBlockEnd(body);
  Value last = arith::SubIOp::create(b, loc, count, constant(b, 1));
  Value position =
      arith::SubIOp::create(b, loc, last, reversed.getInductionVar());
  Value induction = buildInduction(b, loop, lower, step, position);

  std::unique_ptr<DerivativeContext> nested =
      ctx.nest(b, loop.getRegion(),
               inverts ? DerivativeContext::Fallback::Recompute
                       : DerivativeContext::Fallback::Tape,
               position);
  nested->provide(loop.getInductionVar(), induction);

  ArrayRef<BlockArgument> args = reversed.getRegionIterArgs();
  unsigned numState = state.size();
  for (auto [i, number] : llvm::enumerate(state))
    nested->provide(loop.getYieldedValues()[number], args[i],
                    getPrecision(args[i].getType()));
  // Accumulators first: a cotangent that starts as a part of one must find it.
  for (auto [i, value] : llvm::enumerate(captured))
    nested->setCotangent(value, args[numState + active.size() + i]);
  for (auto [i, number] : llvm::enumerate(active))
    nested->accumulate(loop.getYieldedValues()[number], args[numState + i]);

  SmallVector<Operation *> ops;
  for (Operation &op : loop.getBody()->without_terminator())
    ops.push_back(&op);
  if (failed(nested->differentiate(ops)))
    return failure();
  for (auto [i, argument] : llvm::enumerate(loop.getRegionIterArgs()))
    if (!llvm::is_contained(active, i) && nested->cotangent(argument))
      llvm::report_fatal_error("a cotangent reaches state that is not carried");

  SmallVector<Value> yields;
  for (unsigned number : state)
    yields.push_back(nested->primal(loop.getRegionIterArgs()[number]));
  for (unsigned number : active)
    yields.push_back(nested->accumulator(loop.getRegionIterArgs()[number]));
  for (Value value : captured)
    yields.push_back(nested->accumulator(value));
  if (llvm::is_contained(yields, Value()))
    return failure();
  scf::YieldOp::create(b, loc, yields);
  return success();
}

LogicalResult LoopReversal::emit() {
  if (failed(buildBounds()) || failed(collect()))
    return failure();
  OpBuilder &b = ctx.getBuilder();
  Value zero = constant(b, 0), one = constant(b, 1);
  auto reversed = scf::ForOp::create(b, loc, zero, count, one, inits);
  {
    // What the body needs from outside is emitted before the loop.
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(reversed);
    if (failed(buildBody(reversed)))
      return failure();
  }
  unsigned next = 0;
  for (unsigned number : state) {
    Value init = loop.getInitArgs()[number];
    ctx.provide(init, reversed.getResult(next++), getPrecision(init.getType()));
  }
  SmallVector<Value> cotangents;
  for (size_t i = 0; i < active.size(); ++i)
    cotangents.push_back(reversed.getResult(next++));
  ctx.returnSums(captured, reversed.getResults().drop_front(next));
  for (auto [number, cotangent] : llvm::zip_equal(active, cotangents))
    ctx.accumulate(loop.getInitArgs()[number], cotangent);
  return success();
}

namespace {

struct ForModel
    : DifferentiableOpInterface::ExternalModel<ForModel, scf::ForOp> {
  void getResiduals(Operation *op, function_ref<bool(Value)>,
                    SmallVectorImpl<Residual> &residuals) const {
    // Where the loop runs again, and its bounds where it runs backwards.
    llvm::SetVector<Value> used(op->operand_begin(), op->operand_end());
    getUsedValuesDefinedAbove(op->getRegions(), used);
    residuals.append(used.begin(), used.end());
  }

  LogicalResult buildVJP(Operation *op, DerivativeContext &ctx) const {
    // Scalar code of a rule, which is in no function yet, has no room for
    // tapes.
    if (!op->getParentOfType<FunctionOpInterface>())
      return op->emitError("expects no loops in the body of a linalg operation "
                           "where a gradient flows");
    if (std::optional<CheckpointedLoop> form = CheckpointedLoop::get(op))
      return buildCheckpointedVJP(*form, ctx);
    return LoopReversal(cast<scf::ForOp>(op), ctx, /*inverts=*/false,
                        /*differentiates=*/true)
        .emit();
  }
};

/// A loop whose body can be run backwards gives its initial values back, but
/// for those that the plan leaves out.
struct ForInverseModel
    : InvertibleOpInterface::ExternalModel<ForInverseModel, scf::ForOp> {
  SmallVector<InverseEdge> getInverseEdges(Operation *op) const {
    auto loop = cast<scf::ForOp>(op);
    // The plan says whether the body can.
    if (!op->hasAttr("rev.invert"))
      return {};
    InverseEdge edge;
    llvm::SetVector<Value> from;
    for (unsigned number : LoopReversal::getState(loop)) {
      edge.solved.push_back(loop.getInitArgs()[number]);
      from.insert(loop.getResult(number));
    }
    getUsedValuesDefinedAbove(loop.getRegion(), from);
    from.insert(loop.getLowerBound());
    from.insert(loop.getUpperBound());
    from.insert(loop.getStep());
    edge.from.assign(from.begin(), from.end());
    // That of all iterations together.
    edge.gain = 0;
    if (auto gain = op->getAttrOfType<FloatAttr>("rev.inverse_gain")) {
      edge.kind = InverseKind::Conditioned;
      if (std::isfinite(gain.getValueAsDouble()))
        edge.gain = gain.getValueAsDouble();
    }
    return {edge};
  }

  LogicalResult buildInverse(Operation *op, DerivativeContext &ctx,
                             unsigned) const {
    return LoopReversal(cast<scf::ForOp>(op), ctx, /*inverts=*/true,
                        /*differentiates=*/false)
        .emit();
  }

  LogicalResult buildInverseAndVJP(Operation *op, DerivativeContext &ctx,
                                   unsigned) const {
    return LoopReversal(cast<scf::ForOp>(op), ctx, /*inverts=*/true,
                        /*differentiates=*/true)
        .emit();
  }
};

} // namespace

void memrev::registerSCFLoopModels(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *c, scf::SCFDialect *) {
    scf::ForOp::attachInterface<ForModel, ForInverseModel>(*c);
  });
}
