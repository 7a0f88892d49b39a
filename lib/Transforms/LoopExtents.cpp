//===- LoopExtents.cpp - Shapes that a loop does not change ---------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LoopExtents.h"
#include "memrev/Dialect/Rev/IR/Rev.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;
using namespace mlir::memrev;

OpFoldResult LoopExtents::get(Value tensor, int64_t dim) {
  auto type = dyn_cast<RankedTensorType>(tensor.getType());
  if (!type)
    return {};
  if (!type.isDynamicDim(dim))
    return builder.getIndexAttr(type.getDimSize(dim));
  if (isOutside(tensor)) {
    if (OpFoldResult known = outer.lookup({tensor, dim}))
      return known;
    // Several results of an earlier loop have the same extents if what it
    // starts from has.
    OpFoldResult known;
    if (auto before = tensor.getDefiningOp<scf::ForOp>())
      known =
          getOfCarried(before, cast<OpResult>(tensor).getResultNumber(), dim);
    if (!known)
      known = tensor::DimOp::create(builder, loop.getLoc(), tensor, dim)
                  .getResult();
    outer[{tensor, dim}] = known;
    return known;
  }
  auto argument = dyn_cast<BlockArgument>(tensor);
  if (!argument)
    return getOfResult(cast<OpResult>(tensor), dim);
  Operation *parent = argument.getOwner()->getParentOp();
  if (auto coupling = dyn_cast<rev::CouplingOp>(parent))
    return get(coupling.getGiven()[argument.getArgNumber()], dim);
  auto inner = dyn_cast<scf::ForOp>(parent);
  if (!inner)
    return {};
  return getOfCarried(inner, argument.getArgNumber() - 1, dim);
}

std::optional<SmallVector<Value>> LoopExtents::getDynamic(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!TensorType::isValidElementType(getElementTypeOrSelf(value.getType())) ||
      (!type && isa<ShapedType>(value.getType())))
    return std::nullopt;
  SmallVector<Value> extents;
  for (int64_t dim = 0, rank = type ? type.getRank() : 0; dim < rank; ++dim) {
    if (!type.isDynamicDim(dim))
      continue;
    OpFoldResult extent = get(value, dim);
    if (!extent)
      return std::nullopt;
    extents.push_back(
        getValueOrCreateConstantIndexOp(builder, loop.getLoc(), extent));
  }
  return extents;
}

OpFoldResult LoopExtents::getOfCarried(scf::ForOp inner, unsigned number,
                                       int64_t dim) {
  Value argument = inner.getRegionIterArg(number);
  auto it = assumed.find({argument, dim});
  if (it != assumed.end())
    return it->second;
  OpFoldResult first = get(inner.getInitArgs()[number], dim);
  if (!first)
    return {};
  // If the first iteration has this extent, and one that has it hands it on,
  // all have it.
  assumed[{argument, dim}] = first;
  OpFoldResult next = get(inner.getYieldedValues()[number], dim);
  assumed.erase({argument, dim});
  if (next == first)
    return first;
  // What was derived from the assumption is worth nothing.
  indices.clear();
  return {};
}

OpFoldResult LoopExtents::getOfResult(OpResult result, int64_t dim) {
  Operation *op = result.getOwner();
  auto sizeOf = [&](ArrayRef<OpFoldResult> sizes,
                    const llvm::SmallBitVector &dropped) -> OpFoldResult {
    int64_t position = 0;
    for (auto [i, size] : llvm::enumerate(sizes)) {
      if (!dropped.empty() && dropped.test(i))
        continue;
      if (position++ == dim) {
        auto value = dyn_cast<Value>(size);
        return value ? getIndex(value) : size;
      }
    }
    return {};
  };
  if (auto destination = dyn_cast<DestinationStyleOpInterface>(op))
    return get(destination.getTiedOpOperand(result)->get(), dim);
  if (auto empty = dyn_cast<tensor::EmptyOp>(op))
    return sizeOf(empty.getMixedSizes(), {});
  auto type = cast<RankedTensorType>(result.getType());
  if (auto splat = dyn_cast<tensor::SplatOp>(op))
    return getIndex(splat.getDynamicSizes()[type.getDynamicDimIndex(dim)]);
  if (auto generate = dyn_cast<tensor::GenerateOp>(op))
    return getIndex(generate.getDynamicExtents()[type.getDynamicDimIndex(dim)]);
  if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op))
    return sizeOf(slice.getMixedSizes(), slice.getDroppedDims());
  if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op))
    return sizeOf(expand.getMixedOutputShape(), {});
  if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op)) {
    OpFoldResult product = builder.getIndexAttr(1);
    ReassociationIndices parts = collapse.getReassociationIndices()[dim];
    for (int64_t part : parts) {
      OpFoldResult extent = get(collapse.getSrc(), part);
      if (!extent)
        return {};
      if (getConstantIntValue(product) == 1)
        product = extent;
      else if (getConstantIntValue(extent) != 1)
        product =
            arith::MulIOp::create(
                builder, loop.getLoc(),
                getValueOrCreateConstantIndexOp(builder, loop.getLoc(),
                                                product),
                getValueOrCreateConstantIndexOp(builder, loop.getLoc(), extent))
                .getResult();
    }
    return product;
  }
  if (isa<tensor::CastOp>(op) || op->hasTrait<OpTrait::Elementwise>() ||
      isa<rev::StopGradientOp>(op))
    for (Value operand : op->getOperands())
      if (isa<RankedTensorType>(operand.getType()))
        return get(operand, dim);
  if (auto insert = dyn_cast<tensor::InsertSliceOp>(op))
    return get(insert.getDest(), dim);
  if (auto insert = dyn_cast<tensor::InsertOp>(op))
    return get(insert.getDest(), dim);
  if (auto coupling = dyn_cast<rev::CouplingOp>(op)) {
    if (result == coupling.getResult())
      return get(coupling.getCoupled(), dim);
    if (result == coupling.getLogDet())
      return get(coupling.getCoupled(), coupling.getBatchDim());
    auto number = llvm::find(coupling.getAuxiliary(), result).getIndex();
    return get(coupling.getYieldedAuxiliary()[number], dim);
  }
  if (auto inner = dyn_cast<scf::ForOp>(op))
    return getOfCarried(inner, result.getResultNumber(), dim);
  if (auto branch = dyn_cast<scf::IfOp>(op)) {
    unsigned number = result.getResultNumber();
    OpFoldResult then = get(branch.thenYield().getOperand(number), dim);
    OpFoldResult otherwise = get(branch.elseYield().getOperand(number), dim);
    return then == otherwise ? then : OpFoldResult();
  }
  return {};
}

OpFoldResult LoopExtents::getIndex(Value value) {
  if (std::optional<int64_t> constant = getConstantIntValue(value))
    return builder.getIntegerAttr(value.getType(), *constant);
  if (isOutside(value))
    return value;
  auto known = indices.find(value);
  if (known != indices.end())
    return known->second;
  Operation *op = value.getDefiningOp();
  if (!op)
    return {};
  if (auto dimOp = dyn_cast<tensor::DimOp>(op)) {
    std::optional<int64_t> dim = dimOp.getConstantIndex();
    auto type = dyn_cast<RankedTensorType>(dimOp.getSource().getType());
    if (!type || !dim || *dim < 0 || *dim >= type.getRank())
      return {};
    return get(dimOp.getSource(), *dim);
  }
  if (op->getNumRegions() != 0 || op->getNumResults() != 1 || !isPure(op) ||
      llvm::any_of(op->getOperandTypes(),
                   [](Type type) { return !type.isIntOrIndex(); }))
    return {};
  IRMapping mapping;
  for (Value operand : op->getOperands()) {
    OpFoldResult now = getIndex(operand);
    if (!now)
      return {};
    Value mapped = dyn_cast<Value>(now);
    if (!mapped)
      mapped = arith::ConstantOp::create(
          builder, loop.getLoc(), cast<IntegerAttr>(cast<Attribute>(now)));
    mapping.map(operand, mapped);
  }
  OpFoldResult result = builder.clone(*op, mapping)->getResult(0);
  indices[value] = result;
  return result;
}
