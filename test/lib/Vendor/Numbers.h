//===- Numbers.h - Numbers of the types of libraries ---------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_TEST_LIB_VENDOR_NUMBERS_H
#define MEMREV_TEST_LIB_VENDOR_NUMBERS_H

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace memrev::vendor {

/// Of cudaDataType.
enum DataType { kR32 = 0, kR64 = 1, kR16 = 2, kB16 = 14 };

inline size_t getBytes(int type) {
  switch (type) {
  case kR64:
    return 8;
  case kR32:
    return 4;
  default:
    return 2;
  }
}

inline double toDouble(uint16_t bits, int type) {
  if (type == kB16) {
    uint32_t wide = static_cast<uint32_t>(bits) << 16;
    float value;
    std::memcpy(&value, &wide, sizeof(value));
    return value;
  }
  _Float16 value;
  std::memcpy(&value, &bits, sizeof(value));
  return static_cast<double>(value);
}

/// Rounds to 10 bits of mantissa, to nearest and away from zero between two.
inline float roundToTF32(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  if (std::isfinite(value))
    bits = (bits + 0x1000u) & ~0x1fffu;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

inline uint16_t toHalf(float value, int type) {
  uint16_t result;
  if (type == kR16) {
    auto rounded = static_cast<_Float16>(value);
    std::memcpy(&result, &rounded, sizeof(result));
    return result;
  }
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  if (std::isnan(value))
    return 0x7fc0;
  bits += 0x7fff + ((bits >> 16) & 1);
  return static_cast<uint16_t>(bits >> 16);
}

inline double load(const char *base, uint64_t index, int type) {
  const char *address = base + index * getBytes(type);
  double whole;
  float single;
  uint16_t half;
  switch (type) {
  case kR64:
    std::memcpy(&whole, address, sizeof(whole));
    return whole;
  case kR32:
    std::memcpy(&single, address, sizeof(single));
    return single;
  default:
    std::memcpy(&half, address, sizeof(half));
    return toDouble(half, type);
  }
}

inline void store(char *base, uint64_t index, int type, double value) {
  char *address = base + index * getBytes(type);
  auto single = static_cast<float>(value);
  uint16_t half;
  switch (type) {
  case kR64:
    std::memcpy(address, &value, sizeof(value));
    return;
  case kR32:
    std::memcpy(address, &single, sizeof(single));
    return;
  default:
    half = toHalf(single, type);
    std::memcpy(address, &half, sizeof(half));
  }
}

} // namespace memrev::vendor

#endif // MEMREV_TEST_LIB_VENDOR_NUMBERS_H
