//===- Register.cpp - Stages as named pipelines ---------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Pipelines/Pipelines.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"

using namespace mlir;

void memrev::registerPipelines() {
  PassPipelineRegistration<>("memrev-differentiate",
                             "Function transforms to derived functions",
                             [](OpPassManager &pm) {
                               std::string error;
                               (void)buildDifferentiatePipeline(pm, {}, error);
                             });
  PassPipelineRegistration<>("memrev-lower", "The rev dialect to linalg",
                             buildLowerPipeline);
  PassPipelineRegistration<CPUScheduleOptions>(
      "memrev-schedule-cpu", "Tensors to kernels of vector code for the CPU",
      buildCPUSchedulePipeline);
  PassPipelineRegistration<BufferizeOptions>(
      "memrev-bufferize", "Tensors to buffers, in place, in one arena",
      buildBufferizePipeline);
  PassPipelineRegistration<CPUBinaryOptions>(
      "memrev-binary-cpu", "Buffers to the LLVM dialect for the CPU",
      buildCPUBinaryPipeline);
}
