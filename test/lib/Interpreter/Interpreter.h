//===- Interpreter.h - Evaluates programs on arrays ----------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// This file declares an interpreter of func, arith, math, complex, tensor,
// linalg and scf. It shares no code with memrev's code generation, so that it
// checks derivatives alone, and it says what compiled code would not: reads of
// elements that nothing wrote, indices out of bounds, parallel iterations that
// write different values to one element.
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_TEST_LIB_INTERPRETER_INTERPRETER_H
#define MEMREV_TEST_LIB_INTERPRETER_INTERPRETER_H

#include "Datum.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"
#include <limits>
#include <string>

namespace mlir::memrev::testing {

/// How near an evaluation came to a point where the function jumps or bends.
struct Kinks {
  /// The smallest distance, relative to the numbers compared where they are
  /// large. Equal numbers have none: they may be equal wherever one looks,
  /// which `decisions` tells.
  double margin = std::numeric_limits<double>::infinity();
  /// A hash of the outcome of every comparison, in order.
  uint64_t decisions = 0xcbf29ce484222325;

  /// Records that `a` and `b` were compared.
  void compare(double a, double b);
  /// Records that the function is not smooth at `distance` from here.
  void approach(double distance);
  /// Records an outcome without a distance.
  void decide(int64_t outcome);
};

class Machine;
struct Code;

/// An operation whose values have places in a frame.
struct Instruction {
  using Run = LogicalResult (*)(Machine &, const Instruction &);
  using Scalar = void (*)(Machine &, const Instruction &, const Cell *, Cell *);

  Operation *op = nullptr;
  Run run = nullptr;
  /// What an elementwise operation does with each element.
  Scalar scalar = nullptr;
  SmallVector<unsigned, 4> operands;
  SmallVector<unsigned, 2> results;
  SmallVector<ElementKind, 2> operandKinds;
  SmallVector<ElementKind, 2> resultKinds;
  SmallVector<std::shared_ptr<Code>, 1> regions;
  /// An attribute's number: a predicate.
  int64_t immediate = 0;
  /// What `run` found out about the operation the first time.
  mutable std::shared_ptr<void> memo;
};

/// The operations of a block.
struct Code {
  SmallVector<unsigned> arguments;
  std::vector<Instruction> body;
};

/// Runs the functions of a module.
class Interpreter {
public:
  struct Options {
    /// Whether numbers are rounded to their types. Without, everything is in
    /// double precision: derivatives can then be compared with differences
    /// whatever the types.
    bool round = true;
    /// Where the operations of the program leave how near they came to kinks.
    Kinks *kinks = nullptr;
    /// The number of operations after which a run fails.
    int64_t maxSteps = 20'000'000;
    /// The largest magnitude seen, if not null.
    double *largest = nullptr;
  };

  explicit Interpreter(ModuleOp module);
  ~Interpreter();

  /// Calls `function`. On failure `getError` says why and where.
  FailureOr<SmallVector<Datum>>
  call(StringRef function, ArrayRef<Datum> arguments, const Options &options);

  StringRef getError() const { return error; }

  /// The names of the operations that it evaluates.
  static llvm::StringSet<> getOperations();

private:
  friend class Machine;
  struct Function;
  FailureOr<Function *> getFunction(StringRef name);

  ModuleOp module;
  llvm::StringMap<std::unique_ptr<Function>> functions;
  std::string error;
};

/// What the operations of one run see.
class Machine {
public:
  Machine(Interpreter &interpreter, const Interpreter::Options &options)
      : interpreter(interpreter), options(options) {}

  Datum &get(unsigned slot) { return frame[slot]; }
  Datum &operand(const Instruction &i, unsigned n) {
    return frame[i.operands[n]];
  }
  int64_t integer(const Instruction &i, unsigned n) {
    return operand(i, n).read()[0].integer;
  }
  void set(const Instruction &i, unsigned n, Datum value) {
    frame[i.results[n]] = std::move(value);
  }

  /// Runs the instructions of `code`, whose arguments are set. The operands of
  /// the terminator are in its last instruction's slots afterwards.
  LogicalResult run(const Code &code);

  LogicalResult call(StringRef function, ArrayRef<Datum> arguments,
                     SmallVectorImpl<Datum> &results);

  /// Reports an error at `op`.
  LogicalResult fail(Operation *op, const Twine &message);

  /// `value` as a number of `kind`.
  double round(const ElementKind &kind, double value) {
    return options.round ? roundTo(kind.kind, value) : value;
  }
  Kinks *kinks() { return options.kinks; }

  /// The loops of the linalg operations that are being run, innermost last.
  SmallVector<ArrayRef<int64_t>> iterations;

private:
  friend class Interpreter;
  Interpreter &interpreter;
  const Interpreter::Options &options;
  MutableArrayRef<Datum> frame;
  int64_t steps = 0;
  unsigned depth = 0;
};

/// How an operation is evaluated.
struct Handler {
  Instruction::Run run = nullptr;
  Instruction::Scalar scalar = nullptr;
};
using Handlers = llvm::StringMap<Handler>;

void addScalarHandlers(Handlers &handlers);
void addComplexHandlers(Handlers &handlers);
void addTensorHandlers(Handlers &handlers);
void addStructuredHandlers(Handlers &handlers);
void addControlFlowHandlers(Handlers &handlers);

/// The handler of every structured operation of linalg.
LogicalResult runStructured(Machine &machine, const Instruction &instruction);

/// Evaluates an elementwise operation on scalars or tensors.
LogicalResult runElementwise(Machine &machine, const Instruction &instruction);

/// What elements that nothing wrote hold.
Cell getUnwritten(const ElementKind &kind);

} // namespace mlir::memrev::testing

#endif // MEMREV_TEST_LIB_INTERPRETER_INTERPRETER_H
