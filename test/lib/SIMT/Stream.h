//===- Stream.h - Work in the order of streams ---------------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_TEST_LIB_SIMT_STREAM_H
#define MEMREV_TEST_LIB_SIMT_STREAM_H

#include "Random.h"
#include "Result.h"
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <thread>
#include <vector>

namespace memrev::simt {

using Work = std::function<std::optional<Failure>()>;

/// What a capture has recorded: work, each with the numbers of the work before.
struct Graph {
  struct Node {
    Work work;
    std::vector<size_t> dependencies;
  };
  std::vector<Node> nodes;

  /// Runs the nodes in a random order that the dependencies allow.
  std::optional<Failure> run(Random &random) const;
};

/// The values of CUstreamCaptureMode.
enum class CaptureMode { Global, ThreadLocal, Relaxed };

/// What this thread may do while there are captures; relaxed, everything.
CaptureMode &getThreadMode();

struct Stream;

/// A capture in progress, which several streams may take part in.
struct Capture {
  CaptureMode mode = CaptureMode::Global;
  Stream *origin = nullptr;
  std::thread::id thread;
  std::unique_ptr<Graph> graph = std::make_unique<Graph>();
  bool invalid = false;
};

/// The place of an event in a stream, or in a capture.
struct Event {
  Stream *stream = nullptr;
  uint64_t position = 0;
  std::shared_ptr<Capture> capture;
  std::set<size_t> nodes;
};

/// A stream's work is done as late as possible: when someone waits for it.
struct Stream {
  bool blocking = true;
  struct Item {
    Work work;
    /// Another stream that has to have come to a place before.
    Stream *awaited = nullptr;
    uint64_t position = 0;
  };
  std::deque<Item> items;
  /// How many items have been added, and done.
  uint64_t added = 0, done = 0;

  std::shared_ptr<Capture> capture;
  /// The captured work that what comes next in this stream depends on.
  std::set<size_t> last;
};

/// The streams of a device.
class Streams {
public:
  explicit Streams(uint64_t seed) : random(seed) {}

  Stream *create(bool blocking);
  bool isValid(Stream *stream) const;
  Result destroy(Stream *stream);

  /// Adds work to a stream, or does it at once in the legacy stream, which is
  /// null. Captured work is kept instead.
  Result add(Stream *stream, Work work);

  /// Does all work of a stream, or all there is.
  Result synchronize(Stream *stream);
  Result synchronizeAll();

  Result record(Event &event, Stream *stream);
  Result wait(Stream *stream, const Event &event);
  Result synchronize(const Event &event);
  Result query(const Event &event);

  Result beginCapture(Stream *stream, CaptureMode mode);
  Result endCapture(Stream *stream, std::unique_ptr<Graph> &graph);

  /// Whether a capture forbids this thread what may wait for the device, such
  /// as allocating memory. Invalidates that capture.
  Result checkUnsafe();

  /// The first failure of the device's work. Nothing works afterwards.
  const std::optional<Failure> &getFailure() const { return failure; }

  Random &getRandom() { return random; }

private:
  void runUntil(Stream &stream, uint64_t position);
  /// What waiting for the stream is while it is captured.
  Result checkWaiting(Stream *stream);
  /// Lets the legacy stream wait for those that it waits for.
  Result runBlocking();
  Result getResult() const { return failure ? failure->code : kSuccess; }

  std::vector<std::unique_ptr<Stream>> streams;
  std::optional<Failure> failure;
  Random random;
};

} // namespace memrev::simt

#endif // MEMREV_TEST_LIB_SIMT_STREAM_H
