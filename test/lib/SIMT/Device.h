//===- Device.h - What the driver's functions work on --------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_TEST_LIB_SIMT_DEVICE_H
#define MEMREV_TEST_LIB_SIMT_DEVICE_H

#include "DeviceMemory.h"
#include "Machine.h"
#include "Module.h"
#include "Options.h"
#include "Stream.h"
#include <mutex>
#include <set>

namespace memrev::simt {

/// The state of the driver. Several devices differ in their numbers only: they
/// share memory and streams.
struct Device {
  Options options = Options::fromEnvironment();
  /// Ones are NaN, and no index. Of a part of the blocks each leaves memory as
  /// it was, where others look for their indices.
  DeviceMemory memory{options.memory, uint8_t(options.traffic ? 0 : 0xff)};
  Machine machine{memory, options};
  Streams streams{options.seed};
  std::set<Module *> modules;
  std::set<Event *> events;
  std::mutex mutex;
};

/// Returns the state, made by the first call.
Device &getDevice();

/// Finds the stream of a handle: null stands for the legacy stream, as does 1;
/// 2 is the stream of each thread.
Result getStream(Device &device, void *handle, Stream *&stream);

/// The launch that the arguments of cuLaunchKernel ask for. Returns an error if
/// the device cannot do it.
Result makeLaunch(const Options &options, const Kernel &kernel, Dim3 grid,
                  Dim3 block, unsigned sharedBytes, void **parameters,
                  Launch &launch);

} // namespace memrev::simt

/// A function of the driver's binary interface, whose types are integers and
/// untyped pointers there.
#define SIMT_EXPORT extern "C" __attribute__((visibility("default")))

#endif // MEMREV_TEST_LIB_SIMT_DEVICE_H
