//===- ScatterEmitter.cpp - Loops that update slices by index -------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A warp owns some rows of the destination, of which it updates a part that has
// a vector for each lane. It goes through all iterations, of which its lanes
// look at 32 at once, to find those that are for its rows. An element is only
// touched by one thread, in the order of the loop, so that neither atomics nor
// barriers are needed.
//
//===----------------------------------------------------------------------===//

#include "KernelEmitters.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;
using namespace mlir::memrev;
using namespace mlir::memrev::simt;

/// Warps of a block, and those that a launch should have: what keeps the
/// memories of large chips busy while each warp waits for its rows.
static constexpr int64_t kBlockWarps = 4, kWarps = 2048;

namespace {

/// An index into a dimension of the destination that differs between
/// iterations: a scalar and a constant.
struct RowIndex {
  Value symbol;
  int64_t constant;
  /// Of the dimension.
  int64_t size;
};

class ScatterEmitter {
public:
  ScatterEmitter(gpu::GPUModuleOp module, func::FuncOp step, StringRef name,
                 const Problem &problem, ArrayRef<LoopRange> ranges)
      : problem(problem), step(step), ranges(ranges),
        k(module, step, name, problem, kBlockWarps * kWarpSize, Workspace::None,
          ranges.size()) {}

  LaunchShape emit();

private:
  void emitWarp(Value part, Value bucket);
  void evaluateIteration(Value iteration);
  Value isOwn(Value bucket);
  void update(ArrayRef<Value> dims);

  const Problem &problem;
  func::FuncOp step;
  ArrayRef<LoopRange> ranges;
  KernelBuilder k;

  /// The dimensions of a slice, vectors along the last one.
  SmallVector<unsigned> order;
  int64_t lanes = 1;
  /// Vectors of a slice, and the warps that share one.
  int64_t vectors = 1, parts = 1;
  int64_t iterations = 1;
  SmallVector<RowIndex> rowIndices;
  /// Into how many parts the rows are dealt.
  int64_t buckets = 1;
};

} // namespace

/// The indices of `problem`'s destination that are not the same for all
/// iterations; nothing if slices of two iterations can overlap without being
/// equal.
static std::optional<SmallVector<RowIndex>>
getRowIndices(const Problem &problem) {
  const Access &dest = problem.outputs.front().dest;
  SmallVector<RowIndex> found;
  for (auto [expr, size] : llvm::zip_equal(dest.indices, dest.shape)) {
    Linear linear =
        Linear::get(expr, problem.getNumDims(), dest.symbols.size());
    Value symbol;
    for (auto [factor, value] : llvm::zip_equal(linear.symbols, dest.symbols)) {
      if (factor == 0)
        continue;
      if (factor != 1 || symbol)
        return std::nullopt;
      symbol = value;
    }
    if (!symbol)
      continue;
    for (unsigned dim = 0; dim < problem.getNumDims(); ++dim)
      if (linear.uses(dim))
        return std::nullopt;
    found.push_back({symbol, linear.constant, size});
  }
  return found;
}

bool simt::canEmitScatter(const Problem &problem) {
  if (problem.isContraction || llvm::is_contained(problem.isReduction, true) ||
      problem.outputs.size() != 1 || !getRowIndices(problem))
    return false;
  for (unsigned dim = 0; dim < problem.getNumDims(); ++dim)
    if (!problem.outputs.front().dest.uses(dim))
      return false;
  return true;
}

/// Binds the scalars of iteration number `iteration`.
void ScatterEmitter::evaluateIteration(Value iteration) {
  Value rest = iteration;
  for (size_t i = ranges.size(); i-- > 0;) {
    const LoopRange &range = ranges[i];
    Value number = i == 0 ? rest : k.rem(rest, range.count);
    if (i != 0)
      rest = k.div(rest, range.count);
    Type type = k.b.getIndexType();
    Value index = arith::IndexCastOp::create(k.b, type, number);
    auto constant = [&](int64_t value) -> Value {
      return arith::ConstantIndexOp::create(k.b, value);
    };
    if (range.step != 1)
      index = arith::MulIOp::create(k.b, index, constant(range.step));
    if (range.start != 0)
      index = arith::AddIOp::create(k.b, index, constant(range.start));
    k.bind(step.getArgument(i), index);
  }
  for (Operation &op : step.front().without_terminator())
    if (op.getNumResults() == 1 && !isa<TensorType>(op.getResultTypes()[0]))
      k.evaluateScalar(op);
}

/// Whether the bound iteration updates a row of `bucket`.
Value ScatterEmitter::isOwn(Value bucket) {
  Value isInside, row = k.index(0);
  for (const RowIndex &index : rowIndices) {
    Value value = k.scalar(index.symbol);
    if (index.constant != 0)
      value = arith::AddIOp::create(
          k.b, value, arith::ConstantIndexOp::create(k.b, index.constant));
    // Before it is narrowed, as an unsigned number.
    isInside = k.logicalAnd(
        isInside,
        arith::CmpIOp::create(k.b, arith::CmpIPredicate::ult, value,
                              arith::ConstantIndexOp::create(k.b, index.size)));
    row = k.add(k.mul(row, index.size),
                arith::IndexCastOp::create(k.b, k.indexType, value));
  }
  return k.logicalAnd(isInside,
                      arith::CmpIOp::create(k.b, arith::CmpIPredicate::eq,
                                            k.rem(row, buckets), bucket));
}

/// One vector of the slice of the bound iteration.
void ScatterEmitter::update(ArrayRef<Value> dims) {
  unsigned vectorDim = order.empty() ? 0 : order.back();
  SmallVector<SmallVector<Value>> arguments;
  for (const std::optional<Access> &input : problem.inputs)
    arguments.push_back(k.loadAlong(*input, dims, vectorDim, lanes));
  const Output &output = problem.outputs.front();
  if (problem.body)
    arguments.push_back(k.loadInit(output, dims, vectorDim, lanes));
  SmallVector<Value> results;
  for (int64_t lane = 0; lane < lanes; ++lane) {
    SmallVector<Value> scalars =
        llvm::map_to_vector(arguments, [&](const SmallVector<Value> &values) {
          return values[lane];
        });
    if (problem.body)
      scalars = k.evaluateBody(scalars, k.advance(dims, vectorDim, lane));
    results.push_back(scalars.front());
  }
  k.storeAlong(output.dest, dims, vectorDim, results);
}

void ScatterEmitter::emitWarp(Value part, Value bucket) {
  Value lane = k.rem(k.threadId(), kWarpSize);
  Value vector = k.add(k.mul(part, kWarpSize), lane);
  Value hasVector =
      vectors % kWarpSize == 0 ? Value() : k.lessThan(vector, vectors);
  SmallVector<Value> dims(problem.getNumDims());
  if (!order.empty()) {
    SmallVector<unsigned> outer(order);
    unsigned vectorDim = outer.pop_back_val();
    int64_t inner = problem.extents[vectorDim] / lanes;
    dims[vectorDim] =
        k.mul(outer.empty() ? vector : k.rem(vector, inner), lanes);
    if (!outer.empty())
      k.delinearize(k.div(vector, inner), outer, dims);
  }

  Type i32 = k.b.getI32Type();
  auto integer = [&](int64_t value) -> Value {
    return arith::ConstantOp::create(k.b, k.b.getIntegerAttr(i32, value));
  };
  k.loop(k.index(0), k.index(iterations), k.index(kWarpSize), {},
         [&](Value first, ValueRange) -> SmallVector<Value> {
           // Past the last iteration a lane looks at it again.
           Value own = k.add(first, lane), exists;
           if (iterations % kWarpSize != 0) {
             exists = k.lessThan(own, iterations);
             own = k.min(own, k.index(iterations - 1));
           }
           evaluateIteration(own);
           Value found = k.logicalAnd(exists, isOwn(bucket));
           Value mask = NVVM::VoteSyncOp::create(k.b, i32, integer(-1), found,
                                                 NVVM::VoteSyncKind::ballot);
           k.loop(integer(0), LLVM::CtPopOp::create(k.b, mask), integer(1),
                  mask, [&](Value, ValueRange carried) -> SmallVector<Value> {
                    Value left = carried.front();
                    Value next = LLVM::CountTrailingZerosOp::create(
                        k.b, i32, left, /*is_zero_poison=*/true);
                    if (k.indexType != i32)
                      next = arith::ExtUIOp::create(k.b, k.indexType, next);
                    evaluateIteration(k.add(first, next));
                    k.when(hasVector, [&] { update(dims); });
                    Value less = arith::SubIOp::create(k.b, left, integer(1));
                    return {arith::AndIOp::create(k.b, left, less)};
                  });
           return {};
         });
}

LaunchShape ScatterEmitter::emit() {
  ElementwiseStrategy strategy = chooseElementwise(problem, Chip());
  order.assign(strategy.order.begin(), strategy.order.end());
  if (!order.empty()) {
    lanes = strategy.lanes;
    while (problem.extents[order.back()] % lanes != 0)
      lanes /= 2;
  }
  vectors = problem.getIterations() / lanes;
  parts = llvm::divideCeil(vectors, kWarpSize);
  for (const LoopRange &range : ranges)
    iterations *= range.count;
  rowIndices = *getRowIndices(problem);
  int64_t rows = 1;
  for (const RowIndex &index : rowIndices)
    rows *= index.size;
  buckets =
      std::min({rows, iterations, int64_t(llvm::divideCeil(kWarps, parts))});

  LaunchShape launch;
  launch.threads = kBlockWarps * kWarpSize;
  int64_t warps = parts * buckets;
  launch.blocks = llvm::divideCeil(warps, kBlockWarps);
  Value warp =
      k.add(k.mul(k.blockId(), kBlockWarps), k.div(k.threadId(), kWarpSize));
  Value exists = warps % kBlockWarps == 0 ? Value() : k.lessThan(warp, warps);
  k.when(exists, [&] { emitWarp(k.rem(warp, parts), k.div(warp, parts)); });
  k.finish();
  return launch;
}

LaunchShape simt::emitScatter(gpu::GPUModuleOp module, func::FuncOp step,
                              StringRef name, const Problem &problem,
                              ArrayRef<LoopRange> ranges) {
  return ScatterEmitter(module, step, name, problem, ranges).emit();
}
