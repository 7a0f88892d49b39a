//===- FramePacking.cpp - Offsets of buffers in a frame -------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Codegen/Common/FramePacking.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/MathExtras.h"
#include <algorithm>
#include <tuple>

using namespace mlir::memrev;

int64_t mlir::memrev::packFirstFit(llvm::MutableArrayRef<PackedBuffer> buffers,
                                   int64_t alignment) {
  llvm::SmallVector<PackedBuffer *> order;
  for (PackedBuffer &buffer : buffers)
    order.push_back(&buffer);
  // Ties in the order of the program, so that the plan depends on it alone.
  llvm::sort(order, [](PackedBuffer *a, PackedBuffer *b) {
    return std::tie(b->bytes, a) < std::tie(a->bytes, b);
  });
  // Placed buffers by rising offset.
  llvm::SmallVector<PackedBuffer *> placed;
  int64_t frame = 0;
  for (PackedBuffer *buffer : order) {
    int64_t offset = 0;
    for (PackedBuffer *other : placed) {
      if (other->end < buffer->begin || buffer->end < other->begin)
        continue;
      if (offset + buffer->bytes <= other->offset)
        break;
      int64_t above = llvm::alignTo(other->offset + other->bytes, alignment);
      offset = std::max(offset, above);
    }
    buffer->offset = offset;
    auto *position = llvm::upper_bound(placed, offset,
                                       [](int64_t value, PackedBuffer *other) {
                                         return value < other->offset;
                                       });
    placed.insert(position, buffer);
    frame = std::max(frame, offset + buffer->bytes);
  }
  return frame;
}
