//===- LinalgWindows.cpp - Sums into windows ------------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What each iteration adds at a window, a * d0 + b * d1 + c for each dimension,
// is added by one operation for each position of all loops of an expression but
// one, to a strided slice. The loop that is left is the longest.
//
//===----------------------------------------------------------------------===//

#include "Convolution.h"
#include "LinalgContributionEmitter.h"
#include "LinalgReductions.h"
#include "TensorExpressions.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"

using namespace mlir;
using namespace mlir::memrev;

std::optional<LinearExpr> memrev::getLinear(AffineExpr expr) {
  LinearExpr linear;
  if (auto constant = dyn_cast<AffineConstantExpr>(expr)) {
    linear.constant = constant.getValue();
    return linear;
  }
  if (auto dim = dyn_cast<AffineDimExpr>(expr)) {
    linear.factors[dim.getPosition()] = 1;
    return linear;
  }
  auto binary = dyn_cast<AffineBinaryOpExpr>(expr);
  if (!binary)
    return std::nullopt;
  std::optional<LinearExpr> lhs = getLinear(binary.getLHS());
  std::optional<LinearExpr> rhs = getLinear(binary.getRHS());
  if (!lhs || !rhs)
    return std::nullopt;
  if (binary.getKind() == AffineExprKind::Add) {
    lhs->constant += rhs->constant;
    for (auto [loop, factor] : rhs->factors)
      lhs->factors[loop] += factor;
  } else if (binary.getKind() == AffineExprKind::Mul && rhs->factors.empty()) {
    lhs->constant *= rhs->constant;
    for (auto &entry : lhs->factors)
      entry.second *= rhs->constant;
  } else {
    return std::nullopt;
  }
  lhs->factors.remove_if([](const auto &entry) { return entry.second == 0; });
  return lhs;
}

void memrev::dropConstantDims(SmallVectorImpl<AffineExpr> &exprs,
                              SmallVectorImpl<int64_t> &shape) {
  auto isConstant = [](AffineExpr expr) {
    return isa<AffineConstantExpr>(expr);
  };
  for (auto [expr, size] : llvm::zip_equal(exprs, shape))
    if (size == 1 && !isConstant(expr))
      return;
  for (unsigned i = exprs.size(); i-- > 0;)
    if (isConstant(exprs[i]))
      shape.erase(shape.begin() + i);
  llvm::erase_if(exprs, isConstant);
}

/// The dimensions of the operand as windows, if few enough operations can add
/// all of its cotangent.
std::optional<SmallVector<WindowDim>>
ContributionEmitter::getWindows(const Contribution &c) {
  SmallVector<int64_t> ranges = op.getStaticLoopRanges();
  llvm::SmallBitVector used(op.getNumLoops());
  SmallVector<WindowDim> windows;
  uint64_t numTaps = 1;
  for (AffineExpr expr : c.map.getResults()) {
    std::optional<LinearExpr> linear = getLinear(expr);
    if (!linear)
      return std::nullopt;
    WindowDim window{*linear, {}};
    // The longest loop is one slice.
    for (auto [loop, factor] : linear->factors) {
      if (used.test(loop))
        return std::nullopt;
      used.set(loop);
      if (!window.base || ShapedType::isDynamic(ranges[loop]) ||
          (!ShapedType::isDynamic(ranges[*window.base]) &&
           ranges[loop] > ranges[*window.base]))
        window.base = loop;
    }
    for (auto [loop, factor] : linear->factors) {
      if (loop == *window.base) {
        // Backwards from an end that is known.
        if (factor < 0 && ShapedType::isDynamic(ranges[loop]))
          return std::nullopt;
        continue;
      }
      if (ShapedType::isDynamic(ranges[loop]))
        return std::nullopt;
      numTaps = llvm::SaturatingMultiply<uint64_t>(numTaps, ranges[loop]);
    }
    windows.push_back(window);
  }
  if (numTaps > kMaxTaps)
    return std::nullopt;
  return windows;
}

LogicalResult ContributionEmitter::emitWindows(const Contribution &c,
                                               ArrayRef<WindowDim> windows) {
  FailureOr<SmallVector<OpFoldResult>> sizes = getLoopSizes(op, ctx);
  if (failed(sizes))
    return failure();
  SmallVector<int64_t> ranges = op.getStaticLoopRanges();
  // Nothing is added where a loop has no iteration, and a slice would be none.
  if (llvm::is_contained(ranges, 0))
    return success();

  // The verifier lets maps pass that leave an operand between the corners of
  // the loops.
  auto shape = cast<RankedTensorType>(c.operand.getType()).getShape();
  for (auto [size, window] : llvm::zip_equal(shape, windows)) {
    int64_t first = window.expr.constant, last = first;
    for (auto [loop, factor] : window.expr.factors) {
      int64_t range = ShapedType::isDynamic(ranges[loop]) ? 1 : ranges[loop];
      (factor < 0 ? first : last) += factor * (range - 1);
    }
    if (first < 0 || (!ShapedType::isDynamic(size) && last >= size))
      return op.emitError("expects indexing maps that stay inside of their "
                          "operands where a gradient flows, but got ")
             << AffineMapAttr::get(c.map);
  }

  // The loops that are left, and those that stand still.
  Nest nest;
  nest.loops.resize(op.getNumLoops());
  SmallVector<unsigned> taps;
  SmallVector<int64_t> counts;
  for (const WindowDim &window : windows)
    for (auto [loop, factor] : window.expr.factors)
      if (loop != *window.base) {
        taps.push_back(loop);
        counts.push_back(ranges[loop]);
      }
  nest.numLoops = op.getNumLoops() - taps.size();
  unsigned next = 0;
  for (unsigned loop = 0; loop < op.getNumLoops(); ++loop)
    if (!llvm::is_contained(taps, loop)) {
      nest.loops[loop] = b.getAffineDimExpr(next++);
      nest.sizes.push_back((*sizes)[loop]);
    }
  SmallVector<AffineExpr> written;
  SmallVector<int64_t> partShape;
  for (const WindowDim &window : windows) {
    if (!window.base) {
      written.push_back(b.getAffineConstantExpr(0));
      partShape.push_back(1);
      continue;
    }
    AffineExpr &loop = nest.loops[*window.base];
    written.push_back(loop);
    partShape.push_back(ranges[*window.base]);
    if (window.expr.factors.lookup(*window.base) < 0)
      loop = ranges[*window.base] - 1 - loop;
  }
  dropConstantDims(written, partShape);
  AffineMap map = AffineMap::get(nest.numLoops, 0, written, b.getContext());

  WideSum wide(ctx, c.operand, getTermType(c.scalar), loc);
  Value sum = wide.getStart();
  if (!sum)
    return failure();
  auto partType = RankedTensorType::get(partShape, wide.getElementType());
  SmallVector<int64_t> strides = computeStrides(counts);
  for (int64_t i = 0, e = computeProduct(counts); i < e; ++i) {
    for (auto [loop, position] : llvm::zip_equal(taps, delinearize(i, strides)))
      nest.loops[loop] = b.getAffineConstantExpr(position);
    Slice slice = getWhole(b, loc, sum);
    for (auto [dim, window] : llvm::enumerate(windows)) {
      int64_t offset = window.expr.constant, stride = 1;
      slice.sizes[dim] = b.getIndexAttr(1);
      for (auto [loop, factor] : window.expr.factors) {
        if (loop != *window.base) {
          offset +=
              factor * cast<AffineConstantExpr>(nest.loops[loop]).getValue();
          continue;
        }
        slice.sizes[dim] = (*sizes)[loop];
        stride = std::abs(factor);
        if (factor < 0)
          offset += factor * (ranges[loop] - 1);
      }
      slice.offsets[dim] = b.getIndexAttr(offset);
      slice.strides[dim] = b.getIndexAttr(stride);
    }
    Value part = tensor::ExtractSliceOp::create(
        b, loc, partType, sum, slice.offsets, slice.sizes, slice.strides);
    FailureOr<linalg::GenericOp> pass =
        emitPass(nest, Destination{part, map, c.scalar, /*adds=*/true});
    if (failed(pass))
      return failure();
    sum = tensor::InsertSliceOp::create(b, loc, pass->getResult(0), sum,
                                        slice.offsets, slice.sizes,
                                        slice.strides);
  }
  wide.finish(sum);
  return success();
}
