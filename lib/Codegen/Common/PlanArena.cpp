//===- PlanArena.cpp - One arena for all buffers --------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Codegen/Common/AttributeNames.h"
#include "memrev/Codegen/Common/ByteSize.h"
#include "memrev/Codegen/Common/CallOrder.h"
#include "memrev/Codegen/Common/FramePacking.h"
#include "memrev/Codegen/Common/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/Transforms/BufferViewFlowAnalysis.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Interfaces/DataLayoutInterfaces.h"
#include "llvm/ADT/StringMap.h"
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

/// The time of each operation of a function, those in regions during the one
/// that holds the region.
class Timeline {
public:
  explicit Timeline(func::FuncOp func) : views(func) {
    func.walk([&](Operation *op, const WalkStage &stage) {
      if (stage.isBeforeAllRegions())
        spans[op].first = ++time;
      if (stage.isAfterAllRegions())
        spans[op].second = ++time;
    });
  }

  /// Sets the live range of `allocation` to span the uses of all its views.
  void setLiveRange(Allocation &allocation) const;

  /// The last time.
  int64_t getEnd() const { return time; }

private:
  BufferViewFlowAnalysis views;
  DenseMap<Operation *, std::pair<int64_t, int64_t>> spans;
  int64_t time = 0;
};

/// A buffer in a frame, and the part of a call during which it is in use, from
/// 0 to 1.
struct FrameBuffer {
  Location location;
  Type type;
  int64_t bytes;
  int64_t offset;
  double begin, end;
};

/// Plans one function, whose callees have been planned.
class FramePlanner {
public:
  using FrameByFunction = llvm::StringMap<std::vector<FrameBuffer>>;

  FramePlanner(func::FuncOp func, int64_t maxStackBytes, int64_t maxThreads,
               FrameByFunction &frames)
      : func(func), layout(DataLayout::closest(func)),
        maxStackBytes(maxStackBytes), maxThreads(maxThreads), frames(frames) {}

  /// Replaces every allocation and returns the bytes of the function's frame.
  FailureOr<int64_t> run();

private:
  FailureOr<Allocation> measure(memref::AllocOp alloc);
  FailureOr<int64_t> pack(MutableArrayRef<PackedBuffer> buffers);
  LogicalResult planParallelLoops();
  LogicalResult planParallelLoop(Operation *loop,
                                 MutableArrayRef<Allocation> allocations);
  void record(ArrayRef<Allocation> allocations, double duration);
  Value addFrameArgument(int64_t bytes);
  void replaceByView(Allocation &allocation, Value frame, Value base);

  func::FuncOp func;
  DataLayout layout;
  int64_t maxStackBytes;
  int64_t maxThreads;
  /// What lies in the frame of each planned function.
  FrameByFunction &frames;
};
} // namespace

void Timeline::setLiveRange(Allocation &allocation) const {
  SmallVector<Operation *> users;
  for (Value view : views.resolve(allocation.op.getResult()))
    llvm::append_range(users, view.getUsers());
  Region *region = allocation.op->getParentRegion();
  // A view that leaves the allocation's block through a yield lives in the
  // blocks around it, from their beginning.
  bool escapes = false;
  while (llvm::any_of(users, [&](Operation *user) {
    return !region->findAncestorOpInRegion(*user);
  })) {
    region = region->getParentRegion();
    escapes = true;
  }
  if (escapes)
    users.push_back(allocation.op);
  PackedBuffer &buffer = allocation.buffer;
  buffer.begin = std::numeric_limits<int64_t>::max();
  buffer.end = std::numeric_limits<int64_t>::min();
  for (Operation *user : users) {
    auto [begin, end] = spans.lookup(region->findAncestorOpInRegion(*user));
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
  std::optional<int64_t> bytes =
      getStaticBytes(type, layout.getTypeSize(type.getElementType()));
  if (!bytes)
    return alloc.emitOpError("expects a buffer of less than 2^48 bytes, but "
                             "got ")
           << type;
  allocation.buffer.bytes = type.getNumElements() == 0 ? 0 : *bytes;
  return allocation;
}

/// Gives each buffer an offset and returns the bytes of the frame.
FailureOr<int64_t> FramePlanner::pack(MutableArrayRef<PackedBuffer> buffers) {
  // No offset is larger than this, so that none wraps around.
  uint64_t total = 0;
  for (const PackedBuffer &buffer : buffers)
    total =
        llvm::SaturatingAdd<uint64_t>(total, buffer.bytes + kBufferAlignment);
  bool isInRange = total < uint64_t(std::numeric_limits<int64_t>::max());
  int64_t bytes = isInRange ? packBuffers(buffers, kBufferAlignment) : total;
  if (!isInRange || bytes >= kMaxBytes)
    return func.emitError("expects buffers that take less than 2^48 bytes at "
                          "a time, but got a plan that takes ")
           << static_cast<uint64_t>(isInRange ? bytes : total);
  return bytes;
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
      // The operation at the start may be the allocation that was erased.
      builder.setInsertionPointToStart(body);
      Value slot = memref::AllocaOp::create(
          builder, allocation.op.getLoc(), allocation.op.getType(),
          ValueRange(), builder.getI64IntegerAttr(kBufferAlignment));
      allocation.op.replaceAllUsesWith(slot);
      allocation.op.erase();
    }
    return success();
  }

  // One slice of the arena for each thread.
  Timeline timeline(func);
  SmallVector<PackedBuffer> buffers;
  for (Allocation &allocation : allocations) {
    timeline.setLiveRange(allocation);
    buffers.push_back(allocation.buffer);
  }
  FailureOr<int64_t> packed = pack(buffers);
  if (failed(packed))
    return failure();
  int64_t slice = llvm::alignTo(*packed, kBufferAlignment);
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

LogicalResult FramePlanner::planParallelLoops() {
  llvm::MapVector<Operation *, SmallVector<Allocation>> loops;
  WalkResult result = func.walk([&](memref::AllocOp alloc) {
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

/// Notes where `allocations`, whose offsets are known, lie in the frame and
/// when; instead of a callee's frame what lies in it.
void FramePlanner::record(ArrayRef<Allocation> allocations, double duration) {
  std::vector<FrameBuffer> &noted = frames[func.getSymName()];
  for (const Allocation &allocation : allocations) {
    memref::AllocOp op = allocation.op;
    const PackedBuffer &buffer = allocation.buffer;
    // Nobody uses it.
    if (buffer.begin > buffer.end)
      continue;
    // From the beginning of the first step to the end of the last.
    double begin = (buffer.begin - 1) / duration, end = buffer.end / duration;
    auto callee = op->getAttrOfType<FlatSymbolRefAttr>(kFrameOfAttr);
    if (!callee) {
      noted.push_back(
          {op.getLoc(), op.getType(), buffer.bytes, buffer.offset, begin, end});
      continue;
    }
    for (FrameBuffer inner : frames.lookup(callee.getValue())) {
      inner.offset += buffer.offset;
      inner.begin = begin + inner.begin * (end - begin);
      inner.end = begin + inner.end * (end - begin);
      noted.push_back(inner);
    }
  }
}

/// The buffers of a frame of `bytes` as an attribute: all that a picture of the
/// frame shows, and all that is live with most others.
static ArrayAttr describe(MLIRContext *context, ArrayRef<FrameBuffer> buffers,
                          int64_t bytes) {
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

/// Gives the function the frame as its last argument.
Value FramePlanner::addFrameArgument(int64_t bytes) {
  Builder builder(func.getContext());
  unsigned index = func.getNumArguments();
  auto type = MemRefType::get({bytes}, builder.getI8Type());
  (void)func.insertArgument(index, type, /*argAttrs=*/{}, func.getLoc());
  return func.getArgument(index);
}

/// Lets loops carry one buffer for each state. A buffer that an iteration
/// allocates and yields would be the same in each iteration, so the next one
/// would write over what it still reads.
static void carryOneBuffer(func::FuncOp func) {
  BufferViewFlowAnalysis views(func);
  func.walk([&](scf::ForOp loop) {
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

FailureOr<int64_t> FramePlanner::run() {
  func.walk([](memref::DeallocOp dealloc) { dealloc.erase(); });
  carryOneBuffer(func);
  // The slices of parallel loops become allocations of the function.
  if (failed(planParallelLoops()))
    return failure();
  SmallVector<Allocation> allocations;
  WalkResult result = func.walk([&](memref::AllocOp alloc) {
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

  SmallVector<PackedBuffer> buffers;
  double duration = 1;
  if (!allocations.empty()) {
    Timeline timeline(func);
    duration = timeline.getEnd();
    for (Allocation &allocation : allocations) {
      timeline.setLiveRange(allocation);
      buffers.push_back(allocation.buffer);
    }
  }
  FailureOr<int64_t> packed = pack(buffers);
  if (failed(packed))
    return failure();
  int64_t bytes = *packed;
  for (auto [allocation, buffer] : llvm::zip_equal(allocations, buffers))
    allocation.buffer = buffer;
  record(allocations, duration);
  // Buffers without elements are in a frame, too.
  if (!allocations.empty())
    bytes = std::max<int64_t>(bytes, 1);
  bool isEntry = func->hasAttr(kEntryAttr);
  if (bytes == 0 && !isEntry)
    return 0;
  Value frame = addFrameArgument(bytes);
  for (Allocation &allocation : allocations)
    replaceByView(allocation, frame, /*base=*/Value());
  if (isEntry) {
    Builder builder(func.getContext());
    func->setAttr(kArenaBytesAttr, builder.getI64IntegerAttr(bytes));
    func->setAttr(
        kArenaBuffersAttr,
        describe(func.getContext(), frames[func.getSymName()], bytes));
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
  frame.getDefiningOp()->setAttr(kFrameOfAttr, call.getCalleeAttr());
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
    FramePlanner::FrameByFunction frames;
    for (func::FuncOp func : order->functions) {
      if (func.isExternal())
        continue;
      FramePlanner planner(func, maxStackBytes,
                           std::max<int64_t>(maxThreads, 1), frames);
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
