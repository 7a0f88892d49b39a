//===- LinalgTangents.cpp - Forward mode of linalg operations -------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One rule for all operations with a scalar body. What adds a product of its
// operands to its out operand, or moves elements, stays the operation that it
// is: one for each operand that has a tangent, with the tangent in its place.
// Anything else becomes one linalg.generic that computes values and tangents
// together, which is right for any body, any maps and any reduction.
//
//===----------------------------------------------------------------------===//

#include "LinalgRules.h"
#include "Models.h"
#include "TensorExpressions.h"
#include "memrev/Interfaces/ForwardDifferentiableOpInterface.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/DialectRegistry.h"
#include "llvm/ADT/SmallBitVector.h"

using namespace mlir;
using namespace mlir::memrev;
using linalg::LinalgOp;

//===----------------------------------------------------------------------===//
// Operations that are linear in each operand
//===----------------------------------------------------------------------===//

namespace {

/// Says of the values of a body in which of the arguments with a tangent each
/// is linear: a sum of products that have each of these as a factor once.
class LinearFactors {
public:
  LinearFactors(LinalgOp op, TangentContext &ctx) : op(op), ctx(ctx) {}

  /// The operands that `value` is linear in, or nothing if it depends on a
  /// tangent in any other way.
  std::optional<llvm::SmallBitVector> get(Value value);

private:
  std::optional<llvm::SmallBitVector> getOfOperation(Operation *def);

  LinalgOp op;
  TangentContext &ctx;
  DenseMap<Value, std::optional<llvm::SmallBitVector>> known;
};

} // namespace

std::optional<llvm::SmallBitVector> LinearFactors::get(Value value) {
  llvm::SmallBitVector none(op->getNumOperands());
  if (auto argument = dyn_cast<BlockArgument>(value);
      argument && argument.getOwner() == op.getBlock()) {
    OpOperand *operand = op.getMatchingOpOperand(argument);
    if (op.isDpsInit(operand))
      return std::nullopt;
    if (ctx.tangent(operand->get()))
      none.set(operand->getOperandNumber());
    return none;
  }
  Operation *def = value.getDefiningOp();
  if (!def || def->getBlock() != op.getBlock()) {
    if (ctx.tangent(value))
      return std::nullopt;
    return none;
  }
  auto it = known.find(value);
  if (it == known.end())
    it = known.try_emplace(value, getOfOperation(def)).first;
  return it->second;
}

std::optional<llvm::SmallBitVector>
LinearFactors::getOfOperation(Operation *def) {
  if (def->getNumRegions() != 0)
    return std::nullopt;
  SmallVector<llvm::SmallBitVector> factors;
  for (Value operand : def->getOperands()) {
    std::optional<llvm::SmallBitVector> factor = get(operand);
    if (!factor)
      return std::nullopt;
    factors.push_back(*factor);
  }
  auto isConstant = [](const llvm::SmallBitVector &f) { return f.none(); };
  if (llvm::all_of(factors, isConstant))
    return llvm::SmallBitVector(op->getNumOperands());
  if (isa<arith::NegFOp, arith::ExtFOp, arith::TruncFOp>(def))
    return factors[0];
  if (isa<arith::MulFOp>(def) && !factors[0].anyCommon(factors[1]))
    return factors[0] |= factors[1];
  if (isa<arith::AddFOp, arith::SubFOp>(def) && factors[0] == factors[1])
    return factors[0];
  if (isa<arith::DivFOp>(def) && factors[1].none())
    return factors[0];
  if (isa<arith::SelectOp>(def) && factors[0].none() &&
      factors[1] == factors[2])
    return factors[1];
  return std::nullopt;
}

/// If the only result of `op` is its out operand plus something that is linear
/// in each operand with a tangent, what is added.
static Value getSummand(LinalgOp op) {
  if (op.getNumDpsInits() != 1)
    return {};
  Value out = op.getRegionOutputArgs()[0];
  auto add = op.getBlock()
                 ->getTerminator()
                 ->getOperand(0)
                 .getDefiningOp<arith::AddFOp>();
  if (!add || !out.hasOneUse())
    return {};
  if (add.getLhs() == out)
    return add.getRhs();
  return add.getRhs() == out ? add.getLhs() : Value();
}

/// True if `value` is linear in each operand of `op` that has a tangent.
static bool isLinearInEach(LinalgOp op, TangentContext &ctx, Value value) {
  llvm::SmallBitVector active(op->getNumOperands());
  for (OpOperand *operand : op.getDpsInputOperands())
    if (ctx.tangent(operand->get()))
      active.set(operand->getOperandNumber());
  std::optional<llvm::SmallBitVector> factors =
      LinearFactors(op, ctx).get(value);
  return factors && *factors == active;
}

/// Emits `op` with `tangent` for operand `i` and `out` for its out operand.
static Value buildWithOperand(OpBuilder &b, LinalgOp op, unsigned i,
                              Value tangent, Value out) {
  SmallVector<Value> operands(op->getOperands());
  operands[i] = tangent;
  operands[op.getDpsInitOperand(0)->getOperandNumber()] = out;
  Operation *copy = clone(b, op, op->getResultTypes(), operands);
  copy->setDiscardableAttrs(b.getDictionaryAttr({}));
  return copy->getResult(0);
}

/// Emits, for each operand with a tangent, the operation with the tangent in
/// its place; all add to one sum.
static void buildAddingOperations(LinalgOp op, TangentContext &ctx) {
  Value sum = ctx.tangentOrZero(op.getDpsInitOperand(0)->get());
  for (OpOperand *operand : op.getDpsInputOperands())
    if (Value tangent = ctx.tangent(operand->get()))
      sum = buildWithOperand(ctx.getBuilder(), op, operand->getOperandNumber(),
                             tangent, sum);
  ctx.setTangent(op->getResult(0), sum);
}

/// The only operand with a tangent of an operation that writes a linear
/// function of it.
static OpOperand *getMovedOperand(LinalgOp op, TangentContext &ctx) {
  if (op.getNumDpsInits() != 1 || op.getNumReductionLoops() != 0)
    return nullptr;
  OpOperand *moved = nullptr;
  for (OpOperand *operand : op.getDpsInputOperands()) {
    if (!ctx.tangent(operand->get()))
      continue;
    if (moved)
      return nullptr;
    moved = operand;
  }
  Value yielded = op.getBlock()->getTerminator()->getOperand(0);
  if (!moved || !op.getRegionOutputArgs()[0].use_empty() ||
      !op.getMatchingIndexingMap(op.getDpsInitOperand(0))
           .isProjectedPermutation() ||
      !isLinearInEach(op, ctx, yielded))
    return nullptr;
  return moved;
}

//===----------------------------------------------------------------------===//
// Any body
//===----------------------------------------------------------------------===//

/// Replaces `op` by a linalg.generic whose body computes tangents next to the
/// values and which has the tangents as further results.
static LogicalResult buildWithTangents(LinalgOp op, TangentContext &ctx) {
  OpBuilder &b = ctx.getBuilder();
  Location loc = op.getLoc();
  Block *body = op.getBlock();
  bool reduces = op.getNumReductionLoops() != 0;
  unsigned numInputs = op.getNumDpsInputs(), numInits = op.getNumDpsInits();

  SmallVector<Value> inputs = op.getDpsInputs();
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  SmallVector<AffineMap> initMaps(llvm::drop_begin(maps, numInputs));
  maps.resize(numInputs);
  for (unsigned i = 0; i < numInputs; ++i) {
    BlockArgument argument = body->getArgument(i);
    Value tangent = ctx.tangent(inputs[i]);
    if (!tangent || argument.use_empty())
      continue;
    ctx.setTangent(argument,
                   body->insertArgument(inputs.size(), argument.getType(),
                                        argument.getLoc()));
    inputs.push_back(tangent);
    maps.push_back(maps[i]);
  }

  // A running value has a tangent if what is folded into it has one.
  auto outs = [&](unsigned k) { return body->getArgument(inputs.size() + k); };
  SmallVector<BlockArgument> outTangents(numInits);
  for (unsigned k = 0; k < numInits; ++k) {
    Value init = op.getDpsInits()[k];
    if (outs(k).getType().isIntOrIndex())
      continue;
    outTangents[k] = body->addArgument(outs(k).getType(), loc);
    if (ctx.tangent(init) || (reduces && ctx.isActive(outs(k))))
      ctx.setTangent(outs(k), outTangents[k]);
  }
  if (failed(ctx.differentiate(*body)))
    return failure();

  Operation *terminator = body->getTerminator();
  SmallVector<Value> yields(terminator->getOperands());
  SmallVector<Value> outputs(op.getDpsInits());
  maps.append(initMaps);
  SmallVector<Value> tangents = llvm::map_to_vector(
      yields, [&](Value yielded) { return ctx.tangent(yielded); });
  // The terminator reads a tangent that it yields as it is.
  auto isRead = [&](BlockArgument argument) {
    return !argument.use_empty() || llvm::is_contained(tangents, argument);
  };
  SmallVector<unsigned> withTangent;
  for (unsigned k = 0; k < numInits; ++k) {
    BlockArgument argument = outTangents[k];
    if (!argument)
      continue;
    Value tangent = tangents[k];
    if (!tangent && !isRead(argument)) {
      ctx.setTangent(body->getArgument(inputs.size() + k), {});
      ctx.setTangent(argument, {});
      body->eraseArgument(argument.getArgNumber());
      continue;
    }
    if (!tangent) {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPoint(terminator);
      tangent = ctx.zero(argument.getType(), yields[k], loc);
    }
    Value init = op.getDpsInits()[k];
    // What no iteration writes keeps the tangent of the out operand.
    bool isWritten = !reduces && initMaps[k].isProjectedPermutation();
    outputs.push_back(!isRead(argument) && isWritten
                          ? buildEmptyLike(b, loc, init)
                          : ctx.tangentOrZero(init));
    maps.push_back(initMaps[k]);
    yields.push_back(tangent);
    withTangent.push_back(k);
  }
  terminator->setOperands(yields);

  auto generic =
      linalg::GenericOp::create(b, loc, TypeRange(ValueRange(outputs)), inputs,
                                outputs, maps, op.getIteratorTypesArray());
  generic.getRegion().takeBody(op->getRegion(0));
  for (auto [i, k] : llvm::enumerate(withTangent))
    ctx.setTangent(generic.getResult(k), generic.getResult(numInits + i));
  ctx.replace(op, generic.getResults());
  return success();
}

LogicalResult memrev::buildStructuredJVP(LinalgOp op, TangentContext &ctx) {
  if (OpOperand *moved = getMovedOperand(op, ctx)) {
    OpBuilder &b = ctx.getBuilder();
    ctx.setTangent(
        op->getResult(0),
        buildWithOperand(
            b, op, moved->getOperandNumber(), ctx.tangent(moved->get()),
            buildEmptyLike(b, op.getLoc(), op.getDpsInitOperand(0)->get())));
    return success();
  }
  Value summand = getSummand(op);
  if (summand && isLinearInEach(op, ctx, summand)) {
    buildAddingOperations(op, ctx);
    return success();
  }
  return buildWithTangents(op, ctx);
}

namespace {

template <typename OpTy>
struct StructuredTangentModel : ForwardDifferentiableOpInterface::ExternalModel<
                                    StructuredTangentModel<OpTy>, OpTy> {
  LogicalResult buildJVP(Operation *op, TangentContext &ctx) const {
    return buildStructuredJVP(cast<LinalgOp>(op), ctx);
  }
};

} // namespace

template <typename... OpTys>
static void attachTangents(MLIRContext *context) {
  (OpTys::template attachInterface<StructuredTangentModel<OpTys>>(*context),
   ...);
}

void memrev::registerLinalgTangentModels(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *c, linalg::LinalgDialect *) {
    using namespace linalg;
    // Scalar bodies, and operations that move elements.
    attachTangents<GenericOp, MapOp, ElementwiseOp, ReduceOp, BroadcastOp,
                   TransposeOp, FillOp, FillRng2DOp, CopyOp, AddOp, SubOp,
                   MulOp, DivOp, NegFOp, ExpOp, LogOp, SqrtOp, RsqrtOp,
                   SquareOp, ReciprocalOp, TanhOp, ErfOp, AbsOp, MaxOp, MinOp,
                   PowFOp, SelectOp>(c);
    // Products of matrices.
    attachTangents<DotOp, MatvecOp, VecmatOp, BatchMatvecOp, BatchVecmatOp,
                   MatmulOp, BatchMatmulOp, BatchReduceMatmulOp, Mmt4DOp,
                   BatchMmt4DOp, ContractOp>(c);
    attachTangents<Conv1DOp, Conv1DNcwFcwOp, Conv1DNwcWcfOp, Conv2DOp,
                   Conv2DNchwFchwOp, Conv2DNgchwFgchwOp, Conv2DNgchwGfchwOp,
                   Conv2DNhwcFhwcOp, Conv2DNhwcHwcfOp, Conv2DNhwgcGfhwcOp,
                   Conv3DOp, Conv3DNcdhwFcdhwOp, Conv3DNdhwcDhwcfOp,
                   DepthwiseConv1DNcwCwOp, DepthwiseConv1DNwcWcOp,
                   DepthwiseConv1DNwcWcmOp, DepthwiseConv2DNchwChwOp,
                   DepthwiseConv2DNhwcHwcOp, DepthwiseConv2DNhwcHwcmOp,
                   DepthwiseConv3DNcdhwCdhwOp, DepthwiseConv3DNdhwcDhwcOp,
                   DepthwiseConv3DNdhwcDhwcmOp>(c);
    attachTangents<PoolingNchwMaxOp, PoolingNchwSumOp, PoolingNcwMaxOp,
                   PoolingNcwSumOp, PoolingNdhwcMaxOp, PoolingNdhwcMinOp,
                   PoolingNdhwcSumOp, PoolingNhwcMaxOp, PoolingNhwcMinOp,
                   PoolingNhwcSumOp, PoolingNwcMaxOp, PoolingNwcMinOp,
                   PoolingNwcSumOp>(c);
  });
}
