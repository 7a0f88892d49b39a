//===- memrev-fuzz-autodiff.cpp - Checks derivatives of random programs ---===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Writes random programs, checks their derivatives in this process and shrinks
// those that fail. utils/fuzz-autodiff runs it.
//
//===----------------------------------------------------------------------===//

#include "Fuzz/Checks.h"
#include "Fuzz/Generator.h"
#include "Fuzz/Shrink.h"
#include "memrev/InitAll.h"
#include "memrev/Interfaces/DifferentiableOpInterface.h"
#include "memrev/Interfaces/ForwardDifferentiableOpInterface.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/PrettyStackTrace.h"
#include "llvm/Support/raw_ostream.h"
#include <chrono>

using namespace mlir;
using namespace mlir::memrev::testing;

namespace cl = llvm::cl;

static cl::opt<uint64_t>
    firstSeed("seed", cl::desc("Seed of the first program"), cl::init(1));
static cl::opt<int64_t> numPrograms("programs",
                                    cl::desc("How many programs to check"),
                                    cl::init(1000));
static cl::opt<double> numSeconds("seconds",
                                  cl::desc("Stop after this time; 0 for none"),
                                  cl::init(0));
static cl::list<std::string> groups("only", cl::CommaSeparated,
                                    cl::desc("Groups of operations to use"));
static cl::opt<unsigned>
    maxOperations("operations", cl::desc("Operations of a program, at most"),
                  cl::init(8));
static cl::opt<std::string>
    folder("folder", cl::desc("Where failing programs are written (a new "
                              "temporary folder)"));
static cl::opt<std::string> replay("replay",
                                   cl::desc("Check the program in this file"));
static cl::opt<unsigned>
    secondOrderShare("second-order",
                     cl::desc("Percentage of programs that are derived twice"),
                     cl::init(25));
static cl::opt<unsigned>
    splitShare("split", cl::desc("Percentage of programs that are split"),
               cl::init(25));
static cl::opt<unsigned>
    nativeShare("native",
                cl::desc("Percentage of programs that are compiled and run"),
                cl::init(0));
static cl::opt<int64_t> maxFindings("findings",
                                    cl::desc("Stop after so many failures"),
                                    cl::init(10));
static cl::opt<bool> shrinks("shrink", cl::desc("Make failing programs small"),
                             cl::init(true));
static cl::opt<bool>
    shrinksCrash("shrink-crash",
                 cl::desc("With --replay: make a program that crashes small"));
static cl::opt<bool> printsPrograms("print", cl::desc("Print the programs"));
static cl::opt<bool>
    printsUnsupported("unsupported",
                      cl::desc("Print what could not be differentiated"),
                      cl::init(true));
static cl::list<std::string>
    errors("fail-on", cl::desc("Errors with this text are failures; all errors "
                               "are with an empty text"));
static cl::opt<bool>
    coverage("coverage",
             cl::desc("Check nothing, but print the operations with derivative "
                      "rules that no program has"));

static void write(StringRef path, StringRef text) {
  std::error_code error;
  llvm::raw_fd_ostream os(path, error);
  if (error) {
    llvm::errs() << "cannot write " << path << ": " << error.message() << "\n";
    exit(2);
  }
  os << text;
}

/// Where failing programs go, and the one that is checked.
class Folder {
public:
  Folder() : path(folder), isTemporary(folder.empty()) {
    std::error_code error =
        isTemporary ? llvm::sys::fs::createUniqueDirectory("memrev-fuzz", path)
                    : llvm::sys::fs::create_directories(path);
    if (error) {
      llvm::errs() << "cannot make a folder for programs: " << error.message()
                   << "\n";
      exit(2);
    }
    current = getPath("current.mlir");
  }

  /// Removes what no failure has left.
  ~Folder() {
    llvm::sys::fs::remove(current);
    if (isTemporary)
      llvm::sys::fs::remove(path); // Unless there is something in it.
  }

  std::string getPath(const Twine &name) const {
    SmallString<128> file(path);
    llvm::sys::path::append(file, name);
    return std::string(file);
  }

  /// The program that is checked, for when that ends the process.
  std::string current;

private:
  SmallString<128> path;
  bool isTemporary;
};

static std::string toText(ModuleOp module) {
  std::string text;
  llvm::raw_string_ostream os(text);
  module.print(os, OpPrintingFlags().useLocalScope());
  return text;
}

static CheckOptions getChecks(uint64_t seed) {
  CheckOptions checks;
  checks.secondOrder = seed % 100 < secondOrderShare;
  checks.split = (seed / 7) % 100 < splitShare;
  checks.native = (seed / 3) % 100 < nativeShare;
  checks.self = true;
  checks.errors.assign(errors.begin(), errors.end());
  return checks;
}

static void print(const CheckCounts &counts) {
  for (const auto &[check, count] : counts.passed)
    llvm::outs() << llvm::formatv("  {0,-24} {1}\n", check, count);
  llvm::outs() << llvm::formatv("  {0,-24} {1}\n", "rejected", counts.rejected);
  if (counts.slopes)
    llvm::outs() << llvm::formatv("  {0,-24} {1:f3} to {2:f3}, {3} times\n",
                                  "slopes", counts.leastSlope,
                                  counts.largestSlope, counts.slopes);
  if (!printsUnsupported)
    return;
  for (const auto &[error, count] : counts.unsupported)
    llvm::outs() << llvm::formatv("  unsupported {0} times (seed {1}): {2}\n",
                                  count.first, count.second, error);
}

/// Checks the program in a file as the failure that it was written for.
static int runReplay(MLIRContext &context) {
  OwningOpRef<ModuleOp> module = parseSourceFile<ModuleOp>(replay, &context);
  if (!module)
    return 2;
  uint64_t seed = firstSeed;
  if (auto attr = (*module)->getAttrOfType<IntegerAttr>("fuzz.seed"))
    if (firstSeed.getNumOccurrences() == 0)
      seed = attr.getValue().getZExtValue();
  CheckCounts counts;
  CheckOptions checks;
  checks.native = nativeShare > 0;
  checks.self = true;
  checks.errors.assign(errors.begin(), errors.end());
  if (shrinksCrash) {
    if (!crashes(*module, seed, checks)) {
      llvm::outs() << "no crash\n";
      return 0;
    }
    module = shrink(*module, kCrash.str(), seed, checks);
    llvm::outs() << "// seed " << seed << ", crash\n" << toText(*module);
    return 1;
  }
  std::optional<Finding> finding = check(*module, seed, checks, counts);
  print(counts);
  if (!finding)
    return 0;
  llvm::outs() << "FAIL " << finding->check << ": " << finding->details << "\n";
  return 1;
}

/// Prints the operations with derivative rules that no program has.
static int printCoverage(MLIRContext &context,
                         const GeneratorOptions &options) {
  llvm::StringSet<> seen;
  for (int64_t n = 0; n < numPrograms; ++n)
    generate(&context, firstSeed + n, options)->walk([&](Operation *op) {
      seen.insert(op->getName().getStringRef());
    });
  for (RegisteredOperationName name : context.getRegisteredOperations()) {
    if (seen.contains(name.getStringRef()) ||
        (!name.hasInterface<memrev::DifferentiableOpInterface>() &&
         !name.hasInterface<memrev::ForwardDifferentiableOpInterface>()))
      continue;
    llvm::outs() << name.getStringRef() << "\n";
  }
  return 0;
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  cl::ParseCommandLineOptions(argc, argv,
                              "checks derivatives of random programs\n");
  DialectRegistry registry;
  memrev::registerAllDialects(registry);
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  context.loadAllAvailableDialects();
  if (!replay.empty())
    return runReplay(context);

  GeneratorOptions options;
  options.maxOperations = maxOperations;
  options.only.assign(groups.begin(), groups.end());
  for (const std::string &group : options.only)
    if (!llvm::is_contained(getEmitterGroups(), group)) {
      llvm::errs() << "expects groups of";
      for (const std::string &known : getEmitterGroups())
        llvm::errs() << " " << known;
      llvm::errs() << ", but got " << group << "\n";
      return 2;
    }

  if (coverage)
    return printCoverage(context, options);

  CheckCounts counts;
  int64_t programs = 0, findings = 0;
  auto start = std::chrono::steady_clock::now();
  auto elapsed = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() -
                                         start)
        .count();
  };
  Folder files;
  for (uint64_t seed = firstSeed;
       programs < numPrograms && findings < maxFindings &&
       (numSeconds == 0 || elapsed() < numSeconds);
       ++seed, ++programs) {
    OwningOpRef<ModuleOp> module = generate(&context, seed, options);
    (*module)->setAttr(
        "fuzz.seed",
        IntegerAttr::get(IntegerType::get(&context, 64), APInt(64, seed)));
    std::string text = toText(*module);
    write(files.current, text);
    llvm::PrettyStackTraceString crash(files.current.c_str());
    if (printsPrograms)
      llvm::outs() << text;
    if (failed(verify(*module))) {
      llvm::outs() << "FAIL seed " << seed << ": invalid program\n";
      ++findings;
      continue;
    }
    CheckOptions checks = getChecks(seed);
    std::optional<Finding> finding = check(*module, seed, checks, counts);
    if (!finding)
      continue;
    ++findings;
    llvm::outs() << "FAIL seed " << seed << ", " << finding->check << ": "
                 << finding->details << "\n";
    if (shrinks) {
      module = shrink(*module, finding->check, seed, checks);
      CheckCounts ignored;
      if (std::optional<Finding> small = check(*module, seed, checks, ignored))
        llvm::outs() << "  shrunk: " << small->details << "\n";
      llvm::StringSet<> names;
      module->walk([&](Operation *op) {
        if (!isa<ModuleOp>(op) &&
            !op->getName().getStringRef().starts_with("func.") &&
            names.insert(op->getName().getStringRef()).second)
          llvm::outs() << (names.size() == 1 ? "  of " : " ")
                       << op->getName().getStringRef();
      });
      llvm::outs() << "\n";
    }
    std::string path = files.getPath("failure-" + Twine(seed) + ".mlir");
    write(path, "// seed " + std::to_string(seed) + ", " + finding->check +
                    ": " + StringRef(finding->details).split('\n').first.str() +
                    "\n" + toText(*module));
    llvm::outs() << "  memrev-fuzz-autodiff --replay=" << path << "\n";
    llvm::outs().flush();
  }
  llvm::outs() << llvm::formatv(
      "{0} programs from seed {1} in {2:f1} s, {3} failures\n", programs,
      firstSeed, elapsed(), findings);
  print(counts);
  return findings != 0;
}
