//===- EmitCopies.cpp - Copies as kernels with wide accesses --------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "EmittedKernel.h"
#include "KernelEmitters.h"
#include "KernelStrategy.h"
#include "memrev/Codegen/Common/Problem.h"
#include "memrev/Codegen/GPU/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/SymbolTable.h"

namespace mlir::memrev {
#define GEN_PASS_DEF_GPUEMITCOPIES
#include "memrev/Codegen/GPU/Passes.h.inc"
} // namespace mlir::memrev

using namespace mlir;
using namespace mlir::memrev;
using namespace mlir::memrev::simt;

namespace {
/// A part of a buffer whose elements lie one after another: all of it, or what
/// `slice` selects, in the shape that `reshapes`, the last one first, give
/// that.
struct Part {
  Value buffer;
  memref::SubViewOp slice;
  SmallVector<Operation *> reshapes;

  RankedTensorType getTensorType() {
    auto type = cast<MemRefType>(buffer.getType());
    return RankedTensorType::get(type.getShape(), type.getElementType());
  }
  ValueRange getOffsets() {
    return slice ? ValueRange(slice.getOffsets()) : ValueRange();
  }
  /// What distinguishes kernels for such parts.
  void addKey(SmallVectorImpl<Attribute> &key);
};
} // namespace

static SmallVector<ReassociationIndices> getReassociation(Operation *reshape) {
  if (auto expand = dyn_cast<memref::ExpandShapeOp>(reshape))
    return expand.getReassociationIndices();
  return cast<memref::CollapseShapeOp>(reshape).getReassociationIndices();
}

void Part::addKey(SmallVectorImpl<Attribute> &key) {
  Builder b(buffer.getContext());
  key.push_back(TypeAttr::get(getTensorType()));
  if (!slice)
    return;
  key.push_back(TypeAttr::get(slice.getType()));
  for (ArrayRef<int64_t> numbers :
       {slice.getStaticOffsets(), slice.getStaticSizes(),
        slice.getStaticStrides()})
    key.push_back(b.getDenseI64ArrayAttr(numbers));
  for (Operation *reshape : reshapes) {
    key.push_back(TypeAttr::get(reshape->getResult(0).getType()));
    key.push_back(reshape->getAttr("reassociation"));
  }
}

/// Returns the part that `operand` is; nothing if its shape is dynamic or it is
/// a view of another kind.
static std::optional<Part> getPart(Value operand) {
  Part part{operand, {}, {}};
  SmallVector<Operation *> reshapes;
  Operation *op = operand.getDefiningOp();
  while (isa_and_present<memref::ExpandShapeOp, memref::CollapseShapeOp>(op)) {
    reshapes.push_back(op);
    op = op->getOperand(0).getDefiningOp();
  }
  if (auto slice = dyn_cast_if_present<memref::SubViewOp>(op)) {
    part = {slice.getSource(), slice, std::move(reshapes)};
    if (!slice.getType().hasStaticShape() ||
        llvm::any_of(slice.getStaticStrides(), ShapedType::isDynamic))
      return std::nullopt;
  }
  auto type = dyn_cast<MemRefType>(part.buffer.getType());
  if (!type || !type.hasStaticShape() || !type.getLayout().isIdentity() ||
      !type.getElementType().isIntOrIndexOrFloat())
    return std::nullopt;
  return part;
}

/// The function on tensors that copies `source` to `target`: of the source, the
/// offsets of both, and the target.
static OwningOpRef<func::FuncOp> createCopy(Location loc, StringRef name,
                                            Part &source, Part &target) {
  OpBuilder b(loc.getContext());
  SmallVector<Type> types{source.getTensorType()};
  types.append(source.getOffsets().size() + target.getOffsets().size(),
               b.getIndexType());
  types.push_back(target.getTensorType());
  OwningOpRef<func::FuncOp> copy =
      func::FuncOp::create(loc, name, b.getFunctionType(types, {types.back()}));
  Block *entry = copy->addEntryBlock();
  b.setInsertionPointToStart(entry);
  ValueRange arguments = entry->getArguments();
  Value value = arguments.front(), result = arguments.back();
  ValueRange offsets = arguments.drop_front().drop_back();
  auto getType = [](Value view) {
    auto type = cast<MemRefType>(view.getType());
    return RankedTensorType::get(type.getShape(), type.getElementType());
  };
  auto reshape = [&](Operation *op, Value shape) {
    RankedTensorType type = getType(shape);
    SmallVector<ReassociationIndices> groups = getReassociation(op);
    if (type.getRank() > cast<RankedTensorType>(value.getType()).getRank())
      value = tensor::ExpandShapeOp::create(b, loc, type, value, groups);
    else
      value = tensor::CollapseShapeOp::create(b, loc, type, value, groups);
  };
  if (memref::SubViewOp slice = source.slice) {
    size_t count = slice.getOffsets().size();
    value = tensor::ExtractSliceOp::create(
        b, loc, getType(slice), value, offsets.take_front(count), ValueRange(),
        ValueRange(), slice.getStaticOffsets(), slice.getStaticSizes(),
        slice.getStaticStrides());
    offsets = offsets.drop_front(count);
    for (Operation *op : llvm::reverse(source.reshapes))
      reshape(op, op->getResult(0));
  }
  Value init = result;
  if (target.slice) {
    for (Operation *op : target.reshapes)
      reshape(op, op->getOperand(0));
    RankedTensorType type = getType(target.slice);
    init =
        tensor::EmptyOp::create(b, loc, type.getShape(), type.getElementType());
  }
  AffineMap identity = b.getMultiDimIdentityMap(
      cast<RankedTensorType>(init.getType()).getRank());
  SmallVector<utils::IteratorType> iterators(identity.getNumDims(),
                                             utils::IteratorType::parallel);
  Value copied = linalg::GenericOp::create(
                     b, loc, init.getType(), value, init,
                     ArrayRef<AffineMap>{identity, identity}, iterators,
                     [](OpBuilder &inner, Location l, ValueRange elements) {
                       linalg::YieldOp::create(inner, l, elements.front());
                     })
                     .getResult(0);
  if (memref::SubViewOp slice = target.slice)
    copied = tensor::InsertSliceOp::create(
        b, loc, copied, result, offsets, ValueRange(), ValueRange(),
        slice.getStaticOffsets(), slice.getStaticSizes(),
        slice.getStaticStrides());
  func::ReturnOp::create(b, loc, copied);
  return copy;
}

namespace {
struct GPUEmitCopies : memrev::impl::GPUEmitCopiesBase<GPUEmitCopies> {
  void runOnOperation() override {
    SmallVector<Operation *> copies;
    getOperation().walk<WalkOrder::PreOrder>([&](Operation *op) {
      if (isa<scf::ParallelOp, gpu::LaunchOp, gpu::GPUModuleOp>(op))
        return WalkResult::skip();
      if (isa<memref::CopyOp, linalg::CopyOp>(op))
        copies.push_back(op);
      return WalkResult::advance();
    });
    SymbolTable symbols(getOperation());
    for (Operation *copy : copies)
      if (failed(emit(copy, symbols)))
        return signalPassFailure();
  }

private:
  /// Replaces `copy` by the call of a kernel if there can be one.
  LogicalResult emit(Operation *copy, SymbolTable &symbols) {
    Value from = copy->getOperand(0), to = copy->getOperand(1);
    std::optional<Part> source = getPart(from), target = getPart(to);
    if (!source || !target || from == to ||
        getElementTypeOrSelf(from) != getElementTypeOrSelf(to))
      return success();
    SmallVector<Attribute> key;
    source->addKey(key);
    target->addKey(key);
    auto [entry, isNew] =
        kernels.try_emplace(ArrayAttr::get(&getContext(), key));
    if (isNew) {
      FailureOr<func::FuncOp> created =
          createKernel(copy->getLoc(), *source, *target, symbols);
      if (failed(created))
        return failure();
      entry->second = *created;
    }
    if (!entry->second)
      return success();
    SmallVector<Value> operands{source->buffer};
    llvm::append_range(operands, source->getOffsets());
    llvm::append_range(operands, target->getOffsets());
    operands.push_back(target->buffer);
    OpBuilder builder(copy);
    func::CallOp::create(builder, copy->getLoc(), entry->second, operands);
    copy->erase();
    return success();
  }

  /// Null if no kernel can be emitted.
  FailureOr<func::FuncOp> createKernel(Location loc, Part &source, Part &target,
                                       SymbolTable &symbols) {
    OwningOpRef<func::FuncOp> copy = createCopy(loc, "copy", source, target);
    std::string reason;
    FailureOr<Problem> problem =
        buildProblem(*copy, Contractions::None, reason);
    if (failed(problem) || !canEmit(*problem, *copy, reason))
      return func::FuncOp();

    SmallVector<Type> types(copy->getArgumentTypes());
    types.front() = source.buffer.getType();
    types.back() = target.buffer.getType();
    OpBuilder builder(&getContext());
    auto kernel =
        func::FuncOp::create(loc, "copy", builder.getFunctionType(types, {}));
    kernel.setPrivate();
    symbols.insert(kernel);
    copy->setName(kernel.getName());
    LaunchShape launch =
        emitElementwise(getKernelModule(getOperation()), *copy, *problem,
                        chooseElementwise(*problem, Chip()));
    SmallVector<ArgumentAccess> accesses(types.size(), ArgumentAccess::Read);
    accesses.back() =
        target.slice ? ArgumentAccess::ReadWrite : ArgumentAccess::Write;
    if (failed(describeKernel(kernel, accesses, launch)))
      return failure();
    return kernel;
  }

  /// By what `Part::addKey` says of sources and targets.
  DenseMap<Attribute, func::FuncOp> kernels;
};
} // namespace
