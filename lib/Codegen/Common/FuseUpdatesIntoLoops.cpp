//===- FuseUpdatesIntoLoops.cpp - Update stacks slice by slice ------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "SliceBuilder.h"
#include "memrev/Codegen/Common/AttributeNames.h"
#include "memrev/Codegen/Common/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Remarks.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/SetVector.h"

namespace mlir::memrev {
#define GEN_PASS_DEF_CODEGENFUSEUPDATESINTOLOOPS
#include "memrev/Codegen/Common/Passes.h.inc"
} // namespace mlir::memrev

using namespace mlir;
using namespace mlir::memrev;

//===----------------------------------------------------------------------===//
// Operations on slices
//===----------------------------------------------------------------------===//

/// Whether each iteration of loop `loop` of `op` computes one slice of each
/// result, of one slice of each operand that the loop walks.
static bool computesSlices(linalg::GenericOp op, unsigned loop) {
  if (!op.hasPureTensorSemantics() || op.hasIndexSemantics() ||
      op.getIteratorTypesArray()[loop] != utils::IteratorType::parallel ||
      llvm::any_of(op.getStaticLoopRanges(), ShapedType::isDynamic))
    return false;
  AffineExpr index = getAffineDimExpr(loop, op.getContext());
  for (AffineMap map : op.getIndexingMapsArray()) {
    unsigned count = llvm::count_if(map.getResults(), [&](AffineExpr expr) {
      return expr.isFunctionOfDim(loop);
    });
    if (count > 1 ||
        (count == 1 && !llvm::is_contained(map.getResults(), index)))
      return false;
  }
  return llvm::all_of(op.getDpsInitsMutable(), [&](OpOperand &init) {
    return getDimOfLoop(op.getMatchingIndexingMap(&init), loop).has_value();
  });
}

static int64_t getNumBits(RankedTensorType type) {
  Type element = type.getElementType();
  int64_t bits = element.isIntOrFloat() ? element.getIntOrFloatBitWidth() : 64;
  return type.getNumElements() * bits;
}

//===----------------------------------------------------------------------===//
// The operations that consume a stack
//===----------------------------------------------------------------------===//

namespace {
/// A result of the moved operations that something else uses.
struct Output {
  OpResult value;
  unsigned dim;
  /// The stack that it takes the place of, or null.
  Value replaced;
  /// What reads slices of that one between the first writer and the last.
  SmallVector<tensor::ExtractSliceOp> reads;
  /// The stack as far as it is written.
  Value current;
};

/// What becomes of a stack behind its last writer, and moves to where its
/// slices are written.
class StackUpdate {
public:
  explicit StackUpdate(SlicedStack stack)
      : stack(std::move(stack)),
        block(this->stack.getFirstWriter()->getBlock()) {}

  /// Finds what moves. False, with a reason, if the stack is needed as a whole
  /// or if nothing is won.
  bool plan(function_ref<void(StringRef reason)> report);

  /// Moves it. What is left without a use is added to `dead`.
  void move(llvm::SetVector<Operation *> &dead);

private:
  /// What is moved besides the writers.
  struct Moved {
    /// The loop of each operation that becomes that of the writers. Not all of
    /// them depend on the stack: the others are computed on slices because
    /// those read them.
    llvm::DenseMap<Operation *, unsigned> loops;
    /// Along which dimension their results, and the stack, are sliced.
    llvm::DenseMap<Value, unsigned> dims;
    /// Numbers that have to be computed earlier.
    llvm::SetVector<Operation *> hoisted;
  };

  bool isAvailable(Value value) const;
  bool canProvide(Value value);
  bool canProvideSlices(Value value, unsigned dim);
  bool canSlice(linalg::GenericOp op, unsigned loop);
  bool tryConsumer(Operation *user);
  bool dependsOnStack(Operation *op) const;
  bool diesWhenMoved(Operation *op) const;
  void addOutputs();
  void findReplaced(Output &output);
  bool mayReplace(Output &output, Value value);
  bool mayRead(Output &output, Value value, tensor::ExtractSliceOp read) const;

  void moveIntoLoop(const StackWriter &writer);
  void write(const SliceWrite &write, scf::ForOp loop);

  SlicedStack stack;
  Block *block;
  Moved moved;
  /// The moved operations that depend on the stack.
  llvm::SmallSetVector<Operation *, 8> consumers;
  SmallVector<Output> outputs;
};
} // namespace

/// Whether `value` is there when the first slice is written.
bool StackUpdate::isAvailable(Value value) const {
  Operation *op = value.getDefiningOp();
  return !op || op->getBlock() != block ||
         op->isBeforeInBlock(stack.getFirstWriter());
}

/// Whether `value`, which is no stack, is there when the first slice is written
/// or can be computed before.
bool StackUpdate::canProvide(Value value) {
  Operation *op = value.getDefiningOp();
  if (isAvailable(value) || moved.hoisted.contains(op))
    return true;
  auto isNumber = [](Type type) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    return tensor ? tensor.getRank() == 0 : type.isIntOrIndexOrFloat();
  };
  if (!isMemoryEffectFree(op) || !llvm::all_of(op->getResultTypes(), isNumber))
    return false;
  llvm::SetVector<Value> operands(op->operand_begin(), op->operand_end());
  getUsedValuesDefinedAbove(op->getRegions(), operands);
  if (!llvm::all_of(operands, [&](Value v) { return canProvide(v); }))
    return false;
  moved.hoisted.insert(op);
  return true;
}

/// Whether the slices of `value` along `dim` are there when one of the stack is
/// written, or can be computed then.
bool StackUpdate::canProvideSlices(Value value, unsigned dim) {
  if (auto found = moved.dims.find(value); found != moved.dims.end())
    return found->second == dim;
  if (isAvailable(value))
    return true;
  Operation *op = value.getDefiningOp();
  if (isa<tensor::EmptyOp>(op))
    return true;
  if (auto fill = dyn_cast<linalg::FillOp>(op))
    return canProvide(fill.getInputs()[0]);
  auto generic = dyn_cast<linalg::GenericOp>(op);
  if (!generic || !generic.hasPureTensorSemantics() || dependsOnStack(generic))
    return false;
  auto loop = dyn_cast<AffineDimExpr>(
      generic.getIndexingMapMatchingResult(cast<OpResult>(value))
          .getResult(dim));
  return loop && canSlice(generic, loop.getPosition());
}

/// Whether `op` can be computed slice by slice, loop `loop` of it being that of
/// the slices.
bool StackUpdate::canSlice(linalg::GenericOp op, unsigned loop) {
  if (auto found = moved.loops.find(op); found != moved.loops.end())
    return found->second == loop;
  if (!computesSlices(op, loop))
    return false;
  llvm::SetVector<Value> captured;
  getUsedValuesDefinedAbove(op->getRegions(), captured);
  if (!llvm::all_of(captured, [&](Value v) { return canProvide(v); }))
    return false;
  for (OpOperand &operand : op->getOpOperands()) {
    // Another one is made of what is only written.
    if (op.isDpsInit(&operand) && !op.payloadUsesValueFromOperand(&operand))
      continue;
    auto dim = getDimOfLoop(op.getMatchingIndexingMap(&operand), loop);
    if (dim ? !canProvideSlices(operand.get(), *dim)
            : moved.dims.contains(operand.get()) || !canProvide(operand.get()))
      return false;
  }
  moved.loops[op] = loop;
  for (OpResult result : op->getResults())
    moved.dims[result] =
        *getDimOfLoop(op.getIndexingMapMatchingResult(result), loop);
  return true;
}

/// Moves `user` of a moved operation, if that is possible.
bool StackUpdate::tryConsumer(Operation *user) {
  auto op = dyn_cast<linalg::GenericOp>(user);
  if (!op || op->getBlock() != block || !op.hasPureTensorSemantics())
    return false;
  std::optional<unsigned> loop;
  for (OpOperand &operand : op->getOpOperands()) {
    auto dim = moved.dims.find(operand.get());
    if (dim == moved.dims.end())
      continue;
    auto index = dyn_cast<AffineDimExpr>(
        op.getMatchingIndexingMap(&operand).getResult(dim->second));
    if (!index)
      return false;
    loop = index.getPosition();
  }
  Moved before = moved;
  if (loop && canSlice(op, *loop))
    return true;
  moved = std::move(before);
  return false;
}

bool StackUpdate::dependsOnStack(Operation *op) const {
  return llvm::any_of(op->getOperands(), [&](Value operand) {
    return operand == stack.value ||
           consumers.contains(operand.getDefiningOp());
  });
}

/// Whether nothing uses `op` any more once all is moved.
bool StackUpdate::diesWhenMoved(Operation *op) const {
  return consumers.contains(op) ||
         (moved.loops.contains(op) &&
          llvm::all_of(op->getUsers(),
                       [&](Operation *user) { return diesWhenMoved(user); }));
}

void StackUpdate::addOutputs() {
  for (Operation *op : consumers)
    for (OpResult result : op->getResults())
      if (llvm::any_of(result.getUsers(), [&](Operation *user) {
            return !consumers.contains(user);
          }))
        outputs.push_back({result, moved.dims[result], {}, {}, {}});
}

/// Whether `read` of `value` reads a slice that is not written yet.
bool StackUpdate::mayRead(Output &output, Value value,
                          tensor::ExtractSliceOp read) const {
  if (getSlicedDim(read, cast<RankedTensorType>(value.getType())) != output.dim)
    return false;
  Operation *place = block->findAncestorOpInBlock(*read);
  for (const StackWriter &writer : stack.writers) {
    scf::ForOp loop = writer.getLoop();
    if (loop ? place != loop : !place->isBeforeInBlock(writer.op))
      continue;
    auto numbers = getSliceNumbers(read, output.dim, loop);
    if (numbers && llvm::any_of(writer.writes, [&](const SliceWrite &write) {
          return write.slices == *numbers;
        }))
      return true;
  }
  return false;
}

/// Whether `op`, which uses a tensor, and what looks at it through `op` are
/// done with it when `place` begins.
static bool isOverBefore(Operation *op, Operation *place) {
  Operation *here = place->getBlock()->findAncestorOpInBlock(*op);
  if (!here || !here->isBeforeInBlock(place))
    return false;
  return !isa<tensor::CastOp, tensor::CollapseShapeOp, tensor::ExpandShapeOp,
              tensor::ExtractSliceOp>(op) ||
         llvm::all_of(op->getUsers(), [&](Operation *user) {
           return isOverBefore(user, place);
         });
}

/// Whether the stack `value` may become that of `output`, slice by slice:
/// nothing needs a slice of it after that one is written.
bool StackUpdate::mayReplace(Output &output, Value value) {
  if (value.getType() != output.value.getType() ||
      value.getParentBlock() != block || !isAvailable(value) ||
      llvm::any_of(outputs, [&](const Output &other) {
        return other.replaced == value;
      }))
    return false;
  Operation *producer = value.getDefiningOp();
  if (auto slice = dyn_cast_or_null<tensor::ExtractSliceOp>(producer)) {
    // Together with the insertion that puts it back.
    auto insert =
        output.value.hasOneUse()
            ? dyn_cast<tensor::InsertSliceOp>(*output.value.user_begin())
            : tensor::InsertSliceOp();
    if (!insert || insert.getSource() != output.value ||
        insert.getDest() != slice.getSource() ||
        insert.getMixedOffsets() != slice.getMixedOffsets() ||
        insert.getMixedSizes() != slice.getMixedSizes() ||
        insert.getMixedStrides() != slice.getMixedStrides())
      return false;
  } else if (producer) {
    if (!isa<linalg::LinalgOp, func::CallOp, tensor::InsertSliceOp,
             LoopLikeOpInterface>(producer) ||
        isa<linalg::FillOp>(producer))
      return false;
  } else if (auto func = dyn_cast<func::FuncOp>(block->getParentOp())) {
    // Callers of a public function own its arguments, but for donated ones.
    auto argument = cast<BlockArgument>(value);
    if (!func.isPrivate() &&
        !func.getArgAttr(argument.getArgNumber(), kDonatedAttr))
      return false;
  } else if (!isa<LoopLikeOpInterface>(block->getParentOp())) {
    return false;
  }

  SmallVector<tensor::ExtractSliceOp> reads;
  for (Operation *user : value.getUsers()) {
    if (isOverBefore(user, stack.getFirstWriter()) || diesWhenMoved(user))
      continue;
    auto read = dyn_cast<tensor::ExtractSliceOp>(user);
    if (!read || !mayRead(output, value, read))
      return false;
    reads.push_back(read);
  }
  output.replaced = value;
  output.reads = std::move(reads);
  return true;
}

/// Looks for a stack that `output` can take the place of, the nearest first.
void StackUpdate::findReplaced(Output &output) {
  llvm::SmallSetVector<Operation *, 8> pending;
  pending.insert(output.value.getOwner());
  for (unsigned i = 0; i < pending.size(); ++i) {
    auto op = cast<linalg::GenericOp>(pending[i]);
    for (OpOperand &operand : op->getOpOperands()) {
      auto dim =
          getDimOfLoop(op.getMatchingIndexingMap(&operand), moved.loops[op]);
      Operation *producer = operand.get().getDefiningOp();
      if (moved.loops.contains(producer))
        pending.insert(producer);
      else if (dim == output.dim && operand.get() != stack.value &&
               mayReplace(output, operand.get()))
        return;
    }
  }
}

bool StackUpdate::plan(function_ref<void(StringRef)> report) {
  moved.dims[stack.value] = stack.dim;
  // Users in the order of the program, so that what they read is decided.
  auto isBefore = [](Operation *a, Operation *b) {
    return a->isBeforeInBlock(b);
  };
  llvm::SmallSetVector<Operation *, 8> pending(stack.value.user_begin(),
                                               stack.value.user_end());
  while (!pending.empty()) {
    bool areHere = llvm::all_of(
        pending, [&](Operation *op) { return op->getBlock() == block; });
    Operation *user =
        areHere ? *llvm::min_element(pending, isBefore) : pending.front();
    pending.remove(user);
    if (areHere && tryConsumer(user)) {
      consumers.insert(user);
      for (Operation *next : user->getUsers())
        if (next->getBlock() == block && isa<linalg::GenericOp>(next) &&
            !consumers.contains(next))
          pending.insert(next);
    } else if (llvm::is_contained(stack.value.getUsers(), user)) {
      report("something needs all of it at once");
      return false;
    }
  }
  addOutputs();
  int64_t added = 0;
  for (Output &output : outputs) {
    findReplaced(output);
    bool isReturned =
        llvm::any_of(output.value.getUsers(),
                     [](Operation *user) { return isa<func::ReturnOp>(user); });
    if (!output.replaced && !isReturned)
      added += getNumBits(cast<RankedTensorType>(output.value.getType()));
  }
  if (consumers.empty())
    return false;
  if (added >= getNumBits(stack.getType())) {
    report("what is computed from it takes as many bytes");
    return false;
  }
  return true;
}

//===----------------------------------------------------------------------===//
// Moving them
//===----------------------------------------------------------------------===//

/// Replaces `read` of slices that are not written yet. What accumulates to the
/// elements one by one gets the number that is there, and no tensor of it.
static void fillRead(tensor::ExtractSliceOp read, linalg::FillOp fill) {
  OpBuilder builder(read);
  for (OpOperand &use : llvm::make_early_inc_range(read->getUses())) {
    auto op = dyn_cast<linalg::GenericOp>(use.getOwner());
    if (!op || !op.isDpsInit(&use) || op.getNumReductionLoops() != 0)
      continue;
    op.getMatchingBlockArgument(&use).replaceAllUsesWith(fill.getInputs()[0]);
    use.set(tensor::EmptyOp::create(builder, read.getLoc(),
                                    read.getType().getShape(),
                                    read.getType().getElementType()));
  }
  if (!read->use_empty())
    read.getResult().replaceAllUsesWith(
        buildFill(builder, fill, read.getType()));
  read.erase();
}

/// Computes the updates where `write` is, and inserts them instead.
void StackUpdate::write(const SliceWrite &write, scf::ForOp loop) {
  tensor::InsertSliceOp insert = write.insert;
  llvm::DenseMap<Value, Value> current;
  for (const Output &output : outputs)
    if (output.replaced)
      current[output.replaced] = output.current;
  SliceBuilder slices(write, loop, moved.loops, current);
  OpBuilder &builder = slices.getBuilder();
  Value source = insert.getSource();
  RankedTensorType sliceType = getSliceType(stack.getType(), stack.dim);
  if (source.getType() != sliceType) {
    RankedTensorType type = insert.getSourceType();
    source = tensor::CollapseShapeOp::create(
        builder, insert.getLoc(), sliceType, source,
        *getReassociationIndicesForReshape(type, sliceType));
  }
  slices.setSlice(stack.value, source);
  SmallVector<Value> results;
  for (const Output &output : outputs)
    results.push_back(slices.getSlice(output.value, output.dim));
  for (auto [output, result] : llvm::zip_equal(outputs, results))
    output.current = slices.insertSlice(result, output.current, output.dim);
  slices.join();
}

/// Makes the loop of `writer` carry the outputs instead of the stack.
void StackUpdate::moveIntoLoop(const StackWriter &writer) {
  scf::ForOp loop = writer.getLoop();
  unsigned number = writer.result;
  SmallVector<Value> inits(loop.getInitArgs());
  inits.erase(inits.begin() + number);
  for (const Output &output : outputs)
    inits.push_back(output.current);
  OpBuilder builder(loop);
  auto updating =
      scf::ForOp::create(builder, loop.getLoc(), loop.getLowerBound(),
                         loop.getUpperBound(), loop.getStep(), inits);
  updating->setAttrs(loop->getAttrDictionary());
  updating.getRegion().takeBody(loop.getRegion());
  Block *body = updating.getBody();

  for (Output &output : outputs) {
    output.current = body->addArgument(output.value.getType(), loop.getLoc());
    llvm::erase_if(output.reads, [&](tensor::ExtractSliceOp read) {
      if (!updating->isProperAncestor(read))
        return false;
      read.getSourceMutable().set(output.current);
      return true;
    });
  }
  for (const SliceWrite &target : writer.writes)
    write(target, updating);
  auto yield = cast<scf::YieldOp>(body->getTerminator());
  yield->eraseOperand(number);
  for (const Output &output : outputs)
    yield->insertOperands(yield->getNumOperands(), output.current);
  for (const SliceWrite &target : llvm::reverse(writer.writes))
    tensor::InsertSliceOp(target.insert).erase();
  body->eraseArgument(1 + number);

  unsigned numKept = loop.getNumResults() - 1;
  for (auto [index, output] : llvm::enumerate(outputs))
    output.current = updating.getResult(numKept + index);
  // What is left of the uses of the stack is dead.
  loop.getResult(number).replaceAllUsesWith(stack.fill.getResult(0));
  for (unsigned i = 0; i < numKept; ++i)
    loop.getResult(i + (i >= number)).replaceAllUsesWith(updating.getResult(i));
  loop.erase();
}

void StackUpdate::move(llvm::SetVector<Operation *> &dead) {
  Operation *first = stack.getFirstWriter();
  for (Operation *op : moved.hoisted)
    op->moveBefore(first);
  OpBuilder builder(first);
  for (Output &output : outputs) {
    auto type = cast<RankedTensorType>(output.value.getType());
    output.current =
        output.replaced
            ? output.replaced
            : tensor::EmptyOp::create(builder, output.value.getLoc(),
                                      type.getShape(), type.getElementType());
  }
  for (const StackWriter &writer : stack.writers) {
    // What reads a slice between the last writer and this one.
    for (Output &output : outputs)
      llvm::erase_if(output.reads, [&](tensor::ExtractSliceOp read) {
        if (!block->findAncestorOpInBlock(*read)->isBeforeInBlock(writer.op))
          return false;
        read.getSourceMutable().set(output.current);
        return true;
      });
    for (tensor::ExtractSliceOp read : writer.reads)
      fillRead(read, stack.fill);
    if (writer.getLoop()) {
      moveIntoLoop(writer);
      continue;
    }
    write(writer.writes.front(), /*loop=*/{});
    dead.insert(writer.op);
  }
  for (Output &output : outputs)
    output.value.replaceAllUsesWith(output.current);
  for (Operation *op : consumers)
    dead.insert(op);
  // They are no readers of anything for the stacks to come.
  for (Operation *op : dead)
    op->dropAllReferences();
}

//===----------------------------------------------------------------------===//
// Pass
//===----------------------------------------------------------------------===//

static void reportKept(Value stack, const Twine &reason) {
  if (!stack.getContext()->getRemarkEngine())
    return;
  remark::missed(stack.getLoc(), remark::RemarkOpts::name("FuseUpdate")
                                     .category("codegen-fuse-updates-into-"
                                               "loops"))
      << ("a stack is kept: " + reason).str();
}

namespace {
struct CodegenFuseUpdatesIntoLoopsPass
    : memrev::impl::CodegenFuseUpdatesIntoLoopsBase<
          CodegenFuseUpdatesIntoLoopsPass> {
  void runOnOperation() override {
    // Outer loops first: what moves into them may move on into inner ones.
    SmallVector<Block *> blocks;
    for (Region &region : getOperation()->getRegions())
      for (Block &block : region)
        blocks.push_back(&block);
    while (!blocks.empty()) {
      SmallVector<Block *> inner;
      for (Block *block : blocks) {
        runOnBlock(*block);
        block->walk([&](Operation *op) {
          if (op->getBlock() == block)
            for (Region &region : op->getRegions())
              for (Block &nested : region)
                inner.push_back(&nested);
        });
      }
      blocks = std::move(inner);
    }
  }

private:
  static void runOnBlock(Block &block) {
    SmallVector<linalg::GenericOp> ops(block.getOps<linalg::GenericOp>());
    llvm::SetVector<Operation *> dead;
    llvm::DenseSet<Value> reported;
    for (linalg::GenericOp op : ops)
      for (OpOperand &operand : op->getOpOperands()) {
        if (dead.contains(op))
          break;
        Value value = operand.get();
        auto result = dyn_cast<OpResult>(value);
        if (!result || result.getOwner()->getBlock() != &block ||
            !isa<scf::ForOp, tensor::InsertSliceOp>(result.getOwner()))
          continue;
        auto report = [&](StringRef reason) {
          if (reported.insert(value).second)
            reportKept(value, reason);
        };
        FailureOr<SlicedStack> stack = SlicedStack::trace(value, report);
        if (failed(stack))
          continue;
        StackUpdate update(std::move(*stack));
        if (update.plan(report))
          update.move(dead);
      }
    for (Operation *op : dead)
      op->erase();
  }
};
} // namespace
