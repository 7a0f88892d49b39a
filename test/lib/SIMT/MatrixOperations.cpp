//===- MatrixOperations.cpp - Matrices in the registers of a warp ---------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The fragments of ldmatrix, stmatrix and mma.sync as the PTX ISA draws them,
// in "Warp-level matrix instructions". With g = lane / 4 and t = lane % 4:
//
//   m16n8k16 f16, bf16  a: rows g, g+8, columns 2t, 2t+1, +8 (registers of two:
//                          (g, 2t), (g+8, 2t), (g, 2t+8), (g+8, 2t+8))
//                       b: rows 2t, 2t+1, +8, column g
//                       c: rows g, g+8, columns 2t, 2t+1
//   m16n8k8 f16, bf16   the half of that with the lower columns of a
//   m16n8k8, k4 tf32    a: (g, t), (g+8, t), (g, t+4), (g+8, t+4)
//                       b: (t, g), (t+4, g)
//   m8n8k4 f64          a: (g, t)   b: (t, g)   c: (g, 2t), (g, 2t+1)
//   m16n8k4, k8, k16    a: (g, t), (g+8, t), (g, t+4), ...   b: (t, g), ...
//
// Each element of d is its element of c, to which the products are added in the
// order of k. A product of two narrow numbers is exact in f32; each sum is
// rounded to nearest, in f64 as a fused multiply-add. With an accumulator in
// f16 sums are f32 and the result is rounded once. Tensor cores add several
// products at once with more bits and truncate, so that the last bits differ.
//
//===----------------------------------------------------------------------===//

#include "Machine.h"
#include "Numbers.h"
#include <map>

using namespace memrev::simt;

//===----------------------------------------------------------------------===//
// mma.sync
//===----------------------------------------------------------------------===//

namespace {
enum class Element { F16, BF16, TF32, F64 };

/// The parameters of an operation: rows, depth, element type of a and b, and
/// whether c and d are f16.
struct Shape {
  unsigned m, k;
  Element element;
  bool halfAccumulator;
};
} // namespace

static Shape getShape(const Operation &operation) {
  return {operation.parameters[0], operation.parameters[1],
          static_cast<Element>(operation.parameters[2]),
          operation.parameters[3] != 0};
}

static float getNarrow(Element element, uint32_t pair, unsigned half) {
  auto bits = static_cast<uint16_t>(pair >> 16 * half);
  return element == Element::F16 ? fromHalf(bits) : fromBFloat(bits);
}

/// Gathers a and b of f16 and bf16, two elements in a register.
static void gatherPairs(const Shape &s, Thread *const *lanes, float a[16][16],
                        float b[16][8]) {
  unsigned numA = s.k == 16 ? 4 : 2, numB = s.k / 8;
  for (unsigned lane = 0; lane < kWarpSize; ++lane) {
    unsigned g = lane / 4, t = lane % 4;
    for (unsigned i = 0; i < numA; ++i)
      for (unsigned half = 0; half < 2; ++half)
        a[g + 8 * (i & 1)][2 * t + half + 8 * (i >> 1)] =
            getNarrow(s.element, lanes[lane]->slots.get<uint32_t>(i), half);
    for (unsigned i = 0; i < numB; ++i)
      for (unsigned half = 0; half < 2; ++half)
        b[2 * t + half + 8 * i][g] = getNarrow(
            s.element, lanes[lane]->slots.get<uint32_t>(numA + i), half);
  }
}

/// Gathers a and b of types with one element in a register.
template <typename T>
static void gatherSingles(const Shape &s, Thread *const *lanes, T a[16][16],
                          T b[16][8]) {
  unsigned rows = s.m / 8, numB = s.k / 4, numA = rows * numB;
  auto get = [](Thread *thread, unsigned i) {
    if constexpr (sizeof(T) == 8)
      return thread->slots.get<T>(i);
    else
      return truncateToTF32(thread->slots.get<uint32_t>(i));
  };
  for (unsigned lane = 0; lane < kWarpSize; ++lane) {
    unsigned g = lane / 4, t = lane % 4;
    for (unsigned i = 0; i < numA; ++i)
      a[g + 8 * (i % rows)][t + 4 * (i / rows)] = get(lanes[lane], i);
    for (unsigned i = 0; i < numB; ++i)
      b[t + 4 * i][g] = get(lanes[lane], numA + i);
  }
}

/// The arguments are the registers of a, b and c, the results those of d.
static void evaluateMma(Machine &, Thread *const *lanes, uint32_t) {
  Shape s = getShape(*lanes[0]->operation);
  if (s.element == Element::F64) {
    double a[16][16], b[16][8];
    gatherSingles(s, lanes, a, b);
    unsigned firstC = (s.m / 8 + 1) * (s.k / 4);
    for (unsigned lane = 0; lane < kWarpSize; ++lane)
      for (unsigned i = 0; i < s.m / 4; ++i) {
        unsigned row = lane / 4 + 8 * (i >> 1), column = lane % 4 * 2 + (i & 1);
        auto sum = lanes[lane]->slots.get<double>(firstC + i);
        for (unsigned k = 0; k < s.k; ++k)
          sum = std::fma(a[row][k], b[k][column], sum);
        lanes[lane]->slots.set(i, sum);
      }
    return;
  }
  float a[16][16], b[16][8];
  unsigned firstC;
  if (s.element == Element::TF32) {
    gatherSingles(s, lanes, a, b);
    firstC = 3 * (s.k / 4);
  } else {
    gatherPairs(s, lanes, a, b);
    firstC = s.k == 16 ? 6 : 3;
  }
  for (unsigned lane = 0; lane < kWarpSize; ++lane) {
    Slots slots = lanes[lane]->slots;
    uint16_t halves[4] = {};
    for (unsigned i = 0; i < 4; ++i) {
      unsigned row = lane / 4 + 8 * (i >> 1), column = lane % 4 * 2 + (i & 1);
      float sum = s.halfAccumulator
                      ? getNarrow(Element::F16,
                                  slots.get<uint32_t>(firstC + i / 2), i & 1)
                      : slots.get<float>(firstC + i);
      for (unsigned k = 0; k < s.k; ++k)
        sum += a[row][k] * b[k][column];
      if (s.halfAccumulator)
        halves[i] = toHalf(sum);
      else
        slots.set(i, sum);
    }
    if (s.halfAccumulator)
      for (unsigned i = 0; i < 2; ++i)
        slots.set(i, uint32_t(halves[2 * i + 1]) << 16 | halves[2 * i]);
  }
}

static void runMma(Machine &machine, const Operation &, Slots) {
  machine.meetWarp(~0u, evaluateMma);
}

//===----------------------------------------------------------------------===//
// ldmatrix and stmatrix
//===----------------------------------------------------------------------===//

/// Parameters: the number of 8x8 matrices, and whether they are transposed. The
/// address of row r of matrix m is the argument of lane 8 m + r.
template <bool isStore>
static void evaluateMatrixAccess(Machine &, Thread *const *lanes, uint32_t) {
  const Operation &operation = *lanes[0]->operation;
  bool transposed = operation.parameters[1];
  for (unsigned matrix = 0; matrix < operation.parameters[0]; ++matrix) {
    uint16_t elements[8][8];
    uint16_t *rows[8];
    for (unsigned row = 0; row < 8; ++row) {
      rows[row] = lanes[8 * matrix + row]->slots.get<uint16_t *>(0);
      if (!isStore)
        std::memcpy(elements[row], rows[row], sizeof(elements[row]));
    }
    for (unsigned lane = 0; lane < kWarpSize; ++lane) {
      unsigned row = lane / 4, column = lane % 4 * 2;
      uint16_t *first = &elements[row][column];
      uint16_t *second = &elements[row][column + 1];
      if (transposed) {
        first = &elements[column][row];
        second = &elements[column + 1][row];
      }
      Slots slots = lanes[lane]->slots;
      if (isStore) {
        auto pair = slots.get<uint32_t>(1 + matrix);
        *first = static_cast<uint16_t>(pair);
        *second = static_cast<uint16_t>(pair >> 16);
      } else {
        slots.set(matrix, uint32_t(*second) << 16 | *first);
      }
    }
    if (isStore)
      for (unsigned row = 0; row < 8; ++row)
        std::memcpy(rows[row], elements[row], sizeof(elements[row]));
  }
}

template <bool isStore>
static void runMatrixAccess(Machine &machine, const Operation &operation,
                            Slots slots) {
  // Each lane answers for the row whose address it gives.
  if (machine.getThread().lane < 8 * operation.parameters[0]) {
    Machine::OperationAccess access;
    access.address = slots.get<uintptr_t>(0);
    access.bytes = access.alignment = 16;
    access.kind = isStore ? AccessKind::Write : AccessKind::Read;
    access.space = Machine::OperationAccess::Shared;
    machine.access(access);
  }
  machine.meetWarp(~0u, evaluateMatrixAccess<isStore>);
}

bool memrev::simt::selectMatrixIntrinsic(const std::string &name,
                                         Operation &operation) {
  static const std::map<std::string, Shape> shapes = {
      {"mma.m16n8k16.row.col.f32.f32", {16, 16, Element::F16, false}},
      {"mma.m16n8k16.row.col.f16.f16", {16, 16, Element::F16, true}},
      {"mma.m16n8k8.row.col.f32.f32", {16, 8, Element::F16, false}},
      {"mma.m16n8k8.row.col.f16.f16", {16, 8, Element::F16, true}},
      {"mma.m16n8k16.row.col.bf16", {16, 16, Element::BF16, false}},
      {"mma.m16n8k8.row.col.bf16", {16, 8, Element::BF16, false}},
      {"mma.m16n8k8.row.col.tf32", {16, 8, Element::TF32, false}},
      {"mma.m16n8k4.row.col.tf32", {16, 4, Element::TF32, false}},
      {"mma.m8n8k4.row.col.f64", {8, 4, Element::F64, false}},
      {"mma.m16n8k4.row.col.f64", {16, 4, Element::F64, false}},
      {"mma.m16n8k8.row.col.f64", {16, 8, Element::F64, false}},
      {"mma.m16n8k16.row.col.f64", {16, 16, Element::F64, false}},
  };
  auto found = shapes.find(name);
  if (found != shapes.end()) {
    const Shape &shape = found->second;
    operation.run = runMma;
    operation.parameters[0] = shape.m;
    operation.parameters[1] = shape.k;
    operation.parameters[2] = static_cast<unsigned>(shape.element);
    operation.parameters[3] = shape.halfAccumulator;
    return true;
  }
  for (bool isStore : {false, true})
    for (unsigned count : {1, 2, 4})
      for (bool transposed : {false, true}) {
        std::string known =
            std::string(isStore ? "st" : "ld") + "matrix.sync.aligned.m8n8.x" +
            std::to_string(count) + (transposed ? ".trans" : "") + ".b16";
        if (name != known)
          continue;
        operation.run =
            isStore ? runMatrixAccess<true> : runMatrixAccess<false>;
        operation.parameters[0] = count;
        operation.parameters[1] = transposed;
        return true;
      }
  return false;
}
