//===- LaunchToLoops.cpp - Kernel launches to host loops ------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Codegen/GPU/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

namespace mlir::memrev {
#define GEN_PASS_DEF_GPULAUNCHTOLOOPS
#include "memrev/Codegen/GPU/Passes.h.inc"
} // namespace mlir::memrev

using namespace mlir;

static LogicalResult lowerToLoops(gpu::LaunchOp launch) {
  if (launch.getAsyncToken() || !launch.getAsyncDependencies().empty() ||
      launch.getNumWorkgroupAttributions() != 0 ||
      !launch.getPrivateAttributions().empty() || launch.hasClusterSize())
    return launch.emitOpError("expects a launch without tokens, clusters and "
                              "attributions to run it on the host");
  // Threads that run one after another are a valid schedule only if none waits
  // for another one; a second block would mean control flow around a loop.
  WalkResult device = launch.getBody().walk([](Operation *op) {
    if (!isa<gpu::GPUDialect>(op->getDialect()) || isa<gpu::TerminatorOp>(op))
      return WalkResult::advance();
    op->emitOpError("expects a kernel of independent threads around it to run "
                    "the kernel on the host");
    return WalkResult::interrupt();
  });
  if (device.wasInterrupted())
    return failure();
  if (!launch.getBody().hasOneBlock())
    return launch.emitOpError("expects a body of one block, but got ")
           << launch.getBody().getBlocks().size();

  OpBuilder builder(launch);
  Location loc = launch.getLoc();
  gpu::KernelDim3 grid = launch.getGridSizeOperandValues();
  gpu::KernelDim3 block = launch.getBlockSizeOperandValues();
  SmallVector<Value> upper = {grid.z,  grid.y,  grid.x,
                              block.z, block.y, block.x};
  Value zero = arith::ConstantIndexOp::create(builder, loc, 0);
  Value one = arith::ConstantIndexOp::create(builder, loc, 1);
  SmallVector<Value> lower(upper.size(), zero), step(upper.size(), one);
  scf::LoopNest nest =
      scf::buildLoopNest(builder, loc, lower, upper, step,
                         [](OpBuilder &, Location, ValueRange) {});

  auto iv = [&](unsigned loop) { return nest.loops[loop].getInductionVar(); };
  auto replace = [](gpu::KernelDim3 from, Value x, Value y, Value z) {
    from.x.replaceAllUsesWith(x);
    from.y.replaceAllUsesWith(y);
    from.z.replaceAllUsesWith(z);
  };
  replace(launch.getBlockIds(), iv(2), iv(1), iv(0));
  replace(launch.getThreadIds(), iv(5), iv(4), iv(3));
  replace(launch.getGridSize(), grid.x, grid.y, grid.z);
  replace(launch.getBlockSize(), block.x, block.y, block.z);
  Block *source = &launch.getBody().front();
  Block *target = nest.loops.back().getBody();
  source->getTerminator()->erase();
  target->getOperations().splice(Block::iterator(target->getTerminator()),
                                 source->getOperations());
  launch.erase();
  return success();
}

namespace {
struct GPULaunchToLoops : memrev::impl::GPULaunchToLoopsBase<GPULaunchToLoops> {
  void runOnOperation() override {
    SmallVector<gpu::LaunchOp> launches;
    getOperation().walk(
        [&](gpu::LaunchOp launch) { launches.push_back(launch); });
    for (gpu::LaunchOp launch : launches)
      if (failed(lowerToLoops(launch)))
        return signalPassFailure();
  }
};
} // namespace
