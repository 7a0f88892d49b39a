//===- Points.h - Points of a program's domain ---------------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_TEST_LIB_FUZZ_POINTS_H
#define MEMREV_TEST_LIB_FUZZ_POINTS_H

#include "../Interpreter/Interpreter.h"
#include "Derivatives.h"
#include "Random.h"

namespace mlir::memrev::testing {

/// Several values: arguments, gradients, tangents.
using Values = SmallVector<Datum>;

/// The sum of products, and of their magnitudes if `size` is not null. Numbers
/// that are not finite stay that.
double dot(const Values &a, const Values &b, double *size = nullptr);

/// The largest magnitude of an element.
double largest(const Values &a);

/// The largest difference of elements. Infinite if one is NaN and the other is
/// not.
double difference(const Values &a, const Values &b);

/// Whether all elements have the same bits, or are both NaN.
bool isSame(const Values &a, const Values &b);

/// a + factor b
Values axpy(const Values &a, double factor, const Values &b);

/// Random elements for `types`, in the ranges of `function`'s arguments.
Values sampleArguments(func::FuncOp function, Random &rng);

/// Random numbers in [-1, 1] of the shapes of `like`.
Values sampleLike(const Values &like, Random &rng);

} // namespace mlir::memrev::testing

#endif // MEMREV_TEST_LIB_FUZZ_POINTS_H
