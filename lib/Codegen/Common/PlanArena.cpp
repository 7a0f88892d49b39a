//===- PlanArena.cpp - One arena for all buffers --------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Codegen/Common/AttributeNames.h"
#include "memrev/Codegen/Common/CallOrder.h"
#include "memrev/Codegen/Common/FramePacking.h"
#include "memrev/Codegen/Common/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/Transforms/BufferViewFlowAnalysis.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Interfaces/DataLayoutInterfaces.h"
#include "llvm/Support/MathExtras.h"

namespace mlir::memrev {
#define GEN_PASS_DEF_CODEGENPLANARENA
#include "memrev/Codegen/Common/Passes.h.inc"
} // namespace mlir::memrev

using namespace mlir;
using namespace mlir::memrev;

namespace {
/// An allocation and what is known of it.
struct Allocation {
  memref::AllocOp op;
  PackedBuffer buffer;
};

/// A function together with its segments, whose buffers are planned as if the
/// segments were inlined: the time of each operation, and the views of buffers.
class Timeline {
public:
  /// `segmentCalls` holds the one call of each segment, by segment.
  Timeline(func::FuncOp func,
           const DenseMap<Operation *, func::CallOp> &segmentCalls)
      : segmentCalls(segmentCalls) {
    for (auto [segment, call] : segmentCalls)
      callees[call] = cast<func::FuncOp>(segment);
    number(func);
  }

  /// Sets the live range of `allocation` to span the uses of all its views.
  void setLiveRange(Allocation &allocation);

private:
  void number(func::FuncOp func);
  SmallVector<Operation *> collectUsers(Value buffer);
  Operation *lift(Operation *user, Region *region) const;
  Region *getRegionAround(Region *region) const;

  const DenseMap<Operation *, func::CallOp> &segmentCalls;
  DenseMap<Operation *, func::FuncOp> callees;
  DenseMap<Operation *, std::unique_ptr<BufferViewFlowAnalysis>> views;
  DenseMap<Operation *, std::pair<int64_t, int64_t>> spans;
  int64_t time = 0;
};

/// Plans one function and its segments; all other callees have been planned.
class FramePlanner {
public:
  FramePlanner(func::FuncOp func,
               const DenseMap<Operation *, func::CallOp> &segmentCalls,
               int64_t maxStackBytes, int64_t maxThreads)
      : func(func), segmentCalls(segmentCalls),
        layout(DataLayout::closest(func)), maxStackBytes(maxStackBytes),
        maxThreads(maxThreads) {
    parts.push_back(func);
    for (size_t i = 0; i < parts.size(); ++i) {
      parts[i].walk([&](func::CallOp call) {
        auto callee = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(
            call, call.getCalleeAttr());
        if (callee && segmentCalls.contains(callee))
          parts.push_back(callee);
      });
    }
  }

  /// Replaces every allocation and returns the bytes of the function's frame.
  FailureOr<int64_t> run();

private:
  FailureOr<Allocation> measure(memref::AllocOp alloc);
  LogicalResult planParallelLoops(func::FuncOp part);
  LogicalResult planParallelLoop(Operation *loop,
                                 MutableArrayRef<Allocation> allocations);
  void addFrameArguments(int64_t bytes);
  void replaceByView(Allocation &allocation, Value frame, Value base);

  func::FuncOp func;
  const DenseMap<Operation *, func::CallOp> &segmentCalls;
  /// The function and its segments, callers first.
  SmallVector<func::FuncOp> parts;
  DataLayout layout;
  int64_t maxStackBytes;
  int64_t maxThreads;
};
} // namespace

/// Gives a time to each operation of `func`, those of segments during the call.
void Timeline::number(func::FuncOp func) {
  func.walk([&](Operation *op, const WalkStage &stage) {
    if (stage.isBeforeAllRegions()) {
      spans[op].first = ++time;
      if (func::FuncOp callee = callees.lookup(op))
        number(callee);
    }
    if (stage.isAfterAllRegions())
      spans[op].second = ++time;
  });
}

/// Returns the operations that use `buffer` or a view of it, in segments too.
SmallVector<Operation *> Timeline::collectUsers(Value buffer) {
  SmallVector<Operation *> users;
  SmallVector<Value> pending{buffer};
  while (!pending.empty()) {
    Value root = pending.pop_back_val();
    Operation *part = root.getParentRegion()->getParentOp();
    if (!isa<func::FuncOp>(part))
      part = part->getParentOfType<func::FuncOp>();
    std::unique_ptr<BufferViewFlowAnalysis> &analysis = views[part];
    if (!analysis)
      analysis = std::make_unique<BufferViewFlowAnalysis>(part);
    for (Value view : analysis->resolve(root)) {
      for (OpOperand &use : view.getUses()) {
        if (func::FuncOp callee = callees.lookup(use.getOwner()))
          pending.push_back(callee.getArgument(use.getOperandNumber()));
        else
          users.push_back(use.getOwner());
      }
    }
  }
  return users;
}

/// Returns the region around `region`, which for a segment is where it is
/// called, or null.
Region *Timeline::getRegionAround(Region *region) const {
  Operation *parent = region->getParentOp();
  auto it = segmentCalls.find(parent);
  if (it != segmentCalls.end())
    return it->second->getParentRegion();
  return parent->getParentRegion();
}

/// Returns `user` or the outermost operation around it that is in `region` or
/// in a segment called from there; null if there is none.
Operation *Timeline::lift(Operation *user, Region *region) const {
  Operation *lifted = user;
  for (Region *around = user->getParentRegion(); around;
       around = getRegionAround(around)) {
    if (around == region)
      return lifted;
    if (!segmentCalls.contains(around->getParentOp()))
      lifted = around->getParentOp();
  }
  return nullptr;
}

void Timeline::setLiveRange(Allocation &allocation) {
  SmallVector<Operation *> users = collectUsers(allocation.op.getResult());
  Region *region = allocation.op->getParentRegion();
  // A view that leaves the allocation's block through a yield lives in the
  // blocks around it, from their beginning.
  bool escapes = false;
  while (llvm::any_of(users, [&](Operation *user) {
    return !lift(user, region);
  })) {
    region = getRegionAround(region);
    escapes = true;
  }
  if (escapes)
    users.push_back(allocation.op);
  PackedBuffer &buffer = allocation.buffer;
  buffer.begin = std::numeric_limits<int64_t>::max();
  buffer.end = std::numeric_limits<int64_t>::min();
  for (Operation *user : users) {
    auto [begin, end] = spans.lookup(lift(user, region));
    buffer.begin = std::min(buffer.begin, begin);
    buffer.end = std::max(buffer.end, end);
  }
}

/// Returns the outermost parallel loop around `op`, or null.
static Operation *getOutermostParallelLoop(Operation *op) {
  Operation *outermost = nullptr;
  while ((op = op->getParentOp())) {
    if (isa<scf::ForallOp, scf::ParallelOp>(op))
      outermost = op;
  }
  return outermost;
}

FailureOr<Allocation> FramePlanner::measure(memref::AllocOp alloc) {
  MemRefType type = alloc.getType();
  if (!type.hasStaticShape())
    return alloc.emitOpError(
               "expects a static shape to be given a place in the arena, but "
               "got ")
           << type;
  if (!type.getLayout().isIdentity())
    return alloc.emitOpError("expects a contiguous buffer, but got ") << type;
  Allocation allocation;
  allocation.op = alloc;
  int64_t element = layout.getTypeSize(type.getElementType());
  // Offsets must stay in range even for shapes that no machine can hold.
  int64_t bytes = element;
  for (int64_t size : type.getShape()) {
    if (llvm::MulOverflow(bytes, size, bytes) ||
        bytes > std::numeric_limits<int64_t>::max() / 2)
      return alloc.emitOpError("expects a buffer of less than 2^62 bytes, but "
                               "got ")
             << type;
  }
  allocation.buffer.bytes = bytes;
  return allocation;
}

/// Replaces `allocation` by a view of `frame` at its offset from `base`, a
/// number of bytes or null for none.
void FramePlanner::replaceByView(Allocation &allocation, Value frame,
                                 Value base) {
  OpBuilder builder(allocation.op);
  Location loc = allocation.op.getLoc();
  Value offset =
      arith::ConstantIndexOp::create(builder, loc, allocation.buffer.offset);
  if (base)
    offset = arith::AddIOp::create(builder, loc, base, offset);
  Value view = memref::ViewOp::create(builder, loc, allocation.op.getType(),
                                      frame, offset, ValueRange());
  allocation.op.replaceAllUsesWith(view);
  allocation.op.erase();
}

LogicalResult
FramePlanner::planParallelLoop(Operation *loop,
                               MutableArrayRef<Allocation> allocations) {
  int64_t total = 0;
  for (Allocation &allocation : allocations)
    total += llvm::alignTo(allocation.buffer.bytes, kBufferAlignment);
  Block *body = &loop->getRegion(0).front();
  OpBuilder builder = OpBuilder::atBlockBegin(body);
  if (total <= maxStackBytes) {
    for (Allocation &allocation : allocations) {
      Value slot = memref::AllocaOp::create(
          builder, allocation.op.getLoc(), allocation.op.getType(),
          ValueRange(), builder.getI64IntegerAttr(kBufferAlignment));
      allocation.op.replaceAllUsesWith(slot);
      allocation.op.erase();
    }
    return success();
  }

  // One slice of the arena for each thread.
  DenseMap<Operation *, func::CallOp> noSegments;
  Timeline timeline(loop->getParentOfType<func::FuncOp>(), noSegments);
  SmallVector<PackedBuffer> buffers;
  for (Allocation &allocation : allocations) {
    timeline.setLiveRange(allocation);
    buffers.push_back(allocation.buffer);
  }
  int64_t slice =
      llvm::alignTo(packFirstFit(buffers, kBufferAlignment), kBufferAlignment);
  OpBuilder outside(loop);
  Location loc = loop->getLoc();
  auto type = MemRefType::get({slice * maxThreads}, builder.getI8Type());
  Value frame =
      memref::AllocOp::create(outside, loc, type, ValueRange(),
                              outside.getI64IntegerAttr(kBufferAlignment));
  Value base;
  if (maxThreads > 1) {
    // An OpenMP entry point; a loop that becomes sequential gets thread 0.
    SymbolTable symbols(func->getParentOfType<ModuleOp>());
    StringRef name = "omp_get_thread_num";
    auto declaration = symbols.lookup<func::FuncOp>(name);
    if (!declaration) {
      declaration = func::FuncOp::create(
          loc, name, builder.getFunctionType({}, {builder.getI32Type()}));
      declaration.setPrivate();
      symbols.insert(declaration);
    }
    Value thread = func::CallOp::create(builder, loc, declaration, ValueRange())
                       .getResult(0);
    thread = arith::IndexCastOp::create(builder, loc, builder.getIndexType(),
                                        thread);
    Value size = arith::ConstantIndexOp::create(builder, loc, slice);
    base = arith::MulIOp::create(builder, loc, thread, size);
    loop->setAttr(kMaxThreadsAttr, builder.getI64IntegerAttr(maxThreads));
  }
  for (auto [allocation, buffer] : llvm::zip_equal(allocations, buffers)) {
    allocation.buffer = buffer;
    replaceByView(allocation, frame, base);
  }
  return success();
}

LogicalResult FramePlanner::planParallelLoops(func::FuncOp part) {
  llvm::MapVector<Operation *, SmallVector<Allocation>> loops;
  WalkResult result = part.walk([&](memref::AllocOp alloc) {
    Operation *loop = getOutermostParallelLoop(alloc);
    if (!loop)
      return WalkResult::advance();
    FailureOr<Allocation> allocation = measure(alloc);
    if (failed(allocation))
      return WalkResult::interrupt();
    loops[loop].push_back(*allocation);
    return WalkResult::advance();
  });
  if (result.wasInterrupted())
    return failure();
  for (auto &[loop, allocations] : loops) {
    if (failed(planParallelLoop(loop, allocations)))
      return failure();
  }
  return success();
}

/// Gives the function and its segments the frame as their last argument.
void FramePlanner::addFrameArguments(int64_t bytes) {
  Builder builder(func.getContext());
  auto type = MemRefType::get({bytes}, builder.getI8Type());
  for (func::FuncOp part : parts) {
    (void)part.insertArgument(part.getNumArguments(), type, /*argAttrs=*/{},
                              part.getLoc());
    if (func::CallOp call = segmentCalls.lookup(part)) {
      auto caller = call->getParentOfType<func::FuncOp>();
      call.getOperandsMutable().append(caller.getArguments().back());
    }
  }
}

FailureOr<int64_t> FramePlanner::run() {
  SmallVector<Allocation> allocations;
  for (func::FuncOp part : parts) {
    part.walk([](memref::DeallocOp dealloc) { dealloc.erase(); });
    // The slices of parallel loops become allocations of the function.
    if (failed(planParallelLoops(part)))
      return failure();
    WalkResult result = part.walk([&](memref::AllocOp alloc) {
      if (alloc->use_empty()) {
        alloc.erase();
        return WalkResult::advance();
      }
      FailureOr<Allocation> allocation = measure(alloc);
      if (failed(allocation))
        return WalkResult::interrupt();
      allocations.push_back(*allocation);
      return WalkResult::advance();
    });
    if (result.wasInterrupted())
      return failure();
  }

  SmallVector<PackedBuffer> buffers;
  if (!allocations.empty()) {
    Timeline timeline(func, segmentCalls);
    for (Allocation &allocation : allocations) {
      timeline.setLiveRange(allocation);
      buffers.push_back(allocation.buffer);
    }
  }
  int64_t bytes = packFirstFit(buffers, kBufferAlignment);
  bool isEntry = func->hasAttr(kEntryAttr);
  if (bytes == 0 && !isEntry)
    return 0;
  addFrameArguments(bytes);
  for (auto [allocation, buffer] : llvm::zip_equal(allocations, buffers)) {
    allocation.buffer = buffer;
    auto part = allocation.op->getParentOfType<func::FuncOp>();
    replaceByView(allocation, part.getArguments().back(), /*base=*/Value());
  }
  if (isEntry) {
    Builder builder(func.getContext());
    func->setAttr(kArenaBytesAttr, builder.getI64IntegerAttr(bytes));
    func.setArgAttr(func.getNumArguments() - 1, kRoleAttr,
                    builder.getStringAttr(kArenaRole));
  }
  return bytes;
}

/// Makes `call` pass a frame of `bytes` to its callee.
static void passFrame(func::CallOp call, int64_t bytes) {
  OpBuilder builder(call);
  auto type = MemRefType::get({bytes}, builder.getI8Type());
  Value frame =
      memref::AllocOp::create(builder, call.getLoc(), type, ValueRange(),
                              builder.getI64IntegerAttr(kBufferAlignment));
  call.getOperandsMutable().append(frame);
}

namespace {
class CodegenPlanArenaPass
    : public memrev::impl::CodegenPlanArenaBase<CodegenPlanArenaPass> {
public:
  using CodegenPlanArenaBase::CodegenPlanArenaBase;

  void runOnOperation() override {
    FailureOr<CallOrder> order = CallOrder::compute(getOperation());
    if (failed(order))
      return signalPassFailure();
    DenseMap<Operation *, func::CallOp> segmentCalls;
    for (func::FuncOp func : order->functions) {
      ArrayRef<func::CallOp> callers = order->callers[func];
      // A segment in a parallel loop has a frame for each thread.
      if (func->hasAttr(kSegmentAttr) && !func.isExternal() &&
          callers.size() == 1 && !getOutermostParallelLoop(callers.front()))
        segmentCalls[func] = callers.front();
    }
    for (func::FuncOp func : order->functions) {
      if (func.isExternal() || segmentCalls.contains(func))
        continue;
      FramePlanner planner(func, segmentCalls, maxStackBytes,
                           std::max<int64_t>(maxThreads, 1));
      FailureOr<int64_t> bytes = planner.run();
      if (failed(bytes))
        return signalPassFailure();
      if (*bytes == 0)
        continue;
      for (func::CallOp call : order->callers[func])
        passFrame(call, *bytes);
    }
  }
};
} // namespace
