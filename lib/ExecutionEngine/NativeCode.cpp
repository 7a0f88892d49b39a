//===- NativeCode.cpp - From the LLVM dialect to machine code -------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/ExecutionEngine/NativeCode.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/Analysis/AliasAnalysis.h"
#include "llvm/Analysis/TargetLibraryInfo.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/SmallVectorMemoryBuffer.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/SubtargetFeature.h"

using namespace mlir;
using namespace mlir::memrev;

static void initializeTarget() {
  static const bool initialized = [] {
    llvm::InitializeNativeTarget();
    llvm::InitializeNativeTargetAsmPrinter();
    return true;
  }();
  (void)initialized;
}

llvm::Expected<std::unique_ptr<llvm::TargetMachine>>
mlir::memrev::createTargetMachine(llvm::StringRef cpu) {
  initializeTarget();
  llvm::Triple triple(llvm::sys::getDefaultTargetTriple());
  std::string message;
  const llvm::Target *target =
      llvm::TargetRegistry::lookupTarget(triple, message);
  if (!target)
    return llvm::createStringError(message);
  llvm::SubtargetFeatures features;
  std::string name = cpu.str();
  if (cpu.empty() || cpu == "native") {
    name = llvm::sys::getHostCPUName().str();
    for (const auto &feature : llvm::sys::getHostCPUFeatures())
      features.AddFeature(feature.first(), feature.second);
  }
  std::unique_ptr<llvm::MCSubtargetInfo> info(
      target->createMCSubtargetInfo(triple, "", ""));
  if (!info || !info->isCPUStringValid(name))
    return llvm::createStringError(
        "expects the name of a processor, but got '" + name + "'");
  std::unique_ptr<llvm::TargetMachine> machine(target->createTargetMachine(
      triple, name, features.getString(), llvm::TargetOptions(),
      llvm::Reloc::PIC_, std::nullopt, llvm::CodeGenOptLevel::Aggressive));
  if (!machine)
    return llvm::createStringError("no code generator for " + triple.str());
  return machine;
}

int64_t mlir::memrev::getVectorBits(const llvm::TargetMachine &machine) {
  const llvm::MCSubtargetInfo *info = machine.getMCSubtargetInfo();
  if (!machine.getTargetTriple().isX86())
    return 128;
  if (info->checkFeatures("+avx512f") && info->checkFeatures("+avx512vl"))
    return 512;
  return info->checkFeatures("+avx2") ? 256 : 128;
}

/// Adds the function that calls `entry` through an array of pointers.
static void addPackedEntry(llvm::Function *entry) {
  llvm::Module &module = *entry->getParent();
  llvm::LLVMContext &context = module.getContext();
  llvm::IRBuilder<> builder(context);
  llvm::Type *pointer = builder.getPtrTy();
  auto *function = llvm::Function::Create(
      llvm::FunctionType::get(builder.getVoidTy(), {pointer}, false),
      llvm::GlobalValue::ExternalLinkage, kPackedPrefix + entry->getName(),
      module);
  builder.SetInsertPoint(llvm::BasicBlock::Create(context, "", function));
  llvm::SmallVector<llvm::Value *> operands;
  for (llvm::Argument &argument : entry->args()) {
    llvm::Value *slot = builder.CreateConstGEP1_64(pointer, function->getArg(0),
                                                   argument.getArgNo());
    llvm::Value *value = builder.CreateLoad(pointer, slot);
    llvm::Type *type = argument.getType();
    if (type->isIntegerTy(1)) {
      // A boolean takes a byte in memory.
      value = builder.CreateLoad(builder.getInt8Ty(), value);
      value = builder.CreateTrunc(value, type);
    } else if (!type->isPointerTy()) {
      value = builder.CreateLoad(type, value);
    }
    operands.push_back(value);
  }
  llvm::Value *returned = builder.CreateCall(entry, operands);
  if (!returned->getType()->isVoidTy()) {
    llvm::Value *slot = builder.CreateConstGEP1_64(pointer, function->getArg(0),
                                                   entry->arg_size());
    builder.CreateStore(returned, builder.CreateLoad(pointer, slot));
  }
  builder.CreateRetVoid();
}

std::vector<std::string>
mlir::memrev::getEntryNames(llvm::ArrayRef<FunctionSignature> functions) {
  std::vector<std::string> names;
  for (const FunctionSignature &function : functions) {
    names.push_back(function.name);
    if (function.extents.empty())
      continue;
    names.push_back(function.name + kArenaBytesSuffix.str());
    for (auto [i, result] : llvm::enumerate(function.results)) {
      if (!function.hasOwnParameter(i) || result.extents.empty())
        continue;
      names.push_back(function.name + kResultExtentsSuffix.str());
      break;
    }
  }
  return names;
}

/// Adds the function `name`, which calls those of `list`, the global variable
/// of constructors or destructors, in their order.
static void addCallOfAll(llvm::Module &module, llvm::StringRef name,
                         llvm::StringRef list) {
  struct Listed {
    uint64_t priority;
    llvm::Value *function;
  };
  llvm::SmallVector<Listed> listed;
  llvm::GlobalVariable *global = module.getGlobalVariable(list);
  // A program without kernels has none.
  auto *entries =
      global ? llvm::cast<llvm::ConstantArray>(global->getInitializer())
             : nullptr;
  for (unsigned i = 0; entries && i < entries->getNumOperands(); ++i) {
    llvm::Value *operand = entries->getOperand(i);
    auto *entry = llvm::cast<llvm::ConstantStruct>(operand);
    listed.push_back(
        {llvm::cast<llvm::ConstantInt>(entry->getOperand(0))->getZExtValue(),
         entry->getOperand(1)});
  }
  llvm::sort(listed, [](const Listed &a, const Listed &b) {
    return a.priority < b.priority;
  });
  if (name == kUnloadFunction)
    std::reverse(listed.begin(), listed.end());
  llvm::IRBuilder<> builder(module.getContext());
  auto *type = llvm::FunctionType::get(builder.getVoidTy(), false);
  auto *function = llvm::Function::Create(
      type, llvm::GlobalValue::ExternalLinkage, name, module);
  builder.SetInsertPoint(
      llvm::BasicBlock::Create(module.getContext(), "", function));
  for (const Listed &entry : listed)
    builder.CreateCall(type, entry.function);
  builder.CreateRetVoid();
}

llvm::Expected<std::unique_ptr<llvm::Module>> mlir::memrev::translateToLLVM(
    ModuleOp module, llvm::LLVMContext &context, llvm::TargetMachine &machine,
    llvm::ArrayRef<std::string> entries, bool isForDevice) {
  std::unique_ptr<llvm::Module> result =
      translateModuleToLLVMIR(module, context, "memrev");
  if (!result)
    return llvm::createStringError("translation to LLVM IR failed");
  result->setTargetTriple(machine.getTargetTriple());
  result->setDataLayout(machine.createDataLayout());
  for (llvm::StringRef name : entries) {
    if (llvm::Function *entry = result->getFunction(name))
      addPackedEntry(entry);
  }
  if (isForDevice) {
    addCallOfAll(*result, kLoadFunction, "llvm.global_ctors");
    addCallOfAll(*result, kUnloadFunction, "llvm.global_dtors");
  }
  // Vectors of the program use whole registers; LLVM prefers half of them on
  // some processors.
  std::string bits = std::to_string(getVectorBits(machine));
  for (llvm::Function &function : *result) {
    if (machine.getTargetTriple().isX86()) {
      function.addFnAttr("prefer-vector-width", bits);
      function.addFnAttr("min-legal-vector-width", bits);
    }
    if (function.isDeclaration())
      continue;
    function.addFnAttr("target-cpu", machine.getTargetCPU());
    function.addFnAttr("target-features", machine.getTargetFeatureString());
  }
  return result;
}

void mlir::memrev::optimize(llvm::Module &module,
                            llvm::TargetMachine &machine) {
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager components;
  llvm::ModuleAnalysisManager modules;
  llvm::PassBuilder builder(&machine);
  functions.registerPass([&] { return builder.buildDefaultAAPipeline(); });
  functions.registerPass([&] {
    return llvm::TargetLibraryAnalysis(llvm::TargetLibraryInfoImpl(
        machine.getTargetTriple(), llvm::VectorLibrary::LIBMVEC));
  });
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(components);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, components, modules);
  builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O2)
      .run(module, modules);
}

llvm::Expected<std::unique_ptr<llvm::MemoryBuffer>>
mlir::memrev::emitObject(llvm::Module &module, llvm::TargetMachine &machine) {
  llvm::SmallVector<char, 0> bytes;
  llvm::raw_svector_ostream os(bytes);
  llvm::legacy::PassManager passes;
  if (machine.addPassesToEmitFile(passes, os, nullptr,
                                  llvm::CodeGenFileType::ObjectFile))
    return llvm::createStringError("the target cannot write object files");
  passes.run(module);
  return std::make_unique<llvm::SmallVectorMemoryBuffer>(
      std::move(bytes), "memrev.o", /*RequiresNullTerminator=*/false);
}
