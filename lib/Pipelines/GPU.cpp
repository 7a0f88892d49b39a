//===- GPU.cpp - The GPU stages of compilation ----------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Pipelines/GPU.h"
#include "memrev/Codegen/Common/Passes.h"
#include "memrev/Codegen/GPU/Passes.h"
#include "memrev/Pipelines/Pipelines.h"
#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/GPU/Transforms/Passes.h"
#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

void memrev::buildGPUSchedulePipeline(OpPassManager &pm,
                                      const GPUScheduleOptions &options) {
  // Bufferization would inline these, behind what looks for scalars.
  pm.addPass(createCodegenInlineCalls());
  pm.addNestedPass<func::FuncOp>(createGPUScalarsToTensors());
  buildFusePipeline(pm, [&](OpPassManager &beforeFusion) {
    GPUSelectEnginesOptions engines;
    engines.chip = options.chip;
    engines.fp32Precision = options.fp32Precision;
    engines.contractions = options.contractions;
    beforeFusion.addNestedPass<func::FuncOp>(createGPUSelectEngines(engines));
  });
  pm.addNestedPass<func::FuncOp>(createGPUCopyConstants());
  pm.addPass(createGPUOutlineScatters());
  GPUCallLibrariesOptions libraries;
  libraries.chip = options.chip;
  libraries.fp32Precision = options.fp32Precision;
  pm.addPass(createGPUCallLibraries(libraries));
  GPUSelectStrategyOptions strategy;
  strategy.chip = options.chip;
  strategy.fp32Precision = options.fp32Precision;
  pm.addNestedPass<func::FuncOp>(createGPUSelectStrategy(strategy));
  pm.addPass(createGPUScheduleKernels());
  pm.addNestedPass<func::FuncOp>(createGPUSplitReductions());

  CodegenVerifyStageOptions verify;
  verify.stage = "schedule";
  pm.addPass(createCodegenVerifyStage(verify));
}

void memrev::buildGPUKernelsPipeline(OpPassManager &pm) {
  // Nothing is canonicalized in between: that would inline parallel loops of
  // one iteration, whose memory accesses would then be on the host, and hoist
  // the constants of kernels out of the launches, to become their parameters.
  pm.addPass(createGPUStoreScalarResults());
  pm.addPass(createGPUEmitCopies());
  pm.addPass(createGPUJoinKernels());
  pm.addPass(createGPULaunchKernels());
  OpPassManager &functions = pm.nest<func::FuncOp>();
  functions.addPass(createGPULinalgToParallel());
  functions.addPass(createGPUScalarsToDevice());
  pm.addPass(createGPUParallelToLaunch());
  pm.addPass(createGpuKernelOutliningPass());
  OpPassManager &kernels = pm.nest<gpu::GPUModuleOp>();
  kernels.addPass(createCanonicalizerPass());
  kernels.addPass(createCSEPass());
  pm.addPass(createGPUMergeKernels());
  OpPassManager &host = pm.nest<func::FuncOp>();
  host.addPass(createCanonicalizerPass());
  host.addPass(createCSEPass());
}

void memrev::buildGPUBinaryPipeline(OpPassManager &pm,
                                    const GPUBinaryOptions &options) {
  buildGPUKernelsPipeline(pm);
  GPUAttachTargetOptions target;
  target.chip = options.chip;
  target.ptxVersion = options.ptxVersion;
  target.optLevel = options.optLevel;
  target.format = options.format;
  pm.addPass(createGPUAttachTarget(target));
  GPUThreadStreamsOptions streams;
  streams.bareEntries = options.bareEntries;
  pm.addPass(createGPUThreadStreams(streams));

  OpPassManager &kernels = pm.nest<gpu::GPUModuleOp>();
  kernels.addPass(createConvertComplexToStandardPass());
  kernels.addPass(createCodegenExpandMath());
  kernels.addPass(createGPUExpandMath());
  kernels.addPass(memref::createExpandStridedMetadataPass());
  kernels.addPass(createLowerAffinePass());
  kernels.addPass(createSCFToControlFlowPass());
  kernels.addPass(createGPUKernelsToNVVM());
  kernels.addPass(createCanonicalizerPass());
  kernels.addPass(createCSEPass());
  kernels.addPass(createReconcileUnrealizedCastsPass());

  pm.addPass(createCodegenFlattenEmptyBuffers());
  pm.addPass(memref::createExpandStridedMetadataPass());
  pm.addPass(createLowerAffinePass());
  // What the host computes are scalars.
  pm.addNestedPass<func::FuncOp>(createConvertComplexToStandardPass());
  pm.addNestedPass<func::FuncOp>(createCodegenExpandMath());
  pm.addPass(math::createMathExtendToSupportedTypes());
  pm.addPass(createConvertMathToFuncs());
  pm.addPass(createSCFToControlFlowPass());
  pm.addPass(createSymbolDCEPass());
  ConvertMathToLLVMPassOptions math;
  math.approximateLog1p = false;
  pm.addPass(createConvertMathToLLVMPass(math));
  pm.addPass(createConvertMathToLibmPass());
  pm.addPass(createConvertComplexToLLVMPass());
  pm.addPass(createGpuToLLVMConversionPass());
  pm.addPass(createReconcileUnrealizedCastsPass());
  GPUAssembleKernelsOptions assemble;
  assemble.format = options.format;
  pm.addPass(createGPUAssembleKernels(assemble));
}

StringRef memrev::getGPUKernels(ModuleOp module) {
  for (auto binary : module.getOps<gpu::BinaryOp>())
    for (Attribute attribute : binary.getObjects())
      if (auto object = dyn_cast<gpu::ObjectAttr>(attribute)) {
        StringRef text = object.getObject();
        // The zero at the end is for the driver.
        if (object.getFormat() == gpu::CompilationTarget::Assembly)
          text.consume_back(StringRef("\0", 1));
        return text;
      }
  return {};
}

void memrev::registerGPUPipelines() {
  PassPipelineRegistration<GPUScheduleOptions>(
      "memrev-gpu-schedule",
      "Prepare functions on tensors for a GPU: the schedule stage",
      [](OpPassManager &pm, const GPUScheduleOptions &options) {
        buildGPUSchedulePipeline(pm, options);
      });
  PassPipelineRegistration<>(
      "memrev-gpu-kernels",
      "Map functions on buffers to kernels: the first half of the binary stage",
      [](OpPassManager &pm) { buildGPUKernelsPipeline(pm); });
  PassPipelineRegistration<GPUBinaryOptions>(
      "memrev-gpu-binary",
      "Compile functions on buffers for a GPU: the binary stage",
      [](OpPassManager &pm, const GPUBinaryOptions &options) {
        buildGPUBinaryPipeline(pm, options);
      });
}
