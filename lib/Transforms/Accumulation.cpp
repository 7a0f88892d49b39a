//===- Accumulation.cpp - Zeros and sums of derivatives -------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Accumulation.h"
#include "memrev/Dialect/Rev/IR/Rev.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Complex/IR/Complex.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace mlir::memrev;

static Value createZeroScalar(OpBuilder &builder, Location loc, Type type) {
  auto complexType = dyn_cast<ComplexType>(type);
  if (!complexType)
    return arith::ConstantOp::create(builder, loc, builder.getZeroAttr(type));
  Attribute zero = builder.getZeroAttr(complexType.getElementType());
  return complex::ConstantOp::create(builder, loc, type,
                                     builder.getArrayAttr({zero, zero}));
}

static Value createScalarSum(OpBuilder &builder, Location loc, Value x,
                             Value y) {
  if (isa<ComplexType>(x.getType()))
    return complex::AddOp::create(builder, loc, x, y);
  return arith::AddFOp::create(builder, loc, x, y);
}

Value memrev::createZero(OpBuilder &builder, Location loc, Type type,
                         Value like) {
  Type elementType = getElementTypeOrSelf(type);
  Value zero = createZeroScalar(builder, loc, elementType);
  auto tensorType = dyn_cast<RankedTensorType>(type);
  if (!tensorType)
    return zero;
  SmallVector<Value> dynamic;
  for (auto [i, size] : llvm::enumerate(tensorType.getShape()))
    if (ShapedType::isDynamic(size))
      dynamic.push_back(tensor::DimOp::create(builder, loc, like, i));
  Value empty = tensor::EmptyOp::create(builder, loc, tensorType, dynamic);
  return linalg::FillOp::create(builder, loc, zero, empty).getResult(0);
}

/// True if `value` is a part of a tensor that was just set to zeros.
static bool isZeroedPart(Value value) {
  auto part = value.getDefiningOp<tensor::ExtractSliceOp>();
  auto insert = part ? part.getSource().getDefiningOp<tensor::InsertSliceOp>()
                     : tensor::InsertSliceOp();
  if (!insert || part.getType() != insert.getSourceType() ||
      part.getMixedOffsets() != insert.getMixedOffsets() ||
      part.getMixedSizes() != insert.getMixedSizes() ||
      part.getMixedStrides() != insert.getMixedStrides())
    return false;
  auto fill = insert.getSource().getDefiningOp<linalg::FillOp>();
  return fill && matchPattern(fill.getInputs()[0], m_AnyZeroFloat());
}

Value memrev::createSum(OpBuilder &builder, Value sum, Value contribution,
                        bool inPlace) {
  // The cotangent of a slice that its owner has had replaced: what replaced it
  // passes the sum on to it, and the zeros in between are never read.
  if (isZeroedPart(sum))
    return contribution;
  Location loc = contribution.getLoc();
  auto type = dyn_cast<RankedTensorType>(contribution.getType());
  if (!type)
    return createScalarSum(builder, loc, sum, contribution);
  AffineMap identity = builder.getMultiDimIdentityMap(type.getRank());
  SmallVector<utils::IteratorType> iterators(type.getRank(),
                                             utils::IteratorType::parallel);
  SmallVector<Value> inputs{contribution};
  Value output = sum;
  if (!inPlace) {
    inputs.push_back(sum);
    output = tensor::EmptyOp::create(builder, loc,
                                     tensor::getMixedSizes(builder, loc, sum),
                                     type.getElementType());
  }
  return linalg::GenericOp::create(
             builder, loc, TypeRange{type}, inputs, ValueRange{output},
             SmallVector<AffineMap>(inputs.size() + 1, identity), iterators,
             [](OpBuilder &b, Location loc, ValueRange args) {
               Value total = createScalarSum(b, loc, args[1], args[0]);
               linalg::YieldOp::create(b, loc, total);
             })
      .getResult(0);
}

Value memrev::castToType(OpBuilder &builder, Value derivative, Type type) {
  if (derivative.getType() == type ||
      !tensor::CastOp::areCastCompatible(derivative.getType(), type))
    return derivative;
  return tensor::CastOp::create(builder, derivative.getLoc(), type, derivative);
}

/// True if each loop of `op` runs over each operand, in any order: then no rule
/// adds up elements.
static bool keepsEachElement(linalg::LinalgOp op) {
  return op.getNumReductionLoops() == 0 &&
         llvm::all_of(op.getIndexingMapsArray(),
                      [](AffineMap map) { return map.isPermutation(); });
}

bool memrev::hasComplexRule(Operation *op) {
  if (isa<linalg::GenericOp, linalg::MapOp>(op))
    return keepsEachElement(cast<linalg::LinalgOp>(op));
  return isa<arith::SelectOp, linalg::FillOp>(op) ||
         isa_and_nonnull<complex::ComplexDialect, func::FuncDialect,
                         scf::SCFDialect, tensor::TensorDialect>(
             op->getDialect());
}

LogicalResult memrev::verifyTypes(Operation *op,
                                  function_ref<bool(Value)> isActive,
                                  StringRef what) {
  SmallVector<Value> values(op->getOperands());
  llvm::append_range(values, op->getResults());
  bool isComplex = false;
  for (Value value : values) {
    if (!isActive(value))
      continue;
    if (!rev::isDifferentiable(value.getType()))
      return op->emitError("expects floats and ranked tensors of floats where "
                           "a ")
             << what << " flows, but got " << value.getType();
    isComplex |= isa<ComplexType>(getElementTypeOrSelf(value.getType()));
  }
  if (isComplex && !hasComplexRule(op))
    return op->emitError("expects elementwise operations where a ")
           << what << " of complex values flows, but got '" << op->getName()
           << "'";
  return success();
}
