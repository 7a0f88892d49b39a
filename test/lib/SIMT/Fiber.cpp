//===- Fiber.cpp - Threads of execution without a kernel ------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Fiber.h"
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <sys/mman.h>

using namespace memrev::simt;

#ifndef __x86_64__
#error "expects an x86-64 processor to switch between fibers"
#endif

/// Saves the registers that a call preserves on the stack, the stack pointer
/// in `*saved`, and goes on from the stack pointer `next`.
extern "C" void memrevSimtSwitch(void **saved, void *next);

asm(R"(
  .text
  .local memrevSimtSwitch
  .type memrevSimtSwitch, @function
memrevSimtSwitch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
  .size memrevSimtSwitch, .-memrevSimtSwitch

  .local memrevSimtEnter
  .type memrevSimtEnter, @function
memrevSimtEnter:
  movq %rbx, %rdi
  call *%rbp
  ud2
  .size memrevSimtEnter, .-memrevSimtEnter
)");

extern "C" void memrevSimtEnter();

static constexpr size_t kPage = 4096;

Fiber::~Fiber() {
  if (stack)
    munmap(stack - kPage, size + kPage);
}

void Fiber::start(size_t stackBytes, void (*entry)(void *), void *argument) {
  stackBytes = (stackBytes + kPage - 1) / kPage * kPage;
  if (size < stackBytes) {
    if (stack)
      munmap(stack - kPage, size + kPage);
    void *memory = mmap(nullptr, stackBytes + kPage, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED || mprotect(memory, kPage, PROT_NONE) != 0) {
      std::perror("memrev-simt: cannot map a stack");
      std::abort();
    }
    stack = static_cast<char *>(memory) + kPage;
    size = stackBytes;
  }
  // What the first switch pops, and an aligned stack after its return.
  auto *top = reinterpret_cast<uintptr_t *>(stack + size) - 2;
  *--top = reinterpret_cast<uintptr_t>(&memrevSimtEnter);
  *--top = reinterpret_cast<uintptr_t>(entry);    // rbp
  *--top = reinterpret_cast<uintptr_t>(argument); // rbx
  for (int i = 0; i < 4; ++i)
    *--top = 0;
  stackPointer = top;
}

void Fiber::resume() { memrevSimtSwitch(&resumerStackPointer, stackPointer); }

void Fiber::suspend() { memrevSimtSwitch(&stackPointer, resumerStackPointer); }
