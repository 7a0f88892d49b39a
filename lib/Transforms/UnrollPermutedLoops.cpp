//===- UnrollPermutedLoops.cpp - Loops whose state changes places ---------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Dialect/Rev/IR/Rev.h"
#include "memrev/Transforms/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/SCF/Utils/Utils.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"
#include "mlir/Transforms/RegionUtils.h"
#include <numeric>

namespace mlir::memrev {
#define GEN_PASS_DEF_REVUNROLLPERMUTEDLOOPS
#include "memrev/Transforms/Passes.h.inc"
} // namespace mlir::memrev

using namespace mlir;
using namespace mlir::memrev;

/// The iteration argument of `loop` that `value` is a new state of: what it was
/// made from by operations that update in place. Null if there is none.
static BlockArgument getOrigin(scf::ForOp loop, Value value) {
  while (true) {
    if (auto argument = dyn_cast<BlockArgument>(value)) {
      bool carried = argument.getOwner() == loop.getBody() &&
                     argument != loop.getInductionVar();
      return carried ? argument : BlockArgument();
    }
    auto result = cast<OpResult>(value);
    Operation *op = result.getOwner();
    if (auto coupling = dyn_cast<rev::CouplingOp>(op)) {
      if (value != coupling.getResult())
        return {};
      value = coupling.getCoupled();
    } else if (auto inner = dyn_cast<scf::ForOp>(op)) {
      value = inner.getInitArgs()[result.getResultNumber()];
    } else if (auto destination = dyn_cast<DestinationStyleOpInterface>(op)) {
      value = destination.getTiedOpOperand(result)->get();
    } else if (auto sum = dyn_cast<arith::AddFOp>(op)) {
      // x + F takes the place of x, which comes first by convention.
      value = sum.getLhs();
    } else {
      return {};
    }
  }
}

/// The number of iterations after which every tensor that `loop` carries is
/// back in its place, 1 if none ever leaves it or no permutation is recognised.
static int64_t getPeriod(scf::ForOp loop) {
  ArrayRef<BlockArgument> arguments = loop.getRegionIterArgs();
  SmallVector<int64_t> origins;
  for (auto [i, yielded] : llvm::enumerate(loop.getYieldedValues())) {
    BlockArgument origin;
    if (isa<RankedTensorType>(yielded.getType()))
      origin = getOrigin(loop, yielded);
    origins.push_back(origin ? static_cast<int64_t>(origin.getArgNumber()) - 1
                             : static_cast<int64_t>(i));
  }
  llvm::SmallBitVector seen(arguments.size());
  for (int64_t origin : origins) {
    if (seen[origin])
      return 1;
    seen.set(origin);
  }
  int64_t period = 1;
  for (int64_t i = 0, e = origins.size(); i < e; ++i) {
    int64_t length = 1;
    for (int64_t at = origins[i]; at != i; at = origins[at])
      ++length;
    period = std::lcm(period, length);
  }
  return period;
}

/// True if a loop of one iteration, which unrolling `loop` by `period` would
/// leave and dissolve, mixes what starts as one value, carried twice or carried
/// and captured: a coupling may not couple it with itself.
static bool wouldMix(scf::ForOp loop, int64_t period) {
  std::optional<llvm::APInt> count = loop.getStaticTripCount();
  if (!count || (count->udiv(period) != 1 && count->urem(period) != 1))
    return false;
  llvm::SetVector<Value> seen;
  getUsedValuesDefinedAbove(loop.getRegion(), seen);
  return llvm::any_of(loop.getInitArgs(),
                      [&](Value v) { return !seen.insert(v); });
}

namespace {

struct RevUnrollPermutedLoops final
    : memrev::impl::RevUnrollPermutedLoopsBase<RevUnrollPermutedLoops> {
  using Base::Base;

  void runOnOperation() override {
    // A longer period costs more code than copies cost time.
    constexpr int64_t kLongestPeriod = 8;
    SmallVector<std::pair<scf::ForOp, int64_t>> loops;
    getOperation()->walk([&](scf::ForOp loop) {
      int64_t period = getPeriod(loop);
      if (period > 1 && period <= kLongestPeriod && !wouldMix(loop, period))
        loops.push_back({loop, period});
    });
    // A loop that cannot be unrolled is right all the same, and copies.
    for (auto [loop, period] : loops)
      (void)loopUnrollByFactor(loop, period);
  }
};

} // namespace
