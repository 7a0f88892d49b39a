//===- FakeDriver.cpp - A CUDA driver without a GPU -----------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Stands in for libcuda.so.1 in tests: device memory is host memory, and a
// kernel is a function of the library named by FAKE_CUDA_KERNELS, which
// emulate-kernels.py makes of the very code that a GPU would get. Threads run
// one after another; there are no barriers.
//
//   FAKE_CUDA_FAIL=cuMemAlloc_v2:2,cuLaunchKernel:700  makes functions fail
//   FAKE_CUDA_DEVICES=0                                sets their number
//   FAKE_CUDA_TRACE=1                                  prints the calls
//
//===----------------------------------------------------------------------===//

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <string>

using Result = int;
using DevicePtr = unsigned long long;

#define EXPORT extern "C" __attribute__((visibility("default")))

static bool isTracing() { return std::getenv("FAKE_CUDA_TRACE") != nullptr; }

/// Returns the error that the function called `name` is to return, or 0.
static Result getFailure(const char *name) {
  const char *list = std::getenv("FAKE_CUDA_FAIL");
  std::string key = std::string(name) + ":";
  const char *entry = list ? std::strstr(list, key.c_str()) : nullptr;
  return entry ? std::atoi(entry + key.size()) : 0;
}

#define ENTER(name, ...)                                                       \
  do {                                                                         \
    if (isTracing()) {                                                         \
      std::printf("%s ", #name);                                               \
      std::printf(__VA_ARGS__);                                                \
      std::printf("\n");                                                       \
      std::fflush(stdout);                                                     \
    }                                                                          \
    if (Result failure = getFailure(#name))                                    \
      return failure;                                                          \
  } while (false)

static int getDeviceCount() {
  const char *count = std::getenv("FAKE_CUDA_DEVICES");
  return count ? std::atoi(count) : 1;
}

//===----------------------------------------------------------------------===//
// Devices and contexts: a context is its device's number plus one
//===----------------------------------------------------------------------===//

static thread_local void *currentContext = nullptr;

EXPORT Result cuInit(unsigned) {
  ENTER(cuInit, " ");
  return getDeviceCount() == 0 ? 100 : 0;
}
EXPORT Result cuGetErrorName(Result result, const char **name) {
  *name = result == 2     ? "CUDA_ERROR_OUT_OF_MEMORY"
          : result == 209 ? "CUDA_ERROR_NO_BINARY_FOR_GPU"
          : result == 700 ? "CUDA_ERROR_ILLEGAL_ADDRESS"
                          : nullptr;
  return *name ? 0 : 1;
}
EXPORT Result cuGetErrorString(Result result, const char **text) {
  *text = result == 700 ? "an illegal memory access was encountered" : nullptr;
  return *text ? 0 : 1;
}
EXPORT Result cuDeviceGetCount(int *count) {
  *count = getDeviceCount();
  return 0;
}
EXPORT Result cuDeviceGet(int *device, int ordinal) {
  if (ordinal < 0 || ordinal >= getDeviceCount())
    return 101;
  *device = ordinal;
  return 0;
}
EXPORT Result cuDeviceGetName(char *name, int length, int) {
  std::snprintf(name, length, "Fake GPU");
  return 0;
}
EXPORT Result cuDeviceGetAttribute(int *value, int attribute, int) {
  *value = attribute == 75 ? 9 : 0;
  return 0;
}
EXPORT Result cuDevicePrimaryCtxRetain(void **context, int device) {
  ENTER(cuDevicePrimaryCtxRetain, "%d", device);
  *context = reinterpret_cast<void *>(static_cast<size_t>(device) + 1);
  return 0;
}
EXPORT Result cuCtxGetCurrent(void **context) {
  *context = currentContext;
  return 0;
}
EXPORT Result cuCtxSetCurrent(void *context) {
  currentContext = context;
  return 0;
}
EXPORT Result cuCtxGetDevice(int *device) {
  *device = static_cast<int>(reinterpret_cast<size_t>(currentContext)) - 1;
  return 0;
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

EXPORT Result cuMemGetInfo_v2(size_t *available, size_t *total) {
  *available = 1000;
  *total = 2000;
  return 0;
}
EXPORT Result cuMemAlloc_v2(DevicePtr *pointer, size_t bytes) {
  ENTER(cuMemAlloc_v2, "%zu", bytes);
  // What a program does not write before it reads it shows.
  void *memory = std::malloc(bytes);
  std::memset(memory, 0xff, bytes);
  *pointer = reinterpret_cast<DevicePtr>(memory);
  return 0;
}
EXPORT Result cuMemAllocManaged(DevicePtr *pointer, size_t bytes, unsigned) {
  return cuMemAlloc_v2(pointer, bytes);
}
EXPORT Result cuMemFree_v2(DevicePtr pointer) {
  std::free(reinterpret_cast<void *>(pointer));
  return 0;
}
EXPORT Result cuMemcpyHtoD_v2(DevicePtr target, const void *source, size_t n) {
  ENTER(cuMemcpyHtoD_v2, "%zu", n);
  std::memcpy(reinterpret_cast<void *>(target), source, n);
  return 0;
}
EXPORT Result cuMemcpyDtoH_v2(void *target, DevicePtr source, size_t n) {
  ENTER(cuMemcpyDtoH_v2, "%zu", n);
  std::memcpy(target, reinterpret_cast<void *>(source), n);
  return 0;
}
EXPORT Result cuMemcpyAsync(DevicePtr target, DevicePtr source, size_t n,
                            void *) {
  ENTER(cuMemcpyAsync, "%zu", n);
  std::memcpy(reinterpret_cast<void *>(target),
              reinterpret_cast<void *>(source), n);
  return 0;
}
EXPORT Result cuMemsetD32Async(DevicePtr target, unsigned value, size_t count,
                               void *) {
  for (size_t i = 0; i < count; ++i)
    std::memcpy(reinterpret_cast<char *>(target) + 4 * i, &value, 4);
  return 0;
}
EXPORT Result cuMemsetD16Async(DevicePtr target, unsigned short value,
                               size_t count, void *) {
  for (size_t i = 0; i < count; ++i)
    std::memcpy(reinterpret_cast<char *>(target) + 2 * i, &value, 2);
  return 0;
}

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

using EmulatedKernel = void (*)(void **parameters);

/// The numbers of the thread that runs, which emulated kernels read: its own,
/// its block's, and the sizes of the block and the grid.
struct Ids {
  unsigned thread[3], block[3], blockSize[3], gridSize[3];
};
static thread_local Ids ids;
EXPORT unsigned fakeCudaId(unsigned kind, unsigned dim) {
  const unsigned *all[] = {ids.thread, ids.block, ids.blockSize, ids.gridSize};
  return all[kind][dim];
}

EXPORT Result cuModuleLoadDataEx(void **module, const void *, unsigned count,
                                 int *options, void **values) {
  if (isTracing())
    std::printf("cuModuleLoadDataEx \n");
  if (Result failure = getFailure("cuModuleLoadDataEx")) {
    for (unsigned i = 0; i < count; ++i)
      if (options[i] == 5)
        std::strcpy(static_cast<char *>(values[i]), "the log of the assembler");
    return failure;
  }
  // Kernels look for fakeCudaId among global symbols, and the runtime loads a
  // driver with local ones.
  dlopen("libcuda.so.1", RTLD_NOW | RTLD_GLOBAL | RTLD_NOLOAD);
  const char *path = std::getenv("FAKE_CUDA_KERNELS");
  *module = path ? dlopen(path, RTLD_NOW) : nullptr;
  if (!*module)
    std::fprintf(stderr, "fake driver: %s\n",
                 path ? dlerror() : "FAKE_CUDA_KERNELS is not set");
  return *module ? 0 : 200;
}
EXPORT Result cuModuleUnload(void *) {
  ENTER(cuModuleUnload, " ");
  return 0;
}
EXPORT Result cuModuleGetFunction(void **function, void *module,
                                  const char *name) {
  ENTER(cuModuleGetFunction, "%s", name);
  *function = dlsym(module, (std::string("emulated_") + name).c_str());
  return *function ? 0 : 500;
}
EXPORT Result cuFuncSetAttribute(void *, int, int) { return 0; }
EXPORT Result cuLaunchKernel(void *function, unsigned gridX, unsigned gridY,
                             unsigned gridZ, unsigned blockX, unsigned blockY,
                             unsigned blockZ, unsigned, void *,
                             void **parameters, void **) {
  ENTER(cuLaunchKernel, "%u x %u", gridX, blockX);
  Ids &i = ids;
  i.gridSize[0] = gridX, i.gridSize[1] = gridY, i.gridSize[2] = gridZ;
  i.blockSize[0] = blockX, i.blockSize[1] = blockY, i.blockSize[2] = blockZ;
  auto run = reinterpret_cast<EmulatedKernel>(function);
  // Backwards, so that code which relies on the order of threads fails.
  for (i.block[2] = gridZ; i.block[2]-- > 0;)
    for (i.block[1] = gridY; i.block[1]-- > 0;)
      for (i.block[0] = gridX; i.block[0]-- > 0;)
        for (i.thread[2] = blockZ; i.thread[2]-- > 0;)
          for (i.thread[1] = blockY; i.thread[1]-- > 0;)
            for (i.thread[0] = blockX; i.thread[0]-- > 0;)
              run(parameters);
  return 0;
}
EXPORT Result cuStreamCreate(void **stream, unsigned) {
  ENTER(cuStreamCreate, " ");
  static int streams[1024];
  static int used = 0;
  *stream = &streams[used++ % 1024];
  return 0;
}
EXPORT Result cuStreamDestroy_v2(void *) { return 0; }
EXPORT Result cuStreamSynchronize(void *) {
  ENTER(cuStreamSynchronize, " ");
  return 0;
}
