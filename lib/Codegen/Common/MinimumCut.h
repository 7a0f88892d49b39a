//===- MinimumCut.h - Minimum cuts of directed graphs --------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_LIB_CODEGEN_COMMON_MINIMUMCUT_H
#define MEMREV_LIB_CODEGEN_COMMON_MINIMUMCUT_H

#include <cstdint>
#include <limits>
#include <vector>

namespace mlir::memrev {

/// A directed graph whose edges have capacities, and the cheapest set of edges
/// to remove that leaves no way from its source to its sink: Dinic, Algorithm
/// for solution of a problem of maximum flow in networks, 1970.
class MinimumCut {
public:
  /// The capacity of an edge that no cut removes.
  static constexpr int64_t kUncut = std::numeric_limits<int64_t>::max() / 4;

  /// A graph of `numNodes` nodes, of which 0 is the source and 1 the sink.
  explicit MinimumCut(unsigned numNodes) : edgesOf(numNodes) {}

  void addEdge(unsigned from, unsigned to, int64_t capacity);

  /// Finds the cut. There must be one without uncut edges.
  void run();

  /// Whether `node` is on the side of the source.
  bool isOnSourceSide(unsigned node) const { return levels[node] >= 0; }

private:
  struct Edge {
    unsigned to;
    int64_t capacity;
  };

  bool findLevels();
  bool augment();

  /// Each edge is followed by the one back.
  std::vector<Edge> edges;
  std::vector<std::vector<unsigned>> edgesOf;
  std::vector<int64_t> levels;
  /// The first edge of each node that may still lead to the sink.
  std::vector<size_t> next;
};

} // namespace mlir::memrev

#endif // MEMREV_LIB_CODEGEN_COMMON_MINIMUMCUT_H
