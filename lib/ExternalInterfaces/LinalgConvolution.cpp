//===- LinalgConvolution.cpp - Rules of convolutions ----------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One rule for all convolutions, whatever their layout, number of dimensions,
// strides and dilations: it reads them off the indexing maps.
//
// The gradient of the filter is one linalg.generic. The gradient of the input
// is again a convolution, of the same name, with stride 1: of the padded
// cotangent with the flipped filter. For a stride s the input falls into s
// phases for each dimension, each of which meets only every s-th tap of the
// filter, so that each phase is such a convolution with a part of the filter
// and all phases together cost what the forward convolution costs.
//
//===----------------------------------------------------------------------===//

#include "Convolution.h"
#include "LinalgInverses.h"
#include "LinalgRules.h"
#include "Models.h"
#include "TensorExpressions.h"
#include "memrev/Interfaces/DifferentiableOpInterface.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StructuredOpsUtils.h"
#include "mlir/IR/DialectRegistry.h"
#include <numeric>

using namespace mlir;
using namespace mlir::memrev;
using linalg::LinalgOp;
using utils::IteratorType;

/// Emits sum += lhs * rhs over the loops of `iterators`.
static Value buildContraction(OpBuilder &b, Location loc, Value lhs, Value rhs,
                              Value sum, ArrayRef<AffineMap> maps,
                              ArrayRef<IteratorType> iterators) {
  return linalg::GenericOp::create(
             b, loc, TypeRange{sum.getType()}, ValueRange{lhs, rhs},
             ValueRange{sum}, maps, iterators,
             [](OpBuilder &builder, Location l, ValueRange args) {
               Type type = args[2].getType();
               Value product = arith::MulFOp::create(
                   builder, l, buildFloatCast(builder, l, args[0], type),
                   buildFloatCast(builder, l, args[1], type));
               linalg::YieldOp::create(
                   builder, l,
                   arith::AddFOp::create(builder, l, args[2], product)
                       .getResult());
             })
      .getResult(0);
}

//===----------------------------------------------------------------------===//
// Gradient of the filter
//===----------------------------------------------------------------------===//

/// Emits dK[k, c, f] += I[n, o * stride + k * dilation, c] * dO[n, o, f].
static LogicalResult buildFilterGradient(Convolution &conv,
                                         DerivativeContext &ctx) {
  Value input = ctx.primal(conv.getInput());
  if (!input)
    return failure();
  Value cotangent = ctx.cotangent(conv.getResult());
  WideSum wide(ctx, conv.getFilter(), getElementTypeOrSelf(cotangent.getType()),
               conv.op.getLoc());
  Value sum = wide.getStart();
  if (!sum)
    return failure();
  // The loops over the filter are outside, so that one tap is a product of two
  // matrices with the channels as rows and columns.
  SmallVector<unsigned> order;
  SmallVector<IteratorType> iterators;
  auto append = [&](ArrayRef<unsigned> loops, IteratorType iterator) {
    llvm::append_range(order, loops);
    iterators.append(loops.size(), iterator);
  };
  append(conv.loops.filterLoop, IteratorType::parallel);
  append(conv.loops.depth, IteratorType::parallel);
  append(conv.loops.inputChannel, IteratorType::parallel);
  append(conv.loops.outputChannel, IteratorType::parallel);
  append(conv.loops.batch, IteratorType::reduction);
  append(conv.loops.outputImage, IteratorType::reduction);

  OpBuilder &b = ctx.getBuilder();
  SmallVector<AffineExpr> renamed(order.size());
  for (auto [i, loop] : llvm::enumerate(order))
    renamed[loop] = b.getAffineDimExpr(i);
  SmallVector<AffineMap> maps;
  for (AffineMap map : {conv.inputMap, conv.outputMap, conv.filterMap})
    maps.push_back(map.replaceDimsAndSymbols(renamed, {}, order.size(), 0));
  wide.finish(buildContraction(b, conv.op.getLoc(), input, cotangent, sum, maps,
                               iterators));
  return success();
}

//===----------------------------------------------------------------------===//
// Gradient of the input by phases
//===----------------------------------------------------------------------===//

namespace {

/// The elements start, start + stride, ... of a dimension of the input and the
/// taps firstTap, firstTap + tapStep, ... that meet them: a convolution with
/// stride 1 of the cotangent, moved by `low`, with these taps last first.
struct Phase {
  int64_t start, size;
  int64_t firstTap, tapStep, numTaps;
  int64_t dilation;
  /// Zeros needed before and after the cotangent. Negative if its first or last
  /// elements have no influence on this phase.
  int64_t low, high;

  int64_t getLastTap() const { return firstTap + (numTaps - 1) * tapStep; }
  /// The extent of the cotangent with zeros that this phase reads.
  int64_t getReadSize() const { return size + (numTaps - 1) * dilation; }
};

} // namespace

/// The phases of an input of extent `size` that is padded by `low` zeros before
/// `window` slides along it. Phases that get no cotangent are left out.
static SmallVector<Phase> getPhases(const Window &window, int64_t size,
                                    int64_t low, int64_t numTaps,
                                    int64_t outputSize) {
  SmallVector<Phase> phases;
  int64_t common = std::gcd(window.stride, window.dilation);
  int64_t tapStep = window.stride / common;
  for (int64_t first = 0; first < std::min(numTaps, tapStep); ++first) {
    // The tap reaches the padded elements that are its distance from a multiple
    // of the stride.
    int64_t start = (first * window.dilation - low) % window.stride;
    if (start < 0)
      start += window.stride;
    if (start >= size)
      continue;
    Phase phase;
    phase.start = start;
    phase.size = (size - start - 1) / window.stride + 1;
    phase.firstTap = first;
    phase.tapStep = tapStep;
    phase.numTaps = (numTaps - first - 1) / tapStep + 1;
    phase.dilation = window.dilation / common;
    int64_t position =
        (start + low - phase.getLastTap() * window.dilation) / window.stride;
    phase.low = -position;
    phase.high = position + phase.getReadSize() - outputSize;
    if (phase.low + outputSize <= 0 || phase.low >= phase.getReadSize())
      continue;
    phases.push_back(phase);
  }
  llvm::sort(phases,
             [](const Phase &a, const Phase &b) { return a.start < b.start; });
  return phases;
}

/// If the input is a tensor padded along the windows, by a value without a
/// derivative, the pad. The cotangent of what is padded is then made directly:
/// that of the padded tensor would be a buffer that nobody else needs.
static tensor::PadOp getInactivePad(Convolution &conv, DerivativeContext &ctx) {
  auto pad = conv.getInput().getDefiningOp<tensor::PadOp>();
  // What is captured by a region has its cotangent outside of it.
  if (!pad || pad->getBlock() != conv.op->getBlock())
    return {};
  Value padding = pad.getConstantPaddingValue();
  if (!padding || ctx.isActive(padding))
    return {};
  llvm::SmallBitVector isWindow(pad.getSourceType().getRank());
  for (const Window &window : conv.windows)
    isWindow.set(window.inputPosition);
  for (auto [i, low, high] :
       llvm::enumerate(pad.getStaticLow(), pad.getStaticHigh())) {
    if (isWindow[i] ? ShapedType::isDynamic(low) || low < 0 ||
                          ShapedType::isDynamic(high) || high < 0 ||
                          pad.getSourceType().isDynamicDim(i)
                    : low != 0 || high != 0)
      return {};
  }
  return pad;
}

/// True if a convolution of the same name has the output as its input: then the
/// two layouts are equal, but for the channels.
static bool isSelfAdjoint(Convolution &conv) {
  if (isa<linalg::GenericOp>(conv.op) || conv.loops.inputChannel.size() > 1 ||
      conv.loops.inputChannel.size() != conv.loops.outputChannel.size() ||
      conv.inputMap.getNumResults() != conv.outputMap.getNumResults())
    return false;
  for (const Window &window : conv.windows)
    if (window.inputPosition != window.outputPosition)
      return false;
  for (auto [in, out] : llvm::zip_equal(conv.inputMap.getResults(),
                                        conv.outputMap.getResults())) {
    auto dim = dyn_cast<AffineDimExpr>(in);
    if (!dim || in == out)
      continue;
    if (!llvm::is_contained(conv.loops.inputChannel, dim.getPosition()) ||
        !llvm::is_contained(conv.loops.outputChannel,
                            cast<AffineDimExpr>(out).getPosition()))
      return false;
  }
  return true;
}

/// Emits the taps of `phases`, last first. With `swapChannels` the input
/// channels are where the output channels were.
static Value buildFlippedFilter(Convolution &conv, OpBuilder &b, Value filter,
                                ArrayRef<Phase> phases, bool swapChannels) {
  Location loc = conv.op.getLoc();
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(b, loc, filter);
  int64_t rank = sizes.size();
  SmallVector<AffineExpr> source;
  for (int64_t i = 0; i < rank; ++i)
    source.push_back(b.getAffineDimExpr(i));
  if (swapChannels && !conv.loops.inputChannel.empty()) {
    unsigned in = *getLoopPosition(conv.filterMap, conv.loops.inputChannel[0]);
    unsigned out =
        *getLoopPosition(conv.filterMap, conv.loops.outputChannel[0]);
    std::swap(sizes[in], sizes[out]);
    std::swap(source[in], source[out]);
  }
  for (auto [window, phase] : llvm::zip_equal(conv.windows, phases)) {
    sizes[window.filterPosition] = b.getIndexAttr(phase.numTaps);
    AffineExpr &expr = source[window.filterPosition];
    expr = phase.numTaps == 1 ? b.getAffineConstantExpr(phase.firstTap)
                              : phase.getLastTap() - expr * phase.tapStep;
  }
  Value empty = tensor::EmptyOp::create(b, loc, sizes,
                                        getElementTypeOrSelf(filter.getType()));
  return linalg::GenericOp::create(
             b, loc, TypeRange{empty.getType()}, ValueRange{filter},
             ValueRange{empty},
             ArrayRef<AffineMap>{
                 AffineMap::get(rank, 0, source, b.getContext()),
                 b.getMultiDimIdentityMap(rank)},
             SmallVector<IteratorType>(rank, IteratorType::parallel),
             [](OpBuilder &builder, Location l, ValueRange args) {
               linalg::YieldOp::create(builder, l, args[0]);
             })
      .getResult(0);
}

/// Emits the named convolution with stride 1 and the dilations of `phases`.
static Value buildSameConvolution(Convolution &conv, OpBuilder &b, Value input,
                                  Value filter, Value sum,
                                  ArrayRef<Phase> phases) {
  Operation *op = clone(b, conv.op, TypeRange{sum.getType()},
                        ValueRange{input, filter, sum});
  op->setDiscardableAttrs(b.getDictionaryAttr({}));
  if (!llvm::is_contained(op->getName().getAttributeNames(), "strides"))
    return op->getResult(0);
  int64_t numWindows = phases.size();
  SmallVector<int64_t> dilations;
  for (const Phase &phase : phases)
    dilations.push_back(phase.dilation);
  auto type = RankedTensorType::get({numWindows}, b.getI64Type());
  op->setAttr("strides", DenseIntElementsAttr::get(
                             type, SmallVector<int64_t>(numWindows, 1)));
  op->setAttr("dilations", DenseIntElementsAttr::get(type, dilations));
  return op->getResult(0);
}

/// Emits a linalg.generic that does what a convolution with stride 1 would do,
/// for a layout that has no name.
static Value buildGenericConvolution(Convolution &conv, OpBuilder &b,
                                     Value input, Value filter, Value sum,
                                     ArrayRef<Phase> phases) {
  SmallVector<IteratorType> iterators(conv.op.getNumLoops(),
                                      IteratorType::parallel);
  for (unsigned loop : conv.loops.filterLoop)
    iterators[loop] = IteratorType::reduction;
  for (unsigned loop : conv.loops.outputChannel)
    iterators[loop] = IteratorType::reduction;
  SmallVector<AffineExpr> in(conv.outputMap.getResults());
  SmallVector<AffineExpr> out(conv.inputMap.getResults());
  for (auto [window, phase] : llvm::zip_equal(conv.windows, phases)) {
    AffineExpr image = b.getAffineDimExpr(window.image);
    in[window.outputPosition] =
        image + b.getAffineDimExpr(window.tap) * phase.dilation;
    out[window.inputPosition] = image;
  }
  unsigned numLoops = conv.op.getNumLoops();
  return buildContraction(b, conv.op.getLoc(), input, filter, sum,
                          {AffineMap::get(numLoops, 0, in, b.getContext()),
                           conv.filterMap,
                           AffineMap::get(numLoops, 0, out, b.getContext())},
                          iterators);
}

/// Adds the cotangent of the convolution's input, or of what was padded to give
/// it, phase by phase.
static LogicalResult buildPhases(Convolution &conv, DerivativeContext &ctx,
                                 Value filter) {
  OpBuilder &b = ctx.getBuilder();
  Location loc = conv.op.getLoc();
  Value target = conv.getInput();
  tensor::PadOp pad = getInactivePad(conv, ctx);
  if (pad)
    target = pad.getSource();
  auto targetType = cast<RankedTensorType>(target.getType());

  // All combinations of the phases of each window.
  SmallVector<SmallVector<Phase>> combinations(1);
  bool isStrided = false;
  for (const Window &window : conv.windows) {
    int64_t low = pad ? pad.getStaticLow()[window.inputPosition] : 0;
    SmallVector<Phase> phases =
        getPhases(window, targetType.getDimSize(window.inputPosition), low,
                  conv.getFilterShape()[window.filterPosition],
                  conv.getOutputShape()[window.outputPosition]);
    SmallVector<SmallVector<Phase>> extended;
    for (ArrayRef<Phase> prefix : combinations)
      for (const Phase &phase : phases) {
        extended.emplace_back(prefix);
        extended.back().push_back(phase);
      }
    combinations = std::move(extended);
    isStrided |= window.stride != 1;
  }
  if (combinations.empty())
    return success();
  Value cotangent = ctx.cotangent(conv.getResult());
  Type cotangentType = getElementTypeOrSelf(cotangent.getType());
  WideSum wide(ctx, target, cotangentType, loc);
  Value sum = wide.getStart();
  if (!sum)
    return failure();

  // One padded cotangent serves all phases.
  int64_t outputRank = conv.getOutputShape().size();
  SmallVector<int64_t> low(outputRank, 0), high(outputRank, 0);
  for (ArrayRef<Phase> phases : combinations)
    for (auto [window, phase] : llvm::zip_equal(conv.windows, phases)) {
      int64_t i = window.outputPosition;
      low[i] = std::max(low[i], phase.low);
      high[i] = std::max(high[i], phase.high);
    }
  auto isZero = [](int64_t amount) { return amount == 0; };
  if (!llvm::all_of(low, isZero) || !llvm::all_of(high, isZero)) {
    Value zero =
        arith::ConstantOp::create(b, loc, b.getZeroAttr(cotangentType));
    cotangent = tensor::PadOp::create(
        b, loc, Type(), cotangent, getAsIndexOpFoldResult(b.getContext(), low),
        getAsIndexOpFoldResult(b.getContext(), high), zero);
  }

  // A clone of the named convolution has the types of its body.
  bool isNamed = isSelfAdjoint(conv) &&
                 wide.getElementType() == cotangentType &&
                 getElementTypeOrSelf(filter.getType()) == cotangentType;
  for (ArrayRef<Phase> phases : combinations) {
    Slice read = getWhole(b, loc, cotangent);
    Slice written = getWhole(b, loc, sum);
    bool isPart = false;
    for (auto [window, phase] : llvm::zip_equal(conv.windows, phases)) {
      int64_t offset = low[window.outputPosition] - phase.low;
      auto size = b.getIndexAttr(phase.getReadSize());
      isPart |= read.sizes[window.outputPosition] != OpFoldResult(size);
      read.offsets[window.outputPosition] = b.getIndexAttr(offset);
      read.sizes[window.outputPosition] = size;
      written.offsets[window.inputPosition] = b.getIndexAttr(phase.start);
      written.sizes[window.inputPosition] = b.getIndexAttr(phase.size);
      written.strides[window.inputPosition] = b.getIndexAttr(window.stride);
    }
    Value input = cotangent;
    if (isPart)
      input = tensor::ExtractSliceOp::create(b, loc, cotangent, read.offsets,
                                             read.sizes, read.strides);
    Value taps = buildFlippedFilter(conv, b, filter, phases, isNamed);
    Value part = sum;
    if (isStrided)
      part = tensor::ExtractSliceOp::create(b, loc, sum, written.offsets,
                                            written.sizes, written.strides);
    part = isNamed
               ? buildSameConvolution(conv, b, input, taps, part, phases)
               : buildGenericConvolution(conv, b, input, taps, part, phases);
    sum =
        isStrided
            ? tensor::InsertSliceOp::create(b, loc, part, sum, written.offsets,
                                            written.sizes, written.strides)
                  .getResult()
            : part;
  }
  wide.finish(sum);
  return success();
}

//===----------------------------------------------------------------------===//
// Gradient of the input by taps
//===----------------------------------------------------------------------===//

/// Adds the cotangent of the input one tap of the filter at a time: each tap is
/// a contraction into a strided slice of it. Needs no extents but the filter's.
static LogicalResult buildTaps(Convolution &conv, DerivativeContext &ctx,
                               Value filter) {
  OpBuilder &b = ctx.getBuilder();
  Location loc = conv.op.getLoc();
  Value cotangent = ctx.cotangent(conv.getResult());
  WideSum wide(ctx, conv.getInput(), getElementTypeOrSelf(cotangent.getType()),
               loc);
  Value sum = wide.getStart();
  if (!sum)
    return failure();

  // The loops that are left have the order they had.
  SmallVector<AffineExpr> renamed(conv.op.getNumLoops(),
                                  b.getAffineConstantExpr(0));
  SmallVector<IteratorType> iterators;
  for (unsigned loop = 0; loop < conv.op.getNumLoops(); ++loop) {
    if (llvm::is_contained(conv.loops.filterLoop, loop))
      continue;
    renamed[loop] = b.getAffineDimExpr(iterators.size());
    bool isSummed = llvm::is_contained(conv.loops.outputChannel, loop);
    iterators.push_back(isSummed ? IteratorType::reduction
                                 : IteratorType::parallel);
  }
  auto makeMap = [&](ArrayRef<AffineExpr> exprs) {
    return AffineMap::get(conv.op.getNumLoops(), 0, exprs, b.getContext())
        .replaceDimsAndSymbols(renamed, {}, iterators.size(), 0);
  };
  SmallVector<AffineExpr> tapExprs, slicedExprs(conv.inputMap.getResults());
  for (AffineExpr expr : conv.filterMap.getResults())
    if (!llvm::is_contained(conv.loops.filterLoop,
                            cast<AffineDimExpr>(expr).getPosition()))
      tapExprs.push_back(expr);
  for (const Window &window : conv.windows)
    slicedExprs[window.inputPosition] = b.getAffineDimExpr(window.image);
  SmallVector<AffineMap> maps = {makeMap(conv.outputMap.getResults()),
                                 makeMap(tapExprs), makeMap(slicedExprs)};

  SmallVector<OpFoldResult> outputSizes =
      tensor::getMixedSizes(b, loc, cotangent);
  forEachTap(conv, [&](ArrayRef<int64_t> tap) {
    Slice slice = getWhole(b, loc, sum);
    Slice filterSlice = getWhole(b, loc, filter);
    SmallVector<int64_t> tapShape;
    for (auto [i, window] : llvm::enumerate(conv.windows)) {
      slice.offsets[window.inputPosition] =
          b.getIndexAttr(tap[i] * window.dilation);
      slice.sizes[window.inputPosition] = outputSizes[window.outputPosition];
      slice.strides[window.inputPosition] = b.getIndexAttr(window.stride);
      filterSlice.offsets[window.filterPosition] = b.getIndexAttr(tap[i]);
      filterSlice.sizes[window.filterPosition] = b.getIndexAttr(1);
    }
    for (auto [i, expr] : llvm::enumerate(conv.filterMap.getResults()))
      if (!llvm::is_contained(conv.loops.filterLoop,
                              cast<AffineDimExpr>(expr).getPosition()))
        tapShape.push_back(conv.getFilterShape()[i]);
    auto tapType =
        RankedTensorType::get(tapShape, getElementTypeOrSelf(filter.getType()));
    Value factor = tensor::ExtractSliceOp::create(
        b, loc, tapType, filter, filterSlice.offsets, filterSlice.sizes,
        filterSlice.strides);
    Value part = tensor::ExtractSliceOp::create(b, loc, sum, slice.offsets,
                                                slice.sizes, slice.strides);
    part = buildContraction(b, loc, cotangent, factor, part, maps, iterators);
    sum = tensor::InsertSliceOp::create(b, loc, part, sum, slice.offsets,
                                        slice.sizes, slice.strides);
  });
  wide.finish(sum);
  return success();
}

//===----------------------------------------------------------------------===//
// The rule
//===----------------------------------------------------------------------===//

static LogicalResult buildInputGradient(Convolution &conv, bool isStatic,
                                        DerivativeContext &ctx) {
  Value filter = ctx.primal(conv.getFilter());
  if (!filter)
    return failure();
  return isStatic ? buildPhases(conv, ctx, filter)
                  : buildTaps(conv, ctx, filter);
}

LogicalResult memrev::buildConvolutionVJP(LinalgOp op, DerivativeContext &ctx) {
  FailureOr<Convolution> conv = matchConvolution(op);
  // A window that cannot be written out, or that runs backwards.
  if (failed(conv))
    return buildStructuredVJP(op, ctx);
  auto isDynamic = [](Value tensor, unsigned position) {
    return cast<RankedTensorType>(tensor.getType()).isDynamicDim(position);
  };
  bool isStatic = true, isWindowStatic = true;
  for (const Window &window : conv->windows) {
    isWindowStatic &= !isDynamic(conv->getFilter(), window.filterPosition);
    isStatic &= !isDynamic(conv->getInput(), window.inputPosition) &&
                !isDynamic(conv->getResult(), window.outputPosition);
  }
  if (ctx.isActive(conv->getInput())) {
    if (!isWindowStatic || (!isStatic && getNumTaps(*conv) > kMaxTaps))
      return buildStructuredVJP(op, ctx);
    // The filter is larger than the image, as where the gradient of a filter is
    // differentiated: sliding it along the image's margins would be in vain.
    // One operation for each element of the image does what is needed.
    uint64_t numImages = 1;
    for (const Window &window : conv->windows)
      numImages = llvm::SaturatingMultiply<uint64_t>(
          numImages, conv->getOutputShape()[window.outputPosition]);
    if (isStatic && numImages < getNumTaps(*conv) && numImages <= kMaxTaps)
      return buildStructuredVJP(op, ctx);
  }
  if (ctx.isActive(conv->getFilter()) &&
      failed(buildFilterGradient(*conv, ctx)))
    return failure();
  if (ctx.isActive(conv->getInput()) &&
      failed(buildInputGradient(*conv, isStatic, ctx)))
    return failure();
  ctx.accumulate(conv->getInit(), ctx.cotangent(conv->getResult()));
  return success();
}

namespace {

template <typename OpTy>
struct ConvolutionModel
    : DifferentiableOpInterface::ExternalModel<ConvolutionModel<OpTy>, OpTy> {
  void getResiduals(Operation *op, function_ref<bool(Value)> isActive,
                    SmallVectorImpl<Residual> &residuals) const {
    for (unsigned j : {0u, 1u})
      if (isActive(op->getOperand(j)))
        residuals.push_back(op->getOperand(1 - j));
  }

  LogicalResult buildVJP(Operation *op, DerivativeContext &ctx) const {
    return buildConvolutionVJP(cast<LinalgOp>(op), ctx);
  }
};

} // namespace

template <typename... OpTys>
static void attachConvolutions(MLIRContext *context) {
  (OpTys::template attachInterface<ConvolutionModel<OpTys>,
                                   StructuredInverse<OpTys>>(*context),
   ...);
}

void memrev::registerLinalgConvolutionModels(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *c, linalg::LinalgDialect *) {
    using namespace linalg;
    attachConvolutions<Conv1DOp, Conv1DNcwFcwOp, Conv1DNwcWcfOp, Conv2DOp,
                       Conv2DNchwFchwOp, Conv2DNgchwFgchwOp, Conv2DNgchwGfchwOp,
                       Conv2DNhwcFhwcOp, Conv2DNhwcHwcfOp, Conv2DNhwgcGfhwcOp,
                       Conv3DOp, Conv3DNcdhwFcdhwOp, Conv3DNdhwcDhwcfOp,
                       DepthwiseConv1DNcwCwOp, DepthwiseConv1DNwcWcOp,
                       DepthwiseConv1DNwcWcmOp, DepthwiseConv2DNchwChwOp,
                       DepthwiseConv2DNhwcHwcOp, DepthwiseConv2DNhwcHwcmOp,
                       DepthwiseConv3DNcdhwCdhwOp, DepthwiseConv3DNdhwcDhwcOp,
                       DepthwiseConv3DNdhwcDhwcmOp>(c);
  });
}
