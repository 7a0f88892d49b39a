//===- CublasLt.h - cuBLASLt, loaded at run time ------------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Declares the part of the library's interface that the runtime uses, so that
// it builds without the library's headers. The types and numbers are fixed by
// the library's binary interface, which is the same in CUDA 12 and 13.
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_LIB_RUNTIME_CUDA_CUBLASLT_H
#define MEMREV_LIB_RUNTIME_CUDA_CUBLASLT_H

#include "Driver.h"
#include <cstdint>

namespace memrev::cuda {

using CublasStatus = int;
using CublasLtHandle = struct CublasLtHandleTag *;
using MatmulDesc = struct MatmulDescTag *;
using MatrixLayout = struct MatrixLayoutTag *;
using MatmulPreference = struct MatmulPreferenceTag *;

inline constexpr CublasStatus kCublasSuccess = 0;

/// Of cudaDataType.
inline constexpr int kReal32 = 0;
inline constexpr int kReal64 = 1;
/// Of cublasOperation_t.
inline constexpr int32_t kTransposed = 1;
/// Of cublasLtMatmulDescAttributes_t.
inline constexpr int kDescTransposeA = 3;
inline constexpr int kDescTransposeB = 4;
/// Of cublasLtMatrixLayoutAttribute_t.
inline constexpr int kLayoutBatchCount = 5;
inline constexpr int kLayoutBatchStride = 6;
/// Of cublasLtMatmulPreferenceAttributes_t.
inline constexpr int kPreferWorkspaceBytes = 1;
inline constexpr int kPreferReductions = 3;
inline constexpr int kPreferAlignmentA = 5;
inline constexpr int kPreferAlignmentB = 6;
inline constexpr int kPreferAlignmentC = 7;
inline constexpr int kPreferAlignmentD = 8;
/// Of cublasLtReductionScheme_t: the parts of a sum go to the workspace in the
/// type of the sum and are added in a separate step.
inline constexpr uint32_t kReduceInComputeType = 2;

/// An algorithm, which only the library reads.
struct MatmulAlgorithm {
  uint64_t data[8];
};

/// What the library says of an algorithm.
struct MatmulHeuristic {
  MatmulAlgorithm algorithm;
  size_t workspaceBytes;
  CublasStatus status;
  float waves;
  int reserved[4];
};

/// The functions of the library.
struct CublasLt {
  const char *(*getStatusName)(CublasStatus);
  CublasStatus (*create)(CublasLtHandle *);
  CublasStatus (*descCreate)(MatmulDesc *, int computeType, int scaleType);
  CublasStatus (*descSet)(MatmulDesc, int attribute, const void *, size_t);
  CublasStatus (*descDestroy)(MatmulDesc);
  CublasStatus (*layoutCreate)(MatrixLayout *, int type, uint64_t rows,
                               uint64_t columns, int64_t leading);
  CublasStatus (*layoutSet)(MatrixLayout, int attribute, const void *, size_t);
  CublasStatus (*layoutDestroy)(MatrixLayout);
  CublasStatus (*preferenceCreate)(MatmulPreference *);
  CublasStatus (*preferenceSet)(MatmulPreference, int attribute, const void *,
                                size_t);
  CublasStatus (*preferenceDestroy)(MatmulPreference);
  CublasStatus (*getHeuristic)(CublasLtHandle, MatmulDesc, MatrixLayout a,
                               MatrixLayout b, MatrixLayout c, MatrixLayout d,
                               MatmulPreference, int count, MatmulHeuristic *,
                               int *found);
  CublasStatus (*matmul)(CublasLtHandle, MatmulDesc, const void *alpha,
                         const void *a, MatrixLayout, const void *b,
                         MatrixLayout, const void *beta, const void *c,
                         MatrixLayout, void *d, MatrixLayout,
                         const MatmulAlgorithm *, void *workspace,
                         size_t workspaceBytes, Stream);
};

} // namespace memrev::cuda

#endif // MEMREV_LIB_RUNTIME_CUDA_CUBLASLT_H
