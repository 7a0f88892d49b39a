//===- ExpandMath.cpp - Expand math operations that no target has ---------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Codegen/Common/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

namespace mlir::memrev {
#define GEN_PASS_DEF_CODEGENEXPANDMATH
#include "memrev/Codegen/Common/Passes.h.inc"
} // namespace mlir::memrev

using namespace mlir;

/// Replaces `clamp` by min(max(value, low), high). Upstream's expansion takes
/// the bounds the wrong way round.
static void expandClamp(math::ClampFOp clamp) {
  OpBuilder builder(clamp);
  Value raised = arith::MaximumFOp::create(builder, clamp.getLoc(),
                                           clamp.getValue(), clamp.getMin());
  Value clamped = arith::MinimumFOp::create(builder, clamp.getLoc(), raised,
                                            clamp.getMax());
  clamp.replaceAllUsesWith(clamped);
  clamp.erase();
}

/// Replaces `op` by a sine and a cosine.
static void expandSincos(math::SincosOp op) {
  OpBuilder builder(op);
  op.getSin().replaceAllUsesWith(
      math::SinOp::create(builder, op.getLoc(), op.getOperand()));
  op.getCos().replaceAllUsesWith(
      math::CosOp::create(builder, op.getLoc(), op.getOperand()));
  op.erase();
}

/// A constant of `type`, a float or a vector of floats.
static Value buildConstant(OpBuilder &builder, Location loc, Type type,
                           const APFloat &value) {
  TypedAttr attribute = builder.getFloatAttr(getElementTypeOrSelf(type), value);
  if (auto vector = dyn_cast<VectorType>(type))
    attribute = DenseElementsAttr::get(vector, attribute);
  return arith::ConstantOp::create(builder, loc, attribute);
}

/// Replaces `math.isinf` and `math.isnormal`, which have no conversion to LLVM.
static void expandClassification(Operation *op) {
  OpBuilder builder(op);
  Location loc = op->getLoc();
  Value operand = op->getOperand(0);
  Type type = operand.getType();
  const llvm::fltSemantics &semantics =
      cast<FloatType>(getElementTypeOrSelf(type)).getFloatSemantics();
  Value magnitude = math::AbsFOp::create(builder, loc, operand);
  Value infinity =
      buildConstant(builder, loc, type, APFloat::getInf(semantics));
  Value result;
  if (isa<math::IsInfOp>(op)) {
    result = arith::CmpFOp::create(builder, loc, arith::CmpFPredicate::OEQ,
                                   magnitude, infinity);
  } else {
    Value smallest = buildConstant(builder, loc, type,
                                   APFloat::getSmallestNormalized(semantics));
    Value isLarge = arith::CmpFOp::create(
        builder, loc, arith::CmpFPredicate::OGE, magnitude, smallest);
    Value isFinite = arith::CmpFOp::create(
        builder, loc, arith::CmpFPredicate::OLT, magnitude, infinity);
    result = arith::AndIOp::create(builder, loc, isLarge, isFinite);
  }
  op->getResult(0).replaceAllUsesWith(result);
  op->erase();
}

namespace {
struct CodegenExpandMathPass
    : memrev::impl::CodegenExpandMathBase<CodegenExpandMathPass> {
  void runOnOperation() override {
    getOperation()->walk([](Operation *op) {
      if (auto clamp = dyn_cast<math::ClampFOp>(op))
        expandClamp(clamp);
      else if (auto sincos = dyn_cast<math::SincosOp>(op))
        expandSincos(sincos);
      else if (isa<math::IsInfOp, math::IsNormalOp>(op))
        expandClassification(op);
    });
  }
};
} // namespace
