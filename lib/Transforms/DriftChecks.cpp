//===- DriftChecks.cpp - Compare what inverses give back ------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A program that checks drift stores what inversion would not have to, and
// tells a function of the caller's how far what came back is off. It computes
// its results as it would without.
//
//===----------------------------------------------------------------------===//

#include "DerivedFunctions.h"
#include "ReverseContext.h"
#include "memrev/Analysis/SourceLocation.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::memrev;

//===----------------------------------------------------------------------===//
// The function
//===----------------------------------------------------------------------===//

/// The arguments of the function: the number of the place, the iterations of
/// the loops around it, and two numbers.
static FunctionType getReportType(MLIRContext *context) {
  Builder builder(context);
  Type integer = builder.getI64Type(), number = builder.getF64Type();
  return builder.getFunctionType(
      {RankedTensorType::get({}, integer),
       RankedTensorType::get({rev::kMaxDriftLoops}, integer),
       RankedTensorType::get({}, number), RankedTensorType::get({}, number)},
      {});
}

LogicalResult DerivedFunctions::addDriftChecks() {
  if (!module->hasAttr(rev::kCheckDriftAttrName))
    return success();
  FunctionType type = getReportType(module.getContext());
  drift.emplace();
  drift->report = symbols.lookup<func::FuncOp>(rev::kDriftReportName);
  if (!drift->report) {
    drift->report =
        func::FuncOp::create(module.getLoc(), rev::kDriftReportName, type);
    drift->report.setPrivate();
    symbols.insert(drift->report);
  } else if (!drift->report.isExternal() ||
             drift->report.getFunctionType() != type) {
    return drift->report.emitError("expects a declaration of type ")
           << type << " with '" << rev::kCheckDriftAttrName << "', but got "
           << (drift->report.isExternal() ? "one" : "a definition")
           << " of type " << drift->report.getFunctionType();
  }
  // The pass may have run before, for other functions.
  if (auto known = module->getAttrOfType<ArrayAttr>(rev::kDriftSitesAttrName))
    drift->sites.assign(known.begin(), known.end());
  return success();
}

//===----------------------------------------------------------------------===//
// Its calls
//===----------------------------------------------------------------------===//

Value ReverseContext::getStored(Value value) {
  if (!isInScope(value))
    return parent->getStored(value);
  if (isVisible(value))
    return value;
  // What is inside of an operation of the loop's body has no slice of its own.
  if (value.getParentRegion() != &scope || !tapeIndex)
    return {};
  return sliceTape(value,
                   [&](Value outside) { return parent->getStored(outside); });
}

/// The largest absolute difference of two tensors, and the largest absolute
/// element of the first, as f64.
static ValueRange buildComparison(OpBuilder &builder, Location loc,
                                  Value expected, Value actual) {
  auto type = cast<RankedTensorType>(expected.getType());
  Value zero =
      arith::ConstantOp::create(builder, loc, builder.getF64FloatAttr(0));
  Value start = tensor::FromElementsOp::create(
      builder, loc, RankedTensorType::get({}, zero.getType()), zero);
  auto identity = builder.getMultiDimIdentityMap(type.getRank());
  auto scalar = AffineMap::get(type.getRank(), 0, builder.getContext());
  SmallVector<utils::IteratorType> iterators(type.getRank(),
                                             utils::IteratorType::reduction);
  auto generic = linalg::GenericOp::create(
      builder, loc, TypeRange{start.getType(), start.getType()},
      ValueRange{expected, actual}, ValueRange{start, start},
      ArrayRef<AffineMap>{identity, identity, scalar, scalar}, iterators,
      [&](OpBuilder &b, Location, ValueRange args) {
        auto extend = [&](Value number) -> Value {
          if (number.getType().isF64())
            return number;
          return arith::ExtFOp::create(b, loc, b.getF64Type(), number);
        };
        Value was = extend(args[0]), now = extend(args[1]);
        Value off = math::AbsFOp::create(
            b, loc, arith::SubFOp::create(b, loc, was, now));
        Value size = math::AbsFOp::create(b, loc, was);
        linalg::YieldOp::create(
            b, loc,
            ValueRange{arith::MaximumFOp::create(b, loc, args[2], off),
                       arith::MaximumFOp::create(b, loc, args[3], size)});
      });
  return generic.getResults();
}

void ReverseContext::checkDrift(Value value, Value now) {
  // What a loop yields is what the next of its iterations gave back.
  Operation *op = state.inverters.lookup(value);
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!op || !type || !isa<FloatType>(type.getElementType()))
    return;
  Value before = getStored(value);
  if (!before)
    return;
  Location loc = op->getLoc();
  std::string name = ("'" + op->getName().getStringRef() + "'").str();
  if (std::optional<std::string> place = printPlace(loc))
    name += " at " + *place;

  SmallVector<Value> iterations;
  for (ReverseContext *context = this; context; context = context->parent)
    if (context->tapeIndex && iterations.size() < rev::kMaxDriftLoops)
      iterations.push_back(arith::IndexCastOp::create(
          builder, loc, builder.getI64Type(), context->tapeIndex));
  std::reverse(iterations.begin(), iterations.end());
  auto number = [&](int64_t n) -> Value {
    return arith::ConstantOp::create(builder, loc, builder.getI64IntegerAttr(n));
  };
  while (iterations.size() < rev::kMaxDriftLoops)
    iterations.push_back(number(-1));
  Value site = tensor::FromElementsOp::create(
      builder, loc, RankedTensorType::get({}, builder.getI64Type()),
      number(state.drift->sites.size()));
  Value places = tensor::FromElementsOp::create(builder, loc, iterations);
  ValueRange found = buildComparison(builder, loc, before, now);
  func::CallOp::create(builder, loc, state.drift->report,
                       ValueRange{site, places, found[0], found[1]});
  state.drift->sites.push_back(builder.getStringAttr(name));
}
