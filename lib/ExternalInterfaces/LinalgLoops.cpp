//===- LinalgLoops.cpp - Sums by loops ------------------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What neither slices nor selections say, such as the elements of a tensor that
// a body looks up, is added element by element in a loop.
//
//===----------------------------------------------------------------------===//

#include "LinalgContributionEmitter.h"
#include "LinalgReductions.h"
#include "TensorExpressions.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::memrev;

LogicalResult ContributionEmitter::emitLoops(ArrayRef<Contribution> group) {
  FailureOr<SmallVector<OpFoldResult>> sizes = getLoopSizes(op, ctx);
  if (failed(sizes))
    return failure();
  for (const Contribution &c : group) {
    WideSum wide(ctx, c.operand, getTermType(c.scalar), loc);
    Value sum = wide.getStart();
    if (!sum)
      return failure();
    SmallVector<Value> needed(c.indices);
    needed.push_back(c.scalar);
    llvm::SetVector<Operation *> ops;
    llvm::SetVector<Value> arguments;
    scratch.getSlice(needed, ops, arguments);

    FailureOr<SmallVector<Value>> sums = buildLoop(
        ctx, loc, *sizes, sum,
        [&](OpBuilder &builder, ValueRange ivs,
            ValueRange carried) -> FailureOr<SmallVector<Value>> {
          SmallVector<OpFoldResult> positions(ivs.begin(), ivs.end());
          auto apply = [&](AffineMap map) {
            SmallVector<Value> indices;
            for (AffineExpr expr : map.getResults())
              indices.push_back(getValueOrCreateConstantIndexOp(
                  builder, loc,
                  affine::makeComposedFoldedAffineApply(
                      builder, loc, AffineMap::get(map.getNumDims(), 0, expr),
                      positions)));
            return indices;
          };
          IRMapping mapping;
          for (Value argument : arguments) {
            unsigned i = cast<BlockArgument>(argument).getArgNumber();
            Value now = scratch.tensors[i];
            if (isa<RankedTensorType>(now.getType()))
              now = tensor::ExtractOp::create(builder, loc, now,
                                              apply(scratch.maps[i]));
            mapping.map(argument, now);
          }
          for (Operation *inner : ops) {
            Operation *copy = builder.clone(*inner, mapping);
            SmallVector<linalg::IndexOp> indices;
            copy->walk([&](linalg::IndexOp i) { indices.push_back(i); });
            for (linalg::IndexOp index : indices) {
              Value position = ivs[index.getDim()];
              if (index == copy)
                mapping.map(inner->getResult(0), position);
              index.replaceAllUsesWith(position);
              index.erase();
            }
          }
          SmallVector<Value> element;
          for (Value index : c.indices)
            element.push_back(mapping.lookupOrDefault(index));
          if (!c.isIndexed)
            element = apply(c.map);
          Value term =
              buildTerm(builder, mapping, c.scalar, wide.getElementType());
          Value before =
              tensor::ExtractOp::create(builder, loc, carried[0], element);
          Value after = arith::AddFOp::create(builder, loc, before, term);
          return SmallVector<Value>{tensor::InsertOp::create(
              builder, loc, after, carried[0], element)};
        });
    if (failed(sums))
      return failure();
    wide.finish(sums->front());
  }
  return success();
}
