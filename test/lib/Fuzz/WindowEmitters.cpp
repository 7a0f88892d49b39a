//===- WindowEmitters.cpp - Random convolutions and pooling ---------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Generator.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include <cmath>

using namespace mlir;
using namespace mlir::memrev::testing;

namespace {

/// An operation that slides a window: what the dimensions of its operands are,
/// one letter each. The window's are d, h and w; n is a batch, g a group, c a
/// channel, f a filter, m a multiplier.
struct Window {
  const char *input, *filter, *result;
  Value (*build)(Generator &, ValueRange inputs, Value output, Attribute stride,
                 Attribute dilation);
  enum { Convolution, Sum, Max, Min } kind = Convolution;
  bool hasSteps = true;
};

} // namespace

template <typename OpTy>
static Value build(Generator &g, ValueRange inputs, Value output,
                   Attribute stride, Attribute dilation) {
  return OpTy::create(g.b, TypeRange(output.getType()), inputs,
                      ValueRange(output), stride, dilation)
      .getResult(0);
}

/// An operation without strides.
template <typename OpTy>
static Value buildPlain(Generator &g, ValueRange inputs, Value output,
                        Attribute, Attribute) {
  return OpTy::create(g.b, inputs, ValueRange(output)).getResult(0);
}

static const Window kWindows[] = {
    {"w", "w", "w", buildPlain<linalg::Conv1DOp>, Window::Convolution, false},
    {"hw", "hw", "hw", buildPlain<linalg::Conv2DOp>, Window::Convolution,
     false},
    {"dhw", "dhw", "dhw", buildPlain<linalg::Conv3DOp>, Window::Convolution,
     false},
    {"ncw", "fcw", "nfw", build<linalg::Conv1DNcwFcwOp>},
    {"nwc", "wcf", "nwf", build<linalg::Conv1DNwcWcfOp>},
    {"nchw", "fchw", "nfhw", build<linalg::Conv2DNchwFchwOp>},
    {"ngchw", "fgchw", "ngfhw", build<linalg::Conv2DNgchwFgchwOp>},
    {"ngchw", "gfchw", "ngfhw", build<linalg::Conv2DNgchwGfchwOp>},
    {"nhwc", "fhwc", "nhwf", build<linalg::Conv2DNhwcFhwcOp>},
    {"nhwc", "hwcf", "nhwf", build<linalg::Conv2DNhwcHwcfOp>},
    {"nhwgc", "gfhwc", "nhwgf", build<linalg::Conv2DNhwgcGfhwcOp>},
    {"ncdhw", "fcdhw", "nfdhw", build<linalg::Conv3DNcdhwFcdhwOp>},
    {"ndhwc", "dhwcf", "ndhwf", build<linalg::Conv3DNdhwcDhwcfOp>},
    {"ncw", "cw", "ncw", build<linalg::DepthwiseConv1DNcwCwOp>},
    {"nwc", "wc", "nwc", build<linalg::DepthwiseConv1DNwcWcOp>},
    {"nwc", "wcm", "nwcm", build<linalg::DepthwiseConv1DNwcWcmOp>},
    {"nchw", "chw", "nchw", build<linalg::DepthwiseConv2DNchwChwOp>},
    {"nhwc", "hwc", "nhwc", build<linalg::DepthwiseConv2DNhwcHwcOp>},
    {"nhwc", "hwcm", "nhwcm", build<linalg::DepthwiseConv2DNhwcHwcmOp>},
    {"ncdhw", "cdhw", "ncdhw", build<linalg::DepthwiseConv3DNcdhwCdhwOp>},
    {"ndhwc", "dhwc", "ndhwc", build<linalg::DepthwiseConv3DNdhwcDhwcOp>},
    {"ndhwc", "dhwcm", "ndhwcm", build<linalg::DepthwiseConv3DNdhwcDhwcmOp>},
    {"nchw", "hw", "nchw", build<linalg::PoolingNchwMaxOp>, Window::Max},
    {"nchw", "hw", "nchw", build<linalg::PoolingNchwSumOp>, Window::Sum},
    {"ncw", "w", "ncw", build<linalg::PoolingNcwMaxOp>, Window::Max},
    {"ncw", "w", "ncw", build<linalg::PoolingNcwSumOp>, Window::Sum},
    {"ndhwc", "dhw", "ndhwc", build<linalg::PoolingNdhwcMaxOp>, Window::Max},
    {"ndhwc", "dhw", "ndhwc", build<linalg::PoolingNdhwcMinOp>, Window::Min},
    {"ndhwc", "dhw", "ndhwc", build<linalg::PoolingNdhwcSumOp>, Window::Sum},
    {"nhwc", "hw", "nhwc", build<linalg::PoolingNhwcMaxOp>, Window::Max},
    {"nhwc", "hw", "nhwc", build<linalg::PoolingNhwcMinOp>, Window::Min},
    {"nhwc", "hw", "nhwc", build<linalg::PoolingNhwcSumOp>, Window::Sum},
    {"nwc", "w", "nwc", build<linalg::PoolingNwcMaxOp>, Window::Max},
    {"nwc", "w", "nwc", build<linalg::PoolingNwcMinOp>, Window::Min},
    {"nwc", "w", "nwc", build<linalg::PoolingNwcSumOp>, Window::Sum},
};

static bool isSpatial(char letter) {
  return letter == 'd' || letter == 'h' || letter == 'w';
}

/// A tensor of zeros around `inner`, which is `low` from the front.
static Value pad(Generator &g, const Known &inner, ArrayRef<int64_t> low,
                 ArrayRef<int64_t> shape) {
  SmallVector<OpFoldResult> before, after;
  SmallVector<int64_t> extents;
  auto type = cast<RankedTensorType>(inner.value.getType());
  for (auto [n, extent] : llvm::enumerate(shape)) {
    before.push_back(g.b.getIndexAttr(low[n]));
    after.push_back(g.b.getIndexAttr(extent - low[n] - inner.shape[n]));
    extents.push_back(type.isDynamicDim(n) ? ShapedType::kDynamic : extent);
  }
  return tensor::PadOp::create(
      g.b, RankedTensorType::get(extents, g.elementType), inner.value, before,
      after, g.constant(g.elementType, 0));
}

static bool emitWindow(Generator &g, bool isConvolution) {
  SmallVector<const Window *> kinds;
  for (const Window &window : kWindows)
    if ((window.kind == Window::Convolution) == isConvolution)
      kinds.push_back(&window);
  const Window &window = *g.rng.pick<const Window *>(kinds);

  SmallVector<int64_t> strides, dilations;
  llvm::SmallDenseMap<char, int64_t> image, taps, result, others, low;
  unsigned numSpatial = 0;
  for (char letter : StringRef(window.input))
    numSpatial += isSpatial(letter);
  for (char letter : StringRef("dhw")) {
    if (StringRef(window.input).find(letter) == StringRef::npos)
      continue;
    int64_t stride =
        window.hasSteps && g.rng.chance(0.5) ? g.rng.range(2, 3) : 1;
    int64_t dilation = window.hasSteps && g.rng.chance(0.3) ? 2 : 1;
    strides.push_back(stride);
    dilations.push_back(dilation);
    taps[letter] = g.rng.range(1, numSpatial > 2 ? 2 : 3);
    result[letter] = g.rng.range(1, 3);
    // Rows that no window reaches are left over now and then.
    int64_t rest = stride > 1 ? g.rng.range(0, stride - 1) : 0;
    image[letter] = (result[letter] - 1) * stride +
                    (taps[letter] - 1) * dilation + 1 + rest;
  }
  for (char letter : StringRef("ngcfm"))
    others[letter] = g.rng.range(1, numSpatial > 2 ? 2 : 3);
  auto shapeOf = [&](StringRef letters,
                     llvm::SmallDenseMap<char, int64_t> &spatial) {
    SmallVector<int64_t> shape;
    for (char letter : letters)
      shape.push_back(isSpatial(letter) ? spatial[letter] : others[letter]);
    return shape;
  };

  SmallVector<int64_t> inputShape = shapeOf(window.input, image);
  SmallVector<int64_t> resultShape = shapeOf(window.result, result);
  SmallVector<int64_t> filterShape = shapeOf(window.filter, taps);
  double count = 1;
  for (int64_t extent : filterShape)
    count *= double(extent);
  bool isPadded = g.rng.chance(0.3);
  SmallVector<int64_t> innerShape = inputShape, before(inputShape.size(), 0);
  if (isPadded)
    for (auto [n, letter] : llvm::enumerate(StringRef(window.input)))
      if (isSpatial(letter) && inputShape[n] > 1) {
        innerShape[n] = g.rng.range(1, inputShape[n] - 1);
        before[n] = g.rng.range(0, inputShape[n] - innerShape[n]);
      }
  Known input = g.limit(g.pickShape(innerShape), 2);
  if (isPadded)
    input.value = pad(g, input, before, inputShape);

  // A pooling window is a shape without elements that matter.
  Known filter;
  if (window.kind == Window::Convolution)
    filter = g.limit(g.pickShape(filterShape), 2);
  else
    filter.value = tensor::EmptyOp::create(g.b, filterShape, g.elementType);
  Value output;
  if (g.rng.chance(0.3))
    output = g.pickShape(resultShape).value;
  else
    output = g.filled(resultShape, g.elementType,
                      window.kind == Window::Max   ? -INFINITY
                      : window.kind == Window::Min ? INFINITY
                                                   : 0.0);
  Value value = window.build(g, {input.value, filter.value}, output,
                             g.b.getI64TensorAttr(strides),
                             g.b.getI64TensorAttr(dilations));
  double bound = window.kind == Window::Convolution ? 4 * count + 8
                 : window.kind == Window::Sum       ? 2 * count + 8
                                                    : 8;
  g.add(value, resultShape, bound);
  return true;
}

static bool emitConvolution(Generator &g) { return emitWindow(g, true); }
static bool emitPooling(Generator &g) { return emitWindow(g, false); }

ArrayRef<EmitterEntry> mlir::memrev::testing::getWindowEmitters() {
  static const EmitterEntry emitters[] = {
      {"convolution", "convolution", 1.5, emitConvolution},
      {"pooling", "pooling", 1, emitPooling},
  };
  return emitters;
}
