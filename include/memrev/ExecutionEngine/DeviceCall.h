//===- DeviceCall.h - Calls on a GPU -------------------------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_EXECUTIONENGINE_DEVICECALL_H
#define MEMREV_EXECUTIONENGINE_DEVICECALL_H

#include "memrev/ExecutionEngine/LoadedCode.h"

namespace mlir::memrev {

/// Where a call on a GPU happens.
struct DeviceCall {
  /// The device's number, as the driver counts.
  int device = 0;
  /// The CUDA stream that gets the work, which the call does not wait for; null
  /// for the default stream. Without one the call waits for its results.
  std::optional<void *> stream;
  /// The arena, in device memory; without one the runtime provides it.
  void *workspace = nullptr;
  size_t workspaceBytes = 0;
};

/// Calls `function` of `code`, a program for a GPU, with one pointer for each
/// parameter except the arena: arrays in memory of the device, scalar arguments
/// in host memory.
llvm::Error callOnDevice(const LoadedCode &code,
                         const FunctionSignature &function,
                         llvm::ArrayRef<void *> parameters,
                         const DeviceCall &call);

/// The parameters of a function in the memory of a device.
class DeviceParameters {
public:
  /// Copies the arguments, of host memory, to the device. `parameters` has one
  /// pointer for each parameter except the arena and must outlive this.
  static llvm::Expected<std::unique_ptr<DeviceParameters>>
  create(const FunctionSignature &function, llvm::ArrayRef<void *> parameters,
         int device);
  ~DeviceParameters();

  /// What `callOnDevice` takes.
  llvm::ArrayRef<void *> getPointers() const { return pointers; }

  /// Copies what a call has written back to host memory: results, and donated
  /// arguments.
  llvm::Error copyBack() const;

private:
  DeviceParameters(const FunctionSignature &function,
                   llvm::ArrayRef<void *> parameters, int device)
      : function(function), parameters(parameters), device(device) {}

  const FunctionSignature &function;
  llvm::SmallVector<void *> parameters;
  int device;
  llvm::SmallVector<void *> pointers;
  llvm::SmallVector<void *> allocated;
};

/// Device memory in the order of a stream: work submitted to it afterwards may
/// use what is allocated, and earlier work may still use what is freed, which
/// the runtime keeps.
llvm::Expected<void *> allocateOnDevice(size_t bytes, int device, void *stream);
llvm::Error freeOnDevice(void *pointer, int device, void *stream);
/// Gives what the runtime keeps of a device back to the driver.
llvm::Error freeIdleOnDevice(int device);

/// Copies memory, of the host or the device, after the work submitted to the
/// stream, and waits until it is done.
llvm::Error copyOnDevice(void *target, const void *source, size_t bytes,
                         int device, void *stream);

/// Returns LLVM's name of the chip of a device, "sm_90" for example.
llvm::Expected<std::string> getDeviceChip(int device);

/// The bytes that programs hold on devices, now and at the most.
size_t getDeviceBytes();
size_t getPeakDeviceBytes();
/// Begins to look for the most anew.
void resetPeakDeviceBytes();

} // namespace mlir::memrev

#endif // MEMREV_EXECUTIONENGINE_DEVICECALL_H
