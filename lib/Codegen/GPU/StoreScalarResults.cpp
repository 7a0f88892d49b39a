//===- StoreScalarResults.cpp - Store scalars where they are computed -----===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Codegen/Common/AttributeNames.h"
#include "memrev/Codegen/GPU/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

namespace mlir::memrev {
#define GEN_PASS_DEF_GPUSTORESCALARRESULTS
#include "memrev/Codegen/GPU/Passes.h.inc"
} // namespace mlir::memrev

using namespace mlir;
using namespace mlir::memrev;

/// Returns true if `buffer` is a scalar result of its function: memory that
/// nothing else in the program refers to.
static bool isScalarResult(Value buffer) {
  auto argument = dyn_cast<BlockArgument>(buffer);
  auto type = dyn_cast<MemRefType>(buffer.getType());
  if (!argument || !type || type.getRank() != 0)
    return false;
  auto function = dyn_cast<func::FuncOp>(argument.getOwner()->getParentOp());
  if (!function)
    return false;
  auto role =
      function.getArgAttrOfType<StringAttr>(argument.getArgNumber(), kRoleAttr);
  return role && role.getValue() == kResultRole;
}

/// Returns true if `op` computes scalars from scalars, without memory.
static bool isScalarArithmetic(Operation *op) {
  return op->getNumRegions() == 0 && isMemoryEffectFree(op) &&
         llvm::all_of(op->getOperandTypes(),
                      [](Type type) { return type.isIntOrIndexOrFloat(); });
}

/// Moves the arithmetic that computes `value` to where its operands are known,
/// and sets `builder` behind it.
static void setBehind(OpBuilder &builder, Value value) {
  Operation *definition = value.getDefiningOp();
  if (!definition)
    return builder.setInsertionPointToStart(value.getParentBlock());
  if (isScalarArithmetic(definition)) {
    Operation *last = nullptr;
    for (Value operand : definition->getOperands()) {
      if (operand.getParentBlock() != definition->getBlock())
        continue;
      setBehind(builder, operand);
      Operation *known = operand.getDefiningOp();
      if (known && (!last || last->isBeforeInBlock(known)))
        last = known;
    }
    if (last)
      definition->moveAfter(last);
  }
  builder.setInsertionPointAfter(definition);
}

namespace {
struct GPUStoreScalarResults
    : memrev::impl::GPUStoreScalarResultsBase<GPUStoreScalarResults> {
  void runOnOperation() override {
    SmallVector<memref::StoreOp> stores;
    getOperation().walk([&](memref::StoreOp store) {
      if (isScalarResult(store.getMemRef()))
        stores.push_back(store);
    });
    // A store that moves into a callee is looked at there again.
    while (!stores.empty()) {
      memref::StoreOp store = stores.pop_back_val();
      // Of several stores the last one has to stay the last.
      if (!store.getMemRef().hasOneUse())
        continue;
      if (memref::StoreOp moved = moveToCallee(store)) {
        stores.push_back(moved);
        continue;
      }
      if (store.getValueToStore().getParentBlock() != store->getBlock())
        continue;
      OpBuilder builder(store);
      setBehind(builder, store.getValueToStore());
      store->moveBefore(builder.getInsertionBlock(),
                        builder.getInsertionPoint());
    }
  }

private:
  /// If `store` stores a result of the only call of a private function, gives
  /// that function the buffer and lets it store there.
  memref::StoreOp moveToCallee(memref::StoreOp store);
};
} // namespace

memref::StoreOp GPUStoreScalarResults::moveToCallee(memref::StoreOp store) {
  auto call = store.getValueToStore().getDefiningOp<func::CallOp>();
  if (!call || !store.getValueToStore().hasOneUse())
    return {};
  auto callee = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(
      call, call.getCalleeAttr());
  if (!callee || !callee.isPrivate() || callee.isExternal() ||
      !llvm::hasSingleElement(callee.getBody()))
    return {};
  auto uses = callee.getSymbolUses(getOperation());
  if (!uses || !llvm::hasSingleElement(*uses))
    return {};

  unsigned number = cast<OpResult>(store.getValueToStore()).getResultNumber();
  unsigned position = callee.getNumArguments();
  Value buffer = store.getMemRef();
  auto role = StringAttr::get(&getContext(), kResultRole);
  if (failed(callee.insertArgument(
          position, buffer.getType(),
          DictionaryAttr::get(&getContext(), NamedAttribute(kRoleAttr, role)),
          store.getLoc())))
    return {};
  Operation *terminator = callee.getBody().front().getTerminator();
  OpBuilder builder(terminator);
  auto moved = memref::StoreOp::create(builder, store.getLoc(),
                                       terminator->getOperand(number),
                                       callee.getArgument(position));
  terminator->eraseOperand(number);
  if (failed(callee.eraseResult(number)))
    return {};

  builder.setInsertionPoint(call);
  SmallVector<Value> operands(call.getOperands());
  operands.push_back(buffer);
  auto replacement =
      func::CallOp::create(builder, call.getLoc(), callee, operands);
  store.erase();
  unsigned next = 0;
  for (OpResult result : call.getResults())
    if (result.getResultNumber() != number)
      result.replaceAllUsesWith(replacement.getResult(next++));
  call.erase();
  return moved;
}
