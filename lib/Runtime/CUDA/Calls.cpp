//===- Calls.cpp - Calls of compiled functions, recorded as graphs --------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A compiled function launches the same kernels whenever it is called with the
// same buffers and scalars. Its first call with some buffers runs as it is
// written, which loads all that it needs; the second one is recorded into a
// CUDA graph, which the later ones launch. With the same buffers and other
// scalars the graph is recorded again and updated.
//
//===----------------------------------------------------------------------===//

#include "Runtime.h"
#include <algorithm>
#include <memory>
#include <mutex>
#include <vector>

using namespace memrev::cuda;

namespace {
/// The calls with one set of buffers.
struct Recording {
  Context context = nullptr;
  std::vector<MemrevCudaBuffer> buffers;
  std::vector<uint64_t> scalars;
  /// Null as long as there was one call only.
  GraphExec executable = nullptr;
  uint64_t lastUse = 0;
};

/// What the runtime keeps of a compiled function.
struct FunctionState {
  std::mutex mutex;
  std::vector<std::unique_ptr<Recording>> recordings;
  /// The last buffers that were seen to be in device memory.
  std::vector<MemrevCudaBuffer> checked;
  uint64_t numCalls = 0;
};

/// The call that a thread is in.
struct Call {
  const Driver *driver = nullptr;
  Context context = nullptr;
  /// Where the work goes; not the caller's if `isOwnStream`.
  Stream stream = nullptr;
  bool isOwnStream = false;
  /// The recording in the making, its stream, and the function's lock.
  Recording *recording = nullptr;
  Stream recorder = nullptr;
  std::unique_lock<std::mutex> lock;
};
} // namespace

/// How many sets of buffers a function keeps graphs for: a network that trains
/// has one, or two that take turns.
static constexpr size_t kMaxRecordings = 8;

/// Kernels read buffers in pieces of up to 16 bytes.
static constexpr uint64_t kMaxAlignment = 16;

static Call &getCall() {
  thread_local Call call;
  return call;
}

static FunctionState &getFunctionState(void **slot) {
  static std::mutex &mutex = *new std::mutex();
  std::lock_guard<std::mutex> lock(mutex);
  if (!*slot)
    *slot = new FunctionState();
  return *static_cast<FunctionState *>(*slot);
}

static bool isSame(const MemrevCudaBuffer &a, const MemrevCudaBuffer &b) {
  return a.address == b.address;
}

template <typename T>
static bool areSame(const std::vector<T> &known, const T *values, size_t count,
                    bool (*same)(const T &, const T &)) {
  return known.size() == count &&
         std::equal(known.begin(), known.end(), values, same);
}

static bool isSameScalar(const uint64_t &a, const uint64_t &b) {
  return a == b;
}

//===----------------------------------------------------------------------===//
// Checks
//===----------------------------------------------------------------------===//

/// Returns the alignment that a buffer of `bytes` bytes needs.
static uint64_t getAlignment(uint64_t bytes) {
  if (bytes >= kMaxAlignment)
    return kMaxAlignment;
  return bytes == 0 ? 1 : bytes & ~(bytes - 1);
}

/// Checks that `buffer` is device memory which is long enough.
static bool checkBuffer(const Driver &driver, const char *function,
                        size_t position, const MemrevCudaBuffer &buffer) {
  if (buffer.bytes == 0)
    return true;
  auto expects = [&](const std::string &what) {
    return fail("parameter " + std::to_string(position) + " of '" + function +
                "' expects " + what);
  };
  uint64_t start = 0;
  size_t size = 0;
  if (driver.pointerGetAttribute(&start, kPointerRangeStart, buffer.address) !=
          kSuccess ||
      driver.pointerGetAttribute(&size, kPointerRangeSize, buffer.address) !=
          kSuccess)
    return expects("device memory, but got an address that is none");
  uint64_t available = start + size - buffer.address;
  if (available < buffer.bytes)
    return expects(std::to_string(buffer.bytes) +
                   " bytes of device memory, but got " +
                   std::to_string(available));
  uint64_t alignment = getAlignment(buffer.bytes);
  if (buffer.address % alignment != 0)
    return expects("memory aligned to " + std::to_string(alignment) +
                   " bytes, but got an address that is not");
  return true;
}

/// Checks those of `buffers` that are not what they were in the last call.
static bool checkBuffers(const Driver &driver, const char *function,
                         FunctionState &state, const MemrevCudaBuffer *buffers,
                         size_t count) {
  state.checked.resize(count);
  for (size_t i = 0; i < count; ++i) {
    if (isSame(state.checked[i], buffers[i]))
      continue;
    if (!checkBuffer(driver, function, i, buffers[i]))
      return false;
    state.checked[i] = buffers[i];
  }
  return true;
}

//===----------------------------------------------------------------------===//
// Recordings
//===----------------------------------------------------------------------===//

/// Returns the recording of calls with `buffers`, or a null pointer.
static Recording *findRecording(FunctionState &state, Context context,
                                const MemrevCudaBuffer *buffers, size_t count) {
  for (const std::unique_ptr<Recording> &recording : state.recordings)
    if (recording->context == context &&
        areSame(recording->buffers, buffers, count, isSame))
      return recording.get();
  return nullptr;
}

static void destroyGraph(const Driver &driver, GraphExec executable) {
  if (executable)
    driver.graphExecDestroy(executable);
}

/// Adds a recording without a graph, in place of the one that was not used for
/// the longest time if there are many.
static void addRecording(const Driver &driver, FunctionState &state,
                         Recording added) {
  if (state.recordings.size() < kMaxRecordings) {
    state.recordings.push_back(std::make_unique<Recording>(std::move(added)));
    return;
  }
  auto oldest = std::min_element(
      state.recordings.begin(), state.recordings.end(),
      [](const auto &a, const auto &b) { return a->lastUse < b->lastUse; });
  // A graph that runs at the moment is destroyed when it has finished.
  destroyGraph(driver, (*oldest)->executable);
  **oldest = std::move(added);
}

/// Makes `graph` what the recording launches.
static bool setGraph(const Driver &driver, Recording &recording, Graph graph) {
  if (recording.executable) {
    GraphUpdateInfo info = {};
    Result result = driver.graphUpdate(recording.executable, graph, &info);
    if (result == kSuccess)
      return true;
    if (result != kGraphUpdateFailure)
      return check(driver, result, "update a graph");
    // Other kernels, or another number of them.
    destroyGraph(driver, recording.executable);
    recording.executable = nullptr;
  }
  return check(driver,
               driver.graphInstantiate(&recording.executable, graph,
                                       /*flags=*/0),
               "make a graph");
}

static bool launchGraph(const Driver &driver, const Recording &recording,
                        Stream stream) {
  return check(driver, driver.graphLaunch(recording.executable, stream),
               "launch a graph");
}

/// Ends the recording of `call` and launches what was recorded.
static void finishRecording(Call &call) {
  const Driver &driver = *call.driver;
  Graph graph = nullptr;
  Result result = driver.streamEndCapture(call.recorder, &graph);
  // After an error the message is there, and the stream may be beyond use.
  bool isRecorded = !getThreadState().failed &&
                    check(driver, result, "record a call as a graph");
  if (isRecorded)
    giveStreamBack(call.context, kStreamNonBlocking, call.recorder);
  if (isRecorded && setGraph(driver, *call.recording, graph)) {
    launchGraph(driver, *call.recording, call.stream);
  } else {
    // What is left would be that of other scalars.
    destroyGraph(driver, call.recording->executable);
    call.recording->executable = nullptr;
  }
  if (graph)
    driver.graphDestroy(graph);
  call.recording = nullptr;
  call.lock.unlock();
}

/// Whether the caller records a graph of its own, which the kernels join.
static bool isCallerRecording(const Driver &driver, const Call &call) {
  int status = kCaptureNone;
  return !call.isOwnStream &&
         driver.streamIsCapturing(call.stream, &status) == kSuccess &&
         status != kCaptureNone;
}

//===----------------------------------------------------------------------===//
// Interface for compiled host code
//===----------------------------------------------------------------------===//

void *memrevCudaBeginCall(const char *function, void **slot,
                          const MemrevCudaBuffer *buffers, size_t numBuffers,
                          const uint64_t *scalars, size_t numScalars,
                          int32_t isRecordable) {
  Call &call = getCall();
  call.driver = enter(call.context);
  if (!call.driver)
    return nullptr;
  const Driver &driver = *call.driver;
  FunctionState &state = getFunctionState(slot);
  std::unique_lock<std::mutex> lock(state.mutex);
  if (!checkBuffers(driver, function, state, buffers, numBuffers))
    return nullptr;
  const ThreadState &thread = getThreadState();
  call.isOwnStream = !thread.hasStream;
  call.stream = thread.hasStream
                    ? thread.stream
                    : takeStream(driver, call.context, kStreamDefault);
  if (thread.failed || !isRecordable || isCallerRecording(driver, call))
    return call.stream;

  uint64_t now = ++state.numCalls;
  Recording *recording =
      findRecording(state, call.context, buffers, numBuffers);
  if (!recording) {
    Recording added;
    added.context = call.context;
    added.buffers.assign(buffers, buffers + numBuffers);
    added.lastUse = now;
    addRecording(driver, state, std::move(added));
    return call.stream;
  }
  recording->lastUse = now;
  if (recording->executable &&
      areSame(recording->scalars, scalars, numScalars, isSameScalar)) {
    launchGraph(driver, *recording, call.stream);
    return nullptr;
  }
  // Not recorded on the stream of the call, which may be the default one.
  call.recorder = takeStream(driver, call.context, kStreamNonBlocking);
  if (!call.recorder ||
      !check(driver, driver.streamBeginCapture(call.recorder, kCaptureOfThread),
             "record a call as a graph"))
    return nullptr;
  recording->scalars.assign(scalars, scalars + numScalars);
  call.recording = recording;
  call.lock = std::move(lock);
  return call.recorder;
}

void memrevCudaEndCall(void) {
  Call &call = getCall();
  if (call.recording)
    finishRecording(call);
  // A stream of a thread that failed is not used again: its context may be
  // beyond use.
  if (call.isOwnStream && call.stream && !getThreadState().failed &&
      check(*call.driver, call.driver->streamSynchronize(call.stream),
            "finish the kernels of a call"))
    giveStreamBack(call.context, kStreamDefault, call.stream);
  call = Call();
}

void memrevCudaForgetFunction(void **slot) {
  auto *state = static_cast<FunctionState *>(*slot);
  *slot = nullptr;
  if (!state)
    return;
  // At the end of a process the driver may have gone before, which the calls
  // then say.
  std::string error;
  if (const Driver *driver = getDriver(error))
    for (const std::unique_ptr<Recording> &recording : state->recordings)
      destroyGraph(*driver, recording->executable);
  delete state;
}
