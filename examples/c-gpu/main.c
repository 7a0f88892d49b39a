//===- main.c - Trains on a GPU -------------------------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Trains the network of step.mlir on a GPU. All that happens between two prints
// of the loss is one launch a step: the second call is recorded as a CUDA
// graph, which the later ones launch.
//
//===----------------------------------------------------------------------===//

#include "step.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { kBatch = 64, kWidth = 16, kSteps = 60 };

// Ends the program if the runtime has failed on this thread.
static void check(void) {
  const char *error = memrevCudaLastError();
  if (!error)
    return;
  fprintf(stderr, "train: %s\n", error);
  exit(1);
}

static float uniform(void) { return 2.0f * rand() / RAND_MAX - 1.0f; }

// Device memory of `count` numbers, those of `host` if there is one.
static float *allocate(size_t count, const float *host) {
  void *device;
  memrevCudaAllocate(&device, count * sizeof(float));
  if (host)
    memrevCudaCopyToDevice(device, host, count * sizeof(float));
  check();
  return device;
}

int main(void) {
  static float x1[kBatch][kWidth], x2[kBatch][kWidth], target[kBatch][kWidth];
  static float weights[2][kWidth][kWidth];
  srand(1);
  for (int i = 0; i < kBatch; ++i)
    for (int j = 0; j < kWidth; ++j) {
      x1[i][j] = uniform();
      x2[i][j] = uniform();
    }
  // What a network with other weights makes of the numbers.
  for (int i = 0; i < kBatch; ++i)
    for (int j = 0; j < kWidth; ++j)
      target[i][j] = x2[i][j] + tanhf(x1[i][(j + 1) % kWidth]);
  for (int k = 0; k < 2; ++k)
    for (int i = 0; i < kWidth; ++i)
      for (int j = 0; j < kWidth; ++j)
        weights[k][i][j] = 0.1f * uniform();

  float *deviceX1 = allocate(kBatch * kWidth, *x1);
  float *deviceX2 = allocate(kBatch * kWidth, *x2);
  float *deviceTarget = allocate(kBatch * kWidth, *target);
  float *w1 = allocate(kWidth * kWidth, *weights[0]);
  float *w2 = allocate(kWidth * kWidth, *weights[1]);
  float *deviceLoss = allocate(1, NULL);
  void *arena;
  memrevCudaAllocate(&arena, STEP_ARENA_BYTES);

  float first = 0, loss = 0;
  for (int i = 0; i < kSteps; ++i) {
    step(deviceX1, deviceX2, deviceTarget, w1, w2, 20.0f, deviceLoss, arena);
    if (i % 10 != 0 && i + 1 != kSteps)
      continue;
    memrevCudaCopyToHost(&loss, deviceLoss, sizeof(loss));
    check();
    printf("step %2d: loss %.4f\n", i, loss);
    if (i == 0)
      first = loss;
  }

  float *buffers[] = {deviceX1, deviceX2, deviceTarget, w1, w2, deviceLoss};
  for (int i = 0; i < 6; ++i)
    memrevCudaFree(buffers[i]);
  memrevCudaFree(arena);
  check();
  // Training does not depend on chance: the loss falls.
  return loss < 0.5f * first ? 0 : 1;
}
