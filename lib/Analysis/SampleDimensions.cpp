//===- SampleDimensions.cpp - Which dimension numbers the samples ---------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Analysis/SampleDimensions.h"
#include "memrev/Dialect/Rev/IR/Rev.h"
#include "memrev/Interfaces/CallDerivative.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::memrev;

using Dimension = std::optional<int64_t>;

/// The dimension of a result that runs over dimension `from` of an operand: a
/// loop of `op` that both have as it is, and that nothing else of them mentions.
static Dimension followLoop(AffineMap operand, int64_t from, AffineMap result) {
  auto loop = dyn_cast<AffineDimExpr>(operand.getResult(from));
  if (!loop)
    return std::nullopt;
  Dimension to;
  auto mentions = [&](AffineExpr expr) {
    return expr.isFunctionOfDim(loop.getPosition());
  };
  for (auto [i, expr] : llvm::enumerate(result.getResults())) {
    if (!mentions(expr))
      continue;
    if (to || expr != loop)
      return std::nullopt;
    to = i;
  }
  return llvm::count_if(operand.getResults(), mentions) == 1 ? to
                                                             : std::nullopt;
}

static Dimension followReshape(ArrayRef<ReassociationIndices> groups,
                               RankedTensorType expanded, int64_t from,
                               bool expands) {
  for (auto [number, group] : llvm::enumerate(groups)) {
    if (expands ? number != static_cast<size_t>(from)
                : !llvm::is_contained(group, from))
      continue;
    // The samples are one dimension of the group; the others are of extent 1.
    Dimension samples;
    for (int64_t i : group) {
      if (expanded.getDimSize(i) == 1 && (expands || i != from))
        continue;
      if (samples)
        return std::nullopt;
      samples = i;
    }
    if (!expands)
      return samples == from ? Dimension(number) : std::nullopt;
    // Of a batch of one sample the first.
    return samples ? samples : Dimension(group.front());
  }
  return std::nullopt;
}

/// True if a slice is all of dimension `i` of a tensor of type `whole`.
template <typename SliceOp>
static bool isWhole(SliceOp slice, RankedTensorType whole, Value tensor,
                    int64_t i) {
  if (slice.getStaticOffsets()[i] != 0 || slice.getStaticStrides()[i] != 1)
    return false;
  if (!whole.isDynamicDim(i))
    return slice.getStaticSizes()[i] == whole.getDimSize(i);
  auto size = dyn_cast_if_present<Value>(slice.getMixedSizes()[i]);
  auto dim = size ? size.template getDefiningOp<tensor::DimOp>() : nullptr;
  return dim && dim.getSource() == tensor && dim.getConstantIndex() == i;
}

/// The dimension of the small side of a slice that is `i` of the large side.
template <typename SliceOp>
static Dimension dropDims(SliceOp slice, int64_t i) {
  llvm::SmallBitVector dropped = slice.getDroppedDims();
  if (dropped[i])
    return std::nullopt;
  for (int64_t k = i - 1; k >= 0; --k)
    i -= dropped[k];
  return i;
}

static Dimension followInsert(tensor::InsertSliceOp insert, Dimension source,
                              Dimension dest) {
  RankedTensorType type = insert.getDestType();
  for (int64_t i = 0, e = type.getRank(); source && i < e; ++i) {
    if (dropDims(insert, i) != source)
      continue;
    if (!isWhole(insert, type, insert.getDest(), i) || (dest && dest != i))
      return std::nullopt;
    return i;
  }
  return source ? std::nullopt : dest;
}

static Dimension followGather(tensor::GatherOp gather, int64_t from) {
  ArrayRef<int64_t> gathered = gather.getGatherDims();
  if (llvm::is_contained(gathered, from))
    return std::nullopt;
  int64_t leading = gather.getIndicesType().getRank() - 1;
  RankedTensorType source = gather.getSourceType();
  // Without the dimensions that are gathered, or with them in extent 1.
  bool keeps = gather.getResultType().getRank() == leading + source.getRank();
  auto before = llvm::count_if(gathered, [&](int64_t d) { return d < from; });
  return leading + from - (keeps ? 0 : before);
}

/// The dimension of `result` that numbers the samples of `operand` of the same
/// operation, where `from` does.
static Dimension followOperand(OpOperand &operand, int64_t from,
                               OpResult result) {
  Operation *op = operand.getOwner();
  auto type = cast<RankedTensorType>(operand.get().getType());
  if (op->hasTrait<OpTrait::Elementwise>() ||
      isa<tensor::CastOp, rev::StopGradientOp>(op))
    return from;
  if (auto structured = dyn_cast<linalg::LinalgOp>(op))
    return followLoop(structured.getMatchingIndexingMap(&operand), from,
                      structured.getIndexingMapMatchingResult(result));
  return TypeSwitch<Operation *, Dimension>(op)
      .Case([&](tensor::ExpandShapeOp reshape) {
        return followReshape(reshape.getReassociationIndices(),
                             reshape.getResultType(), from, /*expands=*/true);
      })
      .Case([&](tensor::CollapseShapeOp reshape) {
        return followReshape(reshape.getReassociationIndices(),
                             reshape.getSrcType(), from, /*expands=*/false);
      })
      .Case([&](tensor::ExtractSliceOp slice) {
        return isWhole(slice, type, operand.get(), from) ? dropDims(slice, from)
                                                         : std::nullopt;
      })
      .Case([&](tensor::ConcatOp concat) {
        return static_cast<int64_t>(concat.getDim()) == from ? std::nullopt
                                                             : Dimension(from);
      })
      .Case([&](tensor::PadOp pad) {
        return pad.getStaticLow()[from] == 0 && pad.getStaticHigh()[from] == 0
                   ? Dimension(from)
                   : std::nullopt;
      })
      .Case([&](tensor::GatherOp gather) { return followGather(gather, from); })
      .Case([&](func::CallOp call) {
        // The inverse that it names takes a batch for a batch.
        auto to = dyn_cast<RankedTensorType>(result.getType());
        return call->hasAttr(kCallInverseAttrName) && to &&
                       from < to.getRank() &&
                       to.getDimSize(from) == type.getDimSize(from)
                   ? Dimension(from)
                   : std::nullopt;
      })
      .Default([](Operation *) { return std::nullopt; });
}

void SampleDimensions::follow(Operation *op) {
  if (auto loop = dyn_cast<scf::ForOp>(op)) {
    for (auto [argument, init] :
         llvm::zip_equal(loop.getRegionIterArgs(), loop.getInitArgs()))
      if (Dimension dimension = get(init))
        set(argument, *dimension);
    follow(*loop.getBody());
    for (auto [argument, yielded, result] :
         llvm::zip_equal(loop.getRegionIterArgs(), loop.getYieldedValues(),
                         loop.getResults()))
      if (Dimension dimension = get(yielded);
          dimension && dimension == get(argument))
        set(result, *dimension);
    return;
  }
  if (auto coupling = dyn_cast<rev::CouplingOp>(op)) {
    if (Dimension dimension = get(coupling.getCoupled()))
      set(coupling.getResult(), *dimension);
    return;
  }
  if (auto insert = dyn_cast<tensor::InsertSliceOp>(op)) {
    if (Dimension dimension = followInsert(insert, get(insert.getSource()),
                                           get(insert.getDest())))
      set(insert.getResult(), *dimension);
    return;
  }
  for (OpResult result : op->getResults()) {
    Dimension found;
    bool isMixed = !isa<RankedTensorType>(result.getType());
    for (OpOperand &operand : op->getOpOperands()) {
      Dimension from = get(operand.get());
      Dimension to =
          from && !isMixed ? followOperand(operand, *from, result) : found;
      isMixed |= found && to != found;
      if (to)
        found = to;
    }
    if (found && !isMixed)
      set(result, *found);
  }
}

void SampleDimensions::follow(Block &block) {
  for (Operation &op : block)
    follow(&op);
}
