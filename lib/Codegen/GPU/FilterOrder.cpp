//===- FilterOrder.cpp - Filters in the order of a library ----------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "FilterOrder.h"
#include "memrev/Codegen/Common/AttributeNames.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace mlir::memrev;
using namespace mlir::memrev::simt;

/// The symbol that is added to an index, if `index` has no more; -1 for none.
static int getSymbol(const Linear &index) {
  auto isUsed = [](int64_t factor) { return factor != 0; };
  auto found = llvm::find_if(index.symbols, isUsed);
  return found == index.symbols.end() ? -1 : found - index.symbols.begin();
}

/// How far the dimensions move `index` down and up.
static std::pair<int64_t, int64_t> getReach(const Linear &index,
                                            const Problem &problem) {
  int64_t low = 0, high = 0;
  for (auto [dim, factor] : llvm::enumerate(index.dims)) {
    int64_t reach = factor * (problem.extents[dim] - 1);
    (reach < 0 ? low : high) += reach;
  }
  return {low, high};
}

bool simt::canReorderFilter(const Access &access, const Problem &problem,
                            bool isRead) {
  for (Value symbol : access.symbols)
    if (!isa<BlockArgument>(symbol))
      return false;
  for (AffineExpr expr : access.indices) {
    Linear index =
        Linear::get(expr, problem.getNumDims(), access.symbols.size());
    // A part starts at a number or at an argument, not at a sum of these.
    int symbol = getSymbol(index);
    auto others = [](int64_t factor) { return factor != 0; };
    if (symbol >= 0 && (index.symbols[symbol] != 1 ||
                        llvm::count_if(index.symbols, others) != 1 ||
                        index.constant + getReach(index, problem).first != 0))
      return false;
    // What is written has loops for indices.
    if (!isRead && (llvm::count_if(index.dims, others) > 1 ||
                    llvm::any_of(index.dims, [](int64_t factor) {
                      return factor != 0 && factor != 1;
                    })))
      return false;
  }
  return isRead || llvm::all_of(access.groups, [](ArrayRef<int64_t> group) {
           return group.size() == 1;
         });
}

RankedTensorType simt::getFilterType(const ConvolutionMatch &match,
                                     const Problem &problem) {
  SmallVector<int64_t> shape;
  for (unsigned dim : match.filterDims)
    shape.push_back(problem.extents[dim]);
  return RankedTensorType::get(shape, match.call.elementType);
}

namespace {
/// The part of a tensor that an access reaches, and the indices in it.
struct Part {
  SmallVector<OpFoldResult> offsets, sizes, strides;
  SmallVector<AffineExpr> indices;
  /// The positions that no dimension moves.
  llvm::SmallBitVector isSingle;
  bool isWhole = true;
};
} // namespace

/// `symbols` are those of `access` inside of the new kernel.
static Part getPart(const Access &access, const Problem &problem,
                    ValueRange symbols, Builder &b) {
  Part part;
  part.isSingle.resize(access.indices.size());
  for (auto [position, index] : llvm::enumerate(access.indices)) {
    Linear linear =
        Linear::get(index, problem.getNumDims(), access.symbols.size());
    auto [low, high] = getReach(linear, problem);
    AffineExpr moved = b.getAffineConstantExpr(0);
    for (auto [dim, factor] : llvm::enumerate(linear.dims))
      moved = moved + b.getAffineDimExpr(dim) * factor;
    int symbol = getSymbol(linear);
    int64_t first = linear.constant + low;
    part.isSingle[position] = low == 0 && high == 0;
    part.indices.push_back(moved - low);
    part.sizes.push_back(b.getIndexAttr(high - low + 1));
    part.strides.push_back(b.getIndexAttr(1));
    part.isWhole &= symbol < 0 && high - low + 1 == access.shape[position];
    part.offsets.push_back(symbol < 0 ? OpFoldResult(b.getIndexAttr(first))
                                      : OpFoldResult(symbols[symbol]));
  }
  return part;
}

/// Makes the function, private and with a block, in front of `kernel`.
static func::FuncOp createFunction(func::FuncOp kernel, StringRef suffix,
                                   TypeRange types) {
  OpBuilder builder(kernel);
  auto function = func::FuncOp::create(
      builder, kernel.getLoc(), (kernel.getName() + suffix).str(),
      builder.getFunctionType(types, {types.back()}));
  function.setPrivate();
  function->setAttr(kKernelAttr, builder.getUnitAttr());
  function.addEntryBlock();
  return function;
}

/// The numbers of the arguments that are symbols of `access`, once each.
static SmallVector<int64_t> getSymbolArguments(const Access &access) {
  llvm::SetVector<int64_t> numbers;
  for (Value symbol : access.symbols)
    numbers.insert(cast<BlockArgument>(symbol).getArgNumber());
  return numbers.takeVector();
}

/// The values that the symbols of `access` have among `arguments`, which are
/// those of the kernel with these `numbers`.
static SmallVector<Value> getSymbols(const Access &access,
                                     ArrayRef<int64_t> numbers,
                                     ValueRange arguments) {
  SmallVector<Value> values;
  for (Value symbol : access.symbols) {
    int64_t number = cast<BlockArgument>(symbol).getArgNumber();
    values.push_back(arguments[llvm::find(numbers, number) - numbers.begin()]);
  }
  return values;
}

FilterKernel simt::createFilterCopy(func::FuncOp kernel, const Problem &problem,
                                    const ConvolutionMatch &match) {
  const Access &access = match.filter;
  FilterKernel made;
  made.arguments = getSymbolArguments(access);
  int64_t numSymbols = made.arguments.size();
  made.arguments.push_back(cast<BlockArgument>(access.source).getArgNumber());
  SmallVector<Type> types;
  for (int64_t number : made.arguments)
    types.push_back(kernel.getArgumentTypes()[number]);
  types.push_back(getFilterType(match, problem));
  made.function = createFunction(kernel, "_filter", types);

  OpBuilder b = OpBuilder::atBlockEnd(&made.function.front());
  Location loc = kernel.getLoc();
  Value source = made.function.getArgument(numSymbols);
  Value dest = made.function.getArguments().back();
  if (access.groups.size() != access.shape.size() ||
      llvm::any_of(access.groups,
                   [](ArrayRef<int64_t> group) { return group.size() != 1; })) {
    SmallVector<ReassociationIndices> groups(access.groups.begin(),
                                             access.groups.end());
    source = tensor::CollapseShapeOp::create(b, loc, source, groups);
  }
  SmallVector<Value> symbols =
      getSymbols(access, made.arguments, made.function.getArguments());
  Part part = getPart(access, problem, symbols, b);
  if (!part.isWhole)
    source = tensor::ExtractSliceOp::create(b, loc, source, part.offsets,
                                            part.sizes, part.strides);
  SmallVector<AffineExpr> renamed(problem.getNumDims(),
                                  b.getAffineConstantExpr(0));
  for (auto [i, dim] : llvm::enumerate(match.filterDims))
    renamed[dim] = b.getAffineDimExpr(i);
  int64_t rank = match.filterDims.size();
  AffineMap map =
      AffineMap::get(problem.getNumDims(), 0, part.indices, b.getContext())
          .replaceDimsAndSymbols(renamed, {}, rank, 0);
  auto copy = linalg::GenericOp::create(
      b, loc, TypeRange{dest.getType()}, ValueRange{source}, ValueRange{dest},
      ArrayRef<AffineMap>{map, b.getMultiDimIdentityMap(rank)},
      SmallVector<utils::IteratorType>(rank, utils::IteratorType::parallel),
      [](OpBuilder &builder, Location l, ValueRange values) {
        linalg::YieldOp::create(builder, l, values[0]);
      });
  func::ReturnOp::create(b, loc, copy.getResult(0));
  return made;
}

FilterKernel simt::createGradientCopy(func::FuncOp kernel,
                                      const Problem &problem,
                                      const ConvolutionMatch &match) {
  const Access &access = match.filter;
  FilterKernel made;
  made.arguments = getSymbolArguments(access);
  made.arguments.push_back(cast<BlockArgument>(access.source).getArgNumber());
  SmallVector<Type> types{getFilterType(match, problem)};
  for (int64_t number : made.arguments)
    types.push_back(kernel.getArgumentTypes()[number]);
  made.function = createFunction(kernel, "_gradient", types);

  OpBuilder b = OpBuilder::atBlockEnd(&made.function.front());
  Location loc = kernel.getLoc();
  Value gradient = made.function.getArgument(0);
  Value dest = made.function.getArguments().back();
  SmallVector<Value> symbols = getSymbols(
      access, made.arguments, made.function.getArguments().drop_front());
  Part part = getPart(access, problem, symbols, b);

  // The loops are those of the destination.
  SmallVector<int64_t> shape;
  SmallVector<AffineExpr> indices(match.filterDims.size());
  for (auto [position, index] : llvm::enumerate(part.indices)) {
    if (part.isSingle[position])
      continue;
    unsigned dim = cast<AffineDimExpr>(index).getPosition();
    indices[llvm::find(match.filterDims, dim) - match.filterDims.begin()] =
        b.getAffineDimExpr(shape.size());
    shape.push_back(problem.extents[dim]);
  }
  auto type = RankedTensorType::get(shape, match.call.elementType);
  int64_t rank = shape.size();
  bool isPlain = part.isWhole && part.isSingle.none();
  Value start = dest;
  if (!isPlain)
    start = tensor::ExtractSliceOp::create(b, loc, type, dest, part.offsets,
                                           part.sizes, part.strides);
  bool adds = match.addsFilter;
  auto copy = linalg::GenericOp::create(
      b, loc, TypeRange{type}, ValueRange{gradient}, ValueRange{start},
      ArrayRef<AffineMap>{AffineMap::get(rank, 0, indices, b.getContext()),
                          b.getMultiDimIdentityMap(rank)},
      SmallVector<utils::IteratorType>(rank, utils::IteratorType::parallel),
      [&](OpBuilder &builder, Location l, ValueRange values) {
        Value value = values[0];
        if (adds)
          value = arith::AddFOp::create(builder, l, values[1], value);
        linalg::YieldOp::create(builder, l, value);
      });
  Value result = copy.getResult(0);
  if (!isPlain)
    result = tensor::InsertSliceOp::create(b, loc, result, dest, part.offsets,
                                           part.sizes, part.strides);
  func::ReturnOp::create(b, loc, result);
  return made;
}
