//===- LayerEmitters.cpp - Random couplings and layers --------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Generator.h"
#include "memrev/Dialect/Rev/IR/Rev.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/RegionUtils.h"

using namespace mlir;
using namespace mlir::memrev;
using namespace mlir::memrev::testing;

//===----------------------------------------------------------------------===//
// Couplings
//===----------------------------------------------------------------------===//

static BijectionAttrInterface pickForward(Generator &g) {
  MLIRContext *context = g.b.getContext();
  if (g.rng.chance(0.4))
    return cast<BijectionAttrInterface>(rev::AdditiveAttr::get(context));
  rev::Scale scale = g.rng.pick<rev::Scale>(
      {rev::Scale::Exp, rev::Scale::Sigmoid, rev::Scale::SoftTanh,
       rev::Scale::SoftAtan, rev::Scale::Identity});
  FloatAttr alpha;
  if (scale == rev::Scale::SoftTanh || scale == rev::Scale::SoftAtan)
    // In short types a power of two and its inverse are exact.
    alpha = g.b.getF64FloatAttr(g.elementType.isF64() ? g.rng.uniform(0.5, 2)
                                : g.rng.chance(0.5)   ? 0.5
                                                      : 2.0);
  return cast<BijectionAttrInterface>(
      rev::AffineAttr::get(context, scale, alpha));
}

static BijectionAttrInterface pickBijection(Generator &g) {
  BijectionAttrInterface kind = pickForward(g);
  return g.rng.chance(0.3) ? rev::InverseOfAttr::invert(kind) : kind;
}

/// A parameter that keeps the bijection well conditioned.
static Value makeParameter(Generator &g, BijectionAttrInterface kind,
                           const Known &like, unsigned number) {
  Known known = g.limit(g.pickShape(like.shape), 1);
  Value value = g.castTo(known, like.value.getType());
  if (auto inverse = dyn_cast<rev::InverseOfAttr>(kind))
    kind = inverse.getKind();
  auto affine = dyn_cast<rev::AffineAttr>(kind);
  if (!affine || number != 0 || affine.getScale() != rev::Scale::Identity)
    return value;
  // The scale itself, which must not be near zero.
  value = math::TanhOp::create(g.b, value);
  value = arith::MulFOp::create(g.b, value, g.constantLike(value, 0.5));
  return arith::AddFOp::create(g.b, value, g.constantLike(value, 1.25));
}

/// True if `value` is computed from `source`.
static bool isComputedFrom(Value value, Value source) {
  llvm::SetVector<Value> visited;
  visited.insert(value);
  for (unsigned n = 0; n < visited.size(); ++n) {
    if (visited[n] == source)
      return true;
    Operation *op = visited[n].getDefiningOp();
    if (!op)
      continue;
    visited.insert(op->operand_begin(), op->operand_end());
    getUsedValuesDefinedAbove(op->getRegions(), visited);
  }
  return false;
}

/// Couples `x` with `given`. Sets `logDet` if the coupling has it, and adds
/// what else the region yields to `auxiliary`.
static Value buildCoupling(Generator &g, const Known &x, const Known &given,
                           Value *logDet, SmallVectorImpl<Known> &auxiliary) {
  BijectionAttrInterface kind = pickBijection(g);
  auto type = cast<RankedTensorType>(x.value.getType());
  Type logDetType;
  if (logDet && !x.shape.empty())
    logDetType = RankedTensorType::get({type.getDimSize(0)}, g.elementType);
  // An operation of its own for the region, for what that yields says which
  // results the coupling has.
  auto draft = rev::CouplingOp::create(g.b, type, Type(), TypeRange(), kind,
                                       x.value, ValueRange(given.value));
  Block *block = new Block();
  draft.getBody().push_back(block);
  SmallVector<Known> further;
  Known argument = given;
  argument.value = block->addArgument(given.value.getType(), g.b.getLoc());
  g.inBlock(block, [&] {
    // The region must not read what is computed from the coupled value.
    llvm::erase_if(g.values, [&](const Known &k) {
      return isComputedFrom(k.value, x.value);
    });
    g.values.push_back(argument);
    g.emitSome(g.rng.range(1, 4));
    SmallVector<Value> parameters;
    for (unsigned n = 0; n < kind.getNumParameters(); ++n)
      parameters.push_back(makeParameter(g, kind, x, n));
    // Sometimes a value twice, or one that the region did not compute.
    for (int64_t n = g.rng.chance(0.4) ? g.rng.range(1, 2) : 0; n > 0; --n)
      if (const Known *known = g.find([](const Known &) { return true; })) {
        further.push_back(*known);
        parameters.push_back(known->value);
      }
    rev::YieldOp::create(g.b, parameters);
  });
  SmallVector<Type> types;
  for (const Known &known : further)
    types.push_back(known.value.getType());
  auto op = rev::CouplingOp::create(g.b, type, logDetType, types, kind, x.value,
                                    ValueRange(given.value), uint64_t(0));
  op.getBody().takeBody(draft.getBody());
  draft.erase();
  for (auto [known, result] : llvm::zip_equal(further, op.getAuxiliary())) {
    known.value = result;
    auxiliary.push_back(known);
  }
  if (logDetType)
    *logDet = op.getLogDet();
  return op.getResult();
}

static bool emitCoupling(Generator &g) {
  if (g.depth >= 2)
    return false;
  Known x = g.limit(g.pick(/*isTensor=*/true), 2);
  if (x.shape.empty())
    return false;
  Known given = g.limit(g.pickShape(x.shape), 2);
  given.value = g.castTo(given, x.value.getType());
  if (isComputedFrom(given.value, x.value))
    return false;
  // A chain that couples one half with the other.
  SmallVector<Known> auxiliary;
  for (int64_t n = g.rng.range(1, 4); n > 0; --n) {
    Value logDet;
    Value y = buildCoupling(g, x, given, g.rng.chance(0.3) ? &logDet : nullptr,
                            auxiliary);
    if (logDet)
      g.add(logDet, {x.shape[0]}, 8);
    x.value = y;
    x.bound = 4 * x.bound + 1;
    std::swap(x, given);
    if (x.bound > 100)
      break;
  }
  g.add(x.value, x.shape, x.bound);
  g.add(given.value, given.shape, given.bound);
  for (const Known &known : auxiliary)
    g.add(known.value, known.shape, known.bound);
  return true;
}

/// The next value of `state`, a statistic of the couplings of a loop: a copy of
/// an auxiliary result, a sum or a part of it.
static Value observe(Generator &g, Value state, ArrayRef<int64_t> shape,
                     ArrayRef<Known> auxiliary) {
  for (const Known &known : auxiliary) {
    if (known.value.getType() != state.getType() ||
        ArrayRef<int64_t>(known.shape) != shape)
      continue;
    Value value = g.limit(known, 1).value;
    if (g.rng.chance(0.3))
      return value;
    if (g.rng.chance(0.5) || llvm::is_contained(shape, 0))
      return arith::AddFOp::create(g.b, state, value);
    // The first slice takes the place of what was there.
    SmallVector<OpFoldResult> offsets(shape.size(), g.b.getIndexAttr(0));
    SmallVector<OpFoldResult> strides(shape.size(), g.b.getIndexAttr(1));
    SmallVector<OpFoldResult> sizes =
        tensor::getMixedSizes(g.b, g.b.getLoc(), value);
    sizes[0] = g.b.getIndexAttr(1);
    Value slice =
        tensor::ExtractSliceOp::create(g.b, value, offsets, sizes, strides);
    return tensor::InsertSliceOp::create(g.b, slice, state, offsets, sizes,
                                         strides);
  }
  return state;
}

/// A loop of couplings with weights for each layer.
static bool emitCouplingLoop(Generator &g) {
  if (g.depth >= 1)
    return false;
  SmallVector<int64_t> shape = g.shape(1, 2);
  Known x = g.limit(g.pickShape(shape), 1);
  Known given = g.limit(g.pickShape(shape), 1);
  given.value = g.castTo(given, x.value.getType());
  int64_t trips = g.rng.range(0, 4);
  Value zero = arith::ConstantIndexOp::create(g.b, 0);
  Value one = arith::ConstantIndexOp::create(g.b, 1);
  Value end =
      g.rng.chance(0.3) && g.canAddArguments() && g.func.getNumArguments() < 7
          ? g.makeIndexArgument(0, 4)
          : arith::ConstantIndexOp::create(g.b, trips);
  auto loop = scf::ForOp::create(g.b, zero, end, one,
                                 ValueRange{x.value, given.value, given.value});
  bool swaps = g.rng.chance(0.3);
  g.inBlock(loop.getBody(), [&] {
    Known a = x, c = given;
    SmallVector<Known> auxiliary;
    a.value = loop.getRegionIterArg(0);
    c.value = loop.getRegionIterArg(1);
    a.bound = c.bound = 2;
    // Neither half of the state is seen but through the couplings.
    a.value = buildCoupling(g, a, c, nullptr, auxiliary);
    if (!swaps)
      c.value = buildCoupling(g, c, a, nullptr, auxiliary);
    if (swaps)
      std::swap(a, c);
    Value state = observe(g, loop.getRegionIterArg(2), shape, auxiliary);
    scf::YieldOp::create(g.b, ValueRange{a.value, c.value, state});
  });
  for (Value result : loop.getResults()) {
    Value small = math::TanhOp::create(g.b, result);
    g.add(small, shape, 1);
  }
  return true;
}

/// x + F(given), x - F(given) or F(given) - x, negated now and then: operations
/// that can be inverted without being a coupling.
static Value buildReversible(Generator &g, const Known &x, const Known &given) {
  llvm::erase_if(g.values, [&](const Known &k) { return k.value == x.value; });
  // F is not linear, so that its derivative reads the state.
  Known curved = given;
  curved.value = math::SinOp::create(g.b, given.value);
  curved.bound = 1;
  g.values.push_back(curved);
  g.emitSome(g.rng.range(0, 2));
  Known factor = g.limit(g.pickShape(x.shape), 1);
  Value shift = arith::MulFOp::create(g.b, curved.value,
                                      g.castTo(factor, x.value.getType()));
  bool isFirst = g.rng.chance(0.5);
  Value lhs = isFirst ? x.value : shift, rhs = isFirst ? shift : x.value;
  Value sum = g.rng.chance(0.5)
                  ? arith::AddFOp::create(g.b, lhs, rhs).getResult()
                  : arith::SubFOp::create(g.b, lhs, rhs).getResult();
  if (g.rng.chance(0.2))
    sum = arith::NegFOp::create(g.b, sum);
  return sum;
}

/// A loop that nothing but its operations says can be run backwards.
static bool emitReversibleLoop(Generator &g) {
  if (g.depth >= 1)
    return false;
  SmallVector<int64_t> shape = g.shape(1, 2);
  Known x = g.limit(g.pickShape(shape), 1);
  Known given = g.limit(g.pickShape(shape), 1);
  given.value = g.castTo(given, x.value.getType());
  Value zero = arith::ConstantIndexOp::create(g.b, 0);
  Value one = arith::ConstantIndexOp::create(g.b, 1);
  Value end = arith::ConstantIndexOp::create(g.b, g.rng.range(0, 4));
  auto loop =
      scf::ForOp::create(g.b, zero, end, one, ValueRange{x.value, given.value});
  g.inBlock(loop.getBody(), [&] {
    Known a = x, c = given;
    a.value = loop.getRegionIterArg(0);
    c.value = loop.getRegionIterArg(1);
    a.bound = c.bound = 4;
    a.value = buildReversible(g, a, c);
    // What was updated is not seen again.
    llvm::erase_if(g.values, [&](const Known &k) {
      return k.value == loop.getRegionIterArg(1);
    });
    c.value = buildReversible(g, c, a);
    scf::YieldOp::create(g.b, ValueRange{a.value, c.value});
  });
  for (Value result : loop.getResults())
    g.add(math::TanhOp::create(g.b, result), shape, 1);
  return true;
}

//===----------------------------------------------------------------------===//
// Layers
//===----------------------------------------------------------------------===//

static bool emitDropout(Generator &g) {
  Known x = g.pick(/*isTensor=*/true);
  Value rate =
      g.constant(g.b.getF32Type(), g.rng.pick<double>({0, 0.25, 0.5, 1}));
  auto counter = [&]() -> Value {
    if (g.rng.chance(0.5))
      return arith::ConstantIndexOp::create(g.b, g.rng.range(0, 1000));
    return arith::ConstantOp::create(
        g.b, g.b.getI64IntegerAttr(int64_t(g.rng.next() >> 1)));
  };
  Value seed = counter(), layer = counter(), step = counter();
  Value result = rev::DropoutOp::create(g.b, x.value.getType(), x.value, rate,
                                        seed, layer, step, /*offset=*/Value());
  g.add(result, x.shape, 4 * x.bound);
  return true;
}

static bool emitBatchNorm(Generator &g) {
  Known x = g.pick(/*isTensor=*/true);
  if (x.shape.size() < 2 || llvm::is_contained(x.shape, 0))
    return false;
  int64_t channel = g.rng.range(0, int64_t(x.shape.size()) - 1);
  auto type = cast<RankedTensorType>(x.value.getType());
  auto statistics =
      RankedTensorType::get({type.getDimSize(channel)}, g.elementType);
  SmallVector<int64_t> shape = {x.shape[channel]};
  auto vector = [&] { return g.castTo(g.pickShape(shape), statistics); };
  IntegerAttr dim = channel + 1 == int64_t(x.shape.size())
                        ? IntegerAttr()
                        : g.b.getI64IntegerAttr(channel);
  FloatAttr epsilon = g.b.getF64FloatAttr(g.rng.uniform(0.1, 0.5));
  Value scale = vector(), offset = vector();
  if (g.rng.chance(0.5)) {
    Value mean = vector(), variance = vector();
    variance = arith::MulFOp::create(g.b, variance, variance);
    g.add(rev::BatchNormInferenceOp::create(g.b, type, x.value, scale, offset,
                                            mean, variance, epsilon, dim),
          x.shape, 60);
    return true;
  }
  auto op = rev::BatchNormOp::create(g.b, type, statistics, statistics, x.value,
                                     scale, offset, epsilon, dim);
  g.add(op.getResult(), x.shape, 30);
  g.add(op.getMean(), shape, x.bound);
  g.add(op.getVariance(), shape, x.bound * x.bound);
  return true;
}

static bool emitCrossEntropy(Generator &g) {
  SmallVector<int64_t> shape = {g.extent(), g.rng.range(1, 4)};
  Known logits = g.pickShape(shape);
  auto type = cast<RankedTensorType>(logits.value.getType());
  SmallVector<Attribute> labels;
  for (int64_t n = 0; n < shape[0]; ++n)
    labels.push_back(g.b.getI32IntegerAttr(g.rng.range(-1, shape[1] - 1)));
  Value constant = arith::ConstantOp::create(
      g.b, DenseElementsAttr::get(
               RankedTensorType::get({shape[0]}, g.b.getI32Type()), labels));
  if (type.isDynamicDim(0))
    constant = tensor::CastOp::create(
        g.b, RankedTensorType::get({ShapedType::kDynamic}, g.b.getI32Type()),
        constant);
  auto loss = RankedTensorType::get({type.getDimSize(0)}, g.elementType);
  auto op = rev::SoftmaxCrossEntropyOp::create(g.b, loss, loss, logits.value,
                                               constant);
  g.add(op.getLoss(), {shape[0]}, 2 * logits.bound + 2);
  g.add(op.getLogSumExp(), {shape[0]}, logits.bound + 2);
  return true;
}

ArrayRef<EmitterEntry> mlir::memrev::testing::getLayerEmitters() {
  static const EmitterEntry emitters[] = {
      {"coupling", "coupling", 0.8, emitCoupling},
      {"coupling", "coupling loop", 0.5, emitCouplingLoop},
      {"coupling", "reversible loop", 0.4, emitReversibleLoop},
      {"layer", "dropout", 0.3, emitDropout},
      {"layer", "batch_norm", 0.4, emitBatchNorm},
      {"layer", "cross_entropy", 0.3, emitCrossEntropy},
  };
  return emitters;
}
