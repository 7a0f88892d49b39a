//===- ControlFlowEmitters.cpp - Random loops, branches and calls ---------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Generator.h"
#include "memrev/Dialect/Rev/IR/Rev.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::memrev;
using namespace mlir::memrev::testing;

/// How deep regions are nested.
static constexpr unsigned kMaxDepth = 2;

/// What the state of a loop is bounded by.
static constexpr double kStateBound = 2;

/// A value with the shape and the type of `like`.
static Known pickLike(Generator &g, const Known &like) {
  Known known;
  if (like.isTensor()) {
    known = g.pickShape(like.shape, like.getElementType());
    known.value = g.castTo(known, like.value.getType());
  } else if (const Known *found = g.find([&](const Known &k) {
               return k.value.getType() == like.value.getType();
             })) {
    known = *found;
  } else {
    known = like;
  }
  return known;
}

/// The initial state of a loop or what a branch is to yield.
static SmallVector<Known> pickState(Generator &g) {
  SmallVector<Known> state;
  for (int64_t n = g.rng.range(1, 2); n > 0; --n) {
    Known known = g.pick(/*isTensor=*/g.rng.chance(0.75));
    // Zeros, which nothing differentiates, before or behind other values.
    if (known.isTensor() && g.rng.chance(0.15)) {
      Known zero = known;
      zero.value = g.constantLike(known.value, 0);
      state.push_back(zero);
    }
    state.push_back(g.limit(known, kStateBound));
  }
  return state;
}

static SmallVector<Value> getValues(ArrayRef<Known> state) {
  SmallVector<Value> values;
  for (const Known &known : state)
    values.push_back(known.value);
  return values;
}

/// Makes `arguments` known as values like `state`. Returns them.
static SmallVector<Known> addArguments(Generator &g, ArrayRef<Known> state,
                                       ValueRange arguments) {
  SmallVector<Known> known;
  for (auto [like, argument] : llvm::zip_equal(state, arguments)) {
    Known one = like;
    one.value = argument;
    one.bound = kStateBound;
    g.values.push_back(one);
    known.push_back(one);
  }
  return known;
}

/// An index as a small float.
static void addIndex(Generator &g, Value index) {
  Value cast = arith::IndexCastOp::create(g.b, g.b.getI32Type(), index);
  Value real = arith::SIToFPOp::create(g.b, g.elementType, cast);
  Value small =
      arith::MulFOp::create(g.b, real, g.constant(g.elementType, 0.25));
  g.add(small, {}, 2);
}

/// What a region yields for a state like `state`.
static SmallVector<Value> pickYields(Generator &g, ArrayRef<Known> state,
                                     double most) {
  SmallVector<Value> yields;
  for (const Known &like : state)
    yields.push_back(g.limit(pickLike(g, like), most).value);
  return yields;
}

/// A bit that the program computes, or an argument does.
static Value makeCondition(Generator &g) {
  if (g.rng.chance(0.25) && g.canAddArguments() &&
      g.func.getNumArguments() < 7) {
    Value argument = g.makeIndexArgument(0, 3);
    Value bound = arith::ConstantIndexOp::create(g.b, g.rng.range(0, 3));
    return arith::CmpIOp::create(g.b, arith::CmpIPredicate::slt, argument,
                                 bound);
  }
  Known x = g.pick(/*isTensor=*/false);
  return arith::CmpFOp::create(g.b, arith::CmpFPredicate::OGT, x.value,
                               g.constant(g.elementType, 0.05));
}

static bool emitIf(Generator &g) {
  if (g.depth >= kMaxDepth)
    return false;
  SmallVector<Known> state = pickState(g);
  Value condition = makeCondition(g);
  double bound = 8;
  auto op = scf::IfOp::create(g.b, ValueRange(getValues(state)).getTypes(),
                              condition, /*withElseRegion=*/true);
  for (Block *block : {op.thenBlock(), op.elseBlock()})
    g.inBlock(block, [&] {
      if (g.rng.chance(0.85))
        g.emitSome(g.rng.range(1, 3));
      SmallVector<Value> yields = pickYields(g, state, bound);
      scf::YieldOp::create(g.b, yields);
    });
  for (auto [known, result] : llvm::zip_equal(state, op.getResults()))
    g.add(result, known.shape, bound);
  return true;
}

static bool emitIndexSwitch(Generator &g) {
  if (g.depth >= kMaxDepth || !g.canAddArguments() ||
      g.func.getNumArguments() >= 7)
    return false;
  SmallVector<Known> state = pickState(g);
  Value selector = g.makeIndexArgument(0, 3);
  SmallVector<int64_t> cases = {0, 2};
  auto op =
      scf::IndexSwitchOp::create(g.b, ValueRange(getValues(state)).getTypes(),
                                 selector, cases, cases.size());
  for (Region &region : op->getRegions()) {
    Block *block = new Block();
    region.push_back(block);
    g.inBlock(block, [&] {
      g.emitSome(g.rng.range(0, 2));
      SmallVector<Value> yields = pickYields(g, state, 8);
      scf::YieldOp::create(g.b, yields);
    });
  }
  for (auto [known, result] : llvm::zip_equal(state, op.getResults()))
    g.add(result, known.shape, 8);
  return true;
}

static bool emitExecuteRegion(Generator &g) {
  if (g.depth >= kMaxDepth)
    return false;
  SmallVector<Known> state = pickState(g);
  auto op = scf::ExecuteRegionOp::create(
      g.b, ValueRange(getValues(state)).getTypes());
  Block *block = new Block();
  op.getRegion().push_back(block);
  g.inBlock(block, [&] {
    g.emitSome(g.rng.range(1, 2));
    SmallVector<Value> yields = pickYields(g, state, 8);
    scf::YieldOp::create(g.b, yields);
  });
  for (auto [known, result] : llvm::zip_equal(state, op.getResults()))
    g.add(result, known.shape, 8);
  return true;
}

/// Yields for `state` whose values change places now and then.
static void swapSome(Generator &g, ArrayRef<Known> state,
                     MutableArrayRef<Value> yields) {
  if (yields.size() == 2 && yields[0].getType() == yields[1].getType() &&
      state[0].shape == state[1].shape && g.rng.chance(0.2))
    std::swap(yields[0], yields[1]);
}

static bool emitFor(Generator &g) {
  if (g.depth >= kMaxDepth)
    return false;
  SmallVector<Known> state = pickState(g);
  int64_t lower = g.rng.range(-1, 2), trips = g.rng.range(0, 4);
  int64_t step = g.rng.range(1, 3);
  // The last step may reach beyond the end.
  int64_t upper =
      lower + trips * step - (trips > 0 ? g.rng.range(0, step - 1) : 0);
  auto bound = [&](int64_t value) -> Value {
    if (g.rng.chance(0.2) && g.canAddArguments() &&
        g.func.getNumArguments() < 7)
      return g.makeIndexArgument(value - 1, value + 1);
    return arith::ConstantIndexOp::create(g.b, value);
  };
  Value first = bound(lower), last = bound(upper);
  Value stride = arith::ConstantIndexOp::create(g.b, step);
  auto op = scf::ForOp::create(g.b, first, last, stride, getValues(state));
  // Weights of each iteration, if the iterations are known.
  std::optional<Known> weights;
  if (lower >= 0 && g.rng.chance(0.4) && !isa<BlockArgument>(first) &&
      !isa<BlockArgument>(last) && upper > 0) {
    OpBuilder::InsertionGuard guard(g.b);
    g.b.setInsertionPoint(op);
    SmallVector<int64_t> shape = {upper, g.rng.range(1, 3)};
    weights = g.pickShape(shape);
    weights->value =
        g.castTo(*weights, RankedTensorType::get(shape, g.elementType));
  }
  g.inBlock(op.getBody(), [&] {
    addArguments(g, state, op.getRegionIterArgs());
    if (g.rng.chance(0.3))
      addIndex(g, op.getInductionVar());
    if (weights) {
      SmallVector<OpFoldResult> offsets = {op.getInductionVar(),
                                           g.b.getIndexAttr(0)};
      SmallVector<OpFoldResult> sizes = {g.b.getIndexAttr(1),
                                         g.b.getIndexAttr(weights->shape[1])};
      SmallVector<OpFoldResult> strides(2, g.b.getIndexAttr(1));
      Value row = tensor::ExtractSliceOp::create(
          g.b, RankedTensorType::get({weights->shape[1]}, g.elementType),
          weights->value, offsets, sizes, strides);
      g.add(row, {weights->shape[1]}, weights->bound);
    }
    g.emitSome(g.rng.range(1, 4));
    SmallVector<Value> yields = pickYields(g, state, kStateBound);
    swapSome(g, state, yields);
    scf::YieldOp::create(g.b, yields);
  });
  // Without every state on a tape.
  if (g.rng.chance(0.2)) {
    int64_t count = g.rng.range(1, 4);
    Attribute checkpoints =
        g.rng.chance(0.5)
            ? Attribute(rev::PeriodicAttr::get(g.b.getContext(), count))
            : Attribute(rev::BinomialAttr::get(g.b.getContext(), count));
    op->setAttr("rev.checkpoint", checkpoints);
  }
  for (auto [known, result] : llvm::zip_equal(state, op.getResults()))
    g.add(result, known.shape, kStateBound);
  return true;
}

/// `state` plus or minus `update`, in one of the forms that a program may have
/// it in.
static Value emitUpdate(Generator &g, Value state, Value update) {
  bool adds = g.rng.chance(0.5);
  auto build = [&](OpBuilder &b, Location loc, Value x, Value y) -> Value {
    if (adds)
      return arith::AddFOp::create(b, loc, x, y);
    return arith::SubFOp::create(b, loc, x, y);
  };
  auto type = dyn_cast<RankedTensorType>(state.getType());
  if (!type || g.rng.chance(0.25))
    return build(g.b, g.b.getLoc(), state, update);
  Value out = tensor::EmptyOp::create(
      g.b, tensor::getMixedSizes(g.b, g.b.getLoc(), state),
      type.getElementType());
  if (g.rng.chance(0.3)) {
    SmallVector<Value> inputs = {state, update};
    Operation *named =
        adds ? linalg::AddOp::create(g.b, inputs, out)
             : linalg::SubOp::create(g.b, inputs, out).getOperation();
    return named->getResult(0);
  }
  // Read in another order than written, and backwards.
  unsigned rank = type.getRank();
  SmallVector<AffineExpr> order;
  for (unsigned i = 0; i < rank; ++i)
    order.push_back(g.b.getAffineDimExpr(i));
  for (unsigned i = 0; i < rank; ++i) {
    if (i + 1 < rank && type.getDimSize(i) == type.getDimSize(i + 1) &&
        !type.isDynamicDim(i) && g.rng.chance(0.4))
      std::swap(order[i], order[i + 1]);
    if (!type.isDynamicDim(i) && g.rng.chance(0.3))
      order[i] = type.getDimSize(i) - 1 - order[i];
  }
  AffineMap read = AffineMap::get(rank, 0, order, g.b.getContext());
  AffineMap written = g.b.getMultiDimIdentityMap(rank);
  double factor = g.rng.chance(0.5) ? 1 : g.rng.chance(0.5) ? -1.25 : 0.8;
  SmallVector<utils::IteratorType> iterators(rank,
                                             utils::IteratorType::parallel);
  return linalg::GenericOp::create(
             g.b, TypeRange{out.getType()}, ValueRange{state, update},
             ValueRange{out}, ArrayRef<AffineMap>{read, written, written},
             iterators,
             [&](OpBuilder &b, Location loc, ValueRange args) {
               Value element = args[0];
               if (factor != 1) {
                 Value scale = arith::ConstantOp::create(
                     b, loc, b.getFloatAttr(element.getType(), factor));
                 element = arith::MulFOp::create(b, loc, element, scale);
               }
               linalg::YieldOp::create(b, loc, build(b, loc, element, args[1]));
             })
      .getResult(0);
}

/// A loop over two streams without couplings, each updated by a function of the
/// other: what inversion is for.
static bool emitStreams(Generator &g) {
  if (g.depth >= kMaxDepth)
    return false;
  Known first = g.limit(g.pick(/*isTensor=*/g.rng.chance(0.9)), kStateBound);
  SmallVector<Known> state = {first, g.limit(pickLike(g, first), kStateBound)};
  Value lower = arith::ConstantIndexOp::create(g.b, 0);
  Value upper = arith::ConstantIndexOp::create(g.b, g.rng.range(1, 3));
  Value step = arith::ConstantIndexOp::create(g.b, 1);
  auto op = scf::ForOp::create(g.b, lower, upper, step, getValues(state));
  g.inBlock(op.getBody(), [&] {
    SmallVector<Value> streams(op.getRegionIterArgs());
    for (unsigned i : {0u, 1u}) {
      // The update is a function of the other stream, and not of this one.
      SmallVector<Known> outside = g.values;
      Known other = state[1 - i];
      other.value = streams[1 - i];
      other.bound = 4 * kStateBound;
      g.values.push_back(other);
      g.emitSome(g.rng.range(1, 3));
      Known update = g.limit(pickLike(g, other), 0.25);
      g.values = std::move(outside);
      streams[i] = emitUpdate(g, streams[i], update.value);
    }
    if (g.rng.chance(0.3))
      std::swap(streams[0], streams[1]);
    scf::YieldOp::create(g.b, streams);
  });
  for (auto [known, result] : llvm::zip_equal(state, op.getResults()))
    g.add(result, known.shape, 4 * kStateBound);
  return true;
}

static bool emitWhile(Generator &g) {
  if (g.depth >= kMaxDepth)
    return false;
  SmallVector<Known> state = pickState(g);
  Value zero = arith::ConstantIndexOp::create(g.b, 0);
  Value one = arith::ConstantIndexOp::create(g.b, 1);
  Value limit =
      g.rng.chance(0.5) && g.canAddArguments() && g.func.getNumArguments() < 7
          ? g.makeIndexArgument(0, 4)
          : arith::ConstantIndexOp::create(g.b, g.rng.range(0, 4));
  SmallVector<Value> operands = getValues(state);
  operands.push_back(zero);
  SmallVector<Type> types(ValueRange(operands).getTypes());
  auto op = scf::WhileOp::create(g.b, types, operands);
  SmallVector<Location> locs(types.size(), g.b.getLoc());
  Block *before = g.b.createBlock(&op.getBefore(), {}, types, locs);
  Block *after = g.b.createBlock(&op.getAfter(), {}, types, locs);
  g.b.setInsertionPointAfter(op);
  g.inBlock(before, [&] {
    SmallVector<Known> known =
        addArguments(g, state, before->getArguments().drop_back());
    Value counter = before->getArguments().back();
    Value goesOn =
        arith::CmpIOp::create(g.b, arith::CmpIPredicate::slt, counter, limit);
    // The state may end the loop, too.
    for (const Known &one : known)
      if (!one.isTensor() && g.rng.chance(0.5)) {
        Value small =
            arith::CmpFOp::create(g.b, arith::CmpFPredicate::OLT, one.value,
                                  g.constant(g.elementType, 0.7));
        goesOn = arith::AndIOp::create(g.b, goesOn, small);
      }
    SmallVector<Value> passed;
    if (g.rng.chance(0.3)) {
      g.emitSome(g.rng.range(1, 2));
      passed = pickYields(g, state, kStateBound);
    } else {
      passed = getValues(known);
    }
    passed.push_back(counter);
    scf::ConditionOp::create(g.b, goesOn, passed);
  });
  g.inBlock(after, [&] {
    (void)addArguments(g, state, after->getArguments().drop_back());
    Value counter = after->getArguments().back();
    if (g.rng.chance(0.2))
      addIndex(g, counter);
    g.emitSome(g.rng.range(1, 3));
    SmallVector<Value> yields = pickYields(g, state, kStateBound);
    yields.push_back(arith::AddIOp::create(g.b, counter, one));
    scf::YieldOp::create(g.b, yields);
  });
  for (auto [known, result] :
       llvm::zip_equal(state, op.getResults().drop_back()))
    g.add(result, known.shape, kStateBound);
  return true;
}

/// A parallel loop over the rows of a tensor.
static bool emitForall(Generator &g) {
  if (g.depth >= kMaxDepth)
    return false;
  Known x = g.limit(g.pick(/*isTensor=*/true), kStateBound);
  // The verifier wants offsets inside, of empty slices too.
  if (x.shape.empty() || llvm::is_contained(ArrayRef(x.shape).drop_front(), 0))
    return false;
  Known out = pickLike(g, x);
  int64_t rows = x.shape[0];
  int64_t tile = rows > 0 && rows % 2 == 0 && g.rng.chance(0.3) ? 2 : 1;
  SmallVector<OpFoldResult> lower = {g.b.getIndexAttr(0)},
                            upper = {g.b.getIndexAttr(rows)},
                            step = {g.b.getIndexAttr(tile)};
  if (g.isDynamic && g.rng.chance(0.5))
    upper = {OpFoldResult(g.index(rows))};
  auto type = cast<RankedTensorType>(x.value.getType());
  auto op = scf::ForallOp::create(g.b, lower, upper, step,
                                  ValueRange(out.value), std::nullopt);
  op.getTerminator()->erase();
  SmallVector<OpFoldResult> offsets = {op.getInductionVar(0)}, sizes, strides;
  SmallVector<int64_t> extents = {tile}, shape = {tile};
  sizes.push_back(g.b.getIndexAttr(tile));
  strides.push_back(g.b.getIndexAttr(1));
  {
    OpBuilder::InsertionGuard guard(g.b);
    g.b.setInsertionPoint(op);
    for (size_t dim = 1; dim < x.shape.size(); ++dim) {
      offsets.push_back(g.b.getIndexAttr(0));
      strides.push_back(g.b.getIndexAttr(1));
      shape.push_back(x.shape[dim]);
      extents.push_back(type.getDimSize(dim));
      sizes.push_back(type.isDynamicDim(dim)
                          ? OpFoldResult(g.index(x.shape[dim]))
                          : OpFoldResult(g.b.getIndexAttr(x.shape[dim])));
    }
  }
  auto rowType = RankedTensorType::get(extents, g.elementType);
  g.inBlock(op.getBody(), [&] {
    Value row = tensor::ExtractSliceOp::create(g.b, rowType, x.value, offsets,
                                               sizes, strides);
    Known known;
    known.value = row;
    known.shape.assign(shape.begin(), shape.end());
    known.bound = x.bound;
    g.values.push_back(known);
    if (g.rng.chance(0.4)) {
      Value old = tensor::ExtractSliceOp::create(
          g.b, rowType, op.getRegionIterArgs()[0], offsets, sizes, strides);
      g.add(old, shape, 8);
    }
    if (g.rng.chance(0.3))
      addIndex(g, op.getInductionVar(0));
    g.emitSome(g.rng.range(1, 3));
    Known result = g.limit(pickLike(g, known), 8);
    auto stores = scf::InParallelOp::create(g.b);
    g.b.setInsertionPointToStart(&stores.getRegion().front());
    tensor::ParallelInsertSliceOp::create(
        g.b, result.value, op.getRegionIterArgs()[0], offsets, sizes, strides);
  });
  g.add(op.getResult(0), out.shape, 8);
  return true;
}

static bool emitCall(Generator &g) {
  if (g.depth >= kMaxDepth)
    return false;
  SmallVector<Known> arguments;
  for (int64_t n = g.rng.range(1, 3); n > 0; --n)
    arguments.push_back(
        g.limit(g.pick(/*isTensor=*/g.rng.chance(0.75)), kStateBound));
  SmallVector<Known> results;
  func::FuncOp callee = g.makeFunction(
      ValueRange(getValues(arguments)).getTypes(),
      [&](ValueRange inputs) -> SmallVector<Value> {
        (void)addArguments(g, arguments, inputs);
        g.emitSome(g.rng.range(1, 4));
        for (int64_t n = g.rng.range(1, 2); n > 0; --n)
          results.push_back(g.values[g.rng.range(
              int64_t(g.values.size()) / 2, int64_t(g.values.size()) - 1)]);
        return getValues(results);
      });
  for (int64_t calls = g.rng.chance(0.3) ? 2 : 1; calls > 0; --calls) {
    auto op = func::CallOp::create(g.b, callee, getValues(arguments));
    for (auto [known, result] : llvm::zip_equal(results, op.getResults()))
      g.add(result, known.shape, known.bound);
    for (Known &argument : arguments)
      argument = g.limit(pickLike(g, argument), kStateBound);
  }
  return true;
}

ArrayRef<EmitterEntry> mlir::memrev::testing::getControlFlowEmitters() {
  static const EmitterEntry emitters[] = {
      {"if", "if", 0.6, emitIf},
      {"if", "index_switch", 0.1, emitIndexSwitch},
      {"if", "execute_region", 0.1, emitExecuteRegion},
      {"for", "for", 1, emitFor},
      {"for", "streams", 0.5, emitStreams},
      {"while", "while", 0.4, emitWhile},
      {"forall", "forall", 0.4, emitForall},
      {"call", "call", 0.5, emitCall},
  };
  return emitters;
}
