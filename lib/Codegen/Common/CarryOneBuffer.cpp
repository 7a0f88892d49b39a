//===- CarryOneBuffer.cpp - Loops carry one buffer for each state ---------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Codegen/Common/Passes.h"
#include "mlir/Dialect/Bufferization/Transforms/BufferViewFlowAnalysis.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

namespace mlir::memrev {
#define GEN_PASS_DEF_CODEGENCARRYONEBUFFER
#include "memrev/Codegen/Common/Passes.h.inc"
} // namespace mlir::memrev

using namespace mlir;
using namespace mlir::memrev;

namespace {
struct CodegenCarryOneBufferPass
    : memrev::impl::CodegenCarryOneBufferBase<CodegenCarryOneBufferPass> {
  void runOnOperation() override {
    BufferViewFlowAnalysis views(getOperation());
    getOperation()->walk([&](scf::ForOp loop) {
      for (auto [argument, yielded] :
           llvm::zip_equal(loop.getRegionIterArgs(),
                           loop.getYieldedValuesMutable().value())) {
        if (!isa<MemRefType>(argument.getType()) || yielded.get() == argument)
          continue;
        auto origins = views.resolveReverse(yielded.get());
        bool isMadeInside = llvm::any_of(origins, [&](Value origin) {
          auto alloc = origin.getDefiningOp<memref::AllocOp>();
          return alloc && loop->isAncestor(alloc);
        });
        if (!isMadeInside)
          continue;
        OpBuilder builder(yielded.getOwner());
        memref::CopyOp::create(builder, yielded.getOwner()->getLoc(),
                               yielded.get(), argument);
        yielded.set(argument);
      }
    });
  }
};
} // namespace
