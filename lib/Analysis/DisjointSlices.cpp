//===- DisjointSlices.cpp - What parallel iterations write ----------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Analysis/DisjointSlices.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Interfaces/ValueBoundsOpInterface.h"

using namespace mlir;
using namespace mlir::memrev;

namespace {

/// A number that grows with one induction variable: `factor` * `symbol` (1 if
/// null) * variable + something that is the same in all iterations.
struct LinearForm {
  /// The number of the induction variable, nothing for a constant.
  std::optional<unsigned> variable;
  int64_t factor = 0;
  Value symbol;
};

/// Recognises what offsets are made of.
class OffsetAnalysis {
public:
  explicit OffsetAnalysis(scf::ForallOp loop) : loop(loop) {}

  /// Nothing if `value` is no linear form in one induction variable.
  std::optional<LinearForm> analyze(Value value) const;
  std::optional<LinearForm> analyze(OpFoldResult value) const;

private:
  std::optional<LinearForm> analyze(AffineExpr expr, unsigned numDims,
                                    ValueRange operands) const;
  static std::optional<LinearForm> add(std::optional<LinearForm> lhs,
                                       std::optional<LinearForm> rhs,
                                       int64_t sign);

  // The accessors of operations are not const.
  mutable scf::ForallOp loop;
};

} // namespace

std::optional<LinearForm> OffsetAnalysis::add(std::optional<LinearForm> lhs,
                                              std::optional<LinearForm> rhs,
                                              int64_t sign) {
  if (!lhs || !rhs)
    return std::nullopt;
  if (!rhs->variable)
    return lhs;
  rhs->factor *= sign;
  if (!lhs->variable)
    return rhs;
  if (lhs->variable != rhs->variable || lhs->symbol != rhs->symbol)
    return std::nullopt;
  lhs->factor += rhs->factor;
  return lhs;
}

static std::optional<LinearForm> multiply(std::optional<LinearForm> form,
                                          OpFoldResult by) {
  if (!form || !form->variable)
    return form;
  if (std::optional<int64_t> constant = getConstantIntValue(by)) {
    form->factor *= *constant;
    return form;
  }
  if (form->symbol)
    return std::nullopt;
  form->symbol = cast<Value>(by);
  return form;
}

std::optional<LinearForm> OffsetAnalysis::analyze(OpFoldResult value) const {
  if (isa<Attribute>(value))
    return LinearForm();
  return analyze(cast<Value>(value));
}

std::optional<LinearForm> OffsetAnalysis::analyze(AffineExpr expr,
                                                  unsigned numDims,
                                                  ValueRange operands) const {
  if (isa<AffineConstantExpr>(expr))
    return LinearForm();
  if (auto dim = dyn_cast<AffineDimExpr>(expr))
    return analyze(operands[dim.getPosition()]);
  if (auto symbol = dyn_cast<AffineSymbolExpr>(expr))
    return analyze(operands[numDims + symbol.getPosition()]);
  auto binary = cast<AffineBinaryOpExpr>(expr);
  std::optional<LinearForm> lhs = analyze(binary.getLHS(), numDims, operands);
  std::optional<LinearForm> rhs = analyze(binary.getRHS(), numDims, operands);
  if (!lhs || !rhs)
    return std::nullopt;
  if (expr.getKind() == AffineExprKind::Add)
    return add(lhs, rhs, 1);
  if (!lhs->variable && !rhs->variable)
    return LinearForm();
  if (expr.getKind() != AffineExprKind::Mul || rhs->variable)
    return std::nullopt;
  if (auto constant = dyn_cast<AffineConstantExpr>(binary.getRHS())) {
    lhs->factor *= constant.getValue();
    return lhs;
  }
  auto symbol = dyn_cast<AffineSymbolExpr>(binary.getRHS());
  if (!symbol)
    return std::nullopt;
  return multiply(lhs, operands[numDims + symbol.getPosition()]);
}

std::optional<LinearForm> OffsetAnalysis::analyze(Value value) const {
  for (auto [i, variable] : llvm::enumerate(loop.getInductionVars()))
    if (value == variable)
      return LinearForm{static_cast<unsigned>(i), 1, {}};
  if (!loop.getRegion().isAncestor(value.getParentRegion()) ||
      getConstantIntValue(value))
    return LinearForm();
  Operation *op = value.getDefiningOp();
  if (!op)
    return std::nullopt;
  if (auto sum = dyn_cast<arith::AddIOp>(op))
    return add(analyze(sum.getLhs()), analyze(sum.getRhs()), 1);
  if (auto difference = dyn_cast<arith::SubIOp>(op))
    return add(analyze(difference.getLhs()), analyze(difference.getRhs()), -1);
  if (auto product = dyn_cast<arith::MulIOp>(op)) {
    std::optional<LinearForm> lhs = analyze(product.getLhs());
    std::optional<LinearForm> rhs = analyze(product.getRhs());
    if (lhs && rhs && !rhs->variable)
      return multiply(lhs, product.getRhs());
    if (lhs && rhs && !lhs->variable)
      return multiply(rhs, product.getLhs());
    return std::nullopt;
  }
  if (auto apply = dyn_cast<affine::AffineApplyOp>(op))
    return analyze(apply.getAffineMap().getResult(0),
                   apply.getAffineMap().getNumDims(), apply.getMapOperands());
  return std::nullopt;
}

/// True if a slice of `size` elements at distances of `stride` ends before an
/// offset that one iteration moves by `form` * `step`.
static bool isApart(const LinearForm &form, OpFoldResult step,
                    OpFoldResult size, OpFoldResult stride) {
  std::optional<int64_t> constantStride = getConstantIntValue(stride);
  if (!constantStride || form.factor == 0)
    return false;
  std::optional<int64_t> constantStep = getConstantIntValue(step);
  int64_t factor = std::abs(form.factor);
  if (!form.symbol && constantStep) {
    FailureOr<int64_t> largest =
        getConstantIntValue(size)
            ? FailureOr<int64_t>(*getConstantIntValue(size))
            : ValueBoundsConstraintSet::computeConstantBound(
                  presburger::BoundType::UB, size,
                  /*stopCondition=*/nullptr,
                  /*closedUB=*/true);
    return succeeded(largest) &&
           (*largest - 1) * std::abs(*constantStride) + 1 <=
               factor * *constantStep;
  }
  // One factor is not constant, and the slice has that many elements at most.
  if ((form.symbol && constantStep.value_or(0) < 1) ||
      std::abs(*constantStride) != 1 || (form.symbol && !constantStep))
    return false;
  Value distance = form.symbol ? form.symbol : cast<Value>(step);
  if (OpFoldResult(distance) == size)
    return true;
  return ValueBoundsConstraintSet::compare(size, ValueBoundsConstraintSet::LE,
                                           OpFoldResult(distance));
}

/// True if two slices of one iteration, and so of any two, have no element in
/// common, for their bounds are constant.
static bool areApart(tensor::ParallelInsertSliceOp a,
                     tensor::ParallelInsertSliceOp b) {
  for (auto [aOffset, aSize, aStride, bOffset, bSize, bStride] :
       llvm::zip_equal(a.getStaticOffsets(), a.getStaticSizes(),
                       a.getStaticStrides(), b.getStaticOffsets(),
                       b.getStaticSizes(), b.getStaticStrides())) {
    if (llvm::any_of(
            std::array{aOffset, aSize, aStride, bOffset, bSize, bStride},
            [](int64_t value) { return ShapedType::isDynamic(value); }))
      continue;
    if (aOffset + (aSize - 1) * aStride < bOffset ||
        bOffset + (bSize - 1) * bStride < aOffset)
      return true;
  }
  return false;
}

/// True if `op` reads what `insert` is going to write.
static bool isSameBox(Operation *op, tensor::ParallelInsertSliceOp insert) {
  auto read = dyn_cast<tensor::ExtractSliceOp>(op);
  return read && read.getSource() == insert.getDest() &&
         read.getMixedOffsets() == insert.getMixedOffsets() &&
         read.getMixedSizes() == insert.getMixedSizes() &&
         read.getMixedStrides() == insert.getMixedStrides();
}

LogicalResult memrev::verifyDisjointSlices(scf::ForallOp loop) {
  OffsetAnalysis analysis(loop);
  SmallVector<tensor::ParallelInsertSliceOp> inserts;
  for (Operation &op : loop.getTerminator().getYieldingOps()) {
    auto insert = cast<tensor::ParallelInsertSliceOp>(op);
    for (tensor::ParallelInsertSliceOp other : inserts) {
      if (other.getDest() != insert.getDest() || areApart(insert, other))
        continue;
      InFlightDiagnostic diag = insert.emitError(
          "expects slices of constant bounds that do not overlap where a "
          "gradient flows, but cannot tell two of one iteration apart");
      diag.attachNote(other.getLoc()) << "the other slice is written here";
      return diag;
    }
    inserts.push_back(insert);
  }
  for (BlockArgument output : loop.getRegionIterArgs())
    for (Operation *user : output.getUsers()) {
      auto readsOwn = [&](tensor::ParallelInsertSliceOp insert) {
        return isSameBox(user, insert);
      };
      if (isa<tensor::ParallelInsertSliceOp, tensor::DimOp>(user) ||
          llvm::any_of(inserts, readsOwn))
        continue;
      InFlightDiagnostic diag = user->emitError(
          "expects an iteration to read of an output only the slice that it "
          "writes where a gradient flows: what other iterations write arrives "
          "in no order");
      diag.attachNote(loop.getLoc()) << "in the loop here";
      return diag;
    }
  for (tensor::ParallelInsertSliceOp insert : inserts) {
    llvm::SmallBitVector separated(loop.getRank());
    for (auto [i, bounds] : llvm::enumerate(llvm::zip_equal(
             loop.getStaticLowerBound(), loop.getStaticUpperBound(),
             loop.getStaticStep()))) {
      auto [lower, upper, step] = bounds;
      if (!ShapedType::isDynamic(lower) && !ShapedType::isDynamic(upper) &&
          !ShapedType::isDynamic(step) && upper - lower <= step)
        separated.set(i);
    }
    for (auto [offset, size, stride] :
         llvm::zip_equal(insert.getMixedOffsets(), insert.getMixedSizes(),
                         insert.getMixedStrides())) {
      std::optional<LinearForm> form = analysis.analyze(offset);
      if (form && form->variable &&
          isApart(*form, loop.getMixedStep()[*form->variable], size, stride))
        separated.set(*form->variable);
    }
    int missing = separated.find_first_unset();
    if (missing < 0)
      continue;
    InFlightDiagnostic diag =
        insert.emitError("expects slices that no two iterations share where a "
                         "gradient flows, but induction variable ")
        << missing
        << " is not known to move an offset by at least the slice's extent";
    diag.attachNote(loop.getLoc()) << "of the loop here";
    return diag;
  }
  return success();
}
