//===- ResultsToDestinations.cpp - Buffer results become arguments --------===//
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
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

namespace mlir::memrev {
#define GEN_PASS_DEF_CODEGENRESULTSTODESTINATIONS
#include "memrev/Codegen/Common/Passes.h.inc"
} // namespace mlir::memrev

using namespace mlir;
using namespace mlir::memrev;

/// Follows `buffer` out of loops that carry it around unchanged, as they do
/// once their calls update it in place.
static Value resolve(Value buffer) {
  while (auto result = dyn_cast<OpResult>(buffer)) {
    auto loop = dyn_cast<scf::ForOp>(result.getOwner());
    if (!loop)
      break;
    unsigned index = result.getResultNumber();
    if (resolve(loop.getYieldedValues()[index]) != loop.getRegionIterArg(index))
      break;
    buffer = loop.getInitArgs()[index];
  }
  return buffer;
}

namespace {
/// Rewrites one function, whose callees have been rewritten, and its callers.
class ResultRewriter {
public:
  explicit ResultRewriter(func::FuncOp func)
      : func(func),
        terminator(func.isExternal() ? nullptr : func.front().getTerminator()) {
  }

  LogicalResult run(ArrayRef<func::CallOp> callers);
  /// The same for a kernel that is declared only.
  void runOnDeclaration(ArrayRef<func::CallOp> callers);

private:
  FailureOr<int64_t> place(Value returned, unsigned index);
  void rewriteCaller(func::CallOp call);

  func::FuncOp func;
  Operation *terminator;
  /// For each result the argument that holds it, or -1 if it stays a result.
  SmallVector<int64_t> holders;
};
} // namespace

/// Decides which argument holds the `index`th result, and makes it hold it.
FailureOr<int64_t> ResultRewriter::place(Value returned, unsigned index) {
  auto type = dyn_cast<MemRefType>(returned.getType());
  if (!type)
    return -1;
  auto argument = dyn_cast<BlockArgument>(returned);
  if (argument && argument.getOwner() == &func.front())
    return argument.getArgNumber();
  unsigned holder = func.getNumArguments();
  SmallVector<AffineExpr> open;
  Extents extents(func);
  for (int64_t axis = 0; axis < type.getRank(); ++axis) {
    if (!type.isDynamicDim(axis))
      continue;
    open.push_back(extents.getExtent(returned, axis));
    if (!open.back())
      return func.emitError()
             << "expects extents of results that follow from those of the "
                "arguments, but got result "
             << index << " of type " << type << " whose axis " << axis
             << " does not";
  }
  auto bufferType = MemRefType::get(type.getShape(), type.getElementType());
  (void)func.insertArgument(holder, bufferType, /*argAttrs=*/{},
                            terminator->getLoc());
  if (!open.empty())
    func.setArgAttr(
        holder, kExtentsAttr,
        AffineMapAttr::get(AffineMap::get(0, extents.getSymbols().size(), open,
                                          func.getContext())));
  auto alloc = returned.getDefiningOp<memref::AllocOp>();
  if (alloc && alloc->getBlock() == &func.front() && type == bufferType) {
    returned.replaceAllUsesWith(func.getArgument(holder));
    alloc.erase();
    return holder;
  }
  OpBuilder builder(terminator);
  memref::CopyOp::create(builder, terminator->getLoc(), returned,
                         func.getArgument(holder));
  return holder;
}

/// Replaces the results of `call` by the buffers that now hold them.
void ResultRewriter::rewriteCaller(func::CallOp call) {
  OpBuilder builder(call);
  SmallVector<Value> operands(call.getOperands());
  SmallVector<Value> symbols;
  for (unsigned i = operands.size(); i < func.getNumArguments(); ++i) {
    auto type = cast<MemRefType>(func.getArgumentTypes()[i]);
    SmallVector<Value> sizes;
    if (auto open = func.getArgAttrOfType<AffineMapAttr>(i, kExtentsAttr)) {
      if (symbols.empty())
        for (Value operand : call.getOperands())
          appendOpenExtents(builder, call.getLoc(), operand, symbols);
      for (AffineExpr extent : open.getValue().getResults())
        sizes.push_back(createNumber(builder, call.getLoc(), extent, symbols));
    }
    operands.push_back(
        memref::AllocOp::create(builder, call.getLoc(), type, sizes,
                                builder.getI64IntegerAttr(kBufferAlignment)));
  }
  auto newCall = func::CallOp::create(builder, call.getLoc(), func, operands);
  newCall->setDiscardableAttrs(call->getDiscardableAttrDictionary());
  unsigned kept = 0;
  for (auto [result, holder] : llvm::zip_equal(call.getResults(), holders))
    result.replaceAllUsesWith(holder < 0 ? newCall.getResult(kept++)
                                         : operands[holder]);
  call.erase();
}

LogicalResult ResultRewriter::run(ArrayRef<func::CallOp> callers) {
  unsigned numArguments = func.getNumArguments();
  for (unsigned i = 0; i < terminator->getNumOperands(); ++i) {
    // Reads the operand again: the buffer of an earlier result may have been
    // the same one.
    FailureOr<int64_t> holder = place(resolve(terminator->getOperand(i)), i);
    if (failed(holder))
      return failure();
    holders.push_back(*holder);
  }
  llvm::BitVector erased(holders.size());
  for (auto [index, holder] : llvm::enumerate(holders)) {
    if (holder >= 0)
      erased.set(index);
  }
  terminator->eraseOperands(erased);
  if (failed(func.eraseResults(erased)))
    return failure();
  for (func::CallOp call : callers)
    rewriteCaller(call);
  if (func.isPublic()) {
    Builder builder(func.getContext());
    func->setAttr(kResultParametersAttr, builder.getDenseI64ArrayAttr(holders));
    func->setAttr(kNumArgumentsAttr, builder.getI64IntegerAttr(numArguments));
  }
  return success();
}

void ResultRewriter::runOnDeclaration(ArrayRef<func::CallOp> callers) {
  for (unsigned result = 0; result < func.getNumResults(); ++result)
    holders.push_back(getDestinationArgument(func, result));
  (void)func.eraseResults(llvm::BitVector(holders.size(), true));
  for (func::CallOp call : callers)
    rewriteCaller(call);
}

namespace {
class CodegenResultsToDestinationsPass
    : public memrev::impl::CodegenResultsToDestinationsBase<
          CodegenResultsToDestinationsPass> {
public:
  void runOnOperation() override {
    FailureOr<CallOrder> order = CallOrder::compute(getOperation());
    if (failed(order))
      return signalPassFailure();
    for (func::FuncOp func : order->functions) {
      if (isDeclaredKernel(func))
        ResultRewriter(func).runOnDeclaration(order->callers[func]);
      if (func.isExternal())
        continue;
      if (!func.getBody().hasOneBlock()) {
        func.emitError("expects structured control flow, but got a function of "
                       "more than one block");
        return signalPassFailure();
      }
      // A call is replaced only when its callee is rewritten, so the calls
      // that were recorded are still there.
      if (failed(ResultRewriter(func).run(order->callers[func])))
        return signalPassFailure();
    }
  }
};
} // namespace
