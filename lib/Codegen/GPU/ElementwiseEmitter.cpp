//===- ElementwiseEmitter.cpp - Kernels without reductions ----------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Elementwise operations, broadcasts, padding and all that only moves elements.
//
//===----------------------------------------------------------------------===//

#include "KernelEmitters.h"

using namespace mlir;
using namespace mlir::memrev;
using namespace mlir::memrev::simt;

namespace {

class ElementwiseEmitter {
public:
  ElementwiseEmitter(gpu::GPUModuleOp module, func::FuncOp kernel,
                     const Problem &problem,
                     const ElementwiseStrategy &strategy)
      : problem(problem), strategy(strategy),
        k(module, kernel, kernel.getName(), problem, strategy.threads) {}

  LaunchShape emit() {
    LaunchShape launch =
        strategy.tileDim < 0 ? emitVectors() : emitSharedTiles();
    k.finish();
    return launch;
  }

private:
  LaunchShape emitVectors();
  LaunchShape emitSharedTiles();
  void emitVector(ArrayRef<Value> dims);
  Lanes load(ArrayRef<Value> dims, int64_t lanes) {
    return k.loadArguments(dims, vectorDim, lanes);
  }
  void compute(ArrayRef<Value> dims, const Lanes &arguments) {
    k.storeResults(k.evaluateLanes(arguments, dims, vectorDim), dims,
                   vectorDim);
  }

  const Problem &problem;
  const ElementwiseStrategy &strategy;
  KernelBuilder k;
  unsigned vectorDim = 0;
};

} // namespace

/// One vector, or what is left of the extent for the last one of a row.
void ElementwiseEmitter::emitVector(ArrayRef<Value> dims) {
  auto emitWhole = [&] { compute(dims, load(dims, strategy.lanes)); };
  if (strategy.lanes == 1)
    return emitWhole();
  int64_t extent = problem.extents[vectorDim];
  int64_t rest = extent % strategy.lanes;
  if (rest == 0)
    return emitWhole();
  Value start = dims[vectorDim];
  Value isWhole = k.lessThan(start, extent - rest);
  k.choose(isWhole, emitWhole, [&] {
    k.loop(start, k.index(extent), k.index(1), {},
           [&](Value position, ValueRange) -> SmallVector<Value> {
             SmallVector<Value> here(dims);
             here[vectorDim] = position;
             compute(here, load(here, 1));
             return {};
           });
  });
}

LaunchShape ElementwiseEmitter::emitVectors() {
  SmallVector<unsigned> outer(strategy.order.begin(), strategy.order.end());
  int64_t inner = 1;
  if (!outer.empty()) {
    vectorDim = outer.pop_back_val();
    inner = llvm::divideCeil(problem.extents[vectorDim], strategy.lanes);
  }
  int64_t rows = 1;
  for (unsigned dim : outer)
    rows *= problem.extents[dim];
  int64_t total = rows * inner;
  int64_t threads = strategy.threads, perBlock = threads * strategy.vectors;
  LaunchShape launch;
  launch.threads = threads;
  launch.blocks = llvm::divideCeil(total, perBlock);

  Value first = k.add(k.mul(k.blockId(), perBlock), k.threadId());
  // Where a block's threads are whole rows, a thread stays at its place in
  // them.
  bool staysInRow = threads % inner == 0;
  Value place = k.rem(first, inner), row = k.div(first, inner);
  auto getDims = [&](int64_t vector) {
    SmallVector<Value> dims(problem.getNumDims());
    Value id = k.add(first, k.index(vector * threads));
    if (!outer.empty())
      k.delinearize(staysInRow ? k.add(row, k.index(vector * (threads / inner)))
                               : k.div(id, inner),
                    outer, dims);
    if (vectorDim < dims.size())
      dims[vectorDim] = k.mul(outer.empty() ? id
                              : staysInRow  ? place
                                            : k.rem(id, inner),
                              strategy.lanes);
    return dims;
  };

  if (strategy.vectors == 1) {
    Value isInside = total % perBlock == 0 ? Value() : k.lessThan(first, total);
    k.when(isInside, [&] { emitVector(getDims(0)); });
    return launch;
  }
  auto emitFull = [&] {
    bool hasRest = problem.extents[vectorDim] % strategy.lanes != 0;
    std::vector<Lanes> loaded;
    SmallVector<SmallVector<Value>> dims;
    for (int64_t vector = 0; vector < strategy.vectors; ++vector) {
      dims.push_back(getDims(vector));
      if (hasRest)
        emitVector(dims.back());
      else
        loaded.push_back(load(dims.back(), strategy.lanes));
    }
    for (auto [here, arguments] : llvm::zip(dims, loaded))
      compute(here, arguments);
  };
  if (total % perBlock == 0) {
    emitFull();
    return launch;
  }
  // The last block has too few.
  Value isFull = k.lessThan(k.blockId(), total / perBlock);
  k.choose(isFull, emitFull, [&] {
    k.loop(first, k.index(total), k.index(threads), {},
           [&](Value id, ValueRange) -> SmallVector<Value> {
             SmallVector<Value> dims(problem.getNumDims());
             k.delinearize(k.div(id, inner), outer, dims);
             dims[vectorDim] = k.mul(k.rem(id, inner), strategy.lanes);
             emitVector(dims);
             return {};
           });
  });
  return launch;
}

/// A block moves a square of elements through shared memory, which threads
/// write along one dimension and read along the other. A row is one element
/// longer, so that neither meets a bank twice.
LaunchShape ElementwiseEmitter::emitSharedTiles() {
  constexpr int64_t side = kWarpSize, pitch = side + 1;
  vectorDim = strategy.order.back();
  unsigned tileDim = strategy.tileDim;
  int64_t blockRows = strategy.threads / kWarpSize;
  SmallVector<unsigned> outer;
  LaunchShape launch;
  launch.threads = strategy.threads;
  for (int64_t dim : strategy.order)
    if (dim != strategy.tileDim && dim != strategy.order.back()) {
      outer.push_back(dim);
      launch.blocks *= problem.extents[dim];
    }
  int64_t across = llvm::divideCeil(problem.extents[vectorDim], side);
  int64_t along = llvm::divideCeil(problem.extents[tileDim], side);
  launch.blocks *= across * along;

  SmallVector<Value> corner(problem.getNumDims());
  Value block = k.blockId();
  corner[vectorDim] = k.mul(k.rem(block, across), side);
  block = k.div(block, across);
  corner[tileDim] = k.mul(k.rem(block, along), side);
  if (!outer.empty())
    k.delinearize(k.div(block, along), outer, corner);
  Value lane = k.rem(k.threadId(), side), row = k.div(k.threadId(), side);

  // Both dimensions of a point `step` block rows further down.
  auto getDims = [&](unsigned laneDim, unsigned rowDim, int64_t step) {
    SmallVector<Value> dims(corner);
    dims[laneDim] = k.add(corner[laneDim], lane);
    dims[rowDim] = k.add(corner[rowDim], k.add(row, k.index(step * blockRows)));
    return dims;
  };
  auto isInside = [&](ArrayRef<Value> dims) {
    Value inside;
    for (unsigned dim : {vectorDim, tileDim})
      if (problem.extents[dim] % side != 0)
        inside =
            k.logicalAnd(inside, k.lessThan(dims[dim], problem.extents[dim]));
    return inside;
  };
  auto getShared = [&](int64_t start, Type type, Value major, Value minor) {
    Value offset = k.add(k.mul(major, pitch), minor);
    Value base = LLVM::GEPOp::create(k.b, k.sharedMemory().getType(),
                                     k.b.getI8Type(), k.sharedMemory(),
                                     ArrayRef<LLVM::GEPArg>{int32_t(start)});
    return LLVM::GEPOp::create(k.b, base.getType(), k.getMemoryType(type), base,
                               ArrayRef<LLVM::GEPArg>{offset})
        .getResult();
  };

  DenseMap<unsigned, int64_t> starts;
  for (auto [number, input] : llvm::enumerate(problem.inputs)) {
    if (!isTransposed(*input, problem, vectorDim, tileDim))
      continue;
    int64_t bytes = getByteSize(input->elementType);
    launch.sharedBytes = llvm::alignTo(launch.sharedBytes, bytes);
    starts[number] = launch.sharedBytes;
    launch.sharedBytes += side * pitch * bytes;
  }
  int64_t steps = side / blockRows;
  for (auto [number, input] : llvm::enumerate(problem.inputs)) {
    if (!starts.contains(number))
      continue;
    // All loads before the first store.
    SmallVector<Value> values;
    for (int64_t step = 0; step < steps; ++step) {
      SmallVector<Value> dims = getDims(tileDim, vectorDim, step);
      values.push_back(k.load(*input, dims, 1, isInside(dims)).front());
    }
    for (auto [step, value] : llvm::enumerate(values)) {
      Value major = k.add(row, k.index(step * blockRows));
      LLVM::StoreOp::create(
          k.b, k.toMemory(value),
          getShared(starts[number], input->elementType, major, lane));
    }
  }
  k.barrier();
  for (int64_t step = 0; step < steps; ++step) {
    SmallVector<Value> dims = getDims(vectorDim, tileDim, step);
    k.when(isInside(dims), [&] {
      Lanes arguments;
      for (auto [number, input] : llvm::enumerate(problem.inputs)) {
        auto start = starts.find(number);
        if (start == starts.end()) {
          arguments.push_back(k.load(*input, dims, 1));
          continue;
        }
        Value minor = k.add(row, k.index(step * blockRows));
        Value value = LLVM::LoadOp::create(
            k.b, k.getMemoryType(input->elementType),
            getShared(start->second, input->elementType, lane, minor));
        arguments.push_back({k.fromMemory(value, input->elementType)});
      }
      if (problem.body)
        for (const Output &output : problem.outputs)
          arguments.push_back(k.loadInit(output, dims, vectorDim, 1));
      compute(dims, arguments);
    });
  }
  return launch;
}

LaunchShape simt::emitElementwise(gpu::GPUModuleOp module, func::FuncOp kernel,
                                  const Problem &problem,
                                  const ElementwiseStrategy &strategy) {
  return ElementwiseEmitter(module, kernel, problem, strategy).emit();
}
