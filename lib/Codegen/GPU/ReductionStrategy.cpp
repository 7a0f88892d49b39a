//===- ReductionStrategy.cpp - Sizes of kernels that reduce ---------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelStrategy.h"

using namespace mlir;
using namespace mlir::memrev;
using namespace mlir::memrev::simt;

/// Threads of a block.
static constexpr int64_t kThreads = 256;

/// Shared memory that a block has without asking for more.
static constexpr int64_t kPlainSharedBytes = 48 * 1024;

/// Vectors that a thread reduces before more threads are worth what it costs to
/// combine theirs: within a block, and in a second kernel.
static constexpr int64_t kVectorsOfThread = 4, kVectorsOfSplit = 8;

/// The smallest power of two that is at least `number`.
static int64_t roundUp(int64_t number) {
  return static_cast<int64_t>(llvm::PowerOf2Ceil(number));
}

//===----------------------------------------------------------------------===//
// The attribute
//===----------------------------------------------------------------------===//

/// Calls `visit(name, field)` for every number.
template <typename StrategyT, typename Visitor>
static void visitNumbers(StrategyT &strategy, Visitor &&visit) {
  visit("vector_dim", strategy.vectorDim);
  visit("lanes", strategy.lanes);
  visit("along", strategy.along);
  visit("across", strategy.across);
  visit("unroll", strategy.unroll);
  visit("splits", strategy.splits);
}

DictionaryAttr ReductionStrategy::toAttribute(MLIRContext *context) const {
  Builder b(context);
  SmallVector<NamedAttribute> fields{
      b.getNamedAttr("engine", b.getStringAttr("reduction")),
      b.getNamedAttr("order", b.getDenseI64ArrayAttr(order)),
      b.getNamedAttr("reduced", b.getDenseI64ArrayAttr(reduced)),
  };
  visitNumbers(*this, [&](StringRef name, int64_t field) {
    fields.push_back(b.getNamedAttr(name, b.getI64IntegerAttr(field)));
  });
  return b.getDictionaryAttr(fields);
}

FailureOr<ReductionStrategy>
ReductionStrategy::fromAttribute(DictionaryAttr attribute,
                                 const Problem &problem) {
  ReductionStrategy strategy;
  auto order = attribute.getAs<DenseI64ArrayAttr>("order");
  auto reduced = attribute.getAs<DenseI64ArrayAttr>("reduced");
  bool ok = order && reduced;
  visitNumbers(strategy, [&](StringRef name, int64_t &field) {
    auto value = attribute.getAs<IntegerAttr>(name);
    ok &= value != nullptr;
    field = value ? value.getInt() : 0;
  });
  if (!ok)
    return failure();
  strategy.order.assign(order.asArrayRef().begin(), order.asArrayRef().end());
  strategy.reduced.assign(reduced.asArrayRef().begin(),
                          reduced.asArrayRef().end());
  if (!strategy.fits(problem))
    return failure();
  return strategy;
}

bool simt::hasCombiners(const Problem &problem) {
  return problem.isContraction ||
         llvm::all_of(problem.outputs, [](const Output &output) {
           return output.combiner != nullptr;
         });
}

SmallVector<Type> simt::getPartialTypes(const Problem &problem) {
  SmallVector<Type> types;
  for (const Output &output : problem.outputs)
    types.push_back(output.dest.elementType);
  if (!problem.isContraction)
    return types;
  // The body of a contraction gets the sum for the input that has no access.
  if (problem.body)
    for (auto [number, input] : llvm::enumerate(problem.inputs))
      if (!input)
        return {problem.body->getArgument(number).getType()};
  return types;
}

SmallVector<const Access *> simt::getTermAccesses(const Problem &problem) {
  if (problem.isContraction)
    return {&problem.lhs, &problem.rhs};
  SmallVector<const Access *> accesses;
  for (const std::optional<Access> &input : problem.inputs)
    accesses.push_back(&*input);
  return accesses;
}

bool ReductionStrategy::isRow(const Problem &problem) const {
  return vectorDim >= 0 && problem.isReduction[vectorDim];
}

int64_t ReductionStrategy::getResults(const Problem &problem) const {
  int64_t results = 1;
  for (int64_t dim : order)
    results *= problem.extents[dim];
  return isRow(problem) ? results : results / lanes;
}

int64_t ReductionStrategy::getTerms(const Problem &problem) const {
  int64_t terms = 1;
  for (int64_t dim : reduced)
    terms *=
        dim == vectorDim ? problem.extents[dim] / lanes : problem.extents[dim];
  return terms;
}

int64_t ReductionStrategy::getSharedBytes(const Problem &problem) const {
  if (along == 1)
    return 0;
  int64_t elements = isRow(problem)
                         ? (along > kWarpSize ? along / kWarpSize : 0)
                         : along * across * lanes;
  int64_t bytes = 0;
  for (Type type : getPartialTypes(problem))
    bytes += llvm::alignTo(elements * getByteSize(type), kVectorBytes);
  return bytes;
}

ReductionStrategy
ReductionStrategy::getCombination(const Problem &problem) const {
  ReductionStrategy combination;
  combination.order = order;
  combination.reduced = reduced;
  combination.across = std::min(combination.getResults(problem), kWarpSize);
  combination.along =
      std::min(roundUp(llvm::divideCeil(splits, kVectorsOfThread)),
               static_cast<int64_t>(
                   llvm::bit_floor<uint64_t>(kThreads / combination.across)));
  while (combination.getSharedBytes(problem) > kPlainSharedBytes)
    combination.along /= 2;
  return combination;
}

bool ReductionStrategy::fits(const Problem &problem) const {
  llvm::SmallBitVector seen(problem.getNumDims());
  auto areAll = [&](ArrayRef<int64_t> dims, bool isReduction) {
    for (int64_t dim : dims) {
      if (dim < 0 || dim >= static_cast<int64_t>(problem.getNumDims()) ||
          seen.test(dim) || problem.isReduction[dim] != isReduction)
        return false;
      seen.set(dim);
    }
    return true;
  };
  if (!areAll(order, false) || !areAll(reduced, true) || !seen.all() ||
      (reduced.empty() && !problem.isContraction))
    return false;
  auto isBetween = [](int64_t number, int64_t low, int64_t high) {
    return number >= low && number <= high;
  };
  if (!isBetween(lanes, 1, 16) || !llvm::isPowerOf2_64(lanes) ||
      !isBetween(along, 1, 1024) || !isBetween(across, 1, 1024) ||
      along * across > 1024 || !isBetween(unroll, 1, 8) || splits < 1 ||
      (vectorDim < 0 ? lanes > 1
                     : vectorDim >= static_cast<int64_t>(problem.getNumDims())))
    return false;
  bool row = isRow(problem);
  if (vectorDim >= 0 && (row ? reduced : order).back() != vectorDim)
    return false;
  // A vector of results is whole; of terms, each thread takes some of the rest.
  if (vectorDim >= 0 && !row && problem.extents[vectorDim] % lanes != 0)
    return false;
  if (getTerms(problem) < 1 || splits > getTerms(problem) ||
      getSharedBytes(problem) > kPlainSharedBytes)
    return false;
  // Lanes of a warp exchange what they have in halves.
  if (row && along > 1 &&
      (!llvm::isPowerOf2_64(along) || along * across % kWarpSize != 0 ||
       (along > kWarpSize && across > 1)))
    return false;
  if (hasCombiners(problem))
    return true;
  // Without combiners the terms are taken in their order.
  return along == 1 && splits == 1 && llvm::is_sorted(reduced) &&
         (!row || problem.extents[vectorDim] % lanes == 0);
}

//===----------------------------------------------------------------------===//
// The choice
//===----------------------------------------------------------------------===//

/// The dimension along which most of what is read lies one after another; -1 if
/// there is none.
static int64_t chooseVectorDim(const Problem &problem, bool canReduceLanes) {
  SmallVector<unsigned> dims, reduced;
  for (unsigned dim = 0; dim < problem.getNumDims(); ++dim)
    (problem.isReduction[dim] ? reduced : dims).push_back(dim);
  // Without that one thread has the terms in order.
  if (!canReduceLanes && !reduced.empty())
    reduced = {reduced.back()};
  llvm::append_range(dims, reduced);
  llvm::sort(dims);
  SmallVector<WeightedAccess> accesses;
  for (const Access *input : getTermAccesses(problem)) {
    // What most points read another element of is what takes the time.
    int64_t elements = 1;
    for (unsigned dim = 0; dim < problem.getNumDims(); ++dim)
      if (input->uses(dim))
        elements *= problem.extents[dim];
    accesses.push_back(
        {input, 2 * elements >= problem.getIterations() ? 4 : 1});
  }
  for (const Output &output : problem.outputs)
    accesses.push_back({&output.dest, 1});
  return findVectorDim(problem, dims, accesses);
}

ReductionStrategy simt::chooseReduction(const Problem &problem,
                                        const Chip &chip) {
  ReductionStrategy strategy;
  bool canCombine = hasCombiners(problem);
  strategy.order = getMemoryOrder(problem);
  for (unsigned dim = 0; dim < problem.getNumDims(); ++dim)
    if (problem.isReduction[dim])
      strategy.reduced.push_back(dim);
  int64_t vectorDim = strategy.vectorDim = chooseVectorDim(problem, canCombine);
  bool row = strategy.isRow(problem);
  int64_t streams = 0;
  if (vectorDim >= 0) {
    SmallVector<int64_t> &dims = row ? strategy.reduced : strategy.order;
    llvm::erase(dims, vectorDim);
    dims.push_back(vectorDim);
    // As wide as the widest of the inputs can be read.
    for (const Access *input : getTermAccesses(problem))
      if (!input->isScalar() && input->uses(vectorDim))
        strategy.lanes =
            std::max(strategy.lanes,
                     getVectorWidth(*input, problem, vectorDim, kVectorBytes));
    int64_t extent = problem.extents[vectorDim];
    while (strategy.lanes > extent ||
           (extent % strategy.lanes != 0 && (!row || !canCombine)))
      strategy.lanes /= 2;
  }
  for (const Access *input : getTermAccesses(problem))
    streams += !input->isScalar() &&
               llvm::any_of(strategy.reduced,
                            [&](int64_t dim) { return input->uses(dim); });

  int64_t results = strategy.getResults(problem);
  int64_t terms = strategy.getTerms(problem);
  int64_t wanted = roundUp(llvm::divideCeil(terms, kVectorsOfThread));
  if (!canCombine) {
    strategy.across = std::min<int64_t>(kThreads / 2, roundUp(results));
    return strategy;
  }
  if (row) {
    // With many results a warp each keeps all multiprocessors busy.
    int64_t most = results >= 16 * chip.multiprocessors ? kWarpSize : kThreads;
    strategy.along = std::min(wanted, most);
    strategy.across = std::max<int64_t>(1, kThreads / strategy.along);
    if (strategy.along > kWarpSize)
      strategy.across = 1;
    else
      while (strategy.across * strategy.along > kWarpSize &&
             strategy.across / 2 >= results)
        strategy.across /= 2;
  } else {
    // Neighbours read at least a few sectors of memory.
    constexpr int64_t minAcross = 32;
    strategy.across =
        std::min(results, results <= 2 * minAcross ? 2 * minAcross : minAcross);
    strategy.along = std::min(
        wanted, static_cast<int64_t>(llvm::bit_floor<uint64_t>(
                    std::max<int64_t>(1, kThreads / strategy.across))));
    strategy.across = std::min(results, kThreads / strategy.along);
    while (strategy.getSharedBytes(problem) > kPlainSharedBytes)
      strategy.along /= 2;
  }
  int64_t blocks = llvm::divideCeil(results, strategy.across);
  strategy.splits = std::clamp<int64_t>(
      4 * chip.multiprocessors / blocks, 1,
      std::max<int64_t>(1, terms / (strategy.along * kVectorsOfSplit)));
  strategy.unroll = std::clamp<int64_t>(
      kLoadsInFlight / std::max<int64_t>(streams, 1), 1, kLoadsInFlight);
  while (strategy.unroll > 1 &&
         terms < 2 * strategy.splits * strategy.along * strategy.unroll)
    strategy.unroll /= 2;
  return strategy;
}
