//===- Stream.cpp - Work in the order of streams --------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Stream.h"
#include <algorithm>
#include <cstdio>

using namespace memrev::simt;

std::optional<Failure> Graph::run(Random &random) const {
  std::vector<size_t> missing(nodes.size());
  std::vector<std::vector<size_t>> users(nodes.size());
  std::vector<size_t> ready;
  for (size_t i = 0; i < nodes.size(); ++i) {
    missing[i] = nodes[i].dependencies.size();
    for (size_t dependency : nodes[i].dependencies)
      users[dependency].push_back(i);
    if (missing[i] == 0)
      ready.push_back(i);
  }
  while (!ready.empty()) {
    std::swap(ready[random.below(ready.size())], ready.back());
    size_t node = ready.back();
    ready.pop_back();
    if (auto failure = nodes[node].work())
      return failure;
    for (size_t user : users[node])
      if (--missing[user] == 0)
        ready.push_back(user);
  }
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// Streams
//===----------------------------------------------------------------------===//

Stream *Streams::create(bool blocking) {
  streams.push_back(std::make_unique<Stream>());
  streams.back()->blocking = blocking;
  return streams.back().get();
}

bool Streams::isValid(Stream *stream) const {
  return std::any_of(streams.begin(), streams.end(),
                     [&](const auto &known) { return known.get() == stream; });
}

Result Streams::destroy(Stream *stream) {
  runUntil(*stream, stream->added);
  if (stream->capture)
    stream->capture->invalid = true;
  streams.erase(
      std::find_if(streams.begin(), streams.end(),
                   [&](const auto &known) { return known.get() == stream; }));
  return getResult();
}

void Streams::runUntil(Stream &stream, uint64_t position) {
  while (!failure && stream.done < position) {
    Stream::Item item = std::move(stream.items.front());
    if (item.awaited && isValid(item.awaited))
      runUntil(*item.awaited, item.position);
    if (item.work && !failure)
      if (auto failed = item.work()) {
        failure = failed;
        std::fprintf(stderr, "memrev-simt: %s\n", failed->message.c_str());
      }
    stream.items.pop_front();
    ++stream.done;
  }
}

Result Streams::runBlocking() {
  for (const auto &stream : streams) {
    if (!stream->blocking)
      continue;
    if (stream->capture && stream->capture->mode != CaptureMode::Relaxed) {
      stream->capture->invalid = true;
      return kStreamCaptureImplicit;
    }
    runUntil(*stream, stream->added);
  }
  return getResult();
}

Result Streams::add(Stream *stream, Work work) {
  if (failure)
    return getResult();
  if (!stream) {
    if (Result result = runBlocking())
      return result;
    Stream legacy;
    legacy.items.push_back({std::move(work), nullptr, 0});
    runUntil(legacy, 1);
    return getResult();
  }
  if (stream->capture) {
    if (stream->capture->invalid)
      return kStreamCaptureInvalidated;
    auto &nodes = stream->capture->graph->nodes;
    nodes.push_back(
        {std::move(work), {stream->last.begin(), stream->last.end()}});
    stream->last = {nodes.size() - 1};
    return kSuccess;
  }
  stream->items.push_back({std::move(work), nullptr, 0});
  ++stream->added;
  return kSuccess;
}

Result Streams::checkWaiting(Stream *stream) {
  if (!stream->capture)
    return kSuccess;
  stream->capture->invalid = true;
  return kStreamCaptureUnsupported;
}

Result Streams::synchronize(Stream *stream) {
  if (failure)
    return getResult();
  if (!stream)
    return runBlocking();
  if (Result result = checkWaiting(stream))
    return result;
  runUntil(*stream, stream->added);
  return getResult();
}

Result Streams::synchronizeAll() {
  if (failure)
    return getResult();
  for (const auto &stream : streams)
    if (Result result = checkWaiting(stream.get()))
      return result;
  for (const auto &stream : streams)
    runUntil(*stream, stream->added);
  return getResult();
}

//===----------------------------------------------------------------------===//
// Events
//===----------------------------------------------------------------------===//

Result Streams::record(Event &event, Stream *stream) {
  event = Event();
  if (!stream)
    return runBlocking();
  event.stream = stream;
  event.position = stream->added;
  if (stream->capture) {
    event.capture = stream->capture;
    event.nodes = stream->last;
  }
  return getResult();
}

Result Streams::wait(Stream *stream, const Event &event) {
  if (failure)
    return getResult();
  if (event.capture) {
    if (!stream) {
      event.capture->invalid = true;
      return kStreamCaptureImplicit;
    }
    if (stream->capture && stream->capture != event.capture) {
      stream->capture->invalid = event.capture->invalid = true;
      return kStreamCaptureMerge;
    }
    // The stream joins the capture.
    if (!stream->capture)
      stream->last.clear();
    stream->capture = event.capture;
    stream->last.insert(event.nodes.begin(), event.nodes.end());
    return kSuccess;
  }
  if (!event.stream || !isValid(event.stream))
    return kSuccess;
  if (!stream) {
    if (Result result = runBlocking())
      return result;
    runUntil(*event.stream, event.position);
    return getResult();
  }
  if (stream->capture) {
    stream->capture->invalid = true;
    return kStreamCaptureIsolation;
  }
  stream->items.push_back({nullptr, event.stream, event.position});
  ++stream->added;
  return kSuccess;
}

Result Streams::synchronize(const Event &event) {
  if (event.capture) {
    event.capture->invalid = true;
    return kCapturedEvent;
  }
  if (event.stream && isValid(event.stream))
    runUntil(*event.stream, event.position);
  return getResult();
}

Result Streams::query(const Event &event) {
  // Who asks again and again gets on.
  return synchronize(event);
}

//===----------------------------------------------------------------------===//
// Captures
//===----------------------------------------------------------------------===//

Result Streams::beginCapture(Stream *stream, CaptureMode mode) {
  if (!stream)
    return kStreamCaptureUnsupported;
  if (stream->capture)
    return kIllegalState;
  stream->capture = std::make_shared<Capture>();
  stream->capture->mode = mode;
  stream->capture->origin = stream;
  stream->capture->thread = std::this_thread::get_id();
  stream->last.clear();
  return getResult();
}

Result Streams::endCapture(Stream *stream, std::unique_ptr<Graph> &graph) {
  if (!stream || !stream->capture)
    return kIllegalState;
  std::shared_ptr<Capture> capture = stream->capture;
  if (capture->origin != stream)
    return kStreamCaptureUnmatched;
  if (capture->mode != CaptureMode::Relaxed &&
      capture->thread != std::this_thread::get_id())
    return kStreamCaptureWrongThread;
  // All that other streams did has to come before the end.
  std::set<size_t> before = stream->last;
  for (size_t i = capture->graph->nodes.size(); i-- > 0;)
    if (before.count(i))
      for (size_t dependency : capture->graph->nodes[i].dependencies)
        before.insert(dependency);
  bool isJoined = before.size() == capture->graph->nodes.size();
  for (const auto &other : streams)
    if (other->capture == capture) {
      other->capture = nullptr;
      other->last.clear();
    }
  if (capture->invalid)
    return kStreamCaptureInvalidated;
  if (!isJoined)
    return kStreamCaptureUnjoined;
  graph = std::move(capture->graph);
  return getResult();
}

CaptureMode &memrev::simt::getThreadMode() {
  static thread_local CaptureMode mode = CaptureMode::Global;
  return mode;
}

Result Streams::checkUnsafe() {
  if (getThreadMode() == CaptureMode::Relaxed)
    return getResult();
  for (const auto &stream : streams) {
    const std::shared_ptr<Capture> &capture = stream->capture;
    if (!capture || capture->mode == CaptureMode::Relaxed)
      continue;
    if (capture->mode == CaptureMode::ThreadLocal &&
        capture->thread != std::this_thread::get_id())
      continue;
    capture->invalid = true;
    return kStreamCaptureUnsupported;
  }
  return getResult();
}
