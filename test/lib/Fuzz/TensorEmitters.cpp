//===- TensorEmitters.cpp - Random tensor operations ----------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Generator.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::memrev::testing;

/// An index that may be a constant of the operation.
static OpFoldResult fold(Generator &g, int64_t value) {
  if (g.isDynamic && g.rng.chance(0.4))
    return g.index(value);
  return g.b.getIndexAttr(value);
}

static SmallVector<OpFoldResult> fold(Generator &g, ArrayRef<int64_t> values) {
  SmallVector<OpFoldResult> folded;
  for (int64_t value : values)
    folded.push_back(fold(g, value));
  return folded;
}

namespace {

/// A slice of a tensor, with its dimensions that remain.
struct Box {
  SmallVector<int64_t> offsets, sizes, strides, shape;
  SmallVector<OpFoldResult> foldedOffsets, foldedSizes, foldedStrides;
  RankedTensorType type;
};

} // namespace

/// A random box of `shape`; some of its dimensions of extent 1 are dropped.
static Box makeBox(Generator &g, ArrayRef<int64_t> shape) {
  Box box;
  SmallVector<int64_t> extents;
  for (int64_t extent : shape) {
    int64_t size = g.rng.chance(0.03) ? 0 : g.rng.range(extent > 0, extent);
    int64_t stride = size > 1 ? g.rng.range(1, (extent - 1) / (size - 1)) : 1;
    int64_t reach = size == 0 ? 0 : (size - 1) * stride + 1;
    // The verifier wants offsets inside, of empty slices too.
    box.offsets.push_back(g.rng.range(
        0, std::max<int64_t>(extent - std::max<int64_t>(reach, 1), 0)));
    box.sizes.push_back(size);
    box.strides.push_back(stride);
  }
  box.foldedOffsets = fold(g, box.offsets);
  box.foldedSizes = fold(g, box.sizes);
  box.foldedStrides = fold(g, box.strides);
  for (auto [size, folded] : llvm::zip_equal(box.sizes, box.foldedSizes)) {
    bool isStatic = isa<Attribute>(folded);
    if (size == 1 && isStatic && g.rng.chance(0.4))
      continue;
    box.shape.push_back(size);
    extents.push_back(isStatic ? size : ShapedType::kDynamic);
  }
  box.type = RankedTensorType::get(extents, g.elementType);
  return box;
}

static bool emitExtractSlice(Generator &g) {
  Known x = g.pick(/*isTensor=*/true);
  if (llvm::is_contained(x.shape, 0))
    return false;
  Box box = makeBox(g, x.shape);
  Value slice =
      tensor::ExtractSliceOp::create(g.b, box.type, x.value, box.foldedOffsets,
                                     box.foldedSizes, box.foldedStrides);
  g.add(slice, box.shape, x.bound);
  return true;
}

/// Slices of one tensor that share elements, seen in other shapes.
static bool emitViews(Generator &g) {
  Known x = g.pick(/*isTensor=*/true);
  if (x.shape.size() < 2 || llvm::is_contained(x.shape, 0))
    return false;
  for (int64_t n = g.rng.range(1, 2); n > 0; --n) {
    Box box = makeBox(g, x.shape);
    Value slice = tensor::ExtractSliceOp::create(
        g.b, box.type, x.value, box.foldedOffsets, box.foldedSizes,
        box.foldedStrides);
    if (box.shape.size() > 1 && g.rng.chance(0.7)) {
      ReassociationIndices all;
      int64_t count = 1;
      for (auto [dim, extent] : llvm::enumerate(box.shape)) {
        all.push_back(dim);
        count *= extent;
      }
      slice = tensor::CollapseShapeOp::create(
          g.b, slice, ArrayRef<ReassociationIndices>(all));
      box.shape = {count};
    } else if (!box.shape.empty() && g.rng.chance(0.5)) {
      SmallVector<int64_t> extents(box.shape);
      for (int64_t &extent : extents)
        extent = ShapedType::kDynamic;
      slice = tensor::CastOp::create(
          g.b, RankedTensorType::get(extents, g.elementType), slice);
    }
    Value twice = arith::MulFOp::create(g.b, slice, slice);
    g.add(slice, box.shape, x.bound);
    g.add(g.rng.chance(0.5) ? twice : Value(math::TanhOp::create(g.b, slice)),
          box.shape, x.bound * x.bound);
  }
  return true;
}

static bool emitInsertSlice(Generator &g) {
  Known x = g.pick(/*isTensor=*/true);
  if (llvm::is_contained(x.shape, 0))
    return false;
  Box box = makeBox(g, x.shape);
  Known part = g.pickShape(box.shape);
  Value result = tensor::InsertSliceOp::create(
      g.b, g.castTo(part, box.type), x.value, box.foldedOffsets,
      box.foldedSizes, box.foldedStrides);
  g.add(result, x.shape, std::max(x.bound, part.bound));
  return true;
}

static bool emitPad(Generator &g) {
  Known x = g.pick(/*isTensor=*/true);
  auto type = cast<RankedTensorType>(x.value.getType());
  SmallVector<int64_t> low, high, shape, extents;
  SmallVector<OpFoldResult> foldedLow, foldedHigh;
  for (auto [n, extent] : llvm::enumerate(x.shape)) {
    low.push_back(g.rng.range(0, 2));
    high.push_back(g.rng.range(0, 2));
    // A negative margin cuts something off.
    if (extent > 2 && g.rng.chance(0.15))
      (g.rng.chance(0.5) ? low : high).back() = -g.rng.range(1, 2);
    shape.push_back(low.back() + extent + high.back());
    foldedLow.push_back(fold(g, low.back()));
    foldedHigh.push_back(fold(g, high.back()));
    bool isStatic = !type.isDynamicDim(n) && isa<Attribute>(foldedLow.back()) &&
                    isa<Attribute>(foldedHigh.back());
    extents.push_back(isStatic ? shape.back() : ShapedType::kDynamic);
  }
  auto padded = RankedTensorType::get(extents, g.elementType);
  Known value = g.pick(/*isTensor=*/false);
  if (g.rng.chance(0.4))
    value.value = g.constant(g.elementType, 0);
  if (g.rng.chance(0.7)) {
    Value result = tensor::PadOp::create(g.b, padded, x.value, foldedLow,
                                         foldedHigh, value.value);
    g.add(result, shape, std::max(x.bound, value.bound));
    return true;
  }
  // A margin that depends on the place.
  auto pad = tensor::PadOp::create(g.b, padded, x.value, foldedLow, foldedHigh);
  Block *block = new Block();
  pad.getRegion().push_back(block);
  for (size_t n = 0; n < shape.size(); ++n)
    block->addArgument(g.b.getIndexType(), g.b.getLoc());
  g.inBlock(block, [&] {
    SmallVector<Known> operands = {value};
    if (!shape.empty()) {
      Value cast = arith::IndexCastOp::create(g.b, g.b.getI32Type(),
                                              block->getArgument(0));
      Known index;
      index.value = arith::SIToFPOp::create(g.b, g.elementType, cast);
      index.bound = 8;
      operands.push_back(index);
    }
    Known margin = g.expression(operands, 2);
    value.bound = std::max(value.bound, margin.bound);
    tensor::YieldOp::create(g.b, margin.value);
  });
  g.add(pad, shape, std::max(x.bound, value.bound));
  return true;
}

static bool emitConcat(Generator &g) {
  Known x = g.pick(/*isTensor=*/true);
  if (x.shape.empty())
    return false;
  int64_t dim = g.rng.range(0, int64_t(x.shape.size()) - 1);
  SmallVector<int64_t> shape = llvm::to_vector<6>(x.shape);
  SmallVector<Value> parts = {x.value};
  double bound = x.bound;
  for (int64_t n = g.rng.range(0, 2); n > 0; --n) {
    SmallVector<int64_t> other = llvm::to_vector<6>(x.shape);
    other[dim] = g.rng.chance(0.5) ? x.shape[dim] : g.extent();
    Known part = g.rng.chance(0.2) ? x : g.pickShape(other);
    bound = std::max(bound, part.bound);
    parts.push_back(part.value);
    shape[dim] += part.shape[dim];
  }
  Value result = tensor::ConcatOp::create(g.b, dim, parts);
  g.add(result, shape, bound);
  return true;
}

static bool emitExpandShape(Generator &g) {
  Known x = g.pick(/*isTensor=*/true);
  if (x.shape.empty() || x.shape.size() > 3)
    return false;
  auto type = cast<RankedTensorType>(x.value.getType());
  SmallVector<int64_t> shape, extents;
  SmallVector<OpFoldResult> sizes;
  SmallVector<ReassociationIndices> groups;
  for (auto [n, extent] : llvm::enumerate(x.shape)) {
    SmallVector<int64_t> factors = {extent};
    if (g.rng.chance(0.5)) {
      int64_t first = g.rng.range(1, std::max<int64_t>(extent, 1));
      if (extent % first == 0)
        factors = {first, extent / first};
    }
    groups.emplace_back();
    for (auto [k, factor] : llvm::enumerate(factors)) {
      groups.back().push_back(int64_t(shape.size()));
      shape.push_back(factor);
      // One of a group is dynamic if the source is.
      bool isStatic = !type.isDynamicDim(n) || k + 1 != factors.size();
      extents.push_back(isStatic ? factor : ShapedType::kDynamic);
      sizes.push_back(isStatic ? OpFoldResult(g.b.getIndexAttr(factor))
                               : OpFoldResult(g.index(factor)));
    }
  }
  Value result = tensor::ExpandShapeOp::create(
      g.b, RankedTensorType::get(extents, g.elementType), x.value, groups,
      sizes);
  g.add(result, shape, x.bound);
  return true;
}

static bool emitCollapseShape(Generator &g) {
  Known x = g.pick(/*isTensor=*/true);
  if (x.shape.size() < 2)
    return false;
  SmallVector<ReassociationIndices> groups;
  SmallVector<int64_t> shape;
  for (auto [n, extent] : llvm::enumerate(x.shape)) {
    if (n == 0 || g.rng.chance(0.4)) {
      groups.emplace_back();
      shape.push_back(1);
    }
    groups.back().push_back(n);
    shape.back() *= extent;
  }
  Value result = tensor::CollapseShapeOp::create(g.b, x.value, groups);
  g.add(result, shape, x.bound);
  return true;
}

/// tensor.reshape, whose extents are elements of a tensor.
static bool emitReshape(Generator &g) {
  Known x = g.pick(/*isTensor=*/true);
  int64_t count = 1;
  for (int64_t extent : x.shape)
    count *= extent;
  SmallVector<int64_t> shape = {count};
  for (int64_t factor : {2, 3})
    if (count > 0 && shape.back() % factor == 0 && g.rng.chance(0.6)) {
      int64_t rest = shape.back() / factor;
      shape.back() = factor;
      shape.push_back(rest);
    }
  SmallVector<Value> sizes;
  for (int64_t extent : shape)
    sizes.push_back(g.index(extent));
  Value extents = tensor::FromElementsOp::create(g.b, sizes);
  Value result = tensor::ReshapeOp::create(g.b, g.typeFor(shape, g.elementType),
                                           x.value, extents);
  g.add(result, shape, x.bound);
  return true;
}

static bool emitCast(Generator &g) {
  Known x = g.pick(/*isTensor=*/true);
  if (g.rng.chance(0.2)) {
    g.add(tensor::BitcastOp::create(g.b, x.value.getType(), x.value), x.shape,
          x.bound);
    return true;
  }
  SmallVector<int64_t> extents = llvm::to_vector<6>(x.shape);
  for (int64_t &extent : extents)
    if (g.rng.chance(0.5))
      extent = ShapedType::kDynamic;
  Value result = tensor::CastOp::create(
      g.b, RankedTensorType::get(extents, g.elementType), x.value);
  g.add(result, x.shape, x.bound);
  return true;
}

/// Indices of an element.
static SmallVector<Value> makeIndices(Generator &g, ArrayRef<int64_t> shape) {
  SmallVector<Value> indices;
  for (int64_t extent : shape) {
    int64_t at = g.rng.range(0, extent - 1);
    if (g.rng.chance(0.15) && g.canAddArguments() &&
        g.func.getNumArguments() < 7)
      indices.push_back(g.makeIndexArgument(0, extent - 1));
    else
      indices.push_back(arith::ConstantIndexOp::create(g.b, at));
  }
  return indices;
}

static bool emitExtract(Generator &g) {
  Known x = g.pick(/*isTensor=*/true);
  if (llvm::is_contained(x.shape, 0))
    return false;
  SmallVector<Value> indices = makeIndices(g, x.shape);
  g.add(tensor::ExtractOp::create(g.b, x.value, indices), {}, x.bound);
  return true;
}

static bool emitInsert(Generator &g) {
  Known x = g.pick(/*isTensor=*/true);
  if (llvm::is_contained(x.shape, 0))
    return false;
  Known scalar = g.pick(/*isTensor=*/false);
  SmallVector<Value> indices = makeIndices(g, x.shape);
  g.add(tensor::InsertOp::create(g.b, scalar.value, x.value, indices), x.shape,
        std::max(x.bound, scalar.bound));
  return true;
}

static bool emitFromElements(Generator &g) {
  SmallVector<int64_t> shape;
  for (int64_t n = g.rng.range(0, 2); n > 0; --n)
    shape.push_back(g.rng.range(1, 3));
  int64_t count = 1;
  for (int64_t extent : shape)
    count *= extent;
  SmallVector<Value> elements;
  double bound = 0;
  for (int64_t n = 0; n < count; ++n) {
    Known element = g.pick(/*isTensor=*/false);
    bound = std::max(bound, element.bound);
    elements.push_back(element.value);
  }
  g.add(tensor::FromElementsOp::create(
            g.b, RankedTensorType::get(shape, g.elementType), elements),
        shape, bound);
  return true;
}

static bool emitSplat(Generator &g) {
  Known scalar = g.pick(/*isTensor=*/false);
  SmallVector<int64_t> shape = g.shape(0, 3);
  RankedTensorType type = g.typeFor(shape, g.elementType);
  g.add(tensor::SplatOp::create(g.b, scalar.value, type,
                                g.dynamicSizes(type, shape)),
        shape, scalar.bound);
  return true;
}

static bool emitGenerate(Generator &g) {
  SmallVector<int64_t> shape = g.shape(1, 2);
  RankedTensorType type = g.typeFor(shape, g.elementType);
  Known scalar = g.pick(/*isTensor=*/false);
  double bound = 1;
  SmallVector<Value> sizes = g.dynamicSizes(type, shape);
  auto op = tensor::GenerateOp::create(g.b, type, sizes);
  Block *block = new Block();
  op.getBody().push_back(block);
  for (size_t n = 0; n < shape.size(); ++n)
    block->addArgument(g.b.getIndexType(), g.b.getLoc());
  g.inBlock(block, [&] {
    Value cast = arith::IndexCastOp::create(g.b, g.b.getI32Type(),
                                            block->getArgument(0));
    Known index;
    index.value = arith::SIToFPOp::create(g.b, g.elementType, cast);
    index.bound = 4;
    Known element = g.expression({index, scalar}, g.rng.range(1, 3));
    bound = element.bound;
    tensor::YieldOp::create(g.b, element.value);
  });
  g.add(op, shape, bound);
  return true;
}

/// Indices for gather and scatter: `batch` times one for each of `dims`.
static Value makeIndexTensor(Generator &g, ArrayRef<int64_t> shape,
                             ArrayRef<int64_t> dims, ArrayRef<int64_t> batch,
                             bool isUnique) {
  int64_t count = 1;
  for (int64_t extent : batch)
    count *= extent;
  Type type =
      g.rng.chance(0.5) ? Type(g.b.getIndexType()) : Type(g.b.getI32Type());
  SmallVector<Attribute> numbers;
  SmallVector<SmallVector<int64_t>> used;
  for (int64_t n = 0; n < count; ++n) {
    SmallVector<int64_t> index;
    do {
      index.clear();
      for (int64_t dim : dims)
        index.push_back(g.rng.range(0, shape[dim] - 1));
    } while (isUnique && llvm::is_contained(used, index));
    used.push_back(index);
    for (int64_t i : index)
      numbers.push_back(g.b.getIntegerAttr(type, i));
  }
  SmallVector<int64_t> extents(batch);
  extents.push_back(dims.size());
  return arith::ConstantOp::create(
      g.b,
      DenseElementsAttr::get(RankedTensorType::get(extents, type), numbers));
}

/// Dimensions to index, and how many different indices there are.
static int64_t pickDims(Generator &g, ArrayRef<int64_t> shape,
                        SmallVectorImpl<int64_t> &dims) {
  int64_t count = 1;
  for (auto [dim, extent] : llvm::enumerate(shape))
    if (g.rng.chance(0.6)) {
      dims.push_back(dim);
      count *= extent;
    }
  if (dims.empty()) {
    dims.push_back(0);
    count = shape[0];
  }
  return count;
}

namespace {
/// What a gather of `batch` slices gives, and a scatter takes: the sizes when
/// it runs, and those of its type.
struct SliceShape {
  SmallVector<int64_t> shape, extents;
};
} // namespace

static SliceShape getSliceShape(Generator &g, const Known &x,
                                ArrayRef<int64_t> dims,
                                ArrayRef<int64_t> batch) {
  auto type = cast<RankedTensorType>(x.value.getType());
  bool drops = g.rng.chance(0.5);
  SliceShape slices{SmallVector<int64_t>(batch), SmallVector<int64_t>(batch)};
  for (auto [dim, extent] : llvm::enumerate(x.shape)) {
    bool isIndexed = llvm::is_contained(dims, int64_t(dim));
    if (isIndexed && drops)
      continue;
    slices.shape.push_back(isIndexed ? 1 : extent);
    slices.extents.push_back(isIndexed ? 1 : type.getDimSize(dim));
  }
  return slices;
}

static bool emitGather(Generator &g) {
  Known x = g.pick(/*isTensor=*/true);
  if (x.shape.empty() || llvm::is_contained(x.shape, 0))
    return false;
  SmallVector<int64_t> dims;
  (void)pickDims(g, x.shape, dims);
  SmallVector<int64_t> batch;
  for (int64_t n = g.rng.range(1, 2); n > 0; --n)
    batch.push_back(g.rng.range(1, 3));
  Value indices = makeIndexTensor(g, x.shape, dims, batch, /*isUnique=*/false);
  auto [shape, extents] = getSliceShape(g, x, dims, batch);
  Value result = tensor::GatherOp::create(
      g.b, RankedTensorType::get(extents, g.elementType), x.value, indices,
      dims, /*unique=*/false);
  g.add(result, shape, x.bound);
  return true;
}

static bool emitScatter(Generator &g) {
  Known x = g.pick(/*isTensor=*/true);
  if (x.shape.empty() || llvm::is_contained(x.shape, 0))
    return false;
  SmallVector<int64_t> dims;
  int64_t different = pickDims(g, x.shape, dims);
  SmallVector<int64_t> batch = {
      g.rng.range(1, std::min<int64_t>(different, 3))};
  Value indices = makeIndexTensor(g, x.shape, dims, batch, /*isUnique=*/true);
  auto [shape, extents] = getSliceShape(g, x, dims, batch);
  Known part = g.pickShape(shape);
  Value source = g.castTo(part, RankedTensorType::get(extents, g.elementType));
  Value result = tensor::ScatterOp::create(
      g.b, x.value.getType(), source, x.value, indices, dims, /*unique=*/true);
  g.add(result, x.shape, std::max(x.bound, part.bound));
  return true;
}

ArrayRef<EmitterEntry> mlir::memrev::testing::getTensorEmitters() {
  static const EmitterEntry emitters[] = {
      {"slice", "extract_slice", 0.6, emitExtractSlice},
      {"slice", "views", 0.4, emitViews},
      {"slice", "insert_slice", 0.6, emitInsertSlice},
      {"slice", "pad", 0.6, emitPad},
      {"slice", "concat", 0.4, emitConcat},
      {"reshape", "expand_shape", 0.4, emitExpandShape},
      {"reshape", "collapse_shape", 0.4, emitCollapseShape},
      {"reshape", "reshape", 0.2, emitReshape},
      {"reshape", "cast", 0.2, emitCast},
      {"element", "extract", 0.4, emitExtract},
      {"element", "insert", 0.4, emitInsert},
      {"element", "from_elements", 0.3, emitFromElements},
      {"element", "splat", 0.2, emitSplat},
      {"element", "generate", 0.3, emitGenerate},
      {"gather", "gather", 0.3, emitGather},
      {"gather", "scatter", 0.3, emitScatter},
  };
  return emitters;
}
