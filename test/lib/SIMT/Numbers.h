//===- Numbers.h - Narrow floating-point numbers -------------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_TEST_LIB_SIMT_NUMBERS_H
#define MEMREV_TEST_LIB_SIMT_NUMBERS_H

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

namespace memrev::simt {

template <typename To, typename From>
To bitCast(From from) {
  static_assert(sizeof(To) == sizeof(From), "expects equal sizes");
  To to;
  std::memcpy(&to, &from, sizeof(to));
  return to;
}

/// Values of bfloat16 and of IEEE's half precision.
inline float fromBFloat(uint16_t bits) {
  return bitCast<float>(static_cast<uint32_t>(bits) << 16);
}

inline float fromHalf(uint16_t bits) {
  uint32_t sign = static_cast<uint32_t>(bits & 0x8000) << 16;
  uint32_t exponent = bits >> 10 & 31, mantissa = bits & 0x3ff;
  if (exponent == 0) {
    float tiny = static_cast<float>(mantissa) * 0x1p-24f;
    return sign ? -tiny : tiny;
  }
  uint32_t wide = exponent == 31 ? 255 : exponent + 112;
  return bitCast<float>(sign | wide << 23 | mantissa << 13);
}

/// Rounds to nearest, ties to even.
inline uint16_t toBFloat(float value) {
  uint32_t bits = bitCast<uint32_t>(value);
  if (std::isnan(value))
    return 0x7fff;
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

inline uint16_t toHalf(float value) {
  uint32_t bits = bitCast<uint32_t>(value);
  auto sign = static_cast<uint16_t>(bits >> 16 & 0x8000);
  if (std::isnan(value))
    return 0x7fff;
  float size = std::fabs(value);
  if (size >= 65520.0f)
    return sign | 0x7c00;
  if (size < 0x1p-14f)
    // Scaled to integers, which rounding takes as they are.
    return sign | static_cast<uint16_t>(std::nearbyint(size * 0x1p24f));
  uint32_t magnitude = bits & 0x7fffffff;
  magnitude += 0xfff + (magnitude >> 13 & 1);
  return sign | static_cast<uint16_t>((magnitude >> 13) - (112 << 10));
}

/// Rounds to f32 so that rounding the result once more gives what rounding the
/// value at once does.
inline float roundToOdd(double value) {
  auto nearest = static_cast<float>(value);
  if (std::isnan(value) || static_cast<double>(nearest) == value)
    return nearest;
  uint32_t bits = bitCast<uint32_t>(nearest);
  if (bits & 1)
    return nearest;
  bool awayFromZero =
      std::fabs(static_cast<double>(nearest)) > std::fabs(value);
  return bitCast<float>(awayFromZero ? bits - 1 : bits + 1);
}

/// What a tensor core sees of an f32 operand in tf32: 10 bits of mantissa, the
/// others are ignored.
inline float truncateToTF32(uint32_t bits) {
  return bitCast<float>(bits & 0xffffe000);
}

/// Rounds to tf32 to nearest, ties away from zero or to even.
inline uint32_t roundToTF32(float value, bool tiesAway) {
  uint32_t bits = bitCast<uint32_t>(value);
  if (std::isnan(value))
    return 0x7fffffff;
  if (std::isinf(value))
    return bits;
  return (bits + (tiesAway ? 0x1000 : 0xfff + (bits >> 13 & 1))) & 0xffffe000;
}

} // namespace memrev::simt

#endif // MEMREV_TEST_LIB_SIMT_NUMBERS_H
