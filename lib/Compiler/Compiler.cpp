//===- Compiler.cpp - Text in, program and reports out --------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Compiler/Compiler.h"
#include "EntrySignature.h"
#include "StoragePlanner.h"
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
#include "llvm/ADT/StringSet.h"
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

llvm::Error CompiledProgram::setSymbol(StringRef name, void *address) {
  std::lock_guard<std::mutex> lock(loadMutex);
  if (code)
    return llvm::createStringError(
        "expects symbols before the first call of a function");
  symbols[name] = address;
  return llvm::Error::success();
}

llvm::Expected<const LoadedCode *> CompiledProgram::load() {
  std::lock_guard<std::mutex> lock(loadMutex);
  if (!code) {
    if (!object)
      return llvm::createStringError(
          "the program was not compiled up to the binary stage");
    if (llvm::Error error = verifyProcessor())
      return std::move(error);
    for (const std::string &name : externals) {
      if (!symbols.contains(name))
        return llvm::createStringError(
            "expects a symbol for each function without a body, but got none "
            "for '" +
            name + "'");
    }
    auto loaded = LoadedCode::load(*object, functions, symbols,
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
  DerivativeStorage storage;
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
  LogicalResult runPasses(PassManager &pm, StringRef stage, ModuleOp module);
  FailureOr<Trial> tryStorage(ModuleOp module, const DerivativeStorage &tried);
  FailureOr<std::vector<StorageGroup>> findGroups(ModuleOp module);
  LogicalResult planStorage(ModuleOp module);
  LogicalResult collectSignatures(ModuleOp module);
  LogicalResult emitNativeCode(ModuleOp module);

  const CompileOptions &options;
  CompileResult &result;
  std::unique_ptr<CompiledProgram> program{new CompiledProgram()};
  std::unique_ptr<llvm::TargetMachine> machine;
  ParameterNames names;
  DerivativeStorage storage;
  /// What came of that storage, if it was tried.
  std::optional<Trial> planned;
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

/// Runs the passes of `stage`, which explain errors or not.
LogicalResult CompilerInstance::runPasses(PassManager &pm, StringRef stage,
                                          ModuleOp module) {
  // Once at the end of the stage, not after each of its passes: a fifth of the
  // time for a long program.
  pm.enableVerifier(false);
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
    report("the stage '" + stage + "' failed");
  return failure();
}

LogicalResult CompilerInstance::runStage(Stage stage, ModuleOp module) {
  PassManager pm(module.getContext());
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
      bufferize.callsExternals = false;
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
  return runPasses(pm, getName(stage), module);
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
  if (options.checkDrift)
    module->setAttr(rev::kCheckDriftAttrName, Builder(module).getUnitAttr());
  FailureOr<CostModel> model = CostModel::get(module);
  if (failed(model))
    return failure();
  costModel = *model;
  return success();
}

/// Compiles a copy of `module` up to its buffers. What is said of it is said if
/// it is used.
FailureOr<Trial> CompilerInstance::tryStorage(ModuleOp module,
                                              const DerivativeStorage &tried) {
  size_t numDiagnostics = result.diagnostics.size();
  storage = tried;
  Trial trial;
  trial.module = module.clone();
  if (failed(runStages(Stage::Differentiate, Stage::Bufferize, *trial.module)))
    return failure();
  trial.storage = std::exchange(storage, {});
  trial.functions = std::exchange(program->functions, {});
  trial.memory = std::exchange(program->memory, {});
  auto said = llvm::drop_begin(result.diagnostics, numDiagnostics);
  trial.diagnostics.assign(std::make_move_iterator(said.begin()),
                           std::make_move_iterator(said.end()));
  result.diagnostics.resize(numDiagnostics);
  return trial;
}

/// Finds the public functions of the program, and what options derive.
FailureOr<std::vector<StorageGroup>>
CompilerInstance::findGroups(ModuleOp module) {
  std::vector<StorageGroup> groups;
  for (auto function : module.getOps<func::FuncOp>()) {
    if (function.isPrivate() || function.isExternal())
      continue;
    StorageGroup &group = groups.emplace_back();
    group.entries.push_back(function.getSymName().str());
    group.budget = getMemoryBudget(function);
  }
  if (options.differentiate.empty())
    return groups;
  size_t numDiagnostics = result.diagnostics.size();
  StringRef stage = getName(Stage::Differentiate);
  std::string error;
  OwningOpRef<ModuleOp> copy = module.clone();
  PassManager transforms(module.getContext());
  if (failed(buildDifferentiatePipeline(transforms, {}, error)) ||
      failed(runPasses(transforms, stage, *copy)))
    return failure();
  llvm::StringSet<> known;
  auto findNew = [&] {
    std::vector<std::string> entries;
    for (auto function : copy->getOps<func::FuncOp>())
      if (!function.isPrivate() && known.insert(function.getSymName()).second)
        entries.push_back(function.getSymName().str());
    return entries;
  };
  findNew();
  for (auto [i, text] : llvm::enumerate(options.differentiate)) {
    FailureOr<Derivation> derivation = createDerivation(text, error);
    if (failed(derivation)) {
      report(error);
      return failure();
    }
    // A derivative that is differentiated stores as by default.
    for (StorageGroup &group : groups)
      if (group.option &&
          llvm::is_contained(group.entries, derivation->function))
        group.isPlanned = false;
    PassManager pm(module.getContext());
    pm.addPass(std::move(derivation->pass));
    if (failed(runPasses(pm, stage, *copy)))
      return failure();
    StorageGroup &group = groups.emplace_back();
    group.entries = findNew();
    group.option = i;
  }
  result.diagnostics.resize(numDiagnostics);
  return groups;
}

/// Lets derivatives store what the budgets of their entries have room for, and
/// finds the curves of time against memory.
LogicalResult CompilerInstance::planStorage(ModuleOp module) {
  bool hasBudget = options.memoryBudget > 0;
  for (auto function : module.getOps<func::FuncOp>())
    hasBudget |= !function.isPrivate() && getMemoryBudget(function);
  if (!hasBudget && options.curvePoints == 0)
    return success();
  FailureOr<std::vector<StorageGroup>> groups = findGroups(module);
  if (failed(groups))
    return failure();
  std::optional<Trial> last;
  auto attempt = [&](const DerivativeStorage &tried)
      -> FailureOr<std::vector<FunctionMemory>> {
    last.reset();
    FailureOr<Trial> trial = tryStorage(module, tried);
    if (failed(trial))
      return failure();
    last = std::move(*trial);
    return last->memory;
  };
  auto keep = [&] { planned = std::exchange(last, std::nullopt); };
  auto complain = [&](const Twine &message) { report(message); };
  if (options.curvePoints != 0) {
    if (!hasCosts) {
      report("expects a cost model for a curve of a program for target " +
             options.target);
      return failure();
    }
    auto found =
        StoragePlanner(*groups, attempt, complain).sweep(options.curvePoints);
    if (failed(found))
      return failure();
    curves = std::move(*found);
  }
  if (options.memoryBudget > 0)
    for (StorageGroup &group : *groups)
      group.budget = group.budget.value_or(options.memoryBudget);
  llvm::erase_if(*groups,
                 [](const StorageGroup &group) { return !group.budget; });
  if (groups->empty())
    return success();
  auto found = StoragePlanner(*groups, attempt, complain).meetBudgets(keep);
  if (failed(found))
    return failure();
  storage = std::move(*found);
  if (planned && planned->storage != storage)
    planned.reset();
  return success();
}

LogicalResult CompilerInstance::collectSignatures(ModuleOp module) {
  std::vector<ValueMemory> plan = parsePlan(readPlan(module));
  if (!isForGPU())
    program->externals = readExternals(module);
  if (auto sites = module->getAttrOfType<ArrayAttr>(rev::kDriftSitesAttrName))
    for (auto name : sites.getAsRange<StringAttr>())
      program->driftSites.push_back(name.str());
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
  if (options.checkDrift && (isForGPU() || options.memoryBudget > 0 ||
                             options.curvePoints != 0)) {
    report("expects check-drift for target cpu, without a memory budget or "
           "curve");
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
  if (failed(takePlanOptions(*module)) || failed(planStorage(*module)))
    return failure();
  Stage first = Stage::Differentiate;
  if (planned && options.until >= Stage::Bufferize) {
    module = std::move(planned->module);
    program->functions = std::move(planned->functions);
    program->memory = std::move(planned->memory);
    llvm::append_range(result.diagnostics, planned->diagnostics);
    first = Stage::Binary;
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
