//===- ExpandMath.cpp - Expand math functions in kernels ------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "MathFunctions.h"
#include "memrev/Codegen/GPU/Passes.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace mlir::memrev {
#define GEN_PASS_DEF_GPUEXPANDMATH
#include "memrev/Codegen/GPU/Passes.h.inc"
} // namespace mlir::memrev

using namespace mlir;
using namespace mlir::memrev;

/// Returns the type in which functions of `type` are computed, or null.
static Type getComputeType(Type type) {
  if (type.isF16() || type.isBF16())
    return Float32Type::get(type.getContext());
  return type.isF32() || type.isF64() ? type : Type();
}

namespace {
/// Expands a function of floats of one type by `Expand`, which returns a value
/// for each result. Floats of 16 bits are computed in f32.
template <typename OpTy>
struct FunctionExpansion : OpRewritePattern<OpTy> {
  using Expand = SmallVector<Value> (*)(MathBuilder &builder,
                                        ArrayRef<Value> operands);

  FunctionExpansion(MLIRContext *context, Expand expand)
      : OpRewritePattern<OpTy>(context), expand(expand) {}

  LogicalResult matchAndRewrite(OpTy op,
                                PatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Type type = op->getResult(0).getType(), computed = getComputeType(type);
    if (!computed)
      return rewriter.notifyMatchFailure(op, "expects a float");
    SmallVector<Value> operands(op->getOperands());
    if (type != computed)
      for (Value &operand : operands)
        if (operand.getType() == type)
          operand = arith::ExtFOp::create(rewriter, loc, computed, operand);
    MathBuilder builder(loc, rewriter, computed);
    SmallVector<Value> results = expand(builder, operands);
    if (type != computed)
      for (Value &result : results)
        result = arith::TruncFOp::create(rewriter, loc, type, result);
    rewriter.replaceOp(op, results);
    return success();
  }

private:
  Expand expand;
};

struct IPowIExpansion : OpRewritePattern<math::IPowIOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(math::IPowIOp op,
                                PatternRewriter &rewriter) const override {
    if (isa<ShapedType>(op.getType()))
      return rewriter.notifyMatchFailure(op, "expects an integer");
    ImplicitLocOpBuilder builder(op.getLoc(), rewriter);
    rewriter.replaceOp(op, expandIPow(builder, op.getLhs(), op.getRhs()));
    return success();
  }
};
} // namespace

/// Adds the expansion of a function of one operand.
template <typename OpTy, Value (*expand)(MathBuilder &, Value)>
static void addUnary(RewritePatternSet &patterns) {
  patterns.add<FunctionExpansion<OpTy>>(
      patterns.getContext(),
      +[](MathBuilder &builder, ArrayRef<Value> operands) {
        return SmallVector<Value>{expand(builder, operands[0])};
      });
}

/// Adds the expansion of a function of two operands.
template <typename OpTy, Value (*expand)(MathBuilder &, Value, Value)>
static void addBinary(RewritePatternSet &patterns) {
  patterns.add<FunctionExpansion<OpTy>>(
      patterns.getContext(),
      +[](MathBuilder &builder, ArrayRef<Value> operands) {
        return SmallVector<Value>{expand(builder, operands[0], operands[1])};
      });
}

static Value expandSin(MathBuilder &builder, Value x) {
  return expandSincos(builder, x).first;
}

static Value expandCos(MathBuilder &builder, Value x) {
  return expandSincos(builder, x).second;
}

static Value expandRsqrt(MathBuilder &builder, Value x) {
  return builder.div(builder.f(1), builder.sqrt(x));
}

static void populatePatterns(RewritePatternSet &patterns) {
  addUnary<math::AcosOp, expandAcos>(patterns);
  addUnary<math::AcoshOp, expandAcosh>(patterns);
  addUnary<math::AsinOp, expandAsin>(patterns);
  addUnary<math::AsinhOp, expandAsinh>(patterns);
  addUnary<math::AtanOp, expandAtan>(patterns);
  addUnary<math::AtanhOp, expandAtanh>(patterns);
  addUnary<math::CbrtOp, expandCbrt>(patterns);
  addUnary<math::CosOp, expandCos>(patterns);
  addUnary<math::CoshOp, expandCosh>(patterns);
  addUnary<math::ErfOp, expandErf>(patterns);
  addUnary<math::ErfcOp, expandErfc>(patterns);
  addUnary<math::ExpOp, expandExp>(patterns);
  addUnary<math::Exp2Op, expandExp2>(patterns);
  addUnary<math::ExpM1Op, expandExpM1>(patterns);
  addUnary<math::LogOp, expandLog>(patterns);
  addUnary<math::Log10Op, expandLog10>(patterns);
  addUnary<math::Log1pOp, expandLog1p>(patterns);
  addUnary<math::Log2Op, expandLog2>(patterns);
  addUnary<math::RsqrtOp, expandRsqrt>(patterns);
  addUnary<math::SinOp, expandSin>(patterns);
  addUnary<math::SinhOp, expandSinh>(patterns);
  addUnary<math::TanOp, expandTan>(patterns);
  addUnary<math::TanhOp, expandTanh>(patterns);
  addBinary<math::Atan2Op, expandAtan2>(patterns);
  addBinary<math::FPowIOp, expandIntegerPow>(patterns);
  addBinary<math::PowFOp, expandPow>(patterns);
  patterns.add<FunctionExpansion<math::SincosOp>>(
      patterns.getContext(),
      +[](MathBuilder &builder, ArrayRef<Value> operands) {
        auto [sine, cosine] = expandSincos(builder, operands[0]);
        return SmallVector<Value>{sine, cosine};
      });
  patterns.add<IPowIExpansion>(patterns.getContext());
}

/// Returns true if the backend has instructions for `op`.
static bool hasInstruction(Operation *op) {
  return isa<math::AbsFOp, math::AbsIOp, math::CeilOp, math::CopySignOp,
             math::CountLeadingZerosOp, math::CountTrailingZerosOp,
             math::CtPopOp, math::FloorOp, math::FmaOp, math::IsFiniteOp,
             math::IsNaNOp, math::RoundEvenOp, math::RoundOp, math::SqrtOp,
             math::TruncOp>(op);
}

/// Replaces a sine and a cosine of the same angle in one block by one
/// operation, which reduces the angle once.
static void combineSinesAndCosines(Operation *root) {
  SmallVector<math::SinOp> sines;
  root->walk([&](math::SinOp sine) { sines.push_back(sine); });
  for (math::SinOp sine : sines) {
    math::CosOp cosine;
    for (Operation *user : sine.getOperand().getUsers())
      if (auto candidate = dyn_cast<math::CosOp>(user))
        if (candidate->getBlock() == sine->getBlock())
          cosine = candidate;
    if (!cosine)
      continue;
    OpBuilder builder(sine);
    if (cosine->isBeforeInBlock(sine))
      builder.setInsertionPoint(cosine);
    auto both =
        math::SincosOp::create(builder, sine.getLoc(), sine.getOperand());
    sine.replaceAllUsesWith(both.getSin());
    cosine.replaceAllUsesWith(both.getCos());
    cosine.erase();
    sine.erase();
  }
}

namespace {
struct GPUExpandMath : memrev::impl::GPUExpandMathBase<GPUExpandMath> {
  void runOnOperation() override {
    combineSinesAndCosines(getOperation());
    RewritePatternSet patterns(&getContext());
    populatePatterns(patterns);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      return signalPassFailure();

    WalkResult result = getOperation().walk([](Operation *op) {
      if (!isa<math::MathDialect>(op->getDialect()) || hasInstruction(op))
        return WalkResult::advance();
      op->emitOpError("expects a function that can be expanded for the GPU, "
                      "but got one on ")
          << op->getResult(0).getType();
      return WalkResult::interrupt();
    });
    if (result.wasInterrupted())
      signalPassFailure();
  }
};
} // namespace
