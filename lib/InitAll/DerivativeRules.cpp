//===- DerivativeRules.cpp - Which operations have which rules ------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/InitAll.h"
#include "memrev/Interfaces/DecomposableOpInterface.h"
#include "memrev/Interfaces/DifferentiableOpInterface.h"
#include "memrev/Interfaces/ForwardDifferentiableOpInterface.h"
#include "memrev/Interfaces/InvertibleOpInterface.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OperationSupport.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace mlir::memrev;

static constexpr llvm::StringLiteral introduction =
    R"(# Operations and their rules

Which operations have a rule in reverse mode (`vjp`), forward mode (`jvp`) and
for inversion. This page is the output of `memrev-opt --show-derivative-rules`,
which asks the registered interfaces; a test compares the two. What the rules
are made of is in [Rules.md](Rules.md).

* `rule`: the operation has a rule. It may not take every form of the operation;
  what it does not take is an error at the operation's location.
* `parts`: the operation is decomposed first, and the rules of its parts apply.
* `zero`: the results have no derivative or one of zero: what computes integers,
  rounds or stops a gradient.
* An empty cell: a gradient (or tangent) that flows through the operation is an
  error at its location. Operations without floats among their operands or
  results, as those that ask for a size, meet none.

Operations that end a region are part of the operation that owns it. The
transforms of `rev` (`rev.vjp`, `rev.jvp`, `rev.value_and_grad`, `rev.inverse`, `rev.log_det`) are
replaced by calls of functions before what they are in is differentiated.
)";

/// How an operation is differentiated in the mode of `Interface`.
template <typename Interface>
static StringRef describe(RegisteredOperationName name) {
  if (auto *rule = name.getInterface<DifferentiableOpInterface>())
    if (rule->isNeverActive())
      return "zero";
  if (name.hasInterface<Interface>())
    return "rule";
  // Reverse mode runs an scf.for backwards in place of these.
  bool becomesFor = std::is_same_v<Interface, DifferentiableOpInterface> &&
                    (name.getStringRef() == scf::ForallOp::getOperationName() ||
                     name.getStringRef() == scf::WhileOp::getOperationName());
  bool hasParts = becomesFor || name.hasInterface<DecomposableOpInterface>();
  return hasParts ? "parts" : "";
}

void memrev::printDerivativeRules(const DialectRegistry &registry,
                                  llvm::raw_ostream &os) {
  MLIRContext context(registry);
  os << introduction;
  for (StringRef dialect :
       {"arith", "complex", "func", "linalg", "math", "rev", "scf", "tensor"}) {
    if (!context.getOrLoadDialect(dialect))
      continue;
    os << "\n## " << dialect << "\n\n| operation | vjp | jvp | inverse |\n"
       << "|---|---|---|---|\n";
    SmallVector<RegisteredOperationName> names;
    for (RegisteredOperationName name : context.getRegisteredOperations())
      if (name.getDialectNamespace() == dialect &&
          !name.hasTrait<OpTrait::IsTerminator>())
        names.push_back(name);
    llvm::sort(names, [](RegisteredOperationName a, RegisteredOperationName b) {
      return a.getStringRef() < b.getStringRef();
    });
    for (RegisteredOperationName name : names) {
      os << "| `" << name.getStringRef() << "` | "
         << describe<DifferentiableOpInterface>(name) << " | "
         << describe<ForwardDifferentiableOpInterface>(name) << " | "
         << (name.hasInterface<InvertibleOpInterface>() ? "rule" : "")
         << " |\n";
    }
  }
}
