//===- kernel.cpp - A kernel for the fake driver --------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

extern "C" {
extern const int parameters_kernel = 0;
void emulated_kernel(void **) {}
}
