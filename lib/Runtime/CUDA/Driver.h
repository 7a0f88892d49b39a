//===- Driver.h - The CUDA driver, loaded at run time --------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Declares the part of the driver's interface that the runtime uses, so that
// it builds without CUDA's headers. The types and numbers are fixed by the
// driver's binary interface.
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_LIB_RUNTIME_CUDA_DRIVER_H
#define MEMREV_LIB_RUNTIME_CUDA_DRIVER_H

#include <cstddef>
#include <string>

namespace memrev::cuda {

using Result = int;
using Device = int;
using DevicePtr = unsigned long long;
using Context = struct ContextTag *;
using Module = struct ModuleTag *;
using Function = struct FunctionTag *;
using Stream = struct StreamTag *;
using Event = struct EventTag *;
using Graph = struct GraphTag *;
using GraphExec = struct GraphExecTag *;

inline constexpr Result kSuccess = 0;
inline constexpr Result kOutOfMemory = 2;
inline constexpr Result kNoDevice = 100;
inline constexpr Result kInvalidDevice = 101;
inline constexpr Result kGraphUpdateFailure = 910;

inline constexpr int kAttributeMajor = 75;
inline constexpr int kAttributeMinor = 76;
inline constexpr int kFunctionMaxDynamicShared = 8;
inline constexpr int kJitErrorLog = 5;
inline constexpr int kJitErrorLogBytes = 6;
inline constexpr int kJitOptimizationLevel = 7;
inline constexpr unsigned kAttachGlobal = 1;
inline constexpr int kPointerRangeStart = 11;
inline constexpr int kPointerRangeSize = 12;
inline constexpr unsigned kStreamDefault = 0;
inline constexpr unsigned kStreamNonBlocking = 1;
inline constexpr unsigned kEventWithoutTime = 2;
inline constexpr int kCaptureOfThread = 1;
inline constexpr int kCaptureRelaxed = 2;
inline constexpr int kCaptureNone = 0;

/// What the driver says of an update of a graph.
struct GraphUpdateInfo {
  int result;
  void *errorNode;
  void *errorFromNode;
};

/// The functions of the driver.
struct Driver {
  Result (*init)(unsigned flags);
  Result (*getErrorName)(Result, const char **name);
  Result (*getErrorString)(Result, const char **text);
  Result (*deviceGetCount)(int *count);
  Result (*deviceGet)(Device *, int ordinal);
  Result (*deviceGetName)(char *name, int length, Device);
  Result (*deviceGetAttribute)(int *value, int attribute, Device);
  Result (*primaryCtxRetain)(Context *, Device);
  Result (*ctxGetCurrent)(Context *);
  Result (*ctxSetCurrent)(Context);
  Result (*ctxGetDevice)(Device *);
  Result (*memGetInfo)(size_t *free, size_t *total);
  Result (*memAlloc)(DevicePtr *, size_t bytes);
  Result (*memAllocManaged)(DevicePtr *, size_t bytes, unsigned flags);
  Result (*memFree)(DevicePtr);
  Result (*memcpyHtoD)(DevicePtr, const void *, size_t bytes);
  Result (*memcpyDtoH)(void *, DevicePtr, size_t bytes);
  Result (*pointerGetAttribute)(void *value, int attribute, DevicePtr);
  Result (*memcpyAsync)(DevicePtr target, DevicePtr source, size_t, Stream);
  Result (*memsetD32Async)(DevicePtr, unsigned, size_t count, Stream);
  Result (*memsetD16Async)(DevicePtr, unsigned short, size_t count, Stream);
  Result (*moduleLoadDataEx)(Module *, const void *image, unsigned numOptions,
                             int *options, void **values);
  Result (*moduleUnload)(Module);
  Result (*moduleGetFunction)(Function *, Module, const char *name);
  Result (*funcSetAttribute)(Function, int attribute, int value);
  Result (*launchKernel)(Function, unsigned gridX, unsigned gridY,
                         unsigned gridZ, unsigned blockX, unsigned blockY,
                         unsigned blockZ, unsigned sharedBytes, Stream,
                         void **parameters, void **extra);
  Result (*streamCreate)(Stream *, unsigned flags);
  Result (*streamDestroy)(Stream);
  Result (*streamSynchronize)(Stream);
  Result (*streamIsCapturing)(Stream, int *status);
  Result (*streamBeginCapture)(Stream, int mode);
  Result (*streamEndCapture)(Stream, Graph *);
  Result (*exchangeCaptureMode)(int *mode);
  Result (*eventCreate)(Event *, unsigned flags);
  Result (*eventDestroy)(Event);
  Result (*eventRecord)(Event, Stream);
  Result (*eventQuery)(Event);
  Result (*graphGetNodes)(Graph, void **nodes, size_t *count);
  Result (*graphInstantiate)(GraphExec *, Graph, unsigned long long flags);
  Result (*graphUpdate)(GraphExec, Graph, GraphUpdateInfo *);
  Result (*graphLaunch)(GraphExec, Stream);
  Result (*graphDestroy)(Graph);
  Result (*graphExecDestroy)(GraphExec);
};

/// Returns the driver, loaded and initialized by the first call. If it cannot
/// be had, returns a null pointer and says why in `error`.
const Driver *getDriver(std::string &error);

/// Returns the name and the meaning of `result`.
std::string describe(const Driver &driver, Result result);

} // namespace memrev::cuda

#endif // MEMREV_LIB_RUNTIME_CUDA_DRIVER_H
