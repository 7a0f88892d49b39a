//===- Driver.h - What libraries know of the driver ----------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_TEST_LIB_VENDOR_DRIVER_H
#define MEMREV_TEST_LIB_VENDOR_DRIVER_H

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>

/// A function of a library's binary interface.
#define VENDOR_EXPORT extern "C" __attribute__((visibility("default")))

namespace memrev::vendor {

/// The functions of the driver that a library calls here.
struct Driver {
  int (*ctxGetCurrent)(void **);
  int (*pointerGetAttribute)(void *, int, unsigned long long);
  int (*launchHostFunction)(void *stream, void (*)(void *), void *);
  int (*streamIsCapturing)(void *stream, int *status);
  int (*exchangeCaptureMode)(int *mode);
};

/// Ends the process if there is no driver.
const Driver &getDriver();

void *getContext();

/// Whether the thread may allocate and load kernels, whatever it records.
bool isRelaxed();

/// Whether `bytes` bytes from `address` on are in one allocation.
bool isDeviceMemory(uint64_t address, uint64_t bytes);

/// What exists, so that a call with what was destroyed fails.
template <typename T>
class Registry {
public:
  void *make(T value) {
    std::lock_guard<std::mutex> lock(mutex);
    auto object = std::make_unique<T>(std::move(value));
    void *pointer = object.get();
    known[pointer] = std::move(object);
    return pointer;
  }
  T *find(void *pointer) {
    std::lock_guard<std::mutex> lock(mutex);
    auto found = known.find(pointer);
    return found == known.end() ? nullptr : found->second.get();
  }
  /// Returns false if there is none.
  bool destroy(void *pointer) {
    std::lock_guard<std::mutex> lock(mutex);
    return known.erase(pointer) == 1;
  }

private:
  std::mutex mutex;
  std::map<void *, std::unique_ptr<T>> known;
};

} // namespace memrev::vendor

#endif // MEMREV_TEST_LIB_VENDOR_DRIVER_H
