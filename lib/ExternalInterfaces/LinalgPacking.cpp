//===- LinalgPacking.cpp - Rules of linalg.pack and linalg.unpack ---------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Packing moves elements into tiles and fills up the last ones; unpacking moves
// them back. Each is the adjoint of the other, with zeros as padding.
//
//===----------------------------------------------------------------------===//

#include "Models.h"
#include "TensorExpressions.h"
#include "memrev/Interfaces/DecomposableOpInterface.h"
#include "memrev/Interfaces/DifferentiableOpInterface.h"
#include "memrev/Interfaces/ForwardDifferentiableOpInterface.h"
#include "memrev/Interfaces/InvertibleOpInterface.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "mlir/IR/DialectRegistry.h"

using namespace mlir;
using namespace mlir::memrev;
using linalg::PackOp;
using linalg::UnPackOp;

/// A constant scalar of the element type of `tensor`.
static Value buildScalar(OpBuilder &b, Location loc, Value tensor,
                         double value) {
  return arith::ConstantOp::create(
      b, loc, b.getFloatAttr(getElementTypeOrSelf(tensor.getType()), value));
}

/// `source` in tiles like those of `op`, the last ones filled up by `padding`.
template <typename OpTy>
static Value buildPack(OpBuilder &b, OpTy op, ArrayRef<OpFoldResult> tiles,
                       Value source, Value dest, Value padding) {
  return PackOp::create(b, op.getLoc(), source, dest, op.getInnerDimsPos(),
                        tiles,
                        padding ? std::optional<Value>(padding) : std::nullopt,
                        op.getOuterDimsPerm())
      ->getResult(0);
}

/// What `source`, in tiles like those of `op`, was packed from.
template <typename OpTy>
static Value buildUnPack(OpBuilder &b, OpTy op, ArrayRef<OpFoldResult> tiles,
                         Value source, Value dest) {
  return UnPackOp::create(b, op.getLoc(), source, dest, op.getInnerDimsPos(),
                          tiles, op.getOuterDimsPerm())
      ->getResult(0);
}

/// The extents of the tiles of `op`, as primal values of the context.
template <typename OpTy>
static FailureOr<SmallVector<OpFoldResult>>
getPrimalTiles(OpTy op, DerivativeContext &ctx) {
  SmallVector<OpFoldResult> tiles = op.getMixedTiles();
  if (failed(getPrimal(ctx, tiles)))
    return failure();
  return tiles;
}

/// A tensor of the type and sizes of the primal value `like`.
static Value buildEmptyForPrimal(DerivativeContext &ctx, Value like,
                                 Location loc) {
  FailureOr<SmallVector<OpFoldResult>> sizes = getPrimalSizes(ctx, like, loc);
  if (failed(sizes))
    return {};
  return tensor::EmptyOp::create(ctx.getBuilder(), loc, *sizes,
                                 getElementTypeOrSelf(like.getType()));
}

namespace {

struct PackModel : DifferentiableOpInterface::ExternalModel<PackModel, PackOp> {
  LogicalResult buildVJP(Operation *op, DerivativeContext &ctx) const {
    auto pack = cast<PackOp>(op);
    OpBuilder &b = ctx.getBuilder();
    Location loc = op->getLoc();
    Value cotangent = ctx.cotangent(op->getResult(0));
    FailureOr<SmallVector<OpFoldResult>> tiles = getPrimalTiles(pack, ctx);
    if (failed(tiles))
      return failure();
    Value empty = buildEmptyForPrimal(ctx, pack.getSource(), loc);
    if (!empty)
      return failure();
    Value padding = pack.getPaddingValue();
    if (padding && ctx.isActive(padding))
      ctx.accumulate(padding,
                     buildPaddingSum(b, pack, *tiles, empty, cotangent));
    if (ctx.isActive(pack.getSource()))
      ctx.accumulate(pack.getSource(),
                     buildUnPack(b, pack, *tiles, cotangent, empty));
    return success();
  }

private:
  /// The sum of `cotangent` where the padding is: where zeros packed with ones
  /// as padding are ones.
  static Value buildPaddingSum(OpBuilder &b, PackOp pack,
                               ArrayRef<OpFoldResult> tiles, Value empty,
                               Value cotangent) {
    Location loc = pack.getLoc();
    Value zero = buildScalar(b, loc, cotangent, 0.0);
    Value one = buildScalar(b, loc, cotangent, 1.0);
    Value zeros = linalg::FillOp::create(b, loc, zero, empty).getResult(0);
    Value isPadding = buildPack(b, pack, tiles, zeros,
                                buildEmptyLike(b, loc, cotangent), one);
    int64_t rank = cast<RankedTensorType>(cotangent.getType()).getRank();
    SmallVector<AffineMap> maps(3, b.getMultiDimIdentityMap(rank));
    SmallVector<utils::IteratorType> iterators(rank,
                                               utils::IteratorType::parallel);
    Value out = buildEmptyLike(b, loc, cotangent);
    Value padded =
        linalg::GenericOp::create(
            b, loc, TypeRange{out.getType()}, ValueRange{isPadding, cotangent},
            ValueRange{out}, maps, iterators,
            [&](OpBuilder &inner, Location l, ValueRange args) {
              Value here = arith::CmpFOp::create(
                  inner, l, arith::CmpFPredicate::OEQ, args[0], one);
              Value part =
                  arith::SelectOp::create(inner, l, here, args[1], zero);
              linalg::YieldOp::create(inner, l, part);
            })
            .getResult(0);
    return buildSum(b, loc, padded);
  }
};

struct PackTangent
    : ForwardDifferentiableOpInterface::ExternalModel<PackTangent, PackOp> {
  LogicalResult buildJVP(Operation *op, TangentContext &ctx) const {
    auto pack = cast<PackOp>(op);
    OpBuilder &b = ctx.getBuilder();
    Location loc = op->getLoc();
    Value padding = pack.getPaddingValue();
    if (padding)
      padding = ctx.tangentOrZero(padding);
    ctx.setTangent(op->getResult(0),
                   buildPack(b, pack, pack.getMixedTiles(),
                             ctx.tangentOrZero(pack.getSource()),
                             buildEmptyLike(b, loc, pack.getDest()), padding));
    return success();
  }
};

struct UnPackModel
    : DifferentiableOpInterface::ExternalModel<UnPackModel, UnPackOp> {
  LogicalResult buildVJP(Operation *op, DerivativeContext &ctx) const {
    auto unpack = cast<UnPackOp>(op);
    if (!ctx.isActive(unpack.getSource()))
      return success();
    OpBuilder &b = ctx.getBuilder();
    Location loc = op->getLoc();
    Value cotangent = ctx.cotangent(op->getResult(0));
    FailureOr<SmallVector<OpFoldResult>> tiles = getPrimalTiles(unpack, ctx);
    if (failed(tiles))
      return failure();
    Value empty = buildEmptyForPrimal(ctx, unpack.getSource(), loc);
    if (!empty)
      return failure();
    // What lies in the tiles behind the last element was never read.
    ctx.accumulate(unpack.getSource(),
                   buildPack(b, unpack, *tiles, cotangent, empty,
                             buildScalar(b, loc, cotangent, 0.0)));
    return success();
  }
};

struct UnPackTangent
    : ForwardDifferentiableOpInterface::ExternalModel<UnPackTangent, UnPackOp> {
  LogicalResult buildJVP(Operation *op, TangentContext &ctx) const {
    auto unpack = cast<UnPackOp>(op);
    OpBuilder &b = ctx.getBuilder();
    if (Value tangent = ctx.tangent(unpack.getSource()))
      ctx.setTangent(
          op->getResult(0),
          buildUnPack(b, unpack, unpack.getMixedTiles(), tangent,
                      buildEmptyLike(b, op->getLoc(), unpack.getDest())));
    return success();
  }
};

/// Unpacking leaves the padding behind.
struct PackInverse : InvertibleOpInterface::ExternalModel<PackInverse, PackOp> {
  SmallVector<InverseEdge> getInverseEdges(Operation *op) const {
    auto pack = cast<PackOp>(op);
    // Where the padding begins has to be known without the source.
    if (!pack.hasPureTensorSemantics() ||
        !pack.getSourceType().hasStaticShape())
      return {};
    InverseEdge edge =
        InverseEdge::moving({pack.getSource()}, {op->getResult(0)});
    llvm::append_range(edge.from, pack.getInnerTiles());
    return {edge};
  }

  LogicalResult buildInverse(Operation *op, DerivativeContext &ctx,
                             unsigned) const {
    auto pack = cast<PackOp>(op);
    Value result = ctx.primal(op->getResult(0));
    FailureOr<SmallVector<OpFoldResult>> tiles = getPrimalTiles(pack, ctx);
    if (!result || failed(tiles))
      return failure();
    OpBuilder &b = ctx.getBuilder();
    Value empty = tensor::EmptyOp::create(
        b, op->getLoc(), pack.getSourceType().getShape(),
        pack.getSourceType().getElementType());
    provideMoved(ctx, pack.getSource(),
                 buildUnPack(b, pack, *tiles, result, empty), op->getResult(0));
    return success();
  }
};

/// Packing puts tiles together again of which nothing was cut off.
struct UnPackInverse
    : InvertibleOpInterface::ExternalModel<UnPackInverse, UnPackOp> {
  SmallVector<InverseEdge> getInverseEdges(Operation *op) const {
    auto unpack = cast<UnPackOp>(op);
    if (!unpack.hasPureTensorSemantics() || !fillsTiles(unpack))
      return {};
    return {InverseEdge::moving({unpack.getSource()}, {op->getResult(0)})};
  }

  LogicalResult buildInverse(Operation *op, DerivativeContext &ctx,
                             unsigned) const {
    auto unpack = cast<UnPackOp>(op);
    Value result = ctx.primal(op->getResult(0));
    if (!result)
      return failure();
    OpBuilder &b = ctx.getBuilder();
    Value empty = tensor::EmptyOp::create(
        b, op->getLoc(), unpack.getSourceType().getShape(),
        unpack.getSourceType().getElementType());
    provideMoved(ctx, unpack.getSource(),
                 buildPack(b, unpack, unpack.getMixedTiles(), result, empty,
                           /*padding=*/{}),
                 op->getResult(0));
    return success();
  }

private:
  /// True if the tiles have as many elements as the result, as constants.
  static bool fillsTiles(UnPackOp unpack) {
    return unpack.getSourceType().hasStaticShape() &&
           unpack.getDestType().hasStaticShape() &&
           unpack.getInnerTiles().empty() &&
           unpack.getDestType().getNumElements() != 0 &&
           unpack.getSourceType().getNumElements() ==
               unpack.getDestType().getNumElements();
  }
};

/// How a tensor and its packed form lie to each other: split into tiles, a
/// dimension of the tensor is one of the tiles and, behind it, one in the tile.
struct Tiling {
  template <typename OpTy>
  explicit Tiling(OpTy op, int64_t rank);

  SmallVector<ReassociationIndices> groups;
  /// Where each dimension of the packed tensor is among those of the split one.
  SmallVector<int64_t> permutation;
};

} // namespace

template <typename OpTy>
Tiling::Tiling(OpTy op, int64_t rank) {
  ArrayRef<int64_t> tiled = op.getInnerDimsPos();
  SmallVector<int64_t> outer(op.getOuterDimsPerm());
  if (outer.empty())
    llvm::append_range(outer, llvm::seq<int64_t>(rank));
  int64_t next = 0;
  for (int64_t i = 0; i < rank; ++i) {
    groups.push_back({next++});
    if (llvm::is_contained(tiled, i))
      groups.back().push_back(next++);
  }
  for (int64_t i : outer)
    permutation.push_back(groups[i].front());
  for (int64_t i : tiled)
    permutation.push_back(groups[i].back());
}

/// Emits `dest` with the element of `source` at the indices that `getIndices`
/// makes of its own. Upstream lowers no reshape that gives a dimension two
/// factors of dynamic extent, so tiles of dynamic extent are read this way.
static Value buildByElements(
    OpBuilder &b, Location loc, Value source, Value dest,
    function_ref<SmallVector<OpFoldResult>(OpBuilder &, ArrayRef<OpFoldResult>)>
        getIndices) {
  int64_t rank = cast<RankedTensorType>(dest.getType()).getRank();
  return linalg::GenericOp::create(
             b, loc, TypeRange{dest.getType()}, ValueRange(), ValueRange{dest},
             ArrayRef<AffineMap>{b.getMultiDimIdentityMap(rank)},
             SmallVector<utils::IteratorType>(rank,
                                              utils::IteratorType::parallel),
             [&](OpBuilder &inner, Location l, ValueRange) {
               SmallVector<OpFoldResult> own;
               for (int64_t i = 0; i < rank; ++i)
                 own.push_back(
                     linalg::IndexOp::create(inner, l, i).getResult());
               SmallVector<Value> indices = getValueOrCreateConstantIndexOp(
                   inner, l, getIndices(inner, own));
               Value element =
                   tensor::ExtractOp::create(inner, l, source, indices);
               linalg::YieldOp::create(inner, l, element);
             })
      .getResult(0);
}

namespace {

struct PackDecomposition
    : DecomposableOpInterface::ExternalModel<PackDecomposition, PackOp> {
  SmallVector<Value> decompose(Operation *op, RewriterBase &b) const {
    auto pack = cast<PackOp>(op);
    Location loc = op->getLoc();
    Value source = pack.getSource(), dest = pack.getDest();
    Tiling tiling(pack, pack.getSourceType().getRank());
    SmallVector<int64_t> inverse = invertPermutationVector(tiling.permutation);
    SmallVector<OpFoldResult> split = tensor::getMixedSizes(b, loc, dest);
    applyPermutationToVector(split, inverse);
    if (Value padding = pack.getPaddingValue())
      source = buildPadded(b, loc, source, padding, tiling, split);
    if (!pack.getInnerTiles().empty())
      return {buildByElements(
          b, loc, source, dest,
          [&](OpBuilder &inner, ArrayRef<OpFoldResult> own) {
            SmallVector<OpFoldResult> position(own), indices;
            applyPermutationToVector(position, inverse);
            AffineExpr number, tile, rest;
            bindSymbols(b.getContext(), number, tile, rest);
            for (ReassociationIndicesRef group : tiling.groups)
              indices.push_back(group.size() == 1
                                    ? position[group[0]]
                                    : affine::makeComposedFoldedAffineApply(
                                          inner, loc, number * tile + rest,
                                          {position[group[0]], split[group[1]],
                                           position[group[1]]}));
            return indices;
          })};
    auto type = cast<RankedTensorType>(dest.getType());
    SmallVector<int64_t> shape(type.getShape());
    applyPermutationToVector(shape, inverse);
    // The two say the extents of a full tile in different words.
    SmallVector<int64_t> full;
    for (ReassociationIndicesRef group : tiling.groups) {
      int64_t size = 1;
      for (int64_t i : group)
        size = ShapedType::isDynamic(size) || ShapedType::isDynamic(shape[i])
                   ? ShapedType::kDynamic
                   : size * shape[i];
      full.push_back(size);
    }
    auto fullType = RankedTensorType::get(full, type.getElementType());
    if (source.getType() != fullType)
      source = tensor::CastOp::create(b, loc, fullType, source);
    Value tiles = tensor::ExpandShapeOp::create(
        b, loc, RankedTensorType::get(shape, type.getElementType()), source,
        tiling.groups, split);
    return {linalg::TransposeOp::create(b, loc, tiles, dest, tiling.permutation)
                ->getResult(0)};
  }

private:
  /// `source` padded to a whole number of tiles.
  static Value buildPadded(OpBuilder &b, Location loc, Value source,
                           Value padding, const Tiling &tiling,
                           ArrayRef<OpFoldResult> split) {
    SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(b, loc, source);
    SmallVector<OpFoldResult> low(sizes.size(), b.getIndexAttr(0));
    SmallVector<OpFoldResult> high(sizes.size(), b.getIndexAttr(0));
    AffineExpr number, tile, size;
    bindSymbols(b.getContext(), number, tile, size);
    for (auto [i, group] : llvm::enumerate(tiling.groups))
      if (group.size() == 2)
        high[i] = affine::makeComposedFoldedAffineApply(
            b, loc, number * tile - size,
            {split[group[0]], split[group[1]], sizes[i]});
    return tensor::PadOp::create(b, loc, Type(), source, low, high, padding);
  }
};

struct UnPackDecomposition
    : DecomposableOpInterface::ExternalModel<UnPackDecomposition, UnPackOp> {
  SmallVector<Value> decompose(Operation *op, RewriterBase &b) const {
    auto unpack = cast<UnPackOp>(op);
    Location loc = op->getLoc();
    Value source = unpack.getSource(), dest = unpack.getDest();
    auto type = cast<RankedTensorType>(dest.getType());
    // A slice of a tensor without elements is no valid one.
    if (llvm::is_contained(type.getShape(), 0))
      return {dest};
    Tiling tiling(unpack, type.getRank());
    SmallVector<int64_t> inverse = invertPermutationVector(tiling.permutation);
    SmallVector<OpFoldResult> split = tensor::getMixedSizes(b, loc, source);
    applyPermutationToVector(split, inverse);
    Value empty = tensor::EmptyOp::create(b, loc, split, type.getElementType());
    Value tiles = linalg::TransposeOp::create(b, loc, source, empty, inverse)
                      ->getResult(0);
    Value whole = tensor::CollapseShapeOp::create(b, loc, tiles, tiling.groups);
    Slice slice = getWhole(b, loc, dest);
    Value part = tensor::ExtractSliceOp::create(
        b, loc, type, whole, slice.offsets, slice.sizes, slice.strides);
    return {linalg::CopyOp::create(b, loc, part, dest).getResult(0)};
  }
};

} // namespace

void memrev::registerLinalgPackingModels(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *c, linalg::LinalgDialect *) {
    PackOp::attachInterface<PackModel, PackTangent, PackDecomposition,
                            PackInverse>(*c);
    UnPackOp::attachInterface<UnPackModel, UnPackTangent, UnPackDecomposition,
                              UnPackInverse>(*c);
  });
}
