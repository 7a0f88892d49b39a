//===- StoragePlanner.h - Storage of a program's derivatives ---*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the derivatives of a program store follows from a few numbers of bytes.
// They are found by compiling the program up to its buffers with some.
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_LIB_COMPILER_STORAGEPLANNER_H
#define MEMREV_LIB_COMPILER_STORAGEPLANNER_H

#include "memrev/Compiler/MemoryReport.h"
#include "memrev/Pipelines/Pipelines.h"
#include "mlir/Support/LLVM.h"
#include "llvm/ADT/StringMap.h"

namespace mlir::memrev {

/// Entries whose derivatives store by one number of bytes.
struct StorageGroup {
  /// A public function of the program, or what one option derives: the two
  /// functions of a split share what is stored, from one to the other.
  std::vector<std::string> entries;
  /// The position of that option.
  std::optional<size_t> option;
  /// False if the functions are differentiated again: they store as by default.
  bool isPlanned = true;
  /// The most bytes that a call of each of the entries may take.
  std::optional<int64_t> budget;

  /// Asks for `bytes` more than by default.
  void setStorage(int64_t bytes, DerivativeStorage &storage) const;
  /// The entries, for messages.
  std::string getNames() const;
};

/// Chooses the storage of groups.
class StoragePlanner {
public:
  /// What entries come to with a storage; fails after an error.
  using Trial = llvm::function_ref<FailureOr<std::vector<FunctionMemory>>(
      const DerivativeStorage &)>;
  using Report = llvm::function_ref<void(const llvm::Twine &)>;

  StoragePlanner(ArrayRef<StorageGroup> groups, Trial trial, Report report)
      : groups(groups), trial(trial), report(report) {}

  /// The storage with which all entries meet their budgets, in the least time
  /// that was seen. Fails after an error, which names the fewest bytes. Calls
  /// `keep` whenever the last trial is the best one so far.
  FailureOr<DerivativeStorage> meetBudgets(llvm::function_ref<void()> keep);

  /// The curves of time against memory of all entries, by at most `numPoints`
  /// plans for each group.
  FailureOr<llvm::StringMap<std::vector<MemoryPoint>>> sweep(int64_t numPoints);

private:
  /// Tries a number of bytes for each group. Fails after an error, such as for
  /// open extents, which have no `purpose`.
  FailureOr<llvm::StringMap<FunctionMemory>> tryAll(ArrayRef<int64_t> bytes,
                                                    StringRef purpose);

  ArrayRef<StorageGroup> groups;
  Trial trial;
  Report report;
};

} // namespace mlir::memrev

#endif // MEMREV_LIB_COMPILER_STORAGEPLANNER_H
