//===- ScalarsToDevice.cpp - Scalar accesses to device memory -------------===//
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
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Interfaces/ViewLikeInterface.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/SetVector.h"

namespace mlir::memrev {
#define GEN_PASS_DEF_GPUSCALARSTODEVICE
#include "memrev/Codegen/GPU/Passes.h.inc"
} // namespace mlir::memrev

using namespace mlir;

namespace {
/// Where a buffer lies: a range of bytes of an arena, as far as it is known, or
/// somewhere in the buffer `root`.
struct Extent {
  Value root;
  bool inArena = false;
  int64_t begin = 0;
  int64_t end = ShapedType::kDynamic;
};
} // namespace

static Extent getExtent(Value buffer) {
  Extent extent;
  while (Operation *op = buffer.getDefiningOp()) {
    auto view = dyn_cast<ViewLikeOpInterface>(op);
    if (!view)
      break;
    if (auto bytes = dyn_cast<memref::ViewOp>(op)) {
      std::optional<int64_t> shift = getConstantIntValue(bytes.getByteShift());
      MemRefType type = bytes.getType();
      bool known = shift && type.hasStaticShape() && !extent.inArena &&
                   type.getElementType().isIntOrFloat();
      extent.inArena = true;
      extent.begin = known ? *shift : 0;
      extent.end =
          known
              ? *shift + type.getNumElements() *
                             llvm::divideCeil(type.getElementTypeBitWidth(), 8)
              : ShapedType::kDynamic;
    } else if (extent.inArena) {
      // The offset of a view of a view of the arena is relative to another one.
      extent.begin = 0;
      extent.end = ShapedType::kDynamic;
    }
    buffer = view.getViewSource();
  }
  extent.root = buffer;
  return extent;
}

static bool mayOverlap(Value a, Value b) {
  Extent first = getExtent(a), second = getExtent(b);
  if (first.root.getDefiningOp<memref::GetGlobalOp>() ||
      second.root.getDefiningOp<memref::GetGlobalOp>())
    return false;
  if (first.inArena != second.inArena)
    return first.root == second.root;
  if (!first.inArena || first.root != second.root ||
      ShapedType::isDynamic(first.end) || ShapedType::isDynamic(second.end))
    return true;
  return first.begin < second.end && second.begin < first.end;
}

/// Returns true if `op`, with all that it contains, may write to `buffer`.
static bool mayWrite(Operation *op, Value buffer) {
  WalkResult result = op->walk([&](Operation *inner) {
    if (auto call = dyn_cast<CallOpInterface>(inner)) {
      // A callee reaches no buffer but the ones it is given.
      bool given = llvm::any_of(call.getArgOperands(), [&](Value operand) {
        return isa<BaseMemRefType>(operand.getType()) &&
               mayOverlap(operand, buffer);
      });
      return given ? WalkResult::interrupt() : WalkResult::advance();
    }
    auto effects = dyn_cast<MemoryEffectOpInterface>(inner);
    if (!effects)
      return inner->hasTrait<OpTrait::HasRecursiveMemoryEffects>() ||
                     isMemoryEffectFree(inner)
                 ? WalkResult::advance()
                 : WalkResult::interrupt();
    SmallVector<MemoryEffects::EffectInstance> instances;
    effects.getEffects(instances);
    for (const MemoryEffects::EffectInstance &instance : instances)
      if (isa<MemoryEffects::Write, MemoryEffects::Free>(
              instance.getEffect()) &&
          (!instance.getValue() || mayOverlap(instance.getValue(), buffer)))
        return WalkResult::interrupt();
    return WalkResult::advance();
  });
  return result.wasInterrupted();
}

/// Returns true if `op` runs on the device.
static bool onDevice(Operation *op) {
  return op->getParentOfType<scf::ParallelOp>() ||
         op->getParentOfType<gpu::LaunchOp>();
}

/// Returns true if `loop` runs one iteration.
static bool hasSingleIteration(scf::ParallelOp loop) {
  for (auto [lower, upper] :
       llvm::zip_equal(loop.getLowerBound(), loop.getUpperBound()))
    if (getConstantIntValue(lower) != 0 || getConstantIntValue(upper) != 1)
      return false;
  return true;
}

/// Returns true if `op` computes a scalar from scalars alone.
static bool isScalarArithmetic(Operation *op) {
  return op->getNumRegions() == 0 && op->getNumResults() != 0 &&
         isMemoryEffectFree(op) &&
         llvm::all_of(op->getResultTypes(),
                      [](Type type) { return type.isIntOrIndexOrFloat(); });
}

/// Returns true if the value that `load` reads can be read by the parallel
/// loops that use it instead, directly or through scalar arithmetic.
static bool canMoveToUses(memref::LoadOp load) {
  llvm::SetVector<Operation *> slice;
  slice.insert(load);
  llvm::SetVector<scf::ParallelOp> loops;
  for (unsigned i = 0; i < slice.size(); ++i) {
    for (Operation *user : slice[i]->getUsers()) {
      scf::ParallelOp outermost;
      for (auto loop = user->getParentOfType<scf::ParallelOp>(); loop;
           loop = loop->getParentOfType<scf::ParallelOp>())
        outermost = loop;
      if (outermost)
        loops.insert(outermost);
      else if (isScalarArithmetic(user))
        slice.insert(user);
      else
        return false;
    }
  }

  Block *block = load->getBlock();
  for (scf::ParallelOp loop : loops) {
    Operation *last = block->findAncestorOpInBlock(*loop);
    if (!last)
      return false;
    for (Operation *op = load->getNextNode(); op != last;
         op = op->getNextNode())
      if (mayWrite(op, load.getMemRef()))
        return false;
    // Threads of the loop itself may overwrite what others still have to read.
    bool reads = last == loop.getOperation() && hasSingleIteration(loop);
    if (!reads && mayWrite(last, load.getMemRef()))
      return false;
  }
  return true;
}

/// Computes what `loop` uses of `moved` loads and the arithmetic on them inside
/// of it.
static void
moveIntoLoop(scf::ParallelOp loop,
             const llvm::SmallPtrSetImpl<Operation *> &movedSlices) {
  Region &region = loop.getRegion();
  llvm::SetVector<Value> captured;
  getUsedValuesDefinedAbove(region, captured);
  OpBuilder builder = OpBuilder::atBlockBegin(loop.getBody());
  IRMapping mapping;
  SmallVector<Operation *> worklist;
  for (Value value : captured)
    if (Operation *op = value.getDefiningOp(); op && movedSlices.contains(op))
      worklist.push_back(op);
  // Operands are cloned before their users, each definition once.
  while (!worklist.empty()) {
    Operation *op = worklist.back();
    if (mapping.contains(op)) {
      worklist.pop_back();
      continue;
    }
    size_t before = worklist.size();
    for (Value operand : op->getOperands())
      if (Operation *definition = operand.getDefiningOp();
          definition && movedSlices.contains(definition) &&
          !mapping.contains(definition))
        worklist.push_back(definition);
    if (worklist.size() != before)
      continue;
    builder.clone(*op, mapping);
    worklist.pop_back();
  }
  for (Value value : captured)
    if (Value moved = mapping.lookupOrNull(value))
      replaceAllUsesInRegionWith(value, moved, region);
}

/// Turns a store on the host into a parallel loop of one iteration.
static void wrapStore(memref::StoreOp store) {
  OpBuilder builder(store);
  Location loc = store.getLoc();
  Value zero = arith::ConstantIndexOp::create(builder, loc, 0);
  Value one = arith::ConstantIndexOp::create(builder, loc, 1);
  auto loop = scf::ParallelOp::create(builder, loc, ValueRange(zero),
                                      ValueRange(one), ValueRange(one),
                                      [](OpBuilder &, Location, ValueRange) {});
  loop->setAttr("memrev.kernel_name", builder.getStringAttr("store"));
  store->moveBefore(loop.getBody()->getTerminator());
}

namespace {
struct GPUScalarsToDevice
    : memrev::impl::GPUScalarsToDeviceBase<GPUScalarsToDevice> {
  void runOnOperation() override {
    SmallVector<memref::StoreOp> stores;
    SmallVector<memref::LoadOp> loads;
    getOperation().walk([&](Operation *op) {
      if (onDevice(op))
        return;
      if (auto store = dyn_cast<memref::StoreOp>(op))
        stores.push_back(store);
      else if (auto load = dyn_cast<memref::LoadOp>(op))
        loads.push_back(load);
    });
    for (memref::StoreOp store : stores)
      wrapStore(store);

    // Loads are decided one by one before any of them moves: arithmetic on a
    // loaded value moves with it, on one that is read back it stays.
    llvm::SmallPtrSet<Operation *, 16> slices;
    SmallVector<Operation *> ordered;
    llvm::SetVector<scf::ParallelOp> loops;
    for (memref::LoadOp load : loads) {
      if (!canMoveToUses(load))
        continue;
      SmallVector<Operation *> worklist = {load};
      while (!worklist.empty()) {
        Operation *op = worklist.pop_back_val();
        if (!slices.insert(op).second)
          continue;
        ordered.push_back(op);
        for (Operation *user : op->getUsers())
          if (!onDevice(user))
            worklist.push_back(user);
      }
    }
    getOperation().walk([&](scf::ParallelOp loop) {
      if (!onDevice(loop))
        moveIntoLoop(loop, slices);
    });
    // Users were found after their operands, so that they are dead first.
    bool changed = true;
    while (changed) {
      changed = false;
      for (Operation *&op : ordered)
        if (op && op->use_empty()) {
          op->erase();
          op = nullptr;
          changed = true;
        }
    }
  }
};
} // namespace
