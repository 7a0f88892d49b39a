//===- ConvolutionCall.h - A convolution that cuDNN computes -- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// cuDNN has images and results with the channels last, one element after
// another, and filters with the output channels first and the input channels
// last: N H W C and F R S C. Programs may have filters in any order: a kernel
// in front of the call brings them into cuDNN's, and one behind it brings the
// gradient of a filter back.
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_LIB_CODEGEN_GPU_CONVOLUTIONCALL_H
#define MEMREV_LIB_CODEGEN_GPU_CONVOLUTIONCALL_H

#include "LibraryOperand.h"

namespace mlir::memrev::simt {

/// One spatial dimension of a convolution: result element `i` is a sum over
/// taps `t` of image elements i * stride + t * dilation - padding.
struct ConvolutionWindow {
  int64_t image = 1, taps = 1, result = 1;
  int64_t stride = 1, dilation = 1, padding = 0;

  /// The extent of the result that cuDNN derives from the others.
  int64_t getImpliedResult() const {
    return (image + 2 * padding - (taps - 1) * dilation - 1) / stride + 1;
  }
};

struct ConvolutionCall {
  enum class Kind {
    /// result = convolution of image and filter.
    Forward,
    /// filter = its gradient, from the image and that of the result.
    FilterGradient
  };

  Kind kind = Kind::Forward;
  int64_t images = 1, groups = 1;
  /// Of the image and of the result, all groups together.
  int64_t channels = 1, filters = 1;
  ConvolutionWindow height, width;
  /// Of all three tensors. Sums are in f32.
  Type elementType;
  /// f32 is rounded to TF32.
  bool isTF32 = false;
  /// What is computed is added to what is there.
  bool accumulates = false;
  LibraryOperand image, filter, result;
  /// As in MatmulCall.
  int64_t workspace = -1;
  int64_t workspaceBytes = 0;

  DictionaryAttr toAttribute(MLIRContext *context) const;
  /// Fails if `attribute` is not one that toAttribute writes, or does not
  /// describe a call on the arguments of `kernel`.
  static FailureOr<ConvolutionCall> fromAttribute(DictionaryAttr attribute,
                                                  func::FuncOp kernel);

  int64_t getImageSize() const;
  int64_t getFilterSize() const;
  int64_t getResultSize() const;
  const LibraryOperand &getWritten() const {
    return kind == Kind::Forward ? result : filter;
  }
  /// Whether the call writes every element of the argument of `kernel` that it
  /// writes to, and reads none of it.
  bool overwritesAll(func::FuncOp kernel) const;

  /// Multiply-adds.
  double getWork() const;

private:
  bool fits(func::FuncOp kernel) const;
};

/// A convolution that was found in a kernel.
struct ConvolutionMatch {
  /// Without arguments for the filter and the workspace, which the kernel does
  /// not have.
  ConvolutionCall call;
  /// Where the kernel has the filter or its gradient, as a function of the
  /// problem's dimensions.
  Access filter;
  /// The dimensions of the problem that the filter has, in cuDNN's order.
  SmallVector<unsigned> filterDims;
  /// The gradient of the filter is added to what the kernel's result holds.
  bool addsFilter = false;
};

/// Whether `problem` has windows that slide along an image.
bool hasWindows(const Problem &problem);

/// Reads a convolution, or the gradient of one by its filter, off `problem` of
/// `kernel`. That by the image is a convolution with a reversed filter. Fails
/// with a reason for a user to read.
FailureOr<ConvolutionMatch> readConvolution(const Problem &problem,
                                            func::FuncOp kernel,
                                            FP32Precision precision,
                                            std::string &reason);

} // namespace mlir::memrev::simt

#endif // MEMREV_LIB_CODEGEN_GPU_CONVOLUTIONCALL_H
