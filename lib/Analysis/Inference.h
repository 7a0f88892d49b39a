//===- Inference.h - Inverses of programs without couplings ----*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_LIB_ANALYSIS_INFERENCE_H
#define MEMREV_LIB_ANALYSIS_INFERENCE_H

#include "memrev/Analysis/Activity.h"
#include "memrev/Interfaces/InvertibleOpInterface.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/SmallPtrSet.h"
#include <optional>
#include <string>

namespace mlir::memrev {

/// An inverse edge that may be followed.
struct InverseLink {
  Operation *op;
  unsigned edge;
  SmallVector<Value, 1> solved;
  /// What is evaluated again for it, from values that others read, too.
  SmallVector<Operation *> cone;
  SmallVector<Value> leaves;
  /// What it gives back for derivatives, and for edges that the plan has, and
  /// what of the cone they read.
  llvm::SmallDenseSet<Value, 2> read, readInside;
  bool isUsed = false;
  /// The plan has the edge, of a call. The cone is what the call is given.
  bool isPlanned = false;
};

/// Why an inverse edge was not followed to a value.
struct LinkFailure {
  enum Reason {
    /// It may lose too many digits.
    LosesDigits,
    /// What it starts from is computed from the value.
    NeedsItself,
    /// What it starts from is not evaluated again.
    NeedsStored,
    /// What it starts from takes long to evaluate, from arguments alone.
    TakesLong,
    /// The operation gives another of its operands back.
    GivesAnother,
    /// It only enlarges arguments, and is made of them again.
    IsMadeAgain,
    /// What is behind the operation reads the value before that is undone.
    IsReadBefore,
    /// The chain of edges starts from too many bytes.
    StartsFromMuch
  };
  Operation *op;
  Reason reason;
  /// What the edge starts from, beside the results of the operation.
  Value start;
  /// Of the chain.
  int64_t starts = 0, givenBack = 0;
};

/// Walks a block from its end, as its derivative does.
class Inference {
public:
  Inference(Block &block, const Activity &activity);

  void run();

private:
  /// Values that all of the rest of the program starts from have no number.
  static constexpr unsigned kNoLink = ~0u;

  bool isLocal(Value value) const {
    return value.getDefiningOp() && value.getParentBlock() == &block;
  }
  void collectReads(Operation *op);
  /// Declares that the backward part reads `value` at the current operation.
  void read(Value value);
  /// Has what the planned inverse of a call is given beside results evaluated
  /// again, a network's parameters for example. False if that is not possible.
  bool tryPlanned(Operation *op, unsigned number, const InverseEdge &edge);
  void tryLinks(Operation *op);
  /// With `mayStart` the link may start from values that are not at hand yet.
  bool tryLink(Operation *op, unsigned number, const InverseEdge &edge,
               bool mayStart);
  /// True if `value`, which an inverse of its own operation would start from,
  /// is not there anyway and made of nothing but `solved`, which is smaller: a
  /// broadcast, or numbers of a wider type, are made again rather than kept.
  bool isEnlarged(Value value, ArrayRef<Value> solved) const;
  /// Finds what has to be evaluated for `link`, and from what. Fails if that
  /// depends on what it solves for or is not evaluated again.
  std::optional<LinkFailure::Reason> findCone(InverseLink &link,
                                          ArrayRef<Value> from) const;
  /// True if `op`, whose users have been decided on, belongs to a cone.
  static bool isInside(Operation *op, Operation *end,
                       const llvm::SmallPtrSetImpl<Operation *> &cone,
                       Block &block);
  /// Drops links that nobody reads.
  void findUsed();
  void write();
  /// Says why `value`, which the derivative reads, is not given back.
  std::string explain(Value value) const;

  Block &block;
  const Activity &activity;
  DenseMap<Operation *, unsigned> positions;
  SmallVector<InverseLink> links;
  /// The values at hand, and the link that gives each of them back. Those
  /// without one are stored, or were given back by the plan's edges.
  DenseMap<Value, unsigned> known;
  /// The link that each value is evaluated again for.
  DenseMap<Value, unsigned> inside;
  /// Values that edges of the plan give back.
  llvm::DenseSet<Value> planned;
  /// What the derivative reads of what is stored.
  llvm::SetVector<Value> stored;
  /// Whose inverse starts from what is stored, and whose would: nobody may
  /// read what that gives back, or its chain starts from too much.
  DenseMap<Value, Operation *> starts, keptFor;
  /// The first edge for each value that was not followed.
  DenseMap<Value, LinkFailure> failures;
  /// By how much the errors of edges that lose digits grow, all together.
  double gain = 1;
};

} // namespace mlir::memrev

#endif // MEMREV_LIB_ANALYSIS_INFERENCE_H
