//===- TripCount.cpp - The number of iterations of a loop -----------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Interfaces/TripCount.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlir::memrev;

/// The value of a constant bound of `loop`, extended to 64 bits as the loop
/// compares it.
static std::optional<int64_t> getConstantBound(scf::ForOp loop, Value bound) {
  std::optional<int64_t> value = getConstantIntValue(bound);
  Type type = bound.getType();
  if (!value || !loop.getUnsignedCmp() || type.isIndex() ||
      type.getIntOrFloatBitWidth() >= 64)
    return value;
  return *value &
         llvm::maskTrailingOnes<uint64_t>(type.getIntOrFloatBitWidth());
}

static bool isZeroBasedUnitStep(Value lower, Value step) {
  return getConstantIntValue(lower) == 0 && getConstantIntValue(step) == 1;
}

std::optional<int64_t> memrev::getConstantTripCount(scf::ForOp loop) {
  std::optional<int64_t> lower = getConstantBound(loop, loop.getLowerBound());
  std::optional<int64_t> upper = getConstantBound(loop, loop.getUpperBound());
  std::optional<int64_t> step = getConstantBound(loop, loop.getStep());
  if (!lower || !upper || !step || *step == 0)
    return std::nullopt;
  bool runs = loop.getUnsignedCmp() ? static_cast<uint64_t>(*lower) <
                                          static_cast<uint64_t>(*upper)
                                    : *lower < *upper;
  if (!runs)
    return 0;
  // The difference of two signed numbers fits an unsigned one.
  uint64_t span = static_cast<uint64_t>(*upper) - static_cast<uint64_t>(*lower);
  return llvm::divideCeil(span, static_cast<uint64_t>(*step));
}

std::optional<int64_t> memrev::getMostTripCount(scf::ForOp loop) {
  if (std::optional<int64_t> count = getConstantTripCount(loop))
    return count;
  auto cut = loop.getUpperBound().getDefiningOp<arith::MinSIOp>();
  if (!cut || loop.getUnsignedCmp() ||
      getConstantBound(loop, loop.getLowerBound()) != 0 ||
      getConstantBound(loop, loop.getStep()) != 1)
    return std::nullopt;
  for (Value operand : cut->getOperands())
    if (std::optional<int64_t> most = getConstantIntValue(operand))
      return std::max<int64_t>(*most, 0);
  return std::nullopt;
}

static Value toIndex(OpBuilder &b, Location loc, Value value, bool isUnsigned) {
  if (value.getType().isIndex())
    return value;
  if (isUnsigned)
    return arith::IndexCastUIOp::create(b, loc, b.getIndexType(), value);
  return arith::IndexCastOp::create(b, loc, b.getIndexType(), value);
}

Value memrev::buildTripCount(OpBuilder &b, scf::ForOp loop, Value lower,
                             Value upper, Value step) {
  Location loc = loop.getLoc();
  if (std::optional<int64_t> count = getConstantTripCount(loop))
    return arith::ConstantIndexOp::create(b, loc, *count);
  bool isUnsigned = loop.getUnsignedCmp();
  if (isZeroBasedUnitStep(lower, step))
    return toIndex(b, loc, upper, isUnsigned);
  // lower < upper ? (upper - lower - 1) / step + 1 : 0, the quotient being that
  // of unsigned numbers: the difference of two signed ones fits an unsigned
  // one. A loop that does not run may have any step: no division by zero then.
  Type type = lower.getType();
  auto constant = [&](int64_t value) {
    return arith::ConstantOp::create(b, loc, b.getIntegerAttr(type, value));
  };
  Value one = constant(1);
  Value runs = arith::CmpIOp::create(b, loc,
                                     isUnsigned ? arith::CmpIPredicate::ult
                                                : arith::CmpIPredicate::slt,
                                     lower, upper);
  Value span = arith::SubIOp::create(b, loc, upper, lower);
  Value last = arith::SubIOp::create(b, loc, span, one);
  Value divisor = getConstantIntValue(step)
                      ? step
                      : arith::MaxUIOp::create(b, loc, step, one).getResult();
  Value rest = toIndex(b, loc, arith::DivUIOp::create(b, loc, last, divisor),
                       /*isUnsigned=*/true);
  Value count = arith::AddIOp::create(
      b, loc, rest, arith::ConstantIndexOp::create(b, loc, 1));
  return arith::SelectOp::create(b, loc, runs, count,
                                 arith::ConstantIndexOp::create(b, loc, 0));
}

Value memrev::buildInduction(OpBuilder &b, scf::ForOp loop, Value lower,
                             Value step, Value position) {
  Location loc = loop.getLoc();
  Type type = loop.getInductionVar().getType();
  // Narrower integers wrap around as those of the loop do.
  if (!type.isIndex())
    position = arith::IndexCastOp::create(b, loc, type, position);
  if (isZeroBasedUnitStep(lower, step))
    return position;
  Value offset = arith::MulIOp::create(b, loc, position, step);
  return arith::AddIOp::create(b, loc, lower, offset);
}

Value memrev::buildPosition(OpBuilder &b, scf::ForOp loop) {
  Location loc = loop.getLoc();
  Value lower = loop.getLowerBound(), step = loop.getStep();
  Value position = loop.getInductionVar();
  if (!isZeroBasedUnitStep(lower, step)) {
    Value offset = arith::SubIOp::create(b, loc, position, lower);
    position = arith::DivUIOp::create(b, loc, offset, step);
  }
  return toIndex(b, loc, position, /*isUnsigned=*/true);
}
