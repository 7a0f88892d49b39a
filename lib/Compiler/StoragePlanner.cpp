//===- StoragePlanner.cpp - Storage of a program's derivatives ------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "StoragePlanner.h"
#include "StorageSearch.h"
#include "StorageSweep.h"
#include "llvm/ADT/StringExtras.h"
#include <map>

using namespace mlir;
using namespace mlir::memrev;

void StorageGroup::setStorage(int64_t bytes, DerivativeStorage &storage) const {
  if (option)
    storage.derived[*option] = bytes;
  else
    storage.entries.push_back(entries.front() + "=" + std::to_string(bytes));
}

std::string StorageGroup::getNames() const {
  return "'" + llvm::join(entries, "' and '") + "'";
}

FailureOr<llvm::StringMap<FunctionMemory>>
StoragePlanner::tryAll(ArrayRef<int64_t> bytes, StringRef purpose) {
  DerivativeStorage storage;
  for (auto [group, number] : llvm::zip_equal(groups, bytes))
    group.setStorage(number, storage);
  FailureOr<std::vector<FunctionMemory>> memory = trial(storage);
  if (failed(memory))
    return failure();
  llvm::StringMap<FunctionMemory> found;
  for (FunctionMemory &function : *memory)
    found[function.function] = std::move(function);
  for (const StorageGroup &group : groups)
    for (StringRef entry : group.entries)
      if (StringRef formula = found[entry].peakFormula; !formula.empty()) {
        report("expects static shapes " + purpose + ", but '" + entry +
               "' takes " + formula + " bytes");
        return failure();
      }
  return found;
}

//===----------------------------------------------------------------------===//
// Budgets
//===----------------------------------------------------------------------===//

namespace {
/// Looks for storage with which all entries of some groups meet their budgets.
struct BudgetSearch {
  explicit BudgetSearch(ArrayRef<StorageGroup> groups) : groups(groups) {
    for (const StorageGroup &group : groups)
      searches.emplace_back(*group.budget);
  }

  /// The storage of each group to try next; nothing if the search is over.
  std::optional<SmallVector<int64_t>> getNext() const;
  /// Notes what entries come to with `bytes`. True if that is the best so far.
  bool add(const SmallVector<int64_t> &bytes,
           const llvm::StringMap<FunctionMemory> &found);

  ArrayRef<StorageGroup> groups;
  std::vector<StorageSearch> searches;
  /// What was tried, and whether all fit.
  std::map<SmallVector<int64_t>, bool> tried;
  /// Of those that fit the one that takes the least time.
  std::optional<SmallVector<int64_t>> fastest;
  int64_t leastTime = 0;
};
} // namespace

std::optional<SmallVector<int64_t>> BudgetSearch::getNext() const {
  SmallVector<int64_t> next;
  for (auto [group, search] : llvm::zip_equal(groups, searches)) {
    bool isFixed = !group.isPlanned && !tried.empty();
    std::optional<int64_t> bytes = isFixed ? std::nullopt : search.getNext();
    next.push_back(bytes.value_or(search.getBest().value_or(0)));
  }
  return tried.count(next) ? std::nullopt : std::optional(next);
}

bool BudgetSearch::add(const SmallVector<int64_t> &bytes,
                       const llvm::StringMap<FunctionMemory> &found) {
  bool fits = true;
  int64_t time = 0;
  for (auto [group, number, search] :
       llvm::zip_equal(groups, bytes, searches)) {
    int64_t peak = 0;
    for (StringRef entry : group.entries) {
      const FunctionMemory &memory = found.find(entry)->second;
      peak = std::max(peak, memory.getPeakBytes());
      time += memory.time.value_or(0);
    }
    fits &= peak <= *group.budget;
    search.add(number, peak);
  }
  tried[bytes] = fits;
  bool isFastest = fits && (!fastest || time <= leastTime);
  if (isFastest) {
    fastest = bytes;
    leastTime = time;
  }
  bool isBest =
      llvm::all_of(llvm::zip_equal(searches, bytes), [](const auto &pair) {
        return std::get<0>(pair).getBest() == std::get<1>(pair);
      });
  return isFastest || (fits && isBest);
}

FailureOr<DerivativeStorage>
StoragePlanner::meetBudgets(llvm::function_ref<void()> keep) {
  BudgetSearch search(groups);
  auto attempt = [&](const SmallVector<int64_t> &bytes) {
    auto found = tryAll(bytes, "with a memory budget");
    if (failed(found))
      return failure();
    if (search.add(bytes, *found))
      keep();
    return success();
  };
  while (auto next = search.getNext())
    if (failed(attempt(*next)))
      return failure();
  SmallVector<int64_t> best, least;
  for (auto [group, each] : llvm::zip_equal(groups, search.searches)) {
    if (!each.getBest()) {
      report("expects a memory budget of at least " +
             llvm::Twine(each.getFewest()) + " bytes for " + group.getNames() +
             ", but got " + llvm::Twine(*group.budget));
      return failure();
    }
    best.push_back(*each.getBest());
    least.push_back(group.isPlanned ? kLeastStorage : 0);
  }
  if (!search.tried[best]) {
    if (!search.fastest && failed(attempt(least)))
      return failure();
    best = search.fastest.value_or(least);
  }
  DerivativeStorage storage;
  for (auto [group, bytes] : llvm::zip_equal(groups, best))
    group.setStorage(bytes, storage);
  return storage;
}

//===----------------------------------------------------------------------===//
// Curves
//===----------------------------------------------------------------------===//

FailureOr<llvm::StringMap<std::vector<MemoryPoint>>>
StoragePlanner::sweep(int64_t numPoints) {
  llvm::StringMap<StorageSweep> sweeps;
  for (const StorageGroup &group : groups)
    for (StringRef entry : group.entries)
      sweeps.try_emplace(entry, group.isPlanned ? numPoints : 1);
  while (true) {
    SmallVector<int64_t> bytes;
    SmallVector<const StorageGroup *> asked;
    for (const StorageGroup &group : groups) {
      std::optional<int64_t> next;
      for (StringRef entry : group.entries)
        if (!next)
          next = sweeps.find(entry)->second.getNext();
      bytes.push_back(next.value_or(0));
      if (next)
        asked.push_back(&group);
    }
    if (asked.empty())
      break;
    auto found = tryAll(bytes, "for a curve");
    if (failed(found))
      return failure();
    for (auto [group, number] : llvm::zip_equal(groups, bytes))
      if (llvm::is_contained(asked, &group))
        for (StringRef entry : group.entries) {
          const FunctionMemory &memory = (*found)[entry];
          sweeps.find(entry)->second.add(
              number, {memory.getPeakBytes(), memory.time.value_or(0)});
        }
  }
  llvm::StringMap<std::vector<MemoryPoint>> curves;
  for (auto &[entry, sweep] : sweeps)
    curves[entry] = sweep.getCurve();
  return curves;
}
