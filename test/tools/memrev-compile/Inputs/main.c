//===- main.c - Calls compiled functions ----------------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Calls the functions of program.mlir; the header comes from the command line.
//
//===----------------------------------------------------------------------===//

#include <stdio.h>

int main(void) {
  _Alignas(64) static char arena[SCALE_ARENA_BYTES + COUNT_ARENA_BYTES + 64];
  float x[6] = {0, 1, 2, 3, 4, 5}, r[6];
  int64_t n;
  scale(x, 2.5f, r, arena);
  count(7, &n, arena);
  for (int i = 0; i < 6; ++i)
    printf("%.1f ", r[i]);
  printf("%d\n", (int)n);
  return 0;
}
