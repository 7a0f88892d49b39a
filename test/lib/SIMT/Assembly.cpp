//===- Assembly.cpp - Inline assembly in kernels --------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Instructions of inline assembly become the operations that the intrinsic
// functions of the same name are; what is left is moving bits and branching.
//
//===----------------------------------------------------------------------===//

#include "Assembly.h"
#include "Machine.h"
#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <map>

using namespace memrev::simt;

namespace {
struct Operand {
  enum Kind { Result, Argument, Register, Immediate, Ignored } kind = Ignored;
  unsigned index = 0;
  uint64_t value = 0;
};

/// What an instruction does besides operations of the machine.
enum class Action { Operation, Move, SetEqual, SetNotEqual, Select, Branch };

struct Instruction {
  std::optional<Operand> predicate;
  bool negated = false;
  Action action = Action::Operation;
  Operation operation;
  std::vector<Operand> results, arguments;
  /// Where a branch goes.
  size_t target = 0;
};
} // namespace

struct memrev::simt::AssemblyProgram {
  std::vector<Instruction> instructions;
  unsigned numRegisters = 0;
  std::vector<int> ties;
};

//===----------------------------------------------------------------------===//
// Execution
//===----------------------------------------------------------------------===//

static void runAssembly(Machine &machine, const Operation &operation,
                        Slots slots) {
  const AssemblyProgram &program = *operation.assembly;
  std::vector<uint64_t> registers(program.numRegisters);
  for (size_t i = 0; i < program.ties.size(); ++i)
    if (program.ties[i] >= 0)
      slots.results[i] = slots.arguments[program.ties[i]];
  auto get = [&](const Operand &operand) {
    switch (operand.kind) {
    case Operand::Result:
      return slots.results[operand.index];
    case Operand::Argument:
      return slots.arguments[operand.index];
    case Operand::Register:
      return registers[operand.index];
    default:
      return operand.value;
    }
  };
  auto isTrue = [&](const Operand &operand) { return (get(operand) & 1) != 0; };
  auto set = [&](const Operand &operand, uint64_t value) {
    if (operand.kind == Operand::Result)
      slots.results[operand.index] = value;
    else if (operand.kind == Operand::Register)
      registers[operand.index] = value;
  };
  Thread &thread = machine.getThread();
  for (size_t i = 0; i < program.instructions.size(); ++i) {
    const Instruction &instruction = program.instructions[i];
    if (instruction.predicate &&
        isTrue(*instruction.predicate) == instruction.negated)
      continue;
    std::vector<uint64_t> arguments, results(instruction.results.size());
    for (const Operand &argument : instruction.arguments)
      arguments.push_back(get(argument));
    switch (instruction.action) {
    case Action::Operation:
      thread.operation = &instruction.operation;
      thread.slots = {arguments.data(), results.data()};
      instruction.operation.run(machine, instruction.operation, thread.slots);
      break;
    case Action::Move:
      results[0] = arguments[0];
      break;
    case Action::SetEqual:
    case Action::SetNotEqual:
      results[0] = (static_cast<uint32_t>(arguments[0]) ==
                    static_cast<uint32_t>(arguments[1])) ==
                   (instruction.action == Action::SetEqual);
      break;
    case Action::Select:
      results[0] = arguments[2] & 1 ? arguments[0] : arguments[1];
      break;
    case Action::Branch:
      i = instruction.target - 1;
      continue;
    }
    for (size_t j = 0; j < results.size(); ++j)
      set(instruction.results[j], results[j]);
  }
}

//===----------------------------------------------------------------------===//
// Parsing
//===----------------------------------------------------------------------===//

namespace {
class Parser {
public:
  Parser(AssemblyProgram &program, std::string &error)
      : program(program), error(error) {}

  bool parse(const std::string &text);

private:
  bool fail(const std::string &message) {
    error = message;
    return false;
  }
  bool parseStatement(std::string text);
  bool parseOperands(const std::string &text, std::vector<Operand> &operands);
  bool parseOperand(std::string text, std::vector<Operand> &operands);
  bool select(Instruction &instruction, const std::string &opcode,
              std::vector<Operand> operands);

  AssemblyProgram &program;
  std::string &error;
  std::map<std::string, unsigned> registers;
  std::map<std::string, size_t> labels;
  std::vector<std::pair<size_t, std::string>> branches;
};
} // namespace

static std::string trim(const std::string &text) {
  size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string::npos)
    return "";
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

static bool startsWith(const std::string &text, const std::string &prefix) {
  return text.rfind(prefix, 0) == 0;
}

/// Splits at commas outside of braces and brackets.
static std::vector<std::string> split(const std::string &text) {
  std::vector<std::string> parts(1);
  int depth = 0;
  for (char c : text) {
    depth += (c == '{' || c == '[') - (c == '}' || c == ']');
    if (c == ',' && depth == 0)
      parts.emplace_back();
    else
      parts.back() += c;
  }
  if (parts.size() == 1 && trim(parts[0]).empty())
    parts.clear();
  return parts;
}

bool Parser::parseOperands(const std::string &text,
                           std::vector<Operand> &operands) {
  for (const std::string &part : split(text))
    if (!parseOperand(trim(part), operands))
      return false;
  return true;
}

/// Appends the values of an operand: those of vectors and addresses one by one.
bool Parser::parseOperand(std::string text, std::vector<Operand> &operands) {
  if (text.empty())
    return fail("expects an operand");
  if (text[0] == '{' || text[0] == '[')
    return parseOperands(text.substr(1, text.size() - 2), operands);
  Operand operand;
  char *end = nullptr;
  if (text == "_") {
    operand.kind = Operand::Ignored;
  } else if (text[0] == '$') {
    unsigned long number = std::strtoul(text.c_str() + 1, &end, 10);
    if (*end != '\0' || text.size() == 1)
      return fail("expects a number of an operand, but got '" + text + "'");
    bool isResult = number < program.ties.size();
    operand.kind = isResult ? Operand::Result : Operand::Argument;
    operand.index = isResult ? number : number - program.ties.size();
  } else if (startsWith(text, "0f") || startsWith(text, "0F")) {
    operand.kind = Operand::Immediate;
    operand.value = std::strtoul(text.c_str() + 2, &end, 16);
  } else if (std::isdigit(text[0]) || text[0] == '-') {
    operand.kind = Operand::Immediate;
    operand.value = std::strtoll(text.c_str(), &end, 0);
  } else if (registers.count(text)) {
    operand.kind = Operand::Register;
    operand.index = registers[text];
  } else {
    return fail("the emulator does not know the operand '" + text + "'");
  }
  operands.push_back(operand);
  return true;
}

/// Removes the parts of an opcode that say what is the same here: spaces of
/// addresses, scopes and orders of a block, and types.
static std::string normalize(const std::string &opcode) {
  std::string result;
  size_t begin = 0;
  while (begin <= opcode.size()) {
    size_t end = std::min(opcode.find('.', begin), opcode.size());
    std::string part = opcode.substr(begin, end - begin);
    begin = end + 1;
    static const char *const ignored[] = {
        "shared",  "shared::cta", "shared::cluster", "b64",     "acquire",
        "release", "cta",         "cluster",         "relaxed", "uni"};
    if (std::any_of(std::begin(ignored), std::end(ignored),
                    [&](const char *word) { return part == word; }))
      continue;
    result += (result.empty() ? "" : ".") + part;
  }
  return result;
}

bool Parser::select(Instruction &instruction, const std::string &opcode,
                    std::vector<Operand> operands) {
  Operation &operation = instruction.operation;
  operation.name = opcode;
  std::string name = normalize(opcode);
  auto unknown = [&]() {
    return fail("the emulator does not know the instruction '" + opcode + "'");
  };
  auto expect = [&](size_t minimum, size_t maximum) {
    return operands.size() >= minimum && operands.size() <= maximum;
  };
  /// The first operands are results, the others arguments.
  auto take = [&](size_t numResults) {
    instruction.results.assign(operands.begin(), operands.begin() + numResults);
    instruction.arguments.assign(operands.begin() + numResults, operands.end());
  };
  if (startsWith(name, "mov.") && expect(2, 2)) {
    instruction.action = Action::Move;
    take(1);
    return true;
  }
  if ((startsWith(name, "setp.ne.") || startsWith(name, "setp.eq.")) &&
      expect(3, 3)) {
    instruction.action =
        name[5] == 'n' ? Action::SetNotEqual : Action::SetEqual;
    take(1);
    return true;
  }
  if (startsWith(name, "selp.") && expect(4, 4)) {
    instruction.action = Action::Select;
    take(1);
    return true;
  }
  // Operations under the names of intrinsics.
  std::string intrinsic;
  if (name == "mbarrier.init" && expect(2, 2)) {
    intrinsic = "mbarrier.init.shared";
  } else if (name == "mbarrier.inval" && expect(1, 1)) {
    intrinsic = "mbarrier.inval.shared";
  } else if (name == "mbarrier.arrive" && expect(2, 2)) {
    intrinsic = "mbarrier.arrive.shared";
    take(1);
  } else if (name == "mbarrier.arrive.expect_tx" && expect(3, 3)) {
    intrinsic = "mbarrier.arrive.expect.tx.scope.cta.space.cta";
    take(1);
  } else if (name == "mbarrier.expect_tx" && expect(2, 2)) {
    intrinsic = "mbarrier.expect.tx.scope.cta.space.cta";
  } else if (name == "mbarrier.try_wait.parity" && expect(3, 4)) {
    intrinsic = "mbarrier.try.wait.parity.scope.cta.space.cta";
    take(1);
  } else if (name == "mbarrier.test_wait.parity" && expect(3, 3)) {
    intrinsic = "mbarrier.test.wait.parity.scope.cta.space.cta";
    take(1);
  } else if (startsWith(name, "cp.async.bulk.tensor.")) {
    // cp.async.bulk.tensor.2d.global.mbarrier::complete_tx::bytes
    // cp.async.bulk.tensor.2d.global.bulk_group
    std::string rank = name.substr(21, 2);
    std::string rest = name.substr(std::min<size_t>(name.size(), 23));
    size_t numCoordinates = rank[0] - '0';
    if (rest == ".global.mbarrier::complete_tx::bytes" ||
        rest == ".global.tile.mbarrier::complete_tx::bytes") {
      if (!expect(3 + numCoordinates, 3 + numCoordinates))
        return unknown();
      // The barrier is last here and second there.
      std::rotate(operands.begin() + 1, operands.end() - 1, operands.end());
      intrinsic = "cp.async.bulk.tensor.g2s.tile." + rank;
    } else if (rest == ".global.bulk_group" ||
               rest == ".global.tile.bulk_group") {
      if (!expect(2 + numCoordinates, 2 + numCoordinates))
        return unknown();
      // The address in shared memory is last here and first there.
      std::rotate(operands.begin(), operands.end() - 1, operands.end());
      intrinsic = "cp.async.bulk.tensor.s2g.tile." + rank;
    } else {
      return unknown();
    }
  } else if (startsWith(name, "wgmma.mma_async.")) {
    size_t numResults = 0;
    if (!selectWarpgroupProduct(name, operands.size(), operation, numResults))
      return unknown();
    take(numResults);
    // The accumulators are arguments, too.
    instruction.arguments.insert(instruction.arguments.begin(),
                                 operands.begin(),
                                 operands.begin() + numResults);
    return true;
  } else {
    static const std::map<std::string, std::pair<const char *, size_t>> others =
        {
            {"prefetch.tensormap", {"prefetch.tensormap", 0}},
            {"wgmma.fence.sync.aligned", {"wgmma.fence.sync.aligned", 0}},
            {"wgmma.commit_group.sync.aligned",
             {"wgmma.commit_group.sync.aligned", 0}},
            {"wgmma.wait_group.sync.aligned",
             {"wgmma.wait_group.sync.aligned", 0}},
            {"cp.async.bulk.commit_group", {"cp.async.bulk.commit.group", 0}},
            {"cp.async.bulk.wait_group", {"cp.async.bulk.wait.group", 0}},
            {"cp.async.bulk.wait_group.read",
             {"cp.async.bulk.wait.group.read", 0}},
            {"fence.proxy.async", {"fence.proxy.async", 0}},
            {"fence.mbarrier_init", {"fence.mbarrier_init.release.cluster", 0}},
            {"setmaxnreg.inc.sync.aligned.u32",
             {"setmaxnreg.inc.sync.aligned.u32", 0}},
            {"setmaxnreg.dec.sync.aligned.u32",
             {"setmaxnreg.dec.sync.aligned.u32", 0}},
            {"elect.sync", {"elect.sync", 2}},
            {"ex2.approx.ftz.f32", {"ex2.approx.f32", 1}},
            {"ex2.approx.f32", {"ex2.approx.f32", 1}},
            {"lg2.approx.f32", {"lg2.approx.f", 1}},
            {"rcp.approx.ftz.f32", {"rcp.approx.ftz.f", 1}},
            {"rsqrt.approx.f32", {"rsqrt.approx.f", 1}},
            {"tanh.approx.f32", {"tanh.approx.f32", 1}},
            {"cvt.rna.tf32.f32", {"f2tf32.rna", 1}},
            {"cvt.rn.tf32.f32", {"f2tf32.rn", 1}},
            {"cvt.rn.bf16x2.f32", {"ff2bf16x2.rn", 1}},
            {"cvt.rn.f16x2.f32", {"ff2f16x2.rn", 1}},
        };
    auto found = others.find(name);
    if (found == others.end() || operands.size() < found->second.second)
      return unknown();
    intrinsic = found->second.first;
    take(found->second.second);
  }
  if (instruction.results.empty() && instruction.arguments.empty())
    take(0);
  if (!selectIntrinsic(intrinsic, operation))
    return unknown();
  return true;
}

bool Parser::parseStatement(std::string text) {
  // Braces around statements are scopes of names.
  while (!text.empty() && (text[0] == '{' || text[0] == '}'))
    text = trim(text.substr(1));
  size_t name = text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklm"
                                       "nopqrstuvwxyz0123456789_$%");
  if (name != std::string::npos && name > 0 && text[name] == ':' &&
      text.compare(name, 2, "::") != 0) {
    labels[text.substr(0, name)] = program.instructions.size();
    return parseStatement(trim(text.substr(name + 1)));
  }
  if (text.empty())
    return true;
  if (startsWith(text, ".reg")) {
    size_t type = text.find('.', 4);
    size_t names =
        type == std::string::npos ? type : text.find_first_of(" \t", type);
    if (names == std::string::npos)
      return fail("expects names of registers, but got '" + text + "'");
    for (const std::string &declared : split(text.substr(names)))
      registers[trim(declared)] = program.numRegisters++;
    return true;
  }
  Instruction instruction;
  if (text[0] == '@') {
    size_t end = text.find_first_of(" \t\n");
    std::string predicate = text.substr(1, end - 1);
    instruction.negated = startsWith(predicate, "!");
    std::vector<Operand> operands;
    if (!parseOperand(predicate.substr(instruction.negated), operands))
      return false;
    instruction.predicate = operands[0];
    text = end == std::string::npos ? "" : trim(text.substr(end));
  }
  size_t end = std::min(text.find_first_of(" \t\n"), text.size());
  std::string opcode = text.substr(0, end), rest = trim(text.substr(end));
  if (opcode == "bra" || opcode == "bra.uni") {
    instruction.action = Action::Branch;
    branches.emplace_back(program.instructions.size(), rest);
  } else {
    std::vector<Operand> operands;
    // Two results that are written as one.
    size_t bar = rest.find('|');
    if (opcode == "elect.sync" && bar != std::string::npos)
      rest[bar] = ',';
    if (!parseOperands(rest, operands) ||
        !select(instruction, opcode, std::move(operands)))
      return false;
  }
  program.instructions.push_back(std::move(instruction));
  return true;
}

bool Parser::parse(const std::string &text) {
  size_t begin = 0;
  while (begin < text.size()) {
    size_t end = std::min(text.find(';', begin), text.size());
    if (!parseStatement(trim(text.substr(begin, end - begin))))
      return false;
    begin = end + 1;
  }
  for (const auto &[index, label] : branches) {
    auto found = labels.find(label);
    if (found == labels.end())
      return fail("expects a label, but got '" + label + "'");
    program.instructions[index].target = found->second;
  }
  return true;
}

bool memrev::simt::parseAssembly(const std::string &text,
                                 const std::vector<int> &ties,
                                 Operation &operation, std::string &error) {
  auto program = std::make_shared<AssemblyProgram>();
  program->ties = ties;
  if (!Parser(*program, error).parse(text))
    return false;
  operation.name = "assembly";
  operation.run = runAssembly;
  operation.assembly = program;
  return true;
}
