//===- ScalarRules.h - Rules of elementwise operations -------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// An elementwise operation's rule is its partial derivatives. The same rule
// serves scalars, tensors and the bodies of linalg operations.
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_LIB_EXTERNALINTERFACES_SCALARRULES_H
#define MEMREV_LIB_EXTERNALINTERFACES_SCALARRULES_H

#include "memrev/Interfaces/DifferentiableOpInterface.h"
#include "memrev/Interfaces/ForwardDifferentiableOpInterface.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::memrev {

/// A constant with `value` in every element of the type of `like`.
inline Value constantLike(ImplicitLocOpBuilder &b, Value like, double value) {
  Type elementType = getElementTypeOrSelf(like.getType());
  TypedAttr scalar = b.getFloatAttr(elementType, value);
  auto type = dyn_cast<RankedTensorType>(like.getType());
  if (!type)
    return arith::ConstantOp::create(b, scalar);
  if (type.hasStaticShape())
    return arith::ConstantOp::create(b, DenseElementsAttr::get(type, scalar));
  SmallVector<Value> dynamic;
  for (auto [i, size] : llvm::enumerate(type.getShape()))
    if (ShapedType::isDynamic(size))
      dynamic.push_back(tensor::DimOp::create(b, like, i));
  Value constant = arith::ConstantOp::create(b, scalar);
  return tensor::SplatOp::create(b, constant, type, dynamic);
}

/// What a partial derivative reads.
struct Reads {
  SmallVector<unsigned, 2> operands;
  bool result = false;
  Precision precision = Precision::Rounded;
};

/// A point at which a partial derivative is evaluated: values only for what the
/// rule says it reads.
struct ScalarPoint {
  Operation *op;
  /// What equals a primal value here.
  function_ref<Value(Value)> primal;
  function_ref<bool(Value)> isActive;
  /// What the partial derivative is multiplied by: the cotangent of the result,
  /// or the tangent of the operand.
  Value cotangent;

  Value operand(unsigned i) const { return primal(op->getOperand(i)); }
  Value result() const { return primal(op->getResult(0)); }
};

/// The model of an elementwise operation with one result. `Rule` has
///   static Reads reads(Operation *op, unsigned i);
///   static Value vjp(ImplicitLocOpBuilder &b, ScalarPoint &p, unsigned i);
/// where `i` is the operand that is differentiated.
template <typename OpTy, typename Rule>
struct ScalarModel
    : DifferentiableOpInterface::ExternalModel<ScalarModel<OpTy, Rule>, OpTy> {
  void getResiduals(Operation *op, function_ref<bool(Value)> isActive,
                    SmallVectorImpl<Residual> &residuals) const {
    for (auto [i, operand] : llvm::enumerate(op->getOperands())) {
      if (!isActive(operand))
        continue;
      Reads reads = Rule::reads(op, i);
      for (unsigned k : reads.operands)
        residuals.push_back(Residual(op->getOperand(k), reads.precision));
      if (reads.result)
        residuals.push_back(Residual(op->getResult(0), reads.precision));
    }
  }

  LogicalResult buildVJP(Operation *op, DerivativeContext &ctx) const {
    Value cotangent = ctx.cotangent(op->getResult(0));
    for (auto [i, operand] : llvm::enumerate(op->getOperands())) {
      if (!ctx.isActive(operand))
        continue;
      // Ask first: a value that has to be made must not interrupt the formula.
      Reads reads = Rule::reads(op, i);
      for (unsigned k : reads.operands)
        if (!ctx.primal(op->getOperand(k), reads.precision))
          return failure();
      if (reads.result && !ctx.primal(op->getResult(0), reads.precision))
        return failure();
      ImplicitLocOpBuilder b(op->getLoc(), ctx.getBuilder());
      auto primal = [&](Value v) { return ctx.primal(v, reads.precision); };
      auto isActive = [&](Value v) { return ctx.isActive(v); };
      ScalarPoint point{op, primal, isActive, cotangent};
      ctx.accumulate(operand, Rule::vjp(b, point, i));
    }
    return success();
  }
};

/// The forward-mode model of an elementwise operation with one result: the sum
/// of its partial derivatives times tangents.
template <typename OpTy, typename Rule>
struct ScalarTangentModel : ForwardDifferentiableOpInterface::ExternalModel<
                                ScalarTangentModel<OpTy, Rule>, OpTy> {
  LogicalResult buildJVP(Operation *op, TangentContext &ctx) const {
    for (auto [i, operand] : llvm::enumerate(op->getOperands())) {
      Value tangent = ctx.tangent(operand);
      if (!tangent)
        continue;
      auto primal = [&](Value v) { return v; };
      auto isActive = [&](Value v) { return ctx.isActive(v); };
      ImplicitLocOpBuilder b(op->getLoc(), ctx.getBuilder());
      ScalarPoint point{op, primal, isActive, tangent};
      ctx.addTangent(op->getResult(0), Rule::vjp(b, point, i));
    }
    return success();
  }
};

/// A rule that reads nothing: the derivative is linear in the cotangent with
/// constant coefficients.
struct LinearRule {
  static Reads reads(Operation *, unsigned) { return {}; }
};

/// A rule of a function of one operand that reads the operand.
struct OperandRule {
  static Reads reads(Operation *, unsigned) { return {{0}}; }
};

/// A rule of a function of one operand that reads the result.
struct ResultRule {
  static Reads reads(Operation *, unsigned) { return {{}, true}; }
};

} // namespace mlir::memrev

#endif // MEMREV_LIB_EXTERNALINTERFACES_SCALARRULES_H
