//===- DriftCheck.cpp - How far inverses are off --------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Compiler/DriftCheck.h"
#include "memrev/Analysis/MemoryPlan.h"
#include "llvm/Support/Format.h"
#include <cassert>
#include <cmath>

using namespace mlir;
using namespace mlir::memrev;

/// The one that is told of calls on this thread.
static thread_local DriftRecorder *current = nullptr;

DriftRecorder::DriftRecorder() {
  assert(!current && "expects one recorder at a time");
  current = this;
}

DriftRecorder::~DriftRecorder() { current = nullptr; }

void DriftRecorder::report(const int64_t *site, const int64_t *iterations,
                           const double *difference, const double *largest) {
  if (!current)
    return;
  BlockDrift &block = current->blocks.emplace_back(
      BlockDrift{static_cast<size_t>(*site), {}, *difference, *largest});
  for (int64_t i = 0; i < rev::kMaxDriftLoops && iterations[i] >= 0; ++i)
    block.iterations.push_back(iterations[i]);
}

llvm::Error DriftRecorder::connect(CompiledProgram &program) {
  return program.setSymbol(rev::kDriftReportName,
                           reinterpret_cast<void *>(&DriftRecorder::report));
}

/// The difference as a part of the largest element.
static double getRelative(const BlockDrift &block) {
  return block.difference == 0 ? 0 : block.difference / block.largest;
}

static void print(llvm::raw_ostream &os, const CompiledProgram &program,
                  const BlockDrift &block) {
  os << program.getDriftSites()[block.site];
  if (!block.iterations.empty()) {
    os << (block.iterations.size() == 1 ? ", iteration " : ", iterations ");
    llvm::interleaveComma(block.iterations, os);
  }
  os << ": " << llvm::format("%.1e", getRelative(block)) << " ("
     << llvm::format("%.3g", block.difference) << " of "
     << llvm::format("%.3g", block.largest) << ")\n";
}

void mlir::memrev::printDrift(llvm::raw_ostream &os,
                              const CompiledProgram &program,
                              llvm::ArrayRef<BlockDrift> blocks) {
  os << "drift of what inverses gave back, in the order of the backward "
        "pass:\n";
  const BlockDrift *worst = nullptr;
  for (const BlockDrift &block : blocks) {
    os << "  ";
    print(os, program, block);
    // What is not a number is the worst.
    if (!worst || !(getRelative(block) <= getRelative(*worst)))
      if (!worst || !std::isnan(getRelative(*worst)))
        worst = &block;
  }
  if (!worst) {
    os << "  no inverse was run\n";
    return;
  }
  os << "largest: ";
  print(os, program, *worst);
}
