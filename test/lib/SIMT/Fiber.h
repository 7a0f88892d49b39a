//===- Fiber.h - Threads of execution without a kernel -------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_TEST_LIB_SIMT_FIBER_H
#define MEMREV_TEST_LIB_SIMT_FIBER_H

#include <cstddef>

namespace memrev::simt {

/// A stack that code runs on until it suspends itself. Switching is a few
/// instructions, without a call of the operating system.
class Fiber {
public:
  Fiber() = default;
  Fiber(const Fiber &) = delete;
  Fiber &operator=(const Fiber &) = delete;
  ~Fiber();

  /// Makes `entry(argument)` what the next resume runs. The stack has at least
  /// `stackBytes` bytes, below which lies a page that no one may touch. `entry`
  /// must not return: it suspends itself for the last time instead.
  void start(size_t stackBytes, void (*entry)(void *), void *argument);

  /// Runs the fiber until it suspends.
  void resume();

  /// Goes back to the caller of resume. To be called on the fiber itself.
  void suspend();

  /// Whether `address` lies in the stack.
  bool owns(const void *address) const {
    auto *byte = static_cast<const char *>(address);
    return byte >= stack && byte < stack + size;
  }

private:
  char *stack = nullptr;
  size_t size = 0;
  void *stackPointer = nullptr;
  void *resumerStackPointer = nullptr;
};

} // namespace memrev::simt

#endif // MEMREV_TEST_LIB_SIMT_FIBER_H
