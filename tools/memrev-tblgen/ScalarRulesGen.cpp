//===- ScalarRulesGen.cpp - C++ for the rules of scalar operations --------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Writes for each ScalarRule of a dialect what it reads and the code that emits
// its contributions, and a function that attaches the rules to the operations.
// lib/ExternalInterfaces/ScalarRules.h is the context of what is written here.
//
//===----------------------------------------------------------------------===//

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/TableGen/Error.h"
#include "llvm/TableGen/Record.h"
#include "llvm/TableGen/TableGenBackend.h"
#include <set>

using namespace llvm;

static cl::OptionCategory category("Options of -gen-scalar-rules");
static cl::opt<std::string> dialect("dialect",
                                    cl::desc("The dialect of the operations"),
                                    cl::cat(category));

namespace {

/// A rule's operands and results by name.
class Names {
public:
  explicit Names(const Record &rule) : rule(rule) {
    collect("operandNames", "Operands", operands);
    collect("resultNames", "Results", results);
  }

  const Record &rule;
  SmallVector<StringRef> operands, results;

private:
  void collect(StringRef field, StringRef marker,
               SmallVectorImpl<StringRef> &names) {
    const DagInit *dag = rule.getValueAsDag(field);
    const Record *head = dag->getOperatorAsDef(rule.getLoc());
    if (head->getName() != marker)
      PrintFatalError(rule.getLoc(), "expects '" + marker + "' in front of " +
                                         field + ", but got '" +
                                         head->getName() + "'");
    for (unsigned i = 0, e = dag->getNumArgs(); i < e; ++i) {
      StringRef name = dag->getArgNameStr(i);
      if (name.empty() || name == "dy" || is_contained(operands, name) ||
          is_contained(results, name))
        PrintFatalError(rule.getLoc(),
                        "expects distinct names other than 'dy', but got '" +
                            name + "' in " + field);
      names.push_back(name);
    }
  }
};

/// Writes the code that computes one term.
class TermWriter {
public:
  TermWriter(const Names &names, bool isContribution)
      : names(names), isContribution(isContribution) {}

  /// Writes statements to `os` and returns the name of the variable.
  std::string write(const DagInit *term, raw_ostream &os);

  /// What the terms written so far read.
  std::set<unsigned> operands, results;
  /// True if $dy was multiplied by something that is not constant.
  bool multiplies = false;

private:
  struct Value {
    std::string name;
    bool hasContribution = false;
    bool isConstant = false;
  };
  Value writeTerm(const DagInit *term, raw_ostream &os);
  Value writeArgument(const DagInit *term, unsigned i, raw_ostream &os);
  Value writeName(StringRef name, raw_ostream &os);
  std::string define(StringRef expression, raw_ostream &os);

  const Names &names;
  bool isContribution;
  /// The variables by the expression that they hold.
  StringMap<std::string> variables;
};

} // namespace

std::string TermWriter::define(StringRef expression, raw_ostream &os) {
  auto [it, isNew] = variables.try_emplace(expression);
  if (isNew) {
    it->second = "v" + std::to_string(variables.size() - 1);
    os << "    Value " << it->second << " = " << expression << ";\n";
  }
  return it->second;
}

TermWriter::Value TermWriter::writeName(StringRef name, raw_ostream &os) {
  if (name == "dy" && isContribution)
    return {"point.dy", /*hasContribution=*/true};
  for (auto [i, operand] : enumerate(names.operands))
    if (operand == name) {
      operands.insert(i);
      return {define("point.operand(" + std::to_string(i) + ")", os)};
    }
  for (auto [i, result] : enumerate(names.results))
    if (result == name) {
      results.insert(i);
      return {define("point.result(" + std::to_string(i) + ")", os)};
    }
  PrintFatalError(names.rule.getLoc(),
                  "expects names of operands and results, but got '$" + name +
                      "'");
}

TermWriter::Value TermWriter::writeArgument(const DagInit *term, unsigned i,
                                            raw_ostream &os) {
  const Init *argument = term->getArg(i);
  if (isa<UnsetInit>(argument))
    return writeName(term->getArgNameStr(i), os);
  if (auto *inner = dyn_cast<DagInit>(argument))
    return writeTerm(inner, os);
  auto *constant = dyn_cast<DefInit>(argument);
  if (!constant || !constant->getDef()->isSubClassOf("F"))
    PrintFatalError(names.rule.getLoc(),
                    "expects terms, names or F<...>, but got '" +
                        argument->getAsString() + "'");
  StringRef value = constant->getDef()->getValueAsString("value");
  return {define(("point.constant(" + value + ")").str(), os),
          /*hasContribution=*/false, /*isConstant=*/true};
}

TermWriter::Value TermWriter::writeTerm(const DagInit *term, raw_ostream &os) {
  const Record *head = term->getOperatorAsDef(names.rule.getLoc());
  if (!head->isSubClassOf("Operator") ||
      head->getValueAsString("expression").empty())
    PrintFatalError(names.rule.getLoc(),
                    "expects operators of terms, but got '" + head->getName() +
                        "'");
  SmallVector<std::string> arguments;
  bool hasContribution = false, hasFactor = false;
  for (unsigned i = 0, e = term->getNumArgs(); i < e; ++i) {
    Value argument = writeArgument(term, i, os);
    hasContribution |= argument.hasContribution;
    hasFactor |= !argument.hasContribution && !argument.isConstant;
    arguments.push_back(argument.name);
  }
  multiplies |=
      hasContribution && hasFactor && head->getValueAsBit("multiplies");
  std::string joined = join(arguments, ", ");
  std::string expression;
  for (StringRef rest = head->getValueAsString("expression"); !rest.empty();) {
    auto [text, after] = rest.split('$');
    expression += text;
    if (after.consume_front("point"))
      expression += "point";
    else if (after.consume_front("args"))
      expression += joined;
    rest = after;
  }
  if (arguments.size() == 1 && expression == joined)
    return {joined, hasContribution};
  return {define(expression, os), hasContribution};
}

std::string TermWriter::write(const DagInit *term, raw_ostream &os) {
  Value value = writeTerm(term, os);
  if (isContribution && !value.hasContribution)
    PrintFatalError(names.rule.getLoc(),
                    "expects contributions with $dy, but got '" +
                        term->getAsString() + "'");
  return value.name;
}

//===----------------------------------------------------------------------===//
// Rules
//===----------------------------------------------------------------------===//

static void writeReads(const std::set<unsigned> &operands,
                       const std::set<unsigned> &results, bool exact,
                       raw_ostream &os) {
  os << "    return {{"
     << join(map_range(operands, [](unsigned i) { return std::to_string(i); }),
             ", ")
     << "}, {"
     << join(map_range(results, [](unsigned i) { return std::to_string(i); }),
             ", ")
     << "}, Precision::" << (exact ? "Exact" : "Rounded") << "};\n";
}

/// Writes the case of a switch that emits `term` and returns it, and adds what
/// it reads.
static void writeContribution(const Names &names, const DagInit *term,
                              std::set<unsigned> &operands,
                              std::set<unsigned> &results, raw_ostream &os) {
  const Record *head = term->getOperatorAsDef(names.rule.getLoc());
  if (head->getName() == "IfActive") {
    auto *then =
        term->getNumArgs() == 3 ? dyn_cast<DagInit>(term->getArg(1)) : nullptr;
    auto *otherwise = then ? dyn_cast<DagInit>(term->getArg(2)) : nullptr;
    auto *it = find(names.operands, term->getArgNameStr(0));
    if (!otherwise || it == names.operands.end())
      PrintFatalError(names.rule.getLoc(),
                      "expects (IfActive $operand, then, else), but got '" +
                          term->getAsString() + "'");
    os << "    if (point.isActive(" << it - names.operands.begin() << ")) {\n";
    writeContribution(names, then, operands, results, os);
    os << "    }\n";
    writeContribution(names, otherwise, operands, results, os);
    return;
  }
  TermWriter writer(names, /*isContribution=*/true);
  std::string value = writer.write(term, os);
  os << "    return "
     << (writer.multiplies ? "point.product(" + value + ")" : value) << ";\n";
  operands.insert(writer.operands.begin(), writer.operands.end());
  results.insert(writer.results.begin(), writer.results.end());
}

static std::string getRuleName(const Record &rule) {
  return rule.getValueAsString("dialect").str() + "_" +
         rule.getValueAsString("opClass").str();
}

static std::string getOpClass(const Record &rule) {
  return (rule.getValueAsString("dialect") +
          "::" + rule.getValueAsString("opClass"))
      .str();
}

/// Writes how well the inverses of a rule give its operands back.
static void writeQualities(const Names &names, size_t numInverses,
                           raw_ostream &os) {
  const Record &rule = names.rule;
  const ListInit *gains = rule.getValueAsListInit("gains");
  if (!gains->empty() && gains->size() != numInverses)
    PrintFatalError(rule.getLoc(), "expects a gain for each inverse, " +
                                       Twine(numInverses) + ", but got " +
                                       Twine(gains->size()));
  std::string cases;
  raw_string_ostream casesOS(cases);
  for (auto [i, init] : enumerate(gains->getElements())) {
    auto *gain = cast<DagInit>(init);
    const Record *head = gain->getOperatorAsDef(rule.getLoc());
    if (head->getName() == "Rounds")
      continue;
    casesOS << "  case " << i << ":\n    return {InverseKind::Conditioned";
    if (head->isSubClassOf("Gain")) {
      const auto *it = gain->getNumArgs() == 1
                           ? find(names.operands, gain->getArgNameStr(0))
                           : names.operands.end();
      if (it == names.operands.end() ||
          it == names.operands.begin() + static_cast<ptrdiff_t>(i))
        PrintFatalError(rule.getLoc(), "expects gains of one other operand, "
                                       "but got '" +
                                           gain->getAsString() + "'");
      casesOS << ", " << it - names.operands.begin()
              << ", [](const Magnitude &other) -> double {\n      return "
              << head->getValueAsString("expression") << ";\n    }";
    } else if (head->getName() != "Unbounded") {
      PrintFatalError(rule.getLoc(), "expects 'Rounds', 'Unbounded' or "
                                     "'Gain', but got '" +
                                         gain->getAsString() + "'");
    }
    casesOS << "};\n";
  }
  os << "static InverseQuality qualityOf_" << getRuleName(rule)
     << "(unsigned operand) {\n  switch (operand) {\n"
     << cases << "  default:\n    return {};\n  }\n}\n\n";
}

static void writeRule(const Record &rule, raw_ostream &os) {
  Names names(rule);
  std::vector<const DagInit *> partials, inverses;
  for (const Init *term : rule.getValueAsListInit("partials")->getElements())
    partials.push_back(cast<DagInit>(term));
  for (const Init *term : rule.getValueAsListInit("inverses")->getElements())
    inverses.push_back(cast<DagInit>(term));
  size_t expected = names.operands.size() * names.results.size();
  if (partials.size() != expected)
    PrintFatalError(rule.getLoc(),
                    "expects a contribution for each operand and result, " +
                        Twine(expected) + ", but got " +
                        Twine(partials.size()));
  if (!inverses.empty() &&
      (inverses.size() != names.operands.size() || names.results.size() != 1))
    PrintFatalError(rule.getLoc(),
                    "expects one result and an inverse for each operand, " +
                        Twine(names.operands.size()) + ", but got " +
                        Twine(inverses.size()));

  std::string reads, emits;
  raw_string_ostream readsOS(reads), emitsOS(emits);
  for (auto [i, term] : enumerate(partials)) {
    if (term->getOperatorAsDef(rule.getLoc())->getName() == "None")
      continue;
    std::set<unsigned> operands, results;
    emitsOS << "  case " << i << ": {\n";
    writeContribution(names, term, operands, results, emitsOS);
    emitsOS << "  }\n";
    readsOS << "  case " << i << ":\n";
    writeReads(operands, results, rule.getValueAsBit("exact"), readsOS);
  }
  std::string name = getRuleName(rule);
  os << "//===- " << getOpClass(rule) << "\n\n";
  os << "static Reads readsOf_" << name << "(unsigned partial) {\n"
     << "  switch (partial) {\n"
     << reads << "  default:\n    return {};\n"
     << "  }\n}\n\n";
  os << "static Value emit_" << name
     << "(ScalarPoint &point, unsigned partial) {\n  switch (partial) {\n"
     << emits << "  default:\n    return {};\n  }\n}\n\n";
  os << "static constexpr ScalarRule rule_" << name << "{readsOf_" << name
     << ", emit_" << name << ", /*selects=*/"
     << (rule.getValueAsBit("selects") ? "true" : "false") << "};\n\n";
  if (inverses.empty())
    return;

  reads.clear();
  emits.clear();
  for (auto [i, term] : enumerate(inverses)) {
    if (term->getOperatorAsDef(rule.getLoc())->getName() == "None")
      continue;
    TermWriter writer(names, /*isContribution=*/false);
    emitsOS << "  case " << i << ": {\n";
    std::string value = writer.write(term, emitsOS);
    emitsOS << "    return " << value << ";\n  }\n";
    if (writer.operands.count(i))
      PrintFatalError(rule.getLoc(),
                      "expects inverses that do not read what they solve "
                      "for, but got '" +
                          term->getAsString() + "'");
    readsOS << "  case " << i << ":\n";
    writeReads(writer.operands, writer.results, /*exact=*/false, readsOS);
  }
  os << "static Reads inverseReadsOf_" << name << "(unsigned operand) {\n"
     << "  switch (operand) {\n"
     << reads << "  default:\n    return {};\n"
     << "  }\n}\n\n";
  os << "static Value solve_" << name
     << "(ScalarPoint &point, unsigned operand) {\n  switch (operand) {\n"
     << emits << "  default:\n    return {};\n  }\n}\n\n";
  writeQualities(names, inverses.size(), os);
  os << "static constexpr ScalarInverse inverse_" << name << "{inverseReadsOf_"
     << name << ", solve_" << name << ", qualityOf_" << name << "};\n\n";
}

static void emitScalarRules(const RecordKeeper &records, raw_ostream &os) {
  emitSourceFileHeader("Rules of scalar operations", os, records);
  std::string attachments;
  raw_string_ostream attach(attachments);
  for (const Record *rule : records.getAllDerivedDefinitions("ScalarRule")) {
    if (rule->getValueAsString("dialect") != dialect)
      continue;
    writeRule(*rule, os);
    std::string op = getOpClass(*rule), name = getRuleName(*rule);
    attach << "  " << op << "::attachInterface<ScalarModel<" << op << ", rule_"
           << name << ">, ScalarTangentModel<" << op << ", rule_" << name
           << ">";
    if (!rule->getValueAsListInit("inverses")->empty())
      attach << ", ScalarInverseModel<" << op << ", inverse_" << name << ">";
    attach << ">(*context);\n";
  }
  for (const Record *rule : records.getAllDerivedDefinitions("InactiveOp"))
    if (rule->getValueAsString("dialect") == dialect)
      attach << "  " << getOpClass(*rule) << "::attachInterface<InactiveModel<"
             << getOpClass(*rule) << ">>(*context);\n";
  os << "static void attachScalarRules(MLIRContext *context) {\n"
     << attachments << "}\n";
}

static TableGen::Emitter::Opt registration("gen-scalar-rules", emitScalarRules,
                                           "Write the rules of scalar "
                                           "operations of a dialect");
