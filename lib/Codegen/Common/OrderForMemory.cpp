//===- OrderForMemory.cpp - Order operations to lower the peak ------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Codegen/Common/AttributeNames.h"
#include "memrev/Codegen/Common/ByteSize.h"
#include "memrev/Codegen/Common/CallOrder.h"
#include "memrev/Codegen/Common/DeclaredKernel.h"
#include "memrev/Codegen/Common/MemoryOrder.h"
#include "memrev/Codegen/Common/Passes.h"
#include "mlir/Dialect/Bufferization/Transforms/BufferViewFlowAnalysis.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Remarks.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/SetVector.h"

namespace mlir::memrev {
#define GEN_PASS_DEF_CODEGENORDERFORMEMORY
#include "memrev/Codegen/Common/Passes.h.inc"
} // namespace mlir::memrev

using namespace mlir;
using namespace mlir::memrev;

/// What an extent that a type leaves open is taken for: most are batches.
static constexpr int64_t kOpenExtent = 64;

namespace {
/// The buffers that an operation reads and writes, by where they come from.
struct Accesses {
  llvm::SmallSetVector<Value, 4> read, written;
  /// Whether it does something else, or nobody knows.
  bool isUnknown = false;
};

/// What a function does with its arguments, and what its buffers take.
struct FunctionSummary {
  SmallVector<bool> isRead, isWritten;
  bool isUnknown = false;
  int64_t peak = 0;
};

/// The steps of a block: its operations but those that only name or compute
/// values, which go to where they are needed.
struct BlockSteps {
  SmallVector<Operation *> ops;
  SmallVector<OrderedStep> steps;
  SmallVector<OrderedBuffer> buffers;
  /// Bytes of buffers that outlive the block.
  int64_t pinnedBytes = 0;
};

/// Orders the blocks of one function, whose callees have been ordered.
class FunctionOrderer {
public:
  using Summaries = llvm::StringMap<FunctionSummary>;

  FunctionOrderer(func::FuncOp func, Summaries &summaries,
                  int64_t maxStackBytes, int64_t maxThreads)
      : func(func), views(func), summaries(summaries),
        maxStackBytes(maxStackBytes), maxThreads(maxThreads) {}

  void run();

private:
  ArrayRef<Value> getOrigins(Value buffer);
  Accesses getAccesses(Operation *root);
  int64_t orderInside(Operation *op);
  int64_t orderBlock(Block &block);
  void addDependences(Block &block, BlockSteps &steps);
  void addBuffers(Block &block, BlockSteps &steps);

  func::FuncOp func;
  BufferViewFlowAnalysis views;
  Summaries &summaries;
  int64_t maxStackBytes, maxThreads;
  llvm::DenseMap<Value, SmallVector<Value>> origins;
};
} // namespace

/// Whether `op` takes no part in the order: it computes values, or a name for
/// memory.
static bool isFree(Operation *op) {
  return isa<memref::AllocOp, memref::AllocaOp>(op) || isMemoryEffectFree(op);
}

/// The bytes of `type`, those of open extents by estimate.
static int64_t getBytes(MemRefType type) {
  if (type.hasStaticShape() && type.getNumElements() == 0)
    return 0;
  uint64_t bytes = getElementBytes(type.getElementType());
  for (int64_t extent : type.getShape())
    bytes = llvm::SaturatingMultiply<uint64_t>(
        bytes, ShapedType::isDynamic(extent) ? kOpenExtent : extent);
  return std::min<uint64_t>(bytes, kMaxBytes);
}

/// Returns the buffers that `buffer` may be a view of.
ArrayRef<Value> FunctionOrderer::getOrigins(Value buffer) {
  auto [entry, isNew] = origins.try_emplace(buffer);
  if (!isNew)
    return entry->second;
  SmallVector<Value> found;
  for (Value origin : views.resolveReverse(buffer)) {
    auto argument = dyn_cast<BlockArgument>(origin);
    bool isArgument = argument && argument.getOwner() == &func.front();
    if (!isArgument && views.resolveReverse(origin).size() > 1)
      continue;
    // A result of an entry may replace a donated argument.
    if (isArgument && !func.isPrivate())
      origin = func.getArgument(0);
    if (!llvm::is_contained(found, origin))
      found.push_back(origin);
  }
  SmallVector<Value> &stored = origins[buffer];
  stored = std::move(found);
  return stored;
}

/// Collects what `root` and the operations in it access.
Accesses FunctionOrderer::getAccesses(Operation *root) {
  Accesses accesses;
  auto add = [&](Value buffer, bool isRead, bool isWritten) {
    for (Value origin : getOrigins(buffer)) {
      if (isRead)
        accesses.read.insert(origin);
      if (isWritten)
        accesses.written.insert(origin);
    }
  };
  root->walk([&](Operation *op) {
    if (auto call = dyn_cast<func::CallOp>(op)) {
      auto callee = summaries.find(call.getCallee());
      accesses.isUnknown |=
          callee == summaries.end() || callee->second.isUnknown;
      for (OpOperand &operand : call->getOpOperands()) {
        if (!isa<BaseMemRefType>(operand.get().getType()))
          continue;
        unsigned index = operand.getOperandNumber();
        bool isKnown = callee != summaries.end();
        add(operand.get(), !isKnown || callee->second.isRead[index],
            !isKnown || callee->second.isWritten[index]);
      }
      return;
    }
    auto effecting = dyn_cast<MemoryEffectOpInterface>(op);
    if (!effecting) {
      accesses.isUnknown |=
          !isa<func::FuncOp>(op) &&
          !op->hasTrait<OpTrait::HasRecursiveMemoryEffects>() &&
          !isMemoryEffectFree(op);
      return;
    }
    SmallVector<MemoryEffects::EffectInstance> effects;
    effecting.getEffects(effects);
    for (const MemoryEffects::EffectInstance &effect : effects) {
      if (isa<MemoryEffects::Allocate>(effect.getEffect()))
        continue;
      if (!effect.getValue() ||
          !isa<BaseMemRefType>(effect.getValue().getType())) {
        accesses.isUnknown = true;
        continue;
      }
      bool isRead = isa<MemoryEffects::Read>(effect.getEffect());
      add(effect.getValue(), isRead, !isRead);
    }
  });
  return accesses;
}

/// Fills the steps' predecessors: what computes their operands, what wrote what
/// they read, and what accesses what they write.
void FunctionOrderer::addDependences(Block &block, BlockSteps &steps) {
  struct History {
    std::optional<unsigned> writer;
    SmallVector<unsigned> readers;
  };
  llvm::DenseMap<Value, History> histories;
  // A step that nothing may pass.
  std::optional<unsigned> barrier;
  // The steps that the results of each operation need.
  llvm::DenseMap<Operation *, SmallVector<unsigned>> needed;
  for (Operation &op : block.without_terminator()) {
    llvm::SmallSetVector<unsigned, 8> before;
    op.walk([&](Operation *inner) {
      for (Value operand : inner->getOperands())
        if (auto it = needed.find(operand.getDefiningOp()); it != needed.end())
          before.insert_range(it->second);
    });
    if (isFree(&op)) {
      if (!before.empty())
        needed[&op] = before.takeVector();
      continue;
    }
    unsigned number = steps.ops.size();
    Accesses accesses = getAccesses(&op);
    for (Value buffer : accesses.read) {
      History &history = histories[buffer];
      if (history.writer)
        before.insert(*history.writer);
      history.readers.push_back(number);
    }
    for (Value buffer : accesses.written) {
      History &history = histories[buffer];
      if (history.writer)
        before.insert(*history.writer);
      before.insert_range(history.readers);
      history.writer = number;
      history.readers.clear();
    }
    before.remove(number);
    if (barrier)
      before.insert(*barrier);
    if (accesses.isUnknown) {
      for (unsigned other = barrier.value_or(0); other < number; ++other)
        before.insert(other);
      barrier = number;
    }
    needed[&op] = {number};
    steps.ops.push_back(&op);
    steps.steps.push_back({before.takeVector(), 0});
  }
}

/// Fills the buffers of `block`, which live as long as steps use them.
void FunctionOrderer::addBuffers(Block &block, BlockSteps &steps) {
  llvm::DenseMap<Operation *, unsigned> numbers;
  for (auto [number, op] : llvm::enumerate(steps.ops))
    numbers[op] = number;
  for (auto alloc : block.getOps<memref::AllocOp>()) {
    OrderedBuffer buffer;
    buffer.bytes = getBytes(alloc.getType());
    bool isPinned = false;
    llvm::SmallSetVector<unsigned, 8> users;
    for (Value view : views.resolve(alloc.getResult()))
      for (Operation *user : view.getUsers()) {
        Operation *here = block.findAncestorOpInBlock(*user);
        isPinned |= !here || here == block.getTerminator();
        if (auto it = numbers.find(here); it != numbers.end())
          users.insert(it->second);
      }
    buffer.users = users.takeVector();
    llvm::sort(buffer.users);
    if (isPinned)
      steps.pinnedBytes =
          llvm::SaturatingAdd<uint64_t>(steps.pinnedBytes, buffer.bytes);
    else if (!buffer.users.empty())
      steps.buffers.push_back(std::move(buffer));
  }
}

/// Orders what is inside `op` and returns the bytes that it takes there, of a
/// call those of the callee.
int64_t FunctionOrderer::orderInside(Operation *op) {
  if (auto call = dyn_cast<func::CallOp>(op)) {
    auto callee = summaries.find(call.getCallee());
    return callee == summaries.end() ? 0 : callee->second.peak;
  }
  int64_t peak = 0;
  for (Region &region : op->getRegions())
    for (Block &block : region)
      peak = std::max(peak, orderBlock(block));
  if (!isa<scf::ForallOp, scf::ParallelOp>(op) ||
      op->getParentOfType<scf::ForallOp>() ||
      op->getParentOfType<scf::ParallelOp>())
    return peak;
  // As codegen-plan-arena has it: on the stack, or for each thread.
  uint64_t total = 0;
  op->walk([&](memref::AllocOp alloc) {
    total = llvm::SaturatingAdd<uint64_t>(total, getBytes(alloc.getType()));
  });
  if (total <= static_cast<uint64_t>(maxStackBytes))
    return 0;
  return std::min<uint64_t>(
      llvm::SaturatingMultiply<uint64_t>(peak, maxThreads), kMaxBytes);
}

/// Puts the operations of `block` in the order of `steps`, and the others, in
/// the order that they have, right before what needs them.
static void applyOrder(Block &block, const BlockSteps &steps,
                       ArrayRef<unsigned> order) {
  SmallVector<Operation *> waiting;
  for (Operation &op : block.without_terminator())
    waiting.push_back(&op);
  llvm::SmallPtrSet<Operation *, 32> isStep(steps.ops.begin(), steps.ops.end());
  llvm::DenseMap<Operation *, unsigned> positions;
  for (auto [position, op] : llvm::enumerate(waiting))
    positions[op] = position;
  Operation *end = block.getTerminator();
  llvm::SmallPtrSet<Operation *, 32> placed;
  // What `op` needs that is no step and not placed yet.
  auto collect = [&](Operation *op, SmallVectorImpl<Operation *> &found) {
    op->walk([&](Operation *inner) {
      for (Value operand : inner->getOperands())
        if (Operation *producer = operand.getDefiningOp();
            producer && producer->getBlock() == &block && producer != op &&
            !isStep.contains(producer) && placed.insert(producer).second)
          found.push_back(producer);
    });
  };
  for (unsigned number : order) {
    SmallVector<Operation *> needed;
    collect(steps.ops[number], needed);
    for (size_t i = 0; i < needed.size(); ++i)
      collect(needed[i], needed);
    llvm::sort(needed, [&](Operation *a, Operation *b) {
      return positions[a] < positions[b];
    });
    for (Operation *op : needed)
      op->moveBefore(end);
    steps.ops[number]->moveBefore(end);
  }
  for (Operation *op : waiting)
    if (!isStep.contains(op) && !placed.contains(op))
      op->moveBefore(end);
}

/// Says what the order of `block` came to.
static void report(Block &block, const BlockSteps &steps,
                   const MemoryOrder &found) {
  Operation *parent = block.getParentOp();
  if (!parent->getContext()->getRemarkEngine() || steps.buffers.size() < 2)
    return;
  remark::RemarkOpts options =
      remark::RemarkOpts::name("Order").category("codegen-order-for-memory");
  int64_t given =
      getPeak(steps.steps, steps.buffers,
              llvm::to_vector(llvm::seq<unsigned>(0, steps.steps.size())));
  std::string text;
  llvm::raw_string_ostream os(text);
  os << steps.steps.size() << " steps take " << found.peak << " bytes at once";
  if (found.peak < given)
    os << ", " << given << " in the order that was given";
  if (found.peak == found.lowerBound)
    os << "; no order takes fewer";
  else
    os << "; every order takes " << found.lowerBound;
  if (found.peak < given)
    remark::passed(parent->getLoc(), options) << text;
  else
    remark::analysis(parent->getLoc(), options) << text;
}

/// Orders `block` and the blocks in it. Returns the bytes that it takes.
int64_t FunctionOrderer::orderBlock(Block &block) {
  BlockSteps steps;
  addDependences(block, steps);
  addBuffers(block, steps);
  for (auto [op, step] : llvm::zip_equal(steps.ops, steps.steps))
    step.bytes = orderInside(op);
  MemoryOrder found = orderForMemory(steps.steps, steps.buffers);
  report(block, steps, found);
  if (!llvm::is_sorted(found.order))
    applyOrder(block, steps, found.order);
  return std::min<uint64_t>(
      llvm::SaturatingAdd<uint64_t>(steps.pinnedBytes, found.peak), kMaxBytes);
}

void FunctionOrderer::run() {
  FunctionSummary summary;
  summary.isRead.resize(func.getNumArguments());
  summary.isWritten.resize(func.getNumArguments());
  Accesses accesses = getAccesses(func);
  summary.isUnknown = accesses.isUnknown;
  for (BlockArgument argument : func.getArguments()) {
    for (Value origin : getOrigins(argument)) {
      unsigned number = argument.getArgNumber();
      summary.isRead[number] = accesses.read.contains(origin);
      summary.isWritten[number] = accesses.written.contains(origin);
    }
  }
  for (Block &block : func.getBody())
    summary.peak = std::max(summary.peak, orderBlock(block));
  summaries[func.getSymName()] = std::move(summary);
}

/// Of a kernel that is a declaration what it says of its arguments.
static FunctionSummary summarizeKernel(func::FuncOp kernel) {
  FunctionSummary summary;
  for (unsigned i = 0; i < kernel.getNumArguments(); ++i) {
    summary.isRead.push_back(readsArgument(kernel, i));
    summary.isWritten.push_back(writesArgument(kernel, i));
  }
  return summary;
}

namespace {
class CodegenOrderForMemoryPass
    : public memrev::impl::CodegenOrderForMemoryBase<
          CodegenOrderForMemoryPass> {
public:
  using CodegenOrderForMemoryBase::CodegenOrderForMemoryBase;

  void runOnOperation() override {
    FailureOr<CallOrder> order = CallOrder::compute(getOperation());
    if (failed(order))
      return signalPassFailure();
    FunctionOrderer::Summaries summaries;
    for (func::FuncOp func : order->functions)
      if (isDeclaredKernel(func))
        summaries[func.getSymName()] = summarizeKernel(func);
      else if (!func.isExternal())
        FunctionOrderer(func, summaries, maxStackBytes,
                        std::max<int64_t>(maxThreads, 1))
            .run();
  }
};
} // namespace
