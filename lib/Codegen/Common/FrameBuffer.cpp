//===- FrameBuffer.cpp - What lies in a frame -----------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "FrameBuffer.h"
#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace mlir::memrev;

ArrayAttr mlir::memrev::describe(MLIRContext *context,
                                 ArrayRef<FrameBuffer> buffers, int64_t bytes) {
  constexpr int64_t kPictureHeight = 4096;
  SmallVector<std::pair<double, int64_t>> changes;
  for (const FrameBuffer &buffer : buffers) {
    changes.push_back({buffer.begin, buffer.bytes});
    changes.push_back({buffer.end, -buffer.bytes});
  }
  // At one time what ends goes before what begins.
  llvm::sort(changes);
  int64_t live = 0, most = 0;
  double peak = 0;
  for (auto [time, change] : changes) {
    live += change;
    if (live > most) {
      most = live;
      peak = time;
    }
  }
  Builder builder(context);
  SmallVector<Attribute> described;
  for (const FrameBuffer &buffer : buffers) {
    bool isAtPeak = buffer.begin <= peak && peak < buffer.end;
    if (!isAtPeak && buffer.bytes < bytes / kPictureHeight)
      continue;
    NamedAttrList members;
    if (isAtPeak)
      members.append("at_peak", builder.getUnitAttr());
    members.append("begin", builder.getF64FloatAttr(buffer.begin));
    members.append("bytes", builder.getI64IntegerAttr(buffer.bytes));
    members.append("end", builder.getF64FloatAttr(buffer.end));
    members.append("location", buffer.location);
    members.append("offset", builder.getI64IntegerAttr(buffer.offset));
    members.append("type", TypeAttr::get(buffer.type));
    described.push_back(members.getDictionary(context));
  }
  return builder.getArrayAttr(described);
}
