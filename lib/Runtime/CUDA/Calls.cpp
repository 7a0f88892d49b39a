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
#include <random>
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
  /// The kernels and copies of the graph.
  size_t numNodes = 0;
  uint64_t lastUse = 0;
};

/// A recording with the hash of what it is found by.
struct KnownRecording {
  uint64_t hash;
  std::unique_ptr<Recording> recording;
};

/// What the runtime keeps of a compiled function.
struct FunctionState {
  std::mutex mutex;
  std::vector<KnownRecording> recordings;
  /// Of all graphs together.
  size_t numNodes = 0;
  /// The last buffers that were seen to be in device memory.
  std::vector<MemrevCudaBuffer> checked;
  uint64_t numCalls = 0;
  /// Chooses the recordings that go.
  std::minstd_rand random;
};

/// The call that a thread is in.
struct Call {
  const Driver *driver = nullptr;
  Context context = nullptr;
  /// Where the work goes; not the caller's if `isOwnStream`.
  Stream stream = nullptr;
  bool isOwnStream = false;
  /// The recording in the making, its function and stream, and the function's
  /// lock.
  Recording *recording = nullptr;
  FunctionState *state = nullptr;
  Stream recorder = nullptr;
  std::unique_lock<std::mutex> lock;
};
} // namespace

/// How many sets of buffers a function keeps graphs for: each place of a
/// network that calls it has one, or two that take turns.
static constexpr size_t kMaxRecordings = 256;
/// How many kernels and copies these graphs may have together: the driver keeps
/// each in memory that nobody planned.
static constexpr size_t kMaxNodes = 65536;

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

static uint64_t hashBuffers(Context context, const MemrevCudaBuffer *buffers,
                            size_t count) {
  // FNV-1a, a word at once; addresses differ in their middle bits.
  constexpr uint64_t prime = 0x100000001b3;
  uint64_t hash = reinterpret_cast<uintptr_t>(context);
  for (size_t i = 0; i < count; ++i) {
    hash = (hash ^ buffers[i].address) * prime;
    hash ^= hash >> 32;
  }
  return hash;
}

/// Returns the recording of calls with `buffers`, or a null pointer.
static Recording *findRecording(FunctionState &state, Context context,
                                const MemrevCudaBuffer *buffers, size_t count) {
  uint64_t hash = hashBuffers(context, buffers, count);
  for (const KnownRecording &known : state.recordings)
    if (known.hash == hash && known.recording->context == context &&
        areSame(known.recording->buffers, buffers, count, isSame))
      return known.recording.get();
  return nullptr;
}

/// Destroys the graph of `recording`, which may be running at the moment: it
/// then finishes.
static void dropGraph(const Driver &driver, FunctionState &state,
                      Recording &recording) {
  if (!recording.executable)
    return;
  driver.graphExecDestroy(recording.executable);
  recording.executable = nullptr;
  state.numNodes -= recording.numNodes;
  recording.numNodes = 0;
}

/// Removes a recording, not `kept`. Were it always the one that was not used
/// for the longest time, more recordings than there is room for that take turns
/// would all go right before they are needed. So it is the older one of two
/// that chance picks.
static void removeRecording(const Driver &driver, FunctionState &state,
                            const Recording *kept) {
  std::uniform_int_distribution<size_t> pick(0, state.recordings.size() - 1);
  KnownRecording *removed;
  do {
    removed = &state.recordings[pick(state.random)];
    KnownRecording *other = &state.recordings[pick(state.random)];
    if (other->recording->lastUse < removed->recording->lastUse)
      removed = other;
  } while (removed->recording.get() == kept);
  dropGraph(driver, state, *removed->recording);
  std::swap(*removed, state.recordings.back());
  state.recordings.pop_back();
}

/// Adds a recording without a graph.
static void addRecording(const Driver &driver, FunctionState &state,
                         Recording added) {
  if (state.recordings.size() >= kMaxRecordings)
    removeRecording(driver, state, /*kept=*/nullptr);
  uint64_t hash =
      hashBuffers(added.context, added.buffers.data(), added.buffers.size());
  state.recordings.push_back(
      {hash, std::make_unique<Recording>(std::move(added))});
}

/// Makes `graph` what the recording launches, and room for it.
static bool setGraph(const Driver &driver, FunctionState &state,
                     Recording &recording, Graph graph) {
  if (recording.executable) {
    GraphUpdateInfo info = {};
    Result result = driver.graphUpdate(recording.executable, graph, &info);
    if (result == kSuccess)
      return true;
    if (result != kGraphUpdateFailure)
      return check(driver, result, "update a graph");
    // Other kernels, or another number of them.
    dropGraph(driver, state, recording);
  }
  size_t numNodes = 0;
  if (!check(driver, driver.graphGetNodes(graph, nullptr, &numNodes),
             "count the nodes of a graph"))
    return false;
  while (state.numNodes + numNodes > kMaxNodes && state.recordings.size() > 1)
    removeRecording(driver, state, &recording);
  if (!check(driver,
             driver.graphInstantiate(&recording.executable, graph,
                                     /*flags=*/0),
             "make a graph"))
    return false;
  recording.numNodes = numNodes;
  state.numNodes += numNodes;
  return true;
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
  if (isRecorded && setGraph(driver, *call.state, *call.recording, graph)) {
    launchGraph(driver, *call.recording, call.stream);
  } else {
    // What is left would be that of other scalars.
    dropGraph(driver, *call.state, *call.recording);
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
  call.state = &state;
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
    for (const KnownRecording &known : state->recordings)
      dropGraph(*driver, *state, *known.recording);
  delete state;
}
