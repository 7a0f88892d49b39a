//===- TensorExpressions.h - Tensor expressions of the rules -- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Short expressions on tensors that the cotangents of several operations are
// made of.
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_LIB_EXTERNALINTERFACES_TENSOREXPRESSIONS_H
#define MEMREV_LIB_EXTERNALINTERFACES_TENSOREXPRESSIONS_H

#include "memrev/Interfaces/DerivativeContext.h"
#include "memrev/Interfaces/InvertibleOpInterface.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace mlir::memrev {

/// The box of a tensor that a slice operation touches.
struct Slice {
  SmallVector<OpFoldResult> offsets, sizes, strides;
};

/// The box that covers all of `tensor`.
Slice getWhole(OpBuilder &builder, Location loc, Value tensor);

/// `values` with the primal values of the context in the place of its dynamic
/// entries. Fails after an error was reported.
LogicalResult getPrimal(DerivativeContext &ctx,
                        SmallVectorImpl<OpFoldResult> &values);

/// The sizes of the primal value `value`, which is asked for only if its type
/// does not give them.
FailureOr<SmallVector<OpFoldResult>> getPrimalSizes(DerivativeContext &ctx,
                                                    Value value, Location loc);

/// A tensor of the shape of `tensor`, with elements of `elementType` or of its
/// own element type, for an operation that overwrites all of it.
Value buildEmptyLike(OpBuilder &builder, Location loc, Value tensor,
                     Type elementType = {});

/// The type in which elements of the float type `elementType` are summed: a sum
/// of 16-bit floats loses what is small against it after a few hundred terms.
Type getSumType(Type elementType);

/// The float scalar `scalar` as one of type `type`.
Value buildFloatCast(OpBuilder &builder, Location loc, Value scalar, Type type);

/// A scalar zero of type `type`, a float or a complex one.
Value buildZeroScalar(OpBuilder &builder, Location loc, Type type);

/// The sum of two scalars of one type, floats or complex ones.
Value buildScalarSum(OpBuilder &builder, Location loc, Value lhs, Value rhs);

/// `tensor` with elements of the float type `elementType`.
Value buildTensorCast(OpBuilder &builder, Location loc, Value tensor,
                      Type elementType);

/// A sum into the cotangent of a value, in a type that is wide enough for it.
class WideSum {
public:
  /// `term` is the type of what is added, if it is wider than the value's.
  WideSum(DerivativeContext &ctx, Value value, Type term, Location loc);

  /// What a rule adds to: the cotangent so far, or zeros if that is less
  /// precise than the sum. Null after an error was reported.
  Value getStart();

  /// Hands `sum`, which contains the start, to the context.
  void finish(Value sum);

  Type getElementType() const { return elementType; }

private:
  DerivativeContext &ctx;
  Value value;
  Type elementType;
  Location loc;
};

/// The sum of all elements of `tensor` as a scalar.
Value buildSum(OpBuilder &builder, Location loc, Value tensor);

/// `destination` with `summand` added to it, in place.
Value buildAdd(OpBuilder &builder, Location loc, Value summand,
               Value destination);

/// `destination` with `summand` added to the elements in `slice`, in place.
Value buildAddToSlice(OpBuilder &builder, Location loc, Value summand,
                      Value destination, const Slice &slice);

/// `destination` with zeros in `slice`, whose type with dimensions dropped is
/// `sliceType`, in place.
Value buildZeroSlice(OpBuilder &builder, Location loc, Value destination,
                     const Slice &slice, RankedTensorType sliceType);

/// Emits what an iteration of a loop over `indices` yields for the values that
/// it carries. Fails after an error was reported.
using LoopBody = function_ref<FailureOr<SmallVector<Value>>(
    OpBuilder &builder, ValueRange indices, ValueRange carried)>;

/// Emits a loop over the indices of a tensor of `sizes` at the context's
/// builder that carries `inits`. It is one loop for any rank: a derivative of
/// it does not have to store what a nest would carry. What the body asks the
/// context for is emitted before the loop.
FailureOr<SmallVector<Value>> buildLoop(DerivativeContext &ctx, Location loc,
                                        ArrayRef<OpFoldResult> sizes,
                                        ValueRange inits, LoopBody body);

/// Emits the vector-Jacobian product of the region of `op`, which computes an
/// element of the result from its indices, given the cotangents of the elements
/// and which of them the region computes; null means all.
LogicalResult buildElementsVJP(
    Operation *op, Value cotangent, DerivativeContext &ctx,
    function_ref<Value(OpBuilder &builder, ValueRange indices)> isComputed =
        nullptr);

/// Reports a bitcast that reads the bits of one float type as another one,
/// which has no derivative.
LogicalResult verifyBitcast(tensor::BitcastOp op);

/// The inverse edge of a bitcast of a scalar or a tensor. Where floats are read
/// back as anything else, a small error of theirs is no small error: that loses
/// digits without a bound.
InverseEdge getBitcastInverseEdge(Operation *op);

/// Declares to the context that `now`, made of the value `from` without
/// rounding, equals `value`.
void provideMoved(DerivativeContext &ctx, Value value, Value now, Value from);

/// The inverse of `arith.bitcast` or `tensor.bitcast`: the bits of what was cast
/// are those of the result.
template <typename OpTy>
struct BitcastInverse
    : InvertibleOpInterface::ExternalModel<BitcastInverse<OpTy>, OpTy> {
  SmallVector<InverseEdge> getInverseEdges(Operation *op) const {
    return {getBitcastInverseEdge(op)};
  }

  LogicalResult buildInverse(Operation *op, DerivativeContext &ctx,
                             unsigned) const {
    Value result = ctx.primal(op->getResult(0));
    if (!result)
      return failure();
    Value source = OpTy::create(ctx.getBuilder(), op->getLoc(),
                                op->getOperand(0).getType(), result);
    provideMoved(ctx, op->getOperand(0), source, op->getResult(0));
    return success();
  }
};

} // namespace mlir::memrev

#endif // MEMREV_LIB_EXTERNALINTERFACES_TENSOREXPRESSIONS_H
