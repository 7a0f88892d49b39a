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
#include <limits>
#include <random>
#include <set>
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

/// No frame is smaller: the most bytes that live at once, one above the other
/// at offsets that are aligned, with the one on top that fills up least of what
/// it takes.
static int64_t getLeastFrame(llvm::ArrayRef<PackedBuffer> buffers,
                             int64_t alignment) {
  struct Change {
    int64_t time;
    bool begins;
    const PackedBuffer *buffer;
  };
  llvm::SmallVector<Change> changes;
  for (const PackedBuffer &buffer : buffers) {
    // Nobody uses it.
    if (buffer.begin > buffer.end)
      continue;
    changes.push_back({buffer.begin, true, &buffer});
    changes.push_back({buffer.end + 1, false, &buffer});
  }
  // At one time what ends goes before what begins.
  llvm::sort(changes, [](const Change &a, const Change &b) {
    return std::pair(a.time, a.begins) < std::pair(b.time, b.begins);
  });
  int64_t live = 0, least = 0;
  std::multiset<int64_t> paddings;
  for (const Change &change : changes) {
    int64_t bytes = llvm::alignTo(change.buffer->bytes, alignment);
    int64_t padding = bytes - change.buffer->bytes;
    if (change.begins) {
      live += bytes;
      paddings.insert(padding);
      least = std::max(least, live - *paddings.rbegin());
    } else {
      live -= bytes;
      paddings.erase(paddings.find(padding));
    }
  }
  return least;
}

namespace {
/// Looks for the order in which first fit needs the fewest bytes. There is one
/// in which it needs no more than any other way to place the buffers: that of
/// their offsets in the best way.
class OrderSearch {
public:
  OrderSearch(llvm::MutableArrayRef<PackedBuffer> buffers, int64_t alignment)
      : alignment(alignment), bound(getLeastFrame(buffers, alignment)) {
    // Ties in the order of the program, so that the plan depends on it alone.
    for (PackedBuffer &buffer : buffers)
      inProgramOrder.push_back(&buffer);
  }

  int64_t run();

private:
  /// True if nothing better can be found, or not in reasonable time.
  bool isDone() const { return frame <= bound || numPlacements <= 0; }

  int64_t tryOrder(llvm::ArrayRef<PackedBuffer *> order);
  void tryAllOrders();
  void raiseTops(Order order);
  void swapPairs();

  int64_t alignment;
  int64_t bound;
  Order inProgramOrder;
  Order best;
  int64_t frame = std::numeric_limits<int64_t>::max();
  /// How often a buffer may still be compared with another one.
  int64_t numPlacements = 200000000;
};
} // namespace

int64_t OrderSearch::tryOrder(llvm::ArrayRef<PackedBuffer *> order) {
  int64_t reached = placeInOrder(order, alignment);
  numPlacements -= static_cast<int64_t>(order.size() * order.size());
  if (reached < frame) {
    frame = reached;
    best.assign(order.begin(), order.end());
  }
  return reached;
}

void OrderSearch::tryAllOrders() {
  Order order = inProgramOrder;
  llvm::sort(order);
  do
    tryOrder(order);
  while (frame > bound && std::next_permutation(order.begin(), order.end()));
}

/// From `order` on, lets what sticks out at the top choose first the next time.
void OrderSearch::raiseTops(Order order) {
  constexpr int maxRounds = 400;
  int64_t reached = tryOrder(order);
  for (int round = 0; round < maxRounds && !isDone(); ++round) {
    auto *top = llvm::find_if(order, [&](PackedBuffer *buffer) {
      return buffer->offset + buffer->bytes == reached;
    });
    std::rotate(order.begin(), top, std::next(top));
    reached = tryOrder(order);
  }
}

/// Exchanges pairs of the best order as long as that needs no more bytes.
void OrderSearch::swapPairs() {
  constexpr int maxRounds = 2000;
  Order order = best;
  int64_t reached = frame;
  // The same numbers in every run.
  std::minstd_rand random;
  for (int round = 0; round < maxRounds && !isDone(); ++round) {
    size_t a = random() % order.size(), b = random() % order.size();
    std::swap(order[a], order[b]);
    int64_t next = tryOrder(order);
    if (next > reached)
      std::swap(order[a], order[b]);
    else
      reached = next;
  }
}

int64_t OrderSearch::run() {
  constexpr size_t fewBuffers = 8;
  auto sorted = [&](auto size) {
    // Of equal ones the first in the program comes first.
    auto numbers = llvm::to_vector(llvm::seq<size_t>(0, inProgramOrder.size()));
    llvm::sort(numbers, [&](size_t a, size_t b) {
      return std::make_pair(size(inProgramOrder[a]), b) >
             std::make_pair(size(inProgramOrder[b]), a);
    });
    return Order(llvm::map_range(
        numbers, [&](size_t number) { return inProgramOrder[number]; }));
  };
  auto duration = [](PackedBuffer *buffer) {
    return static_cast<double>(buffer->end - buffer->begin + 1);
  };
  raiseTops(sorted([](PackedBuffer *buffer) { return buffer->bytes; }));
  if (!isDone() && inProgramOrder.size() <= fewBuffers) {
    tryAllOrders();
  } else if (!isDone()) {
    raiseTops(sorted([&](PackedBuffer *buffer) {
      return static_cast<double>(buffer->bytes) * duration(buffer);
    }));
    if (!isDone())
      raiseTops(sorted(duration));
    swapPairs();
  }
  return placeInOrder(best, alignment);
}

int64_t mlir::memrev::packBuffers(llvm::MutableArrayRef<PackedBuffer> buffers,
                                  int64_t alignment) {
  return OrderSearch(buffers, alignment).run();
}
