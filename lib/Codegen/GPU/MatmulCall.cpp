//===- MatmulCall.cpp - A product that cuBLASLt computes ------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "MatmulCall.h"
#include "mlir/IR/Matchers.h"
#include <numeric>

using namespace mlir;
using namespace mlir::memrev;
using namespace mlir::memrev::simt;

/// What NVIDIA recommends for a workspace (cuBLAS documentation,
/// cublasSetWorkspace): from sm_90 on, and before.
static constexpr int64_t kLargeWorkspace = int64_t(32) << 20;
static constexpr int64_t kSmallWorkspace = int64_t(4) << 20;
/// Into how many parts a library may cut a sum, for all of them to have room.
static constexpr int64_t kMaxParts = 32;
/// How often a library is called for one product, at most: more launches take
/// longer than what one kernel for all loses.
static constexpr int64_t kMaxCalls = 16;
/// Sizes that fit the 32-bit integers which kernels count with.
static constexpr int64_t kMaxSize = std::numeric_limits<int32_t>::max();

//===----------------------------------------------------------------------===//
// The attribute
//===----------------------------------------------------------------------===//

static StringRef getName(MatmulCall::Compute compute) {
  switch (compute) {
  case MatmulCall::Compute::F32:
    return "f32";
  case MatmulCall::Compute::TF32:
    return "tf32";
  case MatmulCall::Compute::F64:
    return "f64";
  }
  llvm_unreachable("all kinds are named");
}

static DictionaryAttr toAttribute(const MatrixOperand &operand, Builder b) {
  SmallVector<int64_t> terms;
  for (auto [argument, factor] : operand.terms)
    terms.append({argument, factor});
  return b.getDictionaryAttr({
      b.getNamedAttr("argument", b.getI64IntegerAttr(operand.argument)),
      b.getNamedAttr("offset", b.getI64IntegerAttr(operand.offset)),
      b.getNamedAttr("terms", b.getDenseI64ArrayAttr(terms)),
      b.getNamedAttr("leading", b.getI64IntegerAttr(operand.leading)),
      b.getNamedAttr("stride", b.getI64IntegerAttr(operand.stride)),
      b.getNamedAttr("step", b.getI64IntegerAttr(operand.step)),
      b.getNamedAttr("transposed", b.getBoolAttr(operand.transposed)),
      b.getNamedAttr("alignment", b.getI64IntegerAttr(operand.alignment)),
  });
}

DictionaryAttr MatmulCall::toAttribute(MLIRContext *context) const {
  Builder builder(context);
  return builder.getDictionaryAttr({
      builder.getNamedAttr("library", builder.getStringAttr("cublasLt")),
      builder.getNamedAttr("sizes", builder.getDenseI64ArrayAttr(
                                        {rows, columns, depth, batch, calls})),
      builder.getNamedAttr("types",
                           builder.getTypeArrayAttr({factorType, resultType})),
      builder.getNamedAttr("compute", builder.getStringAttr(getName(compute))),
      builder.getNamedAttr("accumulates", builder.getBoolAttr(accumulates)),
      builder.getNamedAttr("a", ::toAttribute(a, builder)),
      builder.getNamedAttr("b", ::toAttribute(b, builder)),
      builder.getNamedAttr("c", ::toAttribute(c, builder)),
      builder.getNamedAttr("d", ::toAttribute(d, builder)),
      builder.getNamedAttr("workspace", builder.getDenseI64ArrayAttr(
                                            {workspace, workspaceBytes})),
  });
}

static std::optional<MatrixOperand> readOperand(DictionaryAttr attribute) {
  if (!attribute)
    return std::nullopt;
  auto terms = attribute.getAs<DenseI64ArrayAttr>("terms");
  auto transposed = attribute.getAs<BoolAttr>("transposed");
  bool isWhole = terms && terms.size() % 2 == 0 && transposed;
  auto get = [&](StringRef name) -> int64_t {
    auto value = attribute.getAs<IntegerAttr>(name);
    isWhole &= value && value.getType().isInteger(64);
    return isWhole ? value.getInt() : 0;
  };
  MatrixOperand operand;
  operand.argument = get("argument");
  operand.offset = get("offset");
  operand.leading = get("leading");
  operand.stride = get("stride");
  operand.step = get("step");
  operand.alignment = get("alignment");
  if (!isWhole)
    return std::nullopt;
  operand.transposed = transposed.getValue();
  for (int64_t i = 0; i < terms.size(); i += 2)
    operand.terms.emplace_back(terms[i], terms[i + 1]);
  return operand;
}

FailureOr<MatmulCall> MatmulCall::fromAttribute(DictionaryAttr attribute,
                                                func::FuncOp kernel) {
  auto library = attribute.getAs<StringAttr>("library");
  auto sizes = attribute.getAs<DenseI64ArrayAttr>("sizes");
  auto types = attribute.getAs<ArrayAttr>("types");
  auto computeName = attribute.getAs<StringAttr>("compute");
  auto adds = attribute.getAs<BoolAttr>("accumulates");
  auto space = attribute.getAs<DenseI64ArrayAttr>("workspace");
  if (!library || library.getValue() != "cublasLt" || !sizes ||
      sizes.size() != 5 || !types || types.size() != 2 ||
      !llvm::all_of(types, llvm::IsaPred<TypeAttr>) || !computeName || !adds ||
      !space || space.size() != 2)
    return failure();
  auto known =
      llvm::StringSwitch<std::optional<Compute>>(computeName.getValue())
          .Case("f32", Compute::F32)
          .Case("tf32", Compute::TF32)
          .Case("f64", Compute::F64)
          .Default(std::nullopt);
  auto a = readOperand(attribute.getAs<DictionaryAttr>("a"));
  auto b = readOperand(attribute.getAs<DictionaryAttr>("b"));
  auto c = readOperand(attribute.getAs<DictionaryAttr>("c"));
  auto d = readOperand(attribute.getAs<DictionaryAttr>("d"));
  if (!known || !a || !b || !c || !d)
    return failure();
  MatmulCall call;
  call.rows = sizes[0];
  call.columns = sizes[1];
  call.depth = sizes[2];
  call.batch = sizes[3];
  call.calls = sizes[4];
  call.factorType = cast<TypeAttr>(types[0]).getValue();
  call.resultType = cast<TypeAttr>(types[1]).getValue();
  call.compute = *known;
  call.accumulates = adds.getValue();
  call.a = *a;
  call.b = *b;
  call.c = *c;
  call.d = *d;
  call.workspace = space[0];
  call.workspaceBytes = space[1];
  if (!call.fits(kernel))
    return failure();
  return call;
}

/// Whether a product with these types is one that cuBLASLt has.
static bool areTypesKnown(Type factor, Type result,
                          MatmulCall::Compute compute) {
  if (compute == MatmulCall::Compute::F64)
    return factor.isF64() && result.isF64();
  if (factor.isF32())
    return result.isF32();
  return compute == MatmulCall::Compute::F32 &&
         (factor.isF16() || factor.isBF16()) &&
         (result == factor || result.isF32());
}

bool MatmulCall::overwritesAll(func::FuncOp kernel) const {
  auto buffer = cast<ShapedType>(kernel.getArgumentTypes()[d.argument]);
  return !accumulates && d.terms.empty() &&
         rows * columns * batch * calls == buffer.getNumElements();
}

/// Whether `operand` of `kernel`, as many matrices as `call` has of `rows` by
/// `columns` elements, is in one of its buffers.
static bool isInside(const MatrixOperand &operand, int64_t rows,
                     int64_t columns, const MatmulCall &call, Type elementType,
                     func::FuncOp kernel) {
  if (operand.transposed)
    std::swap(rows, columns);
  unsigned numArguments = kernel.getNumArguments();
  auto isArgument = [&](int64_t number) {
    return number >= 0 && number < int64_t(numArguments);
  };
  if (!isArgument(operand.argument) || operand.offset < 0 ||
      operand.leading < rows || operand.leading > kMaxSize ||
      operand.stride < 0 || operand.step < 0 || operand.alignment < 1 ||
      operand.alignment > kVectorBytes ||
      !llvm::isPowerOf2_64(operand.alignment))
    return false;
  for (auto [number, factor] : operand.terms)
    if (!isArgument(number) || !kernel.getArgumentTypes()[number].isIndex())
      return false;
  auto buffer =
      dyn_cast<ShapedType>(kernel.getArgumentTypes()[operand.argument]);
  if (!buffer || !buffer.hasStaticShape() ||
      buffer.getElementType() != elementType)
    return false;
  auto reach = [](int64_t count, int64_t step, uint64_t more) {
    return llvm::SaturatingMultiplyAdd(uint64_t(count - 1), uint64_t(step),
                                       more);
  };
  uint64_t last =
      llvm::SaturatingAdd(uint64_t(rows - 1), uint64_t(operand.offset));
  last = reach(columns, operand.leading, last);
  last = reach(call.batch, operand.stride, last);
  last = reach(call.calls, operand.step, last);
  // With terms, where it starts is known at run time only.
  return last < uint64_t(buffer.getNumElements());
}

bool MatmulCall::fits(func::FuncOp kernel) const {
  for (int64_t size : {rows, columns, depth, batch, calls})
    if (size < 1 || size > kMaxSize)
      return false;
  if (!areTypesKnown(factorType, resultType, compute) || c.transposed ||
      d.transposed || (batch > 1 && d.stride == 0) ||
      (calls > 1 && d.step == 0) || workspace < 0 || workspaceBytes < 0 ||
      workspace >= int64_t(kernel.getNumArguments()))
    return false;
  auto space = dyn_cast<ShapedType>(kernel.getArgumentTypes()[workspace]);
  return space && space.hasStaticShape() &&
         space.getElementType().isInteger(8) &&
         space.getNumElements() >= workspaceBytes + kWorkspaceAlignment &&
         isInside(a, rows, depth, *this, factorType, kernel) &&
         isInside(b, depth, columns, *this, factorType, kernel) &&
         isInside(c, rows, columns, *this, resultType, kernel) &&
         isInside(d, rows, columns, *this, resultType, kernel);
}

//===----------------------------------------------------------------------===//
// Reading a problem
//===----------------------------------------------------------------------===//

/// Whether the epilogue of `problem` only rounds the sum to a narrower type.
static bool onlyRounds(const Problem &problem) {
  if (problem.inputs.size() != 1 || problem.inputs.front() ||
      problem.outputs.size() != 1 ||
      problem.outputs.front().init != InitKind::None)
    return false;
  auto rounded = problem.body->getTerminator()
                     ->getOperand(0)
                     .getDefiningOp<arith::TruncFOp>();
  return rounded && rounded.getIn() == problem.body->getArgument(0) &&
         !rounded.getRoundingmode();
}

/// How the elements of `problem` are multiplied, if cuBLASLt does that.
static std::optional<MatmulCall::Compute> getCompute(const Problem &problem,
                                                     FP32Precision precision,
                                                     std::string &reason) {
  using Compute = MatmulCall::Compute;
  Type factor = problem.lhs.elementType;
  Type result = problem.getElementType();
  Compute compute = Compute::F32;
  if (factor.isF64())
    compute = Compute::F64;
  else if (factor.isF32() && precision == FP32Precision::TF32)
    compute = Compute::TF32;
  bool isSumKnown = problem.sumType == factor || problem.sumType.isF32();
  if (problem.rhs.elementType != factor || !isSumKnown ||
      !areTypesKnown(factor, result, compute)) {
    reason = "cuBLASLt has no product of its element types";
    return std::nullopt;
  }
  if (factor.isF32() && precision == FP32Precision::TF32x3) {
    reason = "cuBLASLt does not multiply as tf32x3";
    return std::nullopt;
  }
  return compute;
}

/// Fills in where the access is, besides its strides.
static LogicalResult place(const Access &access, const Linear &offset,
                           MatrixOperand &operand, std::string &reason) {
  if (!access.bounds.empty()) {
    reason = "an operand is padded";
    return failure();
  }
  auto source = dyn_cast<BlockArgument>(access.source);
  if (access.isScalar() || !source) {
    reason = "an operand is no matrix in memory";
    return failure();
  }
  operand.argument = source.getArgNumber();
  operand.offset = offset.constant;
  int64_t bytes = getByteSize(access.elementType);
  int64_t total = bytes;
  for (int64_t size : access.shape)
    total *= size;
  // Smaller buffers have the alignment that their size divides.
  int64_t alignment =
      std::gcd(total >= kVectorBytes ? kVectorBytes : total, kVectorBytes);
  alignment = std::gcd(alignment, operand.offset * bytes);
  for (auto [symbol, factor] :
       llvm::zip_equal(access.symbols, offset.symbols)) {
    auto index = dyn_cast<BlockArgument>(symbol);
    if (!index) {
      reason = "an operand starts where the kernel computes";
      return failure();
    }
    operand.terms.emplace_back(index.getArgNumber(), factor);
    alignment = std::gcd(alignment, factor * bytes);
  }
  operand.alignment = alignment;
  return success();
}

namespace {
/// The dimensions of a product; -1 for no batch, and no calls but one.
struct ProductDims {
  int rows = -1, columns = -1, depth = -1, batch = -1, calls = -1;
};
} // namespace

/// The one dimension for each role: rows are those of the first factor alone,
/// columns those of the second. Of two batches the shorter is for calls.
static FailureOr<ProductDims> getDims(const Problem &problem,
                                      std::string &reason) {
  ProductDims dims;
  for (unsigned dim = 0; dim < problem.getNumDims(); ++dim) {
    bool inLhs = problem.lhs.uses(dim), inRhs = problem.rhs.uses(dim);
    int &role = problem.isReduction[dim] ? dims.depth
                : inLhs == inRhs         ? dims.batch
                : inLhs                  ? dims.rows
                                         : dims.columns;
    if (&role == &dims.batch && dims.calls < 0 && role >= 0)
      dims.calls = std::exchange(role, -1);
    if (role >= 0 || (!inLhs && !inRhs) ||
        (problem.isReduction[dim] && !(inLhs && inRhs)) ||
        problem.extents[dim] > kMaxSize) {
      reason = "its rows, columns, depth or batch are not one range";
      return failure();
    }
    role = dim;
  }
  if (dims.calls >= 0 &&
      problem.extents[dims.calls] > problem.extents[dims.batch])
    std::swap(dims.calls, dims.batch);
  if (dims.calls >= 0 && problem.extents[dims.calls] > kMaxCalls) {
    reason = "its batch has two dimensions, which takes too many calls";
    return failure();
  }
  if (dims.rows < 0 || dims.columns < 0 || dims.depth < 0) {
    reason = "it is no product of two matrices";
    return failure();
  }
  return dims;
}

/// Fills in the strides of a matrix whose elements `offset` places. Fails if
/// neighbours are neither in a column nor, where it may be transposed, in a
/// row.
static LogicalResult setStrides(const Linear &offset, const Problem &problem,
                                int rows, int columns, MatrixOperand &operand,
                                bool mayTranspose) {
  int64_t down = offset.dims[rows], across = offset.dims[columns];
  operand.transposed = false;
  if (down == 1 && across >= problem.extents[rows])
    operand.leading = across;
  else if (mayTranspose && across == 1 && down >= problem.extents[columns]) {
    operand.leading = down;
    operand.transposed = true;
  } else {
    return failure();
  }
  return success(operand.leading <= kMaxSize);
}

/// The bytes of a call's workspace: what NVIDIA recommends, but no more than
/// kMaxParts times the sums.
static int64_t getWorkspaceBytes(const MatmulCall &call, const Chip &chip) {
  int64_t recommended =
      chip.architecture >= 90 ? kLargeWorkspace : kSmallWorkspace;
  double sums = double(call.rows) * call.columns * call.batch *
                (call.compute == MatmulCall::Compute::F64 ? 8 : 4);
  if (sums * kMaxParts >= recommended)
    return recommended;
  return llvm::alignTo(uint64_t(sums) * kMaxParts, kWorkspaceAlignment);
}

FailureOr<MatmulCall> MatmulCall::get(const Problem &problem,
                                      func::FuncOp kernel, const Chip &chip,
                                      FP32Precision precision,
                                      std::string &reason) {
  if (!canEmit(problem, kernel, reason))
    return failure();
  if (!problem.isContraction) {
    reason = "it is no sum of products";
    return failure();
  }
  if (problem.body && !onlyRounds(problem)) {
    reason = "its result is more than a rounded sum";
    return failure();
  }
  MatmulCall call;
  call.factorType = problem.lhs.elementType;
  call.resultType = problem.getElementType();
  auto compute = getCompute(problem, precision, reason);
  FailureOr<ProductDims> dims = getDims(problem, reason);
  if (!compute || failed(dims))
    return failure();
  call.compute = *compute;

  const Access &dest = problem.outputs.front().dest;
  unsigned numDims = problem.getNumDims();
  Linear result = Linear::getOffset(dest, numDims);
  const Access *first = &problem.lhs, *second = &problem.rhs;
  // Neighbours in the result are neighbours in a column.
  if (result.dims[dims->rows] != 1) {
    std::swap(first, second);
    std::swap(dims->rows, dims->columns);
  }
  call.rows = problem.extents[dims->rows];
  call.columns = problem.extents[dims->columns];
  call.depth = problem.extents[dims->depth];
  if (dims->batch >= 0)
    call.batch = problem.extents[dims->batch];
  if (dims->calls >= 0)
    call.calls = problem.extents[dims->calls];

  InitKind init = problem.accumulatorInit;
  if (init == InitKind::Fill &&
      !matchPattern(problem.accumulatorFill, m_AnyZeroFloat())) {
    reason = "its sums start from a number that is not zero";
    return failure();
  }
  call.accumulates = init != InitKind::Fill;
  if (call.accumulates && problem.body) {
    reason = "it rounds the sum with another tensor";
    return failure();
  }
  struct {
    const Access &access;
    MatrixOperand &operand;
    int rows, columns;
    bool mayTranspose;
  } const operands[] = {
      {*first, call.a, dims->rows, dims->depth, true},
      {*second, call.b, dims->depth, dims->columns, true},
      {init == InitKind::Read ? problem.accumulatorRead : dest, call.c,
       dims->rows, dims->columns, false},
      {dest, call.d, dims->rows, dims->columns, false},
  };
  for (const auto &[access, operand, rows, columns, mayTranspose] : operands) {
    Linear offset = Linear::getOffset(access, numDims);
    if (failed(place(access, offset, operand, reason)))
      return failure();
    if (dims->batch >= 0)
      operand.stride = offset.dims[dims->batch];
    if (dims->calls >= 0) {
      operand.step = offset.dims[dims->calls];
      operand.alignment = std::gcd(
          operand.alignment, operand.step * getByteSize(access.elementType));
    }
    if (operand.stride < 0 || operand.step < 0 ||
        failed(setStrides(offset, problem, rows, columns, operand,
                          mayTranspose))) {
      reason = "the strides of an operand are not those of a matrix";
      return failure();
    }
  }
  call.workspaceBytes = getWorkspaceBytes(call, chip);
  return call;
}
