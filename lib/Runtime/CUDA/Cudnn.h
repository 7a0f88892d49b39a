//===- Cudnn.h - cuDNN, loaded at run time ------------------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Declares the part of the library's interface that the runtime uses, so that
// it builds without the library's headers. The types and numbers are fixed by
// the binary interface of cuDNN 9.
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_LIB_RUNTIME_CUDA_CUDNN_H
#define MEMREV_LIB_RUNTIME_CUDA_CUDNN_H

#include "Driver.h"
#include <cstdint>

namespace memrev::cuda {

using CudnnStatus = int;
using CudnnHandle = struct CudnnHandleTag *;
using TensorDesc = struct TensorDescTag *;
using FilterDesc = struct FilterDescTag *;
using ConvolutionDesc = struct ConvolutionDescTag *;

inline constexpr CudnnStatus kCudnnSuccess = 0;

/// Of cudnnDataType_t.
inline constexpr int kCudnnFloat = 0;
/// Of cudnnTensorFormat_t: the channels last.
inline constexpr int kCudnnChannelsLast = 1;
/// Of cudnnConvolutionMode_t: filters are not reversed.
inline constexpr int kCudnnCrossCorrelation = 1;
/// Of cudnnMathType_t. Tensor cores multiply f32 as TF32.
inline constexpr int kCudnnDefaultMath = 0;
inline constexpr int kCudnnTensorCores = 1;
inline constexpr int kCudnnPlainMath = 3;
/// Of cudnnDeterminism_t.
inline constexpr int kCudnnDeterministic = 1;
/// Algorithms that are deterministic and need little or no workspace, of
/// cudnnConvolutionFwdAlgo_t (implicit GEMM) and
/// cudnnConvolutionBwdFilterAlgo_t.
inline constexpr int kCudnnPlainForward = 0;
inline constexpr int kCudnnPlainFilterGradient = 1;

/// What the library says of an algorithm: cudnnConvolutionFwdAlgoPerf_t and
/// cudnnConvolutionBwdFilterAlgoPerf_t.
struct ConvolutionAlgorithm {
  int algorithm;
  CudnnStatus status;
  float time;
  size_t workspaceBytes;
  int determinism;
  int mathType;
  int reserved[3];
};

/// The functions of the library.
struct Cudnn {
  const char *(*getErrorString)(CudnnStatus);
  CudnnStatus (*create)(CudnnHandle *);
  CudnnStatus (*setStream)(CudnnHandle, Stream);
  CudnnStatus (*createTensor)(TensorDesc *);
  CudnnStatus (*setTensor)(TensorDesc, int format, int type, int images,
                           int channels, int height, int width);
  CudnnStatus (*destroyTensor)(TensorDesc);
  CudnnStatus (*createFilter)(FilterDesc *);
  CudnnStatus (*setFilter)(FilterDesc, int type, int format, int filters,
                           int channels, int height, int width);
  CudnnStatus (*destroyFilter)(FilterDesc);
  CudnnStatus (*createConvolution)(ConvolutionDesc *);
  CudnnStatus (*setConvolution)(ConvolutionDesc, int paddingHeight,
                                int paddingWidth, int strideHeight,
                                int strideWidth, int dilationHeight,
                                int dilationWidth, int mode, int computeType);
  CudnnStatus (*setGroups)(ConvolutionDesc, int groups);
  CudnnStatus (*setMathType)(ConvolutionDesc, int mathType);
  CudnnStatus (*destroyConvolution)(ConvolutionDesc);
  CudnnStatus (*getForwardAlgorithms)(CudnnHandle, TensorDesc image, FilterDesc,
                                      ConvolutionDesc, TensorDesc result,
                                      int count, int *found,
                                      ConvolutionAlgorithm *);
  CudnnStatus (*getForwardWorkspace)(CudnnHandle, TensorDesc image, FilterDesc,
                                     ConvolutionDesc, TensorDesc result,
                                     int algorithm, size_t *bytes);
  CudnnStatus (*forward)(CudnnHandle, const void *alpha, TensorDesc,
                         const void *image, FilterDesc, const void *filter,
                         ConvolutionDesc, int algorithm, void *workspace,
                         size_t workspaceBytes, const void *beta, TensorDesc,
                         void *result);
  CudnnStatus (*getFilterAlgorithms)(CudnnHandle, TensorDesc image,
                                     TensorDesc result, ConvolutionDesc,
                                     FilterDesc, int count, int *found,
                                     ConvolutionAlgorithm *);
  CudnnStatus (*getFilterWorkspace)(CudnnHandle, TensorDesc image,
                                    TensorDesc result, ConvolutionDesc,
                                    FilterDesc, int algorithm, size_t *bytes);
  CudnnStatus (*filterGradient)(CudnnHandle, const void *alpha, TensorDesc,
                                const void *image, TensorDesc,
                                const void *result, ConvolutionDesc,
                                int algorithm, void *workspace,
                                size_t workspaceBytes, const void *beta,
                                FilterDesc, void *filter);
};

} // namespace memrev::cuda

#endif // MEMREV_LIB_RUNTIME_CUDA_CUDNN_H
