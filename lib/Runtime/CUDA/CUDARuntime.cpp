//===- CUDARuntime.cpp - Running programs on NVIDIA GPUs ------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Runtime/CUDA/CUDARuntime.h"
#include "Driver.h"
#include <cstdio>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <vector>

using namespace memrev::cuda;

//===----------------------------------------------------------------------===//
// Errors
//===----------------------------------------------------------------------===//

namespace {
/// What each thread knows.
struct ThreadState {
  bool failed = false;
  std::string error;
  int device = 0;
};

struct ErrorHandler {
  std::mutex mutex;
  MemrevCudaErrorCallback callback = nullptr;
  void *context = nullptr;
};
} // namespace

static ThreadState &getThreadState() {
  thread_local ThreadState state;
  return state;
}

static ErrorHandler &getErrorHandler() {
  static ErrorHandler &handler = *new ErrorHandler();
  return handler;
}

/// Records an error of this thread and reports it. Returns false.
static bool fail(const std::string &message) {
  ThreadState &state = getThreadState();
  state.failed = true;
  state.error = message;
  ErrorHandler &handler = getErrorHandler();
  MemrevCudaErrorCallback callback;
  void *context;
  {
    std::lock_guard<std::mutex> lock(handler.mutex);
    callback = handler.callback;
    context = handler.context;
  }
  if (callback)
    callback(state.error.c_str(), context);
  else
    std::fprintf(stderr, "memrev: error: %s\n", state.error.c_str());
  return false;
}

/// Reports that `action` failed with `result`, unless it did not. Returns
/// whether it succeeded.
static bool check(const Driver &driver, Result result,
                  const std::string &action) {
  if (result == kSuccess)
    return true;
  return fail("cannot " + action + ": " + describe(driver, result));
}

//===----------------------------------------------------------------------===//
// Contexts
//===----------------------------------------------------------------------===//

/// Returns the primary context of `device`, which is retained once and for all.
static Context getPrimaryContext(const Driver &driver, int ordinal) {
  static std::mutex &mutex = *new std::mutex();
  static auto &contexts = *new std::map<int, Context>();
  std::lock_guard<std::mutex> lock(mutex);
  auto known = contexts.find(ordinal);
  if (known != contexts.end())
    return known->second;
  std::string name = "device " + std::to_string(ordinal);
  Device device;
  Context context = nullptr;
  Result result = driver.deviceGet(&device, ordinal);
  if (result == kInvalidDevice) {
    int count = 0;
    driver.deviceGetCount(&count);
    fail("expects a device from 0 to " + std::to_string(count - 1) +
         ", but got " + std::to_string(ordinal));
    return nullptr;
  }
  if (!check(driver, result, "use " + name) ||
      !check(driver, driver.primaryCtxRetain(&context, device), "use " + name))
    return nullptr;
  contexts[ordinal] = context;
  return context;
}

/// Returns the driver with a context current, which goes to `context`; a null
/// pointer if this thread has failed before or fails now.
static const Driver *enter(Context &context) {
  ThreadState &state = getThreadState();
  if (state.failed)
    return nullptr;
  std::string error;
  const Driver *driver = getDriver(error);
  if (!driver) {
    fail(error);
    return nullptr;
  }
  if (!check(*driver, driver->ctxGetCurrent(&context),
             "ask for the current context"))
    return nullptr;
  if (context)
    return driver;
  context = getPrimaryContext(*driver, state.device);
  if (!context ||
      !check(*driver, driver->ctxSetCurrent(context), "make a context current"))
    return nullptr;
  return driver;
}

static const Driver *enter() {
  Context context;
  return enter(context);
}

/// Describes the device of the current context and the chip that it wants.
static std::string describeDevice(const Driver &driver, std::string &chip) {
  Device device = 0;
  char name[256] = "";
  int major = 0, minor = 0;
  driver.ctxGetDevice(&device);
  driver.deviceGetName(name, sizeof(name), device);
  driver.deviceGetAttribute(&major, kAttributeMajor, device);
  driver.deviceGetAttribute(&minor, kAttributeMinor, device);
  chip = "sm_" + std::to_string(10 * major + minor);
  return "device " + std::to_string(device) + " (" + name + ", " + chip + ")";
}

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

namespace {
struct LoadedModule;

/// A kernel in one context.
struct Kernel {
  Function function = nullptr;
  std::string name;
};

/// The kernels of a program in one context.
struct LoadedModule {
  Module module = nullptr;
  std::map<std::string, Kernel> kernels;
};

/// The kernels of a program.
struct Image {
  const void *data;
  bool isPTX;
  int optLevel;
  std::mutex mutex;
  std::map<Context, LoadedModule> loaded;
};
} // namespace

/// Returns the chip that an image was compiled for, as far as it says.
static std::string getChip(const Image &image) {
  const char *data = static_cast<const char *>(image.data);
  if (image.isPTX) {
    const char *target = std::strstr(data, ".target ");
    if (!target)
      return "";
    target += std::strlen(".target ");
    return std::string(target, std::strcspn(target, " ,\n"));
  }
  // A cubin is a 64-bit ELF file whose flags name the chip; where they do so
  // depends on the version of its binary interface.
  constexpr size_t abiVersion = 8, flags = 48;
  if (std::memcmp(data, "\177ELF", 4) != 0)
    return "";
  uint32_t value;
  std::memcpy(&value, data + flags, sizeof(value));
  bool isNew = data[abiVersion] >= 8;
  return "sm_" + std::to_string((isNew ? value >> 8 : value) & 0xff);
}

/// Loads `image` into the current context.
static bool loadModule(const Driver &driver, const Image &image,
                       Module &module) {
  char log[4096] = "";
  int options[] = {kJitErrorLog, kJitErrorLogBytes, kJitOptimizationLevel};
  void *values[] = {
      log, reinterpret_cast<void *>(static_cast<uintptr_t>(sizeof(log))),
      reinterpret_cast<void *>(static_cast<uintptr_t>(image.optLevel))};
  Result result = driver.moduleLoadDataEx(&module, image.data,
                                          image.isPTX ? 3 : 2, options, values);
  if (result == kSuccess)
    return true;
  std::string wanted;
  std::string device = describeDevice(driver, wanted);
  std::string chip = getChip(image);
  std::string message = "cannot load kernels";
  if (!chip.empty())
    message += " compiled for " + chip;
  message += " on " + device + ": " + describe(driver, result);
  if (chip != wanted)
    message += "; compile the program for " + wanted;
  log[sizeof(log) - 1] = '\0';
  if (log[0])
    message += std::string("\n") + log;
  return fail(message);
}

//===----------------------------------------------------------------------===//
// Streams
//===----------------------------------------------------------------------===//

namespace {
/// The streams of each context that are not in use.
struct StreamPool {
  std::mutex mutex;
  std::map<Context, std::vector<Stream>> idle;
};
} // namespace

static StreamPool &getStreamPool() {
  static StreamPool &pool = *new StreamPool();
  return pool;
}

static DevicePtr toDevice(const void *pointer) {
  return static_cast<DevicePtr>(reinterpret_cast<uintptr_t>(pointer));
}

/// Allocates device memory, shared with the host if `managed`.
static bool allocate(const Driver &driver, size_t bytes, bool managed,
                     void **pointer) {
  *pointer = nullptr;
  if (bytes == 0)
    return true;
  DevicePtr allocated = 0;
  Result result = managed
                      ? driver.memAllocManaged(&allocated, bytes, kAttachGlobal)
                      : driver.memAlloc(&allocated, bytes);
  if (result == kOutOfMemory) {
    size_t available = 0, total = 0;
    driver.memGetInfo(&available, &total);
    return fail("cannot allocate " + std::to_string(bytes) +
                " bytes of device memory: " + std::to_string(available) +
                " of " + std::to_string(total) + " are free");
  }
  if (!check(driver, result,
             "allocate " + std::to_string(bytes) + " bytes of device memory"))
    return false;
  *pointer = reinterpret_cast<void *>(static_cast<uintptr_t>(allocated));
  return true;
}

//===----------------------------------------------------------------------===//
// Interface for programs that call compiled functions
//===----------------------------------------------------------------------===//

const char *memrevCudaLastError(void) {
  const ThreadState &state = getThreadState();
  return state.failed ? state.error.c_str() : nullptr;
}

void memrevCudaClearError(void) { getThreadState().failed = false; }

void memrevCudaSetErrorCallback(MemrevCudaErrorCallback callback,
                                void *context) {
  ErrorHandler &handler = getErrorHandler();
  std::lock_guard<std::mutex> lock(handler.mutex);
  handler.callback = callback;
  handler.context = context;
}

int memrevCudaInitialize(void) { return enter() ? 0 : 1; }

int memrevCudaSetDevice(int32_t device) {
  ThreadState &state = getThreadState();
  if (state.failed)
    return 1;
  std::string error;
  const Driver *driver = getDriver(error);
  if (!driver)
    return fail(error), 1;
  Context context = getPrimaryContext(*driver, device);
  if (!context ||
      !check(*driver, driver->ctxSetCurrent(context), "make a context current"))
    return 1;
  state.device = device;
  return 0;
}

int memrevCudaAllocate(void **pointer, size_t bytes) {
  *pointer = nullptr;
  const Driver *driver = enter();
  return driver && allocate(*driver, bytes, /*managed=*/false, pointer) ? 0 : 1;
}

int memrevCudaFree(void *pointer) {
  if (!pointer)
    return 0;
  const Driver *driver = enter();
  return driver && check(*driver, driver->memFree(toDevice(pointer)),
                         "free device memory")
             ? 0
             : 1;
}

int memrevCudaCopyToDevice(void *device, const void *host, size_t bytes) {
  const Driver *driver = enter();
  if (!driver)
    return 1;
  if (bytes == 0)
    return 0;
  return check(*driver, driver->memcpyHtoD(toDevice(device), host, bytes),
               "copy " + std::to_string(bytes) + " bytes to the device")
             ? 0
             : 1;
}

int memrevCudaCopyToHost(void *host, const void *device, size_t bytes) {
  const Driver *driver = enter();
  if (!driver)
    return 1;
  if (bytes == 0)
    return 0;
  return check(*driver, driver->memcpyDtoH(host, toDevice(device), bytes),
               "copy " + std::to_string(bytes) + " bytes to the host")
             ? 0
             : 1;
}

//===----------------------------------------------------------------------===//
// Interface for compiled host code
//===----------------------------------------------------------------------===//

// Called from static constructors, which must not start the driver: a process
// that only loads the library may fork, or never use a GPU.
void *mgpuModuleLoad(void *image, size_t) {
  return new Image{image, /*isPTX=*/false, /*optLevel=*/0, {}, {}};
}

void *mgpuModuleLoadJIT(void *ptx, int32_t optLevel) {
  return new Image{ptx, /*isPTX=*/true, optLevel, {}, {}};
}

void mgpuModuleUnload(void *module) {
  auto *image = static_cast<Image *>(module);
  if (!image->loaded.empty()) {
    std::string error;
    const Driver *driver = getDriver(error);
    Context previous = nullptr;
    // At the end of a process the driver may have gone before, and its modules
    // with it.
    if (driver && driver->ctxGetCurrent(&previous) == kSuccess) {
      for (auto &[context, loaded] : image->loaded)
        if (loaded.module && driver->ctxSetCurrent(context) == kSuccess)
          driver->moduleUnload(loaded.module);
      driver->ctxSetCurrent(previous);
    }
  }
  delete image;
}

void *mgpuModuleGetFunction(void *module, const char *name) {
  Context context;
  const Driver *driver = enter(context);
  if (!driver)
    return nullptr;
  auto *image = static_cast<Image *>(module);
  std::lock_guard<std::mutex> lock(image->mutex);
  LoadedModule &loaded = image->loaded[context];
  if (!loaded.module && !loadModule(*driver, *image, loaded.module))
    return nullptr;
  Kernel &kernel = loaded.kernels[name];
  if (!kernel.function) {
    Function function = nullptr;
    if (!check(*driver,
               driver->moduleGetFunction(&function, loaded.module, name),
               std::string("find kernel '") + name + "'"))
      return nullptr;
    kernel.function = function;
    kernel.name = name;
  }
  return &kernel;
}

void mgpuLaunchKernel(void *function, intptr_t gridX, intptr_t gridY,
                      intptr_t gridZ, intptr_t blockX, intptr_t blockY,
                      intptr_t blockZ, int32_t sharedBytes, void *stream,
                      void **parameters, void **extra, size_t) {
  const Driver *driver = enter();
  if (!driver || !function || gridX == 0 || gridY == 0 || gridZ == 0)
    return;
  auto *kernel = static_cast<Kernel *>(function);
  std::string action = "launch kernel '" + kernel->name + "'";
  constexpr int32_t sharedBytesOfAll = 48 * 1024;
  if (sharedBytes > sharedBytesOfAll &&
      !check(*driver,
             driver->funcSetAttribute(kernel->function,
                                      kFunctionMaxDynamicShared, sharedBytes),
             action))
    return;
  check(*driver,
        driver->launchKernel(kernel->function, gridX, gridY, gridZ, blockX,
                             blockY, blockZ, sharedBytes,
                             static_cast<Stream>(stream), parameters, extra),
        action);
}

void *mgpuStreamCreate(void) {
  Context context;
  const Driver *driver = enter(context);
  if (!driver)
    return nullptr;
  {
    StreamPool &pool = getStreamPool();
    std::lock_guard<std::mutex> lock(pool.mutex);
    std::vector<Stream> &idle = pool.idle[context];
    if (!idle.empty()) {
      Stream stream = idle.back();
      idle.pop_back();
      return stream;
    }
  }
  Stream stream = nullptr;
  check(*driver, driver->streamCreate(&stream, /*flags=*/0), "create a stream");
  return stream;
}

void mgpuStreamDestroy(void *stream) {
  // A stream of a thread that failed is not used again: its context may be
  // beyond use.
  Context context;
  if (!stream || !enter(context))
    return;
  StreamPool &pool = getStreamPool();
  std::lock_guard<std::mutex> lock(pool.mutex);
  pool.idle[context].push_back(static_cast<Stream>(stream));
}

void mgpuStreamSynchronize(void *stream) {
  if (const Driver *driver = enter())
    check(*driver, driver->streamSynchronize(static_cast<Stream>(stream)),
          "finish the kernels of a call");
}

void *mgpuMemAlloc(uint64_t bytes, void *, int8_t hostShared) {
  void *pointer = nullptr;
  if (const Driver *driver = enter())
    allocate(*driver, bytes, hostShared != 0, &pointer);
  return pointer;
}

void mgpuMemFree(void *pointer, void *stream) {
  // Freeing waits for the device, work of the stream included.
  (void)stream;
  memrevCudaFree(pointer);
}

void mgpuMemcpy(void *target, void *source, size_t bytes, void *stream) {
  const Driver *driver = enter();
  if (driver && bytes != 0)
    check(*driver,
          driver->memcpyAsync(toDevice(target), toDevice(source), bytes,
                              static_cast<Stream>(stream)),
          "copy " + std::to_string(bytes) + " bytes");
}

void mgpuMemset32(void *target, uint32_t value, size_t count, void *stream) {
  const Driver *driver = enter();
  if (driver && count != 0)
    check(*driver,
          driver->memsetD32Async(toDevice(target), value, count,
                                 static_cast<Stream>(stream)),
          "fill device memory");
}

void mgpuMemset16(void *target, uint16_t value, size_t count, void *stream) {
  const Driver *driver = enter();
  if (driver && count != 0)
    check(*driver,
          driver->memsetD16Async(toDevice(target), value, count,
                                 static_cast<Stream>(stream)),
          "fill device memory");
}

void mgpuSetDefaultDevice(int32_t device) { memrevCudaSetDevice(device); }
