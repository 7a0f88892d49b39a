//===- Shrink.cpp - Makes failing programs small --------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Shrink.h"
#include "Derivatives.h"
#include "Generator.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Parser/Parser.h"
#include "llvm/ADT/StringExtras.h"
#include <csignal>
#include <sys/wait.h>
#include <unistd.h>

using namespace mlir;
using namespace mlir::memrev::testing;

namespace {

class Shrinker {
public:
  Shrinker(ModuleOp program, const std::string &check, uint64_t seed,
           const CheckOptions &options)
      : best(program.clone()), check(check), seed(seed), options(options) {}

  OwningOpRef<ModuleOp> run();

private:
  /// Whether `candidate` fails as the program does.
  bool fails(ModuleOp candidate);
  /// Takes a copy that `change` made smaller, if it still fails. `change`
  /// returns false if there is nothing to do.
  bool attempt(function_ref<bool(ModuleOp)> change);
  bool dropResults();
  bool dropOperations();
  bool dropRegions();
  bool dropArguments();
  bool shrinkExtents();

  OwningOpRef<ModuleOp> best;
  const std::string &check;
  uint64_t seed;
  const CheckOptions &options;
  int64_t attempts = 0;
};

} // namespace

bool mlir::memrev::testing::crashes(ModuleOp program, uint64_t seed,
                                    const CheckOptions &options) {
  pid_t child = fork();
  if (child == 0) {
    // A crash is expected: no report of it.
    for (int signal : {SIGSEGV, SIGABRT, SIGBUS, SIGILL, SIGFPE})
      (void)std::signal(signal, SIG_DFL);
    (void)freopen("/dev/null", "w", stderr);
    alarm(20);
    CheckCounts ignored;
    (void)check(program, seed, options, ignored);
    _exit(0);
  }
  int status = 0;
  return child > 0 && waitpid(child, &status, 0) == child &&
         WIFSIGNALED(status);
}

bool Shrinker::fails(ModuleOp candidate) {
  if (++attempts > 3000)
    return false;
  ScopedDiagnosticHandler quiet(candidate.getContext(),
                                [](Diagnostic &) { return success(); });
  if (failed(verify(candidate)))
    return false;
  if (check == kCrash)
    return crashes(candidate, seed, options);
  CheckCounts ignored;
  // The point depends on the shapes: give smaller programs a few.
  for (uint64_t other : {seed, seed + 1000003}) {
    std::optional<Finding> finding =
        mlir::memrev::testing::check(candidate, other, options, ignored);
    if (finding && finding->check == check) {
      seed = other;
      candidate->setAttr(
          "fuzz.seed",
          IntegerAttr::get(IntegerType::get(candidate.getContext(), 64),
                           APInt(64, other)));
      return true;
    }
  }
  return false;
}

/// Erases what nothing uses.
static void eraseDead(ModuleOp module) {
  bool changed = true;
  while (changed) {
    changed = false;
    SmallVector<Operation *> dead;
    module.walk<WalkOrder::PostOrder>([&](Operation *op) {
      if (isOpTriviallyDead(op))
        dead.push_back(op);
    });
    for (Operation *op : dead) {
      op->erase();
      changed = true;
    }
  }
}

bool Shrinker::attempt(function_ref<bool(ModuleOp)> change) {
  OwningOpRef<ModuleOp> candidate = best->clone();
  if (!change(*candidate))
    return false;
  eraseDead(*candidate);
  if (!fails(*candidate))
    return false;
  best = std::move(candidate);
  return true;
}

bool Shrinker::dropResults() {
  bool any = false;
  for (unsigned n = 0; n < Signature(*best).func.getNumResults();) {
    bool dropped = attempt([&](ModuleOp module) {
      Signature signature(module);
      if (signature.func.getNumResults() < 2)
        return false;
      signature.func.getBody().front().getTerminator()->eraseOperand(n);
      (void)signature.func.eraseResult(n);
      SmallVector<int64_t> of;
      for (int64_t k : signature.of)
        if (k != n)
          of.push_back(k - (k > n));
      signature.func->setAttr(kOfAttr,
                              DenseI64ArrayAttr::get(module.getContext(), of));
      return true;
    });
    any |= dropped;
    n += !dropped;
  }
  return any;
}

/// The operations that may be dropped, last first.
static SmallVector<Operation *> getOperations(ModuleOp module) {
  SmallVector<Operation *> ops;
  module.walk<WalkOrder::PreOrder>([&](Operation *op) {
    if (op->getNumResults() && !op->hasTrait<OpTrait::IsTerminator>() &&
        !op->hasTrait<OpTrait::ConstantLike>())
      ops.push_back(op);
  });
  std::reverse(ops.begin(), ops.end());
  return ops;
}

bool Shrinker::dropOperations() {
  bool any = false;
  for (size_t n = 0; n < getOperations(*best).size();) {
    bool dropped = false;
    // First an operand takes the place of the result, then a constant does.
    unsigned numOperands = getOperations(*best)[n]->getNumOperands();
    for (unsigned k = 0; k <= numOperands && !dropped; ++k)
      dropped = attempt([&](ModuleOp module) {
        Operation *op = getOperations(module)[n];
        OpBuilder b(op);
        for (Value result : op->getResults()) {
          if (result.use_empty())
            continue;
          Value substitute;
          if (k < numOperands &&
              op->getOperand(k).getType() == result.getType())
            substitute = op->getOperand(k);
          auto type = dyn_cast<RankedTensorType>(result.getType());
          if (k == numOperands && isa<FloatType>(result.getType()))
            substitute = arith::ConstantOp::create(
                b, op->getLoc(), b.getFloatAttr(result.getType(), 0.5));
          else if (k == numOperands && type && type.hasStaticShape() &&
                   isa<FloatType>(type.getElementType()))
            substitute = arith::ConstantOp::create(
                b, op->getLoc(),
                DenseElementsAttr::get(type, Attribute(b.getFloatAttr(
                                                 type.getElementType(), 0.5))));
          if (!substitute)
            return false;
          result.replaceAllUsesWith(substitute);
        }
        if (!op->use_empty())
          return false;
        op->erase();
        return true;
      });
    any |= dropped;
    n += !dropped;
  }
  return any;
}

/// Replaces `op` by the contents of its region `number`, as if it ran once.
static bool inlineRegion(Operation *op, unsigned number) {
  if (op->getRegion(number).empty())
    return false;
  Block &block = op->getRegion(number).front();
  Operation *terminator = block.getTerminator();
  OpBuilder b(op);
  auto findLike = [&](Type type, unsigned position) -> Value {
    if (type.isIndex())
      return arith::ConstantIndexOp::create(b, op->getLoc(), 0);
    // The operand that is as far from the end as the argument is.
    unsigned fromEnd = block.getNumArguments() - position;
    if (fromEnd <= op->getNumOperands()) {
      Value operand = op->getOperand(op->getNumOperands() - fromEnd);
      if (operand.getType() == type)
        return operand;
    }
    return {};
  };
  for (auto [n, argument] : llvm::enumerate(block.getArguments())) {
    Value substitute = findLike(argument.getType(), n);
    if (!substitute)
      return false;
    argument.replaceAllUsesWith(substitute);
  }
  for (auto [n, result] : llvm::enumerate(op->getResults())) {
    unsigned fromEnd = op->getNumResults() - n;
    Value substitute;
    if (fromEnd <= terminator->getNumOperands())
      substitute =
          terminator->getOperand(terminator->getNumOperands() - fromEnd);
    else if (fromEnd <= op->getNumOperands())
      substitute = op->getOperand(op->getNumOperands() - fromEnd);
    if (result.use_empty())
      continue;
    if (!substitute || substitute.getType() != result.getType())
      return false;
    result.replaceAllUsesWith(substitute);
  }
  for (Operation &inner :
       llvm::make_early_inc_range(block.without_terminator()))
    inner.moveBefore(op);
  op->erase();
  return true;
}

bool Shrinker::dropRegions() {
  bool any = false;
  for (size_t n = 0; n < getOperations(*best).size();) {
    bool dropped = false;
    unsigned count = getOperations(*best)[n]->getNumRegions();
    for (unsigned k = 0; k < count && !dropped; ++k)
      dropped = attempt([&](ModuleOp module) {
        return inlineRegion(getOperations(module)[n], k);
      });
    any |= dropped;
    n += !dropped;
  }
  return any;
}

bool Shrinker::dropArguments() {
  bool any = false;
  for (unsigned n = 0; n < Signature(*best).func.getNumArguments();) {
    // First leave it out of what is differentiated, then altogether.
    any |= attempt([&](ModuleOp module) {
      Signature signature(module);
      SmallVector<int64_t> wrt;
      for (int64_t k : signature.wrt)
        if (k != n)
          wrt.push_back(k);
      if (wrt.empty() || wrt.size() == signature.wrt.size())
        return false;
      signature.func->setAttr(kWrtAttr,
                              DenseI64ArrayAttr::get(module.getContext(), wrt));
      return true;
    });
    bool dropped = attempt([&](ModuleOp module) {
      Signature signature(module);
      if (!signature.func.getArgument(n).use_empty() ||
          signature.func.getNumArguments() < 2)
        return false;
      (void)signature.func.eraseArgument(n);
      SmallVector<int64_t> wrt;
      for (int64_t k : signature.wrt)
        if (k != n)
          wrt.push_back(k - (k > n));
      if (wrt.empty())
        return false;
      signature.func->setAttr(kWrtAttr,
                              DenseI64ArrayAttr::get(module.getContext(), wrt));
      return true;
    });
    any |= dropped;
    n += !dropped;
  }
  return any;
}

/// Replaces an extent by another one wherever it stands in a tensor's type or
/// in an argument's shape: the verifier says whether that is a program.
bool Shrinker::shrinkExtents() {
  bool any = false;
  for (auto [from, to] : {std::pair(4, 2), {3, 2}, {4, 1}, {3, 1}, {2, 1}}) {
    std::string text;
    {
      llvm::raw_string_ostream os(text);
      best->print(os, OpPrintingFlags().useLocalScope());
    }
    std::string changed;
    size_t position = 0;
    std::string digit = std::to_string(from);
    while (position < text.size()) {
      bool startsNumber = position > 0 && !llvm::isDigit(text[position - 1]) &&
                          text.compare(position, digit.size(), digit) == 0;
      char before = position > 0 ? text[position - 1] : ' ';
      char after = position + digit.size() < text.size()
                       ? text[position + digit.size()]
                       : ' ';
      if (startsNumber && after == 'x' && (before == '<' || before == 'x')) {
        changed += std::to_string(to);
        position += digit.size();
        continue;
      }
      changed += text[position++];
    }
    if (changed == text)
      continue;
    ScopedDiagnosticHandler quiet(best->getContext(),
                                  [](Diagnostic &) { return success(); });
    OwningOpRef<ModuleOp> candidate =
        parseSourceString<ModuleOp>(changed, best->getContext());
    if (!candidate)
      continue;
    Signature signature(*candidate);
    for (auto [n, type] : llvm::enumerate(signature.func.getArgumentTypes()))
      if (auto tensor = dyn_cast<RankedTensorType>(type)) {
        auto shape =
            signature.func.getArgAttrOfType<DenseI64ArrayAttr>(n, kShapeAttr);
        if (!shape)
          continue;
        SmallVector<int64_t> extents(shape.asArrayRef());
        for (auto [extent, size] : llvm::zip(extents, tensor.getShape()))
          if (extent == from)
            extent = to;
        signature.func.setArgAttr(
            n, kShapeAttr, DenseI64ArrayAttr::get(best->getContext(), extents));
      }
    if (!fails(*candidate))
      continue;
    best = std::move(candidate);
    any = true;
  }
  return any;
}

OwningOpRef<ModuleOp> Shrinker::run() {
  bool changed = true;
  while (changed) {
    changed = dropResults();
    changed |= dropOperations();
    changed |= dropRegions();
    changed |= dropArguments();
    changed |= shrinkExtents();
  }
  return std::move(best);
}

OwningOpRef<ModuleOp>
mlir::memrev::testing::shrink(ModuleOp program, const std::string &check,
                              uint64_t seed, const CheckOptions &options) {
  Shrinker shrinker(program, check, seed, options);
  return shrinker.run();
}
