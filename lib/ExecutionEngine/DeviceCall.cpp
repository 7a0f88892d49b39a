//===- DeviceCall.cpp - Calls on a GPU ------------------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/ExecutionEngine/DeviceCall.h"
#include "memrev/Runtime/CUDA/CUDARuntime.h"
#include "memrev/Runtime/CUDA/Session.h"

using namespace mlir::memrev;
using ::memrev::cuda::Session;

/// Returns what failed in `session`, if something did.
static llvm::Error getError(const Session &session) {
  if (session.hasFailed())
    return llvm::createStringError(session.getError());
  return llvm::Error::success();
}

llvm::Error mlir::memrev::callOnDevice(const LoadedCode &code,
                                       const FunctionSignature &function,
                                       llvm::ArrayRef<void *> parameters,
                                       const DeviceCall &call) {
  Session session(call.device);
  if (call.stream)
    memrevCudaUseStream(*call.stream);
  void *workspace = call.workspace;
  size_t workspaceBytes = call.workspaceBytes;
  if (!workspace) {
    workspaceBytes = function.arenaBytes;
    memrevCudaAllocateOnStream(&workspace, workspaceBytes);
  }
  if (llvm::Error error = getError(session))
    return error;
  llvm::Error error = code.callInArena(function, parameters, workspace,
                                       workspaceBytes, /*threads=*/0);
  if (!error)
    error = getError(session);
  if (!call.workspace) {
    memrevCudaClearError();
    memrevCudaFreeOnStream(workspace);
  }
  return error;
}

/// Calls `visit` with each parameter's type, whether the call reads it and
/// whether it writes it. Scalar arguments stay on the host.
static void
visitArrays(const FunctionSignature &function,
            llvm::function_ref<void(size_t place, const ArrayType &type,
                                    bool isRead, bool isWritten)>
                visit) {
  for (auto [place, argument] : llvm::enumerate(function.arguments))
    if (!argument.isScalar)
      visit(place, argument.type, /*isRead=*/true, argument.isDonated);
  for (auto [i, result] : llvm::enumerate(function.results))
    if (function.hasOwnParameter(i))
      visit(function.resultParameters[i], result.type, /*isRead=*/false,
            /*isWritten=*/true);
}

llvm::Expected<std::unique_ptr<DeviceParameters>>
DeviceParameters::create(const FunctionSignature &function,
                         llvm::ArrayRef<void *> parameters, int device) {
  std::unique_ptr<DeviceParameters> result(
      new DeviceParameters(function, parameters, device));
  result->pointers.assign(parameters.begin(), parameters.end());
  Session session(device);
  visitArrays(function, [&](size_t place, const ArrayType &type, bool isRead,
                            bool isWritten) {
    void *&pointer = result->pointers[place];
    memrevCudaAllocateOnStream(&pointer, type.getByteSize());
    result->allocated.push_back(pointer);
    if (isRead)
      memrevCudaCopyToDevice(pointer, parameters[place], type.getByteSize());
  });
  if (llvm::Error error = getError(session))
    return std::move(error);
  return result;
}

DeviceParameters::~DeviceParameters() {
  Session session(device);
  for (void *pointer : allocated)
    memrevCudaFreeOnStream(pointer);
}

llvm::Error DeviceParameters::copyBack() const {
  Session session(device);
  visitArrays(function, [&](size_t place, const ArrayType &type, bool isRead,
                            bool isWritten) {
    if (isWritten)
      memrevCudaCopyToHost(parameters[place], pointers[place],
                           type.getByteSize());
  });
  return getError(session);
}

llvm::Expected<void *> mlir::memrev::allocateOnDevice(size_t bytes, int device,
                                                      void *stream) {
  Session session(device);
  memrevCudaUseStream(stream);
  void *pointer = nullptr;
  memrevCudaAllocateOnStream(&pointer, bytes);
  if (llvm::Error error = getError(session))
    return std::move(error);
  return pointer;
}

llvm::Error mlir::memrev::freeOnDevice(void *pointer, int device,
                                       void *stream) {
  Session session(device);
  memrevCudaUseStream(stream);
  memrevCudaFreeOnStream(pointer);
  return getError(session);
}

llvm::Error mlir::memrev::freeIdleOnDevice(int device) {
  Session session(device);
  memrevCudaFreeIdle();
  return getError(session);
}

llvm::Error mlir::memrev::copyOnDevice(void *target, const void *source,
                                       size_t bytes, int device, void *stream) {
  Session session(device);
  mgpuMemcpy(target, const_cast<void *>(source), bytes, stream);
  mgpuStreamSynchronize(stream);
  return getError(session);
}

llvm::Expected<std::string> mlir::memrev::getDeviceChip(int device) {
  Session session(device);
  std::string chip;
  if (!session.getChip(chip))
    return getError(session);
  return chip;
}

size_t mlir::memrev::getDeviceBytes() { return memrevCudaGetAllocatedBytes(); }

size_t mlir::memrev::getPeakDeviceBytes() { return memrevCudaGetPeakBytes(); }

void mlir::memrev::resetPeakDeviceBytes() { memrevCudaResetPeakBytes(); }
