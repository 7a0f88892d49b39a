//===- PlanArena.cpp - One arena for all buffers --------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "FrameBuffer.h"
#include "Timeline.h"
#include "memrev/Codegen/Common/AttributeNames.h"
#include "memrev/Codegen/Common/ByteSize.h"
#include "memrev/Codegen/Common/CallOrder.h"
#include "memrev/Codegen/Common/DynamicFrame.h"
#include "memrev/Codegen/Common/FramePacking.h"
#include "memrev/Codegen/Common/Passes.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/Transforms/BufferViewFlowAnalysis.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Interfaces/DataLayoutInterfaces.h"
#include "mlir/Interfaces/ValueBoundsOpInterface.h"
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

/// The frame of a planned function.
struct Frame {
  /// The buffers in it whose bytes are known.
  std::vector<FrameBuffer> buffers;
  /// The largest of the results are its bytes, by the open extents of the
  /// function's arguments, which `symbols` are: positions of arguments and
  /// axes.
  AffineMap bytes;
  SmallVector<std::pair<unsigned, int64_t>> symbols;
  CallConditions conditions;

  /// The bytes, if they are known.
  std::optional<int64_t> getConstantBytes() const {
    if (bytes.isSingleConstant())
      return bytes.getSingleConstantResult();
    return std::nullopt;
  }
};

/// Plans one function, whose callees have been planned.
class FramePlanner {
public:
  using FrameByFunction = llvm::StringMap<Frame>;

  FramePlanner(func::FuncOp func, int64_t maxStackBytes, int64_t maxThreads,
               bool staticOnly, FrameByFunction &frames)
      : func(func), layout(DataLayout::closest(func)), extents(func),
        maxStackBytes(maxStackBytes), maxThreads(maxThreads),
        staticOnly(staticOnly), frames(frames) {}

  /// Replaces every allocation by a view of the frame, which it notes.
  LogicalResult run();

private:
  bool isDynamic(memref::AllocOp alloc) const;
  void collectConditions();
  FailureOr<AffineExpr> getExtentOrBound(memref::AllocOp alloc, int64_t axis);
  FailureOr<DynamicBuffer> measureDynamic(memref::AllocOp alloc);
  LogicalResult measureFrame(memref::AllocOp alloc, DynamicBuffer &buffer);
  SmallVector<AffineExpr> getCalleeSymbols(func::CallOp call,
                                           const Frame &callee);
  void replaceByView(DynamicBuffer &buffer, Value frame, ValueRange symbols);
  LogicalResult finishEntry(const Frame &frame);
  FailureOr<Allocation> measure(memref::AllocOp alloc);
  FailureOr<int64_t> pack(MutableArrayRef<PackedBuffer> buffers);
  LogicalResult planParallelLoops();
  LogicalResult planParallelLoop(Operation *loop,
                                 MutableArrayRef<Allocation> allocations);
  void record(ArrayRef<Allocation> allocations, double duration);
  Value addFrameArgument(std::optional<int64_t> bytes);
  void replaceByView(Allocation &allocation, Value frame, Value base);

  func::FuncOp func;
  DataLayout layout;
  Extents extents;
  CallConditions conditions;
  /// What `conditions` say that each symbol is.
  SmallVector<AffineExpr> solution;
  int64_t maxStackBytes;
  int64_t maxThreads;
  bool staticOnly;
  FrameByFunction &frames;
};
} // namespace

/// Returns the outermost parallel loop around `op`, or null.
static Operation *getOutermostParallelLoop(Operation *op) {
  Operation *outermost = nullptr;
  while ((op = op->getParentOp())) {
    if (isa<scf::ForallOp, scf::ParallelOp>(op))
      outermost = op;
  }
  return outermost;
}

/// Fails, with an error, if no arena has a place for such a buffer.
static LogicalResult verifyPlaceable(memref::AllocOp alloc, bool isStatic) {
  MemRefType type = alloc.getType();
  if (isStatic && !type.hasStaticShape())
    return alloc.emitOpError(
               "expects a static shape to be given a place in the arena, but "
               "got ")
           << type;
  if (!type.getLayout().isIdentity())
    return alloc.emitOpError("expects a contiguous buffer, but got ") << type;
  return success();
}

FailureOr<Allocation> FramePlanner::measure(memref::AllocOp alloc) {
  MemRefType type = alloc.getType();
  if (failed(verifyPlaceable(alloc, /*isStatic=*/true)))
    return failure();
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
    std::tie(allocation.buffer.begin, allocation.buffer.end) =
        timeline.getLiveRange(allocation.op);
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
  std::vector<FrameBuffer> &noted = frames[func.getSymName()].buffers;
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
    for (FrameBuffer inner : frames[callee.getValue()].buffers) {
      inner.offset += buffer.offset;
      inner.begin = begin + inner.begin * (end - begin);
      inner.end = begin + inner.end * (end - begin);
      noted.push_back(inner);
    }
  }
}

/// The type of a frame of `bytes`. Where they are not known it is handed over
/// by its address, as its first byte.
static MemRefType getFrameType(std::optional<int64_t> bytes, Builder &builder) {
  return MemRefType::get({bytes.value_or(1)}, builder.getI8Type());
}

/// Gives the function the frame as its last argument.
Value FramePlanner::addFrameArgument(std::optional<int64_t> bytes) {
  Builder builder(func.getContext());
  unsigned index = func.getNumArguments();
  auto type = getFrameType(bytes, builder);
  (void)func.insertArgument(index, type, /*argAttrs=*/{}, func.getLoc());
  return func.getArgument(index);
}

/// Whether the bytes of `alloc` depend on extents.
bool FramePlanner::isDynamic(memref::AllocOp alloc) const {
  if (!alloc.getType().hasStaticShape())
    return true;
  auto callee = alloc->getAttrOfType<FlatSymbolRefAttr>(kFrameOfAttr);
  return callee && !frames[callee.getValue()].getConstantBytes();
}

/// Returns the expressions of the symbols of `callee`; null if they do not
/// follow from those of this function.
SmallVector<AffineExpr> FramePlanner::getCalleeSymbols(func::CallOp call,
                                                       const Frame &callee) {
  SmallVector<AffineExpr> symbols;
  for (auto [argument, axis] : callee.symbols)
    symbols.push_back(extents.getExtent(call.getOperand(argument), axis));
  return symbols;
}

/// Notes what the operations of the function ask of its arguments' extents.
/// Those of a branch may not be executed.
void FramePlanner::collectConditions() {
  conditions.equal = extents.getConditions();
  func.walk([&](func::CallOp call) {
    if (call->getParentOfType<scf::IfOp>() ||
        call->getParentOfType<scf::WhileOp>() ||
        call->getParentOfType<scf::IndexSwitchOp>())
      return;
    auto callee = frames.find(call.getCallee());
    if (callee != frames.end())
      conditions.addOfCallee(callee->second.conditions,
                             getCalleeSymbols(call, callee->second));
  });
  solution =
      solveSymbols(conditions, extents.getSymbols().size(), func.getContext());
}

/// Returns the extent of the buffer `alloc` along `axis`, or a constant that it
/// does not exceed.
FailureOr<AffineExpr> FramePlanner::getExtentOrBound(memref::AllocOp alloc,
                                                     int64_t axis) {
  if (AffineExpr extent = extents.getExtent(alloc, axis)) {
    conditions.addNatural(extent);
    AffineExpr solved = substitute(extent, solution);
    return solved ? solved : extent;
  }
  FailureOr<int64_t> bound = ValueBoundsConstraintSet::computeConstantBound(
      presburger::BoundType::UB, {alloc.getResult(), axis},
      /*stopCondition=*/nullptr, /*closedUB=*/true);
  if (failed(bound))
    return alloc.emitOpError("expects extents that follow from those of the "
                             "function's arguments or have a constant bound, "
                             "to be given a place in the arena, but got ")
           << alloc.getType() << " whose axis " << axis << " does neither";
  return getAffineConstantExpr(std::max<int64_t>(*bound, 0), func.getContext());
}

/// Measures the frame `alloc` of a callee.
LogicalResult FramePlanner::measureFrame(memref::AllocOp alloc,
                                         DynamicBuffer &buffer) {
  auto name = alloc->getAttrOfType<FlatSymbolRefAttr>(kFrameOfAttr);
  const Frame &callee = frames[name.getValue()];
  auto call = cast<func::CallOp>(*alloc->getUsers().begin());
  SmallVector<AffineExpr> symbols = getCalleeSymbols(call, callee);
  for (auto [symbol, place] : llvm::zip_equal(symbols, callee.symbols)) {
    if (!symbol)
      return call.emitOpError("expects extents that follow from those of the "
                              "function's arguments, to be given a frame for "
                              "the callee, but got operand ")
             << place.first << " whose axis " << place.second << " does not";
    if (AffineExpr solved = substitute(symbol, solution))
      symbol = solved;
  }
  for (AffineExpr term : callee.bytes.getResults()) {
    auto bytes = Polynomial::get(term, symbols);
    if (!bytes)
      return call.emitOpError("expects a frame whose bytes fit 64 bits");
    buffer.bytes.add(std::move(*bytes));
  }
  return success();
}

FailureOr<DynamicBuffer> FramePlanner::measureDynamic(memref::AllocOp alloc) {
  DynamicBuffer buffer;
  buffer.op = alloc;
  MemRefType type = alloc.getType();
  if (failed(verifyPlaceable(alloc, staticOnly)))
    return failure();
  if (alloc->hasAttr(kFrameOfAttr)) {
    if (failed(measureFrame(alloc, buffer)))
      return failure();
    return buffer;
  }
  std::optional<Polynomial> bytes(
      Polynomial(layout.getTypeSize(type.getElementType())));
  for (int64_t axis = 0; axis < type.getRank(); ++axis) {
    FailureOr<AffineExpr> extent = getExtentOrBound(alloc, axis);
    if (failed(extent))
      return failure();
    std::optional<Polynomial> factor = Polynomial::get(*extent);
    bytes =
        bytes && factor ? Polynomial::product(*bytes, *factor) : std::nullopt;
  }
  if (!bytes)
    return alloc.emitOpError("expects a buffer of less than 2^48 bytes, but "
                             "got ")
           << type;
  buffer.bytes.add(std::move(*bytes));
  return buffer;
}

/// Replaces `buffer` by a view of `frame` at its offset.
void FramePlanner::replaceByView(DynamicBuffer &buffer, Value frame,
                                 ValueRange symbols) {
  OpBuilder builder(buffer.op);
  Location loc = buffer.op.getLoc();
  AffineMap map = buffer.offset.toMap(symbols.size(), func.getContext());
  Value offset;
  if (map.getNumResults() == 1)
    offset = createNumber(builder, loc, map.getResult(0), symbols);
  else
    offset = affine::AffineMaxOp::create(builder, loc, map, symbols);
  Value view = memref::ViewOp::create(builder, loc, buffer.op.getType(), frame,
                                      offset, buffer.op.getDynamicSizes());
  buffer.op.replaceAllUsesWith(view);
  buffer.op.erase();
}

/// Writes on an entry what its frame is, and for open extents how to learn it.
LogicalResult FramePlanner::finishEntry(const Frame &frame) {
  Builder builder(func.getContext());
  std::optional<int64_t> bytes = frame.getConstantBytes();
  if (extents.getSymbols().empty())
    func->setAttr(kArenaBytesAttr, builder.getI64IntegerAttr(*bytes));
  else
    func->setAttr(kArenaBytesAttr, AffineMapAttr::get(frame.bytes));
  // Of open extents nobody can say when most bytes are in use.
  func->setAttr(kArenaBuffersAttr,
                bytes ? describe(func.getContext(), frame.buffers, *bytes)
                      : builder.getArrayAttr({}));
  func.setArgAttr(func.getNumArguments() - 1, kRoleAttr,
                  builder.getStringAttr(kArenaRole));
  if (extents.getSymbols().empty())
    return success();
  return addExtentFunctions(func, frame.bytes, frame.conditions);
}

LogicalResult FramePlanner::run() {
  func.walk([](memref::DeallocOp dealloc) { dealloc.erase(); });
  collectConditions();
  // The slices of parallel loops become allocations of the function.
  if (failed(planParallelLoops()))
    return failure();
  SmallVector<Allocation> allocations;
  SmallVector<DynamicBuffer> dynamic;
  WalkResult result = func.walk([&](memref::AllocOp alloc) {
    if (alloc->use_empty()) {
      alloc.erase();
      return WalkResult::advance();
    }
    if (isDynamic(alloc)) {
      FailureOr<DynamicBuffer> buffer = measureDynamic(alloc);
      if (failed(buffer))
        return WalkResult::interrupt();
      dynamic.push_back(std::move(*buffer));
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

  MLIRContext *context = func.getContext();
  SmallVector<PackedBuffer> buffers;
  double duration = 1;
  if (!allocations.empty() || !dynamic.empty()) {
    Timeline timeline(func);
    duration = timeline.getEnd();
    for (Allocation &allocation : allocations) {
      std::tie(allocation.buffer.begin, allocation.buffer.end) =
          timeline.getLiveRange(allocation.op);
      buffers.push_back(allocation.buffer);
    }
    for (DynamicBuffer &buffer : dynamic)
      std::tie(buffer.begin, buffer.end) = timeline.getLiveRange(buffer.op);
  }
  FailureOr<int64_t> packed = pack(buffers);
  if (failed(packed))
    return failure();
  int64_t bytes = *packed;
  for (auto [allocation, buffer] : llvm::zip_equal(allocations, buffers))
    allocation.buffer = buffer;
  Frame &frame = frames[func.getSymName()];
  record(allocations, duration);
  // Buffers without elements are in a frame, too.
  if (!allocations.empty())
    bytes = std::max<int64_t>(bytes, 1);
  Maximum whole{Polynomial(bytes)};
  if (!dynamic.empty()) {
    // Above the others, whose offsets stay numbers.
    std::optional<Maximum> placed =
        placeDynamicBuffers(dynamic, llvm::alignTo(bytes, kBufferAlignment),
                            kBufferAlignment, context);
    if (!placed)
      return func.emitError("expects buffers whose bytes fit 64 bits");
    whole = std::move(*placed);
  }
  for (const Extents::Symbol &symbol : extents.getSymbols())
    frame.symbols.emplace_back(symbol.argument.getArgNumber(),
                               symbol.axis.value_or(0));
  frame.bytes = whole.toMap(frame.symbols.size(), context);
  frame.conditions = conditions;
  bool isEntry = func->hasAttr(kEntryAttr);
  if (allocations.empty() && dynamic.empty() && !isEntry)
    return success();
  Value argument = addFrameArgument(frame.getConstantBytes());
  for (Allocation &allocation : allocations)
    replaceByView(allocation, argument, /*base=*/Value());
  if (!dynamic.empty()) {
    OpBuilder builder = OpBuilder::atBlockBegin(&func.front());
    SmallVector<Value> symbols = extents.createSymbols(builder, func.getLoc());
    for (DynamicBuffer &buffer : dynamic)
      replaceByView(buffer, argument, symbols);
  }
  return isEntry ? finishEntry(frame) : success();
}

/// Makes `call` pass the frame of its callee, of `bytes`.
static void passFrame(func::CallOp call, std::optional<int64_t> bytes) {
  OpBuilder builder(call);
  Value frame = memref::AllocOp::create(
      builder, call.getLoc(), getFrameType(bytes, builder), ValueRange(),
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
                           std::max<int64_t>(maxThreads, 1), staticOnly,
                           frames);
      if (failed(planner.run()))
        return signalPassFailure();
      std::optional<int64_t> bytes =
          frames[func.getSymName()].getConstantBytes();
      if (bytes == 0)
        continue;
      for (func::CallOp call : order->callers[func])
        passFrame(call, bytes);
    }
  }
};
} // namespace
