//===- MinimumCut.cpp - Minimum cuts of directed graphs -------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "MinimumCut.h"
#include <algorithm>

using namespace mlir::memrev;

static constexpr unsigned kSource = 0, kSink = 1;

void MinimumCut::addEdge(unsigned from, unsigned to, int64_t capacity) {
  edgesOf[from].push_back(edges.size());
  edges.push_back({to, capacity});
  edgesOf[to].push_back(edges.size());
  edges.push_back({from, 0});
}

/// Computes how far each node is from the source. True if the sink is reached.
bool MinimumCut::findLevels() {
  levels.assign(edgesOf.size(), -1);
  levels[kSource] = 0;
  std::vector<unsigned> reached{kSource};
  for (size_t i = 0; i < reached.size(); ++i)
    for (unsigned edge : edgesOf[reached[i]])
      if (edges[edge].capacity > 0 && levels[edges[edge].to] < 0) {
        levels[edges[edge].to] = levels[reached[i]] + 1;
        reached.push_back(edges[edge].to);
      }
  return levels[kSink] >= 0;
}

/// Sends what fits along one way to the sink on which levels rise. False if
/// there is none.
bool MinimumCut::augment() {
  std::vector<unsigned> way;
  unsigned node = kSource;
  while (node != kSink) {
    if (next[node] == edgesOf[node].size()) {
      if (way.empty())
        return false;
      // No way leads on from here.
      node = edges[way.back() ^ 1].to;
      way.pop_back();
      ++next[node];
      continue;
    }
    unsigned edge = edgesOf[node][next[node]];
    if (edges[edge].capacity > 0 &&
        levels[edges[edge].to] == levels[node] + 1) {
      way.push_back(edge);
      node = edges[edge].to;
    } else {
      ++next[node];
    }
  }
  int64_t amount = kUncut;
  for (unsigned edge : way)
    amount = std::min(amount, edges[edge].capacity);
  for (unsigned edge : way) {
    if (edges[edge].capacity != kUncut)
      edges[edge].capacity -= amount;
    if (edges[edge ^ 1].capacity != kUncut)
      edges[edge ^ 1].capacity += amount;
  }
  return true;
}

void MinimumCut::run() {
  while (findLevels()) {
    next.assign(edgesOf.size(), 0);
    while (augment()) {
    }
  }
}
