//===- DimensionEmitters.cpp - Random linalg operations on dimensions -----===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Generator.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

using namespace mlir;
using namespace mlir::memrev::testing;

static bool emitBroadcast(Generator &g) {
  Known x = g.pick(/*isTensor=*/true);
  if (x.shape.size() > 2)
    return false;
  SmallVector<int64_t> shape = llvm::to_vector<6>(x.shape), dims;
  SmallVector<int64_t> extents =
      llvm::to_vector<6>(cast<RankedTensorType>(x.value.getType()).getShape());
  for (int64_t n = g.rng.range(1, 2); n > 0; --n) {
    int64_t at = g.rng.range(0, int64_t(shape.size()));
    shape.insert(shape.begin() + at, g.extent());
    bool isUnknown = g.isDynamic && g.rng.chance(0.5);
    extents.insert(extents.begin() + at,
                   isUnknown ? ShapedType::kDynamic : shape[at]);
    for (int64_t &dim : dims)
      dim += dim >= at;
    dims.push_back(at);
  }
  llvm::sort(dims);
  Value out = g.emptyOf(RankedTensorType::get(extents, g.elementType), shape);
  g.add(linalg::BroadcastOp::create(g.b, x.value, out, dims).getResults()[0],
        shape, x.bound);
  return true;
}

static bool emitTranspose(Generator &g) {
  Known x = g.pick(/*isTensor=*/true);
  // Upstream's verifier crashes on a transpose of rank 0.
  if (x.shape.empty())
    return false;
  auto type = cast<RankedTensorType>(x.value.getType());
  SmallVector<int64_t> permutation, shape, extents;
  for (size_t n = 0; n < x.shape.size(); ++n)
    permutation.push_back(n);
  for (size_t n = permutation.size(); n > 1; --n)
    std::swap(permutation[n - 1], permutation[g.rng.range(0, int64_t(n) - 1)]);
  for (int64_t dim : permutation) {
    shape.push_back(x.shape[dim]);
    extents.push_back(type.getDimSize(dim));
  }
  Value out = g.emptyOf(RankedTensorType::get(extents, g.elementType), shape);
  g.add(linalg::TransposeOp::create(g.b, x.value, out, permutation)
            .getResult()[0],
        shape, x.bound);
  return true;
}

static bool emitFill(Generator &g) {
  Known x = g.pick(/*isTensor=*/false);
  SmallVector<int64_t> shape = g.shape(0, 3);
  Value out = g.empty(shape, g.elementType);
  g.add(linalg::FillOp::create(g.b, x.value, out).getResult(0), shape, x.bound);
  return true;
}

static bool emitCopy(Generator &g) {
  Known x = g.pick(/*isTensor=*/true);
  Value out = g.empty(x.shape, g.elementType);
  g.add(linalg::CopyOp::create(g.b, x.value, out).getResult(0), x.shape,
        x.bound);
  return true;
}

static bool emitSoftmax(Generator &g) {
  Known x = g.pick(/*isTensor=*/true);
  if (x.shape.empty())
    return false;
  int64_t dim = g.rng.range(0, int64_t(x.shape.size()) - 1);
  auto type = cast<RankedTensorType>(x.value.getType());
  // Numbers whose exponentials overflow, and do after a shift that is a little
  // wrong, too.
  if (g.rng.chance(0.2) && g.takeLargeFactor())
    x.value = arith::MulFOp::create(
        g.b, x.value,
        g.constantLike(x.value, g.elementType.isF16() ? 1e4 : 1e6));
  Value out = g.emptyOf(type, x.shape);
  auto op = linalg::SoftmaxOp::create(g.b, TypeRange(type), x.value, out,
                                      uint64_t(dim));
  g.add(op->getResult(0), x.shape, 1);
  return true;
}

static bool emitPack(Generator &g) {
  Known x = g.pick(/*isTensor=*/true);
  int64_t rank = x.shape.size();
  if (rank == 0 || llvm::is_contained(x.shape, 0))
    return false;
  SmallVector<int64_t> positions, tiles, permutation, packed;
  for (int64_t dim = 0; dim < rank; ++dim) {
    permutation.push_back(dim);
    if (g.rng.chance(0.6))
      positions.push_back(dim);
  }
  if (positions.empty())
    positions.push_back(0);
  if (positions.size() > 1 && g.rng.chance(0.5))
    std::swap(positions.front(), positions.back());
  bool permutes = g.rng.chance(0.4);
  if (permutes)
    std::reverse(permutation.begin(), permutation.end());
  bool isWhole = true;
  SmallVector<int64_t> outer = llvm::to_vector<6>(x.shape);
  for (int64_t position : positions) {
    tiles.push_back(g.rng.range(1, 3));
    isWhole &= outer[position] % tiles.back() == 0;
    outer[position] = (outer[position] + tiles.back() - 1) / tiles.back();
  }
  for (int64_t dim : permutation)
    packed.push_back(outer[dim]);
  llvm::append_range(packed, tiles);
  auto source = cast<RankedTensorType>(x.value.getType());
  // Tiles are static here; outer extents follow the source.
  SmallVector<int64_t> extents(packed);
  for (int64_t n = 0; n < rank; ++n)
    if (source.isDynamicDim(permutation[n]))
      extents[n] = ShapedType::kDynamic;
  auto packedType = RankedTensorType::get(extents, g.elementType);
  Value out = g.emptyOf(packedType, packed);
  SmallVector<OpFoldResult> innerTiles;
  for (int64_t tile : tiles)
    innerTiles.push_back(g.b.getIndexAttr(tile));
  std::optional<Value> padding;
  if (!isWhole || g.rng.chance(0.2)) {
    padding = g.rng.chance(0.7) ? g.limit(g.pick(/*isTensor=*/false), 8).value
                                : g.constant(g.elementType, 0.5);
  }
  ArrayRef<int64_t> outerPermutation =
      permutes ? ArrayRef<int64_t>(permutation) : ArrayRef<int64_t>();
  auto pack = linalg::PackOp::create(g.b, x.value, out, positions, innerTiles,
                                     padding, outerPermutation);
  g.add(pack->getResult(0), packed, std::max(x.bound, 8.0));
  if (g.rng.chance(0.5)) {
    Value plain = g.emptyOf(source, x.shape);
    Known packedValue = g.values.back();
    auto unpack = linalg::UnPackOp::create(
        g.b, packedValue.value, plain, positions, innerTiles, outerPermutation);
    g.add(unpack->getResult(0), x.shape, packedValue.bound);
  }
  return true;
}

ArrayRef<EmitterEntry> mlir::memrev::testing::getDimensionEmitters() {
  static const EmitterEntry emitters[] = {
      {"structured", "broadcast", 0.5, emitBroadcast},
      {"structured", "transpose", 0.5, emitTranspose},
      {"structured", "fill", 0.3, emitFill},
      {"structured", "copy", 0.2, emitCopy},
      {"softmax", "softmax", 0.5, emitSoftmax},
      {"pack", "pack", 0.5, emitPack},
  };
  return emitters;
}
