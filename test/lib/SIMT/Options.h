//===- Options.h - What the environment asks of the emulator -- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_TEST_LIB_SIMT_OPTIONS_H
#define MEMREV_TEST_LIB_SIMT_OPTIONS_H

#include <cstddef>
#include <cstdint>

namespace memrev::simt {

/// When asynchronous copies land: as early as they may, as late as they may, or
/// one of the two for each block by chance.
enum class AsyncMode { Issue, Wait, Random };

struct Options {
  /// MEMREV_SIMT_CHIP: the device's compute capability times ten.
  unsigned chip = 90;
  /// MEMREV_SIMT_DEVICES
  int devices = 1;
  /// MEMREV_SIMT_MEMORY: bytes of the device.
  size_t memory = size_t(16) << 30;
  /// MEMREV_SIMT_SEED: of the first schedule of each launch.
  uint64_t seed = 0;
  /// MEMREV_SIMT_SCHEDULES: how often each launch runs, whose results must
  /// agree to the last bit.
  unsigned schedules = 1;
  /// MEMREV_SIMT_ASYNC: issue, wait or random.
  AsyncMode async = AsyncMode::Random;
  /// MEMREV_SIMT_CONTINUE: reports races and uninitialized reads and goes on.
  bool keepGoing = false;
  /// MEMREV_SIMT_TRAFFIC: runs so many blocks of each launch, and prints at the
  /// end what their accesses move. 0 runs all and counts nothing.
  uint64_t traffic = 0;
  /// MEMREV_SIMT_TRACE: prints the calls of the driver.
  bool trace = false;

  /// Returns what the environment says. Ends the process if that is wrong.
  static Options fromEnvironment();

  /// The shared memory that a block may have, without and with a kernel's
  /// consent.
  unsigned getSharedBytes() const { return 48 << 10; }
  unsigned getSharedBytesOptIn() const {
    return (chip >= 90 ? 227 : chip == 80 ? 163 : 99) << 10;
  }
};

} // namespace memrev::simt

#endif // MEMREV_TEST_LIB_SIMT_OPTIONS_H
