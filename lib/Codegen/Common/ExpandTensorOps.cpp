//===- ExpandTensorOps.cpp - Tensor operations that do not bufferize ------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Codegen/Common/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/PatternMatch.h"

namespace mlir::memrev {
#define GEN_PASS_DEF_CODEGENEXPANDTENSOROPS
#include "memrev/Codegen/Common/Passes.h.inc"
} // namespace mlir::memrev

using namespace mlir;

//===----------------------------------------------------------------------===//
// gather and scatter
//===----------------------------------------------------------------------===//

/// Emits coordinate number `k` of the tuple that `lead` selects.
static Value buildCoordinate(OpBuilder &b, Location loc, Value indices,
                             ValueRange lead, int64_t k) {
  SmallVector<Value> position(lead);
  position.push_back(arith::ConstantIndexOp::create(b, loc, k));
  Value coordinate = tensor::ExtractOp::create(b, loc, indices, position);
  if (coordinate.getType().isIndex())
    return coordinate;
  return arith::IndexCastOp::create(b, loc, b.getIndexType(), coordinate);
}

/// One elementwise operation that reads the source anywhere.
static Value expandGather(RewriterBase &b, tensor::GatherOp op) {
  Location loc = op.getLoc();
  auto type = cast<RankedTensorType>(op.getType());
  int64_t numLead = op.getIndicesType().getRank() - 1;
  int64_t rank = op.getSourceType().getRank();
  ArrayRef<int64_t> dims = op.getGatherDims();
  bool isReduced =
      type.getRank() == numLead + rank - static_cast<int64_t>(dims.size());
  // The dimension of the result that runs along each one of the source.
  SmallVector<int64_t> from(rank, -1);
  SmallVector<Value> dynamic;
  int64_t next = numLead;
  for (int64_t i = 0; i < rank; ++i) {
    if (!llvm::is_contained(dims, i))
      from[i] = next++;
    else if (!isReduced)
      ++next;
  }
  for (int64_t i = 0; i < numLead; ++i)
    if (type.isDynamicDim(i))
      dynamic.push_back(tensor::DimOp::create(b, loc, op.getIndices(), i));
  for (int64_t i = 0; i < rank; ++i)
    if (from[i] >= 0 && type.isDynamicDim(from[i]))
      dynamic.push_back(tensor::DimOp::create(b, loc, op.getSource(), i));
  Value empty = tensor::EmptyOp::create(b, loc, type, dynamic);
  SmallVector<utils::IteratorType> iterators(type.getRank(),
                                             utils::IteratorType::parallel);
  return linalg::GenericOp::create(
             b, loc, TypeRange{type}, ValueRange(), ValueRange{empty},
             ArrayRef<AffineMap>{b.getMultiDimIdentityMap(type.getRank())},
             iterators,
             [&](OpBuilder &inner, Location l, ValueRange) {
               SmallVector<Value> lead, position(rank);
               for (int64_t i = 0; i < numLead; ++i)
                 lead.push_back(linalg::IndexOp::create(inner, l, i));
               for (auto [k, dim] : llvm::enumerate(dims))
                 position[dim] =
                     buildCoordinate(inner, l, op.getIndices(), lead, k);
               for (int64_t i = 0; i < rank; ++i)
                 if (!position[i])
                   position[i] = linalg::IndexOp::create(inner, l, from[i]);
               Value element = tensor::ExtractOp::create(
                   inner, l, op.getSource(), position);
               linalg::YieldOp::create(inner, l, element);
             })
      .getResult(0);
}

/// Loops over the tuples of coordinates that update the destination in place.
static Value expandScatter(RewriterBase &b, tensor::ScatterOp op) {
  Location loc = op.getLoc();
  RankedTensorType sourceType = op.getSourceType(), type = op.getDestType();
  // Upstream has no slices at the end of a dimension without elements.
  if (llvm::is_contained(sourceType.getShape(), 0))
    return op.getDest();
  int64_t rank = type.getRank();
  ArrayRef<int64_t> dims = op.getScatterDims();
  SmallVector<OpFoldResult> counts =
      tensor::getMixedSizes(b, loc, op.getIndices());
  SmallVector<OpFoldResult> sourceSizes =
      tensor::getMixedSizes(b, loc, op.getSource());
  SmallVector<OpFoldResult> destSizes =
      tensor::getMixedSizes(b, loc, op.getDest());
  counts.pop_back();
  SmallVector<int64_t> shape;
  for (int64_t i = 0; i < rank; ++i)
    if (!llvm::is_contained(dims, i))
      shape.push_back(type.getDimSize(i));
  auto partType = RankedTensorType::get(shape, type.getElementType());
  OpFoldResult zero = b.getIndexAttr(0), one = b.getIndexAttr(1);
  Value zeroValue = arith::ConstantIndexOp::create(b, loc, 0);
  Value oneValue = arith::ConstantIndexOp::create(b, loc, 1);
  SmallVector<Value> lower(counts.size(), zeroValue);
  SmallVector<Value> step(counts.size(), oneValue);
  scf::LoopNest nest = scf::buildLoopNest(
      b, loc, lower, getValueOrCreateConstantIndexOp(b, loc, counts), step,
      op.getDest(),
      [&](OpBuilder &inner, Location l, ValueRange lead,
          ValueRange carried) -> scf::ValueVector {
        SmallVector<OpFoldResult> offsets(rank, zero), sizes(destSizes),
            strides(rank, one);
        for (auto [k, dim] : llvm::enumerate(dims)) {
          offsets[dim] = buildCoordinate(inner, l, op.getIndices(), lead, k);
          sizes[dim] = one;
        }
        SmallVector<OpFoldResult> from(sourceType.getRank(), zero),
            fromSizes(sourceSizes), fromStrides(sourceType.getRank(), one);
        for (auto [i, index] : llvm::enumerate(lead)) {
          from[i] = index;
          fromSizes[i] = one;
        }
        Value part = tensor::ExtractSliceOp::create(
            inner, l, partType, op.getSource(), from, fromSizes, fromStrides);
        return {tensor::InsertSliceOp::create(inner, l, part, carried.front(),
                                              offsets, sizes, strides)};
      });
  return nest.results.front();
}

//===----------------------------------------------------------------------===//
// bitcast
//===----------------------------------------------------------------------===//

static Value expandBitcast(RewriterBase &b, tensor::BitcastOp op) {
  Location loc = op.getLoc();
  auto type = dyn_cast<RankedTensorType>(op.getType());
  auto sourceType = dyn_cast<RankedTensorType>(op.getSource().getType());
  if (!type || !sourceType)
    return {};
  Value source = op.getSource();
  RankedTensorType shaped = type.clone(sourceType.getElementType());
  if (shaped != sourceType)
    source = tensor::CastOp::create(b, loc, shaped, source);
  if (shaped == type)
    return source;
  // Signs are not a matter of arith.
  if (!type.getElementType().isSignlessIntOrFloat() ||
      !sourceType.getElementType().isSignlessIntOrFloat())
    return {};
  return arith::BitcastOp::create(b, loc, type, source);
}

//===----------------------------------------------------------------------===//
// expand_shape and reshape
//===----------------------------------------------------------------------===//

/// Copies the elements where a dimension is split into several of dynamic
/// extent: upstream's lowering of such views does not hold.
static Value expandExpandShape(RewriterBase &b, tensor::ExpandShapeOp op) {
  RankedTensorType type = op.getResultType();
  SmallVector<ReassociationIndices> groups = op.getReassociationIndices();
  bool isSplit = llvm::any_of(groups, [&](ArrayRef<int64_t> group) {
    return llvm::count_if(group,
                          [&](int64_t i) { return type.isDynamicDim(i); }) > 1;
  });
  if (!isSplit)
    return {};
  Location loc = op.getLoc();
  SmallVector<OpFoldResult> sizes = op.getMixedOutputShape();
  SmallVector<Value> dynamic;
  for (int64_t i = 0; i < type.getRank(); ++i)
    if (type.isDynamicDim(i))
      dynamic.push_back(getValueOrCreateConstantIndexOp(b, loc, sizes[i]));
  Value empty = tensor::EmptyOp::create(b, loc, type, dynamic);
  SmallVector<utils::IteratorType> iterators(type.getRank(),
                                             utils::IteratorType::parallel);
  return linalg::GenericOp::create(
             b, loc, TypeRange{type}, ValueRange(), ValueRange{empty},
             ArrayRef<AffineMap>{b.getMultiDimIdentityMap(type.getRank())},
             iterators,
             [&](OpBuilder &inner, Location l, ValueRange) {
               SmallVector<Value> position;
               for (ArrayRef<int64_t> group : groups) {
                 Value index;
                 for (int64_t i : group) {
                   Value next = linalg::IndexOp::create(inner, l, i);
                   if (index) {
                     index = arith::MulIOp::create(
                         inner, l, index,
                         getValueOrCreateConstantIndexOp(inner, l, sizes[i]));
                     next = arith::AddIOp::create(inner, l, index, next);
                   }
                   index = next;
                 }
                 position.push_back(index);
               }
               Value element =
                   tensor::ExtractOp::create(inner, l, op.getSrc(), position);
               linalg::YieldOp::create(inner, l, element);
             })
      .getResult(0);
}

/// Collapses the source to one dimension and expands it to the sizes that are
/// given as a tensor: views that every target lowers.
static Value expandReshape(RewriterBase &b, tensor::ReshapeOp op) {
  Location loc = op.getLoc();
  auto type = dyn_cast<RankedTensorType>(op.getType());
  auto sourceType = dyn_cast<RankedTensorType>(op.getSource().getType());
  if (!type || !sourceType)
    return {};
  auto getFlat = [](RankedTensorType shaped) {
    int64_t size = shaped.hasStaticShape() ? shaped.getNumElements()
                                           : ShapedType::kDynamic;
    return RankedTensorType::get({size}, shaped.getElementType());
  };
  auto getReassociation = [](RankedTensorType shaped) {
    SmallVector<ReassociationIndices> all;
    if (shaped.getRank() != 0)
      all.push_back(
          llvm::to_vector<2>(llvm::seq<int64_t>(0, shaped.getRank())));
    return all;
  };
  RankedTensorType flatType = getFlat(sourceType);
  Value flat = op.getSource();
  if (sourceType.getRank() == 0)
    flat = tensor::ExpandShapeOp::create(b, loc, flatType, flat,
                                         ArrayRef<ReassociationIndices>());
  else if (sourceType.getRank() > 1)
    flat = tensor::CollapseShapeOp::create(b, loc, flatType, flat,
                                           getReassociation(sourceType));
  if (flatType != getFlat(type))
    flat = tensor::CastOp::create(b, loc, getFlat(type), flat);
  if (type.getRank() == 1)
    return flat;
  if (type.getRank() == 0)
    return tensor::CollapseShapeOp::create(b, loc, type, flat,
                                           ArrayRef<ReassociationIndices>());
  SmallVector<OpFoldResult> sizes;
  for (int64_t i = 0; i < type.getRank(); ++i) {
    if (!type.isDynamicDim(i)) {
      sizes.push_back(b.getIndexAttr(type.getDimSize(i)));
      continue;
    }
    Value position = arith::ConstantIndexOp::create(b, loc, i);
    Value size = tensor::ExtractOp::create(b, loc, op.getShape(), position);
    if (!size.getType().isIndex())
      size = arith::IndexCastOp::create(b, loc, b.getIndexType(), size);
    sizes.push_back(size);
  }
  auto expand = tensor::ExpandShapeOp::create(b, loc, type, flat,
                                              getReassociation(type), sizes);
  if (Value copied = expandExpandShape(b, expand)) {
    b.eraseOp(expand);
    return copied;
  }
  return expand;
}

//===----------------------------------------------------------------------===//
// pad
//===----------------------------------------------------------------------===//

/// Emits the sizes of the result of `op` that its type does not give.
static SmallVector<Value> buildPaddedSizes(RewriterBase &b, tensor::PadOp op) {
  Location loc = op.getLoc();
  SmallVector<OpFoldResult> sizes =
      tensor::getMixedSizes(b, loc, op.getSource());
  SmallVector<OpFoldResult> low = op.getMixedLowPad(),
                            high = op.getMixedHighPad();
  SmallVector<Value> result;
  for (int64_t i = 0; i < op.getResultType().getRank(); ++i) {
    if (!op.getResultType().isDynamicDim(i))
      continue;
    Value size = getValueOrCreateConstantIndexOp(b, loc, sizes[i]);
    for (OpFoldResult amount : {low[i], high[i]})
      size = arith::AddIOp::create(
          b, loc, size, getValueOrCreateConstantIndexOp(b, loc, amount));
    result.push_back(size);
  }
  return result;
}

/// Takes what a pad with negative amounts cuts off away first. Of a pad that
/// keeps nothing the padding is left.
static Value expandPad(RewriterBase &b, tensor::PadOp op) {
  Location loc = op.getLoc();
  RankedTensorType type = op.getSourceType();
  int64_t rank = type.getRank();
  SmallVector<OpFoldResult> sizes =
      tensor::getMixedSizes(b, loc, op.getSource());
  SmallVector<OpFoldResult> low = op.getMixedLowPad(),
                            high = op.getMixedHighPad();
  OpFoldResult zero = b.getIndexAttr(0), one = b.getIndexAttr(1);
  SmallVector<OpFoldResult> offsets(rank, zero), strides(rank, one);
  bool cuts = false, isEmpty = false, canBeEmpty = false;
  for (int64_t i = 0; i < rank; ++i) {
    auto cut = [&](OpFoldResult &amount) {
      int64_t constant = getConstantIntValue(amount).value_or(0);
      if (constant >= 0)
        return int64_t(0);
      amount = zero;
      return -constant;
    };
    int64_t cutLow = cut(low[i]), cutHigh = cut(high[i]);
    std::optional<int64_t> size = getConstantIntValue(sizes[i]);
    if (size) {
      isEmpty |= *size <= cutLow + cutHigh;
      sizes[i] = b.getIndexAttr(*size - cutLow - cutHigh);
    } else if (cutLow + cutHigh > 0) {
      Value rest = arith::SubIOp::create(
          b, loc, cast<Value>(sizes[i]),
          arith::ConstantIndexOp::create(b, loc, cutLow + cutHigh));
      Value none = arith::ConstantIndexOp::create(b, loc, 0);
      sizes[i] = arith::MaxSIOp::create(b, loc, rest, none).getResult();
      canBeEmpty = true;
    }
    cuts |= cutLow + cutHigh > 0;
    offsets[i] = b.getIndexAttr(cutLow);
  }
  SmallVector<int64_t> shape = decomposeMixedValues(sizes).first;
  auto moveRegion = [&](Region &region) {
    if (!region.empty())
      b.eraseBlock(&region.front());
    b.inlineRegionBefore(op.getRegion(), region, region.end());
  };
  auto buildPart = [&]() -> Value {
    return tensor::ExtractSliceOp::create(
        b, loc, RankedTensorType::get(shape, type.getElementType()),
        op.getSource(), offsets, sizes, strides);
  };
  if (isEmpty || canBeEmpty) {
    auto padding = tensor::GenerateOp::create(b, loc, op.getType(),
                                              buildPaddedSizes(b, op));
    moveRegion(padding.getRegion());
    if (isEmpty)
      return padding.getResult();
    // What is left of the source goes over it: a pad of nothing would not know
    // how much more was cut off.
    return tensor::InsertSliceOp::create(
        b, loc, buildPart(), padding.getResult(), low, sizes, strides);
  }
  if (!cuts)
    return {};
  Value part = buildPart();
  auto padded = tensor::PadOp::create(b, loc, op.getType(), part, low, high,
                                      op.getNofold());
  moveRegion(padded.getRegion());
  return padded.getResult();
}

//===----------------------------------------------------------------------===//
// concat
//===----------------------------------------------------------------------===//

/// Leaves operands without elements out: a slice may not start behind the last
/// element.
static Value expandConcat(RewriterBase &b, tensor::ConcatOp op) {
  SmallVector<Value> kept;
  for (Value input : op.getInputs())
    if (cast<RankedTensorType>(input.getType()).getDimSize(op.getDim()) != 0)
      kept.push_back(input);
  if (kept.size() == op.getInputs().size())
    return {};
  if (kept.empty())
    kept.push_back(op.getInputs().front());
  if (kept.size() == 1 && kept.front().getType() == op.getType())
    return kept.front();
  return tensor::ConcatOp::create(b, op.getLoc(), op.getType(), op.getDim(),
                                  kept);
}

namespace {
class CodegenExpandTensorOpsPass
    : public memrev::impl::CodegenExpandTensorOpsBase<
          CodegenExpandTensorOpsPass> {
public:
  using CodegenExpandTensorOpsBase::CodegenExpandTensorOpsBase;

  void runOnOperation() override {
    IRRewriter rewriter(&getContext());
    SmallVector<Operation *> ops;
    getOperation()->walk([&](Operation *op) { ops.push_back(op); });
    for (Operation *op : ops) {
      rewriter.setInsertionPoint(op);
      Value result;
      if (auto gather = dyn_cast<tensor::GatherOp>(op))
        result = expandGather(rewriter, gather);
      else if (auto scatter = dyn_cast<tensor::ScatterOp>(op))
        result = expandScatter(rewriter, scatter);
      else if (auto bitcast = dyn_cast<tensor::BitcastOp>(op))
        result = expandBitcast(rewriter, bitcast);
      else if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op))
        result = expandExpandShape(rewriter, expand);
      else if (auto reshape = dyn_cast<tensor::ReshapeOp>(op))
        result = expandReshape(rewriter, reshape);
      else if (auto pad = dyn_cast<tensor::PadOp>(op))
        result = expandPad(rewriter, pad);
      else if (auto concat = dyn_cast<tensor::ConcatOp>(op))
        result = expandConcat(rewriter, concat);
      if (result)
        rewriter.replaceOp(op, result);
    }
  }
};
} // namespace
