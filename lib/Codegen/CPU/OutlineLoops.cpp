//===- OutlineLoops.cpp - Loops of long functions as functions ------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Codegen/CPU/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/LoopLikeInterface.h"
#include "mlir/Transforms/RegionUtils.h"

namespace mlir::memrev {
#define GEN_PASS_DEF_CODEGENOUTLINELOOPS
#include "memrev/Codegen/CPU/Passes.h.inc"
} // namespace mlir::memrev

using namespace mlir;

/// True if a value of `type` can be passed as a plain pointer or scalar.
static bool isPassable(Type type) {
  auto buffer = dyn_cast<MemRefType>(type);
  if (!buffer)
    return type.isIntOrIndexOrFloat();
  int64_t offset;
  SmallVector<int64_t> strides;
  return buffer.hasStaticShape() &&
         succeeded(buffer.getStridesAndOffset(strides, offset)) &&
         !ShapedType::isDynamic(offset) &&
         llvm::none_of(strides, ShapedType::isDynamic);
}

/// Moves `loop` into a function of its own and calls it, if what it reads can
/// be passed.
static void outline(Operation *loop, SymbolTable &symbols) {
  llvm::SetVector<Value> used(loop->operand_begin(), loop->operand_end());
  getUsedValuesDefinedAbove(loop->getRegions(), used);
  SmallVector<Value> passed;
  SmallVector<Operation *> constants;
  for (Value value : used) {
    Operation *def = value.getDefiningOp();
    if (def && def->hasTrait<OpTrait::ConstantLike>())
      constants.push_back(def);
    else if (isPassable(value.getType()))
      passed.push_back(value);
    else
      return;
  }
  OpBuilder builder(loop);
  Location loc = loop->getLoc();
  auto parent = loop->getParentOfType<func::FuncOp>();
  auto function = func::FuncOp::create(
      loc, (parent.getName() + ".loop").str(),
      builder.getFunctionType(TypeRange(ValueRange(passed)), {}));
  function.setPrivate();
  symbols.insert(function);
  Block *body = function.addEntryBlock();
  func::CallOp::create(builder, loc, function, passed);
  IRMapping mapping;
  mapping.map(passed, body->getArguments());
  builder.setInsertionPointToStart(body);
  for (Operation *constant : constants)
    builder.clone(*constant, mapping);
  builder.clone(*loop, mapping);
  func::ReturnOp::create(builder, loc);
  loop->erase();
}

namespace {

struct CodegenOutlineLoops final
    : memrev::impl::CodegenOutlineLoopsBase<CodegenOutlineLoops> {
  using Base::Base;

  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    SmallVector<func::FuncOp> functions(getOperation().getOps<func::FuncOp>());
    for (func::FuncOp function : functions) {
      int64_t length = 0;
      function.walk([&](Operation *) { ++length; });
      if (length < minOps)
        continue;
      SmallVector<Operation *> loops;
      for (Block &block : function.getBody())
        for (Operation &op : block)
          if (isa<LoopLikeOpInterface>(op) && op.getNumResults() == 0)
            loops.push_back(&op);
      for (Operation *loop : loops) {
        // A loop that calls kernels is no computation of its own.
        bool accesses = false, calls = false;
        loop->walk([&](Operation *op) {
          accesses |= isa<memref::LoadOp, memref::StoreOp>(op);
          calls |= isa<CallOpInterface>(op);
        });
        if (accesses && !calls)
          outline(loop, symbols);
      }
    }
  }
};

} // namespace
