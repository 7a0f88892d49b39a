//===- FakeDriver.cpp - A CUDA driver without a GPU -----------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Stands in for libcuda.so.1 in tests of the runtime: it prints its calls and
// fails where it is told to. Kernels of programs run on the emulator in
// test/lib/SIMT instead; here a kernel is a function of the library named by
// FAKE_CUDA_KERNELS, called once a launch. Work is done when it is submitted; a
// stream that is captured keeps it for the launches of its graph.
//
//   FAKE_CUDA_FAIL=cuMemAlloc_v2:2,cuLaunchKernel:700  makes functions fail
//   FAKE_CUDA_DEVICES=0                                sets their number
//   FAKE_CUDA_LATE=1                                   lets cuMemFree_v2 return
//                                                      long after it has freed
//   FAKE_CUDA_TRACE=1                                  prints the calls
//
//===----------------------------------------------------------------------===//

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

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
          : result == 900 ? "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED"
          : result == 901 ? "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED"
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
// Graphs: what was submitted to a stream while it was captured
//===----------------------------------------------------------------------===//

struct Node {
  /// Whether it is a kernel, or something else.
  bool isKernel;
  std::function<void()> run;
};
using Nodes = std::vector<Node>;

struct Capture {
  Nodes *graph;
  bool isInvalid = false;
};
static std::map<void *, Capture> captures;
static thread_local int captureMode = 1;

/// Returns the error of a call that may not be made while streams are captured.
static Result forbidWhileCapturing() {
  if (captures.empty() || captureMode == 2)
    return 0;
  for (auto &[stream, capture] : captures)
    capture.isInvalid = true;
  return 900;
}

/// Does the work of a node, or keeps it for the graph of `stream`.
static Result submit(void *stream, Node node) {
  auto capture = captures.find(stream);
  if (capture == captures.end())
    node.run();
  else if (capture->second.isInvalid)
    return 901;
  else
    capture->second.graph->push_back(std::move(node));
  return 0;
}

EXPORT Result cuStreamIsCapturing(void *stream, int *status) {
  *status = captures.count(stream);
  return 0;
}
EXPORT Result cuThreadExchangeStreamCaptureMode(int *mode) {
  std::swap(*mode, captureMode);
  return 0;
}
EXPORT Result cuStreamBeginCapture_v2(void *stream, int) {
  ENTER(cuStreamBeginCapture_v2, " ");
  if (reinterpret_cast<size_t>(stream) <= 1)
    return 900;
  captures[stream].graph = new Nodes();
  return 0;
}
EXPORT Result cuStreamEndCapture(void *stream, void **graph) {
  Capture capture = captures[stream];
  captures.erase(stream);
  *graph = capture.isInvalid ? nullptr : capture.graph;
  ENTER(cuStreamEndCapture, "%zu nodes", capture.graph->size());
  if (capture.isInvalid)
    delete capture.graph;
  return capture.isInvalid ? 901 : 0;
}
EXPORT Result cuGraphGetNodes(void *graph, void **, size_t *count) {
  *count = static_cast<Nodes *>(graph)->size();
  return 0;
}
EXPORT Result cuGraphInstantiateWithFlags(void **executable, void *graph,
                                          unsigned long long) {
  ENTER(cuGraphInstantiateWithFlags, " ");
  *executable = new Nodes(*static_cast<Nodes *>(graph));
  return 0;
}
EXPORT Result cuGraphExecUpdate_v2(void *executable, void *graph, void *) {
  ENTER(cuGraphExecUpdate_v2, " ");
  Nodes &old = *static_cast<Nodes *>(executable);
  Nodes &now = *static_cast<Nodes *>(graph);
  if (old.size() != now.size())
    return 910;
  for (size_t i = 0; i < old.size(); ++i)
    if (old[i].isKernel != now[i].isKernel)
      return 910;
  old = now;
  return 0;
}
EXPORT Result cuGraphLaunch(void *executable, void *stream) {
  ENTER(cuGraphLaunch, " ");
  for (Node &node : *static_cast<Nodes *>(executable))
    if (Result result = submit(stream, node))
      return result;
  return 0;
}
EXPORT Result cuGraphDestroy(void *graph) {
  delete static_cast<Nodes *>(graph);
  return 0;
}
EXPORT Result cuGraphExecDestroy(void *executable) {
  ENTER(cuGraphExecDestroy, " ");
  delete static_cast<Nodes *>(executable);
  return 0;
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

static std::map<DevicePtr, size_t> allocations;
/// What was freed, by size: it is given out again first.
static std::map<size_t, std::vector<void *>> freed;
static std::mutex memoryMutex;

EXPORT Result cuMemGetInfo_v2(size_t *available, size_t *total) {
  *available = 1000;
  *total = 2000;
  return 0;
}
EXPORT Result cuMemAlloc_v2(DevicePtr *pointer, size_t bytes) {
  ENTER(cuMemAlloc_v2, "%zu", bytes);
  if (Result forbidden = forbidWhileCapturing())
    return forbidden;
  // What a program does not write before it reads it shows.
  std::lock_guard<std::mutex> lock(memoryMutex);
  std::vector<void *> &known = freed[bytes];
  void *memory = known.empty() ? std::malloc(bytes) : known.back();
  if (!known.empty())
    known.pop_back();
  std::memset(memory, 0xff, bytes);
  *pointer = reinterpret_cast<DevicePtr>(memory);
  allocations[*pointer] = bytes;
  return 0;
}
EXPORT Result cuMemAllocManaged(DevicePtr *pointer, size_t bytes, unsigned) {
  return cuMemAlloc_v2(pointer, bytes);
}
EXPORT Result cuPointerGetAttribute(void *value, int attribute,
                                    DevicePtr pointer) {
  std::lock_guard<std::mutex> lock(memoryMutex);
  auto next = allocations.upper_bound(pointer);
  if (next == allocations.begin())
    return 1;
  auto [start, bytes] = *--next;
  if (pointer >= start + bytes)
    return 1;
  unsigned long long result = attribute == 11 ? start : bytes;
  std::memcpy(value, &result, sizeof(result));
  return 0;
}
EXPORT Result cuMemFree_v2(DevicePtr pointer) {
  std::unique_lock<std::mutex> lock(memoryMutex);
  size_t bytes = allocations[pointer];
  ENTER(cuMemFree_v2, "%zu", bytes);
  allocations.erase(pointer);
  freed[bytes].push_back(reinterpret_cast<void *>(pointer));
  lock.unlock();
  if (std::getenv("FAKE_CUDA_LATE"))
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
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
                            void *stream) {
  ENTER(cuMemcpyAsync, "%zu", n);
  return submit(stream, {false, [=] {
                           std::memcpy(reinterpret_cast<void *>(target),
                                       reinterpret_cast<void *>(source), n);
                         }});
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

/// A kernel: a function that takes its parameters as a launch passes them, and
/// their number. None takes more than 8 bytes.
struct Kernel {
  void (*run)(void **parameters);
  int numParameters;
};

EXPORT Result cuModuleLoadDataEx(void **module, const void *, unsigned count,
                                 int *options, void **values) {
  if (isTracing())
    std::printf("cuModuleLoadDataEx \n");
  if (Result forbidden = forbidWhileCapturing())
    return forbidden;
  if (Result failure = getFailure("cuModuleLoadDataEx")) {
    for (unsigned i = 0; i < count; ++i)
      if (options[i] == 5)
        std::strcpy(static_cast<char *>(values[i]), "the log of the assembler");
    return failure;
  }
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
  void *run = dlsym(module, (std::string("emulated_") + name).c_str());
  void *count = dlsym(module, (std::string("parameters_") + name).c_str());
  if (!run || !count)
    return 500;
  *function = new Kernel{reinterpret_cast<void (*)(void **)>(run),
                         *static_cast<int *>(count)};
  return 0;
}
EXPORT Result cuFuncSetAttribute(void *, int, int) { return 0; }
EXPORT Result cuLaunchKernel(void *function, unsigned gridX, unsigned, unsigned,
                             unsigned blockX, unsigned, unsigned, unsigned,
                             void *stream, void **parameters, void **) {
  ENTER(cuLaunchKernel, "%u x %u", gridX, blockX);
  auto *kernel = static_cast<Kernel *>(function);
  std::vector<unsigned long long> values;
  for (int i = 0; i < kernel->numParameters; ++i)
    values.push_back(*static_cast<unsigned long long *>(parameters[i]));
  return submit(stream, {true, [=]() mutable {
                           std::vector<void *> addresses;
                           for (unsigned long long &value : values)
                             addresses.push_back(&value);
                           kernel->run(addresses.data());
                         }});
}

//===----------------------------------------------------------------------===//
// Streams and events; work is done as it is submitted
//===----------------------------------------------------------------------===//

EXPORT Result cuStreamCreate(void **stream, unsigned) {
  ENTER(cuStreamCreate, " ");
  static int streams[1024];
  static int used = 0;
  *stream = &streams[used++ % 1024];
  return 0;
}
EXPORT Result cuStreamDestroy_v2(void *) { return 0; }
EXPORT Result cuStreamSynchronize(void *stream) {
  ENTER(cuStreamSynchronize, " ");
  return captures.count(stream) ? forbidWhileCapturing() : 0;
}
EXPORT Result cuEventCreate(void **event, unsigned) {
  ENTER(cuEventCreate, " ");
  *event = new char;
  return 0;
}
EXPORT Result cuEventDestroy_v2(void *event) {
  delete static_cast<char *>(event);
  return 0;
}
EXPORT Result cuEventRecord(void *, void *) {
  ENTER(cuEventRecord, " ");
  return 0;
}
EXPORT Result cuEventQuery(void *) {
  ENTER(cuEventQuery, " ");
  return 0;
}
