//===- Driver.cpp - What libraries know of the driver ---------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Driver.h"
#include <cstdio>
#include <cstdlib>
#include <dlfcn.h>
#include <type_traits>

using namespace memrev::vendor;

const Driver &memrev::vendor::getDriver() {
  static const Driver driver = [] {
    Driver found = {};
    void *library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!library) {
      std::fputs("memrev-vendor: there is no driver\n", stderr);
      std::abort();
    }
    auto find = [&](const char *name, auto &function) {
      function = reinterpret_cast<std::decay_t<decltype(function)>>(
          dlsym(library, name));
    };
    find("cuCtxGetCurrent", found.ctxGetCurrent);
    find("cuPointerGetAttribute", found.pointerGetAttribute);
    find("cuLaunchHostFunc", found.launchHostFunction);
    find("cuStreamIsCapturing", found.streamIsCapturing);
    find("cuThreadExchangeStreamCaptureMode", found.exchangeCaptureMode);
    return found;
  }();
  return driver;
}

void *memrev::vendor::getContext() {
  void *context = nullptr;
  getDriver().ctxGetCurrent(&context);
  return context;
}

bool memrev::vendor::isRelaxed() {
  int relaxed = 2, mode = 2;
  getDriver().exchangeCaptureMode(&mode);
  bool result = mode == relaxed;
  getDriver().exchangeCaptureMode(&mode);
  return result;
}

bool memrev::vendor::isDeviceMemory(uint64_t address, uint64_t bytes) {
  constexpr int rangeStart = 11, rangeSize = 12;
  uint64_t start = 0, size = 0;
  const Driver &driver = getDriver();
  return driver.pointerGetAttribute(&start, rangeStart, address) == 0 &&
         driver.pointerGetAttribute(&size, rangeSize, address) == 0 &&
         address - start <= size && bytes <= size - (address - start);
}
