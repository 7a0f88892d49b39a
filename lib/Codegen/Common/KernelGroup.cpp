//===- KernelGroup.cpp - Plans what one kernel computes -------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelGroup.h"
#include "memrev/Codegen/Common/AttributeNames.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Linalg/Utils/Utils.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Transforms/RegionUtils.h"

using namespace mlir;
using namespace mlir::memrev;

/// True if `value` is made for being written to and holds nothing yet.
static bool isFreshDestination(Value value) {
  if (value.getDefiningOp<tensor::EmptyOp>())
    return true;
  auto alloc = value.getDefiningOp<bufferization::AllocTensorOp>();
  return alloc && !alloc.getCopy();
}

/// True if all users of `value`, and of views of it, come before `op` or are
/// `op`, in its block.
static bool diesIn(Value value, Operation *op) {
  for (Operation *user : value.getUsers()) {
    Operation *ancestor = op->getBlock()->findAncestorOpInBlock(*user);
    if (!ancestor)
      return false;
    if (ancestor == op) {
      if (user != op)
        return false;
    } else if (!ancestor->isBeforeInBlock(op)) {
      return false;
    }
    if (isa<tensor::CollapseShapeOp, tensor::ExpandShapeOp,
            tensor::ExtractSliceOp, tensor::CastOp>(user)) {
      // `op` itself may read other elements through a view than it writes.
      Value view = user->getResult(0);
      if (llvm::is_contained(op->getOperands(), view) || !diesIn(view, op))
        return false;
    }
  }
  return true;
}

KernelGroup::KernelGroup(Operation *root, const DenseSet<Operation *> &claimed)
    : root(root), last(root) {
  planEpilogue(claimed);
  planDestinations();
  // What the kernel needs before its final op comes first.
  for (GroupDestination &destination : destinations)
    if (destination.fill)
      includeOperand(destination.fill, *destination.fill.getDpsInputOperand(0));
  include(root);
  if (epilogue)
    include(epilogue);
  for (auto [number, destination] : llvm::enumerate(destinations)) {
    key.push_back(~uintptr_t(0));
    key.push_back(destination.reusedInput ? *destination.reusedInput + 2
                                          : destination.readsBuffer);
    if (destination.fill)
      key.push_back(idOf(destination.fill.getInputs()[0]));
    if (destination.insert) {
      includeSlice(destination.insert);
      keyOperation(destination.insert);
    }
  }
  for (OpFoldResult external : externals)
    if (auto value = dyn_cast<Value>(external))
      key.push_back(
          reinterpret_cast<uintptr_t>(value.getType().getAsOpaquePointer()));
}

/// Computing `op` later, at `place`, must not move a read behind an op that may
/// write over what is read: bufferization would then copy it.
static bool canComputeAt(Operation *op, Operation *place) {
  // An epilogue that is far away would keep the operands alive as well.
  constexpr int kMaxDistance = 64;
  int distance = 0;
  for (Operation *between = op->getNextNode(); between != place;
       between = between->getNextNode()) {
    if (++distance > kMaxDistance)
      return false;
    auto linalgOp = dyn_cast<linalg::LinalgOp>(between);
    bool onlyReads =
        isa<tensor::PadOp, tensor::ExtractSliceOp, tensor::CollapseShapeOp,
            tensor::ExpandShapeOp>(between) ||
        (linalgOp && isMultiplyAccumulate(linalgOp));
    for (OpOperand &operand : between->getOpOperands())
      if (isa<TensorType>(operand.get().getType()) &&
          llvm::is_contained(op->getOperands(), operand.get()) &&
          (!onlyReads || (linalgOp && linalgOp.isDpsInit(&operand))))
        return false;
    if (between->getNumRegions() != 0 && !linalgOp &&
        !isa<tensor::PadOp>(between)) {
      llvm::SetVector<Value> captured;
      getUsedValuesDefinedAbove(between->getRegions(), captured);
      for (Value operand : op->getOperands())
        if (captured.contains(operand))
          return false;
    }
  }
  return true;
}

static bool usesDim(linalg::LinalgOp op, unsigned input, unsigned dim) {
  return llvm::any_of(
      op.getMatchingIndexingMap(op.getDpsInputOperand(input)).getResults(),
      [&](AffineExpr expr) { return expr.isFunctionOfDim(dim); });
}

/// Whether the result of `linalgOp` is computed where an epilogue can be
/// applied to it.
static bool mayHaveEpilogue(linalg::LinalgOp linalgOp) {
  if (!isMultiplyAccumulate(linalgOp))
    return false;
  // Only a product of rows and columns is computed in register tiles, which
  // the epilogue would be applied to; and only of floats.
  AffineMap result =
      linalgOp.getMatchingIndexingMap(linalgOp.getDpsInitOperand(0));
  bool hasRows = false, hasColumns = false;
  for (AffineExpr expr : result.getResults()) {
    bool inLhs = false, inRhs = false;
    for (unsigned dim = 0; dim < linalgOp.getNumLoops(); ++dim) {
      if (!expr.isFunctionOfDim(dim))
        continue;
      inLhs |= usesDim(linalgOp, 0, dim);
      inRhs |= usesDim(linalgOp, 1, dim);
    }
    hasRows |= inLhs && !inRhs;
    hasColumns |= inRhs && !inLhs;
  }
  if (!hasRows || !hasColumns ||
      !isa<FloatType>(getElementTypeOrSelf(linalgOp->getResult(0).getType())))
    return false;
  // Long reductions, as those of filter gradients, are split into partial
  // sums, so there is no one place where the result is complete.
  int64_t reduction = 1;
  SmallVector<int64_t> extents = linalgOp.getStaticLoopRanges();
  for (auto [extent, kind] :
       llvm::zip(extents, linalgOp.getIteratorTypesArray()))
    if (kind == utils::IteratorType::reduction)
      reduction *= extent;
  return reduction <= 8192;
}

/// Whether `op` updates a layer of a stack in its place. That waits for what
/// else reads the layer, and what it is computed from would wait with it: more
/// bytes than those of a gradient.
static bool updatesLayer(linalg::GenericOp op) {
  return llvm::any_of(op.getDpsInitsMutable(), [&](OpOperand &init) {
    auto slice = init.get().getDefiningOp<tensor::ExtractSliceOp>();
    return slice && op.payloadUsesValueFromOperand(&init) &&
           slice.getDroppedDims().any();
  });
}

/// A contraction whose result only one elementwise op reads, at the same
/// element that it writes, hands the result over in registers.
void KernelGroup::planEpilogue(const DenseSet<Operation *> &claimed) {
  auto linalgOp = dyn_cast<linalg::LinalgOp>(root);
  bool isAlone = root->hasAttr(kAloneAttr);
  if (!linalgOp || root->getNumResults() != 1 ||
      !root->getResult(0).hasOneUse() ||
      !(isAlone || mayHaveEpilogue(linalgOp)))
    return;

  OpOperand &use = *root->getResult(0).getUses().begin();
  auto consumer = dyn_cast<linalg::GenericOp>(use.getOwner());
  if (!consumer || consumer->getBlock() != root->getBlock() ||
      claimed.contains(consumer) || !isKernelRoot(consumer) ||
      consumer->hasAttr(kAloneAttr) != isAlone ||
      consumer.getNumReductionLoops() != 0 || !consumer.isDpsInput(&use) ||
      consumer.hasIndexSemantics() || updatesLayer(consumer) ||
      consumer->hasAttr(kUpdateAttr))
    return;
  AffineMap map = consumer.getMatchingIndexingMap(&use);
  if (!map.isPermutation())
    return;
  for (OpOperand &init : consumer.getDpsInitsMutable())
    if (consumer.getMatchingIndexingMap(&init) != map)
      return;
  if (!canComputeAt(root, consumer))
    return;
  epilogue = consumer;
  last = consumer;
}

void KernelGroup::planDestinations() {
  Operation *final = getFinal();
  for (OpResult result : final->getResults()) {
    GroupDestination destination;
    Value init;
    if (auto linalgOp = dyn_cast<linalg::LinalgOp>(final)) {
      OpOperand *operand = linalgOp.getDpsInitOperand(result.getResultNumber());
      init = operand->get();
      destination.readsBuffer = linalgOp.payloadUsesValueFromOperand(operand);
      if (auto fill = init.getDefiningOp<linalg::FillOp>();
          fill && destination.readsBuffer && hasStaticTensors(fill)) {
        destination.fill = fill;
        destination.readsBuffer = false;
        init = fill.getDpsInitOperand(0)->get();
      }
    }

    tensor::InsertSliceOp insert;
    if (result.hasOneUse())
      insert = dyn_cast<tensor::InsertSliceOp>(*result.user_begin());
    if (insert && insert.getSource() == result &&
        insert->getBlock() == final->getBlock() && hasStaticTensors(insert) &&
        llvm::none_of(insert.getStaticStrides(), ShapedType::isDynamic)) {
      auto slice = init ? init.getDefiningOp<tensor::ExtractSliceOp>()
                        : tensor::ExtractSliceOp();
      bool sameSlice = slice && slice.getSource() == insert.getDest() &&
                       slice.getType() == insert.getSourceType() &&
                       slice.getMixedOffsets() == insert.getMixedOffsets() &&
                       slice.getMixedStrides() == insert.getMixedStrides();
      if (!destination.readsBuffer || sameSlice) {
        destination.insert = insert;
        destination.buffer = insert.getDest();
        // The call goes where the result is computed, if it can: later on, an
        // operand may have been written over.
        bool isAvailable = llvm::all_of(insert->getOperands(), [&](Value v) {
          Operation *producer = v.getDefiningOp();
          return !producer || producer->getBlock() != final->getBlock() ||
                 producer == final || producer->isBeforeInBlock(final);
        });
        if (!isAvailable && last->isBeforeInBlock(insert))
          last = insert;
        destinations.push_back(destination);
        continue;
      }
    }
    // A slice of something bigger is only a destination together with the
    // insertion that puts it back.
    bool isSlice =
        init && init.getDefiningOp<tensor::ExtractSliceOp>() != nullptr;
    // A constant is nothing to write over, unless the op adds to it:
    // bufferization then copies it.
    bool isOnlyWritten =
        !destination.readsBuffer && init && matchPattern(init, m_Constant());
    if (init && !isFreshDestination(init) && !isOnlyWritten &&
        (destination.readsBuffer || !isSlice))
      destination.buffer = init;
    if (!destination.buffer)
      planReuse(destination, result.getResultNumber());
    destinations.push_back(destination);
  }

  // Sinking to the last insertion must not pass a use of another result.
  for (OpResult result : final->getResults()) {
    GroupDestination &destination = destinations[result.getResultNumber()];
    Value escaping =
        destination.insert ? destination.insert.getResult() : Value(result);
    for (Operation *user : escaping.getUsers()) {
      Operation *ancestor = last->getBlock()->findAncestorOpInBlock(*user);
      if (ancestor && (ancestor == last || ancestor->isBeforeInBlock(last))) {
        last = final;
        for (auto [number, other] : llvm::enumerate(destinations)) {
          if (!other.insert)
            continue;
          other = GroupDestination{};
          if (auto linalgOp = dyn_cast<linalg::LinalgOp>(final)) {
            Value init = linalgOp.getDpsInitOperand(number)->get();
            other.fill = init.getDefiningOp<linalg::FillOp>();
            if (!other.fill && linalgOp.payloadUsesValueFromOperand(
                                   linalgOp.getDpsInitOperand(number))) {
              other.readsBuffer = true;
              other.buffer = init;
            }
          }
        }
        return;
      }
    }
  }
}

/// Writing over an operand that dies here saves a buffer.
void KernelGroup::planReuse(GroupDestination &destination, unsigned result) {
  auto generic = dyn_cast<linalg::GenericOp>(getFinal());
  if (!generic || generic.getNumReductionLoops() != 0 || destination.fill)
    return;
  OpOperand *init = generic.getDpsInitOperand(result);
  AffineMap map = generic.getMatchingIndexingMap(init);
  for (OpOperand *input : generic.getDpsInputOperands()) {
    Value value = input->get();
    if (value.getType() != init->get().getType() ||
        generic.getMatchingIndexingMap(input) != map ||
        (epilogue && value.getDefiningOp() == root))
      continue;
    Operation *producer = value.getDefiningOp();
    if (producer) {
      if (producer->getBlock() != generic->getBlock() ||
          !isa<linalg::LinalgOp, func::CallOp, tensor::InsertSliceOp,
               LoopLikeOpInterface>(producer) ||
          absorbs(generic, *input))
        continue;
    } else {
      Block *owner = cast<BlockArgument>(value).getOwner();
      if (owner != generic->getBlock())
        continue;
      // Callers of a public function own its arguments, but for donated ones.
      if (auto func = dyn_cast<func::FuncOp>(owner->getParentOp());
          func && !func.isPrivate() &&
          !func.getArgAttr(cast<BlockArgument>(value).getArgNumber(),
                           kDonatedAttr))
        continue;
      if (!isa<func::FuncOp, LoopLikeOpInterface>(owner->getParentOp()))
        continue;
    }
    // Any other read in the group may be of another element.
    int uses = llvm::count(generic->getOperands(), value);
    if (epilogue)
      uses += llvm::count(root->getOperands(), value);
    bool taken = llvm::any_of(destinations, [&](const auto &other) {
      return other.reusedInput == input->getOperandNumber();
    });
    if (uses != 1 || taken || !diesIn(value, generic))
      continue;
    destination.buffer = value;
    destination.reusedInput = input->getOperandNumber();
    destination.readsBuffer = true;
    return;
  }
}

void KernelGroup::addExternal(OpFoldResult value) {
  if (auto asValue = dyn_cast<Value>(value)) {
    if (!externalIds.try_emplace(asValue, externals.size()).second)
      return;
  }
  externals.push_back(value);
}

/// Numbers values in the order in which they are met, so that equal groups
/// number alike.
unsigned KernelGroup::idOf(OpFoldResult value) {
  return localIds.try_emplace(cast<Value>(value), localIds.size())
      .first->second;
}

void KernelGroup::includeOperand(Operation *consumer, OpOperand &operand) {
  if (included.contains(operand.get().getDefiningOp()))
    return;
  if (absorbs(consumer, operand))
    include(operand.get().getDefiningOp());
  else
    addExternal(operand.get());
}

/// Collects the offsets of a slice. An offset into a dimension that the slice
/// drops names a layer of a stack: it is an argument even where it is constant.
void KernelGroup::includeSlice(Operation *op) {
  auto slice = cast<OffsetSizeAndStrideOpInterface>(op);
  llvm::SmallBitVector dropped =
      isa<tensor::ExtractSliceOp>(op)
          ? cast<tensor::ExtractSliceOp>(op).getDroppedDims()
          : cast<tensor::InsertSliceOp>(op).getDroppedDims();
  SmallVector<int64_t> &numbers = sliceOffsets[op];
  for (auto [dim, offset] : llvm::enumerate(slice.getMixedOffsets())) {
    if (isa<Attribute>(offset) && !dropped.test(dim)) {
      numbers.push_back(-1);
      key.push_back(*getConstantIntValue(offset));
      continue;
    }
    if (auto value = dyn_cast<Value>(offset)) {
      addExternal(value);
      numbers.push_back(externalIds.lookup(value));
    } else {
      numbers.push_back(externals.size());
      externals.push_back(offset);
    }
    key.push_back(numbers.back());
  }
}

void KernelGroup::include(Operation *op) {
  if (!included.insert(op).second)
    return;
  if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op)) {
    includeOperand(op, slice.getSourceMutable());
    includeSlice(op);
  } else if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op)) {
    for (OpOperand *input : linalgOp.getDpsInputOperands()) {
      bool reused =
          op == getFinal() &&
          llvm::any_of(destinations, [&](const auto &destination) {
            return destination.reusedInput == input->getOperandNumber();
          });
      if (!reused)
        includeOperand(op, *input);
    }
    // Inits of the final op are destinations; those of others are scratch,
    // unless their content is read.
    if (op == root && epilogue) {
      OpOperand *init = linalgOp.getDpsInitOperand(0);
      if (linalgOp.payloadUsesValueFromOperand(init))
        includeOperand(op, *init);
    }
  } else {
    for (OpOperand &operand : op->getOpOperands())
      includeOperand(op, operand);
  }
  llvm::SetVector<Value> captured;
  getUsedValuesDefinedAbove(op->getRegions(), captured);
  for (Value value : captured) {
    auto constant = value.getDefiningOp<arith::ConstantOp>();
    if (constant && !isa<ShapedType>(constant.getType()))
      include(constant);
    else
      addExternal(value);
  }
  ops.push_back(op);
  keyOperation(op);
}

void KernelGroup::keyOperation(Operation *op) {
  auto pointer = [&](const void *value) {
    key.push_back(reinterpret_cast<uintptr_t>(value));
  };
  pointer(op->getName().getAsOpaquePointer());
  if (isa<tensor::ExtractSliceOp, tensor::InsertSliceOp>(op)) {
    // The offsets are in the key already, without those that are arguments.
    auto slice = cast<OffsetSizeAndStrideOpInterface>(op);
    llvm::append_range(key, slice.getStaticSizes());
    llvm::append_range(key, slice.getStaticStrides());
    key.push_back(idOf(op->getOperand(0)));
  } else {
    pointer(op->getAttrDictionary().getAsOpaquePointer());
    for (Value operand : op->getOperands())
      key.push_back(idOf(operand));
  }
  for (Value result : op->getResults()) {
    pointer(result.getType().getAsOpaquePointer());
    idOf(result);
  }
  for (Region &region : op->getRegions())
    keyRegion(region);
}

void KernelGroup::keyRegion(Region &region) {
  for (Block &block : region) {
    key.push_back(block.getNumArguments());
    for (BlockArgument argument : block.getArguments())
      idOf(argument);
    for (Operation &op : block)
      keyOperation(&op);
  }
}
