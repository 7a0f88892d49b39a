//===- Driver.cpp - A CUDA driver without a GPU ---------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Devices, contexts, memory and kernels. Graphs, streams and events are in
// DriverStreams.cpp.
//
//===----------------------------------------------------------------------===//

#include "Device.h"
#include "TensorMap.h"
#include <cstdio>
#include <cstdlib>
#include <cstring>

using namespace memrev::simt;

using DevicePtr = unsigned long long;

Device &memrev::simt::getDevice() {
  // Never destroyed: programs unload kernels in their own destructors.
  static Device &device = []() -> Device & {
    auto *made = new Device();
    if (made->options.traffic)
      std::atexit([] { getDevice().machine.getTraffic().print(); });
    return *made;
  }();
  return device;
}

/// The number of the current context's device plus one, or null.
static thread_local void *currentContext = nullptr;

//===----------------------------------------------------------------------===//
// Devices and contexts: a context is its device's number plus one
//===----------------------------------------------------------------------===//

SIMT_EXPORT int cuInit(unsigned) {
  return getDevice().options.devices == 0 ? kNoDevice : kSuccess;
}

SIMT_EXPORT int cuDriverGetVersion(int *version) {
  *version = 13000;
  return kSuccess;
}

SIMT_EXPORT int cuGetErrorName(int result, const char **name) {
  *name = getName(result);
  return *name ? kSuccess : kInvalidValue;
}

SIMT_EXPORT int cuGetErrorString(int result, const char **text) {
  *text = getMeaning(result);
  return *text ? kSuccess : kInvalidValue;
}

SIMT_EXPORT int cuDeviceGetCount(int *count) {
  *count = getDevice().options.devices;
  return kSuccess;
}

SIMT_EXPORT int cuDeviceGet(int *device, int ordinal) {
  if (ordinal < 0 || ordinal >= getDevice().options.devices)
    return kInvalidDevice;
  *device = ordinal;
  return kSuccess;
}

SIMT_EXPORT int cuDeviceGetName(char *name, int length, int) {
  std::snprintf(name, length, "SIMT emulator");
  return kSuccess;
}

SIMT_EXPORT int cuDeviceTotalMem_v2(size_t *bytes, int) {
  *bytes = getDevice().options.memory;
  return kSuccess;
}

SIMT_EXPORT int cuDeviceGetAttribute(int *value, int attribute, int) {
  const Options &options = getDevice().options;
  enum {
    maxThreads = 1,
    maxBlockX = 2,
    maxBlockY = 3,
    maxBlockZ = 4,
    maxGridX = 5,
    maxGridY = 6,
    maxGridZ = 7,
    maxShared = 8,
    warpSize = 10,
    multiprocessors = 16,
    unifiedAddressing = 41,
    major = 75,
    minor = 76,
    managedMemory = 83,
    maxSharedOptIn = 97,
    memoryPools = 115
  };
  switch (attribute) {
  case maxThreads:
  case maxBlockX:
  case maxBlockY:
    *value = kMaxThreads;
    break;
  case maxBlockZ:
    *value = 64;
    break;
  case maxGridX:
    *value = 0x7fffffff;
    break;
  case maxGridY:
  case maxGridZ:
    *value = 65535;
    break;
  case maxShared:
    *value = options.getSharedBytes();
    break;
  case warpSize:
    *value = kWarpSize;
    break;
  case multiprocessors:
    *value = options.chip == 80 ? 108 : 132;
    break;
  case unifiedAddressing:
  case managedMemory:
  case memoryPools:
    *value = 1;
    break;
  case major:
    *value = options.chip / 10;
    break;
  case minor:
    *value = options.chip % 10;
    break;
  case maxSharedOptIn:
    *value = options.getSharedBytesOptIn();
    break;
  default:
    *value = 0;
  }
  return kSuccess;
}

SIMT_EXPORT int cuDevicePrimaryCtxRetain(void **context, int device) {
  *context = reinterpret_cast<void *>(static_cast<size_t>(device) + 1);
  return kSuccess;
}

SIMT_EXPORT int cuDevicePrimaryCtxRelease_v2(int) { return kSuccess; }

SIMT_EXPORT int cuCtxGetCurrent(void **context) {
  *context = currentContext;
  return kSuccess;
}

SIMT_EXPORT int cuCtxSetCurrent(void *context) {
  currentContext = context;
  return kSuccess;
}

SIMT_EXPORT int cuCtxGetDevice(int *device) {
  if (!currentContext)
    return kInvalidContext;
  *device = static_cast<int>(reinterpret_cast<size_t>(currentContext)) - 1;
  return kSuccess;
}

SIMT_EXPORT int cuCtxSynchronize() {
  Device &device = getDevice();
  std::lock_guard<std::mutex> lock(device.mutex);
  return device.streams.synchronizeAll();
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

SIMT_EXPORT int cuMemGetInfo_v2(size_t *available, size_t *total) {
  Device &device = getDevice();
  std::lock_guard<std::mutex> lock(device.mutex);
  *total = device.memory.getCapacity();
  *available = *total - device.memory.getUsed();
  return kSuccess;
}

static int allocate(Device &device, DevicePtr *pointer, size_t bytes) {
  if (bytes == 0)
    return kInvalidValue;
  *pointer = device.memory.allocate(bytes);
  return *pointer ? kSuccess : kOutOfMemory;
}

SIMT_EXPORT int cuMemAlloc_v2(DevicePtr *pointer, size_t bytes) {
  Device &device = getDevice();
  std::lock_guard<std::mutex> lock(device.mutex);
  if (int result = device.streams.checkUnsafe())
    return result;
  return allocate(device, pointer, bytes);
}

SIMT_EXPORT int cuMemAllocManaged(DevicePtr *pointer, size_t bytes, unsigned) {
  return cuMemAlloc_v2(pointer, bytes);
}

SIMT_EXPORT int cuMemFree_v2(DevicePtr pointer) {
  Device &device = getDevice();
  std::lock_guard<std::mutex> lock(device.mutex);
  if (pointer == 0)
    return kSuccess;
  if (int result = device.streams.checkUnsafe())
    return result;
  // Freeing waits for the device.
  if (int result = device.streams.synchronizeAll())
    return result;
  return device.memory.free(pointer) ? kSuccess : kInvalidValue;
}

SIMT_EXPORT int cuPointerGetAttribute(void *value, int attribute,
                                      DevicePtr pointer) {
  constexpr int rangeStart = 11, rangeSize = 12;
  Device &device = getDevice();
  std::lock_guard<std::mutex> lock(device.mutex);
  const DeviceMemory::Allocation *found = device.memory.findInUse(pointer);
  if (!found)
    return kInvalidValue;
  if (attribute != rangeStart && attribute != rangeSize)
    return kNotSupported;
  uint64_t number = attribute == rangeStart ? found->begin : found->bytes;
  std::memcpy(value, &number, sizeof(number));
  return kSuccess;
}

SIMT_EXPORT int cuMemAllocAsync(DevicePtr *pointer, size_t bytes,
                                void *stream) {
  Device &device = getDevice();
  std::lock_guard<std::mutex> lock(device.mutex);
  Stream *target;
  if (int result = getStream(device, stream, target))
    return result;
  // A graph with nodes that allocate is beyond this driver.
  if (target && target->capture)
    return kNotSupported;
  return allocate(device, pointer, bytes);
}

SIMT_EXPORT int cuMemFreeAsync(DevicePtr pointer, void *stream) {
  Device &device = getDevice();
  std::lock_guard<std::mutex> lock(device.mutex);
  Stream *target;
  if (int result = getStream(device, stream, target))
    return result;
  if (target && target->capture)
    return kNotSupported;
  return device.streams.add(target, [&device, pointer] {
    std::optional<Failure> failure;
    if (!device.memory.free(pointer))
      failure = {kInvalidValue, "cuMemFreeAsync of what is not allocated"};
    return failure;
  });
}

/// Whether a range of device memory is allocated, or outside that memory.
static bool isUsable(Device &device, DevicePtr pointer, size_t bytes) {
  return !device.memory.covers(pointer) ||
         device.memory.isValid(pointer, bytes);
}

/// Adds a copy. All memory of the host is taken to be pageable: it is read
/// before the call returns, and has been written then.
static int copy(Device &device, DevicePtr target, DevicePtr source,
                size_t bytes, void *stream) {
  if (bytes == 0)
    return kSuccess;
  if (!isUsable(device, target, bytes) || !isUsable(device, source, bytes))
    return kInvalidValue;
  Stream *queue;
  if (int result = getStream(device, stream, queue))
    return result;
  if (!device.memory.covers(source)) {
    auto *begin = reinterpret_cast<const char *>(source);
    std::vector<char> staged(begin, begin + bytes);
    return device.streams.add(
        queue,
        [target, staged = std::move(staged)]() -> std::optional<Failure> {
          std::memcpy(reinterpret_cast<void *>(target), staged.data(),
                      staged.size());
          return std::nullopt;
        });
  }
  if (int result = device.streams.add(
          queue, [&device, target, source, bytes]() -> std::optional<Failure> {
            if (!isUsable(device, target, bytes) ||
                !isUsable(device, source, bytes))
              return Failure{kIllegalAddress, "copy of memory that was freed"};
            std::memmove(reinterpret_cast<void *>(target),
                         reinterpret_cast<const void *>(source), bytes);
            return std::nullopt;
          }))
    return result;
  bool isCaptured = queue && queue->capture;
  return device.memory.covers(target) || isCaptured
             ? kSuccess
             : device.streams.synchronize(queue);
}

static DevicePtr toInteger(const void *pointer) {
  return reinterpret_cast<DevicePtr>(pointer);
}

/// Copies that return when they are done.
static int copyNow(DevicePtr target, DevicePtr source, size_t bytes) {
  Device &device = getDevice();
  std::lock_guard<std::mutex> lock(device.mutex);
  if (int result = device.streams.checkUnsafe())
    return result;
  return copy(device, target, source, bytes, nullptr);
}

static int copyLater(DevicePtr target, DevicePtr source, size_t bytes,
                     void *stream) {
  Device &device = getDevice();
  std::lock_guard<std::mutex> lock(device.mutex);
  return copy(device, target, source, bytes, stream);
}

SIMT_EXPORT int cuMemcpyHtoD_v2(DevicePtr target, const void *source,
                                size_t bytes) {
  return copyNow(target, toInteger(source), bytes);
}
SIMT_EXPORT int cuMemcpyDtoH_v2(void *target, DevicePtr source, size_t bytes) {
  return copyNow(toInteger(target), source, bytes);
}
SIMT_EXPORT int cuMemcpyDtoD_v2(DevicePtr target, DevicePtr source,
                                size_t bytes) {
  return copyNow(target, source, bytes);
}
SIMT_EXPORT int cuMemcpy(DevicePtr target, DevicePtr source, size_t bytes) {
  return copyNow(target, source, bytes);
}
SIMT_EXPORT int cuMemcpyAsync(DevicePtr target, DevicePtr source, size_t bytes,
                              void *stream) {
  return copyLater(target, source, bytes, stream);
}
SIMT_EXPORT int cuMemcpyHtoDAsync_v2(DevicePtr target, const void *source,
                                     size_t bytes, void *stream) {
  return copyLater(target, toInteger(source), bytes, stream);
}
SIMT_EXPORT int cuMemcpyDtoHAsync_v2(void *target, DevicePtr source,
                                     size_t bytes, void *stream) {
  return copyLater(toInteger(target), source, bytes, stream);
}
SIMT_EXPORT int cuMemcpyDtoDAsync_v2(DevicePtr target, DevicePtr source,
                                     size_t bytes, void *stream) {
  return copyLater(target, source, bytes, stream);
}

template <typename T>
static int fill(DevicePtr target, T value, size_t count, void *stream) {
  Device &device = getDevice();
  std::lock_guard<std::mutex> lock(device.mutex);
  if (!device.memory.isValid(target, count * sizeof(T)) ||
      target % sizeof(T) != 0)
    return kInvalidValue;
  Stream *queue;
  if (int result = getStream(device, stream, queue))
    return result;
  return device.streams.add(
      queue, [&device, target, value, count]() -> std::optional<Failure> {
        if (!device.memory.isValid(target, count * sizeof(T)))
          return Failure{kIllegalAddress, "fill of memory that was freed"};
        std::fill_n(reinterpret_cast<T *>(target), count, value);
        return std::nullopt;
      });
}

SIMT_EXPORT int cuMemsetD8Async(DevicePtr target, unsigned char value,
                                size_t count, void *stream) {
  return fill(target, value, count, stream);
}
SIMT_EXPORT int cuMemsetD16Async(DevicePtr target, unsigned short value,
                                 size_t count, void *stream) {
  return fill(target, value, count, stream);
}
SIMT_EXPORT int cuMemsetD32Async(DevicePtr target, unsigned value, size_t count,
                                 void *stream) {
  return fill(target, value, count, stream);
}

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

SIMT_EXPORT int cuModuleLoadDataEx(void **module, const void *image,
                                   unsigned numOptions, int *options,
                                   void **values) {
  Device &device = getDevice();
  std::lock_guard<std::mutex> lock(device.mutex);
  if (int result = device.streams.checkUnsafe())
    return result;
  Failure failure;
  std::unique_ptr<Module> loaded = Module::load(image, device.machine, failure);
  if (!loaded) {
    // What is wrong goes to the assembler's log if there is one.
    constexpr int errorLog = 5, errorLogBytes = 6;
    char *log = nullptr;
    size_t size = 0;
    for (unsigned i = 0; i < numOptions; ++i) {
      if (options[i] == errorLog)
        log = static_cast<char *>(values[i]);
      else if (options[i] == errorLogBytes)
        size = reinterpret_cast<size_t>(values[i]);
    }
    if (log && size > 0)
      std::snprintf(log, size, "%s", failure.message.c_str());
    else
      std::fprintf(stderr, "memrev-simt: %s\n", failure.message.c_str());
    return failure.code;
  }
  device.modules.insert(loaded.get());
  *module = loaded.release();
  return kSuccess;
}

SIMT_EXPORT int cuModuleLoadData(void **module, const void *image) {
  return cuModuleLoadDataEx(module, image, 0, nullptr, nullptr);
}

SIMT_EXPORT int cuModuleUnload(void *module) {
  Device &device = getDevice();
  std::lock_guard<std::mutex> lock(device.mutex);
  auto *loaded = static_cast<Module *>(module);
  if (device.modules.erase(loaded) == 0)
    return kInvalidHandle;
  Result result = device.streams.synchronizeAll();
  delete loaded;
  return result;
}

SIMT_EXPORT int cuModuleGetFunction(void **function, void *module,
                                    const char *name) {
  Device &device = getDevice();
  std::lock_guard<std::mutex> lock(device.mutex);
  auto *loaded = static_cast<Module *>(module);
  if (device.modules.count(loaded) == 0)
    return kInvalidHandle;
  *function = loaded->find(name);
  return *function ? kSuccess : kNotFound;
}

SIMT_EXPORT int cuFuncSetAttribute(void *function, int attribute, int value) {
  Device &device = getDevice();
  std::lock_guard<std::mutex> lock(device.mutex);
  constexpr int maxDynamicShared = 8;
  auto *kernel = static_cast<Kernel *>(function);
  if (attribute != maxDynamicShared)
    return kSuccess;
  if (value < 0 ||
      value + kernel->staticSharedBytes > device.options.getSharedBytesOptIn())
    return kInvalidValue;
  kernel->maxDynamicShared = value;
  return kSuccess;
}

Result memrev::simt::makeLaunch(const Options &options, const Kernel &kernel,
                                Dim3 grid, Dim3 block, unsigned sharedBytes,
                                void **parameters, Launch &launch) {
  if (grid.x == 0 || grid.y == 0 || grid.z == 0 || grid.x > 0x7fffffffu ||
      grid.y > 65535 || grid.z > 65535 || block.x == 0 || block.y == 0 ||
      block.z == 0 || block.z > 64)
    return kInvalidValue;
  uint64_t numThreads = uint64_t(block.x) * block.y * block.z;
  if (numThreads > kMaxThreads)
    return kInvalidValue;
  const unsigned *required = kernel.requiredThreads;
  if (required[0] != 0 &&
      (block.x != required[0] || block.y != std::max(required[1], 1u) ||
       block.z != std::max(required[2], 1u)))
    return kInvalidValue;
  if (kernel.maxThreads != 0 && numThreads > kernel.maxThreads)
    return kLaunchOutOfResources;
  size_t limit = std::max<size_t>(
      options.getSharedBytes(),
      kernel.staticSharedBytes + static_cast<size_t>(kernel.maxDynamicShared));
  if (kernel.staticSharedBytes + sharedBytes > limit)
    return kInvalidValue;
  launch.kernel = &kernel;
  launch.grid = grid;
  launch.block = block;
  launch.dynamicSharedBytes = sharedBytes;
  launch.parameterBlocks.resize(
      (kernel.parameterBytes + sizeof(Launch::ParameterBlock) - 1) /
      sizeof(Launch::ParameterBlock));
  for (size_t i = 0; i < kernel.parameters.size(); ++i) {
    if (!parameters || !parameters[i])
      return kInvalidValue;
    std::memcpy(launch.getParameters() + kernel.parameters[i].offset,
                parameters[i], kernel.parameters[i].bytes);
  }
  return kSuccess;
}

SIMT_EXPORT int cuLaunchKernel(void *function, unsigned gridX, unsigned gridY,
                               unsigned gridZ, unsigned blockX, unsigned blockY,
                               unsigned blockZ, unsigned sharedBytes,
                               void *stream, void **parameters, void **extra) {
  Device &device = getDevice();
  std::lock_guard<std::mutex> lock(device.mutex);
  // The parameters come one by one.
  if (extra)
    return kNotSupported;
  Stream *queue;
  if (int result = getStream(device, stream, queue))
    return result;
  auto *kernel = static_cast<Kernel *>(function);
  if (device.options.trace)
    std::fprintf(stderr,
                 "memrev-simt: launch %s, grid %u x %u x %u, block %u x %u x "
                 "%u, %u bytes\n",
                 kernel->name.c_str(), gridX, gridY, gridZ, blockX, blockY,
                 blockZ, sharedBytes);
  Launch launch;
  if (int result =
          makeLaunch(device.options, *kernel, {gridX, gridY, gridZ},
                     {blockX, blockY, blockZ}, sharedBytes, parameters, launch))
    return result;
  return device.streams.add(queue, [&device, launch = std::move(launch)] {
    return device.machine.run(launch);
  });
}

//===----------------------------------------------------------------------===//
// Tensor maps
//===----------------------------------------------------------------------===//

SIMT_EXPORT int
cuTensorMapEncodeTiled(void *result, int type, unsigned rank, void *address,
                       const uint64_t *dimensions, const uint64_t *strides,
                       const uint32_t *box, const uint32_t *elementStrides,
                       int interleave, int swizzle, int, int outside) {
  static const uint8_t elementBytes[] = {1, 2, 4, 4, 8, 8, 2, 4, 8, 2, 4, 4, 4};
  auto base = reinterpret_cast<uint64_t>(address);
  if (reinterpret_cast<uintptr_t>(result) % 64 != 0 || type < 0 ||
      type >= static_cast<int>(std::size(elementBytes)) || rank == 0 ||
      rank > TensorMap::kMaxRank || base % 16 != 0 || outside < 0 ||
      outside > 1 || swizzle < 0)
    return kInvalidValue;
  // Other layouts than rows that may be swizzled are not modelled.
  if (interleave != 0 || swizzle > 3)
    return kNotSupported;
  TensorMap map;
  map.rank = static_cast<uint8_t>(rank);
  map.elementBytes = elementBytes[type];
  map.swizzle = static_cast<Swizzle>(swizzle);
  map.fillsNaN = static_cast<uint8_t>(outside);
  map.address = base;
  for (unsigned i = 0; i < rank; ++i) {
    constexpr uint64_t maxDimension = uint64_t(1) << 32, maxStride = uint64_t(1)
                                                                     << 40;
    if (dimensions[i] == 0 || dimensions[i] > maxDimension || box[i] == 0 ||
        box[i] > 256)
      return kInvalidValue;
    if (elementStrides[i] != 1)
      return kNotSupported;
    if (i > 0 && (strides[i - 1] % 16 != 0 || strides[i - 1] >= maxStride))
      return kInvalidValue;
    // 2^32 itself is beyond what the map has room for.
    if (dimensions[i] == maxDimension)
      return kNotSupported;
    map.dimensions[i] = static_cast<uint32_t>(dimensions[i]);
    map.box[i] = box[i];
    if (i > 0)
      map.strides[i - 1] = strides[i - 1];
  }
  unsigned rowBytes = map.box[0] * map.elementBytes;
  if (rowBytes % 16 != 0)
    return kInvalidValue;
  if (map.swizzle != Swizzle::None && rowBytes > getSwizzledBytes(map.swizzle))
    return kInvalidValue;
  // Where the rest of a shorter row goes is not modelled.
  if (map.swizzle != Swizzle::None &&
      rowBytes < getSwizzledBytes(map.swizzle) && rank > 1)
    return kNotSupported;
  std::memset(result, 0, 128);
  std::memcpy(result, &map, sizeof(map));
  return kSuccess;
}
