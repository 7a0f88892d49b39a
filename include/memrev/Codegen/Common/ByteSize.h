//===- ByteSize.h - Bytes of tensors and buffers -------------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_CODEGEN_COMMON_BYTESIZE_H
#define MEMREV_CODEGEN_COMMON_BYTESIZE_H

#include "mlir/IR/BuiltinTypes.h"
#include "llvm/Support/MathExtras.h"

namespace mlir::memrev {

/// What a tensor or a frame has to stay below, in bytes: processors address no
/// more than that, and the bytes of 2^15 of them still fit 64 bits.
inline constexpr int64_t kMaxBytes = int64_t(1) << 48;

/// The bytes of an element in memory.
inline int64_t getElementBytes(Type element) {
  if (auto complex = dyn_cast<ComplexType>(element))
    return 2 * getElementBytes(complex.getElementType());
  if (!element.isIntOrFloat())
    return 8;
  return llvm::divideCeil(element.getIntOrFloatBitWidth(), 8);
}

/// The product of `elementBytes` and of those extents of `type` that
/// are neither dynamic nor 0, or nothing if it is `kMaxBytes` or more. Strides
/// are products of extents even if there is no element.
inline std::optional<int64_t> getStaticBytes(ShapedType type,
                                             int64_t elementBytes) {
  int64_t bytes = elementBytes;
  for (int64_t extent : type.getShape()) {
    if (ShapedType::isDynamic(extent) || extent == 0)
      continue;
    if (llvm::MulOverflow(bytes, extent, bytes) || bytes >= kMaxBytes)
      return std::nullopt;
  }
  return bytes;
}

} // namespace mlir::memrev

#endif // MEMREV_CODEGEN_COMMON_BYTESIZE_H
