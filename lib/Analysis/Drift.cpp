//===- Drift.cpp - How far inverses are from the true values --------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Analysis/Drift.h"
#include "memrev/Analysis/MemoryPlan.h"
#include "memrev/Interfaces/CallDerivative.h"
#include "memrev/Interfaces/TripCount.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Interfaces/CallInterfaces.h"
#include <cmath>
#include <limits>

using namespace mlir;
using namespace mlir::memrev;

/// The gain of couplings and calls that do not say theirs (rev.gain): of an
/// additive one whose function has the Lipschitz constant 1, in the Euclidean
/// norm, the golden ratio. (The largest singular value of [[1, -1], [0, 1]].)
static constexpr double kDefaultGain = 1.618033988749895;

double InverseRun::getDrift(double times) const {
  if (number == 0)
    return 0;
  double all = number * times;
  return rounding * (gain == 1 ? all : (std::pow(gain, all) - 1) / (gain - 1));
}

double InverseRun::getGain(double times) const {
  return gain == 1 ? 1 : std::pow(gain, number * times);
}

/// The type of the floats that values of `type` are made of, or null.
static FloatType getFloatType(Type type) {
  Type element = getElementTypeOrSelf(type);
  if (auto complexType = dyn_cast<ComplexType>(element))
    element = complexType.getElementType();
  return dyn_cast<FloatType>(element);
}

/// The unit of rounding of `type`, relative to a value; 0 of what is no float.
static double getRounding(Type type) {
  FloatType element = getFloatType(type);
  return element ? std::ldexp(1.0, -int(element.getFPMantissaWidth())) : 0;
}

double memrev::getGainOfHalfTheDigits(ValueRange values) {
  unsigned digits = APFloat::semanticsPrecision(APFloat::IEEEdouble());
  for (Value value : values)
    if (FloatType type = getFloatType(value.getType()))
      digits = std::min(digits, type.getFPMantissaWidth());
  return std::ldexp(1.0, digits / 2);
}

/// What `op` says of its gain, or the function that it calls.
static std::optional<double> getKnownGain(Operation *op) {
  if (auto call = op->getAttrOfType<FloatAttr>(kCallGainAttrName))
    return call.getValueAsDouble();
  if (auto known = op->getAttrOfType<FloatAttr>(rev::kGainAttrName))
    return std::max(1.0, known.getValueAsDouble());
  return std::nullopt;
}

InverseRun memrev::getInverseRun(Operation *op) {
  InverseRun run;
  if (auto coupling = dyn_cast<rev::CouplingOp>(op)) {
    if (coupling.getKind().isExact())
      return run;
    run.number = 1;
    run.rounding = getRounding(coupling.getResult().getType());
    run.gain = getKnownGain(op).value_or(kDefaultGain);
    return run;
  }
  if (isa<CallOpInterface>(op)) {
    run.number = 1;
    for (Type type : op->getOperandTypes())
      run.rounding = std::max(run.rounding, getRounding(type));
    run.gain = getKnownGain(op).value_or(kDefaultGain);
    return run;
  }
  run = getInverseRun(cast<scf::ForOp>(op).getRegion().front());
  // An iteration's gain is that of its inverses together.
  if (std::optional<double> known = getKnownGain(op); known && run.number > 0)
    run.gain = std::pow(*known, 1 / run.number);
  return run;
}

InverseRun memrev::getInverseRun(Block &block) {
  InverseRun sum;
  double exponent = 0;
  for (Operation &op : block) {
    if (!isa<rev::CouplingOp, CallOpInterface, scf::ForOp>(op) ||
        !getPlannedEdge(&op))
      continue;
    InverseRun run = getInverseRun(&op);
    if (auto loop = dyn_cast<scf::ForOp>(op)) {
      std::optional<int64_t> count = getConstantTripCount(loop);
      if (run.number > 0)
        run.number *=
            count ? double(*count) : std::numeric_limits<double>::infinity();
    }
    sum.number += run.number;
    sum.rounding = std::max(sum.rounding, run.rounding);
    if (run.gain != 1)
      exponent += run.number * std::log(run.gain);
  }
  // If they never end they drift without bounds, whatever the gain is.
  if (std::isfinite(sum.number) && sum.number > 0)
    sum.gain = std::exp(exponent / sum.number);
  return sum;
}
