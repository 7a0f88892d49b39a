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

using Order = llvm::SmallVector<PackedBuffer *>;

/// Gives each buffer, in `order`, the lowest offset at which it overlaps none
/// before it that lives at the same time. Returns the size of the frame.
static int64_t placeInOrder(llvm::ArrayRef<PackedBuffer *> order,
                            int64_t alignment) {
  // Placed buffers by rising offset.
  Order placed;
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

/// The most bytes that live at once: no frame is smaller.
static int64_t getMostLiveBytes(llvm::ArrayRef<PackedBuffer> buffers) {
  llvm::SmallVector<std::pair<int64_t, int64_t>> changes;
  for (const PackedBuffer &buffer : buffers) {
    changes.push_back({buffer.begin, -buffer.bytes});
    changes.push_back({buffer.end + 1, buffer.bytes});
  }
  // At one time what ends goes before what begins.
  llvm::sort(changes, [](auto a, auto b) {
    return std::pair(a.first, -a.second) < std::pair(b.first, -b.second);
  });
  int64_t live = 0, most = 0;
  for (auto [time, change] : changes)
    most = std::max(most, live -= change);
  return most;
}

int64_t mlir::memrev::packBuffers(llvm::MutableArrayRef<PackedBuffer> buffers,
                                  int64_t alignment) {
  // Ties in the order of the program, so that the plan depends on it alone.
  Order order;
  for (PackedBuffer &buffer : buffers)
    order.push_back(&buffer);
  llvm::sort(order, [](PackedBuffer *a, PackedBuffer *b) {
    return std::tie(b->bytes, a) < std::tie(a->bytes, b);
  });
  int64_t frame = placeInOrder(order, alignment);
  int64_t bound = getMostLiveBytes(buffers);
  Order best = order;
  // What sticks out at the top chooses first the next time.
  constexpr int maxRounds = 400;
  constexpr size_t maxPlacements = 200000000;
  size_t cost = buffers.size() * buffers.size();
  int64_t reached = frame;
  for (int round = 0; round < maxRounds && frame > bound &&
                      cost * (round + 1) <= maxPlacements;
       ++round) {
    auto *top = llvm::find_if(order, [&](PackedBuffer *buffer) {
      return buffer->offset + buffer->bytes == reached;
    });
    std::rotate(order.begin(), top, std::next(top));
    reached = placeInOrder(order, alignment);
    if (reached >= frame)
      continue;
    frame = reached;
    best = order;
  }
  return placeInOrder(best, alignment);
}
