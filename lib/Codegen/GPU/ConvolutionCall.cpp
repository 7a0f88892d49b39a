//===- ConvolutionCall.cpp - A convolution that cuDNN computes ------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ConvolutionCall.h"

using namespace mlir;
using namespace mlir::memrev;
using namespace mlir::memrev::simt;

/// cuDNN counts elements and their distances with 32-bit integers.
static constexpr uint64_t kMaxSize = std::numeric_limits<int32_t>::max();

static Attribute toAttribute(const ConvolutionWindow &window, Builder b) {
  return b.getDenseI64ArrayAttr({window.image, window.taps, window.result,
                                 window.stride, window.dilation,
                                 window.padding});
}

DictionaryAttr ConvolutionCall::toAttribute(MLIRContext *context) const {
  Builder b(context);
  auto place = [&](const LibraryOperand &operand) {
    return b.getDictionaryAttr(operand.toAttributes(b));
  };
  return b.getDictionaryAttr({
      b.getNamedAttr("library", b.getStringAttr("cudnn")),
      b.getNamedAttr("kind",
                     b.getStringAttr(kind == Kind::Forward ? "forward"
                                                           : "filterGradient")),
      b.getNamedAttr(
          "sizes", b.getDenseI64ArrayAttr({images, groups, channels, filters})),
      b.getNamedAttr("height", ::toAttribute(height, b)),
      b.getNamedAttr("width", ::toAttribute(width, b)),
      b.getNamedAttr("type", TypeAttr::get(elementType)),
      b.getNamedAttr("tf32", b.getBoolAttr(isTF32)),
      b.getNamedAttr("accumulates", b.getBoolAttr(accumulates)),
      b.getNamedAttr("image", place(image)),
      b.getNamedAttr("filter", place(filter)),
      b.getNamedAttr("result", place(result)),
      b.getNamedAttr("workspace",
                     b.getDenseI64ArrayAttr({workspace, workspaceBytes})),
  });
}

static std::optional<ConvolutionWindow> readWindow(DenseI64ArrayAttr sizes) {
  if (!sizes || sizes.size() != 6)
    return std::nullopt;
  return ConvolutionWindow{sizes[0], sizes[1], sizes[2],
                           sizes[3], sizes[4], sizes[5]};
}

FailureOr<ConvolutionCall>
ConvolutionCall::fromAttribute(DictionaryAttr attribute, func::FuncOp kernel) {
  auto library = attribute.getAs<StringAttr>("library");
  auto name = attribute.getAs<StringAttr>("kind");
  auto sizes = attribute.getAs<DenseI64ArrayAttr>("sizes");
  auto height = readWindow(attribute.getAs<DenseI64ArrayAttr>("height"));
  auto width = readWindow(attribute.getAs<DenseI64ArrayAttr>("width"));
  auto type = attribute.getAs<TypeAttr>("type");
  auto tf32 = attribute.getAs<BoolAttr>("tf32");
  auto adds = attribute.getAs<BoolAttr>("accumulates");
  auto image = attribute.getAs<DictionaryAttr>("image");
  auto filter = attribute.getAs<DictionaryAttr>("filter");
  auto result = attribute.getAs<DictionaryAttr>("result");
  auto space = attribute.getAs<DenseI64ArrayAttr>("workspace");
  bool isForward = name && name.getValue() == "forward";
  bool isGradient = name && name.getValue() == "filterGradient";
  ConvolutionCall call;
  if (!library || library.getValue() != "cudnn" || !(isForward || isGradient) ||
      !sizes || sizes.size() != 4 || !height || !width || !type || !tf32 ||
      !adds || !image || !filter || !result || !call.image.read(image) ||
      !call.filter.read(filter) || !call.result.read(result) || !space ||
      space.size() != 2)
    return failure();
  call.kind = isForward ? Kind::Forward : Kind::FilterGradient;
  call.images = sizes[0];
  call.groups = sizes[1];
  call.channels = sizes[2];
  call.filters = sizes[3];
  call.height = *height;
  call.width = *width;
  call.elementType = type.getValue();
  call.isTF32 = tf32.getValue();
  call.accumulates = adds.getValue();
  call.workspace = space[0];
  call.workspaceBytes = space[1];
  if (!call.fits(kernel))
    return failure();
  return call;
}

static uint64_t multiply(std::initializer_list<int64_t> sizes) {
  uint64_t product = 1;
  for (int64_t size : sizes)
    product = llvm::SaturatingMultiply(product, uint64_t(size));
  return product;
}

int64_t ConvolutionCall::getImageSize() const {
  return multiply({images, height.image, width.image, channels});
}
int64_t ConvolutionCall::getFilterSize() const {
  return multiply({filters, height.taps, width.taps, channels / groups});
}
int64_t ConvolutionCall::getResultSize() const {
  return multiply({images, height.result, width.result, filters});
}

double ConvolutionCall::getWork() const {
  return double(getResultSize()) * height.taps * width.taps *
         double(channels / groups);
}

bool ConvolutionCall::overwritesAll(func::FuncOp kernel) const {
  const LibraryOperand &written = getWritten();
  auto buffer = cast<ShapedType>(kernel.getArgumentTypes()[written.argument]);
  int64_t size = kind == Kind::Forward ? getResultSize() : getFilterSize();
  return !accumulates && written.terms.empty() &&
         size == buffer.getNumElements();
}

static bool isValid(const ConvolutionWindow &window) {
  for (int64_t size : {window.image, window.taps, window.result, window.stride,
                       window.dilation})
    if (size < 1 || uint64_t(size) > kMaxSize)
      return false;
  return window.padding >= 0 && uint64_t(window.padding) <= kMaxSize &&
         window.image + 2 * window.padding >
             (window.taps - 1) * window.dilation &&
         window.result == window.getImpliedResult();
}

bool ConvolutionCall::fits(func::FuncOp kernel) const {
  for (int64_t size : {images, groups, channels, filters})
    if (size < 1 || uint64_t(size) > kMaxSize)
      return false;
  if (!isValid(height) || !isValid(width) || channels % groups != 0 ||
      filters % groups != 0)
    return false;
  bool isHalf = elementType.isF16() || elementType.isBF16();
  if (!(isHalf ? !isTF32 : elementType.isF32()))
    return false;
  int64_t bytes = getByteSize(elementType);
  auto isInside = [&](const LibraryOperand &operand, uint64_t size) {
    if (size > kMaxSize || !operand.fits(kernel, elementType, size - 1))
      return false;
    auto buffer = cast<ShapedType>(kernel.getArgumentTypes()[operand.argument]);
    return operand.getAlignment(buffer.getNumElements() * bytes, bytes) ==
           kVectorBytes;
  };
  // The unsigned sizes, as the products may exceed what is counted with.
  return isInside(image, uint64_t(getImageSize())) &&
         isInside(filter, uint64_t(getFilterSize())) &&
         isInside(result, uint64_t(getResultSize())) &&
         isWorkspace(kernel, workspace, workspaceBytes);
}
