//===- LinalgContraction.cpp - Rules of matrix products -------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The derivative of a matrix product is two matrix products, which stay named:
// linalg.matmul and linalg.batch_matmul say a transposition by their indexing
// maps, so that none is materialised. Other contractions go through the rule
// for scalar bodies, whose result is a contraction too.
//
//===----------------------------------------------------------------------===//

#include "LinalgInverses.h"
#include "LinalgRules.h"
#include "Models.h"
#include "TensorExpressions.h"
#include "mlir/IR/DialectRegistry.h"

using namespace mlir;
using namespace mlir::memrev;
using linalg::LinalgOp;

/// True if every operand is a matrix, after the batch dimension if there is
/// one: no broadcasts.
static bool isPlainProduct(LinalgOp op, unsigned numBatch) {
  for (OpOperand &operand : op->getOpOperands()) {
    AffineMap map = op.getMatchingIndexingMap(&operand);
    if (map.getNumResults() != numBatch + 2 || !map.isProjectedPermutation())
      return false;
    for (unsigned i = 0; i < numBatch; ++i)
      if (map.getDimPosition(i) != i)
        return false;
  }
  return true;
}

/// Emits the cotangent of operand `j` of C += A * B into its accumulator.
template <typename OpTy>
static LogicalResult buildFactor(OpTy op, DerivativeContext &ctx, unsigned j,
                                 unsigned numBatch) {
  MLIRContext *context = op.getContext();
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  Value other = ctx.primal(op->getOperand(1 - j));
  if (!other)
    return failure();
  // Rename the loops so that those of the operand come in its own order and the
  // one that is summed over is last.
  unsigned numLoops = numBatch + 3;
  SmallVector<AffineExpr> renamed(numLoops,
                                  getAffineDimExpr(numLoops - 1, context));
  for (unsigned i = 0; i < numBatch + 2; ++i)
    renamed[maps[j].getDimPosition(i)] = getAffineDimExpr(i, context);
  auto rename = [&](AffineMap map) {
    return map.replaceDimsAndSymbols(renamed, {}, numLoops, 0);
  };
  Value lhs = ctx.cotangent(op->getResult(0)), rhs = other;
  AffineMap lhsMap = rename(maps[2]), rhsMap = rename(maps[1 - j]);
  // The left factor is the one with the rows.
  if (!lhsMap.isFunctionOfDim(numBatch)) {
    std::swap(lhs, rhs);
    std::swap(lhsMap, rhsMap);
  }
  // A product casts its factors to the type of the sum.
  Value operand = op->getOperand(j);
  WideSum wide(ctx, operand,
               getElementTypeOrSelf(ctx.cotangent(op->getResult(0)).getType()),
               op.getLoc());
  Value sum = wide.getStart();
  if (!sum)
    return failure();
  OpBuilder &b = ctx.getBuilder();
  auto product = OpTy::create(b, op.getLoc(), TypeRange{sum.getType()},
                              ValueRange{lhs, rhs}, ValueRange{sum});
  product.setIndexingMapsAttr(
      b.getAffineMapArrayAttr({lhsMap, rhsMap, rename(maps[j])}));
  wide.finish(product->getResult(0));
  return success();
}

namespace {

template <typename OpTy, unsigned numBatch>
struct ProductModel
    : DifferentiableOpInterface::ExternalModel<ProductModel<OpTy, numBatch>,
                                               OpTy> {
  void getResiduals(Operation *op, function_ref<bool(Value)> isActive,
                    SmallVectorImpl<Residual> &residuals) const {
    for (unsigned j : {0u, 1u})
      if (isActive(op->getOperand(j)))
        residuals.push_back(op->getOperand(1 - j));
  }

  LogicalResult buildVJP(Operation *op, DerivativeContext &ctx) const {
    auto structured = cast<LinalgOp>(op);
    if (!isPlainProduct(structured, numBatch) ||
        !structured.hasPureTensorSemantics())
      return buildStructuredVJP(structured, ctx);
    for (unsigned j : {0u, 1u})
      if (ctx.isActive(op->getOperand(j)) &&
          failed(buildFactor(cast<OpTy>(op), ctx, j, numBatch)))
        return failure();
    ctx.accumulate(op->getOperand(2), ctx.cotangent(op->getResult(0)));
    return success();
  }
};

} // namespace

void memrev::registerLinalgContractionModels(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *c, linalg::LinalgDialect *) {
    using namespace linalg;
    MatmulOp::attachInterface<ProductModel<MatmulOp, 0>,
                              StructuredInverse<MatmulOp>>(*c);
    BatchMatmulOp::attachInterface<ProductModel<BatchMatmulOp, 1>,
                                   StructuredInverse<BatchMatmulOp>>(*c);
  });
}
