//===- GPU.h - The GPU stages of compilation ------------------ -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The schedule and binary stages for NVIDIA GPUs. Between them runs the
// bufferize stage that all targets share.
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_PIPELINES_GPU_H
#define MEMREV_PIPELINES_GPU_H

#include "mlir/Pass/PassOptions.h"
#include "mlir/Support/LLVM.h"
#include <string>

namespace mlir {
class ModuleOp;
class OpPassManager;
} // namespace mlir

namespace mlir::memrev {

/// Options of `buildGPUBinaryPipeline`.
struct GPUBinaryOptions : PassPipelineOptions<GPUBinaryOptions> {
  PassOptions::Option<std::string> chip{
      *this, "chip", llvm::cl::desc("Chip to compile for, sm_90 for example")};
  PassOptions::Option<unsigned> ptxVersion{
      *this, "ptx-version",
      llvm::cl::desc("PTX version times ten, 80 for 8.0; 0 takes the oldest "
                     "one that knows the chip"),
      llvm::cl::init(0)};
  PassOptions::Option<std::string> format{
      *this, "format",
      llvm::cl::desc("What becomes of the kernels: isa (PTX), bin (cubin), "
                     "fatbin, auto or llvm; see gpu-assemble-kernels"),
      llvm::cl::init("isa")};
  PassOptions::Option<unsigned> optLevel{
      *this, "opt-level",
      llvm::cl::desc("Optimization level of the device code"),
      llvm::cl::init(2)};
  PassOptions::Option<bool> bareEntries{
      *this, "bare-ptr-entries",
      llvm::cl::desc("Give public functions plain pointers for their buffers"),
      llvm::cl::init(true)};
};

/// Options of `buildGPUSchedulePipeline`.
struct GPUScheduleOptions : PassPipelineOptions<GPUScheduleOptions> {
  PassOptions::Option<std::string> chip{
      *this, "chip", llvm::cl::desc("Chip to choose sizes for"),
      llvm::cl::init("sm_90")};
  PassOptions::Option<std::string> fp32Precision{
      *this, "fp32-precision",
      llvm::cl::desc("How matrices of f32 are multiplied: ieee, tf32 or "
                     "tf32x3"),
      llvm::cl::init("ieee")};
  PassOptions::Option<std::string> contractions{
      *this, "contractions",
      llvm::cl::desc("Who computes products of matrices: generated kernels, "
                     "vendor for NVIDIA's libraries where they can, or auto"),
      llvm::cl::init("generated")};
};

/// Fuses functions on tensors into kernels and emits those in a `gpu.module`;
/// what no emitter takes stays structured operations with enough parallelism in
/// each. In: linalg, tensor, arith, scf and func.
void buildGPUSchedulePipeline(OpPassManager &pm,
                              const GPUScheduleOptions &options);

/// Maps functions on buffers to kernels, up to the point where host code
/// launches kernels in one `gpu.module` and touches no memory. Out: one
/// `gpu.launch_func` for each structured operation.
void buildGPUKernelsPipeline(OpPassManager &pm);

/// Turns functions on buffers into the LLVM dialect for the host, which calls
/// the functions of Runtime/CUDA, and one `gpu.binary` with the kernels. All
/// buffers, the arena included, are device memory.
void buildGPUBinaryPipeline(OpPassManager &pm, const GPUBinaryOptions &options);

/// Returns the kernels of a module after the binary stage, in the format that
/// was asked for; nothing if the program has no kernel.
StringRef getGPUKernels(ModuleOp module);

/// Registers the pipelines memrev-gpu-schedule, memrev-gpu-kernels and
/// memrev-gpu-binary.
void registerGPUPipelines();

} // namespace mlir::memrev

#endif // MEMREV_PIPELINES_GPU_H
