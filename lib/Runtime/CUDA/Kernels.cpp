//===- Kernels.cpp - Loading and launching kernels ------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Runtime.h"
#include <atomic>
#include <cstring>
#include <map>
#include <mutex>

using namespace memrev::cuda;

namespace {
struct LoadedModule;

/// A kernel in one context.
struct Kernel {
  Function function = nullptr;
  std::string name;
  /// The dynamic shared memory that a launch has asked for. What it may take
  /// without asking depends on the kernel's static memory.
  std::atomic<int32_t> sharedBytes{0};
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
static std::string getChipOf(const Image &image) {
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
  // Loading allocates, which a thread that records a graph may not do in
  // passing; it is no part of the graph.
  int mode = kCaptureRelaxed;
  driver.exchangeCaptureMode(&mode);
  Result result = driver.moduleLoadDataEx(&module, image.data,
                                          image.isPTX ? 3 : 2, options, values);
  driver.exchangeCaptureMode(&mode);
  if (result == kSuccess)
    return true;
  std::string wanted;
  std::string device = describeDevice(driver, wanted);
  std::string chip = getChipOf(image);
  std::string message = "cannot load kernels";
  if (!chip.empty())
    message += " compiled for " + chip;
  message += " on " + device + ": " + describe(driver, result);
  // Kernels for sm_90 run on what sm_90a names, too.
  if (chip.empty() || wanted.compare(0, chip.size(), chip) != 0)
    message += "; compile the program for " + wanted;
  log[sizeof(log) - 1] = '\0';
  if (log[0])
    message += std::string("\n") + log;
  return fail(message);
}

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
    Result result = driver->moduleGetFunction(&function, loaded.module, name);
    if (!check(*driver, result,
               (std::string("find kernel '") + name + "'").c_str()))
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
  // The driver would get the lower bits of larger numbers.
  constexpr intptr_t maxBlocks[3] = {2147483647, 65535, 65535};
  constexpr intptr_t maxThreads = 1024;
  const intptr_t blocks[3] = {gridX, gridY, gridZ};
  const intptr_t threads[3] = {blockX, blockY, blockZ};
  for (int i = 0; i < 3; ++i)
    if (blocks[i] < 0 || blocks[i] > maxBlocks[i] || threads[i] < 0 ||
        threads[i] > maxThreads) {
      fail("expects at most " + std::to_string(maxBlocks[i]) + " blocks and " +
           std::to_string(maxThreads) + " threads in dimension " +
           std::to_string(i) + " to launch kernel '" + kernel->name +
           "', but got " + std::to_string(blocks[i]) + " and " +
           std::to_string(threads[i]));
      return;
    }
  Result result = kSuccess;
  if (sharedBytes > kernel->sharedBytes) {
    result = driver->funcSetAttribute(kernel->function,
                                      kFunctionMaxDynamicShared, sharedBytes);
    if (result == kSuccess)
      kernel->sharedBytes = sharedBytes;
  }
  if (result == kSuccess)
    result = driver->launchKernel(
        kernel->function, gridX, gridY, gridZ, blockX, blockY, blockZ,
        sharedBytes, static_cast<Stream>(stream), parameters, extra);
  if (result != kSuccess)
    check(*driver, result, ("launch kernel '" + kernel->name + "'").c_str());
}
