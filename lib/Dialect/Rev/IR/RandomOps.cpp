//===- RandomOps.cpp - Counter-based random numbers -----------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every element is a function of its own number, so that the operations are
// elementwise, and every pass that knows linalg.index can tile, fuse and
// distribute them.
//
//===----------------------------------------------------------------------===//

#include "memrev/Dialect/Rev/IR/Rev.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"
#include <cmath>

using namespace mlir;
using namespace mlir::memrev;
using namespace mlir::memrev::rev;

//===----------------------------------------------------------------------===//
// Philox
//===----------------------------------------------------------------------===//

namespace {

/// A number of 64 bits as two words.
struct Words {
  Value low, high;
};

/// What a tensor's numbers have in common: scalars outside of the operation
/// that runs over the elements.
struct Generator {
  Words key;
  Words step;
  /// Null for 0, else of type i64.
  Value offset;
  /// The extents of the tensor: constants, or values of type i64.
  SmallVector<OpFoldResult> extents;
};

} // namespace

static Value constant(ImplicitLocOpBuilder &b, unsigned width, uint64_t value) {
  return arith::ConstantOp::create(
      b, b.getIntegerAttr(b.getIntegerType(width),
                          APInt(width, value, /*isSigned=*/false,
                                /*implicitTrunc=*/true)));
}

static Value floatConstant(ImplicitLocOpBuilder &b, Type type, double value) {
  return arith::ConstantOp::create(b, b.getFloatAttr(type, value));
}

/// The 64 bits of an i64 or an index, or of an i32 that counts as unsigned.
static Value widen(ImplicitLocOpBuilder &b, Value value) {
  if (value.getType().isIndex())
    return arith::IndexCastOp::create(b, b.getI64Type(), value);
  if (value.getType().isInteger(32))
    return arith::ExtUIOp::create(b, b.getI64Type(), value);
  return value;
}

static Words split(ImplicitLocOpBuilder &b, Value value) {
  if (value.getType().isInteger(32))
    return {value, constant(b, 32, 0)};
  value = widen(b, value);
  Value high = arith::ShRUIOp::create(b, value, constant(b, 64, 32));
  return {arith::TruncIOp::create(b, b.getI32Type(), value),
          arith::TruncIOp::create(b, b.getI32Type(), high)};
}

/// The two words of a product of two words.
static Words multiply(ImplicitLocOpBuilder &b, Value value, uint32_t factor) {
  Value wide = arith::ExtUIOp::create(b, b.getI64Type(), value);
  Value product = arith::MulIOp::create(b, wide, constant(b, 64, factor));
  return split(b, product);
}

/// Emits Philox 4x32-10 in the body of a linalg operation: the words for the
/// element that is computed there.
static std::array<Value, 4> buildPhilox(ImplicitLocOpBuilder &b,
                                        const Generator &generator) {
  // In 32 bits if no number exceeds them.
  bool isNarrow = !generator.offset;
  uint64_t count = 1;
  for (OpFoldResult extent : generator.extents) {
    std::optional<int64_t> size = getConstantIntValue(extent);
    isNarrow = isNarrow && size &&
               (*size == 0 || count <= (uint64_t(1) << 32) / *size);
    if (isNarrow)
      count *= *size;
  }
  unsigned width = isNarrow ? 32 : 64;
  Type type = b.getIntegerType(width);
  Value number = constant(b, width, 0);
  for (auto [dim, extent] : llvm::enumerate(generator.extents)) {
    Value index = arith::IndexCastOp::create(
        b, type, linalg::IndexOp::create(b, static_cast<int64_t>(dim)));
    if (dim == 0) {
      number = index;
      continue;
    }
    Value size;
    if (std::optional<int64_t> known = getConstantIntValue(extent))
      size = constant(b, width, *known);
    else
      size = cast<Value>(extent);
    number =
        arith::AddIOp::create(b, arith::MulIOp::create(b, number, size), index);
  }
  if (generator.offset)
    number = arith::AddIOp::create(b, number, generator.offset);

  Words counter = split(b, number);
  std::array<Value, 4> c{counter.low, counter.high, generator.step.low,
                         generator.step.high};
  Value k0 = generator.key.low, k1 = generator.key.high;
  for (int round = 0; round < 10; ++round) {
    if (round != 0) {
      k0 = arith::AddIOp::create(b, k0, constant(b, 32, 0x9E3779B9));
      k1 = arith::AddIOp::create(b, k1, constant(b, 32, 0xBB67AE85));
    }
    Words first = multiply(b, c[0], 0xD2511F53);
    Words second = multiply(b, c[2], 0xCD9E8D57);
    auto mix = [&](Value high, Value word, Value key) -> Value {
      return arith::XOrIOp::create(b, arith::XOrIOp::create(b, high, word),
                                   key);
    };
    c = {mix(second.high, c[1], k0), second.low, mix(first.high, c[3], k1),
         first.low};
  }
  return c;
}

/// Emits what the elements of a tensor with the extents `sizes` have in common.
static Generator buildGenerator(ImplicitLocOpBuilder &b, Value seed,
                                Value layer, Value step, Value offset,
                                ArrayRef<OpFoldResult> sizes) {
  Words seedWords = split(b, seed), stepWords = split(b, step);
  Generator generator;
  generator.key = {seedWords.low, split(b, layer).low};
  generator.step = {stepWords.low,
                    arith::XOrIOp::create(b, stepWords.high, seedWords.high)};
  if (offset)
    generator.offset = widen(b, offset);
  for (OpFoldResult size : sizes) {
    if (auto value = dyn_cast<Value>(size))
      generator.extents.push_back(widen(b, value));
    else
      generator.extents.push_back(size);
  }
  return generator;
}

/// Emits an elementwise operation that computes a tensor of type `type` from
/// the words of each element and the elements of `inputs`.
static Value buildElements(
    ImplicitLocOpBuilder &b, RankedTensorType type,
    ArrayRef<OpFoldResult> sizes, ValueRange inputs, const Generator &generator,
    function_ref<Value(ImplicitLocOpBuilder &, ArrayRef<Value>, ValueRange)>
        buildElement) {
  Value empty = tensor::EmptyOp::create(b, sizes, type.getElementType());
  AffineMap identity = b.getMultiDimIdentityMap(type.getRank());
  return linalg::GenericOp::create(
             b, TypeRange{type}, inputs, ValueRange{empty},
             SmallVector<AffineMap>(inputs.size() + 1, identity),
             SmallVector<utils::IteratorType>(type.getRank(),
                                              utils::IteratorType::parallel),
             [&](OpBuilder &builder, Location loc, ValueRange args) {
               ImplicitLocOpBuilder sb(loc, builder);
               std::array<Value, 4> words = buildPhilox(sb, generator);
               linalg::YieldOp::create(sb, buildElement(sb, words, args));
             })
      .getResult(0);
}

//===----------------------------------------------------------------------===//
// Numbers
//===----------------------------------------------------------------------===//

/// The highest `bits` of `word` as a number of type i32.
static Value getHighBits(ImplicitLocOpBuilder &b, Value word, unsigned bits) {
  return arith::ShRUIOp::create(b, word, constant(b, 32, 32 - bits));
}

/// The highest `bits` of `word` as a float in [0, 1).
static Value buildFraction(ImplicitLocOpBuilder &b, Value word, unsigned bits,
                           Type type) {
  // There is no sign to mind, and signed conversions are instructions.
  Value number = arith::SIToFPOp::create(b, type, getHighBits(b, word, bits));
  return arith::MulFOp::create(
      b, number, floatConstant(b, type, std::ldexp(1.0, -int(bits))));
}

/// A uniform number of 53 bits.
static Value buildDouble(ImplicitLocOpBuilder &b, Value high, Value low) {
  Type type = b.getF64Type();
  auto toFloat = [&](Value word, unsigned bits) -> Value {
    return arith::SIToFPOp::create(b, type, getHighBits(b, word, bits));
  };
  Value shifted = arith::MulFOp::create(
      b, toFloat(high, 27), floatConstant(b, type, std::ldexp(1.0, 26)));
  Value number = arith::AddFOp::create(b, shifted, toFloat(low, 26));
  return arith::MulFOp::create(b, number,
                               floatConstant(b, type, std::ldexp(1.0, -53)));
}

/// `value`, a number of type f32, as one of type `type`.
static Value round(ImplicitLocOpBuilder &b, Type type, Value value) {
  if (type.isF32())
    return value;
  return arith::TruncFOp::create(b, type, value);
}

static Value buildUniform(ImplicitLocOpBuilder &b, ArrayRef<Value> words,
                          Type type) {
  if (type.isF64())
    return buildDouble(b, words[0], words[1]);
  unsigned bits = cast<FloatType>(type).getFPMantissaWidth();
  return round(b, type, buildFraction(b, words[0], bits, b.getF32Type()));
}

static Value buildNormal(ImplicitLocOpBuilder &b, ArrayRef<Value> words,
                         Type type) {
  Type wide = type.isF64() ? type : b.getF32Type();
  Value u, v;
  if (type.isF64()) {
    u = buildDouble(b, words[0], words[1]);
    v = buildDouble(b, words[2], words[3]);
  } else {
    u = buildFraction(b, words[0], 24, wide);
    v = buildFraction(b, words[1], 24, wide);
  }
  // Never the logarithm of zero.
  Value rest = arith::SubFOp::create(b, floatConstant(b, wide, 1), u);
  Value log = math::LogOp::create(b, rest);
  Value square = arith::MulFOp::create(b, log, floatConstant(b, wide, -2));
  Value radius = math::SqrtOp::create(b, square);
  Value angle = arith::MulFOp::create(b, v, floatConstant(b, wide, 2 * M_PI));
  Value number =
      arith::MulFOp::create(b, radius, math::CosOp::create(b, angle));
  return type.isF64() ? number : round(b, type, number);
}

//===----------------------------------------------------------------------===//
// Verification
//===----------------------------------------------------------------------===//

/// Verifies the extents of a tensor of random numbers.
template <typename OpTy>
static LogicalResult verifyExtents(OpTy op) {
  // random_bits_c1, random_uniform_c1, random_normal_c1
  auto type = cast<RankedTensorType>(op.getResult().getType());
  if (type.getNumDynamicDims() != op.getDynamicExtents().size())
    return op.emitOpError("expects ")
           << type.getNumDynamicDims() << " dynamic extents, but got "
           << op.getDynamicExtents().size();
  return success();
}

template <typename OpTy>
static LogicalResult verifyFloats(OpTy op) {
  // random_uniform_c2, random_normal_c2
  Type type = getElementTypeOrSelf(op.getResult().getType());
  if (!type.isF64() && !type.isF32() && !type.isF16() && !type.isBF16())
    return op.emitOpError("expects elements of type f64, f32, f16 or bf16, "
                          "but got ")
           << type;
  return verifyExtents(op);
}

LogicalResult RandomBitsOp::verify() {
  // random_bits_c2
  Type type = getElementTypeOrSelf(getResult().getType());
  if (!type.isInteger(32) && !type.isInteger(64))
    return emitOpError("expects elements of type i32 or i64, but got ") << type;
  // random_bits_c3
  int64_t words = type.isInteger(32) ? 4 : 2;
  int64_t word = getWord();
  if (word < 0 || word >= words)
    return emitOpError("expects a 'word' in [0, ")
           << words << "), but got " << word;
  return verifyExtents(*this);
}

LogicalResult RandomUniformOp::verify() { return verifyFloats(*this); }

LogicalResult RandomNormalOp::verify() { return verifyFloats(*this); }

LogicalResult DropoutOp::verify() {
  // dropout_c1
  if (!isa<FloatType>(getElementTypeOrSelf(getInput().getType())))
    return emitOpError("expects an input tensor of floats, but got ")
           << getInput().getType();
  // dropout_c2
  FloatAttr rate;
  if (matchPattern(getRate(), m_Constant(&rate)) &&
      !(rate.getValueAsDouble() >= 0 && rate.getValueAsDouble() <= 1))
    return emitOpError("expects a rate in [0, 1], but got ")
           << rate.getValueAsDouble();
  return success();
}

//===----------------------------------------------------------------------===//
// Decomposition
//===----------------------------------------------------------------------===//

/// Decomposes an operation that fills a tensor.
template <typename OpTy>
static SmallVector<Value> decomposeRandom(
    OpTy op, RewriterBase &rewriter,
    function_ref<Value(ImplicitLocOpBuilder &, ArrayRef<Value>)> buildElement) {
  ImplicitLocOpBuilder b(op.getLoc(), rewriter);
  auto type = cast<RankedTensorType>(op.getResult().getType());
  SmallVector<OpFoldResult> sizes = getMixedValues(
      type.getShape(), op.getDynamicExtents(), rewriter.getContext());
  Generator generator = buildGenerator(b, op.getSeed(), op.getLayer(),
                                       op.getStep(), op.getOffset(), sizes);
  return {buildElements(b, type, sizes, {}, generator,
                        [&](ImplicitLocOpBuilder &sb, ArrayRef<Value> words,
                            ValueRange) { return buildElement(sb, words); })};
}

SmallVector<Value> RandomBitsOp::decompose(RewriterBase &rewriter) {
  Type type = getElementTypeOrSelf(getResult().getType());
  return decomposeRandom(
      *this, rewriter,
      [&](ImplicitLocOpBuilder &b, ArrayRef<Value> words) -> Value {
        if (type.isInteger(32))
          return words[getWord()];
        Value low = widen(b, words[2 * getWord()]);
        Value high = widen(b, words[2 * getWord() + 1]);
        Value shifted = arith::ShLIOp::create(b, high, constant(b, 64, 32));
        return arith::OrIOp::create(b, low, shifted);
      });
}

SmallVector<Value> RandomUniformOp::decompose(RewriterBase &rewriter) {
  Type type = getElementTypeOrSelf(getResult().getType());
  return decomposeRandom(*this, rewriter,
                         [&](ImplicitLocOpBuilder &b, ArrayRef<Value> words) {
                           return buildUniform(b, words, type);
                         });
}

SmallVector<Value> RandomNormalOp::decompose(RewriterBase &rewriter) {
  Type type = getElementTypeOrSelf(getResult().getType());
  return decomposeRandom(*this, rewriter,
                         [&](ImplicitLocOpBuilder &b, ArrayRef<Value> words) {
                           return buildNormal(b, words, type);
                         });
}

SmallVector<Value> DropoutOp::decompose(RewriterBase &rewriter) {
  ImplicitLocOpBuilder b(getLoc(), rewriter);
  auto type = cast<RankedTensorType>(getInput().getType());
  Type elementType = type.getElementType();
  SmallVector<OpFoldResult> sizes =
      tensor::getMixedSizes(b, getLoc(), getInput());
  Generator generator =
      buildGenerator(b, getSeed(), getLayer(), getStep(), getOffset(), sizes);

  // Of the rate what all elements have in common: the scale of those that stay,
  // and the integer that u * 2^24 is compared with.
  Type f64 = b.getF64Type();
  Value rate = getRate();
  unsigned width = rate.getType().getIntOrFloatBitWidth();
  if (width < 64)
    rate = arith::ExtFOp::create(b, f64, rate);
  else if (width > 64)
    rate = arith::TruncFOp::create(b, f64, rate);
  Value zero = floatConstant(b, f64, 0), one = floatConstant(b, f64, 1);
  rate = arith::MinimumFOp::create(b, arith::MaximumFOp::create(b, rate, zero),
                                   one);
  Value scale =
      arith::DivFOp::create(b, one, arith::SubFOp::create(b, one, rate));
  // Narrow elements are scaled in f32: their own type would hold the scale to
  // two or three digits, an error that all elements share.
  Type scaleType =
      elementType.getIntOrFloatBitWidth() < 32 ? b.getF32Type() : elementType;
  unsigned scaleWidth = scaleType.getIntOrFloatBitWidth();
  if (scaleWidth < 64)
    scale = arith::TruncFOp::create(b, scaleType, scale);
  else if (scaleWidth > 64)
    scale = arith::ExtFOp::create(b, scaleType, scale);
  // A rate that is not a number drops nothing, so that it shows in the scale.
  Value known = arith::MaxNumFOp::create(b, rate, zero);
  Value scaled = arith::MulFOp::create(
      b, known, floatConstant(b, f64, std::ldexp(1.0, 24)));
  Value threshold = arith::FPToSIOp::create(b, b.getI32Type(),
                                            math::CeilOp::create(b, scaled));

  return {buildElements(
      b, type, sizes, {getInput()}, generator,
      [&](ImplicitLocOpBuilder &sb, ArrayRef<Value> words,
          ValueRange args) -> Value {
        Value stays =
            arith::CmpIOp::create(sb, arith::CmpIPredicate::sge,
                                  getHighBits(sb, words[0], 24), threshold);
        // Selected, not multiplied: at a rate of 1 the scale is infinite.
        Value element = args[0];
        if (scaleType != elementType)
          element = arith::ExtFOp::create(sb, scaleType, element);
        element = arith::MulFOp::create(sb, element, scale);
        if (scaleType != elementType)
          element = arith::TruncFOp::create(sb, elementType, element);
        return arith::SelectOp::create(sb, stays, element,
                                       floatConstant(sb, elementType, 0));
      })};
}

//===----------------------------------------------------------------------===//
// Derivatives
//===----------------------------------------------------------------------===//

// Random numbers depend on integers only. Evaluating them again takes the
// generator; storing them takes memory, which is what they are meant to save.
bool RandomBitsOp::isInactive() { return true; }
bool RandomBitsOp::isNeverActive() { return true; }
bool RandomBitsOp::isCheapToRecompute() { return true; }
LogicalResult RandomBitsOp::buildVJP(DerivativeContext &) { return success(); }
LogicalResult RandomBitsOp::buildJVP(TangentContext &) { return success(); }

bool RandomUniformOp::isInactive() { return true; }
bool RandomUniformOp::isNeverActive() { return true; }
bool RandomUniformOp::isCheapToRecompute() { return true; }
LogicalResult RandomUniformOp::buildVJP(DerivativeContext &) {
  return success();
}
LogicalResult RandomUniformOp::buildJVP(TangentContext &) { return success(); }

bool RandomNormalOp::isInactive() { return true; }
bool RandomNormalOp::isNeverActive() { return true; }
bool RandomNormalOp::isCheapToRecompute() { return true; }
LogicalResult RandomNormalOp::buildVJP(DerivativeContext &) {
  return success();
}
LogicalResult RandomNormalOp::buildJVP(TangentContext &) { return success(); }

void DropoutOp::getResiduals(function_ref<bool(Value)>,
                             SmallVectorImpl<Residual> &residuals) {
  for (Value value : getOperands().drop_front())
    residuals.push_back(value);
}

static LogicalResult verifyRateIsInactive(DropoutOp op, bool isActive) {
  if (!isActive)
    return success();
  return op.emitError("expects a rate that is not differentiated; "
                      "'rev.stop_gradient' or 'wrt' takes it out");
}

LogicalResult DropoutOp::buildVJP(DerivativeContext &ctx) {
  if (failed(verifyRateIsInactive(*this, ctx.isActive(getRate()))))
    return failure();
  SmallVector<Value> operands{ctx.cotangent(getResult())};
  for (Value value : getOperands().drop_front()) {
    operands.push_back(ctx.primal(value));
    if (!operands.back())
      return failure();
  }
  auto same = DropoutOp::create(ctx.getBuilder(), getLoc(),
                                TypeRange{getResult().getType()}, operands,
                                getOperation()->getAttrs());
  ctx.accumulate(getInput(), same.getResult());
  return success();
}

LogicalResult DropoutOp::buildJVP(TangentContext &ctx) {
  if (failed(verifyRateIsInactive(*this, ctx.isActive(getRate()))))
    return failure();
  SmallVector<Value> operands(getOperands());
  operands.front() = ctx.tangent(getInput());
  if (!operands.front())
    return success();
  auto same = DropoutOp::create(ctx.getBuilder(), getLoc(),
                                TypeRange{getResult().getType()}, operands,
                                getOperation()->getAttrs());
  ctx.setTangent(getResult(), same.getResult());
  return success();
}
