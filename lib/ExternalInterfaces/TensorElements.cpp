//===- TensorElements.cpp - Rules of tensor element access ----------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Operations that make a tensor of scalars, or read or replace one of them.
//
//===----------------------------------------------------------------------===//

#include "Models.h"
#include "TensorExpressions.h"
#include "memrev/Interfaces/DifferentiableOpInterface.h"
#include "memrev/Interfaces/InvertibleOpInterface.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/DialectRegistry.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace mlir::memrev;

//===----------------------------------------------------------------------===//
// Indices
//===----------------------------------------------------------------------===//

/// The constants `indices`; nothing if one is none.
static std::optional<SmallVector<int64_t>> getConstants(ValueRange indices) {
  SmallVector<int64_t> constants;
  for (Value index : indices) {
    std::optional<int64_t> constant = getConstantIntValue(index);
    if (!constant)
      return std::nullopt;
    constants.push_back(*constant);
  }
  return constants;
}

/// True if both are the same element, by constants or by the same values.
static bool areSame(ValueRange a, ValueRange b) {
  return llvm::all_of(llvm::zip_equal(a, b), [](auto pair) {
    auto [x, y] = pair;
    return isEqualConstantIntOrValue(x, y);
  });
}

/// True if the two are known to be different elements.
static bool areDifferent(ValueRange a, ValueRange b) {
  return llvm::any_of(llvm::zip_equal(a, b), [](auto pair) {
    auto [x, y] = pair;
    std::optional<int64_t> first = getConstantIntValue(x);
    std::optional<int64_t> second = getConstantIntValue(y);
    return first && second && *first != *second;
  });
}

/// The primal values of `indices`. Fails after an error was reported.
static FailureOr<SmallVector<Value>> getPrimalIndices(ValueRange indices,
                                                      DerivativeContext &ctx) {
  SmallVector<Value> now;
  for (Value index : indices) {
    now.push_back(ctx.primal(index));
    if (!now.back())
      return failure();
  }
  return now;
}

/// Emits the indices of element number `i` of a tensor of `shape`.
static SmallVector<Value> buildIndices(OpBuilder &b, Location loc, int64_t i,
                                       ArrayRef<int64_t> shape) {
  SmallVector<Value> indices;
  for (int64_t index : delinearize(i, computeStrides(shape)))
    indices.push_back(arith::ConstantIndexOp::create(b, loc, index));
  return indices;
}

/// A tensor of more elements is no state of scalars.
static constexpr size_t kMaxElements = 64;

/// The operations in `block` that read an element of `tensor` (`OpTy` is
/// tensor.extract) or replace one (tensor.insert), in program order. None if it
/// is used more often than its elements are read and replaced.
template <typename OpTy>
static SmallVector<OpTy> getAccesses(Value tensor, Block *block) {
  SmallVector<OpTy> accesses;
  if (tensor.hasNUsesOrMore(2 * kMaxElements + 1))
    return accesses;
  for (Operation *user : tensor.getUsers()) {
    auto access = dyn_cast<OpTy>(user);
    if (!access || access->getBlock() != block)
      continue;
    accesses.push_back(access);
  }
  llvm::sort(accesses,
             [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); });
  return accesses;
}

namespace {

//===----------------------------------------------------------------------===//
// extract
//===----------------------------------------------------------------------===//

struct ExtractModel
    : DifferentiableOpInterface::ExternalModel<ExtractModel,
                                               tensor::ExtractOp> {
  void getResiduals(Operation *op, function_ref<bool(Value)>,
                    SmallVectorImpl<Residual> &residuals) const {
    auto extract = cast<tensor::ExtractOp>(op);
    for (Value index : extract.getIndices())
      residuals.push_back(index);
    if (!extract.getTensor().getType().hasStaticShape())
      residuals.push_back(extract.getTensor());
  }

  LogicalResult buildVJP(Operation *op, DerivativeContext &ctx) const {
    auto extract = cast<tensor::ExtractOp>(op);
    FailureOr<SmallVector<Value>> indices =
        getPrimalIndices(extract.getIndices(), ctx);
    if (failed(indices))
      return failure();
    Value sum = ctx.accumulator(extract.getTensor());
    if (!sum)
      return failure();
    OpBuilder &b = ctx.getBuilder();
    Location loc = op->getLoc();
    Value old = tensor::ExtractOp::create(b, loc, sum, *indices);
    Value total =
        buildScalarSum(b, loc, old, ctx.cotangent(extract.getResult()));
    ctx.setCotangent(extract.getTensor(),
                     tensor::InsertOp::create(b, loc, total, sum, *indices));
    return success();
  }
};

/// The elements of a tensor that are read, if they are all of them, give it
/// back. So does the tensor with another scalar in the place of this one: an
/// update of an element.
struct ExtractInverse
    : InvertibleOpInterface::ExternalModel<ExtractInverse, tensor::ExtractOp> {
  SmallVector<InverseEdge> getInverseEdges(Operation *op) const {
    auto extract = cast<tensor::ExtractOp>(op);
    SmallVector<InverseEdge> edges;
    InverseEdge whole = InverseEdge::moving({extract.getTensor()}, {});
    for (tensor::ExtractOp element : getElements(extract))
      whole.from.push_back(element.getResult());
    if (!whole.from.empty())
      edges.push_back(std::move(whole));
    for (tensor::InsertOp update : getUpdates(extract)) {
      InverseEdge edge = InverseEdge::moving(
          {extract.getTensor()}, {update.getResult(), extract.getResult()});
      llvm::append_range(edge.from, extract.getIndices());
      edges.push_back(std::move(edge));
    }
    return edges;
  }

  LogicalResult buildInverse(Operation *op, DerivativeContext &ctx,
                             unsigned edge) const {
    auto extract = cast<tensor::ExtractOp>(op);
    SmallVector<tensor::ExtractOp> elements = getElements(extract);
    unsigned first = elements.empty() ? 0 : 1;
    return edge < first
               ? buildWhole(extract, ctx, elements)
               : buildBefore(extract, ctx, getUpdates(extract)[edge - first]);
  }

private:
  /// Emits the tensor out of its `elements`.
  static LogicalResult buildWhole(tensor::ExtractOp extract,
                                  DerivativeContext &ctx,
                                  ArrayRef<tensor::ExtractOp> elements) {
    SmallVector<Value> now;
    bool isRounded = false;
    for (tensor::ExtractOp element : elements) {
      now.push_back(ctx.primal(element.getResult()));
      if (!now.back())
        return failure();
      isRounded |= ctx.isRounded(element.getResult());
    }
    ctx.provide(
        extract.getTensor(),
        tensor::FromElementsOp::create(ctx.getBuilder(), extract.getLoc(),
                                       extract.getTensor().getType(), now),
        isRounded ? Precision::Rounded : Precision::Exact);
    return success();
  }

  /// Emits the tensor out of what `update` made of it.
  static LogicalResult buildBefore(tensor::ExtractOp extract,
                                   DerivativeContext &ctx,
                                   tensor::InsertOp update) {
    FailureOr<SmallVector<Value>> indices =
        getPrimalIndices(extract.getIndices(), ctx);
    Value after = ctx.primal(update.getResult());
    Value element = ctx.primal(extract.getResult());
    if (failed(indices) || !after || !element)
      return failure();
    bool isRounded =
        ctx.isRounded(update.getResult()) || ctx.isRounded(extract.getResult());
    ctx.provide(extract.getTensor(),
                tensor::InsertOp::create(ctx.getBuilder(), extract.getLoc(),
                                         element, after, *indices),
                isRounded ? Precision::Rounded : Precision::Exact);
    return success();
  }

  /// The operations that replace what `extract` reads.
  static SmallVector<tensor::InsertOp> getUpdates(tensor::ExtractOp extract) {
    SmallVector<tensor::InsertOp> updates;
    for (tensor::InsertOp update : getAccesses<tensor::InsertOp>(
             extract.getTensor(), extract->getBlock()))
      if (areSame(extract.getIndices(), update.getIndices()))
        updates.push_back(update);
    return updates;
  }

  /// Operations that read the elements of what `extract` reads one of, in the
  /// order of the elements. Empty if not all are read.
  static SmallVector<tensor::ExtractOp> getElements(tensor::ExtractOp extract) {
    RankedTensorType type = extract.getTensor().getType();
    if (!type.hasStaticShape() ||
        type.getNumElements() > static_cast<int64_t>(kMaxElements))
      return {};
    SmallVector<tensor::ExtractOp> elements(type.getNumElements());
    SmallVector<int64_t> strides = computeStrides(type.getShape());
    for (tensor::ExtractOp read : getAccesses<tensor::ExtractOp>(
             extract.getTensor(), extract->getBlock())) {
      auto indices = getConstants(read.getIndices());
      // What is read outside of the tensor is nothing.
      if (!indices || llvm::any_of(llvm::zip_equal(*indices, type.getShape()),
                                   [](auto pair) {
                                     auto [index, size] = pair;
                                     return index < 0 || index >= size;
                                   }))
        continue;
      tensor::ExtractOp &element = elements[linearize(*indices, strides)];
      if (!element)
        element = read;
    }
    if (!llvm::all_of(elements, [](tensor::ExtractOp e) { return bool(e); }))
      return {};
    return elements;
  }
};

//===----------------------------------------------------------------------===//
// insert
//===----------------------------------------------------------------------===//

struct InsertModel
    : DifferentiableOpInterface::ExternalModel<InsertModel, tensor::InsertOp> {
  void getResiduals(Operation *op, function_ref<bool(Value)>,
                    SmallVectorImpl<Residual> &residuals) const {
    for (Value index : cast<tensor::InsertOp>(op).getIndices())
      residuals.push_back(index);
  }

  LogicalResult buildVJP(Operation *op, DerivativeContext &ctx) const {
    auto insert = cast<tensor::InsertOp>(op);
    FailureOr<SmallVector<Value>> indices =
        getPrimalIndices(insert.getIndices(), ctx);
    if (failed(indices))
      return failure();
    OpBuilder &b = ctx.getBuilder();
    Location loc = op->getLoc();
    Value cotangent = ctx.cotangent(insert.getResult());
    if (ctx.isActive(insert.getScalar()))
      ctx.accumulate(insert.getScalar(),
                     tensor::ExtractOp::create(b, loc, cotangent, *indices));
    if (ctx.isActive(insert.getDest())) {
      Value zero = buildZeroScalar(b, loc, insert.getScalar().getType());
      ctx.accumulate(insert.getDest(), tensor::InsertOp::create(
                                           b, loc, zero, cotangent, *indices));
    }
    return success();
  }
};

/// An insert gives its scalar back, and what it did not replace: elements that
/// are read of its destination, and what was inserted before.
struct InsertInverse
    : InvertibleOpInterface::ExternalModel<InsertInverse, tensor::InsertOp> {
  SmallVector<InverseEdge> getInverseEdges(Operation *op) const {
    auto insert = cast<tensor::InsertOp>(op);
    InverseEdge edge = InverseEdge::moving({}, {insert.getResult()});
    llvm::append_range(edge.from, insert.getIndices());
    for (const Element &element : getElements(insert))
      edge.solved.push_back(element.scalar);
    return {edge};
  }

  LogicalResult buildInverse(Operation *op, DerivativeContext &ctx,
                             unsigned) const {
    auto insert = cast<tensor::InsertOp>(op);
    Value result = ctx.primal(insert.getResult());
    if (!result)
      return failure();
    for (const Element &element : getElements(insert)) {
      FailureOr<SmallVector<Value>> indices =
          getPrimalIndices(element.indices, ctx);
      if (failed(indices))
        return failure();
      provideMoved(ctx, element.scalar,
                   tensor::ExtractOp::create(ctx.getBuilder(), op->getLoc(),
                                             result, *indices),
                   insert.getResult());
    }
    return success();
  }

private:
  /// A scalar and where it is in the result.
  struct Element {
    Value scalar;
    ValueRange indices;
  };

  static SmallVector<Element> getElements(tensor::InsertOp insert) {
    SmallVector<Element> elements{{insert.getScalar(), insert.getIndices()}};
    auto add = [&](Value scalar, ValueRange indices) {
      if (llvm::none_of(elements, [&](const Element &other) {
            return other.scalar == scalar;
          }))
        elements.push_back({scalar, indices});
    };
    // With indices that are not constants the edge would read them, too.
    for (tensor::ExtractOp read :
         getAccesses<tensor::ExtractOp>(insert.getDest(), insert->getBlock()))
      if (getConstants(read.getIndices()) &&
          areDifferent(read.getIndices(), insert.getIndices()))
        add(read.getResult(), read.getIndices());
    SmallVector<tensor::InsertOp> later{insert};
    while (later.size() < kMaxElements) {
      auto earlier = later.back().getDest().getDefiningOp<tensor::InsertOp>();
      if (!earlier || earlier->getBlock() != insert->getBlock() ||
          !getConstants(earlier.getIndices()))
        break;
      if (llvm::all_of(later, [&](tensor::InsertOp other) {
            return areDifferent(earlier.getIndices(), other.getIndices());
          }))
        add(earlier.getScalar(), earlier.getIndices());
      later.push_back(earlier);
    }
    return elements;
  }
};

//===----------------------------------------------------------------------===//
// from_elements and splat
//===----------------------------------------------------------------------===//

struct FromElementsModel
    : DifferentiableOpInterface::ExternalModel<FromElementsModel,
                                               tensor::FromElementsOp> {
  LogicalResult buildVJP(Operation *op, DerivativeContext &ctx) const {
    OpBuilder &b = ctx.getBuilder();
    Location loc = op->getLoc();
    Value cotangent = ctx.cotangent(op->getResult(0));
    ArrayRef<int64_t> shape =
        cast<RankedTensorType>(cotangent.getType()).getShape();
    for (auto [i, element] : llvm::enumerate(op->getOperands())) {
      if (!ctx.isActive(element))
        continue;
      ctx.accumulate(element,
                     tensor::ExtractOp::create(b, loc, cotangent,
                                               buildIndices(b, loc, i, shape)));
    }
    return success();
  }

  bool isCheapToRecompute(Operation *) const { return true; }
};

/// A tensor gives the scalars back that it was made of.
struct FromElementsInverse
    : InvertibleOpInterface::ExternalModel<FromElementsInverse,
                                           tensor::FromElementsOp> {
  SmallVector<InverseEdge> getInverseEdges(Operation *op) const {
    llvm::SetVector<Value> elements(op->operand_begin(), op->operand_end());
    if (elements.empty() || elements.size() > kMaxElements)
      return {};
    return {InverseEdge::moving(elements.getArrayRef(), {op->getResult(0)})};
  }

  LogicalResult buildInverse(Operation *op, DerivativeContext &ctx,
                             unsigned) const {
    Value result = ctx.primal(op->getResult(0));
    if (!result)
      return failure();
    OpBuilder &b = ctx.getBuilder();
    Location loc = op->getLoc();
    ArrayRef<int64_t> shape =
        cast<RankedTensorType>(result.getType()).getShape();
    llvm::SmallDenseSet<Value> done;
    for (auto [i, element] : llvm::enumerate(op->getOperands()))
      if (done.insert(element).second)
        provideMoved(ctx, element,
                     tensor::ExtractOp::create(b, loc, result,
                                               buildIndices(b, loc, i, shape)),
                     op->getResult(0));
    return success();
  }
};

struct SplatModel
    : DifferentiableOpInterface::ExternalModel<SplatModel, tensor::SplatOp> {
  LogicalResult buildVJP(Operation *op, DerivativeContext &ctx) const {
    auto splat = cast<tensor::SplatOp>(op);
    ctx.accumulate(splat.getInput(),
                   buildSum(ctx.getBuilder(), op->getLoc(),
                            ctx.cotangent(splat.getResult())));
    return success();
  }

  bool isCheapToRecompute(Operation *) const { return true; }
};

} // namespace

void memrev::registerTensorElementModels(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *c, tensor::TensorDialect *) {
    using namespace tensor;
    ExtractOp::attachInterface<ExtractModel, ExtractInverse>(*c);
    FromElementsOp::attachInterface<FromElementsModel, FromElementsInverse>(*c);
    InsertOp::attachInterface<InsertModel, InsertInverse>(*c);
    SplatOp::attachInterface<SplatModel>(*c);
  });
}
