//===- Compiler.cpp - Text in, program and reports out --------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Compiler/Compiler.h"
#include "EntrySignature.h"
#include "StorageSearch.h"
#include "StorageSweep.h"
#include "memrev/Analysis/MemoryPlan.h"
#include "memrev/ExecutionEngine/CHeader.h"
#include "memrev/ExecutionEngine/NativeCode.h"
#include "memrev/ExecutionEngine/Signatures.h"
#include "memrev/InitAll.h"
#include "memrev/Pipelines/Entries.h"
#include "memrev/Pipelines/GPU.h"
#include "memrev/Pipelines/Pipelines.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Threading.h"
#include "llvm/Target/TargetMachine.h"

using namespace mlir;
using namespace mlir::memrev;

//===----------------------------------------------------------------------===//
// Diagnostics
//===----------------------------------------------------------------------===//

void CompileDiagnostic::print(llvm::raw_ostream &os) const {
  static constexpr StringRef names[] = {"error", "warning", "remark", "note"};
  if (!file.empty()) {
    os << file << ':';
    if (line != 0)
      os << line << ':' << column << ':';
    os << ' ';
  }
  os << names[static_cast<size_t>(severity)] << ": " << message << '\n';
}

/// Records `diagnostic` and its notes.
static void record(Diagnostic &diagnostic,
                   std::vector<CompileDiagnostic> &diagnostics) {
  CompileDiagnostic recorded;
  using Severity = CompileDiagnostic::Severity;
  switch (diagnostic.getSeverity()) {
  case DiagnosticSeverity::Error:
    recorded.severity = Severity::Error;
    break;
  case DiagnosticSeverity::Warning:
    recorded.severity = Severity::Warning;
    break;
  case DiagnosticSeverity::Remark:
    recorded.severity = Severity::Remark;
    break;
  case DiagnosticSeverity::Note:
    recorded.severity = Severity::Note;
    break;
  }
  // A fused or named location holds the places in a file somewhere inside.
  diagnostic.getLocation()->walk([&](Location location) {
    auto place = dyn_cast<FileLineColLoc>(location);
    if (!place)
      return WalkResult::advance();
    recorded.file = place.getFilename().str();
    recorded.line = place.getLine();
    recorded.column = place.getColumn();
    return WalkResult::interrupt();
  });
  recorded.message = diagnostic.str();
  diagnostics.push_back(std::move(recorded));
  for (Diagnostic &note : diagnostic.getNotes())
    record(note, diagnostics);
}

//===----------------------------------------------------------------------===//
// CompiledProgram
//===----------------------------------------------------------------------===//

CompiledProgram::CompiledProgram() = default;
CompiledProgram::~CompiledProgram() = default;

llvm::Expected<const FunctionSignature *>
CompiledProgram::findFunction(StringRef name) const {
  for (const FunctionSignature &function : functions) {
    if (function.name == name)
      return &function;
  }
  std::string message = "no public function '" + name.str() + "'; there ";
  llvm::raw_string_ostream os(message);
  if (functions.empty()) {
    os << "is none";
  } else {
    os << (functions.size() == 1 ? "is " : "are ");
    llvm::interleaveComma(functions, os,
                          [&](const FunctionSignature &function) {
                            os << "'" << function.name << "'";
                          });
  }
  return llvm::createStringError(message);
}

void CompiledProgram::printHeader(llvm::raw_ostream &os) const {
  printCHeader(os, functions, /*isForDevice=*/target == "cuda");
}

llvm::Error CompiledProgram::verifyProcessor() const {
  return object ? verifyHost(processor) : llvm::Error::success();
}

llvm::Expected<const LoadedCode *> CompiledProgram::load() {
  std::lock_guard<std::mutex> lock(loadMutex);
  if (!code) {
    if (!object)
      return llvm::createStringError(
          "the program was not compiled up to the binary stage");
    if (llvm::Error error = verifyProcessor())
      return std::move(error);
    auto loaded = LoadedCode::load(*object, functions,
                                   /*isForDevice=*/target == "cuda");
    if (!loaded)
      return loaded.takeError();
    code = std::move(*loaded);
  }
  return code.get();
}

//===----------------------------------------------------------------------===//
// Compilation
//===----------------------------------------------------------------------===//

namespace {
/// A copy of the program that was compiled up to its buffers, and what there is
/// to know of it.
struct Trial {
  /// What derivatives may store: options of rev-plan.
  std::vector<std::string> storage;
  OwningOpRef<ModuleOp> module;
  std::vector<FunctionSignature> functions;
  std::vector<FunctionMemory> memory;
  std::vector<CompileDiagnostic> diagnostics;
};
} // namespace

namespace mlir::memrev {
/// One compilation.
class CompilerInstance {
public:
  CompilerInstance(const CompileOptions &options, CompileResult &result)
      : options(options), result(result) {}

  LogicalResult run(StringRef text);

private:
  void report(const llvm::Twine &message);
  LogicalResult checkTarget();
  bool isForGPU() const { return options.target == "cuda"; }
  LogicalResult runStage(Stage stage, ModuleOp module);
  LogicalResult runStages(Stage first, Stage last, ModuleOp module);
  LogicalResult takePlanOptions(ModuleOp module);
  FailureOr<Trial> tryStorage(ModuleOp module,
                              std::vector<std::string> storage);
  LogicalResult planStorage(ModuleOp module, std::optional<Trial> &best);
  LogicalResult sweepStorage(ModuleOp module);
  LogicalResult collectSignatures(ModuleOp module);
  LogicalResult emitNativeCode(ModuleOp module);

  const CompileOptions &options;
  CompileResult &result;
  std::unique_ptr<CompiledProgram> program{new CompiledProgram()};
  std::unique_ptr<llvm::TargetMachine> machine;
  ParameterNames names;
  /// What derivatives may store: options of rev-plan.
  std::vector<std::string> storage;
  CostModel costModel;
  /// Whether it is one of what is compiled for.
  bool hasCosts = true;
  /// The estimated times of public functions.
  llvm::StringMap<int64_t> times;
  llvm::StringMap<std::vector<MemoryPoint>> curves;
};
} // namespace mlir::memrev

/// Records an error that has no place in the program.
void CompilerInstance::report(const llvm::Twine &message) {
  CompileDiagnostic diagnostic;
  diagnostic.message = message.str();
  result.diagnostics.push_back(std::move(diagnostic));
}

LogicalResult CompilerInstance::runStage(Stage stage, ModuleOp module) {
  PassManager pm(module.getContext());
  // Once at the end of the stage, not after each of its passes: a fifth of the
  // time for a long program.
  pm.enableVerifier(false);
  switch (stage) {
  case Stage::Differentiate:
    if (std::string error; failed(buildDifferentiatePipeline(
            pm, options.differentiate, error, storage))) {
      report(error);
      return failure();
    }
    break;
  case Stage::Lower:
    buildLowerPipeline(pm);
    break;
  case Stage::Schedule: {
    if (isForGPU()) {
      GPUScheduleOptions schedule;
      schedule.chip = program->chip;
      schedule.fp32Precision = options.fp32Precision;
      schedule.contractions = options.contractions;
      buildGPUSchedulePipeline(pm, schedule);
      break;
    }
    CPUScheduleOptions schedule;
    schedule.vectorBits = getVectorBits(*machine);
    buildCPUSchedulePipeline(pm, schedule);
    break;
  }
  case Stage::Bufferize: {
    BufferizeOptions bufferize;
    bufferize.maxThreads = options.maxThreads;
    if (!options.parallel)
      bufferize.maxThreads = 1;
    else if (options.maxThreads == 0)
      bufferize.maxThreads =
          llvm::hardware_concurrency().compute_thread_count();
    if (isForGPU()) {
      // One thread of the host launches kernels, which do not see its stack.
      bufferize.maxThreads = 1;
      bufferize.maxStackBytes = 0;
      bufferize.staticOnly = true;
    }
    buildBufferizePipeline(pm, bufferize);
    break;
  }
  case Stage::Binary: {
    if (isForGPU()) {
      GPUBinaryOptions binary;
      binary.chip = program->chip;
      binary.format = options.kernelFormat;
      buildGPUBinaryPipeline(pm, binary);
      break;
    }
    CPUBinaryOptions binary;
    binary.parallel = options.parallel;
    binary.vectorBits = getVectorBits(*machine);
    buildCPUBinaryPipeline(pm, binary);
    break;
  }
  }
  size_t before = result.diagnostics.size();
  if (succeeded(pm.run(module)) && succeeded(verify(module)))
    return success();
  // A pass that fails without a word would leave the user with nothing.
  bool explained = llvm::any_of(llvm::drop_begin(result.diagnostics, before),
                                [](const CompileDiagnostic &diagnostic) {
                                  return diagnostic.severity ==
                                         CompileDiagnostic::Severity::Error;
                                });
  if (!explained)
    report("the stage '" + getName(stage) + "' failed");
  return failure();
}

LogicalResult CompilerInstance::runStages(Stage first, Stage last,
                                          ModuleOp module) {
  for (int number = static_cast<int>(first); number <= static_cast<int>(last);
       ++number) {
    auto stage = static_cast<Stage>(number);
    if (stage == Stage::Lower)
      names = ParameterNames::take(module);
    if (failed(runStage(stage, module)))
      return failure();
    if (stage == Stage::Lower && hasCosts)
      for (auto function : module.getOps<func::FuncOp>())
        if (function.isPublic())
          times[function.getSymName()] = costModel.getTime(function);
    if ((stage == Stage::Bufferize && failed(collectSignatures(module))))
      return failure();
  }
  return success();
}

/// The option of rev-plan by which `entry` may store `bytes` beyond the
/// default.
static std::string getStorageOption(StringRef entry, int64_t bytes) {
  return entry.str() + "=" + std::to_string(bytes);
}

/// Finds out what costs are estimated by, and how far values may drift.
LogicalResult CompilerInstance::takePlanOptions(ModuleOp module) {
  // The defaults are those of a CPU.
  hasCosts =
      !isForGPU() || options.costModel || module->hasAttr(kCostModelAttrName);
  if (options.costModel)
    options.costModel->setOn(module);
  if (options.driftTolerance > 0)
    module->setAttr(rev::kDriftToleranceAttrName,
                    Builder(module).getF64FloatAttr(options.driftTolerance));
  FailureOr<CostModel> model = CostModel::get(module);
  if (failed(model))
    return failure();
  costModel = *model;
  return success();
}

/// Compiles a copy of `module` up to its buffers. What is said of it is said if
/// it is used.
FailureOr<Trial> CompilerInstance::tryStorage(ModuleOp module,
                                              std::vector<std::string> tried) {
  size_t numDiagnostics = result.diagnostics.size();
  storage = std::move(tried);
  Trial trial;
  trial.module = module.clone();
  if (failed(runStages(Stage::Differentiate, Stage::Bufferize, *trial.module)))
    return failure();
  trial.storage = std::move(storage);
  trial.functions = std::exchange(program->functions, {});
  trial.memory = std::exchange(program->memory, {});
  auto said = llvm::drop_begin(result.diagnostics, numDiagnostics);
  trial.diagnostics.assign(std::make_move_iterator(said.begin()),
                           std::make_move_iterator(said.end()));
  result.diagnostics.resize(numDiagnostics);
  return trial;
}

/// Tries plans between inverting and storing everything for the curves of time
/// against memory.
LogicalResult CompilerInstance::sweepStorage(ModuleOp module) {
  if (options.curvePoints == 0)
    return success();
  if (!options.differentiate.empty()) {
    report("expects a curve for programs with transforms, but got functions to "
           "differentiate by options");
    return failure();
  }
  if (!hasCosts) {
    report("expects a cost model for a curve of a program for target " +
           options.target);
    return failure();
  }
  llvm::MapVector<StringRef, StorageSweep> sweeps;
  for (auto function : module.getOps<func::FuncOp>())
    if (!function.isPrivate() && !function.isExternal())
      sweeps.insert({function.getSymName(), StorageSweep(options.curvePoints)});
  while (true) {
    llvm::StringMap<std::optional<int64_t>> tried;
    std::vector<std::string> storage;
    for (auto &[entry, sweep] : sweeps)
      if (std::optional<int64_t> next = sweep.getNext()) {
        tried[entry] = next;
        storage.push_back(getStorageOption(entry, *next));
      }
    if (tried.empty())
      break;
    FailureOr<Trial> trial = tryStorage(module, std::move(storage));
    if (failed(trial))
      return failure();
    for (const FunctionMemory &memory : trial->memory) {
      if (!memory.peakFormula.empty()) {
        report("expects static shapes for a curve, but '" + memory.function +
               "' takes " + memory.peakFormula + " bytes");
        return failure();
      }
      if (std::optional<int64_t> bytes = tried.lookup(memory.function))
        sweeps.find(memory.function)
            ->second.add(*bytes,
                         {memory.getPeakBytes(), memory.time.value_or(0)});
    }
  }
  for (auto &[entry, sweep] : sweeps)
    curves[entry] = sweep.getCurve();
  return success();
}

/// Lets derivatives store what the budgets of their entries have room for.
/// Leaves nothing in `best` if there is no budget.
LogicalResult CompilerInstance::planStorage(ModuleOp module,
                                            std::optional<Trial> &best) {
  llvm::MapVector<StringRef, StorageSearch> searches;
  for (auto function : module.getOps<func::FuncOp>()) {
    if (function.isPrivate() || function.isExternal())
      continue;
    std::optional<int64_t> budget = getMemoryBudget(function);
    if (!budget && options.memoryBudget > 0)
      budget = options.memoryBudget;
    if (budget)
      searches.insert({function.getSymName(), StorageSearch(*budget)});
  }
  if (searches.empty())
    return success();
  if (!options.differentiate.empty()) {
    report("expects a memory budget for programs with transforms, but got "
           "functions to differentiate by options");
    return failure();
  }

  // The storage to try next, or nothing: as it is best if the search is over.
  auto getNext = [&](SmallVectorImpl<int64_t> &next) {
    bool isOver = true;
    for (auto &[entry, search] : searches) {
      std::optional<int64_t> bytes = search.getNext();
      isOver &= !bytes;
      next.push_back(bytes.value_or(search.getBest().value_or(0)));
    }
    return !isOver;
  };
  auto getOptions = [&](ArrayRef<int64_t> bytes) {
    std::vector<std::string> storage;
    for (auto [search, number] : llvm::zip_equal(searches, bytes))
      storage.push_back(getStorageOption(search.first, number));
    return storage;
  };
  SmallVector<int64_t> bytes;
  for (; getNext(bytes); bytes.clear()) {
    FailureOr<Trial> trial = tryStorage(module, getOptions(bytes));
    if (failed(trial))
      return failure();
    bool isBest = true;
    for (const FunctionMemory &memory : trial->memory) {
      auto *found = searches.find(memory.function);
      if (found == searches.end())
        continue;
      if (!memory.peakFormula.empty()) {
        report("expects static shapes with a memory budget, but '" +
               memory.function + "' takes " + memory.peakFormula + " bytes");
        return failure();
      }
      StorageSearch &search = found->second;
      int64_t tried = bytes[found - searches.begin()];
      search.add(tried, memory.getPeakBytes());
      isBest &= search.getBest() == tried;
    }
    if (isBest)
      best = std::move(*trial);
  }
  for (auto &[entry, search] : searches) {
    if (search.getBest())
      continue;
    report("expects a memory budget of at least " +
           llvm::Twine(search.getFewest()) + " bytes for '" + entry +
           "', but got " + llvm::Twine(search.getBudget()));
    return failure();
  }
  // What is best for one function may not have been tried with what is best for
  // another one.
  std::vector<std::string> storage = getOptions(bytes);
  if (best && best->storage == storage)
    return success();
  FailureOr<Trial> trial = tryStorage(module, std::move(storage));
  if (failed(trial))
    return failure();
  best = std::move(*trial);
  return success();
}

LogicalResult CompilerInstance::collectSignatures(ModuleOp module) {
  std::vector<ValueMemory> plan = parsePlan(readPlan(module));
  for (const Entry &entry : readEntries(module)) {
    FailureOr<FunctionSignature> signature = getSignature(entry, names);
    if (failed(signature))
      return failure();
    FunctionMemory &memory = program->memory.emplace_back(
        measureMemory(*signature, plan, parseBuffers(entry.arenaBuffers)));
    // Of open extents no time is known.
    bool isOpen = !signature->extents.empty();
    if (auto time = times.find(memory.function); time != times.end() && !isOpen)
      memory.time = time->second;
    memory.curve = curves.lookup(memory.function);
    if (!hasCosts || isOpen)
      for (ValueMemory &value : memory.values)
        value.cost.reset();
    if (isOpen) {
      memory.argumentFormula = entry.formulas.arguments;
      memory.resultFormula = entry.formulas.results;
      memory.workspaceFormula = entry.formulas.arena;
      memory.peakFormula = entry.formulas.peak;
    }
    program->functions.push_back(std::move(*signature));
  }
  return success();
}

LogicalResult CompilerInstance::emitNativeCode(ModuleOp module) {
  if (isForGPU()) {
    program->kernels = getGPUKernels(module).str();
    if (!options.hostCode)
      return success();
  }
  std::vector<std::string> entries = getEntryNames(program->functions);
  llvm::LLVMContext context;
  auto llvmModule = translateToLLVM(module, context, *machine, entries,
                                    /*isForDevice=*/isForGPU());
  if (!llvmModule) {
    report(llvm::toString(llvmModule.takeError()));
    return failure();
  }
  addSignatures(**llvmModule, program->functions, program->target,
                program->chip);
  optimize(**llvmModule, *machine);
  if (options.keepLLVM) {
    llvm::raw_string_ostream os(program->llvmIR);
    (*llvmModule)->print(os, nullptr);
  }
  auto object = emitObject(**llvmModule, *machine);
  if (!object) {
    report(llvm::toString(object.takeError()));
    return failure();
  }
  program->object = std::move(*object);
  program->processor = getProcessor(*machine);
  return success();
}

LogicalResult CompilerInstance::checkTarget() {
  if (options.target != "cpu" && !isForGPU()) {
    report("expects target cpu or cuda, but got '" + options.target + "'");
    return failure();
  }
  if (isForGPU() && options.until >= Stage::Schedule && options.chip.empty()) {
    report("expects a chip for target cuda, sm_90 for example");
    return failure();
  }
  if (!isForGPU() && !options.chip.empty()) {
    report("expects a chip for target cuda only, but got '" + options.chip +
           "' for target " + options.target);
    return failure();
  }
  bool isRounded =
      options.fp32Precision == "tf32" || options.fp32Precision == "tf32x3";
  if (options.fp32Precision != "ieee" && !(isRounded && isForGPU())) {
    report("expects fp32-precision to be ieee, or tf32 or tf32x3 for target "
           "cuda, but got '" +
           options.fp32Precision + "' for target " + options.target);
    return failure();
  }
  bool usesLibraries =
      options.contractions == "vendor" || options.contractions == "auto";
  if (options.contractions != "generated" && !(usesLibraries && isForGPU())) {
    report("expects contractions to be generated, or vendor or auto for target "
           "cuda, but got '" +
           options.contractions + "' for target " + options.target);
    return failure();
  }
  program->target = options.target;
  program->chip = options.chip;
  if (options.chip != "native")
    return success();
  auto chip = getDeviceChip(/*device=*/0);
  if (!chip) {
    report("chip native: " + llvm::toString(chip.takeError()));
    return failure();
  }
  program->chip = std::move(*chip);
  return success();
}

LogicalResult CompilerInstance::run(StringRef text) {
  if (failed(checkTarget()))
    return failure();
  llvm::Expected<std::unique_ptr<llvm::TargetMachine>> native =
      createTargetMachine(options.cpu);
  if (!native) {
    report(llvm::toString(native.takeError()));
    return failure();
  }
  machine = std::move(*native);

  DialectRegistry registry;
  memrev::registerAllDialects(registry);
  MLIRContext context(registry);
  // The text of whole functions below each error helps nobody.
  context.printOpOnDiagnostic(false);
  ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
    record(diagnostic, result.diagnostics);
    return success();
  });
  ParserConfig config(&context);
  OwningOpRef<ModuleOp> module =
      parseSourceString<ModuleOp>(text, config, options.fileName);
  if (!module)
    return failure();
  std::optional<Trial> trial;
  if (failed(takePlanOptions(*module)) || failed(sweepStorage(*module)) ||
      failed(planStorage(*module, trial)))
    return failure();
  Stage first = Stage::Differentiate;
  storage.clear();
  if (trial && options.until >= Stage::Bufferize) {
    module = std::move(trial->module);
    program->functions = std::move(trial->functions);
    program->memory = std::move(trial->memory);
    llvm::append_range(result.diagnostics, trial->diagnostics);
    first = Stage::Binary;
  } else if (trial) {
    storage = std::move(trial->storage);
  }
  if (failed(runStages(first, options.until, *module)))
    return failure();
  if (options.keepIR) {
    llvm::raw_string_ostream os(program->ir);
    module->print(os);
  }
  if (options.until == Stage::Binary && failed(emitNativeCode(*module)))
    return failure();
  result.program = std::move(program);
  return success();
}

CompileResult mlir::memrev::compile(StringRef text,
                                    const CompileOptions &options) {
  CompileResult result;
  if (failed(CompilerInstance(options, result).run(text)))
    result.program.reset();
  return result;
}
