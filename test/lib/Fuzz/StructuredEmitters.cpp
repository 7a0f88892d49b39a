//===- StructuredEmitters.cpp - Random linalg operations ------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Generator.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include <cmath>

using namespace mlir;
using namespace mlir::memrev::testing;

//===----------------------------------------------------------------------===//
// linalg.generic
//===----------------------------------------------------------------------===//

namespace {

/// How a body joins its value with the one that the output has.
enum class Join { None, Add, Max, Min, Mul, MaxNum, MinNum };

/// The loops of a generic operation and the maps of its inputs.
struct Iteration {
  SmallVector<int64_t> extents;
  /// Whether an operand has the loop's index as an index of its own.
  SmallVector<bool> isPlain;
  SmallVector<Known> inputs;
  SmallVector<SmallVector<AffineExpr>> maps;

  unsigned add(int64_t extent) {
    extents.push_back(extent);
    isPlain.push_back(false);
    return extents.size() - 1;
  }
};

} // namespace

/// Adds an input whose dimensions are loops that there are already or new ones.
static void addInput(Generator &g, Iteration &loops, const Known &input) {
  SmallVector<AffineExpr> exprs;
  for (int64_t extent : input.shape) {
    SmallVector<int64_t> same;
    for (auto [n, e] : llvm::enumerate(loops.extents))
      if (e == extent)
        same.push_back(n);
    if (extent == 1 && g.rng.chance(0.3)) {
      exprs.push_back(g.b.getAffineConstantExpr(0));
      continue;
    }
    bool joins =
        !same.empty() && (loops.extents.size() >= 4 || g.rng.chance(0.7));
    unsigned loop =
        joins ? unsigned(g.rng.pick<int64_t>(same)) : loops.add(extent);
    // Backwards, if another operand says how long the loop is.
    if (loops.isPlain[loop] && extent > 0 && g.rng.chance(0.06)) {
      exprs.push_back(g.b.getAffineConstantExpr(extent - 1) -
                      g.b.getAffineDimExpr(loop));
      continue;
    }
    loops.isPlain[loop] = true;
    exprs.push_back(g.b.getAffineDimExpr(loop));
  }
  loops.inputs.push_back(input);
  loops.maps.push_back(exprs);
}

/// Adds an input that two loops slide over, as a convolution's image.
static void addWindow(Generator &g, Iteration &loops) {
  SmallVector<unsigned> plain;
  for (unsigned n = 0; n < loops.extents.size(); ++n)
    if (loops.isPlain[n] && loops.extents[n] > 0)
      plain.push_back(n);
  if (plain.size() < 2)
    return;
  unsigned first = g.rng.pick<unsigned>(plain), second;
  do
    second = g.rng.pick<unsigned>(plain);
  while (second == first);
  int64_t a = g.rng.range(1, 2), b = g.rng.range(1, 2);
  int64_t extent =
      a * (loops.extents[first] - 1) + b * (loops.extents[second] - 1) + 1;
  Known image = g.pickShape(extent);
  loops.inputs.push_back(image);
  loops.maps.push_back(
      {g.b.getAffineDimExpr(first) * a + g.b.getAffineDimExpr(second) * b});
}

static Value buildJoin(Generator &g, Join join, Value value, Value out) {
  switch (join) {
  case Join::None:
    return value;
  case Join::Add:
    return arith::AddFOp::create(g.b, out, value);
  case Join::Max:
    return arith::MaximumFOp::create(g.b, value, out);
  case Join::Min:
    return arith::MinimumFOp::create(g.b, out, value);
  case Join::MaxNum:
    return arith::MaxNumFOp::create(g.b, out, value);
  case Join::MinNum:
    return arith::MinNumFOp::create(g.b, value, out);
  case Join::Mul:
    return arith::MulFOp::create(g.b, out, value);
  }
  return value;
}

/// What a reduction starts from: its neutral value or any tensor.
static Value buildStart(Generator &g, Join join, ArrayRef<int64_t> shape) {
  if (g.rng.chance(0.4))
    return g.pickShape(shape).value;
  bool isMax = join == Join::Max || join == Join::MaxNum;
  double neutral = join == Join::Add ? 0 : join == Join::Mul ? 1 : INFINITY;
  return g.filled(shape, g.elementType, isMax ? -neutral : neutral);
}

static Join pickJoin(Generator &g) {
  if (g.rng.chance(0.6))
    return Join::Add;
  return g.rng.pick<Join>(
      {Join::Max, Join::Min, Join::Mul, Join::MaxNum, Join::MinNum});
}

/// `body` so that the product of `count` of them is neither large nor tiny.
static Known tame(Generator &g, Known body, int64_t count) {
  if (count <= 2)
    return g.limit(body, 2);
  body.value = math::TanhOp::create(g.b, body.value);
  Value small =
      arith::MulFOp::create(g.b, body.value, g.constantLike(body.value, 0.3));
  body.value =
      arith::AddFOp::create(g.b, small, g.constantLike(body.value, 0.9));
  body.bound = 1.2;
  return body;
}

static bool emitGeneric(Generator &g) {
  Iteration loops;
  for (int64_t n = g.rng.range(1, 3); n > 0; --n) {
    Known input = g.pick(/*isTensor=*/true);
    if (input.shape.size() + loops.extents.size() <= 6)
      addInput(g, loops, input);
  }
  if (loops.inputs.empty())
    return false;
  if (g.rng.chance(0.06))
    addWindow(g, loops);
  // A scalar that every iteration reads.
  if (g.rng.chance(0.12)) {
    loops.inputs.push_back(g.pick(/*isTensor=*/false));
    loops.maps.emplace_back();
  }
  // A loop that nothing of the inputs mentions: a broadcast.
  if (g.rng.chance(0.15) && loops.extents.size() < 4)
    loops.add(g.extent());
  int64_t iterations = 1;
  for (int64_t extent : loops.extents)
    iterations *= extent;
  if (iterations > 2000)
    return false;

  // Outputs have the parallel loops in any order. Reductions must have their
  // extent from an input.
  SmallVector<utils::IteratorType> iterators;
  SmallVector<unsigned> parallel;
  int64_t reduced = 1;
  bool reduces = g.rng.chance(0.55);
  for (unsigned n = 0; n < loops.extents.size(); ++n) {
    bool isReduction = reduces && loops.isPlain[n] && g.rng.chance(0.5);
    iterators.push_back(isReduction ? utils::IteratorType::reduction
                                    : utils::IteratorType::parallel);
    if (isReduction)
      reduced *= loops.extents[n];
    else
      parallel.push_back(n);
  }
  reduces = parallel.size() != loops.extents.size();
  for (size_t n = parallel.size(); n > 1; --n)
    std::swap(parallel[n - 1], parallel[g.rng.range(0, int64_t(n) - 1)]);
  SmallVector<int64_t> shape;
  SmallVector<AffineExpr> outputExprs;
  for (unsigned loop : parallel) {
    shape.push_back(loops.extents[loop]);
    outputExprs.push_back(g.b.getAffineDimExpr(loop));
  }

  SmallVector<Value> inputs, outputs;
  SmallVector<AffineMap> maps;
  unsigned rank = loops.extents.size();
  for (auto [input, exprs] : llvm::zip_equal(loops.inputs, loops.maps)) {
    inputs.push_back(input.value);
    maps.push_back(AffineMap::get(rank, 0, exprs, g.b.getContext()));
  }
  SmallVector<Join> joins;
  SmallVector<bool> readsOutput;
  for (int64_t n = g.rng.chance(0.2) ? 2 : 1; n > 0; --n) {
    joins.push_back(reduces ? pickJoin(g) : Join::None);
    readsOutput.push_back(!reduces && g.rng.chance(0.25));
    outputs.push_back(reduces              ? buildStart(g, joins.back(), shape)
                      : readsOutput.back() ? g.pickShape(shape).value
                                           : g.empty(shape, g.elementType));
    maps.push_back(AffineMap::get(rank, 0, outputExprs, g.b.getContext()));
  }
  SmallVector<Known> captured;
  if (const Known *scalar =
          g.find([](const Known &k) { return !k.isTensor(); }))
    if (g.rng.chance(0.3) && scalar->getElementType() == g.elementType)
      captured.push_back(*scalar);

  SmallVector<double> bounds;
  auto op = linalg::GenericOp::create(
      g.b, ValueRange(outputs).getTypes(), inputs, outputs, maps, iterators,
      [&](OpBuilder &nested, Location, ValueRange arguments) {
        g.inBlock(nested.getInsertionBlock(), [&] {
          SmallVector<Known> operands = captured;
          if (!loops.extents.empty() && g.rng.chance(0.12)) {
            int64_t dim = g.rng.range(0, int64_t(rank) - 1);
            Value index = linalg::IndexOp::create(g.b, dim);
            Value cast =
                arith::IndexCastOp::create(g.b, g.b.getI32Type(), index);
            Known known;
            known.value = arith::SIToFPOp::create(g.b, g.elementType, cast);
            known.bound = std::max<double>(1, double(loops.extents[dim]));
            operands.push_back(known);
          }
          for (auto [n, argument] : llvm::enumerate(arguments)) {
            bool isInput = n < inputs.size();
            if (!isInput && !readsOutput[n - inputs.size()])
              continue;
            Known known;
            known.value = argument;
            known.bound = isInput ? loops.inputs[n].bound : 8;
            operands.push_back(known);
          }
          SmallVector<Value> yields;
          for (auto [n, join] : llvm::enumerate(joins)) {
            Known body = g.expression(operands, g.rng.range(0, 3));
            if (join == Join::Mul)
              body = tame(g, body, reduced);
            yields.push_back(
                buildJoin(g, join, body.value, arguments[inputs.size() + n]));
            bounds.push_back(
                join == Join::Add
                    ? body.bound * std::max<double>(1, double(reduced)) + 8
                : join == Join::Mul ? 16
                                    : std::max(body.bound, 8.0));
          }
          linalg::YieldOp::create(g.b, yields);
        });
      });
  // Nothing to reduce leaves what a reduction starts from, which may be
  // infinite.
  bool isEmpty = reduced == 0;
  for (auto [n, result] : llvm::enumerate(op.getResults())) {
    if (isEmpty && joins[n] != Join::Add && joins[n] != Join::Mul)
      continue;
    g.add(result, shape, bounds[n]);
  }
  return true;
}

//===----------------------------------------------------------------------===//
// Named operations
//===----------------------------------------------------------------------===//

/// `x` with another extent than 1 nowhere near zero, for divisions and roots.
static Known away(Generator &g, Known x, double offset) {
  x = g.limit(x, 2);
  Value square = arith::MulFOp::create(g.b, x.value, x.value);
  x.value = arith::AddFOp::create(g.b, square, g.constantLike(x.value, offset));
  x.bound = x.bound * x.bound + offset;
  return x;
}

template <typename OpTy>
static Value buildNamed(Generator &g, ValueRange inputs, Value output) {
  return OpTy::create(g.b, inputs, ValueRange(output)).getResult(0);
}

static bool emitNamedElementwise(Generator &g) {
  Known x = g.limit(g.pick(/*isTensor=*/true), 2);
  Known y = g.limit(g.pickShape(x.shape), 2);
  Value out = g.empty(x.shape, g.elementType);
  Value result;
  double bound = 8;
  switch (g.rng.range(0, 20)) {
  case 0:
    result = buildNamed<linalg::AddOp>(g, {x.value, y.value}, out);
    break;
  case 1:
    result = buildNamed<linalg::SubOp>(g, {x.value, y.value}, out);
    break;
  case 2:
    result = buildNamed<linalg::MulOp>(g, {x.value, y.value}, out);
    break;
  case 3:
    result =
        buildNamed<linalg::DivOp>(g, {x.value, away(g, y, 0.5).value}, out);
    break;
  case 4:
    result = buildNamed<linalg::MaxOp>(g, {x.value, y.value}, out);
    break;
  case 5:
    result = buildNamed<linalg::MinOp>(g, {x.value, y.value}, out);
    break;
  case 6:
    result =
        buildNamed<linalg::PowFOp>(g, {away(g, x, 0.5).value, y.value}, out);
    bound = 30;
    break;
  case 7:
    result = buildNamed<linalg::ExpOp>(g, x.value, out);
    break;
  case 8:
    result = buildNamed<linalg::LogOp>(g, away(g, x, 0.5).value, out);
    break;
  case 9:
    result = buildNamed<linalg::AbsOp>(g, x.value, out);
    break;
  case 10:
    result = buildNamed<linalg::CeilOp>(g, x.value, out);
    break;
  case 11:
    result = buildNamed<linalg::FloorOp>(g, x.value, out);
    break;
  case 12:
    result = buildNamed<linalg::NegFOp>(g, x.value, out);
    break;
  case 13:
    result = buildNamed<linalg::ReciprocalOp>(g, away(g, x, 0.5).value, out);
    break;
  case 14:
    result = buildNamed<linalg::RoundOp>(g, x.value, out);
    break;
  case 15:
    result = buildNamed<linalg::SqrtOp>(g, away(g, x, 0.5).value, out);
    break;
  case 16:
    result = buildNamed<linalg::RsqrtOp>(g, away(g, x, 0.5).value, out);
    break;
  case 17:
    result = buildNamed<linalg::SquareOp>(g, x.value, out);
    break;
  case 18:
    result = buildNamed<linalg::TanhOp>(g, x.value, out);
    break;
  case 19: {
    Value condition = arith::CmpFOp::create(
        g.b, arith::CmpFPredicate::OGT, x.value, g.constantLike(x.value, 0.1));
    Known other = y;
    other.value = g.castTo(y, x.value.getType());
    result = buildNamed<linalg::SelectOp>(
        g, {condition, x.value, other.value},
        g.emptyOf(cast<RankedTensorType>(x.value.getType()), x.shape));
    break;
  }
  default:
    result = buildNamed<linalg::ErfOp>(g, x.value, out);
    break;
  }
  g.add(result, x.shape, bound);
  return true;
}

/// linalg.elementwise with maps that transpose and broadcast.
static bool emitElementwise(Generator &g) {
  SmallVector<int64_t> shape = g.shape(1, 3);
  unsigned rank = shape.size();
  SmallVector<Value> inputs;
  SmallVector<Attribute> maps;
  using Kind = linalg::ElementwiseKind;
  Kind kind = g.rng.pick<Kind>({Kind::add, Kind::sub, Kind::mul,
                                Kind::max_signed, Kind::min_signed, Kind::exp,
                                Kind::tanh, Kind::square, Kind::negf});
  bool isUnary = kind == Kind::exp || kind == Kind::tanh ||
                 kind == Kind::square || kind == Kind::negf;
  for (int n = 0; n < (isUnary ? 1 : 2); ++n) {
    SmallVector<unsigned> dims;
    for (unsigned dim = 0; dim < rank; ++dim)
      if (g.rng.chance(0.8))
        dims.push_back(dim);
    for (size_t k = dims.size(); k > 1; --k)
      std::swap(dims[k - 1], dims[g.rng.range(0, int64_t(k) - 1)]);
    SmallVector<int64_t> extents;
    SmallVector<AffineExpr> exprs;
    for (unsigned dim : dims) {
      extents.push_back(shape[dim]);
      exprs.push_back(g.b.getAffineDimExpr(dim));
    }
    inputs.push_back(g.limit(g.pickShape(extents), 2).value);
    maps.push_back(
        AffineMapAttr::get(AffineMap::get(rank, 0, exprs, g.b.getContext())));
  }
  maps.push_back(AffineMapAttr::get(g.b.getMultiDimIdentityMap(rank)));
  Value out = g.empty(shape, g.elementType);
  SmallVector<NamedAttribute> attributes = {
      g.b.getNamedAttr(
          "kind", linalg::ElementwiseKindAttr::get(g.b.getContext(), kind)),
      g.b.getNamedAttr("indexing_maps", g.b.getArrayAttr(maps))};
  auto op =
      linalg::ElementwiseOp::create(g.b, inputs, ValueRange(out), attributes);
  g.add(op->getResult(0), shape, 8);
  return true;
}

static bool emitMap(Generator &g) {
  Known x = g.pick(/*isTensor=*/true), y = g.pickShape(x.shape);
  auto type = cast<RankedTensorType>(x.value.getType());
  y.value = g.castTo(y, type);
  Value out = g.emptyOf(type, x.shape);
  double bound = 1;
  auto op = linalg::MapOp::create(
      g.b, ValueRange{x.value, y.value}, out,
      [&](OpBuilder &nested, Location, ValueRange arguments) {
        g.inBlock(nested.getInsertionBlock(), [&] {
          Known a, c;
          a.value = arguments[0];
          a.bound = x.bound;
          c.value = arguments[1];
          c.bound = y.bound;
          Known result = g.expression({a, c}, g.rng.range(1, 3));
          bound = result.bound;
          linalg::YieldOp::create(g.b, result.value);
        });
      });
  g.add(op.getResult()[0], x.shape, bound);
  return true;
}

static bool emitReduce(Generator &g) {
  Known x = g.pick(/*isTensor=*/true);
  if (x.shape.empty())
    return false;
  auto type = cast<RankedTensorType>(x.value.getType());
  SmallVector<int64_t> dims, rest, extents;
  int64_t count = 1;
  for (auto [n, extent] : llvm::enumerate(x.shape))
    if (g.rng.chance(0.5)) {
      dims.push_back(n);
      count *= extent;
    } else {
      rest.push_back(extent);
      extents.push_back(type.getDimSize(n));
    }
  Join join = pickJoin(g);
  if (dims.empty() || (count == 0 && join != Join::Add && join != Join::Mul))
    return false;
  if (join == Join::Mul)
    x = tame(g, x, count);
  Known begin;
  begin.value = buildStart(g, join, rest);
  Value start = g.castTo(begin, RankedTensorType::get(extents, g.elementType));
  auto op = linalg::ReduceOp::create(
      g.b, ValueRange(x.value), ValueRange(start), dims,
      [&](OpBuilder &nested, Location, ValueRange arguments) {
        g.inBlock(nested.getInsertionBlock(), [&] {
          linalg::YieldOp::create(
              g.b, buildJoin(g, join, arguments[0], arguments[1]));
        });
      });
  g.add(op.getResult(0), rest,
        join == Join::Add ? x.bound * double(count) + 8 : 16);
  return true;
}

ArrayRef<EmitterEntry> mlir::memrev::testing::getStructuredEmitters() {
  static const EmitterEntry emitters[] = {
      {"generic", "generic", 4, emitGeneric},
      {"structured", "named", 1.5, emitNamedElementwise},
      {"structured", "elementwise", 0.5, emitElementwise},
      {"structured", "map", 0.4, emitMap},
      {"structured", "reduce", 1, emitReduce},
  };
  return emitters;
}
