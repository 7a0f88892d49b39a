//===- InsertCopies.cpp - Name copies that bufferization would make -------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Codegen/Common/Passes.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Tensor/Transforms/Transforms.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Interfaces/LoopLikeInterface.h"

namespace mlir::memrev {
#define GEN_PASS_DEF_CODEGENINSERTCOPIES
#include "memrev/Codegen/Common/Passes.h.inc"
} // namespace mlir::memrev

using namespace mlir;

/// Emits an elementwise operation that copies `source` to a fresh tensor.
static Value buildCopy(OpBuilder &builder, Location loc, Value source) {
  auto type = cast<RankedTensorType>(source.getType());
  Value empty = tensor::EmptyOp::create(builder, loc, type.getShape(),
                                        type.getElementType());
  AffineMap identity = builder.getMultiDimIdentityMap(type.getRank());
  SmallVector<utils::IteratorType> iterators(type.getRank(),
                                             utils::IteratorType::parallel);
  return linalg::GenericOp::create(
             builder, loc, TypeRange{type}, source, empty,
             ArrayRef<AffineMap>{identity, identity}, iterators,
             [](OpBuilder &b, Location l, ValueRange args) {
               linalg::YieldOp::create(b, l, args.front());
             })
      .getResult(0);
}

static bool isStatic(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type && type.hasStaticShape() && type.getRank() != 0;
}

/// The slice of another tensor that `value` is, or null.
static tensor::ExtractSliceOp getSlice(Value value) {
  while (auto cast = value.getDefiningOp<tensor::CastOp>())
    value = cast.getSource();
  return value.getDefiningOp<tensor::ExtractSliceOp>();
}

/// True if `argument`, or what takes its place in `loop`, is an operand of a
/// linalg operation.
static bool isComputedOn(Operation *loop, Value argument) {
  SmallVector<Value> pending{argument};
  llvm::SmallDenseSet<Value> visited;
  while (!pending.empty()) {
    Value value = pending.pop_back_val();
    if (!visited.insert(value).second)
      continue;
    for (OpOperand &use : value.getUses()) {
      Operation *user = use.getOwner();
      if (isa<linalg::LinalgOp, tensor::PadOp>(user))
        return true;
      if (auto inner = dyn_cast<LoopLikeOpInterface>(user)) {
        if (BlockArgument carried = inner.getTiedLoopRegionIterArg(&use))
          pending.push_back(carried);
        if (OpResult result = inner.getTiedLoopResult(&use))
          pending.push_back(result);
      } else if (isa<tensor::InsertSliceOp, tensor::InsertOp, tensor::CastOp,
                     tensor::CollapseShapeOp, tensor::ExpandShapeOp>(user)) {
        llvm::append_range(pending, user->getResults());
      }
    }
  }
  return false;
}

/// Copies the slices that `loop` carries and computes on.
static void copyStates(LoopLikeOpInterface loop) {
  for (OpOperand &init : loop.getInitsMutable()) {
    BlockArgument carried = loop.getTiedLoopRegionIterArg(&init);
    if (!carried || !isStatic(init.get()) || !getSlice(init.get()) ||
        !isComputedOn(loop, carried))
      continue;
    OpBuilder builder(loop);
    init.set(buildCopy(builder, loop.getLoc(), init.get()));
  }
}

/// Copies what `insert` puts into a slice, unless a kernel computes it there.
static void copySource(tensor::InsertSliceOp insert) {
  Value source = insert.getSource();
  auto loop = source.getDefiningOp<LoopLikeOpInterface>();
  if (!loop || !isStatic(source) || !isStatic(insert.getDest()))
    return;
  // A loop that updates the slice in its place needs no copy.
  OpOperand *init = loop.getTiedLoopInit(cast<OpResult>(source));
  if (init && getSlice(init->get()))
    return;
  OpBuilder builder(insert);
  insert.getSourceMutable().set(buildCopy(builder, insert.getLoc(), source));
}

/// True if no element is in both slices of one tensor, as far as is known.
static bool areDisjoint(tensor::ExtractSliceOp slice,
                        tensor::InsertSliceOp insert) {
  for (unsigned dim = 0; dim < slice.getSourceType().getRank(); ++dim) {
    if (slice.getStaticStrides()[dim] != 1 ||
        insert.getStaticStrides()[dim] != 1)
      continue;
    int64_t read = slice.getStaticOffsets()[dim];
    int64_t written = insert.getStaticOffsets()[dim];
    int64_t readSize = slice.getStaticSizes()[dim];
    int64_t writtenSize = insert.getStaticSizes()[dim];
    if (!llvm::is_contained({read, written, readSize, writtenSize},
                            ShapedType::kDynamic) &&
        (read + readSize <= written || written + writtenSize <= read))
      return true;
  }
  return false;
}

/// Copies a slice that is read by what computes `insert`, if it is one of the
/// tensor that this writes to: the tensor would be operand and destination of
/// one kernel.
static void copyOverwrittenOperands(tensor::InsertSliceOp insert) {
  auto op = insert.getSource().getDefiningOp<linalg::LinalgOp>();
  if (!op || !isStatic(insert.getDest()))
    return;
  for (OpOperand *input : op.getDpsInputOperands()) {
    Value value = input->get();
    tensor::ExtractSliceOp slice = getSlice(value);
    if (!isStatic(value) || !slice || slice.getSource() != insert.getDest() ||
        areDisjoint(slice, insert))
      continue;
    // Not by an operation: a kernel would take that in, and read the tensor.
    OpBuilder builder(op);
    input->set(bufferization::AllocTensorOp::create(
        builder, op->getLoc(), cast<RankedTensorType>(value.getType()),
        /*dynamicSizes=*/ValueRange(), /*copy=*/value));
  }
}

namespace {
class CodegenInsertCopiesPass
    : public memrev::impl::CodegenInsertCopiesBase<CodegenInsertCopiesPass> {
public:
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    tensor::populateDecomposeTensorConcatPatterns(patterns);
    (void)applyPatternsGreedily(getOperation(), std::move(patterns));
    getOperation()->walk([](Operation *op) {
      if (auto loop = dyn_cast<LoopLikeOpInterface>(op)) {
        copyStates(loop);
      } else if (auto insert = dyn_cast<tensor::InsertSliceOp>(op)) {
        copySource(insert);
        copyOverwrittenOperands(insert);
      }
    });
  }
};
} // namespace
