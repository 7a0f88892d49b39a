//===- LinalgToParallel.cpp - Linalg and copies to parallel loops ---------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Codegen/GPU/Passes.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"

namespace mlir::memrev {
#define GEN_PASS_DEF_GPULINALGTOPARALLEL
#include "memrev/Codegen/GPU/Passes.h.inc"
} // namespace mlir::memrev

using namespace mlir;

/// Creates one parallel loop from zero to `sizes` for `op`. No sizes make one
/// iteration, whose body then gets no indices.
static void
createParallel(OpBuilder &builder, Operation *op, ArrayRef<OpFoldResult> sizes,
               llvm::function_ref<void(OpBuilder &, ValueRange)> createBody) {
  Location loc = op->getLoc();
  Value zero = arith::ConstantIndexOp::create(builder, loc, 0);
  Value one = arith::ConstantIndexOp::create(builder, loc, 1);
  SmallVector<Value> upper =
      getValueOrCreateConstantIndexOp(builder, loc, sizes);
  bool single = upper.empty();
  if (single)
    upper.push_back(one);
  SmallVector<Value> lower(upper.size(), zero), step(upper.size(), one);
  auto loop =
      scf::ParallelOp::create(builder, loc, lower, upper, step,
                              [&](OpBuilder &b, Location, ValueRange ivs) {
                                createBody(b, single ? ValueRange() : ivs);
                              });
  // Profilers show the names of kernels.
  loop->setAttr("memrev.kernel_name",
                builder.getStringAttr(op->getName().stripDialect()));
}

/// Returns the dimensions that one iteration of the parallel loop fixes: those
/// that are parallel and select an element of every output on their own, in
/// their order in the first output. Iterations that differ in one of them write
/// different elements; whatever the other dimensions do stays in one thread.
static SmallVector<unsigned> getThreadDims(linalg::LinalgOp op) {
  SmallVector<utils::IteratorType> iterators = op.getIteratorTypesArray();
  SmallVector<unsigned> dims;
  OpOperand &first = *op.getDpsInitsMutable().begin();
  for (AffineExpr result : op.getMatchingIndexingMap(&first).getResults()) {
    auto dim = dyn_cast<AffineDimExpr>(result);
    if (!dim || llvm::is_contained(dims, dim.getPosition()) ||
        iterators[dim.getPosition()] != utils::IteratorType::parallel)
      continue;
    bool selectsInAll =
        llvm::all_of(op.getDpsInitsMutable(), [&](OpOperand &init) {
          return llvm::is_contained(
              op.getMatchingIndexingMap(&init).getResults(), result);
        });
    if (selectsInAll)
      dims.push_back(dim.getPosition());
  }
  return dims;
}

/// Returns the indices of `operand`'s element at the iteration `ivs`.
static SmallVector<Value> createIndices(OpBuilder &builder, linalg::LinalgOp op,
                                        OpOperand &operand, ValueRange ivs) {
  SmallVector<OpFoldResult> dims = getAsOpFoldResult(ivs);
  SmallVector<OpFoldResult> indices =
      affine::makeComposedFoldedMultiResultAffineApply(
          builder, op.getLoc(), op.getMatchingIndexingMap(&operand), dims);
  return getValueOrCreateConstantIndexOp(builder, op.getLoc(), indices);
}

/// Clones the body of `op` for the iteration `ivs` with `arguments` for its
/// block arguments and returns the values it yields.
static SmallVector<Value> cloneBody(OpBuilder &builder, linalg::LinalgOp op,
                                    ValueRange arguments, ValueRange ivs) {
  Block *body = op.getBlock();
  IRMapping mapping;
  mapping.map(body->getArguments(), arguments);
  for (Operation &inner : body->without_terminator()) {
    Operation *clone = builder.clone(inner, mapping);
    clone->walk([&](linalg::IndexOp index) {
      index.replaceAllUsesWith(ivs[index.getDim()]);
    });
    if (auto index = dyn_cast<linalg::IndexOp>(inner)) {
      mapping.map(index.getResult(), ivs[index.getDim()]);
      clone->erase();
    }
  }
  return llvm::map_to_vector(
      body->getTerminator()->getOperands(),
      [&](Value v) { return mapping.lookupOrDefault(v); });
}

/// Emits what one iteration of the parallel loop does for the elements that
/// the dimensions set in `ivs` select: a nest of sequential loops over the
/// other dimensions, `serialDims`.
static void createThreadBody(OpBuilder &builder, linalg::LinalgOp op,
                             ArrayRef<Range> ranges,
                             ArrayRef<unsigned> serialDims,
                             SmallVector<Value> ivs) {
  Location loc = op.getLoc();

  // An output element that stays the same over the sequential loops is kept in
  // a register: loaded before, stored after them.
  SmallVector<OpOperand *> carried;
  SmallVector<Value> carriedInits;
  for (OpOperand &init : op.getDpsInitsMutable()) {
    AffineMap map = op.getMatchingIndexingMap(&init);
    bool varies = llvm::any_of(
        serialDims, [&](unsigned dim) { return map.isFunctionOfDim(dim); });
    if (serialDims.empty() || varies)
      continue;
    carried.push_back(&init);
    carriedInits.push_back(memref::LoadOp::create(
        builder, loc, init.get(), createIndices(builder, op, init, ivs)));
  }

  auto createPoint = [&](OpBuilder &b, Location, ValueRange serialIvs,
                         ValueRange accumulators) -> scf::ValueVector {
    for (auto [dim, iv] : llvm::zip_equal(serialDims, serialIvs))
      ivs[dim] = iv;
    SmallVector<Value> arguments;
    for (OpOperand *operand : op.getOpOperandsMatchingBBargs()) {
      BlockArgument argument = op.getMatchingBlockArgument(operand);
      auto *position = llvm::find(carried, operand);
      if (position != carried.end()) {
        arguments.push_back(accumulators[position - carried.begin()]);
      } else if (!isa<MemRefType>(operand->get().getType())) {
        arguments.push_back(operand->get());
      } else if (argument.use_empty()) {
        // Only the shape of such an operand counts, as of a pooling window.
        arguments.push_back(argument);
      } else {
        arguments.push_back(memref::LoadOp::create(
            b, loc, operand->get(), createIndices(b, op, *operand, ivs)));
      }
    }
    SmallVector<Value> results = cloneBody(b, op, arguments, ivs);
    scf::ValueVector next;
    for (auto [init, result] :
         llvm::zip_equal(op.getDpsInitsMutable(), results)) {
      if (llvm::is_contained(carried, &init))
        next.push_back(result);
      else
        memref::StoreOp::create(b, loc, result, init.get(),
                                createIndices(b, op, init, ivs));
    }
    return next;
  };

  if (serialDims.empty()) {
    createPoint(builder, loc, {}, {});
    return;
  }
  SmallVector<Value> lower, upper, step;
  for (unsigned dim : serialDims) {
    lower.push_back(arith::ConstantIndexOp::create(builder, loc, 0));
    upper.push_back(
        getValueOrCreateConstantIndexOp(builder, loc, ranges[dim].size));
    step.push_back(arith::ConstantIndexOp::create(builder, loc, 1));
  }
  scf::LoopNest nest = scf::buildLoopNest(builder, loc, lower, upper, step,
                                          carriedInits, createPoint);
  for (auto [init, result] : llvm::zip_equal(carried, nest.results))
    memref::StoreOp::create(builder, loc, result, init->get(),
                            createIndices(builder, op, *init, ivs));
}

static LogicalResult lowerLinalg(linalg::LinalgOp op) {
  if (!op.hasPureBufferSemantics() || op.getNumDpsInits() == 0)
    return op->emitOpError("expects buffers for operands, but got tensors");
  OpBuilder builder(op);
  SmallVector<Range, 4> ranges = op.createLoopRanges(builder, op.getLoc());
  SmallVector<unsigned> threadDims = getThreadDims(op);
  SmallVector<unsigned> serialDims;
  for (unsigned dim = 0; dim < op.getNumLoops(); ++dim)
    if (!llvm::is_contained(threadDims, dim))
      serialDims.push_back(dim);

  SmallVector<OpFoldResult> sizes = llvm::map_to_vector(
      threadDims, [&](unsigned dim) { return ranges[dim].size; });
  createParallel(builder, op, sizes, [&](OpBuilder &b, ValueRange threadIvs) {
    SmallVector<Value> ivs(op.getNumLoops());
    for (auto [dim, iv] : llvm::zip_equal(threadDims, threadIvs))
      ivs[dim] = iv;
    createThreadBody(b, op, ranges, serialDims, std::move(ivs));
  });
  op->erase();
  return success();
}

static LogicalResult lowerCopy(memref::CopyOp op) {
  auto source = dyn_cast<MemRefType>(op.getSource().getType());
  auto target = dyn_cast<MemRefType>(op.getTarget().getType());
  if (!source || !target)
    return op.emitOpError("expects buffers of known rank, but got ")
           << op.getSource().getType() << " and " << op.getTarget().getType();
  OpBuilder builder(op);
  Location loc = op.getLoc();
  if (op.getSource() != op.getTarget()) {
    SmallVector<OpFoldResult> sizes;
    for (int64_t dim = 0; dim < source.getRank(); ++dim) {
      bool known = !target.isDynamicDim(dim);
      sizes.push_back(memref::getMixedSize(
          builder, loc, known ? op.getTarget() : op.getSource(), dim));
    }
    createParallel(builder, op, sizes, [&](OpBuilder &b, ValueRange ivs) {
      Value element = memref::LoadOp::create(b, loc, op.getSource(), ivs);
      memref::StoreOp::create(b, loc, element, op.getTarget(), ivs);
    });
  }
  op.erase();
  return success();
}

namespace {
struct GPULinalgToParallel
    : memrev::impl::GPULinalgToParallelBase<GPULinalgToParallel> {
  void runOnOperation() override {
    SmallVector<Operation *> worklist;
    getOperation().walk<WalkOrder::PreOrder>([&](Operation *op) {
      if (isa<scf::ParallelOp, gpu::LaunchOp>(op))
        return WalkResult::skip();
      if (isa<linalg::LinalgDialect>(op->getDialect()) ||
          isa<memref::CopyOp>(op)) {
        worklist.push_back(op);
        return WalkResult::skip();
      }
      return WalkResult::advance();
    });
    for (Operation *op : worklist) {
      LogicalResult result = success();
      if (auto copy = dyn_cast<memref::CopyOp>(op))
        result = lowerCopy(copy);
      else if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op))
        result = lowerLinalg(linalgOp);
      else
        result = op->emitOpError(
            "expects to be decomposed into structured operations before");
      if (failed(result))
        return signalPassFailure();
    }
  }
};
} // namespace
