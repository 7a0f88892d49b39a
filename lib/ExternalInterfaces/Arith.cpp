//===- Arith.cpp - Rules of arith operations ------------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Attaches the rules of ScalarRules.td.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "Models.h"
#include "ScalarRules.h"
#include "TensorExpressions.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/DialectRegistry.h"
#include "mlir/IR/TypeUtilities.h"
#include <cmath>

using namespace mlir;
using namespace mlir::memrev;

#include "ArithRules.inc"

namespace {

/// The bits of a float are no differentiable function of it. Between integers
/// and floats that is a derivative that is stopped on purpose, as in code that
/// takes floats apart; of one float format read as another it is an error.
struct BitcastModel
    : DifferentiableOpInterface::ExternalModel<BitcastModel, arith::BitcastOp> {
  bool isInactive(Operation *op) const {
    return !isa<FloatType>(getElementTypeOrSelf(op->getResult(0).getType())) ||
           !isa<FloatType>(getElementTypeOrSelf(op->getOperand(0).getType()));
  }
  LogicalResult buildVJP(Operation *op, DerivativeContext &) const {
    return op->emitError("expects no bitcast between floats where a gradient "
                         "flows, but got one from ")
           << op->getOperand(0).getType() << " to "
           << op->getResult(0).getType();
  }
};

struct BitcastTangentModel
    : ForwardDifferentiableOpInterface::ExternalModel<BitcastTangentModel,
                                                      arith::BitcastOp> {
  LogicalResult buildJVP(Operation *op, TangentContext &) const {
    return op->emitError("expects no bitcast between floats where a tangent "
                         "flows, but got one from ")
           << op->getOperand(0).getType() << " to "
           << op->getResult(0).getType();
  }
};

} // namespace

void memrev::registerArithModels(DialectRegistry &registry) {
  // What the rules emit is of both dialects.
  registry.insert<math::MathDialect>();
  registry.addExtension(+[](MLIRContext *context, arith::ArithDialect *) {
    attachScalarRules(context);
    arith::BitcastOp::attachInterface<BitcastModel, BitcastTangentModel,
                                      BitcastInverse<arith::BitcastOp>>(
        *context);
  });
}
