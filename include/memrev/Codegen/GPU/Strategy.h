//===- Strategy.h - Sizes of GPU kernels ---------------------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The sizes that the GPU passes apply are chosen here, from shapes alone: the
// order of a reduction must not depend on anything else.
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_CODEGEN_GPU_STRATEGY_H
#define MEMREV_CODEGEN_GPU_STRATEGY_H

#include <cstdint>

namespace mlir::memrev {

/// The most blocks that a 1-D grid can have.
inline constexpr int64_t kMaxGridSize = 2147483647;

/// Returns the threads of a block for a kernel of `iterations` iterations;
/// ShapedType::kDynamic where their number is not known.
int64_t chooseBlockSize(int64_t iterations);

/// Returns into how many chunks a reduction of `reduced` elements each to
/// `outputs` output elements is split; 1 leaves it whole. ShapedType::kDynamic
/// stands for a number that is not known.
int64_t chooseReductionChunks(int64_t outputs, int64_t reduced);

/// Returns the number of chunks, at most `chunks`, to split a dimension of
/// `size` into: one that divides it, if that costs little parallelism.
int64_t chooseChunksOfDimension(int64_t size, int64_t chunks);

} // namespace mlir::memrev

#endif // MEMREV_CODEGEN_GPU_STRATEGY_H
