//===- ParallelToLaunch.cpp - Parallel loops to kernel launches -----------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Codegen/GPU/Passes.h"
#include "memrev/Codegen/GPU/Strategy.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Interfaces/ViewLikeInterface.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/MathExtras.h"

namespace mlir::memrev {
#define GEN_PASS_DEF_GPUPARALLELTOLAUNCH
#include "memrev/Codegen/GPU/Passes.h.inc"
} // namespace mlir::memrev

using namespace mlir;

/// Returns true if `op` costs nothing and is better computed in each thread
/// than passed to the kernel. A view that is passed brings its strides and its
/// offset along as run-time values.
static bool belongsInKernel(Operation *op) {
  if (matchPattern(op, m_Constant()) || isa<memref::GetGlobalOp>(op))
    return true;
  return isa<ViewLikeOpInterface>(op) && isMemoryEffectFree(op) &&
         op->getNumRegions() == 0 && op->getNumResults() == 1 &&
         isa<MemRefType>(op->getResult(0).getType());
}

/// Clones the definitions of values used in `loop` that belong in the kernel to
/// the start of its body, operands first.
static void sinkIntoBody(scf::ParallelOp loop) {
  Region &region = loop.getRegion();
  llvm::SetVector<Operation *> sunk;
  SmallVector<std::pair<Operation *, bool>> worklist;
  auto push = [&](Value value) {
    Operation *op = value.getDefiningOp();
    if (op && belongsInKernel(op) && !region.isAncestor(op->getParentRegion()))
      worklist.emplace_back(op, /*operandsDone=*/false);
  };
  llvm::SetVector<Value> captured;
  getUsedValuesDefinedAbove(region, captured);
  for (Value value : captured)
    push(value);
  while (!worklist.empty()) {
    auto [op, operandsDone] = worklist.pop_back_val();
    if (operandsDone) {
      sunk.insert(op);
      continue;
    }
    worklist.emplace_back(op, /*operandsDone=*/true);
    // Where in the arena a buffer lies is a parameter: otherwise no two layers
    // would have equal kernels.
    if (!isa<memref::ViewOp>(op))
      for (Value operand : op->getOperands())
        push(operand);
  }

  OpBuilder builder = OpBuilder::atBlockBegin(loop.getBody());
  IRMapping mapping;
  for (Operation *op : sunk)
    builder.clone(*op, mapping);
  for (Operation *op : sunk)
    replaceAllUsesInRegionWith(op->getResult(0),
                               mapping.lookup(op->getResult(0)), region);
}

/// Returns the trip count of each dimension of `loop`.
static SmallVector<OpFoldResult> createTripCounts(OpBuilder &builder,
                                                  scf::ParallelOp loop) {
  Location loc = loop.getLoc();
  SmallVector<OpFoldResult> counts;
  for (auto [lower, upper, step] : llvm::zip_equal(
           loop.getLowerBound(), loop.getUpperBound(), loop.getStep())) {
    std::optional<int64_t> lowerInt = getConstantIntValue(lower);
    std::optional<int64_t> upperInt = getConstantIntValue(upper);
    std::optional<int64_t> stepInt = getConstantIntValue(step);
    if (lowerInt && upperInt && stepInt && *stepInt > 0) {
      int64_t extent = std::max<int64_t>(*upperInt - *lowerInt, 0);
      counts.push_back(
          builder.getIndexAttr(llvm::divideCeilSigned(extent, *stepInt)));
      continue;
    }
    Value zero = arith::ConstantIndexOp::create(builder, loc, 0);
    Value extent = arith::SubIOp::create(builder, loc, upper, lower);
    extent = arith::MaxSIOp::create(builder, loc, extent, zero);
    counts.push_back(
        arith::CeilDivSIOp::create(builder, loc, extent, step).getResult());
  }
  return counts;
}

/// Turns every parallel loop in the body of `launch` into sequential loops.
static void serializeNested(gpu::LaunchOp launch) {
  SmallVector<scf::ParallelOp> nested;
  launch.walk([&](scf::ParallelOp loop) { nested.push_back(loop); });
  for (scf::ParallelOp loop : nested) {
    OpBuilder builder(loop);
    scf::LoopNest nest = scf::buildLoopNest(
        builder, loop.getLoc(), loop.getLowerBound(), loop.getUpperBound(),
        loop.getStep(), [](OpBuilder &, Location, ValueRange) {});
    SmallVector<Value> ivs = llvm::map_to_vector(
        nest.loops, [](scf::ForOp inner) { return inner.getInductionVar(); });
    Block *target = nest.loops.back().getBody();
    Block *source = loop.getBody();
    source->getTerminator()->erase();
    for (auto [argument, iv] : llvm::zip_equal(source->getArguments(), ivs))
      argument.replaceAllUsesWith(iv);
    target->getOperations().splice(Block::iterator(target->getTerminator()),
                                   source->getOperations());
    loop.erase();
  }
}

/// Turns `loop` into a launch whose kernel goes to `module`. `namesUsed` counts
/// the kernels of each name.
static LogicalResult mapToLaunch(scf::ParallelOp loop, StringRef module,
                                 llvm::StringMap<unsigned> &namesUsed) {
  WalkResult reductions = loop->walk([](scf::ParallelOp inner) {
    if (inner.getNumResults() == 0)
      return WalkResult::advance();
    inner.emitOpError("expects no results, but got ")
        << inner.getNumResults()
        << ": a reduction across threads has to be split into two loops";
    return WalkResult::interrupt();
  });
  if (reductions.wasInterrupted())
    return failure();

  sinkIntoBody(loop);
  OpBuilder builder(loop);
  Location loc = loop.getLoc();
  SmallVector<OpFoldResult> counts = createTripCounts(builder, loop);
  int64_t iterations = 1;
  for (OpFoldResult count : counts) {
    std::optional<int64_t> known = getConstantIntValue(count);
    if (!known || ShapedType::isDynamic(iterations))
      iterations = known == 0 ? 0 : iterations == 0 ? 0 : ShapedType::kDynamic;
    else if (llvm::MulOverflow(iterations, *known, iterations))
      return loop.emitOpError("expects fewer than 2^63 iterations");
  }
  if (iterations == 0) {
    loop.erase();
    return success();
  }

  // An empty grid is not a valid launch: one block then finds nothing to do.
  int64_t blockSize = memrev::chooseBlockSize(iterations);
  Value one = arith::ConstantIndexOp::create(builder, loc, 1);
  Value block = arith::ConstantIndexOp::create(builder, loc, blockSize);
  Value total, grid;
  if (!ShapedType::isDynamic(iterations)) {
    total = arith::ConstantIndexOp::create(builder, loc, iterations);
    grid = arith::ConstantIndexOp::create(
        builder, loc,
        std::min(llvm::divideCeilSigned(iterations, blockSize),
                 memrev::kMaxGridSize));
  } else {
    total = one;
    for (Value count : getValueOrCreateConstantIndexOp(builder, loc, counts))
      total = arith::MulIOp::create(builder, loc, total, count);
    grid = arith::CeilDivSIOp::create(builder, loc, total, block);
    grid = arith::MaxSIOp::create(builder, loc, grid, one);
    Value most =
        arith::ConstantIndexOp::create(builder, loc, memrev::kMaxGridSize);
    grid = arith::MinSIOp::create(builder, loc, grid, most);
  }

  // Outlining makes names unique by trying one number after the other, which
  // takes minutes for ten thousand launches.
  std::string name = "parallel";
  if (auto attr = loop->getAttrOfType<StringAttr>("memrev.kernel_name"))
    name = attr.getValue().str();
  if (unsigned number = namesUsed[name]++)
    name += "_" + std::to_string(number);
  auto launch = gpu::LaunchOp::create(
      builder, loc, grid, one, one, block, one, one,
      /*dynamicSharedMemorySize=*/nullptr, /*asyncTokenType=*/nullptr,
      /*asyncDependencies=*/{}, /*workgroupAttributions=*/{},
      /*privateAttributions=*/{}, /*clusterSizeX=*/nullptr,
      /*clusterSizeY=*/nullptr, /*clusterSizeZ=*/nullptr,
      FlatSymbolRefAttr::get(builder.getContext(), module),
      FlatSymbolRefAttr::get(builder.getContext(), name));

  builder.setInsertionPointToStart(&launch.getBody().front());
  auto constant = [&](int64_t value) -> Value {
    return arith::ConstantIndexOp::create(builder, loc, value);
  };
  Value threads = constant(blockSize);
  Value first =
      arith::MulIOp::create(builder, loc, launch.getBlockIds().x, threads);
  first = arith::AddIOp::create(builder, loc, first, launch.getThreadIds().x);
  Value stride =
      arith::MulIOp::create(builder, loc, launch.getGridSize().x, threads);
  Value end = ShapedType::isDynamic(iterations) ? total : constant(iterations);
  auto perThread = scf::ForOp::create(builder, loc, first, end, stride);
  gpu::TerminatorOp::create(builder, loc);

  // Split the number of the iteration into indices, the last one fastest.
  builder.setInsertionPointToStart(perThread.getBody());
  Value rest = perThread.getInductionVar();
  Block *source = loop.getBody();
  for (int64_t dim = counts.size() - 1; dim >= 0; --dim) {
    Value index = rest;
    if (dim != 0) {
      Value count = getValueOrCreateConstantIndexOp(builder, loc, counts[dim]);
      index = arith::RemUIOp::create(builder, loc, rest, count);
      rest = arith::DivUIOp::create(builder, loc, rest, count);
    }
    if (getConstantIntValue(loop.getStep()[dim]) != 1)
      index = arith::MulIOp::create(builder, loc, index, loop.getStep()[dim]);
    if (getConstantIntValue(loop.getLowerBound()[dim]) != 0)
      index =
          arith::AddIOp::create(builder, loc, index, loop.getLowerBound()[dim]);
    source->getArgument(dim).replaceAllUsesWith(index);
  }
  source->getTerminator()->erase();
  perThread.getBody()->getOperations().splice(
      Block::iterator(perThread.getBody()->getTerminator()),
      source->getOperations());
  loop.erase();
  serializeNested(launch);
  return success();
}

namespace {
struct GPUParallelToLaunch
    : memrev::impl::GPUParallelToLaunchBase<GPUParallelToLaunch> {
  using Base::Base;

  void runOnOperation() override {
    SmallVector<scf::ParallelOp> outermost;
    getOperation().walk<WalkOrder::PreOrder>([&](Operation *op) {
      if (isa<gpu::LaunchOp>(op))
        return WalkResult::skip();
      if (auto loop = dyn_cast<scf::ParallelOp>(op)) {
        outermost.push_back(loop);
        return WalkResult::skip();
      }
      return WalkResult::advance();
    });
    std::string name = chooseModuleName();
    llvm::StringMap<unsigned> namesUsed;
    for (scf::ParallelOp loop : outermost)
      if (failed(mapToLaunch(loop, name, namesUsed)))
        return signalPassFailure();
  }

private:
  std::string chooseModuleName() {
    std::string name = kernelModule;
    SymbolTable symbols(getOperation());
    for (unsigned number = 0;; ++number) {
      Operation *existing = symbols.lookup(name);
      if (!existing || isa<gpu::GPUModuleOp>(existing))
        return name;
      name = kernelModule + "_" + std::to_string(number);
    }
  }
};
} // namespace
