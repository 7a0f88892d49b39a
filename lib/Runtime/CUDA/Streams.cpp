//===- Streams.cpp - The streams of calls ---------------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Runtime.h"
#include <map>
#include <mutex>
#include <vector>

using namespace memrev::cuda;

namespace {
/// The streams that are not in use, by context and flags.
struct StreamPool {
  std::mutex mutex;
  std::map<std::pair<Context, unsigned>, std::vector<Stream>> idle;
};
} // namespace

static StreamPool &getStreamPool() {
  static StreamPool &pool = *new StreamPool();
  return pool;
}

Stream memrev::cuda::takeStream(const Driver &driver, Context context,
                                unsigned flags) {
  {
    StreamPool &pool = getStreamPool();
    std::lock_guard<std::mutex> lock(pool.mutex);
    std::vector<Stream> &idle = pool.idle[{context, flags}];
    if (!idle.empty()) {
      Stream stream = idle.back();
      idle.pop_back();
      return stream;
    }
  }
  Stream stream = nullptr;
  check(driver, driver.streamCreate(&stream, flags), "create a stream");
  return stream;
}

void memrev::cuda::giveStreamBack(Context context, unsigned flags,
                                  Stream stream) {
  StreamPool &pool = getStreamPool();
  std::lock_guard<std::mutex> lock(pool.mutex);
  pool.idle[{context, flags}].push_back(stream);
}

void memrevCudaUseStream(void *stream) {
  // The default stream has a name that tells it from no stream.
  constexpr uintptr_t legacyStream = 1;
  ThreadState &state = getThreadState();
  state.hasStream = true;
  state.stream = stream ? static_cast<Stream>(stream)
                        : reinterpret_cast<Stream>(legacyStream);
}

void memrevCudaUseOwnStreams(void) { getThreadState().hasStream = false; }

void *mgpuStreamCreate(void) {
  Context context;
  const Driver *driver = enter(context);
  return driver ? takeStream(*driver, context, kStreamDefault) : nullptr;
}

void mgpuStreamDestroy(void *stream) {
  // A stream of a thread that failed is not used again: its context may be
  // beyond use.
  Context context;
  if (stream && enter(context))
    giveStreamBack(context, kStreamDefault, static_cast<Stream>(stream));
}

void mgpuStreamSynchronize(void *stream) {
  if (const Driver *driver = enter())
    check(*driver, driver->streamSynchronize(static_cast<Stream>(stream)),
          "finish the kernels of a call");
}
