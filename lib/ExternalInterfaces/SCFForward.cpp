//===- SCFForward.cpp - Forward mode of scf operations --------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Control flow in forward mode carries tangents as further state: the operation
// is made again with the tangents of its active results behind its results.
//
//===----------------------------------------------------------------------===//

#include "Models.h"
#include "memrev/Interfaces/ForwardDifferentiableOpInterface.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/DialectRegistry.h"

using namespace mlir;
using namespace mlir::memrev;

/// The numbers of the values that have tangents.
template <typename Range>
static SmallVector<unsigned> getActive(const Range &values,
                                       TangentContext &ctx) {
  SmallVector<unsigned> active;
  for (auto [i, value] : llvm::enumerate(values))
    if (ctx.isActive(value))
      active.push_back(i);
  return active;
}

/// Adds the tangents of the values number `active` to `values`.
static void appendTangents(SmallVectorImpl<Value> &values,
                           ArrayRef<unsigned> active, TangentContext &ctx) {
  for (unsigned i : active)
    values.push_back(ctx.tangentOrZero(values[i]));
}

/// Adds arguments for the tangents of those number `active`, counted from
/// `first`, to `block`, and differentiates it.
static LogicalResult differentiateBlock(Block &block, unsigned first,
                                        ArrayRef<unsigned> active,
                                        TangentContext &ctx) {
  for (unsigned i : active) {
    BlockArgument argument = block.getArgument(first + i);
    ctx.setTangent(argument,
                   block.addArgument(argument.getType(), argument.getLoc()));
  }
  if (failed(ctx.differentiate(block)))
    return failure();
  ctx.getBuilder().setInsertionPoint(block.getTerminator());
  return success();
}

/// Adds the tangents of the operands number `active`, counted from `first`, to
/// the terminator of `block`.
static void yieldTangents(Block &block, unsigned first,
                          ArrayRef<unsigned> active, TangentContext &ctx) {
  Operation *terminator = block.getTerminator();
  SmallVector<Value> yields(terminator->getOperands().drop_front(first));
  appendTangents(yields, active, ctx);
  yields.insert(yields.begin(), terminator->operand_begin(),
                terminator->operand_begin() + first);
  terminator->setOperands(yields);
}

/// Puts `now`, whose results end with the tangents of those number `active`, in
/// the place of `op`.
static void replaceWithTangents(Operation *op, Operation *now,
                                ArrayRef<unsigned> active,
                                TangentContext &ctx) {
  unsigned count = op->getNumResults();
  ctx.getBuilder().setInsertionPointAfter(now);
  ctx.replace(op, now->getResults().take_front(count));
  for (auto [k, i] : llvm::enumerate(active))
    ctx.setTangent(now->getResult(i), now->getResult(count + k));
}

namespace {

struct ForTangent
    : ForwardDifferentiableOpInterface::ExternalModel<ForTangent, scf::ForOp> {
  LogicalResult buildJVP(Operation *op, TangentContext &ctx) const {
    auto loop = cast<scf::ForOp>(op);
    OpBuilder &b = ctx.getBuilder();
    SmallVector<unsigned> active = getActive(loop.getRegionIterArgs(), ctx);
    if (active.empty())
      return success();
    SmallVector<Value> inits(loop.getInitArgs());
    appendTangents(inits, active, ctx);
    auto now =
        scf::ForOp::create(b, op->getLoc(), loop.getLowerBound(),
                           loop.getUpperBound(), loop.getStep(), inits,
                           /*bodyBuilder=*/nullptr, loop.getUnsignedCmp());
    now->setDiscardableAttrs(op->getDiscardableAttrDictionary());
    now.getRegion().takeBody(loop.getRegion());
    Block &body = *now.getBody();
    if (failed(differentiateBlock(body, /*first=*/1, active, ctx)))
      return failure();
    yieldTangents(body, /*first=*/0, active, ctx);
    replaceWithTangents(op, now, active, ctx);
    return success();
  }
};

struct WhileTangent
    : ForwardDifferentiableOpInterface::ExternalModel<WhileTangent,
                                                      scf::WhileOp> {
  LogicalResult buildJVP(Operation *op, TangentContext &ctx) const {
    auto loop = cast<scf::WhileOp>(op);
    OpBuilder &b = ctx.getBuilder();
    SmallVector<unsigned> carried = getActive(loop.getBeforeArguments(), ctx);
    SmallVector<unsigned> passed = getActive(loop.getAfterArguments(), ctx);
    // Nothing active leaves the loop.
    if (passed.empty())
      return success();
    SmallVector<Value> inits(loop.getInits());
    appendTangents(inits, carried, ctx);
    SmallVector<Type> types(op->getResultTypes());
    for (unsigned i : passed)
      types.push_back(types[i]);
    auto now = scf::WhileOp::create(b, op->getLoc(), types, inits);
    now->setDiscardableAttrs(op->getDiscardableAttrDictionary());
    now.getBefore().takeBody(loop.getBefore());
    now.getAfter().takeBody(loop.getAfter());
    Block &before = now.getBefore().front(), &after = now.getAfter().front();
    if (failed(differentiateBlock(before, /*first=*/0, carried, ctx)))
      return failure();
    yieldTangents(before, /*first=*/1, passed, ctx);
    if (failed(differentiateBlock(after, /*first=*/0, passed, ctx)))
      return failure();
    yieldTangents(after, /*first=*/0, carried, ctx);
    replaceWithTangents(op, now, passed, ctx);
    return success();
  }
};

/// Operations that run one of their regions once.
template <typename OpTy>
struct BranchTangent
    : ForwardDifferentiableOpInterface::ExternalModel<BranchTangent<OpTy>,
                                                      OpTy> {
  LogicalResult buildJVP(Operation *op, TangentContext &ctx) const {
    SmallVector<unsigned> active = getActive(op->getResults(), ctx);
    if (active.empty())
      return success();
    for (Region &region : op->getRegions())
      if (!region.hasOneBlock())
        return op->emitError("expects regions of one block where a tangent "
                             "flows, but region ")
               << region.getRegionNumber() << " has "
               << llvm::range_size(region.getBlocks());
    SmallVector<Type> types(op->getResultTypes());
    for (unsigned i : active)
      types.push_back(types[i]);
    Operation *now = Operation::create(
        op->getLoc(), op->getName(), types, op->getOperands(),
        NamedAttrList(op->getDiscardableAttrDictionary()),
        op->getPropertiesStorage(), BlockRange(), op->getNumRegions());
    ctx.getBuilder().insert(now);
    for (auto [from, to] :
         llvm::zip_equal(op->getRegions(), now->getRegions())) {
      to.takeBody(from);
      if (failed(differentiateBlock(to.front(), /*first=*/0, {}, ctx)))
        return failure();
      yieldTangents(to.front(), /*first=*/0, active, ctx);
    }
    replaceWithTangents(op, now, active, ctx);
    return success();
  }
};

/// A slice's tangent goes where the slice goes.
struct ForallTangent
    : ForwardDifferentiableOpInterface::ExternalModel<ForallTangent,
                                                      scf::ForallOp> {
  LogicalResult buildJVP(Operation *op, TangentContext &ctx) const {
    auto loop = cast<scf::ForallOp>(op);
    OpBuilder &b = ctx.getBuilder();
    SmallVector<unsigned> active = getActive(loop.getRegionIterArgs(), ctx);
    if (active.empty())
      return success();
    SmallVector<Value> outputs(loop.getOutputs());
    appendTangents(outputs, active, ctx);
    auto now = scf::ForallOp::create(
        b, op->getLoc(), loop.getMixedLowerBound(), loop.getMixedUpperBound(),
        loop.getMixedStep(), outputs, loop.getMapping());
    now->setDiscardableAttrs(op->getDiscardableAttrDictionary());
    now.getRegion().takeBody(loop.getRegion());
    Block &body = *now.getBody();
    if (failed(differentiateBlock(body, /*first=*/now.getRank(), active, ctx)))
      return failure();
    SmallVector<tensor::ParallelInsertSliceOp> inserts;
    for (Operation &yielding : now.getTerminator().getYieldingOps())
      if (auto insert = dyn_cast<tensor::ParallelInsertSliceOp>(yielding))
        if (ctx.isActive(insert.getDest()))
          inserts.push_back(insert);
    for (tensor::ParallelInsertSliceOp insert : inserts) {
      Value tangent = ctx.tangentOrZero(insert.getSource());
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToEnd(now.getTerminator().getBody());
      tensor::ParallelInsertSliceOp::create(
          b, insert.getLoc(), tangent, ctx.tangent(insert.getDest()),
          insert.getMixedOffsets(), insert.getMixedSizes(),
          insert.getMixedStrides());
    }
    replaceWithTangents(op, now, active, ctx);
    return success();
  }
};

} // namespace

void memrev::registerSCFForwardModels(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *c, scf::SCFDialect *) {
    using namespace scf;
    ExecuteRegionOp::attachInterface<BranchTangent<ExecuteRegionOp>>(*c);
    ForallOp::attachInterface<ForallTangent>(*c);
    ForOp::attachInterface<ForTangent>(*c);
    IfOp::attachInterface<BranchTangent<IfOp>>(*c);
    IndexSwitchOp::attachInterface<BranchTangent<IndexSwitchOp>>(*c);
    WhileOp::attachInterface<WhileTangent>(*c);
  });
}
