//===- EmittedKernel.cpp - What is left of an emitted kernel --------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "EmittedKernel.h"
#include "memrev/Codegen/Common/AttributeNames.h"
#include "memrev/Codegen/GPU/AttributeNames.h"
#include "memrev/Codegen/GPU/Strategy.h"
#include "mlir/IR/SymbolTable.h"

using namespace mlir;
using namespace mlir::memrev;
using namespace mlir::memrev::simt;

gpu::GPUModuleOp simt::getKernelModule(ModuleOp module) {
  SymbolTable symbols(module);
  if (auto known = symbols.lookup<gpu::GPUModuleOp>(kKernelModule))
    return known;
  OpBuilder builder(module.getContext());
  auto kernels =
      gpu::GPUModuleOp::create(builder, module.getLoc(), kKernelModule);
  symbols.insert(kernels, module.getBody()->end());
  module->setAttr(gpu::GPUDialect::getContainerModuleAttrName(),
                  builder.getUnitAttr());
  return kernels;
}

LogicalResult simt::describeKernel(func::FuncOp kernel,
                                   ArrayRef<ArgumentAccess> accesses,
                                   const LaunchShape &launch) {
  if (launch.blocks > kMaxGridSize)
    return kernel.emitError()
           << "expects at most " << kMaxGridSize
           << " blocks of threads for a kernel, but got " << launch.blocks;
  Builder b(kernel.getContext());
  for (auto [number, access] : llvm::enumerate(accesses))
    if (isa<ShapedType>(kernel.getArgumentTypes()[number]))
      setArgumentAccess(kernel, number, access);
  kernel->setAttr(kKernelAttr, b.getUnitAttr());
  kernel->setAttr(kLaunchAttr,
                  b.getDenseI64ArrayAttr(
                      {launch.blocks, launch.threads, launch.sharedBytes}));
  return success();
}
