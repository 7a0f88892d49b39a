//===- WarpgroupOperations.cpp - Matrix products of four warps ------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// wgmma.mma_async with operands that descriptors find in shared memory, or with
// the first one in registers. The layouts are those of the PTX ISA, in
// "Asynchronous warpgroup-level matrix shared memory layout":
//
//   rows along k     a row of 8 has the bytes that are swizzled, or 16; 8 rows
//                    are one piece, the next 8 are at the stride offset, and
//                    without swizzling the next 16 bytes at the leading one
//   columns along k  a column has the bytes that are swizzled, 8 of them are
//   one
//                    piece; the next ones along the column are at the leading
//                    offset, the next 8 columns at the stride offset (the other
//                    way round without swizzling)
//
// The element (r, c) of the result is in lane 4 (r % 8) + c % 8 / 2 of warp
// r / 16, in register 4 (c / 8) + 2 (r % 16 / 8) + c % 2. Sums are those of
// mma.sync: see MatrixOperations.cpp.
//
// A product is computed when it starts, but it goes on reading shared memory
// until its group is waited for: who writes there before is reported, and so is
// who uses the result before.
//
//===----------------------------------------------------------------------===//

#include "Machine.h"
#include "Numbers.h"
#include "TensorMap.h"
#include <array>
#include <cstdio>

using namespace memrev::simt;

namespace {
enum class Element { F16, BF16, TF32 };

/// The parameters of a product: columns, element type, whether the first
/// operand is in registers.
struct Product {
  unsigned n;
  Element element;
  bool fromRegisters;

  unsigned getBytes() const { return element == Element::TF32 ? 4 : 2; }
  /// A product is over 32 bytes.
  unsigned getDepth() const { return 32 / getBytes(); }
  unsigned getNumAccumulators() const { return n / 2; }
};

/// What a matrix descriptor says.
struct Descriptor {
  uintptr_t start;
  size_t leading, stride;
  Swizzle swizzle;
};
} // namespace

static constexpr unsigned kRows = 64;

static Product getProduct(const Operation &operation) {
  return {operation.parameters[0],
          static_cast<Element>(operation.parameters[1]),
          operation.parameters[2] != 0};
}

static Descriptor decode(Machine &machine, uint64_t bits) {
  auto field = [&](unsigned shift) {
    return static_cast<size_t>(bits >> shift & 0x3fff) << 4;
  };
  if (bits >> 49 & 7)
    machine.fail(kNotSupported, "expects matrices whose base offset is zero");
  // From 128 bytes down to none.
  static const Swizzle swizzles[] = {Swizzle::None, Swizzle::Bytes128,
                                     Swizzle::Bytes64, Swizzle::Bytes32};
  return {machine.getSharedBase() + field(0), field(16), field(32),
          swizzles[bits >> 62]};
}

/// Returns the address of 16 bytes of an operand: those from byte `along` of
/// row or column `across`, with `isAlongK` for rows.
static uintptr_t getAddress(const Descriptor &d, bool isAlongK, unsigned across,
                            unsigned along) {
  unsigned width =
      d.swizzle == Swizzle::None ? 16 : getSwizzledBytes(d.swizzle);
  uintptr_t address = d.start + across % 8 * width + along % width;
  if (isAlongK) {
    address += across / 8 * d.stride;
    if (d.swizzle == Swizzle::None)
      address += along / width * d.leading;
    else
      address += along / width * width;
  } else if (d.swizzle == Swizzle::None) {
    address += along / width * d.stride + across / 8 * d.leading;
  } else {
    address += along / width * d.leading + across / 8 * d.stride;
  }
  return swizzleAddress(d.swizzle, address);
}

/// Reads an operand of `rows` rows, which the agent of the warpgroup answers
/// for with what a thread of each warp knows.
static void readOperand(Machine &machine, Thread *const *members,
                        const Product &p, uint64_t bits, bool isAlongK,
                        unsigned rows, std::vector<float> &values) {
  Descriptor d = decode(machine, bits);
  unsigned bytes = p.getBytes(), depth = p.getDepth(), perPiece = 16 / bytes;
  WarpgroupState &state = machine.getWarpgroup(members[0]->warp / 4);
  Machine::OperationAccess access;
  access.bytes = 16;
  access.space = Machine::OperationAccess::Shared;
  access.byAsyncProxy = true;
  access.agent = state.agent;
  access.time = state.committed + 1;
  values.resize(size_t(rows) * depth);
  unsigned numAcross = isAlongK ? rows : depth;
  unsigned numAlong = (isAlongK ? depth : rows) / perPiece;
  for (unsigned across = 0; across < numAcross; ++across)
    for (unsigned piece = 0; piece < numAlong; ++piece) {
      access.address = getAddress(d, isAlongK, across, piece * 16);
      for (unsigned warp = 0; warp < 4; ++warp) {
        access.viewer =
            members[warp * kWarpSize + machine.getRandom().below(kWarpSize)];
        machine.access(access);
      }
      for (unsigned i = 0; i < perPiece; ++i) {
        unsigned along = piece * perPiece + i;
        unsigned row = isAlongK ? across : along, k = isAlongK ? along : across;
        float &value = values[size_t(row) * depth + k];
        auto *element =
            reinterpret_cast<const char *>(access.address + i * bytes);
        if (p.element == Element::TF32) {
          uint32_t word;
          std::memcpy(&word, element, sizeof(word));
          value = truncateToTF32(word);
        } else {
          uint16_t half;
          std::memcpy(&half, element, sizeof(half));
          value = p.element == Element::F16 ? fromHalf(half) : fromBFloat(half);
        }
      }
    }
}

/// Gathers the first operand from the registers after the accumulators, which
/// are those of mma.sync for each warp.
static void gatherOperand(Thread *const *members, const Product &p,
                          std::vector<float> &values) {
  unsigned depth = p.getDepth();
  values.resize(kRows * depth);
  for (unsigned thread = 0; thread < 4 * kWarpSize; ++thread)
    for (unsigned i = 0; i < 4; ++i) {
      auto bits =
          members[thread]->slots.get<uint32_t>(p.getNumAccumulators() + i);
      unsigned lane = thread % kWarpSize;
      unsigned row = thread / kWarpSize * 16 + lane / 4 + 8 * (i & 1);
      float *to = &values[row * depth];
      if (p.element == Element::TF32) {
        to[lane % 4 + 4 * (i >> 1)] = truncateToTF32(bits);
        continue;
      }
      for (unsigned half = 0; half < 2; ++half) {
        auto element = static_cast<uint16_t>(bits >> 16 * half);
        to[lane % 4 * 2 + half + 8 * (i >> 1)] =
            p.element == Element::F16 ? fromHalf(element) : fromBFloat(element);
      }
    }
}

/// Arguments: the accumulators, the first operand (a descriptor or four
/// registers), the descriptor of the second, whether to add, the signs of both,
/// and for two-byte elements in shared memory whether they are transposed.
static void evaluateProduct(Machine &machine, Thread *const *members) {
  Product p = getProduct(*members[0]->operation);
  unsigned numAccumulators = p.getNumAccumulators(), depth = p.getDepth();
  Slots first = members[0]->slots;
  unsigned next = numAccumulators + (p.fromRegisters ? 4 : 1);
  auto descriptorB = first.get<uint64_t>(next);
  bool adds = first.get<uint8_t>(next + 1) & 1;
  float signA = static_cast<float>(first.get<int32_t>(next + 2));
  float signB = static_cast<float>(first.get<int32_t>(next + 3));
  bool transposedA = false, transposedB = false;
  if (p.element != Element::TF32) {
    if (!p.fromRegisters)
      transposedA = first.get<int32_t>(next + 4) != 0;
    transposedB = first.get<int32_t>(next + (p.fromRegisters ? 4 : 5)) != 0;
  }
  std::vector<float> a, b;
  if (p.fromRegisters)
    gatherOperand(members, p, a);
  else
    readOperand(machine, members, p, first.get<uint64_t>(numAccumulators),
                !transposedA, kRows, a);
  readOperand(machine, members, p, descriptorB, !transposedB, p.n, b);
  for (unsigned thread = 0; thread < 4 * kWarpSize; ++thread) {
    Slots slots = members[thread]->slots;
    unsigned lane = thread % kWarpSize;
    for (unsigned i = 0; i < numAccumulators; ++i) {
      unsigned row = thread / kWarpSize * 16 + lane / 4 + 8 * (i >> 1 & 1);
      unsigned column = i / 4 * 8 + lane % 4 * 2 + (i & 1);
      float sum = adds ? slots.get<float>(i) : 0.0f;
      for (unsigned k = 0; k < depth; ++k)
        sum += signA * a[row * depth + k] * (signB * b[column * depth + k]);
      slots.set(i, sum);
    }
  }
  for (unsigned thread = 0; thread < 4 * kWarpSize; ++thread)
    members[thread]->productsPending = true;
}

static void runProduct(Machine &machine, const Operation &operation, Slots) {
  Thread &thread = machine.getThread();
  if (!thread.productsFenced)
    machine.fail(kLaunchFailed, "expects wgmma.fence before the first product");
  machine.meetWarpgroup(evaluateProduct);
}

bool memrev::simt::selectWarpgroupProduct(const std::string &name,
                                          size_t numOperands,
                                          Operation &operation,
                                          size_t &numResults) {
  unsigned n = 0, k = 0;
  char a[8] = "", b[8] = "";
  // The sizes of both operands' types are equal.
  int read = std::sscanf(name.c_str(),
                         "wgmma.mma_async.sync.aligned.m64n%uk%u.f32.%7[a-z0-9]"
                         ".%7[a-z0-9]",
                         &n, &k, a, b);
  if (read != 4 || std::strcmp(a, b) != 0 || n == 0 || n > 256 || n % 8 != 0)
    return false;
  Product p = {n, Element::F16, false};
  if (std::strcmp(a, "bf16") == 0)
    p.element = Element::BF16;
  else if (std::strcmp(a, "tf32") == 0)
    p.element = Element::TF32;
  else if (std::strcmp(a, "f16") != 0)
    return false;
  if (k != p.getDepth())
    return false;
  numResults = p.getNumAccumulators();
  bool isWide = p.element == Element::TF32;
  size_t inShared = numResults + (isWide ? 5 : 7);
  size_t inRegisters = numResults + (isWide ? 8 : 9);
  if (numOperands != inShared && numOperands != inRegisters)
    return false;
  p.fromRegisters = numOperands == inRegisters;
  operation.run = runProduct;
  operation.parameters[0] = p.n;
  operation.parameters[1] = static_cast<unsigned>(p.element);
  operation.parameters[2] = p.fromRegisters;
  return true;
}

//===----------------------------------------------------------------------===//
// Groups of products
//===----------------------------------------------------------------------===//

static void runFence(Machine &machine, const Operation &, Slots) {
  machine.getThread().productsFenced = true;
}

static void runCommit(Machine &machine, const Operation &, Slots) {
  machine.meetWarpgroup([](Machine &machine, Thread *const *members) {
    ++machine.getWarpgroup(members[0]->warp / 4).committed;
  });
}

/// Argument: the number of groups that may be pending.
static void runWait(Machine &machine, const Operation &, Slots slots) {
  Thread &thread = machine.getThread();
  WarpgroupState &state = machine.getWarpgroup(thread.warp / 4);
  auto pending = slots.get<uint32_t>(0);
  if (state.committed > pending) {
    Clock known;
    known.raise(state.agent, state.committed - pending);
    machine.acquire(thread, known);
  }
  if (pending == 0)
    thread.productsPending = false;
}

bool memrev::simt::selectWarpgroupIntrinsic(const std::string &name,
                                            Operation &operation) {
  if (name == "wgmma.fence.sync.aligned")
    operation.run = runFence;
  else if (name == "wgmma.commit_group.sync.aligned")
    operation.run = runCommit;
  else if (name == "wgmma.wait_group.sync.aligned")
    operation.run = runWait;
  return operation.run;
}
