//===- SCF.cpp - Reverse mode of branches ---------------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Operations that run one of their regions once: scf.if, scf.index_switch and
// scf.execute_region.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "Models.h"
#include "memrev/Interfaces/DifferentiableOpInterface.h"
#include "mlir/IR/DialectRegistry.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace mlir::memrev;

static LogicalResult verifySingleBlocks(Operation *op) {
  for (Region &region : op->getRegions())
    if (!region.hasOneBlock())
      return op->emitError("expects regions of one block where a gradient "
                           "flows, but region ")
             << region.getRegionNumber() << " has "
             << llvm::range_size(region.getBlocks());
  return success();
}

/// Adds to `residuals` the values from outside of `op` that `value` is computed
/// from, if it is one of its regions.
static void addSources(Operation *op, Value value,
                       llvm::SmallDenseSet<Value> &visited,
                       SmallVectorImpl<Residual> &residuals,
                       Precision precision) {
  SmallVector<Value> pending{value};
  while (!pending.empty()) {
    Value v = pending.pop_back_val();
    if (!visited.insert(v).second)
      continue;
    Operation *owner = v.getParentRegion()->getParentOp();
    if (!owner || !op->isAncestor(owner)) {
      residuals.push_back(Residual(v, precision));
      continue;
    }
    Operation *def = v.getDefiningOp();
    if (!def)
      continue;
    llvm::append_range(pending, def->getOperands());
    visitUsedValuesDefinedAbove(def->getRegions(), [&](OpOperand *operand) {
      pending.push_back(operand->get());
    });
  }
}

namespace {

/// The derivative of a branch is a branch on the same condition. Each region
/// adds to the cotangents of everything active that any of them captures, and
/// evaluates the values it reads again: what a region computes has no name
/// outside of it, and would be a wasted tape where another one is taken.
template <typename OpTy>
struct BranchModel
    : DifferentiableOpInterface::ExternalModel<BranchModel<OpTy>, OpTy> {
  void getResiduals(Operation *op, function_ref<bool(Value)> isActive,
                    SmallVectorImpl<Residual> &residuals) const {
    llvm::SmallDenseSet<Value> visited;
    for (Value operand : op->getOperands())
      residuals.push_back(Residual(operand, Precision::Exact));
    for (Region &region : op->getRegions())
      for (Operation &inner : region.getOps()) {
        auto rule = dyn_cast<DifferentiableOpInterface>(&inner);
        if (!rule)
          continue;
        SmallVector<Residual> read;
        rule.getResiduals(isActive, read);
        for (const Residual &residual : read)
          addSources(op, residual.alternatives.front(), visited, residuals,
                     residual.precision);
      }
  }

  LogicalResult buildVJP(Operation *op, DerivativeContext &ctx) const {
    if (failed(verifySingleBlocks(op)))
      return failure();
    OpBuilder &b = ctx.getBuilder();
    Location loc = op->getLoc();
    SmallVector<Value> operands;
    for (Value operand : op->getOperands()) {
      operands.push_back(ctx.primal(operand, Precision::Exact));
      if (!operands.back())
        return failure();
    }
    llvm::SetVector<Value> used;
    getUsedValuesDefinedAbove(op->getRegions(), used);
    SmallVector<Value> captured, sums, cotangents;
    for (Value result : op->getResults())
      cotangents.push_back(ctx.cotangent(result));
    for (Value value : used) {
      if (ctx.isActive(value))
        captured.push_back(value);
    }
    if (failed(ctx.takeSums(captured, sums)))
      return failure();

    Operation *reversed = Operation::create(
        loc, op->getName(), TypeRange(ValueRange(sums)), operands,
        NamedAttrList(op->getDiscardableAttrDictionary()),
        op->getPropertiesStorage(), BlockRange(), op->getNumRegions());
    b.insert(reversed);
    {
      // What the regions need from outside is emitted before the operation.
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPoint(reversed);
      for (auto [from, to] :
           llvm::zip_equal(op->getRegions(), reversed->getRegions())) {
        OpBuilder inside = OpBuilder::atBlockEnd(&to.emplaceBlock());
        std::unique_ptr<DerivativeContext> nested =
            ctx.nest(inside, from, DerivativeContext::Fallback::Recompute);
        for (auto [value, sum] : llvm::zip_equal(captured, sums))
          nested->setCotangent(value, sum);
        Operation *terminator = from.front().getTerminator();
        for (auto [yielded, cotangent] :
             llvm::zip_equal(terminator->getOperands(), cotangents))
          if (cotangent)
            nested->accumulate(yielded, cotangent);
        SmallVector<Operation *> ops;
        for (Operation &inner : from.front().without_terminator())
          ops.push_back(&inner);
        if (failed(nested->differentiate(ops)))
          return failure();
        SmallVector<Value> yields;
        for (Value value : captured) {
          yields.push_back(nested->accumulator(value));
          if (!yields.back())
            return failure();
        }
        scf::YieldOp::create(inside, loc, yields);
      }
    }
    ctx.returnSums(captured, reversed->getResults());
    return success();
  }
};

} // namespace

void memrev::registerSCFModels(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *c, scf::SCFDialect *) {
    using namespace scf;
    ExecuteRegionOp::attachInterface<BranchModel<ExecuteRegionOp>>(*c);
    IfOp::attachInterface<BranchModel<IfOp>>(*c);
    IndexSwitchOp::attachInterface<BranchModel<IndexSwitchOp>>(*c);
  });
}
