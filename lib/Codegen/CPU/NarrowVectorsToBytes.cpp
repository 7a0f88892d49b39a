//===- NarrowVectorsToBytes.cpp - Vectors of elements of a few bits -------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Codegen/CPU/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace mlir::memrev {
#define GEN_PASS_DEF_CODEGENNARROWVECTORSTOBYTES
#include "memrev/Codegen/CPU/Passes.h.inc"
} // namespace mlir::memrev

using namespace mlir;

/// True if `value` is a buffer whose elements have less than a byte.
static bool isNarrow(Value value) {
  auto type = dyn_cast<MemRefType>(value.getType());
  return type && type.getElementType().isSignlessInteger() &&
         type.getElementTypeBitWidth() < 8;
}

/// `buffer` as one of bytes: what it is for LLVM, too, so that the cast
/// vanishes.
static Value asBytes(OpBuilder &builder, Value buffer) {
  auto type = cast<MemRefType>(buffer.getType());
  auto bytes = MemRefType::Builder(type).setElementType(builder.getI8Type());
  return UnrealizedConversionCastOp::create(builder, buffer.getLoc(),
                                            MemRefType(bytes), buffer)
      .getResult(0);
}

static VectorType getBytes(VectorType type) {
  return type.clone(IntegerType::get(type.getContext(), 8));
}

namespace {
class CodegenNarrowVectorsToBytesPass
    : public memrev::impl::CodegenNarrowVectorsToBytesBase<
          CodegenNarrowVectorsToBytesPass> {
public:
  void runOnOperation() override {
    SmallVector<vector::TransferReadOp> reads;
    SmallVector<vector::TransferWriteOp> writes;
    getOperation()->walk([&](Operation *op) {
      if (auto read = dyn_cast<vector::TransferReadOp>(op);
          read && isNarrow(read.getBase()))
        reads.push_back(read);
      if (auto write = dyn_cast<vector::TransferWriteOp>(op);
          write && isNarrow(write.getBase()))
        writes.push_back(write);
    });
    for (vector::TransferReadOp read : reads) {
      OpBuilder builder(read);
      Location loc = read.getLoc();
      Value padding = arith::ExtUIOp::create(builder, loc, builder.getI8Type(),
                                             read.getPadding());
      Value bytes = vector::TransferReadOp::create(
          builder, loc, getBytes(read.getVectorType()),
          asBytes(builder, read.getBase()), read.getIndices(),
          read.getPermutationMapAttr(), padding, read.getMask(),
          read.getInBoundsAttr());
      read.replaceAllUsesWith(
          arith::TruncIOp::create(builder, loc, read.getVectorType(), bytes)
              .getResult());
      read.erase();
    }
    for (vector::TransferWriteOp write : writes) {
      OpBuilder builder(write);
      Location loc = write.getLoc();
      Value bytes = arith::ExtUIOp::create(
          builder, loc, getBytes(write.getVectorType()), write.getVector());
      vector::TransferWriteOp::create(builder, loc, /*result=*/Type(), bytes,
                                      asBytes(builder, write.getBase()),
                                      write.getIndices(),
                                      write.getPermutationMapAttr(),
                                      write.getMask(), write.getInBoundsAttr());
      write.erase();
    }
  }
};
} // namespace
