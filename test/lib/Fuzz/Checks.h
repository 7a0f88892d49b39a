//===- Checks.h - Checks derivatives of a program ------------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A program is a module with a function `f`, whose attributes say how it is
// called (see Generator.h). Its derivatives are compared with each other and
// with differences of values.
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_TEST_LIB_FUZZ_CHECKS_H
#define MEMREV_TEST_LIB_FUZZ_CHECKS_H

#include "mlir/IR/BuiltinOps.h"
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace mlir::memrev::testing {

/// A check that failed.
struct Finding {
  /// The name of the check. A smaller program shows the same bug if it fails in
  /// the same check.
  std::string check;
  /// What was compared, with numbers.
  std::string details;
};

struct CheckOptions {
  /// Whether to check second derivatives and the split form.
  bool secondOrder = true;
  bool split = true;
  /// Whether to compile the derivatives and compare what they compute.
  bool native = false;
  /// An error with one of these texts is a failure, not a missing rule.
  std::vector<std::string> errors;
  /// Check that the checks fail for wrong gradients.
  bool self = false;
};

/// What was done, over many programs.
struct CheckCounts {
  /// How often each check ran.
  std::map<std::string, int64_t> passed;
  /// Programs without a point at which they are smooth.
  int64_t rejected = 0;
  /// Errors about what cannot be differentiated: how often, and the seed of
  /// one.
  std::map<std::string, std::pair<int64_t, uint64_t>> unsupported;
  /// Slopes of the Taylor test.
  int64_t slopes = 0;
  double leastSlope = 1e9, largestSlope = -1e9;
};

/// Checks the derivatives of `program` at a point that `seed` chooses.
std::optional<Finding> check(ModuleOp program, uint64_t seed,
                             const CheckOptions &options, CheckCounts &counts);

} // namespace mlir::memrev::testing

#endif // MEMREV_TEST_LIB_FUZZ_CHECKS_H
