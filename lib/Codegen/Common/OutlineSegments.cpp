//===- OutlineSegments.cpp - Split long blocks into functions -------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Codegen/Common/AttributeNames.h"
#include "memrev/Codegen/Common/Passes.h"
#include "memrev/Codegen/Common/TensorOrigin.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"

namespace mlir::memrev {
#define GEN_PASS_DEF_CODEGENOUTLINESEGMENTS
#include "memrev/Codegen/Common/Passes.h.inc"
} // namespace mlir::memrev

using namespace mlir;
using namespace mlir::memrev;

/// Whether `op` makes a tensor without contents.
static bool makesEmptyTensor(Operation *op) {
  if (auto alloc = dyn_cast<bufferization::AllocTensorOp>(op))
    return !alloc.getCopy();
  return isa<tensor::EmptyOp>(op);
}

/// Whether `op` is remade in each segment that needs it, because it costs
/// nothing there and its result as an argument would be a copy (views), or
/// useless (constants).
static bool isFloating(Operation *op) {
  if (op->hasTrait<OpTrait::ConstantLike>() || makesEmptyTensor(op))
    return true;
  if (isa<tensor::ExtractSliceOp, tensor::CastOp, tensor::CollapseShapeOp,
          tensor::ExpandShapeOp, tensor::DimOp>(op))
    return true;
  return op->getNumRegions() == 0 && op->getNumResults() != 0 &&
         isMemoryEffectFree(op) &&
         llvm::all_of(op->getResultTypes(),
                      [](Type type) { return type.isIntOrIndex(); });
}

namespace {
/// Cuts one block into segments.
class BlockCutter {
public:
  BlockCutter(Block &block, int64_t maxOps, SymbolTableCollection &symbols,
              TensorOrigin &origin)
      : block(block), function(getFunction(block)), maxOps(maxOps),
        symbols(symbols), origin(origin) {}

  /// Cuts until the block has at most `maxOps` operations that count.
  void run();

private:
  static func::FuncOp getFunction(Block &block) {
    Operation *parent = block.getParentOp();
    auto func = dyn_cast<func::FuncOp>(parent);
    return func ? func : parent->getParentOfType<func::FuncOp>();
  }

  SmallVector<Operation *> collectOps();
  SmallVector<size_t> chooseCuts(ArrayRef<Operation *> ops);
  void outline(ArrayRef<Operation *> ops);

  Block &block;
  func::FuncOp function;
  int64_t maxOps;
  SymbolTableCollection &symbols;
  TensorOrigin &origin;
};
} // namespace

/// Returns the operations that count, without the terminator.
SmallVector<Operation *> BlockCutter::collectOps() {
  SmallVector<Operation *> ops;
  for (Operation &op : block.without_terminator()) {
    if (!isFloating(&op))
      ops.push_back(&op);
  }
  return ops;
}

/// Returns the positions in `ops` where segments end.
SmallVector<size_t> BlockCutter::chooseCuts(ArrayRef<Operation *> ops) {
  DenseMap<Operation *, size_t> positions;
  for (auto [index, op] : llvm::enumerate(ops))
    positions[op] = index;
  // Tensors whose buffer is a part of another one's.
  DenseSet<Value> inViews;
  for (Operation &op : block) {
    bool isView = isFloating(&op) && !makesEmptyTensor(&op);
    for (OpResult result : op.getResults()) {
      OpOperand *tied = origin.getTiedOperand(result);
      if (tied ? inViews.contains(tied->get()) : isView)
        inViews.insert(result);
    }
  }
  // The last position that needs a value, through floating operations too.
  // Uses come after definitions, so walking backwards sees them first.
  DenseMap<Operation *, size_t> lastUses;
  auto getPosition = [&](Operation *user) {
    user = block.findAncestorOpInBlock(*user);
    if (user == block.getTerminator())
      return ops.size();
    auto it = positions.find(user);
    return it != positions.end() ? it->second : lastUses.lookup(user);
  };
  // Crossing costs by position, as differences of neighbours.
  SmallVector<int64_t> costs(ops.size() + 2, 0);
  for (Operation &op : llvm::reverse(block)) {
    size_t last = 0;
    for (Operation *user : op.getUsers())
      last = std::max(last, getPosition(user));
    lastUses[&op] = last;
    auto it = positions.find(&op);
    if (it == positions.end() || last <= it->second)
      continue;
    for (Value result : op.getResults()) {
      // A tensor in a view would be copied on both sides of the cut.
      constexpr int64_t kCopyCost = 1000;
      int64_t cost = inViews.contains(result) ? kCopyCost : 1;
      size_t end = 0;
      for (Operation *user : result.getUsers())
        end = std::max(end, getPosition(user));
      costs[it->second + 1] += cost;
      costs[std::max(end, it->second) + 1] -= cost;
    }
  }
  for (size_t i = 1; i < costs.size(); ++i)
    costs[i] += costs[i - 1];

  SmallVector<size_t> cuts;
  size_t start = 0, limit = maxOps;
  while (ops.size() - start > limit) {
    size_t best = start + limit;
    for (size_t cut = best; cut >= start + limit / 2 && cut > start; --cut) {
      if (costs[cut] < costs[best])
        best = cut;
    }
    cuts.push_back(best);
    start = best;
  }
  cuts.push_back(ops.size());
  return cuts;
}

/// Moves `ops` into a function of their own and calls it.
void BlockCutter::outline(ArrayRef<Operation *> ops) {
  llvm::SmallPtrSet<Operation *, 32> inside(ops.begin(), ops.end());
  auto isInside = [&](Operation *user) {
    Operation *ancestor = block.findAncestorOpInBlock(*user);
    return ancestor && inside.contains(ancestor);
  };

  // Results: what is used outside, directly or through floating operations,
  // which are remade there.
  SmallVector<Value> results;
  llvm::SmallPtrSet<Operation *, 8> madeByCaller;
  for (Operation *op : ops) {
    for (Value result : op->getResults()) {
      SmallVector<Operation *> users(result.getUsers());
      bool escapes = false;
      while (!users.empty() && !escapes) {
        Operation *user = users.pop_back_val();
        if (isInside(user))
          continue;
        if (user->getBlock() == &block && isFloating(user))
          llvm::append_range(users, user->getUsers());
        else
          escapes = true;
      }
      if (!escapes)
        continue;
      results.push_back(result);
      Operation *source = origin.trace(result).getDefiningOp();
      if (source && makesEmptyTensor(source))
        madeByCaller.insert(source);
    }
  }

  // Floating operations between the others, which may need the results.
  SmallVector<Operation *> between;
  for (Operation *op = ops.front(); op != ops.back(); op = op->getNextNode()) {
    if (isFloating(op))
      between.push_back(op);
  }

  // The function, with one argument for each value from outside.
  Location loc = ops.front()->getLoc();
  OpBuilder builder(ops.back());
  builder.setInsertionPointAfter(ops.back());
  std::string name = (function.getSymName() + ".segment").str();
  auto segment = func::FuncOp::create(loc, name, builder.getFunctionType({}, {}));
  segment.setPrivate();
  segment->setAttr(kSegmentAttr, builder.getUnitAttr());
  Block *body = segment.addEntryBlock();
  SmallVector<Value> operands;
  IRMapping mapping;
  OpBuilder bodyBuilder = OpBuilder::atBlockEnd(body);

  // Returns what stands for `value` in the segment. Chains of floating
  // operations are cloned in order, without recursion.
  auto import = [&](Value value) {
    SmallVector<Value> pending{value};
    while (!pending.empty()) {
      Value next = pending.back();
      if (mapping.contains(next)) {
        pending.pop_back();
        continue;
      }
      Operation *source = next.getDefiningOp();
      // A floating operation can read what the segment itself computes.
      if (source && source->getBlock() == body) {
        mapping.map(next, next);
        pending.pop_back();
        continue;
      }
      bool remake = source && isFloating(source) &&
                    (source->getBlock() == &block ||
                     source->hasTrait<OpTrait::ConstantLike>()) &&
                    !madeByCaller.contains(source);
      if (!remake) {
        mapping.map(next, body->addArgument(next.getType(), loc));
        operands.push_back(next);
        pending.pop_back();
        continue;
      }
      size_t before = pending.size();
      for (Value operand : source->getOperands()) {
        if (!mapping.contains(operand))
          pending.push_back(operand);
      }
      if (pending.size() != before)
        continue;
      bodyBuilder.clone(*source, mapping);
      pending.pop_back();
    }
    return mapping.lookup(value);
  };

  for (Operation *op : ops) {
    // Nested regions capture values from outside as well.
    op->walk([&](Operation *nested) {
      for (OpOperand &operand : nested->getOpOperands()) {
        Value value = operand.get();
        Operation *owner = value.getDefiningOp();
        if (!owner)
          owner = cast<BlockArgument>(value).getOwner()->getParentOp();
        bool isLocal = op->isAncestor(owner) || owner == segment ||
                       owner->getBlock() == body;
        if (!isLocal)
          operand.set(import(value));
      }
    });
    op->moveBefore(body, body->end());
  }
  func::ReturnOp::create(bodyBuilder, loc, results);
  SmallVector<Type> resultTypes(ValueRange(results).getTypes());
  segment.setType(
      builder.getFunctionType(body->getArgumentTypes(), resultTypes));

  symbols.getSymbolTable(function->getParentOfType<ModuleOp>()).insert(segment);
  auto call = func::CallOp::create(builder, loc, segment, operands);
  for (auto [result, outer] : llvm::zip_equal(results, call.getResults())) {
    result.replaceUsesWithIf(outer, [&](OpOperand &use) {
      return use.getOwner()->getParentOfType<func::FuncOp>() != segment;
    });
  }
  Operation *last = call;
  llvm::SmallPtrSet<Operation *, 8> moved{last};
  for (Operation *op : between) {
    if (llvm::none_of(op->getOperands(), [&](Value operand) {
          return moved.contains(operand.getDefiningOp());
        }))
      continue;
    op->moveAfter(last);
    last = op;
    moved.insert(op);
  }
}

void BlockCutter::run() {
  SmallVector<Operation *> ops = collectOps();
  while (int64_t(ops.size()) > maxOps) {
    size_t start = 0;
    for (size_t end : chooseCuts(ops)) {
      // A segment of one operation would be cut again for ever.
      if (end - start > 1)
        outline(ArrayRef(ops).slice(start, end - start));
      start = end;
    }
    ops = collectOps();
  }
  // Floating operations were remade in the segments.
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block))) {
    if (isFloating(&op) && op.use_empty())
      op.erase();
  }
}

namespace {
class CodegenOutlineSegmentsPass
    : public memrev::impl::CodegenOutlineSegmentsBase<
          CodegenOutlineSegmentsPass> {
public:
  using CodegenOutlineSegmentsBase::CodegenOutlineSegmentsBase;

  void runOnOperation() override {
    if (maxOps < 4) {
      getOperation().emitError("expects max-ops of at least 4, but got ")
          << maxOps;
      return signalPassFailure();
    }
    SymbolTableCollection symbols;
    TensorOrigin origin(symbols);
    SmallVector<Block *> blocks;
    for (auto func : getOperation().getOps<func::FuncOp>()) {
      if (func->hasAttr(kKernelAttr))
        continue;
      // Inner blocks first: a loop is one operation of the block around it.
      func.walk<WalkOrder::PostOrder>([&](Operation *op) {
        if (!isa<func::FuncOp, scf::ForOp, scf::IfOp>(op) ||
            op->getParentOfType<scf::ForallOp>())
          return;
        for (Region &region : op->getRegions()) {
          if (region.hasOneBlock())
            blocks.push_back(&region.front());
        }
      });
    }
    for (Block *block : blocks)
      BlockCutter(*block, maxOps, symbols, origin).run();
  }
};
} // namespace
