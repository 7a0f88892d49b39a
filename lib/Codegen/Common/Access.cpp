//===- Access.cpp - Where a kernel reads and writes elements --------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Codegen/Common/Problem.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace mlir::memrev;

bool Access::uses(unsigned dim) const {
  return llvm::any_of(
             indices,
             [&](AffineExpr expr) { return expr.isFunctionOfDim(dim); }) ||
         llvm::any_of(bounds, [&](const Bound &bound) {
           return bound.expr.isFunctionOfDim(dim);
         });
}

int64_t memrev::getCoefficient(AffineExpr expr, unsigned dim) {
  switch (expr.getKind()) {
  case AffineExprKind::DimId:
    return cast<AffineDimExpr>(expr).getPosition() == dim;
  case AffineExprKind::Add: {
    auto sum = cast<AffineBinaryOpExpr>(expr);
    return getCoefficient(sum.getLHS(), dim) +
           getCoefficient(sum.getRHS(), dim);
  }
  case AffineExprKind::Mul: {
    auto product = cast<AffineBinaryOpExpr>(expr);
    if (auto factor = dyn_cast<AffineConstantExpr>(product.getRHS()))
      return getCoefficient(product.getLHS(), dim) * factor.getValue();
    return 0;
  }
  default:
    return 0;
  }
}

/// Sums of constants, symbols and constant multiples of dimensions.
static bool isLinear(AffineExpr expr) {
  switch (expr.getKind()) {
  case AffineExprKind::DimId:
  case AffineExprKind::SymbolId:
  case AffineExprKind::Constant:
    return true;
  case AffineExprKind::Add: {
    auto sum = cast<AffineBinaryOpExpr>(expr);
    return isLinear(sum.getLHS()) && isLinear(sum.getRHS());
  }
  case AffineExprKind::Mul: {
    auto product = cast<AffineBinaryOpExpr>(expr);
    return isa<AffineConstantExpr>(product.getRHS()) &&
           isLinear(product.getLHS());
  }
  default:
    return false;
  }
}

std::optional<int64_t> Access::getLastStride(unsigned dim) const {
  if (indices.empty())
    return 0;
  for (AffineExpr expr : ArrayRef(indices).drop_back())
    if (expr.isFunctionOfDim(dim))
      return std::nullopt;
  return getCoefficient(indices.back(), dim);
}

//===----------------------------------------------------------------------===//
// Resolving values to accesses
//===----------------------------------------------------------------------===//

void Access::addSlice(OffsetSizeAndStrideOpInterface slice,
                      const llvm::SmallBitVector &dropped) {
  MLIRContext *context = slice->getContext();
  SmallVector<AffineExpr> composed;
  unsigned next = 0;
  for (auto [dim, offset, stride] :
       llvm::enumerate(slice.getMixedOffsets(), slice.getStaticStrides())) {
    AffineExpr expr;
    if (auto value = dyn_cast<Value>(offset)) {
      expr = getAffineSymbolExpr(symbols.size(), context);
      symbols.push_back(value);
    } else {
      expr = getAffineConstantExpr(*getConstantIntValue(offset), context);
    }
    if (!dropped.test(dim))
      expr = indices[next++] * stride + expr;
    composed.push_back(expr);
  }
  indices = std::move(composed);
}

/// Steps through an op that only moves elements. Returns false at any other.
static bool stepThrough(Access &access) {
  Operation *op = access.source.getDefiningOp();
  if (!op)
    return false;
  MLIRContext *context = op->getContext();
  if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op)) {
    access.addSlice(slice, slice.getDroppedDims());
    access.source = slice.getSource();
    return true;
  }
  if (auto pad = dyn_cast<tensor::PadOp>(op)) {
    Attribute constant;
    Value value = pad.getConstantPaddingValue();
    if (!value || !matchPattern(value, m_Constant(&constant)) ||
        (access.padding && access.padding != constant))
      return false;
    SmallVector<Bound> bounds;
    SmallVector<AffineExpr> indices;
    for (auto [expr, low, high, size] :
         llvm::zip(access.indices, pad.getStaticLow(), pad.getStaticHigh(),
                   pad.getSourceType().getShape())) {
      if (ShapedType::isDynamic(low) || ShapedType::isDynamic(high) ||
          ShapedType::isDynamic(size))
        return false;
      indices.push_back(expr - low);
      if (low > 0 || high > 0)
        bounds.push_back({expr - low, size});
      // A bound on an expression with a run-time offset cannot be reasoned
      // about.
      if (!bounds.empty())
        for (unsigned s = 0; s < access.symbols.size(); ++s)
          if (bounds.back().expr.isFunctionOfSymbol(s))
            return false;
    }
    access.indices = std::move(indices);
    llvm::append_range(access.bounds, bounds);
    if (!access.bounds.empty())
      access.padding = cast<TypedAttr>(constant);
    access.source = pad.getSource();
    return true;
  }
  if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op)) {
    SmallVector<AffineExpr> indices;
    ArrayRef<int64_t> shape = expand.getResultType().getShape();
    for (ReassociationIndices group : expand.getReassociationIndices()) {
      AffineExpr expr = getAffineConstantExpr(0, context);
      for (int64_t dim : group)
        expr = expr * shape[dim] + access.indices[dim];
      indices.push_back(expr);
    }
    access.indices = std::move(indices);
    access.source = expand.getSrc();
    return true;
  }
  if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op)) {
    // Only unit dimensions vanish without a division.
    SmallVector<AffineExpr> indices;
    ArrayRef<int64_t> shape = collapse.getSrcType().getShape();
    // A result of rank 0 has no groups.
    if (access.indices.empty())
      indices.assign(shape.size(), getAffineConstantExpr(0, context));
    for (auto [expr, group] :
         llvm::zip(access.indices, collapse.getReassociationIndices())) {
      bool placed = false;
      for (int64_t dim : group) {
        if (shape[dim] == 1) {
          indices.push_back(getAffineConstantExpr(0, context));
          continue;
        }
        if (placed)
          return false;
        placed = true;
        indices.push_back(expr);
      }
    }
    access.indices = std::move(indices);
    access.source = collapse.getSrc();
    return true;
  }
  auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
  if (!linalgOp || linalgOp.getNumDpsInputs() != 1 ||
      linalgOp.getNumDpsInits() != 1 || linalgOp.getNumReductionLoops() != 0 ||
      linalgOp.getBlock()->getOperations().size() != 1 ||
      linalgOp.getBlock()->getTerminator()->getOperand(0) !=
          linalgOp.getBlock()->getArgument(0) ||
      !isa<RankedTensorType>(linalgOp.getDpsInputOperand(0)->get().getType()))
    return false;
  AffineMap outMap =
      linalgOp.getMatchingIndexingMap(linalgOp.getDpsInitOperand(0));
  if (!outMap.isPermutation())
    return false;
  AffineMap inMap =
      linalgOp.getMatchingIndexingMap(linalgOp.getDpsInputOperand(0));
  AffineMap moved = inMap.compose(inversePermutation(outMap));
  SmallVector<AffineExpr> indices;
  for (AffineExpr expr : moved.getResults())
    indices.push_back(simplifyAffineExpr(expr.replaceDims(access.indices), 64,
                                         access.symbols.size()));
  access.indices = std::move(indices);
  access.source = linalgOp.getDpsInputOperand(0)->get();
  return true;
}

FailureOr<Access> Access::resolve(Value value, AffineMap map) {
  Access access;
  access.source = value;
  access.elementType = getElementTypeOrSelf(value.getType());
  llvm::append_range(access.indices, map.getResults());
  Access previous = access;
  while (stepThrough(access)) {
    // Composition may leave what the schedule cannot use; stop before it.
    if (!llvm::all_of(access.indices, isLinear)) {
      access = previous;
      break;
    }
    previous = access;
  }
  // A step that failed half-way may have touched the copy.
  access = previous;
  if (auto constant = access.source.getDefiningOp<arith::ConstantOp>())
    if (auto splat = dyn_cast<SplatElementsAttr>(constant.getValue())) {
      // Padded with another number it is no scalar.
      if (!access.bounds.empty() &&
          splat.getSplatValue<Attribute>() != access.padding)
        return failure();
      OpBuilder builder(constant);
      access.source = arith::ConstantOp::create(
          builder, constant.getLoc(), splat.getSplatValue<TypedAttr>());
      access.indices.clear();
      access.bounds.clear();
      access.symbols.clear();
    }
  if (!llvm::all_of(access.indices, isLinear))
    return failure();
  if (auto type = dyn_cast<RankedTensorType>(access.source.getType()))
    llvm::append_range(access.shape, type.getShape());
  for (int64_t dim = 0, e = access.shape.size(); dim < e; ++dim)
    access.groups.push_back({dim});
  return access;
}
