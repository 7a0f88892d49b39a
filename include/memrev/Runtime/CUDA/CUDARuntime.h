//===- CUDARuntime.h - Running programs on NVIDIA GPUs -------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a program compiled for `cuda` needs at run time, as a C interface. The
// CUDA driver is loaded when it is first needed, so that a program links and
// starts on a machine without one.
//
// Buffers that a compiled function takes are device memory. A call returns when
// its results are there, unless its thread has chosen a stream: then it returns
// when its work is submitted to that. Its status is in `memrevCudaLastError`.
//
// A thread that has a current CUDA context keeps using it, with the device
// pointers of the framework that made it; other threads use the primary context
// of the device they chose, at first device 0.
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_RUNTIME_CUDA_CUDARUNTIME_H
#define MEMREV_RUNTIME_CUDA_CUDARUNTIME_H

#include <stddef.h>
#include <stdint.h>

#define MEMREV_CUDA_API __attribute__((visibility("default")))

#ifdef __cplusplus
extern "C" {
#endif

//===----------------------------------------------------------------------===//
// Errors
//===----------------------------------------------------------------------===//

/// Returns what went wrong first on this thread since its error was cleared, or
/// a null pointer. After an error, everything that the thread asks of the
/// device is skipped, so that one failure does not become many. The text lives
/// until the thread clears its error.
MEMREV_CUDA_API const char *memrevCudaLastError(void);

/// Forgets the error of this thread.
MEMREV_CUDA_API void memrevCudaClearError(void);

/// Is called with the text of each error; without one it goes to stderr.
typedef void (*MemrevCudaErrorCallback)(const char *message, void *context);
MEMREV_CUDA_API void
memrevCudaSetErrorCallback(MemrevCudaErrorCallback callback, void *context);

//===----------------------------------------------------------------------===//
// Devices and memory; each function returns 0, or 1 after an error
//===----------------------------------------------------------------------===//

/// Loads the driver and makes a context current: says whether there is a device
/// that can be used.
MEMREV_CUDA_API int memrevCudaInitialize(void);

/// Chooses the device of this thread.
MEMREV_CUDA_API int memrevCudaSetDevice(int32_t device);

/// Makes the calls of this thread submit their work to `stream`, a CUDA stream
/// of the current context or null for the default one, and not wait for it.
MEMREV_CUDA_API void memrevCudaUseStream(void *stream);

/// Makes the calls of this thread wait for their results, as at first.
MEMREV_CUDA_API void memrevCudaUseOwnStreams(void);

MEMREV_CUDA_API int memrevCudaAllocate(void **pointer, size_t bytes);
MEMREV_CUDA_API int memrevCudaFree(void *pointer);
MEMREV_CUDA_API int memrevCudaCopyToDevice(void *device, const void *host,
                                           size_t bytes);
MEMREV_CUDA_API int memrevCudaCopyToHost(void *host, const void *device,
                                         size_t bytes);

/// Memory in the order of the thread's stream, which the runtime keeps when it
/// is freed: work that is submitted to the stream afterwards may use what is
/// allocated, and what was submitted before may still use what is freed. Not
/// for a stream that records a graph.
MEMREV_CUDA_API int memrevCudaAllocateOnStream(void **pointer, size_t bytes);
MEMREV_CUDA_API int memrevCudaFreeOnStream(void *pointer);
/// Gives the kept memory of the current context back to the driver.
MEMREV_CUDA_API int memrevCudaFreeIdle(void);

/// The bytes that this runtime has allocated and not given back to the driver,
/// now and at their largest, on all devices.
MEMREV_CUDA_API size_t memrevCudaGetAllocatedBytes(void);
MEMREV_CUDA_API size_t memrevCudaGetPeakBytes(void);
/// Begins to look for the largest number anew.
MEMREV_CUDA_API void memrevCudaResetPeakBytes(void);

//===----------------------------------------------------------------------===//
// What the entries of compiled host code call
//===----------------------------------------------------------------------===//

/// A parameter in device memory.
typedef struct {
  uint64_t address;
  uint64_t bytes;
} MemrevCudaBuffer;

/// Begins a call of `function` and returns the stream that its work goes to; a
/// null pointer if there is none to be submitted, because a graph of an earlier
/// call was launched or the thread has failed. `slot` belongs to the function
/// and is null at first. Buffers have to be device memory of that size; those
/// of 16 bytes and more are aligned to 16. A function `isRecordable` if it does
/// the same in each call with the same buffers and scalars, and never waits.
MEMREV_CUDA_API void *memrevCudaBeginCall(const char *function, void **slot,
                                          const MemrevCudaBuffer *buffers,
                                          size_t numBuffers,
                                          const uint64_t *scalars,
                                          size_t numScalars,
                                          int32_t isRecordable);
/// Ends the call, whatever `memrevCudaBeginCall` returned.
MEMREV_CUDA_API void memrevCudaEndCall(void);
/// Frees what belongs to a function that is not called any more.
MEMREV_CUDA_API void memrevCudaForgetFunction(void **slot);

//===----------------------------------------------------------------------===//
// Products of matrices by cuBLASLt, which is loaded when it is first needed
//===----------------------------------------------------------------------===//

/// d = a b, or d = a b + c, of matrices in column-major order, for each of the
/// batches of some calls. Distances are in elements, alignments in bytes.
typedef struct {
  /// cudaDataType of a and b, and of c and d.
  int64_t factorType, resultType;
  /// cublasComputeType_t.
  int64_t computeType;
  int64_t rows, columns, depth, batch, calls;
  /// 1 to add c, and else 0.
  int64_t accumulates;
  /// 1 for a matrix that is in memory as its transpose, and else 0.
  int64_t transposeA, transposeB;
  /// From one column to the next, as the matrices are in memory.
  int64_t leadingA, leadingB, leadingC, leadingD;
  /// From one matrix of the batch to the next.
  int64_t strideA, strideB, strideC, strideD;
  /// From the matrices of one call to those of the next.
  int64_t stepA, stepB, stepC, stepD;
  /// What all addresses are multiples of.
  int64_t alignmentA, alignmentB, alignmentC, alignmentD;
  int64_t workspaceBytes;
} MemrevCudaMatmul;

/// Loads the library and prepares it for the current context. Entries that need
/// it do this before they begin.
MEMREV_CUDA_API void memrevCudaPrepareMatmul(void);
/// Submits a product to `stream`. The library uses at most `workspaceBytes`
/// bytes from the first multiple of 256 in `workspace` on. `c` may be `d`.
MEMREV_CUDA_API void memrevCudaMatmul(const MemrevCudaMatmul *product,
                                      const void *a, const void *b,
                                      const void *c, void *d, void *workspace,
                                      void *stream);

//===----------------------------------------------------------------------===//
// What compiled host code calls; the names and types are those of MLIR
//===----------------------------------------------------------------------===//

/// Registers kernels, which are loaded into a context when it first launches
/// one. `size` may be 0: the image knows its own.
MEMREV_CUDA_API void *mgpuModuleLoad(void *image, size_t size);
/// The same for PTX, a text that ends with a zero.
MEMREV_CUDA_API void *mgpuModuleLoadJIT(void *ptx, int32_t optLevel);
MEMREV_CUDA_API void mgpuModuleUnload(void *module);
MEMREV_CUDA_API void *mgpuModuleGetFunction(void *module, const char *name);
MEMREV_CUDA_API void mgpuLaunchKernel(void *function, intptr_t gridX,
                                      intptr_t gridY, intptr_t gridZ,
                                      intptr_t blockX, intptr_t blockY,
                                      intptr_t blockZ, int32_t sharedBytes,
                                      void *stream, void **parameters,
                                      void **extra, size_t numParameters);
/// Streams are kept and handed out again. They wait for work on the default
/// stream, and work on it waits for them.
MEMREV_CUDA_API void *mgpuStreamCreate(void);
MEMREV_CUDA_API void mgpuStreamDestroy(void *stream);
MEMREV_CUDA_API void mgpuStreamSynchronize(void *stream);
MEMREV_CUDA_API void *mgpuMemAlloc(uint64_t bytes, void *stream,
                                   int8_t hostShared);
MEMREV_CUDA_API void mgpuMemFree(void *pointer, void *stream);
MEMREV_CUDA_API void mgpuMemcpy(void *target, void *source, size_t bytes,
                                void *stream);
MEMREV_CUDA_API void mgpuMemset32(void *target, uint32_t value, size_t count,
                                  void *stream);
MEMREV_CUDA_API void mgpuMemset16(void *target, uint16_t value, size_t count,
                                  void *stream);
MEMREV_CUDA_API void mgpuSetDefaultDevice(int32_t device);

#ifdef __cplusplus
}
#endif

#endif // MEMREV_RUNTIME_CUDA_CUDARUNTIME_H
