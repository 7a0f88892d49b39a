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
#include "memrev/Interfaces/InvertibleOpInterface.h"
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

/// The operands that the inverse named on `call` gives back.
static OperandRange getRecovered(func::CallOp call) {
  auto number = call->getAttrOfType<IntegerAttr>(kCallRecoveredAttrName);
  return call->getOperands().take_front(number ? number.getInt() : 0);
}

/// The results that this inverse gives back, too, and does not read.
static ResultRange getSideResults(func::CallOp call) {
  auto number = call->getAttrOfType<IntegerAttr>(kCallSideResultsAttrName);
  return call->getResults().take_back(number ? number.getInt() : 0);
}

/// How `call`'s backward function reads `value`. What the function does with it
/// is not known here, but what names an inverse takes what that gives back.
static Precision getPrecision(func::CallOp call, Value value) {
  return llvm::is_contained(getRecovered(call), value) ? Precision::Rounded
                                                       : Precision::Exact;
}

namespace {

struct CallModel
    : DifferentiableOpInterface::ExternalModel<CallModel, func::CallOp> {
  void getResiduals(Operation *op, function_ref<bool(Value)>,
                    SmallVectorImpl<Residual> &residuals) const {
    auto call = cast<func::CallOp>(op);
    for (Value value : getCallResiduals(call))
      residuals.push_back(Residual(value, getPrecision(call, value)));
  }

  LogicalResult buildVJP(Operation *op, DerivativeContext &ctx) const {
    auto call = cast<func::CallOp>(op);
    func::FuncOp backward = getDerived(call, kBackwardAttrName, "gradient");
    if (!backward)
      return failure();
    SmallVector<Value> operands;
    for (Value value : getCallResiduals(call)) {
      operands.push_back(ctx.primal(value, getPrecision(call, value)));
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
    ArrayRef<int64_t> wrt = getNumbers(op, kCallWrtAttrName);
    // The first operand of a kind takes the sum; the same value again gets its
    // contribution added.
    llvm::SmallSetVector<Value, 4> summed;
    DenseMap<int64_t, int64_t> sums;
    SmallVector<Value> taken;
    for (int64_t k : getNumbers(op, kCallSumsAttrName))
      if (ctx.isActive(call.getOperand(wrt[k])) &&
          summed.insert(call.getOperand(wrt[k])))
        sums[k] = summed.size() - 1;
    if (failed(ctx.takeSums(summed.getArrayRef(), taken)))
      return failure();
    for (int64_t k : getNumbers(op, kCallSumsAttrName)) {
      Value operand = call.getOperand(wrt[k]);
      auto sum = sums.find(k);
      operands.push_back(sum != sums.end() ? taken[sum->second]
                                           : ctx.zero(operand.getType(),
                                                      operand, call.getLoc()));
      if (!operands.back())
        return failure();
    }
    auto gradients = func::CallOp::create(ctx.getBuilder(), call.getLoc(),
                                          backward, operands);
    for (auto [k, sum] : sums)
      taken[sum] = gradients.getResult(k);
    ctx.returnSums(summed.getArrayRef(), taken);
    for (auto [k, i] : llvm::enumerate(wrt))
      if (!sums.contains(k))
        ctx.accumulate(call.getOperand(i), gradients.getResult(k));
    return success();
  }
};

/// Calls of functions that name their inverses.
struct CallInverseModel
    : InvertibleOpInterface::ExternalModel<CallInverseModel, func::CallOp> {
  SmallVector<InverseEdge> getInverseEdges(Operation *op) const {
    OperandRange recovered = getRecovered(cast<func::CallOp>(op));
    if (recovered.empty())
      return {};
    // What is handed over twice would be solved for from itself.
    llvm::SmallDenseSet<Value> seen;
    for (Value operand : op->getOperands())
      if (!seen.insert(operand).second)
        return {};
    InverseEdge edge;
    ResultRange side = getSideResults(cast<func::CallOp>(op));
    llvm::append_range(edge.solved, recovered);
    llvm::append_range(edge.solved, side);
    llvm::append_range(edge.from, op->getResults().drop_back(side.size()));
    llvm::append_range(edge.from,
                       op->getOperands().drop_front(recovered.size()));
    // Whoever names an inverse vouches for it, unless they say what it loses.
    if (auto gain = op->getAttrOfType<FloatAttr>(kCallGainAttrName)) {
      edge.kind = InverseKind::Conditioned;
      edge.gain = gain.getValueAsDouble();
    }
    return {edge};
  }

  LogicalResult buildInverse(Operation *op, DerivativeContext &ctx,
                             unsigned) const {
    InverseEdge edge = getInverseEdges(op).front();
    OperandRange recovered = getRecovered(cast<func::CallOp>(op));
    // Somebody may have asked for one of them before its turn.
    if (llvm::any_of(recovered, [&](Value v) { return ctx.isRounded(v); }))
      return success();
    SmallVector<Value> operands;
    for (Value value : edge.from) {
      operands.push_back(ctx.primal(value, Precision::Rounded));
      if (!operands.back())
        return failure();
    }
    auto inverse = func::CallOp::create(
        ctx.getBuilder(), op->getLoc(),
        op->getAttrOfType<FlatSymbolRefAttr>(kCallInverseAttrName),
        ValueRange(edge.solved).getTypes(), operands);
    for (auto [solved, value] : llvm::zip(recovered, inverse.getResults()))
      ctx.provide(solved, value, Precision::Rounded);
    // Evaluated again, as by the function itself at what came back.
    for (auto [side, value] :
         llvm::zip_equal(getSideResults(cast<func::CallOp>(op)),
                         inverse.getResults().drop_front(recovered.size())))
      ctx.provide(side, value);
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
    // Each part of the operands is followed by its tangents.
    auto recovered = op->getAttrOfType<IntegerAttr>(kCallRecoveredAttrName);
    int64_t first = recovered ? recovered.getInt() : call.getNumOperands();
    SmallVector<Value> operands;
    for (bool isFirst : {true, false}) {
      llvm::append_range(operands,
                         isFirst ? call.getOperands().take_front(first)
                                 : call.getOperands().drop_front(first));
      for (int64_t i : getNumbers(op, kCallWrtAttrName))
        if ((i < first) == isFirst)
          operands.push_back(ctx.tangentOrZero(call.getOperand(i)));
    }
    auto both = func::CallOp::create(ctx.getBuilder(), call.getLoc(), tangent,
                                     operands);
    // So is each part of the results.
    auto side = op->getAttrOfType<IntegerAttr>(kCallSideResultsAttrName);
    int64_t numResults = call.getNumResults();
    int64_t numMain = numResults - (side ? side.getInt() : 0);
    SmallVector<int64_t> of(getNumbers(op, kCallOfAttrName));
    SmallVector<Value> results;
    unsigned next = 0;
    for (bool isSide : {false, true}) {
      for (unsigned e = isSide ? numResults : numMain; results.size() < e;)
        results.push_back(both.getResult(next++));
      for (int64_t i : of)
        if ((i >= numMain) == isSide)
          ctx.setTangent(results[i], both.getResult(next++));
    }
    ctx.replace(op, results);
    return success();
  }
};

} // namespace

void memrev::registerFuncModels(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *c, func::FuncDialect *) {
    func::CallOp::attachInterface<CallModel, CallInverseModel,
                                  CallTangentModel>(*c);
  });
}
