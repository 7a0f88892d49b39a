//===- SliceBuilder.cpp - Computing on one slice of a stack ---------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "SliceBuilder.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace mlir::memrev;

std::optional<unsigned> memrev::getDimOfLoop(AffineMap map, unsigned loop) {
  for (auto [dim, expr] : llvm::enumerate(map.getResults()))
    if (expr.isFunctionOfDim(loop))
      return dim;
  return std::nullopt;
}

/// `map` without loop `loop`, and without the result that it walks.
static AffineMap dropLoop(AffineMap map, unsigned loop) {
  if (std::optional<unsigned> dim = getDimOfLoop(map, loop))
    map = map.dropResult(*dim);
  MLIRContext *context = map.getContext();
  SmallVector<AffineExpr> dims;
  for (unsigned i = 0; i < map.getNumDims(); ++i)
    dims.push_back(i == loop ? getAffineConstantExpr(0, context)
                             : getAffineDimExpr(i - (i > loop), context));
  return map.replaceDimsAndSymbols(dims, {}, map.getNumDims() - 1,
                                   /*numResultSyms=*/0);
}

Value memrev::buildFill(OpBuilder &builder, linalg::FillOp fill,
                        RankedTensorType type) {
  Value empty = tensor::EmptyOp::create(builder, fill.getLoc(), type.getShape(),
                                        type.getElementType());
  return linalg::FillOp::create(builder, fill.getLoc(), fill.getInputs(), empty)
      .getResult(0);
}

SliceBuilder::SliceBuilder(const SliceWrite &write, scf::ForOp loop,
                           const llvm::DenseMap<Operation *, unsigned> &loops,
                           const llvm::DenseMap<Value, Value> &current)
    : target(write.insert), loop(loop), loops(loops), current(current),
      builder(target.getContext()) {
  unsigned dim = *getSlicedDim(target, target.getDestType());
  number = target.getMixedOffsets()[dim];
  builder.setInsertionPoint(target);
}

void SliceBuilder::getPart(RankedTensorType type, unsigned dim,
                           SmallVectorImpl<OpFoldResult> &offsets,
                           SmallVectorImpl<OpFoldResult> &sizes,
                           SmallVectorImpl<OpFoldResult> &strides) {
  offsets.assign(type.getRank(), builder.getIndexAttr(0));
  strides.assign(type.getRank(), builder.getIndexAttr(1));
  for (int64_t extent : type.getShape())
    sizes.push_back(builder.getIndexAttr(extent));
  offsets[dim] = number;
  sizes[dim] = builder.getIndexAttr(1);
}

/// One that is there is used again, so that what is nested in the loop finds
/// it.
Value SliceBuilder::extractSlice(Value source, unsigned dim) {
  auto type = cast<RankedTensorType>(source.getType());
  SmallVector<OpFoldResult> offsets, sizes, strides;
  getPart(type, dim, offsets, sizes, strides);
  RankedTensorType sliceType = getSliceType(type, dim);
  for (Operation *user : source.getUsers()) {
    auto slice = dyn_cast<tensor::ExtractSliceOp>(user);
    if (slice && slice->getBlock() == target->getBlock() &&
        slice->isBeforeInBlock(target) && slice.getType() == sliceType &&
        isEqualConstantIntOrValueArray(slice.getMixedOffsets(), offsets) &&
        isEqualConstantIntOrValueArray(slice.getMixedSizes(), sizes))
      return slice;
  }
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPoint(target);
  // In a loop as soon as the number of the slice and the stack are there.
  auto value = dyn_cast<Value>(number);
  Operation *producer = value ? value.getDefiningOp() : nullptr;
  if (producer && producer->getBlock() == target->getBlock())
    builder.setInsertionPointAfter(producer);
  else if (loop)
    builder.setInsertionPointToStart(target->getBlock());
  if (Operation *made = source.getDefiningOp();
      made && made->getBlock() == target->getBlock() &&
      !made->isBeforeInBlock(&*builder.getInsertionPoint()))
    builder.setInsertionPointAfter(made);
  return tensor::ExtractSliceOp::create(builder, target.getLoc(), sliceType,
                                        source, offsets, sizes, strides);
}

Value SliceBuilder::insertSlice(Value slice, Value dest, unsigned dim) {
  SmallVector<OpFoldResult> offsets, sizes, strides;
  getPart(cast<RankedTensorType>(dest.getType()), dim, offsets, sizes, strides);
  return tensor::InsertSliceOp::create(builder, target.getLoc(), slice, dest,
                                       offsets, sizes, strides);
}

Value SliceBuilder::getSlice(Value value, unsigned dim) {
  if (Value slice = slices.lookup(value))
    return slice;
  Operation *op = value.getDefiningOp();
  if (auto moved = loops.find(op); moved != loops.end()) {
    clone(cast<linalg::GenericOp>(op), moved->second);
    return slices.lookup(value);
  }
  auto type = cast<RankedTensorType>(value.getType());
  Value slice;
  if (isa_and_nonnull<tensor::EmptyOp>(op)) {
    RankedTensorType sliceType = getSliceType(type, dim);
    slice = tensor::EmptyOp::create(builder, op->getLoc(), sliceType.getShape(),
                                    sliceType.getElementType());
  } else if (auto fill = dyn_cast_or_null<linalg::FillOp>(op)) {
    slice = buildFill(builder, fill, getSliceType(type, dim));
  } else {
    Value source = current.lookup(value);
    return extractSlice(source ? source : value, dim);
  }
  return slice;
}

/// Computes `op` on slices, without the loop over them.
void SliceBuilder::clone(linalg::GenericOp op, unsigned loopOfSlices) {
  SmallVector<Value> inputs, inits;
  SmallVector<AffineMap> maps;
  for (OpOperand &operand : op->getOpOperands()) {
    AffineMap map = op.getMatchingIndexingMap(&operand);
    maps.push_back(dropLoop(map, loopOfSlices));
    auto dim = getDimOfLoop(map, loopOfSlices);
    Value value = operand.get();
    if (op.isDpsInit(&operand) && !op.payloadUsesValueFromOperand(&operand)) {
      RankedTensorType type =
          getSliceType(cast<RankedTensorType>(value.getType()), *dim);
      value = tensor::EmptyOp::create(builder, op.getLoc(), type.getShape(),
                                      type.getElementType());
    } else if (dim) {
      value = getSlice(value, *dim);
    }
    (op.isDpsInit(&operand) ? inits : inputs).push_back(value);
  }
  SmallVector<utils::IteratorType> iterators = op.getIteratorTypesArray();
  iterators.erase(iterators.begin() + loopOfSlices);
  auto sliced = linalg::GenericOp::create(builder, op.getLoc(),
                                          ValueRange(inits).getTypes(), inputs,
                                          inits, maps, iterators);
  IRMapping mapping;
  op.getRegion().cloneInto(&sliced.getRegion(), mapping);
  sliced->setDiscardableAttrs(op->getDiscardableAttrDictionary());
  for (auto [whole, slice] :
       llvm::zip_equal(op->getResults(), sliced->getResults()))
    slices[whole] = slice;
  made.push_back(sliced);
}

/// The first operand of `consumer` whose producer, one of `made`, can be
/// computed together with it.
static OpOperand *findFusable(linalg::GenericOp consumer,
                              ArrayRef<linalg::GenericOp> made) {
  for (OpOperand *operand : consumer.getDpsInputOperands()) {
    auto producer = operand->get().getDefiningOp<linalg::GenericOp>();
    if (producer && llvm::is_contained(made, producer) &&
        llvm::count_if(consumer->getOperands(),
                       [&](Value value) {
                         return value.getDefiningOp() == producer;
                       }) == 1 &&
        llvm::all_of(producer->getUsers(),
                     [&](Operation *user) {
                       return user == consumer ||
                              consumer->isBeforeInBlock(user);
                     }) &&
        linalg::areElementwiseOpsFusable(operand))
      return operand;
  }
  return nullptr;
}

void SliceBuilder::join() {
  for (size_t i = 0; i < made.size(); ++i)
    while (OpOperand *operand =
               findFusable(made[i], ArrayRef(made).take_front(i))) {
      auto producer = operand->get().getDefiningOp<linalg::GenericOp>();
      OpBuilder::InsertionGuard guard(builder);
      builder.setInsertionPoint(made[i]);
      FailureOr<linalg::ElementwiseOpFusionResult> fused =
          linalg::fuseElementwiseOps(builder, operand);
      if (failed(fused))
        break;
      for (auto [before, after] : fused->replacements)
        before.replaceAllUsesWith(after);
      made[i].erase();
      made[i] = cast<linalg::GenericOp>(fused->fusedOp);
      llvm::erase(made, producer);
      producer.erase();
      --i;
    }
}
