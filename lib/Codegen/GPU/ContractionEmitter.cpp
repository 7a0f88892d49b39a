//===- ContractionEmitter.cpp - Contractions on matrix units --------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ContractionEmitter.h"
#include "TileCopy.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace mlir::memrev;
using namespace mlir::memrev::simt;

/// Elements between the ends of rows of sums: pairs that the lanes of a warp
/// write then lie in different banks.
static constexpr int64_t kSumGap = 8;
/// Threads of a block that adds up splits.
static constexpr int64_t kCombinationThreads = 256;

int64_t simt::getSumStride(const ContractionStrategy &strategy) {
  return strategy.columns + kSumGap;
}

int64_t simt::getSharedBytes(const Problem &problem,
                             const ContractionStrategy &strategy) {
  ContractionShape shape(problem, strategy.swap);
  int64_t stage =
      TileLayout(shape.first, strategy.rows, strategy).getBytes() +
      TileLayout(shape.second, strategy.columns, strategy).getBytes();
  return std::max(strategy.stages * stage, strategy.rows *
                                               getSumStride(strategy) *
                                               getSumBytes(strategy.unit));
}

RankedTensorType simt::getWorkspaceType(const Problem &problem,
                                        const ContractionStrategy &strategy) {
  ContractionShape shape(problem, strategy.swap);
  return RankedTensorType::get(
      {strategy.splits,
       shape.batch.extent * shape.rows.extent * shape.columns.extent},
      getSumType(strategy.unit, problem.loc.getContext()));
}

//===----------------------------------------------------------------------===//
// From sums to results
//===----------------------------------------------------------------------===//

/// How many neighbouring columns a thread finishes together.
static int64_t getResultLanes(const Problem &problem,
                              const ContractionShape &shape) {
  const Access &dest = problem.outputs.front().dest;
  int64_t lanes = kVectorBytes / getByteSize(dest.elementType);
  while (lanes > 1 &&
         !isVector(dest, shape.columns.dims.back(), lanes, problem))
    lanes /= 2;
  return lanes;
}

static bool startsFromZero(const Problem &problem) {
  return problem.accumulatorInit == InitKind::Fill &&
         matchPattern(problem.accumulatorFill, m_AnyZeroFloat());
}

/// Writes what becomes of the complete `sums` at `dims` and the columns after.
static void emitResults(KernelBuilder &k, const ContractionShape &shape,
                        ArrayRef<Value> dims, SmallVector<Value> sums) {
  const Problem &problem = k.problem;
  unsigned dim = shape.columns.dims.back();
  int64_t lanes = sums.size();
  Type wide = sums.front().getType();
  if (!startsFromZero(problem)) {
    Output init;
    init.dest = problem.outputs.front().dest;
    init.init = problem.accumulatorInit;
    init.fill = problem.accumulatorFill;
    init.read = problem.accumulatorRead;
    for (auto [sum, start] :
         llvm::zip_equal(sums, k.loadInit(init, dims, dim, lanes))) {
      if (start.getType() != wide)
        start = arith::ExtFOp::create(k.b, wide, start);
      sum = arith::AddFOp::create(k.b, start, sum);
    }
  }
  for (Value &sum : sums)
    if (problem.sumType != wide)
      sum = arith::TruncFOp::create(k.b, problem.sumType, sum);
  if (!problem.body) {
    k.storeAlong(problem.outputs.front().dest, dims, dim, sums);
    return;
  }

  k.storeResults(
      k.evaluateLanes(k.loadArguments(dims, dim, lanes, sums), dims, dim), dims,
      dim);
}

/// The workspace's elements from `offset` on.
static Value getWorkspacePointer(KernelBuilder &k, Type type, Value offset) {
  Value base = k.getWorkspace();
  return LLVM::GEPOp::create(k.b, base.getType(), type, base,
                             ArrayRef<LLVM::GEPArg>{offset});
}

static SmallVector<Value> loadVector(KernelBuilder &k, Value pointer, Type type,
                                     int64_t lanes) {
  int64_t bytes = getByteSize(type);
  if (lanes == 1)
    return {LLVM::LoadOp::create(k.b, type, pointer, bytes)};
  // One access has 16 bytes at most.
  SmallVector<Value> values;
  int64_t most = std::min(lanes, kVectorBytes / bytes);
  for (int64_t first = 0; first < lanes; first += most) {
    Value part = LLVM::GEPOp::create(k.b, pointer.getType(), type, pointer,
                                     ArrayRef<LLVM::GEPArg>{int32_t(first)});
    Value vector = LLVM::LoadOp::create(k.b, VectorType::get(most, type), part,
                                        most * bytes);
    for (int64_t lane = 0; lane < most; ++lane)
      values.push_back(LLVM::ExtractElementOp::create(
          k.b, vector, LLVM::ConstantOp::create(k.b, k.b.getI32Type(), lane)));
  }
  return values;
}

/// The counterpart of `loadVector`.
static void storeVector(KernelBuilder &k, Value pointer,
                        ArrayRef<Value> values) {
  Type type = values.front().getType();
  int64_t bytes = getByteSize(type);
  int64_t lanes = values.size(), most = std::min(lanes, kVectorBytes / bytes);
  for (int64_t first = 0; first < lanes; first += most) {
    Value stored = values[first];
    if (most > 1)
      stored = LLVM::PoisonOp::create(k.b, VectorType::get(most, type));
    for (int64_t lane = 0; most > 1 && lane < most; ++lane)
      stored = LLVM::InsertElementOp::create(
          k.b, stored, values[first + lane],
          LLVM::ConstantOp::create(k.b, k.b.getI32Type(), lane));
    Value part = LLVM::GEPOp::create(k.b, pointer.getType(), type, pointer,
                                     ArrayRef<LLVM::GEPArg>{int32_t(first)});
    LLVM::StoreOp::create(k.b, stored, part, most * bytes);
  }
}

//===----------------------------------------------------------------------===//
// The kernel
//===----------------------------------------------------------------------===//

namespace {
class ContractionEmitter {
public:
  ContractionEmitter(gpu::GPUModuleOp module, func::FuncOp kernel,
                     StringRef name, const Problem &problem,
                     const ContractionStrategy &strategy)
      : problem(problem), strategy(strategy), shape(problem, strategy.swap),
        firstLayout(shape.first, strategy.rows, strategy),
        secondLayout(shape.second, strategy.columns, strategy),
        k(module, kernel, name, problem, strategy.getThreads(),
          strategy.splits > 1 ? Workspace::Last : Workspace::None),
        sumType(getSumType(strategy.unit, module.getContext())) {}

  LaunchShape emit();

private:
  void emitPosition();
  /// The part of the tile that the warp of `thread` multiplies.
  std::unique_ptr<WarpProduct> createProduct(bool cuts);
  SmallVector<Value> emitProducts(WarpProduct &product);
  SmallVector<Value> emitSpecialProducts(SmallVector<Value> sums);
  void emitEpilogue();

  const Problem &problem;
  const ContractionStrategy &strategy;
  ContractionShape shape;
  TileLayout firstLayout, secondLayout;
  KernelBuilder k;
  Type sumType;

  LaunchShape launch;
  Value thread, shared;
  /// Where the block's tile begins, and which batch and split it is of.
  Value row, column, batch, split;
  SmallVector<Value> batchDims;
};
} // namespace

/// Blocks are numbered with the columns fastest: those that run at the same
/// time then share rows.
void ContractionEmitter::emitPosition() {
  int64_t rowTiles = llvm::divideCeil(shape.rows.extent, strategy.rows);
  int64_t columnTiles =
      llvm::divideCeil(shape.columns.extent, strategy.columns);
  launch.threads = strategy.getThreads();
  launch.sharedBytes = getSharedBytes(problem, strategy);
  launch.blocks = columnTiles * rowTiles * strategy.splits * shape.batch.extent;
  thread = k.threadId();
  shared = k.sharedMemory();
  Value rest = k.blockId();
  auto take = [&](int64_t count, bool isLast) {
    if (count == 1)
      return k.index(0);
    Value part = isLast ? rest : k.rem(rest, count);
    rest = isLast ? rest : k.div(rest, count);
    return part;
  };
  column = k.mul(take(columnTiles, false), strategy.columns);
  row = k.mul(take(rowTiles, false), strategy.rows);
  split = take(strategy.splits, false);
  batch = take(shape.batch.extent, true);
  batchDims.assign(problem.getNumDims(), Value());
  k.delinearize(batch, shape.batch.dims, batchDims);
}

std::unique_ptr<WarpProduct> ContractionEmitter::createProduct(bool cuts) {
  WarpPosition position;
  position.lane = k.rem(thread, kWarpSize);
  Value warp = k.div(thread, kWarpSize);
  int64_t rowParts = strategy.rowWarps;
  if (strategy.unit == Unit::WarpGroup) {
    position.inGroup = k.rem(warp, kGroupWarps);
    warp = k.div(warp, kGroupWarps);
    rowParts /= kGroupWarps;
  }
  position.row =
      k.mul(k.div(warp, strategy.columnWarps), strategy.rows / rowParts);
  position.column = k.mul(k.rem(warp, strategy.columnWarps),
                          strategy.columns / strategy.columnWarps);
  return WarpProduct::create(k, strategy, firstLayout, secondLayout, position,
                             problem.lhs.elementType, cuts);
}

SmallVector<Value> ContractionEmitter::emitProducts(WarpProduct &product) {
  // Splits are whole stages, but for the last one.
  int64_t stages = llvm::divideCeil(shape.depth.extent, strategy.depth);
  int64_t perSplit = llvm::divideCeil(stages, strategy.splits);
  Value firstStage = k.mul(split, perSplit);
  Value numStages = k.index(perSplit);
  if (strategy.splits > 1 && perSplit * strategy.splits != stages) {
    // A split may be left with nothing.
    Value left = arith::MaxSIOp::create(k.b, k.sub(k.index(stages), firstStage),
                                        k.index(0));
    numStages = arith::MinSIOp::create(k.b, left, numStages);
  }

  TileCopy first(k, strategy, shape, shape.first, firstLayout, thread, row,
                 strategy.rows, batchDims);
  TileCopy second(k, strategy, shape, shape.second, secondLayout, thread,
                  column, strategy.columns, batchDims);
  int64_t stageBytes = firstLayout.getBytes() + secondLayout.getBytes();
  auto copy = [&](Value stage, Value memory) {
    k.when(
        arith::CmpIOp::create(k.b, arith::CmpIPredicate::slt, stage, numStages),
        [&] {
          Value depth = k.mul(k.add(firstStage, stage), strategy.depth);
          Value base = k.offsetPointer(shared, memory);
          first.emit(base, depth);
          second.emit(k.offsetPointer(base, k.index(firstLayout.getBytes())),
                      depth);
        });
    NVVM::CpAsyncCommitGroupOp::create(k.b);
  };
  // What is still multiplied when the next stage begins must not be written.
  int64_t ahead = strategy.stages - 1 - product.getStagesInFlight();
  for (int64_t stage = 0; stage < ahead; ++stage)
    copy(k.index(stage), k.index(stage * stageBytes));

  // Offsets of the stages that are read and written.
  SmallVector<Value> carried = product.createSums();
  carried.push_back(k.index(0));
  carried.push_back(k.index(ahead * stageBytes));
  auto next = [&](Value memory) -> Value {
    Value moved = k.add(memory, k.index(stageBytes));
    Value isEnd = arith::CmpIOp::create(k.b, arith::CmpIPredicate::eq, moved,
                                        k.index(strategy.stages * stageBytes));
    return arith::SelectOp::create(k.b, isEnd, k.index(0), moved);
  };
  carried = k.loop(k.index(0), numStages, k.index(1), carried,
                   [&](Value stage, ValueRange values) {
                     SmallVector<Value> sums(values.drop_back(2));
                     Value read = values[values.size() - 2],
                           written = values.back();
                     // All threads see this stage, and have left the one that
                     // is written next.
                     NVVM::CpAsyncWaitGroupOp::create(k.b, ahead - 1);
                     product.acquire();
                     k.barrier();
                     Value base = k.offsetPointer(shared, read);
                     Value second =
                         k.offsetPointer(base, k.index(firstLayout.getBytes()));
                     bool isAsynchronous = product.getStagesInFlight() > 0;
                     if (isAsynchronous)
                       product.multiply(base, second, sums);
                     copy(k.add(stage, k.index(ahead)), written);
                     if (!isAsynchronous)
                       product.multiply(base, second, sums);
                     product.wait(product.getStagesInFlight());
                     sums.push_back(next(read));
                     sums.push_back(next(written));
                     return sums;
                   });
  carried.pop_back_n(2);
  product.wait(0);
  NVVM::CpAsyncWaitGroupOp::create(k.b, 0);
  k.barrier();
  return carried;
}

/// Where a factor of TF32x3 is infinite, or a product overflows, the parts of
/// the product may be infinities of both signs, whose sum is NaN, or zero times
/// infinity. A block with a sum that is not finite computes its tile again, by
/// another loop that has none of this; the first one pays nothing for it.
SmallVector<Value>
ContractionEmitter::emitSpecialProducts(SmallVector<Value> sums) {
  // Zero times what is not finite is NaN.
  Value zero = k.zero(sumType), mark = zero;
  for (Value sum : sums)
    mark = LLVM::FMAOp::create(k.b, sum, zero, mark);
  Type i32 = k.b.getI32Type();
  Value isSpecial = arith::ExtUIOp::create(
      k.b, i32,
      arith::CmpFOp::create(k.b, arith::CmpFPredicate::UNO, mark, mark));
  auto isAnySpecial = NVVM::BarrierOp::create(
      k.b, i32, /*barrierId=*/Value(), /*numberOfThreads=*/Value(),
      NVVM::BarrierReductionAttr::get(k.b.getContext(),
                                      NVVM::BarrierReduction::OR),
      isSpecial);
  return k.choose(
      arith::CmpIOp::create(k.b, arith::CmpIPredicate::ne,
                            isAnySpecial.getRes(),
                            arith::ConstantIntOp::create(k.b, 0, 32)),
      TypeRange(ValueRange(sums)),
      [&] {
        // The thread's number once more, but the compiler does not know that:
        // it would keep what follows from it in registers during the first
        // loop, which has none to spare.
        Value known = thread;
        Value id = NVVM::ThreadIdXOp::create(k.b, i32);
        Value copy = NVVM::ShflOp::create(
            k.b, i32, arith::ConstantIntOp::create(k.b, -1, 32), id,
            NVVM::LaneIdOp::create(k.b, i32),
            arith::ConstantIntOp::create(k.b, kWarpSize - 1, 32),
            NVVM::ShflKind::idx, UnitAttr());
        thread = k.toIndex(copy);
        std::unique_ptr<WarpProduct> product = createProduct(/*cuts=*/true);
        SmallVector<Value> special = emitProducts(*product);
        thread = known;
        return special;
      },
      [&] { return sums; });
}

void ContractionEmitter::emitEpilogue() {
  int64_t lanes = getResultLanes(problem, shape);
  int64_t lanesPerRow = strategy.columns / lanes;
  bool isWhole = shape.rows.extent % strategy.rows == 0 &&
                 shape.columns.extent % strategy.columns == 0;
  k.loop(thread, k.index(strategy.rows * lanesPerRow),
         k.index(strategy.getThreads()), {},
         [&](Value number, ValueRange) -> SmallVector<Value> {
           Value tileRow = k.div(number, lanesPerRow);
           Value tileColumn = k.mul(k.rem(number, lanesPerRow), lanes);
           Value m = k.add(row, tileRow), n = k.add(column, tileColumn);
           Value inside;
           if (!isWhole)
             inside = k.logicalAnd(k.lessThan(m, shape.rows.extent),
                                   k.lessThan(n, shape.columns.extent));
           k.when(inside, [&] {
             Value offset =
                 k.add(k.mul(tileRow, getSumStride(strategy)), tileColumn);
             Value pointer = k.offsetPointer(
                 shared, k.mul(offset, getSumBytes(strategy.unit)));
             SmallVector<Value> sums = loadVector(k, pointer, sumType, lanes);
             if (strategy.splits == 1) {
               SmallVector<Value> dims = batchDims;
               k.delinearize(m, shape.rows.dims, dims);
               k.delinearize(n, shape.columns.dims, dims);
               emitResults(k, shape, dims, sums);
               return;
             }
             Value linear = k.add(k.mul(split, shape.batch.extent), batch);
             linear = k.add(k.mul(linear, shape.rows.extent), m);
             linear = k.add(k.mul(linear, shape.columns.extent), n);
             storeVector(k, getWorkspacePointer(k, sumType, linear), sums);
           });
           return {};
         });
}

LaunchShape ContractionEmitter::emit() {
  k.preferRegisters();
  emitPosition();
  std::unique_ptr<WarpProduct> product = createProduct(/*cuts=*/false);
  SmallVector<Value> sums = emitProducts(*product);
  if (strategy.unit == Unit::TF32x3)
    sums = emitSpecialProducts(std::move(sums));
  product->write(shared, sums);
  k.barrier();
  emitEpilogue();
  k.finish();
  return launch;
}

LaunchShape simt::emitContraction(gpu::GPUModuleOp module, func::FuncOp kernel,
                                  StringRef name, const Problem &problem,
                                  const ContractionStrategy &strategy) {
  return ContractionEmitter(module, kernel, name, problem, strategy).emit();
}

LaunchShape simt::emitCombination(gpu::GPUModuleOp module, func::FuncOp kernel,
                                  StringRef name, const Problem &problem,
                                  const ContractionStrategy &strategy) {
  ContractionShape shape(problem, strategy.swap);
  KernelBuilder k(module, kernel, name, problem, kCombinationThreads,
                  Workspace::First);
  int64_t lanes = getResultLanes(problem, shape);
  int64_t results =
      shape.batch.extent * shape.rows.extent * shape.columns.extent;
  LaunchShape launch;
  launch.threads = kCombinationThreads;
  launch.blocks = llvm::divideCeil(results / lanes, kCombinationThreads);
  Type type = getSumType(strategy.unit, module.getContext());
  Value number = k.add(k.mul(k.blockId(), kCombinationThreads), k.threadId());
  k.when(k.lessThan(number, results / lanes), [&] {
    Value first = k.mul(number, lanes);
    SmallVector<Value> sums(lanes, k.zero(type));
    sums = k.loop(k.index(0), k.index(strategy.splits), k.index(1), sums,
                  [&](Value split, ValueRange values) {
                    Value offset = k.add(k.mul(split, results), first);
                    SmallVector<Value> parts = loadVector(
                        k, getWorkspacePointer(k, type, offset), type, lanes);
                    SmallVector<Value> next;
                    for (auto [sum, part] : llvm::zip_equal(values, parts))
                      next.push_back(arith::AddFOp::create(k.b, sum, part));
                    return next;
                  });
    SmallVector<Value> dims(problem.getNumDims());
    Value columnNumber = k.rem(first, shape.columns.extent);
    Value rest = k.div(first, shape.columns.extent);
    k.delinearize(columnNumber, shape.columns.dims, dims);
    k.delinearize(k.rem(rest, shape.rows.extent), shape.rows.dims, dims);
    k.delinearize(k.div(rest, shape.rows.extent), shape.batch.dims, dims);
    emitResults(k, shape, dims, sums);
  });
  k.finish();
  return launch;
}
