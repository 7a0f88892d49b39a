//===- WrapEntries.cpp - Read-only wrappers of public functions -----------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Codegen/Common/AttributeNames.h"
#include "memrev/Codegen/Common/CallOrder.h"
#include "memrev/Codegen/Common/DeclaredKernel.h"
#include "memrev/Codegen/Common/Extents.h"
#include "memrev/Codegen/Common/Passes.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Bufferization/Transforms/BufferViewFlowAnalysis.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Interfaces/ViewLikeInterface.h"
#include "llvm/ADT/BitVector.h"

namespace mlir::memrev {
#define GEN_PASS_DEF_CODEGENWRAPENTRIES
#include "memrev/Codegen/Common/Passes.h.inc"
} // namespace mlir::memrev

using namespace mlir;
using namespace mlir::memrev;

/// Emits an error unless `type`, of the `index`th `what` of `func`, can cross
/// the border of a program.
static LogicalResult verifyEntryType(func::FuncOp func, Type type,
                                     StringRef what, unsigned index,
                                     bool staticOnly) {
  Type element = type;
  if (auto buffer = dyn_cast<MemRefType>(type)) {
    if (staticOnly && !buffer.hasStaticShape())
      return func.emitError() << "expects tensors of static shape at a public "
                                 "function, but got "
                              << what << " " << index << " of type " << type;
    element = buffer.getElementType();
  }
  if (!element.isIntOrIndexOrFloat())
    return func.emitError()
           << "expects scalars and ranked tensors of numbers at a public "
              "function, but got "
           << what << " " << index << " of type " << type;
  return success();
}

namespace {
/// Which arguments functions write to. Functions are asked for callees first.
class WrittenArguments {
public:
  void analyze(func::FuncOp func, SymbolTable &symbols);
  bool isWritten(func::FuncOp func, unsigned argument) const {
    return written.lookup(func).test(argument);
  }

private:
  bool writes(OpOperand &use, SymbolTable &symbols) const;

  DenseMap<Operation *, llvm::BitVector> written;
};
} // namespace

/// Whether the operation of `use` writes to that operand.
bool WrittenArguments::writes(OpOperand &use, SymbolTable &symbols) const {
  Operation *op = use.getOwner();
  if (auto call = dyn_cast<func::CallOp>(op)) {
    auto callee = symbols.lookup<func::FuncOp>(call.getCallee());
    return !callee || isWritten(callee, use.getOperandNumber());
  }
  // Views, yields and loops make other names of the buffer, whose uses are
  // seen.
  if (op->hasTrait<OpTrait::IsTerminator>() || isa<ViewLikeOpInterface>(op) ||
      (op->getNumRegions() != 0 && !isa<DestinationStyleOpInterface>(op)))
    return false;
  auto interface = dyn_cast<MemoryEffectOpInterface>(op);
  if (!interface)
    return true;
  SmallVector<MemoryEffects::EffectInstance> effects;
  interface.getEffectsOnValue(use.get(), effects);
  return llvm::any_of(effects, [](const MemoryEffects::EffectInstance &effect) {
    return isa<MemoryEffects::Write>(effect.getEffect());
  });
}

void WrittenArguments::analyze(func::FuncOp func, SymbolTable &symbols) {
  llvm::BitVector result(func.getNumArguments(), func.isExternal());
  if (isDeclaredKernel(func)) {
    for (unsigned i = 0; i < func.getNumArguments(); ++i)
      result[i] = writesArgument(func, i);
  } else if (!func.isExternal()) {
    BufferViewFlowAnalysis views(func);
    for (BlockArgument argument : func.getArguments()) {
      if (!isa<BaseMemRefType>(argument.getType()))
        continue;
      for (Value view : views.resolve(argument)) {
        if (llvm::any_of(view.getUses(),
                         [&](OpOperand &use) { return writes(use, symbols); }))
          result.set(argument.getArgNumber());
      }
    }
  }
  written[func] = std::move(result);
}

namespace {
class CodegenWrapEntriesPass
    : public memrev::impl::CodegenWrapEntriesBase<CodegenWrapEntriesPass> {
public:
  using CodegenWrapEntriesBase::CodegenWrapEntriesBase;

  void runOnOperation() override {
    FailureOr<CallOrder> order = CallOrder::compute(getOperation());
    if (failed(order))
      return signalPassFailure();
    SymbolTable symbols(getOperation());
    WrittenArguments written;
    for (func::FuncOp func : order->functions)
      written.analyze(func, symbols);
    // In the order of the program, which is that of the program's description.
    SmallVector<func::FuncOp> entries;
    for (auto func : getOperation().getOps<func::FuncOp>()) {
      if (func.isPublic() && !func.isExternal())
        entries.push_back(func);
    }
    for (func::FuncOp func : entries) {
      if (failed(wrap(func, order->callers[func], written, symbols)))
        return signalPassFailure();
    }
  }

private:
  LogicalResult wrap(func::FuncOp func, ArrayRef<func::CallOp> callers,
                     const WrittenArguments &written, SymbolTable &symbols);
};
} // namespace

/// Takes off `func` which argument holds each result, and how many arguments it
/// had before those that only hold results. Fails unless both make sense.
static FailureOr<SmallVector<int64_t>> takeHolders(func::FuncOp func,
                                                   unsigned &numArguments) {
  auto attr = func->getAttrOfType<DenseI64ArrayAttr>(kResultParametersAttr);
  auto count = func->getAttrOfType<IntegerAttr>(kNumArgumentsAttr);
  if (!attr || !count || count.getInt() < 0 ||
      count.getInt() > int64_t(func.getNumArguments()))
    return failure();
  numArguments = count.getInt();
  SmallVector<int64_t> holders(attr.asArrayRef());
  unsigned numScalars = llvm::count(holders, -1);
  if (numScalars != func.getNumResults())
    return failure();
  for (int64_t holder : holders) {
    if (holder < -1 || holder >= int64_t(func.getNumArguments()))
      return failure();
  }
  for (unsigned i = numArguments; i < func.getNumArguments(); ++i) {
    if (!llvm::is_contained(holders, int64_t(i)))
      return failure();
  }
  func->removeAttr(kResultParametersAttr);
  func->removeAttr(kNumArgumentsAttr);
  return holders;
}

/// A wrapper takes a buffer of open extents by its address, as the first of its
/// elements, and the extents of all arguments behind them.
static MemRefType getParameterType(MemRefType type) {
  return type.hasStaticShape() ? type
                               : MemRefType::get({1}, type.getElementType());
}

/// Makes a buffer of `type` with the extents `open` at the address `parameter`.
static Value createBuffer(OpBuilder &builder, Location loc, MemRefType type,
                          Value parameter, ArrayRef<Value> open) {
  SmallVector<OpFoldResult> sizes, strides(type.getRank());
  for (int64_t size : type.getShape()) {
    if (ShapedType::isDynamic(size)) {
      sizes.push_back(open.front());
      open = open.drop_front();
    } else {
      sizes.push_back(builder.getIndexAttr(size));
    }
  }
  OpFoldResult stride = builder.getIndexAttr(1);
  for (int64_t axis = type.getRank() - 1; axis >= 0; --axis) {
    strides[axis] = stride;
    stride = affine::makeComposedFoldedAffineApply(
        builder, loc,
        builder.getAffineSymbolExpr(0) * builder.getAffineSymbolExpr(1),
        {stride, sizes[axis]});
  }
  return memref::ReinterpretCastOp::create(
      builder, loc, type, parameter, builder.getIndexAttr(0), sizes, strides);
}

/// Makes the body of the wrapper `wrapper` of `func`, whose results live in the
/// arguments `holders`, or are returned where that is -1.
static void buildWrapper(func::FuncOp wrapper, func::FuncOp func,
                         ArrayRef<int64_t> holders,
                         const WrittenArguments &written) {
  MLIRContext *context = func.getContext();
  Builder attributes(context);
  Location loc = func.getLoc();
  Block *body = &wrapper.front();
  OpBuilder builder = OpBuilder::atBlockEnd(body);
  unsigned numArguments = wrapper.getNumArguments();
  // The extents of arguments, which are what those of results are made of.
  SmallVector<Value> extents;
  Extents ofFunction(func);
  for (const Extents::Symbol &symbol : ofFunction.getSymbols()) {
    unsigned index = wrapper.getNumArguments();
    if (symbol.argument.getArgNumber() >= numArguments)
      continue;
    (void)wrapper.insertArgument(index, builder.getIndexType(), /*argAttrs=*/{},
                                 loc);
    extents.push_back(wrapper.getArgument(index));
  }
  // Makes the parameter `index`, an address, the buffer of `type` that it is.
  auto open = [&](unsigned index, MemRefType type, AffineMap map) -> Value {
    wrapper.setArgAttr(index, kBufferTypeAttr, TypeAttr::get(type));
    wrapper.setArgAttr(index, kExtentsAttr, AffineMapAttr::get(map));
    SmallVector<Value> sizes;
    for (AffineExpr extent : map.getResults())
      sizes.push_back(createNumber(builder, loc, extent, extents));
    return createBuffer(builder, loc, type, wrapper.getArgument(index), sizes);
  };
  auto addParameter = [&](Type type, bool isScalar, AffineMap map) -> Value {
    unsigned index = wrapper.getNumArguments();
    auto buffer = cast<MemRefType>(type);
    (void)wrapper.insertArgument(index, getParameterType(buffer),
                                 /*argAttrs=*/{}, loc);
    if (isScalar)
      wrapper.setArgAttr(index, kScalarAttr, attributes.getUnitAttr());
    return buffer.hasStaticShape() ? wrapper.getArgument(index)
                                   : open(index, buffer, map);
  };

  // Each result gets a parameter, unless it replaces a donated argument. The
  // first result in a buffer that the body writes to has it for its own; what
  // else is in there is copied when the body is done.
  SmallVector<Value> operands(
      ArrayRef<BlockArgument>(body->getArguments()).take_front(numArguments));
  unsigned numOpen = 0;
  for (unsigned i = 0; i < numArguments; ++i) {
    auto type = dyn_cast<MemRefType>(func.getArgumentTypes()[i]);
    if (!type || type.hasStaticShape())
      continue;
    SmallVector<AffineExpr> own;
    for (int64_t axis = 0, end = type.getNumDynamicDims(); axis < end; ++axis)
      own.push_back(builder.getAffineSymbolExpr(numOpen++));
    operands[i] = open(
        i, type, AffineMap::get(0, extents.size(), own, builder.getContext()));
  }
  SmallVector<Value> given(operands);
  operands.resize(func.getNumArguments());
  SmallVector<int64_t> parameters;
  SmallVector<std::pair<int64_t, Value>> copies;
  SmallVector<Value> scalars;
  llvm::SmallDenseSet<int64_t> owned;
  unsigned numScalars = 0;
  // The extents of the argument `holder`, as those of a result that it holds.
  auto getOpenExtents = [&](int64_t holder) -> AffineMap {
    func::FuncOp where = holder < int64_t(numArguments) ? wrapper : func;
    auto map = where.getArgAttrOfType<AffineMapAttr>(holder, kExtentsAttr);
    return map ? map.getValue() : AffineMap();
  };
  for (int64_t holder : holders) {
    if (holder < 0) {
      Type type = func.getResultTypes()[numScalars++];
      scalars.push_back(
          addParameter(MemRefType::get({}, type), true, AffineMap()));
      parameters.push_back(wrapper.getNumArguments() - 1);
      continue;
    }
    bool isArgument = holder < int64_t(numArguments);
    bool isDonated = isArgument && wrapper.getArgAttr(holder, kDonatedAttr);
    bool isFirst = owned.insert(holder).second;
    if (isDonated && isFirst) {
      parameters.push_back(holder);
      continue;
    }
    Value parameter = addParameter(func.getArgumentTypes()[holder],
                                   /*isScalar=*/false, getOpenExtents(holder));
    parameters.push_back(wrapper.getNumArguments() - 1);
    bool isOverwritten = !isArgument || written.isWritten(func, holder);
    if (!isFirst || isDonated || !isOverwritten) {
      copies.emplace_back(holder, parameter);
      continue;
    }
    if (isArgument)
      memref::CopyOp::create(builder, loc, operands[holder], parameter);
    operands[holder] = parameter;
  }
  // Other arguments that the body writes to are copied to a buffer.
  for (unsigned i = 0; i < numArguments; ++i) {
    auto type = dyn_cast<MemRefType>(operands[i].getType());
    bool isRead = !type || wrapper.getArgAttr(i, kDonatedAttr) ||
                  operands[i] != given[i] || !written.isWritten(func, i);
    if (isRead)
      continue;
    SmallVector<Value> sizes;
    appendOpenExtents(builder, loc, operands[i], sizes);
    Value copy = memref::AllocOp::create(
        builder, loc, type, sizes, builder.getI64IntegerAttr(kBufferAlignment));
    memref::CopyOp::create(builder, loc, operands[i], copy);
    operands[i] = copy;
  }
  auto call = func::CallOp::create(builder, loc, func, operands);
  for (auto [value, parameter] : llvm::zip_equal(call.getResults(), scalars))
    memref::StoreOp::create(builder, loc, value, parameter);
  for (auto [holder, parameter] : copies)
    memref::CopyOp::create(builder, loc, operands[holder], parameter);
  func::ReturnOp::create(builder, loc);

  for (unsigned i = 0; i < wrapper.getNumArguments(); ++i) {
    StringRef role = i < numArguments                    ? kArgumentRole
                     : i < numArguments + extents.size() ? kExtentRole
                                                         : kResultRole;
    wrapper.setArgAttr(i, kRoleAttr, attributes.getStringAttr(role));
    // Translation to LLVM IR warns about attributes of known dialects.
    if (wrapper.removeArgAttr(i, kDonatedAttr))
      wrapper.setArgAttr(i, kOverwrittenAttr, attributes.getUnitAttr());
  }
  wrapper->setAttr(kResultParametersAttr,
                   attributes.getDenseI64ArrayAttr(parameters));
}

LogicalResult CodegenWrapEntriesPass::wrap(func::FuncOp func,
                                           ArrayRef<func::CallOp> callers,
                                           const WrittenArguments &written,
                                           SymbolTable &symbols) {
  for (auto [index, type] : llvm::enumerate(func.getArgumentTypes())) {
    if (failed(verifyEntryType(func, type, "argument", index, staticOnly)))
      return failure();
  }
  for (auto [index, type] : llvm::enumerate(func.getResultTypes())) {
    if (failed(verifyEntryType(func, type, "result", index, staticOnly)))
      return failure();
  }
  unsigned numArguments = 0;
  FailureOr<SmallVector<int64_t>> holders = takeHolders(func, numArguments);
  if (failed(holders))
    return func.emitError("expects codegen-results-to-destinations to have run "
                          "before codegen-wrap-entries");
  StringAttr name = func.getSymNameAttr();
  auto privateName =
      StringAttr::get(&getContext(), name.getValue() + ".inplace");
  if (symbols.lookup(privateName))
    return func.emitError("expects the name '")
           << privateName.getValue() << "' to be free";

  OpBuilder builder(func);
  SmallVector<Type> parameterTypes(
      func.getArgumentTypes().take_front(numArguments));
  for (Type &type : parameterTypes) {
    if (auto buffer = dyn_cast<MemRefType>(type))
      type = getParameterType(buffer);
  }
  auto wrapper =
      func::FuncOp::create(builder, func.getLoc(), name,
                           builder.getFunctionType(parameterTypes, {}));
  wrapper.addEntryBlock();
  for (unsigned i = 0; i < numArguments; ++i)
    function_interface_impl::setArgAttrs(
        wrapper, i, function_interface_impl::getArgAttrDict(func, i));
  wrapper->setDiscardableAttrs(func->getDiscardableAttrDictionary());
  wrapper->setAttr(kEntryAttr, builder.getUnitAttr());

  symbols.remove(func);
  func.setSymNameAttr(privateName);
  func.setPrivate();
  symbols.insert(func);
  // Calls inside the program skip the wrapper, whose copies they do not need.
  for (func::CallOp call : callers)
    call.setCalleeAttr(FlatSymbolRefAttr::get(privateName));
  symbols.insert(wrapper);
  buildWrapper(wrapper, func, *holders, written);
  for (unsigned i = 0; i < numArguments; ++i)
    func.removeArgAttr(i, kDonatedAttr);
  return success();
}
