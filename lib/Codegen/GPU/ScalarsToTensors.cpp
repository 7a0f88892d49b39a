//===- ScalarsToTensors.cpp - Keep scalars of kernels on the device -------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ScalarUses.h"
#include "memrev/Codegen/GPU/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/SetVector.h"

namespace mlir::memrev {
#define GEN_PASS_DEF_GPUSCALARSTOTENSORS
#include "memrev/Codegen/GPU/Passes.h.inc"
} // namespace mlir::memrev

using namespace mlir;
using namespace mlir::memrev;

static RankedTensorType getScalarTensor(Type type) {
  return RankedTensorType::get({}, type);
}

// Scalars that loops and branches carry

/// Makes the results `numbers` of a branch tensors of rank 0.
static void carryInTensors(RewriterBase &rewriter, Operation *branch,
                           ArrayRef<unsigned> numbers) {
  for (Region &region : branch->getRegions()) {
    Operation *yield = region.front().getTerminator();
    rewriter.setInsertionPoint(yield);
    for (unsigned number : numbers) {
      Value value = yield->getOperand(number);
      yield->setOperand(number, tensor::FromElementsOp::create(
                                    rewriter, value.getLoc(),
                                    getScalarTensor(value.getType()), value));
    }
  }
  rewriter.setInsertionPointAfter(branch);
  for (unsigned number : numbers) {
    OpResult result = branch->getResult(number);
    Type type = result.getType();
    result.setType(getScalarTensor(type));
    auto extract = tensor::ExtractOp::create(rewriter, result.getLoc(), type,
                                             result, ValueRange());
    rewriter.replaceAllUsesExcept(result, extract, extract);
  }
}

/// Makes the values `numbers` that `loop` carries tensors of rank 0.
static void carryInTensors(RewriterBase &rewriter, scf::ForOp loop,
                           ArrayRef<unsigned> numbers) {
  rewriter.setInsertionPoint(loop);
  for (unsigned number : numbers) {
    OpOperand &init = loop.getInitArgsMutable()[number];
    init.set(tensor::FromElementsOp::create(
        rewriter, loop.getLoc(), getScalarTensor(init.get().getType()),
        init.get()));
  }
  rewriter.setInsertionPointToStart(loop.getBody());
  for (unsigned number : numbers) {
    BlockArgument argument = loop.getRegionIterArg(number);
    Type type = argument.getType();
    argument.setType(getScalarTensor(type));
    auto extract = tensor::ExtractOp::create(rewriter, argument.getLoc(), type,
                                             argument, ValueRange());
    rewriter.replaceAllUsesExcept(argument, extract, extract);
  }
  carryInTensors(rewriter, loop.getOperation(), numbers);
}

/// Carries scalars that only kernels need in tensors. Returns true if there
/// were any.
static bool carryInTensors(RewriterBase &rewriter, func::FuncOp func) {
  ScalarUses uses(func);
  SmallVector<std::pair<Operation *, SmallVector<unsigned>>> found;
  func.walk([&](Operation *op) {
    if (!isa<scf::ForOp, scf::IfOp, scf::IndexSwitchOp>(op))
      return;
    SmallVector<unsigned> numbers;
    for (OpResult result : op->getResults())
      if (uses.isForKernels(result))
        numbers.push_back(result.getResultNumber());
    if (!numbers.empty())
      found.emplace_back(op, std::move(numbers));
  });
  for (auto &[op, numbers] : found) {
    if (auto loop = dyn_cast<scf::ForOp>(op))
      carryInTensors(rewriter, loop, numbers);
    else
      carryInTensors(rewriter, op, numbers);
  }
  return !found.empty();
}

// Scalars as tensors

namespace {
/// Makes tensors of rank 0 of scalars.
class ScalarTensors {
public:
  ScalarTensors(RewriterBase &rewriter, const ScalarUses &uses)
      : rewriter(rewriter), uses(uses) {}

  /// Returns a tensor with `scalar` in it, for `reader` to read.
  Value get(Value scalar, Operation *reader);

  /// The tensors that were computed, by their scalars.
  const llvm::MapVector<Value, Value> &getComputed() const { return computed; }

private:
  /// Whether an index of `extract` is known to the device alone.
  bool isLookup(tensor::ExtractOp extract) const;
  /// Whether something may overwrite the tensor that `extract` reads before
  /// `reader` has read it.
  bool mayBeOverwritten(tensor::ExtractOp extract, Operation *reader) const;
  Value getElement(tensor::ExtractOp extract, Operation *reader);
  /// Makes a kernel that computes `scalar` from elements of tensors.
  Value compute(Value scalar);

  RewriterBase &rewriter;
  const ScalarUses &uses;
  llvm::MapVector<Value, Value> computed;
  DenseMap<Operation *, Value> slices, copies;
  /// Slices that are only read.
  DenseSet<Operation *> made;
};
} // namespace

/// Builds the operation on elements of `inputs` that `body` emits; inputs
/// without dimensions are for all elements. `sizes` are the dynamic ones.
static Value
buildElementwise(OpBuilder &builder, Location loc, RankedTensorType type,
                 ValueRange sizes, ValueRange inputs,
                 function_ref<Value(OpBuilder &, Location, ValueRange)> body) {
  Value empty = tensor::EmptyOp::create(builder, loc, type, sizes);
  AffineMap identity = builder.getMultiDimIdentityMap(type.getRank());
  auto scalarMap = AffineMap::get(type.getRank(), 0, builder.getContext());
  SmallVector<AffineMap> maps;
  for (Value input : inputs)
    maps.push_back(cast<RankedTensorType>(input.getType()).getRank() == 0
                       ? scalarMap
                       : identity);
  maps.push_back(identity);
  SmallVector<utils::IteratorType> iterators(type.getRank(),
                                             utils::IteratorType::parallel);
  return linalg::GenericOp::create(
             builder, loc, type, inputs, empty, maps, iterators,
             [&](OpBuilder &inner, Location innerLoc, ValueRange arguments) {
               linalg::YieldOp::create(
                   inner, innerLoc,
                   body(inner, innerLoc, arguments.drop_back()));
             })
      .getResult(0);
}

bool ScalarTensors::isLookup(tensor::ExtractOp extract) const {
  return llvm::any_of(extract.getIndices(),
                      [&](Value index) { return uses.isForKernels(index); });
}

bool ScalarTensors::mayBeOverwritten(tensor::ExtractOp extract,
                                     Operation *reader) const {
  Block *block = extract->getBlock();
  Operation *last = block->findAncestorOpInBlock(*reader);
  return llvm::any_of(extract.getTensor().getUses(), [&](OpOperand &use) {
    Operation *user = use.getOwner();
    auto linalgOp = dyn_cast<linalg::LinalgOp>(user);
    if (isa<tensor::ExtractOp, tensor::DimOp>(user) || made.contains(user) ||
        (linalgOp && user != reader && linalgOp.isDpsInput(&use)))
      return false;
    Operation *ancestor = block->findAncestorOpInBlock(*user);
    return ancestor && extract->isBeforeInBlock(ancestor) &&
           !last->isBeforeInBlock(ancestor);
  });
}

Value ScalarTensors::getElement(tensor::ExtractOp extract, Operation *reader) {
  if (Value copy = copies.lookup(extract))
    return copy;
  bool isOverwritten = mayBeOverwritten(extract, reader);
  OpBuilder::InsertionGuard guard(rewriter);
  rewriter.setInsertionPointAfter(extract);
  Location loc = extract.getLoc();
  Value element = slices.lookup(extract);
  if (!element) {
    element = extract.getTensor();
    if (int64_t rank = extract.getTensor().getType().getRank()) {
      SmallVector<OpFoldResult> ones(rank, rewriter.getIndexAttr(1));
      element = tensor::ExtractSliceOp::create(
          rewriter, loc, getScalarTensor(extract.getType()), element,
          getAsOpFoldResult(extract.getIndices()), ones, ones);
      rewriter.setInsertionPointAfterValue(element);
      made.insert(element.getDefiningOp());
    }
    slices[extract] = element;
  }
  if (!isOverwritten)
    return element;
  // Not by an operation: a kernel would take that in, and read the tensor.
  rewriter.setInsertionPointAfterValue(
      extract->getNumOperands() == 1 ? Value(extract.getResult()) : element);
  return copies[extract] = bufferization::AllocTensorOp::create(
             rewriter, loc, cast<RankedTensorType>(element.getType()),
             /*dynamicSizes=*/ValueRange(), /*copy=*/element);
}

Value ScalarTensors::compute(Value scalar) {
  // Operands come before what uses them.
  SmallVector<Operation *> ops;
  DenseSet<Operation *> visited;
  llvm::MapVector<Value, Value> inputs;
  Operation *place = scalar.getDefiningOp();
  auto collect = [&](auto &self, Value value) -> void {
    Operation *op = value.getDefiningOp();
    if (!op || !uses.isForKernels(value) || inputs.contains(value))
      return;
    if (Value known = computed.lookup(value)) {
      inputs[value] = known;
      return;
    }
    if (auto extract = dyn_cast<tensor::ExtractOp>(op);
        extract && !isLookup(extract)) {
      inputs[value] = getElement(extract, place);
      return;
    }
    if (!visited.insert(op).second)
      return;
    for (Value operand : op->getOperands())
      self(self, operand);
    ops.push_back(op);
  };
  collect(collect, scalar);

  OpBuilder::InsertionGuard guard(rewriter);
  rewriter.setInsertionPointAfter(place);
  SmallVector<Value> tensors = llvm::map_to_vector(
      inputs, [](const auto &input) { return input.second; });
  return buildElementwise(
      rewriter, scalar.getLoc(), getScalarTensor(scalar.getType()), {}, tensors,
      [&](OpBuilder &builder, Location, ValueRange arguments) {
        IRMapping mapping;
        for (auto [input, argument] : llvm::zip(inputs, arguments))
          mapping.map(input.first, argument);
        for (Operation *op : ops)
          builder.clone(*op, mapping);
        return mapping.lookup(scalar);
      });
}

Value ScalarTensors::get(Value scalar, Operation *reader) {
  if (auto extract = scalar.getDefiningOp<tensor::ExtractOp>();
      extract && !isLookup(extract))
    return getElement(extract, reader);
  if (Value known = computed.lookup(scalar))
    return known;
  Value tensor = compute(scalar);
  computed[scalar] = tensor;
  return tensor;
}

// What reads the scalars

/// Gives `op` its scalars as inputs without dimensions.
static void readTensors(RewriterBase &rewriter, linalg::LinalgOp op,
                        const ScalarUses &uses, ScalarTensors &scalars) {
  llvm::SetVector<Value> captured;
  getUsedValuesDefinedAbove(op->getRegions(), captured);
  auto isForKernels = [&](Value value) { return uses.isForKernels(value); };
  if (llvm::none_of(captured, isForKernels) &&
      llvm::none_of(op->getOperands(), isForKernels))
    return;
  captured.remove_if([&](Value value) { return !isForKernels(value); });

  rewriter.setInsertionPoint(op);
  auto generic = dyn_cast<linalg::GenericOp>(op.getOperation());
  if (!generic) {
    FailureOr<linalg::GenericOp> made = linalg::generalizeNamedOp(rewriter, op);
    if (failed(made))
      return;
    generic = *made;
  }
  SmallVector<Value> inputs;
  for (Value input : generic.getInputs())
    inputs.push_back(isForKernels(input) ? scalars.get(input, generic) : input);
  SmallVector<AffineMap> maps = generic.getIndexingMapsArray();
  auto scalarMap =
      AffineMap::get(generic.getNumLoops(), 0, rewriter.getContext());
  maps.insert(maps.begin() + inputs.size(), captured.size(), scalarMap);
  unsigned firstCaptured = inputs.size();
  for (Value value : captured)
    inputs.push_back(scalars.get(value, generic));

  rewriter.setInsertionPoint(generic);
  auto reader = linalg::GenericOp::create(
      rewriter, generic.getLoc(), generic.getResultTypes(), inputs,
      generic.getOutputs(), maps, generic.getIteratorTypesArray());
  reader->setDiscardableAttrs(llvm::to_vector(generic->getDiscardableAttrs()));
  rewriter.inlineRegionBefore(generic.getRegion(), reader.getRegion(),
                              reader.getRegion().begin());
  for (auto [number, value] : llvm::enumerate(captured)) {
    BlockArgument argument = reader.getBody()->insertArgument(
        firstCaptured + number, value.getType(), value.getLoc());
    replaceAllUsesInRegionWith(value, argument, reader.getRegion());
  }
  rewriter.replaceOp(generic, reader);
}

/// Makes an operation that is elementwise of `op`, which is none for scalars.
static void readTensors(RewriterBase &rewriter, Operation *op,
                        const ScalarUses &uses, ScalarTensors &scalars) {
  if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op))
    return readTensors(rewriter, linalgOp, uses, scalars);
  Location loc = op->getLoc();
  auto type = cast<RankedTensorType>(op->getResult(0).getType());
  auto insert = dyn_cast<tensor::InsertOp>(op);
  Value scalar = insert ? insert.getScalar() : op->getOperand(0);
  if (!uses.isForKernels(scalar))
    return;
  Value element = scalars.get(scalar, op);
  rewriter.setInsertionPoint(op);
  if (auto select = dyn_cast<arith::SelectOp>(op)) {
    Value left = select.getTrueValue(), right = select.getFalseValue();
    SmallVector<Value> sizes;
    for (int64_t dim = 0; dim < type.getRank(); ++dim)
      if (type.isDynamicDim(dim))
        sizes.push_back(tensor::DimOp::create(rewriter, loc, left, dim));
    rewriter.replaceOp(
        op, buildElementwise(
                rewriter, loc, type, sizes, {element, left, right},
                [](OpBuilder &builder, Location inner, ValueRange arguments) {
                  return arith::SelectOp::create(builder, inner, arguments[0],
                                                 arguments[1], arguments[2])
                      .getResult();
                }));
    return;
  }
  // What holds nothing else can be the tensor.
  if (type.getRank() == 0 && scalars.getComputed().contains(scalar))
    return rewriter.replaceOp(op, element);
  auto splat = dyn_cast<tensor::SplatOp>(op);
  rewriter.replaceOp(
      op,
      buildElementwise(rewriter, loc, type,
                       splat ? splat.getDynamicSizes() : ValueRange(), element,
                       [](OpBuilder &, Location, ValueRange arguments) {
                         return arguments.front();
                       }));
}

namespace {
struct GPUScalarsToTensors
    : memrev::impl::GPUScalarsToTensorsBase<GPUScalarsToTensors> {
  void runOnOperation() override {
    IRRewriter rewriter(&getContext());
    // What is carried to an outer loop may come out of an inner one.
    while (carryInTensors(rewriter, getOperation()))
      ;
    ScalarUses uses(getOperation());
    ScalarTensors scalars(rewriter, uses);
    for (Operation *reader : uses.getReaders())
      readTensors(rewriter, reader, uses, scalars);
    // What else the scalars go to, results of the program for example.
    for (auto [scalar, tensor] : scalars.getComputed()) {
      if (scalar.use_empty())
        continue;
      rewriter.setInsertionPointAfterValue(tensor);
      rewriter.replaceAllUsesWith(
          scalar, tensor::ExtractOp::create(rewriter, scalar.getLoc(), tensor,
                                            ValueRange())
                      .getResult());
    }
    (void)runRegionDCE(rewriter, getOperation()->getRegions());
  }
};
} // namespace
