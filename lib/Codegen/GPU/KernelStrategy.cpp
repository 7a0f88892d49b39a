//===- KernelStrategy.cpp - How a GPU kernel is emitted -------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelStrategy.h"

using namespace mlir;
using namespace mlir::memrev;
using namespace mlir::memrev::simt;

FailureOr<Chip> Chip::get(StringRef name) {
  Chip chip;
  if (!name.consume_front("sm_") ||
      name.consumeInteger(10, chip.architecture) || name.size() > 1)
    return failure();
  // Multiprocessors of the largest product: A100, RTX 4090, H100.
  // Shared memory: CUDA C++ Programming Guide, technical specifications.
  if (chip.architecture >= 90) {
    chip.multiprocessors = 132;
    chip.sharedBytes = 227 * 1024;
  } else if (chip.architecture == 80 || chip.architecture == 87) {
    chip.multiprocessors = 108;
    chip.sharedBytes = 163 * 1024;
  } else {
    chip.multiprocessors = 128;
    chip.sharedBytes = chip.architecture >= 80 ? 99 * 1024 : 48 * 1024;
  }
  // Consumer chips after sm_100 have less.
  if (chip.architecture >= 120)
    chip.sharedBytes = 99 * 1024;
  return chip;
}

//===----------------------------------------------------------------------===//
// Elementwise kernels
//===----------------------------------------------------------------------===//

DictionaryAttr ElementwiseStrategy::toAttribute(MLIRContext *context) const {
  Builder b(context);
  return b.getDictionaryAttr({
      b.getNamedAttr("engine", b.getStringAttr("elementwise")),
      b.getNamedAttr("order", b.getDenseI64ArrayAttr(order)),
      b.getNamedAttr("threads", b.getI64IntegerAttr(threads)),
  });
}

FailureOr<ElementwiseStrategy>
ElementwiseStrategy::fromAttribute(DictionaryAttr attribute,
                                   const Problem &problem) {
  auto order = attribute.getAs<DenseI64ArrayAttr>("order");
  auto threads = attribute.getAs<IntegerAttr>("threads");
  if (!order || !threads || problem.isContraction ||
      llvm::is_contained(problem.isReduction, true))
    return failure();
  ElementwiseStrategy strategy;
  strategy.order.assign(order.asArrayRef().begin(), order.asArrayRef().end());
  strategy.threads = threads.getInt();
  llvm::SmallBitVector seen(problem.getNumDims());
  for (int64_t dim : strategy.order) {
    if (dim < 0 || dim >= problem.getNumDims() || seen.test(dim))
      return failure();
    seen.set(dim);
  }
  if (!seen.all() || strategy.threads < 1 || strategy.threads > 1024)
    return failure();
  return strategy;
}

ElementwiseStrategy simt::chooseElementwise(const Problem &problem,
                                            const Chip &chip) {
  ElementwiseStrategy strategy;
  // As the first result lies in memory.
  SmallVector<std::pair<int64_t, int64_t>> byStride;
  Linear offset =
      Linear::getOffset(problem.outputs.front().dest, problem.getNumDims());
  for (unsigned dim = 0; dim < problem.getNumDims(); ++dim)
    byStride.emplace_back(-std::abs(offset.dims[dim]), dim);
  llvm::sort(byStride);
  for (auto [stride, dim] : byStride)
    strategy.order.push_back(dim);
  return strategy;
}
