//===- ElementwiseEmitter.cpp - Kernels without reductions ----------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelEmitters.h"

using namespace mlir;
using namespace mlir::memrev;
using namespace mlir::memrev::simt;

LaunchShape simt::emitElementwise(gpu::GPUModuleOp module, func::FuncOp kernel,
                                  const Problem &problem,
                                  const ElementwiseStrategy &strategy) {
  KernelBuilder k(module, kernel, kernel.getName(), problem, strategy.threads);
  int64_t points = problem.getIterations();
  LaunchShape launch;
  launch.threads = strategy.threads;
  launch.blocks = llvm::divideCeil(points, strategy.threads);
  Value id = k.add(k.mul(k.blockId(), strategy.threads), k.threadId());
  k.when(k.lessThan(id, points), [&] {
    SmallVector<Value> dims(problem.getNumDims());
    SmallVector<unsigned> order(strategy.order.begin(), strategy.order.end());
    k.delinearize(id, order, dims);
    SmallVector<Value> arguments;
    for (const std::optional<Access> &input : problem.inputs)
      arguments.push_back(k.load(*input, dims, 1).front());
    SmallVector<Value> results = arguments;
    if (problem.body) {
      for (const Output &output : problem.outputs)
        arguments.push_back(k.loadInit(output, dims, 0, 1).front());
      results = k.evaluateBody(arguments, dims);
    }
    for (auto [output, result] : llvm::zip_equal(problem.outputs, results))
      k.store(output.dest, dims, result);
  });
  k.finish();
  return launch;
}
