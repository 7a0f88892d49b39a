//===- DriverStreams.cpp - Streams, events and graphs of the driver -------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Device.h"

using namespace memrev::simt;

Result memrev::simt::getStream(Device &device, void *handle, Stream *&stream) {
  static thread_local Stream *perThread = nullptr;
  auto number = reinterpret_cast<size_t>(handle);
  stream = nullptr;
  if (number <= 1)
    return kSuccess;
  if (number == 2) {
    if (!perThread)
      perThread = device.streams.create(/*blocking=*/true);
    stream = perThread;
    return kSuccess;
  }
  stream = static_cast<Stream *>(handle);
  return device.streams.isValid(stream) ? kSuccess : kInvalidHandle;
}

namespace {
/// Locks the device and finds the stream of a call.
struct Entry {
  explicit Entry(void *handle)
      : device(getDevice()), lock(device.mutex),
        result(getStream(device, handle, stream)) {}

  Device &device;
  std::lock_guard<std::mutex> lock;
  Stream *stream = nullptr;
  Result result;
};
} // namespace

//===----------------------------------------------------------------------===//
// Streams
//===----------------------------------------------------------------------===//

SIMT_EXPORT int cuStreamCreate(void **stream, unsigned flags) {
  Device &device = getDevice();
  std::lock_guard<std::mutex> lock(device.mutex);
  constexpr unsigned nonBlocking = 1;
  *stream = device.streams.create(!(flags & nonBlocking));
  return kSuccess;
}

SIMT_EXPORT int cuStreamCreateWithPriority(void **stream, unsigned flags, int) {
  return cuStreamCreate(stream, flags);
}

SIMT_EXPORT int cuStreamDestroy_v2(void *handle) {
  Entry entry(handle);
  if (entry.result || !entry.stream)
    return kInvalidHandle;
  return entry.device.streams.destroy(entry.stream);
}

SIMT_EXPORT int cuStreamSynchronize(void *handle) {
  Entry entry(handle);
  return entry.result ? entry.result
                      : entry.device.streams.synchronize(entry.stream);
}

SIMT_EXPORT int cuStreamQuery(void *handle) {
  return cuStreamSynchronize(handle);
}

SIMT_EXPORT int cuStreamWaitEvent(void *handle, void *event, unsigned) {
  Entry entry(handle);
  if (entry.result)
    return entry.result;
  if (!entry.device.events.count(static_cast<Event *>(event)))
    return kInvalidHandle;
  return entry.device.streams.wait(entry.stream, *static_cast<Event *>(event));
}

SIMT_EXPORT int cuLaunchHostFunc(void *handle, void (*function)(void *),
                                 void *data) {
  Entry entry(handle);
  if (entry.result)
    return entry.result;
  return entry.device.streams.add(entry.stream,
                                  [function, data]() -> std::optional<Failure> {
                                    function(data);
                                    return std::nullopt;
                                  });
}

//===----------------------------------------------------------------------===//
// Events
//===----------------------------------------------------------------------===//

SIMT_EXPORT int cuEventCreate(void **event, unsigned) {
  Device &device = getDevice();
  std::lock_guard<std::mutex> lock(device.mutex);
  auto *made = new Event();
  device.events.insert(made);
  *event = made;
  return kSuccess;
}

SIMT_EXPORT int cuEventDestroy_v2(void *event) {
  Device &device = getDevice();
  std::lock_guard<std::mutex> lock(device.mutex);
  auto *made = static_cast<Event *>(event);
  if (device.events.erase(made) == 0)
    return kInvalidHandle;
  delete made;
  return kSuccess;
}

SIMT_EXPORT int cuEventRecord(void *event, void *handle) {
  Entry entry(handle);
  if (entry.result)
    return entry.result;
  if (!entry.device.events.count(static_cast<Event *>(event)))
    return kInvalidHandle;
  return entry.device.streams.record(*static_cast<Event *>(event),
                                     entry.stream);
}

SIMT_EXPORT int cuEventSynchronize(void *event) {
  Device &device = getDevice();
  std::lock_guard<std::mutex> lock(device.mutex);
  if (!device.events.count(static_cast<Event *>(event)))
    return kInvalidHandle;
  return device.streams.synchronize(*static_cast<Event *>(event));
}

SIMT_EXPORT int cuEventQuery(void *event) { return cuEventSynchronize(event); }

/// There is no time on this device.
SIMT_EXPORT int cuEventElapsedTime(float *milliseconds, void *start,
                                   void *end) {
  *milliseconds = 0;
  if (int result = cuEventSynchronize(start))
    return result;
  return cuEventSynchronize(end);
}

//===----------------------------------------------------------------------===//
// Graphs
//===----------------------------------------------------------------------===//

SIMT_EXPORT int cuStreamBeginCapture_v2(void *handle, int mode) {
  Entry entry(handle);
  if (entry.result)
    return entry.result;
  if (mode < 0 || mode > 2)
    return kInvalidValue;
  return entry.device.streams.beginCapture(entry.stream,
                                           static_cast<CaptureMode>(mode));
}

SIMT_EXPORT int cuStreamEndCapture(void *handle, void **graph) {
  Entry entry(handle);
  *graph = nullptr;
  if (entry.result)
    return entry.result;
  std::unique_ptr<Graph> captured;
  if (Result result = entry.device.streams.endCapture(entry.stream, captured))
    return result;
  *graph = captured.release();
  return kSuccess;
}

SIMT_EXPORT int cuStreamIsCapturing(void *handle, int *status) {
  Entry entry(handle);
  if (entry.result)
    return entry.result;
  enum { none, active, invalidated };
  *status = !entry.stream || !entry.stream->capture ? none
            : entry.stream->capture->invalid        ? invalidated
                                                    : active;
  return kSuccess;
}

SIMT_EXPORT int cuThreadExchangeStreamCaptureMode(int *mode) {
  if (*mode < 0 || *mode > 2)
    return kInvalidValue;
  CaptureMode &current = getThreadMode();
  int previous = static_cast<int>(current);
  current = static_cast<CaptureMode>(*mode);
  *mode = previous;
  return kSuccess;
}

SIMT_EXPORT int cuGraphGetNodes(void *graph, void **nodes, size_t *count) {
  if (!graph || nodes)
    return kNotSupported;
  *count = static_cast<Graph *>(graph)->nodes.size();
  return kSuccess;
}

SIMT_EXPORT int cuGraphInstantiateWithFlags(void **executable, void *graph,
                                            unsigned long long) {
  if (!graph)
    return kInvalidValue;
  *executable = new std::shared_ptr<const Graph>(
      std::make_shared<const Graph>(*static_cast<Graph *>(graph)));
  return kSuccess;
}

/// Launches that were submitted before keep the graph that they had.
SIMT_EXPORT int cuGraphExecUpdate_v2(void *executable, void *graph, void *) {
  if (!executable || !graph)
    return kInvalidValue;
  auto &old = *static_cast<std::shared_ptr<const Graph> *>(executable);
  const Graph &now = *static_cast<Graph *>(graph);
  if (old->nodes.size() != now.nodes.size())
    return kGraphExecUpdateFailure;
  for (size_t i = 0; i < now.nodes.size(); ++i)
    if (old->nodes[i].dependencies != now.nodes[i].dependencies)
      return kGraphExecUpdateFailure;
  old = std::make_shared<const Graph>(now);
  return kSuccess;
}

SIMT_EXPORT int cuGraphLaunch(void *executable, void *handle) {
  Entry entry(handle);
  if (entry.result)
    return entry.result;
  if (!executable)
    return kInvalidValue;
  auto graph = *static_cast<std::shared_ptr<const Graph> *>(executable);
  Streams &streams = entry.device.streams;
  return streams.add(entry.stream, [graph, &streams] {
    return graph->run(streams.getRandom());
  });
}

SIMT_EXPORT int cuGraphExecDestroy(void *executable) {
  delete static_cast<std::shared_ptr<const Graph> *>(executable);
  return kSuccess;
}

SIMT_EXPORT int cuGraphDestroy(void *graph) {
  delete static_cast<Graph *>(graph);
  return kSuccess;
}
