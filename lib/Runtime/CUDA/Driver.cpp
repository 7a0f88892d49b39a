//===- Driver.cpp - The CUDA driver, loaded at run time -------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Driver.h"
#include <atomic>
#include <dlfcn.h>
#include <pthread.h>

using namespace memrev::cuda;

/// Finds the function `name` of `library`.
template <typename FunctionType>
static bool find(void *library, const char *name, FunctionType &function,
                 std::string &error) {
  function = reinterpret_cast<FunctionType>(dlsym(library, name));
  if (function)
    return true;
  error =
      std::string("expects a newer CUDA driver: libcuda.so.1 lacks ") + name;
  return false;
}

static bool load(Driver &driver, std::string &error) {
  void *library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const char *reason = dlerror();
    error = std::string("expects an NVIDIA driver, but its library cannot be "
                        "loaded: ") +
            (reason ? reason : "unknown reason");
    return false;
  }
  // The names with a suffix are those that the driver's header gives to the
  // functions without one.
  if (!find(library, "cuInit", driver.init, error) ||
      !find(library, "cuGetErrorName", driver.getErrorName, error) ||
      !find(library, "cuGetErrorString", driver.getErrorString, error) ||
      !find(library, "cuDeviceGetCount", driver.deviceGetCount, error) ||
      !find(library, "cuDeviceGet", driver.deviceGet, error) ||
      !find(library, "cuDeviceGetName", driver.deviceGetName, error) ||
      !find(library, "cuDeviceGetAttribute", driver.deviceGetAttribute,
            error) ||
      !find(library, "cuDevicePrimaryCtxRetain", driver.primaryCtxRetain,
            error) ||
      !find(library, "cuCtxGetCurrent", driver.ctxGetCurrent, error) ||
      !find(library, "cuCtxSetCurrent", driver.ctxSetCurrent, error) ||
      !find(library, "cuCtxGetDevice", driver.ctxGetDevice, error) ||
      !find(library, "cuMemGetInfo_v2", driver.memGetInfo, error) ||
      !find(library, "cuMemAlloc_v2", driver.memAlloc, error) ||
      !find(library, "cuMemAllocManaged", driver.memAllocManaged, error) ||
      !find(library, "cuMemFree_v2", driver.memFree, error) ||
      !find(library, "cuMemcpyHtoD_v2", driver.memcpyHtoD, error) ||
      !find(library, "cuMemcpyDtoH_v2", driver.memcpyDtoH, error) ||
      !find(library, "cuPointerGetAttribute", driver.pointerGetAttribute,
            error) ||
      !find(library, "cuMemcpyAsync", driver.memcpyAsync, error) ||
      !find(library, "cuMemsetD32Async", driver.memsetD32Async, error) ||
      !find(library, "cuMemsetD16Async", driver.memsetD16Async, error) ||
      !find(library, "cuModuleLoadDataEx", driver.moduleLoadDataEx, error) ||
      !find(library, "cuModuleUnload", driver.moduleUnload, error) ||
      !find(library, "cuModuleGetFunction", driver.moduleGetFunction, error) ||
      !find(library, "cuFuncSetAttribute", driver.funcSetAttribute, error) ||
      !find(library, "cuLaunchKernel", driver.launchKernel, error) ||
      !find(library, "cuStreamCreate", driver.streamCreate, error) ||
      !find(library, "cuStreamDestroy_v2", driver.streamDestroy, error) ||
      !find(library, "cuStreamSynchronize", driver.streamSynchronize, error) ||
      !find(library, "cuStreamIsCapturing", driver.streamIsCapturing, error) ||
      !find(library, "cuStreamBeginCapture_v2", driver.streamBeginCapture,
            error) ||
      !find(library, "cuStreamEndCapture", driver.streamEndCapture, error) ||
      !find(library, "cuThreadExchangeStreamCaptureMode",
            driver.exchangeCaptureMode, error) ||
      !find(library, "cuEventCreate", driver.eventCreate, error) ||
      !find(library, "cuEventDestroy_v2", driver.eventDestroy, error) ||
      !find(library, "cuEventRecord", driver.eventRecord, error) ||
      !find(library, "cuEventQuery", driver.eventQuery, error) ||
      !find(library, "cuGraphGetNodes", driver.graphGetNodes, error) ||
      !find(library, "cuGraphInstantiateWithFlags", driver.graphInstantiate,
            error) ||
      !find(library, "cuGraphExecUpdate_v2", driver.graphUpdate, error) ||
      !find(library, "cuGraphLaunch", driver.graphLaunch, error) ||
      !find(library, "cuGraphDestroy", driver.graphDestroy, error) ||
      !find(library, "cuGraphExecDestroy", driver.graphExecDestroy, error))
    return false;

  Result result = driver.init(0);
  int count = 0;
  if (result == kSuccess)
    result = driver.deviceGetCount(&count);
  if (result == kNoDevice || (result == kSuccess && count == 0)) {
    error = "expects a CUDA device, but the driver finds none";
    return false;
  }
  if (result != kSuccess) {
    error =
        "the CUDA driver cannot be initialized: " + describe(driver, result);
    return false;
  }
  return true;
}

/// Whether the process that loaded the driver is another one, of which this is
/// a fork: the driver does not work in it.
static std::atomic<bool> isForked{false};

const Driver *memrev::cuda::getDriver(std::string &error) {
  // Never destroyed: kernels may be unloaded by other destructors.
  struct Loaded {
    Driver driver = {};
    std::string error;
    bool usable = load(driver, error);

    Loaded() {
      if (usable)
        pthread_atfork(nullptr, nullptr, [] { isForked = true; });
    }
  };
  static const Loaded &loaded = *new Loaded();
  error = loaded.error;
  if (isForked) {
    error =
        "expects a process of its own for CUDA, but this one was forked from "
        "one that uses it; multiprocessing has the method 'spawn'";
    return nullptr;
  }
  return loaded.usable ? &loaded.driver : nullptr;
}

std::string memrev::cuda::describe(const Driver &driver, Result result) {
  const char *name = nullptr;
  const char *text = nullptr;
  driver.getErrorName(result, &name);
  driver.getErrorString(result, &text);
  std::string description = name ? name : "error " + std::to_string(result);
  if (text)
    description += std::string(" (") + text + ")";
  return description;
}
