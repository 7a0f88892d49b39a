//===- TensorOps.cpp - Evaluates tensor operations ------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Slices.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::memrev::testing;

/// Replaces what is dynamic in `numbers` by operands from `next` on.
static SmallVector<int64_t> resolve(Machine &m, const Instruction &i,
                                    ArrayRef<int64_t> numbers, unsigned &next) {
  SmallVector<int64_t> resolved;
  for (int64_t number : numbers)
    resolved.push_back(ShapedType::isDynamic(number) ? m.integer(i, next++)
                                                     : number);
  return resolved;
}

/// Fails if `shape` is not a shape of type `type`.
static LogicalResult verifyShape(Machine &m, Operation *op, Type type,
                                 ArrayRef<int64_t> shape) {
  auto tensor = cast<RankedTensorType>(type);
  if (tensor.getRank() != int64_t(shape.size()))
    return m.fail(op, "a value of another rank than its type");
  for (auto [expected, extent] : llvm::zip_equal(tensor.getShape(), shape))
    if (extent < 0 || (!ShapedType::isDynamic(expected) && expected != extent))
      return m.fail(op, "an extent of " + Twine(extent) +
                            " that the type has otherwise");
  return success();
}

static LogicalResult setTensor(Machine &m, const Instruction &i, Datum value) {
  if (failed(
          verifyShape(m, i.op, i.op->getResult(0).getType(), value.getShape())))
    return failure();
  m.set(i, 0, std::move(value));
  return success();
}

/// A tensor of the shape of the result, whose dynamic extents are the operands
/// from `next` on.
static FailureOr<Datum> createResult(Machine &m, const Instruction &i,
                                     unsigned next) {
  auto type = cast<RankedTensorType>(i.op->getResult(0).getType());
  SmallVector<int64_t> shape = resolve(m, i, type.getShape(), next);
  if (failed(verifyShape(m, i.op, type, shape)))
    return failure();
  return Datum(shape, i.resultKinds[0].cells, getUnwritten(i.resultKinds[0]));
}

static void copyElement(const Datum &from, int64_t source, Datum &to,
                        int64_t target) {
  unsigned cells = from.getCells();
  MutableArrayRef<Cell> written = to.write();
  ArrayRef<Cell> read = from.read();
  for (unsigned c = 0; c < cells; ++c)
    written[target * cells + c] = read[source * cells + c];
}

/// A scalar that is element `position` of `tensor`.
static Datum getElement(const Datum &tensor, int64_t position) {
  Datum scalar;
  ArrayRef<Cell> cells = tensor.read();
  if (tensor.getCells() == 1)
    scalar.setScalar(cells[position]);
  else
    scalar.setScalar(cells[2 * position], cells[2 * position + 1]);
  return scalar;
}

//===----------------------------------------------------------------------===//
// Slices
//===----------------------------------------------------------------------===//

Slice mlir::memrev::testing::getSlice(Machine &m, const Instruction &i,
                                      unsigned first) {
  auto op = cast<OffsetSizeAndStrideOpInterface>(i.op);
  Slice slice;
  slice.offsets = resolve(m, i, op.getStaticOffsets(), first);
  slice.sizes = resolve(m, i, op.getStaticSizes(), first);
  slice.strides = resolve(m, i, op.getStaticStrides(), first);
  return slice;
}

LogicalResult mlir::memrev::testing::forEachElement(
    Machine &m, Operation *op, const Slice &slice, const Datum &whole,
    function_ref<LogicalResult(int64_t, int64_t)> body) {
  SmallVector<int64_t> position(slice.sizes.size());
  for (int64_t size : slice.sizes)
    if (size < 0)
      return m.fail(op, "a slice of negative size");
  int64_t element = 0;
  LogicalResult result = success();
  forEachIndex(slice.sizes, [&](ArrayRef<int64_t> index) {
    for (auto [n, k] : llvm::enumerate(index))
      position[n] = slice.offsets[n] + k * slice.strides[n];
    int64_t at = whole.linearize(position);
    result = at < 0 ? m.fail(op, "a slice that is out of bounds")
                    : body(at, element++);
    return succeeded(result);
  });
  return result;
}

static LogicalResult runExtractSlice(Machine &m, const Instruction &i) {
  auto op = cast<tensor::ExtractSliceOp>(i.op);
  Slice slice = getSlice(m, i, 1);
  const Datum &source = m.operand(i, 0);
  llvm::SmallBitVector dropped = op.getDroppedDims();
  SmallVector<int64_t> shape;
  for (auto [n, size] : llvm::enumerate(slice.sizes))
    if (!dropped.test(n))
      shape.push_back(size);
    else if (size != 1)
      return m.fail(op, "a dropped dimension of extent " + Twine(size));
  if (failed(verifyShape(m, op, op.getType(), shape)))
    return failure();
  Datum result(shape, source.getCells(), Cell());
  if (failed(forEachElement(m, op, slice, source, [&](int64_t at, int64_t e) {
        copyElement(source, at, result, e);
        return success();
      })))
    return failure();
  return setTensor(m, i, std::move(result));
}

static LogicalResult runInsertSlice(Machine &m, const Instruction &i) {
  const Datum &source = m.operand(i, 0);
  Datum result = m.operand(i, 1);
  Slice slice = getSlice(m, i, 2);
  int64_t count = 1;
  for (int64_t size : slice.sizes)
    count *= size;
  if (count != source.getNumElements())
    return m.fail(i.op, "a source of another size than the slice");
  if (failed(forEachElement(m, i.op, slice, result, [&](int64_t at, int64_t e) {
        copyElement(source, e, result, at);
        return success();
      })))
    return failure();
  return setTensor(m, i, std::move(result));
}

//===----------------------------------------------------------------------===//
// Shapes
//===----------------------------------------------------------------------===//

static LogicalResult runEmpty(Machine &m, const Instruction &i) {
  FailureOr<Datum> result = createResult(m, i, 0);
  if (failed(result))
    return failure();
  m.set(i, 0, std::move(*result));
  return success();
}

static LogicalResult runDim(Machine &m, const Instruction &i) {
  ArrayRef<int64_t> shape = m.operand(i, 0).getShape();
  int64_t dim = m.integer(i, 1);
  if (dim < 0 || dim >= int64_t(shape.size()))
    return m.fail(i.op, "a dimension that is not there");
  m.set(i, 0, Datum(Cell(shape[dim])));
  return success();
}

static LogicalResult runCast(Machine &m, const Instruction &i) {
  return setTensor(m, i, m.operand(i, 0));
}

static LogicalResult runExpandShape(Machine &m, const Instruction &i) {
  auto op = cast<tensor::ExpandShapeOp>(i.op);
  unsigned next = 1;
  SmallVector<int64_t> shape = resolve(m, i, op.getStaticOutputShape(), next);
  const Datum &source = m.operand(i, 0);
  for (auto [n, group] : llvm::enumerate(op.getReassociationIndices())) {
    int64_t extent = 1;
    for (int64_t dim : group)
      extent *= shape[dim];
    if (extent != source.getShape()[n])
      return m.fail(op, "extents whose product is not the source's");
  }
  return setTensor(m, i, source.reshape(shape));
}

static LogicalResult runCollapseShape(Machine &m, const Instruction &i) {
  auto op = cast<tensor::CollapseShapeOp>(i.op);
  const Datum &source = m.operand(i, 0);
  SmallVector<int64_t> shape;
  for (const ReassociationIndices &group : op.getReassociationIndices()) {
    shape.push_back(1);
    for (int64_t dim : group)
      shape.back() *= source.getShape()[dim];
  }
  return setTensor(m, i, source.reshape(shape));
}

static LogicalResult runReshape(Machine &m, const Instruction &i) {
  const Datum &source = m.operand(i, 0);
  SmallVector<int64_t> shape;
  int64_t count = 1;
  for (Cell extent : m.operand(i, 1).read()) {
    shape.push_back(extent.integer);
    count *= extent.integer;
  }
  if (count != source.getNumElements())
    return m.fail(i.op, "another number of elements");
  return setTensor(m, i, source.reshape(shape));
}

static LogicalResult runConcat(Machine &m, const Instruction &i) {
  auto op = cast<tensor::ConcatOp>(i.op);
  int64_t dim = op.getDim();
  SmallVector<int64_t> shape(m.operand(i, 0).getShape());
  for (unsigned n = 1; n < i.operands.size(); ++n)
    shape[dim] += m.operand(i, n).getShape()[dim];
  Datum result(shape, i.resultKinds[0].cells, getUnwritten(i.resultKinds[0]));
  Slice slice;
  slice.offsets.assign(shape.size(), 0);
  slice.strides.assign(shape.size(), 1);
  for (unsigned n = 0; n < i.operands.size(); ++n) {
    const Datum &part = m.operand(i, n);
    slice.sizes = llvm::to_vector(part.getShape());
    if (failed(forEachElement(m, op, slice, result, [&](int64_t at, int64_t e) {
          copyElement(part, e, result, at);
          return success();
        })))
      return failure();
    slice.offsets[dim] += slice.sizes[dim];
  }
  return setTensor(m, i, std::move(result));
}

//===----------------------------------------------------------------------===//
// Elements
//===----------------------------------------------------------------------===//

static LogicalResult runExtract(Machine &m, const Instruction &i) {
  SmallVector<int64_t> index;
  for (unsigned n = 1; n < i.operands.size(); ++n)
    index.push_back(m.integer(i, n));
  int64_t position = m.operand(i, 0).linearize(index);
  if (position < 0)
    return m.fail(i.op, "an index that is out of bounds");
  m.set(i, 0, getElement(m.operand(i, 0), position));
  return success();
}

static LogicalResult runInsert(Machine &m, const Instruction &i) {
  SmallVector<int64_t> index;
  for (unsigned n = 2; n < i.operands.size(); ++n)
    index.push_back(m.integer(i, n));
  Datum result = m.operand(i, 1);
  int64_t position = result.linearize(index);
  if (position < 0)
    return m.fail(i.op, "an index that is out of bounds");
  copyElement(m.operand(i, 0), 0, result, position);
  m.set(i, 0, std::move(result));
  return success();
}

static LogicalResult runFromElements(Machine &m, const Instruction &i) {
  FailureOr<Datum> result = createResult(m, i, 0);
  if (failed(result))
    return failure();
  for (unsigned n = 0; n < i.operands.size(); ++n)
    copyElement(m.operand(i, n), 0, *result, n);
  m.set(i, 0, std::move(*result));
  return success();
}

static LogicalResult runSplat(Machine &m, const Instruction &i) {
  FailureOr<Datum> result = createResult(m, i, 1);
  if (failed(result))
    return failure();
  for (int64_t e = 0, count = result->getNumElements(); e < count; ++e)
    copyElement(m.operand(i, 0), 0, *result, e);
  m.set(i, 0, std::move(*result));
  return success();
}

/// Runs a region of index arguments for one element and returns what it yields.
static FailureOr<Datum> runElement(Machine &m, const Code &code,
                                   ArrayRef<int64_t> index) {
  for (auto [slot, n] : llvm::zip_equal(code.arguments, index))
    m.get(slot) = Datum(Cell(n));
  if (failed(m.run(code)))
    return failure();
  return m.get(code.body.back().operands[0]);
}

static LogicalResult runGenerate(Machine &m, const Instruction &i) {
  FailureOr<Datum> result = createResult(m, i, 0);
  if (failed(result))
    return failure();
  int64_t element = 0;
  if (!forEachIndex(result->getShape(), [&](ArrayRef<int64_t> index) {
        FailureOr<Datum> value = runElement(m, *i.regions[0], index);
        if (succeeded(value))
          copyElement(*value, 0, *result, element++);
        return succeeded(value);
      }))
    return failure();
  m.set(i, 0, std::move(*result));
  return success();
}

static LogicalResult runPad(Machine &m, const Instruction &i) {
  auto op = cast<tensor::PadOp>(i.op);
  unsigned next = 1;
  SmallVector<int64_t> low = resolve(m, i, op.getStaticLow(), next);
  SmallVector<int64_t> high = resolve(m, i, op.getStaticHigh(), next);
  Datum source = m.operand(i, 0);
  SmallVector<int64_t> shape(source.getShape());
  for (auto [n, extent] : llvm::enumerate(shape))
    extent += low[n] + high[n];
  if (failed(verifyShape(m, op, op.getType(), shape)))
    return failure();
  Datum result(shape, source.getCells(), Cell());
  SmallVector<int64_t> inner(shape.size());
  int64_t element = 0;
  if (!forEachIndex(shape, [&](ArrayRef<int64_t> index) {
        for (auto [n, k] : llvm::enumerate(index))
          inner[n] = k - low[n];
        int64_t at = source.linearize(inner);
        if (at >= 0) {
          copyElement(source, at, result, element++);
          return true;
        }
        FailureOr<Datum> value = runElement(m, *i.regions[0], index);
        if (succeeded(value))
          copyElement(*value, 0, result, element++);
        return succeeded(value);
      }))
    return failure();
  return setTensor(m, i, std::move(result));
}

//===----------------------------------------------------------------------===//
// Gather and scatter
//===----------------------------------------------------------------------===//

/// Calls `body` with positions in the tensor that `dims` index and in the one
/// that holds the slices: the batch of `indices`, then the tensor's dimensions,
/// where those in `dims` have extent 1 or are left out.
static LogicalResult
forEachGathered(Machine &m, const Instruction &i, const Datum &whole,
                const Datum &indices, ArrayRef<int64_t> dims,
                function_ref<void(int64_t, int64_t)> body) {
  ArrayRef<int64_t> batch = indices.getShape().drop_back();
  SmallVector<int64_t> sizes(whole.getShape());
  for (int64_t dim : dims)
    sizes[dim] = 1;
  int64_t row = 0, element = 0;
  LogicalResult result = success();
  forEachIndex(batch, [&](ArrayRef<int64_t>) {
    Slice slice;
    slice.sizes = sizes;
    slice.offsets.assign(sizes.size(), 0);
    slice.strides.assign(sizes.size(), 1);
    for (auto [k, dim] : llvm::enumerate(dims))
      slice.offsets[dim] =
          indices.read()[row * int64_t(dims.size()) + int64_t(k)].integer;
    ++row;
    result = forEachElement(m, i.op, slice, whole, [&](int64_t at, int64_t) {
      body(at, element++);
      return success();
    });
    return succeeded(result);
  });
  return result;
}

static LogicalResult runGather(Machine &m, const Instruction &i) {
  auto op = cast<tensor::GatherOp>(i.op);
  Datum source = m.operand(i, 0), indices = m.operand(i, 1);
  SmallVector<int64_t> shape(indices.getShape().drop_back());
  bool isReduced = int64_t(shape.size()) + int64_t(source.getShape().size()) !=
                   op.getType().getRank();
  for (auto [dim, extent] : llvm::enumerate(source.getShape()))
    if (!llvm::is_contained(op.getGatherDims(), int64_t(dim)))
      shape.push_back(extent);
    else if (!isReduced)
      shape.push_back(1);
  Datum result(shape, source.getCells(), Cell());
  if (failed(forEachGathered(
          m, i, source, indices, op.getGatherDims(),
          [&](int64_t at, int64_t e) { copyElement(source, at, result, e); })))
    return failure();
  return setTensor(m, i, std::move(result));
}

static LogicalResult runScatter(Machine &m, const Instruction &i) {
  auto op = cast<tensor::ScatterOp>(i.op);
  Datum source = m.operand(i, 0), result = m.operand(i, 1);
  Datum indices = m.operand(i, 2);
  SmallVector<bool> isWritten(result.getNumElements());
  bool collides = false;
  if (failed(forEachGathered(m, i, result, indices, op.getScatterDims(),
                             [&](int64_t at, int64_t e) {
                               collides |= isWritten[at];
                               isWritten[at] = true;
                               copyElement(source, e, result, at);
                             })))
    return failure();
  if (collides)
    return m.fail(op, "indices of a scatter that are not unique");
  m.set(i, 0, std::move(result));
  return success();
}

//===----------------------------------------------------------------------===//
// Affine expressions
//===----------------------------------------------------------------------===//

template <typename OpTy>
static LogicalResult runAffine(Machine &m, const Instruction &i) {
  AffineMap map = cast<OpTy>(i.op).getAffineMap();
  SmallVector<int64_t> operands;
  for (unsigned n = 0; n < i.operands.size(); ++n)
    operands.push_back(m.integer(i, n));
  std::optional<int64_t> value;
  for (AffineExpr expr : map.getResults()) {
    int64_t one = evaluate(expr, operands, map.getNumDims());
    if (!value)
      value = one;
    else
      value = std::is_same_v<OpTy, affine::AffineMinOp> ? std::min(*value, one)
                                                        : std::max(*value, one);
  }
  m.set(i, 0, Datum(Cell(*value)));
  return success();
}

int64_t mlir::memrev::testing::evaluate(AffineExpr expr,
                                        ArrayRef<int64_t> operands,
                                        unsigned numDims) {
  switch (expr.getKind()) {
  case AffineExprKind::Constant:
    return cast<AffineConstantExpr>(expr).getValue();
  case AffineExprKind::DimId:
    return operands[cast<AffineDimExpr>(expr).getPosition()];
  case AffineExprKind::SymbolId:
    return operands[numDims + cast<AffineSymbolExpr>(expr).getPosition()];
  default:
    break;
  }
  auto binary = cast<AffineBinaryOpExpr>(expr);
  int64_t lhs = evaluate(binary.getLHS(), operands, numDims);
  int64_t rhs = evaluate(binary.getRHS(), operands, numDims);
  switch (expr.getKind()) {
  case AffineExprKind::Add:
    return lhs + rhs;
  case AffineExprKind::Mul:
    return lhs * rhs;
  default:
    break;
  }
  // Affine division is by positive numbers only.
  if (rhs <= 0)
    return std::numeric_limits<int64_t>::min() / 2;
  int64_t floor = lhs / rhs - (lhs % rhs < 0);
  if (expr.getKind() == AffineExprKind::FloorDiv)
    return floor;
  if (expr.getKind() == AffineExprKind::Mod)
    return lhs - floor * rhs;
  return floor + (lhs != floor * rhs);
}

void mlir::memrev::testing::addTensorHandlers(Handlers &handlers) {
  handlers["tensor.cast"] = {runCast};
  handlers["tensor.bitcast"] = {runElementwise,
                                handlers["arith.bitcast"].scalar};
  handlers["tensor.collapse_shape"] = {runCollapseShape};
  handlers["tensor.concat"] = {runConcat};
  handlers["tensor.dim"] = {runDim};
  handlers["tensor.empty"] = {runEmpty};
  handlers["tensor.expand_shape"] = {runExpandShape};
  handlers["tensor.extract"] = {runExtract};
  handlers["tensor.extract_slice"] = {runExtractSlice};
  handlers["tensor.from_elements"] = {runFromElements};
  handlers["tensor.gather"] = {runGather};
  handlers["tensor.generate"] = {runGenerate};
  handlers["tensor.insert"] = {runInsert};
  handlers["tensor.insert_slice"] = {runInsertSlice};
  handlers["tensor.pad"] = {runPad};
  // The loop around it writes.
  handlers["tensor.parallel_insert_slice"] = {};
  handlers["tensor.rank"] = {
      +[](Machine &m, const Instruction &i) -> LogicalResult {
        m.set(i, 0, Datum(Cell(int64_t(m.operand(i, 0).getShape().size()))));
        return success();
      }};
  handlers["tensor.reshape"] = {runReshape};
  handlers["tensor.scatter"] = {runScatter};
  handlers["tensor.splat"] = {runSplat};
  handlers["affine.apply"] = {runAffine<affine::AffineApplyOp>};
  handlers["affine.max"] = {runAffine<affine::AffineMaxOp>};
  handlers["affine.min"] = {runAffine<affine::AffineMinOp>};
}
