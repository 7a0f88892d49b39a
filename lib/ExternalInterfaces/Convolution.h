//===- Convolution.h - The parts of a convolution ------------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_LIB_EXTERNALINTERFACES_CONVOLUTION_H
#define MEMREV_LIB_EXTERNALINTERFACES_CONVOLUTION_H

#include "memrev/Interfaces/DerivativeContext.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "llvm/ADT/STLFunctionalExtras.h"

namespace mlir::memrev {

/// A dimension of the input that a window slides along: the loop `image` puts
/// the window, the loop `tap` goes over it, and the input is read at
/// image * stride + tap * dilation.
struct Window {
  unsigned inputPosition, filterPosition, outputPosition;
  unsigned image, tap;
  int64_t stride, dilation;
};

/// A convolution, or a pooling: a convolution whose filter is a mere window.
struct Convolution {
  linalg::LinalgOp op;
  linalg::ConvolutionDimensions loops;
  SmallVector<Window> windows;
  AffineMap inputMap, filterMap, outputMap;

  Value getInput() { return op.getDpsInputs()[0]; }
  Value getFilter() { return op.getDpsInputs()[1]; }
  Value getInit() { return op.getDpsInits()[0]; }
  Value getResult() { return op->getResult(0); }
  ArrayRef<int64_t> getFilterShape() {
    return cast<RankedTensorType>(getFilter().getType()).getShape();
  }
  ArrayRef<int64_t> getOutputShape() {
    return cast<RankedTensorType>(getResult().getType()).getShape();
  }
};

/// Reads the parts of `op` off its indexing maps. Fails if it is no convolution
/// of tensors with positive strides and dilations.
FailureOr<Convolution> matchConvolution(linalg::LinalgOp op);

/// True if `op`, of any name, adds the products of an input and a filter.
bool isConvolution(linalg::LinalgOp op);

/// The rule of convolutions, for what `isConvolution`.
LogicalResult buildConvolutionVJP(linalg::LinalgOp op, DerivativeContext &ctx);

/// The position of `loop` in the results of `map`.
std::optional<unsigned> getLoopPosition(AffineMap map, unsigned loop);

/// The number of positions in the window, whose extents must be constant.
uint64_t getNumTaps(Convolution &conv);

/// More taps than this are not worth writing out one by one.
inline constexpr uint64_t kMaxTaps = 1024;

/// Calls `callback` with each position in the window, last dimension fastest.
/// The extents must be constant.
void forEachTap(Convolution &conv,
                function_ref<void(ArrayRef<int64_t> tap)> callback);

} // namespace mlir::memrev

#endif // MEMREV_LIB_EXTERNALINTERFACES_CONVOLUTION_H
