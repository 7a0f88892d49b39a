//===- Memory.cpp - Device memory -----------------------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Runtime.h"
#include <algorithm>
#include <map>
#include <mutex>
#include <vector>

using namespace memrev::cuda;

//===----------------------------------------------------------------------===//
// What is allocated
//===----------------------------------------------------------------------===//

namespace {
/// The device memory that the runtime allocated and did not free.
struct Ledger {
  std::mutex mutex;
  std::map<void *, size_t> bytes;
  size_t current = 0;
  size_t peak = 0;
};
} // namespace

static Ledger &getLedger() {
  static Ledger &ledger = *new Ledger();
  return ledger;
}

size_t memrevCudaGetAllocatedBytes(void) {
  Ledger &ledger = getLedger();
  std::lock_guard<std::mutex> lock(ledger.mutex);
  return ledger.current;
}

size_t memrevCudaGetPeakBytes(void) {
  Ledger &ledger = getLedger();
  std::lock_guard<std::mutex> lock(ledger.mutex);
  return ledger.peak;
}

void memrevCudaResetPeakBytes(void) {
  Ledger &ledger = getLedger();
  std::lock_guard<std::mutex> lock(ledger.mutex);
  ledger.peak = ledger.current;
}

/// Enters memory that the driver has allocated.
static void addToLedger(void *pointer, size_t bytes) {
  Ledger &ledger = getLedger();
  std::lock_guard<std::mutex> lock(ledger.mutex);
  ledger.bytes[pointer] = bytes;
  ledger.current += bytes;
  ledger.peak = std::max(ledger.peak, ledger.current);
}

/// Strikes memory out. Returns its bytes, 0 if the runtime did not allocate it.
static size_t removeFromLedger(void *pointer) {
  Ledger &ledger = getLedger();
  std::lock_guard<std::mutex> lock(ledger.mutex);
  auto known = ledger.bytes.find(pointer);
  if (known == ledger.bytes.end())
    return 0;
  size_t bytes = known->second;
  ledger.current -= bytes;
  ledger.bytes.erase(known);
  return bytes;
}

static bool release(const Driver &driver, void *pointer) {
  // Before it is freed: another thread may be given the address right after.
  size_t bytes = removeFromLedger(pointer);
  if (check(driver, driver.memFree(toDevice(pointer)), "free device memory"))
    return true;
  if (bytes != 0)
    addToLedger(pointer, bytes);
  return false;
}

//===----------------------------------------------------------------------===//
// Memory in the order of streams
//===----------------------------------------------------------------------===//

namespace {
/// Memory that the pool handed out, or keeps.
struct Buffer {
  void *data = nullptr;
  size_t bytes = 0;
  Context context = nullptr;
  /// While it is kept: the stream of its last user, whose work is done when
  /// `event` is.
  Stream stream = nullptr;
  Event event = nullptr;
};

struct BufferPool {
  std::mutex mutex;
  std::vector<Buffer> idle;
  std::map<void *, Buffer> inUse;
};
} // namespace

static BufferPool &getBufferPool() {
  static BufferPool &pool = *new BufferPool();
  return pool;
}

/// Frees what the pool keeps in `context`. Returns the bytes.
static size_t freeIdle(const Driver &driver, BufferPool &pool,
                       Context context) {
  size_t bytes = 0;
  auto last = std::partition(
      pool.idle.begin(), pool.idle.end(),
      [&](const Buffer &buffer) { return buffer.context != context; });
  for (auto it = last; it != pool.idle.end(); ++it) {
    bytes += it->bytes;
    if (it->event)
      driver.eventDestroy(it->event);
    release(driver, it->data);
  }
  pool.idle.erase(last, pool.idle.end());
  return bytes;
}

/// Allocates device memory, shared with the host if `managed`.
static bool allocate(const Driver &driver, Context context, size_t bytes,
                     bool managed, void **pointer) {
  *pointer = nullptr;
  if (bytes == 0)
    return true;
  auto attempt = [&](DevicePtr &allocated) {
    return managed ? driver.memAllocManaged(&allocated, bytes, kAttachGlobal)
                   : driver.memAlloc(&allocated, bytes);
  };
  DevicePtr allocated = 0;
  Result result = attempt(allocated);
  if (result == kOutOfMemory) {
    BufferPool &pool = getBufferPool();
    std::unique_lock<std::mutex> lock(pool.mutex);
    size_t freed = freeIdle(driver, pool, context);
    lock.unlock();
    if (freed != 0)
      result = attempt(allocated);
  }
  if (result == kOutOfMemory) {
    size_t available = 0, total = 0;
    driver.memGetInfo(&available, &total);
    return fail("cannot allocate " + std::to_string(bytes) +
                " bytes of device memory: " + std::to_string(available) +
                " of " + std::to_string(total) + " are free");
  }
  if (!check(driver, result,
             ("allocate " + std::to_string(bytes) + " bytes of device memory")
                 .c_str()))
    return false;
  *pointer = reinterpret_cast<void *>(static_cast<uintptr_t>(allocated));
  addToLedger(*pointer, bytes);
  return true;
}

/// Takes the best of the idle buffers for `bytes` bytes that `stream` may use
/// at once; none leaves more than half of a buffer unused.
static bool takeIdle(const Driver &driver, BufferPool &pool, Context context,
                     size_t bytes, const ThreadState &state, Buffer &taken) {
  auto best = pool.idle.end();
  bool isBestOnStream = false;
  for (auto it = pool.idle.begin(); it != pool.idle.end(); ++it) {
    if (it->context != context || it->bytes < bytes || it->bytes / 2 > bytes)
      continue;
    bool isOnStream = state.hasStream && it->stream == state.stream;
    if (best != pool.idle.end() &&
        (isOnStream != isBestOnStream ? isBestOnStream
                                      : best->bytes <= it->bytes))
      continue;
    if (!isOnStream && it->stream && driver.eventQuery(it->event) != kSuccess)
      continue;
    best = it;
    isBestOnStream = isOnStream;
  }
  if (best == pool.idle.end())
    return false;
  taken = *best;
  pool.idle.erase(best);
  return true;
}

int memrevCudaAllocateOnStream(void **pointer, size_t bytes) {
  *pointer = nullptr;
  Context context;
  const Driver *driver = enter(context);
  if (!driver)
    return 1;
  if (bytes == 0)
    return 0;
  BufferPool &pool = getBufferPool();
  Buffer buffer;
  std::unique_lock<std::mutex> lock(pool.mutex);
  if (!takeIdle(*driver, pool, context, bytes, getThreadState(), buffer)) {
    lock.unlock();
    if (!allocate(*driver, context, bytes, /*managed=*/false, &buffer.data))
      return 1;
    buffer.bytes = bytes;
    buffer.context = context;
    lock.lock();
  }
  *pointer = buffer.data;
  pool.inUse[buffer.data] = buffer;
  return 0;
}

int memrevCudaFreeOnStream(void *pointer) {
  if (!pointer)
    return 0;
  const Driver *driver = enter();
  if (!driver)
    return 1;
  const ThreadState &state = getThreadState();
  BufferPool &pool = getBufferPool();
  std::lock_guard<std::mutex> lock(pool.mutex);
  auto found = pool.inUse.find(pointer);
  if (found == pool.inUse.end())
    return toStatus(fail("expects memory of memrevCudaAllocateOnStream to "
                         "free, but got another address"));
  Buffer buffer = found->second;
  buffer.stream = state.hasStream ? state.stream : nullptr;
  if (buffer.stream &&
      ((!buffer.event &&
        !check(*driver, driver->eventCreate(&buffer.event, kEventWithoutTime),
               "create an event")) ||
       !check(*driver, driver->eventRecord(buffer.event, buffer.stream),
              "record an event")))
    return 1;
  pool.inUse.erase(found);
  pool.idle.push_back(buffer);
  return 0;
}

int memrevCudaFreeIdle(void) {
  Context context;
  const Driver *driver = enter(context);
  if (!driver)
    return 1;
  BufferPool &pool = getBufferPool();
  std::lock_guard<std::mutex> lock(pool.mutex);
  freeIdle(*driver, pool, context);
  return toStatus(!getThreadState().failed);
}

//===----------------------------------------------------------------------===//
// Allocations and copies at once
//===----------------------------------------------------------------------===//

int memrevCudaAllocate(void **pointer, size_t bytes) {
  *pointer = nullptr;
  Context context;
  const Driver *driver = enter(context);
  return toStatus(driver && allocate(*driver, context, bytes,
                                     /*managed=*/false, pointer));
}

int memrevCudaFree(void *pointer) {
  if (!pointer)
    return 0;
  const Driver *driver = enter();
  return toStatus(driver && release(*driver, pointer));
}

/// Says that copying `bytes` bytes failed with `result`, unless it did not.
static int checkCopy(const Driver &driver, Result result, size_t bytes,
                     const char *where) {
  if (result == kSuccess)
    return 0;
  return toStatus(
      check(driver, result, ("copy " + std::to_string(bytes) + where).c_str()));
}

int memrevCudaCopyToDevice(void *device, const void *host, size_t bytes) {
  const Driver *driver = enter();
  if (!driver)
    return 1;
  if (bytes == 0)
    return 0;
  return checkCopy(*driver, driver->memcpyHtoD(toDevice(device), host, bytes),
                   bytes, " bytes to the device");
}

int memrevCudaCopyToHost(void *host, const void *device, size_t bytes) {
  const Driver *driver = enter();
  if (!driver)
    return 1;
  if (bytes == 0)
    return 0;
  return checkCopy(*driver, driver->memcpyDtoH(host, toDevice(device), bytes),
                   bytes, " bytes to the host");
}

void *mgpuMemAlloc(uint64_t bytes, void *, int8_t hostShared) {
  void *pointer = nullptr;
  Context context;
  if (const Driver *driver = enter(context))
    allocate(*driver, context, bytes, hostShared != 0, &pointer);
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
    checkCopy(*driver,
              driver->memcpyAsync(toDevice(target), toDevice(source), bytes,
                                  static_cast<Stream>(stream)),
              bytes, " bytes");
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
