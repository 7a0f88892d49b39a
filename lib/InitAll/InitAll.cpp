//===- InitAll.cpp - Register every memrev dialect and pass ---------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/InitAll.h"
#include "memrev/Codegen/CPU/Passes.h"
#include "memrev/Codegen/Common/CallBufferization.h"
#include "memrev/Codegen/Common/Passes.h"
#include "memrev/Codegen/GPU/Passes.h"
#include "memrev/Conversion/Passes.h"
#include "memrev/Dialect/Rev/IR/Rev.h"
#include "memrev/ExternalInterfaces/Register.h"
#include "memrev/Pipelines/GPU.h"
#include "memrev/Pipelines/Pipelines.h"
#include "memrev/Transforms/Passes.h"
#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/InitAllPasses.h"
#include "mlir/Target/LLVMIR/Dialect/All.h"

using namespace mlir;

void memrev::registerMemRevDialects(DialectRegistry &registry) {
  registry.insert<rev::RevDialect>();
  registerExternalInterfaces(registry);
}

void memrev::registerAllDialects(DialectRegistry &registry) {
  registerCallBufferization(registry);
  mlir::registerAllDialects(registry);
  mlir::registerAllExtensions(registry);
  registerAllToLLVMIRTranslations(registry);
  // Serialising a gpu.module needs the translation to LLVM IR.
  registerAllGPUToLLVMIRTranslations(registry);
  registerMemRevDialects(registry);
}

void memrev::registerMemRevPasses() {
  registerGPUPipelines();
  registerMemRevCodegenCPUPasses();
  registerMemRevCodegenCommonPasses();
  registerMemRevCodegenGPUPasses();
  registerMemRevConversionPasses();
  registerMemRevTransformsPasses();
  registerPipelines();
}

void memrev::registerAllPasses() {
  mlir::registerAllPasses();
  registerMemRevPasses();
}
