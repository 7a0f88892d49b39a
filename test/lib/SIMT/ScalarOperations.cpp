//===- ScalarOperations.cpp - Operations of a thread on its own -----------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Approximate instructions are computed exactly and rounded: their error on a
// device is larger. Subnormal numbers are kept, also where ".ftz" flushes them.
//
//===----------------------------------------------------------------------===//

#include "Machine.h"
#include "Numbers.h"
#include <map>

using namespace memrev::simt;

namespace {
using Run = void (*)(Machine &, const Operation &, Slots);
} // namespace

template <typename T, T (*function)(T)>
static void unary(Machine &, const Operation &, Slots slots) {
  slots.set(0, function(slots.get<T>(0)));
}

template <typename T, T (*function)(T, T)>
static void binary(Machine &, const Operation &, Slots slots) {
  slots.set(0, function(slots.get<T>(0), slots.get<T>(1)));
}

template <typename T>
static void fusedMultiplyAdd(Machine &, const Operation &, Slots slots) {
  slots.set(0, std::fma(slots.get<T>(0), slots.get<T>(1), slots.get<T>(2)));
}

template <typename T>
static T reciprocal(T x) {
  return 1 / x;
}
template <typename T>
static T squareRoot(T x) {
  return std::sqrt(x);
}
template <typename T>
static T magnitude(T x) {
  return std::fabs(x);
}
static float exponential2(float x) {
  return static_cast<float>(std::exp2(static_cast<double>(x)));
}
static float hyperbolicTangent(float x) {
  return static_cast<float>(std::tanh(static_cast<double>(x)));
}
static float logarithm2(float x) {
  return static_cast<float>(std::log2(static_cast<double>(x)));
}
static float sine(float x) {
  return static_cast<float>(std::sin(static_cast<double>(x)));
}
static float cosine(float x) {
  return static_cast<float>(std::cos(static_cast<double>(x)));
}
static float reciprocalRoot(float x) {
  return static_cast<float>(1 / std::sqrt(static_cast<double>(x)));
}
static double reciprocalRootDouble(double x) { return 1 / std::sqrt(x); }
static float saturate(float x) {
  return std::isnan(x) ? 0.0f : std::fmin(std::fmax(x, 0.0f), 1.0f);
}

template <typename T>
static T add(T x, T y) {
  return x + y;
}
template <typename T>
static T multiply(T x, T y) {
  return x * y;
}
template <typename T>
static T divide(T x, T y) {
  return x / y;
}
template <typename T>
static T minimum(T x, T y) {
  return std::fmin(x, y);
}
template <typename T>
static T maximum(T x, T y) {
  return std::fmax(x, y);
}
template <typename T>
static T minimumNaN(T x, T y) {
  return std::isnan(x) || std::isnan(y) ? std::numeric_limits<T>::quiet_NaN()
                                        : std::fmin(x, y);
}
template <typename T>
static T maximumNaN(T x, T y) {
  return std::isnan(x) || std::isnan(y) ? std::numeric_limits<T>::quiet_NaN()
                                        : std::fmax(x, y);
}
static uint32_t multiplyHighUnsigned(uint32_t x, uint32_t y) {
  return static_cast<uint32_t>(uint64_t(x) * y >> 32);
}
static int32_t multiplyHighSigned(int32_t x, int32_t y) {
  return static_cast<int32_t>(int64_t(x) * y >> 32);
}

template <bool tiesAway>
static void convertToTF32(Machine &, const Operation &, Slots slots) {
  slots.set(0, roundToTF32(slots.get<float>(0), tiesAway));
}
static void truncateOperandToTF32(Machine &, const Operation &, Slots slots) {
  slots.set(0, truncateToTF32(slots.get<uint32_t>(0)));
}
template <uint16_t (*convert)(float)>
static void convertToNarrow(Machine &, const Operation &, Slots slots) {
  slots.set(0, convert(slots.get<float>(0)));
}
/// The first operand goes to the upper half.
template <uint16_t (*convert)(float)>
static void convertPair(Machine &, const Operation &, Slots slots) {
  uint32_t high = convert(slots.get<float>(0)),
           low = convert(slots.get<float>(1));
  slots.set(0, high << 16 | low);
}

/// Chooses four of eight bytes; bit 3 of a choice spreads the byte's sign.
static void permuteBytes(Machine &, const Operation &, Slots slots) {
  uint64_t bytes = slots.get<uint32_t>(0) | uint64_t(slots.get<uint32_t>(1))
                                                << 32;
  uint32_t choice = slots.get<uint32_t>(2), result = 0;
  for (unsigned i = 0; i < 4; ++i) {
    uint32_t selector = choice >> 4 * i & 15;
    auto byte = static_cast<uint8_t>(bytes >> 8 * (selector & 7));
    if (selector & 8)
      byte = byte & 0x80 ? 0xff : 0;
    result |= uint32_t(byte) << 8 * i;
  }
  slots.set(0, result);
}

static void doNothing(Machine &, const Operation &, Slots) {}

static const std::map<std::string, Run> &getTable() {
  static const std::map<std::string, Run> table = {
      {"fma.rn.f", fusedMultiplyAdd<float>},
      {"fma.rn.d", fusedMultiplyAdd<double>},
      {"add.rn.f", binary<float, add>},
      {"add.rn.d", binary<double, add>},
      {"mul.rn.f", binary<float, multiply>},
      {"mul.rn.d", binary<double, multiply>},
      {"div.rn.f", binary<float, divide>},
      {"div.rn.d", binary<double, divide>},
      {"div.approx.f", binary<float, divide>},
      {"div.full", binary<float, divide>},
      {"rcp.rn.f", unary<float, reciprocal>},
      {"rcp.rn.d", unary<double, reciprocal>},
      {"rcp.approx.f", unary<float, reciprocal>},
      {"rcp.approx.d", unary<double, reciprocal>},
      {"sqrt.f", unary<float, squareRoot>},
      {"sqrt.rn.f", unary<float, squareRoot>},
      {"sqrt.rn.d", unary<double, squareRoot>},
      {"sqrt.approx.f", unary<float, squareRoot>},
      {"rsqrt.approx.f", unary<float, reciprocalRoot>},
      {"rsqrt.approx.d", unary<double, reciprocalRootDouble>},
      {"ex2.approx.f32", unary<float, exponential2>},
      {"tanh.approx.f32", unary<float, hyperbolicTangent>},
      {"lg2.approx.f", unary<float, logarithm2>},
      {"sin.approx.f", unary<float, sine>},
      {"cos.approx.f", unary<float, cosine>},
      {"saturate.f", unary<float, saturate>},
      {"fabs.f32", unary<float, magnitude>},
      {"fmin.f", binary<float, minimum>},
      {"fmin.d", binary<double, minimum>},
      {"fmax.f", binary<float, maximum>},
      {"fmax.d", binary<double, maximum>},
      {"fmin.nan.f", binary<float, minimumNaN>},
      {"fmax.nan.f", binary<float, maximumNaN>},
      {"mulhi.ui", binary<uint32_t, multiplyHighUnsigned>},
      {"mulhi.i", binary<int32_t, multiplyHighSigned>},
      {"f2tf32.rna", convertToTF32<true>},
      {"f2tf32.rn", convertToTF32<false>},
      {"f2tf32.rz", truncateOperandToTF32},
      {"f2bf16.rn", convertToNarrow<toBFloat>},
      {"f2f16.rn", convertToNarrow<toHalf>},
      {"ff2bf16x2.rn", convertPair<toBFloat>},
      {"ff2f16x2.rn", convertPair<toHalf>},
      {"prmt", permuteBytes},
      // They change how fast a kernel is, not what it computes.
      {"setmaxnreg.inc.sync.aligned.u32", doNothing},
      {"setmaxnreg.dec.sync.aligned.u32", doNothing},
      {"prefetch.tensormap", doNothing},
      {"prefetch.L1", doNothing},
      {"prefetch.L2", doNothing},
      {"prefetch.global.L1", doNothing},
      {"prefetch.global.L2", doNothing},
      {"nanosleep", doNothing},
      {"griddepcontrol.wait", doNothing},
      {"griddepcontrol.launch.dependents", doNothing},
  };
  return table;
}

bool memrev::simt::selectScalarIntrinsic(const std::string &name,
                                         Operation &operation) {
  std::string base = name;
  size_t flush = base.find(".ftz");
  if (flush != std::string::npos)
    base.erase(flush, 4);
  auto found = getTable().find(base);
  if (found == getTable().end())
    return false;
  operation.run = found->second;
  return true;
}
