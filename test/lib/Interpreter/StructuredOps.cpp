//===- StructuredOps.cpp - Evaluates linalg operations --------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every structured operation, named or not, is its maps, its iterators and its
// scalar body.
//
//===----------------------------------------------------------------------===//

#include "Slices.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include <cmath>

using namespace mlir;
using namespace mlir::memrev::testing;

namespace {

/// Where the iterations of an operation find the elements of an operand.
class Access {
public:
  explicit Access(AffineMap map) : map(map) {
    SmallVector<int64_t> zero(map.getNumDims(), 0);
    // An expression is linear if its value at every index is that of the unit
    // vectors' sum; divisions and remainders are the only ones that are not.
    isLinear = true;
    map.walkExprs([&](AffineExpr expr) {
      isLinear &= expr.getKind() != AffineExprKind::FloorDiv &&
                  expr.getKind() != AffineExprKind::CeilDiv &&
                  expr.getKind() != AffineExprKind::Mod;
    });
    if (!isLinear)
      return;
    for (AffineExpr expr : map.getResults()) {
      starts.push_back(evaluate(expr, zero, map.getNumDims()));
      for (unsigned d = 0; d < map.getNumDims(); ++d) {
        zero[d] = 1;
        factors.push_back(evaluate(expr, zero, map.getNumDims()) -
                          starts.back());
        zero[d] = 0;
      }
    }
  }

  /// The position in `datum` at `iteration`; -1 if it is out of bounds.
  int64_t locate(const Datum &datum, ArrayRef<int64_t> iteration) {
    index.resize(map.getNumResults());
    for (unsigned r = 0; r < map.getNumResults(); ++r) {
      if (!isLinear) {
        index[r] = evaluate(map.getResult(r), iteration, map.getNumDims());
        continue;
      }
      index[r] = starts[r];
      for (auto [d, i] : llvm::enumerate(iteration))
        index[r] += factors[r * iteration.size() + d] * i;
    }
    return datum.linearize(index);
  }

private:
  AffineMap map;
  bool isLinear;
  SmallVector<int64_t, 4> starts;
  SmallVector<int64_t, 16> factors;
  SmallVector<int64_t, 6> index;
};

/// What stays the same from run to run.
struct Structure {
  std::vector<Access> accesses;
  AffineMap shapeToLoops;
  SmallVector<unsigned> parallel;
  /// For each result, whether two parallel iterations may meet in an element.
  SmallVector<bool> mayCollide;
};

} // namespace

static std::shared_ptr<Structure> analyze(linalg::LinalgOp op) {
  auto structure = std::make_shared<Structure>();
  for (AffineMap map : op.getIndexingMapsArray())
    structure->accesses.emplace_back(map);
  structure->shapeToLoops = op.getShapesToLoopsMap();
  op.getParallelDims(structure->parallel);
  for (OpOperand &init : op.getDpsInitsMutable()) {
    AffineMap map = op.getMatchingIndexingMap(&init);
    structure->mayCollide.push_back(
        !llvm::all_of(structure->parallel, [&](unsigned dim) {
          return llvm::is_contained(map.getResults(),
                                    getAffineDimExpr(dim, map.getContext()));
        }));
  }
  return structure;
}

LogicalResult mlir::memrev::testing::runStructured(Machine &m,
                                                   const Instruction &i) {
  auto op = cast<linalg::LinalgOp>(i.op);
  if (!i.memo)
    i.memo = analyze(op);
  Structure &structure = *static_cast<Structure *>(i.memo.get());
  if (!structure.shapeToLoops)
    return m.fail(op, "loops whose extents nothing tells");

  SmallVector<int64_t> extents;
  for (unsigned n = 0; n < i.operands.size(); ++n)
    llvm::append_range(extents, m.operand(i, n).getShape());
  SmallVector<int64_t, 6> loops;
  for (AffineExpr expr : structure.shapeToLoops.getResults())
    loops.push_back(
        evaluate(expr, extents, structure.shapeToLoops.getNumDims()));

  unsigned numInputs = op.getNumDpsInputs(), numInits = op.getNumDpsInits();
  SmallVector<Datum> operands;
  for (unsigned n = 0; n < i.operands.size(); ++n)
    operands.push_back(m.operand(i, n));
  // Who wrote an element: the number of the parallel iteration, plus 1.
  SmallVector<std::vector<int64_t>> writers(numInits);
  for (unsigned k = 0; k < numInits; ++k)
    if (structure.mayCollide[k])
      writers[k].assign(operands[numInputs + k].getNumElements(), 0);

  const Code &body = *i.regions[0];
  SmallVector<int64_t> positions(operands.size());
  m.iterations.push_back({});
  LogicalResult result = success();
  forEachIndex(loops, [&](ArrayRef<int64_t> iteration) {
    m.iterations.back() = iteration;
    for (auto [n, operand] : llvm::enumerate(operands)) {
      if (operand.isTensor()) {
        positions[n] = structure.accesses[n].locate(operand, iteration);
        if (positions[n] < 0) {
          result = m.fail(op, "operand " + Twine(n) + " is read out of bounds");
          return false;
        }
      } else {
        positions[n] = 0;
      }
      // A map's block has no arguments for what it overwrites.
      if (n >= body.arguments.size())
        continue;
      ArrayRef<Cell> cells = operand.read();
      unsigned width = operand.getCells();
      if (width == 1)
        m.get(body.arguments[n]).setScalar(cells[positions[n]]);
      else
        m.get(body.arguments[n])
            .setScalar(cells[2 * positions[n]], cells[2 * positions[n] + 1]);
    }
    result = m.run(body);
    if (failed(result))
      return false;
    int64_t writer = 1;
    for (unsigned dim : structure.parallel)
      writer = writer * loops[dim] + iteration[dim];
    for (unsigned k = 0; k < numInits; ++k) {
      Datum &output = operands[numInputs + k];
      ArrayRef<Cell> value = m.get(body.body.back().operands[k]).read();
      int64_t position = positions[numInputs + k];
      unsigned width = output.getCells();
      MutableArrayRef<Cell> cells = output.write();
      if (structure.mayCollide[k]) {
        int64_t &last = writers[k][position];
        bool isSame = true;
        for (unsigned c = 0; c < width; ++c)
          isSame &= cells[position * width + c].integer == value[c].integer;
        if (last != 0 && last != writer && !isSame) {
          result = m.fail(op, "parallel iterations write different values to "
                              "one element of result " +
                                  Twine(k));
          return false;
        }
        last = writer;
      }
      for (unsigned c = 0; c < width; ++c)
        cells[position * width + c] = value[c];
    }
    return true;
  });
  m.iterations.pop_back();
  if (failed(result))
    return failure();
  for (unsigned k = 0; k < numInits; ++k)
    m.set(i, k, std::move(operands[numInputs + k]));
  return success();
}

static LogicalResult runIndex(Machine &m, const Instruction &i) {
  int64_t dim = cast<linalg::IndexOp>(i.op).getDim();
  m.set(i, 0, Datum(Cell(m.iterations.back()[dim])));
  return success();
}

//===----------------------------------------------------------------------===//
// Operations that are not structured
//===----------------------------------------------------------------------===//

static LogicalResult runSoftmax(Machine &m, const Instruction &i) {
  auto op = cast<linalg::SoftmaxOp>(i.op);
  const Datum &input = m.operand(i, 0);
  int64_t dim = op.getDimension();
  SmallVector<int64_t> rows(input.getShape());
  int64_t extent = rows[dim], stride = 1;
  rows[dim] = 1;
  for (int64_t inner : ArrayRef<int64_t>(rows).drop_front(dim + 1))
    stride *= inner;
  Datum result(input.getShape(), 1, Cell());
  ArrayRef<Cell> x = input.read();
  MutableArrayRef<Cell> y = result.write();
  const ElementKind &kind = i.resultKinds[0];
  forEachIndex(rows, [&](ArrayRef<int64_t> row) {
    int64_t first = input.linearize(row);
    double largest = -INFINITY, sum = 0;
    for (int64_t k = 0; k < extent; ++k)
      largest = std::max(largest, x[first + k * stride].real);
    for (int64_t k = 0; k < extent; ++k) {
      double &power = y[first + k * stride].real;
      power = m.round(kind, std::exp(x[first + k * stride].real - largest));
      sum = m.round(kind, sum + power);
    }
    for (int64_t k = 0; k < extent; ++k) {
      double &power = y[first + k * stride].real;
      power = m.round(kind, power / sum);
    }
    return true;
  });
  m.set(i, 0, std::move(result));
  return success();
}

/// Calls `body` for each element of `packed` with its position there and in
/// `plain`, -1 if it is padding.
template <typename OpTy>
static void forEachPacked(OpTy op, const Datum &packed, const Datum &plain,
                          ArrayRef<int64_t> tiles,
                          function_ref<void(int64_t, int64_t)> body) {
  size_t rank = plain.getShape().size();
  ArrayRef<int64_t> outer = op.getOuterDimsPerm();
  SmallVector<int64_t> index(rank);
  int64_t element = 0;
  forEachIndex(packed.getShape(), [&](ArrayRef<int64_t> at) {
    for (size_t d = 0; d < rank; ++d)
      index[outer.empty() ? d : outer[d]] = at[d];
    for (auto [k, dim] : llvm::enumerate(op.getInnerDimsPos()))
      index[dim] = index[dim] * tiles[k] + at[rank + k];
    body(element++, plain.linearize(index));
    return true;
  });
}

template <typename OpTy>
static SmallVector<int64_t> getTiles(const Datum &packed, OpTy op) {
  return llvm::to_vector(
      packed.getShape().take_back(op.getInnerDimsPos().size()));
}

static LogicalResult runPack(Machine &m, const Instruction &i) {
  auto op = cast<linalg::PackOp>(i.op);
  Datum source = m.operand(i, 0), result = m.operand(i, 1);
  std::optional<Cell> padding;
  if (op.getPaddingValue())
    padding = m.operand(i, 2).read()[0];
  MutableArrayRef<Cell> cells = result.write();
  forEachPacked(
      op, result, source, getTiles(result, op), [&](int64_t to, int64_t from) {
        if (from >= 0)
          cells[to] = source.read()[from];
        else
          cells[to] = padding.value_or(getUnwritten(i.resultKinds[0]));
      });
  m.set(i, 0, std::move(result));
  return success();
}

static LogicalResult runUnPack(Machine &m, const Instruction &i) {
  auto op = cast<linalg::UnPackOp>(i.op);
  Datum source = m.operand(i, 0), result = m.operand(i, 1);
  MutableArrayRef<Cell> cells = result.write();
  forEachPacked(op, source, result, getTiles(source, op),
                [&](int64_t from, int64_t to) {
                  if (to >= 0)
                    cells[to] = source.read()[from];
                });
  m.set(i, 0, std::move(result));
  return success();
}

void mlir::memrev::testing::addStructuredHandlers(Handlers &handlers) {
  handlers["linalg.index"] = {runIndex};
  handlers["linalg.pack"] = {runPack};
  handlers["linalg.softmax"] = {runSoftmax};
  handlers["linalg.unpack"] = {runUnPack};
}
