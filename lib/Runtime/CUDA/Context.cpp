//===- Context.cpp - Errors, devices and contexts -------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Runtime.h"
#include "memrev/Runtime/CUDA/Session.h"
#include <cstdio>
#include <map>
#include <mutex>

using namespace memrev::cuda;

//===----------------------------------------------------------------------===//
// Errors
//===----------------------------------------------------------------------===//

namespace {
struct ErrorHandler {
  std::mutex mutex;
  MemrevCudaErrorCallback callback = nullptr;
  void *context = nullptr;
};
} // namespace

ThreadState &memrev::cuda::getThreadState() {
  thread_local ThreadState state;
  return state;
}

static ErrorHandler &getErrorHandler() {
  static ErrorHandler &handler = *new ErrorHandler();
  return handler;
}

bool memrev::cuda::fail(const std::string &message) {
  ThreadState &state = getThreadState();
  state.failed = true;
  state.error = message;
  if (state.isQuiet)
    return false;
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

//===----------------------------------------------------------------------===//
// Devices and contexts
//===----------------------------------------------------------------------===//

/// Returns the device called `ordinal`; fails if there is none.
static bool getDevice(const Driver &driver, int ordinal, Device &device) {
  Result result = driver.deviceGet(&device, ordinal);
  if (result == kInvalidDevice) {
    int count = 0;
    driver.deviceGetCount(&count);
    return fail("expects a device from 0 to " + std::to_string(count - 1) +
                ", but got " + std::to_string(ordinal));
  }
  return check(driver, result, "use a device");
}

/// Returns the primary context of `device`, which is retained once and for all.
static Context getPrimaryContext(const Driver &driver, int ordinal) {
  static std::mutex &mutex = *new std::mutex();
  static auto &contexts = *new std::map<int, Context>();
  std::lock_guard<std::mutex> lock(mutex);
  auto known = contexts.find(ordinal);
  if (known != contexts.end())
    return known->second;
  Device device;
  Context context = nullptr;
  if (!getDevice(driver, ordinal, device) ||
      !check(driver, driver.primaryCtxRetain(&context, device),
             ("use device " + std::to_string(ordinal)).c_str()))
    return nullptr;
  contexts[ordinal] = context;
  return context;
}

const Driver *memrev::cuda::enter(Context &context) {
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

const Driver *memrev::cuda::enter() {
  Context context;
  return enter(context);
}

/// Returns LLVM's name of the chip of `device`: the one with all instructions
/// of that chip where kernels use them, which run on no other.
static std::string getChip(const Driver &driver, Device device) {
  int major = 0, minor = 0;
  driver.deviceGetAttribute(&major, kAttributeMajor, device);
  driver.deviceGetAttribute(&minor, kAttributeMinor, device);
  std::string chip = "sm_" + std::to_string(10 * major + minor);
  return chip == "sm_90" ? chip + "a" : chip;
}

std::string memrev::cuda::describeDevice(const Driver &driver,
                                         std::string &chip) {
  Device device = 0;
  char name[256] = "";
  driver.ctxGetDevice(&device);
  driver.deviceGetName(name, sizeof(name), device);
  chip = getChip(driver, device);
  return "device " + std::to_string(device) + " (" + name + ", " + chip + ")";
}

int memrevCudaInitialize(void) { return toStatus(enter() != nullptr); }

int memrevCudaSetDevice(int32_t device) {
  ThreadState &state = getThreadState();
  if (state.failed)
    return 1;
  std::string error;
  const Driver *driver = getDriver(error);
  if (!driver)
    return toStatus(fail(error));
  Context context = getPrimaryContext(*driver, device);
  if (!context ||
      !check(*driver, driver->ctxSetCurrent(context), "make a context current"))
    return 1;
  state.device = device;
  return 0;
}

void mgpuSetDefaultDevice(int32_t device) { memrevCudaSetDevice(device); }

//===----------------------------------------------------------------------===//
// Sessions
//===----------------------------------------------------------------------===//

Session::Session(int device)
    : previous(new ThreadState(std::move(getThreadState()))) {
  ThreadState &state = getThreadState();
  state = ThreadState();
  state.isQuiet = true;
  std::string error;
  if (const Driver *driver = getDriver(error)) {
    Context current = nullptr;
    if (driver->ctxGetCurrent(&current) == kSuccess)
      context = current;
  }
  memrevCudaSetDevice(device);
}

Session::~Session() {
  // The caller's context, which may be that of another device.
  std::string error;
  if (const Driver *driver = getDriver(error))
    driver->ctxSetCurrent(static_cast<Context>(context));
  getThreadState() = std::move(*previous);
}

bool Session::getChip(std::string &chip) {
  if (const Driver *driver = enter())
    describeDevice(*driver, chip);
  return !hasFailed();
}

bool Session::hasFailed() const { return getThreadState().failed; }

const std::string &Session::getError() const { return getThreadState().error; }
