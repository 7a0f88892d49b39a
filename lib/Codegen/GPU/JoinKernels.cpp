//===- JoinKernels.cpp - One launch for kernels of one block --------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Codegen/Common/AttributeNames.h"
#include "memrev/Codegen/Common/DeclaredKernel.h"
#include "memrev/Codegen/GPU/AttributeNames.h"
#include "memrev/Codegen/GPU/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

namespace mlir::memrev {
#define GEN_PASS_DEF_GPUJOINKERNELS
#include "memrev/Codegen/GPU/Passes.h.inc"
} // namespace mlir::memrev

using namespace mlir;
using namespace mlir::memrev;

/// Parameters of a kernel may take 4,096 bytes.
static constexpr unsigned kMaxParameters = 256;
/// What a block has of shared memory without asking for more.
static constexpr int64_t kMaxSharedBytes = 48 * 1024;

namespace {
/// A kernel and how it is launched.
struct Part {
  LLVM::LLVMFuncOp function;
  int64_t threads, sharedBytes;
  /// Threads wait for each other in it.
  bool hasBarriers;
};

/// Joins the kernels of one module.
class KernelJoiner {
public:
  explicit KernelJoiner(ModuleOp module)
      : module(module), symbols(module),
        kernels(symbols.lookup<gpu::GPUModuleOp>(kKernelModule)) {}

  void run();

private:
  std::optional<Part> getPart(func::CallOp call);
  void joinBlock(Block &block);
  void join(MutableArrayRef<func::CallOp> calls);
  func::FuncOp getJoined(MutableArrayRef<func::CallOp> calls);

  ModuleOp module;
  SymbolTable symbols;
  gpu::GPUModuleOp kernels;
  /// By the names of their parts.
  DenseMap<Attribute, func::FuncOp> joined;
};
} // namespace

/// The kernel that `call` launches, if one block runs it.
std::optional<Part> KernelJoiner::getPart(func::CallOp call) {
  auto declaration = symbols.lookup<func::FuncOp>(call.getCallee());
  if (!declaration || !isDeclaredKernel(declaration))
    return std::nullopt;
  auto launch = declaration->getAttrOfType<DenseI64ArrayAttr>(kLaunchAttr);
  auto function = kernels.lookupSymbol<LLVM::LLVMFuncOp>(call.getCallee());
  if (!launch || launch.size() != 3 || launch[0] != 1 ||
      launch[2] > kMaxSharedBytes || !function ||
      !function.getBody().hasOneBlock())
    return std::nullopt;
  Part part{function, launch[1], launch[2], false};
  part.hasBarriers =
      function
          .walk([](Operation *op) {
            return isa<NVVM::Barrier0Op, NVVM::BarrierOp, NVVM::ShflOp>(op)
                       ? WalkResult::interrupt()
                       : WalkResult::advance();
          })
          .wasInterrupted();
  return part;
}

func::FuncOp KernelJoiner::getJoined(MutableArrayRef<func::CallOp> calls) {
  MLIRContext *context = module.getContext();
  SmallVector<Attribute> names;
  for (func::CallOp call : calls)
    names.push_back(call.getCalleeAttr());
  func::FuncOp &known = joined[ArrayAttr::get(context, names)];
  if (known)
    return known;

  Location loc = calls.front().getLoc();
  SmallVector<Part> parts;
  SmallVector<Type> types, parameterTypes;
  int64_t threads = 0, sharedBytes = 0;
  for (func::CallOp call : calls) {
    parts.push_back(*getPart(call));
    threads = std::max(threads, parts.back().threads);
    sharedBytes = std::max(sharedBytes, parts.back().sharedBytes);
    llvm::append_range(types, call.getOperandTypes());
    llvm::append_range(parameterTypes,
                       parts.back().function.getFunctionType().getParams());
  }

  OpBuilder builder(context);
  builder.setInsertionPoint(symbols.lookup(calls.front().getCallee()));
  known = func::FuncOp::create(builder, loc,
                               (calls.front().getCallee() + "_joined").str(),
                               builder.getFunctionType(types, {}));
  known.setPrivate();
  known->setAttr(kKernelAttr, builder.getUnitAttr());
  known->setAttr(kLaunchAttr,
                 builder.getDenseI64ArrayAttr({1, threads, sharedBytes}));
  symbols.insert(known);

  builder.setInsertionPointToEnd(kernels.getBody());
  auto function = LLVM::LLVMFuncOp::create(
      builder, loc, known.getName(),
      LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(context),
                                  parameterTypes));
  // What one part writes another one may read: nothing is said of aliases.
  function->setAttr(gpu::GPUDialect::getKernelFuncAttrName(),
                    builder.getUnitAttr());
  function->setAttr(NVVM::NVVMDialect::getKernelFuncAttrName(),
                    builder.getUnitAttr());
  function->setAttr(NVVM::NVVMDialect::getMaxntidAttrName(),
                    builder.getDenseI32ArrayAttr({int32_t(threads)}));
  Block *entry = function.addEntryBlock(builder);
  builder.setInsertionPointToStart(entry);
  unsigned parameter = 0;
  for (auto [number, part] : llvm::enumerate(parts)) {
    if (number != 0)
      NVVM::Barrier0Op::create(builder, loc);
    IRMapping mapping;
    Block &body = part.function.front();
    for (BlockArgument argument : body.getArguments())
      mapping.map(argument, entry->getArgument(parameter++));
    OpBuilder::InsertionGuard guard(builder);
    if (part.threads < threads) {
      Value thread =
          NVVM::ThreadIdXOp::create(builder, loc, builder.getI32Type());
      Value limit = arith::ConstantOp::create(
          builder, loc, builder.getI32IntegerAttr(part.threads));
      Value runs = arith::CmpIOp::create(
          builder, loc, arith::CmpIPredicate::ult, thread, limit);
      auto guarded = scf::IfOp::create(builder, loc, runs, false);
      builder.setInsertionPointToStart(guarded.thenBlock());
    }
    for (Operation &op : body.without_terminator())
      builder.clone(op, mapping);
  }
  LLVM::ReturnOp::create(builder, loc, ValueRange());
  return known;
}

void KernelJoiner::join(MutableArrayRef<func::CallOp> calls) {
  if (calls.size() < 2)
    return;
  SmallVector<Value> operands;
  for (func::CallOp call : calls)
    llvm::append_range(operands, call.getOperands());
  func::FuncOp callee = getJoined(calls);
  OpBuilder builder(calls.back());
  func::CallOp::create(builder, calls.back().getLoc(), callee, operands);
  for (func::CallOp call : calls)
    call.erase();
}

void KernelJoiner::joinBlock(Block &block) {
  SmallVector<func::CallOp> run;
  int64_t threads = 0;
  unsigned parameters = 0;
  bool mustMatch = false;
  auto close = [&] {
    join(run);
    run.clear();
    threads = parameters = 0;
    mustMatch = false;
  };
  for (Operation &op : llvm::make_early_inc_range(block)) {
    auto call = dyn_cast<func::CallOp>(op);
    std::optional<Part> part = call ? getPart(call) : std::nullopt;
    if (!part) {
      // Views and indices between launches are computed before all of them.
      if (!isMemoryEffectFree(&op))
        close();
      continue;
    }
    // In a part that does not run on all threads nobody can wait for all.
    bool differs = threads != 0 && threads != part->threads;
    if (differs && (mustMatch || part->hasBarriers))
      close();
    if (parameters + call.getNumOperands() > kMaxParameters)
      close();
    run.push_back(call);
    threads = std::max(threads, part->threads);
    parameters += call.getNumOperands();
    mustMatch |= part->hasBarriers;
  }
  close();
}

void KernelJoiner::run() {
  if (!kernels)
    return;
  SmallVector<Block *> blocks;
  for (auto func : module.getOps<func::FuncOp>())
    func.walk([&](Block *block) { blocks.push_back(block); });
  for (Block *block : blocks)
    joinBlock(*block);
}

namespace {
struct GPUJoinKernelsPass
    : memrev::impl::GPUJoinKernelsBase<GPUJoinKernelsPass> {
  void runOnOperation() override { KernelJoiner(getOperation()).run(); }
};
} // namespace
