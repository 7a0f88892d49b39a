//===- OutlineScatters.cpp - Loops that update slices become kernels ------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "EmittedKernel.h"
#include "KernelEmitters.h"
#include "memrev/Codegen/Common/AttributeNames.h"
#include "memrev/Codegen/GPU/Passes.h"
#include "memrev/Codegen/GPU/Strategy.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

namespace mlir::memrev {
#define GEN_PASS_DEF_GPUOUTLINESCATTERS
#include "memrev/Codegen/GPU/Passes.h.inc"
} // namespace mlir::memrev

using namespace mlir;
using namespace mlir::memrev;
using namespace mlir::memrev::simt;

/// Iterations that 32 bits number, with room for what is computed on the way.
static constexpr int64_t kMaxIterations = int64_t(1) << 30;

//===----------------------------------------------------------------------===//
// Recognition
//===----------------------------------------------------------------------===//

namespace {
/// A nest of loops around one update of what they carry.
struct Scatter {
  /// The outermost first.
  SmallVector<scf::ForOp> loops;
  SmallVector<LoopRange> ranges;
  /// The tensor before the update.
  BlockArgument carried;
  /// In order, what is computed from loop indices and elements of tensors.
  SmallVector<Operation *> scalars;
  /// Of those, what is computed from an element that is updated.
  SetVector<Operation *> updating;
  /// A call of a kernel, a tensor.insert_slice or a tensor.insert.
  Operation *update = nullptr;
  /// The callee of a call.
  func::FuncOp kernel;
  /// What the update inserts a copy of.
  tensor::ExtractSliceOp slice;
  /// What is defined outside and read inside, but for constants.
  SetVector<Value> captured;

  scf::ForOp outermost() { return loops.front(); }
  bool isInside(Value value) {
    return outermost().getRegion().isAncestor(value.getParentRegion());
  }
};
} // namespace

/// Whether kernels read elements of `type`.
static bool isReadable(Type type) {
  if (auto shaped = dyn_cast<ShapedType>(type);
      shaped && !(isa<RankedTensorType>(type) && shaped.hasStaticShape()))
    return false;
  Type element = getElementTypeOrSelf(type);
  if (!element.isIntOrIndexOrFloat())
    return false;
  int64_t bytes = getByteSize(element);
  return bytes <= 8 && llvm::isPowerOf2_64(bytes);
}

/// Whether `op` computes one scalar from others and from elements of tensors.
static bool isScalarOp(Operation *op) {
  if (op->getNumResults() != 1 || op->getNumRegions() != 0 ||
      !isMemoryEffectFree(op) || !isReadable(op->getResultTypes()[0]) ||
      isa<ShapedType>(op->getResultTypes()[0]))
    return false;
  return isa<tensor::ExtractOp>(op) ||
         llvm::none_of(op->getOperandTypes(), llvm::IsaPred<ShapedType>);
}

static std::optional<LoopRange> getRange(scf::ForOp loop) {
  std::optional<int64_t> start = getConstantIntValue(loop.getLowerBound());
  std::optional<int64_t> step = getConstantIntValue(loop.getStep());
  std::optional<APInt> count = loop.getStaticTripCount();
  if (!loop.getInductionVar().getType().isIndex() || !start || !step ||
      !count || count->isZero() || count->uge(kMaxIterations))
    return std::nullopt;
  return LoopRange{*start, *step, count->getSExtValue()};
}

/// Collects the nest from `loop` on and splits its bodies into scalars and the
/// operation that gives the next tensor.
static LogicalResult collectNest(scf::ForOp loop, Scatter &scatter) {
  int64_t iterations = 1;
  while (loop) {
    std::optional<LoopRange> range = getRange(loop);
    if (!range || loop.getNumRegionIterArgs() != 1 ||
        llvm::MulOverflow(iterations, range->count, iterations) ||
        iterations >= kMaxIterations)
      return failure();
    scatter.loops.push_back(loop);
    scatter.ranges.push_back(*range);
    scatter.carried = loop.getRegionIterArg(0);
    Operation *last = loop.getYieldedValues().front().getDefiningOp();
    if (!last || last->getBlock() != loop.getBody() ||
        last->getNumResults() != 1)
      return failure();
    for (Operation &op : loop.getBody()->without_terminator()) {
      if (&op == last)
        continue;
      if (isScalarOp(&op)) {
        scatter.scalars.push_back(&op);
        continue;
      }
      auto slice = dyn_cast<tensor::ExtractSliceOp>(op);
      if (!slice || scatter.slice)
        return failure();
      scatter.slice = slice;
    }
    loop = dyn_cast<scf::ForOp>(last);
    if (!loop) {
      scatter.update = last;
      break;
    }
    if (!scatter.carried.hasOneUse() ||
        loop.getInitArgs().front() != scatter.carried)
      return failure();
  }
  return success();
}

/// Whether what the nest carries is only used by the update, which makes the
/// next tensor from it.
static LogicalResult checkUpdate(Scatter &scatter, SymbolTable &symbols) {
  BlockArgument carried = scatter.carried;
  if (scatter.slice &&
      (!isa<tensor::InsertSliceOp>(scatter.update) ||
       !scatter.slice->hasOneUse() ||
       scatter.slice.getResult() != scatter.update->getOperand(0)))
    return failure();
  if (auto call = dyn_cast<func::CallOp>(scatter.update)) {
    scatter.kernel = symbols.lookup<func::FuncOp>(call.getCallee());
    return success(scatter.kernel && !scatter.kernel.isExternal() &&
                   scatter.kernel->hasAttr(kKernelAttr) &&
                   scatter.kernel.getBody().hasOneBlock() &&
                   carried.hasOneUse() && call.getOperands().back() == carried);
  }
  if (auto insert = dyn_cast<tensor::InsertSliceOp>(scatter.update))
    return success(carried.hasOneUse() && insert.getDest() == carried &&
                   insert.getSourceType().hasStaticShape());
  auto insert = dyn_cast<tensor::InsertOp>(scatter.update);
  if (!insert || insert.getDest() != carried)
    return failure();
  for (Operation *user : carried.getUsers()) {
    if (user == insert)
      continue;
    auto extract = dyn_cast<tensor::ExtractOp>(user);
    if (!extract || extract.getTensor() != carried ||
        !llvm::equal(extract.getIndices(), insert.getIndices()))
      return failure();
    scatter.updating.insert(extract);
  }
  for (Operation *op : scatter.scalars)
    if (llvm::any_of(op->getOperands(), [&](Value operand) {
          return scatter.updating.contains(operand.getDefiningOp());
        }))
      scatter.updating.insert(op);
  // Where to update does not depend on what is there.
  return success(llvm::none_of(insert.getIndices(), [&](Value index) {
    return scatter.updating.contains(index.getDefiningOp());
  }));
}

/// Reads `loop` as a scatter; fails if it is none.
static FailureOr<Scatter> matchScatter(scf::ForOp loop, SymbolTable &symbols) {
  Scatter scatter;
  if (failed(collectNest(loop, scatter)) ||
      failed(checkUpdate(scatter, symbols)) ||
      !isReadable(scatter.carried.getType()))
    return failure();
  auto capture = [&](Operation *op) {
    for (Value operand : op->getOperands())
      if (!scatter.isInside(operand) && !(matchPattern(operand, m_Constant()) &&
                                          !isa<ShapedType>(operand.getType())))
        scatter.captured.insert(operand);
  };
  llvm::for_each(scatter.scalars, capture);
  if (scatter.slice)
    capture(scatter.slice);
  capture(scatter.update);
  if (!llvm::all_of(scatter.captured,
                    [](Value value) { return isReadable(value.getType()); }))
    return failure();
  return scatter;
}

//===----------------------------------------------------------------------===//
// One iteration
//===----------------------------------------------------------------------===//

/// Emits the copy of `source` into `dest` as `insert` does it.
static Value buildCopy(OpBuilder &b, tensor::InsertSliceOp insert, Value source,
                       Value dest, IRMapping &mapping) {
  Location loc = insert.getLoc();
  RankedTensorType type = insert.getSourceType();
  auto clone = cast<tensor::InsertSliceOp>(b.clone(*insert, mapping));
  b.setInsertionPoint(clone);
  Value old = tensor::ExtractSliceOp::create(
      b, loc, type, dest, clone.getMixedOffsets(), clone.getMixedSizes(),
      clone.getMixedStrides());
  AffineMap identity = b.getMultiDimIdentityMap(type.getRank());
  SmallVector<utils::IteratorType> iterators(type.getRank(),
                                             utils::IteratorType::parallel);
  auto copy = linalg::GenericOp::create(
      b, loc, TypeRange{type}, source, old,
      ArrayRef<AffineMap>{identity, identity}, iterators,
      [](OpBuilder &inner, Location l, ValueRange args) {
        linalg::YieldOp::create(inner, l, args.front());
      });
  clone.getSourceMutable().assign(copy.getResult(0));
  b.setInsertionPointAfter(clone);
  return clone;
}

/// Emits the update of one element of `dest` as an operation on a slice without
/// dimensions.
static Value buildElementUpdate(OpBuilder &b, Scatter &scatter,
                                tensor::InsertOp insert, Value dest,
                                IRMapping &mapping) {
  Location loc = insert.getLoc();
  auto type = cast<RankedTensorType>(dest.getType());
  SmallVector<OpFoldResult> offsets, ones(type.getRank(), b.getIndexAttr(1));
  for (Value index : insert.getIndices())
    offsets.push_back(mapping.lookup(index));
  auto element = RankedTensorType::get({}, type.getElementType());
  Value old = tensor::ExtractSliceOp::create(b, loc, element, dest, offsets,
                                             ones, ones);
  auto update = linalg::GenericOp::create(
      b, loc, TypeRange{element}, ValueRange(), old,
      ArrayRef<AffineMap>{b.getMultiDimIdentityMap(0)},
      ArrayRef<utils::IteratorType>(),
      [&](OpBuilder &inner, Location l, ValueRange args) {
        for (Operation *op : scatter.scalars) {
          if (!scatter.updating.contains(op))
            continue;
          if (auto extract = dyn_cast<tensor::ExtractOp>(op);
              extract && extract.getTensor() == scatter.carried)
            mapping.map(extract.getResult(), args.front());
          else
            inner.clone(*op, mapping);
        }
        linalg::YieldOp::create(inner, l, mapping.lookup(insert.getScalar()));
      });
  return tensor::InsertSliceOp::create(b, loc, update.getResult(0), dest,
                                       offsets, ones, ones);
}

/// Creates a function that makes one iteration of `scatter`, of the loop
/// indices, the captured values and the destination.
static OwningOpRef<func::FuncOp> createStep(Scatter &scatter) {
  OpBuilder b(scatter.outermost().getContext());
  Location loc = scatter.outermost().getLoc();
  SmallVector<Type> types(scatter.loops.size(), b.getIndexType());
  for (Value value : scatter.captured)
    types.push_back(value.getType());
  Type type = scatter.carried.getType();
  types.push_back(type);
  OwningOpRef<func::FuncOp> step =
      func::FuncOp::create(loc, "step", b.getFunctionType(types, {type}));
  Block *entry = step->addEntryBlock();
  b.setInsertionPointToStart(entry);
  IRMapping mapping;
  unsigned number = 0;
  for (scf::ForOp loop : scatter.loops)
    mapping.map(loop.getInductionVar(), entry->getArgument(number++));
  for (Value value : scatter.captured)
    mapping.map(value, entry->getArgument(number++));
  Value dest = entry->getArgument(number);
  mapping.map(scatter.carried, dest);

  auto cloneConstants = [&](Operation *op) {
    for (Value operand : op->getOperands())
      if (!mapping.contains(operand) && !scatter.isInside(operand))
        b.clone(*operand.getDefiningOp(), mapping);
  };
  for (Operation *op : scatter.scalars)
    cloneConstants(op);
  if (scatter.slice)
    cloneConstants(scatter.slice);
  cloneConstants(scatter.update);
  for (Operation *op : scatter.scalars)
    if (!scatter.updating.contains(op))
      b.clone(*op, mapping);
  if (scatter.slice)
    b.clone(*scatter.slice, mapping);

  Value result;
  if (auto call = dyn_cast<func::CallOp>(scatter.update)) {
    IRMapping inner;
    for (auto [argument, operand] :
         llvm::zip_equal(scatter.kernel.getArguments(), call.getOperands()))
      inner.map(argument, mapping.lookup(operand));
    Block &body = scatter.kernel.front();
    for (Operation &op : body.without_terminator())
      b.clone(op, inner);
    result = inner.lookup(body.getTerminator()->getOperand(0));
  } else if (auto insert = dyn_cast<tensor::InsertSliceOp>(scatter.update)) {
    result =
        buildCopy(b, insert, mapping.lookup(insert.getSource()), dest, mapping);
  } else {
    result = buildElementUpdate(
        b, scatter, cast<tensor::InsertOp>(scatter.update), dest, mapping);
  }
  func::ReturnOp::create(b, loc, result);
  return step;
}

/// Whether the scalars of `step` can be computed: from elements of arguments
/// that are not updated.
static bool hasOnlyScalars(func::FuncOp step) {
  Block &entry = step.front();
  for (Operation &op : entry.without_terminator()) {
    bool isOnTensors =
        llvm::all_of(op.getResultTypes(), llvm::IsaPred<TensorType>);
    if (isOnTensors && op.getNumResults() != 0)
      continue;
    if (!isScalarOp(&op))
      return false;
    auto extract = dyn_cast<tensor::ExtractOp>(op);
    auto source = extract ? dyn_cast<BlockArgument>(extract.getTensor())
                          : BlockArgument();
    if (extract && (!source || source == entry.getArguments().back()))
      return false;
  }
  return true;
}

/// Whether `value` of a function is computed from an element of a tensor.
static bool readsTensor(Value value) {
  Operation *op = value.getDefiningOp();
  return op && (isa<tensor::ExtractOp>(op) ||
                llvm::any_of(op->getOperands(), readsTensor));
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

namespace {
struct GPUOutlineScattersPass
    : memrev::impl::GPUOutlineScattersBase<GPUOutlineScattersPass> {
  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    SmallVector<func::FuncOp> funcs(getOperation().getOps<func::FuncOp>());
    SetVector<func::FuncOp> callees;
    for (func::FuncOp func : funcs)
      func.walk<WalkOrder::PreOrder>([&](scf::ForOp loop) {
        FailureOr<Scatter> scatter = matchScatter(loop, symbols);
        if (failed(scatter) || failed(outline(*scatter, symbols)))
          return WalkResult::advance();
        if (scatter->kernel)
          callees.insert(scatter->kernel);
        loop.erase();
        return WalkResult::skip();
      });
    for (func::FuncOp callee : callees)
      if (SymbolTable::symbolKnownUseEmpty(callee, getOperation()))
        callee.erase();
  }

private:
  /// Replaces the results of the loops by those of a call; fails if the kernel
  /// cannot be emitted.
  LogicalResult outline(Scatter &scatter, SymbolTable &symbols) {
    OwningOpRef<func::FuncOp> owner = createStep(scatter);
    func::FuncOp step = *owner;
    std::string reason;
    FailureOr<Problem> problem = buildProblem(step, Contractions::None, reason);
    if (failed(problem) || !hasOnlyScalars(step) ||
        !canEmit(*problem, step, reason) || !canEmitScatter(*problem) ||
        problem->getIterations() > kMaxGridSize ||
        llvm::none_of(problem->outputs.front().dest.symbols, readsTensor))
      return failure();

    scf::ForOp loop = scatter.outermost();
    OpBuilder builder(loop);
    SmallVector<Value> operands(scatter.captured.getArrayRef());
    operands.push_back(loop.getInitArgs().front());
    Type type = scatter.carried.getType();
    auto kernel = func::FuncOp::create(
        loop.getLoc(), "scatter",
        builder.getFunctionType(TypeRange(ValueRange(operands)), {type}));
    kernel.setPrivate();
    symbols.insert(kernel);
    LaunchShape launch =
        emitScatter(getKernelModule(getOperation()), step, kernel.getName(),
                    *problem, scatter.ranges);
    SmallVector<ArgumentAccess> accesses(operands.size(), ArgumentAccess::Read);
    accesses.back() = ArgumentAccess::ReadWrite;
    // A thread updates at least an element: that is no failure.
    (void)describeKernel(kernel, accesses, launch);
    auto call = func::CallOp::create(builder, loop.getLoc(), kernel, operands);
    loop.replaceAllUsesWith(call.getResults());
    return success();
  }
};
} // namespace
