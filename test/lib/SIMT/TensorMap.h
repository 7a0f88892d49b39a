//===- TensorMap.h - Descriptions of tensors for bulk copies -- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_TEST_LIB_SIMT_TENSORMAP_H
#define MEMREV_TEST_LIB_SIMT_TENSORMAP_H

#include <cstddef>
#include <cstdint>

namespace memrev::simt {

/// How 16-byte pieces are exchanged within rows of shared memory. The values
/// are those of CUtensorMapSwizzle.
enum class Swizzle : uint8_t { None, Bytes32, Bytes64, Bytes128 };

/// Returns where the byte at an address of shared memory goes: bits 4 and up
/// are combined with those from bit 7.
inline uintptr_t swizzleAddress(Swizzle swizzle, uintptr_t address) {
  uintptr_t mask = swizzle == Swizzle::Bytes128  ? 0x70
                   : swizzle == Swizzle::Bytes64 ? 0x30
                   : swizzle == Swizzle::Bytes32 ? 0x10
                                                 : 0;
  return address ^ (address >> 3 & mask);
}

/// Bytes of a row that is swizzled, which the innermost dimension of a box has.
inline unsigned getSwizzledBytes(Swizzle swizzle) {
  return swizzle == Swizzle::None ? 0 : 16u << static_cast<unsigned>(swizzle);
}

/// What this driver keeps in the 128 opaque bytes of a CUtensorMap. Dimensions
/// and strides are from the innermost one on, whose stride is an element.
struct TensorMap {
  static constexpr unsigned kMaxRank = 5;
  static constexpr uint32_t kMagic = 0x70614d54;

  uint32_t magic = kMagic;
  uint8_t rank = 0;
  uint8_t elementBytes = 0;
  Swizzle swizzle = Swizzle::None;
  /// Whether elements outside are NaN instead of zero.
  uint8_t fillsNaN = 0;
  uint64_t address = 0;
  uint64_t strides[kMaxRank - 1] = {};
  uint32_t dimensions[kMaxRank] = {};
  uint32_t box[kMaxRank] = {};
};

static_assert(sizeof(TensorMap) <= 128, "expects to fit into a CUtensorMap");

} // namespace memrev::simt

#endif // MEMREV_TEST_LIB_SIMT_TENSORMAP_H
