//===- Interpreter.cpp - Evaluates programs on arrays ---------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Interpreter.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "llvm/ADT/DenseMap.h"
#include <cmath>

using namespace mlir;
using namespace mlir::memrev::testing;

//===----------------------------------------------------------------------===//
// Kinks
//===----------------------------------------------------------------------===//

void Kinks::decide(int64_t outcome) {
  decisions = (decisions ^ uint64_t(outcome)) * 0x100000001b3;
  decisions ^= decisions >> 29;
}

void Kinks::approach(double distance) {
  margin = std::min(margin, std::abs(distance));
}

void Kinks::compare(double a, double b) {
  decide(a < b ? 1 : a > b ? 2 : a == b ? 3 : 4);
  if (a == b || !std::isfinite(a) || !std::isfinite(b))
    return;
  approach((a - b) / std::max({1.0, std::abs(a), std::abs(b)}));
}

//===----------------------------------------------------------------------===//
// From operations to instructions
//===----------------------------------------------------------------------===//

namespace {

const Handlers &getHandlers() {
  static const Handlers handlers = [] {
    Handlers all;
    addScalarHandlers(all);
    addComplexHandlers(all);
    addTensorHandlers(all);
    addStructuredHandlers(all);
    addControlFlowHandlers(all);
    return all;
  }();
  return handlers;
}

/// Gives the values of a function places in its frame.
class Translator {
public:
  explicit Translator(std::string &error) : error(error) {}

  LogicalResult translate(Block &block, Code &code) {
    for (BlockArgument argument : block.getArguments())
      code.arguments.push_back(addSlot(argument));
    for (Operation &op : block) {
      Instruction instruction;
      if (failed(translate(op, instruction)))
        return failure();
      code.body.push_back(std::move(instruction));
    }
    return success();
  }

  unsigned getNumSlots() const { return slots.size(); }

private:
  unsigned addSlot(Value value) {
    unsigned slot = slots.size();
    slots[value] = slot;
    return slot;
  }

  LogicalResult addKinds(Operation &op, TypeRange types,
                         SmallVectorImpl<ElementKind> &kinds) {
    for (Type type : types) {
      std::optional<ElementKind> kind = getElementKind(type);
      if (!kind) {
        llvm::raw_string_ostream os(error);
        os << "the interpreter has no numbers of type " << type << ", which '"
           << op.getName() << "' uses";
        return failure();
      }
      kinds.push_back(*kind);
    }
    return success();
  }

  LogicalResult translate(Operation &op, Instruction &instruction) {
    const Handlers &handlers = getHandlers();
    instruction.op = &op;
    auto found = handlers.find(op.getName().getStringRef());
    if (found != handlers.end()) {
      instruction.run = found->second.run;
      instruction.scalar = found->second.scalar;
    } else if (isa<linalg::LinalgOp>(op)) {
      instruction.run = runStructured;
    } else if (!op.hasTrait<OpTrait::IsTerminator>() || op.getNumRegions()) {
      error = ("the interpreter has no operation '" +
               op.getName().getStringRef() + "'")
                  .str();
      return failure();
    }
    for (Value operand : op.getOperands())
      instruction.operands.push_back(slots.lookup(operand));
    if (failed(addKinds(op, op.getOperandTypes(), instruction.operandKinds)) ||
        failed(addKinds(op, op.getResultTypes(), instruction.resultKinds)))
      return failure();
    if (auto predicate = op.getAttrOfType<IntegerAttr>("predicate"))
      instruction.immediate = predicate.getInt();
    for (Region &region : op.getRegions()) {
      auto code = std::make_shared<Code>();
      if (!region.empty()) {
        if (!region.hasOneBlock()) {
          error = "the interpreter has no branches between blocks";
          return failure();
        }
        if (failed(translate(region.front(), *code)))
          return failure();
      }
      instruction.regions.push_back(std::move(code));
    }
    for (Value result : op.getResults())
      instruction.results.push_back(addSlot(result));
    return success();
  }

  std::string &error;
  DenseMap<Value, unsigned> slots;
};

} // namespace

//===----------------------------------------------------------------------===//
// Interpreter
//===----------------------------------------------------------------------===//

struct Interpreter::Function {
  Code code;
  unsigned numSlots = 0;
};

Interpreter::Interpreter(ModuleOp module) : module(module) {}
Interpreter::~Interpreter() = default;

llvm::StringSet<> Interpreter::getOperations() {
  llvm::StringSet<> names;
  for (const auto &handler : getHandlers())
    names.insert(handler.first());
  return names;
}

FailureOr<Interpreter::Function *> Interpreter::getFunction(StringRef name) {
  std::unique_ptr<Function> &function = functions[name];
  if (function)
    return function.get();
  auto op = module.lookupSymbol<func::FuncOp>(name);
  if (!op || op.isExternal() || !llvm::hasSingleElement(op.getBody())) {
    error = ("no function '" + name + "' of one block").str();
    return failure();
  }
  auto made = std::make_unique<Function>();
  Translator translator(error);
  if (failed(translator.translate(op.getBody().front(), made->code))) {
    error += (" in '" + name + "'").str();
    return failure();
  }
  made->numSlots = translator.getNumSlots();
  function = std::move(made);
  return function.get();
}

FailureOr<SmallVector<Datum>> Interpreter::call(StringRef function,
                                                ArrayRef<Datum> arguments,
                                                const Options &options) {
  error.clear();
  Machine machine(*this, options);
  SmallVector<Datum> results;
  if (failed(machine.call(function, arguments, results)))
    return failure();
  return results;
}

//===----------------------------------------------------------------------===//
// Machine
//===----------------------------------------------------------------------===//

LogicalResult Machine::fail(Operation *op, const Twine &message) {
  if (interpreter.error.empty()) {
    std::string text;
    llvm::raw_string_ostream os(text);
    op->print(os, OpPrintingFlags().skipRegions().useLocalScope());
    interpreter.error = (message + " in\n  " + text).str();
  }
  return failure();
}

LogicalResult Machine::run(const Code &code) {
  for (const Instruction &instruction : code.body) {
    if (++steps > options.maxSteps)
      return fail(instruction.op, "too many steps");
    if (!instruction.run)
      continue;
    if (failed(instruction.run(*this, instruction)))
      return failure();
    if (options.largest)
      for (auto [slot, kind] :
           llvm::zip_equal(instruction.results, instruction.resultKinds))
        if (kind.isFloat())
          for (Cell cell : frame[slot].read()) {
            // Constants may be infinite: reductions start from them. What is
            // computed is not.
            if (std::isfinite(cell.real))
              *options.largest =
                  std::max(*options.largest, std::abs(cell.real));
            else if (instruction.scalar)
              *options.largest = std::numeric_limits<double>::infinity();
          }
  }
  return success();
}

LogicalResult Machine::call(StringRef name, ArrayRef<Datum> arguments,
                            SmallVectorImpl<Datum> &results) {
  FailureOr<Interpreter::Function *> function = interpreter.getFunction(name);
  if (failed(function))
    return failure();
  if (depth > 64) {
    interpreter.error = "calls are nested too deeply";
    return failure();
  }
  std::vector<Datum> values((*function)->numSlots);
  for (auto [slot, argument] :
       llvm::zip_equal((*function)->code.arguments, arguments))
    values[slot] = argument;
  MutableArrayRef<Datum> caller = frame;
  frame = values;
  ++depth;
  LogicalResult result = run((*function)->code);
  --depth;
  if (succeeded(result))
    for (unsigned slot : (*function)->code.body.back().operands)
      results.push_back(frame[slot]);
  frame = caller;
  return result;
}

Cell mlir::memrev::testing::getUnwritten(const ElementKind &kind) {
  if (kind.isFloat())
    return Cell(std::numeric_limits<double>::quiet_NaN());
  return Cell(wrapTo(kind.width, 0x5a5a5a5a5a5a5a5a));
}
