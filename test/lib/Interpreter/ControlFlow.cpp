//===- ControlFlow.cpp - Evaluates func and scf ---------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Slices.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::memrev::testing;

/// The values that the terminator of `code` passes on, without the first
/// `skipped`. Copies: the places of a region are also its next iteration's.
static SmallVector<Datum> getYields(Machine &m, const Code &code,
                                    unsigned skipped = 0) {
  SmallVector<Datum> values;
  for (unsigned slot : ArrayRef(code.body.back().operands).drop_front(skipped))
    values.push_back(m.get(slot));
  return values;
}

static void setArguments(Machine &m, const Code &code, ArrayRef<Datum> values,
                         unsigned first = 0) {
  for (auto [slot, value] :
       llvm::zip(ArrayRef(code.arguments).drop_front(first), values))
    m.get(slot) = value;
}

static void setResults(Machine &m, const Instruction &i,
                       ArrayRef<Datum> values) {
  for (auto [n, value] : llvm::enumerate(values))
    m.set(i, n, value);
}

/// Runs region `n` and takes what it yields for the results.
static LogicalResult runRegion(Machine &m, const Instruction &i, unsigned n) {
  const Code &code = *i.regions[n];
  if (code.body.empty())
    return success();
  if (failed(m.run(code)))
    return failure();
  setResults(m, i, getYields(m, code));
  return success();
}

static LogicalResult runCall(Machine &m, const Instruction &i) {
  SmallVector<Datum> arguments, results;
  for (unsigned slot : i.operands)
    arguments.push_back(m.get(slot));
  if (failed(m.call(cast<func::CallOp>(i.op).getCallee(), arguments, results)))
    return failure();
  setResults(m, i, results);
  return success();
}

static LogicalResult runFor(Machine &m, const Instruction &i) {
  auto op = cast<scf::ForOp>(i.op);
  int64_t lower = m.integer(i, 0), upper = m.integer(i, 1),
          step = m.integer(i, 2);
  const Code &code = *i.regions[0];
  SmallVector<Datum> state;
  for (unsigned n = 3; n < i.operands.size(); ++n)
    state.push_back(m.operand(i, n));
  unsigned width = i.operandKinds[0].width;
  auto extend = [&](int64_t value) -> uint64_t {
    return width >= 64 ? uint64_t(value)
                       : uint64_t(value) & ((uint64_t(1) << width) - 1);
  };
  bool isUnsigned = op.getUnsignedCmp();
  bool runs = isUnsigned ? extend(lower) < extend(upper) : lower < upper;
  if (runs && step == 0)
    return m.fail(op, "a loop with step 0");
  // The trip count is fixed first: additions of the step may wrap around.
  uint64_t range = isUnsigned ? extend(upper) - extend(lower)
                              : uint64_t(upper) - uint64_t(lower);
  uint64_t stride = isUnsigned ? extend(step) : uint64_t(step);
  if (runs && !isUnsigned && step < 0)
    return m.fail(op, "a loop upwards with a negative step");
  uint64_t trips = runs ? range / stride + (range % stride != 0) : 0;
  for (uint64_t trip = 0; trip < trips; ++trip) {
    m.get(code.arguments[0]) =
        Datum(Cell(wrapTo(width, int64_t(uint64_t(lower) + trip * stride))));
    setArguments(m, code, state, 1);
    if (failed(m.run(code)))
      return failure();
    state = getYields(m, code);
  }
  setResults(m, i, state);
  return success();
}

static LogicalResult runIf(Machine &m, const Instruction &i) {
  bool condition = m.integer(i, 0) != 0;
  if (m.kinks())
    m.kinks()->decide(condition);
  return runRegion(m, i, condition ? 0 : 1);
}

static LogicalResult runIndexSwitch(Machine &m, const Instruction &i) {
  auto op = cast<scf::IndexSwitchOp>(i.op);
  unsigned region = 0;
  for (auto [n, value] : llvm::enumerate(op.getCases()))
    if (value == m.integer(i, 0))
      region = n + 1;
  return runRegion(m, i, region);
}

static LogicalResult runExecuteRegion(Machine &m, const Instruction &i) {
  return runRegion(m, i, 0);
}

static LogicalResult runWhile(Machine &m, const Instruction &i) {
  const Code &before = *i.regions[0], &after = *i.regions[1];
  SmallVector<Datum> state;
  for (unsigned slot : i.operands)
    state.push_back(m.get(slot));
  while (true) {
    setArguments(m, before, state);
    if (failed(m.run(before)))
      return failure();
    bool goesOn = m.get(before.body.back().operands[0]).read()[0].integer != 0;
    if (m.kinks())
      m.kinks()->decide(goesOn);
    SmallVector<Datum> passed = getYields(m, before, 1);
    if (!goesOn) {
      setResults(m, i, passed);
      return success();
    }
    setArguments(m, after, passed);
    if (failed(m.run(after)))
      return failure();
    state = getYields(m, after);
  }
}

static LogicalResult runForall(Machine &m, const Instruction &i) {
  auto op = cast<scf::ForallOp>(i.op);
  unsigned next = 0;
  auto resolve = [&](ArrayRef<int64_t> numbers) {
    SmallVector<int64_t> values;
    for (int64_t number : numbers)
      values.push_back(ShapedType::isDynamic(number) ? m.integer(i, next++)
                                                     : number);
    return values;
  };
  SmallVector<int64_t> lower = resolve(op.getStaticLowerBound());
  SmallVector<int64_t> upper = resolve(op.getStaticUpperBound());
  SmallVector<int64_t> step = resolve(op.getStaticStep());
  SmallVector<int64_t> trips;
  for (auto [l, u, s] : llvm::zip_equal(lower, upper, step)) {
    if (s <= 0)
      return m.fail(op, "a step that is not positive");
    trips.push_back(l < u ? (u - l + s - 1) / s : 0);
  }
  SmallVector<Datum> shared, outputs;
  for (unsigned n = next; n < i.operands.size(); ++n)
    shared.push_back(m.operand(i, n));
  outputs = shared;
  // Who wrote an element: the number of the iteration, plus 1.
  SmallVector<std::vector<int64_t>> writers;
  for (const Datum &output : outputs)
    writers.emplace_back(output.getNumElements(), 0);

  const Code &code = *i.regions[0];
  const Code &stores = *code.body.back().regions[0];
  int64_t iteration = 0;
  LogicalResult result = success();
  forEachIndex(trips, [&](ArrayRef<int64_t> index) {
    ++iteration;
    for (auto [n, k] : llvm::enumerate(index))
      m.get(code.arguments[n]) = Datum(Cell(lower[n] + k * step[n]));
    setArguments(m, code, shared, index.size());
    result = m.run(code);
    for (const Instruction &store : stores.body) {
      if (failed(result))
        return false;
      auto insert = dyn_cast<tensor::ParallelInsertSliceOp>(store.op);
      if (!insert)
        continue;
      const Datum source = m.operand(store, 0);
      unsigned number = cast<BlockArgument>(insert.getDest()).getArgNumber() -
                        unsigned(index.size());
      Slice slice = getSlice(m, store, 2);
      unsigned width = source.getCells();
      MutableArrayRef<Cell> cells = outputs[number].write();
      result = forEachElement(
          m, insert, slice, shared[number], [&](int64_t at, int64_t e) {
            int64_t &last = writers[number][at];
            for (unsigned c = 0; c < width; ++c) {
              Cell &cell = cells[at * width + c];
              Cell value = source.read()[e * width + c];
              if (last != 0 && last != iteration &&
                  cell.integer != value.integer)
                return m.fail(insert, "iterations write different values to "
                                      "one element");
              cell = value;
            }
            last = iteration;
            return success();
          });
    }
    return succeeded(result);
  });
  if (failed(result))
    return failure();
  setResults(m, i, outputs);
  return success();
}

static LogicalResult runAssert(Machine &m, const Instruction &i) {
  if (m.integer(i, 0) == 0)
    return m.fail(i.op, cast<cf::AssertOp>(i.op).getMsg());
  return success();
}

void mlir::memrev::testing::addControlFlowHandlers(Handlers &handlers) {
  handlers["cf.assert"] = {runAssert};
  handlers["func.call"] = {runCall};
  handlers["scf.execute_region"] = {runExecuteRegion};
  handlers["scf.for"] = {runFor};
  handlers["scf.forall"] = {runForall};
  // The loop around it runs its region.
  handlers["scf.forall.in_parallel"] = {};
  handlers["scf.if"] = {runIf};
  handlers["scf.index_switch"] = {runIndexSwitch};
  handlers["scf.while"] = {runWhile};
}
