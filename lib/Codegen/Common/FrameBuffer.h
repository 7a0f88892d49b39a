//===- FrameBuffer.h - What lies in a frame ------------------ -*- C++ -*- ===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_LIB_CODEGEN_COMMON_FRAMEBUFFER_H
#define MEMREV_LIB_CODEGEN_COMMON_FRAMEBUFFER_H

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Location.h"

namespace mlir::memrev {

/// A buffer in a frame, and the part of a call during which it is in use, from
/// 0 to 1.
struct FrameBuffer {
  Location location;
  Type type;
  int64_t bytes;
  int64_t offset;
  double begin, end;
};

/// The buffers of a frame of `bytes` as an attribute: all that a picture of the
/// frame shows, and all that is live with most others.
ArrayAttr describe(MLIRContext *context, ArrayRef<FrameBuffer> buffers,
                   int64_t bytes);

} // namespace mlir::memrev

#endif // MEMREV_LIB_CODEGEN_COMMON_FRAMEBUFFER_H
