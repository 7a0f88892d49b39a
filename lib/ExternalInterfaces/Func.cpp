//===- Func.cpp - Rules of calls ------------------------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Models.h"
#include "memrev/Interfaces/CallDerivative.h"
#include "memrev/Interfaces/DifferentiableOpInterface.h"
#include "memrev/Interfaces/ForwardDifferentiableOpInterface.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/DialectRegistry.h"

using namespace mlir;
using namespace mlir::memrev;

/// An array attribute of a prepared call; a custom rule has no sums.
static ArrayRef<int64_t> getNumbers(Operation *op, StringRef name) {
  auto numbers = op->getAttrOfType<DenseI64ArrayAttr>(name);
  return numbers ? numbers.asArrayRef() : ArrayRef<int64_t>();
}

/// The values that `call`'s backward function reads besides cotangents.
static SmallVector<Value> getCallResiduals(func::CallOp call) {
  SmallVector<Value> values;
  int64_t numOperands = call.getNumOperands();
  for (int64_t k : getNumbers(call, kCallResidualsAttrName))
    values.push_back(k < numOperands ? call.getOperand(k)
                                     : call.getResult(k - numOperands));
  return values;
}

/// The function that attribute `name` of `call` names, or null after an error.
static func::FuncOp getDerived(func::CallOp call, StringRef name,
                               StringRef what) {
  if (auto symbol = call->getAttrOfType<FlatSymbolRefAttr>(name))
    return SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(call, symbol);
  InFlightDiagnostic diag =
      call.emitError("expects calls of functions with a body of one block or a "
                     "custom rule where a ")
      << what << " flows, but got '@" << call.getCallee() << "'";
  if (auto callee = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(
          call, call.getCalleeAttr()))
    diag.attachNote(callee.getLoc()) << "function declared here";
  return {};
}

/// True if the cotangent of `value` can be a part of another value's.
static bool isView(Value value) {
  auto rule = value.getDefiningOp<DifferentiableOpInterface>();
  return rule && rule.isCheapToRecompute();
}

namespace {

struct CallModel
    : DifferentiableOpInterface::ExternalModel<CallModel, func::CallOp> {
  void getResiduals(Operation *op, function_ref<bool(Value)>,
                    SmallVectorImpl<Residual> &residuals) const {
    for (Value value : getCallResiduals(cast<func::CallOp>(op)))
      residuals.push_back(Residual(value, Precision::Exact));
  }

  LogicalResult buildVJP(Operation *op, DerivativeContext &ctx) const {
    auto call = cast<func::CallOp>(op);
    func::FuncOp backward = getDerived(call, kBackwardAttrName, "gradient");
    if (!backward)
      return failure();
    SmallVector<Value> operands;
    for (Value value : getCallResiduals(call)) {
      // What the function does with it is not known here.
      operands.push_back(ctx.primal(value, Precision::Exact));
      if (!operands.back())
        return failure();
    }
    for (int64_t i : getNumbers(op, kCallOfAttrName)) {
      Value result = call.getResult(i);
      Value cotangent = ctx.cotangent(result);
      if (!cotangent)
        cotangent = ctx.zero(result.getType(), result, call.getLoc());
      if (!cotangent)
        return failure();
      operands.push_back(cotangent);
    }
    // A cotangent that is added to in place must be nobody else's: neither that
    // of the same operand again nor a part of another one's.
    ArrayRef<int64_t> wrt = getNumbers(op, kCallWrtAttrName);
    llvm::SmallDenseSet<Value> inPlace;
    llvm::SmallDenseSet<int64_t> replaced;
    for (int64_t k : getNumbers(op, kCallSumsAttrName)) {
      Value operand = call.getOperand(wrt[k]);
      if (ctx.isActive(operand) && !isView(operand) &&
          inPlace.insert(operand).second) {
        replaced.insert(k);
        operands.push_back(ctx.accumulator(operand));
      } else {
        operands.push_back(ctx.zero(operand.getType(), operand, call.getLoc()));
      }
      if (!operands.back())
        return failure();
    }
    auto gradients = func::CallOp::create(ctx.getBuilder(), call.getLoc(),
                                          backward, operands);
    for (int64_t k : replaced)
      ctx.setCotangent(call.getOperand(wrt[k]), gradients.getResult(k));
    for (auto [k, i] : llvm::enumerate(wrt))
      if (!replaced.contains(k))
        ctx.accumulate(call.getOperand(i), gradients.getResult(k));
    return success();
  }
};

struct CallTangentModel
    : ForwardDifferentiableOpInterface::ExternalModel<CallTangentModel,
                                                      func::CallOp> {
  LogicalResult buildJVP(Operation *op, TangentContext &ctx) const {
    auto call = cast<func::CallOp>(op);
    func::FuncOp tangent = getDerived(call, kTangentAttrName, "tangent");
    if (!tangent)
      return failure();
    SmallVector<Value> operands(call.getOperands());
    for (int64_t i : getNumbers(op, kCallWrtAttrName))
      operands.push_back(ctx.tangentOrZero(call.getOperand(i)));
    auto both = func::CallOp::create(ctx.getBuilder(), call.getLoc(), tangent,
                                     operands);
    unsigned numResults = call.getNumResults();
    for (auto [k, i] : llvm::enumerate(getNumbers(op, kCallOfAttrName)))
      ctx.setTangent(both.getResult(i), both.getResult(numResults + k));
    ctx.replace(op, both.getResults().take_front(numResults));
    return success();
  }
};

} // namespace

void memrev::registerFuncModels(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *c, func::FuncDialect *) {
    func::CallOp::attachInterface<CallModel, CallTangentModel>(*c);
  });
}
