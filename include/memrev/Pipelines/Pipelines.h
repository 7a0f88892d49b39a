//===- Pipelines.h - The stages of compilation ---------------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One build<Stage>Pipeline() for each stage, in the order of this file:
// differentiate, lower, schedule, bufferize, binary. memrev-opt registers each
// by name; memrev-compile and the C API run them through lib/Compiler.
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_PIPELINES_PIPELINES_H
#define MEMREV_PIPELINES_PIPELINES_H

#include "mlir/Pass/PassOptions.h"
#include <map>
#include <memory>

namespace mlir {
class OpPassManager;
class Pass;
} // namespace mlir

namespace mlir::memrev {

/// Options of `buildCPUSchedulePipeline`.
struct CPUScheduleOptions : PassPipelineOptions<CPUScheduleOptions> {
  Option<int64_t> vectorBits{
      *this, "vector-bits",
      llvm::cl::desc("Width of the vectors to use, in bits: 128, 256 or 512"),
      llvm::cl::init(512)};
  Option<int64_t> accumulators{
      *this, "accumulators",
      llvm::cl::desc("Vector registers that hold sums: 14 to 24 of 32, 8 to 12 "
                     "of 16; 0 chooses by the vector width"),
      llvm::cl::init(0)};
};

/// Options of `buildBufferizePipeline`.
struct BufferizeOptions : PassPipelineOptions<BufferizeOptions> {
  Option<int64_t> maxStackBytes{
      *this, "max-stack-bytes",
      llvm::cl::desc("Largest total of buffers inside a parallel loop that is "
                     "kept on the stack"),
      llvm::cl::init(32768)};
  Option<int64_t> maxThreads{
      *this, "max-threads",
      llvm::cl::desc("Threads that share a parallel loop whose buffers exceed "
                     "the stack"),
      llvm::cl::init(1)};
  Option<bool> callsExternals{
      *this, "calls-externals",
      llvm::cl::desc("Whether functions without a body can be called"),
      llvm::cl::init(true)};
  Option<bool> staticOnly{
      *this, "static-only",
      llvm::cl::desc("Whether extents that types leave open are errors"),
      llvm::cl::init(false)};
};

/// Options of `buildCPUBinaryPipeline`.
struct CPUBinaryOptions : PassPipelineOptions<CPUBinaryOptions> {
  Option<bool> parallel{*this, "parallel",
                        llvm::cl::desc("Run parallel loops on all threads"),
                        llvm::cl::init(true)};
  Option<int64_t> vectorBits{
      *this, "vector-bits",
      llvm::cl::desc("Widest vector register of the processor, in bits"),
      llvm::cl::init(128)};
};

/// How many bytes derivatives may take more than by default.
struct DerivativeStorage {
  /// Those of a public function's transforms: the option of rev-plan.
  std::vector<std::string> entries;
  /// Those of functions to derive by options, by the positions of these. What
  /// is not there has no plan of its own.
  std::map<size_t, int64_t> derived;

  bool operator==(const DerivativeStorage &other) const {
    return entries == other.entries && derived == other.derived;
  }
  bool operator!=(const DerivativeStorage &other) const {
    return !(*this == other);
  }
};

/// Replaces function transforms by derived functions. No transform is left;
/// every operation on the way of a gradient had a rule. Then derives what each
/// of `functions` asks for, which are options of rev-differentiate; fails with
/// a message in `error` where they are none.
LogicalResult buildDifferentiatePipeline(OpPassManager &pm,
                                         ArrayRef<std::string> functions,
                                         std::string &error,
                                         const DerivativeStorage &storage = {});

/// A pass rev-differentiate, and the function that it differentiates.
struct Derivation {
  std::unique_ptr<Pass> pass;
  std::string function;
};

/// The pass rev-differentiate with `options`. Fails with a message in `error`
/// if it has no such options.
FailureOr<Derivation> createDerivation(StringRef options, std::string &error);

/// Lowers the rev dialect to linalg, tensor, arith, math and scf. No operation
/// of it is left.
void buildLowerPipeline(OpPassManager &pm);

/// Fuses elementwise ops and moves every computation into a private kernel
/// function on tensors: what the schedule stages of all targets begin with.
/// `addBeforeFusion` adds the passes of a target that keep operations apart.
void buildFusePipeline(
    OpPassManager &pm,
    function_ref<void(OpPassManager &)> addBeforeFusion = nullptr);

/// Fuses, and rewrites each kernel to one parallel loop over
/// vector code. What no rule covers stays linalg and is named by a remark.
/// Nothing may run CSE on the callers of kernels before bufferization.
void buildCPUSchedulePipeline(OpPassManager &pm,
                              const CPUScheduleOptions &options);

/// Turns functions on tensors into functions on buffers: in place where the
/// program allows, public functions as wrappers with out-parameters, every
/// buffer at an offset of one arena. No tensor and no allocation is left.
void buildBufferizePipeline(OpPassManager &pm, const BufferizeOptions &options);

/// Turns functions on buffers into the LLVM dialect for the CPU. Public
/// functions take plain pointers.
void buildCPUBinaryPipeline(OpPassManager &pm, const CPUBinaryOptions &options);

/// Registers each stage as a pipeline named memrev-<stage>.
void registerPipelines();

} // namespace mlir::memrev

#endif // MEMREV_PIPELINES_PIPELINES_H
