//===- SanitizerOptions.cpp - Defaults of sanitized tools -----------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// LLVM's allocators mark their free memory as poisoned when they are compiled
// with the address sanitizer, and so do the templates of theirs in our files.
// Debian's libraries are compiled without it and do not lift the marks when
// they hand the memory out, so the marks are ignored.
//
//===----------------------------------------------------------------------===//

extern "C" const char *__asan_default_options();

extern "C" const char *__asan_default_options() {
  return "allow_user_poisoning=0";
}
