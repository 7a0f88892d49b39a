//===- ReductionEmitter.cpp - Kernels that reduce -------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A thread reduces some of the terms of one or a few results; what the threads
// of a block have is combined through shuffles where they are neighbours, else
// through shared memory; what blocks have goes through a buffer to a second
// kernel. All of this is in an order that the strategy fixes.
//
//===----------------------------------------------------------------------===//

#include "KernelEmitters.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;
using namespace mlir::memrev;
using namespace mlir::memrev::simt;

/// Where each output's `elements` partial results start in a buffer of bytes,
/// and after them its size.
static SmallVector<int64_t> getSectionStarts(const Problem &problem,
                                             int64_t elements) {
  SmallVector<int64_t> starts{0};
  for (Type type : getPartialTypes(problem))
    starts.push_back(llvm::alignTo(starts.back() + elements * getByteSize(type),
                                   kVectorBytes));
  return starts;
}

static int64_t getNumElements(const Problem &problem,
                              const ReductionStrategy &strategy) {
  int64_t elements = 1;
  for (int64_t dim : strategy.order)
    elements *= problem.extents[dim];
  return elements;
}

RankedTensorType simt::getWorkspaceType(const Problem &problem,
                                        const ReductionStrategy &strategy) {
  int64_t partials = strategy.splits * getNumElements(problem, strategy);
  return RankedTensorType::get({getSectionStarts(problem, partials).back()},
                               IntegerType::get(problem.loc.getContext(), 8));
}

namespace {

/// One value for each lane of each partial result: those of the first one come
/// first.
using Partials = SmallVector<Value>;

class ReductionEmitter {
public:
  ReductionEmitter(gpu::GPUModuleOp module, func::FuncOp kernel, StringRef name,
                   const Problem &problem, const ReductionStrategy &strategy,
                   Workspace workspace, int64_t splits)
      : problem(problem), strategy(strategy), splits(splits),
        isRow(strategy.isRow(problem)), canCombine(hasCombiners(problem)),
        types(getPartialTypes(problem)),
        k(module, kernel, name, problem, strategy.along * strategy.across,
          workspace),
        resultLanes(isRow ? 1 : strategy.lanes),
        resultDim(isRow || strategy.vectorDim < 0 ? 0 : strategy.vectorDim) {}

  LaunchShape emit();

private:
  Value getNeutral(unsigned number);
  Partials combine(ValueRange left, ValueRange right);
  Partials getNeutrals(int64_t lanes);
  Partials getInits();

  Partials emitTerms(Partials partials);
  Partials emitSplits(Partials partials);
  Partials emitRange(Value low, Value high, int64_t step, int64_t unroll,
                     Partials partials);
  Partials emitRest(Value high, Partials partials);
  void step(ArrayRef<SmallVector<Value>> positions, int64_t lanes,
            Partials &partials);

  Value extend(Value factor, Type type);

  Partials combineLanes(Partials partials);
  Partials combineWarp(Partials partials, int64_t threads);
  Partials combineWarps(Partials partials);
  Partials combineRows(Partials partials);
  Value shuffle(Value value, int64_t distance);
  Value sharedPointer(unsigned number, int64_t elements, Value element);

  Value workspacePointer(unsigned kind, int64_t numSplits, Value number,
                         Value element);
  void store(Partials partials);
  void storePartials(Partials partials);

  const Problem &problem;
  const ReductionStrategy &strategy;
  /// The splits in the workspace that are to be combined, or 1.
  int64_t splits;
  bool isRow, canCombine;
  /// Of the partial results.
  SmallVector<Type> types;
  KernelBuilder k;
  /// The lanes of a result, and their dimension.
  int64_t resultLanes;
  unsigned resultDim;
  /// The number of the thread's result, or vector of them, and of the thread
  /// among those that share it.
  Value result, thread;
  /// Whether there is such a result; null if there always is.
  Value hasResult;
  /// The split and the block's first result. Null without splits.
  Value split;
  /// Values of the parallel dimensions.
  SmallVector<Value> dims;
};

} // namespace

//===----------------------------------------------------------------------===//
// Combining
//===----------------------------------------------------------------------===//

Value ReductionEmitter::getNeutral(unsigned number) {
  if (problem.isContraction)
    return k.zero(types[number]);
  return arith::ConstantOp::create(
      k.b, *getNeutralElement(problem.outputs[number].combiner));
}

Partials ReductionEmitter::getNeutrals(int64_t lanes) {
  Partials partials;
  for (unsigned number = 0; number < types.size(); ++number)
    partials.append(lanes, getNeutral(number));
  return partials;
}

Partials ReductionEmitter::combine(ValueRange left, ValueRange right) {
  Partials combined;
  int64_t lanes = left.size() / types.size();
  for (auto [number, pair] : llvm::enumerate(llvm::zip_equal(left, right))) {
    if (problem.isContraction) {
      combined.push_back(
          arith::AddFOp::create(k.b, std::get<0>(pair), std::get<1>(pair)));
      continue;
    }
    Operation *combiner = problem.outputs[number / lanes].combiner;
    IRMapping operands;
    operands.map(combiner->getOperand(0), std::get<0>(pair));
    operands.map(combiner->getOperand(1), std::get<1>(pair));
    combined.push_back(k.b.clone(*combiner, operands)->getResult(0));
  }
  return combined;
}

/// Each lane of a thread has reduced for itself.
Partials ReductionEmitter::combineLanes(Partials partials) {
  for (int64_t lanes = strategy.lanes; lanes > 1; lanes /= 2) {
    Partials low, high;
    for (auto [number, value] : llvm::enumerate(partials))
      (static_cast<int64_t>(number) % lanes < lanes / 2 ? low : high)
          .push_back(value);
    partials = combine(low, high);
  }
  return partials;
}

Value ReductionEmitter::shuffle(Value value, int64_t distance) {
  OpBuilder &b = k.b;
  Location loc = k.b.getLoc();
  Type type = value.getType(), word = b.getI32Type();
  auto constant = [&](int64_t number) -> Value {
    return LLVM::ConstantOp::create(b, loc, word, b.getI32IntegerAttr(number));
  };
  auto exchange = [&](Value part) -> Value {
    return NVVM::ShflOp::create(b, loc, word, constant(-1), part,
                                constant(distance), constant(kWarpSize - 1),
                                NVVM::ShflKind::bfly, UnitAttr());
  };
  Value bits = k.toMemory(value);
  int64_t width = 8 * getByteSize(type);
  Type integer = b.getIntegerType(width);
  if (isa<FloatType>(type))
    bits = arith::BitcastOp::create(b, loc, integer, bits);
  if (width < 32) {
    bits = exchange(arith::ExtUIOp::create(b, loc, word, bits));
    bits = arith::TruncIOp::create(b, loc, integer, bits);
  } else if (width == 32) {
    bits = exchange(bits);
  } else {
    Value half = arith::ConstantOp::create(b, loc, b.getI64IntegerAttr(32));
    Value low = exchange(arith::TruncIOp::create(b, loc, word, bits));
    Value high = exchange(arith::TruncIOp::create(
        b, loc, word, arith::ShRUIOp::create(b, loc, bits, half)));
    low = arith::ExtUIOp::create(b, loc, integer, low);
    high = arith::ExtUIOp::create(b, loc, integer, high);
    bits = arith::OrIOp::create(b, loc, low,
                                arith::ShLIOp::create(b, loc, high, half));
  }
  if (isa<FloatType>(type))
    return arith::BitcastOp::create(b, loc, type, bits);
  return k.fromMemory(bits, type);
}

/// Groups of `threads` neighbours in a warp.
Partials ReductionEmitter::combineWarp(Partials partials, int64_t threads) {
  for (int64_t distance = threads / 2; distance > 0; distance /= 2) {
    Partials others;
    for (Value value : partials)
      others.push_back(shuffle(value, distance));
    partials = combine(partials, others);
  }
  return partials;
}

/// The place of `element` among the `elements` partial results `number` in
/// shared memory.
Value ReductionEmitter::sharedPointer(unsigned number, int64_t elements,
                                      Value element) {
  Type type = k.getMemoryType(types[number]);
  Value base = k.offsetPointer(
      k.sharedMemory(), k.index(getSectionStarts(problem, elements)[number]));
  return LLVM::GEPOp::create(k.b, base.getType(), type, base,
                             ArrayRef<LLVM::GEPArg>{element});
}

/// The warps of a block, each of which has combined what its lanes have.
Partials ReductionEmitter::combineWarps(Partials partials) {
  int64_t warps = strategy.along / kWarpSize;
  Value lane = k.rem(thread, kWarpSize), warp = k.div(thread, kWarpSize);
  k.when(k.lessThan(lane, 1), [&] {
    for (auto [output, value] : llvm::enumerate(partials))
      LLVM::StoreOp::create(k.b, k.toMemory(value),
                            sharedPointer(output, warps, warp));
  });
  k.barrier();
  // All warps do the same, and the first of them goes on.
  Value other = k.rem(lane, warps);
  for (auto [output, value] : llvm::enumerate(partials)) {
    Type type = value.getType();
    Value loaded = LLVM::LoadOp::create(k.b, k.getMemoryType(type),
                                        sharedPointer(output, warps, other));
    value = k.fromMemory(loaded, type);
  }
  return combineWarp(partials, warps);
}

/// Threads that share a result of a column are a row of threads apart: those of
/// the upper half of the rows leave theirs to those of the lower half.
Partials ReductionEmitter::combineRows(Partials partials) {
  int64_t lanes = strategy.lanes, rowSize = strategy.across;
  int64_t elements = strategy.along * strategy.across * lanes;
  auto getPlace = [&](Value row, unsigned number) {
    Value column = k.rem(k.threadId(), strategy.across);
    Value place = k.add(k.mul(row, rowSize), column);
    int64_t lane = number % lanes;
    return sharedPointer(
        number / lanes, elements,
        k.add(place, k.index(lane * strategy.along * strategy.across)));
  };
  for (int64_t rows = strategy.along; rows > 1;) {
    int64_t lower = llvm::divideCeil(rows, 2);
    Value isUpper = k.lessThan(k.sub(thread, k.index(lower)), rows - lower);
    k.when(isUpper, [&] {
      for (auto [number, value] : llvm::enumerate(partials))
        LLVM::StoreOp::create(k.b, k.toMemory(value), getPlace(thread, number));
    });
    k.barrier();
    partials = k.choose(
        k.lessThan(thread, rows - lower), ValueRange(partials).getTypes(),
        [&]() -> SmallVector<Value> {
          Partials others;
          for (auto [number, value] : llvm::enumerate(partials)) {
            Value place = getPlace(k.add(thread, k.index(lower)), number);
            Value loaded = LLVM::LoadOp::create(
                k.b, k.getMemoryType(value.getType()), place);
            others.push_back(k.fromMemory(loaded, value.getType()));
          }
          return combine(partials, others);
        },
        [&] { return partials; });
    rows = lower;
  }
  return partials;
}

//===----------------------------------------------------------------------===//
// Terms
//===----------------------------------------------------------------------===//

Value ReductionEmitter::extend(Value factor, Type type) {
  if (factor.getType() == type)
    return factor;
  return arith::ExtFOp::create(k.b, type, factor);
}

/// Evaluates the body for `lanes` lanes at each of `positions`, all of which
/// are loaded first.
void ReductionEmitter::step(ArrayRef<SmallVector<Value>> positions,
                            int64_t lanes, Partials &partials) {
  unsigned vectorDim = strategy.vectorDim < 0 ? 0 : strategy.vectorDim;
  std::vector<SmallVector<SmallVector<Value>>> loaded;
  for (const SmallVector<Value> &here : positions) {
    SmallVector<SmallVector<Value>> &inputs = loaded.emplace_back();
    for (const Access *input : getTermAccesses(problem))
      inputs.push_back(k.loadAlong(*input, here, vectorDim, lanes));
  }
  int64_t chains = partials.size() / types.size();
  for (auto [here, inputs] : llvm::zip_equal(positions, loaded))
    for (int64_t lane = 0; lane < lanes; ++lane) {
      // Without combiners there is one chain for all lanes of a row.
      int64_t chain = lane % chains;
      SmallVector<Value> arguments;
      for (const SmallVector<Value> &values : inputs)
        arguments.push_back(values[lane]);
      if (problem.isContraction) {
        Value &sum = partials[chain];
        sum = arith::AddFOp::create(
            k.b, sum,
            arith::MulFOp::create(k.b, extend(arguments[0], sum.getType()),
                                  extend(arguments[1], sum.getType())));
        continue;
      }
      for (unsigned number = 0; number < types.size(); ++number)
        arguments.push_back(partials[number * chains + chain]);
      SmallVector<Value> next =
          k.evaluateBody(arguments, k.advance(here, vectorDim, lane));
      for (auto [number, value] : llvm::enumerate(next))
        partials[number * chains + chain] = value;
    }
}

/// The terms from `low` to `high`, each thread every `step`-th vector of them,
/// `unroll` at once.
Partials ReductionEmitter::emitRange(Value low, Value high, int64_t step,
                                     int64_t unroll, Partials partials) {
  return k.loop(k.add(low, thread), high, k.index(step * unroll), partials,
                [&](Value term, ValueRange carried) {
                  SmallVector<SmallVector<Value>> positions;
                  for (int64_t copy = 0; copy < unroll; ++copy) {
                    SmallVector<Value> &here = positions.emplace_back(dims);
                    Value rest = k.add(term, k.index(copy * step));
                    for (auto [number, dim] :
                         llvm::enumerate(llvm::reverse(strategy.reduced))) {
                      int64_t extent = problem.extents[dim];
                      if (isRow && dim == strategy.vectorDim)
                        extent /= strategy.lanes;
                      bool isLast = number + 1 == strategy.reduced.size();
                      here[dim] = isLast ? rest : k.rem(rest, extent);
                      if (!isLast)
                        rest = k.div(rest, extent);
                      if (isRow && dim == strategy.vectorDim)
                        here[dim] = k.mul(here[dim], strategy.lanes);
                    }
                  }
                  Partials next(carried);
                  this->step(positions, strategy.lanes, next);
                  return next;
                });
}

/// What is left of each row behind its last vector.
Partials ReductionEmitter::emitRest(Value high, Partials partials) {
  int64_t extent = problem.extents[strategy.vectorDim];
  int64_t rest = extent % strategy.lanes;
  return k.loop(thread, high, k.index(strategy.along), partials,
                [&](Value term, ValueRange carried) {
                  SmallVector<Value> here(dims);
                  here[strategy.vectorDim] =
                      k.add(k.rem(term, rest), k.index(extent - rest));
                  Value row = k.div(term, rest);
                  SmallVector<unsigned> outer(strategy.reduced.begin(),
                                              strategy.reduced.end() - 1);
                  if (!outer.empty())
                    k.delinearize(row, outer, here);
                  Partials next(carried);
                  step(here, 1, next);
                  return next;
                });
}

Partials ReductionEmitter::emitTerms(Partials partials) {
  int64_t terms = strategy.getTerms(problem);
  int64_t stride = strategy.along * strategy.unroll;
  // Splits are a whole number of steps of the loop, but for the last one.
  int64_t perSplit =
      llvm::alignTo(llvm::divideCeil(terms, strategy.splits), stride);
  Value low = k.index(0), whole = k.index(terms / stride * stride),
        high = k.index(terms);
  if (split) {
    low = k.mul(split, perSplit);
    Value end = k.add(low, k.index(perSplit));
    whole = k.min(end, whole);
    high = k.min(end, high);
  }
  auto limit = [&](Value end) {
    return hasResult ? k.select(hasResult, end, k.index(0)) : end;
  };
  if (terms >= stride)
    partials =
        emitRange(low, limit(whole), strategy.along, strategy.unroll, partials);
  if (terms % stride != 0)
    partials = emitRange(split ? k.max(low, whole) : whole, limit(high),
                         strategy.along, 1, partials);
  int64_t extent = isRow ? problem.extents[strategy.vectorDim] : 1;
  int64_t rest = isRow ? extent % strategy.lanes : 0;
  if (rest == 0)
    return partials;
  // The first split takes all of them.
  int64_t rows = terms / (extent / strategy.lanes);
  Value end = limit(k.index(rows * rest));
  if (split)
    end = k.select(k.lessThan(split, 1), end, k.index(0));
  return emitRest(end, partials);
}

//===----------------------------------------------------------------------===//
// The kernel
//===----------------------------------------------------------------------===//

/// What the partial results start from: a value for each lane of a result.
Partials ReductionEmitter::getInits() {
  Partials inits;
  if (problem.isContraction && problem.body) {
    Output sum;
    sum.dest.elementType = types.front();
    sum.init = problem.accumulatorInit;
    sum.fill = problem.accumulatorFill;
    sum.read = problem.accumulatorRead;
    return k.loadInit(sum, dims, resultDim, resultLanes);
  }
  for (const Output &output : problem.outputs)
    llvm::append_range(inits, k.loadInit(output, dims, resultDim, resultLanes));
  return inits;
}

void ReductionEmitter::store(Partials partials) {
  if (canCombine)
    partials = combine(getInits(), partials);
  if (problem.isContraction && problem.body)
    return k.storeResults(
        k.evaluateLanes(k.loadArguments(dims, resultDim, resultLanes, partials),
                        dims, resultDim),
        dims, resultDim);
  for (auto [number, output] : llvm::enumerate(problem.outputs))
    k.storeAlong(
        output.dest, dims, resultDim,
        ArrayRef<Value>(partials).slice(number * resultLanes, resultLanes));
}

/// Where the partial results of a split are, as the dimensions are ordered.
Value ReductionEmitter::workspacePointer(unsigned kind, int64_t numSplits,
                                         Value number, Value element) {
  int64_t elements = getNumElements(problem, strategy);
  Value base = k.offsetPointer(
      k.getWorkspace(),
      k.index(getSectionStarts(problem, numSplits * elements)[kind]));
  return LLVM::GEPOp::create(
      k.b, base.getType(), k.getMemoryType(types[kind]), base,
      ArrayRef<LLVM::GEPArg>{k.add(k.mul(number, elements), element)});
}

void ReductionEmitter::storePartials(Partials partials) {
  for (auto [number, value] : llvm::enumerate(partials)) {
    int64_t lane = static_cast<int64_t>(number) % resultLanes;
    Value element = k.add(k.mul(result, resultLanes), k.index(lane));
    LLVM::StoreOp::create(k.b, k.toMemory(value),
                          workspacePointer(number / resultLanes,
                                           strategy.splits, split, element));
  }
}

/// What the kernels of the splits have left.
Partials ReductionEmitter::emitSplits(Partials partials) {
  Value high = k.index(splits);
  if (hasResult)
    high = k.select(hasResult, high, k.index(0));
  return k.loop(thread, high, k.index(strategy.along), partials,
                [&](Value number, ValueRange carried) {
                  Partials terms;
                  for (unsigned output = 0; output < carried.size(); ++output) {
                    Type type = carried[output].getType();
                    Value loaded = LLVM::LoadOp::create(
                        k.b, k.getMemoryType(type),
                        workspacePointer(output, splits, number, result));
                    terms.push_back(k.fromMemory(loaded, type));
                  }
                  return combine(carried, terms);
                });
}

LaunchShape ReductionEmitter::emit() {
  int64_t results = strategy.getResults(problem);
  int64_t groups = llvm::divideCeil(results, strategy.across);
  LaunchShape launch;
  launch.blocks = groups * strategy.splits;
  launch.threads = strategy.along * strategy.across;
  launch.sharedBytes = strategy.getSharedBytes(problem);

  Value block = k.blockId(), id = k.threadId();
  if (strategy.splits > 1) {
    split = k.div(block, groups);
    block = k.rem(block, groups);
  }
  // The threads of a warp are neighbours in memory.
  Value inBlock =
      isRow ? k.div(id, strategy.along) : k.rem(id, strategy.across);
  thread = isRow ? k.rem(id, strategy.along) : k.div(id, strategy.across);
  result = k.add(k.mul(block, strategy.across), inBlock);
  if (results % strategy.across != 0)
    hasResult = k.lessThan(result, results);

  dims.assign(problem.getNumDims(), Value());
  Value rest = result;
  for (auto [number, dim] : llvm::enumerate(llvm::reverse(strategy.order))) {
    int64_t extent = problem.extents[dim];
    bool isVector = dim == strategy.vectorDim;
    if (isVector)
      extent /= strategy.lanes;
    bool isLast = number + 1 == strategy.order.size();
    dims[dim] = isLast ? rest : k.rem(rest, extent);
    if (!isLast)
      rest = k.div(rest, extent);
    if (isVector)
      dims[dim] = k.mul(dims[dim], strategy.lanes);
  }

  if (!canCombine) {
    k.when(hasResult, [&] {
      hasResult = Value();
      store(emitTerms(getInits()));
    });
    k.finish();
    return launch;
  }
  Partials partials = getNeutrals(strategy.lanes);
  partials = splits > 1 ? emitSplits(partials) : emitTerms(partials);
  if (isRow) {
    partials = combineLanes(partials);
    partials = combineWarp(partials, std::min(strategy.along, kWarpSize));
    if (strategy.along > kWarpSize)
      partials = combineWarps(partials);
  } else {
    partials = combineRows(partials);
  }
  Value writes = strategy.along > 1 ? k.lessThan(thread, 1) : Value();
  k.when(k.logicalAnd(writes, hasResult), [&] {
    if (split)
      storePartials(partials);
    else
      store(partials);
  });
  k.finish();
  return launch;
}

LaunchShape simt::emitReduction(gpu::GPUModuleOp module, func::FuncOp kernel,
                                StringRef name, const Problem &problem,
                                const ReductionStrategy &strategy) {
  Workspace workspace = strategy.splits > 1 ? Workspace::Last : Workspace::None;
  return ReductionEmitter(module, kernel, name, problem, strategy, workspace,
                          /*splits=*/1)
      .emit();
}

LaunchShape simt::emitCombination(gpu::GPUModuleOp module, func::FuncOp kernel,
                                  StringRef name, const Problem &problem,
                                  const ReductionStrategy &strategy) {
  ReductionStrategy combination = strategy.getCombination(problem);
  return ReductionEmitter(module, kernel, name, problem, combination,
                          Workspace::First, strategy.splits)
      .emit();
}
