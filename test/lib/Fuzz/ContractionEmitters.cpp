//===- ContractionEmitters.cpp - Random contractions ----------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Generator.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

using namespace mlir;
using namespace mlir::memrev::testing;

namespace {

/// A named contraction: the loops of each operand, one letter each.
struct Contraction {
  const char *lhs, *rhs, *result;
  Value (*build)(Generator &, ValueRange inputs, Value output,
                 ArrayRef<AffineMap> maps);
};

} // namespace

template <typename OpTy>
static Value build(Generator &g, ValueRange inputs, Value output,
                   ArrayRef<AffineMap>) {
  return OpTy::create(g.b, inputs, ValueRange(output)).getResult(0);
}

/// An operation that says in its maps how it reads its operands.
template <typename OpTy>
static Value buildWithMaps(Generator &g, ValueRange inputs, Value output,
                           ArrayRef<AffineMap> maps) {
  ArrayAttr attr = g.b.getAffineMapArrayAttr(maps);
  if constexpr (std::is_same_v<OpTy, linalg::ContractOp>) {
    return OpTy::create(g.b, inputs, ValueRange(output), attr).getResult(0);
  } else {
    SmallVector<NamedAttribute> attributes = {
        g.b.getNamedAttr("indexing_maps", attr)};
    return OpTy::create(g.b, inputs, ValueRange(output), attributes)
        .getResult(0);
  }
}

static const Contraction kContractions[] = {
    {"mk", "kn", "mn", build<linalg::MatmulOp>},
    {"km", "kn", "mn", buildWithMaps<linalg::MatmulOp>},
    {"mk", "nk", "mn", buildWithMaps<linalg::MatmulOp>},
    {"k", "kn", "mn", buildWithMaps<linalg::MatmulOp>},
    {"mk", "k", "mn", buildWithMaps<linalg::MatmulOp>},
    {"bmk", "bkn", "bmn", build<linalg::BatchMatmulOp>},
    {"bkm", "bkn", "bmn", buildWithMaps<linalg::BatchMatmulOp>},
    {"bmk", "bnk", "bmn", buildWithMaps<linalg::BatchMatmulOp>},
    {"mk", "bkn", "bmn", buildWithMaps<linalg::BatchMatmulOp>},
    {"bmk", "bkn", "mn", build<linalg::BatchReduceMatmulOp>},
    {"mn", "n", "m", build<linalg::MatvecOp>},
    {"m", "mn", "n", build<linalg::VecmatOp>},
    {"m", "m", "", build<linalg::DotOp>},
    {"bmk", "bk", "bm", build<linalg::BatchMatvecOp>},
    {"bk", "bkn", "bn", build<linalg::BatchVecmatOp>},
    {"mkac", "nkbc", "mnab", build<linalg::Mmt4DOp>},
    {"bmkac", "bnkdc", "bmnad", build<linalg::BatchMmt4DOp>},
    {"bmk", "kn", "bmn", buildWithMaps<linalg::ContractOp>},
    {"km", "nk", "nm", buildWithMaps<linalg::ContractOp>},
    {"abk", "kcb", "cab", buildWithMaps<linalg::ContractOp>},
    {"kab", "abk", "", buildWithMaps<linalg::ContractOp>},
    {"ak", "k", "a", buildWithMaps<linalg::ContractOp>},
};

static bool emitContraction(Generator &g) {
  const Contraction &kind = g.rng.pick<Contraction>(kContractions);
  // Loops in the order of the named operations: the result's, then the sums'.
  std::string loops;
  for (const char *letters : {kind.result, kind.lhs, kind.rhs})
    for (char letter : StringRef(letters))
      if (loops.find(letter) == std::string::npos)
        loops += letter;
  // Start from a value that fits one of the operands.
  SmallVector<int64_t> extents;
  for (size_t n = 0; n < loops.size(); ++n)
    extents.push_back(g.extent());
  StringRef lhs = kind.lhs;
  if (const Known *known = g.find([&](const Known &k) {
        return k.isTensor() && k.shape.size() == lhs.size();
      }))
    for (auto [letter, extent] : llvm::zip_equal(lhs, known->shape))
      extents[loops.find(letter)] = extent;
  auto shapeOf = [&](StringRef letters) {
    SmallVector<int64_t> shape;
    for (char letter : letters)
      shape.push_back(extents[loops.find(letter)]);
    return shape;
  };
  SmallVector<AffineMap> maps;
  for (const char *letters : {kind.lhs, kind.rhs, kind.result}) {
    SmallVector<AffineExpr> exprs;
    for (char letter : StringRef(letters))
      exprs.push_back(g.b.getAffineDimExpr(loops.find(letter)));
    maps.push_back(AffineMap::get(loops.size(), 0, exprs, g.b.getContext()));
  }
  int64_t count = 1;
  for (char letter : loops)
    if (StringRef(kind.result).find(letter) == StringRef::npos)
      count *= extents[loops.find(letter)];

  Known a = g.limit(g.pickShape(shapeOf(kind.lhs)), 3);
  Known c = g.limit(g.pickShape(shapeOf(kind.rhs)), 3);
  SmallVector<int64_t> shape = shapeOf(kind.result);
  Value out = g.rng.chance(0.3) ? g.pickShape(shape).value
                                : g.filled(shape, g.elementType, 0);
  // Both factors the same, now and then.
  if (a.shape == c.shape && g.rng.chance(0.3))
    c = a;
  Value result = kind.build(g, {a.value, c.value}, out, maps);
  g.add(result, shape,
        a.bound * c.bound * double(std::max<int64_t>(count, 1)) + 8);
  return true;
}

ArrayRef<EmitterEntry> mlir::memrev::testing::getContractionEmitters() {
  static const EmitterEntry emitters[] = {
      {"contraction", "contraction", 2, emitContraction},
  };
  return emitters;
}
