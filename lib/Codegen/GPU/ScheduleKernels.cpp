//===- ScheduleKernels.cpp - Emit kernels for a GPU -----------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelEmitters.h"
#include "memrev/Codegen/Common/AttributeNames.h"
#include "memrev/Codegen/Common/DeclaredKernel.h"
#include "memrev/Codegen/Common/InlineCalls.h"
#include "memrev/Codegen/GPU/AttributeNames.h"
#include "memrev/Codegen/GPU/Passes.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/IR/SymbolTable.h"

namespace mlir::memrev {
#define GEN_PASS_DEF_GPUSCHEDULEKERNELS
#include "memrev/Codegen/GPU/Passes.h.inc"
} // namespace mlir::memrev

using namespace mlir;
using namespace mlir::memrev;
using namespace mlir::memrev::simt;

/// Whether `output` writes every element of its buffer and reads none.
static bool overwritesAll(const Output &output, const Problem &problem) {
  if (output.init == InitKind::InPlace || !output.dest.symbols.empty())
    return false;
  int64_t written = 1;
  for (unsigned dim = 0; dim < problem.getNumDims(); ++dim)
    if (output.dest.uses(dim))
      written *= problem.extents[dim];
  int64_t elements = 1;
  for (int64_t size : output.dest.shape)
    elements *= size;
  return written == elements;
}

/// Turns `kernel`, whose problem is `problem`, into a declaration that says
/// what is done with each argument.
static void declare(func::FuncOp kernel, const Problem &problem,
                    const LaunchShape &launch) {
  SmallVector<ArgumentAccess> accesses(kernel.getNumArguments(),
                                       ArgumentAccess::None);
  problem.forEachAccess([&](const Access &access) {
    if (auto argument = dyn_cast<BlockArgument>(access.source))
      accesses[argument.getArgNumber()] = ArgumentAccess::Read;
  });
  // Destinations are among the accesses: here is what they are.
  SmallVector<bool> reads(kernel.getNumArguments(), false);
  auto read = [&](const Access &access) {
    if (auto argument = dyn_cast<BlockArgument>(access.source))
      reads[argument.getArgNumber()] = true;
  };
  if (problem.isContraction) {
    read(problem.lhs);
    read(problem.rhs);
  }
  for (const std::optional<Access> &input : problem.inputs)
    if (input)
      read(*input);
  for (const Output &output : problem.outputs) {
    if (output.init == InitKind::Read)
      read(output.read);
    unsigned number = cast<BlockArgument>(output.dest.source).getArgNumber();
    accesses[number] = overwritesAll(output, problem) && !reads[number]
                           ? ArgumentAccess::Write
                           : ArgumentAccess::ReadWrite;
  }

  MLIRContext *context = kernel.getContext();
  kernel.getBody().getBlocks().clear();
  for (auto [number, access] : llvm::enumerate(accesses))
    if (isa<TensorType>(kernel.getArgumentTypes()[number]))
      setArgumentAccess(kernel, number, access);
  Builder b(context);
  kernel->setAttr(kLaunchAttr,
                  b.getDenseI64ArrayAttr(
                      {launch.blocks, launch.threads, launch.sharedBytes}));
  kernel->removeAttr(kStrategyAttr);
}

namespace {
struct GPUScheduleKernelsPass
    : memrev::impl::GPUScheduleKernelsBase<GPUScheduleKernelsPass> {
  void runOnOperation() override {
    SmallVector<func::FuncOp> kernels;
    for (auto func : getOperation().getOps<func::FuncOp>())
      if (!func.isExternal() && func->hasAttr(kStrategyAttr))
        kernels.push_back(func);
    for (func::FuncOp kernel : kernels)
      if (failed(schedule(kernel)))
        return signalPassFailure();
    inlineOthers();
  }

private:
  /// Where a kernel is not emitted here, its operations go back to its callers,
  /// who become kernels themselves after bufferization.
  void inlineOthers() {
    SymbolTable symbols(getOperation());
    SmallVector<std::pair<func::CallOp, func::FuncOp>> calls;
    getOperation().walk([&](func::CallOp call) {
      auto callee = symbols.lookup<func::FuncOp>(call.getCallee());
      if (callee && callee->hasAttr(kKernelAttr) && !callee.isExternal())
        calls.emplace_back(call, callee);
    });
    for (auto [call, callee] : calls)
      inlineCall(call, callee);
    for (auto func :
         llvm::make_early_inc_range(getOperation().getOps<func::FuncOp>()))
      if (func->hasAttr(kKernelAttr) && !func.isExternal())
        func.erase();
  }

  gpu::GPUModuleOp getModule() {
    if (!module) {
      SymbolTable symbols(getOperation());
      OpBuilder builder(&getContext());
      module = gpu::GPUModuleOp::create(builder, getOperation().getLoc(),
                                        kKernelModule);
      symbols.insert(module, getOperation().getBody()->end());
      getOperation()->setAttr(gpu::GPUDialect::getContainerModuleAttrName(),
                              builder.getUnitAttr());
    }
    return module;
  }

  LogicalResult schedule(func::FuncOp kernel) {
    auto attribute = kernel->getAttrOfType<DictionaryAttr>(kStrategyAttr);
    StringAttr engine =
        attribute ? attribute.getAs<StringAttr>("engine") : StringAttr();
    std::string reason;
    FailureOr<Problem> problem =
        buildProblem(kernel, Contractions::None, reason);
    if (failed(problem) || !canEmit(*problem, kernel, reason))
      return kernel.emitError()
             << "expects a kernel that can be scheduled, but " << reason;
    FailureOr<ElementwiseStrategy> strategy = failure();
    if (engine && engine.getValue() == "elementwise")
      strategy = ElementwiseStrategy::fromAttribute(attribute, *problem);
    if (failed(strategy))
      return kernel.emitError()
             << "expects '" << kStrategyAttr << "' to be a strategy for "
             << problem->getNumDims() << " loop dimensions, but got "
             << kernel->getAttr(kStrategyAttr);
    LaunchShape launch =
        emitElementwise(getModule(), kernel, *problem, *strategy);
    declare(kernel, *problem, launch);
    return success();
  }

  gpu::GPUModuleOp module;
};
} // namespace
