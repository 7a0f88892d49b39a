//===- AlignWhileTensors.cpp - Tensors of a while loop in one order -------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Codegen/Common/Passes.h"
#include "memrev/Codegen/Common/TensorOrigin.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/PatternMatch.h"

namespace mlir::memrev {
#define GEN_PASS_DEF_CODEGENALIGNWHILETENSORS
#include "memrev/Codegen/Common/Passes.h.inc"
} // namespace mlir::memrev

using namespace mlir;
using namespace mlir::memrev;

namespace {
/// What a loop carries at one place: initial value and argument number `init`,
/// result number `result`; nothing where it has none of its own there.
struct Place {
  std::optional<unsigned> init, result;
};
} // namespace

static bool isTensor(Value value) { return isa<TensorType>(value.getType()); }

/// Gives each tensor that `loop` starts from and each that it returns a place:
/// one for both where the first region updates the one to the other, then where
/// they have one type.
static SmallVector<Place> planTensors(scf::WhileOp loop, TensorOrigin &origin) {
  SmallVector<Place> places;
  SmallVector<bool> placedInits(loop.getInits().size());
  SmallVector<bool> placedResults(loop.getNumResults());
  OperandRange passed = loop.getConditionOp().getArgs();
  auto tryPair = [&](unsigned init, unsigned result) {
    if (placedInits[init] || placedResults[result] ||
        !isTensor(loop.getInits()[init]) ||
        loop.getInits()[init].getType() != loop.getResult(result).getType())
      return;
    placedInits[init] = placedResults[result] = true;
    places.push_back({init, result});
  };
  for (unsigned result = 0; result < passed.size(); ++result)
    if (auto argument = dyn_cast<BlockArgument>(origin.trace(passed[result]));
        argument && argument.getOwner() == loop.getBeforeBody())
      tryPair(argument.getArgNumber(), result);
  unsigned shared = std::min(placedInits.size(), placedResults.size());
  for (unsigned number = 0; number < shared; ++number)
    tryPair(number, number);
  for (unsigned result = 0; result < placedResults.size(); ++result)
    for (unsigned init = 0; init < placedInits.size(); ++init)
      tryPair(init, result);
  for (unsigned init = 0; init < placedInits.size(); ++init)
    if (!placedInits[init] && isTensor(loop.getInits()[init]))
      places.push_back({init, std::nullopt});
  for (unsigned result = 0; result < placedResults.size(); ++result)
    if (!placedResults[result] && isTensor(loop.getResult(result)))
      places.push_back({std::nullopt, result});
  return places;
}

/// Whether bufferization finds each tensor of `loop` at one number everywhere.
static bool isAligned(ArrayRef<Place> places) {
  return llvm::all_of(
      places, [](const Place &place) { return place.init == place.result; });
}

/// Whether the loop can start from something at each place.
static bool canAlign(scf::WhileOp loop, ArrayRef<Place> places) {
  return llvm::all_of(places, [&](const Place &place) {
    if (place.init)
      return true;
    auto type =
        dyn_cast<RankedTensorType>(loop.getResult(*place.result).getType());
    return type && type.hasStaticShape();
  });
}

/// Makes `loop` carry its tensors at `places`, and all else behind them.
static void align(IRRewriter &rewriter, scf::WhileOp loop,
                  SmallVector<Place> places) {
  unsigned numTensors = places.size();
  SmallVector<unsigned> otherInits, otherResults;
  for (auto [number, init] : llvm::enumerate(loop.getInits()))
    if (!isTensor(init))
      otherInits.push_back(number);
  for (OpResult result : loop.getResults())
    if (!isTensor(result))
      otherResults.push_back(result.getResultNumber());

  // What a region does not use goes through it.
  Location loc = loop.getLoc();
  rewriter.setInsertionPoint(loop);
  SmallVector<Value> inits;
  SmallVector<Type> types;
  for (const Place &place : places) {
    if (place.init) {
      inits.push_back(loop.getInits()[*place.init]);
    } else {
      auto type =
          cast<RankedTensorType>(loop.getResult(*place.result).getType());
      inits.push_back(tensor::EmptyOp::create(rewriter, loc, type.getShape(),
                                              type.getElementType(),
                                              type.getEncoding()));
    }
    types.push_back(inits.back().getType());
  }
  for (unsigned number : otherInits)
    inits.push_back(loop.getInits()[number]);
  for (unsigned number : otherResults)
    types.push_back(loop.getResult(number).getType());

  auto aligned = scf::WhileOp::create(rewriter, loc, types, inits);
  aligned->setAttrs(loop->getAttrs());
  auto moveBody = [&](Region &from, Region &to, TypeRange argumentTypes,
                      ArrayRef<unsigned> others, bool isBefore) {
    Block *block =
        rewriter.createBlock(&to, to.end(), argumentTypes,
                             SmallVector<Location>(argumentTypes.size(), loc));
    SmallVector<Value> arguments(from.getNumArguments());
    for (auto [number, place] : llvm::enumerate(places))
      if (std::optional<unsigned> old = isBefore ? place.init : place.result)
        arguments[*old] = block->getArgument(number);
    for (auto [number, old] : llvm::enumerate(others))
      arguments[old] = block->getArgument(numTensors + number);
    rewriter.mergeBlocks(&from.front(), block, arguments);
    return block;
  };
  Block *before = moveBody(loop.getBefore(), aligned.getBefore(),
                           ValueRange(inits).getTypes(), otherInits, true);
  Block *after =
      moveBody(loop.getAfter(), aligned.getAfter(), types, otherResults, false);

  SmallVector<Value> passed, yielded;
  scf::ConditionOp condition = aligned.getConditionOp();
  scf::YieldOp yield = aligned.getYieldOp();
  for (auto [number, place] : llvm::enumerate(places)) {
    passed.push_back(place.result ? condition.getArgs()[*place.result]
                                  : before->getArgument(number));
    yielded.push_back(place.init ? yield.getOperand(*place.init)
                                 : after->getArgument(number));
  }
  for (unsigned number : otherResults)
    passed.push_back(condition.getArgs()[number]);
  for (unsigned number : otherInits)
    yielded.push_back(yield.getOperand(number));
  condition.getArgsMutable().assign(passed);
  yield->setOperands(yielded);

  for (auto [number, place] : llvm::enumerate(places))
    if (place.result)
      rewriter.replaceAllUsesWith(loop.getResult(*place.result),
                                  aligned.getResult(number));
  for (auto [number, old] : llvm::enumerate(otherResults))
    rewriter.replaceAllUsesWith(loop.getResult(old),
                                aligned.getResult(numTensors + number));
  rewriter.eraseOp(loop);
}

namespace {
class CodegenAlignWhileTensorsPass
    : public memrev::impl::CodegenAlignWhileTensorsBase<
          CodegenAlignWhileTensorsPass> {
public:
  void runOnOperation() override {
    SymbolTableCollection symbols;
    TensorOrigin origin(symbols);
    IRRewriter rewriter(&getContext());
    // Inner loops first: a chain may lead through them.
    getOperation()->walk<WalkOrder::PostOrder>([&](scf::WhileOp loop) {
      SmallVector<Place> places = planTensors(loop, origin);
      if (!isAligned(places) && canAlign(loop, places))
        align(rewriter, loop, std::move(places));
    });
  }
};
} // namespace
