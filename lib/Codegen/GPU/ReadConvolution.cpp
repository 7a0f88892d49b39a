//===- ReadConvolution.cpp - Convolutions among sums of products ----------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A window is an index of the image that two loops move. One of them is
// parallel, the other one a reduction:
//
//   forward           y[n, o, f] += x[n, o * s + t * d - p, c] * w[t, c, f]
//   filter's gradient w[t, c, f] += x[n, o * s + t * d - p, c] * y[n, o, f]
//
// In the first the loops over images and pixels are parallel and those over
// taps and input channels reductions; in the second it is the other way round.
// The rest follows from the tensors that each loop is in.
//
//===----------------------------------------------------------------------===//

#include "ConvolutionCall.h"
#include "FilterOrder.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace mlir::memrev;
using namespace mlir::memrev::simt;

/// The bytes that are planned for a workspace: some times those of all three
/// tensors, as libraries bring these into other layouts and cut sums into
/// parts, but no more, and for small ones no less, than these.
static constexpr int64_t kCopies = 4;
static constexpr int64_t kMaxWorkspace = int64_t(32) << 20;
static constexpr int64_t kMinWorkspace = int64_t(4) << 20;

/// The dimensions that `expr` moves with.
static SmallVector<unsigned> getDims(AffineExpr expr, unsigned numDims) {
  SmallVector<unsigned> dims;
  for (unsigned dim = 0; dim < numDims; ++dim)
    if (expr.isFunctionOfDim(dim))
      dims.push_back(dim);
  return dims;
}

/// Whether `access` has an index that a parallel loop and a reduction move.
static bool hasWindows(const Access &access, const Problem &problem) {
  return llvm::any_of(access.indices, [&](AffineExpr index) {
    SmallVector<unsigned> dims = getDims(index, problem.getNumDims());
    return dims.size() == 2 &&
           problem.isReduction[dims[0]] != problem.isReduction[dims[1]];
  });
}

/// Whether `access` skips elements, as that of one tap with a stride does.
static bool isStrided(const Access &access, const Problem &problem) {
  return llvm::any_of(access.indices, [&](AffineExpr index) {
    return llvm::any_of(getDims(index, problem.getNumDims()),
                        [&](unsigned dim) {
                          return std::abs(getCoefficient(index, dim)) != 1;
                        });
  });
}

bool simt::hasWindows(const Problem &problem) {
  return ::hasWindows(problem.lhs, problem) ||
         ::hasWindows(problem.rhs, problem);
}

namespace {

/// The loops of a spatial dimension; -1 for one of a single iteration.
struct WindowDims {
  int pixel = -1, tap = -1;
};

/// Reads one problem, of which `image` is the factor with windows.
class ConvolutionReader {
public:
  ConvolutionReader(const Problem &problem, func::FuncOp kernel,
                    std::string &reason)
      : problem(problem), kernel(kernel), reason(reason) {}

  FailureOr<ConvolutionMatch> read(FP32Precision precision);

private:
  LogicalResult fail(const char *why) {
    reason = why;
    return failure();
  }
  /// The factors and the result, as far as their types and starts go.
  LogicalResult readTypes(FP32Precision precision);
  /// What each loop is for.
  LogicalResult readRoles();
  LogicalResult readSpatial(int position, ConvolutionWindow &window,
                            WindowDims &dims);
  LogicalResult checkBounds();
  /// The filter's loops, with those of taps that the image is read against the
  /// direction of turned round.
  LogicalResult readFilter();
  LogicalResult placeImage();
  LogicalResult placeResult(const Access &result);
  int64_t getExtent(int dim) const {
    return dim < 0 ? 1 : problem.extents[dim];
  }

  const Problem &problem;
  func::FuncOp kernel;
  std::string &reason;
  ConvolutionMatch match;
  Access image;
  const Access *other = nullptr;
  /// Indices of the image are dimensions of one element but these.
  int batchPosition = -1;
  SmallVector<int, 2> spatial;
  int batch = -1, group = -1, channel = -1, filter = -1;
  WindowDims heightDims, widthDims;
  SmallVector<unsigned, 2> reversedTaps;
};

} // namespace

LogicalResult ConvolutionReader::readTypes(FP32Precision precision) {
  Type type = problem.lhs.elementType;
  bool isKnown = type.isF32() || type.isF16() || type.isBF16();
  if (!isKnown || problem.rhs.elementType != type ||
      problem.getElementType() != type ||
      !(problem.sumType == type || problem.sumType.isF32()))
    return fail("cuDNN has no convolution of its element types with the "
                "channels last");
  if (type.isF32() && precision == FP32Precision::TF32x3)
    return fail("cuDNN does not multiply as tf32x3");
  match.call.elementType = type;
  match.call.isTF32 = type.isF32() && precision == FP32Precision::TF32;
  if (problem.accumulatorInit == InitKind::Read)
    return fail("it adds to another tensor than its result");
  return checkStart(problem, reason);
}

LogicalResult ConvolutionReader::readRoles() {
  unsigned numDims = problem.getNumDims();
  const Access &dest = problem.outputs.front().dest;
  // The positions of the image from the first to the last that loops move.
  SmallVector<int> moved;
  for (int i = 0, e = image.indices.size(); i < e; ++i)
    if (!getDims(image.indices[i], numDims).empty())
      moved.push_back(i);
    else if (!moved.empty() && image.shape[i] != 1)
      return fail("the image is a part of another one");
  auto isShared = [&](unsigned dim) {
    return image.uses(dim) && other->uses(dim) && dest.uses(dim);
  };
  auto getSingle = [&](int position) {
    SmallVector<unsigned> dims = getDims(image.indices[position], numDims);
    return dims.size() == 1 ? int(dims.front()) : -1;
  };
  // From the back: the channels of a group, groups, pixels and taps, images.
  if (!moved.empty())
    if (int dim = getSingle(moved.back()); dim >= 0) {
      (isShared(dim) ? group : channel) = dim;
      moved.pop_back();
    }
  if (channel >= 0 && !moved.empty())
    if (int dim = getSingle(moved.back()); dim >= 0 && isShared(dim)) {
      group = dim;
      moved.pop_back();
    }
  if (!moved.empty())
    if (int dim = getSingle(moved.front());
        dim >= 0 && !isShared(dim) &&
        (channel < 0 ||
         problem.isReduction[dim] != problem.isReduction[channel])) {
      batch = dim;
      batchPosition = moved.front();
      moved.erase(moved.begin());
    }
  if (channel < 0 && batch < 0)
    return fail("it has neither several images nor several channels");
  bool isForward =
      channel >= 0 ? problem.isReduction[channel] : !problem.isReduction[batch];
  match.call.kind = isForward ? ConvolutionCall::Kind::Forward
                              : ConvolutionCall::Kind::FilterGradient;
  // What is between has one or two spatial dimensions. A batch that two loops
  // number would be one of three.
  if (moved.empty() || moved.size() > 2)
    return fail("its images do not have one or two dimensions, with the "
                "channels last");
  spatial.assign(moved.begin(), moved.end());
  if (failed(readSpatial(spatial.back(), match.call.width, widthDims)) ||
      (spatial.size() == 2 &&
       failed(readSpatial(spatial.front(), match.call.height, heightDims))))
    return failure();

  // The only other loop is that of the output channels.
  for (unsigned dim = 0; dim < numDims; ++dim) {
    if (image.uses(dim))
      continue;
    if (filter >= 0 || problem.isReduction[dim] || !other->uses(dim) ||
        !dest.uses(dim))
      return fail("its output channels are not one range");
    filter = dim;
  }
  // Each loop is in the tensors that it belongs to, and a reduction.
  const Access &weights = isForward ? *other : dest;
  const Access &result = isForward ? dest : *other;
  auto isIn = [&](int dim, bool inWeights, bool inResult, bool isReduction) {
    return dim < 0 ||
           (weights.uses(dim) == inWeights && result.uses(dim) == inResult &&
            problem.isReduction[dim] == isReduction);
  };
  bool isRight = isIn(batch, false, true, !isForward) &&
                 isIn(channel, true, false, isForward) &&
                 isIn(group, true, true, false) &&
                 isIn(filter, true, true, false);
  for (const WindowDims &dims : {heightDims, widthDims})
    isRight = isRight && isIn(dims.pixel, false, true, !isForward) &&
              isIn(dims.tap, true, false, isForward);
  // A loop must not be in two roles.
  SmallVector<unsigned> roles;
  for (int dim : {batch, channel, group, filter, heightDims.pixel,
                  heightDims.tap, widthDims.pixel, widthDims.tap})
    if (dim >= 0)
      roles.push_back(dim);
  llvm::sort(roles);
  if (!isRight || roles.size() != numDims ||
      std::adjacent_find(roles.begin(), roles.end()) != roles.end())
    return fail("its loops are not those of a convolution");
  return success();
}

LogicalResult ConvolutionReader::readSpatial(int position,
                                             ConvolutionWindow &window,
                                             WindowDims &dims) {
  bool isForward = match.call.kind == ConvolutionCall::Kind::Forward;
  AffineExpr index = image.indices[position];
  Linear linear =
      Linear::get(index, problem.getNumDims(), image.symbols.size());
  if (llvm::any_of(linear.symbols, [](int64_t factor) { return factor != 0; }))
    return fail("the image is a part of another one");
  for (unsigned dim : getDims(index, problem.getNumDims())) {
    int &role = problem.isReduction[dim] == isForward ? dims.tap : dims.pixel;
    if (role >= 0)
      return fail("a window is moved by more than one loop");
    role = dim;
  }
  int64_t start = linear.constant;
  window.image = image.shape[position];
  window.taps = getExtent(dims.tap);
  window.result = getExtent(dims.pixel);
  if (dims.pixel >= 0)
    window.stride = linear.dims[dims.pixel];
  if (dims.tap >= 0)
    window.dilation = linear.dims[dims.tap];
  if (window.dilation < 0) {
    // The taps from the other end on.
    start += window.dilation * (window.taps - 1);
    window.dilation = -window.dilation;
    reversedTaps.push_back(dims.tap);
  }
  if (window.stride < 1 || window.dilation < 1)
    return fail("a window moves backwards");
  if (start > 0)
    return fail("the image is a part of another one");
  window.padding = -start;
  // A single result has any stride, one that leaves it single among others.
  if (dims.pixel < 0)
    window.stride =
        std::max<int64_t>(1, window.image + 2 * window.padding -
                                 (window.taps - 1) * window.dilation);
  if (window.result != window.getImpliedResult())
    return fail("an image is padded by more at one end than at the other, or "
                "is a part of another one");
  return success();
}

LogicalResult ConvolutionReader::checkBounds() {
  if (!image.bounds.empty() && !matchPattern(image.padding, m_AnyZeroFloat()))
    return fail("an image is padded with a number that is not zero");
  unsigned numDims = problem.getNumDims();
  for (const Bound &bound : image.bounds)
    if (llvm::none_of(spatial, [&](int position) {
          return image.shape[position] == bound.size &&
                 simplifyAffineExpr(bound.expr - image.indices[position],
                                    numDims, image.symbols.size()) == 0;
        }))
      return fail("the padding is not that of the image's height or width");
  for (const Access *access :
       {other, &std::as_const(problem.outputs.front().dest)})
    if (!access->bounds.empty())
      return fail("another tensor than the image is padded");
  return success();
}

LogicalResult ConvolutionReader::readFilter() {
  bool isForward = match.call.kind == ConvolutionCall::Kind::Forward;
  match.filter = isForward ? *other : problem.outputs.front().dest;
  for (int dim : {group, filter, heightDims.tap, widthDims.tap, channel})
    if (dim >= 0)
      match.filterDims.push_back(dim);
  MLIRContext *context = kernel.getContext();
  SmallVector<AffineExpr> turned;
  for (unsigned dim = 0; dim < problem.getNumDims(); ++dim) {
    AffineExpr expr = getAffineDimExpr(dim, context);
    turned.push_back(llvm::is_contained(reversedTaps, dim)
                         ? problem.extents[dim] - 1 - expr
                         : expr);
  }
  for (AffineExpr &index : match.filter.indices)
    index = simplifyAffineExpr(index.replaceDims(turned), problem.getNumDims(),
                               match.filter.symbols.size());
  if (match.filter.isScalar() || !isa<BlockArgument>(match.filter.source))
    return fail("an operand is no tensor in memory");
  if (!canReorderFilter(match.filter, problem, isForward))
    return fail("its filter is in memory in a way that no kernel reorders");
  return success();
}

/// Whether elements `offset` apart lie one after another where `dims` are
/// numbered in row-major order.
static bool isPacked(const Linear &offset, ArrayRef<int> dims,
                     const Problem &problem) {
  int64_t distance = 1;
  for (int dim : llvm::reverse(dims)) {
    if (dim < 0)
      continue;
    if (offset.dims[dim] != distance)
      return false;
    distance *= problem.extents[dim];
  }
  return true;
}

LogicalResult ConvolutionReader::placeImage() {
  ConvolutionCall &call = match.call;
  // The pixels with their channels are the whole tensor, but for images.
  SmallVector<int64_t> strides = getStrides(image.shape);
  Linear offset = Linear::getOffset(image, problem.getNumDims());
  int64_t pixel = int64_t(getExtent(channel)) * getExtent(group);
  bool isWhole = strides[spatial.back()] == pixel &&
                 isPacked(offset, {group, channel}, problem);
  int64_t distance = pixel * call.width.image;
  if (spatial.size() == 2) {
    isWhole = isWhole && strides[spatial.front()] == distance;
    distance *= call.height.image;
  }
  if (batch >= 0)
    isWhole = isWhole && strides[batchPosition] == distance &&
              offset.dims[batch] == distance;
  if (!isWhole)
    return fail("the image is a part of another one");
  // The first element of the image is where padding would begin otherwise.
  offset.constant += call.width.padding * strides[spatial.back()];
  if (spatial.size() == 2)
    offset.constant += call.height.padding * strides[spatial.front()];
  for (unsigned dim : reversedTaps) {
    // Reversed, the first element is that of the last tap.
    offset.constant += offset.dims[dim] * (problem.extents[dim] - 1);
  }
  return placeOperand(image, offset, call.image, reason);
}

LogicalResult ConvolutionReader::placeResult(const Access &result) {
  Linear offset = Linear::getOffset(result, problem.getNumDims());
  if (result.isScalar() ||
      !isPacked(offset,
                {batch, heightDims.pixel, widthDims.pixel, group, filter},
                problem))
    return fail("its result, or the gradient of that, is a part of a tensor");
  return placeOperand(result, offset, match.call.result, reason);
}

FailureOr<ConvolutionMatch> ConvolutionReader::read(FP32Precision precision) {
  if (failed(readTypes(precision)))
    return failure();
  bool isRight =
      !::hasWindows(problem.lhs, problem) &&
      (::hasWindows(problem.rhs, problem) || isStrided(problem.rhs, problem));
  image = isRight ? problem.rhs : problem.lhs;
  other = isRight ? &problem.lhs : &problem.rhs;
  if (image.isScalar() || other->isScalar())
    return fail("an operand is no tensor in memory");
  const Access &dest = problem.outputs.front().dest;
  if (failed(readRoles()) || failed(checkBounds()) || failed(readFilter()) ||
      failed(placeImage()))
    return failure();
  ConvolutionCall &call = match.call;
  bool isForward = call.kind == ConvolutionCall::Kind::Forward;
  if (failed(placeResult(isForward ? dest : *other)))
    return failure();
  call.images = getExtent(batch);
  call.groups = getExtent(group);
  call.channels = getExtent(channel) * call.groups;
  call.filters = getExtent(filter) * call.groups;
  bool adds = problem.accumulatorInit == InitKind::InPlace;
  call.accumulates = isForward && adds;
  match.addsFilter = !isForward && adds;
  if (match.addsFilter && !call.elementType.isF32())
    return fail("it adds to numbers that are rounded");

  int64_t bytes = getByteSize(call.elementType);
  double total = (double(call.getImageSize()) + double(call.getFilterSize()) +
                  double(call.getResultSize())) *
                 double(bytes * kCopies);
  for (double size : {double(call.getImageSize()), double(call.getFilterSize()),
                      double(call.getResultSize())})
    if (size < 1 || size > double(std::numeric_limits<int32_t>::max()))
      return fail("it has 2^31 elements or more");
  total = std::clamp(total, double(kMinWorkspace), double(kMaxWorkspace));
  call.workspaceBytes = llvm::alignTo(uint64_t(total), kWorkspaceAlignment);
  const std::pair<const Access *, const LibraryOperand *> placed[] = {
      {&image, &call.image}, {isForward ? &dest : other, &call.result}};
  for (auto [access, operand] : placed)
    if (operand->getAlignment(ShapedType::getNumElements(access->shape) * bytes,
                              bytes) != kVectorBytes)
      return fail("an operand is not aligned to 16 bytes");
  int64_t written =
      cast<BlockArgument>(problem.outputs.front().dest.source).getArgNumber();
  if (call.image.argument == written ||
      (!isForward && call.result.argument == written))
    return fail("its result is where it reads");
  if (call.getFilterSize() * bytes < kVectorBytes)
    return fail("its filter is shorter than 16 bytes");
  return match;
}

FailureOr<ConvolutionMatch> simt::readConvolution(const Problem &problem,
                                                  func::FuncOp kernel,
                                                  FP32Precision precision,
                                                  std::string &reason) {
  if (!canEmit(problem, kernel, reason))
    return failure();
  if (!problem.isContraction) {
    reason = "it is no sum of products";
    return failure();
  }
  return ConvolutionReader(problem, kernel, reason).read(precision);
}
