//===- CheckpointedLoop.cpp - Loops that keep a few of their states -------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Interfaces/CheckpointedLoop.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::memrev;

std::optional<CheckpointedLoop> CheckpointedLoop::get(Operation *op) {
  auto loop = dyn_cast<scf::ForOp>(op);
  auto slots = op->getAttrOfType<IntegerAttr>(kSlotsAttrName);
  if (!loop || !slots)
    return std::nullopt;
  return CheckpointedLoop{loop, slots.getInt(), (loop.getNumResults() - 3) / 2};
}

RankedTensorType memrev::getStackType(Type type, int64_t size) {
  SmallVector<int64_t> shape{size};
  if (auto tensor = dyn_cast<RankedTensorType>(type))
    llvm::append_range(shape, tensor.getShape());
  return RankedTensorType::get(shape, getElementTypeOrSelf(type));
}

/// The slice `index` of `stack`.
static void getSlice(OpBuilder &b, Location loc, Value stack, Value index,
                     SmallVectorImpl<OpFoldResult> &offsets,
                     SmallVectorImpl<OpFoldResult> &sizes,
                     SmallVectorImpl<OpFoldResult> &strides) {
  sizes = tensor::getMixedSizes(b, loc, stack);
  sizes[0] = b.getIndexAttr(1);
  offsets.assign(sizes.size(), b.getIndexAttr(0));
  offsets[0] = index;
  strides.assign(sizes.size(), b.getIndexAttr(1));
}

/// There is no slice of a tensor without elements, nor any need for one.
static bool hasNoElements(RankedTensorType type) {
  return llvm::is_contained(type.getShape(), 0);
}

Value memrev::buildReadStack(OpBuilder &b, Location loc, Value stack, Type type,
                             Value index) {
  auto tensorType = dyn_cast<RankedTensorType>(type);
  if (!tensorType)
    return tensor::ExtractOp::create(b, loc, stack, index);
  if (hasNoElements(tensorType)) {
    SmallVector<Value> extents;
    for (auto [dim, extent] : llvm::enumerate(tensorType.getShape()))
      if (ShapedType::isDynamic(extent))
        extents.push_back(tensor::DimOp::create(b, loc, stack, dim + 1));
    return tensor::EmptyOp::create(b, loc, tensorType, extents);
  }
  SmallVector<OpFoldResult> offsets, sizes, strides;
  getSlice(b, loc, stack, index, offsets, sizes, strides);
  return tensor::ExtractSliceOp::create(b, loc, tensorType, stack, offsets,
                                        sizes, strides);
}

Value memrev::buildWriteStack(OpBuilder &b, Location loc, Value stack,
                              Value value, Value index) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type)
    return tensor::InsertOp::create(b, loc, value, stack, index);
  if (hasNoElements(type))
    return stack;
  SmallVector<OpFoldResult> offsets, sizes, strides;
  getSlice(b, loc, stack, index, offsets, sizes, strides);
  return tensor::InsertSliceOp::create(b, loc, value, stack, offsets, sizes,
                                       strides);
}

Value memrev::buildCheckpointDistance(OpBuilder &b, Location loc, Value length,
                                      Value slots) {
  // With s slots and r repetitions of each iteration, reach(s, r) = C(s + r, s)
  // iterations can be run backwards. For the least r that reaches `length`, a
  // distance is best if what lies behind it needs r repetitions with the other
  // slots, and what lies before it r - 1 with all.
  auto add = [&](Value x, Value y) -> Value {
    return arith::AddIOp::create(b, loc, x, y);
  };
  Value one = arith::ConstantIndexOp::create(b, loc, 1);
  SmallVector<Value> start{one, add(slots, one), one};
  Type index = b.getIndexType();
  auto search = scf::WhileOp::create(
      b, loc, TypeRange{index, index, index}, start,
      [&](OpBuilder &b, Location loc, ValueRange args) {
        Value isShort = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt,
                                              args[1], length);
        scf::ConditionOp::create(b, loc, isShort, args);
      },
      [&](OpBuilder &b, Location loc, ValueRange args) {
        Value repetitions = arith::AddIOp::create(b, loc, args[0], one);
        Value factor = arith::AddIOp::create(b, loc, slots, repetitions);
        Value product = arith::MulIOp::create(b, loc, args[1], factor);
        Value reach = arith::DivUIOp::create(b, loc, product, repetitions);
        scf::YieldOp::create(b, loc, ValueRange{repetitions, reach, args[1]});
      });
  Value repetitions = search.getResult(0), before = search.getResult(2);
  // reach(s - 1, r - 1) = reach(s, r - 1) s / (s + r - 1).
  Value product = arith::MulIOp::create(b, loc, before, slots);
  Value divisor = arith::SubIOp::create(b, loc, add(slots, repetitions), one);
  Value behind = arith::DivUIOp::create(b, loc, product, divisor);
  Value rest = arith::SubIOp::create(b, loc, length, behind);
  Value distance = arith::MinSIOp::create(b, loc, before, rest);
  return arith::MaxSIOp::create(b, loc, distance, one);
}
