//===- memrev-check-packing.cpp - Frames against the smallest ones --------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// memrev-check-packing BUFFERS COUNT [--exact]
//
// Packs COUNT random sets of BUFFERS buffers. Checks that no two overlap, and
// prints the mean and the largest ratio of a frame to the smallest one with
// --exact, which tries every order, and else to what lives at once.
//
//===----------------------------------------------------------------------===//

#include "memrev/Codegen/Common/FramePacking.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/MathExtras.h"
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <random>

using namespace mlir::memrev;

static constexpr int64_t kAlignment = 64;

static bool liveTogether(const PackedBuffer &a, const PackedBuffer &b) {
  return a.begin <= b.end && b.begin <= a.end;
}

/// Places buffers in every order, each as low as those before it allow. One of
/// the orders is that of the offsets of the smallest frame, in which none comes
/// to lie higher than there.
static void placeRest(llvm::MutableArrayRef<PackedBuffer> buffers,
                      uint64_t placed, int64_t frame, int64_t &smallest) {
  if (frame >= smallest)
    return;
  if (placed == (uint64_t(1) << buffers.size()) - 1) {
    smallest = frame;
    return;
  }
  for (size_t i = 0; i < buffers.size(); ++i) {
    if (placed >> i & 1)
      continue;
    // The lowest gap is at the bottom, or on top of another buffer.
    llvm::SmallVector<int64_t> offsets{0};
    llvm::SmallVector<const PackedBuffer *> others;
    for (size_t j = 0; j < buffers.size(); ++j)
      if (placed >> j & 1 && liveTogether(buffers[i], buffers[j])) {
        others.push_back(&buffers[j]);
        offsets.push_back(
            llvm::alignTo(buffers[j].offset + buffers[j].bytes, kAlignment));
      }
    llvm::sort(offsets);
    buffers[i].offset = *llvm::find_if(offsets, [&](int64_t offset) {
      return llvm::all_of(others, [&](const PackedBuffer *other) {
        return offset >= other->offset + other->bytes ||
               offset + buffers[i].bytes <= other->offset;
      });
    });
    placeRest(buffers, placed | uint64_t(1) << i,
              std::max(frame, buffers[i].offset + buffers[i].bytes), smallest);
  }
}

static int64_t getMostLiveBytes(llvm::ArrayRef<PackedBuffer> buffers) {
  int64_t most = 0;
  for (const PackedBuffer &at : buffers) {
    int64_t bytes = 0;
    for (const PackedBuffer &buffer : buffers)
      if (buffer.begin <= at.begin && at.begin <= buffer.end)
        bytes += buffer.bytes;
    most = std::max(most, bytes);
  }
  return most;
}

int main(int argc, char **argv) {
  if (argc < 3) {
    std::fprintf(stderr, "expects a number of buffers and one of sets\n");
    return 2;
  }
  int numBuffers = std::atoi(argv[1]), numSets = std::atoi(argv[2]);
  bool isExact = argc > 3;
  std::mt19937 random;
  double sum = 0, largest = 1;
  for (int set = 0; set < numSets; ++set) {
    std::vector<PackedBuffer> buffers(numBuffers);
    for (PackedBuffer &buffer : buffers) {
      int64_t a = random() % (2 * numBuffers), b = random() % (2 * numBuffers);
      buffer.begin = std::min(a, b);
      buffer.end = std::max(a, b);
      // Most are small, and some sizes are not a multiple of the alignment.
      buffer.bytes = 1 + random() % (random() % 3 == 0 ? 4096 : 512);
    }
    int64_t frame = packBuffers(buffers, kAlignment);
    for (const PackedBuffer &a : buffers) {
      for (const PackedBuffer &b : buffers)
        if (&a != &b && liveTogether(a, b) && a.offset < b.offset + b.bytes &&
            b.offset < a.offset + a.bytes) {
          std::fprintf(stderr, "set %d: two buffers overlap\n", set);
          return 1;
        }
      if (a.offset % kAlignment != 0 || a.offset + a.bytes > frame) {
        std::fprintf(stderr, "set %d: a buffer sticks out\n", set);
        return 1;
      }
    }
    int64_t bound = getMostLiveBytes(buffers);
    if (isExact) {
      bound = std::numeric_limits<int64_t>::max();
      placeRest(buffers, 0, 0, bound);
    }
    double ratio = double(frame) / double(bound);
    sum += ratio;
    largest = std::max(largest, ratio);
  }
  std::printf("mean %.4f, largest %.4f\n", sum / numSets, largest);
}
