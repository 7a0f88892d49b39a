//===- ScalarRules.h - Rules of elementwise operations -------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// An elementwise operation's rule is its partial derivatives, which
// ScalarRules.td lists. The same rule serves scalars, tensors and the bodies of
// linalg operations, and both modes. This is what the code that memrev-tblgen
// writes for the table talks to.
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_LIB_EXTERNALINTERFACES_SCALARRULES_H
#define MEMREV_LIB_EXTERNALINTERFACES_SCALARRULES_H

#include "NonZero.h"
#include "memrev/Interfaces/DifferentiableOpInterface.h"
#include "memrev/Interfaces/ForwardDifferentiableOpInterface.h"
#include "memrev/Interfaces/InvertibleOpInterface.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::memrev {

/// What a partial derivative or an inverse reads: numbers of operands and
/// results.
struct Reads {
  SmallVector<unsigned, 2> operands, results;
  Precision precision = Precision::Rounded;
};

/// A point at which a formula is evaluated.
class ScalarPoint {
public:
  ScalarPoint(OpBuilder &builder, Operation *op,
              function_ref<Value(Value)> primal)
      : builder(op->getLoc(), builder), op(op), primal(primal) {}

  /// What equals an operand or a result here.
  Value operand(unsigned i) { return primal(op->getOperand(i)); }
  Value result(unsigned i) { return primal(op->getResult(i)); }

  /// True if operand number `i` is differentiated.
  bool isActive(unsigned i) { return isValueActive(op->getOperand(i)); }

  /// `value` in every element of the type of `dy`.
  Value constant(double value);
  /// `value` in the element type of what gets the contribution.
  Value convert(Value value);
  /// The integers `value` in the type of `dy`.
  Value toFloat(Value value);
  /// The power that is left of the integer power `n` after differentiation:
  /// n - 1, and 0 of 0, whose derivative is 0 whatever the base is. Narrow
  /// integers are widened first, for which the lowest has no predecessor; of
  /// the others it stands for its own.
  Value lowerPower(Value n);
  /// `product`, a multiple of `dy`; with strong zeros it is zero where `dy` is,
  /// whatever the other factors are.
  Value product(Value product);

  ImplicitLocOpBuilder builder;
  /// What the partial derivative is multiplied by: the cotangent of the result
  /// or the tangent of the operand.
  Value dy;
  /// The type of what gets the contribution.
  Type type;
  bool hasStrongZero = false;
  function_ref<bool(Value)> isValueActive;

private:
  Operation *op;
  function_ref<Value(Value)> primal;
};

/// The partial derivatives of an operation. Number i is that of result
/// i / numOperands with respect to operand i % numOperands.
struct ScalarRule {
  Reads (*reads)(unsigned partial);
  /// Emits the partial derivative times `dy`; null if it is zero everywhere.
  Value (*emit)(ScalarPoint &point, unsigned partial);
  /// The result is one of the operands, and the others have no partial
  /// derivative.
  bool selects;
};

/// How well an inverse gives an operand back.
struct InverseQuality {
  InverseKind kind = InverseKind::Exact;
  /// The operand that must not be zero, and the gain if it is of this
  /// magnitude. Null if the inverse takes any values; then one that loses
  /// digits has no bound.
  unsigned other = 0;
  double (*gain)(const Magnitude &other) = nullptr;
};

/// The inverses of an operation with one result, by operand.
struct ScalarInverse {
  /// Reads no result where there is none.
  Reads (*reads)(unsigned operand);
  Value (*solve)(ScalarPoint &point, unsigned operand);
  InverseQuality (*quality)(unsigned operand);
};

//===----------------------------------------------------------------------===//
// What the models do, for any rule
//===----------------------------------------------------------------------===//

void getScalarResiduals(const ScalarRule &rule, Operation *op,
                        function_ref<bool(Value)> isActive,
                        SmallVectorImpl<Residual> &residuals);
LogicalResult buildScalarVJP(const ScalarRule &rule, Operation *op,
                             DerivativeContext &ctx);
LogicalResult buildScalarJVP(const ScalarRule &rule, Operation *op,
                             TangentContext &ctx);
SmallVector<InverseEdge> getScalarInverseEdges(const ScalarInverse &inverse,
                                               Operation *op);
/// True if the flags of `op` let it be merged with others: its inverse could be
/// folded into another value than the one that was there.
bool mayReassociate(Operation *op);
LogicalResult buildScalarInverse(const ScalarInverse &inverse, Operation *op,
                                 DerivativeContext &ctx, unsigned edge);

//===----------------------------------------------------------------------===//
// Models
//===----------------------------------------------------------------------===//

template <typename OpTy, const ScalarRule &rule>
struct ScalarModel
    : DifferentiableOpInterface::ExternalModel<ScalarModel<OpTy, rule>, OpTy> {
  void getResiduals(Operation *op, function_ref<bool(Value)> isActive,
                    SmallVectorImpl<Residual> &residuals) const {
    getScalarResiduals(rule, op, isActive, residuals);
  }
  LogicalResult buildVJP(Operation *op, DerivativeContext &ctx) const {
    return buildScalarVJP(rule, op, ctx);
  }
};

template <typename OpTy, const ScalarRule &rule>
struct ScalarTangentModel : ForwardDifferentiableOpInterface::ExternalModel<
                                ScalarTangentModel<OpTy, rule>, OpTy> {
  LogicalResult buildJVP(Operation *op, TangentContext &ctx) const {
    return buildScalarJVP(rule, op, ctx);
  }
};

template <typename OpTy, const ScalarInverse &inverse>
struct ScalarInverseModel
    : InvertibleOpInterface::ExternalModel<ScalarInverseModel<OpTy, inverse>,
                                           OpTy> {
  SmallVector<InverseEdge> getInverseEdges(Operation *op) const {
    return getScalarInverseEdges(inverse, op);
  }
  LogicalResult buildInverse(Operation *op, DerivativeContext &ctx,
                             unsigned edge) const {
    return buildScalarInverse(inverse, op, ctx, edge);
  }
};

/// The model of an operation whose results depend on nothing differentiably.
template <typename OpTy>
struct InactiveModel
    : DifferentiableOpInterface::ExternalModel<InactiveModel<OpTy>, OpTy> {
  static bool isNeverActive() { return true; }
  bool isInactive(Operation *) const { return true; }
  LogicalResult buildVJP(Operation *, DerivativeContext &) const {
    return success();
  }
};

} // namespace mlir::memrev

#endif // MEMREV_LIB_EXTERNALINTERFACES_SCALARRULES_H
