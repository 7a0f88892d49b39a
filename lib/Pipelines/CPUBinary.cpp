//===- CPUBinary.cpp - The binary stage for the CPU -----------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Codegen/CPU/Passes.h"
#include "memrev/Codegen/Common/Passes.h"
#include "memrev/Pipelines/Pipelines.h"
#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

void memrev::buildCPUBinaryPipeline(OpPassManager &pm,
                                    const CPUBinaryOptions &options) {
  pm.addPass(createCodegenInlineOpenCalls());

  // Loops.
  CodegenParallelToOpenMPOptions openMP;
  openMP.parallel = options.parallel;
  pm.addPass(createCodegenParallelToOpenMP(openMP));
  pm.addNestedPass<func::FuncOp>(createCodegenStridedCopiesToLoops());
  pm.addNestedPass<func::FuncOp>(createConvertLinalgToLoopsPass());
  pm.addPass(createCodegenOutlineLoops());
  pm.addPass(memref::createFoldMemRefAliasOpsPass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());

  // Vectors and addresses.
  pm.addNestedPass<func::FuncOp>(createCodegenNarrowVectorsToBytes());
  pm.addNestedPass<func::FuncOp>(createConvertVectorToSCFPass(
      VectorTransferToSCFOptions().enableFullUnroll()));
  pm.addPass(memref::createExpandStridedMetadataPass());
  pm.addPass(createLowerAffinePass());
  pm.addNestedPass<func::FuncOp>(createLoopInvariantCodeMotionPass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());

  // Elementary functions: of complex numbers by those of floats; f16 in f32,
  // then libm, then what LLVM has itself.
  pm.addNestedPass<func::FuncOp>(createConvertComplexToStandardPass());
  pm.addPass(createCodegenExpandMath());
  pm.addPass(math::createMathExtendToSupportedTypes());
  CodegenMathToLibmOptions libm;
  libm.vectorBits = options.vectorBits;
  pm.addPass(createCodegenMathToLibm(libm));
  pm.addPass(createConvertMathToFuncs());

  // The LLVM dialect.
  pm.addPass(createCodegenFlattenEmptyBuffers());
  pm.addPass(createCodegenFinalizeFunctions());
  pm.addPass(createSCFToControlFlowPass());
  ConvertVectorToLLVMPassOptions vector;
  vector.vectorContractLowering = vector::VectorContractLowering::OuterProduct;
  pm.addPass(createConvertVectorToLLVMPass(vector));
  ConvertMathToLLVMPassOptions math;
  math.approximateLog1p = false;
  pm.addPass(createConvertMathToLLVMPass(math));
  pm.addPass(createConvertComplexToLLVMPass());
  pm.addPass(createUBToLLVMConversionPass());
  pm.addPass(createFinalizeMemRefToLLVMConversionPass());
  pm.addPass(createArithToLLVMConversionPass());
  pm.addPass(createConvertIndexToLLVMPass());
  pm.addPass(createConvertControlFlowToLLVMPass());
  ConvertFuncToLLVMPassOptions func;
  func.useBarePtrCallConv = true;
  pm.addPass(createConvertFuncToLLVMPass(func));
  // After the functions, which it would give another calling convention.
  pm.addPass(createConvertOpenMPToLLVMPass());
  pm.addPass(createReconcileUnrealizedCastsPass());
  CodegenVerifyStageOptions verify;
  verify.stage = "binary";
  pm.addPass(createCodegenVerifyStage(verify));
}
