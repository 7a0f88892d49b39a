//===- Convolution.cpp - The parts of a convolution -----------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Convolution.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"

using namespace mlir;
using namespace mlir::memrev;
using linalg::LinalgOp;

/// Matches `loop * factor` with a positive factor.
static bool matchTerm(AffineExpr expr, unsigned &loop, int64_t &factor) {
  factor = 1;
  if (auto product = dyn_cast<AffineBinaryOpExpr>(expr)) {
    auto constant = dyn_cast<AffineConstantExpr>(product.getRHS());
    if (product.getKind() != AffineExprKind::Mul || !constant)
      return false;
    factor = constant.getValue();
    expr = product.getLHS();
  }
  auto dim = dyn_cast<AffineDimExpr>(expr);
  if (dim)
    loop = dim.getPosition();
  return dim && factor > 0;
}

std::optional<unsigned> memrev::getLoopPosition(AffineMap map, unsigned loop) {
  return map.getResultPosition(getAffineDimExpr(loop, map.getContext()));
}

FailureOr<Convolution> memrev::matchConvolution(LinalgOp op) {
  FailureOr<linalg::ConvolutionDimensions> loops =
      linalg::inferConvolutionDims(op);
  if (failed(loops) || op.getNumDpsInputs() != 2 || op.getNumDpsInits() != 1 ||
      !op.hasPureTensorSemantics())
    return failure();
  Convolution conv{op, *loops, {}, {}, {}, {}};
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  conv.inputMap = maps[0];
  conv.filterMap = maps[1];
  conv.outputMap = maps[2];
  if (!conv.filterMap.isProjectedPermutation() ||
      !conv.outputMap.isProjectedPermutation())
    return failure();
  for (auto [i, expr] : llvm::enumerate(conv.inputMap.getResults())) {
    if (isa<AffineDimExpr>(expr))
      continue;
    auto sum = dyn_cast<AffineBinaryOpExpr>(expr);
    Window window;
    window.inputPosition = i;
    if (!sum || sum.getKind() != AffineExprKind::Add ||
        !matchTerm(sum.getLHS(), window.image, window.stride) ||
        !matchTerm(sum.getRHS(), window.tap, window.dilation))
      return failure();
    if (!conv.outputMap.isFunctionOfDim(window.image)) {
      std::swap(window.image, window.tap);
      std::swap(window.stride, window.dilation);
    }
    std::optional<unsigned> tap = getLoopPosition(conv.filterMap, window.tap);
    std::optional<unsigned> image =
        getLoopPosition(conv.outputMap, window.image);
    if (!tap || !image)
      return failure();
    window.filterPosition = *tap;
    window.outputPosition = *image;
    conv.windows.push_back(window);
  }
  return conv;
}

bool memrev::isConvolution(LinalgOp op) {
  FailureOr<Convolution> conv = matchConvolution(op);
  if (failed(conv) || conv->windows.empty())
    return false;
  // Sums of products of the two inputs, with casts to the type of the sum.
  auto getInput = [&](Value value) -> Value {
    if (Operation *cast = value.getDefiningOp();
        cast && isa<arith::ExtFOp, arith::TruncFOp>(cast))
      return cast->getOperand(0);
    return value;
  };
  Block *body = op.getBlock();
  Value out = body->getArgument(2);
  auto add =
      body->getTerminator()->getOperand(0).getDefiningOp<arith::AddFOp>();
  if (!add || (add.getLhs() != out && add.getRhs() != out))
    return false;
  Value term = add.getLhs() == out ? add.getRhs() : add.getLhs();
  auto product = term.getDefiningOp<arith::MulFOp>();
  if (!product)
    return false;
  Value lhs = getInput(product.getLhs()), rhs = getInput(product.getRhs());
  Value input = body->getArgument(0), filter = body->getArgument(1);
  return (lhs == input && rhs == filter) || (lhs == filter && rhs == input);
}

static SmallVector<int64_t> getTapCounts(Convolution &conv) {
  SmallVector<int64_t> counts;
  for (const Window &window : conv.windows)
    counts.push_back(conv.getFilterShape()[window.filterPosition]);
  return counts;
}

uint64_t memrev::getNumTaps(Convolution &conv) {
  uint64_t number = 1;
  for (uint64_t count : getTapCounts(conv))
    number = llvm::SaturatingMultiply(number, count);
  return number;
}

void memrev::forEachTap(Convolution &conv,
                        function_ref<void(ArrayRef<int64_t>)> callback) {
  SmallVector<int64_t> strides = computeStrides(getTapCounts(conv));
  for (uint64_t i = 0, e = getNumTaps(conv); i < e; ++i)
    callback(delinearize(i, strides));
}
