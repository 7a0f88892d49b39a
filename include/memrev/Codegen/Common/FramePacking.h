//===- FramePacking.h - Offsets in a frame -------------------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_CODEGEN_COMMON_FRAMEPACKING_H
#define MEMREV_CODEGEN_COMMON_FRAMEPACKING_H

#include "llvm/ADT/ArrayRef.h"
#include <cstdint>

namespace mlir::memrev {

/// A buffer of `bytes` that lives from time `begin` to time `end`, both
/// included, and the offset that it gets. One that begins after its end never
/// lives.
struct PackedBuffer {
  int64_t bytes = 0;
  int64_t begin = 0;
  int64_t end = 0;
  int64_t offset = 0;
};

/// Gives each buffer an offset, a multiple of `alignment`, at which it overlaps
/// no buffer that lives at the same time. Returns the size of the frame that
/// holds them all: the smallest one for up to eight buffers. For more, first
/// fit, larger buffers first, then in other orders, as long as that takes little
/// time and the frame is larger than what lives in it at once, aligned.
int64_t packBuffers(llvm::MutableArrayRef<PackedBuffer> buffers,
                    int64_t alignment);

} // namespace mlir::memrev

#endif // MEMREV_CODEGEN_COMMON_FRAMEPACKING_H
