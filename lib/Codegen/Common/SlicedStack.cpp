//===- SlicedStack.cpp - Tensors that are written slice by slice ----------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "SlicedStack.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/ADT/SmallBitVector.h"
#include "llvm/Support/CheckedArithmetic.h"

using namespace mlir;
using namespace mlir::memrev;

/// The value of `expr` for the numbers of its dimensions and symbols.
static std::optional<int64_t> evaluate(AffineExpr expr,
                                       ArrayRef<int64_t> dimensions,
                                       ArrayRef<int64_t> symbols) {
  if (auto constant = dyn_cast<AffineConstantExpr>(expr))
    return constant.getValue();
  if (auto dimension = dyn_cast<AffineDimExpr>(expr))
    return dimensions[dimension.getPosition()];
  if (auto symbol = dyn_cast<AffineSymbolExpr>(expr))
    return symbols[symbol.getPosition()];
  auto binary = cast<AffineBinaryOpExpr>(expr);
  auto lhs = evaluate(binary.getLHS(), dimensions, symbols);
  auto rhs = evaluate(binary.getRHS(), dimensions, symbols);
  if (!lhs || !rhs)
    return std::nullopt;
  if (expr.getKind() == AffineExprKind::Add)
    return llvm::checkedAdd(*lhs, *rhs);
  if (expr.getKind() == AffineExprKind::Mul)
    return llvm::checkedMul(*lhs, *rhs);
  return std::nullopt;
}

/// The number that `value` is when the induction variable `variable`, or none
/// if that is null, is `iteration`; nothing if it depends on something else.
static std::optional<int64_t> evaluate(OpFoldResult value, Value variable,
                                       int64_t iteration) {
  if (std::optional<int64_t> constant = getConstantIntValue(value))
    return constant;
  auto number = cast<Value>(value);
  if (number == variable)
    return iteration;
  Operation *op = number.getDefiningOp();
  if (!op || !number.getType().isIndex())
    return std::nullopt;
  if (auto apply = dyn_cast<affine::AffineApplyOp>(op)) {
    SmallVector<int64_t> operands;
    for (Value operand : apply.getMapOperands()) {
      auto known = evaluate(operand, variable, iteration);
      if (!known)
        return std::nullopt;
      operands.push_back(*known);
    }
    AffineMap map = apply.getAffineMap();
    return evaluate(map.getResult(0),
                    ArrayRef(operands).take_front(map.getNumDims()),
                    ArrayRef(operands).drop_front(map.getNumDims()));
  }
  if (!isa<arith::AddIOp, arith::SubIOp, arith::MulIOp>(op))
    return std::nullopt;
  auto lhs = evaluate(op->getOperand(0), variable, iteration);
  auto rhs = evaluate(op->getOperand(1), variable, iteration);
  if (!lhs || !rhs)
    return std::nullopt;
  if (isa<arith::AddIOp>(op))
    return llvm::checkedAdd(*lhs, *rhs);
  if (isa<arith::SubIOp>(op))
    return llvm::checkedSub(*lhs, *rhs);
  return llvm::checkedMul(*lhs, *rhs);
}

RankedTensorType memrev::getSliceType(RankedTensorType type, unsigned dim) {
  SmallVector<int64_t> shape(type.getShape());
  shape.erase(shape.begin() + dim);
  return RankedTensorType::get(shape, type.getElementType());
}

std::optional<unsigned>
memrev::getSlicedDim(OffsetSizeAndStrideOpInterface slice,
                     RankedTensorType type) {
  if (!type.hasStaticShape() || !slice.hasUnitStride())
    return std::nullopt;
  std::optional<unsigned> sliced;
  for (int64_t dim = 0; dim < type.getRank(); ++dim) {
    if (slice.getStaticSizes()[dim] == type.getDimSize(dim)) {
      if (slice.getStaticOffsets()[dim] != 0)
        return std::nullopt;
    } else if (slice.getStaticSizes()[dim] == 1 && !sliced) {
      sliced = dim;
    } else {
      return std::nullopt;
    }
  }
  return sliced;
}

std::optional<SliceNumbers>
memrev::getSliceNumbers(OffsetSizeAndStrideOpInterface slice, unsigned dim,
                        scf::ForOp loop) {
  OpFoldResult offset = slice.getMixedOffsets()[dim];
  int64_t lower = 0, upper = 1, step = 1;
  if (loop) {
    auto from = getConstantIntValue(loop.getLowerBound());
    auto to = getConstantIntValue(loop.getUpperBound());
    auto by = getConstantIntValue(loop.getStep());
    if (!from || !to || !by || *by <= 0 || loop.getUnsignedCmp())
      return std::nullopt;
    lower = *from, upper = *to, step = *by;
  }
  // Longer loops write a slice twice.
  auto type = cast<RankedTensorType>(
      isa<tensor::InsertSliceOp>(slice)
          ? cast<tensor::InsertSliceOp>(slice).getDestType()
          : cast<tensor::ExtractSliceOp>(slice).getSourceType());
  SliceNumbers numbers;
  for (std::optional<int64_t> i = lower; i && *i < upper;
       i = llvm::checkedAdd(*i, step)) {
    auto number = evaluate(offset, loop ? loop.getInductionVar() : Value(), *i);
    if (!number || numbers.size() == size_t(type.getDimSize(dim)))
      return std::nullopt;
    numbers.push_back(*number);
  }
  return numbers;
}

/// Whether all uses of `value` but the one by `next` are reads of a slice that
/// one of `later` writes. Adds them to `reads`.
static bool collectReads(Value value, Operation *next, unsigned dim,
                         scf::ForOp loop, ArrayRef<SliceWrite> later,
                         SmallVectorImpl<tensor::ExtractSliceOp> &reads) {
  auto type = cast<RankedTensorType>(value.getType());
  for (OpOperand &use : value.getUses()) {
    if (use.getOwner() == next)
      continue;
    auto read = dyn_cast<tensor::ExtractSliceOp>(use.getOwner());
    if (!read || getSlicedDim(read, type) != dim)
      return false;
    auto numbers = getSliceNumbers(read, dim, loop);
    if (!numbers || llvm::none_of(later, [&](const SliceWrite &write) {
          return write.slices == *numbers;
        }))
      return false;
    reads.push_back(read);
  }
  return true;
}

/// Describes what `insert` writes along `dim`, which is found if it is not
/// known.
static std::optional<SliceWrite> getWrite(tensor::InsertSliceOp insert,
                                          std::optional<unsigned> &dim,
                                          scf::ForOp loop) {
  auto sliced = getSlicedDim(insert, insert.getDestType());
  if (!sliced || (dim && *dim != *sliced) ||
      insert.getSource() == insert.getDest())
    return std::nullopt;
  dim = sliced;
  // With its extent of 1 or without.
  RankedTensorType source = insert.getSourceType();
  if (source.getRank() != insert.getDestType().getRank() &&
      source != getSliceType(insert.getDestType(), *dim))
    return std::nullopt;
  auto numbers = getSliceNumbers(insert, *dim, loop);
  if (!numbers)
    return std::nullopt;
  return SliceWrite{insert, std::move(*numbers)};
}

/// Describes how `loop` writes its result number `result`, or fails.
static FailureOr<StackWriter> getLoopWriter(scf::ForOp loop, unsigned result,
                                            std::optional<unsigned> &dim) {
  StackWriter writer{loop, result, {}, {}};
  BlockArgument carried = loop.getRegionIterArg(result);
  Operation *next = loop.getBody()->getTerminator();
  Value value = next->getOperand(result);
  // From the last insertion to the first.
  SmallVector<Value> links;
  while (value != carried) {
    auto insert = value.getDefiningOp<tensor::InsertSliceOp>();
    if (!insert || insert->getBlock() != loop.getBody())
      return failure();
    auto write = getWrite(insert, dim, loop);
    if (!write)
      return failure();
    links.push_back(value);
    writer.writes.insert(writer.writes.begin(), std::move(*write));
    value = insert.getDest();
  }
  links.push_back(carried);
  if (writer.writes.empty())
    return failure();
  for (auto [index, link] : llvm::enumerate(links)) {
    // Twice in the yield would be two stacks.
    if (llvm::count(next->getOperands(), link) != 1 ||
        !collectReads(link, next, *dim, loop,
                      ArrayRef(writer.writes).take_back(index), writer.reads))
      return failure();
    if (index + 1 < links.size())
      next = link.getDefiningOp();
  }
  return writer;
}

FailureOr<SlicedStack>
SlicedStack::trace(Value value, function_ref<void(StringRef)> report) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type || !type.hasStaticShape())
    return failure();
  SlicedStack stack;
  stack.value = value;
  std::optional<unsigned> dim;
  while (!(stack.fill = value.getDefiningOp<linalg::FillOp>())) {
    StackWriter writer;
    Value before;
    if (auto insert = value.getDefiningOp<tensor::InsertSliceOp>()) {
      auto write = getWrite(insert, dim, /*loop=*/{});
      if (!write)
        return failure();
      writer = {insert, 0, {std::move(*write)}, {}};
      before = insert.getDest();
    } else if (auto loop = value.getDefiningOp<scf::ForOp>()) {
      unsigned result = cast<OpResult>(value).getResultNumber();
      auto found = getLoopWriter(loop, result, dim);
      if (failed(found))
        return failure();
      writer = std::move(*found);
      before = loop.getInitArgs()[result];
    } else {
      return failure();
    }
    if (!stack.writers.empty() &&
        writer.op->getBlock() != stack.getFirstWriter()->getBlock())
      return failure();
    // What there is before the first writer is known to everyone.
    if (!before.getDefiningOp<linalg::FillOp>() &&
        (llvm::count(writer.op->getOperands(), before) != 1 ||
         !collectReads(before, writer.op, *dim, {}, writer.writes,
                       writer.reads)))
      return failure();
    stack.writers.insert(stack.writers.begin(), std::move(writer));
    value = before;
  }
  if (!dim)
    return failure();
  stack.dim = *dim;
  llvm::SmallBitVector written(type.getDimSize(*dim));
  for (const StackWriter &writer : stack.writers)
    for (const SliceWrite &write : writer.writes)
      for (int64_t slice : write.slices) {
        if (slice < 0 || slice >= int64_t(written.size()) ||
            written.test(slice)) {
          report("a slice of it is written twice");
          return failure();
        }
        written.set(slice);
      }
  if (!written.all()) {
    report("a slice of it is not written");
    return failure();
  }
  return stack;
}
